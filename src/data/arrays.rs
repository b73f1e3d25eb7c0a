//! Sources that come as whole arrays: each column one array with the rows along its first axis.
//!
//! In: the arrays of a source. Out: their rows in the [`ColumnBuilder`]s.

use super::columns::{ColumnBuilder, Place, check_shape, select};
use crate::check::hir::{Fill, Schema};
use crate::diagnostics::Diagnostic;

/// A column of a source, whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Array {
    /// Elements of a row.
    pub(super) row_len: usize,
    /// The elements, row after row.
    pub(super) elements: Elements,
}

/// The elements of an [`Array`].
#[derive(Clone, Debug)]
pub(super) enum Elements {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Numbers. One that is none is a gap.
    Numbers(Vec<f32>),
    /// Texts. An empty one is a gap.
    Texts(Vec<String>),
}

impl Default for Elements {
    fn default() -> Elements {
        Elements::Bytes(Vec::new())
    }
}

/// The numbers of the columns that each use takes, by the schema of the source; their shapes are as the program has them.
pub(super) fn uses(
    builders: &[ColumnBuilder<'_>],
    schema: &Schema,
    source: &str,
) -> Result<Vec<Vec<usize>>, Vec<Diagnostic>> {
    let shape = |at: usize| schema.columns[at].ty.as_ref().map_or([].as_slice(), |ty| ty.shape.as_slice());
    let (mut uses, mut problems) = (Vec::new(), Vec::new());
    for builder in builders {
        let chosen = select(builder.spec, schema, source).and_then(|columns| {
            let shapes: Vec<&[usize]> = columns.iter().map(|&at| shape(at)).collect();
            check_shape(builder.spec, &shapes)?;
            Ok(columns)
        });
        match chosen {
            Ok(columns) => uses.push(columns),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(uses) } else { Err(problems) }
}

/// Puts the rows of the arrays into the builders, those with a gap in a column that drops them left out; gives their number.
pub(super) fn hand_out(
    mut arrays: Vec<Array>,
    uses: &[Vec<usize>],
    rows: usize,
    number: usize,
    builders: &mut [ColumnBuilder<'_>],
) -> usize {
    let mut kept = vec![true; rows];
    for (builder, columns) in builders.iter().zip(uses).filter(|(builder, _)| builder.spec.fill == Some(Fill::Drop)) {
        for &column in columns {
            arrays[column].mark_gaps(builder, &mut kept);
        }
    }
    let count = kept.iter().filter(|kept| **kept).count();
    if count < rows {
        arrays.iter_mut().for_each(|array| array.keep(&kept));
    }
    let mut left = vec![0usize; arrays.len()];
    uses.iter().flatten().for_each(|&column| left[column] += 1);
    for (builder, columns) in builders.iter_mut().zip(uses) {
        if let [column] = columns[..] {
            left[column] -= 1;
            let array = if left[column] == 0 { std::mem::take(&mut arrays[column]) } else { arrays[column].clone() };
            array.push_all(builder, number);
            continue;
        }
        for row in 0..count {
            columns.iter().for_each(|&column| arrays[column].push_row(row, builder, number));
        }
    }
    count
}

impl Array {
    fn mark_gaps(&self, builder: &ColumnBuilder<'_>, kept: &mut [bool]) {
        let len = self.row_len.max(1);
        match &self.elements {
            Elements::Bytes(_) => {}
            Elements::Numbers(numbers) => {
                for (kept, row) in kept.iter_mut().zip(numbers.chunks(len)) {
                    *kept &= !row.iter().any(|number| number.is_nan());
                }
            }
            Elements::Texts(texts) => {
                for (kept, row) in kept.iter_mut().zip(texts.chunks(len)) {
                    *kept &= !row.iter().any(|text| builder.trimmed(text.as_bytes()).is_empty());
                }
            }
        }
    }

    fn keep(&mut self, kept: &[bool]) {
        fn filter<T: Clone>(elements: &mut Vec<T>, len: usize, kept: &[bool]) {
            let rows = elements.chunks(len).zip(kept).filter(|(_, kept)| **kept);
            *elements = rows.flat_map(|(row, _)| row.iter().cloned()).collect();
        }
        let len = self.row_len.max(1);
        match &mut self.elements {
            Elements::Bytes(bytes) => filter(bytes, len, kept),
            Elements::Numbers(numbers) => filter(numbers, len, kept),
            Elements::Texts(texts) => filter(texts, len, kept),
        }
    }

    fn push_all(self, builder: &mut ColumnBuilder<'_>, number: usize) {
        match self.elements {
            Elements::Bytes(bytes) => builder.push_bytes(bytes, number),
            Elements::Numbers(numbers) if !numbers.iter().any(|number| number.is_nan()) => {
                builder.push_numbers(&numbers, number);
            }
            Elements::Numbers(_) | Elements::Texts(_) => {
                let rows = self.len() / self.row_len.max(1);
                (0..rows).for_each(|row| self.push_row(row, builder, number));
            }
        }
    }

    fn push_row(&self, row: usize, builder: &mut ColumnBuilder<'_>, number: usize) {
        let range = row * self.row_len..(row + 1) * self.row_len;
        let place = Place::Row { source: number, row };
        match &self.elements {
            Elements::Bytes(bytes) => {
                let numbers: Vec<f32> = bytes[range].iter().map(|&byte| f32::from(byte)).collect();
                builder.push_numbers(&numbers, number);
            }
            Elements::Numbers(numbers) => {
                for value in &numbers[range] {
                    match value.is_nan() {
                        true => builder.push_text(b"", true, place),
                        false => builder.push_numbers(&[*value], number),
                    }
                }
            }
            Elements::Texts(texts) => {
                for text in &texts[range] {
                    let text = builder.trimmed(text.as_bytes());
                    builder.push_text(text, text.is_empty(), place);
                }
            }
        }
    }

    fn len(&self) -> usize {
        match &self.elements {
            Elements::Bytes(bytes) => bytes.len(),
            Elements::Numbers(numbers) => numbers.len(),
            Elements::Texts(texts) => texts.len(),
        }
    }
}
