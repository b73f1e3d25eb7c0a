//! `train` declarations and the models they train, with numbers.

use super::hir::{self, Binding, Body, EarlyStop, Hir, HirOp, Metric, Optimizer, Run};
use super::infer::{HookedCall, Hooks, Walker, Want};
use super::models::{FieldType, Instance, ModelUse};
use super::names::{DeclId, Declared, Group};
use super::types::{Argument, Callable, Element, Type, Value};
use crate::diagnostics::{Diagnostic, names as name_problems, nearest, shapes as shape_problems, training as problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    Argument as AstArgument, Ast, CallableKind, ExprId, ExprKind, Field, Item, Output, TrainItem,
};
use std::rc::Rc;

/// What a run is told.
const FIELDS: [&str; 13] = [
    "loss",
    "optimizer",
    "schedule",
    "penalty",
    "clip",
    "epochs",
    "batch",
    "seed",
    "metrics",
    "stop",
    "restart",
    "start",
    "prune",
];

/// The fields that a run has to have.
const REQUIRED: [&str; 2] = ["loss", "optimizer"];

const DEFAULT_EPOCHS: usize = 10;
const DEFAULT_BATCH: usize = 32;

/// Every model with the defaults where these exist, and every run.
pub(super) fn models_and_runs(walker: &mut Walker<'_>, hir: &mut Hir) {
    let mut known: Vec<Instance> = Vec::new();
    for at in 0..walker.globals.declarations.len() {
        let declaration = walker.globals.declarations[at];
        let Declared::Callable(callable) = declaration.what else { continue };
        let without = callable.config.iter().flatten().any(|parameter| parameter.default.is_none());
        if declaration.unit != walker.globals.main || callable.kind != CallableKind::Model || without || walker.halted {
            continue;
        }
        let id = DeclId(at as u32);
        walker.start_block(declaration.unit);
        let Some(config) = walker.default_config(id, declaration.name.span) else { continue };
        let data = Spanned::new(String::new(), declaration.name.span);
        let asked = ModelUse { id, config, written: String::new(), span: declaration.name.span, fields: None, data };
        walker.instantiate(hir, &mut known, &asked);
    }
    for (item, train) in walker.globals.trains.clone() {
        if walker.halted {
            break;
        }
        Trainer { walker, hir, known: &mut known, item, train }.check();
    }
    only(walker, hir);
}

/// `--only NAME`.
fn only(walker: &mut Walker<'_>, hir: &mut Hir) {
    let Some(only) = walker.options.only.clone() else { return };
    let names: Vec<String> = hir.runs.iter().map(|run| run.name.clone()).collect();
    if !names.contains(&only) && !walker.diagnostics.has_errors() {
        let near = nearest(&only, names.iter().map(String::as_str)).map(str::to_owned);
        walker.force_report(problems::unknown_run(&only, near.as_deref(), &names));
    }
    hir.runs.retain(|run| run.name == only);
}

struct Trainer<'w, 'a, 'h> {
    walker: &'w mut Walker<'a>,
    hir: &'h mut Hir,
    known: &'h mut Vec<Instance>,
    item: &'a Item,
    train: &'a TrainItem,
}

/// The names of a run's expressions: the model's outputs, then the data's fields.
struct RunScope {
    outputs: Vec<(Spanned<String>, Option<Type>)>,
    fields: Vec<FieldType>,
    /// Whether the data could not be understood or the outputs have no names, so that any name may be one of them.
    open: bool,
    /// The name of the data.
    data: String,
}

impl<'a> Hooks<'a> for RunScope {
    fn name(&self, walker: &mut Walker<'a>, name: &str, span: Span, want: &Want) -> Option<Value> {
        // Behind `optimizer =` and the like stands a declaration, not a field that has its name.
        if let Want::Kind(CallableKind::Optimizer | CallableKind::Schedule | CallableKind::Penalty) = want {
            return None;
        }
        if let Some((output, ty)) = self.outputs.iter().find(|(output, _)| output.value == name) {
            return Some(match ty {
                Some(ty) => walker.body_input(name, ty.clone(), Binding::ModelOutput, span).placed_at(output.span),
                None => Value::Unknown,
            });
        }
        if let Some(field) = self.fields.iter().find(|field| field.name.value == name) {
            let value = walker.body_input(name, field.ty.clone(), Binding::Field, span);
            return Some(value.placed_at(field.name.span));
        }
        let unit = walker.globals.main;
        let declared = walker.globals.find(unit, name, Group::Metric, None).is_some();
        let known = declared || super::primitives::find(name).is_some();
        let doubtful = walker.doubtful_fields.contains(&(self.data.clone(), name.to_owned()));
        (doubtful || self.open && !known).then_some(Value::Unknown)
    }

    fn call(&self, _: &mut Walker<'a>, _: &HookedCall<'a>, _: &Want) -> Option<Value> {
        None
    }

    fn names(&self) -> Vec<String> {
        let outputs = self.outputs.iter().map(|(name, _)| name.value.clone());
        outputs.chain(self.fields.iter().map(|field| field.name.value.clone())).collect()
    }
}

/// What all models of a `train` have in common.
struct Settings<'a> {
    loss: Option<&'a Field>,
    metrics: Option<&'a Field>,
    penalty: Option<&'a Field>,
    optimizer: Option<Optimizer>,
    schedule: Option<Body>,
    clip: Option<f64>,
    epochs: usize,
    batch: usize,
    seed: u64,
    stop: Option<EarlyStop>,
}

impl<'a> Trainer<'_, 'a, '_> {
    fn check(&mut self) {
        let unit = self.walker.globals.main;
        self.walker.start_block(unit);
        let before = self.walker.problems;
        let settings = self.settings();
        let data = self.data();
        let fields: Option<Vec<FieldType>> = data.and_then(|data| data).map(|data| {
            let name = &self.hir.data[data].name.value;
            let sound = |field: &&hir::DataField| {
                !self.walker.doubtful_fields.contains(&(name.clone(), field.name.value.clone()))
            };
            let fields = self.hir.data[data].fields.iter().filter(sound);
            fields.map(|field| FieldType { name: field.name.clone(), ty: Type::of(&field.ty) }).collect()
        });
        for &model in &self.train.models {
            let Some((id, config, written, span)) = self.model(model) else { continue };
            let data_name = self.train.data.clone();
            let asked = ModelUse { id, config, written, span, fields: fields.as_deref(), data: data_name };
            let Some(instance) = self.walker.instantiate(self.hir, self.known, &asked) else { continue };
            let matched = self.walker.match_fields(&instance, &asked);
            let run = self.run(&settings, &instance, fields.as_deref(), id);
            let sound = matched && self.walker.problems == before;
            let complete = run.is_some() && instance.index.is_some() && data.flatten().is_some();
            let readable = self.ast().repaired.is_empty();
            if !complete && readable && !self.walker.diagnostics.has_errors() {
                let name = self.walker.globals.get(id).name.value.clone();
                self.walker.force_report(shape_problems::undetermined(span, &name));
            }
            if let (true, Some(mut run), Some(index), Some(Some(data))) = (sound, run, instance.index, data) {
                run.model = index;
                run.data = data;
                run.name = self.unique_name(id);
                self.hir.runs.push(run);
            }
        }
    }

    /// The tree of the `train` declaration.
    fn ast(&self) -> &'a Ast {
        &self.walker.program.units[self.walker.globals.main].ast
    }

    fn unique_name(&self, id: DeclId) -> String {
        let model = &self.walker.globals.get(id).name.value;
        let name = self.train.alias.as_ref().map_or(model, |alias| &alias.value);
        let taken = |name: &str| self.hir.runs.iter().any(|run| run.name == name);
        let mut unique = name.clone();
        let mut number = 1;
        while taken(&unique) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    }

    /// The data: `None` where there is none of that name, `Some(None)` where it could not be understood.
    fn data(&mut self) -> Option<Option<usize>> {
        let name = &self.train.data;
        let unit = self.walker.globals.main;
        match self.walker.globals.find(unit, &name.value, Group::Data, None) {
            Some(id) => {
                let place = self.walker.globals.get(id).name.span;
                Some(self.hir.data.iter().position(|data| data.name.span == place))
            }
            None => {
                let whole = Span { start: 0, end: u32::MAX, ..self.item.span };
                if self.walker.broken_within(&name.value, whole).next().is_none() {
                    let known = self.walker.globals.visible(unit, &[Group::Data]);
                    let near = nearest(&name.value, known.iter().copied());
                    self.walker.force_report(problems::unknown_data(name, near, &known));
                }
                None
            }
        }
    }

    /// A model of the list, with its configuration as a value and as written.
    fn model(&mut self, expr: ExprId) -> Option<(DeclId, super::types::Config, String, Span)> {
        let unit = self.walker.globals.main;
        self.walker.start_block(unit);
        let ast = self.ast();
        let span = ast[expr].span;
        let value = self.walker.eval(expr, &Want::Kind(CallableKind::Model));
        let callable = match &value {
            Value::Unknown => return None,
            Value::Callable(callable) => callable.clone(),
            other => {
                let found = self.walker.describe(other);
                self.walker.force_report(name_problems::wrong_kind(span, &found, "a model"));
                return None;
            }
        };
        let Callable::Declared(id, config) = &callable else {
            let found = self.walker.describe_callable(&callable);
            self.walker
                .force_report(name_problems::wrong_kind(span, &found, "a model").collected_if(callable.is_named()));
            return None;
        };
        let kind = self.walker.globals.get(*id).callable().map(|callable| callable.kind);
        if kind != Some(CallableKind::Model) {
            let found = self.walker.describe_callable(&callable);
            self.walker
                .force_report(name_problems::wrong_kind(span, &found, "a model").collected_if(callable.is_named()));
            return None;
        }
        let written = match &ast[expr].kind {
            ExprKind::Call { callee, .. } => {
                let behind = Span { start: ast[*callee].span.end, ..span };
                self.walker.written(behind).split_whitespace().collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        };
        let config = match config {
            Some(config) => config.clone(),
            None => self.walker.default_config(*id, span)?,
        };
        Some((*id, config, written, span))
    }

    /// The fields that do not depend on the model.
    fn settings(&mut self) -> Settings<'a> {
        let mut settings = Settings {
            loss: None,
            metrics: None,
            penalty: None,
            optimizer: None,
            schedule: None,
            clip: None,
            epochs: DEFAULT_EPOCHS,
            batch: DEFAULT_BATCH,
            seed: 0,
            stop: None,
        };
        let mut seen: Vec<&'a Field> = Vec::new();
        let given = |name: &str| self.train.fields.iter().filter(|field| field.name.value == name).count();
        let broken = |name: &str| self.walker.broken_within(name, self.item.span).next().is_some();
        let missing: Vec<&str> = REQUIRED.into_iter().filter(|needed| given(needed) == 0 && !broken(needed)).collect();
        // One of two that are the same may be meant to be the one that is missing; a number is neither loss nor optimizer.
        let ast = self.ast();
        let is_number = |field: &Field| matches!(ast[field.value].kind, ExprKind::Number { .. });
        let is_misnamed = |name: &str| {
            let same = || self.train.fields.iter().filter(|field| field.name.value == name);
            missing.len() == 1 && same().count() > 1 && !same().all(is_number)
        };
        let misnamed = self.train.fields.iter().any(|field| is_misnamed(&field.name.value));
        for field in &self.train.fields {
            let name = field.name.value.as_str();
            if let Some(first) = seen.iter().find(|first| first.name.value == name) {
                let missing = missing.first().copied().filter(|_| is_misnamed(name));
                self.walker.force_report(name_problems::field_twice(&field.name, first.name.span, missing));
                continue;
            }
            seen.push(field);
            if is_misnamed(name) {
                // Which of both is the wrong one, nobody knows.
                continue;
            }
            if let Some(ty) = &field.ty {
                self.walker.force_report(problems::field_with_type(ty.span, name));
            }
            if self.is_any(field.value) {
                let span = self.ast()[field.value].span;
                self.walker.force_report(problems::not_supported("`any(…)`", span));
                continue;
            }
            match name {
                "loss" => settings.loss = Some(field),
                "metrics" => settings.metrics = Some(field),
                "penalty" => settings.penalty = Some(field),
                "optimizer" => settings.optimizer = self.optimizer(field.value),
                "schedule" => settings.schedule = self.schedule(field.value),
                "clip" => settings.clip = self.number(field, 0.0, f64::INFINITY, false),
                "epochs" => settings.epochs = self.whole(field, 1, 1 << 30).map_or(DEFAULT_EPOCHS, |n| n as usize),
                "batch" => settings.batch = self.whole(field, 1, 1 << 24).map_or(DEFAULT_BATCH, |n| n as usize),
                "seed" => settings.seed = self.whole(field, 0, i64::MAX).map_or(0, |n| n as u64),
                "stop" => settings.stop = self.stop(field.value),
                "restart" => self.later(field.value, "on_divergence", &["tries"]),
                "start" => self.later(field.value, "best_of", &["count", "part"]),
                "prune" => self.later(field.value, "connections", &["sparsity", "from", "every"]),
                _ if name == "balance" || name == "split" || name == "source" => {
                    self.walker.force_report(problems::field_of_data(&field.name));
                }
                _ => {
                    let near = nearest(name, FIELDS.into_iter());
                    self.walker.force_report(problems::unknown_field(&field.name, near, &FIELDS));
                }
            }
        }
        for needed in missing.into_iter().filter(|_| !misnamed) {
            let head = Span { end: self.item.span.start + "train".len() as u32, ..self.item.span };
            self.walker.force_report(problems::missing_field(head, needed));
        }
        settings
    }

    fn is_any(&self, expr: ExprId) -> bool {
        let ast = self.ast();
        let ExprKind::Call { callee, .. } = &ast[expr].kind else { return false };
        matches!(&ast[*callee].kind, ExprKind::Name(name) if name == "any")
    }

    fn number(&mut self, field: &'a Field, above: f64, most: f64, inclusive: bool) -> Option<f64> {
        self.restart_block();
        let number = self.walker.number_field(field.value)?;
        let low_enough = if inclusive { number >= above } else { number > above };
        if !low_enough || number > most || !number.is_finite() {
            let span = self.ast()[field.value].span;
            let least = if inclusive { format!("at least {above}") } else { format!("more than {above}") };
            self.walker.force_report(problems::setting_out_of_range(span, &field.name.value, &least, number));
            return None;
        }
        Some(number)
    }

    fn whole(&mut self, field: &'a Field, least: i64, most: i64) -> Option<i64> {
        self.restart_block();
        let number = self.walker.eval_int(field.value)?.known()?;
        if !(least..=most).contains(&number) {
            let span = self.ast()[field.value].span;
            let bounds = if number < least { format!("at least {least}") } else { format!("at most {most}") };
            self.walker.force_report(problems::setting_out_of_range(span, &field.name.value, &bounds, number as f64));
            return None;
        }
        Some(number)
    }

    fn restart_block(&mut self) {
        let unit = self.walker.globals.main;
        self.walker.start_block(unit);
        self.walker.open_body();
    }

    /// `early(patience = 5, min_delta = 0)`.
    fn stop(&mut self, expr: ExprId) -> Option<EarlyStop> {
        let values = self.plain_call(expr, "early", &["patience", "min_delta"])?;
        let span = self.ast()[expr].span;
        let patience = match values[0] {
            Some(patience) if patience >= 1.0 && patience.fract() == 0.0 && patience < 1e9 => patience as usize,
            Some(patience) => {
                self.walker.force_report(problems::setting_out_of_range(
                    span,
                    "patience",
                    "a whole number of at least 1",
                    patience,
                ));
                return None;
            }
            None => 5,
        };
        let min_delta = values[1].unwrap_or(0.0);
        if !(0.0..=f64::MAX).contains(&min_delta) {
            self.walker.force_report(problems::setting_out_of_range(span, "min_delta", "at least 0", min_delta));
            return None;
        }
        Some(EarlyStop { patience, min_delta })
    }

    /// A field that is understood and has no code yet.
    fn later(&mut self, expr: ExprId, name: &str, parameters: &[&str]) {
        let span = self.ast()[expr].span;
        if self.plain_call(expr, name, parameters).is_some() {
            self.walker.force_report(problems::not_supported(format!("`{name}(…)`"), span));
        }
    }

    /// The numbers that a call of one of the run's own words gives, in the order of its parameters.
    fn plain_call(&mut self, expr: ExprId, name: &str, parameters: &[&str]) -> Option<Vec<Option<f64>>> {
        self.restart_block();
        let ast = self.ast();
        let span = ast[expr].span;
        let none: &'a [AstArgument] = &[];
        let (callee, arguments) = match &ast[expr].kind {
            ExprKind::Call { callee, arguments } => (*callee, arguments.as_slice()),
            ExprKind::Name(_) => (expr, none),
            ExprKind::Error => return None,
            _ => {
                self.walker.force_report(problems::word_wanted(span, name, parameters));
                return None;
            }
        };
        if !matches!(&ast[callee].kind, ExprKind::Name(found) if found == name) {
            self.walker.force_report(problems::word_wanted(ast[callee].span, name, parameters));
            return None;
        }
        let mut values = vec![None; parameters.len()];
        let mut sound = true;
        let mut position = 0;
        for argument in arguments {
            let place = match &argument.name {
                Some(given) => parameters.iter().position(|parameter| *parameter == given.value),
                None => {
                    position += 1;
                    (position <= parameters.len()).then_some(position - 1)
                }
            };
            match (place, &argument.name) {
                (Some(place), _) => match self.walker.number_field(argument.value) {
                    Some(number) => values[place] = Some(number),
                    None => sound = false,
                },
                (None, Some(given)) => {
                    let known: Vec<String> = parameters.iter().map(|name| (*name).to_owned()).collect();
                    let near = nearest(&given.value, parameters.iter().copied());
                    self.walker.force_report(name_problems::unknown_argument(given, name, &known, near, false));
                    sound = false;
                }
                (None, None) => {
                    let at = ast[argument.value].span;
                    self.walker.force_report(name_problems::too_many_arguments(at, name, parameters.len()));
                    sound = false;
                }
            }
        }
        sound.then_some(values)
    }

    /// A declaration of a kind with configuration only or a penalty, with its configuration.
    fn declared(&mut self, expr: ExprId, kind: CallableKind, phrase: &str) -> Option<(DeclId, super::types::Config)> {
        let span = self.ast()[expr].span;
        let value = self.walker.eval(expr, &Want::Kind(kind));
        let callable = match value {
            Value::Unknown => return None,
            Value::Callable(callable) => callable,
            other => {
                let found = self.walker.describe(&other);
                let mut problem = name_problems::wrong_kind(span, &found, phrase);
                if let Value::Text(text) = &other
                    && let Some((name, exact)) = self.walker.unquoted(text, kind)
                {
                    problem = name_problems::without_quotes(problem, span, &name, exact);
                }
                self.walker.force_report(problem);
                return None;
            }
        };
        let Callable::Declared(id, config) = &callable else {
            let found = self.walker.describe_callable(&callable);
            self.walker.force_report(name_problems::wrong_kind(span, &found, phrase).collected_if(callable.is_named()));
            return None;
        };
        if self.walker.globals.get(*id).callable().map(|callable| callable.kind) != Some(kind) {
            let found = self.walker.describe_callable(&callable);
            self.walker.force_report(name_problems::wrong_kind(span, &found, phrase).collected_if(callable.is_named()));
            return None;
        }
        let config = match config {
            Some(config) => config.clone(),
            None => self.walker.default_config(*id, span)?,
        };
        Some((*id, config))
    }

    fn optimizer(&mut self, expr: ExprId) -> Option<Optimizer> {
        self.restart_block();
        let span = self.ast()[expr].span;
        let (id, config) = self.declared(expr, CallableKind::Optimizer, "an optimizer")?;
        let declaration = *self.walker.globals.get(id);
        let callable = declaration.callable()?;
        let at = callable.config.iter().flatten().position(|parameter| parameter.name.value == "lr")?;
        let lr = match config.get(at).and_then(Value::number) {
            Some(lr) if lr > 0.0 && lr.is_finite() => lr,
            Some(lr) => {
                self.walker.force_report(problems::setting_out_of_range(span, "lr", "more than 0", lr));
                return None;
            }
            None => return None,
        };
        let name = self.walker.written(span).split_whitespace().collect::<Vec<_>>().join(" ");
        let body = self.walker.rule_body(id, &config, CallableKind::Optimizer, span)?;
        Some(Optimizer { name, lr, body })
    }

    fn schedule(&mut self, expr: ExprId) -> Option<Body> {
        self.restart_block();
        let span = self.ast()[expr].span;
        let (id, config) = self.declared(expr, CallableKind::Schedule, "a schedule")?;
        self.walker.rule_body(id, &config, CallableKind::Schedule, span)
    }

    /// The run of one model: what depends on its outputs and parameters.
    fn run(
        &mut self,
        settings: &Settings<'a>,
        instance: &Instance,
        fields: Option<&[FieldType]>,
        id: DeclId,
    ) -> Option<Run> {
        let model = self.walker.globals.get(id).callable();
        let named = model.is_some_and(|model| matches!(model.output, Some(Output::Named { .. })));
        let scope: Rc<RunScope> = Rc::new(RunScope {
            outputs: instance.outputs.clone(),
            fields: fields.unwrap_or_default().to_vec(),
            open: fields.is_none() || !named || self.walker.open_data.contains(&self.train.data.value),
            data: self.train.data.value.clone(),
        });
        let unit = self.walker.globals.main;
        self.walker.start_block(unit);
        let loss = settings.loss.map(|field| self.loss(field.value, &scope));
        let metrics = settings.metrics.map(|field| self.metrics(field.value, &scope));
        let penalties = match (settings.penalty, instance.index) {
            (Some(field), Some(index)) => self.penalties(field.value, index, id),
            (Some(field), None) => {
                self.penalty_list(field.value);
                None
            }
            (None, _) => Some(Vec::new()),
        };
        Some(Run {
            name: String::new(),
            model: 0,
            data: 0,
            loss: loss??,
            metrics: metrics.unwrap_or_default(),
            optimizer: settings.optimizer.clone()?,
            schedule: settings.schedule.clone(),
            penalties: penalties?,
            clip: settings.clip,
            epochs: settings.epochs,
            batch: settings.batch,
            seed: settings.seed,
            stop: settings.stop,
            span: self.item.span,
        })
    }

    fn loss(&mut self, expr: ExprId, scope: &Rc<RunScope>) -> Option<Body> {
        let span = self.ast()[expr].span;
        self.walker.hooks = Some(scope.clone());
        self.walker.open_body();
        let value = self.walker.eval(expr, &Want::Kind(CallableKind::Loss));
        let body = self.scalar_body(value, span, "loss");
        self.walker.hooks = None;
        body
    }

    /// Ends a body whose value must be a scalar.
    fn scalar_body(&mut self, value: Value, span: Span, what: &str) -> Option<Body> {
        let tensor = match &value {
            Value::Callable(callable) => {
                let found = self.walker.describe_callable(callable);
                self.walker.force_report(problems::not_applied(span, what, &found));
                None
            }
            Value::Text(text) => {
                self.walker.force_report(problems::not_applied(span, what, &format!("the text {text:?}")));
                None
            }
            value => self.walker.to_tensor(value, span),
        };
        let sound = match &tensor {
            Some(tensor) if tensor.ty.shape.is_empty() && !matches!(tensor.ty.element, Element::Class { .. }) => {
                let numbers = self.walker.numbers(tensor, span, what);
                if let Some(numbers) = &numbers {
                    self.walker.set_output("value", numbers, span);
                }
                numbers.is_some()
            }
            Some(tensor) => {
                let ty = tensor.ty.clone();
                self.walker.report(shape_problems::not_a_scalar(span, what, &self.walker.written(span), &ty));
                false
            }
            None => false,
        };
        let body = self.walker.close_body();
        sound.then_some(body)
    }

    fn metrics(&mut self, expr: ExprId, scope: &Rc<RunScope>) -> Vec<Metric> {
        let ast = self.ast();
        let mut listed: Vec<(Option<String>, ExprId)> = Vec::new();
        match &ast[expr].kind {
            ExprKind::List(items) => {
                listed.extend(items.iter().map(|item| (item.name.as_ref().map(|name| name.value.clone()), item.value)));
            }
            _ => listed.push((None, expr)),
        }
        let mut metrics: Vec<Metric> = Vec::new();
        for (given, expr) in listed {
            let span = ast[expr].span;
            self.walker.hooks = Some(scope.clone());
            self.walker.in_metric = true;
            self.walker.open_body();
            let value = self.walker.eval(expr, &Want::Kind(CallableKind::Metric));
            let body = self.scalar_body(value, span, "metric");
            self.walker.hooks = None;
            self.walker.in_metric = false;
            let Some(body) = body else { continue };
            let name = given.unwrap_or_else(|| self.metric_name(expr));
            let taken = |name: &str| metrics.iter().any(|metric| metric.name == name);
            let mut unique = name.clone();
            let mut number = 1;
            while taken(&unique) {
                number += 1;
                unique = format!("{name}_{number}");
            }
            match averaged(body, span) {
                Ok(body) => metrics.push(Metric { name: unique, body }),
                Err(problem) => self.walker.force_report(problem),
            }
        }
        metrics
    }

    /// The name of the outermost call.
    fn metric_name(&self, expr: ExprId) -> String {
        let ast = self.ast();
        let mut expr = expr;
        for _ in 0..8 {
            match &ast[expr].kind {
                ExprKind::Call { callee, .. } => expr = *callee,
                ExprKind::Paren(inner) => expr = *inner,
                ExprKind::Name(name) => return name.clone(),
                _ => break,
            }
        }
        "metric".to_owned()
    }

    /// The expressions of `penalty = …` with their patterns.
    fn penalty_list(&mut self, expr: ExprId) -> Vec<PenaltyUse> {
        let ast = self.ast();
        let listed: Vec<ExprId> = match &ast[expr].kind {
            ExprKind::List(items) => items.iter().map(|item| item.value).collect(),
            _ => vec![expr],
        };
        let mut found = Vec::new();
        for expr in listed {
            let (inner, patterns) = match &ast[expr].kind {
                ExprKind::On(inner, pattern) => match self.patterns(*pattern) {
                    Some(patterns) => (*inner, Some(patterns)),
                    None => continue,
                },
                _ => (expr, None),
            };
            self.restart_block();
            if let Some((id, config)) = self.declared(inner, CallableKind::Penalty, "a penalty") {
                found.push(PenaltyUse { id, config, patterns, span: ast[expr].span });
            }
        }
        found
    }

    fn patterns(&mut self, expr: ExprId) -> Option<Vec<Spanned<String>>> {
        let ast = self.ast();
        let listed: Vec<ExprId> = match &ast[expr].kind {
            ExprKind::List(items) => items.iter().map(|item| item.value).collect(),
            _ => vec![expr],
        };
        let mut patterns = Vec::new();
        for expr in listed {
            match &ast[expr].kind {
                ExprKind::String(text) => patterns.push(Spanned::new(text.clone(), ast[expr].span)),
                ExprKind::Error => return None,
                _ => {
                    self.walker.force_report(problems::pattern_wanted(ast[expr].span));
                    return None;
                }
            }
        }
        Some(patterns)
    }

    fn penalties(&mut self, expr: ExprId, model: usize, id: DeclId) -> Option<Vec<(usize, Body)>> {
        let before = self.walker.problems;
        let uses = self.penalty_list(expr);
        let params: Vec<(String, Vec<usize>)> =
            self.hir.models[model].body.params.iter().map(|param| (param.path.clone(), param.shape.clone())).collect();
        let mut penalties = Vec::new();
        for penalty in uses {
            for pattern in penalty.patterns.iter().flatten() {
                if !params.iter().any(|(path, _)| hir::fits_pattern(&pattern.value, path)) {
                    let name = self.walker.globals.get(id).name.value.clone();
                    let paths: Vec<&str> = params.iter().map(|(path, _)| path.as_str()).collect();
                    self.walker.force_report(problems::pattern_without_parameter(pattern, &name, &paths));
                }
            }
            for (index, (path, shape)) in params.iter().enumerate() {
                let falls = match &penalty.patterns {
                    Some(patterns) => patterns.iter().any(|pattern| hir::fits_pattern(&pattern.value, path)),
                    None => shape.len() >= 2,
                };
                if falls && let Some(body) = self.penalty_body(&penalty, shape) {
                    penalties.push((index, body));
                }
            }
        }
        (self.walker.problems == before).then_some(penalties)
    }

    fn penalty_body(&mut self, penalty: &PenaltyUse, shape: &[usize]) -> Option<Body> {
        let unit = self.walker.globals.main;
        self.walker.start_block(unit);
        self.walker.open_body();
        let shape = shape.iter().map(|&extent| super::types::axis(extent as i64)).collect();
        let w = self.walker.body_input("w", Type::number(shape), Binding::Scope, penalty.span);
        let argument = Argument { name: None, value: w, span: penalty.span };
        let config = Some(penalty.config.clone());
        let value = self.walker.apply_declared(penalty.id, config, vec![argument], penalty.span, None);
        self.scalar_body(value, penalty.span, "penalty")
    }
}

struct PenaltyUse {
    id: DeclId,
    config: super::types::Config,
    patterns: Option<Vec<Spanned<String>>>,
    span: Span,
}

impl<'a> Walker<'a> {
    /// The body of an optimizer or a schedule with its configuration; what the kind brings into scope are its inputs.
    fn rule_body(&mut self, id: DeclId, config: &super::types::Config, kind: CallableKind, span: Span) -> Option<Body> {
        let declaration = *self.globals.get(id);
        let declared = declaration.callable()?;
        self.start(declaration.unit, Some(id), Some(kind));
        self.recording = true;
        self.use_site = Some((span, declaration.name.value.clone()));
        self.open_body();
        for (parameter, value) in declared.config.iter().flatten().zip(config.iter()) {
            self.bind(&parameter.name.value, value.clone(), parameter.name.span);
        }
        self.bind_kind_scope(kind, declaration.name.span);
        let before = self.problems;
        let value = self.eval(declared.body, &Want::Any);
        let at = self.value_span(declared.body);
        let (name, value) = match kind {
            CallableKind::Optimizer => ("param", self.frame().next_param.take().unwrap_or(Value::Unknown)),
            _ => ("value", value),
        };
        let tensor = self.to_tensor(&value, at)?;
        let tensor = self.numbers(&tensor, at, name)?;
        self.set_output(name, &tensor, at);
        let body = self.close_body();
        (self.problems == before && tensor.ty.shape.is_empty()).then_some(body)
    }
}

/// A metric whose value is one of each sample stands for its average.
fn averaged(mut body: Body, span: Span) -> Result<Body, Diagnostic> {
    let (mut per_sample, mut averages): (Vec<bool>, Vec<bool>) = Default::default();
    for value in &body.values {
        let any = |of: &[bool]| value.operands.iter().any(|id| of[id.0 as usize]);
        let (sample, average) = (any(&per_sample), any(&averages));
        let is_average = matches!(value.op, HirOp::Avg);
        if is_average && average {
            return Err(problems::average_of_average(value.site));
        }
        per_sample.push(!is_average && (sample || matches!(value.op, HirOp::Input(_))));
        averages.push(is_average || average);
    }
    for (_, output) in &mut body.outputs {
        let at = output.0 as usize;
        if per_sample[at] && averages[at] {
            return Err(problems::average_beside_samples(span));
        }
        if per_sample[at] {
            let ty = body.values[at].ty.clone();
            body.values.push(hir::Value { op: HirOp::Avg, operands: vec![*output], ty, span, site: span });
            *output = hir::ValueId(body.values.len() as u32 - 1);
        }
    }
    Ok(body)
}
