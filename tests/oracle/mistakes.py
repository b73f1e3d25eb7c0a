"""What PyTorch and Keras say of the mistakes that docs/errors.md compares.

Run with:  python3 -m venv VENV && VENV/bin/pip install torch keras tensorflow jax, and then
           VENV/bin/python tests/oracle/mistakes.py torch
           KERAS_BACKEND=jax VENV/bin/python tests/oracle/mistakes.py keras
           KERAS_BACKEND=tensorflow VENV/bin/python tests/oracle/mistakes.py keras
Each call writes its part of `mistakes.json` beside itself and leaves the others as they are.

The file holds
  versions   of the packages that spoke
  said       by the number of the mistake, then by who speaks (`torch`, `keras with jax`, `keras with tensorflow`), then by how the
             mistake is made: a list of what was said, warnings first, the error last. Without an error the last is `trains`: two
             steps of training went through.
Of an error the type and the text are kept, on one line, without tracebacks and without the arguments of the call.
"""

import json
import os
import re
import sys
import warnings
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np

BATCH = 32
PLACE = Path(__file__).with_name("mistakes.json")


def numbers(*shape):
    return np.random.default_rng(1).normal(size=(BATCH, *shape)).astype("float32")


def classes(count, *shape):
    return np.random.default_rng(2).integers(0, count, size=(BATCH, *shape)).astype("int64")


def one_line(text):
    """The text without colours and without what depends on the call or the machine."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(text))
    text = re.split(r"\n+Arguments received by", text)[0]
    # TensorFlow tells where in its graph it was, with the files of the machine, before it says what was wrong.
    if (at := text.find("Detected at node")) >= 0:
        text = text[:at] + text[text.rindex("\n\n") if "\n\n" in text[at:] else at :]
    text = re.sub(r"\{\{function_node [^}]*\}\}|\[\[\{\{node .*|\[Op:.*", "", text, flags=re.DOTALL)
    return " ".join(text.split())


def said_by(mistake):
    """Makes a mistake and gives what was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            mistake()
            end = "trains"
        except Exception as error:  # whatever the framework raises is what is asked for
            message = getattr(error, "message", None) or error
            end = f"{type(error).__name__}: {one_line(message)}"
    found = [f"{warning.category.__name__}: {one_line(warning.message)}" for warning in caught]
    return list(dict.fromkeys(found)) + [end]


def with_torch():
    import torch
    from torch import nn
    from torch.nn import functional as F
    from torch.utils.data import TensorDataset

    tensor = torch.from_numpy

    def step(model, loss, x, y):
        """Two steps of gradient descent."""
        x = tensor(x)
        model(x)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            loss(model(x), tensor(y)).backward()
            optimizer.step()

    class Joined(nn.Module):
        """Two branches joined."""

        def __init__(self, left, right, join, head):
            super().__init__()
            self.left, self.right, self.join, self.head = left, right, join, head

        def forward(self, x):
            return self.head(self.join(self.left(x), self.right(x)))

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean()

    conv = lambda: nn.Conv2d(1, 8, 3)
    mean = lambda output, target: output.mean()
    three = lambda: nn.Linear(4, 3)

    def with_small_batch():
        model = three()
        F.mse_loss(model(tensor(numbers(4)[:3])), tensor(classes(3)[:3]).float()).backward()

    flat = lambda: nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    labels = classes(3)
    labels[5] = 7
    return {"torch": torch.__version__.split("+")[0]}, "torch", lambda: None, {
        1: {"": lambda: step(nn.Sequential(conv(), nn.Linear(5408, 10)), F.cross_entropy, numbers(1, 28, 28), classes(10))},
        2: {"": lambda: step(nn.Sequential(conv(), nn.Flatten(), nn.Linear(4096, 10)), F.cross_entropy, numbers(1, 28, 28), classes(10))},
        3: {"": lambda: step(Joined(conv(), nn.Sequential(conv(), nn.MaxPool2d(2)), lambda a, b: torch.cat([a, b], dim=1), Mean()), mean, numbers(1, 28, 28), classes(10))},
        4: {"": lambda: step(Joined(nn.Conv2d(1, 4, 3), nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), lambda a, b: torch.cat([a, b], dim=-1), Mean()), mean, numbers(1, 8, 8), classes(10))},
        5: {"": lambda: step(Joined(nn.Linear(4, 16), nn.Linear(4, 17), lambda a, b: a + b, Mean()), mean, numbers(4), classes(10))},
        6: {"": lambda: step(Joined(nn.Linear(4, 16), nn.Linear(4, 1), lambda a, b: a + b, Mean()), mean, numbers(4), classes(10))},
        7: {
            "MSELoss": lambda: step(three(), lambda o, t: F.mse_loss(o, t.float()), numbers(4), classes(3)),
            "MSELoss, a batch of 3": with_small_batch,
        },
        8: {
            "CrossEntropyLoss": lambda: step(three(), F.cross_entropy, numbers(4), np.eye(3, dtype="float32")[classes(3)]),
            "NLLLoss": lambda: step(nn.Sequential(three(), nn.LogSoftmax(-1)), F.nll_loss, numbers(4), np.eye(3, dtype="int64")[classes(3)]),
        },
        9: {"": lambda: step(three(), F.cross_entropy, numbers(4), classes(3, 1))},
        10: {"": lambda: step(three(), F.cross_entropy, numbers(4), labels)},
        11: {"": lambda: step(flat(), F.mse_loss, numbers(4), numbers(1))},
        12: {"": lambda: step(nn.Sequential(nn.Conv2d(3, 8, 3), Mean()), mean, numbers(32, 32, 3), classes(10))},
        14: {"": lambda: step(nn.Sequential(nn.Conv2d(8, 8, 5), Mean()), mean, numbers(8, 3, 3), classes(10))},
        15: {"": lambda: step(nn.Sequential(nn.Conv2d(1, 8, 3), Mean()), mean, numbers(28, 28), classes(10))},
        16: {"": lambda: tensor(numbers(784)).reshape(BATCH, 28, 27, 1)},
        17: {"": lambda: step(nn.Linear(4, 8), mean, numbers(5), classes(10))},
        18: {"": lambda: F.rleu(tensor(numbers(4)))},
        19: {"": lambda: torch.optim.Adma(three().parameters())},
        20: {"": lambda: nn.Conv2d(1, 8, 3, strde=2)},
        21: {"": lambda: TensorDataset(torch.zeros(100, 28, 28), torch.zeros(90))},
    }


def with_keras():
    import keras
    from keras import layers

    def forget():
        """Numbers layers from the beginning and shuffles alike, so that no mistake hangs on its neighbours."""
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)

    backend = keras.backend.backend()
    versions = {"keras": keras.__version__}
    versions[backend] = __import__(backend).__version__

    def fit(model, loss, x, y):
        model.compile("sgd", loss)
        model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)

    def net(shape, *stack):
        return keras.Sequential([keras.Input(shape), *stack])

    def joined(shape, left, right, join):
        """Two branches joined, and one number made of what comes out."""
        given = keras.Input(shape)
        ends = []
        for stack in (left, right):
            end = given
            for layer in stack:
                end = layer(end)
            ends.append(end)
        return keras.Model(given, layers.Dense(1)(layers.Flatten()(join(ends))))

    conv = lambda: layers.Conv2D(8, 3)
    sparse = "sparse_categorical_crossentropy"
    three = lambda: net((4,), layers.Dense(3, activation="softmax"))
    labels = classes(3)
    labels[5] = 7

    def stated_size():
        head = keras.Sequential([keras.Input((4096,)), layers.Dense(10)])
        given = keras.Input((28, 28, 1))
        fit(keras.Model(given, head(layers.Flatten()(conv()(given)))), sparse, numbers(28, 28, 1), classes(10))

    def lost_label():
        """The loss of the one sample whose label is no class."""
        losses = keras.losses.SparseCategoricalCrossentropy(reduction=None)(labels, three()(numbers(4)))
        raise RuntimeWarning(f"the loss of that sample is {abs(float(losses[5]))}")

    return versions, f"keras with {backend}", forget, {
        1: {"": lambda: fit(net((28, 28, 1), conv(), layers.Dense(10, activation="softmax")), sparse, numbers(28, 28, 1), classes(10))},
        2: {"when built": stated_size, "in fit": lambda: fit(net((4096,), layers.Dense(10)), sparse, numbers(5408), classes(10))},
        3: {"": lambda: fit(joined((28, 28, 1), [conv()], [conv(), layers.MaxPooling2D(2)], layers.Concatenate()), "mse", numbers(28, 28, 1), numbers(1))},
        4: {"": lambda: fit(joined((8, 8, 1), [layers.Conv2D(4, 3)], [layers.Flatten(), layers.Dense(1)], layers.Concatenate()), "mse", numbers(8, 8, 1), numbers(1))},
        5: {"": lambda: fit(joined((4,), [layers.Dense(16)], [layers.Dense(17)], layers.Add()), "mse", numbers(4), numbers(1)),
            "with +": lambda: fit(joined((4,), [layers.Dense(16)], [layers.Dense(17)], lambda ends: ends[0] + ends[1]), "mse", numbers(4), numbers(1))},
        6: {"": lambda: fit(joined((4,), [layers.Dense(16)], [layers.Dense(1)], layers.Add()), "mse", numbers(4), numbers(1))},
        7: {"categorical_crossentropy": lambda: fit(three(), "categorical_crossentropy", numbers(4), classes(3)),
            "mse": lambda: fit(three(), "mse", numbers(4), classes(3))},
        8: {"": lambda: fit(three(), sparse, numbers(4), np.eye(3, dtype="float32")[classes(3)])},
        9: {"": lambda: fit(three(), sparse, numbers(4), classes(3, 1))},
        10: {"": lambda: fit(three(), sparse, numbers(4), labels), "that sample": lost_label},
        11: {"": lambda: fit(net((4,), layers.Dense(1), layers.Reshape(())), "mse", numbers(4), numbers(1))},
        12: {"": lambda: fit(net((32, 32, 3), conv(), layers.Flatten(), layers.Dense(1)), "mse", numbers(3, 32, 32), numbers(1))},
        13: {"a kernel of 5": lambda: fit(net((3, 32, 32), layers.Conv2D(8, 5), layers.Flatten(), layers.Dense(1)), "mse", numbers(3, 32, 32), numbers(1)),
             "a kernel of 3": lambda: fit(net((3, 32, 32), conv(), layers.Flatten(), layers.Dense(1)), "mse", numbers(3, 32, 32), numbers(1))},
        14: {"": lambda: net((3, 3, 8), layers.Conv2D(8, 5))},
        15: {"": lambda: net((28, 28), conv())},
        16: {"": lambda: net((784,), layers.Reshape((28, 27, 1)))},
        17: {"": lambda: fit(net((4,), layers.Dense(8), layers.Dense(1)), "mse", numbers(5), numbers(1))},
        18: {"": lambda: layers.Dense(4, activation="rleu")},
        19: {"": lambda: three().compile("adma", sparse)},
        20: {"": lambda: layers.Conv2D(8, 3, strde=2)},
        21: {"": lambda: fit(net((28, 28), layers.Flatten(), layers.Dense(10, activation="softmax")), sparse, np.zeros((100, 28, 28)), np.zeros(90))},
    }


def main():
    versions, who, forget, mistakes = {"torch": with_torch, "keras": with_keras}[sys.argv[1]]()
    kept = json.loads(PLACE.read_text()) if PLACE.exists() else {"versions": {}, "said": {}}
    kept["versions"] |= versions
    for number, ways in mistakes.items():
        said = {}
        for way, mistake in ways.items():
            forget()
            said[way] = said_by(mistake)
        kept["said"].setdefault(str(number), {})[who] = said
    kept["versions"] = dict(sorted(kept["versions"].items()))
    kept["said"] = {key: dict(sorted(kept["said"][key].items())) for key in sorted(kept["said"], key=int)}
    PLACE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


main()
