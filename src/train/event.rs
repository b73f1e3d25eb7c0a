//! What a run tells of itself while it goes on: the source of the progress bar, of the plain lines and of `--json`.

use std::path::PathBuf;

/// Something worth telling, in the order it happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// Everything is compiled; the first step comes next.
    Start(Start),
    /// Some steps of an epoch are done; sent a few times a second at most.
    Progress(Progress),
    /// An epoch is done.
    Epoch(EpochEnd),
    /// The run is done and saved.
    End(End),
}

/// The beginning of a run.
#[derive(Clone, Debug)]
pub struct Start {
    /// The run's name.
    pub run: String,
    /// The number of trainable numbers.
    pub params: usize,
    /// From source text to the first step, in milliseconds.
    pub compile_ms: f64,
    /// The number of threads.
    pub threads: usize,
    /// The instruction set the code is compiled for: `portable`, `avx2`, …, or `interp`.
    pub isa: String,
    /// The seed.
    pub seed: u64,
    /// The names of the splits with their numbers of samples, in the order train, val, test.
    pub samples: Vec<(String, usize)>,
    /// How many epochs are planned.
    pub epochs: usize,
}

/// How far an epoch is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The run's name.
    pub run: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// Samples done in it.
    pub done: usize,
    /// Samples in it.
    pub total: usize,
    /// The mean loss so far.
    pub train_loss: f64,
    /// Samples per second.
    pub samples_per_s: f64,
}

/// The end of an epoch.
#[derive(Clone, Debug)]
pub struct EpochEnd {
    /// The run's name.
    pub run: String,
    /// The epoch, from 1.
    pub epoch: usize,
    /// The rate of its last step.
    pub lr: f64,
    /// The mean loss over the training samples, as met in the epoch.
    pub train_loss: f64,
    /// The loss on the validation split, where there is one.
    pub val_loss: Option<f64>,
    /// The metrics on the validation split (without one, on the training split).
    pub metrics: Vec<(String, f64)>,
    /// Seconds it took, validation included.
    pub seconds: f64,
    /// Training samples per second.
    pub samples_per_s: f64,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// All epochs are done.
    Finished,
    /// The validation loss stopped falling; the best weights are back.
    StoppedEarly,
    /// The loss is not finite.
    Diverged,
    /// The user stopped it; what was learned is saved.
    Interrupted,
}

impl Status {
    /// As `--json` writes it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::StoppedEarly => "stopped_early",
            Status::Diverged => "diverged",
            Status::Interrupted => "interrupted",
        }
    }
}

/// The end of a run.
#[derive(Clone, Debug)]
pub struct End {
    /// The run's name.
    pub run: String,
    /// How it ended.
    pub status: Status,
    /// The epoch (from 1) whose weights are kept.
    pub best_epoch: usize,
    /// The training loss of that epoch.
    pub train_loss: f64,
    /// The validation loss of the weights that are kept.
    pub val_loss: Option<f64>,
    /// Their loss on the test split.
    pub test_loss: Option<f64>,
    /// Their metrics on the test split, else on the validation split, else on the training split.
    pub metrics: Vec<(String, f64)>,
    /// Seconds of training, compilation not included.
    pub seconds: f64,
    /// The run directory, where one was written.
    pub out: Option<PathBuf>,
    /// The epochs, for the curve and the verdict.
    pub history: Vec<EpochEnd>,
    /// A picture of the decision in the plane, where the model has one input of two numbers and decides between classes.
    pub decision: Option<DecisionMap>,
}

/// Which class a model gives to the points of a grid, top row first.
#[derive(Clone, Debug)]
pub struct DecisionMap {
    /// The least and the greatest of the first number.
    pub x: (f32, f32),
    /// The least and the greatest of the second number.
    pub y: (f32, f32),
    /// Columns of the grid.
    pub width: usize,
    /// The classes, row by row.
    pub classes: Vec<u32>,
}
