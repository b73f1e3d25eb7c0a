//! `nnc run`: from a file to trained weights.

use super::resume::run_to_resume;
use super::{Failure, Settings, check_file, problems};
use crate::advice;
use crate::check::hir::Run;
use crate::data::{self, Dataset};
use crate::diagnostics::{Diagnostic, Diagnostics, Severity, training};
use crate::jit::{self, Pool};
use crate::source::Sources;
use crate::train::event::{End, Event};
use crate::train::{self, execute::Engine};
use std::collections::{BTreeMap, btree_map::Entry};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What runs a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Backend {
    /// Machine code
    Jit,
    /// The reference interpreter: slow, with the same results to the bit
    Interp,
}

/// Which instructions the machine code may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Isa {
    /// All that this machine has
    Auto,
    /// Those that every machine of this architecture has
    Portable,
    /// Those of x86-64 machines with AVX2 and FMA
    Avx2,
    /// Those of x86-64 machines with AVX-512
    Avx512,
}

impl Isa {
    /// What code is made for.
    fn target(self) -> Result<jit::Isa, Failure> {
        let isa = match self {
            Isa::Auto => jit::Isa::Native,
            Isa::Portable => jit::Isa::Portable,
            Isa::Avx2 => jit::Isa::Avx2,
            Isa::Avx512 => return Err(Failure::of(training::isa_not_built("AVX-512"))),
        };
        match isa.is_supported() {
            true => Ok(isa),
            false => Err(Failure::of(training::isa_not_here("AVX2"))),
        }
    }
}

/// The options of `nnc run`.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// What is set from outside the program.
    pub settings: Settings,
    /// Another number of epochs.
    pub epochs: Option<usize>,
    /// Another seed.
    pub seed: Option<u64>,
    /// The number of threads; as many as processors without it.
    pub threads: Option<usize>,
    /// Where run directories are made.
    pub out: PathBuf,
    /// The run directory to go on from.
    pub resume: Option<PathBuf>,
    /// What runs the program.
    pub backend: Backend,
    /// The instruction set.
    pub isa: Isa,
    /// Set from outside to end after the current step.
    pub interrupted: Arc<AtomicBool>,
}

/// What is told while a program runs.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    /// What looks wrong but runs, with the texts it speaks of; told before anything is trained.
    Warnings(&'a Sources, &'a [Diagnostic]),
    /// What happens.
    Event(&'a Event),
}

/// Checks, compiles, trains and evaluates the `train` declarations of a file in order; gives how each ended. What can be
/// known to fail fails before anything is trained.
pub fn run(path: &Path, options: &RunOptions, on_news: &mut dyn FnMut(News<'_>)) -> Result<Vec<End>, Failure> {
    let begun = Instant::now();
    let checked = check_file(path, &options.settings, false);
    if checked.has_errors() {
        return Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics });
    }
    let source = super::forms::whole_text(&checked.program, &checked.sources, &options.settings.set);
    let resumed = match &options.resume {
        Some(directory) => Some(run_to_resume(directory, &options.out, &checked, &source)?),
        None => None,
    };
    let (mut sources, hir) = (checked.sources, checked.hir);
    let warnings: Vec<Diagnostic> =
        checked.diagnostics.into_iter().filter(|problem| problem.severity == Severity::Warning).collect();
    on_news(News::Warnings(&sources, &warnings));
    if hir.runs.is_empty() {
        return Err(Failure::of(match &options.settings.only {
            Some(name) => problems::unknown_run(name, None, &[]),
            None => problems::nothing_to_run(path.display()),
        }));
    }
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (engine, isa) = match (options.backend, options.isa) {
        (Backend::Interp, _) => (Engine::Interp, "interp"),
        (Backend::Jit, isa) => {
            let isa = isa.target()?;
            (Engine::Jit(jit::Target { isa, listing: false }, Pool::new(threads)), isa.name())
        }
    };
    let frontend = begun.elapsed();
    let mut datasets: BTreeMap<usize, Dataset> = BTreeMap::new();
    let chosen = |run: &&Run| resumed.as_ref().is_none_or(|name| *name == run.name);
    if let (Some(directory), Some(name)) = (&options.resume, &resumed)
        && !hir.runs.iter().any(|run| chosen(&run))
    {
        return Err(Failure::of(training::other_run(directory.display(), name)));
    }
    let planned = hir.runs.iter().filter(chosen).map(|run| Run {
        epochs: options.epochs.unwrap_or(run.epochs),
        seed: options.seed.unwrap_or(run.seed),
        ..run.clone()
    });
    let planned: Vec<Run> = planned.collect();
    for run in &planned {
        if let Entry::Vacant(place) = datasets.entry(run.data) {
            let mut found = Diagnostics::new();
            let loaded = data::load(&hir.data[run.data], &checked.paths, &mut sources, &mut found);
            let Some(dataset) = loaded.filter(|_| !found.has_errors()) else {
                return Err(Failure { sources, diagnostics: found.into_sorted() });
            };
            data::imbalances(&hir, run.data, &dataset, &mut found);
            let counted = advice::Counted {
                data: run.data,
                training_rows: dataset.split.train.len(),
                spreads: data::spreads(&dataset),
            };
            let advice = advice::after_counting(&checked.program, &sources, &hir, &counted);
            advice.into_iter().for_each(|advice| found.push(advice));
            let warnings = advice::silenced(&checked.program, &sources, found.into_sorted());
            on_news(News::Warnings(&sources, &warnings));
            place.insert(dataset);
        }
        if let Err(problem) = train::possible(&hir, run, &datasets[&run.data]) {
            return Err(Failure { sources, diagnostics: vec![problem] });
        }
    }
    let mut ends: Vec<End> = Vec::new();
    for run in &planned {
        if options.interrupted.load(Ordering::Relaxed) && !ends.is_empty() {
            break;
        }
        let now = Instant::now();
        let train_options = train::Options {
            engine: engine.clone(),
            isa,
            out: Some(&options.out),
            source: &source,
            interrupted: &options.interrupted,
            begun: if ends.is_empty() { now.checked_sub(frontend).unwrap_or(now) } else { now },
            resume: options.resume.as_deref(),
        };
        match train::run(&hir, run, &datasets[&run.data], &train_options, &mut |event| on_news(News::Event(&event))) {
            Ok(end) => ends.push(end),
            Err(problem) => return Err(Failure { sources, diagnostics: vec![problem] }),
        }
    }
    Ok(ends)
}
