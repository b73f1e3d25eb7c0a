//! Problems with the text of a program: one constructor each.

use std::fmt;

use super::{Diagnostic, Edit};
use crate::source::Span;

/// `too-deep`: brackets nest deeper than the parser goes.
pub fn nested_too_deep(at: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("too-deep", format!("brackets and `if`s nest more than {limit} deep"))
        .at(at, "this is one too many")
        .help("name a part with `let`, or move it into a declaration of its own")
}

/// `too-deep`: a chain of operators is longer than a tree may be high.
pub fn too_many_levels(at: Span, limit: usize) -> Diagnostic {
    Diagnostic::error("too-deep", format!("this expression has more than {limit} levels"))
        .at(at, "what is this deep is not read")
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
pub fn unmatched_bracket(at: Span, close: &str, is_doubled: bool) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("this `{close}` closes nothing"))
        .at(at, "nothing is open here")
        .suggest_if(is_doubled, format!("remove `{close}`"), Edit::replace(at, ""))
}

/// `unmatched-bracket`: a bracket is closed by one of another kind.
pub fn wrong_bracket(at: Span, found: &str, opening: Span, close: &str) -> Diagnostic {
    // `{n]` may as well be a list whose beginning is wrong.
    let is_certain = close != "}";
    Diagnostic::error("unmatched-bracket", format!("`{found}` stands where `{close}` is needed"))
        .at(at, format!("this should be `{close}`"))
        .and(opening, "opened here")
        .fix_if(is_certain, format!("write `{close}`"), Edit::replace(at, close))
}

/// `unmatched-bracket`: a bracket stands where another one has to open.
pub fn wrong_opening(at: Span, found: &str, open: &str) -> Diagnostic {
    Diagnostic::error("unmatched-bracket", format!("`{found}` stands where `{open}` is needed"))
        .at(at, format!("this should be `{open}`"))
        .fix(format!("write `{open}`"), Edit::replace(at, open))
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
    if character == '?' {
        return problem.help("a choice is written `if … then … else …`");
    }
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

/// `foreign-syntax`: `;` between statements. What ends a statement is the end of the line.
pub fn semicolon(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "the end of the line ends a statement, no `;`")
        .at(at, "begin a new line")
        .fix("begin a new line", Edit::replace(at, "\n"))
}

/// `foreign-syntax`: `;` at the ends of lines, told once for all of them.
pub fn semicolons(all: &[Span]) -> Option<Diagnostic> {
    let (first, others) = all.split_first()?;
    let label = match others.len() {
        0 => "not needed".to_owned(),
        1 => "not needed, nor in one more line".to_owned(),
        more => format!("not needed, nor in {more} more lines"),
    };
    let edits = all.iter().map(|&span| Edit { span, text: String::new() }).collect();
    let title = if others.is_empty() { "remove `;`" } else { "remove each `;`" };
    let problem = Diagnostic::error("foreign-syntax", "the end of the line ends a statement, no `;`");
    Some(problem.at(*first, label).fix(title, edits))
}

/// `foreign-syntax`: `;` between values.
pub fn semicolon_for_comma(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "values in a list are separated by `,`, no `;`")
        .at(at, "write `,`")
        .fix("write `,`", Edit::replace(at, ","))
}

/// `foreign-syntax`: `a if condition else b`.
pub fn choice_behind_value(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "the condition stands before the values")
        .at(at, "not behind a value")
        .help("write `if condition then a else b`")
}

/// `foreign-syntax`: a batch axis written as `None` in a shape.
pub fn none_in_shape(at: Span, word: &str, removed: Option<Span>) -> Diagnostic {
    let problem = Diagnostic::error("foreign-syntax", format!("there is no `{word}` in a shape"))
        .at(at, "not an axis of one sample")
        .help("shapes are those of one sample; the batch is no axis of them");
    match removed {
        Some(span) => problem.fix(format!("remove `{word}`"), Edit::replace(span, "")),
        None => problem,
    }
}

/// `foreign-syntax`: commas between the fields of a block.
pub fn commas_between_fields(at: Span, edits: Vec<Edit>) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "fields stand on lines of their own, without commas")
        .at(at, "no comma between fields")
        .fix("remove the commas", edits)
}

/// `foreign-syntax`: `:` where `=` gives a value.
pub fn colon_for_equals(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "a value stands behind `=`, no `:`")
        .at(at, "write `=`")
        .fix("write `=`", Edit::replace(at, " ="))
}

/// `foreign-syntax`: `:` where `->` stands before the type of the result.
pub fn colon_for_arrow(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "the type of the result stands behind `->`, no `:`")
        .at(at, "write `->`")
        .fix("write `->`", Edit::replace(at, " ->"))
}

/// Words of other languages, and what is done here instead.
const FOREIGN_WORDS: [(&str, &str); 24] = [
    ("def", "a function is declared by `fn f(x) = …`, outside of other declarations"),
    ("func", "a function is declared by `fn f(x) = …`, outside of other declarations"),
    ("function", "a function is declared by `fn f(x) = …`, outside of other declarations"),
    ("fun", "a function is declared by `fn f(x) = …`, outside of other declarations"),
    ("lambda", "a function is declared by `fn f(x) = …`, outside of other declarations"),
    ("class", "layers and models are declared by `layer` and `model`"),
    ("struct", "layers and models are declared by `layer` and `model`"),
    ("import", "another file is brought in by `use \"./file.nn\"`, a module by `use std.vision`"),
    ("from", "another file is brought in by `use \"./file.nn\"`, a module by `use std.vision`"),
    ("include", "another file is brought in by `use \"./file.nn\"`"),
    ("require", "another file is brought in by `use \"./file.nn\"`"),
    ("for", "layers repeat by `repeat 3 { … }`, a sequence is walked by `scan`"),
    ("while", "layers repeat by `repeat 3 { … }`, a sequence is walked by `scan`"),
    ("return", "the last expression of a block is its value"),
    ("None", "leave out what has no value"),
    ("null", "leave out what has no value"),
    ("nil", "leave out what has no value"),
    ("nullptr", "leave out what has no value"),
    ("try", "a block holds `let`, `param`, `state`, `next`, `emit` and its value"),
    ("with", "a block holds `let`, `param`, `state`, `next`, `emit` and its value"),
    ("del", "a block holds `let`, `param`, `state`, `next`, `emit` and its value"),
    ("global", "a number for the whole file is declared by `const NAME = value`"),
    ("static", "a number for the whole file is declared by `const NAME = value`"),
    ("var", "a name is bound by `let`, a number for the whole file by `const`"),
];

/// Whether `foreign_word` knows the word.
pub fn is_foreign(word: &str) -> bool {
    FOREIGN_WORDS.iter().any(|(foreign, _)| *foreign == word)
}

/// `foreign-syntax`: a word that other languages have and this one does not.
pub fn foreign_word(at: Span, word: &str) -> Diagnostic {
    let problem =
        Diagnostic::error("foreign-syntax", format!("there is no `{word}` in this language")).at(at, "not known");
    match FOREIGN_WORDS.iter().find(|(foreign, _)| *foreign == word) {
        Some((_, instead)) => problem.help(*instead),
        None => problem,
    }
}

/// `foreign-syntax`: an assignment that changes a variable, such as `+=`.
pub fn foreign_update(at: Span, found: &str) -> Diagnostic {
    Diagnostic::error("foreign-syntax", format!("there is no `{found}` in this language"))
        .at(at, "nothing is changed in place")
        .help("a name is bound once: give the new value a new name")
}

/// `foreign-syntax`: a block that begins with a colon.
pub fn colon_block(at: Span) -> Diagnostic {
    Diagnostic::error("foreign-syntax", "no colon begins a block")
        .at(at, "a colon stands before a type only")
        .help("write the body in braces, `{ … }`, or behind `=`")
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
    Diagnostic::error("missing-value", format!("a value is missing behind `{behind}`"))
        .at(at, "a value is missing here")
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

/// The words that begin declarations.
pub const DECLARATIONS: [&str; 14] = [
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

/// `unexpected-token`: the brace of a body on a line of its own.
pub fn brace_on_own_line(at: Span, gap: Span) -> Diagnostic {
    Diagnostic::error("unexpected-token", "`{` begins no line")
        .at(at, "it belongs on the line before")
        .fix("join the lines", Edit::replace(gap, " "))
}

/// What stands where it does not fit.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A word or sign.
    Text(&'a str),
    /// A string too long to repeat.
    LongString,
    /// Nothing more.
    End,
}

/// `unexpected-token`: something that does not fit where it stands.
pub fn unexpected_token(at: Span, found: Found, hint: Option<Hint>) -> Diagnostic {
    let (message, label) = match found {
        Found::Text(text) => (format!("`{text}` is not expected here"), "does not fit here"),
        Found::LongString => ("a string is not expected here".to_string(), "does not fit here"),
        Found::End => ("something is missing at the end".to_string(), "something is missing here"),
    };
    let problem = Diagnostic::error("unexpected-token", message).at(at, label);
    match hint {
        Some(hint) => problem.help(hint.to_string()),
        None => problem,
    }
}

/// What belongs where something does not fit.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is its sentence below")]
pub enum Hint<'a> {
    Declaration,
    NameBehind(&'a str),
    ModelBeforeOn,
    ConstForm,
    ConstOutside,
    FieldForm,
    Binding(&'a str, &'a str),
    BindWithLet,
    ChangeWithNext,
    BindSeveral,
    PipeForward,
    NoTypeHere(&'a str),
    DeclarationInside,
    FunctionOutside,
    OwnLine,
    Body,
    InputsInParentheses,
    ColonBeforeType,
    TypeForms,
    NoColonBehindElse,
    NoIf(&'a str),
    ScanForm,
    ArgumentForms,
    OneEquals,
    OperatorMissing,
    OperatorEndsLine,
    NoAttributes,
    PathInQuotes,
    UseForms,
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let fixed = match self {
            Hint::NameBehind("model") => {
                "a model has a name and says what it takes: `model Net(x: [4]) -> y: [2] { … }`"
            }
            Hint::NameBehind(word) => return write!(f, "a name belongs behind `{word}`"),
            Hint::Binding(keyword, name) => return write!(f, "write `{keyword} {name} = value`"),
            Hint::NoTypeHere(keyword) => return write!(f, "a `{keyword}` takes no type; its value has one"),
            Hint::NoIf(word) => return write!(f, "there is no `if` that this `{word}` belongs to"),
            Hint::Declaration => "a declaration is expected here",
            Hint::ModelBeforeOn => "the model to train stands before `on`",
            Hint::ConstForm => "a constant is a number: write `const NAME = value`",
            Hint::ConstOutside => "a number for the whole file is declared by `const NAME = value`",
            Hint::FieldForm => "a field is written `name = value`",
            Hint::BindSeveral => "several values are bound in parentheses: `let (a, b) = value`",
            Hint::PipeForward => "a value goes on to a layer by `|>`: `x |> dense(10) |> softmax`",
            Hint::BindWithLet => "`let` binds a name",
            Hint::ChangeWithNext => "`next` says what a state is in the next step",
            Hint::DeclarationInside => "a declaration stands outside of all others",
            Hint::FunctionOutside => "a function is declared by `fn f(x) = …`, outside of other declarations",
            Hint::OwnLine => "the declaration before it is complete: a new one needs a line of its own",
            Hint::Body => "the body stands behind `=` or in braces, `{ … }`",
            Hint::InputsInParentheses => "inputs stand in parentheses, `f(x)`",
            Hint::ColonBeforeType => "a type stands behind a colon",
            Hint::TypeForms => {
                "a type is a shape such as `[n, 3]`, or `class(10)`, `int`, `float`, `bool`, or cases: `{valid, same}`"
            }
            Hint::NoColonBehindElse => "no colon stands behind `else`",
            Hint::ScanForm => "a scan is written `scan x_t over x from (h = …) { … }`",
            Hint::ArgumentForms => "an argument is given by name with `=`; a range is `a..b`",
            Hint::OneEquals => "only a name is given a value by `=`; `==` compares",
            Hint::OperatorMissing => "an operator is missing before it, or a new line",
            Hint::OperatorEndsLine => "an expression goes on in the next line where an operator ends the one before",
            Hint::NoAttributes => "nothing is reached by a dot; what works on `x` is called: `f(x)`",
            Hint::PathInQuotes => "a file is named in quotes, `use \"./file.nn\"`",
            Hint::UseForms => "a file is named in quotes, `use \"./file.nn\"`, a module by words, `use std.vision`",
        };
        f.write_str(fixed)
    }
}
