//! Words for what does not fit.
//!
//! In: a slice of the text that stands in the wrong place, and what belongs there. The slice is parsed once more by the
//! strict rule of the place; pest says how far that came, and the tokens before and behind that point say what was
//! likely meant. Out: one diagnostic.

mod declarations;

use std::ops::Range;
use std::sync::Once;

use pest::Parser;

pub(super) use self::declarations::declaration;
use super::ast::Name;
use super::layout::Layout;
use super::parser::{Grammar, Rule};
use super::tokens::{self, Token, TokenKind};
use crate::diagnostics::syntax::{self as problems, Found, Hint};
use crate::diagnostics::{Diagnostic, Edit};
use crate::source::{FileId, Span, Spanned};

/// What belongs where the slice stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A declaration.
    Item,
    /// Nothing: a declaration has ended before it.
    Tail,
    /// A statement.
    Statement,
    /// A field.
    Field,
    /// The value of a statement or field.
    Value,
    /// An element between commas.
    Element,
    /// A type.
    Type,
}

/// So many tokens before a statement are looked at for the state that it may change: a text of such statements stays quick to read.
const STATE_REACH: usize = 500;

/// A slice, and the point up to which it makes sense.
struct Slice<'a> {
    layout: &'a Layout<'a>,
    file: FileId,
    place: Place,
    /// The tokens of the slice, by index.
    tokens: Vec<usize>,
    /// How many of them make sense.
    fine: usize,
    /// Where the slice begins in the source.
    start: Span,
}

/// The problem with a slice of the copy.
pub(super) fn slice(layout: &Layout, file: FileId, range: Range<usize>, place: Place) -> Diagnostic {
    let rule = match place {
        Place::Item => Rule::strict_item,
        Place::Statement => Rule::strict_statement,
        Place::Field => Rule::strict_field,
        Place::Value => Rule::strict_value,
        Place::Element => Rule::strict_element,
        Place::Type => Rule::strict_type,
        Place::Tail => return declarations::tail(&Slice::new(layout, file, range.clone(), place, range.start)),
    };
    let reach = reach(layout, rule, range.clone());
    let slice = Slice::new(layout, file, range, place, reach);
    match place {
        Place::Item => declarations::item(&slice),
        Place::Statement => statement(&slice),
        Place::Field => field(&slice),
        Place::Type => ty(&slice),
        Place::Value | Place::Element | Place::Tail => expression(&slice),
    }
}

/// The names that a statement or field which cannot be read would have bound: the first, and all words before its `=`.
pub(super) fn bound_names(layout: &Layout, file: FileId, range: Range<usize>) -> Vec<Name> {
    let slice: Vec<usize> = layout.significant(range).collect();
    let mut depth = 0_usize;
    let binds = slice.first().is_some_and(|&first| tokens::begins_statement(&layout.tokens[first].text));
    let sign = slice.iter().position(|&index| {
        let token = &layout.tokens[index];
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        // `let (a, b) == f(x)` would have bound both.
        token.is("=") && (binds || depth == 0) || binds && token.kind == TokenKind::Symbol && token.text.contains('=')
    });
    let listed = binds && slice.get(1).is_some_and(|&second| layout.tokens[second].kind == TokenKind::Open);
    let end = || slice.iter().position(|&index| layout.tokens[index].kind == TokenKind::Close);
    let head = sign.or_else(|| end().filter(|_| listed)).unwrap_or(2);
    let mut names = Vec::new();
    for (place, &index) in slice.iter().enumerate().take(head) {
        let token = &layout.tokens[index];
        let begins = tokens::begins_statement(&token.text) || token.is("const");
        // The name that cannot be one is used as one further down.
        let names_something = if place == 0 { !begins } else { place == 1 || !tokens::is_keyword(&token.text) };
        if token.is_word() && names_something {
            names.push(Spanned::new(token.text.to_string(), layout.token_span(file, index)));
        }
    }
    names
}

/// How far the strict rule comes in the slice, as an offset of the copy.
fn reach(layout: &Layout, rule: Rule, range: Range<usize>) -> usize {
    // Set once and for all: another thread may be in the middle of a parse.
    static DETAIL: Once = Once::new();
    DETAIL.call_once(|| pest::set_error_detail(true));
    let Err(error) = Grammar::parse(rule, &layout.text[range.clone()]) else { return range.end };
    let furthest = match error.parse_attempts() {
        Some(attempts) => attempts.max_position,
        None => match error.location {
            pest::error::InputLocation::Pos(at) => at,
            pest::error::InputLocation::Span((at, _)) => at,
        },
    };
    range.start + furthest
}

impl<'a> Slice<'a> {
    fn new(layout: &'a Layout, file: FileId, range: Range<usize>, place: Place, reach: usize) -> Slice<'a> {
        let tokens: Vec<usize> = layout.significant(range.clone()).collect();
        let fine = tokens.iter().take_while(|&&index| layout.range(index).end <= reach).count();
        let start = layout.span(file, range.start..range.start);
        let mut slice = Slice { layout, file, place, tokens, fine, start };
        slice.step_back();
        slice
    }

    /// The grammar reads a keyword before it knows that the word is none of the names it looks for. Such a keyword makes
    /// no sense.
    fn step_back(&mut self) {
        let Some(last) = self.fine.checked_sub(1) else { return };
        let Some(keyword) = self.token(last).filter(|token| token.is_word()) else { return };
        let before = last.checked_sub(1).and_then(|place| self.token(place));
        let behind_operand = before.is_some_and(Token::ends_operand);
        let misplaced = match &*keyword.text {
            "if" | "not" | "each" | "scan" | "repeat" | "true" | "false" => false,
            "and" | "or" | "then" | "else" | "on" | "over" | "from" | "as" => !behind_operand,
            word => tokens::is_reserved(word) && last > 0,
        };
        let bound = before.is_some_and(|before| {
            let binds = tokens::begins_statement(&before.text) || tokens::begins_item(&before.text);
            binds && before.is_word() && !before.is("emit")
        });
        if misplaced || (bound && tokens::is_keyword(&keyword.text)) {
            self.fine = last;
        }
    }

    fn token(&self, place: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(place).map(|&index| &self.layout.tokens[index])
    }

    fn token_span(&self, place: usize) -> Span {
        match self.tokens.get(place) {
            Some(&index) => self.layout.token_span(self.file, index),
            None => self.last_span().after(),
        }
    }

    /// The first token that makes no sense; `None` where the slice ends too early.
    fn found(&self) -> Option<&'a Token<'a>> {
        self.token(self.fine)
    }

    fn found_span(&self) -> Span {
        self.token_span(self.fine)
    }

    /// The last token that makes sense, or the one before the slice.
    fn before(&self) -> Option<&'a Token<'a>> {
        self.before_index().map(|index| &self.layout.tokens[index])
    }

    fn before_index(&self) -> Option<usize> {
        match self.fine.checked_sub(1) {
            Some(place) => Some(self.tokens[place]),
            None => self.layout.before_source(self.start.start as usize),
        }
    }

    fn before_span(&self) -> Span {
        self.before_index().map_or(self.start, |index| self.layout.token_span(self.file, index))
    }

    fn last_span(&self) -> Span {
        match self.tokens.last() {
            Some(&index) => self.layout.token_span(self.file, index),
            None => self.before_span(),
        }
    }

    /// The place of an `if` among the first tokens that has no `then`.
    fn open_condition(&self) -> Option<usize> {
        let mut open = Vec::new();
        let mut depth = 0_usize;
        for place in 0..self.fine {
            let Some(token) = self.token(place) else { break };
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                TokenKind::Word if depth == 0 && token.is("if") => open.push(place),
                TokenKind::Word if depth == 0 && token.is("then") => drop(open.pop()),
                _ => {}
            }
        }
        open.pop()
    }

    /// What is found does not fit.
    fn unexpected(&self, hint: Option<Hint>) -> Diagnostic {
        self.unexpected_at(self.fine, hint)
    }

    /// The token at a place does not fit.
    fn unexpected_at(&self, place: usize, hint: Option<Hint>) -> Diagnostic {
        let found = self.token(place).map_or(Found::End, found);
        problems::unexpected_token(self.token_span(place), found, hint)
    }

    /// The empty span at the beginning of a token.
    fn before_token(&self, place: usize) -> Span {
        let span = self.token_span(place);
        Span { end: span.start, ..span }
    }

    /// What lies between a token and the one before it.
    fn gap_before(&self, place: usize) -> Span {
        let (before, span) = (self.token_span(place.saturating_sub(1)), self.token_span(place));
        Span { start: before.end.min(span.start), end: span.start, ..span }
    }

    /// Whether the declaration names a state like that before the slice: by `state`, or in what a `scan` starts `from`.
    fn is_state(&self, name: &str) -> bool {
        let Some(&first) = self.tokens.first() else { return false };
        let before = self.layout.tokens[..first].iter().rev().take(STATE_REACH);
        let before = before.take_while(|token| !tokens::begins_item(&token.text));
        let mut named = false;
        let mut behind: Option<&Token> = None;
        for token in before {
            if token.is("from") && named || token.is("state") && behind.is_some_and(|next| next.is(name)) {
                return true;
            }
            let is_start = token.is(name) && behind.is_some_and(|next| next.is("="));
            // A line that begins like that is one more of its kind.
            named = is_start || named && !token.is("{");
            behind = Some(token);
        }
        false
    }

    fn is(&self, place: usize, text: &str) -> bool {
        self.token(place).is_some_and(|token| token.is(text))
    }
}

fn found<'a>(token: &'a Token) -> Found<'a> {
    match token.kind {
        TokenKind::String if token.text.len() > 24 => Found::LongString,
        _ => Found::Text(&token.text),
    }
}

fn statement(slice: &Slice) -> Diagnostic {
    let Some(first) = slice.token(0) else { return slice.unexpected(None) };
    let (span, second) = (slice.token_span(0), slice.token(1));
    let before_value = second.is_some_and(Token::begins_operand);
    if first.is_word() && before_value && problems::is_foreign(&first.text) {
        return problems::foreign_word(span, &first.text);
    }
    // `x = 3` without `let`.
    if first.is_word() && slice.is(1, "=") {
        let named = !tokens::is_keyword(&first.text);
        let (hint, word) = match slice.is_state(&first.text) {
            true => (Hint::ChangeWithNext, "next"),
            false => (Hint::BindWithLet, "let"),
        };
        let edit = Edit::replace(slice.before_token(0), format!("{word} "));
        return slice.unexpected_at(1, Some(hint)).fix_if(named, format!("insert `{word}`"), edit);
    }
    if tokens::begins_statement(&first.text) {
        if let Some(problem) = binding(slice, first) {
            return problem;
        }
    } else if tokens::begins_item(&first.text) && second.is_some_and(Token::is_word) {
        return slice.unexpected_at(0, Some(Hint::DeclarationInside));
    } else if slice.fine == 0 && first.kind == TokenKind::Symbol && !first.is("-") {
        return slice.unexpected_at(0, Some(Hint::OperatorEndsLine));
    }
    expression(slice)
}

/// The problem with the name that a statement binds.
fn binding(slice: &Slice, keyword: &Token) -> Option<Diagnostic> {
    let found = slice.found();
    if slice.fine == 1 {
        return match found {
            Some(found) if tokens::is_keyword(&found.text) => {
                Some(problems::keyword_as_name(slice.found_span(), &found.text))
            }
            Some(_) if keyword.is("emit") => None,
            None if keyword.is("emit") => Some(problems::missing_value(slice.last_span().after(), "emit")),
            _ => Some(slice.unexpected(Some(Hint::NameBehind(&keyword.text)))),
        };
    }
    if slice.fine == 2 && (keyword.is("let") || keyword.is("next")) {
        let name = slice.token(1).map_or("", |token| &token.text);
        return Some(match found {
            Some(found) if found.is(":") => slice.unexpected(Some(Hint::NoTypeHere(&keyword.text))),
            Some(found) if found.is(",") && keyword.is("let") => slice.unexpected(Some(Hint::BindSeveral)),
            Some(_) => slice.unexpected(Some(Hint::Binding(&keyword.text, name))),
            None => problems::missing_value(slice.last_span().after(), &keyword.text)
                .help(Hint::Binding(&keyword.text, name).to_string()),
        });
    }
    (slice.fine == 2 && slice.is(2, "[")).then(|| colon_before(slice))
}

/// A type without the colon before it.
fn colon_before(slice: &Slice) -> Diagnostic {
    let edit = Edit::replace(slice.gap_before(slice.fine), ": ");
    slice.unexpected(Some(Hint::ColonBeforeType)).fix("insert `:`", edit)
}

fn field(slice: &Slice) -> Diagnostic {
    if slice.is(0, "let") {
        let span = slice.token_span(0);
        let span = if slice.tokens.len() > 1 { Span { end: slice.token_span(1).start, ..span } } else { span };
        return slice.unexpected_at(0, Some(Hint::FieldForm)).fix("remove `let`", Edit::replace(span, ""));
    }
    if slice.is(1, ":") {
        let value = slice.token(2);
        if slice.is(2, "=") || value.is_none() {
            return problems::missing_type(slice.token_span(1).after(), ":");
        }
        // `epochs: 3`, as a dictionary has it.
        let called = value.is_some_and(|value| value.is_word() && !value.is("class")) && slice.is(3, "(");
        let literal = value.is_some_and(|value| matches!(value.kind, TokenKind::Number | TokenKind::String));
        if (called || literal) && !has_equals(slice) {
            return problems::colon_for_equals(slice.token_span(1));
        }
    }
    if slice.fine == 1 && slice.is(1, "[") {
        return colon_before(slice);
    }
    match slice.found() {
        Some(found) if slice.fine == 1 && found.is_word() && has_equals(slice) => colon_before(slice),
        Some(found) if slice.fine == 1 && found.begins_operand() => {
            let edit = Edit::replace(slice.gap_before(1), " = ");
            slice.unexpected(Some(Hint::FieldForm)).suggest("insert `=`", edit)
        }
        Some(_) if slice.fine <= 1 => slice.unexpected(Some(Hint::FieldForm)),
        None => problems::missing_value(slice.last_span().after(), slice.before().map_or("", |token| &token.text))
            .help(Hint::FieldForm.to_string()),
        Some(_) => expression(slice),
    }
}

fn has_equals(slice: &Slice) -> bool {
    (0..slice.tokens.len()).any(|place| slice.is(place, "="))
}

fn ty(slice: &Slice) -> Diagnostic {
    slice.unexpected(Some(Hint::TypeForms))
}

/// What is wrong with an expression, from the tokens around the point it makes sense up to.
fn expression(slice: &Slice) -> Diagnostic {
    let before = slice.before();
    let behind_operand = before.is_some_and(Token::ends_operand);
    let Some(found) = slice.found() else { return too_early(slice, behind_operand) };
    let span = slice.found_span();
    let reserved = found.is_word() && tokens::is_reserved(&found.text);
    if let Some(open) = slice.open_condition().filter(|_| behind_operand) {
        if found.is(":") {
            return problems::colon_for_then(span);
        }
        if found.begins_operand() || found.kind == TokenKind::Open || found.is("else") {
            let place = slice.before_span().after();
            return problems::missing_then(slice.token_span(open), place, !found.is("else"));
        }
    }
    if found.is(":") {
        return match before {
            Some(before) if before.is("else") => {
                slice.unexpected(Some(Hint::NoColonBehindElse)).fix("remove `:`", Edit::replace(span, ""))
            }
            _ => slice.unexpected((slice.place == Place::Element).then_some(Hint::ArgumentForms)),
        };
    }
    if behind_operand {
        return behind_value(slice, found, span, reserved);
    }
    if reserved && matches!(&*found.text, "then" | "else" | "and" | "or") {
        return problems::missing_value_before(span, &found.text);
    }
    if reserved || (found.is_word() && tokens::is_keyword(&found.text)) {
        return problems::keyword_as_name(span, &found.text);
    }
    match found.kind {
        TokenKind::Symbol if before.is_none_or(|before| !before.is(".")) => {
            problems::missing_value_before(span, &found.text)
        }
        TokenKind::Close => problems::missing_value_before(span, &found.text),
        _ => slice.unexpected(None),
    }
}

/// A value is complete and something that does not continue it follows.
fn behind_value(slice: &Slice, found: &Token, span: Span, reserved: bool) -> Diagnostic {
    let in_list = slice.place == Place::Element;
    let begins_value = found.begins_operand() || found.kind == TokenKind::Open;
    match &*found.text {
        "=" => slice.unexpected(Some(Hint::OneEquals)).suggest("compare with `==`", Edit::replace(span, "==")),
        "." => slice.unexpected(Some(Hint::NoAttributes)),
        "->" if slice.place != Place::Item && arrow_for_a_pipe(slice) => {
            let arrows = (slice.fine..slice.tokens.len()).filter(|&place| slice.is(place, "->"));
            let edits = arrows.flat_map(|place| Edit::replace(slice.token_span(place), "|>")).collect();
            slice.unexpected(Some(Hint::PipeForward)).suggest("write `|>`", edits)
        }
        "->" => slice.unexpected(Some(Hint::FunctionOutside)),
        "if" => problems::choice_behind_value(span),
        _ if begins_value && slice.before().is_some_and(|before| problems::is_foreign(&before.text)) => {
            problems::foreign_word(slice.before_span(), slice.before().map_or("", |before| &before.text))
        }
        _ if in_list && begins_value => problems::missing_comma(span, slice.before_span()),
        "then" | "else" if reserved => slice.unexpected(Some(Hint::NoIf(&found.text))),
        "from" | "over" if reserved => slice.unexpected(Some(Hint::ScanForm)),
        _ if slice.place == Place::Item => slice.unexpected(None),
        _ if begins_value && !reserved => slice.unexpected(Some(Hint::OperatorMissing)),
        _ => slice.unexpected(None),
    }
}

/// Whether a layer follows the arrow, not a type or what a function would give.
fn arrow_for_a_pipe(slice: &Slice) -> bool {
    let layer = slice.token(slice.fine + 1);
    layer.is_some_and(|layer| layer.is_word() && !matches!(&*layer.text, "class" | "int" | "float" | "bool"))
        && slice.token(slice.fine + 2).is_none_or(|next| next.is("(") || next.is("->"))
}

/// The slice ends where something is still needed.
fn too_early(slice: &Slice, behind_operand: bool) -> Diagnostic {
    let end = slice.last_span().after();
    // The slice is fine elsewhere: there are no names and ranges in parentheses and dimensions.
    let misplaced = (0..slice.tokens.len()).find(|&place| slice.is(place, "=") || slice.is(place, ".."));
    if let Some(place) = misplaced.filter(|_| behind_operand) {
        return slice.unexpected_at(place, None);
    }
    if let Some(open) = slice.open_condition().filter(|_| behind_operand) {
        return problems::missing_then(slice.token_span(open), end, false);
    }
    match slice.before() {
        Some(before) if !behind_operand => problems::missing_value(end, &before.text),
        _ => problems::unexpected_token(end, Found::End, None),
    }
}
