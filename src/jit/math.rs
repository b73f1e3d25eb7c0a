//! `numerics` again, as instructions.
//!
//! In: a kernel. Out: the same kernel, with each [`Inst::Math`] replaced by the instructions its function consists of. The
//! functions are not written a second time: [`Value`] is a [`Float`], [`Int`] or [`Mask`] that writes down what is done
//! to it, so that order and operations are those of `numerics`. Constants are written once per block.

use crate::graph::Unary;
use crate::kernel::{Block, Comparison, Inst, Kernel, Lane, MathOp, OneOp, Reg, Stmt, TwoOp};
use crate::numerics::{
    self,
    lane::{Float, Int, Mask},
};
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// Replaces every [`Inst::Math`] of the kernel, in nested loops too.
pub fn expand(kernel: &mut Kernel) {
    let Kernel { regs, body, .. } = kernel;
    expand_statements(body, regs);
}

fn expand_statements(statements: &mut [Stmt], regs: &mut Vec<Lane>) {
    for statement in statements {
        match statement {
            Stmt::For { body, .. } => expand_statements(body, regs),
            Stmt::Map { block, .. } | Stmt::Fold { block, .. } | Stmt::Scalar(block) => expand_block(block, regs),
            Stmt::Tile(_) | Stmt::Sort(_) => {}
        }
    }
}

/// Replaces every [`Inst::Math`] of a block; `regs` grows by the registers that takes.
fn expand_block(block: &mut Block, regs: &mut Vec<Lane>) {
    let mut writer = Writer { insts: Vec::new(), regs: std::mem::take(regs), constants: Vec::new() };
    for inst in std::mem::take(&mut block.insts) {
        match inst {
            Inst::Math { dst, op, operands } => writer = write(writer, dst, op, &operands),
            Inst::Loop { var, extent, unroll, carried, mut block } => {
                expand_block(&mut block, &mut writer.regs);
                writer.insts.push(Inst::Loop { var, extent, unroll, carried, block });
            }
            Inst::F32 { .. }
            | Inst::I32 { .. }
            | Inst::Index { .. }
            | Inst::Load { .. }
            | Inst::LoadAt { .. }
            | Inst::Store { .. }
            | Inst::StoreAt { .. }
            | Inst::One { .. }
            | Inst::Two { .. }
            | Inst::Fma { .. }
            | Inst::Select { .. }
            | Inst::Uniform { .. } => writer.insts.push(inst),
        }
    }
    *regs = writer.regs;
    block.insts = writer.insts;
}

/// Writes one function, its result in `dst`.
fn write(writer: Writer, dst: Reg, op: MathOp, operands: &[Reg]) -> Writer {
    let cell = RefCell::new(writer);
    let x = Value::Register(&cell, operands[0]);
    let result = match op {
        MathOp::Unary(function) => unary(function, x),
        MathOp::Pow => numerics::pow_of(x, Value::Register(&cell, operands[1])),
    };
    let result = result.register(&cell);
    let mut writer = cell.into_inner();
    let last = writer.insts.last_mut().and_then(destination).expect("a function has instructions");
    assert_eq!(*last, result, "a function ends with its result");
    *last = dst;
    writer.regs.pop();
    writer
}

/// A function as it stands in `numerics`, or the instruction a machine has for it.
fn unary<'w>(function: Unary, x: Value<'w, f32>) -> Value<'w, f32> {
    match function {
        Unary::Neg => -x,
        Unary::Abs => x.magnitude(),
        Unary::Floor => x.whole_below(),
        Unary::Ceil => one(OneOp::Ceil, x, f32::ceil),
        Unary::Round => x.nearest_whole(),
        Unary::Sqrt => one(OneOp::Sqrt, x, f32::sqrt),
        Unary::Sign => numerics::sign_of(x),
        Unary::Exp => numerics::exp_of(x),
        Unary::Log => numerics::log_of(x),
        Unary::Log1p => numerics::log1p_of(x),
        Unary::Sin => numerics::sin_of(x),
        Unary::Cos => numerics::cos_of(x),
        Unary::Tanh => numerics::tanh_of(x),
        Unary::Erf => numerics::erf_of(x),
        Unary::Sigmoid => numerics::sigmoid_of(x),
        Unary::Softplus => numerics::softplus_of(x),
        Unary::Not => x.equals(0.0).select(1.0, 0.0),
    }
}

/// The block being written.
struct Writer {
    insts: Vec<Inst>,
    regs: Vec<Lane>,
    /// The constants this block already has.
    constants: Vec<(Lane, u32, Reg)>,
}

impl Writer {
    fn register(&mut self, lane: Lane) -> Reg {
        self.regs.push(lane);
        Reg(self.regs.len() as u32 - 1)
    }

    fn constant<T: Element>(&mut self, value: T) -> Reg {
        let (lane, bits) = (T::LANE, value.stored());
        if let Some(known) = self.constants.iter().find(|known| known.0 == lane && known.1 == bits) {
            return known.2;
        }
        let dst = match lane {
            Lane::F32 => {
                let dst = self.register(lane);
                self.insts.push(Inst::F32 { dst, value: f32::from_bits(bits) });
                dst
            }
            Lane::I32 => {
                let dst = self.register(lane);
                self.insts.push(Inst::I32 { dst, value: bits as i32 });
                dst
            }
            Lane::Mask => {
                let x = self.constant(bits as i32);
                let dst = self.register(lane);
                self.insts.push(Inst::One { dst, op: OneOp::I32ToMask, x });
                dst
            }
        };
        self.constants.push((lane, bits, dst));
        dst
    }
}

/// What a register of one lane type holds.
trait Element: Copy {
    const LANE: Lane;
    fn stored(self) -> u32;
}

impl Element for f32 {
    const LANE: Lane = Lane::F32;
    fn stored(self) -> u32 {
        self.to_bits()
    }
}

impl Element for i32 {
    const LANE: Lane = Lane::I32;
    fn stored(self) -> u32 {
        self as u32
    }
}

impl Element for bool {
    const LANE: Lane = Lane::Mask;
    fn stored(self) -> u32 {
        u32::from(self)
    }
}

/// A number known now, or a register of the block being written.
#[derive(Clone, Copy)]
enum Value<'w, T> {
    Constant(T),
    Register(&'w RefCell<Writer>, Reg),
}

impl<'w, T: Element> Value<'w, T> {
    fn writer(self) -> Option<&'w RefCell<Writer>> {
        match self {
            Value::Constant(_) => None,
            Value::Register(writer, _) => Some(writer),
        }
    }

    fn known(self) -> Option<T> {
        match self {
            Value::Constant(value) => Some(value),
            Value::Register(..) => None,
        }
    }

    fn register(self, writer: &RefCell<Writer>) -> Reg {
        match self {
            Value::Constant(value) => writer.borrow_mut().constant(value),
            Value::Register(_, register) => register,
        }
    }
}

/// Writes an instruction with a result of that type.
fn push<'w, R: Element>(writer: &'w RefCell<Writer>, inst: impl FnOnce(Reg) -> Inst) -> Value<'w, R> {
    let mut block = writer.borrow_mut();
    let dst = block.register(R::LANE);
    block.insts.push(inst(dst));
    Value::Register(writer, dst)
}

fn one<'w, T: Element, R: Element>(op: OneOp, x: Value<'w, T>, fold: impl FnOnce(T) -> R) -> Value<'w, R> {
    match x {
        Value::Constant(x) => Value::Constant(fold(x)),
        Value::Register(writer, x) => push(writer, |dst| Inst::One { dst, op, x }),
    }
}

fn two<'w, T: Element, R: Element>(
    op: TwoOp,
    a: Value<'w, T>,
    b: Value<'w, T>,
    fold: impl FnOnce(T, T) -> R,
) -> Value<'w, R> {
    match (a, b) {
        (Value::Constant(a), Value::Constant(b)) => Value::Constant(fold(a, b)),
        (Value::Register(writer, _), _) | (_, Value::Register(writer, _)) => {
            let (a, b) = (a.register(writer), b.register(writer));
            push(writer, |dst| Inst::Two { dst, op, a, b })
        }
    }
}

impl From<f32> for Value<'_, f32> {
    fn from(value: f32) -> Self {
        Value::Constant(value)
    }
}

impl From<i32> for Value<'_, i32> {
    fn from(value: i32) -> Self {
        Value::Constant(value)
    }
}

impl Neg for Value<'_, f32> {
    type Output = Self;
    fn neg(self) -> Self {
        one(OneOp::Neg, self, |x: f32| -x)
    }
}

impl Not for Value<'_, bool> {
    type Output = Self;
    fn not(self) -> Self {
        one(OneOp::Not, self, |x: bool| !x)
    }
}

macro_rules! operators {
    ($($element:ty: $trait:ident $method:ident $op:ident;)*) => {$(
        impl<'w> $trait for Value<'w, $element> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                two(TwoOp::$op, self, other, |a: $element, b: $element| a.$method(b))
            }
        }
    )*};
}

operators! {
    f32: Add add Add;
    f32: Sub sub Sub;
    f32: Mul mul Mul;
    f32: Div div Div;
    i32: BitAnd bitand AndI;
    i32: BitOr bitor OrI;
    i32: BitXor bitxor XorI;
    bool: BitAnd bitand And;
    bool: BitOr bitor Or;
}

macro_rules! operators_with_a_number {
    ($($trait:ident $method:ident;)*) => {$(
        impl<'w> $trait<f32> for Value<'w, f32> {
            type Output = Self;
            fn $method(self, other: f32) -> Self {
                self.$method(Value::Constant(other))
            }
        }
    )*};
}

operators_with_a_number! {
    Add add;
    Sub sub;
    Mul mul;
}

impl<'w> Float for Value<'w, f32> {
    type Int = Value<'w, i32>;
    type Mask = Value<'w, bool>;

    fn fma(self, b: impl Into<Self>, c: impl Into<Self>) -> Self {
        let (b, c) = (b.into(), c.into());
        let Some(writer) = self.writer().or(b.writer()).or(c.writer()) else {
            let known = self.known().zip(b.known()).zip(c.known());
            let ((a, b), c) = known.expect("without a register, all are constants");
            return Value::Constant(a.mul_add(b, c));
        };
        let (a, b, c) = (self.register(writer), b.register(writer), c.register(writer));
        push(writer, |dst| Inst::Fma { dst, a, b, c })
    }
    fn magnitude(self) -> Self {
        one(OneOp::Abs, self, f32::abs)
    }
    fn whole_below(self) -> Self {
        one(OneOp::Floor, self, f32::floor)
    }
    fn nearest_whole(self) -> Self {
        one(OneOp::Round, self, f32::round_ties_even)
    }
    fn larger(self, other: impl Into<Self>) -> Self {
        two(TwoOp::Max, self, other.into(), |a: f32, b| a.larger(b))
    }
    fn smaller(self, other: impl Into<Self>) -> Self {
        two(TwoOp::Min, self, other.into(), |a: f32, b| a.smaller(b))
    }
    fn bits(self) -> Self::Int {
        one(OneOp::BitsOf, self, |x: f32| x.bits())
    }
    fn below(self, other: impl Into<Self>) -> Self::Mask {
        two(TwoOp::Compare(Comparison::Lt), self, other.into(), |a: f32, b| a < b)
    }
    fn above(self, other: impl Into<Self>) -> Self::Mask {
        two(TwoOp::Compare(Comparison::Gt), self, other.into(), |a: f32, b| a > b)
    }
    fn equals(self, other: impl Into<Self>) -> Self::Mask {
        two(TwoOp::Compare(Comparison::Eq), self, other.into(), |a: f32, b| a == b)
    }
    fn differs(self, other: impl Into<Self>) -> Self::Mask {
        two(TwoOp::Compare(Comparison::Ne), self, other.into(), |a: f32, b| a != b)
    }
}

impl<'w> Int for Value<'w, i32> {
    type Float = Value<'w, f32>;

    fn plus(self, other: impl Into<Self>) -> Self {
        two(TwoOp::AddI, self, other.into(), |a: i32, b| a.plus(b))
    }
    fn minus(self, other: impl Into<Self>) -> Self {
        two(TwoOp::SubI, self, other.into(), |a: i32, b| a.minus(b))
    }
    fn shl(self, by: u32) -> Self {
        two(TwoOp::Shl, self, Value::Constant(by as i32), |a: i32, b| a << b)
    }
    fn shr(self, by: u32) -> Self {
        two(TwoOp::ShrS, self, Value::Constant(by as i32), |a: i32, b| a >> b)
    }
    fn to_float(self) -> Self::Float {
        one(OneOp::ToF32, self, |x: i32| x as f32)
    }
    fn float(self) -> Self::Float {
        one(OneOp::FromBits, self, |x: i32| x.float())
    }
}

impl<'w> Mask for Value<'w, bool> {
    type Float = Value<'w, f32>;
    type Int = Value<'w, i32>;

    fn select(self, a: impl Into<Self::Float>, b: impl Into<Self::Float>) -> Self::Float {
        let (a, b) = (a.into(), b.into());
        match self {
            Value::Constant(mask) => {
                if mask {
                    a
                } else {
                    b
                }
            }
            Value::Register(writer, mask) => {
                let (a, b) = (a.register(writer), b.register(writer));
                push(writer, |dst| Inst::Select { dst, mask, a, b })
            }
        }
    }
    fn same(self, other: Self) -> Self {
        two(TwoOp::Compare(Comparison::Eq), self, other, |a: bool, b| a == b)
    }
    fn not_zero(x: Self::Int) -> Self {
        one(OneOp::I32ToMask, x, |x: i32| x != 0)
    }
}

/// The register a straight-line instruction assigns.
fn destination(inst: &mut Inst) -> Option<&mut Reg> {
    match inst {
        Inst::F32 { dst, .. }
        | Inst::I32 { dst, .. }
        | Inst::Index { dst, .. }
        | Inst::Load { dst, .. }
        | Inst::LoadAt { dst, .. }
        | Inst::One { dst, .. }
        | Inst::Two { dst, .. }
        | Inst::Fma { dst, .. }
        | Inst::Select { dst, .. }
        | Inst::Math { dst, .. }
        | Inst::Uniform { dst, .. } => Some(dst),
        Inst::Store { .. } | Inst::StoreAt { .. } | Inst::Loop { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits of every register after straight-line code.
    fn run(insts: &[Inst], registers: &mut [u32], lanes: &[Lane]) {
        for inst in insts {
            let float = |r: Reg| f32::from_bits(registers[r.0 as usize]);
            let int = |r: Reg| registers[r.0 as usize] as i32;
            let mask = |r: Reg| registers[r.0 as usize] != 0;
            let (dst, bits) = match *inst {
                Inst::F32 { dst, value } => (dst, value.to_bits()),
                Inst::I32 { dst, value } => (dst, value as u32),
                Inst::One { dst, op, x } => (
                    dst,
                    match op {
                        OneOp::Neg => (-float(x)).to_bits(),
                        OneOp::NegI => int(x).wrapping_neg() as u32,
                        OneOp::Abs => float(x).abs().to_bits(),
                        OneOp::Floor => float(x).floor().to_bits(),
                        OneOp::Ceil => float(x).ceil().to_bits(),
                        OneOp::Round => float(x).round_ties_even().to_bits(),
                        OneOp::Sqrt => float(x).sqrt().to_bits(),
                        OneOp::ToI32 => (float(x) as i32) as u32,
                        OneOp::ToF32 => (int(x) as f32).to_bits(),
                        OneOp::MaskToI32 | OneOp::I32ToMask => u32::from(mask(x)),
                        OneOp::BitsOf | OneOp::FromBits => int(x) as u32,
                        OneOp::Not => u32::from(!mask(x)),
                    },
                ),
                Inst::Two { dst, op, a, b } => (
                    dst,
                    match op {
                        TwoOp::Add => (float(a) + float(b)).to_bits(),
                        TwoOp::Sub => (float(a) - float(b)).to_bits(),
                        TwoOp::Mul => (float(a) * float(b)).to_bits(),
                        TwoOp::Div => (float(a) / float(b)).to_bits(),
                        TwoOp::Max => (if float(a) > float(b) { float(a) } else { float(b) }).to_bits(),
                        TwoOp::Min => (if float(a) < float(b) { float(a) } else { float(b) }).to_bits(),
                        TwoOp::AddI => int(a).wrapping_add(int(b)) as u32,
                        TwoOp::SubI => int(a).wrapping_sub(int(b)) as u32,
                        TwoOp::MulI => int(a).wrapping_mul(int(b)) as u32,
                        TwoOp::MaxI => int(a).max(int(b)) as u32,
                        TwoOp::MinI => int(a).min(int(b)) as u32,
                        TwoOp::AndI => (int(a) & int(b)) as u32,
                        TwoOp::OrI => (int(a) | int(b)) as u32,
                        TwoOp::XorI => (int(a) ^ int(b)) as u32,
                        TwoOp::Shl => (int(a) << int(b)) as u32,
                        TwoOp::ShrU => (int(a) as u32) >> int(b),
                        TwoOp::ShrS => (int(a) >> int(b)) as u32,
                        TwoOp::Compare(comparison) => u32::from(match lanes[a.0 as usize] {
                            Lane::F32 => compare(comparison, &float(a), &float(b)),
                            Lane::I32 => compare(comparison, &int(a), &int(b)),
                            Lane::Mask => compare(comparison, &mask(a), &mask(b)),
                        }),
                        TwoOp::And => u32::from(mask(a) && mask(b)),
                        TwoOp::Or => u32::from(mask(a) || mask(b)),
                    },
                ),
                Inst::Fma { dst, a, b, c } => (dst, float(a).mul_add(float(b), float(c)).to_bits()),
                Inst::Select { dst, mask: choice, a, b } => (dst, int(if mask(choice) { a } else { b }) as u32),
                Inst::Index { .. }
                | Inst::Load { .. }
                | Inst::LoadAt { .. }
                | Inst::Store { .. }
                | Inst::StoreAt { .. }
                | Inst::Math { .. }
                | Inst::Uniform { .. }
                | Inst::Loop { .. } => panic!("not straight-line arithmetic: {inst:?}"),
            };
            registers[dst.0 as usize] = bits;
        }
    }

    fn compare<T: PartialOrd>(comparison: Comparison, a: &T, b: &T) -> bool {
        match comparison {
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
            Comparison::Lt => a < b,
            Comparison::Le => a <= b,
            Comparison::Gt => a > b,
            Comparison::Ge => a >= b,
        }
    }

    /// Registers 0 and 1 are the operands, 2 the result.
    fn expanded(op: MathOp, operands: usize) -> (Block, Vec<Lane>) {
        let mut lanes = vec![Lane::F32; 3];
        let math = Inst::Math { dst: Reg(2), op, operands: (0..operands as u32).map(Reg).collect() };
        let mut block = Block { insts: vec![math] };
        expand_block(&mut block, &mut lanes);
        (block, lanes)
    }

    fn assert_same(expected: f32, got: u32, case: impl std::fmt::Debug) {
        let nans = expected.is_nan() && f32::from_bits(got).is_nan();
        assert!(nans || expected.to_bits() == got, "{case:?}: {expected:e} is not {:e}", f32::from_bits(got));
    }

    const FUNCTIONS: [Unary; 10] = [
        Unary::Sign,
        Unary::Exp,
        Unary::Log,
        Unary::Log1p,
        Unary::Sin,
        Unary::Cos,
        Unary::Tanh,
        Unary::Erf,
        Unary::Sigmoid,
        Unary::Softplus,
    ];

    #[test]
    fn functions_have_the_bits_of_numerics() {
        for function in FUNCTIONS {
            let (block, lanes) = expanded(MathOp::Unary(function), 1);
            let mut registers = vec![0; lanes.len()];
            for bits in (0..=u32::MAX).step_by(65_521).chain([0x8000_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000]) {
                registers[0] = bits;
                run(&block.insts, &mut registers, &lanes);
                let x = f32::from_bits(bits);
                assert_same(numerics::unary(function, x), registers[2], (function, x));
            }
        }
    }

    #[test]
    fn powers_have_the_bits_of_numerics() {
        let (block, lanes) = expanded(MathOp::Pow, 2);
        let mut registers = vec![0; lanes.len()];
        let special =
            [0.0, 1e-45, 1e-38, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 7.5, 16_777_215.0, 1e30, f32::INFINITY, f32::NAN];
        let special: Vec<f32> = special.into_iter().flat_map(|x| [x, -x]).collect();
        let random = (0..20_000).map(|i| {
            let words = numerics::philox::block([i, 0, 0, 0], [1, 2]);
            (f32::from_bits(words[0]), f32::from_bits(words[1]))
        });
        let grid = special.iter().flat_map(|&x| special.iter().map(move |&y| (x, y)));
        for (x, y) in grid.chain(random) {
            registers[0] = x.to_bits();
            registers[1] = y.to_bits();
            run(&block.insts, &mut registers, &lanes);
            assert_same(numerics::pow(x, y), registers[2], (x, y));
        }
    }

    #[test]
    fn expansions_stay_short() {
        let all = FUNCTIONS.map(|function| (MathOp::Unary(function), 1)).into_iter().chain([(MathOp::Pow, 2)]);
        for (op, operands) in all {
            let constants = |inst: &&Inst| matches!(inst, Inst::F32 { .. } | Inst::I32 { .. });
            let (block, _) = expanded(op, operands);
            let operations = block.insts.len() - block.insts.iter().filter(constants).count();
            let most = match op {
                MathOp::Unary(Unary::Sin | Unary::Cos) | MathOp::Pow => 120,
                MathOp::Unary(_) => 50,
            };
            assert!(operations <= most, "{op:?}: {operations} operations");
        }
    }
}
