"""Values and gradients of the layers for images and series.

Run with:  python3 -m venv VENV && VENV/bin/pip install jax && VENV/bin/python tests/oracle/images.py
It writes `images.json` beside itself, the same bytes each time.

JAX computes in float64: convolutions by `jax.lax.conv_general_dilated`, their transposes as its transpose, pools by
`jax.lax.reduce_window`. Inputs are small multiples of 1/64, so that they are the same numbers in float32.

The file is a list of cases:
  layer      as the language writes it, applied to `x` of two samples
  x, r       the input and the weights of the output's elements, each [shape, numbers in row-major order]
  params     the parameters by path, likewise
  value      the output, likewise
  gradients  of sum(value * r) with respect to `x` and to each parameter, likewise
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

jax.config.update("jax_enable_x64", True)

SAMPLES = 2


class Numbers:
    """Multiples of 1/64 from a linear congruential generator: state = 1664525 state + 1013904223 mod 2^32."""

    def __init__(self, seed):
        self.state = seed

    def array(self, shape):
        values = []
        for _ in range(int(np.prod(shape))):
            self.state = (1664525 * self.state + 1013904223) % 2**32
            values.append(((self.state >> 8) % 129 - 64) / 64)
        return jnp.array(values).reshape(shape)


def conv(x, w, stride=1, padding="VALID", dilation=1, groups=1):
    spatial = x.ndim - 2
    letters = "HW"[:spatial]
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=(stride,) * spatial,
        padding=padding,
        rhs_dilation=(dilation,) * spatial,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=groups,
    )


def conv_transpose(x, w, stride, padding):
    """The transpose of the convolution of an image of the result's shape, with the filters' channels exchanged."""
    size = w.shape[0]
    extents = [n * stride if padding == "SAME" else (n - 1) * stride + size for n in x.shape[1:-1]]
    image = jnp.zeros((x.shape[0], *extents, w.shape[-1]))
    _, back = jax.vjp(lambda image: conv(image, jnp.swapaxes(w, -1, -2), stride, padding), image)
    return back(x)[0]


def pool(x, size, stride, padding, kind):
    window, steps = (1, size, size, 1), (1, stride, stride, 1)
    if kind == "max":
        return lax.reduce_window(x, -jnp.inf, lax.max, window, steps, padding)
    total = lax.reduce_window(x, 0.0, lax.add, window, steps, padding)
    return total / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, window, steps, padding)


def group_norm(x, gamma, beta, groups):
    n, h, w, c = x.shape
    parts = x.reshape(n, h, w, groups, c // groups)
    mean = parts.mean((1, 2, 4), keepdims=True)
    variance = ((parts - mean) ** 2).mean((1, 2, 4), keepdims=True)
    return gamma * ((parts - mean) / jnp.sqrt(variance + 1e-5)).reshape(x.shape) + beta


def filters(layer, shape, function, x=(7, 6, 4), bias=True, name=None):
    """A layer with weights of that shape and a bias."""
    name = name or layer.split("(")[0] + "_1"
    params = {f"{name}.W": shape}
    if bias:
        params[f"{name}.b"] = shape[-1:]

    def apply(x, params):
        y = function(x, params[f"{name}.W"])
        return y + params[f"{name}.b"] if bias else y

    return (layer, x, params, apply)


def separable(x, params):
    path = "separable_conv2d_1."
    y = conv(x, params[path + "depthwise_conv2d_1.W"], padding="SAME", groups=4)
    return conv(y, params[path + "conv2d_1.W"]) + params[path + "conv2d_1.b"]


def pooled(layer, size, stride, padding, kind, x=(7, 6, 3)):
    return (layer, x, {}, lambda x, _: pool(x, size, stride, padding, kind))


CASES = [
    filters("conv2d(3, 3)", (3, 3, 4, 3), lambda x, w: conv(x, w)),
    filters("conv2d(5, 3, padding = same)", (3, 3, 4, 5), lambda x, w: conv(x, w, 1, "SAME")),
    filters("conv2d(3, 4, padding = same, stride = 2)", (4, 4, 4, 3), lambda x, w: conv(x, w, 2, "SAME")),
    filters("conv2d(2, 2, stride = 3)", (2, 2, 4, 2), lambda x, w: conv(x, w, 3)),
    filters("conv2d(2, 2, dilation = 3)", (2, 2, 4, 2), lambda x, w: conv(x, w, dilation=3)),
    filters("conv2d(6, 3, groups = 2, padding = same)", (3, 3, 2, 6), lambda x, w: conv(x, w, 1, "SAME", groups=2)),
    filters("conv2d(2, 6, bias = false)", (6, 6, 4, 2), lambda x, w: conv(x, w), bias=False),
    filters("conv1d(3, 3)", (3, 4, 3), lambda x, w: conv(x, w), x=(9, 4)),
    filters(
        "conv1d(4, 3, stride = 2, padding = same, groups = 2)",
        (3, 2, 4),
        lambda x, w: conv(x, w, 2, "SAME", groups=2),
        x=(9, 4),
    ),
    filters("depthwise_conv2d(3)", (3, 3, 1, 4), lambda x, w: conv(x, w, groups=4)),
    filters(
        "depthwise_conv2d(3, stride = 2, padding = same, multiplier = 2)",
        (3, 3, 1, 8),
        lambda x, w: conv(x, w, 2, "SAME", groups=4),
    ),
    (
        "separable_conv2d(3, 3, padding = same, multiplier = 2)",
        (7, 6, 4),
        {
            "separable_conv2d_1.depthwise_conv2d_1.W": (3, 3, 1, 8),
            "separable_conv2d_1.conv2d_1.W": (1, 1, 8, 3),
            "separable_conv2d_1.conv2d_1.b": (3,),
        },
        separable,
    ),
    filters("conv2d_transpose(3, 3)", (3, 3, 2, 3), lambda x, w: conv_transpose(x, w, 1, "VALID"), x=(4, 3, 2)),
    filters("conv2d_transpose(3, 3, stride = 2)", (3, 3, 2, 3), lambda x, w: conv_transpose(x, w, 2, "VALID"), x=(4, 3, 2)),
    filters(
        "conv2d_transpose(2, 4, stride = 2, padding = same)",
        (4, 4, 2, 2),
        lambda x, w: conv_transpose(x, w, 2, "SAME"),
        x=(4, 3, 2),
    ),
    filters(
        "conv2d_transpose(2, 2, stride = 3, padding = same)",
        (2, 2, 2, 2),
        lambda x, w: conv_transpose(x, w, 3, "SAME"),
        x=(4, 3, 2),
    ),
    pooled("max_pool2d", 2, 2, "VALID", "max"),
    pooled("max_pool2d(3, stride = 2, padding = same)", 3, 2, "SAME", "max"),
    pooled("max_pool2d(2, stride = 1)", 2, 1, "VALID", "max"),
    pooled("avg_pool2d", 2, 2, "VALID", "mean"),
    pooled("avg_pool2d(3, stride = 2, padding = same)", 3, 2, "SAME", "mean"),
    ("global_avg_pool", (7, 6, 3), {}, lambda x, _: x.mean((1, 2))),
    ("upsample2d(3)", (3, 2, 2), {}, lambda x, _: jnp.repeat(jnp.repeat(x, 3, 1), 3, 2)),
    (
        "group_norm(2)",
        (5, 4, 6),
        {"group_norm_1.gamma": (6,), "group_norm_1.beta": (6,)},
        lambda x, params: group_norm(x, params["group_norm_1.gamma"], params["group_norm_1.beta"], 2),
    ),
]


def numbers(array):
    array = np.asarray(array)
    return [list(array.shape), [float(f"{value:.9g}") for value in array.ravel()]]


def case(seed, layer, shape, params, function):
    source = Numbers(seed)
    x = source.array((SAMPLES, *shape))
    if "max_pool" in layer:
        # No two elements are equal.
        x = x + jnp.arange(x.size).reshape(x.shape) / 4096
    params = {path: source.array(shape) for path, shape in params.items()}
    value = function(x, params)
    r = source.array(value.shape)
    of_x, of_params = jax.grad(lambda x, params: jnp.sum(function(x, params) * r), (0, 1))(x, params)
    return {
        "layer": layer,
        "x": numbers(x),
        "r": numbers(r),
        "params": {path: numbers(value) for path, value in params.items()},
        "value": numbers(value),
        "gradients": {"x": numbers(of_x)} | {path: numbers(value) for path, value in of_params.items()},
    }


def main():
    cases = [case(seed, *arguments) for seed, arguments in enumerate(CASES)]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (Path(__file__).parent / "images.json").write_text(f"[\n{lines}\n]\n")


main()
