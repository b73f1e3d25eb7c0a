//! Elementwise operations: on compile-time values at once, on tensors with the language's only stretching.

use super::dim::{Dim, Verdict};
use super::hir::{Elementwise, HirOp};
use super::infer::{Walker, Want};
use super::numbers;
use super::types::{Axis, Element, Shape, Tensor, Type, Value};
use crate::diagnostics::shapes as problems;
use crate::source::{Span, Spanned};
use std::rc::Rc;

impl<'a> Walker<'a> {
    /// Applies an elementwise operation to values; compile-time ones are worked out at once.
    pub(super) fn elementwise(
        &mut self,
        op: Elementwise,
        operands: &[(Value, Span)],
        span: Span,
        want: &Want,
    ) -> Value {
        if operands.iter().any(|(value, _)| matches!(value, Value::Unknown)) {
            return Value::Unknown;
        }
        let compile_time = |value: &Value| {
            matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Word(_) | Value::Text(_))
        };
        if operands.iter().all(|(value, _)| compile_time(value)) && op != Elementwise::Erf {
            return self.fold(op, operands, span, want);
        }
        let mut tensors = Vec::with_capacity(operands.len());
        for at in 0..operands.len() {
            match self.operand(op, operands, at) {
                Some(tensor) => tensors.push((tensor, operands[at].1)),
                None => return Value::Unknown,
            }
        }
        let Some(element) = self.element_of(op, &mut tensors, span) else { return Value::Unknown };
        let Some(shape) = self.stretched(op, &tensors, span) else { return Value::Unknown };
        let references: Vec<&Tensor> = tensors.iter().map(|(tensor, _)| tensor).collect();
        let ty = Type { element, shape };
        let Some(result) = self.emit_tensor(HirOp::Elementwise(op), &references, ty, span) else {
            return Value::Unknown;
        };
        // What is done to each element leaves the shape as it came.
        let source = references.iter().find(|tensor| tensor.ty.shape == result.ty.shape);
        Value::Tensor(match source.filter(|source| !source.ty.shape.is_empty()) {
            Some(source) => result.shaped_as(source),
            None => result,
        })
    }

    /// An operand as a tensor; beside categories a number or a text is one of them.
    fn operand(&mut self, op: Elementwise, operands: &[(Value, Span)], at: usize) -> Option<Tensor> {
        let (value, span) = &operands[at];
        let compares = matches!(op, Elementwise::Eq | Elementwise::Ne);
        let other = operands.get(1 - at.min(1)).map(|(value, _)| value);
        if let (true, Some(Value::Tensor(Tensor { ty: Type { element: Element::Class { count, names }, .. }, .. }))) =
            (compares, other)
        {
            let number = match value {
                Value::Int(Dim::Known(number)) => Some(*number),
                Value::Text(text) => match names {
                    Some(names) => match names.iter().position(|name| **name == **text) {
                        Some(place) => Some(place as i64),
                        None => {
                            self.report(problems::unknown_category(*span, text, names));
                            return None;
                        }
                    },
                    None => {
                        self.report(problems::categories_without_names(*span, text, count));
                        return None;
                    }
                },
                _ => None,
            };
            if let Some(number) = number {
                let beyond = count.known().is_some_and(|count| number >= count);
                if number < 0 || beyond {
                    self.report(problems::category_out_of_range(*span, number, count));
                    return None;
                }
                let ty =
                    Type { element: Element::Class { count: count.clone(), names: names.clone() }, shape: Vec::new() };
                return self.emit_tensor(HirOp::Category(number as u32), &[], ty, *span);
            }
        }
        self.to_tensor(value, *span)
    }

    /// The element type of the result; reports operands of the wrong kind.
    fn element_of(&mut self, op: Elementwise, tensors: &mut [(Tensor, Span)], span: Span) -> Option<Element> {
        use Elementwise as E;
        match op {
            E::And | E::Or | E::Not => {
                for (tensor, at) in tensors.iter() {
                    if tensor.ty.element != Element::Truth {
                        let at = *at;
                        let problem = problems::truth_wanted(at, symbol(op), &tensor.ty);
                        self.report(problem);
                        return None;
                    }
                }
                Some(Element::Truth)
            }
            E::Eq | E::Ne => {
                let [(a, at), (b, other)] = tensors else { return None };
                self.comparable(op, Spanned::new(&a.ty, *at), Spanned::new(&b.ty, *other)).then_some(Element::Truth)
            }
            E::If => {
                let [(condition, at), (then, then_at), (otherwise, else_at)] = tensors else { return None };
                if condition.ty.element != Element::Truth {
                    let found = condition.ty.to_string();
                    self.report(problems::condition_not_truth(*at, &format!("a tensor {found}")));
                    return None;
                }
                match (&then.ty.element, &otherwise.ty.element) {
                    (a, b) if a == b => Some(a.clone()),
                    (Element::Class { count, names: None }, Element::Class { count: other, names })
                        if count == other =>
                    {
                        Some(Element::Class { count: count.clone(), names: names.clone() })
                    }
                    (Element::Class { .. }, _) | (_, Element::Class { .. }) => {
                        let (a, b) = (then.ty.clone(), otherwise.ty.clone());
                        self.report(problems::branches_differ(
                            span,
                            Spanned::new(&a, *then_at),
                            Spanned::new(&b, *else_at),
                        ));
                        None
                    }
                    (_, _) => {
                        for (tensor, at) in [(then, then_at), (otherwise, else_at)] {
                            if tensor.ty.element == Element::Truth {
                                *tensor = self.as_numbers(tensor, *at)?;
                            }
                        }
                        Some(Element::Number)
                    }
                }
            }
            E::Lt | E::Le | E::Gt | E::Ge => self.all_numbers(op, tensors).then_some(Element::Truth),
            E::Neg
            | E::Exp
            | E::Log
            | E::Sqrt
            | E::Abs
            | E::Sign
            | E::Floor
            | E::Ceil
            | E::Round
            | E::Sin
            | E::Cos
            | E::Tanh
            | E::Erf
            | E::Add
            | E::Sub
            | E::Mul
            | E::Div
            | E::Rem
            | E::Pow
            | E::Min
            | E::Max
            | E::Clamp => self.all_numbers(op, tensors).then_some(Element::Number),
        }
    }

    fn comparable(&mut self, op: Elementwise, a: Spanned<&Type>, b: Spanned<&Type>) -> bool {
        let fits = match (&a.value.element, &b.value.element) {
            (Element::Class { count, names }, Element::Class { count: other, names: others }) => {
                let same_names = match (names, others) {
                    (Some(names), Some(others)) => names == others,
                    _ => true,
                };
                same_names && count.compare(other) != Verdict::Different
            }
            (Element::Class { .. }, _) | (_, Element::Class { .. }) => false,
            (Element::Number | Element::Truth, Element::Number | Element::Truth) => true,
        };
        if !fits {
            self.report(problems::not_comparable(symbol(op), a, b));
        }
        fits
    }

    fn all_numbers(&mut self, op: Elementwise, tensors: &[(Tensor, Span)]) -> bool {
        for (tensor, at) in tensors {
            if let Element::Class { .. } = tensor.ty.element {
                self.report(problems::class_is_no_number(*at, symbol(op), &tensor.ty));
                return false;
            }
        }
        true
    }

    /// The shape of the result: equal shapes, a scalar, or a suffix; reports what does not fit.
    fn stretched(&mut self, op: Elementwise, tensors: &[(Tensor, Span)], span: Span) -> Option<Shape> {
        let (first, first_span) = tensors.first()?;
        let mut shape = first.ty.shape.clone();
        let mut longest = (first, *first_span);
        for (tensor, at) in &tensors[1..] {
            match stretch(&shape, &tensor.ty.shape) {
                Stretch::To(joined) => {
                    if joined.len() > shape.len() {
                        longest = (tensor, *at);
                    }
                    shape = joined;
                }
                Stretch::Undecided => return None,
                Stretch::Impossible => {
                    let (other, from) = longest;
                    let repair = repair(&other.ty.shape, &tensor.ty.shape);
                    let simple = |span: Span| {
                        let text = self.written(span);
                        text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
                    };
                    let fixable = match repair {
                        problems::JoinAdvice::FirstOfLeft => simple(from),
                        problems::JoinAdvice::FirstOfRight => simple(*at),
                        problems::JoinAdvice::Leading | problems::JoinAdvice::OneAxis | problems::JoinAdvice::None => {
                            false
                        }
                    };
                    let (left, right) = (other.at(from), tensor.at(*at));
                    self.report(problems::elementwise_mismatch(symbol(op), span, &left, &right, repair, fixable));
                    return None;
                }
            }
        }
        Some(shape)
    }

    fn fold(&mut self, op: Elementwise, operands: &[(Value, Span)], span: Span, want: &Want) -> Value {
        use Elementwise as E;
        let values: Vec<&Value> = operands.iter().map(|(value, _)| value).collect();
        match (op, values.as_slice()) {
            (E::Eq | E::Ne, [Value::Word(a), Value::Word(b)]) => {
                Value::Bool(a.as_ref().zip(b.as_ref()).map(|(a, b)| (a == b) == (op == E::Eq)))
            }
            (E::Eq | E::Ne, [Value::Text(a), Value::Text(b)]) => Value::Bool(Some((a == b) == (op == E::Eq))),
            (E::Eq | E::Ne, [Value::Word(Some(a)), Value::Text(b)] | [Value::Text(a), Value::Word(Some(b))]) => {
                Value::Bool(Some((a == b) == (op == E::Eq)))
            }
            (E::Eq | E::Ne, [Value::Bool(a), Value::Bool(b)]) => {
                Value::Bool(a.zip(*b).map(|(a, b)| (a == b) == (op == E::Eq)))
            }
            (E::Not, [Value::Bool(truth)]) => Value::Bool(truth.map(|truth| !truth)),
            (E::And, [Value::Bool(a), Value::Bool(b)]) => Value::Bool(match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (a, b) => a.zip(*b).map(|(a, b)| a && b),
            }),
            (E::Or, [Value::Bool(a), Value::Bool(b)]) => Value::Bool(match (a, b) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (a, b) => a.zip(*b).map(|(a, b)| a || b),
            }),
            (E::And | E::Or | E::Not, _) => {
                let odd = operands.iter().find(|(value, _)| !matches!(value, Value::Bool(_)));
                if let Some((value, at)) = odd {
                    let found = self.describe(value);
                    self.report(problems::truth_wanted_of_value(*at, symbol(op), &found));
                }
                Value::Unknown
            }
            (E::If, [Value::Bool(Some(condition)), then, otherwise]) => {
                if *condition {
                    (*then).clone()
                } else {
                    (*otherwise).clone()
                }
            }
            (E::If, _) => Value::Unknown,
            (_, numbers) if numbers.iter().all(|value| matches!(value, Value::Int(_) | Value::Float(_))) => {
                if matches!(op, E::Div | E::Rem) && values[1].number() == Some(0.0) {
                    self.report(problems::division_by_zero(span, operands[1].1));
                    return Value::Unknown;
                }
                fold_numbers(op, &values, want)
            }
            _ => {
                let odd = operands.iter().find(|(value, _)| !matches!(value, Value::Int(_) | Value::Float(_)));
                if let Some((value, at)) = odd {
                    let found = self.describe(value);
                    self.report(problems::number_wanted(*at, symbol(op), &found));
                }
                Value::Unknown
            }
        }
    }

    /// `[a, b]` as a tensor: scalars give a vector, tensors of one shape are stacked along a new first axis.
    pub(super) fn stack_list(&mut self, items: &Rc<Vec<super::types::ListItem>>, span: Span) -> Option<Tensor> {
        if let Some(name) = items.iter().find_map(|item| item.name.as_ref()) {
            self.report(problems::named_list_as_tensor(name));
            return None;
        }
        if items.is_empty() {
            self.report(problems::empty_list(span));
            return None;
        }
        let mut parts: Vec<(Tensor, Span)> = Vec::with_capacity(items.len());
        for item in items.iter() {
            parts.push((self.to_tensor(&item.value, item.span)?, item.span));
        }
        self.stack_tensors(parts, 0, span)
    }
}

/// How two shapes join.
pub(super) enum Stretch {
    /// To this shape.
    To(Shape),
    /// Not known while dimensions are symbolic.
    Undecided,
    /// Not at all.
    Impossible,
}

/// Joins two shapes: equal ones, a scalar with anything, a suffix with the longer.
pub(super) fn stretch(a: &Shape, b: &Shape) -> Stretch {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() {
        return Stretch::To(long.clone());
    }
    let mut joined = long.clone();
    for back in 1..=short.len() {
        let (own, other) = (&short[short.len() - back], &long[long.len() - back]);
        match (own, other) {
            (Axis::Dim(own), Axis::Dim(other)) => match own.compare(other) {
                Verdict::Equal => {}
                Verdict::Different => return Stretch::Impossible,
                Verdict::Undecided => {
                    if own.known().is_some() {
                        joined[long.len() - back] = Axis::Dim(own.clone());
                    }
                }
            },
            (Axis::Rest(own), Axis::Rest(other)) if own == other => {}
            _ => return Stretch::Undecided,
        }
    }
    Stretch::To(joined)
}

/// What may help two shapes that do not join.
fn repair(left: &Shape, right: &Shape) -> problems::JoinAdvice {
    use problems::JoinAdvice;
    let is_one = |shape: &Shape| matches!(shape.as_slice(), [Axis::Dim(Dim::Known(1))]);
    let equal = |a: &[Axis], b: &[Axis]| super::types::compare_shapes(&a.to_vec(), &b.to_vec()) == Verdict::Equal;
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let one = Axis::Dim(Dim::Known(1));
    if is_one(right) {
        JoinAdvice::FirstOfRight
    } else if is_one(left) {
        JoinAdvice::FirstOfLeft
    } else if short.len() < long.len() && equal(short, &long[..short.len()]) {
        JoinAdvice::Leading
    } else if left.contains(&one) || right.contains(&one) {
        JoinAdvice::OneAxis
    } else {
        JoinAdvice::None
    }
}

fn fold_numbers(op: Elementwise, values: &[&Value], want: &Want) -> Value {
    use Elementwise as E;
    if let [Value::Int(a), Value::Int(b)] = values {
        match op {
            E::Add => return Value::Int(a.add(b)),
            E::Sub => return Value::Int(a.sub(b)),
            E::Mul => return Value::Int(a.mul(b)),
            E::Div if matches!(want, Want::Int | Want::Shape) => return Value::Int(a.div(b)),
            E::Rem => return Value::Int(a.rem(b)),
            E::Min => return Value::Int(a.smaller(b)),
            E::Max => return Value::Int(a.larger(b)),
            E::Pow => {
                if let (Some(base), Some(power @ 0..=62)) = (a.known(), b.known()) {
                    return base
                        .checked_pow(power as u32)
                        .map_or(Value::Float(Some(numbers::pow(base as f64, power as f64))), Value::int);
                }
            }
            E::Eq => return Value::Bool(truth(a.compare(b))),
            E::Ne => return Value::Bool(truth(a.compare(b)).map(|equal| !equal)),
            _ => {}
        }
    }
    if let [Value::Int(a)] = values {
        match (op, a.known()) {
            (E::Neg, _) => return Value::Int(Dim::Known(0).sub(a)),
            (E::Floor | E::Ceil | E::Round, _) => return Value::Int(a.clone()),
            (E::Abs, Some(number)) => return number.checked_abs().map_or(Value::Unknown, Value::int),
            (E::Sign, Some(number)) => return Value::int(number.signum()),
            _ => {}
        }
    }
    if let (E::Clamp, [Value::Int(x), Value::Int(low), Value::Int(high)]) = (op, values) {
        return Value::Int(x.larger(low).smaller(high));
    }
    let known: Option<Vec<f64>> = values.iter().map(|value| value.number()).collect();
    let comparison = matches!(op, E::Eq | E::Ne | E::Lt | E::Le | E::Gt | E::Ge);
    let whole = matches!(op, E::Floor | E::Ceil | E::Round);
    let Some(known) = known else {
        return if comparison {
            Value::Bool(None)
        } else if whole {
            Value::Int(Dim::Unknown)
        } else {
            Value::Float(None)
        };
    };
    if matches!(op, E::Not | E::And | E::Or | E::If | E::Erf) {
        return Value::Unknown;
    }
    let number = numbers::elementwise(op, &known);
    match () {
        () if comparison => Value::Bool(Some(number != 0.0)),
        () if whole => whole_number(number),
        () => Value::Float(Some(number)),
    }
}

fn truth(verdict: Verdict) -> Option<bool> {
    match verdict {
        Verdict::Equal => Some(true),
        Verdict::Different => Some(false),
        Verdict::Undecided => None,
    }
}

fn whole_number(number: f64) -> Value {
    if number.abs() < 9e15 { Value::int(number as i64) } else { Value::Float(Some(number)) }
}

/// An operation as it is written.
pub(super) fn symbol(op: Elementwise) -> &'static str {
    match op {
        Elementwise::Neg => "-",
        Elementwise::Not => "not",
        Elementwise::Exp => "exp",
        Elementwise::Log => "log",
        Elementwise::Sqrt => "sqrt",
        Elementwise::Abs => "abs",
        Elementwise::Sign => "sign",
        Elementwise::Floor => "floor",
        Elementwise::Ceil => "ceil",
        Elementwise::Round => "round",
        Elementwise::Sin => "sin",
        Elementwise::Cos => "cos",
        Elementwise::Tanh => "tanh",
        Elementwise::Erf => "erf",
        Elementwise::Add => "+",
        Elementwise::Sub => "-",
        Elementwise::Mul => "*",
        Elementwise::Div => "/",
        Elementwise::Rem => "%",
        Elementwise::Pow => "^",
        Elementwise::Min => "min",
        Elementwise::Max => "max",
        Elementwise::Clamp => "clamp",
        Elementwise::Eq => "==",
        Elementwise::Ne => "!=",
        Elementwise::Lt => "<",
        Elementwise::Le => "<=",
        Elementwise::Gt => ">",
        Elementwise::Ge => ">=",
        Elementwise::And => "and",
        Elementwise::Or => "or",
        Elementwise::If => "if",
    }
}
