//! Text to tokens, for the layout pass and for the words of a message.
//!
//! The grammar does not see these tokens: it reads text. They are what the layout pass needs to know of a text
//! before it can be parsed: brackets, line ends, the ends of strings and comments. Any text has tokens.

use std::borrow::Cow;

/// A token: a range of bytes with its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// The bytes of the source it stands for.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The text to parse: that of the source unless it was repaired.
    pub(super) text: Cow<'a, str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind {
    /// A name or keyword.
    Word,
    /// A number with its percent sign; also what was meant as one, such as `.5`.
    Number,
    /// A string with its quotes.
    String,
    /// A string whose end is missing; it goes to the next bracket or comma or the end of the line.
    OpenString,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// An operator or punctuation.
    Symbol,
    /// From `//` to the end of the line.
    Comment,
    /// `\n`.
    Newline,
    /// A character that begins nothing.
    Stray,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text && !matches!(self.kind, TokenKind::String | TokenKind::Comment)
    }

    pub(super) fn is_word(&self) -> bool {
        self.kind == TokenKind::Word
    }

    /// Whether a value can end with it.
    pub(super) fn ends_operand(&self) -> bool {
        match self.kind {
            TokenKind::Word => !is_reserved(&self.text) || matches!(&*self.text, "true" | "false"),
            TokenKind::Number | TokenKind::String | TokenKind::OpenString | TokenKind::Close => true,
            TokenKind::Open | TokenKind::Symbol | TokenKind::Comment | TokenKind::Newline | TokenKind::Stray => false,
        }
    }

    /// Whether a value can begin with it and nothing else can.
    pub(super) fn begins_operand(&self) -> bool {
        match self.kind {
            TokenKind::Word => {
                !is_reserved(&self.text)
                    || matches!(&*self.text, "true" | "false" | "if" | "each" | "scan" | "repeat" | "not")
            }
            TokenKind::Number | TokenKind::String | TokenKind::OpenString => true,
            TokenKind::Open
            | TokenKind::Close
            | TokenKind::Symbol
            | TokenKind::Comment
            | TokenKind::Newline
            | TokenKind::Stray => false,
        }
    }

    /// Whether it is neither a comment nor a line end.
    pub(super) fn is_significant(&self) -> bool {
        !matches!(self.kind, TokenKind::Comment | TokenKind::Newline)
    }
}

/// The signs of the language and those of other languages that have a message of their own, longer ones first.
const SYMBOLS: [&str; 40] = [
    "===", "!==", "**=", "|>", "->", "=>", "==", "!=", "<=", ">=", "..", "&&", "||", "**", "+=", "-=", "*=", "/=",
    ":=", "::", "+", "-", "*", "/", "%", "@", "^", "<", ">", "=", ":", ",", ".", "!", "&", "|", ";", "~", "?", "$",
];

/// All tokens of `text` in order. Blanks have none.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { text, at: 0, tokens: Vec::with_capacity(text.len() / 4) };
    while scanner.at < text.len() {
        scanner.step();
    }
    scanner.tokens
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return };
        match first {
            ' ' | '\t' | '\r' | '\u{feff}' => self.at += first.len_utf8(),
            '\n' => self.push(TokenKind::Newline, 1),
            '(' | '[' | '{' => self.push(TokenKind::Open, 1),
            ')' | ']' | '}' => self.push(TokenKind::Close, 1),
            '"' => self.string(rest),
            '#' => self.push(TokenKind::Stray, line_length(rest)),
            '\'' | '`' | '“' | '”' | '‘' | '’' => self.push(TokenKind::Stray, quoted_length(rest, first)),
            '/' if rest.starts_with("//") => {
                self.push(TokenKind::Comment, line_length(rest));
            }
            'A'..='Z' | 'a'..='z' | '_' => self.push(TokenKind::Word, word_length(rest)),
            '0'..='9' => self.push(TokenKind::Number, number_length(rest)),
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) && !self.behind_operand() => {
                self.push(TokenKind::Number, 1 + number_length(&rest[1..]));
            }
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => self.push(TokenKind::Symbol, symbol.len()),
                None => self.push(TokenKind::Stray, first.len_utf8()),
            },
        }
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let (start, end) = (self.at, self.at + length);
        self.tokens.push(Token { kind, start, end, text: Cow::Borrowed(&self.text[start..end]) });
        self.at = end;
    }

    fn string(&mut self, rest: &str) {
        let line = line_length(rest);
        let mut escaped = false;
        for (at, character) in rest[..line].char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return self.push(TokenKind::String, at + 1),
                _ => {}
            }
        }
        let line = rest[..line].find(" //").unwrap_or(line);
        let end = rest[..line].find([',', ')', ']', '}']).unwrap_or(line);
        self.push(TokenKind::OpenString, rest[..end].trim_end().len());
    }

    /// Whether a value ends right here, so that `.5` is no number.
    fn behind_operand(&self) -> bool {
        self.tokens.last().is_some_and(|token| {
            token.end == self.at
                && matches!(token.kind, TokenKind::Word | TokenKind::Number | TokenKind::Close | TokenKind::String)
        })
    }
}

/// The length of the first line without blanks at its end.
fn line_length(rest: &str) -> usize {
    let line = rest.find('\n').unwrap_or(rest.len());
    rest[..line].trim_end().len()
}

/// The length of something in quotes that are not the language's, or of the quote alone where it has no partner.
fn quoted_length(rest: &str, quote: char) -> usize {
    let partners: &[char] = match quote {
        '“' | '”' => &['“', '”', '"'],
        '‘' | '’' => &['‘', '’', '\''],
        '`' => &['`'],
        _ => &['\''],
    };
    let behind = quote.len_utf8();
    let line = line_length(rest);
    match rest[behind..line.max(behind)].char_indices().find(|(_, character)| partners.contains(character)) {
        Some((at, partner)) => behind + at + partner.len_utf8(),
        None => behind,
    }
}

fn word_length(rest: &str) -> usize {
    rest.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(rest.len())
}

fn digits(rest: &str) -> usize {
    rest.bytes().take_while(u8::is_ascii_digit).count()
}

/// The length of a number with fraction, exponent and percent sign, as the grammar reads it. Letters and
/// underscores that stick to it belong to it, so that `3x` and `1_000` are one thing to complain about.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = digits(rest);
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at += 1 + digits(&rest[at + 1..]);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(&rest[at + 1 + sign..]);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    let tail = word_length(&rest[at..]);
    if tail > 0 {
        return at + tail;
    }
    at + usize::from(is_percent(&rest[at..]))
}

/// Whether the text right behind a number begins with a percent sign rather than the remainder operator.
fn is_percent(rest: &str) -> bool {
    let Some(behind) = rest.strip_prefix('%') else { return false };
    let behind = behind.trim_start_matches([' ', '\t']);
    match behind.as_bytes().first() {
        Some(b'0'..=b'9' | b'"' | b'(' | b'[') => false,
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
            let word = &behind[..word_length(behind)];
            matches!(word, "then" | "else" | "and" | "or" | "on" | "from" | "over" | "as")
        }
        _ => true,
    }
}

/// Whether the word begins a declaration.
pub(super) fn begins_item(word: &str) -> bool {
    matches!(word, "use" | "const" | "data" | "train") || is_kind(word)
}

/// Whether the word is the keyword of something that can be applied.
pub(super) fn is_kind(word: &str) -> bool {
    crate::syntax::ast::CallableKind::ALL.iter().any(|kind| kind.keyword() == word)
}

/// Whether the word begins a statement that is no expression.
pub(super) fn begins_statement(word: &str) -> bool {
    matches!(word, "let" | "param" | "state" | "next" | "emit")
}

/// Whether the word can never be a value.
pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 19] = [
        "use", "const", "fn", "on", "as", "let", "state", "next", "scan", "over", "from", "emit", "each", "repeat",
        "if", "then", "else", "and", "or",
    ];
    RESERVED.contains(&word) || matches!(word, "not" | "true" | "false")
}

/// Whether the word is a keyword at all.
pub(super) fn is_keyword(word: &str) -> bool {
    is_reserved(word) || begins_item(word) || word == "param"
}
