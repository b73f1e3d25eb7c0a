//! Plans: their text, and that no two live buffers share memory.

use crate::networks::{Loss, training_step};
use crate::random_graphs::random_graph;
use nnc::graph::Graph;
use nnc::plan::{Plan, PlanOptions, Storage, plan, print};

/// No two buffers that live at the same time overlap, and all lie within the arena at multiples of 64 bytes.
#[track_caller]
fn assert_apart(name: &str, graph: &Graph, plan: &Plan) {
    let placed: Vec<(usize, usize, (usize, usize))> = (plan.buffers.iter())
        .filter_map(|buffer| match buffer.storage {
            Storage::Arena(offset) if buffer.len > 0 => Some((offset, offset + buffer.len, buffer.lifetime)),
            Storage::Arena(_) | Storage::External(_) | Storage::Scratch(_) => None,
        })
        .collect();
    for (number, &(start, end, life)) in placed.iter().enumerate() {
        assert!(start % 16 == 0 && end <= plan.arena, "{name}: {}", print::print(graph, plan));
        for &(other_start, other_end, other_life) in &placed[..number] {
            let apart = end <= other_start || other_end <= start;
            let never_together = life.1 < other_life.0 || other_life.1 < life.0;
            assert!(
                apart || never_together,
                "{name}: {start}..{end} and {other_start}..{other_end}\n{}",
                print::print(graph, plan)
            );
        }
    }
}

#[test]
fn live_buffers_do_not_overlap() {
    for seed in 0..400 {
        let (graph, _) = random_graph(seed);
        for fuse in [true, false] {
            assert_apart(&format!("seed {seed}"), &graph, &plan(&graph, &PlanOptions { fuse }));
        }
    }
    let graph = training_step(&[33, 70, 65, 10], 37, Loss::CrossEntropy, true);
    assert_apart("a training step", &graph, &plan(&graph, &PlanOptions::default()));
}

#[test]
fn memory_of_released_values_is_used_again() {
    let graph = training_step(&[64; 12], 256, Loss::Squares, false);
    let plan = plan(&graph, &PlanOptions::default());
    let sum: usize = plan.buffers[plan.externals..].iter().map(|buffer| buffer.len).sum();
    assert!(plan.arena * 3 < sum * 2, "an arena of {} for buffers of {sum}", plan.arena);
}
