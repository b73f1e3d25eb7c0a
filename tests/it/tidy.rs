//! The rules of the house that a machine can look after.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 1_200;

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"].iter().map(|dir| root.join(dir)).filter(|dir| dir.exists()) {
        rust_files(&dir, &mut files);
    }
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Lines of code that hold one of the words, in files of which none of the places is a prefix.
fn offences(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("src/")) {
        if allowed.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn assert_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn files_stay_readable() {
    let long = sources().into_iter().filter(|(_, text)| text.lines().count() > LONGEST_FILE);
    assert_none(long.map(|(name, _)| name).collect(), "split these files by idea");
}

#[test]
fn modules_open_with_their_job() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(silent.map(|(name, _)| name).collect(), "these files do not open with `//!`");
}

#[test]
fn libraries_stay_behind_their_module() {
    assert_none(offences(&["cranelift"], &["src/jit/"]), "Cranelift outside jit/");
    assert_none(offences(&["miette"], &["src/diagnostics/render.rs"]), "miette outside diagnostics/render.rs");
    assert_none(offences(&["pest::", "pest_derive"], &["src/syntax/"]), "pest outside syntax/");
    assert_none(offences(&["safetensors::"], &["src/train/weights.rs"]), "safetensors outside train/weights.rs");
}

#[test]
fn unsafe_code_stays_in_one_file() {
    assert_none(offences(&["allow(unsafe_code", "unsafe {", "unsafe impl"], &["src/jit/program.rs"]), "unsafe code");
}

#[test]
fn the_outside_world_is_met_at_the_border() {
    let border =
        ["src/main.rs", "src/command/", "src/driver.rs", "src/data/", "src/train/weights.rs", "src/lsp/mod.rs"];
    let doors = ["std::fs", "fs::read", "File::open", "println!", "eprintln!", "io::stdout", "io::stderr", "io::stdin"];
    assert_none(offences(&doors, &border), "input or output");
}

#[test]
fn stages_use_only_the_stages_above() {
    let order = [
        "source",
        "diagnostics",
        "syntax",
        "prelude",
        "check",
        "advice",
        "numerics",
        "graph",
        "autodiff",
        "plan",
        "kernel",
        "jit",
        "data",
        "train",
    ];
    let mut found = Vec::new();
    for (at, stage) in order.iter().enumerate() {
        for (name, text) in sources() {
            let inside = name.starts_with(&format!("src/{stage}/")) || name == format!("src/{stage}.rs");
            if !inside {
                continue;
            }
            for below in order[at + 1..].iter().chain(&["driver"]) {
                let uses = |line: &&str| {
                    let code = line.split("//").next().unwrap_or_default();
                    code.contains(&format!("crate::{below}::")) || code.contains(&format!("crate::{below};"))
                };
                let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
                found.extend(text[..tests].lines().filter(uses).map(|line| format!("{name}: {}", line.trim())));
            }
        }
    }
    // The graph's elementwise functions are those of `numerics`, which is written for the graph's names of them.
    found.retain(|line| !line.starts_with("src/numerics/") || !line.contains("crate::graph"));
    assert_none(found, "a stage uses a stage below it");
}
