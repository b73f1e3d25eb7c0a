//! The programs of a run as graphs.
//!
//! In: a checked run. Out: one [`Graph`] for each thing a run does: a training step, an evaluation, a prediction, the start
//! of all tensors, the factor on the rate. The order of inputs and outputs is fixed here and relied upon by `step`:
//!
//! | graph | inputs | outputs |
//! | --- | --- | --- |
//! | training | fields, `weight`?, params, states, optimizer's states, `lr`, `step`, `seed` | `loss`; then updates |
//! | evaluation | fields, `weight`?, params, states, `step`, `seed` | `loss`, `weight`, averages of the metrics: sums over the batch |
//! | prediction | the model's inputs, params, states, `step`, `seed` | the model's outputs |
//! | start | `step`, `seed` | params, states, optimizer's states: those of the part asked for |
//! | factor, next | the schedule's scope, its states | the factor; the next states |
//! | metric | the metric's averages | its value |
//!
//! The loss of a batch is Σ w·loss / Σ w over its samples. Penalties are added to what is differentiated, not to the loss that is
//! reported, so that training and validation losses compare.

use crate::autodiff;
use crate::check::hir::{self, Binding, Body, HirOp, Model, Run};
use crate::graph::elaborate::{Elaborated, Random, Scope, Unsupported, elaborate, tensor_type};
use crate::graph::{
    Binary, Builder, DType, Graph, NodeId, Op, Role, TensorType, Unary, batch, hoist, simplify, stabilize,
};
use crate::source::Span;

/// A field of the data that a program reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type for one sample.
    pub ty: TensorType,
}

/// A tensor that lives as long as the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its path: `dense_1.W`, `batch_norm_1.running_mean`, `dense_1.W:velocity`.
    pub path: String,
    /// Its extents.
    pub shape: Vec<usize>,
}

/// What a run's programs work on.
#[derive(Clone, Copy, Debug)]
pub struct Programs<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its model.
    pub model: &'a Model,
    /// Whether samples have weights.
    pub weighted: bool,
}

/// Which part of the tensors a start graph gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Those that only the interpreter can make: the orthogonal ones.
    Interpreted,
    /// The others.
    Compiled,
}

impl Programs<'_> {
    /// The fields that training and evaluation read: the model's inputs, then what the loss and the metrics add.
    pub fn fields(&self) -> Vec<Field> {
        let bodies =
            [&self.model.body, &self.run.loss].into_iter().chain(self.run.metrics.iter().map(|metric| &metric.body));
        let mut fields: Vec<Field> = Vec::new();
        for input in bodies.flat_map(|body| &body.inputs).filter(|input| input.binding == Binding::Field) {
            if !fields.iter().any(|field| field.name == input.name) {
                fields.push(Field { name: input.name.clone(), ty: tensor_type(&input.ty) });
            }
        }
        fields
    }

    /// The trainable parameters.
    pub fn params(&self) -> Vec<Kept> {
        let params = self.model.body.params.iter();
        params.map(|param| Kept { path: param.path.clone(), shape: param.shape.clone() }).collect()
    }

    /// The states of layers.
    pub fn states(&self) -> Vec<Kept> {
        let states = self.model.body.states.iter();
        states.map(|state| Kept { path: state.path.clone(), shape: state.shape.clone() }).collect()
    }

    /// The states of the optimizer: for each parameter in order, each state.
    pub fn optimizer_states(&self) -> Vec<Kept> {
        let states = &self.run.optimizer.body.states;
        let of = |param: &crate::check::hir::Param| -> Vec<Kept> {
            states
                .iter()
                .map(|state| Kept { path: format!("{}:{}", param.path, state.path), shape: param.shape.clone() })
                .collect()
        };
        self.model.body.params.iter().flat_map(of).collect()
    }

    /// The forward part of a training step for one sample: the graph that is batched and differentiated. Its outputs: `loss` over the batch,
    /// `objective` with the penalties, the next states.
    pub fn sample(&self) -> Result<Graph, Unsupported> {
        let mut b = Builder::new(format!("{}.train", self.run.name));
        let inputs = Inputs::declare(self, &mut b, true);
        let model = inputs.model(&mut b, self.model, true, 0)?;
        let loss = inputs.joint(&mut b, self, &self.run.loss, &model.outputs, true, model.purpose)?;
        let (total, weight) = inputs.weighted_sum(&mut b, loss.outputs[0]);
        let mean = b.div(total, weight);
        let mut objective = mean;
        for (param, penalty) in &self.run.penalties {
            let w = inputs.params[*param];
            let scope = Scope { inputs: &vec![w; penalty.inputs.len()], training: true, ..Scope::default() };
            let cost = elaborate(penalty, &mut b, scope)?.outputs[0];
            objective = b.add(objective, cost);
        }
        b.output("loss", mean);
        b.output("objective", objective);
        for (&state, next) in inputs.states.iter().zip(model.next) {
            let Some(next) = next else { continue };
            let next = shared(&mut b, next);
            let shape = b.shape(state).to_vec();
            let next = b.broadcast_suffix(next, &shape);
            b.update(state, next);
        }
        Ok(hoist::hoist(&stabilize::stabilize(&b.graph)))
    }

    /// A step of training on `n` samples: forward, backward and the update.
    pub fn training(&self, n: usize) -> Result<Graph, Unsupported> {
        let forward = simplify::simplify(&batch::batch(&self.sample()?, n));
        let objective = forward.outputs[1].node;
        let mut b = Builder::on(forward);
        b.graph.outputs.remove(1);
        let params = self.params();
        let first = b.graph.inputs.iter().position(|input| input.role == Role::Param).unwrap_or(b.graph.inputs.len());
        let wrt: Vec<NodeId> = (0..params.len()).map(|i| input_node(&mut b, first + i)).collect();
        let mut gradients = autodiff::gradients(&mut b, objective, &wrt);
        if let Some(limit) = self.run.clip {
            clip(&mut b, &mut gradients, limit as f32);
        }
        self.update(&mut b, &wrt, &gradients)?;
        Ok(simplify::simplify_differentiated(&b.graph))
    }

    /// The optimizer's rule on each parameter.
    fn update(&self, b: &mut Builder, params: &[NodeId], gradients: &[NodeId]) -> Result<(), Unsupported> {
        let body = &self.run.optimizer.body;
        let setting = |b: &mut Builder, name: &str| {
            let number = b.graph.inputs.iter().position(|input| input.role == Role::Setting && input.name == name);
            input_node(b, number.expect("a training step has its settings"))
        };
        let (lr, step, seed) = (setting(b, "lr"), setting(b, "step"), setting(b, "seed"));
        let first = params.len() + self.model.body.states.len();
        let params_at = b.graph.inputs.iter().position(|input| input.role == Role::Param).unwrap_or_default();
        let mut state_at = params_at + first;
        let count = b.convert(step, DType::F32);
        // Draws of an optimizer are told from those of the model by the upper half of the purposes.
        let mut purpose = 1 << 31;
        for (&param, &gradient) in params.iter().zip(gradients) {
            let shape = b.shape(param).to_vec();
            let states: Vec<NodeId> = (0..body.states.len()).map(|i| input_node(b, state_at + i)).collect();
            state_at += states.len();
            let inputs: Vec<NodeId> = (body.inputs.iter())
                .map(|input| match input.name.as_str() {
                    "param" => param,
                    "grad" => gradient,
                    "lr" => lr,
                    _ => count,
                })
                .collect();
            let random = Some(Random { seed, step, purpose });
            let scope =
                Scope { inputs: &inputs, states: &states, training: true, lift: &shape, random, ..Scope::default() };
            let rule = elaborate(body, b, scope)?;
            purpose = rule.purpose;
            let value = b.broadcast_suffix(rule.outputs[0], &shape);
            b.update(param, value);
            for (&state, next) in states.iter().zip(rule.next) {
                let Some(next) = next else { continue };
                let next = b.broadcast_suffix(next, &shape);
                b.update(state, next);
            }
        }
        Ok(())
    }

    /// The loss and the metrics' averages of `n` samples, as sums.
    pub fn evaluation(&self, n: usize) -> Result<Graph, Unsupported> {
        let mut b = Builder::new(format!("{}.eval", self.run.name));
        let inputs = Inputs::declare(self, &mut b, false);
        let model = inputs.model(&mut b, self.model, false, 0)?;
        let loss = inputs.joint(&mut b, self, &self.run.loss, &model.outputs, false, model.purpose)?;
        let (total, weight) = inputs.weighted_sum(&mut b, loss.outputs[0]);
        b.output("loss", total);
        b.output("weight", weight);
        let mut purpose = loss.purpose;
        for metric in &self.run.metrics {
            let value = inputs.joint(&mut b, self, &metric.body, &model.outputs, false, purpose)?;
            purpose = value.purpose;
            for (number, &average) in value.averages.iter().enumerate() {
                let (total, _) = inputs.weighted_sum(&mut b, average);
                b.output(format!("{}.{number}", metric.name), total);
            }
        }
        Ok(finish(&b.graph, n))
    }

    /// The value of metric `number` from its averages.
    pub fn metric(&self, number: usize) -> Result<Graph, Unsupported> {
        let metric = &self.run.metrics[number];
        let mut b = Builder::new(format!("{}.{}", self.run.name, metric.name));
        let averages: Vec<NodeId> = (metric.body.values.iter())
            .filter(|value| matches!(value.op, HirOp::Avg))
            .map(|value| b.input("average", Role::Setting, TensorType::f32(value.ty.shape.clone())))
            .collect();
        let count = averages.len();
        let inputs: Vec<NodeId> =
            (metric.body.inputs.iter()).map(|input| b.input(&input.name, Role::Data, tensor_type(&input.ty))).collect();
        let scope = Scope { inputs: &inputs, averages: &averages, ..Scope::default() };
        let value = elaborate(&metric.body, &mut b, scope)?;
        let value = b.convert(value.outputs[0], DType::F32);
        b.output(&metric.name, value);
        // What the averages are made of is swept away; what is left must stand on them alone.
        let mut graph = simplify::simplify(&b.graph);
        if let Some(node) = graph.nodes.iter().find(|node| matches!(node.op, Op::Input(input) if input >= count)) {
            return Err(Unsupported { what: "a value of one sample outside `avg`", span: node.origin });
        }
        graph.inputs.truncate(count);
        Ok(graph)
    }

    /// The start of the tensors of that part, with the places of its outputs in the list of all: params, states, optimizer's states.
    pub fn start(&self, part: Start) -> Result<(Graph, Vec<usize>), Unsupported> {
        let mut b = Builder::new(format!("{}.start", self.run.name));
        let (step, seed) = step_and_seed(&mut b);
        let body = &self.model.body;
        let params = body.params.iter().map(|param| (param.path.clone(), &param.shape, &param.init));
        let states = body.states.iter().map(|state| (state.path.clone(), &state.shape, &state.init));
        let rule = &self.run.optimizer.body.states;
        let of = |param: &'_ crate::check::hir::Param| -> Vec<(String, Vec<usize>)> {
            rule.iter().map(|state| (format!("{}:{}", param.path, state.path), param.shape.clone())).collect()
        };
        let optimizer: Vec<(String, Vec<usize>)> = body.params.iter().flat_map(of).collect();
        let optimizer =
            optimizer.iter().enumerate().map(|(i, (path, shape))| (path.clone(), shape, &rule[i % rule.len()].init));
        let mut places = Vec::new();
        for (place, (path, shape, init)) in params.chain(states).chain(optimizer).enumerate() {
            let interpreted = init.values.iter().any(|value| matches!(value.op, HirOp::Orthogonal));
            if interpreted != (part == Start::Interpreted) {
                continue;
            }
            let random = Some(Random { seed, step, purpose: purpose_of(&path) });
            let scope = Scope { lift: shape, random, ..Scope::default() };
            let value = elaborate(init, &mut b, scope)?.outputs[0];
            let value = b.convert(value, DType::F32);
            let value = b.broadcast_suffix(value, shape);
            b.output(path, value);
            places.push(place);
        }
        Ok((simplify::simplify(&b.graph), places))
    }

    /// The factor on the rate, and the next values of the schedule's states.
    pub fn schedule(&self) -> Result<Option<(Graph, Graph)>, Unsupported> {
        let Some(body) = &self.run.schedule else { return Ok(None) };
        let mut b = Builder::new(format!("{}.schedule", self.run.name));
        let settings = hir::SCHEDULE_SCOPE.map(|name| b.input(name, Role::Setting, TensorType::f32([])));
        let states: Vec<NodeId> = (body.states.iter())
            .map(|state| b.input(&state.path, Role::State, TensorType::f32(state.shape.clone())))
            .collect();
        let inputs: Vec<NodeId> = (body.inputs.iter())
            .map(|input| {
                let place = hir::SCHEDULE_SCOPE.iter().position(|&name| name == input.name);
                place
                    .map(|place| settings[place])
                    .ok_or(Unsupported { what: "that name in a schedule", span: self.run.span })
            })
            .collect::<Result<_, _>>()?;
        let value =
            elaborate(body, &mut b, Scope { inputs: &inputs, states: &states, training: true, ..Scope::default() })?;
        let mut next = b.clone();
        let factor = b.convert(value.outputs[0], DType::F32);
        b.output("factor", factor);
        for ((&state, node), declared) in states.iter().zip(value.next).zip(&body.states) {
            let node = next.broadcast_suffix(node.unwrap_or(state), &declared.shape);
            next.output(&declared.path, node);
        }
        Ok(Some((simplify::simplify(&b.graph), simplify::simplify(&next.graph))))
    }

    /// The start of the schedule's states.
    pub fn schedule_start(&self) -> Result<Graph, Unsupported> {
        let mut b = Builder::new(format!("{}.schedule.start", self.run.name));
        for state in self.run.schedule.iter().flat_map(|body| &body.states) {
            let value = elaborate(&state.init, &mut b, Scope::default())?.outputs[0];
            let value = b.convert(value, DType::F32);
            let value = b.broadcast_suffix(value, &state.shape);
            b.output(&state.path, value);
        }
        Ok(simplify::simplify(&b.graph))
    }
}

/// The outputs of a model for one sample, without training.
pub fn forward(model: &Model) -> Result<Graph, Unsupported> {
    let mut b = Builder::new(format!("{}.predict", model.name));
    let body = &model.body;
    let fields: Vec<NodeId> =
        body.inputs.iter().map(|input| b.input(&input.name, Role::Data, tensor_type(&input.ty))).collect();
    let (params, states) = kept(&mut b, model);
    let (step, seed) = step_and_seed(&mut b);
    let random = Some(Random { seed, step, purpose: 0 });
    let scope = Scope { inputs: &fields, params: &params, states: &states, random, ..Scope::default() };
    let value = elaborate(body, &mut b, scope)?;
    for ((name, _), &node) in body.outputs.iter().zip(&value.outputs) {
        b.output(name, node);
    }
    Ok(hoist::hoist(&stabilize::stabilize(&b.graph)))
}

/// The outputs of a model for `n` samples, without training.
pub fn prediction(model: &Model, n: usize) -> Result<Graph, Unsupported> {
    let sample = forward(model)?;
    let mut batched = Builder::on(batch::batch(&sample, n));
    for (number, (_, id)) in model.body.outputs.iter().enumerate() {
        let shape: Vec<usize> = std::iter::once(n).chain(model.body[*id].ty.shape.iter().copied()).collect();
        let output = batched.graph.outputs[number].node;
        // What no sample has a part in has no batch axis.
        if batched.shape(output).len() < shape.len() {
            batched.graph.outputs[number].node = batched.broadcast_suffix(output, &shape);
        }
    }
    Ok(simplify::simplify(&batched.graph))
}

/// The nodes of the inputs that training and evaluation share.
struct Inputs {
    fields: Vec<(String, NodeId)>,
    weight: Option<NodeId>,
    params: Vec<NodeId>,
    states: Vec<NodeId>,
    step: NodeId,
    seed: NodeId,
}

impl Inputs {
    fn declare(programs: &Programs, b: &mut Builder, training: bool) -> Inputs {
        let fields: Vec<(String, NodeId)> = (programs.fields().into_iter())
            .map(|field| (field.name.clone(), b.input(field.name, Role::Data, field.ty)))
            .collect();
        let weight = programs.weighted.then(|| b.input("weight", Role::Data, TensorType::f32([])));
        let (params, states) = kept(b, programs.model);
        if training {
            for state in programs.optimizer_states() {
                b.input(state.path, Role::State, TensorType::f32(state.shape));
            }
            b.input("lr", Role::Setting, TensorType::f32([]));
        }
        let (step, seed) = step_and_seed(b);
        Inputs { fields, weight, params, states, step, seed }
    }

    fn model(&self, b: &mut Builder, model: &Model, training: bool, purpose: u32) -> Result<Elaborated, Unsupported> {
        let inputs: Vec<NodeId> = model.body.inputs.iter().map(|input| self.field(&input.name)).collect();
        let random = Some(Random { seed: self.seed, step: self.step, purpose });
        let scope =
            Scope { inputs: &inputs, params: &self.params, states: &self.states, training, random, ..Scope::default() };
        elaborate(&model.body, b, scope)
    }

    /// A loss or a metric: a body over the model's outputs and the fields.
    fn joint(
        &self,
        b: &mut Builder,
        programs: &Programs,
        body: &Body,
        outputs: &[NodeId],
        training: bool,
        purpose: u32,
    ) -> Result<Elaborated, Unsupported> {
        let output = |name: &str| programs.model.body.outputs.iter().position(|(output, _)| output == name);
        let inputs: Vec<NodeId> = (body.inputs.iter())
            .map(|input| match input.binding {
                Binding::ModelOutput => outputs[output(&input.name).expect("the checker knows the model's outputs")],
                Binding::Field | Binding::Scope | Binding::Region => self.field(&input.name),
            })
            .collect();
        let random = Some(Random { seed: self.seed, step: self.step, purpose });
        elaborate(
            body,
            b,
            Scope { inputs: &inputs, params: &self.params, states: &self.states, training, random, ..Scope::default() },
        )
    }

    fn field(&self, name: &str) -> NodeId {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.expect("every field that is read is an input").1
    }

    /// Σ w·x and Σ w over the batch.
    fn weighted_sum(&self, b: &mut Builder, x: NodeId) -> (NodeId, NodeId) {
        b.origin = Span::default();
        let x = b.convert(x, DType::F32);
        match self.weight {
            Some(weight) => {
                let weighted = b.mul(x, weight);
                (b.sum_batch(weighted), b.sum_batch(weight))
            }
            None => {
                let one = b.f32(1.0);
                (b.sum_batch(x), b.sum_batch(one))
            }
        }
    }
}

fn kept(b: &mut Builder, model: &Model) -> (Vec<NodeId>, Vec<NodeId>) {
    let params = model.body.params.iter();
    let params = params.map(|param| b.input(&param.path, Role::Param, TensorType::f32(param.shape.clone()))).collect();
    let states = model.body.states.iter();
    let states = states.map(|state| b.input(&state.path, Role::State, TensorType::f32(state.shape.clone()))).collect();
    (params, states)
}

fn step_and_seed(b: &mut Builder) -> (NodeId, NodeId) {
    (b.input("step", Role::Setting, TensorType::i32([])), b.input("seed", Role::Setting, TensorType::i32([2])))
}

/// From one sample to `n`, in the form that is compiled.
fn finish(sample: &Graph, n: usize) -> Graph {
    simplify::simplify(&batch::batch(&hoist::hoist(&stabilize::stabilize(sample)), n))
}

/// The node of an input; a graph that makes no use of it may have lost it.
fn input_node(b: &mut Builder, number: usize) -> NodeId {
    let found = b.graph.ids().find(|&id| matches!(b.graph[id].op, Op::Input(input) if input == number));
    found.unwrap_or_else(|| {
        let ty = b.graph.inputs[number].ty.clone();
        b.push(Op::Input(number), Vec::new(), ty)
    })
}

/// Scales the gradients so that the root of the sum of all their squares is at most `limit`.
fn clip(b: &mut Builder, gradients: &mut [NodeId], limit: f32) {
    b.origin = Span::default();
    let mut total = b.f32(0.0);
    for &gradient in gradients.iter() {
        let square = b.mul(gradient, gradient);
        let axes: Vec<usize> = (0..b.shape(square).len()).collect();
        let sum = b.sum(square, &axes);
        total = b.add(total, sum);
    }
    let norm = b.unary(Unary::Sqrt, total);
    let limit = b.f32(limit);
    let larger = b.binary(Binary::Max, norm, limit);
    let factor = b.div(limit, larger);
    for gradient in gradients {
        *gradient = b.mul(*gradient, factor);
    }
}

/// For each node of the graph of one sample, whether it differs between samples.
fn varies(graph: &Graph) -> Vec<bool> {
    let mut varies: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        varies.push(match node.op {
            Op::Input(number) => graph.inputs[number].role == Role::Data,
            Op::Uniform { .. } => true,
            Op::SumBatch => false,
            _ => node.operands.iter().any(|operand| varies[operand.0 as usize]),
        });
    }
    varies
}

/// A value of the whole batch: where it differs between samples, its mean over them.
fn shared(b: &mut Builder, x: NodeId) -> NodeId {
    if !varies(&b.graph)[x.0 as usize] {
        return x;
    }
    let total = b.sum_batch(x);
    let one = b.f32(1.0);
    let count = b.sum_batch(one);
    b.div(total, count)
}

/// The purpose of a tensor's start: FNV-1a of its path, so that it does not depend on the other tensors.
fn purpose_of(path: &str) -> u32 {
    path.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
