//! Random programs of the language: they check, train to the same bits by the interpreter and as machine code, have the
//! gradients that differences have, and stay themselves when formatted.
//!
//! `NNC_MODELS=2000` makes so many; `NNC_MODELS_FROM=100` begins at another seed.

mod generator;
mod program;
mod statements;

use crate::engines::{difference, said};
use crate::format::assert_sound;
use crate::grad::prelude::check_runs;
use generator::{Style, generate};
use nnc::check::manual::MANUAL;
use nnc::driver::check_program;
use nnc::jit::Isa;
use program::{Program, mentions};
use std::panic::catch_unwind;

/// Primitives that each program is made to have, besides those that come by themselves.
const WANTED: usize = 3;

/// The seeds: as many as it takes to have every primitive, or as many as asked for.
fn seeds(usual: usize) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let from = number("NNC_MODELS_FROM").unwrap_or(0);
    from..from + number("NNC_MODELS").unwrap_or(usual as u64)
}

/// So many programs have every primitive.
fn enough() -> usize {
    MANUAL.len().div_ceil(WANTED)
}

/// Every primitive is wanted by one of any [`enough`] seeds in a row.
fn program(seed: u64) -> Program {
    let wanted: Vec<&str> =
        (0..WANTED).map(|number| MANUAL[(seed as usize * WANTED + number) % MANUAL.len()].name).collect();
    let style = if seed % 11 == 7 { Style::Large } else { Style::Any };
    generate(seed, style, &wanted)
}

/// Whether a program makes use of a primitive, an operator or a form.
fn has(text: &str, name: &str) -> bool {
    match name {
        "[]" => text.match_indices('[').any(|(at, _)| text.as_bytes()[at - 1].is_ascii_alphanumeric()),
        "%" => text.contains(" % "),
        "@" | "^" | "|>" => text.contains(name),
        word => mentions(text, word),
    }
}

/// What is wrong with a program.
enum Fault {
    /// The checker finds these mistakes.
    Refused(String),
    /// Other bits, or a panic.
    Wrong(String),
}

fn fault(text: &str) -> Option<Fault> {
    match catch_unwind(|| difference(text, 2, &[Isa::Native, Isa::Portable])) {
        Ok(Ok(difference)) => difference.map(Fault::Wrong),
        Ok(Err(mistakes)) => Some(Fault::Refused(mistakes)),
        Err(panic) => Some(Fault::Wrong(said(panic.as_ref()))),
    }
}

/// Panics with the smallest program that still fails.
fn fail(seed: u64, program: &Program, fault: &str, still: impl Fn(&str) -> bool) -> ! {
    let smallest = program.shrunk(still);
    panic!("seed {seed}: {fault}\n--- the smallest program\n{}--- the whole\n{}", smallest.text(), program.text());
}

#[test]
fn every_primitive_is_generated() {
    let texts: Vec<String> = (0..enough() as u64).map(|seed| program(seed).text()).collect();
    let missing: Vec<&str> =
        (MANUAL.iter().map(|entry| entry.name)).filter(|name| !texts.iter().any(|text| has(text, name))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(texts.iter().any(|text| text.contains(": [12000] = ")), "no long parameter");
}

/// What has nothing to do with a fault is left out.
#[test]
fn what_fails_becomes_small() {
    let fails = |text: &str| mentions(text, "conv") && !check_program("test.nn", text).has_errors();
    let program = (0..).map(program).find(|program| fails(&program.text())).expect("some program has a convolution");
    let smallest = program.shrunk(fails);
    assert!(fails(&smallest.text()));
    // The weights and the convolution; the loss and the optimizer.
    let (statements, fields) = (smallest.statements.len(), smallest.run.len());
    assert!(statements <= 2 && smallest.declarations.is_empty() && fields == 2, "{}", smallest.text());
}

#[test]
fn machine_code_and_interpreter_agree() {
    for seed in seeds(enough()) {
        let program = program(seed);
        // Where the checker refuses the whole, what it refuses is no smaller for leaving out what it speaks of.
        match fault(&program.text()) {
            None => {}
            Some(Fault::Refused(mistakes)) => {
                fail(seed, &program, &mistakes, |text| check_program("test.nn", text).has_errors())
            }
            Some(Fault::Wrong(what)) => {
                fail(seed, &program, &what, |text| matches!(fault(text), Some(Fault::Wrong(_))))
            }
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    for seed in seeds(20) {
        let wanted: Vec<&str> =
            (0..2).map(|number| statements::SMOOTH[(seed as usize * 2 + number) % statements::SMOOTH.len()]).collect();
        let program = generate(seed, Style::Smooth, &wanted);
        let fails = |text: &str| catch_unwind(|| check_runs(text)).is_err();
        if fails(&program.text()) {
            fail(seed, &program, "a gradient", |text| !check_program("test.nn", text).has_errors() && fails(text));
        }
    }
}

#[test]
fn formatting_keeps_them() {
    for seed in seeds(3 * enough()) {
        assert_sound(&format!("seed {seed}"), &program(seed).text());
    }
}
