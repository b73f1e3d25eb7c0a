//! `nnc explain`: the sections of `docs/errors.md`.

use crate::diagnostics::nearest;

/// The text that explains the diagnostics, a section each.
const ERRORS: &str = include_str!("../../docs/errors.md");

/// The section on a code.
pub fn explanation(code: &str) -> Option<&'static str> {
    sections().find(|(known, _)| *known == code).map(|(_, section)| section)
}

/// The explained codes with the first sentence of each.
pub fn codes() -> impl Iterator<Item = (&'static str, String)> {
    sections().map(|(code, section)| {
        let paragraph = section.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
        (code, paragraph[..end].to_owned())
    })
}

/// The long form of a diagnostic, or the code that the unknown one resembles.
pub fn explain(code: &str) -> Result<String, Option<&'static str>> {
    match sections().find(|(known, _)| *known == code) {
        Some((code, section)) => Ok(format!("{code}\n\n{section}")),
        None => Err(nearest(code, sections().map(|(known, _)| known))),
    }
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    ERRORS
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(code, text)| (code.trim(), text.trim()))
}
