//! Gradients against central differences of the interpreter run in f64.

#![allow(clippy::cloned_ref_to_slice_refs, clippy::type_complexity, reason = "cases read best as written")]

mod extents;
pub(crate) mod prelude;
mod sequences;
mod windows;

use crate::graph::bits;
use crate::random_graphs::{Choices, random_graph, smooth_graph};
use nnc::autodiff::gradients;
use nnc::graph::eval::{Array, eval};
use nnc::graph::{
    Binary, Builder, CONTRACT_BLOCK, DType, Graph, NodeId, Op, Output, Reduction, Role, TensorType, Unary, simplify,
};

/// `graph`, whose first output is a scalar loss, with the gradient of each f32 input as further outputs.
pub(crate) fn with_gradients(graph: &Graph) -> (Graph, Vec<usize>) {
    let loss = graph.outputs[0].node;
    let numbers: Vec<usize> = (0..graph.inputs.len()).filter(|&i| graph.inputs[i].ty.dtype == DType::F32).collect();
    let mut builder = Builder::on(graph.clone());
    let input = |builder: &mut Builder, number: usize| -> NodeId {
        let found = builder.graph.ids().find(|&id| matches!(builder.graph[id].op, Op::Input(other) if other == number));
        found.unwrap_or_else(|| {
            let ty = builder.graph.inputs[number].ty.clone();
            builder.push(Op::Input(number), Vec::new(), ty)
        })
    };
    let wrt: Vec<NodeId> = numbers.iter().map(|&number| input(&mut builder, number)).collect();
    let slopes = gradients(&mut builder, loss, &wrt);
    builder.graph.outputs.truncate(1);
    for (&number, slope) in numbers.iter().zip(slopes) {
        builder.graph.outputs.push(Output { name: format!("d{number}"), node: slope, updates: None });
    }
    (builder.graph, numbers)
}

/// Compares all gradients of `graph` with central differences, in up to `samples` elements of each input.
#[track_caller]
fn check(graph: &Graph, inputs: &[Array], samples: usize) {
    let (with, numbers) = with_gradients(graph);
    let simple = simplify::simplify_differentiated(&with);
    let wide: Vec<Array<f64>> = inputs.iter().map(Array::widen).collect();
    let results = eval(&with, &wide);
    let simplified = eval(&simple, &wide);
    let loss_at = |number: usize, element: usize, value: f64| -> f64 {
        let mut moved = wide.to_vec();
        let mut elements = moved[number].reals().to_vec();
        elements[element] = value;
        moved[number] = Array::real(moved[number].shape(), elements);
        eval(graph, &moved)[0].reals()[0]
    };
    let mut choices = Choices::new(1);
    for (place, &number) in numbers.iter().enumerate() {
        let slope = &results[place + 1];
        assert_eq!(slope.ty(), graph.inputs[number].ty);
        let len = slope.reals().len();
        for _ in 0..samples.min(len) {
            let element = choices.below(len);
            let (at, step) = (wide[number].reals()[element], 1e-5);
            let difference = (loss_at(number, element, at + step) - loss_at(number, element, at - step)) / (2.0 * step);
            for found in [slope.reals()[element], simplified[place + 1].reals()[element]] {
                assert!(
                    (found - difference).abs() <= 1e-6 * (1.0 + found.abs().max(difference.abs())),
                    "gradient {found} of element {element} of input {number}, difference {difference}\n{with}"
                );
            }
        }
    }
}

#[test]
fn random_smooth_graphs() {
    for seed in 0..120 {
        let (graph, inputs) = smooth_graph(seed);
        check(&graph, &inputs, 6);
    }
}

/// Numbers of `shape` between the bounds.
fn numbers(choices: &mut Choices, shape: &[usize], low: f32, high: f32) -> Array {
    let len = shape.iter().product();
    Array::real(shape, (0..len).map(|_| choices.between(low, high)).collect())
}

/// The gradient of the sum of what `build` makes, each element with a weight of its own, against differences.
#[track_caller]
fn check_operation(inputs: &[Array], build: impl Fn(&mut Builder, &[NodeId]) -> NodeId) {
    let mut b = Builder::new("operation");
    let ids: Vec<NodeId> =
        inputs.iter().enumerate().map(|(i, x)| b.input(format!("x{i}"), Role::Data, x.ty())).collect();
    let y = build(&mut b, &ids);
    let mut choices = Choices::new(7);
    let weights = numbers(&mut choices, b.shape(y), 0.5, 2.0);
    let w = b.input("w", Role::Data, weights.ty());
    let product = b.mul(y, w);
    let axes: Vec<usize> = (0..b.shape(product).len()).collect();
    let loss = b.sum(product, &axes);
    b.output("loss", loss);
    check(&b.graph, &[inputs, &[weights]].concat(), 12);
}

#[test]
fn unary_operations() {
    let mut choices = Choices::new(2);
    let anywhere =
        [Unary::Neg, Unary::Exp, Unary::Sin, Unary::Cos, Unary::Tanh, Unary::Erf, Unary::Sigmoid, Unary::Softplus];
    for op in anywhere {
        let x = numbers(&mut choices, &[3, 4], -2.0, 2.0);
        check_operation(&[x], |b, x| b.unary(op, x[0]));
    }
    for op in [Unary::Sqrt, Unary::Log, Unary::Log1p, Unary::Abs] {
        let x = numbers(&mut choices, &[3, 4], 0.3, 3.0);
        check_operation(&[x], |b, x| b.unary(op, x[0]));
    }
    let x = numbers(&mut choices, &[7], -0.8, -0.2);
    check_operation(&[x.clone()], |b, x| b.unary(Unary::Log1p, x[0]));
    check_operation(&[x.clone()], |b, x| b.unary(Unary::Abs, x[0]));
    for op in [Unary::Sign, Unary::Floor, Unary::Ceil] {
        check_operation(&[x.clone()], |b, x| {
            let step = b.unary(op, x[0]);
            b.mul(step, x[0])
        });
    }
    let x = numbers(&mut choices, &[7], 1.6, 2.4);
    check_operation(&[x], |b, x| {
        let step = b.unary(Unary::Round, x[0]);
        b.mul(step, x[0])
    });
}

#[test]
fn binary_operations() {
    let mut choices = Choices::new(3);
    let shapes: [(&[usize], &[usize]); 5] =
        [(&[3, 2], &[3, 2]), (&[4, 3], &[3]), (&[3], &[4, 3]), (&[], &[2, 2]), (&[2, 3, 2], &[])];
    for (left, right) in shapes {
        for op in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Pow] {
            let (x, y) = (numbers(&mut choices, left, 0.4, 2.0), numbers(&mut choices, right, 0.5, 2.5));
            check_operation(&[x, y], |b, x| b.binary(op, x[0], x[1]));
        }
        for op in [Binary::Max, Binary::Min] {
            let (x, y) = (numbers(&mut choices, left, -1.0, 1.0), numbers(&mut choices, right, -1.0, 1.0));
            check_operation(&[x, y], |b, x| b.binary(op, x[0], x[1]));
        }
        // An operand twice.
        let x = numbers(&mut choices, left, 0.4, 2.0);
        for op in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Pow] {
            check_operation(&[x.clone()], |b, x| b.binary(op, x[0], x[0]));
        }
    }
    // A negative base with whole exponents.
    let x = numbers(&mut choices, &[5], -2.0, -0.5);
    for exponent in [-3.0, -1.0, 0.0, 1.0, 2.0, 5.0] {
        check_operation(&[x.clone()], |b, x| {
            let exponent = b.f32(exponent);
            b.binary(Binary::Pow, x[0], exponent)
        });
    }
}

#[test]
fn choices_and_conversions() {
    let mut choices = Choices::new(4);
    let shapes: [[&[usize]; 3]; 4] =
        [[&[2, 3], &[2, 3], &[2, 3]], [&[2, 3], &[3], &[]], [&[3], &[], &[2, 3]], [&[], &[3], &[4, 3]]];
    for shapes in shapes {
        let condition = numbers(&mut choices, shapes[0], -1.0, 1.0);
        let (x, y) = (numbers(&mut choices, shapes[1], -1.0, 1.0), numbers(&mut choices, shapes[2], -1.0, 1.0));
        check_operation(&[condition, x, y], |b, x| {
            let zero = b.f32(0.0);
            let test = b.binary(Binary::Gt, x[0], zero);
            b.select(test, x[1], x[2])
        });
    }
    // What went through an integer or a comparison carries no gradient.
    let x = numbers(&mut choices, &[4], 0.1, 0.9);
    check_operation(&[x], |b, x| {
        let whole = b.convert(x[0], DType::I32);
        let back = b.convert(whole, DType::F32);
        b.add(back, x[0])
    });
}

#[test]
fn rearrangements() {
    let mut choices = Choices::new(5);
    let x = numbers(&mut choices, &[2, 3, 4], -1.0, 1.0);
    let cases: &[fn(&mut Builder, NodeId) -> NodeId] = &[
        |b, x| b.broadcast(x, &[2, 5, 3, 4], &[0, 2, 3]),
        |b, x| b.broadcast(x, &[3, 2, 3, 4, 2], &[1, 2, 3]),
        |b, x| b.reshape(x, &[6, 4]),
        |b, x| b.transpose(x, &[2, 0, 1]),
        |b, x| b.transpose(x, &[0, 2, 1]),
        |b, x| b.slice(x, &[0, 1, 1], &[2, 3, 2]),
        |b, x| b.pad(x, &[1, 0, 2], &[0, 3, 1]),
        |b, x| b.concat(&[x, x], 1),
        |b, x| b.reverse(x, 2),
        |b, x| {
            let part = b.slice(x, &[0, 0, 0], &[2, 1, 4]);
            b.concat(&[part, x, part], 1)
        },
    ];
    for case in cases {
        check_operation(&[x.clone()], |b, x| case(b, x[0]));
    }
}

#[test]
fn reductions() {
    let mut choices = Choices::new(6);
    let cases: &[&[usize]] = &[&[0], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]];
    for kind in [Reduction::Sum, Reduction::Prod, Reduction::Max, Reduction::Min] {
        for axes in cases {
            let x = numbers(&mut choices, &[2, 3, 3], -1.5, 1.5);
            check_operation(&[x], |b, x| b.reduce(kind, x[0], axes));
        }
    }
    // A product with one zero, and with several.
    for zeros in [&[1usize][..], &[0, 2], &[0, 1, 2, 3]] {
        let mut x = numbers(&mut choices, &[2, 4], -1.5, 1.5).reals().to_vec();
        zeros.iter().for_each(|&place| x[place] = 0.0);
        check_operation(&[Array::real(&[2, 4], x)], |b, x| b.reduce(Reduction::Prod, x[0], &[1]));
    }
}

#[test]
fn contractions() {
    let mut choices = Choices::new(8);
    type Pairs = &'static [(usize, usize)];
    let cases: &[(&[usize], &[usize], Pairs, Pairs)] = &[
        (&[3, 4], &[4, 2], &[], &[(1, 0)]),
        (&[4], &[4], &[], &[(0, 0)]),
        (&[4], &[4, 3], &[], &[(0, 0)]),
        (&[3, 4], &[4], &[], &[(1, 0)]),
        (&[3], &[2], &[], &[]),
        (&[2, 3, 4], &[2, 4, 3], &[(0, 0)], &[(2, 1)]),
        (&[2, 3, 4], &[4, 2, 3], &[(0, 1)], &[(2, 0)]),
        (&[4, 3, 2], &[3, 5, 4], &[(0, 2)], &[(1, 0)]),
        (&[2, 3, 4], &[3, 4, 2], &[], &[(1, 0), (2, 1)]),
        (&[2, 3, 4], &[4, 5, 3], &[], &[(2, 0), (1, 2)]),
        (&[2, 3, 4], &[3, 2, 4], &[(0, 1), (1, 0)], &[(2, 2)]),
        (&[2, 3, 2, 2], &[2, 2, 3, 2], &[(3, 0)], &[(1, 2)]),
        (&[2, 3], &[3, 2], &[(0, 1), (1, 0)], &[]),
        (&[1, 20], &[20, 3], &[], &[(1, 0)]),
        (&[2, CONTRACT_BLOCK + 3], &[CONTRACT_BLOCK + 3, 2], &[], &[(1, 0)]),
    ];
    for &(left, right, batch, contract) in cases {
        let (x, y) = (numbers(&mut choices, left, -1.0, 1.0), numbers(&mut choices, right, -1.0, 1.0));
        check_operation(&[x, y], |b, x| b.contract(x[0], x[1], batch, contract));
    }
    let x = numbers(&mut choices, &[3, 3], -1.0, 1.0);
    check_operation(&[x], |b, x| b.contract(x[0], x[0], &[], &[(1, 0)]));
}

/// No operation of a differentiated matrix product rearranges memory.
#[test]
fn dense_layers_need_no_transpose() {
    let mut b = Builder::new("dense");
    let x = b.input("x", Role::Data, TensorType::f32([8, 4]));
    let w = b.input("w", Role::Param, TensorType::f32([4, 3]));
    let y = b.contract(x, w, &[], &[(1, 0)]);
    let loss = b.sum(y, &[0, 1]);
    b.output("loss", loss);
    let (with, _) = with_gradients(&b.graph);
    let simple = simplify::simplify_differentiated(&with);
    assert!(!simple.nodes.iter().any(|node| matches!(node.op, Op::Transpose { .. })), "{simple}");
}

/// The gradient of the sum of what `build` makes, of one input.
fn slopes(x: &[f32], build: impl Fn(&mut Builder, NodeId) -> NodeId) -> Vec<f32> {
    let mut b = Builder::new("slopes");
    let input = b.input("x", Role::Data, TensorType::f32([x.len()]));
    let y = build(&mut b, input);
    let axes: Vec<usize> = (0..b.shape(y).len()).collect();
    let loss = b.sum(y, &axes);
    b.output("loss", loss);
    let (with, _) = with_gradients(&b.graph);
    let x = [Array::real(&[x.len()], x.to_vec())];
    let found = eval(&with, &x)[1].reals().to_vec();
    let simple = eval(&simplify::simplify_differentiated(&with), &x)[1].reals().to_vec();
    assert_eq!(format!("{found:?}"), format!("{simple:?}"));
    found
}

#[test]
fn kinks() {
    // relu'(0) = 0: at a tie the gradient goes to the right.
    let relu = |b: &mut Builder, x: NodeId| {
        let zero = b.f32(0.0);
        b.binary(Binary::Max, x, zero)
    };
    assert_eq!(slopes(&[-1.0, 0.0, 1.0], relu), [0.0, 0.0, 1.0]);
    let turned = |b: &mut Builder, x: NodeId| {
        let zero = b.f32(0.0);
        b.binary(Binary::Min, zero, x)
    };
    assert_eq!(slopes(&[-1.0, 0.0, 1.0], turned), [1.0, 1.0, 0.0]);
    assert_eq!(slopes(&[-2.0, 0.0, 2.0], |b, x| b.unary(Unary::Abs, x)), [-1.0, 0.0, 1.0]);
    // `if x > 0 then x else 2 x`: at 0 the second branch.
    let leaky = |b: &mut Builder, x: NodeId| {
        let (zero, two) = (b.f32(0.0), b.f32(2.0));
        let (test, other) = (b.binary(Binary::Gt, x, zero), b.mul(two, x));
        b.select(test, x, other)
    };
    assert_eq!(slopes(&[-1.0, 0.0, 1.0], leaky), [2.0, 2.0, 1.0]);
    for op in [Unary::Floor, Unary::Ceil, Unary::Round, Unary::Sign] {
        assert_eq!(slopes(&[-1.5, 0.0, 1.5], |b, x| b.unary(op, x)), [0.0; 3]);
    }
    // The first of the largest.
    assert_eq!(slopes(&[1.0, 3.0, 3.0, 2.0], |b, x| b.reduce(Reduction::Max, x, &[0])), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(slopes(&[2.0, 3.0, 2.0], |b, x| b.reduce(Reduction::Min, x, &[0])), [1.0, 0.0, 0.0]);
    assert_eq!(slopes(&[0.0, 4.0], |b, x| b.unary(Unary::Sqrt, x)), [f32::INFINITY, 0.25]);
    assert_eq!(slopes(&[0.0, 2.0], |b, x| b.unary(Unary::Log, x)), [f32::INFINITY, 0.5]);
}

/// What the branch not taken would have come to does not matter.
#[test]
fn branches_not_taken_have_no_say() {
    // `if x > 0 then x else exp(x) - 1`, as a textbook has it.
    let elu = |b: &mut Builder, x: NodeId| {
        let (zero, one) = (b.f32(0.0), b.f32(1.0));
        let (test, exp) = (b.binary(Binary::Gt, x, zero), b.unary(Unary::Exp, x));
        let other = b.sub(exp, one);
        b.select(test, x, other)
    };
    assert_eq!(slopes(&[1000.0, 2.0, 0.0, -1000.0], elu), [1.0, 1.0, 1.0, 0.0]);
    // `if x > 0 then sqrt(x) else 0`
    let root = |b: &mut Builder, x: NodeId| {
        let zero = b.f32(0.0);
        let (test, root) = (b.binary(Binary::Gt, x, zero), b.unary(Unary::Sqrt, x));
        b.select(test, root, zero)
    };
    assert_eq!(slopes(&[4.0, 0.0, -1.0], root), [0.25, 0.0, 0.0]);
    // `if x > 0 then x else if x < -5 then 0 else x * exp(x)`; the product uses x twice.
    let nested = |b: &mut Builder, x: NodeId| {
        let (zero, limit) = (b.f32(0.0), b.f32(-5.0));
        let (outer, inner) = (b.binary(Binary::Gt, x, zero), b.binary(Binary::Lt, x, limit));
        let exp = b.unary(Unary::Exp, x);
        let product = b.mul(x, exp);
        let other = b.select(inner, zero, product);
        b.select(outer, x, other)
    };
    assert_eq!(slopes(&[1000.0, 0.0, -1000.0], nested), [1.0, 1.0, 0.0]);
    // A scalar stretched into the branch gathers what is left of all elements: d/dk of `if x > 0 then 0 else x / k`.
    let mut b = Builder::new("stretched");
    let k = b.input("k", Role::Param, TensorType::f32([]));
    let x = b.input("x", Role::Data, TensorType::f32([3]));
    let zero = b.f32(0.0);
    let (test, quotient) = (b.binary(Binary::Gt, x, zero), b.div(x, k));
    let y = b.select(test, zero, quotient);
    let loss = b.sum(y, &[0]);
    b.output("loss", loss);
    let (with, _) = with_gradients(&b.graph);
    let inputs = [Array::real(&[], vec![2.0]), Array::real(&[3], vec![f32::INFINITY, -4.0, -8.0])];
    assert_eq!(eval(&with, &inputs)[1].reals(), [3.0]);
}

#[test]
fn powers_at_zero() {
    let power = |exponent: f32| {
        move |b: &mut Builder, x: NodeId| {
            let exponent = b.f32(exponent);
            b.binary(Binary::Pow, x, exponent)
        }
    };
    assert_eq!(slopes(&[0.0, 3.0], power(2.0)), [0.0, 6.0]);
    assert_eq!(slopes(&[0.0, 3.0], power(1.0)), [1.0, 1.0]);
    assert_eq!(slopes(&[0.0, 3.0], power(0.0)), [0.0, 0.0]);
    let exponent = |base: f32| {
        move |b: &mut Builder, x: NodeId| {
            let base = b.f32(base);
            b.binary(Binary::Pow, base, x)
        }
    };
    assert_eq!(slopes(&[1.0, 2.0], exponent(0.0)), [0.0, 0.0]);
    assert_eq!(slopes(&[1.0, 2.0], exponent(1.0)), [0.0, 0.0]);
}

#[test]
fn gradients_of_what_the_loss_does_not_see() {
    let mut b = Builder::new("unseen");
    let x = b.input("x", Role::Data, TensorType::f32([2]));
    let unseen = b.input("unseen", Role::Param, TensorType::f32([3]));
    let stopped = b.stop_gradient(x);
    let y = b.mul(stopped, x);
    let loss = b.sum(y, &[0]);
    let late = b.neg(loss);
    let slopes = gradients(&mut b, loss, &[unseen, x, late, loss]);
    for (number, slope) in slopes.into_iter().enumerate() {
        b.output(format!("d{number}"), slope);
    }
    let found = eval(&b.graph, &[Array::real(&[2], vec![3.0, 4.0]), Array::real(&[3], vec![1.0; 3])]);
    assert_eq!(found[0].reals(), [0.0; 3]);
    assert_eq!(found[1].reals(), [3.0, 4.0]);
    assert_eq!(found[2].reals(), [0.0]);
    assert_eq!(found[3].reals(), [1.0]);
}

/// Any graph can be differentiated, and simplifying keeps the bits of its gradients.
#[test]
fn random_graphs_differentiate() {
    for seed in 0..80 {
        let (mut graph, inputs) = random_graph(seed);
        let mut b = Builder::on(graph.clone());
        let mut loss = b.f32(0.0);
        for output in &graph.outputs {
            let value = b.convert(output.node, DType::F32);
            let axes: Vec<usize> = (0..b.shape(value).len()).collect();
            let sum = b.sum(value, &axes);
            loss = b.add(loss, sum);
        }
        graph = b.graph;
        graph.outputs = vec![Output { name: "loss".to_owned(), node: loss, updates: None }];
        let (with, _) = with_gradients(&graph);
        let simple = simplify::simplify_differentiated(&with);
        for (before, after) in eval(&with, &inputs).iter().zip(eval(&simple, &inputs)) {
            assert!(bits(before) == bits(&after), "seed {seed}\n{with}\n{simple}");
        }
    }
}
