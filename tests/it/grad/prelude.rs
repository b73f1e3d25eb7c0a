//! The gradients of training steps written in the language: every activation, loss and layer of the prelude.

use super::check;
use crate::random_graphs::Choices;
use nnc::driver::check_program;
use nnc::graph::eval::Array;
use nnc::graph::{DType, Graph, Input, batch, simplify};
use nnc::train::program::Programs;

const SAMPLES: usize = 3;

/// Checks the objective of each run of the program, for a batch, with respect to every number that goes into it.
#[track_caller]
pub(crate) fn check_runs(text: &str) {
    let checked = check_program("test.nn", text);
    assert!(!checked.has_errors(), "{:?}\n{text}", checked.diagnostics);
    assert!(!checked.hir.runs.is_empty());
    for run in &checked.hir.runs {
        let model = &checked.hir.models[run.model];
        let sample = Programs { run, model, weighted: true }.sample().expect("all of it is supported");
        let mut graph: Graph = simplify::simplify(&batch::batch(&sample, SAMPLES));
        graph.outputs.retain(|output| output.name == "objective");
        let mut choices = Choices::new(11);
        let inputs: Vec<Array> = graph.inputs.iter().map(|input| value(input, &mut choices)).collect();
        check(&graph, &inputs, 10);
    }
}

/// Numbers for an input: positive ones where they are probabilities or variances.
fn value(input: &Input, choices: &mut Choices) -> Array {
    let len = input.ty.len();
    let (low, high) = match input.name.as_str() {
        "p" | "weight" | "frequency" => (0.1, 0.9),
        name if name.contains("var") => (0.5, 1.5),
        _ => (-1.2, 1.2),
    };
    match input.ty.dtype {
        DType::F32 => Array::real(&input.ty.shape, (0..len).map(|_| choices.between(low, high)).collect()),
        DType::I32 => Array::i32(&input.ty.shape, (0..len).map(|_| choices.below(3) as i32).collect()),
        DType::Bool => Array::bool(&input.ty.shape, (0..len).map(|_| choices.once_in(2)).collect()),
    }
}

/// A program that trains `body` from `x: [4]` to `y` of that type with that loss; `t`, `p` are targets and `c` a class of 3.
fn program(ty: &str, body: &str, loss: &str, fields: &str) -> String {
    format!(
        "data Points {{
  source = generate(30, seed = 1)
  x: [4] = uniform(-1, 1, [4])
  rows: [2, 4] = uniform(-1, 1, [2, 4])
  t: [3] = uniform(-1, 1, [3])
  p: [3] = uniform(0, 1, [3])
  frequency: [] = uniform(0, 1)
  c: class(3) = argmax(t)
}}
model M(x: [4]{fields}) -> y: {ty} {{ {body} }}
train M on Points {{
  loss = {loss}
  optimizer = sgd(lr = 0.1)
  epochs = 1
  batch = 3
}}
"
    )
}

#[test]
fn activations() {
    let activations = [
        "linear",
        "relu",
        "leaky_relu",
        "leaky_relu(0.3)",
        "elu",
        "elu(0.5)",
        "selu",
        "gelu",
        "silu",
        "sigmoid",
        "softplus",
        "tanh",
        "step",
        "softmax",
    ];
    for activation in activations {
        check_runs(&program("[3]", &format!("x |> dense(3) |> {activation} |> dense(3)"), "mse(y, t)", ""));
    }
}

#[test]
fn losses() {
    for loss in ["mse(y, t)", "mae(y, t)", "huber(y, t)", "huber(0.3)(y, t)", "hinge(y, t)"] {
        check_runs(&program("[3]", "x |> dense(3)", loss, ""));
    }
    for loss in ["interval_balanced_mse(y, t, frequency)", "class_balanced_mse(y, c, frequency)"] {
        check_runs(&program("[3]", "x |> dense(3)", loss, ""));
    }
    check_runs(&program("[3]", "x |> dense(3) |> sigmoid", "binary_cross_entropy(y, p)", ""));
    for loss in ["cross_entropy(y, c)", "kl_divergence(y, p)", "-log(y[c])"] {
        check_runs(&program("[3]", "x |> dense(3) |> softmax", loss, ""));
    }
}

#[test]
fn layers() {
    for body in [
        "x |> dense(5, bias = false) |> tanh |> dense(3)",
        "x |> dense(5) |> batch_norm |> tanh |> dense(3)",
        "x |> dense(5) |> layer_norm |> tanh |> dense(3)",
        "x |> dense(5) |> dropout(0.4) |> dense(3)",
        "x |> repeat 2 { dense(4) |> tanh } |> dense(3)",
        "{ let tower = dense(4) |> tanh
           concat(tower(x), tower(tower(x))) |> dense(3) }",
        "{ let a = dense(3)(x)
           let b = dense(3)(x)
           a * sigmoid(b) + softmax(a) }",
    ] {
        check_runs(&program("[3]", body, "mse(y, t)", ""));
    }
    for body in [
        "rows |> each (dense(4) |> tanh) |> flatten |> dense(3)",
        "rows |> each layer_norm |> flatten |> dense(3)",
        "rows |> batch_norm |> flatten |> dense(3)",
        "rows |> each softmax |> flatten |> dense(3)",
        "dense(3)(x) + max(rows |> each dense(3), axis = 0) + min(rows @ reshape(x, [4, 1]))",
    ] {
        check_runs(&program("[3]", body, "mse(y, t)", ", rows: [2, 4]"));
    }
}

#[test]
fn penalties() {
    for penalty in ["l2(0.1)", "l1(0.1)", "elastic(0.1, 0.2)"] {
        let text = program("[3]", "x |> dense(3)", "mse(y, t)", "")
            .replace("epochs = 1", &format!("epochs = 1\n  penalty = {penalty}"));
        check_runs(&text);
    }
}
