//! The exponential and what is made of it: sigmoid, softplus, tanh.
//!
//! e^x = 2^n · e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2, where a polynomial of degree 6 (minimax in the relative
//! error, 2^−27.9) gives e^r.

use super::lane::{Float, Mask, ROUNDER, polynomial, power_of_two, scale};
use super::log::log1p_finite;
use std::f32::consts::{LN_2, LOG2_E};

/// ln 2 − [`LN_2`].
const LN_2_REST: f32 = -1.904_654_3e-9;

/// (e^r − 1) / r on |r| ≤ 0.35.
const EXP: [f32; 6] = [1.0, 0.5, 0.16666529, 0.04166725, 0.008368169, 0.0013864307];

/// (tanh(x) / x − 1) / x² in x² on |x| ≤ 0.6, relative error 2^−28.4.
const TANH: [f32; 5] = [-0.333333, 0.13331936, -0.053784717, 0.020798627, -0.005897972];

/// e^r and, in the low bits, n: e^x = 2^n · e^r. For |x| below 2^20.
fn reduced<F: Float>(x: F) -> (F, F::Int) {
    let whole = x.fma(LOG2_E, ROUNDER);
    let n = whole - ROUNDER;
    let r = n.fma(-LN_2_REST, n.fma(-LN_2, x));
    (polynomial(r, &EXP).fma(r, 1.0), whole.bits())
}

/// e^x for x from −87 to 88 or NaN.
pub(crate) fn exp_normal<F: Float>(x: F) -> F {
    let (p, n) = reduced(x);
    p * power_of_two::<F>(n)
}

/// e^x for x up to 0, or NaN.
fn exp_of_negative<F: Float>(x: F) -> F {
    let (p, n) = reduced(x.at_least(-104.0));
    scale(p, n)
}

/// See [`super::exp`].
pub(crate) fn exp<F: Float>(x: F) -> F {
    // Beyond these the result is 0 or +∞ as it is at them.
    let (p, n) = reduced(x.at_most(89.0).at_least(-104.0));
    scale(p, n)
}

/// See [`super::sigmoid`].
pub(crate) fn sigmoid<F: Float>(x: F) -> F {
    let e = exp_of_negative(-x.magnitude());
    x.below(0.0).select(e, 1.0) / (e + 1.0)
}

/// See [`super::softplus`].
pub(crate) fn softplus<F: Float>(x: F) -> F {
    let e = exp_of_negative(-x.magnitude());
    x.at_least(0.0) + log1p_finite(e)
}

/// See [`super::tanh`].
pub(crate) fn tanh<F: Float>(x: F) -> F {
    let a = x.magnitude();
    let s = a * a;
    let near = (polynomial(s, &TANH) * s).fma(a, a);
    // From 9.02 on the result is 1.
    let e = exp_normal((a + a).at_most(20.0));
    let far = F::from(1.0) - F::from(2.0) / (e + 1.0);
    a.below(0.6).select(near, far).with_sign_of(x)
}
