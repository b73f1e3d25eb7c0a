//! Expressions of fields, run over the rows.

use super::Storage;
use crate::check::hir::Body;
use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Span;

/// The values of an input over all rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Feed<'a> {
    /// Numbers that are bytes.
    Bytes(&'a [u8]),
    /// Numbers.
    F32(&'a [f32]),
    /// Categories, or truth values as 0 and 1.
    I32(&'a [i32]),
}

/// Where random numbers come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random {
    /// The source's seed.
    pub(super) seed: u64,
    /// The first purpose of the field.
    pub(super) purpose: u32,
}

/// The value of the body's one output for every row.
pub(super) fn compute(
    _name: &str,
    _body: &Body,
    _feeds: &[Feed<'_>],
    _rows: usize,
    _random: Random,
    span: Span,
) -> Result<Storage, Diagnostic> {
    Err(report::not_supported_yet(span, "expressions in data fields are"))
}
