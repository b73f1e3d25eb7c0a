//! Index maps: which element of an operand an element of a result needs, where that is affine.

use super::classify::{Access, access};
use crate::graph::windows::Along;
use crate::graph::{Graph, NodeId, Op, Time};

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
    /// The place of the current step of the loop around.
    fn step(time: Time, extent: usize) -> Self;
    /// Counted from the other end of an axis of that extent.
    fn mirrored(self, extent: usize) -> Self;
    /// The place of an element of a window along an axis; `None` where that cannot be counted so.
    fn in_window(window: &Self, element: &Self, along: Along) -> Option<Self>;
}

impl Index for AxisMap {
    fn at(place: i64) -> AxisMap {
        AxisMap { axis: None, scale: 1, offset: place }
    }

    fn shifted(self, by: i64) -> AxisMap {
        AxisMap { offset: self.offset + by, ..self }
    }

    /// During one step it is a fixed place.
    fn step(_: Time, _: usize) -> AxisMap {
        AxisMap { axis: None, scale: 1, offset: 0 }
    }

    fn mirrored(self, extent: usize) -> AxisMap {
        AxisMap { axis: self.axis, scale: -self.scale, offset: extent as i64 - 1 - self.offset }
    }

    fn in_window(window: &AxisMap, element: &AxisMap, along: Along) -> Option<AxisMap> {
        match (window.axis, element.axis) {
            (_, None) if along.stride == 1 => Some(window.shifted(element.offset * along.dilation as i64)),
            (None, _) if along.dilation == 1 => Some(element.shifted(window.offset * along.stride as i64)),
            _ => None,
        }
    }
}

/// A shape without its axes of extent 1.
pub fn canonical(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&extent| extent != 1).collect()
}

/// Spreads an index over canonical axes to a shape with axes of extent 1 between.
pub fn with_unit_axes<I: Index>(shape: &[usize], canonical: impl IntoIterator<Item = I>) -> Vec<I> {
    let mut next = canonical.into_iter();
    let mut pick =
        |extent: usize| if extent == 1 { I::at(0) } else { next.next().expect("a canonical axis for each wide axis") };
    shape.iter().map(|&extent| pick(extent)).collect()
}

/// The index of a node at the place of a context whose domain is the node's canonical shape.
pub(super) fn context_index(shape: &[usize]) -> Vec<AxisMap> {
    with_unit_axes(shape, (0..).map(|axis| AxisMap { axis: Some(axis), scale: 1, offset: 0 }))
}

/// The index of operand `number` that an elementwise operation or a view needs for its element at `index`. `None` where that is not
/// affine in the axes: a [`Op::Reshape`] that does more than add and drop axes of extent 1; nor, for an [`AxisMap`], in one axis: windows; a product, which needs many.
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
        Op::Slice { start, .. } => {
            index.iter().zip(start).map(|(index, &start)| index.clone().shifted(start as i64)).collect()
        }
        Op::Reverse { axis } => {
            let mut result = index.to_vec();
            result[*axis] = result[*axis].clone().mirrored(shape[*axis]);
            result
        }
        Op::Windows { axis, along } => {
            let mut result = index.to_vec();
            let element = result.remove(axis + 1);
            result[*axis] = I::in_window(&index[*axis], &element, *along)?;
            result
        }
        Op::Step(time) => {
            let mut result = index.to_vec();
            result.insert(time.axis, I::step(*time, operand[time.axis]));
            result
        }
        Op::Emit { .. } => index.to_vec(),
        Op::Gather { .. } if number == 0 => return None,
        Op::Gather { .. } => index[..operand.len()].to_vec(),
        Op::Uniform { .. } => vec![I::at(0); operand.len()],
        Op::Contract { .. } => return None,
        Op::Input(_)
        | Op::Constant(_)
        | Op::Iota { .. }
        | Op::Pad { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::ArgSort { .. }
        | Op::ScatterAdd { .. }
        | Op::Scan(_)
        | Op::Result(_)
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
    /// How much further it is from one step of the loop around to the next.
    pub step: i64,
}

/// `node` as a view of a stored node, through the nodes that `inline` says are views. `None` where something else is in between.
pub fn strided(graph: &Graph, node: NodeId, inline: &[bool]) -> Option<Strided> {
    let mut chain = Vec::new();
    let mut base = node;
    while inline[base.0 as usize] {
        if access(&graph[base].op) != Access::View {
            return None;
        }
        chain.push(base);
        base = graph[base].operands[0];
    }
    let mut view = Strided { base, offset: 0, strides: row_major(&graph[base].ty.shape), step: 0 };
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
                view.offset +=
                    start.iter().zip(&view.strides).map(|(&start, stride)| start as i64 * stride).sum::<i64>();
            }
            Op::Reverse { axis } => {
                view.offset += (shape[*axis] as i64 - 1) * view.strides[*axis];
                view.strides[*axis] = -view.strides[*axis];
            }
            Op::Windows { axis, along } => {
                let apart = view.strides[*axis];
                view.strides[*axis] = apart * along.stride as i64;
                view.strides.insert(axis + 1, apart * along.dilation as i64);
            }
            Op::StopGradient | Op::Emit { .. } => {}
            Op::Step(time) => {
                let stride = view.strides.remove(time.axis);
                if time.reversed {
                    view.offset += (from[time.axis] as i64 - 1) * stride;
                    view.step -= stride;
                } else {
                    view.step += stride;
                }
            }
            op @ (Op::Input(_)
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
            | Op::ArgSort { .. }
            | Op::Contract { .. }
            | Op::Uniform { .. }
            | Op::Gather { .. }
            | Op::ScatterAdd { .. }
            | Op::Scan(_)
            | Op::Result(_)
            | Op::SumBatch
            | Op::Orthogonalize) => unreachable!("{op:?} is no view"),
        }
    }
    Some(view)
}
