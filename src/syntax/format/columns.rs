//! Columns: what stands below one another in neighbouring lines.
//!
//! In: lines cut into cells. Out: the cells padded. A column goes as far right as its longest cell, but not beyond a limit:
//! a cell that is longer stands out with a single blank behind it.

/// The width of a text in columns.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` with blanks up to `column`, at least one.
pub(super) fn padded(text: &str, column: usize) -> String {
    format!("{text}{}", " ".repeat(column.saturating_sub(width(text)).max(1)))
}

/// The column behind the longest of the texts that end before `limit`; where all are longer, the limit.
pub(super) fn column_within<'a>(texts: impl Iterator<Item = &'a str>, limit: usize) -> usize {
    texts.map(|text| width(text) + 1).filter(|&column| column <= limit).max().unwrap_or(limit)
}

/// The column behind the longest of the texts, but at most `limit`.
pub(super) fn column_up_to<'a>(texts: impl Iterator<Item = &'a str>, limit: usize) -> usize {
    texts.map(|text| width(text) + 1).max().unwrap_or(0).min(limit)
}

/// How many blanks may go into a cell of lines that are alike.
const MOST_PADDING: usize = 3;

/// A line cut at its blanks, with the kind of each cell: lines with the same kinds are alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cells {
    pub(super) texts: Vec<String>,
    pub(super) shape: String,
}

/// The lines with their cells below one another, for each run of neighbours that are alike and nearly equally long.
pub(super) fn align_alike(lines: &[Cells]) -> Vec<String> {
    let mut aligned = Vec::with_capacity(lines.len());
    let mut start = 0;
    while start < lines.len() {
        let alike = lines[start..].iter().take_while(|line| line.shape == lines[start].shape);
        let end = start + alike.count().max(1);
        aligned.extend(align_run(&lines[start..end]));
        start = end;
    }
    aligned
}

fn align_run(lines: &[Cells]) -> Vec<String> {
    let plain = || lines.iter().map(|line| line.texts.join(" ")).collect();
    let count = lines[0].texts.len();
    if lines.len() < 2 || lines.iter().any(|line| line.texts.len() != count) {
        return plain();
    }
    let column = |cell: usize| lines.iter().map(move |line| width(&line.texts[cell]));
    // Behind the last cell there is nothing to align.
    let inner = 0..count.saturating_sub(1);
    let widest: Vec<usize> = inner.clone().map(|cell| column(cell).max().unwrap_or(0)).collect();
    if inner.clone().any(|cell| column(cell).any(|width| widest[cell] - width > MOST_PADDING)) {
        return plain();
    }
    let line = |line: &Cells| {
        let mut text = String::new();
        for cell in inner.clone() {
            text += &padded(&line.texts[cell], widest[cell] + 1);
        }
        text + line.texts.last().map_or("", String::as_str)
    };
    lines.iter().map(line).collect()
}
