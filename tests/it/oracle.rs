//! Values and gradients against other tools: the cases that the scripts of `tests/oracle/` wrote.
//!
//! A case is a model and what goes in and comes out, by name; `tests/oracle/cases.py` says how it is written down. Each runs by the
//! interpreter and as machine code, which agree to the bit, and is compared within 1e-5 of the largest value.

use crate::engines::said;
use crate::lower::assert_same;
use crate::shipped::without_case;
use nnc::autodiff::gradients;
use nnc::check::hir::Model;
use nnc::driver::check_program;
use nnc::graph::elaborate::{Random, Scope, elaborate, tensor_type};
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, DType, Graph, NodeId, Op, Role, TensorType, batch, hoist, simplify, stabilize};
use nnc::prelude::PRELUDE;
use nnc::train::program::Programs;
use serde_json::Value;
use std::panic::catch_unwind;

/// The numbers of a nested list.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::Number(number) => vec![number.as_f64().unwrap()],
        other => panic!("{other} is no number"),
    }
}

/// An array of a case, `[shape, numbers]`, as an input takes it.
fn array(json: &Value, dtype: DType) -> Array {
    let shape: Vec<usize> = numbers(&json[0]).into_iter().map(|n| n as usize).collect();
    let elements = numbers(&json[1]);
    match dtype {
        DType::F32 => Array::real(&shape, elements.iter().map(|&x| x as f32).collect()),
        DType::I32 => Array::i32(&shape, elements.iter().map(|&x| x as i32).collect()),
        DType::Bool => Array::bool(&shape, elements.iter().map(|&x| x != 0.0).collect()),
    }
}

/// What differs by more than 1e-5 of the largest value.
pub(crate) fn difference(found: &Array, expected: &Value) -> Option<String> {
    let numbers_found: Vec<f64> = match found.ty().dtype {
        DType::F32 => found.reals().iter().map(|&x| f64::from(x)).collect(),
        DType::I32 => found.integers().iter().map(|&x| f64::from(x)).collect(),
        DType::Bool => found.truths().iter().map(|&x| f64::from(u8::from(x))).collect(),
    };
    let shape: Vec<usize> = numbers(&expected[0]).into_iter().map(|n| n as usize).collect();
    if found.shape() != shape {
        return Some(format!("the shape is {:?} instead of {shape:?}", found.shape()));
    }
    let expected = numbers(&expected[1]);
    if numbers_found.len() != expected.len() {
        return Some(format!("{} numbers for the shape {shape:?}", expected.len()));
    }
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    // False for what is not a number.
    let near = |at: usize| (numbers_found[at] - expected[at]).abs() <= 1e-5 * largest;
    let at = (0..expected.len()).find(|&at| !near(at))?;
    Some(format!("element {at} is {} instead of {}, the largest {largest}", numbers_found[at], expected[at]))
}

/// The graph of `samples` samples: the outputs of the model; with `weights`, the names of outputs, the gradients of the sum of all
/// of these times inputs `weights.NAME` with respect to what is named in `wrt`, as outputs `d NAME`; and the next states.
pub(crate) fn graph_of(model: &Model, samples: usize, training: bool, weights: &[String], wrt: &[String]) -> Graph {
    let body = &model.body;
    let mut b = Builder::new("case");
    let inputs: Vec<NodeId> =
        body.inputs.iter().map(|input| b.input(&input.name, Role::Data, tensor_type(&input.ty))).collect();
    let mut kept = |role: Role, path: &str, shape: &[usize]| b.input(path, role, TensorType::f32(shape));
    let params: Vec<NodeId> = body.params.iter().map(|param| kept(Role::Param, &param.path, &param.shape)).collect();
    let states: Vec<NodeId> = body.states.iter().map(|state| kept(Role::State, &state.path, &state.shape)).collect();
    let step = b.input("step", Role::Setting, TensorType::i32([]));
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let random = Some(Random { seed, step, purpose: 0 });
    let scope = Scope { inputs: &inputs, params: &params, states: &states, training, random, ..Scope::default() };
    let result = elaborate(body, &mut b, scope).unwrap();
    for ((name, _), &node) in body.outputs.iter().zip(&result.outputs) {
        b.output(name, node);
    }
    let mut loss = b.f32(0.0);
    for ((name, value), &node) in body.outputs.iter().zip(&result.outputs) {
        if weights.contains(name) {
            let ty = tensor_type(&body.values[value.0 as usize].ty);
            let axes: Vec<usize> = (0..ty.rank()).collect();
            let weights = b.input(format!("weights.{name}"), Role::Data, ty);
            let product = b.mul(node, weights);
            let sum = b.sum(product, &axes);
            loss = b.add(loss, sum);
        }
    }
    let loss = b.sum_batch(loss);
    b.output("loss", loss);
    for (&state, next) in states.iter().zip(&result.next) {
        if let Some(next) = next.filter(|_| training) {
            b.update(state, next);
        }
    }
    let sample = hoist::hoist(&stabilize::stabilize(&b.graph));
    let mut b = Builder::on(simplify::simplify(&batch::batch(&sample, samples)));
    // What no sample has a part in has no batch axis.
    for (number, (_, value)) in body.outputs.iter().enumerate() {
        let shape = [&[samples], body.values[value.0 as usize].ty.shape.as_slice()].concat();
        let node = b.graph.outputs[number].node;
        if b.shape(node).len() < shape.len() {
            b.graph.outputs[number].node = b.broadcast_suffix(node, &shape);
        }
    }
    let loss = b.graph.outputs.remove(body.outputs.len()).node;
    let wrt: Vec<(String, NodeId)> = (b.graph.ids())
        .filter_map(|id| match b.graph[id].op {
            Op::Input(number) => Some((b.graph.inputs[number].name.clone(), id)),
            _ => None,
        })
        .filter(|(name, _)| wrt.contains(name))
        .collect();
    let ids: Vec<NodeId> = wrt.iter().map(|(_, id)| *id).collect();
    for (slope, (name, _)) in gradients(&mut b, loss, &ids).into_iter().zip(&wrt) {
        b.output(format!("d {name}"), slope);
    }
    simplify::simplify_differentiated(&b.graph)
}

/// The names in an object of a case, which may lack it.
fn names(json: &Value) -> Vec<String> {
    json.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// What a case finds wrong. It panics where the case itself is not what it should be.
fn problems(case: &Value) -> Vec<String> {
    let text = case["model"].as_str().unwrap();
    let checked = check_program("test.nn", text);
    if !checked.diagnostics.is_empty() {
        return vec![format!("{:?}", checked.diagnostics)];
    }
    let given = &case["given"];
    let model = &checked.hir.models[0];
    let first = &model.body.inputs[0].name;
    let samples = numbers(&given[first][0])[0] as usize;
    let graph = match checked.hir.runs.first() {
        Some(run) => Programs { run, model, weighted: false }.training(samples).unwrap(),
        None => {
            let training = case["training"].as_bool().unwrap();
            graph_of(model, samples, training, &names(&case["weights"]), &names(&case["gradients"]))
        }
    };
    let inputs: Vec<Array> = (graph.inputs.iter())
        .map(|input| match input.name.strip_prefix("weights.") {
            Some(output) => array(&case["weights"][output], DType::F32),
            None if input.name == "lr" => Array::real(&[], vec![case["rate"].as_f64().unwrap() as f32]),
            None if input.role == Role::Setting => {
                Array::i32(&input.ty.shape, vec![case["step"].as_i64().unwrap_or(1) as i32; input.ty.len()])
            }
            None => {
                let value = given.get(&input.name).unwrap_or_else(|| panic!("{text}: {} is not given", input.name));
                array(value, input.ty.dtype)
            }
        })
        .collect();
    assert_same(text, &graph, &inputs);
    let found = eval(&graph, &inputs);
    let mut wrong = Vec::new();
    let mut compare = |what: &str, place: Option<usize>, expected: &Value| match place {
        Some(place) => wrong.extend(difference(&found[place], expected).map(|problem| format!("{what}: {problem}"))),
        // Where it has no influence there is no such input.
        None if numbers(&expected[1]).iter().all(|&x| x == 0.0) => {}
        None => wrong.push(format!("{what} is not an output")),
    };
    let output = |name: &str| graph.outputs.iter().position(|output| output.updates.is_none() && output.name == name);
    for (name, expected) in case["values"].as_object().unwrap() {
        compare(name, output(name), expected);
    }
    for (name, expected) in case["gradients"].as_object().into_iter().flatten() {
        compare(&format!("d {name}"), output(&format!("d {name}")), expected);
    }
    for (path, expected) in case["next"].as_object().into_iter().flatten() {
        let state = graph.input(path).unwrap();
        compare(path, graph.outputs.iter().position(|output| output.updates == Some(state)), expected);
    }
    wrong
}

/// Checks all cases of a file before it fails, those behind one that panics too.
#[track_caller]
fn check(text: &str, least: usize) {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= least, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let problems = catch_unwind(|| problems(case)).unwrap_or_else(|panic| vec![said(panic.as_ref())]);
        for problem in problems {
            wrong.push(format!(
                "{}{}: {problem}",
                case["name"].as_str().unwrap_or_default(),
                case["model"].as_str().unwrap()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const LAYERS: &str = include_str!("../oracle/layers.json");
const SEQUENCES: &str = include_str!("../oracle/sequences.json");
const IMAGES: &str = include_str!("../oracle/images.json");
/// ONNX computes its vectors in float32, in an order of its own; see `tests/oracle/node_vectors.py`.
const VECTORS: &str = include_str!("../oracle/node_vectors.json");

/// What is not compared with another tool: what draws numbers, which `noise` reads off a run.
const DRAWING: &[&str] = &["dropout", "spatial_dropout", "gaussian_noise"];

#[test]
fn each_layer_activation_and_loss_is_compared() {
    let cases = [LAYERS, SEQUENCES, IMAGES, VECTORS].map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap());
    let models: Vec<String> = cases.iter().flatten().map(|case| case["model"].as_str().unwrap().to_owned()).collect();
    // The networks of `std-models/` consist of these.
    let missing: Vec<(String, String)> = (without_case(&["layer", "activation", "loss"], &models).into_iter())
        .filter(|(file, _)| PRELUDE.iter().any(|(path, _)| path == file))
        .collect();
    let missing: Vec<&str> = missing.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(missing, DRAWING, "not compared");
}

#[test]
fn layers_activations_and_losses_agree_with_pytorch() {
    check(LAYERS, 50);
}

#[test]
fn layers_over_sequences_agree_with_pytorch() {
    check(SEQUENCES, 19);
}

#[test]
fn layers_for_images_and_series_agree_with_pytorch() {
    check(IMAGES, 30);
}

#[test]
fn operators_agree_with_the_vectors_of_onnx() {
    check(VECTORS, 300);
}
