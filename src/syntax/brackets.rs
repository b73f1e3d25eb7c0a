//! Balances brackets: what is not closed is reported, and closed where it was likely meant to be.
//!
//! In: tokens. Out: the same with every bracket in its pair; a missing one is there as an empty token, a superfluous
//! one has lost its text. An open bracket ends at the latest where a declaration begins at the start of a line, so
//! that a mistake stays in the declaration it was made in.

use std::borrow::Cow;
use std::ops::Range;

use super::layout::{NESTING_LIMIT, Repairs, begins_line};
use super::tokens::{Token, TokenKind};
use crate::diagnostics::syntax as problems;
use crate::source::Span;

/// A bracket that is still open.
#[derive(Clone, Copy)]
struct Opening {
    /// Its index among the tokens.
    token: usize,
    close: char,
}

/// What is found out on the way through the tokens.
struct Balance {
    open: Vec<Opening>,
    /// For each token, whether it is a bracket that is never closed.
    unclosed: Vec<bool>,
    /// The brackets to put in, each with the token it closes behind.
    missing: Vec<(usize, Opening)>,
}

/// There are more brackets open than the parser takes; it was reported.
#[derive(Debug)]
pub(super) struct TooDeep;

/// Makes every bracket of `tokens` part of a pair.
pub(super) fn balance<'a>(text: &'a str, tokens: &mut Vec<Token<'a>>, repairs: &mut Repairs) -> Result<(), TooDeep> {
    let mut balance = Balance { open: Vec::new(), unclosed: vec![false; tokens.len()], missing: Vec::new() };
    let mut line_start = 0;
    for index in 0..tokens.len() {
        let token = &tokens[index];
        match token.kind {
            TokenKind::Open if balance.open.len() == NESTING_LIMIT => {
                repairs.diagnostics.push(problems::nested_too_deep(repairs.span(token), NESTING_LIMIT));
                return Err(TooDeep);
            }
            TokenKind::Open => balance.open.push(Opening { token: index, close: partner(&token.text) }),
            TokenKind::Close => {
                let close = token.text.chars().next().unwrap_or(')');
                let at = balance.open.iter().rposition(|opening| opening.close == close);
                match at.filter(|&at| !balance.is_stray(tokens, index, at, line_start)) {
                    Some(at) => {
                        balance.close_from(at + 1, tokens, index, repairs);
                        balance.open.pop();
                    }
                    None => wrong_close(tokens, index, line_start, &mut balance.open, repairs),
                }
            }
            TokenKind::Newline => line_start = token.end,
            TokenKind::Word if !balance.open.is_empty() && begins_declaration(text, tokens, index) => {
                balance.close_from(0, tokens, index, repairs);
            }
            TokenKind::Word if begins_statement(tokens, index) => {
                let block = balance.open.iter().rposition(|opening| opening.close == '}');
                balance.close_from(block.map_or(0, |block| block + 1), tokens, index, repairs);
            }
            TokenKind::Word
            | TokenKind::Number
            | TokenKind::String
            | TokenKind::OpenString
            | TokenKind::Symbol
            | TokenKind::Comment
            | TokenKind::Stray => {}
        }
    }
    balance.close_from(0, tokens, tokens.len(), repairs);
    balance.put_in(tokens);
    Ok(())
}

impl Balance {
    /// Whether a `}` in the middle of a line cannot be meant to close the block begun on a line before: a bracket of the same
    /// line is still open, or a value follows.
    fn is_stray(&self, tokens: &[Token], index: usize, at: usize, line_start: usize) -> bool {
        let opening = &self.open[at];
        if opening.close != '}' || tokens[opening.token].start >= line_start {
            return false;
        }
        let behind = tokens[index + 1..].iter().find(|next| next.kind != TokenKind::Comment);
        let Some(behind) = behind.filter(|behind| behind.kind != TokenKind::Newline) else { return false };
        let inner = &self.open[at + 1..];
        if inner.last().is_some_and(|inner| inner.close != '}' && tokens[inner.token].start >= line_start) {
            return true;
        }
        let first = tokens[..index].iter().rev().find(|before| before.kind != TokenKind::Comment);
        let starts_line = first.is_none_or(|before| before.kind == TokenKind::Newline);
        let value = behind.begins_operand() && !behind.is("else") && !behind.is("then");
        inner.is_empty() && !starts_line && value
    }

    /// Closes the open brackets from the outermost `first` on, before the token `limit`.
    fn close_from(&mut self, first: usize, tokens: &[Token], limit: usize, repairs: &mut Repairs) {
        let found = self.missing.len();
        for opening in self.open.split_off(first).into_iter().rev() {
            let behind = self.last_of_statement(tokens, &opening, limit);
            self.unclosed[opening.token] = true;
            repairs.unbalanced.push(tokens[opening.token].start);
            self.missing.push((behind, opening));
        }
        let found = &self.missing[found..];
        let held: Vec<_> = found.iter().map(|(behind, opening)| held(tokens, opening, *behind)).collect();
        // An unclosed string, say, may have swallowed the bracket.
        let known: Vec<bool> = held.iter().map(|range| repairs.ranges.touch(range)).collect();
        for (((behind, opening), held), known) in found.iter().zip(held).zip(known) {
            let (token, there) = (&tokens[opening.token], tokens[*behind].end);
            if !known {
                let span = repairs.span(token);
                let place = Span { start: there as u32, end: there as u32, ..span };
                let close = opening.close.to_string();
                repairs.diagnostics.push(problems::unclosed_bracket(span, &token.text, place, &close));
            }
            repairs.ranges.insert(held);
            repairs.ranges.insert(there..there);
        }
    }

    /// The last token of significance that can belong to what an unclosed bracket holds.
    fn last_of_statement(&self, tokens: &[Token], opening: &Opening, limit: usize) -> usize {
        let mut last = opening.token;
        let mut depth = 0_usize;
        let mut ends_line = false;
        for index in opening.token + 1..limit {
            let token = &tokens[index];
            if token.is_significant() {
                let goes_on = !token.begins_operand() && token.kind != TokenKind::Open;
                if ends_line && !goes_on && tokens[last].ends_operand() {
                    return last;
                }
                ends_line = false;
                last = index;
            }
            match token.kind {
                TokenKind::Open => depth += usize::from(!self.unclosed[index]),
                TokenKind::Close => depth = depth.saturating_sub(1),
                TokenKind::Newline => ends_line = depth == 0 && opening.close != '}',
                _ => {}
            }
        }
        last
    }

    /// Brackets that close behind the same token close in the order they were found in: from the inside out.
    fn put_in(mut self, tokens: &mut Vec<Token>) {
        self.missing.sort_by_key(|&(behind, _)| behind);
        let mut missing = self.missing.into_iter().peekable();
        if missing.peek().is_none() {
            return;
        }
        let before = std::mem::take(tokens);
        for (index, token) in before.into_iter().enumerate() {
            let at = token.end;
            tokens.push(token);
            while let Some((_, opening)) = missing.next_if(|&(behind, _)| behind == index) {
                let text = Cow::Owned(opening.close.to_string());
                tokens.push(Token { kind: TokenKind::Close, start: at, end: at, text });
            }
        }
    }
}

pub(super) fn partner(open: &str) -> char {
    match open {
        "(" => ')',
        "[" => ']',
        _ => '}',
    }
}

/// A closing bracket that closes nothing of its kind.
fn wrong_close(tokens: &mut [Token], index: usize, line_start: usize, open: &mut Vec<Opening>, repairs: &mut Repairs) {
    let span = repairs.span(&tokens[index]);
    // `(a, b]` on one line: the wrong bracket was typed. Anything else is one too many.
    let mistyped = open.last().is_some_and(|top| top.close != '}' && tokens[top.token].start >= line_start);
    let known = repairs.ranges.touch(&(line_start..tokens[index].end));
    match open.last() {
        Some(top) if mistyped => {
            let close = top.close.to_string();
            if !known {
                let opening = repairs.span(&tokens[top.token]);
                let problem = problems::wrong_bracket(span, &tokens[index].text, opening, &close);
                repairs.diagnostics.push(problem);
            }
            tokens[index].text = Cow::Owned(close);
            open.pop();
        }
        _ => {
            if !known {
                repairs.diagnostics.push(problems::unmatched_bracket(span, &tokens[index].text));
            }
            repairs.unbalanced.push(tokens[index].start);
            tokens[index].text = Cow::Borrowed("");
            tokens[index].kind = TokenKind::Comment;
        }
    }
    repairs.ranges.insert(tokens[index].start..tokens[index].end);
}

/// What an unclosed bracket makes doubtful: all it holds, but of a block its first line only.
fn held(tokens: &[Token], opening: &Opening, behind: usize) -> Range<usize> {
    let token = &tokens[opening.token];
    token.start..if opening.close == '}' { token.end } else { tokens[behind].end }
}

/// Whether a declaration begins with the token, at the very start of a line.
pub(super) fn begins_declaration(text: &str, tokens: &[Token], index: usize) -> bool {
    let token = &tokens[index];
    let first_of_line = token.start == 0 || text.as_bytes()[token.start - 1] == b'\n';
    first_of_line
        && super::tokens::begins_item(&token.text)
        && begins_line(token, tokens.get(index + 1))
        && !tokens.get(index + 1).is_some_and(|next| next.is("=") || next.is(":"))
}

/// Whether a statement that is no expression begins with the token, on a line of its own.
fn begins_statement(tokens: &[Token], index: usize) -> bool {
    let token = &tokens[index];
    let first_of_line = tokens[..index].last().is_none_or(|before| before.kind == TokenKind::Newline);
    first_of_line
        && super::tokens::begins_statement(&token.text)
        && begins_line(token, tokens.get(index + 1))
        && !tokens.get(index + 1).is_some_and(|next| next.is("=") || next.is(":"))
}
