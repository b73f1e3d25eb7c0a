//! Problems with data: files, columns, values, splits.

use super::{Diagnostic, Severity};
use crate::source::{Span, Spanned};
use std::fmt::Display;

/// What a file that is no text is instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Binary {
    /// Packed with gzip.
    Gzip,
    /// A zip archive, which spreadsheets are too.
    Zip,
    /// Text in UTF-16.
    Utf16,
    /// Something with zero bytes in it.
    Other,
}

/// How the use of a column is written, for edits of it.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// All of it.
    pub span: Span,
    /// Its text.
    pub text: &'a str,
}

impl Use<'_> {
    /// The edit that gives it another argument: `column(3)` gets it last, a bare name becomes a call.
    fn with(self, argument: &str) -> Vec<super::Edit> {
        match self.text.ends_with(')') {
            true => {
                let bracket = Span { start: self.span.end.saturating_sub(1), ..self.span };
                super::Edit::replace(bracket, format!(", {argument})"))
            }
            false => super::Edit::replace(self.span, format!("column({:?}, {argument})", self.text)),
        }
    }
}

/// Texts that people write where a value is missing.
const GAPS: [&str; 12] = ["?", "-", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "."];

/// A value in a data file: its place in an excerpt, and how the user finds it again.
#[derive(Clone, Copy, Debug)]
pub struct InFile<'a> {
    /// The value in the excerpt; `None` where the file has no lines.
    pub excerpt: Option<Span>,
    /// `adult.csv, line 5, column 3`.
    pub place: &'a str,
    /// How often the problem occurs.
    pub count: usize,
}

impl InFile<'_> {
    /// The problem with its place, its first label on the value where the file has lines, and one on the use of the column.
    fn locate(&self, problem: Diagnostic, value: &str, used: Span, why: String) -> Diagnostic {
        let message = format!("{} ({}{})", problem.message, self.place, more(self.count));
        let problem = Diagnostic { message, ..problem };
        match self.excerpt {
            Some(span) => problem.at(span, value).and(used, why),
            None => problem.at(used, why),
        }
    }
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => String::from(", and one more like it"),
        _ => format!(", and {} more like it", count - 1),
    }
}

pub(super) fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Some of many things, in back quotes.
pub(super) fn some<T: Display>(things: &[T]) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<String> = things.iter().take(SHOWN).map(|thing| format!("`{thing}`")).collect();
    if things.len() > SHOWN {
        shown.push(format!("and {} more", things.len() - SHOWN));
    }
    shown.join(", ")
}

/// `file-not-found`: a data file that is in none of the places it is looked for.
pub fn file_not_found(path: &Spanned<String>, tried: &[String], near: Option<&str>) -> Diagnostic {
    let diagnostic = Diagnostic::error("file-not-found", format!("there is no file `{}`", path.value));
    let help = format!("looked for {}; a path is relative to the `.nn` file, then to `--data-dir`", some(tried));
    match near {
        Some(near) => {
            let edit = super::Edit::replace(path.span, format!("{near:?}"));
            let mut diagnostic = diagnostic.at(path.span, format!("did you mean `{near}`?")).help(help);
            diagnostic.fixes.push(super::Fix { title: format!("read `{near}`"), safe: false, edits: edit });
            diagnostic
        }
        None => diagnostic.at(path.span, "not found").help(help),
    }
}

/// `file-unreadable`: the system does not let the file be read.
pub fn file_unreadable(path: &Spanned<String>, name: &str, error: &std::io::Error) -> Diagnostic {
    let why = match error.kind() {
        std::io::ErrorKind::PermissionDenied => String::from("permission denied"),
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => String::from("its packing is damaged"),
        _ => error.to_string(),
    };
    Diagnostic::error("file-unreadable", format!("`{name}` cannot be read: {why}"))
        .at(path.span, "this file")
        .help("see that the file is whole and that you may read it")
}

/// `file-unreadable`: a device, a pipe or a socket.
pub fn not_a_file(path: &Spanned<String>, name: &str) -> Diagnostic {
    Diagnostic::error("file-unreadable", format!("`{name}` is not a regular file"))
        .at(path.span, "a file belongs here")
        .help("write what it gives into a file first")
}

/// `file-is-directory`: a path that names a folder.
pub fn file_is_directory(path: &Spanned<String>, name: &str) -> Diagnostic {
    Diagnostic::error("file-is-directory", format!("`{name}` is a directory, not a file"))
        .at(path.span, "a file belongs here")
        .help("name a file in it")
}

/// `file-empty`: a file with nothing in it.
pub fn file_is_empty(path: &Spanned<String>, name: &str) -> Diagnostic {
    Diagnostic::error("file-empty", format!("`{name}` is empty"))
        .at(path.span, "this file has no rows")
        .help("an interrupted download leaves such a file; fetch it again")
}

/// `no-rows`: a text file with a header and nothing behind it, or nothing left.
pub fn no_rows(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("no-rows", format!("`{name}` has no rows"))
        .at(span, "no row comes from here")
        .help("a first row is taken as the header unless `header = false`; rows with a gap go with `fill = drop`")
}

/// `file-binary`: a file that is no text where text is read.
pub fn file_is_binary(path: &Spanned<String>, name: &str, kind: Binary) -> Diagnostic {
    let (what, help) = match kind {
        Binary::Gzip => ("is packed with gzip", "unpack it first: `gunzip -k FILE`"),
        Binary::Zip => ("is a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
        Binary::Utf16 => ("is text in UTF-16", "save it as UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`"),
        Binary::Other => {
            ("is no text file: it holds zero bytes", "`csv` reads text; for MNIST's format there is `idx`")
        }
    };
    Diagnostic::error("file-binary", format!("`{name}` {what}")).at(path.span, "read as text here").help(help)
}

/// `file-encoding`: a text file in another encoding.
pub fn file_not_utf8(path: &Spanned<String>, name: &str, line: usize) -> Diagnostic {
    Diagnostic::error("file-encoding", format!("`{name}` is not UTF-8: line {line} holds other bytes"))
        .at(path.span, "read as UTF-8 here")
        .help("if it is Latin-1, `iconv -f LATIN1 -t UTF-8 FILE` rewrites it")
}

/// `data-too-large`: more than the machine can hold.
pub fn data_too_large(span: Span, bytes: u128, available: u128) -> Diagnostic {
    let message = format!("this data takes {}, and {} are free", size(bytes), size(available));
    Diagnostic::error("data-too-large", message)
        .at(span, "too large for memory")
        .help("use fewer rows or fewer values in a row")
}

/// `data-too-large`: more rows than are counted.
pub fn too_many_rows(span: Span, rows: usize) -> Diagnostic {
    Diagnostic::error("data-too-large", format!("{rows} rows are too many"))
        .at(span, "at most 4294967295 rows in all")
        .help("use fewer rows")
}

fn size(bytes: u128) -> String {
    const UNITS: [&str; 6] = ["bytes", "KB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `header-is-data`: the row taken for the names of the columns holds numbers.
pub fn header_is_data(path: Span, first_row: Span, name: &str) -> Diagnostic {
    Diagnostic::warning("header-is-data", format!("the first row of `{name}` is taken as names, but holds numbers"))
        .at(path, "read with a header")
        .and(first_row, "this row is no data")
        .help("write `header = false` if the file has no header: `csv(\"…\", header = false)`")
}

/// `ragged-row`: a row with more or fewer values than the first.
pub fn ragged_row(value: InFile<'_>, path: Span, values: usize, width: usize, joined_lines: usize) -> Diagnostic {
    let what = format!("a row has {} where the first has {width}", plural(values, "value"));
    let label = if values < width { "too few values" } else { "too many values" };
    let help = if joined_lines > 1 {
        format!("a quote that opens in this row closes {} later: is one missing?", plural(joined_lines - 1, "line"))
    } else {
        String::from(
            "a value that holds the separator stands in double quotes; another separator is given as `separator = \";\"`",
        )
    };
    value.locate(Diagnostic::error("ragged-row", what), label, path, String::from("in this file")).help(help)
}

/// `missing-data`: a gap in a column whose use says nothing of gaps.
pub fn missing_value(value: InFile<'_>, text: &str, used: Use<'_>, categories: bool) -> Diagnostic {
    let label = if text.is_empty() {
        String::from("nothing stands here")
    } else {
        format!("`{text}` stands for a missing value")
    };
    let fill = if categories { "fill = most_frequent" } else { "fill = median" };
    value
        .locate(Diagnostic::error("missing-data", "a value is missing"), &label, used.span, String::from("every row needs a value here"))
        .help("say what becomes of gaps: `fill = mean`, `median`, `most_frequent`, a value, or `drop` to leave the row out")
        .suggest(format!("`{fill}`"), used.with(fill))
}

/// `text-for-number`: a text where a number belongs.
pub fn not_a_number(value: InFile<'_>, text: &str, used: Span, first_line: bool) -> Diagnostic {
    let too_large = text.parse::<f64>().is_ok_and(f64::is_finite);
    let separator = [';', '\t', '|'].into_iter().find(|&separator| {
        let parts = text.split(separator);
        parts.clone().count() > 1 && parts.clone().all(|part| part.trim().parse::<f64>().is_ok())
    });
    let help = if let Some(separator) = separator {
        other_separator(separator)
    } else if too_large {
        String::from("numbers are kept as f32, which ends at 3.4e38; scale the column")
    } else if text.matches(',').count() == 1 && text.replace(',', ".").parse::<f64>().is_ok() {
        String::from("numbers are written with a decimal point")
    } else if GAPS.contains(&text) {
        gap_help(text)
    } else if first_line {
        String::from("if the first row names the columns, leave `header = false` out")
    } else {
        format!(
            "if it stands for a missing value, add `missing = {text:?}` to the source and a `fill` to the column; for categories give the field a `class(…)` type"
        )
    };
    let what = if too_large { format!("`{text}` is too large") } else { format!("`{text}` is not a number") };
    value
        .locate(
            Diagnostic::error("text-for-number", what),
            "a number belongs here",
            used,
            String::from("read as a number here"),
        )
        .help(help)
}

/// What another use of a column has found, the same as a known problem: its place and its edits are added to that.
pub fn found_again(known: &mut Diagnostic, again: Diagnostic) {
    let used = again.labels.into_iter().next_back();
    known.labels.extend(used.map(|used| super::Label { message: String::from("and here"), ..used }));
    for (known, more) in known.fixes.iter_mut().zip(again.fixes) {
        known.edits.extend(more.edits);
    }
}

/// `label-out-of-range`: a value that is none of the classes of its field.
pub fn label_out_of_range(
    value: InFile<'_>,
    text: &str,
    used: Use<'_>,
    classes: usize,
    names: Option<&[String]>,
) -> Diagnostic {
    let what = format!("the label `{text}` is outside its classes");
    let problem = Diagnostic::error("label-out-of-range", what);
    let locate = |why: String| value.locate(problem, "none of the classes", used.span, why);
    let Some(names) = names else {
        let last = classes.saturating_sub(1);
        let problem = locate(format!("the {classes} classes are the numbers 0 to {last}"));
        return match text.parse::<i64>() {
            Ok(number) if number == classes as i64 => problem.help(format!(
                "numbers are classes as they are, from 0; where they count from 1 name them: `class(\"1\", … \"{classes}\")`"
            )),
            _ => problem.help(format!(
                "numbers are classes as they are, from 0; where they begin elsewhere, name them: `class(\"{text}\", …)`"
            )),
        };
    };
    let problem = locate(format!("the classes are {}", some(names)));
    if let Some((clinging, name)) = names.iter().find_map(|name| Some((clinging(text, name)?, name))) {
        let strip = format!("strip = {clinging:?}");
        return problem
            .help(format!("`{strip}` removes what clings to `{name}`"))
            .fix(format!("strip {clinging:?} from the values"), used.with(&strip));
    }
    if GAPS.contains(&text) {
        return problem.help(gap_help(text));
    }
    match super::nearest(text, names.iter().map(String::as_str)) {
        Some(near) => problem.help(format!(
            "did you mean `{near}`? Correct the program or the file; `missing = {text:?}` with a `fill` takes it as a gap"
        )),
        None => problem.help(format!("add it to the classes, or take it as a gap with `missing = {text:?}` and a `fill`")),
    }
}

fn gap_help(text: &str) -> String {
    format!(
        "`{text}` seems to mark a missing value: `csv(\"…\", missing = {text:?})`, and `column(…, fill = …)` says what becomes of it"
    )
}

/// What stands around a name, the same text before and behind it or on one side alone.
fn clinging<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let at = text.find(name).filter(|_| !name.is_empty())?;
    let (before, behind) = (&text[..at], &text[at + name.len()..]);
    match (before.trim(), behind.trim()) {
        ("", "") => None,
        ("", one) | (one, "") => Some(one),
        (one, other) if one == other => Some(one),
        _ => None,
    }
    .filter(|text| !text.chars().any(char::is_alphanumeric))
}

/// `too-many-classes`: more different texts than classes.
pub fn too_many_classes(value: InFile<'_>, text: &str, used: Use<'_>, classes: usize, found: &[String]) -> Diagnostic {
    let what = format!("{} different texts for {}", found.len(), plural(classes, "class").replace("classs", "classes"));
    let once = InFile { count: 1, ..value };
    let problem = once.locate(
        Diagnostic::error("too-many-classes", what),
        &format!("`{text}` is one too many"),
        used.span,
        format!("{classes} were asked for"),
    );
    match found.iter().find(|text| GAPS.contains(&text.as_str())) {
        Some(gap) if found.len() == classes + 1 => problem.help(gap_help(gap)),
        _ => problem.help(format!(
            "found {}; write `class({})`, or take one as a gap with `missing = …` and a `fill`",
            some(found),
            found.len()
        )),
    }
}

/// What a source's columns are, for problems with them.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The source.
    pub source: &'a str,
    /// The number of its columns.
    pub count: usize,
    /// Those that have a name.
    pub names: &'a [&'a str],
    /// What seems to separate the values instead of the separator given.
    pub separated_by: Option<char>,
}

/// `unknown-column`: a name that is none of the source's columns.
pub fn unknown_column(used: Span, name: &str, offer: Offer<'_>) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-column", format!("`{}` has no column `{name}`", offer.source));
    let label = match super::nearest(name, offer.names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => String::from("no such column"),
    };
    let help = match (offer.names, offer.separated_by) {
        (_, Some(separator)) => other_separator(separator),
        ([], None) => String::from("the file has no header: take columns by number, `column(0)` is the first"),
        (names, None) => format!("its columns are {}", some(names)),
    };
    diagnostic.at(used, label).help(help)
}

fn other_separator(separator: char) -> String {
    let separator = separator.to_string();
    format!("its values seem to be separated by {separator:?}: `csv(\"…\", separator = {separator:?})`")
}

/// `unknown-column`: a number beyond the last column.
pub fn column_out_of_range(used: Span, index: usize, offer: Offer<'_>) -> Diagnostic {
    let help = match offer.separated_by {
        Some(separator) => other_separator(separator),
        None => format!("columns count from 0: the last is {}", offer.count.saturating_sub(1)),
    };
    let columns = plural(offer.count, "column");
    Diagnostic::error("unknown-column", format!("`{}` has {columns}, and no column {index}", offer.source))
        .at(used, "no such column")
        .help(help)
}

/// `unknown-column`: a column that one of several sources lacks; `problem` is what would be said of the only source.
pub fn column_of_other_part(problem: Diagnostic, source: Span) -> Diagnostic {
    let used = problem.span().unwrap_or(source);
    let help = problem.help.unwrap_or_default();
    Diagnostic::error(problem.code, problem.message)
        .at(source, "every part needs the columns of the others")
        .and(used, "this is taken of each")
        .help(help)
}

/// `columns-differ`: a column taken by number that has another name in another source.
pub fn columns_differ(used: Span, other: Span, index: usize, names: [&str; 2], sources: [&str; 2]) -> Diagnostic {
    let [first, second] = names;
    let message = format!("column {index} is `{first}` in `{}` and `{second}` in `{}`", sources[0], sources[1]);
    Diagnostic::warning("columns-differ", message)
        .at(used, "taken by number")
        .and(other, "its columns are in another order")
        .help(format!("take it by name: `column({first:?})`"))
}

/// `parts-overlap`: two parts of the data from one source.
pub fn parts_overlap(second: &Spanned<String>, first: &Spanned<String>) -> Diagnostic {
    let message = format!("`{}` and `{}` are the same rows", first.value, second.value);
    Diagnostic::warning("parts-overlap", message)
        .at(second.span, "the same source once more")
        .and(first.span, "first given here")
        .help(
            "a model judged by the rows it has learned looks better than it is; `split` divides the rows of one source",
        )
}

/// `target-leak`: a column that is both target and one of several inputs.
pub fn target_among_inputs(
    input: &Spanned<String>,
    target: &Spanned<String>,
    column: &str,
    taken: Span,
    asked: Span,
) -> Diagnostic {
    let message = format!("the target `{}` is among the inputs: `{}` holds {column} too", target.value, input.value);
    Diagnostic::warning("target-leak", message)
        .at(taken, format!("{column} is one of these"))
        .and(asked, format!("`{}` is made of it", target.value))
        .help("a model that is given the answer learns nothing else; leave the column out of the inputs")
}

/// `file-absent`: a data file that is not there when a program is checked.
pub fn file_absent(path: &Spanned<String>, tried: &[String], near: Option<&str>) -> Diagnostic {
    let message = format!("`{}` is not here, so its columns were not checked", path.value);
    let found = file_not_found(path, tried, near);
    let hint = Diagnostic::warning("file-absent", message);
    Diagnostic { severity: Severity::Advice, labels: found.labels, help: found.help, fixes: found.fixes, ..hint }
}

/// `ambiguous-column`: a name that two columns have.
pub fn ambiguous_column(used: Span, name: &str, places: [usize; 2], source: &str) -> Diagnostic {
    let [first, second] = places;
    Diagnostic::error("ambiguous-column", format!("`{source}` has two columns `{name}`"))
        .at(used, format!("columns {first} and {second} have this name"))
        .help(format!("take it by number: `column({first})`"))
}

/// `column-shape`: columns that are not of the shape they were checked with.
pub fn column_shape(used: Span, wanted: &[usize], found: &[usize]) -> Diagnostic {
    Diagnostic::error("column-shape", format!("a value of the source is {found:?}, not {wanted:?}"))
        .at(used, format!("this is {found:?} in each row"))
        .help("give the field that type, or bring the value into shape with `flatten` or `reshape`")
}

/// `column-shape`: a pattern that fits another number of columns than the field has.
pub fn pattern_count(used: Span, pattern: &str, wanted: usize, found: usize, source: &str) -> Diagnostic {
    Diagnostic::error(
        "column-shape",
        format!("{} of `{source}` fit `{pattern}`, not {wanted}", plural(found, "column")),
    )
    .at(used, format!("this is [{found}]"))
    .help(format!("give the field the type [{found}]"))
}

/// `not-idx`: a file that is not of MNIST's format.
pub fn not_idx(path: &Spanned<String>, name: &str, why: &str) -> Diagnostic {
    Diagnostic::error("not-idx", format!("`{name}` is not an IDX file: {why}"))
        .at(path.span, "read as IDX here")
        .help("`idx` reads MNIST's format, gzipped or not; for text there is `csv`")
}

/// `idx-size`: a file shorter than its header says.
pub fn idx_truncated(path: &Spanned<String>, name: &str, wanted: u128, found: usize) -> Diagnostic {
    Diagnostic::error("idx-size", format!("`{name}` ends early: it has {found} of {wanted} bytes"))
        .at(path.span, "not the whole file")
        .help("the download may have been interrupted; fetch it again")
}

/// `idx-size`: a file longer than its header says.
pub fn idx_too_long(path: &Spanned<String>, name: &str, wanted: usize) -> Diagnostic {
    Diagnostic::error("idx-size", format!("`{name}` goes on behind the {wanted} bytes that its header announces"))
        .at(path.span, "more than its header says")
        .help("the header or the file is damaged; fetch it again")
}

/// `not-npz`: a file that is not one of NumPy's archives, or a damaged one.
pub fn not_npz(path: &Spanned<String>, name: &str, why: &str) -> Diagnostic {
    Diagnostic::error("not-npz", format!("`{name}` cannot be read as npz: {why}"))
        .at(path.span, "read as npz here")
        .help("`numpy.savez(\"file.npz\", x=x, y=y)` writes such a file, an array for each column with the rows along its first axis")
}

/// `no-images`: a folder without images, or none.
pub fn no_images(path: &Spanned<String>, name: &str, what: &str) -> Diagnostic {
    Diagnostic::error("no-images", format!("`{name}` {what}"))
        .at(path.span, "a folder of images belongs here")
        .help("`images` reads `FOLDER/CLASS/*.png`, `.jpg` and `.jpeg`: a folder for each class")
}

/// `not-an-image`: a file that cannot be decoded.
pub fn not_an_image(path: &Spanned<String>, file: &str, why: &str, count: usize) -> Diagnostic {
    Diagnostic::error("not-an-image", format!("`{file}` is not an image that can be read: {why}{}", more(count)))
        .at(path.span, "in this folder")
        .help("PNG and JPEG are read; remove the file or write it again")
}

/// `images-differ`: images of different extents; the first and another, and how many there are.
pub fn images_differ(path: &Spanned<String>, files: [&str; 2], extents: [[usize; 3]; 2], count: usize) -> Diagnostic {
    let [first, other] = files;
    let [wanted, found] = extents;
    let message = format!("`{other}` is {found:?} where `{first}` is {wanted:?}{}", more(count));
    let help = match wanted[..2] == found[..2] {
        true => format!(
            "`channels = 3` takes all images in colour, `channels = 1` in gray: `images({:?}, channels = 3)`",
            path.value
        ),
        false => format!(
            "`images({:?}, size = [{}, {}])` brings all images to one height and width",
            path.value, wanted[0], wanted[1]
        ),
    };
    Diagnostic::error("images-differ", message).at(path.span, "images of one size belong here").help(help)
}

/// `unknown-column`: an array that an archive does not have.
pub fn unknown_array(array: &Spanned<String>, name: &str, known: &[&str]) -> Diagnostic {
    let problem = Diagnostic::error("unknown-column", format!("`{name}` has no array `{}`", array.value));
    match super::nearest(&array.value, known.iter().copied()) {
        Some(near) => problem
            .at(array.span, format!("did you mean `{near}`?"))
            .fix(format!("write {near:?}"), super::Edit::replace(array.span, format!("{near:?}"))),
        None => problem.at(array.span, "no such array"),
    }
    .help(format!("its arrays are {}", some(known)))
}

/// `row-count-mismatch`: two arrays of one archive with different numbers of rows.
pub fn arrays_differ(path: &Spanned<String>, names: [&str; 2], rows: [usize; 2]) -> Diagnostic {
    let message =
        format!("`{}` has {}, `{}` has {}", names[0], plural(rows[0], "row"), names[1], plural(rows[1], "row"));
    Diagnostic::error("row-count-mismatch", message)
        .at(path.span, "two of its arrays")
        .help("what a field takes belongs together row by row; for parts write `[train = npz(\"…\", x = \"x_train\"), test = npz(\"…\", x = \"x_test\")]`")
}

/// `row-count-mismatch`: two files of one source with different numbers of rows.
pub fn row_counts_differ(first: &Spanned<String>, other: &Spanned<String>, rows: [usize; 2]) -> Diagnostic {
    let message =
        format!("`{}` has {}, `{}` has {}", first.value, plural(rows[0], "row"), other.value, plural(rows[1], "row"));
    Diagnostic::error("row-count-mismatch", message)
        .at(other.span, format!("{} here", plural(rows[1], "row")))
        .and(first.span, format!("{} here", plural(rows[0], "row")))
        .help("the files of one `idx` belong together row by row: is one of the training and one of the test set?")
}

/// `series-too-short`: a source with fewer rows than one window reaches over.
pub fn series_too_short(source: Span, name: &str, rows: usize, wanted: usize, window: Span) -> Diagnostic {
    let message = format!("`{name}` has {}, and one sample reaches over {wanted}", plural(rows, "row"));
    Diagnostic::error("series-too-short", message)
        .at(window, format!("a window and its horizon take {wanted} steps"))
        .and(source, format!("{} here", plural(rows, "row")))
        .help("take a shorter window or a longer series; each part of a split needs a window of its own")
}

/// `split-sum`: shares that sum to more than everything.
pub fn split_sum(span: Span, sum: f64) -> Diagnostic {
    Diagnostic::error("split-sum", format!("the split sums to {}", percent(sum)))
        .at(span, format!("{} of the rows", percent(sum)))
        .help("the shares sum to at most 100%; what is left over is not used")
}

/// `split-share`: shares that are none, told once for all of them.
pub fn split_share(odd: &[(Span, f64)]) -> Option<Diagnostic> {
    let ((span, share), others) = odd.split_first()?;
    let mut diagnostic =
        Diagnostic::error("split-share", format!("{share} is no share of the rows")).at(*span, "from 0% to 100%");
    for (span, share) in others {
        diagnostic = diagnostic.and(*span, format!("nor is {share}"));
    }
    if !odd.iter().all(|(_, share)| (1.0..=100.0).contains(share)) {
        return Some(diagnostic);
    }
    let edits = odd.iter().map(|(span, share)| super::Edit { span: *span, text: format!("{share}%") }).collect();
    Some(diagnostic.help(format!("write `{share}%`")).fix("take it as per cent", edits))
}

/// `split-part`: a part that is none, or stands twice.
pub fn split_part(name: &Spanned<String>, twice: bool) -> Diagnostic {
    let message = if twice {
        format!("the part `{}` stands twice", name.value)
    } else {
        format!("`{}` is no part of a split", name.value)
    };
    let diagnostic = Diagnostic::error("split-part", message);
    let near = match name.value.as_str() {
        "training" | "learn" => Some("train"),
        "validation" | "valid" | "dev" => Some("val"),
        "testing" => Some("test"),
        other => super::nearest(other, ["train", "val", "test"].into_iter()),
    };
    match near.filter(|_| !twice) {
        Some(near) => diagnostic
            .at(name.span, format!("did you mean `{near}`?"))
            .fix(format!("write `{near}`"), super::Edit::replace(name.span, near)),
        None => diagnostic.at(name.span, if twice { "the second time" } else { "no such part" }),
    }
    .help("the parts are `train`, `val` and `test`")
}

/// `split-empty`: no row is left to train on.
pub fn no_training_rows(span: Span, rows: usize) -> Diagnostic {
    Diagnostic::error("split-empty", format!("no row is left for training: there are {rows} in all"))
        .at(span, "leaves `train` empty")
        .help("give `train` a larger share")
}

fn percent(share: f64) -> String {
    let percent = (share * 1e4).round() / 100.0;
    format!("{percent}%")
}

/// `fill-unknown`: gaps in a column without one value in the training rows.
pub fn nothing_to_fill_with(used: Span) -> Diagnostic {
    Diagnostic::error("fill-unknown", "no training row has a value to fill the gaps with")
        .at(used, "all of its training rows are gaps")
        .help("fill with a value of your own: `fill = 0`")
}

/// `not-finite`: a field whose expression gives no number in some rows.
pub fn not_finite(span: Span, field: &str, value: f32, row: usize, count: usize) -> Diagnostic {
    Diagnostic::error("not-finite", format!("the field `{field}` is {value} in row {row}{}", more(count)))
        .at(span, "not a finite number in every row")
        .help("a division by zero or the logarithm of a negative number gives none; guard it with `max` or `if`")
}

/// `unknown-column`: columns that were not known when the program was checked.
pub fn columns_came_late(span: Span, field: &str) -> Diagnostic {
    Diagnostic::error("unknown-column", format!("the columns of the field `{field}` were not known in time"))
        .at(span, "checked before its file was there")
        .help("run the program again")
}

/// `not-supported-yet`: something of the language that data cannot do yet.
pub fn not_supported_yet(span: Span, what: &str) -> Diagnostic {
    Diagnostic::error("not-supported-yet", format!("{what} not supported yet")).at(span, "not supported yet")
}
