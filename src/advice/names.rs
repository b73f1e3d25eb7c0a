//! Names against convention: `CamelCase` for models and data, `snake_case` for all else.
//!
//! Short names and capitals are those of formulas (`W`, `Wx`, `dX`, `W_q`) and pass among parameters, inputs and `let`s; a
//! constant may be in capitals. A name is reported where it is first bound; the fix renames every use in the file.

use super::{Seen, text};
use crate::check::hir::ColumnSelector;
use crate::diagnostics::{Diagnostics, Edit, advice as problems};
use crate::syntax::ast::{Callable, CallableKind, ExprKind, ItemKind, Name, Output, StmtKind};
use std::collections::BTreeSet;

/// How a name should be written.
#[derive(Clone, Copy)]
enum Style {
    Camel,
    Snake,
    /// A constant: `rate` or `RATE`.
    Constant,
    /// A value in a body: as formulas have it, too.
    Formula,
}

/// A segment of at most this many letters is a formula's.
const SHORT: usize = 3;

/// For each fix the text is searched; a file with more such names has another convention.
const MOST_RENAMED: usize = 200;

pub(super) fn names(seen: &Seen<'_>, found: &mut Diagnostics) {
    let mut bound = bound(seen);
    bound.sort_by_key(|(name, ..)| name.span);
    let mut reported = BTreeSet::new();
    for (name, what, style) in bound {
        let core = name.value.trim_start_matches('_');
        if core.is_empty() || fits(core, style) || !reported.insert(name.value.as_str()) {
            continue;
        }
        let (wanted, called) = match style {
            Style::Camel => (camel(core), "CamelCase"),
            Style::Snake | Style::Constant | Style::Formula => (snake(core), "snake_case"),
        };
        let underscores = &name.value[..name.value.len() - core.len()];
        let wanted = format!("{underscores}{wanted}");
        let rename = if reported.len() <= MOST_RENAMED { rename(seen, &name.value, &wanted) } else { Vec::new() };
        found.push(problems::name_style(name, what, &wanted, called, rename));
    }
}

/// Every name that the file binds, with what it is.
fn bound<'a>(seen: &Seen<'a>) -> Vec<(&'a Name, &'static str, Style)> {
    let mut bound: Vec<(&Name, &str, Style)> = Vec::new();
    for item in &seen.ast.items {
        match &item.kind {
            ItemKind::Const { name, .. } => bound.push((name, "constant", Style::Constant)),
            ItemKind::Callable(callable) => bound.extend(signature(callable)),
            ItemKind::Data(data) => {
                bound.push((&data.name, "data", Style::Camel));
                let typed = data.fields.iter().filter(|field| field.ty.is_some());
                bound.extend(typed.map(|field| (&field.name, "field", Style::Formula)));
            }
            ItemKind::Use(_) | ItemKind::Train(_) | ItemKind::Error => {}
        }
    }
    for expr in &seen.ast.exprs {
        match &expr.kind {
            ExprKind::Block(statements) => {
                for statement in statements {
                    match &statement.kind {
                        StmtKind::Let { names, .. } => {
                            bound.extend(names.iter().map(|name| (name, "value", Style::Formula)));
                        }
                        StmtKind::Param { name, .. } => bound.push((name, "parameter", Style::Formula)),
                        StmtKind::State { name, .. } => bound.push((name, "state", Style::Formula)),
                        StmtKind::Next { .. } | StmtKind::Emit(_) | StmtKind::Expr(_) | StmtKind::Error => {}
                    }
                }
            }
            ExprKind::Scan { over, from, .. } => {
                bound.extend(over.iter().chain(from).map(|(name, _)| (name, "value", Style::Formula)));
            }
            _ => {}
        }
    }
    bound
}

/// The names in a callable's head.
fn signature(callable: &Callable) -> Vec<(&Name, &'static str, Style)> {
    let style = if callable.kind == CallableKind::Model { Style::Camel } else { Style::Snake };
    let mut bound = vec![(&callable.name, callable.kind.keyword(), style)];
    let config = callable.config.iter().flatten().map(|parameter| (&parameter.name, "parameter", Style::Formula));
    let inputs = callable.inputs.iter().flatten().map(|input| (&input.name, "input", Style::Formula));
    bound.extend(config.chain(inputs));
    if let Some(Output::Named { outputs, .. }) = &callable.output {
        bound.extend(outputs.iter().map(|(name, _)| (name, "output", Style::Formula)));
    }
    bound
}

fn fits(name: &str, style: Style) -> bool {
    let lower = |segment: &str| !segment.bytes().any(|byte| byte.is_ascii_uppercase());
    let upper = |segment: &str| !segment.bytes().any(|byte| byte.is_ascii_lowercase());
    match style {
        Style::Camel => {
            let joined = name.as_bytes().windows(2).all(|pair| pair[0] != b'_' || !pair[1].is_ascii_lowercase());
            name.starts_with(|first: char| first.is_ascii_uppercase()) && joined
        }
        Style::Snake => lower(name),
        Style::Constant => lower(name) || upper(name),
        Style::Formula => name.split('_').all(|part| lower(part) || upper(part) || part.len() <= SHORT),
    }
}

/// `HiddenSize` and `hiddenSize` as `hidden_size`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut written = String::new();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let begins = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let acronym_ends = letters.get(at + 1).is_some_and(char::is_ascii_lowercase);
                before != '_' && (!before.is_ascii_uppercase() || acronym_ends)
            });
        if begins {
            written.push('_');
        }
        written.push(letter.to_ascii_lowercase());
    }
    written
}

/// `small_net` as `SmallNet`.
fn camel(name: &str) -> String {
    let segments = name.split('_').filter(|segment| !segment.is_empty());
    segments.map(|segment| segment[..1].to_ascii_uppercase() + &segment[1..]).collect()
}

/// The edits that rename every use; none where that could change what the program means.
fn rename(seen: &Seen<'_>, name: &str, wanted: &str) -> Vec<Edit> {
    let source = seen.source();
    let words = text::words(source);
    let is_column = seen.hir.data.iter().flat_map(|data| &data.columns).any(|column| match &column.selector {
        ColumnSelector::Name(column) => column == name,
        ColumnSelector::Names(columns) => columns.iter().any(|column| column == name),
        ColumnSelector::Index(_) | ColumnSelector::Indices(_) | ColumnSelector::Pattern(_) => false,
    });
    // A path of a parameter, as in `l2(1e-4) on "tower.*"`.
    let in_text = seen.ast.exprs.iter().any(|expr| matches!(&expr.kind, ExprKind::String(text) if text.contains(name)));
    let elsewhere = seen.program.units.iter().rev().skip(1).any(|unit| {
        let used = seen.sources.get(unit.ast.file);
        text::words(used).iter().any(|(_, word)| *word == name || *word == wanted)
    });
    let taken = words.iter().any(|(_, word)| *word == wanted) || crate::check::is_primitive(wanted);
    if is_column || in_text || elsewhere || taken {
        return Vec::new();
    }
    let uses = words.into_iter().filter(|(_, word)| *word == name);
    uses.map(|(span, _)| Edit { span, text: wanted.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Style, camel, fits, snake};

    #[test]
    fn names_are_written_in_the_other_style() {
        assert_eq!(snake("hiddenSize"), "hidden_size");
        assert_eq!(snake("MLPBlock2"), "mlp_block2");
        assert_eq!(snake("My_layer"), "my_layer");
        assert_eq!(camel("small_net"), "SmallNet");
        assert_eq!(camel("net"), "Net");
    }

    #[test]
    fn formulas_have_their_own_names() {
        for name in ["W", "Wx", "W_q", "dX", "x_t", "QK", "h2"] {
            assert!(fits(name, Style::Formula), "{name}");
        }
        assert!(!fits("hiddenSize", Style::Formula));
        assert!(fits("ResNet_50", Style::Camel));
        assert!(fits("MNIST", Style::Camel));
    }
}
