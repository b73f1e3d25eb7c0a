//! A plan as text: the memory, then the groups in running order with their nodes.
//!
//! A node that is stored names its buffer behind an arrow. What stands further in runs inside the node above it.
//!
//! ```text
//! plan Simple.train (arena 3072 bytes, externals 5184 bytes) {
//!   x:   f32[64]  = external 0
//!   %12: f32[512] = arena 0..512, groups 0..3
//!
//!   group 0: nest [32, 10] {
//!     %4: f32[32, 10] = contract ik,kj->ij %0, %1
//!     %5: f32[32, 10] = add %4, %2
//!     %6: f32[32, 10] = max %5, 0.0 -> %6
//!   }
//!   group 1: rows [32], columns [10] {
//!     %9: f32[32] = max %8, axes [1]             ; row, stage 1
//!     %10: f32[32, 10] = sub %8, %9              ; stage 1
//!   }
//! }
//! ```

use super::{Buffer, ContextKind, Group, GroupKind, Plan, Storage};
use crate::graph::{Graph, NodeId, TensorType, print::print_node};
use std::fmt::Write;

/// The text of a plan of that graph.
pub fn print(graph: &Graph, plan: &Plan) -> String {
    let mut text = String::new();
    let externals: usize = plan.buffers[..plan.externals].iter().map(|buffer| 4 * buffer.len).sum();
    let _ = writeln!(text, "plan {} (arena {} bytes, externals {externals} bytes) {{", graph.name, 4 * plan.arena);
    let name = |buffer: &Buffer| {
        let ty = TensorType { dtype: buffer.dtype, shape: vec![buffer.len] };
        format!("{}: {ty}", buffer.name)
    };
    let names: Vec<String> = plan.buffers.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (buffer, name) in plan.buffers.iter().zip(&names) {
        let place = match buffer.storage {
            Storage::External(number) => format!("external {number}"),
            Storage::Arena(offset) => {
                let (first, last) = buffer.lifetime;
                format!("arena {offset}..{}, groups {first}..={last}", offset + buffer.len)
            }
            Storage::Scratch(offset) => {
                format!("scratch {offset}..{}, group {}", offset + buffer.len, buffer.lifetime.0)
            }
        };
        let _ = writeln!(text, "  {name:width$} = {place}");
    }
    for (number, group) in plan.groups.iter().enumerate() {
        let _ = writeln!(text, "\n  group {number}: {} {{", head(plan, group));
        if let Some(buffer) = group.packed {
            let _ = writeln!(text, "    left operand in panels -> {}", plan.buffers[buffer].name);
        }
        let mut outer: Vec<NodeId> = group.contexts[group.full].nodes.clone();
        outer.extend(group.row.map(|row| group.contexts[row].nodes.as_slice()).unwrap_or_default());
        outer.sort_unstable();
        nodes(&mut text, graph, plan, group, &outer, 4);
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

fn head(plan: &Plan, group: &Group) -> String {
    match (group.kind, group.rows) {
        (GroupKind::Nest, None) => format!("nest {:?}", group.domain),
        (GroupKind::Nest, Some(rows)) => {
            format!("rows {:?}, columns {:?}", &group.domain[..rows], &group.domain[rows..])
        }
        (GroupKind::Product(node), _) => format!("product {node} {:?}", group.domain),
        (GroupKind::Loop(node), _) => format!("loop {node}"),
        (GroupKind::Join(node), _) => format!("join {node} {:?}", group.domain),
        (GroupKind::Copy { from, to }, _) => format!("copy {} -> {}", plan.buffers[from].name, plan.buffers[to].name),
    }
}

/// The lines of nodes; those of the contexts below a node stand before it, further in.
fn nodes(text: &mut String, graph: &Graph, plan: &Plan, group: &Group, ids: &[NodeId], indent: usize) {
    for &id in ids {
        for context in &group.contexts {
            if matches!(context.kind, ContextKind::Under(node, _) if node == id) {
                nodes(text, graph, plan, group, &context.nodes, indent + 2);
            }
        }
        let _ = write!(text, "{:indent$}{id}: {} = {}", "", graph[id].ty, print_node(graph, id));
        if let Some(buffer) = plan.stored[id.0 as usize] {
            let _ = write!(text, " -> {}", plan.buffers[buffer].name);
        }
        let is_row = group.row.is_some_and(|row| group.contexts[row].nodes.contains(&id));
        match (group.stage(id), is_row) {
            (0, false) => {}
            (0, true) => text.push_str("  ; row"),
            (stage, false) => _ = write!(text, "  ; stage {stage}"),
            (stage, true) => _ = write!(text, "  ; row, stage {stage}"),
        }
        text.push('\n');
    }
}
