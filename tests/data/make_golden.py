#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files beside this script: inputs of fusedconv_app with PyTorch's results.

Each NAME.h5 holds an input file (dataset `input`, parameters, attributes) and
    output          float64, by PyTorch in float64 from the float32 values
    output_float32  float32, by PyTorch in float32: what an implementation must not be worse than
README.md says what each case is for. Usage: make_golden.py (no options).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import numpy as np
import torch
from torch.nn import functional

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "scripts"))

import from_pytorch  # noqa: E402
from from_pytorch import Hyperparameters  # noqa: E402

# Input, parameters and hyper-parameters.
Case = tuple[np.ndarray, dict[str, np.ndarray], Hyperparameters]


def random_case(seed: int, x: tuple[int, int, int, int], cout: int, kernel: tuple[int, int],
                num_groups: int, **hyperparameters: object) -> Case:
    """A case of from_pytorch.demo for an input of shape x."""
    p = Hyperparameters(num_groups, **hyperparameters)
    return (*from_pytorch.demo(*x, cout, kernel, p, seed), p)


def saturated() -> Case:
    x, parameters, p = random_case(14, (2, 4, 12, 13), 8, (3, 3), 4)
    parameters["scale"][:] = np.where(parameters["scale"] < 0, -50, 50)
    return x, parameters, p


def far_mean(seed: int, bias: float) -> Case:
    """Sigmoids near 1, of a variance far below mean^2 and eps; the result is centred on 0."""
    x, parameters, p = random_case(seed, (2, 4, 13, 12), 8, (3, 3), 2)
    parameters["conv.bias"][:] = 0
    parameters["bias"][:] = bias
    parameters["scale"][:] = 1
    parameters["group_norm.bias"][:] = 0
    return x, parameters, p


def zero_variance() -> Case:
    x, parameters, p = random_case(17, (2, 3, 9, 11), 8, (3, 3), 4)
    parameters["conv.weight"][:] = 0
    for name in ("conv.bias", "bias", "scale"):
        parameters[name] = np.repeat(parameters[name][::2], 2, axis=0)  # equal within each group
    return x, parameters, p


def nan_inf() -> Case:
    """Image 0: a NaN; 1: +inf and -inf apart; 2: +inf and -inf under one kernel; 3: nothing.

    With two channel groups, what is in channel 0 touches only the first half of the output.
    """
    x, parameters, p = random_case(18, (4, 4, 9, 10), 8, (3, 3), 4, padding=(1, 1), groups=2)
    x[0, 0, 0, 0] = np.nan
    x[1, 0, 1, 1] = np.inf
    x[1, 0, 7, 7] = -np.inf
    x[2, 1, 4, 4] = np.inf
    x[2, 1, 5, 5] = -np.inf
    return x, parameters, p


def uint8_input() -> Case:
    x, parameters, p = random_case(19, (2, 3, 10, 9), 8, (3, 3), 4)
    parameters["scale"] *= np.float32(1 / 64)  # as a network made for values up to 255 has it
    return (256 * x).astype(np.uint8), parameters, p


def mixed_types() -> Case:
    """Types and shapes that the format allows; values that float32 does not hold are rounded."""
    _, parameters, p = random_case(20, (2, 4, 9, 8), 6, (3, 3), 3, eps=2.0**-10)
    random = np.random.RandomState(20)
    x = random.uniform(0, 1, (2, 4, 9, 8))
    parameters = {
        "conv.weight": parameters["conv.weight"].astype(np.float16),
        "conv.bias": random.standard_normal(6),
        "bias": np.array([-2, -1, 0, 0, 1, 2], np.int8).reshape(1, 6, 1, 1),
        "scale": parameters["scale"].reshape(6).astype(">f4"),
        "group_norm.weight": parameters["group_norm.weight"].astype(">f8"),
        "group_norm.bias": parameters["group_norm.bias"].astype(np.float16),
    }
    return x, parameters, p


def only_required() -> Case:
    x, parameters, p = random_case(21, (2, 4, 8, 9), 6, (3, 3), 3)
    return x, {"conv.weight": parameters["conv.weight"]}, p


CASES: dict[str, Callable[[], Case]] = {
    "basic": lambda: random_case(1, (2, 8, 12, 23), 32, (3, 3), 8),
    "padding": lambda: random_case(2, (2, 4, 9, 11), 8, (3, 3), 4, padding=(1, 1)),
    "stride": lambda: random_case(3, (2, 4, 15, 18), 8, (3, 3), 4, stride=(2, 2)),
    "dilation": lambda: random_case(4, (2, 4, 12, 13), 8, (3, 3), 4, dilation=(2, 2)),
    "rectangular": lambda: random_case(5, (2, 3, 14, 13), 6, (3, 5), 3, stride=(2, 1),
                                       padding=(1, 2), dilation=(1, 2)),
    "channel_groups": lambda: random_case(6, (2, 8, 9, 10), 16, (3, 3), 2, groups=4),
    "depthwise": lambda: random_case(7, (2, 6, 9, 10), 12, (3, 3), 4, groups=6),
    "kernel_1x1": lambda: random_case(8, (2, 16, 7, 9), 24, (1, 1), 4),
    "kernel_5x5": lambda: random_case(9, (2, 3, 14, 13), 8, (5, 5), 4),
    "kernel_7x7_stride_2": lambda: random_case(10, (1, 3, 25, 22), 16, (7, 7), 8, stride=(2, 2),
                                               padding=(3, 3)),
    "groups_equal_channels": lambda: random_case(11, (2, 4, 10, 11), 8, (3, 3), 8),
    "one_group": lambda: random_case(12, (2, 4, 10, 11), 8, (3, 3), 1),
    "one_pixel": lambda: random_case(13, (3, 4, 3, 3), 8, (3, 3), 4),
    "one_value_groups": lambda: random_case(13, (3, 4, 3, 3), 8, (3, 3), 8),
    "saturated": saturated,
    "far_mean": lambda: far_mean(15, 6.9),        # sigmoids about 1 - 1e-3
    "farther_mean": lambda: far_mean(16, 13.8),   # sigmoids about 1 - 1e-6
    "zero_variance": zero_variance,
    "nan_inf": nan_inf,
    "uint8_input": uint8_input,
    "mixed_types": mixed_types,
    "only_required": only_required,
    "primes": lambda: random_case(22, (3, 5, 13, 17), 7, (3, 3), 7),
}


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda a: functional.gelu(a, approximate="tanh"),
    "tanh": torch.tanh,
    "identity": lambda a: a,
}


def write_activation(name: str, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """activation_NAME.h5, with arguments of an activation from -20 to 20 or so."""
    x, parameters, p = random_case(23, (2, 4, 9, 10), 8, (3, 3), 4)
    parameters["scale"] *= 5

    def evaluate(dtype: torch.dtype) -> np.ndarray:
        tensors = {key: torch.from_numpy(array).to(dtype) for key, array in parameters.items()}
        s = torch.conv2d(torch.from_numpy(x).to(dtype), tensors["conv.weight"],
                         tensors["conv.bias"])
        s = function((s + tensors["bias"]) * tensors["scale"])
        return torch.group_norm(s, p.num_groups, tensors["group_norm.weight"],
                                tensors["group_norm.bias"], p.eps).numpy()

    with from_pytorch.new_file(HERE / f"activation_{name}.h5") as file:
        from_pytorch.write_input(file, x, parameters, p)
        file.attrs["activation"] = name
        file["output"] = evaluate(torch.float64)
        file["output"].attrs["made_by"] = f"PyTorch {torch.__version__}"
        file["output_float32"] = evaluate(torch.float32)


def main() -> None:
    torch.set_num_threads(1)  # sums in one order
    for name, function in ACTIVATIONS.items():
        write_activation(name, function)
    for name, make in CASES.items():
        x, parameters, hyperparameters = make()
        from_pytorch.check(x, parameters, hyperparameters)
        with from_pytorch.new_file(HERE / f"{name}.h5") as file:
            from_pytorch.write_input(file, x, parameters, hyperparameters)
            from_pytorch.write_reference(file, x, parameters, hyperparameters)
            file["output_float32"] = from_pytorch.evaluate(x, parameters, hyperparameters,
                                                           torch.float32)
            if name == "only_required":
                for attribute in sorted(set(file.attrs) - {"group_norm.num_groups"}):
                    del file.attrs[attribute]


if __name__ == "__main__":
    main()
