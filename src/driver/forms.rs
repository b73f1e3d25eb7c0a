//! `nnc ir`: the intermediate forms of a program as text.

use super::{Checked, Failure, Settings, check_file, problems};
use crate::check::hir::{BalanceKind, Declaration, Hir, Model, Run};
use crate::check::{self, Program, Unit};
use crate::diagnostics::{nearest, training};
use crate::graph::{self, Graph, elaborate::Unsupported};
use crate::jit;
use crate::kernel;
use crate::plan::{self, PlanOptions};
use crate::source::{SHIPPED, Sources};
use crate::syntax;
use crate::syntax::ast::{Item, ItemKind, UseTarget};
use crate::train::execute;
use crate::train::program::{self, Programs};
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

/// The form of a file at a stage; from `graph` on that of one run, the first unless `model` names another. Of a model that no
/// run names it is the program that predicts.
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
    let hir = &checked.hir;
    if stage == Stage::Ast {
        return match checked.program.units.last() {
            Some(unit) => Ok(syntax::print::print(&unit.ast, checked.sources.get(unit.ast.file))),
            None => Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics }),
        };
    }
    if stage == Stage::Hir && model.is_none() {
        return Ok(check::print::print(hir));
    }
    let chosen = choose(&checked, model, path)?;
    if stage == Stage::Hir {
        return Ok(check::print::model(chosen.model(hir)));
    }
    let unsupported = |found: Unsupported| Failure {
        sources: checked.sources.clone(),
        diagnostics: vec![training::not_supported(found.what, found.span)],
    };
    let graph = match (chosen, stage) {
        (Chosen::Run(run), Stage::Graph) => programs(hir, run).sample(),
        (Chosen::Run(run), _) => programs(hir, run).training(batch.unwrap_or(run.batch)),
        (Chosen::Model(model), Stage::Graph) => program::forward(model),
        (Chosen::Model(model), Stage::Grad) => {
            let diagnostics = vec![problems::no_gradient(&model.name, model.span)];
            return Err(Failure { sources: checked.sources, diagnostics });
        }
        (Chosen::Model(model), _) => program::prediction(model, batch.unwrap_or(DEFAULT_BATCH)),
    };
    Ok(later_form(&graph.map_err(unsupported)?, stage, &checked.sources))
}

/// The batch of a model that no run names, as that of a run that does not say.
pub(super) const DEFAULT_BATCH: usize = 32;

/// What a command shows the programs of.
#[derive(Clone, Copy)]
pub(super) enum Chosen<'h> {
    /// A run.
    Run(&'h Run),
    /// A model that no run names.
    Model(&'h Model),
}

impl<'h> Chosen<'h> {
    pub(super) fn model(self, hir: &'h Hir) -> &'h Model {
        match self {
            Chosen::Run(run) => &hir.models[run.model],
            Chosen::Model(model) => model,
        }
    }
}

/// The run or the model of a name: of a run, of the model of a run, of a model. The first there is without one.
pub(super) fn choose<'c>(checked: &'c Checked, name: Option<&str>, path: &Path) -> Result<Chosen<'c>, Failure> {
    let hir = &checked.hir;
    let failed = |diagnostic| Failure { sources: checked.sources.clone(), diagnostics: vec![diagnostic] };
    let declared = || hir.declarations.iter().filter(|declaration| declaration.keyword == "model");
    let open = |model: &Declaration| failed(problems::open_extents(&model.name.value, model.name.span));
    let Some(name) = name else {
        let first = hir.runs.first().map(Chosen::Run).or(hir.models.first().map(Chosen::Model));
        let none = || declared().next().map_or_else(|| failed(problems::no_model(path.display())), open);
        return first.ok_or_else(none);
    };
    let by_model = |run: &&Run| hir.models[run.model].name == name;
    let run = hir.runs.iter().find(|run| run.name == name).or_else(|| hir.runs.iter().find(by_model));
    let model = || hir.models.iter().find(|model| model.name == name).map(Chosen::Model);
    run.map(Chosen::Run).or_else(model).ok_or_else(|| {
        if let Some(model) = declared().find(|declaration| declaration.name.value == name) {
            return open(model);
        }
        let mut known: Vec<&str> = hir.runs.iter().map(|run| run.name.as_str()).collect();
        known.extend(declared().map(|declaration| declaration.name.value.as_str()));
        known.dedup();
        let near = nearest(name, known.iter().copied());
        failed(problems::unknown_run(name, near, &known))
    })
}

/// The programs of a run.
pub(super) fn programs<'h>(hir: &'h Hir, run: &'h Run) -> Programs<'h> {
    let balance = hir.data[run.data].balance.as_ref();
    let weighted = balance.is_some_and(|balance| balance.value.kind == BalanceKind::Weights);
    Programs { run, model: &hir.models[run.model], weighted }
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

/// The files that the user wrote, the main one last.
pub(super) fn own_units<'p>(program: &'p Program, sources: &Sources) -> Vec<&'p Unit> {
    let own = |unit: &&Unit| !sources.get(unit.ast.file).name.starts_with(SHIPPED);
    program.units.iter().filter(own).collect()
}

/// Whether an item is part of the program as one text: what joined files is not, nor the runs of a used file.
pub(super) fn is_written(item: &Item, main: bool) -> bool {
    match &item.kind {
        ItemKind::Use(UseTarget::Path(_)) => false,
        ItemKind::Train(_) => main,
        ItemKind::Use(UseTarget::Module(_))
        | ItemKind::Const { .. }
        | ItemKind::Callable(_)
        | ItemKind::Data(_)
        | ItemKind::Error => true,
    }
}

/// A program as one text: the files it uses, then its own, with the constants as they were set.
pub(super) fn whole_text(program: &Program, sources: &Sources, set: &[(String, String)]) -> String {
    let mut whole = String::new();
    let own = own_units(program, sources);
    for unit in &own {
        let main = own.last().is_some_and(|last| std::ptr::eq(*last, *unit));
        let source = sources.get(unit.ast.file);
        let mut text = source.text.to_string();
        for item in unit.ast.items.iter().rev() {
            let range = item.span.start as usize..item.span.end as usize;
            match &item.kind {
                _ if !is_written(item, main) => text.replace_range(range, ""),
                ItemKind::Const { name, value } => {
                    if let Some((_, number)) = set.iter().find(|(wanted, _)| *wanted == name.value) {
                        let span = unit.ast[*value].span;
                        text.replace_range(span.start as usize..span.end as usize, number);
                    }
                }
                ItemKind::Use(_) | ItemKind::Callable(_) | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Error => {
                }
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
