//! What each stage makes of small programs, as text: `tests/fixtures/graph`, `grad`, `plan`, `kernel`, and `walk` with all of
//! the stages one after the other.

use nnc::driver::{self, Settings, Stage};
use std::fmt::Write;
use std::path::Path;

/// The form of a program at a stage.
fn form(path: &Path, stage: Stage) -> String {
    match driver::ir(path, stage, None, None, &Settings::default()) {
        Ok(text) => text,
        Err(failure) => panic!("{}: {:#?}", path.display(), failure.diagnostics),
    }
}

/// Compares every fixture of a folder with its snapshot beside it.
fn fixtures(folder: &str, text: impl Fn(&Path) -> String) {
    insta::glob!("..", &format!("fixtures/{folder}/*.nn"), |path| {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(format!("../fixtures/{folder}"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_suffix("");
        settings.set_omit_expression(true);
        settings.remove_input_file();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, text(path)));
    });
}

#[test]
fn graphs() {
    fixtures("graph", |path| form(path, Stage::Graph));
}

#[test]
fn training_steps() {
    fixtures("grad", |path| form(path, Stage::Grad));
}

#[test]
fn plans() {
    fixtures("plan", |path| form(path, Stage::Plan));
}

#[test]
fn kernels() {
    fixtures("kernel", |path| form(path, Stage::Kernel));
}

#[test]
fn walks() {
    let stages = [
        ("ast", Stage::Ast),
        ("hir", Stage::Hir),
        ("graph", Stage::Graph),
        ("grad", Stage::Grad),
        ("plan", Stage::Plan),
        ("kernel", Stage::Kernel),
    ];
    fixtures("walk", |path| {
        let mut text = String::new();
        for (name, stage) in stages {
            writeln!(text, "==== {name}\n\n{}", form(path, stage).trim_end()).unwrap();
            text.push('\n');
        }
        text
    });
}
