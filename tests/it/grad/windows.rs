//! The gradients of windows, of products with them, and of every layer for images and series.

use super::prelude::check_runs;
use super::{check_operation, numbers};
use crate::random_graphs::Choices;
use nnc::graph::Builder;
use nnc::graph::windows::Along;

/// Windows of sizes, strides and dilations that overlap, touch, leave gaps, and do not fit evenly.
const ALONG: [Along; 9] = [
    Along { size: 3, stride: 1, dilation: 1 },
    Along { size: 2, stride: 2, dilation: 1 },
    Along { size: 3, stride: 2, dilation: 1 },
    Along { size: 2, stride: 5, dilation: 1 },
    Along { size: 3, stride: 1, dilation: 2 },
    Along { size: 2, stride: 3, dilation: 4 },
    Along { size: 1, stride: 2, dilation: 1 },
    Along { size: 9, stride: 1, dilation: 1 },
    Along { size: 9, stride: 4, dilation: 1 },
];

#[test]
fn windows() {
    let mut choices = Choices::new(31);
    for along in ALONG {
        for axis in 0..3 {
            let mut shape = [2, 2, 2];
            shape[axis] = 9;
            let x = numbers(&mut choices, &shape, -1.0, 1.0);
            check_operation(&[x], |b, x| {
                let views = b.windows(x[0], axis, along);
                b.mul(views, views)
            });
        }
    }
    // Where no window fits there is nothing to hand back.
    let x = numbers(&mut choices, &[3, 2], -1.0, 1.0);
    check_operation(&[x], |b, x| {
        let views = b.windows(x[0], 0, Along { size: 4, stride: 1, dilation: 1 });
        let sum = b.sum(views, &[0, 1]);
        b.mul(sum, x[0])
    });
}

#[test]
fn products_with_windows() {
    let mut choices = Choices::new(32);
    for (number, along) in ALONG.into_iter().enumerate() {
        let other = ALONG[(number * 2 + 3) % ALONG.len()];
        let x = numbers(&mut choices, &[2, 9, 9, 3], -1.0, 1.0);
        let w = numbers(&mut choices, &[along.size, other.size, 3, 2], -1.0, 1.0);
        let convolution = |b: &mut Builder, x: nnc::graph::NodeId, w| {
            let rows = b.windows(x, 1, along);
            let views = b.windows(rows, 3, other);
            b.contract(views, w, &[], &[(2, 0), (4, 1), (5, 2)])
        };
        check_operation(&[x.clone(), w.clone()], |b, x| convolution(b, x[0], x[1]));
        // Padded, and with the sides exchanged.
        check_operation(&[x.clone(), w.clone()], |b, x| {
            let padded = b.pad(x[0], &[0, 1, 4, 0], &[0, 2, 0, 0]);
            let again = b.mul(x[0], x[0]);
            let padded_again = b.pad(again, &[0, 1, 4, 0], &[0, 2, 0, 0]);
            let both = b.add(padded, padded_again);
            convolution(b, both, x[1])
        });
        check_operation(&[x, w], |b, x| {
            let padded = b.pad(x[0], &[0, 1, 0, 0], &[0, 2, 3, 0]);
            let rows = b.windows(padded, 1, along);
            let views = b.windows(rows, 3, other);
            b.contract(x[1], views, &[], &[(0, 2), (1, 4), (2, 5)])
        });
    }
}

/// A program that trains `body` from `x: [6, 5, 2]` and `s: [7, 2]`.
fn program(body: &str) -> String {
    format!(
        "data Points {{
  source = generate(30, seed = 1)
  x: [6, 5, 2] = uniform(-1, 1, [6, 5, 2])
  s: [7, 2] = uniform(-1, 1, [7, 2])
  t: [2] = uniform(-1, 1, [2])
}}
model M(x: [6, 5, 2], s: [7, 2]) -> y: [2] {{ {body} + dense(2)(flatten(s)) * mean(x) }}
train M on Points {{
  loss = mse(y, t)
  optimizer = sgd(lr = 0.1)
  epochs = 1
  batch = 3
}}
"
    )
}

#[test]
fn layers() {
    for layer in [
        "conv2d(3, 3)",
        "conv2d(3, 3, padding = same, stride = 2)",
        "conv2d(2, 2, dilation = 2, bias = false)",
        "conv2d(4, 3, groups = 2, padding = same)",
        "conv2d(3, 1)",
        "conv2d(3, 1, stride = 3)",
        "conv2d(1, 5)",
        "depthwise_conv2d(3)",
        "depthwise_conv2d(2, stride = 2, multiplier = 3, padding = same)",
        "separable_conv2d(3, 2, multiplier = 2)",
        "conv2d_transpose(3, 3)",
        "conv2d_transpose(2, 3, stride = 2, padding = same)",
        "conv2d_transpose(2, 2, stride = 3, padding = same)",
        "conv2d_transpose(2, 2, stride = 3)",
        "max_pool2d",
        "max_pool2d(3, stride = 2, padding = same)",
        "max_pool2d(2, stride = 3)",
        "max_pool2d(3, stride = 1)",
        "avg_pool2d",
        "avg_pool2d(3, stride = 2, padding = same)",
        "max_pool([6, 5])",
        "avg_pool([2, 3], stride = [1, 2], padding = [1, 2])",
        "upsample2d",
        "spatial_dropout(0.4)",
        "gaussian_noise(0.3)",
        "group_norm(2)",
        "group_norm(1)",
    ] {
        check_runs(&program(&format!("(x |> {layer} |> tanh |> flatten |> dense(2))")));
    }
    check_runs(&program("(x |> conv2d(3, 2) |> global_avg_pool |> dense(2))"));
    check_runs(&program(
        "{ let filter = conv2d(2, 3, padding = same)\n x |> filter |> tanh |> filter |> flatten |> dense(2) }",
    ));
    for layer in ["conv1d(3, 3)", "conv1d(3, 2, stride = 2, padding = same)", "conv1d(4, 3, dilation = 2, groups = 2)"]
    {
        check_runs(&program(&format!("(s |> {layer} |> tanh |> flatten |> dense(2))")));
    }
    check_runs(&program("(stack(x, x * x) |> each (conv2d(3, 3) |> tanh |> max_pool2d) |> flatten |> dense(2))"));
    for value in ["max_pool(s, 2)", "avg_pool(s, 3, stride = 1, padding = same)", "upsample(s, 3)"] {
        check_runs(&program(&format!("({value} |> flatten |> dense(2))")));
    }
}
