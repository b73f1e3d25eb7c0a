//! Tokens to rows: the nesting of a text, which is all that its layout depends on.
//!
//! In: the tokens of a declaration. Out: its [`Piece`]s, brackets as groups of [`Row`]s with the comments in their places.
//! The tree is not needed: what a newline ends was found by the layout pass, what a sign means follows from its neighbours.

use crate::syntax::tokens::{Token, TokenKind};
use std::ops::Range;

/// What a line is made of.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A token that is no bracket.
    Word(Word<'a>),
    /// Brackets and what they hold.
    Group(Group<'a>),
    /// A comment in the middle of an expression.
    Comment {
        text: &'a str,
        /// Whether it stands on a line of its own.
        own_line: bool,
    },
}

/// A token that is no bracket.
#[derive(Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) kind: TokenKind,
    /// Whether no blank stands before it.
    pub(super) glued: bool,
    /// Whether it begins a line of the source.
    pub(super) begins_line: bool,
    /// Whether it stands between two operands.
    pub(super) infix: bool,
}

/// What brackets are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `(…)` and `[…]`: rows between commas.
    Values,
    /// `{…}`: statements or fields, a row a line.
    Block,
    /// `{…}` of an enumeration: rows between commas.
    Cases,
}

/// Brackets and what they hold.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) open: &'a str,
    pub(super) close: &'a str,
    pub(super) kind: Kind,
    pub(super) rows: Vec<Row<'a>>,
    /// Whether no blank stands before it.
    pub(super) glued: bool,
    /// Whether the source begins a new line behind the opening bracket.
    pub(super) broken: bool,
    /// A comment right behind the opening bracket.
    pub(super) comment: Option<Note<'a>>,
}

/// A statement, a field, an element or a comment on a line of its own.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Whether a blank line stands before it.
    pub(super) blank_before: bool,
    pub(super) content: Content<'a>,
}

/// What a row holds.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A comment on a line of its own.
    Comment(&'a str),
    /// Code with the comment behind it.
    Code { pieces: Vec<Piece<'a>>, comment: Option<Note<'a>> },
    /// A part of the source that stays as it is, with the comment behind it.
    Verbatim { text: &'a str, comment: Option<Note<'a>> },
}

/// A comment behind code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note<'a> {
    pub(super) text: &'a str,
    /// Its column in the source.
    pub(super) column: usize,
}

impl<'a> Note<'a> {
    pub(super) fn new(text: &'a str, token: &Token) -> Note<'a> {
        let line = text[..token.start].rfind('\n').map_or(0, |at| at + 1);
        let column = text[line..token.start].chars().count();
        Note { text: text[token.start..token.end].trim_end(), column }
    }
}

/// The pieces of the tokens of a declaration. A row of a block that `damage` touches stays as it is written; `None` where
/// the damage is not in such a row, or the brackets themselves are.
pub(super) fn pieces<'a>(text: &'a str, tokens: &'a [Token<'a>], damage: Vec<Range<usize>>) -> Option<Vec<Piece<'a>>> {
    let is_bracket = |token: &Token| matches!(token.kind, TokenKind::Open | TokenKind::Close);
    let as_written = |token: &Token| {
        let written = &text[token.start..token.end];
        token.start < token.end && is_bracket(token) == matches!(written, "(" | ")" | "[" | "]" | "{" | "}")
    };
    if !damage.is_empty() && !tokens.iter().all(as_written) {
        return None;
    }
    let shapes = shapes(tokens);
    let mut reader = Reader { text, tokens, shapes, damage, inside: Vec::new(), at: 0 };
    let pieces = reader.statement();
    reader.damage.is_empty().then_some(pieces)
}

/// What a token is among its neighbours.
#[derive(Clone, Copy, Default)]
struct Shape {
    glued: bool,
    infix: bool,
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
    shapes: Vec<Shape>,
    /// Where the text has mistakes that no row has taken yet.
    damage: Vec<Range<usize>>,
    /// The brackets around, the innermost last.
    inside: Vec<Kind>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn source(&self, token: &Token) -> &'a str {
        self.text[token.start..token.end].trim_end()
    }

    /// Up to the end of the line that ends the statement, or to the bracket or comma behind it.
    fn statement(&mut self) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut begins_line = false;
        while let Some(token) = self.tokens.get(self.at) {
            let shape = self.shapes[self.at];
            match token.kind {
                TokenKind::Close => break,
                TokenKind::Newline if token.text == "\n" => break,
                TokenKind::Symbol if token.is(",") && self.ends_element() => break,
                TokenKind::Newline => {
                    begins_line = true;
                    self.at += 1;
                    continue;
                }
                TokenKind::Comment => {
                    // A comment behind the whole statement belongs to its row.
                    let next = self.tokens[self.at + 1..].iter().find(|next| next.kind != TokenKind::Comment);
                    if next.is_none_or(|next| next.text == "\n") || self.ends_row(self.at) {
                        break;
                    }
                    pieces.push(Piece::Comment { text: self.source(token), own_line: begins_line });
                    self.at += 1;
                }
                TokenKind::Open => pieces.push(Piece::Group(self.group())),
                _ => {
                    let (text, kind) = (self.source(token), token.kind);
                    pieces.push(Piece::Word(Word { text, kind, glued: shape.glued, begins_line, infix: shape.infix }));
                    self.at += 1;
                }
            }
            begins_line = false;
        }
        pieces
    }

    /// Whether a comma here ends an element rather than standing between the models of a `train`.
    fn ends_element(&self) -> bool {
        self.inside.last().is_some_and(|&kind| kind != Kind::Block)
    }

    /// Whether only comments and line ends stand between the index and the end of a row between commas.
    fn ends_row(&self, index: usize) -> bool {
        let next = self.tokens[index..].iter().find(|token| token.is_significant());
        next.is_none_or(|next| next.kind == TokenKind::Close || (next.is(",") && self.ends_element()))
    }

    fn group(&mut self) -> Group<'a> {
        let open = &self.tokens[self.at];
        let kind = match &*open.text {
            "{" if opens_cases(&self.tokens[..self.at]) => Kind::Cases,
            "{" => Kind::Block,
            _ => Kind::Values,
        };
        let glued = self.shapes[self.at].glued;
        self.at += 1;
        let broken = self.tokens.get(self.at).is_some_and(|next| !next.is_significant());
        let mut comment = None;
        if let Some(first) = self.tokens.get(self.at).filter(|first| first.kind == TokenKind::Comment) {
            comment = Some(Note::new(self.text, first));
            self.at += 1;
        }
        self.inside.push(kind);
        let rows = self.rows(kind == Kind::Block);
        self.inside.pop();
        let close = self.tokens.get(self.at).map_or("", |close| self.source(close));
        self.at += 1;
        Group { open: self.source(open), close, kind, rows, glued, broken, comment }
    }

    /// The rows up to the closing bracket.
    fn rows(&mut self, by_line: bool) -> Vec<Row<'a>> {
        let mut rows: Vec<Row> = Vec::new();
        let mut newlines = 0;
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                TokenKind::Close => break,
                TokenKind::Newline => {
                    newlines += 1;
                    self.at += 1;
                }
                TokenKind::Symbol if !by_line && token.is(",") => self.at += 1,
                TokenKind::Comment => {
                    let text = self.source(token);
                    self.at += 1;
                    match rows.last_mut().map(|row| &mut row.content) {
                        Some(Content::Code { comment: comment @ None, .. }) if newlines == 0 => {
                            *comment = Some(Note::new(self.text, token));
                        }
                        _ => {
                            let blank_before = newlines > 1 && !rows.is_empty();
                            rows.push(Row { blank_before, content: Content::Comment(text) });
                        }
                    }
                    newlines = 0;
                }
                _ => {
                    let blank_before = newlines > 1 && !rows.is_empty();
                    let first = self.at;
                    let pieces = self.statement();
                    let content = match by_line.then(|| self.damaged(first)).flatten() {
                        Some(text) => Content::Verbatim { text, comment: None },
                        None => Content::Code { pieces, comment: None },
                    };
                    rows.push(Row { blank_before, content });
                    newlines = 0;
                }
            }
        }
        rows
    }
}

impl<'a> Reader<'a> {
    /// The source of the statement that begins at a token, up to the end of its line, where it has a mistake that nothing within
    /// it has taken. The reader is behind it then.
    fn damaged(&mut self, first: usize) -> Option<&'a str> {
        let mut depth = 0_usize;
        let mut end = first;
        while let Some(token) = self.tokens.get(end) {
            match token.kind {
                TokenKind::Newline if depth == 0 && token.text == "\n" => break,
                TokenKind::Close if depth == 0 => break,
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
            end += 1;
        }
        let range = self.tokens[first].start..self.tokens[end.max(first + 1) - 1].end;
        let inside = |damage: &Range<usize>| damage.start <= range.end && range.start <= damage.end;
        if !self.damage.iter().any(inside) {
            return None;
        }
        self.damage.retain(|damage| !(range.start <= damage.start && damage.end <= range.end));
        self.at = end;
        Some(self.text[range].trim_end())
    }
}

/// The shape of each token.
fn shapes(tokens: &[Token]) -> Vec<Shape> {
    let significant: Vec<usize> = (0..tokens.len()).filter(|&index| tokens[index].is_significant()).collect();
    let mut shapes = vec![Shape::default(); tokens.len()];
    let mut braces = Vec::new();
    // What the token before asks of this one.
    let (mut unary, mut tight) = (false, false);
    for (place, &index) in significant.iter().enumerate() {
        let token = &tokens[index];
        let before = place.checked_sub(1).map(|place| &tokens[significant[place]]);
        let after = |distance: usize| significant.get(place + distance).map(|&index| &tokens[index]);
        let behind_operand = before.is_some_and(Token::ends_operand);
        let is_sign = token.is("-") && !behind_operand;
        let number = |token: Option<&Token>| token.is_some_and(|token| token.kind == TokenKind::Number);
        let is_tight =
            token.is("^") && (number(after(1)) || (after(1).is_some_and(|next| next.is("-")) && number(after(2))));
        let mut in_cases = false;
        match token.kind {
            TokenKind::Open => braces.push(token.is("{") && opens_cases(&tokens[..index])),
            TokenKind::Close => in_cases = braces.pop().unwrap_or(false),
            _ => {}
        }
        let glued = match before {
            None => true,
            _ if unary || tight || is_tight => true,
            Some(before) => glued(before, token, behind_operand, in_cases || braces.last() == Some(&true)),
        };
        let infix = token.kind == TokenKind::Symbol || matches!(&*token.text, "and" | "or");
        shapes[index] = Shape { glued, infix: infix && behind_operand && is_operator(token) };
        (unary, tight) = (is_sign, is_tight);
    }
    shapes
}

/// Whether a brace behind these tokens holds the cases of an enumeration: behind `:`, or behind `or` between the types of one.
fn opens_cases(before: &[Token]) -> bool {
    let mut before = before.iter().rev().filter(|token| token.is_significant());
    loop {
        match before.next() {
            Some(token) if token.is(":") => return true,
            Some(token) if token.is("or") => {}
            _ => return false,
        }
        // The type on the left of `or`: a word, or what stands in brackets.
        let mut depth = 0_usize;
        loop {
            match before.next().map(|token| token.kind) {
                Some(TokenKind::Close) => depth += 1,
                Some(TokenKind::Open) if depth == 0 => return false,
                Some(TokenKind::Open) => depth -= 1,
                Some(_) => {}
                None => return false,
            }
            if depth == 0 {
                break;
            }
        }
    }
}

fn glued(before: &Token, token: &Token, behind_operand: bool, in_cases: bool) -> bool {
    let opens_cases = in_cases && before.is("{");
    match &*token.text {
        ")" | "]" | "," | ":" | "." if token.kind != TokenKind::String => true,
        "}" => in_cases || before.is("{"),
        "(" | "[" if behind_operand => true,
        ".." if behind_operand => true,
        _ => opens_cases || matches!(&*before.text, "(" | "[" | "." | ".."),
    }
}

fn is_operator(token: &Token) -> bool {
    matches!(
        &*token.text,
        "+" | "-" | "*" | "/" | "%" | "@" | "^" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or"
    )
}
