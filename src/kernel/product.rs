//! Large products: packed operands, tiles that fit into registers, blocks that fit into a cache.
//!
//! The result is computed in blocks of [`COLUMNS`] columns; for each block the contracted axis runs in blocks of [`CONTRACT_BLOCK`],
//! whose piece of the right operand is packed into panels as wide as a tile in scratch memory; for each panel of rows all tiles of
//! the block follow. Partial sums wait in the result. Then the elementwise users of the block run while it is near.
//!
//! The left operand is read as it is where the contracted axis is its innermost; else a kernel before packs it.

use super::emit::{Emitter, linear};
use super::lower::finish;
use super::{Affine, Buffer, BufferId, Module, Place, Stmt, Storage, Tile, TileShape};
use crate::graph::{Binary, CONTRACT_BLOCK, DType, NodeId};
use crate::plan::{ALIGNMENT, ContractAxes, Group, Side, canonical, contract_axes};

/// Columns of the result that are finished together.
const COLUMNS: usize = 64;

/// Right operands whose rows are at most so far apart are not packed.
const NEAR: i64 = 64;

/// A piece of an axis: `count` parts of `size`, from `start` on.
#[derive(Clone, Copy, Debug)]
struct Pieces {
    start: usize,
    count: usize,
    size: usize,
}

/// What the parts of one product share.
struct Product<'a> {
    group: &'a Group,
    node: NodeId,
    axes: ContractAxes,
    tile: TileShape,
    /// The left operand in panels, if it is packed.
    packed_left: Option<BufferId>,
    /// Scratch memory for a block of the right operand, if it is packed.
    packed_right: Option<BufferId>,
    /// Scratch memory for a tile that sticks out of the result.
    edge: BufferId,
}

impl Emitter<'_> {
    /// The kernels of a large product; the last is this emitter's.
    pub(super) fn product(&mut self, module: &mut Module, group: &Group, node: NodeId, tile: &TileShape) {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
        let empty = [axes.rows.extent, axes.cols.extent].contains(&0) || axes.outer.iter().any(|side| side.extent == 0);
        if empty {
            return;
        }
        let packed_left = group.packed.map(|buffer| BufferId(buffer as u32));
        if let Some(buffer) = packed_left {
            let mut packing = Emitter::new(self.graph, self.plan);
            packing.pack_left(node, &axes, tile, buffer);
            finish(module, packing, format!("pack %{}", self.graph[node].operands[0].0));
        }
        let as_it_is =
            axes.cols.right == 1 && (0..=NEAR).contains(&axes.depth.right) && axes.cols.extent.is_multiple_of(4);
        let mut scratch = Scratch { module, next: 0 };
        let width = COLUMNS.min(axes.cols.extent.next_multiple_of(4));
        let packed_right = (!as_it_is).then(|| scratch.take("right", CONTRACT_BLOCK.min(axes.depth.extent) * width));
        let edge = scratch.take("tile", tile.rows * tile.cols);
        let product = Product { group, node, axes, tile: *tile, packed_left, packed_right, edge };
        let extents: Vec<usize> = product.axes.outer.iter().map(|side| side.extent).collect();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, outer| {
            let columns = product.axes.cols.extent;
            for piece in pieces(columns, COLUMNS) {
                emitter.repeat("n", piece, &mut |emitter, column| {
                    emitter.column_block(&product, &outer, column, piece.size)
                });
            }
        });
    }

    /// Runs `body` for each part of a piece, with the index where the part begins.
    fn repeat(&mut self, name: &str, piece: Pieces, body: &mut dyn FnMut(&mut Self, &Affine)) {
        let start = Affine::constant(piece.start as i64);
        if piece.count == 1 {
            return body(self, &start);
        }
        let at = Affine::var(self.open(name)).times(piece.size as i64).plus(&start);
        body(self, &at);
        self.close_for(piece.count);
    }

    fn column_block(&mut self, product: &Product<'_>, outer: &[Affine], column: &Affine, width: usize) {
        let depth = product.axes.depth.extent;
        if depth == 0 {
            return self.empty_block(product, outer, column, width);
        }
        let blocks = depth / CONTRACT_BLOCK;
        let first = Pieces { start: 0, count: 1, size: depth.min(CONTRACT_BLOCK) };
        let middle = Pieces { start: CONTRACT_BLOCK, count: blocks.saturating_sub(1), size: CONTRACT_BLOCK };
        let last = Pieces { start: blocks * CONTRACT_BLOCK, count: 1, size: depth % CONTRACT_BLOCK };
        for (number, piece) in [first, middle, last].into_iter().enumerate() {
            let is_same = number == 2 && blocks == 0;
            if piece.count == 0 || piece.size == 0 || is_same {
                continue;
            }
            self.repeat("kb", piece, &mut |emitter, k| {
                emitter.depth_block(product, outer, column, width, k, piece.size, number > 0);
            });
        }
        self.epilogue(product, column, width);
    }

    /// A product of nothing.
    fn empty_block(&mut self, product: &Product<'_>, outer: &[Affine], column: &Affine, width: usize) {
        let zero = self.f32(0.0);
        let row = Affine::var(self.open("i"));
        let lane = column.plus(&Affine::var(self.open("j")));
        let place = self.result_place(product, outer, &row, &lane);
        self.store(place, zero);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent: width, block });
        self.close_for(product.axes.rows.extent);
        self.epilogue(product, column, width);
    }

    #[expect(clippy::too_many_arguments, reason = "a block has six bounds")]
    fn depth_block(
        &mut self,
        product: &Product<'_>,
        outer: &[Affine],
        column: &Affine,
        width: usize,
        k: &Affine,
        depth: usize,
        accumulate: bool,
    ) {
        let axes = &product.axes;
        let columns = pieces(width, product.tile.cols);
        if let Some(buffer) = product.packed_right {
            for &panel in &columns {
                self.repeat("p", panel, &mut |emitter, at| {
                    let to = Place { buffer, index: at.times(depth as i64) };
                    emitter.pack_right_panel(product, outer, &column.plus(at), k, depth, panel.size, to);
                });
            }
        }
        for rows in row_panels(axes.rows.extent, product.tile.rows) {
            self.repeat("i", rows, &mut |emitter, row| {
                for &panel in &columns {
                    emitter.repeat("p", panel, &mut |emitter, at| {
                        let (a, a_strides) = emitter.left_panel(product, outer, row, rows.size, k, depth);
                        let (b, b_stride) = match product.packed_right {
                            Some(buffer) => {
                                (Place { buffer, index: at.times(depth as i64) }, panel.size.next_multiple_of(4))
                            }
                            None => {
                                (emitter.right_place(product, outer, &column.plus(at), k), axes.depth.right as usize)
                            }
                        };
                        let c = emitter.result_place(product, outer, row, &column.plus(at));
                        let is_edge = !panel.size.is_multiple_of(4);
                        let cols = panel.size.next_multiple_of(4);
                        let tile = Tile {
                            rows: rows.size,
                            cols,
                            depth,
                            a,
                            a_strides,
                            b,
                            b_stride,
                            c: if is_edge {
                                Place { buffer: product.edge, index: Affine::default() }
                            } else {
                                c.clone()
                            },
                            c_stride: if is_edge { cols } else { axes.rows.result as usize },
                            accumulate: accumulate && !is_edge,
                        };
                        emitter.push_stmt(Stmt::Tile(tile));
                        if is_edge {
                            emitter.copy_edge(product, &c, rows.size, cols, panel.size, accumulate);
                        }
                    });
                }
            });
        }
    }

    /// The valid columns of a tile that sticks out.
    fn copy_edge(
        &mut self,
        product: &Product<'_>,
        c: &Place,
        rows: usize,
        stride: usize,
        valid: usize,
        accumulate: bool,
    ) {
        let row = Affine::var(self.open("i"));
        let lane = Affine::var(self.open("j"));
        let from = Place { buffer: product.edge, index: row.times(stride as i64).plus(&lane) };
        let to = Place { buffer: c.buffer, index: c.index.plus(&row.times(product.axes.rows.result)).plus(&lane) };
        let mut value = self.load(from, DType::F32);
        if accumulate {
            let before = self.load(to.clone(), DType::F32);
            value = self.binary(Binary::Add, before, value);
        }
        self.store(to, value);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent: valid, block });
        self.close_for(rows);
    }

    fn left_panel(
        &mut self,
        product: &Product<'_>,
        outer: &[Affine],
        row: &Affine,
        rows: usize,
        k: &Affine,
        depth: usize,
    ) -> (Place, (usize, usize)) {
        let axes = &product.axes;
        match product.packed_left {
            Some(buffer) => (Place { buffer, index: packed_left_index(axes, outer, row, k, depth) }, (1, rows)),
            None => {
                let place = self.left_place(product.node, axes, outer, row, k);
                (place, (axes.rows.left as usize, axes.depth.left as usize))
            }
        }
    }

    fn left_place(&self, node: NodeId, axes: &ContractAxes, outer: &[Affine], row: &Affine, k: &Affine) -> Place {
        let start = self.product_start(node, axes, outer)[0].clone();
        let index = start.index.plus(&row.times(axes.rows.left)).plus(&k.times(axes.depth.left));
        Place { index, ..start }
    }

    fn right_place(&self, product: &Product<'_>, outer: &[Affine], column: &Affine, k: &Affine) -> Place {
        let axes = &product.axes;
        let start = self.product_start(product.node, axes, outer)[1].clone();
        let index = start.index.plus(&column.times(axes.cols.right)).plus(&k.times(axes.depth.right));
        Place { index, ..start }
    }

    /// The first factors of the first element for an outer index.
    fn product_start(&self, node: NodeId, axes: &ContractAxes, outer: &[Affine]) -> [Place; 2] {
        let at = |number: usize, stride: fn(&Side) -> i64| {
            let start = self.operand_start(node, number, &axes.operands[number]);
            let index = linear(outer, &axes.outer.iter().map(stride).collect::<Vec<i64>>());
            Place { index: start.index.plus(&index), ..start }
        };
        [at(0, |side| side.left), at(1, |side| side.right)]
    }

    fn result_place(&self, product: &Product<'_>, outer: &[Affine], row: &Affine, column: &Affine) -> Place {
        let axes = &product.axes;
        let start = self.place(product.node, &vec![Affine::default(); self.graph[product.node].ty.rank()]);
        let index = linear(outer, &axes.outer.iter().map(|side| side.result).collect::<Vec<i64>>());
        let index = index.plus(&row.times(axes.rows.result)).plus(column);
        Place { index: start.index.plus(&index), ..start }
    }

    /// `depth` rows of a panel of the right operand, padded with zeros to whole vectors.
    #[expect(clippy::too_many_arguments, reason = "a panel has five bounds")]
    fn pack_right_panel(
        &mut self,
        product: &Product<'_>,
        outer: &[Affine],
        column: &Affine,
        k: &Affine,
        depth: usize,
        valid: usize,
        to: Place,
    ) {
        let axes = &product.axes;
        let width = valid.next_multiple_of(4);
        let along_depth = axes.depth.right == 1 && axes.cols.right != 1;
        let (each, lane) = (Affine::var(self.open(if along_depth { "c" } else { "k" })), Affine::var(self.open("j")));
        let (c, d) = if along_depth { (&each, &lane) } else { (&lane, &each) };
        let from = self.right_place(product, outer, &column.plus(c), &k.plus(d));
        let value = self.load(from, DType::F32);
        self.store(Place { buffer: to.buffer, index: to.index.plus(&d.times(width as i64)).plus(c) }, value);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent: if along_depth { depth } else { valid }, block });
        self.close_for(if along_depth { valid } else { depth });
        if valid < width {
            let zero = self.f32(0.0);
            let (c, d) = (Affine::var(self.open("c")), Affine::var(self.open("k")));
            let index = to.index.plus(&d.times(width as i64)).plus(&c).plus(&Affine::constant(valid as i64));
            self.store(Place { buffer: to.buffer, index }, zero);
            let (var, block) = self.close_lanes();
            self.push_stmt(Stmt::Map { var, extent: depth, block });
            self.close_for(width - valid);
        }
    }

    /// The left operand as blocks of the contracted axis, in each the panels of rows, in each the contracted axis.
    fn pack_left(&mut self, node: NodeId, axes: &ContractAxes, tile: &TileShape, buffer: BufferId) {
        // Axes that the left operand has not got do not repeat it.
        let extents: Vec<usize> = axes.outer.iter().map(|side| if side.left == 0 { 1 } else { side.extent }).collect();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, outer| {
            for depth in pieces(axes.depth.extent, CONTRACT_BLOCK) {
                emitter.repeat("kb", depth, &mut |emitter, k| {
                    for rows in row_panels(axes.rows.extent, tile.rows) {
                        emitter.repeat("i", rows, &mut |emitter, row| {
                            let start = packed_left_index(axes, &outer, row, k, depth.size);
                            let d = Affine::var(emitter.open("k"));
                            let lane = Affine::var(emitter.open("j"));
                            let from = emitter.left_place(node, axes, &outer, &row.plus(&lane), &k.plus(&d));
                            let value = emitter.load(from, DType::F32);
                            let index = start.plus(&d.times(rows.size as i64)).plus(&lane);
                            emitter.store(Place { buffer, index }, value);
                            let (var, block) = emitter.close_lanes();
                            emitter.push_stmt(Stmt::Map { var, extent: rows.size, block });
                            emitter.close_for(depth.size);
                        });
                    }
                });
            }
        });
    }

    /// The elementwise users of a finished block.
    fn epilogue(&mut self, product: &Product<'_>, column: &Affine, width: usize) {
        let context = &product.group.contexts[product.group.full];
        let nodes: Vec<NodeId> = context.nodes.iter().copied().filter(|&node| node != product.node).collect();
        if nodes.is_empty() {
            return;
        }
        let Some((_, rows)) = canonical(&product.group.domain).split_last().map(|(last, rows)| (*last, rows.to_vec()))
        else {
            unreachable!("a product has rows and columns");
        };
        self.for_each(&rows, vec![Affine::default(); rows.len()], &mut |emitter, mut point| {
            point.push(column.plus(&Affine::var(emitter.open("j"))));
            emitter.compute_nodes(product.group, &nodes, &[point]);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: width, block });
        });
    }
}

/// Where a panel of the packed left operand begins: everything before it is whole.
fn packed_left_index(axes: &ContractAxes, outer: &[Affine], row: &Affine, k: &Affine, depth: usize) -> Affine {
    let mut whole = (axes.rows.extent * axes.depth.extent) as i64;
    let mut before = Affine::default();
    for (index, side) in outer.iter().zip(&axes.outer).rev().filter(|(_, side)| side.left != 0) {
        before = before.plus(&index.times(whole));
        whole *= side.extent as i64;
    }
    before.plus(&k.times(axes.rows.extent as i64)).plus(&row.times(depth as i64))
}

/// An axis in parts of `size` and a rest.
fn pieces(extent: usize, size: usize) -> Vec<Pieces> {
    let whole = Pieces { start: 0, count: extent / size, size };
    let rest = Pieces { start: extent / size * size, count: 1, size: extent % size };
    [whole, rest].into_iter().filter(|piece| piece.count > 0 && piece.size > 0).collect()
}

/// Rows in panels of at most `size`. A short rest would leave the machine waiting for its own sums: it is shared with the panel before.
fn row_panels(extent: usize, size: usize) -> Vec<Pieces> {
    let rest = extent % size;
    if rest == 0 || rest * 2 > size || extent < size {
        return pieces(extent, size);
    }
    let start = extent - rest - size;
    let upper = (size + rest).div_ceil(2);
    let mut panels = pieces(start, size);
    panels.push(Pieces { start, count: 1, size: upper });
    panels.push(Pieces { start: start + upper, count: 1, size: size + rest - upper });
    panels
}

/// Hands out scratch memory of one kernel.
struct Scratch<'a> {
    module: &'a mut Module,
    next: usize,
}

impl Scratch<'_> {
    fn take(&mut self, name: &str, len: usize) -> BufferId {
        let storage = Storage::Scratch(self.next);
        self.next = (self.next + len).next_multiple_of(ALIGNMENT);
        self.module.buffers.push(Buffer {
            name: format!("{name}{}", self.module.kernels.len()),
            dtype: DType::F32,
            len,
            storage,
        });
        BufferId(self.module.buffers.len() as u32 - 1)
    }
}
