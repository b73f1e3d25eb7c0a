//! Pieces to lines: what stays on one line, and where a line that is too long is broken.
//!
//! A statement stays on one line where it fits. Otherwise it is broken, in this order of preference, before each `|>`,
//! before `then` and `else`, behind the operators that bind loosest, or inside of its last brackets. What the author broke
//! stays broken: a line that begins with `|>`, `then` or `else`, brackets with a line end behind the opening one.

use super::columns::{Cells, width};
use super::pieces::{Content, Group, Kind, Piece, Word};
use super::rows;
use crate::syntax::tokens::{TokenKind, is_reserved};

/// The columns of a line.
pub(super) const WIDTH: usize = 100;

/// The columns of one level of indentation.
pub(super) const INDENT: usize = 2;

/// The pieces on one line, `None` where they need more.
pub(super) fn flat(pieces: &[Piece]) -> Option<String> {
    cells(pieces).map(|cells| cells.texts.join(" "))
}

/// The pieces on one line, cut at its blanks.
pub(super) fn cells(pieces: &[Piece]) -> Option<Cells> {
    let mut cells = Cells { texts: Vec::new(), shape: String::new() };
    push_flat(pieces, &mut cells).then_some(cells)
}

fn push_flat(pieces: &[Piece], cells: &mut Cells) -> bool {
    pieces.iter().enumerate().all(|(place, piece)| match piece {
        Piece::Comment { .. } => false,
        Piece::Word(word) => {
            push_cell(cells, word.text, word.glued, shape(word));
            !(word.begins_line && place > 0 && keeps_break(word, pieces.get(place - 1)))
        }
        Piece::Group(group) => push_group(group, cells),
    })
}

/// Whether a line of the source that begins with the word goes on beginning with it.
fn keeps_break(word: &Word, before: Option<&Piece>) -> bool {
    let behind_block = matches!(before, Some(Piece::Group(group)) if group.kind == Kind::Block);
    match word.text {
        "|>" => true,
        "then" | "else" => !behind_block && word.kind == TokenKind::Word,
        _ => false,
    }
}

fn push_group(group: &Group, cells: &mut Cells) -> bool {
    let is_empty = group.rows.is_empty();
    let single = group.kind != Kind::Block || group.rows.len() <= 1;
    if group.comment.is_some() || (group.broken && !is_empty) || !single {
        return false;
    }
    push_cell(cells, group.open, group.glued, group.open);
    for (place, row) in group.rows.iter().enumerate() {
        if place > 0 {
            push_cell(cells, ",", true, ",");
        }
        match &row.content {
            Content::Code { pieces, comment: None } => {
                if !push_flat(pieces, cells) {
                    return false;
                }
            }
            Content::Code { comment: Some(_), .. } | Content::Comment(_) | Content::Verbatim { .. } => return false,
        }
    }
    push_cell(cells, group.close, group.kind != Kind::Block || is_empty, group.close);
    true
}

fn push_cell(cells: &mut Cells, text: &str, glued: bool, shape: &str) {
    match cells.texts.last_mut() {
        Some(last) if glued => last.push_str(text),
        _ => {
            cells.texts.push(text.to_string());
            cells.shape.push(' ');
        }
    }
    cells.shape.push_str(shape);
}

fn shape<'a>(word: &Word<'a>) -> &'a str {
    match word.kind {
        TokenKind::Word if !is_reserved(word.text) => "name",
        TokenKind::Number => "0",
        TokenKind::String => "\"\"",
        _ => word.text,
    }
}

/// The pieces as text that begins at a column, in a line that is indented by `indent`, with `tail` columns behind it.
pub(super) fn lines(pieces: &[Piece], column: usize, indent: usize, tail: usize) -> String {
    let mut writer = Writer { text: String::new(), column };
    writer.pieces(pieces, indent, tail);
    writer.text
}

struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column = match text.rfind('\n') {
            Some(at) => width(&text[at + 1..]),
            None => self.column + width(text),
        };
    }

    fn new_line(&mut self, indent: usize) {
        self.push(&format!("\n{}", " ".repeat(indent)));
    }

    fn pieces(&mut self, pieces: &[Piece], indent: usize, tail: usize) {
        if let Some(flat) = flat(pieces).filter(|flat| self.column + width(flat) + tail <= WIDTH) {
            return self.push(&flat);
        }
        let forced = pieces.iter().any(needs_lines);
        let pipes = outside_conditions(pieces, |word| word.text == "|>");
        if !pipes.is_empty() && (!forced || kept(pieces, &pipes)) {
            return self.split(pieces, &pipes, indent, tail);
        }
        let elses = conditions(pieces, "else");
        let thens = conditions(pieces, "then");
        let kept_conditions = kept(pieces, &elses) || kept(pieces, &thens);
        for places in [elses, thens] {
            if !places.is_empty() && (!forced || kept_conditions) {
                return self.split(pieces, &places, indent, tail);
            }
        }
        let operators = loosest_operators(pieces);
        if !operators.is_empty() && !forced && self.fills(pieces, &operators, indent, tail) {
            return self.fill(pieces, &operators, indent, tail);
        }
        self.expand(pieces, indent, tail);
    }

    /// A line for each part that begins at one of the places.
    fn split(&mut self, pieces: &[Piece], places: &[usize], indent: usize, tail: usize) {
        let mut start = 0;
        for &place in places {
            let own = if start == 0 { indent } else { indent + INDENT };
            self.pieces(&pieces[start..place], own, 0);
            self.new_line(indent + INDENT);
            start = place;
        }
        self.pieces(&pieces[start..], indent + INDENT, tail);
    }

    /// Whether the parts that end behind the places fit on lines of their own.
    fn fills(&self, pieces: &[Piece], places: &[usize], indent: usize, tail: usize) -> bool {
        let mut start = 0;
        let ends = places.iter().map(|place| place + 1).chain([pieces.len()]);
        ends.into_iter().all(|end| {
            let column = if start == 0 { self.column } else { indent + INDENT };
            let part = &pieces[std::mem::replace(&mut start, end)..end];
            flat(part).is_some_and(|flat| column + width(&flat) + tail <= WIDTH)
        })
    }

    /// As much on each line as fits; lines end behind the places.
    fn fill(&mut self, pieces: &[Piece], places: &[usize], indent: usize, tail: usize) {
        let mut start = 0;
        let ends = places.iter().map(|place| place + 1).chain([pieces.len()]);
        for end in ends {
            let part = &pieces[start..end];
            let tail = if end == pieces.len() { tail } else { 0 };
            if start > 0 {
                let fits = flat(part).is_some_and(|flat| self.column + 1 + width(&flat) + tail <= WIDTH);
                if fits { self.push(" ") } else { self.new_line(indent + INDENT) }
            }
            self.push(&flat(part).unwrap_or_default());
            start = end;
        }
    }

    /// Piece by piece, with the brackets that need lines, or the last ones, opened up.
    fn expand(&mut self, pieces: &[Piece], indent: usize, tail: usize) {
        let opened = self.opened(pieces, tail);
        let mut line_ends = false;
        for (place, piece) in pieces.iter().enumerate() {
            let glued = match piece {
                Piece::Word(word) => word.glued,
                Piece::Group(group) => group.glued,
                Piece::Comment { text, own_line } => {
                    match *own_line || line_ends {
                        true if place > 0 => self.new_line(indent + INDENT),
                        _ => self.push(if place > 0 { "  " } else { "" }),
                    }
                    self.push(text);
                    line_ends = true;
                    continue;
                }
            };
            match (line_ends, glued || place == 0) {
                (true, _) => self.new_line(indent + INDENT),
                (false, true) => {}
                (false, false) => self.push(" "),
            }
            line_ends = false;
            match piece {
                Piece::Group(group) if opened[place] => self.group(group, indent),
                Piece::Group(_) => {
                    let text = flat(&pieces[place..=place]).unwrap_or_default();
                    self.push(&text);
                }
                Piece::Word(word) => self.push(word.text),
                Piece::Comment { .. } => {}
            }
        }
    }

    /// Which of the pieces are brackets to be opened up.
    fn opened(&self, pieces: &[Piece], tail: usize) -> Vec<bool> {
        let mut opened: Vec<bool> = pieces
            .iter()
            .map(|piece| matches!(piece, Piece::Group(_)) && flat(std::slice::from_ref(piece)).is_none())
            .collect();
        let holds = |piece: &Piece| matches!(piece, Piece::Group(group) if !group.rows.is_empty());
        if !opened.contains(&true) {
            let total = pieces.iter().map(piece_width).sum::<usize>() + tail;
            if self.column + total > WIDTH
                && let Some(last) = pieces.iter().rposition(holds)
            {
                opened[last] = true;
            }
        }
        // What stands before the first of them must fit on its line.
        loop {
            let first = opened.iter().position(|&opened| opened).unwrap_or(pieces.len());
            let before: usize = pieces[..first].iter().map(piece_width).sum();
            if self.column + before + 2 <= WIDTH {
                return opened;
            }
            let longest =
                (0..first).filter(|&place| holds(&pieces[place])).max_by_key(|&place| piece_width(&pieces[place]));
            match longest {
                Some(longest) => opened[longest] = true,
                None => return opened,
            }
        }
    }

    fn group(&mut self, group: &Group, indent: usize) {
        self.push(group.open);
        if let Some(comment) = &group.comment {
            self.push("  ");
            self.push(comment.text);
        }
        for line in rows::rows(&group.rows, group.kind, indent + INDENT) {
            self.push("\n");
            self.push(&line);
        }
        self.new_line(indent);
        self.push(group.close);
    }
}

/// The columns of a piece with the blank before it; what does not fit on a line counts as its bracket.
fn piece_width(piece: &Piece) -> usize {
    let glued = match piece {
        Piece::Word(word) => word.glued,
        Piece::Group(group) => group.glued,
        Piece::Comment { .. } => return 0,
    };
    flat(std::slice::from_ref(piece)).map_or(1, |flat| width(&flat)) + usize::from(!glued)
}

/// Whether the piece cannot stand on one line.
fn needs_lines(piece: &Piece) -> bool {
    match piece {
        Piece::Word(_) => false,
        Piece::Comment { .. } => true,
        Piece::Group(_) => flat(std::slice::from_ref(piece)).is_none(),
    }
}

fn words<'p, 'a>(pieces: &'p [Piece<'a>]) -> impl Iterator<Item = (usize, &'p Word<'a>)> {
    pieces.iter().enumerate().filter_map(|(place, piece)| match piece {
        Piece::Word(word) => Some((place, word)),
        Piece::Group(_) | Piece::Comment { .. } => None,
    })
}

/// The places, but the first, of words that do not stand between an `if` and its `else`.
fn outside_conditions(pieces: &[Piece], wanted: impl Fn(&Word) -> bool) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut places = Vec::new();
    for (place, word) in words(pieces) {
        match word.text {
            "if" => depth += 1,
            "else" => depth = depth.saturating_sub(1),
            _ if depth == 0 && place > 0 && wanted(word) => places.push(place),
            _ => {}
        }
    }
    places
}

/// The places, but the first, of the word `then` or `else` that belong to an outermost `if`.
fn conditions(pieces: &[Piece], wanted: &str) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut places = Vec::new();
    for (place, word) in words(pieces).filter(|(_, word)| word.kind == TokenKind::Word) {
        if word.text == wanted && depth <= 1 && place > 0 {
            places.push(place);
        }
        match word.text {
            "if" => depth += 1,
            "else" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    places
}

/// Whether the author broke the line at one of the places.
fn kept(pieces: &[Piece], places: &[usize]) -> bool {
    places.iter().any(|&place| match &pieces[place] {
        Piece::Word(word) => word.begins_line && keeps_break(word, pieces.get(place - 1)),
        Piece::Group(_) | Piece::Comment { .. } => false,
    })
}

/// The places of the infix operators that bind loosest; none where a condition is in the way.
fn loosest_operators(pieces: &[Piece]) -> Vec<usize> {
    let binding = |word: &Word| match word.text {
        "or" => 0,
        "and" => 1,
        "==" | "!=" | "<" | "<=" | ">" | ">=" => 2,
        "+" | "-" => 3,
        _ => 4,
    };
    if words(pieces).any(|(_, word)| word.text == "if" && word.kind == TokenKind::Word) {
        return Vec::new();
    }
    let infix: Vec<(usize, usize)> = words(pieces)
        .filter(|(place, word)| word.infix && word.text != "^" && *place > 0 && *place + 1 < pieces.len())
        .map(|(place, word)| (place, binding(word)))
        .collect();
    let Some(loosest) = infix.iter().map(|&(_, binding)| binding).min() else { return Vec::new() };
    infix.into_iter().filter(|&(_, binding)| binding == loosest).map(|(place, _)| place).collect()
}
