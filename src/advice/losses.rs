//! A loss against the output it is given: probabilities where logarithms are taken of them, no squares of classes.
//!
//! What an output can be is found by trying: where it is an elementwise function of a product with parameters, that product
//! can be any number.

use super::scalar::{Scalars, TRIED, same_elements};
use super::{Seen, Spread, text};
use crate::check::hir::{Binding, Body, BodyInput, DataField, Elementwise, HirOp, Model, Run, Value, ValueId};
use crate::diagnostics::{Diagnostics, Edit, advice as problems};
use crate::source::Span;
use std::collections::BTreeMap;

pub(super) fn losses(seen: &Seen<'_>, run: &Run, spreads: &BTreeMap<&str, Spread>, found: &mut Diagnostics) {
    let model = &seen.hir.models[run.model];
    probabilities(seen, run, model, found);
    squares(seen, run, found);
    of_answers(seen, run, spreads, found);
}

/// Squared differences between something that saturates and numbers that say yes or no.
pub(super) fn of_answers(seen: &Seen<'_>, run: &Run, spreads: &BTreeMap<&str, Spread>, found: &mut Diagnostics) {
    let (loss, model) = (&run.loss, &seen.hir.models[run.model]);
    let functions = Scalars::of(&model.body);
    let saturates = |output: ValueId| {
        let of_sum = functions.root(output).is_some_and(|root| is_affine(&model.body, root));
        let near = |z: f64, wanted: f64| functions.at(output, z).is_some_and(|value| (value - wanted).abs() < 1e-3);
        // A threshold is no slope that could be steeper.
        of_sum
            && near(-30.0, 0.0)
            && near(30.0, 1.0)
            && functions.at(output, -1.0) < functions.at(output, 1.0)
            && !near(1.0, 1.0)
    };
    for value in loss.values.iter().filter(|value| is_square(loss, value)) {
        let difference = resolved(loss, value.operands[0]);
        let sides = difference.operands.iter().filter(|_| is(difference, Elementwise::Sub));
        let inputs: Vec<&BodyInput> = sides.filter_map(|&side| input(loss, side)).collect();
        let of = |binding: Binding| inputs.iter().find(|input| input.binding == binding).map(|input| &input.name);
        let (Some(output), Some(target)) = (of(Binding::ModelOutput), of(Binding::Field)) else { continue };
        let Some((_, end)) = model.body.outputs.iter().find(|(name, _)| name == output) else { continue };
        let answers = spreads.get(target.as_str()).is_some_and(|spread| spread.yes_or_no);
        let field = seen.hir.data[run.data].fields.iter().find(|field| field.name.value == *target);
        // Of a category as numbers it was said above.
        let category = |field: &&DataField| {
            field.body.outputs.iter().any(|(_, end)| matches!(resolved(&field.body, *end).op, HirOp::OneHot))
        };
        if let Some(field) = field.filter(|field| answers && saturates(*end) && !category(field)) {
            found.push(problems::squares_of_classes(value.site, field.name.span));
        }
    }
}

/// Logarithms of what is no probability.
fn probabilities(seen: &Seen<'_>, run: &Run, model: &Model, found: &mut Diagnostics) {
    let (loss, functions) = (&run.loss, Scalars::of(&run.loss));
    let outputs = Scalars::of(&model.body);
    let mut reported: Vec<&str> = Vec::new();
    // A product with the right class says more than the logarithm alone.
    let of_classes = loss.values.iter().filter(|value| is(value, Elementwise::Mul)).filter_map(|value| {
        let [a, b] = value.operands.as_slice() else { return None };
        let pair = [(*a, *b), (*b, *a)];
        let (_, log) = pair.into_iter().find(|(hot, _)| matches!(resolved(loss, *hot).op, HirOp::OneHot))?;
        is(&loss[log], Elementwise::Log).then(|| (loss[log].operands[0], value.site))
    });
    let logarithms = loss.values.iter().filter(|value| is(value, Elementwise::Log));
    let of_answers = logarithms.map(|value| (value.operands[0], value.site));
    let all = of_classes.map(|pair| (pair, true)).chain(of_answers.map(|pair| (pair, false)));
    for ((argument, site), classes) in all {
        let Some(input) = functions.root(argument).and_then(|root| output_input(loss, root)) else { continue };
        let Some(&(ref name, output)) = model.body.outputs.iter().find(|(name, _)| name == input) else { continue };
        let Some(root) = outputs.root(output).filter(|root| is_affine(&model.body, *root)) else { continue };
        if reported.contains(&name.as_str()) {
            continue;
        }
        let output_at = |z: f64| outputs.at(output, z);
        let argument_at = |z: f64| functions.at(argument, output_at(z)?);
        let witness = TRIED.into_iter().find(|&z| argument_at(z).is_some_and(|value| value < -1e-9));
        let value = &model.body[output];
        let several = classes && value.ty.shape.last().is_some_and(|&count| count > 1);
        if !several && witness.is_none() {
            continue;
        }
        reported.push(name);
        let place = Some(value.site).filter(|site| within(*site, model.span));
        let activation = if several { "softmax" } else { "sigmoid" };
        // The activation that stands there gives way, else one is put behind the last layer.
        let already = root != output;
        let fix = match place {
            Some(place) if !already => Edit::replace(place.after(), format!(" |> {activation}")),
            Some(place) if text::word_at(seen, place).is_some() => Edit::replace(place, activation),
            Some(_) | None => Vec::new(),
        };
        found.push(match several {
            true => problems::classes_without_softmax(site, name, value.site, fix),
            false => problems::answer_without_sigmoid(site, name, value.site, fix),
        });
    }
}

/// Squared differences to categories.
fn squares(seen: &Seen<'_>, run: &Run, found: &mut Diagnostics) {
    let loss = &run.loss;
    for value in loss.values.iter().filter(|value| is_square(loss, value)) {
        let difference = resolved(loss, value.operands[0]);
        if !is(difference, Elementwise::Sub) {
            continue;
        }
        for &side in &difference.operands {
            let target = resolved(loss, side);
            let classes = match &target.op {
                // A loss that is declared with squares of classes is meant.
                HirOp::OneHot => within(target.span, run.span).then_some(target.span),
                HirOp::Input(at) => {
                    let name =
                        loss.inputs.get(*at).filter(|input| input.binding == Binding::Field).map(|input| &input.name);
                    let data = &seen.hir.data[run.data];
                    let field = data.fields.iter().find(|field| Some(&field.name.value) == name);
                    let end = field.and_then(|field| Some((field, field.body.outputs.first()?.1)));
                    end.filter(|(field, end)| matches!(resolved(&field.body, *end).op, HirOp::OneHot))
                        .map(|(field, _)| field.name.span)
                }
                _ => None,
            };
            if let Some(classes) = classes {
                found.push(problems::squares_of_classes(value.site, classes));
            }
        }
    }
}

fn is(value: &Value, op: Elementwise) -> bool {
    matches!(value.op, HirOp::Elementwise(other) if other == op)
}

fn is_square(body: &Body, value: &Value) -> bool {
    match (&value.op, value.operands.as_slice()) {
        (HirOp::Elementwise(Elementwise::Pow), [_, power]) => matches!(body[*power].op, HirOp::Number(2.0)),
        (HirOp::Elementwise(Elementwise::Mul), [a, b]) => a == b,
        _ => false,
    }
}

/// The value behind changes of shape.
fn resolved(body: &Body, id: ValueId) -> &Value {
    let mut value = &body[id];
    while let Some(operand) = same_elements(body, value) {
        value = &body[operand];
    }
    value
}

/// The name of the model's output that a value of a loss is.
fn output_input(loss: &Body, id: ValueId) -> Option<&str> {
    let HirOp::Input(at) = loss[id].op else { return None };
    let input = loss.inputs.get(at).filter(|input| input.binding == Binding::ModelOutput)?;
    Some(&input.name)
}

/// The input that a value is, changed in shape at most.
pub(super) fn input(body: &Body, id: ValueId) -> Option<&BodyInput> {
    match resolved(body, id).op {
        HirOp::Input(at) => body.inputs.get(at),
        _ => None,
    }
}

/// Whether a value is a product with parameters, or that with a bias: it can be any number.
pub(super) fn is_affine(body: &Body, id: ValueId) -> bool {
    let product = |id: ValueId| {
        let value = resolved(body, id);
        let learned = value.operands.iter().any(|operand| matches!(resolved(body, *operand).op, HirOp::Param(_)));
        matches!(value.op, HirOp::MatMul | HirOp::Conv(_) | HirOp::ConvTranspose(_)) && learned
    };
    let value = resolved(body, id);
    product(id) || (is(value, Elementwise::Add) && value.operands.iter().any(|&operand| product(operand)))
}

/// Whether one place lies in another.
pub(super) fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}
