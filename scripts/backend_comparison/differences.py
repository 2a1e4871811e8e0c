# SPDX-License-Identifier: Apache-2.0
"""How far outputs are from one another and from float64, channel by channel."""

from __future__ import annotations

import itertools
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import h5py
import numpy as np

from peer_comparison.errors import Failure

FLOAT64 = "float64"
BLOCK_ELEMENTS = 1 << 23  # of an output that are compared at a time


class Difference:
    """Of what `of` computed to what `to` did; sums in float64.

    As fusedconv_app's --verify has it: where both are NaN, or infinite with the same sign, they are
    alike and count for nothing; where only one is, they are unlike."""

    def __init__(self, of: str, to: str, images: Sequence[int], channels: int) -> None:
        self._names = {"of": of, "to": to}
        self._images = list(images)
        self._channel_maximum = np.zeros(channels)
        self._maximum = 0.0
        self._at = [0, 0, 0, 0]
        self._squared_difference = 0.0
        self._squared_reference = 0.0
        self._unlike_nonfinite = 0
        self._different_bits = 0

    def add(self, image: int, first_channel: int, found: Any, expected: Any) -> None:
        """Channels of an image, from first_channel on, as arrays (channels, Hout, Wout)."""
        self._different_bits += int(np.count_nonzero(
            (found != expected) & ~(np.isnan(found) & np.isnan(expected))))
        found, expected = found.astype(np.float64), expected.astype(np.float64)
        finite = np.isfinite(found) & np.isfinite(expected)
        if not finite.all():
            alike = (found == expected) | (np.isnan(found) & np.isnan(expected))
            self._unlike_nonfinite += int(np.count_nonzero(~finite & ~alike))
            found, expected = np.where(finite, found, 0), np.where(finite, expected, 0)
        difference = np.abs(found - expected)
        self._squared_difference += float(np.square(difference).sum())
        self._squared_reference += float(np.square(expected).sum())
        channels = slice(first_channel, first_channel + len(difference))
        np.maximum(self._channel_maximum[channels], difference.max(axis=(1, 2)),
                   out=self._channel_maximum[channels])
        at = np.unravel_index(difference.argmax(), difference.shape)
        if difference[at] > self._maximum:
            self._maximum = float(difference[at])
            self._at = [image, first_channel + int(at[0]), int(at[1]), int(at[2])]

    def figures(self) -> dict[str, Any]:
        """Its entry in the JSON."""
        reference = math.sqrt(self._squared_reference)
        difference = math.sqrt(self._squared_difference)
        # A reference of zeros alone has no scale: the error is then absolute.
        return {**self._names, "images": self._images,
                "relative_l2": difference / reference if reference > 0 else difference,
                "maximum": self._maximum, "at": self._at,
                "unlike_nonfinite": self._unlike_nonfinite,
                "different_elements": self._different_bits,
                "channel_maximum": self._channel_maximum.tolist()}


def spread(count: int, total: int) -> list[int]:
    """At most `count` of `total` images, from the first to the last one."""
    count = min(count, total)
    return [round(n * (total - 1) / max(count - 1, 1)) for n in range(count)]


def open_output(stack: ExitStack, backend: str, path: Path, shape: Sequence[int]) -> h5py.Dataset:
    """Throws Failure where there is no output of that shape."""
    try:
        dataset = stack.enter_context(h5py.File(path, "r"))["output"]
    except (OSError, KeyError) as error:
        raise Failure(f"{backend}: expected a file with the dataset `output`, found: {error}"
                      ) from error
    if dataset.shape != tuple(shape):
        raise Failure(f"{backend}: expected an output of shape {tuple(shape)}, found "
                      f"{dataset.shape}")
    return dataset


def compare_outputs(outputs: Mapping[str, Path], sizes: Mapping[str, Any],
                    output_float64: Callable[[int], Any], float64_images: int,
                    say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Differences of each backend to float64, on some images, then of each pair, on all of them."""
    batch, channels = sizes["batch"], sizes["out_channels"]
    plane = sizes["output_height"] * sizes["output_width"]
    block = max(1, BLOCK_ELEMENTS // plane)
    chosen = spread(float64_images, batch)
    with ExitStack() as stack:
        datasets = {name: open_output(stack, name, path, (batch, channels, sizes["output_height"],
                                                          sizes["output_width"]))
                    for name, path in outputs.items()}
        to_float64 = {name: Difference(name, FLOAT64, chosen, channels) for name in outputs}
        between = {pair: Difference(*pair, range(batch), channels)
                   for pair in itertools.combinations(outputs, 2)}
        for image in range(batch if between else 0):
            if image % math.ceil(batch / 5) == 0:
                say(f"comparing the backends' outputs: image {image + 1} of {batch}")
            for first in range(0, channels, block):
                values = {name: dataset[image, first:first + block]
                          for name, dataset in datasets.items()}
                for (of, to), difference in between.items():
                    difference.add(image, first, values[of], values[to])
        for number, image in enumerate(chosen, 1):
            say(f"comparing with float64: image {number} of {len(chosen)}")
            expected = output_float64(image)
            for name, dataset in datasets.items():
                for first in range(0, channels, block):
                    to_float64[name].add(image, first, dataset[image, first:first + block],
                                         expected[first:first + block])
    return [each.figures() for each in (*to_float64.values(), *between.values())]
