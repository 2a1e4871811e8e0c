# SPDX-License-Identifier: Apache-2.0
"""An input file of fusedconv_app, as the reference in float64 takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

import h5py
import numpy as np

from peer_comparison.layer import block_float64


def read_parameters(file: h5py.File) -> dict[str, Any]:
    """All parameters as float32, as fusedconv_app reads them, with what stands for absent ones."""
    weight = file["conv.weight"][...].astype(np.float32)
    cout = weight.shape[0]
    absent = {"conv.bias": 0, "bias": 0, "scale": 1, "group_norm.weight": 1, "group_norm.bias": 0}
    parameters = {"conv.weight": weight}
    for name, value in absent.items():
        parameters[name] = (file[name][...].astype(np.float32).reshape(cout, 1, 1)
                            if name in file else np.full((cout, 1, 1), value, np.float32))
    return parameters


class LayerFile:
    """An input that fusedconv_app has accepted; `sizes` are those of its report."""

    def __init__(self, path: Path, sizes: Mapping[str, Any]) -> None:
        self._path = path
        self._sizes = sizes
        with h5py.File(path, "r") as file:
            self._parameters = read_parameters(file)

    def output_float64(self, image: int) -> Any:
        """(Cout, Hout, Wout) of one image, from the values rounded to float32."""
        with h5py.File(self._path, "r") as file:
            x = file["input"][image].astype(np.float32)
        return block_float64(x, self._parameters, self._sizes)
