//! Large products: packed operands, tiles that fit into registers, blocks that fit into a cache.
//!
//! The result is computed in blocks of [`COLUMNS`] columns; for each block the contracted axis runs in blocks of [`CONTRACT_BLOCK`],
//! whose piece of the right operand is packed into panels as wide as a tile in scratch memory; for each panel of rows all tiles of
//! the block follow. Partial sums wait in the result. Then the elementwise users of the block run while it is near. Where there
//! is one block of columns only, the rows are cut into blocks as well, so that several threads have their part.
//!
//! The left operand is read as it is where the contracted axis is its innermost; else a kernel before packs it. Where its rows or
//! its contracted axes do not run as one, as those of windows, see [`super::panels`].

use super::boxes::{Rounds, Span};
use super::emit::{Emitter, linear};
use super::lower::finish;
use super::{Affine, Buffer, BufferId, Module, Place, Stmt, Storage, Tile, TileShape};
use crate::graph::{Binary, CONTRACT_BLOCK, DType, NodeId};
use crate::numerics::boxes::Boxes;
use crate::plan::{ALIGNMENT, ContractAxes, Group, Side, canonical, contract_axes};

/// Columns of the result that are finished together.
pub(super) const COLUMNS: usize = 64;

/// Right operands whose rows are at most so far apart are not packed.
pub(super) const NEAR: i64 = 64;

/// A product of few columns and at least so many multiplications is cut along its rows, into about [`ROW_BLOCKS`].
const ROW_BLOCK_WORK: u64 = 500_000;

/// Into how many blocks rows are cut.
const ROW_BLOCKS: usize = 8;

/// A piece of an axis: `count` parts of `size`, from `start` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    pub(super) start: usize,
    pub(super) count: usize,
    pub(super) size: usize,
}

/// What the parts of one product share.
struct Product<'a> {
    group: &'a Group,
    node: NodeId,
    axes: ContractAxes,
    /// The rows as one axis, and the contracted axes.
    rows: Side,
    depth: Side,
    /// How the contracted axes are cut.
    blocks: Boxes,
    tile: TileShape,
    /// The rows that are computed together.
    row_block: usize,
    /// The left operand in panels, if it is packed.
    packed_left: Option<BufferId>,
    /// Scratch memory for a block of the right operand, if it is packed.
    packed_right: Option<BufferId>,
    /// Scratch memory for a tile that sticks out of the result.
    edge: BufferId,
}

/// A part of the result.
#[derive(Clone)]
struct Part {
    /// The index along the outer axes.
    outer: Vec<Affine>,
    row: Affine,
    rows: usize,
    column: Affine,
    columns: usize,
}

/// A block of the contracted axis.
struct Depth {
    from: Affine,
    size: usize,
    /// Whether there were blocks before.
    accumulate: bool,
}

impl Product<'_> {
    /// A block as a piece of one axis.
    fn depth_of(&self, block: &Span) -> Depth {
        let extents: Vec<usize> = self.axes.depth.iter().map(|side| side.extent).collect();
        Depth { from: block.place(&extents), size: block.size(), accumulate: block.later }
    }
}

impl Emitter<'_> {
    /// The kernels of a large product; the last is this emitter's.
    pub(super) fn product(&mut self, module: &mut Module, group: &Group, node: NodeId, tile: &TileShape) {
        let axes = contract_axes(self.graph, node, &self.plan.inline).expect("operands are views");
        let empty = [axes.row_count(), axes.cols.extent].contains(&0) || axes.outer.iter().any(|side| side.extent == 0);
        if empty {
            return;
        }
        let Some((rows, depth)) = axes.even() else { return self.product_of_panels(module, group, node, axes, tile) };
        let as_it_is = axes.cols.right == 1 && (0..=NEAR).contains(&depth.right) && axes.cols.extent.is_multiple_of(4);
        let mut scratch = Scratch { module: &mut *module, next: 0 };
        let width = COLUMNS.min(axes.cols.extent.next_multiple_of(4));
        let packed_right = (!as_it_is).then(|| scratch.take("right", CONTRACT_BLOCK.min(depth.extent) * width));
        let edge = scratch.take("tile", tile.rows * tile.cols);
        let is_narrow = axes.cols.extent < 2 * COLUMNS && axes.outer.is_empty() && axes.work() >= ROW_BLOCK_WORK;
        let is_one_axis = canonical(&group.domain).len() <= 2;
        let row_block = match is_narrow && is_one_axis {
            true => rows.extent.div_ceil(ROW_BLOCKS).next_multiple_of(tile.rows),
            false => rows.extent,
        };
        let packed_left = group.packed.map(|buffer| self.buffer(buffer));
        let blocks = axes.blocks();
        let tile = *tile;
        let product =
            Product { group, node, axes, rows, depth, blocks, tile, row_block, packed_left, packed_right, edge };
        if packed_left.is_some() {
            let mut packing = Emitter::new(self.graph, self.plan, self.part);
            packing.pack_left(&product);
            finish(module, packing, format!("pack %{}", self.graph[node].operands[0].0));
        }
        let extents: Vec<usize> = product.axes.outer.iter().map(|side| side.extent).collect();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, outer| {
            for rows in pieces(product.rows.extent, product.row_block) {
                emitter.repeat("m", true, rows, &mut |emitter, row| {
                    for columns in pieces(product.axes.cols.extent, COLUMNS) {
                        emitter.repeat("n", true, columns, &mut |emitter, column| {
                            let (row, column) = (row.clone(), column.clone());
                            let part =
                                Part { outer: outer.clone(), row, rows: rows.size, column, columns: columns.size };
                            emitter.part_of_product(&product, &part);
                        });
                    }
                });
            }
        });
    }

    /// Runs `body` for each part of a piece, with the index where the part begins.
    pub(super) fn repeat(
        &mut self,
        name: &str,
        independent: bool,
        piece: Pieces,
        body: &mut dyn FnMut(&mut Self, &Affine),
    ) {
        let start = Affine::constant(piece.start as i64);
        if piece.count == 1 {
            return body(self, &start);
        }
        let var = if independent { self.open_independent(name) } else { self.open(name) };
        body(self, &Affine::var(var).times(piece.size as i64).plus(&start));
        self.close_for(piece.count);
    }

    fn part_of_product(&mut self, product: &Product<'_>, part: &Part) {
        if product.depth.extent == 0 {
            self.zeros(product, part);
        } else {
            self.each_box("kb", &product.blocks, product.axes.depth.len(), Rounds::InOrder, &mut |emitter, block| {
                let depth = product.depth_of(block);
                emitter.depth_block(product, part, &depth);
            });
        }
        self.epilogue(product, part);
    }

    /// A product of nothing.
    fn zeros(&mut self, product: &Product<'_>, part: &Part) {
        let zero = self.f32(0.0);
        let row = part.row.plus(&Affine::var(self.open("i")));
        let lane = part.column.plus(&Affine::var(self.open("j")));
        let place = self.result_place(product, part, &row, &lane);
        self.store(place, zero);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent: part.columns, block });
        self.close_for(part.rows);
    }

    fn depth_block(&mut self, product: &Product<'_>, part: &Part, depth: &Depth) {
        let panels = pieces(part.columns, product.tile.cols);
        if product.packed_right.is_some() {
            for &panel in &panels {
                self.repeat("p", false, panel, &mut |emitter, at| {
                    emitter.pack_right_panel(product, part, depth, at, panel.size);
                });
            }
        }
        for rows in row_panels(part.rows, product.tile.rows) {
            self.repeat("i", false, rows, &mut |emitter, row| {
                for &panel in &panels {
                    emitter.repeat("p", false, panel, &mut |emitter, at| {
                        emitter.one_tile(product, part, depth, &part.row.plus(row), rows.size, at, panel.size);
                    });
                }
            });
        }
    }

    /// The tile at a row and at a column of the part.
    #[expect(clippy::too_many_arguments, reason = "a tile has a place and a size along two axes")]
    fn one_tile(
        &mut self,
        product: &Product<'_>,
        part: &Part,
        depth: &Depth,
        row: &Affine,
        rows: usize,
        at: &Affine,
        valid: usize,
    ) {
        let column = part.column.plus(at);
        let cols = valid.next_multiple_of(4);
        let is_edge = cols != valid;
        let (a, a_strides) = match product.packed_left {
            Some(buffer) => {
                let index = packed_left_index(product, &part.outer, row, depth);
                (Place { buffer, index }, (1, rows))
            }
            None => {
                let place = self.left_place(product, &part.outer, row, &depth.from);
                (place, (product.rows.left as usize, product.depth.left as usize))
            }
        };
        let (b, b_stride) = match product.packed_right {
            Some(buffer) => (Place { buffer, index: at.times(depth.size as i64) }, cols),
            None => (self.right_place(product, part, &column, &depth.from), product.depth.right as usize),
        };
        let result = self.result_place(product, part, row, &column);
        let edge = Place { buffer: product.edge, index: Affine::default() };
        self.push_stmt(Stmt::Tile(Tile {
            rows,
            cols,
            depth: depth.size,
            a,
            a_strides,
            b,
            b_stride,
            c: if is_edge { edge.clone() } else { result.clone() },
            c_stride: if is_edge { cols } else { product.rows.result as usize },
            accumulate: depth.accumulate && !is_edge,
        }));
        if is_edge {
            self.copy_edge(edge, cols, result, product.rows.result, [rows, valid], depth.accumulate);
        }
    }

    /// The valid columns of a tile that sticks out.
    pub(super) fn copy_edge(
        &mut self,
        edge: Place,
        edge_stride: usize,
        result: Place,
        stride: i64,
        [rows, valid]: [usize; 2],
        accumulate: bool,
    ) {
        let row = Affine::var(self.open("i"));
        let lane = Affine::var(self.open("j"));
        let from = Place { index: row.times(edge_stride as i64).plus(&lane), ..edge };
        let to = Place { index: result.index.plus(&row.times(stride)).plus(&lane), ..result };
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

    fn left_place(&self, product: &Product<'_>, outer: &[Affine], row: &Affine, k: &Affine) -> Place {
        let start = self.product_start(&product.axes, outer)[0].clone();
        let index = start.index.plus(&row.times(product.rows.left)).plus(&k.times(product.depth.left));
        Place { index, ..start }
    }

    fn right_place(&self, product: &Product<'_>, part: &Part, column: &Affine, k: &Affine) -> Place {
        let axes = &product.axes;
        let start = self.product_start(axes, &part.outer)[1].clone();
        let index = start.index.plus(&column.times(axes.cols.right)).plus(&k.times(product.depth.right));
        Place { index, ..start }
    }

    /// The first factors of the first element for an outer index.
    pub(super) fn product_start(&self, axes: &ContractAxes, outer: &[Affine]) -> [Place; 2] {
        let at = |number: usize, stride: fn(&Side) -> i64| {
            let start = self.operand_start(&axes.operands[number]);
            let index = linear(outer, &axes.outer.iter().map(stride).collect::<Vec<i64>>());
            Place { index: start.index.plus(&index), ..start }
        };
        [at(0, |side| side.left), at(1, |side| side.right)]
    }

    fn result_place(&self, product: &Product<'_>, part: &Part, row: &Affine, column: &Affine) -> Place {
        let axes = &product.axes;
        let start = self.place(product.node, &vec![Affine::default(); self.graph[product.node].ty.rank()]);
        let index = linear(&part.outer, &axes.outer.iter().map(|side| side.result).collect::<Vec<i64>>());
        let index = index.plus(&row.times(product.rows.result)).plus(column);
        Place { index: start.index.plus(&index), ..start }
    }

    /// `valid` columns of the right operand from column `at` of the part on, padded with zeros to whole vectors.
    fn pack_right_panel(&mut self, product: &Product<'_>, part: &Part, depth: &Depth, at: &Affine, valid: usize) {
        let buffer = product.packed_right.expect("packed operands have their memory");
        let start = at.times(depth.size as i64);
        let width = valid.next_multiple_of(4);
        let to = |c: &Affine, k: &Affine| Place { buffer, index: start.plus(&k.times(width as i64)).plus(c) };
        // The lanes run along the axis whose elements are adjacent.
        let along_depth = product.depth.right == 1 && product.axes.cols.right != 1;
        let (each, lane) = (Affine::var(self.open(if along_depth { "c" } else { "k" })), Affine::var(self.open("j")));
        let (c, k) = if along_depth { (&each, &lane) } else { (&lane, &each) };
        let from = self.right_place(product, part, &part.column.plus(at).plus(c), &depth.from.plus(k));
        let value = self.load(from, DType::F32);
        self.store(to(c, k), value);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent: if along_depth { depth.size } else { valid }, block });
        self.close_for(if along_depth { valid } else { depth.size });
        if valid < width {
            let zero = self.f32(0.0);
            let (c, k) = (Affine::var(self.open("c")), Affine::var(self.open("k")));
            let place = to(&c.plus(&Affine::constant(valid as i64)), &k);
            self.store(place, zero);
            let (var, block) = self.close_lanes();
            self.push_stmt(Stmt::Map { var, extent: depth.size, block });
            self.close_for(width - valid);
        }
    }

    /// The left operand as blocks of the contracted axis, in each the panels of rows, in each the contracted axis.
    fn pack_left(&mut self, product: &Product<'_>) {
        let axes = &product.axes;
        let buffer = product.packed_left.expect("packed operands have their memory");
        // Axes that the left operand has not got do not repeat it.
        let extents: Vec<usize> = axes.outer.iter().map(|side| if side.left == 0 { 1 } else { side.extent }).collect();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, outer| {
            emitter.each_box("kb", &product.blocks, axes.depth.len(), Rounds::Independent, &mut |emitter, block| {
                let depth = product.depth_of(block);
                for block in pieces(product.rows.extent, product.row_block) {
                    emitter.repeat("m", true, block, &mut |emitter, first| {
                        for rows in row_panels(block.size, product.tile.rows) {
                            emitter.repeat("i", true, rows, &mut |emitter, row| {
                                let row = first.plus(row);
                                let start = packed_left_index(product, &outer, &row, &depth);
                                let d = Affine::var(emitter.open("k"));
                                let lane = Affine::var(emitter.open("j"));
                                let k = depth.from.plus(&d);
                                let from = emitter.left_place(product, &outer, &row.plus(&lane), &k);
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
        });
    }

    /// The elementwise users of a finished part.
    fn epilogue(&mut self, product: &Product<'_>, part: &Part) {
        let context = &product.group.contexts[product.group.full];
        let nodes: Vec<NodeId> = context.nodes.iter().copied().filter(|&node| node != product.node).collect();
        if nodes.is_empty() {
            return;
        }
        let domain = canonical(&product.group.domain);
        let Some((_, rows)) = domain.split_last() else { unreachable!("a product has rows and columns") };
        // All rows: each of their axes has its loop. Some rows: they are one axis.
        let rows = if part.rows == product.rows.extent { rows.to_vec() } else { vec![part.rows] };
        self.for_each(&rows, vec![Affine::default(); rows.len()], &mut |emitter, mut point| {
            point[0] = point[0].plus(&part.row);
            point.push(part.column.plus(&Affine::var(emitter.open("j"))));
            emitter.compute_nodes(product.group, &nodes, &[point]);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: part.columns, block });
        });
    }
}

/// Where a panel of the packed left operand begins: everything before it is whole.
fn packed_left_index(product: &Product<'_>, outer: &[Affine], row: &Affine, depth: &Depth) -> Affine {
    let mut whole = (product.rows.extent * product.depth.extent) as i64;
    let mut before = Affine::default();
    for (index, side) in outer.iter().zip(&product.axes.outer).rev().filter(|(_, side)| side.left != 0) {
        before = before.plus(&index.times(whole));
        whole *= side.extent as i64;
    }
    before.plus(&depth.from.times(product.rows.extent as i64)).plus(&row.times(depth.size as i64))
}

/// An axis in parts of `size` and a rest.
pub(super) fn pieces(extent: usize, size: usize) -> Vec<Pieces> {
    let whole = Pieces { start: 0, count: extent / size, size };
    let rest = Pieces { start: extent / size * size, count: 1, size: extent % size };
    [whole, rest].into_iter().filter(|piece| piece.count > 0 && piece.size > 0).collect()
}

/// Rows in panels of at most `size`. A short rest would leave the machine waiting for its own sums: it is shared with the panel before.
pub(super) fn row_panels(extent: usize, size: usize) -> Vec<Pieces> {
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
pub(super) struct Scratch<'a> {
    pub(super) module: &'a mut Module,
    pub(super) next: usize,
}

impl Scratch<'_> {
    pub(super) fn take(&mut self, name: &str, len: usize) -> BufferId {
        self.take_of(DType::F32, name, len)
    }

    pub(super) fn take_of(&mut self, dtype: DType, name: &str, len: usize) -> BufferId {
        let storage = Storage::Scratch(self.next);
        self.next = (self.next + len).next_multiple_of(ALIGNMENT);
        self.module.buffers.push(Buffer { name: format!("{name}{}", self.module.kernels.len()), dtype, len, storage });
        BufferId(self.module.buffers.len() as u32 - 1)
    }
}
