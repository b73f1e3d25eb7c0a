//! The power x^y = 2^(y log₂ x), the logarithm and the product carried in two floats each.
//!
//! |x| = 2^e · m with m from √½ to √2; with q = (m − 1) / (m + 1), log₂ m = 2/ln 2 · (q + q³/3 + …), where all but the
//! last term is kept to about 2^−31.

use super::lane::{EXPONENT, Float, Int, Mask, ROUNDER, SIGN, polynomial, scale};

/// 2 / ln 2 in two parts.
const SLOPE: [f32; 2] = [2.885_39, 3.851_926e-8];

/// (atanh(q) / q − 1) / q² · 2/ln 2 in q² on |q| ≤ 0.1717.
const ATANH: [f32; 4] = [0.9617967, 0.5770789, 0.41192147, 0.33662468];

/// (2^r − 1) / r on |r| ≤ 0.5, relative error 2^−28.3.
const EXP2: [f32; 6] = [std::f32::consts::LN_2, 0.24022648, 0.055503592, 0.009618506, 0.0013391242, 0.0001532711];

/// The bits of √½.
const ROOT_HALF_BITS: i32 = 0x3f35_04f3;

/// log₂ of a positive finite number as a sum of two.
fn log2<F: Float>(x: F) -> (F, F) {
    let small = x.below(f32::MIN_POSITIVE);
    let bits = small.select(x * 8_388_608.0, x).bits();
    let exponent = bits.minus(ROOT_HALF_BITS) & EXPONENT.into();
    let e = exponent.to_float().fma(1.0 / 8_388_608.0, small.select(-23.0, 0.0));
    let f = bits.minus(exponent).float() - 1.0;
    // q = f / (2 + f) and what rounding left of it.
    let d = f + 2.0;
    let d_rest = f - (d - 2.0);
    let inverse = F::from(1.0) / d;
    let q = f * inverse;
    let q_rest = (-q).fma(d_rest, (-q).fma(d, f)) * inverse;
    let high = q * SLOPE[0];
    let low = q_rest.fma(SLOPE[0], q.fma(SLOPE[1], q.fma(SLOPE[0], -high)));
    // The cube with its rounding errors: it comes to a hundredth of the sum.
    let s = q * q;
    let s_rest = (q + q).fma(q_rest, q.fma(q, -s));
    let cube = q * s;
    let cube_rest = q.fma(s_rest, q_rest.fma(s, q.fma(s, -cube)));
    let slope = polynomial(s, &ATANH);
    let low = cube.fma(slope, cube_rest.fma(slope, low));
    let sum = e + high;
    let rest = (high - (sum - e)) + low;
    let log = sum + rest;
    (log, rest - (log - sum))
}

/// 2^(high + low); beyond ±160 the result is 0 or +∞ all the same.
fn exp2<F: Float>(high: F, low: F) -> F {
    let low = high.magnitude().below(160.0).select(low, 0.0);
    let high = high.at_most(160.0).at_least(-160.0);
    let whole = high + ROUNDER;
    let r = (high - (whole - ROUNDER)) + low;
    scale(polynomial(r, &EXP2).fma(r, 1.0), whole.bits())
}

/// See [`super::pow`].
pub(crate) fn pow<F: Float>(x: F, y: F) -> F {
    let a = x.magnitude();
    let (log, log_rest) = log2(a);
    // No base but 1 is so near 1 that a larger exponent would change the result.
    let factor = y.at_most(1.099_511_6e12).at_least(-1.099_511_6e12);
    let high = factor * log;
    let low = factor.fma(log_rest, factor.fma(log, -high));
    let value = exp2(high, low);

    let infinite = a.equals(f32::INFINITY);
    let grows = y.above(0.0).same(infinite);
    let value = (a.equals(0.0) | infinite).select(grows.select(f32::INFINITY, 0.0), value);

    let whole = y.whole_below().equals(y);
    let half = y * 0.5;
    let odd = whole & half.whole_below().differs(half);
    let sign = odd.select(x, 0.0).bits() & SIGN.into();
    let value = (value.bits() ^ sign).float();

    let undefined = x.below(0.0) & !infinite & !whole;
    let value = (x.differs(x) | y.differs(y) | undefined).select(f32::NAN, value);
    (x.equals(1.0) | y.equals(0.0)).select(1.0, value)
}
