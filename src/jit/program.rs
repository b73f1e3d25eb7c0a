//! Machine code, the memory it works on, and the call into it: all the unsafe code of the compiler.
//!
//! What makes a call sound: the plan places every access within its buffer (`kernel::verify`), [`Program::run`] checks
//! number, element type and length of every buffer before the call, the memory a program allocates itself has the size
//! the module states, and a [`Program`] owns its code for as long as it can be called.

#![allow(unsafe_code, reason = "compiled code is called and its memory is handled here, and nowhere else")]

use super::Listing;
use super::clif::{Layout, TABLE_ARENA, TABLE_CONSTANTS, TABLE_EXTERNALS};
use super::threads::Pool;
use crate::graph::DType;
use crate::kernel::{self, Storage};
use cranelift_jit::JITModule;
use cranelift_module::FuncId;
use std::alloc::{Layout as Allocation, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// The alignment of every buffer: a cache line.
const ALIGNMENT: usize = 64;

/// Memory of a number of elements, four bytes each, at a multiple of 64 bytes. It begins as zeros.
pub struct Buffer {
    dtype: DType,
    len: usize,
    data: NonNull<u8>,
}

// SAFETY: a buffer owns its memory, which is plain numbers.
unsafe impl Send for Buffer {}
// SAFETY: through a shared reference the memory is only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of zeros (of `false`).
    pub fn new(dtype: DType, len: usize) -> Buffer {
        let allocation = Buffer::allocation(len);
        // SAFETY: the size is not zero.
        let data = unsafe { alloc_zeroed(allocation) };
        let Some(data) = NonNull::new(data) else { handle_alloc_error(allocation) };
        Buffer { dtype, len, data }
    }

    /// A buffer of these numbers.
    pub fn from_f32(values: &[f32]) -> Buffer {
        let mut buffer = Buffer::new(DType::F32, values.len());
        buffer.as_f32_mut().copy_from_slice(values);
        buffer
    }

    /// A buffer of these whole numbers.
    pub fn from_i32(values: &[i32]) -> Buffer {
        let mut buffer = Buffer::new(DType::I32, values.len());
        buffer.as_i32_mut().copy_from_slice(values);
        buffer
    }

    fn allocation(len: usize) -> Allocation {
        let lines = len.div_ceil(ALIGNMENT / 4).max(1);
        let bytes = lines.checked_mul(ALIGNMENT).expect("the plan refuses buffers larger than the address space");
        Allocation::from_size_align(bytes, ALIGNMENT).expect("the plan refuses buffers larger than the address space")
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements of a buffer of f32.
    pub fn as_f32(&self) -> &[f32] {
        assert_eq!(self.dtype, DType::F32, "the buffer's element type");
        // SAFETY: the memory holds `len` initialised elements of four bytes, any bits are an f32, and it lives as `self`.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.len) }
    }

    /// The elements of a buffer of f32, to be written.
    pub fn as_f32_mut(&mut self) -> &mut [f32] {
        assert_eq!(self.dtype, DType::F32, "the buffer's element type");
        // SAFETY: as for `as_f32`; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().cast(), self.len) }
    }

    /// The elements of a buffer of i32, or of truth values as 0 and 1.
    pub fn as_i32(&self) -> &[i32] {
        assert_ne!(self.dtype, DType::F32, "the buffer's element type");
        // SAFETY: as for `as_f32`; any bits are an i32.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.len) }
    }

    /// The elements of a buffer of i32, or of truth values as 0 and 1, to be written.
    pub fn as_i32_mut(&mut self) -> &mut [i32] {
        assert_ne!(self.dtype, DType::F32, "the buffer's element type");
        // SAFETY: as for `as_i32`; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().cast(), self.len) }
    }

    /// The elements as stored bits.
    pub fn bits(&self) -> &[u32] {
        // SAFETY: as for `as_f32`; any bits are a u32.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr().cast(), self.len) }
    }

    /// The elements as stored bits, to be written; truth values are 0 and 1.
    pub fn bits_mut(&mut self) -> &mut [u32] {
        // SAFETY: as for `bits`; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr().cast(), self.len) }
    }

    fn pointer(&self) -> *mut u8 {
        self.data.as_ptr()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `new` allocated the memory with the same layout, and nothing else frees it.
        unsafe { dealloc(self.data.as_ptr(), Buffer::allocation(self.len)) }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::new(self.dtype, self.len);
        copy.bits_mut().copy_from_slice(self.bits());
        copy
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({:?}, {})", self.dtype, self.len)
    }
}

/// The step function.
type Step = unsafe extern "C" fn(table: *const *mut u8, scratch: *mut u8, call: *const Call);

/// A function of a kernel that is cut into shards.
type Sharded = unsafe extern "C" fn(table: *const *mut u8, scratch: *mut u8, first: usize, end: usize);

/// What a compiled step hands back to [`parallel`].
#[repr(C)]
struct Call {
    pool: *const Pool,
    table: *const *mut u8,
    /// One pointer per thread of the pool.
    scratch: *const *mut u8,
}

/// A compiled module.
pub struct Program {
    step: Step,
    /// Owns the memory that `step` lies in.
    code: ManuallyDrop<JITModule>,
    constants: Buffer,
    externals: Vec<Option<External>>,
    arena: usize,
    scratch: usize,
    /// The number of counters behind the pointers of the table.
    counters: usize,
    listing: Option<Listing>,
}

/// What a call must hand over.
struct External {
    name: String,
    dtype: DType,
    len: usize,
}

// SAFETY: after `new` the module is only kept and freed; the code it owns keeps no state.
unsafe impl Send for Program {}
// SAFETY: `run` reads the code and the constants only; what it writes is borrowed mutably by the caller.
unsafe impl Sync for Program {}

/// The memory a [`Program`] works in between its inputs and outputs, and the threads it runs on. One for each thread that
/// calls it.
pub struct Workspace {
    arena: Buffer,
    scratch: Vec<Buffer>,
    scratch_size: usize,
    table: Vec<*mut u8>,
    scratch_table: Vec<*mut u8>,
    pool: Arc<Pool>,
}

// SAFETY: the pointers are to the workspace's own memory or, during a call only, to what the call borrows.
unsafe impl Send for Workspace {}

impl Program {
    /// Takes over a finished module whose function `step` has the signature of [`Step`].
    pub(super) fn new(
        code: JITModule,
        step: FuncId,
        module: &kernel::Module,
        layout: Layout,
        listing: Option<Listing>,
    ) -> Program {
        let mut externals: Vec<Option<External>> = (0..module.externals).map(|_| None).collect();
        for buffer in &module.buffers {
            if let Storage::External(number) = buffer.storage {
                externals[number] = Some(External { name: buffer.name.clone(), dtype: buffer.dtype, len: buffer.len });
            }
        }
        let mut constants = Buffer::new(DType::I32, layout.constants.len());
        constants.bits_mut().copy_from_slice(&layout.constants);
        let address = code.get_finalized_function(step);
        // SAFETY: the compiler declared and defined `step` with this signature in the system's calling convention.
        let step = unsafe { std::mem::transmute::<*const u8, Step>(address) };
        Program {
            step,
            code: ManuallyDrop::new(code),
            constants,
            externals,
            arena: module.arena,
            scratch: module.scratch,
            counters: module.repeats.len(),
            listing,
        }
    }

    /// Memory for calls that run on the threads of `pool`.
    pub fn workspace(&self, pool: &Arc<Pool>) -> Workspace {
        let scratch: Vec<Buffer> = (0..pool.threads()).map(|_| Buffer::new(DType::I32, self.scratch)).collect();
        Workspace {
            arena: Buffer::new(DType::I32, self.arena),
            scratch_table: scratch.iter().map(Buffer::pointer).collect(),
            scratch,
            scratch_size: self.scratch,
            table: vec![std::ptr::null_mut(); TABLE_EXTERNALS + self.externals.len() + self.counters],
            pool: Arc::clone(pool),
        }
    }

    /// Runs the kernels once. The externals are handed over in the order of their numbers.
    ///
    /// # Panics
    /// Where number, element type or length of the externals are not those of the module, or the workspace is another
    /// program's.
    pub fn run(&self, workspace: &mut Workspace, externals: &mut [&mut Buffer]) {
        assert_eq!(externals.len(), self.externals.len(), "the number of external buffers");
        let table = TABLE_EXTERNALS + externals.len() + self.counters;
        assert_eq!(workspace.table.len(), table, "the workspace is another program's");
        assert!(
            workspace.arena.len() == self.arena && workspace.scratch_size == self.scratch,
            "the workspace is another program's"
        );
        debug_assert_eq!(workspace.scratch.len(), workspace.pool.threads());
        for (number, buffer) in externals.iter().enumerate() {
            if let Some(External { name, dtype, len }) = &self.externals[number] {
                let fits = (buffer.dtype, buffer.len) == (*dtype, *len);
                assert!(fits, "external `{name}` is {dtype:?} of {len} elements, not {buffer:?}");
            }
            workspace.table[TABLE_EXTERNALS + number] = buffer.pointer();
        }
        workspace.table[TABLE_ARENA] = workspace.arena.pointer();
        workspace.table[TABLE_CONSTANTS] = self.constants.pointer();
        let call = Call {
            pool: Arc::as_ptr(&workspace.pool),
            table: workspace.table.as_mut_ptr(),
            scratch: workspace.scratch_table.as_ptr(),
        };
        // SAFETY: the table holds a pointer for each number the code uses, each to a buffer of the length the code was compiled
        // for: the externals were checked above, arena and scratch were allocated by `workspace` with the sizes compared
        // above, the constants by `new`. Behind them it has room for the counters that the code keeps there. All are borrowed mutably or owned for the time of the call, except the constants,
        // which the code only reads. `self` keeps the code alive.
        unsafe { (self.step)(call.table, workspace.scratch_table[0], &raw const call) }
    }

    /// The code as text, where the target asked for it.
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }

    /// The size of the arena in bytes.
    pub fn arena_bytes(&self) -> usize {
        4 * self.arena
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the module is taken once, here. Its code does not run any more: every call borrows the program.
        unsafe { ManuallyDrop::take(&mut self.code).free_memory() }
    }
}

/// The name under which compiled code knows [`parallel`].
pub(super) const PARALLEL: &str = "nnc_parallel";

/// Shards of a kernel on one set of buffers, to be run on any thread.
#[derive(Clone, Copy)]
pub(super) struct Task {
    kernel: Sharded,
    table: *const *mut u8,
    scratch: *const *mut u8,
}

// SAFETY: a task is made by `parallel` alone, whose call of `Pool::run` returns after the last shard: the memory behind the
// pointers outlives every use. Shards write disjoint memory, so they may run at the same time.
unsafe impl Send for Task {}

impl Task {
    /// Runs the shards from `first` to `end` with the scratch memory of thread `worker`.
    pub(super) fn run(&self, worker: usize, first: usize, end: usize) {
        // SAFETY: `worker` is below the number of the pool's threads, for each of which there is scratch memory. The function
        // and the table belong to the call that made the task, which has not returned.
        unsafe { (self.kernel)(self.table, *self.scratch.add(worker), first, end) }
    }
}

/// Called by compiled code: runs all shards of a kernel and returns when they are done. A panic in here ends the process,
/// as in any `extern "C"` function; it does not unwind into compiled code.
///
/// # Safety
/// `call` must be what the step function was given, `kernel` a function of the same program.
unsafe extern "C" fn parallel(call: *const Call, kernel: Sharded, shards: usize) {
    // SAFETY: by the contract, `call` is on the stack of `Program::run`, which keeps what it points to.
    let (call, pool) = unsafe { (&*call, &*(*call).pool) };
    pool.run(Task { kernel, table: call.table, scratch: call.scratch }, shards);
}

/// What the host gives compiled code, by name: [`parallel`], and the operations that a machine may lack.
pub(super) fn host_functions() -> [(&'static str, *const u8); 5] {
    [
        (PARALLEL, parallel as *const u8),
        ("fmaf", fma as *const u8),
        ("floorf", floor as *const u8),
        ("ceilf", ceil as *const u8),
        ("nearbyintf", nearest as *const u8),
    ]
}

extern "C" fn fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

extern "C" fn floor(x: f32) -> f32 {
    x.floor()
}

extern "C" fn ceil(x: f32) -> f32 {
    x.ceil()
}

extern "C" fn nearest(x: f32) -> f32 {
    x.round_ties_even()
}
