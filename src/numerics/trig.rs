//! Sine and cosine.
//!
//! x = n · π/2 + r with |r| ≤ π/4; the quadrant n mod 4 says which of the two polynomials, and with which sign, is the
//! result.

use super::lane::{Float, Int, Mask, ROUNDER, polynomial};
use std::f32::consts::FRAC_2_PI;

/// π/2 in three parts, each the next 24 bits.
const HALF_PI: [f32; 3] = [1.570_796_3, 7.549_789_4e-8, 5.390_302_5e-15];

/// (sin(r) / r − 1) / r² in r² on |r| ≤ 0.8, relative error 2^−27.7.
const SIN: [f32; 3] = [-0.16666654, 0.008332093, -0.00019505146];

/// (cos(r) − 1) / r² in r² on |r| ≤ 0.8, relative error 2^−32.6.
const COS: [f32; 4] = [-0.5, 0.04166664, -0.001388713, 2.4412086e-05];

/// The quadrant (its low two bits count) and the rest.
fn reduced<F: Float>(x: F) -> (F::Int, F) {
    let whole = x.fma(FRAC_2_PI, ROUNDER);
    let n = whole - ROUNDER;
    let r = n.fma(-HALF_PI[2], n.fma(-HALF_PI[1], n.fma(-HALF_PI[0], x)));
    (whole.bits(), r)
}

/// The sine of `quadrant · π/2 + r`.
fn sine<F: Float>(quadrant: F::Int, r: F) -> F {
    let s = r * r;
    let sin = (polynomial(s, &SIN) * s).fma(r, r);
    let cos = polynomial(s, &COS).fma(s, 1.0);
    let value = F::Mask::not_zero(quadrant & 1.into()).select(cos, sin);
    (value.bits() ^ (quadrant & 2.into()).shl(30)).float()
}

/// See [`super::sin`].
pub(crate) fn sin<F: Float>(x: F) -> F {
    let (quadrant, r) = reduced(x);
    x.equals(0.0).select(x, sine(quadrant, r))
}

/// See [`super::cos`].
pub(crate) fn cos<F: Float>(x: F) -> F {
    let (quadrant, r) = reduced(x);
    sine(quadrant.plus(1), r)
}
