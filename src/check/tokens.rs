//! `tokens(review, vocabulary = 5000, length = 80)`: the words of a text column as categories.
//!
//! In: the call. Out: a use of the column of type `class(vocabulary)[length]`. Where the field's type says how many of
//! both, the call need not.

use super::columns::{DataPlace, Given};
use super::hir::{ColumnForm, ColumnSelector};
use super::infer::{HookedCall, Walker, Want};
use super::types::{Element, Type, Value, axis};
use crate::diagnostics::fields as problems;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};
use std::rc::Rc;

/// Padding, unknown, and one word.
const FEWEST_WORDS: i64 = 3;

impl DataPlace {
    pub(super) fn tokens_call<'a>(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value> {
        let placed = walker.place_arguments(call.name, call.arguments, &["column", "vocabulary", "length", "pad"])?;
        let Some(which) = placed[0] else {
            walker.report(problems::missing_argument(call.name_span, call.name, "a column of texts"));
            return None;
        };
        let (selector, mut given) = self.text_column(walker, which)?;
        let wanted = match want {
            Want::Type(ty) => Some(ty),
            Want::Any | Want::Int | Want::Shape | Want::Kind(_) | Want::Words(_) | Want::WordsOrNumbers(_) => None,
        };
        let vocabulary = match (placed[1], wanted.map(|ty| &ty.element)) {
            (Some(expr), _) => walker.count_argument(
                expr,
                FEWEST_WORDS,
                "a vocabulary has 3 words and more: padding, unknown, a word",
            )?,
            (None, Some(Element::Class { count, .. })) => count.known()?,
            (None, Some(Element::Number | Element::Truth) | None) => {
                walker.report(problems::missing_argument(call.name_span, call.name, "a `vocabulary`"));
                return None;
            }
        };
        let length = match (placed[2], wanted.map(|ty| ty.shape.as_slice())) {
            (Some(expr), _) => walker.count_argument(expr, 1, "a text has 1 word and more")?,
            (None, Some([extent])) => extent.dim()?.known()?,
            (None, Some(_) | None) => {
                walker.report(problems::missing_argument(call.name_span, call.name, "a `length`"));
                return None;
            }
        };
        let front = match placed[3] {
            Some(expr) => self.front(walker, expr)?,
            None => false,
        };
        given.form = ColumnForm::Tokens { length: usize::try_from(length).ok()?, front };
        let element = Element::Class { count: super::dim::Dim::Known(vocabulary), names: None };
        let ty = Type { element, shape: vec![axis(length)] };
        Some(self.take(walker, selector, given, call.span, &Want::Type(ty)))
    }

    /// The column: its number, its name as a text or bare, or a `column(…)` with what becomes of gaps.
    fn text_column<'a>(&self, walker: &mut Walker<'a>, expr: ExprId) -> Option<(ColumnSelector, Given)> {
        let ast = walker.ast();
        let at = ast[expr].span;
        match &ast[expr].kind {
            ExprKind::Call { callee, arguments } if matches!(&ast[*callee].kind, ExprKind::Name(name) if name == "column") =>
            {
                let (selector, given) = self.chosen(walker, arguments, ast[*callee].span)?;
                match given.form {
                    ColumnForm::Value => Some((selector, given)),
                    ColumnForm::Window { .. } | ColumnForm::Tokens { .. } => {
                        walker.report(problems::wanted(at, "a column of texts", "a window"));
                        None
                    }
                }
            }
            ExprKind::Name(name) if !walker.is_global(name) => {
                Some((ColumnSelector::Name(name.clone()), Given::default()))
            }
            _ => match walker.eval(expr, &Want::Any) {
                Value::Text(name) => {
                    let names: Vec<Span> = walker.literal(expr).into_iter().collect();
                    Some((ColumnSelector::Name(name.to_string()), Given { names, ..Given::default() }))
                }
                other => Some((ColumnSelector::Index(self.index(walker, &other, at)?), Given::default())),
            },
        }
    }

    /// `pad = front` or `pad = back`.
    fn front<'a>(&self, walker: &mut Walker<'a>, expr: ExprId) -> Option<bool> {
        let words: Rc<[Rc<str>]> = ["front", "back"].into_iter().map(Rc::from).collect();
        match walker.eval(expr, &Want::Words(words)) {
            Value::Word(word) => Some(&*word? == "front"),
            Value::Unknown => None,
            other => {
                let (found, at) = (walker.describe(&other), walker.ast()[expr].span);
                walker.report(problems::wanted(at, "`front` or `back`", &found));
                None
            }
        }
    }
}

/// More words than any text has.
const MOST_WORDS: i64 = 1 << 24;

impl Walker<'_> {
    /// A whole number from `least` on.
    fn count_argument(&mut self, expr: ExprId, least: i64, what: &str) -> Option<i64> {
        let at = self.ast()[expr].span;
        let count = self.eval_int(expr)?.known()?;
        if !(least..=MOST_WORDS).contains(&count) {
            self.report(problems::out_of_range(at, what, count));
            return None;
        }
        Some(count)
    }
}
