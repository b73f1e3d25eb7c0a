//! The axes of a product: which run as one, and how far apart their elements lie.

use super::views::{Strided, row_major, strided};
use crate::graph::{CONTRACT_BLOCK, Graph, NodeId, Op};
use crate::numerics::boxes::Boxes;

/// Several axes run as one: how many indices, and how far apart they lie in each tensor (0 where the tensor has not got them).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Side {
    /// The number of indices.
    pub extent: usize,
    /// The stride in the left operand.
    pub left: i64,
    /// The stride in the right operand.
    pub right: i64,
    /// The stride in the result.
    pub result: i64,
}

impl Side {
    /// A single index.
    const POINT: Side = Side { extent: 1, left: 0, right: 0, result: 0 };
}

/// The memory of an operand of a product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operand {
    /// The operand as a view of a stored node.
    pub view: Strided,
    /// For each axis of the result the stride in the memory that is read.
    pub strides: Vec<i64>,
}

/// The axes of a product. Axes of extent 1 do not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContractAxes {
    /// The left operand, the right operand.
    pub operands: [Operand; 2],
    /// The batch axes, then free axes of the right that do not run as one with its last.
    pub outer: Vec<Side>,
    /// The left's free axes.
    pub rows: Vec<Side>,
    /// The right's last free axes.
    pub cols: Side,
    /// The contracted axes, in the order of the sums.
    pub depth: Vec<Side>,
}

impl ContractAxes {
    /// The number of products.
    pub fn work(&self) -> u64 {
        let axes = self.outer.iter().chain(&self.rows).chain(&self.depth);
        axes.fold(self.cols.extent as u64, |work, side| work.saturating_mul(side.extent as u64))
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(|side| side.extent).product()
    }

    /// How many products each sum has.
    pub fn length(&self) -> usize {
        self.depth.iter().map(|side| side.extent).product()
    }

    /// The blocks of the sums.
    pub fn blocks(&self) -> Boxes {
        Boxes::new(&self.depth.iter().map(|side| side.extent).collect::<Vec<usize>>(), CONTRACT_BLOCK)
    }

    /// The rows and the contracted axes as one axis each, where all memory advances evenly over them.
    pub fn even(&self) -> Option<(Side, Side)> {
        Some((as_one(&self.rows)?, as_one(&self.depth)?))
    }
}

/// Axes as one, where all strides allow.
pub fn as_one(axes: &[Side]) -> Option<Side> {
    match joined(axes)[..] {
        [] => Some(Side::POINT),
        [side] => Some(side),
        _ => None,
    }
}

/// Runs neighbouring axes as one as far as all strides allow, from the last; axes of extent 1 do not count.
pub fn joined(axes: &[Side]) -> Vec<Side> {
    let mut result: Vec<Side> = Vec::new();
    for &side in axes.iter().rev().filter(|side| side.extent != 1) {
        let extent = |inner: &Side| inner.extent as i64;
        match result.last_mut() {
            Some(inner)
                if side.left == inner.left * extent(inner)
                    && side.right == inner.right * extent(inner)
                    && side.result == inner.result * extent(inner) =>
            {
                inner.extent *= side.extent;
            }
            _ => result.push(side),
        }
    }
    result.reverse();
    result
}

/// The axes of the product `node`; `None` where an operand is no view of a stored node.
pub fn contract_axes(graph: &Graph, node: NodeId, inline: &[bool]) -> Option<ContractAxes> {
    let Op::Contract { batch, contract } = &graph[node].op else { unreachable!("{node:?} is no product") };
    let [left_node, right_node] = graph[node].operands[..] else { unreachable!("a product of two operands") };
    let views = [strided(graph, left_node, inline)?, strided(graph, right_node, inline)?];
    let shapes = [&graph[left_node].ty.shape, &graph[right_node].ty.shape];
    let left = |axis: usize| Side { extent: shapes[0][axis], left: views[0].strides[axis], ..Side::POINT };
    let right = |axis: usize| Side { extent: shapes[1][axis], right: views[1].strides[axis], ..Side::POINT };
    let both = |&(i, j): &(usize, usize)| Side { right: right(j).right, ..left(i) };
    let pairs = || batch.iter().chain(contract);
    let free_left = (0..shapes[0].len()).filter(|axis| pairs().all(|pair| pair.0 != *axis));
    let free_right = (0..shapes[1].len()).filter(|axis| pairs().all(|pair| pair.1 != *axis));

    let mut result = row_major(&graph[node].ty.shape).into_iter();
    let mut with_result = |sides: Vec<Side>| -> Vec<Side> {
        sides.into_iter().map(|side| Side { result: result.next().unwrap_or(0), ..side }).collect()
    };
    let batches = with_result(batch.iter().map(both).collect());
    let rows = with_result(free_left.map(left).collect());
    let cols = with_result(free_right.map(right).collect());
    let strides = |pick: fn(&Side) -> i64| batches.iter().chain(&rows).chain(&cols).map(pick).collect();
    let strides = [strides(|side| side.left), strides(|side| side.right)];

    let wide = |sides: Vec<Side>| -> Vec<Side> { sides.into_iter().filter(|side| side.extent != 1).collect() };
    let mut outer = wide(batches);
    let mut cols = joined(&cols);
    let last = cols.pop().unwrap_or(Side::POINT);
    outer.extend(cols);
    let depth = wide(contract.iter().map(both).collect());
    let [left_view, right_view] = views;
    let [left_strides, right_strides] = strides;
    Some(ContractAxes {
        operands: [
            Operand { view: left_view, strides: left_strides },
            Operand { view: right_view, strides: right_strides },
        ],
        outer,
        rows: wide(rows),
        cols: last,
        depth,
    })
}
