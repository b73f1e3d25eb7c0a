//! The largest error of every function of `numerics` over all 2^32 f32, in ulp, against f64; for `pow`, over random pairs.
//!
//! `cargo bench --bench ulp` takes some minutes of all cores; `cargo bench --bench ulp -- exp log` only these functions.

#![allow(clippy::disallowed_methods, reason = "the range of an exponent need not be exact")]

use nnc::graph::Unary;
use nnc::numerics::{self, Real, philox};
use std::thread;

const FUNCTIONS: [(&str, Unary); 9] = [
    ("exp", Unary::Exp),
    ("log", Unary::Log),
    ("log1p", Unary::Log1p),
    ("sin", Unary::Sin),
    ("cos", Unary::Cos),
    ("tanh", Unary::Tanh),
    ("erf", Unary::Erf),
    ("sigmoid", Unary::Sigmoid),
    ("softplus", Unary::Softplus),
];

/// How many pairs `pow` is tried on.
const PAIRS: u64 = 1 << 30;

#[derive(Clone, Copy, Default)]
struct Worst {
    ulps: f64,
    at: (f32, f32),
}

impl Worst {
    fn see(&mut self, got: f32, expected: f64, at: (f32, f32)) {
        let ulps = numerics::ulps(got, expected);
        if ulps > self.ulps {
            *self = Worst { ulps, at };
        }
    }
}

/// The worst of `0..count`, looked at by all cores.
fn search(count: u64, look: impl Fn(u64, &mut Worst) + Sync) -> Worst {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let part = count.div_ceil(cores);
    thread::scope(|scope| {
        let parts: Vec<_> = (0..cores)
            .map(|core| {
                let look = &look;
                scope.spawn(move || {
                    let mut worst = Worst::default();
                    (core * part..count.min((core + 1) * part)).for_each(|i| look(i, &mut worst));
                    worst
                })
            })
            .collect();
        let parts = parts.into_iter().map(|part| part.join().expect("the search does not panic"));
        parts.max_by(|a, b| a.ulps.total_cmp(&b.ulps)).unwrap_or_default()
    })
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    for (name, function) in FUNCTIONS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let worst = search(1 << 32, |bits, worst| {
            let x = f32::from_bits(bits as u32);
            worst.see(numerics::unary(function, x), f64::from(x).unary(function), (x, 0.0));
        });
        println!("{name:9} {:.4} ulp at {:e}", worst.ulps, worst.at.0);
    }
    if is_wanted("pow") {
        let worst = search(PAIRS, |i, worst| {
            // Any base, and an exponent that keeps the result in range.
            let words = philox::block([i as u32, (i >> 32) as u32, 0, 0], [0, 0]);
            let x = f32::from_bits(words[0] & 0x7fff_ffff);
            let range = 152.0 / x.log2().abs().max(1e-6);
            let y = (2.0 * philox::unit(words[1]) - 1.0) * range;
            worst.see(numerics::pow(x, y), f64::from(x).pow(f64::from(y)), (x, y));
        });
        println!("{:9} {:.4} ulp at ({:e}, {:e})", "pow", worst.ulps, worst.at.0, worst.at.1);
    }
}
