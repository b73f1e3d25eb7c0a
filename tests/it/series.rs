//! Windows over a series, and the words of texts.

use nnc::check::hir::Data;
use nnc::data::{self, Dataset, FittedTransform, Learned, Storage};
use nnc::diagnostics::Diagnostics;
use nnc::driver::{Checked, Settings, check_file};
use std::fmt::Write;

/// A folder with `s.csv` and a program beside it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn of(table: &str) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s.csv"), table).unwrap();
        Folder(folder)
    }

    fn check(&self, fields: &str, read: bool) -> Checked {
        let path = self.0.path().join("main.nn");
        let text = format!("data D {{\n  {}\n}}\n", fields.replace("SOURCE", "source = csv(\"s.csv\")"));
        std::fs::write(&path, text).unwrap();
        check_file(&path, &Settings::default(), read)
    }

    fn load_with(&self, fields: &str, fitted: Option<&[FittedTransform]>) -> (Data, Dataset) {
        let mut checked = self.check(fields, false);
        assert!(checked.diagnostics.is_empty(), "{fields}\n{:?}", checked.diagnostics);
        let data = checked.hir.data.remove(0);
        let mut found = Diagnostics::new();
        let loaded = data::load_fitted(&data, &checked.paths, fitted, &mut checked.sources, &mut found);
        (data, loaded.unwrap_or_else(|| panic!("{fields}\n{found:?}")))
    }

    fn load(&self, fields: &str) -> Dataset {
        self.load_with(fields, None).1
    }

    fn codes(&self, fields: &str) -> Vec<&'static str> {
        self.check(fields, true).diagnostics.iter().map(|one| one.code).collect()
    }
}

fn numbers<'a>(dataset: &'a Dataset, name: &str) -> &'a [f32] {
    match &dataset.field(name).unwrap().values {
        Storage::F32(values) => values,
        Storage::I32(_) => panic!("{name} holds categories"),
    }
}

fn classes<'a>(dataset: &'a Dataset, name: &str) -> &'a [i32] {
    match &dataset.field(name).unwrap().values {
        Storage::I32(values) => values,
        Storage::F32(_) => panic!("{name} holds numbers"),
    }
}

/// Ten steps: `t` counts, `square` is its square.
fn ten() -> Folder {
    let mut table = String::from("t,square,kind\n");
    for t in 0..10 {
        writeln!(table, "{t},{},{}", t * t, ["a", "b"][t % 2]).unwrap();
    }
    Folder::of(&table)
}

#[test]
fn windows_see_the_past_and_targets_lie_ahead() {
    let data = ten().load(
        "SOURCE
         past: [3]    = column(\"t\", window = 3)
         both: [3, 2] = columns(\"t\", \"square\", window = 3)
         now:  []     = t
         next: [1]    = [column(\"t\", horizon = 2)]
         week: [2]    = column(\"t\", window = 2, horizon = 2)
         kinds: class(2)[3] = column(\"kind\", window = 3)",
    );
    // The present goes from 2, which has two steps before it, to 7, which has two behind it.
    assert_eq!(data.rows, 6);
    assert_eq!(numbers(&data, "now"), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(numbers(&data, "past")[..6], [0.0, 1.0, 2.0, 1.0, 2.0, 3.0]);
    assert_eq!(numbers(&data, "both")[..6], [0.0, 0.0, 1.0, 1.0, 2.0, 4.0]);
    assert_eq!(numbers(&data, "next"), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(numbers(&data, "week")[..4], [3.0, 4.0, 4.0, 5.0]);
    assert_eq!(classes(&data, "kinds")[..6], [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_split_of_a_series_is_in_order_and_shares_no_step_to_foretell() {
    let shares = "split = [train = 50%, val = 25%, test = 25%]";
    let data = ten().load(&format!(
        "SOURCE\n past: [2] = column(\"t\", window = 2)\n next: [] = column(\"t\", horizon = 1)\n {shares}"
    ));
    assert_eq!(data.rows, 8);
    assert_eq!((data.split.train, data.split.val, data.split.test), (vec![0, 1, 2, 3], vec![4, 5], vec![6, 7]));
    let data = ten().load(&format!("SOURCE\n week: [3] = column(\"t\", window = 3, horizon = 3)\n {shares}"));
    // Samples 0 … 6 foretell the three steps behind 0 … 6; two are left out between parts.
    assert_eq!((&data.split.train[..], &data.split.val[..]), (&[0, 1, 2, 3][..], &[][..]));
    assert_eq!(numbers(&data, "week")[9..12], [4.0, 5.0, 6.0]);
}

#[test]
fn transforms_of_a_window_are_the_same_for_every_step() {
    let (_, data) =
        ten().load_with("SOURCE\n past: [3] = standardize(column(\"t\", window = 3))\n split = [train = 50%]", None);
    // Eight samples, of which four are for training: the series from 2 to 5.
    let Learned::Standardize { mean, deviation } = &data.fitted[0].learned else { panic!("{:?}", data.fitted) };
    assert_eq!((mean.as_slice(), deviation.len()), (&[3.5][..], 1));
    assert!((deviation[0] - 1.25f32.sqrt()).abs() < 1e-6);
    let past = numbers(&data, "past");
    assert_eq!(past[1], past[3], "the step 1 in both windows");
    assert!((past[0] + 3.5 / 1.25f32.sqrt()).abs() < 1e-5);
}

#[test]
fn mistakes_with_series_have_their_codes() {
    let folder = ten();
    let cases: &[(&str, &[&str])] = &[
        ("SOURCE\n x: [30] = column(\"t\", window = 30)", &["series-too-short"]),
        ("SOURCE\n x: [] = column(\"t\", horizon = 10)", &["series-too-short"]),
        ("SOURCE\n x: [2] = column(\"t\", window = 0)", &["out-of-range"]),
        ("SOURCE\n x: [2] = column(\"t\", window = 2, horizon = -1)", &["out-of-range"]),
        ("SOURCE\n x: [3] = column(\"t\", window = 2)", &["shape-mismatch"]),
        ("SOURCE\n x: [2] = columns(\"t\", window = 2)", &["shape-mismatch"]),
        ("SOURCE\n x: [2] = column(\"t\", window = 2)\n ordered = false", &["series-shuffled"]),
        ("SOURCE\n x: [2] = column(\"t\", window = 2)\n ordered = true", &[]),
        ("SOURCE\n x: [2] = column(\"t\", window = 2, fill = drop)", &["fill-kind"]),
        ("SOURCE\n x: [2] = column(\"t\", windwo = 2)", &["unknown-argument"]),
        ("SOURCE\n x: [2] = column(\"tt\", window = 2)", &["unknown-column"]),
        ("SOURCE\n x: class(9)[4] = tokens(kind, length = 5)", &["shape-mismatch"]),
        ("SOURCE\n x: class(9)[4] = tokens(kind, vocabulary = 2)", &["out-of-range"]),
        ("SOURCE\n x: class(9)[4] = tokens(knid)", &["unknown-column"]),
        ("SOURCE\n x: class(9)[4] = tokens(kind, pad = middle)", &["unknown-name"]),
        ("SOURCE\n x: class(9)[4] = tokens(column(\"kind\", window = 3))", &["wrong-kind"]),
        ("SOURCE\n x: class(9)[4] = tokens(column(\"kind\", fill = mean))", &["fill-kind"]),
        ("SOURCE\n x: [9] = tokens(kind)", &["missing-argument"]),
        ("SOURCE\n x: class(9)[4] = tokens()", &["missing-argument"]),
    ];
    let mut wrong = Vec::new();
    for (fields, expected) in cases {
        let found = folder.codes(fields);
        if found != *expected {
            wrong.push(format!("{fields}\n  should be {expected:?}, is {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_source_is_a_series_of_its_own() {
    let folder = Folder::of("t\n0\n1\n2\n3\n");
    std::fs::write(folder.0.path().join("b.csv"), "t\n10\n11\n12\n").unwrap();
    let data =
        folder.load("source = [train = csv(\"s.csv\"), test = csv(\"b.csv\")]\n x: [2] = column(\"t\", window = 2)");
    assert_eq!(numbers(&data, "x"), [0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 10.0, 11.0, 11.0, 12.0]);
    assert_eq!((data.split.train, data.split.test), (vec![0, 1, 2], vec![3, 4]));
}

fn reviews() -> Folder {
    Folder::of("text,stars\n\"The cat, the dog.\",1\nA dog isn't a CAT,0\nthe 2nd,1\n...,0\nbird,1\n")
}

#[test]
fn words_become_numbers_by_frequency() {
    let (_, data) = reviews().load_with("SOURCE\n words: class(6)[4] = tokens(text, vocabulary = 6, length = 4)", None);
    // Three times `the`; twice `a`, `cat`, `dog`, by the alphabet; the others are not among the first four.
    let Learned::Vocabulary { words } = &data.fitted[0].learned else { panic!("{:?}", data.fitted) };
    assert_eq!(words, &["the", "a", "cat", "dog"]);
    assert_eq!(
        classes(&data, "words"),
        [2, 4, 2, 5, 3, 5, 1, 3, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        "a text is cut to four words or padded, one without words is all padding"
    );
    let (_, front) = reviews().load_with("SOURCE\n words: class(6)[4] = tokens(\"text\", pad = front)", None);
    assert_eq!(classes(&front, "words")[..12], [2, 4, 2, 5, 5, 1, 3, 4, 0, 0, 2, 1]);
}

#[test]
fn the_vocabulary_is_that_of_the_training_rows_and_travels_along() {
    let fields = "SOURCE\n words: class(9)[2] = tokens(0)\n ordered = true\n split = [train = 20%, test = 80%]";
    let (_, data) = reviews().load_with(fields, None);
    let Learned::Vocabulary { words } = &data.fitted[0].learned else { panic!("{:?}", data.fitted) };
    assert_eq!(words, &["the", "cat", "dog"]);
    let metadata = data.metadata();
    let kept = data::fitted_from_metadata(metadata.iter().map(|(key, text)| (key.as_str(), text.as_str())));
    assert_eq!(kept, data.fitted);
    let other = Folder::of("text,stars\nbird dog,1\n");
    let (_, later) = other.load_with("SOURCE\n words: class(9)[2] = tokens(0)", Some(&kept));
    assert_eq!(classes(&later, "words"), [1, 4]);
}

#[test]
fn a_text_that_is_missing_is_reported_or_filled() {
    let folder = Folder::of("text,n\none two,1\n,2\nthree,3\n");
    assert_eq!(folder.codes("SOURCE\n w: class(9)[2] = tokens(text)"), ["missing-data"]);
    let data = folder.load("SOURCE\n w: class(9)[2] = tokens(column(\"text\", fill = \"\"))");
    assert_eq!(classes(&data, "w")[2..4], [0, 0]);
    let data = folder.load("SOURCE\n w: class(9)[2] = tokens(column(\"text\", fill = drop))");
    assert_eq!(data.rows, 2);
}
