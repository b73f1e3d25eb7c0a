//! NumPy's archives and folders of images, whole and damaged.

use flate2::Crc;
use nnc::data::{self, Dataset, Storage};
use nnc::diagnostics::{Diagnostics, render};
use nnc::driver::{Checked, Settings, check_file};
use std::path::{Path, PathBuf};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn check(&self, fields: &str, read: bool) -> Checked {
        self.write("main.nn", format!("data D {{\n  {fields}\n}}\n").as_bytes());
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data");
        check_file(&self.path("main.nn"), &Settings { data_dir: Some(fixtures), ..Settings::default() }, read)
    }

    fn load(&self, fields: &str) -> Dataset {
        let mut checked = self.check(fields, false);
        assert!(checked.diagnostics.is_empty(), "{fields}\n{:?}", checked.diagnostics);
        let mut found = Diagnostics::new();
        let loaded = data::load(&checked.hir.data[0], &checked.paths, &mut checked.sources, &mut found);
        loaded.unwrap_or_else(|| panic!("{fields}\n{found:?}"))
    }

    /// What reading every row reports: the codes, and the messages.
    fn faults(&self, fields: &str) -> (Vec<&'static str>, String) {
        let checked = self.check(fields, true);
        let shown = checked.diagnostics.iter().map(|one| render::short(one, &checked.sources));
        (checked.diagnostics.iter().map(|one| one.code).collect(), shown.collect::<Vec<_>>().join("\n"))
    }
}

fn numbers<'a>(dataset: &'a Dataset, name: &str) -> &'a [f32] {
    match &dataset.field(name).unwrap().values {
        Storage::F32(values) => values,
        Storage::I32(_) => panic!("{name} holds categories"),
    }
}

fn classes<'a>(dataset: &'a Dataset, name: &str) -> &'a [i32] {
    match &dataset.field(name).unwrap().values {
        Storage::I32(values) => values,
        Storage::F32(_) => panic!("{name} holds numbers"),
    }
}

#[test]
fn arrays_of_every_kind() {
    let data = Folder::new().load(
        "source = npz(\"numpy.npz\")
         a: [3] = x
         b: [3, 2] = fortran
         c: [2] = big
         d: [] = small
         e: [2] = bytes / 255
         f: class(3) = long
         g: [] = half
         h: class(2) = truth
         i: class(\"a\", \"bc\") = old
         j: [] = column(\"gap\", fill = mean)
         k: class(\"cat\", \"dog\", \"größe\") = column(\"kind\", fill = most_frequent)",
    );
    assert_eq!(numbers(&data, "a")[3..6], [0.75, 1.0, 1.25]);
    assert_eq!(numbers(&data, "b")[6..12], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
    assert_eq!(numbers(&data, "c"), [1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, 70000.0]);
    assert_eq!(numbers(&data, "d"), [-1.0, 2.0, -3.0, 4.0]);
    assert_eq!(numbers(&data, "e")[..2], [0.0, 1.0]);
    assert_eq!(classes(&data, "f"), [0, 1, 2, 1]);
    assert_eq!(numbers(&data, "g"), [0.5, -2.0, 6.1035156e-5, 65504.0]);
    assert_eq!(classes(&data, "h"), [1, 0, 1, 1]);
    assert_eq!(classes(&data, "i"), [0, 1, 0, 1]);
    assert_eq!(numbers(&data, "j"), [1.0, 8.0 / 3.0, 3.0, 4.0]);
    assert_eq!(classes(&data, "k"), [0, 1, 0, 2]);
}

#[test]
fn arrays_by_other_names_and_as_parts() {
    let folder = Folder::new();
    let data = folder.load(
        "source = [train = npz(\"numpy.npz\", v = \"bytes\"), test = npz(\"numpy.npz\", v = \"shorter\")]\n v: [2] = v",
    );
    assert_eq!((data.split.train.len(), data.split.test.len()), (4, 3));
    let data = folder.load("source = npz(\"numpy.npz\")\n x: [3] = x\n j: [] = column(\"gap\", fill = drop)");
    assert_eq!((data.rows, numbers(&data, "j")), (3, &[1.0, 3.0, 4.0][..]));
    assert_eq!(numbers(&data, "x")[3..], [1.5, 1.75, 2.0, 2.25, 2.5, 2.75]);
    let data = folder.load("source = npz(\"numpy.npz\")\n w: [2, 3] = column(\"x\", window = 2)");
    assert_eq!((data.rows, &numbers(&data, "w")[6..9]), (3, &[0.75, 1.0, 1.25][..]));
}

/// An archive with one stored entry; `claimed` is the size its directory gives.
fn archive(name: &str, bytes: &[u8], claimed: u32) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut common = Vec::new();
    for two in [20u16, 0, 0, 0, 0] {
        common.extend(two.to_le_bytes());
    }
    for four in [crc.sum(), claimed, claimed] {
        common.extend(four.to_le_bytes());
    }
    common.extend((name.len() as u16).to_le_bytes());
    common.extend([0, 0]);
    let mut file = b"PK\x03\x04".to_vec();
    file.extend(&common);
    file.extend(name.as_bytes());
    file.extend(bytes);
    let directory = file.len() as u32;
    file.extend(b"PK\x01\x02\x14\x00");
    file.extend(&common);
    file.extend([0; 14]);
    file.extend(name.as_bytes());
    let size = file.len() as u32 - directory;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend(size.to_le_bytes());
    file.extend(directory.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// An array with that header and those bytes.
fn array(header: &str, bytes: &[u8]) -> Vec<u8> {
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.extend(bytes);
    array
}

#[test]
fn archives_that_are_damaged_are_refused() {
    let folder = Folder::new();
    let good = array("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", &[1, 2, 3]);
    let size = good.len() as u32;
    folder.write("good.npz", &archive("x.npy", &good, size));
    assert_eq!(numbers(&folder.load("source = npz(\"good.npz\")\n x: [] = x"), "x"), [1.0, 2.0, 3.0]);

    let whole = archive("x.npy", &good, size);
    let huge = array("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000000), }", &[]);
    let header =
        |shape: &str| array(&format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"), &[1, 2, 3]);
    let mut flipped = whole.clone();
    let last = 30 + 5 + good.len() - 1;
    flipped[last] ^= 1;
    let mut long_directory = whole.clone();
    let end = whole.len() - 10;
    long_directory[end..end + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("an empty file", Vec::new(), "file-empty"),
        ("text", b"a,b\n1,2\n".to_vec(), "not-npz"),
        ("cut in the middle", whole[..whole.len() / 2].to_vec(), "not-npz"),
        ("a directory beyond the end", long_directory, "not-npz"),
        ("another byte", flipped, "not-npz"),
        ("no array in it", archive("x.txt", &good, size), "not-npz"),
        ("an entry that is no array", archive("x.npy", b"hello", 5), "not-npz"),
        ("a directory that promises more", archive("x.npy", &good, size + 1_000_000_000), "not-npz"),
        ("a shape of exabytes", archive("x.npy", &huge, huge.len() as u32), "not-npz"),
        ("a shape that overflows", archive("x.npy", &header("(99999999999999999999,)"), size), "not-npz"),
        ("brackets without end", archive("x.npy", &header(&"(".repeat(60_000)), 60_050), "not-npz"),
        ("a single value", archive("x.npy", &header("()"), header("()").len() as u32), "not-npz"),
    ];
    for (what, bytes, code) in cases {
        folder.write("x.npz", bytes);
        let (codes, shown) = folder.faults("source = npz(\"x.npz\")\n x: [] = x");
        assert_eq!(codes, [*code], "{what}: {shown}");
    }
    // Cut anywhere, it is refused or the same.
    for length in 0..whole.len() {
        folder.write("x.npz", &whole[..length]);
        let (codes, _) = folder.faults("source = npz(\"x.npz\")\n x: [] = x");
        assert_eq!(codes.len(), 1, "{length} bytes");
    }
}

#[test]
fn mistakes_with_archives_have_their_codes() {
    let folder = Folder::new();
    let cases: &[(&str, &str)] = &[
        ("source = npz(\"numpy.npz\")\n a: [3] = column(\"xx\")", "unknown-column"),
        ("source = npz(\"numpy.npz\", a = \"xx\")\n a: [3] = a", "unknown-column"),
        ("source = npz(\"numpy.npz\")\n a: [4] = x", "shape-mismatch"),
        ("source = npz(\"numpy.npz\")\n a: [3] = x\n b: [2] = shorter", "row-count-mismatch"),
        ("source = npz(\"numpy.npz\", a = \"objects\")\n a: [] = a", "not-npz"),
        ("source = npz(\"numpy.npz\", a = \"one\")\n a: [] = a", "not-npz"),
        ("source = npz(\"numpy.npz\")\n a: [] = gap", "missing-data"),
        ("source = npz(\"numpy.npz\")\n a: class(\"a\", \"b\") = old", "label-out-of-range"),
        ("source = npz(\"numpy.npz\")\n a: [] = old", "text-for-number"),
        ("source = npz(\"nmupy.npz\")\n a: [] = gap", "file-not-found"),
        ("source = npz(file = \"numpy.npz\")\n a: [] = gap", "missing-argument"),
        ("source = npz(\"numpy.npz\", \"x\")\n a: [] = gap", "missing-argument"),
        ("source = npz(\"numpy.npz\", x = 3)\n a: [] = gap", "wrong-kind"),
    ];
    for (fields, code) in cases {
        let (codes, shown) = folder.faults(fields);
        assert_eq!(codes, [*code], "{fields}\n{shown}");
    }
}

pub(crate) fn png(width: u32, height: u32, colour: png::ColorType, bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    file
}

/// A baseline JPEG of blocks of eight by eight, each of one value: `values[component][block]`, as differences from 128.
fn jpeg(width: u16, height: u16, values: &[&[i32]]) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    // All factors are 8, so that a block of one value has that as its mean.
    file.extend([0xff, 0xdb, 0, 67, 0]);
    file.extend([8; 64]);
    file.extend([0xff, 0xc0, 0, 8 + 3 * values.len() as u8, 8]);
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.push(values.len() as u8);
    (0..values.len()).for_each(|at| file.extend([at as u8 + 1, 0x11, 0]));
    // Twelve categories in four bits each, and the one bit that ends a block.
    file.extend([0xff, 0xc4, 0, 31, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(0..12);
    file.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([0xff, 0xda, 0, 6 + 2 * values.len() as u8, values.len() as u8]);
    (0..values.len()).for_each(|at| file.extend([at as u8 + 1, 0]));
    file.extend([0, 63, 0]);
    let mut bits = String::new();
    let mut before = vec![0; values.len()];
    for block in 0..values[0].len() {
        for (component, blocks) in values.iter().enumerate() {
            let difference = blocks[block] - before[component];
            before[component] = blocks[block];
            let size = 32 - difference.unsigned_abs().leading_zeros() as usize;
            let code = if difference < 0 { difference + (1 << size) - 1 } else { difference };
            bits += &format!("{size:04b}");
            if size > 0 {
                bits += &format!("{code:0size$b}");
            }
            bits.push('0');
        }
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |all, &bit| all << 1 | (bit - b'0'));
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn a_folder_a_class() {
    let folder = Folder::new();
    folder.write("pets/dog/b.png", &png(2, 1, png::ColorType::Rgb, &[1, 2, 3, 4, 5, 6]));
    folder.write("pets/dog/a.PNG", &png(2, 1, png::ColorType::Grayscale, &[7, 8]));
    folder.write("pets/cat/1.png", &png(2, 1, png::ColorType::Rgba, &[9, 9, 9, 0, 10, 11, 12, 255]));
    folder.write("pets/cat/.hidden.png", b"");
    folder.write("pets/cat/notes.txt", b"no image");
    let data = folder.load("source = images(\"pets\")\n image: [1, 2, 3] = image / 1\n kind: class(2) = label");
    assert_eq!(data.rows, 3);
    assert_eq!(
        numbers(&data, "image"),
        [9.0, 9.0, 9.0, 10.0, 11.0, 12.0, 7.0, 7.0, 7.0, 8.0, 8.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    assert_eq!(classes(&data, "kind"), [0, 1, 1]);
    let metadata = data.metadata();
    assert_eq!(metadata, [(String::from("classes.kind"), String::from("[\"cat\",\"dog\"]"))]);
    let data = folder.load(
        "source = images(\"pets\", channels = 1)\n image: [1, 2, 1] = image\n kind: class(\"dog\", \"cat\") = label",
    );
    assert_eq!(classes(&data, "kind"), [1, 0, 0]);
    assert_eq!(numbers(&data, "image")[..2], [9.0, 11.0]);
}

#[test]
fn folders_of_numbers_are_classes_by_number() {
    let folder = Folder::new();
    for class in 0..11 {
        folder.write(&format!("digits/{class}/x.png"), &png(1, 1, png::ColorType::Grayscale, &[class]));
    }
    let data = folder.load(
        "source = images(\"digits\")\n image: [1, 1, 1] = image\n digit: class(11) = label\n own = one_hot(label)",
    );
    assert_eq!(classes(&data, "digit"), (0..11).collect::<Vec<i32>>());
    assert_eq!(numbers(&data, "image"), (0..11).map(|digit| digit as f32).collect::<Vec<f32>>());
    assert!((0..11).all(|digit| numbers(&data, "own")[12 * digit] == 1.0));
}

#[test]
fn pictures_in_jpeg() {
    let folder = Folder::new();
    folder.write("gray/a.jpg", &jpeg(16, 8, &[&[-28, 100]]));
    let data = folder.load("source = images(\"gray\")\n image: [8, 16, 1] = image");
    let image = numbers(&data, "image");
    assert!(
        (0..8)
            .all(|row| image[16 * row..16 * row + 8] == [100.0; 8] && image[16 * row + 8..16 * row + 16] == [228.0; 8])
    );
    folder.write("colour/a.jpeg", &jpeg(8, 8, &[&[0], &[0], &[50]]));
    let data = folder.load("source = images(\"colour\")\n image: [8, 8, 3] = image");
    // JFIF: R = Y + 1.402 Cr, G = Y − 0.714 Cr, B = Y.
    for (value, expected) in numbers(&data, "image")[..3].iter().zip([198.1, 92.3, 128.0]) {
        assert!((value - expected).abs() <= 1.5, "{value} for {expected}");
    }
}

#[test]
fn images_are_brought_to_a_size() {
    let folder = Folder::new();
    folder.write("a/x.png", &png(4, 2, png::ColorType::Grayscale, &[0, 0, 100, 100, 0, 0, 100, 100]));
    folder.write("a/y.png", &png(1, 1, png::ColorType::Grayscale, &[40]));
    let data = folder.load("source = images(\"a\", size = [1, 4])\n image: [1, 4, 1] = image");
    assert_eq!(numbers(&data, "image"), [0.0, 0.0, 100.0, 100.0, 40.0, 40.0, 40.0, 40.0]);
    let data = folder.load("source = images(\"a\", size = [1, 2], channels = 1)\n image: [1, 2, 1] = image");
    // Triangles of two pixels' reach around 0.5 and 2.5: weights 1 3 3 1 over 8, cut at the edge.
    let image = numbers(&data, "image");
    assert!((image[0] - 100.0 / 7.0).abs() <= 0.5 && (image[1] - 600.0 / 7.0).abs() <= 0.5, "{image:?}");
}

#[test]
fn mistakes_with_images_have_their_codes() {
    let folder = Folder::new();
    let gray = png(2, 2, png::ColorType::Grayscale, &[1, 2, 3, 4]);
    folder.write("good/a/1.png", &gray);
    folder.write("sizes/a/1.png", &gray);
    folder.write("sizes/a/2.png", &png(1, 2, png::ColorType::Grayscale, &[1, 2]));
    folder.write("colours/a/1.png", &gray);
    folder.write("colours/a/2.png", &png(2, 2, png::ColorType::Rgb, &[0; 12]));
    folder.write("cut/a/1.png", &gray);
    folder.write("cut/a/2.png", &gray[..gray.len() - 20]);
    folder.write("cut/a/3.png", &[]);
    folder.write("text/a/1.png", b"hello");
    folder.write("photo/a/1.jpg", &jpeg(8, 8, &[&[9]])[..120]);
    folder.write("file.png", &gray);
    // A header that claims forty thousand million pixels.
    let mut huge = gray.clone();
    huge[16..24].copy_from_slice(&[0, 3, 0x0d, 0x40, 0, 3, 0x0d, 0x40]);
    let mut crc = Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    folder.write("huge/a/1.png", &huge);
    std::fs::create_dir_all(folder.path("empty")).unwrap();
    std::fs::create_dir_all(folder.path("hollow/a")).unwrap();
    let cases: &[(&str, &str)] = &[
        ("source = images(\"sizes\")\n i: [2, 2, 1] = image", "images-differ"),
        ("source = images(\"colours\")\n i: [2, 2, 1] = image", "images-differ"),
        ("source = images(\"cut\")\n i: [2, 2, 1] = image", "not-an-image"),
        ("source = images(\"text\")\n i: [2, 2, 1] = image", "not-an-image"),
        ("source = images(\"photo\")\n i: [8, 8, 1] = image", "not-an-image"),
        ("source = images(\"huge\")\n i: [8, 8, 1] = image", "not-an-image"),
        ("source = images(\"empty\")\n i: [2, 2, 1] = image", "no-images"),
        ("source = images(\"hollow\")\n i: [2, 2, 1] = image", "no-images"),
        ("source = images(\"file.png\")\n i: [2, 2, 1] = image", "no-images"),
        ("source = images(\"nowhere\")\n i: [2, 2, 1] = image", "file-not-found"),
        ("source = images(\"good\")\n i: [2, 2, 3] = image", "shape-mismatch"),
        ("source = images(\"good\")\n i: [1, 2, 2] = image", "shape-mismatch"),
        ("source = images(\"good\")\n i: class(2) = label", "shape-mismatch"),
        ("source = images(\"good\", size = [0, 2])\n i: [2, 2, 1] = image", "out-of-range"),
        ("source = images(\"good\", size = 2)\n i: [2, 2, 1] = image", "wrong-kind"),
        ("source = images(\"good\", channels = 4)\n i: [2, 2, 1] = image", "out-of-range"),
    ];
    let mut wrong = Vec::new();
    for (fields, code) in cases {
        let (codes, shown) = folder.faults(fields);
        if codes != [*code] {
            wrong.push(format!("{fields}: {code}, not {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Numbers that look random, the same each time.
fn mixed(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn files_with_other_bytes_are_read_or_refused() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..192).map(|at| (at * 37 % 256) as u8).collect();
    let archive = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data/numpy.npz")).unwrap();
    let mut idx = vec![0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 3];
    idx.extend(0..12);
    let text = b"a,b,c\n1,\"x\ny\",3\n4,\"z\"\"\",6\n".to_vec();
    let files: [(&str, Vec<u8>, &str); 5] = [
        ("p/a/1.png", png(8, 8, png::ColorType::Rgb, &bytes), "source = images(\"p\")\n i: [8, 8, 3] = image"),
        (
            "j/a/1.jpg",
            jpeg(16, 8, &[&[3, 90], &[10, -20], &[50, -7]]),
            "source = images(\"j\")\n i: [8, 16, 3] = image",
        ),
        ("x.npz", archive, "source = npz(\"x.npz\")\n a: [3] = x\n b: [2] = big\n k: class(3) = kind"),
        ("x.idx", idx, "source = idx(x = \"x.idx\")\n a: [3] = x"),
        ("x.csv", text, "source = csv(\"x.csv\")\n a: [] = a\n b: class(2) = b\n w: class(9)[3] = tokens(b)"),
    ];
    let mut state = 7;
    for (name, whole, fields) in files {
        for round in 0..150 {
            let mut changed = whole.clone();
            for _ in 0..=round % 4 {
                let at = mixed(&mut state) % changed.len();
                changed[at] = mixed(&mut state) as u8;
            }
            if round % 5 == 0 {
                changed.truncate(mixed(&mut state) % whole.len());
            }
            folder.write(name, &changed);
            folder.check(fields, true);
        }
    }
}
