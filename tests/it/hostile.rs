//! Programs that are long, deep or lead back to themselves: the check comes to an end soon, and says one thing.

use std::time::{Duration, Instant};

use nnc::driver::{self, Settings};

/// The codes of what is said, and how long that took.
fn checked(text: &str) -> (Vec<&'static str>, Duration) {
    let start = Instant::now();
    let (_, problems) = driver::check_text("hostile.nn", text);
    (problems.iter().map(|problem| problem.code).collect(), start.elapsed())
}

/// Four times as much takes far less than the sixteen times that squares would. The shortest of several runs counts: the machine does
/// other things too.
fn in_proportion(name: &str, time: impl Fn(usize) -> Duration, count: usize) {
    let (mut short, mut long) = (Duration::MAX, Duration::MAX);
    for _ in 0..4 {
        (short, long) = (short.min(time(count)), long.min(time(4 * count)));
        if long < 10 * short + Duration::from_millis(100) {
            return;
        }
    }
    panic!("{name}: {short:?} for {count}, {long:?} for {}", 4 * count);
}

/// `count` layers, most of which use the one before.
fn layers(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let before = if number % 50 == 0 { "relu".to_owned() } else { format!("l{}", number - 1) };
        text += &format!(
            "layer l{number}(units: int = {})(x: [n]) -> [n] {{\n  param W: [n, units] = glorot_uniform\n  \
             param V: [units, n] = glorot_uniform\n  x @ W @ V |> {before}\n}}\n",
            number + 1
        );
    }
    text + "model Net(x: [3]) -> y: [3] { x |> l3 }\n"
}

#[test]
fn ten_thousand_layers_take_time_in_proportion() {
    let time = |count: usize| {
        let (codes, took) = checked(&layers(count));
        assert!(codes.is_empty(), "{codes:?}");
        took
    };
    in_proportion("layers", time, 400);
}

/// A text of so many things.
type Shape = fn(usize) -> String;

/// A text of so many things behind another.
type ShapeOf = fn(&str, usize) -> String;

/// `count` times what `piece` writes of a number, between two texts.
fn written(before: &str, count: usize, piece: impl Fn(usize) -> String, after: &str) -> String {
    let pieces: String = (0..count).map(piece).collect();
    format!("{before}{pieces}{after}")
}

#[test]
fn a_model_of_ten_thousand_layers_checks() {
    let model = "model M(x: [4]) -> y: [4] { ";
    let shapes: [(&str, ShapeOf); 5] = [
        ("a pipe", |model, count| written(&format!("{model}x"), count, |_| "\n  |> dense(4)".to_owned(), " }\n")),
        ("lets", |model, count| {
            let before = format!("{model}\n  let h0 = x\n");
            let layer = |at| format!("  let h{} = h{at} |> dense(4)\n", at + 1);
            written(&before, count, layer, &format!("  h{count}\n}}\n"))
        }),
        ("repeat", |model, count| format!("{model}x |> repeat {count} {{ dense(4) }} }}\n")),
        ("a bound pipe", |model, count| {
            let before = format!("{model}\n  let l = dense(4)");
            written(&before, count, |_| " |> dense(4)\n".to_owned(), "\n  x |> l\n}\n")
        }),
        ("a sum", |model, count| {
            written(&format!("{model}x |> dense(4) |> f }}\nfn f(x) = x"), count, |at| format!(" +\n {at} * x"), "\n")
        }),
    ];
    for (name, shape) in shapes {
        let (few, _) = checked(&shape(model, 1_000));
        assert!(!few.contains(&"too-deep") && !few.contains(&"too-complex"), "{name}: {few:?}");
        let time = |count: usize| {
            let (codes, took) = checked(&shape(model, count));
            assert_eq!(codes, few, "{name}");
            took
        };
        in_proportion(name, time, 400);
    }
}

#[test]
fn what_is_many_takes_time_in_proportion() {
    let shapes: [(&str, Shape); 9] = [
        ("constants", |count| written("const c = 1\n", count, |at| format!("const c{at} = c + {at}\n"), "")),
        ("fields", |count| {
            let before = "data D {\n  source = csv(\"a.csv\")\n";
            written(before, count, |at| format!("  f{at}: [1] = [c{at} * 2]\n"), "}\n")
        }),
        ("runs", |count| {
            let before = "model M(x: [2]) -> y: [1] { x |> dense(1) }\n\
                          data D {\n  source = csv(\"a.csv\")\n  x: [2] = [a, b]\n  t: [1] = [c]\n}\n";
            let run = |at| format!("train M on D as r{at} {{\n  loss = mse(y, t)\n  optimizer = sgd(lr = 0.1)\n}}\n");
            written(before, count, run, "")
        }),
        ("inputs", |count| written("model M(x: [4]", count, |at| format!(", x{at}: [4]"), ") -> y: [4] { x }\n")),
        ("arguments", |count| written("fn f(x: [4]) = concat(x", count, |_| ", x".to_owned(), ")\n")),
        ("params", |count| {
            let param = |at| format!("  param W{at}: [4] = zeros\n");
            written("layer L(x: [4]) -> [4] {\n", count, param, "  x\n}\nmodel M(x: [4]) -> y: [4] { x |> L }\n")
        }),
        ("open branches", |count| {
            let branch = |at| format!("  param W{at}: [4] = zeros\n  let a{at} = if k > {at} then x + W{at} else x\n");
            let after = "  a0\n}\nmodel M(x: [4]) -> y: [4] { x |> L(3) }\n";
            written("layer L(k: int)(x: [4]) -> [4] {\n", count, branch, after)
        }),
        ("else if", |count| {
            written("fn f(x) = if x > 0 then 1\n", count, |at| format!("  else if x > {at} then {at}\n"), "  else 3\n")
        }),
        ("names without let", |count| {
            let statement = |at| format!("  h{} = h{at} |> dense(4)\n", at + 1);
            written("model M(x: [4]) -> y: [4] {\n  let h0 = x\n", count, statement, "  h0\n}\n")
        }),
    ];
    for (name, shape) in shapes {
        in_proportion(name, |count| checked(&shape(count)).1, 200);
    }
}

#[test]
fn many_mistakes_take_time_in_proportion() {
    let shapes: [(&str, Shape); 5] = [
        ("unknown names", |count| written("", count, |at| format!("fn g{at}(x) = x + y{at}\n"), "")),
        ("comparisons bound", |count| {
            written("fn f(x: [4]) {\n", count, |at| format!("  let a{at} == x\n"), "  x\n}\n")
        }),
        ("parentheses closed by another", |count| {
            written("fn f(x: [4]) {\n", count, |at| format!("  let a{at} = (x]\n"), "  x\n}\n")
        }),
        ("lists closed by another", |count| {
            written("fn f(x: [4]) {\n", count, |at| format!("  let a{at} = [x)\n"), "  x\n}\n")
        }),
        ("rings", |count| {
            let pair = |at| format!("fn f{at}(x) = g{at}(x)\nfn g{at}(x) = f{at}(x)\n");
            written("", count, pair, "")
        }),
    ];
    for (name, shape) in shapes {
        in_proportion(name, |count| checked(&shape(count)).1, 200);
    }
}

#[test]
fn many_mistakes_are_shown_in_proportion() {
    let shown = |count: usize| {
        let text = written("", count, |at| format!("fn g{at}(x) = x + y{at}\n"), "");
        let (sources, problems) = driver::check_text("hostile.nn", &text);
        assert_eq!(problems.len(), count);
        let start = Instant::now();
        let style = nnc::diagnostics::render::Style::plain();
        let shown = problems.iter().map(|problem| nnc::diagnostics::render::human(problem, &sources, &style).len());
        assert!(shown.sum::<usize>() < 1_000 * count, "what is said of one mistake grows with their number");
        start.elapsed()
    };
    in_proportion("shown", shown, 500);
}

#[test]
fn what_grows_without_bound_is_refused() {
    let nested =
        |open: &str, close: &str, count: usize| format!("fn f(x) = {}x{}", open.repeat(count), close.repeat(count));
    let powers =
        (0..200).fold("n".to_owned(), |dim, _| format!("({dim} + 1) * ({dim} / 2)").chars().take(4000).collect());
    let growing: String = (0..60).map(|at| format!("  let s{} = concat(s{at}, s{at})\n", at + 1)).collect();
    let ring: String =
        (0..500).map(|at| format!("layer r{at}(x: [n]) -> [n] {{ x |> r{} }}\n", (at + 1) % 500)).collect();
    let doubling: String =
        (1..60).map(|at| format!("layer d{at}(x: [n]) {{ x |> d{} |> d{} }}\n", at - 1, at - 1)).collect();
    let cases = [
        (nested("(", ")", 100_000), "too-deep"),
        (nested("if x > 0 then 1 else (", ")", 5_000), "too-deep"),
        (format!("fn f(x: [{powers}]) = x"), ""),
        (format!("model M(x: [2]) -> y: [1] {{\n  let s0 = x\n{growing}  s60 |> dense(1)\n}}"), "model-too-large"),
        (ring, "recursion"),
        (format!("layer d0(x: [n]) {{ x }}\n{doubling}model M(x: [2]) -> y: [2] {{ x |> d59 }}"), "too-complex"),
        ("model M(x: [2]) -> y: [2] { x |> repeat 1000000000 { dense(2) } }".to_owned(), "out-of-range"),
        ("const n = 9999999999\nmodel M(x: [2]) -> y: [2] { x |> repeat n { dense(2) } }".to_owned(), "out-of-range"),
        ("model M(x: [2]) -> y: [2] { x |> repeat 9999 { repeat 9999 { dense(2) } } }".to_owned(), "too-complex"),
    ];
    // What stops at the budget of the walk has done a few times the work of this one; the machine does other things too.
    let (_, usual) = checked(&layers(1_000));
    for (text, code) in cases {
        let shown: String = text.chars().take(60).collect();
        let (codes, took) = checked(&text);
        assert!(took < 20 * usual + Duration::from_secs(20), "{shown} takes {took:?}, 1,000 layers {usual:?}");
        assert!(codes.len() <= 5, "{shown}: {codes:?}");
        assert!(code.is_empty() || codes.contains(&code), "{shown}: {codes:?}, not {code}");
    }
}

#[test]
fn files_that_use_each_other_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    for (name, other) in [("a.nn", "b.nn"), ("b.nn", "c.nn"), ("c.nn", "a.nn")] {
        let layer = name.trim_end_matches(".nn");
        let text = format!("use \"./{other}\"\nlayer of_{layer}(x: [n]) -> [n] {{ x }}\n");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let checked = driver::check_file(&folder.path().join("a.nn"), &Settings::default(), false);
    let codes: Vec<&str> = checked.diagnostics.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["use-cycle"]);
}
