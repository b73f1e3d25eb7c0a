//! Random numbers by counting: Philox4x32-10.
//!
//! Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block of four words is a function of
//! a key and a counter, so every number can be computed by itself, on any thread and in any order.

/// The factors of the two halves of a round.
pub const FACTORS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];

/// What is added to the two words of the key from round to round.
pub const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// The number of rounds.
pub const ROUNDS: usize = 10;

/// The four words at a counter.
pub fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut words = counter;
    let mut key = key;
    for _ in 0..ROUNDS {
        let first = u64::from(FACTORS[0]) * u64::from(words[0]);
        let second = u64::from(FACTORS[1]) * u64::from(words[2]);
        words = [
            (second >> 32) as u32 ^ words[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ words[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    words
}

/// Element `element` of the graph's [`Op::Uniform`](crate::graph::Op::Uniform): uniform in \[0, 1).
pub fn uniform(seed: [u32; 2], step: u32, purpose: u32, element: u64) -> f32 {
    let words = block([(element / 4) as u32, step, purpose, 0], seed);
    unit(words[(element % 4) as usize])
}

/// The upper 24 bits of a word as a fraction of 1.
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with the Random123 library.
    #[test]
    fn known_answers() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn uniform_takes_the_word_of_its_element() {
        let words = block([7, 3, 9, 0], [1, 2]);
        for (i, &word) in words.iter().enumerate() {
            assert_eq!(uniform([1, 2], 3, 9, 28 + i as u64), unit(word));
        }
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(u32::MAX), 1.0 - f32::EPSILON / 2.0);
    }
}
