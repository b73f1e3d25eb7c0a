//! Advice: programs that run and look as if something else was meant. One constructor each; all are warnings.

use super::{Diagnostic, Edit};
use crate::source::{Span, Spanned};

/// What a piece of advice needs to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// The program alone.
    Program,
    /// The rows of the data, or at least how many there are.
    Data,
}

/// The codes that `// allow: code` silences.
pub const WARNINGS: &[(&str, Sight)] = &[
    ("batch-larger-than-data", Sight::Data),
    ("class-absent", Sight::Data),
    ("columns-differ", Sight::Data),
    ("constant-column", Sight::Data),
    ("file-absent", Sight::Data),
    ("header-is-data", Sight::Data),
    ("missing-seed", Sight::Program),
    ("name-style", Sight::Program),
    ("parts-overlap", Sight::Data),
    ("target-leak", Sight::Data),
    ("unbalanced-classes", Sight::Data),
    ("unused-declaration", Sight::Program),
    ("unused-field", Sight::Program),
    ("unused-name", Sight::Program),
    ("unused-parameter", Sight::Program),
    ("unused-use", Sight::Program),
    ("wide-range", Sight::Data),
];

/// `unknown-allow`: a comment allows what is no warning.
pub fn unknown_allow(code: &Spanned<String>, near: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::warning("unknown-allow", format!("no warning has the code `{}`", code.value))
        .at(code.span, "allows nothing");
    match near {
        Some(near) => diagnostic
            .help(format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), Edit::replace(code.span, near)),
        None => diagnostic.help("warnings alone can be allowed; `nnc explain` lists the codes"),
    }
}

/// `unused-allow`: a comment allows a warning that is not given.
pub fn unused_allow(code: &Spanned<String>, covers: &str, fix: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-allow", format!("`{}` is allowed where it is not given", code.value))
        .at(code.span, format!("there is no such warning {covers}"))
        .fix("remove it", fix)
}

/// `name-style`: a name that is written as another kind of thing is.
pub fn name_style(name: &Spanned<String>, what: &str, wanted: &str, style: &str, rename: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("name-style", format!("the {what} `{}` is not in `{style}`", name.value))
        .at(name.span, format!("would be `{wanted}`"))
        .help("models and data are named in `CamelCase`, all else in `snake_case`")
        .fix_if(!rename.is_empty(), format!("rename it to `{wanted}`"), rename)
}

/// `unused-declaration`: nothing that is run needs it.
pub fn unused_declaration(keyword: &str, name: &Spanned<String>, removal: Vec<Edit>) -> Diagnostic {
    let why = match keyword {
        "model" => "no `train` trains it",
        "data" => "no `train` uses it",
        _ => "nothing uses it",
    };
    Diagnostic::warning("unused-declaration", format!("the {keyword} `{}` is not used", name.value))
        .at(name.span, why)
        .suggest_if(!removal.is_empty(), "remove it", removal)
}

/// `unused-use`: no declaration of the file is named.
pub fn unused_use(span: Span, removal: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-use", "nothing of this file is used")
        .at(span, "brings names that none needs")
        .fix("remove it", removal)
}

/// `unused-parameter`: a configuration parameter or an input that the body does not name.
pub fn unused_parameter(what: &str, name: &Spanned<String>, owner: &str, rename: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-parameter", format!("`{owner}` does not use its {what} `{}`", name.value))
        .at(name.span, "not named in the body")
        .help("a name that begins with `_` is meant to be unused")
        .fix_if(!rename.is_empty(), format!("write `_{}`", name.value), rename)
}

/// `unused-name`: a `let`, `param` or `state` that nothing reads.
pub fn unused_name(keyword: &str, name: &Spanned<String>, removal: Vec<Edit>) -> Diagnostic {
    let (message, label) = match keyword {
        "param" => (format!("the parameter `{}` is not used", name.value), "nothing reads it, so it learns nothing"),
        "state" => (format!("the state `{}` is not read", name.value), "it is kept for nothing"),
        _ => (format!("`{}` is not used", name.value), "nothing reads it"),
    };
    Diagnostic::warning("unused-name", message).at(name.span, label).suggest("remove it", removal)
}

/// `unused-field`: a field that neither a model, a run nor another field names.
pub fn unused_field(name: &Spanned<String>, data: &str, removal: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("unused-field", format!("no run uses the field `{}` of `{data}`", name.value))
        .at(name.span, "no input of a trained model has this name, and no loss or metric names it")
        .suggest("remove it", removal)
}

/// `missing-seed`: runs are compared and the seed is not written.
pub fn missing_seed(models: Span, count: usize, insertion: Vec<Edit>) -> Diagnostic {
    Diagnostic::warning("missing-seed", format!("{count} runs are compared and no seed is written"))
        .at(models, "these are compared")
        .help("a comparison is worth as much as its luck is even: write the seed, and try another before trusting the winner")
        .fix("write the seed", insertion)
}

/// `batch-larger-than-data`: a batch is never full.
pub fn batch_larger_than_data(span: Span, batch: usize, data: &Spanned<String>, rows: usize) -> Diagnostic {
    let message = format!("a batch of {batch} is larger than the {rows} training rows of `{}`", data.value);
    Diagnostic::warning("batch-larger-than-data", message)
        .at(span, "no batch is ever full")
        .and(data.span, format!("{rows} rows are for training"))
        .help("with several batches in an epoch the model takes several steps, and their noise helps it along")
}
