//! Between the program and its data: what can be said without reading the rows.
//!
//! In: a checked program and where its files are. Out: diagnostics on files that are not there, headers that look like data,
//! parts whose columns differ, and targets among the inputs. Of a file only its beginning is read.

use super::columns::{check_shape, select};
use super::csv::{self, Format};
use super::files::Paths;
use super::schema;
use crate::check::hir::{
    Binding, ColumnForm, ColumnSelector, ColumnUse, Data, Hir, HirOp, Run, Schema, SourceSpec, fits_pattern,
};
use crate::diagnostics::{Diagnostics, Edit, data as problems};
use crate::source::{Sources, Span};
use std::collections::BTreeSet;

/// Looks at the files of all data that a program declares.
pub fn border(hir: &Hir, paths: &Paths, sources: &mut Sources, diagnostics: &mut Diagnostics) {
    for (number, data) in hir.data.iter().enumerate() {
        for (part, source) in &data.sources {
            source
                .value
                .files()
                .into_iter()
                .filter_map(|(path, other_names)| paths.absent(path, &other_names))
                .for_each(|problem| diagnostics.push(problem));
            if let SourceSpec::Csv { path, header, separator, missing } = &source.value {
                let format = Format { header: *header, separator: *separator, missing };
                let says_header = sources.slice(source.span).contains("header");
                if let Some(problem) = csv::suspicious_header(path, format, paths, sources) {
                    let edit = Edit { span: path.span.after(), text: String::from(", header = false") };
                    diagnostics.push(problem.fix_if(!says_header, "read it without a header", vec![edit]));
                }
            }
            let earlier = data.sources.iter().take_while(|(_, other)| other.span != source.span);
            let is_same =
                |other: &SourceSpec| !matches!(other, SourceSpec::Generate { .. }) && other.same_rows(&source.value);
            let same = earlier.filter(|(_, other)| is_same(&other.value)).find_map(|(part, _)| part.as_ref());
            if let (Some(part), Some(same)) = (part, same) {
                diagnostics.push(problems::parts_overlap(part, same));
            }
        }
        let schemas = schemas(data, paths);
        compare_parts(data, &schemas, diagnostics);
        let known = schemas.iter().flatten().next();
        hir.runs.iter().filter(|run| run.data == number).for_each(|run| leaks(hir, run, data, known, diagnostics));
    }
}

/// The columns of each source, where they are cheap to know.
fn schemas(data: &Data, paths: &Paths) -> Vec<Option<Schema>> {
    data.sources.iter().map(|(_, source)| schema(&source.value, paths).and_then(Result::ok)).collect()
}

/// Reports columns that one source has and another lacks, or has in another place.
fn compare_parts(data: &Data, schemas: &[Option<Schema>], diagnostics: &mut Diagnostics) {
    let known =
        || data.sources.iter().zip(schemas).filter_map(|((_, source), schema)| Some((source, schema.as_ref()?)));
    let Some((first, first_schema)) = known().next() else { return };
    for (source, schema) in known().skip(1) {
        let name = source.value.title();
        for spec in &data.columns {
            let chosen = select(spec, schema, &name).and_then(|columns| {
                let own = |at: usize| schema.columns[at].ty.as_ref().map_or([].as_slice(), |ty| ty.shape.as_slice());
                let shapes: Vec<&[usize]> = columns.iter().map(|&at| own(at)).collect();
                check_shape(spec, &shapes)
            });
            if let Err(problem) = chosen {
                diagnostics.push(problems::column_of_other_part(problem, source.span));
                continue;
            }
            let by_number: &[usize] = match &spec.selector {
                ColumnSelector::Index(index) => std::slice::from_ref(index),
                ColumnSelector::Indices(indices) => indices,
                ColumnSelector::Name(_) | ColumnSelector::Names(_) | ColumnSelector::Pattern(_) => &[],
            };
            let names = |at: usize| Some([first_schema, schema].map(|schema| schema.columns.get(at)?.name.as_deref()));
            let differing = by_number.iter().find_map(|&at| match names(at) {
                Some([Some(one), Some(other)]) if one != other => Some((at, [one, other])),
                _ => None,
            });
            if let Some((at, names)) = differing {
                let sources = [first.value.title(), name.clone()];
                let sources = [sources[0].as_str(), sources[1].as_str()];
                diagnostics.push(problems::columns_differ(spec.span, source.span, at, names, sources));
            }
        }
    }
}

/// Reports targets whose column is one of several that an input is made of.
///
/// Where input and target are made of the same columns, as in an autoencoder, that is meant.
fn leaks(hir: &Hir, run: &Run, data: &Data, schema: Option<&Schema>, diagnostics: &mut Diagnostics) {
    let inputs = || hir.models[run.model].body.inputs.iter().filter(|input| input.binding == Binding::Field);
    let is_input = |name: &str| inputs().any(|input| input.name == name);
    let of_loss = run.loss.inputs.iter().filter(|input| input.binding == Binding::Field && !is_input(&input.name));
    let field = |name: &str| data.fields.iter().position(|field| field.name.value == name);
    for target in of_loss.filter_map(|input| field(&input.name)) {
        let asked = taken(data, target, schema);
        for input in inputs().filter_map(|input| field(&input.name)) {
            let given = taken(data, input, schema);
            let shared = given.iter().find(|(column, _)| asked.iter().any(|(other, _)| other == column));
            let more = given.iter().any(|(column, _)| asked.iter().all(|(other, _)| other != column));
            if let Some((column, span)) = shared.filter(|_| more) {
                let span_of = |(other, span): &(Taken, Span)| (other == column).then_some(*span);
                let asked = asked.iter().find_map(span_of).unwrap_or(data.fields[target].span);
                let (input, target) = (&data.fields[input].name, &data.fields[target].name);
                diagnostics.push(problems::target_among_inputs(input, target, &column.to_string(), *span, asked));
            }
        }
    }
}

/// A column that a field is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Taken {
    Number(usize),
    Name(String),
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Taken::Number(number) => write!(f, "column {number}"),
            Taken::Name(name) => write!(f, "column `{name}`"),
        }
    }
}

/// The columns that a field is made of, by way of other fields too, with the places that take them.
fn taken(data: &Data, field: usize, schema: Option<&Schema>) -> BTreeSet<(Taken, Span)> {
    let mut found = BTreeSet::new();
    let mut seen = vec![false; data.fields.len()];
    let mut open = vec![field];
    while let Some(field) = open.pop() {
        if std::mem::replace(&mut seen[field], true) {
            continue;
        }
        let body = &data.fields[field].body;
        for value in &body.values {
            if let HirOp::Column(number) = value.op {
                let spec = &data.columns[number];
                // The past of a column is a fine input for its future.
                if matches!(spec.form, ColumnForm::Window { .. }) {
                    continue;
                }
                found.extend(columns_of(spec, schema).into_iter().map(|column| (column, spec.span)));
            }
        }
        let others = body.inputs.iter().filter(|input| input.binding == Binding::Field);
        open.extend(others.filter_map(|input| data.fields.iter().position(|field| field.name.value == input.name)));
    }
    found
}

/// The columns that a use takes: by name where they have one.
fn columns_of(spec: &ColumnUse, schema: Option<&Schema>) -> Vec<Taken> {
    let at = |index: &usize| {
        let name = schema.and_then(|schema| schema.columns.get(*index)?.name.clone());
        name.map_or(Taken::Number(*index), Taken::Name)
    };
    match &spec.selector {
        ColumnSelector::Index(index) => vec![at(index)],
        ColumnSelector::Indices(indices) => indices.iter().map(at).collect(),
        ColumnSelector::Name(name) => vec![Taken::Name(name.clone())],
        ColumnSelector::Names(names) => names.iter().cloned().map(Taken::Name).collect(),
        ColumnSelector::Pattern(pattern) => {
            let names = schema.iter().flat_map(|schema| schema.names());
            names.filter(|name| fits_pattern(pattern, name)).map(|name| Taken::Name(name.to_string())).collect()
        }
    }
}
