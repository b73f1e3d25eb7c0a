//! The graph: what each operation means, and that every pass keeps it.

#![allow(clippy::cloned_ref_to_slice_refs, clippy::type_complexity, reason = "cases read best as written")]

mod axes;
mod identities;
mod operations;
mod stabilize;
mod text;

use crate::random_graphs::random_graph;
use nnc::graph::eval::{Array, eval};
use nnc::graph::{TensorType, simplify};

pub(crate) fn bits(array: &Array) -> (TensorType, Vec<u32>) {
    // All NaNs count as one.
    let bits = array.to_bits().into_iter();
    let bits = match array {
        Array::Real(_) => {
            bits.map(|bits| if f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits }).collect()
        }
        Array::I32(_) | Array::Bool(_) => bits.collect(),
    };
    (array.ty(), bits)
}

#[test]
fn simplify_keeps_the_bits() {
    let mut smaller = 0;
    for seed in 0..250 {
        let (graph, inputs) = random_graph(seed);
        let simple = simplify::simplify_differentiated(&graph);
        smaller += usize::from(simple.nodes.len() < graph.nodes.len());
        let (before, after) = (eval(&graph, &inputs), eval(&simple, &inputs));
        for (number, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(
                bits(before) == bits(after),
                "seed {seed}, output {number}:\n{graph}\n{simple}\n{before:?}\n{after:?}"
            );
        }
        let again = simplify::simplify_differentiated(&simple);
        assert!(again.nodes.len() <= simple.nodes.len(), "seed {seed}:\n{simple}\n{again}");
    }
    assert!(smaller > 40);
}
