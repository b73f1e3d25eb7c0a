//! Textbook formulas become numerically stable ones.
//!
//! In: the graph of one sample. Out: the same function of real numbers, computed so that it neither overflows nor cancels where the
//! formula as written would. Formulas are recognised by their structure alone, however they came about:
//!
//! ```text
//! a / (1 + exp(-x))                        a σ(x)
//! exp(x) / (1 + exp(x))                    σ(x)
//! exp(a) / (exp(a) + exp(b))               σ(a - b)
//! (exp(x) - exp(-x)) / (exp(x) + exp(-x))  tanh(x)
//! exp(x) / sum(exp(x))                     exp(x - m) / sum(exp(x - m)) with m = stop_gradient(max(x))
//! log(exp(x))                              x
//! log(1 + x)                               log1p(x)
//! log(1 + exp(x))                          softplus(x)
//! log(exp(a) + exp(b))                     b + softplus(a - b)
//! log(σ(x))                                -softplus(-x)
//! log(1 - σ(x))                            -softplus(x)
//! log(softmax(x))                          (x - m) - log(sum(exp(x - m)))
//! log(sum(exp(x)))                         m + log(sum(exp(x - m)))
//! ```
//!
//! The logarithm is looked for behind reshapes, slices and the like, behind choices and picking by category, and behind a positive
//! constant factor. Powers with small constant exponents are written out as [`Builder::pow`](super::Builder::pow) does.

use super::intern::Interner;
use super::{Binary, Graph, Node, NodeId, Op, Output, Reduction, Scalar, Scan, TensorType, Unary, simplify, verify};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The graph of one sample with its formulas made stable. Also simplifies, for a formula is recognised in its simplest form.
pub fn stabilize(graph: &Graph) -> Graph {
    let graph = simplify::simplify(graph);
    let mut stabilizer = Stabilizer { interner: Interner::like(&graph), knows_log: Vec::new() };
    let mut values: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        stabilizer.interner.builder.origin = node.origin;
        let operands: Vec<NodeId> = node.operands.iter().map(|&operand| values[operand.0 as usize]).collect();
        let value = match &node.op {
            Op::Unary(Unary::Log) => stabilizer.log(operands[0]),
            Op::Binary(Binary::Div) => stabilizer.quotient(operands[0], operands[1]),
            Op::Binary(Binary::Pow) => stabilizer.power(operands[0], operands[1]),
            Op::Scan(scan) => {
                let stable = Scan { region: stabilize(&scan.region), ..(**scan).clone() };
                Some(stabilizer.interner.push(Op::Scan(Arc::new(stable)), operands.clone(), node.ty.clone()))
            }
            _ => None,
        };
        let value = match value {
            Some(value) => stabilizer.spread(value, &node.ty),
            None => stabilizer.interner.push(node.op.clone(), operands, node.ty.clone()),
        };
        values.push(value);
    }
    let mut result = stabilizer.interner.builder.graph;
    result.outputs = (graph.outputs.iter())
        .map(|output| Output { node: values[output.node.0 as usize], ..output.clone() })
        .collect();
    verify::check(&result, "stabilize");
    simplify::simplify(&result)
}

struct Stabilizer {
    interner: Interner,
    /// For the nodes looked at so far, see [`Stabilizer::knows_log`].
    knows_log: Vec<bool>,
}

/// How many reshapes and the like are looked through one by one.
const LONGEST_CHAIN: usize = 32;

/// Whether the operation only puts the elements of its one operand elsewhere.
fn is_move(op: &Op) -> bool {
    matches!(op, Op::Broadcast { .. } | Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } | Op::Reverse { .. })
}

/// The axes that a reduction removes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Run {
    axis: usize,
    count: usize,
}

impl Stabilizer {
    fn spread(&mut self, value: NodeId, ty: &TensorType) -> NodeId {
        self.interner.build(|b| b.broadcast_suffix(value, &ty.shape))
    }

    fn unary(&mut self, op: Unary, x: NodeId) -> NodeId {
        self.interner.build(|b| b.unary(op, x))
    }

    fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        self.interner.build(|builder| builder.binary(op, a, b))
    }

    fn neg(&mut self, x: NodeId) -> NodeId {
        if let Some(inner) = self.interner.is_unary(x, Unary::Neg) {
            return inner;
        }
        if let Some((a, b)) = self.interner.is_binary(x, Binary::Mul)
            && let Some(Scalar::F32(factor)) = self.interner.constant(b)
        {
            let factor = self.number(-factor);
            return self.binary(Binary::Mul, a, factor);
        }
        self.unary(Unary::Neg, x)
    }

    fn number(&mut self, number: f32) -> NodeId {
        self.interner.build(|b| b.f32(number))
    }

    fn exp_of(&self, id: NodeId) -> Option<NodeId> {
        self.interner.is_unary(id, Unary::Exp)
    }

    /// Whether one is minus the other.
    fn opposite(&self, a: NodeId, b: NodeId) -> bool {
        let scaled =
            |id: NodeId| match (self.interner.is_unary(id, Unary::Neg), self.interner.is_binary(id, Binary::Mul)) {
                (Some(inner), _) => (inner, -1.0),
                (None, Some((inner, factor))) => match self.interner.constant(factor) {
                    Some(Scalar::F32(factor)) => (inner, factor),
                    _ => (id, 1.0),
                },
                (None, None) => (id, 1.0),
            };
        let ((a, by_a), (b, by_b)) = (scaled(a), scaled(b));
        a == b && by_a == -by_b
    }

    /// `y`, where the node is `1 + y`.
    fn one_plus(&self, id: NodeId) -> Option<NodeId> {
        let (a, b) = self.interner.is_binary(id, Binary::Add)?;
        let other = match (self.interner.is_number(a, 1.0), self.interner.is_number(b, 1.0)) {
            (true, _) => b,
            (false, true) => a,
            (false, false) => return None,
        };
        (self.interner.shape(other) == self.interner.shape(id)).then_some(other)
    }

    /// `(a, b)`, where the node is `exp(a) + exp(b)`.
    fn sum_of_two_exps(&self, id: NodeId) -> Option<(NodeId, NodeId)> {
        let (a, b) = self.interner.is_binary(id, Binary::Add)?;
        Some((self.exp_of(a)?, self.exp_of(b)?))
    }

    fn quotient(&mut self, a: NodeId, b: NodeId) -> Option<NodeId> {
        if let Some(x) = self.one_plus(b).and_then(|sum| self.exp_of(sum)) {
            if self.exp_of(a) == Some(x) {
                return Some(self.unary(Unary::Sigmoid, x));
            }
            if let Some((minuend, subtrahend)) = self.interner.is_binary(a, Binary::Sub)
                && self.exp_of(minuend) == Some(x)
                && self.interner.is_number(subtrahend, 1.0)
            {
                let half = self.number(0.5);
                let half = self.binary(Binary::Mul, x, half);
                return Some(self.unary(Unary::Tanh, half));
            }
            let minus = self.neg(x);
            let sigmoid = self.unary(Unary::Sigmoid, minus);
            if self.interner.is_number(a, 1.0) {
                return Some(sigmoid);
            }
            return Some(self.binary(Binary::Mul, a, sigmoid));
        }
        if let Some((x, y)) = self.sum_of_two_exps(b) {
            if let Some((minuend, subtrahend)) = self.interner.is_binary(a, Binary::Sub)
                && let (Some(p), Some(q)) = (self.exp_of(minuend), self.exp_of(subtrahend))
                && ((p, q) == (x, y) || (p, q) == (y, x))
                && self.opposite(p, q)
            {
                return Some(self.unary(Unary::Tanh, p));
            }
            let numerator = self.exp_of(a)?;
            let other = if numerator == x {
                y
            } else if numerator == y {
                x
            } else {
                return None;
            };
            let difference = self.binary(Binary::Sub, numerator, other);
            return Some(self.unary(Unary::Sigmoid, difference));
        }
        let (x, run) = self.softmax(a, b)?;
        let shifted = self.shifted(x, run);
        let (numerator, sum) = self.exp_and_sum(shifted, run);
        let sum = self.along(sum, numerator, run);
        Some(self.binary(Binary::Div, numerator, sum))
    }

    /// `x` and what was done to it, last first, where the node is `1 - p` and `p` is the sigmoid of `x`, reshaped or the like.
    fn rest_of_sigmoid(&self, id: NodeId) -> Option<(NodeId, Vec<NodeId>)> {
        let (one, mut value) = self.interner.is_binary(id, Binary::Sub)?;
        if !self.interner.is_number(one, 1.0) || self.interner.shape(value) != self.interner.shape(id) {
            return None;
        }
        let mut moves = Vec::new();
        while moves.len() < LONGEST_CHAIN && is_move(self.interner.op(value)) {
            moves.push(value);
            value = self.interner.operand(value, 0);
        }
        Some((self.interner.is_unary(value, Unary::Sigmoid)?, moves))
    }

    fn power(&mut self, x: NodeId, exponent: NodeId) -> Option<NodeId> {
        let exponent = match self.interner.constant(exponent) {
            Some(Scalar::F32(exponent)) => self.number(exponent),
            _ => return None,
        };
        let value = self.interner.build(|b| b.pow(x, exponent));
        let quotient = self.interner.is_binary(value, Binary::Div);
        quotient.and_then(|(a, b)| self.quotient(a, b)).or(Some(value))
    }

    /// `x`, where `a / b` is the softmax of `x` along the run.
    fn softmax(&self, a: NodeId, b: NodeId) -> Option<(NodeId, Run)> {
        let x = self.exp_of(a)?;
        let (summed, run) = self.reduced(b, self.interner.shape(a), Reduction::Sum)?;
        (summed == a).then_some((x, run))
    }

    /// The operand and the axes, where the node is a reduction of a tensor of that shape and stands beside each of the elements it
    /// was made from.
    fn reduced(&self, id: NodeId, shape: &[usize], wanted: Reduction) -> Option<(NodeId, Run)> {
        let (reduction, axes) = match self.interner.op(id) {
            Op::Broadcast { axes } => (self.interner.operand(id, 0), axes.clone()),
            _ => {
                let rank = self.interner.shape(id).len();
                (id, (shape.len().checked_sub(rank)?..shape.len()).collect())
            }
        };
        // What is subtracted before `exp` cancels, gradients included; what the exponentials are divided by does not.
        let reduction = match self.interner.op(reduction) {
            Op::StopGradient if wanted == Reduction::Max => self.interner.operand(reduction, 0),
            _ => reduction,
        };
        let Op::Reduce { kind, axis, count } = *self.interner.op(reduction) else { return None };
        let operand = self.interner.operand(reduction, 0);
        let rest = (0..axis).chain(axis + count..shape.len());
        let fits = kind == wanted && self.interner.shape(operand) == shape && rest.eq(axes.iter().copied());
        fits.then_some((operand, Run { axis, count }))
    }

    /// Whether `id`, an operand of an elementwise operation on that shape, is the same all along the run.
    fn is_constant_along(&self, id: NodeId, shape: &[usize], run: Run) -> bool {
        let leading = shape.len() - self.interner.shape(id).len();
        match self.interner.op(id) {
            Op::Broadcast { axes } => {
                (run.axis..run.axis + run.count).all(|axis| axis < leading || !axes.contains(&(axis - leading)))
            }
            Op::StopGradient => self.is_constant_along(self.interner.operand(id, 0), shape, run),
            _ => run.axis + run.count <= leading,
        }
    }

    /// `x` less its largest along the run. What is the same all along the run and was added or subtracted before is left out.
    fn shifted(&mut self, mut x: NodeId, run: Run) -> NodeId {
        let shape = self.interner.shape(x).to_vec();
        loop {
            let same = |id: NodeId| self.is_constant_along(id, &shape, run);
            let rest = match (self.interner.is_binary(x, Binary::Sub), self.interner.is_binary(x, Binary::Add)) {
                (Some((a, b)), _) if same(b) => a,
                (_, Some((a, b))) if same(b) => a,
                (_, Some((a, b))) if same(a) => b,
                _ => break,
            };
            if self.interner.shape(rest) != shape {
                break;
            }
            x = rest;
        }
        let largest = self.largest(x, run);
        let largest = self.along(largest, x, run);
        self.binary(Binary::Sub, x, largest)
    }

    fn largest(&mut self, x: NodeId, run: Run) -> NodeId {
        let axes: Vec<usize> = (run.axis..run.axis + run.count).collect();
        self.interner.build(|b| {
            let largest = b.reduce(Reduction::Max, x, &axes);
            b.stop_gradient(largest)
        })
    }

    /// `value`, made from `x` by removing the run, as an operand beside `x`.
    fn along(&mut self, value: NodeId, x: NodeId, run: Run) -> NodeId {
        if run.axis == 0 {
            return value;
        }
        let shape = self.interner.shape(x).to_vec();
        let axes: Vec<usize> = (0..run.axis).chain(run.axis + run.count..shape.len()).collect();
        self.interner.build(|b| b.broadcast(value, &shape, &axes))
    }

    /// `exp(x)` and its sum along the run.
    fn exp_and_sum(&mut self, x: NodeId, run: Run) -> (NodeId, NodeId) {
        let axes: Vec<usize> = (run.axis..run.axis + run.count).collect();
        let exp = self.unary(Unary::Exp, x);
        (exp, self.interner.build(|b| b.sum(exp, &axes)))
    }

    fn log(&mut self, x: NodeId) -> Option<NodeId> {
        if self.knows_log(x) {
            return Some(self.known_log(x));
        }
        if let Some(rest) = self.one_plus(x) {
            return Some(self.unary(Unary::Log1p, rest));
        }
        let (one, rest) = self.interner.is_binary(x, Binary::Sub)?;
        if self.interner.is_number(one, 1.0) && self.interner.shape(rest) == self.interner.shape(x) {
            let minus = self.neg(rest);
            return Some(self.unary(Unary::Log1p, minus));
        }
        None
    }

    /// Whether the logarithm of `x` can be had without computing `x`.
    fn knows_log(&mut self, x: NodeId) -> bool {
        for id in self.interner.builder.graph.ids().skip(self.knows_log.len()) {
            let known = self.behind(id).is_some_and(|parts| parts.iter().all(|part| self.knows_log[part.0 as usize]));
            self.knows_log.push(known);
        }
        self.knows_log[x.0 as usize]
    }

    /// Of which values the logarithm is needed for that of the node; none at the formulas themselves.
    fn behind(&self, id: NodeId) -> Option<Vec<NodeId>> {
        let node = &self.interner.builder.graph[id];
        let operands = &node.operands;
        let is_formula = match &node.op {
            Op::Unary(Unary::Exp | Unary::Sigmoid) => true,
            Op::Constant(Scalar::F32(x)) => *x > 0.0 && x.is_finite(),
            Op::Binary(Binary::Sub) => self.rest_of_sigmoid(id).is_some(),
            Op::Binary(Binary::Add) => {
                let one_and_exp = self.one_plus(id).and_then(|rest| self.exp_of(rest));
                one_and_exp.is_some() || self.sum_of_two_exps(id).is_some()
            }
            Op::Reduce { kind: Reduction::Sum, .. } if self.exp_of(operands[0]).is_some() => true,
            Op::Reduce { .. } | Op::Contract { .. } => return self.picked(id).map(|(_, from)| vec![from]),
            Op::Binary(Binary::Mul | Binary::Div) => {
                if let Op::Binary(Binary::Div) = node.op
                    && self.softmax(operands[0], operands[1]).is_some()
                {
                    return Some(Vec::new());
                }
                let positive = |scalar| matches!(scalar, Scalar::F32(x) if x > 0.0 && x.is_finite());
                return self.interner.constant(operands[1]).is_some_and(positive).then(|| vec![operands[0]]);
            }
            Op::Select => return Some(operands[1..].to_vec()),
            Op::Gather { .. } => return Some(vec![operands[0]]),
            Op::Broadcast { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Concat { .. }
            | Op::Reverse { .. } => return Some(operands.clone()),
            Op::Input(_)
            | Op::Constant(_)
            | Op::Iota { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Convert
            | Op::Pad { .. }
            | Op::Windows { .. }
            | Op::ArgMax { .. }
            | Op::ArgMin { .. }
            | Op::ArgSort { .. }
            | Op::Uniform { .. }
            | Op::ScatterAdd { .. }
            | Op::Scan(_)
            | Op::Result(_)
            | Op::Step(_)
            | Op::Emit { .. }
            | Op::StopGradient
            | Op::SumBatch
            | Op::Orthogonalize => false,
        };
        is_formula.then(Vec::new)
    }

    /// The logarithm of a value whose logarithm is known: from the formulas behind it on, in order.
    fn known_log(&mut self, x: NodeId) -> NodeId {
        let mut open = vec![x];
        let mut values = BTreeMap::new();
        while let Some(id) = open.pop() {
            if values.insert(id, id).is_none() {
                open.extend(self.behind(id).into_iter().flatten());
            }
        }
        let ids: Vec<NodeId> = values.keys().copied().collect();
        for id in ids {
            let log = self.log_of(id, |part| values[&part]);
            values.insert(id, log);
        }
        values[&x]
    }

    /// The logarithm of a node, given those of the values behind it.
    fn log_of(&mut self, id: NodeId, log: impl Fn(NodeId) -> NodeId) -> NodeId {
        let Node { op, operands, ty, .. } = self.interner.builder.graph[id].clone();
        match op {
            Op::Constant(_) => self.unary(Unary::Log, id),
            Op::Unary(Unary::Exp) => operands[0],
            Op::Unary(Unary::Sigmoid) => {
                let minus = self.neg(operands[0]);
                let softplus = self.unary(Unary::Softplus, minus);
                self.neg(softplus)
            }
            Op::Binary(Binary::Sub) => {
                let (x, moves) = self.rest_of_sigmoid(id).expect("1 - sigmoid(x)");
                let softplus = self.unary(Unary::Softplus, x);
                let mut value = self.neg(softplus);
                for id in moves.into_iter().rev() {
                    let Node { op, ty, .. } = self.interner.builder.graph[id].clone();
                    value = self.interner.push(op, vec![value], ty);
                }
                value
            }
            Op::Binary(Binary::Add) => {
                if let Some((a, b)) = self.sum_of_two_exps(id) {
                    let difference = self.binary(Binary::Sub, a, b);
                    let softplus = self.unary(Unary::Softplus, difference);
                    return self.binary(Binary::Add, b, softplus);
                }
                let exponent = self.one_plus(id).and_then(|rest| self.exp_of(rest)).expect("1 + exp(x)");
                self.unary(Unary::Softplus, exponent)
            }
            // The logarithm of the one that is picked is the one picked of the logarithms.
            Op::Contract { .. } | Op::Reduce { .. } if let Some((_, from)) = self.picked(id) => {
                let log = log(from);
                if let Op::Reduce { .. } = op {
                    let Node { op: product, operands: factors, ty: full, .. } =
                        self.interner.builder.graph[operands[0]].clone();
                    let factors = factors.into_iter().map(|factor| if factor == from { log } else { factor }).collect();
                    let product = self.interner.push(product, factors, full);
                    return self.interner.push(op, vec![product], ty);
                }
                let sides = operands.into_iter().map(|side| if side == from { log } else { side }).collect();
                self.interner.push(op, sides, ty)
            }
            Op::Reduce { axis, count, .. } => {
                let run = Run { axis, count };
                let exponent = self.exp_of(operands[0]).expect("sum(exp(x))");
                if self.is_shifted(exponent, run) {
                    return self.unary(Unary::Log, id);
                }
                let largest = self.largest(exponent, run);
                let beside = self.along(largest, exponent, run);
                let shifted = self.binary(Binary::Sub, exponent, beside);
                let (_, sum) = self.exp_and_sum(shifted, run);
                let log = self.unary(Unary::Log, sum);
                self.binary(Binary::Add, largest, log)
            }
            Op::Binary(op) => {
                if op == Binary::Div
                    && let Some((shifted, run)) = self.softmax(operands[0], operands[1])
                {
                    let (exp, sum) = self.exp_and_sum(shifted, run);
                    let log = self.unary(Unary::Log, sum);
                    let log = self.along(log, exp, run);
                    return self.binary(Binary::Sub, shifted, log);
                }
                // log(c x) = log x + log c, log(x / c) = log x - log c
                let factor = self.unary(Unary::Log, operands[1]);
                let op = if op == Binary::Mul { Binary::Add } else { Binary::Sub };
                self.binary(op, log(operands[0]), factor)
            }
            Op::Select => self.interner.build(|b| b.select(operands[0], log(operands[1]), log(operands[2]))),
            Op::Gather { .. } => self.interner.push(op, vec![log(operands[0]), operands[1]], ty),
            op => {
                let logs = operands.into_iter().map(log).collect();
                self.interner.push(op, logs, ty)
            }
        }
    }

    /// The indicator and what it picks from, where the node is a sum over all categories of `one_hot(category)` times a value.
    fn picked(&self, id: NodeId) -> Option<(NodeId, NodeId)> {
        let node = &self.interner.builder.graph[id];
        let (a, b, axis_a, axis_b) = match &node.op {
            Op::Reduce { kind: Reduction::Sum, axis, count: 1 } => {
                let (a, b) = self.interner.is_binary(node.operands[0], Binary::Mul)?;
                let rank = self.interner.shape(node.operands[0]).len();
                let own = |id: NodeId| (axis + self.interner.shape(id).len()).checked_sub(rank);
                (a, b, own(a)?, own(b)?)
            }
            Op::Contract { contract, .. } => match contract[..] {
                [(i, j)] => (node.operands[0], node.operands[1], i, j),
                _ => return None,
            },
            _ => return None,
        };
        if a == b {
            return None;
        }
        if self.is_one_hot(a, axis_a) {
            return Some((a, b));
        }
        self.is_one_hot(b, axis_b).then_some((b, a))
    }

    /// Whether the node is 1 at one index along the axis and else 0: a comparison of the index with a value.
    fn is_one_hot(&self, id: NodeId, axis: usize) -> bool {
        let Op::Convert = self.interner.op(id) else { return false };
        let shape = self.interner.shape(id);
        let Some((a, b)) = self.interner.is_binary(self.interner.operand(id, 0), Binary::Eq) else { return false };
        let counts = |id: NodeId| {
            let leading = shape.len() - self.interner.shape(id).len();
            match self.interner.op(id) {
                Op::Iota { axis: own } => leading + own == axis,
                Op::Broadcast { axes } => match self.interner.op(self.interner.operand(id, 0)) {
                    Op::Iota { axis: own } => leading + axes[*own] == axis,
                    _ => false,
                },
                _ => false,
            }
        };
        let run = Run { axis, count: 1 };
        (counts(a) && self.is_constant_along(b, shape, run)) || (counts(b) && self.is_constant_along(a, shape, run))
    }

    /// Whether the node is something less its largest along the run.
    fn is_shifted(&self, x: NodeId, run: Run) -> bool {
        let Some((a, b)) = self.interner.is_binary(x, Binary::Sub) else { return false };
        self.reduced(b, self.interner.shape(a), Reduction::Max) == Some((a, run))
    }
}
