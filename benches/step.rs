//! Time of one training step, from source text to the first step, and peak memory, on one thread.
//!
//! `cargo bench --bench step` prints a line per network. Beside each time stands the time that the matrix products of the
//! step take alone in the `matrixmultiply` crate, measured in the same run, and, where `NNC_BENCH_PYTHON` names a Python
//! that has JAX, the time of the same step there (see `jax_step.py`). Each network runs in a process of its own, so that the
//! peak of memory is its own.

#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark; ndarray's product is the one compared with")]

use ndarray::Array2;
use nnc::driver::{self, Checked};
use nnc::jit::{Buffer, Isa, Pool, Target};
use nnc::train::execute::{Engine, Executable};
use nnc::train::program::Programs;
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

struct Network {
    name: &'static str,
    batch: usize,
    form: Form,
}

enum Form {
    /// Layers of these sizes, relu between them; classes at the end or numbers.
    Dense { sizes: &'static [usize], classes: bool },
    /// A model of images or sequences of that shape, of ten classes.
    Image { shape: &'static str, body: &'static str, layers: &'static [Layer] },
}

/// A product of such a model: for each of so many places of a sample, from so many numbers to so many.
type Layer = (usize, usize, usize);

const LENET: Form = Form::Image {
    shape: "[28, 28, 1]",
    body: "p |> conv2d(6, 5, padding = same) |> tanh |> avg_pool2d |> conv2d(16, 5) |> tanh |> avg_pool2d
             |> flatten |> dense(120) |> tanh |> dense(84) |> tanh |> dense(10) |> softmax",
    layers: &[(784, 25, 6), (100, 150, 16), (1, 400, 120), (1, 120, 84), (1, 84, 10)],
};

const NETWORKS: [Network; 9] = [
    Network { name: "2-10-1", batch: 32, form: Form::Dense { sizes: &[2, 10, 1], classes: false } },
    Network { name: "30-64-64-1", batch: 64, form: Form::Dense { sizes: &[30, 64, 64, 1], classes: false } },
    Network { name: "784-512-512-10", batch: 128, form: Form::Dense { sizes: &[784, 512, 512, 10], classes: true } },
    Network {
        name: "1024-4096-4096-1024",
        batch: 256,
        form: Form::Dense { sizes: &[1024, 4096, 4096, 1024], classes: false },
    },
    Network { name: "LeNet-5, 32", batch: 32, form: LENET },
    Network { name: "LeNet-5, 1024", batch: 1024, form: LENET },
    Network {
        name: "2 conv32, 2 conv64",
        batch: 64,
        form: Form::Image {
            shape: "[32, 32, 3]",
            body: "p |> repeat 2 { conv2d(32, 3, padding = same) |> relu } |> max_pool2d
                     |> repeat 2 { conv2d(64, 3, padding = same) |> relu } |> max_pool2d
                     |> flatten |> dense(128) |> relu |> dense(10) |> softmax",
            layers: &[(1024, 27, 32), (1024, 288, 32), (256, 288, 64), (256, 576, 64), (1, 4096, 128), (1, 128, 10)],
        },
    },
    Network {
        name: "LSTM 28x28x128",
        batch: 128,
        form: Form::Image {
            shape: "[28, 28]",
            body: "p |> lstm(128) |> last |> dense(10) |> softmax",
            layers: &[(28, 28, 512), (28, 128, 512), (1, 128, 10)],
        },
    },
    Network {
        name: "transformer 64x128",
        batch: 32,
        form: Form::Image {
            shape: "[64, 128]",
            body: "p |> transformer_block(4) |> last |> dense(10) |> softmax",
            // Four projections, for each head scores and means, the two wide layers, the classes.
            layers: &[(64, 128, 512), (256, 32, 64), (256, 64, 32), (64, 128, 512), (64, 512, 128), (1, 128, 10)],
        },
    },
];

impl Network {
    fn program(&self) -> String {
        let batch = self.batch;
        let (sizes, classes) = match self.form {
            Form::Dense { sizes, classes } => (sizes, classes),
            Form::Image { shape, body, .. } => {
                return format!(
                    "data D {{\n  source = generate(64)\n  p: {shape} = uniform(0, 1, {shape})\n  \
                     t: class(10) = argmax(uniform(0, 1, [10]))\n}}\n\nmodel M(p: {shape}) -> q: [10] {{ {body} }}\n\n\
                     train M on D {{\n  loss = cross_entropy(q, t)\n  optimizer = adam()\n  batch = {batch}\n}}\n"
                );
            }
        };
        let (inputs, outputs) = (sizes[0], sizes[sizes.len() - 1]);
        let hidden: String = sizes[1..sizes.len() - 1].iter().map(|n| format!(" |> dense({n}) |> relu")).collect();
        let (target, loss, end) = match classes {
            true => (format!("class({outputs}) = k"), "cross_entropy(q, t)", " |> softmax"),
            false => (format!("[{outputs}] = uniform(0, 1, [{outputs}])"), "mse(q, t)", ""),
        };
        let source = match classes {
            true => "csv(\"absent.csv\")",
            false => "generate(64)",
        };
        let p = match classes {
            true => "columns(\"p*\")".to_owned(),
            false => format!("uniform(0, 1, [{inputs}])"),
        };
        format!(
            "data D {{\n  source = {source}\n  p: [{inputs}] = {p}\n  t: {target}\n}}\n\n\
             model M(p: [{inputs}]) -> q: [{outputs}] {{ p{hidden} |> dense({outputs}){end} }}\n\n\
             train M on D {{\n  loss = {loss}\n  optimizer = adam()\n  batch = {batch}\n}}\n"
        )
    }

    /// The products of a forward pass.
    fn layers(&self) -> Vec<Layer> {
        match self.form {
            Form::Dense { sizes, .. } => sizes.windows(2).map(|pair| (1, pair[0], pair[1])).collect(),
            Form::Image { layers, .. } => layers.to_vec(),
        }
    }

    /// Floating-point operations of the products of a step: forward, the weights' gradient, and the input's but for the first layer.
    fn flops(&self) -> f64 {
        let layer = |(i, (places, from, to)): (usize, Layer)| {
            (if i == 0 { 4.0 } else { 6.0 }) * places as f64 * (from * to) as f64
        };
        self.batch as f64 * self.layers().into_iter().enumerate().map(layer).sum::<f64>()
    }
}

/// The shortest time per call of rounds of about a tenth of a second, over two seconds.
fn shortest(mut call: impl FnMut()) -> f64 {
    call();
    let begun = Instant::now();
    call();
    let round = (0.1 / begun.elapsed().as_secs_f64().max(1e-7)).clamp(1.0, 100_000.0) as usize;
    let (mut best, begun) = (f64::INFINITY, Instant::now());
    while begun.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        (0..round).for_each(|_| call());
        best = best.min(start.elapsed().as_secs_f64() / round as f64);
    }
    best
}

/// From text to a training step that has run once.
fn first_step(text: &str, batch: usize, engine: &Engine) -> (Executable, Vec<Buffer>) {
    let checked: Checked = driver::check_program("bench.nn", text);
    assert!(!checked.has_errors(), "{:#?}", checked.diagnostics);
    let run = &checked.hir.runs[0];
    let programs = Programs { run, model: &checked.hir.models[run.model], weighted: false };
    let graph = programs.training(batch).unwrap_or_else(|found| panic!("{}", found.what));
    let settings: Vec<(usize, f32)> =
        graph.inputs.iter().enumerate().filter(|(_, input)| input.name == "lr").map(|(i, _)| (i, 0.001)).collect();
    let floats: Vec<usize> =
        (0..graph.inputs.len()).filter(|&i| graph.inputs[i].ty.dtype == nnc::graph::DType::F32).collect();
    let step = graph.input("step");
    let mut executable = Executable::new(graph, engine);
    let mut buffers = executable.buffers(0..executable.externals());
    for input in floats {
        let values = buffers[input].as_f32_mut();
        let scale = 1.0 / (values.len() as f32).sqrt();
        values.iter_mut().enumerate().for_each(|(i, x)| *x = scale * ((i * 7919 % 1000) as f32 / 500.0 - 1.0));
    }
    for (input, value) in settings {
        buffers[input].as_f32_mut().fill(value);
    }
    if let Some(step) = step {
        buffers[step].as_i32_mut().fill(1);
    }
    call(&mut executable, &mut buffers);
    (executable, buffers)
}

fn call(executable: &mut Executable, buffers: &mut [Buffer]) {
    let mut externals: Vec<&mut Buffer> = buffers.iter_mut().collect();
    executable.run(&mut externals);
}

/// The products of a step in `matrixmultiply`; of a convolution those of a matrix of windows that is already there.
fn products(network: &Network) -> f64 {
    let filled = |n: usize, m: usize| Array2::from_shape_fn((n, m), |(i, j)| ((i * 31 + j * 17) % 100) as f32 * 0.01);
    let batch = network.batch;
    let layers: Vec<(Array2<f32>, Array2<f32>, Array2<f32>)> = network
        .layers()
        .into_iter()
        .map(|(places, from, to)| (filled(batch * places, from), filled(from, to), filled(batch * places, to)))
        .collect();
    shortest(|| {
        for (number, (x, w, dy)) in layers.iter().enumerate() {
            std::hint::black_box(x.dot(w));
            std::hint::black_box(x.t().dot(dy));
            if number > 0 {
                std::hint::black_box(dy.dot(&w.t()));
            }
        }
    })
}

fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn measure(network: &Network) -> Value {
    let engine = Engine::Jit(Target { isa: Isa::Native, listing: false }, Pool::new(1));
    let text = network.program();
    let begun = Instant::now();
    let (mut executable, mut buffers) = first_step(&text, network.batch, &engine);
    let cold = begun.elapsed().as_secs_f64();
    let step = shortest(|| call(&mut executable, &mut buffers));
    let memory = peak_memory();
    drop((executable, buffers));
    let begun = Instant::now();
    drop(first_step(&text, network.batch, &engine));
    let warm = begun.elapsed().as_secs_f64();
    json!({ "step": step, "first": cold, "again": warm, "memory": memory, "products": products(network) })
}

fn jax() -> Option<Value> {
    let python = std::env::var_os("NNC_BENCH_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/jax_step.py");
    let output = Command::new(python).arg(script).output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(network) = NETWORKS.iter().find(|network| arguments.iter().any(|argument| argument == network.name)) {
        println!("{}", measure(network));
        return;
    }
    let jax = jax();
    println!(
        "{:<22}{:>12}{:>10}{:>14}{:>12}{:>12}{:>10}{:>10}",
        "network", "step", "GFLOP/s", "source to 1st", "peak memory", "products", "/products", "/JAX"
    );
    for network in &NETWORKS {
        let output = Command::new(&arguments[0]).arg(network.name).output().expect("the benchmark starts itself");
        let Ok(result) = serde_json::from_slice::<Value>(&output.stdout) else {
            println!("{:<22} failed: {}", network.name, String::from_utf8_lossy(&output.stderr));
            continue;
        };
        let number = |key: &str| result[key].as_f64().unwrap_or(f64::NAN);
        let step = number("step");
        let ratio = jax.as_ref().and_then(|times| times[network.name].as_f64()).map(|time| step / time);
        println!(
            "{:<22}{:>9.2} µs{:>10.1}{:>11.1} ms{:>9.0} MiB{:>9.1} µs{:>10.2}{:>10}",
            network.name,
            step * 1e6,
            network.flops() / step / 1e9,
            number("first") * 1e3,
            number("memory"),
            number("products") * 1e6,
            step / number("products"),
            ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"))
        );
    }
}
