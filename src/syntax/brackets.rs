//! Balances brackets: what is not closed is reported, and closed where it was likely meant to be.
//!
//! In: tokens. Out: the same with every bracket in its pair; a missing one is there as an empty token, a superfluous
//! one has lost its text. An open bracket ends at the latest where a declaration begins at the start of a line, so
//! that a mistake stays in the declaration it was made in. Where a closing bracket does not fit the innermost open one, the
//! repair is chosen that leaves the fewest brackets of the declaration without a partner.

use std::borrow::Cow;
use std::ops::Range;

use super::layout::{NESTING_LIMIT, Repairs, begins_line, joins};
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

/// What is done with a closing bracket.
#[derive(Clone, Copy)]
enum Closing {
    /// It closes the opening one at that place among the open ones; those further in are closed before it.
    Closes(usize),
    /// Another one was meant, which closes the innermost open bracket.
    Mistyped,
    /// It is one too many.
    Superfluous,
}

/// So many tokens are looked at to choose a repair.
const LOOKAHEAD: usize = 500;

/// There are more brackets open than the parser takes; it was reported.
#[derive(Debug)]
pub(super) struct TooDeep;

/// Makes every bracket of `tokens` part of a pair.
pub(super) fn balance<'a>(text: &'a str, tokens: &mut Vec<Token<'a>>, repairs: &mut Repairs) -> Result<(), TooDeep> {
    let mut balance = Balance { open: Vec::new(), unclosed: vec![false; tokens.len()], missing: Vec::new() };
    let mut line_start = 0;
    // Where the statement at hand begins, in the source.
    let mut statement = 0;
    // And the declaration.
    let mut declaration = 0;
    let mut before: Option<usize> = None;
    for index in 0..tokens.len() {
        let token = &tokens[index];
        let in_block = balance.open.last().is_none_or(|opening| opening.close == '}');
        if token.is_significant() {
            let first = before.is_none_or(|before| tokens[before].is("{") || tokens[before].end <= line_start);
            if first && in_block && !goes_on(tokens, before, index) {
                statement = token.start;
            }
            before = Some(index);
        }
        match token.kind {
            TokenKind::Open if balance.open.len() == NESTING_LIMIT => {
                repairs.diagnostics.push(problems::nested_too_deep(repairs.span(token), NESTING_LIMIT));
                return Err(TooDeep);
            }
            TokenKind::Open => balance.open.push(Opening { token: index, close: partner(&token.text) }),
            TokenKind::Close => match balance.closing(text, tokens, index, line_start) {
                Closing::Closes(at) => {
                    balance.close_from(at + 1, tokens, index, repairs);
                    balance.open.pop();
                }
                Closing::Mistyped => mistyped(tokens, index, statement, &mut balance.open, repairs),
                Closing::Superfluous => {
                    if token.is("}") && balance.open.is_empty() {
                        // A block of it begins where nobody sees it.
                        repairs.unbalanced.push(declaration);
                        repairs.unread.push(declaration..token.end);
                    }
                    // What closes nothing at the start of a line was opened on a line before.
                    let starts_line = tokens[..index].iter().rev().find(|before| before.kind != TokenKind::Comment);
                    let block = balance.open.last().map_or(declaration, |opening| tokens[opening.token].end);
                    let starts_line = starts_line.is_none_or(|before| before.kind == TokenKind::Newline);
                    superfluous(tokens, index, if starts_line { block } else { statement }, repairs);
                }
            },
            TokenKind::Newline => line_start = token.end,
            TokenKind::Word if begins_declaration(text, tokens, index) => {
                balance.close_from(0, tokens, index, repairs);
                (statement, declaration) = (tokens[index].start, tokens[index].start);
            }
            TokenKind::Word if begins_statement(tokens, index) => {
                let block = balance.open.iter().rposition(|opening| opening.close == '}');
                balance.close_from(block.map_or(0, |block| block + 1), tokens, index, repairs);
                statement = tokens[index].start;
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
    /// What to do with the closing bracket at `index`.
    fn closing(&self, text: &str, tokens: &[Token], index: usize, line_start: usize) -> Closing {
        let Some(top) = self.open.last() else { return Closing::Superfluous };
        let close = tokens[index].text.chars().next().unwrap_or(')');
        let open: Vec<char> = self.open.iter().map(|opening| opening.close).collect();
        let at = open.iter().rposition(|&open| open == close);
        let without = |open: &[char]| unpaired(text, tokens, index + 1, open);
        if let Some(at) = at.filter(|at| at + 1 == open.len()) {
            let ends_too_early = at == 0 && !self.goes_out(text, tokens, index) && without(&[]) > without(&open);
            if !ends_too_early && !self.is_stray(tokens, index, at, line_start) {
                return Closing::Closes(at);
            }
        }
        let inner = &open[..open.len() - 1];
        let same_line = tokens[top.token].start >= line_start;
        // The first of the cheapest.
        let closes = at.filter(|&at| !self.is_stray(tokens, index, at, line_start));
        let closes = closes.map(|at| (open.len() - 1 - at + without(&open[..at]), 0, Closing::Closes(at)));
        let mistyped =
            (top.close != close).then(|| (1 + without(inner), if same_line { 1 } else { 3 }, Closing::Mistyped));
        let superfluous = Some((1 + without(&open), 2, Closing::Superfluous));
        let choices = [closes, mistyped, superfluous].into_iter().flatten();
        choices.min_by_key(|(cost, rank, _)| (*cost, *rank)).map_or(Closing::Superfluous, |(_, _, closing)| closing)
    }

    /// Whether what follows the bracket is outside of the declaration: another one, or nothing.
    fn goes_out(&self, text: &str, tokens: &[Token], index: usize) -> bool {
        let behind = (index + 1..tokens.len()).find(|&behind| tokens[behind].is_significant());
        behind.is_none_or(|behind| begins_declaration(text, tokens, behind))
    }

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

/// How many brackets have no partner from the token `from` to the end of the declaration, where `open` are to be closed.
fn unpaired(text: &str, tokens: &[Token], from: usize, open: &[char]) -> usize {
    let mut open = open.to_vec();
    let mut count = 0;
    let end = tokens.len().min(from + LOOKAHEAD);
    for index in from..end {
        let token = &tokens[index];
        match token.kind {
            TokenKind::Open => open.push(partner(&token.text)),
            TokenKind::Close => match open.iter().rposition(|&close| token.text.starts_with(close)) {
                Some(at) => {
                    count += open.len() - 1 - at;
                    open.truncate(at);
                }
                None => count += 1,
            },
            TokenKind::Word if begins_declaration(text, tokens, index) => return count + open.len(),
            TokenKind::Word if begins_statement(tokens, index) => {
                let block = open.iter().rposition(|&close| close == '}').map_or(0, |block| block + 1);
                count += open.len() - block;
                open.truncate(block);
            }
            _ => {}
        }
    }
    count + if end < tokens.len() { 0 } else { open.len() }
}

/// Whether a token that is the first of its line continues what stands before it.
fn goes_on(tokens: &[Token], before: Option<usize>, index: usize) -> bool {
    let second = tokens[index + 1..].iter().find(|next| next.is_significant());
    let joined = joins(before.map(|before| &tokens[before]), Some(&tokens[index]), second);
    tokens[index].kind == TokenKind::Close || joined
}

/// The wrong closing bracket: it becomes the one that the innermost open bracket needs.
fn mistyped(tokens: &mut [Token], index: usize, statement: usize, open: &mut Vec<Opening>, repairs: &mut Repairs) {
    let Some(top) = open.pop() else { return };
    let span = repairs.span(&tokens[index]);
    let close = top.close.to_string();
    if !repairs.ranges.touch(&(statement..tokens[index].end)) {
        let opening = repairs.span(&tokens[top.token]);
        repairs.diagnostics.push(problems::wrong_bracket(span, &tokens[index].text, opening, &close));
    }
    if top.close == '}' {
        // The opening one may be what is wrong: `x: {n]`.
        repairs.unbalanced.push(tokens[top.token].start);
    }
    tokens[index].text = Cow::Owned(close);
    repairs.ranges.insert(tokens[index].start..tokens[index].end);
}

/// A closing bracket that closes nothing. Where the one it belongs to was meant is not known, so what stands before it in its
/// statement is doubtful.
fn superfluous(tokens: &mut [Token], index: usize, statement: usize, repairs: &mut Repairs) {
    let is_doubled = index.checked_sub(1).is_some_and(|before| {
        let (before, token) = (&tokens[before], &tokens[index]);
        before.end == token.start && before.text == token.text
    });
    let token = &mut tokens[index];
    let span = repairs.span(token);
    if !repairs.ranges.touch(&(statement..token.end)) {
        repairs.diagnostics.push(problems::unmatched_bracket(span, &token.text, is_doubled));
    }
    repairs.unbalanced.push(token.start);
    let start = if token.is("}") { token.start } else { statement.min(token.start) };
    repairs.ranges.insert(start..token.end);
    token.text = Cow::Borrowed("");
    token.kind = TokenKind::Comment;
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
