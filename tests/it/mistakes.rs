//! One random edit of a number, a name, an operator or a bracket of a correct program: what is said about it stands in the
//! declaration that was edited, and little else is said. `NNC_EDITS` and `NNC_SEED` ask for more edits, and for others.
//!
//! The compiler sees the program after the edit only. Where the edited declaration is right by itself (its name, its signature, a
//! field's type or a default became another that is as good), nothing in it is wrong: wrong is what uses it as it was. Then, and only
//! then, the place may be in a declaration that uses it, or that a run brings together with it.

use std::collections::HashSet;
use std::ops::Range;
use std::panic::catch_unwind;

use crate::edits::{Random, texts};
use nnc::diagnostics::render;
use nnc::diagnostics::{Diagnostic, Diagnostics, Severity};
use nnc::driver;
use nnc::source::{FileId, Sources, Span};
use nnc::syntax::{
    self,
    ast::{CallableKind, ExprKind, ItemKind},
};

/// So many edits of each program, where the environment does not ask for more.
const EDITS: usize = 18;

/// At most so much is said about one edit.
const MOST: usize = 3;

const OPERATORS: [&str; 17] =
    ["|>", "->", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "@", "^", "<", ">", "=", ","];

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

/// A declaration: where it stands, up to the next one, and what it is called, where it has a name.
struct Declaration {
    place: Range<usize>,
    name: Option<String>,
    kind: &'static str,
}

/// The declarations of a program.
fn declarations(text: &str) -> Vec<Declaration> {
    let ast = syntax::parse(FileId(0), text, &mut Diagnostics::new());
    let starts = ast.items.iter().map(|item| item.span.start as usize);
    let ends = starts.clone().skip(1).chain([text.len()]);
    let named = ast.items.iter().map(|item| match &item.kind {
        ItemKind::Const { name, .. } => (Some(name.value.clone()), "const"),
        ItemKind::Callable(callable) => (Some(callable.name.value.clone()), callable.kind.keyword()),
        ItemKind::Data(data) => (Some(data.name.value.clone()), "data"),
        ItemKind::Train(_) => (None, "train"),
        ItemKind::Use(_) => (None, "use"),
        ItemKind::Error => (None, ""),
    });
    let places = starts.zip(ends).map(|(start, end)| start..end);
    places.zip(named).map(|(place, (name, kind))| Declaration { place, name, kind }).collect()
}

/// The names in a text.
fn words(text: &str) -> HashSet<&str> {
    pieces(text).into_iter().filter(|(piece, _)| *piece == Piece::Name).map(|(_, at)| &text[at]).collect()
}

/// A program after an edit.
struct Edited<'a> {
    file: &'a str,
    text: String,
    /// The declarations before the edit, their places those after it.
    declarations: Vec<Declaration>,
    /// Which of them was edited.
    at: usize,
}

impl<'a> Edited<'a> {
    fn new(file: &'a str, text: &str, range: &Range<usize>, new: &str) -> Option<Edited<'a>> {
        let mut declarations = declarations(text);
        let at = declarations.iter().position(|declaration| declaration.place.contains(&range.start))?;
        let moved = |offset: usize| offset + new.len() - range.len();
        declarations[at].place.end = moved(declarations[at].place.end);
        for declaration in &mut declarations[at + 1..] {
            declaration.place = moved(declaration.place.start)..moved(declaration.place.end);
        }
        let text = format!("{}{new}{}", &text[..range.start], &text[range.end..]);
        Some(Edited { file, text, declarations, at })
    }

    fn words(&self, declaration: usize) -> HashSet<&str> {
        words(&self.text[self.declarations[declaration].place.clone()])
    }

    /// Whether a place begins in the declaration; what is missing at the end of the text is missing in the last one.
    fn holds(&self, declaration: usize, span: Span, sources: &Sources) -> bool {
        let (place, start) = (&self.declarations[declaration].place, span.start as usize);
        let at_the_end = start == self.text.len() && place.end == start;
        sources.get(span.file).name == self.file && (place.contains(&start) || at_the_end)
    }

    /// Whether the edited declaration is right as it stands: checked with what it uses and nothing else, it has no error.
    fn is_right_alone(&self) -> bool {
        let own = self.name_now();
        let mut kept = vec![false; self.declarations.len()];
        kept[self.at] = true;
        let mut open = vec![self.at];
        while let Some(next) = open.pop() {
            let words = self.words(next);
            for (number, declaration) in self.declarations.iter().enumerate() {
                let used = declaration.name.as_ref().is_none_or(|name| words.contains(name.as_str()));
                let same = declaration.name.is_some() && declaration.name == own;
                if used && !same && declaration.kind != "train" && !std::mem::replace(&mut kept[number], true) {
                    open.push(number);
                }
            }
        }
        let mut alone = self.text.clone();
        for (declaration, _) in self.declarations.iter().zip(kept).filter(|(_, kept)| !kept) {
            let blank: String =
                alone[declaration.place.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
            alone.replace_range(declaration.place.clone(), &blank);
        }
        let (_, diagnostics) = driver::check_text(self.file, &alone);
        diagnostics.iter().all(|problem| problem.severity != Severity::Error)
    }

    /// What the edited declaration is called behind the edit.
    fn name_now(&self) -> Option<String> {
        let start = self.declarations[self.at].place.start;
        declarations(&self.text).into_iter().find(|other| other.place.start == start)?.name
    }

    /// The declarations that use the edited one, by its name before the edit or behind it, themselves or by way of others (a shape
    /// that only numbers decide is told where the numbers are), and what a run brings together with it.
    fn users(&self) -> HashSet<usize> {
        let edited = &self.declarations[self.at];
        let mut names: Vec<String> = edited.name.iter().cloned().chain(self.name_now()).collect();
        let mut users = HashSet::new();
        loop {
            let found = (0..self.declarations.len()).find(|other| {
                let words = self.words(*other);
                let uses = edited.kind == "use" || names.iter().any(|name| words.contains(name.as_str()));
                uses && !users.contains(other)
            });
            let Some(found) = found else { break };
            users.insert(found);
            names.extend(self.declarations[found].name.clone());
        }
        let runs = users.iter().filter(|&&user| self.declarations[user].kind == "train");
        let run_with: HashSet<&str> = runs.flat_map(|&run| self.words(run)).collect();
        let together = self.declarations.iter().enumerate().filter(|(_, other)| {
            let named = other.name.as_ref().is_some_and(|name| run_with.contains(name.as_str()));
            named && ["data", "model"].contains(&other.kind)
        });
        let together: Vec<usize> = together.map(|(number, _)| number).collect();
        users.extend(together);
        users
    }

    /// What is wrong with what is said.
    fn fault(&self) -> Option<String> {
        let checked = catch_unwind(|| driver::check_text(self.file, &self.text));
        let Ok((sources, diagnostics)) = checked else { return Some("panics".to_owned()) };
        let errors: Vec<&Diagnostic> =
            diagnostics.iter().filter(|problem| problem.severity == Severity::Error).collect();
        let said = || errors.iter().map(|problem| render::short(problem, &sources)).collect::<Vec<_>>();
        if errors.is_empty() {
            return None;
        }
        if errors.len() > MOST {
            return Some(format!("{} problems: {:#?}", errors.len(), said()));
        }
        let told_in = |declaration: usize| {
            errors.iter().any(|problem| problem.span().is_some_and(|span| self.holds(declaration, span, &sources)))
        };
        if told_in(self.at) || self.users().into_iter().any(told_in) && self.is_right_alone() {
            return None;
        }
        Some(format!("nothing of it in what was edited: {:#?}", said()))
    }
}

/// The correct programs that are edited.
fn programs() -> Vec<(String, String)> {
    ["examples", "std-models", "tests/fixtures/check"].iter().flat_map(|folder| texts(folder)).collect()
}

/// A number from the environment.
fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn one_edit_is_told_where_it_is_and_hardly_twice() {
    let mut faults = Vec::new();
    let (edits, seed) = (from_environment("NNC_EDITS", EDITS), from_environment("NNC_SEED", 41));
    for (number, (name, text)) in programs().iter().enumerate() {
        let pieces = pieces(text);
        let mut words: Vec<String> = words(text).into_iter().map(str::to_owned).collect();
        words.sort();
        let mut random = Random::new((seed + number) as u64);
        for _ in 0..edits {
            let (piece, at) = pieces[random.below(pieces.len())].clone();
            let new = changed(&text[at.clone()], piece, &words, &mut random);
            let Some(edited) = Edited::new(name, text, &at, &new) else { continue };
            if let Some(fault) = edited.fault() {
                let line = text[..at.start].matches('\n').count();
                let shown = edited.text.lines().nth(line).unwrap_or_default();
                faults.push(format!("{name}:{}: `{}` became `{new}`:\n{shown}\n{fault}", line + 1, &text[at]));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// How many names a `let`, a `const`, a `param`, a `state`, a field or the head of a declaration binds: so many may be missing, or be bound twice, when the line
/// is gone or stands twice.
fn bound(line: &str) -> usize {
    let Some((before, _)) = line.trim().split_once('=') else { return 0 };
    let first = before.split(' ').next().unwrap_or_default();
    if line.trim_end().ends_with('{') && CallableKind::of_keyword(first).is_some() {
        return words(before).len();
    }
    let keywords = ["let ", "const ", "param ", "state "];
    let names = keywords.iter().find_map(|keyword| before.strip_prefix(keyword)).unwrap_or(before);
    let names = names.split(':').next().unwrap_or_default().trim();
    let names = names.strip_prefix('(').and_then(|names| names.strip_suffix(')')).unwrap_or(names);
    let one = |name: &str| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if names.split(',').all(|name| one(name.trim())) { names.split(',').count() } else { 0 }
}

/// Where expressions use names: outside of data, whose columns only their files know, and of types, which bind what they name.
fn uses(text: &str) -> Vec<Range<usize>> {
    let ast = syntax::parse(FileId(0), text, &mut Diagnostics::new());
    let is_data = |kind: &ItemKind| matches!(kind, ItemKind::Data(_));
    let data: Vec<Span> = ast.items.iter().filter(|item| is_data(&item.kind)).map(|item| item.span).collect();
    let names = ast.exprs.iter().filter(|expr| matches!(expr.kind, ExprKind::Name(_)));
    let outside = names.map(|expr| expr.span).filter(|span| !data.iter().any(|data| data.contains(*span)));
    let places = outside.map(|span| span.start as usize..span.end as usize);
    places.filter(|place| !is_in_type(&text[..place.start])).collect()
}

/// Whether a text ends with `class(…)`.
fn is_class(before: &str) -> bool {
    before.rsplit_once("class(").is_some_and(|(_, inside)| inside.find(')').is_some_and(|at| at + 1 == inside.len()))
}

/// Whether the end of a text is in the brackets of a shape behind `:` or `->`.
fn is_in_type(before: &str) -> bool {
    let mut closed = 0;
    for (at, letter) in before.char_indices().rev() {
        match letter {
            ')' | ']' | '}' => closed += 1,
            '(' | '[' | '{' if closed > 0 => closed -= 1,
            '[' if before[..at].trim_end().ends_with([':', '>']) => return true,
            '(' if before[..at].ends_with("class") => return true,
            '[' if is_class(&before[..at]) => return true,
            '{' => return false,
            _ => {}
        }
    }
    false
}

#[test]
fn a_name_that_nothing_has_is_told() {
    let mut faults = Vec::new();
    let (edits, seed) = (from_environment("NNC_EDITS", EDITS / 3), from_environment("NNC_SEED", 47));
    let mut tried = 0;
    for (number, (name, text)) in programs().iter().enumerate() {
        let uses = uses(text);
        let mut random = Random::new((seed + number) as u64);
        for _ in 0..edits.min(uses.len()) {
            let at = uses[random.below(uses.len())].clone();
            let edited = format!("{}zzq9{}", &text[..at.start], &text[at.end..]);
            let (_, diagnostics) = driver::check_text(name, &edited);
            tried += 1;
            if diagnostics.iter().all(|problem| problem.severity != Severity::Error) {
                let line = edited[..at.start].matches('\n').count();
                let shown = edited.lines().nth(line).unwrap_or_default();
                faults.push(format!("{name}:{}: `{}` became `zzq9`:\n{shown}", line + 1, &text[at]));
            }
        }
    }
    assert!(tried > 100, "{tried} edits");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn one_line_less_or_twice_is_told_shortly() {
    let mut faults = Vec::new();
    let (edits, seed) = (from_environment("NNC_EDITS", EDITS / 3), from_environment("NNC_SEED", 43));
    for (number, (name, text)) in programs().iter().enumerate() {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut random = Random::new((seed + number) as u64);
        for _ in 0..edits {
            let at = random.below(lines.len());
            let mut edited = lines.clone();
            let twice = random.below(2) == 0;
            if twice {
                edited.insert(at, lines[at]);
            } else {
                edited.remove(at);
            }
            let edited = edited.concat();
            let what = format!("{name}:{}: {} {}", at + 1, if twice { "twice" } else { "gone" }, lines[at].trim_end());
            let Ok((sources, diagnostics)) = catch_unwind(|| driver::check_text(name, &edited)) else {
                faults.push(format!("{what}: panics"));
                continue;
            };
            let errors: Vec<String> = diagnostics
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .map(|problem| render::short(problem, &sources))
                .collect();
            if errors.len() > MOST.max(bound(lines[at])) {
                faults.push(format!("{what}: {errors:#?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
