//! Expressions: where precedence is known.
//!
//! The grammar reads a chain of operators flat, as operands and infix operators in turn; here it becomes a tree.

use super::{Builder, Node, is_keyword, unescape};
use crate::diagnostics::{Edit, syntax as problems};
use crate::source::Span;
use crate::syntax::ast::*;
use crate::syntax::explain::Place;
use crate::syntax::parser::{HEIGHT_LIMIT, Rule};

impl Builder<'_, '_> {
    /// An `expr` or `unpiped` pair.
    pub(super) fn expr(&mut self, pair: Node) -> ExprId {
        let span = self.span(&pair);
        let parts: Vec<Node> = pair.into_inner().collect();
        let mut chain = Chain { parts: parts.into_iter().peekable() };
        let expr = self.chain(&mut chain, Binding::Pipe);
        expr.unwrap_or_else(|| self.push(span, ExprKind::Error))
    }

    /// The operators of the chain that bind at least as tight as `loosest`, with their operands.
    fn chain(&mut self, chain: &mut Chain, loosest: Binding) -> Option<ExprId> {
        if self.depth > HEIGHT_LIMIT {
            let at = chain.parts.peek().map_or(Span::new(self.file, 0, 0), |pair| self.span(pair));
            // What is left of the chain is not read.
            chain.parts.by_ref().for_each(drop);
            self.report_height(at);
            return Some(self.push(at, ExprKind::Error));
        }
        self.depth += 1;
        let expr = self.operators(chain, loosest);
        self.depth -= 1;
        expr
    }

    fn operators(&mut self, chain: &mut Chain, loosest: Binding) -> Option<ExprId> {
        let mut first = self.prefixed(chain)?;
        let mut compared: Option<(Span, ExprId)> = None;
        while let Some(binding) = chain.binding().filter(|&binding| binding >= loosest) {
            first = self.equally_tight(chain, first, binding, &mut compared)?;
        }
        Some(first)
    }

    /// All operators behind `first` that bind as tight as the next, with their operands.
    fn equally_tight(
        &mut self,
        chain: &mut Chain,
        first: ExprId,
        binding: Binding,
        compared: &mut Option<(Span, ExprId)>,
    ) -> Option<ExprId> {
        let mut span = self.ast[first].span;
        let (mut links, mut rest) = (Vec::new(), Vec::new());
        while chain.binding() == Some(binding) {
            let infix = chain.parts.next()?;
            let sign = self.span(&infix);
            let right = self.chain(chain, if binding == Binding::Power { binding } else { binding.tighter() })?;
            span = span.to(self.ast[right].span);
            let Some(op) = infix_operator(&infix).0 else {
                links.push(right);
                continue;
            };
            if binding == Binding::Comparison {
                if let Some((first, middle)) = *compared {
                    let middle = self.source(self.ast[middle].span).to_string();
                    let simple = middle.len() <= 40 && !middle.contains('\n');
                    let edit =
                        simple.then(|| Edit::replace(Span { end: sign.start, ..sign }, format!("and {middle} ")));
                    if !self.is_repaired(span) {
                        self.diagnostics.push(problems::chained_comparison(sign, first, edit));
                    }
                }
                *compared = Some((sign, right));
            }
            rest.push(Infix { op, at: sign, operand: right });
        }
        Some(self.push(
            span,
            match binding {
                Binding::Pipe => ExprKind::Pipe(first, links),
                _ => ExprKind::Binary(first, rest),
            },
        ))
    }

    /// An operand with its signs.
    fn prefixed(&mut self, chain: &mut Chain) -> Option<ExprId> {
        let pair = chain.parts.next()?;
        let start = self.span(&pair);
        match pair.as_rule() {
            Rule::minus => {
                let operand = self.chain(chain, Binding::Power)?;
                let span = start.to(self.ast[operand].span);
                Some(self.push(span, ExprKind::Unary(UnaryOp::Neg, operand)))
            }
            Rule::k_not => {
                let operand = self.chain(chain, Binding::Comparison)?;
                let span = start.to(self.ast[operand].span);
                Some(self.push(span, ExprKind::Unary(UnaryOp::Not, operand)))
            }
            Rule::k_each => {
                let mut starts = vec![start];
                while let Some(pair) = chain.parts.next_if(|pair| pair.as_rule() == Rule::k_each) {
                    starts.push(self.span(&pair));
                }
                let pair = chain.parts.next()?;
                let mut operand = self.postfixed(pair, chain);
                for start in starts.into_iter().rev() {
                    let span = start.to(self.ast[operand].span);
                    operand = self.push(span, ExprKind::Each(operand));
                }
                Some(operand)
            }
            _ => Some(self.postfixed(pair, chain)),
        }
    }

    /// A primary expression with the calls, indices and `on` behind it.
    fn postfixed(&mut self, pair: Node, chain: &mut Chain) -> ExprId {
        // A parenthesis belongs to what is called: the span of `(f)(x)` begins before it.
        let start = self.span(&pair);
        let mut base = self.primary(pair);
        while let Some(pair) =
            chain.parts.next_if(|pair| matches!(pair.as_rule(), Rule::call | Rule::indices | Rule::pattern))
        {
            let span = start.to(self.span(&pair));
            let kind = match pair.as_rule() {
                Rule::call => ExprKind::Call { callee: base, arguments: self.arguments(pair) },
                Rule::indices => {
                    let indices = pair.into_inner().filter_map(|index| self.index(index)).collect();
                    ExprKind::Index { base, indices }
                }
                _ => {
                    let Some(pattern) = pair.into_inner().find(|inner| !is_keyword(inner.as_rule())) else { continue };
                    ExprKind::On(base, self.primary(pattern))
                }
            };
            base = self.push(span, kind);
        }
        base
    }

    fn primary(&mut self, pair: Node) -> ExprId {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::number => {
                let text = pair.as_str();
                let (digits, scale) = match text.strip_suffix('%') {
                    Some(digits) => (digits, 100.0),
                    None => (text, 1.0),
                };
                let integer = text.bytes().all(|byte| byte.is_ascii_digit());
                let value = digits.parse::<f64>().unwrap_or(f64::NAN) / scale;
                self.push(span, ExprKind::Number { value, integer })
            }
            Rule::string => self.push(span, ExprKind::String(unescape(pair.as_str()))),
            Rule::k_true => self.push(span, ExprKind::Bool(true)),
            Rule::k_false => self.push(span, ExprKind::Bool(false)),
            Rule::block => self.block(pair),
            Rule::list => {
                let elements = self.list(pair);
                self.push(span, ExprKind::List(elements))
            }
            Rule::parenthesized => self.parenthesized(pair, span),
            Rule::conditional => self.conditional(pair, span),
            Rule::repeat => self.repeat(pair, span),
            Rule::scan => self.scan(pair, span),
            _ => {
                let name = pair.as_str().trim().to_string();
                if matches!(&*name, "None" | "null" | "nil" | "nullptr") && self.is_repaired(span) {
                    return self.push(span, ExprKind::Error);
                }
                self.push(span, ExprKind::Name(name))
            }
        }
    }

    fn parenthesized(&mut self, pair: Node, span: Span) -> ExprId {
        let mut items: Vec<ExprId> = Vec::new();
        for inner in pair.into_inner() {
            items.push(match inner.as_rule() {
                Rule::expr => self.expr(inner),
                _ => self.hole(&inner, Place::Element),
            });
        }
        match items[..] {
            [only] => self.push(span, ExprKind::Paren(only)),
            _ => self.push(span, ExprKind::Tuple(items)),
        }
    }

    fn conditional(&mut self, pair: Node, span: Span) -> ExprId {
        // `if a then b else if c then d else e` is flat: conditions and values in turn, an `else` behind `else` alone last.
        let mut conditions: Vec<(Span, ExprId)> = Vec::new();
        let mut values = Vec::new();
        let mut last = None;
        let (mut start, mut expects_value) = (span, false);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::k_if => start = self.span(&inner),
                Rule::k_then => expects_value = true,
                Rule::expr if expects_value => {
                    values.push(self.expr(inner));
                    expects_value = false;
                }
                Rule::expr => conditions.push((start, self.expr(inner))),
                Rule::unpiped => last = Some(self.expr(inner)),
                _ => {}
            }
        }
        if last.is_none() && !self.is_repaired(span) {
            let at = conditions.last().map_or(span, |&(start, _)| start);
            self.diagnostics.push(problems::missing_else(at));
        }
        let branches = conditions.into_iter().zip(values);
        let branches: Vec<Branch> =
            branches.map(|((start, condition), then)| Branch { start, condition, then }).collect();
        match (branches.is_empty(), last) {
            (false, otherwise) => self.push(span, ExprKind::If { branches, otherwise }),
            (true, Some(only)) => only,
            (true, None) => self.push(span, ExprKind::Error),
        }
    }

    fn repeat(&mut self, pair: Node, span: Span) -> ExprId {
        let (mut count, mut body) = (None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::unpiped => count = Some(self.expr(inner)),
                Rule::block => body = Some(self.block(inner)),
                _ => {}
            }
        }
        match (count, body) {
            (Some(count), Some(body)) => self.push(span, ExprKind::Repeat { count, body }),
            _ => self.push(span, ExprKind::Error),
        }
    }

    fn scan(&mut self, pair: Node, span: Span) -> ExprId {
        let (mut over, mut from, mut body) = (Vec::new(), Vec::new(), None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::scanned => over.extend(self.named_value(inner)),
                Rule::starts => from = inner.into_inner().filter_map(|start| self.named_value(start)).collect(),
                Rule::block => body = Some(self.block(inner)),
                _ => {}
            }
        }
        match body {
            Some(body) => self.push(span, ExprKind::Scan { over, from, body }),
            None => self.push(span, ExprKind::Error),
        }
    }

    /// `x_t over x` or `h = e`.
    fn named_value(&mut self, pair: Node) -> Option<(Name, ExprId)> {
        let (mut name, mut value) = (None, None);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::name => name = Some(self.name(&inner)),
                Rule::unpiped => value = Some(self.expr(inner)),
                _ => value = self.element(inner).or(value),
            }
        }
        Some((name?, value?))
    }

    /// What a `call` holds.
    pub(super) fn arguments(&mut self, call: Node) -> Vec<Argument> {
        call.into_inner().next().map(|arguments| self.list(arguments)).unwrap_or_default()
    }

    /// The elements of a list or arguments of a call.
    pub(super) fn list(&mut self, pair: Node) -> Vec<Argument> {
        let mut list = Vec::new();
        for argument in pair.into_inner() {
            let (mut name, mut value) = (None, None);
            for inner in argument.into_inner() {
                match inner.as_rule() {
                    Rule::word => name = Some(self.name(&inner)),
                    Rule::bad_colon => {
                        let span = self.span(&inner);
                        if !self.is_repaired(span) {
                            self.diagnostics.push(problems::colon_for_equals(span));
                        }
                        self.ast.repaired.push(span);
                    }
                    _ => value = self.element(inner).or(value),
                }
            }
            list.extend(value.map(|value| Argument { name, value }));
        }
        list
    }

    /// `e`, `a..b` or `..s`, or what stands in its place.
    pub(super) fn element(&mut self, pair: Node) -> Option<ExprId> {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::rest => {
                let name = self.rest(pair);
                Some(self.push(span, ExprKind::Rest(name)))
            }
            Rule::range => {
                let mut ends = pair.into_inner();
                let first = ends.next().map(|end| self.expr(end))?;
                match ends.next() {
                    Some(end) => {
                        let end = self.expr(end);
                        Some(self.push(span, ExprKind::Range(first, end)))
                    }
                    None => Some(first),
                }
            }
            Rule::bad_element | Rule::bad_named => Some(self.hole(&pair, Place::Element)),
            _ => None,
        }
    }

    fn index(&mut self, pair: Node) -> Option<IndexExpr> {
        let span = self.span(&pair);
        let (mut start, mut end, mut is_range) = (None, None, false);
        for inner in pair.into_inner() {
            match inner.as_rule() {
                Rule::expr => start = Some(self.expr(inner)),
                Rule::open_range => {
                    is_range = true;
                    end = inner.into_inner().next().map(|end| self.expr(end));
                }
                _ => return Some(IndexExpr::At(self.hole(&inner, Place::Element))),
            }
        }
        if is_range { Some(IndexExpr::Range { start, end, span }) } else { start.map(IndexExpr::At) }
    }
}

struct Chain<'i> {
    parts: std::iter::Peekable<std::vec::IntoIter<Node<'i>>>,
}

impl Chain<'_> {
    /// How tight the operator that comes next binds, where one does.
    fn binding(&mut self) -> Option<Binding> {
        self.parts.peek().filter(|pair| pair.as_rule() == Rule::infix).map(|infix| infix_operator(infix).1)
    }
}

/// How tight an infix operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Pipe,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Power,
    Operand,
}

impl Binding {
    fn tighter(self) -> Binding {
        match self {
            Binding::Pipe => Binding::Or,
            Binding::Or => Binding::And,
            Binding::And => Binding::Comparison,
            Binding::Comparison => Binding::Sum,
            Binding::Sum => Binding::Product,
            Binding::Product => Binding::Power,
            Binding::Power | Binding::Operand => Binding::Operand,
        }
    }
}

/// The operator of an `infix` pair, `None` for `|>`.
fn infix_operator(pair: &Node) -> (Option<BinaryOp>, Binding) {
    let rule = pair.clone().into_inner().next().map(|inner| inner.as_rule());
    let (operator, binding) = match rule {
        Some(Rule::k_or) => (BinaryOp::Or, Binding::Or),
        Some(Rule::k_and) => (BinaryOp::And, Binding::And),
        Some(Rule::eq) => (BinaryOp::Eq, Binding::Comparison),
        Some(Rule::ne) => (BinaryOp::Ne, Binding::Comparison),
        Some(Rule::lt) => (BinaryOp::Lt, Binding::Comparison),
        Some(Rule::le) => (BinaryOp::Le, Binding::Comparison),
        Some(Rule::gt) => (BinaryOp::Gt, Binding::Comparison),
        Some(Rule::ge) => (BinaryOp::Ge, Binding::Comparison),
        Some(Rule::add) => (BinaryOp::Add, Binding::Sum),
        Some(Rule::sub) => (BinaryOp::Sub, Binding::Sum),
        Some(Rule::mul) => (BinaryOp::Mul, Binding::Product),
        Some(Rule::div) => (BinaryOp::Div, Binding::Product),
        Some(Rule::rem) => (BinaryOp::Rem, Binding::Product),
        Some(Rule::matmul) => (BinaryOp::MatMul, Binding::Product),
        Some(Rule::pow) => (BinaryOp::Pow, Binding::Power),
        _ => return (None, Binding::Pipe),
    };
    (Some(operator), binding)
}
