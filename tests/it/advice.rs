//! Advice that takes more than one file: on files that are used, and on rows.

use crate::edits::texts;
use nnc::diagnostics::render;
use nnc::driver::{self, Settings};
use std::fs;

/// What `nnc check --data` says of `main.nn` among these files, a line for each diagnostic.
fn checked<T: AsRef<[u8]>>(files: &[(&str, T)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().join("main.nn");
    let checked = driver::check_file(&path, &Settings::default(), true);
    let prefix = format!("{}/", folder.path().display());
    checked.diagnostics.iter().map(|one| render::short(one, &checked.sources).replace(&prefix, "")).collect()
}

#[test]
fn what_is_shipped_is_free_of_warnings() {
    let mut faults = Vec::new();
    for (name, text) in texts("examples").into_iter().chain(texts("std-models")) {
        let (sources, found) = driver::check_text(&name, &text);
        faults.extend(found.iter().map(|one| render::short(one, &sources)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_used_file_is_named() {
    let blocks = "layer half(x: [n]) -> [n] { x / 2 }\nlayer spare(x: [n]) -> [n] { x * 2 }\n";
    let main = |body: &str| format!("use \"./blocks.nn\"\nlayer own(x: [n]) -> [n] {{ {body} }}\n");
    let none: [String; 0] = [];
    assert_eq!(checked(&[("blocks.nn", blocks), ("main.nn", &main("x |> half"))]), none);
    assert_eq!(
        checked(&[("blocks.nn", blocks), ("main.nn", &main("x / 2"))]),
        ["main.nn:1:1: warning[unused-use]: nothing of this file is used"]
    );
}

/// A program on a file of two columns, and the file: `ones` of `rows` labels are 1.
fn labelled(rows: usize, ones: usize, data: &str, train: &str) -> Vec<String> {
    let mut csv = String::from("x,label\n");
    for row in 0..rows {
        csv += &format!("{},{}\n", row % 7, usize::from(row < ones));
    }
    let program = format!(
        "data Rows {{\n  source = csv(\"rows.csv\")\n  p: [1] = standardize([x])\n  sick: class(2) = label\n{data}}}\n\
         model Net(p: [1]) -> sick_hat: [2] {{ p |> dense(4) |> tanh |> dense(2) |> softmax }}\n\
         train Net on Rows {{\n  loss = cross_entropy(sick_hat, sick)\n  optimizer = adam()\n{train}}}\n"
    );
    checked(&[("rows.csv", &csv), ("main.nn", &program)])
}

#[test]
fn rare_classes_are_counted_or_balanced() {
    let none: [String; 0] = [];
    assert_eq!(
        labelled(400, 20, "", ""),
        ["main.nn:4:3: warning[unbalanced-classes]: `0` has 380 of 400 training rows, `1` only 20"]
    );
    assert_eq!(labelled(400, 60, "", ""), none);
    assert_eq!(labelled(400, 20, "  balance = weights(sick)\n", ""), none);
    assert_eq!(labelled(400, 20, "  // allow: unbalanced-classes\n  part: [] = x\n", "").len(), 2);
}

#[test]
fn batches_are_held_against_counted_rows() {
    assert_eq!(
        labelled(40, 20, "  split = [train = 50%, val = 50%]\n", "  batch = 30\n"),
        ["main.nn:11:11: warning[batch-larger-than-data]: a batch of 30 is larger than the 20 training rows of `Rows`"]
    );
}

#[test]
fn bytes_are_divided() {
    let program = |value: &str| {
        format!(
            "data Images {{\n  source = idx(image = \"images.idx\")\n  pixels: [4] = {value}\n  mean: [1] = [pixels[0] - 1]\n}}\n\
             model Net(pixels: [4]) -> mean_hat: [1] {{ pixels |> dense(1) }}\n\
             train Net on Images {{\n  loss = huber(mean_hat, mean)\n  optimizer = adam()\n}}\n"
        )
    };
    // Eight images of two by two bytes.
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 2];
    images.extend((0..32).map(|byte| byte * 8 + 3));
    let found = |value: &str| {
        let program = program(value).into_bytes();
        checked(&[("images.idx", images.clone()), ("main.nn", program)])
    };
    let wide =
        |found: Vec<String>| found.iter().filter(|line| line.contains("main.nn:3:3: warning[wide-range]")).count();
    assert_eq!(wide(found("flatten(image)")), 1);
    assert_eq!(wide(found("flatten(image) / 255")), 0);
}
