//! The error function.
//!
//! Near 0 an odd polynomial (minimax in the relative error, 2^−25.8); further out 1 − e^(t P(t)), where
//! t P(t) approximates log(erfc(t)).

use super::exp::exp_normal;
use super::lane::{Float, Mask, polynomial};

/// erf(x) / x − 1 in x² on |x| ≤ 0.93.
const NEAR: [f32; 6] = [0.12837915, -0.3761249, 0.1128173, -0.026762916, 0.0049872524, -0.0005958971];

/// log(erfc(t)) / t on 0.9 ≤ t ≤ 3.95.
const FAR: [f32; 7] = [-1.1286371, -0.63519806, -0.10615896, 0.023694431, -0.003610251, 0.0003148291, -1.042_959e-5];

/// See [`super::erf`].
pub(crate) fn erf<F: Float>(x: F) -> F {
    let a = x.magnitude();
    let near = polynomial(a * a, &NEAR).fma(a, a);
    // From 3.92 on the result is 1.
    let t = a.at_most(4.0);
    let far = F::from(1.0) - exp_normal(polynomial(t, &FAR) * t);
    a.below(0.921875).select(near, far).with_sign_of(x)
}

/// The error function in f64, within a few units in the last place: its power series with positive terms.
pub(crate) fn erf64(x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() || a > 6.0 {
        return if a.is_nan() { x } else { 1.0_f64.copysign(x) };
    }
    let mut term = a;
    let mut sum = a;
    let mut odd = 1.0;
    while term > sum * 1e-17 {
        odd += 2.0;
        term *= 2.0 * a * a / odd;
        sum += term;
    }
    #[allow(clippy::disallowed_methods, reason = "f64 is for checks by tolerance")]
    let decay = (-a * a).exp();
    (std::f64::consts::FRAC_2_SQRT_PI * decay * sum).min(1.0).copysign(x)
}
