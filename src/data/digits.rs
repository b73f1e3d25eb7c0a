//! Ten glyphs as strokes, drawn anew for each row: shifted, scaled, turned, slanted, thick or thin, with shaky strokes and noise.

use super::random::Stream;
use crate::numerics::{cos, sin};
use std::f32::consts::PI;

/// The extent of an image.
pub(super) const SIDE: usize = 16;

/// A part of a glyph, in a box from (−1, −1.4) at the left top to (1, 1.4) at the right bottom.
#[derive(Clone, Copy)]
enum Stroke {
    /// A straight line between two points.
    Line([f32; 4]),
    /// A part of an ellipse: its centre, its half axes, and where it begins and ends in half turns; 0 is to the right, ½ below.
    Arc([f32; 6]),
}

use Stroke::{Arc, Line};

/// The strokes of each digit.
const GLYPHS: [&[Stroke]; 10] = [
    &[Arc([0.0, 0.0, 0.8, 1.3, 0.0, 2.0])],
    &[Line([-0.5, -0.8, 0.1, -1.3]), Line([0.1, -1.3, 0.1, 1.3])],
    &[Arc([0.0, -0.6, 0.75, 0.7, -1.0, 0.25]), Line([0.53, -0.1, -0.8, 1.3]), Line([-0.8, 1.3, 0.85, 1.3])],
    &[Arc([-0.1, -0.65, 0.8, 0.65, -0.9, 0.5]), Arc([-0.1, 0.65, 0.9, 0.65, -0.5, 0.9])],
    &[Line([0.35, -1.3, -0.85, 0.45]), Line([-0.85, 0.45, 0.9, 0.45]), Line([0.4, -0.4, 0.4, 1.3])],
    &[Line([0.75, -1.3, -0.6, -1.3]), Line([-0.6, -1.3, -0.7, -0.1]), Arc([-0.05, 0.5, 0.85, 0.8, -0.75, 0.8])],
    &[Arc([0.55, 0.4, 1.3, 1.7, -1.0, -0.5]), Arc([0.0, 0.55, 0.75, 0.75, 0.0, 2.0])],
    &[Line([-0.8, -1.3, 0.8, -1.3]), Line([0.8, -1.3, -0.3, 1.3])],
    &[Arc([0.0, -0.65, 0.65, 0.62, 0.0, 2.0]), Arc([0.0, 0.65, 0.8, 0.67, 0.0, 2.0])],
    &[Arc([0.0, -0.55, 0.75, 0.75, 0.0, 2.0]), Arc([-0.55, -0.4, 1.3, 1.7, 0.0, 0.5])],
];

/// Straight pieces that an arc of a whole turn is drawn with.
const PIECES: f32 = 14.0;

/// A glyph's points, moved about as a hand would.
struct Pen {
    /// The rows of a matrix from the glyph's box to pixels.
    along_x: [f32; 3],
    along_y: [f32; 3],
}

impl Pen {
    fn new(random: &mut Stream) -> Pen {
        let (wide, high) = (random.between(3.2, 4.4), random.between(3.6, 4.6));
        let (turn, slant) = (random.between(-0.2, 0.2), random.between(-0.3, 0.3));
        let (right, down) = (random.between(-1.7, 1.7), random.between(-1.3, 1.3));
        let (cosine, sine) = (cos(turn), sin(turn));
        let centre = (SIDE as f32 - 1.0) / 2.0;
        Pen {
            along_x: [wide * cosine, high * (slant * cosine - sine), centre + right],
            along_y: [wide * sine, high * (slant * sine + cosine), centre + down],
        }
    }

    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let along = |row: &[f32; 3]| row[0] * x + row[1] * y + row[2];
        (along(&self.along_x), along(&self.along_y))
    }
}

/// Appends one image of the digit, row by row, in 0 … 1.
pub(super) fn render(digit: usize, noise: f32, random: &mut Stream, image: &mut Vec<f32>) {
    let pen = Pen::new(random);
    let shake = 0.1;
    let mut lines: Vec<[f32; 4]> = Vec::new();
    for stroke in GLYPHS[digit] {
        let mut moved = |value: f32| value + shake * (2.0 * random.unit() - 1.0);
        match *stroke {
            Line([x0, y0, x1, y1]) => {
                let (from, to) = (pen.place(moved(x0), moved(y0)), pen.place(moved(x1), moved(y1)));
                lines.push([from.0, from.1, to.0, to.1]);
            }
            Arc([x, y, wide, high, from, to]) => {
                let (x, y, wide, high) = (moved(x), moved(y), moved(wide), moved(high));
                let (from, to) = (moved(from), moved(to));
                let pieces = ((to - from) / 2.0 * PIECES).ceil().max(2.0);
                let at = |piece: f32| {
                    let angle = PI * (from + (to - from) * piece / pieces);
                    pen.place(x + wide * cos(angle), y + high * sin(angle))
                };
                for piece in 0..pieces as usize {
                    let (from, to) = (at(piece as f32), at(piece as f32 + 1.0));
                    lines.push([from.0, from.1, to.0, to.1]);
                }
            }
        }
    }
    let (half_width, ink) = (random.between(0.6, 1.1), random.between(0.7, 1.0));
    for row in 0..SIDE {
        for column in 0..SIDE {
            let (x, y) = (column as f32, row as f32);
            let nearest = lines.iter().map(|line| squared_distance(line, x, y)).fold(f32::INFINITY, least);
            // Full ink within the stroke, fading over one pixel.
            let covered = (half_width + 0.5 - nearest.sqrt()).clamp(0.0, 1.0);
            image.push((ink * covered + noise * random.normal()).clamp(0.0, 1.0));
        }
    }
}

fn least(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

/// The squared distance of a point from a line between two points.
fn squared_distance(&[x0, y0, x1, y1]: &[f32; 4], x: f32, y: f32) -> f32 {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (((x - x0) * dx + (y - y0) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (ex, ey) = (x0 + along * dx - x, y0 + along * dy - y);
    ex * ex + ey * ey
}
