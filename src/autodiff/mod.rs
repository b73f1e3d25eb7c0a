//! Reverse-mode differentiation, graph to graph.
//!
//! In: a graph with its batch axis and a scalar loss in it. Out: the same graph with the backward part appended and, for each value
//! asked about, the node that holds the gradient of the loss with respect to it.
//!
//! From the loss back, each node's *cotangent* (the derivative of the loss with respect to the node) is handed on to its
//! operands by one rule per operation, see [`rules`]. Where a value is used several times its cotangents are added, the latest use first.
//! What no gradient asked for needs is left for `simplify` to drop.

mod rules;

use crate::graph::{Builder, DType, NodeId, TensorType, verify};

/// Appends the gradients of `loss`, an f32 scalar, with respect to `wrt`, in that order and each of its value's shape. The gradient
/// with respect to what the loss does not depend on is zero.
pub fn gradients(builder: &mut Builder, loss: NodeId, wrt: &[NodeId]) -> Vec<NodeId> {
    assert_eq!(*builder.ty(loss), TensorType::f32([]), "the loss of {}", builder.graph.name);
    let outer = builder.origin;
    let active = active(builder, wrt);
    let mut cotangents: Vec<Option<NodeId>> = vec![None; loss.0 as usize + 1];
    cotangents[loss.0 as usize] = Some(builder.f32(1.0));
    for id in (0..=loss.0).rev().map(NodeId) {
        let Some(cotangent) = cotangents[id.0 as usize] else { continue };
        if !active[id.0 as usize] {
            continue;
        }
        builder.origin = builder.graph[id].origin;
        let operands = builder.graph[id].operands.clone();
        let contributions = rules::apply(builder, id, cotangent);
        for (operand, contribution) in operands.into_iter().zip(contributions) {
            let Some(contribution) = contribution else { continue };
            if !active[operand.0 as usize] {
                continue;
            }
            let slot = &mut cotangents[operand.0 as usize];
            *slot = Some(match *slot {
                Some(sum) => builder.add(sum, contribution),
                None => contribution,
            });
        }
    }
    let results = wrt.iter().map(|&value| match cotangents.get(value.0 as usize).copied().flatten() {
        Some(gradient) => gradient,
        None => {
            let zero = builder.f32(0.0);
            let shape = builder.shape(value).to_vec();
            builder.broadcast_suffix(zero, &shape)
        }
    });
    let results = results.collect();
    builder.origin = outer;
    verify::check(&builder.graph, "differentiate");
    results
}

/// Which nodes are f32 and depend on one of `wrt`.
fn active(builder: &Builder, wrt: &[NodeId]) -> Vec<bool> {
    let mut active = vec![false; builder.graph.nodes.len()];
    for value in wrt {
        active[value.0 as usize] = true;
    }
    for id in builder.graph.ids() {
        let node = &builder.graph[id];
        let reached = node.operands.iter().any(|operand| active[operand.0 as usize]);
        active[id.0 as usize] = node.ty.dtype == DType::F32 && (reached || active[id.0 as usize]);
    }
    active
}
