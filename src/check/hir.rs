//! The typed form of a program.
//!
//! What a file declares generically is in [`Hir::declarations`]: signatures for the editor and the documentation. What
//! is to run is in [`Hir::models`], [`Hir::data`] and [`Hir::runs`]: every use with its numbers, as a [`Body`].
//! A body is straight-line: calls are resolved and put in place, configuration is evaluated, `repeat` and compile-time `if`
//! are carried out, every value has its type. It speaks of one sample and of the language's own primitives.

use crate::diagnostics::data::Offer;
use crate::source::{Span, Spanned};
use crate::syntax::ast::CallableKind;

/// A checked program.
#[derive(Clone, Debug, Default)]
pub struct Hir {
    /// All declarations in scope of the main file, the prelude's first.
    pub declarations: Vec<Declaration>,
    /// Every model: once with the defaults where these exist, and once for each use in a `train`.
    pub models: Vec<Model>,
    /// The data declarations that a run uses, and the others of the main file.
    pub data: Vec<Data>,
    /// The runs in order: one for each model of each `train`.
    pub runs: Vec<Run>,
}

/// A declaration as the editor and `nnc doc` show it.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The keyword: `layer`, `const`, `data`, …
    pub keyword: &'static str,
    /// Its kind where it can be applied.
    pub kind: Option<CallableKind>,
    /// Its name and the place of it.
    pub name: Spanned<String>,
    /// The head as written: `layer dense(units: int, …)(x: [n]) -> [units]`.
    pub signature: String,
    /// Its documentation.
    pub doc: Option<String>,
    /// All of it.
    pub span: Span,
}

/// What the elements of a value are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Element {
    /// f32.
    Number,
    /// A truth value.
    Truth,
    /// One of `count` categories, by number.
    Class {
        /// How many.
        count: usize,
        /// Their names, where they have any.
        names: Option<Vec<String>>,
    },
}

/// The type of a value of one sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueType {
    /// What its elements are.
    pub element: Element,
    /// Its extents; a scalar has none.
    pub shape: Vec<usize>,
}

/// A value of a [`Body`]; prints as `%3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ValueId(pub u32);

/// Straight-line typed code over one sample.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What it is given; [`HirOp::Input`] refers to them by index.
    pub inputs: Vec<BodyInput>,
    /// The trainable parameters it owns, in the order of their declaration. A region shares those of the body around it.
    pub params: Vec<Param>,
    /// The states it owns; a region shares those of the body around it.
    pub states: Vec<State>,
    /// The values, definitions before uses.
    pub values: Vec<Value>,
    /// The results with their names; an unnamed one is called `value`.
    pub outputs: Vec<(String, ValueId)>,
    /// The layers applied, in the order they begin: for `nnc summary`.
    pub layers: Vec<LayerUse>,
}

impl std::ops::Index<ValueId> for Body {
    type Output = Value;
    fn index(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }
}

/// A layer applied in a [`Body`]. Those within it follow it; those of a region are the region's.
#[derive(Clone, Debug)]
pub struct LayerUse {
    /// Its path: `tower.dense_1`. Applied again, a shared layer has the same.
    pub path: String,
    /// The declaration's name.
    pub layer: String,
    /// The type of its (first) result.
    pub output: ValueType,
    /// How deep it stands: those that follow and are deeper are within it.
    pub depth: usize,
    /// The values it computes.
    pub values: std::ops::Range<usize>,
    /// Where it is applied.
    pub span: Span,
}

/// An input of a [`Body`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodyInput {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ValueType,
    /// Where its value comes from.
    pub binding: Binding,
}

/// Where the value of an input comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binding {
    /// The field of that name of the data.
    Field,
    /// The output of that name of the model.
    ModelOutput,
    /// What the declaration's kind brings into scope: `param grad lr step` of an optimizer, `epoch …` of a schedule, the
    /// tensor of a penalty (`w`); by name.
    Scope,
    /// The operand of that number of the [`HirOp::Each`] or [`HirOp::Scan`] whose region this is.
    Region,
}

/// One step of a [`Body`].
#[derive(Clone, Debug)]
pub struct Value {
    /// What is done.
    pub op: HirOp,
    /// To what.
    pub operands: Vec<ValueId>,
    /// The type of the result.
    pub ty: ValueType,
    /// Where it is written.
    pub span: Span,
    /// The same, or where it is written in a shipped file, the innermost call of it that is not: a place the user can change.
    pub site: Span,
}

/// A trainable tensor.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its path: `tower.dense_1.W`.
    pub path: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// What fills it: a body without inputs whose one output has the shape, or is a scalar that fills it.
    pub init: Body,
    /// Its declaration.
    pub span: Span,
}

/// A tensor that is kept from step to step without a gradient.
#[derive(Clone, Debug)]
pub struct State {
    /// Its path: `batch_norm_1.running_mean`; in an optimizer or a schedule its name.
    pub path: String,
    /// Its extents; of an optimizer's state those of one element: none.
    pub shape: Vec<usize>,
    /// Its start, as for [`Param::init`].
    pub init: Body,
    /// Its value after the step; `None` where it stays.
    pub next: Option<ValueId>,
    /// Its declaration.
    pub span: Span,
}

/// The language's primitives. Operand and result shapes are those of the language; the types were checked.
#[derive(Clone, Debug)]
pub enum HirOp {
    /// The body's input of that number.
    Input(usize),
    /// The parameter of that number.
    Param(usize),
    /// The state of that number, before the step.
    State(usize),
    /// A number of the program, `[]`.
    Number(f64),
    /// A truth value of the program, `[]`.
    Truth(bool),
    /// A category of the program, `[]`.
    Category(u32),
    /// Whether this is training: a truth value `[]`.
    Training,
    /// Elementwise; operands' shapes equal, a suffix of the longest, or `[]`. A truth value among numbers counts as 0 or 1.
    Elementwise(Elementwise),
    /// Over the axes listed (ascending), which disappear.
    Reduce(Reduce, Vec<usize>),
    /// `(a, b)`: `@` of LANGUAGE: `[n] @ [n, m]`, `[t, n] @ [n, m]`, `[n] @ [n]`, `[b, t, n] @ [b, n, m]`, `[m, n] @ [n]`.
    MatMul,
    /// Joined along the axis.
    Concat(usize),
    /// Stacked along a new axis.
    Stack(usize),
    /// The same elements in row-major order in the result's shape (`reshape`, `flatten`).
    Reshape,
    /// Axis `i` of the result is axis `list[i]` of the operand.
    Transpose(Vec<usize>),
    /// Per axis `start..end`.
    Slice(Vec<(usize, usize)>),
    /// The element of that number along the axis, which disappears.
    Take {
        /// The axis.
        axis: usize,
        /// The number, from 0.
        index: usize,
    },
    /// `(table, indices)`: the rows of the table (along its first axis) of the categories given; `E[token]`.
    Gather,
    /// Zeros before and behind, per axis.
    Pad(Vec<(usize, usize)>),
    /// Backwards along the axis.
    Reverse(usize),
    /// In order along the axis: the least first, or the greatest; NaN last.
    Sort {
        /// The axis.
        axis: usize,
        /// Whether the greatest comes first.
        descending: bool,
    },
    /// The numbers that the elements have before [`HirOp::Sort`]: categories.
    ArgSort {
        /// The axis.
        axis: usize,
        /// Whether the greatest comes first.
        descending: bool,
    },
    /// Each element repeated `factor` times along the axis.
    Upsample {
        /// The axis.
        axis: usize,
        /// How often.
        factor: usize,
    },
    /// Repeated to the result's shape; `axes[i]` is where axis `i` of the operand goes.
    Expand(Vec<usize>),
    /// A category of `k` as a vector `[k]` of 0 and 1, behind the operand's axes.
    OneHot,
    /// The numbers 0, 1, … along the one axis of the result.
    Range,
    /// The mean over the batch and every axis but the last.
    BatchMean,
    /// The variance (divided by the number) over the batch and every axis but the last.
    BatchVar,
    /// `(share)`: 1 with that probability, else 0; in the result's shape.
    Bernoulli,
    /// `(mean, deviation)`: in the result's shape.
    Normal,
    /// `(low, high)`: in the result's shape.
    Uniform,
    /// `(value)`: one scalar in the result's shape (`zeros`, `ones`, `constant`).
    Fill,
    /// An orthonormal matrix in the result's shape (axes but the last flattened); in an initialisation only.
    Orthogonal,
    /// The operand, without its gradient.
    StopGradient,
    /// The region once for each index along the first axis of the first `mapped` operands, the results stacked along a new first axis.
    /// The region's inputs are the operands in order; those behind the first `mapped` are handed over whole.
    Each {
        /// What is done to each; its params and states are the body's.
        region: Box<Body>,
        /// How many operands are mapped.
        mapped: usize,
        /// The number of results; the value is the first, [`HirOp::Result`] gives the others.
        results: usize,
    },
    /// A loop over the first axis. Operands: the sequences (`over` of them), the starts of the states (`states`), captured values. The region's inputs are
    /// the same in order, one step of each sequence; its outputs the next states, then what is emitted.
    Scan {
        /// One step.
        region: Box<Body>,
        /// How many sequences.
        over: usize,
        /// How many states.
        states: usize,
    },
    /// Another result of an operation with several.
    Result(usize),
    /// `(x: [.., c], W)`: convolution.
    Conv(Window),
    /// `(x: [.., c_in], W: [window.., c_in, c_out])`: the transpose of a convolution. `padding` says how many elements are cut off
    /// in front of what the windows cover; the result's extents say how many behind, or how many zeros follow.
    ConvTranspose(Window),
    /// The largest of each window.
    MaxPool(Window),
    /// The mean of each window.
    AvgPool(Window),
    /// `(value)`: its average over the split, weighted by the samples' weights; in a metric only.
    Avg,
    /// A column (or several) of the data's source, by index into [`Data::columns`].
    Column(usize),
    /// `(value)`: a transform fitted on the training split; in a data field only.
    Fitted(Fitted),
}

/// Windows over the spatial axes of a channels-last tensor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// The extents.
    pub size: Vec<usize>,
    /// The steps.
    pub stride: Vec<usize>,
    /// Zeros before and behind.
    pub padding: Vec<(usize, usize)>,
    /// The distance of neighbours.
    pub dilation: Vec<usize>,
    /// Groups of channels.
    pub groups: usize,
}

/// Elementwise functions, by the names of the language.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "each is the function or operator of the language")]
pub enum Elementwise {
    Neg,
    Not,
    Exp,
    Log,
    Sqrt,
    Abs,
    Sign,
    Floor,
    Ceil,
    Round,
    Sin,
    Cos,
    Tanh,
    Erf,
    Add,
    Sub,
    Mul,
    Div,
    /// The remainder with the sign of the divisor, as in Python.
    Rem,
    Pow,
    Min,
    Max,
    /// `(x, low, high)`.
    Clamp,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    /// `(condition, then, else)`.
    If,
}

/// Reductions, by the names of the language.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "each is the function of the language")]
pub enum Reduce {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    /// The variance, divided by the number of elements.
    Var,
    /// The category of the first largest, along one axis.
    ArgMax,
    /// The category of the first smallest, along one axis.
    ArgMin,
}

/// Transforms of a data field that learn from the training split.
#[derive(Clone, PartialEq, Debug)]
pub enum Fitted {
    /// Minus the mean, divided by the standard deviation, for each element of the field.
    Standardize,
    /// To 0 … 1 by the least and the greatest, for each element of the field.
    MinMax,
    /// Of a category, or of a number `[]` cut into that many intervals of equal width: the share of the training samples that fall
    /// into the same.
    Frequency {
        /// The number of intervals.
        bins: usize,
    },
}

/// A model with its configuration.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its configuration as written at the use, `(width = 64)`, or empty.
    pub configuration: String,
    /// What it does. Inputs are bound to fields by name, outputs have the names of the signature.
    pub body: Body,
    /// The declaration.
    pub span: Span,
}

/// A `data` declaration.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its name.
    pub name: Spanned<String>,
    /// One unnamed source, or one for each named part (`train`, `val`, `test`).
    pub sources: Vec<(Option<Spanned<String>>, Spanned<SourceSpec>)>,
    /// The columns that the fields take from the sources.
    pub columns: Vec<ColumnUse>,
    /// The fields in order. A field's body may refer to earlier and later fields by inputs bound to [`Binding::Field`]; there is no cycle.
    pub fields: Vec<DataField>,
    /// The parts with their shares, which sum to at most 1; empty where not written. With named sources it divides the part `train`.
    pub split: Vec<(Spanned<String>, f64)>,
    /// Whether rows stay in order when they are split; those of a series always do.
    pub ordered: bool,
    /// The seed of the split and of balancing; 0 where not written. A run's seed does not change them.
    pub seed: u64,
    /// How classes are balanced.
    pub balance: Option<Spanned<Balance>>,
    /// All of the declaration.
    pub span: Span,
}

impl Data {
    /// Whether rows are steps of a series, of which windows are taken.
    pub fn is_series(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.form, ColumnForm::Window { .. }))
    }
}

/// A field of the data.
#[derive(Clone, Debug)]
pub struct DataField {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type.
    pub ty: ValueType,
    /// Its value for one row: one output of that type.
    pub body: Body,
    /// All of the field.
    pub span: Span,
}

/// Where rows come from.
#[derive(Clone, PartialEq, Debug)]
pub enum SourceSpec {
    /// A text file of separated values.
    Csv {
        /// The file, relative to the `.nn` file, then to `--data-dir`.
        path: Spanned<String>,
        /// Whether its first row names the columns.
        header: bool,
        /// The separator: one byte.
        separator: u8,
        /// The texts that stand for a missing value; the empty text always does.
        missing: Vec<String>,
    },
    /// Files in MNIST's format, gzipped or not, with the column each gives.
    Idx(Vec<(Spanned<String>, Spanned<String>)>),
    /// One of NumPy's archives: its path, and for each column the array it is; all arrays by their own names where none is listed.
    Npz {
        /// The file.
        path: Spanned<String>,
        /// Columns and arrays.
        columns: Vec<(Spanned<String>, Spanned<String>)>,
    },
    /// A folder of images, a folder a class: `image` and `label`.
    Images(ImageFolder),
    /// Rows that the fields' own expressions make.
    Generate {
        /// How many.
        rows: usize,
        /// The seed.
        seed: u64,
    },
    /// An embedded set.
    Toy {
        /// Which.
        set: ToySet,
        /// How many rows.
        rows: usize,
        /// The seed.
        seed: u64,
        /// The strength of the noise; the set's own where not written.
        noise: Option<f64>,
    },
}

/// A folder of images.
#[derive(Clone, PartialEq, Debug)]
pub struct ImageFolder {
    /// The folder.
    pub path: Spanned<String>,
    /// Height and width that images are brought to; those of all images where not written.
    pub size: Option<[usize; 2]>,
    /// One channel or three; those of the first image where not written.
    pub channels: Option<usize>,
}

impl SourceSpec {
    /// The files it reads, each with the other names it may have.
    pub fn files(&self) -> Vec<(&Spanned<String>, Vec<String>)> {
        match self {
            SourceSpec::Csv { path, .. } | SourceSpec::Npz { path, .. } => vec![(path, Vec::new())],
            SourceSpec::Images(folder) => vec![(&folder.path, Vec::new())],
            SourceSpec::Idx(files) => files.iter().map(|(_, path)| (path, packed_names(&path.value))).collect(),
            SourceSpec::Generate { .. } | SourceSpec::Toy { .. } => Vec::new(),
        }
    }

    /// What it is called in diagnostics.
    pub fn title(&self) -> String {
        match self {
            SourceSpec::Csv { path, .. } | SourceSpec::Npz { path, .. } => path.value.clone(),
            SourceSpec::Images(folder) => folder.path.value.clone(),
            SourceSpec::Idx(_) => String::from("idx"),
            SourceSpec::Generate { .. } => String::from("generate"),
            SourceSpec::Toy { set, .. } => set.name().to_string(),
        }
    }

    /// Whether another source gives the same rows.
    pub fn same_rows(&self, other: &SourceSpec) -> bool {
        match (self, other) {
            (SourceSpec::Csv { path, .. }, SourceSpec::Csv { path: other, .. }) => path.value == other.value,
            (SourceSpec::Images(folder), SourceSpec::Images(other)) => folder.path.value == other.path.value,
            (SourceSpec::Npz { path, columns }, SourceSpec::Npz { path: other, columns: others }) => {
                let arrays = |columns: &[(Spanned<String>, Spanned<String>)]| -> Vec<String> {
                    columns.iter().map(|(_, array)| array.value.clone()).collect()
                };
                path.value == other.value && arrays(columns) == arrays(others)
            }
            (SourceSpec::Idx(files), SourceSpec::Idx(others)) => {
                let paths = |files: &[(Spanned<String>, Spanned<String>)]| -> Vec<String> {
                    files.iter().map(|(_, path)| path.value.clone()).collect()
                };
                paths(files) == paths(others)
            }
            (one @ (SourceSpec::Generate { .. } | SourceSpec::Toy { .. }), other) => one == other,
            (SourceSpec::Csv { .. } | SourceSpec::Idx(_) | SourceSpec::Npz { .. } | SourceSpec::Images(_), _) => false,
        }
    }
}

/// The name that a file has packed with gzip, or unpacked.
pub fn packed_names(path: &str) -> Vec<String> {
    match path.strip_suffix(".gz") {
        Some(unpacked) => vec![unpacked.to_string()],
        None => vec![format!("{path}.gz")],
    }
}

/// The embedded sets and the columns they give.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ToySet {
    /// Two half circles: `x: [2]`, `label: class(2)`.
    Moons,
    /// Three clouds: `x: [2]`, `label: class(3)`.
    Blobs,
    /// Three spirals: `x: [2]`, `label: class(3)`.
    Spirals,
    /// One circle in another: `x: [2]`, `label: class(2)`.
    Circles,
    /// Rendered digits: `image: [16, 16]` in 0 … 1, `label: class(10)`.
    Digits,
    /// Pieces of noisy sine waves: `x: [32]` and the `y: [1]` that follows.
    Sines,
}

impl ToySet {
    /// Every set, in the order of the language's page.
    pub const ALL: [ToySet; 6] =
        [ToySet::Moons, ToySet::Blobs, ToySet::Spirals, ToySet::Circles, ToySet::Digits, ToySet::Sines];

    /// Its name as written.
    pub fn name(self) -> &'static str {
        match self {
            ToySet::Moons => "moons",
            ToySet::Blobs => "blobs",
            ToySet::Spirals => "spirals",
            ToySet::Circles => "circles",
            ToySet::Digits => "digits",
            ToySet::Sines => "sines",
        }
    }

    /// Its columns.
    pub fn schema(self) -> Schema {
        let number = |shape: &[usize]| ValueType { element: Element::Number, shape: shape.to_vec() };
        let class = |count| ValueType { element: Element::Class { count, names: None }, shape: Vec::new() };
        let columns = match self {
            ToySet::Moons | ToySet::Circles => [("x", number(&[2])), ("label", class(2))],
            ToySet::Blobs | ToySet::Spirals => [("x", number(&[2])), ("label", class(3))],
            ToySet::Digits => [("image", number(&[16, 16])), ("label", class(10))],
            ToySet::Sines => [("x", number(&[32])), ("y", number(&[1]))],
        };
        let column = |(name, ty): (&str, ValueType)| SchemaColumn { name: Some(name.to_string()), ty: Some(ty) };
        Schema { columns: columns.into_iter().map(column).collect(), rows: None, separated_by: None }
    }
}

/// What columns a source has, as far as is known before it is read.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// The columns in order.
    pub columns: Vec<SchemaColumn>,
    /// The number of rows where it is cheap to know.
    pub rows: Option<usize>,
    /// Of a text file with a single column: what seems to separate its values instead of the separator given.
    pub separated_by: Option<char>,
}

impl Schema {
    /// The names of those columns that have one.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter_map(|column| column.name.as_deref())
    }

    /// What it has, for a problem with its columns.
    pub fn offer<'a>(&self, source: &'a str, names: &'a [&'a str]) -> Offer<'a> {
        Offer { source, count: self.columns.len(), names, separated_by: self.separated_by }
    }
}

/// A column of a [`Schema`].
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaColumn {
    /// Its name.
    pub name: Option<String>,
    /// Its type; of a text file `None`: number or text is known when it is read.
    pub ty: Option<ValueType>,
}

/// A use of one or several columns.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnUse {
    /// Which.
    pub selector: ColumnSelector,
    /// What becomes of missing values.
    pub fill: Option<Fill>,
    /// Text removed from both ends of each value, besides blanks.
    pub strip: Option<String>,
    /// What is made of the column's values.
    pub form: ColumnForm,
    /// The type of the value: `[]` or the column's own for one column, `[n]` for a list; categories where the field asks for them.
    /// A window has its steps in front.
    pub ty: ValueType,
    /// Where it is written.
    pub span: Span,
}

impl ColumnUse {
    /// The extents of what one row of the source gives.
    pub fn row_shape(&self) -> &[usize] {
        match self.form {
            ColumnForm::Value | ColumnForm::Window { length: None, .. } => &self.ty.shape,
            ColumnForm::Window { length: Some(_), .. } => self.ty.shape.get(1..).unwrap_or_default(),
            ColumnForm::Tokens { .. } => &[],
        }
    }
}

/// What is made of a column's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnForm {
    /// The value of the row.
    Value,
    /// The rows are steps of a series, and a sample stands at one of them, the present.
    Window {
        /// So many steps one behind the other; `None` for a single one.
        length: Option<usize>,
        /// The last of them is so many steps ahead of the present.
        horizon: usize,
    },
    /// The words of a text as categories: 0 is padding, 1 an unknown word, the others by frequency among the training rows.
    Tokens {
        /// Texts are cut or padded to so many words.
        length: usize,
        /// Whether padding and cut are in front.
        front: bool,
    },
}

/// Which columns.
#[derive(Clone, PartialEq, Debug)]
pub enum ColumnSelector {
    /// By number, from 0.
    Index(usize),
    /// By name.
    Name(String),
    /// Several by number.
    Indices(Vec<usize>),
    /// Several by name.
    Names(Vec<String>),
    /// All whose names fit the pattern with `*` and `?`.
    Pattern(String),
}

impl std::fmt::Display for ColumnSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joined = |numbers: &[usize]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            ColumnSelector::Index(index) => write!(f, "{index}"),
            ColumnSelector::Name(name) | ColumnSelector::Pattern(name) => f.write_str(name),
            ColumnSelector::Indices(indices) => f.write_str(&joined(indices)),
            ColumnSelector::Names(names) => f.write_str(&names.join(",")),
        }
    }
}

/// What a schedule may look at, in the order of its graphs' inputs.
pub const SCHEDULE_SCOPE: [&str; 7] = ["epoch", "step", "progress", "epochs", "steps_per_epoch", "val_loss", "stalled"];

/// The most that the shares of a split may sum to, roundings allowed for.
pub const WHOLE: f64 = 1.0 + 1e-9;

/// Whether a name fits a pattern in which `*` stands for any text and `?` for any character.
pub fn fits_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands and how far into the name it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, reach)) = star {
            star = Some((at, reach + 1));
            p = at + 1;
            n = reach + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&letter| letter == '*')
}

/// What becomes of missing values.
#[derive(Clone, PartialEq, Debug)]
pub enum Fill {
    /// The mean of the training split.
    Mean,
    /// The median of the training split.
    Median,
    /// The most frequent value of the training split.
    MostFrequent,
    /// That number or text.
    Value(String),
    /// The row goes.
    Drop,
}

/// How classes are balanced in training; `bins` intervals of a continuous field.
#[derive(Clone, PartialEq, Debug)]
pub struct Balance {
    /// How.
    pub kind: BalanceKind,
    /// By which field.
    pub field: Spanned<String>,
    /// The number of intervals.
    pub bins: usize,
}

/// The ways of balancing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BalanceKind {
    /// Samples weigh as the inverse of their class's share, 1 on the average.
    Weights,
    /// Rows of the rarer classes are repeated.
    Oversample,
    /// Rows of the more frequent classes are left out.
    Undersample,
}

/// One model of one `train` declaration.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name, unique in the program: the alias or the model's.
    pub name: String,
    /// Index into [`Hir::models`].
    pub model: usize,
    /// Index into [`Hir::data`].
    pub data: usize,
    /// The loss of one sample, a scalar; inputs bound to model outputs and fields.
    pub loss: Body,
    /// The metrics.
    pub metrics: Vec<Metric>,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The factor on the rate: a scalar of the scope's `epoch step progress epochs steps_per_epoch val_loss stalled`, with states.
    pub schedule: Option<Body>,
    /// The penalties: each a scalar of one parameter (by index into the model's), input `w` from the scope.
    pub penalties: Vec<(usize, Body)>,
    /// The greatest global norm of the gradient.
    pub clip: Option<f64>,
    /// How many epochs.
    pub epochs: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// The seed.
    pub seed: u64,
    /// Early stopping.
    pub stop: Option<EarlyStop>,
    /// The `train` declaration.
    pub span: Span,
}

/// A metric of a run.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name in tables and files: `mae`, or `mae_2` where there are several.
    pub name: String,
    /// Its value; what stands under [`HirOp::Avg`] is per sample, the rest is computed once.
    pub body: Body,
}

/// The update rule of a run.
#[derive(Clone, Debug)]
pub struct Optimizer {
    /// As written: `adam(lr = 0.01)`.
    pub name: String,
    /// Its rate, which the schedule scales.
    pub lr: f64,
    /// The rule for one element: all values are `[]`; inputs `param grad lr step` from the scope (`step` counts from 1); states by name; the one output
    /// `param` is the new value.
    pub body: Body,
}

/// `early(patience = 5, min_delta = 0)`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EarlyStop {
    /// How many epochs without improvement of the validation loss.
    pub patience: usize,
    /// What counts as an improvement.
    pub min_delta: f64,
}

#[cfg(test)]
mod tests {
    use super::fits_pattern;

    #[test]
    fn patterns_fit_paths() {
        assert!(fits_pattern("*.b", "dense_1.b"));
        assert!(fits_pattern("*", "W"));
        assert!(fits_pattern("tower.*.W", "tower.dense_1.W"));
        assert!(fits_pattern("dense_?.W", "dense_3.W"));
        assert!(!fits_pattern("*.b", "dense_1.W"));
        assert!(!fits_pattern("dense", "dense_1"));
    }
}
