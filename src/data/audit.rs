//! What looks wrong in data that can be read: said by `nnc check --data`, with every row in memory.
//!
//! In: a data set and the runs that use it. Out: warnings on values that never change, classes without an example, targets
//! that stand among the inputs, ranges far from where a network begins, classes that hardly occur. Only training rows are
//! looked at, but for the classes of each part.

use super::{Column, Dataset, Split, Storage};
use crate::advice::Spread;
use crate::check::hir::{
    Binding, ColumnSelector, Data, DataField, Element, Fitted, Hir, HirOp, SourceSpec, Value, ValueId,
};
use crate::diagnostics::{Diagnostics, Edit, audit as problems};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};

/// Looks over a data set, that of `hir.data[number]`. With `leaks` also for targets among the inputs.
pub fn audit(hir: &Hir, number: usize, dataset: &Dataset, leaks: bool, diagnostics: &mut Diagnostics) {
    let data = &hir.data[number];
    let roles = Roles::of(hir, number);
    // Where the program makes the values itself, what follows from what is written there.
    let generated = data.sources.iter().all(|(_, source)| matches!(source.value, SourceSpec::Generate { .. }));
    for (field, column) in data.fields.iter().zip(&dataset.fields) {
        constants(data, field, column, &dataset.split.train, diagnostics);
    }
    for (number, (field, column)) in data.fields.iter().zip(&dataset.fields).enumerate() {
        // What becomes of a class is measured where it is to be told, not where it is given.
        let told = roles.targets.contains(&number);
        let categories = if told { Categories::of_target(column) } else { Categories::of_class(column) };
        if let Some(categories) = categories {
            absent_classes(field, &categories, &dataset.split, told || roles.inputs.is_empty(), diagnostics);
        }
    }
    for (part, share) in &data.split {
        if *share > 0.0 && dataset.split.rows(&part.value).is_empty() {
            diagnostics.push(problems::empty_part(part, dataset.rows));
        }
    }
    for &target in &roles.targets {
        let (field, column) = (&data.fields[target], &dataset.fields[target]);
        wide_target(field, column, &dataset.split.train, diagnostics);
        for &input in roles.inputs.iter().filter(|_| leaks && !generated) {
            let given = &data.fields[input];
            if let Some(element) = copied(&dataset.fields[input], column, &dataset.split.train) {
                let name = element_name(data, given, &dataset.fields[input], element);
                diagnostics.push(problems::copy_of_target(&given.name, &field.name, &name));
            }
        }
    }
    for &input in roles.inputs.iter().filter(|_| !roles.normalised) {
        wide_input(data, &data.fields[input], &dataset.fields[input], &dataset.split.train, diagnostics);
    }
    imbalances(hir, number, dataset, diagnostics);
    repeated_rows(data, dataset, diagnostics);
}

/// Looks for parts of files of their own whose rows are those of the training over again. A few rows that are alike are none: of
/// small whole numbers many are.
fn repeated_rows(data: &Data, dataset: &Dataset, diagnostics: &mut Diagnostics) {
    let part =
        |wanted: &str| data.sources.iter().find_map(|(part, _)| part.as_ref().filter(|part| part.value == wanted));
    let Some(train) = part("train") else { return };
    // What is held back of the training file for validation is of that file, too.
    let held_back: &[u32] = if part("val").is_none() { &dataset.split.val } else { &[] };
    let rows = || dataset.split.train.iter().chain(held_back);
    let learned: BTreeSet<u64> = rows().map(|&row| fingerprint(dataset, row)).collect();
    if learned.len() * 2 < rows().count() {
        return;
    }
    let mostly = |some: usize, all: usize| all >= FEWEST_ROWS && some * 5 >= all * 4;
    for (name, rows) in [("val", &dataset.split.val), ("test", &dataset.split.test)] {
        let again = rows.iter().filter(|&&row| learned.contains(&fingerprint(dataset, row))).count();
        if let Some(part) = part(name).filter(|_| mostly(again, rows.len())) {
            diagnostics.push(problems::rows_again(part, train, again, rows.len()));
        }
    }
}

/// A number that two rows with the same values share, and hardly two others.
fn fingerprint(dataset: &Dataset, row: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    for column in &dataset.fields {
        let place = row as usize * column.row_len..(row as usize + 1) * column.row_len;
        match &column.values {
            Storage::F32(values) => values[place].iter().for_each(|value| hasher.write_u32(value.to_bits())),
            Storage::I32(values) => values[place].iter().for_each(|value| hasher.write_i32(*value)),
        }
    }
    hasher.finish()
}

/// Looks for targets whose classes occur very differently often where nothing is done about it: the data has no `balance`,
/// and no loss looks at how frequent the classes are.
pub fn imbalances(hir: &Hir, number: usize, dataset: &Dataset, diagnostics: &mut Diagnostics) {
    let data = &hir.data[number];
    let is_frequency = |value: &Value| matches!(value.op, HirOp::Fitted(Fitted::Frequency { .. }));
    let targets = Roles::of(hir, number).targets;
    let weighed = targets.iter().any(|&target| data.fields[target].body.values.iter().any(is_frequency));
    if data.balance.is_some() || weighed {
        return;
    }
    for target in targets {
        imbalance(&data.fields[target], &dataset.fields[target], &dataset.split.train, diagnostics);
    }
}

/// Where the numbers of the fields lie in the training rows, by name; not of images and the like.
pub fn spreads(dataset: &Dataset) -> BTreeMap<String, Spread> {
    let of = |column: &Column| {
        let Storage::F32(values) = &column.values else { return None };
        let row = |row: &u32| values[*row as usize * column.row_len..][..column.row_len].iter();
        let numbers = dataset.split.train.iter().take(SPREAD_ROWS).flat_map(row);
        Spread::of(numbers.map(|number| f64::from(*number)).filter(|_| column.row_len <= FEW))
    };
    dataset.fields.iter().filter_map(|column| Some((column.name.clone(), of(column)?))).collect()
}

/// The rows looked at for where numbers lie.
const SPREAD_ROWS: usize = 100_000;

/// What fields are for, by number.
struct Roles {
    inputs: BTreeSet<usize>,
    /// What a loss looks at besides the model's outputs and inputs.
    targets: BTreeSet<usize>,
    /// Whether every model brings its inputs into range itself: it looks at the whole batch.
    normalised: bool,
}

impl Roles {
    fn of(hir: &Hir, number: usize) -> Roles {
        let place = |name: &str| hir.data[number].fields.iter().position(|field| field.name.value == name);
        let mut roles = Roles { inputs: BTreeSet::new(), targets: BTreeSet::new(), normalised: true };
        for run in hir.runs.iter().filter(|run| run.data == number) {
            let body = &hir.models[run.model].body;
            let fields = |inputs: &[crate::check::hir::BodyInput]| -> BTreeSet<usize> {
                let fields = inputs.iter().filter(|input| input.binding == Binding::Field);
                fields.filter_map(|input| place(&input.name)).collect()
            };
            let inputs = fields(&body.inputs);
            roles.targets.extend(fields(&run.loss.inputs).difference(&inputs));
            roles.inputs.extend(inputs);
            roles.normalised &= body.values.iter().any(|value| matches!(value.op, HirOp::BatchMean));
        }
        roles
    }
}

/// More elements than this are an image or a signal, in which some may well never change.
const FEW: usize = 64;

fn constants(data: &Data, field: &DataField, column: &Column, train: &[u32], diagnostics: &mut Diagnostics) {
    let len = column.row_len;
    let same = |element: usize| match &column.values {
        Storage::F32(values) => train.windows(2).all(|rows| {
            values[rows[0] as usize * len + element].to_bits() == values[rows[1] as usize * len + element].to_bits()
        }),
        Storage::I32(values) => train
            .windows(2)
            .all(|rows| values[rows[0] as usize * len + element] == values[rows[1] as usize * len + element]),
    };
    // Of a category with one value alone it is said which others are absent.
    let told = Categories::of_class(column).is_some_and(|categories| categories.names.len() > 1);
    if train.len() < 2 || len == 0 || told {
        return;
    }
    let constant: Vec<usize> = (0..len).filter(|&element| same(element)).collect();
    let all = constant.len() == len;
    if constant.is_empty() || (!all && (len > FEW || column.ty.shape.len() > 1)) {
        return;
    }
    let names: Vec<String> = match all {
        true => Vec::new(),
        false => constant.iter().map(|&element| element_name(data, field, column, element)).collect(),
    };
    diagnostics.push(problems::constant(&field.name, &names));
}

/// What an element of a field is called: by its column where it is one.
fn element_name(data: &Data, field: &DataField, column: &Column, element: usize) -> String {
    if column.ty.shape.is_empty() {
        return format!("`{}`", field.name.value);
    }
    let own = format!("`{}[{element}]`", field.name.value);
    let mut uses = field.body.values.iter().filter_map(|value| match value.op {
        HirOp::Column(number) => Some(&data.columns[number]),
        _ => None,
    });
    let (Some(spec), None) = (uses.next(), uses.next()) else { return own };
    match &spec.selector {
        ColumnSelector::Indices(indices) if indices.len() == column.row_len => {
            format!("{own} (column {})", indices[element])
        }
        ColumnSelector::Names(names) if names.len() == column.row_len => format!("{own} (column `{}`)", names[element]),
        ColumnSelector::Index(index) if column.row_len == 1 => format!("{own} (column {index})"),
        ColumnSelector::Name(name) if column.row_len == 1 => format!("{own} (column `{name}`)"),
        ColumnSelector::Index(_)
        | ColumnSelector::Name(_)
        | ColumnSelector::Indices(_)
        | ColumnSelector::Names(_)
        | ColumnSelector::Pattern(_) => own,
    }
}

/// A field as one category a row.
struct Categories<'c> {
    values: &'c Storage,
    /// What the categories are called.
    names: Vec<String>,
    /// The numbers that stand for them, where the field is one of numbers.
    numbers: Option<[f32; 2]>,
}

impl<'c> Categories<'c> {
    /// The categories of a field that is a class.
    fn of_class(column: &'c Column) -> Option<Categories<'c>> {
        let Element::Class { count, names } = &column.ty.element else { return None };
        // A class may have more categories than there is memory.
        if column.row_len != 1 || *count > MOST_CLASSES {
            return None;
        }
        let name = |class: usize| {
            names.as_ref().and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())
        };
        Some(Categories { values: &column.values, names: (0..*count).map(name).collect(), numbers: None })
    }

    /// The categories of what is to be learned: also numbers of which there are just two, as 0 and 1 for no and yes.
    fn of_target(column: &'c Column) -> Option<Categories<'c>> {
        let Storage::F32(values) = &column.values else { return Categories::of_class(column) };
        let first = *values.first().filter(|_| column.row_len == 1)?;
        let second = *values.iter().find(|value| **value != first)?;
        if values.iter().any(|value| *value != first && *value != second) {
            return None;
        }
        let numbers = [first.min(second), first.max(second)];
        Some(Categories {
            values: &column.values,
            names: numbers.iter().map(f32::to_string).collect(),
            numbers: Some(numbers),
        })
    }

    /// How often each occurs among rows.
    fn counts(&self, rows: &[u32]) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for &row in rows {
            let class = match (self.values, self.numbers) {
                (Storage::I32(values), _) => usize::try_from(values[row as usize]).ok(),
                (Storage::F32(values), Some([low, _])) => Some(usize::from(values[row as usize] != low)),
                (Storage::F32(_), None) => None,
            };
            if let Some(count) = class.and_then(|class| counts.get_mut(class)) {
                *count += 1;
            }
        }
        counts
    }
}

/// The most categories that are counted.
const MOST_CLASSES: usize = 1 << 16;

fn absent_classes(
    field: &DataField,
    categories: &Categories<'_>,
    split: &Split,
    measured: bool,
    diagnostics: &mut Diagnostics,
) {
    let in_training = categories.counts(&split.train);
    let names = |absent: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..in_training.len()).filter(|&class| absent(class)).map(|class| categories.names[class].clone()).collect()
    };
    // A number that never changes is told as such.
    let never = names(&|class| in_training[class] == 0 && categories.numbers.is_none());
    if !never.is_empty() {
        diagnostics.push(problems::class_without_example(&field.name, "train", &never));
    }
    for (part, rows) in [("val", &split.val), ("test", &split.test)] {
        if !measured || rows.is_empty() {
            continue;
        }
        let counts = categories.counts(rows);
        let absent = names(&|class| in_training[class] > 0 && counts[class] == 0);
        if !absent.is_empty() {
            diagnostics.push(problems::class_without_example(&field.name, part, &absent));
        }
    }
}

/// How many times as often the most frequent class may occur.
const IMBALANCE: usize = 10;

fn imbalance(field: &DataField, column: &Column, train: &[u32], diagnostics: &mut Diagnostics) {
    let Some(categories) = Categories::of_target(column) else { return };
    let counts = categories.counts(train);
    let present = || counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let (Some((most, &many)), Some((least, &few))) =
        (present().max_by_key(|(_, count)| **count), present().min_by_key(|(_, count)| **count))
    else {
        return;
    };
    if many >= IMBALANCE * few && most != least {
        let insert = Edit { span: field.span.after(), text: format!("\n  balance = weights({})", field.name.value) };
        let names = [categories.names[most].clone(), categories.names[least].clone()];
        diagnostics.push(problems::unbalanced(&field.name, names, [many, few], train.len(), insert));
    }
}

/// Mean, deviation and root of the mean square of each element.
fn moments(column: &Column, train: &[u32]) -> Option<Vec<[f64; 3]>> {
    let Storage::F32(values) = &column.values else { return None };
    let len = column.row_len;
    let (mut sums, mut squares) = (vec![0.0f64; len], vec![0.0f64; len]);
    for &row in train {
        for (element, &value) in values[row as usize * len..][..len].iter().enumerate() {
            sums[element] += f64::from(value);
            squares[element] += f64::from(value) * f64::from(value);
        }
    }
    let count = train.len().max(1) as f64;
    let moments = sums.iter().zip(&squares).map(|(sum, square)| {
        let (mean, square) = (sum / count, square / count);
        [mean, (square - mean * mean).max(0.0).sqrt(), square.sqrt()]
    });
    Some(moments.collect())
}

/// An input whose mean square is beyond the square of this is far from where activations bend.
const WIDE_INPUT: f64 = 10.0;

/// A target beyond this makes a loss whose first gradients are huge.
const WIDE_TARGET: f64 = 100.0;

fn wide_input(data: &Data, field: &DataField, column: &Column, train: &[u32], diagnostics: &mut Diagnostics) {
    let fitted = |op: &HirOp| matches!(op, HirOp::Fitted(Fitted::Standardize | Fitted::MinMax));
    let Some(&(_, ValueId(output))) = field.body.outputs.first() else { return };
    let output = &field.body.values[output as usize];
    if fitted(&output.op) {
        return;
    }
    let Some(moments) = moments(column, train) else { return };
    let Some((element, [mean, deviation, size])) =
        moments.iter().copied().enumerate().max_by(|(_, one), (_, other)| one[2].total_cmp(&other[2]))
    else {
        return;
    };
    if size > WIDE_INPUT {
        let name = element_name(data, field, column, element);
        let image = column.ty.shape.len() > 1;
        diagnostics.push(problems::wide_input(&field.name, &name, mean, deviation, image, output.span));
    }
}

fn wide_target(field: &DataField, column: &Column, train: &[u32], diagnostics: &mut Diagnostics) {
    let Some(moments) = moments(column, train) else { return };
    let widest = moments.iter().copied().max_by(|one, other| one[2].total_cmp(&other[2]));
    if let Some([mean, deviation, size]) = widest.filter(|[.., size]| *size > WIDE_TARGET) {
        diagnostics.push(problems::wide_target(&field.name, mean, deviation, size));
    }
}

/// The rows looked at for copies: more would not tell more.
const COPY_ROWS: usize = 10_000;

/// Fewer rows than this agree by chance.
const FEWEST_ROWS: usize = 10;

/// The first element of an input that is the target over again: each determines the other in every training row.
fn copied(input: &Column, target: &Column, train: &[u32]) -> Option<usize> {
    let rows = &train[..train.len().min(COPY_ROWS)];
    if target.row_len != 1 || rows.len() < FEWEST_ROWS {
        return None;
    }
    (0..input.row_len).find(|&element| match (&target.values, &input.values) {
        (Storage::F32(wanted), Storage::F32(given)) => {
            let pair = |row: &u32| {
                (f64::from(given[*row as usize * input.row_len + element]), f64::from(wanted[*row as usize]))
            };
            correlation(rows.iter().map(pair)).abs() > 1.0 - 1e-9
        }
        (Storage::I32(wanted), values) => {
            let bits = |row: &u32| match values {
                Storage::F32(given) => given[*row as usize * input.row_len + element].to_bits(),
                Storage::I32(given) => given[*row as usize * input.row_len + element] as u32,
            };
            one_to_one(rows.iter().map(|row| (bits(row), wanted[*row as usize])))
        }
        (Storage::F32(_), Storage::I32(_)) => false,
    })
}

/// Pearson's correlation; 0 where one of the two never changes.
fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = pairs.clone().count() as f64;
    let (x, y) = pairs.clone().fold((0.0, 0.0), |(x, y), pair| (x + pair.0, y + pair.1));
    let (x, y) = (x / count, y / count);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (one, other) in pairs {
        xx += (one - x) * (one - x);
        yy += (other - y) * (other - y);
        xy += (one - x) * (other - y);
    }
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// Whether values and categories determine each other, at least two of them.
fn one_to_one(pairs: impl Iterator<Item = (u32, i32)>) -> bool {
    let (mut forth, mut back) = (BTreeMap::new(), BTreeMap::new());
    for (value, class) in pairs {
        if *forth.entry(value).or_insert(class) != class || *back.entry(class).or_insert(value) != value {
            return false;
        }
    }
    forth.len() > 1
}
