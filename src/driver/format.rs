//! `nnc fmt`: texts in their settled form.

use super::{Failure, as_text, read_text};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Sources;
use crate::syntax::{self, ast::Ast};
use std::path::Path;

/// A formatted text.
#[derive(Debug)]
pub struct Formatted {
    /// The text.
    pub text: String,
    /// Whether it differs from what it was.
    pub changed: bool,
    /// The text as it was.
    pub sources: Sources,
    /// Its mistakes of grammar; what has one stays as it was written.
    pub diagnostics: Vec<Diagnostic>,
}

/// Formats the text of a file.
pub fn format_file(path: &Path) -> Result<Formatted, Failure> {
    let text = read_text(path).map_err(Failure::of)?;
    Ok(format_text(&path.display().to_string(), text))
}

/// Formats bytes that should be a text.
pub fn format_bytes(name: &str, bytes: Vec<u8>) -> Result<Formatted, Failure> {
    Ok(format_text(name, as_text(name, bytes).map_err(Failure::of)?))
}

fn format_text(name: &str, text: String) -> Formatted {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let file = sources.add(name, text.as_str());
    let ast: Ast = syntax::parse(file, &text, &mut diagnostics);
    let formatted = syntax::format(&ast, sources.get(file));
    Formatted { changed: formatted != text, text: formatted, sources, diagnostics: diagnostics.into_sorted() }
}
