//! Expressions outside of declarations: the fields of `data` and `train` blocks.

use super::dim::Verdict;
use super::hir::Body;
use super::infer::{Hooks, Walker, Want};
use super::types::{Element, Tensor, Type, Value, compare_shapes};
use crate::diagnostics::shapes as problems;
use crate::source::{Span, Spanned};
use crate::syntax::ast::ExprId;
use std::rc::Rc;

impl<'a> Walker<'a> {
    /// Begins in a `data` or `train` block of a file, with numbers.
    pub(super) fn start_block(&mut self, unit: usize) {
        self.start(unit, None, None);
        self.recording = true;
    }

    /// The body of an expression of the block at hand, with one output `value`, and its type. `hooks` is what the place adds to
    /// the language. A value that does not fit `expected` is reported, with the written type at `declared`.
    pub(super) fn expression_body(
        &mut self,
        expr: ExprId,
        hooks: Option<Rc<dyn Hooks<'a> + 'a>>,
        expected: Option<Spanned<&Type>>,
    ) -> Option<(Body, Type)> {
        let span = self.ast()[expr].span;
        let want = expected.map_or(Want::Any, |expected| Want::Type(expected.value.clone()));
        let before = std::mem::replace(&mut self.hooks, hooks);
        self.open_body();
        let value = self.eval(expr, &want);
        let tensor = self.to_tensor(&value, span);
        let tensor = match (tensor, expected) {
            (Some(tensor), Some(expected)) => self.fit_expected(tensor, expected, span),
            (tensor, _) => tensor,
        };
        let ty = tensor.as_ref().map(|tensor| tensor.ty.clone());
        if let Some(tensor) = &tensor {
            self.set_output("value", tensor, span);
        }
        let body = self.close_body();
        self.hooks = before;
        Some((body, ty?))
    }

    /// A tensor as the type written beside it; reports what does not fit.
    pub(super) fn fit_expected(&mut self, tensor: Tensor, expected: Spanned<&Type>, span: Span) -> Option<Tensor> {
        let ty = expected.value;
        let mut tensor = tensor;
        if ty.element == Element::Number && tensor.ty.element == Element::Truth {
            tensor = self.as_numbers(&tensor, span)?;
        }
        let elements = match (&ty.element, &tensor.ty.element) {
            (Element::Class { count, .. }, Element::Class { count: other, .. }) => {
                count.compare(other) != Verdict::Different
            }
            (wanted, found) => wanted == found,
        };
        if !elements || compare_shapes(&ty.shape, &tensor.ty.shape) == Verdict::Different {
            self.report(problems::field_mismatch(span, &tensor.ty, expected));
            return None;
        }
        if let Element::Class { names: Some(names), .. } = &ty.element
            && let Element::Class { names: own, .. } = &mut tensor.ty.element
        {
            *own = Some(names.clone());
        }
        Some(tensor)
    }

    /// A compile-time number of the block at hand; reports what is none.
    pub(super) fn number_field(&mut self, expr: ExprId) -> Option<f64> {
        let span = self.ast()[expr].span;
        let value = self.eval(expr, &Want::Any);
        match (value.number(), value) {
            (Some(number), _) => Some(number),
            (None, Value::Unknown) => None,
            (None, other) => {
                let found = self.describe(&other);
                self.report(problems::number_wanted(span, "this field", &found));
                None
            }
        }
    }
}
