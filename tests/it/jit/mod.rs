//! Modules written by hand, compiled and run: every instruction, statement, element type and extent, to the bit.

mod reference;

use nnc::graph::DType;
use nnc::jit::{Buffer, Isa, Pool, Target, compile};
use nnc::kernel::*;

/// The extents that meet every way of cutting values into groups and rounds.
const EXTENTS: [usize; 17] = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100, 130, 259];

/// Writes a module of one kernel.
struct Writer {
    module: Module,
    kernel: Kernel,
}

impl Writer {
    fn new() -> Writer {
        let kernel = Kernel { name: "k0".into(), title: "test".into(), cost: 1_000_000, ..Kernel::default() };
        Writer { module: Module { name: "test".into(), ..Module::default() }, kernel }
    }

    fn external(&mut self, dtype: DType, len: usize) -> BufferId {
        let storage = Storage::External(self.module.externals);
        self.module.externals += 1;
        self.buffer(dtype, len, storage)
    }

    fn buffer(&mut self, dtype: DType, len: usize, storage: Storage) -> BufferId {
        let id = BufferId(self.module.buffers.len() as u32);
        self.module.buffers.push(nnc::kernel::Buffer { name: format!("b{}", id.0), dtype, len, storage });
        id
    }

    fn var(&mut self) -> Var {
        self.kernel.vars.push(format!("i{}", self.kernel.vars.len()));
        Var(self.kernel.vars.len() as u32 - 1)
    }

    fn reg(&mut self, lane: Lane) -> Reg {
        self.kernel.regs.push(lane);
        Reg(self.kernel.regs.len() as u32 - 1)
    }

    fn load(&mut self, insts: &mut Vec<Inst>, place: Place) -> Reg {
        let dst = self.reg(match self.module.buffers[place.buffer.0 as usize].dtype {
            DType::F32 => Lane::F32,
            DType::I32 => Lane::I32,
            DType::Bool => Lane::Mask,
        });
        insts.push(Inst::Load { dst, place });
        dst
    }

    fn finish(mut self, body: Vec<Stmt>) -> Module {
        self.kernel.body = body;
        self.module.kernels.push(self.kernel);
        self.module
    }
}

fn at(buffer: BufferId, terms: &[(Var, i64)], offset: i64) -> Place {
    let terms = terms.iter().copied().filter(|(_, stride)| *stride != 0).collect();
    Place { buffer, index: Affine { terms, offset } }
}

/// Numbers with the awkward ones among them.
fn awkward(len: usize, seed: u32) -> Vec<f32> {
    let special = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2.5, -0.5, 3e9, -3e9, 1e-40, 0.5, -1.5];
    let mut state = seed;
    let number = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let special = special.get((state >> 16) as usize % 37).copied().filter(|_| !i.is_multiple_of(3));
        special.unwrap_or((state >> 8) as f32 / 1_000_000.0 - 8.0)
    };
    (0..len).map(number).collect()
}

fn integers(len: usize, seed: u32) -> Vec<i32> {
    awkward(len, seed).iter().enumerate().map(|(i, x)| (x.to_bits() as i32).rotate_left(i as u32 % 32)).collect()
}

/// External buffers filled for a module.
fn inputs(module: &Module) -> Vec<Buffer> {
    let mut buffers: Vec<&nnc::kernel::Buffer> =
        module.buffers.iter().filter(|buffer| matches!(buffer.storage, Storage::External(_))).collect();
    buffers.sort_by_key(|buffer| match buffer.storage {
        Storage::External(number) => number,
        _ => 0,
    });
    let fill = |(number, buffer): (usize, &&nnc::kernel::Buffer)| {
        let seed = 17 + number as u32;
        let mut filled = Buffer::new(buffer.dtype, buffer.len);
        match buffer.dtype {
            DType::F32 => filled.as_f32_mut().copy_from_slice(&awkward(buffer.len, seed)),
            DType::I32 => filled.as_i32_mut().copy_from_slice(&integers(buffer.len, seed)),
            DType::Bool => {
                let bits: Vec<i32> = integers(buffer.len, seed).iter().map(|x| x & 1).collect();
                filled.as_i32_mut().copy_from_slice(&bits);
            }
        }
        filled
    };
    buffers.iter().enumerate().map(fill).collect()
}

/// Compiled code and the reference leave the same bits, for every instruction set and at one and two threads.
#[track_caller]
fn agree(module: &Module) {
    let mut expected = inputs(module);
    reference::run(module, &mut expected.iter_mut().collect::<Vec<_>>());
    for isa in [Isa::Native, Isa::Avx2, Isa::Portable].into_iter().filter(|isa| isa.is_supported()) {
        let program = compile(module, &Target { isa, listing: false });
        for threads in [1, 2] {
            let pool = Pool::new(threads);
            let mut workspace = program.workspace(&pool);
            let mut actual = inputs(module);
            program.run(&mut workspace, &mut actual.iter_mut().collect::<Vec<_>>());
            for (number, (expected, actual)) in expected.iter().zip(&actual).enumerate() {
                for (i, (x, y)) in expected.bits().iter().zip(actual.bits()).enumerate() {
                    let nans = |bits: u32| expected.dtype() == DType::F32 && f32::from_bits(bits).is_nan();
                    if x != y && !(nans(*x) && nans(*y)) {
                        let code = compile(module, &Target { isa, listing: true });
                        panic!(
                            "{isa:?}, {threads} threads, external {number}, element {i}: {x:#x} ({}) expected, {y:#x} ({}) found\n{}",
                            f32::from_bits(*x),
                            f32::from_bits(*y),
                            code.listing().map(|listing| listing.clif.as_str()).unwrap_or_default(),
                        );
                    }
                }
            }
        }
    }
}

/// `out[i] = op(x[i], …)` under a map, for every extent; and with one operand the same for all lanes.
fn check_inst(operands: &[DType], result: DType, make: &dyn Fn(Reg, &[Reg]) -> Inst) {
    for extent in EXTENTS {
        for uniform in 0..=operands.len() {
            let mut w = Writer::new();
            let i = w.var();
            let mut insts = Vec::new();
            let mut regs = Vec::new();
            for (number, dtype) in operands.iter().enumerate() {
                let buffer = w.external(*dtype, extent.max(1) + 2);
                let step = i64::from(number != uniform);
                regs.push(w.load(&mut insts, at(buffer, &[(i, step)], 1)));
            }
            let dst = w.reg(match result {
                DType::F32 => Lane::F32,
                DType::I32 => Lane::I32,
                DType::Bool => Lane::Mask,
            });
            insts.push(make(dst, &regs));
            let out = w.external(result, extent + 1);
            insts.push(Inst::Store { place: at(out, &[(i, 1)], 1), value: dst });
            agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
        }
    }
}

#[test]
fn one_operand() {
    use DType::{Bool, F32, I32};
    use OneOp::*;
    let ops = [
        (Neg, F32, F32),
        (NegI, I32, I32),
        (Abs, F32, F32),
        (Floor, F32, F32),
        (Ceil, F32, F32),
        (Round, F32, F32),
        (Sqrt, F32, F32),
        (ToI32, F32, I32),
        (ToF32, I32, F32),
        (MaskToI32, Bool, I32),
        (I32ToMask, I32, Bool),
        (BitsOf, F32, I32),
        (FromBits, I32, F32),
        (Not, Bool, Bool),
    ];
    for (op, from, to) in ops {
        check_inst(&[from], to, &|dst, x| Inst::One { dst, op, x: x[0] });
    }
}

#[test]
fn two_operands() {
    use DType::{Bool, F32, I32};
    use TwoOp::*;
    let mut ops = vec![(And, Bool, Bool), (Or, Bool, Bool)];
    ops.extend([Add, Sub, Mul, Div, Max, Min].map(|op| (op, F32, F32)));
    ops.extend([AddI, SubI, MulI, MaxI, MinI, AndI, OrI, XorI].map(|op| (op, I32, I32)));
    use Comparison::*;
    for comparison in [Eq, Ne, Lt, Le, Gt, Ge] {
        ops.extend([F32, I32].map(|dtype| (Compare(comparison), dtype, Bool)));
    }
    ops.extend([Eq, Ne].map(|comparison| (Compare(comparison), Bool, Bool)));
    for (op, from, to) in ops {
        check_inst(&[from, from], to, &|dst, x| Inst::Two { dst, op, a: x[0], b: x[1] });
    }
}

#[test]
fn shifts() {
    for op in [TwoOp::Shl, TwoOp::ShrU, TwoOp::ShrS] {
        for amount in [0, 1, 9, 31] {
            for extent in [1, 3, 17] {
                let mut w = Writer::new();
                let i = w.var();
                let [x, out] = [0; 2].map(|_| w.external(DType::I32, extent));
                let by = w.reg(Lane::I32);
                let mut insts = vec![Inst::I32 { dst: by, value: amount }];
                let a = w.load(&mut insts, at(x, &[(i, 1)], 0));
                let dst = w.reg(Lane::I32);
                insts.push(Inst::Two { dst, op, a, b: by });
                insts.push(Inst::Store { place: at(out, &[(i, 1)], 0), value: dst });
                agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
            }
        }
    }
}

#[test]
fn three_operands() {
    use DType::{Bool, F32, I32};
    check_inst(&[F32, F32, F32], F32, &|dst, x| Inst::Fma { dst, a: x[0], b: x[1], c: x[2] });
    for dtype in [F32, I32, Bool] {
        check_inst(&[Bool, dtype, dtype], dtype, &|dst, x| Inst::Select { dst, mask: x[0], a: x[1], b: x[2] });
    }
}

/// The functions of `numerics`, next to one another and on one lane.
#[test]
fn functions() {
    use nnc::graph::Unary::*;
    for function in [Exp, Log, Log1p, Sin, Cos, Tanh, Erf, Sigmoid, Softplus, Sign] {
        for extent in [1, 4, 7, 33] {
            let mut w = Writer::new();
            let i = w.var();
            let [x, y] = [0; 2].map(|_| w.external(DType::F32, extent));
            let mut insts = Vec::new();
            let value = w.load(&mut insts, at(x, &[(i, 1)], 0));
            let dst = w.reg(Lane::F32);
            insts.push(Inst::Math { dst, op: MathOp::Unary(function), operands: vec![value] });
            insts.push(Inst::Store { place: at(y, &[(i, 1)], 0), value: dst });
            agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
        }
    }
}

/// Transposed, repeated and reversed copies, constants and indices: every kind of stride, under loops.
#[test]
fn places() {
    for (rows, cols) in [(1, 1), (3, 5), (4, 4), (6, 17), (2, 33)] {
        for (steps, unroll) in [([1, 0], false), ([0, 1], true), ([2, 3], false), ([cols, 1], false), ([1, rows], true)]
        {
            let mut w = Writer::new();
            let [i, j] = [w.var(), w.var()];
            let len = rows * steps[0] + cols * steps[1] + 1;
            let x = w.external(DType::F32, len);
            let n = w.external(DType::I32, rows * cols);
            let y = w.external(DType::F32, rows * cols);
            let z = w.external(DType::F32, rows * cols);
            let mut insts = Vec::new();
            let value = w.load(&mut insts, at(x, &[(i, steps[0] as i64), (j, steps[1] as i64)], 1));
            let [index, float, half, sum] = [Lane::I32, Lane::F32, Lane::F32, Lane::F32].map(|lane| w.reg(lane));
            let number = Affine { terms: vec![(i, 7), (j, -3)], offset: 11 };
            insts.push(Inst::Index { dst: index, value: number });
            insts.push(Inst::One { dst: float, op: OneOp::ToF32, x: index });
            insts.push(Inst::F32 { dst: half, value: 0.5 });
            insts.push(Inst::Fma { dst: sum, a: float, b: half, c: value });
            let row_major = [(i, cols as i64), (j, 1)];
            let column_major = [(j, rows as i64), (i, 1)];
            insts.push(Inst::Store { place: at(n, &row_major, 0), value: index });
            insts.push(Inst::Store { place: at(y, &column_major, 0), value });
            insts.push(Inst::Store {
                place: at(z, &[(i, -(cols as i64)), (j, -1)], (rows * cols) as i64 - 1),
                value: sum,
            });
            let map = Stmt::Map { var: j, extent: cols, block: Block { insts } };
            agree(&w.finish(vec![Stmt::For { var: i, extent: rows, unroll, body: vec![map] }]));
        }
    }
}

/// A copy without arithmetic, from every stride to every stride.
#[test]
fn copies() {
    for extent in EXTENTS {
        for (from, to) in [(1, 1), (3, 1), (1, 2), (5, 3), (0, 1), (0, 2)] {
            for dtype in [DType::F32, DType::I32, DType::Bool] {
                let mut w = Writer::new();
                let i = w.var();
                let [x, y] = [from, to].map(|step| w.external(dtype, extent.max(1) * step.max(1) as usize));
                let mut insts = Vec::new();
                let value = w.load(&mut insts, at(x, &[(i, from)], 0));
                insts.push(Inst::Store { place: at(y, &[(i, to)], 0), value });
                agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
            }
        }
    }
}

/// `x` is read, changed and stored in place, at offsets of its own.
#[test]
fn in_place() {
    for extent in EXTENTS {
        let mut w = Writer::new();
        let i = w.var();
        let x = w.external(DType::F32, extent + 3);
        let mut insts = Vec::new();
        let value = w.load(&mut insts, at(x, &[(i, 1)], 3));
        let first = w.load(&mut insts, at(x, &[], 0));
        let dst = w.reg(Lane::F32);
        insts.push(Inst::Two { dst, op: TwoOp::Sub, a: value, b: first });
        insts.push(Inst::Store { place: at(x, &[(i, 1)], 3), value: dst });
        agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
    }
}

#[test]
fn folds() {
    use Combine::*;
    use Order::*;
    let mut cases = Vec::new();
    for order in [Sequence, Interleaved] {
        for combine in [Add, Mul, Max, Min] {
            cases.push((combine, order, DType::F32));
            cases.push((combine, order, DType::I32));
        }
        cases.push((Fma(Reg(1)), order, DType::F32));
    }
    for dtype in [DType::F32, DType::I32] {
        cases.extend([(ArgMax, Sequence, dtype), (ArgMin, Sequence, dtype)]);
    }
    for (combine, order, dtype) in cases {
        for extent in EXTENTS {
            for (step, work) in [(1, false), (1, true), (3, false), (0, false)] {
                let arg = matches!(combine, ArgMax | ArgMin);
                if arg && extent == 0 {
                    continue;
                }
                let mut w = Writer::new();
                let [i, row] = [w.var(), w.var()];
                let [x, y] = [0; 2].map(|_| w.external(dtype, 2 * extent * step as usize + 1));
                let mut insts = Vec::new();
                let mut value =
                    w.load(&mut insts, at(x, &[(row, extent as i64), (i, step)], 1).within(2 * extent * step as usize));
                w.load(&mut insts, at(y, &[(i, step)], 0));
                if work {
                    let lane = w.kernel.regs[value.0 as usize];
                    let dst = w.reg(lane);
                    let op = if lane == Lane::F32 { OneOp::Neg } else { OneOp::NegI };
                    insts.push(Inst::One { dst, op, x: value });
                    value = dst;
                }
                let lane = if arg { Lane::I32 } else { w.kernel.regs[value.0 as usize] };
                let result = w.reg(lane);
                let twice = w.reg(lane);
                let out = w.external(if arg { DType::I32 } else { dtype }, 2);
                let op = if lane == Lane::F32 { TwoOp::Add } else { TwoOp::AddI };
                let after = vec![
                    Inst::Two { dst: twice, op, a: result, b: result },
                    Inst::Store { place: at(out, &[(row, 1)], 0), value: twice },
                ];
                let fold = Stmt::Fold {
                    var: i,
                    extent,
                    block: Block { insts },
                    folds: vec![Fold { combine, order, value, result }],
                };
                let body = vec![fold, Stmt::Scalar(Block { insts: after })];
                agree(&w.finish(vec![Stmt::For { var: row, extent: 2, unroll: false, body }]));
            }
        }
    }
}

trait Within {
    fn within(self, len: usize) -> Place;
}

impl Within for Place {
    /// The place, without its first term where that would lead out of a buffer of that length.
    fn within(mut self, len: usize) -> Place {
        let reach: i64 = self.index.terms.iter().map(|(_, stride)| *stride).sum();
        if reach as usize > len {
            self.index.terms.truncate(0);
            self.index.offset = 0;
        }
        self
    }
}

/// Several folds of one block, in different orders.
#[test]
fn folds_together() {
    for extent in EXTENTS.into_iter().skip(1) {
        let mut w = Writer::new();
        let i = w.var();
        let x = w.external(DType::F32, extent);
        let mut insts = Vec::new();
        let value = w.load(&mut insts, at(x, &[(i, 1)], 0));
        let folds = [
            (Combine::Add, Order::Interleaved),
            (Combine::Max, Order::Sequence),
            (Combine::ArgMax, Order::Sequence),
            (Combine::Fma(value), Order::Interleaved),
            (Combine::Add, Order::Sequence),
        ];
        let mut after = Vec::new();
        let folds = folds.map(|(combine, order)| {
            let arg = combine == Combine::ArgMax;
            let result = w.reg(if arg { Lane::I32 } else { Lane::F32 });
            let out = w.external(if arg { DType::I32 } else { DType::F32 }, 1);
            after.push(Inst::Store { place: at(out, &[], 0), value: result });
            Fold { combine, order, value, result }
        });
        let fold = Stmt::Fold { var: i, extent, block: Block { insts }, folds: folds.to_vec() };
        agree(&w.finish(vec![fold, Stmt::Scalar(Block { insts: after })]));
    }
}

/// `y[i] = Σ_k a[k] · x[k, i]`, and the largest factor, by a loop inside a map.
#[test]
fn loops_inside() {
    for extent in [1, 2, 4, 7, 16, 19, 40] {
        for (depth, unroll) in [(0, 1), (1, 1), (2, 4), (5, 1), (8, 4), (9, 4), (3, 3)] {
            let mut w = Writer::new();
            let [i, k] = [w.var(), w.var()];
            let a = w.external(DType::F32, depth.max(1));
            let x = w.external(DType::F32, (depth * extent).max(1));
            let [y, z] = [0; 2].map(|_| w.external(DType::F32, extent));
            let [zero, low, sum, most, next, more, end, top] = [Lane::F32; 8].map(|lane| w.reg(lane));
            let mut inner = Vec::new();
            let factor = w.load(&mut inner, at(a, &[(k, 1)], 0));
            let value = w.load(&mut inner, at(x, &[(k, extent as i64), (i, 1)], 0));
            inner.push(Inst::Fma { dst: next, a: factor, b: value, c: sum });
            inner.push(Inst::Two { dst: more, op: TwoOp::Max, a: most, b: factor });
            let carried = vec![
                Carried { start: zero, current: sum, next, result: end },
                Carried { start: low, current: most, next: more, result: top },
            ];
            let insts = vec![
                Inst::F32 { dst: zero, value: 0.0 },
                Inst::F32 { dst: low, value: f32::NEG_INFINITY },
                Inst::Loop { var: k, extent: depth, unroll, carried, block: Block { insts: inner } },
                Inst::Store { place: at(y, &[(i, 1)], 0), value: end },
                Inst::Store { place: at(z, &[(i, 1)], 0), value: top },
            ];
            agree(&w.finish(vec![Stmt::Map { var: i, extent, block: Block { insts } }]));
        }
    }
}

#[test]
fn tiles() {
    for (rows, cols) in [(1, 4), (2, 8), (3, 4), (6, 4), (5, 8), (6, 8)] {
        for depth in [0, 1, 2, 3, 4, 7, 8, 9, 64, 301] {
            for (transposed, accumulate) in [(false, false), (true, false), (false, true)] {
                let mut w = Writer::new();
                let t = w.var();
                let a = w.external(DType::F32, (rows * depth).max(1));
                let b = w.external(DType::F32, (depth * (cols + 1) * 2).max(1));
                let c = w.external(DType::F32, 2 * rows * (cols + 3));
                let tile = Tile {
                    rows,
                    cols,
                    depth,
                    a: at(a, &[], 0),
                    a_strides: if transposed { (1, rows) } else { (depth, 1) },
                    b: at(b, &[(t, (depth * (cols + 1)) as i64)], 0),
                    b_stride: cols + 1,
                    c: at(c, &[(t, (rows * (cols + 3)) as i64)], 0),
                    c_stride: cols + 3,
                    accumulate,
                };
                agree(&w.finish(vec![Stmt::For { var: t, extent: 2, unroll: false, body: vec![Stmt::Tile(tile)] }]));
            }
        }
    }
}

#[test]
fn orders() {
    for extent in EXTENTS.into_iter().filter(|extent| *extent > 0) {
        for stride in [1, 3] {
            let mut w = Writer::new();
            let row = w.var();
            let keys = w.external(DType::I32, 2 * extent);
            let equal = w.external(DType::I32, extent);
            let order = w.external(DType::I32, 2 * extent * stride);
            let work = w.buffer(DType::I32, Sort::work(extent), Storage::Arena(0));
            w.module.arena = Sort::work(extent).next_multiple_of(16);
            let sort = |keys: Place| {
                let order = at(order, &[(row, (extent * stride) as i64)], 0);
                Stmt::Sort(Sort { extent, keys, work: at(work, &[], 0), order, stride })
            };
            let sorts = [at(keys, &[(row, extent as i64)], 0), at(equal, &[], 0)].map(sort);
            // Keys of few values have equals.
            let lane = w.var();
            let mut insts = Vec::new();
            let key = w.load(&mut insts, at(equal, &[(lane, 1)], 0));
            let (three, few) = (w.reg(Lane::I32), w.reg(Lane::I32));
            insts.push(Inst::I32 { dst: three, value: 3 });
            insts.push(Inst::Two { dst: few, op: TwoOp::AndI, a: key, b: three });
            insts.push(Inst::Store { place: at(equal, &[(lane, 1)], 0), value: few });
            let fill = Stmt::Map { var: lane, extent, block: Block { insts } };
            for sort in sorts {
                let body = vec![fill.clone(), Stmt::For { var: row, extent: 2, unroll: false, body: vec![sort] }];
                let kernel = Kernel { body, ..w.kernel.clone() };
                agree(&Module { kernels: vec![kernel], ..w.module.clone() });
            }
        }
    }
}

#[test]
fn uniforms() {
    for extent in EXTENTS {
        for (step, offset) in [(1, 0), (1, 3), (1, 8), (3, 1), (0, 5)] {
            let mut w = Writer::new();
            let [i, row] = [w.var(), w.var()];
            let y = w.external(DType::F32, 3 * extent.max(1));
            let [s0, s1, now] = [Lane::I32; 3].map(|lane| w.reg(lane));
            let dst = w.reg(Lane::F32);
            let terms: Vec<(Var, i64)> =
                [(row, extent as i64), (i, step)].into_iter().filter(|term| term.1 != 0).collect();
            let insts = vec![
                Inst::I32 { dst: s0, value: -77 },
                Inst::I32 { dst: s1, value: 123_456_789 },
                Inst::I32 { dst: now, value: 42 },
                Inst::Uniform { dst, seed: [s0, s1], step: now, purpose: 9, element: Affine { terms, offset } },
                Inst::Store { place: at(y, &[(row, extent as i64), (i, 1)], 0), value: dst },
            ];
            let map = Stmt::Map { var: i, extent, block: Block { insts } };
            agree(&w.finish(vec![Stmt::For { var: row, extent: 3, unroll: false, body: vec![map] }]));
        }
    }
}

/// Shards with scratch memory of their own, the arena between two kernels, and constants.
#[test]
fn shards_and_storages() {
    let mut w = Writer::new();
    let [shard, i, j] = [w.var(), w.var(), w.var()];
    let x = w.external(DType::F32, 12 * 20);
    let y = w.external(DType::F32, 12 * 20);
    let table = w.buffer(DType::F32, 20, Storage::Constant((0..20).map(|i| (i as f32).to_bits()).collect()));
    let scratch = w.buffer(DType::F32, 20, Storage::Scratch(16));
    let arena = w.buffer(DType::F32, 12 * 20, Storage::Arena(32));
    w.module.scratch = 36;
    w.module.arena = 272;
    w.kernel.shards = Some((shard, 12));
    let mut first = Vec::new();
    let value = w.load(&mut first, at(x, &[(shard, 20), (i, 1)], 0));
    let factor = w.load(&mut first, at(table, &[(i, -1)], 19));
    let product = w.reg(Lane::F32);
    first.push(Inst::Two { dst: product, op: TwoOp::Mul, a: value, b: factor });
    first.push(Inst::Store { place: at(scratch, &[(i, 1)], 0), value: product });
    let mut second = Vec::new();
    let back = w.load(&mut second, at(scratch, &[(j, -1)], 19));
    second.push(Inst::Store { place: at(arena, &[(shard, 20), (j, 1)], 0), value: back });
    let body = vec![
        Stmt::Map { var: i, extent: 20, block: Block { insts: first } },
        Stmt::Map { var: j, extent: 20, block: Block { insts: second } },
    ];
    let mut last = Kernel { name: "k1".into(), vars: vec!["i".into()], regs: vec![Lane::F32], ..Kernel::default() };
    let insts = vec![
        Inst::Load { dst: Reg(0), place: at(arena, &[(Var(0), 1)], 0) },
        Inst::Store { place: at(y, &[(Var(0), 1)], 0), value: Reg(0) },
    ];
    last.body = vec![Stmt::Map { var: Var(0), extent: 240, block: Block { insts } }];
    let mut module = w.finish(body);
    module.kernels.push(last);
    agree(&module);
    module.kernels[0].cost = 0;
    agree(&module);
}

/// The text of a kernel with a loop inside a map, of a fold and of a tile.
#[test]
fn text() {
    let mut w = Writer::new();
    let [i, j, k, s] = ["i", "j", "k", "s"].map(|name| {
        w.kernel.vars.push(name.into());
        Var(w.kernel.vars.len() as u32 - 1)
    });
    let mut named = |name: &str, len| {
        let id = w.external(DType::F32, len);
        w.module.buffers[id.0 as usize].name = name.into();
        id
    };
    let [p, weights, b, y, most] =
        [("p", 64), ("W", 8), ("b", 4), ("y", 128), ("most", 32)].map(|(n, len)| named(n, len));
    w.kernel.shards = Some((s, 2));
    let [zero, sum, next, end, plus, low, out] = [Lane::F32; 7].map(|lane| w.reg(lane));
    let mut inner = Vec::new();
    let x = w.load(&mut inner, at(p, &[(s, 32), (i, 2), (k, 1)], 0));
    let factor = w.load(&mut inner, at(weights, &[(k, 4), (j, 1)], 0));
    inner.push(Inst::Fma { dst: next, a: x, b: factor, c: sum });
    let mut insts = vec![Inst::F32 { dst: zero, value: 0.0 }, Inst::F32 { dst: low, value: -1e-7 }];
    let carried = vec![Carried { start: zero, current: sum, next, result: end }];
    insts.push(Inst::Loop { var: k, extent: 2, unroll: 1, carried, block: Block { insts: inner } });
    let bias = w.load(&mut insts, at(b, &[(j, 1)], 0));
    insts.push(Inst::Two { dst: plus, op: TwoOp::Add, a: end, b: bias });
    insts.push(Inst::Two { dst: out, op: TwoOp::Max, a: plus, b: low });
    insts.push(Inst::Store { place: at(y, &[(s, 64), (i, 4), (j, 1)], 0), value: out });
    let map = Stmt::Map { var: j, extent: 4, block: Block { insts } };
    let [row, largest] = [w.var(), w.var()];
    let mut insts = Vec::new();
    let value = w.load(&mut insts, at(y, &[(s, 64), (row, 4), (largest, 1)], 0));
    let result = w.reg(Lane::F32);
    let folds = vec![Fold { combine: Combine::Max, order: Order::Sequence, value, result }];
    let fold = Stmt::Fold { var: largest, extent: 4, block: Block { insts }, folds };
    let store =
        Stmt::Scalar(Block { insts: vec![Inst::Store { place: at(most, &[(s, 16), (row, 1)], 0), value: result }] });
    let tile = Stmt::Tile(Tile {
        rows: 4,
        cols: 4,
        depth: 2,
        a: at(p, &[(s, 32)], 2),
        a_strides: (2, 1),
        b: at(weights, &[], 0),
        b_stride: 4,
        c: at(y, &[(s, 64)], 0),
        c_stride: 4,
        accumulate: true,
    });
    let body = vec![
        Stmt::For { var: i, extent: 16, unroll: false, body: vec![map] },
        Stmt::For { var: row, extent: 16, unroll: true, body: vec![fold, store] },
        tile,
    ];
    let module = w.finish(body);
    agree(&module);
    insta::assert_snapshot!(nnc::kernel::print::print(&module), @r#"
    module test {
      p: f32[64] = external 0
      W: f32[8] = external 1
      b: f32[4] = external 2
      y: f32[128] = external 3
      most: f32[32] = external 4
    }
    kernel k0 "test" (2 shards over s, cost 1000000) {
      for i in 0..16 {
        map j in 0..4 {
          %3 = loop k in 0..2 (%1 = 0.0) { next fma(p[32*s + 2*i + k], W[4*k + j], %1) }
          store y[64*s + 4*i + j], max(add(%3, b[j]), -1e-7)
        }
      }
      for i4 in 0..16 unrolled {
        fold i5 in 0..4 {
          %11 = max in sequence of y[64*s + 4*i4 + i5]
        }
        do {
          store most[16*s + i4], %11
        }
      }
      tile 4x4: y[64*s + 4*r + c] += sum q in 0..2 of p[32*s + 2 + 2*r + q] * W[4*q + c]
    }
    "#);
}

/// What `verify` finds.
#[test]
fn faults() {
    let module = |change: &dyn Fn(&mut Module)| {
        let mut w = Writer::new();
        let i = w.var();
        let [x, y] = [0; 2].map(|_| w.external(DType::F32, 16));
        let mut insts = Vec::new();
        let value = w.load(&mut insts, at(x, &[(i, 2)], 1));
        insts.push(Inst::Store { place: at(y, &[(i, 1)], 0), value });
        let mut module = w.finish(vec![Stmt::Map { var: i, extent: 8, block: Block { insts } }]);
        change(&mut module);
        nnc::kernel::verify::verify(&module)
    };
    let block = |module: &mut Module, change: &dyn Fn(&mut Vec<Inst>)| match &mut module.kernels[0].body[0] {
        Stmt::Map { block, .. } => change(&mut block.insts),
        other => panic!("{other:?}"),
    };
    assert_eq!(module(&|_| {}), Ok(()));
    let fault = |change: &dyn Fn(&mut Module)| module(change).expect_err("a fault");
    let faults = [
        fault(&|m| m.buffers[0].len = 15),
        fault(&|m| m.buffers[0].dtype = DType::I32),
        fault(&|m| m.externals = 1),
        fault(&|m| block(m, &|insts| insts.swap(0, 1))),
        fault(&|m| block(m, &|insts| insts.push(insts[0].clone()))),
        fault(&|m| m.kernels[0].vars.clear()),
        fault(&|m| m.buffers[1].storage = Storage::Arena(4)),
    ];
    insta::assert_snapshot!(faults.join("\n"), @"
    b0[1..=15] is not within its 15 elements
    %0 is F32, its value I32
    external 1 is not there
    %0 is used before its assignment
    %0 is assigned for the second time
    Var(0) has no name
    begins at element 4 of the arena, no multiple of 16
    ");
}
