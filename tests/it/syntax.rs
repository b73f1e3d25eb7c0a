//! From text to tree.

use crate::edits::{edits, texts};
use nnc::diagnostics::Diagnostics;
use nnc::source::Sources;
use nnc::syntax;
use nnc::syntax::ast::Ast;
use std::time::{Duration, Instant};

fn parse(text: &str) -> (Ast, Vec<String>) {
    let mut diagnostics = Diagnostics::new();
    let file = Sources::new().add("test.nn", text);
    let ast = syntax::parse(file, text, &mut diagnostics);
    let shown = diagnostics.iter().map(|problem| format!("{}: {} {:?}", problem.code, problem.message, problem.span()));
    (ast, shown.collect())
}

/// How long nothing takes, on whatever machine: a test of coming to an end, not of speed, which `benches/edits.rs` measures.
const HANG: Duration = Duration::from_secs(20);

#[test]
fn the_pages_of_the_language_parse() {
    for (name, text) in texts("tests/fixtures/format") {
        let (_, problems) = parse(&text);
        assert!(problems.is_empty(), "{name}: {problems:#?}");
    }
}

#[test]
fn any_edit_parses() {
    for (name, text) in texts("tests/fixtures/format") {
        for (round, edited) in edits(&text, 1000, 1).enumerate() {
            let start = Instant::now();
            let (ast, _) = parse(&edited);
            assert!(start.elapsed() < HANG, "{name} {round}: {:?}", start.elapsed());
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
        "x".to_string() + &" ^ x".repeat(deep),
        "x".to_string() + &" ^ -x".repeat(deep),
        "-".repeat(deep) + "x",
        "not ".repeat(deep) + "x",
        "each ".repeat(deep) + "x",
        "x".to_string() + &"(x)".repeat(deep),
        "x".to_string() + &"[x]".repeat(deep),
        "repeat ".repeat(deep) + "x {}",
        "scan a over ".repeat(deep) + "x {}",
        "x".to_string() + &" on \"a\"".repeat(deep),
    ];
    for body in texts {
        let start = Instant::now();
        let shown: String = body.chars().take(20).collect();
        let (ast, problems) = parse(&wrap(body));
        assert_eq!(problems.len(), 1, "{shown}: {problems:#?}");
        assert!(problems[0].starts_with("too-deep"), "{shown}: {problems:?}");
        assert!(start.elapsed() < HANG, "{shown}: {:?}", start.elapsed());
        assert!(!ast.items.is_empty());
    }
    // A chain is one node: it is no deeper for being long.
    let chains = [
        "x".to_string() + &" + x - x".repeat(deep),
        "x".to_string() + &" |> f".repeat(deep),
        "if x > 0 then x else ".repeat(deep) + "x",
    ];
    for body in chains {
        let shown: String = body.chars().take(20).collect();
        let (_, problems) = parse(&wrap(body));
        assert!(problems.is_empty(), "{shown}: {problems:?}");
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
        assert!(start.elapsed() < 3 * HANG, "{part:?}: {:?}", start.elapsed());
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

#[test]
fn every_form_has_its_tree() {
    for (name, text) in texts("tests/fixtures/ast") {
        let mut diagnostics = Diagnostics::new();
        let mut sources = Sources::new();
        let file = sources.add("test.nn", text.as_str());
        let ast = syntax::parse(file, &text, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{name}: {:#?}", diagnostics.into_sorted());
        let short = name.trim_start_matches("tests/fixtures/ast/").trim_end_matches(".nn").to_string();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../fixtures/ast");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(short, syntax::print::print(&ast, sources.get(file))));
    }
}

/// The tree of an expression, as printed.
fn tree(expression: &str) -> String {
    let text = format!("const X = {expression}\n");
    let mut diagnostics = Diagnostics::new();
    let file = Sources::new().add("test.nn", text.as_str());
    let ast = syntax::parse(file, &text, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{expression}: {:#?}", diagnostics.into_sorted());
    let printed = syntax::print::print_structure(&ast);
    printed.lines().skip(1).map(str::trim).collect::<Vec<_>>().join(" ")
}

#[test]
fn operators_bind_as_on_the_page() {
    let cases = [
        ("a + b * c", "(+ a (* b c))"),
        ("a - b - c", "(- a b c)"),
        ("a - b + c * d", "(infix a - b + (* c d))"),
        ("-x^2", "(neg (^ x 2))"),
        ("2^-x", "(^ 2 (neg x))"),
        ("a^b^c", "(^ a (^ b c))"),
        ("-a * b", "(* (neg a) b)"),
        ("a * -b", "(* a (neg b))"),
        ("not a == b", "(not (== a b))"),
        ("not a and b or c", "(or (and (not a) b) c)"),
        ("a and b == c + 1", "(and a (== b (+ c 1)))"),
        ("a |> b |> c", "(pipe a b c)"),
        ("a + b |> c", "(pipe (+ a b) c)"),
        ("if a then b else c |> d", "(pipe (if a b c) d)"),
        ("if a then b |> e else c + d", "(if a (pipe b e) (+ c d))"),
        ("a + if b then c else d + e", "(+ a (if b c (+ d e)))"),
        ("if a then b else if c then d else e", "(if a b c d e)"),
        ("each f(x) |> g", "(pipe (each (call f x)) g)"),
        ("each each f", "(each (each f))"),
        ("-each f", "(neg (each f))"),
        ("f(3)(x)[1]", "(index (call (call f 3) x) 1)"),
        ("x @ W + b", "(+ (@ x W) b)"),
        ("l2(1e-4) on \"*.b\"", "(on (call l2 0.0001) \"*.b\")"),
        ("10%", "0.1"),
        ("10%3", "(% 10 3)"),
        ("10 % 3", "(% 10 3)"),
        ("10 % -3", "(% 10 (neg 3))"),
        ("10% - 3", "(- 0.1 3)"),
        ("10% * x", "(* 0.1 x)"),
        ("n%2", "(% n 2)"),
        ("[train = 60%, test = 40%]", "(list train: 0.6 test: 0.4)"),
        ("f(from = 10, if = 3)", "(call f from: 10 if: 3)"),
        ("f(0..11)", "(call f (range 0 11))"),
    ];
    for (expression, expected) in cases {
        assert_eq!(tree(expression), expected, "{expression}");
    }
}

#[test]
fn a_line_ends_a_statement_unless_it_goes_on() {
    let cases = [
        ("f(\n1,\n2\n)", "(call f 1 2)"),
        ("a +\n\n  b", "(+ a b)"),
        ("\n  a", "a"),
        ("a\n  |> b // one\n  // two\n\n  |> c", "(pipe a b c)"),
        ("if a\n then b\n else c", "(if a b c)"),
        ("if a then\n b\n else\n c", "(if a b c)"),
        ("a and\n b", "(and a b)"),
        ("{ let a = 1\n a }", "(block (let a 1) (value a))"),
        ("{\n\n a // c\n\n}", "(block (value a))"),
        ("{ param W: [n] = x\n param + 1 }", "(block (param W: [n] x) (value (+ param 1)))"),
    ];
    for (expression, expected) in cases {
        assert_eq!(tree(expression), expected, "{expression:?}");
        assert_eq!(tree(&expression.replace('\n', "\r\n")), expected, "{expression:?}");
    }
}

#[test]
fn what_cannot_be_read_is_a_hole_and_the_rest_stands() {
    let text = "layer a(x: [n]) -> [n] {\n  let y = 3 +* 4\n  let z = f(1 2, y)\n  y + z\n}\nconst B = 1\n";
    let (ast, problems) = parse(text);
    assert_eq!(problems.len(), 2, "{problems:?}");
    insta::assert_snapshot!(syntax::print::print_structure(&ast), @r#"
    layer a
      input x: [n]
      output [n]
      (block
        (let y error)
        (let z (call f error y))
        (value (+ y z)))
    const B
      1
    "#);
    let (ast, problems) =
        parse("layer broken(x: [n) -> { x }\nlayer fine(x: [n]) -> [n] { let = 3\n let q 3\n broken(x) }\n");
    assert_eq!(problems.len(), 3, "{problems:?}");
    let broken: Vec<&str> = ast.broken.iter().map(|name| name.value.as_str()).collect();
    assert_eq!(broken, ["broken", "q"]);
}
