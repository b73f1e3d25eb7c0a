//! `data` declarations as they are written: what is understood, what is refused, and what the files then give.

use nnc::check::hir::{ColumnSelector, Data, Element, Fill, HirOp, SourceSpec};
use nnc::data::{self, Dataset, Storage};
use nnc::diagnostics::{Diagnostic, Diagnostics, Severity, render};
use nnc::driver::{Checked, Settings, check_file};
use std::path::{Path, PathBuf};

/// A folder with a program and files beside it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Folder(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn check(&self, text: &str) -> Checked {
        std::fs::write(self.path("main.nn"), text).expect("a file");
        check_file(&self.path("main.nn"), &Settings::default(), true)
    }
}

fn codes(checked: &Checked) -> Vec<&'static str> {
    checked.diagnostics.iter().map(|problem| problem.code).collect()
}

/// The declaration and its rows.
fn load(files: &[(&str, &str)], text: &str) -> (Data, Dataset) {
    let folder = Folder::of(files);
    let mut checked = folder.check(text);
    assert!(!checked.has_errors(), "{text}\n{:?}", checked.diagnostics);
    let data = checked.hir.data.remove(0);
    let mut diagnostics = Diagnostics::new();
    let dataset = data::load(&data, &checked.paths, &mut checked.sources, &mut diagnostics);
    (data, dataset.unwrap_or_else(|| panic!("{text}\n{diagnostics:?}")))
}

fn numbers<'a>(dataset: &'a Dataset, name: &str) -> &'a [f32] {
    match &dataset.field(name).expect("the field").values {
        Storage::F32(values) => values,
        Storage::I32(_) => panic!("{name} holds categories"),
    }
}

fn classes<'a>(dataset: &'a Dataset, name: &str) -> &'a [i32] {
    match &dataset.field(name).expect("the field").values {
        Storage::I32(values) => values,
        Storage::F32(_) => panic!("{name} holds numbers"),
    }
}

const HOUSES: (&str, &str) = ("houses.csv", "price,rooms,kind,age\n100,2,flat,10\n200,4,house,20\n300,6,house,?\n");

#[test]
fn columns_by_every_name() {
    let (data, dataset) = load(
        &[HOUSES],
        r#"
        data Houses {
          source = csv("houses.csv", missing = "?")
          price: [1]   = [price]
          size:  []    = rooms * 10 + column(1)
          both:  [2]   = columns("price", "rooms")
          all:   [2]   = columns("*r*", fill = 0)
          range: [2]   = columns(0..2) |> minmax
          kind:  class("flat", "house") = kind
          age:   []    = standardize(column("age", fill = mean))
          share: []    = frequency(kind)
          split = [train = 100%]
        }
        "#,
    );
    assert_eq!(numbers(&dataset, "price"), [100.0, 200.0, 300.0]);
    assert_eq!(numbers(&dataset, "size"), [22.0, 44.0, 66.0]);
    assert_eq!(numbers(&dataset, "both"), [100.0, 2.0, 200.0, 4.0, 300.0, 6.0]);
    assert_eq!(numbers(&dataset, "all"), [100.0, 2.0, 200.0, 4.0, 300.0, 6.0]);
    assert_eq!(numbers(&dataset, "range"), [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]);
    assert_eq!(classes(&dataset, "kind"), [0, 1, 1]);
    assert_eq!(numbers(&dataset, "age")[2], 0.0);
    assert!(numbers(&dataset, "share")[0] > 0.3, "{dataset:?}");
    assert!(data.columns.iter().any(|column| column.fill == Some(Fill::Mean)));
}

#[test]
fn fields_of_fields_in_any_order() {
    let (_, dataset) = load(
        &[],
        r#"
        const ROWS = 100
        data Points {
          source = generate(ROWS, seed = 1)
          z: [1] = [x^2 + x * y]
          p: [2] = [x, y]
          x: []  = uniform(-10, 10)
          y: []  = uniform(-10, 10)
          noise: [4, 2] = normal(0, 1, [4, 2])
          side: class(2) = argmax([x, y])
          greater: class("x", "y") = argmax([x, y])
          renamed: class("x", "y") = side
          split  = [train = 60%, val = 35%, test = 5%]
        }
        "#,
    );
    let (x, y, z) = (numbers(&dataset, "x"), numbers(&dataset, "y"), numbers(&dataset, "z"));
    assert!((0..100).all(|row| (x[row] * x[row] + x[row] * y[row] - z[row]).abs() < 1e-3));
    assert_eq!(numbers(&dataset, "p")[..2], [x[0], y[0]]);
    assert_eq!(numbers(&dataset, "noise").len(), 800);
    assert_eq!(classes(&dataset, "side")[0], i32::from(y[0] > x[0]));
    assert_eq!(classes(&dataset, "greater"), classes(&dataset, "side"));
    assert_eq!(classes(&dataset, "renamed"), classes(&dataset, "side"));
    assert_eq!((dataset.split.train.len(), dataset.split.val.len(), dataset.split.test.len()), (60, 35, 5));
}

#[test]
fn classes_of_one_list_share_their_names() {
    let (data, dataset) = load(
        &[("pairs.csv", "b,a\na,c\n")],
        "data Pairs {\n  source = csv(\"pairs.csv\", header = false)\n  words: class(3)[2] = [column(0), column(1)]\n}\n",
    );
    assert_eq!(classes(&dataset, "words"), [1, 0, 0, 2]);
    assert_eq!(data.columns.len(), 1);
    assert_eq!(data.columns[0].selector, ColumnSelector::Indices(vec![0, 1]));
}

#[test]
fn embedded_sets_and_parts() {
    let (data, dataset) = load(
        &[("a.csv", "1,x\n2,y\n"), ("b.csv", "3,y\n")],
        "data Parts {
           source = [train = csv(\"a.csv\", header = false), test = csv(\"b.csv\", header = false)]
           x: [] = column(0)
           y: class(\"x\", \"y\") = column(1)
           balance = oversample(y)
         }",
    );
    assert_eq!((dataset.split.train.len(), dataset.split.test.len()), (2, 1));
    assert_eq!(data.sources.len(), 2);
    let (data, dataset) = load(
        &[],
        "data Arms {
           source = spirals(300, seed = 3, noise = 0.1)
           p:   [2]      = x
           arm: class(\"a\", \"b\", \"c\") = label
           on:  [3]      = one_hot(arm)
           seed = 4
           ordered = true
         }",
    );
    assert!(matches!(data.sources[0].1.value, SourceSpec::Toy { seed: 3, rows: 300, noise: Some(_), .. }));
    assert_eq!((data.seed, data.ordered), (4, true));
    assert_eq!(numbers(&dataset, "on")[..6], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let arm = dataset.field("arm").expect("the field");
    assert!(matches!(&arm.ty.element, Element::Class { names: Some(names), .. } if names.len() == 3));
}

#[test]
fn a_file_that_is_not_there_leaves_columns_open() {
    let folder = Folder::of(&[]);
    std::fs::write(
        folder.path("main.nn"),
        "data Houses {\n  source = csv(\"houses.csv\")\n  price: [] = price / 1000\n  pixels: [784] = columns(\"pixel*\") / 255\n  kind: class(2) = variety\n  twice: [] = 2 * price\n}\n",
    )
    .expect("a file");
    let checked = check_file(&folder.path("main.nn"), &Settings::default(), false);
    assert_eq!(codes(&checked), ["file-absent"], "{:?}", checked.diagnostics);
    assert_eq!(checked.diagnostics[0].severity, Severity::Advice);
    let twice = checked.hir.data[0].fields.last().expect("a field");
    assert!(!twice.body.values.iter().any(|value| matches!(value.op, HirOp::Column(_))), "{twice:?}");
    assert_eq!(
        codes(&folder.check(&std::fs::read_to_string(folder.path("main.nn")).expect("a text"))),
        ["file-not-found"]
    );
}

#[test]
fn mistakes_in_data_have_their_codes() {
    let folder = Folder::of(&[HOUSES]);
    let source = "source = csv(\"houses.csv\", missing = \"?\")";
    let cases: &[(&str, &str)] = &[
        ("x: [] = price", "missing-source"),
        ("source = csw(\"houses.csv\")", "unknown-source"),
        ("source = 3", "unknown-source"),
        ("source = parquet(\"houses.parquet\")", "not-supported-yet"),
        ("source = csv()", "missing-argument"),
        ("source = csv(\"houses.csv\", heather = true)", "unknown-argument"),
        ("source = csv(\"houses.csv\", separator = \";;\")", "wrong-kind"),
        ("source = csv(3)", "wrong-kind"),
        ("source = csv(\"house.csv\")", "file-not-found"),
        ("source = idx(\"images\")", "missing-argument"),
        ("source = moons(0)", "out-of-range"),
        ("source = moons(10, seed = -1)", "out-of-range"),
        ("source = generate(10, 1, 2)", "too-many-arguments"),
        ("source = generate(10)\n x: [] = column(0)", "no-columns"),
        ("source = generate(10)\n x: [] = y\n y: [] = x", "recursion"),
        ("source = generate(10)\n x: [] = x + 1", "recursion"),
        ("source = generate(1000000000000)\n x: [] = uniform(0, 1)", "data-too-large"),
        ("source = [csv(\"houses.csv\")]", "split-part"),
        ("source = [test = csv(\"houses.csv\")]", "split-part"),
        ("source = [train = moons(9), test = moons(9, seed = 1)]\n split = [train = 50%, test = 50%]", "split-part"),
        ("SOURCE\n x: [] = pirce", "unknown-name"),
        ("SOURCE\n x: [] = column(\"pirce\")", "unknown-column"),
        ("SOURCE\n pirce: [] = pirce", "unknown-column"),
        ("SOURCE\n x: [] = column(4)", "unknown-column"),
        ("SOURCE\n x: [] = column(-1)", "out-of-range"),
        ("SOURCE\n x: [2] = columns(\"pixel*\")", "unknown-column"),
        ("SOURCE\n x: [3] = columns(0..2)", "shape-mismatch"),
        ("SOURCE\n x: [] = column(0, fill = medain)", "unknown-name"),
        ("SOURCE\n x: [] = column(0, fill = \"none\")", "fill-kind"),
        ("SOURCE\n x: class(2) = column(2, fill = mean)", "fill-kind"),
        ("SOURCE\n x: [] = price\n y: [] = standardize(kind)\n kind: class(2) = kind", "transform-kind"),
        ("SOURCE\n z: class(2) = kind\n y: [] = standardize(z)", "transform-kind"),
        ("SOURCE\n x: [] = age", "missing-data"),
        ("SOURCE\n x: [] = kind", "text-for-number"),
        ("SOURCE\n x: class(\"flat\", \"hut\") = kind", "label-out-of-range"),
        ("SOURCE\n x: class(3) = rooms", "label-out-of-range"),
        ("SOURCE\n x: [] = price\n split = [train = 90%, test = 40%]", "split-sum"),
        ("SOURCE\n x: [] = price\n split = [train = 70, test = 30%]", "split-share"),
        ("SOURCE\n x: [] = price\n split = [train = 50%, tset = 50%]", "split-part"),
        ("SOURCE\n x: [] = price\n split = [train = 50%, train = 50%]", "split-part"),
        ("SOURCE\n x: [] = price\n split = 60%", "wrong-kind"),
        ("SOURCE\n x: [] = price\n split = [train = 0%, test = 100%]", "split-empty"),
        ("SOURCE\n x: [] = price\n spilt = [train = 50%]", "unknown-field"),
        ("SOURCE\n x: [] = price\n balance = weights(y)", "unknown-name"),
        ("SOURCE\n x: [2] = columns(0, 1)\n balance = weights(x)", "balance-kind"),
        ("SOURCE\n x: [] = price\n balance = wights(x)", "unknown-balance"),
        ("SOURCE\n x: [] = log(price - 100)", "not-finite"),
        ("SOURCE\n x: [3] = dense(3)(columns(0, 1))", "misplaced"),
        ("SOURCE\n x: [] = price\n x: [] = rooms", "duplicate-name"),
    ];
    let mut wrong = Vec::new();
    for (fields, code) in cases {
        let text = format!("data D {{\n {}\n}}\n", fields.replace("SOURCE", source));
        let checked = folder.check(&text);
        if codes(&checked) != [*code] {
            wrong.push(format!(
                "{fields}\n  should be {code}, is {:?}",
                checked.diagnostics.iter().map(|d| (d.code, &d.message)).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn shipped_examples_know_their_data() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let settings = Settings::default();
    for entry in std::fs::read_dir(examples).expect("examples") {
        let path = entry.expect("an entry").path();
        let checked = check_file(&path, &settings, false);
        assert!(!checked.hir.data.is_empty() || checked.has_errors(), "{}", path.display());
        let about_data: Vec<&Diagnostic> = checked.diagnostics.iter().filter(|one| one.code != "file-absent").collect();
        assert!(about_data.is_empty(), "{}: {about_data:?}", path.display());
    }
}

/// What the terminal shows, with the folder left out.
fn rendered(folder: &Folder, checked: &Checked) -> String {
    let shown = checked.diagnostics.iter().map(|one| render::human(one, &checked.sources, &render::Style::plain()));
    shown.collect::<Vec<_>>().join("\n").replace(&format!("{}/", folder.0.path().display()), "")
}

#[test]
fn problems_are_shown_with_the_line_of_the_data_file() {
    let folder = Folder::of(&[
        ("iris.csv", "5.1,3.5,setosa\n4.9,3.0,setosa\n"),
        ("empty.csv", ""),
        ("binary.csv", "1,2\n\0\u{1}\n"),
        ("header.csv", "length,width,kind\n5.1,3.5,setosa\n4.9,oops,setosa\n4.8,bad,setosa\n"),
        ("labels.csv", "1\n0\n7\n8\n"),
        ("kinds.csv", "cat\ndog\ndgo\n"),
        ("ragged.csv", "1,2,3\n4,5\n6,7,8,9\n"),
        ("gaps.csv", "1,2\n,3\n?,4\n?,5\n"),
        ("quoted.csv", "'a',1\n'b',2\n"),
        ("semicolons.csv", "length;width\n5,1;3,5\n"),
        ("unmarked.csv", "1\nNA\n3\n"),
    ]);
    std::fs::create_dir(folder.path("folder.csv")).expect("a directory");
    let cases = [
        ("a missing file", "source = csv(\"irs.csv\", header = false)\n  x: [] = column(0)"),
        ("an empty file", "source = csv(\"empty.csv\")\n  x: [] = column(0)"),
        ("a binary file", "source = csv(\"binary.csv\")\n  x: [] = column(0)"),
        ("a directory", "source = csv(\"folder.csv\")\n  x: [] = column(0)"),
        ("a column that is not there", "source = csv(\"header.csv\")\n  x: [] = column(\"lenght\")"),
        ("a label outside its classes", "source = csv(\"labels.csv\", header = false)\n  y: class(2) = column(0)"),
        (
            "a name outside its classes",
            "source = csv(\"kinds.csv\", header = false)\n  y: class(\"cat\", \"dog\") = column(0)",
        ),
        ("too many classes", "source = csv(\"kinds.csv\", header = false)\n  y: class(2) = column(0)"),
        ("a value that is not a number", "source = csv(\"header.csv\")\n  x: [] = width"),
        ("a header taken as data", "source = csv(\"header.csv\", header = false)\n  x: [] = column(0)"),
        ("data taken as a header", "source = csv(\"gaps.csv\")\n  x: [] = column(1)"),
        ("ragged rows", "source = csv(\"ragged.csv\", header = false)\n  x: [] = column(0)"),
        ("missing values", "source = csv(\"gaps.csv\", header = false, missing = \"?\")\n  x: [] = column(0)"),
        ("quotes around classes", "source = csv(\"quoted.csv\", header = false)\n  y: class(\"a\", \"b\") = column(0)"),
        ("another separator", "source = csv(\"semicolons.csv\")\n  x: [] = column(\"width\")"),
        ("an unmarked gap", "source = csv(\"unmarked.csv\", header = false)\n  x: [] = column(0)"),
        (
            "parts with other columns",
            "source = [train = csv(\"header.csv\"), test = csv(\"semicolons.csv\", separator = \";\")]\n  y: class(2) = kind",
        ),
        ("a split of 130 %", "source = moons(100)\n  p: [2] = x\n  split = [train = 90%, test = 40%]"),
        ("more rows than memory", "source = generate(1000000000000)\n  x: [] = uniform(0, 1)"),
    ];
    let shown = cases.map(|(title, fields)| {
        let checked = folder.check(&format!("data D {{\n  {fields}\n}}\n"));
        format!("# {title}\n{}", rendered(&folder, &checked))
    });
    insta::assert_snapshot!("data-diagnostics", shown.join("\n"));
}

/// A program whose model takes `x` and is judged by `y`.
fn with_run(fields: &str, x: &str, loss: &str) -> String {
    format!(
        "data D {{\n  {fields}\n}}\nmodel M(x: {x}) -> z: [2] {{ x |> dense(2) |> softmax }}\ntrain M on D {{\n  loss = {loss}\n  optimizer = sgd()\n}}\n"
    )
}

/// Twenty rows: a counter, its double, the same everywhere, a class that follows the counter, a rare class.
fn table() -> String {
    let mut text = String::from("n,double,same,half,rare\n");
    for n in 0..20 {
        let half = if n < 10 { "low" } else { "high" };
        let rare = if n == 19 { "yes" } else { "no" };
        text += &format!("{}.{n},{},7,{half},{rare}\n", n % 3, 2 * n);
    }
    text
}

#[test]
fn rows_are_looked_over() {
    let table = table();
    let folder = Folder::of(&[("t.csv", &table)]);
    let source = "source = csv(\"t.csv\")";
    let cross = "cross_entropy(z, y)";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("SOURCE\n x: [1] = [n]\n y: class(2) = half", "[1]", cross, &[]),
        ("SOURCE\n x: [2] = [n, same / 7]\n y: class(2) = half", "[2]", cross, &["constant-column"]),
        ("SOURCE\n x: [2] = columns(\"same\", \"n\") / 7\n y: class(2) = half", "[2]", cross, &["constant-column"]),
        ("SOURCE\n x: [1] = [n]\n y: class(2) = rare", "[1]", cross, &["unbalanced-classes"]),
        ("SOURCE\n x: [1] = [n]\n y: class(2) = rare\n balance = weights(y)", "[1]", cross, &[]),
        ("SOURCE\n x: [1] = [n]\n y: class(2) = half\n split = [train = 99%, val = 1%]", "[1]", cross, &["part-empty"]),
        ("SOURCE\n x: [1] = [double]\n y: class(2) = half", "[1]", cross, &["wide-range"]),
        ("SOURCE\n x: [1] = standardize([double])\n y: class(2) = half", "[1]", cross, &[]),
        (
            "SOURCE\n x: [1] = [n]\n y: class(2) = half\n ordered = true\n split = [train = 40%, val = 60%]",
            "[1]",
            cross,
            &["class-absent"],
        ),
        (
            "SOURCE\n x: [1] = [n]\n y: class(2) = half\n ordered = true\n split = [train = 60%, val = 40%]",
            "[1]",
            cross,
            &["class-absent"],
        ),
        (
            "SOURCE\n k: class(2) = half\n x: [2] = one_hot(k) + 0 * n\n y: class(2) = half\n",
            "[2]",
            cross,
            &["target-leak"],
        ),
        (
            "SOURCE\n x: [1] = [n]\n y: [2] = columns(\"n\", \"double\") * 100",
            "[1]",
            "mse(z, y)",
            &["wide-range", "unreached-target"],
        ),
        ("SOURCE\n x: [2] = columns(0, 1) / 40\n y: [] = double / 40", "[2]", "mean((z - y)^2)", &["target-leak"]),
        (
            "SOURCE\n x: [] = double / 40\n y: [] = 3 - double / 10",
            "[]",
            "mean((z - y)^2)",
            &["target-leak", "unreached-target"],
        ),
    ];
    let mut wrong = Vec::new();
    for (fields, x, loss, expected) in cases {
        let program = with_run(&fields.replace("SOURCE", source), x, loss);
        let program =
            program.replace("{ x |> dense(2)", if *x == "[]" { "{ [x] |> dense(2)" } else { "{ x |> dense(2)" });
        let checked = folder.check(&program);
        if codes(&checked) != *expected {
            let found: Vec<_> = checked.diagnostics.iter().map(|one| (one.code, &one.message)).collect();
            wrong.push(format!("{fields}\n  should be {expected:?}, is {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parts_have_the_same_columns() {
    let folder = Folder::of(&[
        ("a.csv", "age,size,kind\n1,2,x\n"),
        ("b.csv", "size,age,kind\n1,2,x\n"),
        ("c.csv", "age,size\n1,2\n"),
        ("d.csv", "age;size;kind\n1;2;x\n"),
        ("e.csv", "3,2,1\n1,2,3\n"),
    ]);
    let check = |fields: &str| {
        std::fs::write(folder.path("main.nn"), format!("data D {{\n  {fields}\n}}\n")).expect("a file");
        let checked = check_file(&folder.path("main.nn"), &Settings::default(), false);
        checked.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>()
    };
    let parts = |one: &str, other: &str, field: &str| {
        check(&format!("source = [train = csv(\"{one}\"), test = csv(\"{other}\")]\n  {field}"))
    };
    assert_eq!(parts("a.csv", "b.csv", "x: [2] = columns(\"age\", \"size\")"), [""; 0]);
    assert_eq!(parts("a.csv", "b.csv", "x: [2] = columns(0, 1)"), ["columns-differ"]);
    assert_eq!(parts("a.csv", "c.csv", "k: class(2) = kind"), ["unknown-column"]);
    assert_eq!(parts("a.csv", "a.csv", "x: [] = age"), ["parts-overlap"]);
    assert_eq!(parts("a.csv", "z.csv", "x: [] = age"), ["file-absent"]);
    assert_eq!(check("source = csv(\"d.csv\")\n  x: [] = column(\"age\")"), ["unknown-column"]);
    assert_eq!(check("source = csv(\"e.csv\")\n  x: [] = column(0)"), ["header-is-data"]);
}

#[test]
fn all_that_is_wrong_with_the_rows_is_said_at_once() {
    let folder = Folder::of(&[("t.csv", "1,cat,2\n2,dgo,3\n4,5\nx,dog,\n")]);
    let checked = folder.check(
        "data D {\n  source = csv(\"t.csv\", header = false)\n  x: [] = column(0)\n  y: class(\"cat\", \"dog\") = column(1)\n  z: [] = column(2)\n}\n",
    );
    let mut found = codes(&checked);
    found.sort_unstable();
    assert_eq!(found, ["label-out-of-range", "missing-data", "ragged-row", "text-for-number"]);
}

#[test]
fn fixes_of_data_remove_their_mistake() {
    let folder = Folder::of(&[("t.csv", "price,kind,gap\n1,'cat',1\n2,'dog',\n3,'cat',3\n"), ("n.csv", "1,2\n3,4\n")]);
    let cases = [
        "source = csv(\"t.csv\")\n  x: [] = column(\"pirce\")",
        "source = csv(\"t.csv\")\n  x: [2] = columns(\"price\", \"gpa\", fill = 0)",
        "source = csv(\"t.csv\")\n  y: class(\"cat\", \"dog\") = kind",
        "source = csv(\"t.csv\")\n  y: class(\"cat\", \"dog\") = column(1)",
        "source = csv(\"t.csv\")\n  x: [] = gap",
        "source = csv(\"t.csv\")\n  x: [] = column(2)",
        "source = csv(\"n.csv\")\n  x: [] = column(0)",
        "source = csv(\"m.csv\", header = false)\n  x: [] = column(0)",
    ];
    for case in cases {
        let text = format!("data D {{\n  {case}\n}}\n");
        let checked = folder.check(&text);
        let problem = checked.diagnostics.first().unwrap_or_else(|| panic!("nothing is wrong with {text}"));
        let fix = problem.fixes.first().unwrap_or_else(|| panic!("no fix of {}: {text}", problem.message));
        let mut fixed = text.clone();
        for edit in fix.edits.iter().rev() {
            fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
        }
        let after = folder.check(&fixed);
        assert!(after.diagnostics.is_empty(), "{fixed}{:?}", after.diagnostics);
    }
}

/// How often each training row's class occurs, and the weights of rows of each class.
fn balanced(table: &str, balance: &str, ty: &str) -> (Dataset, Vec<usize>) {
    let (_, dataset) = load(
        &[("t.csv", table)],
        &format!(
            "data D {{\n  source = csv(\"t.csv\")\n  y: {ty} = y\n  ordered = true\n  split = [train = 80%, val = 20%]\n  balance = {balance}\n}}\n"
        ),
    );
    let mut counts = vec![0; 3];
    for &row in &dataset.split.train {
        let class = match &dataset.field("y").expect("the field").values {
            Storage::I32(values) => values[row as usize] as usize,
            Storage::F32(values) => (values[row as usize] / 5.0) as usize,
        };
        counts[class] += 1;
    }
    (dataset, counts)
}

#[test]
fn balance_counts_training_rows() {
    // Training has seven of the first, one of the second and no third class; validation one each of the first and the third.
    let table = "y\na\na\na\nb\na\na\na\na\na\nc\n";
    let classes = "class(\"a\", \"b\", \"c\")";
    let (weighted, counts) = balanced(table, "weights(y)", classes);
    assert_eq!(counts, [7, 1, 0]);
    let weights = weighted.weights.expect("weights");
    // Eight rows, two classes: 8 / (2 · 7) and 8 / (2 · 1); they sum to 8. Validation counts as it is.
    assert_eq!(weights, [4.0 / 7.0, 4.0 / 7.0, 4.0 / 7.0, 4.0, 4.0 / 7.0, 4.0 / 7.0, 4.0 / 7.0, 4.0 / 7.0, 1.0, 1.0]);
    let (over, counts) = balanced(table, "oversample(y)", classes);
    assert_eq!((counts, &over.split.val[..]), (vec![7, 7, 0], &[8, 9][..]));
    assert!(over.weights.is_none() && over.rows == 10);
    let (under, counts) = balanced(table, "undersample(y)", classes);
    assert_eq!((counts, &under.split.val[..]), (vec![1, 1, 0], &[8, 9][..]));
    let table = "y\na\na\na\nb\na\na\nb\nb\na\nc\n";
    let (over, counts) = balanced(table, "oversample(y)", classes);
    assert_eq!(counts, [5, 5, 0]);
    // Each of three rows once, and two of them twice.
    let mut times = [3, 6, 7].map(|row| over.split.train.iter().filter(|&&one| one == row).count());
    times.sort_unstable();
    assert_eq!(times, [1, 2, 2]);
}

#[test]
fn balance_of_numbers_goes_by_intervals() {
    // Two intervals of the training rows' 0 … 10: six below 5, two from it on.
    let table = "y\n0\n1\n2\n6\n3\n4\n1\n10\n100\n-100\n";
    let (weighted, _) = balanced(table, "weights(y, bins = 2)", "[]");
    let weights = weighted.weights.expect("weights");
    let (many, few) = (8.0f32 / 12.0, 8.0f32 / 4.0);
    assert_eq!(weights, [many, many, many, few, many, many, many, few, 1.0, 1.0]);
    let (_, counts) = balanced(table, "oversample(y, bins = 2)", "[]");
    assert_eq!((counts[0], counts[1] + counts[2]), (6, 6));
    let (_, counts) = balanced(table, "undersample(y, bins = 2)", "[]");
    assert_eq!((counts[0], counts[1] + counts[2]), (2, 2));
    let (same, _) = balanced("y\n3\n3\n3\n3\n3\n3\n3\n3\n3\n3\n", "weights(y)", "[]");
    assert_eq!(same.weights, Some(vec![1.0; 10]));
}

/// The real case: 10,923 of the one class, 260 of the other.
#[test]
fn balance_of_mammograms() {
    let Some(folder) = std::env::var_os("NNC_DATA").map(|folder| Path::new(&folder).join("tabular")) else {
        eprintln!("NNC_DATA is not set: skipped");
        return;
    };
    let text = |balance: &str| {
        format!(
            "data M {{\n  source = csv(\"mammography.csv\", header = false)\n  x: [6] = columns(0..6)\n  y: class(\"-1\", \"1\") = column(6, strip = \"'\")\n  balance = {balance}\n}}\n"
        )
    };
    let settings = Settings { data_dir: Some(folder), ..Settings::default() };
    let read = |balance: &str| {
        let program = Folder::of(&[("main.nn", &text(balance))]);
        let mut checked = check_file(&program.path("main.nn"), &settings, false);
        let mut found = Diagnostics::new();
        data::load(&checked.hir.data[0], &checked.paths, &mut checked.sources, &mut found).expect("the rows")
    };
    let of_class = |dataset: &Dataset, class: i32| {
        dataset.split.train.iter().filter(|&&row| classes(dataset, "y")[row as usize] == class).count()
    };
    let weighted = read("weights(y)");
    assert_eq!((of_class(&weighted, 0), of_class(&weighted, 1)), (10_923, 260));
    let weights = weighted.weights.as_ref().expect("weights");
    let sum = |class: i32| -> f64 {
        weights.iter().zip(classes(&weighted, "y")).filter(|one| *one.1 == class).map(|one| f64::from(*one.0)).sum()
    };
    assert!((sum(0) - 5591.5).abs() < 0.1 && (sum(1) - 5591.5).abs() < 0.1);
    let over = read("oversample(y)");
    assert_eq!((of_class(&over, 0), of_class(&over, 1)), (10_923, 10_923));
    let under = read("undersample(y)");
    assert_eq!((of_class(&under, 0), of_class(&under, 1)), (260, 260));
}

#[test]
fn what_looks_wrong_in_the_rows_is_told() {
    let table = table();
    let folder = Folder::of(&[("t.csv", &table)]);
    let cases = [
        ("a column that never changes", "x: [2] = columns(\"n\", \"same\")\n  y: class(2) = half", "[2]"),
        ("rare classes", "x: [1] = [n]\n  y: class(2) = rare", "[1]"),
        ("a class without an example", "x: [1] = [n]\n  y: class(\"low\", \"middle\", \"high\") = half", "[1]"),
        ("a wide range", "x: [2] = columns(\"n\", \"double\")\n  y: class(2) = rare\n  balance = weights(y)", "[2]"),
        (
            "a target among the inputs",
            "x: [2] = columns(\"n\", \"double\") / 40\n  y: [2] = [1 - double / 40, 0]",
            "[2]",
        ),
        ("a copy of the target", "x: [1] = [double / 40]\n  other: [] = double\n  y: [1] = [other / 20 - 1]", "[1]"),
        ("a wide target", "x: [1] = [n]\n  y: [1] = [double * 1000]", "[1]"),
    ];
    let shown = cases.map(|(title, fields, x)| {
        let loss = if fields.contains("class") { "cross_entropy(z, y)" } else { "sum((z - sum(y))^2)" };
        let loss = loss.replace(
            "cross_entropy(z, y)",
            if fields.contains("middle") { "cross_entropy(concat(z, [0.0]), y)" } else { "cross_entropy(z, y)" },
        );
        let checked = folder.check(&with_run(&format!("source = csv(\"t.csv\")\n  {fields}"), x, &loss));
        format!("# {title}\n{}", rendered(&folder, &checked))
    });
    insta::assert_snapshot!("data-warnings", shown.join("\n"));
}
