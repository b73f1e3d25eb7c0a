//! What is wrong with a declaration: its head, or that it is none.

use std::ops::Range;

use super::{Place, Slice, colon_before, expression, reach};
use crate::diagnostics::syntax::{self as problems, Found, Hint};
use crate::diagnostics::{Diagnostic, Edit, nearest};
use crate::source::{FileId, Span};
use crate::syntax::layout::Layout;
use crate::syntax::parser::Rule;
use crate::syntax::tokens::{self, Token, TokenKind};

/// The problem with the head of a declaration that begins like one.
pub(in crate::syntax) fn declaration(
    layout: &Layout,
    file: FileId,
    whole: Range<usize>,
    head: Range<usize>,
    has_body: bool,
) -> Diagnostic {
    let reach = reach(layout, Rule::strict_item, whole).min(head.end.max(head.start));
    let slice = Slice::new(layout, file, head, Place::Item, reach);
    let keyword = slice.token(0).map_or(String::new(), |token| token.text.to_string());
    let before = slice.before();
    if before.is_some_and(|before| before.is("on") || before.is("as")) && slice.found().is_none() {
        let hint = Hint::NameBehind(before.map_or("", |before| &before.text));
        return problems::unexpected_token(slice.last_span().after(), Found::End, Some(hint));
    }
    if slice.fine >= slice.tokens.len() && !has_body {
        return problems::missing_body(slice.last_span().after(), &keyword);
    }
    let Some(found) = slice.found() else { return at_the_end(&slice, &keyword) };
    if slice.fine == 1 && tokens::is_keyword(&found.text) {
        if keyword == "train" && found.is("on") {
            return slice.unexpected(Some(Hint::ModelBeforeOn));
        }
        return problems::keyword_as_name(slice.found_span(), &found.text);
    }
    if let Some(before) = before.filter(|before| (before.is("->") || before.is(":")) && !found.is_word()) {
        return problems::missing_type(slice.before_span().after(), &before.text);
    }
    if found.is("[") && before.is_some_and(Token::is_word) {
        return colon_before(&slice);
    }
    if keyword == "const" && found.is(":") {
        return slice.unexpected(Some(Hint::ConstForm));
    }
    if keyword == "const" && found.begins_operand() {
        let edit = Edit::replace(slice.gap_before(slice.fine), " = ");
        return slice.unexpected(Some(Hint::ConstForm)).fix_if(slice.fine == 2, "insert `=`", edit);
    }
    let behind_list = before.is_some_and(|before| before.kind == TokenKind::Close);
    if found.is(":") && behind_list {
        let typed = has_body && !slice.token(slice.fine + 1).is_some_and(|next| next.kind == TokenKind::Number);
        return match typed {
            true => problems::colon_for_arrow(slice.found_span()),
            false => problems::colon_block(slice.found_span()),
        };
    }
    if found.is("==") && behind_list {
        return slice.unexpected(Some(Hint::Body)).fix("write `=`", Edit::replace(slice.found_span(), "="));
    }
    if found.is_word() && slice.fine == 2 && !matches!(&*keyword, "data" | "train") {
        return slice.unexpected(Some(Hint::InputsInParentheses));
    }
    if found.begins_operand() && behind_list && !has_body {
        return slice.unexpected(Some(Hint::Body));
    }
    expression(&slice)
}

/// The head makes sense as far as it goes.
fn at_the_end(slice: &Slice, keyword: &str) -> Diagnostic {
    match slice.before() {
        Some(before) if before.is("->") || before.is(":") => {
            problems::missing_type(slice.last_span().after(), &before.text)
        }
        Some(_) if slice.fine == 1 => slice.unexpected(Some(Hint::NameBehind(keyword))),
        _ => expression(slice),
    }
}

/// The problem with a line outside of all declarations.
pub(super) fn item(slice: &Slice) -> Diagnostic {
    let Some(first) = slice.token(0) else { return slice.unexpected(None) };
    let (span, word) = (slice.token_span(0), &*first.text);
    if !first.is_word() {
        let hint = if first.kind == TokenKind::Symbol { Hint::OperatorEndsLine } else { Hint::Declaration };
        return slice.unexpected_at(0, Some(hint));
    }
    if word == "use" {
        let hint = if slice.is(1, ".") || slice.is(1, "/") { Hint::PathInQuotes } else { Hint::UseForms };
        return slice.unexpected_at(slice.fine.max(1), Some(hint));
    }
    if tokens::begins_item(word) {
        return slice.unexpected_at(1, Some(Hint::NameBehind(word)));
    }
    if problems::is_foreign(word) || word == "from" {
        return problems::foreign_word(span, word);
    }
    if word == "let" {
        return slice.unexpected_at(0, Some(Hint::ConstOutside));
    }
    if slice.is(1, "=") {
        let is_number = slice.tokens.len() == 3 && slice.token(2).is_some_and(|value| value.kind == TokenKind::Number);
        let place = Span { end: span.start, ..span };
        return problems::unknown_declaration(span, word, None).fix_if(
            is_number,
            "declare a constant",
            Edit::replace(place, "const "),
        );
    }
    problems::unknown_declaration(span, word, nearest(word, problems::DECLARATIONS.into_iter()))
}

/// The problem with what stands behind a complete declaration on its line.
pub(super) fn tail(slice: &Slice) -> Diagnostic {
    match slice.token(0) {
        Some(first) if tokens::begins_item(&first.text) => {
            problems::missing_newline(slice.token_span(0), slice.before_span(), "declaration")
        }
        _ => slice.unexpected_at(0, Some(Hint::OwnLine)),
    }
}
