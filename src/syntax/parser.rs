//! The pairs of the grammar to nodes.
//!
//! In: the copy of the text made by [`layout`], parsed by pest. Out: [`Ast`]. Chains of operators arrive flat; this is
//! where precedence is known. What stands in place of the right thing arrives in a `bad_*` pair: it becomes a hole and
//! [`explain`](super::explain) says what is wrong with it.

use std::collections::BTreeSet;

use pest::Parser;
use pest::iterators::Pair;

use super::ast::*;
use super::explain::{self, Place};
use super::layout::{self, Layout};
use super::tokens::is_reserved;
use crate::diagnostics::{Diagnostic, Diagnostics, syntax as problems};
use crate::source::{FileId, Span, Spanned};

/// How many levels the tree of an expression may have.
pub const HEIGHT_LIMIT: u16 = 256;

pub(super) use grammar::{Grammar, Rule};

#[allow(missing_docs, unreachable_pub, reason = "derived")]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/nn.pest"]
    pub struct Grammar;
}

/// The tree of `text`, with what is wrong reported to `diagnostics`. Never fails.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Ast {
    let layout = layout::layout(file, text, diagnostics);
    let mut ast = Ast {
        file,
        items: Vec::new(),
        exprs: Vec::new(),
        comments: layout.comments.clone(),
        broken: Vec::new(),
        repaired: layout.repaired.iter().map(|range| Span::new(file, range.start, range.end)).collect(),
    };
    let pairs = if layout.too_deep { None } else { Some(Grammar::parse(Rule::file, &layout.text)) };
    let pairs = match pairs {
        Some(Ok(mut pairs)) => pairs.next(),
        Some(Err(_)) => {
            // The grammar takes any text; what it may run out of is the stack.
            diagnostics.push(problems::nested_too_deep(Span::new(file, 0, 0), layout::NESTING_LIMIT));
            None
        }
        None => None,
    };
    let Some(pairs) = pairs else {
        ast.items.push(Item { span: Span::new(file, 0, text.len()), doc: None, kind: ItemKind::Error });
        return ast;
    };
    let mut builder = Builder {
        file,
        text,
        layout: &layout,
        ast,
        heights: Vec::new(),
        depth: 0,
        height_reported: false,
        block: None,
        holes: 0,
        silent: false,
        told: BTreeSet::new(),
        diagnostics,
    };
    builder.file(pairs);
    builder.ast
}

mod expressions;

type Node<'i> = Pair<'i, Rule>;

struct Builder<'a, 'd> {
    file: FileId,
    text: &'a str,
    layout: &'a Layout<'a>,
    ast: Ast,
    /// The height of the tree below each expression.
    heights: Vec<u16>,
    /// How deep the builder has gone into operators that bind to the right.
    depth: u16,
    /// Whether the statement at hand was reported for its height.
    height_reported: bool,
    /// The block being read.
    block: Option<Span>,
    /// How many holes were met.
    holes: usize,
    /// Whether holes are not reported: the head of the declaration is not what it was meant to be, so its body is not either.
    silent: bool,
    /// In which of [`Layout::unread`] a hole was reported.
    told: BTreeSet<usize>,
    diagnostics: &'d mut Diagnostics,
}

impl Builder<'_, '_> {
    // ---- declarations

    fn file(&mut self, file: Node) {
        for pair in file.into_inner() {
            match pair.as_rule() {
                Rule::item => self.item(pair),
                Rule::bad_tail => {
                    let span = self.bad(&pair, Place::Tail);
                    self.ast.items.push(Item { span, doc: None, kind: ItemKind::Error });
                }
                _ => {}
            }
        }
    }

    fn item(&mut self, pair: Node) {
        self.height_reported = false;
        let span = self.span(&pair);
        let Some(inner) = pair.into_inner().next() else { return };
        let kind = match inner.as_rule() {
            Rule::use_item => self.use_item(inner),
            Rule::const_item => self.const_item(inner),
            Rule::callable => self.callable(inner),
            Rule::data_item => self.data_item(inner),
            Rule::train_item => self.train_item(inner),
            Rule::bad_item => {
                self.bad(&inner, Place::Item);
                ItemKind::Error
            }
            _ => self.bad_declaration(inner),
        };
        let doc = self.doc_before(span.start);
        self.ast.items.push(Item { span, doc, kind });
    }

    fn use_item(&mut self, pair: Node) -> ItemKind {
        let Some(target) = pair.into_inner().find(|inner| !is_keyword(inner.as_rule())) else { return ItemKind::Error };
        if target.as_rule() == Rule::string {
            let span = self.span(&target);
            return ItemKind::Use(UseTarget::Path(Spanned::new(unescape(target.as_str()), span)));
        }
        ItemKind::Use(UseTarget::Module(target.into_inner().map(|word| self.name(&word)).collect()))
    }

    fn const_item(&mut self, pair: Node) -> ItemKind {
        let mut name = None;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::name => name = Some(self.name(&inner)),
                Rule::value => {
                    let value = self.value(inner);
                    return name.map_or(ItemKind::Error, |name| ItemKind::Const { name, value });
                }
                _ => {}
            }
        }
        ItemKind::Error
    }

    fn callable(&mut self, pair: Node) -> ItemKind {
        let mut kind = CallableKind::Fn;
        let mut head = self.range(&pair);
        let mut name = None;
        let mut lists = Vec::new();
        let mut output = None;
        let mut body = None;
        let holes = self.holes;
        let mut guessed = false;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::callable_kind => kind = callable_kind(inner.as_str()),
                Rule::name => name = Some(self.name(&inner)),
                Rule::parameters => lists.push((self.span(&inner), self.parameters(inner))),
                Rule::output => output = self.output(inner),
                Rule::body => {
                    head.end = inner.as_span().start();
                    self.silent = lists.is_empty() && !kind.is_configuration_only();
                    guessed = self.silent || self.holes > holes;
                    let before = self.holes;
                    body = self.body(inner);
                    self.silent = false;
                    // Fields, say, behind a keyword of something else.
                    guessed |= lists.is_empty() && self.holes > before;
                }
                _ => {}
            }
        }
        let (Some(name), Some((body, body_has_equals))) = (name, body) else { return ItemKind::Error };
        // What is known of such a head is a guess: neither its body nor its uses are held against it.
        let unbalanced = self.is_unbalanced(self.layout.span(self.file, head));
        if guessed || unbalanced {
            self.ast.broken.push(name.clone());
        }
        let mut lists = lists.into_iter();
        let (first, second) = (lists.next(), lists.next());
        let (config, inputs) = match (kind.is_configuration_only(), first, second) {
            (true, first, second) => {
                if let Some((span, _)) = second {
                    self.diagnostics.push(problems::extra_inputs(span, kind.keyword()));
                }
                (first.map(|(_, list)| list), None)
            }
            (false, Some((_, config)), Some((_, inputs))) => (Some(config), Some(inputs)),
            (false, Some((_, inputs)), None) => (None, Some(inputs)),
            (false, None, _) if unbalanced => (None, Some(Vec::new())),
            (false, None, _) => {
                self.diagnostics.push(problems::missing_inputs(name.span.after(), kind.keyword(), &name.value));
                (None, Some(Vec::new()))
            }
        };
        ItemKind::Callable(Callable { kind, name, config, inputs, output, body, body_has_equals })
    }

    fn parameters(&mut self, pair: Node) -> Vec<Parameter> {
        pair.into_inner().filter_map(|parameter| self.parameter(parameter)).collect()
    }

    fn parameter(&mut self, pair: Node) -> Option<Parameter> {
        let span = self.span(&pair);
        let (mut name, mut ty, mut default) = (None, None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::word => name = Some(self.bound_word(&inner)),
                Rule::annotation => ty = Some(self.annotation(inner)),
                _ => default = self.element(inner).or(default),
            }
        }
        name.map(|name| Parameter { name, ty, default, span })
    }

    /// The name of a parameter, which an expression must be able to mention.
    fn bound_word(&mut self, word: &Node) -> Name {
        let name = self.name(word);
        if super::tokens::is_reserved(&name.value) && !self.is_repaired(name.span) {
            self.holes += 1;
            self.diagnostics.push(problems::keyword_as_name(name.span, &name.value));
        }
        name
    }

    fn output(&mut self, pair: Node) -> Option<Output> {
        let inner = pair.into_inner().next()?;
        match inner.as_rule() {
            Rule::type_ => Some(Output::Type(self.type_expr(inner))),
            Rule::named_output => {
                Some(Output::Named { outputs: vec![self.named_output(inner)?], parenthesized: false })
            }
            _ => {
                let outputs = inner.into_inner().filter_map(|output| self.named_output(output)).collect();
                Some(Output::Named { outputs, parenthesized: true })
            }
        }
    }

    fn named_output(&mut self, pair: Node) -> Option<(Name, TypeExpr)> {
        let mut inner = pair.into_inner();
        let name = self.name(&inner.next()?);
        Some((name, self.type_expr(inner.next()?)))
    }

    fn body(&mut self, pair: Node) -> Option<(ExprId, bool)> {
        let inner = pair.into_inner().find(|inner| matches!(inner.as_rule(), Rule::value | Rule::block))?;
        match inner.as_rule() {
            Rule::block => Some((self.block(inner), false)),
            _ => Some((self.value(inner), true)),
        }
    }

    fn data_item(&mut self, pair: Node) -> ItemKind {
        let mut name = None;
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::name => name = Some(self.name(&inner)),
                Rule::fields => {
                    let fields = self.fields(inner);
                    return name.map_or(ItemKind::Error, |name| ItemKind::Data(DataItem { name, fields }));
                }
                _ => {}
            }
        }
        ItemKind::Error
    }

    fn train_item(&mut self, pair: Node) -> ItemKind {
        let (mut models, mut data, mut alias, mut fields) = (Vec::new(), None, None, Vec::new());
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::trained => models.push(self.trained(inner)),
                Rule::name => data = Some(self.name(&inner)),
                Rule::alias => {
                    alias = inner.into_inner().find(|inner| inner.as_rule() == Rule::name).map(|name| self.name(&name))
                }
                Rule::fields => fields = self.fields(inner),
                _ => {}
            }
        }
        data.map_or(ItemKind::Error, |data| ItemKind::Train(TrainItem { models, data, alias, fields }))
    }

    fn trained(&mut self, pair: Node) -> ExprId {
        let span = self.span(&pair);
        let mut model = None;
        for inner in pair.into_inner() {
            match (inner.as_rule(), model) {
                (Rule::call, Some(callee)) => {
                    let arguments = self.arguments(inner);
                    model = Some(self.push(span, ExprKind::Call { callee, arguments }));
                }
                _ => {
                    let name = self.name(&inner);
                    model = Some(self.push(name.span, ExprKind::Name(name.value)));
                }
            }
        }
        model.unwrap_or_else(|| self.push(span, ExprKind::Error))
    }

    fn fields(&mut self, pair: Node) -> Vec<Field> {
        let mut fields = Vec::new();
        for inner in pair.into_inner() {
            self.height_reported = false;
            match inner.as_rule() {
                Rule::field => fields.extend(self.field(inner)),
                _ => {
                    let names = explain::bound_names(self.layout, self.file, self.range(&inner));
                    self.ast.broken.extend(names.into_iter().next());
                    self.bad(&inner, Place::Field);
                }
            }
        }
        fields
    }

    fn field(&mut self, pair: Node) -> Option<Field> {
        let span = self.span(&pair);
        let doc = self.doc_before(span.start);
        let (mut name, mut ty) = (None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::word => name = Some(self.name(&inner)),
                Rule::annotation => ty = Some(self.annotation(inner)),
                Rule::value => {
                    let value = self.value(inner);
                    return name.map(|name| Field { name, ty, value, doc, span });
                }
                _ => {}
            }
        }
        None
    }

    /// A declaration whose head could not be read: its name is remembered, its body read for its own mistakes.
    fn bad_declaration(&mut self, pair: Node) -> ItemKind {
        let mut head = self.range(&pair);
        let mut has_body = false;
        let mut name = None;
        let whole = head.clone();
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::word => name = Some(self.name(&inner)),
                Rule::value | Rule::fields | Rule::block => {
                    head.end = inner.as_span().start();
                    has_body = true;
                    match inner.as_rule() {
                        Rule::value => drop(self.value(inner)),
                        Rule::fields => drop(self.fields(inner)),
                        _ => drop(self.block(inner)),
                    }
                }
                _ => {}
            }
        }
        let repaired = self.is_repaired(self.layout.span(self.file, head.clone()));
        if !repaired && self.is_first_of_unread(self.layout.span(self.file, whole.clone())) {
            let problem = explain::declaration(self.layout, self.file, whole, head, has_body);
            self.diagnostics.push(problem);
        }
        self.ast.broken.extend(name);
        ItemKind::Error
    }

    // ---- types

    fn annotation(&mut self, pair: Node) -> TypeExpr {
        let span = self.span(&pair);
        let Some(inner) = pair.into_inner().find(|inner| matches!(inner.as_rule(), Rule::type_ | Rule::bad_type))
        else {
            return TypeExpr { span, kind: TypeExprKind::Error };
        };
        match inner.as_rule() {
            Rule::type_ => self.type_expr(inner),
            _ => TypeExpr { span: self.bad(&inner, Place::Type), kind: TypeExprKind::Error },
        }
    }

    fn type_expr(&mut self, pair: Node) -> TypeExpr {
        let span = self.span(&pair);
        let mut types: Vec<TypeExpr> = (pair.into_inner().filter(|part| part.as_rule() == Rule::one_type))
            .map(|part| self.one_type(part))
            .collect();
        match types.len() {
            0 => TypeExpr { span, kind: TypeExprKind::Error },
            1 => types.remove(0),
            _ => TypeExpr { span, kind: TypeExprKind::Union(types) },
        }
    }

    fn one_type(&mut self, pair: Node) -> TypeExpr {
        let span = self.span(&pair);
        let Some(inner) = pair.into_inner().next() else { return TypeExpr { span, kind: TypeExprKind::Error } };
        let kind = match inner.as_rule() {
            Rule::tensor_type => TypeExprKind::Tensor(self.dims(inner)),
            Rule::class_type => {
                let (mut arguments, mut shape) = (Vec::new(), None);
                for part in inner.into_inner() {
                    match part.as_rule() {
                        Rule::arguments => {
                            arguments = self.list(part).into_iter().map(|argument| argument.value).collect()
                        }
                        Rule::tensor_type => shape = Some(self.dims(part)),
                        _ => {}
                    }
                }
                TypeExprKind::Class { arguments, shape }
            }
            Rule::enumeration => TypeExprKind::Enumeration(inner.into_inner().map(|word| self.name(&word)).collect()),
            _ => TypeExprKind::Word(inner.as_str().trim().to_string()),
        };
        TypeExpr { span, kind }
    }

    fn dims(&mut self, pair: Node) -> Vec<DimExpr> {
        let mut dims = Vec::new();
        for dim in pair.into_inner() {
            let Some(inner) = dim.into_inner().next() else { continue };
            dims.push(match inner.as_rule() {
                Rule::rest => DimExpr::Rest(self.rest(inner)),
                Rule::expr => DimExpr::Dim(self.expr(inner)),
                _ => DimExpr::Dim(self.hole(&inner, Place::Element)),
            });
        }
        dims
    }

    fn rest(&mut self, pair: Node) -> Name {
        let span = self.span(&pair);
        match pair.into_inner().next() {
            Some(name) => self.name(&name),
            None => Spanned::new(String::new(), span),
        }
    }

    // ---- statements

    fn block(&mut self, pair: Node) -> ExprId {
        let span = self.span(&pair);
        let mut statements = Vec::new();
        let reported = self.height_reported;
        let around = self.block.replace(span);
        for statement in pair.into_inner() {
            self.height_reported = false;
            statements.push(self.statement(statement));
        }
        self.height_reported = reported;
        self.block = around;
        self.push(span, ExprKind::Block(statements))
    }

    fn statement(&mut self, pair: Node) -> Stmt {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if rule == Rule::bad_statement {
            let range = self.range(&pair);
            self.ast.broken.extend(explain::bound_names(self.layout, self.file, range));
            return Stmt { span: self.bad(&pair, Place::Statement), kind: StmtKind::Error };
        }
        let (mut names, mut ty, mut value) = (Vec::new(), None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::name | Rule::soft_name => names.push(self.name(&inner)),
                Rule::let_names => names.extend(inner.into_inner().map(|name| self.name(&name))),
                Rule::annotation => ty = Some(self.annotation(inner)),
                Rule::value => value = Some(self.value(inner)),
                Rule::expr => value = Some(self.expr(inner)),
                _ => {}
            }
        }
        let first = names.first().cloned();
        let kind = match (rule, first, value) {
            (Rule::let_statement, _, Some(value)) => StmtKind::Let { names, value },
            (Rule::param_statement, Some(name), init) => StmtKind::Param { name, ty, init },
            (Rule::state_statement, Some(name), init) => StmtKind::State { name, ty, init },
            (Rule::next_statement, Some(name), Some(value)) => StmtKind::Next { name, value },
            (Rule::emit_statement, _, Some(value)) => StmtKind::Emit(value),
            (_, _, Some(value)) => StmtKind::Expr(value),
            _ => StmtKind::Error,
        };
        Stmt { span, kind }
    }

    fn value(&mut self, pair: Node) -> ExprId {
        match pair.into_inner().next() {
            Some(inner) if inner.as_rule() == Rule::expr => self.expr(inner),
            Some(inner) => self.hole(&inner, Place::Value),
            None => self.push(Span::new(self.file, 0, 0), ExprKind::Error),
        }
    }

    // ---- nodes, spans and holes

    /// Adds an expression, or a hole where its tree would be too high.
    fn push(&mut self, span: Span, kind: ExprKind) -> ExprId {
        let mut highest = 0;
        kind.each_child(|child| highest = highest.max(self.heights[child.0 as usize]));
        let id = ExprId(self.ast.exprs.len() as u32);
        if highest >= HEIGHT_LIMIT {
            self.report_height(span);
            self.ast.exprs.push(Expr { span, kind: ExprKind::Error });
            self.heights.push(1);
        } else {
            self.ast.exprs.push(Expr { span, kind });
            self.heights.push(highest + 1);
        }
        id
    }

    fn report_height(&mut self, span: Span) {
        if !std::mem::replace(&mut self.height_reported, true) {
            self.diagnostics.push(problems::too_many_levels(span, HEIGHT_LIMIT.into()));
        }
    }

    fn range(&self, pair: &Node) -> std::ops::Range<usize> {
        self.layout.trim(pair.as_span().start()..pair.as_span().end())
    }

    fn span(&self, pair: &Node) -> Span {
        self.layout.span(self.file, self.range(pair))
    }

    fn source(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn name(&self, pair: &Node) -> Name {
        Spanned::new(pair.as_str().trim().to_string(), self.span(pair))
    }

    /// Whether something in the span was reported and mended, so that what is wrong there is known.
    fn is_repaired(&self, span: Span) -> bool {
        self.layout.repaired.touch(&(span.start as usize..span.end as usize))
    }

    /// Whether a bracket without a partner stands in the span.
    fn is_unbalanced(&self, span: Span) -> bool {
        let first = self.layout.unbalanced.partition_point(|&at| at < span.start as usize);
        self.layout.unbalanced.get(first).is_some_and(|&at| at < span.end as usize)
    }

    /// Whether the span is in no text whose blocks are not where they seem to be, or holds the first hole there.
    fn is_first_of_unread(&mut self, span: Span) -> bool {
        let behind = self.layout.unread.partition_point(|range| range.start <= span.start as usize);
        let found = behind.checked_sub(1).filter(|&at| self.layout.unread[at].end > span.start as usize);
        found.is_none_or(|at| self.told.insert(at))
    }

    fn hole(&mut self, pair: &Node, place: Place) -> ExprId {
        let span = self.bad(pair, place);
        self.push(span, ExprKind::Error)
    }

    /// Reports what stands where nothing fits, and its span.
    fn bad(&mut self, pair: &Node, place: Place) -> Span {
        let range = self.range(pair);
        let span = self.layout.span(self.file, range.clone());
        self.holes += 1;
        if !self.silent && !self.is_repaired(span) && self.is_first_of_unread(span) {
            let problem = explain::slice(self.layout, self.file, range, place);
            // A block written in another way is one mistake, however long it is.
            let bare = place == Place::Statement && self.is_bare_binding(span, &problem);
            if !(bare && self.diagnostics.extend_same(&problem, self.block)) {
                self.diagnostics.push(problem);
            }
        }
        self.ast.repaired.push(span);
        span
    }

    /// Whether a statement begins with a name and the problem is right behind it: `x = …` without `let`, or the fields of another block.
    fn is_bare_binding(&self, statement: Span, problem: &Diagnostic) -> bool {
        let Some(place) = problem.span() else { return false };
        let before = self.source(Span { end: place.start.max(statement.start), ..statement }).trim();
        !before.is_empty()
            && before.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
            && !is_reserved(before)
    }

    /// The documentation in the lines right before an offset.
    fn doc_before(&self, offset: u32) -> Option<String> {
        let behind = self.ast.comments.partition_point(|comment| comment.span.start < offset);
        let mut lines = Vec::new();
        let mut next = offset;
        for comment in self.ast.comments[..behind].iter().rev().take_while(|comment| comment.doc) {
            let gap = &self.text[comment.span.end as usize..next as usize];
            if gap.bytes().filter(|&byte| byte == b'\n').count() != 1 || !gap.trim().is_empty() {
                break;
            }
            let line = comment.text.trim_start_matches('/');
            lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end().to_string());
            next = comment.span.start;
        }
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

fn callable_kind(word: &str) -> CallableKind {
    let kind = CallableKind::of_keyword(word.trim());
    kind.unwrap_or(CallableKind::Fn)
}

fn is_keyword(rule: Rule) -> bool {
    matches!(rule, Rule::k_use | Rule::k_on | Rule::k_as | Rule::k_data | Rule::k_train | Rule::k_const)
}

/// The characters a string literal stands for. An escape there is none of stands for its character.
fn unescape(literal: &str) -> String {
    let inner = literal.trim();
    let inner = inner.strip_prefix('"').unwrap_or(inner);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}
