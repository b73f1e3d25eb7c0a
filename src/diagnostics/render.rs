//! Diagnostics as text for the terminal and as JSON; the only file that knows miette.
//!
//! In: a [`Diagnostic`] and the [`Sources`] its spans point into. Out: text. Three forms: [`human`] shows the source,
//! [`short`] is a line, [`json`] is an object on a line with positions as the Language Server Protocol counts them.
//!
//! ```text
//! layers.nn:3:7: error[unclosed-bracket]: this `(` is never closed
//! ```

use std::fmt;

use miette::{
    Diagnostic as Report, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};
use serde_json::{Value, json as object};

use super::excerpt::{Excerpt, excerpt};
use super::{Diagnostic, Edit, Fix, Label, Severity};
use crate::source::{FileId, Sources, Span};

/// Labels with at most this many lines between what is shown of them are shown in one piece.
const JOINED_GAP: usize = 3;

/// How [`human`] draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With lines and signs beyond ASCII.
    pub unicode: bool,
    /// The columns to fill.
    pub width: usize,
}

impl Style {
    /// No colours, 100 columns: for files, tests and pipes.
    pub fn plain() -> Style {
        Style { color: false, unicode: true, width: 100 }
    }
}

/// The problem with the lines it is about, its help and its fixes.
pub fn human(diagnostic: &Diagnostic, sources: &Sources, style: &Style) -> String {
    let theme = GraphicalTheme {
        characters: if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(style.width.max(40))
        .with_context_lines(1)
        .tab_width(4)
        .without_syntax_highlighting();
    let mut text = String::new();
    // Writing to a `String` does not fail, and what miette cannot show it says in the text.
    let _ = handler.render_report(&mut text, &Shown::new(diagnostic, sources));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_start_matches('\n').trim_end().to_string() + "\n"
}

/// `file:line:column: error[code]: message`, lines and columns from 1, columns in characters.
pub fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = severity(diagnostic.severity);
    let place = diagnostic.span().map_or(String::new(), |span| {
        let source = sources.get(span.file);
        let position = source.position(span.start);
        let column =
            source.line(position.line).get(..position.column).map_or(position.column, |head| head.chars().count());
        format!("{}:{}:{}: ", source.name, position.line + source.first_line, column + 1)
    });
    format!("{place}{severity}[{}]: {}", diagnostic.code, diagnostic.message)
}

/// One object on one line, without a line end.
pub fn json(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let (file, range) = match diagnostic.span() {
        Some(span) => (object!(sources.get(span.file).name), range(span, sources)),
        None => (Value::Null, Value::Null),
    };
    let labels: Vec<Value> = diagnostic.labels.iter().map(|label| label_object(label, sources)).collect();
    let main = diagnostic.span().map(|span| span.file);
    let fixes: Vec<Value> = diagnostic.fixes.iter().map(|fix| fix_object(fix, main, sources)).collect();
    object!({
        "code": diagnostic.code,
        "severity": severity(diagnostic.severity),
        "message": diagnostic.message,
        "file": file,
        "range": range,
        "labels": labels,
        "help": diagnostic.help,
        "fixes": fixes,
    })
    .to_string()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

fn label_object(label: &Label, sources: &Sources) -> Value {
    object!({
        "range": range(label.span, sources),
        "file": sources.get(label.span.file).name,
        "message": label.message,
    })
}

fn fix_object(fix: &Fix, main: Option<FileId>, sources: &Sources) -> Value {
    let edits: Vec<Value> = fix.edits.iter().map(|edit| edit_object(edit, main, sources)).collect();
    object!({ "title": fix.title, "safe": fix.safe, "edits": edits })
}

/// An edit; its file is named where it is not that of the diagnostic.
fn edit_object(edit: &Edit, main: Option<FileId>, sources: &Sources) -> Value {
    let mut edited = object!({ "range": range(edit.span, sources), "text": edit.text });
    if main != Some(edit.span.file) {
        edited["file"] = object!(sources.get(edit.span.file).name);
    }
    edited
}

fn range(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.file);
    let position = |offset: u32| {
        let position = source.position_utf16(offset);
        object!({ "line": position.line + source.first_line - 1, "character": position.column })
    };
    object!({ "start": position(span.start), "end": position(span.end) })
}

/// A diagnostic as miette sees it. It knows one source only: labels in other files follow as related notes.
struct Shown {
    code: Option<&'static str>,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    source: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
    related: Vec<Shown>,
}

impl Shown {
    fn new(diagnostic: &Diagnostic, sources: &Sources) -> Shown {
        let main = diagnostic.span().map(|span| span.file);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) =
            diagnostic.labels.iter().partition(|label| Some(label.span.file) == main);
        let (source, labels) = labeled(&here, sources);
        let related = |label: &&Label| {
            let (source, labels) = labeled(&[&Label { message: "here".to_string(), ..(*label).clone() }], sources);
            let (message, severity) = (label.message.clone(), miette::Severity::Advice);
            Shown { code: None, severity, message, help: None, source, labels, related: Vec::new() }
        };
        Shown {
            code: Some(diagnostic.code),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
                Severity::Advice => miette::Severity::Advice,
            },
            message: diagnostic.message.clone(),
            help: help(diagnostic),
            source,
            labels,
            related: elsewhere.iter().map(related).collect(),
        }
    }
}

fn help(diagnostic: &Diagnostic) -> Option<String> {
    let fixes = diagnostic.fixes.iter().map(|fix| match fix.safe {
        true => format!("fix: {}", fix.title),
        false => format!("try: {}", fix.title),
    });
    let lines: Vec<String> = diagnostic.help.iter().cloned().chain(fixes).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The lines that labels of one file are about, and the labels within them; the first is the primary one.
fn labeled(labels: &[&Label], sources: &Sources) -> (Option<Excerpt>, Vec<LabeledSpan>) {
    let Some(first) = labels.first() else { return (None, Vec::new()) };
    let spans: Vec<Span> = labels.iter().map(|label| label.span).collect();
    let excerpt = excerpt(sources.get(first.span.file), &spans);
    let mut shown = Vec::with_capacity(labels.len());
    for (label, span) in labels.iter().zip(&excerpt.spans) {
        let message = (!label.message.is_empty()).then(|| label.message.clone());
        let span = (span.start, span.len());
        shown.push(match shown.is_empty() {
            true => LabeledSpan::new_primary_with_span(message, span),
            false => LabeledSpan::new_with_span(message, span),
        });
    }
    (Some(excerpt), shown)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inside = span.offset().min(self.text.len());
        let length = span.len().min(self.text.len() - inside);
        let found = self.text.read_span(&(inside, length).into(), before, after)?;
        // Without context lines it is the column of a label that is asked for, which miette counts in bytes.
        let column = if before == 0 { self.column(inside) } else { found.column() };
        let lines = found.data().iter().filter(|&&byte| byte == b'\n').count();
        let contents = MietteSpanContents::new_named(
            self.name.clone(),
            found.data(),
            *found.span(),
            found.line() + self.first_line - 1,
            column,
            lines + JOINED_GAP,
        );
        Ok(Box::new(contents))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Report for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Report> + 'a>> {
        let related = self.related.iter().map(|shown| shown as &dyn Report);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<dyn Iterator<Item = &dyn Report>>)
    }
}
