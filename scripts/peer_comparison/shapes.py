# SPDX-License-Identifier: Apache-2.0
"""The layers that scripts time, as values of fusedconv_bench's options."""

from __future__ import annotations

from typing import Any, Mapping

from .errors import UsageError

# Layers beside the named shapes of fusedconv_bench.
SHAPES = {
    "1x1": {"n": 8, "cin": 16, "h": 128, "w": 128, "cout": 32, "kernel": [1], "num-groups": 8},
    "5x5": {"n": 8, "cin": 16, "h": 128, "w": 128, "cout": 32, "kernel": [5], "num-groups": 8},
    "7x7": {"n": 8, "cin": 3, "h": 224, "w": 224, "cout": 64, "kernel": [7], "num-groups": 8,
            "stride": [2], "padding": [3]},
    "point": {"n": 32, "cin": 256, "h": 56, "w": 56, "cout": 256, "kernel": [1],
              "num-groups": 32},
    "k5": {"n": 64, "cin": 16, "h": 128, "w": 128, "cout": 32, "kernel": [5], "num-groups": 8},
    "big": {"n": 1, "cin": 8, "h": 4096, "w": 4096, "cout": 32, "kernel": [3], "num-groups": 8},
}
HOST_SHAPES = ("headline:8", "headline:1", "mid:2", "wide:2", "1x1", "5x5", "7x7")
CUDA_SHAPES = ("headline", "mid", "wide", "point", "k5", "big")


def default_shapes(backend: str) -> tuple[str, ...]:
    """The shapes that are timed on a backend of fusedconv unless others are asked for."""
    return CUDA_SHAPES if backend == "cuda" else HOST_SHAPES


def bench_options(values: Mapping[str, Any]) -> list[str]:
    """fusedconv_bench's command line for values of its options."""
    options = []
    for option, value in values.items():
        options += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    return options


def layer_options(shape: str, sizes: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of the shape that --shape asks for, empty where `sizes` make another of it, and
    fusedconv_bench's options for it."""
    name, colon, images = shape.partition(":")
    if not name or colon and (not images.isdecimal() or int(images) < 1):
        raise UsageError(f"--shape: expected NAME or NAME:N with a positive integer N, found "
                         f"'{shape}'")
    values = dict(SHAPES[name]) if name in SHAPES else {"shape": name}
    if images:
        values["n"] = int(images)
    values.update(sizes)
    return ("" if set(sizes) - {"n"} else name), bench_options(values)
