//! A [`Hir`] as text: `nnc ir --stage hir`.
//!
//! One line for each value, definitions before uses, the type beside the name.

use super::elementwise::symbol;
use super::hir::{
    Body, ColumnForm, Data, Element, Elementwise, Fitted, Hir, HirOp, Model, Reduce, Run, SourceSpec, ToySet, Value,
    ValueType, Window,
};
use super::shaping::reduction_name;
use std::fmt::{self, Display, Write};

/// The text of a program's data, models and runs.
pub fn print(hir: &Hir) -> String {
    let mut text = String::new();
    let parts = hir
        .data
        .iter()
        .map(data)
        .chain(hir.models.iter().map(model))
        .chain(hir.runs.iter().map(|run| print_run(hir, run)));
    for (at, part) in parts.enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&part);
    }
    text
}

/// The text of one model.
pub fn model(model: &Model) -> String {
    let mut text = format!("model {}{} ", model.name, model.configuration);
    write_body(&mut text, &model.body, 0);
    text.push('\n');
    text
}

fn data(data: &Data) -> String {
    let mut text = format!("data {} {{\n", data.name.value);
    for (part, source) in &data.sources {
        let part = part.as_ref().map(|part| format!(" {}", part.value)).unwrap_or_default();
        let _ = writeln!(text, "  source{part} = {}", source_text(&source.value));
    }
    for (at, column) in data.columns.iter().enumerate() {
        let form = match column.form {
            ColumnForm::Value => String::new(),
            form => format!(" as {form:?}"),
        };
        let _ = writeln!(text, "  column {at}: {} = {:?}{form}", column.ty, column.selector);
    }
    for field in &data.fields {
        let _ = write!(text, "  field {}: {} ", field.name.value, field.ty);
        write_body(&mut text, &field.body, 1);
        text.push('\n');
    }
    for (part, share) in &data.split {
        let _ = writeln!(text, "  split {} = {share}", part.value);
    }
    if let Some(balance) = &data.balance {
        let _ = writeln!(text, "  balance = {:?} {}", balance.value.kind, balance.value.field.value);
    }
    text.push_str("}\n");
    text
}

fn source_text(source: &SourceSpec) -> String {
    match source {
        SourceSpec::Csv { path, header, .. } => format!("csv({:?}, header = {header})", path.value),
        SourceSpec::Images(folder) => {
            let size = folder.size.map_or(String::new(), |[height, width]| format!(", size = [{height}, {width}]"));
            let channels = folder.channels.map_or(String::new(), |channels| format!(", channels = {channels}"));
            format!("images({:?}{size}{channels})", folder.path.value)
        }
        SourceSpec::Npz { path, columns } => {
            let columns = columns.iter().map(|(name, array)| format!(", {} = {:?}", name.value, array.value));
            format!("npz({:?}{})", path.value, columns.collect::<String>())
        }
        SourceSpec::Idx(columns) => {
            let columns: Vec<String> =
                columns.iter().map(|(name, path)| format!("{} = {:?}", name.value, path.value)).collect();
            format!("idx({})", columns.join(", "))
        }
        SourceSpec::Generate { rows, seed } => format!("generate({rows}, seed = {seed})"),
        SourceSpec::Toy { set, rows, seed, noise } => {
            let name = match set {
                ToySet::Moons => "moons",
                ToySet::Blobs => "blobs",
                ToySet::Spirals => "spirals",
                ToySet::Circles => "circles",
                ToySet::Digits => "digits",
                ToySet::Sines => "sines",
            };
            let noise = noise.map(|noise| format!(", noise = {noise}")).unwrap_or_default();
            format!("{name}({rows}, seed = {seed}{noise})")
        }
    }
}

fn print_run(hir: &Hir, run: &Run) -> String {
    let model = hir.models.get(run.model).map_or("", |model| model.name.as_str());
    let data = hir.data.get(run.data).map_or("", |data| data.name.value.as_str());
    let mut text = format!("run {}: {model} on {data} {{\n", run.name);
    let mut part = |name: &str, body: &Body| {
        let _ = write!(text, "  {name} ");
        write_body(&mut text, body, 1);
        text.push('\n');
    };
    part("loss", &run.loss);
    for metric in &run.metrics {
        part(&format!("metric {}", metric.name), &metric.body);
    }
    part(&format!("optimizer {} lr {}", run.optimizer.name, run.optimizer.lr), &run.optimizer.body);
    if let Some(schedule) = &run.schedule {
        part("schedule", schedule);
    }
    for (param, penalty) in &run.penalties {
        let path = hir.models.get(run.model).and_then(|model| model.body.params.get(*param));
        part(&format!("penalty on {}", path.map_or("", |param| param.path.as_str())), penalty);
    }
    if let Some(clip) = run.clip {
        let _ = writeln!(text, "  clip {clip}");
    }
    let _ = writeln!(text, "  epochs {}, batch {}, seed {}", run.epochs, run.batch, run.seed);
    if let Some(stop) = run.stop {
        let _ = writeln!(text, "  stop patience {}, min_delta {}", stop.patience, stop.min_delta);
    }
    text.push_str("}\n");
    text
}

fn write_body(text: &mut String, body: &Body, depth: usize) {
    let pad = "  ".repeat(depth);
    text.push_str("{\n");
    for param in &body.params {
        let _ = write!(text, "{pad}  param {}: {} = ", param.path, extents(&param.shape));
        write_body(text, &param.init, depth + 1);
        text.push('\n');
    }
    for state in &body.states {
        let _ = write!(text, "{pad}  state {}: {} = ", state.path, extents(&state.shape));
        write_body(text, &state.init, depth + 1);
        text.push('\n');
    }
    for (at, value) in body.values.iter().enumerate() {
        let _ = write!(text, "{pad}  %{at}: {} = ", value.ty);
        write_value(text, body, value, depth);
        text.push('\n');
    }
    for state in &body.states {
        if let Some(next) = state.next {
            let _ = writeln!(text, "{pad}  next {} = %{}", state.path, next.0);
        }
    }
    let outputs: Vec<String> = body.outputs.iter().map(|(name, id)| format!("{name} = %{}", id.0)).collect();
    let _ = write!(text, "{pad}  return {}\n{pad}}}", outputs.join(", "));
}

fn write_value(text: &mut String, body: &Body, value: &Value, depth: usize) {
    let operands = value.operands.iter().map(|id| format!("%{}", id.0)).collect::<Vec<_>>().join(", ");
    let name = match &value.op {
        HirOp::Input(at) => {
            let input = &body.inputs[*at];
            format!("input {:?} {:?}", input.name, input.binding)
        }
        HirOp::Param(at) => format!("param {at}"),
        HirOp::State(at) => format!("state {at}"),
        HirOp::Number(number) => format!("{number:?}"),
        HirOp::Truth(truth) => truth.to_string(),
        HirOp::Category(number) => format!("category {number}"),
        HirOp::Training => "training".to_owned(),
        HirOp::Elementwise(op) => elementwise_name(*op).to_owned(),
        HirOp::Reduce(reduce, axes) => format!("{} over {axes:?} of", reduce_name(*reduce)),
        HirOp::MatMul => "matmul".to_owned(),
        HirOp::Concat(axis) => format!("concat along {axis}"),
        HirOp::Stack(axis) => format!("stack along {axis}"),
        HirOp::Reshape => "reshape".to_owned(),
        HirOp::Transpose(axes) => format!("transpose {axes:?}"),
        HirOp::Slice(ranges) => {
            let ranges: Vec<String> = ranges.iter().map(|(start, end)| format!("{start}..{end}")).collect();
            format!("slice [{}] of", ranges.join(", "))
        }
        HirOp::Take { axis, index } => format!("take {index} along {axis} of"),
        HirOp::Gather => "gather".to_owned(),
        HirOp::Pad(widths) => format!("pad {widths:?}"),
        HirOp::Reverse(axis) => format!("reverse along {axis}"),
        HirOp::Sort { axis, descending } => {
            format!("sort along {axis}{}", if *descending { " descending" } else { "" })
        }
        HirOp::ArgSort { axis, descending } => {
            format!("argsort along {axis}{}", if *descending { " descending" } else { "" })
        }
        HirOp::Upsample { axis, factor } => format!("upsample by {factor} along {axis}"),
        HirOp::Expand(axes) => format!("expand {axes:?}"),
        HirOp::OneHot => "one_hot".to_owned(),
        HirOp::Range => "range".to_owned(),
        HirOp::BatchMean => "batch_mean".to_owned(),
        HirOp::BatchVar => "batch_var".to_owned(),
        HirOp::Bernoulli => "bernoulli".to_owned(),
        HirOp::Normal => "normal".to_owned(),
        HirOp::Uniform => "uniform".to_owned(),
        HirOp::Fill => "fill".to_owned(),
        HirOp::Orthogonal => "orthogonal".to_owned(),
        HirOp::StopGradient => "stop_gradient".to_owned(),
        HirOp::Each { region, mapped, .. } => {
            let _ = write!(text, "each {mapped} of {operands} ");
            write_body(text, region, depth + 1);
            return;
        }
        HirOp::Scan { region, over, states } => {
            let _ = write!(text, "scan {over} sequences, {states} states of {operands} ");
            write_body(text, region, depth + 1);
            return;
        }
        HirOp::Result(at) => format!("result {at} of"),
        HirOp::Conv(window) => format!("conv {}", WindowText(window)),
        HirOp::ConvTranspose(window) => format!("conv_transpose {}", WindowText(window)),
        HirOp::MaxPool(window) => format!("max_pool {}", WindowText(window)),
        HirOp::AvgPool(window) => format!("avg_pool {}", WindowText(window)),
        HirOp::Avg => "avg".to_owned(),
        HirOp::Column(at) => format!("column {at}"),
        HirOp::Fitted(fitted) => match fitted {
            Fitted::Standardize => "standardize".to_owned(),
            Fitted::MinMax => "minmax".to_owned(),
            Fitted::Frequency { bins } => format!("frequency in {bins} bins of"),
        },
    };
    text.push_str(&name);
    if !operands.is_empty() {
        text.push(' ');
        text.push_str(&operands);
    }
}

fn elementwise_name(op: Elementwise) -> &'static str {
    match op {
        Elementwise::Neg => "neg",
        Elementwise::Add => "add",
        Elementwise::Sub => "sub",
        Elementwise::Mul => "mul",
        Elementwise::Div => "div",
        Elementwise::Rem => "rem",
        Elementwise::Pow => "pow",
        Elementwise::Eq => "eq",
        Elementwise::Ne => "ne",
        Elementwise::Lt => "lt",
        Elementwise::Le => "le",
        Elementwise::Gt => "gt",
        Elementwise::Ge => "ge",
        op => symbol(op),
    }
}

fn reduce_name(reduce: Reduce) -> &'static str {
    reduction_name(reduce)
}

fn extents(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", extents.join(", "))
}

struct WindowText<'w>(&'w Window);

impl Display for WindowText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { size, stride, padding, dilation, groups } = self.0;
        write!(f, "size {size:?} stride {stride:?} padding {padding:?} dilation {dilation:?} groups {groups}")
    }
}

impl Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.element {
            Element::Number => f.write_str("f32")?,
            Element::Truth => f.write_str("bool")?,
            Element::Class { count, .. } => write!(f, "class({count})")?,
        }
        f.write_str(&extents(&self.shape))
    }
}
