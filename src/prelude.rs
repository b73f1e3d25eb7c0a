//! `std-models/`, embedded in the binary.
//!
//! The files of the prelude are part of every program; the others are brought in by `use std.NAME`. A program needs few of
//! the prelude's declarations, and reading them all takes longer than reading the program: [`needed`] gives the prelude's
//! texts with what a program cannot reach blanked out.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// A shipped file: the name diagnostics show, and its text.
pub type Shipped = (&'static str, &'static str);

macro_rules! shipped {
    ($path:literal) => {
        (concat!("std:", $path), include_str!(concat!("../std-models/", $path)))
    };
}

/// The prelude, in the order it is read.
pub const PRELUDE: &[Shipped] = &[
    shipped!("prelude/activations.nn"),
    shipped!("prelude/losses.nn"),
    shipped!("prelude/metrics.nn"),
    shipped!("prelude/penalties.nn"),
    shipped!("prelude/inits.nn"),
    shipped!("prelude/schedules.nn"),
    shipped!("prelude/optimizers.nn"),
    shipped!("prelude/layers.nn"),
    shipped!("prelude/images.nn"),
    shipped!("prelude/sequences.nn"),
];

/// The modules that `use std.NAME` can name.
pub const MODULES: &[(&str, Shipped)] = &[
    ("vision", shipped!("vision.nn")),
    ("sequence", shipped!("sequence.nn")),
    ("tabular", shipped!("tabular.nn")),
    ("metric", shipped!("metric.nn")),
    ("generative", shipped!("generative.nn")),
    ("clustering", shipped!("clustering.nn")),
];

/// The module of that name.
pub fn module(name: &str) -> Option<Shipped> {
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, shipped)| *shipped)
}

/// A declaration of the prelude as it stands in its file.
#[derive(Debug)]
pub struct Entry {
    /// The word for its kind: `layer`.
    pub keyword: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The index of its file in [`PRELUDE`].
    file: usize,
    /// Its bytes, from its documentation to the end of its body.
    bytes: std::ops::Range<usize>,
}

/// The declarations of the prelude, in the order they are read.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| PRELUDE.iter().enumerate().flat_map(|(file, (_, text))| entries_of(file, text)).collect())
}

/// A declaration begins where a line begins with a word, and with the comments above it.
fn entries_of(file: usize, text: &'static str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut at, mut comments) = (0, None);
    for line in text.split_inclusive('\n') {
        let mut words = words(line);
        match line.as_bytes()[0] {
            b'/' => {
                comments.get_or_insert(at);
            }
            b'a'..=b'z' => {
                let start = comments.take().unwrap_or(at);
                let (keyword, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                entries.push(Entry { keyword, name, file, bytes: start..at + line.len() });
            }
            b'\n' => comments = None,
            _ => {
                if let Some(last) = entries.last_mut() {
                    last.bytes.end = at + line.len();
                }
            }
        }
        at += line.len();
    }
    entries
}

/// The names, keywords and other words of a text, those in comments too.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !part(c)).filter(|word| !word.is_empty())
}

/// The texts of the prelude, each declaration that cannot be reached from the words of the program's texts replaced by as
/// many blanks: what is left stands where it stood.
pub fn needed<'t>(program: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    static BY_NAME: OnceLock<HashMap<&'static str, Vec<usize>>> = OnceLock::new();
    let entries = entries();
    let by_name = BY_NAME.get_or_init(|| {
        let mut by_name: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            by_name.entry(entry.name).or_default().push(at);
        }
        by_name
    });
    let mut known: HashSet<&'static str> = HashSet::new();
    let mut open: Vec<&[usize]> = Vec::new();
    let mut reach = |word: &str, open: &mut Vec<&[usize]>| {
        if let Some((name, found)) = by_name.get_key_value(word)
            && known.insert(name)
        {
            open.push(found);
        }
    };
    program.into_iter().flat_map(words).for_each(|word| reach(word, &mut open));
    let mut kept = vec![false; entries.len()];
    while let Some(found) = open.pop() {
        for &at in found {
            kept[at] = true;
            let entry = &entries[at];
            words(&PRELUDE[entry.file].1[entry.bytes.clone()]).for_each(|word| reach(word, &mut open));
        }
    }
    let mut texts: Vec<Vec<u8>> = PRELUDE.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
    for (entry, _) in entries.iter().zip(kept).filter(|(_, kept)| !kept) {
        let bytes = &mut texts[entry.file][entry.bytes.clone()];
        bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    texts.into_iter().map(|text| String::from_utf8(text).expect("blanks replace whole characters")).collect()
}
