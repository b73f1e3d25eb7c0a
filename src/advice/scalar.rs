//! Functions of one number within a body: what an activation does to each element, whoever wrote it.
//!
//! In: a [`Body`]. Out: for each value its root, the one other value of which it is an elementwise function. So
//! `1 / (1 + exp(-z))` has the root `z`, and its shape can be asked by trying numbers. What joins two values, and every
//! sum and product of matrices, is its own root.

use crate::check::elementwise;
use crate::check::hir::{Body, Elementwise, HirOp, Value, ValueId};
use std::collections::BTreeMap;

/// Numbers at which functions are tried.
pub(super) const TRIED: [f64; 13] = [-30.0, -10.0, -4.0, -2.0, -1.0, -0.4, 0.0, 0.4, 1.0, 2.0, 4.0, 10.0, 30.0];

/// What a value is made of.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Root {
    /// Nothing but numbers of the program.
    Constant(f64),
    /// One value.
    Of(ValueId),
}

/// The functions of one number in a body, outside of training.
pub(super) struct Scalars<'b> {
    body: &'b Body,
    roots: Vec<Root>,
    members: BTreeMap<ValueId, Vec<ValueId>>,
}

impl<'b> Scalars<'b> {
    pub(super) fn of(body: &'b Body) -> Scalars<'b> {
        let mut scalars = Scalars { body, roots: Vec::with_capacity(body.values.len()), members: BTreeMap::new() };
        for (at, value) in body.values.iter().enumerate() {
            let id = ValueId(at as u32);
            let root = scalars.root_of(id, value);
            if let Root::Of(root) = root {
                scalars.members.entry(root).or_default().push(id);
            }
            scalars.roots.push(root);
        }
        scalars
    }

    fn root_of(&self, id: ValueId, value: &Value) -> Root {
        let of = |operand: ValueId| self.roots[operand.0 as usize];
        if let Some(operand) = same_elements(self.body, value) {
            return of(operand);
        }
        match &value.op {
            HirOp::Number(number) => Root::Constant(*number),
            HirOp::Truth(truth) => Root::Constant(f64::from(*truth)),
            HirOp::Elementwise(op) => {
                let mut root = None;
                let mut numbers = Vec::with_capacity(value.operands.len());
                for &operand in &value.operands {
                    match of(operand) {
                        Root::Constant(number) => numbers.push(number),
                        Root::Of(other) if root.is_none_or(|root| root == other) => root = Some(other),
                        Root::Of(_) => return Root::Of(id),
                    }
                }
                root.map_or_else(|| Root::Constant(elementwise(*op, &numbers)), Root::Of)
            }
            _ => Root::Of(id),
        }
    }

    /// The value of which `id` is an elementwise function; itself where it is no function of one.
    pub(super) fn root(&self, id: ValueId) -> Option<ValueId> {
        match self.roots[id.0 as usize] {
            Root::Constant(_) => None,
            Root::Of(root) => Some(root),
        }
    }

    /// The number that a value always is.
    pub(super) fn constant(&self, id: ValueId) -> Option<f64> {
        match self.roots[id.0 as usize] {
            Root::Constant(number) => Some(number),
            Root::Of(_) => None,
        }
    }

    /// The elementwise functions of a root, itself first.
    pub(super) fn functions(&self, root: ValueId) -> &[ValueId] {
        self.members.get(&root).map_or(&[], Vec::as_slice)
    }

    /// What an element of `id` is where its root's is `z`.
    pub(super) fn at(&self, id: ValueId, z: f64) -> Option<f64> {
        let root = self.root(id)?;
        let members = self.members.get(&root)?;
        let mut values: BTreeMap<ValueId, f64> = BTreeMap::new();
        for &member in members.iter().take_while(|member| **member <= id) {
            let value = &self.body[member];
            let of = |operand: ValueId| match self.roots[operand.0 as usize] {
                Root::Constant(number) => number,
                Root::Of(_) => values.get(&operand).copied().unwrap_or(f64::NAN),
            };
            let result = match (member == root, same_elements(self.body, value), &value.op) {
                (true, ..) => z,
                (false, Some(operand), _) => of(operand),
                (false, None, HirOp::Elementwise(op)) => {
                    let operands: Vec<f64> = value.operands.iter().map(|&operand| of(operand)).collect();
                    elementwise(*op, &operands)
                }
                (false, None, _) => f64::NAN,
            };
            values.insert(member, result);
        }
        values.get(&id).copied()
    }
}

/// The operand whose elements, outside of training, are those of the value in another order or shape.
pub(super) fn same_elements(body: &Body, value: &Value) -> Option<ValueId> {
    match &value.op {
        HirOp::Reshape | HirOp::Transpose(_) | HirOp::Expand(_) | HirOp::StopGradient => {
            value.operands.first().copied()
        }
        HirOp::Elementwise(Elementwise::If) => match value.operands.as_slice() {
            [condition, _, otherwise] if matches!(body[*condition].op, HirOp::Training) => Some(*otherwise),
            _ => None,
        },
        _ => None,
    }
}
