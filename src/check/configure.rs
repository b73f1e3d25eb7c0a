//! Configuration: which argument is which parameter, and whether its value is one.

use super::dim::Dim;
use super::infer::{Frame, Local, Walker, Want};
use super::names::DeclId;
use super::types::{Argument, Callable, Config, ListItem, Value};
use crate::diagnostics::{names as name_problems, nearest, shapes as problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    self, Argument as AstArgument, CallableKind, DimExpr, ExprId, ExprKind, Parameter, TypeExpr, TypeExprKind,
};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

impl<'a> Walker<'a> {
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
        let mut unknown = Vec::new();
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
                    let known = signature_names(parameters);
                    unknown.push(name_problems::unknown_argument(argument, name, &known, near, is_input));
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
        name_problems::joined_unknown_arguments(unknown).into_iter().for_each(|problem| self.report(problem));
        let mut values: Vec<Value> = Vec::with_capacity(parameters.len());
        let mut lacks = false;
        let mut wrong = false;
        for (parameter, slot) in parameters.iter().zip(&slots) {
            let value = match (slot, parameter.default) {
                (Some(at), _) => {
                    let want = match &given {
                        Given::Written(arguments) => self.argument_want(parameter, arguments[*at].value),
                        Given::Evaluated(_) => Want::Any,
                    };
                    let span = self.given_span(&given, *at);
                    let value = self.given_value(&given, *at, &want);
                    let known = !matches!(value, Value::Unknown);
                    let at_run_time = value.is_run_time();
                    let value = self.config_value(value, span, parameter, declaration.unit, name);
                    wrong |= known && matches!(value, Value::Unknown);
                    if at_run_time {
                        // A tensor in this list shifts all that stand behind it.
                        return None;
                    }
                    value
                }
                (None, Some(default)) => self.config_default(id, parameter, default, parameters, &values),
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
        (sound && !lacks && !wrong).then(|| Rc::new(values))
    }

    fn config_default(
        &mut self,
        id: DeclId,
        parameter: &'a Parameter,
        default: ExprId,
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
        let want = self.argument_want(parameter, default);
        let value = self.eval(default, &want);
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
        parameter.ty.as_ref().map_or(Want::Any, want_of_type)
    }

    /// What a configuration parameter expects of what is written for it: a call is no case of an enumeration.
    pub(super) fn argument_want(&self, parameter: &Parameter, written: ExprId) -> Want {
        match (parameter.ty.as_ref().map(|ty| &ty.kind), &self.ast()[written].kind) {
            (Some(TypeExprKind::Union(types)), ExprKind::Call { .. }) => {
                want_of_one(types.iter().filter(|ty| !matches!(ty.kind, TypeExprKind::Enumeration(_))))
            }
            _ => self.parameter_want(parameter),
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
        let wanted = match &parameter.ty {
            None => match self.default_class(parameter, unit) {
                DefaultClass::Number if matches!(value, Value::Int(_) | Value::Float(_)) => return value,
                DefaultClass::Truth if matches!(value, Value::Bool(_)) => return value,
                DefaultClass::Other => return value,
                DefaultClass::Number => "a number".to_owned(),
                DefaultClass::Truth => "`true` or `false`".to_owned(),
            },
            Some(ty) => match (self.as_typed(&value, span, ty, unit), &ty.kind) {
                (Ok(value), _) => return value,
                (Err(None), _) => return Value::Unknown,
                (Err(Some(_)), TypeExprKind::Enumeration(cases)) => {
                    let cases: Vec<&str> = cases.iter().map(|case| case.value.as_str()).collect();
                    self.report(problems::not_a_case(span, &self.describe(&value), &parameter.name.value, &cases));
                    return Value::Unknown;
                }
                (Err(Some(wanted)), _) => either(wanted),
            },
        };
        let found = match &value {
            Value::List(items) => match items.iter().find(|item| !may_be_number(&item.value)) {
                Some(odd) => format!("a list with {}", self.describe(&odd.value)),
                None => format!("a list of {}", items.len()),
            },
            Value::Tuple(items) => {
                let numbers: Option<Vec<String>> = (items.iter())
                    .map(|(_, value)| match value {
                        Value::Int(number) => number.known().map(|number| number.to_string()),
                        _ => None,
                    })
                    .collect();
                match numbers {
                    Some(numbers) => format!("the tuple `({})`", numbers.join(", ")),
                    None => self.describe(&value),
                }
            }
            value => self.describe(value),
        };
        let name = &parameter.name.value;
        let mut problem = problems::configuration_mismatch(span, &found, &wanted, callee, name, parameter.span);
        if let Value::Text(text) = &value
            && let Some(TypeExprKind::Word(word)) = parameter.ty.as_ref().map(|ty| &ty.kind)
            && let Some((name, exact)) = kind_of_word(word).and_then(|kind| self.unquoted(text, kind))
        {
            problem = name_problems::without_quotes(problem, span, &name, exact);
        }
        self.report(problem);
        Value::Unknown
    }

    /// A value as a type of configuration has it; else all that the type takes, in words, where that is known.
    fn as_typed(&self, value: &Value, span: Span, ty: &TypeExpr, unit: usize) -> Result<Value, Option<Vec<String>>> {
        let wanted = match &ty.kind {
            TypeExprKind::Word(word) => match (word.as_str(), value) {
                ("int", Value::Int(_)) => return Ok(value.clone()),
                ("int", Value::Float(None)) => return Ok(Value::Int(Dim::Unknown)),
                ("int", Value::Float(Some(number))) if number.fract() == 0.0 && number.abs() < 9e15 => {
                    return Ok(Value::int(*number as i64));
                }
                ("int", _) => "a whole number",
                ("float", Value::Float(_)) => return Ok(value.clone()),
                ("float", Value::Int(Dim::Known(number))) => return Ok(Value::Float(Some(*number as f64))),
                ("float", Value::Int(_)) => return Ok(Value::Float(None)),
                ("float", _) => "a number",
                ("bool", Value::Bool(_)) => return Ok(value.clone()),
                ("bool", _) => "`true` or `false`",
                ("string", Value::Text(_)) => return Ok(value.clone()),
                ("string", _) => "a text in quotes",
                (word, Value::Callable(callable)) => match kind_of_word(word) {
                    Some(kind) if self.fits_kind(callable, kind) => return Ok(value.clone()),
                    Some(kind) => kind_phrase(kind),
                    None => return Err(None),
                },
                (word, _) => match kind_of_word(word) {
                    Some(CallableKind::Init) if matches!(value, Value::Int(_) | Value::Float(_)) => {
                        return Ok(value.clone());
                    }
                    Some(kind) => kind_phrase(kind),
                    None => return Err(None),
                },
            },
            TypeExprKind::Enumeration(cases) => match value {
                Value::Word(None) => return Ok(value.clone()),
                Value::Word(Some(word)) if cases.iter().any(|case| case.value == **word) => return Ok(value.clone()),
                Value::Text(text) if cases.iter().any(|case| case.value == **text) => {
                    return Ok(Value::Word(Some(text.clone())));
                }
                _ => {
                    return Err(Some(cases.iter().map(|case| format!("`{}`", case.value)).collect()));
                }
            },
            TypeExprKind::Tensor(dims) => match (value, self.written_count(dims, unit)) {
                (Value::Axes(_), _) | (Value::List(_), None) => return Ok(value.clone()),
                (Value::List(items), Some(count)) => {
                    let open = items.iter().any(|item| matches!(item.value, Value::Axes(_)));
                    if (open || items.len() == count) && items.iter().all(|item| may_be_number(&item.value)) {
                        return Ok(value.clone());
                    }
                    return Err(Some(number_phrases(count)));
                }
                // One number stands for all.
                (Value::Int(_) | Value::Float(_), Some(count)) => {
                    let item = ListItem { name: None, value: value.clone(), span };
                    return Ok(Value::List(Rc::new(vec![item; count])));
                }
                (_, Some(count)) => return Err(Some(number_phrases(count))),
                (_, None) => "a list of numbers",
            },
            TypeExprKind::Union(types) => {
                let mut wanted = Some(Vec::new());
                for ty in types {
                    match self.as_typed(value, span, ty, unit) {
                        Ok(value) => return Ok(value),
                        Err(phrases) => {
                            wanted = wanted.zip(phrases).map(|(wanted, phrases)| [wanted, phrases].concat());
                        }
                    }
                }
                return Err(wanted);
            }
            TypeExprKind::Class { .. } | TypeExprKind::Error => return Ok(value.clone()),
        };
        Err(Some(vec![wanted.to_owned()]))
    }

    /// How many numbers a type such as `[2]` asks for, where that is written as a number.
    pub(super) fn written_count(&self, dims: &[DimExpr], unit: usize) -> Option<usize> {
        let [DimExpr::Dim(count)] = dims else { return None };
        match self.program.units[unit].ast[*count].kind {
            ExprKind::Number { value, integer: true } if (0.0..=64.0).contains(&value) => Some(value as usize),
            _ => None,
        }
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
                CallableKind::Activation => primitive.keeps_shape(),
                kind => value(kind) && !primitive.is_init(),
            },
            Callable::Chain(_) | Callable::Each(_) | Callable::Repeated(_) => value(kind),
            Callable::Shared { inner, .. } => self.fits_kind(inner, kind),
            Callable::Opaque(own) => *own == kind || value(*own) && value(kind),
        }
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
    CallableKind::of_keyword(word)
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

/// So many numbers and one that stands for all of them, in words.
fn number_phrases(count: usize) -> Vec<String> {
    let plural = if count == 1 { "" } else { "s" };
    vec!["a number".to_owned(), format!("a list of {count} number{plural}")]
}

/// One of several: `a`, `b` or `c`.
fn either(mut phrases: Vec<String>) -> String {
    let mut seen = HashSet::new();
    phrases.retain(|phrase| seen.insert(phrase.clone()));
    match phrases.pop() {
        Some(last) if phrases.is_empty() => last,
        Some(last) => format!("{} or {last}", phrases.join(", ")),
        None => String::new(),
    }
}

/// Whether a value can stand in a list of numbers: a number, or axes that are some of them.
fn may_be_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Axes(_) | Value::Unknown)
}

/// What a type of configuration expects of an expression.
pub(super) fn want_of_type(ty: &TypeExpr) -> Want {
    match &ty.kind {
        TypeExprKind::Word(word) if word == "int" => Want::Int,
        TypeExprKind::Word(word) => kind_of_word(word).map_or(Want::Any, Want::Kind),
        TypeExprKind::Tensor(_) => Want::Shape,
        TypeExprKind::Enumeration(cases) => Want::Words(words(cases)),
        TypeExprKind::Union(types) => want_of_one(types.iter()),
        TypeExprKind::Class { .. } | TypeExprKind::Error => Want::Any,
    }
}

/// What one of several types expects of an expression.
fn want_of_one<'t>(types: impl Iterator<Item = &'t TypeExpr>) -> Want {
    let wants: Vec<Want> = types.map(want_of_type).collect();
    let whole = |want: &Want| matches!(want, Want::Int | Want::Shape);
    let cases: Vec<Rc<str>> = wants.iter().flat_map(|want| want.words().to_vec()).collect();
    match cases.is_empty() {
        false if wants.iter().any(whole) => Want::WordsOrNumbers(cases.into()),
        false => Want::Words(cases.into()),
        true if wants.iter().all(whole) => Want::Shape,
        true => wants.into_iter().find(|want| matches!(want, Want::Kind(_))).unwrap_or(Want::Any),
    }
}

fn words(cases: &[ast::Name]) -> Rc<[Rc<str>]> {
    cases.iter().map(|case| case.value.as_str().into()).collect()
}

/// The names of parameters, for messages.
pub(super) fn signature_names(parameters: &[Parameter]) -> Vec<String> {
    parameters.iter().map(|parameter| parameter.name.value.clone()).collect()
}
