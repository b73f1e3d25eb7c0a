//! Balances brackets: what is not closed is reported, and closed where it was likely meant to be.
//!
//! In: tokens. Out: the same with every bracket in its pair; a missing one is there as an empty token, a superfluous
//! one has lost its text. An open bracket ends at the latest where a declaration begins at the start of a line, so
//! that a mistake stays in the declaration it was made in.

use std::borrow::Cow;

use super::layout::{Repairs, begins_line};
use super::tokens::{Token, TokenKind};
use crate::diagnostics::syntax as problems;

/// A bracket that is still open.
#[derive(Clone, Copy)]
struct Opening {
    /// Its index among the tokens.
    token: usize,
    close: char,
}

/// A closing bracket to put in.
struct Missing {
    opening: Opening,
    /// The token it closes behind.
    behind: usize,
}

/// Makes every bracket of `tokens` part of a pair.
pub(super) fn balance<'a>(text: &'a str, tokens: &mut Vec<Token<'a>>, repairs: &mut Repairs) {
    let mut open: Vec<Opening> = Vec::new();
    let mut missing: Vec<Missing> = Vec::new();
    for index in 0..tokens.len() {
        let token = &tokens[index];
        match token.kind {
            TokenKind::Open => open.push(Opening { token: index, close: partner(&token.text) }),
            TokenKind::Close => {
                let close = token.text.chars().next().unwrap_or(')');
                match open.iter().rposition(|opening| opening.close == close) {
                    Some(at) => {
                        for unclosed in open.drain(at + 1..).rev() {
                            close_bracket(tokens, &unclosed, index, &mut missing, repairs);
                        }
                        open.pop();
                    }
                    None => wrong_close(text, tokens, index, &mut open, repairs),
                }
            }
            TokenKind::Word if !open.is_empty() && begins_declaration(text, tokens, index) => {
                for unclosed in open.drain(..).rev() {
                    close_bracket(tokens, &unclosed, index, &mut missing, repairs);
                }
            }
            TokenKind::Word if begins_statement(tokens, index) => {
                let inner = open.iter().rposition(|opening| opening.close == '}').map_or(0, |block| block + 1);
                for unclosed in open.drain(inner..).rev() {
                    close_bracket(tokens, &unclosed, index, &mut missing, repairs);
                }
            }
            TokenKind::Word
            | TokenKind::Number
            | TokenKind::String
            | TokenKind::OpenString
            | TokenKind::Symbol
            | TokenKind::Comment
            | TokenKind::Newline
            | TokenKind::Stray => {}
        }
    }
    for unclosed in open.drain(..).rev() {
        close_bracket(tokens, &unclosed, tokens.len(), &mut missing, repairs);
    }
    // Brackets that close behind the same token close from the inside out, which is the order they were found in.
    missing.sort_by_key(|missing| missing.behind);
    for Missing { opening, behind } in missing.into_iter().rev() {
        let at = tokens[behind].end;
        let token = Token { kind: TokenKind::Close, start: at, end: at, text: Cow::Owned(opening.close.to_string()) };
        tokens.insert(behind + 1, token);
    }
}

fn partner(open: &str) -> char {
    match open {
        "(" => ')',
        "[" => ']',
        _ => '}',
    }
}

/// A closing bracket that closes nothing of its kind.
fn wrong_close(text: &str, tokens: &mut [Token], index: usize, open: &mut Vec<Opening>, repairs: &mut Repairs) {
    let span = repairs.span(&tokens[index]);
    let line_start = text[..tokens[index].start].rfind('\n').map_or(0, |at| at + 1);
    // `(a, b]` on one line: the wrong bracket was typed. Anything else is one too many.
    let mistyped = open.last().is_some_and(|top| top.close != '}' && tokens[top.token].start >= line_start);
    let known = repairs.covers(&(line_start..tokens[index].end));
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
            tokens[index].text = Cow::Borrowed("");
            tokens[index].kind = TokenKind::Comment;
        }
    }
    repairs.ranges.push(tokens[index].start..tokens[index].end);
}

/// Reports an open bracket and chooses the token before `limit` it closes behind.
fn close_bracket(
    tokens: &[Token],
    unclosed: &Opening,
    limit: usize,
    missing: &mut Vec<Missing>,
    repairs: &mut Repairs,
) {
    let opening = &tokens[unclosed.token];
    let behind = last_of_statement(tokens, unclosed, limit, missing);
    missing.push(Missing { opening: *unclosed, behind });
    let here = opening.start..opening.end;
    let there = tokens[behind].end;
    if !repairs.covers(&here) && !(unclosed.close != '}' && repairs.covers(&(opening.start..there))) {
        let span = repairs.span(opening);
        let place = crate::source::Span { start: there as u32, end: there as u32, ..span };
        repairs.diagnostics.push(problems::unclosed_bracket(span, &opening.text, place, &unclosed.close.to_string()));
    }
    if unclosed.close == '}' {
        repairs.ranges.push(here);
        repairs.ranges.push(there..there);
    } else {
        repairs.ranges.push(opening.start..there);
    }
}

/// The last token of significance that can belong to what an unclosed bracket holds.
fn last_of_statement(tokens: &[Token], unclosed: &Opening, limit: usize, missing: &[Missing]) -> usize {
    let mut last = unclosed.token;
    let mut depth = 0_usize;
    for index in unclosed.token + 1..limit {
        let token = &tokens[index];
        match token.kind {
            TokenKind::Open => depth += usize::from(missing.iter().all(|inner| inner.opening.token != index)),
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Newline if depth == 0 && unclosed.close != '}' => {
                let next = tokens[index..].iter().find(|token| token.is_significant());
                let goes_on = next.is_none_or(|next| !next.begins_operand() && next.kind != TokenKind::Open);
                if tokens[last].ends_operand() && !goes_on {
                    return last;
                }
            }
            _ => {}
        }
        if token.is_significant() {
            last = index;
        }
    }
    last
}

/// Whether a declaration begins with the token, at the very start of a line.
fn begins_declaration(text: &str, tokens: &[Token], index: usize) -> bool {
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
