//! Rows to lines with columns: fields, statements and elements that stand below one another.
//!
//! Fields and consecutive `param`s or `state`s have columns for their types and for `=`. Other neighbours have columns
//! where they are alike, word for word, and nearly equally long:
//!
//! ```text
//! next running_mean = momentum * running_mean + (1 - momentum) * m
//! next running_var  = momentum * running_var  + (1 - momentum) * v
//! ```

use super::columns::{self, Cells, padded, width};
use super::lines::{WIDTH, cells, flat, lines};
use super::pieces::{Content, Kind, Note, Piece, Row};
use crate::syntax::tokens::TokenKind;

/// How far right `=` may go in fields with types.
const FIELD_LIMIT: usize = 30;

/// Up to this column a field without a type shares the column of `=` with those that have one.
const SHARED_LIMIT: usize = 16;

/// How far right `=` may go behind `param` and `state`, and behind the names of elements.
const NAME_LIMIT: usize = 40;

/// Blanks between code and the comments behind it.
const COMMENT_GAP: usize = 2;

/// How far right of the code an author may put a column of comments.
const COMMENT_SLACK: usize = 10;

/// A row on its way to its lines.
struct Line<'r, 'a> {
    blank_before: bool,
    text: String,
    comment: Option<Note<'a>>,
    role: Role<'r, 'a>,
}

/// What neighbours of a row may share columns with it.
enum Role<'r, 'a> {
    /// A comment on a line of its own, or what stays as it is written.
    Comment,
    /// `name: type = value`, on one line.
    Field(&'r [Piece<'a>]),
    /// `param name: type = value`, on one line; with its keyword.
    Named(&'a str, &'r [Piece<'a>]),
    /// Anything else on one line.
    Cells(Cells),
    /// More than one line.
    Tall,
}

/// The lines of the rows, indented.
pub(super) fn rows(rows: &[Row], kind: Kind, indent: usize) -> Vec<String> {
    let count = rows.len();
    let mut found: Vec<Line> = rows.iter().map(|row| line(row, kind, indent)).collect();
    if kind != Kind::Block {
        let codes = found.iter_mut().enumerate().filter(|(_, line)| !matches!(line.role, Role::Comment));
        let last = codes.map(|(place, _)| place).last().unwrap_or(count);
        for (place, line) in found.iter_mut().enumerate() {
            if place != last && !matches!(line.role, Role::Comment) {
                line.text.push(',');
            }
        }
    }
    let mut start = 0;
    while start < count {
        let end = (start + 1..count).find(|&next| found[next].blank_before).unwrap_or(count);
        align(&mut found[start..end], kind, indent);
        start = end;
    }
    finish(found, indent)
}

/// The lines of the declarations of a file, whose texts are known.
pub(super) fn with_comments(rows: &[Row], texts: Vec<String>) -> Vec<String> {
    let mut lines = Vec::with_capacity(rows.len());
    for (row, text) in rows.iter().zip(texts) {
        let comment = match &row.content {
            Content::Comment(_) => None,
            Content::Code { comment, .. } | Content::Verbatim { comment, .. } => *comment,
        };
        lines.push(Line { blank_before: row.blank_before, text, comment, role: Role::Tall });
    }
    finish(lines, 0)
}

/// Adds comments, blank lines and indentation.
fn finish(mut rows: Vec<Line>, indent: usize) -> Vec<String> {
    let mut start = 0;
    while start < rows.len() {
        let end = (start + 1..rows.len()).find(|&next| rows[next].blank_before).unwrap_or(rows.len());
        align_comments(&mut rows[start..end], indent);
        start = end;
    }
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        if row.blank_before {
            lines.push(String::new());
        }
        lines.push(format!("{}{}", " ".repeat(indent), row.text));
    }
    lines
}

fn line<'r, 'a>(row: &'r Row<'a>, kind: Kind, indent: usize) -> Line<'r, 'a> {
    let (text, comment, role) = match &row.content {
        Content::Comment(text) => (text.to_string(), None, Role::Comment),
        // Like a comment it does not keep its neighbours from sharing columns.
        Content::Verbatim { text, comment } => (text.to_string(), *comment, Role::Comment),
        Content::Code { pieces, comment } => {
            let tail = usize::from(kind != Kind::Block);
            let text = lines(pieces, indent, indent, tail);
            let role = if text.contains('\n') { Role::Tall } else { role(pieces, kind) };
            (text, *comment, role)
        }
    };
    Line { blank_before: row.blank_before, text, comment, role }
}

fn role<'r, 'a>(pieces: &'r [Piece<'a>], kind: Kind) -> Role<'r, 'a> {
    let word = |place: usize| match pieces.get(place) {
        Some(Piece::Word(word)) => Some(word.text),
        _ => None,
    };
    let is_named = matches!(word(1), Some("=" | ":")) && kind == Kind::Block;
    let binds = matches!(word(0), Some("param" | "state")) && matches!(word(2), Some("=" | ":"));
    match (is_named, word(0)) {
        (true, _) if equals(pieces).is_some() => Role::Field(pieces),
        (_, Some(keyword)) if binds => Role::Named(keyword, pieces),
        _ => cells(pieces).map_or(Role::Tall, Role::Cells),
    }
}

/// The place of the first `=` outside of brackets.
pub(super) fn equals(pieces: &[Piece]) -> Option<usize> {
    pieces
        .iter()
        .position(|piece| matches!(piece, Piece::Word(word) if word.text == "=" && word.kind == TokenKind::Symbol))
}

/// Gives columns to each run of rows that have the same role.
fn align(rows: &mut [Line], kind: Kind, indent: usize) {
    let mut start = 0;
    while start < rows.len() {
        let same = |row: &Line| match (&rows[start].role, &row.role) {
            (Role::Field(_), Role::Field(_) | Role::Comment) => true,
            (Role::Named(first, _), Role::Named(other, _)) => first == other,
            (Role::Cells(_), Role::Cells(_)) => true,
            _ => false,
        };
        let end = start + rows[start..].iter().take_while(|row| same(row)).count().max(1);
        let run = &mut rows[start..end];
        let aligned = match &run[0].role {
            Role::Field(_) => fields(run),
            Role::Named(..) => named(run),
            Role::Cells(_) => alike(run, kind),
            Role::Comment | Role::Tall => Vec::new(),
        };
        for (row, text) in run.iter_mut().zip(aligned) {
            if let Some(text) = text.filter(|text| indent + width(text) <= WIDTH) {
                row.text = text;
            }
        }
        start = end;
    }
}

/// Name, type and value of `name: type = value`, with the colon at the name; what is missing is empty.
fn parts(pieces: &[Piece]) -> [String; 3] {
    let end = equals(pieces).unwrap_or(pieces.len());
    let colon = pieces[..end].iter().position(|piece| matches!(piece, Piece::Word(word) if word.text == ":"));
    let text = |pieces: &[Piece]| flat(pieces).unwrap_or_default();
    let name_end = colon.map_or(end, |colon| colon + 1);
    let value = if end < pieces.len() { text(&pieces[end..]) } else { String::new() };
    [text(&pieces[..name_end]), text(&pieces[name_end..end]), value]
}

fn fields(run: &[Line]) -> Vec<Option<String>> {
    let parts: Vec<Option<[String; 3]>> = run
        .iter()
        .map(|row| match row.role {
            Role::Field(pieces) => Some(parts(pieces)),
            _ => None,
        })
        .collect();
    let typed = || parts.iter().flatten().filter(|[_, ty, _]| !ty.is_empty());
    let untyped = || parts.iter().flatten().filter(|[_, ty, _]| ty.is_empty());
    let types = columns::column_up_to(typed().map(|[name, ..]| name.as_str()), FIELD_LIMIT);
    let heads: Vec<String> = typed().map(|[name, ty, _]| padded(name, types) + ty).collect();
    let with_type = columns::column_up_to(heads.iter().map(String::as_str), FIELD_LIMIT);
    let without = columns::column_up_to(untyped().map(|[name, ..]| name.as_str()), FIELD_LIMIT);
    let (with_type, without) = match with_type <= SHARED_LIMIT {
        true => (with_type.max(without), with_type.max(without)),
        false => (with_type, without.max(types)),
    };
    let line = |[name, ty, value]: &[String; 3]| match ty.is_empty() {
        true => padded(name, without) + value,
        false => padded(&(padded(name, types) + ty), with_type) + value,
    };
    parts.iter().map(|parts| parts.as_ref().map(line)).collect()
}

fn named(run: &[Line]) -> Vec<Option<String>> {
    let parts: Vec<[String; 3]> = run
        .iter()
        .map(|row| match row.role {
            Role::Named(_, pieces) => parts(pieces),
            _ => [String::new(), String::new(), String::new()],
        })
        .collect();
    let typed = parts.iter().filter(|[_, ty, _]| !ty.is_empty());
    let types = columns::column_within(typed.map(|[name, ..]| name.as_str()), NAME_LIMIT);
    let head = |[name, ty, _]: &[String; 3]| if ty.is_empty() { name.clone() } else { padded(name, types) + ty };
    let heads: Vec<String> = parts.iter().map(head).collect();
    let valued = heads.iter().zip(&parts).filter(|(_, [.., value])| !value.is_empty());
    let values = columns::column_within(valued.map(|(head, _)| head.as_str()), NAME_LIMIT);
    let line = |(head, [.., value]): (&String, &[String; 3])| match value.is_empty() {
        true => head.clone(),
        false => padded(head, values) + value,
    };
    heads.iter().zip(&parts).map(|pair| Some(line(pair))).collect()
}

fn alike(run: &[Line], kind: Kind) -> Vec<Option<String>> {
    let comma = |row: &Line| if row.text.ends_with(',') && kind != Kind::Block { "," } else { "" };
    let lines: Vec<Cells> = run
        .iter()
        .filter_map(|row| match &row.role {
            Role::Cells(cells) => Some(cells.clone()),
            _ => None,
        })
        .collect();
    let mut texts = columns::align_alike(&lines);
    let has_columns = lines.iter().zip(&texts).any(|(line, text)| line.texts.join(" ") != *text);
    let is_named = |line: &Cells| line.texts.len() > 2 && line.texts[1] == "=";
    if kind == Kind::Values && !has_columns && lines.iter().all(is_named) {
        let names = columns::column_within(lines.iter().map(|line| line.texts[0].as_str()), NAME_LIMIT);
        texts = lines.iter().map(|line| padded(&line.texts[0], names) + &line.texts[1..].join(" ")).collect();
    }
    run.iter().zip(texts).map(|(row, text)| Some(text + comma(row))).collect()
}

/// Puts the comments behind the rows into one column: that of the source where they share one that is not far off, else
/// the nearest.
fn align_comments(rows: &mut [Line], indent: usize) {
    let last_line = |row: &Line| {
        let last = row.text.rsplit('\n').next().unwrap_or_default();
        if row.text.contains('\n') { width(last) } else { indent + width(last) }
    };
    let commented = || rows.iter().filter(|row| row.comment.is_some());
    let Some(longest) = commented().map(last_line).max() else { return };
    let source: Vec<usize> = commented().filter_map(|row| row.comment.map(|comment| comment.column)).collect();
    let shared = source.len() > 1 && source.iter().all(|&column| column == source[0]);
    let nearest = longest + COMMENT_GAP;
    let column = if shared && (nearest..=longest + COMMENT_SLACK).contains(&source[0]) { source[0] } else { nearest };
    for row in rows {
        if let Some(comment) = row.comment.take() {
            let gap = column.saturating_sub(last_line(row)).max(COMMENT_GAP);
            row.text += &format!("{}{}", " ".repeat(gap), comment.text);
        }
    }
}
