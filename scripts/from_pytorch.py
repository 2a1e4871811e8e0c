#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns a PyTorch block and an input tensor into an input file for fusedconv_app.

The block is y = GroupNorm(activation((conv2d(x) + bias) * scale)), in PyTorch

    __init__: conv = nn.Conv2d(...), group_norm = nn.GroupNorm(...),
              bias and scale = nn.Parameter(...) of shape (C, 1, 1)
    forward:  x = conv(x); x = sigmoid((x + bias) * scale); return group_norm(x)

It comes from one of
    --state-dict FILE.pt   torch.save(block.state_dict(), FILE.pt), with these names;
                           hyper-parameters are options, the activation is sigmoid
    --module FILE          a whole module, whose hyper-parameters are taken from it: any of
                             torch.export.save(torch.export.export(block, (x,)), "FILE.pt2")
                             torch.save(block, "FILE.pt")
                             torch.jit.script(block).save("FILE.pt"), with these names
    --demo                 random parameters and input, the same for the same --seed

A module of the first two kinds may have any names, leave out bias, scale and the activation, or
have the activation relu, silu, gelu (either kind) or tanh: it is the operations that are read. Each
module is run on an image, and refused unless it computes what the file says.

The first two kinds need --allow-pickle: PyTorch unpickles them, or parts of them, which runs code
that the file names and can be anything. A state_dict, a scripted module, and an ONNX model, for
which there is from_onnx.py, need it not. The source of what torch.save has made of a module must be
importable (PYTHONPATH).

With --reference, PyTorch's result in float64 is written too, as dataset `output`, computed from
the float32 values that fusedconv_app computes from.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Mapping

try:
    import h5py
    import numpy as np
    import torch
except ImportError as error:
    print("from_pytorch.py: error: expected the Python packages torch, numpy and h5py, found: "
          f"{error}", file=sys.stderr)
    sys.exit(2)

from layer_import.files import check_readable, load_array, new_file, write_input
from layer_import.layer import (PARAMETER_NAMES, Hyperparameters, InputError, Pair, Parameters,
                                check)
from layer_import.torch_program import Reader, export


def to_numpy(name: str, tensor: object) -> np.ndarray:
    """A tensor as an array of its own type; types that HDF5 lacks (bfloat16) become float32."""
    if not isinstance(tensor, torch.Tensor):
        raise InputError(f"{name}: expected a tensor, found {type(tensor).__name__}")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise InputError(f"{name}: expected a dense tensor, found {tensor.layout} {tensor.dtype}")
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise InputError(f"{name}: expected real numbers, found {tensor.dtype}")
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32,
                                                           torch.float64):
        tensor = tensor.float()
    return tensor.numpy()


def torch_load(path: Path) -> object:
    check_readable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of TorchScript files before it refuses them
            return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: expected tensors saved by torch.save, found a file that "
                         "torch.load(weights_only=True) refuses") from error


def block_parameters(path: Path, state: Mapping[str, object]) -> dict[str, np.ndarray]:
    """The parameters of a state_dict that came from `path`."""
    unknown = [str(key) for key in state if key not in PARAMETER_NAMES]
    if unknown:
        raise InputError(f"{path}: expected the keys {', '.join(PARAMETER_NAMES)}, found "
                         f"{', '.join(unknown)}")
    if "conv.weight" not in state:
        raise InputError(f"{path}: expected the key conv.weight, found "
                         f"{', '.join(state) or 'none'}")
    return {name: to_numpy(f"{path}: {name}", state[name])
            for name in PARAMETER_NAMES if name in state}


def load_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The parameters of a file written by torch.save(block.state_dict(), path)."""
    state = torch_load(path)
    if not isinstance(state, Mapping):
        raise InputError(f"{path}: expected a state_dict, found {type(state).__name__}")
    return block_parameters(path, state)


def load_input(path: Path) -> np.ndarray:
    """The input tensor of a .pt file, a .npy file, or an HDF5 file's dataset `input`."""
    return to_numpy(str(path), torch_load(path)) if path.suffix == ".pt" else load_array(path)


def kind_of_module(path: Path) -> str:
    """Which function of PyTorch wrote a module; the archives' contents differ."""
    check_readable(path)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: expected a module saved by torch.export.save, torch.save or "
                         "torch.jit.save, found a file that is none of them")
    with zipfile.ZipFile(path) as archive:
        names = [name.split("/", 1)[-1] for name in archive.namelist()]
    if "constants.pkl" in names:
        return "TorchScript"
    return "pickle" if "data.pkl" in names else "program"


def load_script(path: Path) -> torch.jit.ScriptModule:
    """A block saved by torch.jit.script(block).save(path)."""
    try:
        module = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: expected a TorchScript module, found a file that torch.jit.load "
                         "refuses") from error
    if not hasattr(module, "conv") or not hasattr(module, "group_norm"):
        raise InputError(f"{path}: expected a module with conv and group_norm, found "
                         f"{', '.join(name for name, _ in module.named_children()) or 'none'}")
    return module


def check_allowed(path: Path, allowed: bool) -> None:
    """Throws InputError for what is not to be unpickled."""
    if not allowed:
        raise InputError(f"{path}: expected --allow-pickle for a module saved by torch.export.save "
                         "or torch.save, found none: to load it runs code that the file names, so "
                         "do it only with files that you trust")


def load_pickled_module(path: Path) -> torch.nn.Module:
    """A module saved by torch.save(module, path). Runs code that the file names."""
    try:
        module = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # its code can throw anything
        raise InputError(f"{path}: expected a module saved by torch.save whose source can be "
                         f"imported, found: {type(error).__name__}: {error}") from error
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"{path}: expected an nn.Module, found {type(module).__name__}")
    return module


def load_program(path: Path) -> torch.export.ExportedProgram:
    """What torch.export.save has written. PyTorch unpickles parts of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own buffers
            return torch.export.load(path)
    except Exception as error:  # it does not say what it throws
        raise InputError(f"{path}: expected a program saved by torch.export.save, found a file "
                         f"that torch.export.load refuses: {type(error).__name__}") from error


def read_module(path: Path, x: np.ndarray, allow_pickle: bool
                ) -> tuple[torch.nn.Module, dict[str, np.ndarray], Hyperparameters, int]:
    """A module with the block that it computes, and the images that one run of it takes."""
    kind = kind_of_module(path)
    if kind == "TorchScript":
        module = load_script(path)
        return (module, block_parameters(path, module.state_dict()),
                module_hyperparameters(path, module), 1)
    if not hasattr(torch, "export"):
        raise InputError(f"{path}: expected PyTorch 2.4 or later for such a module, found "
                         f"{torch.__version__}")
    if x.ndim != 4 or x.size == 0:
        raise InputError(f"input: expected a non-empty shape (N, Cin, H, W), found {x.shape}")
    check_allowed(path, allow_pickle)
    images = 1
    if kind == "pickle":
        module = load_pickled_module(path).float()
        program = export(str(path), module, torch.from_numpy(x[:1].astype(np.float32)))
    else:
        program = load_program(path)
        module = program.module()
        shape = next(node.meta["val"].shape for node in program.graph.nodes
                     if node.name in program.graph_signature.user_inputs)
        images = shape[0] if len(shape) > 0 and isinstance(shape[0], int) else 1
    reader = Reader(str(path), program, to_numpy)
    return module, reader.parameters, reader.hyperparameters, images


def module_hyperparameters(path: Path, module: torch.jit.ScriptModule) -> Hyperparameters:
    """The hyper-parameters of a module with `conv` (nn.Conv2d) and `group_norm` (nn.GroupNorm)."""
    conv, group_norm = module.conv, module.group_norm
    try:
        if conv.padding_mode != "zeros":
            raise InputError(f"{path}: conv.padding_mode: expected zeros, found "
                             f"{conv.padding_mode}")
        if isinstance(conv.padding, str):
            raise InputError(f"{path}: conv.padding: expected two integers, found "
                             f"'{conv.padding}'")
        if len(conv.stride) != 2:
            raise InputError(f"{path}: conv: expected an nn.Conv2d, found a convolution of "
                             f"{len(conv.stride)} dimensions")
        return Hyperparameters(group_norm.num_groups, group_norm.eps, tuple(conv.stride),
                               tuple(conv.padding), tuple(conv.dilation), conv.groups)
    except AttributeError as error:
        raise InputError(f"{path}: expected an nn.Conv2d as conv and an nn.GroupNorm as "
                         f"group_norm, found other modules ({error})") from error


def demo(n: int, cin: int, h: int, w: int, cout: int, kernel: Pair,
         hyperparameters: Hyperparameters, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A random float32 input and random float32 parameters.

    The input is uniform in [0, 1), the convolution's parameters uniform in +-1/sqrt(fan_in), where
    nn.Conv2d starts, bias and scale standard normal; the affine part of the normalisation is
    uniform in [0.5, 1.5) and [-0.5, 0.5), so that a mistake in it shows.
    """
    # The stream of RandomState is frozen: unlike torch's it is the same in every release.
    random = np.random.RandomState(seed)
    weight_shape = (cout, cin // hyperparameters.groups, *kernel)
    fan_in = math.prod(weight_shape[1:])
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
    x = random.uniform(0, 1, (n, cin, h, w))
    parameters = {
        "conv.weight": random.uniform(-bound, bound, weight_shape),
        "conv.bias": random.uniform(-bound, bound, cout),
        "bias": random.standard_normal((cout, 1, 1)),
        "scale": random.standard_normal((cout, 1, 1)),
        "group_norm.weight": random.uniform(0.5, 1.5, cout),
        "group_norm.bias": random.uniform(-0.5, 0.5, cout),
    }
    return (x.astype(np.float32),
            {name: array.astype(np.float32) for name, array in parameters.items()})


def evaluate(x: np.ndarray, parameters: Parameters, hyperparameters: Hyperparameters,
             dtype: torch.dtype) -> np.ndarray:
    """The block by PyTorch in `dtype`, from the values rounded to float32."""
    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(dtype)

    def parameter(name: str) -> torch.Tensor | None:
        return tensor(parameters[name]) if name in parameters else None

    p = hyperparameters
    s = torch.conv2d(tensor(x), parameter("conv.weight"), parameter("conv.bias"), p.stride,
                     p.padding, p.dilation, p.groups)
    if "bias" in parameters:
        s = s + parameter("bias").reshape(-1, 1, 1)
    if "scale" in parameters:
        s = s * parameter("scale").reshape(-1, 1, 1)
    functional = torch.nn.functional
    activate = {"sigmoid": torch.sigmoid, "relu": torch.relu, "silu": functional.silu,
                "gelu": functional.gelu, "tanh": torch.tanh, "identity": lambda v: v,
                "gelu_tanh": lambda v: functional.gelu(v, approximate="tanh")}[p.activation]
    # What nn.GroupNorm calls, without its refusal of a single value in training.
    return torch.group_norm(activate(s), p.num_groups, parameter("group_norm.weight"),
                            parameter("group_norm.bias"), p.eps).numpy()


def check_module(path: Path, module: torch.nn.Module, images: int, x: np.ndarray,
                 parameters: Parameters, hyperparameters: Hyperparameters) -> None:
    """Throws InputError unless the module, which takes so many images at a time, computes the
    block: its forward could do anything."""
    expected = evaluate(x[:1], parameters, hyperparameters, torch.float64)
    first = np.repeat(x[:1], images, axis=0).astype(np.float32)
    try:
        with torch.no_grad():
            found = module.float().double()(torch.from_numpy(first).double())
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"{path}: expected a module that computes this block, found one that "
                         f"fails on the first image: {str(error).strip().splitlines()[-1]}"
                         ) from error
    if (not isinstance(found, torch.Tensor) or found.shape[1:] != expected.shape[1:]
            or not np.allclose(found[:1].numpy(), expected, rtol=1e-9, atol=1e-9, equal_nan=True)):
        raise InputError(f"{path}: expected a module that computes "
                         f"group_norm({hyperparameters.activation}((conv(x) + bias) * scale)), "
                         "found other values on the first image")


def write_reference(file: h5py.File, x: np.ndarray, parameters: Parameters,
                    hyperparameters: Hyperparameters) -> None:
    """Writes dataset `output`, float64 (N, Cout, Hout, Wout), one image at a time."""
    for n in range(x.shape[0]):
        image = evaluate(x[n:n + 1], parameters, hyperparameters, torch.float64)
        if n == 0:
            output = file.create_dataset("output", (x.shape[0], *image.shape[1:]), np.float64)
            output.attrs["made_by"] = f"PyTorch {torch.__version__}"
        output[n] = image[0]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="from_pytorch.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)

    def integer(group: argparse._ArgumentGroup, name: str, help: str) -> None:
        group.add_argument(name, type=int, metavar="I", help=help)

    def integers(group: argparse._ArgumentGroup, name: str, help: str) -> None:
        group.add_argument(name, type=int, nargs="+", metavar="I",
                           help=f"one integer or two {help}")

    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--state-dict", type=Path, metavar="FILE.pt", help="a saved state_dict")
    source.add_argument("--module", type=Path, metavar="FILE", help="a saved module")
    source.add_argument("--demo", action="store_true", help="random parameters and input")
    parser.add_argument("--allow-pickle", action="store_true",
                        help="load a --module that torch.export.save or torch.save has made, which "
                        "runs code that the file names: only for files that you trust")
    parser.add_argument("--input", type=Path, metavar="X",
                        help="the input tensor: .pt, .npy, or .h5 with a dataset `input`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="INPUT.h5",
                        help="the file to write for fusedconv_app")
    parser.add_argument("--reference", type=Path, metavar="REF.h5",
                        help="the file to write PyTorch's float64 result into")
    hyperparameters = parser.add_argument_group(
        "hyper-parameters (with --state-dict and --demo; where two, height and width)")
    integer(hyperparameters, "--num-groups", "of nn.GroupNorm; needed")
    hyperparameters.add_argument("--eps", type=float, metavar="E", help="of nn.GroupNorm (1e-5)")
    integers(hyperparameters, "--stride", "(1)")
    integers(hyperparameters, "--padding", "(0); what is padded is zeros")
    integers(hyperparameters, "--dilation", "(1)")
    integer(hyperparameters, "--groups", "of nn.Conv2d (1)")
    sizes = parser.add_argument_group("sizes (with --demo)")
    integer(sizes, "--n", "images (5)")
    integer(sizes, "--cin", "input channels (8)")
    integer(sizes, "--h", "input height (20)")
    integer(sizes, "--w", "input width (24)")
    integer(sizes, "--cout", "output channels (16)")
    integers(sizes, "--kernel", "(3)")
    integer(sizes, "--seed", "of the random numbers, in [0, 2^32) (0)")
    arguments = parser.parse_args()

    def given(group: argparse._ArgumentGroup) -> str:
        return " ".join(action.option_strings[0] for action in group._group_actions
                        if getattr(arguments, action.dest) is not None)

    if arguments.allow_pickle and not arguments.module:
        raise InputError("--allow-pickle: expected --module, found none")
    if arguments.module and given(hyperparameters):
        raise InputError(f"--module: expected the hyper-parameters of the module, found "
                         f"{given(hyperparameters)} too")
    if not arguments.module and arguments.num_groups is None:
        raise InputError("--num-groups: expected an integer, found none")
    if not arguments.demo and given(sizes):
        raise InputError(f"the sizes: expected those of the tensors, found {given(sizes)}")
    if arguments.demo and arguments.input:
        raise InputError("--demo: expected a random input, found --input too")
    if not arguments.demo and not arguments.input:
        raise InputError("--input: expected a file, found none")
    return arguments


def pair(name: str, values: list[int] | None, default: int) -> Pair:
    """One or two integers of the command line as (height, width)."""
    values = [default] if values is None else values
    if len(values) > 2:
        raise InputError(f"{name}: expected one or two integers, found {len(values)}")
    return values[0], values[-1]


def command_line_hyperparameters(arguments: argparse.Namespace) -> Hyperparameters:
    return Hyperparameters(arguments.num_groups, 1e-5 if arguments.eps is None else arguments.eps,
                           pair("--stride", arguments.stride, 1),
                           pair("--padding", arguments.padding, 0),
                           pair("--dilation", arguments.dilation, 1),
                           1 if arguments.groups is None else arguments.groups)


def command_line_demo(arguments: argparse.Namespace, hyperparameters: Hyperparameters
                      ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    sizes = {"n": 5, "cin": 8, "h": 20, "w": 24, "cout": 16}
    for name in sizes:
        if getattr(arguments, name) is not None:
            sizes[name] = getattr(arguments, name)
        if sizes[name] < 1:
            raise InputError(f"--{name}: expected a positive integer, found {sizes[name]}")
    kernel = pair("--kernel", arguments.kernel, 3)
    if min(kernel) < 1:
        raise InputError(f"--kernel: expected positive integers, found {kernel}")
    if hyperparameters.groups < 1:
        raise InputError(f"--groups: expected a positive integer, found {hyperparameters.groups}")
    seed = 0 if arguments.seed is None else arguments.seed
    if not 0 <= seed < 2**32:
        raise InputError(f"--seed: expected an integer in [0, 2^32), found {seed}")
    return demo(**sizes, kernel=kernel, hyperparameters=hyperparameters, seed=seed)


def run(arguments: argparse.Namespace) -> None:
    files = [path.resolve() for path in (arguments.state_dict, arguments.module, arguments.input,
                                         arguments.output, arguments.reference) if path]
    for path in files:
        if files.count(path) > 1:
            raise InputError(f"{path}: expected each file once, found {files.count(path)} times")
    if arguments.module:
        x = load_input(arguments.input)
        module, parameters, hyperparameters, images = read_module(arguments.module, x,
                                                                  arguments.allow_pickle)
        check(x, parameters, hyperparameters)
        check_module(arguments.module, module, images, x, parameters, hyperparameters)
    else:
        hyperparameters = command_line_hyperparameters(arguments)
        if arguments.demo:
            x, parameters = command_line_demo(arguments, hyperparameters)
        else:
            parameters = load_state_dict(arguments.state_dict)
            x = load_input(arguments.input)
        check(x, parameters, hyperparameters)
    # Both files or none.
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new_file(arguments.output))
        write_input(file, x, parameters, hyperparameters)
        if arguments.reference:
            reference = stack.enter_context(new_file(arguments.reference))
            write_reference(reference, x, parameters, hyperparameters)
    for path in (arguments.output, arguments.reference):
        if path:
            print(f"wrote {path}")


def main() -> int:
    try:
        run(parse_arguments())
    except InputError as error:
        print(f"from_pytorch.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
