//! The networks of `std-models/` besides `std.vision`: that they learn, and the bits of their training steps on two threads.

use crate::cli::nnc;
use crate::lower::run;
use crate::networks::values;
use nnc::driver::check_program;
use nnc::plan::PlanOptions;
use nnc::train::program::Programs;
use serde_json::Value;
use std::path::Path;

/// What a run must come to: its name, a metric or `val_loss`, and the bounds.
type Goal = (&'static str, &'static str, f64, f64);

/// Runs a fixture and compares; then a training step of each run, on two threads against one.
#[track_caller]
fn check(name: &str, goals: &[Goal]) {
    let out = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = format!("tests/fixtures/models/{name}.nn");
    let ran = nnc(root, &["run", &path, "--json", "--out", out.path().to_str().unwrap()]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<&Value> = events.iter().filter(|event| event["event"] == "end").collect();
    assert_eq!(ends.len(), goals.len(), "{name}");
    for (end, (run, what, least, most)) in ends.into_iter().zip(goals) {
        assert_eq!(end["run"], *run);
        let found = if *what == "val_loss" { &end[*what] } else { &end["metrics"][*what] };
        assert!(found.as_f64().is_some_and(|found| (*least..=*most).contains(&found)), "{end}");
    }

    let checked = check_program(&path, &std::fs::read_to_string(root.join(&path)).unwrap());
    for one in &checked.hir.runs {
        let programs = Programs { run: one, model: &checked.hir.models[one.model], weighted: false };
        let graph = programs.training(one.batch).unwrap();
        let (inputs, options) = (values(&graph, 3), PlanOptions::default());
        assert!(run(&graph, &inputs, &options, 1) == run(&graph, &inputs, &options, 2), "{}", one.name);
    }
}

#[test]
fn sequences() {
    let goals = [
        ("Rnn", "accuracy", 0.35, 1.0),
        ("Gru", "accuracy", 0.5, 1.0),
        ("Lstm", "accuracy", 0.5, 1.0),
        ("RnnNext", "r2", 0.8, 1.0),
        ("GruNext", "r2", 0.8, 1.0),
        ("LstmNext", "r2", 0.8, 1.0),
        ("Cnn", "accuracy", 0.9, 1.0),
        ("Encoder", "accuracy", 0.9, 1.0),
        ("Language", "val_loss", 0.0, 0.1),
    ];
    check("sequence", &goals);
}

#[test]
fn tables() {
    let goals = [
        ("Mlp", "binary_accuracy", 0.6, 1.0),
        ("Categories", "binary_accuracy", 0.9, 1.0),
        ("Wide", "binary_accuracy", 0.9, 1.0),
    ];
    check("tabular", &goals);
}

#[test]
fn distances() {
    check("metric", &[("Siamese", "same_accuracy", 0.9, 1.0), ("Triplets", "triplet_accuracy", 0.95, 1.0)]);
}

#[test]
fn autoencoders() {
    let goals = [("Auto", "mae", 0.0, 0.15), ("Conv", "mae", 0.0, 0.13), ("Variational", "mae", 0.0, 0.17)];
    check("generative", &goals);
}

#[test]
fn clusters() {
    check("clustering", &[("Centres", "val_loss", 0.0, 0.6), ("Deep", "val_loss", 0.0, 0.1)]);
}
