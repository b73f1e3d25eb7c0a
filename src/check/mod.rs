//! Checks an [`Ast`](crate::syntax::ast::Ast) and gives it its typed form.

pub mod hir;
