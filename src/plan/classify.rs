//! Which nodes their users evaluate where they stand: index maps, constants, and trivialities of the data.

use super::PlanOptions;
use super::products::{as_one, contract_axes};
use super::views::{canonical, strided};
use crate::graph::{Binary, Graph, NodeId, Op, Role, Unary};
use crate::numerics::sums::contracts_interleaved;

/// Index maps behind one another that are followed without storing a value in between.
const VIEW_DEPTH: usize = 24;

/// Operations on data that are repeated by every user.
const TRIVIAL_DEPTH: usize = 4;

/// Which nodes their users evaluate in place.
pub(super) fn classify(graph: &Graph, options: &PlanOptions) -> Vec<bool> {
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
            Op::Transpose { .. }
                if users[node.operands[0].0 as usize] == 1 && is_thin(graph, node.operands[0], &inline) =>
            {
                // The product is computed where its elements come to lie: its lanes run along the axis that is last then.
                inline[node.operands[0].0 as usize] = true;
            }
            Op::StopGradient | Op::Broadcast { .. } | Op::Transpose { .. } | Op::Slice { .. } | Op::Reverse { .. } => {
                inline[at] = shallow;
                trivial[at] = of_data;
            }
            Op::Windows { .. } => inline[at] = shallow,
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
                let several = canonical(&graph[node.operands[0]].ty.shape[*axis..axis + count]).len() > 1;
                if several && fold_columns(graph, id).is_some() {
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
                if is_interleaved(graph, id) && as_one(&axes.depth).is_none() {
                    for &operand in &node.operands {
                        inline[operand.0 as usize] = false;
                    }
                }
            }
            Op::Step(_) | Op::Emit { .. } => {
                inline[at] = shallow;
                trivial[at] = of_data;
            }
            Op::Gather { .. } => inline[node.operands[0].0 as usize] = false,
            Op::Scan(_) => node.operands.iter().for_each(|operand| inline[operand.0 as usize] = false),
            Op::Pad { .. }
            | Op::Concat { .. }
            | Op::ArgMax { .. }
            | Op::ArgMin { .. }
            | Op::ArgSort { .. }
            | Op::ScatterAdd { .. }
            | Op::Result(_)
            | Op::Uniform { .. } => {}
            Op::SumBatch | Op::Orthogonalize => panic!("{:?} has no place in a plan", node.op),
        }
    }
    for output in &graph.outputs {
        inline[output.node.0 as usize] = false;
    }
    inline
}

/// How an operation relates its elements to those of its operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It has no operands.
    Source,
    /// Element by element.
    Point,
    /// The operand's elements at other places.
    View,
    /// Many elements of one operand for each.
    Reduction,
    /// Many elements of two operands for each.
    Product,
    /// The elements of one operand at places that the other names.
    Pick,
    /// The operands are parts of the result, or are read whole before it is written.
    Join,
    /// A loop over time.
    Loop,
    /// Not for a plan.
    Foreign,
}

/// How an operation relates its elements to those of its operands.
pub fn access(op: &Op) -> Access {
    match op {
        Op::Input(_) | Op::Constant(_) | Op::Iota { .. } | Op::Result(_) => Access::Source,
        Op::Unary(_) | Op::Binary(_) | Op::Select | Op::Convert | Op::Uniform { .. } => Access::Point,
        Op::Broadcast { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Reverse { .. }
        | Op::Windows { .. }
        | Op::Step(_)
        | Op::Emit { .. }
        | Op::StopGradient => Access::View,
        Op::Gather { .. } => Access::Pick,
        Op::Scan(_) => Access::Loop,
        Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. } => Access::Reduction,
        Op::Contract { .. } => Access::Product,
        Op::Pad { .. } | Op::Concat { .. } | Op::ScatterAdd { .. } | Op::ArgSort { .. } => Access::Join,
        Op::SumBatch | Op::Orthogonalize => Access::Foreign,
    }
}

/// The columns of a node that is folded along rows: what it combines are the last axes of its operands, more than one element.
pub fn fold_columns(graph: &Graph, node: NodeId) -> Option<Vec<usize>> {
    let operand = |number: usize| &graph[graph[node].operands[number]].ty.shape;
    let (axis, count) = match &graph[node].op {
        Op::Reduce { axis, count, .. } => (*axis, *count),
        Op::ArgMax { axis } | Op::ArgMin { axis } => (*axis, 1),
        Op::Contract { contract, .. } => {
            let cols: Vec<usize> = contract.iter().map(|&(axis, _)| operand(0)[axis]).collect();
            return is_interleaved(graph, node).then(|| canonical(&cols));
        }
        Op::Input(_)
        | Op::Constant(_)
        | Op::Iota { .. }
        | Op::Unary(_)
        | Op::Binary(_)
        | Op::Select
        | Op::Convert
        | Op::Broadcast { .. }
        | Op::Reshape
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Pad { .. }
        | Op::Concat { .. }
        | Op::Reverse { .. }
        | Op::Windows { .. }
        | Op::Uniform { .. }
        | Op::Gather { .. }
        | Op::ArgSort { .. }
        | Op::ScatterAdd { .. }
        | Op::Scan(_)
        | Op::Result(_)
        | Op::Step(_)
        | Op::Emit { .. }
        | Op::StopGradient
        | Op::SumBatch
        | Op::Orthogonalize => return None,
    };
    let cols = canonical(&operand(0)[axis..axis + count]);
    (!cols.is_empty() && canonical(&operand(0)[axis + count..]).is_empty()).then_some(cols)
}

/// Whether the graph adds a product up in interleaved partial sums.
pub(super) fn is_interleaved(graph: &Graph, node: NodeId) -> bool {
    let Op::Contract { batch, contract } = &graph[node].op else { return false };
    let shape = |number: usize| &graph[graph[node].operands[number]].ty.shape;
    contracts_interleaved(shape(0), shape(1), batch, contract)
}

/// Whether the node is a product without rows, columns or depth, in which tiles would be idle.
pub(super) fn is_thin(graph: &Graph, node: NodeId, inline: &[bool]) -> bool {
    matches!(graph[node].op, Op::Contract { .. })
        && !is_interleaved(graph, node)
        && contract_axes(graph, node, inline)
            .is_some_and(|axes| axes.row_count() <= 1 || axes.cols.extent <= 1 || axes.length() <= 1)
}

/// Sees to it that `node` is stored or another shape of something stored.
fn store(graph: &Graph, mut node: NodeId, inline: &mut [bool]) {
    while inline[node.0 as usize] && matches!(graph[node].op, Op::Reshape | Op::StopGradient) {
        node = graph[node].operands[0];
    }
    inline[node.0 as usize] = false;
}

/// Whether an operation costs about as much as reading its result.
pub(super) fn is_cheap(op: &Op) -> bool {
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
        Op::Binary(binary) => !matches!(binary, Binary::Pow | Binary::Div),
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
        | Op::Windows { .. }
        | Op::Reduce { .. }
        | Op::ArgMax { .. }
        | Op::ArgMin { .. }
        | Op::Contract { .. }
        | Op::Uniform { .. }
        | Op::Gather { .. }
        | Op::ArgSort { .. }
        | Op::ScatterAdd { .. }
        | Op::Scan(_)
        | Op::Result(_)
        | Op::Step(_)
        | Op::Emit { .. }
        | Op::StopGradient
        | Op::SumBatch
        | Op::Orthogonalize => false,
    }
}
