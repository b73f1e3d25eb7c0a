//! A graph planned, lowered and compiled gives the bits of the reference interpreter.

use crate::networks::{Loss, training_step, values};
use crate::random_graphs::{Choices, random_graph};
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Binary, Builder, DType, Graph, Role, TensorType};
use nnc::jit::{Buffer, Pool, Target, compile};
use nnc::kernel::{TileShape, lower};
use nnc::plan::{PlanOptions, plan};

/// Bits with all NaNs as one.
fn bits(dtype: DType, bits: &[u32]) -> Vec<u32> {
    let same =
        |&bits: &u32| if dtype == DType::F32 && f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits };
    bits.iter().map(same).collect()
}

/// Runs a graph as machine code on so many threads: the outputs in order.
pub(crate) fn run(graph: &Graph, inputs: &[Array], options: &PlanOptions, threads: usize) -> Vec<Vec<u32>> {
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
    let mut workspace = program.workspace(&Pool::new(threads));
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
    for (fuse, threads) in [(true, 2), (false, 1)] {
        let options = PlanOptions { fuse };
        let found = run(graph, inputs, &options, threads);
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
        let options = PlanOptions::default();
        assert!(run(&graph, &inputs, &options, 1) == run(&graph, &inputs, &options, 2), "{sizes:?} on two threads");
    }
}

/// Products of every layout, small and large, with what follows them.
#[test]
fn products_agree_with_eval() {
    for seed in 0..120 {
        let mut choices = Choices::new(seed);
        let large = choices.once_in(2);
        let extents: &[usize] = if large { &[5, 9, 24, 33, 70, 130] } else { &[1, 2, 3, 5, 8, 13] };
        let depths: &[usize] = if large { &[1, 7, 40, 256, 257, 530] } else { &[1, 2, 9, 17, 300] };
        // Axes by their part: batch, rows, columns, contracted; each side in an order of its own.
        let count = |choices: &mut Choices, most: usize| choices.below(most + 1);
        let (batch, rows, cols) = (count(&mut choices, 1), 1 + count(&mut choices, 1), count(&mut choices, 2));
        let batch: Vec<usize> = (0..batch).map(|_| choices.of(&[1, 2, 3])).collect();
        let mut pick = |n: usize, from: &[usize]| -> Vec<usize> { (0..n).map(|_| choices.of(from)).collect() };
        let (rows, cols) = (pick(rows, extents), pick(cols, extents));
        let mut depth = pick(1, depths);
        depth.extend(pick(1, &[1, 1, 2, 3]));
        if rows.iter().product::<usize>() * cols.iter().product::<usize>() > 20_000 {
            continue;
        }
        let mut b = Builder::new("product");
        let mut operand = |name: &str, free: &[usize]| {
            let extents = [batch.as_slice(), &depth, free].concat();
            let mut order: Vec<usize> = (0..extents.len()).collect();
            for i in (1..order.len()).rev() {
                if choices.once_in(2) {
                    order.swap(i, choices.below(i + 1));
                }
            }
            let shape: Vec<usize> = order.iter().map(|&axis| extents[axis]).collect();
            let mut node = b.input(name, Role::Data, TensorType::f32(shape));
            let mut places: Vec<usize> =
                (0..order.len()).map(|axis| order.iter().position(|&a| a == axis).unwrap()).collect();
            match choices.below(4) {
                0 => {
                    // Through a transposition.
                    let permutation: Vec<usize> = (0..order.len()).rev().collect();
                    node = b.transpose(node, &permutation);
                    places.iter_mut().for_each(|place| *place = order.len() - 1 - *place);
                }
                1 => node = b.reverse(node, places[0]),
                _ => {}
            }
            (node, places)
        };
        let (left, at_left) = operand("x", &rows);
        let (right, at_right) = operand("w", &cols);
        let pairs: Vec<(usize, usize)> = (0..batch.len() + 2).map(|axis| (at_left[axis], at_right[axis])).collect();
        let product = b.contract(left, right, &pairs[..batch.len()], &pairs[batch.len()..]);
        let shape = b.shape(product).to_vec();
        let bias = b.input("b", Role::Data, TensorType::f32(shape.last().map_or(vec![], |&n| vec![n])));
        let biased = b.add(product, bias);
        let zero = b.f32(0.0);
        let active = b.binary(Binary::Max, biased, zero);
        b.output("active", active);
        match choices.below(3) {
            0 => b.output("product", product),
            1 => {
                let positive = b.binary(Binary::Gt, biased, zero);
                b.output("positive", positive);
            }
            _ => {}
        }
        let inputs = values(&b.graph, 2);
        assert_same(&format!("seed {seed}"), &b.graph, &inputs);
    }
}
