//! A graph made ready to run: as machine code, or by the interpreter, with the same bits.
//!
//! In: a [`Graph`]. Out: an [`Executable`] that is called with the same buffers either way: the graph's inputs, then those of its
//! outputs that update no input.

use crate::graph::eval::{self, Array};
use crate::graph::{DType, Graph, TensorType};
use crate::jit::{self, Buffer, Pool, Program, Workspace};
use crate::kernel::{self, TileShape};
use crate::plan::{self, PlanOptions};
use std::sync::Arc;

/// What runs a graph.
#[derive(Clone)]
pub enum Engine {
    /// The reference interpreter.
    Interp,
    /// Machine code, on the threads of a pool.
    Jit(jit::Target, Arc<Pool>),
}

impl Engine {
    /// The number of threads it runs on.
    pub fn threads(&self) -> usize {
        match self {
            Engine::Interp => 1,
            Engine::Jit(_, pool) => pool.threads(),
        }
    }
}

/// A graph that can be run.
pub struct Executable {
    /// The type of each external buffer.
    externals: Vec<TensorType>,
    kind: Kind,
}

enum Kind {
    Interp(Graph),
    Jit(Box<(Program, Workspace)>),
}

impl Executable {
    /// Compiles the graph for the engine.
    pub fn new(graph: Graph, engine: &Engine) -> Executable {
        match Executable::within(graph, engine, u128::MAX) {
            Ok(executable) => executable,
            Err(needed) => unreachable!("{needed} bytes are within any bound"),
        }
    }

    /// The same where its memory fits into so many bytes; else how many it needs, before any is taken.
    pub fn within(graph: Graph, engine: &Engine, available: u128) -> Result<Executable, u128> {
        let inputs = graph.inputs.iter().map(|input| input.ty.clone());
        let fresh = graph.outputs.iter().filter(|output| output.updates.is_none());
        let externals: Vec<TensorType> = inputs.chain(fresh.map(|output| graph[output.node].ty.clone())).collect();
        let mut needed = externals.iter().map(bytes).fold(0, u128::saturating_add);
        let kind = match engine {
            Engine::Interp if needed <= available => Kind::Interp(graph),
            Engine::Interp => return Err(needed),
            Engine::Jit(target, pool) => {
                let module = module(&graph);
                needed = needed.saturating_add(4 * (module.arena + module.scratch * pool.threads()) as u128);
                if needed > available {
                    return Err(needed);
                }
                let program = jit::compile(&module, target);
                let workspace = program.workspace(pool);
                Kind::Jit(Box::new((program, workspace)))
            }
        };
        Ok(Executable { externals, kind })
    }

    /// Zeroed buffers for the externals of that range.
    pub fn buffers(&self, range: std::ops::Range<usize>) -> Vec<Buffer> {
        self.externals[range].iter().map(|ty| Buffer::new(ty.dtype, ty.len())).collect()
    }

    /// How many externals a call is given.
    pub fn externals(&self) -> usize {
        self.externals.len()
    }

    /// Runs it once on the externals in order; updated inputs are written in place.
    pub fn run(&mut self, externals: &mut [&mut Buffer]) {
        match &mut self.kind {
            Kind::Interp(graph) => interpret(graph, externals),
            Kind::Jit(code) => code.0.run(&mut code.1, externals),
        }
    }
}

/// The kernels of a graph.
pub fn module(graph: &Graph) -> kernel::Module {
    kernel::lower(graph, &plan::plan(graph, &PlanOptions::default()), &TileShape::F32X4)
}

/// Runs a graph once: buffers for its inputs in, buffers of its outputs out.
pub fn once(graph: Graph, engine: &Engine, mut inputs: Vec<Buffer>) -> Vec<Buffer> {
    let mut executable = Executable::new(graph, engine);
    let mut outputs = executable.buffers(inputs.len()..executable.externals());
    let mut externals: Vec<&mut Buffer> = inputs.iter_mut().chain(&mut outputs).collect();
    executable.run(&mut externals);
    outputs
}

fn interpret(graph: &Graph, externals: &mut [&mut Buffer]) {
    let arrays: Vec<Array> = (graph.inputs.iter().zip(externals.iter()))
        .map(|(input, buffer)| Array::from_bits(&input.ty, buffer.bits()))
        .collect();
    let values = eval::eval(graph, &arrays);
    let mut fresh = graph.inputs.len();
    for (output, value) in graph.outputs.iter().zip(values) {
        let place = output.updates.unwrap_or_else(|| {
            fresh += 1;
            fresh - 1
        });
        externals[place].bits_mut().copy_from_slice(&value.to_bits());
    }
}

/// A buffer of one number.
pub fn number(value: f32) -> Buffer {
    Buffer::from_f32(&[value])
}

/// A buffer of one whole number.
pub fn whole(value: i32) -> Buffer {
    Buffer::from_i32(&[value])
}

/// A run's seed as its graphs take it.
pub fn seed(seed: u64) -> Buffer {
    Buffer::from_i32(&[seed as u32 as i32, (seed >> 32) as u32 as i32])
}

/// The bytes of a tensor's elements.
pub fn bytes(ty: &TensorType) -> u128 {
    debug_assert!(matches!(ty.dtype, DType::F32 | DType::I32 | DType::Bool), "every element takes four bytes");
    ty.shape.iter().fold(4, |bytes: u128, &extent| bytes.saturating_mul(extent as u128))
}
