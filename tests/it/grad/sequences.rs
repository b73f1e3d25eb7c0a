//! Layers over sequences: their gradients, and the same bits from interpreter and machine code.

use super::check;
use crate::lower::assert_same;
use crate::random_graphs::Choices;
use nnc::driver::check_program;
use nnc::graph::eval::Array;
use nnc::graph::{DType, Graph, Input, batch, simplify};
use nnc::train::program::Programs;

/// A program that trains a model with these inputs and this body.
fn program(ty: &str, body: &str, loss: &str, declarations: &str) -> String {
    format!(
        "data Rows {{
  source = generate(30, seed = 1)
  x: [5, 3] = uniform(-1, 1, [5, 3])
  one: [1, 3] = uniform(-1, 1, [1, 3])
  a: [4] = uniform(-1, 1, [4])
  b: [4] = uniform(-1, 1, [4])
  c: [4] = uniform(-1, 1, [4])
  t: [2] = uniform(-1, 1, [2])
  steps: [5, 2] = uniform(-1, 1, [5, 2])
  truth: [] = uniform(0, 1)
  labels: class(3)[5] = argmax(x, axis = 1)
  label: class(3) = argmax(one[0])
}}
{declarations}
model M(x: [5, 3], one: [1, 3], a: [4], b: [4], c: [4], labels: class(3)[5], label: class(3)) -> y: {ty} {{ {body} }}
train M on Rows {{
  loss = {loss}
  optimizer = sgd(lr = 0.1)
  epochs = 1
  batch = 3
}}
"
    )
}

fn value(input: &Input, choices: &mut Choices) -> Array {
    let len = input.ty.len();
    let (low, high) = match input.name.as_str() {
        "weight" | "truth" => (0.1, 0.9),
        _ => (-1.1, 1.1),
    };
    match input.ty.dtype {
        DType::F32 => Array::real(&input.ty.shape, (0..len).map(|_| choices.between(low, high)).collect()),
        DType::I32 => Array::i32(&input.ty.shape, (0..len).map(|_| choices.below(3) as i32).collect()),
        DType::Bool => Array::bool(&input.ty.shape, (0..len).map(|_| choices.once_in(2)).collect()),
    }
}

/// The gradients against differences, and whole training steps on batches of several sizes against the interpreter.
#[track_caller]
fn check_program_of(text: &str) {
    let checked = check_program("test.nn", text);
    assert!(checked.diagnostics.is_empty(), "{:?}\n{text}", checked.diagnostics);
    let run = &checked.hir.runs[0];
    let model = &checked.hir.models[run.model];
    let programs = Programs { run, model, weighted: true };
    let sample = programs.sample().expect("all of it is supported");
    let mut graph: Graph = simplify::simplify(&batch::batch(&sample, 3));
    graph.outputs.retain(|output| output.name == "objective");
    let mut choices = Choices::new(11);
    let inputs: Vec<Array> = graph.inputs.iter().map(|input| value(input, &mut choices)).collect();
    check(&graph, &inputs, 10);
    for n in [1, 2, 5, 37] {
        let graph = programs.training(n).expect("all of it is supported");
        let inputs: Vec<Array> = graph.inputs.iter().map(|input| value(input, &mut choices)).collect();
        assert_same(text, &graph, &inputs);
    }
}

#[track_caller]
fn check_body(ty: &str, body: &str) {
    let loss = match ty {
        "[2]" => "mse(y, t)",
        "[5, 2]" => "mse(y, steps)",
        other => panic!("no target of type {other}"),
    };
    check_program_of(&program(ty, body, loss, ""));
}

#[test]
fn recurrent_layers() {
    check_body("[5, 2]", "x |> rnn(2)");
    check_body("[2]", "x |> gru(4) |> last |> dense(2)");
    check_body("[2]", "x |> lstm(4) |> last |> dense(2)");
    check_body("[5, 2]", "x |> bidirectional(gru(3)) |> lstm(2)");
    check_body("[2]", "one |> lstm(4) |> last |> dense(2)");
}
