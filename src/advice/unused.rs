//! What is declared and not used: declarations, `use`s, parameters, `let`s, fields.
//!
//! A file without a `train` is there for others to use, so its declarations are used. A name that begins with `_` is meant
//! to be unused.

use super::{Seen, text};
use crate::diagnostics::{Diagnostics, Edit, advice as problems};
use crate::source::Span;
use crate::syntax::ast::{
    Callable, CallableKind, DimExpr, ExprKind, Item, ItemKind, Name, Output, Parameter, StmtKind, TrainItem, TypeExpr,
    TypeExprKind,
};
use std::collections::{BTreeSet, HashMap};

pub(super) fn unused(seen: &Seen<'_>, found: &mut Diagnostics) {
    let uses = Uses::of(seen);
    used_files(seen, &uses, found);
    if seen.trains().next().is_some() {
        declarations(seen, &uses, found);
        fields(seen, &uses, found);
    }
    for item in &seen.ast.items {
        if let ItemKind::Callable(callable) = &item.kind {
            parameters(&uses, item, callable, found);
        }
    }
    bindings(seen, &uses, found);
}

/// The names of the main file's expressions by place.
struct Uses<'a>(Vec<(u32, &'a str)>);

impl<'a> Uses<'a> {
    fn of(seen: &Seen<'a>) -> Uses<'a> {
        let ast = seen.ast;
        let mut names: Vec<(u32, &str)> = Vec::new();
        for expr in &ast.exprs {
            match &expr.kind {
                ExprKind::Name(name) => names.push((expr.span.start, name)),
                ExprKind::Rest(name) => names.push((name.span.start, &name.value)),
                _ => {}
            }
        }
        for item in &ast.items {
            match &item.kind {
                ItemKind::Train(train) => names.push((train.data.span.start, &train.data.value)),
                ItemKind::Callable(callable) => {
                    let inputs = callable.inputs.iter().chain(&callable.config).flatten();
                    let types = inputs.filter_map(|parameter| parameter.ty.as_ref());
                    let outputs = match &callable.output {
                        Some(Output::Type(ty)) => vec![ty],
                        Some(Output::Named { outputs, .. }) => outputs.iter().map(|(_, ty)| ty).collect(),
                        None => Vec::new(),
                    };
                    names.extend(types.chain(outputs).flat_map(rests));
                }
                ItemKind::Use(_) | ItemKind::Const { .. } | ItemKind::Data(_) | ItemKind::Error => {}
            }
        }
        names.sort_unstable();
        Uses(names)
    }

    /// The names between two places, in order.
    fn placed(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, &'a str)> {
        let from = self.0.partition_point(|(at, _)| *at < start);
        self.0[from..].iter().take_while(move |(at, _)| *at < end).copied()
    }

    fn within(&self, span: Span) -> impl Iterator<Item = &'a str> {
        self.placed(span.start, span.end).map(|(_, name)| name)
    }

    /// In which of the places each name is used.
    fn by_place(&self, places: impl Iterator<Item = Span>) -> HashMap<&'a str, Vec<usize>> {
        let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, place) in places.enumerate() {
            for name in self.within(place) {
                let users = users.entry(name).or_default();
                if users.last() != Some(&at) {
                    users.push(at);
                }
            }
        }
        users
    }
}

/// The `..s` of a type.
fn rests(ty: &TypeExpr) -> Vec<(u32, &str)> {
    let dims = match &ty.kind {
        TypeExprKind::Tensor(dims) => dims.as_slice(),
        TypeExprKind::Class { shape, .. } => shape.as_deref().unwrap_or_default(),
        TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Union(_) | TypeExprKind::Error => &[],
    };
    let names = dims.iter().filter_map(|dim| match dim {
        DimExpr::Rest(name) => Some((name.span.start, name.value.as_str())),
        DimExpr::Dim(_) => None,
    });
    names.collect()
}

fn is_meant(name: &Name) -> bool {
    name.value.starts_with('_')
}

/// The name and keyword of a declaration that others can name.
fn declared(item: &Item) -> Option<(&'static str, &Name)> {
    match &item.kind {
        ItemKind::Const { name, .. } => Some(("const", name)),
        ItemKind::Callable(callable) => Some((callable.kind.keyword(), &callable.name)),
        ItemKind::Data(data) => Some(("data", &data.name)),
        ItemKind::Use(_) | ItemKind::Train(_) | ItemKind::Error => None,
    }
}

/// `use`s of files of which nothing is named.
fn used_files(seen: &Seen<'_>, uses: &Uses<'_>, found: &mut Diagnostics) {
    let Some(main) = seen.program.units.last() else { return };
    let named: BTreeSet<&str> = uses.0.iter().map(|(_, name)| *name).collect();
    let items = seen.ast.items.iter().filter(|item| matches!(item.kind, ItemKind::Use(_)));
    for (item, unit) in items.zip(&main.uses) {
        let Some(unit) = seen.program.units.get(*unit) else { continue };
        let mut names = unit.ast.items.iter().filter_map(declared).map(|(_, name)| name.value.as_str());
        if !names.any(|name| named.contains(name)) {
            found.push(problems::unused_use(item.span, text::cut(seen.source(), item.span)));
        }
    }
}

/// Declarations that no `train` needs. Of several that need one another only those are reported that none of the others needs.
fn declarations(seen: &Seen<'_>, uses: &Uses<'_>, found: &mut Diagnostics) {
    let items = &seen.ast.items;
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut by_name: HashMap<&str, Vec<&Item>> = HashMap::new();
    for item in items {
        if let Some((_, name)) = declared(item) {
            by_name.entry(name.value.as_str()).or_default().push(item);
        }
    }
    let users = uses.by_place(items.iter().map(|item| item.span));
    let mut waiting: Vec<&Item> = seen.trains().map(|(item, _)| item).collect();
    while let Some(item) = waiting.pop() {
        for name in uses.within(item.span) {
            if reached.insert(name) {
                waiting.extend(by_name.get(name).into_iter().flatten());
            }
        }
    }
    for (at, item) in items.iter().enumerate() {
        let Some((keyword, name)) = declared(item) else { continue };
        if reached.contains(name.value.as_str()) || is_meant(name) {
            continue;
        }
        if users.get(name.value.as_str()).into_iter().flatten().any(|&user| user != at) {
            continue;
        }
        // What only this declaration needs would be the next that is not used.
        let alone = !uses.within(item.span).any(|name| !reached.contains(name) && by_name.contains_key(name));
        let removal = if alone { removal(seen, item) } else { Vec::new() };
        found.push(problems::unused_declaration(keyword, name, removal));
    }
}

/// Takes a declaration out with its documentation.
fn removal(seen: &Seen<'_>, item: &Item) -> Vec<Edit> {
    let source = seen.source();
    let mut start = item.span.start;
    let before = seen.ast.comments.partition_point(|comment| comment.span.end <= item.span.start);
    for comment in seen.ast.comments[..before].iter().rev().filter(|comment| comment.doc) {
        if !source.text[comment.span.end as usize..start as usize].trim().is_empty() {
            break;
        }
        start = comment.span.start;
    }
    text::cut(source, Span { start, ..item.span })
}

/// Fields that neither a model, a run nor another field names.
fn fields(seen: &Seen<'_>, uses: &Uses<'_>, found: &mut Diagnostics) {
    for item in &seen.ast.items {
        let ItemKind::Data(data) = &item.kind else { continue };
        let trains: Vec<(&Item, &TrainItem)> =
            seen.trains().filter(|(_, train)| train.data.value == data.name.value).collect();
        if trains.is_empty() {
            continue;
        }
        let mut used: BTreeSet<&str> = trains.iter().flat_map(|(item, _)| uses.within(item.span)).collect();
        for model in models(seen) {
            if used.contains(model.name.value.as_str()) {
                used.extend(model.inputs.iter().flatten().map(|input| input.name.value.as_str()));
            }
        }
        let users = uses.by_place(data.fields.iter().map(|field| field.span));
        for (at, field) in data.fields.iter().enumerate().filter(|(_, field)| field.ty.is_some()) {
            let name = field.name.value.as_str();
            let by_another_field = users.get(name).into_iter().flatten().any(|&user| user != at);
            if !used.contains(name) && !is_meant(&field.name) && !by_another_field {
                let removal = text::cut(seen.source(), field.span);
                found.push(problems::unused_field(&field.name, &data.name.value, removal));
            }
        }
    }
}

/// The models of the program's own files.
fn models<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Callable> {
    let items = seen.program.units.iter().filter(|unit| !unit.prelude).flat_map(|unit| &unit.ast.items);
    items.filter_map(|item| match &item.kind {
        ItemKind::Callable(callable) if callable.kind == CallableKind::Model => Some(callable),
        _ => None,
    })
}

/// Configuration and inputs that the body and the types do not name.
fn parameters(uses: &Uses<'_>, item: &Item, callable: &Callable, found: &mut Diagnostics) {
    let named: BTreeSet<&str> = uses.within(item.span).collect();
    let owner = &callable.name.value;
    let is_unused =
        |parameter: &&Parameter| !named.contains(parameter.name.value.as_str()) && !is_meant(&parameter.name);
    for parameter in callable.config.iter().flatten().filter(is_unused) {
        found.push(problems::unused_parameter("parameter", &parameter.name, owner, Vec::new()));
    }
    for input in callable.inputs.iter().flatten().filter(is_unused) {
        // A model's inputs are matched to the data by their names, all others by position.
        let rename = match callable.kind {
            CallableKind::Model => Vec::new(),
            _ => Edit::replace(input.name.span, format!("_{}", input.name.value)),
        };
        found.push(problems::unused_parameter("input", &input.name, owner, rename));
    }
}

/// Values, parameters and states that nothing reads.
fn bindings(seen: &Seen<'_>, uses: &Uses<'_>, found: &mut Diagnostics) {
    for expr in &seen.ast.exprs {
        let ExprKind::Block(statements) = &expr.kind else { continue };
        // Where each name is used last.
        let last: HashMap<&str, u32> =
            uses.placed(expr.span.start, expr.span.end).map(|(at, name)| (name, at)).collect();
        for statement in statements {
            let (keyword, names) = match &statement.kind {
                StmtKind::Let { names, .. } => ("let", names.as_slice()),
                StmtKind::Param { name, .. } => ("param", std::slice::from_ref(name)),
                StmtKind::State { name, .. } => ("state", std::slice::from_ref(name)),
                StmtKind::Next { .. } | StmtKind::Emit(_) | StmtKind::Expr(_) | StmtKind::Error => continue,
            };
            let is_read = |name: &Name| last.get(name.value.as_str()).is_some_and(|&last| last >= statement.span.end);
            let needed = names.iter().any(|name| is_read(name) || is_meant(name));
            let Some(first) = names.first().filter(|_| !needed) else { continue };
            found.push(problems::unused_name(keyword, first, text::cut(seen.source(), statement.span)));
        }
    }
}
