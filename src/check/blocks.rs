//! Blocks and what stands in them: `let`, `param`, `state`, `next`, `emit`; `repeat`, `each` and `scan`.

use super::dim::{Dim, Verdict};
use super::hir::{Body, HirOp};
use super::infer::{Frame, Local, ScanFrame, Walker, Want};
use super::types::{Argument, Axis, Callable, Shape, Tensor, Type, Value, compare_shapes};
use crate::diagnostics::{Operand, names as name_problems, nearest, shapes as problems};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, ExprId, ExprKind, Name, Stmt, StmtKind, TypeExpr};
use std::collections::HashMap;
use std::rc::Rc;

/// `repeat` makes at most this many copies.
const MOST_COPIES: i64 = 10_000;

impl<'a> Walker<'a> {
    pub(super) fn eval_block(&mut self, statements: &'a [Stmt], span: Span, want: &Want) -> Value {
        self.frame().scopes.push(HashMap::new());
        let mut value = None;
        for (at, statement) in statements.iter().enumerate() {
            let last = at + 1 == statements.len();
            if let Some(result) = self.statement(statement, last, want) {
                value = Some(result);
            }
            if self.halted {
                break;
            }
        }
        self.frame().scopes.pop();
        // A statement that could not be read may have swallowed the value.
        let has_hole = statements.iter().any(|statement| match &statement.kind {
            StmtKind::Error => true,
            StmtKind::Let { value, .. } | StmtKind::Next { value, .. } | StmtKind::Emit(value) => {
                matches!(self.ast()[*value].kind, ExprKind::Error)
            }
            StmtKind::Param { .. } | StmtKind::State { .. } | StmtKind::Expr(_) => false,
        });
        match value {
            Some(value) => value,
            None => {
                if !has_hole && !self.may_lack_value() {
                    self.report(name_problems::block_without_value(span));
                }
                Value::Unknown
            }
        }
    }

    /// Whether the body at hand says what it does by `next` and `emit`.
    fn may_lack_value(&self) -> bool {
        self.frames
            .last()
            .is_some_and(|frame| !frame.scans.is_empty() || matches!(frame.kind, Some(CallableKind::Optimizer)))
    }

    fn statement(&mut self, statement: &'a Stmt, last: bool, want: &Want) -> Option<Value> {
        match &statement.kind {
            StmtKind::Let { names, value } => self.let_statement(names, *value),
            StmtKind::Param { name, ty, init } => self.param_statement(name, ty.as_ref(), *init, statement.span),
            StmtKind::State { name, ty, init } => self.state_statement(name, ty.as_ref(), *init, statement.span),
            StmtKind::Next { name, value } => self.next_statement(name, *value),
            StmtKind::Emit(value) => self.emit_statement(*value, statement.span),
            StmtKind::Expr(expr) => {
                let value = self.eval(*expr, want);
                if last {
                    return Some(value);
                }
                let block_of_statements = matches!(self.ast()[*expr].kind, ExprKind::Block(_) | ExprKind::If { .. });
                if !block_of_statements {
                    self.report(name_problems::value_unused(statement.span));
                }
            }
            StmtKind::Error => {}
        }
        None
    }

    fn let_statement(&mut self, names: &'a [Name], value: ExprId) {
        let span = self.ast()[value].span;
        let result = self.eval(value, &Want::Any);
        let [name] = names else {
            let values: Vec<Value> = match &result {
                Value::Tuple(values) if values.len() == names.len() => {
                    values.iter().map(|(_, value)| value.clone()).collect()
                }
                Value::List(items) if items.len() == names.len() => {
                    items.iter().map(|item| item.value.clone()).collect()
                }
                Value::Unknown => Vec::new(),
                other => {
                    let found = self.describe(other);
                    let bound = names[0].span.to(names[names.len() - 1].span);
                    self.report(problems::destructure(bound, names.len(), &found, span));
                    Vec::new()
                }
            };
            for (at, name) in names.iter().enumerate() {
                self.bind_new(name, values.get(at).cloned().unwrap_or(Value::Unknown));
            }
            return;
        };
        let bound = match result {
            Value::Callable(callable) => Value::Callable(self.share(&name.value, callable)),
            other => other,
        };
        self.bind_new(name, bound);
    }

    /// Binds a name that the block must not bind yet.
    fn bind_new(&mut self, name: &Name, value: Value) {
        let earlier =
            self.frame().scopes.last().and_then(|scope| scope.get(name.value.as_str())).map(|local| local.span);
        if let Some(earlier) = earlier {
            self.report(name_problems::bound_twice(name, earlier));
        }
        self.bind(&name.value, value, name.span);
    }

    fn param_statement(&mut self, name: &'a Name, ty: Option<&'a TypeExpr>, init: Option<ExprId>, span: Span) {
        let kind = self.frames.last().and_then(|frame| frame.kind);
        if !matches!(kind, Some(CallableKind::Layer | CallableKind::Model)) || self.in_scan() {
            self.report(name_problems::misplaced_statement(span, "param", "a `layer` or a `model`"));
            self.bind_new(name, Value::Unknown);
            return;
        }
        let shape = match ty {
            Some(ty) => self.param_shape(ty),
            None => {
                self.report(name_problems::param_without_type(name));
                None
            }
        };
        let (Some(shape), Some(init)) = (shape.clone(), init) else {
            if init.is_none() && ty.is_some() {
                self.report(name_problems::param_without_init(name, shape.map_or(0, |shape| shape.len()), span));
            }
            self.bind_new(name, Value::Unknown);
            return;
        };
        let for_init = shape.clone();
        let value = self.parameter(&name.value, shape, name.span, |walker| walker.init_body(init, for_init));
        self.bind_new(name, value);
    }

    fn param_shape(&mut self, ty: &'a TypeExpr) -> Option<Shape> {
        let resolved = self.resolve_type(ty)?;
        if resolved.element != super::types::Element::Number {
            self.report(problems::param_of_classes(ty.span));
            return None;
        }
        Some(resolved.shape)
    }

    /// The body that fills a parameter or a state of that shape.
    pub(super) fn init_body(&mut self, init: ExprId, shape: Shape) -> Body {
        let span = self.ast()[init].span;
        self.open_body();
        self.init_shapes.push(shape.clone());
        let value = self.eval(init, &Want::Kind(CallableKind::Init));
        let value = match value {
            Value::Callable(callable) => self.apply_init(&callable, span),
            other => other,
        };
        if let Some(tensor) = self.init_tensor(&value, &shape, span) {
            self.set_output("value", &tensor, span);
        }
        self.init_shapes.pop();
        self.close_body()
    }

    fn init_tensor(&mut self, value: &Value, shape: &Shape, span: Span) -> Option<Tensor> {
        let tensor = self.to_tensor(value, span)?;
        let tensor =
            if tensor.ty.element == super::types::Element::Truth { self.as_numbers(&tensor, span)? } else { tensor };
        if !tensor.ty.shape.is_empty() && compare_shapes(&tensor.ty.shape, shape) == Verdict::Different {
            self.report(problems::init_shape(span, &tensor.ty, &super::types::Written(shape)));
            return None;
        }
        Some(tensor)
    }

    /// Fills the shape at hand by an initialisation.
    fn apply_init(&mut self, callable: &Callable, span: Span) -> Value {
        match callable {
            Callable::Declared(id, config) => {
                let declaration = *self.globals.get(*id);
                let Some(declared) = declaration.callable().filter(|declared| declared.kind == CallableKind::Init)
                else {
                    let found = self.describe_callable(callable);
                    self.report(name_problems::wrong_kind(span, &found, "an init").collected_if(callable.is_named()));
                    return Value::Unknown;
                };
                let Some(config) = config.clone().or_else(|| self.default_config(*id, span)) else {
                    return Value::Unknown;
                };
                if self.frames.iter().any(|frame| frame.decl == Some(*id)) {
                    return Value::Unknown;
                }
                let frame = Frame {
                    unit: declaration.unit,
                    decl: Some(*id),
                    kind: Some(CallableKind::Init),
                    scopes: vec![HashMap::new()],
                    call: Some(span),
                    entered: true,
                    ..Frame::default()
                };
                self.frames.push(frame);
                for (parameter, value) in declared.config.iter().flatten().zip(config.iter()) {
                    self.bind(&parameter.name.value, value.clone(), parameter.name.span);
                }
                let shape = self.init_shapes.last().cloned().unwrap_or_default();
                self.bind_init_scope(&shape, declaration.name.span);
                let value = self.eval(declared.body, &Want::Any);
                self.frames.pop();
                value
            }
            Callable::Primitive(primitive, preset) => self.apply_primitive(*primitive, preset, Vec::new(), span),
            Callable::Opaque(CallableKind::Init) => {
                let shape = self.init_shapes.last().cloned().unwrap_or_default();
                self.emit(HirOp::Fill, &[], Type::number(shape), span)
            }
            Callable::Chain(_)
            | Callable::Each(_)
            | Callable::Repeated(_)
            | Callable::Shared { .. }
            | Callable::Opaque(_) => {
                let found = self.describe_callable(callable);
                self.report(name_problems::wrong_kind(span, &found, "an init").collected_if(callable.is_named()));
                Value::Unknown
            }
        }
    }

    /// `fan_in`, `fan_out` and `shape` of an initialisation.
    pub(super) fn bind_init_scope(&mut self, shape: &Shape, span: Span) {
        // A parameter without elements is filled with nothing, by formulas that divide by these.
        let [fan_in, fan_out] = <[Dim; 2]>::from(fans(shape)).map(|fan| fan.larger(&Dim::Known(1)));
        self.bind("fan_in", Value::Int(fan_in), span);
        self.bind("fan_out", Value::Int(fan_out), span);
        self.bind("shape", Value::Axes(Rc::new(shape.clone())), span);
    }

    fn state_statement(&mut self, name: &'a Name, ty: Option<&'a TypeExpr>, init: Option<ExprId>, span: Span) {
        let kind = self.frames.last().and_then(|frame| frame.kind);
        let layer = matches!(kind, Some(CallableKind::Layer | CallableKind::Model));
        let scalar = matches!(kind, Some(CallableKind::Optimizer | CallableKind::Schedule));
        if !(layer || scalar) || self.in_scan() {
            let places = "a `layer`, a `model`, an `optimizer` or a `schedule`";
            self.report(name_problems::misplaced_statement(span, "state", places));
            self.bind_new(name, Value::Unknown);
            return;
        }
        let shape = match ty {
            Some(ty) => self.param_shape(ty),
            None if scalar => Some(Vec::new()),
            None => {
                self.report(name_problems::state_without_type(name));
                None
            }
        };
        let (Some(shape), Some(init)) = (shape, init) else {
            if init.is_none() {
                self.report(name_problems::state_without_start(name, span));
            }
            self.bind_new(name, Value::Unknown);
            return;
        };
        if layer && self.in_region() {
            self.report(name_problems::state_in_each(name));
            self.bind_new(name, Value::Unknown);
            return;
        }
        let for_init = shape.clone();
        let state = self.state(&name.value, shape.clone(), name.span, |walker| walker.init_body(init, for_init));
        let value = match state {
            Some((index, value)) => {
                self.frame().states.insert(name.value.as_str().into(), (index, Type::number(shape), name.span));
                value
            }
            None => Value::Unknown,
        };
        self.bind_new(name, value);
    }

    fn in_scan(&self) -> bool {
        self.frames.last().is_some_and(|frame| !frame.scans.is_empty())
    }

    fn next_statement(&mut self, name: &'a Name, value: ExprId) {
        let span = self.ast()[value].span;
        let result = self.eval(value, &Want::Any);
        let scan = self
            .frame()
            .scans
            .last()
            .and_then(|scan| scan.states.iter().position(|(state, ..)| **state == *name.value));
        if let Some(at) = scan {
            let tensor = self.to_tensor(&result, span);
            let Some(scan) = self.frame().scans.last_mut() else { return };
            let (_, ty, place, _) = scan.states[at].clone();
            let fitting = tensor.filter(|tensor| self.state_fits(tensor, &ty, &name.value, span, place));
            let Some(scan) = self.frame().scans.last_mut() else { return };
            scan.unclear |= fitting.is_none();
            scan.states[at].3 = fitting;
            return;
        }
        if name.value == "param" && self.frame().kind == Some(CallableKind::Optimizer) {
            let tensor = self.to_tensor(&result, span);
            let place = name.span;
            if let Some(tensor) = tensor {
                let scalar = compare_shapes(&tensor.ty.shape, &Vec::new()) != Verdict::Different;
                if scalar && !matches!(tensor.ty.element, super::types::Element::Class { .. }) {
                    self.frame().next_param = Some(Value::Tensor(tensor));
                } else {
                    self.report(problems::update_not_elementwise(span, &tensor.ty, place));
                }
            }
            return;
        }
        let Some((index, ty, place)) = self.frame().states.get(name.value.as_str()).cloned() else {
            let known = matches!(self.local(&name.value), Some(Local { value: Value::Unknown, .. }));
            let unread = self.is_broken(&name.value);
            if !known && !unread {
                let mut states: Vec<String> = self.frame().states.keys().map(|name| name.to_string()).collect();
                states.sort();
                let near = nearest(&name.value, states.iter().map(String::as_str)).map(str::to_owned);
                self.report(name_problems::unknown_state(name, near.as_deref()));
            }
            return;
        };
        let Some(tensor) = self.to_tensor(&result, span) else { return };
        if self.state_fits(&tensor, &ty, &name.value, span, place) {
            self.set_next(index, &tensor, span);
        }
    }

    fn state_fits(&mut self, tensor: &Tensor, ty: &Type, name: &str, span: Span, place: Span) -> bool {
        let class = matches!(tensor.ty.element, super::types::Element::Class { .. });
        if class || compare_shapes(&tensor.ty.shape, &ty.shape) == Verdict::Different {
            self.report(problems::state_shape(span, name, &tensor.ty, ty, place));
            return false;
        }
        true
    }

    fn emit_statement(&mut self, value: ExprId, span: Span) {
        let at = self.ast()[value].span;
        let result = self.eval(value, &Want::Any);
        if self.frame().scans.is_empty() {
            self.report(name_problems::misplaced_statement(span, "emit", "a `scan`"));
            return;
        }
        if let Some(tensor) = self.to_tensor(&result, at)
            && let Some(scan) = self.frame().scans.last_mut()
        {
            scan.emitted.push(tensor);
        }
    }

    pub(super) fn eval_repeat(&mut self, count: ExprId, body: ExprId, span: Span) -> Value {
        let at = self.ast()[count].span;
        let Some(copies) = self.eval_int(count) else {
            self.eval(body, &Want::Kind(CallableKind::Layer));
            return Value::Unknown;
        };
        let Some(copies) = copies.known() else {
            return match self.eval(body, &Want::Kind(CallableKind::Layer)) {
                Value::Callable(layer) => Value::Callable(Callable::Repeated(Rc::new(layer))),
                other => self.repeated_non_layer(&other, body),
            };
        };
        if !(0..=MOST_COPIES).contains(&copies) {
            self.report(problems::repeat_count(at, copies, MOST_COPIES));
            return Value::Unknown;
        }
        if copies == 0 && !self.recording {
            // What is repeated no times is looked at all the same.
            let body_value = self.eval(body, &Want::Kind(CallableKind::Layer));
            if !matches!(body_value, Value::Callable(_)) {
                return self.repeated_non_layer(&body_value, body);
            }
        }
        let mut links = Vec::new();
        for _ in 0..copies {
            match self.eval(body, &Want::Kind(CallableKind::Layer)) {
                Value::Callable(Callable::Chain(inner)) => links.extend(inner.iter().cloned()),
                Value::Callable(layer) => links.push((layer, span)),
                other => return self.repeated_non_layer(&other, body),
            }
            if self.halted {
                return Value::Unknown;
            }
        }
        Value::Callable(Callable::Chain(Rc::new(links)))
    }

    fn repeated_non_layer(&mut self, value: &Value, body: ExprId) -> Value {
        if !matches!(value, Value::Unknown) {
            let at = self.value_span(body);
            self.report(name_problems::repeat_without_layer(at, &self.describe(value)));
        }
        Value::Unknown
    }

    pub(super) fn eval_each(&mut self, inner: ExprId, span: Span) -> Value {
        let ast = self.ast();
        let mut depth = 1;
        let mut inner = inner;
        while let ExprKind::Each(deeper) = &ast[inner].kind {
            depth += 1;
            inner = *deeper;
        }
        let wrap = |callable: Callable| (0..depth).fold(callable, |inner, _| Callable::Each(Rc::new(inner)));
        // `each f(a, b)` maps the call when its arguments are tensors, and the layer `f(…)` when they configure it.
        if let ExprKind::Call { callee, arguments } = &ast[inner].kind {
            let callee_span = ast[*callee].span;
            let target = self.eval(*callee, &Want::Any);
            let Value::Callable(callable) = target else {
                if !matches!(target, Value::Unknown) {
                    self.report(self.not_callable(callee_span, &target));
                }
                return Value::Unknown;
            };
            if self.takes_configuration(&callable, arguments) {
                return match self.call(&callable, callee_span, arguments, ast[inner].span, &Want::Any) {
                    Value::Callable(layer) => Value::Callable(wrap(layer)),
                    Value::Unknown => Value::Unknown,
                    other => {
                        self.report(name_problems::each_without_layer(span, &self.describe(&other)));
                        Value::Unknown
                    }
                };
            }
            let arguments = self.eval_arguments(arguments);
            if arguments.iter().any(|argument| argument.value.is_run_time()) {
                return self.apply(&wrap(callable), arguments, span);
            }
            if arguments.iter().any(|argument| matches!(argument.value, Value::Unknown)) {
                return Value::Unknown;
            }
            return match self.apply_evaluated(&callable, callee_span, arguments, ast[inner].span) {
                Value::Callable(layer) => Value::Callable(wrap(layer)),
                _ => Value::Unknown,
            };
        }
        match self.eval(inner, &Want::Kind(CallableKind::Layer)) {
            Value::Callable(layer) => Value::Callable(wrap(layer)),
            Value::Unknown => Value::Unknown,
            other => {
                self.report(name_problems::each_without_layer(span, &self.describe(&other)));
                Value::Unknown
            }
        }
    }

    /// Maps a callable over the first axis of its arguments.
    pub(super) fn apply_each(&mut self, inner: &Callable, arguments: Vec<Argument>, span: Span) -> Value {
        let mut tensors = Vec::with_capacity(arguments.len());
        for argument in &arguments {
            let Some(tensor) = self.to_tensor(&argument.value, argument.span) else { return Value::Unknown };
            tensors.push((tensor, argument.span));
        }
        let Some((first, first_span)) = tensors.first().cloned() else { return Value::Unknown };
        let mut extent: Option<(Dim, Span)> = None;
        let mut inputs = Vec::with_capacity(tensors.len());
        for (at, (tensor, place)) in tensors.iter().enumerate() {
            match tensor.ty.shape.split_first() {
                Some((Axis::Dim(dim), rest)) => {
                    match &extent {
                        Some((other, earlier)) if other.compare(dim) == Verdict::Different => {
                            self.report(problems::each_extents(&tensor.at(*place), &first.at(*earlier)));
                            return Value::Unknown;
                        }
                        Some(_) => {}
                        None => extent = Some((dim.clone(), *place)),
                    }
                    inputs.push((format!("each_{}", at + 1), tensor.ty.with_shape(rest.to_vec())));
                }
                Some((Axis::Rest(_), _)) => return Value::Unknown,
                None => {
                    self.report(problems::each_of_scalar(&tensor.at(*place), span));
                    return Value::Unknown;
                }
            }
        }
        let Some((extent, _)) = extent else { return Value::Unknown };
        let elements = self.open_region(&inputs, first_span);
        let elements = elements.into_iter().zip(&arguments).map(|(value, argument)| Argument {
            name: argument.name.clone(),
            value,
            span: argument.span,
        });
        let value = self.apply(inner, elements.collect(), span);
        let parts: Option<Vec<(Option<Rc<str>>, Tensor)>> = match &value {
            Value::Tuple(values) => values
                .iter()
                .map(|(name, value)| self.to_tensor(value, span).map(|tensor| (name.clone(), tensor)))
                .collect(),
            value => self.to_tensor(value, span).map(|tensor| vec![(None, tensor)]),
        };
        for (_, part) in parts.iter().flatten() {
            self.set_output("value", part, span);
        }
        let (region, captured) = self.close_region();
        let Some(parts) = parts else { return Value::Unknown };
        let stacked = |part: &Tensor| {
            let mut shape = vec![Axis::Dim(extent.clone())];
            shape.extend(part.ty.shape.iter().cloned());
            part.ty.with_shape(shape)
        };
        let (mapped, results) = (tensors.len(), parts.len());
        let mut operands = Vec::with_capacity(mapped + captured.len());
        for (tensor, place) in &tensors {
            let Some(id) = self.import(tensor, *place) else { return Value::Unknown };
            operands.push(id);
        }
        operands.extend(captured);
        let op = HirOp::Each { region: Box::new(region), mapped, results };
        let Some(first) = self.numbered(op, operands, stacked(&parts[0].1), span) else { return Value::Unknown };
        if matches!(value, Value::Tensor(_)) || results == 1 && !matches!(value, Value::Tuple(_)) {
            return Value::Tensor(first);
        }
        let values = parts.iter().enumerate().map(|(at, (name, part))| {
            let value = if at == 0 {
                Value::Tensor(first.clone())
            } else {
                self.emit(HirOp::Result(at), &[&first], stacked(part), span)
            };
            (name.clone(), value)
        });
        Value::Tuple(Rc::new(values.collect()))
    }

    fn numbered(&mut self, op: HirOp, operands: Vec<super::hir::ValueId>, ty: Type, span: Span) -> Option<Tensor> {
        let id = self.push_value(op, operands, &ty, span)?;
        let body = self.bodies.last()?.id;
        Some(Tensor { ty, body, id, origin: span, made: None })
    }

    pub(super) fn eval_scan(
        &mut self,
        over: &'a [(Name, ExprId)],
        from: &'a [(Name, ExprId)],
        body: ExprId,
        span: Span,
    ) -> Value {
        let ast = self.ast();
        let mut extent: Option<(Dim, Operand)> = None;
        // Only its head, not its whole body, is what runs over something.
        let at = Span { end: ast[body].span.start, ..span };
        let at = Span { end: at.start + self.written(at).trim_end().len() as u32, ..at };
        let mut sound = true;
        let (mut inputs, mut operands) = (Vec::new(), Vec::new());
        for (name, sequence) in over {
            let place = ast[*sequence].span;
            let value = self.eval(*sequence, &Want::Any);
            let tensor = self.to_tensor(&value, place);
            let element = match &tensor {
                Some(tensor) => match tensor.ty.shape.split_first() {
                    Some((Axis::Dim(dim), rest)) => {
                        match &extent {
                            Some((other, earlier)) if other.compare(dim) == Verdict::Different => {
                                self.report(problems::each_extents(&tensor.at(place), earlier));
                                sound = false;
                            }
                            Some(_) => {}
                            None => extent = Some((dim.clone(), tensor.at(place))),
                        }
                        Some(tensor.ty.with_shape(rest.to_vec()))
                    }
                    Some((Axis::Rest(_), _)) => None,
                    None => {
                        self.report(problems::each_of_scalar(&tensor.at(place), at));
                        None
                    }
                },
                None => None,
            };
            sound &= element.is_some();
            inputs.push((name, element));
            operands.extend(tensor.map(|tensor| (tensor, place)));
        }
        let mut scan = ScanFrame::default();
        for (name, start) in from {
            let place = ast[*start].span;
            let value = self.eval(*start, &Want::Any);
            let tensor = self.to_tensor(&value, place);
            sound &= tensor.is_some();
            let ty = tensor.as_ref().map(|tensor| tensor.ty.clone());
            scan.states.extend(ty.clone().map(|ty| (name.value.as_str().into(), ty, name.span, None)));
            inputs.push((name, ty));
            operands.extend(tensor.map(|tensor| (tensor, place)));
        }
        let known: Vec<(String, Type)> =
            inputs.iter().filter_map(|(name, ty)| Some((name.value.clone(), ty.clone()?))).collect();
        let mut values = self.open_region(&known, span).into_iter();
        self.frame().scopes.push(HashMap::new());
        for (name, ty) in &inputs {
            let value = if ty.is_some() { values.next().unwrap_or(Value::Unknown) } else { Value::Unknown };
            self.bind_new(name, value);
        }
        self.frame().scans.push(scan);
        let problems_before = self.problems;
        self.eval(body, &Want::Any);
        let scan = self.frame().scans.pop().unwrap_or_default();
        self.frame().scopes.pop();
        for (name, _, place, next) in &scan.states {
            match next {
                Some(next) => self.set_output(name, next, span),
                None if self.problems == problems_before && !scan.unclear && !self.is_broken(name) => {
                    self.report(name_problems::state_without_next(*place, name));
                    sound = false;
                }
                None => sound = false,
            }
        }
        for emitted in &scan.emitted {
            self.set_output("emit", emitted, span);
        }
        let (region, captured) = self.close_region();
        let Some((extent, _)) = extent.filter(|_| sound) else { return Value::Unknown };
        let (sequences, states) = (over.len(), scan.states.len());
        let mut ids = Vec::with_capacity(operands.len() + captured.len());
        for (tensor, place) in &operands {
            let Some(id) = self.import(tensor, *place) else { return Value::Unknown };
            ids.push(id);
        }
        ids.extend(captured);
        let stacked = |part: &Tensor| {
            let mut shape = vec![Axis::Dim(extent.clone())];
            shape.extend(part.ty.shape.iter().cloned());
            part.ty.with_shape(shape)
        };
        let mut types: Vec<Type> = scan.states.iter().map(|(_, ty, ..)| ty.clone()).collect();
        types.extend(scan.emitted.iter().map(stacked));
        let Some(first_type) = types.first().cloned() else {
            self.report(name_problems::scan_without_value(span));
            return Value::Unknown;
        };
        let op = HirOp::Scan { region: Box::new(region), over: sequences, states };
        let Some(first) = self.numbered(op, ids, first_type, span) else { return Value::Unknown };
        // The value is what is emitted, or the last states where nothing is.
        let wanted = if scan.emitted.is_empty() { 0..states } else { states..types.len() };
        let mut results: Vec<(Option<Rc<str>>, Value)> = wanted
            .map(|at| {
                let value = if at == 0 {
                    Value::Tensor(first.clone())
                } else {
                    self.emit(HirOp::Result(at), &[&first], types[at].clone(), span)
                };
                (None, value)
            })
            .collect();
        match results.len() {
            1 => results.remove(0).1,
            _ => Value::Tuple(Rc::new(results)),
        }
    }
}

/// The numbers of values that each output sums and that each input goes to, as Glorot and Bengio count them: the last two axes
/// are inputs and outputs, those before are the window of a convolution.
fn fans(shape: &Shape) -> (Dim, Dim) {
    let dims: Option<Vec<Dim>> = super::types::plain_dims(shape);
    let Some(dims) = dims else { return (Dim::Unknown, Dim::Unknown) };
    match dims.as_slice() {
        [] => (Dim::Known(1), Dim::Known(1)),
        [only] => (only.clone(), only.clone()),
        [window @ .., inputs, outputs] => {
            let window = window.iter().fold(Dim::Known(1), |product, dim| product.mul(dim));
            (window.mul(inputs), window.mul(outputs))
        }
    }
}
