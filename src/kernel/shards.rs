//! Cuts the outermost loop of a large kernel into shards that several threads can take.
//!
//! What stands before and behind that loop becomes a kernel of its own, as does the rest where the extent is no multiple of
//! the number of shards. The number follows from extents alone.

use super::loops::{body_cost, each_affine};
use super::{Affine, Block, Inst, Kernel, Stmt, Var};
use crate::plan::ALIGNMENT;

/// Smaller loops are not cut.
const LEAST_COST: u64 = 200_000;

/// Into how many shards long loops are cut.
const SHARDS: usize = 16;

/// A loop of at most so many rounds has a shard for each.
const MOST_SHARDS: usize = 64;

/// The kernels that do the work of one, in order; those without work are left out.
pub(super) fn divide(kernel: Kernel, independent: &[Var]) -> Vec<Kernel> {
    let can_be_cut = |stmt: &Stmt| match stmt {
        Stmt::For { var, .. } => independent.contains(var),
        Stmt::Map { .. } => true,
        Stmt::Fold { .. } | Stmt::Scalar(_) | Stmt::Tile(_) | Stmt::Sort(_) => false,
    };
    let cost = |stmt: &Stmt| body_cost(std::slice::from_ref(stmt));
    let largest = (0..kernel.body.len())
        .filter(|&place| can_be_cut(&kernel.body[place]))
        .max_by_key(|&place| (cost(&kernel.body[place]), std::cmp::Reverse(place)));
    // A fold takes what was computed before it; the keys of an order lie in the memory of the thread that made them.
    let is_whole = kernel.body.iter().any(|stmt| matches!(stmt, Stmt::Fold { .. } | Stmt::Sort(_)));
    let Some(place) = largest.filter(|&place| cost(&kernel.body[place]) >= LEAST_COST && !is_whole) else {
        return if kernel.body.is_empty() { Vec::new() } else { vec![kernel] };
    };

    let (before, after) = (&kernel.body[..place], &kernel.body[place + 1..]);
    let shared = pure(before);
    let with = |shards: Option<(Var, usize)>, vars: &[String], body: Vec<Stmt>| {
        let head = (!shared.insts.is_empty()).then(|| Stmt::Scalar(shared.clone()));
        let body = head.into_iter().chain(body).collect();
        let (regs, step) = (kernel.regs.clone(), kernel.step);
        Kernel { shards, step, vars: vars.to_vec(), regs, body, ..Kernel::default() }
    };
    let mut vars = kernel.vars.clone();
    let mut kernels = Vec::new();
    if before.iter().any(|stmt| !is_pure(stmt)) {
        kernels.push(Kernel { body: before.to_vec(), shards: None, ..kernel.clone() });
    }
    let (shards, body, rest) = cut(&kernel.body[place], &mut vars);
    kernels.push(with(shards, &vars, body));
    let rest: Vec<Stmt> = rest.into_iter().chain(after.iter().cloned()).collect();
    if !rest.is_empty() {
        kernels.push(with(None, &kernel.vars, rest));
    }
    kernels
}

/// A loop as shards, and what does not fit into them.
fn cut(stmt: &Stmt, vars: &mut Vec<String>) -> (Option<(Var, usize)>, Vec<Stmt>, Vec<Stmt>) {
    let whole = (None, vec![stmt.clone()], Vec::new());
    let (Stmt::For { var, extent, .. } | Stmt::Map { var, extent, .. }) = stmt else { return whole };
    let is_map = matches!(stmt, Stmt::Map { .. });
    let (shards, rounds) = match extent {
        _ if is_map => (SHARDS, extent / SHARDS / ALIGNMENT * ALIGNMENT),
        _ if *extent <= MOST_SHARDS => (*extent, 1),
        _ => (SHARDS, extent / SHARDS),
    };
    if rounds == 0 {
        return whole;
    }
    let shard = Var(vars.len() as u32);
    vars.push("s".into());
    let resized = |new: usize, at: Affine| {
        let mut stmt = stmt.clone();
        let is_once = new == 1 && !is_map;
        let moved = if is_once { at } else { Affine::var(*var).plus(&at) };
        replace(std::slice::from_mut(&mut stmt), *var, &moved);
        match &mut stmt {
            Stmt::For { body, .. } if is_once => return std::mem::take(body),
            Stmt::For { extent, .. } | Stmt::Map { extent, .. } => *extent = new,
            Stmt::Fold { .. } | Stmt::Scalar(_) | Stmt::Tile(_) | Stmt::Sort(_) => {}
        }
        vec![stmt]
    };
    let body = resized(rounds, Affine::var(shard).times(rounds as i64));
    let left = extent - shards * rounds;
    let rest = if left > 0 { resized(left, Affine::constant((shards * rounds) as i64)) } else { Vec::new() };
    (Some((shard, shards)), body, rest)
}

fn is_pure(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Scalar(block) => !block.insts.iter().any(writes),
        Stmt::For { .. } | Stmt::Map { .. } | Stmt::Fold { .. } | Stmt::Tile(_) | Stmt::Sort(_) => false,
    }
}

fn writes(inst: &Inst) -> bool {
    match inst {
        Inst::Store { .. } | Inst::StoreAt { .. } => true,
        Inst::Loop { block, .. } => block.insts.iter().any(writes),
        Inst::F32 { .. }
        | Inst::I32 { .. }
        | Inst::Index { .. }
        | Inst::Load { .. }
        | Inst::LoadAt { .. }
        | Inst::One { .. }
        | Inst::Two { .. }
        | Inst::Fma { .. }
        | Inst::Select { .. }
        | Inst::Math { .. }
        | Inst::Uniform { .. } => false,
    }
}

/// What statements compute for those behind, without what they write.
fn pure(stmts: &[Stmt]) -> Block {
    let blocks = stmts.iter().filter_map(|stmt| match stmt {
        Stmt::Scalar(block) => Some(block),
        Stmt::For { .. } | Stmt::Map { .. } | Stmt::Fold { .. } | Stmt::Tile(_) | Stmt::Sort(_) => None,
    });
    let insts = blocks.flat_map(|block| block.insts.iter().filter(|inst| !writes(inst)));
    Block { insts: insts.cloned().collect() }
}

/// Puts `value` where `var` stands.
fn replace(body: &mut [Stmt], var: Var, value: &Affine) {
    let mut in_affine = |affine: &mut Affine| {
        let stride = affine.stride(var);
        affine.terms.retain(|term| term.0 != var);
        *affine = affine.plus(&value.times(stride));
    };
    for stmt in body {
        match stmt {
            Stmt::For { body, .. } => replace(body, var, value),
            Stmt::Map { block, .. } | Stmt::Fold { block, .. } | Stmt::Scalar(block) => {
                each_affine(block, &mut in_affine)
            }
            Stmt::Tile(tile) => {
                for place in [&mut tile.a, &mut tile.b, &mut tile.c] {
                    in_affine(&mut place.index);
                }
            }
            Stmt::Sort(sort) => {
                for place in [&mut sort.keys, &mut sort.work, &mut sort.order] {
                    in_affine(&mut place.index);
                }
            }
        }
    }
}
