# SPDX-License-Identifier: Apache-2.0
"""Reads inputs, and writes what fusedconv_app reads."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator

import h5py
import numpy as np

from .layer import PARAMETER_NAMES, Hyperparameters, InputError, Pair, Parameters


def check_readable(path: Path) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, found: {error.strerror}") from error


def load_array(path: Path) -> np.ndarray:
    """The input tensor of a .npy file or of an HDF5 file's dataset `input`."""
    check_readable(path)
    if path.suffix == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: expected a NumPy array, found a file that "
                             "numpy.load(allow_pickle=False) refuses") from error
    elif path.suffix in (".h5", ".hdf5"):
        try:
            with h5py.File(path, "r") as file:
                dataset = file.get("input")
                if not isinstance(dataset, h5py.Dataset):
                    raise InputError(f"{path}: expected a dataset `input`, found "
                                     f"{', '.join(file) or 'an empty file'}")
                array = dataset[()]
        except OSError as error:
            raise InputError(f"{path}: expected a readable HDF5 file, found: {error}") from error
    else:
        raise InputError(f"{path}: expected a name ending in .npy, .h5 or .hdf5, found "
                         f"{path.suffix or 'no ending'}")
    if getattr(getattr(array, "dtype", None), "kind", None) not in ("f", "i", "u"):
        raise InputError(f"{path}: expected real numbers, found "
                         f"{getattr(array, 'dtype', type(array).__name__)}")
    return array


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that appears under its name only when whole."""
    part = path.with_name(path.name + ".part")
    try:
        part.touch()
    except OSError as error:
        raise InputError(f"{path}: expected a place to write a file, found: {error.strerror}"
                         ) from error
    try:
        with h5py.File(part, "w") as file:
            yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_input(file: h5py.File, x: np.ndarray | None, parameters: Parameters,
                hyperparameters: Hyperparameters) -> None:
    """Writes the datasets and root attributes that fusedconv_app reads; without an input those of
    a file for its --parameters."""
    def one_or_two(pair: Pair) -> int | Pair:
        return pair[0] if pair[0] == pair[1] else pair

    p = hyperparameters
    if x is not None:
        file["input"] = x
    for name in PARAMETER_NAMES:
        if name in parameters:
            file[name] = parameters[name]
    file.attrs["group_norm.num_groups"] = p.num_groups
    file.attrs["group_norm.eps"] = p.eps
    file.attrs["conv.stride"] = one_or_two(p.stride)
    file.attrs["conv.padding"] = one_or_two(p.padding)
    file.attrs["conv.dilation"] = one_or_two(p.dilation)
    file.attrs["conv.groups"] = p.groups
    if p.activation != "sigmoid":
        file.attrs["activation"] = p.activation
