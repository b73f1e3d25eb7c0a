//! From text to tree.

use crate::edits::{edits, texts};
use nnc::diagnostics::Diagnostics;
use nnc::source::Sources;
use nnc::syntax;
use nnc::syntax::ast::Ast;

fn parse(text: &str) -> (Ast, Vec<String>) {
    let mut diagnostics = Diagnostics::new();
    let file = Sources::new().add("test.nn", text);
    let ast = syntax::parse(file, text, &mut diagnostics);
    let shown = diagnostics.iter().map(|problem| format!("{}: {} {:?}", problem.code, problem.message, problem.span()));
    (ast, shown.collect())
}

#[test]
fn the_pages_of_the_language_parse() {
    for (name, text) in texts("tests/fixtures/format") {
        let (_, problems) = parse(&text);
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
}

#[test]
fn any_edit_parses_quickly() {
    for (name, text) in texts("tests/fixtures/format") {
        for (round, edited) in edits(&text, 1500, 1).enumerate() {
            let start = std::time::Instant::now();
            let (ast, _) = parse(&edited);
            assert!(start.elapsed().as_millis() < 50, "{name} {round}: {:?}", start.elapsed());
            for expr in &ast.exprs {
                assert!(edited.get(expr.span.start as usize..expr.span.end as usize).is_some(), "{expr:?} in {edited}");
            }
        }
    }
}

#[test]
fn deep_and_long_texts_are_refused_once() {
    let wrap = |body: String| format!("fn f(x) = {body}\nfn g(x) = x\n");
    let deep = 3000;
    let texts = [
        "(".repeat(deep) + "x" + &")".repeat(deep),
        "[".repeat(deep) + "x" + &"]".repeat(deep),
        "{".repeat(deep) + "x" + &"}".repeat(deep),
        "if x then ".repeat(deep) + "x",
        "if ".repeat(deep) + "x",
        "x".to_string() + &" + x".repeat(deep),
        "x".to_string() + &" ^ x".repeat(deep),
        "x".to_string() + &" ^ -x".repeat(deep),
        "x".to_string() + &" |> f".repeat(deep),
        "-".repeat(deep) + "x",
        "not ".repeat(deep) + "x",
        "each ".repeat(deep) + "x",
        "x".to_string() + &"(x)".repeat(deep),
        "x".to_string() + &"[x]".repeat(deep),
        "if x > 0 then x else ".repeat(deep) + "x",
        "repeat ".repeat(deep) + "x {}",
        "scan a over ".repeat(deep) + "x {}",
        "x".to_string() + &" on \"a\"".repeat(deep),
    ];
    for body in texts {
        let start = std::time::Instant::now();
        let shown: String = body.chars().take(20).collect();
        let (ast, problems) = parse(&wrap(body));
        assert_eq!(problems.len(), 1, "{shown}: {problems:#?}");
        assert!(problems[0].starts_with("too-deep"), "{shown}: {problems:?}");
        assert!(start.elapsed().as_millis() < 500, "{shown}: {:?}", start.elapsed());
        assert!(!ast.items.is_empty());
    }
    let long = 20_000;
    for part in [
        "$",
        ")",
        "\"a\n",
        "(\n",
        "x = 3\n",
        "\n",
        "let a = (1\n",
        "1 2 ",
        "{}",
        "_1__",
        ";",
        "layer f(\n",
        "// a\n",
        "{\n}",
    ] {
        let start = std::time::Instant::now();
        parse(&wrap(part.repeat(long)));
        parse(&part.repeat(long));
        assert!(start.elapsed().as_secs() < 10, "{part:?}: {:?}", start.elapsed());
    }
    for open in ["(", "[", "{", "if ", "{\n", "f(\n", "[\n", "if x then {\n", "x |> f({"] {
        parse(&wrap(open.repeat(deep)));
        parse(&wrap(open.repeat(40)));
        parse(&open.repeat(40));
    }
}

#[test]
fn shipped_files_parse() {
    for (name, text) in texts("examples").into_iter().chain(texts("std-models")) {
        let (_, problems) = parse(&text);
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
}
