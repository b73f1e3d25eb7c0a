//! Folders of images, a folder a class.
//!
//! In: a folder. Out: the columns `image`, bytes with the channels last, and `label`, the folder each lies in. Files are taken in the order
//! of their names, classes too. PNG and JPEG are decoded by the means that every machine has, so that the bytes are the same
//! everywhere. All images have one size: that of the first, or the size asked for, to which they are brought by averaging.

use super::arrays::{self, Array, Elements};
use super::columns::ColumnBuilder;
use super::files::{Paths, shown};
use crate::check::hir::{Element, ImageFolder, Schema, SchemaColumn, ValueType};
use crate::diagnostics::{Diagnostic, data as report};
use crate::source::Spanned;
use std::ffi::OsStr;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The images of a folder, in order.
struct Listing {
    /// The folder as shown to the user.
    name: String,
    classes: Vec<String>,
    /// Each with the number of its class.
    files: Vec<(PathBuf, usize)>,
}

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// A larger file is no image to learn from.
const LARGEST_FILE: u64 = 1 << 28;

/// The most bytes of a decoded image, and of its width and height.
const LARGEST_IMAGE: usize = 1 << 28;

/// The entries of a folder that are not hidden, by name.
fn entries(folder: &Path, path: &Spanned<String>) -> Result<Vec<PathBuf>, Diagnostic> {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let listed = listed.map_err(|error| report::file_unreadable(path, &shown(folder), &error))?;
    let mut paths: Vec<PathBuf> = listed.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| !name_of(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && path.is_file()
}

fn list(path: &Spanned<String>, folder: &Path) -> Result<Listing, Diagnostic> {
    let name = shown(folder);
    if !folder.is_dir() {
        return Err(report::no_images(path, &name, "is no folder"));
    }
    let inside = entries(folder, path)?;
    let mut folders: Vec<&PathBuf> = inside.iter().filter(|path| path.is_dir()).collect();
    let number = |path: &&PathBuf| name_of(path).parse::<usize>().ok();
    if folders.iter().all(|folder| number(folder).is_some()) {
        folders.sort_by_key(number);
    }
    let mut files = Vec::new();
    for (class, folder) in folders.iter().enumerate() {
        files.extend(entries(folder, path)?.into_iter().filter(|path| is_image(path)).map(|path| (path, class)));
    }
    if folders.is_empty() {
        files.extend(inside.iter().filter(|path| is_image(path)).map(|path| (path.clone(), 0)));
    }
    if files.is_empty() {
        return Err(report::no_images(path, &name, "holds no PNG or JPEG files"));
    }
    Ok(Listing { name, classes: folders.iter().map(|folder| name_of(folder)).collect(), files })
}

impl Listing {
    fn schema(&self, shape: [usize; 3]) -> Schema {
        let image = ValueType { element: Element::Number, shape: shape.to_vec() };
        let mut columns = vec![SchemaColumn { name: Some(String::from("image")), ty: Some(image) }];
        if !self.classes.is_empty() {
            let counted = self.classes.iter().enumerate().all(|(at, class)| *class == at.to_string());
            let names = Some(self.classes.clone()).filter(|_| !counted);
            let label = ValueType { element: Element::Class { count: self.classes.len(), names }, shape: Vec::new() };
            columns.push(SchemaColumn { name: Some(String::from("label")), ty: Some(label) });
        }
        Schema { columns, rows: Some(self.files.len()), separated_by: None }
    }

    /// The extents that all images are to have.
    fn shape(&self, source: &ImageFolder) -> Result<[usize; 3], Diagnostic> {
        if let (Some([height, width]), Some(channels)) = (source.size, source.channels) {
            return Ok([height, width, channels]);
        }
        let (first, _) = &self.files[0];
        let image = decode(first).map_err(|why| report::not_an_image(&source.path, &shown(first), &why, 1))?;
        let [height, width] = source.size.unwrap_or([image.height, image.width]);
        Ok([height, width, source.channels.unwrap_or(image.channels)])
    }
}

/// The columns by a listing and the first image.
pub(super) fn schema(source: &ImageFolder, paths: &Paths) -> Option<Result<Schema, Diagnostic>> {
    let folder = paths.find(&source.path.value, &[])?;
    let schema = list(&source.path, &folder).and_then(|listing| Ok(listing.schema(listing.shape(source)?)));
    Some(schema)
}

/// Reads all images; gives their number.
pub(super) fn read(
    source: &ImageFolder,
    paths: &Paths,
    number: usize,
    builders: &mut [ColumnBuilder<'_>],
) -> Result<usize, Vec<Diagnostic>> {
    let one = |problem: Diagnostic| vec![problem];
    let folder = paths.find_or_report(&source.path, &[]).map_err(one)?;
    let listing = list(&source.path, &folder).map_err(one)?;
    let shape = listing.shape(source).map_err(one)?;
    let uses = arrays::uses(builders, &listing.schema(shape), &listing.name)?;
    let len: usize = shape.iter().product();
    let count = listing.files.len();
    // The bytes, and the numbers that they become.
    super::memory::require(source.path.span, 5 * (count as u128).saturating_mul(len as u128)).map_err(one)?;
    let image = match uses.iter().flatten().any(|&column| column == 0) {
        true => Array { row_len: len, elements: Elements::Bytes(pixels(source, &listing, shape).map_err(one)?) },
        false => Array::default(),
    };
    let labels = listing.files.iter().filter_map(|(_, class)| listing.classes.get(*class).cloned()).collect();
    let label = Array { row_len: 1, elements: Elements::Texts(labels) };
    Ok(arrays::hand_out(vec![image, label], &uses, count, number, builders))
}

/// The bytes of all images, decoded by several threads.
fn pixels(source: &ImageFolder, listing: &Listing, shape: [usize; 3]) -> Result<Vec<u8>, Diagnostic> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let of_thread = listing.files.len().div_ceil(threads);
    let decode_all = |files: &[(PathBuf, usize)]| -> Decoded {
        let (mut bytes, mut faults) = (Vec::new(), Vec::new());
        for (file, _) in files {
            match fitting(file, source, shape) {
                Ok(image) if faults.is_empty() => bytes.extend(image),
                Ok(_) => {}
                Err(fault) => faults.push((file.clone(), fault)),
            }
        }
        (bytes, faults)
    };
    let parts: Vec<Decoded> = std::thread::scope(|scope| {
        let running: Vec<_> =
            listing.files.chunks(of_thread).map(|files| scope.spawn(move || decode_all(files))).collect();
        running.into_iter().flat_map(|thread| thread.join()).collect()
    });
    let faults = || parts.iter().flat_map(|(_, faults)| faults);
    if let Some((file, fault)) = faults().next() {
        let alike =
            faults().filter(|(_, other)| std::mem::discriminant(other) == std::mem::discriminant(fault)).count();
        return Err(match fault {
            Fault::Broken(why) => report::not_an_image(&source.path, &shown(file), why, alike),
            Fault::Other(found) => {
                let first = shown(&listing.files[0].0);
                report::images_differ(&source.path, [&first, &shown(file)], [shape, *found], alike)
            }
        });
    }
    let bytes: Vec<u8> = parts.into_iter().flat_map(|(bytes, _)| bytes).collect();
    // A decoder that fails in a way of its own takes its thread with it.
    match bytes.len() == listing.files.len() * shape.iter().product::<usize>() {
        true => Ok(bytes),
        false => Err(report::not_an_image(&source.path, &listing.name, "an image in it cannot be decoded", 1)),
    }
}

/// The bytes of some images, and those that are not what they should be.
type Decoded = (Vec<u8>, Vec<(PathBuf, Fault)>);

/// Why an image is not what it should be.
#[derive(Debug)]
enum Fault {
    /// No image, or a damaged one.
    Broken(String),
    /// One of other extents.
    Other([usize; 3]),
}

/// The bytes of an image in the extents of the column.
fn fitting(file: &Path, source: &ImageFolder, shape: [usize; 3]) -> Result<Vec<u8>, Fault> {
    let mut image = decode(file).map_err(Fault::Broken)?;
    let [height, width, channels] = shape;
    let found = [image.height, image.width, image.channels];
    match (image.channels, channels) {
        (1, 3) => image.bytes = image.bytes.iter().flat_map(|&gray| [gray; 3]).collect(),
        // Luma of ITU-R BT.601.
        (3, 1) if source.channels.is_some() => {
            let luma =
                |rgb: &[u8]| (299 * u32::from(rgb[0]) + 587 * u32::from(rgb[1]) + 114 * u32::from(rgb[2]) + 500) / 1000;
            image.bytes = image.bytes.chunks_exact(3).map(|rgb| luma(rgb) as u8).collect();
        }
        (own, wanted) if own != wanted => return Err(Fault::Other(found)),
        _ => {}
    }
    image.channels = channels;
    if (image.height, image.width) == (height, width) {
        return Ok(image.bytes);
    }
    match source.size {
        Some(_) => Ok(resize(&image, height, width)),
        None => Err(Fault::Other(found)),
    }
}

/// A decoded image, its channels last: one or three.
struct Image {
    height: usize,
    width: usize,
    channels: usize,
    bytes: Vec<u8>,
}

fn decode(file: &Path) -> Result<Image, String> {
    let length = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if length > LARGEST_FILE {
        return Err(format!("it has {length} bytes"));
    }
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let image = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => decode_png(&bytes),
        [0xff, 0xd8, 0xff, ..] => decode_jpeg(&bytes),
        [] => Err(String::from("it is empty")),
        _ => Err(String::from("it is neither PNG nor JPEG")),
    }?;
    match image.bytes.len() == image.height * image.width * image.channels && !image.bytes.is_empty() {
        true => Ok(image),
        false => Err(String::from("it ends early")),
    }
}

fn decode_png(bytes: &[u8]) -> Result<Image, String> {
    let said = |error: png::DecodingError| match error {
        png::DecodingError::IoError(_) => String::from("it ends early"),
        other => other.to_string(),
    };
    let limits = png::Limits { bytes: LARGEST_IMAGE };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(said)?;
    let size = reader.output_buffer_size().filter(|size| *size <= LARGEST_IMAGE).ok_or("it is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(said)?;
    pixels.truncate(frame.buffer_size());
    let (channels, pixels) = match frame.color_type {
        png::ColorType::Grayscale => (1, pixels),
        png::ColorType::GrayscaleAlpha => (1, pixels.chunks_exact(2).map(|pixel| pixel[0]).collect()),
        png::ColorType::Rgb => (3, pixels),
        png::ColorType::Rgba => (3, pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()),
        png::ColorType::Indexed => return Err(String::from("its palette is missing")),
    };
    Ok(Image { height: frame.height as usize, width: frame.width as usize, channels, bytes: pixels })
}

fn decode_jpeg(bytes: &[u8]) -> Result<Image, String> {
    // What is faster on some machines rounds otherwise on others.
    let options = DecoderOptions::default().set_use_unsafe(false).set_max_width(1 << 14).set_max_height(1 << 14);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let info = decoder.info().ok_or("it has no header")?;
    let (channels, space) = if info.components == 1 { (1, ColorSpace::Luma) } else { (3, ColorSpace::RGB) };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let (height, width) = (usize::from(info.height), usize::from(info.width));
    if height * width * channels > LARGEST_IMAGE {
        return Err(String::from("it is too large"));
    }
    let bytes = decoder.decode().map_err(|error| error.to_string())?;
    Ok(Image { height, width, channels, bytes })
}

/// Brings an image to another size: a pixel becomes the mean of those it covers, weighted by a triangle.
fn resize(image: &Image, height: usize, width: usize) -> Vec<u8> {
    let channels = image.channels;
    let columns = weights(image.width, width);
    let rows = weights(image.height, height);
    let mut narrow = vec![0.0f64; image.height * width * channels];
    for y in 0..image.height {
        for (x, (first, weights)) in columns.iter().enumerate() {
            for channel in 0..channels {
                let at = |step: usize| f64::from(image.bytes[(y * image.width + first + step) * channels + channel]);
                let sum = weights.iter().enumerate().map(|(step, weight)| weight * at(step)).sum();
                narrow[(y * width + x) * channels + channel] = sum;
            }
        }
    }
    let row = width * channels;
    let mut resized = Vec::with_capacity(height * row);
    for (first, weights) in &rows {
        for place in 0..row {
            let at = |step: usize| narrow[(first + step) * row + place];
            let sum: f64 = weights.iter().enumerate().map(|(step, weight)| weight * at(step)).sum();
            resized.push(sum.round().clamp(0.0, 255.0) as u8);
        }
    }
    resized
}

/// For each of `to` pixels the first of `from` that it covers, and how much it takes of that and the next ones.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f64>)> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let of_pixel = |at: usize| {
        let center = (at as f64 + 0.5) * scale - 0.5;
        let first = (center - reach).ceil().max(0.0) as usize;
        let last = ((center + reach).floor() as usize).min(from - 1);
        let shares: Vec<f64> =
            (first..=last).map(|pixel| (1.0 - (pixel as f64 - center).abs() / reach).max(0.0)).collect();
        let sum: f64 = shares.iter().sum();
        (first, shares.iter().map(|share| share / sum).collect())
    };
    (0..to).map(of_pixel).collect()
}
