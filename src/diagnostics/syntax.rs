//! Problems with the text of a program: one constructor each.

use super::{Diagnostic, Edit};
use crate::source::Span;

/// `too-deep`: brackets nest deeper than the parser goes.
pub fn nested_too_deep(at: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("too-deep", format!("brackets and `if`s nest more than {limit} deep"))
        .at(at, "this is one too many")
        .help("name a part with `let`, or move it into a declaration of its own")
}

/// `too-deep`: a chain of operators is longer than a tree may be high.
pub fn chain_too_long(at: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("too-deep", format!("this expression has more than {limit} levels"))
        .at(at, "a chain this long is not read")
        .help("name a part of it with `let`")
}

/// `unclosed-bracket`: a bracket is opened and never closed.
pub fn unclosed_bracket(opening: Span, open: &str, place: Span, close: &str) -> Diagnostic {
    Diagnostic::error("unclosed-bracket", format!("this `{open}` is never closed"))
        .at(opening, "opened here")
        .and(place, format!("`{close}` is missing, perhaps here"))
        .suggest(format!("insert `{close}`"), Edit::replace(place, close))
}

/// `unmatched-bracket`: a closing bracket without an opening one.
pub fn unmatched_bracket(at: Span, close: &str) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("this `{close}` closes nothing"))
        .at(at, "nothing is open here")
        .suggest(format!("remove `{close}`"), Edit::replace(at, ""))
}

/// `unmatched-bracket`: a bracket is closed by one of another kind.
pub fn wrong_bracket(at: Span, found: &str, opening: Span, close: &str) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("`{found}` stands where `{close}` is needed"))
        .at(at, format!("this should be `{close}`"))
        .and(opening, "opened here")
        .fix(format!("write `{close}`"), Edit::replace(at, close))
}

/// `unclosed-string`: a string does not end on its line.
pub fn unclosed_string(at: Span) -> Diagnostic {
    Diagnostic::error("unclosed-string", "this string is never closed")
        .at(at, "`\"` is missing at its end")
        .suggest("insert `\"`", Edit::replace(at.after(), "\""))
}

/// `unknown-escape`: a backslash in a string before a character that has no escape.
pub fn unknown_escape(at: Span, escape: &str) -> Diagnostic {
    Diagnostic::error("unknown-escape", format!("`{escape}` is no escape"))
        .at(at, "strange escape")
        .help("there are `\\\"`, `\\\\`, `\\n` and `\\t`; a path may use `/` everywhere")
        .fix("double the backslash", Edit::replace(Span { end: at.start, ..at }, "\\"))
}

/// `unexpected-character`: a character that no text has outside of strings and comments.
pub fn unexpected_character(at: Span, character: char, removable: bool) -> Diagnostic {
    let shown = match character {
        '\0'..=' ' | '\u{7f}'..='\u{a0}' | '\u{200b}'..='\u{200f}' => {
            format!("the character U+{:04X}", character as u32)
        }
        _ => format!("`{character}`"),
    };
    let problem = Diagnostic::error("unexpected-character", format!("{shown} has no meaning here"))
        .at(at, "not part of the language");
    if character.is_alphabetic() {
        return problem.help("names are made of the letters a to z, digits and `_`");
    }
    match removable {
        true => problem.suggest("remove it", Edit::replace(at, if character.is_whitespace() { " " } else { "" })),
        false => problem,
    }
}

/// `foreign-syntax`: something is written as in another language, and `replacement` is how it is written here; `edit`
/// has the blanks it needs on both sides.
pub fn foreign(at: Span, found: &str, replacement: &str, edit: &str) -> Diagnostic {
    Diagnostic::error("foreign-syntax", format!("`{found}` is written `{replacement}` here"))
        .at(at, format!("write `{replacement}`"))
        .fix(format!("write `{replacement}`"), Edit::replace(at, edit))
}

/// `foreign-syntax`: a colon behind a condition.
pub fn colon_for_then(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "`then` stands behind a condition, no `:`")
        .at(at, "write `then`")
        .fix("write `then`", Edit::replace(at, " then"))
}

/// `foreign-syntax`: a comment that begins with `#`.
pub fn foreign_comment(at: Span) -> Diagnostic {
    let sign = Span { end: at.start + 1, ..at };
    Diagnostic::error("foreign-syntax", "comments begin with `//`")
        .at(sign, "write `//`")
        .fix("write `//`", Edit::replace(sign, "//"))
}

/// `foreign-syntax`: a string in other quotes.
pub fn foreign_quotes(at: Span, string: &str) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "strings stand in double quotes")
        .at(at, format!("write `{string}`"))
        .fix(format!("write `{string}`"), Edit::replace(at, string))
}

/// `foreign-syntax`: a `;`. What ends a statement is the end of the line.
pub fn semicolon(at: Span, ends_line: bool) -> Diagnostic {
    let problem = Diagnostic::error("foreign-syntax", "the end of the line ends a statement, no `;`");
    if ends_line {
        problem.at(at, "not needed").fix("remove `;`", Edit::replace(at, ""))
    } else {
        problem.at(at, "begin a new line").fix("begin a new line", Edit::replace(at, "\n"))
    }
}

/// `foreign-syntax`: commas between the fields of a block.
pub fn commas_between_fields(at: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "fields stand on lines of their own, without commas")
        .at(at, "no comma between fields")
        .fix("remove the commas", edits)
}

/// `foreign-syntax`: a word that other languages have and this one does not.
pub fn foreign_word(at: Span, word: &str, instead: &str) -> Diagnostic {
    Diagnostic::error("foreign-syntax", format!("there is no `{word}` in this language"))
        .at(at, "not known")
        .help(instead)
}

/// `foreign-syntax`: a block that begins with a colon.
pub fn colon_block(at: Span, instead: &str) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "no colon begins a block")
        .at(at, "a colon stands before a type only")
        .help(instead)
}

/// `malformed-number`: something that begins like a number.
pub fn malformed_number(at: Span, found: &str, replacement: Option<&str>) -> Diagnostic {
    let problem = Diagnostic::error("malformed-number", format!("`{found}` is no number"));
    match replacement {
        Some(replacement) => problem
            .at(at, format!("write `{replacement}`"))
            .fix(format!("write `{replacement}`"), Edit::replace(at, replacement)),
        None => problem.at(at, "not a number").help("numbers are written `3`, `0.5`, `1e-3` or `20%`"),
    }
}

/// `assignment-in-condition`: `=` where `==` compares.
pub fn assignment_in_condition(at: Span) -> Diagnostic {
    Diagnostic::error("assignment-in-condition", "`=` gives a name a value; `==` compares")
        .at(at, "write `==`")
        .fix("write `==`", Edit::replace(at, "=="))
}

/// `missing-newline`: two statements, fields or declarations on one line.
pub fn missing_newline(at: Span, before: Span, what: &str) -> Diagnostic {
    Diagnostic::error("missing-newline", format!("two {what}s stand on one line"))
        .at(at, format!("this {what} needs a line of its own"))
        .and(before, "the one before ends here")
        .fix("begin a new line", Edit::replace(Span { start: before.end, end: at.start, ..at }, "\n"))
}

/// `missing-comma`: two values in a row in a list.
pub fn missing_comma(at: Span, before: Span) -> Diagnostic {
    Diagnostic::error("missing-comma", "a comma is missing between two values")
        .at(before.after(), "`,` is missing here")
        .and(at, "the next value")
        .fix("insert `,`", Edit::replace(before.after(), ","))
}

/// `missing-value`: an expression is missing, behind what `behind` says.
pub fn missing_value(at: Span, behind: &str) -> Diagnostic {
    Diagnostic::error("missing-value", format!("a value is missing behind {behind}")).at(at, "a value is missing here")
}

/// `missing-value`: an expression is missing between two things.
pub fn missing_value_before(at: Span, found: &str) -> Diagnostic {
    Diagnostic::error("missing-value", format!("a value is missing before `{found}`"))
        .at(at, "a value belongs before this")
}

/// `missing-type`: no type behind `:` or `->`.
pub fn missing_type(at: Span, behind: &str) -> Diagnostic {
    Diagnostic::error("missing-type", format!("a type is missing behind `{behind}`"))
        .at(at, "a type is missing here")
        .help("a type is a shape such as `[n, 3]`, or `class(10)`, `int`, `float`, `bool`")
}

/// `missing-else`: an `if` without its other branch.
pub fn missing_else(at: Span) -> Diagnostic {
    Diagnostic::error("missing-else", "this `if` has no `else`")
        .at(at, "what is the value where the condition does not hold?")
        .help("`if` is an expression: write `if … then … else …`")
}

/// `missing-then`: an `if` without `then`.
pub fn missing_then(at: Span, place: Span, inserted: bool) -> Diagnostic {
    Diagnostic::error("missing-then", "this `if` has no `then`")
        .at(place, "`then` is missing here")
        .and(at, "the condition begins here")
        .help("a condition is written `if … then … else …`")
        .fix_if(inserted, "insert `then`", Edit::replace(place, " then"))
}

/// `missing-body`: a declaration that ends behind its head.
pub fn missing_body(at: Span, keyword: &str) -> Diagnostic {
    let form = match keyword {
        "const" => "`= value`",
        "data" | "train" => "a block of fields, `{ … }`",
        _ => "`= expression` or a block, `{ … }`",
    };
    Diagnostic::error("missing-body", format!("this `{keyword}` has no body")).at(at, format!("{form} is missing here"))
}

/// `missing-inputs`: a declaration without a parameter list that needs one.
pub fn missing_inputs(at: Span, keyword: &str, name: &str) -> Diagnostic {
    Diagnostic::error("missing-inputs", format!("the {keyword} `{name}` has no list of inputs"))
        .at(at, "`(…)` is missing behind the name")
}

/// `extra-inputs`: a second parameter list where there are no tensors.
pub fn extra_inputs(at: Span, keyword: &str) -> Diagnostic {
    Diagnostic::error("extra-inputs", format!("`{keyword}` takes configuration only"))
        .at(at, "this second list takes tensors")
        .help("put everything into the first list; what it works on has a name already")
}

/// `keyword-as-name`: a keyword where a name is needed.
pub fn keyword_as_name(at: Span, keyword: &str) -> Diagnostic {
    Diagnostic::error("keyword-as-name", format!("`{keyword}` is a keyword and names nothing"))
        .at(at, "choose another name")
        .help(format!("`{keyword}_` would do"))
}

/// `chained-comparison`: `a < b < c`.
pub fn chained_comparison(at: Span, first: Span, fix: Option<Vec<Edit>>) -> Diagnostic {
    let fixable = fix.is_some();
    Diagnostic::error("chained-comparison", "comparisons do not chain")
        .at(at, "the second comparison")
        .and(first, "the first one")
        .help("write `a < b and b < c`")
        .fix_if(fixable, "join two comparisons with `and`", fix.unwrap_or_default())
}

/// `unknown-declaration`: a line outside of all declarations that begins none.
pub fn unknown_declaration(at: Span, word: &str, similar: Option<&str>) -> Diagnostic {
    let problem = Diagnostic::error("unknown-declaration", format!("`{word}` begins no declaration"));
    match similar {
        Some(similar) => problem
            .at(at, format!("did you mean `{similar}`?"))
            .suggest(format!("write `{similar}`"), Edit::replace(at, similar)),
        None => problem.at(at, "a declaration is expected here").help(
            "a file holds `use`, `const`, `fn`, `activation`, `loss`, `metric`, `penalty`, `init`, `schedule`, \
             `optimizer`, `layer`, `model`, `data` and `train`",
        ),
    }
}

/// `unexpected-token`: something that does not fit where it stands.
pub fn unexpected_token(at: Span, found: &str, help: Option<String>) -> Diagnostic {
    let problem =
        Diagnostic::error("unexpected-token", format!("{found} is not expected here")).at(at, "does not fit here");
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}
