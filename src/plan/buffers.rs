//! Which values lie in memory, the order of the groups, and one arena in which no two live buffers overlap.

use super::fuse::{Fusion, Use, UseIndex};
use super::order::Order;
use super::products::contract_axes;
use super::{ALIGNMENT, Body, Buffer, Context, ContextKind, Group, GroupKind, Home, Plan, PlanOptions, Storage, loops};
use crate::graph::{DType, Graph, NodeId, Op, TensorType};
use std::collections::{BTreeMap, BTreeSet};

/// Values held between the stages of a row lie in scratch memory up to that many elements per row.
const SCRATCH_ROW: usize = 4096;

/// Decides what is stored where and in which order the groups run.
pub(super) fn place(graph: &Graph, fusion: Fusion, options: &PlanOptions) -> Plan {
    let staged = fusion.staged;
    let mut placer = Placer {
        graph,
        stored: vec![None; graph.nodes.len()],
        buffers: Vec::new(),
        groups: fusion.groups,
        order: fusion.order,
        homes: fusion.homes,
        inline: fusion.inline,
        uses: fusion.uses,
        input_nodes: Vec::new(),
        readers: Vec::new(),
        sinks: BTreeSet::new(),
        touched: Vec::new(),
    };
    let externals = placer.externals();
    placer.updates();
    placer.outputs();
    placer.values(&staged);
    placer.operands();
    placer.loops(options);
    let positions = placer.sort();
    placer.lifetimes(&positions, externals);
    let Placer { stored, mut buffers, groups, homes, inline, .. } = placer;

    let mut sorted: Vec<(usize, Group)> =
        positions.iter().copied().zip(groups).filter(|(position, _)| *position != usize::MAX).collect();
    sorted.sort_by_key(|(position, _)| *position);
    let groups = sorted.into_iter().map(|(_, group)| group).collect();
    let moved = |home: Home| Home { group: positions[home.group], ..home };
    let homes = homes.into_iter().map(|home| home.map(moved)).collect();
    let arena = assign(&mut buffers);
    Plan { groups, buffers, stored, homes, inline, externals, arena, steps: None }
}

struct Placer<'a> {
    graph: &'a Graph,
    stored: Vec<Option<usize>>,
    buffers: Vec<Buffer>,
    groups: Vec<Group>,
    order: Order,
    homes: Vec<Option<Home>>,
    inline: Vec<bool>,
    uses: Vec<Vec<Use>>,
    /// The nodes of each input.
    input_nodes: Vec<Vec<NodeId>>,
    /// For each input the groups that read it, copies included.
    readers: Vec<BTreeSet<usize>>,
    /// Groups that write into an input, to run as soon as they can.
    sinks: BTreeSet<usize>,
    /// Buffers that copies touch: buffer and group.
    touched: Vec<(usize, usize)>,
}

impl Placer<'_> {
    fn buffer(&mut self, name: String, dtype: DType, len: usize, storage: Storage) -> usize {
        self.buffers.push(Buffer { name, dtype, len, storage, lifetime: (0, 0) });
        self.buffers.len() - 1
    }

    fn arena(&mut self, node: NodeId) -> usize {
        let ty = &self.graph[node].ty;
        self.buffer(format!("%{}", node.0), ty.dtype, ty.len(), Storage::Arena(0))
    }

    fn externals(&mut self) -> usize {
        let graph = self.graph;
        for (number, input) in graph.inputs.iter().enumerate() {
            self.buffer(input.name.clone(), input.ty.dtype, input.ty.len(), Storage::External(number));
        }
        for output in graph.outputs.iter().filter(|output| output.updates.is_none()) {
            let ty = &graph[output.node].ty;
            let steps = if let Op::Emit { extent, .. } = graph[output.node].op { extent } else { 1 };
            let number = self.buffers.len();
            self.buffer(output.name.clone(), ty.dtype, ty.len().saturating_mul(steps), Storage::External(number));
        }
        self.readers = vec![BTreeSet::new(); graph.inputs.len()];
        self.input_nodes = vec![Vec::new(); graph.inputs.len()];
        for id in graph.ids() {
            if let Op::Input(number) = graph[id].op {
                self.stored[id.0 as usize] = Some(number);
                self.input_nodes[number].push(id);
                self.readers[number].extend(self.uses[id.0 as usize].iter().map(|u| u.home.group));
            }
        }
        self.buffers.len()
    }

    /// Lets outputs that update an input write into it where all who want the old value have had it; else copies them.
    fn updates(&mut self) {
        let updates: Vec<(usize, NodeId)> =
            self.graph.outputs.iter().filter_map(|output| Some((output.updates?, output.node))).collect();
        let mut late = Vec::new();
        for &(input, node) in &updates {
            if let Op::Input(number) = self.graph[node].op {
                // The value of another input, which may itself be replaced, is saved first.
                if number != input {
                    let saved = self.arena(node);
                    let save = self.copy(number, saved, true);
                    self.readers[number].insert(save);
                    late.push((input, saved, save));
                }
            }
        }
        for (number, output) in self.graph.outputs.iter().filter(|output| output.updates.is_none()).enumerate() {
            if let Op::Input(from) = self.graph[output.node].op {
                let copy = self.copy(from, self.graph.inputs.len() + number, true);
                self.readers[from].insert(copy);
            }
        }
        for &(input, node) in &updates {
            let Some(home) = self.homes[node.0 as usize] else { continue };
            if self.stored[node.0 as usize].is_none() && self.in_place(input, node, home) {
                self.stored[node.0 as usize] = Some(input);
                self.sinks.insert(home.group);
                for reader in self.readers[input].clone() {
                    self.order.put(reader, home.group);
                }
            } else {
                let from = self.stored[node.0 as usize].unwrap_or_else(|| self.arena(node));
                self.stored[node.0 as usize] = Some(from);
                late.push((input, from, home.group));
            }
        }
        for (input, from, source) in late {
            let copy = self.copy(from, input, false);
            self.sinks.insert(copy);
            self.order.put(source, copy);
            for reader in self.readers[input].clone() {
                self.order.put(reader, copy);
            }
        }
    }

    /// Whether the group of `node` may write it over `input`.
    fn in_place(&self, input: usize, node: NodeId, home: Home) -> bool {
        let group = &self.groups[home.group];
        if let GroupKind::Loop(_) = group.kind {
            return false;
        }
        let own_stage = group.stage(node);
        let reads = self.input_nodes[input].iter().flat_map(|id| self.uses[id.0 as usize].iter());
        for u in reads.filter(|u| u.home.group == home.group) {
            let user_home = self.homes[u.user.0 as usize];
            // A fold of stage s runs behind stage s − 1, perhaps in loops of its own.
            let is_fold = user_home.is_some_and(|user_home| user_home.context != u.home.context);
            let evaluated = group.stage(u.user).saturating_sub(usize::from(is_fold));
            let in_time = evaluated < own_stage || (evaluated == own_stage && !is_fold);
            let alike = u.home.context == home.context && u.index == UseIndex::Identity && in_time;
            // A single row: what an earlier stage reads, at whatever index, is read by then.
            let before = group.rows == Some(0) && group.row == Some(home.context) && evaluated < own_stage;
            let is_outer = u.home.context == group.full || group.row == Some(u.home.context);
            if !(alike || before && is_outer) {
                return false;
            }
        }
        let others: Vec<usize> = self.readers[input].iter().copied().filter(|&reader| reader != home.group).collect();
        others.iter().all(|&reader| self.order.allows(reader, &[home.group]))
    }

    /// A group that copies a buffer, before all others or behind.
    fn copy(&mut self, from: usize, to: usize, first: bool) -> usize {
        let domain = if self.buffers[from].len == 1 { Vec::new() } else { vec![self.buffers[from].len] };
        self.groups.push(Group {
            kind: GroupKind::Copy { from, to },
            contexts: vec![Context { kind: ContextKind::Full, domain: domain.clone(), nodes: Vec::new() }],
            domain,
            rows: None,
            full: 0,
            row: None,
            stages: Vec::new(),
            linear: true,
            packed: None,
            body: None,
        });
        let group = if first { self.order.push_front() } else { self.order.push_back() };
        self.touched.extend([(from, group), (to, group)]);
        group
    }

    /// Lets the other outputs be written where they are wanted; where a value is wanted twice, by copies.
    fn outputs(&mut self) {
        for (number, output) in self.graph.outputs.iter().filter(|output| output.updates.is_none()).enumerate() {
            let at = output.node.0 as usize;
            let Some(home) = self.homes[at] else { continue };
            let external = self.graph.inputs.len() + number;
            match self.stored[at] {
                None => self.stored[at] = Some(external),
                Some(from) => {
                    let copy = self.copy(from, external, false);
                    self.order.put(home.group, copy);
                }
            }
        }
    }

    /// Gives a buffer to every other value that is wanted outside of its group or later in it.
    fn values(&mut self, staged: &[bool]) {
        let mut scratch = vec![0usize; self.groups.len()];
        let mut products = Vec::new();
        for id in self.graph.ids() {
            let at = id.0 as usize;
            let Some(home) = self.homes[at].filter(|_| self.stored[at].is_none()) else { continue };
            if let Op::Scan(_) = self.graph[id].op {
                continue;
            }
            if self.uses[at].iter().any(|u| u.home.group != home.group) {
                self.stored[at] = Some(self.arena(id));
                continue;
            }
            let group = &self.groups[home.group];
            if group.kind == GroupKind::Product(id) {
                products.push((id, home));
            } else if staged[at] {
                let rows = group.rows.unwrap_or(0);
                let row = group.domain[rows..].iter().product::<usize>();
                let storage =
                    if row <= SCRATCH_ROW { Storage::Scratch(scratch[home.group]) } else { Storage::Arena(0) };
                let len = if row <= SCRATCH_ROW { row } else { self.graph[id].ty.len() };
                scratch[home.group] += aligned(row.min(SCRATCH_ROW));
                self.stored[at] = Some(self.buffer(format!("%{}", id.0), self.graph[id].ty.dtype, len, storage));
            }
        }
        for (id, home) in products {
            // The partial sums may stand where a value of the same elements comes in the end.
            let context = &self.groups[home.group].contexts[home.context];
            let is_input = |buffer: usize| buffer < self.graph.inputs.len();
            let place = context.nodes.iter().find_map(|node| {
                let buffer = self.stored[node.0 as usize].filter(|&buffer| !is_input(buffer))?;
                (self.graph[*node].ty.dtype == DType::F32).then_some(buffer)
            });
            let buffer = place.unwrap_or_else(|| self.arena(id));
            self.stored[id.0 as usize] = Some(buffer);
        }
    }

    /// Memory for left operands of products that are not read as they lie.
    fn operands(&mut self) {
        for id in self.graph.ids() {
            let Some(Home { group, .. }) = self.homes[id.0 as usize] else { continue };
            if self.groups[group].kind != GroupKind::Product(id) {
                continue;
            }
            let axes = contract_axes(self.graph, id, &self.inline).expect("operands are views");
            // What advances unevenly is packed where it is used, a panel at a time.
            let Some((rows, depth)) = axes.even() else { continue };
            if depth.left != 1 || rows.left < 0 {
                let len = self.graph[self.graph[id].operands[0]].ty.len();
                let buffer = self.buffer(format!("%{}.left", id.0), DType::F32, len, Storage::Arena(0));
                self.groups[group].packed = Some(buffer);
                self.touched.push((buffer, group));
            }
        }
    }

    /// Plans the bodies of loops and gives them their memory.
    fn loops(&mut self, options: &PlanOptions) {
        for group in 0..self.groups.len() {
            let GroupKind::Loop(id) = self.groups[group].kind else { continue };
            let graph = self.graph;
            let Op::Scan(scan) = &graph[id].op else { unreachable!("{id} is no loop") };
            if self.homes[id.0 as usize].is_none() {
                continue;
            }
            let operands = &graph[id].operands;
            let types: Vec<TensorType> = operands.iter().map(|&operand| graph[operand].ty.clone()).collect();
            let step = loops::step_graph(scan, &types);
            let plan = loops::plan_step(&step, scan.extent, options);
            // Results that nothing wants have memory nevertheless.
            let mut results: Vec<Option<usize>> = vec![None; scan.results()];
            for &node in &self.groups[group].contexts[0].nodes {
                if let Op::Result(number) = graph[node].op {
                    results[number] = self.stored[node.0 as usize];
                }
            }
            let results: Vec<usize> = (results.into_iter().enumerate())
                .map(|(number, place)| {
                    place.unwrap_or_else(|| {
                        let ty = scan.result_type(number);
                        self.buffer(format!("%{}.{number}", id.0), ty.dtype, ty.len(), Storage::Arena(0))
                    })
                })
                .collect();
            let arena = self.buffer(format!("%{}.body", id.0), DType::F32, plan.arena, Storage::Arena(0));
            let place =
                |operand: NodeId| self.stored[operand.0 as usize].expect("the operands of a loop lie in memory");
            let places: Vec<usize> = operands.iter().map(|&operand| place(operand)).collect();
            let states = scan.state_operands();
            let starts = states.clone().zip(&results).map(|(state, &to)| (places[state], to)).collect();
            let mut externals = places;
            externals[states.clone()].copy_from_slice(&results[..scan.states]);
            externals.extend(&results[scan.states..]);
            self.touched.extend(results.iter().chain([&arena]).map(|&buffer| (buffer, group)));
            let body = Body { graph: step, plan, extent: scan.extent, externals, arena, starts };
            self.groups[group].body = Some(Box::new(body));
        }
    }

    /// The running position of each group: among those that can run, first what finishes an input, then by the order kept while
    /// they grew.
    fn sort(&self) -> Vec<usize> {
        let mut waiting = vec![0usize; self.groups.len()];
        for after in &self.order.after {
            for &group in after {
                waiting[group] += 1;
            }
        }
        let key = |group: usize| (!self.sinks.contains(&group), self.order.rank(group), group);
        // Groups that were merged into others are left out.
        let is_live = |group: &usize| {
            let Group { kind, contexts, .. } = &self.groups[*group];
            matches!(kind, GroupKind::Copy { .. }) || contexts.iter().any(|context| !context.nodes.is_empty())
        };
        let live: Vec<usize> = (0..self.groups.len()).filter(is_live).collect();
        let mut ready: BTreeSet<(bool, i64, usize)> =
            live.iter().copied().filter(|&group| waiting[group] == 0).map(key).collect();
        let mut positions = vec![usize::MAX; self.groups.len()];
        let mut position = 0;
        while let Some((_, _, group)) = ready.pop_first() {
            positions[group] = position;
            position += 1;
            for &next in &self.order.after[group] {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.insert(key(next));
                }
            }
        }
        assert_eq!(position, live.len(), "the groups of {} form a cycle", self.graph.name);
        positions
    }

    fn lifetimes(&mut self, positions: &[usize], externals: usize) {
        let last = self.groups.len().saturating_sub(1);
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; self.buffers.len()];
        let mut touch = |buffer: usize, group: usize| {
            let position = positions[group];
            let (first, last) = spans[buffer].unwrap_or((position, position));
            spans[buffer] = Some((first.min(position), last.max(position)));
        };
        for id in self.graph.ids() {
            let at = id.0 as usize;
            if let (Some(buffer), Some(home)) = (self.stored[at], self.homes[at]) {
                touch(buffer, home.group);
                for u in &self.uses[at] {
                    touch(buffer, u.home.group);
                }
            }
        }
        for &(buffer, group) in &self.touched {
            touch(buffer, group);
        }
        for (number, (buffer, span)) in self.buffers.iter_mut().zip(spans).enumerate() {
            buffer.lifetime = if number < externals { (0, last) } else { span.unwrap_or((0, 0)) };
        }
    }
}

fn aligned(len: usize) -> usize {
    len.checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX)
}

/// More buffers than so many are placed by time alone: placing them by size looks at every pair.
const MOST_BY_SIZE: usize = 2000;

/// In an arena of at most so many elements, 1 MiB, buffers are placed by time: it lies in the cache either way, and side by side in
/// the order of their sizes buffers of like size begin at like places of a page, where loads wait for stores to the other.
const SMALL: usize = 1 << 18;

/// Gives the arena's buffers their offsets, a large one in the smaller of two arenas. Returns its size.
fn assign(buffers: &mut [Buffer]) -> usize {
    let placed: Vec<usize> =
        (0..buffers.len()).filter(|&buffer| matches!(buffers[buffer].storage, Storage::Arena(_))).collect();
    let mut best = by_time(buffers, &placed);
    if best.size > SMALL && placed.len() <= MOST_BY_SIZE {
        let other = by_size(buffers, &placed);
        if other.size < best.size {
            best = other;
        }
    }
    for (buffer, offset) in placed.into_iter().zip(best.offsets) {
        buffers[buffer].storage = Storage::Arena(offset);
    }
    best.size
}

/// Offsets for a list of buffers.
struct Placement {
    offsets: Vec<usize>,
    size: usize,
}

/// The largest first, each as low as all that live at the same time allow: Pisarchyk and Lee, "Efficient Memory Management for
/// Deep Neural Net Inference", 2020.
fn by_size(buffers: &[Buffer], placed: &[usize]) -> Placement {
    let mut order: Vec<usize> = (0..placed.len()).collect();
    order.sort_by_key(|&place| (std::cmp::Reverse(buffers[placed[place]].len), place));
    let mut placement = Placement { offsets: vec![0; placed.len()], size: 0 };
    // Offset, length and lifetime of those that have their place, the lowest first.
    let mut taken: Vec<(usize, usize, (usize, usize))> = Vec::new();
    for place in order {
        let Buffer { len, lifetime, .. } = buffers[placed[place]];
        let len = aligned(len);
        if len == 0 {
            continue;
        }
        let mut offset = 0usize;
        for &(start, other, life) in &taken {
            if life.1 < lifetime.0 || lifetime.1 < life.0 {
                continue;
            }
            if offset.saturating_add(len) <= start {
                break;
            }
            offset = offset.max(start.saturating_add(other));
        }
        let at = taken.partition_point(|&(start, ..)| start < offset);
        taken.insert(at, (offset, len, lifetime));
        placement.offsets[place] = offset;
        placement.size = placement.size.max(offset.saturating_add(len));
    }
    placement
}

/// In the order of their lives, each in the smallest gap that is free then.
fn by_time(buffers: &[Buffer], placed: &[usize]) -> Placement {
    let mut order: Vec<usize> = (0..placed.len()).collect();
    order.sort_by_key(|&place| {
        let buffer = &buffers[placed[place]];
        (buffer.lifetime.0, std::cmp::Reverse(buffer.len), place)
    });
    // Gaps between live buffers: offset to length. What lies beyond the size is free as well.
    let mut gaps: BTreeMap<usize, usize> = BTreeMap::new();
    let mut live: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    let mut placement = Placement { offsets: vec![0; placed.len()], size: 0 };
    for place in order {
        let Buffer { len, lifetime: (first, last), .. } = buffers[placed[place]];
        while let Some(&(end, offset, len)) = live.first().filter(|entry| entry.0 < first) {
            live.remove(&(end, offset, len));
            release(&mut gaps, offset, len);
        }
        let len = aligned(len);
        if len == 0 {
            continue;
        }
        let best = gaps.iter().filter(|(_, gap)| **gap >= len).min_by_key(|(offset, gap)| (**gap, **offset));
        let offset = match best.map(|(&offset, &gap)| (offset, gap)) {
            Some((offset, gap)) => {
                gaps.remove(&offset);
                if gap > len {
                    gaps.insert(offset + len, gap - len);
                }
                offset
            }
            None => {
                let tail = gaps
                    .last_key_value()
                    .map(|(&offset, &gap)| (offset, gap))
                    .filter(|(offset, gap)| offset + gap == placement.size);
                let offset = tail.map_or(placement.size, |(offset, _)| offset);
                gaps.remove(&offset);
                placement.size = offset.saturating_add(len);
                offset
            }
        };
        live.insert((last, offset, len));
        placement.offsets[place] = offset;
    }
    placement
}

fn release(gaps: &mut BTreeMap<usize, usize>, mut offset: usize, mut len: usize) {
    if let Some((&before, &gap)) = gaps.range(..offset).next_back()
        && before + gap == offset
    {
        gaps.remove(&before);
        offset = before;
        len += gap;
    }
    if let Some(gap) = gaps.remove(&(offset + len)) {
        len += gap;
    }
    gaps.insert(offset, len);
}
