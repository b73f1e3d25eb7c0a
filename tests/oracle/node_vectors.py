"""The test vectors of ONNX's operators, as far as the language has them.

Run with:  python3 -m venv VENV && VENV/bin/pip install onnx==1.22.0 torch && VENV/bin/python tests/oracle/node_vectors.py
It writes `node_vectors.json` beside itself, the same bytes each time, in the form that `cases.py` describes (which is what needs
torch), without gradients; and prints what it leaves out, and why.

The vectors are those of ONNX 1.22.0, which it computes with NumPy in float32 from its own definitions of the operators. Here they
are put into the language's layout: channels last, `[h, w, c_in, c_out]` for filters, the gates of recurrent layers in its order,
their matrices transposed. Where an operator works on each sample, row or channel by itself, these become the samples of a batch.

What the language has otherwise:
  recurrent layers  start from 0, all sequences have one length, both biases are one (but for a GRU), and there are no peepholes.
  Conv, MaxPool ... `padding` is the same at both ends of an axis. Uneven padding is put around beforehand by `pad` or, where that
                    comes to the same, by `same`. What `conv_transpose` cuts off unevenly is sliced off. Pools have no dilation.
  losses            ignored categories have the weight 0; negative ones do not exist.
  optimizers        start at step 1. ONNX leaves out the corrections of Adam at step 0: they are those of a step far away.
                    `norm_coefficient` is the penalty `l2` of half of it.
A case of an optimizer is a program with a run: `rate` and `step` go into its training step, `next` holds parameters and states, those
of the optimizer as `PATH:STATE`.
"""

import sys
from collections import Counter

import numpy as np
import onnx
from cases import write
from onnx.backend.test.case.node import collect_testcases

# No more numbers than this in a case.
LARGEST = 1700


class Left(Exception):
    """Why a case is left out."""


def need(holds, why):
    if not holds:
        raise Left(why)


class Node:
    """One operator with its inputs and outputs by name."""

    def __init__(self, case):
        (node,) = case.model.graph.node
        inputs, outputs = case.data_sets[0]
        self.op = node.op_type
        self.attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        self.inputs = dict(zip([name for name in node.input if name], map(np.asarray, inputs)))
        self.outputs = dict(zip([name for name in node.output if name], map(np.asarray, outputs)))
        # By place: None where the operator leaves it out.
        self.given = [self.inputs.get(name) for name in node.input]
        self.found = [self.outputs.get(name) for name in node.output]
        self.taken = set()

    def get(self, name, default=None):
        self.taken.add(name)
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def input(self, place):
        return self.given[place] if place < len(self.given) else None


def extents(shape):
    return "[" + ", ".join(map(str, shape)) + "]"


def model(body, inputs, outputs, classes=None, before="", training=False, **kept):
    """A case: arrays of samples for the inputs and the outputs, parameters and states by path. `classes` says how many there are in
    an input or an output that is one."""
    classes = classes or {}

    def type_of(name, value):
        shape = extents(value.shape[1:])
        return f"class({classes[name]})" + (shape if value.ndim > 1 else "") if name in classes else shape

    def signature(arrays):
        return ", ".join(f"{name}: {type_of(name, value)}" for name, value in arrays.items())

    result = signature(outputs)
    text = f"model M({signature(inputs)}) -> {result if len(outputs) == 1 else f'({result})'} {{ {body} }}\n"
    given = inputs | kept.get("params", {}) | kept.get("states", {})
    case = {"model": before + text, "training": training, "given": given, "values": outputs}
    return case | ({"next": kept["next"]} if "next" in kept else {})


def one(value):
    """The only sample of a batch."""
    return np.asarray(value)[None]


def last(value):
    """The channels at the end."""
    return np.moveaxis(value, 1, -1)


# Functions of each element and of a vector.

LONGEST = 60


def elementwise(body):
    def case(node):
        body_of = body(node) if callable(body) else body
        values = [np.broadcast_to(value, node.found[0].shape).ravel()[:LONGEST] for value in node.given]
        names = dict(zip("xyz", map(one, values)))
        return model(body_of, names, {"result": one(node.found[0].ravel()[:LONGEST])})

    return case


def gelu(node):
    need(node.get("approximate", "none") == "none", "the form with tanh")
    return "x |> gelu"


def selu(node):
    need(not (node.get("alpha") or node.get("gamma")), "selu has no configuration")
    return "x |> selu"


def clip(node):
    low, high = node.input(1), node.input(2)
    need(low is not None and high is not None and low <= high, "clamp has both bounds, in order")
    node.given = node.given[:1]
    return f"clamp(x, {low}, {high})"


def swish(node):
    need(node.get("alpha", 1.0) == 1.0, "silu has no factor")
    return "x |> silu"


def modulo(node):
    need(node.get("fmod", 0) == 0, "the remainder has the sign of the divisor")
    return "x % y"


def rows(body):
    """Of the vectors along an axis."""

    def case(node):
        axis = node.get("axis", -1)

        def vectors(value):
            moved = np.moveaxis(value, axis, -1)
            return moved.reshape(-1, moved.shape[-1])

        return model(body, {"x": vectors(node.given[0])}, {"y": vectors(node.found[0])})

    return case


# Products.


def product(node):
    a, b = node.given
    need(a.ndim == b.ndim and a.shape[:-2] == b.shape[:-2] or max(a.ndim, b.ndim) <= 2, "leading axes do not stretch")
    return model("a @ b", {"a": one(a), "b": one(b)}, {"y": one(node.found[0])})


def gemm(node):
    a, b = ("transpose(a)" if node.get("transA", 0) else "a"), ("transpose(b)" if node.get("transB", 0) else "b")
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    inputs = {"a": one(node.given[0]), "b": one(node.given[1])}
    body = f"{alpha:.7g} * ({a} @ {b})"
    if node.input(2) is not None:
        c = node.given[2]
        # An axis of size 1 does not stretch; what ends the shape does.
        c = c.reshape([n for n in c.shape if n != 1])
        need(c.shape == node.found[0].shape[2 - c.ndim :], "an axis in the middle does not stretch")
        inputs["c"] = one(c)
        body += f" + {beta:.7g} * c"
    return model(body, inputs, {"y": one(node.found[0])})


def attention(node):
    q, k, v = node.given[:3]
    causal = "(causal = true)" if node.get("is_causal", 0) else ""
    need(len(node.given) == 3 and len(node.found) == 1, "masks, past keys and scores")
    of_q, of_k = (node.get("q_num_heads"), node.get("kv_num_heads")) if q.ndim == 3 else (q.shape[1], k.shape[1])
    need(of_q == of_k, "heads that share keys")
    y, heads = node.found[0], of_q
    if q.ndim == 3:
        # [batch, step, head * width] to [batch, head, step, width].
        q, k, v, y = (x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2) for x in (q, k, v, y))
    # The first sample will do.
    return model(f"each attention{causal}(q, k, v)", {"q": q[:1], "k": k[:1], "v": v[:1]}, {"y": y[:1]})


# Windows.


def spatial(node, size):
    """The padding in front of and behind each spatial axis, or `same`."""
    rank = len(size)
    strides, dilations = node.get("strides", [1] * rank), node.get("dilations", [1] * rank)
    kind, pads = node.get("auto_pad", "NOTSET"), node.get("pads", [0] * 2 * rank)
    shape = node.given[0].shape[2:]
    missing = []
    for n, k, stride, dilation in zip(shape, size, strides, dilations):
        missing.append(max((-(-n // stride) - 1) * stride + (k - 1) * dilation + 1 - n, 0))
    same = [(m // 2, m - m // 2) for m in missing]
    around = list(zip(pads[:rank], pads[rank:]))
    if kind == "SAME_UPPER":
        around = same
    elif kind == "SAME_LOWER":
        around = [(m - m // 2, m // 2) for m in missing]
    elif node.get("ceil_mode", 0):
        # What the last window lacks stands behind, unless it lies outside altogether.
        for axis, (n, k, stride, dilation) in enumerate(zip(shape, size, strides, dilations)):
            covered = (node.found[0].shape[2 + axis] - 1) * stride + (k - 1) * dilation + 1
            around[axis] = (around[axis][0], max(around[axis][1], covered - n - around[axis][0]))
    return strides, dilations, around, around == same


def padding(around, same, what):
    """As an argument."""
    if not any(map(any, around)):
        return "valid"
    if same:
        return "same"
    need(all(before == behind for before, behind in around), f"{what} with uneven padding")
    return str([before for before, _ in around])


def listed(numbers):
    """As an argument that takes a number for equal ones."""
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


def padded(around):
    return f"pad(x, {[list(ends) for ends in around] + [[0, 0]]})"


def conv(node):
    x, w = node.given[:2]
    groups = node.get("group", 1)
    strides, dilations, around, same = spatial(node, w.shape[2:])
    filters = np.moveaxis(w, (0, 1), (-1, -2))
    need(node.input(2) is None, "a bias is not among the vectors")
    options = f"stride = {listed(strides)}, dilation = {listed(dilations)}, groups = {groups}"
    if w.ndim == 4:
        call = f"conv2d({w.shape[0]}, {listed(w.shape[2:])}, {options}, bias = false"
        even = same or all(before == behind for before, behind in around)
        body = f"x |> {call}, padding = {padding(around, same, 'conv2d')})" if even else f"{padded(around)} |> {call})"
        params = {"conv2d_1.W": filters}
    else:
        options += f", padding = {padding(around, same, 'conv')}"
        params, body = {"W": filters}, f"param W: {extents(filters.shape)} = zeros\n conv(x, W, {options})"
    return model(body, {"x": last(x)}, {"y": last(node.found[0])}, params=params)


def conv_transpose(node):
    x, w = node.given[:2]
    rank, groups = w.ndim - 2, node.get("group", 1)
    strides, dilations = node.get("strides", [1] * rank), node.get("dilations", [1] * rank)
    pads, kind = node.get("pads"), node.get("auto_pad", "NOTSET")
    node.get("kernel_shape"), node.get("output_shape"), node.get("output_padding")
    y = node.found[0]
    whole = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[2:], strides, w.shape[2:], dilations)]
    # Cut off in front as ONNX says; behind, what is left over is cut off or is 0.
    front = pads[:rank] if pads else [0] * rank
    if kind != "NOTSET":
        front = [max(all_of - n, 0) // 2 for all_of, n in zip(whole, y.shape[2:])]
    behind = [n + cut - all_of for n, cut, all_of in zip(y.shape[2:], front, whole)]
    options = f"stride = {listed(strides)}, dilation = {listed(dilations)}"
    even = all(cut + more == 0 for cut, more in zip(front, behind))
    if even:
        options += f", padding = {padding(list(zip(front, front)), False, 'conv_transpose')}"
    filters = np.moveaxis(w, (0, 1), (-2, -1))
    params, inputs = {}, {"x": last(x)}
    if groups == 1:
        if rank == 2 and set(dilations) == {1}:
            options = options.replace("dilation = 1", "bias = false")
            layer = f"conv2d_transpose({w.shape[1]}, {listed(w.shape[2:])}, {options})"
            body, params["conv2d_transpose_1.W"] = f"x |> {layer}", filters
        else:
            body, params["W"] = f"conv_transpose(x, W, {options})", filters
    else:
        parts = np.split(filters, groups, axis=-2)
        params = {f"W{i}": part for i, part in enumerate(parts)}
        names = ", ".join(f"x{i}" for i in range(groups))
        calls = [f"conv_transpose(x{i}, W{i}, {options})" for i in range(groups)]
        body = f"let ({names}) = split(x, {groups})\n concat({', '.join(calls)})"
    declared = "".join(f"param {path}: {extents(p.shape)} = zeros\n " for path, p in params.items() if "." not in path)
    if even:
        return model(declared + body, inputs, {"y": last(y)}, params=params)
    *lines, result = body.split("\n ")
    whole_padded = "whole"
    if any(n > 0 for n in behind):
        whole_padded = f"pad(whole, {[[0, max(n, 0)] for n in behind] + [[0, 0]]})"
    cuts = ", ".join(f"{cut}..{cut + n}" for cut, n in zip(front, y.shape[2:]))
    body = declared + "\n ".join([*lines, f"let whole = {result}", f"{whole_padded}[{cuts}]"])
    return model(body, inputs, {"y": last(y)}, params=params)


def pool(name):
    def case(node):
        size = node.get("kernel_shape")
        strides, dilations, around, same = spatial(node, size)
        need(set(dilations) == {1}, "pools have no dilation")
        need(len(node.found) == 1 and node.given[0].dtype == np.float32, "places of the largest, or no float32")
        # A channel by itself; the first will do.
        x, y = node.given[0][:, :1], node.found[0][:, :1]
        source, options = "x", f"{listed(size)}, stride = {listed(strides)}"
        if name == "avg_pool" and node.get("count_include_pad", 0) and any(map(any, around)):
            need(not node.get("ceil_mode", 0), "windows that reach over counted padding")
            source = padded(around)
        else:
            options += f", padding = {padding(around, same, name)}"
        node.get("storage_order")
        call = f"{name}({source}, {options})"
        if len(size) == 2:
            call = f"{source} |> {name}2d({options})"
        return model(call, {"x": last(x)}, {"y": last(y)})

    return case


def over_image(body):
    return lambda node: model(body, {"x": last(node.given[0])}, {"y": node.found[0].reshape(node.found[0].shape[:2])})


def upsample(node):
    x, y = node.given[0], node.found[0]
    need(node.get("mode", "nearest") == "nearest" and x.ndim == 4, "other ways than `nearest`")
    for kind in ("coordinate_transformation_mode", "nearest_mode", "keep_aspect_ratio_policy", "axes", "cubic_coeff_a"):
        node.get(kind)
    factors = [b / a for a, b in zip(x.shape, y.shape)]
    need(factors[:2] == [1, 1] and all(f == int(f) for f in factors), "only whole factors")
    factors = list(map(int, factors[2:]))
    need(np.array_equal(y, x.repeat(factors[0], 2).repeat(factors[1], 3)), "pixels that are not repeated evenly")
    return model(f"upsample(x, {factors})", {"x": last(x)}, {"y": last(y)})


# Normalisations.


def eps(node):
    return f"eps = {np.float32(node.get('epsilon', 1e-5)):.7g}"


def batch_norm(node):
    x, scale, bias, mean, var = node.given
    training = bool(node.get("training_mode", 0))
    paths = ["gamma", "beta", "running_mean", "running_var"]
    given = dict(zip([f"batch_norm_1.{path}" for path in paths], [scale, bias, mean, var]))
    after = {f"batch_norm_1.{path}": value for path, value in zip(paths[2:], node.found[1:])}
    call = f"x |> batch_norm(momentum = {node.get('momentum', 0.9):.7g}, {eps(node)})"
    kept = {"params": given} | ({"next": after} if training else {})
    return model(call, {"x": last(x)}, {"y": last(node.found[0])}, training=training, **kept)


def layer_norm(node):
    x, scale, bias = node.given
    axis = node.get("axis", -1)
    # The same arrays again, with the axis counted from the end.
    need(axis == -1 or axis >= 0, "a case twice")
    n = int(np.prod(x.shape[axis:]))
    params = {"layer_norm_1.gamma": scale.ravel(), "layer_norm_1.beta": bias.ravel()}
    y = node.found[0].reshape(-1, n)
    return model(f"x |> layer_norm({eps(node)})", {"x": x.reshape(-1, n)}, {"y": y}, params=params)


def group_norm(node):
    x, scale, bias = node.given
    groups = node.get("num_groups", x.shape[1])
    params = {"group_norm_1.gamma": scale, "group_norm_1.beta": bias}
    return model(f"x |> group_norm({groups}, {eps(node)})", {"x": last(x)}, {"y": last(node.found[0])}, params=params)


# Recurrent layers.


def recurrent(layer, gates, order, options=""):
    """`order`: the places of the language's gates among ONNX's."""

    def case(node):
        x, w, r = node.given[:3]
        need(len(node.given) <= 4 and w.shape[0] == 1, "lengths, starts, peepholes and directions of one's own")
        units = node.get("hidden_size")
        states, final = (node.found + [None])[:2]
        if node.get("layout", 0):
            # [batch, step, direction, unit] and [batch, direction, unit].
            states, final = states[:, :, 0], final[:, 0]
        else:
            x = x.swapaxes(0, 1)
            final = final[0]
            need(states is None, "all states in another layout")

        def ordered(value):
            parts = np.split(value, gates)
            return np.concatenate([parts[place] for place in order])

        b = node.input(3)
        b = np.zeros((2, gates * units), np.float32) if b is None else b[0].reshape(2, -1)
        before, behind = ordered(b[0]), ordered(b[1])
        biases = {"bx": before, "bh": behind} if layer == "gru" else {"b": before + behind}
        matrices = {"Wx": ordered(w[0]).T, "Wh": ordered(r[0]).T}
        params = {f"{layer}_1.{name}": value for name, value in (matrices | biases).items()}
        arguments = f"{units}{options}"
        if layer == "gru" and not node.get("linear_before_reset", 0):
            arguments += ", reset_after = false"
        outputs = {"final": final} if states is None else {"states": states, "final": final}
        value = "h[-1]" if states is None else "(h, h[-1])"
        return model(f"let h = x |> {layer}({arguments})\n {value}", {"x": x}, outputs, params=params)

    return case


# Losses.


def loss(rowwise, before=""):
    """`rowwise`: what each row x with the category t loses."""

    def case(node):
        x, t = node.given[:2]
        classes, reduction, ignored = x.shape[1], node.get("reduction", "mean"), node.get("ignore_index")
        need((t >= 0).all() and (t < classes).all(), "categories that do not exist")
        x, t = np.moveaxis(x, 1, -1).reshape(-1, classes), t.ravel()
        weight = node.input(2)
        if ignored is not None and 0 <= ignored < classes:
            weight = np.ones(classes, np.float32) if weight is None else weight.copy()
            weight[ignored] = 0
        inputs, names = {"x": one(x), "t": one(t)}, {"t": classes}
        body = f"let errors = each {rowwise}(x, t)\n "
        total, count = "sum(errors)", str(len(t))
        each_error = "errors"
        if weight is not None:
            inputs["w"] = one(weight)
            body += "let share = one_hot(t) @ w\n "
            each_error, total, count = "errors * share", "sum(errors * share)", "sum(share)"
        value = {"none": each_error, "sum": total, "mean": f"{total} / {count}"}[reduction]
        y = node.found[0]
        outputs = {"y": one(y.ravel() if reduction == "none" else y)}
        if len(node.found) > 1:
            outputs["logs"] = one(np.moveaxis(node.found[1], 1, -1).reshape(-1, classes))
            value = f"({value}, log(each softmax(x)))"
        return model(body + value, inputs, outputs, names, before)

    return case


NEGATIVE = "fn negative(x: [k], t: class(k)) = -sum(one_hot(t) * x)\n"
CROSS = "fn crossed(x: [k], t: class(k)) = cross_entropy(softmax(x), t)\n"


# Optimizers: a loss whose gradient is what the vector gives.


def optimizer(call, states):
    def case(node):
        names = {"r": node.given[0], "t": node.given[1]}
        need(int(names["t"]) == 0, "steps after the first")
        count = (len(node.given) - 2) // (2 + len(states))
        parts = [node.given[2 + i * count : 2 + (i + 1) * count] for i in range(2 + len(states))]
        after = [node.found[i * count : (i + 1) * count] for i in range(1 + len(states))]
        params = {f"w{i}": value for i, value in enumerate(parts[0])}
        slopes = {f"g{i}": one(value) for i, value in enumerate(parts[1])}
        given = params | slopes
        following = {f"w{i}": value for i, value in enumerate(after[0])}
        for part, new, state in zip(parts[2:], after[1:], states):
            given |= {f"w{i}:{state}": value for i, value in enumerate(part)}
            following |= {f"w{i}:{state}": value for i, value in enumerate(new)}
        fields = "".join(f"  {name}: {extents(g.shape[1:])} = zeros({extents(g.shape[1:])})\n" for name, g in slopes.items())
        inputs = ", ".join(f"{name}: {extents(g.shape[1:])}" for name, g in slopes.items())
        declared = "".join(f"  param {name}: {extents(w.shape)} = zeros\n" for name, w in params.items())
        total = " + ".join(f"sum(w{i} * g{i})" for i in range(count))
        norm = node.get("norm_coefficient", 0.0)
        node.get("decay_factor"), node.get("mode"), node.get("norm_coefficient_post")
        text = (
            f"data D {{\n  source = generate(4)\n{fields}}}\n"
            f"model M({inputs}) -> y: [] {{\n{declared}  {total}\n}}\n"
            f"train M on D {{\n  loss = y\n  optimizer = {call(node)}\n  penalty = l2({norm / 2:.7g}) on \"*\"\n  batch = 1\n}}\n"
        )
        return {
            "model": text,
            "training": True,
            "rate": float(f"{float(names['r']):.9g}"),
            # ONNX does not correct Adam's averages at step 0.
            "step": 1_000_000,
            "given": given,
            "values": {},
            "next": following,
        }

    return case


def momentum(node):
    alpha = node.get("alpha")
    node.get("beta")
    return f"{'nesterov' if node.get('mode') == 'nesterov' else 'momentum'}(beta = {alpha:.7g})"


def adam(node):
    return f"adam(beta1 = {node.get('alpha'):.7g}, beta2 = {node.get('beta'):.7g}, eps = {node.get('epsilon'):.7g})"


# Shapes and categories.


def gather(node):
    data, indices = node.given
    axis = node.get("axis", 0)
    k = data.shape[axis]
    table = np.moveaxis(data, axis, 0)
    # Those of the indices come first here, at the axis there.
    y = np.moveaxis(node.found[0], range(axis, axis + indices.ndim), range(indices.ndim))
    tokens = np.where(indices < 0, indices + k, indices)
    return model("E[t]", {"E": one(table), "t": one(tokens)}, {"y": one(y)}, {"t": k})


def pad(node):
    x, pads = node.given[:2]
    need(node.get("mode", "constant") == "constant", "only zeros around")
    axes = node.input(3)
    axes = range(x.ndim) if axes is None else axes % x.ndim
    around = [[0, 0] for _ in range(x.ndim)]
    for place, axis in enumerate(axes):
        around[axis] = [int(pads[place]), int(pads[place + len(pads) // 2])]
    value = node.input(2)
    value = 0.0 if value is None else float(value)
    # Zeros around what is that much smaller.
    body = f"pad(x - {value:.7g}, {around}) + {value:.7g}" if value else f"pad(x, {around})"
    return model(body, {"x": one(x)}, {"y": one(node.found[0])})


def slices(node):
    x, starts, ends = node.given[:3]
    axes, steps = node.input(3), node.input(4)
    axes = range(len(starts)) if axes is None else axes % x.ndim
    need(steps is None or (steps == 1).all(), "slices with steps")
    need(node.found[0].size, "no elements")
    body = "x"
    for axis, start, end in zip(axes, starts, ends):
        n = x.shape[axis]
        start, end = (int(np.clip(place + n if place < 0 else place, 0, n)) for place in (start, end))
        body = f"slice({body}, {start}, {end}, axis = {axis})"
    return model(body, {"x": one(x)}, {"y": one(node.found[0])})


def concat(node):
    names = dict(zip("abcdef", map(one, node.given)))
    return model(f"concat({', '.join(names)}, axis = {node.get('axis')})", names, {"y": one(node.found[0])})


def split(node):
    x, axis = node.given[0], node.get("axis", 0)
    node.get("num_outputs")
    need(all(part.size for part in node.found), "no elements")
    parts = [part.shape[axis] for part in node.found]
    outputs = {f"y{i}": one(part) for i, part in enumerate(node.found)}
    count = len(parts) if len(set(parts)) == 1 else parts
    names = ", ".join(outputs)
    return model(f"let ({names}) = split(x, {count}, axis = {axis})\n ({names})", {"x": one(x)}, outputs)


def transpose(node):
    perm = node.get("perm")
    axes = "" if perm is None else f", {list(perm)}"
    return model(f"transpose(x{axes})", {"x": one(node.given[0])}, {"y": one(node.found[0])})


def reduction(form):
    """`form`: the body, with AXES for the axes."""

    def case(node):
        x = node.given[0]
        axes = node.input(1)
        axes = node.get("axes") if axes is None else axes
        if axes is None or not len(axes):
            need(not node.get("noop_with_empty_axes", 0), "a sum over no axes")
            axes = range(x.ndim)
        need(x.size, "no elements")
        axes = sorted(int(axis) % x.ndim for axis in axes)
        y = node.found[0]
        y = y.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])
        node.get("keepdims")
        return model(form.replace("AXES", f"axis = {axes}"), {"x": one(x)}, {"y": one(y)})

    return case


def extreme(name):
    def case(node):
        x, axis = node.given[0], node.get("axis", 0)
        need(not node.get("select_last_index", 0), "of equal elements the last")
        axis, y = axis % x.ndim, node.found[0]
        y = y.reshape([n for place, n in enumerate(x.shape) if place != axis])
        node.get("keepdims")
        return model(f"{name}(x, axis = {axis})", {"x": one(x)}, {"y": one(y)}, {"y": x.shape[axis]})

    return case


def top_k(node):
    x, k = node.given[0], int(node.given[1].item())
    axis, largest = node.get("axis", -1) % x.ndim, bool(node.get("largest", 1))
    need(node.get("sorted", 1), "in no order")
    order = f"axis = {axis}, descending = {str(largest).lower()}"
    values, places = (f"slice({name}(x, {order}), 0, {k}, axis = {axis})" for name in ("sort", "argsort"))
    outputs = dict(zip(["values", "places"], map(one, node.found)))
    return model(f"({values}, {places})", {"x": one(x)}, outputs, {"places": x.shape[axis]})


def one_hot(node):
    indices, depth, (off, on) = node.given
    depth, axis = int(depth), node.get("axis", -1)
    indices = np.where(indices < 0, indices + depth, indices).astype(int)
    need((indices >= 0).all() and (indices < depth).all(), "categories that do not exist")
    y = np.moveaxis(node.found[0], axis, -1)
    body = f"{off:.7g} + {on - off:.7g} * one_hot(t)"
    return model(body, {"t": one(indices)}, {"y": one(y)}, {"t": depth})


OPERATORS = {
    **{name: elementwise(f"{call}(x)") for name, call in {
        "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Log": "log", "Round": "round",
        "Sign": "sign", "Sin": "sin", "Sqrt": "sqrt", "Tanh": "tanh", "Relu": "relu", "Sigmoid": "sigmoid", "Softplus": "softplus",
    }.items()},
    **{name: elementwise(f"x {sign} y") for name, sign in {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Pow": "^"}.items()},
    "Neg": elementwise("-x"),
    "Elu": elementwise(lambda node: f"x |> elu({node.get('alpha', 1.0):.7g})"),
    "LeakyRelu": elementwise(lambda node: f"x |> leaky_relu({node.get('alpha', 0.01):.7g})"),
    "Selu": elementwise(selu),
    "Gelu": elementwise(gelu),
    "Swish": elementwise(swish),
    "Clip": elementwise(clip),
    "Mod": elementwise(modulo),
    "Softmax": rows("x |> softmax"),
    "LogSoftmax": rows("log(softmax(x))"),
    "MatMul": product,
    "Gemm": gemm,
    "Attention": attention,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": pool("max_pool"),
    "AveragePool": pool("avg_pool"),
    "GlobalAveragePool": over_image("x |> global_avg_pool"),
    "GlobalMaxPool": over_image("max(x, axis = [0, 1])"),
    "Resize": upsample,
    "Upsample": upsample,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "InstanceNormalization": group_norm,
    "RNN": recurrent("rnn", 1, [0]),
    "GRU": recurrent("gru", 3, [0, 1, 2]),
    # i, o, f, c to i, f, g, o.
    "LSTM": recurrent("lstm", 4, [0, 2, 3, 1], ", forget_bias = 0"),
    "NegativeLogLikelihoodLoss": loss("negative", NEGATIVE),
    "SoftmaxCrossEntropyLoss": loss("crossed", CROSS),
    "Adam": optimizer(adam, ["mean", "square"]),
    "Momentum": optimizer(momentum, ["velocity"]),
    "Adagrad": optimizer(lambda node: f"adagrad(eps = {node.get('epsilon'):.7g})", ["total"]),
    "Gather": gather,
    "Pad": pad,
    "Slice": slices,
    "Concat": concat,
    "Split": split,
    "Transpose": transpose,
    "ReduceSum": reduction("sum(x, AXES)"),
    "ReduceMean": reduction("mean(x, AXES)"),
    "ReduceMax": reduction("max(x, AXES)"),
    "ReduceMin": reduction("min(x, AXES)"),
    "ReduceProd": reduction("prod(x, AXES)"),
    "ReduceL1": reduction("sum(abs(x), AXES)"),
    "ReduceL2": reduction("sqrt(sum(x^2, AXES))"),
    "ReduceSumSquare": reduction("sum(x^2, AXES)"),
    "ReduceLogSum": reduction("log(sum(x, AXES))"),
    "ReduceLogSumExp": reduction("log(sum(exp(x), AXES))"),
    "ArgMax": extreme("argmax"),
    "ArgMin": extreme("argmin"),
    "TopK": top_k,
    "OneHot": one_hot,
}

# Attributes that say nothing the arrays do not say.
SILENT = {"kernel_shape", "axes", "keepdims"}


def arrays(values):
    """As the file holds them: float32 with as few digits as tell it."""

    def short(number):
        number = float(str(number))
        return int(number) if number == int(number) else number

    def numbers(value):
        flat = value.astype(np.float32) if value.dtype.kind == "f" else value.astype(int)
        return [short(number) for number in flat.ravel()]

    return {name: [list(value.shape), numbers(value)] for name, value in values.items()}


def extracted(case):
    """The case in the language, or a reason against it."""
    node = Node(case)
    numbers = [value for value in [*node.inputs.values(), *node.outputs.values()]]
    need(all(value.dtype in (np.float32, np.float64, np.int64, np.int32) for value in numbers), "other types of elements")
    need(numbers[0].dtype.kind == "f" or node.op in ("OneHot", "TopK"), "whole numbers")
    found = OPERATORS[node.op](node)
    rest = set(node.attributes) - node.taken - SILENT
    need(not rest, f"attributes {', '.join(sorted(rest))}")
    every = [*found["given"].values(), *found["values"].values(), *found.get("next", {}).values()]
    need(all(value.size for value in every), "no elements")
    need(sum(value.size for value in every) <= LARGEST, "too large for a file in a repository")
    need(all(np.isfinite(value).all() for value in every), "numbers that are not finite")
    for part in ("given", "values", "next"):
        if part in found:
            found[part] = arrays(found[part])
    return {"name": case.name + ": "} | found


def main():
    assert onnx.__version__ == "1.22.0", onnx.__version__
    cases, had, left, others = [], set(), Counter(), Counter()
    for case in collect_testcases(None):
        # Those of one operator, not its expansion into others.
        if case.model is None or len(case.model.graph.node) != 1:
            continue
        op = case.model.graph.node[0].op_type
        if op not in OPERATORS:
            others[op] += 1
            continue
        try:
            cases.append(extracted(case))
            had.add(op)
        except Left as why:
            left[f"{op}: {why}"] += 1
    write(__file__, cases)
    print(f"{len(cases)} cases of {len(had)} operators")
    for why, count in sorted(left.items()):
        print(f"  left out, {count} of {why}")
    print(f"  operators not looked at: {', '.join(sorted(others))}", file=sys.stderr)


if __name__ == "__main__":
    main()
