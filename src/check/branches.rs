//! `if c then a else if d then b else e`.
//!
//! A condition that is known takes its branch or passes it. One that is not known where a declaration stands leaves both open, and
//! one that is known when the program runs chooses element by element. However long the chain is, it is walked in a loop.

use super::body::KeptParams;
use super::dim::Dim;
use super::hir::Elementwise;
use super::infer::{Walker, Want};
use super::types::{Tensor, Value};
use crate::diagnostics::shapes as problems;
use crate::source::Span;
use crate::syntax::ast::{Branch, ExprId};

/// The condition of a branch that may be taken.
enum Test {
    /// One that is not known here, and what was met of parameters before the branch.
    Open(KeptParams),
    /// One that is known when the program runs, and its place.
    Tensor(Box<Tensor>, Span),
}

/// A branch that may be taken: what the `if` comes to depends on those behind it too.
struct Waiting {
    test: Test,
    value: Value,
    then: ExprId,
    /// From its `if` to the end of the chain.
    span: Span,
}

impl<'a> Walker<'a> {
    pub(super) fn eval_if(
        &mut self,
        branches: &'a [Branch],
        otherwise: Option<ExprId>,
        span: Span,
        want: &Want,
    ) -> Value {
        let ast = self.ast();
        let mut waiting: Vec<Waiting> = Vec::new();
        // What is taken where none of those waiting is: the value, where it stands, and where what makes it stands.
        let mut last = None;
        for (number, &Branch { start, condition, then }) in branches.iter().enumerate() {
            let own = Span { end: span.end, ..start };
            if !self.take_step(own) {
                return Value::Unknown;
            }
            let test = self.eval(condition, &Want::Any);
            let at = ast[condition].span;
            if otherwise.is_none() && number + 1 == branches.len() {
                self.eval(then, want);
                last = Some((Value::Unknown, own, own));
                break;
            }
            let test = match test {
                Value::Bool(Some(true)) => {
                    last = Some((self.eval(then, want), ast[then].span, self.value_span(then)));
                    break;
                }
                Value::Bool(Some(false)) => continue,
                Value::Bool(None) | Value::Unknown => Test::Open(self.mark_params()),
                Value::Tensor(tensor) => Test::Tensor(Box::new(tensor), at),
                other => {
                    self.report(problems::condition_not_truth(at, &self.describe(&other)));
                    last = Some((Value::Unknown, own, own));
                    break;
                }
            };
            let value = self.eval(then, want);
            if let Test::Open(before) = test {
                self.restore_params(before);
            }
            waiting.push(Waiting { test, value, then, span: own });
        }
        let last = match (last, otherwise) {
            (Some(last), _) => last,
            (None, Some(otherwise)) => (self.eval(otherwise, want), ast[otherwise].span, self.value_span(otherwise)),
            (None, None) => (Value::Unknown, span, span),
        };
        self.join_branches(waiting, last, span)
    }

    /// The value of the branches together, the last first.
    fn join_branches(&mut self, waiting: Vec<Waiting>, last: (Value, Span, Span), span: Span) -> Value {
        let ast = self.ast();
        let (mut value, mut at, made_at) = last;
        // What it may be where nothing decides.
        let mut open = vec![(value.clone(), made_at)];
        for Waiting { test, value: first, then, span: own } in waiting.into_iter().rev() {
            value = match test {
                Test::Open(before) => {
                    self.restore_params(before);
                    open.push((first.clone(), self.value_span(then)));
                    self.agree(first, value)
                }
                Test::Tensor(test, test_at) => {
                    let operands = [(Value::Tensor(*test), test_at), (first, ast[then].span), (value, at)];
                    let chosen = self.elementwise(Elementwise::If, &operands, own, &Want::Any);
                    open = vec![(chosen.clone(), own)];
                    chosen
                }
            };
            at = own;
        }
        if matches!(value, Value::Unknown) && open.len() > 1 && !self.recording {
            open.reverse();
            self.open_branches.insert(span, open);
        }
        value
    }

    /// What is known of a value that is one of two.
    fn agree(&self, first: Value, second: Value) -> Value {
        match (first, second) {
            (Value::Tensor(a), Value::Tensor(b)) if a.ty == b.ty => Value::Tensor(a),
            (Value::Int(a), Value::Int(b)) if a == b => Value::Int(a),
            (Value::Int(_), Value::Int(_)) => Value::Int(Dim::Unknown),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => Value::Float(None),
            (Value::Bool(_), Value::Bool(_)) => Value::Bool(None),
            _ => Value::Unknown,
        }
    }
}
