//! Whole programs from their text: against JAX, and machine code against the interpreter.

use super::machine;
use nnc::check::hir::{Element, Hir};
use nnc::data::{self, Column, Dataset, Paths, Split, Storage};
use nnc::diagnostics::{Diagnostics, Severity};
use nnc::driver;
use nnc::source::Sources;
use nnc::train::execute::Engine;
use nnc::train::program::Programs;
use nnc::train::step::Session;
use serde_json::Value;
use std::path::Path;

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

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::Number(number) => vec![number.as_f64().unwrap()],
        other => panic!("{other} is no number"),
    }
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

/// The losses of twenty steps agree with JAX to 1e-4 for every loss, activation and optimizer, and machine code agrees with the
/// interpreter to the bit.
#[test]
fn first_steps_agree_with_jax() {
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
        for (step, (found, expected)) in found.iter().zip(numbers(&case["losses"])).enumerate() {
            let error = (f64::from(*found) - expected).abs() / expected.abs().max(1e-30);
            if error > 1e-4 {
                wrong.push(format!("{hidden} {output} {loss} {optimizer}: step {step}: {found} instead of {expected}"));
                break;
            }
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
            // Two batches and a part of one.
            let rows: Vec<u32> = data.split.train.iter().copied().take(2 * run.batch + run.batch / 2 + 1).collect();
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
