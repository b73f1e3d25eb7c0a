//! The embedded sets: small problems that need no file.
//!
//! In: which set, how many rows, a seed, the strength of the noise. Out: rows, the same on every machine. Classes take
//! turns row by row, so that they are equally large.

use super::arrays::{self, Array, Elements};
use super::columns::ColumnBuilder;
use super::digits;
use super::random::{Purpose, Stream};
use crate::check::hir::ToySet;
use crate::diagnostics::Diagnostic;
use crate::numerics::{cos, sin};
use std::f32::consts::{PI, TAU};

/// The columns of a set in the order of its schema, row after row.
pub(super) fn make(set: ToySet, rows: usize, seed: u64, noise: Option<f64>) -> [Vec<f32>; 2] {
    let noise = noise.map_or(default_noise(set), |noise| noise as f32);
    let mut random = Stream::new(seed, Purpose::Toy, 0);
    let mut columns = [Vec::new(), Vec::new()];
    let [first, second] = &mut columns;
    for row in 0..rows {
        match set {
            ToySet::Moons => {
                let moon = row % 2;
                let (x, y) = on_circle(PI * random.unit());
                let point = if moon == 0 { (x, y) } else { (1.0 - x, 0.5 - y) };
                first.extend(scattered(point, noise, &mut random));
                second.push(moon as f32);
            }
            ToySet::Blobs => {
                let blob = row % 3;
                let (x, y) = on_circle(TAU * (blob as f32 / 3.0 + 0.25));
                first.extend(scattered((2.0 * x, 2.0 * y), noise, &mut random));
                second.push(blob as f32);
            }
            ToySet::Spirals => {
                let arm = row % 3;
                let distance = random.between(0.05, 1.0);
                let (x, y) = on_circle(TAU * (arm as f32 / 3.0 + 0.8 * distance));
                first.extend(scattered((distance * x, distance * y), noise, &mut random));
                second.push(arm as f32);
            }
            ToySet::Circles => {
                let inner = row % 2;
                let radius = if inner == 1 { 0.5 } else { 1.0 };
                let (x, y) = on_circle(TAU * random.unit());
                first.extend(scattered((radius * x, radius * y), noise, &mut random));
                second.push(inner as f32);
            }
            ToySet::Digits => {
                let digit = row % 10;
                digits::render(digit, noise, &mut random, first);
                second.push(digit as f32);
            }
            ToySet::Sines => {
                let (turns, phase, height) = (random.between(0.02, 0.12), random.unit(), random.between(0.5, 1.5));
                let mut value = |at: usize| height * sin(TAU * (turns * at as f32 + phase)) + noise * random.normal();
                first.extend((0..SINE_STEPS).map(&mut value));
                second.push(value(SINE_STEPS));
            }
        }
    }
    columns
}

/// The length of a piece of a sine wave.
const SINE_STEPS: usize = 32;

fn default_noise(set: ToySet) -> f32 {
    match set {
        ToySet::Moons => 0.15,
        ToySet::Blobs => 0.7,
        ToySet::Spirals => 0.03,
        ToySet::Circles => 0.1,
        ToySet::Digits => 0.12,
        ToySet::Sines => 0.05,
    }
}

fn on_circle(angle: f32) -> (f32, f32) {
    (cos(angle), sin(angle))
}

fn scattered((x, y): (f32, f32), noise: f32, random: &mut Stream) -> [f32; 2] {
    [x + noise * random.normal(), y + noise * random.normal()]
}

/// Makes the set and hands the columns asked for to the builders.
pub(super) fn read(
    set: ToySet,
    rows: usize,
    seed: u64,
    noise: Option<f64>,
    number: usize,
    builders: &mut [ColumnBuilder<'_>],
) -> Result<usize, Vec<Diagnostic>> {
    let schema = set.schema();
    let uses = arrays::uses(builders, &schema, set.name())?;
    let made = make(set, rows, seed, noise);
    let shapes = schema.columns.iter().map(|column| column.ty.as_ref().map_or([].as_slice(), |ty| ty.shape.as_slice()));
    let array = |(shape, numbers): (&[usize], Vec<f32>)| Array {
        row_len: shape.iter().product(),
        elements: Elements::Numbers(numbers),
    };
    Ok(arrays::hand_out(shapes.zip(made).map(array).collect(), &uses, rows, number, builders))
}
