//! Whether the machine can hold a run, asked before anything is allocated.

use super::execute::bytes;
use super::program::Programs;
use crate::check::hir::Run;
use crate::data::memory;
use crate::diagnostics::{Diagnostic, training as problem};
use crate::graph::TensorType;
use crate::graph::elaborate::tensor_type;

/// A diagnostic where the run needs more memory than there is.
///
/// Counted are the parameters with their gradients, the optimizer's states and the copy of the best epoch, and the largest value
/// of the model for a batch: never more than what is allocated later.
pub(super) fn require(programs: &Programs) -> Result<(), Diagnostic> {
    let kept = |list: Vec<super::program::Kept>| -> u128 {
        list.iter().map(|tensor| bytes(&TensorType::f32(tensor.shape.clone()))).fold(0, u128::saturating_add)
    };
    let params = kept(programs.params());
    let values = programs.model.body.values.iter().chain(&programs.run.loss.values);
    let largest = values.map(|value| bytes(&tensor_type(&value.ty))).max().unwrap_or(0);
    let needed = params
        .saturating_mul(3)
        .saturating_add(kept(programs.optimizer_states()))
        .saturating_add(kept(programs.states()).saturating_mul(2))
        .saturating_add(largest.saturating_mul(programs.run.batch as u128));
    let Some(available) = memory::available() else { return Ok(()) };
    if needed > available {
        return Err(too_large(programs.run, needed));
    }
    Ok(())
}

/// The diagnostic of a run that needs so many bytes.
pub(super) fn too_large(run: &Run, needed: u128) -> Diagnostic {
    problem::model_too_large(&run.name, run.span, needed, memory::available().unwrap_or(needed))
}
