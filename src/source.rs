//! Source texts and positions in them.
//!
//! Every later stage speaks of places as [`Span`]s: a file and a byte range. [`Sources`] turns them
//! back into text, lines and columns.

use std::sync::Arc;

/// How the names of the files begin that are shipped in the binary.
pub const SHIPPED: &str = "std:";

/// A file among the [`Sources`] of one invocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct FileId(pub u32);

/// A range of bytes in a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        Span { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that holds both; `other` of another file is ignored.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span just behind this one.
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// Whether all of `other` lies in the span.
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }

    /// Whether the byte offset lies in the span or at its end.
    pub fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }
}

/// A thing with the place it was written at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Spanned<T> {
    /// The thing.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }
}

/// One text with its name and the starts of its lines.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its place in [`Sources`].
    pub id: FileId,
    /// The name shown to the user: the path as given, or `std:prelude/layers.nn` for a shipped file.
    pub name: String,
    /// The text. Offsets in spans count its bytes.
    pub text: Arc<str>,
    /// The number of the first line, 1 but for an excerpt of a data file.
    pub first_line: usize,
    line_starts: Vec<u32>,
}

/// A line and a column, both counted from 0; the column in the unit its maker names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The line, from 0.
    pub line: usize,
    /// The column, from 0.
    pub column: usize,
}

impl Source {
    /// The line that holds the byte offset and its column in bytes.
    pub fn position(&self, offset: u32) -> Position {
        let line = self.line_starts.partition_point(|&start| start <= offset) - 1;
        Position { line, column: (offset - self.line_starts[line]) as usize }
    }

    /// The same with the column in UTF-16 units, as the Language Server Protocol counts.
    pub fn position_utf16(&self, offset: u32) -> Position {
        let Position { line, .. } = self.position(offset);
        let start = self.line_starts[line] as usize;
        let end = self.floor_char_boundary(offset as usize);
        Position { line, column: self.text[start..end].encode_utf16().count() }
    }

    /// The offset that a line (from 0) begins at.
    pub fn line_start(&self, line: usize) -> usize {
        self.line_starts[line] as usize
    }

    /// The text of a line (from 0) without its line end.
    pub fn line(&self, line: usize) -> &str {
        let start = self.line_starts[line] as usize;
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |&next| next as usize);
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// The text of a span of this file.
    pub fn slice(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn floor_char_boundary(&self, mut offset: usize) -> usize {
        offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// All texts of one invocation; a [`FileId`] is an index into them.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// No files yet.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a whole file.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.add_excerpt(name, text, 1)
    }

    /// Adds a part of a file that begins at line `first_line` (from 1): the offending line of a data file.
    pub fn add_excerpt(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>, first_line: usize) -> FileId {
        let id = FileId(self.files.len() as u32);
        let text: Arc<str> = text.into();
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at as u32 + 1);
        let line_starts = std::iter::once(0).chain(ends).collect();
        self.files.push(Source { id, name: name.into(), text, first_line, line_starts });
        id
    }

    /// The file.
    pub fn get(&self, id: FileId) -> &Source {
        &self.files[id.0 as usize]
    }

    /// All files in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).slice(span)
    }
}
