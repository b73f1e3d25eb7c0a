//! The batch axis and the axes that `each` maps over: the same as one sample after the other.

use super::bits;
use crate::random_graphs::{Choices, random_graph, smooth_graph};
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, Graph, NodeId, Op, Reduction, Role, TensorType, Unary, batch, verify};
use nnc::numerics::philox;

const SAMPLES: usize = 3;

/// Inputs for `SAMPLES` samples made from those of one: where an input has the new axis, each sample has numbers of its own.
fn samples(graph: &Graph, mapped: &[bool], one: &[Array]) -> Vec<Vec<Array>> {
    let mut choices = Choices::new(99);
    (0..SAMPLES)
        .map(|_| {
            (graph.inputs.iter().zip(one).zip(mapped))
                .map(|((input, array), &mapped)| match array {
                    Array::Real(_) if mapped => {
                        let moved = array.reals().iter().map(|x| x + choices.between(-0.5, 0.5)).collect();
                        Array::real(&input.ty.shape, moved)
                    }
                    _ => array.clone(),
                })
                .collect()
        })
        .collect()
}

/// The arrays one behind the other along a new first axis.
fn stacked(arrays: &[&Array]) -> Array {
    let ty = arrays[0].ty();
    let shape = [&[arrays.len()], &ty.shape[..]].concat();
    let bits: Vec<u32> = arrays.iter().flat_map(|array| array.to_bits()).collect();
    Array::from_bits(&TensorType { dtype: ty.dtype, shape }, &bits)
}

fn stacked_inputs(samples: &[Vec<Array>], mapped: &[bool]) -> Vec<Array> {
    let stack = |number: usize| {
        let all: Vec<&Array> = samples.iter().map(|inputs| &inputs[number]).collect();
        if mapped[number] { stacked(&all) } else { all[0].clone() }
    };
    (0..mapped.len()).map(stack).collect()
}

fn without_updates(mut graph: Graph) -> Graph {
    graph.outputs.iter_mut().for_each(|output| output.updates = None);
    graph
}

fn data(graph: &Graph) -> Vec<bool> {
    graph.inputs.iter().map(|input| input.role == Role::Data).collect()
}

fn has(graph: &Graph, test: fn(&Op) -> bool) -> bool {
    graph.nodes.iter().any(|node| test(&node.op))
}

#[test]
fn a_batch_is_its_samples() {
    let mut compared = 0;
    for seed in 0..300 {
        let (graph, one) = random_graph(seed);
        // A sum of products may be added up in another order when there are more of them.
        if has(&graph, |op| matches!(op, Op::Contract { .. } | Op::Uniform { .. })) {
            continue;
        }
        let graph = without_updates(graph);
        let mapped = data(&graph);
        let samples = samples(&graph, &mapped, &one);
        let batched = batch::batch(&graph, SAMPLES);
        assert_eq!(batched.inputs.len(), graph.inputs.len());
        let found = eval(&batched, &stacked_inputs(&samples, &mapped));
        let alone: Vec<Vec<Array>> = samples.iter().map(|inputs| eval(&graph, inputs)).collect();
        for (number, found) in found.iter().enumerate() {
            let all: Vec<&Array> = alone.iter().map(|outputs| &outputs[number]).collect();
            let expected = if found.ty() == all[0].ty() { all[0].clone() } else { stacked(&all) };
            assert!(bits(found) == bits(&expected), "seed {seed}, output {number}:\n{graph}\n{batched}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn a_batch_with_products_is_its_samples() {
    for seed in 0..300 {
        let (graph, one) = smooth_graph(seed);
        let mapped = data(&graph);
        let samples = samples(&graph, &mapped, &one);
        let batched = batch::batch(&graph, SAMPLES);
        let wide = |inputs: &[Array]| -> Vec<Array<f64>> { inputs.iter().map(Array::widen).collect() };
        let found = eval(&batched, &wide(&stacked_inputs(&samples, &mapped)));
        for (sample, inputs) in samples.iter().enumerate() {
            let alone = eval(&graph, &wide(inputs))[0].reals()[0];
            let found = found[0].reals().get(sample).copied().unwrap_or(found[0].reals()[0]);
            assert!((alone - found).abs() < 1e-9 * (1.0 + alone.abs()), "seed {seed}:\n{graph}\n{batched}");
        }
    }
}

/// `each` maps some operands and shares the others; inside a sample, which is itself one of a batch.
#[test]
fn each_is_one_index_after_the_other() {
    let mut choices = Choices::new(5);
    for seed in 0..200 {
        let (region, one) = random_graph(seed);
        if has(&region, |op| matches!(op, Op::Contract { .. } | Op::Uniform { .. })) {
            continue;
        }
        let region = without_updates(region);
        let mapped: Vec<bool> = one.iter().map(|_| choices.once_in(2)).collect();
        let samples = samples(&region, &mapped, &one);
        let alone: Vec<Vec<Array>> = samples.iter().map(|inputs| eval(&region, inputs)).collect();

        let inputs = stacked_inputs(&samples, &mapped);
        let mut b = Builder::new("each");
        let operands: Vec<NodeId> = (inputs.iter().enumerate())
            .map(|(i, x)| b.input(format!("x{i}"), if mapped[i] { Role::Data } else { Role::Param }, x.ty()))
            .collect();
        let results = batch::inline_batched(&mut b, &region, &operands, &mapped, SAMPLES);
        results.iter().enumerate().for_each(|(i, &result)| b.output(format!("y{i}"), result));
        verify::check(&b.graph, "inline_batched");
        let found = eval(&b.graph, &inputs);
        for (number, found) in found.iter().enumerate() {
            let expected = stacked(&alone.iter().map(|outputs| &outputs[number]).collect::<Vec<_>>());
            assert!(bits(found) == bits(&expected), "seed {seed}, output {number}:\n{region}\n{}", b.graph);
        }

        let twice = batch::batch(&b.graph, 2);
        let inputs: Vec<Array> =
            inputs.iter().zip(&mapped).map(|(x, &mapped)| if mapped { stacked(&[x, x]) } else { x.clone() }).collect();
        for (found, again) in found.iter().zip(eval(&twice, &inputs)) {
            let expected = if again.ty() == found.ty() { found.clone() } else { stacked(&[found, found]) };
            assert!(bits(&again) == bits(&expected), "seed {seed}:\n{twice}");
        }
    }
}

#[test]
fn inlining_is_the_region_itself() {
    for seed in 0..100 {
        let (region, inputs) = random_graph(seed);
        let mut b = Builder::new("inline");
        let operands: Vec<NodeId> =
            inputs.iter().enumerate().map(|(i, x)| b.input(format!("x{i}"), Role::Data, x.ty())).collect();
        let results = batch::inline(&mut b, &region, &operands);
        results.iter().enumerate().for_each(|(i, &result)| b.output(format!("y{i}"), result));
        verify::check(&b.graph, "inline");
        for (found, expected) in eval(&b.graph, &inputs).iter().zip(eval(&region, &inputs)) {
            assert_eq!(bits(found), bits(&expected));
        }
    }
}

/// The forms that products of one sample take in a batch.
#[test]
fn products_keep_a_good_form() {
    type Pairs = &'static [(usize, usize)];
    type Case = (&'static [usize], bool, &'static [usize], bool, Pairs, (Pairs, Pairs, bool));
    let cases: &[Case] = &[
        (&[4], true, &[4, 3], false, &[(0, 0)], (&[], &[(1, 0)], false)),
        (&[5, 4], true, &[4, 3], false, &[(1, 0)], (&[], &[(2, 0)], false)),
        (&[4], true, &[4], true, &[(0, 0)], (&[(0, 0)], &[(1, 1)], false)),
        (&[5, 4], true, &[4, 3], true, &[(1, 0)], (&[(0, 0)], &[(2, 1)], false)),
        (&[3, 4], false, &[4], true, &[(1, 0)], (&[], &[(1, 1)], false)),
        (&[4], false, &[4], true, &[(0, 0)], (&[], &[(1, 0)], false)),
        (&[3, 4], false, &[4, 5], true, &[(1, 0)], (&[], &[(1, 1)], true)),
    ];
    for &(left, left_mapped, right, right_mapped, pairs, (batch_axes, contract_axes, transposed)) in cases {
        let mut b = Builder::new("product");
        let role = |mapped: bool| if mapped { Role::Data } else { Role::Param };
        let x = b.input("x", role(left_mapped), TensorType::f32(left));
        let y = b.input("y", role(right_mapped), TensorType::f32(right));
        let product = b.contract(x, y, &[], pairs);
        b.output("product", product);
        let batched = batch::batch(&b.graph, 7);
        let found = batched.nodes.iter().find_map(|node| match &node.op {
            Op::Contract { batch, contract } => Some((batch.as_slice(), contract.as_slice())),
            _ => None,
        });
        assert_eq!(found, Some((batch_axes, contract_axes)), "{batched}");
        assert_eq!(has(&batched, |op| matches!(op, Op::Transpose { .. })), transposed, "{batched}");
        assert_eq!(batched[batched.outputs[0].node].ty.shape[0], 7);
    }
}

#[test]
fn sums_over_the_batch() {
    let mut b = Builder::new("means");
    let x = b.input("x", Role::Data, TensorType::f32([2]));
    let w = b.input("w", Role::Param, TensorType::f32([2]));
    let sums = [b.sum_batch(x), b.sum_batch(w)];
    for (number, sum) in sums.into_iter().enumerate() {
        b.output(format!("y{number}"), sum);
    }
    let centred = b.sub(x, sums[0]);
    b.output("centred", centred);
    let batched = batch::batch(&b.graph, 3);
    let inputs = [Array::real(&[3, 2], vec![1., 2., 3., 4., 5., 6.]), Array::real(&[2], vec![0.5, -1.0])];
    let found = eval(&batched, &inputs);
    assert_eq!(found[0], Array::real(&[2], vec![9.0, 12.0]));
    assert_eq!(found[1], Array::real(&[2], vec![1.5, -3.0]));
    assert_eq!(found[2], Array::real(&[3, 2], vec![-8., -10., -6., -8., -4., -6.]));

    // Within `each` every index has a sum of its own.
    let region = b.graph;
    let mut b = Builder::new("each");
    let x = b.input("x", Role::Data, TensorType::f32([4, 2]));
    let w = b.input("w", Role::Param, TensorType::f32([2]));
    let results = batch::inline_batched(&mut b, &region, &[x, w], &[true, false], 4);
    results.iter().enumerate().for_each(|(i, &result)| b.output(format!("y{i}"), result));
    assert!(has(&b.graph, |op| matches!(op, Op::SumBatch)));
    let batched = batch::batch(&b.graph, 3);
    let x = Array::real(&[3, 4, 2], (0..24).map(|i| i as f32).collect());
    let found = eval(&batched, &[x, inputs[1].clone()]);
    assert_eq!(found[0], Array::real(&[4, 2], (0..8).map(|i| (3 * i + 24) as f32).collect()));
    assert_eq!(found[1], Array::real(&[4, 2], [1.5, -3.0].repeat(4)));
    assert_eq!(found[2].shape(), [3, 4, 2]);
}

#[test]
fn every_sample_draws_its_own_numbers() {
    let mut b = Builder::new("noise");
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let step = b.input("step", Role::Setting, TensorType::i32([]));
    let noise = b.uniform(seed, step, 7, &[3]);
    b.output("noise", noise);
    let inputs = [Array::i32(&[2], vec![1, 2]), Array::i32(&[], vec![3])];
    let found = eval(&batch::batch(&b.graph, 2), &inputs);
    let expected = (0..6).map(|element| philox::uniform([1, 2], 3, 7, element)).collect();
    assert_eq!(found[0], Array::real(&[2, 3], expected));

    let region = b.graph;
    let mut b = Builder::new("each");
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let step = b.input("step", Role::Setting, TensorType::i32([]));
    let noise = batch::inline_batched(&mut b, &region, &[seed, step], &[false, false], 4);
    b.output("noise", noise[0]);
    let found = eval(&batch::batch(&b.graph, 2), &inputs);
    let expected = (0..24).map(|element| philox::uniform([1, 2], 3, 7, element)).collect();
    assert_eq!(found[0], Array::real(&[2, 4, 3], expected));
}

/// The output of an `each` has the mapped axis even where it depends on nothing mapped.
#[test]
fn each_repeats_what_is_shared() {
    let mut b = Builder::new("constant");
    b.input("x", Role::Data, TensorType::f32([2]));
    let c = b.f32(4.0);
    b.output("c", c);
    let region = b.graph;
    let mut b = Builder::new("each");
    let x = b.input("x", Role::Data, TensorType::f32([3, 2]));
    let c = batch::inline_batched(&mut b, &region, &[x], &[true], 3);
    b.output("c", c[0]);
    let found = eval(&b.graph, &[Array::real(&[3, 2], vec![0.0; 6])]);
    assert_eq!(found[0], Array::real(&[3], vec![4.0; 3]));
}

/// An elementwise operand that is a suffix within a sample is none behind the batch axis, and is repeated.
#[test]
fn stretched_operands_are_repeated() {
    let mut b = Builder::new("stretch");
    let x = b.input("x", Role::Data, TensorType::f32([2, 3]));
    let largest = b.reduce(Reduction::Max, x, &[0, 1]);
    let row = b.sum(x, &[0]);
    let w = b.input("w", Role::Param, TensorType::f32([3]));
    let y = b.sub(x, largest);
    let y = b.mul(y, row);
    let y = b.add(y, w);
    let y = b.unary(Unary::Tanh, y);
    b.output("y", y);
    let batched = batch::batch(&b.graph, 2);
    let repeated: Vec<&Op> =
        batched.nodes.iter().map(|node| &node.op).filter(|op| matches!(op, Op::Broadcast { .. })).collect();
    assert_eq!(repeated, [&Op::Broadcast { axes: vec![0] }, &Op::Broadcast { axes: vec![0, 2] }], "{batched}");
}
