//! The command from outside: what it prints, what it writes, how it ends.

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TINY: &str = "data Points {
  source = generate(230, seed = 1)
  x: []  = uniform(-1, 1)
  p: [2] = [x, x^2]
  z: [1] = [3 * x + 1]
  split  = [train = 70%, val = 20%, test = 10%]
}

model Line(p: [2]) -> z_hat: [1] { p |> dense(4) |> tanh |> dense(1) }

train Line on Points {
  loss      = mse(z_hat, z)
  optimizer = adam(lr = 0.01)
  epochs    = 3
  batch     = 32
  metrics   = [mae(z_hat, z)]
}
";

pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
        Ran { status: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
    command.current_dir(dir).args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

pub(crate) fn nnc(dir: &Path, arguments: &[&str]) -> Ran {
    command(dir, arguments).output().expect("the command starts").into()
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn events(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_run_tells_its_events_and_leaves_its_files() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes())]);
    let ran = nnc(dir.path(), &["run", "tiny.nn", "--json", "--threads", "1", "--seed", "5"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let events = events(&ran.out);
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "epoch", "epoch", "epoch", "end"]);
    assert_eq!(events[0]["run"], "Line");
    assert_eq!(events[0]["params"], 2 * 4 + 4 + 4 + 1);
    assert_eq!(events[0]["seed"], 5);
    assert_eq!(events[0]["threads"], 1);
    assert_eq!(events[0]["samples"], serde_json::json!({"train": 161, "val": 46, "test": 23}));
    assert!(events[1]["metrics"]["mae"].as_f64().unwrap() > 0.0);
    let losses: Vec<f64> = (1..4).map(|i| events[i]["train_loss"].as_f64().unwrap()).collect();
    assert!(losses[2] < losses[0], "{losses:?}");
    assert_eq!(events[4]["status"], "finished");
    let run = dir.path().join("runs/Line-1");
    for file in ["model.nn", "weights.safetensors", "history.csv"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert_eq!(fs::read_to_string(run.join("history.csv")).unwrap().lines().count(), 4);
    let again = nnc(dir.path(), &["run", "tiny.nn", "--json"]);
    assert_eq!(again.status, 0);
    assert!(dir.path().join("runs/Line-2").is_dir(), "a second run has a directory of its own");
}

#[test]
fn the_bits_depend_on_neither_backend_nor_threads() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes())]);
    let weights = |out: &str, more: &[&str]| {
        let mut arguments = vec!["run", "tiny.nn", "--quiet", "--out", out];
        arguments.extend(more);
        let ran = nnc(dir.path(), &arguments);
        assert_eq!(ran.status, 0, "{}", ran.err);
        fs::read(dir.path().join(out).join("Line-1/weights.safetensors")).unwrap()
    };
    let one = weights("one", &["--threads", "1"]);
    assert!(one == weights("two", &["--threads", "2"]), "two threads give other bits");
    assert!(one == weights("interp", &["--backend", "interp"]), "the interpreter gives other bits");
    assert!(one == weights("portable", &["--isa", "portable"]), "the portable code gives other bits");
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        assert!(one == weights("avx2", &["--isa", "avx2"]), "code for AVX2 gives other bits");
    }
    assert!(one != weights("seed", &["--seed", "1"]), "the seed changes nothing");
}

#[test]
fn a_const_is_set_from_outside() {
    let program = format!("const rate = 0.01\n\n{}", TINY.replace("lr = 0.01", "lr = rate"));
    let dir = folder(&[("tiny.nn", program.as_bytes())]);
    let lr = |set: &[&str]| {
        let mut arguments = vec!["run", "tiny.nn", "--json"];
        arguments.extend(set);
        let ran = nnc(dir.path(), &arguments);
        assert_eq!(ran.status, 0, "{}", ran.err);
        events(&ran.out)[1]["lr"].as_f64().unwrap()
    };
    assert!((lr(&[]) - 0.01).abs() < 1e-9);
    assert!((lr(&["--set", "rate=0.5%"]) - 0.005).abs() < 1e-9);
    assert_eq!(nnc(dir.path(), &["run", "tiny.nn", "--set", "rate"]).status, 2);
    assert_eq!(nnc(dir.path(), &["run", "tiny.nn", "--set", "speed=1"]).status, 1);
}

#[test]
fn a_loss_that_is_not_finite_ends_as_diverged() {
    let program = TINY.replace("adam(lr = 0.01)", "sgd(lr = 1e30)");
    let dir = folder(&[("tiny.nn", program.as_bytes())]);
    let ran = nnc(dir.path(), &["run", "tiny.nn", "--json"]);
    assert_eq!(ran.status, 3, "{}", ran.err);
    assert_eq!(events(&ran.out).last().unwrap()["status"], "diverged");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_cleanly_and_saves() {
    let program = TINY.replace("epochs    = 3", "epochs    = 100000000");
    let dir = folder(&[("tiny.nn", program.as_bytes())]);
    let told = dir.path().join("told");
    let out = fs::File::create(&told).unwrap();
    let mut child = command(dir.path(), &["run", "tiny.nn", "--json"]).stdout(out).spawn().unwrap();
    let begun = Instant::now();
    while !fs::read_to_string(&told).is_ok_and(|text| text.lines().count() > 2) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no epoch in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = fs::read_to_string(&told).unwrap();
    assert_eq!(events(&text).last().unwrap()["status"], "interrupted");
    assert!(dir.path().join("runs/Line-1/weights.safetensors").is_file());
}

/// Runs a program that cannot be run and gives what it says.
#[track_caller]
fn refused(files: &[(&str, &[u8])], program: &str, code: &str) -> String {
    let mut files = files.to_vec();
    files.push(("bad.nn", program.as_bytes()));
    let dir = folder(&files);
    let ran = nnc(dir.path(), &["run", "bad.nn"]);
    assert_eq!(ran.status, 1, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains(code), "expected {code} in:\n{}", ran.err);
    assert!(!ran.err.contains("bug in the compiler"), "{}", ran.err);
    ran.err
}

/// A program of two runs on the data `D` and `E`, on these files.
fn two_runs(first: &str, second: &str) -> String {
    let first = on_csv(first);
    let second = on_csv(second);
    let (data, rest) = second.split_once("\n\n").unwrap();
    let train = rest.split_once("\n\n").unwrap().1;
    format!("{first}\n{}\n\n{}", data.replace("data D", "data E"), train.replace("M on D", "M on E"))
}

#[test]
fn all_data_is_looked_at_before_anything_is_trained() {
    let rows = b"a,b\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n";
    let program = two_runs("good.csv", "absent.csv");
    let dir = folder(&[("good.csv", rows), ("two.nn", program.as_bytes())]);
    let ran = nnc(dir.path(), &["run", "two.nn"]);
    assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("absent.csv"), "{}", ran.err);
    assert_eq!(ran.out, "");
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn what_looks_wrong_in_the_data_is_told_before_training() {
    let program = on_csv("rows.csv").replace("= [a]", "= [column(0)]").replace("= b", "= column(1)");
    let dir = folder(&[("rows.csv", b"1,0\n2,1\n3,0\n4,1\n5,0\n"), ("head.nn", program.as_bytes())]);
    let ran = nnc(dir.path(), &["run", "head.nn"]);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("header-is-data"), "{}", ran.err);
}

fn on_csv(file: &str) -> String {
    format!(
        "data D {{\n  source = csv(\"{file}\")\n  p: [1] = [a]\n  k: class(2) = b\n}}\n\n\
         model M(p: [1]) -> q: [2] {{ p |> dense(2) |> softmax }}\n\n\
         train M on D {{\n  loss      = cross_entropy(q, k)\n  optimizer = sgd()\n  epochs = 1\n}}\n"
    )
}

#[test]
fn bad_data_is_refused_with_its_place() {
    refused(&[], &on_csv("absent.csv"), "file-not-found");
    refused(&[("d.csv", b"")], &on_csv("d.csv"), "file-empty");
    refused(&[("d.csv", b"\x00\x01\x02PNG\xff\xfe")], &on_csv("d.csv"), "file-binary");
    refused(&[], &on_csv("."), "file-is-directory");
    refused(&[("d.csv", b"x,b\n1,0\n")], &on_csv("d.csv"), "unknown-name");
    let label = refused(&[("d.csv", b"a,b\n1,0\n2,1\n3,7\n")], &on_csv("d.csv"), "label-out-of-range");
    assert!(label.contains("d.csv:4") && label.contains("3,7"), "{label}");
    let number = refused(&[("d.csv", b"a,b\n1,0\ntwo,1\n")], &on_csv("d.csv"), "text-for-number");
    assert!(number.contains("d.csv:3") && number.contains("two,1"), "{number}");
    refused(&[("d.csv", b"a,b\n1,0\n,1\n")], &on_csv("d.csv"), "missing-data");
    refused(&[("d.csv", b"a,b\n1,0\n1\n")], &on_csv("d.csv"), "ragged-row");
}

#[test]
fn bad_programs_are_refused() {
    refused(&[], &TINY.replace("test = 10%", "test = 40%"), "split");
    refused(&[], &TINY.replace("dense(4)", "dense(100000000) |> dense(10000000)"), "too-large");
    refused(&[], &TINY.replace("|> tanh", "|> tahn"), "unknown-name");
    let dir = folder(&[]);
    assert_eq!(nnc(dir.path(), &["run", "absent.nn"]).status, 1);
    assert_eq!(nnc(dir.path(), &["run", "."]).status, 1);
    assert_eq!(nnc(dir.path(), &["run"]).status, 2);
    assert_eq!(nnc(dir.path(), &["launch", "x.nn"]).status, 2);
    fs::write(dir.path().join("latin.nn"), b"// \xe9t\xe9\n").unwrap();
    assert_eq!(nnc(dir.path(), &["check", "latin.nn"]).status, 1);
}

#[test]
#[cfg(unix)]
fn an_output_directory_that_cannot_be_written_is_refused() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes()), ("taken", b"a file")]);
    for out in ["taken", "taken/below", "/proc/nnc"] {
        let ran = nnc(dir.path(), &["run", "tiny.nn", "--out", out]);
        assert_eq!(ran.status, 1, "{out}: {}", ran.err);
        assert!(ran.err.contains("output-unwritable"), "{}", ran.err);
    }
}

#[test]
fn formatting_is_in_place_or_only_told() {
    let dir = folder(&[("a.nn", b"const   a=1\n"), ("b.nn", b"const a = 1\n")]);
    let told = nnc(dir.path(), &["fmt", "--check", "a.nn", "b.nn"]);
    assert_eq!((told.status, told.out.as_str()), (1, "a.nn would change\n"));
    assert_eq!(nnc(dir.path(), &["fmt", "a.nn"]).status, 0);
    assert_eq!(fs::read_to_string(dir.path().join("a.nn")).unwrap(), "const a = 1\n");
    assert_eq!(nnc(dir.path(), &["fmt", "--check", "a.nn", "b.nn"]).status, 0);
    let mut child = command(dir.path(), &["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"const   b=2").unwrap();
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).out, "const b = 2\n");
}

#[test]
fn every_form_of_a_program_can_be_seen() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes())]);
    for (stage, part) in [
        ("ast", "Line"),
        ("hir", "Line"),
        ("graph", "contract"),
        ("grad", "contract"),
        ("plan", "arena"),
        ("kernel", "kernel"),
        ("clif", "function"),
        ("asm", "ret"),
    ] {
        let ran = nnc(dir.path(), &["ir", "tiny.nn", "--stage", stage]);
        assert_eq!(ran.status, 0, "{stage}: {}", ran.err);
        assert!(ran.out.contains(part), "{stage}: no `{part}` in\n{}", ran.out);
    }
}

#[test]
fn check_writes_diagnostics_for_machines() {
    let dir = folder(&[("bad.nn", TINY.replace("dense(1)", "dens(1)").as_bytes())]);
    let ran = nnc(dir.path(), &["check", "--format", "json", "bad.nn"]);
    assert_eq!(ran.status, 1);
    let found = events(&ran.out);
    assert_eq!(found.len(), 1, "{}", ran.out);
    assert_eq!(found[0]["code"], "unknown-name");
    assert_eq!(found[0]["range"]["start"]["line"], 8);
    let short = nnc(dir.path(), &["check", "--format", "short", "bad.nn"]);
    assert!(short.out.starts_with("bad.nn:9:"), "{}", short.out);
}

#[test]
fn codes_are_explained() {
    let dir = folder(&[]);
    let ran = nnc(dir.path(), &["explain", "shape-mismatch"]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.contains("```nn"), "{}", ran.out);
    let near = nnc(dir.path(), &["explain", "shape-mismatsh"]);
    assert_eq!(near.status, 2);
    assert!(near.err.contains("shape-mismatch"), "{}", near.err);
}

#[test]
fn check_writes_one_log_for_several_files() {
    let bad = TINY.replace("dense(1)", "dens(1)");
    let dir = folder(&[("bad.nn", bad.as_bytes()), ("good.nn", TINY.as_bytes()), ("cut.nn", b"const a = (1")]);
    let ran = nnc(dir.path(), &["check", "--format", "sarif", "bad.nn", "good.nn", "cut.nn"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let log: Value = serde_json::from_str(&ran.out).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let found: Vec<(&str, &str, u64)> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let line = place["region"]["startLine"].as_u64().unwrap();
            (result["ruleId"].as_str().unwrap(), place["artifactLocation"]["uri"].as_str().unwrap(), line)
        })
        .collect();
    assert_eq!(found, [("unknown-name", "bad.nn", 9), ("unclosed-bracket", "cut.nn", 1)]);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["help"]["markdown"].as_str().unwrap().contains("```nn")), "{rules:#?}");
}

#[test]
fn a_reader_that_does_not_see_gets_sentences() {
    let dir = folder(&[("bad.nn", TINY.replace("dense(1)", "dens(1)").as_bytes())]);
    let by_term: Ran = command(dir.path(), &["check", "bad.nn"]).env("TERM", "dumb").output().unwrap().into();
    let by_flag = nnc(dir.path(), &["check", "--format", "plain", "bad.nn"]);
    for ran in [by_term, by_flag] {
        assert_eq!(ran.status, 1);
        assert!(ran.err.starts_with("Error, unknown-name: "), "{}", ran.err);
        assert!(ran.err.contains("bad.nn, line 9, column "), "{}", ran.err);
        assert!(ran.err.is_ascii(), "{}", ran.err);
    }
}

#[test]
fn safe_fixes_are_applied_and_told() {
    let bad = TINY.replace("dense(1)", "dens(1)").replace("tanh", "tahn").replace("epochs    =", "epoch     =");
    let dir = folder(&[("bad.nn", bad.as_bytes())]);
    let ran = nnc(dir.path(), &["check", "--fix", "bad.nn"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(fs::read_to_string(dir.path().join("bad.nn")).unwrap(), TINY.replace("epochs    =", "epochs     ="));
    assert_eq!(ran.err.matches("fixed bad.nn:").count(), 3, "{}", ran.err);
    assert!(ran.err.ends_with("bad.nn: nothing to complain about\n"), "{}", ran.err);
    let before = fs::metadata(dir.path().join("bad.nn")).unwrap().modified().unwrap();
    assert_eq!(nnc(dir.path(), &["check", "--fix", "bad.nn"]).status, 0);
    let after = fs::metadata(dir.path().join("bad.nn")).unwrap().modified().unwrap();
    assert_eq!(before, after, "what needs no fix is not written");
}

#[test]
fn what_cannot_be_fixed_is_left_and_told() {
    let bad = TINY.replace("|> tanh", "|> tahn").replace("z: [1] ", "z: [2] ");
    let dir = folder(&[("bad.nn", bad.as_bytes())]);
    let ran = nnc(dir.path(), &["check", "--fix", "--format", "json", "bad.nn"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(!events(&ran.out).is_empty());
    assert_eq!(fs::read_to_string(dir.path().join("bad.nn")).unwrap(), bad.replace("tahn", "tanh"));
}

#[test]
#[cfg(unix)]
fn fixes_reach_used_files_and_keep_links_and_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let blocks = "layer wide(x: [n]) -> [8] { x |> dens(8) |> relu }\n";
    let main = format!("use \"./blocks.nn\"\n\n{}", TINY.replace("dense(4)", "wide").replace("tanh", "tahn"));
    let dir = folder(&[("real.nn", main.as_bytes()), ("blocks.nn", blocks.as_bytes())]);
    symlink("real.nn", dir.path().join("link.nn")).unwrap();
    fs::set_permissions(dir.path().join("real.nn"), fs::Permissions::from_mode(0o640)).unwrap();
    let ran = nnc(dir.path(), &["check", "--fix", "link.nn"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(fs::read_to_string(dir.path().join("blocks.nn")).unwrap(), blocks.replace("dens(", "dense("));
    assert_eq!(fs::read_to_string(dir.path().join("real.nn")).unwrap(), main.replace("tahn", "tanh"));
    assert!(fs::symlink_metadata(dir.path().join("link.nn")).unwrap().is_symlink());
    assert_eq!(fs::metadata(dir.path().join("real.nn")).unwrap().permissions().mode() & 0o777, 0o640);
    fs::write(dir.path().join("blocks.nn"), blocks).unwrap();
    fs::set_permissions(dir.path().join("blocks.nn"), fs::Permissions::from_mode(0o444)).unwrap();
    let refused = nnc(dir.path(), &["check", "--fix", "link.nn"]);
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("file-unwritable"), "{}", refused.err);
    assert_eq!(fs::read_to_string(dir.path().join("blocks.nn")).unwrap(), blocks);
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_ends_quietly_and_keeps_what_was_learned() {
    let program = TINY.replace("epochs    = 3", "epochs    = 100000000");
    let dir = folder(&[("tiny.nn", program.as_bytes())]);
    let mut child = command(dir.path(), &["run", "tiny.nn", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.status, ran.err.as_str()), (141, ""));
    assert!(dir.path().join("runs/Line-1/weights.safetensors").is_file());
    let mut child = command(dir.path(), &["explain"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.status, ran.err.as_str()), (141, ""));
}

#[test]
fn names_are_documented() {
    let program = "/// The wave.\n/// Someone, \"Waves\", 1999.\nactivation wave(k: float = 0.5)(x) = sin(k * x)\n\nloss dense(p: [n], q: [n]) = mean(p - q)\n";
    let dir = folder(&[("own.nn", program.as_bytes())]);
    let ran = nnc(dir.path(), &["doc", "wave", "own.nn"]);
    let expected =
        "activation wave(k: float = 0.5)(x)\n\nThe wave.\nSomeone, \"Waves\", 1999.\n\ndeclared in own.nn, line 3\n";
    assert_eq!((ran.status, ran.out.as_str()), (0, expected));
    let both = nnc(dir.path(), &["doc", "--file", "own.nn", "dense", "--json"]);
    let kinds: Vec<Value> = events(&both.out).iter().map(|doc| doc["kind"].clone()).collect();
    assert_eq!(kinds, ["loss", "layer"]);
    let dense = &events(&both.out)[1];
    assert_eq!(dense["configuration"][1], serde_json::json!({"name": "bias", "type": "bool", "default": "true"}));
    assert_eq!(dense["inputs"], serde_json::json!([{"name": "x", "type": "[n]", "default": null}]));
    let unknown = nnc(dir.path(), &["doc", "wafe", "own.nn"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.err.contains("did you mean `wave`?"), "{}", unknown.err);
    let primitive = nnc(dir.path(), &["doc", "concat"]);
    assert!(primitive.out.starts_with("concat(a, b, …, axis = -1)\n"), "{}", primitive.out);
    assert_eq!(nnc(dir.path(), &["doc", "own.nn"]).out, "activations\n  wave   The wave.\n\nlosses\n  dense\n");
    let list = nnc(dir.path(), &["doc"]).out;
    for line in ["layers", "optimizers", "shapes", "forms"] {
        assert!(list.lines().any(|found| found == line), "{line} is no heading in\n{list}");
    }
    assert_eq!(nnc(dir.path(), &["doc", "x", "absent.nn"]).status, 1);
}

#[test]
fn the_instructions_are_those_asked_for() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes())]);
    let isa = |isa: &str| nnc(dir.path(), &["run", "tiny.nn", "--json", "--isa", isa]);
    assert_eq!(events(&isa("portable").out)[0]["isa"], "portable");
    let refused = isa("avx512");
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("this build has no AVX-512 backend"), "{}", refused.err);
    let interp = nnc(dir.path(), &["run", "tiny.nn", "--json", "--backend", "interp"]);
    assert_eq!(events(&interp.out)[0]["isa"], "interp");
    assert_eq!(isa("sse9").status, 2);
}

#[test]
fn a_run_goes_on_only_where_it_can() {
    let dir = folder(&[("tiny.nn", TINY.as_bytes())]);
    let none = nnc(dir.path(), &["run", "tiny.nn", "--resume", "runs/Line-1"]);
    assert_eq!(none.status, 1);
    assert!(none.err.contains("no-run-directory") && none.err.contains("there is none here yet"), "{}", none.err);
    assert_eq!(nnc(dir.path(), &["run", "tiny.nn", "--quiet"]).status, 0);
    let refused = |directory: &str| {
        let ran = nnc(dir.path(), &["run", "tiny.nn", "--resume", directory]);
        assert_eq!(ran.status, 1, "{}", ran.err);
        ran.err
    };
    let typo = refused("runs/Lime-1");
    assert!(typo.contains("there is no directory runs/Lime-1") && typo.contains("there is runs/Line-1"), "{typo}");
    assert!(refused(".").contains("is not the directory of a run"));
    // Layout and comments may change; the directory may have another name; more epochs may follow.
    fs::rename(dir.path().join("runs/Line-1"), dir.path().join("kept")).unwrap();
    let laid_out =
        format!("// again\n{}", TINY.replace("seed = 1", "seed  =  1").replace("  batch     = 32\n", "  batch = 32\n"));
    fs::write(dir.path().join("tiny.nn"), &laid_out).unwrap();
    let ran = nnc(dir.path(), &["run", "tiny.nn", "--json", "--resume", "kept", "--epochs", "5"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let epochs: Vec<Value> =
        events(&ran.out).iter().filter(|event| event["event"] == "epoch").map(|event| event["epoch"].clone()).collect();
    assert_eq!(epochs, [4, 5]);
    // Another program is another run.
    let other = laid_out.replace("lr = 0.01", "lr = 0.02").replace("|> tanh", "|> relu");
    fs::write(dir.path().join("tiny.nn"), format!("const more = 1\n{other}")).unwrap();
    let told = refused("kept");
    for part in [
        "other-program",
        "`model Line` is another there",
        "`train … on Points` is another there",
        "`const more` is another there",
    ] {
        assert!(told.contains(part), "no {part} in\n{told}");
    }
    assert!(!told.contains("`data Points`"), "{told}");
    fs::remove_dir_all(dir.path().join("kept/checkpoint")).unwrap();
    assert!(refused("kept").contains("left no checkpoint"));
}

#[test]
fn a_run_goes_on_with_the_constants_it_was_begun_with() {
    let program = format!("const rate = 0.01\n\n{}", TINY.replace("lr = 0.01", "lr = rate"));
    let dir = folder(&[("tiny.nn", program.as_bytes())]);
    let run = |more: &[&str]| nnc(dir.path(), &[&["run", "tiny.nn", "--quiet"], more].concat());
    assert_eq!(run(&["--set", "rate=0.02"]).status, 0);
    let told = run(&["--resume", "runs/Line-1"]);
    assert_eq!(told.status, 1);
    assert!(told.err.contains("`const rate` is another there"), "{}", told.err);
    assert_eq!(run(&["--resume", "runs/Line-1", "--set", "rate=0.02", "--epochs", "4"]).status, 0);
}

#[test]
fn the_saved_program_of_several_files_runs_again() {
    let blocks =
        "activation act(x) = max(x, -1)\n\n".to_owned() + &TINY.replace("Points", "Others").replace("Line", "Other");
    let program = format!("use \"./blocks.nn\"\n\n{}", TINY.replace("tanh", "act"));
    let dir = folder(&[("blocks.nn", blocks.as_bytes()), ("main.nn", program.as_bytes())]);
    let first = nnc(dir.path(), &["run", "main.nn", "--json"]);
    assert_eq!(first.status, 0, "{}", first.err);
    let again = nnc(dir.path(), &["run", "runs/Line-1/model.nn", "--json"]);
    assert_eq!(again.status, 0, "{}", again.err);
    let losses = |ran: &Ran| -> Vec<(String, String)> {
        let ends = events(&ran.out).into_iter().filter(|event| event["event"] == "end");
        ends.map(|end| (end["run"].to_string(), end["train_loss"].to_string())).collect()
    };
    assert_eq!(losses(&first), losses(&again));
}
