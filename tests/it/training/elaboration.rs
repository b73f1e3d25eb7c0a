//! What each operation of the language comes to, on one sample.

use super::bodies::*;
use nnc::check::hir::{Binding, Body, Element, Elementwise, HirOp, Reduce, ValueId, ValueType, Window};
use nnc::graph::elaborate::{Random, Scope, elaborate, tensor_type};
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, Graph, Role, TensorType, verify};

/// The graph of a body whose inputs are data, with draws from a seed.
fn graph_of(body: &Body) -> Graph {
    let mut b = Builder::new("test");
    let inputs: Vec<_> =
        body.inputs.iter().map(|input| b.input(&input.name, Role::Data, tensor_type(&input.ty))).collect();
    let step = b.input("step", Role::Setting, TensorType::i32([]));
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let random = Some(Random { seed, step, purpose: 0 });
    let value = elaborate(body, &mut b, Scope { inputs: &inputs, training: true, random, ..Scope::default() }).unwrap();
    for (node, (name, _)) in value.outputs.iter().zip(&body.outputs) {
        b.output(name, *node);
    }
    verify::check(&b.graph, "elaborate");
    b.graph
}

fn run(body: &Body, inputs: &[Array]) -> Array {
    let settings = [Array::i32(&[], vec![1]), Array::i32(&[2], vec![7, 0])];
    let inputs: Vec<Array> = inputs.iter().cloned().chain(settings).collect();
    eval(&graph_of(body), &inputs).remove(0)
}

/// One operation on inputs of these types.
fn apply(op: HirOp, inputs: &[(ValueType, Array)], result: ValueType) -> Array {
    let mut w = Writer::default();
    let operands: Vec<ValueId> =
        inputs.iter().enumerate().map(|(i, (ty, _))| w.input(&format!("x{i}"), Binding::Field, ty.clone())).collect();
    let value = w.op(op, &operands, result);
    let arrays: Vec<Array> = inputs.iter().map(|(_, array)| array.clone()).collect();
    run(&w.finish(&[("value", value)]), &arrays)
}

fn reals(shape: &[usize], values: &[f32]) -> (ValueType, Array) {
    (numbers(shape), Array::real(shape, values.to_vec()))
}

fn classes(count: usize, shape: &[usize], values: &[i32]) -> (ValueType, Array) {
    let ty = ValueType { element: Element::Class { count, names: None }, shape: shape.to_vec() };
    (ty, Array::i32(shape, values.to_vec()))
}

/// One operation on numbers.
fn on_numbers(op: HirOp, inputs: &[(&[usize], &[f32])], shape: &[usize]) -> Vec<f32> {
    let inputs: Vec<_> = inputs.iter().map(|(shape, values)| reals(shape, values)).collect();
    apply(op, &inputs, numbers(shape)).reals().to_vec()
}

#[test]
fn remainders_have_the_sign_of_the_divisor() {
    let op = HirOp::Elementwise(Elementwise::Rem);
    let found = on_numbers(op, &[(&[5], &[7.0, -7.0, 7.0, -7.0, 5.5]), (&[5], &[3.0, 3.0, -3.0, -3.0, 2.0])], &[5]);
    assert_eq!(found, [1.0, 2.0, -2.0, -1.0, 1.5]);
}

#[test]
fn clamp_keeps_what_is_no_number() {
    let op = HirOp::Elementwise(Elementwise::Clamp);
    let found = on_numbers(op, &[(&[4], &[-2.0, 0.5, 9.0, f32::NAN]), (&[], &[0.0]), (&[], &[1.0])], &[4]);
    assert_eq!(found[..3], [0.0, 0.5, 1.0]);
    assert!(found[3].is_nan());
}

#[test]
fn means_and_variances_run_over_the_axes_named() {
    let x: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0, 9.0];
    assert_eq!(on_numbers(HirOp::Reduce(Reduce::Mean, vec![0]), &[(&[2, 3], x)], &[3]), [2.5, 3.5, 6.0]);
    assert_eq!(on_numbers(HirOp::Reduce(Reduce::Mean, vec![0, 1]), &[(&[2, 3], x)], &[]), [4.0]);
    assert_eq!(on_numbers(HirOp::Reduce(Reduce::Var, vec![0]), &[(&[2, 3], x)], &[3]), [2.25, 2.25, 9.0]);
    assert_eq!(on_numbers(HirOp::Reduce(Reduce::Var, vec![1]), &[(&[2, 3], x)], &[2]), [2.0 / 3.0, 14.0 / 3.0]);
}

#[test]
fn arg_max_over_several_axes_counts_row_by_row() {
    let (ty, x) = reals(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 9.0, 5.0]);
    let found = apply(HirOp::Reduce(Reduce::ArgMax, vec![0, 1]), &[(ty.clone(), x.clone())], class(6));
    assert_eq!(found.integers(), [4]);
    let ty3 = ValueType { element: class(2).element, shape: vec![3] };
    assert_eq!(apply(HirOp::Reduce(Reduce::ArgMin, vec![0]), &[(ty, x)], ty3).integers(), [0, 0, 0]);
}

#[test]
fn truth_values_count_as_0_and_1() {
    let truth = (truths(&[3]), Array::bool(&[3], vec![true, false, true]));
    let found = apply(HirOp::Reduce(Reduce::Sum, vec![0]), std::slice::from_ref(&truth), numbers(&[]));
    assert_eq!(found.reals(), [2.0]);
    let found = apply(HirOp::Elementwise(Elementwise::Mul), &[truth.clone(), reals(&[], &[3.0])], numbers(&[3]));
    assert_eq!(found.reals(), [3.0, 0.0, 3.0]);
    let found =
        apply(HirOp::Elementwise(Elementwise::Eq), &[truth.clone(), reals(&[3], &[1.0, 1.0, 0.0])], truths(&[3]));
    assert_eq!(found.truths(), [true, false, false]);
    let found = apply(HirOp::Elementwise(Elementwise::Lt), &[truth.clone(), truth], truths(&[3]));
    assert_eq!(found.truths(), [false; 3]);
}

#[test]
fn products_take_the_last_axis_with_the_first() {
    let a: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(on_numbers(HirOp::MatMul, &[(&[3], &a[..3]), (&[3, 2], a)], &[2]), [22.0, 28.0]);
    assert_eq!(on_numbers(HirOp::MatMul, &[(&[3], &a[..3]), (&[3], &a[3..])], &[]), [32.0]);
    assert_eq!(on_numbers(HirOp::MatMul, &[(&[2, 3], a), (&[3], &[1.0, 0.0, 2.0])], &[2]), [7.0, 16.0]);
    assert_eq!(on_numbers(HirOp::MatMul, &[(&[2, 3], a), (&[3, 2], a)], &[2, 2]), [22.0, 28.0, 49.0, 64.0]);
    let found = on_numbers(HirOp::MatMul, &[(&[2, 1, 3], a), (&[2, 3, 1], a)], &[2, 1, 1]);
    assert_eq!(found, [14.0, 77.0]);
    let found = on_numbers(HirOp::MatMul, &[(&[2, 2, 1], &a[..4]), (&[1, 2], &[1.0, 10.0])], &[2, 2, 2]);
    assert_eq!(found, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
}

#[test]
fn shapes_change_as_written() {
    let x: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let two: &[(&[usize], &[f32])] = &[(&[3], &x[..3]), (&[3], &x[3..])];
    assert_eq!(on_numbers(HirOp::Concat(0), two, &[6]), x);
    assert_eq!(on_numbers(HirOp::Stack(0), two, &[2, 3]), x);
    assert_eq!(on_numbers(HirOp::Stack(1), two, &[3, 2]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let m: &[(&[usize], &[f32])] = &[(&[2, 3], x)];
    assert_eq!(on_numbers(HirOp::Transpose(vec![1, 0]), m, &[3, 2]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(on_numbers(HirOp::Slice(vec![(0, 2), (1, 2)]), m, &[2, 1]), [2.0, 5.0]);
    assert_eq!(on_numbers(HirOp::Take { axis: 1, index: 2 }, m, &[2]), [3.0, 6.0]);
    assert_eq!(on_numbers(HirOp::Take { axis: 0, index: 1 }, m, &[3]), [4.0, 5.0, 6.0]);
    assert_eq!(on_numbers(HirOp::Reverse(1), m, &[2, 3]), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    let found = on_numbers(HirOp::Pad(vec![(1, 0), (0, 1)]), m, &[3, 4]);
    assert_eq!(found, [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
    let found = on_numbers(HirOp::Upsample { axis: 0, factor: 2 }, m, &[4, 3]);
    assert_eq!(found, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0]);
    assert_eq!(on_numbers(HirOp::Upsample { axis: 1, factor: 2 }, m, &[2, 6])[..6], [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    assert_eq!(on_numbers(HirOp::Expand(vec![0]), &[(&[2], &x[..2])], &[2, 3]), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    let found = on_numbers(HirOp::Expand(vec![2, 0]), m, &[3, 2, 2]);
    assert_eq!(found, [1.0, 4.0, 1.0, 4.0, 2.0, 5.0, 2.0, 5.0, 3.0, 6.0, 3.0, 6.0]);
    assert_eq!(on_numbers(HirOp::Fill, &[(&[], &[4.0])], &[2, 2]), [4.0; 4]);
}

#[test]
fn categories_index_and_indicate() {
    let token = classes(3, &[2], &[2, 0]);
    let table = reals(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(apply(HirOp::Gather, &[table.clone(), token.clone()], numbers(&[2, 2])).reals(), [5.0, 6.0, 1.0, 2.0]);
    assert_eq!(apply(HirOp::Gather, &[table, classes(3, &[], &[1])], numbers(&[2])).reals(), [3.0, 4.0]);
    assert_eq!(
        apply(HirOp::OneHot, std::slice::from_ref(&token), numbers(&[2, 3])).reals(),
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    );
    assert_eq!(apply(HirOp::OneHot, &[classes(3, &[], &[1])], numbers(&[3])).reals(), [0.0, 1.0, 0.0]);
    let same = apply(HirOp::Elementwise(Elementwise::Eq), &[token, classes(3, &[], &[0])], truths(&[2]));
    assert_eq!(same.truths(), [false, true]);
}

#[test]
fn a_condition_the_program_fixes_leaves_one_branch() {
    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[]));
    let y = w.input("y", Binding::Field, numbers(&[2]));
    let training = w.op(HirOp::Training, &[], truths(&[]));
    let value = w.apply(Elementwise::If, &[training, x, y]);
    let body = w.finish(&[("value", value)]);
    assert!(!graph_of(&body).nodes.iter().any(|node| matches!(node.op, nnc::graph::Op::Select)));
    assert_eq!(run(&body, &[Array::real(&[], vec![3.0]), Array::real(&[2], vec![1.0, 2.0])]).reals(), [3.0, 3.0]);
}

/// `each` of a region that adds a captured vector to a row and scales it by a draw of its own.
#[test]
fn each_maps_over_the_first_axis() {
    let mut region = Writer::default();
    let row = region.input("row", Binding::Region, numbers(&[2]));
    let shift = region.input("shift", Binding::Region, numbers(&[2]));
    let sum = region.add(row, shift);
    let total = region.reduce(Reduce::Sum, sum);
    let (low, high) = (region.number(0.0), region.number(1.0));
    let draw = region.op(HirOp::Uniform, &[low, high], numbers(&[]));
    let region = region.finish(&[("sum", sum), ("total", total), ("draw", draw)]);

    let mut w = Writer::default();
    let x = w.input("x", Binding::Field, numbers(&[3, 2]));
    let shift = w.input("shift", Binding::Field, numbers(&[2]));
    let each = HirOp::Each { region: Box::new(region), mapped: 1, results: 3 };
    let sums = w.op(each, &[x, shift], numbers(&[3, 2]));
    let totals = w.op(HirOp::Result(1), &[sums], numbers(&[3]));
    let draws = w.op(HirOp::Result(2), &[sums], numbers(&[3]));
    let body = w.finish(&[("sums", sums), ("totals", totals), ("draws", draws)]);
    let inputs = [
        Array::real(&[3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        Array::real(&[2], vec![10.0, 20.0]),
        Array::i32(&[], vec![1]),
        Array::i32(&[2], vec![7, 0]),
    ];
    let found = eval(&graph_of(&body), &inputs);
    assert_eq!(found[0].reals(), [11.0, 22.0, 13.0, 24.0, 15.0, 26.0]);
    assert_eq!(found[1].reals(), [33.0, 37.0, 41.0]);
    let draws = found[2].reals();
    assert!(draws[0] != draws[1] && draws[1] != draws[2] && draws.iter().all(|x| (0.0..1.0).contains(x)), "{draws:?}");
}

fn draws(op: HirOp, a: f32, b: f32) -> Vec<f32> {
    apply(op, &[reals(&[], &[a]), reals(&[], &[b])], numbers(&[100, 100])).reals().to_vec()
}

fn mean_and_deviation(x: &[f32]) -> (f64, f64) {
    let mean = x.iter().copied().map(f64::from).sum::<f64>() / x.len() as f64;
    let square = x.iter().map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean)).sum::<f64>() / x.len() as f64;
    (mean, square.sqrt())
}

#[test]
fn draws_have_the_distribution_asked_for() {
    let normal = draws(HirOp::Normal, 2.0, 3.0);
    let (mean, deviation) = mean_and_deviation(&normal);
    assert!((mean - 2.0).abs() < 0.1 && (deviation - 3.0).abs() < 0.1, "{mean} {deviation}");
    let beyond = normal.iter().filter(|&&x| (x - 2.0).abs() > 6.0).count();
    assert!((350..=560).contains(&beyond), "{beyond} of 10000 beyond two deviations");

    let uniform = draws(HirOp::Uniform, -1.0, 3.0);
    let (mean, deviation) = mean_and_deviation(&uniform);
    assert!((mean - 1.0).abs() < 0.05 && (deviation - 4.0 / 12.0_f64.sqrt()).abs() < 0.05);
    assert!(uniform.iter().all(|x| (-1.0..=3.0).contains(x)));

    let hits = apply(HirOp::Bernoulli, &[reals(&[], &[0.3])], numbers(&[10_000]));
    assert!((mean_and_deviation(hits.reals()).0 - 0.3).abs() < 0.02);
    assert!(hits.reals().iter().all(|&x| x == 0.0 || x == 1.0));
}

#[test]
fn orthogonal_columns_are_orthonormal() {
    let q = on_numbers(HirOp::Orthogonal, &[], &[2, 3, 4]);
    for i in 0..4 {
        for j in 0..4 {
            let dot: f32 = (0..6).map(|k| q[4 * k + i] * q[4 * k + j]).sum();
            assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-5, "columns {i} and {j}: {dot}");
        }
    }
}

#[test]
fn what_has_no_place_here_says_so() {
    let mut w = Writer::default();
    let y = w.op(HirOp::Column(0), &[], numbers(&[]));
    let body = w.finish(&[("value", y)]);
    let found = elaborate(&body, &mut Builder::new("test"), Scope::default());
    assert_eq!(found.unwrap_err().what, "a column of the data");
}

/// Windows over one axis.
fn along(size: usize, stride: usize, padding: (usize, usize), dilation: usize) -> Window {
    Window { size: vec![size], stride: vec![stride], padding: vec![padding], dilation: vec![dilation], groups: 1 }
}

#[test]
fn windows_over_a_series() {
    let x: &[(&[usize], &[f32])] = &[(&[5, 1], &[1.0, 3.0, 2.0, -5.0, -4.0])];
    let max = |window, shape: &[usize]| on_numbers(HirOp::MaxPool(window), x, shape);
    assert_eq!(max(along(2, 2, (0, 0), 1), &[2, 1]), [3.0, 2.0]);
    assert_eq!(max(along(3, 2, (1, 1), 1), &[3, 1]), [3.0, 3.0, -4.0]);
    let mean = |window, shape: &[usize]| on_numbers(HirOp::AvgPool(window), x, shape);
    assert_eq!(mean(along(2, 2, (0, 0), 1), &[2, 1]), [2.0, -1.5]);
    assert_eq!(mean(along(3, 2, (1, 1), 1), &[3, 1]), [2.0, 0.0, -4.5]);

    let with = |w: &'static [f32], window: Window, filters: usize, shape: &[usize]| {
        let operands: [(&[usize], &[f32]); 2] = [x[0], (&[w.len() / filters, 1, filters], w)];
        on_numbers(HirOp::Conv(window), &operands, shape)
    };
    assert_eq!(with(&[1.0, 10.0], along(2, 1, (0, 0), 1), 1, &[4, 1]), [31.0, 23.0, -48.0, -45.0]);
    assert_eq!(with(&[1.0, 10.0], along(2, 2, (1, 1), 1), 1, &[3, 1]), [10.0, 23.0, -45.0]);
    assert_eq!(with(&[1.0, 10.0], along(2, 1, (0, 0), 3), 1, &[2, 1]), [-49.0, -37.0]);
    assert_eq!(with(&[1.0, 2.0, 10.0, 20.0], along(2, 3, (0, 0), 1), 2, &[2, 2]), [31.0, 62.0, -45.0, -90.0]);

    let spread = |window: Window, shape: &[usize]| {
        let operands: [(&[usize], &[f32]); 2] = [(&[2, 1], &[1.0, 3.0]), (&[3, 1, 1], &[1.0, 10.0, 100.0])];
        on_numbers(HirOp::ConvTranspose(window), &operands, shape)
    };
    assert_eq!(spread(along(3, 1, (0, 0), 1), &[4, 1]), [1.0, 13.0, 130.0, 300.0]);
    assert_eq!(spread(along(3, 2, (0, 0), 1), &[5, 1]), [1.0, 10.0, 103.0, 30.0, 300.0]);
    assert_eq!(spread(along(3, 2, (1, 0), 1), &[3, 1]), [10.0, 103.0, 30.0]);
    assert_eq!(spread(along(3, 4, (0, 0), 1), &[8, 1]), [1.0, 10.0, 100.0, 0.0, 3.0, 30.0, 300.0, 0.0]);
}

#[test]
fn groups_of_channels_have_filters_of_their_own() {
    // Channels 1, 2 | 3, 4 at one place; of each group two filters, of which the second is ten times the first.
    let window = Window { groups: 2, ..along(1, 1, (0, 0), 1) };
    let w: &[f32] = &[1.0, 10.0, 100.0, 1000.0, 1.0, 10.0, 100.0, 1000.0];
    let operands: [(&[usize], &[f32]); 2] = [(&[1, 4], &[1.0, 2.0, 3.0, 4.0]), (&[1, 2, 4], w)];
    assert_eq!(on_numbers(HirOp::Conv(window), &operands, &[1, 4]), [3.0, 30.0, 700.0, 7000.0]);
}
