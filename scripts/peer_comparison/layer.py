# SPDX-License-Identifier: Apache-2.0
"""The layer that peers compute: its values, and its output in float64."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Mapping

from .errors import Failure

# Relative L2 errors to float64 far above the rounding in a precision: a peer that has a larger one
# does not compute this layer.
LARGEST_ERROR = {"fp32": 1e-3, "tf32": 1e-2, "bf16": 1e-1}

BLOCK_ELEMENTS = 1 << 22  # of an input that are taken to float64 at a time


def random_layer(sizes: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An input and parameters of the distributions that fusedconv_bench has; the affine part of the
    normalisation is random too, so that a mistake in it shows in the error."""
    import numpy as np
    random = np.random.default_rng(0)
    cout = sizes["out_channels"]
    weight_shape = (cout, sizes["in_channels"] // sizes["groups"], *sizes["kernel_size"])
    bound = 1 / math.sqrt(math.prod(weight_shape[1:]))
    x = random.random((sizes["batch"], sizes["in_channels"], sizes["height"], sizes["width"]),
                      np.float32)
    parameters = {
        "conv.weight": random.uniform(-bound, bound, weight_shape),
        "conv.bias": random.uniform(-bound, bound, cout),
        "bias": random.standard_normal((cout, 1, 1)),
        "scale": random.standard_normal((cout, 1, 1)),
        "group_norm.weight": random.uniform(0.5, 1.5, cout),
        "group_norm.bias": random.uniform(-0.5, 0.5, cout),
    }
    return x, {name: array.astype(np.float32) for name, array in parameters.items()}


def activate(name: str, v: Any) -> Any:
    """An activation as PyTorch defines it; gelu_tanh is GELU's approximation by tanh."""
    import numpy as np
    if name == "identity":
        return v
    if name == "relu":
        return np.where(v < 0, 0, v)  # NaN stays
    if name == "tanh":
        return np.tanh(v)
    if name == "gelu":
        erf = np.frompyfunc(math.erf, 1, 1)
        return 0.5 * v * (1 + erf(v / math.sqrt(2)).astype(np.float64))
    if name == "gelu_tanh":
        return 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))
    with np.errstate(over="ignore"):  # where a sigmoid is 0
        sigmoid = 1 / (1 + np.exp(-v))
    if name == "silu":
        return v * sigmoid
    if name != "sigmoid":
        raise Failure(f"activation: expected one that PyTorch has, found {name}")
    return sigmoid


def block_float64(image: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    """GroupNorm(activation((conv2d(image) + bias) * scale)) of one image (Cin, H, W) in float64;
    sizes may name an `activation`, which is sigmoid otherwise."""
    import numpy as np
    p = {name: array.astype(np.float64) for name, array in parameters.items()}
    (ph, pw), (sh, sw), (dh, dw) = sizes["padding"], sizes["stride"], sizes["dilation"]
    weight = p["conv.weight"]
    cout, cin_per_group, kh, kw = weight.shape
    groups = sizes["groups"]
    padded = np.pad(image, ((0, 0), (ph, ph), (pw, pw)))
    hout = (padded.shape[1] - dh * (kh - 1) - 1) // sh + 1
    wout = (padded.shape[2] - dw * (kw - 1) - 1) // sw + 1
    c = np.zeros((groups, cout // groups, hout, wout))
    # In blocks of rows, so that a large image's copies in float64 do not add up.
    block = max(1, BLOCK_ELEMENTS // (image.shape[0] * wout))
    for first in range(0, hout, block):
        count = min(block, hout - first)
        for i in range(kh):
            for j in range(kw):
                top = first * sh + i * dh
                rows = slice(top, top + (count - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (wout - 1) * sw + 1, sw)
                x = padded[:, rows, columns].astype(np.float64)
                with np.errstate(invalid="ignore"):  # NaN and infinities are values like others
                    c[:, :, first:first + count] += (
                        weight[:, :, i, j].reshape(groups, -1, cin_per_group)
                        @ x.reshape(groups, cin_per_group, -1)).reshape(groups, -1, count, wout)
    y = c.reshape(cout, hout, wout)
    per_group = cout // sizes["num_groups"]
    for first in range(0, cout, per_group):
        channels = slice(first, first + per_group)

        def of(name: str) -> Any:
            return p[name].reshape(-1, 1, 1)[channels]

        s = activate(sizes.get("activation", "sigmoid"),
                     (y[channels] + of("conv.bias") + of("bias")) * of("scale"))
        y[channels] = ((s - s.mean()) / np.sqrt(s.var() + sizes["eps"]) * of("group_norm.weight")
                       + of("group_norm.bias"))
    return y


def first_image_float64(path: Path, x: Any, parameters: Mapping[str, Any],
                        sizes: Mapping[str, Any]) -> Any:
    """block_float64() of the first image of x, kept in a file for the next peer."""
    import numpy as np
    if not path.exists():
        unfinished = path.with_name(path.name + ".part")
        with unfinished.open("wb") as file:
            np.save(file, block_float64(x[0], parameters, sizes))
        unfinished.replace(path)
    return np.load(path)


def relative_l2_error(found: Any, expected: Any, precision: str) -> float:
    """Of an image. Throws Failure where it is too large for the precision."""
    import numpy as np
    if found.shape != expected.shape:
        raise Failure(f"output: expected the shape {expected.shape}, found {found.shape}")
    error = float(np.linalg.norm((found - expected).ravel()) / np.linalg.norm(expected.ravel()))
    if not error < LARGEST_ERROR[precision]:
        raise Failure(f"output: expected the layer's in {precision}, found a relative L2 error of "
                      f"{error:.2g} to float64")
    return error
