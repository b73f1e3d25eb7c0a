//! What the user is told when something is wrong.
//!
//! In: spans and things that print, from every stage. Out: [`Diagnostic`]s in a [`Diagnostics`] sink,
//! which `render` writes to the terminal or as JSON, `sarif` as a log. One constructor per problem, grouped by stage in the
//! files beside this one; code, message, labels, help and fix of a problem stand together there.

pub mod advice;
pub mod audit;
pub mod data;
mod excerpt;
pub mod fields;
pub mod files;
pub mod foreign;
pub mod names;
mod nearest;
mod operand;
pub mod render;
pub mod sarif;
pub mod shapes;
pub mod syntax;
pub mod training;

pub use nearest::nearest;
pub use operand::Operand;

use std::collections::{HashMap, HashSet};

use crate::source::{FileId, Span};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The program is not run.
    Error,
    /// The program runs; something looks wrong.
    Warning,
    /// A hint on something that is not wrong.
    Advice,
}

/// A place and what is to be said about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A short remark on it, in lower case.
    pub message: String,
}

/// A replacement of a range of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// The new text.
    pub text: String,
}

impl Edit {
    /// Puts `text` in the place of `span`.
    pub fn replace(span: Span, text: impl Into<String>) -> Vec<Edit> {
        vec![Edit { span, text: text.into() }]
    }

    /// Puts `before` and `after` around `span`.
    pub fn wrap(span: Span, before: impl Into<String>, after: impl Into<String>) -> Vec<Edit> {
        let start = Span { end: span.start, ..span };
        vec![Edit { span: start, text: before.into() }, Edit { span: span.after(), text: after.into() }]
    }
}

/// A change that removes the problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// What it does, in the imperative.
    pub title: String,
    /// Whether it can be applied without asking.
    pub safe: bool,
    /// The edits; they do not overlap.
    pub edits: Vec<Edit>,
}

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The stable slug, such as `shape-mismatch`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line that stands alone.
    pub message: String,
    /// The primary label first, then the reasons.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// Changes that remove it.
    pub fixes: Vec<Fix>,
    /// Whether its message names what is wrong: the same at other places of the file is the same mistake and is told together.
    pub collected: bool,
    /// How many of its labels, the last ones, are places where it is once more.
    pub repeated: u8,
    /// How many such places have no label.
    pub left_out: u32,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Diagnostic {
        let message = message.into();
        Diagnostic {
            code,
            severity,
            message,
            labels: Vec::new(),
            help: None,
            fixes: Vec::new(),
            collected: false,
            repeated: 0,
            left_out: 0,
        }
    }

    /// The primary label: the place to edit. Call it first.
    pub fn at(mut self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.labels.insert(0, Label { span, message: message.into() });
        self
    }

    /// A secondary label: a reason.
    pub fn and(mut self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// What to do.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// A safe fix.
    pub fn fix(self, title: impl Into<String>, edits: Vec<Edit>) -> Diagnostic {
        self.fix_if(true, title, edits)
    }

    /// A safe fix, offered where `condition` holds.
    pub fn fix_if(mut self, condition: bool, title: impl Into<String>, edits: Vec<Edit>) -> Diagnostic {
        if condition {
            self.fixes.push(Fix { title: title.into(), safe: true, edits });
        }
        self
    }

    /// A fix that is likely what was meant, to be applied by hand.
    pub fn suggest(self, title: impl Into<String>, edits: Vec<Edit>) -> Diagnostic {
        self.suggest_if(true, title, edits)
    }

    /// A fix to be applied by hand, offered where `condition` holds.
    pub fn suggest_if(mut self, condition: bool, title: impl Into<String>, edits: Vec<Edit>) -> Diagnostic {
        if condition {
            self.fixes.push(Fix { title: title.into(), safe: false, edits });
        }
        self
    }

    /// Tells it once for all places of a file.
    pub fn collected(self) -> Diagnostic {
        self.collected_if(true)
    }

    /// Tells it once for all places of a file where `condition` holds: the message names one thing, which may be what is wrong.
    pub fn collected_if(mut self, condition: bool) -> Diagnostic {
        self.collected = condition;
        self
    }

    /// What its fixes do.
    fn titles(&self) -> Vec<String> {
        self.fixes.iter().map(|fix| fix.title.clone()).collect()
    }

    /// The primary place, where there is one.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// The sink the stages report to.
#[derive(Clone, Default, Debug)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// What was reported where: only the same once more can be a repetition.
    reported: HashMap<(&'static str, Option<Span>), Vec<usize>>,
    /// Where each message stands in the list.
    said: HashMap<(&'static str, String), Vec<usize>>,
    /// Where in the list those are that are collected: by code, file, message and the titles of their fixes.
    collected: HashMap<(&'static str, FileId, String, Vec<String>), usize>,
    /// The places that were added to a problem.
    joined: HashSet<(usize, Span)>,
}

/// A problem that is there again and again is shown in so many places.
const MOST_PLACES: u8 = 50;

/// So many problems with the same message are looked at to find the one that another belongs to.
const MOST_COMPARED: usize = 16;

impl Diagnostics {
    /// An empty sink.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Reports a problem; the same one a second time is dropped, or told with the first where it is collected.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if let Some(span) = diagnostic.span().filter(|_| diagnostic.collected) {
            let key = (diagnostic.code, span.file, diagnostic.message.clone(), diagnostic.titles());
            if let Some(&known) = self.collected.get(&key) {
                self.join(known, &diagnostic);
                return;
            }
            self.collected.insert(key, self.list.len());
        }
        let here = self.reported.entry((diagnostic.code, diagnostic.span())).or_default();
        if here.iter().all(|&at| self.list[at] != diagnostic) {
            here.push(self.list.len());
            self.said.entry((diagnostic.code, diagnostic.message.clone())).or_default().push(self.list.len());
            self.list.push(diagnostic);
        }
    }

    /// Adds a problem to the same one that was reported before within that place: one mistake, seen once more. Whether there was one.
    pub fn extend_same(&mut self, diagnostic: &Diagnostic, within: Option<Span>) -> bool {
        let Some(span) = diagnostic.span() else { return false };
        let Some(said) = self.said.get(&(diagnostic.code, diagnostic.message.clone())) else { return false };
        let belongs = |&&at: &&usize| {
            self.list[at].span().is_some_and(|place| {
                place.file == span.file && within.is_none_or(|within| within.contains(place) && within.contains(span))
            }) && self.list[at].titles() == diagnostic.titles()
        };
        let last = &said[said.len().saturating_sub(MOST_COMPARED)..];
        let Some(&at) = last.iter().find(belongs) else { return false };
        self.join(at, diagnostic);
        true
    }

    /// Adds the place and the edits of a problem to the same one that is known.
    fn join(&mut self, at: usize, again: &Diagnostic) {
        let Some(span) = again.span() else { return };
        let known = &mut self.list[at];
        if known.span() != Some(span) && self.joined.insert((at, span)) {
            if known.repeated < MOST_PLACES {
                known.labels.push(Label { span, message: "here too".to_owned() });
                known.repeated += 1;
            } else if let Some(last) = known.labels.last_mut() {
                known.left_out += 1;
                last.message = format!(
                    "here too, and at {} more place{}",
                    known.left_out,
                    if known.left_out == 1 { "" } else { "s" }
                );
            }
            for (fix, again) in known.fixes.iter_mut().zip(&again.fixes) {
                fix.edits.extend(again.edits.iter().cloned());
            }
        }
    }

    /// Whether an error was reported.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What was reported, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// What was reported, sorted by place: the order it is shown in.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| diagnostic.span());
        self.list
    }
}
