//! Problems with the files of a program: one constructor each.

use super::{Diagnostic, nearest};
use crate::source::Span;
use std::fmt::Display;
use std::io::{Error, ErrorKind};

/// `program-unreadable`: the file of a program cannot be read.
pub fn program_unreadable(path: impl Display, error: &Error) -> Diagnostic {
    Diagnostic::error("program-unreadable", format!("cannot read {path}: {}", reason(error)))
        .help("give the path of a `.nn` file, relative to the folder the command is run in")
}

/// `program-not-text`: the file of a program is not UTF-8 text.
pub fn program_not_text(path: impl Display, line: usize) -> Diagnostic {
    Diagnostic::error("program-not-text", format!("{path} is not UTF-8 text, from line {line} on"))
        .help("a program is plain text; save the file as UTF-8")
}

/// `file-unwritable`: a file cannot be written.
pub fn file_unwritable(path: impl Display, error: &Error) -> Diagnostic {
    Diagnostic::error("file-unwritable", format!("cannot write {path}: {}", reason(error)))
        .help("nothing was changed; see that the folder is there, may be written to and has room")
}

/// `use-not-found`: a `use` names a file that cannot be read.
pub fn use_not_found(target: Span, path: impl Display, error: &Error) -> Diagnostic {
    Diagnostic::error("use-not-found", format!("cannot read the file that this `use` names: {}", reason(error)))
        .at(target, format!("looked for {path}"))
        .help("the path is relative to the file that says `use`")
}

/// `use-not-found`: a `use` names a module that is not shipped.
pub fn unknown_module(target: Span, name: &str, shipped: &[&str]) -> Diagnostic {
    let near = nearest(name.strip_prefix("std.").unwrap_or(name), shipped.iter().copied());
    let modules: Vec<String> = shipped.iter().map(|module| format!("`std.{module}`")).collect();
    let help = match near {
        Some(near) => format!("did you mean `std.{near}`?"),
        None => {
            let modules = modules.join(", ");
            format!("there are {modules}; a file of your own is named by its path: `use \"./blocks.nn\"`")
        }
    };
    Diagnostic::error("use-not-found", format!("there is no module `{name}`"))
        .at(target, "not a shipped module")
        .help(help)
}

/// `unknown-run`: `--only` or `--model` names a run or a model that the program does not have.
pub fn unknown_run(name: &str, near: Option<&str>, known: &[&str]) -> Diagnostic {
    let help = match (near, known) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "the program has no `train` declaration".to_owned(),
        (None, _) => format!("the program has {}", known.join(", ")),
    };
    Diagnostic::error("unknown-run", format!("the program has no run or model `{name}`")).help(help)
}

/// `no-model`: what a command shows of models, the program does not have.
pub fn no_model(path: impl Display) -> Diagnostic {
    Diagnostic::error("no-model", format!("{path} has no model that could be shown"))
        .help("declare one, such as `model Line(x: [1]) -> y: [1] { x |> dense(1) }`")
}

/// `open-extents`: the extents or the configuration of a model are given by its use alone, and nothing uses it.
pub fn open_extents(model: &str, span: Span) -> Diagnostic {
    Diagnostic::error("open-extents", format!("the extents of `{model}` are not known before it is used"))
        .at(span, "has extents or configuration without numbers")
        .help(format!("give them numbers or defaults here, or let a `train {model}(…) on …` name the model"))
}

/// `nothing-to-run`: a program without a `train` declaration is run.
pub fn nothing_to_run(path: impl Display) -> Diagnostic {
    Diagnostic::error("nothing-to-run", format!("{path} has no `train` declaration, so there is nothing to run"))
        .help("add one, such as `train Model on Data { loss = …  optimizer = … }`")
}

/// `nothing-to-run`: the gradient of a model without a loss.
pub fn no_gradient(model: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "nothing-to-run",
        format!("no `train` declaration names `{model}`, so it has no loss and no gradient"),
    )
    .at(span, "not trained")
    .help("the stages `graph`, `plan`, `kernel`, `clif` and `asm` show how it predicts")
}

fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder".into(),
        ErrorKind::PermissionDenied => "permission is denied".into(),
        ErrorKind::IsADirectory => "it is a folder".into(),
        ErrorKind::FileTooLarge => "it is longer than any program, 64 MiB and more".into(),
        _ => error.to_string(),
    }
}
