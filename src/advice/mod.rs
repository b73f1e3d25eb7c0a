//! Advice: warnings about programs that run and look as if something else was meant.
//!
//! In: a program without errors and its typed form. Out: warnings, in the order of the rules below; those that a comment
//! `// allow: code` covers are left out. Nothing is executed and no row is read here: what depends on rows is asked for by
//! the driver once they are counted ([`after_counting`]).
//!
//! No layer, activation or loss is known by name. What a rule has to know of a formula it finds in the formula.
//! A warning that is wrong costs more than one that is missing, so a rule that is in doubt is silent.

mod allow;
mod gradient;
mod inits;
mod layers;
mod losses;
mod names;
mod ranges;
mod reach;
mod runs;
mod samples;
mod scalar;
mod text;
mod unused;

use crate::check::hir::{Hir, Run};
use crate::check::{Program, Unit};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{Source, Sources};
use crate::syntax::ast::{Ast, Field, Item, ItemKind, TrainItem};
use samples::Rows;
use std::collections::BTreeMap;

pub use allow::silenced;

/// A checked program as the rules see it.
struct Seen<'a> {
    program: &'a Program,
    sources: &'a Sources,
    hir: &'a Hir,
    /// The main file's tree: advice is about it.
    ast: &'a Ast,
}

impl<'a> Seen<'a> {
    fn new(program: &'a Program, sources: &'a Sources, hir: &'a Hir) -> Option<Seen<'a>> {
        let main: &Unit = program.units.last()?;
        Some(Seen { program, sources, hir, ast: &main.ast })
    }

    /// The main file.
    fn source(&self) -> &'a Source {
        self.sources.get(self.ast.file)
    }

    /// The main file's `train` declarations.
    fn trains(&self) -> impl Iterator<Item = (&'a Item, &'a TrainItem)> {
        self.ast.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Train(train) => Some((item, train)),
            ItemKind::Use(_) | ItemKind::Const { .. } | ItemKind::Callable(_) | ItemKind::Data(_) | ItemKind::Error => {
                None
            }
        })
    }

    /// The declaration that a run is of.
    fn train(&self, run: &Run) -> Option<&'a TrainItem> {
        self.trains().find(|(item, _)| item.span == run.span).map(|(_, train)| train)
    }
}

/// The field of that name.
fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name.value == name)
}

/// The advice on a program in which no error was found.
pub fn advise(program: &Program, sources: &Sources, hir: &Hir) -> Vec<Diagnostic> {
    let Some(seen) = Seen::new(program, sources, hir) else { return Vec::new() };
    let mut found = Diagnostics::new();
    names::names(&seen, &mut found);
    unused::unused(&seen, &mut found);
    runs::runs(&seen, &mut found);
    gradient::flat(&seen, &mut found);
    inits::inits(&seen, &mut found);
    let rows: Vec<BTreeMap<&str, Rows>> = hir.data.iter().map(samples::samples).collect();
    for run in &hir.runs {
        let known = &rows[run.data];
        let spreads: BTreeMap<&str, Spread> = known
            .iter()
            .filter_map(|(name, rows)| Some((*name, Spread::of(rows.iter().flatten().copied())?)))
            .collect();
        losses::losses(&seen, run, &spreads, &mut found);
        reach::reach(&seen, run, known, &mut found);
        reach::unreached_targets(&seen, run, &spreads, &mut found);
    }
    layers::ends(&seen, &mut found);
    allow::allowed(program, sources, found.into_sorted())
}

/// What is known of a data declaration once its rows are read.
#[derive(Clone, PartialEq, Debug)]
pub struct Counted {
    /// Index into [`Hir::data`].
    pub data: usize,
    /// How many rows are for training.
    pub training_rows: usize,
    /// Where the numbers of its fields lie.
    pub spreads: BTreeMap<String, Spread>,
}

/// Where numbers lie.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The least and the greatest.
    pub ends: [f64; 2],
    /// One in twenty is less than the first, one in twenty greater than the second.
    pub most: [f64; 2],
    /// Whether they are 0 and 1, and both.
    pub yes_or_no: bool,
}

impl Spread {
    /// That of the finite ones among some numbers; `None` where there are none.
    pub fn of(numbers: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
        numbers.sort_by(f64::total_cmp);
        let (first, last) = (*numbers.first()?, *numbers.last()?);
        let twentieth = numbers.len() / 20;
        Some(Spread {
            ends: [first, last],
            most: [numbers[twentieth], numbers[numbers.len() - 1 - twentieth]],
            yes_or_no: first == 0.0 && last == 1.0 && numbers.iter().all(|number| *number == 0.0 || *number == 1.0),
        })
    }
}

/// The advice on the runs of a data declaration whose rows were counted, but what [`advise`] said before; nothing of it is
/// [`silenced`] yet.
pub fn after_counting(program: &Program, sources: &Sources, hir: &Hir, counted: &Counted) -> Vec<Diagnostic> {
    let Some(seen) = Seen::new(program, sources, hir) else { return Vec::new() };
    let mut found = Diagnostics::new();
    runs::counted(&seen, counted, &mut found);
    let known = samples::samples(&hir.data[counted.data]);
    let spreads: BTreeMap<&str, Spread> = (counted.spreads.iter())
        .filter(|(name, _)| !known.contains_key(name.as_str()))
        .map(|(name, spread)| (name.as_str(), *spread))
        .collect();
    for run in hir.runs.iter().filter(|run| run.data == counted.data) {
        losses::of_answers(&seen, run, &spreads, &mut found);
        reach::unreached_targets(&seen, run, &spreads, &mut found);
    }
    found.into_sorted()
}
