//! Loops over time: an operation whose body is a graph of its own.
//!
//! A [`Scan`] runs its [`Region`](Scan::region) once for each step. A step is given one element of each sequence along its axis of
//! time, the states as the step before left them, and what is captured whole; it gives the next states and what is emitted, which is
//! stacked along an axis of time again. The node itself has no elements: [`Op::Result`] names the results, first the last
//! states, then what was emitted.
//!
//! ```text
//! %5: f32[0]        = scan 28 steps over %0 (axis 1), states %3, with %1, %2 {
//!   %0: f32[32, 28]  = data "x_t"
//!   ...
//!   return "h" %9
//!   return "emit" %9 (axis 1)
//! }
//! %6: f32[32, 28, 64] = result 1 of %5
//! ```

use super::{Builder, Graph, NodeId, Op, Role, TensorType};
use std::sync::Arc;

/// Where the steps of a sequence lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Time {
    /// The axis of the whole sequence that the steps run along.
    pub axis: usize,
    /// Whether the first step is the last along it.
    pub reversed: bool,
}

impl Time {
    /// Forwards along an axis.
    pub fn along(axis: usize) -> Time {
        Time { axis, reversed: false }
    }

    /// The same places, met in the opposite order.
    pub fn backwards(self) -> Time {
        Time { reversed: !self.reversed, ..self }
    }

    /// The place along the axis of a step.
    pub fn place(self, step: usize, extent: usize) -> usize {
        if self.reversed { extent - 1 - step } else { step }
    }

    /// The shape of one step of a sequence.
    pub fn step_of(self, shape: &[usize]) -> Vec<usize> {
        let mut step = shape.to_vec();
        step.remove(self.axis);
        step
    }

    /// The shape of a sequence of so many steps.
    pub fn stack_of(self, step: &[usize], extent: usize) -> Vec<usize> {
        let mut shape = step.to_vec();
        shape.insert(self.axis, extent);
        shape
    }
}

/// A loop over time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// One step. Inputs: one element of each sequence ([`Role::Data`]), the states ([`Role::State`]), what is captured
    /// ([`Role::Setting`]). Outputs: the next states, of the states' types, then what is emitted.
    pub region: Graph,
    /// The number of steps.
    pub extent: usize,
    /// Of each sequence.
    pub over: Vec<Time>,
    /// The number of states.
    pub states: usize,
    /// Of each value that is emitted.
    pub emits: Vec<Time>,
}

impl Scan {
    /// The number of results.
    pub fn results(&self) -> usize {
        self.region.outputs.len()
    }

    /// The type of a result.
    pub fn result_type(&self, number: usize) -> TensorType {
        let ty = &self.region[self.region.outputs[number].node].ty;
        match number.checked_sub(self.states) {
            None => ty.clone(),
            Some(emit) => TensorType { dtype: ty.dtype, shape: self.emits[emit].stack_of(&ty.shape, self.extent) },
        }
    }

    /// The places of the states among the operands.
    pub fn state_operands(&self) -> std::ops::Range<usize> {
        self.over.len()..self.over.len() + self.states
    }

    /// What an operand is to the region.
    pub fn role(&self, operand: usize) -> Role {
        match operand {
            _ if operand < self.over.len() => Role::Data,
            _ if operand < self.over.len() + self.states => Role::State,
            _ => Role::Setting,
        }
    }

    /// The axis of time that a new sequence of steps of that rank gets: behind the axes that the others have in front of theirs.
    pub fn axis_for(&self, rank: usize) -> usize {
        let widest = self.over.iter().chain(&self.emits).map(|time| time.axis).max().unwrap_or(0);
        widest.min(rank)
    }

    /// The type of the region's input for an operand of type `ty`.
    pub fn input_type(&self, operand: usize, ty: &TensorType) -> TensorType {
        match self.over.get(operand) {
            Some(time) => TensorType { dtype: ty.dtype, shape: time.step_of(&ty.shape) },
            None => ty.clone(),
        }
    }

    /// What is wrong with it, for operands of these types.
    pub(super) fn fault(&self, operands: &[&TensorType]) -> Option<String> {
        let inputs = &self.region.inputs;
        if inputs.len() != operands.len() || self.over.len() + self.states > operands.len() {
            return Some(format!("a region of {} inputs has {} operands", inputs.len(), operands.len()));
        }
        for (number, (input, ty)) in inputs.iter().zip(operands).enumerate() {
            if let Some(time) = self.over.get(number)
                && ty.shape.get(time.axis) != Some(&self.extent)
            {
                return Some(format!("operand {number} has no {} steps along axis {}", self.extent, time.axis));
            }
            if input.ty != self.input_type(number, ty) || input.role != self.role(number) {
                return Some(format!("operand {number} of type {ty} does not fit the region's {}", input.ty));
            }
        }
        if self.region.outputs.len() != self.states + self.emits.len() {
            return Some(format!("a region of {} outputs", self.region.outputs.len()));
        }
        for (state, output) in self.region.outputs.iter().enumerate() {
            let ty = &self.region[output.node].ty;
            let fits = match state.checked_sub(self.states) {
                None => *ty == inputs[self.over.len() + state].ty,
                Some(emit) => self.emits[emit].axis <= ty.rank(),
            };
            if !fits || output.updates.is_some() {
                return Some(format!("output {:?} of the region has type {ty}", output.name));
            }
        }
        super::verify::verify(&self.region).err().map(|fault| format!("in the region: {}", fault.message))
    }
}

impl Builder {
    /// A loop over time; its results are had by [`Builder::result`].
    pub fn scan(&mut self, scan: Scan, operands: &[NodeId]) -> NodeId {
        let types: Vec<&TensorType> = operands.iter().map(|&operand| &self.graph[operand].ty).collect();
        if let Some(fault) = scan.fault(&types) {
            panic!("{fault}\n{}", scan.region);
        }
        self.push(Op::Scan(Arc::new(scan)), operands.to_vec(), TensorType::f32([0]))
    }

    /// A result of a loop over time.
    pub fn result(&mut self, scan: NodeId, number: usize) -> NodeId {
        let Op::Scan(of) = &self.graph[scan].op else { panic!("a result of what is no loop over time") };
        let ty = of.result_type(number);
        self.push(Op::Result(number), vec![scan], ty)
    }
}

/// The graph without the results of loops that nothing wants, and without the states, emitted values and operands that only
/// those need.
pub(super) fn prune(graph: &Graph) -> Graph {
    if !graph.nodes.iter().any(|node| matches!(node.op, Op::Scan(_))) {
        return graph.clone();
    }
    let mut wanted: Vec<Vec<bool>> = graph
        .nodes
        .iter()
        .map(|node| if let Op::Scan(scan) = &node.op { vec![false; scan.results()] } else { Vec::new() })
        .collect();
    for node in &graph.nodes {
        if let Op::Result(number) = node.op {
            wanted[node.operands[0].0 as usize][number] = true;
        }
    }
    let mut result = graph.clone();
    // For each loop, where each of its results is now.
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (at, node) in result.nodes.iter_mut().enumerate() {
        match &node.op {
            Op::Scan(scan) => {
                let (pruned, operands, moved) = prune_one(scan, &node.operands, &wanted[at]);
                places[at] = moved;
                node.op = Op::Scan(Arc::new(pruned));
                node.operands = operands;
            }
            Op::Result(number) => node.op = Op::Result(places[node.operands[0].0 as usize][*number]),
            _ => {}
        }
    }
    result
}

fn prune_one(scan: &Scan, operands: &[NodeId], wanted: &[bool]) -> (Scan, Vec<NodeId>, Vec<usize>) {
    let region = &scan.region;
    let first_state = scan.over.len();
    let mut kept = wanted.to_vec();
    let mut needed = vec![false; region.nodes.len()];
    let mut used = vec![false; region.inputs.len()];
    loop {
        for (output, _) in region.outputs.iter().zip(&kept).filter(|(_, kept)| **kept) {
            needed[output.node.0 as usize] = true;
        }
        for id in region.ids().rev() {
            if !needed[id.0 as usize] {
                continue;
            }
            region[id].operands.iter().for_each(|operand| needed[operand.0 as usize] = true);
            if let Op::Input(number) = region[id].op {
                used[number] = true;
            }
        }
        let more: Vec<usize> = (0..scan.states).filter(|&state| used[first_state + state] && !kept[state]).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|state| kept[state] = true);
    }
    (0..scan.states).for_each(|state| used[first_state + state] = kept[state]);
    let mut places = vec![0; region.inputs.len()];
    let mut pruned = Graph { name: region.name.clone(), batch: region.batch, ..Graph::default() };
    let mut left = Vec::new();
    for (number, input) in region.inputs.iter().enumerate().filter(|(number, _)| used[*number]) {
        places[number] = pruned.inputs.len();
        pruned.inputs.push(input.clone());
        left.push(operands[number]);
    }
    // Inputs that nothing needs any more are swept away with what read them.
    let mut moved = vec![NodeId(0); region.nodes.len()];
    for id in region.ids().filter(|id| needed[id.0 as usize]) {
        let mut node = region[id].clone();
        if let Op::Input(number) = node.op {
            node.op = Op::Input(places[number]);
        }
        node.operands.iter_mut().for_each(|operand| *operand = moved[operand.0 as usize]);
        moved[id.0 as usize] = NodeId(pruned.nodes.len() as u32);
        pruned.nodes.push(node);
    }
    let mut results = vec![0; kept.len()];
    for (number, output) in region.outputs.iter().enumerate().filter(|(number, _)| kept[*number]) {
        results[number] = pruned.outputs.len();
        pruned.outputs.push(super::Output { node: moved[output.node.0 as usize], ..output.clone() });
    }
    let pick = |times: &[Time], from: usize, flags: &[bool]| -> Vec<Time> {
        times.iter().enumerate().filter(|(at, _)| flags[from + at]).map(|(_, time)| *time).collect()
    };
    let new = Scan {
        region: pruned,
        extent: scan.extent,
        over: pick(&scan.over, 0, &used),
        states: kept[..scan.states].iter().filter(|kept| **kept).count(),
        emits: pick(&scan.emits, scan.states, &kept),
    };
    (new, left, results)
}
