//! A plan's groups as kernels.
//!
//! In: a graph and its [`Plan`]. Out: a [`Module`] with one kernel per group (a large product has more: its operands are
//! packed first). The loops run over the group's domain, outermost axis first; the last axis is that of the lanes. Neighbouring axes over
//! which all memory advances evenly become one.

use super::emit::{Emitter, Part};
use super::loops::{collapse, cost};
use super::shards::divide;
use super::{Affine, Buffer, BufferId, Module, Place, Repeat, Stmt, Storage, TileShape};
use crate::graph::{DType, Graph, NodeId, Op};
use crate::plan::{self, Group, GroupKind, Plan};

/// So many rows of a small product run together.
const ROWS_TOGETHER: usize = 4;

/// The kernels of a plan. The shape of tiles changes no bit.
pub fn lower(graph: &Graph, plan: &Plan, tile: &TileShape) -> Module {
    let mut module = Module {
        name: graph.name.clone(),
        buffers: Vec::new(),
        kernels: Vec::new(),
        repeats: Vec::new(),
        externals: plan.externals,
        arena: plan.arena,
        scratch: 0,
    };
    let buffers: Vec<BufferId> = plan.buffers.iter().map(|buffer| add_buffer(&mut module, buffer, 0, "")).collect();
    lower_groups(&mut module, graph, plan, Part { buffers: &buffers, repeat: None }, tile);
    module.scratch =
        module.buffers.iter().filter(|buffer| matches!(buffer.storage, Storage::Scratch(_))).fold(0, |most, buffer| {
            let Storage::Scratch(offset) = buffer.storage else { return most };
            most.max((offset + buffer.len).next_multiple_of(plan::ALIGNMENT))
        });
    super::verify::check(&module, "lower");
    module
}

/// A buffer of a plan whose arena begins at element `arena` of the module's.
fn add_buffer(module: &mut Module, buffer: &plan::Buffer, arena: usize, prefix: &str) -> BufferId {
    let storage = match buffer.storage {
        plan::Storage::External(number) => Storage::External(number),
        plan::Storage::Arena(offset) => Storage::Arena(arena + offset),
        plan::Storage::Scratch(offset) => Storage::Scratch(offset),
    };
    let name = format!("{prefix}{}", buffer.name);
    module.buffers.push(Buffer { name, dtype: buffer.dtype, len: buffer.len, storage });
    BufferId(module.buffers.len() as u32 - 1)
}

fn lower_groups(module: &mut Module, graph: &Graph, plan: &Plan, part: Part, tile: &TileShape) {
    for group in &plan.groups {
        let mut emitter = Emitter::new(graph, plan, part);
        match group.kind {
            GroupKind::Nest => emitter.group(group),
            GroupKind::Product(node) => emitter.product(module, group, node, tile),
            GroupKind::Join(node) => match graph[node].op {
                Op::ScatterAdd { .. } => emitter.scatter_add(group, node),
                Op::ArgSort { .. } => emitter.arg_sort(module, group, node),
                _ => emitter.join(group, node),
            },
            GroupKind::Copy { from, to } => emitter.copy(from, to),
            GroupKind::Loop(node) => {
                let body = group.body.as_ref().expect("a loop has a body");
                for &(from, to) in &body.starts {
                    let mut emitter = Emitter::new(graph, plan, part);
                    emitter.copy(from, to);
                    finish(module, emitter, format!("start of {}", plan.buffers[to].name));
                }
                lower_loop(module, body, &format!("%{}.", node.0), part, tile);
                continue;
            }
        }
        finish(module, emitter, title(graph, plan, group));
    }
}

/// The kernels of a step, repeated.
fn lower_loop(module: &mut Module, body: &plan::Body, prefix: &str, part: Part, tile: &TileShape) {
    let arena = match module.buffers[part.buffers[body.arena].0 as usize].storage {
        Storage::Arena(offset) => offset,
        Storage::External(_) | Storage::Scratch(_) | Storage::Constant(_) => unreachable!("a body's arena"),
    };
    let buffers: Vec<BufferId> = (body.plan.buffers.iter().enumerate())
        .map(|(number, buffer)| match body.externals.get(number) {
            Some(&outer) => part.buffers[outer],
            None => add_buffer(module, buffer, arena, prefix),
        })
        .collect();
    let (repeat, first) = (module.repeats.len(), module.kernels.len());
    module.repeats.push(Repeat { kernels: first..first, extent: body.extent });
    let part = Part { buffers: &buffers, repeat: Some(repeat) };
    lower_groups(module, &body.graph, &body.plan, part, tile);
    let end = module.kernels.len();
    if first == end || body.extent == 0 {
        module.kernels.truncate(first);
        module.repeats.truncate(repeat);
        return;
    }
    module.repeats[repeat].kernels = first..end;
}

/// Adds the kernel that was written under the next name, unless it does nothing.
pub(super) fn finish(module: &mut Module, emitter: Emitter<'_>, title: String) {
    let independent = emitter.independent.clone();
    let mut kernel = emitter.finish();
    collapse(&mut kernel.body);
    for mut kernel in divide(kernel, &independent) {
        kernel.name = format!("k{}", module.kernels.len());
        kernel.title = title.clone();
        kernel.cost = cost(&kernel);
        module.kernels.push(kernel);
    }
}

impl Emitter<'_> {
    fn group(&mut self, group: &Group) {
        let Some(rows) = group.rows else {
            self.nest(group, Vec::new(), &group.domain, &group.contexts[group.full].nodes);
            return;
        };
        if group.domain[..rows].contains(&0) {
            return;
        }
        let index: Vec<Affine> = (0..rows).map(|_| Affine::var(self.open_independent("i"))).collect();
        self.row(group, &index);
        for &extent in group.domain[..rows].iter().rev() {
            self.close_for(extent);
        }
    }

    /// `nodes` at every point of `domain`, behind the axes of `outer`.
    pub(super) fn nest(&mut self, group: &Group, outer: Vec<Affine>, domain: &[usize], nodes: &[NodeId]) {
        if domain.contains(&0) || nodes.is_empty() {
            return;
        }
        let Some((&lanes, loops)) = domain.split_last() else {
            self.compute_nodes(group, nodes, &[outer]);
            return;
        };
        let is_product = |node: &NodeId| matches!(self.graph[*node].op, Op::Contract { .. });
        let together = if nodes.iter().any(is_product) { ROWS_TOGETHER } else { 1 };
        let Some((&rows, loops)) = loops.split_last().filter(|_| together > 1) else {
            let mut point = outer;
            point.extend(loops.iter().map(|_| Affine::default()));
            self.for_each(loops, point, &mut |emitter, point| emitter.lanes(group, lanes, &[point], nodes));
            return;
        };
        let mut point = outer;
        point.extend(loops.iter().map(|_| Affine::default()));
        self.for_each(loops, point, &mut |emitter, point| {
            let whole = rows / together;
            let block = |row: &Affine, count: usize| -> Vec<Vec<Affine>> {
                let at = |k: usize| row.plus(&Affine::constant(k as i64));
                (0..count).map(|k| [point.as_slice(), &[at(k)]].concat()).collect()
            };
            if whole == 1 {
                emitter.lanes(group, lanes, &block(&Affine::default(), together), nodes);
            }
            if whole > 1 {
                let row = Affine::var(emitter.open_independent("i")).times(together as i64);
                emitter.lanes(group, lanes, &block(&row, together), nodes);
                emitter.close_for(whole);
            }
            if rows % together > 0 {
                let row = Affine::constant((whole * together) as i64);
                emitter.lanes(group, lanes, &block(&row, rows % together), nodes);
            }
        });
    }

    /// Opens a loop for each axis of `loops`, the last axes of `point`.
    pub(super) fn for_each(
        &mut self,
        loops: &[usize],
        mut point: Vec<Affine>,
        body: &mut dyn FnMut(&mut Self, Vec<Affine>),
    ) {
        let first = point.len() - loops.len();
        for axis in 0..loops.len() {
            point[first + axis] = Affine::var(self.open_independent("i"));
        }
        body(self, point);
        for &extent in loops.iter().rev() {
            self.close_for(extent);
        }
    }

    /// `nodes` along the last axis, at each of `points`, which have all axes but that.
    fn lanes(&mut self, group: &Group, extent: usize, points: &[Vec<Affine>], nodes: &[NodeId]) {
        let lane = Affine::var(self.open("j"));
        let points: Vec<Vec<Affine>> =
            points.iter().map(|point| [point.as_slice(), std::slice::from_ref(&lane)].concat()).collect();
        self.compute_nodes(group, nodes, &points);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent, block });
    }

    /// Every operand written to its part of the result.
    fn join(&mut self, group: &Group, node: NodeId) {
        let shape = self.graph[node].ty.shape.clone();
        if shape.contains(&0) {
            return;
        }
        let mut start = vec![0; shape.len()];
        if let Op::Pad { low, .. } = &self.graph[node].op {
            start.clone_from(low);
            self.fill(node);
        }
        let mut start: Vec<Affine> = start.into_iter().map(|low| Affine::constant(low as i64)).collect();
        for number in 0..self.graph[node].operands.len() {
            let operand = self.graph[node].operands[number];
            let extents = self.graph[operand].ty.shape.clone();
            self.part(group, node, number, &start);
            if let Op::Concat { axis } = self.graph[node].op {
                start[axis] = start[axis].plus(&Affine::constant(extents[axis] as i64));
            }
        }
    }

    fn part(&mut self, group: &Group, node: NodeId, number: usize, start: &[Affine]) {
        let operand = self.graph[node].operands[number];
        let domain = plan::canonical(&self.graph[operand].ty.shape);
        if domain.contains(&0) {
            return;
        }
        let write = |emitter: &mut Self, point: &[Affine]| {
            let index = emitter.node_index(operand, point);
            let value = emitter.under(group, node, number, &index);
            let index: Vec<Affine> = index.iter().zip(start).map(|(index, start)| index.plus(start)).collect();
            let place = emitter.place(node, &index);
            emitter.store(place, value);
        };
        let Some((&lanes, loops)) = domain.split_last() else {
            write(self, &[]);
            return;
        };
        let point = vec![Affine::default(); loops.len()];
        self.for_each(loops, point, &mut |emitter, mut point| {
            point.push(Affine::var(emitter.open("j")));
            write(emitter, &point);
            let (var, block) = emitter.close_lanes();
            emitter.push_stmt(Stmt::Map { var, extent: lanes, block });
        });
    }

    /// Zeros everywhere.
    pub(super) fn fill(&mut self, node: NodeId) {
        let (dtype, extent) = (self.graph[node].ty.dtype, self.graph[node].ty.len());
        let zero = match dtype {
            DType::F32 => self.f32(0.0),
            DType::I32 => self.i32(0),
            DType::Bool => {
                let zero = self.i32(0);
                self.one(super::Lane::Mask, super::OneOp::I32ToMask, zero)
            }
        };
        let lane = Affine::var(self.open("j"));
        let start = self.place(node, &vec![Affine::default(); self.graph[node].ty.rank()]);
        self.store(Place { index: lane, ..start }, zero);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent, block });
    }

    fn copy(&mut self, from: usize, to: usize) {
        let (dtype, extent) = (self.plan.buffers[from].dtype, self.plan.buffers[from].len);
        if extent == 0 {
            return;
        }
        let lane = Affine::var(self.open("j"));
        let value = self.load(Place { buffer: self.buffer(from), index: lane.clone() }, dtype);
        self.store(Place { buffer: self.buffer(to), index: lane }, value);
        let (var, block) = self.close_lanes();
        self.push_stmt(Stmt::Map { var, extent, block });
    }
}

/// What a group does, in few words: the products and reductions with the parameters they read, then what follows.
fn title(graph: &Graph, plan: &Plan, group: &Group) -> String {
    let mut words: Vec<String> = Vec::new();
    if let GroupKind::Copy { from, to } = group.kind {
        return format!("{} = {}", plan.buffers[to].name, plan.buffers[from].name);
    }
    let mut nodes: Vec<NodeId> = group.contexts.iter().flat_map(|context| context.nodes.iter().copied()).collect();
    nodes.sort_unstable();
    for node in nodes {
        let mut word = word(&graph[node].op);
        let named = graph[node].operands.iter().find_map(|&operand| match graph[operand].op {
            Op::Input(number) if graph.inputs[number].role != crate::graph::Role::Setting => {
                Some(&graph.inputs[number].name)
            }
            _ => None,
        });
        if let Some(name) = named {
            word = format!("{word} {name}");
        }
        if words.last() != Some(&word) {
            words.push(word);
        }
        if let Some(updated) = plan.stored[node.0 as usize].filter(|&buffer| buffer < graph.inputs.len()) {
            words.push(format!("update {}", graph.inputs[updated].name));
        }
    }
    if words.len() > 6 {
        let rest = words.len() - 5;
        words.truncate(5);
        words.push(format!("{rest} more"));
    }
    words.join(", ")
}

fn word(op: &Op) -> String {
    match op {
        Op::Input(_) => "input".into(),
        Op::Constant(_) => "constant".into(),
        Op::Iota { .. } => "iota".into(),
        Op::Unary(unary) => format!("{unary:?}").to_lowercase(),
        Op::Binary(binary) => format!("{binary:?}").to_lowercase(),
        Op::Select => "select".into(),
        Op::Convert => "convert".into(),
        Op::Broadcast { .. } => "broadcast".into(),
        Op::Reshape => "reshape".into(),
        Op::Transpose { .. } => "transpose".into(),
        Op::Slice { .. } => "slice".into(),
        Op::Pad { .. } => "pad".into(),
        Op::Concat { .. } => "concat".into(),
        Op::Reverse { .. } => "reverse".into(),
        Op::Windows { .. } => "windows".into(),
        Op::Reduce { kind, .. } => format!("{kind:?}").to_lowercase(),
        Op::ArgMax { .. } => "argmax".into(),
        Op::ArgMin { .. } => "argmin".into(),
        Op::ArgSort { .. } => "argsort".into(),
        Op::Contract { .. } => "product".into(),
        Op::Gather { .. } => "gather".into(),
        Op::ScatterAdd { .. } => "scatter_add".into(),
        Op::Scan(_) => "scan".into(),
        Op::Result(_) => "result".into(),
        Op::Step(_) => "step".into(),
        Op::Emit { .. } => "emit".into(),
        Op::Uniform { .. } => "uniform".into(),
        Op::StopGradient => "stop_gradient".into(),
        Op::SumBatch => "sum_batch".into(),
        Op::Orthogonalize => "orthogonalize".into(),
    }
}
