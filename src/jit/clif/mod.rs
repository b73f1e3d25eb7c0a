//! Kernels to CLIF: the only folder that names Cranelift instructions.
//!
//! In: a [`Kernel`] and where each buffer lies ([`Layout`]). Out: CLIF appended to a function under construction. Loops
//! are translated one to one; what is decided here (how many vectors a round takes, what is written out, what is
//! computed once before a loop) changes no bit. `block` translates the instructions of a block, `loops` the statements
//! that run blocks over lanes, `tile` products, `sort` orders, `uniform` random numbers.
//!
//! A register is held as one scalar where all its lanes are equal, else as one `F32X4` or `I32X4` per group of four
//! lanes. A mask is an `I8` of 0 or 1 as a scalar, an `I32X4` of zeros and ones as lanes.

mod block;
mod loops;
mod sort;
mod tile;
mod uniform;

pub(super) use loops::size;
pub(super) use tile::{TILE_PARAMETERS, TileKey, emit_tile_function};

use crate::kernel::{Affine, Buffer, Kernel, Lane, Module, Place, Reg, Stmt, Storage, Var};
use cranelift::codegen::ir::{BlockArg, FuncRef, Function};
use cranelift::prelude::*;
use cranelift_module::FuncId;
use std::collections::HashMap;

/// The number of lanes of a vector.
const LANES: i64 = 4;

/// The most groups of four lanes that a block is emitted for at once.
const MAX_GROUPS: usize = 4;

/// A pointer of the table that a call is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Slot {
    /// The pointer of that number in the table.
    Table(usize),
    /// The running thread's scratch memory.
    Scratch,
}

/// Where buffers lie: the table of pointers holds the arena, the constants, and then the externals.
pub(super) struct Layout {
    places: Vec<(Slot, i64)>,
    /// All constant data, each buffer's at a multiple of 64 bytes.
    pub(super) constants: Vec<u32>,
    /// The number of pointers in the table.
    pub(super) table: usize,
    /// Where the counters of repetitions begin, behind the pointers.
    pub(super) counters: usize,
}

/// The table's place of the arena.
pub(super) const TABLE_ARENA: usize = 0;
/// The table's place of the constants.
pub(super) const TABLE_CONSTANTS: usize = 1;
/// The table's place of the first external.
pub(super) const TABLE_EXTERNALS: usize = 2;

impl Layout {
    /// The layout of a module's buffers.
    pub(super) fn new(module: &Module) -> Layout {
        let mut constants = Vec::new();
        let mut place = |buffer: &Buffer| match &buffer.storage {
            Storage::External(number) => (Slot::Table(TABLE_EXTERNALS + number), 0),
            Storage::Arena(from) => (Slot::Table(TABLE_ARENA), 4 * *from as i64),
            Storage::Scratch(from) => (Slot::Scratch, 4 * *from as i64),
            Storage::Constant(words) => {
                let from = constants.len();
                constants.extend_from_slice(words);
                constants.resize(constants.len().next_multiple_of(16), 0);
                (Slot::Table(TABLE_CONSTANTS), 4 * from as i64)
            }
        };
        let places = module.buffers.iter().map(&mut place).collect();
        let table = TABLE_EXTERNALS + module.externals;
        Layout { places, constants, table, counters: table }
    }
}

/// What matters of the machine that code is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Whether vector instructions take operands in memory at any address. Without, Cranelift 0.135 still puts an unaligned load
    /// into `cmpps`, which then faults: a cast in between keeps loads apart.
    pub(super) unaligned_operands: bool,
}

impl Machine {
    /// The machine of a set of instructions.
    pub(super) fn new(isa: &dyn isa::TargetIsa) -> Machine {
        let flags = isa.isa_flags();
        let avx = flags.iter().find(|flag| flag.name == "has_avx").and_then(|flag| flag.as_bool());
        Machine { unaligned_operands: avx.unwrap_or(true) }
    }
}

/// Gives functions under construction the means to call others.
pub(super) trait Link {
    /// A reference, usable in `function`, to a function of the program or of the host.
    fn function(&mut self, id: FuncId, function: &mut Function) -> FuncRef;
    /// A reference, usable in `function`, to the function of that tile.
    fn tile(&mut self, key: TileKey, function: &mut Function) -> FuncRef;
}

/// What a variable stands for at this point of the code: `value + offset`.
#[derive(Clone, Copy)]
struct Binding {
    value: Option<Value>,
    offset: i64,
    /// How many variables were bound before it.
    depth: usize,
}

/// What a register holds at this point of the code.
#[derive(Clone, Copy, Default)]
struct Held {
    /// The value of all lanes.
    one: Option<Value>,
    /// The bits of `one` where they are known.
    bits: Option<u32>,
    /// The values of the groups of lanes.
    lanes: [Option<Value>; MAX_GROUPS],
}

/// Four lanes that are computed together.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// What lane 0 adds to the lane variable's binding.
    first: i64,
    /// How many of the lanes exist.
    active: usize,
}

/// How many values of a lane variable a block is emitted for.
#[derive(Clone, Copy)]
enum Width<'a> {
    /// One.
    One,
    /// Several groups of lanes of that variable.
    Lanes(Var, &'a [Group]),
}

/// A function under construction.
pub(super) struct Emitter<'a, 'f> {
    builder: FunctionBuilder<'f>,
    machine: Machine,
    layout: &'a Layout,
    link: &'a mut dyn Link,
    table: Vec<Option<Value>>,
    scratch: Value,
    /// Sums `a + b · factor` that were computed.
    sums: HashMap<(Value, Value, i64), Value>,
    /// Products `a · factor` that were computed.
    products: HashMap<(Value, i64), Value>,
    /// What was computed, in order.
    known: Vec<Known>,
    /// The kernel being translated: the type of its registers, what its variables and registers are.
    types: Vec<Lane>,
    vars: Vec<Option<Binding>>,
    depth: usize,
    regs: Vec<Held>,
    /// What is added to the address of an access: the row it is in, in bytes.
    row: Option<Value>,
    /// The table itself.
    pointers: Value,
}

impl<'a, 'f> Emitter<'a, 'f> {
    /// Begins a function whose first two parameters are the table and the scratch memory; gives all its parameters.
    pub(super) fn new(
        mut builder: FunctionBuilder<'f>,
        machine: Machine,
        layout: &'a Layout,
        link: &'a mut dyn Link,
        kernels: &[Kernel],
    ) -> (Emitter<'a, 'f>, Vec<Value>) {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        let parameters = builder.block_params(entry).to_vec();
        let mut used = vec![false; layout.table];
        for kernel in kernels {
            for_each_place(&kernel.body, &mut |place| {
                if let (Slot::Table(slot), _) = layout.places[place.buffer.0 as usize] {
                    used[slot] = true;
                }
            });
        }
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        let table = used
            .iter()
            .enumerate()
            .map(|(slot, used)| used.then(|| builder.ins().load(types::I64, flags, parameters[0], 8 * slot as i32)))
            .collect();
        let scratch = parameters[1];
        let emitter = Emitter {
            builder,
            machine,
            layout,
            link,
            table,
            scratch,
            sums: HashMap::new(),
            products: HashMap::new(),
            known: Vec::new(),
            types: Vec::new(),
            vars: Vec::new(),
            depth: 0,
            regs: Vec::new(),
            row: None,
            pointers: parameters[0],
        };
        (emitter, parameters)
    }

    /// Appends a kernel; with `shards`, the first shard and the one after the last.
    pub(super) fn kernel(&mut self, kernel: &Kernel, shards: Option<(Value, Value)>) {
        self.types = kernel.regs.clone();
        self.vars = vec![None; kernel.vars.len()];
        self.regs = vec![Held::default(); kernel.regs.len()];
        self.depth = 0;
        if let Some((var, repeat)) = kernel.step {
            let offset = 8 * (self.layout.counters + repeat) as i32;
            let counter = self.builder.ins().load(types::I64, MemFlagsData::trusted(), self.pointers, offset);
            self.bind(var, Some(counter), 0);
        }
        match (kernel.shards, shards) {
            (Some((var, _)), Some((from, to))) => {
                self.counted(from, Bound::Value(to), 1, &[], &mut |this, index, _| {
                    this.bind(var, Some(index), 0);
                    this.stmts(&kernel.body);
                    this.unbind(var);
                    Vec::new()
                });
            }
            (Some((var, extent)), None) => self.repeat(var, extent, false, &kernel.body),
            (None, _) => self.stmts(&kernel.body),
        }
    }

    /// Appends a loop that runs `body` so many times, with its counter in the table for the kernels inside.
    pub(super) fn repeat_all(&mut self, repeat: usize, extent: usize, body: &mut dyn FnMut(&mut Self)) {
        let from = self.number(0);
        let offset = 8 * (self.layout.counters + repeat) as i32;
        self.counted(from, Bound::Number(extent as i64), 1, &[], &mut |this, index, _| {
            this.builder.ins().store(MemFlagsData::trusted(), index, this.pointers, offset);
            body(this);
            Vec::new()
        });
    }

    /// Appends a call of one of the program's functions.
    pub(super) fn call(&mut self, function: FuncId, arguments: &[Value]) {
        let function = self.link.function(function, self.builder.func);
        self.builder.ins().call(function, arguments);
    }

    /// Appends a call of the host's `parallel` for a kernel's function and number of shards.
    pub(super) fn call_parallel(&mut self, parallel: FuncId, call: Value, kernel: FuncId, shards: usize) {
        let kernel = self.link.function(kernel, self.builder.func);
        let kernel = self.builder.ins().func_addr(types::I64, kernel);
        let shards = self.number(shards as i64);
        self.call(parallel, &[call, kernel, shards]);
    }

    fn number(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(types::I64, value)
    }

    /// Ends the function.
    pub(super) fn finish(mut self, config: isa::TargetFrontendConfig) {
        self.builder.ins().return_(&[]);
        self.builder.seal_all_blocks();
        self.builder.finalize(config);
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::For { var, extent, unroll, body } => self.repeat(*var, *extent, *unroll, body),
                Stmt::Map { var, extent, block } => self.map(*var, *extent, block),
                Stmt::Fold { var, extent, block, folds } => self.fold(*var, *extent, block, folds),
                Stmt::Scalar(block) => self.block(&block.insts, Width::One, &[]),
                Stmt::Tile(tile) => self.tile(tile),
                Stmt::Sort(sort) => self.sort(sort),
            }
        }
    }

    fn repeat(&mut self, var: Var, extent: usize, unroll: bool, body: &[Stmt]) {
        if unroll || extent <= 1 {
            for index in 0..extent {
                self.bind(var, None, index as i64);
                self.stmts(body);
                self.unbind(var);
            }
            return;
        }
        for_each_place(body, &mut |place| self.prepare(place));
        let from = self.number(0);
        self.counted(from, Bound::Number(extent as i64), 1, &[], &mut |this, index, _| {
            this.bind(var, Some(index), 0);
            this.stmts(body);
            this.unbind(var);
            Vec::new()
        });
    }

    fn bind(&mut self, var: Var, value: Option<Value>, offset: i64) {
        self.vars[var.0 as usize] = Some(Binding { value, offset, depth: self.depth });
        self.depth += 1;
    }

    fn unbind(&mut self, var: Var) {
        self.vars[var.0 as usize] = None;
        self.depth -= 1;
    }

    fn binding(&self, var: Var) -> Binding {
        self.vars[var.0 as usize].expect("the variable is bound")
    }

    /// A loop that runs at least once: `body` is given the index and the carried values, and gives their next ones.
    #[allow(clippy::type_complexity, reason = "the type says what the sentence above says")]
    fn counted(
        &mut self,
        from: Value,
        to: Bound,
        step: i64,
        carried: &[Value],
        body: &mut dyn FnMut(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let known = self.known.len();
        let head = Loop::begin(&mut self.builder, &[&[from], carried].concat());
        let go_on = |builder: &mut FunctionBuilder, index| match to {
            Bound::Number(to) => builder.ins().icmp_imm_s(IntCC::SignedLessThan, index, to),
            Bound::Value(to) => builder.ins().icmp(IntCC::SignedLessThan, index, to),
        };
        if carried.is_empty() {
            body(self, head.current[0], &[]);
            let following = self.builder.ins().iadd_imm_s(head.current[0], step);
            let go_on = go_on(&mut self.builder, following);
            head.end_checked(&mut self.builder, go_on, following);
        } else {
            let go_on = go_on(&mut self.builder, head.current[0]);
            head.check(&mut self.builder, go_on);
            let mut next = body(self, head.current[0], &head.current[1..]);
            next.insert(0, self.builder.ins().iadd_imm_s(head.current[0], step));
            head.end(&mut self.builder, &next);
        }
        self.forget(known);
        head.current[1..].to_vec()
    }

    /// Forgets what was computed inside a loop that has ended.
    fn forget(&mut self, known: usize) {
        for fact in self.known.split_off(known) {
            match fact {
                Known::Sum(address, value, factor) => {
                    self.sums.remove(&(address, value, factor));
                }
                Known::Product(value, factor) => {
                    self.products.remove(&(value, factor));
                }
                Known::Lanes(reg, one) => {
                    let held = &mut self.regs[reg.0 as usize];
                    if held.one == Some(one) {
                        held.lanes = [None; MAX_GROUPS];
                    }
                }
            }
        }
    }

    fn base(&self, slot: Slot) -> Value {
        match slot {
            Slot::Table(slot) => self.table[slot].expect("the pointer was loaded at the function's start"),
            Slot::Scratch => self.scratch,
        }
    }

    /// An address and a constant number of bytes to add, for the element at `place` with `extra` elements added.
    fn address(&mut self, place: &Place, extra: i64) -> (Value, i32) {
        let (slot, start) = self.layout.places[place.buffer.0 as usize];
        let (sum, offset) = self.affine(&place.index);
        let bytes = start + 4 * (offset + extra);
        let mut address = self.base(slot);
        for (value, stride) in sum {
            address = self.sum(address, value, 4 * stride);
        }
        if let Some(row) = self.row {
            address = self.builder.ins().iadd(address, row);
        }
        match i32::try_from(bytes) {
            Ok(bytes) => (address, bytes),
            Err(_) => (self.builder.ins().iadd_imm_s(address, bytes), 0),
        }
    }

    /// The address of an element.
    fn pointer(&mut self, place: &Place) -> Value {
        let (address, bytes) = self.address(place, 0);
        if bytes == 0 { address } else { self.builder.ins().iadd_imm_s(address, i64::from(bytes)) }
    }

    /// The values and strides that an affine expression adds up at this point, outermost first, and its constant part.
    fn affine(&self, index: &Affine) -> (Vec<(Value, i64)>, i64) {
        let constant = |&(var, stride): &(Var, i64)| stride * self.binding(var).offset;
        (self.bound_terms(index), index.offset + index.terms.iter().map(constant).sum::<i64>())
    }

    fn bound_terms(&self, index: &Affine) -> Vec<(Value, i64)> {
        let mut terms = Vec::with_capacity(index.terms.len());
        for &(var, stride) in &index.terms {
            if let Some(Binding { value: Some(value), depth, .. }) = self.vars[var.0 as usize] {
                terms.push((depth, value, stride));
            }
        }
        terms.sort_by_key(|&(depth, ..)| depth);
        terms.into_iter().map(|(_, value, stride)| (value, stride)).collect()
    }

    /// The value of an affine expression as i64.
    fn index(&mut self, index: &Affine) -> Value {
        let (terms, offset) = self.affine(index);
        let mut sum = None;
        for (value, stride) in terms {
            let scaled = self.scaled(value, stride);
            sum = Some(match sum {
                None => scaled,
                Some(sum) => self.builder.ins().iadd(sum, scaled),
            });
        }
        match sum {
            None => self.number(offset),
            Some(sum) if offset == 0 => sum,
            Some(sum) => self.builder.ins().iadd_imm_s(sum, offset),
        }
    }

    fn sum(&mut self, address: Value, value: Value, factor: i64) -> Value {
        if let Some(sum) = self.sums.get(&(address, value, factor)) {
            return *sum;
        }
        // Factors that an address can hold need no instruction of their own: they are not shared.
        let scaled = match factor {
            1 => value,
            2 | 4 | 8 => self.builder.ins().ishl_imm_u(value, i64::from(factor.trailing_zeros())),
            _ => self.scaled(value, factor),
        };
        let sum = self.builder.ins().iadd(address, scaled);
        self.sums.insert((address, value, factor), sum);
        self.known.push(Known::Sum(address, value, factor));
        sum
    }

    fn scaled(&mut self, value: Value, factor: i64) -> Value {
        if factor == 1 {
            return value;
        }
        if let Some(product) = self.products.get(&(value, factor)) {
            return *product;
        }
        let product = if factor > 0 && factor.count_ones() == 1 {
            self.builder.ins().ishl_imm_u(value, i64::from(factor.trailing_zeros()))
        } else {
            self.builder.ins().imul_imm_s(value, factor)
        };
        self.products.insert((value, factor), product);
        self.known.push(Known::Product(value, factor));
        product
    }

    /// Computes in front of a loop what the addresses inside have in common: the parts of the variables bound so far.
    fn prepare(&mut self, place: &Place) {
        let (slot, _) = self.layout.places[place.buffer.0 as usize];
        let mut address = self.base(slot);
        for (value, stride) in self.bound_terms(&place.index) {
            address = self.sum(address, value, 4 * stride);
        }
    }

    fn lane_type(&self, reg: Reg) -> Lane {
        self.types[reg.0 as usize]
    }
}

/// A loop under construction.
///
/// Values that are carried from round to round leave the loop from its head, not from its end. Used by the next round and
/// behind the loop, each would be used twice, and the backend would not put loads into the instructions that
/// a value with two uses is made of.
struct Loop {
    head: Block,
    exit: Block,
    /// The carried values, during a round and behind the loop.
    current: Vec<Value>,
}

impl Loop {
    /// Begins a loop whose first round is given these values. What follows is its head.
    fn begin(builder: &mut FunctionBuilder, carried: &[Value]) -> Loop {
        let head = builder.create_block();
        let exit = builder.create_block();
        let mut current = Vec::with_capacity(carried.len());
        for &value in carried {
            let ty = builder.func.dfg.value_type(value);
            current.push(builder.append_block_param(head, ty));
        }
        builder.ins().jump(head, &arguments(carried));
        builder.switch_to_block(head);
        Loop { head, exit, current }
    }

    /// Leaves the loop unless `go_on`. What follows is its body.
    fn check(&self, builder: &mut FunctionBuilder, go_on: Value) {
        let body = builder.create_block();
        builder.ins().brif(go_on, body, &[], self.exit, &[]);
        builder.switch_to_block(body);
    }

    /// Ends a round. What follows stands behind the loop.
    fn end(&self, builder: &mut FunctionBuilder, next: &[Value]) {
        builder.ins().jump(self.head, &arguments(next));
        builder.switch_to_block(self.exit);
    }

    /// Ends a round of a loop that carries its index alone and has no check at its head.
    fn end_checked(&self, builder: &mut FunctionBuilder, go_on: Value, index: Value) {
        builder.ins().brif(go_on, self.head, &arguments(&[index]), self.exit, &[]);
        builder.switch_to_block(self.exit);
    }
}

fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| BlockArg::Value(value)).collect()
}

/// Something computed inside a loop that is not known behind it.
enum Known {
    /// An entry of `sums`.
    Sum(Value, Value, i64),
    /// An entry of `products`.
    Product(Value, i64),
    /// The repetition of a register's value.
    Lanes(Reg, Value),
}

/// Where a counted loop ends.
#[derive(Clone, Copy)]
enum Bound {
    Number(i64),
    Value(Value),
}

/// The CLIF type of a single value.
fn scalar_type(lane: Lane) -> Type {
    match lane {
        Lane::F32 => types::F32,
        Lane::I32 => types::I32,
        Lane::Mask => types::I8,
    }
}

/// The CLIF type of four lanes.
fn vector_type(lane: Lane) -> Type {
    match lane {
        Lane::F32 => types::F32X4,
        Lane::I32 | Lane::Mask => types::I32X4,
    }
}

/// The stride of an affine expression in a variable.
fn stride(index: &Affine, var: Var) -> i64 {
    index.terms.iter().find(|(other, _)| *other == var).map_or(0, |(_, stride)| *stride)
}

/// Calls `visit` with every place of some statements.
fn for_each_place(stmts: &[Stmt], visit: &mut dyn FnMut(&Place)) {
    for stmt in stmts {
        match stmt {
            Stmt::For { body, .. } => for_each_place(body, visit),
            Stmt::Map { block, .. } | Stmt::Fold { block, .. } | Stmt::Scalar(block) => {
                block.insts.iter().for_each(|inst| inst.for_each_place(visit));
            }
            Stmt::Tile(tile) => [&tile.a, &tile.b, &tile.c].into_iter().for_each(&mut *visit),
            Stmt::Sort(sort) => [&sort.keys, &sort.work, &sort.order].into_iter().for_each(&mut *visit),
        }
    }
}
