//! The arithmetic every stage agrees on to the bit.
//!
//! In: numbers. Out: numbers whose bits follow from the words of this module alone: the functions of one value
//! ([`unary`], [`pow`]), the order of sums ([`sums`]) and the random numbers ([`philox`]). The reference interpreter
//! calls it; `jit/math.rs` writes the same functions down as instructions.
//!
//! Only operations that IEEE 754 rounds in one way are used: `+ − × ÷`, fused multiply-add, square root, rounding to whole
//! numbers, comparison, and integers. So the bits are the same on every machine; those of a NaN alone are left open (it is
//! a NaN on every machine). An error is stated in ulp, units in the last place of the true result rounded to f32: it is
//! the maximum over all f32, which `benches/ulp.rs` measures. The functions know subnormals, ±0, ±∞ and NaN.

pub mod boxes;
mod erf;
mod exp;
pub(crate) mod lane;
mod log;
pub mod philox;
mod pow;
mod real;
pub mod sums;
mod trig;

pub(crate) use erf::erf as erf_of;
pub(crate) use exp::{exp as exp_of, sigmoid as sigmoid_of, softplus as softplus_of, tanh as tanh_of};
pub(crate) use log::{log as log_of, log1p as log1p_of};
pub(crate) use pow::pow as pow_of;
pub use real::{Real, binary, compare};
pub(crate) use trig::{cos as cos_of, sin as sin_of};

use crate::graph::Unary;

/// e^x, within 0.90 ulp.
pub fn exp(x: f32) -> f32 {
    exp::exp(x)
}

/// The natural logarithm, within 0.94 ulp: −∞ at ±0, NaN below.
pub fn log(x: f32) -> f32 {
    log::log(x)
}

/// log(1 + x), within 1.27 ulp: −∞ at −1, NaN below; −0 at −0.
pub fn log1p(x: f32) -> f32 {
    log::log1p(x)
}

/// The sine, within 1.56 ulp; NaN at ±∞, −0 at −0.
pub fn sin(x: f32) -> f32 {
    trig::sin(x)
}

/// The cosine, within 1.58 ulp; NaN at ±∞.
pub fn cos(x: f32) -> f32 {
    trig::cos(x)
}

/// The hyperbolic tangent, within 1.41 ulp; −0 at −0.
pub fn tanh(x: f32) -> f32 {
    exp::tanh(x)
}

/// The error function, within 1.08 ulp; −0 at −0.
pub fn erf(x: f32) -> f32 {
    erf::erf(x)
}

/// 1 / (1 + e^−x), within 2.41 ulp.
pub fn sigmoid(x: f32) -> f32 {
    exp::sigmoid(x)
}

/// log(1 + e^x), within 1.68 ulp.
pub fn softplus(x: f32) -> f32 {
    exp::softplus(x)
}

/// x^y, within 2 ulp (over a billion random pairs), with IEEE 754's special cases: 1 where x is 1 or y is 0, whatever the other; NaN for a finite
/// negative x with a y that is not whole.
pub fn pow(x: f32, y: f32) -> f32 {
    pow::pow(x, y)
}

/// −1, 0 or 1: the sign; −0 at −0, NaN stays NaN.
pub fn sign(x: f32) -> f32 {
    sign_of(x)
}

/// `if a > b then a else b`: `b` at a tie and where one is NaN.
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `if a < b then a else b`: `b` at a tie and where one is NaN.
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// See [`sign`].
pub(crate) fn sign_of<F: lane::Float>(x: F) -> F {
    use lane::Mask;
    x.above(0.0).select(1.0, x.below(0.0).select(-1.0, x))
}

/// The function of a graph node. [`Unary::Not`] is of truth values: here it is 1 for 0 and else 0.
pub fn unary(function: Unary, x: f32) -> f32 {
    match function {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => sign(x),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => exp(x),
        Unary::Log => log(x),
        Unary::Log1p => log1p(x),
        Unary::Sin => sin(x),
        Unary::Cos => cos(x),
        Unary::Tanh => tanh(x),
        Unary::Erf => erf(x),
        Unary::Sigmoid => sigmoid(x),
        Unary::Softplus => softplus(x),
        Unary::Not => f32::from(x == 0.0),
    }
}

/// The error of `got` in units in the last place of the expected value rounded to f32: infinite where just one of them is
/// a NaN, or a zero has the wrong sign. Where just one is infinite, the distance is taken to the number that would follow the largest.
pub fn ulps(got: f32, expected: f64) -> f64 {
    let rounded = expected as f32;
    if got.is_nan() || rounded.is_nan() {
        return if got.is_nan() && rounded.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == 0.0 && rounded == 0.0 {
        return if got.to_bits() == rounded.to_bits() { 0.0 } else { f64::INFINITY };
    }
    if got == rounded && got.is_infinite() {
        return 0.0;
    }
    let beyond = f64::from(f32::MAX) + f64::from(f32::MAX / 16_777_215.0);
    let [got, expected] = [f64::from(got), expected].map(|x| x.clamp(-beyond, beyond));
    let exponent = (rounded.to_bits() >> 23 & 0xff).clamp(1, 254);
    (got - expected).abs() / (f64::from(f32::from_bits(exponent << 23)) * f64::from(f32::EPSILON))
}
