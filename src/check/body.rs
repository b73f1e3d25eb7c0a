//! Writing down what the walker meets: values, parameters, states and regions of a [`hir::Body`].
//!
//! Bodies stand on a stack. A region (of `each` or `scan`) shares the parameters and states of the body around it and takes
//! values from it as captures; the body of an initialisation stands alone. While shapes are symbolic nothing is kept but the
//! shapes of parameters, so that sharing is checked there too.

use super::calls::first_tensor;
use super::infer::Walker;
use super::types::{Shape, Tensor, Type, Value, Written, compare_shapes, count, known_shape};
use crate::check::dim::{Dim, Verdict};
use crate::check::hir::{self, Binding, Body, BodyInput, Elementwise, HirOp, LayerUse, Param, State, ValueId};
use crate::diagnostics::{names as name_problems, shapes as problems};
use crate::source::Span;
use crate::syntax::ast::CallableKind;
use std::collections::HashMap;
use std::rc::Rc;

/// A body being written.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Its number; tensors remember it.
    pub(super) id: u32,
    /// What was written.
    pub(super) body: Body,
    /// Whether it is the region of an operation of the body below on the stack.
    region: bool,
    /// The value of each input that a name stands for.
    named: HashMap<(String, Binding), ValueId>,
    captures: HashMap<ValueId, ValueId>,
    captured: Vec<ValueId>,
    params: Met,
    states: Met,
    elements: u64,
}

/// The parameters or the states met so far, by path.
#[derive(Debug, Default)]
struct Met {
    by_path: HashMap<Rc<str>, Kept>,
    /// Their paths in the order they were met.
    order: Vec<Rc<str>>,
}

impl Met {
    fn get(&self, path: &str) -> Option<&Kept> {
        self.by_path.get(path)
    }

    fn insert(&mut self, path: Rc<str>, kept: Kept) {
        self.by_path.insert(path.clone(), kept);
        self.order.push(path);
    }

    /// Forgets all but the first so many.
    fn truncate(&mut self, count: usize) {
        for path in self.order.drain(count.min(self.order.len())..) {
            self.by_path.remove(&path);
        }
    }
}

/// A parameter or a state met before.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    index: usize,
    shape: Shape,
    /// The first use, as the outermost declaration has it.
    used: Span,
}

/// A parameter's or a state's place in the paths of a model.
#[derive(Debug, Default)]
pub(super) struct PathScope {
    prefix: String,
    counts: HashMap<Rc<str>, usize>,
    taken: HashMap<Rc<str>, ()>,
}

/// How many parameters and states were met before a branch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeptParams {
    params: usize,
    states: usize,
}

impl Builder {
    fn add_input(&mut self, name: &str, ty: hir::ValueType, binding: Binding, span: Span) -> ValueId {
        let op = HirOp::Input(self.body.inputs.len());
        self.body.inputs.push(BodyInput { name: name.to_owned(), ty: ty.clone(), binding });
        self.body.values.push(hir::Value { op, operands: Vec::new(), ty, span, site: span });
        ValueId(self.body.values.len() as u32 - 1)
    }
}

impl<'a> Walker<'a> {
    /// Begins a body of its own.
    pub(super) fn open_body(&mut self) {
        self.open(false);
    }

    fn open(&mut self, region: bool) {
        self.next_body += 1;
        self.bodies.push(Builder { id: self.next_body, region, ..Builder::default() });
    }

    /// Ends the body begun last.
    pub(super) fn close_body(&mut self) -> Body {
        self.bodies.pop().map(|builder| builder.body).unwrap_or_default()
    }

    /// Begins a region whose inputs have these types.
    pub(super) fn open_region(&mut self, inputs: &[(String, Type)], span: Span) -> Vec<Value> {
        self.open(true);
        inputs.iter().map(|(name, ty)| self.body_input(name, ty.clone(), Binding::Region, span)).collect()
    }

    /// Ends a region: its body and the values of the body around it that it captured.
    pub(super) fn close_region(&mut self) -> (Body, Vec<ValueId>) {
        self.bodies.pop().map(|builder| (builder.body, builder.captured)).unwrap_or_default()
    }

    /// A new input of the innermost body; the same name and binding again gives the same input.
    pub(super) fn body_input(&mut self, name: &str, ty: Type, binding: Binding, span: Span) -> Value {
        let at = match binding {
            Binding::Region => self.bodies.len().checked_sub(1),
            Binding::Field | Binding::ModelOutput | Binding::Scope => self.bodies.iter().rposition(|body| !body.region),
        };
        let Some(builder) = at.map(|at| &mut self.bodies[at]) else { return Value::Unknown };
        let id = if self.recording {
            let Some(known) = ty.known() else { return Value::Unknown };
            let key = (name.to_owned(), binding);
            match builder.named.get(&key) {
                Some(&id) if binding != Binding::Region => id,
                _ => {
                    let id = builder.add_input(name, known, binding, span);
                    builder.named.insert(key, id);
                    id
                }
            }
        } else {
            ValueId(0)
        };
        Value::Tensor(Tensor { ty, body: builder.id, id, origin: span, made: None })
    }

    /// Applies an operation in the innermost body.
    pub(super) fn emit(&mut self, op: HirOp, operands: &[&Tensor], ty: Type, span: Span) -> Value {
        self.emit_tensor(op, operands, ty, span).map_or(Value::Unknown, Value::Tensor)
    }

    /// As [`Walker::emit`]; `None` where the value cannot be had.
    pub(super) fn emit_tensor(&mut self, op: HirOp, operands: &[&Tensor], ty: Type, span: Span) -> Option<Tensor> {
        let mut ids = Vec::with_capacity(operands.len());
        for operand in operands {
            ids.push(self.import(operand, span)?);
        }
        let id = self.push_value(op, ids, &ty, span)?;
        Some(Tensor { ty, body: self.bodies.last()?.id, id, origin: span, made: None })
    }

    /// Applies an operation to values of the innermost body by their numbers.
    pub(super) fn push_value(&mut self, op: HirOp, operands: Vec<ValueId>, ty: &Type, span: Span) -> Option<ValueId> {
        if !self.check_extents(&ty.shape, span) || !self.check_place(&op, ty, span) {
            return None;
        }
        if !self.recording {
            return Some(ValueId(0));
        }
        let known = ty.known()?;
        self.emitted += 1;
        if self.emitted > self.options.most_values {
            self.halt(span);
            return None;
        }
        let site = self.site(span);
        let builder = self.bodies.last_mut()?;
        builder.body.values.push(hir::Value { op, operands, ty: known, span, site });
        Some(ValueId(builder.body.values.len() as u32 - 1))
    }

    /// Writes down that a layer begins in the innermost body; gives its place there.
    pub(super) fn begin_layer(&mut self, path: &str, layer: &str, span: Span) -> Option<usize> {
        let depth = self.paths.len();
        let body = self.recording.then(|| self.bodies.last_mut()).flatten().map(|builder| &mut builder.body)?;
        let output = hir::ValueType { element: hir::Element::Number, shape: Vec::new() };
        let values = body.values.len()..body.values.len();
        let (path, layer) = (path.to_owned(), layer.to_owned());
        body.layers.push(LayerUse { path, layer, output, depth, values, span });
        Some(body.layers.len() - 1)
    }

    /// Writes down that the layer at that place ends with a value.
    pub(super) fn end_layer(&mut self, place: Option<usize>, value: &Value) {
        let Some(body) = self.bodies.last_mut().map(|builder| &mut builder.body) else { return };
        let end = body.values.len();
        let Some(layer) = place.and_then(|place| body.layers.get_mut(place)) else { return };
        layer.values.end = end.max(layer.values.start);
        if let Some(output) = first_tensor(value).and_then(|first| first.ty.known()) {
            layer.output = output;
        }
    }

    /// Whether the declaration being checked may do this: an optimizer works on one element at a time, and what is computed
    /// of a run's results gives the same twice.
    fn check_place(&mut self, op: &HirOp, ty: &Type, span: Span) -> bool {
        let Some(kind) = self.frames.first().and_then(|frame| frame.kind) else { return true };
        let random = matches!(op, HirOp::Bernoulli | HirOp::Normal | HirOp::Uniform);
        let elementwise = matches!(
            op,
            HirOp::Input(_)
                | HirOp::State(_)
                | HirOp::Number(_)
                | HirOp::Truth(_)
                | HirOp::Elementwise(_)
                | HirOp::Fill
                | HirOp::StopGradient
        );
        let problem = match kind {
            CallableKind::Optimizer if !elementwise || !(ty.shape.is_empty() || matches!(op, HirOp::Fill)) => {
                problems::not_elementwise(span)
            }
            CallableKind::Metric | CallableKind::Penalty | CallableKind::Schedule if random => {
                problems::misplaced_random(span, kind.keyword())
            }
            CallableKind::Fn
            | CallableKind::Activation
            | CallableKind::Loss
            | CallableKind::Metric
            | CallableKind::Penalty
            | CallableKind::Init
            | CallableKind::Schedule
            | CallableKind::Optimizer
            | CallableKind::Layer
            | CallableKind::Model => return true,
        };
        self.report(problem);
        false
    }

    /// The number of a value in the innermost body, captured where it belongs to a body around it.
    pub(super) fn import(&mut self, tensor: &Tensor, span: Span) -> Option<ValueId> {
        let home = self.bodies.iter().rposition(|body| body.id == tensor.body);
        let inner = self.bodies.len().checked_sub(1)?;
        let Some(home) = home.filter(|&home| self.bodies[home + 1..].iter().all(|body| body.region)) else {
            self.report(problems::not_before_running(span));
            return None;
        };
        if !self.recording {
            return Some(ValueId(0));
        }
        let mut id = tensor.id;
        for at in home + 1..=inner {
            let known = tensor.ty.known()?;
            let builder = &mut self.bodies[at];
            id = match builder.captures.get(&id) {
                Some(&inside) => inside,
                None => {
                    let name = format!("captured_{}", builder.captured.len() + 1);
                    let inside = builder.add_input(&name, known, Binding::Region, tensor.origin);
                    builder.captures.insert(id, inside);
                    builder.captured.push(id);
                    inside
                }
            };
        }
        Some(id)
    }

    /// Reports extents below 0 and tensors that no memory holds.
    pub(super) fn check_extents(&mut self, shape: &Shape, span: Span) -> bool {
        for dim in shape.iter().filter_map(|axis| axis.dim()) {
            if matches!(dim, Dim::Known(extent) if *extent < 0) {
                self.report(problems::extent_negative(span, &Written(shape), dim));
                return false;
            }
        }
        let Some(extents) = known_shape(shape) else {
            // With numbers an extent is unknown only where the arithmetic left 64 bits.
            let lost = self.recording && shape.iter().any(|axis| axis.dim() == Some(&Dim::Unknown));
            if lost {
                self.report(problems::extent_too_large(span));
            }
            return !lost;
        };
        let elements = extents.iter().fold(1u128, |product, &extent| product.saturating_mul(extent as u128));
        if elements > u128::from(self.options.most_elements) {
            self.report(problems::model_too_large(span, &Written(shape), elements, self.options.most_elements));
            return false;
        }
        true
    }

    fn root(&mut self) -> Option<&mut Builder> {
        self.bodies.iter_mut().rev().find(|body| !body.region)
    }

    /// Whether the innermost body is a region.
    pub(super) fn in_region(&self) -> bool {
        self.bodies.last().is_some_and(|body| body.region)
    }

    /// A parameter under the present path: a new one, or the one there is of that path.
    pub(super) fn parameter(
        &mut self,
        name: &str,
        shape: Shape,
        span: Span,
        init: impl FnOnce(&mut Self) -> Body,
    ) -> Value {
        if !self.check_extents(&shape, span) {
            return Value::Unknown;
        }
        let path: Rc<str> = self.path_of(name).into();
        let used = self.outer_use().unwrap_or(span);
        let kept = self.root().and_then(|root| root.params.get(&path).cloned());
        let index = match kept {
            Some(kept) => {
                if compare_shapes(&kept.shape, &shape) == Verdict::Different {
                    let before = Written(&kept.shape).to_string();
                    self.report(problems::shared_layer_shape(span, &path, &Written(&shape), &before, kept.used));
                    return Value::Unknown;
                }
                kept.index
            }
            None => {
                let init = init(self);
                let elements = count(&shape).known().map_or(0, |n| n as u64);
                let limit = self.options.most_elements;
                let Some(root) = self.root() else { return Value::Unknown };
                let index = root.body.params.len();
                let before = root.elements;
                root.elements = before.saturating_add(elements);
                root.params.insert(path.clone(), Kept { index, shape: shape.clone(), used });
                if let Some(extents) = known_shape(&shape) {
                    root.body.params.push(Param { path: path.to_string(), shape: extents, init, span });
                }
                if root.elements > limit && before <= limit {
                    let total = u128::from(root.elements);
                    self.report(problems::parameters_too_large(span, &path, &Written(&shape), total, limit));
                    return Value::Unknown;
                }
                index
            }
        };
        self.emit(HirOp::Param(index), &[], Type::number(shape), span)
    }

    /// A state under the present path, and its number.
    pub(super) fn state(
        &mut self,
        name: &str,
        shape: Shape,
        span: Span,
        init: impl FnOnce(&mut Self) -> Body,
    ) -> Option<(usize, Value)> {
        if !self.check_extents(&shape, span) {
            return None;
        }
        let path: Rc<str> = self.path_of(name).into();
        let used = self.outer_use().unwrap_or(span);
        let kept = self.root()?.states.get(&path).cloned();
        let index = match kept {
            Some(kept) if compare_shapes(&kept.shape, &shape) == Verdict::Different => {
                let before = Written(&kept.shape).to_string();
                self.report(problems::shared_layer_shape(span, &path, &Written(&shape), &before, kept.used));
                return None;
            }
            Some(kept) => kept.index,
            None => {
                let init = init(self);
                let root = self.root()?;
                let index = root.body.states.len();
                root.states.insert(path.clone(), Kept { index, shape: shape.clone(), used });
                if let Some(extents) = known_shape(&shape) {
                    root.body.states.push(State { path: path.to_string(), shape: extents, init, next: None, span });
                }
                index
            }
        };
        Some((index, self.emit(HirOp::State(index), &[], Type::number(shape), span)))
    }

    /// Says what a state is after the step.
    pub(super) fn set_next(&mut self, state: usize, value: &Tensor, span: Span) {
        let Some(id) = self.import(value, span) else { return };
        if let Some(state) = self.root().and_then(|root| root.body.states.get_mut(state)) {
            state.next = Some(id);
        }
    }

    /// What is known of parameters, to go back to after a branch that may not be taken.
    pub(super) fn mark_params(&mut self) -> KeptParams {
        let kept = |root: &mut Builder| KeptParams { params: root.params.order.len(), states: root.states.order.len() };
        self.root().map(kept).unwrap_or_default()
    }

    /// Goes back to what was known of parameters.
    pub(super) fn restore_params(&mut self, before: KeptParams) {
        if let Some(root) = self.root() {
            root.params.truncate(before.params);
            root.states.truncate(before.states);
        }
    }

    /// The path of a name in the layer at hand.
    pub(super) fn path_of(&self, name: &str) -> String {
        match self.paths.last() {
            Some(scope) if !scope.prefix.is_empty() => format!("{}.{name}", scope.prefix),
            Some(_) | None => name.to_owned(),
        }
    }

    /// The path of a fresh use of a layer: its name and its place among its like.
    pub(super) fn fresh_path(&mut self, layer: &str) -> Rc<str> {
        let Some(scope) = self.paths.last_mut() else { return layer.into() };
        let number = scope.counts.entry(layer.into()).or_default();
        let path = loop {
            *number += 1;
            let name: Rc<str> = format!("{layer}_{number}").into();
            if scope.taken.insert(name.clone(), ()).is_none() {
                break name;
            }
        };
        self.path_of(&path).into()
    }

    /// The path of a `let`-bound layer: the name, with a number where that is taken.
    pub(super) fn named_path(&mut self, name: &str) -> Rc<str> {
        let Some(scope) = self.paths.last_mut() else { return name.into() };
        let mut path: Rc<str> = name.into();
        let mut number = 1;
        while scope.taken.insert(path.clone(), ()).is_some() {
            number += 1;
            path = format!("{name}_{number}").into();
        }
        self.path_of(&path).into()
    }

    /// Enters a layer under that path.
    pub(super) fn enter_path(&mut self, path: &str) {
        self.paths.push(PathScope { prefix: path.to_owned(), ..PathScope::default() });
    }

    /// Leaves the layer entered last.
    pub(super) fn leave_path(&mut self) {
        self.paths.pop();
    }

    /// A scalar number as a value.
    pub(super) fn constant(&mut self, number: f64, span: Span) -> Option<Tensor> {
        self.emit_tensor(HirOp::Number(number), &[], Type::scalar(), span)
    }

    /// Truth values as the numbers 0 and 1.
    pub(super) fn as_numbers(&mut self, truth: &Tensor, span: Span) -> Option<Tensor> {
        let one = self.constant(1.0, span)?;
        let zero = self.constant(0.0, span)?;
        let ty = Type::number(truth.ty.shape.clone());
        let numbers = self.emit_tensor(HirOp::Elementwise(Elementwise::If), &[truth, &one, &zero], ty, span)?;
        Some(numbers.shaped_as(truth))
    }

    /// Names an output of the innermost body.
    pub(super) fn set_output(&mut self, name: &str, tensor: &Tensor, span: Span) {
        let Some(id) = self.import(tensor, span) else { return };
        if let Some(builder) = self.bodies.last_mut().filter(|_| self.recording) {
            builder.body.outputs.push((name.to_owned(), id));
        }
    }

    /// A place of the body at hand, or where that is in a shipped file, the innermost call that is not.
    fn site(&self, span: Span) -> Span {
        let mut site = span;
        for frame in self.frames.iter().rev() {
            match frame.call {
                Some(call) if self.program.units[frame.unit].prelude => site = call,
                Some(_) | None => break,
            }
        }
        site
    }

    /// The call by which the outermost declaration came to where the walk is.
    fn outer_use(&self) -> Option<Span> {
        self.frames.iter().filter(|frame| frame.entered).nth(1).and_then(|frame| frame.call)
    }

    /// Stops the walk: the program asks for too much.
    pub(super) fn halt(&mut self, span: Span) {
        if !self.halted {
            self.halted = true;
            let outer = self.outer_use().unwrap_or(span);
            self.problems += 1;
            self.diagnostics.push(name_problems::too_complex(outer));
        }
    }
}
