//! Declared types on both sides of a call: arguments fitted to inputs, results to outputs, and the names that this binds.

use super::arithmetic::product;
use super::dim::{Dim, Verdict};
use super::infer::{Frame, Local, Status, Walker};
use super::types::{Argument, Axis, Element, Shape, Type, Value, Written, compare_shapes, known_shape};
use crate::diagnostics::shapes::FitAdvice;
use crate::diagnostics::{names as name_problems, shapes as problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, CallableKind, DimExpr, ExprId, ExprKind, Output, Parameter, TypeExpr, TypeExprKind};
use std::rc::Rc;

/// Why an argument does not fit: what a dimension was bound to before.
type Mismatch = Option<(String, Span)>;

impl<'a> Walker<'a> {
    /// Binds an input to its argument, and the names that its type brings. `None` where it does not fit, which is reported.
    pub(super) fn bind_input(&mut self, parameter: &'a Parameter, argument: &Argument, callee: &str) -> Option<Value> {
        let name = &parameter.name;
        let Some(ty) = &parameter.ty else {
            self.bind(&name.value, argument.value.clone(), argument.span);
            return Some(argument.value.clone());
        };
        if let TypeExprKind::Union(_) = ty.kind {
            // Reported where it is declared.
            self.bind(&name.value, Value::Unknown, argument.span);
            return Some(Value::Unknown);
        }
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
            let asks = self.frames.last().and_then(|frame| frame.decl);
            if asks.is_some_and(|id| self.status[id.0 as usize] == Status::Failed) {
                // A declaration that is wrong itself may not ask for what it should.
                self.problems += 1;
                return None;
            }
            let (declared, name) = (self.written(ty.span), self.written(argument.span));
            let asked = reason.is_some().then(|| self.asked_type(ty)).flatten();
            let call = self.frames.last().and_then(|frame| frame.call);
            let own = self.frames.last().is_none_or(|frame| !self.program.units[frame.unit].prelude);
            let letters = |text: &str| text.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            let problem = problems::argument_mismatch(&problems::Misfit {
                argument: &tensor.at(argument.span),
                callee,
                declared: Spanned::new(&declared, ty.span),
                own,
                asked: asked.as_deref(),
                reason: reason.as_ref().map(|(text, span)| (text.as_str(), *span)),
                call,
                advice: self.fit_advice(ty, &tensor.ty),
                direct: call.is_some_and(|call| self.sources.slice(call).starts_with(callee)),
                name: Some(name.as_str()).filter(|name| letters(name)),
            });
            self.report(problem);
            return None;
        }
        let value = Value::Tensor(tensor);
        self.bind(&name.value, value.clone(), argument.span);
        Some(value)
    }

    /// A declared type with what its names stand for here.
    fn asked_type(&mut self, ty: &'a TypeExpr) -> Option<String> {
        let (muted, problems) = (std::mem::replace(&mut self.muted, true), self.problems);
        let resolved = self.resolve_type(ty);
        (self.muted, self.problems) = (muted, problems);
        resolved.map(|resolved| resolved.to_string())
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
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Union(_) | TypeExprKind::Error => {}
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
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Union(_) | TypeExprKind::Error => {
                (&[], &[])
            }
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
                kind @ ExprKind::Binary(..) => kind.each_child(|operand| open.push(operand)),
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
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Union(_) | TypeExprKind::Error => {
                Ok(())
            }
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
                    self.report(problems::class_of_nothing(ty.span, &self.written(ty.span), &count));
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
            TypeExprKind::Union(_) => {
                self.report(name_problems::type_is_no_tensor(ty.span, "… or …"));
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
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Union(_) | TypeExprKind::Error => {}
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
            // Of an `if` that is not decided here each branch gives what the signature says.
            for (branch, at) in self.open_branches.remove(&span).into_iter().flatten() {
                self.check_output(branch, ty, at, name);
            }
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
            self.report(problems::output_mismatch(name, &tensor.at(span), Spanned::new(&declared, ty.span)));
            if let [Frame { decl: Some(id), .. }] = self.frames.as_slice() {
                self.disagreeing.insert(*id);
            }
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

    /// What to do about an argument of another type.
    fn fit_advice(&self, ty: &TypeExpr, actual: &Type) -> FitAdvice {
        let dims = match (&ty.kind, &actual.element) {
            (TypeExprKind::Tensor(dims), Element::Number) => dims,
            (TypeExprKind::Tensor(_), Element::Class { .. }) => return FitAdvice::OneHot,
            (TypeExprKind::Class { arguments, shape }, Element::Number) => {
                return self.class_advice(arguments, shape.as_deref(), &actual.shape);
            }
            _ => return FitAdvice::None,
        };
        if let [DimExpr::Rest(name)] = dims.as_slice() {
            let Some(Local { value: Value::Axes(bound), .. }) = self.local(&name.value) else { return FitAdvice::None };
            let one = super::types::axis(1);
            return match (bound.split_first(), actual.shape.split_first()) {
                (Some((first, rest)), _) if *first == one && *rest == *actual.shape => FitAdvice::Wrap,
                (_, Some((first, rest))) if *first == one && *rest == ***bound => FitAdvice::First,
                _ => FitAdvice::None,
            };
        }
        if dims.iter().any(|dim| matches!(dim, DimExpr::Rest(_))) {
            return FitAdvice::None;
        }
        match (dims.len(), actual.shape.len()) {
            (1, 2) => FitAdvice::EachOrFlatten,
            (1, rank) if rank > 2 => FitAdvice::Flatten(product(&actual.shape)),
            (wanted, rank) if rank == wanted + 1 => FitAdvice::Each,
            (1, 0) => FitAdvice::Wrap,
            (wanted, rank) if rank + 1 == wanted && known_shape(&actual.shape).is_some() => {
                let mut shape = actual.shape.clone();
                shape.push(super::types::axis(1));
                FitAdvice::AddAxis(Written(&shape).to_string())
            }
            (3, 3) => match self.resolved_quietly(dims).as_deref() {
                Some([height, width, channels])
                    if [channels, height, width].into_iter().eq(actual.shape.iter()) && height != channels =>
                {
                    FitAdvice::ChannelsFirst
                }
                _ => FitAdvice::None,
            },
            _ => FitAdvice::None,
        }
    }

    /// Numbers where a category belongs.
    fn class_advice(&self, arguments: &[ExprId], declared: Option<&[DimExpr]>, actual: &Shape) -> FitAdvice {
        let count = match arguments {
            [count] => match &self.ast()[*count].kind {
                ExprKind::Number { value, .. } => Some(*value as i64),
                ExprKind::Name(name) => match self.local(name).map(|local| &local.value) {
                    Some(Value::Int(dim)) => dim.known(),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        match (count.filter(|count| *count > 1), actual.as_slice()) {
            (Some(count), [Axis::Dim(Dim::Known(extent))]) if *extent == count && declared.is_none() => {
                FitAdvice::ArgMax
            }
            (Some(count), _) => FitAdvice::ClassWanted(format!("class({count})")),
            (None, _) => FitAdvice::ClassWanted("class(k)".to_owned()),
        }
    }

    /// Written dimensions that are numbers.
    fn resolved_quietly(&self, dims: &[DimExpr]) -> Option<Shape> {
        let numbers = dims.iter().map(|dim| match dim {
            DimExpr::Dim(expr) => match &self.ast()[*expr].kind {
                ExprKind::Number { value, integer: true } => Some(super::types::axis(*value as i64)),
                _ => None,
            },
            DimExpr::Rest(_) => None,
        });
        numbers.collect()
    }
}
