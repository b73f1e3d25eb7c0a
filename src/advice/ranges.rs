//! Between which numbers the values of a body lie, whatever the parameters: an abstract interpretation by intervals.
//!
//! In: a [`Body`] and the ranges of its inputs. Out: a [`Range`] for each value, outside of training. A range holds every
//! number the value can be; it may be wider than need be.

use super::scalar::same_elements;
use crate::check::elementwise;
use crate::check::hir::{Body, BodyInput, Elementwise, HirOp, Reduce, Value, ValueId};

/// All numbers from the first to the second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Range(pub(super) f64, pub(super) f64);

/// Any number.
pub(super) const ANY: Range = Range(f64::NEG_INFINITY, f64::INFINITY);

impl Range {
    /// The smallest that holds the numbers.
    fn around(numbers: impl IntoIterator<Item = f64>) -> Range {
        let mut range = Range(f64::INFINITY, f64::NEG_INFINITY);
        for number in numbers {
            // 0 · ∞ and ∞ − ∞ can be anything.
            if number.is_nan() {
                return ANY;
            }
            range = Range(range.0.min(number), range.1.max(number));
        }
        range
    }

    fn with(self, other: Range) -> Range {
        Range(self.0.min(other.0), self.1.max(other.1))
    }

    fn holds(self, number: f64) -> bool {
        self.0 <= number && number <= self.1
    }
}

/// The ranges of all values.
pub(super) fn ranges(body: &Body, input: &dyn Fn(&BodyInput) -> Range) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::with_capacity(body.values.len());
    for value in &body.values {
        let range = range(body, value, &ranges, input);
        ranges.push(range);
    }
    ranges
}

fn range(body: &Body, value: &Value, ranges: &[Range], input: &dyn Fn(&BodyInput) -> Range) -> Range {
    let of = |id: ValueId| ranges[id.0 as usize];
    let operand = |at: usize| value.operands.get(at).map_or(ANY, |&id| of(id));
    if let Some(same) = same_elements(body, value) {
        return of(same);
    }
    let all = || value.operands.iter().map(|&id| of(id)).reduce(Range::with).unwrap_or(ANY);
    match &value.op {
        HirOp::Input(at) => body.inputs.get(*at).map_or(ANY, input),
        HirOp::Number(number) => Range(*number, *number),
        HirOp::Truth(truth) => Range(f64::from(*truth), f64::from(*truth)),
        HirOp::Training => Range(0.0, 0.0),
        HirOp::OneHot | HirOp::Bernoulli => Range(0.0, 1.0),
        HirOp::Elementwise(op) => elementwise_range(body, *op, &value.operands, &of),
        HirOp::Reduce(reduce, axes) => reduced(body, value, *reduce, axes, operand(0)),
        HirOp::Concat(_) | HirOp::Stack(_) => all(),
        HirOp::Slice(_) | HirOp::Take { .. } | HirOp::Reverse(_) | HirOp::Upsample { .. } | HirOp::Fill => operand(0),
        HirOp::Sort { .. } => operand(0),
        HirOp::MaxPool(_) | HirOp::AvgPool(_) | HirOp::Pad(_) => operand(0).with(Range(0.0, 0.0)),
        _ => ANY,
    }
}

fn reduced(body: &Body, value: &Value, reduce: Reduce, axes: &[usize], inner: Range) -> Range {
    match reduce {
        Reduce::Mean | Reduce::Max | Reduce::Min => inner,
        Reduce::Sum => {
            let shape = value.operands.first().map_or(&[][..], |&id| &body[id].ty.shape);
            let count: f64 = axes.iter().map(|&axis| shape.get(axis).map_or(1.0, |&extent| extent as f64)).product();
            Range(inner.0 * count, inner.1 * count)
        }
        Reduce::Var | Reduce::ArgMax | Reduce::ArgMin => Range(0.0, f64::INFINITY),
        Reduce::Prod => ANY,
    }
}

fn elementwise_range(body: &Body, op: Elementwise, operands: &[ValueId], of: &dyn Fn(ValueId) -> Range) -> Range {
    use Elementwise as E;
    let operand = |at: usize| operands.get(at).map_or(ANY, |&id| of(id));
    let (x, y) = (operand(0), operand(1));
    let rising = || Range::around([x.0, x.1].map(|end| elementwise(op, &[end])));
    let corners =
        || Range::around([(x.0, y.0), (x.0, y.1), (x.1, y.0), (x.1, y.1)].map(|(x, y)| elementwise(op, &[x, y])));
    let same = operands.first() == operands.get(1);
    let magnitude = |ends: Range| {
        let least = if x.holds(0.0) { 0.0 } else { x.0.abs().min(x.1.abs()) };
        Range(least, ends.0.abs().max(ends.1.abs()))
    };
    match op {
        E::Exp => Range(rising().0.max(0.0), rising().1),
        E::Tanh | E::Erf => Range(rising().0.max(-1.0), rising().1.min(1.0)),
        E::Neg | E::Floor | E::Ceil | E::Round | E::Sign => rising(),
        E::Log if x.0 >= 0.0 => rising(),
        E::Sqrt if x.0 >= 0.0 => rising(),
        E::Sqrt => Range(0.0, f64::INFINITY),
        E::Abs => magnitude(x),
        E::Sin | E::Cos => Range(-1.0, 1.0),
        E::Not | E::Eq | E::Ne | E::Lt | E::Le | E::Gt | E::Ge | E::And | E::Or => Range(0.0, 1.0),
        E::Add | E::Sub | E::Min | E::Max => corners(),
        E::Mul if same => {
            let size = magnitude(x);
            Range(size.0 * size.0, size.1 * size.1)
        }
        E::Mul => corners(),
        E::Div if is_share(body, operands) && x.0 >= 0.0 => Range(0.0, 1.0),
        E::Div if !y.holds(0.0) || y == Range(0.0, f64::INFINITY) && x.0 >= 0.0 => {
            let range = corners();
            if range == ANY && x.0 >= 0.0 && y.0 >= 0.0 { Range(0.0, f64::INFINITY) } else { range }
        }
        E::Pow if y.0 == y.1 && y.0 > 0.0 && y.0 % 2.0 == 0.0 => {
            let size = magnitude(x);
            Range(elementwise(op, &[size.0, y.0]), elementwise(op, &[size.1, y.0]))
        }
        E::Pow if x.0 >= 0.0 => Range(0.0, f64::INFINITY),
        E::Clamp => Range(elementwise(op, &[x.0, y.0, operand(2).0]), elementwise(op, &[x.1, y.1, operand(2).1])),
        E::If => y.with(operand(2)),
        E::Log | E::Div | E::Pow | E::Rem => ANY,
    }
}

/// Whether a quotient is `e / sum(e)`.
fn is_share(body: &Body, operands: &[ValueId]) -> bool {
    let [part, whole] = operands else { return false };
    let mut sum = &body[*whole];
    while let Some(operand) = same_elements(body, sum) {
        sum = &body[operand];
    }
    matches!(sum.op, HirOp::Reduce(Reduce::Sum, _)) && sum.operands.first() == Some(part)
}
