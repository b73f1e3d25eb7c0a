//! `nnc check --fix`: the safe fixes of a program applied, round after round.
//!
//! A round takes the fixes whose edits touch no other's, each diagnostic's first; what is left over comes in the next round,
//! where it may have gone by itself. A round must remove the diagnostics it was made for; where the fixes together do not,
//! each is tried alone. No file is written here: the texts are handed back.

use super::{Checked, Settings, check_file};
use crate::diagnostics::{Diagnostic, Edit, Fix, render};
use crate::source::{FileId, Span};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A program needs one round and seldom a second; the limit is for fixes that undo each other.
const MOST_ROUNDS: usize = 10;

/// How many fixes are tried alone in a round.
const MOST_ALONE: usize = 20;

/// A program after its fixes.
#[derive(Debug)]
pub struct Fixed {
    /// What is left.
    pub checked: Checked,
    /// What was done: for each fix the diagnostic in its short form, and the fix's title.
    pub done: Vec<(String, String)>,
    /// The files that change, with their new texts.
    pub texts: BTreeMap<PathBuf, String>,
}

/// Applies the safe fixes of the program in a file.
pub fn fix_file(path: &Path, settings: &Settings, read_data: bool) -> Fixed {
    let mut settings = settings.clone();
    let before = settings.texts.clone();
    let mut checked = check_file(path, &settings, read_data);
    let mut done = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let chosen = choose(&checked);
        let attempt = |fixes: &[(&Diagnostic, &Fix)]| {
            let texts = apply(&checked, fixes, &settings.texts)?;
            let settings = Settings { texts, ..settings.clone() };
            let after = check_file(path, &settings, read_data);
            let gone = fixes.iter().all(|(problem, _)| count(problem, &after) < count(problem, &checked));
            gone.then(|| {
                let line =
                    |(problem, fix): &(&Diagnostic, &Fix)| (render::line(problem, &checked.sources), fix.title.clone());
                (after, settings, fixes.iter().map(line).collect::<Vec<_>>())
            })
        };
        let alone = || chosen.iter().take(MOST_ALONE).find_map(|&one| attempt(&[one]));
        let Some((after, then, lines)) = attempt(&chosen).or_else(alone) else { break };
        (checked, settings) = (after, then);
        done.extend(lines);
    }
    let mut texts = settings.texts;
    texts.retain(|path, text| before.get(path) != Some(text));
    Fixed { checked, done, texts }
}

/// How often a problem is reported, wherever.
fn count(problem: &Diagnostic, checked: &Checked) -> usize {
    let same = |other: &&Diagnostic| other.code == problem.code && other.message == problem.message;
    checked.diagnostics.iter().filter(same).count()
}

/// The safe fixes that can be applied together.
fn choose(checked: &Checked) -> Vec<(&Diagnostic, &Fix)> {
    let own: Vec<FileId> = checked.files.values().copied().collect();
    let mut taken: Vec<Span> = Vec::new();
    let mut chosen = Vec::new();
    for problem in &checked.diagnostics {
        let Some(fix) = problem.fixes.iter().find(|fix| fix.safe && !fix.edits.is_empty()) else { continue };
        let free = |edit: &Edit| own.contains(&edit.span.file) && !taken.iter().any(|span| touch(*span, edit.span));
        if fix.edits.iter().all(free) {
            taken.extend(fix.edits.iter().map(|edit| edit.span));
            chosen.push((problem, fix));
        }
    }
    chosen
}

/// Whether two edits overlap or meet, so that the order of what they put in is open.
fn touch(a: Span, b: Span) -> bool {
    a.file == b.file && a.start <= b.end && b.start <= a.end
}

/// The texts after the edits; `None` where there are none.
fn apply(
    checked: &Checked,
    fixes: &[(&Diagnostic, &Fix)],
    texts: &BTreeMap<PathBuf, String>,
) -> Option<BTreeMap<PathBuf, String>> {
    let mut texts = texts.clone();
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|(_, fix)| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.span.file, edit.span.start, edit.span.end));
    for edit in edits.iter().rev() {
        let (path, file) = checked.files.iter().find(|(_, file)| **file == edit.span.file)?;
        let text = texts.entry(path.clone()).or_insert_with(|| checked.sources.get(*file).text.to_string());
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    (!edits.is_empty()).then_some(texts)
}
