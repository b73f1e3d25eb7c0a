//! The invariants of the loop IR, checked before machine code is made of it: that the code is memory-safe stands on them.
//!
//! Registers are assigned once, before their uses, with the type their instruction gives; variables are bound where they
//! are used; every place lies in its buffer for all values of its variables; buffers lie in their storage and begin at
//! multiples of 64 bytes; what is read of a thread's scratch memory was written by the same kernel. That shards write disjoint memory is the plan's to know.

use super::print::{Site, print_marked};
use super::{
    Affine, Block, Buffer, Combine, Comparison, Fold, Inst, Kernel, Lane, MathOp, Module, OneOp, Order, Place, Reg,
    Repeat, Rows, Sort, Stmt, Storage, Tile, TileShape, TwoOp, Var,
};
use crate::graph::DType;
use std::ops::Range;

/// How many elements 64 bytes hold.
const LINE: usize = 16;

/// Panics with the pass's name and the module printed, the offending line marked, where [`verify`] finds a fault.
pub fn check(module: &Module, pass: &str) {
    if let Err(Fault { site, message }) = find(module) {
        panic!("after {pass}: {message}\n{}", print_marked(module, Some((site, &message))));
    }
}

/// The first fault of a module, in words.
pub fn verify(module: &Module) -> Result<(), String> {
    find(module).map_err(|fault| fault.message)
}

struct Fault<'a> {
    site: Site<'a>,
    message: String,
}

type Found<'a> = Result<(), Fault<'a>>;

fn find(module: &Module) -> Found<'_> {
    let mut externals = vec![false; module.externals];
    for buffer in &module.buffers {
        storage(module, buffer, &mut externals).map_err(|message| Fault { site: Site::Buffer(buffer), message })?;
    }
    for (number, repeat) in module.repeats.iter().enumerate() {
        let Range { start, end } = repeat.kernels.clone();
        let apart = |other: &Repeat| end <= other.kernels.start || other.kernels.end <= start;
        let inside = |other: &Repeat| other.kernels.start <= start && end <= other.kernels.end;
        let nested = module.repeats[..number].iter().all(|other| apart(other) || inside(other));
        if start >= end || end > module.kernels.len() || repeat.extent == 0 || !nested {
            return Err(Fault { site: Site::Module, message: format!("kernels {start}..{end} cannot be repeated") });
        }
    }
    for (number, kernel) in module.kernels.iter().enumerate() {
        if module.kernels[..number].iter().any(|other| other.name == kernel.name) {
            return Err(Fault { site: Site::Kernel(kernel), message: format!("{} is there twice", kernel.name) });
        }
        let mut checker = Checker {
            module,
            kernel,
            vars: vec![Bound::Never; kernel.vars.len()],
            defined: vec![Defined::Never; kernel.regs.len()],
            live: true,
            written: vec![false; module.buffers.len()],
        };
        if let Some((var, repeat)) = kernel.step {
            let around = module.repeats.get(repeat).filter(|repeat| repeat.kernels.contains(&number));
            let extent = around.ok_or("a step of a repetition that the kernel is not in").map(|repeat| repeat.extent);
            let bound = extent.map_err(str::to_owned).and_then(|extent| checker.bind(var, extent));
            bound.map_err(|message| Fault { site: Site::Kernel(kernel), message })?;
        }
        if let Some((var, shards)) = kernel.shards {
            checker.bind(var, shards).map_err(|message| Fault { site: Site::Kernel(kernel), message })?;
        }
        checker.stmts(&kernel.body)?;
    }
    Ok(())
}

fn storage(module: &Module, buffer: &Buffer, externals: &mut [bool]) -> Result<(), String> {
    let inside = |from: usize, size: usize, what: &str| {
        require(from.is_multiple_of(LINE), || {
            format!("begins at element {from} of the {what}, no multiple of {LINE}")
        })?;
        let end = from.checked_add(buffer.len);
        require(end.is_some_and(|end| end <= size), || format!("does not lie in the {what} of {size} elements"))
    };
    match &buffer.storage {
        Storage::External(number) => {
            let seen = externals.get_mut(*number);
            let seen = seen.ok_or_else(|| format!("external {number} is not there"))?;
            require(!std::mem::replace(seen, true), || format!("external {number} for the second time"))
        }
        Storage::Arena(from) => inside(*from, module.arena, "arena"),
        Storage::Scratch(from) => inside(*from, module.scratch, "scratch"),
        Storage::Constant(words) => require(words.len() == buffer.len, || format!("has {} words of data", words.len())),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Never,
    /// In scope, with that extent.
    Now(usize),
    Before,
}

#[derive(Clone, Copy, PartialEq)]
enum Defined {
    Never,
    /// In scope; whether its lanes may differ.
    Now(bool),
    Before,
}

struct Checker<'a> {
    module: &'a Module,
    kernel: &'a Kernel,
    vars: Vec<Bound>,
    defined: Vec<Defined>,
    /// Whether the code is run at all: no extent around it is 0.
    live: bool,
    /// The buffers that the kernel has written to. Scratch memory belongs to a thread, so that no kernel finds in it what another left.
    written: Vec<bool>,
}

impl<'a> Checker<'a> {
    fn stmts(&mut self, stmts: &'a [Stmt]) -> Found<'a> {
        let outside = self.defined.clone();
        for stmt in stmts {
            let at = |message| Fault { site: Site::Stmt(stmt), message };
            match stmt {
                Stmt::For { var, extent, body, .. } => {
                    let live = self.enter(*var, *extent).map_err(at)?;
                    self.stmts(body)?;
                    self.leave(*var, live);
                }
                Stmt::Map { var, extent, block } => {
                    let before = self.defined.clone();
                    let live = self.enter(*var, *extent).map_err(at)?;
                    self.block(block, Some((*var, *extent)))?;
                    self.leave(*var, live);
                    self.close(&before);
                }
                Stmt::Fold { var, extent, block, folds } => {
                    let before = self.defined.clone();
                    let live = self.enter(*var, *extent).map_err(at)?;
                    self.block(block, Some((*var, *extent)))?;
                    for fold in folds {
                        self.fold(fold).map_err(at)?;
                    }
                    self.leave(*var, live);
                    self.close(&before);
                    for fold in folds {
                        self.define(fold.result, fold_type(fold, self.lane(fold.value).map_err(at)?), false)
                            .map_err(at)?;
                    }
                }
                Stmt::Scalar(block) => self.block(block, None)?,
                Stmt::Tile(tile) => self.tile(tile).map_err(at)?,
                Stmt::Sort(sort) => self.sort(sort).map_err(at)?,
            }
        }
        self.close(&outside);
        Ok(())
    }

    /// Ends the scope of the registers defined since then.
    fn close(&mut self, before: &[Defined]) {
        for (now, before) in self.defined.iter_mut().zip(before) {
            if matches!(now, Defined::Now(_)) && !matches!(before, Defined::Now(_)) {
                *now = Defined::Before;
            }
        }
    }

    fn bind(&mut self, var: Var, extent: usize) -> Result<(), String> {
        let bound = self.vars.get_mut(var.0 as usize).ok_or_else(|| format!("{var:?} has no name"))?;
        require(*bound == Bound::Never, || format!("{var:?} is bound for the second time"))?;
        *bound = Bound::Now(extent);
        Ok(())
    }

    /// Binds a variable; gives whether the code around is run.
    fn enter(&mut self, var: Var, extent: usize) -> Result<bool, String> {
        self.bind(var, extent)?;
        let live = self.live;
        self.live &= extent > 0;
        Ok(live)
    }

    fn leave(&mut self, var: Var, live: bool) {
        self.vars[var.0 as usize] = Bound::Before;
        self.live = live;
    }

    fn lane(&self, reg: Reg) -> Result<Lane, String> {
        self.kernel.regs.get(reg.0 as usize).copied().ok_or_else(|| format!("%{} has no type", reg.0))
    }

    fn define(&mut self, reg: Reg, lane: Lane, varies: bool) -> Result<(), String> {
        let declared = self.lane(reg)?;
        require(declared == lane, || format!("%{} is {declared:?}, its value {lane:?}", reg.0))?;
        let defined = &mut self.defined[reg.0 as usize];
        require(*defined == Defined::Never, || format!("%{} is assigned for the second time", reg.0))?;
        *defined = Defined::Now(varies);
        Ok(())
    }

    /// The type of a register that is used here and whether its lanes may differ.
    fn used(&self, reg: Reg) -> Result<(Lane, bool), String> {
        let lane = self.lane(reg)?;
        match self.defined[reg.0 as usize] {
            Defined::Now(varies) => Ok((lane, varies)),
            Defined::Never => Err(format!("%{} is used before its assignment", reg.0)),
            Defined::Before => Err(format!("%{} is used outside of its scope", reg.0)),
        }
    }

    /// Whether the lanes of a register of that type may differ.
    fn expect(&self, reg: Reg, lane: Lane) -> Result<bool, String> {
        let (found, varies) = self.used(reg)?;
        require(found == lane, || format!("%{} is {found:?} where {lane:?} is due", reg.0))?;
        Ok(varies)
    }

    fn uniform(&self, reg: Reg, lane: Lane) -> Result<(), String> {
        let varies = self.expect(reg, lane)?;
        require(!varies, || format!("%{} must be the same in all lanes", reg.0))
    }

    fn block(&mut self, block: &'a Block, lanes: Option<(Var, usize)>) -> Found<'a> {
        for inst in &block.insts {
            let at = |message| Fault { site: Site::Inst(inst), message };
            if let Inst::Loop { var, extent, carried, block, .. } = inst {
                for value in carried {
                    let (lane, _) = self.used(value.start).map_err(at)?;
                    self.define(value.current, lane, lanes.is_some()).map_err(at)?;
                }
                let before = self.defined.clone();
                let live = self.enter(*var, *extent).map_err(at)?;
                self.block(block, lanes)?;
                for value in carried {
                    self.expect(value.next, self.lane(value.start).map_err(at)?).map_err(at)?;
                }
                self.leave(*var, live);
                self.close(&before);
                for value in carried {
                    self.defined[value.current.0 as usize] = Defined::Before;
                    self.define(value.result, self.lane(value.start).map_err(at)?, lanes.is_some()).map_err(at)?;
                }
                continue;
            }
            self.inst(inst, lanes).map_err(at)?;
        }
        Ok(())
    }

    fn inst(&mut self, inst: &Inst, lanes: Option<(Var, usize)>) -> Result<(), String> {
        let (dst, lane, varies) = match inst {
            Inst::F32 { dst, .. } => (*dst, Lane::F32, false),
            Inst::I32 { dst, .. } => (*dst, Lane::I32, false),
            Inst::Index { dst, value } => {
                self.range(value)?;
                (*dst, Lane::I32, moves(value, lanes))
            }
            Inst::Load { dst, place } => {
                self.reads(place)?;
                (*dst, self.place(place)?, moves(&place.index, lanes))
            }
            Inst::LoadAt { dst, place, row, rows } => {
                self.reads(place)?;
                let varies = self.expect(*row, Lane::I32)?;
                (*dst, self.rows(place, rows)?, moves(&place.index, lanes) || varies)
            }
            Inst::StoreAt { place, row, rows, value } => {
                let lane = self.rows(place, rows)?;
                self.uniform(*row, Lane::I32)?;
                self.expect(*value, lane)?;
                return self.stores(place, lanes);
            }
            Inst::Store { place, value } => {
                let lane = self.place(place)?;
                self.expect(*value, lane)?;
                return self.stores(place, lanes);
            }
            Inst::One { dst, op, x } => {
                let (from, to) = one_type(*op);
                (*dst, to, self.expect(*x, from)?)
            }
            Inst::Two { dst, op, a, b } => {
                if matches!(op, TwoOp::Shl | TwoOp::ShrU | TwoOp::ShrS) {
                    self.uniform(*b, Lane::I32)?;
                }
                let (from, to) = two_type(*op, self.used(*a)?.0)?;
                let a = self.expect(*a, from)?;
                (*dst, to, self.expect(*b, from)? || a)
            }
            Inst::Fma { dst, a, b, c } => {
                let mut varies = false;
                for operand in [a, b, c] {
                    varies |= self.expect(*operand, Lane::F32)?;
                }
                (*dst, Lane::F32, varies)
            }
            Inst::Select { dst, mask, a, b } => {
                let mask = self.expect(*mask, Lane::Mask)?;
                let (lane, first) = self.used(*a)?;
                (*dst, lane, self.expect(*b, lane)? || first || mask)
            }
            Inst::Math { dst, op, operands } => {
                let due = if matches!(op, MathOp::Pow) { 2 } else { 1 };
                require(operands.len() == due, || format!("{op:?} has {} operands", operands.len()))?;
                let mut varies = false;
                for operand in operands {
                    varies |= self.expect(*operand, Lane::F32)?;
                }
                (*dst, Lane::F32, varies)
            }
            Inst::Uniform { dst, seed, step, element, .. } => {
                for word in [seed[0], seed[1], *step] {
                    self.uniform(word, Lane::I32)?;
                }
                let (least, _) = self.range(element)?;
                require(!self.live || least >= 0, || "the number of an element is negative".to_owned())?;
                (*dst, Lane::F32, moves(element, lanes))
            }
            Inst::Loop { .. } => return Ok(()),
        };
        self.define(dst, lane, varies)
    }

    /// Whether there is something to be read at a place.
    fn reads(&self, place: &Place) -> Result<(), String> {
        let number = place.buffer.0 as usize;
        let buffer = self.module.buffers.get(number).ok_or("of a buffer that is not there")?;
        let is_there = !matches!(buffer.storage, Storage::Scratch(_)) || self.written[number];
        require(is_there, || format!("reads {}, scratch memory that it has not written", buffer.name))
    }

    /// Whether something may be written to the buffer of a place.
    fn writes(&mut self, place: &Place) -> Result<(), String> {
        let number = place.buffer.0 as usize;
        let is_constant = matches!(self.module.buffers[number].storage, Storage::Constant(_));
        require(!is_constant, || "stores into constant data".to_owned())?;
        self.written[number] = true;
        Ok(())
    }

    /// Whether something may be stored at a place.
    fn stores(&mut self, place: &Place, lanes: Option<(Var, usize)>) -> Result<(), String> {
        self.writes(place)?;
        let several = lanes.is_some_and(|(_, extent)| extent > 1);
        require(!several || moves(&place.index, lanes), || "all lanes store to one place".to_owned())
    }

    /// The type of what lies at a place of any of these rows.
    fn rows(&self, place: &Place, rows: &Rows) -> Result<Lane, String> {
        let last = rows.count.checked_sub(1).ok_or("a table without rows")?;
        self.access(place, last.saturating_mul(rows.stride))
    }

    fn fold(&self, fold: &Fold) -> Result<(), String> {
        let (lane, _) = self.used(fold.value)?;
        match fold.combine {
            Combine::Add | Combine::Mul | Combine::Max | Combine::Min => {
                require(lane != Lane::Mask, || "masks are not folded".to_owned())
            }
            Combine::Fma(second) => {
                self.expect(fold.value, Lane::F32)?;
                self.expect(second, Lane::F32).map(|_| ())
            }
            Combine::ArgMax | Combine::ArgMin => {
                require(lane != Lane::Mask, || "masks are not folded".to_owned())?;
                require(fold.order == Order::Sequence, || "an index is found in sequence".to_owned())
            }
        }
    }

    /// The type of what lies at a place.
    fn place(&self, place: &Place) -> Result<Lane, String> {
        self.access(place, 0)
    }

    /// Checks the place and those up to `further` elements behind it.
    fn access(&self, place: &Place, further: usize) -> Result<Lane, String> {
        let buffer = self.module.buffers.get(place.buffer.0 as usize).ok_or("of a buffer that is not there")?;
        let (least, most) = self.range(&place.index)?;
        let most = most.saturating_add(further as i64);
        let inside = least >= 0 && most < buffer.len as i64;
        let Buffer { name, len, dtype, .. } = buffer;
        require(!self.live || inside, || format!("{name}[{least}..={most}] is not within its {len} elements"))?;
        Ok(match dtype {
            DType::F32 => Lane::F32,
            DType::I32 => Lane::I32,
            DType::Bool => Lane::Mask,
        })
    }

    /// The least and the largest value of an expression.
    fn range(&self, index: &Affine) -> Result<(i64, i64), String> {
        let (mut least, mut most) = (i128::from(index.offset), i128::from(index.offset));
        for (number, (var, stride)) in index.terms.iter().enumerate() {
            require(*stride != 0, || format!("{var:?} has the stride 0"))?;
            let again = index.terms[..number].iter().any(|(other, _)| other == var);
            require(!again, || format!("{var:?} stands twice in an expression"))?;
            match self.vars.get(var.0 as usize) {
                Some(Bound::Now(extent)) => {
                    let reach = i128::from(*stride) * (extent.saturating_sub(1)) as i128;
                    least += reach.min(0);
                    most += reach.max(0);
                }
                _ => return Err(format!("{var:?} is not bound here")),
            }
        }
        match (i64::try_from(least), i64::try_from(most)) {
            (Ok(least), Ok(most)) => Ok((least, most)),
            _ => Err("an index beyond 64 bits".to_owned()),
        }
    }

    fn sort(&mut self, sort: &Sort) -> Result<(), String> {
        let last = sort.extent.checked_sub(1).ok_or("an order of nothing")?;
        self.access(&sort.work, Sort::work(sort.extent) - 1)?;
        let lanes = [self.access(&sort.keys, last)?, self.access(&sort.order, last.saturating_mul(sort.stride))?];
        require(lanes == [Lane::I32; 2], || "keys and their order are i32".to_owned())?;
        require(sort.extent == 1 || sort.stride > 0, || "all indices go to one place".to_owned())?;
        self.reads(&sort.keys)?;
        self.writes(&sort.work)?;
        self.writes(&sort.order)
    }

    fn tile(&mut self, tile: &Tile) -> Result<(), String> {
        let TileShape { rows, cols } = TileShape::F32X4;
        let fits =
            (1..=rows).contains(&tile.rows) && tile.cols >= 4 && tile.cols <= cols && tile.cols.is_multiple_of(4);
        require(fits, || format!("a tile of {} rows and {} columns", tile.rows, tile.cols))?;
        let (last_row, last_col, last_k) = (tile.rows - 1, tile.cols - 1, tile.depth.saturating_sub(1));
        let mut lanes = vec![self.access(&tile.c, last_row * tile.c_stride + last_col)?];
        if tile.depth > 0 {
            lanes.push(self.access(&tile.a, last_row * tile.a_strides.0 + last_k * tile.a_strides.1)?);
            lanes.push(self.access(&tile.b, last_k * tile.b_stride + last_col)?);
        }
        if tile.depth > 0 {
            self.reads(&tile.a)?;
            self.reads(&tile.b)?;
        }
        if tile.accumulate {
            self.reads(&tile.c)?;
        }
        self.writes(&tile.c)?;
        require(tile.rows == 1 || tile.c_stride >= tile.cols, || "the rows of a result overlap".to_owned())?;
        require(lanes.iter().all(|lane| *lane == Lane::F32), || "a tile of other numbers than f32".to_owned())
    }
}

/// Whether an expression changes from lane to lane.
fn moves(index: &Affine, lanes: Option<(Var, usize)>) -> bool {
    lanes.is_some_and(|(lane, extent)| extent > 1 && index.terms.iter().any(|(var, _)| *var == lane))
}

fn fold_type(fold: &Fold, value: Lane) -> Lane {
    match fold.combine {
        Combine::Add | Combine::Mul | Combine::Max | Combine::Min | Combine::Fma(_) => value,
        Combine::ArgMax | Combine::ArgMin => Lane::I32,
    }
}

fn one_type(op: OneOp) -> (Lane, Lane) {
    match op {
        OneOp::Neg | OneOp::Abs | OneOp::Floor | OneOp::Ceil | OneOp::Round | OneOp::Sqrt => (Lane::F32, Lane::F32),
        OneOp::NegI => (Lane::I32, Lane::I32),
        OneOp::ToI32 | OneOp::BitsOf => (Lane::F32, Lane::I32),
        OneOp::ToF32 | OneOp::FromBits => (Lane::I32, Lane::F32),
        OneOp::MaskToI32 => (Lane::Mask, Lane::I32),
        OneOp::I32ToMask => (Lane::I32, Lane::Mask),
        OneOp::Not => (Lane::Mask, Lane::Mask),
    }
}

/// The types of the operands and of the result, where the left operand has the type given.
fn two_type(op: TwoOp, left: Lane) -> Result<(Lane, Lane), String> {
    Ok(match op {
        TwoOp::Add | TwoOp::Sub | TwoOp::Mul | TwoOp::Div | TwoOp::Max | TwoOp::Min => (Lane::F32, Lane::F32),
        TwoOp::AddI
        | TwoOp::SubI
        | TwoOp::MulI
        | TwoOp::MaxI
        | TwoOp::MinI
        | TwoOp::AndI
        | TwoOp::OrI
        | TwoOp::XorI
        | TwoOp::Shl
        | TwoOp::ShrU
        | TwoOp::ShrS => (Lane::I32, Lane::I32),
        TwoOp::Compare(Comparison::Eq | Comparison::Ne) => (left, Lane::Mask),
        TwoOp::Compare(Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge) => {
            require(left != Lane::Mask, || "masks have no order".to_owned())?;
            (left, Lane::Mask)
        }
        TwoOp::And | TwoOp::Or => (Lane::Mask, Lane::Mask),
    })
}

fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}
