//! Diagnostics as text for the terminal and as JSON; the only file that knows miette.
//!
//! In: a [`Diagnostic`] and the [`Sources`] its spans point into. Out: text. Four forms: [`human`] draws the source,
//! [`plain`] says the same in sentences, [`short`] is a line a place, [`json`] is an object on a line with positions as the Language
//! Server Protocol counts them. The form of `super::sarif` holds many diagnostics.
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

use super::excerpt::{Excerpt, LONGEST_LINE, excerpt};
use super::{Diagnostic, Edit, Fix, Label, Severity};
use crate::source::{FileId, Sources, Span};

/// Labels with at most this many lines between what is shown of them are shown in one piece.
const JOINED_GAP: usize = 3;

/// In sentences, what is pointed at is repeated where it has at most so many bytes.
const LONGEST_MARK: usize = 60;

/// The columns that line numbers and the signs of a cut take.
const MARGIN: usize = 10;

/// How [`human`] draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With lines and signs beyond ASCII.
    pub unicode: bool,
    /// The columns to fill.
    pub width: usize,
    /// Whether lines of the source are cut to the columns too, so that what is drawn below them stays in place.
    pub fit: bool,
}

impl Style {
    /// No colours, 100 columns: for files, tests and pipes.
    pub fn plain() -> Style {
        Style { color: false, unicode: true, width: 100, fit: false }
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
    let longest = match style.fit {
        true => style.width.clamp(40, LONGEST_LINE) - MARGIN,
        false => LONGEST_LINE,
    };
    let mut text = String::new();
    // Writing to a `String` does not fail, and what miette cannot show it says in the text.
    let _ = handler.render_report(&mut text, &Shown::new(diagnostic, sources, longest));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_start_matches('\n').trim_end().to_string() + "\n"
}

/// A [`line`] for the problem, and one for each other place where it is.
pub fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let again = &diagnostic.labels[diagnostic.labels.len() - usize::from(diagnostic.repeated)..];
    let mut lines = vec![line(diagnostic, sources)];
    lines.extend(again.iter().map(|label| line_at(Some(label.span), diagnostic, sources)));
    if let Some(last) = lines.last_mut().filter(|_| diagnostic.left_out > 0) {
        last.push_str(&format!(" ({} more left out)", diagnostic.left_out));
    }
    lines.join("\n")
}

/// `file:line:column: error[code]: message`, lines and columns from 1, columns in characters.
pub fn line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    line_at(diagnostic.span(), diagnostic, sources)
}

fn line_at(span: Option<Span>, diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = severity(diagnostic.severity);
    let at = span.map_or(String::new(), |span| {
        let (line, column) = place(span, sources);
        format!("{}:{line}:{column}: ", sources.get(span.file).name)
    });
    format!("{at}{severity}[{}]: {}", diagnostic.code, diagnostic.message)
}

/// Sentences, one a line, without drawings or columns to follow by eye: for screen readers and Braille displays.
///
/// ```text
/// Error, unclosed-bracket: this `(` is never closed
/// layers.nn, line 3, column 7, at (: it opens here
///   x |> dense(3
/// Help: close it
/// ```
pub fn plain(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Advice => "Advice",
    };
    let mut text = format!("{severity}, {}: {}\n", diagnostic.code, diagnostic.message);
    // A line with several labels is read once.
    let mut read = None;
    for label in &diagnostic.labels {
        let source = sources.get(label.span.file);
        let (line, column) = place(label.span, sources);
        let message = if label.message.is_empty() { "here" } else { &label.message };
        let marked = source.text.get(label.span.start as usize..label.span.end as usize).unwrap_or_default();
        let marked = match !marked.trim().is_empty() && marked.len() <= LONGEST_MARK && !marked.contains('\n') {
            true => format!(", at {}", marked.trim()),
            false => String::new(),
        };
        text.push_str(&format!("{}, line {line}, column {column}{marked}: {message}\n", source.name));
        if read != Some((label.span.file, line)) {
            let shown = excerpt(source, &[label.span], LONGEST_LINE);
            let at = shown.spans.first().map_or(0, |span| span.start);
            let start = shown.text[..at].rfind('\n').map_or(0, |end| end + 1);
            let line = shown.text[start..].lines().next().unwrap_or_default().trim();
            text.push_str(&if line.is_empty() { String::new() } else { format!("  {line}\n") });
            read = Some((label.span.file, place(label.span, sources).0));
        }
    }
    for line in help(diagnostic).iter().flat_map(|help| help.lines()) {
        match line.split_once(": ") {
            Some(("fix", title)) => text.push_str(&format!("Fix: {title}\n")),
            Some(("try", title)) => text.push_str(&format!("Try: {title}\n")),
            _ => text.push_str(&format!("Help: {line}\n")),
        }
    }
    text
}

/// The line and the column that a span begins at, from 1, the column in characters.
fn place(span: Span, sources: &Sources) -> (usize, usize) {
    let source = sources.get(span.file);
    let position = source.position(span.start);
    let before = source.line(position.line).get(..position.column);
    (position.line + source.first_line, 1 + before.map_or(position.column, |head| head.chars().count()))
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
    fn new(diagnostic: &Diagnostic, sources: &Sources, longest: usize) -> Shown {
        let main = diagnostic.span().map(|span| span.file);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) =
            diagnostic.labels.iter().partition(|label| Some(label.span.file) == main);
        let (source, labels) = labeled(&here, sources, longest);
        let related = |label: &&Label| {
            let here = Label { message: "here".to_string(), ..(*label).clone() };
            let (source, labels) = labeled(&[&here], sources, longest);
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
fn labeled(labels: &[&Label], sources: &Sources, longest: usize) -> (Option<Excerpt>, Vec<LabeledSpan>) {
    let Some(first) = labels.first() else { return (None, Vec::new()) };
    let spans: Vec<Span> = labels.iter().map(|label| label.span).collect();
    let excerpt = excerpt(sources.get(first.span.file), &spans, longest);
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
