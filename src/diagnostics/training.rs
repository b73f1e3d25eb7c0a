//! Problems with training runs: one constructor each.

use super::{Diagnostic, Edit, foreign};
use crate::source::{Span, Spanned};
use std::fmt::Display;

/// `not-supported-yet`: a construct that checks but has no code yet.
pub fn not_supported(what: impl Display, span: Span) -> Diagnostic {
    Diagnostic::error("not-supported-yet", format!("{what} is not supported here yet")).at(span, "needed by this run")
}

/// `model-too-large`: the run needs more memory than the machine has.
pub fn model_too_large(run: &str, span: Span, needed: u128, available: u128) -> Diagnostic {
    Diagnostic::error(
        "model-too-large",
        format!("training `{run}` needs {}, this machine has {}", memory(needed), memory(available)),
    )
    .at(span, "the tensors of this run do not fit")
    .help("make the layers or the batch smaller")
}

/// `output-unwritable`: the run directory or a file in it cannot be written.
pub fn output_unwritable(path: impl Display, reason: impl Display) -> Diagnostic {
    Diagnostic::error("output-unwritable", format!("cannot write {path}: {reason}"))
        .help("choose another directory with `--out DIR`, or make room on the disk")
}

/// `weights-unreadable`: a file of weights that cannot be used.
pub fn weights_unreadable(path: impl Display, reason: impl Display) -> Diagnostic {
    Diagnostic::error("weights-unreadable", format!("cannot read the weights in {path}: {reason}"))
}

/// `weights-mismatch`: the tensors of a file are not those of the model.
pub fn weights_mismatch(path: impl Display, tensor: &str, reason: impl Display) -> Diagnostic {
    Diagnostic::error("weights-mismatch", format!("the weights in {path} do not fit the model: `{tensor}` {reason}"))
        .help("use the `model.nn` that lies beside the weights")
}

/// `other-run`: a directory to go on from that is of another run.
pub fn other_run(directory: impl Display, run: &str) -> Diagnostic {
    Diagnostic::error("other-run", format!("{directory} is not from this run of `{run}`")).help(
        "the run's name, seed and data must be those of the run that is resumed; `--only NAME` picks one of several",
    )
}

/// `no-run-directory`: a directory to go on from is none, or was not left by a run.
pub fn not_a_run_directory(directory: impl Display, is_there: bool, known: &[String]) -> Diagnostic {
    let message = match is_there {
        true => format!("{directory} is not the directory of a run"),
        false => format!("there is no directory {directory}"),
    };
    let known = match known {
        [] => "there is none here yet".to_owned(),
        [one] => format!("there is {one}"),
        known if known.len() > 8 => format!("there are {} and {} more", known[..8].join(", "), known.len() - 8),
        known => format!("there are {}", known.join(", ")),
    };
    Diagnostic::error("no-run-directory", message)
        .help(format!("`nnc run` leaves a directory for each run, with the program, the weights and a checkpoint to go on from; {known}"))
}

/// `no-run-directory`: a run that left no checkpoint.
pub fn no_checkpoint(directory: impl Display) -> Diagnostic {
    Diagnostic::error("no-run-directory", format!("the run in {directory} left no checkpoint to go on from"))
        .help("a checkpoint is written every ten seconds and at the end, but not of a run that diverged; begin anew without `--resume`")
}

/// `other-program`: the program is not the one that the run was begun with. Each difference is a declaration; at no place
/// those that are gone.
pub fn other_program(directory: impl Display, differences: &[Spanned<String>]) -> Diagnostic {
    const MOST_SHOWN: usize = 5;
    let (gone, here): (Vec<_>, Vec<_>) = differences.iter().partition(|one| one.span == Span::default());
    let mut problem = Diagnostic::error(
        "other-program",
        format!("this is not the program that the run in {directory} was begun with"),
    );
    for (number, one) in here.iter().take(MOST_SHOWN).enumerate() {
        let remark = format!("`{}` is another there", one.value);
        problem = if number == 0 { problem.at(one.span, remark) } else { problem.and(one.span, remark) };
    }
    let gone: Vec<String> = gone.iter().take(MOST_SHOWN).map(|one| format!("`{}`", one.value)).collect();
    let missing = if gone.is_empty() { String::new() } else { format!("it also had {}; ", gone.join(", ")) };
    problem.help(format!(
        "{missing}go on with the program in {directory}/model.nn, or begin anew without `--resume`; to train longer give `--epochs`"
    ))
}

/// `isa-unavailable`: instructions that the compiler makes no code for.
pub fn isa_not_built(name: &str) -> Diagnostic {
    Diagnostic::error("isa-unavailable", format!("this build has no {name} backend"))
        .help("`--isa auto` takes the best it has for this machine; the results are the same to the bit")
}

/// `isa-unavailable`: instructions that the machine does not have.
pub fn isa_not_here(name: &str) -> Diagnostic {
    Diagnostic::error("isa-unavailable", format!("this machine has no {name}"))
        .help("`--isa auto` takes the best there is; the results are the same to the bit")
}

/// So many bytes in the unit that suits.
pub fn memory(bytes: u128) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `unknown-name`: `on` names no data.
pub fn unknown_data(name: &Spanned<String>, near: Option<&str>, known: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("unknown-name", format!("there is no data `{}`", name.value)).at(name.span, "not found");
    match near {
        Some(near) => diagnostic
            .help(format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), Edit::replace(name.span, near)),
        None if (1..=8).contains(&known.len()) => diagnostic.help(format!("there is {}", known.join(", "))),
        None => diagnostic.help(format!("declare it: `data {} {{ source = … }}`", name.value)),
    }
}

/// `unknown-field`: a run has no such field.
pub fn unknown_field(name: &Spanned<String>, near: Option<&str>, known: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("unknown-field", format!("a run has no field `{}`", name.value)).at(name.span, "not known");
    if let Some(elsewhere) = foreign::field_elsewhere(&name.value) {
        return diagnostic.help(elsewhere);
    }
    match foreign::field(&name.value).or(near) {
        Some(near) => diagnostic
            .help(format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), Edit::replace(name.span, near)),
        None => diagnostic.help(format!("there is {}", known.join(", "))),
    }
}

/// `unknown-field`: a field that belongs to the data.
pub fn field_of_data(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("unknown-field", format!("`{}` belongs to the data, not to a run", name.value))
        .at(name.span, "not a field of a run")
        .help("write it in the `data` declaration")
}

/// `unexpected-type`: a field of a run with a type.
pub fn field_with_type(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("unexpected-type", format!("`{name}` of a run has no type"))
        .at(span, "not needed here")
        .help("leave the type out")
}

/// `missing-field`: a run without its loss or its optimizer.
pub fn missing_field(span: Span, name: &str) -> Diagnostic {
    let (message, help) = match name {
        "loss" => ("this run has no loss", "say what is to become small: `loss = mse(y_hat, y)`"),
        _ => ("this run has no optimizer", "say how it learns: `optimizer = adam()`"),
    };
    Diagnostic::error("missing-field", message).at(span, format!("`{name} = …` is missing")).help(help)
}

/// `out-of-range`: a number that a run cannot use.
pub fn setting_out_of_range(span: Span, name: &str, bounds: &str, value: f64) -> Diagnostic {
    Diagnostic::error("out-of-range", format!("`{name}` must be {bounds}, not {value}")).at(span, "out of range")
}

/// `unknown-name`: another word than the field takes.
pub fn word_wanted(span: Span, word: &str, parameters: &[&str]) -> Diagnostic {
    let parameters: Vec<String> = parameters.iter().map(|name| format!("{name} = …")).collect();
    Diagnostic::error("unknown-name", format!("`{word}(…)` belongs here"))
        .at(span, "not known")
        .help(format!("write `{word}({})`", parameters.join(", ")))
}

/// `type-mismatch`: a loss or metric that is not applied to anything.
pub fn not_applied(span: Span, what: &str, found: &str) -> Diagnostic {
    Diagnostic::error("type-mismatch", format!("the {what} of a run is a value, here stands {found}"))
        .at(span, "not applied to anything")
        .help(format!(
            "say what it compares: an output of the model and a field of the data, as in `{}(y_hat, y)`",
            if what == "metric" { "accuracy" } else { "mse" }
        ))
}

/// `type-mismatch`: `on` without a pattern.
pub fn pattern_wanted(span: Span) -> Diagnostic {
    Diagnostic::error("type-mismatch", "`on` takes a pattern of parameter paths")
        .at(span, "not a text")
        .help("`on \"*.b\"` is every parameter named `b`")
}

/// `unknown-name`: a penalty's pattern fits no parameter.
pub fn pattern_without_parameter(pattern: &Spanned<String>, model: &str, paths: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-name", format!("no parameter of `{model}` fits {:?}", pattern.value))
        .at(pattern.span, "fits nothing");
    match paths {
        [] => diagnostic.help(format!("`{model}` has no parameters")),
        paths if paths.len() > 8 => {
            diagnostic.help(format!("there are {} and {} more", paths[..8].join(", "), paths.len() - 8))
        }
        paths => diagnostic.help(format!("there are {}", paths.join(", "))),
    }
}

/// `missing-field`: an input of the model that the data does not have.
pub fn input_without_field(
    data: &Spanned<String>,
    model: &str,
    input: &str,
    declared: Span,
    near: Option<&str>,
    fields: &[&str],
) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "missing-field",
        format!("the data `{}` has no field `{input}` for the model `{model}`", data.value),
    )
    .at(data.span, format!("no field `{input}`"))
    .and(declared, format!("`{model}` takes it here"));
    match near {
        Some(near) => diagnostic.help(format!("inputs are matched to fields by name; did you mean `{near}`?")),
        None => diagnostic.help(format!("inputs are matched to fields by name; there are {}", fields.join(", "))),
    }
}

/// `shape-mismatch`: a field is not what the model's signature asks for.
pub fn field_does_not_fit(
    field: &Spanned<String>,
    actual: &impl Display,
    model: &str,
    declared: &str,
    signature: Span,
) -> Diagnostic {
    Diagnostic::error(
        "shape-mismatch",
        format!("the field `{}` is {actual}, the model `{model}` takes {declared}", field.value),
    )
    .at(field.span, format!("this is {actual}"))
    .and(signature, format!("`{model}` takes {declared}"))
    .help(match channels_moved(&actual.to_string(), declared) {
        true => "channels come last here: `transpose(…, [1, 2, 0])` in the field's expression moves them behind",
        false => "change the field's type and expression, or the signature of the model",
    })
}

/// Whether one written shape is that of an image with its channels first, the other with its channels last.
fn channels_moved(first: &str, last: &str) -> bool {
    let extents = |shape: &str| -> Vec<String> {
        shape.trim_matches(['[', ']']).split(',').map(|extent| extent.trim().to_owned()).collect()
    };
    match (extents(first).as_slice(), extents(last).as_slice()) {
        ([a, b, c], [d, e, f]) => a == f && b == d && c == e && a != b,
        _ => false,
    }
}

/// `unknown-run`: `--only` names no run.
pub fn unknown_run(name: &str, near: Option<&str>, known: &[String]) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-run", format!("there is no run `{name}`"));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.help("the file has no `train` declaration"),
        None => diagnostic.help(format!("there is {}", known.join(", "))),
    }
}

/// `missing-validation`: early stopping without a validation split.
pub fn stop_without_validation(run: Span, data: &Spanned<String>) -> Diagnostic {
    Diagnostic::error("missing-validation", "`stop` looks at the validation loss, and there are no validation samples")
        .at(run, "stops early")
        .and(data.span, format!("the split of `{}` leaves no sample for `val`", data.value))
        .help("give the data a part to validate on, such as `split = [train = 80%, val = 20%]`")
}

/// `misplaced`: `avg` of what is an average already.
pub fn average_of_average(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "this averages what is an average already")
        .at(span, "one number for the whole split")
        .help("`avg` takes a value of each sample; its result is one number")
}

/// `misplaced`: a metric that is neither one number nor one of each sample.
pub fn average_beside_samples(span: Span) -> Diagnostic {
    Diagnostic::error("misplaced", "this metric joins an average with values of single samples")
        .at(span, "one number for the whole split, and one for each sample")
        .help("put what is computed for each sample into an `avg(…)` too")
}
