//! From trees to the typed form.

use nnc::driver::{self, Settings};

fn problems(name: &str, text: &str) -> Vec<String> {
    let (sources, diagnostics) = driver::check_text(name, text);
    diagnostics
        .iter()
        .map(|problem| {
            let place = problem.span().map(|span| {
                let source = sources.get(span.file);
                let at = source.position(span.start);
                format!("{}:{}:{}: {}", source.name, at.line + 1, at.column + 1, source.line(at.line).trim())
            });
            let labels: Vec<String> = problem
                .labels
                .iter()
                .map(|label| format!("`{}` {}", sources.slice(label.span), label.message))
                .collect();
            format!("{}: {} {}\n    {labels:#?}", problem.code, problem.message, place.unwrap_or_default())
        })
        .collect()
}

#[test]
fn shipped_examples_check() {
    insta::glob!("../../examples", "*.nn", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let found = problems(&path.display().to_string(), &text);
        assert!(found.is_empty(), "{}: {}", path.display(), found.join("\n"));
    });
}

#[test]
fn typed_forms() {
    insta::glob!("../fixtures/check", "*.nn", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let checked = driver::check_source("test.nn", &text, None, &Settings::default());
        assert!(!checked.has_errors(), "{}: {:#?}", path.display(), checked.diagnostics);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../fixtures/check");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_suffix("");
        settings.set_omit_expression(true);
        settings.remove_input_file();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, nnc::check::print::print(&checked.hir)));
    });
}
