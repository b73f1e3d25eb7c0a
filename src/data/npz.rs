//! NumPy's archives: a zip file with an array in each entry.
//!
//! In: the path of a source and the arrays it takes. Out: their rows in the [`ColumnBuilder`]s. An array's first axis is the
//! rows. What its header says is compared with the size of its entry before anything is allocated. The format: NumPy,
//! "numpy.lib.format".

use super::arrays::{self, Array, Elements};
use super::columns::ColumnBuilder;
use super::files::{self, Paths};
use super::zip::{self, Entry, said};
use crate::check::hir::{Element, Schema, SchemaColumn, ValueType};
use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Spanned;
use std::fs::File;
use std::io::Read;

/// The arrays that a source takes, each with the column it gives; none for all of them by their own names.
pub(super) type Renamed = [(Spanned<String>, Spanned<String>)];

/// The element types that become columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Truth,
    Signed,
    Unsigned,
    Float,
    /// One byte a letter.
    Bytes,
    /// Four bytes a letter.
    Text,
}

/// How an array is written.
#[derive(Clone, PartialEq, Debug)]
struct Header {
    kind: Kind,
    /// Bytes of an element.
    size: usize,
    big_end_first: bool,
    /// Whether the first axis runs fastest.
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes before the elements.
    length: usize,
}

/// The longest header.
const LONGEST_HEADER: usize = 1 << 16;

/// The rank beyond which a header is taken for something else.
const MOST_AXES: usize = 16;

impl Header {
    fn read(file: &mut dyn Read) -> Result<Header, String> {
        let mut start = [0; 12];
        file.read_exact(&mut start[..10]).map_err(said)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(String::from("it does not begin as NumPy's arrays do"));
        }
        let (before, length) = match start[6] {
            1 => (10, usize::from(u16::from_le_bytes([start[8], start[9]]))),
            2 | 3 => {
                file.read_exact(&mut start[10..]).map_err(said)?;
                (12, u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize)
            }
            version => return Err(format!("it is of version {version} of the format")),
        };
        if length > LONGEST_HEADER {
            return Err(String::from("its header is too long"));
        }
        let mut text = vec![0; length];
        file.read_exact(&mut text).map_err(said)?;
        let text = String::from_utf8_lossy(&text);
        let kind = value_of(&text, "descr").ok_or("its header names no type of elements")?;
        let (kind, size, big_end_first) = element(kind)?;
        let fortran = value_of(&text, "fortran_order").is_some_and(|value| value.starts_with("True"));
        let shape = value_of(&text, "shape").and_then(extents).ok_or("its header has no shape")?;
        if shape.len() > MOST_AXES {
            return Err(format!("it has {} axes", shape.len()));
        }
        Ok(Header { kind, size, big_end_first, fortran, shape, length: before + length })
    }

    /// The number of elements, where the entry has as many.
    fn elements(&self, entry: &Entry) -> Result<usize, String> {
        let count = self.shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
        let bytes =
            count.and_then(|count| count.checked_mul(self.size)).and_then(|bytes| bytes.checked_add(self.length));
        match (count, bytes) {
            (Some(count), Some(bytes)) if bytes as u64 == entry.size => Ok(count),
            _ => Err(format!("its {} bytes do not make {:?}", entry.size, self.shape)),
        }
    }
}

/// What stands behind a key of the header, which is a dictionary as Python writes it.
fn value_of<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let quoted = ['\'', '"'].into_iter().find_map(|quote| {
        let at = text.find(&format!("{quote}{key}{quote}"))?;
        Some(&text[at + key.len() + 2..])
    });
    Some(quoted?.trim_start().strip_prefix(':')?.trim_start())
}

/// `(100, 2)`.
fn extents(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let extents =
        inside.split(',').map(|extent| extent.trim().trim_end_matches('L')).filter(|extent| !extent.is_empty());
    extents.map(|extent| extent.parse().ok()).collect()
}

/// `'<f8'`: the kind of an element, its bytes, and whether the big end is first.
fn element(text: &str) -> Result<(Kind, usize, bool), String> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
    let name = quote.and_then(|quote| text[1..].split_once(quote)).map(|(name, _)| name);
    let Some(name) = name else { return Err(String::from("its elements are records of several values")) };
    let unknown = || match name.contains('O') {
        true => String::from("its elements are Python objects; save plain numbers or texts"),
        false => format!("its elements are of the type `{name}`"),
    };
    let (order, kind) = match name.strip_prefix(['<', '>', '|', '=']) {
        Some(kind) => (&name[..1], kind),
        None => ("=", name),
    };
    let letter = kind.chars().next().filter(char::is_ascii).ok_or_else(unknown)?;
    let count: usize = kind[1..].parse().map_err(|_| unknown())?;
    let (kind, size) = match (letter, count) {
        ('b', 1) => (Kind::Truth, 1),
        ('i', 1 | 2 | 4 | 8) => (Kind::Signed, count),
        ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, count),
        ('f', 2 | 4 | 8) => (Kind::Float, count),
        ('S', 1..=65536) => (Kind::Bytes, count),
        ('U', 1..=65536) => (Kind::Text, 4 * count),
        _ => return Err(unknown()),
    };
    Ok((kind, size, order == ">"))
}

/// An array of an archive that can be a column.
struct Found {
    entry: Entry,
    name: String,
    header: Header,
}

/// An archive with the headers of its arrays.
struct Archive {
    file: File,
    name: String,
    found: Vec<Found>,
    /// Arrays that are no columns, and why.
    others: Vec<(String, String)>,
}

fn archive(path: &Spanned<String>, place: &std::path::Path) -> Result<Archive, Diagnostic> {
    let (mut file, name) = files::open_named(path, place)?;
    let broken = |why: String| report::not_npz(path, &name, &why);
    let entries = zip::entries(&mut file).map_err(broken)?;
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        let Some(array) = entry.name.strip_suffix(".npy").map(str::to_owned) else { continue };
        let header = zip::open(&mut file, &entry).and_then(|mut bytes| Header::read(&mut *bytes));
        match header.and_then(|header| header.elements(&entry).map(|_| header)) {
            Ok(header) if header.shape.is_empty() => others.push((array, String::from("it is a single value"))),
            Ok(header) => found.push(Found { entry, name: array, header }),
            Err(why) => others.push((array, why)),
        }
    }
    if found.is_empty() {
        let why = others.first().map_or_else(
            || String::from("it holds no arrays"),
            |(array, why)| format!("of its array `{array}`, {why}"),
        );
        return Err(report::not_npz(path, &name, &why));
    }
    Ok(Archive { file, name, found, others })
}

impl Archive {
    /// The arrays that are columns, each with its name, by number; what the program calls them.
    fn columns(&self, path: &Spanned<String>, renamed: &Renamed) -> Result<Vec<(usize, String)>, Diagnostic> {
        if renamed.is_empty() {
            return Ok(self.found.iter().enumerate().map(|(at, found)| (at, found.name.clone())).collect());
        }
        let column = |(name, array): &(Spanned<String>, Spanned<String>)| {
            if let Some((_, why)) = self.others.iter().find(|(other, _)| *other == array.value) {
                return Err(report::not_npz(path, &self.name, &format!("of its array `{}`, {why}", array.value)));
            }
            let names: Vec<&str> = self.found.iter().map(|found| found.name.as_str()).collect();
            match names.iter().position(|name| **name == *array.value) {
                Some(at) => Ok((at, name.value.clone())),
                None => Err(report::unknown_array(array, &self.name, &names)),
            }
        };
        renamed.iter().map(column).collect()
    }

    fn schema(&self, columns: &[(usize, String)]) -> Schema {
        let column = |(at, name): &(usize, String)| {
            let header = &self.found[*at].header;
            let ty = match header.kind {
                // Like a column of a text file: whether these are categories is for the program to say.
                Kind::Bytes | Kind::Text if header.shape.len() == 1 => None,
                _ => Some(ValueType { element: Element::Number, shape: header.shape[1..].to_vec() }),
            };
            SchemaColumn { name: Some(name.clone()), ty }
        };
        Schema { columns: columns.iter().map(column).collect(), rows: None, separated_by: None }
    }
}

/// The columns by the headers of the arrays.
pub(super) fn schema(path: &Spanned<String>, renamed: &Renamed, paths: &Paths) -> Option<Result<Schema, Diagnostic>> {
    let place = paths.find(&path.value, &[])?;
    let read = archive(path, &place).and_then(|archive| {
        let columns = archive.columns(path, renamed)?;
        Ok(archive.schema(&columns))
    });
    Some(read)
}

/// Reads the arrays asked for; gives the number of rows.
pub(super) fn read(
    path: &Spanned<String>,
    renamed: &Renamed,
    paths: &Paths,
    number: usize,
    builders: &mut [ColumnBuilder<'_>],
) -> Result<usize, Vec<Diagnostic>> {
    let one = |problem: Diagnostic| vec![problem];
    let place = paths.find_or_report(path, &[]).map_err(one)?;
    let mut archive = archive(path, &place).map_err(one)?;
    let columns = archive.columns(path, renamed).map_err(one)?;
    let schema = archive.schema(&columns);
    let uses = arrays::uses(builders, &schema, &archive.name)?;
    let mut rows: Option<(usize, &str)> = None;
    let mut read: Vec<Array> = vec![Array::default(); columns.len()];
    for (column, (at, name)) in columns.iter().enumerate() {
        if !uses.iter().flatten().any(|&used| used == column) {
            continue;
        }
        let Archive { file, found, name: file_name, .. } = &mut archive;
        let found = &found[*at];
        let own = found.header.shape[0];
        let &mut (first, first_name) = rows.get_or_insert((own, name));
        if first != own {
            return Err(one(report::arrays_differ(path, [first_name, name], [first, own])));
        }
        let count = found.header.elements(&found.entry).unwrap_or(0);
        // Elements in order, and those of an array in Fortran's order once more.
        let element = match found.header.kind {
            // A text is kept by itself, with a place in a list.
            Kind::Bytes | Kind::Text => found.header.size + size_of::<String>() + 16,
            _ => found.header.size.max(4),
        };
        super::memory::require(path.span, 2 * (count as u128) * element as u128).map_err(one)?;
        let elements = zip::open(file, &found.entry).and_then(|mut bytes| elements(&mut *bytes, &found.header, count));
        let row_len = found.header.shape[1..].iter().product();
        match elements {
            Ok(elements) => read[column] = Array { row_len, elements },
            Err(why) => {
                let why = format!("of its array `{}`, {why}", found.name);
                return Err(one(report::not_npz(path, file_name, &why)));
            }
        }
    }
    let rows = match rows {
        Some((rows, _)) => rows,
        None => archive.found.first().map_or(0, |found| found.header.shape[0]),
    };
    if rows == 0 {
        return Err(one(report::no_rows(path.span, &archive.name)));
    }
    Ok(arrays::hand_out(read, &uses, rows, number, builders))
}

/// Bytes unpacked at a time, a multiple of all sizes of numbers.
const BLOCK: usize = 1 << 16;

fn elements(bytes: &mut dyn Read, header: &Header, count: usize) -> Result<Elements, String> {
    let mut skipped = vec![0; header.length];
    bytes.read_exact(&mut skipped).map_err(said)?;
    let mut numbers: Vec<f32> = Vec::new();
    let mut whole: Vec<u8> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    let of_block = (BLOCK / header.size).max(1);
    let mut block = vec![0; of_block * header.size];
    let mut left = count;
    while left > 0 {
        let now = left.min(of_block);
        let block = &mut block[..now * header.size];
        bytes.read_exact(block).map_err(said)?;
        match header.kind {
            Kind::Unsigned | Kind::Truth if header.size == 1 => whole.extend_from_slice(block),
            Kind::Truth | Kind::Signed | Kind::Unsigned | Kind::Float => {
                numbers.extend(block.chunks_exact(header.size).map(|bytes| number(bytes, header)));
            }
            Kind::Bytes => texts.extend(
                block
                    .chunks_exact(header.size)
                    .map(|bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()),
            ),
            Kind::Text => texts.extend(block.chunks_exact(header.size).map(|bytes| text(bytes, header.big_end_first))),
        }
        left -= now;
    }
    Ok(match header.kind {
        Kind::Unsigned | Kind::Truth if header.size == 1 => Elements::Bytes(in_order(whole, header)),
        Kind::Truth | Kind::Signed | Kind::Unsigned | Kind::Float => Elements::Numbers(in_order(numbers, header)),
        Kind::Bytes | Kind::Text => Elements::Texts(in_order(texts, header)),
    })
}

/// A number of up to eight bytes.
fn number(bytes: &[u8], header: &Header) -> f32 {
    let mut ordered = [0; 8];
    for (at, &byte) in bytes.iter().enumerate() {
        ordered[if header.big_end_first { bytes.len() - 1 - at } else { at }] = byte;
    }
    let word = u64::from_le_bytes(ordered);
    let unused = 64 - 8 * bytes.len() as u32;
    match (header.kind, bytes.len()) {
        (Kind::Float, 2) => half(word as u16),
        (Kind::Float, 4) => f32::from_bits(word as u32),
        (Kind::Float, _) => f64::from_bits(word) as f32,
        (Kind::Signed, _) => ((word << unused) as i64 >> unused) as f32,
        (Kind::Truth | Kind::Unsigned | Kind::Bytes | Kind::Text, _) => word as f32,
    }
}

/// A number of sixteen bits, IEEE 754's binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction / 16_777_216.0,
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * f32::from_bits((exponent + 112) << 23),
    }
}

/// A text of four bytes a letter, filled up with zeros.
fn text(bytes: &[u8], big_end_first: bool) -> String {
    let letters = bytes.chunks_exact(4).map(|four| {
        let word = [four[0], four[1], four[2], four[3]];
        let code = if big_end_first { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    letters.collect::<String>().trim_end_matches('\0').to_owned()
}

/// Elements with the last axis running fastest.
fn in_order<T: Clone>(elements: Vec<T>, header: &Header) -> Vec<T> {
    if !header.fortran || header.shape.len() < 2 {
        return elements;
    }
    let mut strides = Vec::with_capacity(header.shape.len());
    let mut stride = 1;
    for &extent in &header.shape {
        strides.push(stride);
        stride *= extent;
    }
    let mut index = vec![0; header.shape.len()];
    let mut ordered = Vec::with_capacity(elements.len());
    for _ in 0..elements.len() {
        let at: usize = index.iter().zip(&strides).map(|(index, stride)| index * stride).sum();
        ordered.push(elements[at].clone());
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < header.shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    ordered
}
