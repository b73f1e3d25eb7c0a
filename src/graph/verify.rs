//! The invariants of a graph, checked after every pass in debug builds and tests.
//!
//! Definitions come before uses, every node has the type its operation gives, inputs and outputs refer to what is there.
//! The rules are worked out here independently of the builder.

use super::windows::windows_type;
use super::{Binary, DType, Graph, NodeId, Op, Reduction, Role, TensorType, Unary, print};

/// What is wrong with a graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The node it was found at; `None` for an output.
    pub node: Option<NodeId>,
    /// What is wrong.
    pub message: String,
}

/// Panics with the pass's name and the graph printed, the offending line marked, where [`verify`] finds a fault. Does nothing in
/// release builds.
pub fn check(graph: &Graph, pass: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    if let Err(Fault { node, message }) = verify(graph) {
        let text = match node {
            Some(node) => print::print_marked(graph, node),
            None => print::print(graph, None),
        };
        panic!("after {pass}: {message}\n{text}");
    }
}

/// The first fault of a graph.
pub fn verify(graph: &Graph) -> Result<(), Fault> {
    for id in graph.ids() {
        node(graph, id).map_err(|message| Fault { node: Some(id), message: format!("{id}: {message}") })?;
    }
    let mut updated = vec![false; graph.inputs.len()];
    for output in &graph.outputs {
        let fault = |message: &str| Err(Fault { node: None, message: format!("output {:?} {message}", output.name) });
        let Some(value) = graph.nodes.get(output.node.0 as usize) else { return fault("is not there") };
        let Some(number) = output.updates else { continue };
        let Some(input) = graph.inputs.get(number) else { return fault("updates an input that is not there") };
        if !matches!(input.role, Role::Param | Role::State) {
            return fault("updates neither a parameter nor a state");
        }
        if input.ty != value.ty {
            return fault("does not have the type of what it updates");
        }
        if std::mem::replace(&mut updated[number], true) {
            return fault("updates an input for the second time");
        }
    }
    Ok(())
}

fn node(graph: &Graph, id: NodeId) -> Result<(), String> {
    let node = &graph[id];
    if let Some(late) = node.operands.iter().find(|&&operand| operand >= id) {
        return Err(format!("uses {late} before its definition"));
    }
    if node.ty.shape.iter().try_fold(1usize, |len, &extent| len.checked_mul(extent)).is_none() {
        return Err(format!("a tensor of shape {:?} has too many elements", node.ty.shape));
    }
    let operands: Vec<&TensorType> = node.operands.iter().map(|&operand| &graph[operand].ty).collect();
    let expected = match &node.op {
        Op::Input(number) => {
            require(operands.is_empty(), "an input has no operands")?;
            graph.inputs.get(*number).ok_or("an input that is not listed")?.ty.clone()
        }
        Op::Result(number) => match node.operands.first().map(|&scan| &graph[scan].op) {
            Some(Op::Scan(scan)) if *number < scan.results() => scan.result_type(*number),
            _ => return Err("a result that is not there".to_owned()),
        },
        Op::SumBatch if graph.batch.is_some() => return Err("a sum over the batch is left".to_owned()),
        op => result_type(op, &operands, &node.ty)?,
    };
    if expected != node.ty {
        return Err(format!("has type {} where {expected} is due", node.ty));
    }
    Ok(())
}

/// The type an operation gives. `ty`, the node's own, decides where the operation leaves the shape open.
fn result_type(op: &Op, operands: &[&TensorType], ty: &TensorType) -> Result<TensorType, String> {
    Ok(match op {
        Op::Input(_) => ty.clone(),
        Op::Constant(scalar) => {
            let [] = take(operands)?;
            TensorType { dtype: scalar.dtype(), shape: Vec::new() }
        }
        Op::Iota { axis } => {
            let [] = take(operands)?;
            require(*axis < ty.rank(), "no such axis")?;
            ty.with_dtype(DType::I32)
        }
        Op::Unary(unary) => {
            let [x] = take(operands)?;
            let fits = match unary {
                Unary::Not => x.dtype == DType::Bool,
                Unary::Neg => x.dtype != DType::Bool,
                Unary::Abs
                | Unary::Sign
                | Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::Sqrt
                | Unary::Exp
                | Unary::Log
                | Unary::Log1p
                | Unary::Sin
                | Unary::Cos
                | Unary::Tanh
                | Unary::Erf
                | Unary::Sigmoid
                | Unary::Softplus => x.dtype == DType::F32,
            };
            require(fits, "the operand has the wrong element type")?;
            x.clone()
        }
        Op::Binary(binary) => {
            let [a, b] = take(operands)?;
            require(a.dtype == b.dtype, "the operands differ in element type")?;
            let (numeric, is_f32) = (a.dtype != DType::Bool, a.dtype == DType::F32);
            let (fits, dtype) = match binary {
                Binary::Add | Binary::Sub | Binary::Mul | Binary::Max | Binary::Min => (numeric, a.dtype),
                Binary::Div | Binary::Pow => (is_f32, DType::F32),
                Binary::Eq | Binary::Ne => (true, DType::Bool),
                Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => (numeric, DType::Bool),
                Binary::And | Binary::Or => (!numeric, DType::Bool),
            };
            require(fits, "the operands have the wrong element type")?;
            TensorType { dtype, shape: stretched(operands)? }
        }
        Op::Select => {
            let [condition, a, b] = take(operands)?;
            require(condition.dtype == DType::Bool, "the condition is no bool")?;
            require(a.dtype == b.dtype, "the branches differ in element type")?;
            TensorType { dtype: a.dtype, shape: stretched(operands)? }
        }
        Op::Convert => {
            let [x] = take(operands)?;
            x.with_dtype(ty.dtype)
        }
        Op::Broadcast { axes } => {
            let [x] = take(operands)?;
            require(axes.len() == x.rank(), "an axis of the operand has no place")?;
            require(axes.is_sorted_by(|a, b| a < b), "the axes do not increase")?;
            let fits = axes.iter().zip(&x.shape).all(|(&axis, extent)| ty.shape.get(axis) == Some(extent));
            require(fits, "an extent of the operand changes")?;
            ty.with_dtype(x.dtype)
        }
        Op::Reshape => {
            let [x] = take(operands)?;
            require(x.len() == ty.len(), "the number of elements changes")?;
            ty.with_dtype(x.dtype)
        }
        Op::Transpose { permutation } => {
            let [x] = take(operands)?;
            let mut sorted = permutation.clone();
            sorted.sort_unstable();
            require(sorted.into_iter().eq(0..x.rank()), "no permutation")?;
            TensorType { dtype: x.dtype, shape: permutation.iter().map(|&axis| x.shape[axis]).collect() }
        }
        Op::Slice { start, end } => {
            let [x] = take(operands)?;
            require(start.len() == x.rank() && end.len() == x.rank(), "bounds for each axis are due")?;
            require((0..x.rank()).all(|i| start[i] <= end[i] && end[i] <= x.shape[i]), "out of bounds")?;
            TensorType { dtype: x.dtype, shape: start.iter().zip(end).map(|(a, b)| b - a).collect() }
        }
        Op::Pad { low, high } => {
            let [x] = take(operands)?;
            require(low.len() == x.rank() && high.len() == x.rank(), "widths for each axis are due")?;
            TensorType { dtype: x.dtype, shape: (0..x.rank()).map(|i| low[i] + x.shape[i] + high[i]).collect() }
        }
        Op::Concat { axis } => {
            let [first, rest @ ..] = operands else { return Err("no operands".to_owned()) };
            require(*axis < first.rank(), "no such axis")?;
            let mut result = (*first).clone();
            for other in rest {
                let fits = other.dtype == first.dtype
                    && other.rank() == first.rank()
                    && (0..first.rank()).all(|i| i == *axis || other.shape[i] == first.shape[i]);
                require(fits, "the operands do not fit together")?;
                result.shape[*axis] += other.shape[*axis];
            }
            result
        }
        Op::Reverse { axis } => {
            let [x] = take(operands)?;
            require(*axis < x.rank(), "no such axis")?;
            x.clone()
        }
        Op::Windows { axis, along } => {
            let [x] = take(operands)?;
            windows_type(x, *axis, *along).ok_or("no such windows")?
        }
        Op::Reduce { kind: Reduction::Sum | Reduction::Prod | Reduction::Max | Reduction::Min, axis, count } => {
            let [x] = take(operands)?;
            require(x.dtype != DType::Bool, "the operand has the wrong element type")?;
            require(*count > 0 && axis + count <= x.rank(), "no such axes")?;
            let mut shape = x.shape.clone();
            shape.drain(*axis..axis + count);
            TensorType { dtype: x.dtype, shape }
        }
        Op::ArgMax { axis } | Op::ArgMin { axis } => {
            let [x] = take(operands)?;
            require(x.dtype != DType::Bool, "the operand has the wrong element type")?;
            require(*axis < x.rank(), "no such axis")?;
            let mut shape = x.shape.clone();
            shape.remove(*axis);
            TensorType::i32(shape)
        }
        Op::ArgSort { axis, .. } => {
            let [x] = take(operands)?;
            require(x.dtype != DType::Bool, "the operand has the wrong element type")?;
            require(*axis < x.rank(), "no such axis")?;
            x.with_dtype(DType::I32)
        }
        Op::Contract { batch, contract } => {
            let [a, b] = take(operands)?;
            require(a.dtype == DType::F32 && b.dtype == DType::F32, "the operands have the wrong element type")?;
            let (mut left, mut right) = (vec![false; a.rank()], vec![false; b.rank()]);
            let mut shape = Vec::new();
            for (number, &(i, j)) in batch.iter().chain(contract).enumerate() {
                require(i < a.rank() && j < b.rank(), "no such axis")?;
                require(a.shape[i] == b.shape[j], "paired axes differ in extent")?;
                let twice = std::mem::replace(&mut left[i], true) | std::mem::replace(&mut right[j], true);
                require(!twice, "an axis is paired twice")?;
                if number < batch.len() {
                    shape.push(a.shape[i]);
                }
            }
            shape.extend((0..a.rank()).filter(|&i| !left[i]).map(|i| a.shape[i]));
            shape.extend((0..b.rank()).filter(|&j| !right[j]).map(|j| b.shape[j]));
            TensorType::f32(shape)
        }
        Op::Gather { batch } => {
            let [table, indices] = take(operands)?;
            require(indices.dtype == DType::I32, "the indices are no i32")?;
            let shared = table.rank() > *batch && indices.shape.starts_with(&table.shape[..*batch]);
            require(shared, "the operands differ in the axes they share")?;
            let shape = [indices.shape.as_slice(), &table.shape[batch + 1..]].concat();
            TensorType { dtype: table.dtype, shape }
        }
        Op::ScatterAdd { batch } => {
            let [indices, updates] = take(operands)?;
            require(indices.dtype == DType::I32 && updates.dtype == DType::F32, "the operands have the wrong types")?;
            let fits = indices.rank() >= *batch && updates.shape.starts_with(&indices.shape) && ty.rank() > *batch;
            require(fits, "there is not one update for each index")?;
            let rows = ty.shape[*batch];
            TensorType::f32([&indices.shape[..*batch], &[rows], &updates.shape[indices.rank()..]].concat())
        }
        Op::Scan(scan) => match scan.fault(operands) {
            Some(fault) => return Err(fault),
            None => TensorType::f32([0]),
        },
        Op::Result(_) => {
            let [_] = take(operands)?;
            ty.clone()
        }
        Op::Emit { time, .. } => {
            let [x] = take(operands)?;
            require(time.axis <= x.rank(), "no such axis")?;
            x.clone()
        }
        Op::Step(time) => {
            let [x] = take(operands)?;
            require(time.axis < x.rank(), "no such axis")?;
            TensorType { dtype: x.dtype, shape: time.step_of(&x.shape) }
        }
        Op::Uniform { .. } => {
            let [seed, step] = take(operands)?;
            require(*seed == TensorType::i32([2]), "the seed is no i32[2]")?;
            require(*step == TensorType::i32([]), "the step is no i32[]")?;
            ty.with_dtype(DType::F32)
        }
        Op::StopGradient | Op::SumBatch => {
            let [x] = take(operands)?;
            x.clone()
        }
        Op::Orthogonalize => {
            let [x] = take(operands)?;
            require(x.dtype == DType::F32 && x.rank() == 2, "the operand is no matrix")?;
            x.clone()
        }
    })
}

fn require(holds: bool, message: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message.to_owned()) }
}

fn take<'a, const N: usize>(operands: &[&'a TensorType]) -> Result<[&'a TensorType; N], String> {
    operands.try_into().map_err(|_| format!("has {} operands where {N} are due", operands.len()))
}

/// The longest shape, of which all others are suffixes.
fn stretched(operands: &[&TensorType]) -> Result<Vec<usize>, String> {
    let longest = operands.iter().map(|ty| &ty.shape).max_by_key(|shape| shape.len()).ok_or("no operands")?;
    let fits = operands.iter().all(|ty| longest.ends_with(&ty.shape));
    require(fits, "the shapes are no suffixes of one another")?;
    Ok(longest.clone())
}
