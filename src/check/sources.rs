//! Where the rows of a `data` declaration come from: `csv(…)`, `idx(…)`, `generate(…)`, the embedded sets.
//!
//! Sources are no values of the language: they are read from the tree, and only their arguments are evaluated.

use super::hir::{ImageFolder, SourceSpec, ToySet};
use super::infer::{Walker, Want};
use super::types::Value;
use crate::diagnostics::{fields as problems, names as name_problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Argument, ExprId, ExprKind};

/// The parts of a split.
pub(super) const PARTS: [&str; 3] = ["train", "val", "test"];

/// The sources that can be read, the embedded sets last.
const SOURCES: [&str; 11] =
    ["csv", "idx", "npz", "images", "generate", "moons", "blobs", "spirals", "circles", "digits", "sines"];

/// The sources that cannot be read yet.
const NOT_YET: [&str; 2] = ["parquet", "sqlite"];

/// Sources with the part each is for; one without a part stands alone.
pub(super) type Sources = Vec<(Option<Spanned<String>>, Spanned<SourceSpec>)>;

impl<'a> Walker<'a> {
    /// The sources of a `source` field; what is no source is reported.
    pub(super) fn data_sources(&mut self, expr: ExprId) -> Sources {
        let ast = self.ast();
        let ExprKind::List(items) = &ast[expr].kind else {
            return self.data_source(expr).map(|source| (None, source)).into_iter().collect();
        };
        let mut sources: Sources = Vec::new();
        for item in items {
            let Some(part) = &item.name else {
                self.report(problems::source_without_part(ast[item.value].span));
                continue;
            };
            if !PARTS.contains(&part.value.as_str()) {
                self.report(crate::diagnostics::data::split_part(part, false));
                continue;
            }
            if sources.iter().any(|(other, _)| other.as_ref().is_some_and(|other| other.value == part.value)) {
                self.report(crate::diagnostics::data::split_part(part, true));
                continue;
            }
            sources.extend(self.data_source(item.value).map(|source| (Some(part.clone()), source)));
        }
        let named = items.iter().filter_map(|item| item.name.as_ref());
        if named.clone().count() == items.len() && !named.clone().any(|part| part.value == "train") {
            self.report(problems::sources_without_train(ast[expr].span));
        }
        sources
    }

    fn data_source(&mut self, expr: ExprId) -> Option<Spanned<SourceSpec>> {
        let ast = self.ast();
        let span = ast[expr].span;
        let named = match &ast[expr].kind {
            ExprKind::Call { callee, arguments } => match &ast[*callee].kind {
                ExprKind::Name(name) => Some((name.as_str(), ast[*callee].span, arguments.as_slice())),
                _ => None,
            },
            ExprKind::Name(name) => Some((name.as_str(), span, [].as_slice())),
            ExprKind::Paren(inner) => return self.data_source(*inner),
            ExprKind::Error => return None,
            _ => None,
        };
        let Some((name, at, arguments)) = named else {
            self.report(problems::not_a_source(span, &SOURCES));
            return None;
        };
        let source = match name {
            "csv" => self.csv_source(arguments, span)?,
            "idx" => self.idx_source(arguments, span)?,
            "npz" => self.npz_source(arguments, span)?,
            "images" => self.images_source(arguments, span)?,
            "generate" => {
                let given = self.place_arguments(name, arguments, &["rows", "seed"])?;
                let rows = self.rows_argument(name, given[0], span)?;
                SourceSpec::Generate { rows, seed: self.seed_argument(given[1])? }
            }
            name if NOT_YET.contains(&name) => {
                self.report(problems::source_not_supported(span, name));
                return None;
            }
            name => match ToySet::ALL.into_iter().find(|set| set.name() == name) {
                Some(set) => {
                    let given = self.place_arguments(name, arguments, &["rows", "seed", "noise"])?;
                    let rows = self.rows_argument(name, given[0], span)?;
                    let seed = self.seed_argument(given[1])?;
                    let noise = match given[2] {
                        Some(expr) => Some(self.noise_argument(expr)?),
                        None => None,
                    };
                    SourceSpec::Toy { set, rows, seed, noise }
                }
                None => {
                    self.report(problems::unknown_source(at, name, &[&SOURCES[..], &NOT_YET[..]].concat()));
                    return None;
                }
            },
        };
        Some(Spanned::new(source, span))
    }

    fn csv_source(&mut self, arguments: &'a [Argument], span: Span) -> Option<SourceSpec> {
        let given = self.place_arguments("csv", arguments, &["path", "header", "separator", "missing"])?;
        let Some(path) = given[0] else {
            self.report(problems::missing_argument(span, "csv", "the path of a file"));
            return None;
        };
        let path = self.text_argument(path)?;
        let header = match given[1] {
            Some(expr) => self.truth_argument(expr)?,
            None => true,
        };
        let separator = match given[2] {
            Some(expr) => self.separator_argument(expr)?,
            None => b',',
        };
        let missing = match given[3] {
            Some(expr) => self.texts_argument(expr)?,
            None => Vec::new(),
        };
        Some(SourceSpec::Csv { path, header, separator, missing })
    }

    /// `npz("file.npz")`, `npz("file.npz", image = "x_train", label = "y_train")`.
    fn npz_source(&mut self, arguments: &'a [Argument], span: Span) -> Option<SourceSpec> {
        let Some((first, named)) = arguments.split_first().filter(|(first, _)| first.name.is_none()) else {
            self.report(problems::missing_argument(span, "npz", "the path of a file"));
            return None;
        };
        let path = self.text_argument(first.value);
        let columns = self.named_texts(named, "npz", "npz(\"…\", x = \"x_train\")");
        Some(SourceSpec::Npz { path: path?, columns: columns? })
    }

    /// `images("folder", size = [64, 64], channels = 3)`.
    fn images_source(&mut self, arguments: &'a [Argument], span: Span) -> Option<SourceSpec> {
        let given = self.place_arguments("images", arguments, &["path", "size", "channels"])?;
        let Some(path) = given[0] else {
            self.report(problems::missing_argument(span, "images", "the path of a folder"));
            return None;
        };
        let path = self.text_argument(path)?;
        let size = match given[1] {
            Some(expr) => {
                let at = self.ast()[expr].span;
                match &self.ast()[expr].kind {
                    ExprKind::List(items) if items.len() == 2 && items.iter().all(|item| item.name.is_none()) => {
                        let height = self.extent_argument(items[0].value)?;
                        Some([height, self.extent_argument(items[1].value)?])
                    }
                    _ => {
                        self.report(problems::wanted(
                            at,
                            "a height and width, as in `size = [64, 64]`,",
                            "something else",
                        ));
                        return None;
                    }
                }
            }
            None => None,
        };
        let channels = match given[2] {
            Some(expr) => {
                let at = self.ast()[expr].span;
                match self.eval_int(expr)?.known()? {
                    channels @ (1 | 3) => Some(channels as usize),
                    other => {
                        self.report(problems::out_of_range(at, "images have 1 channel or 3", other));
                        return None;
                    }
                }
            }
            None => None,
        };
        Some(SourceSpec::Images(ImageFolder { path, size, channels }))
    }

    fn extent_argument(&mut self, expr: ExprId) -> Option<usize> {
        let at = self.ast()[expr].span;
        let extent = self.eval_int(expr)?.known()?;
        if !(1..=1 << 14).contains(&extent) {
            self.report(problems::out_of_range(at, "an image has 1 to 16384 pixels a side", extent));
            return None;
        }
        usize::try_from(extent).ok()
    }

    fn idx_source(&mut self, arguments: &'a [Argument], span: Span) -> Option<SourceSpec> {
        if arguments.is_empty() {
            self.report(problems::missing_argument(span, "idx", "a file"));
            return None;
        }
        self.named_texts(arguments, "idx", "idx(image = \"…\", label = \"…\")").map(SourceSpec::Idx)
    }

    /// Columns and the texts that say where each is from.
    fn named_texts(
        &mut self,
        arguments: &'a [Argument],
        callee: &str,
        example: &str,
    ) -> Option<Vec<(Spanned<String>, Spanned<String>)>> {
        let mut files: Vec<(Spanned<String>, Spanned<String>)> = Vec::new();
        let mut sound = true;
        for argument in arguments {
            let at = self.ast()[argument.value].span;
            match &argument.name {
                Some(name) if files.iter().any(|(other, _)| other.value == name.value) => {
                    self.report(name_problems::argument_twice(name.span, &name.value));
                    sound = false;
                }
                Some(name) => match self.text_argument(argument.value) {
                    Some(path) => files.push((name.clone(), path)),
                    None => sound = false,
                },
                None => {
                    self.report(problems::column_without_name(at, callee, example));
                    sound = false;
                }
            }
        }
        sound.then_some(files)
    }

    /// The arguments by parameter: by position first, then by name.
    pub(super) fn place_arguments(
        &mut self,
        callee: &str,
        arguments: &'a [Argument],
        parameters: &[&str],
    ) -> Option<Vec<Option<ExprId>>> {
        let mut placed = vec![None; parameters.len()];
        let mut sound = true;
        let mut unknown = Vec::new();
        let mut position = 0;
        for argument in arguments {
            let at = match &argument.name {
                Some(name) => match parameters.iter().position(|parameter| *parameter == name.value) {
                    Some(at) => at,
                    None => {
                        unknown.push(problems::unknown_argument(name, callee, parameters));
                        sound = false;
                        continue;
                    }
                },
                None => {
                    position += 1;
                    position - 1
                }
            };
            let span = argument.name.as_ref().map_or(self.ast()[argument.value].span, |name| name.span);
            match placed.get(at) {
                Some(None) => placed[at] = Some(argument.value),
                Some(Some(_)) => {
                    self.report(name_problems::argument_twice(span, parameters[at]));
                    sound = false;
                }
                None => {
                    self.report(problems::too_many_arguments(span, callee, parameters));
                    sound = false;
                }
            }
        }
        name_problems::joined_unknown_arguments(unknown).into_iter().for_each(|problem| self.report(problem));
        sound.then_some(placed)
    }

    fn rows_argument(&mut self, callee: &str, given: Option<ExprId>, span: Span) -> Option<usize> {
        let Some(expr) = given else {
            self.report(problems::missing_argument(span, callee, "the number of rows"));
            return None;
        };
        let at = self.ast()[expr].span;
        let rows = self.eval_int(expr)?.known()?;
        if rows < 1 {
            self.report(problems::out_of_range(at, "at least one row is made", rows));
            return None;
        }
        usize::try_from(rows).ok()
    }

    /// A seed; 0 where none is given.
    pub(super) fn seed_argument(&mut self, given: Option<ExprId>) -> Option<u64> {
        let Some(expr) = given else { return Some(0) };
        let at = self.ast()[expr].span;
        let seed = self.eval_int(expr)?.known()?;
        if seed < 0 {
            self.report(problems::out_of_range(at, "a seed is a whole number from 0", seed));
            return None;
        }
        u64::try_from(seed).ok()
    }

    fn noise_argument(&mut self, expr: ExprId) -> Option<f64> {
        let at = self.ast()[expr].span;
        let noise = self.number_field(expr)?;
        if !(0.0..1e6).contains(&noise) {
            self.report(problems::out_of_range(at, "noise is a deviation from 0 on", noise));
            return None;
        }
        Some(noise)
    }

    /// A compile-time text.
    pub(super) fn text_argument(&mut self, expr: ExprId) -> Option<Spanned<String>> {
        let span = self.ast()[expr].span;
        match self.eval(expr, &Want::Any) {
            Value::Text(text) => Some(Spanned::new(text.to_string(), span)),
            Value::Unknown => None,
            other => {
                let found = self.describe(&other);
                self.report(problems::wanted(span, "a text", &found));
                None
            }
        }
    }

    /// A compile-time truth value.
    pub(super) fn truth_argument(&mut self, expr: ExprId) -> Option<bool> {
        let span = self.ast()[expr].span;
        match self.eval(expr, &Want::Any) {
            Value::Bool(truth) => truth,
            Value::Unknown => None,
            other => {
                let found = self.describe(&other);
                self.report(problems::wanted(span, "`true` or `false`", &found));
                None
            }
        }
    }

    fn separator_argument(&mut self, expr: ExprId) -> Option<u8> {
        let text = self.text_argument(expr)?;
        match text.value.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Some(*byte),
            _ => {
                self.report(problems::separator_wanted(text.span));
                None
            }
        }
    }

    /// A text or a number, or a list of them.
    fn texts_argument(&mut self, expr: ExprId) -> Option<Vec<String>> {
        let span = self.ast()[expr].span;
        let value = self.eval(expr, &Want::Any);
        let items = match &value {
            Value::List(items) => items.iter().map(|item| (item.value.clone(), item.span)).collect(),
            _ => vec![(value, span)],
        };
        items.into_iter().map(|(value, span)| self.text_of(&value, span)).collect()
    }

    /// A text, or a number as it is written.
    pub(super) fn text_of(&mut self, value: &Value, span: Span) -> Option<String> {
        match (value, value.number()) {
            (Value::Text(text), _) => Some(text.to_string()),
            (_, Some(number)) => Some(number.to_string()),
            (Value::Bool(Some(truth)), _) => Some(truth.to_string()),
            (Value::Unknown, _) => None,
            (other, _) => {
                let found = self.describe(other);
                self.report(problems::wanted(span, "a text or a number", &found));
                None
            }
        }
    }
}
