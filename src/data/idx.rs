//! Files in MNIST's format: a short header with element type and extents, then the elements, big end first.
//!
//! In: the files of a source, each a column. Out: their rows in the [`ColumnBuilder`]s. A file may be packed with gzip; where
//! `images` is not there, `images.gz` is tried, and the other way round.

use super::arrays::{self, Array, Elements};
use super::columns::ColumnBuilder;
use super::files::{self, Paths};
use crate::check::hir::{Element, Schema, SchemaColumn, ValueType, packed_names};
use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Spanned;

/// The element types of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum IdxElement {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl IdxElement {
    fn from_code(code: u8) -> Option<IdxElement> {
        Some(match code {
            0x08 => IdxElement::U8,
            0x09 => IdxElement::I8,
            0x0b => IdxElement::I16,
            0x0c => IdxElement::I32,
            0x0d => IdxElement::F32,
            0x0e => IdxElement::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            IdxElement::U8 | IdxElement::I8 => 1,
            IdxElement::I16 => 2,
            IdxElement::I32 | IdxElement::F32 => 4,
            IdxElement::F64 => 8,
        }
    }
}

/// A header.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Header {
    element: IdxElement,
    rows: usize,
    /// The extents of one row.
    shape: Vec<usize>,
    /// Bytes before the elements.
    length: usize,
}

impl Header {
    fn row_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the file.
    fn total(&self) -> usize {
        self.length + self.rows * self.row_len() * self.element.size()
    }
}

/// The rank beyond which a header is taken for something else.
const MOST_AXES: usize = 8;

fn header(path: &Spanned<String>, name: &str, bytes: &[u8]) -> Result<Header, Diagnostic> {
    if bytes.is_empty() {
        return Err(report::file_is_empty(path, name));
    }
    let (code, axes) = match bytes {
        [0, 0, code, axes, ..] => (*code, usize::from(*axes)),
        _ => return Err(report::not_idx(path, name, "it does not begin with two zero bytes")),
    };
    let Some(element) = IdxElement::from_code(code) else {
        return Err(report::not_idx(path, name, &format!("its third byte, {code:#04x}, names no element type")));
    };
    if axes == 0 || axes > MOST_AXES {
        return Err(report::not_idx(path, name, &format!("its fourth byte gives it {axes} axes")));
    }
    let length = 4 + 4 * axes;
    if bytes.len() < length {
        return Err(report::idx_truncated(path, name, length as u128, bytes.len()));
    }
    let extents: Vec<usize> = bytes[4..length]
        .chunks_exact(4)
        .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]) as usize)
        .collect();
    if extents.contains(&0) {
        return Err(report::not_idx(path, name, &format!("its extents are {extents:?}: it holds nothing")));
    }
    let total = extents.iter().try_fold(element.size(), |product, &extent| product.checked_mul(extent));
    if total.and_then(|total| total.checked_add(length)).is_none() {
        return Err(report::not_idx(path, name, &format!("its extents {extents:?} are more than fit into memory")));
    }
    Ok(Header { element, rows: extents[0], shape: extents[1..].to_vec(), length })
}

fn column(name: &str, header: &Header) -> SchemaColumn {
    let ty = ValueType { element: Element::Number, shape: header.shape.clone() };
    SchemaColumn { name: Some(name.to_string()), ty: Some(ty) }
}

/// The columns by the headers of the files; `None` where one is not there.
pub(super) fn schema(
    files: &[(Spanned<String>, Spanned<String>)],
    paths: &Paths,
) -> Option<Result<Schema, Diagnostic>> {
    let mut schema = Schema { columns: Vec::new(), rows: None, separated_by: None };
    for (name, path) in files {
        let found = paths.find(&path.value, &packed_names(&path.value))?;
        let head = files::read_head(path, &found).and_then(|contents| {
            let head = files::unpack_head(path, &contents.name, &contents.bytes)?;
            header(path, &contents.name, &head)
        });
        match head {
            Ok(header) => {
                schema.columns.push(column(&name.value, &header));
                let rows = *schema.rows.get_or_insert(header.rows);
                if rows != header.rows {
                    return Some(Err(report::row_counts_differ(&files[0].1, path, [rows, header.rows])));
                }
            }
            Err(problem) => return Some(Err(problem)),
        }
    }
    Some(Ok(schema))
}

/// A file read and its header checked.
struct IdxFile {
    header: Header,
    bytes: Vec<u8>,
}

fn open(path: &Spanned<String>, paths: &Paths) -> Result<IdxFile, Diagnostic> {
    let found = paths.find_or_report(path, &packed_names(&path.value))?;
    let contents = files::read(path, &found)?;
    let name = contents.name.clone();
    let header = header(path, &name, &files::unpack_head(path, &name, &contents.bytes)?)?;
    super::memory::require(path.span, header.total() as u128)?;
    let contents = files::unpack(path, contents, header.total() as u64)?;
    match contents.bytes.len().cmp(&header.total()) {
        std::cmp::Ordering::Less => {
            Err(report::idx_truncated(path, &name, header.total() as u128, contents.bytes.len()))
        }
        std::cmp::Ordering::Greater => Err(report::idx_too_long(path, &name, header.total())),
        std::cmp::Ordering::Equal => Ok(IdxFile { header, bytes: contents.bytes }),
    }
}

/// Reads the columns asked for; gives the number of rows.
pub(super) fn read(
    files: &[(Spanned<String>, Spanned<String>)],
    paths: &Paths,
    number: usize,
    builders: &mut [ColumnBuilder<'_>],
) -> Result<usize, Vec<Diagnostic>> {
    let mut opened = Vec::new();
    let mut problems = Vec::new();
    for (_, path) in files {
        match open(path, paths) {
            Ok(file) => opened.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let Some(first) = opened.first() else { return Ok(0) };
    for (at, file) in opened.iter().enumerate() {
        if file.header.rows != first.header.rows {
            let rows = [first.header.rows, file.header.rows];
            return Err(vec![report::row_counts_differ(&files[0].1, &files[at].1, rows)]);
        }
    }
    let columns = files.iter().zip(&opened).map(|((name, _), file)| column(&name.value, &file.header)).collect();
    let schema = Schema { columns, rows: Some(first.header.rows), separated_by: None };
    let rows = first.header.rows;
    let uses = arrays::uses(builders, &schema, "the source")?;
    let arrays = opened.into_iter().map(|mut file| {
        let elements = match file.header.element {
            IdxElement::U8 => {
                file.bytes.drain(..file.header.length);
                Elements::Bytes(file.bytes)
            }
            _ => Elements::Numbers(numbers(&file)),
        };
        Array { row_len: file.header.shape.iter().product(), elements }
    });
    Ok(arrays::hand_out(arrays.collect(), &uses, rows, number, builders))
}

fn numbers(file: &IdxFile) -> Vec<f32> {
    let bytes = &file.bytes[file.header.length..];
    match file.header.element {
        IdxElement::U8 => bytes.iter().map(|&byte| f32::from(byte)).collect(),
        IdxElement::I8 => bytes.iter().map(|&byte| f32::from(byte as i8)).collect(),
        IdxElement::I16 => {
            bytes.chunks_exact(2).map(|word| f32::from(i16::from_be_bytes([word[0], word[1]]))).collect()
        }
        IdxElement::I32 => {
            bytes.chunks_exact(4).map(|word| i32::from_be_bytes([word[0], word[1], word[2], word[3]]) as f32).collect()
        }
        IdxElement::F32 => {
            bytes.chunks_exact(4).map(|word| f32::from_be_bytes([word[0], word[1], word[2], word[3]])).collect()
        }
        IdxElement::F64 => {
            let word = |word: &[u8]| word.try_into().map_or(0.0, f64::from_be_bytes);
            bytes.chunks_exact(8).map(|bytes| word(bytes) as f32).collect()
        }
    }
}
