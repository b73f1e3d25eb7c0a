//! Bodies of `each` and `scan`: first a graph of their own, then in place for every index, or the region of a loop.

use super::{Elaboration, Random, Scope, Unsupported, elaborate};
use crate::check::hir::Body;
use crate::graph::{Builder, DType, Graph, Input, NodeId, Op, Role, Scan, TensorType, Time, batch};

/// A region as a graph, and what its inputs are given.
struct Elaborated {
    graph: Graph,
    operands: Vec<NodeId>,
}

impl Elaboration<'_, '_> {
    /// The region once for each index along the first axis of the first `mapped` operands.
    pub(super) fn each(&mut self, region: &Body, mapped: usize, x: &[NodeId]) -> Result<Vec<NodeId>, Unsupported> {
        let extent = self.b.shape(x[0])[0];
        let Elaborated { graph, operands } = self.region(region, mapped, x, "`each`")?;
        let mapped: Vec<bool> = graph.inputs.iter().map(|input| input.role == Role::Data).collect();
        Ok(batch::inline_batched(self.b, &graph, &operands, &mapped, extent))
    }

    /// The region once for each step, in order: the last states, then what is emitted.
    pub(super) fn scan(
        &mut self,
        region: &Body,
        over: usize,
        states: usize,
        x: &[NodeId],
    ) -> Result<Vec<NodeId>, Unsupported> {
        let extent = self.b.shape(x[0])[0];
        let Elaborated { graph, operands } = self.region(region, over, x, "`scan`")?;
        if extent == 1 {
            return Ok(self.single_step(&graph, over, states, &operands));
        }
        let (graph, draws) = self.draws_outside(graph, &operands, extent);
        // Sequences first: those written, then the random ones; then the states and what is captured.
        let count = operands.len();
        let order: Vec<usize> = (0..over).chain(count..count + draws.len()).chain(over..count).collect();
        let all = [operands.as_slice(), &draws].concat();
        let mut inner = Builder::new(graph.name.clone());
        let mut inputs = vec![NodeId::from_index(0); graph.inputs.len()];
        for (place, &number) in order.iter().enumerate() {
            let Input { name, ty, .. } = graph.inputs[number].clone();
            let sequences = over + draws.len();
            let role = match place {
                _ if place < sequences => Role::Data,
                _ if place < sequences + states => Role::State,
                _ => Role::Setting,
            };
            inputs[number] = inner.input(name, role, ty);
        }
        let outputs = batch::inline(&mut inner, &graph, &inputs);
        for (output, node) in graph.outputs.iter().zip(outputs) {
            inner.output(output.name.clone(), node);
        }
        let scan = Scan {
            region: inner.graph,
            extent,
            over: vec![Time::along(0); over + draws.len()],
            states,
            emits: vec![Time::along(0); graph.outputs.len() - states],
        };
        let results = scan.results();
        let operands: Vec<NodeId> = order.iter().map(|&number| all[number]).collect();
        let node = self.b.scan(scan, &operands);
        Ok((0..results).map(|number| self.b.result(node, number)).collect())
    }

    /// A loop of one step is no loop.
    fn single_step(&mut self, graph: &Graph, over: usize, states: usize, operands: &[NodeId]) -> Vec<NodeId> {
        let mut inputs = operands.to_vec();
        for (input, inner) in inputs.iter_mut().zip(&graph.inputs).take(over) {
            *input = self.b.reshape(*input, &inner.ty.shape);
        }
        let results = batch::inline(self.b, graph, &inputs);
        let stacked = |(number, value): (usize, NodeId)| match number < states {
            true => value,
            false => {
                let shape = [&[1], self.b.shape(value)].concat();
                self.b.reshape(value, &shape)
            }
        };
        results.into_iter().enumerate().map(stacked).collect()
    }

    /// Random draws differ from step to step: those of all steps are drawn before the loop. Gives the graph in which they are further
    /// inputs, and the sequences they are.
    fn draws_outside(&mut self, mut graph: Graph, operands: &[NodeId], extent: usize) -> (Graph, Vec<NodeId>) {
        let mut draws = Vec::new();
        for at in 0..graph.nodes.len() {
            let Op::Uniform { purpose } = graph.nodes[at].op else { continue };
            let outside = |operand: usize| match graph[graph.nodes[at].operands[operand]].op {
                Op::Input(number) => operands[number],
                _ => unreachable!("seed and step of a draw are given"),
            };
            let (seed, step) = (outside(0), outside(1));
            let ty: TensorType = graph.nodes[at].ty.clone();
            let shape = [&[extent], ty.shape.as_slice()].concat();
            draws.push(self.b.uniform(seed, step, purpose, &shape));
            graph.nodes[at].op = Op::Input(graph.inputs.len());
            graph.nodes[at].operands.clear();
            graph.inputs.push(Input { name: format!("draw_{}", draws.len()), role: Role::Data, ty });
        }
        (graph, draws)
    }

    /// The region as a graph: its inputs are one element of each of the first `mapped` operands, the other operands, and all that the
    /// bodies around it own.
    fn region(&mut self, region: &Body, mapped: usize, x: &[NodeId], what: &str) -> Result<Elaborated, Unsupported> {
        let mut inner = Builder::new(what.trim_matches('`'));
        let mut operands: Vec<NodeId> = Vec::new();
        let mut hand_over = |b: &Builder, inner: &mut Builder, name: Option<&String>, node: NodeId, role: Role| {
            let mut ty = b.ty(node).clone();
            if role == Role::Data {
                ty.shape.remove(0);
            }
            operands.push(node);
            inner.input(name.cloned().unwrap_or_else(|| format!("operand_{}", operands.len())), role, ty)
        };
        let mut inputs = Vec::with_capacity(x.len());
        for (i, &node) in x.iter().enumerate() {
            let name = region.inputs.get(i).map(|input| &input.name);
            let role = if i < mapped { Role::Data } else { Role::Setting };
            inputs.push(hand_over(self.b, &mut inner, name, node, role));
        }
        let mut whole = |nodes: &[NodeId], inner: &mut Builder| -> Vec<NodeId> {
            nodes.iter().map(|&node| hand_over(self.b, inner, None, node, Role::Setting)).collect()
        };
        let params = whole(self.scope.params, &mut inner);
        let states = whole(self.scope.states, &mut inner);
        let random = self.scope.random.map(|random| {
            let nodes = whole(&[random.seed, random.step], &mut inner);
            Random { seed: nodes[0], step: nodes[1], purpose: self.result.purpose }
        });
        let scope = Scope { inputs: &inputs, params: &params, states: &states, averages: &[], random, ..self.scope };
        let elaborated = elaborate(region, &mut inner, scope)?;
        if !elaborated.averages.is_empty() {
            let what = if what == "`scan`" { "an average under `scan`" } else { "an average under `each`" };
            return Err(Unsupported { what, span: self.b.origin });
        }
        self.result.purpose = elaborated.purpose;
        for (node, (name, _)) in elaborated.outputs.iter().zip(&region.outputs) {
            inner.output(name, *node);
        }
        Ok(Elaborated { graph: inner.graph, operands })
    }

    /// The elements picked in their order along the axis, which stands last meanwhile.
    pub(super) fn sorted(&mut self, x: NodeId, axis: usize, descending: bool) -> NodeId {
        let x = self.b.convert(x, DType::F32);
        let last = self.b.shape(x).len() - 1;
        let to_the_end: Vec<usize> = (0..=last).filter(|&other| other != axis).chain([axis]).collect();
        let back: Vec<usize> = (0..axis).chain([last]).chain(axis..last).collect();
        let x = if axis == last { x } else { self.b.transpose(x, &to_the_end) };
        let order = self.b.arg_sort(x, last, descending);
        let sorted = self.b.gather(x, order, last);
        if axis == last { sorted } else { self.b.transpose(sorted, &back) }
    }

    /// The rows of the table that categories name.
    pub(super) fn gather(&mut self, table: NodeId, indices: NodeId) -> NodeId {
        let indices = self.b.convert(indices, DType::I32);
        self.b.gather(table, indices, 0)
    }
}
