//! Products by plain loops: every lane has its own sums, several rows run together.

use super::emit::{Emitter, linear};
use super::reduce::{UNROLL, WRITTEN_OUT};
use super::{Affine, Carried, Lane, Place, Reg};
use crate::graph::{CONTRACT_BLOCK, DType, NodeId, Op};
use crate::plan::{ContractAxes, Side, contract_axes, row_major};

impl Emitter<'_> {
    /// The elements of a product at several indices of its result.
    pub(super) fn contract(&mut self, node: NodeId, indices: &[Vec<Affine>]) -> Vec<Reg> {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands that run as one");
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
        let shape = &self.graph[node].ty.shape;
        let (batch, free) = index.split_at(axes.batch.len());
        let Op::Contract { batch: pairs, contract } = &self.graph[node].op else { unreachable!("a product") };
        let left_free = self.graph[self.graph[node].operands[0]].ty.rank() - pairs.len() - contract.len();
        let (rows, cols) = free.split_at(left_free);
        let (row_shape, col_shape) = shape[axes.batch.len()..].split_at(left_free);
        let row = linear(rows, &row_major(row_shape));
        let col = linear(cols, &row_major(col_shape));
        let place = |view: &crate::plan::Strided, stride: fn(&Side) -> i64| {
            let base = self.place(view.base, &vec![Affine::default(); self.graph[view.base].ty.rank()]);
            let batch = linear(batch, &axes.batch.iter().map(stride).collect::<Vec<i64>>());
            let free = row.times(stride(&axes.rows)).plus(&col.times(stride(&axes.cols)));
            let index = batch.plus(&free).plus(&Affine::constant(view.offset));
            Place { index: base.index.plus(&index), ..base }
        };
        [place(&axes.left, |side| side.left), place(&axes.right, |side| side.right)]
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
            let at = |place: &Place, stride: i64| Place { buffer: place.buffer, index: place.index.plus(&k.times(stride)) };
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
        let carried =
            all.map(|(((start, current), next), &result)| Carried { start, current, next, result }).collect();
        self.close_loop(extent, unroll, carried);
        results
    }
}
