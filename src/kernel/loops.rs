//! What is done to loops once they are written: neighbouring axes become one, and the work is counted.

use super::{Affine, Block, Inst, Kernel, Stmt};

/// Runs two axes as one where all memory advances evenly over both.
pub(super) fn collapse(body: &mut [Stmt]) {
    for stmt in body {
        let Stmt::For { var, extent, body, .. } = stmt else { continue };
        collapse(body);
        let [Stmt::Map { var: lane, extent: lanes, block }] = body.as_mut_slice() else { continue };
        let (outer, inner, width) = (*var, *lane, *lanes as i64);
        let mut even = true;
        each_affine(block, &mut |affine| even &= affine.stride(outer) == affine.stride(inner) * width);
        if even {
            each_affine(block, &mut |affine| affine.terms.retain(|term| term.0 != outer));
            let block = std::mem::take(block);
            *stmt = Stmt::Map { var: inner, extent: *extent * *lanes, block };
        }
    }
}

pub(super) fn each_affine(block: &mut Block, visit: &mut dyn FnMut(&mut Affine)) {
    for inst in &mut block.insts {
        match inst {
            Inst::Index { value, .. } => visit(value),
            Inst::Load { place, .. }
            | Inst::Store { place, .. }
            | Inst::LoadAt { place, .. }
            | Inst::StoreAt { place, .. } => visit(&mut place.index),
            Inst::Uniform { element, .. } => visit(element),
            Inst::Loop { block, .. } => each_affine(block, visit),
            Inst::F32 { .. }
            | Inst::I32 { .. }
            | Inst::One { .. }
            | Inst::Two { .. }
            | Inst::Fma { .. }
            | Inst::Select { .. }
            | Inst::Math { .. } => {}
        }
    }
}

/// The work of a kernel, in operations on single elements; a function of `numerics` counts as 16.
pub(super) fn cost(kernel: &Kernel) -> u64 {
    let shards = kernel.shards.map_or(1, |(_, shards)| shards as u64);
    body_cost(&kernel.body).saturating_mul(shards)
}

/// The work of statements.
pub(super) fn body_cost(body: &[Stmt]) -> u64 {
    let work = body.iter().map(|stmt| match stmt {
        Stmt::For { extent, body, .. } => body_cost(body).saturating_mul(*extent as u64),
        Stmt::Map { extent, block, .. } | Stmt::Fold { extent, block, .. } => {
            block_cost(block).saturating_mul(*extent as u64)
        }
        Stmt::Scalar(block) => block_cost(block),
        Stmt::Tile(tile) => 2 * tile.rows as u64 * tile.cols as u64 * tile.depth as u64,
        // For each key a few operations in each of the passes.
        Stmt::Sort(sort) => 8 * sort.extent as u64 * u64::from(2 + sort.extent.next_power_of_two().ilog2()),
    });
    work.fold(0, u64::saturating_add)
}

fn block_cost(block: &Block) -> u64 {
    let work = block.insts.iter().map(|inst| match inst {
        Inst::F32 { .. } | Inst::I32 { .. } | Inst::Index { .. } => 0,
        Inst::Load { .. } | Inst::Store { .. } | Inst::One { .. } | Inst::Two { .. } | Inst::Select { .. } => 1,
        Inst::LoadAt { .. } | Inst::StoreAt { .. } => 2,
        Inst::Fma { .. } => 2,
        Inst::Math { .. } | Inst::Uniform { .. } => 16,
        Inst::Loop { extent, block, .. } => block_cost(block).saturating_mul(*extent as u64),
    });
    work.fold(0, u64::saturating_add)
}
