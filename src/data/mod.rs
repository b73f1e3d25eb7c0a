//! Sources, transforms, splits and batches.
//!
//! In: a checked `data` declaration and where its files are. Out: a [`Dataset`]: a [`Column`] of values for each field, the
//! rows of each part of the split, weights, and what the fitted transforms have learned. Afterwards every value is in memory
//! as the training reads it: f32 or i32, row after row, finite, categories within their class.
//!
//! The way there: the sources' rows go into [`columns`], value by value; rows are [`split`]; gaps are filled and texts
//! become categories; the fields' expressions run ([`fields`]), their transforms learning from the training rows; then
//! classes are balanced.

mod arrays;
mod audit;
mod balance;
pub mod batch;
mod border;
mod columns;
mod csv;
mod digits;
mod expressions;
mod fields;
mod files;
mod idx;
mod images;
pub(crate) mod memory;
mod npz;
mod random;
mod report;
mod series;
mod split;
mod tokens;
mod toy;
mod transforms;
mod zip;

pub use audit::{audit, imbalances, spreads};
pub use border::border;
pub use files::Paths;
pub use split::Split;
pub use transforms::{FittedTransform, Learned};

use crate::check::hir::{ColumnUse, Data, Element, Schema, SourceSpec, ValueType};
use crate::diagnostics::{Diagnostic, Diagnostics, data as problems};
use crate::source::{Sources, Spanned};
use columns::ColumnBuilder;
use std::ops::Range;

/// The values of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum Storage {
    /// Numbers.
    F32(Vec<f32>),
    /// Categories by number; truth values as 0 and 1.
    I32(Vec<i32>),
}

/// The values of a field for all rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// The type of one row's value. Categories read from texts have their names.
    pub ty: ValueType,
    /// The number of elements of one row's value.
    pub row_len: usize,
    /// The values, row after row.
    pub values: Storage,
}

/// The data of a run, in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset {
    /// The declaration's name.
    pub name: String,
    /// The number of rows.
    pub rows: usize,
    /// The fields in the order of the declaration.
    pub fields: Vec<Column>,
    /// The rows of each part.
    pub split: Split,
    /// A weight for each row, 1 on the average of the training rows and 1 for all others; `None` where all weigh the same.
    pub weights: Option<Vec<f32>>,
    /// What the fields' transforms have learned, in the order of fields and expressions.
    pub fitted: Vec<FittedTransform>,
}

impl Dataset {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Column> {
        self.fields.iter().find(|column| column.name == name)
    }

    /// What travels with the weights: a JSON text for each transform (`fit.FIELD.N`) and each list of class names (`classes.FIELD`).
    pub fn metadata(&self) -> Vec<(String, String)> {
        let transforms = self
            .fitted
            .iter()
            .map(|one| (format!("fit.{}.{}", one.field, one.index), one.learned.to_json().to_string()));
        let classes = self.fields.iter().filter_map(|column| match &column.ty.element {
            Element::Class { names: Some(names), .. } => {
                Some((format!("classes.{}", column.name), serde_json::json!(names).to_string()))
            }
            Element::Class { names: None, .. } | Element::Number | Element::Truth => None,
        });
        transforms.chain(classes).collect()
    }
}

/// The transforms among such metadata.
pub fn fitted_from_metadata<'a>(metadata: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<FittedTransform> {
    let transform = |(key, text): (&str, &str)| {
        let (field, index) = key.strip_prefix("fit.")?.rsplit_once('.')?;
        let learned = Learned::from_json(&serde_json::from_str(text).ok()?)?;
        Some(FittedTransform { field: field.to_string(), index: index.parse().ok()?, learned })
    };
    metadata.filter_map(transform).collect()
}

/// The columns of a source as far as they are cheap to know: a header, the extents of an IDX file. `None` where a file is
/// not there, or where the source has no columns of its own.
pub fn schema(source: &SourceSpec, paths: &Paths) -> Option<Result<Schema, Diagnostic>> {
    match source {
        SourceSpec::Csv { path, header, separator, missing } => {
            csv::schema(path, csv::Format { header: *header, separator: *separator, missing }, paths)
        }
        SourceSpec::Idx(files) => idx::schema(files, paths),
        SourceSpec::Npz { path, columns } => npz::schema(path, columns, paths),
        SourceSpec::Images(folder) => images::schema(folder, paths),
        SourceSpec::Generate { .. } => None,
        SourceSpec::Toy { set, rows, .. } => Some(Ok(Schema { rows: Some(*rows), ..set.schema() })),
    }
}

/// Reads the sources, computes the fields and divides the rows. `None` where something is wrong, which is reported; the
/// offending lines of data files are put among `sources`.
pub fn load(data: &Data, paths: &Paths, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Option<Dataset> {
    load_fitted(data, paths, None, sources, diagnostics)
}

/// The same with transforms that have learned before, from the data a model was trained on.
pub fn load_fitted(
    data: &Data,
    paths: &Paths,
    fitted: Option<&[FittedTransform]>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Dataset> {
    if let Err(problem) = check_size(data) {
        diagnostics.push(problem);
        return None;
    }
    let mut builders: Vec<ColumnBuilder<'_>> = data.columns.iter().map(ColumnBuilder::new).collect();
    let read = read_sources(data, paths, &mut builders, sources, diagnostics);
    // All that is wrong with the values is said at once; columns of a source that could not be read have none.
    let mut failed = report::findings(&builders, &read.files, sources, diagnostics) || !read.sound;
    if read.unread {
        return None;
    }
    let divided = series::samples(data, read.rows, read.parts)
        .and_then(|samples| split::split(data, &samples.parts).map(|split| (samples, split)));
    let (samples, mut split) = match divided {
        Ok(divided) => divided,
        Err(problem) => {
            diagnostics.push(problem);
            return None;
        }
    };
    let train = samples.rows(&split.train);
    let mut vocabularies: Vec<FittedTransform> = Vec::new();
    let mut columns = Vec::new();
    for builder in builders {
        let spec: &ColumnUse = builder.spec;
        let key = format!("tokens:{}", spec.selector);
        let index = vocabularies.iter().filter(|one| one.field == key).count();
        let given = fitted.and_then(|all| all.iter().find(|one| one.field == key && one.index == index));
        let vocabulary = given.and_then(|one| match &one.learned {
            Learned::Vocabulary { words } => Some(words.as_slice()),
            _ => None,
        });
        let finished = builder.finish(&train, vocabulary, &mut |problem| {
            diagnostics.push(report::class_problem(problem, spec, &read.files, sources));
            failed = true;
        });
        match finished {
            Some(mut column) => {
                if let Some(words) = column.vocabulary.take() {
                    vocabularies.push(FittedTransform { field: key, index, learned: Learned::Vocabulary { words } });
                }
                match samples.spread(column, spec) {
                    Ok(column) => columns.push(column),
                    Err(problem) => {
                        diagnostics.push(problem);
                        failed = true;
                    }
                }
            }
            None => {
                if !failed {
                    diagnostics.push(problems::nothing_to_fill_with(spec.span));
                }
                failed = true;
            }
        }
    }
    drop(read.files);
    if failed {
        return None;
    }
    let rows = samples.count;
    let (fields, mut fitted) = fields::Fields::new(data, columns, rows, &split.train, fitted).compute(diagnostics)?;
    fitted.extend(vocabularies);
    let by = |name: &Spanned<String>| fields.iter().find(|column| column.name == name.value);
    let balanced = data.balance.as_ref().and_then(|balance| Some((&balance.value, by(&balance.value.field)?)));
    let weights = balanced.and_then(|(spec, field)| balance::balance(spec, field, rows, data.seed, &mut split));
    Some(Dataset { name: data.name.value.clone(), rows, fields, split, weights, fitted })
}

/// What was read of the sources besides their values.
struct Read {
    /// All rows.
    rows: usize,
    /// The rows of each source and the part they belong to.
    parts: Vec<(Option<String>, Range<u32>)>,
    /// The files that have lines, by number of the source.
    files: Vec<report::SourceFile>,
    /// Whether nothing is wrong with the sources.
    sound: bool,
    /// Whether a source could not be read at all.
    unread: bool,
}

fn read_sources(
    data: &Data,
    paths: &Paths,
    builders: &mut [ColumnBuilder<'_>],
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Read {
    let mut read = Read { rows: 0, parts: Vec::new(), files: Vec::new(), sound: true, unread: false };
    for (number, (part, source)) in data.sources.iter().enumerate() {
        let (file, rows) = match &source.value {
            SourceSpec::Csv { path, header, separator, missing } => {
                let format = csv::Format { header: *header, separator: *separator, missing };
                match csv::open(path, format, paths) {
                    Ok(file) => {
                        let rows = file.read(path, format, number, builders).map(|(rows, ragged)| {
                            if let Some(ragged) = ragged {
                                diagnostics.push(report::ragged(&file, &ragged, path.span, sources));
                                read.sound = false;
                                read.unread |= rows == 0;
                            } else if rows == 0 {
                                diagnostics.push(problems::no_rows(path.span, &file.name));
                                read.unread = true;
                            }
                            rows
                        });
                        (report::SourceFile::Text(file), rows)
                    }
                    Err(problem) => (report::SourceFile::Other(path.value.clone()), Err(vec![problem])),
                }
            }
            SourceSpec::Idx(files) => {
                let name = files.first().map_or_else(String::new, |(_, path)| path.value.clone());
                (report::SourceFile::Other(name), idx::read(files, paths, number, builders))
            }
            SourceSpec::Npz { path, columns } => {
                let name = report::SourceFile::Other(path.value.clone());
                (name, npz::read(path, columns, paths, number, builders))
            }
            SourceSpec::Images(folder) => {
                let name = report::SourceFile::Other(folder.path.value.clone());
                (name, images::read(folder, paths, number, builders))
            }
            SourceSpec::Generate { rows, .. } => (report::SourceFile::Other(String::from("generate")), Ok(*rows)),
            SourceSpec::Toy { set, rows, seed, noise } => {
                let rows = toy::read(*set, *rows, *seed, *noise, number, builders);
                (report::SourceFile::Other(set.name().to_string()), rows)
            }
        };
        read.files.push(file);
        match rows {
            Ok(rows) if read.rows + rows <= u32::MAX as usize => {
                let range = read.rows as u32..(read.rows + rows) as u32;
                read.parts.push((part.as_ref().map(|part| part.value.clone()), range));
                read.rows += rows;
            }
            Ok(rows) => {
                diagnostics.push(problems::too_many_rows(source.span, rows));
                read.unread = true;
            }
            Err(found) => {
                found.into_iter().for_each(|problem| diagnostics.push(problem));
                read.unread = true;
            }
        }
    }
    read
}

/// Refuses data that the machine cannot hold, as far as its number of rows is known before it is read.
fn check_size(data: &Data) -> Result<(), Diagnostic> {
    let bytes = |ty: &ValueType| ty.shape.iter().fold(4u128, |product, &extent| product.saturating_mul(extent as u128));
    let of_row = |all: u128, ty: &ValueType| all.saturating_add(bytes(ty));
    let fields = data.fields.iter().map(|field| &field.ty).fold(0, of_row);
    let columns = data.columns.iter().map(|column| &column.ty).fold(fields, of_row);
    for (_, source) in &data.sources {
        let rows = match &source.value {
            SourceSpec::Generate { rows, .. } | SourceSpec::Toy { rows, .. } => *rows,
            SourceSpec::Csv { .. } | SourceSpec::Idx(_) | SourceSpec::Npz { .. } | SourceSpec::Images(_) => continue,
        };
        if rows > u32::MAX as usize {
            return Err(problems::too_many_rows(source.span, rows));
        }
        memory::require(source.span, (rows as u128).saturating_mul(columns))?;
    }
    Ok(())
}
