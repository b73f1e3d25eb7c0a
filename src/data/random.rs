//! Random numbers for data: streams of Philox words, told apart by seed, purpose and step.
//!
//! The purposes here begin high up, so that they never meet those of the fields' own expressions.

use crate::numerics::{self, philox};

/// What the numbers of a stream are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Which rows go to which part.
    Split,
    /// The order of the rows of an epoch.
    Shuffle,
    /// Which rows balancing repeats or leaves out.
    Balance,
    /// The rows of an embedded set.
    Toy,
}

impl Purpose {
    fn number(self) -> u32 {
        0xd000_0000
            + match self {
                Purpose::Split => 0,
                Purpose::Shuffle => 1,
                Purpose::Balance => 2,
                Purpose::Toy => 3,
            }
    }
}

/// A seed as the key of Philox.
pub(super) fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    key: [u32; 2],
    purpose: u32,
    step: u32,
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of that seed, purpose and step.
    pub(super) fn new(seed: u64, purpose: Purpose, step: u32) -> Stream {
        Stream { key: key(seed), purpose: purpose.number(), step, block: 0, words: [0; 4], used: 4 }
    }

    fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox::block([self.block, self.step, self.purpose, 0], self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Uniform in 0 … bound − 1, every number as likely as any other; `bound` is not 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // Lemire, "Fast Random Integer Generation in an Interval": the high word of a product, rejecting the uneven rest.
        let uneven = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.word()) * u64::from(bound);
            if product as u32 >= uneven {
                return (product >> 32) as u32;
            }
        }
    }

    /// Uniform in 0 … 1, 1 not included.
    pub(super) fn unit(&mut self) -> f32 {
        philox::unit(self.word())
    }

    /// Uniform in `low` … `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Normal with mean 0 and deviation 1, by Box and Muller.
    pub(super) fn normal(&mut self) -> f32 {
        let radius = (-2.0 * numerics::log(1.0 - self.unit())).sqrt();
        radius * numerics::cos(std::f32::consts::TAU * self.unit())
    }

    /// Brings a list into random order, by Fisher and Yates.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end as u32 + 1) as usize);
        }
    }
}
