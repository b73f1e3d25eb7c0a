//! Which nodes share a kernel.
//!
//! In: a graph. Out: groups of nodes, unordered, with the edges between them, and every use of every node. The nodes are
//! visited from the last to the first, so that all users of a node have their place when its turn comes: it then joins the group
//! of a user if each of its elements is wanted there at its own index, if the group's loops can compute it, and if no path leads from
//! it out of the group and back in. Else it begins a group of its own.
//!
//! ```text
//! %5 = max along the row        for rows {
//! %6 = exp(x - %5)                fold max x            stage 0
//! %7 = sum along the row          fold sum exp(x - m)   stage 1
//! %8 = %6 / %7                    map  e / s            stage 2
//! ```

use super::order::Order;
use super::views::{AxisMap, canonical, context_index, contract_axes, operand_index, row_major, strided};
use super::{Context, ContextKind, Group, GroupKind, Home, PlanOptions};
use crate::graph::{Graph, NodeId, Op, Role, Unary};
use crate::numerics::sums::contracts_interleaved;
use std::collections::BTreeSet;

/// Products of at most so many multiplications are computed by plain loops.
const DIRECT_WORK: u64 = 16 * 1024;

/// Full reductions share a kernel with what follows them only up to that many elements: such a kernel has one row.
const SINGLE_ROW: usize = 16 * 1024;

/// More nodes than this do not meet in one group.
const GROUP_NODES: usize = 256;

/// Index maps behind one another that are followed without storing a value in between.
const VIEW_DEPTH: usize = 24;

/// Operations on data that are repeated by every user.
const TRIVIAL_DEPTH: usize = 4;

/// Groups before they have an order.
pub(super) struct Fusion {
    pub groups: Vec<Group>,
    /// Which groups read what others write.
    pub order: Order,
    pub homes: Vec<Option<Home>>,
    pub inline: Vec<bool>,
    pub uses: Vec<Vec<Use>>,
    /// Values that one group holds in memory between its stages.
    pub staged: Vec<bool>,
}

/// A place where a node's value is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Use {
    pub user: NodeId,
    pub home: Home,
    pub index: UseIndex,
}

/// At which index, seen from the user's context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UseIndex {
    /// At the context's own.
    Identity,
    /// At the first so many axes of the context's.
    Prefix(usize),
    /// Anything else.
    Other,
}

/// What loops a node needs.
enum Form {
    /// One value from values at the same place, perhaps with a loop of its own inside.
    Point,
    /// One value per row from all columns.
    Fold { rows: Vec<usize>, cols: Vec<usize> },
    /// Tiles.
    Product,
    /// Parts of a whole.
    Join,
}

pub(super) fn fuse(graph: &Graph, options: &PlanOptions) -> Fusion {
    let count = graph.nodes.len();
    let mut fuser = Fuser {
        graph,
        fuse: options.fuse,
        inline: classify(graph, options),
        row_sources: Vec::new(),
        updated: vec![false; count],
        wanted: vec![false; count],
        groups: Vec::new(),
        traits: Vec::new(),
        order: Order::default(),
        homes: vec![None; count],
        uses: vec![Vec::new(); count],
    };
    fuser.row_sources = fuser.find_row_sources();
    for output in &graph.outputs {
        fuser.wanted[output.node.0 as usize] = true;
        fuser.updated[output.node.0 as usize] |= output.updates.is_some();
    }
    for id in graph.ids().rev() {
        fuser.assign(id);
    }
    let mut staged = vec![false; count];
    for group in 0..fuser.groups.len() {
        fuser.finish(group, &mut staged);
    }
    Fusion {
        groups: fuser.groups,
        order: fuser.order,
        homes: fuser.homes,
        inline: fuser.inline,
        uses: fuser.uses,
        staged,
    }
}

/// Which nodes their users evaluate in place.
fn classify(graph: &Graph, options: &PlanOptions) -> Vec<bool> {
    let count = graph.nodes.len();
    let mut inline = vec![false; count];
    let mut depth = vec![0usize; count];
    // Operations that stand between a node and data, settings and constants; `None` where something else does.
    let mut trivial: Vec<Option<usize>> = vec![None; count];
    let mut users = vec![0usize; count];
    for node in &graph.nodes {
        for operand in &node.operands {
            users[operand.0 as usize] += 1;
        }
    }
    for id in graph.ids() {
        let at = id.0 as usize;
        let node = &graph[id];
        let below = node
            .operands
            .iter()
            .map(|operand| if inline[operand.0 as usize] { depth[operand.0 as usize] + 1 } else { 1 });
        depth[at] = below.max().unwrap_or(0);
        let shallow = depth[at] <= VIEW_DEPTH;
        let of_data =
            node.operands.iter().try_fold(0, |deepest: usize, operand| Some(deepest.max(trivial[operand.0 as usize]?)));
        match &node.op {
            Op::Input(number) => {
                trivial[at] = matches!(graph.inputs[*number].role, Role::Data | Role::Setting).then_some(0);
            }
            Op::Constant(_) | Op::Iota { .. } => {
                inline[at] = true;
                trivial[at] = Some(0);
            }
            Op::StopGradient | Op::Broadcast { .. } | Op::Transpose { .. } | Op::Slice { .. } | Op::Reverse { .. } => {
                inline[at] = shallow;
                trivial[at] = of_data;
            }
            Op::Reshape => {
                inline[at] = shallow;
                if canonical(&node.ty.shape) == canonical(&graph[node.operands[0]].ty.shape) {
                    trivial[at] = of_data;
                } else {
                    store(graph, node.operands[0], &mut inline);
                }
            }
            Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Convert => {
                if let Some(deepest) = of_data.filter(|deepest| *deepest < TRIVIAL_DEPTH && is_cheap(&node.op)) {
                    trivial[at] = Some(deepest + 1);
                    inline[at] = options.fuse && shallow && users[at] > 1;
                }
            }
            Op::Reduce { axis, count, .. } => {
                if canonical(&graph[node.operands[0]].ty.shape[*axis..axis + count]).len() > 1 {
                    store(graph, node.operands[0], &mut inline);
                }
            }
            Op::Contract { .. } => {
                for &operand in &node.operands {
                    if strided(graph, operand, &inline).is_none() {
                        inline[operand.0 as usize] = false;
                    }
                }
                // Where the contracted axes are the last, they run as one in what is stored.
                let axes = contract_axes(graph, id, &inline).expect("operands are views");
                if is_interleaved(graph, id) && axes.operands.iter().any(|operand| operand.copied) {
                    for &operand in &node.operands {
                        inline[operand.0 as usize] = false;
                    }
                }
            }
            Op::Pad { .. } | Op::Concat { .. } | Op::ArgMax { .. } | Op::ArgMin { .. } | Op::Uniform { .. } => {}
            Op::SumBatch | Op::Orthogonalize => panic!("{:?} has no place in a plan", node.op),
        }
    }
    for output in &graph.outputs {
        inline[output.node.0 as usize] = false;
    }
    inline
}

fn is_interleaved(graph: &Graph, node: NodeId) -> bool {
    let Op::Contract { batch, contract } = &graph[node].op else { return false };
    let shape = |number: usize| &graph[graph[node].operands[number]].ty.shape;
    contracts_interleaved(shape(0), shape(1), batch, contract)
}

/// Sees to it that `node` is stored or another shape of something stored.
fn store(graph: &Graph, mut node: NodeId, inline: &mut [bool]) {
    while inline[node.0 as usize] && matches!(graph[node].op, Op::Reshape | Op::StopGradient) {
        node = graph[node].operands[0];
    }
    inline[node.0 as usize] = false;
}

fn is_cheap(op: &Op) -> bool {
    match op {
        Op::Unary(unary) => match unary {
            Unary::Neg | Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Not => true,
            Unary::Sign
            | Unary::Sqrt
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
        Op::Binary(binary) => !matches!(binary, crate::graph::Binary::Pow | crate::graph::Binary::Div),
        Op::Select | Op::Convert => true,
        Op::Input(_)
        | Op::Constant(_)
        | Op::Iota { .. }
        | Op::Broadcast { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Concat { .. }
        | Op::Reverse { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::Contract { .. }
        | Op::Uniform { .. }
        | Op::StopGradient
        | Op::SumBatch
        | Op::Orthogonalize => false,
    }
}

/// What matters of a group to those who would join it.
#[derive(Clone, Copy, Default)]
struct Traits {
    nodes: usize,
    /// Something in it would run badly with one value at a time.
    heavy: bool,
    /// It writes into an input.
    updates: bool,
}

struct Fuser<'a> {
    graph: &'a Graph,
    fuse: bool,
    inline: Vec<bool>,
    /// For a node with one value per row: the columns of the fold it comes from.
    row_sources: Vec<Option<Vec<usize>>>,
    updated: Vec<bool>,
    wanted: Vec<bool>,
    groups: Vec<Group>,
    traits: Vec<Traits>,
    order: Order,
    homes: Vec<Option<Home>>,
    uses: Vec<Vec<Use>>,
}

impl Fuser<'_> {
    fn shape(&self, node: NodeId) -> Vec<usize> {
        canonical(&self.graph[node].ty.shape)
    }

    fn form(&self, node: NodeId) -> Form {
        let operand = |number: usize| &self.graph[self.graph[node].operands[number]].ty.shape;
        let trailing = |axis: usize, count: usize| {
            let shape = operand(0);
            let cols = canonical(&shape[axis..axis + count]);
            (!cols.is_empty() && canonical(&shape[axis + count..]).is_empty())
                .then(|| Form::Fold { rows: self.shape(node), cols })
        };
        match &self.graph[node].op {
            Op::Reduce { axis, count, .. } => trailing(*axis, *count).unwrap_or(Form::Point),
            Op::ArgMax { axis } | Op::ArgMin { axis } => trailing(*axis, 1).unwrap_or(Form::Point),
            Op::Contract { contract, .. } => {
                if is_interleaved(self.graph, node) {
                    let cols: Vec<usize> = contract.iter().map(|&(axis, _)| operand(0)[axis]).collect();
                    return Form::Fold { rows: self.shape(node), cols: canonical(&cols) };
                }
                let axes = contract_axes(self.graph, node, &self.inline).expect("operands are views");
                let thin = axes.rows.extent <= 1 || axes.cols.extent <= 1 || axes.depth.extent <= 1;
                if thin || axes.work() <= DIRECT_WORK { Form::Point } else { Form::Product }
            }
            Op::Pad { .. } | Op::Concat { .. } => Form::Join,
            Op::Constant(_)
            | Op::Iota { .. }
            | Op::Unary(_)
            | Op::Binary(_)
            | Op::Select
            | Op::Convert
            | Op::Broadcast { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Reverse { .. }
            | Op::Uniform { .. }
            | Op::StopGradient => Form::Point,
            Op::Input(_) | Op::SumBatch | Op::Orthogonalize => {
                unreachable!("{:?} is not computed", self.graph[node].op)
            }
        }
    }

    fn find_row_sources(&self) -> Vec<Option<Vec<usize>>> {
        let mut sources: Vec<Option<Vec<usize>>> = Vec::with_capacity(self.graph.nodes.len());
        for id in self.graph.ids() {
            let node = &self.graph[id];
            let shape = self.shape(id);
            let inherited = || {
                let same = node.operands.iter().filter(|operand| self.shape(**operand) == shape);
                same.filter_map(|operand| sources[operand.0 as usize].clone()).next()
            };
            let source = match &node.op {
                Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. } | Op::Contract { .. } => {
                    match self.form(id) {
                        Form::Fold { cols, .. } => Some(cols),
                        Form::Point | Form::Product | Form::Join => None,
                    }
                }
                Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Convert | Op::StopGradient | Op::Reshape => inherited(),
                Op::Input(_)
                | Op::Constant(_)
                | Op::Iota { .. }
                | Op::Broadcast { .. }
                | Op::Transpose { .. }
                | Op::Slice { .. }
                | Op::Pad { .. }
                | Op::Concat { .. }
                | Op::Reverse { .. }
                | Op::Uniform { .. }
                | Op::SumBatch
                | Op::Orthogonalize => None,
            };
            sources.push(source);
        }
        sources
    }

    fn assign(&mut self, id: NodeId) {
        let at = id.0 as usize;
        if matches!(self.graph[id].op, Op::Input(_))
            || self.inline[at]
            || (self.uses[at].is_empty() && !self.wanted[at])
        {
            return;
        }
        let form = self.form(id);
        let joined = if self.fuse { self.join(id, &form) } else { None };
        let home = joined.unwrap_or_else(|| self.begin(id, &form));
        self.homes[at] = Some(home);
        let group = &mut self.groups[home.group];
        group.contexts[home.context].nodes.push(id);
        let traits = &mut self.traits[home.group];
        traits.nodes += 1;
        traits.heavy |= !is_cheap(&self.graph[id].op) && matches!(form, Form::Point);
        traits.updates |= self.updated[at];
        let others: Vec<usize> =
            self.uses[at].iter().map(|u| u.home.group).filter(|&group| group != home.group).collect();
        for other in others {
            self.order.put(home.group, other);
        }
        self.record_operands(id, home, &form);
    }

    /// A group of its own for a node.
    fn begin(&mut self, id: NodeId, form: &Form) -> Home {
        let (kind, domain, rows) = match form {
            Form::Point => (GroupKind::Nest, self.shape(id), None),
            Form::Fold { rows, cols } => (GroupKind::Nest, [rows.as_slice(), cols].concat(), Some(rows.len())),
            Form::Product => (GroupKind::Product(id), self.shape(id), None),
            Form::Join => (GroupKind::Join(id), self.shape(id), None),
        };
        let full = Context { kind: ContextKind::Full, domain: domain.clone(), nodes: Vec::new() };
        let mut contexts = vec![full];
        if let Some(rows) = rows {
            contexts.push(Context { kind: ContextKind::Row, domain: domain[..rows].to_vec(), nodes: Vec::new() });
        }
        let context = usize::from(rows.is_some());
        let row = rows.map(|_| 1);
        self.groups.push(Group {
            kind,
            domain,
            rows,
            full: 0,
            row,
            contexts,
            stages: Vec::new(),
            linear: true,
            packed: None,
            copied: Vec::new(),
        });
        self.traits.push(Traits::default());
        Home { group: self.order.push_front(), context }
    }

    /// The place in a user's group where the node fits.
    fn join(&mut self, id: NodeId, form: &Form) -> Option<Home> {
        let mut uses = self.uses[id.0 as usize].clone();
        uses.sort_by_key(|u| (self.order.rank(u.home.group), u.user));
        let groups: Vec<usize> = uses.iter().map(|u| u.home.group).collect();
        let mut tried = BTreeSet::new();
        for candidate in &uses {
            let group = candidate.home.group;
            if !tried.insert(group) {
                continue;
            }
            let inside: Vec<Use> = uses.iter().filter(|u| u.home.group == group).copied().collect();
            if let Some(fit) = self.fit(id, form, group, &inside)
                && self.order.allows(group, &groups)
            {
                return Some(self.open(group, fit));
            }
        }
        None
    }

    fn fit(&self, id: NodeId, form: &Form, group: usize, inside: &[Use]) -> Option<Fit> {
        let Group { kind, domain, rows, row, contexts, .. } = &self.groups[group];
        let traits = self.traits[group];
        if traits.nodes >= GROUP_NODES {
            return None;
        }
        let nest = *kind == GroupKind::Nest;
        let first = inside[0].home.context;
        let alike = |index: UseIndex| inside.iter().all(|u| u.home.context == first && u.index == index);
        let whole = alike(UseIndex::Identity) && contexts[first].domain == self.shape(id);
        let in_full = contexts[first].kind == ContextKind::Full;
        // The value is wanted once per row by groups that have rows, or could have.
        let of_rows = |count: usize| {
            inside.iter().all(|u| match contexts[u.home.context].kind {
                ContextKind::Full => u.index == UseIndex::Prefix(count),
                ContextKind::Row => u.index == UseIndex::Identity,
                ContextKind::Under(..) => false,
            }) && self.shape(id) == domain[..count]
                && (count > 0 || domain.iter().product::<usize>() <= SINGLE_ROW)
        };
        let is_split = |count: usize, cols: &[usize]| of_rows(count) && domain[count..] == *cols;
        match form {
            Form::Point => {
                if whole {
                    return Some(Fit::At(first));
                }
                if let (Some(count), Some(row)) = (*rows, *row) {
                    return of_rows(count).then_some(Fit::At(row));
                }
                let cols = self.row_sources[id.0 as usize].as_ref()?;
                let count = domain.len().checked_sub(cols.len())?;
                (nest && is_split(count, cols)).then_some(Fit::Split(count))
            }
            Form::Fold { rows: fold_rows, cols } => {
                if !nest {
                    return None;
                }
                let count = fold_rows.len();
                if let Some(row) = row.filter(|_| *rows == Some(count)) {
                    return is_split(count, cols).then_some(Fit::At(row));
                }
                if rows.is_none() && is_split(count, cols) {
                    return Some(Fit::Split(count));
                }
                let widen = rows.is_none() && whole && in_full && !traits.heavy && (count > 0 || self.is_small(cols));
                widen.then(|| Fit::Widen(cols.clone()))
            }
            Form::Product => {
                let axes = contract_axes(self.graph, id, &self.inline)?;
                let last = self.shape(id).last().copied().unwrap_or(1);
                let fits =
                    nest && rows.is_none() && whole && in_full && !traits.updates && !traits.heavy_loops(self, group);
                (fits && axes.outer.is_empty() && axes.cols.extent == last).then_some(Fit::Tiled(id))
            }
            Form::Join => None,
        }
    }

    fn is_small(&self, cols: &[usize]) -> bool {
        cols.iter().product::<usize>() <= SINGLE_ROW
    }

    /// Makes the room that a node fits into.
    fn open(&mut self, group: usize, fit: Fit) -> Home {
        let draft = &mut self.groups[group];
        let new = draft.contexts.len();
        let context = match fit {
            Fit::At(context) => context,
            Fit::Split(count) => {
                draft.rows = Some(count);
                draft.row = Some(new);
                let domain = draft.domain[..count].to_vec();
                draft.contexts.push(Context { kind: ContextKind::Row, domain, nodes: Vec::new() });
                new
            }
            Fit::Widen(cols) => {
                // What stood at full indices stands at rows now.
                draft.rows = Some(draft.domain.len());
                draft.row = Some(draft.full);
                draft.contexts[draft.full].kind = ContextKind::Row;
                draft.domain.extend(&cols);
                draft.full = new;
                draft.contexts.push(Context {
                    kind: ContextKind::Full,
                    domain: draft.domain.clone(),
                    nodes: Vec::new(),
                });
                draft.row.unwrap_or(new)
            }
            Fit::Tiled(id) => {
                draft.kind = GroupKind::Product(id);
                draft.full
            }
        };
        Home { group, context }
    }

    fn record_operands(&mut self, id: NodeId, home: Home, form: &Form) {
        let operands = self.graph[id].operands.clone();
        match (&self.graph[id].op, form) {
            (Op::Contract { batch, contract }, Form::Fold { rows, .. }) => {
                let (batch, contract) = (batch.clone(), contract.clone());
                let full = Home { context: self.groups[home.group].full, ..home };
                for (number, &operand) in operands.iter().enumerate() {
                    let index = fold_operand_index(self.graph, id, number, &batch, &contract, rows.len());
                    self.record(id, full, operand, Some(index));
                }
            }
            (Op::Contract { .. }, _) => {
                for &operand in &operands {
                    self.record(id, home, operand, None);
                }
            }
            (_, Form::Fold { .. }) => {
                let index = context_index(&self.graph[operands[0]].ty.shape);
                let full = Home { context: self.groups[home.group].full, ..home };
                self.record(id, full, operands[0], Some(index));
            }
            (Op::Pad { .. } | Op::Concat { .. }, _) => {
                for (number, &operand) in operands.iter().enumerate() {
                    self.record_under(id, home, number, operand);
                }
            }
            (Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. }, _)
                if self.shape(operands[0]) == self.shape(id) =>
            {
                let index = context_index(&self.graph[operands[0]].ty.shape);
                self.record(id, home, operands[0], Some(index));
            }
            (Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. }, _) => {
                self.record_under(id, home, 0, operands[0])
            }
            _ => {
                let index = context_index(&self.graph[id].ty.shape);
                for (number, &operand) in operands.iter().enumerate() {
                    let index = operand_index(self.graph, id, number, &index);
                    self.record(id, home, operand, index);
                }
            }
        }
    }

    /// Opens the context of an operand that has loops of its own.
    fn record_under(&mut self, id: NodeId, home: Home, number: usize, operand: NodeId) {
        let shape = self.graph[operand].ty.shape.clone();
        let contexts = &mut self.groups[home.group].contexts;
        contexts.push(Context { kind: ContextKind::Under(id, number), domain: canonical(&shape), nodes: Vec::new() });
        let home = Home { context: contexts.len() - 1, ..home };
        self.record(id, home, operand, Some(context_index(&shape)));
    }

    /// Notes what `user` wants of `node` at `index`, through what is inline.
    fn record(&mut self, user: NodeId, home: Home, node: NodeId, index: Option<Vec<AxisMap>>) {
        let axes = self.groups[home.group].contexts[home.context].domain.len();
        let mut found = Vec::new();
        leaves(self.graph, &self.inline, node, index, &mut |leaf, index| {
            let shape = &self.graph[leaf].ty.shape;
            found.push((leaf, index.map_or(UseIndex::Other, |index| use_index(shape, &index, axes))));
        });
        for (leaf, index) in found {
            let new = Use { user, home, index };
            let uses = &mut self.uses[leaf.0 as usize];
            if !uses.contains(&new) {
                uses.push(new);
            }
        }
    }

    /// Stages and the form of the columns, once all nodes have their place.
    fn finish(&mut self, group: usize, staged: &mut [bool]) {
        for context in &mut self.groups[group].contexts {
            context.nodes.sort_unstable();
        }
        let Group { rows: Some(rows), row: Some(row), full, .. } = self.groups[group] else { return };
        let contexts = &self.groups[group].contexts;
        let mut nodes = [contexts[full].nodes.as_slice(), &contexts[row].nodes].concat();
        nodes.sort_unstable();
        let is_at = |node: NodeId, context: usize| self.homes[node.0 as usize] == Some(Home { group, context });
        let is_here = |node: NodeId| is_at(node, full) || is_at(node, row);
        let is_fold = |node: NodeId| matches!(self.form(node), Form::Fold { .. });
        let linear = self.groups[group].domain.len() - rows < 2 || self.runs_as_one(group, rows, full, row);

        let mut inputs: Vec<Vec<NodeId>> = Vec::new();
        let mut stages: Vec<usize> = Vec::new();
        for &node in &nodes {
            let mut local = Vec::new();
            for &operand in &self.graph[node].operands {
                leaves(self.graph, &self.inline, operand, None, &mut |leaf, _| {
                    if is_here(leaf) {
                        local.push(leaf);
                    }
                });
            }
            let stage_of = |leaf: &NodeId| nodes.binary_search(leaf).map_or(0, |place| stages[place]);
            let before = local.iter().map(stage_of).max().unwrap_or(0);
            stages.push(before + usize::from(is_fold(node)));
            inputs.push(local);
        }
        // What hangs on nothing here is computed where it is first wanted.
        let evaluated = |place: usize, stages: &[usize]| stages[place] - usize::from(is_fold(nodes[place]));
        for place in (0..nodes.len()).rev() {
            let alone = inputs[place].is_empty() && !is_fold(nodes[place]);
            let wanted = (place + 1..nodes.len()).filter(|&user| inputs[user].contains(&nodes[place]));
            if alone && let Some(first) = wanted.map(|user| evaluated(user, &stages)).min() {
                stages[place] = first;
            }
        }
        for place in 0..nodes.len() {
            let at = evaluated(place, &stages);
            for leaf in &inputs[place] {
                let in_full = is_at(*leaf, full);
                let Ok(from) = nodes.binary_search(leaf) else { continue };
                let fold_reads_memory = is_fold(nodes[place]) && !linear;
                if in_full && (stages[from] < at || fold_reads_memory) {
                    staged[leaf.0 as usize] = true;
                }
            }
        }
        let group = &mut self.groups[group];
        group.linear = linear;
        group.stages = nodes.into_iter().zip(stages).collect();
    }

    /// Whether all that the full context reads advances evenly when the columns are run as one axis.
    fn runs_as_one(&self, group: usize, rows: usize, full: usize, row: usize) -> bool {
        let Group { domain, contexts, .. } = &self.groups[group];
        if contexts.len() > 2 {
            return false;
        }
        let evenly = |shape: &[usize], strides: &[i64], index: &[AxisMap]| {
            let mut of_axis = vec![0i64; domain.len()];
            for ((map, stride), extent) in index.iter().zip(strides).zip(shape) {
                if let Some(axis) = map.axis.filter(|_| *extent != 1) {
                    of_axis[axis] += map.scale * stride;
                }
            }
            (rows..domain.len() - 1).all(|axis| of_axis[axis] == of_axis[axis + 1] * domain[axis + 1] as i64)
        };
        let mut even = true;
        let mut check = |node: NodeId, index: Option<Vec<AxisMap>>| {
            every(self.graph, &self.inline, node, index, &mut |leaf, index| {
                let shape = &self.graph[leaf].ty.shape;
                even &= match (&self.graph[leaf].op, index) {
                    (Op::Constant(_), _) => true,
                    (_, None) => false,
                    (Op::Iota { axis }, Some(index)) => {
                        let strides: Vec<i64> = (0..shape.len()).map(|other| i64::from(other == *axis)).collect();
                        evenly(shape, &strides, &index)
                    }
                    (_, Some(index)) if !self.inline[leaf.0 as usize] => evenly(shape, &row_major(shape), &index),
                    (_, Some(_)) => true,
                };
            });
        };
        for &node in &contexts[full].nodes {
            let index = context_index(&self.graph[node].ty.shape);
            match &self.graph[node].op {
                Op::Contract { .. } => return false,
                Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. } => {
                    check(self.graph[node].operands[0], Some(index));
                }
                _ => {
                    for (number, &operand) in self.graph[node].operands.iter().enumerate() {
                        check(operand, operand_index(self.graph, node, number, &index));
                    }
                }
            }
        }
        for &node in &contexts[row].nodes {
            match (&self.graph[node].op, self.form(node)) {
                (Op::Contract { batch, contract }, Form::Fold { .. }) => {
                    for (number, &operand) in self.graph[node].operands.iter().enumerate() {
                        check(operand, Some(fold_operand_index(self.graph, node, number, batch, contract, rows)));
                    }
                }
                (_, Form::Fold { .. }) => {
                    let operand = self.graph[node].operands[0];
                    check(operand, Some(context_index(&self.graph[operand].ty.shape)));
                }
                (_, Form::Point | Form::Product | Form::Join) => {}
            }
        }
        even
    }
}

impl Traits {
    /// Whether a group has loops inside its points, which do not go with tiles.
    fn heavy_loops(self, fuser: &Fuser<'_>, group: usize) -> bool {
        fuser.groups[group].contexts.len() > 1
            || fuser.groups[group].contexts[fuser.groups[group].full]
                .nodes
                .iter()
                .any(|node| matches!(fuser.graph[*node].op, Op::Contract { .. }))
    }
}

/// How a node fits into a group.
enum Fit {
    At(usize),
    /// The first so many axes of the domain become rows.
    Split(usize),
    /// The domain becomes the rows, with these columns.
    Widen(Vec<usize>),
    /// The group becomes the epilogue of a product.
    Tiled(NodeId),
}

/// Where a fold of products stands in its operand `number` at an index of the group's domain.
pub fn fold_operand_index(
    graph: &Graph,
    node: NodeId,
    number: usize,
    batch: &[(usize, usize)],
    contract: &[(usize, usize)],
    rows: usize,
) -> Vec<AxisMap> {
    let pick = |pair: &(usize, usize)| if number == 0 { pair.0 } else { pair.1 };
    let shape = &graph[graph[node].operands[number]].ty.shape;
    let result = context_index(&graph[node].ty.shape);
    let mut index = vec![AxisMap { axis: None, scale: 1, offset: 0 }; shape.len()];
    for (place, pair) in batch.iter().enumerate() {
        index[pick(pair)] = result[place];
    }
    let mut col = rows;
    for pair in contract {
        if shape[pick(pair)] != 1 {
            index[pick(pair)] = AxisMap { axis: Some(col), scale: 1, offset: 0 };
            col += 1;
        }
    }
    let is_free = |axis: usize| !batch.iter().chain(contract).any(|pair| pick(pair) == axis);
    let left_free = graph[graph[node].operands[0]].ty.rank() - batch.len() - contract.len();
    let first = if number == 0 { batch.len() } else { batch.len() + left_free };
    for (place, axis) in (0..shape.len()).filter(|&axis| is_free(axis)).enumerate() {
        index[axis] = result[first + place];
    }
    index
}

fn use_index(shape: &[usize], index: &[AxisMap], axes: usize) -> UseIndex {
    let wide: Vec<&AxisMap> = shape.iter().zip(index).filter(|(extent, _)| **extent != 1).map(|(_, map)| map).collect();
    let in_order =
        wide.iter().enumerate().all(|(place, map)| **map == AxisMap { axis: Some(place), scale: 1, offset: 0 });
    match (in_order, wide.len() == axes) {
        (true, true) => UseIndex::Identity,
        (true, false) => UseIndex::Prefix(wide.len()),
        (false, _) => UseIndex::Other,
    }
}

/// Calls `found` for everything below `node`, inline or not, with the index it is wanted at; what is not inline is not entered.
fn every(
    graph: &Graph,
    inline: &[bool],
    node: NodeId,
    index: Option<Vec<AxisMap>>,
    found: &mut dyn FnMut(NodeId, Option<Vec<AxisMap>>),
) {
    let mut stack = vec![(node, index)];
    while let Some((node, index)) = stack.pop() {
        found(node, index.clone());
        if inline[node.0 as usize] {
            for (number, &operand) in graph[node].operands.iter().enumerate() {
                let below = index.as_ref().and_then(|index| operand_index(graph, node, number, index));
                stack.push((operand, below));
            }
        }
    }
}

/// As [`every`], for what is not inline.
fn leaves(
    graph: &Graph,
    inline: &[bool],
    node: NodeId,
    index: Option<Vec<AxisMap>>,
    found: &mut dyn FnMut(NodeId, Option<Vec<AxisMap>>),
) {
    every(graph, inline, node, index, &mut |node, index| {
        if !inline[node.0 as usize] {
            found(node, index);
        }
    });
}
