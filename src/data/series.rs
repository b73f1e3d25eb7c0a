//! Windows over a series: each sample stands at one row of its source and sees rows before and ahead of it.
//!
//! In: the rows of the sources and the windows that columns ask for. Out: the samples, each with the row that is its present,
//! and the columns spread out over them. A window does not reach over the end of a source into the next.

use super::Storage;
use super::columns::{RawColumn, Values};
use super::memory;
use crate::check::hir::{ColumnForm, ColumnUse, Data};
use crate::diagnostics::{Diagnostic, data as report};
use std::ops::Range;

/// Rows with the part of the split that each source gives.
pub(super) type Parts = Vec<(Option<String>, Range<u32>)>;

/// The samples of a data set.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    /// How many.
    pub(super) count: usize,
    /// Those of each source.
    pub(super) parts: Parts,
    /// The row of each; `None` where every row is a sample.
    present: Option<Vec<u32>>,
}

/// How far a column's steps go: the first and the last, from the present.
fn reach(column: &ColumnUse) -> (i64, i64) {
    match column.form {
        ColumnForm::Window { length, horizon } => {
            let (length, horizon) = (length.unwrap_or(1) as i64, horizon as i64);
            (horizon - length + 1, horizon)
        }
        ColumnForm::Value | ColumnForm::Tokens { .. } => (0, 0),
    }
}

/// How many samples lie between two parts so that the steps ahead of one, which are what is to be foretold, are none of the other's.
pub(super) fn gap(data: &Data) -> usize {
    let ahead = data.columns.iter().filter_map(|column| match column.form {
        ColumnForm::Window { length, horizon } if horizon > 0 => Some(length.unwrap_or(1).min(horizon) - 1),
        ColumnForm::Value | ColumnForm::Window { .. } | ColumnForm::Tokens { .. } => None,
    });
    ahead.max().unwrap_or(0)
}

/// The samples that the rows give.
pub(super) fn samples(data: &Data, rows: usize, parts: Parts) -> Result<Samples, Diagnostic> {
    if !data.is_series() {
        return Ok(Samples { count: rows, parts, present: None });
    }
    let back = data.columns.iter().map(|column| -reach(column).0).max().unwrap_or(0).max(0);
    let ahead = data.columns.iter().map(|column| reach(column).1).max().unwrap_or(0).max(0);
    let mut present = Vec::new();
    let mut of_parts = Parts::new();
    for (number, (part, rows)) in parts.into_iter().enumerate() {
        let (first, end) = (i64::from(rows.start) + back, i64::from(rows.end) - ahead);
        if first >= end {
            let widest = data.columns.iter().max_by_key(|column| reach(column).1 - reach(column).0);
            let span = widest.map_or(data.span, |column| column.span);
            let source = &data.sources[number].1;
            let wanted = (back + ahead + 1) as usize;
            return Err(report::series_too_short(source.span, &source.value.title(), rows.len(), wanted, span));
        }
        let start = present.len() as u32;
        present.extend(first as u32..end as u32);
        of_parts.push((part, start..present.len() as u32));
    }
    Ok(Samples { count: present.len(), parts: of_parts, present: Some(present) })
}

impl Samples {
    /// The rows that samples stand at.
    pub(super) fn rows(&self, samples: &[u32]) -> Vec<u32> {
        match &self.present {
            Some(present) => samples.iter().map(|&sample| present[sample as usize]).collect(),
            None => samples.to_vec(),
        }
    }

    /// A column of rows as one of samples.
    pub(super) fn spread(&self, column: RawColumn, spec: &ColumnUse) -> Result<RawColumn, Diagnostic> {
        let Some(present) = &self.present else { return Ok(column) };
        let (first, last) = reach(spec);
        let row_len: usize = spec.row_shape().iter().product();
        let len = (last - first + 1) as usize * row_len;
        memory::require(spec.span, (present.len() as u128).saturating_mul(4 * len as u128))?;
        let starts = || present.iter().map(|&row| (i64::from(row) + first) as usize * row_len);
        let values = match column.values {
            Values::Bytes(bytes) => Values::Bytes(windows(&bytes, starts(), len)),
            Values::Numbers(numbers) => Values::Numbers(windows(&numbers, starts(), len)),
            Values::Classes(classes) => Values::Classes(windows(&classes, starts(), len)),
        };
        Ok(RawColumn { values, ..column })
    }
}

fn windows<T: Copy>(values: &[T], starts: impl ExactSizeIterator<Item = usize>, len: usize) -> Vec<T> {
    let mut spread = Vec::with_capacity(starts.len() * len);
    starts.for_each(|start| spread.extend_from_slice(&values[start..start + len]));
    spread
}

/// The last of `steps` steps of every window: what a transform of a window learns from, so that it is the same for all steps.
pub(super) fn last_steps(values: &Storage, row_len: usize, steps: usize) -> Storage {
    let len = row_len / steps.max(1);
    match values {
        Storage::F32(values) => {
            Storage::F32(values.chunks_exact(row_len.max(1)).flat_map(|row| &row[row_len - len..]).copied().collect())
        }
        Storage::I32(values) => {
            Storage::I32(values.chunks_exact(row_len.max(1)).flat_map(|row| &row[row_len - len..]).copied().collect())
        }
    }
}
