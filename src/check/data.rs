//! `data` declarations: sources, fields, splits and balance.
//!
//! In: the tree of one declaration, the walker standing in its file. Out: a [`hir::Data`] whose fields have typed bodies. A field's
//! expression is walked by [`Walker::expression_body`] with a [`DataPlace`] as what the place adds to the language. A column is an
//! input while a body is built, so that `each` and `scan` can capture it, and becomes a [`HirOp::Column`] at the end.

use super::columns::{COLUMN_INPUT, Columns, DataPlace, SeenField};
use super::hir::{self, Balance, BalanceKind, Binding, Body, DataField, Fill, HirOp, Schema, SourceSpec};
use super::infer::Walker;
use super::sources::PARTS;
use super::types::{Element, Type};
use crate::diagnostics::{data as data_problems, fields as problems, names as name_problems};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Argument, DataItem, ExprId, ExprKind, Field};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The fields that every `data` may have; they have no type.
const OWN_FIELDS: [&str; 5] = ["source", "split", "balance", "ordered", "seed"];

/// The typed form of a `data` declaration; `span` is all of it. `None` where too little is known to go on; that was reported.
pub(super) fn data<'a>(walker: &mut Walker<'a>, item: &'a DataItem, span: Span) -> Option<hir::Data> {
    let own = own_fields(walker, item);
    let value = |name: &str| own.get(name).map(|field| field.value);
    let sources = match value("source") {
        Some(expr) => walker.data_sources(expr),
        None => {
            if walker.broken_within("source", span).next().is_none() {
                walker.report(problems::without_source(&item.name));
            }
            Vec::new()
        }
    };
    let (columns, source) = known_columns(walker, &sources);
    let declared: Vec<&'a Field> = item.fields.iter().filter(|field| is_declared(field)).collect();
    let seen: Vec<SeenField> = declared
        .iter()
        .map(|field| SeenField {
            name: field.name.clone(),
            typed: field.ty.is_some(),
            ty: field.ty.as_ref().and_then(|ty| walker.resolve_type(ty)),
        })
        .collect();
    let place = Rc::new(DataPlace {
        columns,
        source,
        fields: RefCell::new(seen),
        present: RefCell::new(None),
        uses: RefCell::new(Vec::new()),
    });
    if walker.ast().repaired.iter().any(|place| place.start < span.end && span.start < place.end) {
        walker.open_data.insert(item.name.value.clone());
    }
    let fields = walk_fields(walker, &item.name.value, &declared, &place);
    report_cycle(walker, &fields);
    let split = value("split").map_or_else(Vec::new, |expr| shares(walker, expr));
    for (share, _) in &split {
        let part = sources.iter().find_map(|(part, _)| part.as_ref().filter(|part| part.value == share.value));
        if let Some(part) = part.filter(|part| part.value != "train") {
            walker.report(problems::part_with_source(share, part.span));
        }
    }
    let ordered = value("ordered").and_then(|expr| Some((walker.truth_argument(expr)?, expr)));
    let seed = walker.seed_argument(value("seed")).unwrap_or(0);
    let balance = value("balance").and_then(|expr| balance(walker, expr, &item.name.value, &place));
    let columns = place.uses.take();
    let mut data = hir::Data {
        name: item.name.clone(),
        sources,
        columns,
        fields,
        split,
        ordered: ordered.is_some_and(|(ordered, _)| ordered),
        seed,
        balance,
        span,
    };
    if data.is_series() {
        if let Some((false, expr)) = ordered {
            walker.report(problems::series_out_of_order(walker.ast()[expr].span));
        }
        data.ordered = true;
        for column in data.columns.iter().filter(|column| column.fill == Some(Fill::Drop)) {
            walker.report(problems::drop_in_series(column.span));
        }
    }
    Some(data)
}

/// Whether a field is one of the data's own, with a type or with a name that is none of those every `data` has.
fn is_declared(field: &Field) -> bool {
    field.ty.is_some() || !is_own(field)
}

fn is_own(field: &Field) -> bool {
    let name = field.name.value.as_str();
    field.ty.is_none()
        && (OWN_FIELDS.contains(&name) || crate::diagnostics::nearest(name, OWN_FIELDS.into_iter()).is_some())
}

/// `source`, `split` … by name; reports what stands twice or is misspelt.
fn own_fields<'a>(walker: &mut Walker<'a>, item: &'a DataItem) -> HashMap<&'a str, &'a Field> {
    let mut own: HashMap<&str, &Field> = HashMap::new();
    let mut names: HashMap<&str, Span> = HashMap::new();
    for field in &item.fields {
        let name = field.name.value.as_str();
        match names.get(name) {
            Some(&first) => {
                // Which of both is meant where it is used, nobody knows.
                walker.doubtful_fields.insert((item.name.value.clone(), name.to_owned()));
                walker.open_data.insert(item.name.value.clone());
                walker.report(name_problems::bound_twice(&field.name, first));
            }
            None => {
                names.insert(name, field.name.span);
            }
        }
        if is_own(field) {
            if OWN_FIELDS.contains(&name) {
                own.entry(name).or_insert(field);
            } else {
                walker.report(problems::unknown_field(&field.name, &OWN_FIELDS));
            }
        }
    }
    own
}

/// The columns of the first source that knows them, and what it is called; reports sources that are not what they should be.
fn known_columns(walker: &mut Walker<'_>, sources: &super::sources::Sources) -> (Columns, String) {
    let mut known: Option<(Schema, String)> = None;
    let mut name = String::from("the source");
    for (_, source) in sources {
        name = source.value.title();
        if matches!(source.value, SourceSpec::Generate { .. }) {
            return (Columns::None, name);
        }
        let probed = match &source.value {
            SourceSpec::Toy { set, .. } => Some(Ok(set.schema())),
            spec => (walker.options.probe)(spec),
        };
        match probed {
            Some(Ok(schema)) => {
                known.get_or_insert((schema, name.clone()));
            }
            Some(Err(problem)) => walker.report(*problem),
            None => {}
        }
    }
    match known {
        Some((schema, name)) => (Columns::Known(schema), name),
        None => {
            let is_text = |source: &SourceSpec| matches!(source, SourceSpec::Csv { .. });
            let scalars = !sources.is_empty() && sources.iter().all(|(_, source)| is_text(&source.value));
            (Columns::Unknown { scalars }, name)
        }
    }
}

/// Bodies for the fields. Those without a type come first, in order, so that the others know theirs.
fn walk_fields<'a>(
    walker: &mut Walker<'a>,
    data: &str,
    declared: &[&'a Field],
    place: &Rc<DataPlace>,
) -> Vec<DataField> {
    let mut fields: Vec<Option<DataField>> = vec![None; declared.len()];
    let (untyped, typed): (Vec<usize>, Vec<usize>) = (0..declared.len()).partition(|&at| declared[at].ty.is_none());
    for at in untyped.into_iter().chain(typed) {
        let field = declared[at];
        let doubt = (data.to_owned(), field.name.value.clone());
        let before = walker.problems;
        let expected = place.fields.borrow()[at].ty.clone();
        if field.ty.is_some() && expected.is_none() {
            walker.doubtful_fields.insert(doubt);
            continue;
        }
        place.present.replace(Some(field.name.value.clone()));
        let ty_span = field.ty.as_ref().map_or(field.name.span, |ty| ty.span);
        let spanned = expected.as_ref().map(|ty| Spanned::new(ty, ty_span));
        let walked = match class_list(walker, field.value, expected.as_ref()) {
            Some(list) => place.class_list_body(walker, field.value, &list, spanned),
            None => walker.expression_body(field.value, Some(place.clone()), spanned),
        };
        let ty = expected.or_else(|| walked.as_ref().map(|(_, ty)| ty.clone()));
        if let Some(slot) = place.fields.borrow_mut().get_mut(at) {
            slot.ty = ty.clone();
        }
        if walker.problems > before {
            walker.doubtful_fields.insert(doubt);
            if let Some(slot) = place.fields.borrow_mut().get_mut(at) {
                (slot.typed, slot.ty) = (true, None);
            }
        }
        let Some(ty) = ty.as_ref().and_then(Type::known) else { continue };
        let mut body = walked.map_or_else(Body::default, |(body, _)| body);
        let columns = number_columns(&mut body);
        debug_assert!(columns.iter().all(|&column| column < place.uses.borrow().len()));
        report_misplaced(walker, &body);
        name_categories(&mut body, &ty);
        fields[at] = Some(DataField { name: field.name.clone(), ty, body, span: field.span });
    }
    place.present.replace(None);
    fields.into_iter().flatten().collect()
}

/// Gives categories that an expression makes by number the names that the field declares.
fn name_categories(body: &mut Body, declared: &hir::ValueType) {
    let hir::Element::Class { count, names: Some(_) } = &declared.element else { return };
    let [(_, output)] = body.outputs.as_mut_slice() else { return };
    let value = &body.values[output.0 as usize];
    let unnamed = hir::Element::Class { count: *count, names: None };
    if value.ty == (hir::ValueType { element: unnamed, shape: declared.shape.clone() }) {
        let operands = vec![*output];
        let named = hir::Value { op: HirOp::StopGradient, operands, ty: declared.clone(), ..value.clone() };
        *output = hir::ValueId(body.values.len() as u32);
        body.values.push(named);
    }
}

/// The elements of a list of single columns for a field `class(k)[n]`, which share their categories.
fn class_list(walker: &Walker<'_>, expr: ExprId, expected: Option<&Type>) -> Option<Vec<ExprId>> {
    let ty = expected.filter(|ty| matches!(ty.element, Element::Class { .. }) && ty.shape.len() == 1)?;
    let ast = walker.ast();
    let ExprKind::List(items) = &ast[expr].kind else { return None };
    if ty.shape[0].dim()?.known()? != items.len() as i64 {
        return None;
    }
    items.iter().map(|item| if item.name.is_none() { Some(item.value) } else { None }).collect()
}

/// Turns the inputs that stand for columns into [`HirOp::Column`]; their numbers.
fn number_columns(body: &mut Body) -> Vec<usize> {
    let column = |name: &str| name.strip_prefix(COLUMN_INPUT).and_then(|number| number.parse::<usize>().ok());
    let is_column = |input: &hir::BodyInput| input.binding == Binding::Scope && column(&input.name).is_some();
    let mut kept = 0;
    let places: Vec<Result<usize, usize>> = (body.inputs.iter())
        .map(|input| match column(&input.name).filter(|_| is_column(input)) {
            Some(number) => Err(number),
            None => {
                kept += 1;
                Ok(kept - 1)
            }
        })
        .collect();
    for value in &mut body.values {
        if let HirOp::Input(input) = value.op {
            value.op = match places[input] {
                Ok(place) => HirOp::Input(place),
                Err(number) => HirOp::Column(number),
            };
        }
    }
    body.inputs.retain(|input| !is_column(input));
    places.into_iter().filter_map(Result::err).collect()
}

/// Reports what learns or looks at a batch.
fn report_misplaced(walker: &mut Walker<'_>, body: &Body) {
    if let Some(param) = body.params.first() {
        walker.report(problems::not_in_data(param.span, "parameters"));
    }
    if let Some(state) = body.states.first() {
        walker.report(problems::not_in_data(state.span, "state"));
    }
    let mut open: Vec<&Body> = vec![body];
    while let Some(body) = open.pop() {
        for value in &body.values {
            match &value.op {
                HirOp::BatchMean | HirOp::BatchVar => walker.report(problems::not_in_data(value.span, "batch")),
                HirOp::Avg => walker.report(problems::not_in_data(value.span, "average over the split")),
                HirOp::Each { region, .. } | HirOp::Scan { region, .. } => open.push(region),
                _ => {}
            }
        }
    }
}

/// Reports fields that are made of each other, one ring at most.
fn report_cycle(walker: &mut Walker<'_>, fields: &[DataField]) {
    let place = |name: &str| fields.iter().position(|field| field.name.value == name);
    let uses: Vec<Vec<usize>> = fields
        .iter()
        .map(|field| {
            let inputs = field.body.inputs.iter().filter(|input| input.binding == Binding::Field);
            inputs.filter_map(|input| place(&input.name)).collect()
        })
        .collect();
    // Depth first with a path of its own: `at` is how many of a field's uses were followed.
    let mut done = vec![false; fields.len()];
    for start in 0..fields.len() {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((field, at)) = path.last_mut() {
            let (field, next) = (*field, *at);
            *at += 1;
            match uses[field].get(next) {
                Some(&used) if done[used] => {}
                Some(&used) => match path.iter().position(|(on_path, _)| *on_path == used) {
                    Some(from) => {
                        let ring: Vec<&Spanned<String>> =
                            path[from..].iter().map(|(at, _)| &fields[*at].name).collect();
                        walker.report(problems::field_cycle(&ring));
                        return;
                    }
                    None => path.push((used, 0)),
                },
                None => {
                    done[field] = true;
                    path.pop();
                }
            }
        }
    }
}

/// The shares of a split; reports parts that are none and shares that are too much.
fn shares(walker: &mut Walker<'_>, expr: ExprId) -> Vec<(Spanned<String>, f64)> {
    let ast = walker.ast();
    let span = ast[expr].span;
    let items: &[Argument] = match &ast[expr].kind {
        ExprKind::List(items) if !items.is_empty() => items,
        ExprKind::Error => return Vec::new(),
        _ => {
            walker.report(problems::split_wanted(span));
            return Vec::new();
        }
    };
    let mut shares: Vec<(Spanned<String>, f64)> = Vec::new();
    let mut odd: Vec<(Span, f64)> = Vec::new();
    for item in items {
        let at = ast[item.value].span;
        let Some(part) = &item.name else {
            walker.report(problems::split_wanted(at));
            continue;
        };
        let twice = shares.iter().any(|(other, _)| other.value == part.value);
        if twice || !PARTS.contains(&part.value.as_str()) {
            walker.report(data_problems::split_part(part, twice));
            continue;
        }
        let Some(share) = walker.number_field(item.value) else { continue };
        if !(0.0..=1.0).contains(&share) {
            odd.push((at, share));
            continue;
        }
        shares.push((part.clone(), share));
    }
    if let Some(problem) = data_problems::split_share(&odd) {
        walker.report(problem);
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    if sum > hir::WHOLE {
        walker.report(data_problems::split_sum(span, sum));
    }
    shares
}

/// `weights(f)`, `oversample(f)`, `undersample(f, bins = 10)`.
fn balance<'a>(walker: &mut Walker<'a>, expr: ExprId, data: &str, place: &DataPlace) -> Option<Spanned<Balance>> {
    const WAYS: [&str; 3] = ["weights", "oversample", "undersample"];
    let ast = walker.ast();
    let span = ast[expr].span;
    let ExprKind::Call { callee, arguments } = &ast[expr].kind else {
        walker.report(problems::balance_wanted(span));
        return None;
    };
    let ExprKind::Name(way) = &ast[*callee].kind else {
        walker.report(problems::balance_wanted(span));
        return None;
    };
    let kind = match way.as_str() {
        "weights" => BalanceKind::Weights,
        "oversample" => BalanceKind::Oversample,
        "undersample" => BalanceKind::Undersample,
        _ => {
            walker.report(problems::unknown_balance(ast[*callee].span, way, &WAYS));
            return None;
        }
    };
    let placed = walker.place_arguments(way, arguments, &["field", "bins"])?;
    let Some(field) = placed[0] else {
        walker.report(problems::missing_argument(span, way, "the name of a field"));
        return None;
    };
    let bins = match placed[1] {
        Some(expr) => walker.bins_argument(expr)?,
        None => 10,
    };
    let at = ast[field].span;
    let ExprKind::Name(name) = &ast[field].kind else {
        walker.report(problems::balance_wanted(at));
        return None;
    };
    let fields = place.fields.borrow();
    let Some(seen) = fields.iter().find(|field| field.name.value == *name) else {
        let names: Vec<&str> = fields.iter().map(|field| field.name.value.as_str()).collect();
        walker.report(problems::unknown_balanced_field(at, name, &names));
        return None;
    };
    let ty = seen.ty.as_ref()?;
    if walker.doubtful_fields.contains(&(data.to_owned(), name.clone())) {
        return None;
    }
    let one_element = ty.known().is_some_and(|ty| ty.shape.iter().product::<usize>() == 1);
    if !one_element {
        walker.report(problems::cannot_balance(at, name, ty));
        return None;
    }
    Some(Spanned::new(Balance { kind, field: Spanned::new(name.clone(), at), bins }, span))
}
