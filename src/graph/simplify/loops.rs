//! Simpler loops over time: a simpler body, fewer and simpler operands.

use super::{Simplifier, rebuild};
use crate::graph::{Builder, DType, Graph, NodeId, Op, Scalar, Scan, TensorType, Time};
use std::sync::Arc;

impl Simplifier {
    /// The loop with its body simplified. Constants stand in the body, a sequence that repeats one element is captured, one that is
    /// reversed is read from its other end, what is captured twice is captured once.
    pub(super) fn scan(&mut self, scan: &Scan, operands: &[NodeId]) -> NodeId {
        let mut inner = Builder::new(scan.region.name.clone());
        inner.graph.batch = scan.region.batch;
        let mut new = Scan { over: Vec::new(), region: Graph::default(), ..scan.clone() };
        let mut sequences: Vec<NodeId> = Vec::new();
        let mut captured: Vec<NodeId> = Vec::new();
        // What each input of the body is now.
        let mut given: Vec<Given> = Vec::new();
        for (number, &operand) in operands.iter().enumerate() {
            given.push(match scan.over.get(number) {
                Some(&time) => self.sequence(operand, time, &mut new.over, &mut sequences, &mut captured),
                None if scan.state_operands().contains(&number) => Given::State(number - scan.over.len()),
                None => self.captured(operand, &mut captured),
            });
        }
        let starts = operands[scan.state_operands()].to_vec();
        let first = [0, sequences.len(), sequences.len() + starts.len()];
        let all = [sequences, starts, captured].concat();
        for (number, &operand) in all.iter().enumerate() {
            let ty = new.input_type(number, self.interner.builder.ty(operand));
            inner.input(name(scan, &given, number, first), new.role(number), ty);
        }
        let nodes: Vec<NodeId> = (0..all.len()).map(NodeId::from_index).collect();
        let inputs: Vec<NodeId> = (given.iter().enumerate())
            .map(|(number, given)| match given {
                Given::Sequence(at) => nodes[first[0] + at],
                Given::State(at) => nodes[first[1] + at],
                Given::Captured(at) => nodes[first[2] + at],
                Given::Constant(scalar) => {
                    let scalar = inner.scalar(*scalar);
                    let shape = scan.region.inputs[number].ty.shape.clone();
                    inner.broadcast_suffix(scalar, &shape)
                }
                Given::Repeated(at, axes) => {
                    let shape = scan.region.inputs[number].ty.shape.clone();
                    inner.broadcast(nodes[first[2] + at], &shape, axes)
                }
            })
            .collect();
        let results = super::super::batch::inline(&mut inner, &scan.region, &inputs);
        for (output, node) in scan.region.outputs.iter().zip(results) {
            inner.output(output.name.clone(), node);
        }
        new.region = rebuild(&inner.graph, self.differentiated);
        self.interner.push(Op::Scan(Arc::new(new)), all, TensorType::f32([0]))
    }

    fn sequence(
        &mut self,
        operand: NodeId,
        time: Time,
        over: &mut Vec<Time>,
        sequences: &mut Vec<NodeId>,
        captured: &mut Vec<NodeId>,
    ) -> Given {
        match self.interner.op(operand).clone() {
            Op::Reverse { axis } if axis == time.axis => {
                let source = self.interner.operand(operand, 0);
                self.sequence(source, time.backwards(), over, sequences, captured)
            }
            Op::Broadcast { axes } if !axes.contains(&time.axis) => {
                let source = self.interner.operand(operand, 0);
                let axes = axes.into_iter().map(|axis| axis - usize::from(axis > time.axis)).collect();
                match self.captured(source, captured) {
                    Given::Captured(at) => Given::Repeated(at, axes),
                    constant => constant,
                }
            }
            _ => {
                let same = |at: &usize| sequences[*at] == operand && over[*at] == time;
                let at = (0..sequences.len()).find(same).unwrap_or_else(|| {
                    sequences.push(operand);
                    over.push(time);
                    sequences.len() - 1
                });
                Given::Sequence(at)
            }
        }
    }

    fn captured(&mut self, operand: NodeId, captured: &mut Vec<NodeId>) -> Given {
        if let Some(scalar) = self.interner.constant(operand) {
            return Given::Constant(scalar);
        }
        let at = captured.iter().position(|&other| other == operand).unwrap_or_else(|| {
            captured.push(operand);
            captured.len() - 1
        });
        Given::Captured(at)
    }

    /// A result of a loop without steps.
    pub(super) fn result(&mut self, number: usize, scan: NodeId, ty: &TensorType) -> Option<NodeId> {
        let Op::Scan(of) = self.interner.op(scan) else { return None };
        if of.extent > 0 {
            return None;
        }
        if number < of.states {
            return Some(self.interner.operand(scan, of.over.len() + number));
        }
        let zero = match ty.dtype {
            DType::F32 => Scalar::F32(0.0),
            DType::I32 => Scalar::I32(0),
            DType::Bool => Scalar::Bool(false),
        };
        let zero =
            self.interner.push(Op::Constant(zero), Vec::new(), TensorType { dtype: ty.dtype, shape: Vec::new() });
        Some(self.spread(zero, ty))
    }
}

/// What an input of a body becomes.
enum Given {
    Sequence(usize),
    State(usize),
    Captured(usize),
    Constant(Scalar),
    /// Something captured, repeated: where its axes go.
    Repeated(usize, Vec<usize>),
}

/// The name of the first input of the old body that became the new one's input of that number.
fn name(scan: &Scan, given: &[Given], number: usize, first: [usize; 3]) -> String {
    let becomes = |given: &Given| match given {
        Given::Sequence(at) => first[0] + at == number,
        Given::State(at) => first[1] + at == number,
        Given::Captured(at) | Given::Repeated(at, _) => first[2] + at == number,
        Given::Constant(_) => false,
    };
    given.iter().position(becomes).map_or_else(String::new, |old| scan.region.inputs[old].name.clone())
}
