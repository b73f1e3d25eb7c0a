//! `nnc ir`: the intermediate forms of a program as text.

use super::{Failure, Settings, check_file, problems};
use crate::check::{self, Program, hir::BalanceKind};
use crate::diagnostics::training;
use crate::graph::{self, Graph};
use crate::jit;
use crate::kernel;
use crate::plan::{self, PlanOptions};
use crate::source::Sources;
use crate::syntax;
use crate::syntax::ast::{ItemKind, UseTarget};
use crate::train::execute;
use crate::train::program::Programs;
use std::path::Path;

/// An intermediate form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Stage {
    /// The syntax tree of the file
    Ast,
    /// The typed program
    Hir,
    /// The forward graph of one sample
    Graph,
    /// The training step: forward, backward and update
    Grad,
    /// Fused groups and buffers
    Plan,
    /// Loops
    Kernel,
    /// Cranelift's intermediate form
    Clif,
    /// Machine code
    Asm,
}

/// The form of a file at a stage; from `graph` on that of one run, the first unless `model` names another.
pub fn ir(
    path: &Path,
    stage: Stage,
    model: Option<&str>,
    batch: Option<usize>,
    settings: &Settings,
) -> Result<String, Failure> {
    let checked = check_file(path, settings, false);
    if checked.has_errors() && stage != Stage::Ast {
        return Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics });
    }
    match stage {
        Stage::Ast => match checked.program.units.last() {
            Some(unit) => return Ok(syntax::print::print(&unit.ast, checked.sources.get(unit.ast.file))),
            None => return Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics }),
        },
        Stage::Hir => return Ok(check::print::print(&checked.hir)),
        Stage::Graph | Stage::Grad | Stage::Plan | Stage::Kernel | Stage::Clif | Stage::Asm => {}
    }
    let hir = &checked.hir;
    let runs: Vec<&str> = hir.runs.iter().map(|run| run.name.as_str()).collect();
    let named = |name: &str| hir.runs.iter().find(|run| run.name == name || hir.models[run.model].name == name);
    let run = match model {
        Some(name) => named(name).ok_or_else(|| Failure::of(problems::unknown_run(name, &runs)))?,
        None => hir.runs.first().ok_or_else(|| Failure::of(problems::nothing_to_run(path.display())))?,
    };
    let balance = hir.data[run.data].balance.as_ref();
    let weighted = balance.is_some_and(|balance| balance.value.kind == BalanceKind::Weights);
    let programs = Programs { run, model: &hir.models[run.model], weighted };
    let unsupported = |found: crate::graph::elaborate::Unsupported| Failure {
        sources: checked.sources.clone(),
        diagnostics: vec![training::not_supported(found.what, found.span)],
    };
    if stage == Stage::Graph {
        return Ok(graph::print::print(&programs.sample().map_err(unsupported)?, Some(&checked.sources)));
    }
    let graph = programs.training(batch.unwrap_or(run.batch)).map_err(unsupported)?;
    Ok(later_form(&graph, stage, &checked.sources))
}

fn later_form(graph: &Graph, stage: Stage, sources: &Sources) -> String {
    match stage {
        Stage::Ast | Stage::Hir | Stage::Graph | Stage::Grad => graph::print::print(graph, Some(sources)),
        Stage::Plan => plan::print::print(graph, &plan::plan(graph, &PlanOptions::default())),
        Stage::Kernel => kernel::print::print(&execute::module(graph)),
        Stage::Clif | Stage::Asm => {
            let target = jit::Target { listing: true, ..jit::Target::default() };
            let program = jit::compile(&execute::module(graph), &target);
            match (stage, program.listing()) {
                (Stage::Clif, Some(listing)) => listing.clif.clone(),
                (_, Some(listing)) => listing.asm.clone(),
                (_, None) => String::new(),
            }
        }
    }
}

/// A program as one text: the files it uses, then its own, with the constants as they were set.
pub(super) fn whole_text(program: &Program, sources: &Sources, set: &[(String, String)]) -> String {
    let mut whole = String::new();
    let own: Vec<_> = program.units.iter().filter(|unit| !unit.prelude).collect();
    for unit in &own {
        let source = sources.get(unit.ast.file);
        let mut text = source.text.to_string();
        for item in unit.ast.items.iter().rev() {
            let range = item.span.start as usize..item.span.end as usize;
            match &item.kind {
                ItemKind::Const { name, value } => {
                    if let Some((_, number)) = set.iter().find(|(wanted, _)| *wanted == name.value) {
                        let span = unit.ast[*value].span;
                        text.replace_range(span.start as usize..span.end as usize, number);
                    }
                }
                ItemKind::Use(UseTarget::Path(_)) => text.replace_range(range, ""),
                ItemKind::Use(UseTarget::Module(_))
                | ItemKind::Callable(_)
                | ItemKind::Data(_)
                | ItemKind::Train(_)
                | ItemKind::Error => {}
            }
        }
        if own.len() > 1 {
            whole.push_str(&format!("// {}\n\n", source.name));
        }
        whole.push_str(text.trim_start_matches('\n'));
        if own.len() > 1 && !whole.ends_with("\n\n") {
            whole.push('\n');
        }
    }
    whole
}
