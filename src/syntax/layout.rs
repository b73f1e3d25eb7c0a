//! Which newlines end a statement.
//!
//! In: a text. Out: a [`Layout`], the same text byte for byte but for the newlines that do *not* end a statement,
//! which become `\r`. In the grammar `\n` is a terminator and `\r` a blank, so that
//!
//! ```text
//! x                      x\r
//!   |> relu     becomes    |> relu\n
//! y                      y
//! ```
//!
//! A line ends a statement unless a parenthesis or square bracket is open, the line ends in an infix operator, `=`,
//! `,`, `->`, `then` or `else`, or the next line begins with `|>`, `then` or `else`. A line that can only begin
//! something new (`let x`, `layer f`, `epochs =`) always does, so that what is missing before it stays one mistake.
//!
//! What [`repair`](super::repair) and [`brackets`](super::brackets) changed is in the copy too. Then, and only then,
//! its offsets differ from those of the source; [`Layout::source_offset`] leads back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::tokens::{self, Token, TokenKind};
use super::{brackets, openings, repair};
use crate::diagnostics::{Diagnostics, syntax as problems};
use crate::source::{FileId, Span};
use crate::syntax::ast::Comment;

/// How deep brackets and prefix forms (`if`, `scan`, `repeat`) may nest.
pub(super) const NESTING_LIMIT: usize = 64;

/// A text made ready for the grammar.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    /// What is parsed.
    pub(super) text: String,
    /// The tokens of the copy, with their places in the source.
    pub(super) tokens: Vec<Token<'a>>,
    /// All comments of the source.
    pub(super) comments: Vec<Comment>,
    /// Where in the source a mistake was reported and mended.
    pub(super) repaired: Ranges,
    /// Where in the source brackets stand that have no partner.
    pub(super) unbalanced: Vec<usize>,
    /// Ranges of the source whose blocks are not where they seem to be, by their starts.
    pub(super) unread: Vec<Range<usize>>,
    /// Whether brackets nest so deep that the text is not parsed; it was reported.
    pub(super) too_deep: bool,
    /// Where each token begins in the copy.
    starts: Vec<usize>,
}

/// Where mistakes that can be seen in the tokens are reported and mended.
#[derive(Debug)]
pub(super) struct Repairs<'d> {
    pub(super) file: FileId,
    pub(super) diagnostics: &'d mut Diagnostics,
    /// See [`Layout::repaired`].
    pub(super) ranges: Ranges,
    /// See [`Layout::unbalanced`].
    pub(super) unbalanced: Vec<usize>,
    /// See [`Layout::unread`].
    pub(super) unread: Vec<Range<usize>>,
}

/// Ranges of the source, those that touch joined.
#[derive(Default, Debug)]
pub(super) struct Ranges {
    /// The ends by the starts.
    ends: BTreeMap<usize, usize>,
}

impl Ranges {
    pub(super) fn insert(&mut self, range: Range<usize>) {
        let (mut start, mut end) = (range.start, range.end);
        while let Some((&known_start, &known_end)) =
            self.ends.range(..=end).next_back().filter(|&(_, &known)| known >= start)
        {
            self.ends.remove(&known_start);
            start = start.min(known_start);
            end = end.max(known_end);
        }
        self.ends.insert(start, end);
    }

    /// Whether one of the ranges touches this one.
    pub(super) fn touch(&self, range: &Range<usize>) -> bool {
        self.ends.range(..=range.end).next_back().is_some_and(|(_, &end)| end >= range.start)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.ends.iter().map(|(&start, &end)| start..end)
    }
}

impl Repairs<'_> {
    pub(super) fn span(&self, token: &Token) -> Span {
        Span::new(self.file, token.start, token.end)
    }
}

/// The layout of `text`, with the mistakes that can be seen in its tokens reported and mended.
pub(super) fn layout<'a>(file: FileId, text: &'a str, diagnostics: &mut Diagnostics) -> Layout<'a> {
    let mut tokens = tokens::tokens(text);
    let comments = comments(file, &tokens);
    let (ranges, unbalanced, unread) = Default::default();
    let mut repairs = Repairs { file, diagnostics, ranges, unbalanced, unread };
    openings::mend(text, &mut tokens, &mut repairs);
    repair::repair(&mut tokens, &mut repairs);
    let mut too_deep = brackets::balance(text, &mut tokens, &mut repairs).is_err();
    join_lines(&mut tokens);
    too_deep = too_deep || nesting(&tokens, &mut repairs);
    let Repairs { ranges: repaired, mut unbalanced, unread, .. } = repairs;
    unbalanced.sort_unstable();
    let (copy, starts) = write(text, &tokens);
    Layout { text: copy, tokens, comments, repaired, unbalanced, unread, too_deep, starts }
}

impl Layout<'_> {
    /// The place in the source of an offset into the copy.
    pub(super) fn source_offset(&self, offset: usize) -> usize {
        let Some(index) = self.starts.partition_point(|&start| start <= offset).checked_sub(1) else { return offset };
        let (token, start) = (&self.tokens[index], self.starts[index]);
        let within = offset - start;
        match within.checked_sub(token.text.len()) {
            Some(behind) => token.end + behind,
            None => token.start + within.min(token.end - token.start),
        }
    }

    /// The range of the copy without blanks and comments at its ends; empty ones stay where they are.
    pub(super) fn trim(&self, range: Range<usize>) -> Range<usize> {
        let mut held = self.significant(range.clone());
        let Some(first) = held.next() else { return range.start..range.start };
        let last = held.next_back().unwrap_or(first);
        let end = self.starts[last] + self.tokens[last].text.len();
        self.starts[first].max(range.start)..end.min(range.end)
    }

    /// The tokens in the range of the copy, comments and line ends left out, by index.
    pub(super) fn significant(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = usize> {
        let first = self.starts.partition_point(|&start| start < range.start);
        // A range may begin inside of a token, such as behind a sign.
        let first = match first.checked_sub(1) {
            Some(before) if self.starts[before] + self.tokens[before].text.len() > range.start => before,
            _ => first,
        };
        let last = self.starts.partition_point(|&start| start < range.end);
        (first..last.max(first)).filter(|&index| self.tokens[index].is_significant())
    }

    /// The last token of significance that ends at the offset of the copy or before.
    pub(super) fn before(&self, offset: usize) -> Option<usize> {
        let behind = self.starts.partition_point(|&start| start < offset);
        (0..behind).rev().find(|&index| self.tokens[index].is_significant())
    }

    /// The span in the source of a range of the copy.
    pub(super) fn span(&self, file: FileId, range: Range<usize>) -> Span {
        let start = self.source_offset(range.start);
        // The end of a token that was mended is the end of what stands there in the source.
        let end = match self.before(range.end) {
            Some(last) if self.starts[last] + self.tokens[last].text.len() == range.end => self.tokens[last].end,
            _ => self.source_offset(range.end),
        };
        Span::new(file, start, end.max(start))
    }

    /// The last token of significance that ends at the offset of the source or before.
    pub(super) fn before_source(&self, offset: usize) -> Option<usize> {
        let behind = self.tokens.partition_point(|token| token.end <= offset);
        (0..behind).rev().find(|&index| self.tokens[index].is_significant())
    }

    /// The range of the copy of a token.
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        self.starts[index]..self.starts[index] + self.tokens[index].text.len()
    }

    /// The span in the source of a token.
    pub(super) fn token_span(&self, file: FileId, index: usize) -> Span {
        Span::new(file, self.tokens[index].start, self.tokens[index].end)
    }
}

fn comments(file: FileId, tokens: &[Token]) -> Vec<Comment> {
    let comments = tokens.iter().filter(|token| token.kind == TokenKind::Comment);
    comments
        .map(|token| {
            let doc = token.text.starts_with("///") && !token.text.starts_with("////");
            Comment { text: token.text.to_string(), span: Span::new(file, token.start, token.end), doc }
        })
        .collect()
}

/// Reports nesting beyond the limit, once. Long chains are no nesting: the grammar reads them in a loop.
fn nesting(tokens: &[Token], repairs: &mut Repairs) -> bool {
    // The prefix forms begun at the level at hand, and at those around it.
    let mut prefixes = 0;
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut previous_else = false;
    for token in tokens.iter().filter(|token| token.kind != TokenKind::Comment) {
        match token.kind {
            TokenKind::Open => {
                depth += 1;
                open.push(std::mem::take(&mut prefixes));
            }
            TokenKind::Close => {
                if let Some(outer) = open.pop() {
                    depth -= 1 + std::mem::replace(&mut prefixes, outer);
                }
            }
            TokenKind::Newline if token.text == "\n" => depth -= std::mem::take(&mut prefixes),
            TokenKind::Symbol if token.is(",") => depth -= std::mem::take(&mut prefixes),
            TokenKind::Word if matches!(&*token.text, "if" | "scan" | "repeat") && !previous_else => {
                prefixes += 1;
                depth += 1;
            }
            _ => {}
        }
        if depth > NESTING_LIMIT {
            repairs.diagnostics.push(problems::nested_too_deep(repairs.span(token), NESTING_LIMIT));
            return true;
        }
        previous_else = token.is("else");
    }
    false
}

/// Turns the newlines that do not end a statement into `\r`.
fn join_lines(tokens: &mut [Token]) {
    let significant: Vec<usize> = (0..tokens.len()).filter(|&index| tokens[index].is_significant()).collect();
    let mut open: Vec<bool> = Vec::new();
    let mut next = 0_usize;
    for index in 0..tokens.len() {
        match tokens[index].kind {
            TokenKind::Open => open.push(tokens[index].is("{")),
            TokenKind::Close => {
                open.pop();
            }
            TokenKind::Newline => {
                let before = next.checked_sub(1).map(|before| &tokens[significant[before]]);
                let behind = &significant[next..];
                let joins = match open.last() {
                    Some(false) => true,
                    Some(true) | None => {
                        joins(before, behind.first().map(|&at| &tokens[at]), behind.get(1).map(|&at| &tokens[at]))
                    }
                };
                if joins {
                    tokens[index].text = Cow::Borrowed("\r");
                }
            }
            TokenKind::Word
            | TokenKind::Number
            | TokenKind::String
            | TokenKind::OpenString
            | TokenKind::Symbol
            | TokenKind::Comment
            | TokenKind::Stray => {}
        }
        next += usize::from(tokens[index].is_significant());
    }
}

/// Whether a statement goes on over a line end between the three tokens.
pub(super) fn joins(before: Option<&Token>, behind: Option<&Token>, second: Option<&Token>) -> bool {
    let (Some(before), Some(behind)) = (before, behind) else { return false };
    if behind.is("|>") || behind.is("then") || behind.is("else") {
        return true;
    }
    if behind.kind == TokenKind::Close || begins_line(behind, second) {
        return false;
    }
    match before.kind {
        TokenKind::Symbol => !matches!(&*before.text, ":" | "." | ".." | ";" | "!" | "?" | "$" | "~"),
        TokenKind::Word => matches!(&*before.text, "then" | "else" | "and" | "or"),
        TokenKind::Number
        | TokenKind::String
        | TokenKind::OpenString
        | TokenKind::Open
        | TokenKind::Close
        | TokenKind::Comment
        | TokenKind::Newline
        | TokenKind::Stray => false,
    }
}

/// Whether two tokens in a row can only begin a statement, a field or a declaration.
pub(super) fn begins_line(first: &Token, second: Option<&Token>) -> bool {
    let Some(second) = second else { return false };
    if !first.is_word() {
        return false;
    }
    if second.is("=") || second.is(":") {
        return true;
    }
    if first.is("emit") {
        return true;
    }
    if tokens::begins_statement(&first.text) {
        return second.is_word() || (first.is("let") && second.is("("));
    }
    let names = second.is_word() && !tokens::is_reserved(&second.text);
    tokens::begins_item(&first.text) && (names || (first.is("use") && second.kind == TokenKind::String))
}

/// The copy, with the place of each token in it.
fn write(text: &str, tokens: &[Token]) -> (String, Vec<usize>) {
    let mut copy = String::with_capacity(text.len() + 16);
    let mut starts = Vec::with_capacity(tokens.len());
    let mut at = 0;
    for token in tokens {
        copy.push_str(&text[at..token.start]);
        let is_wordlike = matches!(token.kind, TokenKind::Word | TokenKind::Number);
        if is_wordlike && copy.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_') {
            copy.push(' ');
        }
        starts.push(copy.len());
        match token.kind {
            // In the grammar a comment ends at any line end.
            TokenKind::Comment => copy.extend(token.text.chars().map(|c| if c == '\r' { ' ' } else { c })),
            _ => copy.push_str(&token.text),
        }
        at = token.end;
    }
    copy.push_str(&text[at..]);
    (copy, starts)
}
