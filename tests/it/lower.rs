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
