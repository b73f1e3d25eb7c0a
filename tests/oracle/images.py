"""Values and gradients of the layers for images and series, by PyTorch's functions of the same kind.

Run with:  python3 -m venv VENV && VENV/bin/pip install torch && VENV/bin/python tests/oracle/images.py
It writes `images.json` beside itself; its form is described in `cases.py`. What PyTorch does otherwise:
  layout         It has the channels first, and the filters as [c_out, c_in, h, w], those of a transposed convolution as
                 [c_in, c_out, h, w].
  padding        Its own is the same at both ends, as a number is here. `same`, with the odd zero behind, is put around the image:
                 zeros for a convolution, minus infinity for a maximum, and for a mean zeros that are not counted. Of a
                 transposed convolution the same places are cut off.
"""

import torch
import torch.nn.functional as F
from cases import Cases, Numbers

SAMPLES = 2


def first(x):
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


def same(extents, size, stride, dilation=1):
    """The places to put around the spatial axes, in the order of `F.pad`: the last axis first."""
    around = []
    for n in reversed(extents):
        places = -(-n // stride)
        missing = max((places - 1) * stride + (size - 1) * dilation + 1 - n, 0)
        around += [missing // 2, missing - missing // 2]
    return around


def padded(x, size, stride, padding, dilation=1, value=0.0):
    """An image with its channels first."""
    return F.pad(x, same(x.shape[2:], size, stride, dilation), value=value) if padding == "same" else x


def own(padding):
    """The padding that PyTorch itself is told of."""
    return 0 if padding in ("valid", "same") else padding


def conv(x, w, b=None, stride=1, padding="valid", dilation=1, groups=1):
    function = F.conv2d if x.ndim == 4 else F.conv1d
    x = padded(first(x), w.shape[0], stride, padding, dilation)
    filters = w.movedim((-1, -2), (0, 1))
    return last(function(x, filters, b, stride, own(padding), dilation, groups))


def conv_transpose(x, w, b, stride, padding):
    size = w.shape[0]
    # Where windows leave a gap, `same` fills it with zeros behind the last one.
    behind = max(stride - size, 0) if padding == "same" else 0
    y = F.conv_transpose2d(first(x), w.movedim((-2, -1), (0, 1)), b, stride, own(padding), behind)
    if padding == "same":
        top, left = max(size - stride, 0) // 2, max(size - stride, 0) // 2
        y = y[:, :, top : top + x.shape[1] * stride, left : left + x.shape[2] * stride]
    return last(y)


def max_pool(x, size, stride, padding):
    return last(F.max_pool2d(padded(first(x), size, stride, padding, value=-torch.inf), size, stride, own(padding)))


def avg_pool(x, size, stride, padding):
    if padding not in ("valid", "same"):
        return last(F.avg_pool2d(first(x), size, stride, padding, count_include_pad=False))

    def mean(x):
        return F.avg_pool2d(padded(first(x), size, stride, padding), size, stride)

    return last(mean(x) / mean(torch.ones_like(x)))


def group_norm(v, groups):
    return last(F.group_norm(first(v["x"]), groups, v["group_norm_1.gamma"], v["group_norm_1.beta"]))


def separable(v, **options):
    path = "separable_conv2d_1."
    y = conv(v["x"], v[path + "depthwise_conv2d_1.W"], groups=v["x"].shape[-1], **options)
    return conv(y, v[path + "conv2d_1.W"], v[path + "conv2d_1.b"])


def main():
    cases = Cases(SAMPLES)

    def filters(layer, shape, function, x=(7, 6, 4), bias=True):
        """A layer with weights of that shape, and, unless told otherwise, a bias."""
        path = layer.split("(")[0] + "_1"
        params = {f"{path}.W": shape} | ({f"{path}.b": shape[-1:]} if bias else {})
        cases.add(f"x |> {layer}", {"x": x}, params, lambda v: function(v["x"], v[f"{path}.W"], v.get(f"{path}.b")))

    filters("conv2d(3, 3)", (3, 3, 4, 3), conv)
    filters("conv2d(5, 3, padding = same)", (3, 3, 4, 5), lambda *v: conv(*v, padding="same"))
    filters("conv2d(3, 4, padding = same, stride = 2)", (4, 4, 4, 3), lambda *v: conv(*v, 2, "same"))
    filters("conv2d(2, 2, stride = 3)", (2, 2, 4, 2), lambda *v: conv(*v, 3))
    filters("conv2d(2, 2, dilation = 3)", (2, 2, 4, 2), lambda *v: conv(*v, dilation=3))
    filters("conv2d(6, 3, groups = 2, padding = same)", (3, 3, 2, 6), lambda *v: conv(*v, 1, "same", groups=2))
    filters("conv2d(2, 6, bias = false)", (6, 6, 4, 2), conv, bias=False)
    filters("conv1d(3, 3)", (3, 4, 3), conv, x=(9, 4))
    filters(
        "conv1d(4, 3, stride = 2, padding = same, groups = 2)",
        (3, 2, 4),
        lambda *v: conv(*v, 2, "same", groups=2),
        x=(9, 4),
    )
    filters("conv1d(2, 2, dilation = 3)", (2, 4, 2), lambda *v: conv(*v, dilation=3), x=(9, 4))
    filters("depthwise_conv2d(3)", (3, 3, 1, 4), lambda *v: conv(*v, groups=4))
    filters(
        "depthwise_conv2d(3, stride = 2, padding = same, multiplier = 2)",
        (3, 3, 1, 8),
        lambda *v: conv(*v, 2, "same", groups=4),
    )
    filters("depthwise_conv2d(2, dilation = 2, bias = false)", (2, 2, 1, 4), lambda *v: conv(*v, 1, "valid", 2, 4), bias=False)
    cases.add(
        "x |> separable_conv2d(3, 3, padding = same, multiplier = 2)",
        {"x": (7, 6, 4)},
        {
            "separable_conv2d_1.depthwise_conv2d_1.W": (3, 3, 1, 8),
            "separable_conv2d_1.conv2d_1.W": (1, 1, 8, 3),
            "separable_conv2d_1.conv2d_1.b": (3,),
        },
        lambda v: separable(v, padding="same"),
    )
    for size, stride, padding in [(3, 1, "valid"), (3, 2, "valid"), (4, 2, "same"), (2, 3, "same"), (3, 2, "same")]:
        filters(
            f"conv2d_transpose(3, {size}, stride = {stride}, padding = {padding})",
            (size, size, 2, 3),
            lambda *v: conv_transpose(*v, stride, padding),
            x=(4, 3, 2),
        )

    for size, stride, padding in [(2, 2, "valid"), (3, 2, "same"), (2, 1, "valid"), (2, 3, "same")]:
        call = f"pool2d({size}, stride = {stride}, padding = {padding})"
        # Quarters, so that windows hold equal elements: the gradient goes to the first of them.
        x = (Numbers(1).array((SAMPLES, 7, 6, 3)) * 4).round() / 4
        cases.add(f"x |> max_{call}", {"x": x}, {}, lambda v: max_pool(v["x"], size, stride, padding))
        cases.add(f"x |> avg_{call}", {"x": (7, 6, 3)}, {}, lambda v: avg_pool(v["x"], size, stride, padding))
    cases.add("x |> global_avg_pool", {"x": (7, 6, 3)}, {}, lambda v: F.adaptive_avg_pool2d(first(v["x"]), 1).flatten(1))
    cases.add("x |> upsample2d(3)", {"x": (3, 2, 2)}, {}, lambda v: last(F.interpolate(first(v["x"]), scale_factor=3)))

    params = {"group_norm_1.gamma": (6,), "group_norm_1.beta": (6,)}
    cases.add("x |> group_norm(2)", {"x": (5, 4, 6)}, params, lambda v: group_norm(v, 2))
    cases.add("x |> group_norm(6)", {"x": (5, 4, 6)}, params, lambda v: group_norm(v, 6))

    filters("conv2d(3, [3, 5], stride = [2, 1], padding = [1, 2])", (3, 5, 4, 3), lambda *v: conv(*v, [2, 1], [1, 2]))
    filters("conv2d(2, 3, padding = 1, dilation = [1, 2])", (3, 3, 4, 2), lambda *v: conv(*v, 1, 1, [1, 2]))
    filters("conv1d(3, 4, padding = 2)", (4, 4, 3), lambda *v: conv(*v, padding=2), x=(9, 4))
    filters("depthwise_conv2d(3, padding = 1)", (3, 3, 1, 4), lambda *v: conv(*v, padding=1, groups=4))
    filters(
        "depthwise_conv2d([2, 3], stride = [1, 2], padding = [0, 1])",
        (2, 3, 1, 4),
        lambda *v: conv(*v, [1, 2], [0, 1], groups=4),
    )
    filters(
        "conv2d_transpose(3, [4, 3], stride = [3, 2], padding = [1, 0])",
        (4, 3, 2, 3),
        lambda *v: conv_transpose(*v, [3, 2], [1, 0]),
        x=(4, 3, 2),
    )
    filters("conv2d_transpose(3, 3, padding = 1)", (3, 3, 2, 3), lambda *v: conv_transpose(*v, 1, 1), x=(4, 3, 2))
    for size, options, stride, padding in [
        ([2, 3], "padding = 1", [2, 3], 1),
        ([3, 2], "stride = [1, 2], padding = [1, 0]", [1, 2], [1, 0]),
        (3, "stride = 2, padding = 1", 2, 1),
    ]:
        x = (Numbers(2).array((SAMPLES, 7, 6, 3)) * 4).round() / 4
        call = f"pool2d({size}, {options})"
        cases.add(f"x |> max_{call}", {"x": x}, {}, lambda v: max_pool(v["x"], size, stride, padding))
        cases.add(f"x |> avg_{call}", {"x": (7, 6, 3)}, {}, lambda v: avg_pool(v["x"], size, stride, padding))
    cases.write(__file__)


if __name__ == "__main__":
    main()
