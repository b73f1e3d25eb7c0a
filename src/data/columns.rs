//! The columns of a data set, value by value from its sources.
//!
//! In: for each [`ColumnUse`] the values of the sources' rows, as texts or numbers. Out: a [`RawColumn`] each, texts turned
//! into categories, missing values filled from the training rows. What does not fit is kept as a [`Finding`], its first
//! place and how often, and becomes one diagnostic.

use super::tokens::Texts;
use crate::check::hir::{ColumnForm, ColumnSelector, ColumnUse, Element, Fill, Schema, ValueType, fits_pattern};
use crate::diagnostics::{Diagnostic, data as report};
use std::collections::{HashMap, HashSet};

/// A place in the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A value of a text file.
    Text {
        /// The number of the source.
        source: usize,
        /// Where its record starts.
        byte: usize,
        /// The number of the value in the record.
        column: usize,
    },
    /// A row of another file.
    Row {
        /// The number of the source.
        source: usize,
        /// The row, from 0.
        row: usize,
    },
    /// In the program itself: a value to fill with.
    Program,
}

/// Something that does not fit: where first, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    /// The first place.
    pub(super) place: Place,
    /// The value there.
    pub(super) text: String,
    /// How often.
    pub(super) count: usize,
}

impl Finding {
    /// One more of a kind.
    pub(super) fn add(slot: &mut Option<Finding>, place: Place, text: &[u8]) {
        match slot {
            Some(finding) => finding.count += 1,
            None => *slot = Some(Finding { place, text: String::from_utf8_lossy(text).into_owned(), count: 1 }),
        }
    }
}

/// The values of a column over all rows, as read.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// Small whole numbers, as in images.
    Bytes(Vec<u8>),
    /// Numbers.
    Numbers(Vec<f32>),
    /// Categories.
    Classes(Vec<i32>),
}

/// A column over all rows.
#[derive(Clone, Debug)]
pub(super) struct RawColumn {
    /// The type of one row's value, with the names of its categories where they have any.
    pub(super) ty: ValueType,
    /// The values, row by row.
    pub(super) values: Values,
    /// The words that a column of texts was numbered by.
    pub(super) vocabulary: Option<Vec<String>>,
}

/// The distinct texts of a column of categories.
#[derive(Clone, Debug, Default)]
struct Dictionary {
    numbers: HashMap<Vec<u8>, u32>,
    entries: Vec<Finding>,
    /// Texts beyond [`MOST_TEXTS`] are not told apart.
    overflow: bool,
}

/// The distinct texts kept beyond the number of categories: enough to say what is wrong.
const MOST_TEXTS: usize = 1000;

/// The id of a value that is to be filled.
const MISSING: u32 = u32::MAX;

impl Dictionary {
    fn id(&mut self, text: &[u8], place: Place, classes: usize) -> u32 {
        if let Some(&id) = self.numbers.get(text) {
            self.entries[id as usize].count += 1;
            return id;
        }
        let id = self.entries.len() as u32;
        if self.entries.len() >= classes.saturating_add(MOST_TEXTS) {
            self.overflow = true;
            return 0;
        }
        self.numbers.insert(text.to_vec(), id);
        self.entries.push(Finding { place, text: String::from_utf8_lossy(text).into_owned(), count: 1 });
        id
    }
}

#[derive(Clone, Debug)]
enum Building {
    Bytes(Vec<u8>),
    Numbers(Vec<f32>),
    Texts(Vec<u32>, Dictionary),
    Words(Texts),
}

/// One use of columns while the sources are read.
#[derive(Clone, Debug)]
pub(super) struct ColumnBuilder<'a> {
    /// The use.
    pub(super) spec: &'a ColumnUse,
    /// How many categories; `None` of numbers.
    classes: Option<usize>,
    values: Building,
    /// The elements to fill.
    missing: Vec<usize>,
    /// A number to fill with.
    fill: Option<f32>,
    /// Values that are missing without a fill.
    pub(super) unfilled: Option<Finding>,
    /// Texts where a number belongs.
    pub(super) not_numbers: Option<Finding>,
}

impl<'a> ColumnBuilder<'a> {
    /// Nothing read yet.
    pub(super) fn new(spec: &'a ColumnUse) -> ColumnBuilder<'a> {
        let classes = match &spec.ty.element {
            Element::Class { count, .. } => Some(*count),
            Element::Number | Element::Truth => None,
        };
        let values = match classes {
            _ if matches!(spec.form, ColumnForm::Tokens { .. }) => Building::Words(Texts::default()),
            Some(_) => Building::Texts(Vec::new(), Dictionary::default()),
            None => Building::Numbers(Vec::new()),
        };
        let fill = match &spec.fill {
            Some(Fill::Value(text)) => number(text.as_bytes()),
            Some(Fill::Mean | Fill::Median | Fill::MostFrequent | Fill::Drop) | None => None,
        };
        ColumnBuilder { spec, classes, values, missing: Vec::new(), fill, unfilled: None, not_numbers: None }
    }

    /// The value without blanks and what the use strips.
    pub(super) fn trimmed<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let mut text = text.trim_ascii();
        if let Some(strip) = self.spec.strip.as_deref().map(str::as_bytes).filter(|strip| !strip.is_empty()) {
            while let Some(rest) = text.strip_prefix(strip) {
                text = rest;
            }
            while let Some(rest) = text.strip_suffix(strip) {
                text = rest;
            }
            text = text.trim_ascii();
        }
        text
    }

    /// One value as text, already trimmed.
    pub(super) fn push_text(&mut self, text: &[u8], missing: bool, place: Place) {
        if missing {
            return self.push_missing(text, place);
        }
        match (&mut self.values, self.classes) {
            (Building::Texts(ids, dictionary), Some(classes)) => ids.push(dictionary.id(text, place, classes)),
            (Building::Words(texts), _) => texts.push(&String::from_utf8_lossy(text)),
            (Building::Numbers(numbers), _) => numbers.push(number(text).unwrap_or_else(|| {
                Finding::add(&mut self.not_numbers, place, text);
                0.0
            })),
            (Building::Bytes(_), _) => {
                self.widen();
                self.push_text(text, missing, place);
            }
            (Building::Texts(..), None) => unreachable!("texts are collected for categories alone"),
        }
    }

    fn push_missing(&mut self, text: &[u8], place: Place) {
        self.widen();
        let fill = self.spec.fill.as_ref();
        match (&mut self.values, fill) {
            (Building::Numbers(numbers), Some(Fill::Value(_))) => numbers.push(self.fill.unwrap_or(0.0)),
            (Building::Texts(ids, dictionary), Some(Fill::Value(value))) => {
                ids.push(dictionary.id(value.as_bytes(), Place::Program, self.classes.unwrap_or(0)));
            }
            (Building::Words(texts), fill) => {
                match fill {
                    Some(Fill::Value(value)) => return texts.push(value),
                    Some(Fill::Mean | Fill::Median | Fill::MostFrequent | Fill::Drop) => {}
                    None => Finding::add(&mut self.unfilled, place, text),
                }
                texts.push("");
            }
            (values, fill) => {
                match fill {
                    Some(_) => self.missing.push(values.len()),
                    None => Finding::add(&mut self.unfilled, place, text),
                }
                match values {
                    Building::Numbers(numbers) => numbers.push(0.0),
                    Building::Texts(ids, _) => ids.push(MISSING),
                    Building::Bytes(_) | Building::Words(_) => unreachable!("bytes were widened, words are done"),
                }
            }
        }
    }

    /// Numbers, row after row; for categories those of `first_row` and on in source `source`.
    pub(super) fn push_numbers(&mut self, numbers: &[f32], source: usize) {
        self.widen();
        match (&mut self.values, self.classes) {
            (Building::Texts(ids, dictionary), Some(classes)) => {
                let row_len = self.spec.row_shape().iter().product::<usize>().max(1);
                for (at, value) in numbers.iter().enumerate() {
                    let place = Place::Row { source, row: at / row_len };
                    ids.push(dictionary.id(value.to_string().as_bytes(), place, classes));
                }
            }
            (Building::Numbers(all), _) => all.extend_from_slice(numbers),
            (Building::Words(texts), _) => numbers.iter().for_each(|number| texts.push(&number.to_string())),
            (Building::Bytes(_), _) | (Building::Texts(..), None) => unreachable!("bytes were widened"),
        }
    }

    /// Bytes, row after row. They stay bytes as long as nothing else comes.
    pub(super) fn push_bytes(&mut self, bytes: Vec<u8>, source: usize) {
        match &mut self.values {
            Building::Bytes(all) => all.extend_from_slice(&bytes),
            Building::Numbers(numbers) if numbers.is_empty() => self.values = Building::Bytes(bytes),
            Building::Numbers(numbers) => numbers.extend(bytes.iter().map(|&byte| f32::from(byte))),
            Building::Texts(..) | Building::Words(_) => {
                let numbers: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
                self.push_numbers(&numbers, source);
            }
        }
    }

    fn widen(&mut self) {
        if let Building::Bytes(bytes) = &self.values {
            self.values = Building::Numbers(bytes.iter().map(|&byte| f32::from(byte)).collect());
        }
    }

    /// The column, its missing values filled from the rows `train`; `None` where these have nothing to fill with. The findings
    /// were reported before; those about categories are handed to `problem`. Texts are numbered by `vocabulary` where there is one.
    pub(super) fn finish(
        self,
        train: &[u32],
        vocabulary: Option<&[String]>,
        problem: &mut dyn FnMut(ClassProblem),
    ) -> Option<RawColumn> {
        let row_len: usize = self.spec.row_shape().iter().product();
        let mut ty = self.spec.ty.clone();
        let mut learned = None;
        let values = match self.values {
            Building::Bytes(bytes) => Values::Bytes(bytes),
            Building::Numbers(mut numbers) => {
                fill_numbers(&mut numbers, &self.missing, row_len, train, self.spec.fill.as_ref())?;
                Values::Numbers(numbers)
            }
            Building::Texts(mut ids, dictionary) => {
                let (classes, names) = resolve_classes(&dictionary, &self.spec.ty.element, problem);
                if let (Element::Class { names: slot, .. }, Some(names)) = (&mut ty.element, names) {
                    *slot = Some(names);
                }
                fill_classes(&mut ids, &self.missing, row_len, train, &classes)?;
                let class = |id: u32| classes.get(id as usize).copied().unwrap_or(0);
                Values::Classes(ids.into_iter().map(class).collect())
            }
            Building::Words(texts) => {
                let ColumnForm::Tokens { length, front } = self.spec.form else {
                    unreachable!("words are collected for tokens alone")
                };
                let size = self.classes.unwrap_or(0);
                let words = vocabulary.map_or_else(|| texts.vocabulary(train, size), <[String]>::to_vec);
                let numbered = texts.numbered(&words[..words.len().min(size.saturating_sub(2))], length, front);
                learned = Some(words);
                Values::Classes(numbered)
            }
        };
        Some(RawColumn { ty, values, vocabulary: learned })
    }
}

impl Building {
    fn len(&self) -> usize {
        match self {
            Building::Bytes(bytes) => bytes.len(),
            Building::Numbers(numbers) => numbers.len(),
            Building::Texts(ids, _) => ids.len(),
            Building::Words(texts) => texts.len(),
        }
    }
}

/// A finite number as text files write it.
pub(super) fn number(text: &[u8]) -> Option<f32> {
    std::str::from_utf8(text).ok()?.parse::<f32>().ok().filter(|value| value.is_finite())
}

/// Why texts do not become categories.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum ClassProblem {
    /// A value that is none of the classes.
    Outside(Finding),
    /// More distinct texts than classes: how many, where the first one too many stands.
    TooMany(Finding, Vec<String>),
}

/// For each distinct text its category, and the categories' names where the texts are no plain numbers.
fn resolve_classes(
    dictionary: &Dictionary,
    element: &Element,
    problem: &mut dyn FnMut(ClassProblem),
) -> (Vec<i32>, Option<Vec<String>>) {
    let Element::Class { count, names } = element else { unreachable!("texts are collected for categories alone") };
    let entries = &dictionary.entries;
    let wholes: Option<Vec<i64>> = entries.iter().map(|entry| whole(&entry.text)).collect();
    let wholes = wholes.filter(|_| !dictionary.overflow);
    let named = |entry: &Finding| names.as_ref().and_then(|names| names.iter().position(|name| *name == entry.text));
    if let Some(names) = names
        && (wholes.is_none() || entries.iter().any(|entry| named(entry).is_some()))
    {
        let mut outside = entries.iter().filter(|entry| named(entry).is_none());
        if let Some(first) = outside.next() {
            let count = first.count + outside.map(|entry| entry.count).sum::<usize>();
            problem(ClassProblem::Outside(Finding { count, ..first.clone() }));
        }
        let classes = entries.iter().map(|entry| named(entry).unwrap_or(0) as i32).collect();
        return (classes, Some(names.clone()));
    }
    if let Some(wholes) = wholes {
        let fits =
            |value: i64| i32::try_from(value).is_ok() && usize::try_from(value).is_ok_and(|value| value < *count);
        let mut outside = entries.iter().zip(&wholes).filter(|(_, value)| !fits(**value)).map(|(entry, _)| entry);
        if let Some(first) = outside.next() {
            let count = first.count + outside.map(|entry| entry.count).sum::<usize>();
            problem(ClassProblem::Outside(Finding { count, ..first.clone() }));
        }
        return (wholes.iter().map(|&value| if fits(value) { value as i32 } else { 0 }).collect(), names.clone());
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| entries[a].text.cmp(&entries[b].text));
    let sorted: Vec<String> = order.iter().map(|&at| entries[at].text.clone()).collect();
    if entries.len() > *count {
        problem(ClassProblem::TooMany(entries[*count].clone(), sorted));
        return (vec![0; entries.len()], None);
    }
    let mut classes = vec![0; entries.len()];
    for (class, at) in order.into_iter().enumerate() {
        classes[at] = class as i32;
    }
    (classes, Some(sorted))
}

/// The whole number that a text is: `3`, also `3.0`.
fn whole(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse::<i64>() {
        return Some(value);
    }
    let value = text.parse::<f64>().ok()?;
    (value.trunc() == value && value.abs() < 1e15).then_some(value as i64)
}

/// Puts the mean, median or most frequent value of a column's training rows into its gaps.
fn fill_numbers(
    numbers: &mut [f32],
    missing: &[usize],
    row_len: usize,
    train: &[u32],
    fill: Option<&Fill>,
) -> Option<()> {
    let gaps: HashSet<usize> = missing.iter().copied().collect();
    let mut values: HashMap<usize, f32> = HashMap::new();
    for &at in missing {
        let column = at % row_len;
        let value = match values.get(&column) {
            Some(&value) => value,
            None => {
                let present = train.iter().map(|&row| row as usize * row_len + column).filter(|at| !gaps.contains(at));
                let mut present: Vec<f32> = present.map(|at| numbers[at]).collect();
                present.sort_by(f32::total_cmp);
                typical(&present, fill)?
            }
        };
        values.insert(column, value);
        numbers[at] = value;
    }
    Some(())
}

/// The mean, median or most frequent of sorted numbers; `None` of none.
fn typical(sorted: &[f32], fill: Option<&Fill>) -> Option<f32> {
    let count = sorted.len();
    if count == 0 {
        return None;
    }
    Some(match fill {
        Some(Fill::Mean) => (sorted.iter().map(|&value| f64::from(value)).sum::<f64>() / count as f64) as f32,
        Some(Fill::Median) => ((f64::from(sorted[(count - 1) / 2]) + f64::from(sorted[count / 2])) / 2.0) as f32,
        Some(Fill::MostFrequent) => {
            let runs = sorted.chunk_by(|a, b| a == b);
            // Of equally frequent values the least: the first run that no later one exceeds.
            runs.fold((0, 0.0), |best, run| if run.len() > best.0 { (run.len(), run[0]) } else { best }).1
        }
        Some(Fill::Value(_) | Fill::Drop) | None => 0.0,
    })
}

/// Puts the most frequent category of the training rows into the gaps.
fn fill_classes(ids: &mut [u32], missing: &[usize], row_len: usize, train: &[u32], classes: &[i32]) -> Option<()> {
    let mut values: HashMap<usize, u32> = HashMap::new();
    for &at in missing {
        let column = at % row_len;
        let value = match values.get(&column) {
            Some(&value) => value,
            None => {
                let mut counts = vec![0usize; classes.len()];
                for &row in train {
                    if let Some(count) = counts.get_mut(ids[row as usize * row_len + column] as usize) {
                        *count += 1;
                    }
                }
                let best = (0..classes.len()).max_by_key(|&id| (counts[id], std::cmp::Reverse(classes[id])));
                best.filter(|&id| counts[id] > 0)? as u32
            }
        };
        values.insert(column, value);
        ids[at] = value;
    }
    Some(())
}

/// The numbers of the columns that a use asks for, in a source with that schema.
pub(super) fn select(spec: &ColumnUse, schema: &Schema, source: &str) -> Result<Vec<usize>, Diagnostic> {
    let names: Vec<&str> = schema.names().collect();
    let offer = schema.offer(source, &names);
    let by_index = |&index: &usize| {
        let found = (index < schema.columns.len()).then_some(index);
        found.ok_or_else(|| report::column_out_of_range(spec.span, index, offer))
    };
    let by_name = |name: &String| {
        let mut places = (0..schema.columns.len()).filter(|&at| schema.columns[at].name.as_deref() == Some(name));
        let first = places.next().ok_or_else(|| report::unknown_column(spec.span, name, offer))?;
        match places.next() {
            Some(second) => Err(report::ambiguous_column(spec.span, name, [first, second], source)),
            None => Ok(first),
        }
    };
    match &spec.selector {
        ColumnSelector::Index(index) => Ok(vec![by_index(index)?]),
        ColumnSelector::Name(name) => Ok(vec![by_name(name)?]),
        ColumnSelector::Indices(indices) => indices.iter().map(by_index).collect(),
        ColumnSelector::Names(names) => names.iter().map(by_name).collect(),
        ColumnSelector::Pattern(pattern) => {
            let fits = |at: &usize| schema.columns[*at].name.as_deref().is_some_and(|name| fits_pattern(pattern, name));
            let found: Vec<usize> = (0..schema.columns.len()).filter(fits).collect();
            let wanted = spec.row_shape().first().copied().unwrap_or(1);
            if found.is_empty() {
                return Err(report::unknown_column(spec.span, pattern, offer));
            }
            if found.len() != wanted {
                return Err(report::pattern_count(spec.span, pattern, wanted, found.len(), source));
            }
            Ok(found)
        }
    }
}

/// Whether what a use takes has the shape that the program was checked with; `shapes` are those of its columns' rows.
pub(super) fn check_shape(spec: &ColumnUse, shapes: &[&[usize]]) -> Result<(), Diagnostic> {
    let found = match &spec.selector {
        ColumnSelector::Index(_) | ColumnSelector::Name(_) => shapes[0].to_vec(),
        ColumnSelector::Indices(_) | ColumnSelector::Names(_) | ColumnSelector::Pattern(_) => {
            if let Some(shape) = shapes.iter().find(|shape| !shape.is_empty()) {
                return Err(report::column_shape(spec.span, &[], shape));
            }
            vec![shapes.len()]
        }
    };
    if found == spec.row_shape() { Ok(()) } else { Err(report::column_shape(spec.span, spec.row_shape(), &found)) }
}
