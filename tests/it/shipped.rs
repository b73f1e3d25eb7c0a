//! All that is shipped, from activations to networks: training, evaluation and prediction give the same bits by the interpreter
//! and as machine code. What has no case here fails.

use crate::engines::{difference, is_shared_out};
use nnc::driver::{Settings, check_program, docs};
use nnc::jit::Isa;

/// A program of one model: its inputs, what it gives, and the fields of its run. A batch of 3 and one of 2.
fn program(inputs: &str, body: &str, ty: &str, run: &str) -> String {
    sized(inputs, body, ty, run, 5, 3)
}

fn sized(inputs: &str, body: &str, ty: &str, run: &str, rows: usize, batch: usize) -> String {
    let modules = ["vision", "sequence", "tabular", "metric", "generative", "clustering"];
    let modules: String = modules.iter().map(|name| format!("use std.{name}\n")).collect();
    let fields: String = inputs.split("; ").map(field).collect();
    let inputs = inputs.replace("; ", ", ");
    let run = if run.contains("optimizer") { run.to_owned() } else { format!("{run}\n  optimizer = adam(lr = 0.01)") };
    format!(
        "{modules}
data Points {{
  source = generate({rows}, seed = 1)
{fields}  t: [4] = uniform(0.1, 0.9, [4])
  label: class(4) = argmax(t)
  often: [] = frequency(label)
}}
model M({inputs}) -> y: {ty} {{
  {body}
}}
train M on Points {{
  {run}
  epochs = 1
  batch = {batch}
}}
"
    )
}

/// A field of that name and type, `x: [4, 3]`.
fn field(declared: &str) -> String {
    let (name, ty) = declared.split_once(": ").expect("a name and its type");
    let value = match ty.strip_prefix("class(").and_then(|rest| rest.split_once(')')) {
        Some((count, shape)) => {
            let shape = shape.trim_matches(['[', ']']);
            let all = if shape.is_empty() { format!("[{count}]") } else { format!("[{shape}, {count}]") };
            format!("argmax(uniform(0, 1, {all}), axis = -1)")
        }
        None => format!("uniform(-1, 1, {ty})"),
    };
    format!("  {name}: {ty} = {value}\n")
}

/// The declarations of these kinds that stand in none of the texts: the file and the name.
pub(crate) fn without_case(kinds: &[&str], texts: &[String]) -> Vec<(String, String)> {
    let shipped = docs(None, &Settings::default()).expect("what is shipped has no mistakes");
    let of_kinds = shipped.into_iter().filter(|doc| kinds.contains(&doc.kind.as_str()));
    let placed: Vec<(String, String)> = of_kinds.filter_map(|doc| Some((doc.place?.0, doc.name))).collect();
    assert!(!placed.is_empty());
    let words: std::collections::BTreeSet<&str> =
        (texts.iter()).flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')).collect();
    placed.into_iter().filter(|(_, name)| !words.contains(name.as_str())).collect()
}

/// Each declaration of these kinds stands in one of the texts.
#[track_caller]
fn assert_all(kinds: &[&str], texts: &[String]) {
    let missing = without_case(kinds, texts);
    assert!(missing.is_empty(), "without a case: {missing:?}");
}

#[track_caller]
fn assert_agree(text: &str) {
    match difference(text, 1, &[Isa::Native]) {
        Ok(None) => {}
        Ok(Some(difference)) => panic!("{difference}\n{text}"),
        Err(mistakes) => panic!("{mistakes}\n{text}"),
    }
}

/// Layers and networks: inputs, body and the type of its value.
const LAYERS: &[(&str, &str, &str)] = &[
    ("x: [5]", "x |> dense(7, weights = he_normal) |> dropout(0.4) |> dense(4, bias = false)", "[4]"),
    ("x: [5]", "x |> dense(7) |> batch_norm |> relu |> layer_norm |> gaussian_noise(0.2)", "[7]"),
    ("x: [7, 3]", "x |> rnn(5)", "[7, 5]"),
    ("x: [7, 3]", "x |> gru(5) |> gru(3, reset_after = false) |> last", "[3]"),
    ("x: [1, 3]", "x |> lstm(5)", "[1, 5]"),
    ("x: [4, 3]", "x |> bidirectional(lstm(3)) |> bidirectional(gru(2), backwards = rnn(2))", "[4, 4]"),
    ("c: class(5)[7]", "c |> embedding(3) |> positional |> residual(each dense(3))", "[7, 3]"),
    ("c: class(5)", "c |> embedding(9, normal(0, 1))", "[9]"),
    ("x: [5, 3]; z: [7, 3]", "attention(x, z, z) + attention(causal = true)(x, x, x)", "[5, 3]"),
    ("x: [5, 6]", "x |> multi_head_attention(3) |> multi_head_attention(2, causal = true)", "[5, 6]"),
    ("x: [5, 4]", "x |> transformer_block(2, ratio = 2, rate = 0.2) |> transformer_block(4, causal = true)", "[5, 4]"),
    ("x: [17, 3]", "x |> conv1d(5, 4, dilation = 2) |> relu |> conv1d(4, 3, stride = 2, padding = same)", "[6, 4]"),
    ("x: [9, 7, 4]", "x |> conv2d(6, 3, groups = 2, padding = same) |> relu |> conv2d(3, 2, stride = 2)", "[4, 3, 3]"),
    (
        "x: [9, 7, 3]",
        "x |> depthwise_conv2d(3, multiplier = 2) |> tanh |> depthwise_conv2d(2, stride = 2)",
        "[3, 2, 6]",
    ),
    ("x: [8, 7, 3]", "x |> separable_conv2d(5, 3, padding = same) |> separable_conv2d(2, 2, stride = 3)", "[3, 2, 2]"),
    ("x: [3, 4, 3]", "x |> conv2d_transpose(5, 3, stride = 2) |> conv2d_transpose(2, 2, padding = same)", "[7, 9, 2]"),
    ("x: [9, 7, 3]", "x |> conv2d(3, 1) |> max_pool2d |> avg_pool2d(2, stride = 1) |> upsample2d(3)", "[9, 6, 3]"),
    ("x: [9, 7, 3]", "x |> conv2d(3, 1) |> max_pool2d(3, stride = 2, padding = same) |> global_avg_pool", "[3]"),
    (
        "x: [5, 3, 4]",
        "x |> conv2d(4, 1) |> spatial_dropout(0.4) |> group_norm(2) |> avg_pool2d(3, padding = same)",
        "[2, 1, 4]",
    ),
    // conv2d(5, [3, 2], stride = [2, 1], padding = [1, 0]) of [9, 7, 3]: (9 + 2 - 3) / 2 + 1 = 5, (7 - 2) / 1 + 1 = 6.
    (
        "x: [9, 7, 3]",
        "x |> conv2d(5, [3, 2], stride = [2, 1], padding = [1, 0]) |> max_pool2d([2, 3], padding = 1)",
        "[3, 2, 5]",
    ),
    ("x: [5]", "weight_so_far(0.9)(abs(x) + 1) + sort(x, descending = true)", "[5]"),
    // std.vision
    ("x: [12, 12, 2]", "x |> lenet5(7)", "[7]"),
    ("x: [9, 8, 2]", "x |> vgg_small(5, width = 4)", "[5]"),
    ("x: [9, 8, 2]", "x |> conv_norm(3) |> relu |> double_conv(2) |> separable_norm(5, 2)", "[5, 4, 5]"),
    ("x: [9, 8, 3]", "x |> residual_block(3) |> residual_block(4, stride = 2) |> residual_stage(5, 2, 2)", "[3, 2, 5]"),
    ("x: [8, 9, 1]", "x |> resnet_small(5, width = 2)", "[5]"),
    ("x: [9, 8, 2]", "x |> mobilenet_small(5, width = 2)", "[5]"),
    ("x: [8, 4, 2]", "x |> unet_small(3, width = 2)", "[8, 4, 3]"),
    // std.sequence
    ("x: [7, 3]", "x |> rnn_classifier(4, units = 5)", "[4]"),
    ("x: [7, 3]", "x |> gru_classifier(4, units = 5)", "[4]"),
    ("x: [7, 3]", "x |> lstm_classifier(4, units = 5)", "[4]"),
    (
        "x: [7, 3]",
        "concat(x |> rnn_forecaster(units = 3), x |> gru_forecaster(2, 5), x |> lstm_forecaster(3, 4))",
        "[6]",
    ),
    ("c: class(9)[11]", "c |> text_cnn(4, width = 3, filters = 5)", "[4]"),
    ("x: [7, 3]", "x |> strongest(5, 3)", "[5]"),
    ("c: class(9)[7]", "c |> transformer_encoder(4, width = 6, heads = 2, blocks = 1)", "[4]"),
    ("c: class(5)[7]", "c |> transformer_language_model(width = 6, heads = 3, blocks = 1, rate = 0.1)", "[7, 5]"),
    // std.tabular
    ("x: [5]", "x |> mlp(4, width = 7)", "[4]"),
    ("c: class(6)[3]; d: class(3)", "concat(c |> embedded(2), pick(c |> embedding(5), d))", "[11]"),
    ("x: [5]; c: class(6)[3]", "with_categories(4, width = 5, depth = 1)(x, c)", "[4]"),
    ("x: [5]; c: class(6)[3]", "wide_and_deep(4, 2, width = 5)(x, c)", "[4]"),
    // std.metric
    ("a: [5]; b: [5]", "siamese(dense(6) |> tanh |> dense(3) |> unit_length)(a, b)", "[2, 3]"),
    ("a: [5]; b: [5]; n: [5]", "triplets(dense(3) |> sigmoid)(a, b, n)", "[3, 3]"),
    // std.generative
    ("x: [9]", "x |> autoencoder(3, width = 5)", "[9]"),
    ("x: [9]", "x |> encoder(3, width = 5) |> decoder(7, 4)", "[7]"),
    ("x: [8, 12, 3]", "x |> conv_autoencoder(2, width = 3)", "[8, 12, 3]"),
    (
        "x: [9]",
        "{ let (restored, mean, logvar) = variational_autoencoder(3, width = 5)(x)
    concat(restored, mean, logvar, sampled(mean, logvar)) }",
        "[18]",
    ),
    // std.clustering
    ("x: [5]", "concat(x |> k_means(4), x |> soft_clusters(3))", "[7]"),
];

#[test]
fn layers() {
    let loss = "loss = mean(sin(3 * y))";
    let texts: Vec<String> = LAYERS.iter().map(|(inputs, body, ty)| program(inputs, body, ty, loss)).collect();
    let bodies: Vec<String> = LAYERS.iter().map(|(_, body, _)| (*body).to_owned()).collect();
    assert_all(&["layer", "fn"], &bodies);
    texts.iter().for_each(|text| assert_agree(text));
}

/// A batch of 37 and what is left, on one thread and on two.
#[track_caller]
fn assert_shared_out(inputs: &str, body: &str, ty: &str, left: usize, isas: &[Isa]) {
    let text = sized(inputs, body, ty, "loss = mean(sin(3 * y))", 37 + left, 37);
    assert!(is_shared_out(&check_program("test.nn", &text)), "{body} is too small for several threads");
    assert_eq!(difference(&text, 1, isas), Ok(None), "{text}");
}

/// The same on tensors large enough for several threads.
#[test]
fn large_layers() {
    for (inputs, body, ty) in [
        ("x: [40]", "x |> dense(90) |> batch_norm |> relu |> dropout(0.3) |> dense(70) |> gelu", "[70]"),
        ("x: [9, 24]", "x |> lstm(33)", "[9, 33]"),
        ("x: [9, 24]", "x |> transformer_block(4)", "[9, 24]"),
        ("x: [11, 10, 5]", "x |> conv2d(12, 3, padding = same) |> batch_norm |> relu |> max_pool2d", "[5, 5, 12]"),
    ] {
        assert_shared_out(inputs, body, ty, 21, &[Isa::Native, Isa::Portable]);
    }
}

/// One of each module of `std-models/`.
#[test]
fn large_networks() {
    for (inputs, body, ty) in [
        ("x: [8, 8, 3]", "x |> residual_block(8)", "[8, 8, 8]"),
        ("c: class(9)[9]", "c |> transformer_language_model(width = 24, heads = 2, blocks = 1, rate = 0.1)", "[9, 9]"),
        ("x: [40]; c: class(6)[3]", "wide_and_deep(4, 12, width = 120)(x, c)", "[4]"),
        ("a: [90]; b: [90]; n: [90]", "triplets(dense(130) |> tanh |> dense(70) |> unit_length)(a, b, n)", "[3, 70]"),
        ("x: [8, 12, 3]", "x |> conv_autoencoder(4, width = 8)", "[8, 12, 3]"),
        ("x: [60]", "concat(x |> k_means(100), x |> soft_clusters(60))", "[160]"),
    ] {
        assert_shared_out(inputs, body, ty, 5, &[Isa::Native]);
    }
}

#[test]
fn activations() {
    let body = "{ let h = x |> dense(6)
    let curves = concat(linear(h), relu(h), leaky_relu(h), leaky_relu(0.3)(h), elu(h), elu(0.5)(h), selu(h), gelu(h))
    concat(curves, silu(h), sigmoid(h), softplus(h), step(h), softmax(h), tanh(h)) }";
    assert_all(&["activation"], &[body.to_owned()]);
    assert_agree(&program("x: [5]", body, "[84]", "loss = mean(sin(3 * y))"));
}

/// Losses and metrics of a model of four numbers, `y`, or of four probabilities.
#[test]
fn losses_and_metrics() {
    let cases = [
        (
            "linear",
            "mse(y, t) + mae(y, t) + huber(y, t) + huber(0.2)(y, t) + hinge(y, t)",
            "mae(y, t), rmse(y, t), r2(y, t), mse(y, t)",
        ),
        (
            "linear",
            "class_balanced_mse(y, label, often) + interval_balanced_mse(y, t, often) + quantization(y^2) + divergence(y, t)",
            "accuracy(y, label), top_k(2)(y, label)",
        ),
        (
            "sigmoid",
            "binary_cross_entropy(y, t) + dice(y, t)",
            "binary_accuracy(y, t), precision(y, t), recall(y, t), f1(y, t), f1(0.7)(y, t)",
        ),
        ("softmax", "cross_entropy(y, label) + kl_divergence(y, t / sum(t)) + sharpening(y)", "accuracy(y, label)"),
        (
            "tanh",
            "contrastive(y, t, t[0]) + contrastive(2.0)(y, t, t[1]) + triplet(y, t, 1 - t)",
            "same_accuracy(y, t, t[0]), triplet_accuracy(y, t, 1 - t)",
        ),
    ];
    let of = |pick: fn(&(&'static str, &'static str, &'static str)) -> &'static str| -> Vec<String> {
        cases.iter().map(|case| pick(case).to_owned()).collect()
    };
    assert_all(&["loss"], &of(|case| case.1));
    assert_all(&["metric"], &of(|case| case.2));
    for (act, loss, metrics) in cases {
        let run = format!("loss = {loss}\n  metrics = [{metrics}]");
        assert_agree(&program("x: [5]", &format!("x |> dense(4) |> {act}"), "[4]", &run));
    }
}

#[test]
fn initialisations() {
    let inits = [
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_normal",
        "zeros",
        "ones",
        "constant(0.3)",
        "orthogonal",
        "uniform(-0.5, 0.5)",
        "normal(0, 0.4)",
        "bernoulli(0.5)",
    ];
    assert_all(&["init"], &inits.map(str::to_owned));
    let layers: Vec<String> = inits.iter().map(|init| format!("x |> dense(3, weights = {init})")).collect();
    assert_agree(&program("x: [5]", &format!("concat({})", layers.join(", ")), "[36]", "loss = mean(sin(3 * y))"));
}

/// Optimizers, penalties and schedules.
#[test]
fn updates() {
    let optimizers = [
        "sgd(lr = 0.1)",
        "momentum()",
        "nesterov()",
        "adagrad()",
        "rmsprop()",
        "adadelta()",
        "adam()",
        "adamw(decay = 0.1)",
    ];
    let penalties = ["l1(0.01)", "l2(0.01)", "elastic(0.01, 0.3)", "[l1(0.01) on \"*.b\", l2(0.1)]"];
    let schedules = [
        "constant()",
        "time_decay()",
        "step_decay(every = 1)",
        "exponential()",
        "linear()",
        "cosine()",
        "warm_up(5)",
        "one_cycle()",
        "plateau(0.5, 1)",
    ];
    assert_all(&["optimizer"], &optimizers.map(str::to_owned));
    assert_all(&["penalty"], &penalties.map(str::to_owned));
    assert_all(&["schedule"], &schedules.map(str::to_owned));
    for at in 0..optimizers.len().max(schedules.len()) {
        let run = format!(
            "loss = mse(y, t)\n  optimizer = {}\n  penalty = {}\n  schedule = {}\n  clip = 0.5",
            optimizers[at % optimizers.len()],
            penalties[at % penalties.len()],
            schedules[at % schedules.len()]
        );
        let text = program("x: [5]", "x |> dense(7) |> tanh |> dense(4)", "[4]", &run);
        match difference(&text, 3, &[Isa::Native]) {
            Ok(None) => {}
            other => panic!("{other:?}\n{text}"),
        }
    }
}
