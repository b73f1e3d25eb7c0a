//! Gradients against central differences of the interpreter run in f64.

use crate::random_graphs::{Choices, smooth_graph};
use nnc::autodiff::gradients;
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, DType, Graph, NodeId, Op, Output, simplify};

/// `graph`, whose first output is a scalar loss, with the gradient of each f32 input as further outputs.
pub(crate) fn with_gradients(graph: &Graph) -> (Graph, Vec<usize>) {
    let loss = graph.outputs[0].node;
    let numbers: Vec<usize> = (0..graph.inputs.len()).filter(|&i| graph.inputs[i].ty.dtype == DType::F32).collect();
    let mut builder = Builder::on(graph.clone());
    let input = |builder: &mut Builder, number: usize| -> NodeId {
        let found = builder.graph.ids().find(|&id| matches!(builder.graph[id].op, Op::Input(other) if other == number));
        found.unwrap_or_else(|| {
            let ty = builder.graph.inputs[number].ty.clone();
            builder.push(Op::Input(number), Vec::new(), ty)
        })
    };
    let wrt: Vec<NodeId> = numbers.iter().map(|&number| input(&mut builder, number)).collect();
    let slopes = gradients(&mut builder, loss, &wrt);
    builder.graph.outputs.truncate(1);
    for (&number, slope) in numbers.iter().zip(slopes) {
        builder.graph.outputs.push(Output { name: format!("d{number}"), node: slope, updates: None });
    }
    (builder.graph, numbers)
}

/// Compares all gradients of `graph` with central differences, in up to `samples` elements of each input.
#[track_caller]
fn check(graph: &Graph, inputs: &[Array], samples: usize) {
    let (with, numbers) = with_gradients(graph);
    let simple = simplify::simplify_differentiated(&with);
    let wide: Vec<Array<f64>> = inputs.iter().map(Array::widen).collect();
    let results = eval(&with, &wide);
    let simplified = eval(&simple, &wide);
    let loss_at = |number: usize, element: usize, value: f64| -> f64 {
        let mut moved = wide.to_vec();
        let mut elements = moved[number].reals().to_vec();
        elements[element] = value;
        moved[number] = Array::real(&moved[number].shape().to_vec(), elements);
        eval(graph, &moved)[0].reals()[0]
    };
    let mut choices = Choices::new(1);
    for (place, &number) in numbers.iter().enumerate() {
        let slope = &results[place + 1];
        assert_eq!(slope.ty(), graph.inputs[number].ty);
        let len = slope.reals().len();
        for _ in 0..samples.min(len) {
            let element = if samples >= len { choices.below(len) } else { choices.below(len) };
            let (at, step) = (wide[number].reals()[element], 1e-5);
            let difference = (loss_at(number, element, at + step) - loss_at(number, element, at - step)) / (2.0 * step);
            for found in [slope.reals()[element], simplified[place + 1].reals()[element]] {
                assert!(
                    (found - difference).abs() <= 1e-6 * (1.0 + found.abs().max(difference.abs())),
                    "gradient {found} of element {element} of input {number}, difference {difference}\n{with}"
                );
            }
        }
    }
}

#[test]
fn random_smooth_graphs() {
    for seed in 0..300 {
        let (graph, inputs) = smooth_graph(seed);
        check(&graph, &inputs, 6);
    }
}
