//! One call per stage; every command, test and the editor goes through it.
//!
//! In: the path or the text of a program and the settings of the command. Out: what the stages give, with all
//! diagnostics and the texts they speak of.

mod doc;
mod explain;
mod fix;
mod format;
mod forms;
mod resume;
mod run;
mod summary;

pub use doc::{Argument, Doc, doc_of, docs};
pub use explain::{codes, explain, explanation};
pub use fix::{Fixed, fix_file};
pub use format::{Formatted, format_bytes, format_file};
pub use forms::{Stage, ir};
pub use run::{Backend, Isa, News, RunOptions, run};
pub use summary::{ModelSummary, ProgramSummary, summary};

use crate::advice;
use crate::check::{self, CheckOptions, Program, Unit, UseRequest, Used, hir::Hir};
use crate::data::{self, Paths};
use crate::diagnostics::{Diagnostic, Diagnostics, Severity, files as problems};
use crate::prelude;
use crate::source::{self, FileId, Sources, Span};
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
    /// Whether all of the prelude is read, not just what the program can reach.
    pub whole_prelude: bool,
    /// Texts that stand for what is in files, by [`identity`].
    pub texts: BTreeMap<PathBuf, String>,
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
    /// The files of the program by the identity of each; nothing that is shipped.
    pub files: BTreeMap<PathBuf, FileId>,
}

impl Checked {
    /// Whether it cannot be run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether something looks wrong.
    pub fn has_warnings(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Warning)
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
    let text = match settings.texts.get(&identity(path)) {
        Some(text) => Ok(text.clone()),
        None => read_text(path),
    };
    let text = match text {
        Ok(text) => text,
        Err(problem) => {
            let (sources, program, hir, paths, files) = Default::default();
            return Checked { sources, program, hir, diagnostics: vec![problem], paths, files };
        }
    };
    let mut checked = check_source(&path.display().to_string(), &text, Some(path), settings);
    if read_data && !checked.has_errors() {
        let mut found = Diagnostics::new();
        for (number, declared) in checked.hir.data.iter().enumerate() {
            let within = |span: Span| declared.span.to(span) == declared.span && declared.span.file == span.file;
            let is_leak = |known: &Diagnostic| known.code == "target-leak" && known.span().is_some_and(within);
            let leaks = !checked.diagnostics.iter().any(is_leak);
            if let Some(dataset) = data::load(declared, &checked.paths, &mut checked.sources, &mut found) {
                data::audit(&checked.hir, number, &dataset, leaks, &mut found);
                let counted = advice::Counted {
                    data: number,
                    training_rows: dataset.split.train.len(),
                    spreads: data::spreads(&dataset),
                };
                let advice = advice::after_counting(&checked.program, &checked.sources, &checked.hir, &counted);
                advice.into_iter().for_each(|advice| found.push(advice));
            }
        }
        // That a file is not here is no longer a hint but in the way.
        checked.diagnostics.retain(|hint| hint.code != "file-absent");
        let said = |found: &Diagnostic| {
            checked.diagnostics.iter().any(|known| known.code == found.code && known.span() == found.span())
        };
        let mut found = advice::silenced(&checked.program, &checked.sources, found.into_sorted());
        found.retain(|found| !said(found));
        checked.diagnostics.extend(found);
    }
    checked
}

/// Checks a text; `path` is where it stands, for the files it names.
pub fn check_source(name: &str, text: &str, path: Option<&Path>, settings: &Settings) -> Checked {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let mut program = Program::default();
    for (name, text) in prelude::PRELUDE {
        let ast = Ast::empty(sources.add(*name, *text));
        program.units.push(Unit { ast, uses: Vec::new(), prelude: true });
    }
    let main = sources.add(name, text);
    let ast = syntax::parse(main, text, &mut diagnostics);
    let (known, folders) = Default::default();
    let mut loader = Loader { sources: &mut sources, texts: &settings.texts, known, folders };
    if let Some(path) = path {
        loader.enter(main, path);
    }
    let mut parse = |request: UseRequest<'_>, diagnostics: &mut Diagnostics| loader.read(request, diagnostics);
    check::resolve_uses(&mut program, ast, &mut parse, &mut diagnostics);
    let mut files = loader.known;
    let shipped = match settings.whole_prelude {
        true => prelude::PRELUDE.iter().map(|(_, text)| (*text).to_owned()).collect(),
        false => {
            let own = program.units.iter().filter(|unit| !unit.prelude);
            let set = settings.set.iter().map(|(_, value)| value.as_str());
            prelude::needed(own.map(|unit| &*sources.get(unit.ast.file).text).chain(set))
        }
    };
    for (unit, text) in program.units.iter_mut().zip(shipped) {
        unit.ast = syntax::parse(unit.ast.file, &text, &mut diagnostics);
    }
    files.retain(|_, file| !sources.get(*file).name.starts_with(source::SHIPPED));
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
    if path.is_some() {
        data::border(&hir, &paths, &mut sources, &mut diagnostics);
    }
    if !diagnostics.has_errors() {
        advice::advise(&program, &sources, &hir).into_iter().for_each(|found| diagnostics.push(found));
    }
    let diagnostics = advice::silenced(&program, &sources, diagnostics.into_sorted());
    Checked { sources, program, hir, diagnostics, paths, files }
}

/// Reads the files that a program uses, each once.
struct Loader<'s> {
    sources: &'s mut Sources,
    texts: &'s BTreeMap<PathBuf, String>,
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
                let text = self.texts.get(&identity(&path)).cloned();
                let bytes = match text.map_or_else(|| read_bytes(&path), |text| Ok(text.into_bytes())) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        diagnostics.push(problems::use_not_found(span, path.display(), &error));
                        return None;
                    }
                };
                let name = path.display().to_string();
                match as_text(&name, bytes) {
                    Ok(text) => (name, path, text),
                    Err(problem) => {
                        diagnostics.push(problem.at(span, "named here"));
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

/// Bytes in a file of a program, at most.
const MOST_TEXT: u64 = 1 << 26;

/// The same path for the same file, however it is written.
pub fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The bytes of a file of a program; not of one without an end, as a device may be.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MOST_TEXT + 1), &mut bytes)?;
    if read as u64 > MOST_TEXT {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let bytes = read_bytes(path).map_err(|error| problems::program_unreadable(path.display(), &error))?;
    as_text(&path.display().to_string(), bytes)
}

fn as_text(name: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        problems::program_not_text(name, 1 + valid.iter().filter(|&&byte| byte == b'\n').count())
    })
}

/// Writes a file whole or not at all: a temporary file beside it takes its place. Links stay links, permissions what they are.
pub fn replace_file(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let path = path.canonicalize()?;
        let permissions = fs::metadata(&path)?.permissions();
        if permissions.readonly() {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(|error| Failure::of(problems::file_unwritable(path.display(), &error)))
}
