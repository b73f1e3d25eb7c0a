//! Uniform random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

use super::{Emitter, Held, Width, stride};
use crate::kernel::{Affine, Reg, Var};
use cranelift::prelude::*;

/// The multipliers of a round.
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the two words of the key from round to round.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

impl Emitter<'_, '_> {
    pub(super) fn uniform(
        &mut self,
        dst: Reg,
        seed: [Reg; 2],
        step: Reg,
        purpose: u32,
        element: &Affine,
        width: Width,
    ) {
        let key = seed.map(|word| self.one(word));
        let step = self.one(step);
        let (var, groups) = match width {
            Width::Lanes(var, groups) if stride(element, var) != 0 => (var, groups),
            Width::One | Width::Lanes(..) => {
                let element = self.index(element);
                let one = self.uniform_element(key, step, purpose, element);
                return self.set_one(dst, one);
            }
        };
        let base = self.index(element);
        let by_lane = stride(element, var);
        let whole = by_lane == 1 && self.multiple_of_four(element, var);
        let mut held = Held::default();
        for (number, group) in groups.iter().enumerate() {
            let first = self.builder.ins().iadd_imm_s(base, group.first * by_lane);
            let lanes = if whole && group.first % 4 == 0 {
                let block = self.builder.ins().ushr_imm_u(first, 2);
                let block = self.builder.ins().ireduce(types::I32, block);
                let words = self.philox(key, step, purpose, block);
                self.gathered(&words, types::I32X4)
            } else {
                let words: Vec<Value> = (0..group.active as i64)
                    .map(|lane| {
                        let element = self.builder.ins().iadd_imm_s(first, lane * by_lane);
                        self.uniform_word(key, step, purpose, element)
                    })
                    .collect();
                self.gathered(&words, types::I32X4)
            };
            let amount = self.builder.ins().iconst(types::I32, 8);
            let upper = self.builder.ins().ushr(lanes, amount);
            let float = self.builder.ins().fcvt_from_sint(types::F32X4, upper);
            let scale = self.splat_bits(SCALE.to_bits(), types::F32X4);
            held.lanes[number] = Some(self.builder.ins().fmul(float, scale));
        }
        self.set(dst, held);
    }

    /// Whether an affine expression is a multiple of four wherever the lane variable, of stride 1, is.
    fn multiple_of_four(&self, index: &Affine, lanes: Var) -> bool {
        let (_, offset) = self.affine(index);
        let fits = |&(var, stride): &(Var, i64)| var == lanes || stride % 4 == 0 || self.binding(var).value.is_none();
        offset % 4 == 0 && index.terms.iter().all(fits)
    }

    fn gathered(&mut self, words: &[Value], ty: Type) -> Value {
        let mut lanes = self.builder.ins().scalar_to_vector(ty, words[0]);
        for (lane, word) in words.iter().enumerate().skip(1) {
            lanes = self.builder.ins().insertlane(lanes, *word, lane as u8);
        }
        lanes
    }

    /// The number of one element.
    fn uniform_element(&mut self, key: [Value; 2], step: Value, purpose: u32, element: Value) -> Value {
        let word = self.uniform_word(key, step, purpose, element);
        let upper = self.builder.ins().ushr_imm_u(word, 8);
        let float = self.builder.ins().fcvt_from_sint(types::F32, upper);
        let scale = self.builder.ins().f32const(SCALE);
        self.builder.ins().fmul(float, scale)
    }

    /// The random word of one element.
    fn uniform_word(&mut self, key: [Value; 2], step: Value, purpose: u32, element: Value) -> Value {
        let block = self.builder.ins().ushr_imm_u(element, 2);
        let block = self.builder.ins().ireduce(types::I32, block);
        let words = self.philox(key, step, purpose, block);
        let place = self.builder.ins().band_imm_u(element, 3);
        let mut word = words[0];
        for (number, other) in words.into_iter().enumerate().skip(1) {
            let here = self.builder.ins().icmp_imm_u(IntCC::Equal, place, number as i64);
            word = self.builder.ins().select(here, other, word);
        }
        word
    }

    /// The four words of a counter.
    fn philox(&mut self, key: [Value; 2], step: Value, purpose: u32, block: Value) -> [Value; 4] {
        let purpose = self.builder.ins().iconst(types::I32, i64::from(purpose));
        let zero = self.builder.ins().iconst(types::I32, 0);
        let mut counter = [block, step, purpose, zero];
        let mut key = key;
        for round in 0..10 {
            if round > 0 {
                key = [0, 1].map(|word| self.builder.ins().iadd_imm_u(key[word], i64::from(WEYL[word])));
            }
            let products = [0, 1].map(|word| {
                let wide = self.builder.ins().uextend(types::I64, counter[2 * word]);
                self.builder.ins().imul_imm_u(wide, i64::from(MULTIPLIERS[word]))
            });
            let low = products.map(|product| self.builder.ins().ireduce(types::I32, product));
            let high = products.map(|product| {
                let high = self.builder.ins().ushr_imm_u(product, 32);
                self.builder.ins().ireduce(types::I32, high)
            });
            let mixed = [(high[1], counter[1], key[0]), (high[0], counter[3], key[1])].map(|(a, b, c)| {
                let ab = self.builder.ins().bxor(a, b);
                self.builder.ins().bxor(ab, c)
            });
            counter = [mixed[0], low[1], mixed[1], low[0]];
        }
        counter
    }
}

/// 2^−24.
const SCALE: f32 = 1.0 / 16_777_216.0;
