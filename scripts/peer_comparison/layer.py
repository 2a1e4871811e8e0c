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


def block_float64(image: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    """GroupNorm(sigmoid((conv2d(image) + bias) * scale)) of one image (Cin, H, W) in float64."""
    import numpy as np
    p = {name: array.astype(np.float64) for name, array in parameters.items()}
    (ph, pw), (sh, sw), (dh, dw) = sizes["padding"], sizes["stride"], sizes["dilation"]
    weight = p["conv.weight"]
    cout, cin_per_group, kh, kw = weight.shape
    groups = sizes["groups"]
    padded = np.pad(image.astype(np.float64), ((0, 0), (ph, ph), (pw, pw)))
    hout = (padded.shape[1] - dh * (kh - 1) - 1) // sh + 1
    wout = (padded.shape[2] - dw * (kw - 1) - 1) // sw + 1
    c = np.zeros((groups, cout // groups, hout * wout))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dh, i * dh + (hout - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (wout - 1) * sw + 1, sw)
            c += (weight[:, :, i, j].reshape(groups, -1, cin_per_group)
                  @ padded[:, rows, columns].reshape(groups, cin_per_group, -1))
    v = (c.reshape(cout, hout, wout) + p["conv.bias"].reshape(-1, 1, 1) + p["bias"]) * p["scale"]
    s = (1 / (1 + np.exp(-v))).reshape(sizes["num_groups"], -1)
    variance = s.var(axis=1, keepdims=True)
    normalised = (s - s.mean(axis=1, keepdims=True)) / np.sqrt(variance + sizes["eps"])
    return (normalised.reshape(cout, hout, wout) * p["group_norm.weight"].reshape(-1, 1, 1)
            + p["group_norm.bias"].reshape(-1, 1, 1))


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
