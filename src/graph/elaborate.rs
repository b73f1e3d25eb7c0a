//! Elaboration: a typed body to primitive operations on one sample.
//!
//! In: a [`Body`] of the checker and, as a [`Scope`], the nodes its inputs, parameters and states stand for. Out: nodes
//! appended to a builder's graph, and an [`Elaborated`] that names the results. The language's conveniences end here: means,
//! variances, `clamp`, indexing by categories, random draws and `each` become the operations of [`crate::graph::Op`].
//!
//! Shapes follow from the operands, so the body of an optimizer, written for one element, elaborates to a parameter of any
//! shape. A sum over the batch is [`crate::graph::Op::SumBatch`], the batch's size the sum of 1.
//!
//! What a data field reads (columns, statistics) is given to it as inputs by `data`.
//!
//! Draws are told apart by purposes: numbers counted up from [`Random::purpose`] in the order of the program.

mod regions;
mod windows;

use super::{Binary, Builder, DType, NodeId, Op, Reduction, Scalar, TensorType, Unary};
use crate::check::hir::{Body, Element, Elementwise, HirOp, Reduce, Value, ValueType};
use crate::source::Span;

/// What a body finds around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// The nodes of the body's inputs.
    pub inputs: &'a [NodeId],
    /// The nodes of its parameters.
    pub params: &'a [NodeId],
    /// The nodes of its states.
    pub states: &'a [NodeId],
    /// The values of each [`HirOp::Avg`] in order; one without a value hands its operand on.
    pub averages: &'a [NodeId],
    /// Whether this is training.
    pub training: bool,
    /// The shape that what is `[]` in the body has here: that of the parameter an optimizer updates.
    pub lift: &'a [usize],
    /// Where random numbers come from, where there may be any.
    pub random: Option<Random>,
}

/// The source of random numbers of a body.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    /// The node of the seed, i32\[2\].
    pub seed: NodeId,
    /// The node of the step, i32.
    pub step: NodeId,
    /// The purpose of the first draw.
    pub purpose: u32,
}

/// What a body came to.
#[derive(Clone, Debug, Default)]
pub struct Elaborated {
    /// Its outputs in order.
    pub outputs: Vec<NodeId>,
    /// The next values of its states, where they have any.
    pub next: Vec<Option<NodeId>>,
    /// The operand of each [`HirOp::Avg`] in order.
    pub averages: Vec<NodeId>,
    /// The first purpose not used.
    pub purpose: u32,
}

/// An operation that has no elaboration where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// What it is, in the language's words.
    pub what: &'static str,
    /// Where it stands.
    pub span: Span,
}

/// Appends the body to the builder's graph.
pub fn elaborate(body: &Body, b: &mut Builder, scope: Scope) -> Result<Elaborated, Unsupported> {
    let purpose = scope.random.map_or(0, |random| random.purpose);
    let mut elaboration = Elaboration {
        b,
        scope,
        values: Vec::new(),
        averaged: Vec::new(),
        result: Elaborated { purpose, ..Elaborated::default() },
    };
    elaboration.body(body)?;
    Ok(elaboration.result)
}

/// The element type that represents elements of the language.
pub fn dtype_of(element: &Element) -> DType {
    match element {
        Element::Number => DType::F32,
        Element::Truth => DType::Bool,
        Element::Class { .. } => DType::I32,
    }
}

/// The tensor that represents a value of the language.
pub fn tensor_type(ty: &ValueType) -> TensorType {
    TensorType { dtype: dtype_of(&ty.element), shape: ty.shape.clone() }
}

/// The element type that truth values are reckoned in, and the others' own.
fn number_or(dtype: DType) -> DType {
    if dtype == DType::Bool { DType::F32 } else { dtype }
}

struct Elaboration<'a, 'b> {
    b: &'b mut Builder,
    scope: Scope<'a>,
    /// The results of each value so far; one but for `each`.
    values: Vec<Vec<NodeId>>,
    /// Whether an average went into the value.
    averaged: Vec<bool>,
    result: Elaborated,
}

impl Elaboration<'_, '_> {
    fn body(&mut self, body: &Body) -> Result<(), Unsupported> {
        for value in &body.values {
            self.b.origin = value.span;
            let nodes = self.value(value)?;
            let averaged =
                matches!(value.op, HirOp::Avg) || value.operands.iter().any(|id| self.averaged[id.0 as usize]);
            debug_assert!(
                !self.scope.lift.is_empty()
                    || self.b.ty(nodes[0]) == &tensor_type(&value.ty)
                    || matches!(value.op, HirOp::Scan { .. }),
                "{:?} of type {:?} elaborated to {}",
                value.op,
                value.ty,
                self.b.ty(nodes[0]),
            );
            self.values.push(nodes);
            self.averaged.push(averaged);
        }
        self.result.outputs = body.outputs.iter().map(|(_, id)| self.values[id.0 as usize][0]).collect();
        self.result.next = body.states.iter().map(|state| state.next.map(|id| self.values[id.0 as usize][0])).collect();
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<Vec<NodeId>, Unsupported> {
        let x: Vec<NodeId> = value.operands.iter().map(|id| self.values[id.0 as usize][0]).collect();
        let unsupported = |what| Err(Unsupported { what, span: value.span });
        let shape = &value.ty.shape;
        let dtype = dtype_of(&value.ty.element);
        let node = match &value.op {
            HirOp::Input(number) => self.scope.inputs[*number],
            HirOp::Param(number) => self.scope.params[*number],
            HirOp::State(number) => self.scope.states[*number],
            HirOp::Number(number) => self.b.f32(*number as f32),
            HirOp::Truth(truth) => self.b.scalar(Scalar::Bool(*truth)),
            HirOp::Category(number) => self.b.scalar(Scalar::I32(*number as i32)),
            HirOp::Training => self.b.scalar(Scalar::Bool(self.scope.training)),
            HirOp::Elementwise(op) => self.elementwise(*op, &x, dtype),
            HirOp::Reduce(kind, axes) => self.reduce(*kind, x[0], axes, dtype),
            HirOp::MatMul => self.matmul(x[0], x[1]),
            HirOp::Concat(axis) => {
                let operands = self.converted(&x, dtype);
                self.b.concat(&operands, *axis)
            }
            HirOp::Stack(axis) => {
                let operands = self.converted(&x, dtype);
                let parts: Vec<NodeId> = operands.iter().map(|&operand| self.insert_axis(operand, *axis)).collect();
                self.b.concat(&parts, *axis)
            }
            HirOp::Reshape => self.b.reshape(x[0], shape),
            HirOp::Transpose(permutation) => self.b.transpose(x[0], permutation),
            HirOp::Slice(ranges) => {
                let (start, end): (Vec<usize>, Vec<usize>) = ranges.iter().copied().unzip();
                self.b.slice(x[0], &start, &end)
            }
            HirOp::Take { axis, index } => self.take(x[0], *axis, *index),
            HirOp::Gather => self.gather(x[0], x[1]),
            HirOp::Pad(widths) => {
                let (low, high): (Vec<usize>, Vec<usize>) = widths.iter().copied().unzip();
                self.b.pad(x[0], &low, &high)
            }
            HirOp::Reverse(axis) => self.b.reverse(x[0], *axis),
            HirOp::Sort { axis, descending } => self.sorted(x[0], *axis, *descending),
            HirOp::ArgSort { axis, descending } => {
                let operand = self.b.convert(x[0], DType::F32);
                self.b.arg_sort(operand, *axis, *descending)
            }
            HirOp::Upsample { axis, factor } => self.upsample(x[0], *axis, *factor),
            HirOp::Expand(axes) => self.expand(x[0], axes, shape),
            HirOp::OneHot => {
                let hot = self.one_hot(x[0], shape[shape.len() - 1]);
                self.b.convert(hot, dtype)
            }
            HirOp::Range => {
                let numbers = self.b.iota(shape, 0);
                self.b.convert(numbers, DType::F32)
            }
            HirOp::BatchMean => {
                let operand = self.b.convert(x[0], DType::F32);
                self.batch_mean(operand)
            }
            HirOp::BatchVar => {
                let operand = self.b.convert(x[0], DType::F32);
                let mean = self.batch_mean(operand);
                let deviation = self.b.sub(operand, mean);
                let square = self.b.mul(deviation, deviation);
                self.batch_mean(square)
            }
            HirOp::Bernoulli => {
                let Some(uniform) = self.uniform(shape) else { return unsupported("a random value") };
                let share = self.b.convert(x[0], DType::F32);
                let hit = self.b.binary(Binary::Lt, uniform, share);
                self.b.convert(hit, dtype)
            }
            HirOp::Normal => {
                let Some(normal) = self.normal(shape) else { return unsupported("a random value") };
                let spread = self.b.mul(normal, x[1]);
                self.b.add(spread, x[0])
            }
            HirOp::Uniform => {
                let Some(uniform) = self.uniform(shape) else { return unsupported("a random value") };
                let range = self.b.sub(x[1], x[0]);
                let offset = self.b.mul(uniform, range);
                self.b.add(offset, x[0])
            }
            HirOp::Fill => {
                let operand = self.b.convert(x[0], dtype);
                let shape = self.lifted(shape);
                self.b.broadcast_suffix(operand, &shape)
            }
            HirOp::Orthogonal => {
                let (rows, columns) = match shape.split_last() {
                    Some((&last, rest)) => (rest.iter().product(), last),
                    None => (1, 1),
                };
                let Some(normal) = self.normal(&[rows, columns]) else { return unsupported("a random value") };
                let matrix = self.b.orthogonalize(normal);
                self.b.reshape(matrix, shape)
            }
            HirOp::StopGradient => self.b.stop_gradient(x[0]),
            HirOp::Each { region, mapped, results: _ } => return self.each(region, *mapped, &x),
            HirOp::Result(number) => self.values[value.operands[0].0 as usize][*number],
            HirOp::Avg => {
                if self.averaged[value.operands[0].0 as usize] {
                    return unsupported("an average inside an average");
                }
                let number = self.result.averages.len();
                let operand = self.b.convert(x[0], DType::F32);
                self.result.averages.push(operand);
                self.scope.averages.get(number).copied().unwrap_or(operand)
            }
            HirOp::Column(_) => return unsupported("a column of the data"),
            HirOp::Fitted(_) => return unsupported("a fitted transform"),
            HirOp::Scan { region, over, states } => return self.scan(region, *over, *states, &x),
            HirOp::Conv(window) => self.conv(x[0], x[1], window),
            HirOp::ConvTranspose(window) => self.conv_transpose(x[0], x[1], window, &shape[..shape.len() - 1]),
            HirOp::MaxPool(window) => self.max_pool(x[0], window),
            HirOp::AvgPool(window) => self.avg_pool(x[0], window),
        };
        Ok(vec![node])
    }

    /// An elementwise function; the result has the element type the language gives it.
    fn elementwise(&mut self, op: Elementwise, x: &[NodeId], dtype: DType) -> NodeId {
        let node = match op {
            Elementwise::Neg => self.of_number(Unary::Neg, x),
            Elementwise::Exp => self.of_number(Unary::Exp, x),
            Elementwise::Log => self.of_number(Unary::Log, x),
            Elementwise::Sqrt => self.of_number(Unary::Sqrt, x),
            Elementwise::Abs => self.of_number(Unary::Abs, x),
            Elementwise::Sign => self.of_number(Unary::Sign, x),
            Elementwise::Floor => self.of_number(Unary::Floor, x),
            Elementwise::Ceil => self.of_number(Unary::Ceil, x),
            Elementwise::Round => self.of_number(Unary::Round, x),
            Elementwise::Sin => self.of_number(Unary::Sin, x),
            Elementwise::Cos => self.of_number(Unary::Cos, x),
            Elementwise::Tanh => self.of_number(Unary::Tanh, x),
            Elementwise::Erf => self.of_number(Unary::Erf, x),
            Elementwise::Not => {
                let operand = self.b.convert(x[0], DType::Bool);
                self.b.unary(Unary::Not, operand)
            }
            Elementwise::Add => self.of_two(Binary::Add, x, DType::F32),
            Elementwise::Sub => self.of_two(Binary::Sub, x, DType::F32),
            Elementwise::Mul => self.of_two(Binary::Mul, x, DType::F32),
            Elementwise::Div => self.of_two(Binary::Div, x, DType::F32),
            Elementwise::Pow => {
                let x = self.converted(x, DType::F32);
                self.b.pow(x[0], x[1])
            }
            Elementwise::Rem => {
                let x = self.converted(x, DType::F32);
                let quotient = self.b.div(x[0], x[1]);
                let whole = self.b.unary(Unary::Floor, quotient);
                let multiple = self.b.mul(whole, x[1]);
                self.b.sub(x[0], multiple)
            }
            Elementwise::Min => self.of_two(Binary::Min, x, number_or(dtype)),
            Elementwise::Max => self.of_two(Binary::Max, x, number_or(dtype)),
            // This way round the gradient at the bounds goes to `x`, and what is no number stays none.
            Elementwise::Clamp => {
                let x = self.converted(x, DType::F32);
                let above = self.b.binary(Binary::Max, x[1], x[0]);
                self.b.binary(Binary::Min, x[2], above)
            }
            Elementwise::Eq => self.compare(Binary::Eq, x),
            Elementwise::Ne => self.compare(Binary::Ne, x),
            Elementwise::Lt => self.compare(Binary::Lt, x),
            Elementwise::Le => self.compare(Binary::Le, x),
            Elementwise::Gt => self.compare(Binary::Gt, x),
            Elementwise::Ge => self.compare(Binary::Ge, x),
            Elementwise::And => self.of_two(Binary::And, x, DType::Bool),
            Elementwise::Or => self.of_two(Binary::Or, x, DType::Bool),
            Elementwise::If => {
                let condition = self.b.convert(x[0], DType::Bool);
                let branches = self.converted(&x[1..], dtype);
                self.choose(condition, branches[0], branches[1])
            }
        };
        self.b.convert(node, dtype)
    }

    fn of_number(&mut self, op: Unary, x: &[NodeId]) -> NodeId {
        let operand = self.b.convert(x[0], DType::F32);
        self.b.unary(op, operand)
    }

    fn of_two(&mut self, op: Binary, x: &[NodeId], dtype: DType) -> NodeId {
        let x = self.converted(x, dtype);
        self.b.binary(op, x[0], x[1])
    }

    /// Categories and truth values are compared as they are, a mixture as numbers.
    fn compare(&mut self, op: Binary, x: &[NodeId]) -> NodeId {
        let (left, right) = (self.b.ty(x[0]).dtype, self.b.ty(x[1]).dtype);
        let comparable = left == right && (left != DType::Bool || matches!(op, Binary::Eq | Binary::Ne));
        self.of_two(op, x, if comparable { left } else { DType::F32 })
    }

    /// `if condition then a else b`; where the program fixes the condition, only that branch stays.
    fn choose(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        let Op::Constant(Scalar::Bool(truth)) = self.b.graph[condition].op else {
            return self.b.select(condition, a, b);
        };
        let longer = if self.b.shape(a).len() > self.b.shape(b).len() { a } else { b };
        let shape = self.b.shape(longer).to_vec();
        self.b.broadcast_suffix(if truth { a } else { b }, &shape)
    }

    fn reduce(&mut self, kind: Reduce, x: NodeId, axes: &[usize], dtype: DType) -> NodeId {
        let count: usize = axes.iter().map(|&axis| self.b.shape(x)[axis]).product();
        let operand = match self.b.ty(x).dtype {
            DType::F32 => x,
            DType::Bool => self.b.convert(x, DType::F32),
            DType::I32 if dtype == DType::I32 => x,
            DType::I32 => self.b.convert(x, DType::F32),
        };
        let node = match kind {
            Reduce::Sum => self.b.reduce(Reduction::Sum, operand, axes),
            Reduce::Prod => self.b.reduce(Reduction::Prod, operand, axes),
            Reduce::Max => self.b.reduce(Reduction::Max, operand, axes),
            Reduce::Min => self.b.reduce(Reduction::Min, operand, axes),
            Reduce::Mean => self.mean(operand, axes, count),
            Reduce::Var => {
                let mean = self.mean(operand, axes, count);
                let shape = self.b.shape(operand).to_vec();
                let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
                let mean = self.b.broadcast(mean, &shape, &kept);
                let deviation = self.b.sub(operand, mean);
                let square = self.b.mul(deviation, deviation);
                self.mean(square, axes, count)
            }
            Reduce::ArgMax => {
                let (line, axis) = self.in_line(operand, axes);
                self.b.arg_max(line, axis)
            }
            Reduce::ArgMin => {
                let (line, axis) = self.in_line(operand, axes);
                self.b.arg_min(line, axis)
            }
        };
        self.b.convert(node, dtype)
    }

    fn mean(&mut self, x: NodeId, axes: &[usize], count: usize) -> NodeId {
        let sum = self.b.sum(x, axes);
        let count = self.b.f32(count as f32);
        self.b.div(sum, count)
    }

    /// `x` with the axes of the list made one, and its number.
    fn in_line(&mut self, x: NodeId, axes: &[usize]) -> (NodeId, usize) {
        if let [axis] = axes {
            return (x, *axis);
        }
        let kept: Vec<usize> = (0..self.b.shape(x).len()).filter(|axis| !axes.contains(axis)).collect();
        let count = axes.iter().map(|&axis| self.b.shape(x)[axis]).product();
        let mut shape: Vec<usize> = kept.iter().map(|&axis| self.b.shape(x)[axis]).collect();
        shape.push(count);
        let permutation: Vec<usize> = kept.iter().chain(axes).copied().collect();
        let turned = self.b.transpose(x, &permutation);
        (self.b.reshape(turned, &shape), kept.len())
    }

    fn matmul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let a = self.b.convert(a, DType::F32);
        let b = self.b.convert(b, DType::F32);
        let last = self.b.shape(a).len() - 1;
        let leading = self.b.shape(b).len().saturating_sub(2);
        let batch: Vec<(usize, usize)> = (0..leading).map(|axis| (axis, axis)).collect();
        self.b.contract(a, b, &batch, &[(last, leading)])
    }

    fn insert_axis(&mut self, x: NodeId, axis: usize) -> NodeId {
        let mut shape = self.b.shape(x).to_vec();
        shape.insert(axis, 1);
        self.b.reshape(x, &shape)
    }

    fn take(&mut self, x: NodeId, axis: usize, index: usize) -> NodeId {
        let mut shape = self.b.shape(x).to_vec();
        let mut start = vec![0; shape.len()];
        let mut end = shape.clone();
        (start[axis], end[axis]) = (index, index + 1);
        let part = self.b.slice(x, &start, &end);
        shape.remove(axis);
        self.b.reshape(part, &shape)
    }

    /// Truth values: which of `count` categories each element of `x` is, along a new last axis.
    fn one_hot(&mut self, x: NodeId, count: usize) -> NodeId {
        let x = self.b.convert(x, DType::I32);
        let mut shape = self.b.shape(x).to_vec();
        let axes: Vec<usize> = (0..shape.len()).collect();
        shape.push(count);
        let repeated = self.b.broadcast(x, &shape, &axes);
        let numbers = self.b.iota(&[count], 0);
        self.b.binary(Binary::Eq, repeated, numbers)
    }

    fn upsample(&mut self, x: NodeId, axis: usize, factor: usize) -> NodeId {
        let shape = self.b.shape(x).to_vec();
        let mut repeated = shape.clone();
        repeated.insert(axis + 1, factor);
        let axes: Vec<usize> = (0..repeated.len()).filter(|&i| i != axis + 1).collect();
        let wide = self.b.broadcast(x, &repeated, &axes);
        let mut result = shape;
        result[axis] *= factor;
        self.b.reshape(wide, &result)
    }

    fn expand(&mut self, x: NodeId, axes: &[usize], shape: &[usize]) -> NodeId {
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&i| axes[i]);
        let turned = self.b.transpose(x, &order);
        let places: Vec<usize> = order.iter().map(|&i| axes[i]).collect();
        self.b.broadcast(turned, shape, &places)
    }

    /// The mean over the batch and every axis but the last.
    fn batch_mean(&mut self, x: NodeId) -> NodeId {
        let axes: Vec<usize> = (0..self.b.shape(x).len().saturating_sub(1)).collect();
        let each: usize = axes.iter().map(|&axis| self.b.shape(x)[axis]).product();
        let here = self.b.sum(x, &axes);
        let all = self.b.sum_batch(here);
        let one = self.b.f32(1.0);
        let mut count = self.b.sum_batch(one);
        if each != 1 {
            let each = self.b.f32(each as f32);
            count = self.b.mul(count, each);
        }
        self.b.div(all, count)
    }

    /// The shape of a draw.
    fn lifted(&self, shape: &[usize]) -> Vec<usize> {
        if shape.is_empty() { self.scope.lift.to_vec() } else { shape.to_vec() }
    }

    fn uniform(&mut self, shape: &[usize]) -> Option<NodeId> {
        let Random { seed, step, .. } = self.scope.random?;
        let purpose = self.result.purpose;
        self.result.purpose = purpose.wrapping_add(1);
        let shape = self.lifted(shape);
        Some(self.b.uniform(seed, step, purpose, &shape))
    }

    /// Of mean 0 and deviation 1, by Box and Muller (1958): √(−2 log(1 − u)) cos(2πv). 1 − u is exact and never 0.
    fn normal(&mut self, shape: &[usize]) -> Option<NodeId> {
        let u = self.uniform(shape)?;
        let v = self.uniform(shape)?;
        let one = self.b.f32(1.0);
        let positive = self.b.sub(one, u);
        let logarithm = self.b.unary(Unary::Log, positive);
        let minus_two = self.b.f32(-2.0);
        let square = self.b.mul(logarithm, minus_two);
        let radius = self.b.unary(Unary::Sqrt, square);
        let turn = self.b.f32(std::f32::consts::TAU);
        let angle = self.b.mul(v, turn);
        let cosine = self.b.unary(Unary::Cos, angle);
        Some(self.b.mul(radius, cosine))
    }

    fn converted(&mut self, x: &[NodeId], dtype: DType) -> Vec<NodeId> {
        x.iter().map(|&node| self.b.convert(node, dtype)).collect()
    }
}
