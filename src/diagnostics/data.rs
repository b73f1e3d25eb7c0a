//! Problems with data: files, columns, values, splits.

use super::Diagnostic;
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

fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Some of many things, in back quotes.
fn some<T: Display>(things: &[T]) -> String {
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
pub fn missing_value(value: InFile<'_>, text: &str, used: Span) -> Diagnostic {
    let label = if text.is_empty() {
        String::from("nothing stands here")
    } else {
        format!("`{text}` stands for a missing value")
    };
    value.locate(Diagnostic::error("missing-data", "a value is missing"), &label, used, String::from("every row needs a value here"))
        .help("say what becomes of gaps: `column(…, fill = mean)`, `median`, `most_frequent`, a value, or `drop` to leave the row out")
}

/// `text-for-number`: a text where a number belongs.
pub fn not_a_number(value: InFile<'_>, text: &str, used: Span, first_line: bool) -> Diagnostic {
    let too_large = text.parse::<f64>().is_ok_and(f64::is_finite);
    let help = if too_large {
        String::from("numbers are kept as f32, which ends at 3.4e38; scale the column")
    } else if first_line {
        String::from("if the first row names the columns, leave `header = false` out")
    } else if text.matches(',').count() == 1 && text.replace(',', ".").parse::<f64>().is_ok() {
        String::from("numbers are written with a decimal point")
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

/// `label-out-of-range`: a value that is none of the classes of its field.
pub fn label_out_of_range(
    value: InFile<'_>,
    text: &str,
    used: Span,
    classes: usize,
    names: Option<&[String]>,
) -> Diagnostic {
    let (why, help) = match names {
        Some(names) => {
            let near = super::nearest(text, names.iter().map(String::as_str));
            let why = format!("the classes are {}", some(names));
            let help = match near {
                Some(near) => format!(
                    "did you mean `{near}`? `strip = \"…\"` removes what clings to a value, `missing = {text:?}` takes it as a gap"
                ),
                None => format!("add it to the classes, or take it as a gap with `missing = {text:?}` and a `fill`"),
            };
            (why, help)
        }
        None => {
            let last = classes.saturating_sub(1);
            let help = format!(
                "numbers are classes as they are, from 0; where they begin elsewhere, name them: `class(\"{text}\", …)`"
            );
            (format!("the {classes} classes are the numbers 0 to {last}"), help)
        }
    };
    let what = format!("the label `{text}` is outside its classes");
    value.locate(Diagnostic::error("label-out-of-range", what), "none of the classes", used, why).help(help)
}

/// `too-many-classes`: more different texts than classes.
pub fn too_many_classes(value: InFile<'_>, text: &str, used: Span, classes: usize, found: &[String]) -> Diagnostic {
    let what = format!("{} different texts for {}", found.len(), plural(classes, "class").replace("classs", "classes"));
    let help = format!(
        "found {}; write `class({})`, or take one as a gap with `missing = …` and a `fill`",
        some(found),
        found.len()
    );
    let once = InFile { count: 1, ..value };
    once.locate(
        Diagnostic::error("too-many-classes", what),
        &format!("`{text}` is one too many"),
        used,
        format!("{classes} were asked for"),
    )
    .help(help)
}

/// `unknown-column`: a name that is none of the source's columns.
pub fn unknown_column(used: Span, name: &str, columns: &[&str], source: &str) -> Diagnostic {
    let message = format!("`{source}` has no column `{name}`");
    let diagnostic = Diagnostic::error("unknown-column", message);
    if columns.is_empty() {
        return diagnostic
            .at(used, "no such column")
            .help("the file has no header: take columns by number, `column(0)` is the first");
    }
    match super::nearest(name, columns.iter().copied()) {
        Some(near) => diagnostic.at(used, format!("did you mean `{near}`?")),
        None => diagnostic.at(used, "no such column"),
    }
    .help(format!("its columns are {}", some(columns)))
}

/// `unknown-column`: a number beyond the last column.
pub fn column_out_of_range(used: Span, index: usize, columns: usize, source: &str) -> Diagnostic {
    Diagnostic::error("unknown-column", format!("`{source}` has {}, and no column {index}", plural(columns, "column")))
        .at(used, "no such column")
        .help(format!("columns count from 0: the last is {}", columns.saturating_sub(1)))
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

/// `row-count-mismatch`: two files of one source with different numbers of rows.
pub fn row_counts_differ(first: &Spanned<String>, other: &Spanned<String>, rows: [usize; 2]) -> Diagnostic {
    let message =
        format!("`{}` has {}, `{}` has {}", first.value, plural(rows[0], "row"), other.value, plural(rows[1], "row"));
    Diagnostic::error("row-count-mismatch", message)
        .at(other.span, format!("{} here", plural(rows[1], "row")))
        .and(first.span, format!("{} here", plural(rows[0], "row")))
        .help("the files of one `idx` belong together row by row: is one of the training and one of the test set?")
}

/// `split-sum`: shares that sum to more than everything.
pub fn split_sum(span: Span, sum: f64) -> Diagnostic {
    Diagnostic::error("split-sum", format!("the split sums to {}", percent(sum)))
        .at(span, format!("{} of the rows", percent(sum)))
        .help("the shares sum to at most 100%; what is left over is not used")
}

/// `split-share`: a share that is no share.
pub fn split_share(span: Span, share: f64) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("split-share", format!("{share} is no share of the rows")).at(span, "from 0% to 100%");
    let whole = (1.0..=100.0).contains(&share);
    if whole {
        diagnostic
            .help(format!("write `{share}%`"))
            .fix("take it as per cent", super::Edit::replace(span, format!("{share}%")))
    } else {
        diagnostic
    }
}

/// `split-part`: a part that is none, or stands twice.
pub fn split_part(name: &Spanned<String>, twice: bool) -> Diagnostic {
    let message = if twice {
        format!("the part `{}` stands twice", name.value)
    } else {
        format!("`{}` is no part of a split", name.value)
    };
    let diagnostic = Diagnostic::error("split-part", message);
    let near = super::nearest(&name.value, ["train", "val", "test"].into_iter());
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
