//! A few rows of data, as far as the program alone says what they hold.
//!
//! In: a `data` declaration. Out: for its fields the values of some rows: what `generate` draws, what the embedded sets and
//! images hold, and what is made of them. The draws are not those of a run; they show where values lie. A field that hangs
//! on a file's columns has none, but standardized it has: about 0.

use crate::check::elementwise;
use crate::check::hir::{
    Binding, Body, ColumnForm, ColumnUse, Data, Element, Fitted, HirOp, Reduce, SourceSpec, ToySet, Value, ValueId,
};
use std::collections::BTreeMap;

/// How many rows.
const ROWS: usize = 48;

/// Values of more elements than this are not looked at, and fields whose values have more than that together.
const MOST_ELEMENTS: usize = 4096;
const MOST_TOGETHER: usize = 1 << 16;

/// The values of a field: rows of elements.
pub(super) type Rows = Vec<Vec<f64>>;

/// The fields of which rows are known.
pub(super) fn samples(data: &Data) -> BTreeMap<&str, Rows> {
    let mut known: BTreeMap<&str, Rows> = BTreeMap::new();
    let mut random = Random(1);
    // The checker allows no cycle, so each round adds a field until none is left that can be known.
    for _ in 0..data.fields.len() {
        let before = known.len();
        for field in &data.fields {
            let name = field.name.value.as_str();
            if !known.contains_key(name)
                && let Some(rows) = evaluate(data, &field.body, &known, &mut random)
            {
                known.insert(name, rows);
            }
        }
        if known.len() == before {
            break;
        }
    }
    known
}

/// Random numbers, the same ones each time: Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn rows(&mut self, elements: usize, mut draw: impl FnMut(&mut Random) -> f64) -> Rows {
        (0..ROWS).map(|_| (0..elements).map(|_| draw(self)).collect()).collect()
    }
}

fn evaluate(data: &Data, body: &Body, known: &BTreeMap<&str, Rows>, random: &mut Random) -> Option<Rows> {
    let elements = |value: &Value| value.ty.shape.iter().product::<usize>().max(1);
    if body.values.iter().map(elements).fold(0, usize::saturating_add) > MOST_TOGETHER {
        return None;
    }
    let mut values: Vec<Option<Rows>> = Vec::with_capacity(body.values.len());
    for value in &body.values {
        let small = elements(value) <= MOST_ELEMENTS;
        let rows = if small { value_rows(data, body, value, &values, known, random) } else { None };
        values.push(rows);
    }
    let (_, end) = body.outputs.first()?;
    values.get(end.0 as usize)?.clone()
}

fn value_rows(
    data: &Data,
    body: &Body,
    value: &Value,
    values: &[Option<Rows>],
    known: &BTreeMap<&str, Rows>,
    random: &mut Random,
) -> Option<Rows> {
    let elements: usize = value.ty.shape.iter().product();
    let operand = |at: usize| values.get(value.operands.get(at)?.0 as usize)?.as_ref();
    let shape_of = |at: usize| -> &[usize] { value.operands.get(at).map_or(&[], |id: &ValueId| &body[*id].ty.shape) };
    let number = |at: usize| Some(*operand(at)?.first()?.first()?);
    let each = |change: &dyn Fn(&[f64]) -> Vec<f64>| Some(operand(0)?.iter().map(|row| change(row)).collect());
    match &value.op {
        HirOp::Input(at) => {
            let input = body.inputs.get(*at).filter(|input| input.binding == Binding::Field)?;
            known.get(input.name.as_str()).cloned()
        }
        HirOp::Number(number) => Some(vec![vec![*number]; ROWS]),
        HirOp::Truth(truth) => Some(vec![vec![f64::from(*truth)]; ROWS]),
        HirOp::Category(number) => Some(vec![vec![f64::from(*number)]; ROWS]),
        HirOp::Column(at) => column(data, data.columns.get(*at)?, elements, random),
        HirOp::Uniform => {
            let (low, high) = (number(0)?, number(1)?);
            Some(random.rows(elements, |random| random.between(low, high)))
        }
        HirOp::Normal => {
            let (mean, deviation) = (number(0)?, number(1)?);
            // The sum of twelve uniform numbers is near enough.
            Some(random.rows(elements, |random| mean + deviation * ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0)))
        }
        HirOp::Bernoulli => {
            let share = number(0)?;
            Some(random.rows(elements, |random| f64::from(random.unit() < share)))
        }
        HirOp::Fitted(Fitted::Standardize) => match operand(0) {
            Some(rows) => Some(standardized(rows)),
            None => Some(random.rows(elements, |random| random.between(-1.7, 1.7))),
        },
        HirOp::Fitted(Fitted::MinMax) => Some(random.rows(elements, |random| random.unit())),
        HirOp::Elementwise(op) => {
            let operands: Option<Vec<&Rows>> = (0..value.operands.len()).map(operand).collect();
            let operands = operands?;
            if operands.iter().any(|rows| rows.iter().any(Vec::is_empty)) {
                return None;
            }
            let element = |row: usize, at: usize| {
                // A scalar and a suffix stretch: their elements come again.
                let numbers: Vec<f64> = operands.iter().map(|rows| rows[row][at % rows[row].len()]).collect();
                elementwise(*op, &numbers)
            };
            Some((0..ROWS).map(|row| (0..elements).map(|at| element(row, at)).collect()).collect())
        }
        HirOp::Stack(0) | HirOp::Concat(0) => {
            let operands: Option<Vec<&Rows>> = (0..value.operands.len()).map(operand).collect();
            let operands = operands?;
            Some((0..ROWS).map(|row| operands.iter().flat_map(|rows| rows[row].iter().copied()).collect()).collect())
        }
        HirOp::Reshape | HirOp::StopGradient => operand(0).cloned(),
        HirOp::Fill => each(&|row| vec![row[0]; elements]),
        HirOp::Take { axis: 0, index } => each(&|row| row[index * elements..][..elements].to_vec()),
        HirOp::Slice(ranges) if shape_of(0).len() == 1 => {
            let &(start, end) = ranges.first()?;
            each(&|row| row[start..end].to_vec())
        }
        HirOp::OneHot if shape_of(0).is_empty() => {
            each(&|row| (0..elements).map(|class| f64::from(class as f64 == row[0])).collect())
        }
        HirOp::Reduce(reduce, axes) if axes.len() == shape_of(0).len() && !shape_of(0).is_empty() => {
            let reduce = *reduce;
            let folded = move |row: &[f64]| -> Option<f64> {
                match reduce {
                    Reduce::Sum => Some(row.iter().sum()),
                    Reduce::Mean => Some(row.iter().sum::<f64>() / row.len() as f64),
                    Reduce::Max => row.iter().copied().reduce(f64::max),
                    Reduce::Min => row.iter().copied().reduce(f64::min),
                    Reduce::Prod => Some(row.iter().product()),
                    Reduce::Var | Reduce::ArgMax | Reduce::ArgMin => None,
                }
            };
            operand(0)?.iter().map(|row| Some(vec![folded(row)?])).collect()
        }
        _ => None,
    }
}

fn standardized(rows: &Rows) -> Rows {
    let elements = rows.first().map_or(0, Vec::len);
    let count = rows.len() as f64;
    let mut changed = rows.clone();
    for at in 0..elements {
        let mean = rows.iter().map(|row| row[at]).sum::<f64>() / count;
        let variance = rows.iter().map(|row| (row[at] - mean) * (row[at] - mean)).sum::<f64>() / count;
        for row in &mut changed {
            row[at] = (row[at] - mean) / variance.sqrt().max(1e-12);
        }
    }
    changed
}

/// The values of a column where the source's kind alone says what they are.
fn column(data: &Data, column: &ColumnUse, elements: usize, random: &mut Random) -> Option<Rows> {
    if let Element::Class { count, .. } = column.ty.element {
        return Some(random.rows(elements, |random| (random.unit() * count as f64).floor()));
    }
    if !matches!(column.form, ColumnForm::Value) {
        return None;
    }
    let (_, source) = data.sources.first()?;
    let (low, high) = match &source.value {
        SourceSpec::Idx(_) if !column.ty.shape.is_empty() => (0.0, 255.0),
        SourceSpec::Toy { set: ToySet::Digits, .. } => (0.0, 1.0),
        SourceSpec::Toy { .. } => (-1.5, 1.5),
        _ => return None,
    };
    Some(random.rows(elements, |random| random.between(low, high)))
}
