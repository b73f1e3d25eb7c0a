//! Expressions of fields, run over the rows.
//!
//! In: a body and the values of its inputs over all rows. Out: its value over all rows. The body becomes the graph of one
//! row, that the graph of a chunk of rows, which is evaluated chunk by chunk; a last chunk that is not full is filled up with
//! rows that are thrown away. Random draws count their elements over the batch, so a body that draws is one chunk.

use super::Storage;
use super::memory;
use super::random::key;
use crate::check::hir::Body;
use crate::diagnostics::{Diagnostic, data as report};
use crate::graph::batch::batch;
use crate::graph::elaborate::{self, Scope, elaborate, tensor_type};
use crate::graph::eval::{Array, eval};
use crate::graph::simplify::simplify;
use crate::graph::{Builder, DType, Graph, NodeId, Op, Role, TensorType};
use crate::source::Span;

/// The values of an input over all rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Feed<'a> {
    /// Numbers that are bytes.
    Bytes(&'a [u8]),
    /// Numbers.
    F32(&'a [f32]),
    /// Categories, or truth values as 0 and 1.
    I32(&'a [i32]),
}

/// Where random numbers come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random {
    /// The source's seed.
    pub(super) seed: u64,
    /// The first purpose of the field.
    pub(super) purpose: u32,
}

/// Elements of the widest value of a chunk: small enough to stay in cache, large enough to hide the cost of a node.
const CHUNK: usize = 1 << 16;

/// The value of the body's one output for every row.
pub(super) fn compute(
    name: &str,
    body: &Body,
    feeds: &[Feed<'_>],
    rows: usize,
    random: Random,
    span: Span,
) -> Result<Storage, Diagnostic> {
    let graph = graph_of_row(name, body, random)?;
    let output = graph.outputs[0].node;
    let ty = graph[output].ty.clone();
    let draws = graph.nodes.iter().any(|node| matches!(node.op, Op::Uniform { .. }));
    let widest = graph.nodes.iter().map(|node| node.ty.len()).max().unwrap_or(1).max(1);
    let chunk = if draws { rows } else { (CHUNK / widest).clamp(1, rows.max(1)) };
    let of_row: u128 = graph.nodes.iter().map(|node| 4 * node.ty.len() as u128).sum();
    memory::require(
        span,
        (chunk as u128).saturating_mul(of_row).saturating_add(4 * (rows as u128) * ty.len() as u128),
    )?;

    let batched = simplify(&batch(&graph, chunk));
    // A value that does not depend on the row has no batch axis.
    let varies = batched[batched.outputs[0].node].ty.rank() > ty.rank();
    let mut values = match ty.dtype {
        DType::F32 => Storage::F32(Vec::with_capacity(rows * ty.len())),
        DType::I32 | DType::Bool => Storage::I32(Vec::with_capacity(rows * ty.len())),
    };
    for start in (0..rows).step_by(chunk.max(1)) {
        let count = chunk.min(rows - start);
        let inputs: Vec<Array> = (batched.inputs.iter())
            .map(|input| array(input.role, &input.ty, feed_of(body, feeds, &input.name), start, random))
            .collect();
        let results = eval(&batched, &inputs);
        let (used, times) = if varies { (count * ty.len(), 1) } else { (ty.len(), count) };
        for _ in 0..times {
            append(&mut values, &results[0], used);
        }
    }
    Ok(values)
}

fn append(values: &mut Storage, result: &Array, used: usize) {
    match (values, result) {
        (Storage::F32(values), Array::Real(_)) => values.extend_from_slice(&result.reals()[..used]),
        (Storage::I32(values), Array::I32(_)) => values.extend_from_slice(&result.integers()[..used]),
        (Storage::I32(values), Array::Bool(_)) => {
            values.extend(result.truths()[..used].iter().map(|&truth| i32::from(truth)));
        }
        (Storage::F32(_) | Storage::I32(_), _) => unreachable!("a result has the type of its node"),
    }
}

/// The graph of one row, its inputs named as the body's.
fn graph_of_row(name: &str, body: &Body, random: Random) -> Result<Graph, Diagnostic> {
    let mut builder = Builder::new(name);
    let inputs: Vec<NodeId> =
        body.inputs.iter().map(|input| builder.input(input.name.clone(), Role::Data, tensor_type(&input.ty))).collect();
    let seed = builder.input("seed:", Role::Setting, TensorType::i32([2]));
    let step = builder.input("step:", Role::Setting, TensorType::i32([]));
    let random = elaborate::Random { seed, step, purpose: random.purpose };
    let scope = Scope { inputs: &inputs, random: Some(random), ..Scope::default() };
    let elaborated = elaborate(body, &mut builder, scope)
        .map_err(|unsupported| report::not_supported_yet(unsupported.span, unsupported.what))?;
    builder.output("value", elaborated.outputs[0]);
    Ok(simplify(&builder.graph))
}

fn feed_of<'a>(body: &Body, feeds: &[Feed<'a>], name: &str) -> Option<Feed<'a>> {
    let at = body.inputs.iter().position(|input| input.name == name)?;
    feeds.get(at).copied()
}

/// A chunk's input from row `start` on, filled up where the rows end.
fn array(role: Role, ty: &TensorType, feed: Option<Feed<'_>>, start: usize, random: Random) -> Array {
    let Some(feed) = feed.filter(|_| role == Role::Data) else {
        let [low, high] = key(random.seed).map(|word| word as i32);
        return if ty.rank() == 1 { Array::i32(&ty.shape, vec![low, high]) } else { Array::i32(&ty.shape, vec![0]) };
    };
    let row_len: usize = ty.shape[1..].iter().product();
    let range = |len: usize| start * row_len..(start * row_len + ty.len()).min(len);
    match (feed, ty.dtype) {
        (Feed::Bytes(bytes), _) => {
            let mut part: Vec<f32> = bytes[range(bytes.len())].iter().map(|&byte| f32::from(byte)).collect();
            part.resize(ty.len(), 0.0);
            Array::real(&ty.shape, part)
        }
        (Feed::F32(values), _) => {
            let mut part = values[range(values.len())].to_vec();
            part.resize(ty.len(), 0.0);
            Array::real(&ty.shape, part)
        }
        (Feed::I32(values), DType::Bool) => {
            let mut part: Vec<bool> = values[range(values.len())].iter().map(|&value| value != 0).collect();
            part.resize(ty.len(), false);
            Array::bool(&ty.shape, part)
        }
        (Feed::I32(values), DType::I32 | DType::F32) => {
            let mut part = values[range(values.len())].to_vec();
            part.resize(ty.len(), 0);
            Array::i32(&ty.shape, part)
        }
    }
}
