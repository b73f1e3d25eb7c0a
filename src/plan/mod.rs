//! From a graph to groups of nodes that share a kernel, and the memory they work on.
//!
//! In: a batched, differentiated, simplified [`Graph`]. Out: a [`Plan`]: groups in the order they run, the nodes whose
//! whole value lies in memory, and one arena in which every buffer has its place for as long as it is needed.
//! Afterwards every node is either *stored*, or *homed* in one context of one group where each of its elements is computed once
//! and used at once, or *inline*: an index map, a constant or a triviality that its users evaluate where they stand.
//!
//! The plan chooses no bit of a result: the order of every sum is the graph's. What it chooses is which values meet
//! in a register instead of in memory. Nothing here knows loops or vectors; `kernel::lower` writes those.

mod buffers;
mod classify;
mod fuse;
mod loops;
mod order;
pub mod print;
mod products;
mod stages;
mod views;

pub use products::{ContractAxes, Operand, Side, as_one, contract_axes, joined};
pub use views::{AxisMap, Index, Strided, canonical, operand_index, row_major, strided, with_unit_axes};

pub use classify::{Access, access, fold_columns};
pub use loops::Body;
pub use stages::fold_operand_index;

use crate::graph::{DType, Graph, NodeId};

/// What a plan may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlanOptions {
    /// Whether nodes share kernels; without, each stored node has its own.
    pub fuse: bool,
}

impl Default for PlanOptions {
    fn default() -> PlanOptions {
        PlanOptions { fuse: true }
    }
}

/// The groups of a graph in running order, and its memory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What runs, in order.
    pub groups: Vec<Group>,
    /// All memory: first the externals by number, then the arena's.
    pub buffers: Vec<Buffer>,
    /// For every node the buffer in which its whole value lies, row-major.
    pub stored: Vec<Option<usize>>,
    /// For every node where it is computed.
    pub homes: Vec<Option<Home>>,
    /// For every node whether its users evaluate it in place.
    pub inline: Vec<bool>,
    /// How many external buffers there are: the inputs, then the outputs that update none.
    pub externals: usize,
    /// The size of the arena, in elements.
    pub arena: usize,
    /// Of the plan of a loop's body: how many steps there are.
    pub steps: Option<usize>,
}

/// The place a node is computed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home {
    /// The group, by its place in [`Plan::groups`].
    pub group: usize,
    /// The context in the group.
    pub context: usize,
}

/// Nodes that share a kernel.
#[derive(Clone, Debug)]
pub struct Group {
    /// What form its loops have.
    pub kind: GroupKind,
    /// The iteration domain, without axes of extent 1.
    pub domain: Vec<usize>,
    /// Where folds run over the last axes of the domain: how many axes lead to a row.
    pub rows: Option<usize>,
    /// The places of computation.
    pub contexts: Vec<Context>,
    /// The context that covers the domain.
    pub full: usize,
    /// The context that covers the rows.
    pub row: Option<usize>,
    /// For the nodes of those two: how many folds lie before.
    pub stages: Vec<(NodeId, usize)>,
    /// Whether the columns run as one axis through everything the folds read.
    pub linear: bool,
    /// Of a large product: the buffer for the left operand in panels, if it is not read as it lies.
    pub packed: Option<usize>,
    /// Of a loop over time: its body.
    pub body: Option<Box<Body>>,
}

/// The form of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupKind {
    /// Loops over the domain, with folds along rows.
    Nest,
    /// A large product, tiled, followed by loops over its result.
    Product(NodeId),
    /// A [`crate::graph::Op::Concat`] or [`crate::graph::Op::Pad`]: every operand is written to its part of the result. Or a
    /// [`crate::graph::Op::ScatterAdd`] or [`crate::graph::Op::ArgSort`].
    Join(NodeId),
    /// A loop over time.
    Loop(NodeId),
    /// A buffer copied to another.
    Copy {
        /// The buffer read.
        from: usize,
        /// The buffer written.
        to: usize,
    },
}

/// A set of nodes computed at the same index.
#[derive(Clone, Debug)]
pub struct Context {
    /// What it belongs to.
    pub kind: ContextKind,
    /// Its domain, without axes of extent 1.
    pub domain: Vec<usize>,
    /// Its nodes, ascending.
    pub nodes: Vec<NodeId>,
}

/// What a [`Context`] covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextKind {
    /// The group's domain.
    Full,
    /// One value per row.
    Row,
    /// The operand of that number of a node that reduces or joins.
    Under(NodeId, usize),
}

/// A piece of memory.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// The name dumps show.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub len: usize,
    /// Where it lies.
    pub storage: Storage,
    /// The groups (by place) from the first that writes to the last that reads.
    pub lifetime: (usize, usize),
}

/// Where a [`Buffer`] lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// Handed over at the call, under that number.
    External(usize),
    /// In the arena, from that element on: a multiple of [`ALIGNMENT`].
    Arena(usize),
    /// In a thread's scratch memory, from that element on; used by one row of one group.
    Scratch(usize),
}

/// Buffers begin at multiples of so many elements: 64 bytes.
pub const ALIGNMENT: usize = 16;

impl Plan {
    /// The bytes of the externals and the arena; `None` where they are more than can be counted.
    pub fn memory(&self) -> Option<usize> {
        let externals =
            self.buffers[..self.externals].iter().try_fold(0usize, |sum, buffer| sum.checked_add(buffer.len))?;
        externals.checked_add(self.arena)?.checked_mul(4)
    }
}

impl Group {
    /// The number of folds before a node of the group: 0 without rows.
    pub fn stage(&self, node: NodeId) -> usize {
        self.stages.binary_search_by_key(&node, |entry| entry.0).map_or(0, |place| self.stages[place].1)
    }
}

/// Groups the nodes of a graph and gives every stored value its place.
pub fn plan(graph: &Graph, options: &PlanOptions) -> Plan {
    let fusion = fuse::fuse(graph, options);
    buffers::place(graph, fusion, options)
}
