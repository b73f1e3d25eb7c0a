"""Time of one training step in JAX, for the comparison that benches/step.rs prints.

Setup: `pip install jax` in any Python 3.10 or later. Run by the benchmark where NNC_BENCH_PYTHON names that Python; on
its own, `python benches/jax_step.py` prints a JSON object from network to seconds per step. Each network is a jitted
step of Adam with donated buffers, as a user of JAX would write it; the first steps are not counted.
"""

import functools
import json
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp

NETWORKS = [
    ("2-10-1", [2, 10, 1], 32, "mse"),
    ("30-64-64-1", [30, 64, 64, 1], 64, "mse"),
    ("784-512-512-10", [784, 512, 512, 10], 128, "cross_entropy"),
    ("1024-4096-4096-1024", [1024, 4096, 4096, 1024], 256, "mse"),
]


def initial(sizes, key):
    params = []
    for n, units in zip(sizes, sizes[1:]):
        key, use = jax.random.split(key)
        limit = (6 / (n + units)) ** 0.5
        params.append((jax.random.uniform(use, (n, units), minval=-limit, maxval=limit), jnp.zeros(units)))
    return params


def loss_of(kind, params, x, y):
    for weights, bias in params[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    z = x @ params[-1][0] + params[-1][1]
    if kind == "mse":
        return jnp.mean((z - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1))


@functools.partial(jax.jit, static_argnums=0, donate_argnums=(1, 2, 3))
def step(kind, params, mean, square, count, x, y):
    loss, grads = jax.value_and_grad(functools.partial(loss_of, kind))(params, x, y)
    b1, b2 = 0.9, 0.999
    mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mean, grads)
    square = jax.tree.map(lambda s, g: b2 * s + (1 - b2) * g * g, square, grads)
    update = lambda p, m, s: p - 0.001 * (m / (1 - b1**count)) / (jnp.sqrt(s / (1 - b2**count)) + 1e-8)
    return loss, jax.tree.map(update, params, mean, square), mean, square


def measure(sizes, batch, kind):
    key = jax.random.key(0)
    params = initial(sizes, key)
    mean = jax.tree.map(jnp.zeros_like, params)
    square = jax.tree.map(jnp.zeros_like, params)
    x = jax.random.uniform(key, (batch, sizes[0]))
    y = jax.random.uniform(key, (batch, sizes[-1])) if kind == "mse" else jnp.arange(batch) % sizes[-1]
    best, count, begun = float("inf"), 0, time.perf_counter()
    flops = 6 * batch * sum(n * m for n, m in zip(sizes, sizes[1:]))
    round_steps = max(1, min(2000, int(3e9 / flops)))
    while time.perf_counter() - begun < 3.0 or count < 3 * round_steps:
        start = time.perf_counter()
        for _ in range(round_steps):
            count += 1
            loss, params, mean, square = step(kind, params, mean, square, float(count), x, y)
        loss.block_until_ready()
        if count > round_steps:
            best = min(best, (time.perf_counter() - start) / round_steps)
    return best


print(json.dumps({name: measure(sizes, batch, kind) for name, sizes, batch, kind in NETWORKS}))
