//! The natural logarithms of x and of 1 + x.
//!
//! x = 2^e · (1 + f) with 1 + f from 2/3 to 4/3; log(1 + f) = f − f²/2 + f³ P(f) (minimax in the relative error,
//! 2^−27.7), and e · ln 2 is added with the last rounding. For log(1 + x) the range is 3/4 to 3/2, where f is exact.

use super::lane::{EXPONENT, Float, Int, Mask, ONE_BITS, polynomial};
use std::f32::consts::LN_2;

/// (log(1 + f) − f) / f² on |f| ≤ 1/3.
const LOG: [f32; 9] =
    [-0.5, 0.33333215, -0.24999805, 0.20010433, -0.16680251, 0.14005585, -0.121868074, 0.13985492, -0.12882735];

/// The same on −1/4 ≤ f ≤ 1/2.
const LOG_1P: [f32; 9] =
    [-0.5, 0.3333345, -0.2500011, 0.19990848, -0.16646878, 0.14477633, -0.13163947, 0.10472551, -0.045152087];

/// The bits of 2/3.
const TWO_THIRDS_BITS: i32 = 0x3f2a_aaab;

/// The bits of 3/4.
const THREE_QUARTERS_BITS: i32 = 0x3f40_0000;

/// 2^23: an exponent still in its place, read as an integer, is this many times too large.
const PLACE: f32 = 8_388_608.0;

/// log(1 + f).
fn series<F: Float>(f: F, coefficients: &[f32]) -> F {
    polynomial(f, coefficients).fma(f * f, f)
}

/// See [`super::log`].
pub(crate) fn log<F: Float>(x: F) -> F {
    let small = x.below(f32::MIN_POSITIVE);
    let bits = small.select(x * PLACE, x).bits();
    let exponent = bits.minus(TWO_THIRDS_BITS) & EXPONENT.into();
    let e = exponent.to_float() + small.select(-23.0 * PLACE, 0.0);
    let f = bits.minus(exponent).float() - 1.0;
    let y = e.fma(LN_2 / PLACE, series(f, &LOG));
    let y = x.below(f32::INFINITY).select(y, x);
    x.above(0.0).select(y, x.equals(0.0).select(f32::NEG_INFINITY, f32::NAN))
}

/// See [`super::log1p`].
pub(crate) fn log1p<F: Float>(x: F) -> F {
    let y = log1p_finite(x);
    let y = x.below(f32::INFINITY).select(y, x);
    x.above(-1.0).select(y, x.equals(-1.0).select(f32::NEG_INFINITY, f32::NAN))
}

/// log(1 + x) for finite x above −1.
pub(crate) fn log1p_finite<F: Float>(x: F) -> F {
    let exponent = (x + 1.0).bits().minus(THREE_QUARTERS_BITS) & EXPONENT.into();
    let exponent = F::Int::from(0).minus(exponent);
    // 1 + f = 2^−e x + 2^−e. That power may be too small for its place: it is computed four times as large.
    let power = exponent.plus(ONE_BITS + (2 << 23)).float();
    let f = x.bits().plus(exponent).float() - power.fma(-0.25, 1.0);
    // Two differences, here and above, for the sake of −0.
    exponent.to_float().fma(-LN_2 / PLACE, series(f, &LOG_1P))
}
