//! Training steps of dense networks, built by hand: forward, backward and Adam's update in one graph.

use nnc::autodiff::gradients;
use nnc::graph::eval::Array;
use nnc::graph::{Binary, Builder, DType, Graph, NodeId, Role, TensorType, Unary, simplify};
use nnc::numerics::philox;

/// What is minimised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Squares,
    CrossEntropy,
}

/// A network of `sizes`, relu between its layers, with dropout of a fifth behind each if asked for.
pub(crate) fn training_step(sizes: &[usize], batch: usize, loss: Loss, dropout: bool) -> Graph {
    let mut b = Builder::new("step");
    let outputs = sizes[sizes.len() - 1];
    let x = b.input("x", Role::Data, TensorType::f32([batch, sizes[0]]));
    let target = match loss {
        Loss::Squares => b.input("y", Role::Data, TensorType::f32([batch, outputs])),
        Loss::CrossEntropy => b.input("y", Role::Data, TensorType::i32([batch])),
    };
    let seed = b.input("seed", Role::Setting, TensorType::i32([2]));
    let step = b.input("step", Role::Setting, TensorType::i32([]));
    let lr = b.input("lr", Role::Setting, TensorType::f32([]));
    let mut params = Vec::new();
    for (layer, pair) in sizes.windows(2).enumerate() {
        params.push(b.input(format!("dense_{layer}.W"), Role::Param, TensorType::f32([pair[0], pair[1]])));
        params.push(b.input(format!("dense_{layer}.b"), Role::Param, TensorType::f32([pair[1]])));
    }
    let mut value = x;
    for layer in 0..sizes.len() - 1 {
        let product = b.contract(value, params[2 * layer], &[], &[(1, 0)]);
        value = b.add(product, params[2 * layer + 1]);
        if layer + 2 < sizes.len() {
            let zero = b.f32(0.0);
            value = b.binary(Binary::Max, value, zero);
            if dropout {
                let shape = b.shape(value).to_vec();
                let uniform = b.uniform(seed, step, layer as u32, &shape);
                let keep = b.f32(0.8);
                let kept = b.binary(Binary::Lt, uniform, keep);
                let kept = b.convert(kept, DType::F32);
                let masked = b.mul(value, kept);
                value = b.div(masked, keep);
            }
        }
    }
    let per_sample = match loss {
        Loss::Squares => {
            let difference = b.sub(value, target);
            let squared = b.mul(difference, difference);
            let sum = b.sum(squared, &[1]);
            let count = b.f32(outputs as f32);
            b.div(sum, count)
        }
        Loss::CrossEntropy => cross_entropy(&mut b, value, target),
    };
    let sum = b.sum(per_sample, &[0]);
    let count = b.f32(batch as f32);
    let mean = b.div(sum, count);
    b.output("loss", mean);
    let gradients = gradients(&mut b, mean, &params);
    adam(&mut b, &params, &gradients, lr, step);
    simplify::simplify_differentiated(&b.graph)
}

fn cross_entropy(b: &mut Builder, logits: NodeId, target: NodeId) -> NodeId {
    let shape = b.shape(logits).to_vec();
    let largest = b.reduce(nnc::graph::Reduction::Max, logits, &[1]);
    let largest = b.stop_gradient(largest);
    let largest = b.broadcast(largest, &shape, &[0]);
    let shifted = b.sub(logits, largest);
    let powers = b.unary(Unary::Exp, shifted);
    let sum = b.sum(powers, &[1]);
    let log = b.unary(Unary::Log, sum);
    let log = b.broadcast(log, &shape, &[0]);
    let log_softmax = b.sub(shifted, log);
    let classes = b.iota(&shape, 1);
    let wanted = b.broadcast(target, &shape, &[0]);
    let one_hot = b.binary(Binary::Eq, classes, wanted);
    let one_hot = b.convert(one_hot, DType::F32);
    let chosen = b.mul(one_hot, log_softmax);
    let sum = b.sum(chosen, &[1]);
    b.neg(sum)
}

fn adam(b: &mut Builder, params: &[NodeId], gradients: &[NodeId], lr: NodeId, step: NodeId) {
    let (beta1, beta2, eps, one) = (b.f32(0.9), b.f32(0.999), b.f32(1e-8), b.f32(1.0));
    let step = b.convert(step, DType::F32);
    let correction = |b: &mut Builder, beta: NodeId| {
        let power = b.binary(Binary::Pow, beta, step);
        b.sub(one, power)
    };
    let (first, second) = (correction(b, beta1), correction(b, beta2));
    for (&param, &gradient) in params.iter().zip(gradients) {
        let ty = b.ty(param).clone();
        let nnc::graph::Op::Input(number) = b.graph[param].op else { panic!("a parameter") };
        let name = b.graph.inputs[number].name.clone();
        let m = b.input(format!("{name}.m"), Role::State, ty.clone());
        let v = b.input(format!("{name}.v"), Role::State, ty);
        let average = |b: &mut Builder, old: NodeId, new: NodeId, beta: NodeId| {
            let rest = b.sub(one, beta);
            let (old, new) = (b.mul(beta, old), b.mul(rest, new));
            b.add(old, new)
        };
        let next_m = average(b, m, gradient, beta1);
        let squared = b.mul(gradient, gradient);
        let next_v = average(b, v, squared, beta2);
        let m_hat = b.div(next_m, first);
        let v_hat = b.div(next_v, second);
        let root = b.unary(Unary::Sqrt, v_hat);
        let root = b.add(root, eps);
        let scaled = b.mul(lr, m_hat);
        let change = b.div(scaled, root);
        let next = b.sub(param, change);
        b.update(m, next_m);
        b.update(v, next_v);
        b.update(param, next);
    }
}

/// Values for the inputs: small numbers, classes below `classes`.
pub(crate) fn values(graph: &Graph, classes: usize) -> Vec<Array> {
    let mut drawn = 0u32;
    let mut unit = || {
        drawn += 1;
        philox::unit(philox::block([drawn, 0, 0, 0], [1, 2])[0])
    };
    (graph.inputs.iter())
        .map(|input| match (input.ty.dtype, input.role) {
            (DType::F32, _) if input.name == "lr" => Array::real(&[], vec![0.001]),
            (DType::F32, Role::State) => {
                let positive = input.ty.len();
                Array::real(&input.ty.shape, (0..positive).map(|_| unit() * 0.01).collect())
            }
            (DType::F32, _) => Array::real(&input.ty.shape, (0..input.ty.len()).map(|_| unit() - 0.5).collect()),
            (DType::I32, Role::Setting) => Array::i32(&input.ty.shape, vec![3; input.ty.len()]),
            (DType::I32, _) => {
                Array::i32(&input.ty.shape, (0..input.ty.len()).map(|_| (unit() * classes as f32) as i32).collect())
            }
            (DType::Bool, _) => Array::bool(&input.ty.shape, vec![true; input.ty.len()]),
        })
        .collect()
}
