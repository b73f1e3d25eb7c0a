//! What the functions of `numerics` are made of: the operations every machine has and rounds alike.
//!
//! A function is written once, over a [`Float`]. With `f32` for it the function computes; with the value type of
//! `jit/math.rs` the same text writes down the same instructions in the same order, so the two cannot come apart.
//! There is no branch on a value: a special case is computed along and chosen by [`Mask::select`].

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// A binary32, or the register that holds one per lane.
pub(crate) trait Float:
    Copy
    + From<f32>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f32, Output = Self>
    + Sub<f32, Output = Self>
    + Mul<f32, Output = Self>
{
    /// The integers that go with it.
    type Int: Int<Float = Self>;
    /// The truth values that go with it.
    type Mask: Mask<Float = Self, Int = Self::Int>;

    /// `self * b + c` with one rounding.
    fn fma(self, b: impl Into<Self>, c: impl Into<Self>) -> Self;
    /// The absolute value.
    fn magnitude(self) -> Self;
    /// The largest whole number not above.
    fn whole_below(self) -> Self;
    /// The nearest whole number, ties to even.
    fn nearest_whole(self) -> Self;
    /// `if self > other then self else other`.
    fn larger(self, other: impl Into<Self>) -> Self;
    /// `if self < other then self else other`.
    fn smaller(self, other: impl Into<Self>) -> Self;
    /// The bits as an integer.
    fn bits(self) -> Self::Int;
    /// `self < other`.
    fn below(self, other: impl Into<Self>) -> Self::Mask;
    /// `self > other`.
    fn above(self, other: impl Into<Self>) -> Self::Mask;
    /// `self == other`.
    fn equals(self, other: impl Into<Self>) -> Self::Mask;
    /// `self != other`.
    fn differs(self, other: impl Into<Self>) -> Self::Mask;

    /// The value, but not below `low`; NaN stays NaN.
    fn at_least(self, low: f32) -> Self {
        Self::from(low).larger(self)
    }

    /// The value, but not above `high`; NaN stays NaN.
    fn at_most(self, high: f32) -> Self {
        Self::from(high).smaller(self)
    }

    /// The magnitude of a value that is not negative, with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self {
        (self.bits() | (sign.bits() & SIGN.into())).float()
    }
}

/// A 32-bit integer, or the register that holds one per lane. Arithmetic wraps.
pub(crate) trait Int:
    Copy + From<i32> + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self>
{
    /// The floats that go with it.
    type Float;
    /// The sum.
    fn plus(self, other: impl Into<Self>) -> Self;
    /// The difference.
    fn minus(self, other: impl Into<Self>) -> Self;
    /// Shifted to the left.
    fn shl(self, by: u32) -> Self;
    /// Shifted to the right; the sign comes in.
    fn shr(self, by: u32) -> Self;
    /// The number as a float, to nearest even.
    fn to_float(self) -> Self::Float;
    /// The float of these bits.
    fn float(self) -> Self::Float;
}

/// A truth value, or the register that holds one per lane.
pub(crate) trait Mask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {
    /// The floats it chooses between.
    type Float;
    /// The integers that go with it.
    type Int;
    /// `if self then a else b`.
    fn select(self, a: impl Into<Self::Float>, b: impl Into<Self::Float>) -> Self::Float;
    /// Whether both hold or neither.
    fn same(self, other: Self) -> Self;
    /// Whether an integer is not 0.
    fn not_zero(x: Self::Int) -> Self;
}

/// The sign bit.
pub(crate) const SIGN: i32 = i32::MIN;
/// The bits of 1.0; the exponent's bias in its place.
pub(crate) const ONE_BITS: i32 = 0x3f80_0000;
/// Sign and exponent.
pub(crate) const EXPONENT: i32 = 0xff80_0000_u32 as i32;
/// 1.5 · 2^23: added to a number below 2^22 in magnitude, it rounds it to a whole number, which the low bits then hold.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// The polynomial of `coefficients`, the constant first, by Horner's rule.
pub(crate) fn polynomial<F: Float>(x: F, coefficients: &[f32]) -> F {
    let mut rest = coefficients.iter().rev();
    let first = rest.next().copied().unwrap_or(0.0);
    rest.fold(F::from(first), |sum, &c| sum.fma(x, c))
}

/// `p · 2^n` with one rounding, where `n` (in the low nine bits of `whole`) lies in −253..=254.
pub(crate) fn scale<F: Float>(p: F, whole: F::Int) -> F {
    let half = whole.shr(1);
    let rest = whole.minus(half);
    p * power_of_two::<F>(half) * power_of_two::<F>(rest)
}

/// 2^n, where `n` (in the low nine bits of `whole`) lies in −126..=127.
pub(crate) fn power_of_two<F: Float>(whole: F::Int) -> F {
    whole.shl(23).plus(ONE_BITS).float()
}

impl Float for f32 {
    type Int = i32;
    type Mask = bool;

    fn fma(self, b: impl Into<f32>, c: impl Into<f32>) -> f32 {
        // In hardware or in software: the rounding, and so the bits, are the same.
        self.mul_add(b.into(), c.into())
    }
    fn magnitude(self) -> f32 {
        self.abs()
    }
    fn whole_below(self) -> f32 {
        self.floor()
    }
    fn nearest_whole(self) -> f32 {
        self.round_ties_even()
    }
    fn larger(self, other: impl Into<f32>) -> f32 {
        let other = other.into();
        if self > other { self } else { other }
    }
    fn smaller(self, other: impl Into<f32>) -> f32 {
        let other = other.into();
        if self < other { self } else { other }
    }
    fn bits(self) -> i32 {
        self.to_bits() as i32
    }
    fn below(self, other: impl Into<f32>) -> bool {
        self < other.into()
    }
    fn above(self, other: impl Into<f32>) -> bool {
        self > other.into()
    }
    fn equals(self, other: impl Into<f32>) -> bool {
        self == other.into()
    }
    fn differs(self, other: impl Into<f32>) -> bool {
        self != other.into()
    }
}

impl Int for i32 {
    type Float = f32;

    fn plus(self, other: impl Into<i32>) -> i32 {
        self.wrapping_add(other.into())
    }
    fn minus(self, other: impl Into<i32>) -> i32 {
        self.wrapping_sub(other.into())
    }
    fn shl(self, by: u32) -> i32 {
        self << by
    }
    fn shr(self, by: u32) -> i32 {
        self >> by
    }
    fn to_float(self) -> f32 {
        self as f32
    }
    fn float(self) -> f32 {
        f32::from_bits(self as u32)
    }
}

impl Mask for bool {
    type Float = f32;
    type Int = i32;

    fn select(self, a: impl Into<f32>, b: impl Into<f32>) -> f32 {
        if self { a.into() } else { b.into() }
    }
    fn same(self, other: bool) -> bool {
        self == other
    }
    fn not_zero(x: i32) -> bool {
        x != 0
    }
}
