//! The layers over sequences against JAX: values and gradients.

use super::texts::numbers;
use nnc::autodiff::gradients;
use nnc::diagnostics::Severity;
use nnc::driver::check_program;
use nnc::graph::eval::{Array, eval};
use nnc::graph::{Builder, DType, Graph, NodeId, Op, Role, batch, simplify};
use nnc::train::program::{Programs, prediction};
use serde_json::Value;

const SAMPLES: usize = 4;

fn program(case: &Value) -> String {
    let output = &case["output"];
    let (body, loss) = (case["body"].as_str().unwrap(), case["loss"].as_str().unwrap());
    format!(
        "data Rows {{
  source = generate(8, seed = 1)
  x: [5, 3] = uniform(-1, 1, [5, 3])
  labels: class(3)[5] = argmax(x, axis = 1)
  a: [4] = uniform(-1, 1, [4])
  b: [4] = uniform(-1, 1, [4])
  c: [4] = uniform(-1, 1, [4])
  same: [] = uniform(0, 1)
  target: {output} = uniform(-1, 1, {output})
}}
model M(x: [5, 3], labels: class(3)[5], a: [4], b: [4], c: [4]) -> y: {output} {{
  {body}
}}
train M on Rows {{
  loss = {loss}
  optimizer = sgd(lr = 0.1)
  epochs = 1
  batch = 4
}}
"
    )
}

/// The inputs of a graph: fields by name, parameters in their order.
fn inputs(graph: &Graph, case: &Value, fields: &Value) -> Vec<Array> {
    let mut params = case["params"].as_array().unwrap().iter();
    let of = |input: &nnc::graph::Input| {
        let value = match input.role {
            Role::Param => params.next().unwrap(),
            _ if input.name == "target" => &case["target"],
            Role::Data | Role::State | Role::Setting => match &fields[&input.name] {
                Value::Null if input.ty.dtype == DType::F32 => {
                    return Array::real(&input.ty.shape, vec![0.0; input.ty.len()]);
                }
                Value::Null => return Array::i32(&input.ty.shape, vec![0; input.ty.len()]),
                value => value,
            },
        };
        let values = numbers(value);
        match input.ty.dtype {
            DType::F32 => Array::real(&input.ty.shape, values.iter().map(|&x| x as f32).collect()),
            DType::I32 | DType::Bool => Array::i32(&input.ty.shape, values.iter().map(|&x| x as i32).collect()),
        }
    };
    graph.inputs.iter().map(of).collect()
}

/// The difference relative to the largest value.
#[track_caller]
fn assert_near(what: &str, found: &Array, expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(found.reals().len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (at, (&found, &expected)) in found.reals().iter().zip(&expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 1e-5 * largest + 1e-12, "{what}: element {at} is {found}, not {expected}");
    }
}

#[test]
fn layers_over_sequences_agree_with_jax() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/sequences.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let (fields, cases) = oracle.as_array().unwrap().split_first().unwrap();
    for case in cases {
        let text = program(case);
        let body = case["body"].as_str().unwrap();
        let checked = check_program("test.nn", &text);
        let errors: Vec<_> = checked.diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        let run = &checked.hir.runs[0];
        let model = &checked.hir.models[run.model];

        let forward = prediction(model, SAMPLES).unwrap();
        assert_near(body, &eval(&forward, &inputs(&forward, case, fields))[0], &case["y"]);

        let sample = Programs { run, model, weighted: false }.sample().unwrap();
        let mut graph = simplify::simplify(&batch::batch(&sample, SAMPLES));
        graph.outputs.retain(|output| output.name == "objective");
        let objective = graph.outputs[0].node;
        let wanted: Vec<usize> = (0..graph.inputs.len())
            .filter(|&i| graph.inputs[i].role == Role::Param || graph.inputs[i].name == "x")
            .collect();
        let mut b = Builder::on(graph);
        let wrt: Vec<NodeId> = wanted
            .iter()
            .map(|&number| {
                let found = b.graph.ids().find(|&id| b.graph[id].op == Op::Input(number));
                found.unwrap_or_else(|| {
                    let ty = b.graph.inputs[number].ty.clone();
                    b.push(Op::Input(number), Vec::new(), ty)
                })
            })
            .collect();
        for slope in gradients(&mut b, objective, &wrt) {
            b.output("slope", slope);
        }
        let graph = simplify::simplify_differentiated(&b.graph);
        let results = eval(&graph, &inputs(&graph, case, fields));
        assert_near(&format!("the loss of {body}"), &results[0], &Value::Array(vec![case["value"].clone()]));
        let mut d_params = case["d_params"].as_array().unwrap().iter();
        for (&number, slope) in wanted.iter().zip(&results[1..]) {
            let input = &graph.inputs[number];
            match input.role {
                Role::Param => assert_near(&format!("{body}: d {}", input.name), slope, d_params.next().unwrap()),
                _ if case["d_x"].is_null() => {}
                _ => assert_near(&format!("{body}: d x"), slope, &case["d_x"]),
            }
        }
    }
}
