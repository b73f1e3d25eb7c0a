//! Applying callables: configuration, arguments, and the declared types on both sides.

use super::configure::signature_names;
use super::hir::HirOp;
use super::infer::{Frame, HookedCall, Local, Status, Walker, Want};
use super::names::DeclId;
use super::types::{Argument, Callable, Config, Tensor, Value};
use crate::diagnostics::names as name_problems;
use crate::source::Span;
use crate::syntax::ast::{self, Argument as AstArgument, CallableKind, ExprId, ExprKind, Output, TypeExpr};
use std::collections::HashMap;
use std::rc::Rc;

/// Calls nested deeper than this are refused.
const DEEPEST_CALL: usize = 64;

impl<'a> Walker<'a> {
    pub(super) fn eval_call(&mut self, callee: ExprId, arguments: &'a [AstArgument], span: Span, want: &Want) -> Value {
        let ast = self.ast();
        if let ExprKind::Name(name) = &ast[callee].kind
            && self.local(name).is_none()
            && self.frames.last().is_none_or(|frame| frame.decl.is_none())
            && let Some(hooks) = self.hooks.clone()
        {
            let call = HookedCall { name, name_span: ast[callee].span, arguments, span };
            if let Some(value) = hooks.call(self, &call, want) {
                return value;
            }
        }
        let target = self.eval(callee, &callee_want(want));
        match target {
            Value::Callable(callable) => self.call(&callable, ast[callee].span, arguments, span, want),
            Value::Unknown => {
                for argument in arguments {
                    self.eval(argument.value, &Want::Any);
                }
                Value::Unknown
            }
            other => {
                self.report(self.not_callable(ast[callee].span, &other));
                Value::Unknown
            }
        }
    }

    /// Applies a callable to arguments as written: configures it or gives it its tensors.
    pub(super) fn call(
        &mut self,
        callable: &Callable,
        callee: Span,
        arguments: &'a [AstArgument],
        span: Span,
        want: &Want,
    ) -> Value {
        let takes_tensors = match callable {
            Callable::Declared(id, None) => {
                let declared = self.globals.get(*id).callable();
                declared.is_some_and(|declared| declared.config.is_none() && declared.inputs.is_some())
            }
            Callable::Shared { inner, .. } => !matches!(**inner, Callable::Declared(_, None)),
            Callable::Declared(_, Some(_)) | Callable::Chain(_) | Callable::Each(_) | Callable::Repeated(_) => true,
            Callable::Primitive(..) | Callable::Opaque(_) => false,
        };
        let by_name = matches!(want, Want::Kind(CallableKind::Layer | CallableKind::Activation));
        if takes_tensors && by_name && arguments.is_empty() {
            let brackets = Span { start: callee.end, ..span };
            self.report(name_problems::empty_call(brackets, &self.written(callee), &self.describe_callable(callable)));
            return Value::Callable(callable.clone());
        }
        match callable {
            Callable::Declared(id, None) => self.call_declaration(*id, callee, arguments, span),
            Callable::Primitive(primitive, preset) => self.call_primitive(*primitive, preset, arguments, span, want),
            // A declaration that `let` gave another name can still be configured.
            Callable::Shared { inner, .. } => match &**inner {
                Callable::Declared(id, None) if arguments.iter().any(|argument| argument.name.is_some()) => {
                    self.call_declaration(*id, callee, arguments, span)
                }
                _ => self.call_inputs(callable, arguments, span),
            },
            Callable::Declared(_, Some(_))
            | Callable::Chain(_)
            | Callable::Each(_)
            | Callable::Repeated(_)
            | Callable::Opaque(_) => self.call_inputs(callable, arguments, span),
        }
    }

    /// The layer or function of a link such as `relu(2)`, which is given numbers as if it had configuration, with the brackets.
    pub(super) fn numbers_for_inputs(&mut self, link: ExprId) -> Option<(Callable, Span)> {
        let ast = self.ast();
        let ExprKind::Call { callee, arguments } = &ast[link].kind else { return None };
        let ExprKind::Name(name) = &ast[*callee].kind else { return None };
        let number = |expr: ExprId| match &ast[expr].kind {
            ExprKind::Unary(ast::UnaryOp::Neg, inner) => matches!(ast[*inner].kind, ExprKind::Number { .. }),
            kind => matches!(kind, ExprKind::Number { .. }),
        };
        if arguments.is_empty()
            || !arguments.iter().all(|argument| number(argument.value))
            || self.local(name).is_some()
        {
            return None;
        }
        let Value::Callable(callable @ Callable::Declared(id, None)) = self.eval(*callee, &Want::Any) else {
            return None;
        };
        let declared = self.globals.get(id).callable()?;
        let one = declared.config.is_none() && declared.inputs.as_ref().is_some_and(|inputs| inputs.len() == 1);
        one.then_some((callable, Span { start: ast[*callee].span.end, ..ast[link].span }))
    }

    fn call_inputs(&mut self, callable: &Callable, arguments: &'a [AstArgument], span: Span) -> Value {
        let arguments = self.eval_arguments(arguments);
        self.apply(callable, arguments, span)
    }

    /// The arguments with their values.
    pub(super) fn eval_arguments(&mut self, arguments: &'a [AstArgument]) -> Vec<Argument> {
        let ast = self.ast();
        let evaluated = arguments.iter().map(|argument| Argument {
            name: argument.name.clone(),
            value: self.eval(argument.value, &Want::Any),
            span: ast[argument.value].span,
        });
        evaluated.collect()
    }

    /// The arguments with their values, a name as the case that a parameter in its place has of it.
    fn eval_by_position(&mut self, arguments: &'a [AstArgument], parameters: &'a [ast::Parameter]) -> Vec<Argument> {
        let ast = self.ast();
        let mut evaluated = Vec::with_capacity(arguments.len());
        for (at, argument) in arguments.iter().enumerate() {
            let expr = &ast[argument.value];
            let want = match &expr.kind {
                ExprKind::Name(name) if self.local(name).is_none() => {
                    parameters.get(at).map(|parameter| self.parameter_want(parameter))
                }
                _ => None,
            };
            let want = want.filter(|want| !want.words().is_empty()).unwrap_or(Want::Any);
            let value = self.eval(argument.value, &want);
            evaluated.push(Argument { name: argument.name.clone(), value, span: expr.span });
        }
        evaluated
    }

    fn call_declaration(&mut self, id: DeclId, callee: Span, arguments: &'a [AstArgument], span: Span) -> Value {
        let Some(declared) = self.globals.get(id).callable() else { return Value::Unknown };
        let parameters = declared.config.as_deref().unwrap_or_default();
        if declared.config.is_none() && declared.inputs.is_some() {
            return self.call_inputs(&Callable::Declared(id, Some(Config::default())), arguments, span);
        }
        let required = parameters.iter().any(|parameter| parameter.default.is_none());
        let named = arguments.iter().any(|argument| argument.name.is_some());
        if required || named || arguments.is_empty() || declared.inputs.is_none() {
            return match self.configure(id, callee, arguments) {
                Some(config) => Value::Callable(Callable::Declared(id, Some(config))),
                None => Value::Unknown,
            };
        }
        // All of the configuration may be left out, so the arguments say which list this is.
        let evaluated = self.eval_by_position(arguments, parameters);
        let inputs = declared.inputs.as_deref().unwrap_or_default();
        let unknown = evaluated.iter().any(|argument| matches!(argument.value, Value::Unknown));
        if evaluated.iter().any(|argument| argument.value.is_run_time()) {
            return match self.default_config(id, callee) {
                Some(config) => self.apply(&Callable::Declared(id, Some(config)), evaluated, span),
                None => Value::Unknown,
            };
        }
        if unknown && evaluated.len() == inputs.len() {
            return Value::Unknown;
        }
        match self.configure_evaluated(id, callee, &evaluated) {
            Some(config) => Value::Callable(Callable::Declared(id, Some(config))),
            None => Value::Unknown,
        }
    }

    /// Gives one value to a callable, as `|>` does.
    pub(super) fn pipe_into(&mut self, value: Value, span: Span, callable: &Callable, at: Span) -> Value {
        self.apply(callable, vec![Argument { name: None, value, span }], at)
    }

    /// Gives a callable its tensors. `span` is the use.
    pub(super) fn apply(&mut self, callable: &Callable, arguments: Vec<Argument>, span: Span) -> Value {
        if self.halted {
            return Value::Unknown;
        }
        match callable {
            Callable::Declared(id, config) => self.apply_declared(*id, config.clone(), arguments, span, None),
            Callable::Primitive(primitive, preset) => self.apply_primitive(*primitive, preset, arguments, span),
            Callable::Chain(links) => self.apply_chain(&links.clone(), arguments, span, false),
            Callable::Each(inner) => self.apply_each(&inner.clone(), arguments, span),
            Callable::Repeated(inner) => {
                let before = arguments.first().map(|argument| argument.value.clone());
                match (self.apply(&inner.clone(), arguments, span), before) {
                    (Value::Tensor(after), Some(Value::Tensor(before))) if after.ty == before.ty => {
                        Value::Tensor(after)
                    }
                    _ => Value::Unknown,
                }
            }
            Callable::Shared { path, inner } => match &**inner {
                Callable::Declared(id, config) => {
                    self.apply_declared(*id, config.clone(), arguments, span, Some(path.clone()))
                }
                inner => {
                    let (path, inner) = (path.clone(), inner.clone());
                    self.enter_path(&path);
                    let value = match &inner {
                        Callable::Chain(links) => self.apply_chain(links, arguments, span, true),
                        inner => self.apply(inner, arguments, span),
                    };
                    self.leave_path();
                    value
                }
            },
            Callable::Opaque(CallableKind::Activation) => match arguments.into_iter().next() {
                Some(Argument { value: Value::Tensor(tensor), .. }) => {
                    self.emit(HirOp::StopGradient, &[&tensor], tensor.ty.clone(), span)
                }
                _ => Value::Unknown,
            },
            Callable::Opaque(_) => Value::Unknown,
        }
    }

    /// Layers in a row. Of one that `let` bound, all of it is used at `span`; else each layer is used where it is written.
    fn apply_chain(&mut self, links: &[(Callable, Span)], arguments: Vec<Argument>, span: Span, bound: bool) -> Value {
        let mut arguments = arguments;
        // No layers, of `repeat 0`, leave what they are given as it is.
        let mut value = match arguments.as_slice() {
            [only] if links.is_empty() => only.value.clone(),
            [_, second, ..] if links.is_empty() => {
                self.report(name_problems::too_many_arguments(second.span, "repeat 0", 1));
                Value::Unknown
            }
            [] if links.is_empty() => {
                self.report(name_problems::missing_tensor(span, "repeat 0", "x"));
                Value::Unknown
            }
            _ => Value::Unknown,
        };
        for (at, (link, own)) in links.iter().enumerate() {
            let place = if bound || at + 1 == links.len() { span } else { *own };
            if !self.take_step(place) {
                return Value::Unknown;
            }
            value = self.apply(link, arguments, place);
            if matches!(value, Value::Unknown) {
                return value;
            }
            arguments = vec![Argument { name: None, value: value.clone(), span: place }];
        }
        value
    }

    /// Applies a declaration: binds configuration and inputs, walks the body, checks the result. A shared layer has its `path`.
    pub(super) fn apply_declared(
        &mut self,
        id: DeclId,
        config: Option<Config>,
        arguments: Vec<Argument>,
        span: Span,
        path: Option<Rc<str>>,
    ) -> Value {
        let declaration = *self.globals.get(id);
        let Some(declared) = declaration.callable() else { return Value::Unknown };
        let name = &declaration.name.value;
        let Some(inputs) = declared.inputs.as_deref() else {
            self.report(name_problems::takes_no_tensors(span, declared.kind.keyword(), name));
            return Value::Unknown;
        };
        let Some(config) = config.or_else(|| self.default_config(id, span)) else { return Value::Unknown };
        if let Some(named) = arguments.iter().find_map(|argument| argument.name.as_ref()) {
            let is_config = declared.config.iter().flatten().any(|parameter| parameter.name.value == named.value);
            self.report(name_problems::input_by_name(named, name, is_config));
            return Value::Unknown;
        }
        if arguments.len() != inputs.len() {
            let names = signature_names(inputs);
            self.report(name_problems::input_count(
                span,
                name,
                &names,
                &signature_names(declared.config.as_deref().unwrap_or_default()),
                arguments.len(),
                declaration.name.span,
            ));
            return Value::Unknown;
        }
        if self.frames.iter().any(|frame| frame.decl == Some(id)) {
            // Rings are reported once all declarations have been looked at.
            return Value::Unknown;
        }
        if self.frames.len() >= DEEPEST_CALL {
            self.halt(span);
            return Value::Unknown;
        }
        let frame = Frame {
            unit: declaration.unit,
            decl: Some(id),
            kind: Some(declared.kind),
            scopes: vec![HashMap::new()],
            call: Some(span),
            ..Frame::default()
        };
        self.frames.push(frame);
        let value = self.apply_in_frame(id, declared, &config, arguments, span, path);
        self.frames.pop();
        value
    }

    fn apply_in_frame(
        &mut self,
        id: DeclId,
        declared: &'a ast::Callable,
        config: &Config,
        arguments: Vec<Argument>,
        span: Span,
        path: Option<Rc<str>>,
    ) -> Value {
        let inputs = declared.inputs.as_deref().unwrap_or_default();
        for (parameter, value) in declared.config.iter().flatten().zip(config.iter()) {
            self.bind(&parameter.name.value, value.clone(), parameter.name.span);
        }
        let mut given = Vec::with_capacity(inputs.len());
        let mut sound = true;
        for (parameter, argument) in inputs.iter().zip(arguments) {
            match self.bind_input(parameter, &argument, &declared.name.value) {
                Some(value) => given.push(value),
                None => {
                    sound = false;
                    self.bind(&parameter.name.value, Value::Unknown, parameter.name.span);
                    given.push(Value::Unknown);
                }
            }
        }
        if !sound {
            // What the signature promises still holds, so that what follows is checked.
            return self.promised(declared, span);
        }
        if self.disagreeing.contains(&id) {
            // Its signature or its body, nobody knows which.
            return Value::Unknown;
        }
        let typed = inputs.iter().all(|input| input.ty.is_some());
        if !self.recording
            && typed
            && declared.output.is_some()
            && let promised @ (Value::Tensor(_) | Value::Tuple(_)) = self.promised(declared, span)
        {
            return self.seen_from(promised, declared, &given, span);
        }
        if !self.recording && self.status[id.0 as usize] == Status::Failed {
            return Value::Unknown;
        }
        self.frame().entered = true;
        let is_layer = matches!(declared.kind, CallableKind::Layer | CallableKind::Model);
        let own_path =
            if is_layer { Some(path.unwrap_or_else(|| self.fresh_path(&declared.name.value))) } else { None };
        let mut layer = None;
        if let Some(path) = &own_path {
            self.enter_path(path);
            self.share_configured_layers(declared);
            layer = self.begin_layer(path, &declared.name.value, span);
        }
        let value = self.eval(declared.body, &Want::Any);
        let value = self.check_result(declared, value, &given);
        if own_path.is_some() {
            self.leave_path();
        }
        self.end_layer(layer, &value);
        self.seen_from(value, declared, &given, span)
    }

    /// A value as its use has it: its shape comes from the use, or from the tensor whose shape the declaration keeps.
    fn seen_from(&self, value: Value, declared: &ast::Callable, given: &[Value], span: Span) -> Value {
        let inputs = declared.inputs.as_deref().unwrap_or_default();
        let output = match &declared.output {
            Some(Output::Type(ty)) => Some(ty.span),
            Some(Output::Named { outputs, .. }) => match outputs.as_slice() {
                [(_, ty)] => Some(ty.span),
                _ => None,
            },
            None => None,
        };
        let keeps = |tensor: &Tensor| {
            let mut kept = inputs.iter().zip(given).filter_map(|(input, value)| match value {
                Value::Tensor(own) if own.ty.shape == tensor.ty.shape && !own.ty.shape.is_empty() => Some((input, own)),
                _ => None,
            });
            let same_text = |input: &ast::Parameter| match (&input.ty, output) {
                (Some(ty), Some(output)) => self.sources.slice(ty.span) == self.sources.slice(output),
                (Some(_), None) | (None, _) => false,
            };
            kept.find(|(input, own)| own.origin == tensor.origin || same_text(input)).map(|(_, own)| own.clone())
        };
        match value {
            Value::Tensor(tensor) => Value::Tensor(match keeps(&tensor) {
                Some(source) => tensor.shaped_as(&source),
                None => Tensor { origin: span, ..tensor },
            }),
            other => with_origin(other, span),
        }
    }

    /// A layer given as configuration is one set of parameters, under the parameter's name.
    pub(super) fn share_configured_layers(&mut self, declared: &'a ast::Callable) {
        for parameter in declared.config.iter().flatten() {
            let Some(Local { value: Value::Callable(callable), .. }) = self.local(&parameter.name.value) else {
                continue;
            };
            let callable = callable.clone();
            let shared = self.share(&parameter.name.value, callable);
            self.bind(&parameter.name.value, Value::Callable(shared), parameter.name.span);
        }
    }

    /// A layer with a name is one set of parameters under that name.
    pub(super) fn share(&mut self, name: &str, callable: Callable) -> Callable {
        let holds_layers = match &callable {
            Callable::Declared(id, _) => {
                let kind = self.globals.get(*id).callable().map(|callable| callable.kind);
                matches!(kind, Some(CallableKind::Layer | CallableKind::Model))
            }
            Callable::Chain(_) | Callable::Each(_) | Callable::Repeated(_) => true,
            Callable::Primitive(..) | Callable::Shared { .. } | Callable::Opaque(_) => false,
        };
        if !holds_layers {
            return callable;
        }
        Callable::Shared { path: self.named_path(name), inner: Rc::new(callable) }
    }

    /// Values of the types that a declaration's signature states, where it states them.
    fn promised(&mut self, declared: &'a ast::Callable, span: Span) -> Value {
        if self.recording {
            return Value::Unknown;
        }
        let muted = std::mem::replace(&mut self.muted, true);
        let problems = self.problems;
        let value = match &declared.output {
            None => Value::Unknown,
            Some(Output::Type(ty)) => self.promised_tensor(ty, span),
            Some(Output::Named { outputs, .. }) => match outputs.as_slice() {
                [(_, ty)] => self.promised_tensor(ty, span),
                outputs => {
                    let values = outputs
                        .iter()
                        .map(|(name, ty)| (Some(name.value.as_str().into()), self.promised_tensor(ty, span)));
                    Value::Tuple(Rc::new(values.collect()))
                }
            },
        };
        self.muted = muted;
        self.problems = problems;
        value
    }

    fn promised_tensor(&mut self, ty: &'a TypeExpr, span: Span) -> Value {
        match self.resolve_type(ty) {
            Some(resolved) => {
                let made = self.worked_type(ty, &resolved.shape);
                let promised = self.emit_tensor(HirOp::StopGradient, &[], resolved, span);
                promised.map_or(Value::Unknown, |promised| Value::Tensor(promised.made_by(made)))
            }
            None => Value::Unknown,
        }
    }
}

/// The first tensor of a value.
pub(super) fn first_tensor(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        Value::Tuple(values) => values.iter().find_map(|(_, value)| match value {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }),
        _ => None,
    }
}

/// A value that is seen as made by the expression at `span`.
fn with_origin(value: Value, span: Span) -> Value {
    match value {
        Value::Tensor(tensor) => Value::Tensor(Tensor { origin: span, ..tensor }),
        Value::Tuple(values) => Value::Tuple(Rc::new(
            values.iter().map(|(name, value)| (name.clone(), with_origin(value.clone(), span))).collect(),
        )),
        other => other,
    }
}

/// A callee is looked up among what its place asks for.
fn callee_want(want: &Want) -> Want {
    match want {
        Want::Kind(kind) => Want::Kind(*kind),
        Want::Any | Want::Int | Want::Shape | Want::Type(_) | Want::Words(_) | Want::WordsOrNumbers(_) => Want::Any,
    }
}
