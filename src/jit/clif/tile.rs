//! Tiles of products: all sums in registers, the products of one k after the other.
//!
//! A small tile is written out where it stands. Every other shape of a program is one function of three pointers,
//! called from wherever a tile of that shape stands.

use super::Emitter;
use super::block::ACCESS;
use crate::kernel::Tile;
use cranelift::codegen::ir::BlockArg;
use cranelift::prelude::*;

/// Up to how many vector products a tile is written out in place.
const INLINE: usize = 48;

/// How many k one round of the loop takes.
const UNROLL: usize = 4;

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
    let vectors = key.rows * key.cols / 4;
    let rounds = key.depth / UNROLL;
    let mut sums = vec![None; vectors];
    let (mut a_rest, mut b_rest, mut from) = (a, b, 0);
    if rounds > 1 {
        let head = builder.create_block();
        let exit = builder.create_block();
        let left = builder.append_block_param(head, types::I64);
        let a_here = builder.append_block_param(head, types::I64);
        let b_here = builder.append_block_param(head, types::I64);
        for sum in &mut sums {
            *sum = Some(builder.append_block_param(head, types::F32X4));
        }
        let count = builder.ins().iconst(types::I64, rounds as i64);
        let zero = zero(&mut builder);
        let mut arguments: Vec<BlockArg> = [count, a, b].map(BlockArg::Value).to_vec();
        arguments.extend((0..vectors).map(|_| BlockArg::Value(zero)));
        builder.ins().jump(head, &arguments);
        builder.switch_to_block(head);
        for k in 0..UNROLL {
            products(&mut builder, key, a_here, b_here, k, &mut sums);
        }
        let left_next = builder.ins().iadd_imm_s(left, -1);
        a_rest = builder.ins().iadd_imm_s(a_here, (4 * UNROLL * key.a_strides.1) as i64);
        b_rest = builder.ins().iadd_imm_s(b_here, (4 * UNROLL * key.b_stride) as i64);
        let mut back: Vec<BlockArg> = [left_next, a_rest, b_rest].map(BlockArg::Value).to_vec();
        back.extend(sums.iter().flatten().map(|sum| BlockArg::Value(*sum)));
        builder.ins().brif(left_next, head, &back, exit, &[]);
        builder.switch_to_block(exit);
        from = rounds * UNROLL;
    }
    for k in 0..key.depth - from {
        products(&mut builder, key, a_rest, b_rest, k, &mut sums);
    }
    epilogue(&mut builder, key, c, &sums);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(config);
}

/// Adds the products of one k, `k` behind what the pointers show, to the sums (none: zero).
fn products(builder: &mut FunctionBuilder, key: &TileKey, a: Value, b: Value, k: usize, sums: &mut [Option<Value>]) {
    let vectors = key.cols / 4;
    let b: Vec<Value> =
        (0..vectors).map(|vector| load(builder, types::F32X4, b, k * key.b_stride + 4 * vector)).collect();
    for row in 0..key.rows {
        let a = load(builder, types::F32, a, row * key.a_strides.0 + k * key.a_strides.1);
        let a = builder.ins().splat(types::F32X4, a);
        for vector in 0..vectors {
            let sum = &mut sums[row * vectors + vector];
            let before = match *sum {
                Some(sum) => sum,
                None => zero(builder),
            };
            *sum = Some(builder.ins().fma(b[vector], a, before));
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
