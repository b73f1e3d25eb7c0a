//! The derivative of every operation.
//!
//! Notation: `ct` is the cotangent of the node, of its type; `out` the node itself; `x`, `y` its operands. A rule gives a cotangent per
//! operand, `None` where no gradient flows.
//!
//! At kinks: `max(a, b)` and `min(a, b)` give a tie to `b`; `abs'(0) = 0`; a reduction to the largest or smallest gives all to the
//! first element that is; steps (`floor`, `sign`, comparisons …) have derivative 0. At the edge of a domain the derivative is the limit:
//! `sqrt'(0) = ∞`, `log'(0) = ∞`. `a ^ b` has derivative 0 with respect to `b` at `a = 0`, and with respect to `a` at `b = 0`.

use super::windows;
use crate::graph::{Binary, Builder, DType, NodeId, Op, Reduction, Scalar, Unary};

/// The cotangents of the operands of `out`; of a stretched operand with the shape of the stretch.
pub(super) fn apply(b: &mut Builder, out: NodeId, ct: NodeId) -> Vec<Option<NodeId>> {
    let node = b.graph[out].clone();
    let operand = |number: usize| node.operands[number];
    match &node.op {
        Op::Input(_) | Op::Constant(_) | Op::Iota { .. } => Vec::new(),
        Op::Unary(op) => vec![unary(b, *op, operand(0), out, ct)],
        Op::Binary(op) => match binary(b, *op, operand(0), operand(1), out, ct) {
            Some((x, y)) => vec![Some(x), Some(y)],
            None => vec![None, None],
        },
        Op::Select => {
            let zero = b.f32(0.0);
            let (x, y) = (b.select(operand(0), ct, zero), b.select(operand(0), zero, ct));
            vec![None, Some(x), Some(y)]
        }
        Op::Convert => vec![None],
        Op::Broadcast { axes } => {
            let repeated: Vec<usize> = (0..node.ty.rank()).filter(|axis| !axes.contains(axis)).collect();
            vec![Some(b.sum(ct, &repeated))]
        }
        Op::Reshape => {
            let shape = b.shape(operand(0)).to_vec();
            vec![Some(b.reshape(ct, &shape))]
        }
        Op::Transpose { permutation } => {
            let mut inverse = vec![0; permutation.len()];
            for (to, &from) in permutation.iter().enumerate() {
                inverse[from] = to;
            }
            vec![Some(b.transpose(ct, &inverse))]
        }
        Op::Slice { start, end } => {
            let behind: Vec<usize> = b.shape(operand(0)).iter().zip(end).map(|(extent, end)| extent - end).collect();
            vec![Some(b.pad(ct, start, &behind))]
        }
        Op::Pad { low, .. } => {
            let end: Vec<usize> = b.shape(operand(0)).iter().zip(low).map(|(extent, low)| low + extent).collect();
            vec![Some(b.slice(ct, low, &end))]
        }
        Op::Concat { axis } => {
            let (mut start, mut end) = (vec![0; node.ty.rank()], node.ty.shape.clone());
            let parts = node.operands.iter().map(|&part| {
                end[*axis] = start[*axis] + b.shape(part)[*axis];
                let share = b.slice(ct, &start, &end);
                start[*axis] = end[*axis];
                Some(share)
            });
            parts.collect()
        }
        Op::Reverse { axis } => vec![Some(b.reverse(ct, *axis))],
        Op::Windows { axis, along } => {
            let extent = b.shape(operand(0))[*axis];
            vec![Some(b.overlap(ct, *axis, *along, extent))]
        }
        Op::Reduce { kind, axis, count } => {
            let x = operand(0);
            vec![Some(match kind {
                Reduction::Sum => spread(b, ct, x, *axis, *count), // d Σx = Σ dx
                Reduction::Prod => of_product(b, ct, x, *axis, *count),
                Reduction::Max => extremum(b, ct, x, *axis, *count, Builder::arg_max),
                Reduction::Min => extremum(b, ct, x, *axis, *count, Builder::arg_min),
            })]
        }
        Op::ArgMax { .. } | Op::ArgMin { .. } | Op::ArgSort { .. } => vec![None],
        Op::Contract { .. } => product(b, out, ct).into_iter().map(|(_, value)| Some(value)).collect(),
        // d table[i] = dtable[i]
        Op::Gather { batch } => {
            let (table, indices) = (operand(0), operand(1));
            let rows = b.shape(table)[*batch];
            vec![Some(b.scatter_add(indices, ct, *batch, rows)), None]
        }
        Op::ScatterAdd { batch } => vec![None, Some(b.gather(ct, operand(0), *batch))],
        Op::Scan(_) | Op::Result(_) => unreachable!("loops are differentiated whole"),
        Op::Step(_) | Op::Emit { .. } => panic!("a plan is not differentiated"),
        Op::Uniform { .. } => vec![None, None],
        Op::StopGradient => vec![None],
        Op::SumBatch => panic!("differentiated before the batch axis is there"),
        Op::Orthogonalize => panic!("an initialisation is not differentiated"),
    }
}

fn unary(b: &mut Builder, op: Unary, x: NodeId, out: NodeId, ct: NodeId) -> Option<NodeId> {
    Some(match op {
        Unary::Neg => b.neg(ct),
        // d|x| = sign(x) dx
        Unary::Abs => {
            let sign = b.unary(Unary::Sign, x);
            b.mul(ct, sign)
        }
        Unary::Sign | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Not => return None,
        // d√x = dx / 2√x
        Unary::Sqrt => {
            let twice = b.add(out, out);
            b.div(ct, twice)
        }
        // d(e^x) = e^x dx
        Unary::Exp => b.mul(ct, out),
        // d log x = dx / x
        Unary::Log => b.div(ct, x),
        // d log(1 + x) = dx / (1 + x)
        Unary::Log1p => {
            let one = b.f32(1.0);
            let sum = b.add(one, x);
            b.div(ct, sum)
        }
        // d sin x = cos x dx
        Unary::Sin => {
            let cos = b.unary(Unary::Cos, x);
            b.mul(ct, cos)
        }
        // d cos x = −sin x dx
        Unary::Cos => {
            let sin = b.unary(Unary::Sin, x);
            let product = b.mul(ct, sin);
            b.neg(product)
        }
        // d tanh x = (1 − tanh² x) dx
        Unary::Tanh => {
            let one = b.f32(1.0);
            let square = b.mul(out, out);
            let slope = b.sub(one, square);
            b.mul(ct, slope)
        }
        // d erf x = 2/√π e^−x² dx
        Unary::Erf => {
            let square = b.mul(x, x);
            let negative = b.neg(square);
            let bell = b.unary(Unary::Exp, negative);
            let factor = b.f32(std::f32::consts::FRAC_2_SQRT_PI);
            let slope = b.mul(factor, bell);
            b.mul(ct, slope)
        }
        // dσ(x) = σ(x) (1 − σ(x)) dx
        Unary::Sigmoid => {
            let one = b.f32(1.0);
            let rest = b.sub(one, out);
            let slope = b.mul(out, rest);
            b.mul(ct, slope)
        }
        // d log(1 + e^x) = σ(x) dx
        Unary::Softplus => {
            let slope = b.unary(Unary::Sigmoid, x);
            b.mul(ct, slope)
        }
    })
}

fn binary(b: &mut Builder, op: Binary, x: NodeId, y: NodeId, out: NodeId, ct: NodeId) -> Option<(NodeId, NodeId)> {
    Some(match op {
        // d(x + y) = dx + dy
        Binary::Add => (ct, ct),
        // d(x − y) = dx − dy
        Binary::Sub => (ct, b.neg(ct)),
        // d(xy) = y dx + x dy
        Binary::Mul => (b.mul(ct, y), b.mul(ct, x)),
        // d(x/y) = dx / y − (x/y) dy / y
        Binary::Div => {
            let quotient = b.div(ct, y);
            let product = b.mul(quotient, out);
            (quotient, b.neg(product))
        }
        // d(x^y) = y x^(y − 1) dx + x^y log x dy
        Binary::Pow => {
            let (zero, one) = (b.f32(0.0), b.f32(1.0));
            let less = b.sub(y, one);
            let power = b.binary(Binary::Pow, x, less);
            let slope = b.mul(y, power);
            let flat = b.binary(Binary::Eq, y, zero);
            let slope_x = b.select(flat, zero, slope);

            let log = b.unary(Unary::Log, x);
            let slope = b.mul(out, log);
            let edge = b.binary(Binary::Eq, x, zero);
            let slope_y = b.select(edge, zero, slope);
            (b.mul(ct, slope_x), b.mul(ct, slope_y))
        }
        Binary::Max => choice(b, Binary::Gt, x, y, ct),
        Binary::Min => choice(b, Binary::Lt, x, y, ct),
        Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::And | Binary::Or => {
            return None;
        }
    })
}

/// The cotangent goes to `x` where `test(x, y)` holds, else to `y`.
fn choice(b: &mut Builder, test: Binary, x: NodeId, y: NodeId, ct: NodeId) -> (NodeId, NodeId) {
    let zero = b.f32(0.0);
    let condition = b.binary(test, x, y);
    (b.select(condition, ct, zero), b.select(condition, zero, ct))
}

/// `value`, a result of reducing `x`, repeated along the axes that were reduced.
fn spread(b: &mut Builder, value: NodeId, x: NodeId, axis: usize, count: usize) -> NodeId {
    let shape = b.shape(x).to_vec();
    let axes: Vec<usize> = (0..axis).chain(axis + count..shape.len()).collect();
    b.broadcast(value, &shape, &axes)
}

/// d Πx = Σ (product of the others) dx. Where no factor is zero the product of the others is Πx / x; where one is, all but its
/// own vanish; where several are, all do.
fn of_product(b: &mut Builder, ct: NodeId, x: NodeId, axis: usize, count: usize) -> NodeId {
    let (zero, one) = (b.f32(0.0), b.f32(1.0));
    let is_zero = b.binary(Binary::Eq, x, zero);
    let factors = b.select(is_zero, one, x);
    let axes: Vec<usize> = (axis..axis + count).collect();
    let nonzero = b.reduce(Reduction::Prod, factors, &axes);
    let counted = b.convert(is_zero, DType::I32);
    let zeros = b.sum(counted, &axes);

    let of_nonzero = spread(b, nonzero, x, axis, count);
    let zeros = spread(b, zeros, x, axis, count);
    let without_own = b.convert(is_zero, DType::I32);
    let other_zeros = b.sub(zeros, without_own);
    let no_zeros = b.scalar(Scalar::I32(0));
    let alive = b.binary(Binary::Eq, other_zeros, no_zeros);
    let others = b.div(of_nonzero, factors);
    let slope = b.select(alive, others, zero);
    let ct = spread(b, ct, x, axis, count);
    b.mul(ct, slope)
}

/// All of the cotangent goes to the first element that is the extremum.
fn extremum(
    b: &mut Builder,
    ct: NodeId,
    x: NodeId,
    axis: usize,
    count: usize,
    find: fn(&mut Builder, NodeId, usize) -> NodeId,
) -> NodeId {
    let shape = b.shape(x).to_vec();
    let flat = [&shape[..axis], &[shape[axis..axis + count].iter().product()], &shape[axis + count..]].concat();
    let flattened = b.reshape(x, &flat);
    let first = find(b, flattened, axis);
    let index = b.iota(&flat, axis);
    let first = spread(b, first, flattened, axis, 1);
    let ct = spread(b, ct, flattened, axis, 1);
    let hit = b.binary(Binary::Eq, index, first);
    let zero = b.f32(0.0);
    let share = b.select(hit, ct, zero);
    b.reshape(share, &shape)
}

/// Of a product the cotangent of each side is the product of `ct` with the other, over the axes that side does not have. A side
/// that is windows of another tensor hands it on to that.
pub(super) fn product(b: &mut Builder, out: NodeId, ct: NodeId) -> [(NodeId, NodeId); 2] {
    let node = b.graph[out].clone();
    let Op::Contract { batch, contract } = &node.op else { unreachable!("{out} is no product") };
    let [x, y] = node.operands[..] else { unreachable!("a product of two operands") };
    let ranks = [x, y].map(|side| b.shape(side).len());
    let places = [batch.len(), ranks[0] - contract.len()];
    let (batch_back, contract_back) = (swap(batch), swap(contract));
    let slope_x = windows::cotangent(b, ct, [x, y], batch, contract, places)
        .unwrap_or_else(|| (x, one_side(b, ct, y, ranks[0], batch, contract, places[1])));
    let slope_y = windows::cotangent(b, ct, [y, x], &batch_back, &contract_back, [places[1], places[0]])
        .unwrap_or_else(|| (y, one_side(b, ct, x, ranks[1], &batch_back, &contract_back, places[0])));
    [slope_x, slope_y]
}

fn swap(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    pairs.iter().map(|&(i, j)| (j, i)).collect()
}

/// The cotangent of the side of rank `rank` that was multiplied with `other`; the pairs name its axes first. In `ct` the free
/// axes of the other begin at `others`.
fn one_side(
    b: &mut Builder,
    ct: NodeId,
    other: NodeId,
    rank: usize,
    batch: &[(usize, usize)],
    contract: &[(usize, usize)],
    others: usize,
) -> NodeId {
    let axes_of =
        |rank: usize, used: Vec<usize>| -> Vec<usize> { (0..rank).filter(|axis| !used.contains(axis)).collect() };
    let pairs = || batch.iter().chain(contract);
    let own_free = axes_of(rank, pairs().map(|pair| pair.0).collect());
    let other_free = axes_of(b.shape(other).len(), pairs().map(|pair| pair.1).collect());
    let stay: Vec<(usize, usize)> = batch.iter().enumerate().map(|(place, pair)| (place, pair.1)).collect();
    let sum: Vec<(usize, usize)> = other_free.iter().enumerate().map(|(place, &axis)| (others + place, axis)).collect();

    // Of the product with `other`: the axes of this side its axes are, with `ct` on the left and on the right.
    let mut summed = swap(contract);
    summed.sort_unstable();
    let summed: Vec<usize> = summed.into_iter().map(|(_, axis)| axis).collect();
    let kept: Vec<usize> = batch.iter().map(|pair| pair.0).collect();
    let ct_left = [&kept[..], &own_free, &summed].concat();
    let ct_right = [&kept[..], &summed, &own_free].concat();
    let place = |order: &[usize]| -> Vec<usize> {
        (0..rank)
            .map(|axis| order.iter().position(|&other| other == axis).expect("every axis is in the product"))
            .collect()
    };
    if ct_right.is_sorted() && !ct_left.is_sorted() {
        return b.contract(other, ct, &swap(&stay), &swap(&sum));
    }
    let product = b.contract(ct, other, &stay, &sum);
    b.transpose(product, &place(&ct_left))
}
