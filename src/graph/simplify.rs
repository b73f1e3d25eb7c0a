//! Constant folding, algebraic identities, common subexpressions, dead code.
//!
//! In: a graph. Out: a graph with the same inputs and outputs that computes the same bits with fewer nodes. Every identity
//! holds for all values: for infinities, for both zeros, and for NaN (of which the language fixes neither sign nor
//! payload). So `x * 1` is `x`, but `x + 0` stays (it turns −0 into 0), as do `x * 0` and `x - x` (they keep a NaN).
//!
//! Nodes are built again from first to last, each by a constructor that looks at what its operands have become.

mod loops;

use super::eval;
use super::intern::Interner;
use super::windows::Along;
use super::{Binary, Builder, DType, Graph, Node, NodeId, Op, Output, Reduction, Scalar, TensorType, Unary, verify};
use crate::numerics::sums::contracts_interleaved;

/// The graph simplified, before differentiation: what stops gradients stays.
pub fn simplify(graph: &Graph) -> Graph {
    rebuild(graph, false)
}

/// The graph simplified, when all gradients have been taken.
pub fn simplify_differentiated(graph: &Graph) -> Graph {
    rebuild(graph, true)
}

fn rebuild(graph: &Graph, differentiated: bool) -> Graph {
    let mut simplifier = Simplifier { interner: Interner::like(graph), differentiated };
    let mut values: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        simplifier.interner.builder.origin = node.origin;
        let operands = node.operands.iter().map(|&operand| values[operand.0 as usize]).collect();
        values.push(simplifier.node(node.op.clone(), operands, node.ty.clone()));
    }
    let mut result = simplifier.interner.builder.graph;
    result.outputs = (graph.outputs.iter())
        .map(|output| Output { node: values[output.node.0 as usize], ..output.clone() })
        .collect();
    let result = sweep(&super::scan::prune(&sweep(&result)));
    verify::check(&result, "simplify");
    result
}

/// The graph without the nodes that no output needs. The list of inputs stays.
pub fn sweep(graph: &Graph) -> Graph {
    let mut needed = vec![false; graph.nodes.len()];
    for output in &graph.outputs {
        needed[output.node.0 as usize] = true;
    }
    for id in graph.ids().rev() {
        if needed[id.0 as usize] {
            graph[id].operands.iter().for_each(|operand| needed[operand.0 as usize] = true);
        }
    }
    let mut places = vec![NodeId(0); graph.nodes.len()];
    let mut nodes: Vec<Node> = Vec::new();
    for id in graph.ids().filter(|id| needed[id.0 as usize]) {
        places[id.0 as usize] = NodeId(nodes.len() as u32);
        let operands = graph[id].operands.iter().map(|operand| places[operand.0 as usize]).collect();
        nodes.push(Node { operands, ..graph[id].clone() });
    }
    let outputs = (graph.outputs.iter())
        .map(|output| Output { node: places[output.node.0 as usize], ..output.clone() })
        .collect();
    Graph { name: graph.name.clone(), batch: graph.batch, inputs: graph.inputs.clone(), nodes, outputs }
}

struct Simplifier {
    interner: Interner,
    /// Whether [`Op::StopGradient`] has done its work.
    differentiated: bool,
}

impl Simplifier {
    /// The value of that operation, or of a simpler one that gives the same bits.
    fn node(&mut self, op: Op, operands: Vec<NodeId>, ty: TensorType) -> NodeId {
        let simpler = match &op {
            Op::Input(_)
            | Op::Constant(_)
            | Op::Iota { .. }
            | Op::Uniform { .. }
            | Op::Gather { .. }
            | Op::ScatterAdd { .. }
            | Op::Step(_)
            | Op::Emit { .. }
            | Op::SumBatch
            | Op::Orthogonalize => None,
            Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Convert => return self.elementwise(op, operands, ty),
            Op::Broadcast { axes } => self.broadcast(operands[0], axes, &ty),
            Op::Reshape => self.reshape(operands[0], &ty),
            Op::Transpose { permutation } => self.transpose(operands[0], permutation, &ty),
            Op::Slice { start, end } => self.slice(operands[0], start, end, &ty),
            Op::Pad { low, high } => self.pad(operands[0], low, high, &ty),
            Op::Concat { axis } => self.concat(&operands, *axis, &ty),
            Op::Reverse { axis } => self.reverse(operands[0], *axis, &ty),
            Op::Windows { axis, along } => self.windows(operands[0], *axis, *along, &ty),
            Op::Reduce { kind, axis, count } => self.reduce(*kind, operands[0], *axis..axis + count, &ty),
            Op::ArgMax { .. } | Op::ArgMin { .. } | Op::ArgSort { .. } => None,
            Op::Contract { batch, contract } => self.contract(&operands, batch, contract, &ty),
            Op::StopGradient => self.stop_gradient(operands[0]),
            Op::Scan(scan) => return self.scan(scan, &operands),
            Op::Result(number) => self.result(*number, operands[0], &ty),
        };
        simpler.unwrap_or_else(|| self.interner.push(op, operands, ty))
    }

    fn elementwise(&mut self, op: Op, mut operands: Vec<NodeId>, ty: TensorType) -> NodeId {
        if let Some(scalars) = operands.iter().map(|&id| self.scalar(id)).collect::<Option<Vec<_>>>() {
            return self.interner.push(Op::Constant(fold(&op, &scalars, &ty)), Vec::new(), ty);
        }
        if let Some(value) = self.sink(&op, &operands, &ty) {
            return value;
        }
        if operands.len() > 1 {
            for place in 0..operands.len() {
                let full = |(other, &id): (usize, &NodeId)| other != place && self.interner.shape(id) == ty.shape;
                if let Some(source) = self.stretched(operands[place])
                    && operands.iter().enumerate().any(full)
                {
                    operands[place] = source;
                }
            }
            if let Some(value) = self.sink(&op, &operands, &ty) {
                return value;
            }
        }
        let simpler = match op {
            Op::Unary(unary) => self.unary(unary, operands[0], &ty),
            Op::Binary(binary) => match ty.dtype {
                DType::F32 => self.binary_f32(binary, operands[0], operands[1], &ty),
                DType::I32 => self.binary_i32(binary, operands[0], operands[1]),
                DType::Bool => self.binary_bool(binary, operands[0], operands[1]),
            },
            Op::Select => self.select(operands[0], operands[1], operands[2], &ty),
            _ => None,
        };
        match simpler {
            Some(value) => self.spread(value, &ty),
            None => self.interner.push(op, operands, ty),
        }
    }

    fn scalar(&self, id: NodeId) -> Option<Scalar> {
        match self.interner.op(id) {
            Op::Constant(scalar) => Some(*scalar),
            _ => None,
        }
    }

    /// The operand of a repetition along new leading axes, which elementwise operations do by themselves.
    fn stretched(&self, id: NodeId) -> Option<NodeId> {
        let Op::Broadcast { axes } = self.interner.op(id) else { return None };
        let behind = self.interner.shape(id).len() - axes.len();
        axes.iter().enumerate().all(|(i, &axis)| axis == behind + i).then(|| self.interner.operand(id, 0))
    }

    /// Computes first and repeats then, where all operands are repeated in the same way (or scalars).
    fn sink(&mut self, op: &Op, operands: &[NodeId], ty: &TensorType) -> Option<NodeId> {
        let mut found: Option<Vec<usize>> = None;
        let mut sources = Vec::with_capacity(operands.len());
        for &operand in operands {
            match self.interner.op(operand) {
                Op::Broadcast { axes } if self.interner.shape(operand) == ty.shape => {
                    if found.as_ref().is_some_and(|other| other != axes) {
                        return None;
                    }
                    found = Some(axes.clone());
                    sources.push(self.interner.operand(operand, 0));
                }
                _ if self.interner.shape(operand).is_empty() => sources.push(operand),
                _ => return None,
            }
        }
        let axes = found?;
        let shape = axes.iter().map(|&axis| ty.shape[axis]).collect();
        let value = self.elementwise(op.clone(), sources, TensorType { dtype: ty.dtype, shape });
        Some(self.node(Op::Broadcast { axes }, vec![value], ty.clone()))
    }

    /// `value`, of which the type's shape is a stretch, with that shape.
    fn spread(&mut self, value: NodeId, ty: &TensorType) -> NodeId {
        if self.interner.shape(value) == ty.shape {
            return value;
        }
        let axes = (ty.rank() - self.interner.shape(value).len()..ty.rank()).collect();
        self.node(Op::Broadcast { axes }, vec![value], ty.clone())
    }

    fn number(&mut self, number: f32) -> NodeId {
        self.interner.push(Op::Constant(Scalar::F32(number)), Vec::new(), TensorType::f32([]))
    }

    fn is_number(&self, id: NodeId, number: f32) -> bool {
        self.interner.is_number(id, number)
    }

    fn unary(&mut self, op: Unary, x: NodeId, ty: &TensorType) -> Option<NodeId> {
        let inner = self.interner.is_unary(x, op);
        match op {
            Unary::Neg => {
                // −(x · c) = x · (−c)
                if let Some((a, b)) = self.interner.is_binary(x, Binary::Mul)
                    && let Some(Scalar::F32(factor)) = self.scalar(b)
                {
                    let factor = self.number(-factor);
                    return Some(self.elementwise(Op::Binary(Binary::Mul), vec![a, factor], ty.clone()));
                }
                inner
            }
            Unary::Not => {
                for (test, opposite) in [(Binary::Eq, Binary::Ne), (Binary::Ne, Binary::Eq)] {
                    if let Some((a, b)) = self.interner.is_binary(x, test) {
                        return Some(self.interner.push(Op::Binary(opposite), vec![a, b], ty.clone()));
                    }
                }
                inner
            }
            Unary::Abs => {
                let without_sign = self.interner.is_unary(x, Unary::Neg);
                let again = inner.map(|_| x);
                again.or_else(|| Some(self.elementwise(Op::Unary(Unary::Abs), vec![without_sign?], ty.clone())))
            }
            // Whole numbers and signs stay what they are.
            Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round => inner.map(|_| x),
            Unary::Sqrt
            | Unary::Exp
            | Unary::Log
            | Unary::Log1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sigmoid
            | Unary::Softplus => None,
        }
    }

    fn binary_f32(&mut self, op: Binary, a: NodeId, b: NodeId, ty: &TensorType) -> Option<NodeId> {
        let (minus_a, minus_b) = (self.interner.is_unary(a, Unary::Neg), self.interner.is_unary(b, Unary::Neg));
        let again = |simplifier: &mut Simplifier, op: Binary, a: NodeId, b: NodeId| {
            Some(simplifier.elementwise(Op::Binary(op), vec![a, b], ty.clone()))
        };
        match op {
            Binary::Add => match (minus_a, minus_b) {
                _ if self.is_number(a, -0.0) => Some(b),
                _ if self.is_number(b, -0.0) => Some(a),
                (_, Some(b)) => again(self, Binary::Sub, a, b),
                (Some(a), None) => again(self, Binary::Sub, b, a),
                (None, None) => None,
            },
            Binary::Sub => match minus_b {
                _ if self.is_number(b, 0.0) => Some(a),
                Some(b) => again(self, Binary::Add, a, b),
                None => None,
            },
            Binary::Mul => {
                // A constant factor stands on the right.
                if self.scalar(a).is_some() && self.scalar(b).is_none() {
                    return again(self, Binary::Mul, b, a);
                }
                if self.is_number(b, 1.0) {
                    return Some(a);
                }
                if self.is_number(a, 1.0) {
                    return Some(b);
                }
                if self.is_number(b, -1.0) {
                    let ty = self.interner.builder.ty(a).clone();
                    return Some(self.elementwise(Op::Unary(Unary::Neg), vec![a], ty));
                }
                match (minus_a, minus_b, self.scalar(b)) {
                    (Some(a), Some(b), _) => again(self, Binary::Mul, a, b),
                    (Some(a), None, Some(Scalar::F32(factor))) => {
                        let factor = self.number(-factor);
                        again(self, Binary::Mul, a, factor)
                    }
                    _ => None,
                }
            }
            Binary::Div => match self.scalar(b) {
                Some(Scalar::F32(1.0)) => Some(a),
                // Both round the same quotient, for the reciprocal of a power of two is exact.
                Some(Scalar::F32(divisor)) if has_exact_reciprocal(divisor) => {
                    let factor = self.number(1.0 / divisor);
                    again(self, Binary::Mul, a, factor)
                }
                _ => match (minus_a, minus_b) {
                    (Some(a), Some(b)) => again(self, Binary::Div, a, b),
                    _ => None,
                },
            },
            Binary::Max | Binary::Min => (a == b).then_some(a),
            Binary::Pow
            | Binary::Eq
            | Binary::Ne
            | Binary::Lt
            | Binary::Le
            | Binary::Gt
            | Binary::Ge
            | Binary::And
            | Binary::Or => None,
        }
    }

    fn binary_i32(&mut self, op: Binary, a: NodeId, b: NodeId) -> Option<NodeId> {
        let is = |id: NodeId, number: i32| self.interner.constant(id) == Some(Scalar::I32(number));
        match op {
            Binary::Add if is(a, 0) => Some(b),
            Binary::Mul if is(a, 1) => Some(b),
            Binary::Add | Binary::Sub if is(b, 0) => Some(a),
            Binary::Mul if is(b, 1) => Some(a),
            Binary::Max | Binary::Min if a == b => Some(a),
            _ => None,
        }
    }

    fn binary_bool(&mut self, op: Binary, a: NodeId, b: NodeId) -> Option<NodeId> {
        let known = |id: NodeId| match self.interner.constant(id) {
            Some(Scalar::Bool(value)) => Some(value),
            _ => None,
        };
        match op {
            Binary::And => match (known(a), known(b)) {
                (Some(true), _) | (_, Some(false)) => Some(b),
                (_, Some(true)) | (Some(false), _) => Some(a),
                (None, None) => (a == b).then_some(a),
            },
            Binary::Or => match (known(a), known(b)) {
                (Some(false), _) | (_, Some(true)) => Some(b),
                (_, Some(false)) | (Some(true), _) => Some(a),
                (None, None) => (a == b).then_some(a),
            },
            _ => None,
        }
    }

    fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId, ty: &TensorType) -> Option<NodeId> {
        if let Some(Scalar::Bool(holds)) = self.interner.constant(condition) {
            return Some(if holds { a } else { b });
        }
        if a == b {
            return Some(a);
        }
        if let Some(opposite) = self.interner.is_unary(condition, Unary::Not) {
            return Some(self.elementwise(Op::Select, vec![opposite, b, a], ty.clone()));
        }
        // A choice already made; its value must reach as far as the choice it replaces.
        let decided = |id: NodeId, branch: usize| match self.interner.op(id) {
            Op::Select if self.interner.operand(id, 0) == condition => {
                let value = self.interner.operand(id, branch);
                (self.interner.shape(value) == self.interner.shape(id)).then_some(value)
            }
            _ => None,
        };
        let (inner_a, inner_b) = (decided(a, 1), decided(b, 2));
        if inner_a.is_none() && inner_b.is_none() {
            return None;
        }
        Some(self.elementwise(Op::Select, vec![condition, inner_a.unwrap_or(a), inner_b.unwrap_or(b)], ty.clone()))
    }

    fn broadcast(&mut self, x: NodeId, axes: &[usize], ty: &TensorType) -> Option<NodeId> {
        if self.interner.shape(x) == ty.shape {
            return Some(x);
        }
        if let Op::Broadcast { axes: inner } = self.interner.op(x) {
            let axes = inner.iter().map(|&axis| axes[axis]).collect();
            let source = self.interner.operand(x, 0);
            return Some(self.node(Op::Broadcast { axes }, vec![source], ty.clone()));
        }
        // A scalar is always repeated, never reshaped, so that there is one form to look for.
        let only_units = self.interner.builder.ty(x).len() == ty.len() && !ty.is_empty() && !axes.is_empty();
        only_units.then(|| self.node(Op::Reshape, vec![x], ty.clone()))
    }

    /// A rearrangement of a repeated scalar is the scalar repeated.
    fn repeated_scalar(&mut self, x: NodeId, ty: &TensorType) -> Option<NodeId> {
        match self.interner.op(x) {
            Op::Broadcast { axes } if axes.is_empty() => {
                let scalar = self.interner.operand(x, 0);
                Some(self.node(Op::Broadcast { axes: Vec::new() }, vec![scalar], ty.clone()))
            }
            _ => None,
        }
    }

    fn reshape(&mut self, x: NodeId, ty: &TensorType) -> Option<NodeId> {
        if self.interner.shape(x) == ty.shape {
            return Some(x);
        }
        if matches!(self.interner.op(x), Op::Reshape) {
            let source = self.interner.operand(x, 0);
            return Some(self.node(Op::Reshape, vec![source], ty.clone()));
        }
        if self.interner.shape(x).is_empty() {
            return Some(self.node(Op::Broadcast { axes: Vec::new() }, vec![x], ty.clone()));
        }
        self.repeated_scalar(x, ty)
    }

    fn transpose(&mut self, x: NodeId, permutation: &[usize], ty: &TensorType) -> Option<NodeId> {
        let shape = self.interner.shape(x);
        if permutation.is_sorted() {
            return Some(x);
        }
        if permutation.iter().filter(|&&axis| shape[axis] != 1).is_sorted() {
            return Some(self.node(Op::Reshape, vec![x], ty.clone()));
        }
        match self.interner.op(x).clone() {
            Op::Transpose { permutation: inner } => {
                let source = self.interner.operand(x, 0);
                let permutation = permutation.iter().map(|&axis| inner[axis]).collect();
                Some(self.node(Op::Transpose { permutation }, vec![source], ty.clone()))
            }
            // The free axes of both sides trade places: so do the sides.
            Op::Contract { batch, contract } => {
                let (a, b) = (self.interner.operand(x, 0), self.interner.operand(x, 1));
                let first = batch.len();
                let split = self.interner.shape(a).len() - contract.len();
                let traded: Vec<usize> = (0..first).chain(split..ty.rank()).chain(first..split).collect();
                let swap = |pairs: Vec<(usize, usize)>| pairs.into_iter().map(|(i, j)| (j, i)).collect();
                (permutation == traded).then(|| {
                    self.node(Op::Contract { batch: swap(batch), contract: swap(contract) }, vec![b, a], ty.clone())
                })
            }
            _ => self.repeated_scalar(x, ty),
        }
    }

    fn slice(&mut self, x: NodeId, start: &[usize], end: &[usize], ty: &TensorType) -> Option<NodeId> {
        if self.interner.shape(x) == ty.shape {
            return Some(x);
        }
        let shift =
            |bounds: &[usize], by: &[usize]| -> Vec<usize> { bounds.iter().zip(by).map(|(a, b)| a + b).collect() };
        let back =
            |bounds: &[usize], by: &[usize]| -> Vec<usize> { bounds.iter().zip(by).map(|(a, b)| a - b).collect() };
        match self.interner.op(x).clone() {
            Op::Slice { start: inner, .. } => {
                let source = self.interner.operand(x, 0);
                let op = Op::Slice { start: shift(start, &inner), end: shift(end, &inner) };
                Some(self.node(op, vec![source], ty.clone()))
            }
            Op::Pad { low, .. } => {
                let source = self.interner.operand(x, 0);
                let behind = shift(self.interner.shape(source), &low);
                let inside = (0..start.len()).all(|i| low[i] <= start[i] && end[i] <= behind[i]);
                inside.then(|| {
                    let op = Op::Slice { start: back(start, &low), end: back(end, &low) };
                    self.node(op, vec![source], ty.clone())
                })
            }
            Op::Concat { axis } => {
                let parts = self.interner.builder.graph[x].operands.clone();
                let mut first = vec![0; start.len()];
                for part in parts {
                    let extent = self.interner.shape(part)[axis];
                    if first[axis] <= start[axis] && end[axis] <= first[axis] + extent {
                        let op = Op::Slice { start: back(start, &first), end: back(end, &first) };
                        return Some(self.node(op, vec![part], ty.clone()));
                    }
                    first[axis] += extent;
                }
                None
            }
            _ => self.repeated_scalar(x, ty),
        }
    }

    fn pad(&mut self, x: NodeId, low: &[usize], high: &[usize], ty: &TensorType) -> Option<NodeId> {
        if self.interner.shape(x) == ty.shape {
            return Some(x);
        }
        if self.interner.constant(x).is_some_and(|scalar| scalar.bits() == 0) {
            let zero = match ty.dtype {
                DType::F32 => Scalar::F32(0.0),
                DType::I32 => Scalar::I32(0),
                DType::Bool => Scalar::Bool(false),
            };
            let zero =
                self.interner.push(Op::Constant(zero), Vec::new(), TensorType { dtype: ty.dtype, shape: Vec::new() });
            return Some(self.spread(zero, ty));
        }
        if let Op::Transpose { permutation } = self.interner.op(x).clone() {
            return Some(self.pad_transposed(x, &permutation, low, high, ty));
        }
        let Op::Pad { low: inner_low, high: inner_high } = self.interner.op(x).clone() else { return None };
        let sum = |a: &[usize], b: &[usize]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let source = self.interner.operand(x, 0);
        Some(self.node(Op::Pad { low: sum(low, &inner_low), high: sum(high, &inner_high) }, vec![source], ty.clone()))
    }

    /// Zeros around a transposed tensor are written around it as it lies.
    fn pad_transposed(
        &mut self,
        x: NodeId,
        permutation: &[usize],
        low: &[usize],
        high: &[usize],
        ty: &TensorType,
    ) -> NodeId {
        let back = |list: &[usize]| -> Vec<usize> {
            let mut result = vec![0; list.len()];
            permutation.iter().zip(list).for_each(|(&axis, &number)| result[axis] = number);
            result
        };
        let source = self.interner.operand(x, 0);
        let inner = TensorType { dtype: ty.dtype, shape: back(&ty.shape) };
        let padded = self.node(Op::Pad { low: back(low), high: back(high) }, vec![source], inner);
        self.node(Op::Transpose { permutation: permutation.to_vec() }, vec![padded], ty.clone())
    }

    /// Windows of a transposed tensor are those of the tensor, transposed.
    fn windows(&mut self, x: NodeId, axis: usize, along: Along, ty: &TensorType) -> Option<NodeId> {
        let Op::Transpose { permutation } = self.interner.op(x).clone() else { return self.repeated_scalar(x, ty) };
        let source = self.interner.operand(x, 0);
        let at = permutation[axis];
        let mut moved: Vec<usize> = permutation.iter().map(|&place| place + usize::from(place > at)).collect();
        moved.insert(axis + 1, at + 1);
        let mut shape = vec![0; moved.len()];
        moved.iter().zip(&ty.shape).for_each(|(&place, &extent)| shape[place] = extent);
        let inner = TensorType { dtype: ty.dtype, shape };
        let windows = self.node(Op::Windows { axis: at, along }, vec![source], inner);
        Some(self.node(Op::Transpose { permutation: moved }, vec![windows], ty.clone()))
    }

    fn concat(&mut self, operands: &[NodeId], axis: usize, ty: &TensorType) -> Option<NodeId> {
        let mut parts = Vec::new();
        for &operand in operands {
            match self.interner.op(operand) {
                Op::Concat { axis: inner } if *inner == axis => {
                    parts.extend(self.interner.builder.graph[operand].operands.iter().copied());
                }
                _ if self.interner.shape(operand)[axis] == 0 => {}
                _ => parts.push(operand),
            }
        }
        match parts[..] {
            [] => None,
            [only] => Some(only),
            _ if parts == operands => None,
            _ => Some(self.interner.push(Op::Concat { axis }, parts, ty.clone())),
        }
    }

    fn reverse(&mut self, x: NodeId, axis: usize, ty: &TensorType) -> Option<NodeId> {
        match self.interner.op(x) {
            _ if ty.shape[axis] == 1 => Some(x),
            Op::Reverse { axis: inner } if *inner == axis => Some(self.interner.operand(x, 0)),
            _ => self.repeated_scalar(x, ty),
        }
    }

    /// Of a single element per result nothing is left to combine but the start, and that matters for sums: 0 + (−0) = 0.
    /// Not before differentiation: `stabilize` looks for the sum.
    fn reduce(&mut self, kind: Reduction, x: NodeId, run: std::ops::Range<usize>, ty: &TensorType) -> Option<NodeId> {
        if !self.differentiated || self.interner.shape(x)[run].iter().any(|&extent| extent != 1) {
            return None;
        }
        let value = self.node(Op::Reshape, vec![x], ty.clone());
        if kind == Reduction::Sum && ty.dtype == DType::F32 {
            let zero = self.number(0.0);
            return Some(self.elementwise(Op::Binary(Binary::Add), vec![value, zero], ty.clone()));
        }
        Some(value)
    }

    /// Reads transposed operands where they lie, unless that would change the order of the sum or of the result's axes.
    fn contract(
        &mut self,
        operands: &[NodeId],
        batch: &[(usize, usize)],
        contract: &[(usize, usize)],
        ty: &TensorType,
    ) -> Option<NodeId> {
        for side in 0..2 {
            let Op::Transpose { permutation } = self.interner.op(operands[side]) else { continue };
            let moved = |pairs: &[(usize, usize)]| -> Vec<(usize, usize)> {
                let place = |(i, j): (usize, usize)| if side == 0 { (permutation[i], j) } else { (i, permutation[j]) };
                pairs.iter().copied().map(place).collect()
            };
            let (new_batch, new_contract) = (moved(batch), moved(contract));
            let taken = |axis: usize| batch.iter().chain(contract).any(|&(i, j)| axis == if side == 0 { i } else { j });
            let free = (0..permutation.len()).filter(|&axis| !taken(axis)).map(|axis| permutation[axis]);
            if !free.is_sorted() {
                continue;
            }
            let mut new = operands.to_vec();
            new[side] = self.interner.operand(operands[side], 0);
            let order = |operands: &[NodeId], batch: &[(usize, usize)], contract: &[(usize, usize)]| {
                contracts_interleaved(
                    self.interner.shape(operands[0]),
                    self.interner.shape(operands[1]),
                    batch,
                    contract,
                )
            };
            if order(operands, batch, contract) != order(&new, &new_batch, &new_contract) {
                continue;
            }
            return Some(self.node(Op::Contract { batch: new_batch, contract: new_contract }, new, ty.clone()));
        }
        None
    }

    fn stop_gradient(&mut self, x: NodeId) -> Option<NodeId> {
        match self.interner.op(x) {
            _ if self.differentiated => Some(x),
            Op::StopGradient | Op::Constant(_) => Some(x),
            _ => None,
        }
    }
}

/// The value of an elementwise operation on scalars, by the interpreter.
fn fold(op: &Op, scalars: &[Scalar], ty: &TensorType) -> Scalar {
    let mut builder = Builder::new("fold");
    let operands = scalars.iter().map(|&scalar| builder.scalar(scalar)).collect();
    let node = builder.push(op.clone(), operands, ty.clone());
    builder.output("value", node);
    let bits = eval::eval::<f32>(&builder.graph, &[])[0].to_bits()[0];
    match ty.dtype {
        DType::F32 => Scalar::F32(f32::from_bits(bits)),
        DType::I32 => Scalar::I32(bits as i32),
        DType::Bool => Scalar::Bool(bits != 0),
    }
}

/// Whether `x` is a power of two whose reciprocal is a normal number.
fn has_exact_reciprocal(x: f32) -> bool {
    let mantissa = x.to_bits() & 0x007f_ffff;
    mantissa == 0 && x.is_normal() && (1.0 / x).is_normal()
}
