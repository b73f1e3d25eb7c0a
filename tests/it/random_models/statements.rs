//! A statement of a model's body for each primitive, operator and form of the language.

mod layers;
mod windows;

use super::generator::{Element, Generator, Style, Value};

/// What else a body can have in it.
pub(super) const FURTHER: &[&str] = &[
    "activations",
    "layers",
    "shared layers",
    "states",
    "own layers",
    "functions",
    "formulas",
    "constants",
    "branches",
];

/// What has a derivative everywhere, as it is used here.
pub(super) const SMOOTH: &[&str] = &[
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "tanh",
    "erf",
    "sum",
    "mean",
    "prod",
    "var",
    "@",
    "^",
    "|>",
    "[]",
    "conv",
    "conv_transpose",
    "avg_pool",
    "concat",
    "stack",
    "split",
    "reshape",
    "flatten",
    "transpose",
    "slice",
    "pad",
    "reverse",
    "upsample",
    "expand",
    "range",
    "one_hot",
    "batch_mean",
    "batch_var",
    "bernoulli",
    "normal",
    "uniform",
    "zeros",
    "ones",
    "constant",
    "orthogonal",
    "each",
    "repeat",
    "scan",
    "activations",
    "layers",
    "shared layers",
    "states",
];

fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn without(shape: &[usize], axis: usize) -> Vec<usize> {
    shape.iter().enumerate().filter(|(at, _)| *at != axis).map(|(_, &n)| n).collect()
}

impl Generator {
    fn is_smooth(&self) -> bool {
        self.style == Style::Smooth
    }

    /// Adds statements that have the primitive in them; `false` where there is none of that name.
    pub(super) fn emit(&mut self, name: &str) -> bool {
        match name {
            "exp" => self.of_each(|_, x| match x.bound <= 3.0 {
                true => (format!("exp({})", x.name), 3f64.max(20.0 * x.bound)),
                false => (format!("exp(tanh({}))", x.name), 3.0),
            }),
            "log" => self.of_each(|own, x| match own.is_smooth() || own.choices.once_in(2) {
                true => (format!("log({}^2 + 0.5)", x.name), 1.0 + x.bound),
                false => (format!("log(abs({}) + 0.2)", x.name), 2.0 + x.bound),
            }),
            "sqrt" => self.of_each(|own, x| match own.is_smooth() || own.choices.once_in(2) {
                true => (format!("sqrt({}^2 + 0.1)", x.name), 1.0 + x.bound),
                false => (format!("sqrt(abs({}))", x.name), 1.0 + x.bound),
            }),
            "abs" | "sign" | "floor" | "ceil" | "round" => {
                self.of_each(|_, x| (format!("{name}({})", x.name), x.bound + 1.0))
            }
            "sin" | "cos" | "tanh" | "erf" => self.of_each(|_, x| (format!("{name}({})", x.name), 1.0)),
            "clamp" => self.clamp(),
            "max" | "min" => self.extreme(name),
            "sum" | "mean" | "prod" | "var" => self.reduction(name),
            "argmax" | "argmin" => self.choice(name),
            "sort" | "argsort" => self.order(name),
            "avg" => {
                self.own("metric");
            }
            "@" => self.product(),
            "^" => self.of_each(|own, x| {
                let bound = (x.bound * x.bound * x.bound).max(x.bound);
                match own.choices.below(if own.is_smooth() { 3 } else { 6 }) {
                    0 => (format!("{}^2", x.name), bound),
                    1 => (format!("{}^3 - {}", x.name, x.name), 2.0 * bound),
                    2 => (format!("({}^2 + 0.3)^0.7", x.name), 1.0 + bound),
                    3 => (format!("abs({})^1.5", x.name), bound),
                    4 => (format!("2^sin({})", x.name), 2.0),
                    _ => (format!("-{}^2^1", x.name), bound),
                }
            }),
            "%" => self.of_each(|own, x| match own.choices.once_in(2) {
                true => (format!("{} % {}", x.name, own.literal(0.2, 1.5)), 1.5),
                false => {
                    let other = own.suffix(&x.shape);
                    (format!("{} % (abs({other}) + 0.3)", x.name), x.bound + 2.0)
                }
            }),
            "|>" => match self.choices.once_in(2) {
                true => self.layer(),
                false => self.activated(),
            },
            "[]" => self.index(),
            "conv" => self.conv(),
            "conv_transpose" => self.conv_transpose(),
            "max_pool" | "avg_pool" => self.pool(name),
            "concat" => self.concat(),
            "stack" => self.stack(),
            "split" => self.split(),
            "reshape" => self.reshape(),
            "flatten" => {
                let x = self.numbers(0..=4);
                let shape = [product(&x.shape)];
                self.bind_numbers(&shape, x.bound, format!("flatten({})", x.name));
            }
            "transpose" => self.transpose(),
            "slice" => {
                let x = self.numbers(1..=4);
                let axis = self.axis(x.rank());
                let (start, end) = self.range_in(x.shape[axis]);
                let mut shape = x.shape.clone();
                shape[axis] = end - start;
                let axis = self.written_axis(axis, x.rank());
                self.bind(x.element, &shape, x.bound, format!("slice({}, {start}, {end}, axis = {axis})", x.name));
            }
            "pad" => self.pad(),
            "reverse" => {
                let x = self.numbers(1..=4);
                let axis = self.axis(x.rank());
                let text = match axis {
                    0 if self.choices.once_in(2) => format!("reverse({})", x.name),
                    _ => format!("reverse({}, axis = {})", x.name, self.written_axis(axis, x.rank())),
                };
                self.bind_numbers(&x.shape, x.bound, text);
            }
            "upsample" => self.upsample(),
            "expand" => self.expand(),
            "range" => {
                let x = self.numbers(1..=3);
                let count = x.shape[x.rank() - 1];
                let text = match self.choices.below(3) {
                    0 => format!("{} * range({count}) / {count}", x.name),
                    1 => format!("{} - 0.1 * range({count})", x.name),
                    _ => format!("{} + sin(range({count}))", x.name),
                };
                self.bind_numbers(&x.shape, x.bound + 1.0 + 0.1 * count as f64, text);
            }
            "one_hot" => {
                let rank = self.choices.below(3);
                let shape = self.shape(rank);
                let x = self.categories(&shape);
                self.one_hot(&x);
            }
            "batch_mean" | "batch_var" => {
                let x = self.numbers(1..=3);
                let last = x.shape[x.rank() - 1];
                let text = format!("{name}({})", x.name);
                let found = self.bind_numbers(&[last], x.bound * x.bound + x.bound, text);
                if self.choices.once_in(2) {
                    self.bind_numbers(&x.shape, x.bound + found.bound, format!("{} - {}", x.name, found.name));
                }
            }
            "stop_gradient" => {
                self.of_each(|_, x| (format!("{0} * stop_gradient({0} + 1)", x.name), x.bound * (x.bound + 1.0)))
            }
            "bernoulli" | "normal" | "uniform" => self.draw(name),
            "zeros" | "ones" | "constant" => {
                let preset = if name == "constant" { "constant(0.3" } else { name };
                if self.choices.once_in(2) {
                    let x = self.numbers(0..=3);
                    let call = if name == "constant" {
                        format!("{preset}, {:?})", x.shape)
                    } else {
                        format!("{preset}({:?})", x.shape)
                    };
                    let sign = self.choices.of(&["+", "-", "*"]);
                    self.bind_numbers(&x.shape, x.bound + 1.0, format!("{} {sign} {call}", x.name));
                } else {
                    let x = self.numbers(1..=3);
                    let shape = x.shape[self.axis(x.rank())..].to_vec();
                    let init = if name == "constant" { "constant(0.3)".to_owned() } else { preset.to_owned() };
                    let w = self.param_of(&shape, &init);
                    self.bind_numbers(&x.shape, x.bound + 1.0, format!("{} - {}", x.name, w.name));
                }
            }
            "orthogonal" => {
                let x = self.numbers(1..=2);
                let (n, units) = (x.shape[x.rank() - 1], self.extent());
                let w = self.param_of(&[n, units], "orthogonal");
                let shape = [&x.shape[..x.rank() - 1], &[units]].concat();
                self.bind_numbers(&shape, x.bound * n as f64, format!("{} @ {}", x.name, w.name));
            }
            "if" => self.choose(),
            "each" => self.each(),
            "repeat" => {
                let x = self.numbers(1..=2);
                let (n, copies) = (x.shape[x.rank() - 1], 2 + self.choices.below(2));
                let act = self.activation();
                let each = if x.rank() == 2 { "each " } else { "" };
                let text = match self.choices.once_in(2) {
                    true => format!("{} |> repeat {copies} {{ {each}dense({n}) |> {act} }}", x.name),
                    false => format!("{} |> {each}(repeat {copies} {{ dense({n}) |> {act} }})", x.name),
                };
                self.bind_numbers(&x.shape, 10.0, text);
            }
            "scan" => self.scan(),
            "activations" => self.activated(),
            "layers" => self.layer(),
            "shared layers" => self.shared(),
            "states" => self.state(),
            "own layers" => self.own_layer(),
            "functions" => {
                let function = self.own("fn");
                let x = self.numbers(0..=3);
                let other = self.suffix(&x.shape);
                self.bind_numbers(&x.shape, x.bound + 2.0, format!("{function}({}, {other})", x.name));
            }
            "formulas" => self.formula(),
            "branches" => self.of_each(|own, x| {
                // What is no number or infinite in the branch not taken has no say.
                let of = &x.name;
                let text = match own.choices.below(6) {
                    0 => format!("if {of} > 0 then log({of}) * {of} else {of}"),
                    1 => format!("if {of} > 0.01 then sqrt({of}) else 0"),
                    2 => format!("if abs({of}) > 0.1 then 1 / {of} else {of}"),
                    3 => format!("if sqrt({of} - 0.2) < 0.5 then {of} else 0.3"),
                    4 => format!("if log({of}) != log({of}) then 0.2 else {of}"),
                    _ => format!("if {of} > 0.2 then ({of} - 0.2)^0.5 else exp(min({of}, 0))"),
                };
                (text, 10.0)
            }),
            "constants" => {
                let constant = self.own("const");
                let x = self.numbers(0..=2);
                let shape = [&[3], x.shape.as_slice()].concat();
                self.bind_numbers(&shape, x.bound, format!("expand({}, {constant})", x.name));
            }
            _ => return false,
        }
        true
    }

    /// A function of every element.
    fn of_each(&mut self, write: impl FnOnce(&mut Generator, &Value) -> (String, f64)) {
        let x = self.numbers(0..=4);
        let (text, bound) = write(self, &x);
        self.bind_numbers(&x.shape, bound, text);
    }

    /// The name of numbers whose shape is a suffix of `shape`.
    fn suffix(&mut self, shape: &[usize]) -> String {
        if self.choices.once_in(5) {
            return self.literal(-1.0, 1.0).replace('-', "");
        }
        let shape = shape.to_vec();
        if let Some(value) = self.earlier(Element::Number, |other| shape.ends_with(other)) {
            return value.name;
        }
        let from = self.choices.below(shape.len() + 1);
        if self.choices.once_in(2) { self.param(&shape[from..]).name } else { self.of_shape(&shape[from..]).name }
    }

    fn range_in(&mut self, extent: usize) -> (usize, usize) {
        let start = self.choices.below(extent);
        (start, start + 1 + self.choices.below(extent - start))
    }

    fn clamp(&mut self) {
        let x = self.numbers(0..=3);
        let text = match self.choices.below(3) {
            0 => format!("clamp({}, -0.4, 0.6)", x.name),
            1 => {
                let high = self.suffix(&x.shape);
                format!("clamp({}, -0.3, abs({high}))", x.name)
            }
            _ => {
                let low = self.suffix(&x.shape);
                format!("clamp({}, {low}, {low} + 0.5)", x.name)
            }
        };
        self.bind_numbers(&x.shape, x.bound + 1.0, text);
    }

    fn extreme(&mut self, name: &str) {
        if self.choices.once_in(2) {
            return self.reduction(name);
        }
        let x = self.numbers(0..=4);
        let other = self.suffix(&x.shape);
        let text = match self.choices.once_in(2) {
            true => format!("{name}({}, {other})", x.name),
            false => format!("{name}({other}, {})", x.name),
        };
        self.bind_numbers(&x.shape, x.bound + 1.0, text);
    }

    fn reduction(&mut self, name: &str) {
        let truths = matches!(name, "sum" | "mean") && !self.is_smooth() && self.choices.once_in(5);
        let x = match truths {
            true => {
                let rank = 1 + self.choices.below(3);
                let shape = self.shape(rank);
                self.truths(&shape)
            }
            false => self.numbers(0..=4),
        };
        let mut axes: Vec<usize> = Vec::new();
        let arguments = match (self.choices.below(3), x.rank()) {
            (0, _) | (_, 0) => {
                axes = (0..x.rank()).collect();
                String::new()
            }
            (1, rank) => {
                axes.push(self.axis(rank));
                format!(", axis = {}", self.written_axis(axes[0], rank))
            }
            (_, rank) => {
                axes.extend((0..rank).filter(|_| self.choices.once_in(2)));
                if axes.is_empty() {
                    axes.push(rank - 1);
                }
                let written: Vec<String> = axes.clone().iter().map(|&axis| self.written_axis(axis, rank)).collect();
                format!(", axis = [{}]", written.join(", "))
            }
        };
        let count: usize = axes.iter().map(|&axis| x.shape[axis]).product();
        let shape: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect();
        let (operand, bound) = match name {
            "sum" => (x.name.clone(), x.bound * count as f64),
            "prod" if x.bound > 1.0 => (format!("sin({})", x.name), 1.0),
            "var" => (x.name.clone(), x.bound * x.bound),
            _ => (x.name.clone(), x.bound),
        };
        let text = match self.choices.once_in(3) && !arguments.is_empty() {
            true => format!("{operand} |> {name}({})", &arguments[2..]),
            false => format!("{name}({operand}{arguments})"),
        };
        self.bind_numbers(&shape, bound, text);
    }

    fn choice(&mut self, name: &str) {
        let x = self.numbers(1..=3);
        let axis = self.axis(x.rank());
        let text = match x.rank() {
            1 if self.choices.once_in(2) => format!("{name}({})", x.name),
            rank => format!("{name}({}, axis = {})", x.name, self.written_axis(axis, rank)),
        };
        let found = self.bind(Element::Class(x.shape[axis]), &without(&x.shape, axis), 0.0, text);
        match self.choices.below(3) {
            0 => self.one_hot(&found),
            1 => {
                let text = format!("if {} == 0 then 1 else -0.5", found.name);
                self.bind_numbers(&found.shape, 1.0, text);
            }
            _ => {}
        }
    }

    fn order(&mut self, name: &str) {
        let x = self.numbers(1..=3);
        let axis = self.axis(x.rank());
        let mut text = x.name.clone();
        if axis + 1 < x.rank() || self.choices.once_in(3) {
            text += &format!(", axis = {}", self.written_axis(axis, x.rank()));
        }
        if self.choices.once_in(2) {
            text += ", descending = true";
        }
        match name {
            "sort" => drop(self.bind_numbers(&x.shape, x.bound, format!("sort({text})"))),
            _ => {
                let found = self.bind(Element::Class(x.shape[axis]), &x.shape, 0.0, format!("argsort({text})"));
                self.one_hot(&found);
            }
        }
    }

    /// Some of a parameter long enough for its order to be worth several threads, which no sample or row stands around.
    pub(super) fn long_order(&mut self) {
        let x = self.param_of(&[12000], "uniform(-1, 1)").name;
        // Work enough for the loop that makes the keys.
        let keys = format!("tanh({x})");
        let options = self.choices.of(&["", ", descending = true"]);
        let taken = self.choices.of(&[3, 24]);
        let text = match self.choices.once_in(2) {
            true => format!("sort({keys}{options})[0..{taken}]"),
            false => format!("{x}[argsort({keys}{options})[0..{taken}]]"),
        };
        self.bind_numbers(&[taken], 1.0, text);
    }

    fn one_hot(&mut self, x: &Value) {
        let Element::Class(count) = x.element else { return };
        let shape: Vec<usize> = x.shape.iter().copied().chain([count]).collect();
        self.bind_numbers(&shape, 1.0, format!("one_hot({})", x.name));
    }

    fn product(&mut self) {
        let form = self.choices.below(4);
        let x = match form {
            3 => self.numbers(3..=3),
            _ => self.numbers(1..=4),
        };
        let n = x.shape[x.rank() - 1];
        let units = self.extent();
        let (other, shape) = match form {
            0 => (vec![n], x.shape[..x.rank() - 1].to_vec()),
            1 | 2 => (vec![n, units], [&x.shape[..x.rank() - 1], &[units]].concat()),
            _ => (vec![x.shape[0], n, units], vec![x.shape[0], x.shape[1], units]),
        };
        let w = if self.choices.once_in(3) { self.of_shape(&other) } else { self.param(&other) };
        self.bind_numbers(&shape, x.bound * w.bound * n as f64, format!("{} @ {}", x.name, w.name));
    }

    fn index(&mut self) {
        if self.choices.once_in(3) {
            return self.table();
        }
        let x = self.numbers(1..=4);
        let mut shape = Vec::new();
        let mut written = Vec::new();
        let count = 1 + self.choices.below(x.rank().min(3));
        for &extent in &x.shape[..count] {
            let (start, end) = self.range_in(extent);
            let (text, kept) = match self.choices.below(5) {
                0 => (format!("{start}"), None),
                1 => (format!("-{}", 1 + start), None),
                2 => (format!("{start}.."), Some(extent - start)),
                3 => (format!("..{end}"), Some(end)),
                _ => (format!("{start}..{end}"), Some(end - start)),
            };
            written.push(text);
            shape.extend(kept);
        }
        shape.extend(&x.shape[count..]);
        self.bind_numbers(&shape, x.bound, format!("{}[{}]", x.name, written.join(", ")));
    }

    /// Rows of a table that categories name.
    fn table(&mut self) {
        let rank = self.choices.below(3);
        let shape = self.shape(rank);
        let tokens = self.categories(&shape);
        let Element::Class(count) = tokens.element else { return };
        let row_rank = self.choices.below(3);
        let row = self.shape(row_rank);
        let table = self.param(&[&[count], row.as_slice()].concat());
        let shape = [tokens.shape.as_slice(), &row].concat();
        if product(&shape) > 2000 {
            return;
        }
        self.bind_numbers(&shape, 1.0, format!("{}[{}]", table.name, tokens.name));
    }

    fn concat(&mut self) {
        let x = self.numbers(1..=3);
        let axis = self.axis(x.rank());
        let mut names = vec![x.name.clone()];
        let mut shape = x.shape.clone();
        for _ in 0..=self.choices.below(2) {
            let mut other = x.shape.clone();
            other[axis] = self.extent().min(8);
            let part = if self.choices.once_in(3) { self.param(&other) } else { self.of_shape(&other) };
            shape[axis] += other[axis];
            names.push(part.name);
        }
        if self.choices.once_in(2) {
            names.rotate_left(1);
        }
        let list = names.join(", ");
        let list = if self.choices.once_in(3) { format!("[{list}]") } else { list };
        let axis = match axis + 1 == x.rank() && self.choices.once_in(2) {
            true => String::new(),
            false => format!(", axis = {}", self.written_axis(axis, x.rank())),
        };
        self.bind_numbers(&shape, x.bound + 2.0, format!("concat({list}{axis})"));
    }

    fn stack(&mut self) {
        let x = self.numbers(0..=3);
        let other = self.of_shape(&x.shape);
        let axis = self.choices.below(x.rank() + 1);
        let mut shape = x.shape.clone();
        shape.insert(axis, 2);
        let text = match axis {
            0 if self.choices.once_in(2) => format!("[{}, {}]", x.name, other.name),
            _ => format!("stack({}, {}, axis = {axis})", x.name, other.name),
        };
        self.bind_numbers(&shape, x.bound + other.bound, text);
        if self.choices.once_in(2) {
            self.bind_numbers(&[&[1], x.shape.as_slice()].concat(), x.bound, format!("stack({})", x.name));
        }
    }

    fn split(&mut self) {
        let mut x = self.numbers(1..=3);
        let axis = self.axis(x.rank());
        if x.shape[axis] < 2 {
            let mut shape = x.shape.clone();
            shape[axis] = 2 + self.choices.below(4);
            x = self.of_shape(&shape);
        }
        let extent = x.shape[axis];
        let even = extent.is_multiple_of(2) && self.choices.once_in(2);
        let first = if even { extent / 2 } else { 1 + self.choices.below(extent - 1) };
        let parts = if even { "2".to_owned() } else { format!("[{first}, {}]", extent - first) };
        let (a, b) = (self.fresh("v"), self.fresh("v"));
        let place = match axis + 1 == x.rank() && self.choices.once_in(2) {
            true => String::new(),
            false => format!(", axis = {}", self.written_axis(axis, x.rank())),
        };
        self.line(format!("let ({a}, {b}) = split({}, {parts}{place})", x.name), None);
        for (name, n) in [(a, first), (b, extent - first)] {
            let mut shape = x.shape.clone();
            shape[axis] = n;
            self.values.push(Value { name, element: Element::Number, shape, bound: x.bound });
        }
    }

    fn reshape(&mut self) {
        let x = self.numbers(0..=4);
        let total = product(&x.shape);
        let mut shape = Vec::new();
        let mut rest = total;
        for _ in 0..self.choices.below(3) {
            let factors: Vec<usize> = (1..=rest).filter(|n| rest.is_multiple_of(*n)).collect();
            let factor = self.choices.of(&factors);
            shape.push(factor);
            rest /= factor;
        }
        shape.push(rest);
        let mut written: Vec<String> = shape.iter().map(usize::to_string).collect();
        if self.choices.once_in(2) {
            let at = self.choices.below(written.len());
            written[at] = "-1".to_owned();
        }
        let written = written.join(", ");
        let text = match self.choices.once_in(2) {
            true => format!("reshape({}, [{written}])", x.name),
            false => format!("{} |> reshape([{written}])", x.name),
        };
        self.bind_numbers(&shape, x.bound, text);
    }

    fn transpose(&mut self) {
        let x = self.numbers(1..=4);
        let mut axes: Vec<usize> = (0..x.rank()).rev().collect();
        let text = match self.choices.once_in(3) {
            true => format!("transpose({})", x.name),
            false => {
                for i in (1..axes.len()).rev() {
                    axes.swap(i, self.choices.below(i + 1));
                }
                format!("transpose({}, {axes:?})", x.name)
            }
        };
        let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
        self.bind_numbers(&shape, x.bound, text);
    }

    fn pad(&mut self) {
        let x = self.numbers(1..=3);
        let (widths, text): (Vec<[usize; 2]>, String) = match self.choices.once_in(3) {
            true => (vec![[1, 1]; x.rank()], "1".to_owned()),
            false => {
                let widths: Vec<[usize; 2]> =
                    (0..x.rank()).map(|_| [self.choices.below(3), self.choices.below(2)]).collect();
                (widths.clone(), format!("{widths:?}"))
            }
        };
        let shape: Vec<usize> = x.shape.iter().zip(&widths).map(|(n, [a, b])| n + a + b).collect();
        self.bind_numbers(&shape, x.bound, format!("pad({}, {text})", x.name));
    }

    fn expand(&mut self) {
        let x = self.numbers(0..=2);
        let extent = self.extent().min(5);
        let (shape, text) = match self.choices.once_in(2) {
            true => {
                let shape = [&[extent], x.shape.as_slice()].concat();
                (shape.clone(), format!("expand({}, {shape:?})", x.name))
            }
            false => {
                let axis = self.choices.below(x.rank() + 1);
                let mut shape = x.shape.clone();
                shape.insert(axis, extent);
                (shape, format!("expand({}, {extent}, axis = {axis})", x.name))
            }
        };
        self.bind_numbers(&shape, x.bound, text);
    }

    fn draw(&mut self, name: &str) {
        let x = self.numbers(0..=3);
        let from = self.choices.below(x.rank() + 1);
        let shape = &x.shape[from..];
        let noise = match name {
            "bernoulli" => format!("{} * bernoulli(0.7, {shape:?})", x.name),
            "normal" => format!("{} + normal(0, 0.2, {shape:?})", x.name),
            _ => format!("{} * uniform(0.5, 1.2, {shape:?})", x.name),
        };
        let text = match self.choices.once_in(2) {
            true => format!("if training then {noise} else {}", x.name),
            false => noise,
        };
        self.bind_numbers(&x.shape, x.bound * 1.2 + 1.0, text);
    }

    fn choose(&mut self) {
        let x = self.numbers(0..=3);
        let other = self.suffix(&x.shape);
        let from = self.choices.below(x.rank() + 1);
        let first = self.truths(&x.shape[from..]);
        let condition = match self.choices.below(5) {
            0 => format!("not {}", first.name),
            1 => {
                let second = self.truths(&x.shape[from..]);
                format!("{} and not {} or {} > 0.3", first.name, second.name, x.name)
            }
            2 => format!("{} or {} <= {other}", first.name, x.name),
            3 => "training".to_owned(),
            _ => first.name.clone(),
        };
        let text = match self.choices.once_in(2) {
            true => format!("if {condition} then {} else {other}", x.name),
            false => format!("if {condition} then {other} * 0.5 else if {} > 0.2 then 1 else {}", x.name, x.name),
        };
        self.bind_numbers(&x.shape, x.bound + 1.0, text);
    }

    /// Several operators in one expression.
    fn formula(&mut self) {
        let x = self.numbers(0..=3);
        let [a, b, c] = [0; 3].map(|_| self.suffix(&x.shape));
        let x_name = &x.name;
        let text = match self.choices.below(6) {
            0 => format!("{x_name} * {a} + {b} * {c}"),
            1 => format!("({x_name} - {a}) / (1 + {b}^2)"),
            2 => format!("-{x_name} + {a} - -{b} * 0.5"),
            3 => format!("{x_name} * (({a} > {b}) == ({c} > 0.1))"),
            4 => format!("{x_name} / (abs({a}) + abs({b}) + 0.5) - {c} % 0.7"),
            _ => format!("sin({x_name})^2 + {a} * cos({b} - {x_name} / 3)"),
        };
        self.bind_numbers(&x.shape, 8.0, format!("tanh({text})"));
    }
}
