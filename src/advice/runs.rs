//! A run's settings against one another and against the number of rows.

use super::{Counted, Seen, field, text};
use crate::check::hir::{Binding, BodyInput, Data, Element, HirOp, Model, Run, SourceSpec};
use crate::diagnostics::{Diagnostics, Edit, advice as problems};
use crate::syntax::ast::{ExprId, ExprKind, TrainItem};

pub(super) fn runs(seen: &Seen<'_>, found: &mut Diagnostics) {
    for (_, train) in seen.trains() {
        seed(seen, train, found);
    }
    for run in &seen.hir.runs {
        if let Some(rows) = training_rows(&seen.hir.data[run.data]) {
            sizes(seen, run, rows, found);
        }
    }
}

/// What is said once the rows are counted, where that was not possible before.
pub(super) fn counted(seen: &Seen<'_>, counted: &Counted, found: &mut Diagnostics) {
    for run in seen.hir.runs.iter().filter(|run| run.data == counted.data) {
        if training_rows(&seen.hir.data[run.data]).is_none() {
            sizes(seen, run, counted.training_rows, found);
        }
    }
}

/// The number of training rows where the program alone says it.
pub(super) fn training_rows(data: &Data) -> Option<usize> {
    if data.is_series() {
        return None;
    }
    let mut rows = 0;
    for (part, source) in &data.sources {
        let counted = match &source.value {
            SourceSpec::Generate { rows, .. } | SourceSpec::Toy { rows, .. } => *rows,
            SourceSpec::Csv { .. } | SourceSpec::Idx(_) | SourceSpec::Npz { .. } | SourceSpec::Images(_) => {
                return None;
            }
        };
        if part.as_ref().is_none_or(|part| part.value == "train") {
            rows += counted;
        }
    }
    let share = data.split.iter().find(|(part, _)| part.value == "train").map_or(1.0, |(_, share)| *share);
    Some((rows as f64 * share).round() as usize)
}

/// Whether a value is `any(…)`: alternatives that are compared.
fn alternatives(seen: &Seen<'_>, train: &TrainItem) -> usize {
    let of_field = |value| match &seen.ast[value].kind {
        ExprKind::Call { callee, arguments } if matches!(&seen.ast[*callee].kind, ExprKind::Name(name) if name == "any") => {
            arguments.len().max(1)
        }
        _ => 1,
    };
    train.fields.iter().map(|field| of_field(field.value)).fold(train.models.len(), usize::saturating_mul)
}

fn seed(seen: &Seen<'_>, train: &TrainItem, found: &mut Diagnostics) {
    let count = alternatives(seen, train);
    let (Some(first), Some(last)) = (train.models.first(), train.models.last()) else { return };
    let Some(end) = train.fields.last().filter(|_| count > 1 && field(&train.fields, "seed").is_none()) else { return };
    let place = seen.ast[*first].span.to(seen.ast[*last].span);
    let line = format!("\n{}seed = 0", text::indentation(seen.source(), end.span.start));
    // At the end of the line: a comment may follow the last field.
    let behind = seen.source().text[end.span.end as usize..].find(['\n', '}']).unwrap_or(0);
    let at = end.span.after();
    let at = crate::source::Span { start: at.start + behind as u32, end: at.end + behind as u32, ..at };
    found.push(problems::missing_seed(place, count, Edit::replace(at, line)));
}

/// The settings and the model against the number of rows. A batch that is not written is no mistake: then all rows are one.
fn sizes(seen: &Seen<'_>, run: &Run, rows: usize, found: &mut Diagnostics) {
    let Some(train) = seen.train(run) else { return };
    let data = &seen.hir.data[run.data].name;
    if let Some(batch) = field(&train.fields, "batch")
        && run.batch > rows
    {
        found.push(problems::batch_larger_than_data(seen.ast[batch.value].span, run.batch, data, rows));
    }
    let model = &seen.hir.models[run.model];
    let parameters = model.body.params.iter().map(|param| param.shape.iter().product::<usize>()).sum::<usize>();
    let values = target_values(run, model);
    let held = run.stop.is_some() || !run.penalties.is_empty();
    let dropped = model.body.values.iter().any(|value| matches!(value.op, HirOp::Bernoulli));
    if parameters > TIMES.saturating_mul(rows).saturating_mul(values) && !held && !dropped {
        let named = |expr: &&ExprId| seen.source().slice(seen.ast[**expr].span).starts_with(&model.name);
        let place = train.models.iter().find(named).map_or(run.span, |expr| seen.ast[*expr].span);
        found.push(problems::more_parameters_than_data(place, &model.name, parameters, data, rows, values));
    }
}

/// So many times more parameters than numbers to learn them from are too many.
const TIMES: usize = 2;

/// How many numbers each row says of what is to be learned; a class says as many as there are classes.
fn target_values(run: &Run, model: &Model) -> usize {
    let is_input = |name: &str| model.body.inputs.iter().any(|input| input.name == name);
    let fields = || run.loss.inputs.iter().filter(|input| input.binding == Binding::Field);
    let size = |input: &BodyInput| {
        let elements: usize = input.ty.shape.iter().product();
        match &input.ty.element {
            Element::Class { count, .. } => elements.saturating_mul(*count),
            Element::Number | Element::Truth => elements,
        }
    };
    let targets: usize = fields().filter(|input| !is_input(&input.name)).map(size).sum();
    // Where the inputs themselves are to be learned, or what they are like, every number of them counts.
    match targets {
        0 => model.body.inputs.iter().map(size).sum::<usize>().max(1),
        targets => targets,
    }
}
