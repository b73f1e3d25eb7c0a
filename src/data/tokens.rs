//! The words of texts as numbers.
//!
//! In: texts, one a row. Out: for each row the numbers of its words, cut or padded to one length. The vocabulary is learned
//! from the training rows: 0 is padding, 1 any word that is not in it, and from 2 on come the words, the most frequent first,
//! of equally frequent ones the first by the alphabet.

use std::collections::HashMap;

/// The number behind the last word of a text that is too short.
const PADDING: i32 = 0;

/// The number of a word that is not in the vocabulary.
const UNKNOWN: i32 = 1;

/// The number of the first word.
const FIRST: usize = 2;

/// The texts of a column while they are read.
#[derive(Clone, Default, Debug)]
pub(super) struct Texts {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
    /// The words of all rows, one row behind the other.
    ids: Vec<u32>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl Texts {
    /// One more row.
    pub(super) fn push(&mut self, text: &str) {
        let lower = text.to_lowercase();
        for word in words(&lower) {
            let id = match self.numbers.get(word) {
                Some(&id) => id,
                None => {
                    let id = self.words.len() as u32;
                    self.numbers.insert(word.to_string(), id);
                    self.words.push(word.to_string());
                    id
                }
            };
            self.ids.push(id);
        }
        self.ends.push(self.ids.len());
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn row(&self, row: usize) -> &[u32] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.ids[start..self.ends[row]]
    }

    /// The most frequent words of the rows `train`, as many as a vocabulary of `size` has besides padding and unknown.
    pub(super) fn vocabulary(&self, train: &[u32], size: usize) -> Vec<String> {
        let mut counts = vec![0usize; self.words.len()];
        for id in train.iter().flat_map(|&row| self.row(row as usize)) {
            counts[*id as usize] += 1;
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|&id| counts[id] > 0).collect();
        order.sort_by(|&one, &other| {
            counts[other].cmp(&counts[one]).then_with(|| self.words[one].cmp(&self.words[other]))
        });
        order.truncate(size.saturating_sub(FIRST));
        order.into_iter().map(|id| self.words[id].clone()).collect()
    }

    /// The numbers of the words of every row. A text that is too long is cut where one that is too short is padded.
    pub(super) fn numbered(&self, vocabulary: &[String], length: usize, front: bool) -> Vec<i32> {
        let mut classes = vec![UNKNOWN; self.words.len()];
        for (at, word) in vocabulary.iter().enumerate() {
            if let Some(&id) = self.numbers.get(word) {
                classes[id as usize] = (FIRST + at) as i32;
            }
        }
        let mut numbered = Vec::with_capacity(self.len() * length);
        for row in 0..self.len() {
            let words = self.row(row);
            let kept = words.len().min(length);
            let words = if front { &words[words.len() - kept..] } else { &words[..kept] };
            let padding = || std::iter::repeat_n(PADDING, length - kept);
            if front {
                numbered.extend(padding());
            }
            numbered.extend(words.iter().map(|&id| classes[id as usize]));
            if !front {
                numbered.extend(padding());
            }
        }
        numbered
    }
}

/// The words of a text: letters and digits, with apostrophes between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '\'' | '’'));
    parts.map(|word| word.trim_matches(['\'', '’'])).filter(|word| !word.is_empty())
}
