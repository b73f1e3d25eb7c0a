//! Writes the instructions of a kernel: the value of a node at an index, each computed once and as far out as it can be.
//!
//! A stack of scopes mirrors the loops that are open: the kernel, each [`Stmt::For`], the lanes of a [`Stmt::Map`] or [`Stmt::Fold`], each
//! [`Inst::Loop`]. An instruction goes to the innermost scope whose variable it depends on, through its operands or its index, so that
//! what does not change in a loop stands before it.

use super::{
    Affine, Block, BufferId, Carried, Comparison, Inst, Kernel, Lane, MathOp, OneOp, Place, Reg, Rows, Stmt, TwoOp, Var,
};
use crate::graph::windows::Along;
use crate::graph::{Binary, DType, Graph, NodeId, Op, Scalar, Time, Unary};
use crate::plan::{Index, Plan, Storage, operand_index, row_major, with_unit_axes};
use std::collections::HashMap;

impl Affine {
    /// A fixed index.
    pub(super) fn constant(offset: i64) -> Affine {
        Affine { terms: Vec::new(), offset }
    }

    /// The value of a variable.
    pub(super) fn var(var: Var) -> Affine {
        Affine { terms: vec![(var, 1)], offset: 0 }
    }

    /// So many times the value.
    pub(super) fn times(&self, factor: i64) -> Affine {
        if factor == 0 {
            return Affine::default();
        }
        let terms = self.terms.iter().map(|&(var, stride)| (var, stride * factor)).collect();
        Affine { terms, offset: self.offset * factor }
    }

    /// The sum.
    pub(super) fn plus(&self, other: &Affine) -> Affine {
        let mut terms = self.terms.clone();
        for &(var, stride) in &other.terms {
            match terms.iter_mut().find(|term| term.0 == var) {
                Some(term) => term.1 += stride,
                None => terms.push((var, stride)),
            }
        }
        terms.retain(|term| term.1 != 0);
        terms.sort_unstable();
        Affine { terms, offset: self.offset + other.offset }
    }

    /// The factor of a variable.
    pub(super) fn stride(&self, var: Var) -> i64 {
        self.terms.iter().find(|term| term.0 == var).map_or(0, |term| term.1)
    }
}

impl Index for Affine {
    fn at(place: i64) -> Affine {
        Affine::constant(place)
    }

    fn shifted(self, by: i64) -> Affine {
        Affine { offset: self.offset + by, ..self }
    }

    fn step(time: Time, extent: usize) -> Affine {
        let step = Affine::var(STEP);
        if time.reversed { step.mirrored(extent) } else { step }
    }

    fn mirrored(self, extent: usize) -> Affine {
        Affine::constant(extent as i64 - 1).plus(&self.times(-1))
    }

    fn in_window(window: &Affine, element: &Affine, along: Along) -> Option<Affine> {
        Some(window.times(along.stride as i64).plus(&element.times(along.dilation as i64)))
    }
}

/// The counter of the loop around, in the kernels of its body.
pub(super) const STEP: Var = Var(0);

/// `Σ stride · index`.
pub(super) fn linear(index: &[Affine], strides: &[i64]) -> Affine {
    index.iter().zip(strides).fold(Affine::default(), |sum, (index, &stride)| sum.plus(&index.times(stride)))
}

/// An open loop.
#[derive(Default)]
struct Scope {
    var: Option<Var>,
    insts: Vec<Inst>,
    stmts: Vec<Stmt>,
    values: Vec<(NodeId, Vec<Affine>)>,
    loads: Vec<Place>,
}

/// The state of writing one kernel.
pub(super) struct Emitter<'a> {
    pub(super) graph: &'a Graph,
    pub(super) plan: &'a Plan,
    pub(super) kernel: Kernel,
    /// Loops whose rounds may run in any order.
    pub(super) independent: Vec<Var>,
    scopes: Vec<Scope>,
    depths: Vec<usize>,
    var_depths: Vec<usize>,
    values: HashMap<(NodeId, Vec<Affine>), Reg>,
    loads: HashMap<Place, Reg>,
    /// Values of the row that the kernel is in.
    known: HashMap<NodeId, Reg>,
    /// What the kernels are part of.
    pub(super) part: Part<'a>,
}

/// The module's side of a plan.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// The module's buffer for each of the plan.
    pub(super) buffers: &'a [BufferId],
    /// The repetition that the plan is the body of.
    pub(super) repeat: Option<usize>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(graph: &'a Graph, plan: &'a Plan, part: Part<'a>) -> Emitter<'a> {
        let is_step = plan.steps.is_some();
        let vars = if is_step { vec!["t".to_owned()] } else { Vec::new() };
        let step = part.repeat.filter(|_| is_step).map(|repeat| (STEP, repeat));
        Emitter {
            graph,
            plan,
            part,
            kernel: Kernel { vars, step, ..Kernel::default() },
            independent: Vec::new(),
            scopes: vec![Scope::default()],
            depths: Vec::new(),
            var_depths: if is_step { vec![0] } else { Vec::new() },
            values: HashMap::new(),
            loads: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The kernel, once all loops are closed.
    pub(super) fn finish(mut self) -> Kernel {
        debug_assert_eq!(self.scopes.len(), 1, "all loops are closed");
        self.flush();
        self.kernel.body = std::mem::take(&mut self.scopes[0].stmts);
        self.kernel
    }

    /// Opens a loop over a new variable.
    pub(super) fn open(&mut self, name: &str) -> Var {
        let var = Var(self.kernel.vars.len() as u32);
        let taken = self.kernel.vars.iter().filter(|other| other.trim_end_matches(char::is_numeric) == name).count();
        self.kernel.vars.push(if taken == 0 { name.to_string() } else { format!("{name}{taken}") });
        self.var_depths.push(self.scopes.len());
        self.scopes.push(Scope { var: Some(var), ..Scope::default() });
        var
    }

    /// Opens a loop whose rounds may run in any order.
    pub(super) fn open_independent(&mut self, name: &str) -> Var {
        let var = self.open(name);
        self.independent.push(var);
        var
    }

    fn close(&mut self) -> Scope {
        let scope = self.scopes.pop().expect("a loop is open");
        for key in &scope.values {
            self.values.remove(key);
        }
        for place in &scope.loads {
            self.loads.remove(place);
        }
        scope
    }

    /// Closes a loop of statements.
    pub(super) fn close_for(&mut self, extent: usize) {
        self.flush();
        let scope = self.close();
        let var = scope.var.expect("a loop has a variable");
        self.push_stmt(Stmt::For { var, extent, unroll: false, body: scope.stmts });
    }

    /// Closes a loop of lanes.
    pub(super) fn close_lanes(&mut self) -> (Var, Block) {
        let scope = self.close();
        debug_assert!(scope.stmts.is_empty(), "lanes hold no statements");
        (scope.var.expect("a loop has a variable"), Block { insts: scope.insts })
    }

    /// Closes a loop of instructions.
    pub(super) fn close_loop(&mut self, extent: usize, unroll: usize, carried: Vec<Carried>) {
        let (var, block) = self.close_lanes();
        for value in &carried {
            self.depths[value.result.0 as usize] = self.depth();
        }
        self.scopes.last_mut().expect("the kernel is open").insts.push(Inst::Loop {
            var,
            extent,
            unroll,
            carried,
            block,
        });
    }

    /// The innermost scope.
    pub(super) fn depth(&self) -> usize {
        self.scopes.len() - 1
    }

    /// The scope a register belongs to.
    pub(super) fn depth_of(&self, reg: Reg) -> usize {
        self.depths[reg.0 as usize]
    }

    /// Adds a statement behind what the innermost scope holds.
    pub(super) fn push_stmt(&mut self, stmt: Stmt) {
        self.flush();
        self.scopes.last_mut().expect("the kernel is open").stmts.push(stmt);
    }

    fn flush(&mut self) {
        let scope = self.scopes.last_mut().expect("the kernel is open");
        if !scope.insts.is_empty() {
            let insts = std::mem::take(&mut scope.insts);
            scope.stmts.push(Stmt::Scalar(Block { insts }));
        }
    }

    /// A new register of the innermost scope.
    pub(super) fn reg(&mut self, lane: Lane) -> Reg {
        self.reg_at(lane, self.depth())
    }

    fn reg_at(&mut self, lane: Lane, depth: usize) -> Reg {
        self.kernel.regs.push(lane);
        self.depths.push(depth);
        Reg(self.kernel.regs.len() as u32 - 1)
    }

    pub(super) fn lane(&self, reg: Reg) -> Lane {
        self.kernel.regs[reg.0 as usize]
    }

    fn affine_depth(&self, index: &Affine) -> usize {
        index.terms.iter().map(|(var, _)| self.var_depths[var.0 as usize]).max().unwrap_or(0)
    }

    fn push(&mut self, lane: Lane, depth: usize, inst: impl FnOnce(Reg) -> Inst) -> Reg {
        let dst = self.reg_at(lane, depth);
        self.scopes[depth].insts.push(inst(dst));
        dst
    }

    fn deepest(&self, regs: &[Reg]) -> usize {
        regs.iter().map(|reg| self.depth_of(*reg)).max().unwrap_or(0)
    }

    pub(super) fn f32(&mut self, value: f32) -> Reg {
        self.push(Lane::F32, 0, |dst| Inst::F32 { dst, value })
    }

    pub(super) fn i32(&mut self, value: i32) -> Reg {
        self.push(Lane::I32, 0, |dst| Inst::I32 { dst, value })
    }

    pub(super) fn one(&mut self, lane: Lane, op: OneOp, x: Reg) -> Reg {
        let depth = self.depth_of(x);
        self.push(lane, depth, |dst| Inst::One { dst, op, x })
    }

    pub(super) fn two(&mut self, lane: Lane, op: TwoOp, a: Reg, b: Reg) -> Reg {
        let depth = self.deepest(&[a, b]);
        self.push(lane, depth, |dst| Inst::Two { dst, op, a, b })
    }

    pub(super) fn fma(&mut self, a: Reg, b: Reg, c: Reg) -> Reg {
        let depth = self.deepest(&[a, b, c]);
        self.push(Lane::F32, depth, |dst| Inst::Fma { dst, a, b, c })
    }

    pub(super) fn choose(&mut self, mask: Reg, a: Reg, b: Reg) -> Reg {
        let depth = self.deepest(&[mask, a, b]);
        let lane = self.lane(a);
        if lane != Lane::Mask {
            return self.push(lane, depth, |dst| Inst::Select { dst, mask, a, b });
        }
        let when = self.two(Lane::Mask, TwoOp::And, mask, a);
        let not = self.one(Lane::Mask, OneOp::Not, mask);
        let otherwise = self.two(Lane::Mask, TwoOp::And, not, b);
        self.two(Lane::Mask, TwoOp::Or, when, otherwise)
    }

    fn math(&mut self, op: MathOp, operands: Vec<Reg>) -> Reg {
        let depth = self.deepest(&operands);
        self.push(Lane::F32, depth, |dst| Inst::Math { dst, op, operands })
    }

    pub(super) fn index_value(&mut self, value: &Affine) -> Reg {
        let depth = self.affine_depth(value);
        let value = value.clone();
        self.push(Lane::I32, depth, |dst| Inst::Index { dst, value })
    }

    /// Reads an element; the same place is read once.
    pub(super) fn load(&mut self, place: Place, dtype: DType) -> Reg {
        if let Some(&reg) = self.loads.get(&place) {
            return reg;
        }
        let depth = self.affine_depth(&place.index);
        let reg = self.push(lane_of(dtype), depth, |dst| Inst::Load { dst, place: place.clone() });
        self.scopes[depth].loads.push(place.clone());
        self.loads.insert(place, reg);
        reg
    }

    /// Reads an element in the row that a register names.
    pub(super) fn load_at(&mut self, place: Place, row: Reg, rows: Rows, lane: Lane) -> Reg {
        let depth = self.depth_of(row).max(self.affine_depth(&place.index));
        self.push(lane, depth, |dst| Inst::LoadAt { dst, place, row, rows })
    }

    /// The same in the innermost scope, of f32.
    pub(super) fn load_here(&mut self, place: Place, row: Reg, rows: Rows) -> Reg {
        let depth = self.depth();
        self.push(Lane::F32, depth, |dst| Inst::LoadAt { dst, place, row, rows })
    }

    /// Adds an instruction to the innermost scope.
    pub(super) fn push_inst(&mut self, inst: Inst) {
        self.scopes.last_mut().expect("the kernel is open").insts.push(inst);
    }

    /// Writes an element, in the innermost scope.
    pub(super) fn store(&mut self, place: Place, value: Reg) {
        self.push_inst(Inst::Store { place, value });
    }

    /// `value`, computed in the innermost scope.
    pub(super) fn in_scope(&mut self, value: Reg) -> Reg {
        if self.depth_of(value) == self.depth() {
            return value;
        }
        let (lane, op) = match self.lane(value) {
            Lane::F32 => (Lane::F32, TwoOp::Max),
            Lane::I32 => (Lane::I32, TwoOp::OrI),
            Lane::Mask => (Lane::Mask, TwoOp::Or),
        };
        let depth = self.depth();
        self.push(lane, depth, |dst| Inst::Two { dst, op, a: value, b: value })
    }

    /// The place of a stored node's element at an index.
    pub(super) fn place(&self, node: NodeId, index: &[Affine]) -> Place {
        let buffer = self.plan.stored[node.0 as usize].unwrap_or_else(|| panic!("%{} is wanted in memory", node.0));
        let shape = &self.graph[node].ty.shape;
        if let Op::Emit { time, extent } = self.graph[node].op {
            let mut whole = index.to_vec();
            whole.insert(time.axis, Affine::step(time, extent));
            let strides = row_major(&time.stack_of(shape, extent));
            return Place { buffer: self.buffer(buffer), index: linear(&whole, &strides) };
        }
        let strides = self.stored_strides(buffer, row_major(shape));
        Place { buffer: self.buffer(buffer), index: linear(index, &strides) }
    }

    /// The module's buffer for one of the plan.
    pub(super) fn buffer(&self, buffer: usize) -> BufferId {
        self.part.buffers[buffer]
    }

    /// Strides in a buffer: in scratch memory lies one row at a time, only its own axes count.
    pub(super) fn stored_strides(&self, buffer: usize, mut strides: Vec<i64>) -> Vec<i64> {
        let buffer = &self.plan.buffers[buffer];
        if let Storage::Scratch(_) = buffer.storage {
            for stride in strides.iter_mut().filter(|stride| **stride >= buffer.len as i64) {
                *stride = 0;
            }
        }
        strides
    }

    /// Lets later code find a row's value.
    pub(super) fn know(&mut self, node: NodeId, value: Reg) {
        self.known.insert(node, value);
    }

    /// Lets later code in this scope find a value.
    pub(super) fn remember(&mut self, node: NodeId, index: &[Affine], value: Reg) {
        let key = (node, index.to_vec());
        let depth = self.depth_of(value);
        self.scopes[depth].values.push(key.clone());
        self.values.insert(key, value);
    }

    /// The value of a node at an index: as computed before, evaluated in place, or read.
    pub(super) fn value(&mut self, node: NodeId, index: &[Affine]) -> Reg {
        if let Some(&reg) = self.known.get(&node) {
            return reg;
        }
        let key = (node, index.to_vec());
        if let Some(&reg) = self.values.get(&key) {
            return reg;
        }
        if !self.plan.inline[node.0 as usize] {
            let place = self.place(node, index);
            return self.load(place, self.graph[node].ty.dtype);
        }
        let value = self.compute(node, index);
        self.remember(node, index, value);
        value
    }

    /// The value of an elementwise node or a view from its operands.
    pub(super) fn compute(&mut self, node: NodeId, index: &[Affine]) -> Reg {
        let graph = self.graph;
        let operands = &graph[node].operands;
        match &graph[node].op {
            Op::Constant(Scalar::F32(value)) => self.f32(*value),
            Op::Constant(Scalar::I32(value)) => self.i32(*value),
            Op::Constant(Scalar::Bool(value)) => {
                let bit = self.i32(i32::from(*value));
                self.one(Lane::Mask, OneOp::I32ToMask, bit)
            }
            Op::Iota { axis } => self.index_value(&index[*axis]),
            Op::Unary(op) => {
                let x = self.operand(node, 0, index);
                self.unary(*op, x)
            }
            Op::Binary(op) => {
                let a = self.operand(node, 0, index);
                let b = self.operand(node, 1, index);
                self.binary(*op, a, b)
            }
            Op::Select => {
                let mask = self.operand(node, 0, index);
                let a = self.operand(node, 1, index);
                let b = self.operand(node, 2, index);
                self.choose(mask, a, b)
            }
            Op::Convert => {
                let x = self.operand(node, 0, index);
                self.convert(x, graph[node].ty.dtype)
            }
            Op::Broadcast { .. }
            | Op::Reshape
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Reverse { .. }
            | Op::Windows { .. }
            | Op::Step(_)
            | Op::Emit { .. }
            | Op::StopGradient => self.operand(node, 0, index),
            Op::Gather { .. } => self.gather(node, index),
            Op::Uniform { purpose } => {
                let seed =
                    [self.value(operands[0], &[Affine::constant(0)]), self.value(operands[0], &[Affine::constant(1)])];
                let step = self.value(operands[1], &vec![Affine::default(); graph[operands[1]].ty.rank()]);
                let element = linear(index, &row_major(&graph[node].ty.shape));
                let depth = self.deepest(&[seed[0], seed[1], step]).max(self.affine_depth(&element));
                let purpose = *purpose;
                self.push(Lane::F32, depth, |dst| Inst::Uniform { dst, seed, step, purpose, element })
            }
            Op::Contract { .. } => self.contract(node, &[index.to_vec()])[0],
            Op::Reduce { .. } | Op::ArgMax { .. } | Op::ArgMin { .. } => {
                unreachable!("{:?} has loops of its own", graph[node].op)
            }
            Op::Input(_)
            | Op::Pad { .. }
            | Op::Concat { .. }
            | Op::ScatterAdd { .. }
            | Op::ArgSort { .. }
            | Op::Scan(_)
            | Op::Result(_)
            | Op::SumBatch
            | Op::Orthogonalize => {
                unreachable!("{:?} is not evaluated in place", graph[node].op)
            }
        }
    }

    pub(super) fn operand(&mut self, node: NodeId, number: usize, index: &[Affine]) -> Reg {
        let operand = self.graph[node].operands[number];
        if let Some(index) = operand_index(self.graph, node, number, index) {
            return self.value(operand, &index);
        }
        // Another shape of something stored: the same place in row-major order.
        let place = linear(index, &row_major(&self.graph[node].ty.shape));
        let mut base = operand;
        while self.plan.inline[base.0 as usize] {
            base = self.graph[base].operands[0];
        }
        let start = self.place(base, &vec![Affine::default(); self.graph[base].ty.rank()]);
        self.load(Place { index: start.index.plus(&place), ..start }, self.graph[base].ty.dtype)
    }

    fn unary(&mut self, op: Unary, x: Reg) -> Reg {
        let machine = match op {
            Unary::Neg if self.lane(x) == Lane::I32 => OneOp::NegI,
            Unary::Neg => OneOp::Neg,
            Unary::Abs => OneOp::Abs,
            Unary::Floor => OneOp::Floor,
            Unary::Ceil => OneOp::Ceil,
            Unary::Round => OneOp::Round,
            Unary::Sqrt => OneOp::Sqrt,
            Unary::Not => OneOp::Not,
            Unary::Sign
            | Unary::Exp
            | Unary::Log
            | Unary::Log1p
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Erf
            | Unary::Sigmoid
            | Unary::Softplus => return self.math(MathOp::Unary(op), vec![x]),
        };
        self.one(self.lane(x), machine, x)
    }

    pub(super) fn binary(&mut self, op: Binary, a: Reg, b: Reg) -> Reg {
        let lane = self.lane(a);
        let is_f32 = lane == Lane::F32;
        let op = match op {
            Binary::Add => {
                if is_f32 {
                    TwoOp::Add
                } else {
                    TwoOp::AddI
                }
            }
            Binary::Sub => {
                if is_f32 {
                    TwoOp::Sub
                } else {
                    TwoOp::SubI
                }
            }
            Binary::Mul => {
                if is_f32 {
                    TwoOp::Mul
                } else {
                    TwoOp::MulI
                }
            }
            Binary::Max => {
                if is_f32 {
                    TwoOp::Max
                } else {
                    TwoOp::MaxI
                }
            }
            Binary::Min => {
                if is_f32 {
                    TwoOp::Min
                } else {
                    TwoOp::MinI
                }
            }
            Binary::Div => TwoOp::Div,
            Binary::Pow => return self.math(MathOp::Pow, vec![a, b]),
            Binary::And => TwoOp::And,
            Binary::Or => TwoOp::Or,
            Binary::Eq => return self.compare(Comparison::Eq, a, b),
            Binary::Ne => return self.compare(Comparison::Ne, a, b),
            Binary::Lt => return self.compare(Comparison::Lt, a, b),
            Binary::Le => return self.compare(Comparison::Le, a, b),
            Binary::Gt => return self.compare(Comparison::Gt, a, b),
            Binary::Ge => return self.compare(Comparison::Ge, a, b),
        };
        self.two(lane, op, a, b)
    }

    pub(super) fn compare(&mut self, comparison: Comparison, a: Reg, b: Reg) -> Reg {
        self.two(Lane::Mask, TwoOp::Compare(comparison), a, b)
    }

    fn convert(&mut self, x: Reg, dtype: DType) -> Reg {
        match (self.lane(x), dtype) {
            (Lane::F32, DType::F32) | (Lane::I32, DType::I32) | (Lane::Mask, DType::Bool) => x,
            (Lane::F32, DType::I32) => self.one(Lane::I32, OneOp::ToI32, x),
            (Lane::I32, DType::F32) => self.one(Lane::F32, OneOp::ToF32, x),
            (Lane::Mask, DType::I32) => self.one(Lane::I32, OneOp::MaskToI32, x),
            (Lane::I32, DType::Bool) => self.one(Lane::Mask, OneOp::I32ToMask, x),
            (Lane::F32, DType::Bool) => {
                let zero = self.f32(0.0);
                self.compare(Comparison::Ne, x, zero)
            }
            (Lane::Mask, DType::F32) => {
                let bit = self.one(Lane::I32, OneOp::MaskToI32, x);
                self.one(Lane::F32, OneOp::ToF32, bit)
            }
        }
    }

    /// The index of a node in a context, from the index along the context's axes.
    pub(super) fn node_index(&self, node: NodeId, canonical: &[Affine]) -> Vec<Affine> {
        with_unit_axes(&self.graph[node].ty.shape, canonical.iter().cloned())
    }
}

pub(super) fn lane_of(dtype: DType) -> Lane {
    match dtype {
        DType::F32 => Lane::F32,
        DType::I32 => Lane::I32,
        DType::Bool => Lane::Mask,
    }
}
