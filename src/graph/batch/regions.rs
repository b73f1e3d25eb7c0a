//! A loop over time for all samples at once: the body of the loop gets the new axis, the steps stay steps.

use super::{Mapped, Mapper, with_axis};
use crate::graph::{Builder, Graph, Input, NodeId, Op, Output, Scan, Time};

impl Mapper<'_> {
    /// The loop with the new axis on what differs between samples. A state differs if its start or its next value does.
    pub(super) fn scan(&mut self, scan: &Scan, operands: &[Mapped]) -> Mapped {
        let mut mapped: Vec<bool> = operands.iter().map(|&(_, mapped)| mapped).collect();
        let states = scan.state_operands();
        let (region, results) = loop {
            let (region, results) = self.region(scan, &mapped);
            let late: Vec<usize> = (0..scan.states).filter(|&at| results[at] && !mapped[states.start + at]).collect();
            if late.is_empty() {
                break (region, results);
            }
            late.into_iter().for_each(|state| mapped[states.start + state] = true);
        };
        let moved = |time: &Time, mapped: bool| Time { axis: time.axis + usize::from(mapped), ..*time };
        let new = Scan {
            region,
            over: scan.over.iter().zip(&mapped).map(|(time, &mapped)| moved(time, mapped)).collect(),
            emits: scan.emits.iter().zip(&results[scan.states..]).map(|(time, &mapped)| moved(time, mapped)).collect(),
            ..*scan
        };
        let operands: Vec<NodeId> = (operands.iter().zip(&mapped).enumerate())
            .map(|(number, (&operand, &mapped))| match mapped {
                true => self.spread(operand, &scan.region.inputs[number].ty.shape),
                false => operand.0,
            })
            .collect();
        let node = self.builder.scan(new, &operands);
        self.scans.insert(node, results);
        (node, false)
    }

    /// A result of a loop.
    pub(super) fn result(&mut self, scan: NodeId, number: usize) -> Mapped {
        let mapped = self.scans.get(&scan).is_some_and(|results| results[number]);
        (self.builder.result(scan, number), mapped)
    }

    /// The body of a loop for inputs of which these have the new axis; which of its outputs have it.
    fn region(&mut self, scan: &Scan, mapped: &[bool]) -> (Graph, Vec<bool>) {
        let mut inner = Builder::new(scan.region.name.clone());
        inner.graph.batch = if self.outermost { Some(self.n) } else { scan.region.batch };
        for (input, &mapped) in scan.region.inputs.iter().zip(mapped) {
            let ty = if mapped { with_axis(self.n, &input.ty) } else { input.ty.clone() };
            inner.graph.inputs.push(Input { ty, ..input.clone() });
        }
        let mut mapper = Mapper::new(&mut inner, self.n, self.outermost);
        let values = mapper.run(&scan.region, |builder, number| {
            let ty = builder.graph.inputs[number].ty.clone();
            (builder.push(Op::Input(number), Vec::new(), ty), mapped[number])
        });
        let mut outputs = Vec::new();
        let mut results = Vec::new();
        for (number, output) in scan.region.outputs.iter().enumerate() {
            let mut value = values[output.node.0 as usize];
            if number < scan.states && mapped[scan.over.len() + number] {
                value = (mapper.spread(value, &scan.region[output.node].ty.shape), true);
            }
            outputs.push(Output { node: value.0, ..output.clone() });
            results.push(value.1);
        }
        inner.graph.outputs = outputs;
        (inner.graph, results)
    }

    /// Rows picked from tables.
    pub(super) fn gather(&mut self, [table, indices]: [Mapped; 2], shapes: [&[usize]; 2], batch: usize) -> NodeId {
        if !table.1 && batch == 0 {
            return self.builder.gather(table.0, indices.0, 0);
        }
        let (table, indices) = (self.spread(table, shapes[0]), self.spread(indices, shapes[1]));
        self.builder.gather(table, indices, batch + 1)
    }
}
