//! Every operation on values worked out by hand.

use nnc::graph::eval::{Array, eval};
use nnc::graph::{Binary, Builder, CONTRACT_BLOCK, DType, NodeId, Reduction, Role, Scalar, Unary};
use nnc::numerics::philox;

fn run(inputs: &[Array], build: impl Fn(&mut Builder, &[NodeId]) -> NodeId) -> Array {
    let mut b = Builder::new("operation");
    let ids: Vec<NodeId> =
        inputs.iter().enumerate().map(|(i, x)| b.input(format!("x{i}"), Role::Data, x.ty())).collect();
    let y = build(&mut b, &ids);
    b.output("y", y);
    nnc::graph::verify::check(&b.graph, "operation");
    eval(&b.graph, inputs).remove(0)
}

fn real(shape: &[usize], x: &[f32]) -> Array {
    Array::real(shape, x.to_vec())
}

fn i32(shape: &[usize], x: &[i32]) -> Array {
    Array::i32(shape, x.to_vec())
}

fn truths(shape: &[usize], x: &[bool]) -> Array {
    Array::bool(shape, x.to_vec())
}

#[track_caller]
fn same(found: Array, expected: Array) {
    assert_eq!(found.ty(), expected.ty());
    assert_eq!(found.to_bits(), expected.to_bits(), "{found:?} is not {expected:?}");
}

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

#[test]
fn unary() {
    let cases: &[(Unary, &[f32], &[f32])] = &[
        (Unary::Neg, &[1.0, -2.5, 0.0], &[-1.0, 2.5, -0.0]),
        (Unary::Abs, &[1.0, -2.5, -0.0, -INF], &[1.0, 2.5, 0.0, INF]),
        (Unary::Sign, &[3.0, -2.5, 0.0, INF], &[1.0, -1.0, 0.0, 1.0]),
        (Unary::Floor, &[1.5, -1.5, 2.0], &[1.0, -2.0, 2.0]),
        (Unary::Ceil, &[1.5, -1.5, 2.0], &[2.0, -1.0, 2.0]),
        (Unary::Round, &[0.5, 1.5, 2.5, -1.5, 1.2], &[0.0, 2.0, 2.0, -2.0, 1.0]),
        (Unary::Sqrt, &[4.0, 0.25, 0.0, INF], &[2.0, 0.5, 0.0, INF]),
        (Unary::Exp, &[0.0, -INF, INF], &[1.0, 0.0, INF]),
        (Unary::Log, &[1.0, 0.0, INF], &[0.0, -INF, INF]),
        (Unary::Log1p, &[0.0, -1.0, INF], &[0.0, -INF, INF]),
        (Unary::Sin, &[0.0], &[0.0]),
        (Unary::Cos, &[0.0], &[1.0]),
        (Unary::Tanh, &[0.0, INF, -INF], &[0.0, 1.0, -1.0]),
        (Unary::Erf, &[0.0, INF, -INF], &[0.0, 1.0, -1.0]),
        (Unary::Sigmoid, &[0.0, INF, -INF], &[0.5, 1.0, 0.0]),
        (Unary::Softplus, &[INF, -INF, 100.0], &[INF, 0.0, 100.0]),
    ];
    for &(op, x, y) in cases {
        let x = real(&[x.len()], x);
        same(run(&[x.clone()], |b, x| b.unary(op, x[0])), real(x.shape(), y));
    }
    same(run(&[i32(&[2], &[5, i32::MIN])], |b, x| b.unary(Unary::Neg, x[0])), i32(&[2], &[-5, i32::MIN]));
    same(run(&[truths(&[2], &[true, false])], |b, x| b.unary(Unary::Not, x[0])), truths(&[2], &[false, true]));
}

#[test]
fn binary_of_numbers() {
    let cases: &[(Binary, &[f32], &[f32], &[f32])] = &[
        (Binary::Add, &[1.0, 2.0], &[0.5, -2.0], &[1.5, 0.0]),
        (Binary::Sub, &[1.0, 2.0], &[0.5, -2.0], &[0.5, 4.0]),
        (Binary::Mul, &[1.0, 2.0], &[0.5, -2.0], &[0.5, -4.0]),
        (Binary::Div, &[1.0, 2.0, -1.0], &[0.5, -2.0, 0.0], &[2.0, -1.0, -INF]),
        (Binary::Pow, &[3.0, 4.0, 2.0, 0.0], &[2.0, 0.5, -1.0, 0.0], &[9.0, 2.0, 0.5, 1.0]),
        (Binary::Max, &[1.0, 0.0, NAN, 2.0], &[2.0, -0.0, 1.0, 2.0], &[2.0, -0.0, 1.0, 2.0]),
        (Binary::Min, &[1.0, 0.0, NAN, 2.0], &[2.0, -0.0, 1.0, 2.0], &[1.0, -0.0, 1.0, 2.0]),
    ];
    for &(op, a, c, y) in cases {
        let shape = [a.len()];
        same(run(&[real(&shape, a), real(&shape, c)], |b, x| b.binary(op, x[0], x[1])), real(&shape, y));
    }
    let cases: &[(Binary, i32)] = &[
        (Binary::Add, i32::MIN + 6),
        (Binary::Sub, i32::MAX - 7),
        (Binary::Mul, i32::MAX - 6),
        (Binary::Max, i32::MAX),
        (Binary::Min, 7),
    ];
    for &(op, y) in cases {
        same(run(&[i32(&[], &[i32::MAX]), i32(&[], &[7])], |b, x| b.binary(op, x[0], x[1])), i32(&[], &[y]));
    }
}

#[test]
fn comparisons() {
    let (a, c) = ([1.0, 2.0, 3.0, NAN], [2.0, 2.0, 2.0, NAN]);
    let cases: &[(Binary, [bool; 4])] = &[
        (Binary::Eq, [false, true, false, false]),
        (Binary::Ne, [true, false, true, true]),
        (Binary::Lt, [true, false, false, false]),
        (Binary::Le, [true, true, false, false]),
        (Binary::Gt, [false, false, true, false]),
        (Binary::Ge, [false, true, true, false]),
    ];
    for &(op, y) in cases {
        same(run(&[real(&[4], &a), real(&[4], &c)], |b, x| b.binary(op, x[0], x[1])), truths(&[4], &y));
        same(run(&[i32(&[3], &[1, 2, 3]), i32(&[], &[2])], |b, x| b.binary(op, x[0], x[1])), truths(&[3], &y[..3]));
    }
    let (p, q) = (truths(&[4], &[false, false, true, true]), truths(&[2], &[false, true]));
    for (op, y) in [
        (Binary::And, [false, false, false, true]),
        (Binary::Or, [false, true, true, true]),
        (Binary::Eq, [true, false, false, true]),
        (Binary::Ne, [false, true, true, false]),
    ] {
        let p = Array::bool(&[2, 2], p.truths().to_vec());
        same(run(&[p, q.clone()], |b, x| b.binary(op, x[0], x[1])), truths(&[2, 2], &y));
    }
}

#[test]
fn suffixes_stretch() {
    let (long, short) = (real(&[2, 3], &[1., 2., 3., 4., 5., 6.]), real(&[3], &[10., 20., 30.]));
    same(
        run(&[long.clone(), short.clone()], |b, x| b.sub(x[0], x[1])),
        real(&[2, 3], &[-9., -18., -27., -6., -15., -24.]),
    );
    same(run(&[short, long.clone()], |b, x| b.sub(x[0], x[1])), real(&[2, 3], &[9., 18., 27., 6., 15., 24.]));
    same(
        run(&[real(&[], &[1.]), long.clone()], |b, x| b.sub(x[0], x[1])),
        real(&[2, 3], &[0., -1., -2., -3., -4., -5.]),
    );
    let condition = truths(&[3], &[true, false, true]);
    same(
        run(&[condition.clone(), long, real(&[], &[0.5])], |b, x| b.select(x[0], x[1], x[2])),
        real(&[2, 3], &[1., 0.5, 3., 4., 0.5, 6.]),
    );
    same(run(&[condition, i32(&[], &[1]), i32(&[], &[-1])], |b, x| b.select(x[0], x[1], x[2])), i32(&[3], &[1, -1, 1]));
    let condition = truths(&[2, 1], &[true, false]);
    same(
        run(&[condition, truths(&[1], &[true]), truths(&[], &[false])], |b, x| b.select(x[0], x[1], x[2])),
        truths(&[2, 1], &[true, false]),
    );
}

#[test]
fn convert() {
    let x = real(&[7], &[1.9, -1.9, 3e9, -3e9, NAN, -0.0, 0.5]);
    same(run(&[x.clone()], |b, x| b.convert(x[0], DType::I32)), i32(&[7], &[1, -1, i32::MAX, i32::MIN, 0, 0, 0]));
    same(run(&[x], |b, x| b.convert(x[0], DType::Bool)), truths(&[7], &[true, true, true, true, true, false, true]));
    let x = i32(&[3], &[0, 16_777_217, -7]);
    same(run(&[x.clone()], |b, x| b.convert(x[0], DType::F32)), real(&[3], &[0.0, 16_777_216.0, -7.0]));
    same(run(&[x], |b, x| b.convert(x[0], DType::Bool)), truths(&[3], &[false, true, true]));
    let x = truths(&[2], &[true, false]);
    same(run(&[x.clone()], |b, x| b.convert(x[0], DType::F32)), real(&[2], &[1.0, 0.0]));
    same(run(&[x], |b, x| b.convert(x[0], DType::I32)), i32(&[2], &[1, 0]));
}

#[test]
fn sources() {
    same(run(&[], |b, _| b.f32(2.5)), real(&[], &[2.5]));
    same(run(&[], |b, _| b.scalar(Scalar::I32(-3))), i32(&[], &[-3]));
    same(run(&[], |b, _| b.scalar(Scalar::Bool(true))), truths(&[], &[true]));
    same(run(&[], |b, _| b.iota(&[2, 3], 0)), i32(&[2, 3], &[0, 0, 0, 1, 1, 1]));
    same(run(&[], |b, _| b.iota(&[2, 3], 1)), i32(&[2, 3], &[0, 1, 2, 0, 1, 2]));
    let found = run(&[i32(&[2], &[7, -1]), i32(&[], &[3])], |b, x| b.uniform(x[0], x[1], 9, &[2, 3]));
    let expected: Vec<f32> = (0..6).map(|element| philox::uniform([7, u32::MAX], 3, 9, element)).collect();
    same(found, real(&[2, 3], &expected));
}

#[test]
fn places() {
    let x = real(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
    let on = |build: fn(&mut Builder, NodeId) -> NodeId| run(&[x.clone()], |b, x| build(b, x[0]));
    same(on(|b, x| b.reshape(x, &[3, 2])), real(&[3, 2], &[1., 2., 3., 4., 5., 6.]));
    same(on(|b, x| b.transpose(x, &[1, 0])), real(&[3, 2], &[1., 4., 2., 5., 3., 6.]));
    same(on(|b, x| b.slice(x, &[0, 1], &[2, 3])), real(&[2, 2], &[2., 3., 5., 6.]));
    same(on(|b, x| b.slice(x, &[1, 1], &[1, 3])), real(&[0, 2], &[]));
    same(on(|b, x| b.pad(x, &[1, 0], &[0, 1])), real(&[3, 4], &[0., 0., 0., 0., 1., 2., 3., 0., 4., 5., 6., 0.]));
    same(on(|b, x| b.reverse(x, 0)), real(&[2, 3], &[4., 5., 6., 1., 2., 3.]));
    same(on(|b, x| b.reverse(x, 1)), real(&[2, 3], &[3., 2., 1., 6., 5., 4.]));
    same(on(|b, x| b.stop_gradient(x)), x.clone());
    same(
        on(|b, x| b.broadcast(x, &[2, 2, 3], &[0, 2])),
        real(&[2, 2, 3], &[1., 2., 3., 1., 2., 3., 4., 5., 6., 4., 5., 6.]),
    );
    same(
        on(|b, x| b.broadcast(x, &[2, 3, 2], &[0, 1])),
        real(&[2, 3, 2], &[1., 1., 2., 2., 3., 3., 4., 4., 5., 5., 6., 6.]),
    );
    same(
        run(&[x.clone(), real(&[2, 1], &[7., 8.])], |b, x| b.concat(&[x[0], x[1]], 1)),
        real(&[2, 4], &[1., 2., 3., 7., 4., 5., 6., 8.]),
    );
    same(
        run(&[i32(&[1], &[1]), i32(&[2], &[2, 3])], |b, x| b.concat(&[x[1], x[0], x[1]], 0)),
        i32(&[5], &[2, 3, 1, 2, 3]),
    );
    same(run(&[truths(&[1], &[true])], |b, x| b.pad(x[0], &[1], &[1])), truths(&[3], &[false, true, false]));
}

#[test]
fn reductions() {
    let x = real(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
    let over = |kind, axes: &[usize]| run(&[x.clone()], |b, x| b.reduce(kind, x[0], axes));
    same(over(Reduction::Sum, &[0]), real(&[3], &[5., 7., 9.]));
    same(over(Reduction::Sum, &[1]), real(&[2], &[6., 15.]));
    same(over(Reduction::Sum, &[0, 1]), real(&[], &[21.]));
    same(over(Reduction::Prod, &[1]), real(&[2], &[6., 120.]));
    same(over(Reduction::Max, &[0]), real(&[3], &[4., 5., 6.]));
    same(over(Reduction::Min, &[1]), real(&[2], &[1., 4.]));
    let x = i32(&[2, 2], &[i32::MAX, 1, 1, 5]);
    let over = |kind, axes: &[usize]| run(&[x.clone()], |b, x| b.reduce(kind, x[0], axes));
    same(over(Reduction::Sum, &[0]), i32(&[2], &[i32::MIN, 6]));
    same(over(Reduction::Prod, &[1]), i32(&[2], &[i32::MAX, 5]));
    same(over(Reduction::Max, &[0, 1]), i32(&[], &[i32::MAX]));
    same(over(Reduction::Min, &[0]), i32(&[2], &[1, 1]));

    // Of nothing: the start.
    let nothing = real(&[2, 0], &[]);
    for (kind, start) in [(Reduction::Sum, 0.0), (Reduction::Prod, 1.0), (Reduction::Max, -INF), (Reduction::Min, INF)]
    {
        same(run(&[nothing.clone()], |b, x| b.reduce(kind, x[0], &[1])), real(&[2], &[start, start]));
        same(run(&[nothing.clone()], |b, x| b.reduce(kind, x[0], &[0])), real(&[0], &[]));
    }
    // A NaN is forgotten where something follows it.
    let x = real(&[2, 2], &[NAN, 1.0, 2.0, NAN]);
    let found = run(&[x], |b, x| b.reduce(Reduction::Max, x[0], &[1]));
    assert_eq!(found.reals()[0], 1.0);
    assert!(found.reals()[1].is_nan());
}

#[test]
fn sums_have_an_order() {
    // 2^24 + 1 is no f32: what is lost tells in which order was added.
    let big = 16_777_216.0;
    let mut x = vec![1.0; 17];
    x[0] = big;
    x[16] = -big;
    // Sixteen partial sums: big and -big meet in the first, and nothing is lost.
    same(run(&[real(&[17], &x)], |b, x| b.sum(x[0], &[0])), real(&[], &[15.0]));
    same(run(&[real(&[17, 1], &x)], |b, x| b.sum(x[0], &[0])), real(&[1], &[15.0]));
    // One after the other: every 1 is lost.
    let doubled: Vec<f32> = x.iter().flat_map(|&x| [x, x]).collect();
    same(run(&[real(&[17, 2], &doubled)], |b, x| b.sum(x[0], &[0])), real(&[2], &[0.0, 0.0]));
    let (mut few, ones) = (x[..15].to_vec(), real(&[15], &[1.0; 15]));
    few[14] = -big;
    same(run(&[real(&[15], &few)], |b, x| b.sum(x[0], &[0])), real(&[], &[0.0]));

    // Contractions: of two vectors in partial sums, of matrices in sequence, and those in blocks.
    let one = real(&[17], &[1.0; 17]);
    same(run(&[real(&[17], &x), one.clone()], |b, x| b.contract(x[0], x[1], &[], &[(0, 0)])), real(&[], &[15.0]));
    same(run(&[real(&[15], &few), ones], |b, x| b.contract(x[0], x[1], &[], &[(0, 0)])), real(&[], &[0.0]));
    let pair = real(&[2, 17], &[1.0; 34]);
    same(
        run(&[real(&[2, 17], &[x.clone(), x.clone()].concat()), pair.clone()], |b, x| {
            b.contract(x[0], x[1], &[], &[(1, 1)])
        }),
        real(&[2, 2], &[0.0; 4]),
    );
    // The summed axis of the left is not its last.
    same(run(&[real(&[17, 2], &doubled), one], |b, x| b.contract(x[0], x[1], &[], &[(0, 0)])), real(&[2], &[0.0; 2]));
    let mut long = vec![0.0; CONTRACT_BLOCK + 2];
    long[0] = big;
    long[CONTRACT_BLOCK] = 1.0;
    long[CONTRACT_BLOCK + 1] = 1.0;
    let rows = [long.clone(), long.clone()].concat();
    let ones = real(&[2, CONTRACT_BLOCK + 2], &vec![1.0; 2 * (CONTRACT_BLOCK + 2)]);
    same(
        run(&[real(&[2, CONTRACT_BLOCK + 2], &rows), ones], |b, x| b.contract(x[0], x[1], &[], &[(1, 1)])),
        real(&[2, 2], &[big + 2.0; 4]),
    );
    // Products are not rounded before they are added.
    let tiny = 1.0 + f32::EPSILON;
    same(
        run(&[real(&[2], &[tiny, -1.0]), real(&[2], &[tiny, 1.0 + 2.0 * f32::EPSILON])], |b, x| {
            b.contract(x[1], x[0], &[], &[(0, 0)])
        }),
        real(&[], &[0.0]),
    );
    same(
        run(&[real(&[2], &[-1.0, tiny]), real(&[2], &[1.0 + 2.0 * f32::EPSILON, tiny])], |b, x| {
            b.contract(x[0], x[1], &[], &[(0, 0)])
        }),
        real(&[], &[f32::EPSILON * f32::EPSILON]),
    );
    // Of nothing: zero. Of one block: the block itself, a −0 included.
    same(
        run(&[real(&[2, 0], &[]), real(&[0, 1], &[])], |b, x| b.contract(x[0], x[1], &[], &[(1, 0)])),
        real(&[2, 1], &[0.0, 0.0]),
    );
    same(
        run(&[real(&[1], &[-1e-30]), real(&[1], &[1e-30])], |b, x| b.contract(x[0], x[1], &[], &[(0, 0)])),
        real(&[], &[-0.0]),
    );
}

#[test]
fn extrema() {
    let x = real(&[2, 3], &[1., 5., 5., 4., 2., 2.]);
    same(run(&[x.clone()], |b, x| b.arg_max(x[0], 1)), i32(&[2], &[1, 0]));
    same(run(&[x.clone()], |b, x| b.arg_min(x[0], 1)), i32(&[2], &[0, 1]));
    same(run(&[x.clone()], |b, x| b.arg_max(x[0], 0)), i32(&[3], &[1, 0, 0]));
    same(run(&[x], |b, x| b.arg_min(x[0], 0)), i32(&[3], &[0, 1, 1]));
    let x = real(&[2, 2], &[NAN, 1.0, 1.0, NAN]);
    same(run(&[x], |b, x| b.arg_max(x[0], 1)), i32(&[2], &[0, 0]));
    same(run(&[i32(&[3], &[3, 9, 9])], |b, x| b.arg_max(x[0], 0)), i32(&[], &[1]));
    same(run(&[real(&[2, 0], &[])], |b, x| b.arg_max(x[0], 1)), i32(&[2], &[0, 0]));
}

#[test]
fn contractions() {
    let (x, w) = (real(&[2, 3], &[1., 2., 3., 4., 5., 6.]), real(&[3, 2], &[1., 0., 0., 1., 1., 1.]));
    same(
        run(&[x.clone(), w.clone()], |b, x| b.contract(x[0], x[1], &[], &[(1, 0)])),
        real(&[2, 2], &[4., 5., 10., 11.]),
    );
    // Both free axes of the right, in its order; no summed axis at all.
    same(
        run(&[real(&[2], &[1., 10.]), w.clone()], |b, x| b.contract(x[0], x[1], &[], &[])),
        real(&[2, 3, 2], &[1., 0., 0., 1., 1., 1., 10., 0., 0., 10., 10., 10.]),
    );
    // Rows run together: a product per row.
    same(run(&[x.clone(), x.clone()], |b, x| b.contract(x[0], x[1], &[(0, 0)], &[(1, 1)])), real(&[2], &[14., 77.]));
    // Over both axes, the right one transposed.
    same(run(&[x.clone(), w], |b, x| b.contract(x[0], x[1], &[], &[(0, 1), (1, 0)])), real(&[], &[1. + 3. + 5. + 6.]));
    // A batch axis that is not the first goes to the front.
    same(
        run(&[x.clone(), real(&[3], &[1., 10., 100.])], |b, x| b.contract(x[0], x[1], &[(1, 0)], &[])),
        real(&[3, 2], &[1., 4., 20., 50., 300., 600.]),
    );
}

#[test]
fn orthogonalize() {
    for (m, n) in [(5, 3), (3, 5), (4, 4), (1, 1)] {
        let x = run(&[i32(&[2], &[1, 2]), i32(&[], &[0])], |b, x| b.uniform(x[0], x[1], 0, &[m, n]));
        let q = run(&[x], |b, x| b.orthogonalize(x[0]));
        let element = |vector: usize, place: usize| {
            if m >= n { q.reals()[place * n + vector] } else { q.reals()[vector * n + place] }
        };
        let (vectors, len) = (m.min(n), m.max(n));
        for i in 0..vectors {
            for j in 0..vectors {
                let product: f32 = (0..len).map(|place| element(i, place) * element(j, place)).sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-5, "{m}x{n}: {i} {j} {product}");
            }
        }
    }
    // The second column depends on the first.
    let q = run(&[real(&[2, 2], &[1., 2., 0., 0.])], |b, x| b.orthogonalize(x[0]));
    same(q, real(&[2, 2], &[1., 0., 0., 0.]));
}
