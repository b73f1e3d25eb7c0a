//! The rate of each step.

use super::bodies::*;
use nnc::check::hir::{Binding, Body, Elementwise, Hir};
use nnc::train::execute::Engine;
use nnc::train::program::Programs;
use nnc::train::schedule::{Moment, Rate};

fn hir_with(schedule: Body) -> Hir {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[]));
    let weight = w.param("w", &[], constant(0.5));
    let y = w.mul(x, weight);
    let mut hir = program(model("Line", w.finish(&[("y", y)])), a_run(mse("y", "t", &[]), sgd(0.1)));
    hir.runs[0].schedule = Some(schedule);
    hir
}

const START: Moment = Moment { epoch: 0, step: 1, epochs: 4, steps_per_epoch: 5, val_loss: f64::INFINITY, stalled: 0 };

#[test]
fn a_factor_of_the_epoch_changes_with_the_epoch() {
    let mut w = Writer::default();
    let epoch = w.input("epoch", Binding::Scope, numbers(&[]));
    let base = w.number(0.5);
    let factor = w.apply(Elementwise::Pow, &[base, epoch]);
    let hir = hir_with(w.finish(&[("value", factor)]));
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let mut rate = Rate::new(&programs, &Engine::Interp).unwrap();
    for (epoch, factor) in [1.0, 0.5, 0.25, 0.125].into_iter().enumerate() {
        for step in 1..=5 {
            let moment = Moment { epoch, step: 5 * epoch as u64 + step, ..START };
            assert_eq!(rate.at(moment), (0.1 * factor) as f32);
        }
        rate.end_epoch(Moment { epoch, ..START });
    }
}

#[test]
fn progress_goes_from_0_up_to_1() {
    let mut w = Writer::default();
    let progress = w.input("progress", Binding::Scope, numbers(&[]));
    let hir = hir_with(w.finish(&[("value", progress)]));
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let mut rate = Rate::new(&programs, &Engine::Interp).unwrap();
    assert_eq!(rate.at(START), 0.0);
    assert_eq!(rate.at(Moment { epoch: 2, step: 11, ..START }), 0.05);
    assert_eq!(rate.at(Moment { epoch: 3, step: 20, ..START }), (0.1 * f64::from(0.95_f32)) as f32);
}

/// `state scale = 1; next scale = if stalled > 0 then scale * 0.5 else scale`.
#[test]
fn states_step_at_the_end_of_an_epoch() {
    let mut w = Writer::default();
    let stalled = w.input("stalled", Binding::Scope, numbers(&[]));
    let scale = w.state("scale", &[], constant(1.0));
    let (zero, half) = (w.number(0.0), w.number(0.5));
    let worse = w.apply(Elementwise::Gt, &[stalled, zero]);
    let smaller = w.mul(scale, half);
    let next = w.apply(Elementwise::If, &[worse, smaller, scale]);
    w.next(0, next);
    let hir = hir_with(w.finish(&[("value", scale)]));
    let programs = Programs { run: &hir.runs[0], model: &hir.models[0], weighted: false };
    let mut rate = Rate::new(&programs, &Engine::Interp).unwrap();
    let mut rates = Vec::new();
    for (epoch, stalled) in [0, 1, 2, 0].into_iter().enumerate() {
        rates.push(rate.at(Moment { epoch, stalled, ..START }));
        rate.end_epoch(Moment { epoch, stalled, ..START });
    }
    rates.push(rate.at(START));
    assert_eq!(rates, [0.1, 0.1, 0.05, 0.025, 0.025]);
    let mut other = Rate::new(&programs, &Engine::Interp).unwrap();
    other.restore(rate.states().to_vec());
    assert_eq!(other.at(START), 0.025);
}
