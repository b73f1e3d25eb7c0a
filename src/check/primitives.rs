//! The primitives of the language: their names, their arguments, and which rule each follows.
//!
//! Arguments are given by position or by name. A primitive that lacks its tensor is a layer: `x |> reshape([28, 28, 1])`,
//! `x |> sum(axis = 0)`; one that fills a shape is an initialisation where an initialisation is asked for.

use super::dim::Dim;
use super::hir::{Elementwise, HirOp, Reduce};
use super::infer::{Walker, Want};
use super::types::{Argument, Axis, Callable, Element, Shape, Tensor, Type, Value};
use crate::diagnostics::{names as name_problems, nearest, shapes as problems};
use crate::source::Span;
use crate::syntax::ast::{Argument as AstArgument, CallableKind, ExprKind};
use std::rc::Rc;

/// A primitive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is the function of the language")]
pub(super) enum Primitive {
    Elementwise(Elementwise),
    /// `max` and `min`: of two tensors, or over axes.
    Extreme(Elementwise, Reduce),
    Reduce(Reduce),
    Avg,
    Conv,
    ConvTranspose,
    MaxPool,
    AvgPool,
    Concat,
    Stack,
    Split,
    Reshape,
    Flatten,
    Transpose,
    Slice,
    Pad,
    Reverse,
    Sort,
    ArgSort,
    Upsample,
    Expand,
    OneHot,
    Range,
    BatchMean,
    BatchVar,
    Bernoulli,
    Normal,
    Uniform,
    Zeros,
    Ones,
    Constant,
    Orthogonal,
    StopGradient,
}

/// What an argument of a primitive is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// A tensor that must be given.
    Tensor,
    /// A number or a tensor with a default.
    Number,
    /// A compile-time whole number or list of them that must be given.
    Needed,
    /// The same with a default.
    Optional,
    /// A shape, that of the parameter in an initialisation.
    Shape,
    /// `valid` or `same`, or numbers.
    Padding,
}

struct Entry {
    name: &'static str,
    primitive: Primitive,
    slots: &'static [(&'static str, Slot)],
}

const X: (&str, Slot) = ("x", Slot::Tensor);
const UNARY: &[(&str, Slot)] = &[X];
const BINARY: &[(&str, Slot)] = &[("a", Slot::Tensor), ("b", Slot::Tensor)];
const REDUCE: &[(&str, Slot)] = &[X, ("axis", Slot::Optional)];
const SORT: &[(&str, Slot)] = &[X, ("axis", Slot::Optional), ("descending", Slot::Optional)];
const POOL: &[(&str, Slot)] = &[X, ("size", Slot::Needed), ("stride", Slot::Optional), ("padding", Slot::Padding)];

const fn entry(name: &'static str, primitive: Primitive, slots: &'static [(&'static str, Slot)]) -> Entry {
    Entry { name, primitive, slots }
}

const TABLE: &[Entry] = &[
    entry("exp", Primitive::Elementwise(Elementwise::Exp), UNARY),
    entry("log", Primitive::Elementwise(Elementwise::Log), UNARY),
    entry("sqrt", Primitive::Elementwise(Elementwise::Sqrt), UNARY),
    entry("abs", Primitive::Elementwise(Elementwise::Abs), UNARY),
    entry("sign", Primitive::Elementwise(Elementwise::Sign), UNARY),
    entry("floor", Primitive::Elementwise(Elementwise::Floor), UNARY),
    entry("ceil", Primitive::Elementwise(Elementwise::Ceil), UNARY),
    entry("round", Primitive::Elementwise(Elementwise::Round), UNARY),
    entry("sin", Primitive::Elementwise(Elementwise::Sin), UNARY),
    entry("cos", Primitive::Elementwise(Elementwise::Cos), UNARY),
    entry("tanh", Primitive::Elementwise(Elementwise::Tanh), UNARY),
    entry("erf", Primitive::Elementwise(Elementwise::Erf), UNARY),
    entry("clamp", Primitive::Elementwise(Elementwise::Clamp), &[X, ("low", Slot::Tensor), ("high", Slot::Tensor)]),
    entry("max", Primitive::Extreme(Elementwise::Max, Reduce::Max), REDUCE),
    entry("min", Primitive::Extreme(Elementwise::Min, Reduce::Min), REDUCE),
    entry("sum", Primitive::Reduce(Reduce::Sum), REDUCE),
    entry("mean", Primitive::Reduce(Reduce::Mean), REDUCE),
    entry("prod", Primitive::Reduce(Reduce::Prod), REDUCE),
    entry("var", Primitive::Reduce(Reduce::Var), REDUCE),
    entry("argmax", Primitive::Reduce(Reduce::ArgMax), REDUCE),
    entry("argmin", Primitive::Reduce(Reduce::ArgMin), REDUCE),
    entry("avg", Primitive::Avg, UNARY),
    entry(
        "conv",
        Primitive::Conv,
        &[
            X,
            ("W", Slot::Tensor),
            ("stride", Slot::Optional),
            ("padding", Slot::Padding),
            ("dilation", Slot::Optional),
            ("groups", Slot::Optional),
        ],
    ),
    entry(
        "conv_transpose",
        Primitive::ConvTranspose,
        &[X, ("W", Slot::Tensor), ("stride", Slot::Optional), ("padding", Slot::Padding), ("dilation", Slot::Optional)],
    ),
    entry("max_pool", Primitive::MaxPool, POOL),
    entry("avg_pool", Primitive::AvgPool, POOL),
    entry("concat", Primitive::Concat, BINARY),
    entry("stack", Primitive::Stack, BINARY),
    entry("split", Primitive::Split, &[X, ("parts", Slot::Needed), ("axis", Slot::Optional)]),
    entry("reshape", Primitive::Reshape, &[X, ("shape", Slot::Needed)]),
    entry("flatten", Primitive::Flatten, UNARY),
    entry("transpose", Primitive::Transpose, &[X, ("axes", Slot::Optional)]),
    entry("slice", Primitive::Slice, &[X, ("start", Slot::Needed), ("end", Slot::Needed), ("axis", Slot::Optional)]),
    entry("pad", Primitive::Pad, &[X, ("width", Slot::Needed)]),
    entry("reverse", Primitive::Reverse, &[X, ("axis", Slot::Optional)]),
    entry("sort", Primitive::Sort, SORT),
    entry("argsort", Primitive::ArgSort, SORT),
    entry("upsample", Primitive::Upsample, &[X, ("factor", Slot::Needed)]),
    entry("expand", Primitive::Expand, &[X, ("shape", Slot::Needed), ("axis", Slot::Optional)]),
    entry("one_hot", Primitive::OneHot, UNARY),
    entry("range", Primitive::Range, &[("count", Slot::Needed)]),
    entry("batch_mean", Primitive::BatchMean, UNARY),
    entry("batch_var", Primitive::BatchVar, UNARY),
    entry("bernoulli", Primitive::Bernoulli, &[("share", Slot::Number), ("shape", Slot::Shape)]),
    entry("normal", Primitive::Normal, &[("mean", Slot::Number), ("deviation", Slot::Number), ("shape", Slot::Shape)]),
    entry("uniform", Primitive::Uniform, &[("low", Slot::Number), ("high", Slot::Number), ("shape", Slot::Shape)]),
    entry("zeros", Primitive::Zeros, &[("shape", Slot::Shape)]),
    entry("ones", Primitive::Ones, &[("shape", Slot::Shape)]),
    entry("constant", Primitive::Constant, &[("value", Slot::Number), ("shape", Slot::Shape)]),
    entry("orthogonal", Primitive::Orthogonal, &[("shape", Slot::Shape)]),
    entry("stop_gradient", Primitive::StopGradient, UNARY),
];

/// The primitive of that name.
pub(super) fn find(name: &str) -> Option<Primitive> {
    TABLE.iter().find(|entry| entry.name == name).map(|entry| entry.primitive)
}

/// The names of all primitives.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.name)
}

/// The names of all primitives with those of their arguments.
#[cfg(test)]
pub(super) fn arguments() -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    TABLE.iter().map(|entry| (entry.name, entry.slots.iter().map(|(argument, _)| *argument)))
}

impl Primitive {
    fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.primitive == self)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.entry().map_or("", |entry| entry.name)
    }

    fn slots(self) -> &'static [(&'static str, Slot)] {
        self.entry().map_or(&[], |entry| entry.slots)
    }

    /// Whether it can fill a parameter.
    pub(super) fn is_init(self) -> bool {
        matches!(
            self,
            Primitive::Zeros
                | Primitive::Ones
                | Primitive::Constant
                | Primitive::Orthogonal
                | Primitive::Normal
                | Primitive::Uniform
                | Primitive::Bernoulli
        )
    }

    /// Whether it is applied to one tensor, element by element.
    pub(super) fn keeps_shape(self) -> bool {
        match self {
            Primitive::Elementwise(_) => self.slots().len() == 1,
            other => other == Primitive::StopGradient,
        }
    }

    /// Whether it takes any number of tensors.
    fn is_variadic(self) -> bool {
        matches!(self, Primitive::Concat | Primitive::Stack | Primitive::Extreme(..))
    }
}

/// Whole numbers side by side where the primitive takes one list of them.
fn numbers_for_a_list(primitive: Primitive, arguments: &[Argument], piped: bool) -> Option<Span> {
    let takes_list = matches!(primitive, Primitive::Reshape | Primitive::Transpose | Primitive::Expand);
    let behind_tensor = arguments.first().is_some_and(|first| first.value.is_run_time());
    let numbers = &arguments[usize::from(behind_tensor)..];
    let written = |argument: &Argument| argument.name.is_none() && matches!(argument.value, Value::Int(_));
    // `reshape(7, 1)` makes a vector of a number.
    let several = numbers.len() > 2 || numbers.len() == 2 && (piped || behind_tensor);
    // `expand(x, 3, 0)` names its axis by position.
    let several = several && !(primitive == Primitive::Expand && numbers.len() == 2);
    match numbers {
        [first, .., last] if takes_list && several && numbers.iter().all(written) => Some(first.span.to(last.span)),
        _ => None,
    }
}

/// Whether an argument is given as the padding of windows.
fn is_padding(argument: &Argument) -> bool {
    argument.name.as_ref().is_some_and(|name| name.value == "padding")
}

/// The arguments of a call, by slot; the tensors of a primitive that takes any number apart.
struct Bound {
    slots: Vec<Option<Argument>>,
    tensors: Vec<Argument>,
    axis: Option<Argument>,
}

impl<'a> Walker<'a> {
    /// A call of a primitive as written: its value, or a layer where its tensor is still missing.
    pub(super) fn call_primitive(
        &mut self,
        primitive: Primitive,
        preset: &Rc<Vec<Argument>>,
        arguments: &'a [AstArgument],
        span: Span,
        want: &Want,
    ) -> Value {
        let mut evaluated = self.primitive_arguments(primitive, arguments, want);
        let piped = matches!(want, Want::Kind(CallableKind::Layer));
        if let Some(numbers) = numbers_for_a_list(primitive, &evaluated, piped) {
            self.report(problems::list_wanted(primitive.name(), numbers));
            return Value::Unknown;
        }
        let fills = matches!(want, Want::Kind(CallableKind::Init)) && primitive.is_init();
        let slots = primitive.slots();
        let needed = slots.iter().filter(|(_, slot)| matches!(slot, Slot::Tensor | Slot::Needed)).count();
        let positional = evaluated.iter().filter(|argument| argument.name.is_none()).count();
        let named = evaluated.iter().filter_map(|argument| argument.name.as_ref());
        let named_needed = named
            .filter(|name| {
                slots.iter().any(|(slot, kind)| *slot == name.value && matches!(kind, Slot::Tensor | Slot::Needed))
            })
            .count();
        let at_run_time = evaluated.iter().any(|argument| argument.value.is_run_time());
        let unknown =
            evaluated.iter().any(|argument| matches!(argument.value, Value::Unknown) && !is_padding(argument));
        let takes_tensor = matches!(slots.first(), Some((_, Slot::Tensor)));
        let lacks_tensor = takes_tensor && !at_run_time && !unknown && {
            let only_options =
                matches!(primitive, Primitive::Transpose | Primitive::Reverse | Primitive::Sort | Primitive::ArgSort);
            let short = positional + named_needed < needed;
            !primitive.is_variadic() && short
                || only_options && positional == 1
                || primitive.is_variadic() && positional == 0
        };
        // Behind `|>` a value would be no use: `x |> max(0)` is `max(x, 0)`, `x |> concat(y)` is `concat(x, y)`.
        let piped = primitive.is_variadic() && piped;
        if fills || ((lacks_tensor || piped) && preset.is_empty()) {
            return Value::Callable(Callable::Primitive(primitive, Rc::new(evaluated)));
        }
        evaluated.extend(preset.iter().cloned());
        self.run_primitive(primitive, evaluated, span)
    }

    /// A primitive with its tensors given behind its configuration: `|>`, or as an initialisation.
    pub(super) fn apply_primitive(
        &mut self,
        primitive: Primitive,
        preset: &Rc<Vec<Argument>>,
        arguments: Vec<Argument>,
        span: Span,
    ) -> Value {
        let mut all = arguments;
        all.extend(preset.iter().cloned());
        self.run_primitive(primitive, all, span)
    }

    fn primitive_arguments(
        &mut self,
        primitive: Primitive,
        arguments: &'a [AstArgument],
        want: &Want,
    ) -> Vec<Argument> {
        let ast = self.ast();
        let slots = primitive.slots();
        // `concat([a, b])`: the tensors need not have one shape, so the list is no stack.
        if let (true, [AstArgument { name: None, value }, rest @ ..]) = (primitive.is_variadic(), arguments)
            && rest.iter().all(|argument| argument.name.is_some())
            && !matches!(primitive, Primitive::Extreme(..))
            && let ExprKind::List(items) = &ast[*value].kind
        {
            let items = items.iter().chain(rest);
            return items.map(|argument| self.primitive_argument(argument, &Want::Any)).collect();
        }
        let takes_tensor = matches!(slots.first(), Some((_, Slot::Tensor)));
        let mut position = 0;
        let mut evaluated = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let known = |name: &str| name == "axis" || slots.iter().any(|(slot, _)| *slot == name);
            if argument.name.as_ref().is_some_and(|name| !known(&name.value)) {
                // What an argument that does not exist would mean, nobody knows.
                let (name, span) = (argument.name.clone(), ast[argument.value].span);
                evaluated.push(Argument { name, value: Value::Unknown, span });
                continue;
            }
            let slot = match &argument.name {
                Some(name) if name.value == "axis" => Some(Slot::Optional),
                Some(name) => slots.iter().find(|(slot, _)| *slot == name.value).map(|(_, slot)| *slot),
                None => {
                    position += 1;
                    slots.get(position - 1).map(|(_, slot)| *slot)
                }
            };
            let inner = match slot {
                // Whole numbers in a list may stand for the tensor that comes later.
                Some(Slot::Tensor | Slot::Number) | None if matches!(want, Want::Int) => Want::Int,
                Some(Slot::Tensor | Slot::Number) | None if takes_tensor || slot.is_none() => Want::Any,
                Some(Slot::Tensor | Slot::Number) | None => Want::Any,
                Some(Slot::Needed | Slot::Optional | Slot::Shape) => Want::Shape,
                Some(Slot::Padding) => Want::WordsOrNumbers(Rc::from([Rc::from("valid"), Rc::from("same")])),
            };
            evaluated.push(self.primitive_argument(argument, &inner));
        }
        evaluated
    }

    fn primitive_argument(&mut self, argument: &'a AstArgument, want: &Want) -> Argument {
        let span = self.ast()[argument.value].span;
        Argument { name: argument.name.clone(), value: self.eval(argument.value, want), span }
    }

    /// The configuration of a shipped declaration being walked that is no share: the callee, the parameter, its value.
    fn share_of_use(&self) -> Option<(&'a str, &'a str, f64)> {
        let declaration = *self.globals.get(self.frames.last()?.decl?);
        if !self.program.units[declaration.unit].prelude {
            return None;
        }
        let parameters = declaration.callable()?.config.as_deref()?;
        parameters.iter().find_map(|parameter| {
            let given = self.local(&parameter.name.value)?.value.number()?;
            let name = (declaration.name.value.as_str(), parameter.name.value.as_str());
            (!(0.0..=1.0).contains(&given)).then_some((name.0, name.1, given))
        })
    }

    fn bind_slots(&mut self, primitive: Primitive, arguments: Vec<Argument>, span: Span) -> Option<Bound> {
        let slots = primitive.slots();
        let mut bound = Bound { slots: vec![None; slots.len()], tensors: Vec::new(), axis: None };
        let mut position = 0;
        let mut sound = true;
        let mut unknown = Vec::new();
        for argument in arguments {
            let Some(name) = argument.name.clone() else {
                if primitive.is_variadic() {
                    bound.tensors.push(argument);
                    continue;
                }
                // A preset behind the tensor takes the next place that is free.
                while bound.slots.get(position).is_some_and(Option::is_some) {
                    position += 1;
                }
                match bound.slots.get_mut(position) {
                    Some(slot) => *slot = Some(argument),
                    None => {
                        self.report(name_problems::too_many_arguments(argument.span, primitive.name(), slots.len()));
                        sound = false;
                    }
                }
                continue;
            };
            if primitive.is_variadic() && name.value == "axis" {
                bound.axis = Some(argument);
                continue;
            }
            match slots.iter().position(|(slot, _)| *slot == name.value) {
                Some(at) if bound.slots[at].is_some() => {
                    self.report(name_problems::argument_twice(name.span, &name.value));
                    sound = false;
                }
                Some(at) => bound.slots[at] = Some(argument),
                None => {
                    let axis = primitive.is_variadic().then_some("axis");
                    let names: Vec<&str> = match axis.filter(|_| !slots.iter().any(|(slot, _)| *slot == "axis")) {
                        Some(axis) => vec![axis],
                        None => slots.iter().map(|(slot, _)| *slot).collect(),
                    };
                    let near = nearest(&name.value, names.iter().copied());
                    let known: Vec<String> = names.into_iter().map(str::to_owned).collect();
                    unknown.push(name_problems::unknown_argument(&name, primitive.name(), &known, near, false));
                    sound = false;
                }
            }
        }
        name_problems::joined_unknown_arguments(unknown).into_iter().for_each(|problem| self.report(problem));
        if primitive.is_variadic() && bound.tensors.is_empty() {
            self.report(name_problems::missing_tensor(span, primitive.name(), "x"));
            sound = false;
        }
        // A name that is not known may be the one that is missing, or hide that the tensor comes by `|>`.
        let named = sound;
        for ((name, slot), given) in slots.iter().zip(&bound.slots).filter(|_| named) {
            if matches!(slot, Slot::Tensor | Slot::Needed) && given.is_none() && !primitive.is_variadic() {
                self.report(name_problems::missing_tensor(span, primitive.name(), name));
                sound = false;
            }
        }
        sound.then_some(bound)
    }

    fn run_primitive(&mut self, primitive: Primitive, arguments: Vec<Argument>, span: Span) -> Value {
        let Some(mut bound) = self.bind_slots(primitive, arguments, span) else { return Value::Unknown };
        if let Primitive::Extreme(elementwise, reduce) = primitive {
            return self.extreme(elementwise, reduce, bound, span);
        }
        let unknown = |argument: &Argument| matches!(argument.value, Value::Unknown);
        // Padding that may be a name or numbers leaves the extents of a result open, not its rank.
        let open = |slot: Slot| slot == Slot::Padding && !self.recording;
        let mut given = bound.slots.iter().zip(primitive.slots());
        if bound.tensors.iter().any(unknown)
            || given.any(|(given, (_, slot))| given.as_ref().is_some_and(unknown) && !open(*slot))
        {
            return Value::Unknown;
        }
        match primitive {
            Primitive::Elementwise(op) => {
                let operands: Vec<(Value, Span)> =
                    bound.slots.into_iter().flatten().map(|argument| (argument.value, argument.span)).collect();
                return self.elementwise(op, &operands, span, &Want::Any);
            }
            Primitive::Concat | Primitive::Stack => {
                let tensors = std::mem::take(&mut bound.tensors);
                return self.join(primitive == Primitive::Concat, tensors, bound.axis, span);
            }
            Primitive::Bernoulli | Primitive::Normal | Primitive::Uniform | Primitive::Constant => {
                return self.filled(primitive, bound, span);
            }
            Primitive::Zeros | Primitive::Ones | Primitive::Orthogonal => return self.filled(primitive, bound, span),
            Primitive::Range => return self.range(bound, span),
            Primitive::Reduce(Reduce::Prod) => {
                if let Some(Some(Argument { value: Value::Axes(axes), .. })) = bound.slots.first() {
                    return Value::Int(super::types::count(axes));
                }
            }
            _ => {}
        }
        let mut slots = bound.slots.into_iter();
        let Some(first) = slots.next().flatten() else { return Value::Unknown };
        let Some(x) = self.to_tensor(&first.value, first.span) else { return Value::Unknown };
        let at = first.span;
        if x.ty.is_lifted() && !matches!(primitive, Primitive::StopGradient | Primitive::Avg) {
            self.report(problems::untyped_argument(at, primitive.name()));
            return Value::Unknown;
        }
        let rest: Vec<Option<Argument>> = slots.collect();
        let argument = |at: usize| rest.get(at).and_then(Option::as_ref);
        match primitive {
            Primitive::Reduce(reduce) => self.reduce(reduce, &x, at, argument(0), span),
            Primitive::Avg => self.avg(&x, at, span),
            Primitive::Conv => self.conv(&x, at, &rest, span),
            Primitive::ConvTranspose => self.conv_transpose(&x, at, &rest, span),
            Primitive::MaxPool => self.pool(true, &x, at, &rest, span),
            Primitive::AvgPool => self.pool(false, &x, at, &rest, span),
            Primitive::Split => self.split(&x, at, argument(0), argument(1), span),
            Primitive::Reshape => self.reshape(&x, at, argument(0), span),
            Primitive::Flatten => {
                let shape = vec![super::types::Axis::Dim(super::types::count(&x.ty.shape))];
                let ty = x.ty.with_shape(shape);
                let made = super::arithmetic::worked_product(&x.ty.shape);
                let result = self.emit_tensor(HirOp::Reshape, &[&x], ty, span);
                result.map_or(Value::Unknown, |result| Value::Tensor(result.made_by(made)))
            }
            Primitive::Transpose => self.transpose(&x, at, argument(0), span),
            Primitive::Slice => self.slice_call(&x, at, &rest, span),
            Primitive::Pad => self.pad(&x, at, argument(0), span),
            Primitive::Reverse => {
                let Some(axis) = self.axis_argument(argument(0), 0, &x.ty, at) else { return Value::Unknown };
                self.emit(HirOp::Reverse(axis), &[&x], x.ty.clone(), span)
            }
            Primitive::Sort => self.sort(false, &x, at, argument(0), argument(1), span),
            Primitive::ArgSort => self.sort(true, &x, at, argument(0), argument(1), span),
            Primitive::Upsample => self.upsample(&x, at, argument(0), span),
            Primitive::Expand => self.expand(&x, at, argument(0), argument(1), span),
            Primitive::OneHot => self.one_hot(&x, at, span),
            Primitive::BatchMean => self.batch_statistic(HirOp::BatchMean, &x, at, span),
            Primitive::BatchVar => self.batch_statistic(HirOp::BatchVar, &x, at, span),
            Primitive::StopGradient => self.emit(HirOp::StopGradient, &[&x], x.ty.clone(), span),
            Primitive::Elementwise(_)
            | Primitive::Extreme(..)
            | Primitive::Concat
            | Primitive::Stack
            | Primitive::Bernoulli
            | Primitive::Normal
            | Primitive::Uniform
            | Primitive::Constant
            | Primitive::Range
            | Primitive::Zeros
            | Primitive::Ones
            | Primitive::Orthogonal => Value::Unknown,
        }
    }

    /// `max(a, b)` or `max(x, axis = i)`.
    fn extreme(&mut self, op: Elementwise, reduce: Reduce, bound: Bound, span: Span) -> Value {
        if bound.tensors.iter().any(|argument| matches!(argument.value, Value::Unknown)) {
            return Value::Unknown;
        }
        match bound.tensors.as_slice() {
            [x] => {
                let (value, at) = (x.value.clone(), x.span);
                let Some(tensor) = self.to_tensor(&value, at) else { return Value::Unknown };
                if tensor.ty.is_lifted() {
                    let name = if op == Elementwise::Max { "max" } else { "min" };
                    self.report(problems::untyped_argument(at, name));
                    return Value::Unknown;
                }
                self.reduce(reduce, &tensor, at, bound.axis.as_ref(), span)
            }
            tensors => {
                let mut operands = tensors.iter().map(|argument| (argument.value.clone(), argument.span));
                let Some(mut first) = operands.next() else { return Value::Unknown };
                for second in operands {
                    let value = self.elementwise(op, &[first, second], span, &Want::Any);
                    first = (value, span);
                }
                first.0
            }
        }
    }

    /// `range(n)`: the numbers 0, 1, … n - 1.
    fn range(&mut self, bound: Bound, span: Span) -> Value {
        let Some(count) = bound.slots.into_iter().flatten().next() else { return Value::Unknown };
        let Some(extent) = self.as_int(&count.value, count.span) else { return Value::Unknown };
        if extent.known().is_some_and(|extent| !(0..=1 << 24).contains(&extent)) {
            self.report(problems::range_count(count.span, &extent));
            return Value::Unknown;
        }
        self.emit(HirOp::Range, &[], Type::number(vec![Axis::Dim(extent)]), span)
    }

    fn filled(&mut self, primitive: Primitive, bound: Bound, span: Span) -> Value {
        let slots = primitive.slots();
        let given_shape = slots.iter().zip(&bound.slots).find(|((_, slot), _)| *slot == Slot::Shape);
        let shape = match given_shape.and_then(|(_, given)| given.as_ref()) {
            Some(given) => match self.as_shape(&given.value, given.span) {
                Some(shape) => Some(shape),
                None => return Value::Unknown,
            },
            None => self.init_shapes.last().cloned(),
        };
        let random = matches!(primitive, Primitive::Bernoulli | Primitive::Normal | Primitive::Uniform);
        let shape: Shape = match shape {
            Some(shape) => shape,
            None if random => Vec::new(),
            None => {
                self.report(name_problems::missing_tensor(span, primitive.name(), "shape"));
                return Value::Unknown;
            }
        };
        let defaults: &[f64] = match primitive {
            Primitive::Bernoulli => &[0.5],
            Primitive::Normal => &[0.0, 1.0],
            Primitive::Uniform => &[0.0, 1.0],
            Primitive::Zeros => &[0.0],
            Primitive::Orthogonal => &[],
            Primitive::Ones => &[1.0],
            _ => &[0.0],
        };
        let given: Vec<Option<Argument>> = slots
            .iter()
            .zip(bound.slots)
            .filter(|((_, slot), _)| *slot == Slot::Number)
            .map(|(_, given)| given)
            .collect();
        let mut operands: Vec<Tensor> = Vec::with_capacity(defaults.len());
        for (at, default) in defaults.iter().enumerate() {
            let value = match given.get(at).and_then(Option::as_ref) {
                Some(argument) => {
                    let known = argument.value.number();
                    if let Some(share) =
                        known.filter(|share| primitive == Primitive::Bernoulli && !(0.0..=1.0).contains(share))
                    {
                        let problem = match self.share_of_use() {
                            Some((callee, name, given)) => {
                                problems::share_given_out_of_range(argument.span, callee, name, given)
                            }
                            None => problems::share_out_of_range(argument.span, share),
                        };
                        self.report(problem);
                        return Value::Unknown;
                    }
                    let Some(tensor) = self.to_tensor(&argument.value, argument.span) else { return Value::Unknown };
                    if !tensor.ty.shape.is_empty() || tensor.ty.element != Element::Number {
                        self.report(problems::scalar_wanted(argument.span, primitive.name(), slots[at].0, &tensor.ty));
                        return Value::Unknown;
                    }
                    tensor
                }
                None => match self.constant(*default, span) {
                    Some(constant) => constant,
                    None => return Value::Unknown,
                },
            };
            operands.push(value);
        }
        let op = match primitive {
            Primitive::Bernoulli => HirOp::Bernoulli,
            Primitive::Normal => HirOp::Normal,
            Primitive::Uniform => HirOp::Uniform,
            Primitive::Orthogonal => {
                if self.init_shapes.is_empty() {
                    self.report(name_problems::misplaced_orthogonal(span));
                    return Value::Unknown;
                }
                HirOp::Orthogonal
            }
            _ => HirOp::Fill,
        };
        let operands: Vec<&Tensor> = operands.iter().collect();
        self.emit(op, &operands, Type::number(shape), span)
    }

    fn avg(&mut self, x: &Tensor, at: Span, span: Span) -> Value {
        let in_metric = self.in_metric || self.frames.iter().any(|frame| frame.kind == Some(CallableKind::Metric));
        if !in_metric {
            self.report(name_problems::misplaced_avg(span));
            return Value::Unknown;
        }
        if super::types::compare_shapes(&x.ty.shape, &Vec::new()) == super::dim::Verdict::Different {
            self.report(problems::avg_of_tensor(at, &x.ty));
            return Value::Unknown;
        }
        let x = match x.ty.element {
            Element::Number => x.clone(),
            Element::Truth => match self.as_numbers(x, at) {
                Some(numbers) => numbers,
                None => return Value::Unknown,
            },
            Element::Class { .. } => {
                self.report(problems::class_is_no_number(at, "avg", &x.ty));
                return Value::Unknown;
            }
        };
        self.emit(HirOp::Avg, &[&x], Type::scalar(), span)
    }

    fn one_hot(&mut self, x: &Tensor, at: Span, span: Span) -> Value {
        let Element::Class { count, .. } = &x.ty.element else {
            self.report(problems::class_wanted(at, "one_hot", &x.ty));
            return Value::Unknown;
        };
        let mut shape = x.ty.shape.clone();
        shape.push(super::types::Axis::Dim(count.clone()));
        self.emit(HirOp::OneHot, &[x], Type::number(shape), span)
    }

    fn batch_statistic(&mut self, op: HirOp, x: &Tensor, at: Span, span: Span) -> Value {
        let Some(x) = self.numbers(x, at, "batch_mean") else { return Value::Unknown };
        let shape: Shape = match x.ty.shape.last() {
            Some(last @ super::types::Axis::Dim(_)) => vec![last.clone()],
            Some(super::types::Axis::Rest(_)) => return Value::Unknown,
            None => Vec::new(),
        };
        self.emit(op, &[&x], Type::number(shape), span)
    }

    /// A tensor of numbers: truth values become 0 and 1; categories are reported.
    pub(super) fn numbers(&mut self, x: &Tensor, at: Span, what: &str) -> Option<Tensor> {
        match x.ty.element {
            Element::Number => Some(x.clone()),
            Element::Truth => self.as_numbers(x, at),
            Element::Class { .. } => {
                self.report(problems::class_is_no_number(at, what, &x.ty));
                None
            }
        }
    }

    /// An axis given by number, negative ones from the end, as an index into the shape. `None` where it is not known or reported.
    pub(super) fn axis_argument(
        &mut self,
        given: Option<&Argument>,
        default: i64,
        ty: &Type,
        at: Span,
    ) -> Option<usize> {
        let (axis, span) = match given {
            Some(argument) => (self.as_int(&argument.value, argument.span)?.known()?, argument.span),
            None => (default, at),
        };
        self.axis_number(axis, ty, span)
    }

    /// As [`Walker::axis_argument`], from a number.
    pub(super) fn axis_number(&mut self, axis: i64, ty: &Type, span: Span) -> Option<usize> {
        let rank = ty.shape.len() as i64;
        let rest = ty.shape.iter().position(|axis| axis.dim().is_none()).map(|at| at as i64);
        let index = if axis < 0 { rank + axis } else { axis };
        match rest {
            Some(rest) if axis >= 0 && index >= rest => None,
            Some(rest) if axis < 0 && index <= rest => None,
            _ if !(0..rank).contains(&index) => {
                self.report(problems::axis_out_of_range(span, axis, ty));
                None
            }
            _ => Some(index as usize),
        }
    }

    /// Whether arguments as written configure a callable rather than give it tensors.
    pub(super) fn takes_configuration(&self, callable: &Callable, arguments: &[AstArgument]) -> bool {
        match callable {
            Callable::Declared(id, None) => {
                let Some(declared) = self.globals.get(*id).callable() else { return true };
                let parameters = declared.config.as_deref().unwrap_or_default();
                let required = parameters.iter().any(|parameter| parameter.default.is_none());
                declared.config.is_some() && (required || arguments.is_empty())
                    || arguments.iter().any(|argument| argument.name.is_some())
            }
            Callable::Primitive(primitive, _) => {
                !matches!(primitive.slots().first(), Some((_, Slot::Tensor)))
                    || arguments.iter().all(|argument| argument.name.is_some())
            }
            Callable::Declared(_, Some(_))
            | Callable::Chain(_)
            | Callable::Each(_)
            | Callable::Repeated(_)
            | Callable::Shared { .. }
            | Callable::Opaque(_) => false,
        }
    }

    /// Compile-time arguments, evaluated already, given to a callable: its configuration.
    pub(super) fn apply_evaluated(
        &mut self,
        callable: &Callable,
        callee: Span,
        arguments: Vec<Argument>,
        span: Span,
    ) -> Value {
        match callable {
            Callable::Declared(id, None) => match self.configure_evaluated(*id, callee, &arguments) {
                Some(config) => Value::Callable(Callable::Declared(*id, Some(config))),
                None => Value::Unknown,
            },
            Callable::Primitive(primitive, _) => Value::Callable(Callable::Primitive(*primitive, Rc::new(arguments))),
            other => self.apply(other, arguments, span),
        }
    }

    /// A known compile-time whole number among arguments.
    pub(super) fn int_argument(&mut self, given: Option<&Argument>, default: i64) -> Option<Dim> {
        match given {
            Some(argument) => self.as_int(&argument.value, argument.span),
            None => Some(Dim::Known(default)),
        }
    }
}
