//! The formatter.

use crate::docs::{blocks, read};
use crate::edits::{edits, texts};
use nnc::diagnostics::Diagnostics;
use nnc::source::Sources;
use nnc::syntax;
use nnc::syntax::ast::ItemKind;

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
pub(crate) fn assert_sound(name: &str, text: &str) {
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
            for edited in edits(&text, 20, 7) {
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

/// The `nn` blocks of the documents by name.
fn blocks_of(pages: &[&str]) -> Vec<(String, String)> {
    let of = |page: &&str| {
        blocks(&read(page)).into_iter().map(|(before, block)| (format!("{page}: {before}"), block)).collect()
    };
    pages.iter().flat_map(|page| -> Vec<(String, String)> { of(page) }).collect()
}

#[test]
fn what_the_project_shows_is_formatted() {
    let mut faults = Vec::new();
    let pages = blocks_of(&["README.md", "docs/language.md"]);
    for (name, text) in ["examples", "std-models"].into_iter().flat_map(texts).chain(pages) {
        let (formatted, fine) = format(&text);
        let line = text.lines().zip(formatted.lines()).find(|(before, after)| before != after);
        if let Some((before, after)) = line.or((text != formatted).then_some(("", ""))) {
            faults.push(format!("{name}\n  {before}\n  {after}"));
        }
        assert!(fine, "{name}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_text_is_formatted_around_its_mistakes() {
    let text = "\
const   a=1


model M(x:[2])->y:[1]{
   x|>dense( 3 |>relu
 }
// here
fn f(x)=x+   1 // one
let  b  =  2
const c=(3)
train M on D{
 loss=mse(y,z)
    epochs=  3 $ 4 // four
 optimizer  =  adam( lr=0.1 )
}
";
    let expected = "\
const a = 1

model M(x:[2])->y:[1]{
   x|>dense( 3 |>relu
 }
// here
fn f(x) = x + 1  // one
let  b  =  2
const c = (3)
train M on D {
  loss      = mse(y, z)
  epochs=  3 $ 4 // four
  optimizer = adam(lr = 0.1)
}
";
    let (formatted, fine) = format(text);
    assert!(!fine);
    assert_eq!(formatted, expected);
}

#[test]
fn what_is_wrong_stays_as_it_was() {
    for (name, text) in texts("tests/fixtures").into_iter().chain(texts("examples")) {
        for edited in edits(&text, 10, 11).chain([text.clone()]) {
            let mut sources = Sources::new();
            let file = sources.add("test.nn", edited.as_str());
            let ast = syntax::parse(file, &edited, &mut Diagnostics::new());
            let formatted = syntax::format(&ast, sources.get(file));
            for item in ast.items.iter().filter(|item| matches!(item.kind, ItemKind::Error)) {
                let slice = sources.slice(item.span).trim();
                assert!(formatted.contains(slice), "{name}: not kept:\n{slice}\n--- formatted\n{formatted}");
            }
            for damage in &ast.repaired {
                let slice = sources.slice(*damage).lines().next().unwrap_or_default().trim();
                assert!(formatted.contains(slice), "{name}: not kept:\n{slice}\n--- formatted\n{formatted}");
            }
        }
    }
}
