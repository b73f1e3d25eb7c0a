//! Layers, shipped ones and its own, states, and loops.

use super::super::generator::{Element, Generator, Value};

impl Generator {
    pub(super) fn each(&mut self) {
        let units = self.extent();
        match self.choices.below(7) {
            5 => {
                let (x, pair) = (self.numbers(2..=3), self.own("pair"));
                let other = self.of_shape(&[x.shape[0], 1 + units % 5]);
                let units = x.shape[x.rank() - 1];
                self.bind_numbers(&x.shape, 10.0, format!("each {pair}({units})({}, {})", x.name, other.name));
            }
            6 => {
                // The same vector for each row.
                let x = self.numbers(2..=2);
                let pair = self.own("pair");
                let other = self.of_shape(&[x.shape[0]]);
                let rows = self.of_shape(&[x.shape[0], x.shape[0]]);
                let text = format!(
                    "scan r over {}, k over {} from (h = {}) {{\n    next h = 0.5 * {pair}({})(h, k)\n    emit h * mean(r)\n  }}",
                    x.name, rows.name, other.name, x.shape[0]
                );
                self.bind_numbers(&rows.shape, 20.0, text);
            }
            0 => {
                let x = self.numbers(3..=3);
                let shape = [&x.shape[..2], &[units]].concat();
                let act = self.activation();
                self.bind_numbers(&shape, 10.0, format!("{} |> each each (dense({units}) |> {act})", x.name));
            }
            1 => {
                let x = self.numbers(2..=2);
                let other = self.of_shape(&x.shape);
                let loss = self.choices.of(&["mse", "mse"]);
                let bound = (x.bound + other.bound) * (x.bound + other.bound);
                self.bind_numbers(&x.shape[..1], bound, format!("each {loss}({}, {})", x.name, other.name));
            }
            2 => {
                let x = self.numbers(2..=2);
                self.bind_numbers(&x.shape, 1.0, format!("{} |> each softmax", x.name));
            }
            3 => {
                let x = self.image(2);
                let shape = [&x.shape[..2], &[units]].concat();
                self.bind_numbers(&shape, 10.0, format!("{} |> each conv1d({units}, 3, padding = same)", x.name));
            }
            _ => {
                let x = self.numbers(2..=2);
                let shape = [x.shape[0], units];
                self.bind_numbers(&shape, 10.0, format!("{} |> each dense({units})", x.name));
            }
        }
    }

    pub(super) fn activated(&mut self) {
        let x = self.numbers(0..=4);
        let act = self.activation();
        let text = match self.choices.below(3) {
            0 if x.rank() == 1 => format!("{} |> softmax", x.name),
            1 => format!("{act}({})", x.name),
            _ => format!("{} |> {act}", x.name),
        };
        self.bind_numbers(&x.shape, x.bound + 1.0, text);
    }

    /// A layer of the prelude.
    pub(super) fn layer(&mut self) {
        let (units, act) = (self.extent(), self.activation());
        let smooth = self.is_smooth();
        let (x, shape, layer): (Value, Vec<usize>, String) = match self.choices.below(4) {
            0 => {
                let x = self.numbers(1..=1);
                let n = x.shape[0];
                let (width, layer) = match self.choices.below(6) {
                    0 => (units, format!("dense({units}, bias = false, weights = he_normal)")),
                    1 => (n, "layer_norm".to_owned()),
                    2 => (n, format!("dense({n}) |> batch_norm |> {act}")),
                    3 => (n, "dropout(0.3)".to_owned()),
                    4 => (n, format!("residual(dense({n}) |> {act})")),
                    _ => (units, format!("dense({units}) |> {act}")),
                };
                (x, vec![width], layer)
            }
            1 => {
                let x = self.numbers(2..=2);
                let (t, n) = (x.shape[0], x.shape[1]);
                let causal = self.choices.of(&["", ", causal = true"]);
                let (shape, layer) = match self.choices.below(9) {
                    0 => (vec![t, units], format!("rnn({units})")),
                    1 => (vec![t, units], format!("gru({units})")),
                    2 => (vec![t, units], format!("lstm({units})")),
                    3 => (vec![t, 2 * units], format!("bidirectional(lstm({units}))")),
                    4 => (vec![n], "last".to_owned()),
                    5 => (vec![t, n], "positional".to_owned()),
                    6 => (vec![t, n], format!("multi_head_attention(1{causal})")),
                    7 => (vec![t, n], format!("transformer_block({n}, ratio = 2{causal}, rate = 0.1)")),
                    _ => (vec![t, n], "batch_norm(momentum = 0.8)".to_owned()),
                };
                (x, shape, layer)
            }
            2 => {
                let x = self.image(2);
                let (h, w, c) = (x.shape[0], x.shape[1], x.shape[2]);
                let filters = 1 + self.choices.below(4);
                let (shape, layer) = match self.choices.below(10) {
                    0 => (vec![h - 1, w - 1, filters], format!("conv2d({filters}, 2)")),
                    1 => (vec![h, w, filters], format!("conv2d({filters}, 3, padding = same, bias = false)")),
                    2 => (vec![h, w, 2 * c], "depthwise_conv2d(3, padding = same, multiplier = 2)".to_owned()),
                    3 => (vec![h - 2, w - 2, filters], format!("separable_conv2d({filters}, 3)")),
                    4 => (
                        vec![2 * h, 2 * w, filters],
                        format!("conv2d_transpose({filters}, 3, stride = 2, padding = same)"),
                    ),
                    5 if !smooth => (vec![h / 2, w / 2, c], "max_pool2d".to_owned()),
                    6 => (vec![c], "global_avg_pool".to_owned()),
                    7 => (vec![h, w, c], format!("group_norm({c})")),
                    8 => (vec![h, w, c], "spatial_dropout(0.4)".to_owned()),
                    _ => (vec![h, w, c], format!("gaussian_noise(0.1) |> batch_norm |> {act}")),
                };
                (x, shape, layer)
            }
            _ => {
                let shape = match self.choices.once_in(2) {
                    true => Vec::new(),
                    false => self.shape(1),
                };
                let x = self.categories(&shape);
                let shape = [shape.as_slice(), &[units]].concat();
                (x, shape, format!("embedding({units}, normal(0, 0.5))"))
            }
        };
        self.bind_numbers(&shape, 15.0, format!("{} |> {layer}", x.name));
    }

    /// One set of parameters for two values.
    pub(super) fn shared(&mut self) {
        let x = self.numbers(1..=1);
        let units = self.extent();
        let other = self.of_shape(&x.shape);
        let (name, act) = (self.fresh("tower"), self.activation());
        self.line(format!("let {name} = dense({units}) |> {act}"), None);
        self.bind_numbers(&[units], 10.0, format!("{name}({})", x.name));
        let text = match self.choices.once_in(2) {
            true => format!("{} |> {name}", other.name),
            false => format!("{0}({1}) * {0}({2})", name, x.name, other.name),
        };
        self.bind_numbers(&[units], 15.0, text);
    }

    /// A state of the model.
    pub(super) fn state(&mut self) {
        let x = self.numbers(0..=3);
        let from = self.choices.below(x.rank() + 1);
        let shape = x.shape[from..].to_vec();
        let name = self.fresh("s");
        let init = self.choices.of(&["zeros", "ones", "normal(0, 0.5)", "constant(0.2)"]);
        self.line(format!("state {name}: {shape:?} = {init}"), None);
        let moved = if from == 0 || self.choices.once_in(2) {
            let axes: Vec<usize> = (0..from).collect();
            let folded = if from == 0 { x.name.clone() } else { format!("mean({}, axis = {axes:?})", x.name) };
            format!("0.8 * {name} + 0.2 * {folded}")
        } else {
            format!("0.5 * {name} + 0.1")
        };
        self.line(format!("next {name} = tanh({moved})"), None);
        self.bind_numbers(&x.shape, x.bound + 2.0, format!("{} - {name}", x.name));
    }

    pub(super) fn own_layer(&mut self) {
        let x = self.numbers(1..=1);
        if self.choices.once_in(3) {
            let wrapper = self.own("wrapper");
            let n = x.shape[0];
            let text = format!("{} |> {wrapper}(dense({n}) |> tanh, k = 0.4)", x.name);
            self.bind_numbers(&x.shape, x.bound + 1.0, text);
            return;
        }
        let (layer, units) = (self.own("layer"), self.extent());
        let configuration = match self.choices.below(3) {
            0 => String::new(),
            1 => format!(", {}", self.activation()),
            _ => format!(", scale = 0.7, act = {}", self.activation()),
        };
        self.bind_numbers(&[units], 15.0, format!("{} |> {layer}({units}{configuration})", x.name));
    }

    pub(super) fn scan(&mut self) {
        let x = self.numbers(1..=3);
        let (t, row) = (x.shape[0], &x.shape[1..]);
        let k = self.extent().min(8);
        // What a step sees of its element, as a vector or a scalar.
        let seen = match row.len() {
            0 => format!("e * {}", self.literal(0.2, 1.0)),
            1 => {
                let w = self.param(&[row[0], k]);
                format!("e @ {}", w.name)
            }
            _ => {
                let w = self.param(&[row[1], k]);
                format!("mean(e @ {}, axis = 0)", w.name)
            }
        };
        let u = self.param(&[k, k]);
        let start = match self.choices.below(3) {
            0 => self.of_shape(&[k]).name,
            1 => self.param(&[k]).name,
            _ => format!("zeros([{k}])"),
        };
        let mut over = format!("e over {}", x.name);
        let mut extra = String::new();
        if self.choices.once_in(4) {
            let tokens = self.categories(&[t]);
            if let Element::Class(count) = tokens.element {
                let table = self.param(&[count, k]);
                over.push_str(&format!(", c over {}", tokens.name));
                extra = format!(" + {}[c]", table.name);
            }
        } else if self.choices.once_in(3) {
            let other = self.of_shape(&[t]);
            over.push_str(&format!(", f over {}", other.name));
            extra = " + 0.5 * f".to_owned();
        }
        let act = self.activation();
        let (mut states, mut lines) = (format!("h = {start}"), Vec::new());
        lines.push(format!("let g = tanh({seen} + h @ {}{extra})", u.name));
        if row.len() == 1 && self.choices.once_in(4) {
            lines.push("let inner = scan d over e from (i = mean(h)) { next i = tanh(0.5 * i + d) }".to_owned());
            lines.push("next h = g * inner + 0.3 * h".to_owned());
        } else {
            lines.push(format!(
                "next h = {}",
                self.choices.of(&["g", "0.5 * h + g", "g * g - h"]).replace("g * g", "tanh(g) * g")
            ));
        }
        let second = self.choices.once_in(3);
        if second {
            states.push_str(", q = ones([])");
            lines.push("next q = 0.9 * q + 0.1 * mean(g)".to_owned());
        }
        let emits = self.choices.below(3);
        if emits > 0 {
            lines.push(if second { "emit g * q".to_owned() } else { "emit g".to_owned() });
        }
        if emits > 1 {
            lines.push(format!("emit {act}(h[0]) + 0.1"));
        }
        let reversed = emits == 1 && self.choices.once_in(3);
        let lines = lines.join("\n    ");
        let text = format!("scan {over} from ({states}) {{\n    {lines}\n  }}");
        let shapes: Vec<Vec<usize>> = match (emits, second) {
            (0, false) => vec![vec![k]],
            (0, true) => vec![vec![k], vec![]],
            (1, _) => vec![vec![t, k]],
            _ => vec![vec![t, k], vec![t]],
        };
        if let [shape] = shapes.as_slice() {
            let text = if reversed { format!("reverse({text})") } else { text };
            self.bind_numbers(shape, 3.0, text);
            return;
        }
        let names: Vec<String> = shapes.iter().map(|_| self.fresh("v")).collect();
        self.line(format!("let ({}) = {text}", names.join(", ")), None);
        for (name, shape) in names.into_iter().zip(shapes) {
            self.values.push(Value { name, element: Element::Number, shape, bound: 3.0 });
        }
    }
}
