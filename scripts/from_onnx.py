#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns an ONNX model, and an input tensor if there is one, into a file for fusedconv_app.

The model is one block, y = GroupNorm(activation((conv2d(x) + bias) * scale)): Conv, Add, Mul,
Sigmoid (or Relu, Tanh, Gelu, Swish, x * Sigmoid(x), or none), and GroupNormalization or the
Reshape, InstanceNormalization, Reshape, Mul, Add that PyTorch exports for it. Add and Mul before
the activation may be left out. Parameters are constants, whose values are computed here where the
graph computes them. Anything else is refused with a sentence that says what.

With INPUT (.npy, or .h5 with a dataset `input`) the file is an input of fusedconv_app; without, it
holds the parameters, for fusedconv_app --parameters.

The model is run on the first image, or on a random one, by ONNX Runtime or else onnx.reference, and
refused unless it computes what the file says; where neither is installed a note says so. With
--reference the result in float64 is written too, as dataset `output`, computed by NumPy from the
float32 values that fusedconv_app computes from.

Exit codes: 0 done, 2 bad input or usage.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

try:
    import h5py
    import numpy as np
    import onnx
except ImportError as error:
    print("from_onnx.py: error: expected the Python packages onnx, numpy and h5py, found: "
          f"{error}", file=sys.stderr)
    sys.exit(2)

from layer_import.files import check_readable, load_array, new_file, write_input
from layer_import.layer import Hyperparameters, InputError, Parameters, check
from layer_import.onnx_graph import Reader
from peer_comparison.errors import Failure
from peer_comparison.layer import block_float64, relative_l2_error


def load_model(path: Path) -> onnx.ModelProto:
    check_readable(path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's own, of no common kind, or that of a missing data file
        raise InputError(f"{path}: expected an ONNX model, found a file that onnx.load refuses: "
                         f"{type(error).__name__}") from error
    if not model.graph.node:
        raise InputError(f"{path}: expected an ONNX model, found one without operations")
    return model


def random_image(parameters: Parameters, hyperparameters: Hyperparameters, model: onnx.ModelProto,
                 name: str) -> np.ndarray:
    """One of the model's input size, or of a small one where the model leaves it open."""
    channels = parameters["conv.weight"].shape[1] * hyperparameters.groups
    dims = next(each for each in model.graph.input if each.name == name).type.tensor_type.shape.dim
    spans = [dilation * (size - 1) + 1 for dilation, size in
             zip(hyperparameters.dilation, parameters["conv.weight"].shape[2:])]
    sizes = [dims[2 + axis].dim_value if len(dims) == 4 else 0 for axis in range(2)]
    height, width = (size or span + 12 for size, span in zip(sizes, spans))
    return np.random.default_rng(0).random((1, channels, height, width), np.float32)


def float64_images(x: np.ndarray, parameters: Parameters, hyperparameters: Hyperparameters):
    """The block's output in float64 from values rounded to float32, image by image."""
    p = hyperparameters
    cout = len(parameters["conv.weight"])
    values = {"conv.bias": np.zeros(cout), "bias": np.zeros(cout), "scale": np.ones(cout),
              "group_norm.weight": np.ones(cout), "group_norm.bias": np.zeros(cout), **parameters}
    rounded = {name: np.asarray(array, np.float32) if name == "conv.weight"
               else np.asarray(array, np.float32).reshape(cout, 1, 1)
               for name, array in values.items()}
    sizes = {"padding": p.padding, "stride": p.stride, "dilation": p.dilation, "groups": p.groups,
             "num_groups": p.num_groups, "eps": p.eps, "activation": p.activation}
    for image in x:
        yield block_float64(image.astype(np.float32), rounded, sizes)


def run_model(path: Path, model: onnx.ModelProto, name: str, image: np.ndarray
              ) -> np.ndarray | None:
    """The model's output for one image (1, Cin, H, W); None where nothing can run it."""
    tensor_type = next(each for each in model.graph.input if each.name == name).type.tensor_type
    dims = tensor_type.shape.dim
    batch = dims[0].dim_value if len(dims) == 4 else 0
    images = np.repeat(image, batch or 1, axis=0)
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor_type.elem_type)
    except AttributeError:  # before onnx 1.13, which cannot run a model either
        dtype = np.float32
    feed = {name: images.astype(dtype)}
    try:
        try:
            import onnxruntime
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # what is wrong is in the exception
            session = onnxruntime.InferenceSession(str(path), options,
                                                   providers=["CPUExecutionProvider"])
            return session.run(None, feed)[0][:1]
        except ImportError:
            from onnx.reference import ReferenceEvaluator
            return ReferenceEvaluator(model).run(None, feed)[0][:1]
    except ImportError:
        return None
    except Exception as error:  # of a runtime's own kind
        raise InputError(f"{path}: expected a model that computes this block, found one that fails "
                         f"on an image: {str(error).strip().splitlines()[0]}") from error


def check_model(path: Path, model: onnx.ModelProto, name: str, image: np.ndarray,
                parameters: Parameters, hyperparameters: Hyperparameters) -> None:
    """Throws InputError unless the model computes the block."""
    found = run_model(path, model, name, image)
    if found is None:
        print(f"from_onnx.py: {path}: not run, since neither onnxruntime nor onnx 1.13 is "
              "installed: its structure alone says that it is this block", file=sys.stderr)
        return
    expected, = float64_images(image, parameters, hyperparameters)
    precision = "fp32" if found.dtype in (np.float32, np.float64) else "bf16"
    try:
        relative_l2_error(found[0].astype(np.float64), expected, precision)
    except Failure as error:
        raise InputError(f"{path}: expected a model that computes group_norm("
                         f"{hyperparameters.activation}((conv(x) + bias) * scale)): {error}"
                         ) from error


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="from_onnx.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="the model of one block")
    parser.add_argument("input", type=Path, nargs="?", metavar="INPUT",
                        help="the input tensor: .npy, or .h5 with a dataset `input`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="LAYER.h5",
                        help="the file to write for fusedconv_app")
    parser.add_argument("--reference", type=Path, metavar="REF.h5",
                        help="the file to write the float64 result into")
    arguments = parser.parse_args()
    if arguments.reference and not arguments.input:
        raise InputError("--reference: expected INPUT, found none")
    files = [path.resolve() for path in (arguments.model, arguments.input, arguments.output,
                                         arguments.reference) if path]
    for path in files:
        if files.count(path) > 1:
            raise InputError(f"{path}: expected each file once, found {files.count(path)} times")
    return arguments


def write_reference(file: h5py.File, x: np.ndarray, parameters: Parameters,
                    hyperparameters: Hyperparameters) -> None:
    """Writes dataset `output`, float64 (N, Cout, Hout, Wout), one image at a time."""
    output = None
    for n, image in enumerate(float64_images(x, parameters, hyperparameters)):
        if output is None:
            output = file.create_dataset("output", (len(x), *image.shape), np.float64)
            output.attrs["made_by"] = f"NumPy {np.__version__}"
        output[n] = image


def run(arguments: argparse.Namespace) -> None:
    model = load_model(arguments.model)
    reader = Reader(str(arguments.model), model)
    layer = reader.parameters, reader.hyperparameters
    x = load_array(arguments.input) if arguments.input else None
    image = random_image(*layer, model, reader.input) if x is None else x[:1]
    check(image if x is None else x, *layer)
    check_model(arguments.model, model, reader.input, image, *layer)
    # Both files or none.
    with contextlib.ExitStack() as stack:
        write_input(stack.enter_context(new_file(arguments.output)), x, *layer)
        if arguments.reference:
            write_reference(stack.enter_context(new_file(arguments.reference)), x, *layer)
    for path in (arguments.output, arguments.reference):
        if path:
            print(f"wrote {path}")


def main() -> int:
    try:
        run(parse_arguments())
    except InputError as error:
        print(f"from_onnx.py: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
