//! Finding and reading the files that a source names.
//!
//! In: a path as written in the program. Out: its bytes, or a diagnostic at the path that says what is in the way.
//! A path is looked up beside the program first, then in the data directory.

use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Spanned;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the files of a program are looked up.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// The directory of the `.nn` file.
    pub program_dir: PathBuf,
    /// The directory given by `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

impl Paths {
    fn directories(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.program_dir.as_path()).chain(self.data_dir.as_deref())
    }

    /// The first place where the file or one of its other names exists.
    pub(super) fn find(&self, path: &str, others: &[String]) -> Option<PathBuf> {
        let names = || std::iter::once(path).chain(others.iter().map(String::as_str));
        self.directories().flat_map(|directory| names().map(|name| directory.join(name))).find(|file| file.exists())
    }

    /// The same, or the diagnostic that it is not there.
    pub(super) fn find_or_report(&self, path: &Spanned<String>, others: &[String]) -> Result<PathBuf, Diagnostic> {
        if let Some(found) = self.find(&path.value, others) {
            return Ok(found);
        }
        Err(report::file_not_found(path, &self.tried(&path.value), self.near(&path.value).as_deref()))
    }

    /// What to say of a file that is not there while nothing is read.
    pub(super) fn absent(&self, path: &Spanned<String>, others: &[String]) -> Option<Diagnostic> {
        match self.find(&path.value, others) {
            Some(_) => None,
            None => Some(report::file_absent(path, &self.tried(&path.value), self.near(&path.value).as_deref())),
        }
    }

    fn tried(&self, path: &str) -> Vec<String> {
        self.directories().map(|directory| shown(&directory.join(path))).collect()
    }

    /// A file whose name resembles the one that is not there, written as it would be in the program.
    fn near(&self, path: &str) -> Option<String> {
        let wanted = Path::new(path);
        let name = wanted.file_name()?.to_str()?;
        let mut listed = Vec::new();
        for directory in self.directories() {
            let folder = directory.join(wanted).parent()?.to_path_buf();
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let files = entries.take(MOST_LISTED).flatten().filter(|entry| entry.path().is_file());
            listed.extend(files.filter_map(|entry| entry.file_name().into_string().ok()));
        }
        listed.sort();
        let nearest = crate::diagnostics::nearest(name, listed.iter().map(String::as_str))?;
        Some(shown(&wanted.with_file_name(nearest)))
    }
}

/// Directory entries looked at for a suggestion.
const MOST_LISTED: usize = 10_000;

/// Bytes read of a file where its beginning is enough.
const HEAD: usize = 1 << 16;

/// A file read whole or in part.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Its path as shown to the user.
    pub(super) name: String,
    /// Its bytes, unpacked.
    pub(super) bytes: Vec<u8>,
    /// Whether it ends where `bytes` does.
    pub(super) whole: bool,
}

/// A path as shown to the user.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Opens a file that was found; a directory is none.
fn open(written: &Spanned<String>, found: &Path) -> Result<(File, u64), Diagnostic> {
    let meta = std::fs::metadata(found).map_err(|error| report::file_unreadable(written, &shown(found), &error))?;
    if meta.is_dir() {
        return Err(report::file_is_directory(written, &shown(found)));
    }
    // A device or a pipe may have no end.
    if !meta.is_file() {
        return Err(report::not_a_file(written, &shown(found)));
    }
    let file = File::open(found).map_err(|error| report::file_unreadable(written, &shown(found), &error))?;
    Ok((file, meta.len()))
}

/// Opens a file that was found, with its path as shown to the user.
pub(super) fn open_named(written: &Spanned<String>, found: &Path) -> Result<(File, String), Diagnostic> {
    let (file, length) = open(written, found)?;
    match length {
        0 => Err(report::file_is_empty(written, &shown(found))),
        _ => Ok((file, shown(found))),
    }
}

/// Reads a file to its end.
pub(super) fn read(written: &Spanned<String>, found: &Path) -> Result<Contents, Diagnostic> {
    let (mut file, length) = open(written, found)?;
    super::memory::require(written.span, u128::from(length))?;
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.read_to_end(&mut bytes).map_err(|error| report::file_unreadable(written, &shown(found), &error))?;
    Ok(Contents { name: shown(found), bytes, whole: true })
}

/// Reads the beginning of a file.
pub(super) fn read_head(written: &Spanned<String>, found: &Path) -> Result<Contents, Diagnostic> {
    let (file, length) = open(written, found)?;
    let mut bytes = Vec::new();
    let head = file.take(HEAD as u64).read_to_end(&mut bytes);
    head.map_err(|error| report::file_unreadable(written, &shown(found), &error))?;
    let whole = bytes.len() as u64 >= length && bytes.len() < HEAD;
    Ok(Contents { name: shown(found), bytes, whole })
}

/// The start of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first few hundred bytes of a file with its packing, where it has one, undone.
pub(super) fn unpack_head(written: &Spanned<String>, name: &str, packed: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    if !packed.starts_with(&GZIP) {
        return Ok(packed[..packed.len().min(256)].to_vec());
    }
    let mut bytes = vec![0; 256];
    let mut decoder = flate2::read::GzDecoder::new(packed);
    let mut filled = 0;
    while filled < bytes.len() {
        match decoder.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) if filled > 0 => break,
            Err(error) => return Err(report::file_unreadable(written, name, &error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// The file with its packing, where it has one, undone. It may unpack to at most `limit` bytes, one more is kept to tell.
pub(super) fn unpack(written: &Spanned<String>, contents: Contents, limit: u64) -> Result<Contents, Diagnostic> {
    if !contents.bytes.starts_with(&GZIP) {
        return Ok(contents);
    }
    let mut bytes = Vec::with_capacity(limit as usize + 1);
    let decoder = flate2::read::MultiGzDecoder::new(contents.bytes.as_slice());
    match decoder.take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) => Ok(Contents { bytes, ..contents }),
        // What was unpacked up to the break is shorter than its header says, which the caller words better.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Contents { bytes, ..contents }),
        Err(error) => Err(report::file_unreadable(written, &contents.name, &error)),
    }
}
