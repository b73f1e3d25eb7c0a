//! Parameters that no gradient reaches: between them and the loss stands something whose derivative is 0 everywhere.
//!
//! A derivative is 0 everywhere through comparisons, `sign`, rounding, `argmax`, and the condition of an `if`; so `step` is
//! found, whatever it is called. `stop_gradient` is meant.

use super::Seen;
use crate::check::hir::{Binding, Body, Elementwise, HirOp, Reduce, Run, Value, ValueId};
use crate::diagnostics::{Diagnostics, advice as problems};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn flat(seen: &Seen<'_>, found: &mut Diagnostics) {
    let mut blocked: BTreeMap<Span, usize> = BTreeMap::new();
    for run in &seen.hir.runs {
        let loss = Reached::from(&run.loss, run.loss.outputs.iter().map(|(_, id)| *id));
        let learned = outputs(run, &loss.gradient);
        if learned.is_empty() {
            for &id in &loss.blocks(&run.loss, |value| is_output(&run.loss, value)) {
                found.push(problems::flat_loss(run.loss[id].site));
            }
            continue;
        }
        let model = &seen.hir.models[run.model].body;
        let ends = model.outputs.iter().filter(|(name, _)| learned.contains(name.as_str())).map(|(_, id)| *id);
        let reached = Reached::from(model, ends);
        for id in reached.blocks(model, |value| matches!(value.op, HirOp::Param(_))) {
            let stuck = reached.stuck_behind(model, id);
            let place = blocked.entry(model[id].site).or_default();
            *place = (*place).max(stuck);
        }
    }
    for (site, parameters) in blocked {
        found.push(problems::flat_activation(site, parameters, super::text::word_at(seen, site)));
    }
}

/// The model's outputs that are among the values.
fn outputs<'b>(run: &'b Run, reached: &BTreeSet<ValueId>) -> BTreeSet<&'b str> {
    let inputs = reached.iter().filter_map(|id| match run.loss[*id].op {
        HirOp::Input(at) => run.loss.inputs.get(at),
        _ => None,
    });
    inputs.filter(|input| input.binding == Binding::ModelOutput).map(|input| input.name.as_str()).collect()
}

fn is_output(body: &Body, value: &Value) -> bool {
    match value.op {
        HirOp::Input(at) => body.inputs.get(at).is_some_and(|input| input.binding == Binding::ModelOutput),
        _ => false,
    }
}

/// The values that some results depend on.
struct Reached {
    /// All of them.
    any: BTreeSet<ValueId>,
    /// Those to which a gradient comes.
    gradient: BTreeSet<ValueId>,
}

impl Reached {
    fn from(body: &Body, ends: impl Iterator<Item = ValueId>) -> Reached {
        let ends: BTreeSet<ValueId> = ends.collect();
        let mut reached = Reached { any: ends.clone(), gradient: ends };
        for at in (0..body.values.len()).rev() {
            let id = ValueId(at as u32);
            if !reached.any.contains(&id) {
                continue;
            }
            let value = &body[id];
            for (place, &operand) in value.operands.iter().enumerate() {
                reached.any.insert(operand);
                if reached.gradient.contains(&id) && !is_flat(&value.op, place) {
                    reached.gradient.insert(operand);
                }
            }
        }
        reached
    }

    /// The values at which the way back to values of interest ends, where no other way leads to them.
    fn blocks(&self, body: &Body, of_interest: impl Fn(&Value) -> bool) -> Vec<ValueId> {
        let stuck = self.needs_stuck(body, of_interest);
        let ends = self.gradient.iter().copied().filter(|id| {
            let value = &body[*id];
            value
                .operands
                .iter()
                .enumerate()
                .any(|(place, operand)| is_flat(&value.op, place) && stuck.contains(operand))
        });
        ends.collect()
    }

    /// The values without a gradient that depend on values of interest without one.
    fn needs_stuck(&self, body: &Body, of_interest: impl Fn(&Value) -> bool) -> BTreeSet<ValueId> {
        let mut stuck = BTreeSet::new();
        for &id in &self.any {
            let value = &body[id];
            let own = of_interest(value) && !self.gradient.contains(&id);
            if own || value.operands.iter().any(|operand| stuck.contains(operand)) {
                stuck.insert(id);
            }
        }
        stuck
    }

    /// How many numbers wait for a gradient behind a value.
    fn stuck_behind(&self, body: &Body, id: ValueId) -> usize {
        let mut behind = BTreeSet::from([id]);
        let mut parameters = BTreeSet::new();
        for at in (0..=id.0).rev() {
            let at = ValueId(at);
            if !behind.contains(&at) {
                continue;
            }
            if let HirOp::Param(number) = body[at].op
                && !self.gradient.contains(&at)
            {
                parameters.insert(number);
            }
            behind.extend(&body[at].operands);
        }
        let size = |number: &usize| body.params.get(*number).map_or(0, |param| param.shape.iter().product());
        parameters.iter().map(size).sum()
    }
}

/// Whether the derivative by that operand is 0 everywhere.
fn is_flat(op: &HirOp, operand: usize) -> bool {
    use Elementwise as E;
    match op {
        HirOp::Elementwise(op) => match op {
            E::Not | E::Sign | E::Floor | E::Ceil | E::Round => true,
            E::Eq | E::Ne | E::Lt | E::Le | E::Gt | E::Ge | E::And | E::Or => true,
            E::If => operand == 0,
            _ => false,
        },
        HirOp::Reduce(Reduce::ArgMax | Reduce::ArgMin, _) => true,
        HirOp::OneHot | HirOp::Bernoulli | HirOp::ArgSort { .. } => true,
        HirOp::Gather => operand == 1,
        _ => false,
    }
}
