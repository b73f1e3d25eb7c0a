//! The arithmetic behind a number of a shape, written out for problems: `26 · 26 · 8 = 5408`, `(28 − 3) / 1 + 1 = 26`.

use super::dim::Dim;
use super::infer::Walker;
use super::types::{Axis, Shape, Value, known_shape};
use crate::syntax::ast::{BinaryOp, DimExpr, ExprId, ExprKind, TypeExpr, TypeExprKind};

/// The number of elements of a shape: `26 · 26 · 8 = 5408`, or what is known of it.
pub(super) fn product(shape: &Shape) -> String {
    let total = super::types::count(shape);
    match known_shape(shape) {
        Some(extents) if extents.len() > 1 => format!("{} = {total}", joined(&extents, " · ")),
        Some(_) | None => total.to_string(),
    }
}

/// As [`product`], where something was worked out.
pub(super) fn worked_product(shape: &Shape) -> Option<String> {
    (shape.len() > 1 && known_shape(shape).is_some()).then(|| product(shape))
}

/// A sum of known extents: `3 + 4 = 7`.
pub(super) fn sum(parts: &[Dim]) -> Option<String> {
    let numbers: Option<Vec<i64>> = parts.iter().map(Dim::known).collect();
    let numbers = numbers.filter(|numbers| (2..=6).contains(&numbers.len()))?;
    let total = numbers.iter().try_fold(0i64, |sum, number| sum.checked_add(*number))?;
    Some(format!("{} = {total}", joined(&numbers, " + ")))
}

/// Two known extents and what became of them: `14 · 2 = 28`.
pub(super) fn of_two(left: &Dim, sign: &str, right: &Dim, result: &Dim) -> Option<String> {
    Some(format!("{} {sign} {} = {}", left.known()?, right.known()?, result.known()?))
}

/// The number of windows along an axis.
pub(super) struct Windows<'d> {
    /// The axis.
    pub(super) extent: &'d Dim,
    /// What is added on each side.
    pub(super) padding: &'d Dim,
    /// From the first element of a window to its last.
    pub(super) reach: &'d Dim,
    /// From window to window.
    pub(super) stride: &'d Dim,
    /// How many there are.
    pub(super) out: &'d Dim,
}

impl Windows<'_> {
    /// `(28 − 3) / 1 + 1 = 26`.
    pub(super) fn written(&self) -> Option<String> {
        let (extent, reach, stride) = (self.extent.known()?, self.reach.known()?, self.stride.known()?);
        let padded = match self.padding.known()? {
            0 => extent.to_string(),
            width => format!("{extent} + 2 · {width}"),
        };
        let out = self.out.known()?;
        let minus = if out < 0 { "−" } else { "" };
        Some(format!("({padded} − {reach}) / {stride} + 1 = {minus}{}", out.unsigned_abs()))
    }
}

/// Notes on several axes, each said once.
pub(super) fn notes(notes: Vec<Option<String>>) -> Option<String> {
    let mut said: Vec<String> = Vec::new();
    for note in notes.into_iter().flatten() {
        if !said.contains(&note) {
            said.push(note);
        }
    }
    (!said.is_empty()).then(|| said.join(", "))
}

fn joined<T: ToString>(numbers: &[T], sign: &str) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(sign)
}

/// Longer arithmetic is not written out.
const LONGEST: usize = 80;

impl Walker<'_> {
    /// How the dimensions of a written type come to their numbers, its names replaced by what they stand for.
    pub(super) fn worked_type(&self, ty: &TypeExpr, shape: &Shape) -> Option<String> {
        let TypeExprKind::Tensor(dims) = &ty.kind else { return None };
        if dims.len() != shape.len() {
            return None;
        }
        let worked = dims.iter().zip(shape).map(|(dim, axis)| {
            let (DimExpr::Dim(expr), Axis::Dim(Dim::Known(number))) = (dim, axis) else { return None };
            let text = self.worked(*expr, 0)?;
            (text != number.to_string()).then(|| format!("{text} = {number}"))
        });
        notes(worked.collect()).filter(|text| text.len() <= LONGEST)
    }

    fn worked(&self, expr: ExprId, depth: usize) -> Option<String> {
        let ast = self.ast();
        if depth > 8 {
            return None;
        }
        match &ast[expr].kind {
            ExprKind::Number { .. } => Some(self.written(ast[expr].span)),
            ExprKind::Name(name) => match &self.local(name)?.value {
                Value::Int(Dim::Known(number)) => Some(number.to_string()),
                _ => None,
            },
            ExprKind::Paren(inner) => Some(format!("({})", self.worked(*inner, depth + 1)?)),
            ExprKind::Binary(first, rest) => {
                let mut text = self.worked(*first, depth + 1)?;
                for infix in rest {
                    let sign = match infix.op {
                        BinaryOp::Mul => "·",
                        BinaryOp::Sub => "−",
                        other => other.symbol(),
                    };
                    text.push_str(&format!(" {sign} {}", self.worked(infix.operand, depth + 1)?));
                    if text.len() > LONGEST {
                        return None;
                    }
                }
                Some(text)
            }
            ExprKind::Call { callee, arguments } => {
                let values: Option<Vec<String>> =
                    arguments.iter().map(|argument| self.worked(argument.value, depth + 1)).collect();
                Some(format!("{}({})", self.written(ast[*callee].span), values?.join(", ")))
            }
            _ => None,
        }
    }
}
