//! Graphs as text, and what `verify` says of wrong ones.

use nnc::graph::print::print;
use nnc::graph::verify::verify;
use nnc::graph::{Binary, Builder, DType, Graph, NodeId, Op, Output, Reduction, Role, Scalar, TensorType, Unary};
use nnc::source::{Sources, Span};

fn dense() -> Graph {
    let mut b = Builder::new("Simple.eval");
    b.graph.batch = Some(32);
    let p = b.input("p", Role::Data, TensorType::f32([32, 2]));
    let w = b.input("dense_1.W", Role::Param, TensorType::f32([2, 3]));
    let bias = b.input("dense_1.b", Role::Param, TensorType::f32([3]));
    b.origin = Span::new(nnc::source::FileId(0), 8, 13);
    let y = b.contract(p, w, &[], &[(1, 0)]);
    let y = b.add(y, bias);
    b.origin = Span::new(nnc::source::FileId(0), 15, 19);
    let zero = b.f32(0.0);
    let y = b.binary(Binary::Max, y, zero);
    b.origin = Span::default();
    b.output("y", y);
    let moved = b.sum(y, &[0]);
    b.update(bias, moved);
    b.graph
}

#[test]
fn a_dense_layer() {
    let mut sources = Sources::new();
    sources.add("net.nn", "let y =\nx @ W\n  |> relu\n");
    let expected = "\
graph Simple.eval (batch 32) {
  %0: f32[32, 2] = data \"p\"
  %1: f32[2, 3]  = param \"dense_1.W\"
  %2: f32[3]     = param \"dense_1.b\"
  %3: f32[32, 3] = contract ik,kj->ij %0, %1  ; net.nn:2:1
  %4: f32[32, 3] = add %3, %2                 ; net.nn:2:1, suffix [3]
  %6: f32[32, 3] = max %4, 0.0                ; net.nn:3:2
  %7: f32[3]     = sum %6, axes [0]
  return \"y\" %6
  update \"dense_1.b\" %7
}
";
    assert_eq!(print(&dense(), Some(&sources)), expected);
    assert!(!dense().to_string().contains("net.nn"));
}

#[test]
fn every_operation_has_a_form() {
    let mut b = Builder::new("all");
    let x = b.input("x", Role::Data, TensorType::f32([2, 3]));
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let step = b.input("step", Role::State, TensorType::i32([]));
    let (tiny, yes, three) = (b.f32(1e-7), b.scalar(Scalar::Bool(true)), b.scalar(Scalar::I32(3)));
    let iota = b.iota(&[2, 3], 1);
    let negative = b.unary(Unary::Neg, x);
    let scaled = b.mul(negative, tiny);
    let chosen = b.select(yes, x, scaled);
    let whole = b.convert(chosen, DType::I32);
    let equal = b.binary(Binary::Eq, whole, three);
    let repeated = b.broadcast(x, &[2, 4, 3], &[0, 2]);
    let flat = b.reshape(repeated, &[8, 3]);
    let turned = b.transpose(flat, &[1, 0]);
    let part = b.slice(turned, &[0, 1], &[3, 4]);
    let padded = b.pad(part, &[1, 0], &[0, 2]);
    let joined = b.concat(&[padded, padded], 0);
    let backwards = b.reverse(joined, 1);
    let largest = b.reduce(Reduction::Max, repeated, &[1, 2]);
    let (first, last) = (b.arg_max(x, 0), b.arg_min(x, 1));
    let product = b.contract(x, repeated, &[(0, 0)], &[(1, 2)]);
    let noise = b.uniform(seed, step, 4, &[2]);
    let stopped = b.stop_gradient(noise);
    let summed = b.sum_batch(stopped);
    let orthonormal = b.orthogonalize(x);
    b.output("iota", iota);
    b.output("tiny", tiny);
    for (name, node) in
        [("equal", equal), ("backwards", backwards), ("largest", largest), ("first", first), ("last", last)]
    {
        b.output(name, node);
    }
    for (name, node) in [("product", product), ("summed", summed), ("orthonormal", orthonormal)] {
        b.output(name, node);
    }
    let expected = "\
graph all {
  %0: f32[2, 3]     = data \"x\"
  %1: i32[2]        = setting \"seed\"
  %2: i32[]         = state \"step\"
  %6: i32[2, 3]     = iota axis 1
  %7: f32[2, 3]     = neg %0
  %8: f32[2, 3]     = mul %7, 1e-7
  %9: f32[2, 3]     = select true, %0, %8
  %10: i32[2, 3]    = convert %9
  %11: bool[2, 3]   = eq %10, 3
  %12: f32[2, 4, 3] = broadcast %0, axes [0, 2]
  %13: f32[8, 3]    = reshape %12
  %14: f32[3, 8]    = transpose %13, [1, 0]
  %15: f32[3, 3]    = slice %14, [0..3, 1..4]
  %16: f32[4, 5]    = pad %15, [1+0, 0+2]
  %17: f32[8, 5]    = concat %16, %16, axis 0
  %18: f32[8, 5]    = reverse %17, axis 1
  %19: f32[2]       = max %12, axes [1, 2]
  %20: i32[3]       = argmax %0, axis 0
  %21: i32[2]       = argmin %0, axis 1
  %22: f32[2, 4]    = contract ik,ijk->ij %0, %12
  %23: f32[2]       = uniform %1, %2, purpose 4
  %24: f32[2]       = stop_gradient %23
  %25: f32[2]       = sum_batch %24
  %26: f32[2, 3]    = orthogonalize %0
  return \"iota\" %6
  return \"tiny\" 1e-7
  return \"equal\" %11
  return \"backwards\" %18
  return \"largest\" %19
  return \"first\" %20
  return \"last\" %21
  return \"product\" %22
  return \"summed\" %25
  return \"orthonormal\" %26
}
";
    assert_eq!(b.graph.to_string(), expected);
    assert_eq!(verify(&b.graph), Ok(()));
}

/// Every way to break a graph is found, at the node where it was broken.
#[test]
fn verify_finds_what_is_wrong() {
    let cases: &[(fn(&mut Graph), &str)] = &[
        (|g| g.nodes[3].operands[1] = NodeId(4), "%3: uses %4 before its definition"),
        (|g| g.nodes[3].ty.shape[0] = 31, "%3: has type f32[31, 3] where f32[32, 3] is due"),
        (|g| g.nodes[4].ty.dtype = DType::I32, "%4: has type i32[32, 3] where f32[32, 3] is due"),
        (|g| g.nodes[4].operands[1] = NodeId(1), "%4: the shapes are no suffixes of one another"),
        (|g| g.nodes[4].operands.push(NodeId(0)), "%4: has 3 operands where 2 are due"),
        (|g| g.nodes[1].op = Op::Input(9), "%1: an input that is not listed"),
        (
            |g| g.nodes[3].op = Op::Contract { batch: vec![(0, 0)], contract: vec![] },
            "%3: paired axes differ in extent",
        ),
        (|g| g.nodes[3].op = Op::SumBatch, "%3: a sum over the batch is left"),
        (|g| g.nodes[6].op = Op::Binary(Binary::And), "%6: the operands have the wrong element type"),
        (|g| g.nodes[7].op = Op::Reduce { kind: Reduction::Sum, axis: 1, count: 2 }, "%7: no such axes"),
        (|g| g.outputs[0].node = NodeId(99), "output \"y\" is not there"),
        (|g| g.outputs[1].updates = Some(0), "output \"dense_1.b\" updates neither a parameter nor a state"),
        (|g| g.outputs[1].updates = Some(1), "output \"dense_1.b\" does not have the type of what it updates"),
        (
            |g| {
                let again: Output = g.outputs[1].clone();
                g.outputs.push(again);
            },
            "output \"dense_1.b\" updates an input for the second time",
        ),
    ];
    assert_eq!(verify(&dense()), Ok(()));
    for &(spoil, message) in cases {
        let mut graph = dense();
        spoil(&mut graph);
        assert_eq!(verify(&graph).unwrap_err().message, message);
    }
}

#[test]
fn a_fault_is_marked() {
    let mut graph = dense();
    graph.nodes[4].ty.shape[0] = 31;
    let panic = std::panic::catch_unwind(|| nnc::graph::verify::check(&graph, "simplify")).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("after simplify: %4: has type f32[31, 3] where f32[32, 3] is due\ngraph Simple.eval"));
    assert!(message.contains("\n> %4: f32[31, 3] = add %3, %2"), "{message}");
    assert!(message.contains("\n  %3: f32[32, 3] = contract"), "{message}");
}
