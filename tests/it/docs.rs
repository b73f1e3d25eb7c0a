//! The documents keep their word: their programs are what they say they are, and every diagnostic is explained.

use nnc::check::manual::MANUAL;
use nnc::diagnostics::advice::WARNINGS;
use nnc::diagnostics::render::{self, Style};
use nnc::driver;
use serde_json::Value;
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

/// The blocks of the comparison of mistakes, each as pairs of a speaker and what the line says.
fn compared() -> Vec<Vec<(String, String)>> {
    let text = read("docs/errors.md");
    let comparison = text.split("\n## ").next().unwrap_or_default();
    let blocks = comparison.split("```text").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = |block: &str| {
        let mut lines: Vec<(String, String)> = Vec::new();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            // Three blanks of the list, nine columns for who speaks, or blanks where the last one goes on.
            let (who, words) = (line[3..12].trim(), line[12..].to_owned());
            let who = if who.is_empty() { lines.last().unwrap().0.clone() } else { who.to_owned() };
            lines.push((who, words));
        }
        lines
    };
    blocks.map(lines).collect()
}

/// What is said of a label outside of its classes, and of more images than labels.
fn said_of_files() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("flowers.csv", b"length,kind\n1.4,0\n4.7,1\n6.0,7\n");
    write("images", &[&[0, 0, 8, 3, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0, 0, 1][..], &[1; 100]].concat());
    write("labels", &[&[0, 0, 8, 1, 0, 0, 0, 90][..], &[1; 90]].concat());
    let programs = [
        "data Flowers {\n  source = csv(\"flowers.csv\")\n  length: [1] = [length]\n  kind: class(3) = kind\n}\n",
        "data Digits {\n  source = idx(images = \"images\", labels = \"labels\")\n  x: [1, 1] = images / 255\n  \
         y: class(10) = labels\n}\n",
    ];
    let wide = Style { width: 400, ..Style::plain() };
    let inside = format!("{}/", folder.path().display());
    let said = programs.iter().flat_map(|program| {
        write("model.nn", program.as_bytes());
        let checked = driver::check_file(&folder.path().join("model.nn"), &driver::Settings::default(), true);
        assert!(!checked.diagnostics.is_empty(), "{program}");
        let shown =
            checked.diagnostics.iter().map(|one| render::human(one, &checked.sources, &wide).replace(&inside, ""));
        shown.map(|shown| shown.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    });
    said.collect()
}

#[test]
fn the_comparison_quotes_what_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut snapshots: Vec<String> = ["tests/fixtures/errors", "tests/it/snapshots"]
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .map(|path| fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    snapshots.extend(said_of_files());
    let blocks = compared();
    assert_eq!(blocks.len(), 21);
    let mut unsaid = Vec::new();
    for block in &blocks {
        let lines: Vec<&str> = block.iter().filter(|(who, _)| who == "nnc").map(|(_, words)| words.as_str()).collect();
        assert_eq!(lines.len(), 2, "{block:?}");
        if !snapshots.iter().any(|snapshot| lines.iter().all(|line| snapshot.contains(line))) {
            unsaid.push(lines);
        }
    }
    assert!(unsaid.is_empty(), "in docs/errors.md and said nowhere: {unsaid:#?}");
}

#[test]
fn the_comparison_quotes_what_keras_and_pytorch_say() {
    let kept: Value = serde_json::from_str(&read("tests/oracle/mistakes.json")).unwrap();
    let text = read("docs/errors.md");
    for (package, version) in kept["versions"].as_object().unwrap() {
        let name = match package.as_str() {
            "torch" => "PyTorch",
            "keras" => "Keras",
            "tensorflow" => "TensorFlow",
            "jax" => "JAX",
            other => panic!("the document does not name {other}"),
        };
        let named = format!("{name} {}", version.as_str().unwrap());
        assert!(text.contains(&named), "docs/errors.md does not say {named}");
    }
    let mut faults = Vec::new();
    for (number, block) in (1..).zip(compared()) {
        for (who, words) in block.iter().filter(|(who, _)| who != "nnc") {
            let speakers: &[&str] =
                match (who.as_str(), words.contains("with JAX: "), words.contains("with TensorFlow")) {
                    ("PyTorch", ..) => &["torch"],
                    ("Keras", true, false) => &["keras with jax"],
                    ("Keras", false, true) => &["keras with tensorflow"],
                    ("Keras", false, false) => &["keras with jax", "keras with tensorflow"],
                    other => panic!("who says this: {other:?} {words}"),
                };
            for speaker in speakers {
                let Some(ways) = kept["said"][number.to_string()][speaker].as_object() else {
                    // PyTorch has nothing to declare the shape of an input with.
                    assert_eq!((number, words.as_str()), (13, "shapes are not declared"));
                    continue;
                };
                let ways: Vec<Vec<&str>> = ways
                    .values()
                    .map(|way| way.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect())
                    .collect();
                let quotes: Vec<&str> = words.split('"').skip(1).step_by(2).collect();
                let (trains, silent) = (words.contains("trains"), words.contains("without a word"));
                let fits = |way: &Vec<&str>| {
                    quotes.iter().all(|quote| way.iter().any(|said| quoted(quote, said)))
                        && (!trains || way.last() == Some(&"trains"))
                        && (!silent || way.len() == 1)
                };
                if (quotes.is_empty() && !trains) || !ways.iter().any(fits) {
                    faults.push(format!("{number}, {speaker}: {words}\nsaid: {ways:#?}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a text was said, with an ellipsis for what is left out of it.
fn quoted(quote: &str, said: &str) -> bool {
    let mut rest = said;
    let complete = quote.ends_with('…') || said.ends_with(quote.rsplit('…').next().unwrap_or_default());
    let in_order = quote.split('…').map(str::trim).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    });
    complete && in_order
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
