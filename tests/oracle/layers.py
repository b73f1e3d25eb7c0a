"""Values and gradients of dense layers, of normalisations, of every activation and of every loss, by PyTorch's functions of
the same names where it has them.

Run with:  python3 -m venv VENV && VENV/bin/pip install torch && VENV/bin/python tests/oracle/layers.py
It writes `layers.json` beside itself; its form is described in `cases.py`. What PyTorch does otherwise:
  batch_norm     Its momentum is the share of what is new, the language's that of what is kept. It keeps n / (n - 1) times the
                 variance that it divides by, the language that variance itself, as Keras does.
  dense          Its matrix is the transpose.
  cross_entropy  It works on the logits; here a softmax stands before the loss.
PyTorch has no `step`, `dice`, `contrastive`, or losses balanced by a frequency: their formulas are written out.
"""

import torch
import torch.nn.functional as F
from cases import SAMPLES, Cases, Numbers


def dense(v, x, path="dense_1"):
    return F.linear(x, v[f"{path}.W"].T, v.get(f"{path}.b"))


def batch_norm(v, x, training, momentum=0.9, eps=1e-5):
    """The value, and the running statistics after the step."""
    path = "batch_norm_1"
    mean, var = v[f"{path}.running_mean"].clone(), v[f"{path}.running_var"].clone()
    # PyTorch wants the channels as the second axis.
    y = F.batch_norm(
        x.movedim(-1, 1), mean, var, v[f"{path}.gamma"], v[f"{path}.beta"], training, 1 - momentum, eps
    ).movedim(1, -1)
    if not training:
        return y, {}
    n = x.numel() / x.shape[-1]
    kept = momentum * v[f"{path}.running_var"]
    return y, {f"{path}.running_mean": mean, f"{path}.running_var": kept + (var - kept) * (n - 1) / n}


def norms(cases):
    for shape, calls in {
        (6,): [("batch_norm", {}), ("batch_norm(momentum = 0.6, eps = 0.01)", {"momentum": 0.6, "eps": 0.01})],
        (4, 5, 3): [("batch_norm", {})],
    }.items():
        params = {"batch_norm_1.gamma": shape[-1:], "batch_norm_1.beta": shape[-1:]}
        start = {
            "batch_norm_1.running_mean": torch.zeros(shape[-1]),
            "batch_norm_1.running_var": torch.ones(shape[-1]),
        }
        learned = {
            "batch_norm_1.running_mean": Numbers(1).array(shape[-1:]),
            "batch_norm_1.running_var": Numbers(2).array(shape[-1:], 1, 3),
        }
        for call, options in calls:
            for states, training in [(start, True), (learned, True), (learned, False)]:
                cases.add(
                    f"x |> {call}",
                    {"x": shape},
                    params,
                    lambda v: batch_norm(v, v["x"], training, **options),
                    states,
                    training,
                )
    norm = {"layer_norm_1.gamma": (7,), "layer_norm_1.beta": (7,)}

    def layer_norm(v, eps=1e-5):
        return F.layer_norm(v["x"], (7,), v["layer_norm_1.gamma"], v["layer_norm_1.beta"], eps)

    cases.add("x |> layer_norm", {"x": (7,)}, norm, layer_norm)
    cases.add("x |> layer_norm(eps = 0.1)", {"x": (7,)}, norm, lambda v: layer_norm(v, 0.1))
    cases.add("x |> each layer_norm", {"x": (3, 7)}, norm, layer_norm)


# Far from 0, near it, and 0 itself.
POINTS = torch.tensor([-60.0, -12.0, -3.0, -1.0, -0.5, -0.015625, 0.0, 0.015625, 0.5, 1.0, 3.0, 12.0, 60.0])

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "leaky_relu(0.25)": lambda x: F.leaky_relu(x, 0.25),
    "elu": F.elu,
    "elu(0.5)": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    # PyTorch takes x itself from a threshold on, unless it is further out.
    "softplus": lambda x: F.softplus(x, threshold=100),
    "step": lambda x: 0 * x + (x > 0),
    "softmax": lambda x: F.softmax(x, -1),
    "log(softmax(x))": lambda x: F.log_softmax(x, -1),
    "log(sigmoid(x))": F.logsigmoid,
    "log(1 - sigmoid(x))": lambda x: F.logsigmoid(-x),
}


def activations(cases):
    rows = torch.stack([POINTS, POINTS / 8, POINTS.flip(0) + 0.25])
    for name, function in ACTIVATIONS.items():
        cases.add(name if "(x)" in name else f"x |> {name}", {"x": rows}, {}, lambda v: function(v["x"]))


def mean(errors):
    """Of each sample."""
    return errors.flatten(1).mean(1)


def huber(v, delta):
    return mean(F.huber_loss(v["p"], v["t"], reduction="none", delta=delta))


def balanced(v, target):
    return mean(F.mse_loss(v["p"], target, reduction="none")) / v["frequency"]


def dice(v):
    p, t = v["p"], v["t"]
    return 1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)


def contrastive(v, margin):
    distance = F.pairwise_distance(v["a"], v["b"], eps=0)
    return v["same"] * distance**2 + (1 - v["same"]) * F.relu(margin - distance) ** 2


def triplet(v, margin):
    return F.triplet_margin_with_distance_loss(
        v["a"], v["b"], v["c"], distance_function=lambda a, b: ((a - b) ** 2).sum(-1), margin=margin, reduction="none"
    )


def losses(cases):
    numbers = Numbers(3)
    any_two = {"p": (5,), "t": (5,)}
    cases.add("mse(p, t)", any_two, {}, lambda v: mean(F.mse_loss(v["p"], v["t"], reduction="none")))
    images = {"p": (2, 3), "t": (2, 3)}
    cases.add("mse(p, t)", images, {}, lambda v: mean(F.mse_loss(v["p"], v["t"], reduction="none")))
    cases.add("mae(p, t)", any_two, {}, lambda v: mean(F.l1_loss(v["p"], v["t"], reduction="none")))
    cases.add("huber(p, t)", any_two, {}, lambda v: huber(v, 1.0))
    cases.add("huber(0.3)(p, t)", any_two, {}, lambda v: huber(v, 0.3))

    signs = torch.where(numbers.array((SAMPLES, 5)) > 0, 1.0, -1.0)
    far = numbers.array((SAMPLES, 5), -2, 2)
    # PyTorch's hinge for a target of -1 is max(margin - x, 0).
    cases.add(
        "hinge(p, t)",
        {"p": far, "t": signs},
        {},
        lambda v: mean(F.hinge_embedding_loss(v["t"] * v["p"], -torch.ones_like(v["p"]), reduction="none")),
    )

    share = numbers.array((SAMPLES, 5), 0, 1) * 0.75 + 0.125
    truth = (signs + 1) / 2
    cases.add(
        "binary_cross_entropy(p, t)",
        {"p": share, "t": numbers.array((SAMPLES, 5), 0, 1)},
        {},
        lambda v: mean(F.binary_cross_entropy(v["p"], v["t"], reduction="none")),
    )
    logits = numbers.array((SAMPLES, 5), -3, 3) * torch.tensor([[1.0], [4.0], [16.0]])
    cases.add(
        "binary_cross_entropy(sigmoid(z), t)",
        {"z": logits, "t": truth},
        {},
        lambda v: mean(F.binary_cross_entropy_with_logits(v["z"], v["t"], reduction="none")),
    )

    labels = numbers.classes((SAMPLES,), 5)
    cases.add(
        "cross_entropy(p, t)",
        {"p": share, "t": labels},
        {},
        lambda v: F.nll_loss(v["p"].log(), v["t"], reduction="none"),
        classes=5,
    )
    cases.add(
        "cross_entropy(softmax(z), t)",
        {"z": logits, "t": labels},
        {},
        lambda v: F.cross_entropy(v["z"], v["t"], reduction="none"),
        classes=5,
    )
    distribution = torch.tensor([[0.25, 0.5, 0.125, 0.0, 0.125], [0.0, 1.0, 0.0, 0.0, 0.0], [0.5, 0.125, 0.25, 0.0625, 0.0625]])
    # The slope of t log t at 0 is not finite: only what is predicted moves.
    cases.add(
        "kl_divergence(p, stop_gradient(t))",
        {"p": share, "t": distribution},
        {},
        lambda v: F.kl_div(v["p"].log(), v["t"].detach(), reduction="none").sum(1),
    )
    cases.add(
        "kl_divergence(softmax(z), t)",
        {"z": logits, "t": share},
        {},
        lambda v: F.kl_div(F.log_softmax(v["z"], 1), v["t"], reduction="none").sum(1),
    )

    frequency = torch.tensor([0.25, 0.5, 0.125])
    weighed = {"p": (5,), "t": labels, "frequency": frequency}
    cases.add(
        "class_balanced_mse(p, t, frequency)",
        weighed,
        {},
        lambda v: balanced(v, F.one_hot(v["t"], 5).double()),
        classes=5,
    )
    cases.add(
        "interval_balanced_mse(p, t, frequency)", any_two | {"frequency": frequency}, {}, lambda v: balanced(v, v["t"])
    )
    cases.add("dice(p, t)", {"p": share, "t": truth}, {}, dice)
    pairs = {"a": (4,), "b": (4,), "same": torch.tensor([0.0, 1.0, 0.5])}
    cases.add("contrastive(a, b, same)", pairs, {}, lambda v: contrastive(v, 1.0))
    cases.add("contrastive(3)(a, b, same)", pairs, {}, lambda v: contrastive(v, 3.0))
    three = {"a": (4,), "b": (4,), "c": (4,)}
    cases.add("triplet(a, b, c)", three, {}, lambda v: triplet(v, 1.0))
    cases.add("triplet(6)(a, b, c)", three, {}, lambda v: triplet(v, 6.0))


def orders(cases):
    """Of places and of whole images, of which some elements are equal."""
    for call, axis, descending in [("", -1, False), (", axis = 0, descending = true", 1, True), (", axis = 1", 2, False)]:
        x = (Numbers(4).array((SAMPLES, 6, 5, 2)) * 4).round() / 4
        options = {"stable": True, "dim": axis, "descending": descending}
        cases.add(f"sort(x{call})", {"x": x}, {}, lambda v: torch.sort(v["x"], **options).values)


def main():
    cases = Cases()
    params = {"dense_1.W": (6, 4), "dense_1.b": (4,)}
    cases.add("x |> dense(4)", {"x": (6,)}, params, lambda v: dense(v, v["x"]))
    cases.add("x |> dense(4, bias = false)", {"x": (6,)}, {"dense_1.W": (6, 4)}, lambda v: dense(v, v["x"]))
    cases.add("x |> each dense(4)", {"x": (3, 6)}, params, lambda v: dense(v, v["x"]))
    norms(cases)
    activations(cases)
    losses(cases)
    orders(cases)
    cases.write(__file__)


if __name__ == "__main__":
    main()
