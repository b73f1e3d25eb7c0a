//! The instructions of a block, for one value of the lane variable or for several groups of four.

use super::{Bound, Emitter, Group, Held, Known, MAX_GROUPS, Width, scalar_type, stride, vector_type};
use crate::kernel::{Affine, Carried, Comparison, Inst, Lane, OneOp, Place, Reg, Rows, TwoOp, Var};
use cranelift::codegen::ir::ConstantData;
use cranelift::prelude::*;

/// Every access of the program: in bounds by the plan, elements aligned to four bytes, vectors not necessarily to more.
pub(super) const ACCESS: MemFlagsData = MemFlagsData::new().with_notrap();

/// Flags of bit casts between vectors: lane 0 comes first.
const LITTLE: MemFlagsData = MemFlagsData::new().with_endianness(codegen::ir::Endianness::Little);

impl Emitter<'_, '_> {
    /// The instructions in order, but those that `skip` marks.
    pub(super) fn block(&mut self, insts: &[Inst], width: Width, skip: &[bool]) {
        for (number, inst) in insts.iter().enumerate() {
            if !skip.get(number).copied().unwrap_or(false) {
                self.inst(inst, width);
            }
        }
    }

    fn inst(&mut self, inst: &Inst, width: Width) {
        match inst {
            Inst::F32 { dst, value } => {
                let one = self.builder.ins().f32const(*value);
                self.set(*dst, Held { one: Some(one), bits: Some(value.to_bits()), ..Held::default() });
            }
            Inst::I32 { dst, value } => {
                let one = self.builder.ins().iconst(types::I32, i64::from(*value));
                self.set(*dst, Held { one: Some(one), bits: Some(*value as u32), ..Held::default() });
            }
            Inst::Index { dst, value } => self.index_inst(*dst, value, width),
            Inst::Load { dst, place } => self.load_inst(*dst, place, width),
            Inst::LoadAt { dst, place, row, rows } => self.load_row(*dst, place, *row, rows, width),
            Inst::StoreAt { place, row, rows, value } => {
                let row = self.one(*row);
                self.row = Some(self.row_offset(row, rows));
                self.store_inst(place, *value, width);
                self.row = None;
            }
            Inst::Store { place, value } => self.store_inst(place, *value, width),
            Inst::One { dst, op, x } => self.each(*dst, &[*x], width, &mut |this, v, ty| this.one_op(*op, v[0], ty)),
            Inst::Two { dst, op: op @ (TwoOp::Shl | TwoOp::ShrU | TwoOp::ShrS), a, b } => {
                let amount = match self.regs[b.0 as usize] {
                    Held { one: Some(one), .. } => one,
                    held => {
                        let lanes = held.lanes[0].expect("the register is defined");
                        self.builder.ins().extractlane(lanes, 0)
                    }
                };
                self.each(*dst, &[*a], width, &mut |this, v, _| match op {
                    TwoOp::Shl => this.builder.ins().ishl(v[0], amount),
                    TwoOp::ShrU => this.builder.ins().ushr(v[0], amount),
                    _ => this.builder.ins().sshr(v[0], amount),
                });
            }
            Inst::Two { dst, op, a, b } => {
                let lane = self.lane_type(*a);
                self.each(*dst, &[*a, *b], width, &mut |this, v, ty| this.two_op(*op, lane, v[0], v[1], ty));
            }
            Inst::Fma { dst, a, b, c } => {
                self.each(*dst, &[*a, *b, *c], width, &mut |this, v, _| this.builder.ins().fma(v[0], v[1], v[2]));
            }
            Inst::Select { dst, mask, a, b } => {
                self.each(*dst, &[*mask, *a, *b], width, &mut |this, v, _| this.select(v[0], v[1], v[2]));
            }
            Inst::Math { op, .. } => panic!("{op:?} was not expanded"),
            Inst::Uniform { dst, seed, step, purpose, element } => {
                self.uniform(*dst, *seed, *step, *purpose, element, width);
            }
            Inst::Loop { var, extent, unroll, carried, block } => {
                self.inner_loop(*var, *extent, *unroll, carried, &block.insts, width);
            }
        }
    }

    pub(super) fn set(&mut self, dst: Reg, held: Held) {
        self.regs[dst.0 as usize] = held;
    }

    pub(super) fn set_one(&mut self, dst: Reg, one: Value) {
        self.set(dst, Held { one: Some(one), ..Held::default() });
    }

    /// The value of a register that is the same in all lanes.
    pub(super) fn one(&self, reg: Reg) -> Value {
        self.regs[reg.0 as usize].one.expect("the register is defined, with one lane")
    }

    /// The lanes of a group of a register.
    pub(super) fn lanes(&mut self, reg: Reg, group: usize) -> Value {
        let held = self.regs[reg.0 as usize];
        if let Some(lanes) = held.lanes[group] {
            return lanes;
        }
        let lane = self.lane_type(reg);
        if let Some(bits) = held.bits {
            return self.splat_bits(bits, vector_type(lane));
        }
        let one = held.one.expect("the register is defined");
        let whole = match lane {
            Lane::F32 | Lane::I32 => one,
            Lane::Mask => self.builder.ins().bmask(types::I32, one),
        };
        let splat = self.builder.ins().splat(vector_type(lane), whole);
        self.known.push(Known::Lanes(reg, one));
        self.regs[reg.0 as usize].lanes = [Some(splat); MAX_GROUPS];
        splat
    }

    /// Lane by lane the number of these bits.
    pub(super) fn splat_bits(&mut self, bits: u32, ty: Type) -> Value {
        self.vector_bits([bits; 4], ty)
    }

    pub(super) fn vector_bits(&mut self, bits: [u32; 4], ty: Type) -> Value {
        let bytes: Vec<u8> = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
        let constant = self.builder.func.dfg.constants.insert(ConstantData::from(bytes));
        self.builder.ins().vconst(ty, constant)
    }

    /// Applies an operation to operands lane by lane: once where all are the same in all lanes, else per group.
    fn each(
        &mut self,
        dst: Reg,
        operands: &[Reg],
        width: Width,
        apply: &mut dyn FnMut(&mut Self, &[Value], Type) -> Value,
    ) {
        let lane = self.lane_type(dst);
        let ones: Option<Vec<Value>> = operands.iter().map(|reg| self.regs[reg.0 as usize].one).collect();
        match (ones, width) {
            (Some(ones), _) => {
                let one = apply(self, &ones, scalar_type(lane));
                self.set_one(dst, one);
            }
            (None, Width::One) => panic!("a register of several lanes in a block of one"),
            (None, Width::Lanes(_, groups)) => {
                let mut held = Held::default();
                for group in 0..groups.len() {
                    let values: Vec<Value> = operands.iter().map(|reg| self.lanes(*reg, group)).collect();
                    held.lanes[group] = Some(apply(self, &values, vector_type(lane)));
                }
                self.set(dst, held);
            }
        }
    }

    fn one_op(&mut self, op: OneOp, x: Value, ty: Type) -> Value {
        let vector = ty.is_vector();
        match op {
            OneOp::Neg => self.builder.ins().fneg(x),
            OneOp::NegI => self.builder.ins().ineg(x),
            OneOp::Abs => self.builder.ins().fabs(x),
            OneOp::Floor => self.builder.ins().floor(x),
            OneOp::Ceil => self.builder.ins().ceil(x),
            OneOp::Round => self.builder.ins().nearest(x),
            OneOp::Sqrt => self.builder.ins().sqrt(x),
            OneOp::ToI32 => self.builder.ins().fcvt_to_sint_sat(ty, x),
            OneOp::ToF32 => self.builder.ins().fcvt_from_sint(ty, x),
            OneOp::MaskToI32 if vector => {
                let ones = self.splat_bits(1, ty);
                self.builder.ins().band(x, ones)
            }
            OneOp::MaskToI32 => self.builder.ins().uextend(types::I32, x),
            OneOp::I32ToMask => {
                let zero = self.zero(ty, types::I32);
                self.builder.ins().icmp(IntCC::NotEqual, x, zero)
            }
            OneOp::BitsOf | OneOp::FromBits => self.cast(x, ty),
            OneOp::Not if vector => self.builder.ins().bnot(x),
            OneOp::Not => self.builder.ins().bxor_imm_u(x, 1),
        }
    }

    fn zero(&mut self, like: Type, scalar: Type) -> Value {
        if like.is_vector() { self.splat_bits(0, types::I32X4) } else { self.builder.ins().iconst(scalar, 0) }
    }

    pub(super) fn cast(&mut self, x: Value, ty: Type) -> Value {
        if self.builder.func.dfg.value_type(x) == ty { x } else { self.builder.ins().bitcast(ty, LITTLE, x) }
    }

    fn two_op(&mut self, op: TwoOp, lane: Lane, a: Value, b: Value, ty: Type) -> Value {
        match op {
            TwoOp::Add => self.builder.ins().fadd(a, b),
            TwoOp::Sub => self.builder.ins().fsub(a, b),
            TwoOp::Mul => self.builder.ins().fmul(a, b),
            TwoOp::Div => self.builder.ins().fdiv(a, b),
            TwoOp::Max => self.float_max(a, b),
            TwoOp::Min => self.float_min(a, b),
            TwoOp::AddI => self.builder.ins().iadd(a, b),
            TwoOp::SubI => self.builder.ins().isub(a, b),
            TwoOp::MulI => self.builder.ins().imul(a, b),
            TwoOp::MaxI => self.builder.ins().smax(a, b),
            TwoOp::MinI => self.builder.ins().smin(a, b),
            TwoOp::AndI | TwoOp::And => self.builder.ins().band(a, b),
            TwoOp::OrI | TwoOp::Or => self.builder.ins().bor(a, b),
            TwoOp::XorI => self.builder.ins().bxor(a, b),
            TwoOp::Compare(comparison) => self.compare(comparison, lane, a, b),
            TwoOp::Shl | TwoOp::ShrU | TwoOp::ShrS => panic!("shifts by one amount have a form of their own ({ty})"),
        }
    }

    /// `if a > b then a else b`, in the form that the backend has one instruction for.
    pub(super) fn float_max(&mut self, a: Value, b: Value) -> Value {
        let mask = self.builder.ins().fcmp(FloatCC::LessThan, b, a);
        self.select(mask, a, b)
    }

    /// `if a < b then a else b`.
    pub(super) fn float_min(&mut self, a: Value, b: Value) -> Value {
        let mask = self.builder.ins().fcmp(FloatCC::LessThan, a, b);
        self.select(mask, a, b)
    }

    pub(super) fn select(&mut self, mask: Value, a: Value, b: Value) -> Value {
        let ty = self.builder.func.dfg.value_type(a);
        if !ty.is_vector() {
            return self.builder.ins().select(mask, a, b);
        }
        let mask = self.cast(mask, ty);
        self.builder.ins().bitselect(mask, a, b)
    }

    pub(super) fn compare(&mut self, comparison: Comparison, lane: Lane, a: Value, b: Value) -> Value {
        let float = match comparison {
            Comparison::Eq => FloatCC::Equal,
            Comparison::Ne => FloatCC::NotEqual,
            Comparison::Lt => FloatCC::LessThan,
            Comparison::Le => FloatCC::LessThanOrEqual,
            Comparison::Gt => FloatCC::GreaterThan,
            Comparison::Ge => FloatCC::GreaterThanOrEqual,
        };
        let int = match comparison {
            Comparison::Eq => IntCC::Equal,
            Comparison::Ne => IntCC::NotEqual,
            Comparison::Lt => IntCC::SignedLessThan,
            Comparison::Le => IntCC::SignedLessThanOrEqual,
            Comparison::Gt => IntCC::SignedGreaterThan,
            Comparison::Ge => IntCC::SignedGreaterThanOrEqual,
        };
        match lane {
            Lane::F32 => self.builder.ins().fcmp(float, a, b),
            Lane::I32 | Lane::Mask => self.builder.ins().icmp(int, a, b),
        }
    }

    fn index_inst(&mut self, dst: Reg, value: &Affine, width: Width) {
        let base = self.index(value);
        let base = self.builder.ins().ireduce(types::I32, base);
        match width {
            Width::Lanes(var, groups) if stride(value, var) != 0 => {
                let step = stride(value, var);
                let splat = self.builder.ins().splat(types::I32X4, base);
                let mut held = Held::default();
                for (number, group) in groups.iter().enumerate() {
                    let lanes = [0, 1, 2, 3].map(|lane| ((group.first + lane) * step) as u32);
                    let lanes = self.vector_bits(lanes, types::I32X4);
                    held.lanes[number] = Some(self.builder.ins().iadd(splat, lanes));
                }
                self.set(dst, held);
            }
            Width::One | Width::Lanes(..) => self.set_one(dst, base),
        }
    }

    fn load_inst(&mut self, dst: Reg, place: &Place, width: Width) {
        let lane = self.lane_type(dst);
        let (groups, step) = match width {
            Width::Lanes(var, groups) => (groups, stride(&place.index, var)),
            Width::One => (&[][..], 0),
        };
        if step == 0 {
            let one = self.load_one(place, 0, lane);
            return self.set_one(dst, one);
        }
        let mut held = Held::default();
        for (number, group) in groups.iter().enumerate() {
            let lanes = self.load_lanes(place, step, *group, memory_type(lane));
            held.lanes[number] = Some(match lane {
                Lane::F32 | Lane::I32 => lanes,
                Lane::Mask => {
                    let zero = self.splat_bits(0, types::I32X4);
                    self.builder.ins().icmp(IntCC::NotEqual, lanes, zero)
                }
            });
        }
        self.set(dst, held);
    }

    /// How many bytes a row lies behind the first; one that is not there counts as the nearest.
    fn row_offset(&mut self, row: Value, rows: &Rows) -> Value {
        let zero = self.builder.ins().iconst(types::I32, 0);
        let last = self
            .builder
            .ins()
            .iconst(types::I32, i64::try_from(rows.count - 1).unwrap_or(i64::MAX).min(i64::from(i32::MAX)));
        let row = self.builder.ins().smax(row, zero);
        let row = self.builder.ins().smin(row, last);
        let row = self.builder.ins().uextend(types::I64, row);
        self.builder.ins().imul_imm_s(row, 4 * rows.stride as i64)
    }

    fn load_row(&mut self, dst: Reg, place: &Place, row: Reg, rows: &Rows, width: Width) {
        if let Some(row) = self.regs[row.0 as usize].one {
            self.row = Some(self.row_offset(row, rows));
            self.load_inst(dst, place, width);
            self.row = None;
            return;
        }
        let Width::Lanes(var, groups) = width else { panic!("a register of several lanes in a block of one") };
        let lane = self.lane_type(dst);
        let (step, scalar) = (stride(&place.index, var), memory_type(lane));
        let vector = scalar.by(4).expect("a vector of four");
        let mut held = Held::default();
        for (number, group) in groups.iter().enumerate() {
            let row_lanes = self.lanes(row, number);
            let mut lanes = None;
            for lane in 0..group.active {
                let row = self.builder.ins().extractlane(row_lanes, lane as u8);
                self.row = Some(self.row_offset(row, rows));
                let (address, offset) = self.address(place, (group.first + lane as i64) * step);
                let value = self.builder.ins().load(scalar, ACCESS, address, offset);
                self.row = None;
                lanes = Some(match lanes {
                    None => self.builder.ins().scalar_to_vector(vector, value),
                    Some(lanes) => self.builder.ins().insertlane(lanes, value, lane as u8),
                });
            }
            let lanes = lanes.expect("a group has lanes");
            held.lanes[number] = Some(match lane {
                Lane::F32 | Lane::I32 => lanes,
                Lane::Mask => {
                    let zero = self.splat_bits(0, types::I32X4);
                    self.builder.ins().icmp(IntCC::NotEqual, lanes, zero)
                }
            });
        }
        self.set(dst, held);
    }

    fn load_one(&mut self, place: &Place, extra: i64, lane: Lane) -> Value {
        let (address, offset) = self.address(place, extra);
        let value = self.builder.ins().load(memory_type(lane), ACCESS, address, offset);
        match lane {
            Lane::F32 | Lane::I32 => value,
            Lane::Mask => self.builder.ins().icmp_imm_s(IntCC::NotEqual, value, 0),
        }
    }

    /// The lanes of one group; lanes that do not exist are zero.
    fn load_lanes(&mut self, place: &Place, step: i64, group: Group, scalar: Type) -> Value {
        let vector = scalar.by(4).expect("a vector of four");
        let (address, offset) = self.address(place, group.first * step);
        if step == 1 {
            return match group.active {
                4 if self.machine.unaligned_operands => self.builder.ins().load(vector, ACCESS, address, offset),
                4 => {
                    let lanes = self.builder.ins().load(types::I32X4, ACCESS, address, offset);
                    self.cast(lanes, vector)
                }
                1 => {
                    let first = self.builder.ins().load(scalar, ACCESS, address, offset);
                    self.builder.ins().scalar_to_vector(vector, first)
                }
                active => {
                    let pair = self.builder.ins().load(types::F64, ACCESS, address, offset);
                    let pair = self.builder.ins().scalar_to_vector(types::F64X2, pair);
                    let pair = self.cast(pair, vector);
                    if active == 2 {
                        return pair;
                    }
                    let (address, offset) = self.address(place, group.first + 2);
                    let third = self.builder.ins().load(scalar, ACCESS, address, offset);
                    self.builder.ins().insertlane(pair, third, 2)
                }
            };
        }
        let first = self.builder.ins().load(scalar, ACCESS, address, offset);
        let mut lanes = self.builder.ins().scalar_to_vector(vector, first);
        for lane in 1..group.active {
            let (address, offset) = self.address(place, (group.first + lane as i64) * step);
            let value = self.builder.ins().load(scalar, ACCESS, address, offset);
            lanes = self.builder.ins().insertlane(lanes, value, lane as u8);
        }
        lanes
    }

    fn store_inst(&mut self, place: &Place, value: Reg, width: Width) {
        let lane = self.lane_type(value);
        let (var, groups) = match width {
            Width::One => {
                let one = self.one(value);
                let stored = match lane {
                    Lane::F32 | Lane::I32 => one,
                    Lane::Mask => self.builder.ins().uextend(types::I32, one),
                };
                let (address, offset) = self.address(place, 0);
                self.builder.ins().store(ACCESS, stored, address, offset);
                return;
            }
            Width::Lanes(var, groups) => (var, groups),
        };
        let step = stride(&place.index, var);
        for (number, group) in groups.iter().enumerate() {
            let mut lanes = self.lanes(value, number);
            if lane == Lane::Mask {
                let ones = self.splat_bits(1, types::I32X4);
                lanes = self.builder.ins().band(lanes, ones);
            }
            self.store_lanes(place, step, *group, lanes);
        }
    }

    fn store_lanes(&mut self, place: &Place, step: i64, group: Group, lanes: Value) {
        let (address, offset) = self.address(place, group.first * step);
        let mut from = 0;
        if step == 1 {
            match group.active {
                4 => {
                    self.builder.ins().store(ACCESS, lanes, address, offset);
                    return;
                }
                1 => {}
                _ => {
                    let pairs = self.cast(lanes, types::F64X2);
                    let pair = self.builder.ins().extractlane(pairs, 0);
                    self.builder.ins().store(ACCESS, pair, address, offset);
                    from = 2;
                }
            }
        }
        for lane in from..group.active {
            let (address, offset) = self.address(place, (group.first + lane as i64) * step);
            let value = self.builder.ins().extractlane(lanes, lane as u8);
            self.builder.ins().store(ACCESS, value, address, offset);
        }
    }

    fn inner_loop(
        &mut self,
        var: Var,
        extent: usize,
        unroll: usize,
        carried: &[Carried],
        insts: &[Inst],
        width: Width,
    ) {
        let groups = match width {
            Width::One => 0,
            Width::Lanes(_, groups) => groups.len(),
        };
        let mut current = Vec::new();
        for value in carried {
            current.extend(self.carry(value.start, groups));
        }
        let unroll = unroll.clamp(1, extent.max(1));
        let rounds = extent / unroll;
        let mut from = 0;
        if rounds > 1 {
            insts.iter().for_each(|inst| inst.for_each_place(&mut |place| self.prepare(place)));
            let zero = self.number(0);
            let bound = Bound::Number((rounds * unroll) as i64);
            current = self.counted(zero, bound, unroll as i64, &current, &mut |this, index, values| {
                let mut values = values.to_vec();
                for copy in 0..unroll {
                    values = this.round(var, Some(index), copy, carried, insts, width, &values);
                }
                values
            });
            from = rounds * unroll;
        }
        for index in from..extent {
            current = self.round(var, None, index, carried, insts, width, &current);
        }
        self.uncarry(carried.iter().map(|value| value.result), &current, groups);
    }

    /// One round of a loop with the carried values given: their next ones.
    #[allow(clippy::too_many_arguments, reason = "the parts of one instruction")]
    fn round(
        &mut self,
        var: Var,
        index: Option<Value>,
        offset: usize,
        carried: &[Carried],
        insts: &[Inst],
        width: Width,
        values: &[Value],
    ) -> Vec<Value> {
        let groups = match width {
            Width::One => 0,
            Width::Lanes(_, groups) => groups.len(),
        };
        self.uncarry(carried.iter().map(|value| value.current), values, groups);
        self.bind(var, index, offset as i64);
        self.block(insts, width, &[]);
        self.unbind(var);
        let mut next = Vec::with_capacity(values.len());
        for value in carried {
            next.extend(self.carry(value.next, groups));
        }
        next
    }

    fn carry(&mut self, reg: Reg, groups: usize) -> Vec<Value> {
        if groups == 0 { vec![self.one(reg)] } else { (0..groups).map(|group| self.lanes(reg, group)).collect() }
    }

    fn uncarry(&mut self, regs: impl Iterator<Item = Reg>, values: &[Value], groups: usize) {
        for (reg, values) in regs.zip(values.chunks(groups.max(1))) {
            let mut held = Held::default();
            if groups == 0 {
                held.one = Some(values[0]);
            } else {
                values.iter().enumerate().for_each(|(group, value)| held.lanes[group] = Some(*value));
            }
            self.set(reg, held);
        }
    }

    /// The four lanes in another order, lanes of `b` counted from 4.
    pub(super) fn shuffle(&mut self, a: Value, b: Value, order: [u8; 4]) -> Value {
        let ty = self.builder.func.dfg.value_type(a);
        let bytes: Vec<u8> = order.iter().flat_map(|lane| (0..4).map(move |byte| 4 * lane + byte)).collect();
        let mask = self.builder.func.dfg.immediates.push(ConstantData::from(bytes));
        let a = self.cast(a, types::I8X16);
        let b = self.cast(b, types::I8X16);
        let shuffled = self.builder.ins().shuffle(a, b, mask);
        self.cast(shuffled, ty)
    }
}

/// The type of a single value in memory.
fn memory_type(lane: Lane) -> Type {
    match lane {
        Lane::F32 => types::F32,
        Lane::I32 | Lane::Mask => types::I32,
    }
}
