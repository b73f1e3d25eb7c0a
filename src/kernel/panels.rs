//! Large products whose left operand is windows, or anything else whose rows or contracted axes do not run as one.
//!
//! The rows are taken in boxes, the contracted axes in the blocks of their sums. For each pair the part of the left operand is
//! packed into scratch memory, where the tiles find it: a convolution runs on the tiles of a matrix product without a matrix of windows. Whether a
//! packed panel has the contracted or the rows' axis innermost follows the operand, so that runs of neighbours are copied as they lie.
//!
//! ```text
//! for each box of rows:
//!   for each block of the contracted axes:
//!     pack the left operand, for each block of columns the right, and run the tiles
//!   what follows the product, on the box
//! ```

use super::boxes::{Rounds, Span};
use super::emit::{Emitter, linear};
use super::product::{COLUMNS, NEAR, Scratch, pieces, row_panels};
use super::{Affine, BufferId, Module, Place, Stmt, Tile, TileShape};
use crate::graph::{CONTRACT_BLOCK, DType, NodeId};
use crate::numerics::boxes::Boxes;
use crate::plan::{ContractAxes, Group, Side, as_one, row_major};

/// A packed panel of the left operand has at most so many elements.
const PANEL: usize = 32 * 1024;

/// Rows are cut into at least so many boxes where there are enough of them.
const BOXES: usize = 8;

/// Boxes do not become smaller than that many rows only to have more of them.
const LEAST_ROWS: usize = 96;

/// What the parts of one product share.
struct Panels<'a> {
    group: &'a Group,
    node: NodeId,
    axes: ContractAxes,
    tile: TileShape,
    blocks: Boxes,
    /// Whether the contracted axis is the innermost of a packed panel; else the rows' is.
    by_rows: bool,
    left: BufferId,
    /// The stride of the contracted axes in a block of the right operand that is read as it lies.
    near: Option<i64>,
    /// Else where a block of it is packed.
    right: Option<BufferId>,
    edge: BufferId,
}

/// A part of the product: some rows, and some of the contracted axes.
struct Part<'a> {
    outer: &'a [Affine],
    rows: &'a Span,
    depth: &'a Span,
}

/// Columns of a part.
struct Columns {
    first: Affine,
    count: usize,
}

impl Emitter<'_> {
    pub(super) fn product_of_panels(
        &mut self,
        module: &mut Module,
        group: &Group,
        node: NodeId,
        axes: ContractAxes,
        tile: &TileShape,
    ) {
        let blocks = axes.blocks();
        let longest = axes.length().min(CONTRACT_BLOCK);
        let most = (PANEL / longest).max(1).min((axes.row_count() / BOXES).max(LEAST_ROWS));
        let row_extents: Vec<usize> = axes.rows.iter().map(|side| side.extent).collect();
        let boxes = Boxes::new(&row_extents, most);
        let is_adjacent = |sides: &[Side]| sides.last().is_some_and(|side| side.left == 1);
        let near = near(&axes, &blocks);
        let mut scratch = Scratch { module, next: 0 };
        let width = COLUMNS.min(axes.cols.extent.next_multiple_of(4));
        let product = Panels {
            group,
            node,
            tile: *tile,
            by_rows: is_adjacent(&axes.depth) || !is_adjacent(&axes.rows),
            left: scratch.take("left", boxes.unit() * boxes.piece * blocks.unit() * blocks.piece),
            near,
            right: near.is_none().then(|| scratch.take("right", longest * width)),
            edge: scratch.take("tile", tile.rows * tile.cols),
            blocks,
            axes,
        };
        let extents: Vec<usize> = product.axes.outer.iter().map(|side| side.extent).collect();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, outer| {
            emitter.each_box("m", &boxes, row_extents.len(), Rounds::Independent, &mut |emitter, rows| {
                let axes = product.axes.depth.len();
                emitter.each_box("kb", &product.blocks, axes, Rounds::InOrder, &mut |emitter, depth| {
                    emitter.panel(&product, &Part { outer: &outer, rows, depth });
                });
                emitter.behind_panel(&product, rows);
            });
        });
    }

    fn panel(&mut self, product: &Panels<'_>, part: &Part<'_>) {
        self.pack_rows(product, part);
        for columns in pieces(product.axes.cols.extent, COLUMNS) {
            self.repeat("n", false, columns, &mut |emitter, first| {
                let columns = Columns { first: first.clone(), count: columns.size };
                let panels = pieces(columns.count, product.tile.cols);
                if product.near.is_none() {
                    for &panel in &panels {
                        emitter.repeat("p", false, panel, &mut |emitter, at| {
                            emitter.pack_columns(product, part, &columns, at, panel.size);
                        });
                    }
                }
                for rows in row_panels(part.rows.size(), product.tile.rows) {
                    emitter.repeat("i", false, rows, &mut |emitter, row| {
                        for &panel in &panels {
                            emitter.repeat("p", false, panel, &mut |emitter, at| {
                                emitter.panel_tile(product, part, &columns, (row, rows.size), (at, panel.size));
                            });
                        }
                    });
                }
            });
        }
    }

    /// The tile at a row and a column, each with how many there are.
    fn panel_tile(
        &mut self,
        product: &Panels<'_>,
        part: &Part<'_>,
        columns: &Columns,
        (row, rows): (&Affine, usize),
        (at, valid): (&Affine, usize),
    ) {
        let (depth, cols) = (part.depth.size(), valid.next_multiple_of(4));
        let is_edge = cols != valid;
        let column = columns.first.plus(at);
        let (index, a_strides) = match product.by_rows {
            true => (row.times(depth as i64), (depth, 1)),
            false => (row.clone(), (1, part.rows.size())),
        };
        let (b, b_stride) = match product.near {
            Some(stride) => (self.right_of(product, part, &part.depth.start, &column), stride as usize),
            None => (packed_right(product, &at.times(depth as i64)), cols),
        };
        let row_stride = product.axes.rows.last().map_or(0, |side| side.result);
        let result = self.result_of(product, part, row, &column);
        let edge = Place { buffer: product.edge, index: Affine::default() };
        self.push_stmt(Stmt::Tile(Tile {
            rows,
            cols,
            depth,
            a: Place { buffer: product.left, index },
            a_strides,
            b,
            b_stride,
            c: if is_edge { edge.clone() } else { result.clone() },
            c_stride: if is_edge { cols } else { row_stride as usize },
            accumulate: part.depth.later && !is_edge,
        }));
        if is_edge {
            self.copy_edge(edge, cols, result, row_stride, [rows, valid], part.depth.later);
        }
    }

    fn right_of(&self, product: &Panels<'_>, part: &Part<'_>, depth: &[Affine], column: &Affine) -> Place {
        let start = self.product_start(&product.axes, part.outer)[1].clone();
        let strides: Vec<i64> = product.axes.depth.iter().map(|side| side.right).collect();
        let index = start.index.plus(&linear(depth, &strides)).plus(&column.times(product.axes.cols.right));
        Place { index, ..start }
    }

    /// `row` counts from the part's first.
    fn result_of(&self, product: &Panels<'_>, part: &Part<'_>, row: &Affine, column: &Affine) -> Place {
        let axes = &product.axes;
        let start = self.place(product.node, &vec![Affine::default(); self.graph[product.node].ty.rank()]);
        let strides = |sides: &[Side]| sides.iter().map(|side| side.result).collect::<Vec<i64>>();
        let outer = linear(part.outer, &strides(&axes.outer));
        let first = linear(&part.rows.start, &strides(&axes.rows));
        let along = row.times(axes.rows.last().map_or(0, |side| side.result));
        Place { index: start.index.plus(&outer).plus(&first).plus(&along).plus(column), ..start }
    }

    /// The part's rows of the left operand, one behind the other or side by side.
    fn pack_rows(&mut self, product: &Panels<'_>, part: &Part<'_>) {
        let axes = &product.axes;
        let start = self.product_start(axes, part.outer)[0].clone();
        let sides = [(&axes.rows, part.rows), (&axes.depth, part.depth)];
        let [first, second] = if product.by_rows { sides } else { [sides[1], sides[0]] };
        let extents = [first.1.extents.as_slice(), &second.1.extents].concat();
        let begin = [first.1.start.as_slice(), &second.1.start].concat();
        let strides: Vec<i64> = first.0.iter().chain(second.0).map(|side| side.left).collect();
        let from = Place { index: start.index.plus(&linear(&begin, &strides)), ..start };
        let to = Place { buffer: product.left, index: Affine::default() };
        self.copy_axes(&extents, (&from, &strides), (&to, &row_major(&extents)));
    }

    /// `valid` columns of the right operand from column `at` on, padded with zeros to whole vectors.
    fn pack_columns(&mut self, product: &Panels<'_>, part: &Part<'_>, columns: &Columns, at: &Affine, valid: usize) {
        let axes = &product.axes;
        let width = valid.next_multiple_of(4) as i64;
        let from = self.right_of(product, part, &part.depth.start, &columns.first.plus(at));
        let to = packed_right(product, &at.times(part.depth.size() as i64));
        let mut extents = part.depth.extents.clone();
        let mut strides: Vec<i64> = axes.depth.iter().map(|side| side.right).collect();
        let mut places: Vec<i64> = row_major(&extents).iter().map(|stride| stride * width).collect();
        // The lanes run along the axis whose elements are adjacent.
        let place = match axes.depth.last() {
            Some(side) if side.right == 1 && axes.cols.right != 1 => 0,
            _ => extents.len(),
        };
        extents.insert(place, valid);
        strides.insert(place, axes.cols.right);
        places.insert(place, 1);
        self.copy_axes(&extents, (&from, &strides), (&to, &places));
        let missing = width as usize - valid;
        if missing > 0 {
            let zero = self.f32(0.0);
            let (c, k) = (Affine::var(self.open("c")), Affine::var(self.open("k")));
            let index = to.index.plus(&c).plus(&Affine::constant(valid as i64)).plus(&k.times(width));
            self.store(Place { index, ..to }, zero);
            let (var, block) = self.close_lanes();
            self.push_stmt(Stmt::Map { var, extent: part.depth.size(), block });
            self.close_for(missing);
        }
    }

    /// Copies elements over axes from places with these strides to others.
    fn copy_axes(&mut self, extents: &[usize], from: (&Place, &[i64]), to: (&Place, &[i64])) {
        let counted: Vec<usize> = (0..extents.len()).filter(|&axis| extents[axis] != 1).collect();
        let pick = |strides: &[i64]| -> Vec<i64> { counted.iter().map(|&axis| strides[axis]).collect() };
        let (from, from_strides, to, to_strides) = (from.0, pick(from.1), to.0, pick(to.1));
        let extents: Vec<usize> = counted.iter().map(|&axis| extents[axis]).collect();
        let (&lanes, loops) = extents.split_last().unwrap_or((&1, &[]));
        self.for_each(loops, vec![Affine::default(); loops.len()], &mut |emitter, mut point| {
            point.push(Affine::var(emitter.open("j")));
            let at = |place: &Place, strides: &[i64]| Place {
                index: place.index.plus(&linear(&point, strides)),
                ..place.clone()
            };
            let value = emitter.load(at(from, &from_strides), DType::F32);
            emitter.store(at(to, &to_strides), value);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: lanes, block });
        });
    }

    /// The elementwise users of a finished box of rows.
    fn behind_panel(&mut self, product: &Panels<'_>, rows: &Span) {
        let context = &product.group.contexts[product.group.full];
        let nodes: Vec<NodeId> = context.nodes.iter().copied().filter(|&node| node != product.node).collect();
        if nodes.is_empty() {
            return;
        }
        let extents: Vec<usize> = rows.extents.clone();
        self.for_each(&extents, vec![Affine::default(); extents.len()], &mut |emitter, point| {
            let mut point: Vec<Affine> = point.iter().zip(&rows.start).map(|(at, start)| at.plus(start)).collect();
            point.push(Affine::var(emitter.open("j")));
            emitter.compute_nodes(product.group, &nodes, &[point]);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: product.axes.cols.extent, block });
        });
    }
}

fn packed_right(product: &Panels<'_>, index: &Affine) -> Place {
    let buffer = product.right.expect("what is not read as it lies is packed");
    Place { buffer, index: index.clone() }
}

/// The distance of neighbours along the contracted axes in each block of the right operand, where tiles can read it as it lies.
fn near(axes: &ContractAxes, blocks: &Boxes) -> Option<i64> {
    let in_block = &axes.depth[axes.depth.len().saturating_sub(blocks.inner.len() + 1)..];
    let right: Vec<Side> = in_block.iter().map(|side| Side { left: 0, result: 0, ..*side }).collect();
    let stride = as_one(&right)?.right;
    let is_near = axes.cols.right == 1 && (0..=NEAR).contains(&stride) && axes.cols.extent.is_multiple_of(4);
    is_near.then_some(stride)
}
