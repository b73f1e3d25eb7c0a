"""Values and gradients of the layers over sequences, by PyTorch's modules of the same kind.

Run with:  python3 -m venv VENV && VENV/bin/pip install torch && VENV/bin/python tests/oracle/sequences.py
It writes `sequences.json` beside itself; its form is described in `cases.py`. The weights go into PyTorch's layout here:
  rnn, gru, lstm   PyTorch multiplies from the left, so that its matrices are the transposes, and adds two biases everywhere, the
                   language only in `gru`. PyTorch's gates of a GRU are r, z, n and the language's z, r, c. It has none with the
                   reset in front of the product: that is written out. `forget_bias` becomes part of PyTorch's bias.
  attention        `in_proj` of MultiheadAttention is Wq, Wk and Wv one below the other, transposed, without a bias.
"""

import torch
import torch.nn.functional as F
from cases import SAMPLES, Cases, Numbers
from torch.func import functional_call

STEPS, FEATURES, WIDTH = 5, 3, 4


def recurrent(layer, gates, biases=("b",), inputs=FEATURES, units=WIDTH):
    shapes = {f"{layer}.Wx": (inputs, gates * units), f"{layer}.Wh": (units, gates * units)}
    return shapes | {f"{layer}.{bias}": (gates * units,) for bias in biases}


def weights(wx, wh, bx, bh, end=""):
    return {f"weight_ih_l0{end}": wx.T, f"weight_hh_l0{end}": wh.T, f"bias_ih_l0{end}": bx, f"bias_hh_l0{end}": bh}


def states(kind, x, params, **options):
    """All states of a recurrent module."""
    units = params["weight_hh_l0"].shape[1]
    module = kind(x.shape[-1], units, batch_first=True, **options)
    return functional_call(module, params, (x,))[0]


def rnn(v, x, path="rnn_1"):
    b = v[f"{path}.b"]
    return states(torch.nn.RNN, x, weights(v[f"{path}.Wx"], v[f"{path}.Wh"], b, torch.zeros_like(b)))


def gru(v, x):
    def ordered(name):
        z, r, c = v[f"gru_1.{name}"].chunk(3, -1)
        return torch.cat([r, z, c], -1)

    return states(torch.nn.GRU, x, weights(*map(ordered, ("Wx", "Wh", "bx", "bh"))))


def gru_reset_before(v, x):
    wx, wh, bx, bh = (v[f"gru_1.{name}"] for name in ("Wx", "Wh", "bx", "bh"))
    units = wh.shape[0]
    h, found = torch.zeros(len(x), units), []
    for step in x.unbind(1):
        inner, outer = step @ wx + bx, h @ wh + bh
        z, r = torch.sigmoid(inner + outer)[:, : 2 * units].chunk(2, 1)
        c = torch.tanh(inner[:, 2 * units :] + (r * h) @ wh[:, 2 * units :] + bh[2 * units :])
        h = z * h + (1 - z) * c
        found.append(h)
    return torch.stack(found, 1)


def lstm_weights(v, path, forget_bias, end=""):
    wx, wh, b = (v[f"{path}.{name}"] for name in ("Wx", "Wh", "b"))
    forget = torch.zeros_like(b)
    forget[len(b) // 4 : len(b) // 2] = forget_bias
    return weights(wx, wh, b, forget, end)


def lstm(v, x, forget_bias=1.0):
    return states(torch.nn.LSTM, x, lstm_weights(v, "lstm_1", forget_bias))


def both_ways(v, x):
    params = lstm_weights(v, "bidirectional_1.forwards", 1.0) | lstm_weights(v, "bidirectional_1.backwards", 1.0, "_reverse")
    return states(torch.nn.LSTM, x, params, bidirectional=True)


def future(steps):
    """Which steps a step must not see."""
    return torch.ones(steps, steps, dtype=torch.bool).triu(1)


def attention_weights(v, path):
    projections = torch.cat([v[f"{path}.{name}"] for name in ("Wq", "Wk", "Wv")], 1).T
    return {
        "in_proj_weight": projections,
        "in_proj_bias": torch.zeros(len(projections)),
        "out_proj.weight": v[f"{path}.Wo"].T,
        "out_proj.bias": v[f"{path}.bo"],
    }


def multi_head(v, x, heads, causal=False):
    module = torch.nn.MultiheadAttention(x.shape[-1], heads, batch_first=True)
    mask = future(x.shape[1]) if causal else None
    call = {"need_weights": False, "attn_mask": mask}
    return functional_call(module, attention_weights(v, "multi_head_attention_1"), (x, x, x), call)[0]


def block(v, x, heads, ratio, causal, path="transformer_block_1"):
    width = x.shape[-1]
    module = torch.nn.TransformerEncoderLayer(
        width, heads, ratio * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    params = {f"self_attn.{name}": p for name, p in attention_weights(v, f"{path}.multi_head_attention_1").items()}
    for number in (1, 2):
        params[f"norm{number}.weight"] = v[f"{path}.layer_norm_{number}.gamma"]
        params[f"norm{number}.bias"] = v[f"{path}.layer_norm_{number}.beta"]
        params[f"linear{number}.weight"] = v[f"{path}.dense_{number}.W"].T
        params[f"linear{number}.bias"] = v[f"{path}.dense_{number}.b"]
    return functional_call(module, params, (x,), {"src_mask": future(x.shape[1]) if causal else None})


def attention_shapes(path, width=WIDTH):
    return {f"{path}.{name}": (width, width) for name in ("Wq", "Wk", "Wv", "Wo")} | {f"{path}.bo": (width,)}


def block_shapes(ratio, path="transformer_block_1", width=WIDTH):
    norms = {f"{path}.layer_norm_{n}.{name}": (width,) for n in (1, 2) for name in ("gamma", "beta")}
    wide = {f"{path}.dense_1.W": (width, ratio * width), f"{path}.dense_1.b": (ratio * width,)}
    narrow = {f"{path}.dense_2.W": (ratio * width, width), f"{path}.dense_2.b": (width,)}
    return norms | attention_shapes(f"{path}.multi_head_attention_1") | wide | narrow


def main():
    cases = Cases()
    x, wide = {"x": (STEPS, FEATURES)}, {"x": (STEPS, WIDTH)}
    cases.add("x |> rnn(4)", x, recurrent("rnn_1", 1), lambda v: rnn(v, v["x"]))
    cases.add("x |> gru(4)", x, recurrent("gru_1", 3, ("bx", "bh")), lambda v: gru(v, v["x"]))
    cases.add(
        "x |> gru(4, reset_after = false)", x, recurrent("gru_1", 3, ("bx", "bh")), lambda v: gru_reset_before(v, v["x"])
    )
    cases.add("x |> lstm(4)", x, recurrent("lstm_1", 4), lambda v: lstm(v, v["x"]))
    cases.add(
        "x |> lstm(4, forget_bias = 0) |> last",
        x,
        recurrent("lstm_1", 4),
        lambda v: lstm(v, v["x"], 0.0)[:, -1],
    )
    # Long enough for what little goes wrong in a step to add up.
    cases.add("x |> lstm(3)", {"x": (40, 2)}, recurrent("lstm_1", 4, inputs=2, units=3), lambda v: lstm(v, v["x"]))
    cases.add(
        "x |> gru(3)", {"x": (40, 2)}, recurrent("gru_1", 3, ("bx", "bh"), inputs=2, units=3), lambda v: gru(v, v["x"])
    )
    pair = recurrent("bidirectional_1.forwards", 4) | recurrent("bidirectional_1.backwards", 4)
    cases.add("x |> bidirectional(lstm(4))", x, pair, lambda v: both_ways(v, v["x"]))
    cases.add("x |> last", x, {}, lambda v: v["x"][:, -1])

    labels = Numbers(1).classes((SAMPLES, STEPS), 6)
    table = {"embedding_1.E": (6, WIDTH)}
    embedded = {"labels": labels}
    cases.add(
        "labels |> embedding(4)",
        embedded,
        table,
        lambda v: F.embedding(v["labels"], v["embedding_1.E"]),
        classes=6,
    )
    cases.add(
        "labels |> embedding(4)",
        {"labels": labels[:, 0]},
        table,
        lambda v: F.embedding(v["labels"], v["embedding_1.E"]),
        classes=6,
    )
    cases.add("x |> positional", x, {"positional_1.P": (STEPS, FEATURES)}, lambda v: v["x"] + v["positional_1.P"])

    cross = {"q": (4, 3), "k": (6, 3), "v": (6, 2)}
    attention = F.scaled_dot_product_attention
    cases.add("attention(q, k, v)", cross, {}, lambda v: attention(v["q"], v["k"], v["v"]))
    cases.add(
        "attention(causal = true)(x, x, x)", x, {}, lambda v: attention(v["x"], v["x"], v["x"], is_causal=True)
    )
    heads = attention_shapes("multi_head_attention_1")
    cases.add("x |> multi_head_attention(2)", wide, heads, lambda v: multi_head(v, v["x"], 2))
    cases.add("x |> multi_head_attention(4, causal = true)", wide, heads, lambda v: multi_head(v, v["x"], 4, True))
    cases.add("x |> transformer_block(2)", wide, block_shapes(4), lambda v: block(v, v["x"], 2, 4, False))
    cases.add(
        "x |> transformer_block(2, ratio = 2, causal = true)",
        wide,
        block_shapes(2),
        lambda v: block(v, v["x"], 2, 2, True),
    )

    square = {"residual_1.inner.dense_1.W": (3, 3), "residual_1.inner.dense_1.b": (3,)}
    cases.add(
        "x |> residual(each dense(3))",
        x,
        square,
        lambda v: v["x"] + F.linear(v["x"], v["residual_1.inner.dense_1.W"].T, v["residual_1.inner.dense_1.b"]),
    )
    # A loss of every step: PyTorch's wants the classes as the second axis.
    cases.add(
        "mean(each cross_entropy(x |> rnn(6) |> each softmax, labels))",
        x | embedded,
        recurrent("rnn_1", 1, units=6),
        lambda v: F.cross_entropy(rnn(v, v["x"]).transpose(1, 2), v["labels"], reduction="none").mean(1),
        classes=6,
    )
    cases.write(__file__)


if __name__ == "__main__":
    main()
