//! The numbers the interpreter runs on: f32 with the bits of this module, or f64 to check gradients with.

use super::erf::erf64;
use crate::graph::{Binary, Reduction, Unary};
use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::sums::Reducible;

/// f32 or f64. In f32 every operation has the bits a compiled program gives; f64 takes the standard library's functions,
/// exact to a tolerance.
pub trait Real:
    Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Reducible
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    /// Of an f32.
    fn from_f32(x: f32) -> Self;
    /// Of an f64, rounded.
    fn from_f64(x: f64) -> Self;
    /// Of an i32, rounded to nearest even.
    fn from_i32(x: i32) -> Self;
    /// As f32, rounded.
    fn to_f32(self) -> f32;
    /// As f64.
    fn to_f64(self) -> f64;
    /// As i32: towards zero, saturating, NaN to 0.
    fn to_i32(self) -> i32;
    /// `self · b + c` with one rounding.
    fn fma(self, b: Self, c: Self) -> Self;
    /// The function of a graph node; see [`super::unary`].
    fn unary(self, function: Unary) -> Self;
    /// `self ^ y`.
    fn pow(self, y: Self) -> Self;
    /// The square root.
    fn root(self) -> Self {
        self.unary(Unary::Sqrt)
    }
}

/// The arithmetic operations of two operands.
///
/// # Panics
/// On comparisons and on `And` and `Or`, whose result is no number.
pub fn binary<T: Real>(function: Binary, a: T, b: T) -> T {
    match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.pow(b),
        Binary::Max => T::combine(Reduction::Max, a, b),
        Binary::Min => T::combine(Reduction::Min, a, b),
        Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::And | Binary::Or => {
            panic!("{function:?} gives no number")
        }
    }
}

/// The comparisons, of floats, integers or truth values; all but `Ne` are false with a NaN.
///
/// # Panics
/// On the other operations.
pub fn compare<T: PartialOrd>(function: Binary, a: T, b: T) -> bool {
    match function {
        Binary::Eq => a == b,
        Binary::Ne => a != b,
        Binary::Lt => a < b,
        Binary::Le => a <= b,
        Binary::Gt => a > b,
        Binary::Ge => a >= b,
        Binary::Add
        | Binary::Sub
        | Binary::Mul
        | Binary::Div
        | Binary::Pow
        | Binary::Max
        | Binary::Min
        | Binary::And
        | Binary::Or => panic!("{function:?} is no comparison"),
    }
}

impl Real for f32 {
    fn from_f32(x: f32) -> f32 {
        x
    }
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    fn from_i32(x: i32) -> f32 {
        x as f32
    }
    fn to_f32(self) -> f32 {
        self
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn to_i32(self) -> i32 {
        self as i32
    }
    fn fma(self, b: f32, c: f32) -> f32 {
        self.mul_add(b, c)
    }
    fn unary(self, function: Unary) -> f32 {
        super::unary(function, self)
    }
    fn pow(self, y: f32) -> f32 {
        super::pow(self, y)
    }
}

#[allow(clippy::disallowed_methods, reason = "f64 is for checks by tolerance")]
impl Real for f64 {
    fn from_f32(x: f32) -> f64 {
        f64::from(x)
    }
    fn from_f64(x: f64) -> f64 {
        x
    }
    fn from_i32(x: i32) -> f64 {
        f64::from(x)
    }
    fn to_f32(self) -> f32 {
        self as f32
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn to_i32(self) -> i32 {
        self as i32
    }
    fn fma(self, b: f64, c: f64) -> f64 {
        self.mul_add(b, c)
    }
    fn unary(self, function: Unary) -> f64 {
        match function {
            Unary::Neg => -self,
            Unary::Abs => self.abs(),
            Unary::Sign => {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    self
                }
            }
            Unary::Floor => self.floor(),
            Unary::Ceil => self.ceil(),
            Unary::Round => self.round_ties_even(),
            Unary::Sqrt => self.sqrt(),
            Unary::Exp => self.exp(),
            Unary::Log => self.ln(),
            Unary::Log1p => self.ln_1p(),
            Unary::Sin => self.sin(),
            Unary::Cos => self.cos(),
            Unary::Tanh => self.tanh(),
            Unary::Erf => erf64(self),
            Unary::Sigmoid => {
                let e = (-self.abs()).exp();
                if self < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
            }
            Unary::Softplus => (if self < 0.0 { 0.0 } else { self }) + (-self.abs()).exp().ln_1p(),
            Unary::Not => f64::from(self == 0.0),
        }
    }
    fn pow(self, y: f64) -> f64 {
        self.powf(y)
    }
}
