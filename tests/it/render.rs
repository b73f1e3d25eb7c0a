//! Diagnostics as text.

use nnc::diagnostics::render::{self, Style};
use nnc::diagnostics::{Diagnostic, Edit, sarif};
use nnc::source::{FileId, Sources, Span};
use serde_json::{Value, json};

fn span(sources: &Sources, file: FileId, part: &str) -> Span {
    let start = sources.get(file).text.find(part).unwrap();
    Span::new(file, start, start + part.len())
}

fn end(sources: &Sources, file: FileId) -> Span {
    let end = sources.get(file).text.len();
    Span::new(file, end, end)
}

#[test]
fn labels_in_two_files_are_shown_with_their_files() {
    let mut sources = Sources::new();
    let main = sources.add("main.nn", "model M(x: [4]) -> y: [1] {\n  x |> twice(3)\n}\n");
    let other = sources.add("std:prelude/layers.nn", "/// Doubles.\nlayer twice(x: [n]) -> [n] = x + x\n");
    let problem = Diagnostic::error("shape-mismatch", "`twice` takes no configuration")
        .at(span(&sources, main, "twice(3)"), "this is given one value")
        .and(span(&sources, main, "[4]"), "the input")
        .and(span(&sources, other, "layer twice(x: [n])"), "declared without")
        .help("leave it out");
    insta::assert_snapshot!(render::human(&problem, &sources, &Style::plain()), @r#"
    shape-mismatch

      × `twice` takes no configuration
       ╭─[main.nn:2:8]
     1 │ model M(x: [4]) -> y: [1] {
       ·            ─┬─
       ·             ╰── the input
     2 │   x |> twice(3)
       ·        ────┬───
       ·            ╰── this is given one value
     3 │ }
       ╰────
      help: leave it out

    Advice:
      ☞ declared without
       ╭─[std:prelude/layers.nn:2:1]
     1 │ /// Doubles.
     2 │ layer twice(x: [n]) -> [n] = x + x
       · ─────────┬─────────
       ·          ╰── here
       ╰────
    "#);
    let ascii = Style { color: false, unicode: false, width: 60, fit: false };
    insta::assert_snapshot!(render::human(&problem, &sources, &ascii), @r#"
    shape-mismatch

      x `twice` takes no configuration
       ,-[main.nn:2:8]
     1 | model M(x: [4]) -> y: [1] {
       :            ^|^
       :             `-- the input
     2 |   x |> twice(3)
       :        ^^^^|^^^
       :            `-- this is given one value
     3 | }
       `----
      help: leave it out

    Advice:
      > declared without
       ,-[std:prelude/layers.nn:2:1]
     1 | /// Doubles.
     2 | layer twice(x: [n]) -> [n] = x + x
       : ^^^^^^^^^|^^^^^^^^^
       :          `-- here
       `----
    "#);
    assert_eq!(render::short(&problem, &sources), "main.nn:2:8: error[shape-mismatch]: `twice` takes no configuration");
}

#[test]
fn colors_are_used_where_wanted() {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", "const A = b\n");
    let problem = Diagnostic::warning("unknown-name", "what").at(span(&sources, file, "b"), "this");
    let color = Style { color: true, unicode: true, width: 80, fit: false };
    assert!(render::human(&problem, &sources, &color).contains('\u{1b}'));
    assert!(!render::human(&problem, &sources, &Style::plain()).contains('\u{1b}'));
}

#[test]
fn lines_of_a_data_file_keep_their_numbers() {
    let mut sources = Sources::new();
    let file = sources.add_excerpt("wine.csv", "13.2,1.78,abc,11.2\n", 1043);
    let problem =
        Diagnostic::error("not-a-number", "`abc` is no number").at(span(&sources, file, "abc"), "third column");
    insta::assert_snapshot!(render::human(&problem, &sources, &Style::plain()), @r#"
    not-a-number

      × `abc` is no number
          ╭─[wine.csv:1043:11]
     1043 │ 13.2,1.78,abc,11.2
          ·           ─┬─
          ·            ╰── third column
          ╰────
    "#);
    assert_eq!(render::short(&problem, &sources), "wine.csv:1043:11: error[not-a-number]: `abc` is no number");
    assert!(render::json(&problem, &sources).contains(r#""start":{"line":1042,"character":10}"#));
}

#[test]
fn the_end_of_a_file_can_be_pointed_at() {
    for text in ["", "\n", "const A =", "const A =\n", "const A =\n\n\n", "const A = // ö"] {
        let mut sources = Sources::new();
        let file = sources.add("a.nn", text);
        let problem = Diagnostic::error("missing-value", "a value is missing").at(end(&sources, file), "here");
        let shown = render::human(&problem, &sources, &Style::plain());
        assert!(shown.contains("here") && shown.contains("a.nn:1:"), "{text:?}:\n{shown}");
        render::short(&problem, &sources);
        render::json(&problem, &sources);
    }
}

#[test]
fn tabs_and_wide_characters_keep_labels_in_place() {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", "fn f(x) = {\n\tcsv(\"名前 😀.csv\") + wrong\n}\n");
    let problem =
        Diagnostic::error("unknown-name", "there is no `wrong`").at(span(&sources, file, "wrong"), "not known");
    insta::assert_snapshot!(render::human(&problem, &sources, &Style::plain()), @r#"
    unknown-name

      × there is no `wrong`
       ╭─[a.nn:2:20]
     1 │ fn f(x) = {
     2 │     csv("名前 😀.csv") + wrong
       ·                          ──┬──
       ·                            ╰── not known
     3 │ }
       ╰────
    "#);
    assert_eq!(render::short(&problem, &sources), "a.nn:2:20: error[unknown-name]: there is no `wrong`");
}

#[test]
fn a_label_over_many_lines_is_cut() {
    let mut sources = Sources::new();
    let body = "  x\n".repeat(30);
    let file = sources.add("a.nn", format!("layer a(x: [n]) -> [n] {{\n{body}}}\n"));
    let all = Span::new(file, 0, sources.get(file).text.len());
    let problem = Diagnostic::error("too-much", "too much").at(all, "all of this");
    insta::assert_snapshot!(render::human(&problem, &sources, &Style::plain()), @r#"
    too-much

      × too much
       ╭─[a.nn:1:1]
     1 │ layer a(x: [n]) -> [n] {
       · ────────────┬───────────
       ·             ╰── all of this
     2 │   x
       ╰────
    "#);
}

#[test]
fn json_counts_as_the_language_server_protocol_does() {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", "// 😀\nfn f(x) = \"😀\" + a b\n");
    let at = span(&sources, file, "b\n");
    let at = Span { end: at.start + 1, ..at };
    let problem = Diagnostic::error("missing-comma", "a \"comma\"")
        .at(at, "here")
        .help("insert it")
        .fix("insert `,`", Edit::replace(Span { end: at.start, ..at }, ","));
    insta::assert_snapshot!(render::json(&problem, &sources), @r#"{"code":"missing-comma","severity":"error","message":"a \"comma\"","file":"a.nn","range":{"start":{"line":1,"character":19},"end":{"line":1,"character":20}},"labels":[{"range":{"start":{"line":1,"character":19},"end":{"line":1,"character":20}},"file":"a.nn","message":"here"}],"help":"insert it","fixes":[{"title":"insert `,`","safe":true,"edits":[{"range":{"start":{"line":1,"character":19},"end":{"line":1,"character":19}},"text":","}]}]}"#);
    let nowhere = Diagnostic::error("no-file", "there is no file");
    insta::assert_snapshot!(render::json(&nowhere, &sources), @r#"{"code":"no-file","severity":"error","message":"there is no file","file":null,"range":null,"labels":[],"help":null,"fixes":[]}"#);
    assert_eq!(render::short(&nowhere, &sources), "error[no-file]: there is no file");
    assert!(render::human(&nowhere, &sources, &Style::plain()).contains("there is no file"));
}

#[test]
fn a_long_line_is_cut_around_what_matters() {
    let mut sources = Sources::new();
    let pixels = "255,".repeat(784);
    let file = sources.add_excerpt("mnist.csv", format!("{pixels}seven,{pixels}0\n"), 12);
    let problem = Diagnostic::error("not-a-number", "`seven` is no number").at(span(&sources, file, "seven"), "here");
    insta::assert_snapshot!(render::human(&problem, &sources, &Style::plain()), @r#"
    not-a-number

      × `seven` is no number
        ╭─[mnist.csv:12:3137]
     12 │ …255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,seven,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255…
        ·                                                              ──┬──
        ·                                                                ╰── here
        ╰────
    "#);
}

#[test]
fn spans_that_miss_the_characters_do_no_harm() {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", "// öö\nconst A = 1\r\n\r\n");
    for start in 0..24 {
        for end in start..30 {
            let problem = Diagnostic::error("x", "x").at(Span::new(file, start, end.min(22)), "here");
            render::human(&problem, &sources, &Style::plain());
        }
    }
}

/// A problem with reasons in two files, help and two fixes.
fn rich(sources: &mut Sources) -> Diagnostic {
    let main = sources.add("my models/main.nn", "// 😀 model\nmodel M(x: [4]) -> y: [1] { x |> twice(3) }\n");
    let other = sources.add("std:prelude/layers.nn", "/// Doubles.\nlayer twice(x: [n]) -> [n] = x + x\n");
    Diagnostic::error("shape-mismatch", "`twice` takes no configuration")
        .at(span(sources, main, "twice(3)"), "this is given one value")
        .and(span(sources, main, "[4]"), "the input")
        .and(span(sources, other, "layer twice(x: [n])"), "declared without")
        .help("leave it out")
        .fix("leave the list out", Edit::replace(span(sources, main, "(3)"), ""))
        .suggest("negate it", Edit::wrap(span(sources, main, "x |>"), "-(", ")"))
}

#[test]
fn plain_text_says_it_in_sentences() {
    let mut sources = Sources::new();
    let problem = rich(&mut sources);
    insta::assert_snapshot!(render::plain(&problem, &sources), @r#"
    Error, shape-mismatch: `twice` takes no configuration
    my models/main.nn, line 2, column 34, at twice(3): this is given one value
      model M(x: [4]) -> y: [1] { x |> twice(3) }
    my models/main.nn, line 2, column 12, at [4]: the input
    std:prelude/layers.nn, line 2, column 1, at layer twice(x: [n]): declared without
      layer twice(x: [n]) -> [n] = x + x
    Help: leave it out
    Fix: leave the list out
    Try: negate it
    "#);
    let nowhere = Diagnostic::warning("no-file", "there is no file");
    assert_eq!(render::plain(&nowhere, &sources), "Warning, no-file: there is no file\n");
}

#[test]
fn sarif_has_rules_places_reasons_and_fixes() {
    let mut sources = Sources::new();
    let problem = rich(&mut sources);
    let advice = Diagnostic::warning("absolute", "no place");
    let explain = |code: &str| (code == "shape-mismatch").then_some("Shapes\ndiffer.\n\nWrong: this.");
    let log = sarif::log(&[(&sources, &[problem, advice]), (&Sources::new(), &[])], &explain);
    let log: Value = serde_json::from_str(&log).unwrap();
    let region = |line: usize, start: usize, end: usize| json!({"startLine": line, "startColumn": start, "endLine": line, "endColumn": end});
    let main = json!({"uri": "my%20models/main.nn"});
    let expected = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "nnc", "version": env!("CARGO_PKG_VERSION"), "rules": [
                {"id": "absolute"},
                {
                    "id": "shape-mismatch",
                    "shortDescription": {"text": "Shapes differ."},
                    "help": {"text": "Shapes\ndiffer.\n\nWrong: this.", "markdown": "Shapes\ndiffer.\n\nWrong: this."},
                },
            ]}},
            "columnKind": "utf16CodeUnits",
            "results": [
                {
                    "ruleId": "shape-mismatch",
                    "ruleIndex": 1,
                    "level": "error",
                    "message": {"text": "`twice` takes no configuration\nleave it out"},
                    "locations": [{
                        "physicalLocation": {"artifactLocation": main, "region": region(2, 34, 42)},
                        "message": {"text": "this is given one value"},
                    }],
                    "relatedLocations": [
                        {
                            "physicalLocation": {"artifactLocation": main, "region": region(2, 12, 15)},
                            "message": {"text": "the input"},
                        },
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "std:prelude/layers.nn"},
                                "region": region(2, 1, 20),
                            },
                            "message": {"text": "declared without"},
                        },
                    ],
                    "fixes": [
                        {
                            "description": {"text": "leave the list out"},
                            "artifactChanges": [{
                                "artifactLocation": main,
                                "replacements": [{"deletedRegion": region(2, 39, 42)}],
                            }],
                            "properties": {"safe": true},
                        },
                        {
                            "description": {"text": "negate it"},
                            "artifactChanges": [{
                                "artifactLocation": main,
                                "replacements": [
                                    {"deletedRegion": region(2, 29, 29), "insertedContent": {"text": "-("}},
                                    {"deletedRegion": region(2, 33, 33), "insertedContent": {"text": ")"}},
                                ],
                            }],
                            "properties": {"safe": false},
                        },
                    ],
                },
                {"ruleId": "absolute", "ruleIndex": 0, "level": "warning", "message": {"text": "no place"}},
            ],
        }],
    });
    assert_eq!(log, expected, "{log:#}");
}

#[test]
fn a_narrow_terminal_cuts_lines_around_what_matters() {
    let mut sources = Sources::new();
    let file = sources.add("a.nn", "model Long(p: [4]) -> q: [1] { p |> dense(10) |> relu |> dense(20) |> wrong |> dense(30) |> relu |> dense(1) }\n");
    let problem = Diagnostic::error("unknown-name", "there is no `wrong`").at(span(&sources, file, "wrong"), "here");
    let narrow = Style { width: 60, fit: true, ..Style::plain() };
    let shown = render::human(&problem, &sources, &narrow);
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    unknown-name

      × there is no `wrong`
       ╭─[a.nn:1:71]
     1 │ … relu |> dense(20) |> wrong |> dense(30) |> relu |…
       ·                        ──┬──
       ·                          ╰── here
       ╰────
    "#);
}

#[test]
fn a_mistake_at_many_places_has_a_short_line_for_each() {
    let shown = |count: usize| {
        let uses: String = (0..count).map(|at| format!("fn f{at}(x) = zzq(x)\n")).collect();
        let (sources, problems) = nnc::driver::check_text("many.nn", &uses);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        (render::short(problem, &sources), problem.labels.last().unwrap().message.clone())
    };
    let (three, last) = shown(3);
    let said = "error[unknown-name]: there is no `zzq` here";
    assert_eq!(three, format!("many.nn:1:12: {said}\nmany.nn:2:12: {said}\nmany.nn:3:12: {said}"));
    assert_eq!(last, "here too");
    let (many, last) = shown(60);
    assert_eq!(many.lines().count(), 51);
    assert!(many.ends_with(&format!("many.nn:51:13: {said} (9 more left out)")), "{many}");
    assert_eq!(last, "here too, and at 9 more places");
}
