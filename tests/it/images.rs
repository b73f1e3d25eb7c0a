//! Layers for images and series as machine code: training steps and evaluations give the bits of the reference interpreter.

use crate::lower::{assert_same, run};
use crate::networks::values;
use nnc::driver::check_program;
use nnc::plan::PlanOptions;
use nnc::train::program::Programs;

/// A program that trains a model of `body` from images `x` of that shape.
fn program(shape: &str, body: &str) -> String {
    format!(
        "use std.vision
data Points {{
  source = generate(30, seed = 1)
  x: {shape} = uniform(-1, 1, {shape})
  t: class(3) = argmax(uniform(0, 1, [3]))
}}
model M(x: {shape}) -> y: [3] {{ {body} |> flatten |> dense(3) |> softmax }}
train M on Points {{
  loss = cross_entropy(y, t)
  optimizer = adam()
  epochs = 1
  batch = 3
}}
"
    )
}

/// Training step and evaluation for batches of these sizes.
#[track_caller]
pub(crate) fn check(shape: &str, body: &str, batches: &[usize]) {
    let checked = check_program("test.nn", &program(shape, body));
    assert!(!checked.has_errors(), "{body}: {:?}", checked.diagnostics);
    let run_ = &checked.hir.runs[0];
    let programs = Programs { run: run_, model: &checked.hir.models[run_.model], weighted: false };
    for &batch in batches {
        for graph in [programs.training(batch).unwrap(), programs.evaluation(batch).unwrap()] {
            let inputs = values(&graph, 3);
            assert_same(&format!("{body}, batch {batch}"), &graph, &inputs);
            let options = PlanOptions::default();
            assert!(run(&graph, &inputs, &options, 1) == run(&graph, &inputs, &options, 2), "{body} on two threads");
        }
    }
}

#[test]
fn convolutions() {
    for layer in [
        "conv2d(3, 3)",
        "conv2d(5, 3, padding = same, stride = 2)",
        "conv2d(2, 2, dilation = 2, bias = false)",
        "conv2d(4, 3, groups = 2, padding = same)",
        "conv2d(8, 1)",
        "conv2d(3, 1, stride = 3)",
        "conv2d(1, 3)",
        "conv2d(4, 9)",
        "depthwise_conv2d(3)",
        "depthwise_conv2d(2, stride = 2, multiplier = 3, padding = same)",
        "separable_conv2d(3, 2, multiplier = 2)",
        "conv2d_transpose(3, 3)",
        "conv2d_transpose(2, 3, stride = 2, padding = same)",
        "conv2d_transpose(2, 2, stride = 3)",
    ] {
        check("[9, 10, 2]", &format!("x |> {layer} |> relu"), &[1, 3]);
    }
    check(
        "[4, 7, 8, 2]",
        "x |> each (conv2d(4, 3, padding = same) |> relu |> depthwise_conv2d(3) |> max_pool2d)",
        &[3],
    );
    check("[7, 2]", "x |> conv1d(8, 3, dilation = 2) |> relu |> conv1d(4, 2, stride = 2, padding = same)", &[1, 4]);
}

#[test]
fn pools_and_the_others() {
    for layer in [
        "max_pool2d",
        "max_pool2d(3, stride = 2, padding = same)",
        "max_pool2d(2, stride = 3)",
        "max_pool2d(3, stride = 1)",
        "avg_pool2d",
        "avg_pool2d(3, stride = 2, padding = same)",
        "max_pool([9, 10])",
        "avg_pool([2, 3], stride = [1, 2], padding = [1, 2])",
        "upsample2d",
        "spatial_dropout(0.4)",
        "gaussian_noise(0.3)",
        "group_norm(2)",
        "global_avg_pool",
        "batch_norm",
    ] {
        check("[9, 10, 2]", &format!("x |> conv2d(4, 3, padding = same) |> {layer} |> relu"), &[2, 5]);
    }
}

/// Products large enough for tiles, with blocks of the sums that do and do not end with an axis.
#[test]
fn large_convolutions() {
    check("[12, 12, 3]", "x |> conv2d(16, 3, padding = same) |> relu |> conv2d(24, 3) |> relu |> max_pool2d", &[5, 16]);
    check("[9, 11, 40]", "x |> conv2d(20, 3) |> tanh |> conv2d(70, 3, stride = 2, padding = same)", &[3]);
    check("[10, 10, 8]", "x |> conv2d(16, 5, groups = 2, padding = same) |> relu |> conv2d(6, 7)", &[4]);
    check("[6, 7, 12]", "x |> conv2d_transpose(18, 4, stride = 2) |> relu |> conv2d(8, 3, dilation = 2)", &[3]);
    check("[300, 5]", "x |> conv1d(12, 70) |> relu |> conv1d(12, 9, stride = 4)", &[3]);
}
