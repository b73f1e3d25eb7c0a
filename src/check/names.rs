//! Files, declarations and the names they bring.
//!
//! A name is looked up among the file's own declarations, then those of the files it uses, then the prelude's, and among the
//! kinds that its place asks for: `constant` is a schedule behind `schedule =` and an initialisation behind `param`.

use super::CheckOptions;
use crate::diagnostics::{Diagnostics, names as problems, nearest};
use crate::prelude;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Ast, Callable, CallableKind, DataItem, ExprId, Item, ItemKind, Name, TrainItem, UseTarget};
use std::collections::{HashMap, HashSet};

/// A file of a program with the files it uses.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The file.
    pub ast: Ast,
    /// Indices into [`Program::units`] of the files its `use` declarations name, in order.
    pub uses: Vec<usize>,
    /// Whether it is part of the prelude.
    pub prelude: bool,
}

/// All files of a program: the prelude's, those used, the main file last.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The files.
    pub units: Vec<Unit>,
}

/// What a `use` asks for.
#[derive(Clone, Copy, Debug)]
pub struct UseRequest<'u> {
    /// The file that asks.
    pub from: FileId,
    /// What it asks for.
    pub target: &'u UseTarget,
}

impl UseTarget {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            UseTarget::Path(path) => path.span,
            UseTarget::Module(names) => match (names.first(), names.last()) {
                (Some(first), Some(last)) => first.span.to(last.span),
                _ => Span::default(),
            },
        }
    }
}

/// Reads the files that a program uses, each once. `parse` gives the tree of a file or says why there is none; the files are
/// told apart by their [`FileId`], so `parse` gives the same id for the same file.
pub fn resolve_uses(
    program: &mut Program,
    main: Ast,
    parse: &mut dyn FnMut(UseRequest<'_>, &mut Diagnostics) -> Option<Used>,
    diagnostics: &mut Diagnostics,
) {
    let mut done: HashMap<FileId, usize> = HashMap::new();
    // A file is finished when all it uses is; the stack holds the files being read with the place they have come to.
    let mut stack: Vec<(Unit, usize)> = vec![(Unit { ast: main, uses: Vec::new(), prelude: false }, 0)];
    while let Some((unit, at)) = stack.last_mut() {
        let Some(item) = unit.ast.items.get(*at) else {
            let (unit, _) = stack.pop().expect("the stack holds the unit just looked at");
            let (file, index) = (unit.ast.file, program.units.len());
            program.units.push(unit);
            done.insert(file, index);
            if let Some((parent, _)) = stack.last_mut() {
                parent.uses.push(index);
            }
            continue;
        };
        *at += 1;
        let ItemKind::Use(target) = &item.kind else { continue };
        let (target, from) = (target.clone(), unit.ast.file);
        let mended = |place: &Span| place.start < target.span().end && target.span().start < place.end;
        if unit.ast.repaired.iter().any(mended) {
            continue;
        }
        match parse(UseRequest { from, target: &target }, diagnostics) {
            None => {}
            Some(Used::Known(file)) => match done.get(&file) {
                Some(&index) => stack.last_mut().expect("the stack is not empty").0.uses.push(index),
                None => diagnostics.push(problems::use_cycle(target.span())),
            },
            Some(Used::New(ast)) => stack.push((Unit { ast, uses: Vec::new(), prelude: false }, 0)),
        }
    }
}

/// The answer to a [`UseRequest`].
#[derive(Debug)]
pub enum Used {
    /// A file that was handed out before.
    Known(FileId),
    /// A file read for the first time.
    New(Ast),
}

/// A declaration of a program: an index into [`Globals::declarations`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct DeclId(pub(super) u32);

/// What a declaration is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Declared<'a> {
    /// `const`.
    Const(ExprId),
    /// `fn` … `model`.
    Callable(&'a Callable),
    /// `data`.
    Data(&'a DataItem),
}

/// A declaration with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declaration<'a> {
    /// The file's index among the units.
    pub(super) unit: usize,
    /// Its name.
    pub(super) name: &'a Name,
    /// All of it.
    pub(super) item: &'a Item,
    /// What it is.
    pub(super) what: Declared<'a>,
}

impl<'a> Declaration<'a> {
    /// The keyword.
    pub(super) fn keyword(&self) -> &'static str {
        match self.what {
            Declared::Const(_) => "const",
            Declared::Callable(callable) => callable.kind.keyword(),
            Declared::Data(_) => "data",
        }
    }

    /// The callable, where it is one.
    pub(super) fn callable(&self) -> Option<&'a Callable> {
        match self.what {
            Declared::Callable(callable) => Some(callable),
            Declared::Const(_) | Declared::Data(_) => None,
        }
    }

    fn group(&self) -> Group {
        match self.what {
            Declared::Const(_) => Group::Value,
            Declared::Callable(callable) => Group::of(callable.kind),
            Declared::Data(_) => Group::Data,
        }
    }
}

/// Kinds that share one space of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Group {
    /// What expressions are made of: constants, functions, activations, layers, models.
    Value,
    /// Losses.
    Loss,
    /// Metrics.
    Metric,
    /// Penalties.
    Penalty,
    /// Initialisations.
    Init,
    /// Schedules.
    Schedule,
    /// Optimizers.
    Optimizer,
    /// Data.
    Data,
}

impl Group {
    /// The group of a kind.
    pub(super) fn of(kind: CallableKind) -> Group {
        match kind {
            CallableKind::Fn | CallableKind::Activation | CallableKind::Layer | CallableKind::Model => Group::Value,
            CallableKind::Loss => Group::Loss,
            CallableKind::Metric => Group::Metric,
            CallableKind::Penalty => Group::Penalty,
            CallableKind::Init => Group::Init,
            CallableKind::Schedule => Group::Schedule,
            CallableKind::Optimizer => Group::Optimizer,
        }
    }

    /// Where a name is looked up that stands in a place for this group, in order.
    fn fitting(self) -> &'static [Group] {
        match self {
            Group::Value => &[Group::Value],
            Group::Loss => &[Group::Loss, Group::Value],
            Group::Metric => &[Group::Metric, Group::Loss, Group::Value],
            Group::Penalty => &[Group::Penalty, Group::Value],
            Group::Init => &[Group::Init, Group::Value],
            Group::Schedule => &[Group::Schedule, Group::Value],
            Group::Optimizer => &[Group::Optimizer, Group::Value],
            Group::Data => &[Group::Data],
        }
    }
}

/// All declarations and where each name leads in each file.
#[derive(Debug, Default)]
pub(super) struct Globals<'a> {
    /// The declarations, in the order of the units.
    pub(super) declarations: Vec<Declaration<'a>>,
    /// The `train` declarations of the main file.
    pub(super) trains: Vec<(&'a Item, &'a TrainItem)>,
    /// The index of the main file.
    pub(super) main: usize,
    own: Vec<HashMap<&'a str, Vec<DeclId>>>,
    prelude: HashMap<&'a str, Vec<DeclId>>,
    uses: Vec<&'a [usize]>,
}

impl<'a> Globals<'a> {
    /// Collects the declarations; two of one name in one file are reported.
    pub(super) fn collect(
        program: &'a Program,
        options: &CheckOptions<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Globals<'a> {
        let mut globals = Globals { main: program.units.len().saturating_sub(1), ..Globals::default() };
        for (unit, file) in program.units.iter().enumerate() {
            globals.uses.push(&file.uses);
            let mut own: HashMap<&str, Vec<DeclId>> = HashMap::new();
            let broken: HashSet<Span> = file.ast.broken.iter().map(|name| name.span).collect();
            for item in &file.ast.items {
                let (name, what) = match &item.kind {
                    ItemKind::Const { name, value } => (name, Declared::Const(*value)),
                    ItemKind::Callable(callable) if broken.contains(&callable.name.span) => continue,
                    ItemKind::Callable(callable) => (&callable.name, Declared::Callable(callable)),
                    ItemKind::Data(data) => (&data.name, Declared::Data(data)),
                    ItemKind::Train(train) => {
                        if unit == globals.main {
                            globals.trains.push((item, train));
                        }
                        continue;
                    }
                    ItemKind::Use(_) | ItemKind::Error => continue,
                };
                let declaration = Declaration { unit, name, item, what };
                let id = DeclId(globals.declarations.len() as u32);
                let same = own.entry(&name.value).or_default();
                let earlier = same.iter().map(|&other| &globals.declarations[other.0 as usize]);
                if let Some(first) = earlier.into_iter().find(|other| other.group() == declaration.group()) {
                    diagnostics.push(problems::duplicate_declaration(name, first.name.span));
                }
                same.push(id);
                if file.prelude {
                    globals.prelude.entry(&name.value).or_default().push(id);
                }
                globals.declarations.push(declaration);
            }
            globals.own.push(own);
        }
        globals.check_overrides(options, diagnostics);
        globals
    }

    fn check_overrides(&self, options: &CheckOptions<'_>, diagnostics: &mut Diagnostics) {
        let constants: Vec<&str> = self
            .declarations
            .iter()
            .filter(|d| matches!(d.what, Declared::Const(_)))
            .map(|d| d.name.value.as_str())
            .collect();
        for (name, _) in &options.overrides {
            if !constants.contains(&name.as_str()) {
                diagnostics.push(problems::unknown_override(name, nearest(name, constants.iter().copied())));
            }
        }
    }

    /// The declaration of that id.
    pub(super) fn get(&self, id: DeclId) -> &Declaration<'a> {
        &self.declarations[id.0 as usize]
    }

    /// What a name means in a file at a place that asks for `group`. A declaration sees another of its own name in a group
    /// that fits as well before it sees itself: the metric `mae` may be written with the loss `mae`.
    pub(super) fn find(&self, unit: usize, name: &str, group: Group, present: Option<DeclId>) -> Option<DeclId> {
        let levels = self.levels(unit, name);
        let mut itself = None;
        for wanted in group.fitting() {
            match levels.iter().find_map(|ids| ids.iter().copied().find(|&id| self.get(id).group() == *wanted)) {
                Some(id) if Some(id) == present => itself = itself.or(Some(id)),
                Some(id) => return Some(id),
                None => {}
            }
        }
        itself
    }

    /// What a name means in a file, whatever the place asks for.
    pub(super) fn find_any(&self, unit: usize, name: &str) -> Option<DeclId> {
        self.levels(unit, name).first().and_then(|ids| ids.first().copied())
    }

    /// The declarations of a name that a file sees: its own, those of the files it uses, the prelude's.
    fn levels(&self, unit: usize, name: &str) -> Vec<&Vec<DeclId>> {
        let own = self.own.get(unit).and_then(|names| names.get(name));
        let used = self.uses.get(unit).into_iter().flat_map(|uses| uses.iter().rev());
        let used = used.filter_map(|&other| self.own.get(other)?.get(name));
        own.into_iter().chain(used).chain(self.prelude.get(name)).collect()
    }

    /// The names a file sees, of the groups that fit the place; all of the prelude's, those that were not needed too.
    pub(super) fn visible(&self, unit: usize, groups: &[Group]) -> Vec<&'a str> {
        let visible = |declaration: &&Declaration<'a>| {
            let reached =
                declaration.unit == unit || self.uses.get(unit).is_some_and(|uses| uses.contains(&declaration.unit));
            reached && groups.contains(&declaration.group())
        };
        let own = self.declarations.iter().filter(visible).map(|declaration| declaration.name.value.as_str());
        let fits = |entry: &&prelude::Entry| {
            CallableKind::of_keyword(entry.keyword).is_some_and(|kind| groups.contains(&Group::of(kind)))
        };
        own.chain(prelude::entries().iter().filter(fits).map(|entry| entry.name)).collect()
    }
}

/// The candidate nearest to a misspelt name, if one is near.
pub(super) fn closest<'n>(name: &str, candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    nearest(name, candidates.into_iter())
}
