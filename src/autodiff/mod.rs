//! Reverse-mode differentiation, graph to graph.
//!
//! In: a graph with its batch axis and a scalar loss in it. Out: the same graph with the backward part appended and, for each value
//! asked about, the node that holds the gradient of the loss with respect to it.
//!
//! From the loss back, each node's *cotangent* (the derivative of the loss with respect to the node) is handed on to its
//! operands by one rule per operation, see [`rules`]. Where a value is used several times its cotangents are added, the latest use first.
//! What no gradient asked for needs is left for `simplify` to drop.
//!
//! The branch of an `if` that is not taken has no say, whatever it would have come to. In `if x > 0 then x else exp(x) - 1` the
//! cotangent of the second branch is 0 at x = 1000, but times the slope of the exponential that would be 0 · ∞. So a
//! cotangent that comes from a branch keeps the condition under which it counts, its *guard*, and is masked by it once more
//! where it leaves the branch.

mod loops;
mod rules;
mod windows;

use crate::graph::{Binary, Builder, DType, NodeId, Op, Scalar, TensorType, Unary, verify};
use std::collections::BTreeMap;

/// Appends the gradients of `loss`, an f32 scalar, with respect to `wrt`, in that order and each of its value's shape. The gradient
/// with respect to what the loss does not depend on is zero.
pub fn gradients(builder: &mut Builder, loss: NodeId, wrt: &[NodeId]) -> Vec<NodeId> {
    assert_eq!(*builder.ty(loss), TensorType::f32([]), "the loss of {}", builder.graph.name);
    let outer = builder.origin;
    let one = builder.f32(1.0);
    let found = pull_back(builder, &[(loss, one)], wrt);
    let results = wrt.iter().zip(found).map(|(&value, gradient)| match gradient {
        Some(gradient) => gradient,
        None => {
            let zero = builder.f32(0.0);
            let shape = builder.shape(value).to_vec();
            builder.broadcast_suffix(zero, &shape)
        }
    });
    let results = results.collect();
    builder.origin = outer;
    verify::check(&builder.graph, "differentiate");
    results
}

/// Appends the cotangents of `wrt`, given those of some values; none where the values do not depend on it.
fn pull_back(builder: &mut Builder, seeds: &[(NodeId, NodeId)], wrt: &[NodeId]) -> Vec<Option<NodeId>> {
    let active = active(builder, wrt);
    let mut gathered: Vec<Gathered> = vec![Gathered::default(); active.len()];
    for &(value, cotangent) in seeds {
        gathered[value.0 as usize].add(builder, Cotangent::plain(cotangent));
    }
    let mut results: Vec<Option<Cotangent>> = vec![None; active.len()];
    // For each loop the cotangents of its results.
    let mut loops: BTreeMap<NodeId, Vec<Option<NodeId>>> = BTreeMap::new();
    for id in (0..active.len() as u32).rev().map(NodeId) {
        if !active[id.0 as usize] {
            continue;
        }
        builder.origin = builder.graph[id].origin;
        if let Op::Scan(scan) = &builder.graph[id].op {
            let Some(cotangents) = loops.remove(&id) else { continue };
            let (scan, operands) = (scan.clone(), builder.graph[id].operands.clone());
            let wanted: Vec<bool> = operands.iter().map(|operand| active[operand.0 as usize]).collect();
            let contributions = loops::pull_back_scan(builder, id, &scan, &cotangents, &wanted);
            for (operand, contribution) in operands.into_iter().zip(contributions) {
                let Some(contribution) = contribution else { continue };
                gathered[operand.0 as usize].add(builder, Cotangent::plain(contribution));
            }
            continue;
        }
        let Some(cotangent) = std::mem::take(&mut gathered[id.0 as usize]).total(builder, id) else { continue };
        results[id.0 as usize] = Some(cotangent.clone());
        let operands = builder.graph[id].operands.clone();
        match builder.graph[id].op.clone() {
            Op::Result(number) => {
                let Op::Scan(scan) = &builder.graph[operands[0]].op else { unreachable!("a result of a loop") };
                let empty = vec![None; scan.results()];
                let value = cotangent.masked(builder);
                let slot = &mut loops.entry(operands[0]).or_insert(empty)[number];
                *slot = Some(match slot.take() {
                    Some(sum) => builder.add(sum, value),
                    None => value,
                });
            }
            Op::Slice { start, .. } if active[operands[0].0 as usize] => {
                let value = cotangent.masked(builder);
                gathered[operands[0].0 as usize].pieces.push((start, value));
            }
            _ => {
                for (operand, contribution) in contributions(builder, id, cotangent) {
                    if active[operand.0 as usize] {
                        let contribution = contribution.of_shape(builder, operand);
                        gathered[operand.0 as usize].add(builder, contribution);
                    }
                }
            }
        }
    }
    wrt.iter().map(|value| results[value.0 as usize].clone().map(|cotangent| cotangent.masked(builder))).collect()
}

/// What the users of a node have handed on to it so far.
#[derive(Clone, Debug, Default)]
struct Gathered {
    sum: Option<Cotangent>,
    /// From slices of it: where each begins.
    pieces: Vec<(Vec<usize>, NodeId)>,
}

impl Gathered {
    fn add(&mut self, b: &mut Builder, cotangent: Cotangent) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum.plus(b, cotangent),
            None => cotangent,
        });
    }

    fn total(mut self, b: &mut Builder, id: NodeId) -> Option<Cotangent> {
        let shape = b.shape(id).to_vec();
        for value in joined(b, std::mem::take(&mut self.pieces), &shape) {
            self.add(b, Cotangent::plain(value));
        }
        self.sum
    }
}

/// The cotangents of slices as such of the whole: one behind the other where they do not overlap along the one axis that they cut,
/// else each among zeros.
fn joined(b: &mut Builder, mut pieces: Vec<(Vec<usize>, NodeId)>, whole: &[usize]) -> Vec<NodeId> {
    let cut = |b: &Builder, axis: usize| pieces.iter().any(|(_, piece)| b.shape(*piece)[axis] != whole[axis]);
    let axes: Vec<usize> = (0..whole.len()).filter(|&axis| cut(b, axis)).collect();
    if let ([axis], true) = (axes.as_slice(), pieces.len() > 1) {
        let axis = *axis;
        pieces.sort_by_key(|(start, _)| start[axis]);
        let end = |b: &Builder, (start, piece): &(Vec<usize>, NodeId)| start[axis] + b.shape(*piece)[axis];
        if pieces.windows(2).all(|pair| end(b, &pair[0]) <= pair[1].0[axis]) {
            let mut parts = Vec::new();
            let mut at = 0;
            let zeros = |b: &mut Builder, parts: &mut Vec<NodeId>, from: usize, to: usize| {
                if from < to {
                    let zero = b.f32(0.0);
                    let mut shape = whole.to_vec();
                    shape[axis] = to - from;
                    parts.push(b.broadcast_suffix(zero, &shape));
                }
            };
            for piece in &pieces {
                zeros(b, &mut parts, at, piece.0[axis]);
                parts.push(piece.1);
                at = end(b, piece);
            }
            zeros(b, &mut parts, at, whole[axis]);
            return vec![b.concat(&parts, axis)];
        }
    }
    let among_zeros = |(start, piece): (Vec<usize>, NodeId)| {
        let high: Vec<usize> =
            whole.iter().zip(b.shape(piece)).zip(&start).map(|((whole, part), low)| whole - part - low).collect();
        b.pad(piece, &start, &high)
    };
    pieces.into_iter().map(among_zeros).collect()
}

/// Which nodes are f32 and depend on one of `wrt`.
fn active(builder: &Builder, wrt: &[NodeId]) -> Vec<bool> {
    let mut active = vec![false; builder.graph.nodes.len()];
    for value in wrt {
        active[value.0 as usize] = true;
    }
    for id in builder.graph.ids() {
        let node = &builder.graph[id];
        let reached = node.operands.iter().any(|operand| active[operand.0 as usize]);
        active[id.0 as usize] = node.ty.dtype == DType::F32 && (reached || active[id.0 as usize]);
    }
    active
}

/// How many conditions a guard holds at most; of a deeper nest the outermost are forgotten.
const DEEPEST_GUARD: usize = 8;

/// The derivative of the loss with respect to a node, of the node's shape (or, before it is gathered, of a stretch of it).
#[derive(Clone, Debug)]
struct Cotangent {
    value: NodeId,
    /// It is 0 where one of these conditions does not have this value.
    guard: Vec<(NodeId, bool)>,
    /// Whether `value` may be something else there.
    tainted: bool,
}

impl Cotangent {
    fn plain(value: NodeId) -> Cotangent {
        Cotangent { value, guard: Vec::new(), tainted: false }
    }

    /// The value, 0 where the guard says so.
    fn masked(&self, b: &mut Builder) -> NodeId {
        if !self.tainted {
            return self.value;
        }
        let zero = b.f32(0.0);
        self.guard.iter().fold(self.value, |value, &(condition, holds)| match holds {
            true => b.select(condition, value, zero),
            false => b.select(condition, zero, value),
        })
    }

    fn plus(self, b: &mut Builder, other: Cotangent) -> Cotangent {
        if self.guard == other.guard {
            let value = b.add(self.value, other.value);
            return Cotangent { value, guard: self.guard, tainted: self.tainted || other.tainted };
        }
        let (left, right) = (self.masked(b), other.masked(b));
        Cotangent::plain(b.add(left, right))
    }

    /// That of an operand: one that was stretched gathers the cotangents of all its repetitions.
    fn of_shape(self, b: &mut Builder, operand: NodeId) -> Cotangent {
        if b.shape(operand) == b.shape(self.value) {
            return self;
        }
        let shape = b.shape(operand).to_vec();
        let value = self.masked(b);
        Cotangent::plain(b.sum_to_suffix(value, &shape))
    }
}

/// What the node hands on to each of its operands (of a product with windows: to what they are windows of).
fn contributions(b: &mut Builder, id: NodeId, cotangent: Cotangent) -> Vec<(NodeId, Cotangent)> {
    let operands = b.graph[id].operands.clone();
    let to_operands = |values: Vec<Option<Cotangent>>| -> Vec<(NodeId, Cotangent)> {
        operands.into_iter().zip(values).filter_map(|(operand, value)| Some((operand, value?))).collect()
    };
    match b.graph[id].op {
        Op::Select => {
            let condition = b.graph[id].operands[0];
            let masked = cotangent.masked(b);
            let guarded = |(branch, value): (usize, Option<NodeId>)| {
                let mut guard = cotangent.guard.clone();
                guard.push((condition, branch == 1));
                let outermost = guard.len().saturating_sub(DEEPEST_GUARD);
                Some(Cotangent { value: value?, guard: guard.split_off(outermost), tainted: false })
            };
            to_operands(rules::apply(b, id, masked).into_iter().enumerate().map(guarded).collect())
        }
        Op::Unary(_) | Op::Binary(_) => {
            let tainted = cotangent.tainted || (!cotangent.guard.is_empty() && !keeps_zero(b, id));
            let guarded = |value: NodeId| Cotangent { value, guard: cotangent.guard.clone(), tainted };
            to_operands(rules::apply(b, id, cotangent.value).into_iter().map(|value| value.map(guarded)).collect())
        }
        Op::Contract { .. } => {
            let masked = cotangent.masked(b);
            rules::product(b, id, masked).into_iter().map(|(node, value)| (node, Cotangent::plain(value))).collect()
        }
        _ => {
            let masked = cotangent.masked(b);
            to_operands(rules::apply(b, id, masked).into_iter().map(|value| value.map(Cotangent::plain)).collect())
        }
    }
}

/// Whether the rule of an elementwise operation turns a cotangent of 0 into 0 whatever the operands are.
fn keeps_zero(b: &Builder, id: NodeId) -> bool {
    let node = &b.graph[id];
    let is_constant = |operand: NodeId| match b.graph[operand].op {
        Op::Constant(Scalar::F32(factor)) => factor.is_normal(),
        _ => false,
    };
    match node.op {
        Op::Unary(Unary::Neg) | Op::Binary(Binary::Add | Binary::Sub | Binary::Max | Binary::Min) => true,
        Op::Binary(Binary::Mul) => node.operands.iter().any(|&operand| is_constant(operand)),
        Op::Binary(Binary::Div) => is_constant(node.operands[1]),
        _ => false,
    }
}
