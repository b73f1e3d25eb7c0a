//! Blocks over lanes: maps and folds.
//!
//! A round of a loop takes up to four groups of four lanes; what is left over, and extents so small that no loop pays,
//! are written out. A last group that is not full computes on zeros in the lanes that do not exist.

use super::{Bound, Emitter, Group, LANES, MAX_GROUPS, Width, stride, vector_type};
use crate::kernel::{Block, Combine, Comparison, Fold, Inst, Kernel, Lane, Order, Place, Reg, Stmt, Var};
use cranelift::prelude::*;

/// Up to how many emitted instructions a map or fold is written out without a loop.
const STRAIGHT: usize = 64;

/// How the values of a lane variable are taken.
struct Rounds<'a> {
    block: &'a Block,
    var: Var,
    extent: usize,
    /// Groups of lanes that one round takes; 0 for one value.
    per: usize,
    /// Rounds that are written out in front of the loop.
    peel: usize,
    /// Up to how many rounds are written out and not looped over.
    straight: usize,
}

/// What a fold has collected so far.
type Carry = Vec<Value>;

impl Emitter<'_, '_> {
    pub(super) fn map(&mut self, var: Var, extent: usize, block: &Block) {
        let lanes = extent > 1 && in_lanes(var, block);
        let hoisted = self.hoist(var, extent, block, lanes);
        let weight = weight(&block.insts);
        let rounds = Rounds {
            var,
            extent,
            per: if lanes { groups_per_round(&block.insts, weight) } else { 0 },
            peel: 0,
            straight: (STRAIGHT / weight).max(1),
            block,
        };
        self.rounds(&rounds, Carry::new(), &mut |this, width, carry| {
            this.block(&block.insts, width, &hoisted);
            carry
        });
    }

    pub(super) fn fold(&mut self, var: Var, extent: usize, block: &Block, folds: &[Fold]) {
        let interleaved = folds.iter().any(|fold| fold.order == Order::Interleaved);
        let lanes = interleaved || extent > 1 && !plain(var, block) && in_lanes(var, block);
        let hoisted = self.hoist(var, extent, block, lanes);
        let weight = weight(&block.insts) + folds.len();
        let rounds = Rounds {
            var,
            extent,
            per: match (lanes, interleaved) {
                (false, _) => 0,
                (true, true) => MAX_GROUPS,
                (true, false) => groups_per_round(&block.insts, weight),
            },
            peel: usize::from(folds.iter().any(|fold| matches!(fold.combine, Combine::ArgMax | Combine::ArgMin))),
            straight: (STRAIGHT / weight).max(1),
            block,
        };
        let mut start = Carry::new();
        for fold in folds {
            self.fold_start(fold, &mut start);
        }
        let end = self.rounds(&rounds, start, &mut |this, width, carry| {
            this.block(&block.insts, width, &hoisted);
            let mut at = 0;
            let mut carry = carry;
            for fold in folds {
                let size = carry_size(fold);
                this.fold_step(fold, var, width, &mut carry[at..at + size]);
                at += size;
            }
            carry
        });
        let mut at = 0;
        for fold in folds {
            let size = carry_size(fold);
            let result = self.fold_end(fold, &end[at..at + size]);
            self.set_one(fold.result, result);
            at += size;
        }
    }

    /// Emits the instructions that are the same for all values of the lane variable, and where the rest runs on `lanes`, their
    /// repetition; tells which they are.
    fn hoist(&mut self, var: Var, extent: usize, block: &Block, lanes: bool) -> Vec<bool> {
        let mut hoisted = vec![false; block.insts.len()];
        if extent < 2 {
            return hoisted;
        }
        let mut varies = vec![false; self.types.len()];
        for (number, inst) in block.insts.iter().enumerate() {
            if inst_varies(inst, var, &mut varies) {
                continue;
            }
            self.block(std::slice::from_ref(inst), Width::One, &[]);
            hoisted[number] = true;
        }
        for inst in block.insts.iter().zip(&hoisted).filter_map(|(inst, hoisted)| (!hoisted).then_some(inst)) {
            inst.for_each_operand(&mut |reg| {
                let held = self.regs[reg.0 as usize];
                if lanes && held.one.is_some() && held.bits.is_none() {
                    self.lanes(reg, 0);
                }
            });
        }
        hoisted
    }

    /// Runs `body` over all values, with what is carried from one round to the next.
    fn rounds(
        &mut self,
        rounds: &Rounds,
        start: Carry,
        body: &mut dyn FnMut(&mut Self, Width, Carry) -> Carry,
    ) -> Carry {
        let Rounds { block, var, extent, per, peel, straight } = *rounds;
        // A loop inside runs once for all groups, so that they do not wait for each other. Else one group comes after the other,
        // which needs fewer registers.
        let together = if per == 0 {
            0
        } else if block.insts.iter().any(|inst| matches!(inst, Inst::Loop { .. })) {
            per
        } else {
            1
        };
        let step = if per == 0 { 1 } else { per * LANES as usize };
        let whole = extent / step;
        let peel = peel.min(whole);
        let mut carry = start;
        let mut from = 0;
        if whole > straight.max(peel + 1) {
            carry = self.written(var, together, 0, peel * step, carry, body);
            block.insts.iter().for_each(|inst| inst.for_each_place(&mut |place| self.prepare(place)));
            let first = self.number((peel * step) as i64);
            from = whole * step;
            carry = self.counted(first, Bound::Number(from as i64), step as i64, &carry, &mut |this, index, values| {
                this.bind(var, Some(index), 0);
                let mut carry = values.to_vec();
                if per == 0 {
                    carry = body(this, Width::One, carry);
                } else {
                    for groups in groups(0, step).chunks(together) {
                        carry = body(this, Width::Lanes(var, groups), carry);
                    }
                }
                this.unbind(var);
                carry
            });
        }
        self.written(var, together, from, extent, carry, body)
    }

    /// The values from `from` to `to` without a loop.
    fn written(
        &mut self,
        var: Var,
        per: usize,
        from: usize,
        to: usize,
        mut carry: Carry,
        body: &mut dyn FnMut(&mut Self, Width, Carry) -> Carry,
    ) -> Carry {
        if per == 0 {
            for index in from..to {
                self.bind(var, None, index as i64);
                carry = body(self, Width::One, carry);
                self.unbind(var);
            }
            return carry;
        }
        self.bind(var, None, 0);
        for groups in groups(from, to).chunks(per) {
            carry = body(self, Width::Lanes(var, groups), carry);
        }
        self.unbind(var);
        carry
    }

    fn fold_start(&mut self, fold: &Fold, carry: &mut Carry) {
        let lane = self.lane_type(fold.value);
        let bits = start_bits(fold.combine, lane);
        match fold.order {
            Order::Interleaved => {
                for _ in 0..MAX_GROUPS {
                    carry.push(self.splat_bits(bits, vector_type(lane)));
                }
            }
            Order::Sequence => {
                carry.push(match lane {
                    Lane::F32 => self.builder.ins().f32const(f32::from_bits(bits)),
                    Lane::I32 | Lane::Mask => self.builder.ins().iconst(types::I32, i64::from(bits as i32)),
                });
                if carry_size(fold) == 2 {
                    carry.push(self.builder.ins().iconst(types::I32, 0));
                }
            }
        }
    }

    fn fold_step(&mut self, fold: &Fold, var: Var, width: Width, carry: &mut [Value]) {
        let second = match fold.combine {
            Combine::Fma(second) => Some(second),
            _ => None,
        };
        let groups = match width {
            Width::One => {
                let value = self.one(fold.value);
                let second = second.map(|second| self.one(second));
                return self.fold_one(fold, var, 0, value, second, carry);
            }
            Width::Lanes(_, groups) => groups,
        };
        for (number, group) in groups.iter().enumerate() {
            let value = self.lanes(fold.value, number);
            let second = second.map(|second| self.lanes(second, number));
            match fold.order {
                Order::Interleaved => {
                    let partial = &mut carry[group.first as usize / LANES as usize % MAX_GROUPS];
                    let mut next = self.combine(fold.combine, self.lane_type(fold.value), *partial, value, second);
                    if group.active < LANES as usize {
                        let mask = [0, 1, 2, 3].map(|lane| if lane < group.active { u32::MAX } else { 0 });
                        let mask = self.vector_bits(mask, types::I32X4);
                        next = self.select(mask, next, *partial);
                    }
                    *partial = next;
                }
                Order::Sequence => {
                    for lane in 0..group.active {
                        let value = self.builder.ins().extractlane(value, lane as u8);
                        let second = second.map(|second| self.builder.ins().extractlane(second, lane as u8));
                        self.fold_one(fold, var, group.first + lane as i64, value, second, carry);
                    }
                }
            }
        }
    }

    /// Combines one value, `extra` behind the lane variable's binding, in sequence.
    fn fold_one(
        &mut self,
        fold: &Fold,
        var: Var,
        extra: i64,
        value: Value,
        second: Option<Value>,
        carry: &mut [Value],
    ) {
        let lane = self.lane_type(fold.value);
        let comparison = match fold.combine {
            Combine::ArgMax => Comparison::Gt,
            Combine::ArgMin => Comparison::Lt,
            Combine::Add | Combine::Mul | Combine::Max | Combine::Min | Combine::Fma(_) => {
                carry[0] = self.combine(fold.combine, lane, carry[0], value, second);
                return;
            }
        };
        let binding = self.binding(var);
        let offset = binding.offset + extra;
        if binding.value.is_none() && offset == 0 {
            carry[0] = value;
            return;
        }
        let index = match binding.value {
            None => self.builder.ins().iconst(types::I32, offset),
            Some(at) => {
                let at = self.builder.ins().ireduce(types::I32, at);
                self.builder.ins().iadd_imm_s(at, offset)
            }
        };
        let better = self.compare(comparison, lane, value, carry[0]);
        carry[0] = self.builder.ins().select(better, value, carry[0]);
        carry[1] = self.builder.ins().select(better, index, carry[1]);
    }

    /// One step of a fold, accumulator on the left; of scalars or vectors.
    fn combine(&mut self, combine: Combine, lane: Lane, acc: Value, value: Value, second: Option<Value>) -> Value {
        let float = lane == Lane::F32;
        match combine {
            Combine::Add if float => self.builder.ins().fadd(acc, value),
            Combine::Add => self.builder.ins().iadd(acc, value),
            Combine::Mul if float => self.builder.ins().fmul(acc, value),
            Combine::Mul => self.builder.ins().imul(acc, value),
            Combine::Max if float => self.float_max(acc, value),
            Combine::Max => self.builder.ins().smax(acc, value),
            Combine::Min if float => self.float_min(acc, value),
            Combine::Min => self.builder.ins().smin(acc, value),
            Combine::Fma(_) => match second {
                Some(second) => self.builder.ins().fma(value, second, acc),
                None => self.builder.ins().fadd(acc, value),
            },
            Combine::ArgMax | Combine::ArgMin => panic!("{combine:?} has two accumulators"),
        }
    }

    fn fold_end(&mut self, fold: &Fold, carry: &[Value]) -> Value {
        match fold.order {
            Order::Sequence => carry[carry.len() - 1],
            Order::Interleaved => {
                let lane = self.lane_type(fold.value);
                let low = self.combine(fold.combine, lane, carry[0], carry[2], None);
                let high = self.combine(fold.combine, lane, carry[1], carry[3], None);
                let four = self.combine(fold.combine, lane, low, high, None);
                let moved = self.shuffle(four, four, [2, 3, 2, 3]);
                let two = self.combine(fold.combine, lane, four, moved, None);
                let first = self.builder.ins().extractlane(two, 0);
                let second = self.builder.ins().extractlane(two, 1);
                self.combine(fold.combine, lane, first, second, None)
            }
        }
    }
}

/// The groups that cover the values from `from` to `to`.
fn groups(from: usize, to: usize) -> Vec<Group> {
    (from..to)
        .step_by(LANES as usize)
        .map(|first| Group { first: first as i64, active: (to - first).min(LANES as usize) })
        .collect()
}

/// How many values a fold carries.
fn carry_size(fold: &Fold) -> usize {
    match (fold.order, fold.combine) {
        (Order::Interleaved, _) => MAX_GROUPS,
        (Order::Sequence, Combine::ArgMax | Combine::ArgMin) => 2,
        (Order::Sequence, Combine::Add | Combine::Mul | Combine::Max | Combine::Min | Combine::Fma(_)) => 1,
    }
}

/// The bits a fold starts from.
fn start_bits(combine: Combine, lane: Lane) -> u32 {
    let float = lane == Lane::F32;
    match combine {
        Combine::Add | Combine::Fma(_) => 0,
        Combine::Mul if float => 1.0f32.to_bits(),
        Combine::Mul => 1,
        Combine::Max | Combine::ArgMax if float => f32::NEG_INFINITY.to_bits(),
        Combine::Max | Combine::ArgMax => i32::MIN as u32,
        Combine::Min | Combine::ArgMin if float => f32::INFINITY.to_bits(),
        Combine::Min | Combine::ArgMin => i32::MAX as u32,
    }
}

/// About how many instructions a kernel becomes.
pub(in crate::jit) fn size(kernel: &Kernel) -> usize {
    stmts_size(&kernel.body)
}

fn stmts_size(stmts: &[Stmt]) -> usize {
    let size = |stmt: &Stmt| match stmt {
        Stmt::For { extent, unroll: true, body, .. } => extent * stmts_size(body),
        Stmt::For { body, .. } => 4 + stmts_size(body),
        Stmt::Map { extent, block, .. } => 4 + weight(&block.insts) * extent.div_ceil(4).min(8),
        Stmt::Fold { extent, block, folds, .. } => {
            16 * folds.len() + (weight(&block.insts) + folds.len()) * extent.div_ceil(4).min(8)
        }
        Stmt::Scalar(block) => weight(&block.insts),
        Stmt::Tile(_) => 16,
        Stmt::Sort(_) => 64,
    };
    stmts.iter().map(size).sum()
}

/// About how many CLIF instructions a block is, for four lanes.
fn weight(insts: &[Inst]) -> usize {
    let weight = |inst: &Inst| match inst {
        Inst::F32 { .. } | Inst::I32 { .. } => 0,
        Inst::Uniform { .. } => 80,
        Inst::Loop { extent, unroll, block, .. } => {
            4 + weight(&block.insts)
                * if extent <= unroll { *extent } else { (*unroll).max(1) + extent % unroll.max(&1) }
        }
        Inst::Index { .. }
        | Inst::Load { .. }
        | Inst::LoadAt { .. }
        | Inst::StoreAt { .. }
        | Inst::Store { .. }
        | Inst::One { .. }
        | Inst::Two { .. }
        | Inst::Fma { .. }
        | Inst::Select { .. }
        | Inst::Math { .. } => 1,
    };
    insts.iter().map(weight).sum::<usize>().max(1)
}

/// How many groups of lanes a round takes: several where a loop inside would else wait for its own results, or where a
/// block is so short that counting would cost as much as the work.
fn groups_per_round(insts: &[Inst], weight: usize) -> usize {
    let carried = insts.iter().map(|inst| match inst {
        Inst::Loop { carried, .. } => carried.len(),
        _ => 0,
    });
    match carried.max() {
        Some(carried) if carried > 0 => (8 / carried).clamp(1, MAX_GROUPS),
        _ if weight <= 8 => 4,
        _ if weight <= 24 => 2,
        _ => 1,
    }
}

/// Whether a block is worth lanes: it has a vector access or arithmetic on values that differ by lane.
fn in_lanes(var: Var, block: &Block) -> bool {
    let mut strided = true;
    let mut see = |place: &Place| strided &= stride(&place.index, var) != 1;
    block.insts.iter().for_each(|inst| inst.for_each_place(&mut see));
    let copies = block.insts.iter().all(|inst| matches!(inst, Inst::Load { .. } | Inst::Store { .. }));
    !(strided && copies)
}

/// Whether a block only loads what is folded.
fn plain(var: Var, block: &Block) -> bool {
    let loads_strided = block.insts.iter().any(|inst| match inst {
        Inst::Load { place, .. } => !matches!(stride(&place.index, var), 0 | 1),
        _ => false,
    });
    loads_strided && block.insts.len() <= 4 || block.insts.iter().all(|inst| matches!(inst, Inst::Load { .. }))
}

/// Whether the results of an instruction differ by the value of the lane variable, or it stores.
fn inst_varies(inst: &Inst, var: Var, varies: &mut [bool]) -> bool {
    let of = |regs: &[Reg], varies: &[bool]| regs.iter().any(|reg| varies[reg.0 as usize]);
    let (dst, result) = match inst {
        Inst::F32 { dst, .. } | Inst::I32 { dst, .. } => (*dst, false),
        Inst::Index { dst, value } => (*dst, stride(value, var) != 0),
        Inst::Load { dst, place } => (*dst, stride(&place.index, var) != 0),
        Inst::LoadAt { dst, place, row, .. } => (*dst, stride(&place.index, var) != 0 || of(&[*row], varies)),
        Inst::Store { .. } | Inst::StoreAt { .. } => return true,
        Inst::One { dst, x, .. } => (*dst, of(&[*x], varies)),
        Inst::Two { dst, a, b, .. } => (*dst, of(&[*a, *b], varies)),
        Inst::Fma { dst, a, b, c } => (*dst, of(&[*a, *b, *c], varies)),
        Inst::Select { dst, mask, a, b } => (*dst, of(&[*mask, *a, *b], varies)),
        Inst::Math { dst, operands, .. } => (*dst, of(operands, varies)),
        Inst::Uniform { dst, element, .. } => (*dst, stride(element, var) != 0),
        Inst::Loop { carried, .. } => {
            for value in carried {
                varies[value.result.0 as usize] = true;
            }
            return true;
        }
    };
    varies[dst.0 as usize] = result;
    result
}
