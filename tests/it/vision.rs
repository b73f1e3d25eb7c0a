//! The networks of `std.vision`: their sizes, and that they learn.

use crate::cli::nnc;
use nnc::driver::check_program;
use serde_json::Value;
use std::path::Path;

#[test]
fn parameter_counts_are_the_published_ones() {
    for (layer, shape, count) in [
        // LeCun and others, 1998, in its common form.
        ("lenet5", "[28, 28, 1]", 61_706),
        // He and others, 2016: 0.27 M of 20 layers, 269,722; and the projections, where theirs pad with zeros.
        ("resnet_small(blocks = 3)", "[32, 32, 3]", 269_722 + 16 * 32 + 32 * 64 + 2 * (32 + 64)),
    ] {
        let text = format!("use std.vision\nmodel M(x: {shape}) -> y: [10] {{ x |> {layer} }}\n");
        let checked = check_program("test.nn", &text);
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let params = &checked.hir.models[0].body.params;
        let found: usize = params.iter().map(|param| param.shape.iter().product::<usize>()).sum();
        assert_eq!(found, count, "{layer}");
    }
}

#[test]
fn they_learn() {
    let out = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = out.path().to_str().unwrap();
    let ran = nnc(root, &["run", "tests/fixtures/models/vision.nn", "--json", "--out", target]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<&Value> = events.iter().filter(|event| event["event"] == "end").collect();
    assert_eq!(ends.len(), 5);
    for end in ends {
        let metric = |name: &str| end["metrics"][name].as_f64();
        let learned = metric("accuracy").is_some_and(|share| share > 0.4) || metric("mae").is_some_and(|mae| mae < 0.2);
        assert!(learned, "{end}");
    }
}
