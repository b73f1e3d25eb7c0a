//! Tiles of products: all sums in registers, the products of one k after the other.
//!
//! A small tile is written out where it stands. The others are functions of the program, one for each number of rows and
//! columns, which are called from wherever such a tile stands.

use super::block::ACCESS;
use super::{Emitter, Loop};
use crate::kernel::Tile;
use cranelift::prelude::*;

/// Up to how many vector products a tile is written out in place.
const INLINE: usize = 48;

/// What the code of a tile's function depends on. The rest it is given: pointers to a\[0, 0\], b\[0, 0\] and c\[0, 0\], the
/// depth, and in bytes the strides of the rows of a and of c.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(in crate::jit) struct TileKey {
    rows: usize,
    cols: usize,
    /// From a\[r, k\] to a\[r, k + 1\], and from b\[k, j\] to b\[k + 1, j\].
    k_strides: (usize, usize),
    accumulate: bool,
}

/// The number of parameters of a tile's function.
pub(in crate::jit) const TILE_PARAMETERS: usize = 6;

/// A matrix in memory: a pointer to its first element and the stride of its rows.
struct Matrix {
    first: Value,
    rows: RowStride,
}

/// How far the rows of a matrix lie apart.
enum RowStride {
    /// So many elements.
    Elements(usize),
    /// One times, three times and five times so many bytes: what makes six rows with the factors 1, 2 and 4 of addresses.
    Bytes([Value; 3]),
}

impl TileKey {
    fn of(tile: &Tile) -> TileKey {
        let Tile { rows, cols, a_strides, b_stride, accumulate, .. } = *tile;
        TileKey { rows, cols, k_strides: (a_strides.1, b_stride), accumulate }
    }
}

impl Emitter<'_, '_> {
    pub(super) fn tile(&mut self, tile: &Tile) {
        let key = TileKey::of(tile);
        let [a, b, c] = [&tile.a, &tile.b, &tile.c].map(|place| self.pointer(place));
        if tile.depth * key.rows * key.cols.div_ceil(4) <= INLINE {
            let mut sums = vec![None; key.rows * key.cols / 4];
            let left = Matrix { first: a, rows: RowStride::Elements(tile.a_strides.0) };
            for k in 0..tile.depth {
                products(&mut self.builder, &key, &left, b, k, &mut sums);
            }
            let result = Matrix { first: c, rows: RowStride::Elements(tile.c_stride) };
            epilogue(&mut self.builder, &key, &result, &sums);
            return;
        }
        let numbers = [tile.depth, 4 * tile.a_strides.0, 4 * tile.c_stride].map(|number| self.number(number as i64));
        let function = self.link.tile(key, self.builder.func);
        self.builder.ins().call(function, &[&[a, b, c], &numbers[..]].concat());
    }
}

/// The function of a tile.
pub(in crate::jit) fn emit_tile_function(
    mut builder: FunctionBuilder,
    key: &TileKey,
    config: isa::TargetFrontendConfig,
) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [a, b, c, depth, a_rows, c_rows] = builder.block_params(entry)[..] else { panic!("a tile has six parameters") };
    let [a_rows, c_rows] = [a_rows, c_rows].map(|once| {
        let twice = builder.ins().ishl_imm_u(once, 1);
        RowStride::Bytes([once, builder.ins().iadd(twice, once), {
            let fourfold = builder.ins().ishl_imm_u(once, 2);
            builder.ins().iadd(fourfold, once)
        }])
    });
    let mut start = vec![depth, a, b];
    start.resize(3 + key.rows * key.cols / 4, zero(&mut builder));
    // Written out several times, a round would need more registers than there are.
    let around = Loop::begin(&mut builder, &start);
    let [left, a, b] = [0, 1, 2].map(|number| around.current[number]);
    around.check(&mut builder, left);
    let mut sums: Vec<Option<Value>> = around.current[3..].iter().copied().map(Some).collect();
    products(&mut builder, key, &Matrix { first: a, rows: a_rows }, b, 0, &mut sums);
    let mut next = vec![
        builder.ins().iadd_imm_s(left, -1),
        builder.ins().iadd_imm_s(a, 4 * key.k_strides.0 as i64),
        builder.ins().iadd_imm_s(b, 4 * key.k_strides.1 as i64),
    ];
    next.extend(sums.iter().flatten());
    around.end(&mut builder, &next);
    sums = around.current[3..].iter().copied().map(Some).collect();
    epilogue(&mut builder, key, &Matrix { first: c, rows: c_rows }, &sums);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(config);
}

/// Adds the products of one k, `k` behind what the pointers show, to the sums (none: zero).
///
/// The machine's fused multiply-add overwrites its first factor. A factor that is loaded anew for each product (one
/// instruction, with its repetition) spares the copy that would else be made of it; copies in every third row keep as many
/// instructions away from the units that load.
fn products(builder: &mut FunctionBuilder, key: &TileKey, a: &Matrix, b: Value, k: usize, sums: &mut [Option<Value>]) {
    let vectors = key.cols / 4;
    let b: Vec<Value> = (0..vectors)
        .map(|vector| {
            let (address, offset) = displaced(builder, b, k * key.k_strides.1 + 4 * vector);
            builder.ins().load(types::F32X4, ACCESS, address, offset)
        })
        .collect();
    for row in 0..key.rows {
        let shared = row % 3 == 0;
        let mut repeated = None;
        for vector in 0..vectors {
            let a = match repeated {
                Some(a) => a,
                None => {
                    let (address, offset) = a.element(builder, row, k * key.k_strides.0);
                    let a = builder.ins().load(types::F32, ACCESS, address, offset);
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

fn epilogue(builder: &mut FunctionBuilder, key: &TileKey, c: &Matrix, sums: &[Option<Value>]) {
    let vectors = key.cols / 4;
    for row in 0..key.rows {
        for vector in 0..vectors {
            let mut sum = match sums[row * vectors + vector] {
                Some(sum) => sum,
                None => zero(builder),
            };
            let (address, offset) = c.element(builder, row, 4 * vector);
            if key.accumulate {
                let before = builder.ins().load(types::F32X4, ACCESS, address, offset);
                sum = builder.ins().fadd(before, sum);
            }
            builder.ins().store(ACCESS, sum, address, offset);
        }
    }
}

impl Matrix {
    /// The address and constant offset of an element, `column` elements behind the beginning of a row.
    fn element(&self, builder: &mut FunctionBuilder, row: usize, column: usize) -> (Value, i32) {
        let [once, threefold, fivefold] = match self.rows {
            RowStride::Elements(stride) => return displaced(builder, self.first, row * stride + column),
            RowStride::Bytes(multiples) => multiples,
        };
        let (multiple, shift) = match row {
            0 => return displaced(builder, self.first, column),
            1 | 2 | 4 => (once, row / 2),
            3 => (threefold, 0),
            5 => (fivefold, 0),
            _ => panic!("a tile has six rows"),
        };
        let multiple = if shift == 0 { multiple } else { builder.ins().ishl_imm_u(multiple, shift as i64) };
        let pointer = builder.ins().iadd(self.first, multiple);
        displaced(builder, pointer, column)
    }
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
