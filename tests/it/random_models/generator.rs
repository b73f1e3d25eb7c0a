//! Random values of a model's body, their shapes, and what stands around the body.

use super::program::{Field, Program, Statement, mentions};
use super::statements;
use crate::random_graphs::Choices;
use nnc::check::manual::MANUAL;
use nnc::driver::{Doc, Settings, docs};
use std::sync::OnceLock;

/// What the elements of a value are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Element {
    Number,
    Truth,
    Class(usize),
}

/// A value that the body has bound to a name.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) shape: Vec<usize>,
    /// No element is larger, roughly.
    pub(super) bound: f64,
}

impl Value {
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// What programs are like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// All of the language.
    Any,
    /// All of the language on tensors large enough for several threads.
    Large,
    /// What has a derivative wherever it is asked for, on small tensors.
    Smooth,
}

pub(super) struct Generator {
    pub(super) choices: Choices,
    pub(super) style: Style,
    pub(super) program: Program,
    pub(super) values: Vec<Value>,
    pub(super) names: usize,
    /// Declarations of its own that the program has, by kind.
    pub(super) declared: Vec<(&'static str, String)>,
}

/// The shipped declarations of a kind that need no configuration.
fn shipped(kind: &str) -> Vec<&'static str> {
    static DOCS: OnceLock<Vec<Doc>> = OnceLock::new();
    let docs = DOCS.get_or_init(|| docs(None, &Settings::default()).expect("what is shipped has no mistakes"));
    let own = docs.iter().filter(|doc| doc.kind == kind);
    let in_prelude = own.filter(|doc| doc.place.as_ref().is_some_and(|(file, _)| file.contains("prelude/")));
    let plain = in_prelude.filter(|doc| doc.configuration.iter().all(|argument| argument.default.is_some()));
    plain.map(|doc| doc.name.as_str()).collect()
}

/// A program of that seed: the primitives that it is to have, and as many others.
pub(super) fn generate(seed: u64, style: Style, wanted: &[&str]) -> Program {
    let mut generator = Generator {
        choices: Choices::new(seed),
        style,
        program: Program { seed: seed as usize % 1000, ..Program::default() },
        values: Vec::new(),
        names: 0,
        declared: Vec::new(),
    };
    generator.run(wanted);
    generator.program
}

impl Generator {
    fn run(&mut self, wanted: &[&str]) {
        for name in wanted {
            self.statement(name);
        }
        if self.style == Style::Large && self.choices.once_in(2) {
            self.long_order();
        }
        let names: Vec<&str> = match self.style {
            Style::Smooth => statements::SMOOTH.to_vec(),
            Style::Any | Style::Large => {
                MANUAL.iter().map(|entry| entry.name).chain(statements::FURTHER.iter().copied()).collect()
            }
        };
        for _ in 0..self.choices.below(if self.style == Style::Smooth { 4 } else { 7 }) {
            let name = self.choices.of(&names);
            self.statement(name);
        }
        self.finish();
    }

    fn statement(&mut self, name: &str) {
        assert!(self.emit(name), "the generator of models does not know `{name}`");
    }

    pub(super) fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A number between the bounds, as it is written.
    pub(super) fn literal(&mut self, low: f32, high: f32) -> String {
        let number = self.choices.between(low, high);
        format!("{:.*}", 1 + self.choices.below(2), number)
    }

    fn largest(&self) -> usize {
        match self.style {
            Style::Any => 300,
            Style::Large => 3000,
            Style::Smooth => 24,
        }
    }

    pub(super) fn extent(&mut self) -> usize {
        match self.style {
            Style::Any => self.choices.of(&[1, 2, 3, 4, 5, 7, 8, 9, 16, 17]),
            Style::Large => self.choices.of(&[3, 8, 15, 24, 33, 40]),
            Style::Smooth => self.choices.of(&[1, 2, 3, 4]),
        }
    }

    /// A shape of that rank, not too large.
    pub(super) fn shape(&mut self, rank: usize) -> Vec<usize> {
        let mut shape = Vec::new();
        for _ in 0..rank {
            let extent = self.extent();
            let room = self.largest() / shape.iter().product::<usize>().max(1);
            shape.push(extent.min(room.max(1)));
        }
        shape
    }

    /// The shape of an image or a series with windows to look at: a few spatial axes and channels.
    pub(super) fn spatial_shape(&mut self, spatial: usize) -> Vec<usize> {
        let extents: &[usize] = match (self.style, spatial) {
            (Style::Smooth, _) => &[3, 4],
            (_, 1) => &[4, 5, 7, 9, 16],
            (_, 2) => &[4, 5, 6, 9],
            (_, _) => &[4, 5],
        };
        let mut shape: Vec<usize> = (0..spatial).map(|_| self.choices.of(extents)).collect();
        let channels: &[usize] = if self.style == Style::Large { &[4, 8, 12] } else { &[1, 2, 3, 4] };
        shape.push(self.choices.of(channels));
        shape
    }

    pub(super) fn axis(&mut self, rank: usize) -> usize {
        self.choices.below(rank)
    }

    /// An axis as it is written, counted from either end.
    pub(super) fn written_axis(&mut self, axis: usize, rank: usize) -> String {
        if self.choices.once_in(2) { axis.to_string() } else { format!("{}", axis as i64 - rank as i64) }
    }

    fn is_ours(&self, value: &Value, element: Element) -> bool {
        value.element == element && value.shape.iter().product::<usize>() <= 3 * self.largest()
    }

    /// An earlier value that fits, the latest more likely than others.
    pub(super) fn earlier(&mut self, element: Element, fits: impl Fn(&[usize]) -> bool) -> Option<Value> {
        let fitting: Vec<Value> =
            self.values.iter().filter(|value| self.is_ours(value, element) && fits(&value.shape)).cloned().collect();
        if fitting.is_empty() || self.choices.once_in(6) {
            return None;
        }
        let at = if self.choices.once_in(3) {
            self.choices.below(fitting.len())
        } else {
            fitting.len() - 1 - self.choices.below(fitting.len().min(3))
        };
        Some(fitting[at].clone())
    }

    /// Numbers of a rank in that range.
    pub(super) fn numbers(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Value {
        if let Some(value) = self.earlier(Element::Number, |shape| ranks.contains(&shape.len())) {
            return value;
        }
        let rank = ranks.start() + self.choices.below(ranks.end().min(&4) - ranks.start() + 1);
        let shape = self.shape(rank);
        self.input(Element::Number, &shape)
    }

    /// Numbers of that shape.
    pub(super) fn of_shape(&mut self, shape: &[usize]) -> Value {
        match self.earlier(Element::Number, |other| other == shape) {
            Some(value) => value,
            None => self.input(Element::Number, shape),
        }
    }

    /// An image, a series or a volume with so many axes before its channels.
    pub(super) fn image(&mut self, spatial: usize) -> Value {
        let fits = |shape: &[usize]| {
            shape.len() == spatial + 1
                && shape[..spatial].iter().all(|&n| (3..=12).contains(&n))
                && shape[spatial] <= 12
        };
        match self.earlier(Element::Number, fits) {
            Some(value) => value,
            None => {
                let shape = self.spatial_shape(spatial);
                self.input(Element::Number, &shape)
            }
        }
    }

    /// Categories, of a shape that fits or that one.
    pub(super) fn categories(&mut self, shape: &[usize]) -> Value {
        let fitting: Vec<Value> = (self.values.iter())
            .filter(|value| matches!(value.element, Element::Class(_)) && value.shape == shape)
            .cloned()
            .collect();
        if !fitting.is_empty() && !self.choices.once_in(3) {
            let at = self.choices.below(fitting.len());
            return fitting[at].clone();
        }
        let count = 3 + self.choices.below(4);
        self.input(Element::Class(count), shape)
    }

    /// Truth values of that shape.
    pub(super) fn truths(&mut self, shape: &[usize]) -> Value {
        if let Some(value) = self.earlier(Element::Truth, |other| other == shape) {
            return value;
        }
        let limit = self.literal(-0.5, 0.5);
        let sign = self.choices.of(&["<", "<=", ">", ">=", "!="]);
        let value = self.of_shape(shape);
        self.bind(Element::Truth, shape, 1.0, format!("{} {sign} {limit}", value.name))
    }

    /// A new input of the model.
    pub(super) fn input(&mut self, element: Element, shape: &[usize]) -> Value {
        let name = self.fresh("x");
        let ty = written_type(element, shape);
        let (value, bound) = match element {
            Element::Number if self.choices.once_in(3) => (format!("normal(0, 0.7, {shape:?})"), 2.5),
            Element::Number => (format!("uniform(-1, 1, {shape:?})"), 1.0),
            Element::Class(count) => {
                let shape: Vec<usize> = shape.iter().copied().chain([count]).collect();
                (format!("argmax(uniform(0, 1, {shape:?}), axis = -1)"), 0.0)
            }
            Element::Truth => unreachable!("truth values are made of numbers"),
        };
        self.program.inputs.push(Field { name: name.clone(), ty, value });
        let value = Value { name, element, shape: shape.to_vec(), bound };
        self.values.push(value.clone());
        value
    }

    pub(super) fn line(&mut self, text: String, stand_in: Option<String>) {
        self.program.statements.push(Statement { text, stand_in });
    }

    /// `let` with a new name. What could become too large is squashed.
    pub(super) fn bind(&mut self, element: Element, shape: &[usize], bound: f64, expression: String) -> Value {
        let name = self.fresh("v");
        let (expression, bound) = match bound > 20.0 || self.style == Style::Smooth && bound > 3.0 {
            true => (format!("tanh({expression})"), 1.0),
            false => (expression, bound),
        };
        let stand_in = format!("let {name} = {}", constant(element, shape));
        self.line(format!("let {name} = {expression}"), Some(stand_in));
        let value = Value { name, element, shape: shape.to_vec(), bound };
        self.values.push(value.clone());
        value
    }

    pub(super) fn bind_numbers(&mut self, shape: &[usize], bound: f64, expression: String) -> Value {
        self.bind(Element::Number, shape, bound, expression)
    }

    /// A parameter of the model.
    pub(super) fn param(&mut self, shape: &[usize]) -> Value {
        let init = match (self.choices.below(8), shape.len()) {
            (0, 2..) => "orthogonal".to_owned(),
            (1, _) => format!("uniform(-{0}, {0})", self.literal(0.2, 0.8)),
            (2, _) => format!("normal(0, {})", self.literal(0.2, 0.7)),
            (3, _) => format!("constant({})", self.literal(-0.6, 0.6)),
            (4, _) => self.own("init"),
            _ => {
                let inits = shipped("init");
                self.choices.of(&inits).to_owned()
            }
        };
        self.param_of(shape, &init)
    }

    pub(super) fn param_of(&mut self, shape: &[usize], init: &str) -> Value {
        let name = self.fresh("W");
        let stand_in = format!("let {name} = {}", constant(Element::Number, shape));
        self.line(format!("param {name}: {shape:?} = {init}"), Some(stand_in));
        Value { name, element: Element::Number, shape: shape.to_vec(), bound: 1.0 }
    }

    /// An activation of every element.
    pub(super) fn activation(&mut self) -> String {
        if self.style == Style::Smooth {
            return self.choices.of(&["tanh", "sigmoid", "gelu", "silu", "softplus", "linear"]).to_owned();
        }
        if self.choices.once_in(5) {
            return self.own("activation");
        }
        let names: Vec<&str> = shipped("activation").into_iter().filter(|&name| name != "softmax").collect();
        self.choices.of(&[names.as_slice(), &["tanh"]].concat()).to_owned()
    }

    /// A declaration of its own of that kind, as it is used.
    pub(super) fn own(&mut self, kind: &'static str) -> String {
        if let Some((_, used)) = self.declared.iter().find(|(other, _)| *other == kind) {
            return used.clone();
        }
        let (name, k) = (self.fresh(&format!("own_{kind}_")), self.literal(0.2, 0.9));
        let (text, used) = match kind {
            "activation" => (
                format!("activation {name}(k = {k})(x) = if x > 0 then x else k * sin(x)"),
                self.choices.of(&["", "(0.5)", "(k = 0.3)"]),
            ),
            "init" => (
                format!("init {name}(scale = {k}) = {{\n  let s = scale / sqrt(fan_in + fan_out)\n  normal(0, s)\n}}"),
                self.choices.of(&["", "(0.7)"]),
            ),
            "loss" => (
                format!(
                    "loss {name}(power = 1.5)(pred: [..s], target: [..s]) = mean(\n  (abs(pred - target) + {k}) ^ power\n)"
                ),
                self.choices.of(&["", "(power = 2.5)"]),
            ),
            "metric" => (
                format!(
                    "metric {name}(pred: [..s], target: [..s]) = {{\n  let error = avg(mean(abs(pred - target)))\n  \
                     let most = avg(max(abs(target)))\n  sqrt(error / (most + {k}))\n}}"
                ),
                "",
            ),
            "penalty" => (format!("penalty {name}(rate: float)(w: [..s]) = rate * sum(w^4 + {k} * abs(w))"), ""),
            "schedule" => (
                format!(
                    "schedule {name}(factor = {k}) {{\n  state scale = 1\n  next scale = scale * factor\n  \
                     scale * (1 - progress / 2) * min(step / 3, 1)\n}}"
                ),
                "()",
            ),
            "optimizer" => (
                format!(
                    "optimizer {name}(lr = 0.01, beta = {k}) {{\n  state mean = 0\n  state seen = 1\n  \
                     let m = beta * mean + (1 - beta) * grad\n  next mean = m\n  next seen = max(seen * 0.9, abs(grad))\n  \
                     next param = param - lr * m / (sqrt(seen) + 0.1) * (1 + 1 / step)\n}}"
                ),
                "()",
            ),
            "layer" => (
                format!(
                    "layer {name}(units: int, act: activation = tanh, scale = {k})(x: [n]) -> [units] {{\n  \
                     param W: [n, units] = glorot_uniform\n  state seen: [units] = zeros\n  let h = x @ W |> act\n  \
                     next seen = 0.9 * seen + 0.1 * h\n  let known = if training then h else h + seen\n  \
                     if units > n then known * scale else known\n}}"
                ),
                "",
            ),
            "wrapper" => {
                (format!("layer {name}(inner: layer, k = {k})(x: [..s]) -> [..s] {{ x + k * (x |> inner) }}"), "")
            }
            "pair" => (
                format!(
                    "layer {name}(units: int)(a: [..s, n], b: [m]) -> [..s, units] {{\n  param A: [n, units] = he_normal\n  \
                     param B: [m, units] = orthogonal\n  a @ A * tanh(b @ B) + {k} * mean(b)\n}}"
                ),
                "",
            ),
            "fn" => (format!("fn {name}(a, b) = if a > b then a * {k} else tanh(b) - a"), ""),
            "const" => (format!("const {} = 3", name.to_uppercase()), ""),
            other => unreachable!("no declaration of the kind {other}"),
        };
        self.program.declarations.push(text);
        let used = format!("{}{used}", if kind == "const" { name.to_uppercase() } else { name });
        self.declared.push((kind, used.clone()));
        used
    }

    /// The model's value, and the run.
    fn finish(&mut self) {
        let is_used = |name: &str| {
            self.program.statements.iter().any(|line| {
                let value = line.text.split_once(['=', ':']).map_or("", |(_, value)| value);
                mentions(value, name)
            })
        };
        let dangling: Vec<Value> = self.values.iter().filter(|value| !is_used(&value.name)).cloned().collect();
        let mut parts: Vec<String> = Vec::new();
        for value in &dangling {
            let name = &value.name;
            let small = value.shape.iter().product::<usize>() <= 12;
            parts.push(match (value.element, value.rank()) {
                (Element::Number, 0) => format!("[{name}]"),
                (Element::Number, 1) if small => name.clone(),
                (Element::Number, _) if small => format!("flatten({name})"),
                (Element::Number, 2..) if self.choices.once_in(2) => format!("flatten(mean({name}, axis = 0))"),
                (Element::Number, _) => format!("[mean({name}), {} * {name}{}]", self.literal(0.1, 1.0), first(value)),
                (Element::Truth, 0) => format!("[if {name} then 1 else 0.2]"),
                (Element::Truth, _) => format!("[mean({name})]"),
                (Element::Class(_), 0) => format!("one_hot({name})"),
                (Element::Class(_), _) => format!("[mean(one_hot({}))]", first_row(value)),
            });
        }
        if parts.is_empty() {
            let shape = self.shape(1);
            parts.push(self.input(Element::Number, &shape).name);
        }
        self.program.parts = parts;
        let outputs = 2 + self.choices.below(3);
        self.program.output = format!("[{outputs}]");
        let also = dangling.iter().rev().find(|value| value.element == Element::Number && value.rank() > 0);
        if let Some(value) = also.filter(|_| self.style != Style::Smooth && self.choices.once_in(3)) {
            self.program.second = Some((value.name.clone(), written_type(value.element, &value.shape)));
        }
        let metrics = self.head(outputs);
        self.run_fields(metrics);
    }

    /// What the parts go through, the targets and the loss; gives metrics that fit.
    fn head(&mut self, outputs: usize) -> &'static [&'static str] {
        let field = |name: &str, ty: String, value: String| Field { name: name.to_owned(), ty, value };
        let numbers = field("t", format!("[{outputs}]"), format!("uniform(-1, 1, [{outputs}])"));
        let shares = field("p", format!("[{outputs}]"), format!("uniform(0.1, 0.9, [{outputs}])"));
        let label = field("label", format!("class({outputs})"), format!("argmax(uniform(0, 1, [{outputs}]))"));
        let (end, loss, targets, metrics): (&str, String, Vec<Field>, &'static [&'static str]) =
            match self.choices.below(8) {
                0 | 1 => (
                    "softmax",
                    "cross_entropy(y, label)".into(),
                    vec![label],
                    &["accuracy(y, label)", "top_k(2)(y, label)"],
                ),
                2 => (
                    "sigmoid",
                    "binary_cross_entropy(y, p)".into(),
                    vec![shares],
                    &["binary_accuracy(y, p)", "precision(y, p)", "recall(y, p)", "f1(y, p)"],
                ),
                3 => ("softmax", "kl_divergence(y, p / sum(p))".into(), vec![shares], &["mae(y, p)"]),
                4 if self.style != Style::Smooth => {
                    let loss = self.choices.of(&["mae(y, t)", "huber(y, t)", "hinge(y, t)", "own"]);
                    let loss = if loss == "own" { format!("{}(y, t)", self.own("loss")) } else { loss.to_owned() };
                    ("", loss, vec![numbers], &["rmse(y, t)", "r2(y, t)"])
                }
                5 if self.style != Style::Smooth => {
                    let frequency = field("often", "[]".into(), "frequency(label)".into());
                    self.program.data.push("balance = weights(label)".into());
                    ("", "class_balanced_mse(y, label, often)".into(), vec![label, frequency], &["accuracy(y, label)"])
                }
                6 => ("", format!("mean((y - t)^2 * range({outputs}))"), vec![numbers], &["mae(y, t)"]),
                _ => ("", "mse(y, t)".into(), vec![numbers], &["mae(y, t)", "rmse(y, t)", "r2(y, t)"]),
            };
        let hidden =
            if self.choices.once_in(2) { format!("dense(5) |> {} |> ", self.activation()) } else { String::new() };
        let end = if end.is_empty() { String::new() } else { format!(" |> {end}") };
        self.program.head = format!("{hidden}dense({outputs}){end}");
        self.program.targets = targets;
        let also = if self.program.second.is_some() { " + 0.01 * mean(also^2)" } else { "" };
        self.program.run.push(format!("loss = {loss}{also}"));
        metrics
    }

    fn run_fields(&mut self, metrics: &'static [&'static str]) {
        let optimizers = shipped("optimizer");
        let optimizer = match self.choices.below(4) {
            0 => self.own("optimizer"),
            1 => format!("{}()", self.choices.of(&optimizers)),
            _ => format!("{}(lr = {})", self.choices.of(&optimizers), self.choices.of(&["0.01", "0.05", "0.003"])),
        };
        let batch = match self.style {
            Style::Large => self.choices.of(&[32, 37]),
            Style::Any | Style::Smooth => self.choices.of(&[1, 2, 3, 5, 7, 8, 11]),
        };
        self.program.rows = match self.style {
            // One full batch, and one that is not, in training.
            Style::Large => batch + 21,
            Style::Any | Style::Smooth => 2 * batch + 1 + self.choices.below(batch) + 5,
        };
        let train = self.program.rows - 5;
        if self.choices.once_in(2) {
            let share = 100 * train / self.program.rows;
            self.program.data.push(format!("split = [train = {share}%, val = {}%]", 100 - share));
        }
        self.program.run.push(format!("optimizer = {optimizer}"));
        self.program.run.extend([format!("batch = {batch}"), "epochs = 2".into()]);
        self.program.run.push(format!("seed = {}", self.choices.below(90)));
        if self.choices.once_in(2) {
            let schedules = shipped("schedule");
            let schedule = if self.choices.once_in(4) {
                self.own("schedule")
            } else {
                format!("{}()", self.choices.of(&schedules))
            };
            self.program.run.push(format!("schedule = {schedule}"));
        }
        if self.choices.once_in(2) {
            let penalty = match self.choices.below(4) {
                0 => format!("{}(0.001)", self.own("penalty")),
                1 => "elastic(0.01, 0.3)".into(),
                2 => "[l1(0.001), l2(0.01) on \"*.b\"]".into(),
                _ => "l2(0.01)".into(),
            };
            self.program.run.push(format!("penalty = {penalty}"));
        }
        if self.choices.once_in(3) {
            self.program.run.push(format!("clip = {}", self.choices.of(&["0.1", "1.0", "5"])));
        }
        let mut metrics: Vec<String> =
            metrics.iter().filter(|_| self.choices.once_in(2)).map(|&one| one.into()).collect();
        let wants_own = self.declared.iter().any(|(kind, _)| *kind == "metric") || self.choices.once_in(4);
        let target = self.program.targets[0].name.clone();
        if wants_own && target != "label" {
            metrics.push(format!("{}(y, {target})", self.own("metric")));
        } else if wants_own {
            metrics.push(format!("{}(y, one_hot(label))", self.own("metric")));
        }
        if !metrics.is_empty() {
            self.program.run.push(format!("metrics = [{}]", metrics.join(", ")));
        }
    }
}

/// A constant of that type.
fn constant(element: Element, shape: &[usize]) -> String {
    match element {
        Element::Number if shape.is_empty() => "0.5".to_owned(),
        Element::Number => format!("constant(0.5, {shape:?})"),
        Element::Truth => format!("constant(0.5, {shape:?}) > 0.2"),
        Element::Class(count) => {
            let shape: Vec<usize> = shape.iter().copied().chain([count]).collect();
            format!("argmax(constant(0.5, {shape:?}), axis = -1)")
        }
    }
}

fn written_type(element: Element, shape: &[usize]) -> String {
    match element {
        Element::Number | Element::Truth => format!("{shape:?}"),
        Element::Class(count) if shape.is_empty() => format!("class({count})"),
        Element::Class(count) => format!("class({count}){shape:?}"),
    }
}

/// The index of the first element.
fn first(value: &Value) -> String {
    format!("[{}]", vec!["0"; value.rank()].join(", "))
}

/// The categories along the last axis, at the first place of the others.
fn first_row(value: &Value) -> String {
    match value.rank() {
        1 => value.name.clone(),
        rank => format!("{}[{}]", value.name, vec!["0"; rank - 1].join(", ")),
    }
}
