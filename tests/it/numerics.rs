//! The functions of `numerics` against f64, within the bounds their documentation states.

use nnc::graph::{Binary, Reduction, Unary};
use nnc::numerics::boxes::Boxes;
use nnc::numerics::{self, Real, philox, sums};

/// The functions with an error, and their bounds in ulp.
const BOUNDS: [(Unary, f64); 9] = [
    (Unary::Exp, 0.9),
    (Unary::Log, 0.94),
    (Unary::Log1p, 1.27),
    (Unary::Sin, 1.56),
    (Unary::Cos, 1.58),
    (Unary::Tanh, 1.41),
    (Unary::Erf, 1.08),
    (Unary::Sigmoid, 2.41),
    (Unary::Softplus, 1.68),
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
        3.1,
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

#[test]
fn powers_keep_their_bound_and_the_special_cases() {
    let values = [
        0.0,
        1e-45,
        1e-38,
        0.1,
        0.5,
        0.99999994,
        1.0,
        1.0000001,
        1.5,
        2.0,
        3.0,
        4.5,
        7.0,
        127.0,
        149.5,
        8_388_609.0,
        16_777_216.0,
        1e30,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    let values: Vec<f32> = values.into_iter().flat_map(|x: f32| [x, -x]).collect();
    let grid = values.iter().flat_map(|&x| values.iter().map(move |&y| (x, y)));
    let random = (0..400_000).map(|i| {
        let words = philox::block([i, 0, 0, 0], [3, 4]);
        let x = f32::from_bits(words[0]);
        // Half of the exponents are near those that the base allows, the others anything.
        let largest = 150.0 / f64::from(x.abs()).unary(Unary::Log).abs();
        let y = if i % 2 == 0 { philox::unit(words[1]) * largest as f32 } else { f32::from_bits(words[1]) };
        (x.abs(), if words[2].is_multiple_of(2) { y } else { -y })
    });
    for (x, y) in grid.chain(random) {
        let error = numerics::ulps(numerics::pow(x, y), f64::from(x).pow(f64::from(y)));
        assert!(error <= 2.0, "{x:e} ^ {y:e}: {error} ulp, {:e}", numerics::pow(x, y));
    }
}

#[test]
fn signs_and_extremes_decide_ties_as_documented() {
    assert_eq!([-2.5, 0.0, 3.0, f32::INFINITY].map(numerics::sign), [-1.0, 0.0, 1.0, 1.0]);
    assert!(numerics::sign(-0.0).is_sign_negative() && numerics::sign(f32::NAN).is_nan());
    assert!(numerics::max(0.0, -0.0).is_sign_negative() && numerics::min(-0.0, 0.0).is_sign_positive());
    assert_eq!(numerics::max(f32::NAN, 1.0), 1.0);
    assert!(numerics::max(1.0, f32::NAN).is_nan());
    assert_eq!(numerics::binary(Binary::Max, 2.0, 1.0), numerics::max(2.0, 1.0));
}

#[test]
fn sums_have_the_documented_order() {
    let values: Vec<f32> = (0..50).map(|i| 1.0 / (i as f32 + 0.7)).collect();
    let mut partials = [0.0f32; 16];
    for (i, value) in values.iter().enumerate() {
        partials[i % 16] += value;
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            partials[i] += partials[i + width];
        }
    }
    assert_eq!(sums::sum_interleaved(values.iter().copied()).to_bits(), partials[0].to_bits());
    assert_eq!(sums::fold_interleaved(Reduction::Max, values.iter().copied()), values[0]);

    let mut block_sums = Vec::new();
    let long: Vec<(f32, f32)> = (0..600).map(|i| (values[i % 50], values[i % 7])).collect();
    for block in long.chunks(256) {
        block_sums.push(block.iter().fold(0.0f32, |sum, &(a, b)| a.mul_add(b, sum)));
    }
    let expected = block_sums[0] + block_sums[1] + block_sums[2];
    assert_eq!(sums::contract_blocks(&[600], long).to_bits(), expected.to_bits());
    assert_eq!(sums::contract_blocks::<f32>(&[0], []), 0.0);
    // Over two axes the blocks end with the inner one.
    let pairs: Vec<(f32, f32)> = (0..300).map(|i| (values[i % 50], values[i % 7])).collect();
    let block = |from: usize, to: usize| pairs[from..to].iter().fold(0.0f32, |sum, &(a, b)| a.mul_add(b, sum));
    let expected = block(0, 200) + block(200, 300);
    assert_eq!(sums::contract_blocks(&[3, 100], pairs.iter().copied()).to_bits(), expected.to_bits());
}

#[test]
fn boxes_of_axes() {
    let sizes = |extents: &[usize]| Boxes::new(extents, 256).sizes().collect::<Vec<usize>>();
    assert_eq!(sizes(&[]), [1]);
    assert_eq!(sizes(&[256]), [256]);
    assert_eq!(sizes(&[600]), [256, 256, 88]);
    assert_eq!(sizes(&[2, 18, 32]), [256, 256, 64, 256, 256, 64]);
    assert_eq!(sizes(&[3, 3, 32]), [192, 96]);
    assert_eq!(sizes(&[2, 1, 256, 1]), [256, 256]);
    assert_eq!(sizes(&[2, 300]), [256, 44, 256, 44]);
    assert_eq!(sizes(&[300, 0]), [0]);
    assert_eq!(sizes(&[0, 300]), [0usize; 0]);
    let boxes = Boxes::new(&[5, 32, 32], 256);
    assert_eq!((&boxes.outer[..], boxes.extent, boxes.piece, &boxes.inner[..]), (&[5][..], 32, 8, &[32][..]));
}

#[test]
fn the_shapes_choose_the_order() {
    assert!(sums::reduces_interleaved(&[3, 16], 1, 1));
    assert!(sums::reduces_interleaved(&[4, 4, 1], 0, 2));
    assert!(!sums::reduces_interleaved(&[3, 15], 1, 1));
    assert!(!sums::reduces_interleaved(&[16, 3], 0, 1));
    // A vector times a matrix whose rows are contracted with it; the matrix the other way round; a product of matrices.
    assert!(sums::contracts_interleaved(&[64], &[8, 64], &[], &[(0, 1)]));
    assert!(!sums::contracts_interleaved(&[64], &[64, 8], &[], &[(0, 0)]));
    assert!(!sums::contracts_interleaved(&[2, 64], &[8, 64], &[], &[(1, 1)]));
    assert!(sums::contracts_interleaved(&[1, 64, 1], &[8, 64], &[], &[(1, 1)]));
}
