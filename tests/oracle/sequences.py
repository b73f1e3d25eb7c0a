"""Values and gradients of the layers over sequences and of the losses of pairs, by JAX.

Run with:  python3 -m venv VENV && VENV/bin/pip install jax && VENV/bin/python tests/oracle/sequences.py
It writes `sequences.json` beside itself, the same bytes each time.

JAX differentiates, in float64; the formulas are written out below, from the papers that the layers name. A compiled program
works in float32: it agrees to 1e-5 of the largest value.

Numbers are small multiples of 1/64, so that they are the same in float32. A batch is four samples. The fields of a sample:
  x       [5, 3]   numbers
  labels  [5]      categories 0, 1 or 2
  a, b, c [4]      numbers
  same             0 or 1
  target           of the shape of the model's output `y`, where the loss is `mse(y, target)`
The file is a list of cases, each with
  output, body, loss   the type of `y`, the model and the loss as the language writes them
  params               the initial parameters in the order of their declaration
  target               the targets
  y                    the outputs, [4, ...]
  value                the loss, the mean over the samples
  d_params, d_x        its gradients; no d_x where the model does not read x
and, first, the fields of the batch.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

jax.config.update("jax_enable_x64", True)

BATCH, STEPS, FEATURES, CLASSES, WIDTH = 4, 5, 3, 3, 4


class Numbers:
    """Multiples of 1/64 from a linear congruential generator: state = 1664525 state + 1013904223 mod 2^32."""

    def __init__(self, seed):
        self.state = seed

    def next(self, below):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) % below

    def array(self, shape, low=-1, high=1):
        count = (high - low) * 64 + 1
        values = [low + self.next(count) / 64 for _ in range(int(np.prod(shape)))]
        return np.array(values).reshape(shape)


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


def softmax(x):
    e = jnp.exp(x - x.max())
    return e / e.sum()


def rnn(p, x):
    wx, wh, b = p
    h, states = jnp.zeros(wh.shape[0]), []
    for step in x:
        h = jnp.tanh(step @ wx + h @ wh + b)
        states.append(h)
    return jnp.stack(states)


def gru(p, x):
    wx, wh, bx, bh = p
    n = wh.shape[0]
    h, states = jnp.zeros(n), []
    for step in x:
        a, s = step @ wx + bx, h @ wh + bh
        z, r = sigmoid(a[:n] + s[:n]), sigmoid(a[n : 2 * n] + s[n : 2 * n])
        h = z * h + (1 - z) * jnp.tanh(a[2 * n :] + r * s[2 * n :])
        states.append(h)
    return jnp.stack(states)


def lstm(p, x, forget_bias=1.0):
    wx, wh, b = p
    n = wh.shape[0]
    h, c, states = jnp.zeros(n), jnp.zeros(n), []
    for step in x:
        i, f, g, o = jnp.split(step @ wx + h @ wh + b, 4)
        c = sigmoid(f + forget_bias) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        states.append(h)
    return jnp.stack(states)


def bidirectional(p, x):
    return jnp.concatenate([lstm(p[:3], x), lstm(p[3:], x[::-1])[::-1]], axis=1)


def attention(q, k, v, causal=False):
    scores = q @ k.T / np.sqrt(q.shape[1])
    if causal:
        scores = jnp.where(np.tril(np.ones(scores.shape)) > 0, scores, -1e9)
    return jnp.stack([softmax(row) for row in scores]) @ v


def multi_head(p, x, heads, causal=False):
    wq, wk, wv, wo, bo = p
    width = x.shape[1] // heads
    parts = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        parts.append(attention((x @ wq)[:, own], (x @ wk)[:, own], (x @ wv)[:, own], causal))
    return jnp.concatenate(parts, axis=1) @ wo + bo


def layer_norm(gamma, beta, x):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / jnp.sqrt(var + 1e-5) + beta


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def block(p, x, heads, causal):
    a = x + multi_head(p[2:7], layer_norm(p[0], p[1], x), heads, causal)
    return a + gelu(layer_norm(p[7], p[8], a) @ p[9] + p[10]) @ p[11] + p[12]


def recurrent(gates, inputs, units):
    return [(inputs, gates * units), (units, gates * units), (gates * units,)]


ATTENTION = [(WIDTH, WIDTH)] * 4 + [(WIDTH,)]
BLOCK = [(WIDTH,)] * 2 + ATTENTION + [(WIDTH,)] * 2 + [(WIDTH, 2 * WIDTH), (2 * WIDTH,), (2 * WIDTH, WIDTH), (WIDTH,)]
GRU = recurrent(3, FEATURES, WIDTH) + [(3 * WIDTH,)]
LSTM = recurrent(4, FEATURES, WIDTH)
LIFT = [(FEATURES, WIDTH), (WIDTH,)]
TOWER = [(4, 3), (3,)]


def tower(p, s):
    return jnp.concatenate([jnp.tanh(s[name] @ p[0] + p[1]) for name in "abc"])


def mse(y, s):
    return jnp.mean((y - s["target"]) ** 2)


def steps(y, s):
    return -jnp.mean(jnp.log(y)[jnp.arange(STEPS), s["labels"]])


def dice(y, s):
    t = jnp.eye(CLASSES)[s["labels"]]
    return 1 - (2 * jnp.sum(y * t) + 1) / (jnp.sum(y) + jnp.sum(t) + 1)


def triplet(y, s):
    return jnp.maximum(jnp.sum((y[:3] - y[3:6]) ** 2) - jnp.sum((y[:3] - y[6:]) ** 2) + 1, 0)


def contrastive(y, s):
    square = jnp.sum((y[:3] - y[3:6]) ** 2)
    apart = jnp.maximum(1.5 - jnp.sqrt(square + 1e-12), 0)
    return s["same"] * square + (1 - s["same"]) * apart**2


TOWERS = "let tower = dense(3) |> tanh\n  concat(tower(a), tower(b), tower(c))"
CASES = [
    # Output, body, loss, shapes of the parameters, the model, the loss.
    ([5, 4], "x |> rnn(4)", "mse(y, target)", recurrent(1, FEATURES, WIDTH), lambda p, s: rnn(p, s["x"]), mse),
    ([5, 4], "x |> gru(4)", "mse(y, target)", GRU, lambda p, s: gru(p, s["x"]), mse),
    ([5, 4], "x |> lstm(4)", "mse(y, target)", LSTM, lambda p, s: lstm(p, s["x"]), mse),
    ([4], "x |> lstm(4, forget_bias = 0) |> last", "mse(y, target)", LSTM, lambda p, s: lstm(p, s["x"], 0)[-1], mse),
    ([5, 8], "x |> bidirectional(lstm(4))", "mse(y, target)", 2 * LSTM, lambda p, s: bidirectional(p, s["x"]), mse),
    ([5, 4], "labels |> embedding(4)", "mse(y, target)", [(CLASSES, 4)], lambda p, s: p[0][s["labels"]], mse),
    ([5, 3], "x |> positional", "mse(y, target)", [(5, 3)], lambda p, s: s["x"] + p[0], mse),
    ([5, 3], "attention(x, x, x)", "mse(y, target)", [], lambda p, s: attention(s["x"], s["x"], s["x"]), mse),
    (
        [5, 3],
        "attention(causal = true)(x, x, x)",
        "mse(y, target)",
        [],
        lambda p, s: attention(s["x"], s["x"], s["x"], True),
        mse,
    ),
    (
        [5, 4],
        "x |> each dense(4) |> multi_head_attention(2)",
        "mse(y, target)",
        LIFT + ATTENTION,
        lambda p, s: multi_head(p[2:], s["x"] @ p[0] + p[1], 2),
        mse,
    ),
    (
        [5, 4],
        "x |> each dense(4) |> transformer_block(2, ratio = 2, causal = true)",
        "mse(y, target)",
        LIFT + BLOCK,
        lambda p, s: block(p[2:], s["x"] @ p[0] + p[1], 2, True),
        mse,
    ),
    (
        [5, 3],
        "x |> residual(each dense(3))",
        "mse(y, target)",
        [(3, 3), (3,)],
        lambda p, s: s["x"] + s["x"] @ p[0] + p[1],
        mse,
    ),
    (
        [5, 3],
        "x |> rnn(3) |> each softmax",
        "mean(each cross_entropy(y, labels))",
        recurrent(1, FEATURES, 3),
        lambda p, s: jax.vmap(softmax)(rnn(p, s["x"])),
        steps,
    ),
    (
        [5, 3],
        "x |> each dense(3) |> sigmoid",
        "dice(y, each one_hot(labels))",
        [(3, 3), (3,)],
        lambda p, s: sigmoid(s["x"] @ p[0] + p[1]),
        dice,
    ),
    ([9], TOWERS, "triplet(y[0..3], y[3..6], y[6..9])", TOWER, tower, triplet),
    ([9], TOWERS, "contrastive(1.5)(y[0..3], y[3..6], same)", TOWER, tower, contrastive),
]


def main():
    numbers = Numbers(1)
    fields = {
        "x": numbers.array((BATCH, STEPS, FEATURES)),
        "labels": np.array([numbers.next(CLASSES) for _ in range(BATCH * STEPS)]).reshape(BATCH, STEPS),
        "a": numbers.array((BATCH, 4)),
        "b": numbers.array((BATCH, 4)),
        "c": numbers.array((BATCH, 4)),
        "same": np.array([0.0, 1.0, 0.0, 1.0]),
    }
    lines = [json.dumps({name: field.tolist() for name, field in fields.items()})]
    for output, body, loss, shapes, model, objective in CASES:
        params = [jnp.asarray(numbers.array(shape)) for shape in shapes]
        target = numbers.array((BATCH, *output))
        batch = {**fields, "target": target}

        def mean(params, x):
            samples = {**batch, "x": x}
            return jnp.mean(jax.vmap(lambda s: objective(model(params, s), s))(samples))

        y = jax.vmap(lambda s: model(params, s))(batch)
        value, (d_params, d_x) = jax.value_and_grad(mean, argnums=(0, 1))(params, batch["x"])
        case = {"output": output, "body": body, "loss": loss, "params": [p.tolist() for p in params]}
        case.update({"target": target.tolist(), "y": y.tolist(), "value": float(value)})
        case["d_params"] = [np.asarray(d).tolist() for d in d_params]
        if "x |>" in body or "(x, x, x)" in body:
            case["d_x"] = d_x.tolist()
        lines.append(json.dumps(case))
    Path(__file__).with_name("sequences.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
