//! One call per stage; every command, test and the editor goes through it.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Sources;
use crate::syntax;

/// All diagnostics of one text that stands for a file called `name`, in the order they are shown.
pub fn check_text(name: &str, text: &str) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let file = sources.add(name, text);
    syntax::parse(file, text, &mut diagnostics);
    (sources, diagnostics.into_sorted())
}
