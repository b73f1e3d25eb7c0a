//! Zip archives, as far as NumPy writes them: entries that are stored or deflated.
//!
//! In: a file that can be read anywhere. Out: its entries by the directory at its end, and the bytes of each. The crates that
//! read zip archives bring encryption and their own features into crates the code generator shares; this is the small part that `npz`
//! needs. The format: PKWARE, "APPNOTE.TXT", sections 4.3 and 4.5.3. Nothing is allocated by what the file claims alone.

use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{self, Read, Seek, SeekFrom};

/// An entry of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: String,
    /// Its bytes when unpacked, as the directory says.
    pub(super) size: u64,
    deflated: bool,
    packed: u64,
    offset: u64,
    crc: u32,
}

/// The longest comment behind the directory, with the record that ends it.
const TAIL: u64 = (1 << 16) + 22;

/// More directory than this is taken for damage.
const LARGEST_DIRECTORY: u64 = 1 << 24;

/// Stands for a number that is in the extra field.
const ELSEWHERE: u64 = 0xffff_ffff;

/// The entries of an archive; what is wrong with it in words where it is none.
pub(super) fn entries<R: Read + Seek>(file: &mut R) -> Result<Vec<Entry>, String> {
    let length = file.seek(SeekFrom::End(0)).map_err(said)?;
    let start = length.saturating_sub(TAIL);
    let tail = read_at(file, start, length - start)?;
    let end = (0..tail.len().saturating_sub(21)).rev().find(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    let Some(end) = end else { return Err(String::from("it has no directory at its end")) };
    let (mut size, mut offset) = (u64::from(u32_at(&tail, end + 12)), u64::from(u32_at(&tail, end + 16)));
    if (size == ELSEWHERE || offset == ELSEWHERE) && end >= 20 && tail[end - 20..].starts_with(b"PK\x06\x07") {
        let large = read_at(file, u64_at(&tail, end - 12), 56)?;
        (size, offset) = (u64_at(&large, 40), u64_at(&large, 48));
    }
    if size > LARGEST_DIRECTORY || offset.checked_add(size).is_none_or(|end| end > length) {
        return Err(String::from("its directory is damaged"));
    }
    let directory = read_at(file, offset, size)?;
    let mut entries = Vec::new();
    let mut at = 0;
    while directory.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) && at + 46 <= directory.len() {
        let [name, extra, comment] = [28, 30, 32].map(|field| usize::from(u16_at(&directory, at + field)));
        let next = at + 46 + name + extra + comment;
        if next > directory.len() {
            return Err(String::from("its directory is damaged"));
        }
        let number = |field: usize| u64::from(u32_at(&directory, at + field));
        let mut wide = wide_numbers(&directory[at + 46 + name..at + 46 + name + extra]);
        let mut resolved = |small: u64| if small == ELSEWHERE { wide.next().unwrap_or(small) } else { small };
        let size = resolved(number(24));
        let (packed, offset) = (resolved(number(20)), resolved(number(42)));
        let method = u16_at(&directory, at + 10);
        let encrypted = u16_at(&directory, at + 8) & 1 == 1;
        let name = String::from_utf8_lossy(&directory[at + 46..at + 46 + name]).into_owned();
        if encrypted || !matches!(method, 0 | 8) {
            return Err(format!("its entry `{name}` is packed in a way that NumPy does not use"));
        }
        entries.push(Entry { name, size, deflated: method == 8, packed, offset, crc: number(16) as u32 });
        at = next;
    }
    Ok(entries)
}

/// The 64-bit numbers of an extra field, in order.
fn wide_numbers(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut at = 0;
    let mut found: &[u8] = &[];
    while at + 4 <= extra.len() {
        let length = usize::from(u16_at(extra, at + 2));
        let body = &extra[at + 4..(at + 4 + length).min(extra.len())];
        if u16_at(extra, at) == 1 {
            found = body;
        }
        at += 4 + length;
    }
    found.chunks_exact(8).map(|bytes| u64_at(bytes, 0))
}

/// The bytes of an entry, as they are unpacked.
pub(super) fn open<'r, R: Read + Seek>(file: &'r mut R, entry: &Entry) -> Result<Box<dyn Read + 'r>, String> {
    let local = read_at(file, entry.offset, 30)?;
    if !local.starts_with(b"PK\x03\x04") {
        return Err(format!("its entry `{}` is not where the directory says", entry.name));
    }
    let skipped = u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
    let start = entry.offset.saturating_add(30 + skipped);
    file.seek(SeekFrom::Start(start)).map_err(said)?;
    let packed = file.take(entry.packed);
    let unpacked: Box<dyn Read + 'r> = match entry.deflated {
        true => Box::new(DeflateDecoder::new(packed)),
        false => Box::new(packed),
    };
    Ok(Box::new(Checked { inner: unpacked.take(entry.size), crc: Crc::new(), wanted: entry.crc, left: entry.size }))
}

/// Compares the checksum when the last byte was read.
struct Checked<R> {
    inner: R,
    crc: Crc,
    wanted: u32,
    left: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.crc.update(&bytes[..count]);
        self.left -= (count as u64).min(self.left);
        if count > 0 && self.left == 0 && self.crc.sum() != self.wanted {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum differs"));
        }
        Ok(count)
    }
}

/// So many bytes from a place on; there are as many.
fn read_at<R: Read + Seek>(file: &mut R, start: u64, count: u64) -> Result<Vec<u8>, String> {
    file.seek(SeekFrom::Start(start)).map_err(said)?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes).map_err(said)?;
    if (bytes.len() as u64) < count { Err(String::from("it ends early")) } else { Ok(bytes) }
}

/// What went wrong, in words.
pub(super) fn said(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => String::from("it ends early"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => String::from("its packing is damaged"),
        _ => error.to_string(),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
