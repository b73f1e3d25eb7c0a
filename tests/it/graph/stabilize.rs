//! Formulas as a textbook has them: made stable they give the same where that is harmless, and the truth where it is not.

use crate::grad;
use nnc::graph::eval::{Array, eval};
use nnc::graph::stabilize::stabilize;
use nnc::graph::{
    Binary, Builder, DType, Graph, NodeId, Op, Reduction, Role, Scalar, TensorType, Unary, batch, simplify,
};

/// A formula of a vector, and what it ought to be, computed with care in f64.
struct Formula {
    name: &'static str,
    build: fn(&mut Builder, NodeId) -> NodeId,
    truth: fn(&[f64]) -> Vec<f64>,
    /// What must not be left of the formula as written, or must be there instead.
    has: &'static [Unary],
}

fn exp(b: &mut Builder, x: NodeId) -> NodeId {
    b.unary(Unary::Exp, x)
}

fn log(b: &mut Builder, x: NodeId) -> NodeId {
    b.unary(Unary::Log, x)
}

fn sum(b: &mut Builder, x: NodeId) -> NodeId {
    b.sum(x, &[0])
}

/// `1 / (1 + exp(-x))`
fn sigmoid(b: &mut Builder, x: NodeId) -> NodeId {
    let one = b.f32(1.0);
    let minus = b.neg(x);
    let e = exp(b, minus);
    let below = b.add(one, e);
    b.div(one, below)
}

/// `e / sum(e)` with `e = exp(x)`
fn softmax(b: &mut Builder, x: NodeId) -> NodeId {
    let e = exp(b, x);
    let total = sum(b, e);
    b.div(e, total)
}

/// `e / sum(e)` with `e = exp(x - max(x))`
fn prelude_softmax(b: &mut Builder, x: NodeId) -> NodeId {
    let largest = b.reduce(Reduction::Max, x, &[0]);
    let shifted = b.sub(x, largest);
    softmax(b, shifted)
}

/// `one_hot` of category 2 of 5
fn one_hot_2(b: &mut Builder) -> NodeId {
    let category = b.scalar(Scalar::I32(2));
    let category = b.broadcast(category, &[5], &[]);
    let numbers = b.iota(&[5], 0);
    let equal = b.binary(Binary::Eq, category, numbers);
    b.convert(equal, DType::F32)
}

#[allow(clippy::disallowed_methods, reason = "the truth needs a tolerance only")]
mod truth {
    pub(super) fn sigmoid(x: f64) -> f64 {
        if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
    }

    pub(super) fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }

    pub(super) fn tanh(x: f64) -> f64 {
        x.tanh()
    }

    pub(super) fn log_sum_exp(x: &[f64]) -> f64 {
        let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
    }

    pub(super) fn softmax(x: &[f64]) -> Vec<f64> {
        x.iter().map(|v| (v - log_sum_exp(x)).exp()).collect()
    }
}

fn each(function: fn(f64) -> f64) -> impl Fn(&[f64]) -> Vec<f64> {
    move |x| x.iter().map(|&x| function(x)).collect()
}

const FORMULAS: &[Formula] = &[
    Formula { name: "sigmoid", build: sigmoid, truth: |x| each(truth::sigmoid)(x), has: &[Unary::Sigmoid] },
    Formula {
        name: "exp(x) / (exp(x) + 1)",
        build: |b, x| {
            let (one, e) = (b.f32(1.0), exp(b, x));
            let below = b.add(e, one);
            b.div(e, below)
        },
        truth: |x| each(truth::sigmoid)(x),
        has: &[Unary::Sigmoid],
    },
    Formula {
        name: "(1 + exp(-x)) ^ -1",
        build: |b, x| {
            let (one, minus_one, minus) = (b.f32(1.0), b.f32(-1.0), b.neg(x));
            let e = exp(b, minus);
            let below = b.add(one, e);
            b.binary(Binary::Pow, below, minus_one)
        },
        truth: |x| each(truth::sigmoid)(x),
        has: &[Unary::Sigmoid],
    },
    Formula {
        name: "x / (1 + exp(-x))",
        build: |b, x| {
            let (one, minus) = (b.f32(1.0), b.neg(x));
            let e = exp(b, minus);
            let below = b.add(one, e);
            b.div(x, below)
        },
        truth: |x| each(|x| x * truth::sigmoid(x))(x),
        has: &[Unary::Sigmoid],
    },
    Formula {
        name: "log(sigmoid(x))",
        build: |b, x| {
            let p = sigmoid(b, x);
            log(b, p)
        },
        truth: |x| each(|x| -truth::softplus(-x))(x),
        has: &[Unary::Softplus],
    },
    Formula {
        name: "log(1 - sigmoid(x))",
        build: |b, x| {
            let (one, p) = (b.f32(1.0), sigmoid(b, x));
            let rest = b.sub(one, p);
            log(b, rest)
        },
        truth: |x| each(|x| -truth::softplus(x))(x),
        has: &[Unary::Softplus],
    },
    Formula {
        name: "log(1 + exp(x))",
        build: |b, x| {
            let (one, e) = (b.f32(1.0), exp(b, x));
            let total = b.add(one, e);
            log(b, total)
        },
        truth: |x| each(truth::softplus)(x),
        has: &[Unary::Softplus],
    },
    Formula {
        name: "log(exp(x))",
        build: |b, x| {
            let e = exp(b, x);
            log(b, e)
        },
        truth: |x| x.to_vec(),
        has: &[],
    },
    Formula {
        name: "binary cross entropy behind a reshape",
        build: |b, x| {
            let (one, third, p) = (b.f32(1.0), b.f32(1.0 / 3.0), sigmoid(b, x));
            let len = b.shape(x)[0];
            let p = b.reshape(p, &[len, 1]);
            let positive = log(b, p);
            let positive = b.mul(third, positive);
            let rest = b.sub(one, p);
            let negative = log(b, rest);
            let other = b.sub(one, third);
            let negative = b.mul(other, negative);
            let both = b.add(positive, negative);
            let loss = b.neg(both);
            b.reshape(loss, &[len])
        },
        truth: |x| each(|x| (truth::softplus(-x) + 2.0 * truth::softplus(x)) / 3.0)(x),
        has: &[Unary::Softplus],
    },
    Formula {
        name: "log of a choice between p and 1 - p",
        build: |b, x| {
            let (one, zero, p) = (b.f32(1.0), b.f32(0.0), sigmoid(b, x));
            let rest = b.sub(one, p);
            let test = b.binary(Binary::Gt, x, zero);
            let chosen = b.select(test, rest, p);
            log(b, chosen)
        },
        truth: |x| each(|x| if x > 0.0 { -truth::softplus(x) } else { -truth::softplus(-x) })(x),
        has: &[Unary::Softplus],
    },
    Formula {
        name: "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        build: |b, x| {
            let minus = b.neg(x);
            let (e, d) = (exp(b, x), exp(b, minus));
            let (above, below) = (b.sub(e, d), b.add(e, d));
            b.div(above, below)
        },
        truth: |x| each(truth::tanh)(x),
        has: &[Unary::Tanh],
    },
    Formula {
        name: "(exp(2x) - 1) / (exp(2x) + 1)",
        build: |b, x| {
            let (one, two) = (b.f32(1.0), b.f32(2.0));
            let twice = b.mul(two, x);
            let e = exp(b, twice);
            let (above, below) = (b.sub(e, one), b.add(e, one));
            b.div(above, below)
        },
        truth: |x| each(truth::tanh)(x),
        has: &[Unary::Tanh],
    },
    Formula {
        name: "log((exp(x) + exp(-x)) / 2)",
        build: |b, x| {
            let (minus, two) = (b.neg(x), b.f32(2.0));
            let (e, d) = (exp(b, x), exp(b, minus));
            let total = b.add(e, d);
            let mean = b.div(total, two);
            log(b, mean)
        },
        truth: |x| each(|x| truth::softplus(2.0 * x) - x - std::f64::consts::LN_2)(x),
        has: &[Unary::Softplus],
    },
    Formula { name: "softmax", build: softmax, truth: truth::softmax, has: &[] },
    Formula { name: "softmax less the largest", build: prelude_softmax, truth: truth::softmax, has: &[] },
    Formula {
        name: "log(softmax(x))",
        build: |b, x| {
            let p = softmax(b, x);
            log(b, p)
        },
        truth: |x| x.iter().map(|v| v - truth::log_sum_exp(x)).collect(),
        has: &[],
    },
    Formula {
        name: "log(softmax(x)) less the largest",
        build: |b, x| {
            let p = prelude_softmax(b, x);
            log(b, p)
        },
        truth: |x| x.iter().map(|v| v - truth::log_sum_exp(x)).collect(),
        has: &[],
    },
    Formula {
        name: "log of a part of softmax(x)",
        build: |b, x| {
            let p = prelude_softmax(b, x);
            let part = b.slice(p, &[1], &[3]);
            log(b, part)
        },
        truth: |x| x[1..3].iter().map(|v| v - truth::log_sum_exp(x)).collect(),
        has: &[],
    },
    Formula {
        name: "log(softmax(x)[2])",
        build: |b, x| {
            let p = prelude_softmax(b, x);
            let picked = one_hot_2(b);
            let p = b.contract(picked, p, &[], &[(0, 0)]);
            log(b, p)
        },
        truth: |x| vec![x[2] - truth::log_sum_exp(x)],
        has: &[],
    },
    Formula {
        name: "log(sum(one_hot(2) * softmax(x)))",
        build: |b, x| {
            let p = softmax(b, x);
            let picked = one_hot_2(b);
            let product = b.mul(picked, p);
            let p = sum(b, product);
            log(b, p)
        },
        truth: |x| vec![x[2] - truth::log_sum_exp(x)],
        has: &[],
    },
    Formula {
        name: "log(sum(exp(x)))",
        build: |b, x| {
            let e = exp(b, x);
            let total = sum(b, e);
            log(b, total)
        },
        truth: |x| vec![truth::log_sum_exp(x)],
        has: &[],
    },
    Formula {
        name: "log(mean(exp(x)))",
        build: |b, x| {
            let e = exp(b, x);
            let (total, count) = (sum(b, e), b.f32(5.0));
            let mean = b.div(total, count);
            log(b, mean)
        },
        truth: |x| vec![truth::log_sum_exp(x) - std::f64::consts::LN_10 + std::f64::consts::LN_2],
        has: &[],
    },
];

/// The formula of `x: [n]` and, for the gradient, the sum of its results with different weights.
fn graphs(formula: &Formula, n: usize) -> (Graph, Graph) {
    let mut b = Builder::new(formula.name);
    let x = b.input("x", Role::Data, TensorType::f32([n]));
    let y = (formula.build)(&mut b, x);
    let mut values = b.clone();
    values.output("y", y);
    let weights: Vec<usize> = b.shape(y).to_vec();
    let weighted = match weights[..] {
        [] => y,
        _ => {
            let weights = b.iota(&weights, 0);
            let weights = b.convert(weights, nnc::graph::DType::F32);
            let one = b.f32(1.0);
            let weights = b.add(weights, one);
            let product = b.mul(y, weights);
            b.sum(product, &[0])
        }
    };
    b.output("loss", weighted);
    (values.graph, b.graph)
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn agree_where_the_formula_is_harmless() {
    for formula in FORMULAS {
        let (graph, _) = graphs(formula, 5);
        let x = Array::<f64>::real(&[5], vec![0.3, -1.25, 2.0, -0.7, 3.1]);
        let stable = stabilize(&graph);
        let (before, after) = (eval(&graph, &[x.clone()]), eval(&stable, &[x.clone()]));
        let truth = (formula.truth)(x.reals());
        for (place, truth) in truth.iter().enumerate() {
            let (before, after) = (before[0].reals()[place], after[0].reals()[place]);
            let fine = close(before, *truth, 1e-6) && close(after, before, 1e-6);
            assert!(fine, "{}: {before} {after} {truth}\n{stable}", formula.name);
        }
        for &unary in formula.has {
            assert!(stable.nodes.iter().any(|node| matches!(node.op, Op::Unary(op) if op == unary)), "{stable}");
            assert!(!stable.nodes.iter().any(|node| matches!(node.op, Op::Unary(Unary::Exp))), "{stable}");
        }
    }
}

#[test]
fn finite_and_true_at_extremes() {
    let points: [[f32; 5]; 6] = [
        [100.0, -100.0, 0.5, -1.0, 3.0],
        [1000.0, -1000.0, 0.5, -1.0, 3.0],
        [1000.0, 1000.0, 999.0, 1000.0, 998.5],
        [-1000.0, -1000.0, -999.0, -1000.0, -998.5],
        [0.0, -0.0, 88.8, -88.8, 1e-20],
        [1e4, -1e4, 0.0, 20.0, -20.0],
    ];
    for formula in FORMULAS {
        let (graph, loss) = graphs(formula, 5);
        let stable = stabilize(&graph);
        let (slopes, _) = grad::with_gradients(&stabilize(&loss));
        let slopes = simplify::simplify_differentiated(&slopes);
        for point in points {
            let x = Array::real(&[5], point.to_vec());
            let wide: Vec<f64> = point.iter().map(|&x| f64::from(x)).collect();
            let truth = (formula.truth)(&wide);
            let values = eval(&stable, &[x.clone()]);
            for (value, &truth) in values[0].reals().iter().zip(&truth) {
                assert!(
                    close(f64::from(*value), truth, 2e-6),
                    "{} at {point:?}: {value} {truth}\n{stable}",
                    formula.name
                );
            }
            let found = eval(&slopes, &[x]);
            for (place, &slope) in found[1].reals().iter().enumerate() {
                let loss_at = |moved: f64| -> f64 {
                    let mut at = wide.clone();
                    at[place] += moved;
                    (formula.truth)(&at).iter().enumerate().map(|(i, y)| (i + 1) as f64 * y).sum()
                };
                let difference = (loss_at(1e-4) - loss_at(-1e-4)) / 2e-4;
                // At a kink of the formula itself the derivative is one-sided.
                let kink = formula.name.contains("choice") && point[place].abs() < 1e-3;
                assert!(
                    kink || close(f64::from(slope), difference, 1e-4),
                    "{} at {point:?}: slope {slope} of {place}, difference {difference}\n{slopes}",
                    formula.name
                );
            }
        }
    }
}

/// Mapped over the rows of a matrix the sums stand beside the elements by an explicit repetition.
#[test]
fn formulas_of_rows() {
    for formula in FORMULAS {
        let (region, _) = graphs(formula, 5);
        let mut b = Builder::new("rows");
        let x = b.input("x", Role::Data, TensorType::f32([3, 5]));
        let y = batch::inline_batched(&mut b, &region, &[x], &[true], 3)[0];
        b.output("y", y);
        let stable = batch::batch(&stabilize(&b.graph), 1);
        let rows = [[1000.0f32, -1000.0, 0.5, -1.0, 3.0], [-88.0, 2.0, 99.5, 100.0, 3.0], [0.0, 0.1, -0.2, 0.3, -0.4]];
        let x = Array::real(&[1, 3, 5], rows.concat());
        let found = eval(&stable, &[x]);
        let truth: Vec<f64> = rows.iter().flat_map(|row| (formula.truth)(&row.map(f64::from))).collect();
        for (value, &truth) in found[0].reals().iter().zip(&truth) {
            assert!(close(f64::from(*value), truth, 2e-6), "{}: {value} {truth}\n{stable}", formula.name);
        }
    }
}

#[test]
fn powers_with_small_exponents() {
    for exponent in [0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -0.5, -1.0, -2.0, -3.0, -4.0] {
        let mut b = Builder::new("power");
        let x = b.input("x", Role::Data, TensorType::f32([3]));
        let e = b.f32(exponent);
        let y = b.binary(Binary::Pow, x, e);
        b.output("y", y);
        let stable = stabilize(&b.graph);
        assert!(!stable.nodes.iter().any(|node| matches!(node.op, Op::Binary(Binary::Pow))), "{stable}");
        let x = Array::<f64>::real(&[3], vec![0.7, 2.5, 11.0]);
        let (before, after) = (eval(&b.graph, &[x.clone()]), eval(&stable, &[x]));
        for (before, after) in before[0].reals().iter().zip(after[0].reals()) {
            assert!(close(*before, *after, 1e-12), "{exponent}: {before} {after}");
        }
    }
}

/// Chains behind which no formula stands, and choices between choices, take linear time.
#[test]
fn deep_chains_end() {
    let mut b = Builder::new("deep");
    let x = b.input("x", Role::Data, TensorType::f32([2, 2]));
    let (zero, mut y) = (b.f32(0.0), x);
    for _ in 0..5_000 {
        let test = b.binary(Binary::Gt, y, zero);
        let turned = b.transpose(y, &[1, 0]);
        y = b.select(test, y, turned);
    }
    let p = sigmoid(&mut b, y);
    let (turned, test) = (b.transpose(p, &[1, 0]), b.binary(Binary::Gt, x, zero));
    let either = b.select(test, p, turned);
    let y = log(&mut b, either);
    b.output("y", y);
    let stable = stabilize(&b.graph);
    assert!(!stable.nodes.iter().any(|node| matches!(node.op, Op::Unary(Unary::Exp))));
}
