//! What a name stands for: what the body binds, what its place adds, then declarations and primitives.

use super::configure::kind_phrase;
use super::hir::HirOp;
use super::infer::{Frame, Walker, Want};
use super::names::{DeclId, Declared, Group};
use super::primitives::{self, Primitive};
use super::types::{Callable, Type, Value};
use crate::diagnostics::{foreign, names as name_problems, nearest};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, ExprId};
use std::collections::HashMap;
use std::rc::Rc;

/// After so many problems no names are suggested any more.
const MOST_SUGGESTIONS: usize = 200;

impl<'a> Walker<'a> {
    pub(super) fn eval_name(&mut self, name: &'a str, span: Span, want: &Want) -> Value {
        if let Want::Words(words) | Want::WordsOrNumbers(words) = want
            && let Some(word) = words.iter().find(|word| &***word == name)
            && self.local(name).is_none()
        {
            return Value::Word(Some(word.clone()));
        }
        if let Some(local) = self.local(name) {
            return local.value.clone();
        }
        if let Some(hooks) = self.hooks.clone()
            && self.in_hooked_place()
            && let Some(value) = hooks.name(self, name, span, want)
        {
            return value;
        }
        let kind = self.frames.last().and_then(|frame| frame.kind);
        if name == "training" && matches!(kind, Some(CallableKind::Layer | CallableKind::Model)) {
            return self.emit(HirOp::Training, &[], Type::truth(Vec::new()), span);
        }
        // A statement that could not be read would have bound it, in front of any declaration.
        let here = self.frames.last().and_then(|frame| frame.decl).map(|id| self.globals.get(id));
        if here.is_some_and(|here| self.broken_within(name, here.item.span).any(|place| place != here.name.span)) {
            return Value::Unknown;
        }
        if let Some(id) = self.find_global(name, span, want) {
            return self.global_value(id, span);
        }
        if let Some(primitive) = primitives::find(name) {
            return Value::Callable(Callable::Primitive(primitive, Rc::default()));
        }
        if let Some(value) = self.find_any_global(name, span) {
            return value;
        }
        if self.is_broken(name) {
            return Value::Unknown;
        }
        let shipped = |own: &str| crate::prelude::entries().iter().any(|entry| entry.name == own);
        let known = |own: &&str| shipped(own) || primitives::find(own).is_some();
        let translated = foreign::name(name).filter(known).map(str::to_owned);
        let suggestion = translated.clone().or_else(|| self.suggest(name, want));
        let cases = match want {
            Want::Words(words) | Want::WordsOrNumbers(words) => {
                Some(format!("it is {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")))
            }
            Want::Any | Want::Int | Want::Shape | Want::Kind(_) | Want::Type(_) => None,
        };
        let place = cases.filter(|_| suggestion.is_none());
        let place = place.or_else(|| self.place_of_name(name, kind));
        let elsewhere = || foreign::name_elsewhere(name).filter(|_| suggestion.is_none()).map(str::to_owned);
        let place = place.or_else(elsewhere).or_else(|| self.names_of_place(suggestion.is_some()));
        let problem = match translated {
            Some(own) => name_problems::name_elsewhere(span, name, &own),
            None => name_problems::unknown_name(span, name, suggestion.as_deref(), &place),
        };
        self.report(problem);
        Value::Unknown
    }

    /// Names that exist elsewhere get a word on where.
    fn place_of_name(&self, name: &str, kind: Option<CallableKind>) -> Option<String> {
        let place = match name {
            "training" => "a `layer` or a `model`",
            "fan_in" | "fan_out" | "shape" => "an `init`",
            "grad" | "lr" | "param" => "an `optimizer`",
            "epoch" | "progress" | "epochs" | "steps_per_epoch" | "val_loss" | "stalled" => "a `schedule`",
            "step" => "an `optimizer` or a `schedule`",
            _ => return None,
        };
        kind.map(|kind| format!("`{name}` is known in {place} only, this is {}", kind_phrase(kind)))
    }

    /// What a block of fields adds to the language, in words, where no name of it is near to what was meant.
    fn names_of_place(&self, suggested: bool) -> Option<String> {
        let hooks = self.hooks.as_ref().filter(|_| self.in_hooked_place() && !suggested)?;
        let mut names: Vec<String> = Vec::new();
        for name in hooks.names() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.as_slice() {
            [] => None,
            [only] => Some(format!("there is `{only}`")),
            names if names.len() > 10 => None,
            names => Some(format!("there are {}", names.join(", "))),
        }
    }

    /// Whether the body at hand is that of the place the hooks belong to, not of a declaration called there.
    pub(super) fn in_hooked_place(&self) -> bool {
        self.frames.last().is_none_or(|frame| frame.decl.is_none())
    }

    /// The group of declarations that a place asks for.
    fn group(&self, want: &Want) -> Group {
        if let Want::Kind(kind) = want {
            return Group::of(*kind);
        }
        match self.frames.last().and_then(|frame| frame.kind) {
            Some(kind @ (CallableKind::Loss | CallableKind::Metric | CallableKind::Init)) => Group::of(kind),
            Some(_) | None => Group::Value,
        }
    }

    fn find_global(&mut self, name: &str, span: Span, want: &Want) -> Option<DeclId> {
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        let present = self.frames.last().and_then(|frame| frame.decl);
        let id = self.globals.find(unit, name, self.group(want), present)?;
        self.note_reference(id, span);
        Some(id)
    }

    fn find_any_global(&mut self, name: &str, span: Span) -> Option<Value> {
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        let id = self.globals.find_any(unit, name)?;
        self.note_reference(id, span);
        Some(self.global_value(id, span))
    }

    fn note_reference(&mut self, id: DeclId, span: Span) {
        if let [Frame { decl: Some(from), .. }] = self.frames.as_slice()
            && !self.recording
        {
            self.references.push((*from, id, span));
        }
    }

    /// The value of a declaration's name.
    pub(super) fn global_value(&mut self, id: DeclId, span: Span) -> Value {
        let declaration = *self.globals.get(id);
        match declaration.what {
            Declared::Const(value) => self.constant_value(id, value, span),
            Declared::Callable(_) => Value::Callable(Callable::Declared(id, None)),
            Declared::Data(_) => {
                self.report(name_problems::data_is_no_value(span, &declaration.name.value, declaration.name.span));
                Value::Unknown
            }
        }
    }

    fn constant_value(&mut self, id: DeclId, value: ExprId, span: Span) -> Value {
        let declaration = *self.globals.get(id);
        match self.constants.get(&id) {
            Some(Some(known)) => return known.clone(),
            Some(None) => {
                self.force_report(name_problems::cycle(span, &[(&declaration.name.value, declaration.name.span)]));
                return Value::Unknown;
            }
            None => {}
        }
        let given = self.options.overrides.iter().rev().find(|(name, _)| *name == declaration.name.value);
        let in_prelude = self.program.units[declaration.unit].prelude;
        let known = match given.filter(|_| !in_prelude) {
            Some((name, text)) => match parse_override(text) {
                Some(value) => value,
                None => {
                    self.force_report(name_problems::override_not_a_number(name, text, declaration.name.span));
                    Value::Unknown
                }
            },
            None => {
                self.constants.insert(id, None);
                let unit = declaration.unit;
                let hooks = self.hooks.take();
                let (frames, site) = (std::mem::take(&mut self.frames), self.use_site.take());
                self.frames.push(Frame { unit, scopes: vec![HashMap::new()], entered: true, ..Frame::default() });
                self.open_body();
                let known = self.eval(value, &Want::Any);
                self.close_body();
                self.frames = frames;
                self.use_site = site;
                self.hooks = hooks;
                if known.is_run_time() || matches!(known, Value::Callable(_) | Value::Tuple(_)) {
                    let at = self.program.units[unit].ast[value].span;
                    self.force_report(name_problems::constant_not_known(at, &declaration.name.value));
                    Value::Unknown
                } else {
                    known
                }
            }
        };
        self.constants.insert(id, Some(known.clone()));
        known
    }

    /// The declaration of a kind that a text in quotes names, and whether by its exact name.
    pub(super) fn unquoted(&self, text: &str, kind: CallableKind) -> Option<(String, bool)> {
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        let declared = self.globals.visible(unit, &[Group::of(kind)]);
        let inits = primitives::names().filter(|name| primitives::find(name).is_some_and(Primitive::is_init));
        let mut known: Vec<&str> = if kind == CallableKind::Init { inits.collect() } else { Vec::new() };
        for name in declared {
            known.push(name);
        }
        match known.contains(&text) {
            true => Some((text.to_owned(), true)),
            false => nearest(text, known.into_iter()).map(|near| (near.to_owned(), false)),
        }
    }

    /// The name nearest to one that is not known.
    pub(super) fn suggest(&self, name: &str, want: &Want) -> Option<String> {
        // A file in which nothing is known is no file of typing mistakes.
        if self.problems > MOST_SUGGESTIONS {
            return None;
        }
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        let scopes = self.frames.last().into_iter().flat_map(|frame| &frame.scopes);
        let mut names: Vec<String> = Vec::new();
        for scope in scopes {
            let mut bound: Vec<String> = scope.keys().map(|name| name.to_string()).collect();
            bound.sort();
            names.extend(bound);
        }
        if let Some(hooks) = self.hooks.as_ref().filter(|_| self.in_hooked_place()) {
            names.extend(hooks.names());
        }
        if let Want::Words(words) | Want::WordsOrNumbers(words) = want {
            names.extend(words.iter().map(|word| word.to_string()));
        }
        if name.chars().count() == 1 {
            // One letter in another case is a tensor or a number bound here, no declaration.
            return nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        }
        let group = self.group(want);
        let groups: &[Group] = if group == Group::Value { &[Group::Value] } else { &[group, Group::Value] };
        names.extend(self.globals.visible(unit, groups).into_iter().map(str::to_owned));
        names.extend(primitives::names().map(str::to_owned));
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// The value behind `--set NAME=`.
fn parse_override(text: &str) -> Option<Value> {
    match text {
        "true" => return Some(Value::Bool(Some(true))),
        "false" => return Some(Value::Bool(Some(false))),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::int(number));
    }
    let (text, scale) = text.strip_suffix('%').map_or((text, 1.0), |share| (share, 0.01));
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| Value::Float(Some(number * scale)))
}
