//! Applying callables: configuration, arguments, and the declared types on both sides.

use super::dim::{Dim, Verdict};
use super::hir::{self, HirOp, LayerUse};
use super::infer::{Frame, HookedCall, Local, Status, Walker, Want};
use super::names::DeclId;
use super::types::{Argument, Axis, Callable, Config, Element, Shape, Tensor, Type, Value, Written, compare_shapes};
use crate::diagnostics::{nearest, names as name_problems, shapes as problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    self, Argument as AstArgument, CallableKind, DimExpr, ExprId, ExprKind, Output, Parameter, TypeExpr, TypeExprKind,
};
use std::collections::HashMap;
use std::rc::Rc;

/// Calls nested deeper than this are refused.
const DEEPEST_CALL: usize = 64;

/// Why an argument does not fit: what a dimension was bound to before.
type Mismatch = Option<(String, Span)>;

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
                self.report(name_problems::not_callable(ast[callee].span, &self.describe(&other)));
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
        let evaluated = self.eval_arguments(arguments);
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
        match self.bind_config(id, callee, Given::Evaluated(&evaluated)) {
            Some(config) => Value::Callable(Callable::Declared(id, Some(config))),
            None => Value::Unknown,
        }
    }

    /// The configuration of a declaration from arguments as written.
    pub(super) fn configure(&mut self, id: DeclId, callee: Span, arguments: &'a [AstArgument]) -> Option<Config> {
        self.bind_config(id, callee, Given::Written(arguments))
    }

    /// The configuration of a declaration with nothing given.
    pub(super) fn default_config(&mut self, id: DeclId, callee: Span) -> Option<Config> {
        self.bind_config(id, callee, Given::Written(&[]))
    }

    /// The configuration of a declaration from evaluated arguments.
    pub(super) fn configure_evaluated(&mut self, id: DeclId, callee: Span, arguments: &[Argument]) -> Option<Config> {
        self.bind_config(id, callee, Given::Evaluated(arguments))
    }

    fn bind_config(&mut self, id: DeclId, callee: Span, given: Given<'a, '_>) -> Option<Config> {
        let declaration = *self.globals.get(id);
        let declared = declaration.callable()?;
        let parameters: &'a [Parameter] = declared.config.as_deref().unwrap_or_default();
        let name = &declaration.name.value;
        let mut slots: Vec<Option<usize>> = vec![None; parameters.len()];
        let mut sound = true;
        let mut positional = 0;
        for at in 0..given.len() {
            let place = match given.name(at) {
                Some(argument) => parameters.iter().position(|parameter| parameter.name.value == argument.value),
                None => {
                    positional += 1;
                    (positional <= parameters.len()).then_some(positional - 1)
                }
            };
            let span = self.given_span(&given, at);
            match (place, given.name(at)) {
                (Some(place), name_given) if slots[place].is_some() => {
                    let span = name_given.map_or(span, |name| name.span);
                    let first = slots[place].unwrap_or_default();
                    let value = self.given_value(&given, first, &Want::Any);
                    let parameter = &parameters[place].name.value;
                    if value.is_run_time() {
                        let at = self.given_span(&given, first);
                        self.report(problems::configuration_at_run_time(at, name, parameter));
                    } else {
                        self.report(name_problems::argument_twice(span, parameter));
                    }
                    sound = false;
                }
                (Some(place), _) => slots[place] = Some(at),
                (None, Some(argument)) => {
                    let names = parameters.iter().map(|parameter| parameter.name.value.as_str());
                    let near = nearest(&argument.value, names);
                    let inputs = declared.inputs.as_deref().unwrap_or_default();
                    let is_input = inputs.iter().any(|input| input.name.value == argument.value);
                    self.report(name_problems::unknown_argument(
                        argument,
                        name,
                        &signature_names(parameters),
                        near,
                        is_input,
                    ));
                    sound = false;
                }
                (None, None) => {
                    let value = self.given_value(&given, at, &Want::Any);
                    let tensor = value.is_run_time();
                    self.report(name_problems::too_many_configured(
                        span,
                        name,
                        parameters.len(),
                        tensor,
                        declaration.name.span,
                    ));
                    sound = false;
                }
            }
        }
        let mut values: Vec<Value> = Vec::with_capacity(parameters.len());
        let mut lacks = false;
        for (parameter, slot) in parameters.iter().zip(&slots) {
            let want = self.parameter_want(parameter);
            let value = match (slot, parameter.default) {
                (Some(at), _) => {
                    let span = self.given_span(&given, *at);
                    let value = self.given_value(&given, *at, &want);
                    self.config_value(value, span, parameter, declaration.unit, name)
                }
                (None, Some(default)) => self.config_default(id, parameter, default, &want, parameters, &values),
                (None, None) => {
                    // A name that is not known may be the one that is missing.
                    if sound {
                        self.report(name_problems::missing_argument(
                            callee,
                            name,
                            &parameter.name.value,
                            parameter.span,
                        ));
                    }
                    lacks = true;
                    Value::Unknown
                }
            };
            values.push(value);
        }
        (sound && !lacks).then(|| Rc::new(values))
    }

    fn config_default(
        &mut self,
        id: DeclId,
        parameter: &'a Parameter,
        default: ExprId,
        want: &Want,
        parameters: &'a [Parameter],
        before: &[Value],
    ) -> Value {
        let declaration = *self.globals.get(id);
        let mut frame = Frame { unit: declaration.unit, decl: Some(id), ..Frame::default() };
        let mut scope = HashMap::with_capacity(before.len());
        for (parameter, value) in parameters.iter().zip(before) {
            let local = Local { value: value.clone(), span: parameter.name.span, cause: None };
            scope.insert(parameter.name.value.as_str().into(), local);
        }
        frame.scopes.push(scope);
        // The default is checked once, where it stands; at a use its problems are known.
        let muted = std::mem::replace(&mut self.muted, true);
        self.frames.push(frame);
        let value = self.eval(default, want);
        let span = self.ast()[default].span;
        let value = self.config_value(value, span, parameter, declaration.unit, &declaration.name.value);
        self.frames.pop();
        self.muted = muted;
        value
    }

    fn given_span(&self, given: &Given<'a, '_>, at: usize) -> Span {
        match given {
            Given::Written(arguments) => self.ast()[arguments[at].value].span,
            Given::Evaluated(arguments) => arguments[at].span,
        }
    }

    fn given_value(&mut self, given: &Given<'a, '_>, at: usize, want: &Want) -> Value {
        match given {
            Given::Written(arguments) => self.eval(arguments[at].value, want),
            Given::Evaluated(arguments) => arguments[at].value.clone(),
        }
    }

    /// What a configuration parameter expects.
    pub(super) fn parameter_want(&self, parameter: &Parameter) -> Want {
        match parameter.ty.as_ref().map(|ty| &ty.kind) {
            Some(TypeExprKind::Word(word)) if word == "int" => Want::Int,
            Some(TypeExprKind::Word(word)) => kind_of_word(word).map_or(Want::Any, Want::Kind),
            Some(TypeExprKind::Tensor(_)) => Want::Shape,
            Some(TypeExprKind::Enumeration(_)) => {
                parameter.ty.as_ref().and_then(words_of_type).map_or(Want::Any, Want::Words)
            }
            Some(TypeExprKind::Class { .. } | TypeExprKind::Error) | None => Want::Any,
        }
    }

    /// A configuration value as its parameter's type has it; reports what does not fit.
    pub(super) fn config_value(
        &mut self,
        value: Value,
        span: Span,
        parameter: &Parameter,
        unit: usize,
        callee: &str,
    ) -> Value {
        if matches!(value, Value::Unknown) {
            return value;
        }
        if value.is_run_time() {
            self.report(problems::configuration_at_run_time(span, callee, &parameter.name.value));
            return Value::Unknown;
        }
        let wanted = match parameter.ty.as_ref().map(|ty| &ty.kind) {
            None => match self.default_class(parameter, unit) {
                DefaultClass::Number if matches!(value, Value::Int(_) | Value::Float(_)) => return value,
                DefaultClass::Truth if matches!(value, Value::Bool(_)) => return value,
                DefaultClass::Other => return value,
                DefaultClass::Number => "a number",
                DefaultClass::Truth => "`true` or `false`",
            },
            Some(TypeExprKind::Word(word)) => match (word.as_str(), &value) {
                ("int", Value::Int(_)) => return value,
                ("int", Value::Float(None)) => return Value::Int(Dim::Unknown),
                ("int", Value::Float(Some(number))) if number.fract() == 0.0 && number.abs() < 9e15 => {
                    return Value::int(*number as i64);
                }
                ("int", _) => "a whole number",
                ("float", Value::Float(_)) => return value,
                ("float", Value::Int(Dim::Known(number))) => return Value::Float(Some(*number as f64)),
                ("float", Value::Int(_)) => return Value::Float(None),
                ("float", _) => "a number",
                ("bool", Value::Bool(_)) => return value,
                ("bool", _) => "`true` or `false`",
                ("string", Value::Text(_)) => return value,
                ("string", _) => "a text in quotes",
                (word, Value::Callable(callable)) => match kind_of_word(word) {
                    Some(kind) if self.fits_kind(callable, kind) => return value,
                    Some(kind) => kind_phrase(kind),
                    None => return Value::Unknown,
                },
                (word, _) => match kind_of_word(word) {
                    Some(CallableKind::Init) if matches!(value, Value::Int(_) | Value::Float(_)) => return value,
                    Some(kind) => kind_phrase(kind),
                    None => return Value::Unknown,
                },
            },
            Some(TypeExprKind::Enumeration(cases)) => match &value {
                Value::Word(_) => return value,
                Value::Text(text) if cases.iter().any(|case| case.value == **text) => {
                    return Value::Word(Some(text.clone()));
                }
                _ => {
                    let cases: Vec<&str> = cases.iter().map(|case| case.value.as_str()).collect();
                    self.report(problems::not_a_case(span, &self.describe(&value), &parameter.name.value, &cases));
                    return Value::Unknown;
                }
            },
            Some(TypeExprKind::Tensor(_)) => match &value {
                Value::List(_) | Value::Axes(_) => return value,
                _ => "a list of numbers",
            },
            Some(TypeExprKind::Class { .. } | TypeExprKind::Error) => return value,
        };
        let found = self.describe(&value);
        self.report(problems::configuration_mismatch(
            span,
            &found,
            wanted,
            callee,
            &parameter.name.value,
            parameter.span,
        ));
        Value::Unknown
    }

    fn default_class(&self, parameter: &Parameter, unit: usize) -> DefaultClass {
        let Some(default) = parameter.default else { return DefaultClass::Other };
        match &self.program.units[unit].ast[default].kind {
            ExprKind::Number { .. } => DefaultClass::Number,
            ExprKind::Unary(ast::UnaryOp::Neg, _) => DefaultClass::Number,
            ExprKind::Bool(_) => DefaultClass::Truth,
            _ => DefaultClass::Other,
        }
    }

    /// Whether a callable can stand where a declaration of that kind is asked for.
    pub(super) fn fits_kind(&self, callable: &Callable, kind: CallableKind) -> bool {
        let value = |kind: CallableKind| {
            matches!(kind, CallableKind::Fn | CallableKind::Activation | CallableKind::Layer | CallableKind::Model)
        };
        match callable {
            Callable::Declared(id, _) => {
                let own = self.globals.get(*id).callable().map(|callable| callable.kind);
                match (own, kind) {
                    (Some(own), wanted) if own == wanted => true,
                    (Some(own), CallableKind::Layer | CallableKind::Fn | CallableKind::Model) => value(own),
                    (Some(CallableKind::Fn), CallableKind::Activation | CallableKind::Loss) => true,
                    (Some(CallableKind::Loss), CallableKind::Metric) => true,
                    (Some(_) | None, _) => false,
                }
            }
            Callable::Primitive(primitive, _) => match kind {
                CallableKind::Init => primitive.is_init(),
                kind => value(kind),
            },
            Callable::Chain(_) | Callable::Each(_) | Callable::Repeated(_) => value(kind),
            Callable::Shared { inner, .. } => self.fits_kind(inner, kind),
            Callable::Opaque(own) => *own == kind || value(*own) && value(kind),
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
        let mut value = Value::Unknown;
        for (at, (link, own)) in links.iter().enumerate() {
            let place = if bound || at + 1 == links.len() { span } else { *own };
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
                inputs.len(),
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
        let typed = inputs.iter().all(|input| input.ty.is_some());
        if !self.recording
            && typed
            && declared.output.is_some()
            && let promised @ (Value::Tensor(_) | Value::Tuple(_)) = self.promised(declared, span)
        {
            return promised;
        }
        if !self.recording && self.status[id.0 as usize] == Status::Failed {
            return Value::Unknown;
        }
        self.frame().entered = true;
        let is_layer = matches!(declared.kind, CallableKind::Layer | CallableKind::Model);
        let own_path =
            if is_layer { Some(path.unwrap_or_else(|| self.fresh_path(&declared.name.value))) } else { None };
        let layer = self.layers.len();
        if let Some(path) = &own_path {
            self.enter_path(path);
            self.share_configured_layers(declared);
            if self.recording && !self.in_region() {
                let output = hir::ValueType { element: hir::Element::Number, shape: Vec::new() };
                self.layers.push(LayerUse { path: path.to_string(), layer: declared.name.value.clone(), output, span });
            }
        }
        let value = self.eval(declared.body, &Want::Any);
        let value = self.check_result(declared, value, &given);
        if own_path.is_some() {
            self.leave_path();
        }
        if let (Some(shown), Some(first)) = (self.layers.get_mut(layer), first_tensor(&value))
            && Some(&*shown.path) == own_path.as_deref()
            && let Some(ty) = first.ty.known()
        {
            shown.output = ty;
        }
        with_origin(value, span)
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
            Some(ty) => self.emit(HirOp::StopGradient, &[], ty, span),
            None => Value::Unknown,
        }
    }

    /// Binds an input to its argument, and the names that its type brings. `None` where it does not fit, which is reported.
    fn bind_input(&mut self, parameter: &'a Parameter, argument: &Argument, callee: &str) -> Option<Value> {
        let name = &parameter.name;
        let Some(ty) = &parameter.ty else {
            self.bind(&name.value, argument.value.clone(), argument.span);
            return Some(argument.value.clone());
        };
        if let TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error = ty.kind {
            let unit = self.frame().unit;
            let value = self.config_value(argument.value.clone(), argument.span, parameter, unit, callee);
            self.bind(&name.value, value.clone(), argument.span);
            return Some(value);
        }
        if matches!(argument.value, Value::Unknown) {
            self.bind_unknown(ty);
            self.bind(&name.value, Value::Unknown, argument.span);
            return Some(Value::Unknown);
        }
        let mut tensor = self.to_tensor(&argument.value, argument.span)?;
        if matches!(ty.kind, TypeExprKind::Tensor(_)) && tensor.ty.element == Element::Truth {
            tensor = self.as_numbers(&tensor, argument.span)?;
        }
        if let Err(reason) = self.fit(ty, &tensor.ty, argument.span) {
            let declared = self.written(ty.span);
            let problem = problems::argument_mismatch(
                Spanned::new(&tensor.ty, argument.span),
                callee,
                Spanned::new(declared.as_str(), ty.span),
                reason.as_ref().map(|(text, span)| (text.as_str(), *span)),
                (tensor.origin != argument.span).then_some(tensor.origin),
                fit_advice(ty, &tensor.ty),
            );
            self.report(problem);
            return None;
        }
        let value = Value::Tensor(tensor);
        self.bind(&name.value, value.clone(), argument.span);
        Some(value)
    }

    /// The text of a place.
    pub(super) fn written(&self, span: Span) -> String {
        self.sources.slice(span).to_owned()
    }

    /// Binds what a type would bind, to nothing known.
    fn bind_unknown(&mut self, ty: &'a TypeExpr) {
        match &ty.kind {
            TypeExprKind::Tensor(dims) => self.bind_unknown_dims(dims),
            TypeExprKind::Class { arguments, shape } => {
                for &argument in arguments {
                    self.bind_free_names(argument);
                }
                self.bind_unknown_dims(shape.as_deref().unwrap_or_default());
            }
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error => {}
        }
    }

    fn bind_unknown_dims(&mut self, dims: &[DimExpr]) {
        for dim in dims {
            match dim {
                DimExpr::Dim(expr) => self.bind_free_names(*expr),
                DimExpr::Rest(name) if self.local(&name.value).is_none() => {
                    let axes = vec![Axis::Rest(name.value.as_str().into())];
                    self.bind(&name.value, Value::Axes(Rc::new(axes)), name.span);
                }
                DimExpr::Rest(_) => {}
            }
        }
    }

    fn bind_free_names(&mut self, expr: ExprId) {
        for name in self.free_names(expr) {
            let span = self.ast()[expr].span;
            self.bind(&name, Value::Int(Dim::Unknown), span);
        }
    }

    /// Whether a type has names that nothing binds yet.
    pub(super) fn has_free_names(&self, ty: &TypeExpr) -> bool {
        let (arguments, dims): (&[ExprId], &[DimExpr]) = match &ty.kind {
            TypeExprKind::Tensor(dims) => (&[], dims),
            TypeExprKind::Class { arguments, shape } => (arguments, shape.as_deref().unwrap_or_default()),
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error => (&[], &[]),
        };
        let open = |expr: &ExprId| !self.free_names(*expr).is_empty();
        arguments.iter().any(open)
            || dims.iter().any(|dim| match dim {
                DimExpr::Dim(expr) => open(expr),
                DimExpr::Rest(name) => self.local(&name.value).is_none(),
            })
    }

    /// The names of a dimension that nothing binds yet.
    fn free_names(&self, expr: ExprId) -> Vec<String> {
        let ast = self.ast();
        let mut found = Vec::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match &ast[expr].kind {
                ExprKind::Name(name) => {
                    let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
                    let constant = self
                        .globals
                        .find(unit, name, super::names::Group::Value, None)
                        .is_some_and(|id| matches!(self.globals.get(id).what, super::names::Declared::Const(_)));
                    if self.local(name).is_none() && !constant && !found.contains(name) {
                        found.push(name.clone());
                    }
                }
                ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => open.push(*inner),
                ExprKind::Binary(_, _, left, right) => open.extend([*left, *right]),
                ExprKind::Call { arguments, .. } => open.extend(arguments.iter().map(|argument| argument.value)),
                _ => {}
            }
        }
        found
    }

    /// Fits a declared type to an argument's and binds the names it brings; the reason where it does not fit.
    pub(super) fn fit(&mut self, ty: &'a TypeExpr, actual: &Type, span: Span) -> Result<(), Mismatch> {
        match &ty.kind {
            TypeExprKind::Tensor(dims) => match actual.element {
                Element::Number | Element::Truth => self.fit_shape(dims, &actual.shape, span),
                Element::Class { .. } => Err(None),
            },
            TypeExprKind::Class { arguments, shape } => {
                let Element::Class { count, names } = &actual.element else { return Err(None) };
                match self.class_names(arguments) {
                    Some(declared) => {
                        if count.compare(&Dim::Known(declared.len() as i64)) == Verdict::Different {
                            return Err(None);
                        }
                        if names.as_ref().is_some_and(|names| **names != *declared) {
                            return Err(None);
                        }
                    }
                    None => {
                        if let [argument] = arguments.as_slice() {
                            self.fit_dim(*argument, count, span)?;
                        }
                    }
                }
                match shape {
                    Some(dims) => self.fit_shape(dims, &actual.shape, span),
                    None if actual.shape.is_empty() => Ok(()),
                    None if actual.shape.iter().all(|axis| matches!(axis, Axis::Rest(_))) => Ok(()),
                    None => Err(None),
                }
            }
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error => Ok(()),
        }
    }

    /// The names of `class("no", "yes")`.
    pub(super) fn class_names(&self, arguments: &[ExprId]) -> Option<Rc<[String]>> {
        let ast = self.ast();
        let names: Option<Vec<String>> = arguments
            .iter()
            .map(|&argument| match &ast[argument].kind {
                ExprKind::String(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        names.filter(|names| !names.is_empty()).map(Into::into)
    }

    fn fit_shape(&mut self, dims: &'a [DimExpr], actual: &Shape, span: Span) -> Result<(), Mismatch> {
        let rest = dims.iter().position(|dim| matches!(dim, DimExpr::Rest(_)));
        let unknown = actual.iter().position(|axis| matches!(axis, Axis::Rest(_)));
        let (front, back) = match rest {
            Some(at) => (at, dims.len() - at - 1),
            None => (dims.len(), 0),
        };
        let enough = match (rest, unknown) {
            (None, None) if actual.len() != dims.len() => return Err(None),
            (Some(_), None) if actual.len() < front + back => return Err(None),
            (_, None) => true,
            (Some(_), Some(at)) => at >= front && actual.len() - at > back,
            (None, Some(_)) => false,
        };
        if !enough {
            self.bind_unknown_dims(dims);
            return Ok(());
        }
        let behind = actual.len() - back;
        for (dim, axis) in dims[..front].iter().zip(actual) {
            self.fit_axis(dim, axis, span)?;
        }
        if let Some(DimExpr::Rest(name)) = rest.map(|at| &dims[at]) {
            let axes: Shape = actual[front..behind].to_vec();
            match self.local(&name.value) {
                Some(Local { value: Value::Axes(bound), cause, .. }) => {
                    if compare_shapes(bound, &axes) == Verdict::Different {
                        let text = format!("here `..{}` is {}", name.value, Written(bound));
                        return Err(cause.map(|cause| (text, cause)));
                    }
                }
                Some(_) => {}
                None => self.bind_with_cause(&name.value, Value::Axes(Rc::new(axes)), name.span, Some(span)),
            }
            for (dim, axis) in dims[front + 1..].iter().zip(&actual[behind..]) {
                self.fit_axis(dim, axis, span)?;
            }
        }
        Ok(())
    }

    fn fit_axis(&mut self, dim: &'a DimExpr, axis: &Axis, span: Span) -> Result<(), Mismatch> {
        match (dim, axis) {
            (DimExpr::Dim(expr), Axis::Dim(actual)) => self.fit_dim(*expr, actual, span),
            (DimExpr::Dim(expr), Axis::Rest(_)) => {
                self.bind_free_names(*expr);
                Ok(())
            }
            (DimExpr::Rest(_), _) => Ok(()),
        }
    }

    fn fit_dim(&mut self, expr: ExprId, actual: &Dim, span: Span) -> Result<(), Mismatch> {
        let ast = self.ast();
        let free = self.free_names(expr);
        if let (ExprKind::Name(name), [_]) = (&ast[expr].kind, free.as_slice()) {
            self.bind_with_cause(name, Value::Int(actual.clone()), ast[expr].span, Some(span));
            return Ok(());
        }
        match free.as_slice() {
            [] => {}
            [name] => {
                // `[2 * n]` gives `n` where it can be solved for it.
                self.bind(name, Value::Int(Dim::name(name)), ast[expr].span);
                let declared = self.eval_int(expr);
                let solved = match (declared.as_ref().and_then(|dim| dim.linear_in(name)), actual.known()) {
                    (Some((factor, rest)), Some(actual)) => match actual.checked_sub(rest) {
                        Some(part) if part % factor == 0 => Dim::Known(part / factor),
                        Some(_) | None => return Err(None),
                    },
                    _ => Dim::Unknown,
                };
                self.bind_with_cause(name, Value::Int(solved), ast[expr].span, Some(span));
                return Ok(());
            }
            _ => {
                self.bind_free_names(expr);
                return Ok(());
            }
        }
        let Some(declared) = self.eval_int(expr) else { return Ok(()) };
        if declared.compare(actual) == Verdict::Different {
            let cause = match &ast[expr].kind {
                ExprKind::Name(name) => self.local(name).and_then(|local| local.cause).map(|cause| (name, cause)),
                _ => None,
            };
            return Err(cause.map(|(name, cause)| (format!("`{name} = {declared}` comes from here"), cause)));
        }
        Ok(())
    }

    /// The type that a written type stands for, all its names bound.
    pub(super) fn resolve_type(&mut self, ty: &'a TypeExpr) -> Option<Type> {
        match &ty.kind {
            TypeExprKind::Tensor(dims) => Some(Type::number(self.resolve_shape(dims)?)),
            TypeExprKind::Class { arguments, shape } => {
                let (count, names) = match (self.class_names(arguments), arguments.as_slice()) {
                    (Some(names), _) => (Dim::Known(names.len() as i64), Some(names)),
                    (None, [count]) => (self.eval_int(*count)?, None),
                    (None, _) => {
                        self.report(problems::class_arguments(ty.span));
                        return None;
                    }
                };
                if matches!(count, Dim::Known(number) if number < 1) {
                    self.report(problems::extent_not_positive(ty.span, &self.written(ty.span), &count));
                    return None;
                }
                let shape = match shape {
                    Some(dims) => self.resolve_shape(dims)?,
                    None => Vec::new(),
                };
                Some(Type { element: Element::Class { count, names }, shape })
            }
            TypeExprKind::Word(word) => {
                self.report(name_problems::type_is_no_tensor(ty.span, word));
                None
            }
            TypeExprKind::Enumeration(_) => {
                self.report(name_problems::type_is_no_tensor(ty.span, "{…}"));
                None
            }
            TypeExprKind::Error => None,
        }
    }

    /// The shape that written dimensions stand for.
    pub(super) fn resolve_shape(&mut self, dims: &'a [DimExpr]) -> Option<Shape> {
        let mut shape = Vec::with_capacity(dims.len());
        let mut sound = true;
        for dim in dims {
            match dim {
                DimExpr::Dim(expr) => match self.eval_int(*expr) {
                    Some(dim) => shape.push(Axis::Dim(dim)),
                    None => sound = false,
                },
                DimExpr::Rest(name) => match self.local(&name.value).map(|local| local.value.clone()) {
                    Some(Value::Axes(axes)) => shape.extend(axes.iter().cloned()),
                    Some(Value::Unknown) => sound = false,
                    Some(_) | None => {
                        self.report(name_problems::unknown_rest(name));
                        sound = false;
                    }
                },
            }
        }
        let span = dims.iter().find_map(|dim| match dim {
            DimExpr::Dim(expr) => Some(self.ast()[*expr].span),
            DimExpr::Rest(_) => None,
        });
        (sound && span.is_none_or(|span| self.check_extents(&shape, span))).then_some(shape)
    }

    /// A type with every name that nothing binds yet bound to itself: the inputs of a declaration where it stands.
    pub(super) fn symbolic_type(&mut self, ty: &'a TypeExpr) -> Option<Type> {
        let mut dims: Vec<&'a DimExpr> = Vec::new();
        match &ty.kind {
            TypeExprKind::Tensor(own) => dims.extend(own),
            TypeExprKind::Class { arguments, shape } => {
                for &argument in arguments {
                    self.bind_symbolic(argument);
                }
                dims.extend(shape.iter().flatten());
            }
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error => {}
        }
        let mut rests = 0;
        for dim in dims {
            match dim {
                DimExpr::Dim(expr) => self.bind_symbolic(*expr),
                DimExpr::Rest(name) => {
                    rests += 1;
                    if rests > 1 {
                        self.report(problems::two_rests(name.span));
                        return None;
                    }
                    if self.local(&name.value).is_none() {
                        let axes = vec![Axis::Rest(name.value.as_str().into())];
                        self.bind(&name.value, Value::Axes(Rc::new(axes)), name.span);
                    }
                }
            }
        }
        self.resolve_type(ty)
    }

    fn bind_symbolic(&mut self, expr: ExprId) {
        for name in self.free_names(expr) {
            let span = self.ast()[expr].span;
            self.bind(&name, Value::Int(Dim::name(&name)), span);
        }
    }

    /// A declaration's value as its kind and signature have it; reports what differs.
    pub(super) fn check_result(&mut self, declared: &'a ast::Callable, value: Value, given: &[Value]) -> Value {
        let span = self.value_span(declared.body);
        match &declared.output {
            Some(Output::Type(ty)) => self.check_output(value, ty, span, &declared.name.value),
            Some(Output::Named { outputs, .. }) => match (outputs.as_slice(), value) {
                ([(_, ty)], value) => self.check_output(value, ty, span, &declared.name.value),
                (_, Value::Unknown) => Value::Unknown,
                (outputs, Value::Tuple(values)) if outputs.len() == values.len() => {
                    let checked = outputs.iter().zip(values.iter()).map(|((name, ty), (_, value))| {
                        let value = self.check_output(value.clone(), ty, span, &declared.name.value);
                        (Some(name.value.as_str().into()), value)
                    });
                    Value::Tuple(Rc::new(checked.collect()))
                }
                (outputs, other) => {
                    let found = self.describe(&other);
                    let first = outputs.first().map_or(span, |(name, _)| name.span);
                    self.report(problems::output_count(span, &declared.name.value, outputs.len(), &found, first));
                    Value::Unknown
                }
            },
            None => self.check_kind(declared, value, given, span),
        }
    }

    /// What a kind promises without a signature.
    fn check_kind(&mut self, declared: &'a ast::Callable, value: Value, given: &[Value], span: Span) -> Value {
        let name = &declared.name.value;
        match declared.kind {
            CallableKind::Activation => {
                let Some(Value::Tensor(input)) = given.first() else { return value };
                let Some(tensor) = self.to_tensor(&value, span) else { return Value::Unknown };
                if compare_shapes(&tensor.ty.shape, &input.ty.shape) == Verdict::Different {
                    self.report(problems::activation_shape(span, name, &tensor.ty, &input.ty, declared.name.span));
                    return Value::Unknown;
                }
                Value::Tensor(tensor)
            }
            CallableKind::Loss | CallableKind::Penalty | CallableKind::Metric => {
                let Some(tensor) = self.to_tensor(&value, span) else { return Value::Unknown };
                let scalar = compare_shapes(&tensor.ty.shape, &Vec::new()) != Verdict::Different;
                let lifted = tensor.ty.is_lifted();
                if !scalar || matches!(tensor.ty.element, Element::Class { .. }) {
                    self.report(problems::not_a_scalar(span, declared.kind.keyword(), name, &tensor.ty));
                    return Value::Unknown;
                }
                if lifted || tensor.ty.element == Element::Number {
                    return Value::Tensor(tensor);
                }
                self.as_numbers(&tensor, span).map_or(Value::Unknown, Value::Tensor)
            }
            CallableKind::Layer | CallableKind::Model => match &value {
                Value::Tuple(_) | Value::Unknown => value,
                value => self.to_tensor(value, span).map_or(Value::Unknown, Value::Tensor),
            },
            CallableKind::Fn | CallableKind::Init | CallableKind::Schedule | CallableKind::Optimizer => value,
        }
    }

    fn check_output(&mut self, value: Value, ty: &'a TypeExpr, span: Span, name: &str) -> Value {
        let declared = self.resolve_type(ty);
        if matches!(value, Value::Unknown) {
            return Value::Unknown;
        }
        let (Some(declared), Some(mut tensor)) = (declared, self.to_tensor(&value, span)) else {
            return Value::Unknown;
        };
        if declared.element == Element::Number && tensor.ty.element == Element::Truth {
            let Some(numbers) = self.as_numbers(&tensor, span) else { return Value::Unknown };
            tensor = numbers;
        }
        let elements = match (&declared.element, &tensor.ty.element) {
            (Element::Class { count, .. }, Element::Class { count: other, .. }) => {
                count.compare(other) != Verdict::Different
            }
            (declared, actual) => declared == actual,
        };
        if !elements || compare_shapes(&declared.shape, &tensor.ty.shape) == Verdict::Different {
            let origin = (tensor.origin != span).then_some(tensor.origin);
            self.report(problems::output_mismatch(span, name, &tensor.ty, Spanned::new(&declared, ty.span), origin));
            return Value::Unknown;
        }
        if !self.recording {
            tensor.ty = declared;
        } else if let (Element::Class { names: Some(names), .. }, Element::Class { names: own, .. }) =
            (&declared.element, &mut tensor.ty.element)
        {
            *own = Some(names.clone());
        }
        Value::Tensor(tensor)
    }

    /// The expression that is the value of a body: the last of a block.
    pub(super) fn value_span(&self, body: ExprId) -> Span {
        let ast = self.ast();
        let mut body = body;
        for _ in 0..64 {
            match &ast[body].kind {
                ExprKind::Paren(inner) => body = *inner,
                ExprKind::Block(statements) => match statements.last().map(|statement| &statement.kind) {
                    Some(ast::StmtKind::Expr(last)) => body = *last,
                    _ => break,
                },
                _ => break,
            }
        }
        ast[body].span
    }
}

/// Configuration as it is given.
enum Given<'a, 'e> {
    /// In the tree.
    Written(&'a [AstArgument]),
    /// Evaluated already.
    Evaluated(&'e [Argument]),
}

impl Given<'_, '_> {
    fn len(&self) -> usize {
        match self {
            Given::Written(arguments) => arguments.len(),
            Given::Evaluated(arguments) => arguments.len(),
        }
    }

    fn name(&self, at: usize) -> Option<&Spanned<String>> {
        match self {
            Given::Written(arguments) => arguments[at].name.as_ref(),
            Given::Evaluated(arguments) => arguments[at].name.as_ref(),
        }
    }
}

/// What the default of a parameter without a type says about it.
enum DefaultClass {
    Number,
    Truth,
    Other,
}

/// The kind that a type word names.
pub(super) fn kind_of_word(word: &str) -> Option<CallableKind> {
    CallableKind::ALL.into_iter().find(|kind| kind.keyword() == word)
}

/// A kind with its article.
pub(super) fn kind_phrase(kind: CallableKind) -> &'static str {
    match kind {
        CallableKind::Fn => "a function",
        CallableKind::Activation => "an activation",
        CallableKind::Loss => "a loss",
        CallableKind::Metric => "a metric",
        CallableKind::Penalty => "a penalty",
        CallableKind::Init => "an init",
        CallableKind::Schedule => "a schedule",
        CallableKind::Optimizer => "an optimizer",
        CallableKind::Layer => "a layer",
        CallableKind::Model => "a model",
    }
}

/// The cases of an enumeration type.
pub(super) fn words_of_type(ty: &TypeExpr) -> Option<Rc<[Rc<str>]>> {
    match &ty.kind {
        TypeExprKind::Enumeration(cases) => Some(cases.iter().map(|case| case.value.as_str().into()).collect()),
        TypeExprKind::Tensor(_) | TypeExprKind::Class { .. } | TypeExprKind::Word(_) | TypeExprKind::Error => None,
    }
}

/// The names of parameters, for messages.
pub(super) fn signature_names(parameters: &[Parameter]) -> Vec<String> {
    parameters.iter().map(|parameter| parameter.name.value.clone()).collect()
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
        Want::Any | Want::Int | Want::Shape | Want::Type(_) | Want::Words(_) => Want::Any,
    }
}

/// What to do about an argument of another type.
fn fit_advice(ty: &TypeExpr, actual: &Type) -> problems::FitAdvice {
    let (TypeExprKind::Tensor(dims), Element::Number) = (&ty.kind, &actual.element) else {
        return match (&ty.kind, &actual.element) {
            (TypeExprKind::Tensor(_), Element::Class { .. }) => problems::FitAdvice::OneHot,
            (TypeExprKind::Class { .. }, Element::Number) => problems::FitAdvice::ClassWanted,
            _ => problems::FitAdvice::None,
        };
    };
    let open = dims.iter().any(|dim| matches!(dim, DimExpr::Rest(_)));
    match (dims.len(), actual.shape.len()) {
        (1, 2) if !open => problems::FitAdvice::EachOrFlatten,
        (1, rank) if !open && rank > 2 => problems::FitAdvice::Flatten,
        (wanted, rank) if !open && rank == wanted + 1 => problems::FitAdvice::Each,
        (1, 0) if !open => problems::FitAdvice::Wrap,
        _ => problems::FitAdvice::None,
    }
}
