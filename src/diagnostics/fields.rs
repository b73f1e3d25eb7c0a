//! Problems with the fields of a `data` declaration as they are written: sources, columns, splits, balance.

use super::{Diagnostic, Edit, foreign, nearest};
use crate::source::{Span, Spanned};
use std::fmt::Display;

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Adds the nearest name, or all there are.
fn suggesting(diagnostic: Diagnostic, span: Span, name: &str, known: &[&str]) -> Diagnostic {
    let translated = foreign::argument(name, known.iter().copied());
    match translated.or_else(|| nearest(name, known.iter().copied())) {
        Some(near) => diagnostic
            .at(span, format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), Edit::replace(span, near)),
        None if known.is_empty() => diagnostic.at(span, "not known"),
        None => diagnostic.at(span, "not known").help(format!("there is {}", listed(known.iter().copied()))),
    }
}

/// `unknown-field`: a name without a type that is none of the fields every `data` has.
pub fn unknown_field(name: &Spanned<String>, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-field", format!("`data` has no field `{}`", name.value));
    suggesting(diagnostic, name.span, &name.value, known)
        .help(format!("a field of your own has a type: `{}: [] = …`", name.value))
}

/// `missing-source`: data that says nothing of where it comes from.
pub fn without_source(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-source", format!("the data `{}` has no source", name.value))
        .at(name.span, "where do its rows come from?")
        .help("add `source = csv(\"file.csv\")`, `generate(1000, seed = 1)` or `moons(500, seed = 1)`")
}

/// `unknown-source`: a source of no known form.
pub fn unknown_source(span: Span, name: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-source", format!("there is no source `{name}`"));
    suggesting(diagnostic, span, name, known)
}

/// `unknown-source`: an expression that is no source.
pub fn not_a_source(span: Span, known: &[&str]) -> Diagnostic {
    Diagnostic::error("unknown-source", "this is no source of rows")
        .at(span, "a source belongs here")
        .help(format!("the sources are {}", listed(known.iter().copied())))
}

/// `not-supported-yet`: a source of the language that cannot be read yet.
pub fn source_not_supported(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("not-supported-yet", format!("`{name}` sources are not supported yet"))
        .at(span, "cannot be read yet")
        .help("`csv`, `idx` and `npz` files can be read, and folders of `images`")
}

/// `split-part`: a source without its part in a list of sources.
pub fn source_without_part(span: Span) -> Diagnostic {
    Diagnostic::error("split-part", "each source of a list is a part of the split")
        .at(span, "which part is this?")
        .help("write `[train = csv(\"…\"), test = csv(\"…\")]`; the parts are `train`, `val` and `test`")
}

/// `split-part`: a part that has a source and a share.
pub fn part_with_source(share: &Spanned<String>, source: Span) -> Diagnostic {
    Diagnostic::error("split-part", format!("the part `{}` has a source of its own and a share", share.value))
        .at(share.span, "a share of `train`")
        .and(source, "has its own source here")
        .help("the split divides the rows of `train`; leave this share out")
}

/// `split-part`: a list of sources without one to train on.
pub fn sources_without_train(span: Span) -> Diagnostic {
    Diagnostic::error("split-part", "no source is for training")
        .at(span, "one of these is `train`")
        .help("write `[train = csv(\"…\"), test = csv(\"…\")]`")
}

/// `unknown-argument`: an argument that a source or column does not have.
pub fn unknown_argument(name: &Spanned<String>, callee: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-argument", format!("`{callee}` has no argument `{}`", name.value));
    suggesting(diagnostic, name.span, &name.value, known)
}

/// `missing-argument`: an argument that a source or column needs.
pub fn missing_argument(span: Span, callee: &str, what: &str) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("`{callee}` needs {what}")).at(span, format!("without {what}"))
}

/// `too-many-arguments`: more than a source or column takes.
pub fn too_many_arguments(span: Span, callee: &str, known: &[&str]) -> Diagnostic {
    let takes = if known.is_empty() { String::from("none") } else { listed(known.iter().copied()) };
    Diagnostic::error("too-many-arguments", format!("`{callee}` does not take as many arguments"))
        .collected()
        .at(span, "one too many")
        .help(format!("it takes {takes}"))
}

/// `missing-argument`: a file or an array without the name of its column.
pub fn column_without_name(span: Span, callee: &str, example: &str) -> Diagnostic {
    Diagnostic::error("missing-argument", format!("each column of `{callee}` needs a name"))
        .at(span, "give it a name")
        .help(format!("write `{example}`"))
}

/// `wrong-kind`: something else than the place asks for.
pub fn wanted(span: Span, wanted: &str, found: &str) -> Diagnostic {
    Diagnostic::error("wrong-kind", format!("{wanted} belongs here, not {found}")).at(span, format!("this is {found}"))
}

/// `out-of-range`: a number that the place does not take.
pub fn out_of_range(span: Span, what: &str, value: impl Display) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("{what}, not {value}")).at(span, "out of range")
}

/// `wrong-kind`: a separator that is not one character.
pub fn separator_wanted(span: Span) -> Diagnostic {
    Diagnostic::error("wrong-kind", "a separator is one ASCII character")
        .at(span, "not one character")
        .help("write `separator = \";\"` or `separator = \"\\t\"`")
}

/// `no-columns`: a column of a source that has none.
pub fn source_without_columns(span: Span) -> Diagnostic {
    Diagnostic::error("no-columns", "`generate` has no columns")
        .at(span, "no column to take")
        .help("the fields' own expressions make its values: `x: [] = uniform(-1, 1)`")
}

/// `fill-kind`: a mean or median of categories.
pub fn fill_of_categories(span: Span, fill: &str) -> Diagnostic {
    Diagnostic::error("fill-kind", format!("categories have no {fill}"))
        .at(span, "cannot fill a class")
        .help("fill with `most_frequent`, with the name of a class, or `drop` the row")
}

/// `fill-kind`: a text to fill numbers with.
pub fn fill_not_a_number(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error("fill-kind", format!("{text:?} cannot fill a column of numbers"))
        .at(span, "a number belongs here")
        .help("fill with a number, `mean`, `median`, `most_frequent`, or `drop` the row")
}

/// `fill-kind`: a mean, median or most frequent of texts.
pub fn fill_of_text(span: Span) -> Diagnostic {
    Diagnostic::error("fill-kind", "texts that become words have no typical value")
        .at(span, "cannot fill a text")
        .help("fill with a text, `fill = \"\"` for no words at all, or `drop` the row")
}

/// `fill-kind`: rows dropped from a series.
pub fn drop_in_series(span: Span) -> Diagnostic {
    Diagnostic::error("fill-kind", "a row dropped from a series would bring steps together that are not neighbours")
        .at(span, "drops rows of a series")
        .help("fill with `mean`, `median`, `most_frequent` or a value")
}

/// `series-shuffled`: windows over a series whose rows are to be shuffled before they are split.
pub fn series_out_of_order(span: Span) -> Diagnostic {
    Diagnostic::error("series-shuffled", "a series stays in order when it is split")
        .at(span, "would shuffle its windows")
        .help("neighbouring windows share most of their steps: shuffled, training would see what it is judged by; leave this out")
}

/// `transform-kind`: a transform of what it cannot learn from.
pub fn transform_of(span: Span, transform: &str, found: &impl Display) -> Diagnostic {
    let help = match transform {
        "frequency" => "it counts a class or cuts a number `[]` into intervals",
        _ => "it rescales numbers; a class becomes numbers with `one_hot`",
    };
    Diagnostic::error("transform-kind", format!("`{transform}` cannot learn from {found}"))
        .at(span, format!("this is {found}"))
        .help(help)
}

/// `not-supported-yet`: a transform in a loop.
pub fn transform_in_region(span: Span, transform: &str) -> Diagnostic {
    Diagnostic::error("not-supported-yet", format!("`{transform}` inside of `each` or `scan` is not supported yet"))
        .at(span, "not supported yet")
        .help("give it a field of its own and use that here")
}

/// `misplaced`: something that trains or looks at a batch, in a data field.
pub fn not_in_data(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("misplaced", format!("a data field has no {what}"))
        .at(span, "not in a data field")
        .help("a field is computed once for each row, before the training; what is learned belongs into the model")
}

/// `missing-type`: a field that is used before its type is known.
pub fn field_without_type(span: Span, field: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-type", format!("the type of the field `{}` is not known here", field.value))
        .at(span, "used here")
        .and(field.span, "declared without a type")
        .help(format!("write its type: `{}: [] = …`", field.value))
}

/// `recursion`: fields that are made of each other.
pub fn field_cycle(ring: &[&Spanned<String>]) -> Diagnostic {
    let [first, rest @ ..] = ring else {
        return Diagnostic::error("recursion", "a field is made of itself");
    };
    let message = match rest {
        [] => format!("the field `{}` is made of itself", first.value),
        rest => {
            let names = listed(rest.iter().map(|name| name.value.as_str()));
            format!("the field `{}` is made of itself, by way of {names}", first.value)
        }
    };
    let mut diagnostic = Diagnostic::error("recursion", message).at(first.span, "leads back to itself");
    for name in rest.iter().take(4) {
        diagnostic = diagnostic.and(name.span, "on the way");
    }
    diagnostic.help("a field's expression uses columns and other fields, but not itself")
}

/// `wrong-kind`: a split that is no list of shares.
pub fn split_wanted(span: Span) -> Diagnostic {
    Diagnostic::error("wrong-kind", "a split is a list of parts with their shares")
        .at(span, "not such a list")
        .help("write `split = [train = 70%, val = 15%, test = 15%]`")
}

/// `unknown-balance`: a way of balancing that is none.
pub fn unknown_balance(span: Span, name: &str, known: &[&str]) -> Diagnostic {
    suggesting(Diagnostic::error("unknown-balance", format!("there is no balance `{name}`")), span, name, known)
}

/// `wrong-kind`: a balance that is no call.
pub fn balance_wanted(span: Span) -> Diagnostic {
    Diagnostic::error("wrong-kind", "a balance names the way and the field")
        .at(span, "not a balance")
        .help("write `balance = weights(f)`, `oversample(f)` or `undersample(f)` with the name of a field")
}

/// `unknown-name`: a field to balance by that is none.
pub fn unknown_balanced_field(span: Span, name: &str, fields: &[&str]) -> Diagnostic {
    suggesting(Diagnostic::error("unknown-name", format!("there is no field `{name}`")), span, name, fields)
}

/// `balance-kind`: a field that is neither one class nor one number.
pub fn cannot_balance(span: Span, field: &str, found: &impl Display) -> Diagnostic {
    Diagnostic::error("balance-kind", format!("`{field}` is {found}, which cannot be balanced"))
        .at(span, format!("this is {found}"))
        .help("balance by a field that is one class or one number")
}

/// `column-list`: columns by name and by number in one list.
pub fn mixed_columns(span: Span) -> Diagnostic {
    Diagnostic::error("column-list", "names, patterns and numbers of columns do not mix here")
        .at(span, "one kind of them")
        .help("the file is not there to look the names up; write all columns by number or all by name")
}
