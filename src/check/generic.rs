//! Every declaration once, where it stands: configuration and dimensions are symbols.
//!
//! Callees come before their callers, so that a problem of a callee's body is reported there and not at its uses.
//! Declarations that lead back to themselves are found from the names met on the way.

use super::dim::{Dim, Verdict};
use super::hir::{self, Binding};
use super::infer::{Frame, Status, Walker, Want};
use super::names::{DeclId, Declared};
use super::types::{Axis, Callable, LIFTED, ListItem, Type, Value, compare_shapes};
use crate::diagnostics::{names as name_problems, shapes as problems};
use crate::source::Span;
use crate::syntax::ast::{self, CallableKind, ExprKind, Output, Parameter, TypeExpr, TypeExprKind};
use std::collections::HashMap;
use std::rc::Rc;

/// What an optimizer may look at, besides its `lr`.
pub(super) const OPTIMIZER_SCOPE: [&str; 3] = ["param", "grad", "step"];

impl<'a> Walker<'a> {
    /// Checks all declarations where they stand.
    pub(super) fn check_declarations(&mut self) {
        for id in self.callees_first() {
            let before = self.problems;
            let declaration = *self.globals.get(id);
            match declaration.what {
                Declared::Const(_) => {
                    self.start(declaration.unit, None, None);
                    self.global_value(id, declaration.name.span);
                }
                Declared::Callable(callable) => self.check_callable(id, callable),
                Declared::Data(_) => continue,
            }
            let failed = self.problems > before;
            self.status[id.0 as usize] = if failed { Status::Failed } else { Status::Sound };
            if self.halted {
                break;
            }
        }
        self.report_cycles();
        debug_assert!(
            self.diagnostics.has_errors()
                || !self.mended.is_empty()
                || !self.broken.is_empty()
                || !self.status.contains(&Status::Failed),
            "a declaration has failed and nothing says why"
        );
        self.frames.clear();
        self.bodies.clear();
    }

    /// Forgets where it was and begins in a declaration or a block.
    pub(super) fn start(&mut self, unit: usize, decl: Option<DeclId>, kind: Option<CallableKind>) {
        self.frames.clear();
        self.bodies.clear();
        self.paths.clear();
        self.paths.push(Default::default());
        self.init_shapes.clear();
        self.hooks = None;
        self.use_site = None;
        self.in_metric = false;
        self.muted = false;
        self.open_branches.clear();
        let frame = Frame { unit, decl, kind, scopes: vec![HashMap::new()], entered: true, ..Frame::default() };
        self.frames.push(frame);
    }

    fn check_callable(&mut self, id: DeclId, declared: &'a ast::Callable) {
        let declaration = *self.globals.get(id);
        self.start(declaration.unit, Some(id), Some(declared.kind));
        self.open_body();
        self.check_heads(declared);
        for parameter in declared.config.iter().flatten() {
            let value = self.symbolic_configuration(parameter, declaration.unit, &declared.name.value);
            self.bind(&parameter.name.value, value, parameter.name.span);
        }
        let mut given = Vec::new();
        for input in declared.inputs.iter().flatten() {
            let value = self.symbolic_input(input, declared.kind);
            self.bind(&input.name.value, value.clone(), input.name.span);
            given.push(value);
        }
        self.bind_kind_scope(declared.kind, declared.name.span);
        if declared.kind == CallableKind::Init {
            let shape = vec![Axis::Rest("shape".into())];
            self.bind("shape", Value::Axes(Rc::new(shape.clone())), declared.name.span);
            self.bind("fan_in", Value::Int(Dim::name("fan_in")), declared.name.span);
            self.bind("fan_out", Value::Int(Dim::name("fan_out")), declared.name.span);
            self.init_shapes.push(shape);
        }
        let before = self.problems;
        let value = self.eval(declared.body, &Want::Any);
        // What comes of a body in which something is wrong is not held against the signature as well.
        let value = if self.problems > before { Value::Unknown } else { value };
        let value = self.check_result(declared, value, &given);
        self.check_kind_where_it_stands(declared, &value);
    }

    /// What a kind brings into scope.
    pub(super) fn bind_kind_scope(&mut self, kind: CallableKind, span: Span) {
        let names: &[&str] = match kind {
            CallableKind::Optimizer => &OPTIMIZER_SCOPE,
            CallableKind::Schedule => &hir::SCHEDULE_SCOPE,
            CallableKind::Fn
            | CallableKind::Activation
            | CallableKind::Loss
            | CallableKind::Metric
            | CallableKind::Penalty
            | CallableKind::Init
            | CallableKind::Layer
            | CallableKind::Model => &[],
        };
        for name in names {
            let value = self.body_input(name, Type::scalar(), Binding::Scope, span);
            self.bind(name, value, span);
        }
        if kind == CallableKind::Optimizer && self.local("lr").is_some() {
            let value = self.body_input("lr", Type::scalar(), Binding::Scope, span);
            self.bind("lr", value, span);
        }
    }

    /// What the head of a declaration may not say.
    fn check_heads(&mut self, declared: &'a ast::Callable) {
        let mut seen: Vec<&ast::Name> = Vec::new();
        for parameter in declared.config.iter().chain(&declared.inputs).flatten() {
            match seen.iter().find(|name| name.value == parameter.name.value) {
                Some(first) => {
                    let problem = name_problems::bound_twice(&parameter.name, first.span);
                    self.report(problem);
                }
                None => seen.push(&parameter.name),
            }
        }
        let name = &declared.name;
        if declared.inputs.is_none() && !declared.kind.is_configuration_only() {
            self.report(name_problems::declaration_without_inputs(name, declared.kind.keyword()));
        }
        for input in declared.inputs.iter().flatten() {
            if input.default.is_some() {
                self.report(name_problems::input_with_default(&input.name, input.span));
            }
        }
        if declared.kind == CallableKind::Optimizer {
            let has_lr = declared.config.iter().flatten().any(|parameter| parameter.name.value == "lr");
            if !has_lr {
                self.report(name_problems::optimizer_without_lr(name));
            }
        }
        if declared.kind == CallableKind::Model {
            match &declared.output {
                Some(Output::Named { .. }) => {}
                Some(Output::Type(ty)) => self.report(name_problems::model_output_unnamed(name, Some(ty.span))),
                None => self.report(name_problems::model_output_unnamed(name, None)),
            }
        }
        if let Some(Output::Named { outputs, .. }) = &declared.output {
            for (at, (name, _)) in outputs.iter().enumerate() {
                if let Some((first, _)) = outputs[..at].iter().find(|(other, _)| other.value == name.value) {
                    self.report(name_problems::bound_twice(name, first.span));
                }
            }
        }
    }

    /// A configuration parameter that can be anything its type allows.
    fn symbolic_configuration(&mut self, parameter: &'a Parameter, unit: usize, callee: &str) -> Value {
        let default = parameter.default.map(|default| {
            let want = self.argument_want(parameter, default);
            let value = self.eval(default, &want);
            let span = self.ast()[default].span;
            self.config_value(value, span, parameter, unit, callee)
        });
        let name = &parameter.name.value;
        match parameter.ty.as_ref().map(|ty| &ty.kind) {
            Some(TypeExprKind::Word(word)) => match word.as_str() {
                "int" => Value::Int(Dim::name(name)),
                "float" => Value::Float(None),
                "bool" => Value::Bool(None),
                "string" => Value::Unknown,
                word => match super::configure::kind_of_word(word) {
                    Some(kind) => Value::Callable(Callable::Opaque(kind)),
                    None => {
                        let span = parameter.ty.as_ref().map_or(parameter.span, |ty| ty.span);
                        self.report(name_problems::unknown_type(span, word));
                        Value::Unknown
                    }
                },
            },
            Some(TypeExprKind::Enumeration(_)) => Value::Word(None),
            // Whole numbers, unless the default has others.
            Some(TypeExprKind::Tensor(dims)) => match (self.written_count(dims, unit), &default) {
                (Some(count), None) => numbers_of(name, count, parameter.span),
                (Some(count), Some(Value::List(items)))
                    if items.iter().all(|item| matches!(item.value, Value::Int(_))) =>
                {
                    numbers_of(name, count, parameter.span)
                }
                _ => Value::Unknown,
            },
            Some(TypeExprKind::Union(types)) => {
                types.iter().for_each(|ty| self.check_alternative(ty));
                Value::Unknown
            }
            Some(TypeExprKind::Class { .. } | TypeExprKind::Error) => Value::Unknown,
            None => match default {
                Some(Value::Int(_)) => Value::Int(Dim::name(name)),
                Some(Value::Float(_)) => Value::Float(None),
                Some(Value::Bool(_)) => Value::Bool(None),
                Some(Value::Callable(callable)) => self.opaque_like(&callable),
                Some(_) | None => Value::Unknown,
            },
        }
    }

    /// Whether each word of a type that is one of several names a type.
    fn check_alternative(&mut self, ty: &'a TypeExpr) {
        match &ty.kind {
            TypeExprKind::Word(word) => {
                let known = matches!(word.as_str(), "int" | "float" | "bool" | "string");
                if !known && super::configure::kind_of_word(word).is_none() {
                    self.report(name_problems::unknown_type(ty.span, word));
                }
            }
            TypeExprKind::Union(types) => types.iter().for_each(|ty| self.check_alternative(ty)),
            TypeExprKind::Enumeration(_)
            | TypeExprKind::Tensor(_)
            | TypeExprKind::Class { .. }
            | TypeExprKind::Error => {}
        }
    }

    fn opaque_like(&self, callable: &Callable) -> Value {
        match callable {
            Callable::Declared(id, _) => match self.globals.get(*id).callable() {
                Some(declared) => Value::Callable(Callable::Opaque(declared.kind)),
                None => Value::Unknown,
            },
            Callable::Opaque(kind) => Value::Callable(Callable::Opaque(*kind)),
            Callable::Primitive(..)
            | Callable::Chain(_)
            | Callable::Each(_)
            | Callable::Repeated(_)
            | Callable::Shared { .. } => Value::Unknown,
        }
    }

    /// An input of any shape that its type allows; without a type it is one element, lifted over any shape.
    fn symbolic_input(&mut self, input: &'a Parameter, kind: CallableKind) -> Value {
        let Some(ty) = &input.ty else {
            if kind == CallableKind::Model {
                if input.default.is_none() {
                    self.report(name_problems::model_input_without_type(&input.name));
                }
                return Value::Unknown;
            }
            let ty = Type::number(vec![Axis::Rest(LIFTED.into())]);
            return self.body_input(&input.name.value, ty, Binding::Field, input.name.span);
        };
        match &ty.kind {
            TypeExprKind::Union(_) => {
                self.report(name_problems::input_of_several_types(&input.name, ty.span));
                Value::Unknown
            }
            TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) => {
                self.symbolic_configuration(input, self.frames.last().map_or(0, |frame| frame.unit), "")
            }
            TypeExprKind::Tensor(_) | TypeExprKind::Class { .. } => match self.symbolic_type(ty) {
                Some(ty) => self.body_input(&input.name.value, ty, Binding::Field, input.name.span),
                None => Value::Unknown,
            },
            TypeExprKind::Error => Value::Unknown,
        }
    }

    fn check_kind_where_it_stands(&mut self, declared: &'a ast::Callable, value: &Value) {
        let span = self.value_span(declared.body);
        match declared.kind {
            CallableKind::Optimizer => {
                let has_lr = declared.config.iter().flatten().any(|parameter| parameter.name.value == "lr");
                if has_lr && self.frame().next_param.is_none() && self.status_is_clean(declared) {
                    self.report(name_problems::optimizer_without_next(&declared.name));
                }
            }
            CallableKind::Schedule => {
                if let Some(tensor) = self.to_tensor(value, span)
                    && compare_shapes(&tensor.ty.shape, &Vec::new()) == Verdict::Different
                {
                    self.report(problems::not_a_scalar(span, "schedule", &declared.name.value, &tensor.ty));
                }
            }
            CallableKind::Init => {
                if let Value::Callable(callable) = value {
                    let found = self.describe_callable(callable);
                    self.report(problems::not_a_tensor(span, &found).collected_if(callable.is_named()));
                }
            }
            CallableKind::Fn
            | CallableKind::Activation
            | CallableKind::Loss
            | CallableKind::Metric
            | CallableKind::Penalty
            | CallableKind::Layer
            | CallableKind::Model => {}
        }
    }

    /// Whether the text of a declaration says `next param` nowhere, so that its lack is the mistake.
    fn status_is_clean(&self, declared: &'a ast::Callable) -> bool {
        let ast = self.ast();
        match &ast[declared.body].kind {
            ExprKind::Block(statements) => !statements.iter().any(|statement| {
                matches!(&statement.kind, ast::StmtKind::Next { name, .. } if name.value == "param")
                    || matches!(statement.kind, ast::StmtKind::Error)
            }),
            ExprKind::Error => false,
            _ => true,
        }
    }

    /// All declarations, those named by others first, as far as names alone tell.
    fn callees_first(&self) -> Vec<DeclId> {
        let declarations = &self.globals.declarations;
        let mut by_name: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut by_unit: Vec<Vec<(Span, u32)>> = vec![Vec::new(); self.program.units.len()];
        for (at, declaration) in declarations.iter().enumerate() {
            by_name.entry(&declaration.name.value).or_default().push(at as u32);
            by_unit[declaration.unit].push((declaration.item.span, at as u32));
        }
        let mut named: Vec<Vec<u32>> = vec![Vec::new(); declarations.len()];
        for (unit, spans) in self.program.units.iter().zip(&by_unit) {
            for expr in &unit.ast.exprs {
                let ExprKind::Name(name) = &expr.kind else { continue };
                let Some(targets) = by_name.get(name.as_str()) else { continue };
                let after = spans.partition_point(|(span, _)| span.start <= expr.span.start);
                let Some((span, from)) = after.checked_sub(1).map(|at| spans[at]) else { continue };
                if expr.span.end <= span.end {
                    // The prelude knows nothing of the program.
                    let seen = |target: &&u32| {
                        !unit.prelude || self.program.units[declarations[**target as usize].unit].prelude
                    };
                    named[from as usize].extend(targets.iter().filter(seen));
                }
            }
        }
        let mut order = Vec::with_capacity(declarations.len());
        let mut seen = vec![false; declarations.len()];
        for first in 0..declarations.len() {
            if seen[first] {
                continue;
            }
            seen[first] = true;
            let mut stack = vec![(first, 0)];
            while let Some((at, next)) = stack.last_mut() {
                match named[*at].get(*next) {
                    Some(&target) => {
                        *next += 1;
                        if !std::mem::replace(&mut seen[target as usize], true) {
                            stack.push((target as usize, 0));
                        }
                    }
                    None => {
                        order.push(DeclId(*at as u32));
                        stack.pop();
                    }
                }
            }
        }
        order
    }

    /// Reports declarations that lead back to themselves: one problem for each ring.
    fn report_cycles(&mut self) {
        let count = self.globals.declarations.len();
        let mut edges: Vec<Vec<(usize, Span)>> = vec![Vec::new(); count];
        for (from, to, span) in &self.references {
            edges[from.0 as usize].push((to.0 as usize, *span));
        }
        let directions = self.directions();
        // 0: not seen, 1: on the path, 2: done.
        let mut state = vec![0u8; count];
        for first in 0..count {
            if state[first] != 0 {
                continue;
            }
            state[first] = 1;
            let mut path = vec![(first, 0)];
            while let Some((at, next)) = path.last_mut() {
                let Some(&(target, span)) = edges[*at].get(*next) else {
                    state[*at] = 2;
                    path.pop();
                    continue;
                };
                *next += 1;
                match state[target] {
                    0 => {
                        state[target] = 1;
                        path.push((target, 0));
                    }
                    1 => {
                        let ring = path.iter().map(|(at, _)| *at).skip_while(|&at| at != target);
                        let ring: Vec<usize> = ring.collect();
                        let fresh = ring.iter().any(|&at| self.globals.get(DeclId(at as u32)).callable().is_some());
                        for &at in &ring {
                            self.status[at] = Status::Failed;
                        }
                        if fresh {
                            let named: Vec<(&str, Span)> = ring
                                .iter()
                                .map(|&at| self.globals.get(DeclId(at as u32)).name)
                                .map(|name| (name.value.as_str(), name.span))
                                .collect();
                            let ring_edges: Vec<(usize, usize, Span)> = (0..ring.len())
                                .map(|at| (ring[at], ring[(at + 1) % ring.len()]))
                                .map(|(from, to)| {
                                    let place = edges[from].iter().find(|(target, _)| *target == to);
                                    (from, to, place.map_or(span, |(_, place)| *place))
                                })
                                .collect();
                            let span = self.odd_one(&ring_edges, &directions).unwrap_or(span);
                            self.force_report(name_problems::cycle(span, &named));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// How many uses within each file lead to what is declared further down, and how many to what is above.
    fn directions(&self) -> HashMap<usize, (usize, usize)> {
        let unit = |id: &DeclId| self.globals.get(*id).unit;
        let mut directions: HashMap<usize, (usize, usize)> = HashMap::new();
        for (from, to, _) in self.references.iter().filter(|(from, to, _)| unit(from) == unit(to) && from != to) {
            let (downwards, upwards) = directions.entry(unit(from)).or_default();
            *(if to.0 > from.0 { downwards } else { upwards }) += 1;
        }
        directions
    }

    /// The use of a ring that leads the other way than most uses of its file: to what is declared further down, where most name
    /// what is declared above, or the other way round.
    fn odd_one(&self, ring: &[(usize, usize, Span)], directions: &HashMap<usize, (usize, usize)>) -> Option<Span> {
        let file = self.globals.declarations[ring.first()?.0].unit;
        let (downwards, upwards) = directions.get(&file).copied().unwrap_or_default();
        let odd = downwards < upwards;
        let mut leads = ring.iter().filter(|(from, to, _)| (to > from) == odd && from != to);
        leads.next().map(|(.., span)| *span).filter(|_| downwards != upwards)
    }
}

/// A list of so many whole numbers that are known by their places: `size[0]`.
fn numbers_of(name: &str, count: usize, span: Span) -> Value {
    let item = |at: usize| ListItem { name: None, value: Value::Int(Dim::name(&format!("{name}[{at}]"))), span };
    Value::List(Rc::new((0..count).map(item).collect()))
}
