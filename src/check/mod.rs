//! Checks an [`Ast`](crate::syntax::ast::Ast) and gives it its typed form.
//!
//! In: the trees of the prelude, of the files a program uses and of its main file. Out: a [`Hir`], and in `diagnostics` every
//! problem of names, kinds, types, shapes and training. Each declaration is checked once where it stands, with its dimensions
//! symbolic, then each use with numbers. Where nothing was reported, every body of the result is well typed and every
//! extent is at least 0; where something was, the result holds what could be understood.
//! No input makes it panic, recurse without bound or run without bound.

mod arithmetic;
mod blocks;
mod body;
mod branches;
mod calls;
mod columns;
mod configure;
mod data;
mod dim;
mod elementwise;
mod generic;
pub mod hir;
mod infer;
mod lookup;
pub mod manual;
mod models;
mod names;
mod numbers;
mod places;
mod primitives;
pub mod print;
mod shaping;
mod signatures;
mod sources;
mod tokens;
mod train;
mod types;
mod verify;
mod windows;

pub(crate) use numbers::elementwise;

pub use names::{Program, Unit, UseRequest, Used, resolve_uses};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Sources;
use hir::Hir;
use infer::Walker;
use names::{Declared, Globals};

/// The columns of a source as far as they are known before it is read; `None` where that is not looked at, an error
/// where the file is there and is not what it should be.
pub type Probe<'o> = dyn Fn(&hir::SourceSpec) -> Option<Result<hir::Schema, Box<Diagnostic>>> + Sync + 'o;

/// Whether the language itself gives the name a meaning.
pub fn is_primitive(name: &str) -> bool {
    primitives::find(name).is_some()
}

/// Settings and limits of a check.
pub struct CheckOptions<'o> {
    /// `--set NAME=VALUE`: values of `const` declarations.
    pub overrides: Vec<(String, String)>,
    /// Looks at the head of a data file.
    pub probe: &'o Probe<'o>,
    /// `--only NAME`: the other runs are left out.
    pub only: Option<String>,
    /// The most elements a tensor may have, and all parameters of a model together.
    pub most_elements: u64,
    /// The most values the bodies of a program may have together.
    pub most_values: u64,
    /// The most expressions the walk may look at beyond those that are written, a few times each.
    pub most_steps: u64,
}

impl Default for CheckOptions<'_> {
    fn default() -> Self {
        CheckOptions {
            overrides: Vec::new(),
            probe: &|_| None,
            only: None,
            most_elements: 1 << 31,
            most_values: 1_000_000,
            most_steps: 1_000_000,
        }
    }
}

/// The stack of the walk; how deep it goes is limited, this is well above what the limits allow.
const STACK: usize = 256 << 20;

/// Checks a program.
pub fn check(program: &Program, sources: &Sources, options: &CheckOptions<'_>, diagnostics: &mut Diagnostics) -> Hir {
    // What is known to be wrong already keeps the walk from wondering about what follows from it.
    let earlier = diagnostics.clone();
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let walk = builder.spawn_scoped(scope, || {
            let mut own = earlier;
            let hir = check_here(program, sources, options, &mut own);
            (hir, own)
        });
        match walk.map(|walk| walk.join()) {
            Ok(Ok((hir, own))) => {
                *diagnostics = own;
                hir
            }
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => check_here(program, sources, options, diagnostics),
        }
    })
}

fn check_here(program: &Program, sources: &Sources, options: &CheckOptions<'_>, diagnostics: &mut Diagnostics) -> Hir {
    if program.units.is_empty() {
        return Hir::default();
    }
    let globals = Globals::collect(program, options, diagnostics);
    let mut walker = Walker::new(program, &globals, sources, options, diagnostics);
    walker.check_declarations();
    let mut hir = Hir { declarations: declarations(&globals, sources), ..Hir::default() };
    walker.data_and_runs(&mut hir);
    if cfg!(debug_assertions)
        && !walker.diagnostics.has_errors()
        && let Err(fault) = verify::verify(&hir)
    {
        panic!("the checker breaks its word: {fault}\n{}", print::print(&hir));
    }
    hir
}

impl<'a> Walker<'a> {
    /// The main file's data, models and runs, with numbers.
    fn data_and_runs(&mut self, hir: &mut Hir) {
        let globals = self.globals;
        let wanted: Vec<&str> = globals.trains.iter().map(|(_, train)| train.data.value.as_str()).collect();
        for declaration in &globals.declarations {
            let Declared::Data(item) = declaration.what else { continue };
            let used = declaration.unit == globals.main || wanted.contains(&item.name.value.as_str());
            if used && !self.halted {
                self.start_block(declaration.unit);
                hir.data.extend(data::data(self, item, declaration.item.span));
            }
        }
        train::models_and_runs(self, hir);
    }
}

/// The declarations as the editor and the documentation show them.
fn declarations(globals: &Globals<'_>, sources: &Sources) -> Vec<hir::Declaration> {
    let shown = globals.declarations.iter().map(|declaration| {
        let span = declaration.item.span;
        let text = sources.slice(span);
        let end = match declaration.what {
            Declared::Const(_) | Declared::Callable(_) => head_length(text),
            Declared::Data(_) => text.find('{').unwrap_or(text.len()),
        };
        hir::Declaration {
            keyword: declaration.keyword(),
            kind: declaration.callable().map(|callable| callable.kind),
            name: declaration.name.clone(),
            signature: on_one_line(&text[..end]),
            doc: declaration.item.doc.clone(),
            span,
        }
    });
    shown.collect()
}

/// A head without its line ends and comments.
fn on_one_line(head: &str) -> String {
    let lines = head.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

/// The length of a declaration's head: up to the `=` or `{` of its body, outside of brackets.
fn head_length(text: &str) -> usize {
    let mut depth = 0usize;
    let mut enumeration = false;
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth > 0 => enumeration = true,
            '}' if enumeration => enumeration = false,
            '=' | '{' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}
