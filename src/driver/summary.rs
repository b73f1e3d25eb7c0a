//! `nnc summary`: models in numbers.

use super::forms::{Chosen, DEFAULT_BATCH, choose, programs};
use super::{Failure, Settings, check_file, problems};
use crate::check::hir::{Hir, Model, ValueType};
use crate::graph::elaborate::Unsupported;
use crate::train::program;
use crate::train::summary::{self, Memory, Summary};
use std::path::Path;

/// A model in numbers, and the memory of its programs.
#[derive(Debug)]
pub struct ModelSummary {
    /// Its name.
    pub name: String,
    /// Its configuration as written at the use, or empty.
    pub configuration: String,
    /// Its inputs.
    pub inputs: Vec<(String, ValueType)>,
    /// Its outputs.
    pub outputs: Vec<(String, ValueType)>,
    /// Its layers, parameters and costs.
    pub summary: Summary,
    /// The memory of a training step of each of its runs; of a model without a run, of a prediction.
    pub programs: Vec<ProgramSummary>,
}

/// The memory of a program.
#[derive(Debug)]
pub struct ProgramSummary {
    /// The run that it trains.
    pub run: Option<String>,
    /// The samples it is given at a time.
    pub batch: usize,
    /// What it takes; or what has no code yet.
    pub memory: Result<Memory, &'static str>,
}

/// The models of a program and the names of those that are not known before they are used.
pub fn summary(
    path: &Path,
    model: Option<&str>,
    batch: Option<usize>,
    settings: &Settings,
) -> Result<(Vec<ModelSummary>, Vec<String>), Failure> {
    let checked = check_file(path, settings, false);
    if checked.has_errors() {
        return Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics });
    }
    let hir = &checked.hir;
    if model.is_some() {
        let chosen = choose(&checked, model, path)?;
        return Ok((vec![model_summary(hir, chosen.model(hir), &[chosen], batch)], Vec::new()));
    }
    let mut summaries = Vec::new();
    for (number, shown) in hir.models.iter().enumerate() {
        let runs: Vec<Chosen> = hir.runs.iter().filter(|run| run.model == number).map(Chosen::Run).collect();
        // A model with its defaults is worth a word of its own where no run uses it in another way.
        let used = hir.runs.iter().any(|run| hir.models[run.model].name == shown.name);
        if used && runs.is_empty() {
            continue;
        }
        let programs = if used { runs } else { vec![Chosen::Model(shown)] };
        summaries.push(model_summary(hir, shown, &programs, batch));
    }
    let declared = hir.declarations.iter().filter(|declaration| declaration.keyword == "model");
    let open = declared.filter(|declaration| !hir.models.iter().any(|model| model.name == declaration.name.value));
    let open: Vec<String> = open.map(|declaration| declaration.name.value.clone()).collect();
    match (summaries.is_empty(), open.first()) {
        (true, None) => Err(Failure::of(problems::no_model(path.display()))),
        _ => Ok((summaries, open)),
    }
}

fn model_summary(hir: &Hir, model: &Model, programs: &[Chosen], batch: Option<usize>) -> ModelSummary {
    let body = &model.body;
    ModelSummary {
        name: model.name.clone(),
        configuration: model.configuration.clone(),
        inputs: body.inputs.iter().map(|input| (input.name.clone(), input.ty.clone())).collect(),
        outputs: body.outputs.iter().map(|(name, id)| (name.clone(), body[*id].ty.clone())).collect(),
        summary: summary::summary(model),
        programs: programs.iter().map(|&one| program_summary(hir, one, batch)).collect(),
    }
}

fn program_summary(hir: &Hir, chosen: Chosen, batch: Option<usize>) -> ProgramSummary {
    let states = chosen.model(hir).body.states.len();
    let (run, batch, graph) = match chosen {
        Chosen::Run(run) => {
            let batch = batch.unwrap_or(run.batch);
            (Some(run.name.clone()), batch, programs(hir, run).training(batch))
        }
        Chosen::Model(model) => {
            let batch = batch.unwrap_or(DEFAULT_BATCH);
            (None, batch, program::prediction(model, batch))
        }
    };
    let memory = graph.map(|graph| summary::memory(&graph, states)).map_err(|Unsupported { what, .. }| what);
    ProgramSummary { run, batch, memory }
}
