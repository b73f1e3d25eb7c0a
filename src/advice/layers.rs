//! What stands between layers and behind the last one: an activation, no softmax over one number, no noise.

use super::inits;
use super::losses::within;
use super::scalar::same_elements;
use super::{Seen, text};
use crate::check::hir::{Binding, Body, Elementwise, HirOp, Model, Reduce, Run, Value, ValueId};
use crate::diagnostics::{Diagnostics, Edit, advice as problems};
use crate::source::Span;
use std::collections::BTreeSet;

pub(super) fn ends(seen: &Seen<'_>, found: &mut Diagnostics) {
    let mut sites: BTreeSet<Span> = BTreeSet::new();
    for model in &seen.hir.models {
        for value in model.body.values.iter().filter(|value| is_share_of_one(&model.body, value)) {
            if sites.insert(value.site) {
                let fix =
                    text::word_at(seen, value.site).map_or_else(Vec::new, |_| Edit::replace(value.site, "sigmoid"));
                found.push(problems::softmax_of_one(value.site, fix));
            }
        }
    }
    for run in &seen.hir.runs {
        let model = &seen.hir.models[run.model];
        unbent(model, &mut sites, found);
        if let Some(noise) = noise_at_the_end(run, model)
            && sites.insert(noise)
        {
            let fix = if within(noise, model.span) { text::cut_from_pipe(seen.source(), noise) } else { Vec::new() };
            found.push(problems::dropout_on_output(noise, fix));
        }
    }
}

/// Layers that multiply what another one gives, as it is, and are one with it. Fewer units between the two than on both sides are meant:
/// they are a product of fewer parameters.
fn unbent(model: &Model, sites: &mut BTreeSet<Span>, found: &mut Diagnostics) {
    let body = &model.body;
    let users = inits::users(body);
    let is_layer = |id: ValueId| matches!(body[id].op, HirOp::MatMul) && inits::weights(body, id).is_some();
    let given = |id: ValueId| body[id].operands.iter().copied().find(|&operand| !inits::is_param(body, operand));
    let alone = |id: ValueId| users[id.0 as usize].len() == 1 && !body.outputs.iter().any(|(_, output)| *output == id);
    let width = |id: ValueId| body[id].ty.shape.last().copied().unwrap_or(1);
    for at in 0..body.values.len() {
        let last = ValueId(at as u32);
        if !is_layer(last) || !within(body[last].site, model.span) {
            continue;
        }
        // Back over changes of shape and a bias to where the value comes from.
        let mut way = given(last);
        let first = loop {
            match way {
                Some(id) if !alone(id) => break None,
                Some(id) if is_layer(id) => break Some(id),
                Some(id) => {
                    let value = &body[id];
                    let biased = is_sum(value) && value.operands.iter().any(|&operand| inits::is_param(body, operand));
                    way = if biased { given(id) } else { same_elements(body, value) };
                }
                None => break None,
            }
        };
        let Some((first, before)) = first.and_then(|first| Some((first, given(first)?))) else { continue };
        if width(first) >= width(before).min(width(last)) && sites.insert(body[last].site) {
            found.push(problems::layers_without_activation(body[first].site, body[last].site, width(last)));
        }
    }
}

fn is_sum(value: &Value) -> bool {
    matches!(value.op, HirOp::Elementwise(Elementwise::Add))
}

/// Whether a value is `e / sum(e)` where the sum is of one element.
fn is_share_of_one(body: &Body, value: &Value) -> bool {
    let (HirOp::Elementwise(Elementwise::Div), [part, whole]) = (&value.op, value.operands.as_slice()) else {
        return false;
    };
    let mut sum = &body[*whole];
    while let Some(operand) = same_elements(body, sum) {
        sum = &body[operand];
    }
    let HirOp::Reduce(Reduce::Sum, axes) = &sum.op else { return false };
    let extents = &body[*part].ty.shape;
    let single = axes.iter().all(|axis| extents.get(*axis) == Some(&1));
    sum.operands.first() == Some(part) && !axes.is_empty() && single
}

/// Where zeros are drawn in training between the last product with parameters and an output that the loss looks at.
fn noise_at_the_end(run: &Run, model: &Model) -> Option<Span> {
    let body = &model.body;
    let looked_at =
        |name: &str| run.loss.inputs.iter().any(|input| input.binding == Binding::ModelOutput && input.name == name);
    let ends: BTreeSet<ValueId> = body.outputs.iter().filter(|(name, _)| looked_at(name)).map(|(_, id)| *id).collect();
    let mut waiting: Vec<ValueId> = ends.into_iter().collect();
    let mut seen: BTreeSet<ValueId> = BTreeSet::new();
    let mut training = false;
    let mut noise = None;
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let value = &body[id];
        match &value.op {
            HirOp::Bernoulli => noise = Some(value.site),
            HirOp::Training => training = true,
            HirOp::Elementwise(_) | HirOp::Reshape | HirOp::Transpose(_) | HirOp::Expand(_) | HirOp::Reduce(..) => {
                waiting.extend(&value.operands);
            }
            _ => {}
        }
    }
    noise.filter(|_| training)
}
