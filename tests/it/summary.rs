//! Models in numbers: what each layer costs, and what a program takes.

use crate::cli::{folder, nnc};
use serde_json::{Value, json};

const PROGRAM: &str = "\
layer block(units: int)(x: [n]) -> [units] { x |> dense(units) |> tanh |> dense(units) }

model Twins(width: int = 3)(left: [4], right: [4]) -> same: [1] {
  let tower = dense(width) |> relu
  concat(tower(left), tower(right)) |> block(2) |> dense(1)
}

model Series(x: [5, 4]) -> y: [2] { x |> each block(3) |> flatten |> dense(2, bias = false) }

model Open(x: [n]) -> y: [1] { x |> dense(1) }

data Points {
  source = generate(100, seed = 1)
  x: [4] = uniform(-1, 1, [4])
  y: [2] = [x[0], x[1]]
}

model Line(x: [4]) -> y_hat: [2] { x |> dense(2) }

train Line on Points {
  loss      = mse(y_hat, y)
  optimizer = adam()
  batch     = 8
}
";

fn summaries(arguments: &[&str]) -> (Vec<Value>, String) {
    let dir = folder(&[("models.nn", PROGRAM.as_bytes())]);
    let ran = nnc(dir.path(), &[&["summary", "models.nn", "--json"], arguments].concat());
    assert_eq!(ran.status, 0, "{}", ran.err);
    (ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), ran.err)
}

/// The layers of a list: path, shape, parameters, whether shared, multiply-adds, bytes of values, those within.
fn tree(layers: &Value) -> Value {
    let layer = |layer: &Value| {
        let parts = ["path", "output", "params", "shared", "multiply_adds", "value_bytes"];
        let mut row: Vec<Value> = parts.iter().map(|part| layer[*part].clone()).collect();
        row.push(tree(&layer["layers"]));
        Value::Array(row)
    };
    layers.as_array().unwrap().iter().map(layer).collect()
}

#[test]
fn layers_are_counted_by_hand() {
    let (models, told) = summaries(&[]);
    let names: Vec<&str> = models.iter().map(|model| model["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["Twins", "Series", "Line"]);
    assert!(told.contains("`Open`"), "{told}");
    // A dense layer computes a product and a sum: two values of its units.
    let expected = json!([
        ["tower.dense_1", [3], 4 * 3 + 3, false, 12, 2 * 12, []],
        ["tower.dense_1", [3], 0, true, 12, 2 * 12, []],
        [
            "block_1",
            [2],
            6 * 2 + 2 + 2 * 2 + 2,
            false,
            12 + 4,
            5 * 8,
            [["block_1.dense_1", [2], 14, false, 12, 2 * 8, []], ["block_1.dense_2", [2], 6, false, 4, 2 * 8, []],]
        ],
        ["dense_1", [1], 3, false, 2, 2 * 4, []],
    ]);
    assert_eq!(tree(&models[0]["layers"]), expected);
    assert_eq!(models[0]["params"], 15 + 20 + 3);
    assert_eq!(models[0]["multiply_adds"], 2 * 12 + 16 + 2);
    // Beside its layers it has `relu` twice and `concat`.
    assert_eq!(models[0]["value_bytes"], 2 * 24 + 40 + 8 + 2 * 12 + 24);
    let expected = json!([
        [
            "block_1",
            [5, 3],
            4 * 3 + 3 + 3 * 3 + 3,
            false,
            5 * (12 + 9),
            5 * 5 * 12,
            [
                ["block_1.dense_1", [5, 3], 15, false, 5 * 12, 5 * 2 * 12, []],
                ["block_1.dense_2", [5, 3], 12, false, 5 * 9, 5 * 2 * 12, []],
            ]
        ],
        ["dense_1", [2], 30, false, 30, 8, []],
    ]);
    assert_eq!(tree(&models[1]["layers"]), expected);
}

#[test]
fn the_memory_of_a_step_is_what_it_is_given_and_its_arena() {
    let bytes = |arguments: &[&str]| {
        let (models, _) = summaries(arguments);
        let line = models.last().unwrap()["programs"][0].clone();
        (line["run"].clone(), line["batch"].clone(), line["bytes"].clone())
    };
    let (run, batch, line) = bytes(&[]);
    assert_eq!((run, batch), (json!("Line"), json!(8)));
    assert_eq!(line["params"], 4 * (4 * 2 + 2));
    assert_eq!(line["optimizer"], 2 * 4 * (4 * 2 + 2));
    // A batch of `x` and `y`, the rate, the step, the seed of two words, and the loss that is given back.
    let samples = |batch: usize| 4 * (batch * (4 + 2) + 1 + 1 + 2 + 1);
    assert_eq!(line["samples"], samples(8));
    assert!(line["live"].as_u64() <= line["arena"].as_u64());
    let sum: u64 =
        ["params", "states", "optimizer", "samples", "arena"].iter().filter_map(|part| line[*part].as_u64()).sum();
    assert_eq!(line["total"], sum);
    let (_, batch, larger) = bytes(&["--model", "Line", "--batch", "80"]);
    assert_eq!(batch, 80);
    assert_eq!(larger["samples"], samples(80));
    assert!(larger["arena"].as_u64() > line["arena"].as_u64());
    let (run, batch, untrained) = bytes(&["--model", "Twins"]);
    assert_eq!((run, batch), (Value::Null, json!(32)));
    assert_eq!(untrained["params"], 4 * 38);
}

#[test]
fn tables_are_for_people() {
    let dir = folder(&[("models.nn", PROGRAM.as_bytes())]);
    let ran = nnc(dir.path(), &["summary", "models.nn", "--model", "Series"]);
    let layers: Vec<&str> = ran.out.lines().take_while(|line| !line.contains("memory")).collect();
    insta::assert_snapshot!(layers.join("\n").trim_end(), @r"
    Series

      layer      output  parameters  multiply-adds     values
      x          [5, 4]
      block_1    [5, 3]          27            105  300 bytes
        dense_1  [5, 3]          15             60  120 bytes
        dense_2  [5, 3]          12             45  120 bytes
      dense_1    [2]             30             30    8 bytes
      y          [2]
      in all                     57            135  308 bytes
    ");
    let refused = |name: &str| {
        let ran = nnc(dir.path(), &["summary", "models.nn", "--model", name]);
        assert_eq!(ran.status, 1);
        ran.err
    };
    assert!(refused("Twin").contains("did you mean `Twins`?"));
    assert!(refused("Open").contains("open-extents"));
}

#[test]
fn a_model_without_a_run_has_its_forms() {
    let dir = folder(&[("models.nn", PROGRAM.as_bytes())]);
    let form = |stage: &str, name: &str| nnc(dir.path(), &["ir", "models.nn", "--stage", stage, "--model", name]);
    for (stage, part) in [
        ("hir", "model Twins "),
        ("graph", "graph Twins.predict"),
        ("plan", "plan Twins.predict"),
        ("kernel", "kernel"),
        ("clif", "function"),
        ("asm", "ret"),
    ] {
        let ran = form(stage, "Twins");
        assert_eq!(ran.status, 0, "{stage}: {}", ran.err);
        assert!(ran.out.contains(part), "{stage}: no `{part}` in\n{}", ran.out);
        assert!(!ran.out.contains("Line"), "{stage}");
    }
    let grad = form("grad", "Twins");
    assert_eq!(grad.status, 1);
    assert!(grad.err.contains("no loss and no gradient"), "{}", grad.err);
    assert_eq!(form("grad", "Line").status, 0);
    assert!(form("graph", "Open").err.contains("open-extents"));
}
