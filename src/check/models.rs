//! Models with numbers: a body for each use.

use super::calls::first_tensor;
use super::dim::Verdict;
use super::hir::{self, Binding, Hir};
use super::infer::{Status, Walker, Want};
use super::names::DeclId;
use super::types::{Config, Type, Value, compare_shapes};
use crate::diagnostics::{nearest, shapes as shape_problems, training as problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, CallableKind, Output, Parameter};

/// A model as a run sees it.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    /// Index into [`Hir::models`]; `None` where it could not be made.
    pub(super) index: Option<usize>,
    /// Its inputs that are known.
    pub(super) inputs: Vec<(String, Type)>,
    /// Its outputs; without a type where that is not known.
    pub(super) outputs: Vec<(Spanned<String>, Option<Type>)>,
    key: String,
}

/// A field of the data that a model trains on.
#[derive(Clone, Debug)]
pub(super) struct FieldType {
    /// Its name and place.
    pub(super) name: Spanned<String>,
    /// Its type.
    pub(super) ty: Type,
}

/// The use of a model in a run.
pub(super) struct ModelUse<'u> {
    /// The declaration.
    pub(super) id: DeclId,
    /// Its configuration.
    pub(super) config: Config,
    /// The configuration as written.
    pub(super) written: String,
    /// Where it is used.
    pub(super) span: Span,
    /// The fields that are matched to its inputs by name; `None` where there is no data.
    pub(super) fields: Option<&'u [FieldType]>,
    /// Where the data is named.
    pub(super) data: Spanned<String>,
}

impl<'a> Walker<'a> {
    /// The body of a model at a use. One of the same configuration and inputs is made once.
    pub(super) fn instantiate(
        &mut self,
        hir: &mut Hir,
        known: &mut Vec<Instance>,
        asked: &ModelUse<'_>,
    ) -> Option<Instance> {
        let declaration = *self.globals.get(asked.id);
        let declared = declaration.callable()?;
        self.start(declaration.unit, Some(asked.id), Some(CallableKind::Model));
        self.recording = true;
        self.muted = self.status[asked.id.0 as usize] == Status::Failed;
        if !asked.written.is_empty() {
            self.use_site = Some((asked.span, declaration.name.value.clone()));
        }
        let problems_before = self.problems;
        self.open_body();
        for (parameter, value) in declared.config.iter().flatten().zip(asked.config.iter()) {
            self.bind(&parameter.name.value, value.clone(), parameter.name.span);
        }
        self.share_configured_layers(declared);
        let mut inputs = Vec::new();
        for input in declared.inputs.iter().flatten() {
            let ty = self.instance_input(input, asked)?;
            inputs.push((input.name.value.clone(), ty));
        }
        let key = format!("{:?} {:?} {inputs:?}", asked.id, asked.config);
        if let Some(instance) = known.iter().find(|instance| instance.key == key) {
            return Some(instance.clone());
        }
        let mut given = Vec::new();
        for ((name, ty), input) in inputs.iter().zip(declared.inputs.iter().flatten()) {
            let value = self.body_input(name, ty.clone(), Binding::Field, input.name.span);
            self.bind(name, value.clone(), input.name.span);
            given.push(value);
        }
        let promised = self.promised_outputs(declared);
        let value = self.eval(declared.body, &Want::Any);
        let understood = !matches!(value, Value::Unknown);
        let value = self.check_result(declared, value, &given);
        // Where body and signature disagree, nobody knows which is meant.
        let disagree = understood && matches!(value, Value::Unknown);
        let span = self.value_span(declared.body);
        let values: Vec<Value> = match &value {
            Value::Tuple(values) => values.iter().map(|(_, value)| value.clone()).collect(),
            value => vec![value.clone()],
        };
        let mut complete = values.len() == promised.len();
        let mut outputs = promised;
        if disagree {
            outputs.iter_mut().for_each(|(_, ty)| *ty = None);
        }
        for ((name, ty), value) in outputs.iter_mut().zip(&values) {
            match first_tensor(value) {
                Some(tensor) => {
                    let tensor = tensor.clone();
                    *ty = Some(tensor.ty.clone());
                    self.set_output(&name.value, &tensor, span);
                }
                None => complete = false,
            }
        }
        // What could not be read was reported before.
        let silent = self.muted || self.diagnostics.has_errors() || !self.ast().repaired.is_empty();
        if !complete && self.problems == problems_before && !silent {
            self.force_report(shape_problems::undetermined(asked.span, &declaration.name.value));
        }
        let body = self.close_body();
        let index = complete.then(|| {
            let name = declaration.name.value.clone();
            let span = declaration.item.span;
            hir.models.push(hir::Model { name, configuration: asked.written.clone(), body, span });
            hir.models.len() - 1
        });
        let instance = Instance { index, inputs, outputs, key };
        known.push(instance.clone());
        Some(instance)
    }

    /// The type of an input: what the signature states, its open dimensions taken from the data.
    fn instance_input(&mut self, input: &'a Parameter, asked: &ModelUse<'_>) -> Option<Type> {
        let ty = input.ty.as_ref()?;
        if !self.has_free_names(ty) {
            return self.resolve_type(ty);
        }
        let fields = asked.fields?;
        let Some(field) = fields.iter().find(|field| field.name.value == input.name.value) else {
            self.report_without_field(&input.name, fields, asked);
            return None;
        };
        match self.fit(ty, &field.ty, field.name.span) {
            Ok(()) => self.resolve_type(ty),
            Err(_) => {
                let declared = self.written(ty.span);
                let model = self.globals.get(asked.id).name.value.clone();
                let problem = problems::field_does_not_fit(&field.name, &field.ty, &model, &declared, ty.span);
                self.force_report(problem);
                None
            }
        }
    }

    fn report_without_field(&mut self, input: &Spanned<String>, fields: &[FieldType], asked: &ModelUse<'_>) {
        let data = &asked.data.value;
        // Asked for once, however many models take it; its uses in the run are not looked at.
        let is_new = self.doubtful_fields.insert((data.clone(), input.value.clone()));
        if self.open_data.contains(data) || !is_new {
            return;
        }
        let model = self.globals.get(asked.id).name.value.clone();
        let known: Vec<&str> = fields.iter().map(|field| field.name.value.as_str()).collect();
        let near = nearest(&input.value, known.iter().copied());
        self.force_report(problems::input_without_field(&asked.data, &model, &input.value, input.span, near, &known));
    }

    /// The outputs of a model with the types its signature states.
    fn promised_outputs(&mut self, declared: &'a ast::Callable) -> Vec<(Spanned<String>, Option<Type>)> {
        let (muted, problems) = (std::mem::replace(&mut self.muted, true), self.problems);
        let unnamed = Spanned::new("value".to_owned(), declared.name.span);
        let outputs = match &declared.output {
            Some(Output::Named { outputs, .. }) => {
                outputs.iter().map(|(name, ty)| (name.clone(), self.resolve_type(ty))).collect()
            }
            Some(Output::Type(ty)) => vec![(unnamed, self.resolve_type(ty))],
            None => vec![(unnamed, None)],
        };
        self.muted = muted;
        self.problems = problems;
        outputs
    }

    /// Reports inputs that the data has no field for, or one of another type. Whether all fit.
    pub(super) fn match_fields(&mut self, instance: &Instance, asked: &ModelUse<'_>) -> bool {
        let Some(fields) = asked.fields else { return false };
        let declaration = *self.globals.get(asked.id);
        let model = &declaration.name.value;
        let Some(declared) = declaration.callable() else { return false };
        let mut sound = true;
        for ((name, ty), input) in instance.inputs.iter().zip(declared.inputs.iter().flatten()) {
            let place = input.ty.as_ref().map_or(input.name.span, |ty| ty.span);
            let Some(field) = fields.iter().find(|field| field.name.value == *name) else {
                self.report_without_field(&input.name, fields, asked);
                sound = false;
                continue;
            };
            if !fits(ty, &field.ty) {
                let declared = self.written(place);
                self.force_report(problems::field_does_not_fit(&field.name, &field.ty, model, &declared, place));
                sound = false;
            }
        }
        sound
    }
}

/// Whether a field's values can be given to an input.
fn fits(input: &Type, field: &Type) -> bool {
    use super::types::Element::{Class, Number, Truth};
    let elements = match (&input.element, &field.element) {
        (Class { count, names }, Class { count: other, names: others }) => {
            let same = names.as_ref().zip(others.as_ref()).is_none_or(|(names, others)| names == others);
            same && count.compare(other) != Verdict::Different
        }
        (Number, Number) | (Truth, Truth) => true,
        (Number | Truth | Class { .. }, _) => false,
    };
    elements && compare_shapes(&input.shape, &field.shape) != Verdict::Different
}
