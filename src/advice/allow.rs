//! `// allow: code`: warnings that the program silences.
//!
//! Behind code the comment covers its line; on a line of its own, what begins on the next line (a declaration, a field,
//! a statement); before the first declaration and apart from it, the file. A second `//` ends the list of codes.
//!
//! ```text
//! // allow: unused-field, name-style   // the field is for `nnc predict`
//! ```

use super::text;
use crate::check::{Program, Unit};
use crate::diagnostics::advice::{self as problems, Sight, WARNINGS};
use crate::diagnostics::{Diagnostic, Edit, Severity, nearest};
use crate::source::{Source, Sources, Span, Spanned};
use crate::syntax::ast::{Ast, Comment, ExprKind, ItemKind};

/// One code of one comment.
struct Allow {
    code: Spanned<String>,
    /// What it covers, and in words; `None` where nothing begins on the next line.
    covers: Option<Span>,
    scope: &'static str,
    /// The edit that takes it away.
    removal: Vec<Edit>,
}

impl Allow {
    fn covers(&self, problem: &Diagnostic) -> bool {
        let covered = |span: Span| {
            self.covers.is_some_and(|all| all.file == span.file && all.start <= span.start && span.start <= all.end)
        };
        problem.severity != Severity::Error && problem.code == self.code.value && problem.span().is_some_and(covered)
    }
}

/// The warnings that no comment allows.
pub fn silenced(program: &Program, sources: &Sources, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let allows = allows(program, sources);
    found.into_iter().filter(|problem| !allows.iter().any(|allow| allow.covers(problem))).collect()
}

/// The warnings that no comment allows, and what is to be said of the comments themselves.
pub(super) fn allowed(program: &Program, sources: &Sources, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let allows = allows(program, sources);
    let mut used = vec![false; allows.len()];
    let mut kept: Vec<Diagnostic> = Vec::new();
    for problem in found {
        let covering: Vec<usize> = (0..allows.len()).filter(|&at| allows[at].covers(&problem)).collect();
        covering.iter().for_each(|&at| used[at] = true);
        if covering.is_empty() {
            kept.push(problem);
        }
    }
    for (allow, used) in allows.iter().zip(used) {
        let known = WARNINGS.iter().find(|(code, _)| *code == allow.code.value);
        match known {
            None => {
                let near = nearest(&allow.code.value, WARNINGS.iter().map(|(code, _)| *code));
                kept.push(problems::unknown_allow(&allow.code, near));
            }
            // What depends on rows may be said another time.
            Some((_, Sight::Data)) => {}
            Some((_, Sight::Program)) if used => {}
            Some((_, Sight::Program)) => {
                kept.push(problems::unused_allow(&allow.code, allow.scope, allow.removal.clone()));
            }
        }
    }
    kept.sort_by_key(Diagnostic::span);
    kept
}

fn allows(program: &Program, sources: &Sources) -> Vec<Allow> {
    let own = program.units.iter().filter(|unit| !unit.prelude);
    own.flat_map(|unit: &Unit| {
        let source = sources.get(unit.ast.file);
        let listed: Vec<&Comment> = unit.ast.comments.iter().filter(|comment| codes(comment).is_some()).collect();
        let next = if listed.is_empty() { Vec::new() } else { next_lines(source) };
        listed.into_iter().flat_map(|comment| allows_of(comment, &unit.ast, source, &next)).collect::<Vec<_>>()
    })
    .collect()
}

/// For each line the first one behind it that is no comment.
fn next_lines(source: &Source) -> Vec<usize> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut next = vec![lines.len(); lines.len()];
    for line in (0..lines.len().saturating_sub(1)).rev() {
        let comment = lines[line + 1].trim_start().starts_with("//");
        next[line] = if comment { next[line + 1] } else { line + 1 };
    }
    next
}

fn allows_of(comment: &Comment, ast: &Ast, source: &Source, next: &[usize]) -> Vec<Allow> {
    let Some(codes) = codes(comment) else { return Vec::new() };
    let (covers, scope) = covered(comment, ast, source, next);
    let alone = codes.len() == 1;
    let all: Vec<&str> = codes.iter().map(|code| code.value.as_str()).collect();
    let first = codes.first().map_or(comment.span, |code| code.span);
    let list = codes.iter().fold(first, |list, code| list.to(code.span));
    let allow = |at: usize| {
        let others: Vec<&str> =
            all.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, code)| *code).collect();
        let removal = match alone {
            true => text::cut_trailing(source, comment.span),
            false => Edit::replace(list, others.join(", ")),
        };
        Allow { code: codes[at].clone(), covers, scope, removal }
    };
    (0..codes.len()).map(allow).collect()
}

/// The codes that a comment lists; `None` where it lists none.
fn codes(comment: &Comment) -> Option<Vec<Spanned<String>>> {
    if comment.doc {
        return None;
    }
    let body = comment.text.strip_prefix("//")?;
    let list = body.trim_start().strip_prefix("allow:")?;
    let list = &list[..list.find("//").unwrap_or(list.len())];
    // The list ends where the text does, or where a second `//` begins.
    let offset = list.as_ptr() as usize - comment.text.as_ptr() as usize;
    let mut found = Vec::new();
    let mut at = 0;
    for piece in list.split_inclusive([',', ' ', '\t']) {
        let code = piece.trim_end_matches([',', ' ', '\t', '\r']);
        if !code.is_empty() {
            let start = comment.span.start as usize + offset + at;
            found.push(Spanned::new(code.to_owned(), Span::new(comment.span.file, start, start + code.len())));
        }
        at += piece.len();
    }
    Some(found)
}

/// What a comment covers, and in words.
fn covered(comment: &Comment, ast: &Ast, source: &Source, next: &[usize]) -> (Option<Span>, &'static str) {
    let line = source.position(comment.span.start).line;
    let start_of = |line: usize| {
        let text = source.line(line);
        (text.as_ptr() as usize - source.text.as_ptr() as usize) as u32
    };
    let whole = |line: usize| {
        let start = start_of(line);
        Span { file: source.id, start, end: start + source.line(line).len() as u32 }
    };
    if !source.line(line).trim_start().starts_with("//") {
        return (Some(whole(line)), "on this line");
    }
    let (next, lines) = (next.get(line).copied().unwrap_or(next.len()), next.len());
    if next >= lines || source.line(next).trim().is_empty() {
        let first = ast.items.first().is_none_or(|item| comment.span.start < item.span.start);
        let file = Span::new(source.id, 0, source.text.len());
        return if first { (Some(file), "in this file") } else { (None, "here") };
    }
    let begins = |span: Span| source.position(span.start).line == next;
    if let Some(item) = ast.items.iter().find(|item| begins(item.span)) {
        return (Some(item.span), "in this declaration");
    }
    let fields = ast.items.iter().flat_map(|item| match &item.kind {
        ItemKind::Data(data) => data.fields.as_slice(),
        ItemKind::Train(train) => train.fields.as_slice(),
        ItemKind::Use(_) | ItemKind::Const { .. } | ItemKind::Callable(_) | ItemKind::Error => &[],
    });
    let statements = ast.exprs.iter().filter_map(|expr| match &expr.kind {
        ExprKind::Block(statements) => Some(statements),
        _ => None,
    });
    let parts = fields.map(|field| field.span).chain(statements.flatten().map(|statement| statement.span));
    let all = parts.filter(|&span| begins(span)).fold(whole(next), |all, part| all.to(part));
    (Some(all), "in what follows")
}
