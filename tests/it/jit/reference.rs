//! The meaning of the loop IR, one value at a time.

use nnc::graph::DType;
use nnc::jit::Buffer;
use nnc::kernel::*;

/// The value of one lane.
#[derive(Clone, Copy, Debug)]
enum Value {
    F32(f32),
    I32(i32),
    Mask(bool),
}

impl Value {
    fn f32(self) -> f32 {
        match self {
            Value::F32(x) => x,
            other => panic!("{other:?} is no f32"),
        }
    }

    fn i32(self) -> i32 {
        match self {
            Value::I32(x) => x,
            other => panic!("{other:?} is no i32"),
        }
    }

    fn mask(self) -> bool {
        match self {
            Value::Mask(x) => x,
            other => panic!("{other:?} is no mask"),
        }
    }

    fn bits(self) -> u32 {
        match self {
            Value::F32(x) => x.to_bits(),
            Value::I32(x) => x as u32,
            Value::Mask(x) => u32::from(x),
        }
    }
}

struct Machine<'a> {
    module: &'a Module,
    memory: Vec<Vec<u32>>,
    vars: Vec<i64>,
    regs: Vec<Option<Value>>,
    types: &'a [Lane],
    counters: Vec<i64>,
}

/// Runs a module once, on the bits of its externals.
pub(super) fn run(module: &Module, externals: &mut [&mut Buffer]) {
    let memory = module.buffers.iter().map(|buffer| match &buffer.storage {
        Storage::External(number) => externals[*number].bits().to_vec(),
        Storage::Arena(_) | Storage::Scratch(_) => vec![0; buffer.len],
        Storage::Constant(words) => words.clone(),
    });
    let mut machine = Machine {
        module,
        memory: memory.collect(),
        vars: Vec::new(),
        regs: Vec::new(),
        types: &[],
        counters: vec![0; module.repeats.len()],
    };
    machine.kernels(0..module.kernels.len(), 0);
    for (buffer, memory) in module.buffers.iter().zip(&machine.memory) {
        if let Storage::External(number) = buffer.storage {
            externals[number].bits_mut().copy_from_slice(memory);
        }
    }
}

impl<'a> Machine<'a> {
    /// Some of the kernels, with the repetitions from that number on that lie within.
    fn kernels(&mut self, range: std::ops::Range<usize>, from: usize) {
        let module = self.module;
        let mut at = range.start;
        while at < range.end {
            let repeats = module.repeats.iter().enumerate().skip(from);
            let here =
                repeats.into_iter().find(|(_, repeat)| repeat.kernels.start == at && repeat.kernels.end <= range.end);
            match here {
                Some((number, repeat)) => {
                    for step in 0..repeat.extent {
                        self.counters[number] = step as i64;
                        self.kernels(repeat.kernels.clone(), number + 1);
                    }
                    at = repeat.kernels.end;
                }
                None => {
                    self.kernel(&module.kernels[at]);
                    at += 1;
                }
            }
        }
    }

    fn kernel(&mut self, kernel: &'a Kernel) {
        self.vars = vec![0; kernel.vars.len()];
        self.regs = vec![None; kernel.regs.len()];
        self.types = &kernel.regs;
        if let Some((var, repeat)) = kernel.step {
            self.vars[var.0 as usize] = self.counters[repeat];
        }
        let (var, shards) = kernel.shards.unwrap_or((Var(u32::MAX), 1));
        for shard in 0..shards {
            if let Some(slot) = self.vars.get_mut(var.0 as usize) {
                *slot = shard as i64;
            }
            self.stmts(&kernel.body);
        }
    }

    /// The place of an element in a row.
    fn in_row(&self, place: &Place, row: Reg, rows: &Rows) -> usize {
        let row = self.reg(row).i32().clamp(0, rows.count as i32 - 1) as usize;
        self.affine(&place.index) as usize + row * rows.stride
    }

    fn read(&self, place: &Place, at: usize) -> Value {
        let bits = self.memory[place.buffer.0 as usize][at];
        match self.module.buffers[place.buffer.0 as usize].dtype {
            DType::F32 => Value::F32(f32::from_bits(bits)),
            DType::I32 => Value::I32(bits as i32),
            DType::Bool => Value::Mask(bits != 0),
        }
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::For { var, extent, body, .. } => {
                    for i in 0..*extent {
                        self.vars[var.0 as usize] = i as i64;
                        self.stmts(body);
                    }
                }
                Stmt::Map { var, extent, block } => {
                    for i in 0..*extent {
                        self.vars[var.0 as usize] = i as i64;
                        self.block(block);
                    }
                }
                Stmt::Fold { var, extent, block, folds } => {
                    let mut rows = Vec::new();
                    for i in 0..*extent {
                        self.vars[var.0 as usize] = i as i64;
                        self.block(block);
                        let second = |fold: &Fold| match fold.combine {
                            Combine::Fma(second) => self.reg(second),
                            _ => Value::I32(0),
                        };
                        rows.push(folds.iter().map(|f| (self.reg(f.value), second(f))).collect::<Vec<_>>());
                    }
                    for (number, fold) in folds.iter().enumerate() {
                        let values: Vec<_> = rows.iter().map(|row| row[number]).collect();
                        self.regs[fold.result.0 as usize] = Some(self.fold(fold, &values));
                    }
                }
                Stmt::Scalar(block) => self.block(block),
                Stmt::Tile(tile) => self.tile(tile),
                Stmt::Sort(sort) => self.sort(sort),
            }
        }
    }

    fn fold(&self, fold: &Fold, values: &[(Value, Value)]) -> Value {
        if let Combine::ArgMax | Combine::ArgMin = fold.combine {
            let mut best = 0;
            for (i, (value, _)) in values.iter().enumerate() {
                let better = match (value, values[best].0) {
                    (Value::F32(x), Value::F32(y)) if fold.combine == Combine::ArgMax => *x > y,
                    (Value::F32(x), Value::F32(y)) => *x < y,
                    (Value::I32(x), Value::I32(y)) if fold.combine == Combine::ArgMax => *x > y,
                    (Value::I32(x), Value::I32(y)) => *x < y,
                    _ => panic!("of numbers"),
                };
                if better {
                    best = i;
                }
            }
            return Value::I32(best as i32);
        }
        let float = self.types[fold.value.0 as usize] == Lane::F32;
        let start = match fold.combine {
            Combine::Add | Combine::Fma(_) if float => Value::F32(0.0),
            Combine::Mul if float => Value::F32(1.0),
            Combine::Max if float => Value::F32(f32::NEG_INFINITY),
            Combine::Min if float => Value::F32(f32::INFINITY),
            Combine::Add => Value::I32(0),
            Combine::Mul => Value::I32(1),
            Combine::Max => Value::I32(i32::MIN),
            Combine::Min => Value::I32(i32::MAX),
            _ => panic!("{:?}", fold.combine),
        };
        let join = |acc: Value, value: Value| match (fold.combine, acc, value) {
            (Combine::Add | Combine::Fma(_), Value::F32(a), Value::F32(b)) => Value::F32(a + b),
            (Combine::Mul, Value::F32(a), Value::F32(b)) => Value::F32(a * b),
            (Combine::Max, Value::F32(a), Value::F32(b)) => Value::F32(if a > b { a } else { b }),
            (Combine::Min, Value::F32(a), Value::F32(b)) => Value::F32(if a < b { a } else { b }),
            (Combine::Add, Value::I32(a), Value::I32(b)) => Value::I32(a.wrapping_add(b)),
            (Combine::Mul, Value::I32(a), Value::I32(b)) => Value::I32(a.wrapping_mul(b)),
            (Combine::Max, Value::I32(a), Value::I32(b)) => Value::I32(a.max(b)),
            (Combine::Min, Value::I32(a), Value::I32(b)) => Value::I32(a.min(b)),
            other => panic!("{other:?}"),
        };
        let step = |acc: Value, (value, second): (Value, Value)| match fold.combine {
            Combine::Fma(_) => Value::F32(value.f32().mul_add(second.f32(), acc.f32())),
            _ => join(acc, value),
        };
        match fold.order {
            Order::Sequence => values.iter().fold(start, |acc, value| step(acc, *value)),
            Order::Interleaved => {
                let mut partial = [start; 16];
                for (i, value) in values.iter().enumerate() {
                    partial[i % 16] = step(partial[i % 16], *value);
                }
                for half in [8, 4, 2, 1] {
                    for i in 0..half {
                        partial[i] = join(partial[i], partial[i + half]);
                    }
                }
                partial[0]
            }
        }
    }

    fn sort(&mut self, sort: &Sort) {
        let [keys, order] = [&sort.keys, &sort.order].map(|place| self.affine(&place.index) as usize);
        let key = |index: &usize| self.memory[sort.keys.buffer.0 as usize][keys + index] as i32;
        let mut indices: Vec<usize> = (0..sort.extent).collect();
        indices.sort_by_key(key);
        for (place, index) in indices.into_iter().enumerate() {
            self.memory[sort.order.buffer.0 as usize][order + place * sort.stride] = index as u32;
        }
    }

    fn tile(&mut self, tile: &Tile) {
        let [a, b, c] = [&tile.a, &tile.b, &tile.c].map(|place| self.affine(&place.index) as usize);
        for row in 0..tile.rows {
            for col in 0..tile.cols {
                let mut sum = 0.0f32;
                for k in 0..tile.depth {
                    let x = self.memory[tile.a.buffer.0 as usize][a + row * tile.a_strides.0 + k * tile.a_strides.1];
                    let y = self.memory[tile.b.buffer.0 as usize][b + k * tile.b_stride + col];
                    sum = f32::from_bits(x).mul_add(f32::from_bits(y), sum);
                }
                let cell = &mut self.memory[tile.c.buffer.0 as usize][c + row * tile.c_stride + col];
                *cell = if tile.accumulate { (f32::from_bits(*cell) + sum).to_bits() } else { sum.to_bits() };
            }
        }
    }

    fn affine(&self, index: &Affine) -> i64 {
        index.offset + index.terms.iter().map(|(var, stride)| stride * self.vars[var.0 as usize]).sum::<i64>()
    }

    fn reg(&self, reg: Reg) -> Value {
        self.regs[reg.0 as usize].expect("the register is defined")
    }

    fn block(&mut self, block: &Block) {
        for inst in &block.insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        let (dst, value) = match inst {
            Inst::F32 { dst, value } => (*dst, Value::F32(*value)),
            Inst::I32 { dst, value } => (*dst, Value::I32(*value)),
            Inst::Index { dst, value } => (*dst, Value::I32(self.affine(value) as i32)),
            Inst::Load { dst, place } => (*dst, self.read(place, self.affine(&place.index) as usize)),
            Inst::LoadAt { dst, place, row, rows } => (*dst, self.read(place, self.in_row(place, *row, rows))),
            Inst::StoreAt { place, row, rows, value } => {
                let at = self.in_row(place, *row, rows);
                self.memory[place.buffer.0 as usize][at] = self.reg(*value).bits();
                return;
            }
            Inst::Store { place, value } => {
                let at = self.affine(&place.index) as usize;
                self.memory[place.buffer.0 as usize][at] = self.reg(*value).bits();
                return;
            }
            Inst::One { dst, op, x } => (*dst, one(*op, self.reg(*x))),
            Inst::Two { dst, op, a, b } => (*dst, two(*op, self.reg(*a), self.reg(*b))),
            Inst::Fma { dst, a, b, c } => {
                (*dst, Value::F32(self.reg(*a).f32().mul_add(self.reg(*b).f32(), self.reg(*c).f32())))
            }
            Inst::Select { dst, mask, a, b } => (*dst, self.reg(if self.reg(*mask).mask() { *a } else { *b })),
            Inst::Math { dst, op, operands } => {
                let operands: Vec<f32> = operands.iter().map(|reg| self.reg(*reg).f32()).collect();
                (
                    *dst,
                    Value::F32(match op {
                        MathOp::Unary(function) => nnc::numerics::unary(*function, operands[0]),
                        MathOp::Pow => nnc::numerics::pow(operands[0], operands[1]),
                    }),
                )
            }
            Inst::Uniform { dst, seed, step, purpose, element } => {
                let element = self.affine(element) as u32;
                let seed = seed.map(|word| self.reg(word).i32() as u32);
                let words = philox([element / 4, self.reg(*step).i32() as u32, *purpose, 0], seed);
                (*dst, Value::F32((words[element as usize % 4] >> 8) as f32 / 16_777_216.0))
            }
            Inst::Loop { var, extent, carried, block, .. } => {
                let mut current: Vec<Value> = carried.iter().map(|value| self.reg(value.start)).collect();
                for i in 0..*extent {
                    for (value, now) in carried.iter().zip(&current) {
                        self.regs[value.current.0 as usize] = Some(*now);
                    }
                    self.vars[var.0 as usize] = i as i64;
                    self.block(block);
                    current = carried.iter().map(|value| self.reg(value.next)).collect();
                }
                for (value, now) in carried.iter().zip(current) {
                    self.regs[value.result.0 as usize] = Some(now);
                }
                return;
            }
        };
        self.regs[dst.0 as usize] = Some(value);
    }
}

fn one(op: OneOp, x: Value) -> Value {
    match op {
        OneOp::Neg => Value::F32(-x.f32()),
        OneOp::NegI => Value::I32(x.i32().wrapping_neg()),
        OneOp::Abs => Value::F32(x.f32().abs()),
        OneOp::Floor => Value::F32(x.f32().floor()),
        OneOp::Ceil => Value::F32(x.f32().ceil()),
        OneOp::Round => Value::F32(x.f32().round_ties_even()),
        OneOp::Sqrt => Value::F32(x.f32().sqrt()),
        OneOp::ToI32 => Value::I32(x.f32() as i32),
        OneOp::ToF32 => Value::F32(x.i32() as f32),
        OneOp::MaskToI32 => Value::I32(i32::from(x.mask())),
        OneOp::I32ToMask => Value::Mask(x.i32() != 0),
        OneOp::BitsOf => Value::I32(x.f32().to_bits() as i32),
        OneOp::FromBits => Value::F32(f32::from_bits(x.i32() as u32)),
        OneOp::Not => Value::Mask(!x.mask()),
    }
}

fn two(op: TwoOp, a: Value, b: Value) -> Value {
    match op {
        TwoOp::Add => Value::F32(a.f32() + b.f32()),
        TwoOp::Sub => Value::F32(a.f32() - b.f32()),
        TwoOp::Mul => Value::F32(a.f32() * b.f32()),
        TwoOp::Div => Value::F32(a.f32() / b.f32()),
        TwoOp::Max => Value::F32(if a.f32() > b.f32() { a.f32() } else { b.f32() }),
        TwoOp::Min => Value::F32(if a.f32() < b.f32() { a.f32() } else { b.f32() }),
        TwoOp::AddI => Value::I32(a.i32().wrapping_add(b.i32())),
        TwoOp::SubI => Value::I32(a.i32().wrapping_sub(b.i32())),
        TwoOp::MulI => Value::I32(a.i32().wrapping_mul(b.i32())),
        TwoOp::MaxI => Value::I32(a.i32().max(b.i32())),
        TwoOp::MinI => Value::I32(a.i32().min(b.i32())),
        TwoOp::AndI => Value::I32(a.i32() & b.i32()),
        TwoOp::OrI => Value::I32(a.i32() | b.i32()),
        TwoOp::XorI => Value::I32(a.i32() ^ b.i32()),
        TwoOp::Shl => Value::I32(a.i32() << b.i32()),
        TwoOp::ShrU => Value::I32((a.i32() as u32 >> b.i32()) as i32),
        TwoOp::ShrS => Value::I32(a.i32() >> b.i32()),
        TwoOp::And => Value::Mask(a.mask() && b.mask()),
        TwoOp::Or => Value::Mask(a.mask() || b.mask()),
        TwoOp::Compare(comparison) => Value::Mask(match (a, b) {
            (Value::F32(a), Value::F32(b)) => compare(comparison, a, b),
            (Value::I32(a), Value::I32(b)) => compare(comparison, a, b),
            (Value::Mask(a), Value::Mask(b)) => compare(comparison, a, b),
            other => panic!("{other:?}"),
        }),
    }
}

fn compare<T: PartialOrd>(comparison: Comparison, a: T, b: T) -> bool {
    match comparison {
        Comparison::Eq => a == b,
        Comparison::Ne => a != b,
        Comparison::Lt => a < b,
        Comparison::Le => a <= b,
        Comparison::Gt => a > b,
        Comparison::Ge => a >= b,
    }
}

/// Philox4x32-10 as its authors write it.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let first = u64::from(counter[0]) * 0xD251_1F53;
        let second = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}
