//! The loop IR as text: the memory first, then every kernel as nested loops.
//!
//! One line per instruction; a value that is used once is written where it is used. The places of a tile are written
//! with its rows `r`, columns `c` and products `q`.
//!
//! ```text
//! module Simple.eval {
//!   x: f32[64] = external 0
//!   h: f32[96] = arena 0
//! }
//! kernel k0 "dense_1 |> relu" (2 shards over s, cost 384) {
//!   for i in 0..16 {
//!     map j in 0..3 {
//!       %3 = loop k in 0..2 (%0 = 0.0) { next fma x[32*s + 2*i + k], W[3*k + j], %0 }
//!       store h[48*s + 3*i + j], max(add(%3, b[j]), 0.0)
//!     }
//!   }
//! }
//! ```

use super::{
    Affine, Block, Buffer, BufferId, Carried, Combine, Comparison, Fold, Inst, Kernel, MathOp, Module, OneOp, Order,
    Place, Reg, Rows, Sort, Stmt, Storage, Tile, TwoOp, Var,
};
use crate::graph::{DType, Unary};
use std::fmt::{self, Write};
use std::ops::Range;

/// What a failure of `verify` points at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Site<'a> {
    Module,
    Buffer(&'a Buffer),
    Kernel(&'a Kernel),
    Stmt(&'a Stmt),
    Inst(&'a Inst),
}

/// The text of a module.
pub fn print(module: &Module) -> String {
    print_marked(module, None)
}

/// The text of a module, with a remark on one of its lines.
pub(super) fn print_marked(module: &Module, mark: Option<(Site, &str)>) -> String {
    let mut text =
        Text { module, mark, out: String::new(), kernel: None, uses: Vec::new(), numbers: Vec::new(), depth: 0 };
    text.module();
    text.out
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

/// How long a value may be that is written where it is used.
const LONGEST_INSIDE: usize = 72;

/// How long a loop may be that is written in one line.
const LONGEST_LINE: usize = 104;

/// How many words of constant data are shown.
const SHOWN_WORDS: usize = 8;

struct Text<'a> {
    module: &'a Module,
    mark: Option<(Site<'a>, &'a str)>,
    out: String,
    kernel: Option<&'a Kernel>,
    /// How often each register of the kernel is used.
    uses: Vec<usize>,
    /// The numbers of the kernel so far.
    numbers: Vec<Held>,
    depth: usize,
}

/// A value that waits for its use.
#[derive(Clone)]
struct Held {
    reg: Reg,
    text: String,
    /// A number: written wherever it is used.
    constant: bool,
}

impl Held {
    /// Whether a store may change what the text means.
    fn reads(&self) -> bool {
        self.text.contains('[')
    }
}

impl<'a> Text<'a> {
    fn line(&mut self, site: Option<Site>, text: &str) {
        let _ = write!(self.out, "{:1$}{text}", "", 2 * self.depth);
        if let (Some(here), Some((marked, remark))) = (site, self.mark)
            && same(here, marked)
        {
            let _ = write!(self.out, "   <-- {remark}");
        }
        self.out.push('\n');
    }

    fn module(&mut self) {
        let module = self.module;
        self.line(Some(Site::Module), &format!("module {} {{", module.name));
        self.depth = 1;
        for buffer in &module.buffers {
            let text = format!("{}: {}[{}] = {}", buffer.name, dtype(buffer.dtype), buffer.len, storage(buffer));
            self.line(Some(Site::Buffer(buffer)), &text);
        }
        self.depth = 0;
        self.line(None, "}");
        for (number, kernel) in module.kernels.iter().enumerate() {
            let around = |at: &Range<usize>| at.contains(&number);
            for repeat in module.repeats.iter().filter(|repeat| repeat.kernels.start == number) {
                let outer = module.repeats.iter().filter(|other| around(&other.kernels) && *other != repeat);
                self.depth = outer
                    .filter(|other| other.kernels.start < number || other.kernels.end > repeat.kernels.end)
                    .count();
                self.line(None, &format!("repeat t in 0..{} {{", repeat.extent));
            }
            self.depth = module.repeats.iter().filter(|repeat| around(&repeat.kernels)).count();
            self.kernel(kernel);
            for repeat in module.repeats.iter().rev().filter(|repeat| repeat.kernels.end == number + 1) {
                let outer = module.repeats.iter().filter(|other| around(&other.kernels) && *other != repeat);
                self.depth = outer
                    .filter(|other| other.kernels.end > number + 1 || other.kernels.start < repeat.kernels.start)
                    .count();
                self.line(None, "}");
            }
            self.depth = 0;
        }
    }

    fn kernel(&mut self, kernel: &'a Kernel) {
        self.kernel = Some(kernel);
        self.uses = vec![0; kernel.regs.len()];
        count_stmts(&kernel.body, &mut |reg| {
            if let Some(uses) = self.uses.get_mut(reg.0 as usize) {
                *uses += 1;
            }
        });
        let mut head = format!("kernel {} {:?} (", kernel.name, kernel.title);
        if let Some((var, shards)) = kernel.shards {
            let _ = write!(head, "{shards} shards over {}, ", self.var(var));
        }
        let _ = write!(head, "cost {}) {{", kernel.cost);
        self.line(Some(Site::Kernel(kernel)), &head);
        self.numbers.clear();
        self.depth += 1;
        self.stmts(&kernel.body);
        self.depth -= 1;
        self.line(None, "}");
    }

    fn stmts(&mut self, stmts: &'a [Stmt]) {
        for stmt in stmts {
            let site = Some(Site::Stmt(stmt));
            let head = match stmt {
                Stmt::For { var, extent, unroll, .. } => {
                    format!("for {} in 0..{extent}{} {{", self.var(*var), if *unroll { " unrolled" } else { "" })
                }
                Stmt::Map { var, extent, .. } => format!("map {} in 0..{extent} {{", self.var(*var)),
                Stmt::Fold { var, extent, .. } => format!("fold {} in 0..{extent} {{", self.var(*var)),
                Stmt::Scalar(_) => "do {".to_owned(),
                Stmt::Tile(tile) => {
                    let text = self.tile(tile);
                    self.line(site, &text);
                    continue;
                }
                Stmt::Sort(sort) => {
                    let text = self.sort(sort);
                    self.line(site, &text);
                    continue;
                }
            };
            let before = self.out.len();
            self.line(site, &head);
            let opened = self.out.len();
            self.depth += 1;
            match stmt {
                Stmt::For { body, .. } => self.stmts(body),
                Stmt::Map { block, .. } => {
                    let mut held = self.block(block, self.numbers.clone());
                    self.release(&mut held, |_| true);
                }
                Stmt::Scalar(block) => {
                    let mut held = self.block(block, self.numbers.clone());
                    self.release(&mut held, |_| true);
                    self.numbers = held;
                }
                Stmt::Fold { block, folds, .. } => {
                    let mut held = self.block(block, self.numbers.clone());
                    for fold in folds {
                        let text = self.fold(fold, &mut held);
                        self.line(None, &text);
                    }
                    self.release(&mut held, |_| true);
                }
                Stmt::Tile(_) | Stmt::Sort(_) => {}
            }
            self.depth -= 1;
            if matches!(stmt, Stmt::Scalar(_)) && self.out.len() == opened && self.mark.is_none() {
                // Numbers alone, which stand where they are used.
                self.out.truncate(before);
            } else {
                self.line(None, "}");
            }
        }
    }

    /// Writes the instructions of a block; gives the values that were not yet used.
    fn block(&mut self, block: &'a Block, mut held: Vec<Held>) -> Vec<Held> {
        for inst in &block.insts {
            let site = Site::Inst(inst);
            let marked = matches!(self.mark, Some((mark, _)) if same(mark, site));
            let (dst, text, constant) = match inst {
                Inst::F32 { dst, value } => (*dst, format!("{value:?}"), true),
                Inst::I32 { dst, value } => (*dst, format!("{value}"), true),
                Inst::Index { dst, value } => (*dst, format!("index({})", self.affine(value)), false),
                Inst::Load { dst, place } => (*dst, self.place(place), false),
                Inst::LoadAt { dst, place, row, rows } => {
                    (*dst, self.row_place(place, &take(*row, &mut held), rows), false)
                }
                Inst::StoreAt { place, row, rows, value } => {
                    let place = self.row_place(place, &take(*row, &mut held), rows);
                    let text = format!("store {place}, {}", take(*value, &mut held));
                    self.release(&mut held, Held::reads);
                    self.line(Some(site), &text);
                    continue;
                }
                Inst::Store { place, value } => {
                    let text = format!("store {}, {}", self.place(place), take(*value, &mut held));
                    self.release(&mut held, Held::reads);
                    self.line(Some(site), &text);
                    continue;
                }
                Inst::One { dst, op, x } => (*dst, call(one_name(*op), &[*x], &mut held), false),
                Inst::Two { dst, op, a, b } => (*dst, call(two_name(*op), &[*a, *b], &mut held), false),
                Inst::Fma { dst, a, b, c } => (*dst, call("fma", &[*a, *b, *c], &mut held), false),
                Inst::Select { dst, mask, a, b } => (*dst, call("select", &[*mask, *a, *b], &mut held), false),
                Inst::Math { dst, op, operands } => (*dst, call(math_name(*op), operands, &mut held), false),
                Inst::Uniform { dst, seed, step, purpose, element } => {
                    let operands = [seed[0], seed[1], *step].map(|operand| take(operand, &mut held));
                    let text = format!("uniform({}, purpose {purpose}, {})", operands.join(", "), self.affine(element));
                    (*dst, text, false)
                }
                Inst::Loop { .. } => {
                    self.inner_loop(inst, &mut held);
                    continue;
                }
            };
            let once = self.uses.get(dst.0 as usize) == Some(&1) && text.len() <= LONGEST_INSIDE;
            if !marked && (constant || once) {
                held.push(Held { reg: dst, text, constant });
            } else {
                self.line(Some(site), &format!("%{} = {text}", dst.0));
            }
        }
        held
    }

    fn inner_loop(&mut self, inst: &'a Inst, held: &mut Vec<Held>) {
        let Inst::Loop { var, extent, unroll, carried, block } = inst else { return };
        let start =
            |value: &Carried, held: &mut Vec<Held>| format!("%{} = {}", value.current.0, take(value.start, held));
        let starts: Vec<String> = carried.iter().map(|value| start(value, held)).collect();
        self.release(held, |_| true);
        let results: Vec<String> = carried.iter().map(|value| format!("%{}", value.result.0)).collect();
        let repeat = if *unroll > 1 { format!(" by {unroll}") } else { String::new() };
        let equals = if results.is_empty() { "" } else { " = " };
        let head = format!(
            "{}{equals}loop {} in 0..{extent}{repeat} ({}) {{",
            results.join(", "),
            self.var(*var),
            starts.join(", ")
        );
        let before = self.out.len();
        self.depth += 1;
        let mut inside = self.block(block, held.clone());
        let next: Vec<String> = carried.iter().map(|value| take(value.next, &mut inside)).collect();
        let next = format!("next {}", next.join(", "));
        self.release(&mut inside, |_| true);
        self.depth -= 1;
        let body = self.out.split_off(before);
        if body.is_empty() && head.len() + next.len() <= LONGEST_LINE {
            self.line(Some(Site::Inst(inst)), &format!("{head} {next} }}"));
            return;
        }
        self.line(Some(Site::Inst(inst)), &head);
        self.out.push_str(&body);
        self.depth += 1;
        self.line(None, &next);
        self.depth -= 1;
        self.line(None, "}");
    }

    /// Gives values that wait a line of their own; numbers keep waiting.
    fn release(&mut self, held: &mut Vec<Held>, which: impl Fn(&Held) -> bool) {
        let released: Vec<Held> = held.extract_if(.., |held| !held.constant && which(held)).collect();
        for Held { reg, text, .. } in released {
            self.line(None, &format!("%{} = {text}", reg.0));
        }
    }

    fn row_place(&self, place: &Place, row: &str, rows: &Rows) -> String {
        format!("{} in row {row} of {} by {}", self.place(place), rows.count, rows.stride)
    }

    fn fold(&self, fold: &Fold, waiting: &mut Vec<Held>) -> String {
        let name = match fold.combine {
            Combine::Add => "add",
            Combine::Mul => "mul",
            Combine::Max => "max",
            Combine::Min => "min",
            Combine::Fma(_) => "fma",
            Combine::ArgMax => "argmax",
            Combine::ArgMin => "argmin",
        };
        let order = match fold.order {
            Order::Sequence => "in sequence",
            Order::Interleaved => "interleaved",
        };
        let mut values = take(fold.value, waiting);
        if let Combine::Fma(second) = fold.combine {
            let _ = write!(values, ", {}", take(second, waiting));
        }
        format!("%{} = {name} {order} of {values}", fold.result.0)
    }

    fn tile(&self, tile: &Tile) -> String {
        let place = |place: &Place, strides: &[(&str, usize)]| {
            let mut parts: Vec<String> = strides
                .iter()
                .map(|(name, stride)| if *stride == 1 { (*name).to_owned() } else { format!("{stride}*{name}") })
                .collect();
            let base = self.affine(&place.index);
            if base != "0" {
                parts.insert(0, base);
            }
            format!("{}[{}]", self.buffer(place.buffer), parts.join(" + "))
        };
        let c = place(&tile.c, &[("r", tile.c_stride), ("c", 1)]);
        let a = place(&tile.a, &[("r", tile.a_strides.0), ("q", tile.a_strides.1)]);
        let b = place(&tile.b, &[("q", tile.b_stride), ("c", 1)]);
        let sign = if tile.accumulate { "+=" } else { "=" };
        format!("tile {}x{}: {c} {sign} sum q in 0..{} of {a} * {b}", tile.rows, tile.cols, tile.depth)
    }

    fn var(&self, var: Var) -> String {
        let name = self.kernel.and_then(|kernel| kernel.vars.get(var.0 as usize));
        name.cloned().unwrap_or_else(|| format!("var{}", var.0))
    }

    fn buffer(&self, buffer: BufferId) -> String {
        let buffer_here = self.module.buffers.get(buffer.0 as usize);
        buffer_here.map_or_else(|| format!("buffer{}", buffer.0), |buffer| buffer.name.clone())
    }

    fn sort(&self, sort: &Sort) -> String {
        let Sort { extent, keys, work, order, stride } = sort;
        let [keys, work, order] = [keys, work, order].map(|place| self.place(place));
        let apart = if *stride == 1 { String::new() } else { format!(", {stride} apart") };
        format!("sort {extent} keys from {keys} into {order}{apart} by way of {work}")
    }

    fn place(&self, place: &Place) -> String {
        format!("{}[{}]", self.buffer(place.buffer), self.affine(&place.index))
    }

    fn affine(&self, index: &Affine) -> String {
        let mut text = String::new();
        let terms = index.terms.iter().map(|&(var, stride)| (stride, Some(var)));
        for (stride, var) in terms.chain((index.offset != 0 || index.terms.is_empty()).then_some((index.offset, None)))
        {
            let sign = match (text.is_empty(), stride < 0) {
                (true, false) => "",
                (true, true) => "-",
                (false, false) => " + ",
                (false, true) => " - ",
            };
            let size = stride.unsigned_abs();
            let _ = match var {
                None => write!(text, "{sign}{size}"),
                Some(var) if size == 1 => write!(text, "{sign}{}", self.var(var)),
                Some(var) => write!(text, "{sign}{size}*{}", self.var(var)),
            };
        }
        text
    }
}

/// A register, or what it holds where that waits for its use.
fn take(reg: Reg, held: &mut Vec<Held>) -> String {
    match held.iter().rposition(|held| held.reg == reg) {
        None => format!("%{}", reg.0),
        Some(at) if held[at].constant => held[at].text.clone(),
        Some(at) => held.remove(at).text,
    }
}

fn call(name: &str, operands: &[Reg], held: &mut Vec<Held>) -> String {
    let operands: Vec<String> = operands.iter().map(|operand| take(*operand, held)).collect();
    format!("{name}({})", operands.join(", "))
}

fn same(a: Site, b: Site) -> bool {
    match (a, b) {
        (Site::Module, Site::Module) => true,
        (Site::Buffer(a), Site::Buffer(b)) => std::ptr::eq(a, b),
        (Site::Kernel(a), Site::Kernel(b)) => std::ptr::eq(a, b),
        (Site::Stmt(a), Site::Stmt(b)) => std::ptr::eq(a, b),
        (Site::Inst(a), Site::Inst(b)) => std::ptr::eq(a, b),
        _ => false,
    }
}

/// Calls `count` with every use of a register.
fn count_stmts(stmts: &[Stmt], count: &mut dyn FnMut(Reg)) {
    for stmt in stmts {
        match stmt {
            Stmt::For { body, .. } => count_stmts(body, count),
            Stmt::Map { block, .. } | Stmt::Scalar(block) => count_block(block, count),
            Stmt::Fold { block, folds, .. } => {
                count_block(block, count);
                for fold in folds {
                    count(fold.value);
                    if let Combine::Fma(second) = fold.combine {
                        count(second);
                    }
                }
            }
            Stmt::Tile(_) | Stmt::Sort(_) => {}
        }
    }
}

fn count_block(block: &Block, count: &mut dyn FnMut(Reg)) {
    block.insts.iter().for_each(|inst| inst.for_each_operand(count));
}

fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::I32 => "i32",
        DType::Bool => "bool",
    }
}

fn storage(buffer: &Buffer) -> String {
    match &buffer.storage {
        Storage::External(number) => format!("external {number}"),
        Storage::Arena(from) => format!("arena {from}"),
        Storage::Scratch(from) => format!("scratch {from}"),
        Storage::Constant(words) => {
            let shown = words.iter().take(SHOWN_WORDS).map(|&word| match buffer.dtype {
                DType::F32 => format!("{:?}", f32::from_bits(word)),
                DType::I32 => format!("{}", word as i32),
                DType::Bool => format!("{}", word != 0),
            });
            let more = if words.len() > SHOWN_WORDS { ", …" } else { "" };
            format!("constant {}{more}", shown.collect::<Vec<_>>().join(", "))
        }
    }
}

fn one_name(op: OneOp) -> &'static str {
    match op {
        OneOp::Neg => "neg",
        OneOp::NegI => "neg.i",
        OneOp::Abs => "abs",
        OneOp::Floor => "floor",
        OneOp::Ceil => "ceil",
        OneOp::Round => "round",
        OneOp::Sqrt => "sqrt",
        OneOp::ToI32 => "to_i32",
        OneOp::ToF32 => "to_f32",
        OneOp::MaskToI32 => "mask_to_i32",
        OneOp::I32ToMask => "i32_to_mask",
        OneOp::BitsOf => "bits_of",
        OneOp::FromBits => "from_bits",
        OneOp::Not => "not",
    }
}

fn two_name(op: TwoOp) -> &'static str {
    match op {
        TwoOp::Add => "add",
        TwoOp::Sub => "sub",
        TwoOp::Mul => "mul",
        TwoOp::Div => "div",
        TwoOp::Max => "max",
        TwoOp::Min => "min",
        TwoOp::AddI => "add.i",
        TwoOp::SubI => "sub.i",
        TwoOp::MulI => "mul.i",
        TwoOp::MaxI => "max.i",
        TwoOp::MinI => "min.i",
        TwoOp::AndI => "and.i",
        TwoOp::OrI => "or.i",
        TwoOp::XorI => "xor.i",
        TwoOp::Shl => "shl",
        TwoOp::ShrU => "shr.u",
        TwoOp::ShrS => "shr.s",
        TwoOp::Compare(Comparison::Eq) => "eq",
        TwoOp::Compare(Comparison::Ne) => "ne",
        TwoOp::Compare(Comparison::Lt) => "lt",
        TwoOp::Compare(Comparison::Le) => "le",
        TwoOp::Compare(Comparison::Gt) => "gt",
        TwoOp::Compare(Comparison::Ge) => "ge",
        TwoOp::And => "and",
        TwoOp::Or => "or",
    }
}

fn math_name(op: MathOp) -> &'static str {
    match op {
        MathOp::Unary(Unary::Neg) => "neg",
        MathOp::Unary(Unary::Abs) => "abs",
        MathOp::Unary(Unary::Sign) => "sign",
        MathOp::Unary(Unary::Floor) => "floor",
        MathOp::Unary(Unary::Ceil) => "ceil",
        MathOp::Unary(Unary::Round) => "round",
        MathOp::Unary(Unary::Sqrt) => "sqrt",
        MathOp::Unary(Unary::Exp) => "exp",
        MathOp::Unary(Unary::Log) => "log",
        MathOp::Unary(Unary::Log1p) => "log1p",
        MathOp::Unary(Unary::Sin) => "sin",
        MathOp::Unary(Unary::Cos) => "cos",
        MathOp::Unary(Unary::Tanh) => "tanh",
        MathOp::Unary(Unary::Erf) => "erf",
        MathOp::Unary(Unary::Sigmoid) => "sigmoid",
        MathOp::Unary(Unary::Softplus) => "softplus",
        MathOp::Unary(Unary::Not) => "not",
        MathOp::Pow => "pow",
    }
}
