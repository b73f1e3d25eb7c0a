//! Ten thousand random edits of the examples: nothing panics, and none takes long to parse and check.
//!
//! `cargo bench --bench edits` prints the time per edit of each file: the middle one, the ninety-ninth of a hundred and the
//! longest. The prelude is parsed and checked anew each time, as an editor would.

#![allow(missing_docs, unreachable_pub, reason = "a benchmark")]

#[path = "../tests/it/edits.rs"]
mod edits;

use nnc::driver;
use std::path::Path;
use std::time::{Duration, Instant};

const EDITS: usize = 10_000;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let each = EDITS.div_ceil(files.len());
    let mut random = edits::Random::new(1);
    println!("{:<18}{:>8}{:>12}{:>12}{:>12}", "file", "edits", "median", "99 %", "longest");
    let mut longest = Duration::ZERO;
    for file in &files {
        let text = std::fs::read_to_string(file).expect("an example");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let mut times: Vec<Duration> = edits::edits(&text, each, random.below(1 << 30) as u64)
            .map(|edited| {
                let begun = Instant::now();
                std::hint::black_box(driver::check_text(&name, &edited));
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let shown = |at: usize| format!("{:.2} ms", times[at].as_secs_f64() * 1e3);
        let last = times.len() - 1;
        println!(
            "{name:<18}{:>8}{:>12}{:>12}{:>12}",
            times.len(),
            shown(last / 2),
            shown(last * 99 / 100),
            shown(last)
        );
        longest = longest.max(times[last]);
    }
    println!("longest of all: {:.2} ms", longest.as_secs_f64() * 1e3);
}
