//! Products by plain loops: every lane has its own sums, several rows run together.

use super::emit::{Emitter, linear};
use super::reduce::{UNROLL, WRITTEN_OUT, from_start};
use super::{Affine, Carried, Lane, Place, Reg};
use crate::graph::{Binary, DType, NodeId};
use crate::numerics::boxes::Boxes;
use crate::plan::{ContractAxes, Operand, Side, contract_axes, joined};

/// Where the sums of a product stand.
struct Sums<'a> {
    /// The first factors of each.
    starts: &'a [[Place; 2]],
    axes: &'a ContractAxes,
    blocks: Boxes,
}

impl Emitter<'_> {
    /// The elements of a product at several indices of its result.
    pub(super) fn contract(&mut self, node: NodeId, indices: &[Vec<Affine>]) -> Vec<Reg> {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
        let starts: Vec<[Place; 2]> = indices.iter().map(|index| self.contract_places(node, &axes, index)).collect();
        if axes.length() == 0 {
            let zero = self.f32(0.0);
            return vec![zero; starts.len()];
        }
        let sums = Sums { starts: &starts, axes: &axes, blocks: axes.blocks() };
        self.contract_blocks(&sums, &[], None)
    }

    /// The first factors of an element of a product: left and right.
    fn contract_places(&self, node: NodeId, axes: &ContractAxes, index: &[Affine]) -> [Place; 2] {
        [0, 1].map(|number| {
            let operand = &axes.operands[number];
            let start = self.operand_start(operand);
            let index = linear(index, &operand.strides);
            debug_assert_eq!(self.graph[node].ty.rank(), operand.strides.len());
            Place { index: start.index.plus(&index), ..start }
        })
    }

    /// The first element of an operand of a product.
    pub(super) fn operand_start(&self, operand: &Operand) -> Place {
        let rank = self.graph[operand.view.base].ty.rank();
        let base = self.place(operand.view.base, &vec![Affine::default(); rank]);
        Place { index: base.index.plus(&from_start(operand.view.offset, operand.view.step)), ..base }
    }

    /// Adds all blocks at an index of the first axes to the sums; the first block of all begins them.
    fn contract_blocks(&mut self, sums: &Sums<'_>, index: &[Affine], before: Option<Vec<Reg>>) -> Vec<Reg> {
        let boxes = &sums.blocks;
        let behind = |place: Affine| -> Vec<Affine> { index.iter().cloned().chain([place]).collect() };
        if let Some(&extent) = boxes.outer.get(index.len()) {
            let from = usize::from(before.is_none());
            let start = match before {
                Some(before) => before,
                None => self.contract_blocks(sums, &behind(Affine::default()), None),
            };
            return self.sums_from(from, extent, start, |emitter, place, current| {
                emitter.contract_blocks(sums, &behind(place), Some(current))
            });
        }
        let (whole, rest) = (boxes.extent / boxes.piece, boxes.extent % boxes.piece);
        let from = usize::from(before.is_none());
        let start = match before {
            Some(before) => before,
            None => self.contract_block(sums, index, &Affine::default(), boxes.piece),
        };
        let mut total = self.sums_from(from, whole, start, |emitter, place, current| {
            let block = emitter.contract_block(sums, index, &place.times(boxes.piece as i64), boxes.piece);
            emitter.add_all(&current, &block)
        });
        if rest > 0 {
            let at = Affine::constant((whole * boxes.piece) as i64);
            let block = self.contract_block(sums, index, &at, rest);
            total = self.add_all(&total, &block);
        }
        total
    }

    /// Carries sums through the rounds from `from` to `to`.
    fn sums_from(
        &mut self,
        from: usize,
        to: usize,
        start: Vec<Reg>,
        round: impl FnOnce(&mut Self, Affine, Vec<Reg>) -> Vec<Reg>,
    ) -> Vec<Reg> {
        let first = Affine::constant(from as i64);
        match to.saturating_sub(from) {
            0 => start,
            1 => round(self, first, start),
            count => {
                let place = Affine::var(self.open("kb")).plus(&first);
                let current: Vec<Reg> = start.iter().map(|_| self.reg(Lane::F32)).collect();
                let next = round(self, place, current.clone());
                self.carry(count, 1, start, current, next)
            }
        }
    }

    /// Sums from 0 over the block that begins at `at` along the axis that is cut.
    fn contract_block(&mut self, sums: &Sums<'_>, index: &[Affine], at: &Affine, piece: usize) -> Vec<Reg> {
        let depth = &sums.axes.depth;
        let mut sides: Vec<Side> = depth[depth.len() - sums.blocks.inner.len()..].to_vec();
        let outer = &depth[..depth.len() - sides.len()];
        let first: Vec<Affine> = index.iter().chain([at]).cloned().collect();
        if let Some(cut) = outer.last() {
            sides.insert(0, Side { extent: piece, ..*cut });
        }
        let left = linear(&first, &outer.iter().map(|side| side.left).collect::<Vec<i64>>());
        let right = linear(&first, &outer.iter().map(|side| side.right).collect::<Vec<i64>>());
        let starts: Vec<[Place; 2]> = (sums.starts.iter())
            .map(|[a, b]| [(a, &left), (b, &right)].map(|(place, by)| Place { index: place.index.plus(by), ..*place }))
            .collect();
        let sides = joined(&sides);
        let zero = self.f32(0.0);
        self.contract_axis(&starts, &sides, vec![zero; starts.len()])
    }

    /// Adds the products over the axes of `sides`, one after the other.
    fn contract_axis(&mut self, starts: &[[Place; 2]], sides: &[Side], sums: Vec<Reg>) -> Vec<Reg> {
        let Some((side, inner)) = sides.split_first() else {
            return self.contract_step(starts, &sums);
        };
        let at = |k: &Affine| -> Vec<[Place; 2]> {
            let moved = |place: &Place, stride: i64| Place { index: place.index.plus(&k.times(stride)), ..*place };
            starts.iter().map(|[a, b]| [moved(a, side.left), moved(b, side.right)]).collect()
        };
        let steps: usize = sides.iter().map(|side| side.extent).product();
        if is_written_out(steps, starts.len()) {
            return (0..side.extent).fold(sums, |sums, k| {
                let starts = at(&Affine::constant(k as i64));
                self.contract_axis(&starts, inner, sums)
            });
        }
        let k = Affine::var(self.open("k"));
        let current: Vec<Reg> = starts.iter().map(|_| self.reg(Lane::F32)).collect();
        let next = self.contract_axis(&at(&k), inner, current.clone());
        self.carry(side.extent, if inner.is_empty() { UNROLL } else { 1 }, sums, current, next)
    }

    fn contract_step(&mut self, starts: &[[Place; 2]], sums: &[Reg]) -> Vec<Reg> {
        let mut next = Vec::new();
        for ([left, right], &sum) in starts.iter().zip(sums) {
            let a = self.load(left.clone(), DType::F32);
            let b = self.load(right.clone(), DType::F32);
            next.push(self.fma(a, b, sum));
        }
        next
    }

    fn add_all(&mut self, left: &[Reg], right: &[Reg]) -> Vec<Reg> {
        left.iter().zip(right).map(|(&a, &b)| self.binary(Binary::Add, a, b)).collect()
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

/// Whether so many steps of so many sums are written out.
fn is_written_out(steps: usize, sums: usize) -> bool {
    steps * sums <= 2 * WRITTEN_OUT && steps <= WRITTEN_OUT
}
