//! Products by plain loops: every lane has its own sums, several rows run together.

use super::emit::{Emitter, linear};
use super::reduce::{UNROLL, WRITTEN_OUT};
use super::{Affine, BufferId, Carried, Lane, Place, Reg, Stmt};
use crate::graph::{CONTRACT_BLOCK, DType, NodeId};
use crate::plan::{ContractAxes, Operand, Side, contract_axes, copy_axes, row_major};

impl Emitter<'_> {
    /// The elements of a product at several indices of its result.
    pub(super) fn contract(&mut self, node: NodeId, indices: &[Vec<Affine>]) -> Vec<Reg> {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
        let starts: Vec<[Place; 2]> = indices.iter().map(|index| self.contract_places(node, &axes, index)).collect();
        let depth = axes.depth.extent;
        let blocks = depth / CONTRACT_BLOCK;
        if depth <= CONTRACT_BLOCK {
            return self.contract_block(&starts, axes.depth, &Affine::default(), depth);
        }
        let mut sums = self.contract_block(&starts, axes.depth, &Affine::default(), CONTRACT_BLOCK);
        if blocks > 1 {
            let from = Affine::var(self.open("kb")).plus(&Affine::constant(1)).times(CONTRACT_BLOCK as i64);
            let current: Vec<Reg> = sums.iter().map(|_| self.reg(Lane::F32)).collect();
            let block = self.contract_block(&starts, axes.depth, &from, CONTRACT_BLOCK);
            let next = self.add_all(&current, &block);
            sums = self.carry(blocks - 1, 1, sums, current, next);
        }
        if !depth.is_multiple_of(CONTRACT_BLOCK) {
            let from = Affine::constant((blocks * CONTRACT_BLOCK) as i64);
            let block = self.contract_block(&starts, axes.depth, &from, depth % CONTRACT_BLOCK);
            sums = self.add_all(&sums, &block);
        }
        sums
    }

    /// The first factors of an element of a product: left and right.
    pub(super) fn contract_places(&self, node: NodeId, axes: &ContractAxes, index: &[Affine]) -> [Place; 2] {
        [0, 1].map(|number| {
            let operand = &axes.operands[number];
            let start = self.operand_start(node, number, operand);
            let index = linear(index, &operand.strides);
            Place { index: start.index.plus(&index), ..start }
        })
    }

    /// The first element of an operand of a product, in its copy if it has one.
    pub(super) fn operand_start(&self, node: NodeId, number: usize, operand: &Operand) -> Place {
        if operand.copied {
            let group = self.plan.homes[node.0 as usize].map(|home| &self.plan.groups[home.group]);
            let copies = group.map_or(&[][..], |group| group.copied.as_slice());
            let copy = copies.iter().find(|(id, of, _)| (*id, *of) == (node, number)).expect("a copy has its memory");
            return Place { buffer: BufferId(copy.2 as u32), index: Affine::default() };
        }
        let rank = self.graph[operand.view.base].ty.rank();
        let base = self.place(operand.view.base, &vec![Affine::default(); rank]);
        Place { index: base.index.plus(&Affine::constant(operand.view.offset)), ..base }
    }

    /// Copies an operand of a product so that its contracted axes run as one.
    pub(super) fn copy_operand(&mut self, node: NodeId, number: usize, buffer: usize) {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
        let operand = Operand { copied: false, ..axes.operands[number].clone() };
        let start = self.operand_start(node, number, &operand);
        let (extents, strides): (Vec<usize>, Vec<i64>) =
            copy_axes(self.graph, node, number, &operand.view).into_iter().filter(|(extent, _)| *extent != 1).unzip();
        let Some((&lanes, loops)) = extents.split_last().filter(|_| !extents.contains(&0)) else { return };
        let to = row_major(&extents);
        self.for_each(loops, vec![Affine::default(); loops.len()], &mut |emitter, mut point| {
            point.push(Affine::var(emitter.open("j")));
            let from = Place { index: start.index.plus(&linear(&point, &strides)), ..start.clone() };
            let value = emitter.load(from, DType::F32);
            emitter.store(Place { buffer: BufferId(buffer as u32), index: linear(&point, &to) }, value);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: lanes, block });
        });
    }

    /// Sums from 0 over `depth` products from index `from` on.
    fn contract_block(&mut self, starts: &[[Place; 2]], side: Side, from: &Affine, depth: usize) -> Vec<Reg> {
        let zero = self.f32(0.0);
        let mut sums = vec![zero; starts.len()];
        if depth * starts.len() <= WRITTEN_OUT * 2 && depth <= WRITTEN_OUT {
            for k in 0..depth {
                let k = from.plus(&Affine::constant(k as i64));
                sums = self.contract_step(starts, side, &k, &sums);
            }
            return sums;
        }
        let k = Affine::var(self.open("k")).plus(from);
        let current: Vec<Reg> = starts.iter().map(|_| self.reg(Lane::F32)).collect();
        let next = self.contract_step(starts, side, &k, &current);
        self.carry(depth, UNROLL, sums, current, next)
    }

    fn contract_step(&mut self, starts: &[[Place; 2]], side: Side, k: &Affine, sums: &[Reg]) -> Vec<Reg> {
        let mut next = Vec::new();
        for ([left, right], &sum) in starts.iter().zip(sums) {
            let at =
                |place: &Place, stride: i64| Place { buffer: place.buffer, index: place.index.plus(&k.times(stride)) };
            let a = self.load(at(left, side.left), DType::F32);
            let b = self.load(at(right, side.right), DType::F32);
            next.push(self.fma(a, b, sum));
        }
        next
    }

    fn add_all(&mut self, left: &[Reg], right: &[Reg]) -> Vec<Reg> {
        left.iter().zip(right).map(|(&a, &b)| self.binary(crate::graph::Binary::Add, a, b)).collect()
    }

    /// Closes a loop that carries sums.
    fn carry(&mut self, extent: usize, unroll: usize, start: Vec<Reg>, current: Vec<Reg>, next: Vec<Reg>) -> Vec<Reg> {
        let results: Vec<Reg> = start.iter().map(|_| self.reg(Lane::F32)).collect();
        let all = start.into_iter().zip(current).zip(next).zip(&results);
        let carried = all.map(|(((start, current), next), &result)| Carried { start, current, next, result }).collect();
        self.close_loop(extent, unroll, carried);
        results
    }
}
