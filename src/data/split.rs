//! Which rows are for training, which for validation, which for the test.
//!
//! Rows are shuffled by the data's own seed, cut at the shares and put back into order within each part, so that neither
//! the run's seed nor another share of a later part moves a row of an earlier one. The windows of a series stay in order, and those
//! between two parts that would share a step to foretell are in none.

use super::random::{Purpose, Stream};
use super::series;
use crate::check::hir::{self, Data};
use crate::diagnostics::{Diagnostic, data as report};
use std::ops::Range;

/// Rows by part, ascending; a row may be in none.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Split {
    /// Rows to train on. Balancing may repeat them or leave some out.
    pub train: Vec<u32>,
    /// Rows that training is judged by.
    pub val: Vec<u32>,
    /// Rows kept for the end.
    pub test: Vec<u32>,
}

impl Split {
    /// The rows of a part; none of a name that is no part.
    pub fn rows(&self, name: &str) -> &[u32] {
        match name {
            "train" => &self.train,
            "val" => &self.val,
            "test" => &self.test,
            _ => &[],
        }
    }

    fn part(&mut self, name: &str) -> Option<&mut Vec<u32>> {
        match name {
            "train" => Some(&mut self.train),
            "val" => Some(&mut self.val),
            "test" => Some(&mut self.test),
            _ => None,
        }
    }
}

/// Divides the rows; `parts` are those of each source, named or not.
pub(super) fn split(data: &Data, parts: &[(Option<String>, Range<u32>)]) -> Result<Split, Diagnostic> {
    let sum: f64 = data.split.iter().map(|(_, share)| share).sum();
    if sum > hir::WHOLE {
        let span = data.split.iter().fold(data.split[0].0.span, |span, (name, _)| span.to(name.span));
        return Err(report::split_sum(span, sum));
    }
    let mut split = Split::default();
    for (name, rows) in parts {
        match name.as_deref() {
            None | Some("train") => divide(data, rows.clone(), &mut split),
            Some(name) => {
                if let Some(part) = split.part(name) {
                    part.extend(rows.clone());
                }
            }
        }
    }
    if split.train.is_empty() {
        let rows = parts.iter().map(|(_, rows)| rows.len()).sum();
        let span = data.split.iter().map(|(name, _)| name.span).reduce(|all, span| all.to(span));
        return Err(report::no_training_rows(span.unwrap_or(data.name.span), rows));
    }
    Ok(split)
}

fn divide(data: &Data, rows: Range<u32>, split: &mut Split) {
    if data.split.is_empty() {
        split.train.extend(rows);
        return;
    }
    let mut order: Vec<u32> = rows.collect();
    if !data.ordered {
        Stream::new(data.seed, Purpose::Split, 0).shuffle(&mut order);
    }
    let gap = series::gap(data);
    let mut share_before = 0.0;
    let mut start = 0;
    for (name, share) in &data.split {
        share_before += share;
        let end = ((share_before * order.len() as f64).round() as usize).clamp(start, order.len());
        let mut part = order[start..end].to_vec();
        part.sort_unstable();
        if let Some(rows) = split.part(&name.value) {
            rows.extend(part);
        }
        start = if end > 0 { (end + gap).min(order.len()) } else { end };
    }
}
