//! What a field's expression sees besides the language: the source's columns, the other fields, `column`, `columns` and the
//! transforms that learn.
//!
//! A name is the source's column first, else another field. Where the source's columns are not known, because the file is not
//! there, a name that is nothing else is a column.

use super::hir::{self, Binding, ColumnForm, ColumnSelector, ColumnUse, Fill, Fitted, HirOp, Schema};
use super::infer::{HookedCall, Hooks, Walker, Want};
use super::names::closest;
use super::primitives;
use super::types::{Element, Type, Value, axis};
use crate::diagnostics::{Diagnostic, Edit, data as data_problems, fields as problems, nearest};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Argument, ExprId, ExprKind};
use std::cell::RefCell;
use std::rc::Rc;

/// A field as others see it.
#[derive(Clone, Debug)]
pub(super) struct SeenField {
    /// Its name.
    pub(super) name: Spanned<String>,
    /// Whether a type is written.
    pub(super) typed: bool,
    /// Its type, as far as it is known yet.
    pub(super) ty: Option<Type>,
}

/// What is known of the source's columns.
#[derive(Clone, Debug)]
pub(super) enum Columns {
    /// All of them.
    Known(Schema),
    /// Nothing: the file is not there, or not what it should be. Those of a text file are scalars all the same.
    Unknown {
        /// Whether it is a text file.
        scalars: bool,
    },
    /// That there are none.
    None,
}

/// The surroundings of the fields' expressions.
#[derive(Debug)]
pub(super) struct DataPlace {
    /// The columns of the source.
    pub(super) columns: Columns,
    /// What the source is called in diagnostics.
    pub(super) source: String,
    /// The fields of the declaration.
    pub(super) fields: RefCell<Vec<SeenField>>,
    /// The field whose expression is being walked.
    pub(super) present: RefCell<Option<String>>,
    /// The uses of columns so far.
    pub(super) uses: RefCell<Vec<ColumnUse>>,
}

/// The name of the input that stands for a use of columns while a body is built.
pub(super) const COLUMN_INPUT: &str = "column:";

/// The transforms that learn, as they are called.
const TRANSFORMS: [&str; 3] = ["standardize", "minmax", "frequency"];

const FILLS: [&str; 4] = ["mean", "median", "most_frequent", "drop"];

impl<'a> Hooks<'a> for DataPlace {
    fn name(&self, walker: &mut Walker<'a>, name: &str, span: Span, want: &Want) -> Option<Value> {
        let is_column = match &self.columns {
            Columns::Known(schema) => schema.columns.iter().any(|column| column.name.as_deref() == Some(name)),
            Columns::Unknown { .. } | Columns::None => false,
        };
        let named = || ColumnSelector::Name(name.to_string());
        if is_column {
            return Some(self.take(walker, named(), Given::default(), span, want));
        }
        if let Some(field) = self.fields.borrow().iter().find(|field| field.name.value == name) {
            // Without the file a field may well be named after its column.
            let itself = self.present.borrow().as_deref() == Some(name);
            if let (true, Columns::Known(schema)) = (itself, &self.columns) {
                walker.report(self.unknown_column((span, false), name, schema));
                return Some(Value::Unknown);
            }
            if !(itself && matches!(self.columns, Columns::Unknown { .. })) {
                return Some(match &field.ty {
                    Some(ty) => walker.body_input(name, ty.clone(), Binding::Field, span),
                    None if field.typed => Value::Unknown,
                    None => {
                        walker.report(problems::field_without_type(span, &field.name));
                        Value::Unknown
                    }
                });
            }
        }
        let known_elsewhere = walker.is_global(name) || primitives::find(name).is_some();
        match self.columns {
            Columns::Unknown { .. } if !known_elsewhere => {
                Some(self.take(walker, named(), Given::default(), span, want))
            }
            Columns::Unknown { .. } | Columns::Known(_) | Columns::None => None,
        }
    }

    fn call(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value> {
        match call.name {
            "column" => Some(self.column_call(walker, call, want).unwrap_or(Value::Unknown)),
            "columns" => Some(self.columns_call(walker, call, want).unwrap_or(Value::Unknown)),
            "tokens" => Some(self.tokens_call(walker, call, want).unwrap_or(Value::Unknown)),
            name if TRANSFORMS.contains(&name) => {
                Some(self.transform_call(walker, call, want).unwrap_or(Value::Unknown))
            }
            _ => None,
        }
    }

    fn pipe(&self, walker: &mut Walker<'a>, value: &Value, at: Span, name: &str, span: Span) -> Option<Value> {
        let name = TRANSFORMS.into_iter().find(|transform| *transform == name)?;
        Some(self.transform(walker, name, value, at, DEFAULT_BINS, span).unwrap_or(Value::Unknown))
    }

    fn names(&self) -> Vec<String> {
        let columns = match &self.columns {
            Columns::Known(schema) => schema.columns.iter().filter_map(|column| column.name.clone()).collect(),
            Columns::Unknown { .. } | Columns::None => Vec::new(),
        };
        let fields = self.fields.borrow();
        let fields = fields.iter().map(|field| field.name.value.clone());
        let calls = ["column", "columns", "tokens"].into_iter().chain(TRANSFORMS).map(str::to_string);
        columns.into_iter().chain(fields).chain(calls).collect()
    }
}

/// What a use of columns says besides which.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// What becomes of gaps, and where that is written.
    pub(super) fill: Option<(Fill, Span)>,
    /// What is removed from both ends.
    pub(super) strip: Option<String>,
    /// What is made of the values.
    pub(super) form: ColumnForm,
    /// Where the texts that name columns stand, in their order.
    pub(super) names: Vec<Span>,
}

impl Default for Given {
    fn default() -> Given {
        Given { fill: None, strip: None, form: ColumnForm::Value, names: Vec::new() }
    }
}

/// The arguments of `column` and `columns` besides which.
const ARGUMENTS: [&str; 4] = ["fill", "strip", "window", "horizon"];

/// Where a use of columns stands.
#[derive(Clone, Copy, Debug)]
struct At<'s> {
    /// All of it.
    span: Span,
    /// The texts in it that name columns.
    names: &'s [Span],
    /// Whether the value has steps in front.
    steps: bool,
}

impl At<'_> {
    /// The place of a name, and whether that is a text which can be replaced.
    fn name(self, number: usize) -> (Span, bool) {
        self.names.get(number).map_or((self.span, false), |&span| (span, true))
    }
}

/// The intervals that `frequency` cuts numbers into.
const DEFAULT_BINS: usize = 10;

impl DataPlace {
    /// The body of a list of single columns, read as one use so that they share their categories; as an expression of its own
    /// where they are not all of one kind.
    pub(super) fn class_list_body<'a>(
        self: &Rc<Self>,
        walker: &mut Walker<'a>,
        list: ExprId,
        items: &[ExprId],
        expected: Option<Spanned<&Type>>,
    ) -> Option<(hir::Body, Type)> {
        let span = walker.ast()[list].span;
        let Some(selector) = self.one_selector(walker, items) else {
            return walker.expression_body(list, Some(self.clone()), expected);
        };
        let expected = expected?;
        walker.open_body();
        let want = Want::Type(expected.value.clone());
        let value = self.take(walker, selector, Given::default(), span, &want);
        let tensor = walker.to_tensor(&value, span).and_then(|tensor| walker.fit_expected(tensor, expected, span));
        if let Some(tensor) = &tensor {
            walker.set_output("value", tensor, span);
        }
        let body = walker.close_body();
        Some((body, tensor?.ty))
    }

    /// The columns of a list of `column(i)`, of `column("name")` or of names of columns.
    fn one_selector(&self, walker: &Walker<'_>, items: &[ExprId]) -> Option<ColumnSelector> {
        let ast = walker.ast();
        let mut indices = Vec::new();
        let mut names = Vec::new();
        for &item in items {
            match &ast[item].kind {
                ExprKind::Name(name) => {
                    let is_column = match &self.columns {
                        Columns::Known(schema) => {
                            schema.columns.iter().any(|column| column.name.as_ref() == Some(name))
                        }
                        Columns::Unknown { .. } => !self.fields.borrow().iter().any(|field| field.name.value == *name),
                        Columns::None => false,
                    };
                    names.push(Some(name.clone()).filter(|_| is_column)?);
                }
                ExprKind::Call { callee, arguments } => {
                    let [Argument { name: None, value }] = arguments.as_slice() else { return None };
                    if !matches!(&ast[*callee].kind, ExprKind::Name(name) if name == "column") {
                        return None;
                    }
                    match &ast[*value].kind {
                        ExprKind::Number { value, integer: true } => indices.push(*value as usize),
                        ExprKind::String(name) => names.push(name.clone()),
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
        match (indices.is_empty(), names.is_empty()) {
            (false, true) => Some(ColumnSelector::Indices(indices)),
            (true, false) => Some(ColumnSelector::Names(names)),
            (true, true) | (false, false) => None,
        }
    }

    /// `column(0)`, `column("name", fill = …, strip = …)`.
    fn column_call<'a>(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value> {
        let (selector, given) = self.chosen(walker, call.arguments, call.name_span)?;
        Some(self.take(walker, selector, given, call.span, want))
    }

    /// What the arguments of a `column` say.
    pub(super) fn chosen<'a>(
        &self,
        walker: &mut Walker<'a>,
        arguments: &'a [Argument],
        name: Span,
    ) -> Option<(ColumnSelector, Given)> {
        let placed = walker.place_arguments("column", arguments, &[&["column"], &ARGUMENTS[..]].concat())?;
        let Some(which) = placed[0] else {
            walker.report(problems::missing_argument(name, "column", "the number or name of a column"));
            return None;
        };
        let mut given = self.given(walker, [placed[1], placed[2], placed[3], placed[4]])?;
        let at = walker.ast()[which].span;
        let selector = match walker.eval(which, &Want::Any) {
            Value::Text(name) => {
                given.names.extend(walker.literal(which));
                ColumnSelector::Name(name.to_string())
            }
            other => ColumnSelector::Index(self.index(walker, &other, at)?),
        };
        Some((selector, given))
    }

    /// `columns(0..11)`, `columns(3, 7)`, `columns("pixel*")`.
    fn columns_call<'a>(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value> {
        let named = |name: &str| {
            let argument = call.arguments.iter().find(|one| one.name.as_ref().is_some_and(|given| given.value == name));
            argument.map(|argument| argument.value)
        };
        let is_known =
            |argument: &&Argument| argument.name.as_ref().is_some_and(|name| !ARGUMENTS.contains(&name.value.as_str()));
        if let Some(name) = call.arguments.iter().find(is_known).and_then(|argument| argument.name.as_ref()) {
            walker.report(problems::unknown_argument(name, call.name, &ARGUMENTS));
            return None;
        }
        let mut given = self.given(walker, ARGUMENTS.map(named))?;
        let mut indices: Vec<usize> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let places: Vec<ExprId> = call.arguments.iter().filter(|one| one.name.is_none()).map(|one| one.value).collect();
        let mut in_order: Vec<ColumnSelector> = Vec::new();
        for &place in &places {
            let at = walker.ast()[place].span;
            match walker.eval(place, &Want::Any) {
                Value::Text(name) => {
                    names.push(name.to_string());
                    given.names.extend(walker.literal(place));
                    in_order.push(ColumnSelector::Pattern(name.to_string()));
                }
                Value::Range(start, end) => {
                    let (start, end) = (start.known()?, end.known()?);
                    if start < 0 || end <= start || end - start > MOST_COLUMNS {
                        walker.report(problems::out_of_range(
                            at,
                            "a range of columns goes up from 0",
                            format!("{start}..{end}"),
                        ));
                        return None;
                    }
                    indices.extend((start as usize)..(end as usize));
                    in_order.push(ColumnSelector::Indices(((start as usize)..(end as usize)).collect()));
                }
                other => {
                    let index = self.index(walker, &other, at)?;
                    indices.push(index);
                    in_order.push(ColumnSelector::Indices(vec![index]));
                }
            }
        }
        let is_pattern = |name: &String| name.contains(['*', '?']);
        let selector = match (names.as_slice(), indices.is_empty()) {
            ([], true) => {
                walker.report(problems::missing_argument(call.name_span, call.name, "numbers, names or a pattern"));
                return None;
            }
            ([], false) => ColumnSelector::Indices(indices),
            ([pattern], true) if is_pattern(pattern) => ColumnSelector::Pattern(pattern.clone()),
            (names, true) if !names.iter().any(is_pattern) => ColumnSelector::Names(names.to_vec()),
            (_, _) => ColumnSelector::Indices(self.resolve_mixed(walker, &in_order, call.span)?),
        };
        Some(self.take(walker, selector, given, call.span, want))
    }

    /// Numbers, names and patterns together, by the known columns.
    fn resolve_mixed(&self, walker: &mut Walker<'_>, selectors: &[ColumnSelector], span: Span) -> Option<Vec<usize>> {
        let Columns::Known(schema) = &self.columns else {
            walker.report(problems::mixed_columns(span));
            return None;
        };
        let mut found = Vec::new();
        for selector in selectors {
            match selector {
                ColumnSelector::Index(index) => found.push(*index),
                ColumnSelector::Indices(indices) => found.extend(indices),
                ColumnSelector::Name(pattern) | ColumnSelector::Pattern(pattern) => {
                    let before = found.len();
                    let fits = |at: &usize| {
                        schema.columns[*at].name.as_deref().is_some_and(|name| hir::fits_pattern(pattern, name))
                    };
                    found.extend((0..schema.columns.len()).filter(fits));
                    if found.len() == before {
                        walker.report(self.unknown_column((span, false), pattern, schema));
                        return None;
                    }
                }
                ColumnSelector::Names(_) => {}
            }
        }
        Some(found)
    }

    pub(super) fn index(&self, walker: &mut Walker<'_>, value: &Value, at: Span) -> Option<usize> {
        if let Value::Tensor(_) | Value::Callable(_) = value {
            let found = walker.describe(value);
            walker.report(problems::wanted(at, "the number or name of a column", &found));
            return None;
        }
        let index = walker.as_int(value, at)?.known()?;
        if index < 0 {
            walker.report(problems::out_of_range(at, "columns count from 0", index));
        }
        usize::try_from(index).ok()
    }

    /// Those of [`ARGUMENTS`], in that order.
    fn given<'a>(&self, walker: &mut Walker<'a>, arguments: [Option<ExprId>; 4]) -> Option<Given> {
        let mut given = Given::default();
        let [fill, strip, window, horizon] = arguments;
        if let Some(expr) = fill {
            let span = walker.ast()[expr].span;
            let words: Rc<[Rc<str>]> = FILLS.iter().map(|word| Rc::from(*word)).collect();
            let value = match &walker.ast()[expr].kind {
                ExprKind::Name(name) if !FILLS.contains(&name.as_str()) && !walker.is_global(name) => {
                    let near = closest(name, FILLS);
                    walker.report(crate::diagnostics::names::unknown_name(span, name, near, &None));
                    return None;
                }
                _ => walker.eval(expr, &Want::Words(words)),
            };
            let fill = match &value {
                Value::Word(Some(word)) => match &**word {
                    "mean" => Fill::Mean,
                    "median" => Fill::Median,
                    "most_frequent" => Fill::MostFrequent,
                    _ => Fill::Drop,
                },
                other => Fill::Value(walker.text_of(other, span)?),
            };
            given.fill = Some((fill, span));
        }
        if let Some(expr) = strip {
            given.strip = Some(walker.text_argument(expr)?.value);
        }
        let length = match window {
            Some(expr) => Some(walker.steps_argument(expr, 1, "a window has 1 to 1000000 steps")?),
            None => None,
        };
        let ahead = match horizon {
            Some(expr) => Some(walker.steps_argument(expr, 0, "a horizon is 0 to 1000000 steps ahead")?),
            None => None,
        };
        if window.or(horizon).is_some() {
            given.form = ColumnForm::Window { length, horizon: ahead.unwrap_or(0) };
        }
        Some(given)
    }

    /// A use of columns as a value.
    pub(super) fn take(
        &self,
        walker: &mut Walker<'_>,
        selector: ColumnSelector,
        given: Given,
        span: Span,
        want: &Want,
    ) -> Value {
        let at =
            At { span, names: &given.names, steps: matches!(given.form, ColumnForm::Window { length: Some(_), .. }) };
        let Some(mut ty) = self.type_of(walker, &selector, at, want) else { return Value::Unknown };
        match given.form {
            ColumnForm::Window { length: Some(length), .. } => ty.shape.insert(0, axis(length as i64)),
            ColumnForm::Tokens { length, .. } => ty.shape = vec![axis(length as i64)],
            ColumnForm::Value | ColumnForm::Window { length: None, .. } => {}
        }
        let Some(known) = ty.known() else { return Value::Unknown };
        if let Some((fill, at)) = &given.fill {
            let is_class = matches!(known.element, hir::Element::Class { .. });
            let problem = match fill {
                Fill::Mean | Fill::Median | Fill::MostFrequent if matches!(given.form, ColumnForm::Tokens { .. }) => {
                    Some(problems::fill_of_text(*at))
                }
                Fill::Value(_) if matches!(given.form, ColumnForm::Tokens { .. }) => None,
                Fill::Mean if is_class => Some(problems::fill_of_categories(*at, "mean")),
                Fill::Median if is_class => Some(problems::fill_of_categories(*at, "median")),
                Fill::Value(text) if !is_class && !text.parse::<f32>().is_ok_and(f32::is_finite) => {
                    Some(problems::fill_not_a_number(*at, text))
                }
                Fill::Mean | Fill::Median | Fill::MostFrequent | Fill::Value(_) | Fill::Drop => None,
            };
            if let Some(problem) = problem {
                walker.report(problem);
                return Value::Unknown;
            }
        }
        let fill = given.fill.map(|(fill, _)| fill);
        let column = ColumnUse { selector, fill, strip: given.strip, form: given.form, ty: known, span };
        let mut uses = self.uses.borrow_mut();
        let same = |other: &ColumnUse| *other == ColumnUse { span: other.span, ..column.clone() };
        let number = uses.iter().position(same).unwrap_or_else(|| {
            uses.push(column.clone());
            uses.len() - 1
        });
        walker.body_input(&format!("{COLUMN_INPUT}{number}"), ty, Binding::Scope, span)
    }

    /// The type of one row's value: the column's own, or what the place asks for where a text file leaves that open.
    fn type_of(&self, walker: &mut Walker<'_>, selector: &ColumnSelector, at: At<'_>, want: &Want) -> Option<Type> {
        let wanted = match want {
            Want::Type(ty) => Some(ty),
            Want::Any | Want::Int | Want::Shape | Want::Kind(_) | Want::Words(_) | Want::WordsOrNumbers(_) => None,
        };
        let element = match (wanted.map(|ty| &ty.element), selector) {
            (Some(class @ Element::Class { .. }), _) => class.clone(),
            (_, ColumnSelector::Name(name)) => self.element_of_namesake(name),
            (Some(Element::Number | Element::Truth) | None, _) => Element::Number,
        };
        let schema = match &self.columns {
            Columns::Known(schema) => Some(schema),
            Columns::Unknown { scalars: true } => None,
            Columns::Unknown { scalars: false } => return None,
            Columns::None => {
                walker.report(problems::source_without_columns(at.span));
                return None;
            }
        };
        let count = match (selector, schema) {
            (ColumnSelector::Index(_) | ColumnSelector::Name(_), _) => None,
            (ColumnSelector::Indices(indices), _) => Some(indices.len()),
            (ColumnSelector::Names(names), _) => Some(names.len()),
            (ColumnSelector::Pattern(pattern), Some(schema)) => {
                let fits = |name: &&String| hir::fits_pattern(pattern, name);
                Some(schema.columns.iter().filter_map(|column| column.name.as_ref()).filter(fits).count())
            }
            (ColumnSelector::Pattern(_), None) => {
                let extent = wanted.and_then(|ty| ty.shape.get(usize::from(at.steps))?.dim()?.known());
                Some(usize::try_from(extent?).ok()?)
            }
        };
        let shape = count.map_or_else(Vec::new, |count| vec![axis(count as i64)]);
        let Some(schema) = schema else { return Some(Type { element, shape }) };
        for index in self.places(walker, selector, schema, at)? {
            let Some(own) = schema.columns[index].ty.as_ref().map(Type::of) else { continue };
            if count.is_none() {
                return Some(adopt(own, wanted));
            }
        }
        Some(Type { element, shape })
    }

    /// What the elements of a text file's column are where the place leaves it open: those of the field of that name.
    fn element_of_namesake(&self, name: &str) -> Element {
        let fields = self.fields.borrow();
        let namesake = fields.iter().find(|field| field.name.value == name).and_then(|field| field.ty.as_ref());
        match namesake {
            Some(Type { element: class @ Element::Class { .. }, shape }) if shape.is_empty() => class.clone(),
            Some(_) | None => Element::Number,
        }
    }

    /// The places of the columns; reports those that are not there.
    fn places(
        &self,
        walker: &mut Walker<'_>,
        selector: &ColumnSelector,
        schema: &Schema,
        at: At<'_>,
    ) -> Option<Vec<usize>> {
        let width = schema.columns.len();
        let mut places = Vec::new();
        let (indices, names): (&[usize], &[String]) = match selector {
            ColumnSelector::Index(index) => (std::slice::from_ref(index), &[]),
            ColumnSelector::Indices(indices) => (indices, &[]),
            ColumnSelector::Name(name) => (&[], std::slice::from_ref(name)),
            ColumnSelector::Names(names) => (&[], names),
            ColumnSelector::Pattern(pattern) => {
                let fits = |at: &usize| {
                    schema.columns[*at].name.as_deref().is_some_and(|name| hir::fits_pattern(pattern, name))
                };
                let found: Vec<usize> = (0..width).filter(fits).collect();
                if found.is_empty() {
                    walker.report(self.unknown_column(at.name(0), pattern, schema));
                    return None;
                }
                return Some(found);
            }
        };
        for &index in indices {
            if index >= width {
                walker.report(data_problems::column_out_of_range(at.span, index, schema.offer(&self.source, &[])));
                return None;
            }
            places.push(index);
        }
        for (number, name) in names.iter().enumerate() {
            let Some(place) = schema.columns.iter().position(|column| column.name.as_deref() == Some(name)) else {
                walker.report(self.unknown_column(at.name(number), name, schema));
                return None;
            };
            places.push(place);
        }
        Some(places)
    }

    fn unknown_column(&self, (span, literal): (Span, bool), name: &str, schema: &Schema) -> Diagnostic {
        let names: Vec<&str> = schema.names().collect();
        let problem = data_problems::unknown_column(span, name, schema.offer(&self.source, &names));
        match nearest(name, names.into_iter()).filter(|_| literal) {
            Some(near) => problem.fix(format!("write {near:?}"), Edit::replace(span, format!("{near:?}"))),
            None => problem,
        }
    }

    /// `standardize(x)`, `minmax(x)`, `frequency(x, bins = 10)`.
    fn transform_call<'a>(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value> {
        let parameters: &[&str] = if call.name == "frequency" { &["value", "bins"] } else { &["value"] };
        let placed = walker.place_arguments(call.name, call.arguments, parameters)?;
        let Some(expr) = placed[0] else {
            walker.report(problems::missing_argument(call.name_span, call.name, "a value"));
            return None;
        };
        let bins = match placed.get(1).copied().flatten() {
            Some(expr) => walker.bins_argument(expr)?,
            None => DEFAULT_BINS,
        };
        let inner = if call.name == "frequency" { Want::Any } else { want.clone() };
        let at = walker.ast()[expr].span;
        let value = walker.eval(expr, &inner);
        self.transform(walker, call.name, &value, at, bins, call.span)
    }

    fn transform(
        &self,
        walker: &mut Walker<'_>,
        name: &str,
        value: &Value,
        at: Span,
        bins: usize,
        span: Span,
    ) -> Option<Value> {
        let mut tensor = walker.to_tensor(value, at)?;
        if walker.in_region() {
            walker.report(problems::transform_in_region(span, name));
            return None;
        }
        if tensor.ty.element == Element::Truth {
            tensor = walker.as_numbers(&tensor, at)?;
        }
        let is_class = matches!(tensor.ty.element, Element::Class { .. });
        let (kind, ty) = match name {
            "standardize" if !is_class => (Fitted::Standardize, tensor.ty.clone()),
            "minmax" if !is_class => (Fitted::MinMax, tensor.ty.clone()),
            "frequency" if tensor.ty.shape.is_empty() => (Fitted::Frequency { bins }, Type::scalar()),
            _ => {
                walker.report(problems::transform_of(at, name, &tensor.ty));
                return None;
            }
        };
        Some(walker.emit(HirOp::Fitted(kind), &[&tensor], ty, span))
    }
}

/// The widest range of columns.
const MOST_COLUMNS: i64 = 1 << 24;

/// A column's own type; whole numbers and unnamed categories become the categories that the place asks for.
fn adopt(own: Type, wanted: Option<&Type>) -> Type {
    match wanted.map(|ty| &ty.element) {
        Some(class @ Element::Class { count, .. }) => match &own.element {
            Element::Number => Type { element: class.clone(), shape: own.shape },
            Element::Class { count: own_count, .. } if own_count == count => {
                Type { element: class.clone(), shape: own.shape }
            }
            Element::Class { .. } | Element::Truth => own,
        },
        Some(Element::Number | Element::Truth) | None => own,
    }
}

impl<'a> Walker<'a> {
    /// A number of steps from `least` on.
    fn steps_argument(&mut self, expr: ExprId, least: i64, what: &str) -> Option<usize> {
        let at = self.ast()[expr].span;
        let steps = self.eval_int(expr)?.known()?;
        if !(least..=1_000_000).contains(&steps) {
            self.report(problems::out_of_range(at, what, steps));
            return None;
        }
        usize::try_from(steps).ok()
    }

    /// A number of intervals.
    pub(super) fn bins_argument(&mut self, expr: ExprId) -> Option<usize> {
        let at = self.ast()[expr].span;
        let bins = self.eval_int(expr)?.known()?;
        if !(1..=1_000_000).contains(&bins) {
            self.report(problems::out_of_range(at, "there are 1 to 1000000 intervals", bins));
            return None;
        }
        usize::try_from(bins).ok()
    }

    /// The place of a text that stands in the program as it is.
    pub(super) fn literal(&self, expr: ExprId) -> Option<Span> {
        let ast = self.ast();
        matches!(ast[expr].kind, ExprKind::String(_)).then(|| ast[expr].span)
    }

    /// Whether a name is one of the program's declarations.
    pub(super) fn is_global(&self, name: &str) -> bool {
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        self.globals.find_any(unit, name).is_some()
    }
}
