//! The tensors of a run and the steps that work on them.
//!
//! In: a run's [`Programs`], an [`Engine`] and the columns of its data. Out: a [`Session`] that trains on rows, evaluates rows and predicts, with every
//! tensor in place. A batch size is a compiled variant of its own, made when it is first met: that of a full batch and that of the
//! last one.

use super::execute::{Engine, Executable, number, once, seed, whole};
use super::program::{Kept, Programs, Start, prediction};
use crate::data::Column;
use crate::data::batch::{gather_f32, gather_i32};
use crate::data::memory;
use crate::graph::elaborate::Unsupported;
use crate::graph::{DType, Graph, NodeId, Op, simplify};
use crate::jit::Buffer;

/// A run in the course of training.
pub struct Session<'a> {
    /// What is run.
    pub programs: Programs<'a>,
    /// Every tensor that is kept: params, states, optimizer's states.
    pub kept: Vec<Kept>,
    /// Their values.
    pub tensors: Vec<Buffer>,
    /// The number of the last step done.
    pub step: u64,
    engine: Engine,
    columns: Vec<&'a Column>,
    weights: Option<&'a [f32]>,
    seed: Buffer,
    /// How many of the tensors evaluation takes: params and states.
    model: usize,
    training: Vec<Variant>,
    evaluation: Vec<Variant>,
}

/// Why a program is not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Something in it has no code yet.
    Unsupported(Unsupported),
    /// It needs that many bytes, more than there are.
    TooLarge(u128),
}

impl From<Unsupported> for Refusal {
    fn from(found: Unsupported) -> Refusal {
        Refusal::Unsupported(found)
    }
}

/// A program for batches of one size, with the buffers that are its own.
struct Variant {
    size: usize,
    executable: Executable,
    fields: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

/// What is known of a step when it is done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// How many samples it saw.
    pub samples: usize,
    /// The sum of their weights.
    pub weight: f64,
    /// Their mean loss.
    pub loss: f32,
}

/// Sums over rows that were evaluated.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sums {
    /// Σ w·loss.
    pub loss: f64,
    /// Σ w.
    pub weight: f64,
    /// Σ w·x for each element of each average of the metrics.
    pub averages: Vec<Vec<f64>>,
}

impl<'a> Session<'a> {
    /// The tensors at their start. `columns` are those of [`Programs::fields`].
    pub fn new(
        programs: Programs<'a>,
        engine: Engine,
        columns: Vec<&'a Column>,
        weights: Option<&'a [f32]>,
    ) -> Result<Session<'a>, Refusal> {
        let (params, states) = (programs.params(), programs.states());
        let model = params.len() + states.len();
        let kept: Vec<Kept> = params.into_iter().chain(states).chain(programs.optimizer_states()).collect();
        let seed = seed(programs.run.seed);
        let tensors = start(&programs, &engine, &seed, kept.len())?;
        let (training, evaluation) = (Vec::new(), Vec::new());
        Ok(Session { programs, kept, tensors, step: 0, engine, columns, weights, seed, model, training, evaluation })
    }

    /// Compiles what training on so many rows needs.
    pub fn prepare(&mut self, rows: usize, batch: usize) -> Result<(), Refusal> {
        let batch = batch.min(rows).max(1);
        self.training_variant(batch)?;
        Ok(())
    }

    /// One step for each `batch` of `rows` in order, the last one smaller where it does not come out even. `rate` gives the rate of the step of that
    /// number; `done` is told of each and answers whether to go on.
    pub fn train(
        &mut self,
        rows: &[u32],
        batch: usize,
        rate: &mut dyn FnMut(u64) -> f32,
        done: &mut dyn FnMut(Done) -> bool,
    ) -> Result<(), Refusal> {
        let (full, rest) = rows.split_at(rows.len() / batch * batch);
        for (size, rows) in [(batch, full), (rest.len(), rest)] {
            if rows.is_empty() {
                continue;
            }
            let variant = self.training_variant(size)?;
            if !self.train_batches(variant, rows, rate, done) {
                break;
            }
        }
        Ok(())
    }

    fn train_batches(
        &mut self,
        variant: usize,
        rows: &[u32],
        rate: &mut dyn FnMut(u64) -> f32,
        done: &mut dyn FnMut(Done) -> bool,
    ) -> bool {
        let Variant { size, executable, fields, outputs } = &mut self.training[variant];
        let (mut lr, mut step) = (number(0.0), whole(0));
        let (lr_at, step_at) = (fields.len() + self.tensors.len(), fields.len() + self.tensors.len() + 1);
        let field_count = fields.len();
        let loss_at = step_at + 2;
        // Made once for all batches: a step allocates nothing.
        let mut externals: Vec<&mut Buffer> = (fields.iter_mut())
            .chain(&mut self.tensors)
            .chain([&mut lr, &mut step, &mut self.seed])
            .chain(outputs)
            .collect();
        for rows in rows.chunks_exact(*size) {
            self.step += 1;
            gather(&self.columns, self.weights, rows, &mut externals[..field_count]);
            externals[lr_at].as_f32_mut()[0] = rate(self.step);
            externals[step_at].as_i32_mut()[0] = self.step as i32;
            executable.run(&mut externals);
            let weight = match self.weights {
                Some(_) => externals[field_count - 1].as_f32().iter().copied().map(f64::from).sum(),
                None => rows.len() as f64,
            };
            let loss = externals[loss_at].as_f32()[0];
            if !done(Done { samples: rows.len(), weight, loss }) {
                return false;
            }
        }
        true
    }

    /// Loss and metrics' averages over rows, as the model is now.
    pub fn evaluate(&mut self, rows: &[u32], batch: usize, interrupted: &dyn Fn() -> bool) -> Result<Sums, Refusal> {
        let mut sums = Sums::default();
        let batch = batch.min(rows.len()).max(1);
        for rows in rows.chunks(batch) {
            if interrupted() {
                break;
            }
            let variant = self.evaluation_variant(rows.len())?;
            let Variant { executable, fields, outputs, .. } = &mut self.evaluation[variant];
            let mut step = whole(0);
            let field_count = fields.len();
            let mut externals: Vec<&mut Buffer> = (fields.iter_mut())
                .chain(&mut self.tensors[..self.model])
                .chain([&mut step, &mut self.seed])
                .chain(outputs.iter_mut())
                .collect();
            gather(&self.columns, self.weights, rows, &mut externals[..field_count]);
            executable.run(&mut externals);
            sums.loss += f64::from(outputs[0].as_f32()[0]);
            sums.weight += f64::from(outputs[1].as_f32()[0]);
            sums.averages.resize_with(outputs.len() - 2, Vec::new);
            for (sum, output) in sums.averages.iter_mut().zip(&outputs[2..]) {
                sum.resize(output.len(), 0.0);
                sum.iter_mut().zip(output.as_f32()).for_each(|(sum, &x)| *sum += f64::from(x));
            }
        }
        Ok(sums)
    }

    /// The model's outputs for samples given as one buffer per input of the model, `count` rows each.
    pub fn predict(&mut self, inputs: Vec<Buffer>, count: usize) -> Result<Vec<Buffer>, Refusal> {
        let graph = prediction(self.programs.model, count)?;
        let tensors = self.tensors[..self.model].iter().cloned();
        let inputs = inputs.into_iter().chain(tensors).chain([whole(0), self.seed.clone()]).collect();
        Ok(once(graph, &self.engine, inputs))
    }

    /// How many of [`Session::tensors`] make the model: params and states, not the optimizer's.
    pub fn model_tensors(&self) -> usize {
        self.model
    }

    fn training_variant(&mut self, size: usize) -> Result<usize, Refusal> {
        if let Some(found) = self.training.iter().position(|variant| variant.size == size) {
            return Ok(found);
        }
        let executable = self.executable(self.programs.training(size)?)?;
        let settings = self.tensors.len() + 3;
        self.training.push(self.variant(size, executable, settings));
        Ok(self.training.len() - 1)
    }

    fn evaluation_variant(&mut self, size: usize) -> Result<usize, Refusal> {
        if let Some(found) = self.evaluation.iter().position(|variant| variant.size == size) {
            return Ok(found);
        }
        let executable = self.executable(self.programs.evaluation(size)?)?;
        let settings = self.model + 2;
        self.evaluation.push(self.variant(size, executable, settings));
        Ok(self.evaluation.len() - 1)
    }

    fn executable(&self, graph: Graph) -> Result<Executable, Refusal> {
        let available = memory::available().unwrap_or(u128::MAX);
        Executable::within(graph, &self.engine, available).map_err(Refusal::TooLarge)
    }

    /// Gives a program the buffers before and behind those that all programs share.
    fn variant(&self, size: usize, executable: Executable, shared: usize) -> Variant {
        let fields = self.columns.len() + usize::from(self.weights.is_some());
        let outputs = executable.buffers(fields + shared..executable.externals());
        Variant { size, fields: executable.buffers(0..fields), outputs, executable }
    }
}

/// Copies rows of the columns, and their weights, to the first buffers.
fn gather(columns: &[&Column], weights: Option<&[f32]>, rows: &[u32], buffers: &mut [&mut Buffer]) {
    for (column, buffer) in columns.iter().zip(buffers.iter_mut()) {
        match buffer.dtype() {
            DType::F32 => gather_f32(column, rows, buffer.as_f32_mut()),
            DType::I32 | DType::Bool => gather_i32(column, rows, buffer.as_i32_mut()),
        }
    }
    if let (Some(weights), Some(buffer)) = (weights, buffers.last_mut()) {
        buffer.as_f32_mut().iter_mut().zip(rows).for_each(|(place, &row)| *place = weights[row as usize]);
    }
}

/// Up to how many numbers the start is interpreted, which is then sooner done than compiling.
const INTERPRETED_START: usize = 2_000;

/// All tensors at their start.
fn start(programs: &Programs, engine: &Engine, seed: &Buffer, count: usize) -> Result<Vec<Buffer>, Refusal> {
    let mut tensors: Vec<Option<Buffer>> = vec![None; count];
    for part in [Start::Compiled, Start::Interpreted] {
        let (mut graph, mut places) = programs.start(part)?;
        // Most tensors start as one number everywhere (biases, all that an optimizer keeps): no program for those.
        let filled: Vec<Option<Buffer>> =
            graph.outputs.iter().map(|output| uniform_buffer(&graph, output.node)).collect();
        let is_left: Vec<bool> = filled.iter().map(Option::is_none).collect();
        for (&place, buffer) in places.iter().zip(filled) {
            tensors[place] = buffer;
        }
        let mut left = is_left.iter();
        places.retain(|_| left.next() == Some(&true));
        let mut left = is_left.iter();
        graph.outputs.retain(|_| left.next() == Some(&true));
        if places.is_empty() {
            continue;
        }
        let graph = simplify::sweep(&graph);
        let size: usize = graph.outputs.iter().map(|output| graph[output.node].ty.len()).sum();
        let interpreted = part == Start::Interpreted || size <= INTERPRETED_START;
        let engine = if interpreted { &Engine::Interp } else { engine };
        for (place, tensor) in places.into_iter().zip(once(graph, engine, vec![whole(0), seed.clone()])) {
            tensors[place] = Some(tensor);
        }
    }
    Ok(tensors.into_iter().map(|tensor| tensor.expect("every tensor belongs to a part")).collect())
}

/// The value of a node that repeats one constant.
fn uniform_buffer(graph: &Graph, node: NodeId) -> Option<Buffer> {
    let mut source = &graph[node];
    while let (Op::Broadcast { .. } | Op::Reshape, Some(&operand)) = (&source.op, source.operands.first()) {
        source = &graph[operand];
    }
    let Op::Constant(scalar) = source.op else { return None };
    let ty = &graph[node].ty;
    let mut buffer = Buffer::new(ty.dtype, ty.len());
    if scalar.bits() != 0 {
        buffer.bits_mut().fill(scalar.bits());
    }
    Some(buffer)
}
