//! The `.nn` texts of the repository, and random edits of a text, the same ones on every machine.

use std::path::Path;

/// The `.nn` files below a folder of the repository, by name, sorted; none where the folder does not exist.
#[allow(dead_code, reason = "the benchmark of edits has texts of its own")]
pub(crate) fn texts(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(texts(&name));
        } else if name.ends_with(".nn") {
            found.push((name, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

/// A small generator of random numbers (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit as u64) as usize
    }
}

/// What is put in: signs, words and whole phrases, good ones and bad ones.
const SNIPPETS: [&str; 82] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    ",",
    ":",
    "=",
    "==",
    "|>",
    "->",
    "..",
    "+",
    "-",
    "*",
    "/",
    "%",
    "@",
    "^",
    "<",
    ">=",
    "\n",
    "\n\n",
    " ",
    "\t",
    "\r\n",
    "// x",
    "/// x\n",
    "#",
    ";",
    "$",
    "'",
    "ä",
    "😀",
    "\u{0}",
    "\u{a0}",
    "0",
    "7",
    "1e-3",
    "60%",
    ".5",
    "1e",
    "99999999999999999999",
    "x",
    "n",
    "..s",
    "if",
    "then",
    "else",
    "and",
    "not ",
    "let ",
    "let a = ",
    "param ",
    "state ",
    "next ",
    "emit ",
    "each ",
    "repeat 3 ",
    "scan ",
    " over ",
    " from ",
    " on ",
    " as ",
    "true",
    "layer ",
    "model ",
    "train ",
    "data ",
    "const ",
    "fn ",
    "use ",
    "optimizer ",
    "class(",
    "[n]",
    "{ let a = 1\n a }",
    "if x then ",
    "else if x then ",
    "|> dense(3) ",
    "def f(x):\n  return x\n",
];

/// `count` texts, each `text` after one to four random edits: something put in, taken out, replaced, moved or doubled.
pub(crate) fn edits(text: &str, count: usize, seed: u64) -> impl Iterator<Item = String> + use<'_> {
    (0..count).map(move |round| {
        let mut random = Random::new(seed.wrapping_add(round as u64).wrapping_mul(2) + 1);
        let mut edited = text.to_string();
        for _ in 0..=random.below(4) {
            edited = edit(&edited, &mut random);
        }
        edited
    })
}

fn edit(text: &str, random: &mut Random) -> String {
    let (start, end) = range(text, random);
    let (head, cut, tail) = (&text[..start], &text[start..end], &text[end..]);
    let snippet = SNIPPETS[random.below(SNIPPETS.len())];
    match random.below(6) {
        0 => format!("{head}{snippet}{cut}{tail}"),
        1 => format!("{head}{tail}"),
        2 => format!("{head}{snippet}{tail}"),
        3 => format!("{head}{cut}{cut}{tail}"),
        4 => {
            let rest = format!("{head}{tail}");
            let at = boundary(&rest, random.below(rest.len() + 1));
            format!("{}{cut}{}", &rest[..at], &rest[at..])
        }
        _ => head.to_string() + &cut.chars().rev().collect::<String>() + tail,
    }
}

/// A byte, a word, the rest of a line or a few lines.
fn range(text: &str, random: &mut Random) -> (usize, usize) {
    let start = boundary(text, random.below(text.len() + 1));
    let rest = &text[start..];
    let length = match random.below(4) {
        0 => rest.chars().next().map_or(0, char::len_utf8),
        1 => rest.find(|next: char| !next.is_ascii_alphanumeric()).unwrap_or(rest.len()),
        2 => rest.find('\n').unwrap_or(rest.len()),
        _ => boundary(rest, random.below(80).min(rest.len())),
    };
    (start, start + length)
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
