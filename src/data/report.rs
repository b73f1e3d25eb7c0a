//! From findings to diagnostics: the offending line, where the file has lines, and the use of the column.

use super::columns::{ClassProblem, ColumnBuilder, Finding, Place};
use super::csv::{Ragged, TextFile};
use crate::check::hir::{ColumnUse, Element};
use crate::diagnostics::data::{InFile, Use};
use crate::diagnostics::{Diagnostic, Diagnostics, data as report};
use crate::source::{Sources, Span};

/// A source as diagnostics speak of it.
#[derive(Clone, Debug)]
pub(super) enum SourceFile {
    /// A text file, which has lines to show.
    Text(TextFile),
    /// Another, by its name.
    Other(String),
}

/// A finding's place in words and, where it has one, in an excerpt.
struct Shown {
    excerpt: Option<Span>,
    place: String,
    line: usize,
}

fn show(finding: &Finding, files: &[SourceFile], sources: &mut Sources) -> Shown {
    match finding.place {
        Place::Text { source, byte, column } => {
            if let Some(SourceFile::Text(file)) = files.get(source) {
                let excerpt = file.excerpt(sources, byte, column);
                let place = format!("{}, line {}, {}", file.name, excerpt.line, file.column_name(column));
                return Shown { excerpt: Some(excerpt.span), place, line: excerpt.line };
            }
        }
        Place::Row { source, row } => {
            if let Some(SourceFile::Other(name)) = files.get(source) {
                return Shown { excerpt: None, place: format!("{name}, row {row}"), line: 0 };
            }
        }
        Place::Program => {}
    }
    Shown { excerpt: None, place: String::from("the value to fill with"), line: 0 }
}

/// Reports what does not fit in the columns; whether there was anything.
pub(super) fn findings(
    builders: &[ColumnBuilder<'_>],
    files: &[SourceFile],
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> bool {
    let mut found: Vec<Diagnostic> = Vec::new();
    for builder in builders {
        if let Some(finding) = &builder.unfilled {
            let shown = show(finding, files, sources);
            let value = InFile { excerpt: shown.excerpt, place: &shown.place, count: finding.count };
            let categories = matches!(builder.spec.ty.element, Element::Class { .. });
            let text = written(builder.spec, sources);
            let used = Use { span: builder.spec.span, text: &text };
            tell(&mut found, report::missing_value(value, &finding.text, used, categories));
        }
        if let Some(finding) = &builder.not_numbers {
            let shown = show(finding, files, sources);
            let value = InFile { excerpt: shown.excerpt, place: &shown.place, count: finding.count };
            tell(&mut found, report::not_a_number(value, &finding.text, builder.spec.span, shown.line == 1));
        }
    }
    let any = !found.is_empty();
    found.into_iter().for_each(|problem| diagnostics.push(problem));
    any
}

/// Adds a problem; where another use of the column has found the same value, to what is said of that.
fn tell(found: &mut Vec<Diagnostic>, problem: Diagnostic) {
    let same = |known: &&mut Diagnostic| known.code == problem.code && known.message == problem.message;
    match found.iter_mut().find(same) {
        Some(known) => report::found_again(known, problem),
        None => found.push(problem),
    }
}

/// A use of columns as the program has it.
fn written(spec: &ColumnUse, sources: &Sources) -> String {
    let source = sources.iter().find(|source| source.id == spec.span.file);
    source
        .and_then(|source| source.text.get(spec.span.start as usize..spec.span.end as usize))
        .unwrap_or_default()
        .to_string()
}

/// The diagnostic for texts that do not become categories.
pub(super) fn class_problem(
    problem: ClassProblem,
    spec: &ColumnUse,
    files: &[SourceFile],
    sources: &mut Sources,
) -> Diagnostic {
    let Element::Class { count, names } = &spec.ty.element else { unreachable!("categories have a class") };
    match problem {
        ClassProblem::Outside(finding) => {
            let shown = show(&finding, files, sources);
            let value = InFile { excerpt: shown.excerpt, place: &shown.place, count: finding.count };
            let text = written(spec, sources);
            let used = Use { span: spec.span, text: &text };
            report::label_out_of_range(value, &finding.text, used, *count, names.as_deref())
        }
        ClassProblem::TooMany(finding, found) => {
            let shown = show(&finding, files, sources);
            let value = InFile { excerpt: shown.excerpt, place: &shown.place, count: finding.count };
            let text = written(spec, sources);
            let used = Use { span: spec.span, text: &text };
            report::too_many_classes(value, &finding.text, used, *count, &found)
        }
    }
}

/// The diagnostic for rows of another length.
pub(super) fn ragged(file: &TextFile, ragged: &Ragged, path: Span, sources: &mut Sources) -> Diagnostic {
    let excerpt = file.excerpt_row(sources, ragged.byte);
    let place = format!("{}, line {}", file.name, excerpt.line);
    let value = InFile { excerpt: Some(excerpt.span), place: &place, count: ragged.count };
    report::ragged_row(value, path, ragged.values, ragged.width, ragged.lines)
}
