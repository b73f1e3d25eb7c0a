//! One call per stage; every command, test and the editor goes through it.
//!
//! In: the path or the text of a program and the settings of the command. Out: what the stages give, with all
//! diagnostics and the texts they speak of.

mod forms;
mod run;

pub use forms::{Stage, ir};
pub use run::{Backend, Isa, Outcome, RunOptions, run};

use crate::check::{self, CheckOptions, Program, Unit, UseRequest, Used, hir::Hir};
use crate::data::{self, Paths};
use crate::diagnostics::{Diagnostic, Diagnostics, Severity, files as problems, nearest};
use crate::prelude;
use crate::source::{FileId, Sources};
use crate::syntax::{self, ast::Ast, ast::UseTarget};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a command sets from outside the program.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--set NAME=VALUE`.
    pub set: Vec<(String, String)>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--only`.
    pub only: Option<String>,
}

/// A program as far as it could be understood.
#[derive(Debug)]
pub struct Checked {
    /// The texts.
    pub sources: Sources,
    /// The trees, the main file's last.
    pub program: Program,
    /// The typed form.
    pub hir: Hir,
    /// What was found, in the order it is shown.
    pub diagnostics: Vec<Diagnostic>,
    /// Where its data files are looked for.
    pub paths: Paths,
}

impl Checked {
    /// Whether it cannot be run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The texts that the diagnostics speak of.
    pub sources: Sources,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    fn of(diagnostic: Diagnostic) -> Failure {
        Failure { sources: Sources::new(), diagnostics: vec![diagnostic] }
    }
}

/// All diagnostics of one text that stands for a file called `name`, in the order they are shown. No file is read.
pub fn check_text(name: &str, text: &str) -> (Sources, Vec<Diagnostic>) {
    let checked = check_program(name, text);
    (checked.sources, checked.diagnostics)
}

/// Checks a text that stands for a file called `name`. No file is read.
pub fn check_program(name: &str, text: &str) -> Checked {
    check_source(name, text, None, &Settings::default())
}

/// Checks the program in a file, and with `read_data` every row of its data.
pub fn check_file(path: &Path, settings: &Settings, read_data: bool) -> Checked {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(problem) => {
            let (sources, program, hir, paths) = Default::default();
            return Checked { sources, program, hir, diagnostics: vec![problem], paths };
        }
    };
    let mut checked = check_source(&path.display().to_string(), &text, Some(path), settings);
    if read_data && !checked.has_errors() {
        let mut found = Diagnostics::new();
        for data in &checked.hir.data {
            data::load(data, &checked.paths, &mut checked.sources, &mut found);
        }
        checked.diagnostics.extend(found.into_sorted());
    }
    checked
}

/// Checks a text; `path` is where it stands, for the files it names.
pub fn check_source(name: &str, text: &str, path: Option<&Path>, settings: &Settings) -> Checked {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let mut program = Program::default();
    for (name, text) in prelude::PRELUDE {
        let file = sources.add(*name, *text);
        let ast = syntax::parse(file, text, &mut diagnostics);
        program.units.push(Unit { ast, uses: Vec::new(), prelude: true });
    }
    let main = sources.add(name, text);
    let ast = syntax::parse(main, text, &mut diagnostics);
    let mut loader = Loader { sources: &mut sources, known: BTreeMap::new(), folders: BTreeMap::new() };
    if let Some(path) = path {
        loader.enter(main, path);
    }
    let mut parse = |request: UseRequest<'_>, diagnostics: &mut Diagnostics| loader.read(request, diagnostics);
    check::resolve_uses(&mut program, ast, &mut parse, &mut diagnostics);
    let program_dir = path.and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
    let paths = Paths { program_dir, data_dir: settings.data_dir.clone() };
    let probe = |source: &check::hir::SourceSpec| match path {
        Some(_) => data::schema(source, &paths).map(|schema| schema.map_err(Box::new)),
        None => None,
    };
    let options = CheckOptions {
        overrides: settings.set.clone(),
        probe: &probe,
        only: settings.only.clone(),
        ..CheckOptions::default()
    };
    let hir = check::check(&program, &sources, &options, &mut diagnostics);
    Checked { sources, program, hir, diagnostics: diagnostics.into_sorted(), paths }
}

/// Reads the files that a program uses, each once.
struct Loader<'s> {
    sources: &'s mut Sources,
    known: BTreeMap<PathBuf, FileId>,
    folders: BTreeMap<FileId, PathBuf>,
}

impl Loader<'_> {
    fn enter(&mut self, file: FileId, path: &Path) {
        self.known.insert(identity(path), file);
        self.folders.insert(file, path.parent().unwrap_or(Path::new("")).to_path_buf());
    }

    fn read(&mut self, request: UseRequest<'_>, diagnostics: &mut Diagnostics) -> Option<Used> {
        let span = request.target.span();
        let (name, path, text) = match request.target {
            UseTarget::Module(names) => {
                let dotted: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                let module = dotted.strip_prefix(&["std"]).and_then(|rest| prelude::module(&rest.join(".")));
                let Some((name, text)) = module else {
                    let shipped: Vec<&str> = prelude::MODULES.iter().map(|(name, _)| *name).collect();
                    diagnostics.push(problems::unknown_module(span, &dotted.join("."), &shipped));
                    return None;
                };
                (name.to_owned(), PathBuf::from(name), text.to_owned())
            }
            UseTarget::Path(written) => {
                let path = self.folders.get(&request.from).map_or_else(PathBuf::new, |dir| dir.join(&written.value));
                match fs::read_to_string(&path) {
                    Ok(text) => (path.display().to_string(), path, text),
                    Err(error) => {
                        diagnostics.push(problems::use_not_found(span, path.display(), &error));
                        return None;
                    }
                }
            }
        };
        if let Some(&file) = self.known.get(&identity(&path)) {
            return Some(Used::Known(file));
        }
        let file = self.sources.add(name, text.as_str());
        self.enter(file, &path);
        Some(Used::New(syntax::parse(file, &text, diagnostics)))
    }
}

/// The same path for the same file, however it is written.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let bytes = fs::read(path).map_err(|error| problems::program_unreadable(path.display(), &error))?;
    as_text(&path.display().to_string(), bytes)
}

fn as_text(name: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        problems::program_not_text(name, 1 + valid.iter().filter(|&&byte| byte == b'\n').count())
    })
}

/// A formatted text.
#[derive(Debug)]
pub struct Formatted {
    /// The text.
    pub text: String,
    /// Whether it differs from what it was.
    pub changed: bool,
    /// The text as it was.
    pub sources: Sources,
    /// Its mistakes of grammar; what has one stays as it was written.
    pub diagnostics: Vec<Diagnostic>,
}

/// Formats the text of a file.
pub fn format_file(path: &Path) -> Result<Formatted, Failure> {
    let text = read_text(path).map_err(Failure::of)?;
    Ok(format_text(&path.display().to_string(), text))
}

/// Formats bytes that should be a text.
pub fn format_bytes(name: &str, bytes: Vec<u8>) -> Result<Formatted, Failure> {
    Ok(format_text(name, as_text(name, bytes).map_err(Failure::of)?))
}

fn format_text(name: &str, text: String) -> Formatted {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let file = sources.add(name, text.as_str());
    let ast: Ast = syntax::parse(file, &text, &mut diagnostics);
    let formatted = syntax::format(&ast, sources.get(file));
    Formatted { changed: formatted != text, text: formatted, sources, diagnostics: diagnostics.into_sorted() }
}

/// Writes a file whole or not at all: a temporary file beside it takes its place.
pub fn replace_file(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let path = path.canonicalize()?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| Failure::of(problems::file_unwritable(path.display(), &error)))
}

/// The text that explains the diagnostics, a section each.
const ERRORS: &str = include_str!("../docs/errors.md");

/// The explained codes with the first sentence of each.
pub fn codes() -> impl Iterator<Item = (&'static str, String)> {
    sections().map(|(code, section)| {
        let paragraph = section.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
        (code, paragraph[..end].to_owned())
    })
}

/// The long form of a diagnostic, or the code that the unknown one resembles.
pub fn explain(code: &str) -> Result<String, Option<&'static str>> {
    match sections().find(|(known, _)| *known == code) {
        Some((code, section)) => Ok(format!("{code}\n\n{section}")),
        None => Err(nearest(code, sections().map(|(known, _)| known))),
    }
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    ERRORS
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(code, text)| (code.trim(), text.trim()))
}
