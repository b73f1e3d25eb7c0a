//! The formatter.
//!
//! In: a tree and its source. Out: the same program in the one layout it has: two blanks an indentation, at most one blank
//! line in a row, 100 columns, `=` and types of neighbours in columns. Every token and every comment of the source is
//! there; only a comma before a closing bracket goes. A statement or field with a mistake in it stays as it is written, and where
//! the mistake is not within one, all of the declaration.
//!
//! [`pieces`] nests the tokens of a declaration by its brackets, [`lines`] decides what stays on a line, [`rows`] and
//! [`columns`] put neighbours below one another. This file does the declarations.

mod columns;
mod lines;
mod pieces;
mod rows;

use self::columns::{padded, width};
use self::lines::{WIDTH, flat};
use self::pieces::{Content, Group, Kind, Note, Piece, Row};
use super::ast::{Ast, ItemKind};
use super::layout;
use super::tokens::{self, Token, TokenKind};
use crate::diagnostics::Diagnostics;
use crate::source::Source;

/// How far right `=` may go in declarations.
const HEAD_LIMIT: usize = 40;

/// The text of `source`, whose tree is `ast`, in its one layout.
pub fn format(ast: &Ast, source: &Source) -> String {
    let text = &*source.text;
    let mut unheard = Diagnostics::new();
    let layout = layout::layout(source.id, text, &mut unheard);
    let rows = declarations(ast, text, &layout.tokens);
    let mut formatted = lines_of(&rows).join("\n");
    if !formatted.is_empty() {
        formatted.push('\n');
    }
    if says_the_same(text, &formatted) { formatted } else { text.to_string() }
}

/// Whether two texts have the same tokens and comments. It holds by construction; a formatter that loses something is bad
/// enough to look again.
fn says_the_same(before: &str, after: &str) -> bool {
    let words = |text: &str, comments: bool| -> Vec<String> {
        let tokens = tokens::tokens(text);
        let mut words: Vec<String> = Vec::new();
        for token in tokens.iter().filter(|token| token.kind != TokenKind::Newline) {
            if (token.kind == TokenKind::Comment) != comments {
                continue;
            }
            if token.kind == TokenKind::Close && words.last().is_some_and(|last| last == ",") {
                words.pop();
            }
            words.push(token.text.to_string());
        }
        words
    };
    words(before, false) == words(after, false) && words(before, true) == words(after, true)
}

/// The declarations and the comments between them.
fn declarations<'a>(ast: &Ast, text: &'a str, tokens: &'a [Token<'a>]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut at = 0;
    // The row at hand, in the source.
    let (mut start, mut end) = (0, 0);
    let mut items = ast.items.iter().peekable();
    while at < tokens.len() {
        let token = &tokens[at];
        let gap = &text[end.min(token.start)..token.start];
        let newlines = gap.bytes().filter(|&byte| byte == b'\n').count();
        if let Some(item) = items.next_if(|item| item.span.start as usize <= token.start) {
            let limit = item.span.end as usize;
            let behind = at + tokens[at..].iter().take_while(|token| token.end <= limit && token.start < limit).count();
            let damage = ast.repaired.iter().filter(|at| at.start <= item.span.end && item.span.start <= at.end);
            let damage = damage.map(|at| at.start as usize..at.end as usize).collect();
            let pieces = match item.kind {
                ItemKind::Error => None,
                _ => pieces::pieces(text, &tokens[at..behind], damage),
            };
            // Two declarations on one line are a mistake.
            if let Some(row) =
                rows.last_mut().filter(|row| newlines == 0 && !matches!(row.content, Content::Comment(_)))
            {
                row.content = Content::Verbatim { text: text[start..limit].trim_end(), comment: None };
                end = limit;
                at = behind.max(at + 1);
                continue;
            }
            let content = match pieces {
                Some(pieces) => Content::Code { pieces, comment: None },
                None => Content::Verbatim { text: text[token.start.min(limit)..limit].trim_end(), comment: None },
            };
            if behind > at {
                rows.push(Row { blank_before: newlines > 1 && !rows.is_empty(), content });
                (start, end) = (token.start.min(limit), limit);
            }
            at = behind;
            continue;
        }
        at += 1;
        if token.kind == TokenKind::Newline || token.start == token.end {
            continue;
        }
        let written = text[token.start..token.end].trim_end();
        let blank_before = newlines > 1 && !rows.is_empty();
        let is_comment = written.starts_with("//");
        match rows.last_mut().map(|row| &mut row.content) {
            Some(Content::Code { comment: comment @ None, .. } | Content::Verbatim { comment: comment @ None, .. })
                if newlines == 0 && is_comment =>
            {
                *comment = Some(Note::new(text, token));
            }
            _ if is_comment => rows.push(Row { blank_before, content: Content::Comment(written) }),
            // What does not belong to the declaration before it, but stands on its line.
            Some(content) if newlines == 0 => {
                *content = Content::Verbatim { text: text[start..token.end].trim_end(), comment: None };
                end = token.end;
                continue;
            }
            _ => rows.push(Row { blank_before, content: Content::Verbatim { text: written, comment: None } }),
        }
        if rows.last().is_some_and(|row| !matches!(row.content, Content::Code { .. })) {
            start = token.start;
        }
        end = token.end;
    }
    rows
}

/// What columns a declaration has.
enum Shape<'r, 'a> {
    /// `head = body`, on one line or with a block that hangs.
    Equation { keyword: &'a str, head: String, body: &'r [Piece<'a>] },
    /// `head -> output { body }` on one line.
    Signature { head: String, output: String, body: String },
    /// Anything else.
    Other,
}

fn lines_of(rows: &[Row]) -> Vec<String> {
    let shapes: Vec<Shape> = rows.iter().map(shape).collect();
    let mut columns = vec![0; rows.len()];
    let mut start = 0;
    while start < rows.len() {
        let end = run_end(rows, &shapes, start);
        if let Shape::Equation { .. } = shapes[start] {
            let heads = shapes[start..end].iter().filter_map(|shape| match shape {
                Shape::Equation { head, .. } => Some(head.as_str()),
                _ => None,
            });
            let column = columns::column_within(heads, HEAD_LIMIT);
            columns[start..end].fill(column);
        }
        start = end;
    }
    let mut texts: Vec<String> =
        rows.iter().zip(&shapes).zip(&columns).map(|((row, shape), &column)| text(row, shape, column)).collect();
    align_signatures(rows, &shapes, &mut texts);
    rows::with_comments(rows, texts)
}

/// The end of the run of equations that begins at a row: blank lines do not end it, comments and other declarations do.
fn run_end(rows: &[Row], shapes: &[Shape], start: usize) -> usize {
    let Shape::Equation { keyword, .. } = &shapes[start] else { return start + 1 };
    let is_const = |keyword: &str| keyword == "const";
    let same =
        |shape: &Shape| matches!(shape, Shape::Equation { keyword: other, .. } if is_const(other) == is_const(keyword));
    (start..rows.len()).find(|&place| !same(&shapes[place])).unwrap_or(rows.len())
}

fn shape<'r, 'a>(row: &'r Row<'a>) -> Shape<'r, 'a> {
    let Content::Code { pieces, .. } = &row.content else { return Shape::Other };
    let Some(Piece::Word(keyword)) = pieces.first() else { return Shape::Other };
    if let Some(equals) = rows::equals(pieces) {
        let (Some(head), body) = (flat(&pieces[..equals]), &pieces[equals + 1..]) else { return Shape::Other };
        let fits = flat(body).is_some_and(|body| width(&head) + 3 + width(&body) <= WIDTH);
        if fits || hanging(body, width(&head) + 3).is_some() {
            return Shape::Equation { keyword: keyword.text, head, body };
        }
        return Shape::Other;
    }
    let arrow = pieces.iter().position(|piece| matches!(piece, Piece::Word(word) if word.text == "->"));
    let (Some(arrow), Some(last)) = (arrow, pieces.len().checked_sub(1)) else { return Shape::Other };
    match (flat(pieces), flat(&pieces[..arrow]), flat(&pieces[arrow..last]), flat(&pieces[last..])) {
        (Some(whole), Some(head), Some(output), Some(body)) if width(&whole) <= WIDTH => {
            Shape::Signature { head, output, body }
        }
        _ => Shape::Other,
    }
}

/// A block of several statements that begins in the middle of a line: the statements stand below the first.
fn hanging(body: &[Piece], column: usize) -> Option<String> {
    let [Piece::Group(Group { open, close, kind: Kind::Block, rows, broken: false, comment: None, .. })] = body else {
        return None;
    };
    if rows.len() < 2 || rows.iter().any(|row| row.blank_before) {
        return None;
    }
    let inner = column + 2;
    let mut lines = Vec::new();
    for row in rows {
        let Content::Code { pieces, comment: None } = &row.content else { return None };
        lines.push(flat(pieces).filter(|line| inner + width(line) + 2 <= WIDTH)?);
    }
    Some(format!("{open} {} {close}", lines.join(&format!("\n{}", " ".repeat(inner)))))
}

/// The text of a declaration, with `=` in a column.
fn text(row: &Row, shape: &Shape, column: usize) -> String {
    match (&row.content, shape) {
        (_, Shape::Equation { head, body, .. }) => {
            let aligned = padded(head, column);
            let start = width(&aligned) + 2;
            if let Some(body) = flat(body) {
                let fits = start + width(&body) <= WIDTH;
                return format!("{}= {body}", if fits { aligned } else { padded(head, 0) });
            }
            match hanging(body, start) {
                Some(body) => format!("{aligned}= {body}"),
                None => format!("{head} = {}", hanging(body, width(head) + 3).unwrap_or_default()),
            }
        }
        (Content::Comment(text), _) | (Content::Verbatim { text, .. }, _) => text.to_string(),
        (Content::Code { pieces, .. }, _) => lines::lines(pieces, 0, 0, 0),
    }
}

/// Neighbours with a result and a body on one line have columns for both.
fn align_signatures(rows: &[Row], shapes: &[Shape], texts: &mut [String]) {
    let mut start = 0;
    while start < rows.len() {
        let is_signature = |place: usize| matches!(shapes[place], Shape::Signature { .. });
        let end = (start + 1..rows.len())
            .find(|&next| !is_signature(next) || !is_signature(start) || rows[next].blank_before)
            .unwrap_or(rows.len());
        let parts: Vec<[&str; 3]> = shapes[start..end]
            .iter()
            .filter_map(|shape| match shape {
                Shape::Signature { head, output, body } => Some([head.as_str(), output, body]),
                _ => None,
            })
            .collect();
        let heads = columns::column_up_to(parts.iter().map(|[head, ..]| *head), WIDTH);
        let outputs = columns::column_up_to(parts.iter().map(|[_, output, _]| *output), WIDTH);
        let lines: Vec<String> =
            parts.iter().map(|[head, output, body]| padded(head, heads) + &padded(output, outputs) + body).collect();
        if lines.iter().all(|line| width(line) <= WIDTH) {
            for (text, line) in texts[start..end].iter_mut().zip(lines) {
                *text = line;
            }
        }
        start = end;
    }
}
