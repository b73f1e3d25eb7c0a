//! Mistakes that can be seen in a token and its neighbours: signs and words of other languages, numbers, strings,
//! two statements on one line.
//!
//! In: tokens. Out: the same with the text that was meant in place of what was written, so that the rest of the
//! statement is understood, and one diagnostic for each.

use std::borrow::Cow;

use super::brackets::partner;
use super::layout::{Repairs, begins_line};
use super::tokens::{self, Token, TokenKind};
use crate::diagnostics::{Edit, syntax as problems};
use crate::source::Span;

/// Reports and mends what is wrong with single tokens.
pub(super) fn repair<'a>(tokens: &mut Vec<Token<'a>>, repairs: &mut Repairs) {
    let mut open: Vec<char> = Vec::new();
    let mut semicolons: Vec<Span> = Vec::new();
    for index in 0..tokens.len() {
        match tokens[index].kind {
            TokenKind::OpenString => {
                let token = &mut tokens[index];
                repairs.diagnostics.push(problems::unclosed_string(repairs.span(token)));
                token.kind = TokenKind::String;
                // A backslash at the end would take the quote with it.
                let text = token.text.trim_end_matches('\\');
                token.text = Cow::Owned(format!("{text}\""));
                repairs.ranges.insert(token.start..token.end);
            }
            TokenKind::String => escapes(&tokens[index], repairs),
            TokenKind::Number => number(tokens, index, repairs),
            TokenKind::Symbol if tokens[index].is(";") => semicolon(tokens, index, &open, &mut semicolons, repairs),
            TokenKind::Symbol => symbol(tokens, index, repairs),
            TokenKind::Stray => stray(tokens, index, repairs),
            TokenKind::Word => word(tokens, index, &open, repairs),
            TokenKind::Open => open.extend(tokens[index].text.chars().next()),
            TokenKind::Close => drop(open.pop()),
            TokenKind::Comment | TokenKind::Newline => {}
        }
    }
    if let Some(problem) = problems::semicolons(&semicolons) {
        repairs.diagnostics.push(problem);
    }
    conditions(tokens, repairs);
    lines(tokens, repairs);
}

fn replace(token: &mut Token, text: &str, kind: TokenKind, repairs: &mut Repairs) {
    token.text = Cow::Owned(text.to_string());
    token.kind = kind;
    repairs.ranges.insert(token.start..token.end);
}

fn remove(token: &mut Token, repairs: &mut Repairs) {
    replace(token, "", TokenKind::Comment, repairs);
}

fn escapes(token: &Token, repairs: &mut Repairs) {
    let mut characters = token.text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character != '\\' {
            continue;
        }
        let Some((_, escaped)) = characters.next() else { return };
        if !matches!(escaped, '"' | '\\' | 'n' | 't') {
            let start = token.start + at;
            let span = Span::new(repairs.file, start, start + 1 + escaped.len_utf8());
            repairs.diagnostics.push(problems::unknown_escape(span, &format!("\\{escaped}")));
            repairs.ranges.insert(start..start + 1);
        }
    }
}

/// `.5`, `5.`, `1_000`, `3x`, `0x1F`.
fn number(tokens: &mut [Token], index: usize, repairs: &mut Repairs) {
    let text = tokens[index].text.to_string();
    let dot = tokens.get(index + 1).filter(|dot| dot.is(".") && dot.start == tokens[index].end);
    let behind_dot = dot.is_some()
        && !tokens.get(index + 2).is_some_and(|next| next.is_word() && next.start == tokens[index + 1].end);
    if behind_dot && text.contains('.') {
        // `1.2.03` may be a version, a date, a number: nobody's guess.
        let digits = |next: &Token| next.kind == TokenKind::Number && next.start == tokens[index + 1].end;
        let end = index + 1 + usize::from(tokens.get(index + 2).is_some_and(digits));
        let span = repairs.span(&tokens[index]).to(repairs.span(&tokens[end]));
        let found: String = tokens[index..=end].iter().map(|token| &*token.text).collect();
        repairs.diagnostics.push(problems::malformed_number(span, &found, None));
        tokens[index + 1..=end].iter_mut().for_each(|token| remove(token, repairs));
        return;
    }
    if behind_dot {
        let span = repairs.span(&tokens[index]).to(repairs.span(&tokens[index + 1]));
        repairs.diagnostics.push(problems::malformed_number(span, &format!("{text}."), Some(&format!("{text}.0"))));
        return remove(&mut tokens[index + 1], repairs);
    }
    let replacement = if text.starts_with('.') {
        Some(format!("0{text}"))
    } else {
        match text.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
            Some(at) => match misspelled(&text, at) {
                Ok(fine) if fine => return,
                Ok(_) => None,
                Err(replacement) => Some(replacement),
            },
            None => return,
        }
    };
    let token = &mut tokens[index];
    repairs.diagnostics.push(problems::malformed_number(repairs.span(token), &text, replacement.as_deref()));
    replace(token, replacement.as_deref().unwrap_or("0"), TokenKind::Number, repairs);
}

/// What a number with letters or underscores in it should be: `Ok(true)` is fine as it is, `Ok(false)` anybody's guess.
fn misspelled(text: &str, at: usize) -> Result<bool, String> {
    let (digits, tail) = text.split_at(at);
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_' || byte == b'.') {
        let joined = text.replace('_', "");
        return Err(joined);
    }
    let exponent = tail.strip_prefix(['e', 'E']).map(|tail| tail.strip_prefix(['+', '-']).unwrap_or(tail));
    if let Some(exponent) = exponent.map(|exponent| exponent.strip_suffix('%').unwrap_or(exponent)) {
        if !exponent.is_empty() && exponent.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(true);
        }
        if exponent.is_empty() || exponent.starts_with(|next: char| next.is_ascii_digit()) {
            return Ok(false);
        }
    }
    match tail {
        "f" | "F" | "f32" | "f64" => Err(digits.to_string()),
        _ if digits == "0" && tail.len() > 1 && matches!(tail.as_bytes()[0], b'x' | b'X' | b'b' | b'o') => Ok(false),
        _ if tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => Err(format!("{digits} * {tail}")),
        _ => Ok(false),
    }
}

/// `;` at the end of a line, between statements or between values.
fn semicolon(tokens: &mut [Token], index: usize, open: &[char], ends: &mut Vec<Span>, repairs: &mut Repairs) {
    let next = tokens[index + 1..].iter().find(|next| next.kind != TokenKind::Comment);
    let ends_line = next.is_none_or(|next| next.kind == TokenKind::Newline || next.is("}") || next.is(";"));
    let span = repairs.span(&tokens[index]);
    let token = &mut tokens[index];
    if ends_line {
        ends.push(span);
        remove(token, repairs);
    } else if matches!(open.last(), Some('(' | '[')) {
        repairs.diagnostics.push(problems::semicolon_for_comma(span));
        replace(token, ",", TokenKind::Symbol, repairs);
    } else {
        repairs.diagnostics.push(problems::semicolon(span));
        replace(token, "\n", TokenKind::Newline, repairs);
    }
}

fn symbol(tokens: &mut [Token], index: usize, repairs: &mut Repairs) {
    let text = tokens[index].text.to_string();
    let span = repairs.span(&tokens[index]);
    let token = &mut tokens[index];
    let meant = match &*text {
        "**" => "^",
        "&&" | "&" => "and",
        "||" => "or",
        "!" => "not",
        "===" => "==",
        "!==" => "!=",
        ":=" => "=",
        "|" => "|>",
        "+=" | "-=" | "*=" | "/=" | "**=" => {
            repairs.diagnostics.push(problems::foreign_update(span, &text));
            return replace(token, "=", TokenKind::Symbol, repairs);
        }
        "~" | "?" | "$" => {
            let character = text.chars().next().unwrap_or('?');
            let joins = joins_operands(tokens, index);
            repairs.diagnostics.push(problems::unexpected_character(span, character, !joins));
            return remove(&mut tokens[index], repairs);
        }
        _ => return,
    };
    let is_word = meant.starts_with(|c: char| c.is_ascii_alphabetic());
    let sticks =
        |behind: bool| match if behind { tokens.get(index + 1) } else { index.checked_sub(1).map(|at| &tokens[at]) } {
            Some(next) => {
                is_word
                    && matches!(next.kind, TokenKind::Word | TokenKind::Number)
                    && if behind { next.start == tokens[index].end } else { next.end == tokens[index].start }
            }
            None => false,
        };
    let edit = format!("{}{meant}{}", if sticks(false) { " " } else { "" }, if sticks(true) { " " } else { "" });
    repairs.diagnostics.push(problems::foreign(span, &text, meant, &edit));
    replace(&mut tokens[index], meant, if is_word { TokenKind::Word } else { TokenKind::Symbol }, repairs);
}

/// Whether removing the token would leave two values in a row.
fn joins_operands(tokens: &[Token], index: usize) -> bool {
    let before = index.checked_sub(1).is_some_and(|before| tokens[before].ends_operand());
    before && tokens.get(index + 1).is_some_and(Token::begins_operand)
}

fn stray(tokens: &mut [Token], index: usize, repairs: &mut Repairs) {
    let joins = joins_operands(tokens, index);
    let token = &mut tokens[index];
    let span = repairs.span(token);
    let text = token.text.to_string();
    let Some(first) = text.chars().next() else { return };
    let quoted = text.chars().count() > 1;
    let meant = match first {
        '#' => {
            repairs.diagnostics.push(problems::foreign_comment(span));
            return remove(token, repairs);
        }
        _ if quoted => {
            let inner: String = text.chars().skip(1).collect();
            let inner: String = inner.chars().take(inner.chars().count() - 1).collect();
            let string = format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""));
            repairs.diagnostics.push(problems::foreign_quotes(span, &string));
            return replace(token, &string, TokenKind::String, repairs);
        }
        '×' | '·' => "*",
        '÷' => "/",
        '−' | '–' | '—' => "-",
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '→' => "->",
        '²' => "^2",
        '³' => "^3",
        _ => {
            repairs.diagnostics.push(problems::unexpected_character(span, first, first.is_whitespace() || !joins));
            return remove(token, repairs);
        }
    };
    repairs.diagnostics.push(problems::foreign(span, &text, meant, meant));
    replace(token, meant, TokenKind::Symbol, repairs);
}

/// Words of other languages, where no name can stand or where they cannot be meant as one.
fn word(tokens: &mut [Token], index: usize, open: &[char], repairs: &mut Repairs) {
    let text = tokens[index].text.to_string();
    let next = tokens.get(index + 1);
    let names = next.is_some_and(|next| next.is("=") || next.is(":"));
    let begins = index.checked_sub(1).is_none_or(|before| {
        matches!(tokens[before].kind, TokenKind::Newline | TokenKind::Comment) || tokens[before].is("{")
    });
    let before_word = next.is_some_and(|next| next.is_word() && !tokens::is_reserved(&next.text));
    let bound = index.checked_sub(1).is_some_and(|before| {
        tokens::begins_item(&tokens[before].text) || tokens::begins_statement(&tokens[before].text)
    });
    if names || bound {
        return;
    }
    let meant = match &*text {
        "True" => "true",
        "False" => "false",
        "elif" | "elsif" | "elseif" => "else if",
        "var" | "val" if begins && before_word => "let",
        "def" | "func" | "function" | "fun" if begins && before_word && python_body(&tokens[index..]) => return,
        "def" | "func" | "function" | "fun" if begins && before_word => "fn",
        "return" if begins && !open.is_empty() => {
            let span = repairs.span(&tokens[index]);
            let mut problem = problems::foreign_word(span, "return");
            if let Some(next) = tokens.get(index + 1).filter(|next| next.kind != TokenKind::Newline) {
                let gap = Span { end: next.start as u32, ..span };
                problem = problem.fix("remove `return`", Edit::replace(gap, ""));
            }
            repairs.diagnostics.push(problem);
            return remove(&mut tokens[index], repairs);
        }
        "None" | "null" | "nil" | "nullptr" if !begins => {
            let span = repairs.span(&tokens[index]);
            let comma = tokens.get(index + 1).filter(|next| next.is(","));
            let behind = comma.and(tokens.get(index + 2)).map(|next| Span { end: next.start as u32, ..span });
            let in_shape = open.last() == Some(&'[') && index.checked_sub(1).is_some_and(|at| tokens[at].is("["));
            repairs.diagnostics.push(match in_shape {
                true => problems::none_in_shape(span, &text, behind),
                false => problems::foreign_word(span, &text),
            });
            repairs.ranges.insert(tokens[index].start..tokens[index].end);
            return;
        }
        _ => return,
    };
    repairs.diagnostics.push(problems::foreign(repairs.span(&tokens[index]), &text, meant, meant));
    replace(&mut tokens[index], meant, TokenKind::Word, repairs);
}

/// Whether the line ends in a colon: then it is not the word alone that is foreign.
fn python_body(tokens: &[Token]) -> bool {
    let line = tokens.iter().take_while(|token| token.kind != TokenKind::Newline);
    line.filter(|token| token.is_significant()).last().is_some_and(|token| token.is(":"))
}

/// `=` between `if` and `then`.
fn conditions(tokens: &mut [Token], repairs: &mut Repairs) {
    // For each open bracket, whether a condition is being read.
    let mut open = Vec::new();
    let mut condition = false;
    for index in 0..tokens.len() {
        match tokens[index].kind {
            TokenKind::Open => open.push(std::mem::take(&mut condition)),
            TokenKind::Close => condition = open.pop().unwrap_or(false),
            TokenKind::Word if tokens[index].is("if") => {
                // Elsewhere it is a name that a keyword cannot be, or that of an argument.
                let bound = index.checked_sub(1).is_some_and(|before| tokens::begins_statement(&tokens[before].text));
                let named = tokens.get(index + 1).is_some_and(|next| next.is("="));
                condition = !bound && !named;
            }
            TokenKind::Word if tokens[index].is("then") => condition = false,
            TokenKind::Symbol if tokens[index].is(",") => condition = false,
            TokenKind::Newline
                if condition
                    && !tokens[index + 1..]
                        .iter()
                        .find(|next| next.is_significant())
                        .is_some_and(|next| next.is("then")) =>
            {
                condition = false;
            }
            TokenKind::Symbol if condition && tokens[index].is("=") => {
                repairs.diagnostics.push(problems::assignment_in_condition(repairs.span(&tokens[index])));
                replace(&mut tokens[index], "==", TokenKind::Symbol, repairs);
            }
            _ => {}
        }
    }
}

/// What the innermost open bracket holds.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    /// Values between commas.
    Values,
    /// Statements.
    Block,
    /// Fields, with what was found of commas between them.
    Fields,
    /// Cases of an enumeration.
    Cases,
}

/// Two statements, fields or declarations on one line, and commas between fields.
fn lines(tokens: &mut Vec<Token>, repairs: &mut Repairs) {
    let mut open: Vec<Inside> = Vec::new();
    let mut brackets: Vec<char> = Vec::new();
    let mut commas: Vec<Vec<usize>> = Vec::new();
    let mut breaks: Vec<usize> = Vec::new();
    let mut item = String::new();
    // Whether the declaration at hand has come to its body.
    let mut has_body = false;
    for index in 0..tokens.len() {
        let token = &tokens[index];
        has_body |= open.is_empty() && (token.is("{") || token.is("="));
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        match token.kind {
            TokenKind::Open => {
                if open.is_empty() && token.is("{") && tokens::begins_item(&item) {
                    join_brace(tokens, index, repairs);
                }
                let token = &tokens[index];
                let before = index.checked_sub(1).map(|before| &tokens[before]);
                let inside = match &*token.text {
                    "{" if before.is_some_and(|before| before.is(":")) => Inside::Cases,
                    "{" if open.is_empty() && matches!(&*item, "data" | "train") => Inside::Fields,
                    "{" => Inside::Block,
                    _ => Inside::Values,
                };
                open.push(inside);
                brackets.push(partner(&token.text));
                commas.push(Vec::new());
            }
            // One that does not fit is looked at in `brackets`.
            TokenKind::Close if brackets.last().is_some_and(|close| !token.text.starts_with(*close)) => {}
            TokenKind::Close => {
                open.pop();
                brackets.pop();
                report_commas(tokens, &commas.pop().unwrap_or_default(), repairs);
            }
            TokenKind::Symbol if token.is(",") && open.last() == Some(&Inside::Fields) => {
                if let Some(found) = commas.last_mut().filter(|_| separates_fields(tokens, index)) {
                    found.push(index);
                }
            }
            TokenKind::Word => {
                let begins = before.is_none_or(|before| before.kind == TokenKind::Newline);
                if begins && (open.is_empty() || begins_item_at_margin(tokens, index)) {
                    item = token.text.to_string();
                    has_body = item == "use";
                    // What is still open here is closed later; see `brackets`.
                    open.clear();
                    brackets.clear();
                    commas.clear();
                }
                let what = match open.last() {
                    None if tokens::begins_item(&item) && !has_body => continue,
                    None => "declaration",
                    Some(Inside::Block) => "statement",
                    Some(Inside::Fields) => "field",
                    Some(Inside::Values | Inside::Cases) => continue,
                };
                if before.is_some_and(Token::ends_operand) && begins_part(tokens, index, what) {
                    let (at, before) = (repairs.span(&tokens[index]), repairs.span(&tokens[index - 1]));
                    repairs.diagnostics.push(problems::missing_newline(at, before, what));
                    repairs.ranges.insert(tokens[index].start..tokens[index].start);
                    breaks.push(index);
                }
            }
            _ => {}
        }
    }
    for found in commas {
        report_commas(tokens, &found, repairs);
    }
    let mut breaks = breaks.into_iter().peekable();
    let before = std::mem::take(tokens);
    for (index, token) in before.into_iter().enumerate() {
        if breaks.next_if_eq(&index).is_some() {
            let at = token.start;
            tokens.push(Token { kind: TokenKind::Newline, start: at, end: at, text: Cow::Borrowed("\n") });
        }
        tokens.push(token);
    }
}

/// Joins the line of a declaration's brace to the one before where it begins a line.
fn join_brace(tokens: &mut [Token], index: usize, repairs: &mut Repairs) {
    let before = (0..index).rev().find(|&before| tokens[before].is_significant());
    let Some(before) = before.filter(|before| before + 1 < index) else { return };
    let between = &tokens[before + 1..index];
    // A comment would swallow the brace, and behind these the line goes on anyway.
    let goes_on = tokens[before].is("=") || tokens[before].is("->") || tokens[before].is(",");
    if goes_on || between.iter().any(|token| token.kind != TokenKind::Newline) {
        return;
    }
    let (at, end) = (repairs.span(&tokens[index]), tokens[before].end);
    repairs.diagnostics.push(problems::brace_on_own_line(at, Span { start: end as u32, end: at.start, ..at }));
    repairs.ranges.insert(end..tokens[index].start);
    for token in &mut tokens[before + 1..index] {
        token.kind = TokenKind::Comment;
        token.text = Cow::Borrowed("\r");
    }
}

/// Whether a comma stands where a field ends: another begins behind it, or the line or the block ends.
fn separates_fields(tokens: &[Token], index: usize) -> bool {
    const LOOK_BACK: usize = 64;
    let line = tokens[..index].iter().rev().take_while(|before| before.kind != TokenKind::Newline && !before.is("{"));
    let has_value = line.take(LOOK_BACK).any(|before| before.is("=") || before.kind == TokenKind::Close);
    let behind = index + 1 + tokens[index + 1..].iter().take_while(|next| next.kind == TokenKind::Comment).count();
    let ends = tokens.get(behind).is_none_or(|next| next.kind == TokenKind::Newline || next.is("}"));
    has_value && (ends || begins_part(tokens, behind, "field"))
}

fn begins_item_at_margin(tokens: &[Token], index: usize) -> bool {
    let at_margin = index.checked_sub(1).is_none_or(|before| tokens[before].end == tokens[index].start);
    at_margin
        && tokens::begins_item(&tokens[index].text)
        && begins_line(&tokens[index], tokens.get(index + 1))
        && !tokens.get(index + 1).is_some_and(|next| next.is("=") || next.is(":"))
}

/// Whether a declaration, statement or field begins with the token, whatever stands before it.
fn begins_part(tokens: &[Token], index: usize, what: &str) -> bool {
    let token = &tokens[index];
    let second = tokens.get(index + 1);
    if !begins_line(token, second) {
        return false;
    }
    let named = second.is_some_and(|second| second.is("=") || second.is(":"));
    match what {
        "declaration" => tokens::begins_item(&token.text) && !named,
        "statement" => {
            let third = tokens.get(index + 2);
            let binds = second.is_some_and(|second| second.is("("))
                || third.is_some_and(|third| third.is("=") || third.is(":") || third.is("["));
            let emits = token.is("emit") && !second.is_some_and(|second| second.is("}"));
            tokens::begins_statement(&token.text) && !named && (binds || emits)
        }
        _ => named,
    }
}

fn report_commas(tokens: &mut [Token], found: &[usize], repairs: &mut Repairs) {
    let Some(&first) = found.first() else { return };
    let at = repairs.span(&tokens[first]);
    let mut edits = Vec::new();
    for &index in found {
        let ends_line = tokens[index + 1..].iter().find(|next| next.kind != TokenKind::Comment);
        let ends_line = ends_line.is_none_or(|next| next.kind == TokenKind::Newline || next.kind == TokenKind::Close);
        let (text, kind) = if ends_line { ("", TokenKind::Comment) } else { ("\n", TokenKind::Newline) };
        edits.extend(Edit::replace(repairs.span(&tokens[index]), text));
        replace(&mut tokens[index], text, kind, repairs);
    }
    repairs.diagnostics.push(problems::commas_between_fields(at, edits));
}
