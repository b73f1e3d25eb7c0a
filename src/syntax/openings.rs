//! Opening brackets that were mistyped: `model M(x: [2]) -> y: [2] }` at the end of a head, `idx]image = …)`, `loss l{x: [n])`.
//!
//! In: tokens. Out: the same, with the bracket that was meant. What follows from such a mistake would be told many times, so
//! this comes before all other repairs.

use std::borrow::Cow;

use super::ast::CallableKind;
use super::brackets::{begins_declaration, partner};
use super::layout::Repairs;
use super::tokens::{Token, TokenKind, is_reserved};
use crate::diagnostics::syntax as problems;

/// Among so many open brackets, the last ones, the partner of a closing one is looked for.
const MOST_OPEN: usize = 64;

/// Puts the right bracket where one stands that cannot be meant to open or close there.
pub(super) fn mend<'a>(text: &'a str, tokens: &mut [Token<'a>], repairs: &mut Repairs) {
    let mut open: Vec<usize> = Vec::new();
    let mut line = 0;
    let mut declaration = None;
    for index in 0..tokens.len() {
        if index == line && tokens[index].is_word() && begins_declaration(text, tokens, index) {
            declaration = Some(index);
            open.clear();
        }
        match tokens[index].kind {
            TokenKind::Newline => line = index + 1,
            TokenKind::Open => open.push(index),
            TokenKind::Close => {
                let seen = open.len().saturating_sub(MOST_OPEN);
                let fitting = |&at: &usize| tokens[index].text.starts_with(partner(&tokens[at].text));
                let matching = open[seen..].iter().rposition(fitting).map(|at| seen + at);
                let fits = matching.is_some_and(|at| at + 1 == open.len());
                let outside = open[seen..].iter().all(|&at| at < line && !tokens[at].is("("));
                if let Some(meant) =
                    outside.then(|| closed_later(tokens, index)).flatten().filter(|&meant| !fits || meant == "(")
                {
                    reopen(tokens, index, meant, repairs);
                    open.push(index);
                } else if fits {
                    open.pop();
                } else if let Some(top) =
                    open.pop_if(|top| declaration.is_some_and(|first| begins_inputs(tokens, first, *top, index)))
                {
                    reopen(tokens, top, "(", repairs);
                } else if open.is_empty() && declaration.is_some_and(|first| ends_head(text, tokens, first, index)) {
                    reopen(tokens, index, "{", repairs);
                    open.push(index);
                } else if let Some(at) = matching {
                    open.truncate(at);
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
    }
}

/// Makes the token the bracket that was meant.
fn reopen(tokens: &mut [Token], index: usize, meant: &'static str, repairs: &mut Repairs) {
    let token = &mut tokens[index];
    let span = repairs.span(token);
    repairs.diagnostics.push(problems::wrong_opening(span, &token.text, meant));
    repairs.ranges.insert(token.start..token.end);
    token.kind = TokenKind::Open;
    token.text = Cow::Borrowed(meant);
}

/// Whether the `{` at `top` stands where a list of the declaration that begins at `first` does, and a `)` closes it.
fn begins_inputs(tokens: &[Token], first: usize, top: usize, close: usize) -> bool {
    let callable = CallableKind::of_keyword(&tokens[first].text).is_some();
    let sticks = top.checked_sub(1).is_some_and(|before| tokens[before].end == tokens[top].start);
    let behind_name = top == first + 2;
    let behind_list = sticks && top.checked_sub(1).is_some_and(|before| tokens[before].is(")"));
    let fits = tokens[top].is("{") && tokens[close].is(")");
    callable && fits && (behind_name || behind_list) && !has_body(&tokens[first..top])
}

/// Whether the bracket ends the line of a head that has no body yet, and an indented line follows.
fn ends_head(text: &str, tokens: &[Token], first: usize, index: usize) -> bool {
    let mut behind = tokens[index + 1..].iter().filter(|next| next.kind != TokenKind::Comment);
    if behind.next().is_none_or(|next| next.kind != TokenKind::Newline) {
        return false;
    }
    let indented = |next: &Token| text[..next.start].ends_with([' ', '\t']);
    let followed = behind.find(|next| next.kind != TokenKind::Newline).is_some_and(indented);
    followed && !tokens[first].is("use") && !has_body(&tokens[first..index])
}

/// Whether the body of a declaration begins among its tokens.
fn has_body(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        match token.kind {
            TokenKind::Open if depth == 0 && token.is("{") => return true,
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth == 0 && token.is("=") => return true,
            _ => {}
        }
    }
    false
}

/// What a bracket right behind a name should be, where another in its line closes what nothing opens.
fn closed_later(tokens: &[Token], index: usize) -> Option<&'static str> {
    let named = tokens[..index]
        .last()
        .is_some_and(|before| before.is_word() && before.end == tokens[index].start && !is_reserved(&before.text));
    if !named || tokens.get(index + 1).is_none_or(|next| next.kind == TokenKind::Close) {
        return None;
    }
    let mut depth = 0_usize;
    for token in tokens[index + 1..].iter().take_while(|next| next.kind != TokenKind::Newline) {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close if depth > 0 => depth -= 1,
            TokenKind::Close if token.is(")") => return Some("("),
            TokenKind::Close if token.is("]") => return Some("["),
            TokenKind::Close => return None,
            _ => {}
        }
    }
    None
}
