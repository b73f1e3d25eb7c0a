//! Tiles of products: all sums in registers, the products of one k after the other.
//!
//! A small tile is written out where it stands. Every other shape of a program is one function of three pointers,
//! called from wherever a tile of that shape stands.

use super::block::ACCESS;
use super::{Emitter, Loop};
use crate::kernel::Tile;
use cranelift::prelude::*;

/// Up to how many vector products a tile is written out in place.
const INLINE: usize = 48;

/// What the code of a tile depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(in crate::jit) struct TileKey {
    rows: usize,
    cols: usize,
    depth: usize,
    a_strides: (usize, usize),
    b_stride: usize,
    c_stride: usize,
    accumulate: bool,
}

impl TileKey {
    fn of(tile: &Tile) -> TileKey {
        TileKey {
            rows: tile.rows,
            cols: tile.cols,
            depth: tile.depth,
            a_strides: tile.a_strides,
            b_stride: tile.b_stride,
            c_stride: tile.c_stride,
            accumulate: tile.accumulate,
        }
    }
}

impl Emitter<'_, '_> {
    pub(super) fn tile(&mut self, tile: &Tile) {
        let key = TileKey::of(tile);
        let [a, b, c] = [&tile.a, &tile.b, &tile.c].map(|place| self.pointer(place));
        if key.depth * key.rows * key.cols.div_ceil(4) <= INLINE {
            let mut sums = vec![None; key.rows * key.cols / 4];
            for k in 0..key.depth {
                products(&mut self.builder, &key, a, b, k, &mut sums);
            }
            epilogue(&mut self.builder, &key, c, &sums);
            return;
        }
        let function = self.link.tile(key, self.builder.func);
        self.builder.ins().call(function, &[a, b, c]);
    }
}

/// The function of a tile: pointers to a\[0, 0\], b\[0, 0\] and c\[0, 0\].
pub(in crate::jit) fn emit_tile_function(
    mut builder: FunctionBuilder,
    key: &TileKey,
    config: isa::TargetFrontendConfig,
) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [a, b, c] = builder.block_params(entry)[..] else { panic!("a tile has three pointers") };
    let mut sums = vec![None; key.rows * key.cols / 4];
    if key.depth > 0 {
        // Written out several times, a round would need more registers than there are.
        let count = builder.ins().iconst(types::I64, key.depth as i64);
        let mut start = vec![count, a, b];
        start.resize(3 + sums.len(), zero(&mut builder));
        let around = Loop::begin(&mut builder, &start);
        let [left, a, b] = [0, 1, 2].map(|number| around.current[number]);
        around.check(&mut builder, left);
        sums = around.current[3..].iter().copied().map(Some).collect();
        products(&mut builder, key, a, b, 0, &mut sums);
        let mut next = vec![
            builder.ins().iadd_imm_s(left, -1),
            builder.ins().iadd_imm_s(a, 4 * key.a_strides.1 as i64),
            builder.ins().iadd_imm_s(b, 4 * key.b_stride as i64),
        ];
        next.extend(sums.iter().flatten());
        around.end(&mut builder, &next);
        sums = around.current[3..].iter().copied().map(Some).collect();
    }
    epilogue(&mut builder, key, c, &sums);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(config);
}

/// Adds the products of one k, `k` behind what the pointers show, to the sums (none: zero).
///
/// The machine's fused multiply-add overwrites its first factor. A factor that is loaded anew for each product (one
/// instruction, with its repetition) spares the copy that would else be made of it; copies in every third row keep as many
/// instructions away from the units that load.
fn products(builder: &mut FunctionBuilder, key: &TileKey, a: Value, b: Value, k: usize, sums: &mut [Option<Value>]) {
    let vectors = key.cols / 4;
    let b: Vec<Value> =
        (0..vectors).map(|vector| load(builder, types::F32X4, b, k * key.b_stride + 4 * vector)).collect();
    for row in 0..key.rows {
        let shared = row % 3 == 0;
        let mut repeated = None;
        for vector in 0..vectors {
            let a = match repeated {
                Some(a) => a,
                None => {
                    let a = load(builder, types::F32, a, row * key.a_strides.0 + k * key.a_strides.1);
                    builder.ins().splat(types::F32X4, a)
                }
            };
            repeated = shared.then_some(a);
            let last = vector + 1 == vectors;
            let (first, second) = if shared && !last { (b[vector], a) } else { (a, b[vector]) };
            let sum = &mut sums[row * vectors + vector];
            let before = match *sum {
                Some(sum) => sum,
                None => zero(builder),
            };
            *sum = Some(builder.ins().fma(first, second, before));
        }
    }
}

fn epilogue(builder: &mut FunctionBuilder, key: &TileKey, c: Value, sums: &[Option<Value>]) {
    let vectors = key.cols / 4;
    for row in 0..key.rows {
        for vector in 0..vectors {
            let mut sum = match sums[row * vectors + vector] {
                Some(sum) => sum,
                None => zero(builder),
            };
            let element = row * key.c_stride + 4 * vector;
            if key.accumulate {
                let before = load(builder, types::F32X4, c, element);
                sum = builder.ins().fadd(before, sum);
            }
            let (address, offset) = displaced(builder, c, element);
            builder.ins().store(ACCESS, sum, address, offset);
        }
    }
}

fn load(builder: &mut FunctionBuilder, ty: Type, pointer: Value, element: usize) -> Value {
    let (address, offset) = displaced(builder, pointer, element);
    builder.ins().load(ty, ACCESS, address, offset)
}

/// The address and constant offset of an element behind a pointer.
fn displaced(builder: &mut FunctionBuilder, pointer: Value, element: usize) -> (Value, i32) {
    match i32::try_from(4 * element) {
        Ok(offset) => (pointer, offset),
        Err(_) => (builder.ins().iadd_imm_s(pointer, 4 * element as i64), 0),
    }
}

fn zero(builder: &mut FunctionBuilder) -> Value {
    let zero = builder.func.dfg.constants.insert(vec![0u8; 16].into());
    builder.ins().vconst(types::F32X4, zero)
}
