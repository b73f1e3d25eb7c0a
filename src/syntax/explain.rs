//! Words for what does not fit.
//!
//! In: a slice of the text that stands in the wrong place, and what belongs there. The slice is parsed once more by the
//! strict rule of the place; pest says how far that came, and the tokens before and behind that point say what was
//! likely meant. Out: one diagnostic.

use std::ops::Range;
use std::sync::Once;

use pest::Parser;

use super::ast::Name;
use super::layout::Layout;
use super::parser::{Grammar, Rule};
use super::tokens::{self, Token, TokenKind};
use crate::diagnostics::{Diagnostic, Edit, nearest, syntax as problems};
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
        Place::Tail => return tail(&Slice::new(layout, file, range.clone(), place, range.start)),
    };
    let reach = reach(layout, rule, range.clone());
    let slice = Slice::new(layout, file, range, place, reach);
    match place {
        Place::Item => item(&slice),
        Place::Statement => statement(&slice),
        Place::Field => field(&slice),
        Place::Type => ty(&slice),
        Place::Value | Place::Element | Place::Tail => expression(&slice),
    }
}

/// The problem with the head of a declaration that begins like one.
pub(super) fn declaration(
    layout: &Layout,
    file: FileId,
    whole: Range<usize>,
    head: Range<usize>,
    has_body: bool,
) -> Diagnostic {
    let reach = reach(layout, Rule::strict_item, whole).min(head.end.max(head.start));
    let slice = Slice::new(layout, file, head, Place::Item, reach);
    let keyword = slice.token(0).map_or(String::new(), |token| token.text.to_string());
    if slice.fine >= slice.tokens.len() && !has_body {
        return problems::missing_body(slice.last_span().after(), &keyword);
    }
    if let (Some(found), 1) = (slice.found(), slice.fine)
        && tokens::is_keyword(&found.text)
    {
        if keyword == "train" && found.is("on") {
            return problems::missing_value_before(slice.found_span(), "on").help("the model to train stands here");
        }
        return problems::keyword_as_name(slice.found_span(), &found.text);
    }
    if let Some(before) = slice.before().filter(|before| before.is("->") || before.is(":"))
        && slice.found().is_none_or(|found| !found.is_word())
    {
        return problems::missing_type(slice.before_span().after(), &before.text);
    }
    if let Some(found) = slice.found().filter(|found| found.is("[")) {
        let typed = slice.before().is_some_and(Token::is_word).then(|| colon_before(&slice));
        return typed.unwrap_or_else(|| slice.unexpected(found));
    }
    if keyword == "const" && slice.found().is_some_and(|found| found.is(":")) {
        let help = "a constant is a number: write `const NAME = value`";
        return problems::unexpected_token(slice.found_span(), "a type", Some(help.to_string()));
    }
    if let Some(found) = slice.found().filter(|found| keyword == "const" && found.begins_operand()) {
        let gap = Span { start: slice.before_span().end, end: slice.found_span().start, ..slice.found_span() };
        return slice.unexpected(found).help("a constant is written `const NAME = value`").fix_if(
            slice.fine == 2,
            "insert `=`",
            Edit::replace(gap, " = "),
        );
    }
    if let Some(found) = slice.found().filter(|found| found.is(":")) {
        let block = "write the body in braces, `{ … }`, or behind `=`";
        return match slice.before() {
            Some(before) if before.kind == TokenKind::Close => problems::colon_block(slice.found_span(), block),
            _ => slice.unexpected(found),
        };
    }
    expression(&slice)
}

/// The names a statement that cannot be read would have bound.
pub(super) fn bound_names(layout: &Layout, file: FileId, range: Range<usize>) -> Vec<Name> {
    let mut names = Vec::new();
    for (place, index) in layout.significant(range).enumerate() {
        let token = &layout.tokens[index];
        let binds = place > 0 || tokens::begins_statement(&token.text) || token.is("const");
        let opens = token.is("(") || token.is(",") || token.is(")");
        match token.kind {
            TokenKind::Word if place == 0 && !binds => {
                names.push(Spanned::new(token.text.to_string(), layout.token_span(file, index)));
            }
            TokenKind::Word if place == 0 => {}
            TokenKind::Word if !tokens::is_keyword(&token.text) => {
                names.push(Spanned::new(token.text.to_string(), layout.token_span(file, index)));
            }
            _ if opens => {}
            _ => break,
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

    fn unexpected(&self, found: &Token) -> Diagnostic {
        problems::unexpected_token(self.found_span(), &shown(found), None)
    }
}

fn shown(token: &Token) -> String {
    let text: String = token.text.chars().take(24).collect();
    match token.kind {
        TokenKind::String if text.len() < token.text.len() => "this string".to_string(),
        _ => format!("`{text}`"),
    }
}

fn item(slice: &Slice) -> Diagnostic {
    let Some(first) = slice.token(0) else { return problems::unexpected_token(slice.start, "this", None) };
    let span = slice.token_span(0);
    if !first.is_word() {
        return problems::unexpected_token(span, &shown(first), Some("a declaration is expected here".to_string()));
    }
    let word = &*first.text;
    let second = slice.token(1);
    match word {
        "def" | "func" | "function" | "fun" => {
            return problems::foreign_word(span, word, "a function is declared by `fn f(x) = …`");
        }
        "class" | "struct" => {
            return problems::foreign_word(span, word, "layers and models are declared by `layer` and `model`");
        }
        "import" | "from" | "include" | "require" => {
            return problems::foreign_word(span, word, "another file is brought in by `use \"./file.nn\"`");
        }
        "for" | "while" => return problems::foreign_word(span, word, "layers repeat by `repeat 3 { … }`"),
        "let" | "var" => {
            let help = "a number for the whole file is declared by `const NAME = value`";
            return problems::unexpected_token(span, "`let`", Some(help.to_string()));
        }
        _ => {}
    }
    if tokens::begins_item(word) {
        return match second {
            Some(second) if second.is("=") => problems::unexpected_token(
                slice.token_span(1),
                "`=`",
                Some(format!("a name is missing behind `{word}`")),
            ),
            Some(second) if second.kind == TokenKind::Stray => slice.unexpected(second),
            Some(second) => problems::unexpected_token(
                slice.token_span(1),
                &shown(second),
                Some(format!("a name belongs behind `{word}`")),
            ),
            None => problems::unexpected_token(
                span.after(),
                "the end of the line",
                Some(format!("a name belongs behind `{word}`")),
            ),
        };
    }
    if second.is_some_and(|second| second.is("=")) {
        return problems::unknown_declaration(span, word, None).fix_if(
            slice.token(2).is_some_and(|value| value.kind == TokenKind::Number) && slice.tokens.len() == 3,
            "declare a constant",
            Edit::replace(Span { end: span.start, ..span }, "const "),
        );
    }
    problems::unknown_declaration(span, word, similar(word))
}

/// The keyword of a declaration that a word is likely a misspelling of.
fn similar(word: &str) -> Option<&'static str> {
    const KEYWORDS: [&str; 14] = [
        "use",
        "const",
        "fn",
        "activation",
        "loss",
        "metric",
        "penalty",
        "init",
        "schedule",
        "optimizer",
        "layer",
        "model",
        "data",
        "train",
    ];
    nearest(word, KEYWORDS.into_iter())
}

fn tail(slice: &Slice) -> Diagnostic {
    let Some(first) = slice.token(0) else { return problems::unexpected_token(slice.start, "this", None) };
    if tokens::begins_item(&first.text) {
        return problems::missing_newline(slice.token_span(0), slice.before_span(), "declaration");
    }
    let help = "the declaration before it is complete: a new one needs a line of its own";
    problems::unexpected_token(slice.token_span(0), &shown(first), Some(help.to_string()))
}

fn statement(slice: &Slice) -> Diagnostic {
    let Some(first) = slice.token(0) else { return problems::unexpected_token(slice.start, "this", None) };
    let (span, second) = (slice.token_span(0), slice.token(1));
    match &*first.text {
        "for" | "while" if first.is_word() && second.is_some_and(Token::begins_operand) => {
            let help = "layers repeat by `repeat 3 { … }`, a sequence is walked by `scan`";
            return problems::foreign_word(span, &first.text, help);
        }
        "import" | "def" | "class" | "del" | "try" | "with"
            if first.is_word() && second.is_some_and(Token::begins_operand) =>
        {
            return problems::foreign_word(
                span,
                &first.text,
                "a block holds `let`, `param`, `state`, `next`, `emit` and its value",
            );
        }
        _ => {}
    }
    // `x = 3` without `let`.
    if first.is_word() && !tokens::is_keyword(&first.text) && second.is_some_and(|second| second.is("=")) {
        let place = Span { end: span.start, ..span };
        return problems::unexpected_token(slice.token_span(1), "`=`", Some("`let` binds a name".to_string()))
            .fix(format!("bind `{}` with `let`", first.text), Edit::replace(place, "let "));
    }
    if tokens::begins_statement(&first.text) {
        if let Some(problem) = binding(slice, first) {
            return problem;
        }
    } else if tokens::begins_item(&first.text) && second.is_some_and(Token::is_word) {
        return problems::unexpected_token(
            span,
            &shown(first),
            Some("a declaration stands outside of all others".to_string()),
        );
    }
    expression(slice)
}

/// The problem with the name that a statement binds.
fn binding(slice: &Slice, keyword: &Token) -> Option<Diagnostic> {
    let found = slice.found();
    if slice.fine == 1 {
        return Some(match found {
            Some(found) if tokens::is_keyword(&found.text) => {
                problems::keyword_as_name(slice.found_span(), &found.text)
            }
            Some(_) if keyword.is("emit") => return None,
            Some(found) => problems::unexpected_token(
                slice.found_span(),
                &shown(found),
                Some(format!("a name belongs behind `{}`", keyword.text)),
            ),
            None if keyword.is("emit") => problems::missing_value(slice.last_span().after(), "`emit`"),
            None => problems::unexpected_token(
                slice.last_span().after(),
                "the end of the line",
                Some(format!("a name belongs behind `{}`", keyword.text)),
            ),
        });
    }
    if slice.fine == 2 && (keyword.is("let") || keyword.is("next")) {
        let name = slice.token(1).map_or(String::new(), |token| token.text.to_string());
        let help = match found {
            Some(found) if found.is(":") => format!("a `{}` takes no type; its value has one", keyword.text),
            _ => format!("write `{} {name} = value`", keyword.text),
        };
        return Some(match found {
            Some(found) => problems::unexpected_token(slice.found_span(), &shown(found), Some(help)),
            None => problems::missing_value(slice.last_span().after(), &format!("`{}`", keyword.text)).help(help),
        });
    }
    (slice.fine == 2 && found.is_some_and(|found| found.is("["))).then(|| colon_before(slice))
}

/// A type without the colon before it.
fn colon_before(slice: &Slice) -> Diagnostic {
    let gap = Span { start: slice.before_span().end, end: slice.found_span().start, ..slice.found_span() };
    problems::unexpected_token(slice.found_span(), "`[`", Some("a type stands behind a colon".to_string()))
        .fix("insert `:`", Edit::replace(gap, ": "))
}

fn field(slice: &Slice) -> Diagnostic {
    let (first, second) = (slice.token(0), slice.token(1));
    if let Some(first) = first.filter(|first| first.is("let")) {
        let mut span = slice.token_span(0);
        if second.is_some() {
            span.end = slice.token_span(1).start;
        }
        return problems::unexpected_token(
            slice.token_span(0),
            &shown(first),
            Some("a field is written `name = value`".to_string()),
        )
        .fix("remove `let`", Edit::replace(span, ""));
    }
    match slice.found() {
        Some(found) if slice.fine == 1 && found.is("[") => colon_before(slice),
        Some(found) if slice.fine <= 1 => problems::unexpected_token(
            slice.found_span(),
            &shown(found),
            Some("a field is written `name = value`".to_string()),
        ),
        None => problems::missing_value(
            slice.last_span().after(),
            &format!("`{}`", slice.before().map_or("", |token| &token.text)),
        )
        .help("a field is written `name = value`"),
        Some(_) => expression(slice),
    }
}

fn ty(slice: &Slice) -> Diagnostic {
    let help =
        "a type is a shape such as `[n, 3]`, `class(10)`, `int`, `float`, `bool` or cases such as `{valid, same}`";
    match slice.found() {
        Some(found) => problems::unexpected_token(slice.found_span(), &shown(found), Some(help.to_string())),
        None => problems::unexpected_token(slice.last_span().after(), "the end", Some(help.to_string())),
    }
}

/// What is wrong with an expression, from the tokens around the point it makes sense up to.
fn expression(slice: &Slice) -> Diagnostic {
    let before = slice.before();
    let behind_operand = before.is_some_and(Token::ends_operand);
    let Some(found) = slice.found() else { return too_early(slice, behind_operand) };
    let span = slice.found_span();
    let reserved = found.is_word() && tokens::is_reserved(&found.text);
    if let Some(open) = slice.open_condition().filter(|_| behind_operand) {
        let then_missing = found.begins_operand() || found.kind == TokenKind::Open || found.is("else") || found.is(":");
        if then_missing {
            let place = if found.is(":") { span } else { slice.before_span().after() };
            return match found.is(":") {
                true => problems::colon_for_then(span),
                false => problems::missing_then(slice.token_span(open), place, !found.is("else")),
            };
        }
    }
    if found.is(":") {
        return match before {
            Some(before) if before.is("else") => {
                problems::unexpected_token(span, "`:`", Some("no colon stands behind `else`".to_string()))
                    .fix("remove `:`", Edit::replace(span, ""))
            }
            _ if slice.place == Place::Element => problems::unexpected_token(
                span,
                "`:`",
                Some("an argument is given by name with `=`; a range is `a..b`".to_string()),
            ),
            _ => problems::unexpected_token(span, "`:`", None),
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
        _ => slice.unexpected(found),
    }
}

/// A value is complete and something that does not continue it follows.
fn behind_value(slice: &Slice, found: &Token, span: Span, reserved: bool) -> Diagnostic {
    if found.is("=") {
        let help = match slice.place {
            Place::Element => "only a name can be given a value here; `==` compares",
            _ => "a line holds one `=`; `==` compares",
        };
        return problems::unexpected_token(span, "`=`", Some(help.to_string()))
            .suggest("compare with `==`", Edit::replace(span, "=="));
    }
    if reserved {
        let help = match &*found.text {
            "then" | "else" => Some(format!("there is no `if` that this `{}` belongs to", found.text)),
            "from" | "over" => Some("a scan is written `scan x_t over x from (h = …) { … }`".to_string()),
            _ => None,
        };
        if slice.place == Place::Element && found.begins_operand() {
            return problems::missing_comma(span, slice.before_span());
        }
        return problems::unexpected_token(span, &shown(found), help);
    }
    if found.begins_operand() || found.kind == TokenKind::Open {
        return match slice.place {
            Place::Element => problems::missing_comma(span, slice.before_span()),
            Place::Item => slice.unexpected(found),
            _ => {
                let help = "an operator is missing before it, or a new line";
                problems::unexpected_token(span, &shown(found), Some(help.to_string()))
            }
        };
    }
    slice.unexpected(found)
}

/// The slice ends where something is still needed.
fn too_early(slice: &Slice, behind_operand: bool) -> Diagnostic {
    let end = slice.last_span().after();
    // The slice is fine elsewhere: there are no names and ranges in parentheses and dimensions.
    let mut misplaced = (0..slice.tokens.len()).filter_map(|place| Some((place, slice.token(place)?)));
    if let Some((place, token)) =
        misplaced.find(|(_, token)| token.is("=") || token.is("..")).filter(|_| behind_operand)
    {
        return problems::unexpected_token(slice.token_span(place), &shown(token), None);
    }
    if let Some(open) = slice.open_condition().filter(|_| behind_operand) {
        return problems::missing_then(slice.token_span(open), end, false);
    }
    match slice.before() {
        Some(before) if !behind_operand => problems::missing_value(end, &shown(before)),
        _ => problems::unexpected_token(end, "the end", None),
    }
}
