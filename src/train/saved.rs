//! What a run directory holds, and going on from it.
//!
//! `weights.safetensors` has the model; `checkpoint/state.safetensors` has all that training is made of: every tensor, those of the best epoch,
//! the schedule's states, and as metadata where it stands.

use super::event::EpochEnd;
use super::weights::{self, Tensor, Weights};
use super::{Best, Pass, Training};
use crate::diagnostics::{Diagnostic, training as problem};
use crate::jit::Buffer;
use serde_json::{Value, json};
use std::time::Instant;

/// What stands before the path of a tensor of the best epoch.
const BEST: &str = "best/";

/// What stands before the name of a state of the schedule.
const SCHEDULE: &str = "schedule/";

impl Training<'_> {
    /// Makes the run directory with its `model.nn`, or goes on in the one resumed.
    pub(super) fn open(&mut self) -> Result<(), Diagnostic> {
        let Some(out) = self.options.out else { return Ok(()) };
        let directory = match self.options.resume {
            Some(directory) => directory.to_owned(),
            None => weights::create_run_directory(out, &self.programs.run.name)?,
        };
        weights::write(&weights::program(&directory), self.options.source.as_bytes())?;
        self.out = Some(directory);
        Ok(())
    }

    /// Writes the weights and the history.
    pub(super) fn save(&self) -> Result<(), Diagnostic> {
        let Some(directory) = &self.out else { return Ok(()) };
        let tensors = self.tensors(&self.session.tensors[..self.session.model_tensors()], "");
        let metadata = self.dataset.metadata().into_iter().map(|(name, text)| (name, Value::String(text))).collect();
        let metadata = json!({
            "format": weights::FORMAT, "run": self.programs.run.name, "model": self.programs.model.name,
            "configuration": self.programs.model.configuration, "data": Value::Object(metadata),
        });
        weights::save(&directory.join("weights.safetensors"), &Weights { tensors, metadata })?;
        weights::write(&directory.join("history.csv"), weights::history(&self.history).as_bytes())
    }

    /// Writes all that going on needs.
    pub(super) fn checkpoint(&mut self) -> Result<(), Diagnostic> {
        let Some(directory) = &self.out else { return Ok(()) };
        let mut tensors = self.tensors(&self.session.tensors, "");
        if let Some(best) = &self.best {
            tensors.extend(self.tensors(&best.tensors, BEST));
        }
        let states = self.programs.run.schedule.iter().flat_map(|schedule| &schedule.states);
        for (state, buffer) in states.zip(self.rate.states()) {
            let path = format!("{SCHEDULE}{}", state.path);
            tensors.push(Tensor { path, shape: state.shape.clone(), values: buffer.as_f32().to_vec() });
        }
        let metadata = json!({
            "format": weights::FORMAT, "run": self.programs.run.name, "seed": self.programs.run.seed, "step": self.session.step,
            "stalled": self.stalled, "patience": self.patience, "lowest": bits(self.lowest), "seconds": self.seconds,
            "best": self.best.as_ref().map(|best| json!({ "epoch": best.epoch, "loss": bits(best.loss) })),
            "pass": {
                "samples": self.pass.samples, "loss": bits(self.pass.loss), "weight": bits(self.pass.weight),
                "lr": self.pass.lr.to_bits(), "seconds": self.pass.seconds,
            },
            "history": self.history.iter().map(epoch_to_json).collect::<Vec<_>>(),
        });
        let file = weights::checkpoint(directory);
        weights::create_directory(&directory.join("checkpoint"))?;
        weights::save(&file, &Weights { tensors, metadata })?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Takes the state of training from the checkpoint of the run directory to go on from.
    pub(super) fn resume(&mut self) -> Result<(), Diagnostic> {
        let Some(directory) = self.options.resume else { return Ok(()) };
        let file = weights::checkpoint(directory);
        let found = weights::load(&file)?;
        let read = |prefix: &str, path: &str, shape: &[usize]| -> Result<Buffer, Diagnostic> {
            Ok(Buffer::from_f32(&found.tensor(&file, &format!("{prefix}{path}"), shape)?.values))
        };
        let run = self.programs.run;
        let place = &found.metadata;
        if place["run"].as_str() != Some(&run.name) || place["seed"].as_u64() != Some(run.seed) {
            return Err(problem::other_run(directory.display(), &run.name));
        }
        let kept = &self.session.kept;
        let model = self.session.model_tensors();
        let tensors = kept.iter().map(|tensor| read("", &tensor.path, &tensor.shape)).collect::<Result<Vec<_>, _>>()?;
        let best = &place["best"];
        if let Some(epoch) = best["epoch"].as_u64() {
            let tensors = kept[..model].iter().map(|tensor| read(BEST, &tensor.path, &tensor.shape));
            self.best = Some(Best {
                epoch: epoch as usize,
                loss: from_bits(&best["loss"]),
                tensors: tensors.collect::<Result<_, _>>()?,
            });
        }
        let states = self.programs.run.schedule.iter().flat_map(|schedule| &schedule.states);
        self.rate.restore(states.map(|state| read(SCHEDULE, &state.path, &state.shape)).collect::<Result<_, _>>()?);
        self.session.tensors = tensors;
        self.session.step = place["step"].as_u64().unwrap_or(0);
        self.stalled = place["stalled"].as_u64().unwrap_or(0) as usize;
        self.patience = place["patience"].as_u64().unwrap_or(0) as usize;
        self.lowest = from_bits(&place["lowest"]);
        self.seconds = place["seconds"].as_f64().unwrap_or(0.0);
        let pass = &place["pass"];
        self.pass = Pass {
            samples: pass["samples"].as_u64().unwrap_or(0) as usize,
            loss: from_bits(&pass["loss"]),
            weight: from_bits(&pass["weight"]),
            lr: f32::from_bits(pass["lr"].as_u64().unwrap_or(0) as u32),
            seconds: pass["seconds"].as_f64().unwrap_or(0.0),
        };
        if self.pass.samples > self.dataset.split.train.len() {
            return Err(problem::other_run(directory.display(), &run.name));
        }
        let epochs = place["history"].as_array().map_or(&[][..], Vec::as_slice);
        self.history = epochs.iter().map(|epoch| epoch_from_json(&self.programs.run.name, epoch)).collect();
        Ok(())
    }

    fn tensors(&self, buffers: &[Buffer], prefix: &str) -> Vec<Tensor> {
        let named = self.session.kept.iter().zip(buffers);
        let tensor = |(kept, buffer): (&super::program::Kept, &Buffer)| Tensor {
            path: format!("{prefix}{}", kept.path),
            shape: kept.shape.clone(),
            values: buffer.as_f32().to_vec(),
        };
        named.map(tensor).collect()
    }
}

/// A float so that it comes back with the same bits, whatever it is.
fn bits(x: f64) -> Value {
    Value::String(format!("{:016x}", x.to_bits()))
}

fn from_bits(value: &Value) -> f64 {
    value.as_str().and_then(|text| u64::from_str_radix(text, 16).ok()).map_or(f64::NAN, f64::from_bits)
}

fn epoch_to_json(epoch: &EpochEnd) -> Value {
    let metrics: Vec<Value> = epoch.metrics.iter().map(|(name, value)| json!([name, bits(*value)])).collect();
    json!({
        "epoch": epoch.epoch, "lr": bits(epoch.lr), "train_loss": bits(epoch.train_loss), "val_loss": epoch.val_loss.map(bits),
        "metrics": metrics, "seconds": bits(epoch.seconds), "samples_per_s": bits(epoch.samples_per_s),
    })
}

fn epoch_from_json(run: &str, epoch: &Value) -> EpochEnd {
    let metrics = epoch["metrics"].as_array().map_or(&[][..], Vec::as_slice).iter();
    EpochEnd {
        run: run.to_owned(),
        epoch: epoch["epoch"].as_u64().unwrap_or(0) as usize,
        lr: from_bits(&epoch["lr"]),
        train_loss: from_bits(&epoch["train_loss"]),
        val_loss: epoch["val_loss"].is_string().then(|| from_bits(&epoch["val_loss"])),
        metrics: metrics.map(|pair| (pair[0].as_str().unwrap_or_default().to_owned(), from_bits(&pair[1]))).collect(),
        seconds: from_bits(&epoch["seconds"]),
        samples_per_s: from_bits(&epoch["samples_per_s"]),
    }
}
