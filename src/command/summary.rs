//! `nnc summary`: a model's layers as a table, or as JSON.

use super::arguments::SummaryArguments;
use super::{SUCCESS, fail, overrides, usage};
use nnc::check::hir::ValueType;
use nnc::diagnostics::training::memory as size;
use nnc::driver::{self, ModelSummary, ProgramSummary, Settings};
use nnc::train::summary::{Layer, Memory};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Shows the models of a program.
pub(super) fn summary(arguments: &SummaryArguments) -> io::Result<u8> {
    let set = match overrides(&arguments.set) {
        Ok(set) => set,
        Err(message) => return usage(&message),
    };
    let settings = Settings { set, data_dir: arguments.data_dir.clone(), ..Settings::default() };
    let batch = arguments.batch.map(|batch| batch as usize);
    let (models, open) = match driver::summary(&arguments.file, arguments.model.as_deref(), batch, &settings) {
        Ok(found) => found,
        Err(failure) => return fail(&failure),
    };
    for (number, model) in models.iter().enumerate() {
        match arguments.json {
            true => writeln!(io::stdout(), "{}", object(model))?,
            false => write!(io::stdout(), "{}{}", if number > 0 { "\n" } else { "" }, table(model))?,
        }
    }
    for name in open {
        writeln!(io::stderr(), "nnc: the extents of `{name}` are not known before a `train` uses it")?;
    }
    Ok(SUCCESS)
}

/// A row of the table.
struct Row {
    name: String,
    output: String,
    params: String,
    multiply_adds: String,
    values: String,
}

/// ```text
/// Small
///
///   layer        output  parameters  multiply-adds     values
///   p            f32[4]
///   dense_1      f32[8]          40             32   96 bytes
/// ```
fn table(model: &ModelSummary) -> String {
    let cells = |name: &str, cells: [&str; 4]| Row {
        name: name.to_owned(),
        output: cells[0].to_owned(),
        params: cells[1].to_owned(),
        multiply_adds: cells[2].to_owned(),
        values: cells[3].to_owned(),
    };
    let mut rows = vec![cells("layer", ["output", "parameters", "multiply-adds", "values"])];
    rows.extend(model.inputs.iter().map(|(name, ty)| cells(name, [&shape(ty), "", "", ""])));
    add_layers(&mut rows, &model.summary.layers, "", 0);
    rows.extend(model.outputs.iter().map(|(name, ty)| cells(name, [&shape(ty), "", "", ""])));
    let (total, cost) = (&model.summary, model.summary.cost);
    rows.push(cells("in all", ["", &grouped(total.params), &grouped(cost.multiply_adds), &size(cost.values)]));
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (name, output) = (width(|row| &row.name), width(|row| &row.output));
    let (params, adds, values) = (width(|row| &row.params), width(|row| &row.multiply_adds), width(|row| &row.values));
    let mut text = format!("{}{}\n\n", model.name, model.configuration);
    for row in &rows {
        let line = format!(
            "  {:name$}  {:output$}  {:>params$}  {:>adds$}  {:>values$}",
            row.name, row.output, row.params, row.multiply_adds, row.values
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for program in &model.programs {
        text.push('\n');
        text.push_str(&memory(program));
    }
    text
}

fn add_layers(rows: &mut Vec<Row>, layers: &[Layer], parent: &str, depth: usize) {
    for layer in layers {
        let path = layer.path.strip_prefix(parent).map_or(layer.path.as_str(), |path| path.trim_start_matches('.'));
        let last = path.rsplit('.').next().unwrap_or(path);
        let telling = last == layer.name || last.strip_prefix(&layer.name).is_some_and(|rest| rest.starts_with('_'));
        let name = if telling { path.to_owned() } else { format!("{path}: {}", layer.name) };
        rows.push(Row {
            name: format!("{}{name}", "  ".repeat(depth)),
            output: shape(&layer.output),
            params: if layer.shared { "shared".to_owned() } else { grouped(layer.params) },
            multiply_adds: grouped(layer.cost.multiply_adds),
            values: size(layer.cost.values),
        });
        add_layers(rows, &layer.layers, &layer.path, depth + 1);
    }
}

/// What a program takes, a line for each part.
fn memory(program: &ProgramSummary) -> String {
    let samples = if program.batch == 1 { "one sample".to_owned() } else { format!("{} samples", program.batch) };
    let what = match &program.run {
        Some(run) => format!("a step of training `{run}` on {samples}"),
        None => format!("a prediction of {samples}"),
    };
    let found = match &program.memory {
        Ok(found) => found,
        Err(what_lacks) => {
            return format!("  the memory of {what} is not known: {what_lacks} is not supported here yet\n");
        }
    };
    let activations = match &program.run {
        Some(_) => "activations, gradients",
        None => "activations",
    };
    let live = format!("{activations} (at most {} of it live at once)", size(found.live));
    let parts = [
        (found.params, "parameters"),
        (found.states, "states of layers"),
        (found.optimizer, "states of the optimizer"),
        (found.samples, "samples and results"),
        (found.arena, live.as_str()),
    ];
    let mut text = format!("  memory of {what}: {}\n", size(found.total()));
    for (bytes, part) in parts.iter().filter(|(bytes, _)| *bytes > 0) {
        text.push_str(&format!("    {:>11}  {part}\n", size(*bytes)));
    }
    text
}

fn object(model: &ModelSummary) -> Value {
    let types = |list: &[(String, ValueType)]| -> Value {
        list.iter().map(|(name, ty)| json!({ "name": name, "type": shape(ty), "shape": ty.shape })).collect()
    };
    json!({
        "model": model.name,
        "configuration": model.configuration,
        "inputs": types(&model.inputs),
        "outputs": types(&model.outputs),
        "layers": model.summary.layers.iter().map(layer_object).collect::<Value>(),
        "params": number(model.summary.params),
        "multiply_adds": number(model.summary.cost.multiply_adds),
        "value_bytes": number(model.summary.cost.values),
        "programs": model.programs.iter().map(program_object).collect::<Value>(),
    })
}

fn layer_object(layer: &Layer) -> Value {
    json!({
        "path": layer.path,
        "layer": layer.name,
        "type": shape(&layer.output),
        "output": layer.output.shape,
        "params": number(layer.params),
        "shared": layer.shared,
        "multiply_adds": number(layer.cost.multiply_adds),
        "value_bytes": number(layer.cost.values),
        "layers": layer.layers.iter().map(layer_object).collect::<Value>(),
    })
}

fn program_object(program: &ProgramSummary) -> Value {
    let bytes = |memory: &Memory| {
        json!({
            "params": number(memory.params),
            "states": number(memory.states),
            "optimizer": number(memory.optimizer),
            "samples": number(memory.samples),
            "arena": number(memory.arena),
            "live": number(memory.live),
            "total": number(memory.total()),
        })
    };
    json!({
        "run": program.run,
        "does": if program.run.is_some() { "train" } else { "predict" },
        "batch": program.batch,
        "bytes": program.memory.as_ref().map(bytes).unwrap_or(Value::Null),
    })
}

/// Whole where JSON's readers hold it, else rounded.
fn number(count: u128) -> Value {
    u64::try_from(count).map_or_else(|_| json!(count as f64), |count| json!(count))
}

/// A type as the language writes it.
fn shape(ty: &ValueType) -> String {
    let text = ty.to_string();
    text.strip_prefix("f32").map(str::to_owned).unwrap_or(text)
}

/// Thousands apart: `1 234 567`.
fn grouped(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
