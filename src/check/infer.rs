//! The walker: types through the body of a declaration, symbolic or with numbers.
//!
//! One walk serves both. Where a declaration stands its dimensions are names and nothing is written down; at a use every
//! dimension is a number and the walk writes a [`hir::Body`](super::hir::Body). Compile-time values (numbers, texts,
//! declarations and layers not yet applied) are evaluated by the walker itself, so calls are put in place, `repeat` is carried out and
//! a compile-time `if` takes one branch. What went wrong is [`Value::Unknown`], which agrees with everything.

use super::CheckOptions;
use super::body::{Builder, PathScope};
use super::dim::Dim;
use super::hir::{Elementwise, HirOp};
use super::names::{DeclId, Globals, Program};
use super::types::{Callable, ListItem, Shape, Tensor, Type, Value};
use crate::diagnostics::{Diagnostic, Diagnostics, Label, names as name_problems, shapes as problems};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{
    Argument as AstArgument, Ast, BinaryOp, CallableKind, ExprId, ExprKind, Infix, Parameter, TypeExprKind, UnaryOp,
};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What a place expects of an expression, where that changes what the expression means.
#[derive(Clone, Debug)]
pub(super) enum Want {
    /// Nothing in particular.
    Any,
    /// A whole number: `/` rounds down.
    Int,
    /// A list of whole numbers.
    Shape,
    /// A declaration of that kind.
    Kind(CallableKind),
    /// A tensor of that type.
    Type(Type),
    /// A case of an enumeration.
    Words(Rc<[Rc<str>]>),
    /// A case of an enumeration, or whole numbers.
    WordsOrNumbers(Rc<[Rc<str>]>),
}

impl Want {
    /// The cases asked for.
    pub(super) fn words(&self) -> &[Rc<str>] {
        match self {
            Want::Words(words) | Want::WordsOrNumbers(words) => words,
            Want::Any | Want::Int | Want::Shape | Want::Kind(_) | Want::Type(_) => &[],
        }
    }
}

/// What the expressions of a place see besides the language: the fields of a `data` block, the outputs of a trained model.
pub(super) trait Hooks<'a> {
    /// The value of a name that no `let` binds; `None` where it is none of this place's names.
    fn name(&self, walker: &mut Walker<'a>, name: &str, span: Span, want: &Want) -> Option<Value>;

    /// The value of a call of a name that no `let` binds; the arguments are not evaluated yet.
    fn call(&self, walker: &mut Walker<'a>, call: &HookedCall<'a>, want: &Want) -> Option<Value>;

    /// The value piped into a name that no `let` binds; `None` where that name is none of this place's calls.
    fn pipe(&self, walker: &mut Walker<'a>, value: &Value, at: Span, name: &str, span: Span) -> Option<Value> {
        let _ = (walker, value, at, name, span);
        None
    }

    /// The names this place adds, for suggestions.
    fn names(&self) -> Vec<String>;
}

/// A call as the tree has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HookedCall<'a> {
    /// The name called.
    pub(super) name: &'a str,
    /// Where the name stands.
    pub(super) name_span: Span,
    /// The arguments.
    pub(super) arguments: &'a [AstArgument],
    /// All of the call.
    pub(super) span: Span,
}

/// A name bound in a body.
#[derive(Clone, Debug)]
pub(super) struct Local {
    /// What it stands for.
    pub(super) value: Value,
    /// Where it is bound.
    pub(super) span: Span,
    /// What gave a dimension its number.
    pub(super) cause: Option<Span>,
}

/// A declaration being walked.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// The file of its text, an index into the program's units.
    pub(super) unit: usize,
    /// The declaration; none for a `train` or `data` block.
    pub(super) decl: Option<DeclId>,
    /// Its kind.
    pub(super) kind: Option<CallableKind>,
    /// The names bound, block by block.
    pub(super) scopes: Vec<HashMap<Rc<str>, Local>>,
    /// Where it is called.
    pub(super) call: Option<Span>,
    /// Whether the walk is in its body; before, it is binding arguments, and problems are the caller's.
    pub(super) entered: bool,
    /// Its states by name: number, type and place.
    pub(super) states: HashMap<Rc<str>, (usize, Type, Span)>,
    /// The new value of an optimizer's `param`.
    pub(super) next_param: Option<Value>,
    /// The `scan` blocks being walked.
    pub(super) scans: Vec<ScanFrame>,
}

impl Frame {
    /// The dimensions that its inputs bound, with their numbers.
    fn bound_dimensions(&self) -> Vec<(String, i64)> {
        let bound = self.scopes.first().into_iter().flatten().filter_map(|(name, local)| match &local.value {
            Value::Int(Dim::Known(number)) if local.cause.is_some() => Some((name.to_string(), *number)),
            _ => None,
        });
        let mut bound: Vec<(String, i64)> = bound.collect();
        bound.sort();
        bound
    }
}

/// A `scan` being walked.
#[derive(Debug, Default)]
pub(super) struct ScanFrame {
    /// Its states: name, type, place, next value.
    pub(super) states: Vec<(Rc<str>, Type, Span, Option<Tensor>)>,
    /// What it emits.
    pub(super) emitted: Vec<Tensor>,
    /// Whether a state has a next value that could not be understood.
    pub(super) unclear: bool,
}

/// What is known of a declaration checked where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// Not yet checked, or being checked.
    Open,
    /// Fine.
    Sound,
    /// Something was reported in it.
    Failed,
}

/// The state of a walk.
pub(super) struct Walker<'a> {
    /// All files.
    pub(super) program: &'a Program,
    /// All declarations.
    pub(super) globals: &'a Globals<'a>,
    /// All texts.
    pub(super) sources: &'a Sources,
    /// Settings and limits.
    pub(super) options: &'a CheckOptions<'a>,
    /// Where problems go.
    pub(super) diagnostics: &'a mut Diagnostics,
    /// Whether there are numbers, and values are written down.
    pub(super) recording: bool,
    /// What is being walked, outermost first.
    pub(super) frames: Vec<Frame>,
    /// The bodies being written.
    pub(super) bodies: Vec<Builder>,
    /// The paths of the layers being walked.
    pub(super) paths: Vec<PathScope>,
    /// What the present place adds to the language.
    pub(super) hooks: Option<Rc<dyn Hooks<'a> + 'a>>,
    /// The results of the checks where declarations stand.
    pub(super) status: Vec<Status>,
    /// Declarations whose body gives another thing than their signature says.
    pub(super) disagreeing: HashSet<DeclId>,
    /// The values of constants; `None` while one is being worked out.
    pub(super) constants: HashMap<DeclId, Option<Value>>,
    /// Which declarations name which, as met in the checks where they stand.
    pub(super) references: Vec<(DeclId, DeclId, Span)>,
    /// The shapes of the parameters whose initialisation is being walked.
    pub(super) init_shapes: Vec<Shape>,
    /// The use of the outermost frame, where it has numbers of its own.
    pub(super) use_site: Option<(Span, String)>,
    /// Whether problems are dropped, because they were reported before.
    pub(super) muted: bool,
    /// Whether `avg` has its place: a metric of a run is being walked.
    pub(super) in_metric: bool,
    /// The values of the branches of each `if` that is not decided where a declaration stands, where they differ.
    pub(super) open_branches: HashMap<Span, Vec<(Value, Span)>>,
    /// Fields of data that something is wrong with: the name of the data and theirs. Their uses are not looked at.
    pub(super) doubtful_fields: HashSet<(String, String)>,
    /// Where the parser had to mend the text, in order and apart from each other.
    pub(super) mended: Vec<Span>,
    /// What the parser could not read would have bound these names.
    pub(super) broken: HashMap<(FileId, &'a str), Vec<Span>>,
    /// Data whose text could not be read throughout: it may have fields that nobody sees.
    pub(super) open_data: HashSet<String>,
    /// Uses with a problem.
    pub(super) reported_uses: HashSet<Span>,
    /// The number of problems reported so far, muted ones included.
    pub(super) problems: usize,
    pub(super) next_body: u32,
    pub(super) emitted: u64,
    pub(super) halted: bool,
    steps: u64,
    /// A long program may be looked at for longer.
    most_steps: u64,
    depth: u32,
}

/// How often the walk may look at each expression of a program, besides what it may unfold.
const STEPS_OF_EACH: u64 = 4;

/// Expressions nested deeper than this, calls included, are refused.
const DEEPEST: u32 = 600;

impl<'a> Walker<'a> {
    /// A walker that has seen nothing.
    pub(super) fn new(
        program: &'a Program,
        globals: &'a Globals<'a>,
        sources: &'a Sources,
        options: &'a CheckOptions<'a>,
        diagnostics: &'a mut Diagnostics,
    ) -> Walker<'a> {
        Walker {
            program,
            globals,
            sources,
            options,
            diagnostics,
            recording: false,
            frames: Vec::new(),
            bodies: Vec::new(),
            paths: vec![PathScope::default()],
            hooks: None,
            status: vec![Status::Open; globals.declarations.len()],
            disagreeing: HashSet::new(),
            constants: HashMap::new(),
            references: Vec::new(),
            init_shapes: Vec::new(),
            use_site: None,
            muted: false,
            in_metric: false,
            open_branches: HashMap::new(),
            doubtful_fields: HashSet::new(),
            mended: apart(program.units.iter().flat_map(|unit| unit.ast.repaired.iter().copied()).collect()),
            broken: broken_names(program),
            open_data: HashSet::new(),
            reported_uses: HashSet::new(),
            problems: 0,
            next_body: 0,
            emitted: 0,
            halted: false,
            steps: 0,
            most_steps: options.most_steps
                + STEPS_OF_EACH * program.units.iter().map(|unit| unit.ast.exprs.len() as u64).sum::<u64>(),
            depth: 0,
        }
    }

    /// The tree of the declaration being walked.
    pub(super) fn ast(&self) -> &'a Ast {
        let unit = self.frames.last().map_or(self.globals.main, |frame| frame.unit);
        &self.program.units[unit].ast
    }

    /// The declaration being walked.
    pub(super) fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame { unit: self.globals.main, scopes: vec![HashMap::new()], ..Frame::default() });
        }
        self.frames.last_mut().expect("a frame was just pushed")
    }

    /// Reports a problem of the expression at hand: in place where it belongs to the outermost declaration, else at the use.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.problems += 1;
        if self.muted || self.halted {
            return;
        }
        let frames: Vec<&Frame> = self.frames.iter().filter(|frame| frame.entered).collect();
        let inner = if self.recording { 0 } else { 1 };
        let failed_before = |frame: &&Frame| frame.decl.is_some_and(|id| self.status[id.0 as usize] == Status::Failed);
        if frames.iter().skip(inner).any(failed_before) {
            return;
        }
        let site = self.use_site.clone().or_else(|| {
            let frame = frames.get(1)?;
            let name = &self.globals.get(frame.decl?).name.value;
            Some((frame.call?, name.clone()))
        });
        let Some((span, name)) = site else { return self.force_report(diagnostic) };
        let bound = frames.get(1).map(|frame| frame.bound_dimensions()).unwrap_or_default();
        if !self.reported_uses.insert(span) {
            return;
        }
        let mut diagnostic = diagnostic;
        diagnostic.fixes.clear();
        let shipped =
            |label: &Label| self.program.units.iter().any(|unit| unit.prelude && unit.ast.file == label.span.file);
        if diagnostic.labels.first().is_some_and(shipped) {
            // What the prelude looks like inside helps nobody: what is to be said there is said of the use.
            let inside = diagnostic.labels.remove(0);
            diagnostic.labels.retain(|label| !shipped(label));
            diagnostic.labels.insert(0, Label { span, message: inside.message });
        } else {
            diagnostic.labels.insert(0, name_problems::use_label(span, &name, &bound));
        }
        self.force_report(diagnostic);
    }

    /// Reports a problem as it is. In text that the parser had to mend it would be a second word on one mistake.
    pub(super) fn force_report(&mut self, diagnostic: Diagnostic) {
        self.problems += 1;
        if !self.muted && !self.is_mended(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn is_mended(&self, diagnostic: &Diagnostic) -> bool {
        diagnostic.labels.iter().any(|label| {
            let behind = |place: &Span| (place.file, place.end) <= (label.span.file, label.span.start);
            let next = self.mended.get(self.mended.partition_point(behind));
            next.is_some_and(|place| place.file == label.span.file && place.start < label.span.end)
        })
    }

    /// Whether something that could not be parsed would have bound the name, in the file at hand.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.broken.contains_key(&(self.ast().file, name))
    }

    /// Where in a place something that could not be parsed would have bound the name.
    pub(super) fn broken_within<'s>(&'s self, name: &'s str, within: Span) -> impl Iterator<Item = Span> + 's {
        let places = self.broken.get(&(within.file, name)).map_or(&[][..], Vec::as_slice);
        let first = places.partition_point(|place| place.start < within.start);
        places[first..]
            .iter()
            .copied()
            .take_while(move |place| place.start < within.end)
            .filter(move |&place| within.contains(place))
    }

    /// Binds a name in the innermost block.
    pub(super) fn bind(&mut self, name: &str, value: Value, span: Span) {
        self.bind_with_cause(name, value, span, None);
    }

    /// Binds a name and says what gave it its number.
    pub(super) fn bind_with_cause(&mut self, name: &str, value: Value, span: Span, cause: Option<Span>) {
        let frame = self.frame();
        if frame.scopes.is_empty() {
            frame.scopes.push(HashMap::new());
        }
        if let Some(scope) = frame.scopes.last_mut() {
            scope.insert(name.into(), Local { value, span, cause });
        }
    }

    /// What a name is bound to in the body at hand.
    pub(super) fn local(&self, name: &str) -> Option<&Local> {
        self.frames.last()?.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    /// Counts what is done; false where a program asks for more than any sensible one.
    pub(super) fn take_step(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps > self.most_steps || self.depth > DEEPEST {
            self.halt(span);
        }
        !self.halted
    }

    /// The value of an expression of the body at hand.
    pub(super) fn eval(&mut self, expr: ExprId, want: &Want) -> Value {
        let ast = self.ast();
        let span = ast[expr].span;
        if !self.take_step(span) {
            return Value::Unknown;
        }
        self.depth += 1;
        let value = self.eval_kind(ast, expr, span, want);
        self.depth -= 1;
        value
    }

    fn eval_kind(&mut self, ast: &'a Ast, expr: ExprId, span: Span, want: &Want) -> Value {
        match &ast[expr].kind {
            ExprKind::Number { value, integer } => number_value(*value, *integer),
            ExprKind::String(text) => Value::Text(text.as_str().into()),
            ExprKind::Bool(truth) => Value::Bool(Some(*truth)),
            ExprKind::Name(name) => self.eval_name(name, span, want),
            ExprKind::List(items) => self.eval_list(items, span, want),
            ExprKind::Tuple(items) => {
                let values = items.iter().map(|&item| (None, self.eval(item, &Want::Any))).collect();
                Value::Tuple(Rc::new(values))
            }
            ExprKind::Paren(inner) => self.eval(*inner, want),
            ExprKind::Unary(op, operand) => {
                let at = ast[*operand].span;
                let value = self.eval(*operand, &arithmetic_want(want));
                let op = match op {
                    UnaryOp::Neg => Elementwise::Neg,
                    UnaryOp::Not => Elementwise::Not,
                };
                self.elementwise(op, &[(value, at)], span, want)
            }
            ExprKind::Binary(first, rest) => self.eval_binary(ast, *first, rest, want),
            ExprKind::Pipe(first, links) => self.eval_pipe(ast, *first, links, want),
            ExprKind::If { branches, otherwise } => self.eval_if(branches, *otherwise, span, want),
            ExprKind::Call { callee, arguments } => self.eval_call(*callee, arguments, span, want),
            ExprKind::Index { base, indices } => self.eval_index(*base, indices, span),
            ExprKind::Range(start, end) => self.eval_range(*start, *end),
            ExprKind::Rest(name) => match self.local(&name.value).map(|local| local.value.clone()) {
                Some(axes @ (Value::Axes(_) | Value::Unknown)) => axes,
                Some(_) | None => {
                    self.report(name_problems::unknown_rest(name));
                    Value::Unknown
                }
            },
            ExprKind::Block(statements) => self.eval_block(statements, span, want),
            ExprKind::Repeat { count, body } => self.eval_repeat(*count, *body, span),
            ExprKind::Each(inner) => self.eval_each(*inner, span),
            ExprKind::Scan { over, from, body } => self.eval_scan(over, from, *body, span),
            ExprKind::On(value, _) => {
                self.report(name_problems::misplaced_on(span));
                self.eval(*value, want)
            }
            ExprKind::Error => Value::Unknown,
        }
    }

    fn eval_range(&mut self, start: ExprId, end: ExprId) -> Value {
        match (self.eval_int(start), self.eval_int(end)) {
            (Some(start), Some(end)) => Value::Range(start, end),
            _ => Value::Unknown,
        }
    }

    /// A compile-time whole number; reports what is none.
    pub(super) fn eval_int(&mut self, expr: ExprId) -> Option<Dim> {
        let value = self.eval(expr, &Want::Int);
        let span = self.ast()[expr].span;
        self.as_int(&value, span)
    }

    /// The whole number that a value is; reports what is none.
    pub(super) fn as_int(&mut self, value: &Value, span: Span) -> Option<Dim> {
        match value {
            Value::Int(dim) => Some(dim.clone()),
            Value::Float(Some(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(Dim::Known(*number as i64))
            }
            Value::Float(None) => Some(Dim::Unknown),
            Value::Unknown => None,
            other => {
                self.report(problems::not_whole_number(span, &self.describe(other)));
                None
            }
        }
    }

    /// A list of compile-time whole numbers, or the axes of a `..s`.
    pub(super) fn as_shape(&mut self, value: &Value, span: Span) -> Option<Shape> {
        match value {
            Value::Axes(axes) => Some(axes.to_vec()),
            Value::List(items) => {
                let mut shape = Vec::with_capacity(items.len());
                for item in items.iter() {
                    match &item.value {
                        Value::Axes(axes) => shape.extend(axes.iter().cloned()),
                        value => shape.push(super::types::Axis::Dim(self.as_int(value, item.span)?)),
                    }
                }
                Some(shape)
            }
            Value::Int(dim) => Some(vec![super::types::Axis::Dim(dim.clone())]),
            Value::Unknown => None,
            other => {
                self.report(problems::not_a_shape(span, &self.describe(other)));
                None
            }
        }
    }

    fn eval_list(&mut self, items: &'a [AstArgument], span: Span, want: &Want) -> Value {
        let inner = match want {
            Want::Shape | Want::Int | Want::WordsOrNumbers(_) => Want::Int,
            Want::Kind(kind) => Want::Kind(*kind),
            Want::Type(ty) => match ty.shape.split_first() {
                Some((_, rest)) => Want::Type(ty.with_shape(rest.to_vec())),
                None => Want::Any,
            },
            Want::Any | Want::Words(_) => Want::Any,
        };
        let ast = self.ast();
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = self.eval(item.value, &inner);
            list.push(ListItem { name: item.name.clone(), value, span: ast[item.value].span });
        }
        // What exists only when the program runs is stacked once, however often the list is used. A list in this one has been
        // through here.
        let run_time = |item: &ListItem| !matches!(item.value, Value::List(_)) && item.value.is_run_time();
        let run_time = list.iter().any(run_time);
        let value = Value::List(Rc::new(list));
        if run_time { self.to_tensor(&value, span).map_or(Value::Unknown, Value::Tensor) } else { value }
    }

    fn eval_binary(&mut self, ast: &'a Ast, first: ExprId, rest: &'a [Infix], want: &Want) -> Value {
        let inner = arithmetic_want(want);
        let compares = |op: BinaryOp| matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        // The enumeration on the right of a comparison says what the name on its left is.
        let beside = rest.first().filter(|next| compares(next.op)).and_then(|next| self.cases_of(ast, next.operand));
        let mut value = self.eval(first, beside.as_ref().map_or(&inner, |cases| &cases.want));
        let mut span = ast[first].span;
        for (place, &Infix { op, at, operand }) in rest.iter().enumerate() {
            self.steps += 1;
            let cases = match compares(op) {
                true => self.cases_of(ast, first).or_else(|| self.cases_with(ast, operand, &value)),
                false => None,
            };
            let other = self.eval(operand, cases.as_ref().map_or(&inner, |cases| &cases.want));
            let right = ast[operand].span;
            let whole = span.to(right);
            let cases = cases.as_ref().or(beside.as_ref().filter(|_| place == 0));
            value = match (&value, &other) {
                // What may stand for a name is none of the names.
                (Value::Word(_), known) | (known, Value::Word(_))
                    if cases.is_some_and(|cases| cases.alternatives)
                        && !matches!(known, Value::Word(_) | Value::Unknown)
                        && !known.is_run_time() =>
                {
                    Value::Bool(Some(op == BinaryOp::Ne))
                }
                _ => self.binary(op, at, (value, span), (other, right), whole, want),
            };
            span = whole;
            if self.halted {
                return Value::Unknown;
            }
        }
        value
    }

    /// The cases of the enumeration that a configuration name has as its type.
    fn cases_of(&self, ast: &'a Ast, expr: ExprId) -> Option<Cases> {
        let ExprKind::Name(name) = &ast[expr].kind else { return None };
        let frame = self.frames.last()?;
        let callable = self.globals.get(frame.decl?).callable()?;
        let parameter = callable.config.iter().flatten().find(|parameter| parameter.name.value == *name)?;
        Cases::of(parameter)
    }

    /// The cases that a name is one of, of any configuration of the declaration at hand: what it is compared with may be that
    /// configuration under another name.
    fn cases_with(&self, ast: &'a Ast, expr: ExprId, value: &Value) -> Option<Cases> {
        let ExprKind::Name(name) = &ast[expr].kind else { return None };
        if value.is_run_time() || self.local(name).is_some() {
            return None;
        }
        let callable = self.globals.get(self.frames.last()?.decl?).callable()?;
        let all = callable.config.iter().flatten().filter_map(Cases::of);
        all.filter(|cases| cases.want.words().iter().any(|word| **word == **name))
            .max_by_key(|cases| cases.alternatives)
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        at: Span,
        left: (Value, Span),
        right: (Value, Span),
        span: Span,
        want: &Want,
    ) -> Value {
        let op = match op {
            BinaryOp::MatMul => return self.matmul(left, right, at, span),
            BinaryOp::Add => Elementwise::Add,
            BinaryOp::Sub => Elementwise::Sub,
            BinaryOp::Mul => Elementwise::Mul,
            BinaryOp::Div => Elementwise::Div,
            BinaryOp::Rem => Elementwise::Rem,
            BinaryOp::Pow => Elementwise::Pow,
            BinaryOp::Eq => Elementwise::Eq,
            BinaryOp::Ne => Elementwise::Ne,
            BinaryOp::Lt => Elementwise::Lt,
            BinaryOp::Le => Elementwise::Le,
            BinaryOp::Gt => Elementwise::Gt,
            BinaryOp::Ge => Elementwise::Ge,
            BinaryOp::And => Elementwise::And,
            BinaryOp::Or => Elementwise::Or,
        };
        self.elementwise(op, &[left, right], span, want)
    }

    fn eval_pipe(&mut self, ast: &'a Ast, first: ExprId, links: &'a [ExprId], want: &Want) -> Value {
        let mut value = self.eval(first, want);
        let mut span = ast[first].span;
        // What a link is given stands at the link before it, not over all of them.
        let mut given_at = span;
        for &link in links {
            self.steps += 1;
            let at = ast[link].span;
            let before = std::mem::replace(&mut given_at, at);
            if let ExprKind::Name(name) = &ast[link].kind
                && self.local(name).is_none()
                && self.in_hooked_place()
                && let Some(hooks) = self.hooks.clone()
                && let Some(piped) = hooks.pipe(self, &value, span, name, at)
            {
                value = piped;
                span = span.to(at);
                continue;
            }
            let layer = self.eval(link, &Want::Kind(CallableKind::Layer));
            value = match (value, layer) {
                (_, Value::Unknown) => Value::Unknown,
                // What a signature promises holds for what is not understood too.
                (Value::Unknown, Value::Callable(_)) if self.recording => Value::Unknown,
                (Value::Callable(first), Value::Callable(second)) => {
                    Value::Callable(chained((first, span), (second, at)))
                }
                (value, Value::Callable(layer)) => self.pipe_into(value, before, &layer, at),
                (value, other) => match self.numbers_for_inputs(link) {
                    Some((layer, brackets)) => {
                        let callee = self.written(Span { end: brackets.start, ..at });
                        self.report(name_problems::no_configuration(brackets, &callee));
                        self.pipe_into(value, before, &layer, at)
                    }
                    None => {
                        self.report(self.not_callable(at, &other));
                        Value::Unknown
                    }
                },
            };
            span = span.to(at);
            if self.halted {
                return Value::Unknown;
            }
        }
        value
    }

    /// A value that exists when the program runs, from one known before where need be; reports what cannot be one.
    #[allow(clippy::wrong_self_convention, reason = "it is the walker that makes the tensor; the value is an argument")]
    pub(super) fn to_tensor(&mut self, value: &Value, span: Span) -> Option<Tensor> {
        match value {
            Value::Tensor(tensor) => Some(tensor.clone()),
            Value::Int(Dim::Known(number)) => self.constant(*number as f64, span),
            Value::Int(_) | Value::Float(None) if self.recording => None,
            Value::Int(_) | Value::Float(None) => self.constant(0.0, span),
            Value::Float(Some(number)) => self.constant(*number, span),
            Value::Bool(truth) => {
                self.emit_tensor(HirOp::Truth(truth.unwrap_or_default()), &[], Type::truth(Vec::new()), span)
            }
            Value::List(items) => self.stack_list(&items.clone(), span),
            Value::Unknown => None,
            other => {
                let named = matches!(other, Value::Callable(callable) if callable.is_named());
                self.report(problems::not_a_tensor(span, &self.describe(other)).collected_if(named));
                None
            }
        }
    }

    /// The problem that a value is applied which cannot be; a field or an output is shown with its declaration.
    pub(super) fn not_callable(&self, at: Span, value: &Value) -> Diagnostic {
        let origin = match value {
            Value::Tensor(tensor) if !tensor.origin.contains(at) && tensor.origin != Span::default() => {
                Some(tensor.origin)
            }
            _ => None,
        };
        let named = matches!(value, Value::Callable(callable) if callable.is_named());
        name_problems::not_callable(at, &self.describe(value), origin).collected_if(named)
    }

    /// A value in words, for messages.
    pub(super) fn describe(&self, value: &Value) -> String {
        match value {
            Value::Unknown => "something unknown".to_owned(),
            Value::Tensor(tensor) => format!("a tensor {}", tensor.ty),
            Value::Int(dim) => format!("the number {dim}"),
            Value::Float(Some(number)) => format!("the number {number}"),
            Value::Float(None) => "a number".to_owned(),
            Value::Bool(Some(truth)) => format!("`{truth}`"),
            Value::Bool(None) => "a truth value".to_owned(),
            Value::Text(text) => format!("the text {text:?}"),
            Value::Word(Some(word)) => format!("the word `{word}`"),
            Value::Word(None) => "a word".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Axes(axes) => format!("the axes {}", super::types::Written(axes)),
            Value::Range(start, end) => format!("the range {start}..{end}"),
            Value::Tuple(items) => format!("{} values", items.len()),
            Value::Callable(callable) => self.describe_callable(callable),
        }
    }

    /// A callable in words.
    pub(super) fn describe_callable(&self, callable: &Callable) -> String {
        match callable {
            Callable::Declared(id, _) => {
                let declaration = self.globals.get(*id);
                format!("the {} `{}`", declaration.keyword(), declaration.name.value)
            }
            Callable::Primitive(primitive, _) => format!("the function `{}`", primitive.name()),
            Callable::Chain(_) | Callable::Repeated(_) | Callable::Each(_) => "a layer".to_owned(),
            Callable::Shared { inner, .. } => self.describe_callable(inner),
            Callable::Opaque(kind) => format!("a {}", kind.keyword()),
        }
    }
}

/// What a comparison with configuration asks of its other side.
struct Cases {
    want: Want,
    /// Whether the configuration may be something else than a case.
    alternatives: bool,
}

impl Cases {
    fn of(parameter: &Parameter) -> Option<Cases> {
        let ty = parameter.ty.as_ref()?;
        let want = super::configure::want_of_type(ty);
        let alternatives = matches!(ty.kind, TypeExprKind::Union(_));
        (!want.words().is_empty()).then_some(Cases { want, alternatives })
    }
}

/// Two layers in a row, as one. A chain that nobody else holds grows in place.
fn chained(first: (Callable, Span), second: (Callable, Span)) -> Callable {
    let mut links = match first {
        (Callable::Chain(links), _) => Rc::unwrap_or_clone(links),
        other => vec![other],
    };
    match second {
        (Callable::Chain(inner), _) => links.extend(inner.iter().cloned()),
        other => links.push(other),
    }
    Callable::Chain(Rc::new(links))
}

/// The places in order, those that overlap joined.
fn apart(mut places: Vec<Span>) -> Vec<Span> {
    places.sort_unstable();
    let mut apart: Vec<Span> = Vec::new();
    for place in places {
        match apart.last_mut() {
            Some(last) if last.file == place.file && place.start < last.end => last.end = last.end.max(place.end),
            _ => apart.push(place),
        }
    }
    apart
}

/// Arithmetic hands the wish for a whole number on to its operands.
fn arithmetic_want(want: &Want) -> Want {
    match want {
        Want::Int | Want::Shape | Want::WordsOrNumbers(_) => Want::Int,
        Want::Any | Want::Kind(_) | Want::Type(_) | Want::Words(_) => Want::Any,
    }
}

/// A number of the program.
fn number_value(value: f64, integer: bool) -> Value {
    if integer && value.abs() < 9e15 { Value::int(value as i64) } else { Value::Float(Some(value)) }
}

/// Where something that could not be parsed would have bound each name of a file, in order.
fn broken_names(program: &Program) -> HashMap<(FileId, &str), Vec<Span>> {
    let mut places: HashMap<(FileId, &str), Vec<Span>> = HashMap::new();
    for ast in program.units.iter().map(|unit| &unit.ast) {
        for name in &ast.broken {
            places.entry((ast.file, name.value.as_str())).or_default().push(name.span);
        }
    }
    places.values_mut().for_each(|places| places.sort_unstable());
    places
}
