//! Batches: the order of an epoch and the rows of a batch side by side.

use super::random::{Purpose, Stream};
use super::{Column, Storage};

/// The rows of a split in the order of an epoch: a permutation that seed and epoch give.
pub fn shuffle(rows: &mut [u32], seed: u64, epoch: u32) {
    Stream::new(seed, Purpose::Shuffle, epoch).shuffle(rows);
}

/// Copies rows of a column of numbers one behind the other. `out` has `rows.len() * column.row_len` places; a column of
/// categories is left to [`gather_i32`], and nothing is written.
pub fn gather_f32(column: &Column, rows: &[u32], out: &mut [f32]) {
    if let Storage::F32(values) = &column.values {
        gather(values, column.row_len, rows, out);
    }
}

/// Copies rows of a column of categories one behind the other; as [`gather_f32`].
pub fn gather_i32(column: &Column, rows: &[u32], out: &mut [i32]) {
    if let Storage::I32(values) = &column.values {
        gather(values, column.row_len, rows, out);
    }
}

fn gather<T: Copy>(values: &[T], row_len: usize, rows: &[u32], out: &mut [T]) {
    if row_len == 1 {
        for (place, &row) in out.iter_mut().zip(rows) {
            *place = values[row as usize];
        }
        return;
    }
    for (place, &row) in out.chunks_exact_mut(row_len.max(1)).zip(rows) {
        let start = row as usize * row_len;
        place.copy_from_slice(&values[start..start + row_len]);
    }
}
