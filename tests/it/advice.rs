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

/// A program that tells yes from no by numbers: the label is 1 in `ones` of `rows` rows and `no` in the others.
fn answered(rows: usize, ones: usize, no: &str, data: &str, loss: &str) -> Vec<String> {
    let mut csv = String::from("x,label\n");
    for row in 0..rows {
        csv += &format!("{},{}\n", row % 7, if row * ones / rows < (row + 1) * ones / rows { "1" } else { no });
    }
    let program = format!(
        "data Rows {{\n  source = csv(\"rows.csv\")\n  p: [1] = standardize([x])\n  sick: [1] = [label]\n{data}}}\n\
         model Net(p: [1]) -> sick_hat: [1] {{ p |> dense(4) |> tanh |> dense(1) |> sigmoid }}\n\
         train Net on Rows {{\n  loss = {loss}(sick_hat, sick)\n  optimizer = adam()\n}}\n"
    );
    checked(&[("rows.csv", &csv), ("main.nn", &program)])
}

#[test]
fn numbers_that_say_yes_or_no_are_classes() {
    let none: [String; 0] = [];
    let logarithm = "binary_cross_entropy";
    assert_eq!(
        answered(400, 20, "0", "", logarithm),
        ["main.nn:4:3: warning[unbalanced-classes]: `0` has 380 of 400 training rows, `1` only 20"]
    );
    assert_eq!(answered(400, 60, "0", "", logarithm), none);
    assert_eq!(answered(400, 20, "0", "  balance = weights(sick)\n", logarithm), none);
    assert_eq!(
        answered(400, 200, "0", "", "mse"),
        ["main.nn:8:10: warning[squares-of-classes]: a squared error of classes learns slowly from the worst mistakes"]
    );
    // With 0 and 2 there is no probability of 2, and with a few of them neither.
    assert_eq!(
        answered(400, 398, "2", "", logarithm),
        [
            "main.nn:4:3: warning[unbalanced-classes]: `1` has 398 of 400 training rows, `2` only 2",
            "main.nn:8:10: warning[unreached-target]: this loss takes `sick` for a probability, and it goes up to about 2",
        ]
    );
    let absent = "main.nn:4:3: warning[class-absent]: no row of `test` has the class `1` of `sick`";
    let split = "  split = [train = 80%, test = 20%]\n  ordered = true\n";
    let mut csv = String::from("x,label\n");
    (0..100).for_each(|row| csv += &format!("{},{}\n", row % 7, usize::from(row < 50)));
    let program = format!(
        "data Rows {{\n  source = csv(\"rows.csv\")\n  p: [1] = standardize([x])\n  sick: [1] = [label]\n{split}}}\n\
         model Net(p: [1]) -> sick_hat: [1] {{ p |> dense(4) |> tanh |> dense(1) |> sigmoid }}\n\
         train Net on Rows {{\n  loss = binary_cross_entropy(sick_hat, sick)\n  optimizer = adam()\n}}\n"
    );
    assert_eq!(checked(&[("rows.csv", &csv), ("main.nn", &program)]), [absent]);
}

#[test]
fn what_a_program_makes_is_no_leak() {
    let program = |source: &str, x: &str| {
        format!(
            "data Rows {{\n  source = {source}\n  x: [1] = {x}\n  z: [1] = [2 * x[0] + 1]\n}}\n\
             model Line(x: [1]) -> z_hat: [1] {{ x |> dense(1) }}\n\
             train Line on Rows {{\n  loss = mse(z_hat, z)\n  optimizer = adam()\n}}\n"
        )
    };
    let none: [String; 0] = [];
    assert_eq!(checked(&[("main.nn", &program("generate(100, seed = 1)", "[uniform(-1, 1)]"))]), none);
    let csv: String = std::iter::once(String::from("a\n")).chain((0..50).map(|row| format!("{}\n", row % 7))).collect();
    assert_eq!(
        checked(&[("rows.csv", &csv), ("main.nn", &program("csv(\"rows.csv\")", "[a]"))]),
        ["main.nn:3:3: warning[target-leak]: the target `z` can be read off the input `x[0]` (column `a`)"]
    );
}

#[test]
fn a_value_that_several_fields_take_is_told_once() {
    let csv = "a,b\n1,2\n,4\nx,6\n";
    let program = "data Rows {\n  source = csv(\"rows.csv\")\n  p: [2] = [a, b]\n  q: [1] = standardize([a])\n}\n";
    assert_eq!(
        checked(&[("rows.csv", csv), ("main.nn", program)]),
        [
            "rows.csv:3:1: error[missing-data]: a value is missing (rows.csv, line 3, column `a`)",
            "rows.csv:4:1: error[text-for-number]: `x` is not a number (rows.csv, line 4, column `a`)"
        ]
    );
}

#[test]
fn rows_that_were_learned_are_no_test() {
    let rows = |from: usize| -> String {
        let row = |row: usize| format!("{},{}\n", row * row, row % 2);
        std::iter::once(String::from("x,label\n")).chain((from..from + 40).map(row)).collect()
    };
    let program = "data Rows {\n  source = [train = csv(\"a.csv\"), test = csv(\"b.csv\")]\n  p: [1] = standardize([x])\n  \
                   k: class(2) = label\n}\n";
    let with =
        |program: &str, other: &str| checked(&[("a.csv", rows(0).as_str()), ("b.csv", other), ("main.nn", program)]);
    let found = |other: &str| with(program, other);
    let again = "main.nn:2:35: warning[parts-overlap]: 40 of 40 rows of `test` are in `train`, too";
    assert_eq!(found(&rows(0)), [again]);
    let divided = program.replace("label\n}", "label\n  split = [train = 60%, val = 40%]\n}");
    assert_eq!(with(&divided, &rows(0)), [again]);
    let none: [String; 0] = [];
    assert_eq!(found(&rows(200)), none);
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
