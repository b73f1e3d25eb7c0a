"""The losses of the first steps of a small network, for every loss, activation and optimizer of the prelude.

Run with:  python3 -m venv VENV && VENV/bin/pip install jax && VENV/bin/python tests/oracle/training.py
It writes `training.json` beside itself, the same bytes each time.

JAX differentiates, in float64; the formulas are written out below as PyTorch documents them. A compiled program works in
float32: its losses agree to 1e-4, relative, and most of them to 1e-6.

The network is `x |> dense(5) |> HIDDEN |> dense(3) |> OUTPUT` on six inputs. Step k (from 0) takes rows 8k to 8k + 8 of the
data, in order; its loss is the mean over these rows before the step's update. Inputs, targets and initial weights are small
multiples of 1/256, so that they are the same numbers in float32.

The file:
  steps, batch  20 and 8
  weights       the initial parameters by path: `dense_1.W` [6][5], `dense_1.b` [5], `dense_2.W` [5][3], `dense_2.b` [3]
  data          the fields, 160 rows each:
                  x          [6]   inputs
                  value      [3]   any number
                  flag       [3]   0 or 1
                  sign       [3]   -1 or 1
                  share      [3]   not negative, with sum 1
                  label            0, 1 or 2
                  label_frequency  the share of the rows that have the row's label
                  value_frequency  the share of the rows whose first value lies in the same of ten equal intervals
  cases         a list of
                  group      "loss", "activation" or "optimizer": what the case is there for
                  hidden, output, loss, optimizer   as the language writes them; the model's output is `y`
                  losses     one number per step
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

STEPS, BATCH, INPUTS, HIDDEN, OUTPUTS = 20, 8, 6, 5, 3
ROWS = STEPS * BATCH


class Numbers:
    """Multiples of 1/64 from a linear congruential generator: state = 1664525 state + 1013904223 mod 2^32."""

    def __init__(self, seed):
        self.state = seed

    def next(self, below):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) % below

    def array(self, shape, low, high):
        count = (high - low) * 64 + 1
        values = [low + self.next(count) / 64 for _ in range(int(np.prod(shape)))]
        return np.array(values).reshape(shape)


def make_weights(numbers):
    return {
        "dense_1.W": numbers.array((INPUTS, HIDDEN), -1, 1) / 2,
        "dense_1.b": numbers.array((HIDDEN,), -1, 1) / 4,
        "dense_2.W": numbers.array((HIDDEN, OUTPUTS), -1, 1) / 2,
        "dense_2.b": numbers.array((OUTPUTS,), -1, 1) / 4,
    }


def make_data(numbers):
    x = numbers.array((ROWS, INPUTS), -2, 2)
    # Targets follow from the inputs, with some noise, so that there is something to learn.
    value = np.round((x[:, :3] * x[:, 3:] / 2 + x[:, 1:4]) * 64) / 64 + numbers.array((ROWS, OUTPUTS), 0, 1) / 4
    label = np.argmax(value, axis=1)
    first = np.array([numbers.next(65) for _ in range(ROWS)])
    second = np.array([numbers.next(65 - int(taken)) for taken in first])
    share = np.stack([first, second, 64 - first - second], axis=1) / 64
    interval = np.minimum((value[:, 0] - value[:, 0].min()) / np.ptp(value[:, 0]) * 10, 9).astype(int)
    return {
        "x": x,
        "value": value,
        "flag": (value > 0.5).astype(float),
        "sign": np.where(value > 0.5, 1.0, -1.0),
        "share": share,
        "label": label,
        "label_frequency": np.array([np.mean(label == one) for one in label]),
        "value_frequency": np.array([np.mean(interval == one) for one in interval]),
    }


# Activations: torch.nn.functional of the same names. `step` has derivative 0; `gelu` is the exact form.
def erf(x):
    return jax.scipy.special.erf(x)


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: jnp.where(x > 0, x, 0.0),
    "sigmoid": jax.nn.sigmoid,
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x),
    "elu": lambda x: jnp.where(x > 0, x, jnp.expm1(jnp.minimum(x, 0.0))),
    "tanh": jnp.tanh,
    "step": lambda x: jnp.where(x > 0, 1.0, 0.0),
    "softmax": lambda x: jax.nn.softmax(x, axis=-1),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / jnp.sqrt(2.0))),
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "selu": lambda x: 1.0507009873554805 * jnp.where(x > 0, x, 1.6732632423543772 * jnp.expm1(jnp.minimum(x, 0.0))),
    "softplus": lambda x: jnp.logaddexp(x, 0.0),
}


# Losses of a batch: the mean over the rows of what a row loses.
def mse(y, d):
    """torch mse_loss."""
    return jnp.mean((y - d["value"]) ** 2)


def mae(y, d):
    """torch l1_loss."""
    return jnp.mean(jnp.abs(y - d["value"]))


def huber(y, d):
    """torch huber_loss, delta = 1."""
    e = jnp.abs(y - d["value"])
    return jnp.mean(jnp.where(e <= 1, 0.5 * e**2, e - 0.5))


def hinge(y, d):
    """mean(max(0, 1 - t y)), t = -1 or 1."""
    margin = 1 - d["sign"] * y
    return jnp.mean(jnp.where(margin > 0, margin, 0.0))


def binary_cross_entropy(y, d):
    """torch binary_cross_entropy; y is a sigmoid's."""
    return -jnp.mean(d["flag"] * jnp.log(y) + (1 - d["flag"]) * jnp.log(1 - y))


def cross_entropy(y, d):
    """torch nll_loss of log y; y is a softmax's."""
    return -jnp.mean(jnp.log(jnp.take_along_axis(y, d["label"][:, None], axis=1)))


def kl_divergence(y, d):
    """torch kl_div of log y with reduction = batchmean; y is a softmax's, and 0 log 0 = 0."""
    t = d["share"]
    log_t = jnp.log(jnp.where(t > 0, t, 1.0))
    return jnp.mean(jnp.sum(jnp.where(t > 0, t * (log_t - jnp.log(y)), 0.0), axis=1))


def class_balanced_mse(y, d):
    """The mean of (y - one_hot)^2 over the outputs, divided by the frequency of the row's label."""
    hot = jnp.eye(OUTPUTS)[d["label"]]
    return jnp.mean(jnp.mean((y - hot) ** 2, axis=1) / d["label_frequency"])


def interval_balanced_mse(y, d):
    """The mean of (y - t)^2 over the outputs, divided by the frequency of the row's interval."""
    return jnp.mean(jnp.mean((y - d["value"]) ** 2, axis=1) / d["value_frequency"])


LOSSES = {
    "mse(y, value)": mse,
    "mae(y, value)": mae,
    "huber(y, value)": huber,
    "hinge(y, sign)": hinge,
    "binary_cross_entropy(y, flag)": binary_cross_entropy,
    "cross_entropy(y, label)": cross_entropy,
    "kl_divergence(y, share)": kl_divergence,
    "class_balanced_mse(y, label, label_frequency)": class_balanced_mse,
    "interval_balanced_mse(y, value, value_frequency)": interval_balanced_mse,
}

OUTPUT_OF_LOSS = {
    "binary_cross_entropy(y, flag)": "sigmoid",
    "cross_entropy(y, label)": "softmax",
    "kl_divergence(y, share)": "softmax",
    "class_balanced_mse(y, label, label_frequency)": "softmax",
}


# Optimizers: torch.optim of the same names; `momentum` and `nesterov` are SGD(momentum = 0.9, nesterov = ...), dampening 0.
# Each takes parameter p, gradient g, its states s and the step t from 1, and gives the new p and s.
def sgd(p, g, s, t, lr=0.01):
    return p - lr * g, s


def momentum(p, g, s, t, lr=0.01, beta=0.9):
    v = beta * s[0] + g
    return p - lr * v, [v]


def nesterov(p, g, s, t, lr=0.01, beta=0.9):
    v = beta * s[0] + g
    return p - lr * (g + beta * v), [v]


def adagrad(p, g, s, t, lr=0.01, eps=1e-10):
    total = s[0] + g**2
    return p - lr * g / (np.sqrt(total) + eps), [total]


def rmsprop(p, g, s, t, lr=0.001, rho=0.99, eps=1e-8):
    square = rho * s[0] + (1 - rho) * g**2
    return p - lr * g / (np.sqrt(square) + eps), [square]


def adadelta(p, g, s, t, lr=1.0, rho=0.9, eps=1e-6):
    square = rho * s[0] + (1 - rho) * g**2
    change = np.sqrt(s[1] + eps) / np.sqrt(square + eps) * g
    return p - lr * change, [square, rho * s[1] + (1 - rho) * change**2]


def adam(p, g, s, t, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    mean = beta1 * s[0] + (1 - beta1) * g
    square = beta2 * s[1] + (1 - beta2) * g**2
    mean_hat = mean / (1 - beta1**t)
    square_hat = square / (1 - beta2**t)
    return p - lr * mean_hat / (np.sqrt(square_hat) + eps), [mean, square]


def adamw(p, g, s, t, lr=0.001, decay=0.01, **rest):
    return adam(p - lr * decay * p, g, s, t, lr=lr, **rest)


# As the language calls it, and the function with its configuration. The defaults move little in twenty steps; so each
# stands here a second time with a rate that does.
OPTIMIZERS = {
    "sgd()": (sgd, {}),
    "sgd(lr = 0.1)": (sgd, {"lr": 0.1}),
    "momentum()": (momentum, {}),
    "momentum(lr = 0.05, beta = 0.8)": (momentum, {"lr": 0.05, "beta": 0.8}),
    "nesterov()": (nesterov, {}),
    "nesterov(lr = 0.05, beta = 0.8)": (nesterov, {"lr": 0.05, "beta": 0.8}),
    "adagrad()": (adagrad, {}),
    "adagrad(lr = 0.1)": (adagrad, {"lr": 0.1}),
    "rmsprop()": (rmsprop, {}),
    "rmsprop(lr = 0.02, rho = 0.9)": (rmsprop, {"lr": 0.02, "rho": 0.9}),
    "adadelta()": (adadelta, {}),
    "adadelta(lr = 20, rho = 0.95)": (adadelta, {"lr": 20.0, "rho": 0.95}),
    "adam()": (adam, {}),
    "adam(lr = 0.05)": (adam, {"lr": 0.05}),
    "adamw()": (adamw, {}),
    "adamw(lr = 0.05, decay = 0.1)": (adamw, {"lr": 0.05, "decay": 0.1}),
}


def train(weights, data, hidden, output, loss, optimizer):
    def objective(weights, rows):
        h = ACTIVATIONS[hidden](rows["x"] @ weights["dense_1.W"] + weights["dense_1.b"])
        y = ACTIVATIONS[output](h @ weights["dense_2.W"] + weights["dense_2.b"])
        return LOSSES[loss](y, rows)

    gradient = jax.jit(jax.value_and_grad(objective))
    update, configuration = OPTIMIZERS[optimizer]
    states = {path: [np.zeros_like(p), np.zeros_like(p)] for path, p in weights.items()}
    losses = []
    for step in range(STEPS):
        rows = {name: field[step * BATCH : (step + 1) * BATCH] for name, field in data.items()}
        value, gradients = gradient(weights, rows)
        losses.append(float(f"{float(value):.9g}"))
        weights = dict(weights)
        for path, g in gradients.items():
            new = update(weights[path], np.asarray(g), states[path], step + 1, **configuration)
            weights[path], states[path] = new
    return losses


def main():
    numbers = Numbers(1)
    weights, data = make_weights(numbers), make_data(numbers)
    chosen = []
    for loss in LOSSES:
        # Divided by a frequency, the gradients are some ten times as large.
        rate = "sgd()" if loss.startswith("interval") else "sgd(lr = 0.1)"
        chosen.append(("loss", "tanh", OUTPUT_OF_LOSS.get(loss, "linear"), loss, rate))
    for hidden in ACTIVATIONS:
        chosen.append(("activation", hidden, "linear", "mse(y, value)", "sgd(lr = 0.1)"))
    for optimizer in OPTIMIZERS:
        chosen.append(("optimizer", "tanh", "linear", "mse(y, value)", optimizer))
    cases = []
    for group, hidden, output, loss, optimizer in chosen:
        losses = train(weights, data, hidden, output, loss, optimizer)
        assert all(np.isfinite(losses)), (hidden, loss, optimizer)
        case = {"group": group, "hidden": hidden, "output": output, "loss": loss, "optimizer": optimizer, "losses": losses}
        cases.append(case)
    parts = {
        "steps": STEPS,
        "batch": BATCH,
        "weights": {path: p.tolist() for path, p in weights.items()},
        "data": {name: field.tolist() for name, field in data.items()},
    }
    lines = [f"{json.dumps(name)}: {json.dumps(part)}" for name, part in parts.items()]
    lines.append('"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]")
    Path(__file__).with_name("training.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
