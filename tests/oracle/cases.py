"""What the scripts on layers share: numbers to compute with, and the cases they write.

A case is a model, what goes into it, and what comes out by PyTorch (2.15) in float64:
  model      the program, as the language writes it
  training   whether it runs as in training
  given      by name the inputs, of so many samples, and by path the parameters and the states of layers
  values     the outputs by name
  weights    a number for each element of the outputs, by name
  gradients  of the sum of values * weights, by name or path
  next       the states after the step, by path, where there are any
Each array is [shape, numbers in row-major order]. Numbers to compute with are small multiples of 1/64, the same in float32.
"""

import json
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)

SAMPLES = 3


class Numbers:
    """Multiples of 1/64 from a linear congruential generator: state = 1664525 state + 1013904223 mod 2^32."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 8) % limit

    def array(self, shape, low=-1, high=1):
        count = (high - low) * 64 + 1
        numbers = [low + self.below(count) / 64 for _ in range(torch.Size(shape).numel())]
        return torch.tensor(numbers).reshape(shape)

    def classes(self, shape, count):
        numbers = [self.below(count) for _ in range(torch.Size(shape).numel())]
        return torch.tensor(numbers).reshape(shape)


def array(tensor):
    """As the file holds it."""
    if not tensor.is_floating_point():
        return [list(tensor.shape), tensor.flatten().tolist()]
    short = [float(f"{number:.8g}") for number in tensor.detach().flatten().tolist()]
    return [list(tensor.shape), [int(number) if number == int(number) else number for number in short]]


def arrays(tensors):
    return {name: array(tensor) for name, tensor in tensors.items()}


class Cases:
    """The cases of a file, in order."""

    def __init__(self, samples=SAMPLES):
        self.samples = samples
        self.cases = []

    def add(self, body, inputs, params, function, states=None, training=False, classes=3):
        """A model `body` with the output `y`. Inputs, parameters and states are tensors, or shapes of numbers to be drawn (of a
        sample, for an input). `function` takes all of them by name and gives y for all samples; with states, y and their next
        values by path."""
        numbers = Numbers(len(self.cases))
        states = states or {}

        def drawn(value, samples=()):
            return value if torch.is_tensor(value) else numbers.array((*samples, *value))

        inputs = {name: drawn(value, (self.samples,)) for name, value in inputs.items()}
        kept = {path: drawn(value) for path, value in {**params, **states}.items()}
        given = {name: tensor.clone() for name, tensor in {**inputs, **kept}.items()}
        for path, tensor in given.items():
            tensor.requires_grad_(tensor.is_floating_point() and path not in states)
        y = function(given)
        y, after = y if states else (y, {})
        weights = numbers.array(y.shape)
        moving = {name: tensor for name, tensor in given.items() if tensor.requires_grad}
        slopes = torch.autograd.grad((y * weights).sum(), list(moving.values()), materialize_grads=True)
        signature = ", ".join(f"{name}: {type_of(tensor, classes)}" for name, tensor in inputs.items())
        case = {
            "model": f"model M({signature}) -> y: {list(y.shape[1:])} {{ {body} }}\n",
            "training": training,
            "given": arrays(given),
            "values": {"y": array(y)},
            "weights": {"y": array(weights)},
            "gradients": arrays(dict(zip(moving, slopes))),
        }
        self.cases.append({**case, "next": arrays(after)} if after else case)

    def write(self, script):
        """Beside the script, under its name."""
        write(script, self.cases)


def type_of(tensor, classes):
    extents = list(tensor.shape[1:])
    return extents if tensor.is_floating_point() else f"class({classes})" + (str(extents) if extents else "")


def write(script, cases):
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(script).with_suffix(".json").write_text(f"[\n{lines}\n]\n")
