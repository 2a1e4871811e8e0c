# SPDX-License-Identifier: Apache-2.0
"""Random layers, of sizes that layers of networks have, as values of fusedconv_bench's options."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, Mapping


@dataclass(frozen=True)
class Bounds:
    """Of a layer that is neither too small to be timed nor takes too long or too much memory."""
    most_elements: int  # of the input, and of the output
    fewest_outputs: int
    most_operations: int  # multiplications and additions


GPU_BOUNDS = Bounds(300_000_000, 200_000, 200_000_000_000)
HOST_BOUNDS = Bounds(3_000_000, 20_000, 2_000_000_000)


def output_extents(values: Mapping[str, Any]) -> list[int]:
    """Height and width; below 1 where the kernel does not fit into the padded input."""
    extents = []
    for axis, option in ((0, "h"), (-1, "w")):  # a list of one value holds both axes'
        reach = values["dilation"][axis] * (values["kernel"][axis] - 1) + 1
        padded = values[option] + 2 * values["padding"][axis]
        extents.append((padded - reach) // values["stride"][axis] + 1)
    return extents


def fits(values: Mapping[str, Any], bounds: Bounds) -> bool:
    """Whether there is such a layer, and within the bounds."""
    extents = output_extents(values)
    if min(extents) < 1:
        return False
    inputs = values["n"] * values["cin"] * values["h"] * values["w"]
    outputs = values["n"] * values["cout"] * math.prod(extents)
    kernel_elements = values["kernel"][0] * values["kernel"][-1]
    operations = 2 * outputs * values["cin"] // values["groups"] * kernel_elements
    return (max(inputs, outputs) <= bounds.most_elements and outputs >= bounds.fewest_outputs
            and operations <= bounds.most_operations)


def draw(generator: random.Random) -> dict[str, Any]:
    """Any layer, also one whose kernel does not fit into its input."""
    def log_uniform(least: int, most: int) -> int:
        return round(math.exp(generator.uniform(math.log(least), math.log(most))))

    def one_of(weights: Mapping[int, int]) -> int:
        return generator.choices(list(weights), list(weights.values()))[0]

    groups = one_of({1: 8, 2: 1, 4: 1})

    def channels(least: int) -> int:
        return -(-log_uniform(least, 256) // groups) * groups

    kernel = [one_of({1: 2, 3: 5, 5: 1, 7: 1})]
    if one_of({0: 7, 1: 1}):
        kernel = generator.sample((1, 3, 5), 2)
    cin, cout = channels(1), channels(2)
    return {"n": log_uniform(1, 128), "cin": cin, "h": log_uniform(16, 1024),
            "w": log_uniform(16, 1024), "cout": cout, "kernel": kernel,
            "stride": [one_of({1: 3, 2: 1})],
            "padding": generator.choice(([0], [extent // 2 for extent in kernel])),
            "dilation": [one_of({1: 7, 2: 1})], "groups": groups,
            "num-groups": generator.choice([divisor for divisor in (1, 2, 4, 8, 16, 32)
                                            if cout % divisor == 0])}


def random_shapes(count: int, seed: int, bounds: Bounds) -> list[dict[str, Any]]:
    """The same for the same seed."""
    generator = random.Random(seed)
    shapes: list[dict[str, Any]] = []
    while len(shapes) < count:
        values = draw(generator)
        if fits(values, bounds):
            shapes.append(values)
    return shapes
