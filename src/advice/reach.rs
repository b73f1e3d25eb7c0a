//! Models against what the data holds: inputs far from where first weights begin, targets that the last activation cannot
//! reach, products that one hidden layer has to build out of bends.

use super::losses::{input, is_affine};
use super::ranges::{ANY, Range, ranges};
use super::samples::Rows;
use super::scalar::Scalars;
use super::{Seen, Spread, text};
use crate::check::hir::{
    Binding, Body, Data, DataField, Element, Elementwise, Hir, HirOp, Model, Run, SourceSpec, Value, ValueId,
};
use crate::diagnostics::{Diagnostics, advice as problems, audit};
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use std::collections::{BTreeMap, BTreeSet};

/// Inputs whose mean square is beyond the square of this are far from where activations bend.
const WIDE: f64 = 10.0;

/// A hidden layer with more units than this can build a product well enough.
const FEW_UNITS: usize = 8;

pub(super) fn reach(seen: &Seen<'_>, run: &Run, known: &BTreeMap<&str, Rows>, found: &mut Diagnostics) {
    wide_inputs(seen.hir, run, known, found);
    products(seen, run, found);
}

fn field<'d>(data: &'d Data, name: &str) -> Option<&'d DataField> {
    data.fields.iter().find(|field| field.name.value == name)
}

/// Which values hang on parameters.
fn learned(body: &Body) -> Vec<bool> {
    let mut learned: Vec<bool> = Vec::with_capacity(body.values.len());
    for value in &body.values {
        let own = matches!(value.op, HirOp::Param(_));
        learned.push(own || value.operands.iter().any(|operand| learned[operand.0 as usize]));
    }
    learned
}

fn is_product(body: &Body, id: ValueId) -> bool {
    matches!(body[id].op, HirOp::MatMul | HirOp::Conv(_) | HirOp::ConvTranspose(_))
}

/// Inputs that come far from 0 to the first weights.
fn wide_inputs(hir: &Hir, run: &Run, known: &BTreeMap<&str, Rows>, found: &mut Diagnostics) {
    let (body, data) = (&hir.models[run.model].body, &hir.data[run.data]);
    if body.values.iter().any(|value| matches!(value.op, HirOp::BatchMean)) {
        return;
    }
    let size = |name: &str| {
        let rows = known.get(name)?;
        let (mut sum, mut square, mut count) = (0.0, 0.0, 0.0f64);
        for number in rows.iter().flatten() {
            (sum, square, count) = (sum + number, square + number * number, count + 1.0);
        }
        let (mean, square) = (sum / count.max(1.0), square / count.max(1.0));
        Some((mean, (square - mean * mean).max(0.0).sqrt(), square.sqrt()))
    };
    let around = |name: &str| {
        size(name).map_or(Range(-1.0, 1.0), |(mean, deviation, _)| Range(mean - deviation, mean + deviation))
    };
    let ranges = ranges(body, &|input| around(&input.name));
    let learned = learned(body);
    for at in 0..body.values.len() {
        let id = ValueId(at as u32);
        if !is_product(body, id) || !learned[at] {
            continue;
        }
        for &operand in body[id].operands.iter().filter(|operand| !learned[operand.0 as usize]) {
            let range = ranges[operand.0 as usize];
            let far = range.0.abs().max(range.1.abs());
            if range == ANY || !far.is_finite() || far <= WIDE {
                continue;
            }
            for name in inputs_of(body, operand) {
                let Some((mean, deviation, size)) = size(name).filter(|(.., size)| *size > WIDE) else { continue };
                let Some(field) = field(data, name) else { continue };
                let Some(end) = field.body.outputs.first().map(|(_, end)| &field.body[*end]) else { continue };
                let bytes = matches!(data.sources.first().map(|(_, source)| &source.value), Some(SourceSpec::Idx(_)));
                let shown = format!("`{name}`");
                let image = bytes && size > WIDE;
                found.push(audit::wide_input(&field.name, &shown, mean, deviation, image, end.span));
            }
        }
    }
}

/// The fields that a value is made of.
fn inputs_of(body: &Body, id: ValueId) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let HirOp::Input(at) = body[id].op
            && let Some(input) = body.inputs.get(at).filter(|input| input.binding == Binding::Field)
        {
            names.insert(input.name.as_str());
        }
        waiting.extend(&body[id].operands);
    }
    names
}

/// Targets beyond what the last activation gives.
pub(super) fn unreached_targets(seen: &Seen<'_>, run: &Run, spreads: &BTreeMap<&str, Spread>, found: &mut Diagnostics) {
    let (model, data, loss) = (&seen.hir.models[run.model], &seen.hir.data[run.data], &run.loss);
    let input = |id: ValueId, binding: Binding| input(loss, id).filter(|input| input.binding == binding);
    let is = |value: &Value, op: Elementwise| matches!(value.op, HirOp::Elementwise(other) if other == op);
    let mut of_model: Option<Vec<Range>> = None;
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for value in &loss.values {
        let [a, b] = value.operands.as_slice() else { continue };
        // A difference, or the logarithm of a probability by how much it counts.
        let logarithm = is(value, Elementwise::Mul);
        if !logarithm && !is(value, Elementwise::Sub) {
            continue;
        }
        let compared = |id: ValueId| match logarithm {
            true => is(&loss[id], Elementwise::Log).then(|| loss[id].operands[0]),
            false => Some(id),
        };
        let pair = [(*a, *b), (*b, *a)].into_iter().find_map(|(output, target)| {
            Some((input(compared(output)?, Binding::ModelOutput)?, input(target, Binding::Field)?))
        });
        let Some((output, target)) = pair.filter(|(_, target)| target.ty.element == Element::Number) else { continue };
        let Some(spread) = spreads.get(target.name.as_str()) else { continue };
        let Some(&(_, end)) = model.body.outputs.iter().find(|(name, _)| *name == output.name) else { continue };
        let range = of_model.get_or_insert_with(|| ranges(&model.body, &|_| ANY))[end.0 as usize];
        let Some(field) = field(data, &target.name).filter(|_| !told.contains(target.name.as_str())) else { continue };
        let margin = 0.02 * (spread.ends[1] - spread.ends[0]);
        // A few rows far out may be outliers; none of them is a probability.
        let [low, high] = if logarithm { spread.ends } else { spread.most };
        let (limit, reached) = match () {
            () if low < range.0 - margin => (range.0, spread.ends[0]),
            () if high > range.1 + margin => (range.1, spread.ends[1]),
            () => continue,
        };
        told.insert(&target.name);
        let end = &model.body[end];
        if logarithm {
            found.push(problems::target_is_no_probability(value.site, &field.name, reached));
            continue;
        }
        let inside = super::losses::within(end.site, model.span);
        let fix = if inside { text::cut_from_pipe(seen.source(), end.site) } else { Vec::new() };
        found.push(problems::unreached_target(end.site, &output.name, limit, &field.name, reached, fix));
    }
}

/// Products of inputs that a single narrow layer has to build.
fn products(seen: &Seen<'_>, run: &Run, found: &mut Diagnostics) {
    let Some((units, layers)) = depth(&seen.hir.models[run.model]) else { return };
    if layers > 2 || (layers < 2 && !is_one_sum(&seen.hir.models[run.model])) {
        return;
    }
    // Where a deeper model is trained beside it, the difference is what is looked for.
    let others = seen.hir.runs.iter().filter(|other| other.span == run.span);
    let deeper = |other: &Run| depth(&seen.hir.models[other.model]).is_none_or(|(_, deep)| deep > layers);
    if (layers == 2 && units > FEW_UNITS) || others.into_iter().any(deeper) {
        return;
    }
    let (model, data) = (&seen.hir.models[run.model], &seen.hir.data[run.data]);
    let inputs: BTreeSet<&str> = model.body.inputs.iter().map(|input| input.name.as_str()).collect();
    let leaves = Leaves::of(data);
    let given: BTreeSet<&str> = inputs.iter().flat_map(|name| leaves.of_field(name)).collect();
    let targets =
        run.loss.inputs.iter().filter(|input| input.binding == Binding::Field && !inputs.contains(input.name.as_str()));
    for target in targets {
        let Some(place) = leaves.product(target.name.as_str(), &given) else { continue };
        let Some(name) = seen.ast.items.iter().find_map(|item| match &item.kind {
            ItemKind::Callable(callable) if item.span == model.span => Some(&callable.name),
            _ => None,
        }) else {
            return;
        };
        found.push(problems::product_of_inputs(name, (layers == 2).then_some(units), place));
        return;
    }
}

/// Whether every output is a function of one sum of the inputs, so that nothing is hidden.
fn is_one_sum(model: &Model) -> bool {
    let functions = Scalars::of(&model.body);
    let of_sum = |id: ValueId| functions.root(id).is_some_and(|root| is_affine(&model.body, root));
    model.body.outputs.iter().all(|(_, id)| of_sum(*id))
}

/// The units of the first product with parameters and how many stand behind one another on the longest way; `None` where the
/// model multiplies itself.
fn depth(model: &Model) -> Option<(usize, usize)> {
    let body = &model.body;
    let functions = Scalars::of(body);
    let learned = learned(body);
    let mut depths: Vec<usize> = Vec::with_capacity(body.values.len());
    let mut given: Vec<bool> = Vec::with_capacity(body.values.len());
    let mut units = 0;
    for (at, value) in body.values.iter().enumerate() {
        let of = |id: &ValueId| depths[id.0 as usize];
        let hangs = |id: &ValueId| given[id.0 as usize];
        let before = value.operands.iter().map(of).max().unwrap_or(0);
        let by_weights = is_product(body, ValueId(at as u32))
            && value.operands.iter().any(|id| learned[id.0 as usize] && !hangs(id));
        if by_weights && before == 0 {
            units = units.max(value.ty.shape.iter().product());
        }
        match (&value.op, value.operands.as_slice()) {
            (HirOp::Elementwise(Elementwise::Mul), [a, b])
                if hangs(a) && hangs(b) && functions.root(*a) != functions.root(*b) =>
            {
                return None;
            }
            (HirOp::MatMul, [a, b]) if hangs(a) && hangs(b) => return None,
            (HirOp::Each { .. } | HirOp::Scan { .. }, _) => return None,
            _ => {}
        }
        depths.push(before + usize::from(by_weights));
        given.push(matches!(value.op, HirOp::Input(_)) || value.operands.iter().any(hangs));
    }
    Some((units, depths.into_iter().max().unwrap_or(0)))
}

/// What the fields of a generated set are made of: the fields that are drawn.
struct Leaves<'d> {
    data: &'d Data,
    of: BTreeMap<&'d str, BTreeSet<&'d str>>,
}

impl<'d> Leaves<'d> {
    fn of(data: &'d Data) -> Leaves<'d> {
        let mut leaves = Leaves { data, of: BTreeMap::new() };
        for _ in 0..data.fields.len() {
            let before = leaves.of.len();
            for field in &data.fields {
                let name = field.name.value.as_str();
                let known = field.body.inputs.iter().all(|input| leaves.of.contains_key(input.name.as_str()));
                if known && !leaves.of.contains_key(name) {
                    let made: BTreeSet<&str> =
                        field.body.inputs.iter().flat_map(|input| leaves.of_field(&input.name)).collect();
                    let drawn =
                        field.body.values.iter().any(|value| matches!(value.op, HirOp::Uniform | HirOp::Normal));
                    leaves.of.insert(name, if drawn { BTreeSet::from([name]) } else { made });
                }
            }
            if leaves.of.len() == before {
                break;
            }
        }
        leaves
    }

    fn of_field(&self, name: &str) -> BTreeSet<&'d str> {
        self.of.get(name).cloned().unwrap_or_default()
    }

    /// Where a field multiplies two things that are drawn apart and are both among those `given`.
    fn product(&self, name: &str, given: &BTreeSet<&str>) -> Option<Span> {
        let body = &field(self.data, name)?.body;
        let drawn = |id: ValueId| -> BTreeSet<&str> {
            inputs_of(body, id).into_iter().flat_map(|name| self.of_field(name)).collect()
        };
        body.values.iter().find_map(|value| {
            let ([a, b], HirOp::Elementwise(Elementwise::Mul)) = (value.operands.as_slice(), &value.op) else {
                return None;
            };
            let (a, b) = (drawn(*a), drawn(*b));
            let apart = !a.is_empty() && !b.is_empty() && a != b;
            (apart && a.union(&b).all(|leaf| given.contains(leaf))).then_some(value.span)
        })
    }
}
