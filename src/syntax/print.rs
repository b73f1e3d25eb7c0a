//! The tree as text, for `nnc ir --stage ast`.
//!
//! In: an [`Ast`] and its source. Out: a line for each declaration and statement with its place as a comment; expressions
//! are written with every bracket, the operator first (`infix` before a chain of several), and broken over lines where they
//! are long. Equal trees have equal texts but for the places.
//!
//! ```text
//! model Simple                                                      ; 10:1
//!   input p: [2]
//!   output z_hat: [1]
//!   (block
//!     (pipe p (call dense 3)))                                      ; 10:40
//! ```

use super::ast::*;
use crate::source::{Source, Span};

/// The columns of a line without its place.
const WIDTH: usize = 100;

/// The column places stand in.
const PLACE: usize = 72;

/// The tree as text, with places.
pub fn print(ast: &Ast, source: &Source) -> String {
    Printer { ast, source: Some(source), text: String::new() }.file()
}

/// The tree as text without places: what stays the same when a program is laid out anew.
pub fn print_structure(ast: &Ast) -> String {
    Printer { ast, source: None, text: String::new() }.file()
}

/// A declaration as text without places and documentation.
pub fn print_item(ast: &Ast, item: &Item) -> String {
    let mut printer = Printer { ast, source: None, text: String::new() };
    printer.item(item);
    printer.text
}

/// An expression as nested lists.
enum Form {
    Atom(String),
    /// The first is the operator; what is said about places belongs to the list as a whole.
    List(Vec<Form>, Option<Span>),
}

impl Form {
    fn atom(text: impl Into<String>) -> Form {
        Form::Atom(text.into())
    }

    fn list(head: impl Into<String>, rest: impl IntoIterator<Item = Form>) -> Form {
        Form::List(std::iter::once(Form::atom(head)).chain(rest).collect(), None)
    }

    fn flat(&self) -> String {
        match self {
            Form::Atom(text) => text.clone(),
            Form::List(parts, _) => {
                let parts: Vec<String> = parts.iter().map(Form::flat).collect();
                format!("({})", parts.join(" "))
            }
        }
    }

    /// Whether it holds statements, which have a line each.
    fn is_tall(&self) -> bool {
        match self {
            Form::Atom(_) => false,
            Form::List(parts, place) => place.is_some() || parts.iter().any(Form::is_tall),
        }
    }
}

struct Printer<'a> {
    ast: &'a Ast,
    source: Option<&'a Source>,
    text: String,
}

impl Printer<'_> {
    fn file(mut self) -> String {
        for item in &self.ast.items {
            for line in item.doc.iter().flat_map(|doc| doc.lines()) {
                self.line(0, &format!("/// {line}"), None);
            }
            self.item(item);
        }
        self.text
    }

    fn line(&mut self, indent: usize, text: &str, place: Option<Span>) {
        let start = self.text.len();
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(text);
        if let (Some(source), Some(span)) = (self.source, place) {
            let position = source.position(span.start);
            let width = self.text[start..].chars().count();
            self.text.extend(std::iter::repeat_n(' ', PLACE.saturating_sub(width).max(1)));
            self.text.push_str(&format!("; {}:{}", position.line + source.first_line, position.column + 1));
        }
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        self.text.push('\n');
    }

    fn item(&mut self, item: &Item) {
        let place = Some(item.span);
        match &item.kind {
            ItemKind::Use(UseTarget::Path(path)) => self.line(0, &format!("use {:?}", path.value), place),
            ItemKind::Use(UseTarget::Module(names)) => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                self.line(0, &format!("use {}", names.join(".")), place);
            }
            ItemKind::Const { name, value } => {
                self.line(0, &format!("const {}", name.value), place);
                self.expr(2, *value);
            }
            ItemKind::Callable(callable) => self.callable(callable, item.span),
            ItemKind::Data(data) => {
                self.line(0, &format!("data {}", data.name.value), place);
                self.fields(&data.fields);
            }
            ItemKind::Train(train) => {
                let models: Vec<String> = train.models.iter().map(|&model| self.form(model).flat()).collect();
                let alias = train.alias.as_ref().map_or(String::new(), |alias| format!(" as {}", alias.value));
                self.line(0, &format!("train {} on {}{alias}", models.join(", "), train.data.value), place);
                self.fields(&train.fields);
            }
            ItemKind::Error => self.line(0, "error", place),
        }
    }

    fn callable(&mut self, callable: &Callable, span: Span) {
        let equals = if callable.body_has_equals { " =" } else { "" };
        self.line(0, &format!("{} {}{equals}", callable.kind.keyword(), callable.name.value), Some(span));
        let lists = [("config", &callable.config), ("input", &callable.inputs)];
        for (what, list) in lists {
            let Some(list) = list else { continue };
            if list.is_empty() {
                self.line(2, &format!("no {what}"), None);
            }
            for parameter in list {
                let ty = parameter.ty.as_ref().map_or(String::new(), |ty| format!(": {}", self.ty(ty)));
                let default =
                    parameter.default.map_or(String::new(), |value| format!(" = {}", self.form(value).flat()));
                self.line(2, &format!("{what} {}{ty}{default}", parameter.name.value), None);
            }
        }
        match &callable.output {
            Some(Output::Type(ty)) => self.line(2, &format!("output {}", self.ty(ty)), None),
            Some(Output::Named { outputs, parenthesized }) => {
                let what = if *parenthesized { "outputs" } else { "output" };
                for (name, ty) in outputs {
                    self.line(2, &format!("{what} {}: {}", name.value, self.ty(ty)), None);
                }
            }
            None => {}
        }
        self.expr(2, callable.body);
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            for line in field.doc.iter().flat_map(|doc| doc.lines()) {
                self.line(2, &format!("/// {line}"), None);
            }
            let ty = field.ty.as_ref().map_or(String::new(), |ty| format!(": {}", self.ty(ty)));
            self.line(2, &format!("{}{ty} =", field.name.value), Some(field.span));
            self.expr(4, field.value);
        }
    }

    fn expr(&mut self, indent: usize, expr: ExprId) {
        let form = self.form(expr);
        self.write(indent, &form, "");
    }

    /// The form, broken over lines where it is long or holds statements; `close` goes behind its last line.
    fn write(&mut self, indent: usize, form: &Form, close: &str) {
        let place = match form {
            Form::List(_, place) => *place,
            Form::Atom(_) => None,
        };
        let inner_is_tall = match form {
            Form::List(parts, _) => parts.iter().any(Form::is_tall),
            Form::Atom(_) => false,
        };
        let flat = form.flat();
        let Form::List(parts, _) = form else { return self.line(indent, &format!("{flat}{close}"), None) };
        if !inner_is_tall && indent + flat.chars().count() <= WIDTH {
            return self.line(indent, &format!("{flat}{close}"), place);
        }
        // The operator and the atoms behind it on the first line, then a line for each of the others.
        let head: Vec<String> = parts.iter().take_while(|part| matches!(part, Form::Atom(_))).map(Form::flat).collect();
        let rest = &parts[head.len()..];
        let ends = if rest.is_empty() { format!("){close}") } else { String::new() };
        self.line(indent, &format!("({}{ends}", head.join(" ")), place);
        for (index, part) in rest.iter().enumerate() {
            let close = if index + 1 == rest.len() { format!("){close}") } else { String::new() };
            self.write(indent + 2, part, &close);
        }
    }

    fn ty(&self, ty: &TypeExpr) -> String {
        match &ty.kind {
            TypeExprKind::Tensor(dims) => self.dims(dims),
            TypeExprKind::Class { arguments, shape } => {
                let arguments: Vec<String> = arguments.iter().map(|&argument| self.form(argument).flat()).collect();
                let shape = shape.as_ref().map_or(String::new(), |shape| self.dims(shape));
                format!("class({}){shape}", arguments.join(", "))
            }
            TypeExprKind::Word(word) => word.clone(),
            TypeExprKind::Enumeration(names) => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                format!("{{{}}}", names.join(", "))
            }
            TypeExprKind::Union(types) => {
                let types: Vec<String> = types.iter().map(|ty| self.ty(ty)).collect();
                types.join(" or ")
            }
            TypeExprKind::Error => "error".to_string(),
        }
    }

    fn dims(&self, dims: &[DimExpr]) -> String {
        let dims = dims.iter().map(|dim| match dim {
            DimExpr::Dim(dim) => self.form(*dim).flat(),
            DimExpr::Rest(name) => format!("..{}", name.value),
        });
        format!("[{}]", dims.collect::<Vec<_>>().join(", "))
    }

    fn arguments(&self, arguments: &[Argument]) -> Vec<Form> {
        let mut forms = Vec::new();
        for argument in arguments {
            if let Some(name) = &argument.name {
                forms.push(Form::atom(format!("{}:", name.value)));
            }
            forms.push(self.form(argument.value));
        }
        forms
    }

    fn form(&self, id: ExprId) -> Form {
        match &self.ast[id].kind {
            ExprKind::Number { value, integer: true } => Form::atom(format!("{value}")),
            ExprKind::Number { value, integer: false } => Form::atom(format!("{value:?}")),
            ExprKind::String(text) => Form::atom(format!("{text:?}")),
            ExprKind::Bool(value) => Form::atom(value.to_string()),
            ExprKind::Name(name) => Form::atom(name.clone()),
            ExprKind::List(elements) => Form::list("list", self.arguments(elements)),
            ExprKind::Tuple(items) => Form::list("tuple", items.iter().map(|&item| self.form(item))),
            ExprKind::Paren(inner) => Form::list("paren", [self.form(*inner)]),
            ExprKind::Unary(UnaryOp::Neg, inner) => Form::list("neg", [self.form(*inner)]),
            ExprKind::Unary(UnaryOp::Not, inner) => Form::list("not", [self.form(*inner)]),
            ExprKind::Binary(first, rest) => self.infix(*first, rest),
            ExprKind::Pipe(first, links) => {
                Form::list("pipe", std::iter::once(first).chain(links).map(|&part| self.form(part)))
            }
            ExprKind::If { branches, otherwise } => {
                let branches = branches.iter().flat_map(|branch| [branch.condition, branch.then]);
                Form::list("if", branches.chain(*otherwise).map(|part| self.form(part)))
            }
            ExprKind::Call { callee, arguments } => {
                Form::list("call", std::iter::once(self.form(*callee)).chain(self.arguments(arguments)))
            }
            ExprKind::Index { base, indices } => {
                let indices = indices.iter().map(|index| self.index(index));
                Form::list("index", std::iter::once(self.form(*base)).chain(indices))
            }
            ExprKind::Range(start, end) => Form::list("range", [self.form(*start), self.form(*end)]),
            ExprKind::Rest(name) => Form::atom(format!("..{}", name.value)),
            ExprKind::Block(statements) => {
                Form::list("block", statements.iter().map(|statement| self.statement(statement)))
            }
            ExprKind::Repeat { count, body } => Form::list("repeat", [self.form(*count), self.form(*body)]),
            ExprKind::Each(inner) => Form::list("each", [self.form(*inner)]),
            ExprKind::Scan { over, from, body } => {
                let named = |(name, value): &(Name, ExprId)| Form::list(name.value.clone(), [self.form(*value)]);
                let over = Form::list("over", over.iter().map(named));
                let from = Form::list("from", from.iter().map(named));
                Form::list("scan", [over, from, self.form(*body)])
            }
            ExprKind::On(base, pattern) => Form::list("on", [self.form(*base), self.form(*pattern)]),
            ExprKind::Error => Form::atom("error"),
        }
    }

    /// `(+ a b c)` of one operator, `(infix a + b - c)` of several.
    fn infix(&self, first: ExprId, rest: &[Infix]) -> Form {
        let first = std::iter::once(self.form(first));
        match rest {
            [one, others @ ..] if others.iter().all(|other| other.op == one.op) => {
                Form::list(one.op.symbol(), first.chain(rest.iter().map(|infix| self.form(infix.operand))))
            }
            _ => {
                let rest = rest.iter().flat_map(|infix| [Form::atom(infix.op.symbol()), self.form(infix.operand)]);
                Form::list("infix", first.chain(rest))
            }
        }
    }

    fn index(&self, index: &IndexExpr) -> Form {
        match index {
            IndexExpr::At(at) => self.form(*at),
            IndexExpr::Range { start, end, .. } => {
                let end_form = |end: &Option<ExprId>| end.map_or(Form::atom("_"), |end| self.form(end));
                Form::list("range", [end_form(start), end_form(end)])
            }
        }
    }

    fn statement(&self, statement: &Stmt) -> Form {
        let bound = |name: &Name, ty: &Option<TypeExpr>| match ty {
            Some(ty) => Form::atom(format!("{}: {}", name.value, self.ty(ty))),
            None => Form::atom(name.value.clone()),
        };
        let value = |value: &Option<ExprId>| value.map(|value| self.form(value));
        let form = match &statement.kind {
            StmtKind::Let { names, value } => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                Form::list("let", [Form::atom(names.join(", ")), self.form(*value)])
            }
            StmtKind::Param { name, ty, init } => Form::list("param", [bound(name, ty)].into_iter().chain(value(init))),
            StmtKind::State { name, ty, init } => Form::list("state", [bound(name, ty)].into_iter().chain(value(init))),
            StmtKind::Next { name, value } => Form::list("next", [Form::atom(name.value.clone()), self.form(*value)]),
            StmtKind::Emit(value) => Form::list("emit", [self.form(*value)]),
            StmtKind::Expr(value) => Form::list("value", [self.form(*value)]),
            StmtKind::Error => Form::list("error", []),
        };
        match form {
            Form::List(parts, _) => Form::List(parts, Some(statement.span)),
            Form::Atom(_) => form,
        }
    }
}
