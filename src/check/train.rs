//! `train` declarations and the models they train, with numbers.

use super::hir::Hir;
use super::infer::Walker;

/// Every model with the defaults where these exist, and every run.
pub(super) fn models_and_runs(walker: &mut Walker<'_>, hir: &mut Hir) {
    let _ = (walker, hir);
}
