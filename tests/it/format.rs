//! The formatter.

use crate::edits::{edits, texts};
use nnc::diagnostics::Diagnostics;
use nnc::source::Sources;
use nnc::syntax;

/// The text formatted, and whether it has no mistakes.
fn format(text: &str) -> (String, bool) {
    let mut diagnostics = Diagnostics::new();
    let mut sources = Sources::new();
    let file = sources.add("test.nn", text);
    let ast = syntax::parse(file, text, &mut diagnostics);
    (syntax::format(&ast, sources.get(file)), diagnostics.is_empty())
}

#[test]
fn what_is_formatted_stays_as_it_is() {
    let mut failures = Vec::new();
    for (name, text) in texts("tests/fixtures/format") {
        let (formatted, _) = format(&text);
        let lines = text.lines().zip(formatted.lines()).filter(|(before, after)| before != after);
        failures.extend(lines.map(|(before, after)| format!("{name}\n  {before}\n  {after}")));
        if text.lines().count() != formatted.lines().count() {
            failures.push(format!("{name} has another number of lines:\n{formatted}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The tree of a text, without places, and its comments.
fn structure(text: &str) -> (String, Vec<String>) {
    let mut diagnostics = Diagnostics::new();
    let file = Sources::new().add("test.nn", text);
    let ast = syntax::parse(file, text, &mut diagnostics);
    (
        syntax::print::print_structure(&ast),
        ast.comments.iter().map(|comment| comment.text.trim_end().to_string()).collect(),
    )
}

/// Formatting twice is formatting once, and keeps tree and comments.
#[track_caller]
fn assert_sound(name: &str, text: &str) {
    let (once, fine) = format(text);
    let (twice, _) = format(&once);
    if once != twice {
        let line = once.lines().zip(twice.lines()).find(|(once, twice)| once != twice);
        panic!("{name}: formatting again changes {line:#?}\n--- source\n{text}\n--- once\n{once}\n--- twice\n{twice}");
    }
    if fine {
        let (before, after) = (structure(text), structure(&once));
        assert_eq!(before.0, after.0, "{name}: the tree changes\n--- source\n{text}\n--- formatted\n{once}");
        assert_eq!(before.1, after.1, "{name}: the comments change\n{text}");
    }
}

#[test]
fn formatting_keeps_the_program() {
    for folder in ["tests/fixtures", "examples", "std-models"] {
        for (name, text) in texts(folder) {
            assert_sound(&name, &text);
            for edited in edits(&text, 60, 7) {
                assert_sound(&name, &edited);
            }
        }
    }
}

/// The text with every run of blanks changed: one blank, many, or a line end where that changes nothing.
fn squeeze(text: &str, blank: &str) -> String {
    let lines = text.lines().map(|line| {
        let (code, comment) = line.split_once("//").map_or((line, ""), |(code, _)| (code, &line[code.len()..]));
        let words: Vec<&str> = code.split_whitespace().collect();
        format!("{}{}{comment}", words.join(blank), if comment.is_empty() { "" } else { " " })
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn blanks_do_not_matter() {
    for (name, text) in texts("tests/fixtures/format") {
        let (expected, _) = format(&squeeze(&text, " "));
        assert_sound(&name, &squeeze(&text, "   "));
        assert_eq!(expected, format(&squeeze(&text, "   ")).0, "{name}");
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(text, format(&crlf).0, "{name}");
    }
}

#[test]
fn long_lines_are_broken() {
    let source = std::fs::read_to_string("tests/fixtures/format/long.before").unwrap();
    let (formatted, fine) = format(&source);
    assert!(fine);
    insta::with_settings!({ snapshot_path => "../fixtures/format", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("long", formatted);
    });
    assert_sound("long", &source);
}
