//! How long the check of a shipped file takes, with the prelude read and checked anew each time, as the editor does.
//!
//! `cargo bench --bench check` prints for each file below `std-models/` the fastest and the middle one of a hundred checks, with what
//! the file can reach of the prelude and with all of it. The largest file with all of the prelude should stay under 10 ms. Below
//! stand models of 1,000 and 10,000 layers, checked a few times each: the second should take about ten times the first.

#![allow(missing_docs, unreachable_pub, reason = "a benchmark")]

use nnc::driver::{self, Settings};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CHECKS: usize = 100;

/// How often a file of many layers is checked.
const FEW: usize = 5;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("std-models");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in std::fs::read_dir(&root).expect("the shipped files") {
        let folder = folder.expect("a folder").path();
        if folder.is_dir() {
            let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
            files.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "nn")));
        } else if folder.extension().is_some_and(|ending| ending == "nn") {
            files.push(folder);
        }
    }
    files.sort_by_key(|file| std::fs::metadata(file).map_or(0, |data| data.len()));
    println!("{:<20}{:>8}{:>12}{:>12}{:>16}{:>12}", "file", "bytes", "fastest", "median", "whole prelude", "median");
    for file in &files {
        let text = std::fs::read_to_string(file).expect("a shipped file");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        report(&name, &text, CHECKS);
    }
    for count in [1_000, 10_000] {
        let layers = " |> dense(4)\n".repeat(count);
        report(&format!("{count} in a pipe"), &format!("model M(x: [4]) -> y: [4] {{ x\n{layers}}}\n"), FEW);
        let bound: String = (0..count).map(|at| format!("  let h{} = h{at} |> dense(4)\n", at + 1)).collect();
        let text = format!("model M(x: [4]) -> y: [4] {{\n  let h0 = x\n{bound}  h{count}\n}}\n");
        report(&format!("{count} by let"), &text, FEW);
        let text = format!("model M(x: [4]) -> y: [4] {{ x |> repeat {count} {{ dense(4) }} }}\n");
        report(&format!("{count} by repeat"), &text, FEW);
    }
}

fn report(name: &str, text: &str, checks: usize) {
    let [(least, middle), (all_least, all_middle)] = [false, true].map(|whole| times(name, text, whole, checks));
    println!("{name:<20}{:>8}{:>12}{:>12}{:>16}{:>12}", text.len(), least, middle, all_least, all_middle);
}

fn times(name: &str, text: &str, whole_prelude: bool, checks: usize) -> (String, String) {
    let settings = Settings { whole_prelude, ..Settings::default() };
    let mut times: Vec<Duration> = (0..checks)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(driver::check_source(name, text, None, &settings));
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let shown = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    (shown(times[0]), shown(times[checks / 2]))
}
