//! Training that hears every class equally: weights for the rows, or rows repeated or left out.

use super::random::{Purpose, Stream};
use super::split::Split;
use super::transforms::bin;
use super::{Column, Storage};
use crate::check::hir::{Balance, BalanceKind};
use std::collections::BTreeMap;

/// Balances the training rows of `split` by a field; gives a weight for each of all `rows` where that is the way.
///
/// Weights are 1 on the average over the training rows, and 1 for every other row.
pub(super) fn balance(
    balance: &Balance,
    field: &Column,
    rows: usize,
    seed: u64,
    split: &mut Split,
) -> Option<Vec<f32>> {
    let classes = classes(balance, field, &split.train);
    let mut by_class: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for (&row, &class) in split.train.iter().zip(&classes) {
        by_class.entry(class).or_default().push(row);
    }
    let mut members: Vec<Vec<u32>> = by_class.into_values().collect();
    match balance.kind {
        BalanceKind::Weights => {
            let mut weights = vec![1.0; rows];
            for class in &members {
                let weight = split.train.len() as f64 / (members.len() as f64 * class.len() as f64);
                for &row in class {
                    weights[row as usize] = weight as f32;
                }
            }
            return Some(weights);
        }
        BalanceKind::Oversample => {
            let wanted = members.iter().map(Vec::len).max().unwrap_or(0);
            resize(&mut members, wanted, seed);
        }
        BalanceKind::Undersample => {
            let wanted = members.iter().map(Vec::len).min().unwrap_or(0);
            resize(&mut members, wanted, seed);
        }
    }
    split.train = members.concat();
    split.train.sort_unstable();
    None
}

/// Brings every class to that number of rows: all of them as often as they fit, then some at random.
fn resize(members: &mut [Vec<u32>], wanted: usize, seed: u64) {
    for (class, rows) in members.iter_mut().enumerate() {
        let mut some = rows.clone();
        Stream::new(seed, Purpose::Balance, class as u32).shuffle(&mut some);
        some.truncate(wanted % rows.len());
        let mut resized = rows.repeat(wanted / rows.len());
        resized.extend(some);
        *rows = resized;
    }
}

/// The class of each training row: its category, or the interval its number falls into.
fn classes(balance: &Balance, field: &Column, train: &[u32]) -> Vec<usize> {
    match &field.values {
        Storage::I32(values) => train.iter().map(|&row| values[row as usize * field.row_len].max(0) as usize).collect(),
        Storage::F32(values) => {
            let values: Vec<f32> = train.iter().map(|&row| values[row as usize * field.row_len]).collect();
            let low = values.iter().copied().fold(f32::INFINITY, f32::min);
            let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let width = (high - low) / balance.bins.max(1) as f32;
            values.iter().map(|&value| bin(value, low, width, balance.bins.max(1))).collect()
        }
    }
}
