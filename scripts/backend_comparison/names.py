# SPDX-License-Identifier: Apache-2.0
"""The backends that fusedconv has, in the order of its `auto`, and how they are written."""

from __future__ import annotations

from typing import Sequence

TITLES = {"cuda": "CUDA", "hip": "HIP", "openmp": "OpenMP", "serial": "Serial"}


def title(name: str) -> str:
    """Of a backend; float64 is called what it is, and other execution spaces of Kokkos likewise."""
    return TITLES.get(name, name)


def joined(names: Sequence[str]) -> str:
    """As in a sentence."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
