//! What need not wait for the step before is done for all steps at once, before the loop.
//!
//! In: the graph of one sample. Out: the same with less in the regions of its loops. A product (or a row picked from a table) that hangs on
//! the sequences and on what is captured, but on no state, is computed for the whole sequence: `x_t @ W` of every step
//! becomes one `x @ W`, whose rows the loop is given. What hangs on nothing that changes from step to step is computed once.
//!
//! ```text
//! scan x_t over x from h, with W, U { h = tanh(x_t @ W + h @ U) }
//! →   a = x @ W;  scan a_t over a from h, with U { h = tanh(a_t + h @ U) }
//! ```

use super::{Builder, Graph, Input, Node, NodeId, Op, Output, Role, Scan, Time, batch, simplify, verify};
use std::sync::Arc;

/// The graph with all loops relieved, inner loops first.
pub fn hoist(graph: &Graph) -> Graph {
    if !graph.nodes.iter().any(|node| matches!(node.op, Op::Scan(_))) {
        return graph.clone();
    }
    let mut builder = Builder::on(Graph { nodes: Vec::new(), outputs: Vec::new(), ..graph.clone() });
    let mut values: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for Node { op, operands, ty, origin } in &graph.nodes {
        builder.origin = *origin;
        let operands: Vec<NodeId> = operands.iter().map(|operand| values[operand.0 as usize]).collect();
        values.push(match op {
            Op::Scan(scan) => relieve(&mut builder, scan, operands),
            op => builder.push(op.clone(), operands, ty.clone()),
        });
    }
    builder.graph.outputs = (graph.outputs.iter())
        .map(|output| Output { node: values[output.node.0 as usize], ..output.clone() })
        .collect();
    let result = simplify::simplify(&builder.graph);
    verify::check(&result, "hoist");
    result
}

/// On what a value of a region hangs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Varies {
    /// On nothing that changes from step to step.
    Never,
    /// On the sequences.
    WithSequences,
    /// On a state.
    WithStates,
}

fn relieve(builder: &mut Builder, scan: &Arc<Scan>, operands: Vec<NodeId>) -> NodeId {
    let mut scan = Scan { region: hoist(&scan.region), ..(**scan).clone() };
    let is_plain = scan.over.iter().all(|time| time.axis == 0) && scan.extent > 0;
    let varies = varies(&scan);
    let (once, stacked) = frontier(&scan, &varies);
    let stacked = if is_plain { stacked } else { Vec::new() };
    if once.is_empty() && stacked.is_empty() {
        return builder.push(Op::Scan(Arc::new(scan)), operands, super::TensorType::f32([0]));
    }

    // What is done before the loop, on whole sequences.
    let whole: Vec<NodeId> = (operands.iter().enumerate())
        .map(|(number, &operand)| match scan.over.get(number) {
            Some(time) if time.reversed => builder.reverse(operand, time.axis),
            _ => operand,
        })
        .collect();
    let part = |outputs: &[NodeId]| Graph {
        outputs: outputs.iter().map(|&node| Output { name: String::new(), node, updates: None }).collect(),
        ..scan.region.clone()
    };
    let mut before = |outputs: &[NodeId], mapped: bool| -> Vec<NodeId> {
        let region = simplify::sweep(&part(outputs));
        let (region, given) = only_used_inputs(region);
        let operands: Vec<NodeId> = given.iter().map(|&number| whole[number]).collect();
        match mapped {
            false => batch::inline(builder, &region, &operands),
            true => {
                let along: Vec<bool> = given.iter().map(|&number| number < scan.over.len()).collect();
                batch::inline_batched(builder, &region, &operands, &along, scan.extent)
            }
        }
    };
    let once_outside = before(&once, false);
    let stacked_outside = before(&stacked, true);

    // The loop reads them as further operands: sequences behind the others, the rest at the end.
    let old = scan.over.len();
    let added = stacked.len();
    let mut region = scan.region.clone();
    let input = |id: NodeId, role: Role| Input { name: "hoisted".to_owned(), role, ty: scan.region[id].ty.clone() };
    let new_sequences = stacked.iter().map(|&id| input(id, Role::Data));
    let tail = region.inputs.split_off(old);
    region.inputs.extend(new_sequences);
    region.inputs.extend(tail);
    let last = region.inputs.len();
    region.inputs.extend(once.iter().map(|&id| input(id, Role::Setting)));
    for (at, node) in region.nodes.iter_mut().enumerate() {
        let id = NodeId::from_index(at);
        let place = |list: &[NodeId]| list.iter().position(|&other| other == id);
        if let Op::Input(number) = &mut node.op {
            *number += if *number >= old { added } else { 0 };
        } else if let Some(place) = place(&stacked) {
            (node.op, node.operands) = (Op::Input(old + place), Vec::new());
        } else if let Some(place) = place(&once) {
            (node.op, node.operands) = (Op::Input(last + place), Vec::new());
        }
    }
    scan.region = region;
    scan.over.extend(vec![Time::along(0); added]);
    let mut all = operands;
    all.splice(old..old, stacked_outside);
    all.extend(once_outside);
    builder.scan(scan, &all)
}

fn varies(scan: &Scan) -> Vec<Varies> {
    let mut result: Vec<Varies> = Vec::with_capacity(scan.region.nodes.len());
    for node in &scan.region.nodes {
        result.push(match node.op {
            Op::Input(number) => match scan.role(number) {
                Role::Data => Varies::WithSequences,
                Role::State => Varies::WithStates,
                Role::Param | Role::Setting => Varies::Never,
            },
            _ => node.operands.iter().map(|operand| result[operand.0 as usize]).max().unwrap_or(Varies::Never),
        });
    }
    result
}

/// The values that are computed before the loop: once, and for every step. Of a chain the last that is worth it; what is cheap is computed
/// where it is wanted.
fn frontier(scan: &Scan, varies: &[Varies]) -> (Vec<NodeId>, Vec<NodeId>) {
    let region = &scan.region;
    // A value that may move and is needed by nothing but values that move has moved with them.
    let mut needed_inside = vec![false; region.nodes.len()];
    let mut outputs = vec![false; region.nodes.len()];
    for output in &region.outputs {
        outputs[output.node.0 as usize] = true;
    }
    let (mut once, mut stacked) = (Vec::new(), Vec::new());
    for id in region.ids().rev() {
        let at = id.0 as usize;
        if !(outputs[at] || needed_inside[at]) {
            continue;
        }
        let op = &region[id].op;
        let moves = match varies[at] {
            Varies::Never => is_worth_moving(op),
            Varies::WithSequences => matches!(op, Op::Contract { .. } | Op::Gather { .. }),
            Varies::WithStates => false,
        };
        match (moves, varies[at]) {
            (true, Varies::Never) => once.push(id),
            (true, _) => stacked.push(id),
            (false, _) => region[id].operands.iter().for_each(|operand| needed_inside[operand.0 as usize] = true),
        }
    }
    (once, stacked)
}

/// Whether an operation that is the same in every step is worth a value of its own.
fn is_worth_moving(op: &Op) -> bool {
    match op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::ArgSort { .. }
        | Op::Contract { .. }
        | Op::Gather { .. }
        | Op::ScatterAdd { .. }
        | Op::Result(_) => true,
        Op::Input(_)
        | Op::Constant(_)
        | Op::Iota { .. }
        | Op::Select
        | Op::Convert
        | Op::Broadcast { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Reverse { .. }
        | Op::Windows { .. }
        | Op::Scan(_)
        | Op::Step(_)
        | Op::Emit { .. }
        | Op::Uniform { .. }
        | Op::StopGradient
        | Op::SumBatch
        | Op::Orthogonalize => false,
    }
}

/// The region without inputs that it does not read, and which it reads.
fn only_used_inputs(mut region: Graph) -> (Graph, Vec<usize>) {
    let mut used: Vec<usize> = region
        .nodes
        .iter()
        .filter_map(|node| if let Op::Input(number) = node.op { Some(number) } else { None })
        .collect();
    used.sort_unstable();
    used.dedup();
    for node in &mut region.nodes {
        if let Op::Input(number) = &mut node.op {
            *number = used.binary_search(number).expect("every input read is listed");
        }
    }
    region.inputs = used.iter().map(|&number| region.inputs[number].clone()).collect();
    (region, used)
}
