//! The documents keep their word: their programs are what they say they are, and every diagnostic is explained.

use nnc::check::manual::MANUAL;
use nnc::diagnostics::advice::WARNINGS;
use nnc::driver;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A text of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The `nn` blocks of a text with the last line of prose before each.
pub(crate) fn blocks(text: &str) -> Vec<(String, String)> {
    let (mut found, mut inside, mut block, mut before) = (Vec::new(), false, String::new(), String::new());
    for line in text.lines() {
        match (inside, line) {
            (false, "```nn") => inside = true,
            (true, "```") => {
                inside = false;
                found.push((before.clone(), std::mem::take(&mut block)));
            }
            (true, _) => {
                block.push_str(line);
                block.push('\n');
            }
            (false, "") => {}
            (false, _) => before = line.to_owned(),
        }
    }
    found
}

fn reported(name: &str, text: &str) -> Vec<&'static str> {
    let (_, diagnostics) = driver::check_text(name, text);
    diagnostics.iter().map(|one| one.code).collect()
}

#[test]
fn the_programs_of_the_documents_check() {
    let mut faults = Vec::new();
    for path in ["README.md", "docs/language.md"] {
        for (_, block) in blocks(&read(path)) {
            let found = reported(path, &block);
            if !found.is_empty() {
                faults.push(format!("{path}: {found:?} in\n{block}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn wrong_programs_have_their_mistake_and_right_ones_none() {
    let text = read("docs/errors.md");
    let mut faults = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let code = section.lines().next().unwrap_or_default().trim();
        for (before, block) in blocks(section) {
            let found = reported(code, &block);
            let expected: &[&str] = if before == "Wrong:" { &[code] } else { &[] };
            if found != expected {
                faults.push(format!("{code}, {before} {found:?} in\n{block}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_comparison_quotes_what_is_said() {
    let text = read("docs/errors.md");
    let comparison = text.split("\n## ").next().unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshots: Vec<String> = ["tests/fixtures/errors", "tests/it/snapshots"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let messages: Vec<&str> = comparison.lines().filter_map(|line| line.trim().strip_prefix("nnc      ")).collect();
    assert_eq!(messages.len(), 21);
    // What compares two data files is shown by a test of its own.
    let of_files = |message: &&&str| message.contains(" rows, ");
    let said = |message: &&&str| snapshots.iter().any(|snapshot| snapshot.contains(**message));
    let unsaid: Vec<&&str> = messages.iter().filter(|message| !said(message) && !of_files(message)).collect();
    assert!(unsaid.is_empty(), "in docs/errors.md and said nowhere: {unsaid:#?}");
}

/// The files that make diagnostics.
fn diagnostic_sources() -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnostics")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The codes that a text hands to that constructor.
fn codes_of(text: &str, maker: &str) -> BTreeSet<String> {
    let calls = text.split(maker).skip(1).filter_map(|call| call.trim_start().strip_prefix('"'));
    calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[test]
fn every_code_is_explained_and_every_explanation_has_its_code() {
    let mut reported = BTreeSet::new();
    for text in diagnostic_sources() {
        for maker in ["Diagnostic::error(", "Diagnostic::warning("] {
            reported.extend(codes_of(&text, maker));
        }
    }
    let explained: BTreeSet<String> = driver::codes().map(|(code, _)| code.to_owned()).collect();
    let missing: Vec<&String> = reported.difference(&explained).collect();
    let stale: Vec<&String> = explained.difference(&reported).collect();
    assert!(missing.is_empty(), "not in docs/errors.md: {missing:?}");
    assert!(stale.is_empty(), "in docs/errors.md and reported nowhere: {stale:?}");
}

#[test]
fn the_reference_has_a_row_for_every_primitive() {
    let text = read("docs/language.md");
    let row =
        |entry: &nnc::check::manual::Manual| format!("| `{}` | {} |", entry.signature, entry.doc).replace("|>", "\\|>");
    let missing: Vec<String> = MANUAL.iter().map(row).filter(|row| !text.contains(row)).collect();
    assert!(missing.is_empty(), "not in docs/language.md:\n{}", missing.join("\n"));
}

#[test]
fn every_shipped_declaration_is_documented() {
    let docs = driver::docs(None, &driver::Settings::default()).unwrap();
    let silent: Vec<&str> =
        docs.iter().filter(|doc| doc.summary().is_empty()).map(|doc| doc.signature.as_str()).collect();
    assert!(silent.is_empty(), "without documentation: {silent:#?}");
}

#[test]
fn every_warning_can_be_allowed() {
    // What is said of the comments that allow is not allowed itself.
    let about_comments = ["unknown-allow", "unused-allow"];
    let mut warnings = BTreeSet::new();
    for text in diagnostic_sources() {
        warnings.extend(codes_of(&text, "Diagnostic::warning("));
    }
    warnings.retain(|code| !about_comments.contains(&code.as_str()));
    let listed: BTreeSet<String> = WARNINGS.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(warnings, listed, "the codes of warnings, and those in `diagnostics::advice::WARNINGS`");
}
