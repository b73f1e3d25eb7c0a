//! The loop IR: what is computed where, in which order, on which memory.
//!
//! In: the fused groups and buffers of `plan`. Out: a [`Module`] of [`Kernel`]s whose every extent, stride and offset is a
//! number. Loops arrive here in their final form: a backend translates them one to one and decides nothing that could
//! change a bit. The innermost part of a kernel is a [`Block`] of straight-line code over lanes, run by [`Stmt::Map`]
//! (elementwise), [`Stmt::Fold`] (reduction) or [`Stmt::Scalar`]; products run on [`Stmt::Tile`].
//!
//! ```text
//! kernel k0 "dense_1 |> relu" (cost 384) {
//!   for i in 0..32 {
//!     map j in 0..3 {
//!       %6 = loop k in 0..2 (%1 = 0.0) { next fma(p[2*i + k], W[3*k + j], %1) }
//!       store y[3*i + j], max(add(%6, b[j]), 0.0)
//!     }
//!   }
//! }
//! ```

mod boxes;
mod contract;
mod emit;
mod indexing;
mod loops;
mod lower;
mod panels;
pub mod print;
mod product;
mod reduce;
mod shards;
mod sort;
pub mod verify;

pub use lower::lower;

use crate::graph::{DType, Unary};
use std::ops::Range;

/// A program of kernels that run one after the other.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its name, from the graph.
    pub name: String,
    /// All memory the kernels touch.
    pub buffers: Vec<Buffer>,
    /// The kernels in order.
    pub kernels: Vec<Kernel>,
    /// Runs of kernels that are repeated; of two that overlap one lies in the other, the outer one first.
    pub repeats: Vec<Repeat>,
    /// How many external buffers a call is given: the graph's inputs, then those of its outputs that update no input.
    pub externals: usize,
    /// The size of the arena, in elements of four bytes.
    pub arena: usize,
    /// The size of the scratch memory each thread has of its own, in elements.
    pub scratch: usize,
}

/// Kernels that run several times, one after the other, all with the same value of a counter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeat {
    /// Which, by their places in [`Module::kernels`].
    pub kernels: Range<usize>,
    /// How often; the counter runs from 0.
    pub extent: usize,
}

/// A buffer of a [`Module`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BufferId(pub u32);

/// A piece of memory.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The name dumps show.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub len: usize,
    /// Where it lies.
    pub storage: Storage,
}

/// Where a [`Buffer`] lies. Every buffer begins at a multiple of 64 bytes.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Handed over at the call, under that number.
    External(usize),
    /// In the arena, from that element on.
    Arena(usize),
    /// In the running thread's own scratch memory, from that element on; nothing survives a shard.
    Scratch(usize),
    /// Constant data, as stored bits.
    Constant(Vec<u32>),
}

/// A loop variable; each is bound once in a kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Var(pub u32);

/// A register: a value of one lane (defined in a [`Stmt::Scalar`], or a result of a [`Stmt::Fold`]) or of as many as its [`Stmt::Map`] or
/// [`Stmt::Fold`] has. Registers are assigned once and visible in what follows and is nested; a one-lane register used among
/// lanes is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Reg(pub u32);

/// The type of a lane of a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Lane {
    /// A binary32.
    F32,
    /// A 32-bit integer.
    I32,
    /// A truth value of a comparison; loaded and stored as the integers 0 and 1.
    Mask,
}

/// One piece of work that is either run whole or cut into shards.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// `k0`.
    pub name: String,
    /// What it computes, in the user's words: `dense_1 |> relu`.
    pub title: String,
    /// The type of each register.
    pub regs: Vec<Lane>,
    /// The names of the loop variables, for dumps.
    pub vars: Vec<String>,
    /// The variable over the shards and their number: the body is run once for each value, in any order and on any thread; shards write
    /// disjoint memory. The number follows from shapes alone. `None`: run once.
    pub shards: Option<(Var, usize)>,
    /// The variable that is the counter of the innermost [`Repeat`] around the kernel, and the place of that in
    /// [`Module::repeats`].
    pub step: Option<(Var, usize)>,
    /// An estimate of the work in floating-point operations, for the choice to run shards in parallel.
    pub cost: u64,
    /// The work.
    pub body: Vec<Stmt>,
}

/// `offset + Σ stride · var`, in elements.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Affine {
    /// Each variable once, with a stride that is not 0.
    pub terms: Vec<(Var, i64)>,
    /// The constant part.
    pub offset: i64,
}

/// An element of a buffer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The buffer.
    pub buffer: BufferId,
    /// Which element.
    pub index: Affine,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// `body` for each value of `var` in `0..extent`, in order.
    For {
        /// The variable.
        var: Var,
        /// How often.
        extent: usize,
        /// Whether the backend writes the copies out one after the other (small extents only).
        unroll: bool,
        /// What is repeated.
        body: Vec<Stmt>,
    },
    /// `block` for each value of `var` in `0..extent`; lanes are consecutive values. Each value's results depend on nothing another
    /// value stores, so a backend may take any number at once. Places with stride 1 in `var` are vector accesses, with stride 0 one
    /// element for all (loads only), others element by element.
    Map {
        /// The lane variable.
        var: Var,
        /// How many values.
        extent: usize,
        /// The work of one value.
        block: Block,
    },
    /// As `Map`, and combines values of the lanes. The results are one-lane registers for what follows.
    Fold {
        /// The lane variable.
        var: Var,
        /// How many values.
        extent: usize,
        /// The work of one value.
        block: Block,
        /// What is combined.
        folds: Vec<Fold>,
    },
    /// `block` once, with one lane.
    Scalar(Block),
    /// A tile of a product.
    Tile(Tile),
    /// The order of some keys.
    Sort(Sort),
}

/// The order a [`Fold`] combines in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// One value after the other.
    Sequence,
    /// Value i goes to partial result i mod 16, all from `start`; then pairwise p\[i\] with p\[i + 8\], + 4, + 2, + 1.
    Interleaved,
}

/// How a [`Fold`] combines; accumulator on the left, with the meaning of the graph operation of the same name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Combine {
    /// `acc + value`, from 0 (f32 or i32).
    Add,
    /// `acc * value`, from 1 (f32 or i32).
    Mul,
    /// `if acc > value then acc else value`, from −∞ (i32: the least).
    Max,
    /// `if acc < value then acc else value`, from +∞ (i32: the greatest).
    Min,
    /// `fma(value, second, acc)`, from 0; f32. The pairwise step is an addition.
    Fma(Reg),
    /// The i32 index (value of the lane variable) of the first largest value; f32 or i32 values, always in [`Order::Sequence`].
    ArgMax,
    /// The i32 index of the first smallest value.
    ArgMin,
}

/// One reduction of a [`Stmt::Fold`].
#[derive(Clone, Debug)]
pub struct Fold {
    /// How.
    pub combine: Combine,
    /// In which order.
    pub order: Order,
    /// The lanes' values, defined in the block.
    pub value: Reg,
    /// Receives the result, one lane.
    pub result: Reg,
}

/// `c[r, j] = Σ_k a[r, k] · b[k, j]` for `rows` rows and `cols` columns, each sum from 0 in sequence by fma; with `accumulate`,
/// `c[r, j] = c[r, j] + Σ`.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Rows, at most [`TileShape::rows`].
    pub rows: usize,
    /// Columns: a multiple of 4, at most [`TileShape::cols`]; all of them are read and written.
    pub cols: usize,
    /// The number of products in each sum.
    pub depth: usize,
    /// a\[0, 0\].
    pub a: Place,
    /// From a\[r, k\] to a\[r + 1, k\] and to a\[r, k + 1\].
    pub a_strides: (usize, usize),
    /// b\[0, 0\]; columns are adjacent.
    pub b: Place,
    /// From b\[k, j\] to b\[k + 1, j\].
    pub b_stride: usize,
    /// c\[0, 0\]; columns are adjacent.
    pub c: Place,
    /// From c\[r, j\] to c\[r + 1, j\].
    pub c_stride: usize,
    /// Whether the sums are added to what is there.
    pub accumulate: bool,
}

/// `order[i · stride]`: the index of the i-th least of `extent` keys, the first of equal ones first.
#[derive(Clone, Debug)]
pub struct Sort {
    /// How many keys, at least one.
    pub extent: usize,
    /// The first key: i32, the others behind it.
    pub keys: Place,
    /// Memory to work in, [`Sort::work`] elements from here on.
    pub work: Place,
    /// Where the first index goes: i32.
    pub order: Place,
    /// From one index to the next.
    pub stride: usize,
}

impl Sort {
    /// How many elements of memory the order of so many keys is worked out in: two copies of a key and an index for each, and
    /// one more, which is read and not used.
    pub fn work(extent: usize) -> usize {
        4 * extent + 2
    }
}

/// The largest tile a backend keeps in registers. The choice changes no bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TileShape {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl TileShape {
    /// Twelve accumulators of four lanes.
    pub const F32X4: TileShape = TileShape { rows: 6, cols: 8 };
}

/// Straight-line code over lanes.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The instructions in order.
    pub insts: Vec<Inst>,
}

/// An instruction of a [`Block`]; `dst` is assigned here and nowhere else.
#[derive(Clone, Debug)]
pub enum Inst {
    /// A number in every lane.
    F32 {
        /// Receives it.
        dst: Reg,
        /// The number.
        value: f32,
    },
    /// A whole number in every lane.
    I32 {
        /// Receives it.
        dst: Reg,
        /// The number.
        value: i32,
    },
    /// The value of an affine expression, as i32.
    Index {
        /// Receives it.
        dst: Reg,
        /// The expression.
        value: Affine,
    },
    /// Reads; the register's type fits the buffer's.
    Load {
        /// Receives it.
        dst: Reg,
        /// From where.
        place: Place,
    },
    /// Reads in the row that a register names: `place` moved on by `stride · row`. A row below 0 counts as 0, one beyond the last as
    /// the last.
    LoadAt {
        /// Receives it.
        dst: Reg,
        /// Where row 0 has it.
        place: Place,
        /// The row: i32.
        row: Reg,
        /// The rows.
        rows: Rows,
    },
    /// Writes in the row that a register names, the same for all lanes; rows as for [`Inst::LoadAt`].
    StoreAt {
        /// To where in row 0.
        place: Place,
        /// The row: i32.
        row: Reg,
        /// The rows.
        rows: Rows,
        /// What.
        value: Reg,
    },
    /// Writes.
    Store {
        /// To where.
        place: Place,
        /// What.
        value: Reg,
    },
    /// A vector operation of one operand.
    One {
        /// Receives the result.
        dst: Reg,
        /// The operation.
        op: OneOp,
        /// The operand.
        x: Reg,
    },
    /// A vector operation of two operands.
    Two {
        /// Receives the result.
        dst: Reg,
        /// The operation.
        op: TwoOp,
        /// The left operand.
        a: Reg,
        /// The right operand.
        b: Reg,
    },
    /// `a * b + c` with one rounding.
    Fma {
        /// Receives the result.
        dst: Reg,
        /// A factor.
        a: Reg,
        /// A factor.
        b: Reg,
        /// The addend.
        c: Reg,
    },
    /// `if mask then a else b`, by lane.
    Select {
        /// Receives the result.
        dst: Reg,
        /// The mask.
        mask: Reg,
        /// Where it holds.
        a: Reg,
        /// Where not.
        b: Reg,
    },
    /// A function of `numerics`; `jit/math.rs` expands it into the other instructions before a backend sees it.
    Math {
        /// Receives the result.
        dst: Reg,
        /// The function.
        op: MathOp,
        /// The operands: one, two for [`MathOp::Pow`].
        operands: Vec<Reg>,
    },
    /// Uniform f32 in \[0, 1): element `element` of the graph's [`crate::graph::Op::Uniform`].
    Uniform {
        /// Receives it.
        dst: Reg,
        /// The two words of the seed: i32.
        seed: [Reg; 2],
        /// The step: i32.
        step: Reg,
        /// The purpose.
        purpose: u32,
        /// The row-major index of the element.
        element: Affine,
    },
    /// Repeats `block` for each value of `var` in `0..extent`, in order, with values carried from one to the next.
    Loop {
        /// The variable, one value for all lanes.
        var: Var,
        /// How often.
        extent: usize,
        /// How many rounds the backend writes out behind each other; 1 for none.
        unroll: usize,
        /// The carried values.
        carried: Vec<Carried>,
        /// The work of one round.
        block: Block,
    },
}

/// Rows of a table in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rows {
    /// How many, at least one.
    pub count: usize,
    /// How far apart.
    pub stride: usize,
}

impl Inst {
    /// Calls `visit` with every register that is used, in a loop's block too.
    pub fn for_each_operand(&self, visit: &mut dyn FnMut(Reg)) {
        match self {
            Inst::F32 { .. } | Inst::I32 { .. } | Inst::Index { .. } | Inst::Load { .. } => {}
            Inst::LoadAt { row, .. } => visit(*row),
            Inst::StoreAt { row, value, .. } => [*row, *value].into_iter().for_each(visit),
            Inst::Store { value, .. } => visit(*value),
            Inst::One { x, .. } => visit(*x),
            Inst::Two { a, b, .. } => [*a, *b].into_iter().for_each(visit),
            Inst::Fma { a, b, c, .. } => [*a, *b, *c].into_iter().for_each(visit),
            Inst::Select { mask, a, b, .. } => [*mask, *a, *b].into_iter().for_each(visit),
            Inst::Math { operands, .. } => operands.iter().copied().for_each(visit),
            Inst::Uniform { seed: [first, second], step, .. } => [*first, *second, *step].into_iter().for_each(visit),
            Inst::Loop { carried, block, .. } => {
                carried.iter().flat_map(|value| [value.start, value.next]).for_each(&mut *visit);
                block.insts.iter().for_each(|inst| inst.for_each_operand(visit));
            }
        }
    }

    /// Calls `visit` with every place that is read or written, in a loop's block too.
    pub fn for_each_place(&self, visit: &mut dyn FnMut(&Place)) {
        match self {
            Inst::Load { place, .. }
            | Inst::Store { place, .. }
            | Inst::LoadAt { place, .. }
            | Inst::StoreAt { place, .. } => visit(place),
            Inst::Loop { block, .. } => block.insts.iter().for_each(|inst| inst.for_each_place(visit)),
            Inst::F32 { .. }
            | Inst::I32 { .. }
            | Inst::Index { .. }
            | Inst::One { .. }
            | Inst::Two { .. }
            | Inst::Fma { .. }
            | Inst::Select { .. }
            | Inst::Math { .. }
            | Inst::Uniform { .. } => {}
        }
    }
}

/// A value carried through an [`Inst::Loop`].
#[derive(Clone, Debug)]
pub struct Carried {
    /// Its start, defined before the loop.
    pub start: Reg,
    /// Its name inside.
    pub current: Reg,
    /// Its value at the end of a round, defined inside (or `current`).
    pub next: Reg,
    /// Its name behind the loop.
    pub result: Reg,
}

/// Operations of one operand that a machine has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OneOp {
    /// `-x`, f32: the sign bit flips.
    Neg,
    /// `-x`, i32, wrapping.
    NegI,
    /// `|x|`, f32.
    Abs,
    /// Largest whole number not above, f32.
    Floor,
    /// Smallest whole number not below, f32.
    Ceil,
    /// Nearest whole number, ties to even, f32.
    Round,
    /// Square root, f32.
    Sqrt,
    /// f32 to i32, towards zero, saturating, NaN to 0.
    ToI32,
    /// i32 to f32, to nearest even.
    ToF32,
    /// mask to i32: 0 or 1.
    MaskToI32,
    /// i32 to mask: `!= 0`.
    I32ToMask,
    /// The bits of an f32 as i32.
    BitsOf,
    /// The f32 of these bits.
    FromBits,
    /// Of a mask.
    Not,
}

/// Operations of two operands that a machine has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TwoOp {
    /// f32 `a + b`.
    Add,
    /// f32 `a - b`.
    Sub,
    /// f32 `a * b`.
    Mul,
    /// f32 `a / b`.
    Div,
    /// f32 `if a > b then a else b`.
    Max,
    /// f32 `if a < b then a else b`.
    Min,
    /// i32, wrapping.
    AddI,
    /// i32, wrapping.
    SubI,
    /// i32, wrapping.
    MulI,
    /// i32.
    MaxI,
    /// i32.
    MinI,
    /// i32, bit by bit.
    AndI,
    /// i32, bit by bit.
    OrI,
    /// i32, bit by bit.
    XorI,
    /// i32 `a << b`; `b` is the same in every lane, 0..32.
    Shl,
    /// i32 `a >> b`, zeros come in; `b` as for `Shl`.
    ShrU,
    /// i32 `a >> b`, the sign comes in; `b` as for `Shl`.
    ShrS,
    /// Comparison of f32 or i32 (as the operands are), gives a mask; of masks, `Eq` and `Ne` only.
    Compare(Comparison),
    /// Of masks.
    And,
    /// Of masks.
    Or,
}

/// The comparisons; all but `Ne` are false with a NaN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "each is its operator")]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// The functions of `numerics` that a machine has not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MathOp {
    /// `exp log log1p sin cos tanh erf sigmoid softplus sign`: those of [`Unary`] without a [`OneOp`] of their own.
    Unary(Unary),
    /// `a ^ b`.
    Pow,
}
