//! Where the time of a training step goes: the stages from text to code, then every kernel on its own.
//!
//! `cargo bench --bench kernels -- 784 512 512 10 128` shows a network of these sizes; the last number is the batch.
//! `-- --file PROGRAM.nn` shows the first run of a program instead, at its own batch. With `--text` the kernels are printed, with `--asm` their code; with `--compile`
//! compiling is measured longer.

#![allow(missing_docs, reason = "a benchmark")]

use nnc::driver;
use nnc::jit::{Buffer, Isa, Pool, Target, compile};
use nnc::kernel::{Module, Storage};
use nnc::train::execute;
use nnc::train::program::Programs;
use std::time::{Duration, Instant};

fn program(sizes: &[usize], batch: usize, extra: &str) -> String {
    let (inputs, outputs) = (sizes[0], sizes[sizes.len() - 1]);
    let hidden: String = sizes[1..sizes.len() - 1].iter().map(|n| format!(" |> dense({n}) |> relu{extra}")).collect();
    format!(
        "data D {{\n  source = generate(64)\n  p: [{inputs}] = uniform(0, 1, [{inputs}])\n  t: [{outputs}] = uniform(0, 1, [{outputs}])\n}}\n\n\
         model M(p: [{inputs}]) -> q: [{outputs}] {{ p{hidden} |> dense({outputs}) }}\n\n\
         train M on D {{\n  loss = mse(q, t)\n  optimizer = adam()\n  batch = {batch}\n}}\n"
    )
}

fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let mut best = f64::INFINITY;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        let start = Instant::now();
        call();
        let once = start.elapsed().as_secs_f64();
        let round = (1e-4 / once).clamp(1.0, 1e4) as usize;
        let start = Instant::now();
        (0..round).for_each(|_| call());
        best = best.min(start.elapsed().as_secs_f64() / round as f64);
    }
    best
}

fn time_module(module: &Module, target: &Target) -> (f64, f64) {
    let begun = Instant::now();
    let program = compile(module, target);
    let compiled = begun.elapsed().as_secs_f64();
    let mut workspace = program.workspace(&Pool::new(1));
    let mut externals: Vec<(usize, Buffer)> = module
        .buffers
        .iter()
        .filter_map(|buffer| match buffer.storage {
            Storage::External(number) => Some((number, Buffer::new(buffer.dtype, buffer.len))),
            Storage::Arena(_) | Storage::Scratch(_) | Storage::Constant(_) => None,
        })
        .collect();
    externals.sort_by_key(|(number, _)| *number);
    let mut externals: Vec<&mut Buffer> = externals.iter_mut().map(|(_, buffer)| buffer).collect();
    (compiled, seconds(|| program.run(&mut workspace, &mut externals)))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let numbers = if numbers.len() < 3 { vec![784, 512, 512, 10, 128] } else { numbers };
    let (batch, sizes) = numbers.split_last().expect("three numbers or more");
    let file = arguments.iter().position(|argument| argument == "--file").and_then(|at| arguments.get(at + 1));
    let text = match file {
        Some(path) => std::fs::read_to_string(path).unwrap_or_else(|problem| panic!("{path}: {problem}")),
        None => program(sizes, *batch, if has("--dropout") { " |> dropout(0.2)" } else { "" }),
    };
    for _ in 0..if has("--repeat") { 0 } else { 3 } {
        let begun = Instant::now();
        let checked = driver::check_program("bench.nn", &text);
        assert!(!checked.has_errors(), "{:#?}", checked.diagnostics);
        let run = &checked.hir.runs[0];
        println!("check    {:9.3?}", begun.elapsed());
        let begun = Instant::now();
        let programs = Programs { run, model: &checked.hir.models[run.model], weighted: false };
        let graph = programs
            .training(if file.is_some() { run.batch } else { *batch })
            .unwrap_or_else(|found| panic!("{}", found.what));
        println!("graph    {:9.3?}", begun.elapsed());
        let begun = Instant::now();
        let module = execute::module(&graph);
        println!("plan     {:9.3?}", begun.elapsed());
        let begun = Instant::now();
        drop(compile(&module, &Target::default()));
        println!("compile  {:9.3?}", begun.elapsed());
    }
    let checked = driver::check_program("bench.nn", &text);
    let run = &checked.hir.runs[0];
    let programs = Programs { run, model: &checked.hir.models[run.model], weighted: false };
    let module = execute::module(
        &programs
            .training(if file.is_some() { run.batch } else { *batch })
            .unwrap_or_else(|found| panic!("{}", found.what)),
    );
    let target = Target { isa: Isa::Native, listing: has("--asm") };
    if has("--text") {
        println!("{module}");
    }
    if has("--asm") {
        println!("{}", compile(&module, &target).listing().expect("asked for").asm);
    }
    if has("--repeat") {
        // For counters of instructions, which noise does not reach.
        (0..20).for_each(|_| drop(compile(&module, &target)));
        return;
    }
    if has("--compile") {
        let once = seconds(|| drop(compile(&module, &target)));
        println!("compile: {:.2} ms", once * 1e3);
        return;
    }
    let (compiled, whole) = time_module(&module, &Target::default());
    println!("whole: {:.2} µs, compiled in {:.2} ms", whole * 1e6, compiled * 1e3);
    for kernel in &module.kernels {
        let alone = Module { kernels: vec![kernel.clone()], ..module.clone() };
        let (compiled, time) = time_module(&alone, &Target::default());
        println!(
            "{:>5} {:>10.2} µs {:>6.1} GFLOP/s  compile {:>5.2} ms  {}",
            kernel.name,
            time * 1e6,
            kernel.cost as f64 / time / 1e9,
            compiled * 1e3,
            kernel.title
        );
    }
}
