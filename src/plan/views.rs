//! Index maps: which element of an operand an element of a result needs, where that is affine.

use crate::graph::{Graph, NodeId, Op};

/// An index along one axis of a tensor: `scale · (index along an axis of the context) + offset`, or `offset` alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AxisMap {
    /// The axis of the context.
    pub axis: Option<usize>,
    /// Its factor, 1 or −1.
    pub scale: i64,
    /// What is added.
    pub offset: i64,
}

/// An index along one axis, in whatever it is counted.
pub trait Index: Clone {
    /// A fixed place.
    fn at(place: i64) -> Self;
    /// So much further.
    fn shifted(self, by: i64) -> Self;
    /// Counted from the other end of an axis of that extent.
    fn mirrored(self, extent: usize) -> Self;
}

impl Index for AxisMap {
    fn at(place: i64) -> AxisMap {
        AxisMap { axis: None, scale: 1, offset: place }
    }

    fn shifted(self, by: i64) -> AxisMap {
        AxisMap { offset: self.offset + by, ..self }
    }

    fn mirrored(self, extent: usize) -> AxisMap {
        AxisMap { axis: self.axis, scale: -self.scale, offset: extent as i64 - 1 - self.offset }
    }
}

/// A shape without its axes of extent 1.
pub fn canonical(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&extent| extent != 1).collect()
}

/// Spreads an index over canonical axes to a shape with axes of extent 1 between.
pub fn with_unit_axes<I: Index>(shape: &[usize], canonical: impl IntoIterator<Item = I>) -> Vec<I> {
    let mut next = canonical.into_iter();
    let mut pick = |extent: usize| if extent == 1 { I::at(0) } else { next.next().expect("a canonical axis for each wide axis") };
    shape.iter().map(|&extent| pick(extent)).collect()
}

/// The index of a node at the place of a context whose domain is the node's canonical shape.
pub fn context_index(shape: &[usize]) -> Vec<AxisMap> {
    with_unit_axes(shape, (0..).map(|axis| AxisMap { axis: Some(axis), scale: 1, offset: 0 }))
}

/// The index of operand `number` that an elementwise operation or a view needs for its element at `index`. `None` where that is not
/// affine in the axes: a [`Op::Reshape`] that does more than add and drop axes of extent 1.
pub fn operand_index<I: Index>(graph: &Graph, node: NodeId, number: usize, index: &[I]) -> Option<Vec<I>> {
    let operand = &graph[graph[node].operands[number]].ty.shape;
    let shape = &graph[node].ty.shape;
    Some(match &graph[node].op {
        Op::Unary(_) | Op::Convert | Op::StopGradient => index.to_vec(),
        Op::Binary(_) | Op::Select => index[index.len() - operand.len()..].to_vec(),
        Op::Broadcast { axes } => axes.iter().map(|&axis| index[axis].clone()).collect(),
        Op::Reshape => {
            if canonical(operand) != canonical(shape) {
                return None;
            }
            let wide = shape.iter().zip(index).filter(|(extent, _)| **extent != 1).map(|(_, index)| index.clone());
            with_unit_axes(operand, wide)
        }
        Op::Transpose { permutation } => {
            let mut result = vec![I::at(0); index.len()];
            for (axis, &from) in permutation.iter().enumerate() {
                result[from] = index[axis].clone();
            }
            result
        }
        Op::Slice { start, .. } => index.iter().zip(start).map(|(index, &start)| index.clone().shifted(start as i64)).collect(),
        Op::Reverse { axis } => {
            let mut result = index.to_vec();
            result[*axis] = result[*axis].clone().mirrored(shape[*axis]);
            result
        }
        Op::Uniform { .. } => vec![I::at(0); operand.len()],
        Op::Input(_)
        | Op::Constant(_)
        | Op::Iota { .. }
        | Op::Pad { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::Contract { .. }
        | Op::SumBatch
        | Op::Orthogonalize => unreachable!("no elementwise operation or view: {:?}", graph[node].op),
    })
}

/// How far apart neighbours along each axis lie in row-major order.
pub fn row_major(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as i64;
    }
    strides
}

/// A tensor as a view of a stored one: element `i` is element `offset + Σ strides · i` of `base`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strided {
    /// The stored node.
    pub base: NodeId,
    /// Its element at index 0.
    pub offset: i64,
    /// One per axis.
    pub strides: Vec<i64>,
}

/// `node` as a view of a stored node, through the nodes that `inline` says are views. `None` where something else is in between.
pub fn strided(graph: &Graph, node: NodeId, inline: &[bool]) -> Option<Strided> {
    let mut chain = Vec::new();
    let mut base = node;
    while inline[base.0 as usize] {
        match &graph[base].op {
            Op::StopGradient | Op::Broadcast { .. } | Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Reverse { .. } => {}
            Op::Input(_)
            | Op::Constant(_)
            | Op::Iota { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::Convert
            | Op::Pad { .. }
            | Op::Concat { .. }
            | Op::Reduce { .. }
            | Op::ArgMax { .. }
            | Op::ArgMin { .. }
            | Op::Contract { .. }
            | Op::Uniform { .. }
            | Op::SumBatch
            | Op::Orthogonalize => return None,
        }
        chain.push(base);
        base = graph[base].operands[0];
    }
    let mut view = Strided { base, offset: 0, strides: row_major(&graph[base].ty.shape) };
    for &id in chain.iter().rev() {
        let shape = &graph[id].ty.shape;
        let from = &graph[graph[id].operands[0]].ty.shape;
        match &graph[id].op {
            Op::Broadcast { axes } => {
                let mut strides = vec![0; shape.len()];
                for (&axis, &stride) in axes.iter().zip(&view.strides) {
                    strides[axis] = stride;
                }
                view.strides = strides;
            }
            Op::Reshape => {
                let wide = |shape: &[usize], strides: &[i64]| -> Vec<i64> {
                    shape.iter().zip(strides).filter(|(extent, _)| **extent != 1).map(|(_, stride)| *stride).collect()
                };
                if canonical(shape) == canonical(from) {
                    let mut strides = wide(from, &view.strides).into_iter();
                    view.strides =
                        shape.iter().map(|&extent| if extent == 1 { 0 } else { strides.next().unwrap_or(0) }).collect();
                } else if wide(from, &view.strides) == wide(from, &row_major(from)) {
                    view.strides = row_major(shape);
                } else {
                    return None;
                }
            }
            Op::Transpose { permutation } => {
                view.strides = permutation.iter().map(|&axis| view.strides[axis]).collect();
            }
            Op::Slice { start, .. } => {
                view.offset += start.iter().zip(&view.strides).map(|(&start, stride)| start as i64 * stride).sum::<i64>();
            }
            Op::Reverse { axis } => {
                view.offset += (shape[*axis] as i64 - 1) * view.strides[*axis];
                view.strides[*axis] = -view.strides[*axis];
            }
            _ => {}
        }
    }
    Some(view)
}

/// Several axes run as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Side {
    /// The number of indices.
    pub extent: usize,
    /// The stride in the left operand; 0 for the right's free axes.
    pub left: i64,
    /// The stride in the right operand; 0 for the left's free axes.
    pub right: i64,
}

/// The axes of a product with strided operands, each group run as one axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContractAxes {
    /// The left operand.
    pub left: Strided,
    /// The right operand.
    pub right: Strided,
    /// The batch axes, one by one.
    pub batch: Vec<Side>,
    /// The left's free axes.
    pub rows: Side,
    /// The right's free axes.
    pub cols: Side,
    /// The contracted axes.
    pub depth: Side,
}

impl ContractAxes {
    /// The number of products.
    pub fn work(&self) -> u64 {
        let batch = self.batch.iter().fold(1u64, |work, side| work.saturating_mul(side.extent as u64));
        [self.rows, self.cols, self.depth].iter().fold(batch, |work, side| work.saturating_mul(side.extent as u64))
    }
}

/// Runs axes (extent, stride) as one where the strides allow it; axes of extent 1 do not count.
pub fn flatten(axes: &[(usize, i64)]) -> Option<(usize, i64)> {
    let mut result: Option<(usize, i64)> = None;
    for &(extent, stride) in axes.iter().filter(|(extent, _)| *extent != 1) {
        result = Some(match result {
            None => (extent, stride),
            Some((outer, outer_stride)) if outer_stride == stride * extent as i64 || outer * extent == 0 => (outer * extent, stride),
            Some(_) => return None,
        });
    }
    Some(result.unwrap_or((1, 0)))
}

/// The axes of the product `node`; `None` where an operand is no view of a stored node or a group of axes does not run as one.
pub fn contract_axes(graph: &Graph, node: NodeId, inline: &[bool]) -> Option<ContractAxes> {
    let Op::Contract { batch, contract } = &graph[node].op else { unreachable!("{node:?} is no product") };
    let [left_node, right_node] = graph[node].operands[..] else { unreachable!("a product of two operands") };
    let (left_shape, right_shape) = (&graph[left_node].ty.shape, &graph[right_node].ty.shape);
    let (left, right) = (strided(graph, left_node, inline)?, strided(graph, right_node, inline)?);
    let free = |shape: &[usize], strides: &[i64], pick: fn(&(usize, usize)) -> usize| {
        let used: Vec<usize> = batch.iter().chain(contract).map(pick).collect();
        let axes: Vec<(usize, i64)> =
            (0..shape.len()).filter(|axis| !used.contains(axis)).map(|axis| (shape[axis], strides[axis])).collect();
        flatten(&axes)
    };
    let (row_extent, row_stride) = free(left_shape, &left.strides, |pair| pair.0)?;
    let (col_extent, col_stride) = free(right_shape, &right.strides, |pair| pair.1)?;
    let depth_left: Vec<(usize, i64)> = contract.iter().map(|&(axis, _)| (left_shape[axis], left.strides[axis])).collect();
    let depth_right: Vec<(usize, i64)> = contract.iter().map(|&(_, axis)| (right_shape[axis], right.strides[axis])).collect();
    let ((extent, depth_left), (_, depth_right)) = (flatten(&depth_left)?, flatten(&depth_right)?);
    let batch = batch
        .iter()
        .map(|&(i, j)| Side { extent: left_shape[i], left: left.strides[i], right: right.strides[j] })
        .collect();
    Some(ContractAxes {
        batch,
        rows: Side { extent: row_extent, left: row_stride, right: 0 },
        cols: Side { extent: col_extent, left: 0, right: col_stride },
        depth: Side { extent, left: depth_left, right: depth_right },
        left,
        right,
    })
}
