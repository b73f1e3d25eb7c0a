//! What a run leaves on disk: weights by path, checkpoints, the history.
//!
//! Every file is written under a temporary name in its directory, synced and renamed, then the directory is synced: whoever looks
//! finds the old file or the new one, whole. Tensors are stored as `safetensors`; what is no tensor stands in its metadata as one
//! JSON text, so that the same values give the same bytes.

use super::event::EpochEnd;
use crate::diagnostics::{Diagnostic, training as report};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The version of what the metadata says.
pub const FORMAT: u64 = 1;

/// The key of the metadata.
const KEY: &str = "nnc";

/// A tensor by path.
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    /// Its path: `tower.dense_1.W`.
    pub path: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its elements, row-major.
    pub values: Vec<f32>,
}

/// Tensors and what belongs to them.
#[derive(Clone, PartialEq, Debug)]
pub struct Weights {
    /// The tensors.
    pub tensors: Vec<Tensor>,
    /// The rest.
    pub metadata: Value,
}

impl Weights {
    /// The tensor of that path and shape.
    pub fn tensor(&self, file: &Path, path: &str, shape: &[usize]) -> Result<&Tensor, Diagnostic> {
        let mismatch = |reason: String| report::weights_mismatch(file.display(), path, reason);
        let found = self.tensors.iter().find(|tensor| tensor.path == path);
        let tensor = found.ok_or_else(|| mismatch("is not among them".to_owned()))?;
        if tensor.shape != shape {
            return Err(mismatch(format!("is {:?} there and {shape:?} in the model", tensor.shape)));
        }
        Ok(tensor)
    }
}

/// Writes the file whole or not at all.
pub fn save(file: &Path, weights: &Weights) -> Result<(), Diagnostic> {
    let bytes: Vec<Vec<u8>> = (weights.tensors.iter())
        .map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = weights.tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map(|view| (tensor.path.as_str(), view))
    });
    let metadata = HashMap::from([(KEY.to_owned(), weights.metadata.to_string())]);
    let unwritable = |reason: safetensors::SafeTensorError| report::output_unwritable(file.display(), reason);
    let views = views.collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
    let text = safetensors::serialize(views, Some(metadata)).map_err(unwritable)?;
    write(file, &text)
}

/// Reads a file that [`save`] wrote.
pub fn load(file: &Path) -> Result<Weights, Diagnostic> {
    let unreadable = |reason: String| report::weights_unreadable(file.display(), reason);
    let bytes = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let content = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(error.to_string()))?;
    let mut tensors = Vec::new();
    for (path, view) in content.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(unreadable(format!("`{path}` is not f32")));
        }
        let values = view
            .data()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        tensors.push(Tensor { path, shape: view.shape().to_vec(), values });
    }
    tensors.sort_by(|a, b| a.path.cmp(&b.path));
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| unreadable("it was not written by nnc".to_owned()))?;
    let metadata: Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if metadata["format"].as_u64() != Some(FORMAT) {
        return Err(unreadable("it was written by another version of nnc".to_owned()));
    }
    Ok(Weights { tensors, metadata })
}

/// Writes the file whole or not at all.
pub fn write(file: &Path, content: &[u8]) -> Result<(), Diagnostic> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let attempt = || -> io::Result<()> {
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        temporary.write_all(content)?;
        temporary.as_file().sync_all()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        temporary.persist(file).map_err(|error| error.error)?;
        #[cfg(unix)]
        File::open(directory)?.sync_all()?;
        Ok(())
    };
    attempt().map_err(|error| report::output_unwritable(file.display(), error))
}

/// Makes the directory of a run: `runs/Deep-1`, or the next number that is free.
pub fn create_run_directory(out: &Path, run: &str) -> Result<PathBuf, Diagnostic> {
    let unwritable = |path: &Path, error: io::Error| report::output_unwritable(path.display(), error);
    fs::create_dir_all(out).map_err(|error| unwritable(out, error))?;
    for number in 1_u32.. {
        let path = out.join(format!("{run}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unwritable(&path, error)),
        }
    }
    Err(unwritable(out, io::Error::from(io::ErrorKind::AlreadyExists)))
}

/// The file of the checkpoint in a run directory.
pub fn checkpoint(directory: &Path) -> PathBuf {
    directory.join("checkpoint").join("state.safetensors")
}

/// The program in a run directory.
pub fn program(directory: &Path) -> PathBuf {
    directory.join("model.nn")
}

/// Whether a run was carried out in that directory.
pub fn is_run_directory(directory: &Path) -> bool {
    program(directory).is_file()
}

/// The run directories below `out`, in the order of their names.
pub fn run_directories(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.filter(|path| is_run_directory(path)).collect();
    found.sort();
    found
}

/// The name of the run that a directory was left by, and its program.
pub fn saved_run(directory: &Path) -> Result<(String, String), Diagnostic> {
    let file = checkpoint(directory);
    if !file.exists() {
        return Err(report::no_checkpoint(directory.display()));
    }
    let name = load(&file)?.metadata["run"].as_str().unwrap_or_default().to_owned();
    let program = program(directory);
    let unreadable = |error: io::Error| report::weights_unreadable(program.display(), error);
    Ok((name, fs::read_to_string(&program).map_err(unreadable)?))
}

/// Makes a directory in a run's directory.
pub fn create_directory(path: &Path) -> Result<(), Diagnostic> {
    fs::create_dir_all(path).map_err(|error| report::output_unwritable(path.display(), error))
}

/// `history.csv`: a row per epoch; floats in the shortest form that reads back the same.
pub fn history(epochs: &[EpochEnd]) -> String {
    let mut text = String::from("epoch,lr,train_loss,val_loss");
    let names: Vec<&str> =
        epochs.first().map_or(Vec::new(), |epoch| epoch.metrics.iter().map(|(name, _)| name.as_str()).collect());
    names.iter().for_each(|name| text.extend([",", name]));
    text.push_str(",seconds,samples_per_s\n");
    for epoch in epochs {
        let val_loss = epoch.val_loss.map_or(String::new(), |loss| loss.to_string());
        text.push_str(&format!("{},{},{},{val_loss}", epoch.epoch, epoch.lr, epoch.train_loss));
        epoch.metrics.iter().for_each(|(_, value)| text.push_str(&format!(",{value}")));
        text.push_str(&format!(",{},{}\n", epoch.seconds, epoch.samples_per_s));
    }
    text
}
