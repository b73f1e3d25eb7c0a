//! Programs that are long, deep or lead back to themselves: the check comes to an end soon, and says one thing.

use std::time::{Duration, Instant};

use nnc::driver::{self, Settings};

/// The codes of what is said, and how long that took.
fn checked(text: &str) -> (Vec<&'static str>, Duration) {
    let start = Instant::now();
    let (_, problems) = driver::check_text("hostile.nn", text);
    (problems.iter().map(|problem| problem.code).collect(), start.elapsed())
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
    let (few, short) = checked(&layers(1_000));
    let (many, long) = checked(&layers(10_000));
    assert!(few.is_empty() && many.is_empty(), "{few:?} {many:?}");
    // Ten times the text: well below what squares would give, on a machine that does other things too.
    assert!(long < 40 * short + Duration::from_secs(20), "{short:?} for 1,000 layers, {long:?} for 10,000");
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
    for (text, code) in cases {
        let shown: String = text.chars().take(60).collect();
        let (codes, took) = checked(&text);
        assert!(took < Duration::from_secs(20), "{shown} takes {took:?}");
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
