//! A model in numbers: its layers as a tree with what each costs, and the memory that its programs take.
//!
//! In: a checked [`Model`], and for its memory the graph of a program. Out: a [`Summary`] and a [`Memory`]. What a layer costs
//! is counted on the typed form, for one sample: the multiply-adds of its products and convolutions, and the bytes of the values
//! it computes, as if each were kept. What is really held follows from the plan: it fuses most values away and lets the others
//! share one arena.

use crate::check::hir::{Body, HirOp, LayerUse, Model, Value, ValueType};
use crate::graph::{Graph, Role};
use crate::plan::{self, PlanOptions, Storage};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::execute::bytes;
use crate::graph::elaborate::tensor_type;

/// What something costs for one sample.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    /// The multiply-adds of products and convolutions.
    pub multiply_adds: u128,
    /// The bytes of the values computed.
    pub values: u128,
}

/// A layer of a model.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// Its path in the model: `tower.dense_1`.
    pub path: String,
    /// The declaration's name.
    pub name: String,
    /// The type of its result; of one that is mapped, with the axis it is mapped over.
    pub output: ValueType,
    /// The elements of its parameters, those of the layers within it too; none where it is applied again.
    pub params: u128,
    /// Whether its parameters are those of a layer that stands before.
    pub shared: bool,
    /// What it costs, with the layers within it.
    pub cost: Cost,
    /// The layers within it.
    pub layers: Vec<Layer>,
}

/// A model in numbers.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    /// Its layers.
    pub layers: Vec<Layer>,
    /// The elements of its parameters.
    pub params: u128,
    /// What it costs.
    pub cost: Cost,
}

/// The memory of a program in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Memory {
    /// The parameters.
    pub params: u128,
    /// The states of layers.
    pub states: u128,
    /// The states of the optimizer.
    pub optimizer: u128,
    /// A batch of samples, the settings of a step, and what is given back.
    pub samples: u128,
    /// What the plan allots for activations and gradients.
    pub arena: u128,
    /// The most of them that live at the same time: no plan of these kernels could do with less.
    pub live: u128,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u128 {
        [self.params, self.states, self.optimizer, self.samples, self.arena].into_iter().fold(0, u128::saturating_add)
    }
}

/// The numbers of a model.
pub fn summary(model: &Model) -> Summary {
    let body = &model.body;
    let params: BTreeMap<&str, u128> =
        body.params.iter().map(|param| (param.path.as_str(), elements(&param.shape))).collect();
    let mut tree = Tree { params, seen: BTreeSet::new() };
    let all = 0..body.values.len();
    let layers = tree.layers(body, &body.layers, all.clone(), &[]);
    Summary { layers, params: tree.params.values().sum(), cost: cost(body, all) }
}

/// The memory of the program of a graph; the first `states` of its states are those of layers, the others the optimizer's.
pub fn memory(graph: &Graph, states: usize) -> Memory {
    let plan = plan::plan(graph, &PlanOptions::default());
    let mut memory = Memory { arena: 4 * plan.arena as u128, live: live(&plan), ..Memory::default() };
    let mut met = 0;
    for input in &graph.inputs {
        let part = match input.role {
            Role::Param => &mut memory.params,
            Role::State => {
                met += 1;
                if met <= states { &mut memory.states } else { &mut memory.optimizer }
            }
            Role::Data | Role::Setting => &mut memory.samples,
        };
        *part += bytes(&input.ty);
    }
    for output in graph.outputs.iter().filter(|output| output.updates.is_none()) {
        memory.samples += bytes(&graph[output.node].ty);
    }
    memory
}

/// The most bytes of an arena that are in use at the same time.
fn live(plan: &plan::Plan) -> u128 {
    let mut changes: BTreeMap<usize, i128> = BTreeMap::new();
    for buffer in plan.buffers.iter().filter(|buffer| matches!(buffer.storage, Storage::Arena(_))) {
        *changes.entry(buffer.lifetime.0).or_default() += 4 * buffer.len as i128;
        *changes.entry(buffer.lifetime.1 + 1).or_default() -= 4 * buffer.len as i128;
    }
    let mut now = 0;
    let most = changes.values().map(|change| {
        now += change;
        now
    });
    most.max().unwrap_or(0).max(0) as u128
}

struct Tree<'m> {
    /// The elements of each parameter.
    params: BTreeMap<&'m str, u128>,
    /// The paths met.
    seen: BTreeSet<&'m str>,
}

impl<'m> Tree<'m> {
    /// The layers of a part of a body, those in regions among them; `mapped` is how often the body is run, from outside in.
    fn layers(&mut self, body: &'m Body, uses: &'m [LayerUse], values: Range<usize>, mapped: &[usize]) -> Vec<Layer> {
        let mut found: Vec<(usize, Layer)> = Vec::new();
        let (mut rest, mut at) = (uses, values.start);
        loop {
            let next = rest.first();
            // What lies between two layers may map a region with layers of its own.
            let until = next.map_or(values.end, |layer| layer.values.start).min(values.end);
            for number in at..until {
                let Some((region, extent)) = region(body, &body.values[number]) else { continue };
                let mapped = [mapped, &[extent]].concat();
                let inner = self.layers(region, &region.layers, 0..region.values.len(), &mapped);
                found.extend(inner.into_iter().map(|layer| (number, layer)));
            }
            let Some(layer) = next else { break };
            let within = rest[1..].iter().take_while(|inner| inner.depth > layer.depth).count();
            let shown = self.layer(body, layer, &rest[1..=within], mapped);
            found.push((layer.values.start, shown));
            at = layer.values.end.max(at);
            rest = &rest[1 + within..];
        }
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, layer)| layer).collect()
    }

    fn layer(&mut self, body: &'m Body, layer: &'m LayerUse, within: &'m [LayerUse], mapped: &[usize]) -> Layer {
        let shared = !self.seen.insert(&layer.path);
        let prefix = format!("{}.", layer.path);
        let own = self.params.range(prefix.as_str()..).take_while(|(path, _)| path.starts_with(&prefix));
        let params = if shared { 0 } else { own.map(|(_, count)| count).sum() };
        let mut output = layer.output.clone();
        output.shape.splice(..0, mapped.iter().copied());
        Layer {
            path: layer.path.clone(),
            name: layer.layer.clone(),
            output,
            params,
            shared: shared
                && self.params.range(prefix.as_str()..).next().is_some_and(|(path, _)| path.starts_with(&prefix)),
            cost: times(cost(body, layer.values.clone()), elements(mapped)),
            layers: self.layers(body, within, layer.values.clone(), mapped),
        }
    }
}

/// What some values of a body cost.
fn cost(body: &Body, values: Range<usize>) -> Cost {
    let mut total = Cost::default();
    for value in &body.values[values] {
        let one = value_cost(body, value);
        total.multiply_adds = total.multiply_adds.saturating_add(one.multiply_adds);
        total.values = total.values.saturating_add(one.values);
    }
    total
}

fn value_cost(body: &Body, value: &Value) -> Cost {
    if let Some((region, extent)) = region(body, value) {
        return times(cost(region, 0..region.values.len()), extent as u128);
    }
    let result = elements(&value.ty.shape);
    let shape = |operand: usize| -> &[usize] {
        value.operands.get(operand).map_or(&[], |&id| body.values[id.0 as usize].ty.shape.as_slice())
    };
    let computed = bytes(&tensor_type(&value.ty));
    let (multiply_adds, values) = match &value.op {
        HirOp::MatMul => (result.saturating_mul(shape(0).last().copied().unwrap_or(1) as u128), computed),
        // Each element of the result is a sum over the weights of one filter.
        HirOp::Conv(_) => {
            let weights = shape(1);
            let filter = elements(&weights[..weights.len().saturating_sub(1)]);
            (result.saturating_mul(filter), computed)
        }
        // Each element of the operand goes to every place and channel of its window.
        HirOp::ConvTranspose(_) => {
            let weights = shape(1);
            let channels = weights.len().checked_sub(2).map_or(1, |axis| weights[axis].max(1) as u128);
            (elements(shape(0)).saturating_mul(elements(weights) / channels), computed)
        }
        HirOp::Input(_)
        | HirOp::Param(_)
        | HirOp::State(_)
        | HirOp::Number(_)
        | HirOp::Truth(_)
        | HirOp::Category(_)
        | HirOp::Training
        | HirOp::Reshape
        | HirOp::Result(_)
        | HirOp::StopGradient => (0, 0),
        HirOp::Elementwise(_)
        | HirOp::Reduce(..)
        | HirOp::Concat(_)
        | HirOp::Stack(_)
        | HirOp::Transpose(_)
        | HirOp::Slice(_)
        | HirOp::Take { .. }
        | HirOp::Gather
        | HirOp::Pad(_)
        | HirOp::Reverse(_)
        | HirOp::Sort { .. }
        | HirOp::ArgSort { .. }
        | HirOp::Upsample { .. }
        | HirOp::Expand(_)
        | HirOp::OneHot
        | HirOp::Range
        | HirOp::BatchMean
        | HirOp::BatchVar
        | HirOp::Bernoulli
        | HirOp::Normal
        | HirOp::Uniform
        | HirOp::Fill
        | HirOp::Orthogonal
        | HirOp::Each { .. }
        | HirOp::Scan { .. }
        | HirOp::MaxPool(_)
        | HirOp::AvgPool(_)
        | HirOp::Avg
        | HirOp::Column(_)
        | HirOp::Fitted(_) => (0, computed),
    };
    Cost { multiply_adds, values }
}

/// The region of a value that has one, and how often it is run.
fn region<'b>(body: &'b Body, value: &'b Value) -> Option<(&'b Body, usize)> {
    let (HirOp::Each { region, .. } | HirOp::Scan { region, .. }) = &value.op else { return None };
    let mapped = value.operands.first()?;
    Some((region, *body.values[mapped.0 as usize].ty.shape.first()?))
}

fn times(cost: Cost, count: u128) -> Cost {
    Cost { multiply_adds: cost.multiply_adds.saturating_mul(count), values: cost.values.saturating_mul(count) }
}

fn elements(shape: &[usize]) -> u128 {
    shape.iter().fold(1, |product: u128, &extent| product.saturating_mul(extent as u128))
}
