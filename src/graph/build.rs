//! Building a graph node by node, each with its shape.
//!
//! A wrong shape here is a bug of the compiler: the checker has seen to the user's. The builder panics with the operation.

use super::{
    Binary, DType, Graph, Input, Node, NodeId, Op, Output, Reduction, Role, Scalar, TensorType, Unary, is_suffix,
};
use crate::source::Span;

/// Appends nodes to a [`Graph`].
#[derive(Clone, Debug)]
pub struct Builder {
    /// What was built so far.
    pub graph: Graph,
    /// The origin that new nodes get.
    pub origin: Span,
}

impl Builder {
    /// An empty graph of that name.
    pub fn new(name: impl Into<String>) -> Builder {
        Builder { graph: Graph { name: name.into(), ..Graph::default() }, origin: Span::default() }
    }

    /// Goes on with a graph.
    pub fn on(graph: Graph) -> Builder {
        Builder { graph, origin: Span::default() }
    }

    /// The type of a node.
    pub fn ty(&self, node: NodeId) -> &TensorType {
        &self.graph[node].ty
    }

    /// The shape of a node.
    pub fn shape(&self, node: NodeId) -> &[usize] {
        &self.graph[node].ty.shape
    }

    /// A node as it stands; the other methods work the type out.
    pub fn push(&mut self, op: Op, operands: Vec<NodeId>, ty: TensorType) -> NodeId {
        let id = NodeId(self.graph.nodes.len() as u32);
        self.graph.nodes.push(Node { op, operands, ty, origin: self.origin });
        id
    }

    /// A new input.
    pub fn input(&mut self, name: impl Into<String>, role: Role, ty: TensorType) -> NodeId {
        let number = self.graph.inputs.len();
        self.graph.inputs.push(Input { name: name.into(), role, ty: ty.clone() });
        self.push(Op::Input(number), Vec::new(), ty)
    }

    /// A new output.
    pub fn output(&mut self, name: impl Into<String>, node: NodeId) {
        self.graph.outputs.push(Output { name: name.into(), node, updates: None });
    }

    /// A new output that replaces the input `input`, which must be an [`Op::Input`] of the same type.
    pub fn update(&mut self, input: NodeId, node: NodeId) {
        let Op::Input(number) = self.graph[input].op else { panic!("update of a node that is no input") };
        assert_eq!(self.ty(input), self.ty(node), "an update changes the type of {}", self.graph.inputs[number].name);
        let name = self.graph.inputs[number].name.clone();
        self.graph.outputs.push(Output { name, node, updates: Some(number) });
    }

    /// A scalar.
    pub fn scalar(&mut self, value: Scalar) -> NodeId {
        let ty = TensorType { dtype: value.dtype(), shape: Vec::new() };
        self.push(Op::Constant(value), Vec::new(), ty)
    }

    /// A scalar f32.
    pub fn f32(&mut self, value: f32) -> NodeId {
        self.scalar(Scalar::F32(value))
    }

    /// The index along `axis`, i32 of `shape`.
    pub fn iota(&mut self, shape: &[usize], axis: usize) -> NodeId {
        assert!(axis < shape.len(), "iota along axis {axis} of {shape:?}");
        self.push(Op::Iota { axis }, Vec::new(), TensorType::i32(shape))
    }

    /// Elementwise of one operand.
    pub fn unary(&mut self, op: Unary, x: NodeId) -> NodeId {
        let ty = self.ty(x).clone();
        let fits = match op {
            Unary::Not => ty.dtype == DType::Bool,
            Unary::Neg => ty.dtype != DType::Bool,
            _ => ty.dtype == DType::F32,
        };
        assert!(fits, "{op:?} of {ty}");
        self.push(Op::Unary(op), vec![x], ty)
    }

    /// Elementwise of two operands, one's shape a suffix of the other's.
    pub fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        let (left, right) = (self.ty(a), self.ty(b));
        assert_eq!(left.dtype, right.dtype, "{op:?} of {left} and {right}");
        let shape = if is_suffix(&right.shape, &left.shape) { left.shape.clone() } else { right.shape.clone() };
        assert!(is_suffix(&left.shape, &shape), "{op:?} of {left} and {right}");
        let dtype = match op {
            Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => DType::Bool,
            Binary::And | Binary::Or => {
                assert_eq!(left.dtype, DType::Bool, "{op:?} of {left}");
                DType::Bool
            }
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Max | Binary::Min => left.dtype,
            Binary::Div | Binary::Pow => DType::F32,
        };
        self.push(Op::Binary(op), vec![a, b], TensorType { dtype, shape })
    }

    /// `a + b`.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Add, a, b)
    }

    /// `a - b`.
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Sub, a, b)
    }

    /// `a * b`.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Mul, a, b)
    }

    /// `a / b`.
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.binary(Binary::Div, a, b)
    }

    /// `x ^ exponent`. With one of the exponents 0, ±½, ±1, ±2, ±3, ±4 it is written out as products, a root, a quotient: faster, and with
    /// a derivative at 0. (At −0 and −∞ the root differs from the power: `sqrt(-0) = -0`, `sqrt(-∞) = NaN`.)
    pub fn pow(&mut self, x: NodeId, exponent: NodeId) -> NodeId {
        let Op::Constant(Scalar::F32(number)) = self.graph[exponent].op else {
            return self.binary(Binary::Pow, x, exponent);
        };
        if !matches!(number.abs(), 0.0 | 0.5 | 1.0 | 2.0 | 3.0 | 4.0) {
            return self.binary(Binary::Pow, x, exponent);
        }
        let one = self.f32(1.0);
        if number == 0.0 {
            let shape = self.shape(x).to_vec();
            return self.broadcast_suffix(one, &shape);
        }
        let value = if number.abs() == 0.5 {
            self.unary(Unary::Sqrt, x)
        } else if number.abs() == 1.0 {
            x
        } else {
            let square = self.mul(x, x);
            match number.abs() {
                2.0 => square,
                3.0 => self.mul(square, x),
                _ => self.mul(square, square),
            }
        };
        if number < 0.0 { self.div(one, value) } else { value }
    }

    /// `-x`.
    pub fn neg(&mut self, x: NodeId) -> NodeId {
        self.unary(Unary::Neg, x)
    }

    /// `if condition then a else b`, elementwise.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        let longest = [condition, a, b].into_iter().map(|id| self.shape(id)).max_by_key(|shape| shape.len());
        let shape = longest.unwrap_or_default().to_vec();
        for id in [condition, a, b] {
            assert!(is_suffix(self.shape(id), &shape), "select of shapes {:?} and {shape:?}", self.shape(id));
        }
        assert_eq!(self.ty(condition).dtype, DType::Bool, "the condition of a select");
        assert_eq!(self.ty(a).dtype, self.ty(b).dtype, "the branches of a select");
        let dtype = self.ty(a).dtype;
        self.push(Op::Select, vec![condition, a, b], TensorType { dtype, shape })
    }

    /// To another element type; nothing where it is the same.
    pub fn convert(&mut self, x: NodeId, dtype: DType) -> NodeId {
        if self.ty(x).dtype == dtype {
            return x;
        }
        let ty = self.ty(x).with_dtype(dtype);
        self.push(Op::Convert, vec![x], ty)
    }

    /// `x` repeated to `shape`; `axes[i]` is where its axis `i` goes. Nothing where the shape is the same.
    pub fn broadcast(&mut self, x: NodeId, shape: &[usize], axes: &[usize]) -> NodeId {
        assert_eq!(axes.len(), self.shape(x).len(), "broadcast needs a place for every axis");
        assert!(axes.is_sorted_by(|a, b| a < b), "broadcast axes must increase: {axes:?}");
        for (i, &axis) in axes.iter().enumerate() {
            assert_eq!(self.shape(x)[i], shape[axis], "broadcast changes an extent");
        }
        if self.shape(x) == shape {
            return x;
        }
        let ty = TensorType { dtype: self.ty(x).dtype, shape: shape.to_vec() };
        self.push(Op::Broadcast { axes: axes.to_vec() }, vec![x], ty)
    }

    /// `x`, whose shape is a suffix of `shape`, repeated to it.
    pub fn broadcast_suffix(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        let axes: Vec<usize> = (shape.len() - self.shape(x).len()..shape.len()).collect();
        self.broadcast(x, shape, &axes)
    }

    /// The same elements under another shape; nothing where it is the same.
    pub fn reshape(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        assert_eq!(self.ty(x).len(), shape.iter().product::<usize>(), "reshape of {} to {shape:?}", self.ty(x));
        if self.shape(x) == shape {
            return x;
        }
        let ty = TensorType { dtype: self.ty(x).dtype, shape: shape.to_vec() };
        self.push(Op::Reshape, vec![x], ty)
    }

    /// Axis `i` of the result is axis `permutation[i]` of `x`; nothing where that is the identity.
    pub fn transpose(&mut self, x: NodeId, permutation: &[usize]) -> NodeId {
        let mut seen: Vec<usize> = permutation.to_vec();
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..self.shape(x).len()), "{permutation:?} is no permutation of {}", self.ty(x));
        if permutation.is_sorted() {
            return x;
        }
        let shape = permutation.iter().map(|&axis| self.shape(x)[axis]).collect();
        let ty = TensorType { dtype: self.ty(x).dtype, shape };
        self.push(Op::Transpose { permutation: permutation.to_vec() }, vec![x], ty)
    }

    /// Per axis the elements `start..end`.
    pub fn slice(&mut self, x: NodeId, start: &[usize], end: &[usize]) -> NodeId {
        let extents = self.shape(x);
        assert!(start.len() == extents.len() && end.len() == extents.len(), "slice needs bounds for every axis");
        assert!(
            (0..start.len()).all(|i| start[i] <= end[i] && end[i] <= extents[i]),
            "slice {start:?}..{end:?} of {extents:?}"
        );
        let shape: Vec<usize> = start.iter().zip(end).map(|(a, b)| b - a).collect();
        if shape == extents {
            return x;
        }
        let ty = TensorType { dtype: self.ty(x).dtype, shape };
        self.push(Op::Slice { start: start.to_vec(), end: end.to_vec() }, vec![x], ty)
    }

    /// Zeros before and behind, per axis.
    pub fn pad(&mut self, x: NodeId, low: &[usize], high: &[usize]) -> NodeId {
        let extents = self.shape(x);
        assert!(low.len() == extents.len() && high.len() == extents.len(), "pad needs widths for every axis");
        if low.iter().chain(high).all(|&width| width == 0) {
            return x;
        }
        let shape = extents.iter().zip(low.iter().zip(high)).map(|(n, (a, b))| n + a + b).collect();
        let ty = TensorType { dtype: self.ty(x).dtype, shape };
        self.push(Op::Pad { low: low.to_vec(), high: high.to_vec() }, vec![x], ty)
    }

    /// One behind the other along `axis`; at least one operand.
    pub fn concat(&mut self, operands: &[NodeId], axis: usize) -> NodeId {
        if let [only] = operands {
            return *only;
        }
        let mut ty = self.ty(operands[0]).clone();
        ty.shape[axis] = 0;
        for &operand in operands {
            let other = self.ty(operand);
            let fits = other.dtype == ty.dtype
                && other.rank() == ty.rank()
                && (0..ty.rank()).all(|i| i == axis || other.shape[i] == ty.shape[i]);
            assert!(fits, "concat of {other} along axis {axis}");
            ty.shape[axis] += self.shape(operand)[axis];
        }
        self.push(Op::Concat { axis }, operands.to_vec(), ty)
    }

    /// Backwards along `axis`.
    pub fn reverse(&mut self, x: NodeId, axis: usize) -> NodeId {
        let ty = self.ty(x).clone();
        assert!(axis < ty.rank(), "reverse along axis {axis} of {ty}");
        self.push(Op::Reverse { axis }, vec![x], ty)
    }

    /// Combines the axes of the list (ascending), which disappear, one contiguous run at a time from the last to the first.
    pub fn reduce(&mut self, kind: Reduction, x: NodeId, axes: &[usize]) -> NodeId {
        assert!(
            axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|&axis| axis < self.shape(x).len()),
            "reduce axes {axes:?}"
        );
        let mut value = x;
        let mut rest = axes;
        while let Some((&last, _)) = rest.split_last() {
            let mut first = last;
            rest = &rest[..rest.len() - 1];
            while rest.last().is_some_and(|&axis| axis + 1 == first) {
                first -= 1;
                rest = &rest[..rest.len() - 1];
            }
            let mut ty = self.ty(value).clone();
            ty.shape.drain(first..=last);
            value = self.push(Op::Reduce { kind, axis: first, count: last + 1 - first }, vec![value], ty);
        }
        value
    }

    /// The sum over the axes of the list.
    pub fn sum(&mut self, x: NodeId, axes: &[usize]) -> NodeId {
        self.reduce(Reduction::Sum, x, axes)
    }

    /// Sums `x` down to a shape that is a suffix of its own: the gradient of an elementwise stretch.
    pub fn sum_to_suffix(&mut self, x: NodeId, shape: &[usize]) -> NodeId {
        let axes: Vec<usize> = (0..self.shape(x).len() - shape.len()).collect();
        self.sum(x, &axes)
    }

    /// The index of the largest along `axis`.
    pub fn arg_max(&mut self, x: NodeId, axis: usize) -> NodeId {
        let mut shape = self.shape(x).to_vec();
        shape.remove(axis);
        self.push(Op::ArgMax { axis }, vec![x], TensorType::i32(shape))
    }

    /// The index of the smallest along `axis`.
    pub fn arg_min(&mut self, x: NodeId, axis: usize) -> NodeId {
        let mut shape = self.shape(x).to_vec();
        shape.remove(axis);
        self.push(Op::ArgMin { axis }, vec![x], TensorType::i32(shape))
    }

    /// The order of the elements along `axis`, see [`Op::ArgSort`].
    pub fn arg_sort(&mut self, x: NodeId, axis: usize, descending: bool) -> NodeId {
        let ty = self.ty(x).with_dtype(DType::I32);
        self.push(Op::ArgSort { axis, descending }, vec![x], ty)
    }

    /// The product over pairs of axes, see [`Op::Contract`].
    pub fn contract(&mut self, a: NodeId, b: NodeId, batch: &[(usize, usize)], contract: &[(usize, usize)]) -> NodeId {
        let (left, right) = (self.shape(a), self.shape(b));
        for &(i, j) in batch.iter().chain(contract) {
            assert_eq!(left[i], right[j], "contract of {left:?} and {right:?} over {batch:?} {contract:?}");
        }
        let used =
            |pick: fn(&(usize, usize)) -> usize| -> Vec<usize> { batch.iter().chain(contract).map(pick).collect() };
        let (used_left, used_right) = (used(|pair| pair.0), used(|pair| pair.1));
        let mut shape: Vec<usize> = batch.iter().map(|pair| left[pair.0]).collect();
        shape.extend((0..left.len()).filter(|axis| !used_left.contains(axis)).map(|axis| left[axis]));
        shape.extend((0..right.len()).filter(|axis| !used_right.contains(axis)).map(|axis| right[axis]));
        let op = Op::Contract { batch: batch.to_vec(), contract: contract.to_vec() };
        self.push(op, vec![a, b], TensorType::f32(shape))
    }

    /// The rows of `table` that `indices` name, see [`Op::Gather`].
    pub fn gather(&mut self, table: NodeId, indices: NodeId, batch: usize) -> NodeId {
        let (rows, places) = (self.shape(table), self.shape(indices));
        assert!(rows.len() > batch && places.len() >= batch && rows[..batch] == places[..batch], "gather of a table");
        let ty = TensorType { dtype: self.ty(table).dtype, shape: [places, &rows[batch + 1..]].concat() };
        self.push(Op::Gather { batch }, vec![table, indices], ty)
    }

    /// `updates` added up by the rows that `indices` name, of `rows` rows; see [`Op::ScatterAdd`].
    pub fn scatter_add(&mut self, indices: NodeId, updates: NodeId, batch: usize, rows: usize) -> NodeId {
        let (places, parts) = (self.shape(indices), self.shape(updates));
        assert!(places.len() >= batch && parts.starts_with(places), "scatter_add of {parts:?} at {places:?}");
        let shape = [&places[..batch], &[rows], &parts[places.len()..]].concat();
        self.push(Op::ScatterAdd { batch }, vec![indices, updates], TensorType::f32(shape))
    }

    /// Uniform in \[0, 1).
    pub fn uniform(&mut self, seed: NodeId, step: NodeId, purpose: u32, shape: &[usize]) -> NodeId {
        self.push(Op::Uniform { purpose }, vec![seed, step], TensorType::f32(shape))
    }

    /// `x` without its gradient.
    pub fn stop_gradient(&mut self, x: NodeId) -> NodeId {
        let ty = self.ty(x).clone();
        self.push(Op::StopGradient, vec![x], ty)
    }

    /// `x` summed over the batch.
    pub fn sum_batch(&mut self, x: NodeId) -> NodeId {
        let ty = self.ty(x).clone();
        self.push(Op::SumBatch, vec![x], ty)
    }

    /// `x: [m, n]` made orthonormal.
    pub fn orthogonalize(&mut self, x: NodeId) -> NodeId {
        let ty = self.ty(x).clone();
        assert_eq!(ty.rank(), 2, "orthogonalize of {ty}");
        self.push(Op::Orthogonalize, vec![x], ty)
    }
}
