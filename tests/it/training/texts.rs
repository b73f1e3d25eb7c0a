//! Whole programs from their text: against PyTorch, and machine code against the interpreter.

use super::machine;
use crate::oracle::{difference, numbers};
use nnc::check::hir::{Element, Hir};
use nnc::data::{self, Column, Dataset, Paths, Split, Storage};
use nnc::diagnostics::{Diagnostics, Severity};
use nnc::driver;
use nnc::graph::eval::Array;
use nnc::source::Sources;
use nnc::train::Options;
use nnc::train::event::EpochEnd;
use nnc::train::execute::Engine;
use nnc::train::program::Programs;
use nnc::train::step::Session;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn checked(name: &str, text: &str) -> (Sources, Hir) {
    let checked = driver::check_program(name, text);
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let errors: Vec<String> =
        errors.map(|found| format!("{}: {} {:?}", found.code, found.message, found.labels)).collect();
    assert!(errors.is_empty(), "{name}:\n{}\n{text}", errors.join("\n"));
    (checked.sources, checked.hir)
}

/// The losses of the first steps on rows in order, from tensors that `prepare` sets; then all tensors, as bits.
fn losses(
    hir: &Hir,
    run: usize,
    data: &Dataset,
    rows: &[u32],
    engine: Engine,
    prepare: impl Fn(&mut Session),
) -> (Vec<f32>, Vec<Vec<u32>>) {
    let run = &hir.runs[run];
    let programs = Programs { run, model: &hir.models[run.model], weighted: data.weights.is_some() };
    let fields: Vec<&Column> = programs.fields().iter().map(|field| data.field(&field.name).unwrap()).collect();
    let mut session = Session::new(programs, engine, fields, data.weights.as_deref()).unwrap();
    prepare(&mut session);
    let mut losses = Vec::new();
    let mut done = |done: nnc::train::step::Done| {
        losses.push(done.loss);
        true
    };
    session.train(rows, run.batch, &mut |_| run.optimizer.lr as f32, &mut done).unwrap();
    let sums = session.evaluate(&rows[..rows.len().min(50)], 20, &|| false).unwrap();
    let mut bits: Vec<Vec<u32>> = session.tensors.iter().map(|tensor| tensor.bits().to_vec()).collect();
    bits.push(sums.averages.concat().into_iter().chain([sums.loss]).map(|x| (x as f32).to_bits()).collect());
    (losses, bits)
}

fn oracle_data(hir: &Hir, oracle: &Value) -> Dataset {
    let fields = hir.data[0].fields.iter().map(|field| {
        let values = numbers(&oracle["data"][&field.name.value]);
        let values = match field.ty.element {
            Element::Number => Storage::F32(values.iter().map(|&x| x as f32).collect()),
            Element::Truth | Element::Class { .. } => Storage::I32(values.iter().map(|&x| x as i32).collect()),
        };
        Column {
            name: field.name.value.clone(),
            ty: field.ty.clone(),
            row_len: field.ty.shape.iter().product(),
            values,
        }
    });
    let split = Split { train: (0..160).collect(), ..Split::default() };
    Dataset { name: "D".to_owned(), rows: 160, fields: fields.collect(), split, weights: None, fitted: Vec::new() }
}

const FIELDS: &str = "data D {
  source = generate(160, seed = 1)
  x: [6] = uniform(-1, 1, [6])
  value: [3] = uniform(-1, 1, [3])
  flag: [3] = uniform(-1, 1, [3])
  sign: [3] = uniform(-1, 1, [3])
  share: [3] = uniform(0, 1, [3])
  label: class(3) = argmax(uniform(0, 1, [3]))
  label_frequency: [] = uniform(0, 1)
  value_frequency: [] = uniform(0, 1)
}
";

/// Twenty steps agree with PyTorch for every loss, activation and optimizer: the loss of each and of an evaluation behind them, the
/// parameters and the running statistics at the end. Machine code agrees with the interpreter to the bit.
#[test]
fn first_steps_agree_with_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/training.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows: Vec<u32> = (0..160).collect();
    let mut wrong = Vec::new();
    for case in oracle["cases"].as_array().unwrap() {
        let [hidden, output, loss, optimizer] =
            ["hidden", "output", "loss", "optimizer"].map(|key| case[key].as_str().unwrap());
        let text = format!(
            "{FIELDS}model Net(x: [6]) -> y: [3] {{ x |> dense(5) |> {hidden} |> dense(3) |> {output} }}\n\
             train Net on D {{\n  loss = {loss}\n  optimizer = {optimizer}\n  epochs = 1\n  batch = 8\n}}\n"
        );
        let (_, hir) = checked("oracle.nn", &text);
        let data = oracle_data(&hir, &oracle);
        let prepare = |session: &mut Session| {
            for (kept, tensor) in session.kept.iter().zip(&mut session.tensors) {
                if let Some(start) = oracle["weights"].get(&kept.path) {
                    let start: Vec<f32> = numbers(start).iter().map(|&x| x as f32).collect();
                    tensor.as_f32_mut().copy_from_slice(&start);
                }
            }
        };
        let (found, bits) = losses(&hir, 0, &data, &rows, Engine::Interp, prepare);
        let run = &hir.runs[0];
        let programs = Programs { run, model: &hir.models[run.model], weighted: false };
        let mut compare = |what: &str, found: &[f32], shape: &[usize], expected: &Value| {
            if let Some(problem) = difference(&Array::real(shape, found.to_vec()), expected) {
                wrong.push(format!("{hidden} {output} {loss} {optimizer}: {what}: {problem}"));
            }
        };
        compare("losses", &found, &[found.len()], &json!([[20], case["losses"]]));
        let (sum, tensors) = bits.split_last().unwrap();
        compare("evaluation", &[f32::from_bits(sum[0]) / 50.0], &[], &json!([[], [case["evaluation"]]]));
        let kept = programs.params().into_iter().chain(programs.states());
        for (kept, bits) in kept.zip(tensors) {
            let found: Vec<f32> = bits.iter().map(|&bits| f32::from_bits(bits)).collect();
            compare(&kept.path, &found, &kept.shape, &case["end"][&kept.path]);
        }
        let (again, machine_bits) = losses(&hir, 0, &data, &rows, machine(1), prepare);
        let same = |a: &[f32], b: &[f32]| a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()));
        if !same(&found, &again) || bits != machine_bits {
            wrong.push(format!("{hidden} {output} {loss} {optimizer}: machine code differs"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every example whose data is embedded gives the same bits by machine code, on one thread and two, as by the interpreter.
#[test]
fn examples_give_the_same_bits_both_ways() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "nn")) {
        let text = std::fs::read_to_string(file).unwrap();
        if ["csv(", "idx(", "npz(", "images("].iter().any(|source| text.contains(source)) {
            continue;
        }
        let name = file.file_name().unwrap().to_string_lossy();
        let (mut sources, hir) = checked(&name, &text);
        for (number, run) in hir.runs.iter().enumerate() {
            let mut diagnostics = Diagnostics::new();
            let data = data::load(&hir.data[run.data], &Paths::default(), &mut sources, &mut diagnostics).unwrap();
            // A batch and a part of one.
            let rows: Vec<u32> = data.split.train.iter().copied().take(run.batch + run.batch / 2 + 1).collect();
            let expected = losses(&hir, number, &data, &rows, Engine::Interp, |_| {});
            for threads in [1, 2] {
                let found = losses(&hir, number, &data, &rows, machine(threads), |_| {});
                if found.0 != expected.0 || found.1 != expected.1 {
                    wrong.push(format!("{name} {} on {threads} threads", run.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a whole run tells and leaves, but for times: by the interpreter and by machine code on one thread and two.
fn runs_alike(text: &str) {
    let (mut sources, hir) = checked("alike.nn", text);
    let mut diagnostics = Diagnostics::new();
    let data = data::load(&hir.data[0], &Paths::default(), &mut sources, &mut diagnostics);
    let data = data.unwrap_or_else(|| panic!("{:?}", diagnostics.into_sorted()));
    for run in &hir.runs {
        let end = |engine: Engine| {
            let interrupted = AtomicBool::new(false);
            let options = Options {
                engine,
                isa: "test",
                out: None,
                source: "",
                interrupted: &interrupted,
                begun: Instant::now(),
                resume: None,
            };
            let end = nnc::train::run(&hir, run, &data, &options, &mut |_| {}).unwrap();
            let epoch =
                |epoch: &EpochEnd| format!("{:?}", (epoch.lr, epoch.train_loss, epoch.val_loss, &epoch.metrics));
            let history: Vec<String> = end.history.iter().map(epoch).collect();
            (history, format!("{:?}", (end.status, end.best_epoch, end.val_loss, end.test_loss, end.metrics)))
        };
        let expected = end(Engine::Interp);
        for threads in [1, 2] {
            assert_eq!(end(machine(threads)), expected, "{} on {threads} threads", run.name);
        }
    }
}

const LABELLED: &str = "data D {
  source = generate(70, seed = 5)
  x: [4, 15] = uniform(-1, 1, [4, 15])
  label: class(3) = argmax(x[0][0..3])
  value: [3] = x[1][0..3] + x[2][4]
  flag: [3] = x[0][0..3] > 0.1
  split = [train = 60%, val = 20%, test = 20%]
  balance = weights(label)
}
";

#[test]
fn every_init_and_layer_runs_alike() {
    let inits = [
        "zeros",
        "ones",
        "constant(0.02)",
        "normal(0, 0.1)",
        "uniform(-0.1, 0.1)",
        "glorot_uniform",
        "glorot_normal",
        "he_uniform",
        "he_normal",
        "lecun_normal",
        "orthogonal",
    ];
    let mut text = LABELLED.to_owned();
    for (number, init) in inits.iter().enumerate() {
        text += &format!(
            "model M{number}(x: [4, 15]) -> y: [3] {{
  flatten(x) |> dense(40, weights = {init}) |> batch_norm |> tanh |> dropout(0.3) |> dense(9, bias = false) |> layer_norm |> dense(3) |> softmax
}}
train M{number} on D {{
  loss = cross_entropy(y, label)
  optimizer = adam(lr = 0.01)
  epochs = 2
  batch = 16
  clip = 1.0
  penalty = elastic(1e-3)
  metrics = [accuracy(y, label), top_k(k = 2)(y, label)]
}}
"
        );
    }
    runs_alike(&text);
}

#[test]
fn every_schedule_metric_and_penalty_runs_alike() {
    let schedules = [
        "constant()",
        "time_decay(rate = 0.5)",
        "step_decay(every = 1)",
        "exponential()",
        "linear()",
        "cosine()",
        "warm_up(steps = 5)",
        "one_cycle()",
        "plateau(factor = 0.5, patience = 1)",
    ];
    let mut text = LABELLED.to_owned() + "model M(x: [4, 15]) -> y: [3] { flatten(x) |> dense(3) |> sigmoid }\n";
    for (number, schedule) in schedules.iter().enumerate() {
        let penalty = ["l1(1e-3)", "l2(1e-3)", "elastic(1e-3) on \"*.b\""][number % 3];
        text += &format!(
            "train M on D as R{number} {{
  loss = binary_cross_entropy(y, flag)
  optimizer = momentum(lr = 0.1)
  schedule = {schedule}
  penalty = {penalty}
  epochs = 4
  batch = 9
  metrics = [binary_accuracy(y, flag), precision(y, flag), recall(y, flag), f1(y, flag), mae(y, value), rmse(y, value), r2(y, value), mse(y, value)]
  stop = early(patience = 2)
}}
"
        );
    }
    runs_alike(&text);
}

#[test]
fn each_and_shared_layers_run_alike() {
    let text = "data D {
  source = generate(50, seed = 2)
  rows: [5, 7] = uniform(-1, 1, [5, 7])
  left: [4] = uniform(-1, 1, [4])
  right: [4] = uniform(-1, 1, [4])
  y: [2] = rows[0][0..2] * left[0..2]
}
model M(rows: [5, 7], left: [4], right: [4]) -> y_hat: [2] {
  let tower = dense(6) |> tanh
  let mapped = rows |> each { dense(5) |> relu |> dropout(0.2) }
  let joined = concat(tower(left), tower(right), flatten(mapped), mean(mapped, axis = 0))
  joined |> dense(2)
}
train M on D {
  loss = huber(y_hat, y)
  optimizer = adamw(lr = 0.01)
  epochs = 2
  batch = 12
}
";
    runs_alike(text);
}
