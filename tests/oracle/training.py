"""The first steps of a small network, for every loss, activation and optimizer of the prelude, by PyTorch.

Run with:  python3 -m venv VENV && VENV/bin/pip install torch && VENV/bin/python tests/oracle/training.py
It writes `training.json` beside itself, the same bytes each time.

PyTorch computes in float64, with its own layers, losses (those that it has; see `layers.py`) and optimizers. A compiled program
works in float32.

The network is `x |> dense(5) |> HIDDEN |> dense(3) |> OUTPUT` on six inputs. Step k (from 0) takes rows 8k to 8k + 8 of the
data, in order; its loss is the mean over these rows before the step's update. Inputs, targets and initial weights are small
multiples of 1/256, so that they are the same numbers in float32.

PyTorch keeps n / (n - 1) times the variance of a batch, the language the variance itself: as the average is linear in what is
kept, it is put right at the end.

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
                  group      "loss", "activation", "layer" or "optimizer": what the case is there for
                  hidden, output, loss, optimizer   as the language writes them; the model's output is `y`
                  losses     one number per step
                  evaluation the mean loss of the first 50 rows after the last step, outside of training
                  end        the parameters and the states of layers after the last step, by path
"""

import json
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from cases import Numbers, array
from torch import nn, optim

STEPS, BATCH, INPUTS, HIDDEN, OUTPUTS, EVALUATED = 20, 8, 6, 5, 3, 50
ROWS = STEPS * BATCH


def make_weights(numbers):
    return {
        "dense_1.W": numbers.array((INPUTS, HIDDEN)) / 2,
        "dense_1.b": numbers.array((HIDDEN,)) / 4,
        "dense_2.W": numbers.array((HIDDEN, OUTPUTS)) / 2,
        "dense_2.b": numbers.array((OUTPUTS,)) / 4,
    }


def make_data(numbers):
    x = numbers.array((ROWS, INPUTS), -2, 2)
    # Targets follow from the inputs, with some noise, so that there is something to learn.
    value = ((x[:, :3] * x[:, 3:] / 2 + x[:, 1:4]) * 64).round() / 64 + numbers.array((ROWS, OUTPUTS), 0, 1) / 4
    label = value.argmax(1)
    first = torch.tensor([numbers.below(65) for _ in range(ROWS)])
    second = torch.tensor([numbers.below(65 - int(taken)) for taken in first])
    first_value = value[:, 0]
    interval = ((first_value - first_value.min()) / (first_value.max() - first_value.min()) * 10).int().clamp(max=9)
    return {
        "x": x,
        "value": value,
        "flag": (value > 0.5).double(),
        "sign": torch.where(value > 0.5, 1.0, -1.0),
        "share": torch.stack([first, second, 64 - first - second], 1) / 64,
        "label": label,
        "label_frequency": torch.stack([(label == one).double().mean() for one in label]),
        "value_frequency": torch.stack([(interval == one).double().mean() for one in interval]),
    }


class Step(nn.Module):
    """1 for positive sums; its derivative is 0."""

    def forward(self, x):
        return 0 * x + (x > 0)


ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "step": Step,
    "softmax": partial(nn.Softmax, dim=-1),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "softplus": partial(nn.Softplus, threshold=100),
}

LAYERS = {
    "batch_norm |> tanh": lambda: nn.Sequential(nn.BatchNorm1d(HIDDEN), nn.Tanh()),
    "layer_norm |> tanh": lambda: nn.Sequential(nn.LayerNorm(HIDDEN), nn.Tanh()),
}

# What PyTorch calls the parameters and states, and what the language does.
PATHS = {
    "0.weight": "dense_1.W",
    "0.bias": "dense_1.b",
    "2.weight": "dense_2.W",
    "2.bias": "dense_2.b",
}
NORM_PATHS = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}


def balanced(y, target, frequency):
    return (F.mse_loss(y, target, reduction="none").mean(1) / frequency).mean()


# The losses of a batch, and what stands before them.
LOSSES = {
    "mse(y, value)": ("linear", lambda y, d: F.mse_loss(y, d["value"])),
    "mae(y, value)": ("linear", lambda y, d: F.l1_loss(y, d["value"])),
    "huber(y, value)": ("linear", lambda y, d: F.huber_loss(y, d["value"])),
    "hinge(y, sign)": ("linear", lambda y, d: F.hinge_embedding_loss(d["sign"] * y, -torch.ones_like(y))),
    "binary_cross_entropy(y, flag)": ("sigmoid", lambda y, d: F.binary_cross_entropy(y, d["flag"])),
    "cross_entropy(y, label)": ("softmax", lambda y, d: F.nll_loss(y.log(), d["label"])),
    "kl_divergence(y, share)": ("softmax", lambda y, d: F.kl_div(y.log(), d["share"], reduction="batchmean")),
    "class_balanced_mse(y, label, label_frequency)": (
        "softmax",
        lambda y, d: balanced(y, F.one_hot(d["label"], OUTPUTS).double(), d["label_frequency"]),
    ),
    "interval_balanced_mse(y, value, value_frequency)": (
        "linear",
        lambda y, d: balanced(y, d["value"], d["value_frequency"]),
    ),
}

# The defaults of the language, which are not all PyTorch's, move little in twenty steps; so each stands here a second time with a
# rate that does.
OPTIMIZERS = {
    "sgd()": partial(optim.SGD, lr=0.01),
    "sgd(lr = 0.1)": partial(optim.SGD, lr=0.1),
    "momentum()": partial(optim.SGD, lr=0.01, momentum=0.9),
    "momentum(lr = 0.05, beta = 0.8)": partial(optim.SGD, lr=0.05, momentum=0.8),
    "nesterov()": partial(optim.SGD, lr=0.01, momentum=0.9, nesterov=True),
    "nesterov(lr = 0.05, beta = 0.8)": partial(optim.SGD, lr=0.05, momentum=0.8, nesterov=True),
    "adagrad()": partial(optim.Adagrad, lr=0.01),
    "adagrad(lr = 0.1)": partial(optim.Adagrad, lr=0.1),
    "rmsprop()": partial(optim.RMSprop, lr=0.001, alpha=0.99),
    "rmsprop(lr = 0.02, rho = 0.9)": partial(optim.RMSprop, lr=0.02, alpha=0.9),
    "adadelta()": partial(optim.Adadelta, lr=1.0),
    "adadelta(lr = 20, rho = 0.95)": partial(optim.Adadelta, lr=20.0, rho=0.95),
    "adam()": partial(optim.Adam, lr=0.001),
    "adam(lr = 0.05)": partial(optim.Adam, lr=0.05),
    "adamw()": partial(optim.AdamW, lr=0.001),
    "adamw(lr = 0.05, decay = 0.1)": partial(optim.AdamW, lr=0.05, weight_decay=0.1),
}


def train(weights, data, hidden, output, loss, optimizer):
    """The loss of each step, that of the evaluation, and the tensors at the end."""
    middle = (ACTIVATIONS | LAYERS)[hidden]()
    model = nn.Sequential(nn.Linear(INPUTS, HIDDEN), middle, nn.Linear(HIDDEN, OUTPUTS), ACTIVATIONS[output]())
    tensors = model.state_dict()
    for name, path in PATHS.items():
        # PyTorch's matrices are the transposes.
        tensors[name].copy_(weights[path].t())
    rule = OPTIMIZERS[optimizer](model.parameters())
    losses = []
    for step in range(STEPS):
        rows = {name: field[step * BATCH : (step + 1) * BATCH] for name, field in data.items()}
        value = LOSSES[loss][1](model(rows["x"]), rows)
        rule.zero_grad()
        value.backward()
        rule.step()
        losses.append(float(f"{value.item():.9g}"))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            start = (1 - module.momentum) ** STEPS
            module.running_var.copy_(start + (module.running_var - start) * (BATCH - 1) / BATCH)
    model.eval()
    rows = {name: field[:EVALUATED] for name, field in data.items()}
    evaluation = float(f"{LOSSES[loss][1](model(rows['x']), rows).item():.9g}")
    end = {path: array(tensors[name].t()) for name, path in PATHS.items()}
    for name, tensor in tensors.items():
        place, _, kind = name.rpartition(".")
        if place == "1.0" and kind in NORM_PATHS:
            end[f"{hidden.split()[0]}_1.{NORM_PATHS[kind]}"] = array(tensor)
    return {"losses": losses, "evaluation": evaluation, "end": end}


def main():
    numbers = Numbers(1)
    weights, data = make_weights(numbers), make_data(numbers)
    chosen = []
    for loss, (output, _) in LOSSES.items():
        # Divided by a frequency, the gradients are some ten times as large.
        rate = "sgd()" if loss.startswith("interval") else "sgd(lr = 0.1)"
        chosen.append(("loss", "tanh", output, loss, rate))
    for group, hiddens in [("activation", ACTIVATIONS), ("layer", LAYERS)]:
        for hidden in hiddens:
            chosen.append((group, hidden, "linear", "mse(y, value)", "sgd(lr = 0.1)"))
    for optimizer in OPTIMIZERS:
        chosen.append(("optimizer", "tanh", "linear", "mse(y, value)", optimizer))
    cases = []
    for group, hidden, output, loss, optimizer in chosen:
        found = train(weights, data, hidden, output, loss, optimizer)
        assert all(torch.tensor(found["losses"]).isfinite()), (hidden, loss, optimizer)
        cases.append({"group": group, "hidden": hidden, "output": output, "loss": loss, "optimizer": optimizer, **found})
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
