//! A `train` declaration from first step to report.
//!
//! In: a [`Run`] of a checked program, its data, an engine. Out: [`Event`]s as it goes on, an [`End`], and a run directory. The
//! steps themselves are programs ([`program`], [`execute`]); what happens between them is here: the order of the rows, the
//! rate, validation, early stopping, divergence, interruption.
//!
//! The weights that are kept are those of the last epoch, or with early stopping those of the best; where the loss stops being finite,
//! those of the best epoch before.

pub mod event;
pub mod execute;
pub mod metrics;
pub mod program;
pub mod report;
pub mod schedule;
pub mod step;
pub mod summary;
pub mod weights;

mod decision;
mod memory;
mod saved;

use crate::check::hir::{Hir, Run};
use crate::data::{self, Dataset};
use crate::diagnostics::{Diagnostic, training as problem};
use crate::jit::Buffer;
use event::{End, EpochEnd, Event, Progress, Start, Status};
use execute::Engine;
use metrics::Metrics;
use program::Programs;
use schedule::{Moment, Rate};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use step::{Done, Refusal, Session};

/// How a run is carried out.
pub struct Options<'a> {
    /// What runs the programs.
    pub engine: Engine,
    /// How the start event names the instruction set.
    pub isa: &'a str,
    /// The directory that run directories are made in; `None` writes nothing.
    pub out: Option<&'a Path>,
    /// The text of `model.nn`.
    pub source: &'a str,
    /// Set from outside to end the run after the current step.
    pub interrupted: &'a AtomicBool,
    /// When work on this run began.
    pub begun: Instant,
    /// The run directory to go on from.
    pub resume: Option<&'a Path>,
}

/// Samples in a batch of an evaluation, at least: the fewer calls, the better.
const EVALUATION_BATCH: usize = 256;

/// How often progress is told of.
const PROGRESS: Duration = Duration::from_millis(100);

/// How often a checkpoint is written, at most.
const CHECKPOINT: Duration = Duration::from_secs(10);

/// A diagnostic where it is plain beforehand that a run cannot be carried out.
pub fn possible(hir: &Hir, run: &Run, dataset: &Dataset) -> Result<(), Diagnostic> {
    if run.stop.is_some() && dataset.split.val.is_empty() {
        return Err(problem::stop_without_validation(run.span, &hir.data[run.data].name));
    }
    memory::require(&Programs { run, model: &hir.models[run.model], weighted: dataset.weights.is_some() })
}

/// Carries out one run. The dataset has at least one row to train on.
pub fn run(
    hir: &Hir,
    run: &Run,
    dataset: &Dataset,
    options: &Options,
    on_event: &mut dyn FnMut(Event),
) -> Result<End, Diagnostic> {
    possible(hir, run, dataset)?;
    let programs = Programs { run, model: &hir.models[run.model], weighted: dataset.weights.is_some() };
    let mut training = Training::new(programs, dataset, options).map_err(refused(run))?;
    training.resume()?;
    training.open()?;
    on_event(Event::Start(training.started()));
    let status = training.epochs(on_event)?;
    let end = training.end(status)?;
    on_event(Event::End(end.clone()));
    Ok(end)
}

/// What is told of a run that cannot be carried out.
fn refused(run: &Run) -> impl Fn(Refusal) -> Diagnostic {
    |refusal| match refusal {
        Refusal::Unsupported(found) => problem::not_supported(found.what, found.span),
        Refusal::TooLarge(needed) => memory::too_large(run, needed),
    }
}

struct Training<'a> {
    programs: Programs<'a>,
    dataset: &'a Dataset,
    options: &'a Options<'a>,
    session: Session<'a>,
    metrics: Metrics,
    rate: Rate,
    history: Vec<EpochEnd>,
    /// The pass that is under way.
    pass: Pass,
    best: Option<Best>,
    /// Epochs since the monitored loss last fell, and since it fell by what early stopping asks.
    stalled: usize,
    patience: usize,
    /// The lowest loss early stopping has seen.
    lowest: f64,
    seconds: f64,
    out: Option<PathBuf>,
    saved: Instant,
}

/// The tensors of the best epoch.
#[derive(Clone)]
struct Best {
    epoch: usize,
    loss: f64,
    tensors: Vec<Buffer>,
}

/// How far a pass over the training rows is.
#[derive(Clone, Copy, Default)]
struct Pass {
    /// Rows done.
    samples: usize,
    /// Σ w·loss and Σ w over them.
    loss: f64,
    weight: f64,
    /// The rate of the last step.
    lr: f32,
    seconds: f64,
}

impl Pass {
    fn mean_loss(&self) -> f64 {
        self.loss / self.weight
    }
}

impl<'a> Training<'a> {
    fn new(programs: Programs<'a>, dataset: &'a Dataset, options: &'a Options<'a>) -> Result<Training<'a>, Refusal> {
        let fields = programs.fields();
        let columns =
            fields.iter().map(|field| dataset.field(&field.name).expect("the checker knows the data's fields"));
        let mut session =
            Session::new(programs, options.engine.clone(), columns.collect(), dataset.weights.as_deref())?;
        session.prepare(dataset.split.train.len(), programs.run.batch)?;
        Ok(Training {
            programs,
            dataset,
            options,
            session,
            metrics: Metrics::new(&programs)?,
            rate: Rate::new(&programs, &options.engine)?,
            history: Vec::new(),
            pass: Pass::default(),
            best: None,
            stalled: 0,
            patience: 0,
            lowest: f64::INFINITY,
            seconds: 0.0,
            out: None,
            saved: Instant::now(),
        })
    }

    fn started(&self) -> Start {
        let split = &self.dataset.split;
        let parts = [("train", split.train.len()), ("val", split.val.len()), ("test", split.test.len())];
        Start {
            run: self.programs.run.name.clone(),
            params: self.programs.params().iter().map(|param| param.shape.iter().product::<usize>()).sum(),
            compile_ms: self.options.begun.elapsed().as_secs_f64() * 1e3,
            threads: self.options.engine.threads(),
            isa: self.options.isa.to_owned(),
            seed: self.programs.run.seed,
            samples: parts.iter().filter(|(_, n)| *n > 0).map(|&(name, n)| (name.to_owned(), n)).collect(),
            epochs: self.programs.run.epochs,
        }
    }

    fn interrupted(&self) -> bool {
        self.options.interrupted.load(Ordering::Relaxed)
    }

    /// Whether a checkpoint is to be written.
    fn due(&self) -> bool {
        self.saved.elapsed() >= CHECKPOINT
    }

    /// Trains epoch by epoch.
    fn epochs(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<Status, Diagnostic> {
        let run = self.programs.run;
        while self.history.len() < run.epochs {
            if run.stop.is_some_and(|stop| self.patience > 0 && self.patience >= stop.patience) {
                return Ok(Status::StoppedEarly);
            }
            if self.interrupted() {
                return Ok(Status::Interrupted);
            }
            let begun = Instant::now();
            let whole = loop {
                let whole = self.pass(on_event).map_err(refused(run))?;
                if whole || !self.due() || self.interrupted() || !self.pass.mean_loss().is_finite() {
                    break whole;
                }
                self.checkpoint()?;
            };
            if !self.pass.mean_loss().is_finite() && self.pass.samples > 0 {
                self.end_epoch(None, Vec::new(), begun, on_event);
                return Ok(Status::Diverged);
            }
            let validated = if whole { self.validate().map_err(refused(run))? } else { None };
            let Some((val_loss, metrics)) = validated else {
                self.seconds += begun.elapsed().as_secs_f64();
                return Ok(Status::Interrupted);
            };
            let monitored = val_loss.unwrap_or(self.pass.mean_loss());
            self.end_epoch(val_loss, metrics, begun, on_event);
            if !monitored.is_finite() {
                return Ok(Status::Diverged);
            }
            self.judge(monitored);
            let moment = self.moment(self.session.step);
            self.rate.end_epoch(Moment { epoch: self.history.len() - 1, ..moment });
            if self.due() {
                self.checkpoint()?;
            }
        }
        Ok(Status::Finished)
    }

    /// Where training is at a step.
    fn moment(&self, step: u64) -> Moment {
        let run = self.programs.run;
        let rows = self.dataset.split.train.len();
        let last = self.history.last();
        Moment {
            epoch: self.history.len(),
            step,
            epochs: run.epochs,
            steps_per_epoch: rows.div_ceil(run.batch.min(rows).max(1)),
            val_loss: last.map_or(f64::INFINITY, |epoch| epoch.val_loss.unwrap_or(epoch.train_loss)),
            stalled: self.stalled,
        }
    }

    /// Goes over the training rows in the order of the epoch; gives whether all are done.
    fn pass(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<bool, Refusal> {
        let run = self.programs.run;
        let epoch = self.history.len() + 1;
        let mut rows = self.dataset.split.train.clone();
        data::batch::shuffle(&mut rows, run.seed, epoch as u32);
        let moment = self.moment(0);
        let (begun, before) = (Instant::now(), self.pass.seconds);
        let (mut told, mut countdown, mut stride) = (begun, 1_u32, 1_u32);
        let (interrupted, saved) = (self.options.interrupted, self.saved);
        let mut due = false;
        let (rate, mut pass) = (&mut self.rate, self.pass);
        let (mut lr, first) = (pass.lr, pass.samples);
        let mut done = |done: Done| {
            pass.loss += f64::from(done.loss) * done.weight;
            pass.weight += done.weight;
            pass.samples += done.samples;
            countdown -= 1;
            // The clock is read every few steps only: for a small network reading it takes as long as learning.
            if countdown == 0 {
                let since = told.elapsed();
                stride = if since < PROGRESS / 4 { (stride * 2).min(1 << 16) } else { (stride / 2).max(1) };
                countdown = stride;
                if since >= PROGRESS {
                    told = Instant::now();
                    due = saved.elapsed() >= CHECKPOINT;
                    on_event(Event::Progress(Progress {
                        run: run.name.clone(),
                        epoch,
                        done: pass.samples,
                        total: rows.len(),
                        train_loss: pass.mean_loss(),
                        samples_per_s: pass.samples as f64 / (before + begun.elapsed().as_secs_f64()),
                    }));
                }
            }
            done.loss.is_finite() && !due && !interrupted.load(Ordering::Relaxed)
        };
        let rate = &mut |step| {
            lr = rate.at(Moment { step, ..moment });
            lr
        };
        // A run that goes on from a checkpoint may be amidst an epoch.
        self.session.train(&rows[first..], run.batch.min(rows.len()), rate, &mut done)?;
        self.pass = Pass { lr, seconds: before + begun.elapsed().as_secs_f64(), ..pass };
        Ok(pass.samples == rows.len())
    }

    /// Loss and metrics on the validation split; without one, metrics on the training split. `None` if interrupted.
    #[allow(clippy::type_complexity, reason = "an optional loss and named metrics")]
    fn validate(&mut self) -> Result<Option<(Option<f64>, Vec<(String, f64)>)>, Refusal> {
        let split = &self.dataset.split;
        let result = if !split.val.is_empty() {
            let (loss, metrics) = self.measure(&split.val)?;
            (Some(loss), metrics)
        } else if self.programs.run.metrics.is_empty() {
            return Ok(Some((None, Vec::new())));
        } else {
            (None, self.measure(&split.train)?.1)
        };
        Ok((!self.interrupted()).then_some(result))
    }

    fn measure(&mut self, rows: &[u32]) -> Result<(f64, Vec<(String, f64)>), Refusal> {
        let interrupted = self.options.interrupted;
        let stop = || interrupted.load(Ordering::Relaxed);
        let batch = self.programs.run.batch;
        let sums = match self.session.evaluate(rows, batch.max(EVALUATION_BATCH), &stop) {
            // What could be trained can be evaluated as well.
            Err(Refusal::TooLarge(_)) if batch < EVALUATION_BATCH => self.session.evaluate(rows, batch, &stop)?,
            sums => sums?,
        };
        Ok((sums.loss / sums.weight, self.metrics.values(&sums)))
    }

    fn end_epoch(
        &mut self,
        val_loss: Option<f64>,
        metrics: Vec<(String, f64)>,
        begun: Instant,
        on_event: &mut dyn FnMut(Event),
    ) {
        let pass = std::mem::take(&mut self.pass);
        let seconds = begun.elapsed().as_secs_f64();
        self.seconds += seconds;
        let epoch = EpochEnd {
            run: self.programs.run.name.clone(),
            epoch: self.history.len() + 1,
            // The decimal number as the user would write it: 0.01, not the nearest f32.
            lr: pass.lr.to_string().parse().unwrap_or(f64::from(pass.lr)),
            train_loss: pass.mean_loss(),
            val_loss,
            metrics,
            seconds,
            samples_per_s: pass.samples as f64 / pass.seconds,
        };
        self.history.push(epoch.clone());
        on_event(Event::Epoch(epoch));
    }

    /// Whether the loss fell: for the schedule, for early stopping, and which weights are the best.
    fn judge(&mut self, loss: f64) {
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            self.stalled = 0;
            let tensors = &self.session.tensors[..self.session.model_tensors()];
            let epoch = self.history.len();
            match &mut self.best {
                Some(best) => {
                    (best.epoch, best.loss) = (epoch, loss);
                    for (kept, tensor) in best.tensors.iter_mut().zip(tensors) {
                        kept.bits_mut().copy_from_slice(tensor.bits());
                    }
                }
                None => self.best = Some(Best { epoch, loss, tensors: tensors.to_vec() }),
            }
        } else {
            self.stalled += 1;
        }
        let least = self.programs.run.stop.map_or(0.0, |stop| stop.min_delta);
        if loss < self.lowest - least {
            self.lowest = loss;
            self.patience = 0;
        } else {
            self.patience += 1;
        }
    }

    /// Chooses the weights to keep, measures them, writes the run directory.
    fn end(&mut self, mut status: Status) -> Result<End, Diagnostic> {
        if status != Status::Diverged {
            self.checkpoint()?;
        }
        let run = self.programs.run;
        let mut best_epoch = self.history.len();
        let restore = run.stop.is_some() || status == Status::Diverged;
        if let Some(best) = self.best.as_ref().filter(|_| restore) {
            best_epoch = best.epoch;
            self.session.tensors[..best.tensors.len()].clone_from_slice(&best.tensors);
        }
        let kept = best_epoch.checked_sub(1).and_then(|epoch| self.history.get(epoch));
        let mut metrics = kept.map_or(Vec::new(), |epoch| epoch.metrics.clone());
        let val_loss = kept.and_then(|epoch| epoch.val_loss);
        let train_loss = kept.map_or(f64::NAN, |epoch| epoch.train_loss);
        let mut test_loss = None;
        let test = &self.dataset.split.test;
        let measured = matches!(status, Status::Finished | Status::StoppedEarly) && !test.is_empty();
        if measured {
            let (loss, values) = self.measure(test).map_err(refused(run))?;
            match self.interrupted() {
                true => status = Status::Interrupted,
                false => (test_loss, metrics) = (Some(loss), values),
            }
        }
        let decision = decision::map(&mut self.session, self.dataset).map_err(refused(run))?;
        self.save()?;
        Ok(End {
            run: run.name.clone(),
            status,
            best_epoch,
            train_loss,
            val_loss,
            test_loss,
            metrics,
            seconds: self.seconds,
            out: self.out.clone(),
            history: self.history.clone(),
            decision,
        })
    }
}
