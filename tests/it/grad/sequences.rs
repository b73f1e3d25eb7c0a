//! Layers over sequences: their gradients, and the same bits from interpreter and machine code.

use super::check;
use crate::lower::assert_same;
use crate::random_graphs::Choices;
use nnc::diagnostics::Severity;
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
    let errors: Vec<_> = checked.diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
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

/// Several sequences and states, the last states as values, loops in loops, states that nothing reads, tables by category.
#[test]
fn loops() {
    let body = "let (s, p) = scan x_t over x, l over labels from (h = zeros([3]), q = ones([])) {
      next h = tanh(h + x_t) * q
      next q = q * 0.9 + 0.1 * sum(x_t) + 0.1 * sum(one_hot(l))
      emit q
      emit h * x_t
    }
    dense(2)(p[4] + s[2])";
    check_body("[2]", body);
    check_body(
        "[2]",
        "(scan x_t over x from (h = zeros([3])) { next h = 0.5 * h + sin(x_t) * h[0] + x_t }) |> dense(2)",
    );
    let nested = "let rows = scan x_t over x from (h = zeros([2])) {
      let inner = scan e over x_t from (g = h) { 
        next g = tanh(g * e + 0.3)
        emit g * e
      }
      next h = inner[2] + 0.2 * h
      emit inner[1]
    }
    rows";
    check_body("[5, 2]", nested);
    let deep = "layer deep(x: [t, n]) -> [t, 2] {
      param W: [n, 2] = glorot_uniform
      scan x_t over x from (h = zeros([2])) {
        let inner = scan e over x from (g = h) { next g = tanh(g + e @ W + sum(x_t)) }
        next h = inner * 0.5
        emit inner
      }
    }";
    check_program_of(&program("[5, 2]", "x |> deep", "mse(y, steps)", deep));
    // A state with neither reader nor use; a value emitted twice; a step that ignores its sequence.
    let odd = "let (a, b) = scan x_t over x from (h = zeros([2]), idle = zeros([7])) {
      next h = tanh(h + 0.5)
      next idle = idle + 1
      emit h
      emit h
    }
    a + 2 * b + (x |> each dense(2))";
    check_body("[5, 2]", odd);
    let table = "layer tabled(x: [t, n], labels: class(k)[t]) -> [t, 2] {
      param E: [k, 2] = normal(0, 1)
      param U: [2, 2] = orthogonal
      scan l over labels, x_t over x from (h = zeros([2])) {
        let h2 = tanh(E[l] + h @ U + sum(x_t))
        next h = h2
        emit h2 + E[argmax(x_t)]
      }
    }";
    check_program_of(&program("[5, 2]", "tabled(x, labels)", "mse(y, steps)", table));
}

#[test]
fn losses_per_step() {
    check_program_of(&program("[5, 3]", "x |> rnn(3) |> each softmax", "mean(each cross_entropy(y, labels))", ""));
    check_program_of(&program("[5, 3]", "x |> gru(3) |> sigmoid", "dice(y, each one_hot(labels))", ""));
}

#[test]
fn tables() {
    check_body("[5, 2]", "labels |> embedding(2)");
    check_body("[2]", "label |> embedding(2, normal(0, 1))");
    check_body("[5, 2]", "labels |> embedding(3) |> positional(weights = normal(0, 1)) |> lstm(2)");
    check_body("[2]", "labels |> embedding(3) |> residual(each dense(3)) |> flatten |> dense(2)");
}

#[test]
fn attention_layers() {
    check_body("[5, 2]", "attention(x, x, x) |> each dense(2)");
    check_body("[5, 2]", "attention(causal = true)(x, x, x) |> each dense(2)");
    check_body("[5, 2]", "x |> each dense(4) |> multi_head_attention(2) |> each dense(2)");
    check_body("[5, 2]", "x |> each dense(4) |> positional |> transformer_block(2, causal = true) |> each dense(2)");
}

#[test]
fn losses_of_towers() {
    let towers = "let tower = dense(3) |> tanh
    concat(tower(a), tower(b), tower(c))";
    let parts = "y[0..3], y[3..6], y[6..9]";
    check_program_of(&program("[9]", towers, &format!("triplet({parts})"), ""));
    check_program_of(&program("[9]", towers, "contrastive(2.5)(y[0..3], y[3..6], truth)", ""));
}

/// Random draws differ from step to step, and are the same on both sides.
#[test]
fn draws_in_loops() {
    check_body("[2]", "(scan x_t over x from (h = zeros([3])) { next h = tanh(h + dropout(0.5)(x_t)) }) |> dense(2)");
}
