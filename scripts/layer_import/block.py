# SPDX-License-Identifier: Apache-2.0
"""Puts the block together from the operations of a network, one after another, and refuses in a
sentence what the block is not."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .layer import ACTIVATIONS, Hyperparameters, InputError, Pair

# What the block is made of, in this order.
INPUT, CONVOLVED, SHIFTED, SCALED, ACTIVATED, NORMALISED = range(6)
FORM = "group_norm(activation((conv2d(x) + bias) * scale))"


def stored(array: np.ndarray) -> np.ndarray:
    """As a file keeps it: a native array of its own type."""
    return np.ascontiguousarray(array)


class Block:
    """The block as far as it has been read; `source` names it in errors."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._stage = INPUT
        self._parameters: dict[str, np.ndarray] = {}
        self._conv: dict[str, object] = {}
        self._norm: dict[str, object] = {}
        self._activation = "identity"

    def refuse(self, name: str, expected: object, found: object) -> InputError:
        return InputError(f"{self._source}: {name}: expected {expected}, found {found}")

    def _enter(self, name: str, stage: int, allowed: Sequence[int]) -> None:
        after = ("at the beginning", "after the convolution", "after an addition",
                 "after a multiplication", "after the activation", "after the normalisation")
        if self._stage not in allowed:
            raise self.refuse(name, f"the form {FORM}", f"it {after[self._stage]}")
        self._stage = stage

    @property
    def channels(self) -> int:
        """Of the output; 0 before the convolution."""
        weight = self._parameters.get("conv.weight")
        return 0 if weight is None else len(weight)

    def convolve(self, name: str, weight: np.ndarray, bias: np.ndarray | None, stride: Pair,
                 padding: Pair, dilation: Pair, groups: int) -> None:
        self._enter(name, CONVOLVED, [INPUT])
        if weight.ndim != 4:
            raise self.refuse(name, "a convolution of two dimensions",
                              f"weights of shape {weight.shape}")
        self._parameters["conv.weight"] = stored(weight)
        if bias is not None:
            self._parameters["conv.bias"] = stored(bias)
        self._conv = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def same_padding(self, name: str, kernel: Sequence[int], dilation: Sequence[int]) -> Pair:
        """With which the output of a convolution without strides is as large as the input."""
        rows, columns = (d * (k - 1) for d, k in zip(dilation, kernel))
        if rows % 2 or columns % 2:
            raise self.refuse(name, "as much padding on both sides",
                              f"a kernel of {kernel[0]}x{kernel[1]}, which needs {rows} rows and "
                              f"{columns} columns in all")
        return rows // 2, columns // 2

    def _per_channel(self, name: str, array: np.ndarray) -> np.ndarray:
        """A value for each channel, as broadcasting to (N, C, H, W) gives it."""
        shape = (1,) * (4 - array.ndim) + array.shape
        if array.ndim > 4 or shape not in ((1, self.channels, 1, 1), (1, 1, 1, 1)):
            raise self.refuse(name, f"one value or one of each of {self.channels} channels, as "
                              f"({self.channels}, 1, 1)", f"the shape {array.shape}")
        return stored(np.broadcast_to(array.reshape(-1), (self.channels,)))

    def add(self, name: str, array: np.ndarray) -> None:
        if self._stage == NORMALISED:
            self._shift_output(self._per_channel(name, array))
            return
        self._enter(name, SHIFTED, [CONVOLVED])
        self._parameters["bias"] = self._per_channel(name, array).reshape(-1, 1, 1)

    def multiply(self, name: str, array: np.ndarray) -> None:
        if self._stage == NORMALISED:
            values = self._per_channel(name, array)
            weight = self._parameters.get("group_norm.weight")
            self._parameters["group_norm.weight"] = values if weight is None else weight * values
            if "group_norm.bias" in self._parameters:
                self._parameters["group_norm.bias"] = self._parameters["group_norm.bias"] * values
            return
        self._enter(name, SCALED, [CONVOLVED, SHIFTED])
        self._parameters["scale"] = self._per_channel(name, array).reshape(-1, 1, 1)

    def _shift_output(self, values: np.ndarray) -> None:
        bias = self._parameters.get("group_norm.bias")
        self._parameters["group_norm.bias"] = values if bias is None else bias + values

    def activate(self, name: str, activation: str) -> None:
        self._enter(name, ACTIVATED, [CONVOLVED, SHIFTED, SCALED])
        if activation not in ACTIVATIONS:
            raise self.refuse(name, f"an activation among {', '.join(ACTIVATIONS)}", activation)
        self._activation = activation

    def multiply_by_sigmoid(self, name: str) -> None:
        """v * sigmoid(v), where sigmoid(v) is what came last."""
        if self._stage != ACTIVATED or self._activation != "sigmoid":
            raise self.refuse(name, f"the form {FORM}", "a product of two tensors")
        self._activation = "silu"

    def normalise(self, name: str, num_groups: int, eps: float, weight: np.ndarray | None,
                  bias: np.ndarray | None) -> None:
        """`weight` and `bias` have a value for each channel or for each group."""
        self._enter(name, NORMALISED, [CONVOLVED, SHIFTED, SCALED, ACTIVATED])
        if num_groups < 1 or self.channels % num_groups:
            raise self.refuse(name, f"a number of groups that divides {self.channels} channels",
                              num_groups)
        self._norm = {"num_groups": num_groups, "eps": eps}
        for key, array in (("group_norm.weight", weight), ("group_norm.bias", bias)):
            if array is None:
                continue
            if array.shape == (num_groups,):
                array = np.repeat(array, self.channels // num_groups)
            if array.shape != (self.channels,):
                raise self.refuse(name, f"{self.channels} or {num_groups} values",
                                  f"the shape {array.shape}")
            self._parameters[key] = stored(array)

    def finish(self) -> tuple[dict[str, np.ndarray], Hyperparameters]:
        if self._stage != NORMALISED:
            raise self.refuse("output", f"the form {FORM}", "no group normalisation at its end")
        return self._parameters, Hyperparameters(**self._norm, **self._conv,
                                                 activation=self._activation)
