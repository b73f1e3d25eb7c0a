//! `docs/errors.md` keeps its word: of every code a wrong program, or a wrong command, and the right one were run.

use crate::cli::Ran;
use nnc::diagnostics::advice::WARNINGS;
use nnc::driver::{self, Settings};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a section shows behind "Wrong" or "Right".
#[derive(Clone, Default, Debug)]
struct Shown {
    wrong: bool,
    /// The files by name; those of the wrong part are also there in the right one.
    files: Vec<(String, String)>,
    /// What is typed; without it the program is checked.
    commands: Option<String>,
}

impl Shown {
    fn write(&mut self, name: &str, text: String) {
        self.files.retain(|(known, _)| known != name);
        self.files.push((name.to_owned(), text));
    }
}

/// The parts of a section, in order.
fn shown(section: &str) -> Vec<Shown> {
    let mut parts: Vec<Shown> = Vec::new();
    let mut before = "";
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: String =
                lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            let part = parts.last_mut().expect("a block stands behind `Wrong:` or `Right:`");
            let name = before.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:"));
            match (language, name) {
                ("sh", None) => part.commands = Some(block),
                ("nn", None) => part.write("model.nn", block),
                ("nn" | "csv", Some(name)) => part.write(name, block),
                other => panic!("a block that is not understood: {other:?}\n{block}"),
            }
            before = "";
        } else if line.ends_with(':') && (line.starts_with("Wrong") || line.starts_with("Right")) {
            let files = parts.last().map(|last| last.files.clone()).unwrap_or_default();
            parts.push(Shown { wrong: line.starts_with("Wrong"), files, commands: None });
            before = "";
        } else if !line.is_empty() {
            before = line;
        }
    }
    parts
}

/// Four images of 2 × 2 and their labels in MNIST's format, three labels alone, and a folder of two images of different size.
fn pictures(folder: &Path) {
    let idx = |code: u8, extents: &[u32], bytes: &[u8]| {
        let mut file = vec![0, 0, code, extents.len() as u8];
        file.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
        file.extend(bytes);
        file
    };
    const BYTE: u8 = 8;
    let pixels: Vec<u8> = (0..16).map(|at| at * 15).collect();
    let images = idx(BYTE, &[4, 2, 2], &pixels);
    fs::write(folder.join("whole.idx"), &images).unwrap();
    fs::write(folder.join("images.idx"), &images).unwrap();
    fs::write(folder.join("labels.idx"), idx(BYTE, &[4], &[0, 1, 2, 3])).unwrap();
    fs::write(folder.join("fewer.idx"), idx(BYTE, &[3], &[0, 1, 2])).unwrap();
    for (kind, extent) in [("cat", 4), ("dog", 2)] {
        let pixels: Vec<u8> = (0..extent * extent).map(|at| (at * 13) as u8).collect();
        fs::create_dir_all(folder.join("pets").join(kind)).unwrap();
        let file = folder.join("pets").join(kind).join("1.png");
        fs::write(file, crate::files::png(extent, extent, png::ColorType::Grayscale, &pixels)).unwrap();
    }
}

/// What is reported where a part is tried, and whether the commands went well.
fn reported(part: &Shown) -> (Vec<String>, bool) {
    if let (None, [(name, text)]) = (&part.commands, part.files.as_slice()) {
        let (_, found) = driver::check_text(name, text);
        return (found.iter().map(|one| one.code.to_owned()).collect(), true);
    }
    let folder = TempDir::new().unwrap();
    pictures(folder.path());
    for (name, text) in &part.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let Some(commands) = &part.commands else {
        let checked = driver::check_file(&folder.path().join("model.nn"), &Settings::default(), true);
        return (checked.diagnostics.iter().map(|one| one.code.to_owned()).collect(), true);
    };
    let ran = in_a_shell(folder.path(), commands);
    assert!(!ran.err.contains("bug in the compiler"), "{commands}\n{}", ran.err);
    // A diagnostic begins with its code, alone on a line.
    let codes: BTreeSet<&str> = driver::codes().map(|(code, _)| code).collect();
    let found = ran.err.lines().map(str::trim).filter(|line| codes.contains(line));
    (found.map(str::to_owned).collect(), ran.status == 0)
}

fn in_a_shell(folder: &Path, commands: &str) -> Ran {
    let own = Path::new(env!("CARGO_BIN_EXE_nnc")).parent().unwrap().to_path_buf();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others))).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", commands]).current_dir(folder).stdin(Stdio::null()).env("PATH", path).env_remove("TERM");
    shell.output().expect("the shell starts").into()
}

#[test]
#[cfg(unix)]
fn every_code_has_a_wrong_and_a_right_program_that_were_run() {
    let mut faults = Vec::new();
    for (code, _) in driver::codes() {
        let parts = shown(driver::explanation(code).unwrap());
        let warning = WARNINGS.iter().any(|(known, _)| *known == code);
        for wrong in [true, false] {
            if !parts.iter().any(|part| part.wrong == wrong) {
                faults.push(format!("{code}: nothing {} is shown", if wrong { "wrong" } else { "right" }));
            }
        }
        for part in &parts {
            let (found, well) = reported(part);
            let expected: &[&str] = if part.wrong { &[code] } else { &[] };
            // A wrong command fails, where what is told is more than a warning.
            let fails = part.wrong && part.commands.is_some() && !warning;
            if found != expected || (!part.wrong && !well) || (fails && well) {
                faults.push(format!("{code}: {found:?} in {part:#?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
