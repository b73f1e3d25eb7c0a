//! Problems with training runs: one constructor each.

use super::Diagnostic;
use crate::source::Span;
use std::fmt::Display;

/// `not-supported`: a construct that checks but has no code yet.
pub fn not_supported(what: impl Display, span: Span) -> Diagnostic {
    Diagnostic::error("not-supported", format!("{what} is not supported here yet")).at(span, "needed by this run")
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

fn memory(bytes: u128) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}
