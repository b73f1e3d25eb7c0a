//! First weights against the activation behind them.
//!
//! He's initialisation keeps the size of what a rectifier lets through, Glorot's that of what `tanh` and `sigmoid` do. Both
//! are recognised by the variance they give, the activations by the slope far to the left and right.

use super::Seen;
use super::losses::is_affine;
use super::scalar::{Scalars, same_elements};
use crate::check::hir::{Body, Elementwise, HirOp, Model, Param, Reduce, ValueId};
use crate::diagnostics::{Diagnostics, advice as problems};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, ExprKind};
use std::collections::{BTreeSet, HashMap};

/// What first weights are made for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Made {
    /// Variance 2 / fan_in.
    He,
    /// Variance 2 / (fan_in + fan_out).
    Glorot,
    /// All the same number.
    Same(f64),
    /// Another variance.
    Other(f64),
}

/// What an activation does to large numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Shape {
    /// Flat on both sides: `tanh`, `sigmoid`.
    Saturating,
    /// Slope 1 on the right, much less on the left: `relu` and its family.
    Rectifying,
}

/// Where `tanh` and `sigmoid` are flat, and sums of inputs of about 1 should not begin.
const FLAT: f64 = 4.0;

/// How much of the variance a stack of rectified layers may lose.
const LOST: f64 = 1.0 / 256.0;

pub(super) fn inits(seen: &Seen<'_>, found: &mut Diagnostics) {
    let mut reported: BTreeSet<Span> = BTreeSet::new();
    let chosen = chosen(seen);
    for model in &seen.hir.models {
        look(&chosen, model, &mut reported, found);
    }
}

fn look(chosen: &HashMap<Span, Span>, model: &Model, reported: &mut BTreeSet<Span>, found: &mut Diagnostics) {
    let body = &model.body;
    let functions = Scalars::of(body);
    let users = users(body);
    // What is left of the variance behind the layers whose weights nobody chose, and where the first of them is.
    let (mut left, mut first, mut count) = (1.0, None, 0);
    for at in 0..body.values.len() {
        let product = ValueId(at as u32);
        let Some(param) = weights(body, product) else { continue };
        let (Some(made), [fan_in, fan_out]) = (made(param), fans(&param.shape)) else { continue };
        let sum = with_bias(body, &users, product);
        let end = activated(&functions, &users, body, sum);
        let site = body[product].site;
        let chosen = chosen.get(&site).copied();
        if let Made::Same(number) = made {
            if feeds_weights(body, &users, end) && reported.insert(site) {
                found.push(problems::same_weights(chosen.unwrap_or(site), &param.path, number, chosen.is_some()));
            }
            continue;
        }
        let shape = (end != sum).then(|| shape(&functions, end)).flatten();
        let uniform = body_ends_in(&param.init, |op| matches!(op, HirOp::Uniform));
        match (made, shape, chosen) {
            (Made::He, Some(Shape::Saturating), chosen) if fan_out > 0.5 * fan_in => {
                if reported.insert(site) {
                    let place = chosen.unwrap_or(site);
                    found.push(problems::he_before_saturation(place, body[end].site, uniform, chosen.is_some()));
                }
            }
            (Made::Glorot, Some(Shape::Rectifying), Some(chosen)) => {
                if reported.insert(site) {
                    found.push(problems::glorot_before_rectifier(chosen, body[end].site, uniform));
                }
            }
            (Made::Glorot, Some(Shape::Rectifying), None) => {
                left *= fan_in / (fan_in + fan_out);
                count += 1;
                first = first.or(Some(site));
            }
            (Made::Other(variance), Some(Shape::Saturating), Some(chosen)) if variance * fan_in > FLAT * FLAT => {
                if reported.insert(site) {
                    let sum = (variance * fan_in).sqrt();
                    found.push(problems::saturated_from_the_start(chosen, body[end].site, sum));
                }
            }
            (Made::He | Made::Glorot | Made::Same(_) | Made::Other(_), ..) => {}
        }
    }
    // What brings sizes back to 1, or leads around the layers, makes up for it.
    let renewed = body.values.iter().any(|value| match &value.op {
        HirOp::BatchMean | HirOp::BatchVar | HirOp::Reduce(Reduce::Var | Reduce::Mean, _) => true,
        HirOp::Elementwise(Elementwise::Add) => value.operands.iter().all(|&operand| !is_param(body, operand)),
        _ => false,
    });
    if let Some(site) = first.filter(|_| left < LOST && !renewed)
        && reported.insert(site)
    {
        found.push(problems::fading_stack(site, count, left.sqrt()));
    }
}

pub(super) fn is_param(body: &Body, id: ValueId) -> bool {
    matches!(body[resolved(body, id)].op, HirOp::Param(_))
}

pub(super) fn resolved(body: &Body, mut id: ValueId) -> ValueId {
    while let Some(operand) = same_elements(body, &body[id]) {
        id = operand;
    }
    id
}

pub(super) fn users(body: &Body) -> Vec<Vec<ValueId>> {
    let mut users = vec![Vec::new(); body.values.len()];
    for (at, value) in body.values.iter().enumerate() {
        for operand in &value.operands {
            users[operand.0 as usize].push(ValueId(at as u32));
        }
    }
    users
}

/// The weights of a product: a parameter of rank 2 or more.
pub(super) fn weights(body: &Body, product: ValueId) -> Option<&Param> {
    let value = &body[product];
    if !matches!(value.op, HirOp::MatMul | HirOp::Conv(_) | HirOp::ConvTranspose(_)) {
        return None;
    }
    let param = value.operands.iter().find_map(|&operand| match body[resolved(body, operand)].op {
        HirOp::Param(at) => body.params.get(at),
        _ => None,
    });
    param.filter(|param| param.shape.len() >= 2)
}

/// How many values each output of weights sums, and to how many each input goes.
fn fans(shape: &[usize]) -> [f64; 2] {
    let (window, ends) = shape.split_at(shape.len() - 2);
    let window: f64 = window.iter().map(|&extent| extent as f64).product();
    [window * ends[0] as f64, window * ends[1] as f64]
}

/// What an initialisation gives, by its variance.
fn made(param: &Param) -> Option<Made> {
    let functions = Scalars::of(&param.init);
    let (_, end) = param.init.outputs.first()?;
    let value = &param.init[*end];
    let constant = |at: usize| value.operands.get(at).and_then(|&operand| functions.constant(operand));
    let variance = match &value.op {
        HirOp::Normal => constant(1)? * constant(1)?,
        HirOp::Uniform => (constant(1)? - constant(0)?) * (constant(1)? - constant(0)?) / 12.0,
        HirOp::Fill => return constant(0).map(Made::Same),
        _ => return functions.constant(*end).map(Made::Same),
    };
    let [fan_in, fan_out] = fans(&param.shape);
    let is_two = |number: f64| (number - 2.0).abs() < 1e-4;
    match () {
        () if is_two(variance * fan_in) => Some(Made::He),
        () if is_two(variance * (fan_in + fan_out)) => Some(Made::Glorot),
        () => Some(Made::Other(variance)),
    }
}

fn body_ends_in(body: &Body, is: impl Fn(&HirOp) -> bool) -> bool {
    body.outputs.first().is_some_and(|(_, end)| is(&body[*end].op))
}

/// The sum with a bias, where a product has one.
fn with_bias(body: &Body, users: &[Vec<ValueId>], product: ValueId) -> ValueId {
    let sum = users[product.0 as usize].iter().copied().find(|&user| {
        matches!(body[user].op, HirOp::Elementwise(Elementwise::Add))
            && body[user].operands.iter().any(|&operand| is_param(body, operand))
    });
    sum.unwrap_or(product)
}

/// The last elementwise function of a sum that something else looks at.
fn activated(functions: &Scalars<'_>, users: &[Vec<ValueId>], body: &Body, sum: ValueId) -> ValueId {
    let members = functions.functions(sum);
    let seen_outside = |id: &&ValueId| {
        let used = users[id.0 as usize].iter().any(|user| functions.root(*user) != Some(sum));
        used || body.outputs.iter().any(|(_, output)| output == *id)
    };
    members.iter().rev().find(seen_outside).copied().unwrap_or(sum)
}

fn shape(functions: &Scalars<'_>, end: ValueId) -> Option<Shape> {
    let at = |z: f64| functions.at(end, z).filter(|value| value.is_finite());
    let slope = |from: f64, to: f64| Some((at(to)? - at(from)?) / (to - from));
    let (left, right) = (slope(-30.0, -10.0)?, slope(10.0, 30.0)?);
    let rise = (at(10.0)? - at(-10.0)?).abs();
    match () {
        () if left.abs() < 1e-3 && right.abs() < 1e-3 && rise > 0.1 => Some(Shape::Saturating),
        () if (right - 1.0).abs() < 0.02 && left.abs() < 0.4 => Some(Shape::Rectifying),
        () => None,
    }
}

/// Whether a value goes on to other weights, changed in order and shape alone.
fn feeds_weights(body: &Body, users: &[Vec<ValueId>], end: ValueId) -> bool {
    let mut waiting = vec![end];
    while let Some(id) = waiting.pop() {
        for &user in &users[id.0 as usize] {
            if is_affine(body, user) {
                return true;
            }
            if same_elements(body, &body[user]).is_some() {
                waiting.push(user);
            }
        }
    }
    false
}

/// The argument that names an initialisation, by the place of the call that is given it.
fn chosen(seen: &Seen<'_>) -> HashMap<Span, Span> {
    let inits = seen.hir.declarations.iter().filter(|declaration| declaration.kind == Some(CallableKind::Init));
    let mut known: BTreeSet<&str> = inits.map(|declaration| declaration.name.value.as_str()).collect();
    known.extend(["zeros", "ones", "constant", "uniform", "normal", "orthogonal"]);
    let named = |value| match &seen.ast[value].kind {
        ExprKind::Name(name) => known.contains(name.as_str()),
        ExprKind::Call { callee, .. } => {
            matches!(&seen.ast[*callee].kind, ExprKind::Name(name) if known.contains(name.as_str()))
        }
        _ => false,
    };
    let mut chosen = HashMap::new();
    for expr in &seen.ast.exprs {
        if let ExprKind::Call { arguments, .. } = &expr.kind
            && let Some(argument) = arguments.iter().find(|argument| named(argument.value))
        {
            chosen.entry(expr.span).or_insert(seen.ast[argument.value].span);
        }
    }
    chosen
}
