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
use crate::jit::{self, Buffer, Pool, Program, Target, Workspace};
use crate::kernel::{TileShape, lower};
use crate::plan::{PlanOptions, plan};
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
    let feeds: Vec<Option<Feed<'_>>> = batched
        .inputs
        .iter()
        .map(|input| feed_of(body, feeds, &input.name).filter(|_| input.role == Role::Data))
        .collect();
    let mut runner = Runner::new(batched, rows.saturating_mul(widest) >= WORTH_COMPILING);
    for (buffer, _) in runner.inputs.iter_mut().zip(&feeds).filter(|(_, feed)| feed.is_none()) {
        // Of the settings the seed has two elements, the step, which stays 0, has one.
        if buffer.len() == 2 {
            buffer.bits_mut().copy_from_slice(&key(random.seed));
        }
    }
    let mut values = match ty.dtype {
        DType::F32 => Storage::F32(Vec::with_capacity(rows * ty.len())),
        DType::I32 | DType::Bool => Storage::I32(Vec::with_capacity(rows * ty.len())),
    };
    for start in (0..rows).step_by(chunk.max(1)) {
        let count = chunk.min(rows - start);
        for (buffer, feed) in runner.inputs.iter_mut().zip(&feeds) {
            if let Some(feed) = feed {
                fill(buffer, *feed, start, chunk);
            }
        }
        let result = runner.run();
        let (used, times) = if varies { (count * ty.len(), 1) } else { (ty.len(), count) };
        for _ in 0..times {
            match &mut values {
                Storage::F32(values) => values.extend_from_slice(&result.as_f32()[..used]),
                Storage::I32(values) => values.extend(result.bits()[..used].iter().map(|&bits| bits as i32)),
            }
        }
    }
    Ok(values)
}

/// From how many elements on machine code makes up for the time it takes to compile.
const WORTH_COMPILING: usize = 1 << 18;

/// A chunk's graph, ready to run on its buffers: as machine code, or by the interpreter with the same bits.
struct Runner {
    graph: Graph,
    program: Option<(Program, Workspace)>,
    inputs: Vec<Buffer>,
    output: Buffer,
}

impl Runner {
    fn new(graph: Graph, compiled: bool) -> Runner {
        let buffer = |ty: &TensorType| Buffer::new(ty.dtype, ty.len());
        let inputs = graph.inputs.iter().map(|input| buffer(&input.ty)).collect();
        let output = buffer(&graph[graph.outputs[0].node].ty);
        let program = compiled.then(|| {
            let plan = plan(&graph, &PlanOptions::default());
            let program = jit::compile(&lower(&graph, &plan, &TileShape::F32X4), &Target::default());
            let workspace = program.workspace(&Pool::new(1));
            (program, workspace)
        });
        Runner { graph, program, inputs, output }
    }

    fn run(&mut self) -> &Buffer {
        match &mut self.program {
            Some((program, workspace)) => {
                let mut externals: Vec<&mut Buffer> = self.inputs.iter_mut().collect();
                externals.push(&mut self.output);
                program.run(workspace, &mut externals);
            }
            None => {
                let inputs = self.graph.inputs.iter().zip(&self.inputs);
                let arrays: Vec<Array> =
                    inputs.map(|(input, buffer)| Array::from_bits(&input.ty, buffer.bits())).collect();
                let results = eval(&self.graph, &arrays);
                self.output.bits_mut().copy_from_slice(&results[0].to_bits());
            }
        }
        &self.output
    }
}

/// Puts the rows from `start` on into an input that holds `chunk` rows. Behind the last row stays what was there.
fn fill(buffer: &mut Buffer, feed: Feed<'_>, start: usize, chunk: usize) {
    let len = buffer.len();
    let first = start * (len / chunk.max(1));
    let range = |all: usize| first..(first + len).min(all);
    match feed {
        Feed::Bytes(bytes) => {
            for (place, &byte) in buffer.as_f32_mut().iter_mut().zip(&bytes[range(bytes.len())]) {
                *place = f32::from(byte);
            }
        }
        Feed::F32(values) => {
            let part = &values[range(values.len())];
            buffer.as_f32_mut()[..part.len()].copy_from_slice(part);
        }
        Feed::I32(values) => {
            for (place, &value) in buffer.bits_mut().iter_mut().zip(&values[range(values.len())]) {
                *place = value as u32;
            }
        }
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
