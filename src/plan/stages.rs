//! The stages of a group with rows: which values wait for which folds, and what lies in memory in between.

use super::classify::{Access, access, fold_columns};
use super::fuse::{Fuser, every, leaves};
use super::views::{AxisMap, context_index, operand_index, row_major};
use super::{Group, Home};
use crate::graph::{Graph, NodeId, Op};

impl Fuser<'_> {
    /// Stages and the form of the columns, once all nodes have their place.
    pub(super) fn finish(&mut self, group: usize, staged: &mut [bool]) {
        for context in &mut self.groups[group].contexts {
            context.nodes.sort_unstable();
        }
        let Group { rows: Some(rows), row: Some(row), full, .. } = self.groups[group] else { return };
        let contexts = &self.groups[group].contexts;
        let mut nodes = [contexts[full].nodes.as_slice(), &contexts[row].nodes].concat();
        nodes.sort_unstable();
        let is_at = |node: NodeId, context: usize| self.homes[node.0 as usize] == Some(Home { group, context });
        let is_here = |node: NodeId| is_at(node, full) || is_at(node, row);
        let is_fold = |node: NodeId| fold_columns(self.graph, node).is_some();
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
            match access(&self.graph[node].op) {
                Access::Product => return false,
                Access::Reduction => {
                    let operand = self.graph[node].operands[0];
                    check(operand, Some(context_index(&self.graph[operand].ty.shape)));
                }
                // What is emitted does not lie in memory as it is computed.
                Access::View if matches!(self.graph[node].op, Op::Emit { .. }) => return false,
                Access::Source
                | Access::Point
                | Access::View
                | Access::Pick
                | Access::Join
                | Access::Loop
                | Access::Foreign => {
                    for (number, &operand) in self.graph[node].operands.iter().enumerate() {
                        check(operand, operand_index(self.graph, node, number, &index));
                    }
                }
            }
        }
        for &node in contexts[row].nodes.iter().filter(|node| fold_columns(self.graph, **node).is_some()) {
            let is_product = access(&self.graph[node].op) == Access::Product;
            for (number, &operand) in self.graph[node].operands.iter().enumerate() {
                let index = match is_product {
                    true => fold_operand_index(self.graph, node, number, rows),
                    false => context_index(&self.graph[operand].ty.shape),
                };
                check(operand, Some(index));
            }
        }
        even
    }
}

/// Where a fold of products stands in its operand `number` at an index of the group's domain.
pub fn fold_operand_index(graph: &Graph, node: NodeId, number: usize, rows: usize) -> Vec<AxisMap> {
    let Op::Contract { batch, contract } = &graph[node].op else { unreachable!("{node} is no product") };
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
