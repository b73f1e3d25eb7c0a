//! The order in which sums, products and extrema are formed, as [`Op::Reduce`](crate::graph::Op::Reduce) and
//! [`Op::Contract`](crate::graph::Op::Contract) document it.
//!
//! Which of the orders an operation takes follows from its shapes: [`reduces_interleaved`], [`contracts_interleaved`].

use super::Real;
use super::boxes::Boxes;
use crate::graph::{CONTRACT_BLOCK, PARTIALS, Reduction};

/// What can be reduced: f32, f64, and i32 with wrapping arithmetic.
pub trait Reducible: Copy {
    /// What the reduction of nothing is.
    fn start(kind: Reduction) -> Self;
    /// One step.
    fn combine(kind: Reduction, accumulator: Self, value: Self) -> Self;
}

/// One value after the other.
pub fn fold_sequence<T: Reducible>(kind: Reduction, values: impl IntoIterator<Item = T>) -> T {
    values.into_iter().fold(T::start(kind), |accumulator, value| T::combine(kind, accumulator, value))
}

/// The sum, one value after the other from 0.
pub fn sum_sequence<T: Reducible>(values: impl IntoIterator<Item = T>) -> T {
    fold_sequence(Reduction::Sum, values)
}

/// Sixteen partial results, value i in partial i mod 16; then pairwise.
pub fn fold_interleaved<T: Reducible>(kind: Reduction, values: impl IntoIterator<Item = T>) -> T {
    let mut partials = [T::start(kind); PARTIALS];
    for (i, value) in values.into_iter().enumerate() {
        let partial = &mut partials[i % PARTIALS];
        *partial = T::combine(kind, *partial, value);
    }
    pairwise(kind, partials)
}

/// The sum of sixteen partial sums.
pub fn sum_interleaved<T: Reducible>(values: impl IntoIterator<Item = T>) -> T {
    fold_interleaved(Reduction::Sum, values)
}

/// p\[i\] with p\[i + 8\], then + 4, + 2, + 1.
fn pairwise<T: Reducible>(kind: Reduction, mut partials: [T; PARTIALS]) -> T {
    let mut distance = PARTIALS / 2;
    while distance > 0 {
        for i in 0..distance {
            partials[i] = T::combine(kind, partials[i], partials[i + distance]);
        }
        distance /= 2;
    }
    partials[0]
}

/// The sum of products over axes of these extents, in their blocks: each by `fma` in sequence from 0, the blocks added in sequence.
pub fn contract_blocks<T: Real>(extents: &[usize], pairs: impl IntoIterator<Item = (T, T)>) -> T {
    let zero = T::start(Reduction::Sum);
    let mut pairs = pairs.into_iter();
    let mut block = |length| pairs.by_ref().take(length).fold(zero, |sum, (a, b)| a.fma(b, sum));
    let blocks = Boxes::new(extents, CONTRACT_BLOCK);
    let mut sizes = blocks.sizes();
    let first = sizes.next().map_or(zero, &mut block);
    sizes.fold(first, |sum, length| sum + block(length))
}

/// The sum of products, pair i by `fma` in partial sum i mod 16; then pairwise.
pub fn contract_interleaved<T: Real>(pairs: impl IntoIterator<Item = (T, T)>) -> T {
    let mut partials = [T::start(Reduction::Sum); PARTIALS];
    for (i, (a, b)) in pairs.into_iter().enumerate() {
        let partial = &mut partials[i % PARTIALS];
        *partial = a.fma(b, *partial);
    }
    pairwise(Reduction::Sum, partials)
}

/// Whether a reduction over the axes `axis..axis + count` of an operand of that shape is interleaved.
pub fn reduces_interleaved(shape: &[usize], axis: usize, count: usize) -> bool {
    let run = &shape[axis..axis + count];
    shape[axis + count..].iter().all(|&extent| extent == 1) && run.iter().product::<usize>() >= PARTIALS
}

/// Whether a contraction of operands of these shapes, over these pairs of axes, is interleaved.
pub fn contracts_interleaved(
    left: &[usize],
    right: &[usize],
    batch: &[(usize, usize)],
    contract: &[(usize, usize)],
) -> bool {
    let bound: Vec<(usize, usize)> = batch.iter().chain(contract).copied().collect();
    let vector_left = (0..left.len()).all(|axis| left[axis] <= 1 || bound.iter().any(|pair| pair.0 == axis));
    let vector_right = (0..right.len()).all(|axis| right[axis] <= 1 || bound.iter().any(|pair| pair.1 == axis));
    let axes_left: Vec<usize> = contract.iter().map(|pair| pair.0).collect();
    let axes_right: Vec<usize> = contract.iter().map(|pair| pair.1).collect();
    let length: usize = axes_left.iter().map(|&axis| left[axis]).product();
    (vector_left || vector_right) && length >= PARTIALS && are_last(left, &axes_left) && are_last(right, &axes_right)
}

/// Whether `axes` are the last of the shape in ascending order, axes of extent 1 not counted.
fn are_last(shape: &[usize], axes: &[usize]) -> bool {
    let counted: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] != 1).collect();
    let all: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect();
    all.ends_with(&counted)
}

macro_rules! reducible_float {
    ($float:ident) => {
        impl Reducible for $float {
            fn start(kind: Reduction) -> $float {
                match kind {
                    Reduction::Sum => 0.0,
                    Reduction::Prod => 1.0,
                    Reduction::Max => $float::NEG_INFINITY,
                    Reduction::Min => $float::INFINITY,
                }
            }
            fn combine(kind: Reduction, accumulator: $float, value: $float) -> $float {
                match kind {
                    Reduction::Sum => accumulator + value,
                    Reduction::Prod => accumulator * value,
                    Reduction::Max if accumulator > value => accumulator,
                    Reduction::Min if accumulator < value => accumulator,
                    Reduction::Max | Reduction::Min => value,
                }
            }
        }
    };
}

reducible_float!(f32);
reducible_float!(f64);

impl Reducible for i32 {
    fn start(kind: Reduction) -> i32 {
        match kind {
            Reduction::Sum => 0,
            Reduction::Prod => 1,
            Reduction::Max => i32::MIN,
            Reduction::Min => i32::MAX,
        }
    }
    fn combine(kind: Reduction, accumulator: i32, value: i32) -> i32 {
        match kind {
            Reduction::Sum => accumulator.wrapping_add(value),
            Reduction::Prod => accumulator.wrapping_mul(value),
            Reduction::Max => accumulator.max(value),
            Reduction::Min => accumulator.min(value),
        }
    }
}
