//! Kernels to machine code.
//!
//! In: a [`kernel::Module`]. Out: a [`Program`]: one function that runs the kernels in order, in memory of its own. Small
//! kernels are written into the step function itself or share a function; a kernel that is cut into shards and has
//! work enough for several threads is a function of its own that the step function hands to a [`Pool`]. No Cranelift
//! type leaves this folder.

mod clif;
mod math;
mod program;
mod threads;

pub use math::expand;
pub use program::{Buffer, Program, Workspace};
pub use threads::Pool;

use crate::kernel::{self, Kernel, Repeat};
use clif::{Emitter, Layout, Link, Machine, TileKey};
use cranelift::codegen::Context;
use cranelift::codegen::control::ControlPlane;
use cranelift::codegen::ir::{FuncRef, Function};
use cranelift::codegen::settings::{self, Configurable};
use cranelift::prelude::{AbiParam, FunctionBuilder, FunctionBuilderContext, Signature, Value, types};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module as _, ModuleReloc};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which instructions of the machine are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isa {
    /// All that this machine has.
    #[default]
    Native,
    /// Those of machines with AVX2 and FMA, whatever else this one has. The results are the same to the bit.
    Avx2,
    /// Those that every machine of this architecture has. The results are the same to the bit.
    Portable,
}

impl Isa {
    /// Whether this machine can run them.
    pub fn is_supported(self) -> bool {
        match self {
            Isa::Native | Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
                    && std::arch::is_x86_feature_detected!("bmi2")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 => false,
        }
    }

    /// What is told of it: of the native ones, the widest vectors that the code makes use of.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Native if Isa::Avx2.is_supported() => "avx2",
            Isa::Native if cfg!(target_arch = "aarch64") => "neon",
            Isa::Native => "native",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }
}

/// What Cranelift calls the instructions of [`Isa::Avx2`].
const AVX2: [&str; 11] = [
    "has_cmpxchg16b",
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_avx",
    "has_avx2",
    "has_fma",
    "has_bmi1",
    "has_bmi2",
];

/// How to compile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Target {
    /// The instructions.
    pub isa: Isa,
    /// Whether the program keeps its code as text.
    pub listing: bool,
}

/// The code of a program as text.
#[derive(Clone, Default, Debug)]
pub struct Listing {
    /// As Cranelift's intermediate form.
    pub clif: String,
    /// As instructions of the machine.
    pub asm: String,
}

/// From which cost on a kernel runs its shards in parallel: a hand-over takes as long as some ten thousand operations.
const PARALLEL_COST: u64 = 200_000;

/// Up to how many emitted instructions (estimated) kernels share a function.
const SHARED_SIZE: usize = 1200;

/// Compiles a module.
pub fn compile(module: &kernel::Module, target: &Target) -> Program {
    kernel::verify::check(module, "lowering");
    let layout = Layout::new(module);
    let jit = JITModule::new(jit_builder(target));
    let mut translator = Translator {
        machine: Machine::new(jit.isa()),
        layout: &layout,
        linker: Linker { jit, tiles: BTreeMap::new(), references: BTreeMap::new() },
        builder: FunctionBuilderContext::new(),
        translated: Vec::new(),
    };
    let mut kernels = module.kernels.clone();
    kernels.iter_mut().for_each(expand);
    let step = translator.program(&kernels, &module.repeats);
    let Translator { linker: Linker { mut jit, .. }, translated, .. } = translator;
    let listing = generate(&mut jit, translated, target.listing);
    Program::new(jit, step, module, layout, listing)
}

fn jit_builder(target: &Target) -> JITBuilder {
    let mut flags = settings::builder();
    // The optimizer would compute everything as late as possible and so in an order that needs far more registers. What it would
    // find is arranged for by `clif`, in half the time.
    let options = [
        ("opt_level", "none"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("use_colocated_libcalls", "false"),
        ("is_pic", "false"),
    ];
    for (name, value) in options {
        flags.set(name, value).expect("Cranelift knows the setting");
    }
    let mut isa =
        cranelift_native::builder_with_options(target.isa == Isa::Native).expect("Cranelift supports this machine");
    if target.isa == Isa::Avx2 {
        AVX2.iter().for_each(|flag| isa.enable(flag).expect("Cranelift knows the instructions"));
    }
    let isa = isa.finish(settings::Flags::new(flags)).expect("the settings fit together");
    let mut builder = JITBuilder::with_isa(isa, cranelift_module::default_libcall_names());
    builder.symbols(program::host_functions());
    builder
}

/// The functions of a program under construction.
struct Linker {
    jit: JITModule,
    tiles: BTreeMap<TileKey, FuncId>,
    /// What the function under construction refers to.
    references: BTreeMap<FuncId, FuncRef>,
}

impl Linker {
    fn signature(&self, parameters: usize) -> Signature {
        let mut signature = self.jit.make_signature();
        signature.params = vec![AbiParam::new(types::I64); parameters];
        signature
    }

    fn declare(&mut self, name: &str, linkage: Linkage, parameters: usize) -> FuncId {
        let signature = self.signature(parameters);
        self.jit.declare_function(name, linkage, &signature).expect("a name is declared once")
    }

    fn reference(&mut self, id: FuncId, function: &mut Function) -> FuncRef {
        let jit = &mut self.jit;
        *self.references.entry(id).or_insert_with(|| jit.declare_func_in_func(id, function))
    }
}

impl Link for Linker {
    fn function(&mut self, id: FuncId, function: &mut Function) -> FuncRef {
        self.reference(id, function)
    }

    fn tile(&mut self, key: TileKey, function: &mut Function) -> FuncRef {
        let id = match self.tiles.get(&key) {
            Some(id) => *id,
            None => {
                let id = self.declare(&format!("tile{}", self.tiles.len()), Linkage::Local, clif::TILE_PARAMETERS);
                self.tiles.insert(key, id);
                id
            }
        };
        self.reference(id, function)
    }
}

/// What the step function does, one after the other.
enum Unit<'a> {
    /// Runs these kernels where it stands.
    Inline(&'a [Kernel]),
    /// Calls a function that runs these kernels.
    Call(&'a [Kernel]),
    /// Hands the shards of a kernel to the pool.
    Parallel(&'a Kernel),
    /// Does this several times: the repetition of that number.
    Repeat(usize, usize, Vec<Unit<'a>>),
}

/// A [`Unit`] whose functions are there.
enum Ready<'a> {
    Inline(&'a [Kernel]),
    Call(FuncId),
    Parallel(FuncId, usize),
    Repeat(usize, usize, Vec<Ready<'a>>),
}

/// Whether the shards of a kernel may run on several threads.
fn is_parallel(kernel: &Kernel) -> bool {
    kernel.cost >= PARALLEL_COST && kernel.shards.is_some_and(|(_, shards)| shards > 1)
}

/// What is done for all kernels of a module; where they fit into one function, that is the step function itself.
fn units<'a>(kernels: &'a [Kernel], repeats: &[Repeat]) -> Vec<Unit<'a>> {
    let mut units = nested_units(kernels, repeats, 0..kernels.len(), 0);
    if let [Unit::Call(kernels)] = units[..] {
        units = vec![Unit::Inline(kernels)];
    }
    units
}

/// Some of the kernels with the repetitions that lie within them, from that number on.
fn nested_units<'a>(kernels: &'a [Kernel], repeats: &[Repeat], range: Range<usize>, from: usize) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let inside = repeats.iter().enumerate().skip(from);
        let next = inside.filter(|(_, other)| other.kernels.start >= at && other.kernels.end <= range.end);
        match next.min_by_key(|(number, other)| (other.kernels.start, *number)) {
            Some((number, repeat)) if repeat.kernels.start == at => {
                let body = nested_units(kernels, repeats, repeat.kernels.clone(), number + 1);
                units.push(Unit::Repeat(number, repeat.extent, body));
                at = repeat.kernels.end;
            }
            next => {
                let end = next.map_or(range.end, |(_, repeat)| repeat.kernels.start);
                straight_units(&kernels[at..end], &mut units);
                at = end;
            }
        }
    }
    units
}

/// Kernels in order, cut where a function ends: those that share one have about [`SHARED_SIZE`] instructions.
fn straight_units<'a>(kernels: &'a [Kernel], units: &mut Vec<Unit<'a>>) {
    let mut rest = kernels;
    while let Some(first) = rest.first() {
        if is_parallel(first) {
            units.push(Unit::Parallel(first));
            rest = &rest[1..];
            continue;
        }
        let mut size = 0;
        let fits = |kernel: &&Kernel| {
            size += clif::size(kernel);
            !is_parallel(kernel) && size <= SHARED_SIZE
        };
        let count = rest.iter().take_while(fits).count().max(1);
        units.push(Unit::Call(&rest[..count]));
        rest = &rest[count..];
    }
}

/// A function in Cranelift's intermediate form.
struct Translated {
    id: FuncId,
    context: Context,
    /// Its text, where that is asked for.
    clif: String,
}

/// Translates kernels and the step function to CLIF.
struct Translator<'m> {
    machine: Machine,
    layout: &'m Layout,
    linker: Linker,
    builder: FunctionBuilderContext,
    translated: Vec<Translated>,
}

impl Translator<'_> {
    /// Translates all functions; gives the step function.
    fn program(&mut self, kernels: &[Kernel], repeats: &[Repeat]) -> FuncId {
        let units = self.ready(units(kernels, repeats));
        let step = self.step(&units);
        let tiles: Vec<(TileKey, FuncId)> = self.linker.tiles.iter().map(|(key, id)| (*key, *id)).collect();
        for (key, id) in tiles {
            let mut context = Context::new();
            context.func.signature = self.linker.signature(clif::TILE_PARAMETERS);
            let config = self.linker.jit.target_config();
            clif::emit_tile_function(FunctionBuilder::new(&mut context.func, &mut self.builder), &key, config);
            self.translated.push(Translated { id, context, clif: String::new() });
        }
        step
    }

    /// Translates the functions of units.
    fn ready<'a>(&mut self, units: Vec<Unit<'a>>) -> Vec<Ready<'a>> {
        let one = |unit| match unit {
            Unit::Inline(kernels) => Ready::Inline(kernels),
            Unit::Call(kernels) => Ready::Call(self.shared(kernels)),
            Unit::Parallel(kernel) => {
                Ready::Parallel(self.sharded(kernel), kernel.shards.map_or(1, |(_, shards)| shards))
            }
            Unit::Repeat(number, extent, body) => Ready::Repeat(number, extent, self.ready(body)),
        };
        units.into_iter().map(one).collect()
    }

    /// A function that runs kernels in order: `(table, scratch)`.
    fn shared(&mut self, kernels: &[Kernel]) -> FuncId {
        let id = self.linker.declare(&kernels[0].name, Linkage::Local, 2);
        self.function(id, 2, kernels, |emitter, _| kernels.iter().for_each(|kernel| emitter.kernel(kernel, None)));
        id
    }

    /// A function that runs some of a kernel's shards: `(table, scratch, first, end)`.
    fn sharded(&mut self, kernel: &Kernel) -> FuncId {
        let id = self.linker.declare(&kernel.name, Linkage::Local, 4);
        self.function(id, 4, std::slice::from_ref(kernel), |emitter, arguments| {
            emitter.kernel(kernel, Some((arguments[2], arguments[3])));
        });
        id
    }

    /// The step function: `(table, scratch, call)`, where the last is what the host's `parallel` is given back.
    fn step(&mut self, units: &[Ready]) -> FuncId {
        let parallel = self.linker.declare(program::PARALLEL, Linkage::Import, 3);
        let id = self.linker.declare("step", Linkage::Export, 3);
        let inline: &[Kernel] = match units {
            [Ready::Inline(kernels)] => kernels,
            _ => &[],
        };
        self.function(id, 3, inline, |emitter, arguments| write_units(emitter, arguments, parallel, units));
        id
    }

    fn function(
        &mut self,
        id: FuncId,
        parameters: usize,
        kernels: &[Kernel],
        body: impl FnOnce(&mut Emitter, &[Value]),
    ) {
        let mut context = Context::new();
        context.func.signature = self.linker.signature(parameters);
        self.linker.references.clear();
        let config = self.linker.jit.target_config();
        let frame = FunctionBuilder::new(&mut context.func, &mut self.builder);
        let (mut emitter, arguments) = Emitter::new(frame, self.machine, self.layout, &mut self.linker, kernels);
        body(&mut emitter, &arguments);
        emitter.finish(config);
        self.translated.push(Translated { id, context, clif: String::new() });
    }
}

/// Writes what the step function does.
fn write_units(emitter: &mut Emitter, arguments: &[Value], parallel: FuncId, units: &[Ready]) {
    for unit in units {
        match unit {
            Ready::Inline(kernels) => kernels.iter().for_each(|kernel| emitter.kernel(kernel, None)),
            Ready::Call(function) => emitter.call(*function, &arguments[..2]),
            Ready::Parallel(function, shards) => emitter.call_parallel(parallel, arguments[2], *function, *shards),
            Ready::Repeat(number, extent, body) => {
                emitter.repeat_all(*number, *extent, &mut |emitter| write_units(emitter, arguments, parallel, body));
            }
        }
    }
}

/// Turns functions into machine code, several at a time, and puts it into executable memory.
fn generate(jit: &mut JITModule, translated: Vec<Translated>, listing: bool) -> Option<Listing> {
    let mut texts = listing.then(Listing::default);
    let functions: Vec<Mutex<Translated>> = translated.into_iter().map(Mutex::new).collect();
    let isa = jit.isa();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(function) = functions.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut function = function.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if listing {
                function.clif = function.context.func.display().to_string();
            }
            let context = &mut function.context;
            context.set_disasm(listing);
            if let Err(error) = context.compile(isa, &mut ControlPlane::default()) {
                let message = format!("{:#?}", error.inner);
                panic!("{message}\n{}", context.func.display());
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(functions.len() / 4);
    std::thread::scope(|scope| {
        for _ in 1..threads.max(1) {
            // Where there is no thread to be had, this one does the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    for function in functions {
        let Translated { id, context, clif } = function.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let code = context.compiled_code().expect("every function was compiled");
        let relocs: Vec<ModuleReloc> =
            code.buffer.relocs().iter().map(|reloc| ModuleReloc::from_mach_reloc(reloc, &context.func, id)).collect();
        let alignment = u64::from(code.buffer.alignment);
        jit.define_function_bytes(id, alignment, code.code_buffer(), &relocs).expect("a function is defined once");
        if let Some(texts) = &mut texts {
            let name = jit.declarations().get_function_decl(id).linkage_name(id);
            texts.clif.push_str(&format!("; {name}\n{clif}\n"));
            texts.asm.push_str(&format!("{name}:\n{}\n", code.vcode.as_deref().unwrap_or_default()));
        }
    }
    jit.finalize_definitions().expect("the system gives memory for code");
    texts
}
