//! The order of keys: a merge sort from the bottom up.
//!
//! A key and its index make one number of 64 bits, the key above: no two are equal, and to compare them is to compare the keys and
//! then the indices, which keeps equal keys in their order. Runs of 1, 2, 4 … numbers are merged from one half of the memory
//! into the other. The choice between two runs is a move, not a branch, which random keys would make guess wrong half the time.

use super::block::ACCESS;
use super::{Bound, Emitter, Loop};
use crate::kernel::Sort;
use cranelift::prelude::*;

/// The bytes of a number.
const WIDE: i64 = 8;

impl Emitter<'_, '_> {
    pub(super) fn sort(&mut self, sort: &Sort) {
        let extent = sort.extent as i64;
        let [keys, work, order] = [&sort.keys, &sort.work, &sort.order].map(|place| self.pointer(place));
        let first = self.number(0);
        self.counted(first, Bound::Number(extent), 1, &[], &mut |this, index, _| {
            let builder = &mut this.builder;
            let from = scaled(builder, keys, index, 4);
            let key = builder.ins().load(types::I32, ACCESS, from, 0);
            let key = builder.ins().sextend(types::I64, key);
            let high = builder.ins().ishl_imm_u(key, 32);
            let number = builder.ins().bor(high, index);
            let to = scaled(builder, work, index, WIDE);
            builder.ins().store(ACCESS, number, to, 0);
            Vec::new()
        });
        let sorted = self.merged(work, extent);
        let first = self.number(0);
        self.counted(first, Bound::Number(extent), 1, &[], &mut |this, index, _| {
            let builder = &mut this.builder;
            let from = scaled(builder, sorted, index, WIDE);
            let number = builder.ins().load(types::I64, ACCESS, from, 0);
            let number = builder.ins().ireduce(types::I32, number);
            let to = scaled(builder, order, index, 4 * sort.stride as i64);
            builder.ins().store(ACCESS, number, to, 0);
            Vec::new()
        });
    }

    /// Sorts so many numbers at `work`, with as much memory again behind them; gives where they lie then.
    fn merged(&mut self, work: Value, extent: i64) -> Value {
        let builder = &mut self.builder;
        let other = builder.ins().iadd_imm_s(work, WIDE * extent);
        let [zero, one, all] = [0, 1, extent].map(|number| builder.ins().iconst(types::I64, number));
        let pass = Loop::begin(builder, &[work, other, one]);
        let [from, to, width] = [0, 1, 2].map(|number| pass.current[number]);
        let go_on = builder.ins().icmp(IntCC::SignedLessThan, width, all);
        pass.check(builder, go_on);

        let pair = Loop::begin(builder, &[zero]);
        let start = pair.current[0];
        let go_on = builder.ins().icmp(IntCC::SignedLessThan, start, all);
        pair.check(builder, go_on);
        let middle = builder.ins().iadd(start, width);
        let middle = least(builder, middle, all);
        let end = builder.ins().iadd(middle, width);
        let end = least(builder, end, all);

        let merge = Loop::begin(builder, &[start, middle, start]);
        let [left, right, place] = [0, 1, 2].map(|number| merge.current[number]);
        let go_on = builder.ins().icmp(IntCC::SignedLessThan, place, end);
        merge.check(builder, go_on);
        // At the end of a run this reads what lies behind it, within the memory, and takes the other.
        let [a, b] = [left, right].map(|index| {
            let from = scaled(builder, from, index, WIDE);
            builder.ins().load(types::I64, ACCESS, from, 0)
        });
        let is_less = builder.ins().icmp(IntCC::SignedLessThan, a, b);
        let right_is_done = builder.ins().icmp(IntCC::SignedGreaterThanOrEqual, right, end);
        let left_is_open = builder.ins().icmp(IntCC::SignedLessThan, left, middle);
        let takes_left = builder.ins().bor(is_less, right_is_done);
        let takes_left = builder.ins().band(takes_left, left_is_open);
        let number = builder.ins().select(takes_left, a, b);
        let into = scaled(builder, to, place, WIDE);
        builder.ins().store(ACCESS, number, into, 0);
        let step = builder.ins().uextend(types::I64, takes_left);
        let left = builder.ins().iadd(left, step);
        let place = builder.ins().iadd_imm_s(place, 1);
        // What was taken in all is what was taken on either side.
        let taken_left = builder.ins().isub(left, start);
        let taken = builder.ins().isub(place, start);
        let taken_right = builder.ins().isub(taken, taken_left);
        let right = builder.ins().iadd(middle, taken_right);
        merge.end(builder, &[left, right, place]);

        pair.end(builder, &[end]);
        let width = builder.ins().ishl_imm_u(width, 1);
        pass.end(builder, &[to, from, width]);
        from
    }
}

/// The address `bytes · index` behind another.
fn scaled(builder: &mut FunctionBuilder, address: Value, index: Value, bytes: i64) -> Value {
    let offset = builder.ins().imul_imm_s(index, bytes);
    builder.ins().iadd(address, offset)
}

fn least(builder: &mut FunctionBuilder, a: Value, b: Value) -> Value {
    let is_less = builder.ins().icmp(IntCC::SignedLessThan, a, b);
    builder.ins().select(is_less, a, b)
}
