//! The arena of a training step against the most that lives in it at the same time.

use crate::edits::texts;
use nnc::driver::check_program;
use nnc::train::program::Programs;
use nnc::train::summary::memory;

/// A program that trains a model of ten classes.
fn program(shape: &str, body: &str, batch: usize) -> String {
    format!(
        "data D {{
  source = generate(64)
  p: {shape} = uniform(0, 1, {shape})
  t: class(10) = argmax(uniform(0, 1, [10]))
}}
model M(p: {shape}) -> q: [10] {{ {body} |> dense(10) |> softmax }}
train M on D {{
  loss = cross_entropy(q, t)
  optimizer = adam()
  batch = {batch}
}}
"
    )
}

/// For each run of a program its name, and how much larger than needed the arena of a training step is.
fn ratios(name: &str, text: &str) -> Vec<(String, f64)> {
    let checked = check_program("test.nn", text);
    assert!(!checked.has_errors(), "{name}: {:?}", checked.diagnostics);
    let ratio = |run: &nnc::check::hir::Run| {
        let programs = Programs { run, model: &checked.hir.models[run.model], weighted: false };
        let graph = programs.training(run.batch).expect("all of it is supported");
        let memory = memory(&graph, programs.states().len());
        (format!("{name}, {}", run.name), memory.arena as f64 / memory.live as f64)
    };
    checked.hir.runs.iter().map(ratio).collect()
}

#[track_caller]
fn assert_small(ratios: &[(String, f64)]) {
    let too_large: Vec<_> = ratios.iter().filter(|(_, ratio)| *ratio > 1.5).collect();
    assert!(too_large.is_empty(), "{too_large:?}");
}

#[test]
fn steps_of_networks_take_little_more_than_what_lives() {
    let lenet = "p |> conv2d(6, 5, padding = same) |> tanh |> avg_pool2d |> conv2d(16, 5) |> tanh |> avg_pool2d
      |> flatten |> dense(120) |> tanh |> dense(84) |> tanh";
    let convolutions = "p |> repeat 2 { conv2d(32, 3, padding = same) |> relu } |> max_pool2d
      |> repeat 2 { conv2d(64, 3, padding = same) |> relu } |> max_pool2d |> flatten |> dense(128) |> relu";
    for (name, shape, body, batch) in [
        ("dense layers", "[784]", "p |> dense(512) |> relu |> dense(512) |> relu", 128),
        ("LeNet-5", "[28, 28, 1]", lenet, 32),
        ("LeNet-5, large batches", "[28, 28, 1]", lenet, 1024),
        ("convolutions", "[32, 32, 3]", convolutions, 64),
        ("LSTM", "[28, 28]", "p |> lstm(128) |> last", 128),
        ("transformer", "[64, 128]", "p |> transformer_block(4) |> last", 32),
    ] {
        assert_small(&ratios(name, &program(shape, body, batch)));
    }
}

#[test]
fn steps_of_shipped_networks_take_little_more_than_what_lives() {
    for (name, text) in texts("tests/fixtures/models") {
        assert_small(&ratios(&name, &text));
    }
}
