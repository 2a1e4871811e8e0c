# SPDX-License-Identifier: Apache-2.0
"""The block y = GroupNorm(activation((conv2d(x) + bias) * scale)): its parameters and sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping

import numpy as np

Pair = tuple[int, int]
Parameters = Mapping[str, np.ndarray]

# The keys of the block's state_dict, which are the names of the datasets.
PARAMETER_NAMES = ("conv.weight", "conv.bias", "bias", "scale", "group_norm.weight",
                   "group_norm.bias")

# By their names in the file's attribute `activation`; gelu_tanh is GELU's approximation by tanh.
ACTIVATIONS = ("sigmoid", "relu", "silu", "gelu", "gelu_tanh", "tanh", "identity")


class InputError(Exception):
    """What was given cannot be used: the object, what was expected, what was found."""


@dataclass(frozen=True)
class Hyperparameters:
    """What a state_dict does not hold. Pairs are (height, width)."""
    num_groups: int
    eps: float = 1e-5
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    activation: str = "sigmoid"  # of ACTIVATIONS


def check(x: np.ndarray, parameters: Parameters, hyperparameters: Hyperparameters) -> None:
    """Throws InputError unless all sizes fit together and the output has at least one element."""
    def expect(condition: bool, name: str, expected: object, found: object) -> None:
        if not condition:
            raise InputError(f"{name}: expected {expected}, found {found}")

    p = hyperparameters
    weight = parameters["conv.weight"]
    expect(x.ndim == 4 and x.size > 0, "input", "a non-empty shape (N, Cin, H, W)", x.shape)
    expect(weight.ndim == 4 and weight.size > 0, "conv.weight",
           "a non-empty shape (Cout, Cin/conv.groups, kH, kW)", weight.shape)
    cout, cin_per_group, *kernel = weight.shape
    expect(p.groups >= 1 and x.shape[1] % p.groups == 0 and cout % p.groups == 0, "conv.groups",
           f"a positive divisor of Cin = {x.shape[1]} and Cout = {cout}", p.groups)
    expect(cin_per_group * p.groups == x.shape[1], "conv.weight",
           f"Cin/conv.groups = {x.shape[1]}/{p.groups} as second extent", weight.shape)
    expect(p.num_groups >= 1 and cout % p.num_groups == 0, "group_norm.num_groups",
           f"a positive divisor of Cout = {cout}", p.num_groups)
    expect(math.isfinite(p.eps) and p.eps > 0, "group_norm.eps", "a positive number", p.eps)
    expect(min(p.stride) >= 1, "conv.stride", "positive integers", p.stride)
    expect(min(p.padding) >= 0, "conv.padding", "integers that are not negative", p.padding)
    expect(min(p.dilation) >= 1, "conv.dilation", "positive integers", p.dilation)
    for name, array in parameters.items():
        if name in ("bias", "scale"):
            expect(array.shape in ((cout, 1, 1), (1, cout, 1, 1), (cout,)), name,
                   f"the shape ({cout}, 1, 1), (1, {cout}, 1, 1) or ({cout},)", array.shape)
        elif name != "conv.weight":
            expect(array.shape == (cout,), name, f"the shape ({cout},)", array.shape)
    for axis, extent, size, padding, dilation in zip(("height", "width"), x.shape[2:], kernel,
                                                     p.padding, p.dilation):
        span = dilation * (size - 1) + 1
        expect(extent + 2 * padding >= span, f"conv.weight's {axis}",
               f"a dilated extent of at most the padded input's {extent + 2 * padding}", span)
