//! From trees to the typed form.

use crate::edits::{Random, edits};
use nnc::check::{self, CheckOptions, Program, Unit};
use nnc::diagnostics::Diagnostics;
use nnc::driver::{self, Settings};
use nnc::prelude;
use nnc::source::Sources;
use nnc::syntax;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn files(folders: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).into_iter().flatten())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "nn"))
        .collect();
    files.sort();
    files
}

#[test]
fn shipped_examples_check() {
    for path in files(&["examples"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, problems) = driver::check_text(&path.display().to_string(), &text);
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

#[test]
fn typed_forms() {
    insta::glob!("../fixtures/check", "*.nn", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let checked = driver::check_source("test.nn", &text, None, &Settings::default());
        assert!(!checked.has_errors(), "{}: {:#?}", path.display(), checked.diagnostics);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../fixtures/check");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_suffix("");
        settings.set_omit_expression(true);
        settings.remove_input_file();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, check::print::print(&checked.hir)));
    });
}

#[test]
fn all_of_the_prelude_checks() {
    let whole = Settings { whole_prelude: true, ..Settings::default() };
    let checked = driver::check_source("empty.nn", "", None, &whole);
    assert!(checked.diagnostics.is_empty(), "{:#?}", checked.diagnostics);
    let declared: Vec<(&str, &str)> =
        checked.hir.declarations.iter().map(|declared| (declared.keyword, declared.name.value.as_str())).collect();
    let listed: Vec<(&str, &str)> = prelude::entries().iter().map(|entry| (entry.keyword, entry.name)).collect();
    assert_eq!(declared, listed);
}

/// What is left out of the prelude makes no difference, and it is left out.
#[test]
fn what_is_not_needed_of_the_prelude_is_not_missed() {
    let whole = Settings { whole_prelude: true, ..Settings::default() };
    for path in files(&["examples", "tests/fixtures/check", "tests/fixtures/errors"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let sparing = driver::check_source("test.nn", &text, None, &Settings::default());
        let thorough = driver::check_source("test.nn", &text, None, &whole);
        assert_eq!(check::print::print(&sparing.hir), check::print::print(&thorough.hir), "{}", path.display());
        assert_eq!(format!("{:?}", sparing.diagnostics), format!("{:?}", thorough.diagnostics), "{}", path.display());
        assert!(sparing.hir.declarations.len() < thorough.hir.declarations.len(), "{}", path.display());
    }
}

/// The prelude, parsed once.
struct Shipped {
    sources: Sources,
    units: Vec<Unit>,
}

impl Shipped {
    fn parse() -> Shipped {
        let mut sources = Sources::new();
        let mut units = Vec::new();
        for (name, text) in prelude::PRELUDE {
            let file = sources.add(*name, *text);
            units.push(Unit {
                ast: syntax::parse(file, text, &mut Diagnostics::new()),
                uses: Vec::new(),
                prelude: true,
            });
        }
        Shipped { sources, units }
    }

    /// Checks a text and tells how long that took, without the parsing.
    fn check(&self, text: &str) -> (Duration, usize) {
        let mut sources = self.sources.clone();
        let mut units = self.units.clone();
        let mut diagnostics = Diagnostics::new();
        let file = sources.add("test.nn", text);
        units.push(Unit { ast: syntax::parse(file, text, &mut diagnostics), uses: Vec::new(), prelude: false });
        let program = Program { units };
        let start = Instant::now();
        check::check(&program, &sources, &CheckOptions::default(), &mut diagnostics);
        (start.elapsed(), diagnostics.iter().count())
    }

    /// What is wrong with the check of a text: it panics (as it does where its result breaks a promise) or takes too long.
    fn fault(&self, text: &str) -> Option<String> {
        match std::panic::catch_unwind(|| self.check(text).0) {
            Ok(took) if took < LIMIT => None,
            Ok(took) => Some(format!("takes {took:?}:\n{text}")),
            Err(_) => Some(format!("panics:\n{text}")),
        }
    }
}

/// How long no check takes, on whatever machine: a test of coming to an end, not of speed, which `benches/edits.rs` measures.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn any_edit_checks() {
    let shipped = Shipped::parse();
    let mut faults = Vec::new();
    for (number, path) in files(&["examples", "tests/fixtures/check", "tests/fixtures/errors"]).iter().enumerate() {
        let text = std::fs::read_to_string(path).unwrap();
        for edited in edits(&text, 25, 3 + number as u64) {
            faults.extend(shipped.fault(&edited).map(|fault| format!("{} {fault}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `text` with one to three of its words, numbers and shapes put in the place of others: it mostly parses, and means something odd.
fn swapped(text: &str, random: &mut Random) -> String {
    let mut text = text.to_owned();
    for _ in 0..1 + random.below(3) {
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let end = match bytes[at] {
                byte if word(byte) => at + bytes[at..].iter().take_while(|&&byte| word(byte)).count(),
                b'[' | b'(' => bytes[at..]
                    .iter()
                    .position(|byte| matches!(byte, b']' | b')' | b'\n'))
                    .map_or(at + 1, |n| at + n + 1),
                b'/' if bytes[at..].starts_with(b"//") => {
                    at + bytes[at..].iter().take_while(|&&byte| byte != b'\n').count()
                }
                _ => {
                    at += 1;
                    continue;
                }
            };
            if bytes[at] != b'/' && text.is_char_boundary(end) {
                pieces.push((at, end));
            }
            // What stands inside of brackets is a piece too.
            at = if matches!(bytes[at], b'[' | b'(') { at + 1 } else { end };
        }
        if pieces.is_empty() {
            return text;
        }
        let (from, to) = (pieces[random.below(pieces.len())], pieces[random.below(pieces.len())]);
        let piece = text[from.0..from.1].to_owned();
        text.replace_range(to.0..to.1, &piece);
    }
    text
}

#[test]
fn odd_programs_check() {
    let shipped = Shipped::parse();
    let mut random = Random::new(11);
    let mut faults = Vec::new();
    for path in &files(&["examples", "tests/fixtures/check", "tests/fixtures/errors", "std-models/prelude"]) {
        let text = std::fs::read_to_string(path).unwrap();
        for _ in 0..12 {
            let fault = shipped.fault(&swapped(&text, &mut random));
            faults.extend(fault.map(|fault| format!("{} {fault}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Programs that grow, nest or lead back without end when they are unfolded.
#[test]
fn hostile_programs_end() {
    let shipped = Shipped::parse();
    let doubling = |count: usize, body: &str| {
        let mut text = "fn f0(x) = x + x\n".to_owned();
        for number in 1..count {
            text += &format!("fn f{number}(x) = {}\n", body.replace('@', &format!("f{}", number - 1)));
        }
        text
    };
    let chain: String = (0..3000).map(|number| format!("fn g{}(x) = g{number}(x)\n", number + 1)).collect();
    let nested = "x |> repeat 1000 { repeat 1000 { repeat 1000 { dense(3) } } }";
    let texts = [
        doubling(40, "@(@(x)) + @(x)"),
        doubling(40, "@(x) + @(x)"),
        doubling(4000, "@(x)"),
        format!("fn g0(x) = x\n{chain}"),
        format!("model M(x: [3]) -> y: [3] {{ {nested} }}"),
        "model M(x: [3]) -> y: [3] { x |> repeat 9999 { repeat 30 { dense(3) |> relu } } }".to_owned(),
        "model M(x: [99999999999]) -> y: [99999999999] { x |> dense(99999999999) }".to_owned(),
        "const a = 9223372036854775807 * 2\nmodel M(x: [a]) -> y: [a + a] { x }".to_owned(),
        "const a = 10 ^ 400\nmodel M(x: [a]) -> y: [1] { x[a] }".to_owned(),
        "fn f(x: [n]) -> [n * n * n * n * n * n * n * n * n * n * n * n * n * n * n * n * n * n * n] = x".to_owned(),
        format!("fn f(x: [{}]) = x", (0..200).map(|n| format!("(a{n} + b{n})")).collect::<Vec<_>>().join(" * ")),
        format!("fn f(x: [n]) = [{}]", vec!["x"; 5000].join(", ")),
        format!("fn f(x) = {{ {} x }}", (0..5000).map(|n| format!("let a{n} = x\n")).collect::<String>()),
        format!("fn f(x: [{}]) = sum(x)", vec!["2"; 3000].join(", ")),
        format!("fn f(x: [n]) = {{ let a0 = abs |> abs\n{} x |> a39 }}", {
            (1..40).map(|n| format!("let a{n} = a{} |> a{}\n", n - 1, n - 1)).collect::<String>()
        }),
        format!("fn f(x: [n]) = {{ let a0 = [1, 2]\n{} x }}", {
            (1..40).map(|n| format!("let a{n} = [a{}, a{}]\n", n - 1, n - 1)).collect::<String>()
        }),
        format!("fn f(x: [a0]) = {{ let a1 = a0\n{} x }}", {
            (2..80).map(|n| format!("let a{n} = min(a{} * 2, a{} * 3)\n", n - 1, n - 1)).collect::<String>()
        }),
        "fn f(x: [n]) = x + (n * (2^62 * -2)) % -1\nfn g(x: [n]) = zeros([n * (2^62 * -2) / -1])".to_owned(),
        "fn f(x: [n]) = pad(x, 9999999999)".to_owned(),
        "fn f(x: [8]) = split(x, 9999999999)".to_owned(),
        "fn f(x: [8, 8, 3]) = upsample(x, 99999999)".to_owned(),
        "fn f(x: [0]) = x\nfn g(x: [-3]) = x\nfn h(x: [1 / 0]) = x\nfn i(x: [5 % 0]) = x".to_owned(),
    ];
    let unknown: String = (0..8000).map(|n| format!("fn f{n}(x) = y{n}\n")).collect();
    let start = Instant::now();
    assert_eq!(shipped.check(&unknown).1, 8000);
    assert!(start.elapsed() < Duration::from_secs(30), "many unknown names take {:?}", start.elapsed());
    // What stops at the budget of the walk does no more than a few times that work; the machine does other things too.
    let usual = start.elapsed();
    for text in texts {
        let shown: String = text.chars().take(60).collect();
        let start = Instant::now();
        let (_, problems) = shipped.check(&text);
        let took = start.elapsed();
        assert!(took < 4 * usual + Duration::from_secs(30), "{shown} takes {took:?}, many unknown names {usual:?}");
        assert!(problems < 20, "{shown}: {problems} problems");
        if text.contains("repeat") || text.contains("f39") {
            assert_eq!(problems, 1, "{shown} is refused");
        }
    }
}
