//! Functions of compile-time numbers.
//!
//! They are made of `+ - * /` alone, so every machine gives the same bits; the error stays far below what is left when a number
//! of the program becomes f32.

use super::hir::Elementwise;
use std::f64::consts::{LN_2, PI};

/// The elementwise function of numbers, truth values as 0 and 1; of operands that are missing NaN.
pub(crate) fn elementwise(op: Elementwise, operands: &[f64]) -> f64 {
    use Elementwise as E;
    let operand = |at: usize| operands.get(at).copied().unwrap_or(f64::NAN);
    let (x, y) = (operand(0), operand(1));
    match op {
        E::Neg => -x,
        E::Not => f64::from(x == 0.0),
        E::Exp => exp(x),
        E::Log => ln(x),
        E::Sqrt => x.sqrt(),
        E::Abs => x.abs(),
        E::Sign => {
            if x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        E::Floor => x.floor(),
        E::Ceil => x.ceil(),
        E::Round => x.round_ties_even(),
        E::Sin => sin(x),
        E::Cos => cos(x),
        E::Tanh => tanh(x),
        E::Erf => erf(x),
        E::Add => x + y,
        E::Sub => x - y,
        E::Mul => x * y,
        E::Div => x / y,
        E::Rem => x - y * (x / y).floor(),
        E::Pow => pow(x, y),
        E::Min => {
            if x < y {
                x
            } else {
                y
            }
        }
        E::Max => {
            if x > y {
                x
            } else {
                y
            }
        }
        E::Clamp => x.max(y).min(operands.get(2).copied().unwrap_or(f64::INFINITY)),
        E::Eq => f64::from(x == y),
        E::Ne => f64::from(x != y),
        E::Lt => f64::from(x < y),
        E::Le => f64::from(x <= y),
        E::Gt => f64::from(x > y),
        E::Ge => f64::from(x >= y),
        E::And => f64::from(x != 0.0 && y != 0.0),
        E::Or => f64::from(x != 0.0 || y != 0.0),
        E::If => {
            if x != 0.0 {
                y
            } else {
                operand(2)
            }
        }
    }
}

/// The error function to seven places: Abramowitz and Stegun, 7.1.26.
fn erf(x: f64) -> f64 {
    const TERMS: [f64; 5] = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let size = 1.0 - series * exp(-x * x);
    if x < 0.0 { -size } else { size }
}

/// e^x.
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.79 {
        return f64::INFINITY;
    }
    if x < -745.2 {
        return 0.0;
    }
    // x = k ln 2 + r with |r| ≤ ln 2 / 2; ln 2 in two parts, the first exact when multiplied by k.
    let k = (x / LN_2).round_ties_even();
    let high = f64::from_bits(0x3FE6_2E42_FEE0_0000);
    let r = (x - k * high) - k * 1.908_214_929_270_587_7e-10;
    let series = (1..=16).rev().fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    let half = (k / 2.0).trunc() as i32;
    series * power_of_two(half) * power_of_two(k as i32 - half)
}

/// The natural logarithm.
pub(super) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    if x < f64::MIN_POSITIVE {
        return ln(x * power_of_two(54)) - 54.0 * LN_2;
    }
    // x = m 2^e with m near 1, and ln m = 2 artanh((m - 1) / (m + 1)).
    let mut exponent = ((x.to_bits() >> 52) & 0x7FF) as i32 - 1023;
    let mut m = f64::from_bits((x.to_bits() & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m /= 2.0;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let series = (0..14).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    2.0 * s * series + f64::from(exponent) * LN_2
}

/// The sine.
pub(super) fn sin(x: f64) -> f64 {
    let (quarter, r) = reduced(x);
    match quarter {
        0 => sin_near(r),
        1 => cos_near(r),
        2 => -sin_near(r),
        _ => -cos_near(r),
    }
}

/// The cosine.
pub(super) fn cos(x: f64) -> f64 {
    let (quarter, r) = reduced(x);
    match quarter {
        0 => cos_near(r),
        1 => -sin_near(r),
        2 => -cos_near(r),
        _ => sin_near(r),
    }
}

/// The hyperbolic tangent.
pub(super) fn tanh(x: f64) -> f64 {
    if x.abs() < 1e-4 {
        return x - x * x * x / 3.0;
    }
    let twice = exp(-2.0 * x.abs());
    let size = (1.0 - twice) / (1.0 + twice);
    if x < 0.0 { -size } else { size }
}

/// x^y. A whole power is a product; another power of a negative number is NaN.
pub(super) fn pow(x: f64, y: f64) -> f64 {
    if y.fract() == 0.0 && y.abs() <= 4096.0 {
        let product = whole_power(x, y.abs() as u32);
        return if y < 0.0 { 1.0 / product } else { product };
    }
    if x == 0.0 {
        return if y > 0.0 { 0.0 } else { f64::INFINITY };
    }
    exp(y * ln(x))
}

fn whole_power(base: f64, power: u32) -> f64 {
    let (mut product, mut square, mut left) = (1.0, base, power);
    while left > 0 {
        if left & 1 == 1 {
            product *= square;
        }
        square *= square;
        left >>= 1;
    }
    product
}

/// 2^k for k within the exponents of f64.
fn power_of_two(k: i32) -> f64 {
    f64::from_bits(((k.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// The quarter turn that x lies in, and its distance from the nearest whole quarter.
fn reduced(x: f64) -> (u8, f64) {
    if !x.is_finite() {
        return (0, f64::NAN);
    }
    let quarters = (x / (PI / 2.0)).round_ties_even();
    // π / 2 in three parts, the first two exact when multiplied by a quarter count of up to 20 bits (Cody and Waite).
    let parts = [0x3FF9_21FB_5440_0000, 0x3DD0_B461_1A60_0000, 0x3BA3_198A_2E03_7073].map(f64::from_bits);
    let r = parts.iter().fold(x, |rest, part| rest - quarters * part);
    (quarters.rem_euclid(4.0) as u8, r)
}

fn sin_near(r: f64) -> f64 {
    let square = r * r;
    r * (1..=9).rev().fold(1.0, |sum, n| 1.0 - sum * square / f64::from(2 * n * (2 * n + 1)))
}

fn cos_near(r: f64) -> f64 {
    let square = r * r;
    (1..=9).rev().fold(1.0, |sum, n| 1.0 - sum * square / f64::from(2 * n * (2 * n - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1.0), "{found:e} for {expected:e}");
        };
        near(exp(1.0), std::f64::consts::E);
        near(exp(-10.0), 4.539_992_976_248_485e-5);
        near(exp(100.0) / 1e43, 2.688_117_141_816_135_4);
        near(exp(-700.0) * 1e304, 0.985_967_654_375_977_1);
        near(ln(10.0), std::f64::consts::LN_10);
        near(ln(1e-310), -713.801_378_828_154_6);
        near(ln(0.999), -0.001_000_500_333_583_533_5);
        near(sin(1.0), 0.841_470_984_807_896_5);
        near(sin(-100.0), 0.506_365_641_109_758_8);
        near(cos(3.0), -0.989_992_496_600_445_4);
        near(cos(1e5), -0.999_360_807_438_212_4);
        near(tanh(0.5), 0.462_117_157_260_009_75);
        near(tanh(-20.0), -1.0);
        near(pow(2.0, 0.5), std::f64::consts::SQRT_2);
        near(pow(0.95, 20.0), 0.358_485_922_408_541_8);
        near(pow(10.0, -3.0), 0.001);
        assert_eq!(exp(1000.0), f64::INFINITY);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert!(ln(-1.0).is_nan() && pow(-2.0, 0.5).is_nan() && sin(f64::INFINITY).is_nan());
    }
}
