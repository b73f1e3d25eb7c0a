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

use super::classify::{Access, access, classify, fold_columns, is_cheap, is_thin};
use super::order::Order;
use super::products::contract_axes;
use super::stages::fold_operand_index;
use super::views::{AxisMap, canonical, context_index, operand_index};
use super::{Context, ContextKind, Group, GroupKind, Home, PlanOptions};
use crate::graph::{Graph, NodeId, Op};

/// Products of at most so many multiplications are computed by plain loops.
const DIRECT_WORK: u64 = 16 * 1024;

/// Full reductions share a kernel with what follows them only up to that many elements: such a kernel has one row.
const SINGLE_ROW: usize = 16 * 1024;

/// So many groups of users are tried.
const CANDIDATES: usize = 8;

/// More nodes than this do not meet in one group.
const GROUP_NODES: usize = 256;

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
pub(super) enum Form {
    /// One value from values at the same place, perhaps with a loop of its own inside.
    Point,
    /// One value per row from all columns.
    Fold { rows: Vec<usize>, cols: Vec<usize> },
    /// Tiles.
    Product,
    /// Parts of a whole.
    Join,
    /// A loop over time.
    Loop,
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
        mentioned: Vec::new(),
        order: Order::default(),
        homes: vec![None; count],
        uses: vec![Vec::new(); count],
        results: vec![Vec::new(); count],
    };
    for id in graph.ids().filter(|id| matches!(graph[*id].op, Op::Result(_))) {
        fuser.results[graph[id].operands[0].0 as usize].push(id);
    }
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

/// What matters of a group to those who would join it.
#[derive(Clone, Copy, Default)]
struct Traits {
    nodes: usize,
    /// Something in it would run badly with one value at a time.
    heavy: bool,
    /// It writes into an input.
    updates: bool,
}

/// The state of grouping.
pub(super) struct Fuser<'a> {
    pub(super) graph: &'a Graph,
    fuse: bool,
    pub(super) inline: Vec<bool>,
    /// For a node with one value per row: the columns of the fold it comes from.
    row_sources: Vec<Option<Vec<usize>>>,
    updated: Vec<bool>,
    wanted: Vec<bool>,
    pub(super) groups: Vec<Group>,
    traits: Vec<Traits>,
    /// The nodes at home in each group or wanted there.
    mentioned: Vec<Vec<NodeId>>,
    order: Order,
    pub(super) homes: Vec<Option<Home>>,
    uses: Vec<Vec<Use>>,
    /// The results of each loop.
    results: Vec<Vec<NodeId>>,
}

impl Fuser<'_> {
    fn shape(&self, node: NodeId) -> Vec<usize> {
        canonical(&self.graph[node].ty.shape)
    }

    pub(super) fn form(&self, node: NodeId) -> Form {
        if let Some(cols) = fold_columns(self.graph, node) {
            return Form::Fold { rows: self.shape(node), cols };
        }
        match access(&self.graph[node].op) {
            Access::Source | Access::Point | Access::View | Access::Reduction | Access::Pick => Form::Point,
            Access::Loop => Form::Loop,
            Access::Product => {
                let axes = contract_axes(self.graph, node, &self.inline).expect("operands are views");
                if is_thin(self.graph, node, &self.inline) || axes.work() <= DIRECT_WORK {
                    Form::Point
                } else {
                    Form::Product
                }
            }
            Access::Join => Form::Join,
            Access::Foreign => unreachable!("{:?} is not computed", self.graph[node].op),
        }
    }

    fn find_row_sources(&self) -> Vec<Option<Vec<usize>>> {
        let mut sources: Vec<Option<Vec<usize>>> = Vec::with_capacity(self.graph.nodes.len());
        for id in self.graph.ids() {
            let node = &self.graph[id];
            let shape = self.shape(id);
            let source = match access(&node.op) {
                Access::Reduction | Access::Product => fold_columns(self.graph, id),
                Access::Point | Access::View => {
                    let same = node.operands.iter().filter(|operand| self.shape(**operand) == shape);
                    same.filter_map(|operand| sources[operand.0 as usize].clone()).next()
                }
                Access::Source | Access::Pick | Access::Join | Access::Loop | Access::Foreign => None,
            };
            sources.push(source);
        }
        sources
    }

    fn assign(&mut self, id: NodeId) {
        let at = id.0 as usize;
        if let Op::Scan(_) = self.graph[id].op {
            self.assign_loop(id);
            return;
        }
        if matches!(self.graph[id].op, Op::Input(_) | Op::Result(_))
            || self.inline[at]
            || (self.uses[at].is_empty() && !self.wanted[at])
        {
            return;
        }
        let form = self.form(id);
        let joined = if self.fuse { self.join(id, &form) } else { None };
        let home = joined.unwrap_or_else(|| self.begin(id, &form));
        self.homes[at] = Some(home);
        self.mentioned[home.group].push(id);
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

    /// A group of its own for a loop, at home in which are its results.
    fn assign_loop(&mut self, id: NodeId) {
        let results = std::mem::take(&mut self.results[id.0 as usize]);
        let is_wanted = |node: &NodeId| !self.uses[node.0 as usize].is_empty() || self.wanted[node.0 as usize];
        if !results.iter().any(is_wanted) {
            return;
        }
        let home = self.begin(id, &Form::Loop);
        for node in results.into_iter().chain([id]) {
            self.homes[node.0 as usize] = Some(home);
            self.mentioned[home.group].push(node);
            self.groups[home.group].contexts[home.context].nodes.push(node);
            for other in self.uses[node.0 as usize].iter().map(|u| u.home.group).collect::<Vec<_>>() {
                self.order.put(home.group, other);
            }
        }
        self.traits[home.group].nodes = GROUP_NODES;
        self.record_operands(id, home, &Form::Loop);
    }

    /// A group of its own for a node.
    fn begin(&mut self, id: NodeId, form: &Form) -> Home {
        let (kind, domain, rows) = match form {
            Form::Point => (GroupKind::Nest, self.shape(id), None),
            Form::Fold { rows, cols } => (GroupKind::Nest, [rows.as_slice(), cols].concat(), Some(rows.len())),
            Form::Product => (GroupKind::Product(id), self.shape(id), None),
            Form::Join => (GroupKind::Join(id), self.shape(id), None),
            Form::Loop => (GroupKind::Loop(id), Vec::new(), None),
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
            body: None,
        });
        self.traits.push(Traits::default());
        self.mentioned.push(Vec::new());
        Home { group: self.order.push_front(), context }
    }

    /// The place in a user's group where the node fits.
    fn join(&mut self, id: NodeId, form: &Form) -> Option<Home> {
        let mut groups: Vec<usize> = self.uses[id.0 as usize].iter().map(|u| u.home.group).collect();
        groups.sort_by_key(|&group| self.order.rank(group));
        groups.dedup();
        let mut found: Option<usize> = None;
        for &group in groups.iter().take(CANDIDATES) {
            if self.fit(id, form, group).is_none() {
                continue;
            }
            if !self.order.allows(group, &groups) {
                continue;
            }
            match found {
                None => found = Some(group),
                // Two groups that want the same value over the same domain share one kernel and one copy of it.
                Some(first) if self.merges(first, group) => self.merge(first, group),
                Some(_) => {}
            }
        }
        let group = found?;
        let fit = self.fit(id, form, group)?;
        Some(self.open(group, fit))
    }

    /// Whether two groups can run in the same loops.
    fn merges(&self, first: usize, second: usize) -> bool {
        let [a, b] = [&self.groups[first], &self.groups[second]];
        let alike = a.kind == GroupKind::Nest && b.kind == GroupKind::Nest && a.domain == b.domain;
        let rows = a.rows.is_none() || b.rows.is_none() || a.rows == b.rows;
        let few = self.traits[first].nodes + self.traits[second].nodes <= GROUP_NODES;
        alike && rows && few && self.order.allows(first, &[second]) && self.order.allows(second, &[first])
    }

    /// Moves all of a group into another.
    fn merge(&mut self, into: usize, from: usize) {
        let Group { rows, row, full, contexts, .. } = std::mem::replace(&mut self.groups[from], empty_group());
        let group = &mut self.groups[into];
        let mut moved = Vec::new();
        for (number, mut context) in contexts.into_iter().enumerate() {
            let place = match (number == full, row == Some(number), group.row) {
                (true, _, _) => group.full,
                (_, true, Some(row)) => row,
                _ => {
                    group.contexts.push(Context { nodes: Vec::new(), ..context.clone() });
                    group.contexts.len() - 1
                }
            };
            if row == Some(number) {
                (group.row, group.rows) = (Some(place), rows);
            }
            group.contexts[place].nodes.append(&mut context.nodes);
            moved.push(place);
        }
        let (a, b) = (self.traits[into], self.traits[from]);
        self.traits[into] =
            Traits { nodes: a.nodes + b.nodes, heavy: a.heavy || b.heavy, updates: a.updates || b.updates };
        for node in std::mem::take(&mut self.mentioned[from]) {
            for home in
                self.homes[node.0 as usize].iter_mut().chain(self.uses[node.0 as usize].iter_mut().map(|u| &mut u.home))
            {
                if home.group == from {
                    *home = Home { group: into, context: moved[home.context] };
                }
            }
            self.mentioned[into].push(node);
        }
        self.order.merge(into, from);
    }

    /// How the node fits into the group of some of its users.
    fn fit(&self, id: NodeId, form: &Form, group: usize) -> Option<Fit> {
        let (inside, outside): (Vec<Use>, Vec<Use>) =
            self.uses[id.0 as usize].iter().partition(|u| u.home.group == group);
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
                    // Inside the loop of a reduction a value is for that alone: stored, it is better computed along its rows.
                    let alone = outside.is_empty() && !self.wanted[id.0 as usize];
                    let is_under = matches!(contexts[first].kind, ContextKind::Under(node, _) if !self.is_join(node));
                    return (!is_under || alone).then_some(Fit::At(first));
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
            Form::Join | Form::Loop => None,
        }
    }

    fn is_join(&self, id: NodeId) -> bool {
        access(&self.graph[id].op) == Access::Join
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
        let full = Home { context: self.groups[home.group].full, ..home };
        let own = |node: NodeId| context_index(&self.graph[node].ty.shape);
        match (access(&self.graph[id].op), form) {
            (Access::Product, Form::Fold { rows, .. }) => {
                for (number, &operand) in operands.iter().enumerate() {
                    let index = fold_operand_index(self.graph, id, number, rows.len());
                    self.record(id, full, operand, Some(index));
                }
            }
            (Access::Product, Form::Point | Form::Product | Form::Join | Form::Loop) => {
                for &operand in &operands {
                    self.record(id, home, operand, None);
                }
            }
            (Access::Reduction, Form::Fold { .. }) => self.record(id, full, operands[0], Some(own(operands[0]))),
            (Access::Reduction, _) if self.shape(operands[0]) == self.shape(id) => {
                self.record(id, home, operands[0], Some(own(operands[0])));
            }
            (
                Access::Reduction | Access::Join,
                Form::Point | Form::Product | Form::Fold { .. } | Form::Join | Form::Loop,
            ) => {
                for (number, &operand) in operands.iter().enumerate() {
                    self.record_under(id, home, number, operand);
                }
            }
            (Access::Loop, _) => {
                for &operand in &operands {
                    self.record(id, home, operand, None);
                }
            }
            (Access::Source | Access::Point | Access::View | Access::Pick | Access::Foreign, _) => {
                let index = own(id);
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
                self.mentioned[home.group].push(leaf);
            }
        }
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

/// What a group leaves that was merged into another.
fn empty_group() -> Group {
    Group {
        kind: GroupKind::Nest,
        domain: Vec::new(),
        rows: None,
        contexts: vec![Context { kind: ContextKind::Full, domain: Vec::new(), nodes: Vec::new() }],
        full: 0,
        row: None,
        stages: Vec::new(),
        linear: true,
        packed: None,
        body: None,
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
pub(super) fn every(
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
pub(super) fn leaves(
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
