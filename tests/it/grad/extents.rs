//! Extents of 0 and the other ends of what layers are made for, padding by number, and orders: values, gradients, and machine code
//! to the bit.

use super::prelude::check_runs;
use crate::images;
use crate::lower::assert_same;
use nnc::driver::check_program;
use nnc::graph::elaborate::{Scope, elaborate};
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, NodeId, Role, TensorType};
use nnc::train::weights;

/// The output of `model M(x: [3]) -> y` for `x = [1, 2, 3]` and parameters of 1, by the interpreter; machine code agrees.
#[track_caller]
fn value(shape: &str, body: &str) -> Vec<f32> {
    let text = format!(
        "layer last(x: [t, n]) -> [n] {{ scan x_t over x from (h = ones([n])) {{ next h = h * x_t }} }}
layer all(x: [t, n]) {{
  scan x_t over x from (h = ones([n])) {{
    next h = h * x_t
    emit h
  }}
}}
layer none(n: int)(x: [..s]) -> [n] {{ zeros([n]) }}
model M(x: [3]) -> y: {shape} {{ {body} }}
"
    );
    let checked = check_program("test.nn", &text);
    assert!(!checked.has_errors(), "{body}: {:?}", checked.diagnostics);
    let model = &checked.hir.models[0].body;
    let mut b = Builder::new("M");
    let x = b.input("x", Role::Data, TensorType::f32([3]));
    let params: Vec<NodeId> = (model.params.iter())
        .map(|param| b.input(&param.path, Role::Param, TensorType::f32(param.shape.clone())))
        .collect();
    let scope = Scope { inputs: &[x], params: &params, ..Scope::default() };
    let y = elaborate(model, &mut b, scope).unwrap().outputs[0];
    b.output("y", y);
    let ones = model.params.iter().map(|param| {
        let len = param.shape.iter().product();
        Array::real(&param.shape, vec![1.0; len])
    });
    let inputs: Vec<Array> = std::iter::once(Array::real(&[3], vec![1.0, 2.0, 3.0])).chain(ones).collect();
    assert_same(body, &b.graph, &inputs);
    eval(&b.graph, &inputs)[0].reals().to_vec()
}

#[test]
fn values_of_nothing() {
    assert!(value("[0]", "x[2..2]").is_empty());
    assert!(value("[0]", "x[3..]").is_empty());
    assert!(value("[0]", "x |> none(0)").is_empty());
    assert!(value("[2, 0]", "reshape(x[0..0], [2, -1])").is_empty());
    assert!(value("[0, 4]", "expand(x[0], [0, 4])").is_empty());
    assert_eq!(value("[]", "sum(x[1..1])"), [0.0]);
    assert_eq!(value("[]", "prod(x[1..1])"), [1.0]);
    assert_eq!(value("[2]", "sum(reshape(x[1..1], [2, 0]), axis = 1)"), [0.0, 0.0]);
    assert_eq!(value("[2]", "reshape(zeros([0]), [2, 0]) @ zeros([0])"), [0.0, 0.0]);
    assert_eq!(value("[3]", "concat(x[1..1], x, zeros([0]))"), [1.0, 2.0, 3.0]);
    assert_eq!(value("[2]", "pad(slice(x, 1, 1), 1)"), [0.0, 0.0]);
    assert_eq!(value("[3]", "x |> repeat 0 { none(3) }"), [1.0, 2.0, 3.0]);
    assert_eq!(value("[3]", "{ let (a, b) = split(x, [0, 3])\n sum(a) + b }"), [1.0, 2.0, 3.0]);
    assert!(value("[0]", "exp(range(0)) + reverse(x[0..0])").is_empty());
    assert_eq!(value("[2]", "last(reshape(x[0..0], [0, 2]))"), [1.0, 1.0]);
    assert!(value("[0, 2]", "all(reshape(x[0..0], [0, 2]))").is_empty());
    assert!(value("[0, 3]", "each none(3)(reshape(x[0..0], [0, 2]))").is_empty());
    // No channels: every sum of products is one of nothing.
    assert_eq!(value("[2, 2, 1]", "conv(zeros([3, 3, 0]), zeros([2, 2, 0, 1]))"), [0.0; 4]);
    assert!(value("[2, 2, 0]", "conv(zeros([3, 3, 2]), zeros([2, 2, 2, 0]))").is_empty());
    assert!(value("[2, 2, 0]", "max_pool(zeros([4, 4, 0]), 2)").is_empty());
    // No pixels, but a border of zeros.
    assert_eq!(value("[1, 1]", "conv(zeros([0, 1]), ones([2, 1, 1]), padding = 1)"), [0.0]);
}

/// What is behind a layer of nothing is trained as ever.
const LAYERS_OF_NOTHING: &[&str] = &[
    "x |> flatten |> dense(0) |> dense(3)",
    "concat(x |> flatten |> dense(0) |> relu, x |> flatten |> dense(4) |> tanh)",
    "x |> conv2d(0, 2) |> conv2d(2, 2)",
    "x |> conv2d(0, 3, padding = same) |> batch_norm |> max_pool2d |> global_avg_pool |> dense(2)",
    "x[0..0] |> flatten |> dense(4)",
    "x[0..0] |> flatten |> dense(0, weights = he_normal) |> dense(2, weights = lecun_normal)",
    "x[0..0] |> flatten |> dense(2, weights = orthogonal)",
    "x[0..0] |> each (flatten |> dense(2)) |> flatten |> dense(2)",
    "reshape(x[1..1], [0, 8]) |> lstm(3) |> flatten |> dense(3)",
    "reshape(x[1..1], [0, 8]) |> gru(3) |> flatten |> dense(3)",
    "x |> flatten |> repeat 0 { dense(4) |> relu }",
    "x |> flatten |> dense(3) |> dropout(0.5) |> pad([[0, 1]])",
    "sum(x[..2, ..0], axis = 1) |> flatten |> dense(3)",
];

/// As small as it gets, and windows beyond what is usual.
const ENDS: &[&str] = &[
    "x |> conv2d(3, 4)",
    "x |> conv2d(2, 1, stride = 3)",
    "x |> max_pool2d(1, stride = 4)",
    "x |> conv2d_transpose(1, 1, stride = 3)",
    "x[0..1] |> each (flatten |> dense(3)) |> lstm(2)",
    "x[..1, ..1] |> conv2d(1, 1) |> avg_pool2d(1)",
    "x |> conv2d(1, 4) |> flatten |> dense(1)",
];

/// Padding by number, and numbers for each axis.
const PADDED: &[&str] = &[
    "x |> conv2d(2, 3, padding = 1)",
    "x |> conv2d(2, [3, 2], stride = [2, 1], padding = [1, 0])",
    "x |> conv2d(3, [1, 3], padding = [0, 2], dilation = [1, 2])",
    "x |> depthwise_conv2d([2, 1], padding = [2, 0])",
    "x |> separable_conv2d(2, [2, 3], padding = [0, 1])",
    "x |> conv2d_transpose(2, [3, 2], stride = [1, 2], padding = [1, 0])",
    "x |> max_pool2d([2, 3], stride = 1, padding = [1, 0])",
    "x |> avg_pool2d([3, 2], padding = 1)",
    "x |> upsample2d([1, 3])",
    "reshape(x, [16, 2]) |> conv1d(2, 3, padding = 2)",
];

/// Orders, and what is made of them.
const SORTED: &[&str] = &[
    "sort(x)",
    "x |> sort(axis = 0, descending = true)",
    "sort(flatten(x), descending = true)[..3]",
    "x[argsort(x[0..4, 0, 0])] * sort(x[1], axis = 0)",
    "each sort(reshape(x, [8, 4]))",
    "concat(one_hot(argsort(reshape(x, [32])))[..2] @ flatten(x), sort(dense(4)(flatten(x))))",
];

#[test]
fn machine_code() {
    for body in LAYERS_OF_NOTHING.iter().chain(ENDS).chain(PADDED).chain(SORTED) {
        images::check("[4, 4, 2]", body, &[1, 3]);
    }
}

#[test]
fn layers_differentiate() {
    for body in LAYERS_OF_NOTHING.iter().chain(ENDS).chain(PADDED).chain(SORTED) {
        check_runs(&format!(
            "data Points {{
  source = generate(30, seed = 1)
  x: [4, 4, 2] = uniform(-1, 1, [4, 4, 2])
  none: [0] = zeros([0])
  t: [3] = uniform(-1, 1, [3])
}}
model M(x: [4, 4, 2], none: [0]) -> y: [3] {{ concat(none, flatten({body})) |> dense(3) }}
train M on Points {{
  loss = mse(y, t)
  optimizer = sgd(lr = 0.1)
  epochs = 1
  batch = 3
}}
"
        ));
    }
}

/// A layer whose weights are 1 is the primitive with the same numbers.
#[test]
fn padding_of_layers_is_that_of_the_primitives() {
    for (shape, layer, primitive) in [
        (
            "[3, 2, 1]",
            "conv2d(1, [2, 1], stride = [1, 2], padding = [1, 0])",
            "1 + conv(y, ones([2, 1, 1, 1]), [1, 2], [1, 0])",
        ),
        ("[3, 4, 1]", "conv2d(1, 2, padding = 1)", "1 + conv(y, ones([2, 2, 1, 1]), padding = 1)"),
        ("[2, 3, 1]", "conv2d(1, 2, padding = same)", "1 + conv(y, ones([2, 2, 1, 1]), padding = same)"),
        ("[2, 3, 1]", "max_pool2d([2, 1], padding = [1, 0])", "max_pool(y, [2, 1], padding = [1, 0])"),
        ("[3, 4, 1]", "avg_pool2d(2, stride = 1, padding = 1)", "avg_pool(y, 2, stride = 1, padding = 1)"),
    ] {
        let image = "let y = reshape(concat(x, 2 * x), [2, 3, 1])";
        let of_layer = value(shape, &format!("{image}\n y |> {layer}"));
        assert_eq!(of_layer, value(shape, &format!("{image}\n {primitive}")), "{layer}");
    }
}

#[test]
fn orders() {
    assert_eq!(value("[3]", "sort([x[1], x[2], x[0]])"), [1.0, 2.0, 3.0]);
    assert_eq!(value("[3]", "sort([x[1], x[2], x[0]], descending = true)"), [3.0, 2.0, 1.0]);
    assert_eq!(value("[2, 2]", "sort([[x[1], x[2]], [x[0], x[1]]], axis = 0)"), [1.0, 2.0, 2.0, 3.0]);
    // NaN last, −0 and 0 equal, equal ones as they stood.
    let numbers = "[0 / (x[0] - 1), x[1], 0 * x[0], 0 * -x[0], -x[2], 1 / (x[0] - 1), x[1]]";
    let numbered = |options: &str| value("[7]", &format!("one_hot(argsort({numbers}{options})) @ range(7)"));
    assert_eq!(numbered(""), [4.0, 2.0, 3.0, 1.0, 6.0, 5.0, 0.0]);
    assert_eq!(numbered(", descending = true"), [5.0, 1.0, 6.0, 2.0, 3.0, 4.0, 0.0]);
    assert_eq!(value("[2]", "x[argsort(-x)[..2]]"), [3.0, 2.0]);
}

#[test]
fn tensors_without_elements_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let tensor = |path: &str, shape: &[usize]| weights::Tensor {
        path: path.to_owned(),
        shape: shape.to_vec(),
        values: vec![0.5; shape.iter().product()],
    };
    let tensors = vec![tensor("dense_1.W", &[3, 0]), tensor("dense_1.b", &[0]), tensor("dense_2.b", &[2])];
    let saved = weights::Weights { tensors, metadata: serde_json::json!({ "format": weights::FORMAT }) };
    weights::save(&file, &saved).unwrap();
    assert_eq!(weights::load(&file).unwrap(), saved);
}
