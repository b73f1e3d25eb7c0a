//! The functions of `numerics` against f64, within the bounds their documentation states.

use nnc::graph::Unary;
use nnc::numerics::{self, Real};

/// The functions with an error, and their bounds in ulp.
const BOUNDS: [(Unary, f64); 9] = [
    (Unary::Exp, 1.0),
    (Unary::Log, 1.0),
    (Unary::Log1p, 1.5),
    (Unary::Sin, 2.0),
    (Unary::Cos, 2.0),
    (Unary::Tanh, 2.0),
    (Unary::Erf, 2.0),
    (Unary::Sigmoid, 3.0),
    (Unary::Softplus, 2.0),
];

/// Every 1009th of all f32, and those around the places where something changes.
fn arguments() -> impl Iterator<Item = f32> {
    let places = [
        0.0f32,
        f32::MIN_POSITIVE,
        1e-10,
        0.33333,
        0.5,
        0.6,
        0.66667,
        0.921875,
        1.0,
        1.33333,
        1.57,
        3.14,
        3.95,
        4.0,
        9.02,
        10.0,
        16.0,
        17.33,
        87.33,
        88.37,
        88.72,
        89.0,
        103.97,
        104.0,
        8_388_608.0,
        12_582_912.0,
        f32::MAX,
        f32::INFINITY,
    ];
    let around = places.into_iter().flat_map(|place| {
        let bits = place.to_bits();
        (bits.saturating_sub(2000)..bits.saturating_add(2000))
            .flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
    });
    (0..=u32::MAX).step_by(1009).map(f32::from_bits).chain(around)
}

#[test]
fn functions_keep_their_bounds() {
    for (function, bound) in BOUNDS {
        let mut worst = (0.0, 0.0);
        for x in arguments() {
            let error = numerics::ulps(numerics::unary(function, x), f64::from(x).unary(function));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{function:?}: {:.3} ulp at {:e}", worst.0, worst.1);
        assert!(worst.0 <= bound, "{function:?}: {} ulp at {:e}", worst.0, worst.1);
    }
}
