//! `nnc`: the compiler for a small declarative language for neural networks.
//!
//! A program walks through the modules below in the order they stand: text becomes an [`syntax::ast::Ast`], that a
//! checked [`check::hir::Hir`], that a [`graph::Graph`] per training step, that with its derivative a plan of fused
//! kernels, those machine code, and `train` runs it on what `data` reads.

pub mod source;

pub mod diagnostics;

pub mod syntax;

pub mod prelude;

pub mod check;

pub mod advice;

pub mod numerics;

pub mod graph;

pub mod autodiff;

pub mod plan;

pub mod kernel;

pub mod jit;

pub mod data;

pub mod train;

pub mod driver;
