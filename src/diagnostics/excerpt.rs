//! The part of a source that a diagnostic shows.
//!
//! In: a source and spans of it. Out: the lines around the spans, with long lines cut, and the spans within them. A row of
//! a data file may have thousands of columns and a program many mistakes; what is shown of each stays small.

use std::ops::Range;

use crate::source::{Source, Span};

/// Lines around what is pointed at.
const CONTEXT: usize = 1;

/// Lines further than this from what is pointed at are never shown; of them only the line ends are kept.
const NEAR: usize = 6;

/// A longer line is cut.
pub(super) const LONGEST_LINE: usize = 400;

/// What stays of a cut line on both sides of what is pointed at.
const AROUND: usize = 60;

/// A span over more lines than this shows its first line only.
const LONGEST_SPAN: usize = 8;

/// A part of a source.
pub(super) struct Excerpt {
    pub(super) name: String,
    pub(super) text: String,
    /// The number of its first line, from 1.
    pub(super) first_line: usize,
    /// The spans in `text`, in the order they were given.
    pub(super) spans: Vec<Range<usize>>,
    lines: Vec<Line>,
}

impl Excerpt {
    /// The column in the source of a place in `text`, in characters, from 0.
    pub(super) fn column(&self, offset: usize) -> usize {
        let index = self.lines.partition_point(|line| line.at <= offset).saturating_sub(1);
        let Some(line) = self.lines.get(index) else { return 0 };
        line.skipped + self.text.get(line.at..offset).map_or(0, |head| head.chars().count())
    }
}

/// A line of an excerpt.
struct Line {
    /// Its place in the source.
    start: usize,
    /// What is kept of it.
    kept: Range<usize>,
    /// Where that stands in the excerpt.
    at: usize,
    /// The characters before it.
    skipped: usize,
}

/// The lines of `source` around the spans; lines of more than `longest` bytes are cut, as far as what is pointed at allows.
pub(super) fn excerpt(source: &Source, spans: &[Span], longest: usize) -> Excerpt {
    let spans: Vec<Range<usize>> = spans.iter().map(|span| shown(source, *span)).collect();
    let line_of = |offset: usize| source.position(offset as u32).line;
    let last = line_of(source.text.trim_end().len());
    let first_shown = spans.iter().map(|span| line_of(span.start)).min().unwrap_or(0).saturating_sub(CONTEXT);
    let last_shown = spans.iter().map(|span| line_of(span.end)).max().unwrap_or(0).saturating_add(CONTEXT).min(last);
    let mut text = String::new();
    let mut lines = Vec::new();
    let near = |span: &Range<usize>| line_of(span.start).saturating_sub(NEAR)..=line_of(span.end) + NEAR;
    let near: Vec<_> = spans.iter().map(near).collect();
    for number in first_shown..=last_shown.max(first_shown) {
        if !near.iter().any(|lines| lines.contains(&number)) {
            text.push('\n');
            continue;
        }
        let (whole, start) = (source.line(number), source.line_start(number));
        let kept = kept(whole, start, &spans, longest);
        text.push_str(if kept.start > 0 { "…" } else { "" });
        let skipped = whole[..kept.start].chars().count();
        lines.push(Line { start, kept: kept.clone(), at: text.len(), skipped });
        text.push_str(&whole[kept.clone()]);
        text.push_str(if kept.end < whole.len() { "…" } else { "" });
        text.push('\n');
    }
    let place = |offset: usize| {
        let index = lines.partition_point(|line| line.start <= offset).saturating_sub(1);
        let line = &lines[index];
        line.at + offset.saturating_sub(line.start).clamp(line.kept.start, line.kept.end) - line.kept.start
    };
    Excerpt {
        name: source.name.clone(),
        first_line: source.first_line + first_shown,
        spans: spans.iter().map(|span| place(span.start)..place(span.end)).collect(),
        text,
        lines,
    }
}

/// What is shown of a span.
fn shown(source: &Source, span: Span) -> Range<usize> {
    let text = &source.text;
    let start = text.floor_char_boundary(span.start as usize);
    let end = text.ceil_char_boundary(span.end as usize).max(start);
    // What is missing at the end of the file is shown behind the last thing in it.
    if start == end && text[start..].trim().is_empty() {
        let end = text.trim_end().len();
        return end..end;
    }
    let lines = source.position(end as u32).line - source.position(start as u32).line;
    if lines < LONGEST_SPAN {
        return start..end;
    }
    let first_line = text[start..].find('\n').unwrap_or(end - start);
    start..start + text[start..start + first_line].trim_end().len()
}

/// What is kept of a line that begins at an offset of the source.
fn kept(line: &str, start: usize, spans: &[Range<usize>], longest: usize) -> Range<usize> {
    if line.len() <= longest {
        return 0..line.len();
    }
    let within = |offset: usize| (start..=start + line.len()).contains(&offset).then(|| offset - start);
    let places = || spans.iter().flat_map(|span| [within(span.start), within(span.end)]).flatten();
    let (first, last) = (places().min().unwrap_or(0), places().max().unwrap_or(0));
    let limit = (last - first).clamp(longest, LONGEST_LINE.max(longest));
    let around = AROUND.min(limit.saturating_sub(last - first) / 2);
    let (start, end) = match longest < LONGEST_LINE {
        true => {
            let start = first.saturating_sub(around).min(line.len().saturating_sub(limit));
            (start, start + limit)
        }
        false => (first.saturating_sub(around), last + around),
    };
    line.floor_char_boundary(start)..line.ceil_char_boundary(end.min(start + limit).min(line.len()))
}
