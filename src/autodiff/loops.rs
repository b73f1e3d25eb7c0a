//! The derivative of a loop over time: a loop that runs the other way.
//!
//! The states of the backward loop are the cotangents of the forward loop's states; a step is the derivative of a forward step.
//! What that needs of the forward step is emitted there and read here in the opposite order, except what is cheap to compute again from
//! what is read anyway.
//!
//! The cotangent of something captured is a sum over all steps. Where each step's share is a product or a sum, as that of a weight is, its
//! factors are emitted instead, and one product over all steps follows the loop:
//!
//! ```text
//! dW = Σ_t h_tᵀ dz_t        →        dW = Hᵀ dZ        over batch and time at once
//! ```
//!
//! Any other share is added up in a state.

use super::pull_back;
use crate::graph::{
    Binary, Builder, DType, Graph, Input, NodeId, Op, Output, Reduction, Role, Scan, TensorType, Time, Unary, batch,
    simplify,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The cotangents of a loop's operands, those of its results given.
pub(super) fn pull_back_scan(
    b: &mut Builder,
    id: NodeId,
    scan: &Scan,
    cotangents: &[Option<NodeId>],
    wanted: &[bool],
) -> Vec<Option<NodeId>> {
    let mut step = Step::new(scan, cotangents, wanted);
    step.gather_totals();
    step.choose_residuals();

    let first_residual = scan.results();
    b.graph.nodes[id.0 as usize].op = Op::Scan(Arc::new(step.forward()));
    let residuals: Vec<NodeId> = (0..step.residuals.len()).map(|at| b.result(id, first_residual + at)).collect();
    step.backward(b, id, &residuals, cotangents)
}

/// A sum over all steps.
enum Total {
    /// Of products.
    Product { left: NodeId, right: NodeId, batch: Vec<(usize, usize)>, contract: Vec<(usize, usize)> },
    /// Of sums.
    Sum { x: NodeId, axis: usize, count: usize },
    /// Of sums of two.
    Plus(Box<Total>, Box<Total>),
    /// Of what is done to each element or only moves it.
    Moved { op: Op, ty: TensorType, of: Box<Total> },
    /// In a state of the backward loop.
    Accumulated(usize),
}

/// How deep a sum of shares is taken apart.
const DEEPEST: usize = 32;

/// A forward step and its derivative, in one graph.
struct Step<'a> {
    scan: &'a Scan,
    /// Inputs: those of the region, then the cotangents of its outputs. The nodes of the inputs come first.
    r: Builder,
    /// How many nodes are the forward step's.
    forward: usize,
    /// The nodes of the region's outputs.
    outputs: Vec<NodeId>,
    /// For each output the input that is its cotangent.
    seeds: Vec<Option<NodeId>>,
    /// For each input of the region its cotangent.
    slopes: Vec<Option<NodeId>>,
    /// Which inputs have a cotangent at all.
    active: Vec<bool>,
    /// For each captured input the sum of its cotangents.
    totals: Vec<Option<Total>>,
    /// Shares that are added up in a state.
    accumulated: Vec<NodeId>,
    /// Values that are stacked for the products behind the loop: of the forward and of the backward step.
    stacked: BTreeSet<NodeId>,
    /// Forward values that the forward loop emits.
    residuals: Vec<NodeId>,
}

impl<'a> Step<'a> {
    fn new(scan: &'a Scan, cotangents: &[Option<NodeId>], wanted: &[bool]) -> Step<'a> {
        let region = &scan.region;
        let mut r = Builder::new(region.name.clone());
        r.graph.batch = region.batch;
        let inputs: Vec<NodeId> =
            region.inputs.iter().map(|input| r.input(input.name.clone(), input.role, input.ty.clone())).collect();
        let outputs = batch::inline(&mut r, region, &inputs);
        let forward = r.graph.nodes.len();

        let active = active_inputs(scan, &r, &inputs, &outputs, wanted);
        let mut seeds = Vec::new();
        for (number, &output) in outputs.iter().enumerate() {
            let ty = r.ty(output).clone();
            let is_state = number < scan.states;
            let has_one = if is_state { active[scan.over.len() + number] } else { cotangents[number].is_some() };
            let role = if is_state { Role::State } else { Role::Data };
            let name = format!("d {}", region.outputs[number].name);
            seeds.push((has_one && ty.dtype == DType::F32).then(|| r.input(name, role, ty)));
        }
        let pairs: Vec<(NodeId, NodeId)> =
            outputs.iter().zip(&seeds).filter_map(|(&output, &seed)| Some((output, seed?))).collect();
        let wrt: Vec<NodeId> =
            inputs.iter().zip(&active).filter(|(_, active)| **active).map(|(&input, _)| input).collect();
        let mut found = pull_back(&mut r, &pairs, &wrt).into_iter();
        let slopes = active.iter().map(|&active| if active { found.next().flatten() } else { None }).collect();
        Step {
            scan,
            r,
            forward,
            outputs,
            seeds,
            slopes,
            active,
            totals: Vec::new(),
            accumulated: Vec::new(),
            stacked: BTreeSet::new(),
            residuals: Vec::new(),
        }
    }

    fn captured(&self) -> std::ops::Range<usize> {
        self.scan.state_operands().end..self.scan.region.inputs.len()
    }

    /// Whether the forward step computes it.
    fn is_forward(&self, id: NodeId) -> bool {
        let node = &self.r.graph[id];
        (id.0 as usize) < self.forward
            || matches!(node.op, Op::Result(_)) && (node.operands[0].0 as usize) < self.forward
    }

    /// The input of the region that the node is.
    fn input(&self, id: NodeId) -> Option<usize> {
        match self.r.graph[id].op {
            Op::Input(number) if number < self.scan.region.inputs.len() => Some(number),
            _ => None,
        }
    }

    fn gather_totals(&mut self) {
        for number in 0..self.scan.region.inputs.len() {
            let slope = self.slopes[number].filter(|_| self.captured().contains(&number));
            let total = slope.map(|slope| {
                self.total(slope, DEEPEST).unwrap_or_else(|| {
                    self.accumulated.push(slope);
                    Total::Accumulated(self.accumulated.len() - 1)
                })
            });
            self.totals.push(total);
        }
        let mut stacked = BTreeSet::new();
        self.totals.iter().flatten().for_each(|total| factors(total, &mut stacked));
        self.stacked = stacked;
    }

    /// The sum of a node's values over all steps, from stacked values.
    fn total(&self, id: NodeId, depth: usize) -> Option<Total> {
        let node = &self.r.graph[id];
        let depth = depth.checked_sub(1)?;
        let stackable = |id: NodeId| !self.is_invariant(id);
        let of = |id: NodeId| self.total(id, depth).map(Box::new);
        match &node.op {
            Op::Contract { batch, contract } => {
                let (left, right) = (node.operands[0], node.operands[1]);
                let product = Total::Product { left, right, batch: batch.clone(), contract: contract.clone() };
                (stackable(left) && stackable(right)).then_some(product)
            }
            Op::Reduce { kind: Reduction::Sum, axis, count } => {
                stackable(node.operands[0]).then(|| Total::Sum { x: node.operands[0], axis: *axis, count: *count })
            }
            Op::Binary(Binary::Add) => {
                let alike = node.operands.iter().all(|&operand| self.r.shape(operand) == node.ty.shape);
                alike.then(|| Some(Total::Plus(of(node.operands[0])?, of(node.operands[1])?))).flatten()
            }
            Op::Unary(Unary::Neg) | Op::Transpose { .. } | Op::Reshape => {
                Some(Total::Moved { op: node.op.clone(), ty: node.ty.clone(), of: of(node.operands[0])? })
            }
            _ => None,
        }
    }

    /// Whether a value is the same in every step, as far as that can be seen at once.
    fn is_invariant(&self, id: NodeId) -> bool {
        let mut id = id;
        loop {
            let node = &self.r.graph[id];
            match &node.op {
                Op::Constant(_) | Op::Iota { .. } => return true,
                Op::Input(number) => return self.captured().contains(number),
                Op::Broadcast { .. } | Op::Reshape | Op::Transpose { .. } | Op::Slice { .. } => id = node.operands[0],
                _ => return false,
            }
        }
    }

    /// What the backward loop gives: its values by node.
    fn roots(&self) -> Vec<NodeId> {
        let own = (0..self.captured().start).filter_map(|number| self.slopes[number]);
        let stacked = self.stacked.iter().copied().filter(|&id| !self.is_forward(id));
        own.chain(self.accumulated.iter().copied()).chain(stacked).collect()
    }

    /// Decides which forward values are emitted.
    fn choose_residuals(&mut self) {
        let mut seen = vec![false; self.r.graph.nodes.len()];
        let mut wanted: BTreeSet<NodeId> = BTreeSet::new();
        let mut stack = self.roots();
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.0 as usize], true) {
                continue;
            }
            match self.is_forward(id) {
                true => _ = wanted.insert(id),
                false => stack.extend(&self.r.graph[id].operands),
            }
        }
        let states = self.scan.state_operands();
        let of_state = |step: &Self, id: NodeId| step.input(id).is_some_and(|number| states.contains(&number));
        let mut chosen: BTreeSet<NodeId> =
            self.stacked.iter().copied().filter(|&id| self.is_forward(id) && !self.is_sequence(id)).collect();
        chosen.extend(
            wanted
                .iter()
                .copied()
                .filter(|&id| of_state(self, id) || self.input(id).is_none() && !is_cheap(&self.r.graph[id].op)),
        );
        for &id in &wanted {
            if !self.is_at_hand(id, &mut chosen) {
                chosen.insert(id);
            }
        }
        self.residuals = chosen.into_iter().collect();
    }

    fn is_sequence(&self, id: NodeId) -> bool {
        self.input(id).is_some_and(|number| number < self.scan.over.len())
    }

    /// Whether a forward value follows cheaply from what the backward step reads; a state that this takes is added to it.
    fn is_at_hand(&self, id: NodeId, chosen: &mut BTreeSet<NodeId>) -> bool {
        let states = self.scan.state_operands();
        let mut seen = BTreeSet::new();
        let mut stack = vec![id];
        let mut more = Vec::new();
        while let Some(id) = stack.pop() {
            if chosen.contains(&id) || !seen.insert(id) {
                continue;
            }
            match self.input(id) {
                Some(number) if states.contains(&number) => more.push(id),
                Some(_) => {}
                None if !is_cheap(&self.r.graph[id].op) => return false,
                None => stack.extend(&self.r.graph[id].operands),
            }
        }
        // One value instead of several.
        if more.len() > 1 {
            return false;
        }
        chosen.extend(more);
        true
    }

    /// The forward loop, which emits the residuals as well.
    fn forward(&self) -> Scan {
        let region = &self.scan.region;
        let residual = |&node: &NodeId| Output { name: "kept".to_owned(), node, updates: None };
        let known = region.outputs.iter().zip(&self.outputs).map(|(output, &node)| Output { node, ..output.clone() });
        let whole = Graph {
            name: region.name.clone(),
            batch: region.batch,
            inputs: region.inputs.clone(),
            nodes: self.r.graph.nodes.clone(),
            outputs: known.chain(self.residuals.iter().map(residual)).collect(),
        };
        let times = self.residuals.iter().map(|&id| Time::along(self.scan.axis_for(self.r.shape(id).len())));
        let emits = self.scan.emits.iter().copied().chain(times).collect();
        Scan { region: simplify::sweep(&whole), emits, ..self.scan.clone() }
    }

    /// Appends the backward loop and what follows it.
    fn backward(
        &self,
        b: &mut Builder,
        id: NodeId,
        residuals: &[NodeId],
        cotangents: &[Option<NodeId>],
    ) -> Vec<Option<NodeId>> {
        let scan = self.scan;
        let operands = b.graph[id].operands.clone();
        let mut inner = Copier::new(&self.r.graph, format!("{} backwards", scan.region.name));

        let mut over = Vec::new();
        let mut all = Vec::new();
        for (number, &time) in scan.over.iter().enumerate() {
            inner.input(Role::Data, NodeId::from_index(number));
            over.push(time.backwards());
            all.push(operands[number]);
        }
        for (&residual, &stack) in self.residuals.iter().zip(residuals) {
            inner.input(Role::Data, residual);
            over.push(Time::along(scan.axis_for(self.r.shape(residual).len())).backwards());
            all.push(stack);
        }
        for (emit, &time) in scan.emits.iter().enumerate() {
            let number = scan.states + emit;
            if let (Some(seed), Some(cotangent)) = (self.seeds[number], cotangents[number]) {
                inner.input(Role::Data, seed);
                over.push(time.backwards());
                all.push(cotangent);
            }
        }
        let zeros = |b: &mut Builder, shape: &[usize]| {
            let zero = b.f32(0.0);
            b.broadcast_suffix(zero, shape)
        };
        let states: Vec<usize> = (0..scan.states).filter(|&state| self.seeds[state].is_some()).collect();
        for &state in &states {
            let seed = self.seeds[state].expect("a differentiated state has a cotangent");
            inner.input(Role::State, seed);
            let shape = self.r.shape(seed).to_vec();
            all.push(cotangents[state].unwrap_or_else(|| zeros(b, &shape)));
        }
        let mut sums = Vec::new();
        for &share in &self.accumulated {
            sums.push(inner.fresh("sum", Role::State, self.r.ty(share).clone()));
            let shape = self.r.shape(share).to_vec();
            all.push(zeros(b, &shape));
        }
        for number in self.captured() {
            inner.input(Role::Setting, NodeId::from_index(number));
            all.push(operands[number]);
        }

        let first = scan.over.len();
        for &state in &states {
            let next = match self.slopes[first + state] {
                Some(slope) => inner.copy(slope),
                None => zeros(&mut inner.builder, self.r.shape(self.outputs[state])),
            };
            inner.builder.output(format!("d {}", scan.region.outputs[state].name), next);
        }
        for (&sum, &share) in sums.iter().zip(&self.accumulated) {
            let share = inner.copy(share);
            let next = inner.builder.add(sum, share);
            inner.builder.output("sum", next);
        }
        let state_count = states.len() + sums.len();
        let mut emits = Vec::new();
        let mut emitted: BTreeMap<NodeId, usize> = BTreeMap::new();
        let mut of_sequence = vec![None; scan.over.len()];
        for (number, &time) in scan.over.iter().enumerate() {
            let Some(slope) = self.slopes[number] else { continue };
            let value = inner.copy(slope);
            inner.builder.output(format!("d {}", scan.region.inputs[number].name), value);
            of_sequence[number] = Some(state_count + emits.len());
            emits.push(time.backwards());
        }
        for &factor in self.stacked.iter().filter(|&&id| !self.is_forward(id)) {
            let value = inner.copy(factor);
            inner.builder.output("factor", value);
            emitted.insert(factor, state_count + emits.len());
            emits.push(Time::along(scan.axis_for(self.r.shape(factor).len())).backwards());
        }
        let region = inner.builder.graph;
        let backward = b.scan(Scan { region, extent: scan.extent, over, states: state_count, emits }, &all);

        // The stack of a factor, in the order of the forward steps, and its axis of time.
        let stack = |b: &mut Builder, factor: NodeId| -> (NodeId, usize) {
            if let Some(number) = self.input(factor).filter(|_| self.is_sequence(factor)) {
                let time = scan.over[number];
                let whole = operands[number];
                let turned = if time.reversed { b.reverse(whole, time.axis) } else { whole };
                return (turned, time.axis);
            }
            let axis = scan.axis_for(self.r.shape(factor).len());
            match emitted.get(&factor) {
                Some(&number) => (b.result(backward, number), axis),
                None => {
                    let at = self.residuals.binary_search(&factor).expect("a factor of the forward step is kept");
                    (residuals[at], axis)
                }
            }
        };
        let accumulated = |b: &mut Builder, at: usize| b.result(backward, states.len() + at);
        let mut contributions = vec![None; operands.len()];
        for (number, contribution) in contributions.iter_mut().enumerate() {
            *contribution = match number {
                _ if !self.active[number] => None,
                _ if number < first => of_sequence[number].map(|result| b.result(backward, result)),
                _ if number < first + scan.states => {
                    let place = states.iter().position(|&state| state == number - first);
                    place.map(|place| b.result(backward, place))
                }
                _ => self.totals[number].as_ref().map(|total| write_total(b, total, &stack, &accumulated)),
            };
        }
        contributions
    }
}

fn factors(total: &Total, found: &mut BTreeSet<NodeId>) {
    match total {
        Total::Product { left, right, .. } => found.extend([*left, *right]),
        Total::Sum { x, .. } => _ = found.insert(*x),
        Total::Plus(a, b) => [a, b].into_iter().for_each(|part| factors(part, found)),
        Total::Moved { of, .. } => factors(of, found),
        Total::Accumulated(_) => {}
    }
}

fn write_total(
    b: &mut Builder,
    total: &Total,
    stack: &dyn Fn(&mut Builder, NodeId) -> (NodeId, usize),
    accumulated: &dyn Fn(&mut Builder, usize) -> NodeId,
) -> NodeId {
    let behind = |axis: usize, time: usize| axis + usize::from(axis >= time);
    match total {
        Total::Product { left, right, batch, contract } => {
            let ((left, at_left), (right, at_right)) = (stack(b, *left), stack(b, *right));
            let moved = |&(i, j): &(usize, usize)| (behind(i, at_left), behind(j, at_right));
            let batch: Vec<(usize, usize)> = batch.iter().map(moved).collect();
            let mut contract: Vec<(usize, usize)> = contract.iter().map(moved).collect();
            contract.push((at_left, at_right));
            contract.sort_unstable();
            b.contract(left, right, &batch, &contract)
        }
        Total::Sum { x, axis, count } => {
            let (x, time) = stack(b, *x);
            let mut axes: Vec<usize> = (*axis..axis + count).map(|axis| behind(axis, time)).collect();
            axes.push(time);
            axes.sort_unstable();
            b.sum(x, &axes)
        }
        Total::Plus(left, right) => {
            let left = write_total(b, left, stack, accumulated);
            let right = write_total(b, right, stack, accumulated);
            b.add(left, right)
        }
        Total::Moved { op, ty, of } => {
            let of = write_total(b, of, stack, accumulated);
            b.push(op.clone(), vec![of], ty.clone())
        }
        Total::Accumulated(at) => accumulated(b, *at),
    }
}

/// Which inputs of the region have a cotangent: those wanted, and the states that depend on them.
fn active_inputs(scan: &Scan, r: &Builder, inputs: &[NodeId], outputs: &[NodeId], wanted: &[bool]) -> Vec<bool> {
    let is_number = |id: NodeId| r.ty(id).dtype == DType::F32;
    let mut active: Vec<bool> = inputs.iter().zip(wanted).map(|(&id, &wanted)| wanted && is_number(id)).collect();
    loop {
        let wrt: Vec<NodeId> = inputs.iter().zip(&active).filter(|(_, active)| **active).map(|(&id, _)| id).collect();
        let reached = super::active(r, &wrt);
        let first = scan.over.len();
        let late: Vec<usize> = (0..scan.states)
            .filter(|&state| reached[outputs[state].0 as usize] && !active[first + state])
            .filter(|&state| is_number(inputs[first + state]))
            .collect();
        if late.is_empty() {
            return active;
        }
        late.into_iter().for_each(|state| active[first + state] = true);
    }
}

/// Copies parts of a graph into another.
struct Copier<'a> {
    from: &'a Graph,
    builder: Builder,
    places: BTreeMap<NodeId, NodeId>,
}

impl<'a> Copier<'a> {
    fn new(from: &'a Graph, name: String) -> Copier<'a> {
        let mut builder = Builder::new(name);
        builder.graph.batch = from.batch;
        Copier { from, builder, places: BTreeMap::new() }
    }

    fn fresh(&mut self, name: &str, role: Role, ty: TensorType) -> NodeId {
        self.builder.input(name, role, ty)
    }

    /// An input that stands for a value of the other graph.
    fn input(&mut self, role: Role, of: NodeId) {
        let name = match self.from[of].op {
            Op::Input(number) => {
                let Input { name, .. } = &self.from.inputs[number];
                name.clone()
            }
            _ => "kept".to_owned(),
        };
        let node = self.fresh(&name, role, self.from[of].ty.clone());
        self.places.insert(of, node);
    }

    /// A value with all it needs.
    fn copy(&mut self, id: NodeId) -> NodeId {
        let mut needed = BTreeSet::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            if !self.places.contains_key(&id) && needed.insert(id) {
                stack.extend(&self.from[id].operands);
            }
        }
        for id in needed {
            let node = &self.from[id];
            self.builder.origin = node.origin;
            let operands = node.operands.iter().map(|operand| self.places[operand]).collect();
            let new = self.builder.push(node.op.clone(), operands, node.ty.clone());
            self.places.insert(id, new);
        }
        self.places[&id]
    }
}

/// Whether an operation is rather computed twice than kept.
fn is_cheap(op: &Op) -> bool {
    match op {
        Op::Constant(_) | Op::Iota { .. } | Op::Select | Op::Convert | Op::StopGradient => true,
        Op::Broadcast { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Windows { .. }
        | Op::Reverse { .. } => true,
        Op::Unary(unary) => match unary {
            Unary::Neg | Unary::Abs | Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Not => true,
            Unary::Sqrt
            | Unary::Exp
            | Unary::Log
            | Unary::Log1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sigmoid
            | Unary::Softplus => false,
        },
        Op::Binary(binary) => !matches!(binary, Binary::Pow),
        Op::Input(_)
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::ArgSort { .. }
        | Op::Contract { .. }
        | Op::Gather { .. }
        | Op::ScatterAdd { .. }
        | Op::Scan(_)
        | Op::Result(_)
        | Op::Step(_)
        | Op::Emit { .. }
        | Op::Uniform { .. }
        | Op::SumBatch
        | Op::Orthogonalize => false,
    }
}
