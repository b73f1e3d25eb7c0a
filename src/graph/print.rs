//! A graph as text: one line per node, its type beside its name, scalar constants in place.
//!
//! ```text
//! graph Simple.eval (batch 32) {
//!   %0: f32[32, 2] = data "p"
//!   %1: f32[2, 3]  = param "dense_1.W"
//!   %2: f32[3]     = param "dense_1.b"
//!   %3: f32[32, 3] = contract ik,kj->ij %0, %1  ; layers.nn:9:5
//!   %4: f32[32, 3] = add %3, %2                 ; layers.nn:9:5, suffix [3]
//!   %6: f32[32, 3] = max %4, 0.0                ; activations.nn:1:41
//!   return "z_hat" %6
//! }
//! ```

use super::{Binary, Graph, NodeId, Op, Reduction, Role, Scalar, Scan, TensorType, Time, Unary};
use crate::source::{SHIPPED, Sources, Span};
use std::fmt::{self, Write};

/// The text of a graph; with `sources` each line tells where it was written.
pub fn print(graph: &Graph, sources: Option<&Sources>) -> String {
    Text { graph, sources, marked: None }.to_string()
}

/// What a node computes, as the right side of its line.
pub fn print_node(graph: &Graph, id: NodeId) -> String {
    Text { graph, sources: None, marked: None }.body(id)
}

/// The same with one line marked, for a failure of `verify`.
pub(super) fn print_marked(graph: &Graph, marked: NodeId) -> String {
    Text { graph, sources: None, marked: Some(marked) }.to_string()
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text { graph: self, sources: None, marked: None }.fmt(f)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::F32(x) => write!(f, "{x:?}"),
            Scalar::I32(x) => write!(f, "{x}"),
            Scalar::Bool(x) => write!(f, "{x}"),
        }
    }
}

/// Beyond this width a column no longer widens the others.
const WIDEST_COLUMN: usize = 48;

struct Text<'a> {
    graph: &'a Graph,
    sources: Option<&'a Sources>,
    marked: Option<NodeId>,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<(String, String, String)> = (self.graph.ids())
            .filter(|&id| self.marked == Some(id) || !self.is_scalar(id))
            .map(|id| {
                let mark = if self.marked == Some(id) { "> " } else { "  " };
                let node = &self.graph[id];
                (format!("{mark}{id}: {}", node.ty), self.body(id), self.comment(id))
            })
            .collect();
        let widest = |column: fn(&(String, String, String)) -> &String| {
            lines
                .iter()
                .map(|line| column(line).chars().count())
                .filter(|&width| width <= WIDEST_COLUMN)
                .max()
                .unwrap_or(0)
        };
        let (left, right) = (widest(|line| &line.0), widest(|line| &line.1));

        write!(f, "graph {}", self.graph.name)?;
        if let Some(batch) = self.graph.batch {
            write!(f, " (batch {batch})")?;
        }
        f.write_str(" {\n")?;
        let shown = self.graph.ids().filter(|&id| self.marked == Some(id) || !self.is_scalar(id));
        for ((name, body, comment), id) in lines.iter().zip(shown) {
            if comment.is_empty() {
                writeln!(f, "{name:left$} = {body}")?;
            } else {
                writeln!(f, "{name:left$} = {body:right$}  ; {comment}")?;
            }
            if let Op::Scan(scan) = &self.graph[id].op {
                let region = Text { graph: &scan.region, sources: self.sources, marked: None }.to_string();
                for line in region.lines() {
                    writeln!(f, "    {line}")?;
                }
            }
        }
        for output in &self.graph.outputs {
            let word = if output.updates.is_some() { "update" } else { "return" };
            writeln!(f, "  {word} {:?} {}", output.name, self.operand(output.node))?;
        }
        f.write_str("}\n")
    }
}

impl Text<'_> {
    fn is_scalar(&self, id: NodeId) -> bool {
        matches!(self.graph[id].op, Op::Constant(_))
    }

    /// A use of a value: its name, or the constant itself. Also prints what `verify` rejects.
    fn operand(&self, id: NodeId) -> String {
        match self.graph.nodes.get(id.0 as usize).map(|node| &node.op) {
            Some(Op::Constant(scalar)) => scalar.to_string(),
            _ => id.to_string(),
        }
    }

    fn body(&self, id: NodeId) -> String {
        let node = &self.graph[id];
        let operands = node.operands.iter().map(|&operand| self.operand(operand)).collect::<Vec<_>>().join(", ");
        match &node.op {
            Op::Input(number) => match self.graph.inputs.get(*number) {
                Some(input) => format!("{} {:?}", role_name(input.role), input.name),
                None => format!("input {number}"),
            },
            Op::Constant(scalar) => scalar.to_string(),
            Op::Iota { axis } => format!("iota axis {axis}"),
            Op::Unary(op) => format!("{} {operands}", unary_name(*op)),
            Op::Binary(op) => format!("{} {operands}", binary_name(*op)),
            Op::Select => format!("select {operands}"),
            Op::Convert => format!("convert {operands}"),
            Op::Broadcast { axes } => format!("broadcast {operands}, axes {axes:?}"),
            Op::Reshape => format!("reshape {operands}"),
            Op::Transpose { permutation } => format!("transpose {operands}, {permutation:?}"),
            Op::Slice { start, end } => {
                let ranges: Vec<String> = start.iter().zip(end).map(|(a, b)| format!("{a}..{b}")).collect();
                format!("slice {operands}, [{}]", ranges.join(", "))
            }
            Op::Pad { low, high } => {
                let widths: Vec<String> = low.iter().zip(high).map(|(a, b)| format!("{a}+{b}")).collect();
                format!("pad {operands}, [{}]", widths.join(", "))
            }
            Op::Concat { axis } => format!("concat {operands}, axis {axis}"),
            Op::Reverse { axis } => format!("reverse {operands}, axis {axis}"),
            Op::Windows { axis, along } => {
                let super::windows::Along { size, stride, dilation } = along;
                format!("windows {operands}, axis {axis}, size {size}, stride {stride}, dilation {dilation}")
            }
            Op::Reduce { kind, axis, count } => {
                let axes: Vec<usize> = (*axis..axis.saturating_add(*count)).collect();
                format!("{} {operands}, axes {axes:?}", reduction_name(*kind))
            }
            Op::ArgMax { axis } => format!("argmax {operands}, axis {axis}"),
            Op::ArgMin { axis } => format!("argmin {operands}, axis {axis}"),
            Op::ArgSort { axis, descending: false } => format!("argsort {operands}, axis {axis}"),
            Op::ArgSort { axis, descending: true } => format!("argsort {operands}, axis {axis}, descending"),
            Op::Contract { batch, contract } => {
                let types: Vec<Option<&TensorType>> =
                    node.operands.iter().map(|id| self.graph.nodes.get(id.0 as usize).map(|node| &node.ty)).collect();
                match types[..] {
                    [Some(left), Some(right)] => {
                        format!("contract {} {operands}", subscripts(left.rank(), right.rank(), batch, contract))
                    }
                    _ => format!("contract {operands}, batch {batch:?}, over {contract:?}"),
                }
            }
            Op::Gather { batch: 0 } => format!("gather {operands}"),
            Op::Gather { batch } => format!("gather {operands}, batch {batch}"),
            Op::ScatterAdd { batch: 0 } => format!("scatter_add {operands}"),
            Op::ScatterAdd { batch } => format!("scatter_add {operands}, batch {batch}"),
            Op::Scan(scan) => self.scan(id, scan),
            Op::Result(number) => format!("result {number} of {operands}"),
            Op::Emit { time, extent } => format!("emit {operands}, {} of {extent} steps", time_text(*time)),
            Op::Step(time) => format!("step of {operands}, {}", time_text(*time)),
            Op::Uniform { purpose } => format!("uniform {operands}, purpose {purpose}"),
            Op::StopGradient => format!("stop_gradient {operands}"),
            Op::SumBatch => format!("sum_batch {operands}"),
            Op::Orthogonalize => format!("orthogonalize {operands}"),
        }
    }

    /// The head of a loop over time; its region is printed below the line.
    fn scan(&self, id: NodeId, scan: &Scan) -> String {
        let operands = &self.graph[id].operands;
        let list = |from: usize, to: usize, over: bool| -> String {
            let part = operands.iter().enumerate().take(to).skip(from);
            let words = part.map(|(number, &operand)| match scan.over.get(number).filter(|_| over) {
                Some(time) => format!("{} ({})", self.operand(operand), time_text(*time)),
                None => self.operand(operand),
            });
            words.collect::<Vec<_>>().join(", ")
        };
        let (sequences, states) = (scan.over.len(), scan.over.len() + scan.states);
        let mut text = format!("scan {} steps", scan.extent);
        for (word, part) in [
            ("over", list(0, sequences, true)),
            ("from", list(sequences, states, false)),
            ("with", list(states, operands.len(), false)),
        ] {
            if !part.is_empty() {
                let _ = write!(text, " {word} {part}");
            }
        }
        let emits: Vec<String> = scan.emits.iter().map(|time| time_text(*time)).collect();
        if !emits.is_empty() {
            let _ = write!(text, ", emits along {}", emits.join(", "));
        }
        text
    }

    fn comment(&self, id: NodeId) -> String {
        let node = &self.graph[id];
        let mut comment = String::new();
        if let Some(sources) = self.sources
            && node.origin != Span::default()
        {
            let source = sources.get(node.origin.file);
            let at = source.position(node.origin.start);
            // The file's name alone: a dump is the same wherever the program lies.
            let name = match source.name.strip_prefix(SHIPPED) {
                Some(shipped) => shipped,
                None => source.name.rsplit(['/', '\\']).next().unwrap_or_default(),
            };
            let _ = write!(comment, "{name}:{}:{}", at.line + source.first_line, at.column + 1);
        }
        if matches!(node.op, Op::Binary(_) | Op::Select) {
            for &operand in &node.operands {
                let Some(other) = self.graph.nodes.get(operand.0 as usize) else { continue };
                if other.ty.shape != node.ty.shape && other.ty.rank() > 0 {
                    let separator = if comment.is_empty() { "" } else { ", " };
                    let _ = write!(comment, "{separator}suffix {:?}", other.ty.shape);
                }
            }
        }
        comment
    }
}

fn time_text(time: Time) -> String {
    format!("axis {}{}", time.axis, if time.reversed { " backwards" } else { "" })
}

/// A contraction as numpy's `einsum` writes it: `ik,kj->ij`.
fn subscripts(left: usize, right: usize, batch: &[(usize, usize)], contract: &[(usize, usize)]) -> String {
    let mut free_names = "ijlmnopqrstuvwxyzabcdefgh".chars().chain('A'..='Z').chain(std::iter::repeat('?'));
    let mut sum_names = "k".chars().chain('α'..='ω').chain(std::iter::repeat('?'));
    let (mut left_names, mut right_names) = (vec![None; left], vec![None; right]);
    let mut result = String::new();
    let name = |names: &mut Vec<Option<char>>, axis: usize, letter: char| {
        if let Some(slot) = names.get_mut(axis) {
            *slot = Some(letter);
        }
    };
    for &(i, j) in batch {
        let letter = free_names.next().unwrap_or('?');
        name(&mut left_names, i, letter);
        name(&mut right_names, j, letter);
        result.push(letter);
    }
    for &(i, j) in contract {
        let letter = sum_names.next().unwrap_or('?');
        name(&mut left_names, i, letter);
        name(&mut right_names, j, letter);
    }
    for slot in left_names.iter_mut().chain(&mut right_names).filter(|slot| slot.is_none()) {
        let letter = free_names.next().unwrap_or('?');
        *slot = Some(letter);
        result.push(letter);
    }
    let text = |names: Vec<Option<char>>| names.into_iter().flatten().collect::<String>();
    format!("{},{}->{result}", text(left_names), text(right_names))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Data => "data",
        Role::Param => "param",
        Role::State => "state",
        Role::Setting => "setting",
    }
}

/// The printed name of an elementwise function of one operand.
pub fn unary_name(op: Unary) -> &'static str {
    match op {
        Unary::Neg => "neg",
        Unary::Abs => "abs",
        Unary::Sign => "sign",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Round => "round",
        Unary::Sqrt => "sqrt",
        Unary::Exp => "exp",
        Unary::Log => "log",
        Unary::Log1p => "log1p",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tanh => "tanh",
        Unary::Erf => "erf",
        Unary::Sigmoid => "sigmoid",
        Unary::Softplus => "softplus",
        Unary::Not => "not",
    }
}

/// The printed name of an elementwise function of two operands.
pub fn binary_name(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::Div => "div",
        Binary::Pow => "pow",
        Binary::Max => "max",
        Binary::Min => "min",
        Binary::Eq => "eq",
        Binary::Ne => "ne",
        Binary::Lt => "lt",
        Binary::Le => "le",
        Binary::Gt => "gt",
        Binary::Ge => "ge",
        Binary::And => "and",
        Binary::Or => "or",
    }
}

/// The printed name of a reduction.
pub fn reduction_name(kind: Reduction) -> &'static str {
    match kind {
        Reduction::Sum => "sum",
        Reduction::Prod => "prod",
        Reduction::Max => "max",
        Reduction::Min => "min",
    }
}
