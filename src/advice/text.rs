//! The text of a file between its nodes: words, lines, and what is cut out with what.

use super::Seen;
use crate::diagnostics::Edit;
use crate::source::{Source, Span};

/// The names and keywords of a text, comments and strings left out, with their places.
pub(super) fn words(source: &Source) -> Vec<(Span, &str)> {
    let text: &str = &source.text;
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = text[at..].find('\n').map_or(bytes.len(), |length| at + length);
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' && bytes[at] != b'\n' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            byte if is_word(byte) => {
                at += bytes[at..].iter().take_while(|&&byte| is_word(byte)).count();
                if !byte.is_ascii_digit() {
                    found.push((Span::new(source.id, start, at), &text[start..at]));
                }
            }
            _ => at += 1,
        }
    }
    found
}

/// Takes the place out of the text, and its line where nothing else stands on it.
pub(super) fn cut(source: &Source, span: Span) -> Vec<Edit> {
    let text: &str = &source.text;
    let (start, end) = (span.start as usize, span.end as usize);
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let next = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let alone = text[line..start].trim().is_empty() && text[end..next].trim().is_empty();
    let span = if alone { Span::new(source.id, line, next) } else { span };
    Edit::replace(span, "")
}

/// Takes a comment behind something out of the text, with the blanks before it.
pub(super) fn cut_trailing(source: &Source, span: Span) -> Vec<Edit> {
    let before = source.text[..span.start as usize].trim_end_matches([' ', '\t']).len();
    cut(source, Span { start: before as u32, ..span })
}

/// The blanks at the beginning of the line.
pub(super) fn indentation(source: &Source, offset: u32) -> &str {
    let line = source.line(source.position(offset).line);
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// The name that a place of the main file is, where it is nothing more.
pub(super) fn word_at<'a>(seen: &Seen<'a>, span: Span) -> Option<&'a str> {
    let source = seen.source();
    let text = (span.file == source.id).then(|| source.slice(span))?;
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !text.is_empty();
    is_name.then_some(text)
}

/// Takes a layer out of a chain with the `|>` before it; nothing where none stands there.
pub(super) fn cut_from_pipe(source: &Source, span: Span) -> Vec<Edit> {
    let before = source.text[..span.start as usize].trim_end();
    match before.strip_suffix("|>") {
        Some(chain) if span.file == source.id => {
            let start = chain.trim_end().len();
            Edit::replace(Span { start: start as u32, ..span }, "")
        }
        Some(_) | None => Vec::new(),
    }
}
