//! What `simplify` makes of a graph, and what it must leave alone.

use nnc::graph::simplify::{simplify, simplify_differentiated};
use nnc::graph::{Binary, Builder, DType, NodeId, Reduction, Role, Scalar, TensorType, Unary};

/// The operations left of what `build` makes of `x: f32[2, 3]`, `y: f32[3]`, `p: bool[2, 3]`, `i: i32[3]` and `c: f32[1, 2]`, which
/// print as `%0` and so on where they are used.
fn left(finished: bool, build: fn(&mut Builder, [NodeId; 5]) -> NodeId) -> Vec<String> {
    let mut b = Builder::new("identities");
    let inputs = [
        b.input("x", Role::Data, TensorType::f32([2, 3])),
        b.input("y", Role::Data, TensorType::f32([3])),
        b.input("p", Role::Data, TensorType::bool([2, 3])),
        b.input("i", Role::Data, TensorType::i32([3])),
        b.input("c", Role::Data, TensorType::f32([1, 2])),
    ];
    inputs.into_iter().for_each(|input| b.output("input", input));
    let result = build(&mut b, inputs);
    b.output("result", result);
    let simple = if finished { simplify_differentiated(&b.graph) } else { simplify(&b.graph) };
    let text = simple.to_string();
    let lines = text.lines().filter(|line| !line.contains("data") && !line.contains("input"));
    let body = lines.filter_map(|line| {
        let line = line.split("  ;").next().unwrap_or(line).trim();
        match line.split_once(" = ") {
            Some((name, body)) => Some(format!("{} = {body}", name.split(':').next()?)),
            None => line.strip_prefix("return \"result\" ").map(str::to_owned),
        }
    });
    body.collect()
}

#[track_caller]
fn becomes(build: fn(&mut Builder, [NodeId; 5]) -> NodeId, expected: &[&str]) {
    assert_eq!(left(false, build), expected);
}

#[test]
fn arithmetic() {
    becomes(
        |b, [x, ..]| {
            let one = b.f32(1.0);
            let y = b.mul(one, x);
            b.div(y, one)
        },
        &["%0"],
    );
    becomes(
        |b, [x, ..]| {
            let (zero, minus_zero) = (b.f32(0.0), b.f32(-0.0));
            let y = b.sub(x, zero);
            b.add(minus_zero, y)
        },
        &["%0"],
    );
    // −0 + 0 is 0, and NaN · 0 and ∞ − ∞ are NaN.
    becomes(
        |b, [x, ..]| {
            let zero = b.f32(0.0);
            b.add(x, zero)
        },
        &["%6 = add %0, 0.0", "%6"],
    );
    becomes(
        |b, [x, ..]| {
            let zero = b.f32(0.0);
            b.mul(x, zero)
        },
        &["%6 = mul %0, 0.0", "%6"],
    );
    becomes(|b, [x, ..]| b.sub(x, x), &["%5 = sub %0, %0", "%5"]);
    becomes(
        |b, [x, y, ..]| {
            let (minus_x, minus_y) = (b.neg(x), b.neg(y));
            let back = b.neg(minus_x);
            b.add(back, minus_y)
        },
        &["%5 = sub %0, %1", "%5"],
    );
    becomes(
        |b, [x, y, ..]| {
            let (minus_x, minus_y) = (b.neg(x), b.neg(y));
            b.mul(minus_x, minus_y)
        },
        &["%5 = mul %0, %1", "%5"],
    );
    becomes(
        |b, [x, ..]| {
            let (eight, three) = (b.f32(8.0), b.f32(3.0));
            let y = b.div(x, eight);
            b.div(y, three)
        },
        &["%7 = mul %0, 0.125", "%8 = div %7, 3.0", "%8"],
    );
    becomes(
        |b, [x, ..]| {
            let (two, three) = (b.f32(2.0), b.f32(3.0));
            let (six, minus) = (b.mul(two, three), b.neg(x));
            b.mul(minus, six)
        },
        &["%6 = mul %0, -6.0", "%6"],
    );
    becomes(
        |b, [x, ..]| {
            let minus = b.neg(x);
            let size = b.unary(Unary::Abs, minus);
            b.unary(Unary::Abs, size)
        },
        &["%5 = abs %0", "%5"],
    );
    becomes(
        |b, [.., i, _]| {
            let (zero, one) = (b.scalar(Scalar::I32(0)), b.scalar(Scalar::I32(1)));
            let j = b.add(zero, i);
            let j = b.mul(j, one);
            b.sub(j, zero)
        },
        &["%3"],
    );
}

#[test]
fn truths_and_choices() {
    becomes(
        |b, [_, _, p, ..]| {
            let (yes, no) = (b.scalar(Scalar::Bool(true)), b.scalar(Scalar::Bool(false)));
            let q = b.binary(Binary::And, yes, p);
            let q = b.binary(Binary::Or, q, no);
            let q = b.unary(Unary::Not, q);
            b.unary(Unary::Not, q)
        },
        &["%2"],
    );
    // Not `>=`: where one is NaN neither holds.
    becomes(
        |b, [x, y, ..]| {
            let test = b.binary(Binary::Lt, x, y);
            b.unary(Unary::Not, test)
        },
        &["%5 = lt %0, %1", "%6 = not %5", "%6"],
    );
    becomes(
        |b, [x, y, ..]| {
            let test = b.binary(Binary::Eq, x, y);
            b.unary(Unary::Not, test)
        },
        &["%5 = ne %0, %1", "%5"],
    );
    becomes(
        |b, [x, y, p, ..]| {
            let opposite = b.unary(Unary::Not, p);
            let first = b.select(opposite, x, y);
            let minus = b.neg(x);
            b.select(p, minus, first)
        },
        &["%5 = neg %0", "%6 = select %2, %5, %0", "%6"],
    );
    becomes(
        |b, [x, y, ..]| {
            let yes = b.scalar(Scalar::Bool(true));
            let chosen = b.select(yes, y, x);
            b.select(yes, chosen, x)
        },
        &["%5 = broadcast %1, axes [1]", "%5"],
    );
}

#[test]
fn repetition_comes_last_or_never() {
    becomes(
        |b, [x, y, ..]| {
            let wide = b.broadcast(y, &[2, 3], &[1]);
            b.add(x, wide)
        },
        &["%5 = add %0, %1", "%5"],
    );
    becomes(
        |b, [_, y, ..]| {
            let two = b.f32(2.0);
            let wide = b.broadcast(y, &[3, 4], &[0]);
            let wide = b.unary(Unary::Exp, wide);
            let two = b.broadcast(two, &[3, 4], &[]);
            b.mul(wide, two)
        },
        &["%6 = exp %1", "%7 = mul %6, 2.0", "%8 = broadcast %7, axes [0]", "%8"],
    );
    becomes(
        |b, [_, y, ..]| {
            let wide = b.broadcast(y, &[3, 4], &[0]);
            b.broadcast(wide, &[3, 5, 4], &[0, 2])
        },
        &["%5 = broadcast %1, axes [0]", "%5"],
    );
}

#[test]
fn rearrangements() {
    becomes(
        |b, [x, ..]| {
            let turned = b.transpose(x, &[1, 0]);
            let back = b.transpose(turned, &[1, 0]);
            let flat = b.reshape(back, &[6]);
            let again = b.reshape(flat, &[2, 3]);
            let mirrored = b.reverse(again, 1);
            b.reverse(mirrored, 1)
        },
        &["%0"],
    );
    // A transpose that moves axes of extent 1 only.
    becomes(|b, [.., c]| b.transpose(c, &[1, 0]), &["%5 = reshape %4", "%5"]);
    becomes(
        |b, [x, ..]| {
            let padded = b.pad(x, &[1, 0], &[0, 2]);
            let padded = b.pad(padded, &[0, 1], &[1, 0]);
            b.slice(padded, &[1, 1], &[3, 3])
        },
        &["%5 = slice %0, [0..2, 0..2]", "%5"],
    );
    becomes(
        |b, [x, y, ..]| {
            let row = b.reshape(y, &[1, 3]);
            let joined = b.concat(&[x, row], 0);
            let more = b.concat(&[joined, row], 0);
            b.slice(more, &[0, 0], &[2, 3])
        },
        &["%0"],
    );
}

#[test]
fn products_read_transposed_operands() {
    becomes(
        |b, [x, ..]| {
            let turned = b.transpose(x, &[1, 0]);
            b.contract(x, turned, &[], &[(1, 0)])
        },
        &["%5 = contract ik,jk->ij %0, %0", "%5"],
    );
    becomes(
        |b, [x, y, ..]| {
            let outer = b.contract(x, y, &[], &[]);
            let turned = b.transpose(outer, &[2, 0, 1]);
            b.transpose(turned, &[0, 1, 2])
        },
        &["%5 = contract i,jl->ijl %1, %0", "%5"],
    );
}

#[test]
fn what_differentiation_needed_goes_afterwards() {
    fn build(b: &mut Builder, [x, .., c]: [NodeId; 5]) -> NodeId {
        let stopped = b.stop_gradient(x);
        let total = b.sum(c, &[0]);
        let total = b.sum(total, &[0]);
        b.mul(stopped, total)
    }
    assert_eq!(
        left(false, build),
        ["%5 = stop_gradient %0", "%6 = sum %4, axes [0]", "%7 = sum %6, axes [0]", "%8 = mul %5, %7", "%8"]
    );
    assert_eq!(
        left(true, build),
        ["%5 = reshape %4", "%7 = add %5, 0.0", "%8 = sum %7, axes [0]", "%9 = mul %0, %8", "%9"]
    );
}

#[test]
fn equal_nodes_are_one() {
    becomes(
        |b, [x, y, ..]| {
            let (p, q) = (b.mul(x, y), b.mul(y, x));
            let dead = b.sub(x, y);
            b.unary(Unary::Exp, dead);
            b.add(p, q)
        },
        &["%5 = mul %0, %1", "%6 = add %5, %5", "%6"],
    );
    // Which of two equal zeros is the larger depends on their places.
    becomes(
        |b, [x, y, ..]| {
            let (p, q) = (b.binary(Binary::Max, x, y), b.binary(Binary::Max, y, x));
            b.add(p, q)
        },
        &["%5 = max %0, %1", "%6 = max %1, %0", "%7 = add %5, %6", "%7"],
    );
}

#[test]
fn constants_fold_with_the_program_s_arithmetic() {
    becomes(
        |b, _| {
            let (two, half) = (b.f32(2.0), b.f32(0.5));
            let root = b.binary(Binary::Pow, two, half);
            let whole = b.unary(Unary::Floor, root);
            let test = b.binary(Binary::Gt, root, whole);
            let picked = b.select(test, root, whole);
            let count = b.convert(picked, DType::I32);
            let three = b.scalar(Scalar::I32(3));
            let count = b.add(count, three);
            let wide = b.broadcast(count, &[2, 2], &[]);
            let turned = b.transpose(wide, &[1, 0]);
            let part = b.slice(turned, &[0, 0], &[1, 2]);
            b.reshape(part, &[2])
        },
        &["%6 = broadcast 4, axes []", "%6"],
    );
    becomes(
        |b, _| {
            let nothing = b.iota(&[0, 2], 0);
            b.reduce(Reduction::Max, nothing, &[1])
        },
        &["%5 = iota axis 0", "%6 = max %5, axes [1]", "%6"],
    );
}
