//! Sources, splits, transforms, balance: by hand-made declarations over files made on the spot.

use nnc::check::hir::{
    Balance, BalanceKind, Binding, Body, BodyInput, ColumnForm, ColumnSelector, ColumnUse, Data, DataField, Element,
    Elementwise, Fill, Fitted, HirOp, SourceSpec, ToySet, Value, ValueId, ValueType,
};
use nnc::data::{self, Column, Dataset, Learned, Paths, Storage};
use nnc::diagnostics::{Diagnostic, Diagnostics};
use nnc::source::{FileId, Sources, Span, Spanned};
use std::path::{Path, PathBuf};

fn span() -> Span {
    Span::new(FileId(0), 0, 4)
}

fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, span())
}

fn number(shape: &[usize]) -> ValueType {
    ValueType { element: Element::Number, shape: shape.to_vec() }
}

fn class(count: usize) -> ValueType {
    ValueType { element: Element::Class { count, names: None }, shape: Vec::new() }
}

fn named(names: &[&str]) -> ValueType {
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    ValueType { element: Element::Class { count: names.len(), names: Some(names) }, shape: Vec::new() }
}

fn csv(path: &str) -> SourceSpec {
    SourceSpec::Csv { path: at(path.to_string()), header: false, separator: b',', missing: Vec::new() }
}

fn one(index: usize, ty: ValueType) -> ColumnUse {
    ColumnUse {
        selector: ColumnSelector::Index(index),
        fill: None,
        strip: None,
        form: ColumnForm::Value,
        ty,
        span: span(),
    }
}

/// A declaration whose fields are columns, one each.
struct Declared(Data);

impl Declared {
    fn of(source: SourceSpec) -> Declared {
        Declared(Data {
            name: at(String::from("Rows")),
            sources: vec![(None, at(source))],
            columns: Vec::new(),
            fields: Vec::new(),
            split: Vec::new(),
            ordered: false,
            seed: 0,
            balance: None,
            span: span(),
        })
    }

    fn part(mut self, name: &str, source: SourceSpec) -> Declared {
        self.0.sources.push((Some(at(name.to_string())), at(source)));
        self
    }

    fn field(mut self, name: &str, column: ColumnUse) -> Declared {
        let ty = column.ty.clone();
        let value = Value {
            op: HirOp::Column(self.0.columns.len()),
            operands: Vec::new(),
            ty: ty.clone(),
            span: span(),
            site: span(),
        };
        let body = Body { values: vec![value], outputs: vec![(String::from("value"), ValueId(0))], ..Body::default() };
        self.0.columns.push(column);
        self.0.fields.push(DataField { name: at(name.to_string()), ty, body, span: span() });
        self
    }

    /// Applies a transform to the field declared last.
    fn fitted(mut self, kind: Fitted) -> Declared {
        let field = self.0.fields.last_mut().expect("a field");
        if matches!(kind, Fitted::Frequency { .. }) {
            field.ty = number(&[]);
        }
        let value = Value {
            op: HirOp::Fitted(kind),
            operands: vec![ValueId(0)],
            ty: field.ty.clone(),
            span: span(),
            site: span(),
        };
        field.body.values.push(value);
        field.body.outputs[0].1 = ValueId(1);
        self
    }

    fn split(mut self, parts: &[(&str, f64)]) -> Declared {
        self.0.split = parts.iter().map(|&(name, share)| (at(name.to_string()), share)).collect();
        self
    }

    fn balance(mut self, kind: BalanceKind, field: &str) -> Declared {
        self.0.balance = Some(at(Balance { kind, field: at(field.to_string()), bins: 10 }));
        self
    }

    fn load_in(&self, directory: &Path) -> Result<Dataset, Vec<Diagnostic>> {
        let mut sources = Sources::new();
        sources.add("rows.nn", "data");
        let mut diagnostics = Diagnostics::new();
        let paths = Paths { program_dir: directory.to_path_buf(), data_dir: None };
        let dataset = data::load(&self.0, &paths, &mut sources, &mut diagnostics);
        match dataset {
            Some(dataset) => {
                assert!(!diagnostics.has_errors(), "a data set in spite of errors: {diagnostics:?}");
                Ok(dataset)
            }
            None => {
                assert!(diagnostics.has_errors(), "nothing loaded, nothing said");
                Err(diagnostics.into_sorted())
            }
        }
    }

    fn load_text(&self, text: &[u8]) -> Result<Dataset, Vec<Diagnostic>> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("rows.csv"), text).expect("a file");
        self.load_in(directory.path())
    }
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

fn codes(problems: &[Diagnostic]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code).collect()
}

/// The shared data sets, where this machine has them.
fn shared(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("NNC_DATA").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let found = folder.join(file);
    if !found.exists() {
        println!("skipped: {} is not there (set NNC_DATA to the folder of the data sets)", found.display());
        return None;
    }
    found.parent().map(Path::to_path_buf)
}

#[test]
fn plain_rows() {
    let dataset = Declared::of(csv("rows.csv")).field("a", one(0, number(&[]))).field("b", one(1, class(3)));
    for text in [
        "1,0\n2.5,1\n-3e2,2\n",
        "\u{feff}1,0\r\n2.5,1\r\n-3e2,2",
        "1 , 0\n\n 2.5,1\n-3e2, 2\n  \n\n",
        "\"1\",0\n\"2.5\",\"1\"\n-3e2,2\n",
    ] {
        let dataset = dataset.load_text(text.as_bytes()).expect(text);
        assert_eq!(numbers(&dataset, "a"), [1.0, 2.5, -300.0], "{text:?}");
        assert_eq!(classes(&dataset, "b"), [0, 1, 2], "{text:?}");
        assert_eq!(dataset.split.train, [0, 1, 2]);
        assert!(dataset.split.val.is_empty() && dataset.split.test.is_empty());
    }
}

#[test]
fn columns_by_name_pattern_and_list() {
    let source =
        SourceSpec::Csv { path: at(String::from("rows.csv")), header: true, separator: b';', missing: Vec::new() };
    let many = |selector, count| ColumnUse {
        selector,
        fill: None,
        strip: None,
        form: ColumnForm::Value,
        ty: number(&[count]),
        span: span(),
    };
    let dataset = Declared::of(source)
        .field("x", ColumnUse { selector: ColumnSelector::Name(String::from("b 2")), ..one(0, number(&[])) })
        .field("y", many(ColumnSelector::Pattern(String::from("pixel?")), 2))
        .field("z", many(ColumnSelector::Indices(vec![3, 0]), 2))
        .field("w", many(ColumnSelector::Names(vec![String::from("pixel1"), String::from("pixel0")]), 2))
        .load_text(b"\"a\"; b 2 ;pixel0;pixel1\n1;2;3;4\n5;6;7;8\n")
        .expect("a data set");
    assert_eq!(numbers(&dataset, "x"), [2.0, 6.0]);
    assert_eq!(numbers(&dataset, "y"), [3.0, 4.0, 7.0, 8.0]);
    assert_eq!(numbers(&dataset, "z"), [4.0, 1.0, 8.0, 5.0]);
    assert_eq!(numbers(&dataset, "w"), [4.0, 3.0, 8.0, 7.0]);
}

#[test]
fn texts_become_classes() {
    let text = b"dog,'1'\ncat,'-1'\ndog,'1'\n";
    let strip = ColumnUse { strip: Some(String::from("'")), ..one(1, named(&["-1", "1"])) };
    let dataset = Declared::of(csv("rows.csv"))
        .field("sorted", one(0, class(2)))
        .field("given", one(0, named(&["dog", "cat"])))
        .field("stripped", strip)
        .load_text(text)
        .expect("a data set");
    assert_eq!(classes(&dataset, "sorted"), [1, 0, 1]);
    assert_eq!(classes(&dataset, "given"), [0, 1, 0]);
    assert_eq!(classes(&dataset, "stripped"), [1, 0, 1]);
    let names = |name: &str| match &dataset.field(name).expect("the field").ty.element {
        Element::Class { names, .. } => names.clone().expect("names"),
        other => panic!("{other:?}"),
    };
    assert_eq!(names("sorted"), ["cat", "dog"]);
    assert_eq!(names("given"), ["dog", "cat"]);
    let metadata = dataset.metadata();
    assert!(metadata.contains(&(String::from("classes.sorted"), String::from("[\"cat\",\"dog\"]"))), "{metadata:?}");
}

#[test]
fn gaps_are_filled_from_the_training_rows() {
    let fill = |fill| ColumnUse { fill: Some(fill), ..one(0, number(&[])) };
    let text = b"1,a\n2,a\n9,b\n?,\n,b\n100,b\n";
    let source = || match csv("rows.csv") {
        SourceSpec::Csv { path, header, separator, .. } => {
            SourceSpec::Csv { path, header, separator, missing: vec![String::from("?")] }
        }
        other => other,
    };
    let load = |column: ColumnUse| {
        let mut declared = Declared::of(source()).field("x", column).split(&[("train", 0.84), ("test", 0.16)]);
        declared.0.ordered = true;
        declared.load_text(text).expect("a data set")
    };
    assert_eq!(numbers(&load(fill(Fill::Mean)), "x"), [1.0, 2.0, 9.0, 4.0, 4.0, 100.0]);
    assert_eq!(numbers(&load(fill(Fill::Median)), "x"), [1.0, 2.0, 9.0, 2.0, 2.0, 100.0]);
    assert_eq!(numbers(&load(fill(Fill::MostFrequent)), "x"), [1.0, 2.0, 9.0, 1.0, 1.0, 100.0]);
    assert_eq!(numbers(&load(fill(Fill::Value(String::from("-1")))), "x"), [1.0, 2.0, 9.0, -1.0, -1.0, 100.0]);
    assert_eq!(numbers(&load(fill(Fill::Drop)), "x"), [1.0, 2.0, 9.0, 100.0]);
    let class = load(ColumnUse { fill: Some(Fill::MostFrequent), ..one(1, class(2)) });
    assert_eq!(classes(&class, "x"), [0, 0, 1, 0, 1, 1]);
}

#[test]
fn problems_of_files() {
    let declared = |path: &str| Declared::of(csv(path)).field("x", one(0, number(&[])));
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).expect("a file");
    write("iris.csv", b"1\n");
    write("empty.csv", b"");
    write("blank.csv", b"\n  \n\n");
    write("binary.csv", b"1,2\n\0\x01\x02");
    write("packed.csv", b"\x1f\x8b\x08\0");
    write("latin.csv", b"1\n2\nna\xefve\n");
    std::fs::create_dir(directory.path().join("folder")).expect("a directory");
    let code = |path: &str| match declared(path).load_in(directory.path()) {
        Ok(_) => panic!("{path} was read"),
        Err(problems) => codes(&problems).join(" "),
    };
    assert_eq!(code("irs.csv"), "file-not-found");
    assert_eq!(code("empty.csv"), "file-empty");
    assert_eq!(code("blank.csv"), "file-empty");
    assert_eq!(code("binary.csv"), "file-binary");
    assert_eq!(code("packed.csv"), "file-binary");
    assert_eq!(code("latin.csv"), "file-encoding");
    assert_eq!(code("folder"), "file-is-directory");
    let problems = declared("irs.csv").load_in(directory.path()).expect_err("not there");
    assert!(problems[0].labels[0].message.contains("`iris.csv`"), "{problems:?}");
}

#[test]
fn problems_of_values() {
    let declared = |column: ColumnUse| Declared::of(csv("rows.csv")).field("x", column);
    let code = |column: ColumnUse, text: &str| match declared(column).load_text(text.as_bytes()) {
        Ok(_) => panic!("{text:?} was read"),
        Err(problems) => codes(&problems).join(" "),
    };
    assert_eq!(code(one(0, number(&[])), "1\nabc\n"), "text-for-number");
    assert_eq!(code(one(0, number(&[])), "1\nnan\n"), "text-for-number");
    assert_eq!(code(one(0, number(&[])), "1\n1e60\n"), "text-for-number");
    assert_eq!(code(one(0, number(&[])), "1,2\n,3\n"), "missing-data");
    assert_eq!(code(one(0, number(&[])), "1,2\n1\n1,2,3\n"), "ragged-row");
    assert_eq!(code(one(0, class(2)), "0\n1\n2\n"), "label-out-of-range");
    assert_eq!(code(one(0, class(2)), "0\n1\n-1\n"), "label-out-of-range");
    assert_eq!(code(one(0, class(2)), "a\nb\nc\n"), "too-many-classes");
    assert_eq!(code(one(0, named(&["a", "b"])), "a\nb\nB\n"), "label-out-of-range");
    assert_eq!(code(one(7, number(&[])), "1,2\n"), "unknown-column");
    assert_eq!(
        code(ColumnUse { fill: Some(Fill::Mean), ..one(0, number(&[])) }, "?,1\n".replace('?', "").as_str()),
        "fill-unknown"
    );
    let named = |name: &str| ColumnUse { selector: ColumnSelector::Name(name.to_string()), ..one(0, number(&[])) };
    let mut declared = Declared::of(csv("rows.csv")).field("x", named("pirce"));
    assert_eq!(codes(&declared.load_text(b"1\n").expect_err("no header")), ["unknown-column"]);
    if let SourceSpec::Csv { header, .. } = &mut declared.0.sources[0].1.value {
        *header = true;
    }
    let problems = declared.load_text(b"price,rooms\n1,2\n").expect_err("another name");
    assert!(problems[0].labels[0].message.contains("`price`"), "{problems:?}");
    assert_eq!(codes(&declared.load_text(b"pirce,pirce\n1,2\n").expect_err("twice")), ["ambiguous-column"]);
    assert_eq!(codes(&declared.load_text(b"pirce\n").expect_err("no rows")), ["no-rows"]);
}

#[test]
fn a_diagnostic_shows_the_line_of_the_data_file() {
    let mut sources = Sources::new();
    sources.add("rows.nn", "data");
    let directory = tempfile::tempdir().expect("a directory");
    let text = "1,\"x, y\"\r\n\r\n2,b\r\n  oops ,c\r\nworse,d\r\n";
    std::fs::write(directory.path().join("rows.csv"), text).expect("a file");
    let declared = Declared::of(csv("rows.csv")).field("x", one(0, number(&[])));
    let mut diagnostics = Diagnostics::new();
    let paths = Paths { program_dir: directory.path().to_path_buf(), data_dir: None };
    assert!(data::load(&declared.0, &paths, &mut sources, &mut diagnostics).is_none());
    let problem = diagnostics.iter().next().expect("a problem");
    assert!(problem.message.contains("line 4") && problem.message.contains("one more like it"), "{}", problem.message);
    let label = problem.labels[0].span;
    assert_eq!(sources.slice(label), "oops");
    assert_eq!(sources.get(label.file).text.as_ref(), "  oops ,c");
    assert_eq!(sources.get(label.file).first_line, 4);
    assert_eq!(problem.labels[1].span, span());
}

#[test]
fn splits() {
    let toy = || SourceSpec::Toy { set: ToySet::Moons, rows: 1000, seed: 1, noise: None };
    let declared = |parts: &[(&str, f64)]| {
        Declared::of(toy())
            .field("x", ColumnUse { selector: ColumnSelector::Name(String::from("x")), ..one(0, number(&[2])) })
            .split(parts)
    };
    let here = Path::new(".");
    let dataset = declared(&[("train", 0.6), ("val", 0.35), ("test", 0.05)]).load_in(here).expect("a data set");
    let split = &dataset.split;
    assert_eq!((split.train.len(), split.val.len(), split.test.len()), (600, 350, 50));
    let mut all = [split.train.clone(), split.val.clone(), split.test.clone()].concat();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..1000), "every row once");
    assert!(!split.train.iter().copied().eq(0..600), "shuffled");
    let other = declared(&[("train", 0.6), ("test", 0.4)]).load_in(here).expect("a data set");
    assert_eq!(other.split.train, split.train, "a later share moves no row of an earlier part");
    assert_eq!(codes(&declared(&[("train", 0.9), ("test", 0.4)]).load_in(here).expect_err("130 %")), ["split-sum"]);
    assert_eq!(codes(&declared(&[("train", 0.0), ("test", 1.0)]).load_in(here).expect_err("empty")), ["split-empty"]);
    let mut ordered = declared(&[("train", 0.6), ("test", 0.4)]);
    ordered.0.ordered = true;
    assert!(ordered.load_in(here).expect("a data set").split.train.iter().copied().eq(0..600));
}

#[test]
fn named_sources_are_parts() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.csv"), "b\na\nb\na\n").expect("a file");
    std::fs::write(directory.path().join("b.csv"), "a\nb\n").expect("a file");
    let mut declared = Declared::of(csv("a.csv"))
        .part("test", csv("b.csv"))
        .field("x", one(0, class(2)))
        .split(&[("train", 0.5), ("val", 0.5)]);
    declared.0.sources[0].0 = Some(at(String::from("train")));
    let dataset = declared.load_in(directory.path()).expect("a data set");
    assert_eq!(classes(&dataset, "x"), [1, 0, 1, 0, 0, 1]);
    assert_eq!((dataset.split.train.len(), dataset.split.val.len()), (2, 2));
    assert_eq!(dataset.split.test, [4, 5]);
}

#[test]
fn transforms_learn_from_the_training_rows() {
    let text = b"1,5,x\n3,5,y\n5,5,x\n100,7,x\n";
    let column = |index: usize| one(index, number(&[]));
    let mut declared = Declared::of(csv("rows.csv"))
        .field("s", column(0))
        .fitted(Fitted::Standardize)
        .field("c", column(1))
        .fitted(Fitted::Standardize)
        .field("m", column(0))
        .fitted(Fitted::MinMax)
        .field("f", one(2, class(3)))
        .fitted(Fitted::Frequency { bins: 10 })
        .field("b", column(0))
        .fitted(Fitted::Frequency { bins: 2 })
        .split(&[("train", 0.75), ("test", 0.25)]);
    declared.0.ordered = true;
    let dataset = declared.load_text(text).expect("a data set");
    let deviation = (8.0f64 / 3.0).sqrt() as f32;
    assert_eq!(numbers(&dataset, "s"), [-2.0 / deviation, 0.0, 2.0 / deviation, 97.0 / deviation]);
    assert_eq!(numbers(&dataset, "c"), [0.0, 0.0, 0.0, 2.0]);
    assert_eq!(numbers(&dataset, "m"), [0.0, 0.5, 1.0, 24.75]);
    let (once, twice) = ((1.0f64 / 3.0) as f32, (2.0f64 / 3.0) as f32);
    assert_eq!(numbers(&dataset, "f"), [twice, once, twice, twice]);
    assert_eq!(numbers(&dataset, "b"), [once, twice, twice, twice]);
    assert_eq!(dataset.fitted.len(), 5);
    assert_eq!(dataset.fitted[0].learned, Learned::Standardize { mean: vec![3.0], deviation: vec![deviation] });

    let metadata = dataset.metadata();
    let pairs = metadata.iter().map(|(key, text)| (key.as_str(), text.as_str()));
    assert_eq!(data::fitted_from_metadata(pairs), dataset.fitted);
}

#[test]
fn balance_makes_classes_weigh_the_same() {
    let text = b"a\na\na\na\na\na\nb\nb\nb\n";
    let declared = |kind| Declared::of(csv("rows.csv")).field("x", one(0, class(2))).balance(kind, "x");
    let weighted = declared(BalanceKind::Weights).load_text(text).expect("a data set");
    assert_eq!(weighted.weights, Some(vec![0.75, 0.75, 0.75, 0.75, 0.75, 0.75, 1.5, 1.5, 1.5]));
    let count = |dataset: &Dataset, class: i32| {
        dataset.split.train.iter().filter(|&&row| classes(dataset, "x")[row as usize] == class).count()
    };
    let over = declared(BalanceKind::Oversample).load_text(text).expect("a data set");
    assert_eq!((count(&over, 0), count(&over, 1)), (6, 6));
    assert_eq!(over.weights, None);
    let under = declared(BalanceKind::Undersample).load_text(text).expect("a data set");
    assert_eq!((count(&under, 0), count(&under, 1)), (3, 3));
    let intervals = Declared::of(csv("rows.csv")).field("x", one(0, number(&[]))).balance(BalanceKind::Weights, "x");
    let weighted = intervals.load_text(b"0\n0.1\n0.2\n9\n").expect("a data set");
    let weights = weighted.weights.expect("weights");
    assert_eq!(weights[0] * 3.0, weights[3]);
}

fn idx_file(code: u8, extents: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, extents.len() as u8];
    bytes.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

#[test]
fn idx_files() {
    use std::io::Write;
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).expect("a file");
    let images = idx_file(8, &[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
    write("images", &images);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&idx_file(8, &[3], &[7, 0, 9])).expect("packed");
    write("labels.gz", &packer.finish().expect("packed"));
    write("short", &images[..images.len() - 1]);
    write("long", &[images.as_slice(), &[0]].concat());
    write("two", &idx_file(8, &[2], &[1, 2]));
    write("floats", &idx_file(0x0d, &[3], &[1.5f32, -2.0, 0.25].map(f32::to_be_bytes).concat()));
    write("text", b"not an image");
    write("vast", &idx_file(8, &[u32::MAX, u32::MAX, u32::MAX], &[]));
    let files = |files: &[(&str, &str)]| {
        SourceSpec::Idx(files.iter().map(|(name, path)| (at(name.to_string()), at(path.to_string()))).collect())
    };
    let named = |name: &str, ty| ColumnUse { selector: ColumnSelector::Name(name.to_string()), ..one(0, ty) };
    let both = Declared::of(files(&[("image", "images.gz"), ("label", "labels")]))
        .field("image", named("image", number(&[2, 2])))
        .field("label", named("label", class(10)));
    let dataset = both.load_in(directory.path()).expect("a data set");
    assert_eq!(numbers(&dataset, "image"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 255.0]);
    assert_eq!(classes(&dataset, "label"), [7, 0, 9]);
    let floats = Declared::of(files(&[("x", "floats")])).field("x", named("x", number(&[]))).load_in(directory.path());
    assert_eq!(numbers(&floats.expect("a data set"), "x"), [1.5, -2.0, 0.25]);
    let code = |source: SourceSpec, column: ColumnUse| {
        codes(&Declared::of(source).field("x", column).load_in(directory.path()).expect_err("a problem")).join(" ")
    };
    let image = || named("image", number(&[2, 2]));
    assert_eq!(code(files(&[("image", "short")]), image()), "idx-size");
    assert_eq!(code(files(&[("image", "long")]), image()), "idx-size");
    assert_eq!(code(files(&[("image", "text")]), image()), "not-idx");
    assert_eq!(code(files(&[("image", "vast")]), image()), "not-idx");
    assert_eq!(code(files(&[("image", "images"), ("label", "two")]), image()), "row-count-mismatch");
    assert_eq!(code(files(&[("image", "images")]), named("image", number(&[4]))), "column-shape");
    assert_eq!(code(files(&[("image", "images")]), named("label", number(&[]))), "unknown-column");
    assert_eq!(code(files(&[("label", "labels")]), named("label", class(9))), "label-out-of-range");
    let paths = Paths { program_dir: directory.path().to_path_buf(), data_dir: None };
    let schema =
        data::schema(&files(&[("image", "images"), ("label", "labels")]), &paths).expect("files").expect("headers");
    assert_eq!(schema.rows, Some(3));
    assert_eq!(schema.columns[0].ty, Some(number(&[2, 2])));
    assert!(data::schema(&files(&[("image", "nowhere")]), &paths).is_none());
}

#[test]
fn embedded_sets_follow_from_their_seed() {
    for set in ToySet::ALL {
        let load = |seed, rows| {
            let mut declared = Declared::of(SourceSpec::Toy { set, rows, seed, noise: None });
            for column in set.schema().columns {
                let name = column.name.expect("a name");
                let selector = ColumnSelector::Name(name.clone());
                declared = declared.field(&name, ColumnUse { selector, ..one(0, column.ty.expect("a type")) });
            }
            declared.load_in(Path::new(".")).expect("a data set").fields
        };
        let first: Vec<Column> = load(1, 60);
        assert_eq!(first, load(1, 60), "{set:?}");
        assert_ne!(first[0], load(2, 60)[0], "{set:?}");
        let longer = load(1, 90);
        for (short, long) in first.iter().zip(&longer) {
            match (&short.values, &long.values) {
                (Storage::F32(short), Storage::F32(long)) => assert_eq!(short[..], long[..short.len()], "{set:?}"),
                (Storage::I32(short), Storage::I32(long)) => assert_eq!(short[..], long[..short.len()], "{set:?}"),
                _ => panic!("{set:?} changes its type"),
            }
        }
    }
}

#[test]
fn too_much_is_refused_before_it_is_made() {
    let declared = |rows| Declared::of(SourceSpec::Toy { set: ToySet::Digits, rows, seed: 1, noise: None });
    let image = || ColumnUse { selector: ColumnSelector::Name(String::from("image")), ..one(0, number(&[16, 16])) };
    for rows in [4_000_000_000, 1 << 50, usize::MAX] {
        let problems = declared(rows).field("x", image()).load_in(Path::new(".")).expect_err("too large");
        assert_eq!(codes(&problems), ["data-too-large"], "{rows}");
    }
}

#[test]
fn batches() {
    let column = |values, row_len| Column { name: String::from("x"), ty: number(&[row_len]), row_len, values };
    let mut out = [0.0; 6];
    data::batch::gather_f32(&column(Storage::F32(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), 2), &[2, 0, 2], &mut out);
    assert_eq!(out, [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]);
    let mut out = [0; 2];
    data::batch::gather_i32(&column(Storage::I32(vec![7, 8, 9]), 1), &[2, 1], &mut out);
    assert_eq!(out, [9, 8]);
    let order = |seed, epoch| {
        let mut rows: Vec<u32> = (0..100).collect();
        data::batch::shuffle(&mut rows, seed, epoch);
        rows
    };
    assert_eq!(order(1, 0), order(1, 0));
    assert_ne!(order(1, 0), order(1, 1));
    assert_ne!(order(1, 0), order(2, 0));
    let mut sorted = order(1, 0);
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..100));
}

#[test]
fn tabular_files() {
    if let Some(folder) = shared("tabular/iris.csv") {
        let columns = ColumnUse { selector: ColumnSelector::Indices((0..4).collect()), ..one(0, number(&[4])) };
        let dataset = Declared::of(csv("iris.csv"))
            .field("lengths", columns)
            .fitted(Fitted::Standardize)
            .field("species", one(4, named(&["Iris-setosa", "Iris-versicolor", "Iris-virginica"])))
            .load_in(&folder)
            .expect("iris");
        assert_eq!(dataset.rows, 150);
        assert_eq!(classes(&dataset, "species").iter().filter(|&&species| species == 1).count(), 50);
    }
    if let Some(folder) = shared("tabular/mammography.csv") {
        let label = ColumnUse { strip: Some(String::from("'")), ..one(6, named(&["-1", "1"])) };
        let dataset = Declared::of(csv("mammography.csv")).field("y", label).load_in(&folder).expect("mammography");
        assert_eq!((dataset.rows, classes(&dataset, "y").iter().sum::<i32>()), (11183, 260));
    }
    if let Some(folder) = shared("tabular/daily-min-temperatures.csv") {
        let source = SourceSpec::Csv {
            path: at(String::from("daily-min-temperatures.csv")),
            header: true,
            separator: b',',
            missing: Vec::new(),
        };
        let temp = ColumnUse { selector: ColumnSelector::Name(String::from("Temp")), ..one(0, number(&[])) };
        let dataset = Declared::of(source).field("t", temp).load_in(&folder).expect("temperatures");
        assert_eq!((dataset.rows, numbers(&dataset, "t")[0]), (3650, 20.7));
    }
    if let Some(folder) = shared("tabular/banknote_authentication.csv") {
        let dataset = Declared::of(csv("banknote_authentication.csv"))
            .field("y", one(4, class(2)))
            .load_in(&folder)
            .expect("banknotes");
        assert_eq!((dataset.rows, classes(&dataset, "y").iter().sum::<i32>()), (1372, 610));
    }
    if let Some(folder) = shared("tabular/adult-train.csv") {
        let source = |path: &str| SourceSpec::Csv {
            path: at(path.to_string()),
            header: false,
            separator: b',',
            missing: vec![String::from("?")],
        };
        let started = std::time::Instant::now();
        let mut declared = Declared::of(source("adult-train.csv"))
            .part("test", source("adult-test.csv"))
            .field(
                "numbers",
                ColumnUse { selector: ColumnSelector::Indices(vec![0, 4, 10, 11, 12]), ..one(0, number(&[5])) },
            )
            .fitted(Fitted::Standardize)
            .field("job", ColumnUse { fill: Some(Fill::MostFrequent), ..one(6, class(14)) })
            .field("rich", ColumnUse { strip: Some(String::from(".")), ..one(14, named(&["<=50K", ">50K"])) })
            .split(&[("train", 0.9), ("val", 0.1)])
            .balance(BalanceKind::Weights, "rich");
        declared.0.sources[0].0 = Some(at(String::from("train")));
        let dataset = declared.load_in(&folder).expect("adult");
        println!("adult in {:?}", started.elapsed());
        assert_eq!((dataset.rows, dataset.split.train.len(), dataset.split.test.len()), (32561 + 16281, 29305, 16281));
        assert_eq!(classes(&dataset, "rich")[..32561].iter().sum::<i32>(), 7841);
        let weights = dataset.weights.expect("weights");
        let mean = dataset.split.train.iter().map(|&row| f64::from(weights[row as usize])).sum::<f64>()
            / dataset.split.train.len() as f64;
        assert!((mean - 1.0).abs() < 1e-6, "{mean}");
    }
}

#[test]
fn mnist_files() {
    let Some(folder) = shared("mnist/train-images-idx3-ubyte.gz") else { return };
    let files = |images: &str, labels: &str| {
        SourceSpec::Idx(vec![
            (at(String::from("image")), at(images.to_string())),
            (at(String::from("label")), at(labels.to_string())),
        ])
    };
    let started = std::time::Instant::now();
    let mut declared = Declared::of(files("train-images-idx3-ubyte", "train-labels-idx1-ubyte"))
        .part("test", files("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"))
        .field(
            "image",
            ColumnUse { selector: ColumnSelector::Name(String::from("image")), ..one(0, number(&[28, 28])) },
        )
        .field("label", ColumnUse { selector: ColumnSelector::Name(String::from("label")), ..one(0, class(10)) });
    declared.0.sources[0].0 = Some(at(String::from("train")));
    let dataset = declared.load_in(&folder).expect("MNIST");
    println!("MNIST in {:?}", started.elapsed());
    assert_eq!((dataset.rows, dataset.split.train.len(), dataset.split.test.len()), (70_000, 60_000, 10_000));
    assert_eq!(classes(&dataset, "label")[..5], [5, 0, 4, 1, 9]);
    assert_eq!(numbers(&dataset, "image").iter().take(784).sum::<f32>(), 27_525.0);
}

/// A body built value by value.
#[derive(Default)]
struct Expression(Body);

impl Expression {
    fn push(&mut self, op: HirOp, operands: &[ValueId], ty: ValueType) -> ValueId {
        let id = ValueId(self.0.values.len() as u32);
        self.0.values.push(Value { op, operands: operands.to_vec(), ty, span: span(), site: span() });
        id
    }

    fn number(&mut self, value: f64) -> ValueId {
        self.push(HirOp::Number(value), &[], number(&[]))
    }

    fn field(&mut self, name: &str, ty: ValueType) -> ValueId {
        let op = HirOp::Input(self.0.inputs.len());
        self.0.inputs.push(BodyInput { name: name.to_string(), ty: ty.clone(), binding: Binding::Field });
        self.push(op, &[], ty)
    }

    fn apply(&mut self, function: Elementwise, operands: &[ValueId]) -> ValueId {
        let ty = operands.iter().map(|&id| self.0[id].ty.clone()).max_by_key(|ty| ty.shape.len()).expect("operands");
        self.push(HirOp::Elementwise(function), operands, ty)
    }

    fn field_of(mut self, declared: Declared, name: &str, output: ValueId) -> Declared {
        self.0.outputs = vec![(String::from("value"), output)];
        let ty = self.0[output].ty.clone();
        let mut declared = declared;
        declared.0.fields.push(DataField { name: at(name.to_string()), ty, body: self.0, span: span() });
        declared
    }
}

#[test]
fn generated_rows() {
    let generate = |rows, seed| {
        let declared = Declared::of(SourceSpec::Generate { rows, seed });
        let mut z = Expression::default();
        let (x, y) = (z.field("x", number(&[])), z.field("y", number(&[])));
        let (square, product) = (z.apply(Elementwise::Mul, &[x, x]), z.apply(Elementwise::Mul, &[x, y]));
        let sum = z.apply(Elementwise::Add, &[square, product]);
        let z_value = z.push(HirOp::Stack(0), &[sum], number(&[1]));
        let mut declared = z.field_of(declared, "z", z_value);
        for name in ["x", "y"] {
            let mut uniform = Expression::default();
            let (low, high) = (uniform.number(-10.0), uniform.number(10.0));
            let value = uniform.push(HirOp::Uniform, &[low, high], number(&[]));
            declared = uniform.field_of(declared, name, value);
        }
        let mut constant = Expression::default();
        let three = constant.number(3.0);
        constant.field_of(declared, "three", three).load_in(Path::new(".")).expect("a data set")
    };
    let dataset = generate(1000, 1);
    let (x, y, z) = (numbers(&dataset, "x"), numbers(&dataset, "y"), numbers(&dataset, "z"));
    assert_ne!(x, y, "fields draw numbers of their own");
    assert!(x.iter().all(|x| (-10.0..10.0).contains(x)) && x.iter().any(|&x| x < -9.0) && x.iter().any(|&x| x > 9.0));
    assert!(x.iter().zip(y).zip(z).all(|((x, y), &z)| x * x + x * y == z));
    assert_eq!(numbers(&dataset, "three"), [3.0; 1000]);
    assert_eq!(numbers(&generate(500, 1), "x"), &x[..500]);
    assert_ne!(numbers(&generate(1000, 2), "x"), x);
    // Many rows run as machine code, few by the interpreter.
    let many = generate(300_000, 1);
    assert_eq!(numbers(&many, "x")[..1000], *x);
    assert_eq!(numbers(&many, "z")[..1000], *z);
}

#[test]
fn expressions_around_transforms() {
    // `2 * standardize(log(column(0))) + other`, with `other = minmax([column(1)])[0]` declared behind it.
    let text = b"1,10\n2,20\n4,40\n8,30\n";
    let mut declared = Declared::of(csv("rows.csv"));
    declared.0.columns = vec![one(0, number(&[])), one(1, number(&[]))];
    let mut field = Expression::default();
    let column = field.push(HirOp::Column(0), &[], number(&[]));
    let log = field.apply(Elementwise::Log, &[column]);
    let standard = field.push(HirOp::Fitted(Fitted::Standardize), &[log], number(&[]));
    let two = field.number(2.0);
    let twice = field.apply(Elementwise::Mul, &[two, standard]);
    let other = field.field("other", number(&[]));
    let sum = field.apply(Elementwise::Add, &[twice, other]);
    let declared = field.field_of(declared, "x", sum);
    let mut field = Expression::default();
    let column = field.push(HirOp::Column(1), &[], number(&[]));
    let list = field.push(HirOp::Stack(0), &[column], number(&[1]));
    let scaled = field.push(HirOp::Fitted(Fitted::MinMax), &[list], number(&[1]));
    let taken = field.push(HirOp::Take { axis: 0, index: 0 }, &[scaled], number(&[]));
    let dataset = field.field_of(declared, "other", taken).load_text(text).expect("a data set");
    let other = [0.0, 1.0 / 3.0, 1.0, 2.0 / 3.0];
    assert!(numbers(&dataset, "other").iter().zip(other).all(|(found, wanted)| (found - wanted).abs() < 1e-6));
    let standard = [-3.0, -1.0, 1.0, 3.0].map(|value| value / 5.0f32.sqrt());
    let wanted = standard.iter().zip(other).map(|(standard, other)| 2.0 * standard + other);
    assert!(numbers(&dataset, "x").iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-5));
    let fields: Vec<&str> = dataset.fitted.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["x", "other"]);
}

#[test]
fn values_that_are_not_finite_are_reported() {
    let mut declared = Declared::of(csv("rows.csv"));
    declared.0.columns = vec![one(0, number(&[]))];
    let mut field = Expression::default();
    let column = field.push(HirOp::Column(0), &[], number(&[]));
    let log = field.apply(Elementwise::Log, &[column]);
    let problems = field.field_of(declared, "x", log).load_text(b"1\n-1\n2\n-2\n").expect_err("a logarithm of −1");
    assert_eq!(codes(&problems), ["not-finite"]);
    assert!(problems[0].message.contains("row 1"), "{}", problems[0].message);
}

#[test]
fn images_are_scaled_quickly() {
    let Some(folder) = shared("mnist/train-images-idx3-ubyte.gz") else { return };
    let mut declared =
        Declared::of(SourceSpec::Idx(vec![(at(String::from("image")), at(String::from("train-images-idx3-ubyte")))]));
    let selector = ColumnSelector::Name(String::from("image"));
    declared.0.columns = vec![ColumnUse { selector, ..one(0, number(&[28, 28])) }];
    let mut field = Expression::default();
    let column = field.push(HirOp::Column(0), &[], number(&[28, 28]));
    let flat = field.push(HirOp::Reshape, &[column], number(&[784]));
    let white = field.number(255.0);
    let scaled = field.apply(Elementwise::Div, &[flat, white]);
    let started = std::time::Instant::now();
    let dataset = field.field_of(declared, "pixels", scaled).load_in(&folder).expect("MNIST");
    println!("MNIST scaled in {:?}", started.elapsed());
    assert_eq!(numbers(&dataset, "pixels").iter().copied().fold(0.0, f32::max), 1.0);
}

#[test]
fn classes_beyond_memory_are_counted_as_they_occur() {
    let dataset = Declared::of(csv("rows.csv"))
        .field("y", one(0, class(1 << 40)))
        .field("f", one(0, class(1 << 40)))
        .fitted(Fitted::Frequency { bins: 10 })
        .balance(BalanceKind::Weights, "y")
        .load_text(b"0\n3000\n3000\n2\n")
        .expect("a data set");
    assert_eq!(numbers(&dataset, "f"), [0.25, 0.5, 0.5, 0.25]);
    assert_eq!(dataset.weights.as_ref().map(|weights| weights[0]), Some(4.0 / 3.0));
    let problems = Declared::of(csv("rows.csv")).field("y", one(0, class(1 << 40))).load_text(b"5000000000\n");
    assert_eq!(codes(&problems.expect_err("beyond i32")), ["label-out-of-range"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Whatever the file, reading it ends with rows or with a diagnostic that can be shown.
    #[test]
    fn any_text_is_read_or_refused(text in "[0-9a-c,;\"'\\.\\-\\? \r\n\tä]{0,120}", header in proptest::prelude::any::<bool>()) {
        let mut declared = Declared::of(csv("rows.csv"))
            .field("x", one(0, number(&[])))
            .field("y", ColumnUse { fill: Some(Fill::MostFrequent), strip: Some(String::from("'")), ..one(1, class(2)) });
        if let SourceSpec::Csv { header: slot, .. } = &mut declared.0.sources[0].1.value {
            *slot = header;
        }
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("rows.csv"), &text).expect("a file");
        let mut sources = Sources::new();
        sources.add("rows.nn", "data");
        let mut diagnostics = Diagnostics::new();
        let paths = Paths { program_dir: directory.path().to_path_buf(), data_dir: None };
        let dataset = data::load(&declared.0, &paths, &mut sources, &mut diagnostics);
        proptest::prop_assert_eq!(dataset.is_none(), diagnostics.has_errors());
        for problem in diagnostics.iter() {
            let shown = nnc::diagnostics::render::human(problem, &sources, &nnc::diagnostics::render::Style::plain());
            proptest::prop_assert!(shown.contains(problem.code));
        }
    }
}
