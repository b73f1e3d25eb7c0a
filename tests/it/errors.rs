//! The mistakes in `tests/fixtures/errors/` and the warnings in `tests/fixtures/advice/`: each marked `//~ code` is
//! reported on its line, and nothing else is.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::docs::{blocks, read};
use crate::edits::{edits, texts};
use nnc::diagnostics::render::{self, Style};
use nnc::diagnostics::{Diagnostic, Fix, Severity};
use nnc::source::Sources;

/// The folders of programs with marks.
const FOLDERS: [&str; 2] = ["errors", "advice"];

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// The files of the folder with the ending, by name, sorted.
fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(fixtures(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|found| found == ending));
    let mut names: Vec<String> = files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Each marked line with its code, in order.
fn marked(text: &str) -> Vec<(usize, String)> {
    let mut marked = Vec::new();
    for (line, content) in text.lines().enumerate() {
        let Some((_, codes)) = content.split_once("//~") else { continue };
        marked.extend(codes.split_whitespace().map(|code| (line, code.to_string())));
    }
    marked.sort();
    marked
}

/// Each diagnostic's line and code, in order.
fn reported(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<(usize, String)> {
    let mut reported: Vec<(usize, String)> = diagnostics
        .iter()
        .map(|problem| {
            let line = problem.span().map_or(0, |span| sources.get(span.file).position(span.start).line);
            (line, problem.code.to_string())
        })
        .collect();
    reported.sort();
    reported
}

#[test]
fn every_marked_mistake_is_reported_and_nothing_else() {
    let mut failures = String::new();
    let programs = FOLDERS.iter().flat_map(|folder| names(folder, "nn").into_iter().map(move |name| (*folder, name)));
    for (folder, name) in programs {
        let text = std::fs::read_to_string(fixtures(folder).join(&name).with_extension("nn")).unwrap();
        let (sources, diagnostics) = nnc::driver::check_text(&format!("{name}.nn"), &text);
        let (expected, found) = (marked(&text), reported(&sources, &diagnostics));
        for (line, code) in expected.iter().filter(|mark| !found.contains(mark)) {
            writeln!(failures, "{name}.nn:{}: {code} is not reported", line + 1).unwrap();
        }
        for (line, code) in found.iter().filter(|mark| !expected.contains(mark)) {
            writeln!(failures, "{name}.nn:{}: {code} is reported and not marked", line + 1).unwrap();
        }
        let expected_count = |mark: &(usize, String)| expected.iter().filter(|other| *other == mark).count();
        for mark in &expected {
            let count = found.iter().filter(|other| *other == mark).count();
            if count > expected_count(mark) {
                writeln!(failures, "{name}.nn:{}: {} is reported {count} times", mark.0 + 1, mark.1).unwrap();
            }
        }
        let rendered: Vec<String> =
            diagnostics.iter().map(|problem| render::human(problem, &sources, &Style::plain())).collect();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(fixtures(folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.remove_input_file();
        let snapshot =
            settings.bind(|| std::panic::catch_unwind(|| insta::assert_snapshot!(name.clone(), rendered.join("\n"))));
        if snapshot.is_err() {
            writeln!(failures, "{name}.nn: {name}.snap differs").unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn every_snapshot_has_its_fixture() {
    for folder in FOLDERS {
        let fixtures = names(folder, "nn");
        let orphans: Vec<String> = names(folder, "snap").into_iter().filter(|name| !fixtures.contains(name)).collect();
        assert!(orphans.is_empty(), "no fixture for {orphans:?} in {folder}");
    }
}

/// `text` after the edits of a fix.
fn apply(text: &str, fix: &Fix) -> String {
    let mut edits: Vec<_> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut fixed = text.to_string();
    for edit in edits.into_iter().rev() {
        fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    fixed
}

/// The code and the message of each, sorted.
fn told(diagnostics: &[Diagnostic]) -> Vec<(&'static str, String)> {
    let mut told: Vec<_> = diagnostics.iter().map(|problem| (problem.code, problem.message.clone())).collect();
    told.sort();
    told
}

/// What speaks against a fix of a problem in `text`: that the problem stays, or that another comes.
fn fault(file: &str, text: &str, before: &[Diagnostic], problem: &Diagnostic, fix: &Fix) -> Option<String> {
    let fixed = apply(text, fix);
    let (sources, mut after) = nnc::driver::check_text(file, &fixed);
    // Warnings are given where nothing is wrong: behind a mistake they were there before.
    if problem.severity == Severity::Error {
        after.retain(|other| other.severity == Severity::Error);
    }
    let (mut known, left) = (told(before), told(&after));
    known.remove(known.iter().position(|one| *one == (problem.code, problem.message.clone()))?);
    let mut new = left.clone();
    for one in &known {
        if let Some(at) = new.iter().position(|other| other == one) {
            new.remove(at);
        }
    }
    let stays = new.iter().any(|one| *one == (problem.code, problem.message.clone()));
    let shown: Vec<String> = after.iter().map(|problem| render::short(problem, &sources)).collect();
    (stays || !new.is_empty()).then(|| format!("{}\n{fixed}\nleaves {shown:#?}", fix.title))
}

#[test]
fn every_fix_removes_its_mistake() {
    let mut failures = String::new();
    let pages = blocks(&read("docs/errors.md")).into_iter().map(|(_, block)| ("errors.md".to_owned(), block));
    for (name, text) in texts("tests/fixtures").into_iter().chain(pages) {
        let (sources, diagnostics) = nnc::driver::check_text(&name, &text);
        let main = sources.iter().find(|source| source.name == name).map(|source| source.id);
        for problem in &diagnostics {
            let own = |fix: &&Fix| fix.edits.iter().all(|edit| Some(edit.span.file) == main);
            for fix in problem.fixes.iter().filter(own) {
                if let Some(fault) = fault(&name, &text, &diagnostics, problem, fix) {
                    writeln!(failures, "{}\n  {fault}", render::short(problem, &sources)).unwrap();
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Of what random edits make of the examples: a safe fix takes at least its own mistake away.
#[test]
fn safe_fixes_help_in_any_text() {
    let mut failures = Vec::new();
    for (name, text) in texts("examples") {
        for edited in edits(&text, 25, 3) {
            let (sources, diagnostics) = nnc::driver::check_text(&name, &edited);
            let main = sources.iter().find(|source| source.name == name).map(|source| source.id);
            let safe = |fix: &&Fix| fix.safe && fix.edits.iter().all(|edit| Some(edit.span.file) == main);
            for problem in &diagnostics {
                for fix in problem.fixes.iter().filter(safe) {
                    let (_, after) = nnc::driver::check_text(&name, &apply(&edited, fix));
                    let same = |list: &[Diagnostic]| {
                        list.iter()
                            .filter(|other| other.code == problem.code && other.message == problem.message)
                            .count()
                    };
                    if same(&after) >= same(&diagnostics) {
                        failures.push(format!(
                            "{}\n  {}",
                            render::human(problem, &sources, &Style::plain()),
                            fix.title
                        ));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
