//! The values of the fields, from their expressions and the columns.
//!
//! In: the columns of all rows. Out: a [`Column`] for each field. A field that is a column, or a transform of one, is
//! taken as it is; any other expression becomes a graph and runs over the rows. A fitted transform cuts its expression in two:
//! what it is applied to is computed for all rows, the transform learns from the training rows, and its result is an
//! input of what is left.

use super::columns::{RawColumn, Values};
use super::expressions::{self, Feed};
use super::transforms::{self, FittedTransform, Learned};
use super::{Column, Storage, series};
use crate::check::hir::{
    Binding, Body, BodyInput, ColumnForm, Data, DataField, Element, Fitted, HirOp, SourceSpec, ValueId, ValueType,
};
use crate::diagnostics::{Diagnostic, Diagnostics, data as report};

/// What the fields are computed from.
pub(super) struct Fields<'a> {
    data: &'a Data,
    columns: Vec<Option<RawColumn>>,
    /// The fields done, by number.
    done: Vec<Option<Column>>,
    rows: usize,
    train: &'a [u32],
    /// Transforms learned before, which are applied instead of learning.
    given: Option<&'a [FittedTransform]>,
    /// What the transforms have learned.
    pub(super) fitted: Vec<FittedTransform>,
}

impl<'a> Fields<'a> {
    /// Nothing computed yet.
    pub(super) fn new(
        data: &'a Data,
        columns: Vec<RawColumn>,
        rows: usize,
        train: &'a [u32],
        given: Option<&'a [FittedTransform]>,
    ) -> Fields<'a> {
        let columns = columns.into_iter().map(Some).collect();
        Fields { data, columns, done: vec![None; data.fields.len()], rows, train, given, fitted: Vec::new() }
    }

    /// All fields in the order of the declaration; `None` where one has a problem.
    pub(super) fn compute(mut self, diagnostics: &mut Diagnostics) -> Option<(Vec<Column>, Vec<FittedTransform>)> {
        let data = self.data;
        let mut left: Vec<usize> = (0..data.fields.len()).collect();
        let mut failed = false;
        // The checker allows no cycle, so each round computes at least one field.
        while !left.is_empty() {
            let ready = |fields: &Fields<'_>, at: &usize| fields.is_ready(&data.fields[*at].body);
            let (now, later): (Vec<usize>, Vec<usize>) = left.iter().partition(|at| ready(&self, at));
            if now.is_empty() {
                break;
            }
            for at in now {
                match self.field(at) {
                    Ok(column) => self.done[at] = Some(column),
                    Err(problem) => {
                        diagnostics.push(problem);
                        failed = true;
                    }
                }
            }
            left = later;
            if failed {
                return None;
            }
        }
        self.fitted.sort_by_key(|transform| {
            (data.fields.iter().position(|field| field.name.value == transform.field), transform.index)
        });
        let fields: Option<Vec<Column>> = self.done.into_iter().collect();
        fields.map(|fields| (fields, self.fitted))
    }

    fn is_ready(&self, body: &Body) -> bool {
        let computed = |name: &str| {
            self.data.fields.iter().zip(&self.done).any(|(field, done)| field.name.value == name && done.is_some())
        };
        body.inputs.iter().filter(|input| input.binding == Binding::Field).all(|input| computed(&input.name))
    }

    fn field(&mut self, number: usize) -> Result<Column, Diagnostic> {
        let data = self.data;
        let field = &data.fields[number];
        let Some(&(_, output)) = field.body.outputs.first() else { unreachable!("a field's body has one output") };
        let mut body = field.body.clone();
        // Values that stand for columns and for results of transforms, as inputs of the body.
        let mut local: Vec<Column> = Vec::new();
        let mut transforms = 0;
        for at in 0..body.values.len() {
            let value = &body.values[at];
            let input = match &value.op {
                HirOp::Column(column) => input(format!("column:{column}"), value.ty.clone(), Binding::Scope),
                HirOp::Fitted(kind) => {
                    let (kind, operand) = (kind.clone(), value.operands[0]);
                    let steps = self.steps(&body, operand);
                    let mut operand = self.value(number, field, &body, operand, &local)?;
                    require_counts(field, &kind, &operand)?;
                    let learned = self.learned(field, transforms, || match steps {
                        Some(steps) => {
                            let values = series::last_steps(&operand.values, operand.row_len, steps);
                            let last = Column { values, row_len: operand.row_len / steps.max(1), ..operand.clone() };
                            transforms::fit(&kind, &last, self.train)
                        }
                        None => transforms::fit(&kind, &operand, self.train),
                    });
                    transforms::apply(&learned, &mut operand);
                    self.fitted.push(FittedTransform { field: field.name.value.clone(), index: transforms, learned });
                    transforms += 1;
                    operand.ty = value.ty.clone();
                    local.push(operand);
                    input(format!("fit:{}", local.len() - 1), value.ty.clone(), Binding::Scope)
                }
                _ => continue,
            };
            body.values[at].op = HirOp::Input(body.inputs.len());
            body.values[at].operands = Vec::new();
            body.inputs.push(input);
        }
        let is_last_transform = matches!(&body[output].op, HirOp::Input(input) if body.inputs[*input].name == format!("fit:{}", local.len().wrapping_sub(1)));
        let mut column = match local.pop() {
            Some(column) if is_last_transform => column,
            last => {
                local.extend(last);
                self.value(number, field, &body, output, &local)?
            }
        };
        column.name = field.name.value.clone();
        self.adopt_names(field, &mut column);
        check_finite(field, &column)?;
        Ok(column)
    }

    /// The steps of a window of a column: one transform is for all of them.
    fn steps(&self, body: &Body, id: ValueId) -> Option<usize> {
        let HirOp::Input(input) = body[id].op else { return None };
        let number: usize = body.inputs[input].name.strip_prefix("column:")?.parse().ok()?;
        match self.data.columns[number].form {
            ColumnForm::Window { length, .. } => length,
            ColumnForm::Value | ColumnForm::Tokens { .. } => None,
        }
    }

    fn learned(&self, field: &DataField, index: usize, fit: impl FnOnce() -> Learned) -> Learned {
        let given =
            self.given.and_then(|given| given.iter().find(|one| one.field == field.name.value && one.index == index));
        given.map_or_else(fit, |one| one.learned.clone())
    }

    /// One value of a body in which no column or transform is left before it.
    fn value(
        &mut self,
        number: usize,
        field: &DataField,
        body: &Body,
        id: ValueId,
        local: &[Column],
    ) -> Result<Column, Diagnostic> {
        let ty = body[id].ty.clone();
        let name = field.name.value.clone();
        if let HirOp::Input(input) = body[id].op {
            let input = &body.inputs[input];
            if let Some(column) = self.sole_use(&input.name) {
                return Ok(column_of(name, column, ty));
            }
            let values = match self.feed(&input.name, local) {
                Feed::Bytes(bytes) => Storage::F32(bytes.iter().map(|&byte| f32::from(byte)).collect()),
                Feed::F32(values) => Storage::F32(values.to_vec()),
                Feed::I32(values) => Storage::I32(values.to_vec()),
            };
            return Ok(Column { name, row_len: ty.shape.iter().product(), ty, values });
        }
        let body = reduced(body, id);
        let seed = match self.data.sources.first().map(|(_, source)| &source.value) {
            Some(SourceSpec::Generate { seed, .. } | SourceSpec::Toy { seed, .. }) => *seed,
            Some(SourceSpec::Csv { .. } | SourceSpec::Idx(_) | SourceSpec::Npz { .. } | SourceSpec::Images(_))
            | None => self.data.seed,
        };
        let feeds: Vec<Feed<'_>> = body.inputs.iter().map(|input| self.feed(&input.name, local)).collect();
        let random = expressions::Random { seed, purpose: (number as u32) << 12 };
        let values = expressions::compute(&name, &body, &feeds, self.rows, random, field.span)?;
        Ok(Column { name, row_len: ty.shape.iter().product(), ty, values })
    }

    /// The column of that input where nothing else uses it: it may be taken away.
    fn sole_use(&mut self, input: &str) -> Option<RawColumn> {
        let number: usize = input.strip_prefix("column:")?.parse().ok()?;
        let values = self.data.fields.iter().flat_map(|field| &field.body.values);
        let uses = values.filter(|value| matches!(value.op, HirOp::Column(column) if column == number)).count();
        if uses == 1 { self.columns[number].take() } else { None }
    }

    fn feed<'b>(&'b self, input: &str, local: &'b [Column]) -> Feed<'b> {
        let stored = |column: &'b Column| match &column.values {
            Storage::F32(values) => Feed::F32(values),
            Storage::I32(values) => Feed::I32(values),
        };
        if let Some(number) = input.strip_prefix("column:").and_then(|number| number.parse::<usize>().ok()) {
            return match self.columns[number].as_ref().map(|column| &column.values) {
                Some(Values::Bytes(bytes)) => Feed::Bytes(bytes),
                Some(Values::Numbers(numbers)) => Feed::F32(numbers),
                Some(Values::Classes(classes)) => Feed::I32(classes),
                None => unreachable!("a column is taken by its only use"),
            };
        }
        if let Some(column) = input.strip_prefix("fit:").and_then(|number| local.get(number.parse::<usize>().ok()?)) {
            return stored(column);
        }
        match self.done.iter().flatten().find(|column| column.name == input) {
            Some(column) => stored(column),
            None => unreachable!("fields are computed before their uses"),
        }
    }

    /// The names of categories that were found in a file, for a field that is such a column.
    fn adopt_names(&self, field: &DataField, column: &mut Column) {
        let Element::Class { names: slot @ None, .. } = &mut column.ty.element else { return };
        let Some(&(_, output)) = field.body.outputs.first() else { return };
        *slot = match &field.body[output].op {
            HirOp::Column(number) => self.columns[*number].as_ref().and_then(|column| match &column.ty.element {
                Element::Class { names, .. } => names.clone(),
                Element::Number | Element::Truth => None,
            }),
            HirOp::Input(number) => {
                let name = &field.body.inputs[*number].name;
                self.done.iter().flatten().find(|column| column.name == *name).and_then(|column| {
                    match &column.ty.element {
                        Element::Class { names, .. } => names.clone(),
                        Element::Number | Element::Truth => None,
                    }
                })
            }
            _ => None,
        };
    }
}

fn input(name: String, ty: ValueType, binding: Binding) -> BodyInput {
    BodyInput { name, ty, binding }
}

fn column_of(name: String, column: RawColumn, mut ty: ValueType) -> Column {
    let values = match column.values {
        Values::Bytes(bytes) => Storage::F32(bytes.iter().map(|&byte| f32::from(byte)).collect()),
        Values::Numbers(numbers) => Storage::F32(numbers),
        Values::Classes(classes) => Storage::I32(classes),
    };
    if matches!(ty.element, Element::Class { names: None, .. }) {
        ty.element = column.ty.element;
    }
    Column { name, row_len: ty.shape.iter().product(), ty, values }
}

/// The body with only what the value needs, which becomes its one output.
fn reduced(body: &Body, output: ValueId) -> Body {
    let mut needed = vec![false; body.values.len()];
    needed[output.0 as usize] = true;
    for at in (0..=output.0 as usize).rev() {
        if needed[at] {
            for operand in &body.values[at].operands {
                needed[operand.0 as usize] = true;
            }
        }
    }
    let mut result = Body::default();
    let mut inputs: Vec<Option<usize>> = vec![None; body.inputs.len()];
    let mut places = vec![ValueId(0); body.values.len()];
    for (at, value) in body.values.iter().enumerate().filter(|(at, _)| needed[*at]) {
        let mut value = value.clone();
        if let HirOp::Input(number) = &mut value.op {
            let old = *number;
            *number = *inputs[old].get_or_insert_with(|| {
                result.inputs.push(body.inputs[old].clone());
                result.inputs.len() - 1
            });
        }
        for operand in &mut value.operands {
            *operand = places[operand.0 as usize];
        }
        places[at] = ValueId(result.values.len() as u32);
        result.values.push(value);
    }
    result.outputs = vec![(String::from("value"), places[output.0 as usize])];
    result
}

/// Refuses to count more categories than there is memory for.
fn require_counts(field: &DataField, kind: &Fitted, operand: &Column) -> Result<(), Diagnostic> {
    match (kind, &operand.values) {
        (Fitted::Frequency { .. }, Storage::I32(classes)) => {
            let last = classes.iter().copied().max().unwrap_or(0).max(0);
            super::memory::require(field.span, 8 * (u128::from(last.unsigned_abs()) + 1))
        }
        (Fitted::Frequency { .. } | Fitted::Standardize | Fitted::MinMax, _) => Ok(()),
    }
}

fn check_finite(field: &DataField, column: &Column) -> Result<(), Diagnostic> {
    let Storage::F32(values) = &column.values else { return Ok(()) };
    // The sum of zeros and what is not finite is not finite: one pass without branches.
    let probe = values
        .chunks(1 << 12)
        .all(|chunk| chunk.iter().map(|value| value * 0.0).fold(0.0, |all, one| all + one) == 0.0);
    if probe {
        return Ok(());
    }
    let mut bad = values.iter().enumerate().filter(|(_, value)| !value.is_finite());
    let Some((at, &value)) = bad.next() else { return Ok(()) };
    let count = 1 + bad.count();
    Err(report::not_finite(field.span, &field.name.value, value, at / column.row_len.max(1), count))
}
