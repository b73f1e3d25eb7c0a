//! Loops over time: the region as a graph that reads whole sequences, planned by itself.
//!
//! A step reads its element of each sequence where it lies ([`Op::Step`]) and writes what it emits where that belongs ([`Op::Emit`]).
//! States are updated in place, in the memory of the loop's results: like a training step's parameters, where all who want
//! the old value have had it, else by a copy at the end of the step.

use super::{Plan, PlanOptions, plan};
use crate::graph::{Builder, Graph, Node, NodeId, Op, Role, Scan, TensorType, simplify};

/// The body of a loop over time, planned.
#[derive(Clone, Debug)]
pub struct Body {
    /// One step. Its inputs are the operands of the loop, whole; its outputs the updates of the states, then what is emitted.
    pub graph: Graph,
    /// The plan of a step. Its externals are the buffers of [`Body::externals`], its arena is the buffer [`Body::arena`].
    pub plan: Plan,
    /// The number of steps.
    pub extent: usize,
    /// For each external of the body's plan the buffer around.
    pub externals: Vec<usize>,
    /// The buffer around that the body's arena lies in.
    pub arena: usize,
    /// Buffers around that are copied before the loop: the starts of the states to where the states are.
    pub starts: Vec<(usize, usize)>,
}

/// A step of a loop as a graph, for operands of these types.
pub(super) fn step_graph(scan: &Scan, operands: &[TensorType]) -> Graph {
    let region = &scan.region;
    let mut b = Builder::new(region.name.clone());
    b.graph.batch = region.batch;
    let states = scan.state_operands();
    let mut given: Vec<NodeId> = Vec::new();
    let mut states_given: Vec<NodeId> = Vec::new();
    for (number, (input, ty)) in region.inputs.iter().zip(operands).enumerate() {
        let role = scan.role(number);
        let whole = b.input(input.name.clone(), role, ty.clone());
        given.push(match scan.over.get(number) {
            Some(&time) => b.push(Op::Step(time), vec![whole], input.ty.clone()),
            None => whole,
        });
        if states.contains(&number) {
            states_given.push(whole);
        }
    }
    let mut values: Vec<NodeId> = Vec::with_capacity(region.nodes.len());
    for Node { op, operands, ty, origin } in &region.nodes {
        b.origin = *origin;
        let operands = operands.iter().map(|operand| values[operand.0 as usize]).collect();
        values.push(match op {
            Op::Input(number) => given[*number],
            op => b.push(op.clone(), operands, ty.clone()),
        });
    }
    for (number, output) in region.outputs.iter().enumerate() {
        let value = values[output.node.0 as usize];
        match number.checked_sub(scan.states) {
            None => b.update(states_given[number], value),
            Some(emit) => {
                let op = Op::Emit { time: scan.emits[emit], extent: scan.extent };
                let ty = b.ty(value).clone();
                let value = b.push(op, vec![value], ty);
                b.output(output.name.clone(), value);
            }
        }
    }
    debug_assert!(b.graph.inputs.iter().all(|input| input.role != Role::Param));
    simplify::sweep(&b.graph)
}

/// The plan of a step.
pub(super) fn plan_step(graph: &Graph, extent: usize, options: &PlanOptions) -> Plan {
    Plan { steps: Some(extent), ..plan(graph, options) }
}
