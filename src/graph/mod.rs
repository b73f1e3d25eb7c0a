//! The typed graph of tensor operations.
//!
//! In: a checked body and its numbers (`elaborate`). Out: a [`Graph`] of about thirty primitive operations on static
//! shapes, in an order in which definitions come before uses. It is first the graph of one sample; `batch` adds the
//! batch axis in front, and from there on no [`Op::SumBatch`] is left. Every node keeps the span it came from.
//!
//! The graph fixes the bits of a program: the meaning of every operation says in which order it adds up.
//! `eval` is that meaning as code.

pub mod batch;
mod build;
pub mod elaborate;
pub mod eval;
pub mod hoist;
mod intern;
pub mod print;
pub mod scan;
pub mod simplify;
pub mod stabilize;
pub mod verify;
pub mod windows;

pub use build::Builder;
pub use scan::{Scan, Time};

use crate::source::Span;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A value in a [`Graph`]; prints as `%3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The node at that place of [`Graph::nodes`].
    pub(crate) fn from_index(index: usize) -> NodeId {
        NodeId(index as u32)
    }
}

/// The element type of a tensor. Every element takes four bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// 32-bit two's complement; categories, counters, random bits.
    I32,
    /// A truth value, stored as the integers 0 and 1.
    Bool,
}

/// Element type and shape; a scalar has no axes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// The element type.
    pub dtype: DType,
    /// The extents, outermost first.
    pub shape: Vec<usize>,
}

impl TensorType {
    /// A tensor of f32.
    pub fn f32(shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType { dtype: DType::F32, shape: shape.into() }
    }

    /// A tensor of i32.
    pub fn i32(shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType { dtype: DType::I32, shape: shape.into() }
    }

    /// A tensor of truth values.
    pub fn bool(shape: impl Into<Vec<usize>>) -> TensorType {
        TensorType { dtype: DType::Bool, shape: shape.into() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an extent is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same shape with another element type.
    pub fn with_dtype(&self, dtype: DType) -> TensorType {
        TensorType { dtype, shape: self.shape.clone() }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.dtype {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::Bool => "bool",
        })?;
        f.debug_list().entries(&self.shape).finish()
    }
}

/// Elementwise functions of one operand, `f32 -> f32` unless said otherwise. Their bits are those of `numerics`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Unary {
    /// `-x`; also of i32.
    Neg,
    /// `|x|`.
    Abs,
    /// −1, 0 or 1; NaN stays NaN.
    Sign,
    /// The largest whole number not above.
    Floor,
    /// The smallest whole number not below.
    Ceil,
    /// The nearest whole number, ties to even.
    Round,
    /// The square root, correctly rounded.
    Sqrt,
    /// e^x.
    Exp,
    /// The natural logarithm.
    Log,
    /// log(1 + x).
    Log1p,
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The hyperbolic tangent.
    Tanh,
    /// The error function.
    Erf,
    /// 1 / (1 + e^−x), without overflow.
    Sigmoid,
    /// log(1 + e^x) = max(x, 0) + log1p(e^−|x|); its derivative is the sigmoid everywhere.
    Softplus,
    /// Of bool.
    Not,
}

/// Elementwise functions of two operands; one of them may have a shape that is a suffix of the other's (a scalar is).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Binary {
    /// `a + b`, f32 or i32 (wrapping).
    Add,
    /// `a - b`, f32 or i32 (wrapping).
    Sub,
    /// `a * b`, f32 or i32 (wrapping).
    Mul,
    /// `a / b`, f32.
    Div,
    /// `a ^ b`, f32.
    Pow,
    /// `if a > b then a else b`; f32 or i32. At a tie, and where `a` is NaN, it is `b`.
    Max,
    /// `if a < b then a else b`; f32 or i32. At a tie, and where `a` is NaN, it is `b`.
    Min,
    /// `a == b` of f32, i32 or bool, gives bool.
    Eq,
    /// `a != b`, gives bool.
    Ne,
    /// `a < b`, gives bool; false with a NaN.
    Lt,
    /// `a <= b`, gives bool; false with a NaN.
    Le,
    /// `a > b`, gives bool; false with a NaN.
    Gt,
    /// `a >= b`, gives bool; false with a NaN.
    Ge,
    /// Of bool.
    And,
    /// Of bool.
    Or,
}

/// How [`Op::Reduce`] combines. Each step is the [`Binary`] of the same name, accumulator on the left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reduction {
    /// From 0.
    Sum,
    /// From 1.
    Prod,
    /// From −∞.
    Max,
    /// From +∞.
    Min,
}

/// A scalar written into the program.
#[derive(Clone, Copy, Debug)]
pub enum Scalar {
    /// A number.
    F32(f32),
    /// A whole number.
    I32(i32),
    /// A truth value.
    Bool(bool),
}

impl Scalar {
    /// Its element type.
    pub fn dtype(self) -> DType {
        match self {
            Scalar::F32(_) => DType::F32,
            Scalar::I32(_) => DType::I32,
            Scalar::Bool(_) => DType::Bool,
        }
    }

    /// Its four bytes as stored: f32 by its bits, bool as 0 or 1. Two scalars are the same if dtype and bits are.
    pub fn bits(self) -> u32 {
        match self {
            Scalar::F32(x) => x.to_bits(),
            Scalar::I32(x) => x as u32,
            Scalar::Bool(x) => u32::from(x),
        }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.dtype() == other.dtype() && self.bits() == other.bits()
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.dtype(), self.bits()).hash(state);
    }
}

/// What a [`Node`] computes from its operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// The graph's input of that number; no operands.
    Input(usize),
    /// A scalar `[]`; no operands.
    Constant(Scalar),
    /// i32 of the node's shape, each element its index along `axis`; no operands.
    Iota {
        /// The axis counted along.
        axis: usize,
    },
    /// Elementwise of one operand.
    Unary(Unary),
    /// Elementwise of two operands; result shape is the longer one.
    Binary(Binary),
    /// `(condition: bool, a, b)`: elementwise choice; each operand's shape is a suffix of the result's.
    Select,
    /// Elementwise to the node's element type: f32 to i32 truncates (saturating, NaN to 0), i32 and bool to f32
    /// are exact or rounded to even, anything to bool is `!= 0`.
    Convert,
    /// `axes[i]` is the axis of the result that axis `i` of the operand becomes (strictly increasing, equal extents);
    /// the other axes repeat the operand.
    Broadcast {
        /// The place of each operand axis in the result.
        axes: Vec<usize>,
    },
    /// The same elements in row-major order under another shape.
    Reshape,
    /// Axis `i` of the result is axis `permutation[i]` of the operand.
    Transpose {
        /// Where each axis comes from.
        permutation: Vec<usize>,
    },
    /// Per axis the elements `start..end` of the operand.
    Slice {
        /// The first, per axis.
        start: Vec<usize>,
        /// One past the last, per axis.
        end: Vec<usize>,
    },
    /// The operand with zeros (`false`) before and behind, per axis.
    Pad {
        /// How many before, per axis.
        low: Vec<usize>,
        /// How many behind, per axis.
        high: Vec<usize>,
    },
    /// The operands one behind the other along `axis`.
    Concat {
        /// The axis joined along.
        axis: usize,
    },
    /// The operand backwards along `axis`.
    Reverse {
        /// The axis.
        axis: usize,
    },
    /// Axis `axis` of the operand as windows: two axes, of which the first counts the windows that lie within the operand and the second the
    /// elements of each. Element k of window o is element `o · stride + k · dilation`.
    Windows {
        /// The axis of the operand.
        axis: usize,
        /// How they lie.
        along: windows::Along,
    },
    /// Combines the contiguous run of axes `axis..axis + count` (at least one), which disappear; f32 or i32.
    ///
    /// Let R be the number of combined elements. Where the run ends at the last axis (axes of extent 1 behind it not
    /// counted) and R ≥ 16: sixteen partial results, element r (row-major) goes to partial r mod 16, each starting from the
    /// reduction's start; then pairwise: p\[i\] with p\[i + 8\], then + 4, + 2, + 1. Else one after the other.
    Reduce {
        /// How.
        kind: Reduction,
        /// The first axis of the run.
        axis: usize,
        /// The number of axes.
        count: usize,
    },
    /// The index (i32) of the largest element along `axis`, which disappears; the first at a tie; comparisons with NaN are
    /// false, so a NaN is chosen only where it comes first.
    ArgMax {
        /// The axis.
        axis: usize,
    },
    /// As [`Op::ArgMax`] for the smallest.
    ArgMin {
        /// The axis.
        axis: usize,
    },
    /// The order of the elements along `axis`: element i of the result is the index (i32) of the element that is the i-th least,
    /// or with `descending` the i-th greatest; of equal ones the first comes first. −0 and 0 are equal, NaN comes last either way.
    ArgSort {
        /// The axis.
        axis: usize,
        /// Whether the greatest comes first.
        descending: bool,
    },
    /// The product of two f32 operands over pairs of axes. The result has the batch axes (in the order given), then the
    /// free axes of the left, then those of the right, each in its operand's order.
    ///
    /// Let K be the product of the contracted extents, k the row-major index over them in the order given. Where the left
    /// or the right has no free axis of extent above 1, the contracted axes are the last of both operands (axes
    /// of extent 1 not counted) in ascending order, and K ≥ 16: sixteen partial sums, k goes to partial k mod 16 by `fma`, then pairwise as
    /// for [`Op::Reduce`]. Else in blocks, the [`Boxes`](crate::numerics::boxes::Boxes) of at most [`CONTRACT_BLOCK`] elements over the
    /// contracted extents (of one axis: so many along it): each block by `fma` in sequence from 0, the blocks added in sequence to the
    /// first (which is not added to a 0).
    Contract {
        /// Pairs of axes (left, right) that stay and run together.
        batch: Vec<(usize, usize)>,
        /// Pairs of axes (left, right) that are summed over.
        contract: Vec<(usize, usize)>,
    },
    /// `(table: [b.., k, r..], indices: i32[b.., i..])`, of the first `batch` axes in common: `[b.., i.., r..]`, for each index
    /// the row of the table it names. An index below 0 counts as 0, one beyond the table as its last; of a table without rows the
    /// result is 0.
    Gather {
        /// How many leading axes the operands share.
        batch: usize,
    },
    /// `(indices: i32[b.., i..], updates: [b.., i.., r..])`, f32: the node's shape `[b.., k, r..]`, each row from 0 plus the updates whose
    /// index names it, one after the other in the order of the indices. Indices count as for [`Op::Gather`].
    ScatterAdd {
        /// How many leading axes the operands share.
        batch: usize,
    },
    /// A loop over time, see [`scan`]; f32 of no elements.
    Scan(Arc<Scan>),
    /// `(scan)`: the result of that number.
    Result(usize),
    /// The operand at the step of the loop that the graph is the region of; the axis disappears. Only where a plan is made.
    Step(Time),
    /// The operand, which lies in memory at the current step's place of a sequence of so many steps. Only where a plan is made.
    Emit {
        /// The place.
        time: Time,
        /// The number of steps.
        extent: usize,
    },
    /// `(seed: i32[2], step: i32[])`: uniform f32 in \[0, 1) of the node's shape. Element e (row-major) is word
    /// `e mod 4` of Philox4x32-10 with key `seed` and counter `(e / 4, step, purpose, 0)`, its upper 24 bits times 2^−24.
    Uniform {
        /// Tells the uses of one step apart.
        purpose: u32,
    },
    /// The operand; no gradient flows through.
    StopGradient,
    /// The operand summed over the batch, as [`Op::Reduce`] over a new leading axis would. Only before `batch`.
    SumBatch,
    /// The operand `[m, n]` made orthonormal: columns where m ≥ n, else rows, by modified Gram–Schmidt in sequence. Only in
    /// the graph of an initialisation, which `eval` runs.
    Orthogonalize,
}

/// The greatest length of the blocks that a long contraction is added up in.
pub const CONTRACT_BLOCK: usize = 256;

/// The number of interleaved partial sums of a long contiguous reduction.
pub const PARTIALS: usize = 16;

/// An operation applied.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// From what.
    pub operands: Vec<NodeId>,
    /// The type of the result.
    pub ty: TensorType,
    /// Where it was written.
    pub origin: Span,
}

/// What an input of a graph is to the program around it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Role {
    /// A field of the data, or the sample weights: one row per sample (has the batch axis after `batch`).
    Data,
    /// A trainable parameter.
    Param,
    /// A state of a layer or of the optimizer.
    State,
    /// A number of the step: the rate, the step, the seed.
    Setting,
}

/// An input of a graph.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Input {
    /// Its name: the field's, the parameter's path, or `lr`, `step`, `seed`.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its type.
    pub ty: TensorType,
}

/// An output of a graph.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value.
    pub node: NodeId,
    /// The input (by number) whose memory receives the value: a parameter or state that is updated in place.
    pub updates: Option<usize>,
}

/// A tensor program: straight-line, definitions before uses.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Graph {
    /// Its name as dumps show it: `Simple.train`.
    pub name: String,
    /// The batch size after `batch`.
    pub batch: Option<usize>,
    /// Its inputs; [`Op::Input`] refers to them by index.
    pub inputs: Vec<Input>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// What it gives.
    pub outputs: Vec<Output>,
}

impl std::ops::Index<NodeId> for Graph {
    type Output = Node;
    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl Graph {
    /// The ids of all nodes in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The number of the input of that name.
    pub fn input(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    /// The number of the output of that name.
    pub fn output(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|output| output.name == name)
    }
}

/// Whether `suffix` is `shape` or the end of it, as elementwise operations allow.
pub fn is_suffix(suffix: &[usize], shape: &[usize]) -> bool {
    shape.ends_with(suffix)
}
