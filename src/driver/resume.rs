//! `nnc run --resume`: whether a directory holds a run of this program that can go on.

use super::forms::{is_written, own_units};
use super::{Checked, Failure};
use crate::diagnostics::{Diagnostics, training as problems};
use crate::source::{Sources, Span, Spanned};
use crate::syntax::{self, ast::Ast, ast::Item, ast::ItemKind, ast::UseTarget, print};
use crate::train::weights;
use std::path::Path;

/// The name of the run in a directory; refused where it is none or the run of another program. `text` is the program as it would be
/// saved.
pub(super) fn run_to_resume(directory: &Path, out: &Path, checked: &Checked, text: &str) -> Result<String, Failure> {
    let failed = |diagnostic| Failure { sources: checked.sources.clone(), diagnostics: vec![diagnostic] };
    let there = || weights::run_directories(out).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    if !weights::is_run_directory(directory) {
        return Err(failed(problems::not_a_run_directory(directory.display(), directory.is_dir(), &there())));
    }
    let (name, saved) = weights::saved_run(directory).map_err(failed)?;
    let differences = differences(checked, text, &saved);
    match differences.is_empty() {
        true => Ok(name),
        false => Err(failed(problems::other_program(directory.display(), &differences))),
    }
}

/// The declarations that the program and the saved one do not have in common: with their places those of the program, at no place
/// those that only the saved one has.
fn differences(checked: &Checked, text: &str, saved: &str) -> Vec<Spanned<String>> {
    let (now, then) = (parse(text), parse(saved));
    let own = own_units(&checked.program, &checked.sources);
    // What the text was put together from, in the same order.
    let written = own.iter().enumerate().flat_map(|(at, unit)| {
        let main = at + 1 == own.len();
        unit.ast.items.iter().filter(move |item| is_written(item, main))
    });
    let places: Vec<Span> = written.map(|item| item.span).collect();
    let mut left: Vec<(String, String)> =
        then.items.iter().map(|item| (title(item), print::print_item(&then, item))).collect();
    let mut found = Vec::new();
    for (number, item) in now.items.iter().enumerate() {
        let (title, meaning) = (title(item), print::print_item(&now, item));
        match left.iter().position(|(other, same)| *other == title && *same == meaning) {
            Some(at) => drop(left.remove(at)),
            None => found.push(Spanned::new(title, places.get(number).copied().unwrap_or_default())),
        }
    }
    let gone = left.into_iter().map(|(title, _)| title).filter(|title| !found.iter().any(|one| one.value == *title));
    let gone: Vec<String> = gone.collect();
    found.extend(gone.into_iter().map(|title| Spanned::new(title, Span::default())));
    found
}

fn parse(text: &str) -> Ast {
    let file = Sources::new().add("model.nn", text);
    syntax::parse(file, text, &mut Diagnostics::new())
}

/// What an item is called in a message: `model Deep`, `train Deep on Points`.
fn title(item: &Item) -> String {
    match &item.kind {
        ItemKind::Use(UseTarget::Path(path)) => format!("use {:?}", path.value),
        ItemKind::Use(UseTarget::Module(names)) => {
            let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
            format!("use {}", names.join("."))
        }
        ItemKind::Const { name, .. } => format!("const {}", name.value),
        ItemKind::Callable(callable) => format!("{} {}", callable.kind.keyword(), callable.name.value),
        ItemKind::Data(data) => format!("data {}", data.name.value),
        ItemKind::Train(train) => format!("train … on {}", train.data.value),
        ItemKind::Error => "what is not understood".to_owned(),
    }
}
