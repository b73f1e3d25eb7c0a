//! The syntax tree of one file.
//!
//! Nodes live in [`Ast::exprs`] and are referred to by [`ExprId`]; a stage that finds something out about
//! an expression keeps it in a table indexed by the id. Every node has its span. What could not be
//! parsed is a hole ([`ExprKind::Error`], [`ItemKind::Error`]), reported by the parser and agreed with by all.

use crate::source::{FileId, Span, Spanned};

/// A file as a tree.
#[derive(Clone, Debug)]
pub struct Ast {
    /// The file.
    pub file: FileId,
    /// Its declarations in order.
    pub items: Vec<Item>,
    /// All expressions.
    pub exprs: Vec<Expr>,
    /// All comments in order, `///` ones included; the formatter puts them back.
    pub comments: Vec<Comment>,
    /// What could not be parsed would have bound these names: using one is no second mistake.
    pub broken: Vec<Name>,
    /// Where a mistake was reported and the tree is not what is written: something was mended or left out.
    pub repaired: Vec<Span>,
}

impl Ast {
    /// The tree of an empty file.
    pub fn empty(file: FileId) -> Ast {
        let (items, exprs, comments, broken, repaired) = Default::default();
        Ast { file, items, exprs, comments, broken, repaired }
    }
}

/// An expression of an [`Ast`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExprId(pub u32);

impl std::ops::Index<ExprId> for Ast {
    type Output = Expr;
    fn index(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
}

/// A name where it stands.
pub type Name = Spanned<String>;

/// A comment with its slashes and without its line end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comment {
    /// The text from the first slash on.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Whether it is a `///` documentation comment.
    pub doc: bool,
}

/// A declaration.
#[derive(Clone, Debug)]
pub struct Item {
    /// From its keyword to its end, documentation not included.
    pub span: Span,
    /// The text of the `///` lines before it, without the slashes, lines joined by `\n`.
    pub doc: Option<String>,
    /// What it declares.
    pub kind: ItemKind,
}

/// What an item declares.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `use "./blocks.nn"` or `use std.vision`.
    Use(UseTarget),
    /// `const NAME = e`.
    Const {
        /// Its name.
        name: Name,
        /// Its value.
        value: ExprId,
    },
    /// `fn`, `activation`, … `layer`, `model`.
    Callable(Callable),
    /// `data NAME { … }`.
    Data(DataItem),
    /// `train M, N on D as name { … }`.
    Train(TrainItem),
    /// What could not be parsed.
    Error,
}

/// The target of a `use`.
#[derive(Clone, Debug)]
pub enum UseTarget {
    /// A path relative to the file.
    Path(Spanned<String>),
    /// Dotted names: `std.vision`.
    Module(Vec<Name>),
}

/// The keyword of a callable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "each is the keyword of the language")]
pub enum CallableKind {
    Fn,
    Activation,
    Loss,
    Metric,
    Penalty,
    Init,
    Schedule,
    Optimizer,
    Layer,
    Model,
}

impl CallableKind {
    /// Every kind, in the order of the language's table.
    pub const ALL: [CallableKind; 10] = [
        CallableKind::Fn,
        CallableKind::Activation,
        CallableKind::Loss,
        CallableKind::Metric,
        CallableKind::Penalty,
        CallableKind::Init,
        CallableKind::Schedule,
        CallableKind::Optimizer,
        CallableKind::Layer,
        CallableKind::Model,
    ];

    /// The keyword as written.
    pub fn keyword(self) -> &'static str {
        match self {
            CallableKind::Fn => "fn",
            CallableKind::Activation => "activation",
            CallableKind::Loss => "loss",
            CallableKind::Metric => "metric",
            CallableKind::Penalty => "penalty",
            CallableKind::Init => "init",
            CallableKind::Schedule => "schedule",
            CallableKind::Optimizer => "optimizer",
            CallableKind::Layer => "layer",
            CallableKind::Model => "model",
        }
    }

    /// The kind that a word stands for.
    pub fn of_keyword(word: &str) -> Option<CallableKind> {
        CallableKind::ALL.into_iter().find(|kind| kind.keyword() == word)
    }

    /// Whether it has configuration only and no tensor inputs: `init`, `schedule`, `optimizer`.
    pub fn is_configuration_only(self) -> bool {
        matches!(self, CallableKind::Init | CallableKind::Schedule | CallableKind::Optimizer)
    }
}

/// A declaration that can be applied.
#[derive(Clone, Debug)]
pub struct Callable {
    /// Its keyword.
    pub kind: CallableKind,
    /// Its name.
    pub name: Name,
    /// The configuration list; `None` where it is not written. With one list only, it is the
    /// configuration of an `init`, `schedule` or `optimizer` and the inputs of everything else.
    pub config: Option<Vec<Parameter>>,
    /// The list of tensor inputs; `None` for `init`, `schedule`, `optimizer`.
    pub inputs: Option<Vec<Parameter>>,
    /// What stands behind `->`.
    pub output: Option<Output>,
    /// Its body: what stands behind `=`, or a block (then the expression is an [`ExprKind::Block`]).
    pub body: ExprId,
    /// Whether the body is written `= e` rather than `{ … }`.
    pub body_has_equals: bool,
}

/// One configuration parameter or tensor input.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type where written.
    pub ty: Option<TypeExpr>,
    /// Its default where written (configuration only; the checker says so).
    pub default: Option<ExprId>,
    /// From the name to the end of the default.
    pub span: Span,
}

/// What a callable says of its value.
#[derive(Clone, Debug)]
pub enum Output {
    /// `-> [n]`.
    Type(TypeExpr),
    /// `-> y: [k]` (one) or `-> (mean: [d], logvar: [d])`.
    Named {
        /// The outputs in order.
        outputs: Vec<(Name, TypeExpr)>,
        /// Whether they stand in parentheses.
        parenthesized: bool,
    },
}

/// A written type.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: TypeExprKind,
}

/// The forms of a type.
#[derive(Clone, Debug)]
pub enum TypeExprKind {
    /// `[n, 2 * m]`, `[..s, c]`, `[]`.
    Tensor(Vec<DimExpr>),
    /// `class(10)`, `class("no", "yes")[80]`.
    Class {
        /// A number of classes, or their names.
        arguments: Vec<ExprId>,
        /// The shape behind; `None` where not written.
        shape: Option<Vec<DimExpr>>,
    },
    /// `int`, `float`, `bool`, `activation`, `init`, `layer`, …: a word.
    Word(String),
    /// `{valid, same}`.
    Enumeration(Vec<Name>),
    /// `{valid, same} or int`: one of several.
    Union(Vec<TypeExpr>),
    /// What could not be parsed.
    Error,
}

/// One axis or run of axes in a type.
#[derive(Clone, Debug)]
pub enum DimExpr {
    /// An integer expression.
    Dim(ExprId),
    /// `..s`.
    Rest(Name),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where it stands; parentheses around it are not included.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The forms of an expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `3`, `0.5`, `1e-3`, `20%`.
    Number {
        /// The value, the percent sign applied.
        value: f64,
        /// Whether it is written as a whole number: `3`, not `3.0`, `1e3` or `3%`.
        integer: bool,
    },
    /// `"…"`, escapes resolved.
    String(String),
    /// `true`, `false`.
    Bool(bool),
    /// A name.
    Name(String),
    /// `[a, b]`, `[train = 60%, test = 40%]`.
    List(Vec<Argument>),
    /// `(a, b)`: two or more.
    Tuple(Vec<ExprId>),
    /// `(e)`: kept so that the formatter can keep it.
    Paren(ExprId),
    /// `-e`, `not e`.
    Unary(UnaryOp, ExprId),
    /// `a + b - c`, `a < b`, `a and b`: the first operand and what follows, of operators that bind equally tight. All but `^`
    /// are applied from left to right, and however long the chain is, it is one node; `^` has one operand behind it.
    Binary(ExprId, Vec<Infix>),
    /// `a |> b |> c`: the first value and what it goes through, one or more.
    Pipe(ExprId, Vec<ExprId>),
    /// `if c then a else if d then b else e`.
    If {
        /// The conditions in order, one or more, with their values.
        branches: Vec<Branch>,
        /// The value where none holds; `None` only where the `else` is missing, which is reported.
        otherwise: Option<ExprId>,
    },
    /// `f(a, name = b)`; `dense(64)(x)` is a call of a call.
    Call {
        /// What is applied.
        callee: ExprId,
        /// The arguments.
        arguments: Vec<Argument>,
    },
    /// `x[2..5]`, `E[token]`, `x[0, ..]`.
    Index {
        /// What is indexed.
        base: ExprId,
        /// One per axis.
        indices: Vec<IndexExpr>,
    },
    /// `a..b`, as in `columns(0..11)`.
    Range(ExprId, ExprId),
    /// `..s` in a list: `[..s, 2]` is the shape `s` with an axis of 2 behind.
    Rest(Name),
    /// `{ let …  e }`.
    Block(Vec<Stmt>),
    /// `repeat 3 { L }`.
    Repeat {
        /// How often.
        count: ExprId,
        /// The layer.
        body: ExprId,
    },
    /// `each L`.
    Each(ExprId),
    /// `scan x_t over x from (h = e) { … }`.
    Scan {
        /// What runs over what: `x_t over x`, separated by commas.
        over: Vec<(Name, ExprId)>,
        /// The states with their starts.
        from: Vec<(Name, ExprId)>,
        /// The body, a block.
        body: ExprId,
    },
    /// `l2(1e-4) on "*.b"`.
    On(ExprId, ExprId),
    /// What could not be parsed.
    Error,
}

impl ExprKind {
    /// Calls `visit` with each expression right below this one, in the order they are written, but those in types last.
    pub fn each_child(&self, mut visit: impl FnMut(ExprId)) {
        match self {
            ExprKind::Number { .. }
            | ExprKind::String(_)
            | ExprKind::Bool(_)
            | ExprKind::Name(_)
            | ExprKind::Rest(_)
            | ExprKind::Error => {}
            ExprKind::List(elements) => elements.iter().for_each(|element| visit(element.value)),
            ExprKind::Tuple(items) => items.iter().copied().for_each(visit),
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) | ExprKind::Each(inner) => visit(*inner),
            ExprKind::Binary(first, rest) => {
                visit(*first);
                rest.iter().for_each(|infix| visit(infix.operand));
            }
            ExprKind::Pipe(first, links) => {
                visit(*first);
                links.iter().copied().for_each(visit);
            }
            ExprKind::Range(start, end) => [*start, *end].into_iter().for_each(visit),
            ExprKind::On(base, pattern) => [*base, *pattern].into_iter().for_each(visit),
            ExprKind::If { branches, otherwise } => {
                for branch in branches {
                    visit(branch.condition);
                    visit(branch.then);
                }
                otherwise.iter().copied().for_each(visit);
            }
            ExprKind::Call { callee, arguments } => {
                visit(*callee);
                arguments.iter().for_each(|argument| visit(argument.value));
            }
            ExprKind::Index { base, indices } => {
                visit(*base);
                for index in indices {
                    match index {
                        IndexExpr::At(at) => visit(*at),
                        IndexExpr::Range { start, end, .. } => start.iter().chain(end).copied().for_each(&mut visit),
                    }
                }
            }
            ExprKind::Block(statements) => {
                for statement in statements {
                    match &statement.kind {
                        StmtKind::Let { value, .. } | StmtKind::Next { value, .. } => visit(*value),
                        StmtKind::Param { ty, init, .. } | StmtKind::State { ty, init, .. } => {
                            init.iter().copied().for_each(&mut visit);
                            ty.iter().for_each(|ty| each_dimension(ty, &mut visit));
                        }
                        StmtKind::Emit(value) | StmtKind::Expr(value) => visit(*value),
                        StmtKind::Error => {}
                    }
                }
            }
            ExprKind::Repeat { count, body } => [*count, *body].into_iter().for_each(visit),
            ExprKind::Scan { over, from, body } => {
                over.iter().chain(from).for_each(|(_, value)| visit(*value));
                visit(*body);
            }
        }
    }
}

fn each_dimension(ty: &TypeExpr, visit: &mut impl FnMut(ExprId)) {
    let dims = |dims: &[DimExpr], visit: &mut dyn FnMut(ExprId)| {
        for dim in dims {
            if let DimExpr::Dim(dim) = dim {
                visit(*dim);
            }
        }
    };
    match &ty.kind {
        TypeExprKind::Tensor(shape) => dims(shape, visit),
        TypeExprKind::Class { arguments, shape } => {
            arguments.iter().copied().for_each(&mut *visit);
            dims(shape.as_deref().unwrap_or_default(), visit);
        }
        TypeExprKind::Union(types) => types.iter().for_each(|ty| each_dimension(ty, visit)),
        TypeExprKind::Word(_) | TypeExprKind::Enumeration(_) | TypeExprKind::Error => {}
    }
}

/// An infix operator with the operand behind it.
#[derive(Clone, Debug)]
pub struct Infix {
    /// The operator.
    pub op: BinaryOp,
    /// Where the operator stands.
    pub at: Span,
    /// What stands behind it.
    pub operand: ExprId,
}

/// `if c then a` or `else if c then a`.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The word `if`.
    pub start: Span,
    /// The condition.
    pub condition: ExprId,
    /// The value where it holds and none before does.
    pub then: ExprId,
}

/// An argument of a call or an element of a list.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The name where it is given by name.
    pub name: Option<Name>,
    /// The value.
    pub value: ExprId,
}

/// What stands in brackets behind an indexed value, for one axis.
#[derive(Clone, Debug)]
pub enum IndexExpr {
    /// `x[3]`, `x[-1]`, `E[token]`: the axis goes.
    At(ExprId),
    /// `x[2..5]`, `x[..3]`, `x[1..]`, `x[..]`: the axis stays.
    Range {
        /// The first, 0 where not written.
        start: Option<ExprId>,
        /// One past the last, the extent where not written.
        end: Option<ExprId>,
        /// Where it stands.
        span: Span,
    },
}

/// Prefix operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is its operator")]
pub enum UnaryOp {
    Neg,
    Not,
}

/// Infix operators.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "each is its operator")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    MatMul,
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}

impl BinaryOp {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::MatMul => "@",
            BinaryOp::Pow => "^",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
        }
    }
}

/// A statement of a block; the last expression statement is the block's value.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: StmtKind,
}

/// The forms of a statement.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `let a = e`, `let (a, b) = e`.
    Let {
        /// The bound names; more than one where parenthesized.
        names: Vec<Name>,
        /// The value.
        value: ExprId,
    },
    /// `param W: [n, units] = weights`.
    Param {
        /// Its name.
        name: Name,
        /// Its shape.
        ty: Option<TypeExpr>,
        /// Its initialisation.
        init: Option<ExprId>,
    },
    /// `state velocity = 0`, `state mean: [c] = zeros`.
    State {
        /// Its name.
        name: Name,
        /// Its shape where written.
        ty: Option<TypeExpr>,
        /// Its start.
        init: Option<ExprId>,
    },
    /// `next h = e`.
    Next {
        /// The state.
        name: Name,
        /// Its next value.
        value: ExprId,
    },
    /// `emit e`.
    Emit(ExprId),
    /// The block's value.
    Expr(ExprId),
    /// What could not be parsed.
    Error,
}

/// `data NAME { … }`.
#[derive(Clone, Debug)]
pub struct DataItem {
    /// Its name.
    pub name: Name,
    /// `source`, `split`, `balance` and the typed fields, in order.
    pub fields: Vec<Field>,
}

/// `train M, N(…) on D as name { … }`.
#[derive(Clone, Debug)]
pub struct TrainItem {
    /// The models: a name or a call with configuration.
    pub models: Vec<ExprId>,
    /// The data.
    pub data: Name,
    /// The name behind `as`.
    pub alias: Option<Name>,
    /// `loss`, `optimizer`, … in order.
    pub fields: Vec<Field>,
}

/// `name: type = value` in a block of fields.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type; only a data field has one.
    pub ty: Option<TypeExpr>,
    /// Its value.
    pub value: ExprId,
    /// Its documentation.
    pub doc: Option<String>,
    /// From the name to the end of the value.
    pub span: Span,
}
