//! Typed bodies written by hand, so that what follows the checker is tested by itself.

use nnc::check::hir::{
    Binding, Body, BodyInput, Data, Element, Elementwise, Hir, HirOp, Metric, Model, Optimizer, Param, Reduce, Run,
    State, Value, ValueId, ValueType,
};
use nnc::data::{Column, Dataset, Split, Storage};
use nnc::source::{Span, Spanned};

/// Numbers of that shape.
pub(super) fn numbers(shape: &[usize]) -> ValueType {
    ValueType { element: Element::Number, shape: shape.to_vec() }
}

/// Truth values of that shape.
pub(super) fn truths(shape: &[usize]) -> ValueType {
    ValueType { element: Element::Truth, shape: shape.to_vec() }
}

/// One of `count` categories.
pub(super) fn class(count: usize) -> ValueType {
    ValueType { element: Element::Class { count, names: None }, shape: Vec::new() }
}

/// A body that grows value by value.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) body: Body,
}

impl Writer {
    pub(super) fn op(&mut self, op: HirOp, operands: &[ValueId], ty: ValueType) -> ValueId {
        self.body.values.push(Value {
            op,
            operands: operands.to_vec(),
            ty,
            span: Span::default(),
            site: Span::default(),
        });
        ValueId(self.body.values.len() as u32 - 1)
    }

    pub(super) fn input(&mut self, name: &str, binding: Binding, ty: ValueType) -> ValueId {
        self.body.inputs.push(BodyInput { name: name.to_owned(), ty: ty.clone(), binding });
        self.op(HirOp::Input(self.body.inputs.len() - 1), &[], ty)
    }

    pub(super) fn number(&mut self, value: f64) -> ValueId {
        self.op(HirOp::Number(value), &[], numbers(&[]))
    }

    pub(super) fn param(&mut self, path: &str, shape: &[usize], init: Body) -> ValueId {
        self.body.params.push(Param { path: path.to_owned(), shape: shape.to_vec(), init, span: Span::default() });
        self.op(HirOp::Param(self.body.params.len() - 1), &[], numbers(shape))
    }

    pub(super) fn state(&mut self, path: &str, shape: &[usize], init: Body) -> ValueId {
        self.body.states.push(State {
            path: path.to_owned(),
            shape: shape.to_vec(),
            init,
            next: None,
            span: Span::default(),
        });
        self.op(HirOp::State(self.body.states.len() - 1), &[], numbers(shape))
    }

    pub(super) fn next(&mut self, state: usize, value: ValueId) {
        self.body.states[state].next = Some(value);
    }

    /// Elementwise; the result has the longest shape.
    pub(super) fn apply(&mut self, op: Elementwise, operands: &[ValueId]) -> ValueId {
        let shapes = operands.iter().map(|&id| self.body[id].ty.shape.clone());
        let shape = shapes.max_by_key(Vec::len).unwrap_or_default();
        let truth = matches!(
            op,
            Elementwise::Eq | Elementwise::Ne | Elementwise::Lt | Elementwise::Le | Elementwise::Gt | Elementwise::Ge
        );
        self.op(HirOp::Elementwise(op), operands, if truth { truths(&shape) } else { numbers(&shape) })
    }

    pub(super) fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.apply(Elementwise::Add, &[a, b])
    }

    pub(super) fn sub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.apply(Elementwise::Sub, &[a, b])
    }

    pub(super) fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.apply(Elementwise::Mul, &[a, b])
    }

    pub(super) fn div(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.apply(Elementwise::Div, &[a, b])
    }

    /// Over all axes.
    pub(super) fn reduce(&mut self, kind: Reduce, x: ValueId) -> ValueId {
        let axes = (0..self.body[x].ty.shape.len()).collect();
        self.op(HirOp::Reduce(kind, axes), &[x], numbers(&[]))
    }

    /// `dense(units)` of a vector, its weights uniform within ±`limit`.
    pub(super) fn dense(&mut self, x: ValueId, path: &str, units: usize, limit: f64) -> ValueId {
        let n = self.body[x].ty.shape[0];
        let w = self.param(&format!("{path}.W"), &[n, units], uniform(&[n, units], limit));
        let b = self.param(&format!("{path}.b"), &[units], constant(0.0));
        let product = self.op(HirOp::MatMul, &[x, w], numbers(&[units]));
        self.add(product, b)
    }

    pub(super) fn relu(&mut self, x: ValueId) -> ValueId {
        let zero = self.number(0.0);
        self.apply(Elementwise::Max, &[x, zero])
    }

    /// The softmax as the prelude writes it.
    pub(super) fn softmax(&mut self, x: ValueId) -> ValueId {
        let largest = self.reduce(Reduce::Max, x);
        let distance = self.sub(x, largest);
        let e = self.apply(Elementwise::Exp, &[distance]);
        let sum = self.reduce(Reduce::Sum, e);
        self.div(e, sum)
    }

    pub(super) fn finish(mut self, outputs: &[(&str, ValueId)]) -> Body {
        self.body.outputs = outputs.iter().map(|&(name, id)| (name.to_owned(), id)).collect();
        self.body
    }
}

pub(super) fn constant(value: f64) -> Body {
    let mut w = Writer::default();
    let number = w.number(value);
    w.finish(&[("value", number)])
}

pub(super) fn uniform(shape: &[usize], limit: f64) -> Body {
    let mut w = Writer::default();
    let (low, high) = (w.number(-limit), w.number(limit));
    let draw = w.op(HirOp::Uniform, &[low, high], numbers(shape));
    w.finish(&[("value", draw)])
}

/// `mean((pred - target)^2)`.
pub(super) fn mse(pred: &str, target: &str, shape: &[usize]) -> Body {
    let mut w = Writer::default();
    let p = w.input(pred, Binding::ModelOutput, numbers(shape));
    let t = w.input(target, Binding::Field, numbers(shape));
    let d = w.sub(p, t);
    let two = w.number(2.0);
    let square = w.apply(Elementwise::Pow, &[d, two]);
    let mean = w.reduce(Reduce::Mean, square);
    w.finish(&[("value", mean)])
}

/// `-sum(one_hot(target) * log(pred))`.
pub(super) fn cross_entropy(pred: &str, target: &str, classes: usize) -> Body {
    let mut w = Writer::default();
    let p = w.input(pred, Binding::ModelOutput, numbers(&[classes]));
    let t = w.input(target, Binding::Field, class(classes));
    let hot = w.op(HirOp::OneHot, &[t], numbers(&[classes]));
    let log = w.apply(Elementwise::Log, &[p]);
    let product = w.mul(hot, log);
    let sum = w.reduce(Reduce::Sum, product);
    let value = w.apply(Elementwise::Neg, &[sum]);
    w.finish(&[("value", value)])
}

/// `avg(argmax(pred) == target)`.
pub(super) fn accuracy(pred: &str, target: &str, classes: usize) -> Metric {
    let mut w = Writer::default();
    let p = w.input(pred, Binding::ModelOutput, numbers(&[classes]));
    let t = w.input(target, Binding::Field, class(classes));
    let best = w.op(HirOp::Reduce(Reduce::ArgMax, vec![0]), &[p], class(classes));
    let hit = w.apply(Elementwise::Eq, &[best, t]);
    let average = w.op(HirOp::Avg, &[hit], numbers(&[]));
    Metric { name: "accuracy".to_owned(), body: w.finish(&[("value", average)]) }
}

/// `sqrt(avg(mean((pred - target)^2)))`.
pub(super) fn rmse(pred: &str, target: &str, shape: &[usize]) -> Metric {
    let mut w = Writer { body: mse(pred, target, shape) };
    let error = w.body.outputs[0].1;
    let average = w.op(HirOp::Avg, &[error], numbers(&[]));
    let root = w.apply(Elementwise::Sqrt, &[average]);
    Metric { name: "rmse".to_owned(), body: w.finish(&[("value", root)]) }
}

fn rule(lr: f64, name: &str, write: impl FnOnce(&mut Writer, [ValueId; 4]) -> ValueId) -> Optimizer {
    let mut w = Writer::default();
    let scope = ["param", "grad", "lr", "step"].map(|name| w.input(name, Binding::Scope, numbers(&[])));
    let value = write(&mut w, scope);
    Optimizer { name: name.to_owned(), lr, body: w.finish(&[("param", value)]) }
}

pub(super) fn sgd(lr: f64) -> Optimizer {
    rule(lr, "sgd", |w, [param, grad, lr, _]| {
        let change = w.mul(lr, grad);
        w.sub(param, change)
    })
}

pub(super) fn momentum(lr: f64, beta: f64) -> Optimizer {
    rule(lr, "momentum", |w, [param, grad, lr, _]| {
        let velocity = w.state("velocity", &[], constant(0.0));
        let beta = w.number(beta);
        let kept = w.mul(beta, velocity);
        let v = w.add(kept, grad);
        w.next(0, v);
        let change = w.mul(lr, v);
        w.sub(param, change)
    })
}

pub(super) fn adam(lr: f64) -> Optimizer {
    rule(lr, "adam", |w, [param, grad, lr, step]| {
        let mean = w.state("mean", &[], constant(0.0));
        let square = w.state("square", &[], constant(0.0));
        let (beta1, beta2, one, eps) = (w.number(0.9), w.number(0.999), w.number(1.0), w.number(1e-8));
        let (rest1, rest2) = (w.number(1.0 - 0.9), w.number(1.0 - 0.999));
        let (old, new) = (w.mul(beta1, mean), w.mul(rest1, grad));
        let m = w.add(old, new);
        let grad2 = w.mul(grad, grad);
        let (old, new) = (w.mul(beta2, square), w.mul(rest2, grad2));
        let s = w.add(old, new);
        w.next(0, m);
        w.next(1, s);
        let (power1, power2) = (w.apply(Elementwise::Pow, &[beta1, step]), w.apply(Elementwise::Pow, &[beta2, step]));
        let (share1, share2) = (w.sub(one, power1), w.sub(one, power2));
        let (m, s) = (w.div(m, share1), w.div(s, share2));
        let root = w.apply(Elementwise::Sqrt, &[s]);
        let below = w.add(root, eps);
        let change = w.mul(lr, m);
        let change = w.div(change, below);
        w.sub(param, change)
    })
}

/// A model of that body.
pub(super) fn model(name: &str, body: Body) -> Model {
    Model { name: name.to_owned(), configuration: String::new(), body, span: Span::default() }
}

/// A run of the first model on the first data.
pub(super) fn a_run(loss: Body, optimizer: Optimizer) -> Run {
    Run {
        name: "M".to_owned(),
        model: 0,
        data: 0,
        loss,
        metrics: Vec::new(),
        optimizer,
        schedule: None,
        penalties: Vec::new(),
        clip: None,
        epochs: 5,
        batch: 8,
        seed: 7,
        stop: None,
        span: Span::default(),
    }
}

/// A program of one model, one declaration of data and one run.
pub(super) fn program(model: Model, run: Run) -> Hir {
    let name = Spanned::new("D".to_owned(), Span::default());
    let data = Data {
        name,
        sources: Vec::new(),
        columns: Vec::new(),
        fields: Vec::new(),
        split: Vec::new(),
        seed: 0,
        ordered: false,
        balance: None,
        span: Span::default(),
    };
    Hir { models: vec![model], data: vec![data], runs: vec![run], ..Hir::default() }
}

/// A field of numbers.
pub(super) fn column(name: &str, shape: &[usize], values: Vec<f32>) -> Column {
    Column { name: name.to_owned(), ty: numbers(shape), row_len: shape.iter().product(), values: Storage::F32(values) }
}

/// A field of categories.
pub(super) fn categories(name: &str, count: usize, values: Vec<i32>) -> Column {
    Column { name: name.to_owned(), ty: class(count), row_len: 1, values: Storage::I32(values) }
}

/// A dataset whose rows are divided in that order.
pub(super) fn dataset(fields: Vec<Column>, rows: usize, train: usize, val: usize) -> Dataset {
    let rows32 = rows as u32;
    let (train, val) = (train as u32, val as u32);
    let split = Split {
        train: (0..train).collect(),
        val: (train..train + val).collect(),
        test: (train + val..rows32).collect(),
    };
    Dataset { name: "D".to_owned(), rows, fields, split, weights: None, fitted: Vec::new() }
}

/// Numbers between −1 and 1 that look random, always the same.
pub(super) fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
