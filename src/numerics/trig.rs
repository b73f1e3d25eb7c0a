//! Sine and cosine, of every f32.
//!
//! x is counted in quarter turns: x · 2/π = n + f with |f| ≤ ½. The quadrant n mod 4 says which of the two polynomials in
//! f, and with which sign, is the result. Only n mod 4 matters: from 2^(23 + k) on, x is a multiple of 2^k, and so
//! 2^k · 2/π mod 4 serves for 2/π. The exponents fall into five sections with a k each. The product is
//! formed from four floats; whole turns are taken away part by part, and the sum of the parts carries its rounding
//! errors along.

use super::lane::{Float, Int, Mask, ROUNDER, polynomial};

/// A range of arguments.
struct Section {
    /// Its first.
    from: f32,
    /// 2^−k.
    scale: f32,
    /// 2^k · 2/π mod 4 as a sum.
    quarter_turns: [f32; 4],
}

const FIRST_SECTION: [f32; 4] = [0.63661975, 2.568_255_3e-8, 2.937_095_5e-16, 6.074_026_6e-24];

const SECTIONS: [Section; 4] = [
    Section {
        from: 1.759_218_6e13,
        scale: 4.768_371_6e-7,
        quarter_turns: [0.42886022, 6.159_535_7e-10, 1.273_815_7e-17, -2.888_402_4e-25],
    },
    Section {
        from: 3.689_349e19,
        scale: 2.273_736_8e-13,
        quarter_turns: [1.0637918, -3.582_161_2e-9, 1.086_818_4e-16, -8.161_045e-25],
    },
    Section {
        from: 7.737_125_2e25,
        scale: 1.084_202_2e-19,
        quarter_turns: [0.99248767, -5.360_013_3e-9, 2.064_553_2e-16, 1.068_870_1e-24],
    },
    Section {
        from: 1.622_592_8e32,
        scale: 5.169_879e-26,
        quarter_turns: [1.4887593, -4.147_654_7e-8, -1.024_714_7e-15, 1.635_046_1e-23],
    },
];

/// sin(π/2 f) / f in f²; the first coefficient is π/2 and what that leaves out. Relative error 2^−27.9.
const SIN: [f32; 4] = [-4.371_139e-8, -0.6459636, 0.07968108, -0.0046037314];

/// cos(π/2 f) in f², relative error 2^−31.1.
const COS: [f32; 5] = [1.0, -1.2337005, 0.25366855, -0.020855594, 0.00089447375];

/// The sum and its rounding error.
fn two_sum<F: Float>(a: F, b: F) -> (F, F) {
    let sum = a + b;
    let kept = sum - a;
    (sum, (a - (sum - kept)) + (b - kept))
}

/// The product and its rounding error.
fn two_product<F: Float>(a: F, b: F) -> (F, F) {
    let product = a * b;
    (product, a.fma(b, -product))
}

/// What is left after whole turns, four quarters each.
fn within_a_turn<F: Float>(x: F) -> F {
    (x * 0.25).nearest_whole().fma(-4.0, x)
}

/// The quadrant (its low two bits count), f, and what f leaves out. For x from 2^−12.
fn reduced<F: Float>(x: F) -> (F::Int, F, F) {
    let a = x.magnitude();
    let (mut scale, mut quarter_turns) = (F::from(1.0), FIRST_SECTION.map(F::from));
    for section in &SECTIONS {
        let before = a.below(section.from);
        scale = before.select(scale, section.scale);
        for (turns, &further) in quarter_turns.iter_mut().zip(&section.quarter_turns) {
            *turns = before.select(*turns, further);
        }
    }
    let x = x * scale;

    let (p0, e0) = two_product(x, quarter_turns[0]);
    let (p1, e1) = two_product(x, quarter_turns[1]);
    let (p2, e2) = two_product(x, quarter_turns[2]);
    let p3 = x.fma(quarter_turns[3], e2);
    let (sum, r0) = two_sum(within_a_turn(p0), within_a_turn(e0));
    let (sum, r1) = two_sum(sum, within_a_turn(p1));
    let whole = sum + ROUNDER;
    let sum = sum - (whole - ROUNDER);
    let (sum, r2) = two_sum(sum, e1);
    let (sum, r3) = two_sum(sum, p2);
    let rest = ((r0 + r1) + (r2 + r3)) + p3;
    let f = sum + rest;
    (whole.bits(), f, (sum - f) + rest)
}

/// The sine of `quadrant + f + rest` quarter turns.
fn sine<F: Float>(quadrant: F::Int, f: F, rest: F) -> F {
    let s = f * f;
    let half_pi = std::f32::consts::FRAC_PI_2;
    let sin = f.fma(half_pi, f.fma(polynomial(s, &SIN), rest * half_pi));
    let cos = polynomial(s, &COS);
    let value = F::Mask::not_zero(quadrant & 1.into()).select(cos, sin);
    (value.bits() ^ (quadrant & 2.into()).shl(30)).float()
}

/// See [`super::sin`].
pub(crate) fn sin<F: Float>(x: F) -> F {
    let (quadrant, f, rest) = reduced(x);
    // So near 0 the result is x, and products of x may have lost their last bits.
    x.magnitude().below(1.0 / 4096.0).select(x, sine(quadrant, f, rest))
}

/// See [`super::cos`].
pub(crate) fn cos<F: Float>(x: F) -> F {
    let (quadrant, f, rest) = reduced(x);
    sine(quadrant.plus(1), f, rest)
}
