//! Transforms that learn from the training rows and then apply to all.
//!
//! Sums are taken in f64 in the order of the rows, so that what is learned is the same on every machine.

use super::{Column, Storage};
use crate::check::hir::{Element, Fitted};
use serde_json::{Value, json};

/// What a transform has learned.
#[derive(Clone, PartialEq, Debug)]
pub enum Learned {
    /// Minus the mean, divided by the deviation; an element that never changes has the deviation 1.
    Standardize {
        /// Per element of the value.
        mean: Vec<f32>,
        /// Per element of the value.
        deviation: Vec<f32>,
    },
    /// Minus the least, divided by the span; an element that never changes has the span 1.
    MinMax {
        /// Per element of the value.
        low: Vec<f32>,
        /// Per element of the value.
        span: Vec<f32>,
    },
    /// The share of each category up to the last that occurs. One that is not among the training rows has the share of one row.
    Frequency {
        /// Per category.
        shares: Vec<f32>,
    },
    /// The share of each of the intervals of equal width, from `low` on; those without a training row have the share of one row.
    BinFrequency {
        /// Where the first begins.
        low: f32,
        /// How wide each is.
        width: f32,
        /// Per interval.
        shares: Vec<f32>,
    },
    /// The words of a column of texts by frequency; the first is number 2.
    Vocabulary {
        /// Without padding and unknown, which are 0 and 1.
        words: Vec<String>,
    },
}

/// A transform of a field, the `index`-th of its expression; or of a column, `tokens:NAME`, the `index`-th of that name.
#[derive(Clone, PartialEq, Debug)]
pub struct FittedTransform {
    /// The field or the column.
    pub field: String,
    /// Which of the field's transforms, in the order of its expression.
    pub index: usize,
    /// What it has learned.
    pub learned: Learned,
}

/// Learns from the rows `train`.
pub(super) fn fit(kind: &Fitted, value: &Column, train: &[u32]) -> Learned {
    match (kind, &value.values) {
        (Fitted::Standardize, Storage::F32(values)) => standardize(values, value.row_len, train),
        (Fitted::MinMax, Storage::F32(values)) => minmax(values, value.row_len, train),
        (Fitted::Frequency { bins }, Storage::F32(values)) => {
            let (low, high) = extremes(values, value.row_len, train);
            let (low, high) = (low[0], high[0]);
            let bins = (*bins).max(1);
            let width = (high - low) / bins as f32;
            let places = train.iter().map(|&row| bin(values[row as usize * value.row_len], low, width, bins));
            Learned::BinFrequency { low, width, shares: shares(places, bins, train.len()) }
        }
        (Fitted::Frequency { .. }, Storage::I32(values)) => {
            // As many as occur: a class may have more categories than there is memory.
            let count = values.iter().max().map_or(0, |&class| class.max(0) as usize + 1);
            let places = train.iter().map(|&row| values[row as usize * value.row_len].max(0) as usize);
            Learned::Frequency { shares: shares(places, count, train.len()) }
        }
        (Fitted::Standardize | Fitted::MinMax, Storage::I32(_)) => {
            unreachable!("the checker keeps standardize and minmax to numbers")
        }
    }
}

/// Applies what was learned to every row.
pub(super) fn apply(learned: &Learned, value: &mut Column) {
    match (learned, &mut value.values) {
        (Learned::Standardize { mean, deviation }, Storage::F32(values)) => rescale(values, mean, deviation),
        (Learned::MinMax { low, span }, Storage::F32(values)) => rescale(values, low, span),
        (Learned::BinFrequency { low, width, shares }, Storage::F32(values)) => {
            for value in values {
                *value = shares[bin(*value, *low, *width, shares.len())];
            }
        }
        (Learned::Frequency { shares }, Storage::I32(values)) => {
            let least =
                shares.iter().copied().fold(f32::INFINITY, |least, share| if share < least { share } else { least });
            let share = |&class: &i32| shares.get(class.max(0) as usize).copied().unwrap_or(least);
            value.values = Storage::F32(values.iter().map(share).collect());
            value.ty.element = Element::Number;
        }
        (Learned::Standardize { .. } | Learned::MinMax { .. } | Learned::BinFrequency { .. }, Storage::I32(_))
        | (Learned::Frequency { .. }, Storage::F32(_))
        | (Learned::Vocabulary { .. }, _) => {
            unreachable!("a transform is applied to what it learned from")
        }
    }
}

/// The interval of `count` that a number falls into; beyond the ends it is the first or the last.
pub(super) fn bin(value: f32, low: f32, width: f32, count: usize) -> usize {
    if width > 0.0 { (((value - low) / width).max(0.0) as usize).min(count - 1) } else { 0 }
}

fn rescale(values: &mut [f32], offset: &[f32], scale: &[f32]) {
    for row in values.chunks_exact_mut(offset.len().max(1)) {
        for ((value, offset), scale) in row.iter_mut().zip(offset).zip(scale) {
            *value = (*value - offset) / scale;
        }
    }
}

/// The shares of `count` places; of a place without a row, that of one row.
fn shares(places: impl Iterator<Item = usize>, count: usize, rows: usize) -> Vec<f32> {
    let mut counts = vec![0u32; count];
    for place in places {
        if let Some(slot) = counts.get_mut(place) {
            *slot += 1;
        }
    }
    counts.into_iter().map(|count| (f64::from(count.max(1)) / rows.max(1) as f64) as f32).collect()
}

/// The least and the greatest of each element over the training rows.
fn extremes(values: &[f32], row_len: usize, train: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let (mut low, mut high) = (vec![f32::INFINITY; row_len], vec![f32::NEG_INFINITY; row_len]);
    for &row in train {
        let row = &values[row as usize * row_len..][..row_len];
        for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(row) {
            *low = if value < *low { value } else { *low };
            *high = if value > *high { value } else { *high };
        }
    }
    (low, high)
}

fn standardize(values: &[f32], row_len: usize, train: &[u32]) -> Learned {
    let (low, high) = extremes(values, row_len, train);
    let count = train.len() as f64;
    let rows = || train.iter().map(|&row| &values[row as usize * row_len..][..row_len]);
    let mut mean = vec![0.0f64; row_len];
    for row in rows() {
        for (mean, &value) in mean.iter_mut().zip(row) {
            *mean += f64::from(value);
        }
    }
    for mean in &mut mean {
        *mean /= count;
    }
    let mut variance = vec![0.0f64; row_len];
    for row in rows() {
        for ((variance, mean), &value) in variance.iter_mut().zip(&mean).zip(row) {
            *variance += (f64::from(value) - mean) * (f64::from(value) - mean);
        }
    }
    let constant = |element: usize| low[element] >= high[element];
    let deviation = |element: usize| {
        let deviation = (variance[element] / count).sqrt() as f32;
        if constant(element) || deviation == 0.0 { 1.0 } else { deviation }
    };
    let mean = |element: usize| if constant(element) { low[element] } else { mean[element] as f32 };
    Learned::Standardize { mean: (0..row_len).map(mean).collect(), deviation: (0..row_len).map(deviation).collect() }
}

fn minmax(values: &[f32], row_len: usize, train: &[u32]) -> Learned {
    let (low, high) = extremes(values, row_len, train);
    let span = low.iter().zip(&high).map(|(low, high)| if high > low { high - low } else { 1.0 }).collect();
    Learned::MinMax { low, span }
}

impl Learned {
    /// As JSON, for the metadata of the weights; every f32 is kept to the bit.
    pub fn to_json(&self) -> Value {
        match self {
            Learned::Standardize { mean, deviation } => {
                json!({"kind": "standardize", "mean": mean, "deviation": deviation})
            }
            Learned::MinMax { low, span } => json!({"kind": "minmax", "low": low, "span": span}),
            Learned::Frequency { shares } => json!({"kind": "frequency", "shares": shares}),
            Learned::BinFrequency { low, width, shares } => {
                json!({"kind": "bin_frequency", "low": low, "width": width, "shares": shares})
            }
            Learned::Vocabulary { words } => json!({"kind": "vocabulary", "words": words}),
        }
    }

    /// Back from JSON; `None` of anything else.
    pub fn from_json(value: &Value) -> Option<Learned> {
        let list = |key: &str| -> Option<Vec<f32>> {
            value.get(key)?.as_array()?.iter().map(|number| Some(number.as_f64()? as f32)).collect()
        };
        let number = |key: &str| Some(value.get(key)?.as_f64()? as f32);
        Some(match value.get("kind")?.as_str()? {
            "standardize" => Learned::Standardize { mean: list("mean")?, deviation: list("deviation")? },
            "minmax" => Learned::MinMax { low: list("low")?, span: list("span")? },
            "frequency" => Learned::Frequency { shares: list("shares")? },
            "bin_frequency" => {
                Learned::BinFrequency { low: number("low")?, width: number("width")?, shares: list("shares")? }
            }
            "vocabulary" => {
                let words = value.get("words")?.as_array()?.iter();
                Learned::Vocabulary { words: words.map(|word| Some(word.as_str()?.to_owned())).collect::<Option<_>>()? }
            }
            _ => return None,
        })
    }
}
