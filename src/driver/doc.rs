//! `nnc doc`: what declarations say of themselves, and what is said of the primitives.

use super::{Failure, Settings, check_file, check_source};
use crate::check::Program;
use crate::check::hir::Declaration;
use crate::check::manual::MANUAL;
use crate::diagnostics::nearest;
use crate::prelude;
use crate::source::{SHIPPED, Sources, Span};
use crate::syntax::ast::{ItemKind, Parameter};
use std::path::Path;

/// The documentation of a name.
#[derive(Clone, Debug)]
pub struct Doc {
    /// The name.
    pub name: String,
    /// The keyword of its declaration, or for a primitive the heading it stands under.
    pub kind: String,
    /// The head as written, on one line.
    pub signature: String,
    /// Its documentation.
    pub doc: Option<String>,
    /// The file and the line of its declaration; of a primitive there is none.
    pub place: Option<(String, usize)>,
    /// Its configuration.
    pub configuration: Vec<Argument>,
    /// Its tensors.
    pub inputs: Vec<Argument>,
}

/// A parameter, as written.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Option<String>,
    /// Its default.
    pub default: Option<String>,
}

impl Doc {
    /// The first sentence of the documentation.
    pub fn summary(&self) -> String {
        let text = self.doc.as_deref().unwrap_or_default().replace('\n', " ");
        let end = text.find(". ").map_or(text.len(), |at| at + 1);
        text[..end].trim().to_owned()
    }
}

/// Everything that is documented: of a file its own declarations and those it uses; without one what is shipped.
pub fn docs(path: Option<&Path>, settings: &Settings) -> Result<Vec<Doc>, Failure> {
    let modules = prelude::MODULES.iter().map(|(name, _)| format!("use std.{name}\n"));
    let checked = match path {
        Some(path) => check_file(path, settings, false),
        None => {
            let whole = Settings { whole_prelude: true, ..Settings::default() };
            check_source("std.nn", &modules.collect::<String>(), None, &whole)
        }
    };
    if checked.program.units.is_empty() {
        return Err(Failure { sources: checked.sources, diagnostics: checked.diagnostics });
    }
    let declarations = checked.hir.declarations.iter();
    let own = |declaration: &&Declaration| {
        path.is_none() || !checked.sources.get(declaration.span.file).name.starts_with(SHIPPED)
    };
    let shown = declarations.filter(own).map(|declaration| doc(declaration, &checked.program, &checked.sources));
    let primitives = MANUAL.iter().filter(|_| path.is_none()).map(|entry| Doc {
        name: entry.name.to_owned(),
        kind: entry.kind.to_owned(),
        signature: entry.signature.to_owned(),
        doc: Some(entry.doc.to_owned()),
        place: None,
        configuration: Vec::new(),
        inputs: Vec::new(),
    });
    Ok(shown.chain(primitives).collect())
}

/// What a name stands for: in the file, else among what is shipped; where it stands for nothing, the name it resembles.
pub fn doc_of(
    name: &str,
    path: Option<&Path>,
    settings: &Settings,
) -> Result<Result<Vec<Doc>, Option<String>>, Failure> {
    let mut known = match path {
        Some(path) => docs(Some(path), settings)?,
        None => Vec::new(),
    };
    known.extend(docs(None, settings)?);
    let found: Vec<Doc> = known.iter().filter(|doc| doc.name == name).cloned().collect();
    Ok(match found.is_empty() {
        true => Err(nearest(name, known.iter().map(|doc| doc.name.as_str())).map(str::to_owned)),
        false => Ok(found),
    })
}

fn doc(declaration: &Declaration, program: &Program, sources: &Sources) -> Doc {
    let source = sources.get(declaration.span.file);
    let line = source.position(declaration.span.start).line + source.first_line;
    let items = program.units.iter().filter(|unit| unit.ast.file == declaration.span.file);
    let item = items.flat_map(|unit| unit.ast.items.iter().map(move |item| (unit, item)));
    let callable = item.filter(|(_, item)| item.span == declaration.span).find_map(|(unit, item)| match &item.kind {
        ItemKind::Callable(callable) => Some((unit, callable)),
        ItemKind::Const { .. } | ItemKind::Data(_) | ItemKind::Train(_) | ItemKind::Use(_) | ItemKind::Error => None,
    });
    let text = |span: Span| source.slice(span).split_whitespace().collect::<Vec<_>>().join(" ");
    let arguments = |list: Option<&Vec<Parameter>>| {
        let argument = |parameter: &Parameter| Argument {
            name: parameter.name.value.clone(),
            ty: parameter.ty.as_ref().map(|ty| text(ty.span)),
            default: parameter.default.and_then(|default| Some(text(callable?.0.ast[default].span))),
        };
        list.into_iter().flatten().map(argument).collect()
    };
    Doc {
        name: declaration.name.value.clone(),
        kind: declaration.keyword.to_owned(),
        signature: declaration.signature.clone(),
        doc: declaration.doc.clone(),
        place: Some((source.name.clone(), line)),
        configuration: arguments(callable.and_then(|(_, callable)| callable.config.as_ref())),
        inputs: arguments(callable.and_then(|(_, callable)| callable.inputs.as_ref())),
    }
}
