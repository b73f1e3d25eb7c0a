//! A graph planned, lowered and compiled gives the bits of the reference interpreter.

use crate::networks::{Loss, training_step, values};
use crate::random_graphs::random_graph;
use nnc::graph::eval::{Array, eval};
use nnc::graph::{DType, Graph};
use nnc::jit::{Buffer, Pool, Target, compile};
use nnc::kernel::{TileShape, lower};
use nnc::plan::{PlanOptions, plan};

/// Bits with all NaNs as one.
fn bits(dtype: DType, bits: &[u32]) -> Vec<u32> {
    let same =
        |&bits: &u32| if dtype == DType::F32 && f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits };
    bits.iter().map(same).collect()
}

/// Runs a graph as machine code: the outputs in order.
pub(crate) fn run(graph: &Graph, inputs: &[Array], options: &PlanOptions) -> Vec<Vec<u32>> {
    let module = lower(graph, &plan(graph, options), &TileShape::F32X4);
    let program = compile(&module, &Target::default());
    let mut externals: Vec<Buffer> = Vec::new();
    for (input, array) in graph.inputs.iter().zip(inputs) {
        let mut buffer = Buffer::new(input.ty.dtype, input.ty.len());
        buffer.bits_mut().copy_from_slice(&array.to_bits());
        externals.push(buffer);
    }
    for output in graph.outputs.iter().filter(|output| output.updates.is_none()) {
        let ty = &graph[output.node].ty;
        let mut buffer = Buffer::new(ty.dtype, ty.len());
        buffer.bits_mut().fill(0xdead_beef);
        externals.push(buffer);
    }
    let mut workspace = program.workspace(&Pool::new(1));
    program.run(&mut workspace, &mut externals.iter_mut().collect::<Vec<_>>());
    let mut next = graph.inputs.len();
    let mut place = |updates: Option<usize>| {
        updates.unwrap_or_else(|| {
            next += 1;
            next - 1
        })
    };
    graph.outputs.iter().map(|output| externals[place(output.updates)].bits().to_vec()).collect()
}

#[track_caller]
pub(crate) fn assert_same(name: &str, graph: &Graph, inputs: &[Array]) {
    let expected = eval(graph, inputs);
    for options in [PlanOptions { fuse: true }, PlanOptions { fuse: false }] {
        let found = run(graph, inputs, &options);
        for (number, (expected, found)) in expected.iter().zip(&found).enumerate() {
            let dtype = expected.ty().dtype;
            let (expected, found) = (bits(dtype, &expected.to_bits()), bits(dtype, found));
            if let Some(place) = (0..expected.len()).find(|&place| expected[place] != found[place]) {
                panic!(
                    "{name}, fuse {}: output {number} differs at {place}: {:#x} not {:#x}\n{graph}",
                    options.fuse, found[place], expected[place]
                );
            }
        }
    }
}

#[test]
fn random_graphs_agree_with_eval() {
    let (from, to) = match std::env::var("SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            (from.parse().unwrap(), to.parse().unwrap())
        }
        Err(_) => (0, 200),
    };
    for seed in from..to {
        let (graph, inputs) = random_graph(seed);
        assert_same(&format!("seed {seed}"), &graph, &inputs);
    }
}

#[test]
fn training_steps_agree_with_eval() {
    let cases = [
        (vec![2, 10, 1], 32, Loss::Squares, false),
        (vec![3, 7, 1], 5, Loss::Squares, true),
        (vec![30, 64, 64, 1], 64, Loss::Squares, false),
        (vec![33, 70, 65, 10], 37, Loss::CrossEntropy, true),
        (vec![300, 90, 20], 65, Loss::CrossEntropy, true),
        (vec![600, 12, 3], 130, Loss::CrossEntropy, false),
        (vec![17, 130, 530, 19], 16, Loss::CrossEntropy, false),
        (vec![4, 16, 3], 1, Loss::CrossEntropy, true),
    ];
    for (sizes, batch, loss, dropout) in cases {
        let graph = training_step(&sizes, batch, loss, dropout);
        let inputs = values(&graph, sizes[sizes.len() - 1]);
        assert_same(&format!("{sizes:?}, batch {batch}"), &graph, &inputs);
    }
}

fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

#[test]
fn measure() {
    let Ok(which) = std::env::var("MEASURE") else { return };
    let cases: [(&[usize], usize, Loss, bool); 4] = [
        (&[2, 10, 1], 32, Loss::Squares, false),
        (&[30, 64, 64, 1], 64, Loss::Squares, false),
        (&[784, 512, 512, 10], 128, Loss::CrossEntropy, false),
        (&[1024, 4096, 4096, 1024], 256, Loss::Squares, false),
    ];
    for number in which.split(',').map(|word| word.parse::<usize>().unwrap()) {
        let (sizes, batch, loss, dropout) = cases[number];
        let graph = training_step(sizes, batch, loss, dropout);
        let inputs = values(&graph, sizes[sizes.len() - 1]);
        let start = std::time::Instant::now();
        let plan = plan(&graph, &PlanOptions::default());
        let planned = start.elapsed();
        let module = lower(&graph, &plan, &TileShape::F32X4);
        let lowered = start.elapsed();
        let program = compile(&module, &Target::default());
        let compiled = start.elapsed();
        println!(
            "{sizes:?}: {} nodes, {} kernels, arena {} KB, plan {planned:?} lower {:?} compile {:?}",
            graph.nodes.len(), module.kernels.len(), plan.arena * 4 / 1024, lowered - planned, compiled - lowered
        );
        if std::env::var("SHOW").is_ok() {
            for kernel in &module.kernels {
                println!("  {} {} cost {} shards {:?}", kernel.name, kernel.title, kernel.cost, kernel.shards);
            }
        }
        let mut externals: Vec<Buffer> = Vec::new();
        for (input, array) in graph.inputs.iter().zip(&inputs) {
            let mut buffer = Buffer::new(input.ty.dtype, input.ty.len());
            buffer.bits_mut().copy_from_slice(&array.to_bits());
            externals.push(buffer);
        }
        externals.push(Buffer::new(DType::F32, 1));
        let mut workspace = program.workspace(&Pool::new(1));
        let mut externals: Vec<&mut Buffer> = externals.iter_mut().collect();
        let flops: f64 = sizes.windows(2).enumerate().map(|(layer, pair)| {
            let passes = if layer == 0 { 2.0 } else { 3.0 };
            passes * 2.0 * (batch * pair[0] * pair[1]) as f64
        }).sum();
        let rounds = (1e9 / flops).clamp(3.0, 20000.0) as usize;
        let mut best = f64::INFINITY;
        for _ in 0..9 {
            let start = cpu_seconds();
            for _ in 0..rounds {
                program.run(&mut workspace, &mut externals);
            }
            best = best.min((cpu_seconds() - start) / rounds as f64);
        }
        println!("   {:.3} us per step, {:.1} GFLOP/s", best * 1e6, flops / best * 1e-9);
        if std::env::var("SHOW").is_ok() {
            for only in 0..module.kernels.len() {
                let mut one = module.clone();
                one.kernels = vec![module.kernels[only].clone()];
                let program = compile(&one, &Target::default());
                let mut workspace = program.workspace(&Pool::new(1));
                let mut best = f64::INFINITY;
                for _ in 0..9 {
                    let start = cpu_seconds();
                    for _ in 0..rounds {
                        program.run(&mut workspace, &mut externals);
                    }
                    best = best.min((cpu_seconds() - start) / rounds as f64);
                }
                let kernel = &module.kernels[only];
                println!("   {:10.3} us {:6.1} GFLOP/s {} {}", best * 1e6, kernel.cost as f64 / best * 1e-9, kernel.name, kernel.title);
            }
        }
    }
}
