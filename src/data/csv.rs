//! Text files of separated values.
//!
//! In: the bytes of a file and the columns asked for. Out: their values in the [`ColumnBuilder`]s, and as [`Finding`]s the
//! rows and values that do not fit. [`TextFile::excerpt`] finds the line of such a place again, so that reading keeps no positions.

use super::columns::{ColumnBuilder, Place, check_shape, select};
use super::files::{self, Contents, Paths};
use crate::check::hir::{Fill, Schema, SchemaColumn};
use crate::diagnostics::{Diagnostic, data as report};
use crate::source::{Sources, Span, Spanned};
use std::ops::Range;

/// How a text file is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format<'a> {
    /// Whether its first row names the columns.
    pub(super) header: bool,
    /// The separator.
    pub(super) separator: u8,
    /// The texts that stand for a missing value.
    pub(super) missing: &'a [String],
}

/// A file known to be text.
#[derive(Clone, Debug)]
pub(super) struct TextFile {
    /// Its path as shown to the user.
    pub(super) name: String,
    bytes: Vec<u8>,
    /// Behind the byte order mark.
    start: usize,
    separator: u8,
    /// The names of the columns, where they have any.
    names: Vec<Option<String>>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The columns of a file by its first rows.
pub(super) fn schema(path: &Spanned<String>, format: Format<'_>, paths: &Paths) -> Option<Result<Schema, Diagnostic>> {
    let found = paths.find(&path.value, &[])?;
    let read = files::read_head(path, &found).and_then(|contents| TextFile::new(path, contents, format.separator));
    Some(read.and_then(|file| file.schema(path, format)))
}

/// A warning where the row taken for a header holds mostly numbers.
pub(super) fn suspicious_header(
    path: &Spanned<String>,
    format: Format<'_>,
    paths: &Paths,
    sources: &mut Sources,
) -> Option<Diagnostic> {
    if !format.header {
        return None;
    }
    let head = files::read_head(path, &paths.find(&path.value, &[])?).ok()?;
    let file = TextFile::new(path, head, format.separator).ok()?;
    let schema = file.schema(path, format).ok()?;
    let numbers = schema.names().filter(|name| name.parse::<f64>().is_ok()).count();
    if 2 * numbers <= schema.columns.len() {
        return None;
    }
    let row = file.excerpt_row(sources, file.start);
    Some(report::header_is_data(path.span, row.span, &file.name))
}

/// Reads a file whole.
pub(super) fn open(path: &Spanned<String>, format: Format<'_>, paths: &Paths) -> Result<TextFile, Diagnostic> {
    let found = paths.find_or_report(path, &[])?;
    let mut file = TextFile::new(path, files::read(path, &found)?, format.separator)?;
    file.names = file.schema(path, format)?.columns.into_iter().map(|column| column.name).collect();
    Ok(file)
}

impl TextFile {
    fn new(path: &Spanned<String>, contents: Contents, separator: u8) -> Result<TextFile, Diagnostic> {
        let Contents { name, bytes, whole } = contents;
        let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let kind = match bytes.as_slice() {
            [0x1f, 0x8b, ..] => Some(report::Binary::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(report::Binary::Zip),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(report::Binary::Utf16),
            bytes if bytes.contains(&0) => Some(report::Binary::Other),
            _ => None,
        };
        if let Some(kind) = kind {
            return Err(report::file_is_binary(path, &name, kind));
        }
        if bytes[start..].trim_ascii().is_empty() {
            return Err(report::file_is_empty(path, &name));
        }
        if let Err(error) = std::str::from_utf8(&bytes) {
            // A character cut in two by the end of a part that was read is none.
            if whole || error.error_len().is_some() {
                let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
                return Err(report::file_not_utf8(path, &name, line));
            }
        }
        Ok(TextFile { name, bytes, start, separator, names: Vec::new() })
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator)
            .buffer_capacity(1 << 16)
            .from_reader(&self.bytes[self.start..])
    }

    /// What a column is called: by its name where the file has a header, else by number.
    pub(super) fn column_name(&self, column: usize) -> String {
        match self.names.get(column).and_then(Option::as_ref) {
            Some(name) => format!("column `{name}`"),
            None => format!("column {column}"),
        }
    }

    /// The columns by the first row.
    pub(super) fn schema(&self, path: &Spanned<String>, format: Format<'_>) -> Result<Schema, Diagnostic> {
        let mut reader = self.reader();
        let mut record = csv::ByteRecord::new();
        loop {
            // A slice does not fail to be read, and a flexible reader takes any record.
            if !reader.read_byte_record(&mut record).unwrap_or(false) {
                return Err(report::file_is_empty(path, &self.name));
            }
            if !is_blank(&record) {
                break;
            }
        }
        let column = |name: &[u8]| {
            let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
            SchemaColumn { name: Some(name).filter(|name| format.header && !name.is_empty()), ty: None }
        };
        let separated_by = if record.len() == 1 { self.other_separator() } else { None };
        Ok(Schema { columns: record.iter().map(column).collect(), rows: None, separated_by })
    }

    /// A character that divides each of the first lines into as many parts.
    fn other_separator(&self) -> Option<char> {
        let lines =
            || self.bytes[self.start..].split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let count = |line: &[u8], byte: u8| line.iter().filter(|&&one| one == byte).count();
        let first = lines().next()?;
        let divides = |byte: &u8| {
            let wanted = count(first, *byte);
            wanted > 0 && lines().take(HEAD_LINES).all(|line| count(line, *byte) == wanted)
        };
        b";\t|,".iter().filter(|&&byte| byte != self.separator).find(|byte| divides(byte)).map(|&byte| char::from(byte))
    }

    /// Reads all rows into the builders; gives their number and the rows of another length.
    pub(super) fn read(
        &self,
        path: &Spanned<String>,
        format: Format<'_>,
        number: usize,
        builders: &mut [ColumnBuilder<'_>],
    ) -> Result<(usize, Option<Ragged>), Vec<Diagnostic>> {
        let schema = self.schema(path, format).map_err(|problem| vec![problem])?;
        let width = schema.columns.len();
        let mut problems = Vec::new();
        let mut uses = Vec::new();
        for builder in builders.iter() {
            let chosen = select(builder.spec, &schema, &self.name).and_then(|columns| {
                let scalars: Vec<&[usize]> = vec![&[]; columns.len()];
                check_shape(builder.spec, &scalars)?;
                Ok(columns)
            });
            match chosen {
                Ok(columns) => uses.push(columns),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let missing: Vec<&[u8]> = format.missing.iter().map(|text| text.as_bytes()).collect();
        let is_missing = |text: &[u8]| text.is_empty() || missing.contains(&text);
        let dropping: Vec<usize> =
            (0..builders.len()).filter(|&at| builders[at].spec.fill == Some(Fill::Drop)).collect();

        let mut reader = self.reader();
        let mut record = csv::ByteRecord::new();
        let mut ragged: Option<Ragged> = None;
        let mut rows = 0;
        let mut header = format.header;
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            if is_blank(&record) {
                continue;
            }
            if std::mem::take(&mut header) {
                continue;
            }
            let byte = self.start + record.position().map_or(0, |position| position.byte() as usize);
            if record.len() != width {
                let first = ragged.get_or_insert_with(|| {
                    let end = self.start + reader.position().byte() as usize;
                    let text = self.bytes[byte..end].trim_ascii();
                    let lines = 1 + text.iter().filter(|&&byte| byte == b'\n').count();
                    Ragged { byte, lines, values: record.len(), width, count: 0 }
                });
                first.count += 1;
                continue;
            }
            let missing_in = |at: &usize| {
                let builder = &builders[*at];
                uses[*at].iter().any(|&column| {
                    let text = &record[column];
                    is_missing(text.trim_ascii()) || is_missing(builder.trimmed(text))
                })
            };
            if dropping.iter().any(missing_in) {
                continue;
            }
            for (builder, columns) in builders.iter_mut().zip(&uses) {
                for &column in columns {
                    let raw = record[column].trim_ascii();
                    let text = builder.trimmed(raw);
                    let place = Place::Text { source: number, byte, column };
                    builder.push_text(text, is_missing(text) || is_missing(raw), place);
                }
            }
            rows += 1;
        }
        Ok((rows, ragged))
    }

    /// The bytes of value `column` of the record that starts at `byte` or behind the line ends there, without its blanks.
    fn value_at(&self, byte: usize, column: usize) -> Range<usize> {
        let bytes = &self.bytes;
        let mut at = byte;
        while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        for current in 0.. {
            let start = at;
            if bytes.get(at) == Some(&b'"') {
                at += 1;
                while at < bytes.len() && !(bytes[at] == b'"' && bytes.get(at + 1) != Some(&b'"')) {
                    at += if bytes[at] == b'"' { 2 } else { 1 };
                }
            }
            while !matches!(bytes.get(at), None | Some(b'\n' | b'\r')) && bytes[at] != self.separator {
                at += 1;
            }
            let at_end = bytes.get(at) != Some(&self.separator);
            if current == column || at_end {
                let end = at.min(bytes.len());
                let text = &bytes[start..end];
                let lead = text.len() - text.trim_ascii_start().len();
                return start + lead.min(text.len())..start + lead + text.trim_ascii().len();
            }
            at += 1;
        }
        byte..byte
    }

    /// The last byte of the record's line.
    fn line_end(&self, byte: usize) -> usize {
        let rest = &self.bytes[byte..];
        let end = byte + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        if end > byte && self.bytes[end - 1] == b'\r' { end - 1 } else { end }
    }

    /// Puts the line of a value among the sources, shortened where it is long.
    pub(super) fn excerpt(&self, sources: &mut Sources, byte: usize, column: usize) -> Excerpt {
        let value = self.value_at(byte, column);
        self.excerpt_of(sources, value)
    }

    /// The same for the whole of a row.
    pub(super) fn excerpt_row(&self, sources: &mut Sources, byte: usize) -> Excerpt {
        let start = self.value_at(byte, 0).start;
        let line_start = self.bytes[..start].iter().rposition(|&byte| byte == b'\n').map_or(self.start, |at| at + 1);
        self.excerpt_of(sources, line_start..self.line_end(start))
    }

    fn excerpt_of(&self, sources: &mut Sources, value: Range<usize>) -> Excerpt {
        let line_start =
            self.bytes[..value.start].iter().rposition(|&byte| byte == b'\n').map_or(self.start, |at| at + 1);
        let line_end = self.line_end(value.start);
        let line = 1 + self.bytes[..line_start].iter().filter(|&&byte| byte == b'\n').count();
        let value = value.start..value.end.min(line_end).max(value.start);
        let from = value.start.saturating_sub(CONTEXT).max(line_start);
        let to = (value.start + 2 * CONTEXT).min(line_end);
        let part = |from: usize, to: usize| String::from_utf8_lossy(&self.bytes[from..to]).into_owned();
        let mut text = if from > line_start { String::from("… ") } else { String::new() };
        text += &part(from, value.start);
        let start = text.len();
        text += &part(value.start, value.end.min(to));
        let end = text.len();
        text += &part(value.end.min(to), to);
        if to < line_end {
            text += " …";
        }
        let file = sources.add_excerpt(self.name.clone(), text, line);
        Excerpt { span: Span::new(file, start, end), line }
    }
}

/// The lines that must agree on another separator.
const HEAD_LINES: usize = 3;

/// Bytes shown of a long line before the value; behind it twice as many.
const CONTEXT: usize = 80;

/// A place in a data file as a diagnostic shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excerpt {
    /// The value in an excerpt of the file.
    pub(super) span: Span,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// Rows whose length is not that of the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ragged {
    /// Where the first begins.
    pub(super) byte: usize,
    /// How many lines it goes over.
    pub(super) lines: usize,
    /// How many values it has.
    pub(super) values: usize,
    /// How many it should have.
    pub(super) width: usize,
    /// How many such rows there are.
    pub(super) count: usize,
}

/// A line with nothing on it but blanks.
fn is_blank(record: &csv::ByteRecord) -> bool {
    record.len() <= 1 && record.iter().all(|value| value.trim_ascii().is_empty())
}
