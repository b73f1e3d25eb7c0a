//! Programs of runs, and the loop around them.

mod bodies;
mod elaboration;
mod rates;
mod texts;

use bodies::*;
use nnc::check::hir::{Binding, EarlyStop, Elementwise, Hir, HirOp, Optimizer, Run};
use nnc::data::Dataset;
use nnc::diagnostics::Diagnostic;
use nnc::graph::Graph;
use nnc::jit::{Buffer, Pool, Target};
use nnc::train::event::{End, Event, Status};
use nnc::train::execute::{Engine, Executable, seed};
use nnc::train::program::Programs;
use nnc::train::step::Session;
use nnc::train::{Options, weights};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

fn machine(threads: usize) -> Engine {
    Engine::Jit(Target::default(), Pool::new(threads))
}

fn try_train(
    hir: &Hir,
    dataset: &Dataset,
    out: Option<&Path>,
    resume: Option<&Path>,
    on_event: &mut dyn FnMut(Event, &AtomicBool),
) -> Result<End, Diagnostic> {
    let interrupted = AtomicBool::new(false);
    let options = Options {
        engine: Engine::Interp,
        isa: "interp",
        out,
        source: "// nothing",
        interrupted: &interrupted,
        begun: Instant::now(),
        resume,
    };
    nnc::train::run(hir, &hir.runs[0], dataset, &options, &mut |event| on_event(event, &interrupted))
}

fn train_with(
    hir: &Hir,
    dataset: &Dataset,
    out: Option<&Path>,
    resume: Option<&Path>,
    on_event: &mut dyn FnMut(Event, &AtomicBool),
) -> End {
    try_train(hir, dataset, out, resume, on_event).unwrap()
}

fn train(hir: &Hir, dataset: &Dataset) -> End {
    train_with(hir, dataset, None, None, &mut |_, _| {})
}

/// `y = dense(relu(dense(x)))` on the plane x0² + x0·x1.
fn regression(optimizer: Optimizer) -> (Hir, Dataset) {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[2]));
    let h = w.dense(x, "dense_1", 12, 0.8);
    let h = w.relu(h);
    let y = w.dense(h, "dense_2", 1, 0.6);
    let body = w.finish(&[("y_hat", y)]);
    let run = Run { metrics: vec![rmse("y_hat", "y", &[1])], ..a_run(mse("y_hat", "y", &[1]), optimizer) };
    let points = noise(2 * 90, 1);
    let values = points.chunks(2).map(|p| p[0] * p[0] + p[0] * p[1]).collect();
    (program(model("Net", body), run), dataset(vec![column("x", &[2], points), column("y", &[1], values)], 90, 60, 20))
}

/// One weight, `y = w·x`, starting at 0.5.
fn one_weight(optimizer: Optimizer) -> Hir {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[]));
    let weight = w.param("w", &[], constant(0.5));
    let y = w.mul(x, weight);
    let body = w.finish(&[("y_hat", y)]);
    program(model("Line", body), a_run(mse("y_hat", "y", &[]), optimizer))
}

/// The weight after each of `steps` steps on the same two samples.
fn weights_of(hir: &Hir, steps: usize) -> Vec<f32> {
    let data = dataset(vec![column("x", &[], vec![1.0, 2.0]), column("y", &[], vec![3.0, -1.0])], 2, 2, 0);
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let mut session = Session::new(programs, Engine::Interp, data.fields.iter().collect(), None).unwrap();
    let lr = hir.runs[0].optimizer.lr as f32;
    (0..steps)
        .map(|_| {
            session.train(&[0, 1], 2, &mut |_| lr, &mut |_| true).unwrap();
            session.tensors[0].as_f32()[0]
        })
        .collect()
}

/// d/dw of the mean of (w·1 − 3)² and (w·2 + 1)².
fn slope(w: f32) -> f32 {
    ((w - 3.0) * 2.0 + (2.0 * w + 1.0) * 2.0 * 2.0) / 2.0
}

fn close(a: f32, b: f32) {
    assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} is not {b}");
}

#[test]
fn sgd_follows_the_slope() {
    let mut w = 0.5;
    for found in weights_of(&one_weight(sgd(0.1)), 3) {
        w -= 0.1 * slope(w);
        close(found, w);
    }
}

#[test]
fn momentum_keeps_its_velocity() {
    let (mut w, mut velocity) = (0.5, 0.0);
    for found in weights_of(&one_weight(momentum(0.1, 0.9)), 4) {
        velocity = 0.9 * velocity + slope(w);
        w -= 0.1 * velocity;
        close(found, w);
    }
}

#[test]
fn adam_corrects_its_start() {
    let (mut w, mut mean, mut square) = (0.5_f32, 0.0, 0.0);
    let (mut power1, mut power2) = (1.0, 1.0);
    for found in weights_of(&one_weight(adam(0.1)), 4) {
        let g = slope(w);
        mean = 0.9 * mean + 0.1 * g;
        square = 0.999 * square + 0.001 * g * g;
        (power1, power2) = (power1 * 0.9, power2 * 0.999);
        w -= 0.1 * (mean / (1.0 - power1)) / (f32::sqrt(square / (1.0 - power2)) + 1e-8);
        assert!((found - w).abs() < 1e-4, "{found} is not {w}");
    }
}

#[test]
fn clip_bounds_the_gradient() {
    let mut hir = one_weight(sgd(0.1));
    hir.runs[0].clip = Some(0.5);
    close(weights_of(&hir, 1)[0], 0.5 - 0.1 * 0.5 * slope(0.5).signum());
    hir.runs[0].clip = Some(1e6);
    close(weights_of(&hir, 1)[0], 0.5 - 0.1 * slope(0.5));
}

#[test]
fn a_penalty_joins_the_gradient_and_not_the_loss() {
    let mut hir = one_weight(sgd(0.1));
    let mut w = Writer::default();
    let weight = w.input("w", Binding::Scope, numbers(&[]));
    let square = w.mul(weight, weight);
    let rate = w.number(3.0);
    let cost = w.mul(rate, square);
    hir.runs[0].penalties = vec![(0, w.finish(&[("value", cost)]))];
    close(weights_of(&hir, 1)[0], 0.5 - 0.1 * (slope(0.5) + 3.0 * 2.0 * 0.5));
}

#[test]
fn weights_of_samples_weigh() {
    let hir = one_weight(sgd(0.1));
    let data = dataset(vec![column("x", &[], vec![1.0, 2.0]), column("y", &[], vec![3.0, -1.0])], 2, 2, 0);
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: true };
    let mut session = Session::new(programs, Engine::Interp, data.fields.iter().collect(), Some(&[1.5, 0.5])).unwrap();
    let mut losses = Vec::new();
    let mut done = |done: nnc::train::step::Done| {
        losses.push((done.loss, done.weight));
        true
    };
    session.train(&[0, 1], 2, &mut |_| 0.1, &mut done).unwrap();
    assert_eq!(losses, [((1.5 * 6.25 + 0.5 * 4.0) / 2.0, 2.0)]);
    let slope = (1.5 * (0.5 - 3.0) * 2.0 + 0.5 * (2.0 * 0.5 + 1.0) * 2.0 * 2.0) / 2.0;
    close(session.tensors[0].as_f32()[0], 0.5 - 0.1 * slope);
}

#[test]
fn a_regression_converges() {
    let (mut hir, data) = regression(adam(0.02));
    hir.runs[0].epochs = 60;
    let end = train(&hir, &data);
    assert_eq!((end.status, end.best_epoch, end.history.len()), (Status::Finished, 60, 60));
    assert!(end.train_loss < 0.01, "{}", end.train_loss);
    assert!(end.val_loss.unwrap() < 0.03 && end.test_loss.unwrap() < 0.03, "{end:?}");
    let (name, rmse) = &end.metrics[0];
    assert_eq!(name, "rmse");
    assert!((rmse * rmse - end.test_loss.unwrap()).abs() < 1e-6);
}

#[test]
fn a_classification_learns() {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[2]));
    let h = w.dense(x, "dense_1", 3, 0.5);
    let y = w.softmax(h);
    let body = w.finish(&[("y_hat", y)]);
    let run =
        Run { epochs: 40, metrics: vec![accuracy("y_hat", "y", 3)], ..a_run(cross_entropy("y_hat", "y", 3), sgd(0.5)) };
    let points = noise(2 * 60, 3);
    let classes = points
        .chunks(2)
        .map(|p| {
            if p[0] > 0.2 {
                0
            } else if p[1] > 0.0 {
                1
            } else {
                2
            }
        })
        .collect();
    let hir = program(model("Net", body), run);
    let data = dataset(vec![column("x", &[2], points), categories("y", 3, classes)], 60, 60, 0);
    let end = train(&hir, &data);
    assert!(end.metrics[0].1 > 0.9, "{:?}", end.metrics);
    assert_eq!((end.val_loss, end.test_loss), (None, None));
    let map = end.decision.unwrap();
    assert_eq!(map.classes.len() % map.width, 0);
    assert_eq!((map.classes[0], map.classes[map.width - 1], map.classes[map.classes.len() - map.width]), (1, 0, 2));
}

#[test]
fn early_stopping_brings_the_best_back() {
    let (mut hir, data) = regression(sgd(0.9));
    hir.runs[0].epochs = 200;
    hir.runs[0].stop = Some(EarlyStop { patience: 3, min_delta: 0.0 });
    let end = train(&hir, &data);
    assert_eq!(end.status, Status::StoppedEarly);
    assert_eq!(end.best_epoch, end.history.len() - 3);
    let least = end.history.iter().filter_map(|epoch| epoch.val_loss).fold(f64::INFINITY, f64::min);
    assert_eq!(end.val_loss, Some(least));
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let end = train(
        &one_weight(sgd(1e30)),
        &dataset(vec![column("x", &[], vec![1.0; 40]), column("y", &[], vec![3.0; 40])], 40, 40, 0),
    );
    assert_eq!(end.status, Status::Diverged);
    assert_eq!(end.history.len(), 1);
}

#[test]
fn an_interruption_keeps_what_was_learned() {
    let (hir, data) = regression(sgd(0.05));
    let folder = tempfile::tempdir().unwrap();
    let end = train_with(&hir, &data, Some(folder.path()), None, &mut |event, interrupted| {
        if let Event::Epoch(epoch) = event {
            interrupted.store(epoch.epoch == 2, Ordering::Relaxed);
        }
    });
    assert_eq!((end.status, end.history.len()), (Status::Interrupted, 2));
    let directory = folder.path().join("M-1");
    assert_eq!(end.out.as_deref(), Some(directory.as_path()));
    let found = weights::load(&directory.join("weights.safetensors")).unwrap();
    let paths: Vec<&str> = found.tensors.iter().map(|tensor| tensor.path.as_str()).collect();
    assert_eq!(paths, ["dense_1.W", "dense_1.b", "dense_2.W", "dense_2.b"]);
    let history = std::fs::read_to_string(directory.join("history.csv")).unwrap();
    assert_eq!(history.lines().count(), 3);
    assert!(history.starts_with("epoch,lr,train_loss,val_loss,rmse,seconds,samples_per_s\n1,"));
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    let (hir, data) = regression(momentum(0.05, 0.9));
    let folder = tempfile::tempdir().unwrap();
    let whole = train_with(&hir, &data, Some(folder.path()), None, &mut |_, _| {});
    let first = train_with(&hir, &data, Some(folder.path()), None, &mut |event, interrupted| {
        if let Event::Epoch(epoch) = event {
            interrupted.store(epoch.epoch == 3, Ordering::Relaxed);
        }
    });
    assert_eq!(first.status, Status::Interrupted);
    let second = train_with(&hir, &data, Some(folder.path()), first.out.as_deref(), &mut |_, _| {});
    assert_eq!((second.status, &second.out), (Status::Finished, &first.out));
    let losses = |end: &End| {
        end.history
            .iter()
            .map(|epoch| (epoch.train_loss.to_bits(), epoch.val_loss.map(f64::to_bits)))
            .collect::<Vec<_>>()
    };
    assert_eq!(losses(&whole), losses(&second));
    let bytes = |end: &End| std::fs::read(end.out.as_ref().unwrap().join("weights.safetensors")).unwrap();
    assert_eq!(bytes(&whole), bytes(&second));
}

#[test]
fn a_directory_that_cannot_be_made_or_used_is_told_of() {
    let (mut hir, data) = regression(sgd(0.05));
    hir.runs[0].epochs = 1;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let code = |hir: &Hir, out: &Path, resume: Option<&Path>| {
        try_train(hir, &data, Some(out), resume, &mut |_, _| {}).unwrap_err().code
    };
    assert_eq!(code(&hir, &file, None), "output-unwritable");
    assert_eq!(code(&hir, folder.path(), Some(&folder.path().join("M-7"))), "weights-unreadable");
    let end = train_with(&hir, &data, Some(folder.path()), None, &mut |_, _| {});
    let directory = end.out.unwrap();
    std::fs::write(directory.join("checkpoint/state.safetensors"), [0; 30]).unwrap();
    assert_eq!(code(&hir, folder.path(), Some(&directory)), "weights-unreadable");
    let directory = train_with(&hir, &data, Some(folder.path()), None, &mut |_, _| {}).out.unwrap();
    hir.runs[0].seed += 1;
    assert_eq!(code(&hir, folder.path(), Some(&directory)), "other-run");
    hir.runs[0].seed -= 1;
    hir.runs[0].optimizer = adam(0.1);
    assert_eq!(code(&hir, folder.path(), Some(&directory)), "weights-mismatch");
}

/// What a graph gives for these inputs, by the interpreter.
fn outputs(graph: Graph, mut inputs: Vec<Buffer>) -> (Vec<Buffer>, Vec<Buffer>) {
    let mut executable = Executable::new(graph, &Engine::Interp);
    let mut outputs = executable.buffers(inputs.len()..executable.externals());
    let mut externals: Vec<&mut Buffer> = inputs.iter_mut().chain(&mut outputs).collect();
    executable.run(&mut externals);
    (inputs, outputs)
}

/// A dropout layer as the prelude writes it, in front of a mean.
fn dropout() -> Hir {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[50]));
    let share = w.number(0.75);
    let mask = w.op(HirOp::Bernoulli, &[share], numbers(&[50]));
    let kept = w.mul(x, mask);
    let scaled = w.div(kept, share);
    let training = w.op(HirOp::Training, &[], truths(&[]));
    let chosen = w.apply(Elementwise::If, &[training, scaled, x]);
    let weight = w.param("w", &[], constant(1.0));
    let y = w.mul(chosen, weight);
    let body = w.finish(&[("y_hat", y)]);
    program(model("Drop", body), a_run(mse("y_hat", "y", &[50]), sgd(0.1)))
}

#[test]
fn dropout_draws_anew_for_each_sample_and_step() {
    let hir = dropout();
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let graph = programs.training(4).unwrap();
    let run = |step: i32| {
        let number = |x: f32, n: usize| Buffer::from_f32(&vec![x; n]);
        let inputs = vec![
            number(1.0, 200),
            number(0.0, 200),
            number(1.0, 1),
            number(0.0, 1),
            Buffer::from_i32(&[step]),
            seed(3),
        ];
        outputs(graph.clone(), inputs).1[0].as_f32()[0]
    };
    // With targets of 0 the loss is the share that is kept, times 1 / 0.75².
    let (first, second) = (run(1) * 0.75 * 0.75, run(2) * 0.75 * 0.75);
    assert!(first != second && (first - 0.75).abs() < 0.15 && (second - 0.75).abs() < 0.15, "{first} {second}");
    assert_eq!(run(1) * 0.75 * 0.75, first);

    let evaluated = programs.evaluation(4).unwrap();
    let number = |x: f32, n: usize| Buffer::from_f32(&vec![x; n]);
    let inputs = vec![number(1.0, 200), number(0.0, 200), number(1.0, 1), Buffer::from_i32(&[0]), seed(3)];
    let sums = outputs(evaluated, inputs).1;
    assert_eq!((sums[0].as_f32()[0], sums[1].as_f32()[0]), (4.0, 4.0));
}

/// Batch normalisation of `[2]` as the prelude writes it.
fn batch_norm() -> Hir {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[2]));
    let gamma = w.param("gamma", &[2], constant(1.0));
    let mean = w.state("mean", &[2], constant(0.0));
    let var = w.state("var", &[2], constant(1.0));
    let training = w.op(HirOp::Training, &[], truths(&[]));
    let here = w.op(HirOp::BatchMean, &[x], numbers(&[2]));
    let m = w.apply(Elementwise::If, &[training, here, mean]);
    let here = w.op(HirOp::BatchVar, &[x], numbers(&[2]));
    let v = w.apply(Elementwise::If, &[training, here, var]);
    let (old, new) = (w.number(0.9), w.number(0.1));
    for (state, (before, now)) in [(mean, m), (var, v)].into_iter().enumerate() {
        let kept = w.mul(old, before);
        let fresh = w.mul(new, now);
        let next = w.add(kept, fresh);
        w.next(state, next);
    }
    let distance = w.sub(x, m);
    let scaled = w.mul(gamma, distance);
    let eps = w.number(1e-5);
    let safe = w.add(v, eps);
    let root = w.apply(Elementwise::Sqrt, &[safe]);
    let y = w.div(scaled, root);
    let body = w.finish(&[("y_hat", y)]);
    program(model("Norm", body), a_run(mse("y_hat", "y", &[2]), sgd(0.0)))
}

#[test]
fn batch_norm_keeps_running_statistics() {
    let hir = batch_norm();
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let x = vec![1.0, 10.0, 3.0, 30.0];
    let data = dataset(vec![column("x", &[2], x), column("y", &[2], vec![0.0; 4])], 2, 2, 0);
    let mut session = Session::new(programs, Engine::Interp, data.fields.iter().collect(), None).unwrap();
    let mut loss = 0.0;
    session
        .train(&[0, 1], 2, &mut |_| 0.0, &mut |done| {
            loss = done.loss;
            true
        })
        .unwrap();
    // In training the output is ±1, up to the epsilon.
    assert!((loss - 1.0).abs() < 1e-4, "{loss}");
    let state = |session: &Session, number: usize| session.tensors[1 + number].as_f32().to_vec();
    for (found, expected) in state(&session, 0).into_iter().zip([0.1 * 2.0, 0.1 * 20.0]) {
        close(found, expected);
    }
    for (found, expected) in state(&session, 1).into_iter().zip([0.9 + 0.1 * 1.0, 0.9 + 0.1 * 100.0]) {
        close(found, expected);
    }
    let before = state(&session, 0);
    let sums = session.evaluate(&[0, 1], 2, &|| false).unwrap();
    assert_eq!(state(&session, 0), before);
    let expected: f32 =
        [(1.0 - 0.2) / 1.0_f32.sqrt(), (10.0 - 2.0) / 10.9_f32.sqrt(), 3.0 - 0.2, (30.0 - 2.0) / 10.9_f32.sqrt()]
            .iter()
            .map(|y| y * y / 2.0)
            .sum();
    assert!((sums.loss as f32 - expected).abs() < 1e-3 * expected, "{} {expected}", sums.loss);
}

#[test]
fn a_last_batch_that_is_not_full_counts_by_its_size() {
    let (mut hir, data) = regression(sgd(0.0));
    hir.runs[0].epochs = 1;
    let end = train(&hir, &data);
    // With a rate of 0 the mean over the epoch's batches (seven of 8 and one of 4) is the loss itself.
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let mut session = Session::new(programs, Engine::Interp, data.fields.iter().collect(), None).unwrap();
    let sums = session.evaluate(&data.split.train, 7, &|| false).unwrap();
    assert!((end.train_loss - sums.loss / sums.weight).abs() < 1e-6);
}

#[test]
fn a_model_of_10_to_the_15_parameters_is_refused() {
    let mut hir = one_weight(sgd(0.1));
    hir.models[0].body.params[0].shape = vec![1_000_000_000, 1_000_000];
    let data = dataset(vec![column("x", &[], vec![1.0]), column("y", &[], vec![1.0])], 1, 1, 0);
    let problem = try_train(&hir, &data, None, None, &mut |_, _| {}).unwrap_err();
    assert_eq!(problem.code, "model-too-large");
}

/// All tensors after each of some epochs, and the losses, as bits.
fn trace(hir: &Hir, data: &Dataset, engine: Engine, epochs: usize) -> Vec<(String, Vec<u32>)> {
    let run = &hir.runs[0];
    let programs = Programs { run, model: &hir.models[0], weighted: data.weights.is_some() };
    let fields: Vec<_> = programs.fields().iter().map(|field| data.field(&field.name).unwrap()).collect();
    let mut session = Session::new(programs, engine, fields, data.weights.as_deref()).unwrap();
    let mut found = Vec::new();
    let mut note = |what: String, session: &Session| {
        for (kept, tensor) in session.kept.iter().zip(&session.tensors) {
            found.push((format!("{what} {}", kept.path), tensor.bits().to_vec()));
        }
    };
    note("start".to_owned(), &session);
    let mut losses = Vec::new();
    for epoch in 0..epochs {
        let mut done = |done: nnc::train::step::Done| {
            losses.push(done.loss.to_bits());
            true
        };
        session.train(&data.split.train, run.batch, &mut |_| run.optimizer.lr as f32, &mut done).unwrap();
        note(format!("epoch {epoch}"), &session);
    }
    let sums = session.evaluate(&data.split.train, 7, &|| false).unwrap();
    found.push(("losses".to_owned(), losses));
    found.push((
        "evaluation".to_owned(),
        sums.averages.concat().iter().chain([&sums.loss]).map(|&x| (x as f32).to_bits()).collect(),
    ));
    found
}

/// The machine code gives the interpreter's bits, on one thread and on two, a last batch that is not full included.
fn agrees(hir: &Hir, data: &Dataset) {
    let expected = trace(hir, data, Engine::Interp, 2);
    for threads in [1, 2] {
        for (found, expected) in trace(hir, data, machine(threads), 2).iter().zip(&expected) {
            assert_eq!(found, expected, "{} on {threads} threads", expected.0);
        }
    }
}

#[test]
fn machine_code_learns_a_regression_with_the_same_bits() {
    for optimizer in [sgd(0.05), momentum(0.05, 0.9), adam(0.02)] {
        let (hir, data) = regression(optimizer);
        agrees(&hir, &data);
    }
}

#[test]
fn machine_code_drops_out_with_the_same_bits() {
    let hir = dropout();
    let data = dataset(vec![column("x", &[50], noise(50 * 19, 1)), column("y", &[50], noise(50 * 19, 2))], 19, 19, 0);
    agrees(&hir, &data);
}

#[test]
fn machine_code_normalizes_with_the_same_bits() {
    let mut hir = batch_norm();
    hir.runs[0].optimizer = adam(0.1);
    hir.runs[0].clip = Some(0.1);
    let data = dataset(vec![column("x", &[2], noise(38, 1)), column("y", &[2], noise(38, 2))], 19, 19, 0);
    agrees(&hir, &data);
}

#[test]
fn a_state_that_differs_between_samples_becomes_their_mean() {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[]));
    let last = w.state("last", &[], constant(0.0));
    w.next(0, x);
    let weight = w.param("w", &[], constant(1.0));
    let sum = w.add(x, last);
    let y = w.mul(sum, weight);
    let body = w.finish(&[("y_hat", y)]);
    let hir = program(model("Keeps", body), a_run(mse("y_hat", "y", &[]), sgd(0.0)));
    let data = dataset(vec![column("x", &[], vec![1.0, 2.0, 6.0]), column("y", &[], vec![0.0; 3])], 3, 3, 0);
    for engine in [Engine::Interp, machine(1)] {
        let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
        let mut session = Session::new(programs, engine, data.fields.iter().collect(), None).unwrap();
        session.train(&[0, 1, 2], 3, &mut |_| 0.0, &mut |_| true).unwrap();
        assert_eq!(session.tensors[1].as_f32(), [3.0]);
    }
}

#[test]
fn every_sample_gets_its_row_of_a_prediction() {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[2]));
    let weight = w.param("w", &[2], constant(3.0));
    let y = w.mul(x, weight);
    let body = w.finish(&[("scaled", y), ("always", weight)]);
    let hir = program(model("Two", body), a_run(mse("scaled", "y", &[2]), sgd(0.0)));
    let data = dataset(vec![column("x", &[2], vec![0.0; 2]), column("y", &[2], vec![0.0; 2])], 1, 1, 0);
    for engine in [Engine::Interp, machine(1)] {
        let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
        let mut session = Session::new(programs, engine, data.fields.iter().collect(), None).unwrap();
        let found = session.predict(vec![Buffer::from_f32(&[1.0, 2.0, 3.0, 4.0])], 2).unwrap();
        assert_eq!(found[0].as_f32(), [3.0, 6.0, 9.0, 12.0]);
        assert_eq!(found[1].as_f32(), [3.0; 4]);
    }
}
