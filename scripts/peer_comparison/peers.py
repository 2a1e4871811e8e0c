# SPDX-License-Identifier: Apache-2.0
"""The programs that compute the same layer: PyTorch eager, torch.compile and ONNX Runtime, in the
precisions that they offer. Each is prepared, and computes, in a process of its own."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from .errors import Failure


@dataclass(frozen=True)
class PreparedPeer:
    """A peer that is ready to compute a layer."""
    run_ms: Callable[[], float]  # computes once, and returns the milliseconds that it took
    first_image: Callable[[], Any]  # of the output of a run, (Cout, Hout, Wout) on the host
    versions: dict[str, str]
    release: Callable[[], None] = lambda: None  # memory that the next run takes again


@dataclass(frozen=True)
class Peer:
    """What can be compared with: prepare(x, parameters, sizes, device, threads) makes it."""
    title: str
    packages: tuple[str, ...]
    prepare: Callable[..., PreparedPeer]
    precision: str = "fp32"
    backends: tuple[str, ...] = ()  # of fusedconv, that it can be compared on; empty: all


def wall_clock_ms(run: Callable[[], None]) -> float:
    """Of a run that returns when its output is whole."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def prepare_torch(x: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any], device: str,
                  threads: int, precision: str = "fp32", mode: str | None = None) -> PreparedPeer:
    """PyTorch, compiled in a mode of torch.compile where one is given. In fp32 TF32 is forbidden,
    in tf32 allowed, in bf16 input, parameters and output are bfloat16."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            cout = sizes["out_channels"]
            self.conv = torch.nn.Conv2d(
                sizes["in_channels"], cout, sizes["kernel_size"], sizes["stride"],
                sizes["padding"], sizes["dilation"], sizes["groups"])
            self.bias = torch.nn.Parameter(torch.zeros(cout, 1, 1))
            self.scale = torch.nn.Parameter(torch.ones(cout, 1, 1))
            self.group_norm = torch.nn.GroupNorm(sizes["num_groups"], cout, sizes["eps"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.group_norm(torch.sigmoid((self.conv(x) + self.bias) * self.scale))

    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    block = Block()
    block.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})
    block = block.eval().requires_grad_(False).to(device, dtype)
    x = torch.from_numpy(x).to(device, dtype)
    function = torch.compile(block, dynamic=False, mode=mode) if mode else block
    versions = {"torch": torch.__version__}

    @torch.inference_mode()
    def run() -> torch.Tensor:
        return function(x)

    def first_image() -> Any:
        return run()[0].float().cpu().numpy()

    if device == "cpu":
        return PreparedPeer(lambda: wall_clock_ms(run), first_image, versions)

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def run_between_events_ms() -> float:
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    return PreparedPeer(run_between_events_ms, first_image, versions, torch.cuda.empty_cache)


def onnx_model(x_shape: Sequence[int], y_shape: Sequence[int], parameters: Mapping[str, Any],
               sizes: Mapping[str, Any]) -> bytes:
    """The block as torch.onnx.export writes it, which ONNX Runtime computes faster than the same
    with the operator GroupNormalization: that one it takes apart."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    num_groups = sizes["num_groups"]
    constants = dict(parameters)
    for name in ("group_norm.weight", "group_norm.bias"):
        constants[name] = parameters[name].reshape(-1, 1, 1)
    constants["ones"] = np.ones(num_groups, np.float32)
    constants["zeros"] = np.zeros(num_groups, np.float32)
    constants["grouped_shape"] = np.array([0, num_groups, -1], np.int64)
    constants["output_shape"] = np.array(y_shape, np.int64)
    ph, pw = sizes["padding"]
    nodes = [
        helper.make_node("Conv", ["input", "conv.weight", "conv.bias"], ["c"],
                         kernel_shape=sizes["kernel_size"], strides=sizes["stride"],
                         pads=[ph, pw, ph, pw], dilations=sizes["dilation"],
                         group=sizes["groups"]),
        helper.make_node("Add", ["c", "bias"], ["shifted"]),
        helper.make_node("Mul", ["shifted", "scale"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["s"]),
        helper.make_node("Reshape", ["s", "grouped_shape"], ["grouped"]),
        helper.make_node("InstanceNormalization", ["grouped", "ones", "zeros"], ["normalised"],
                         epsilon=sizes["eps"]),
        helper.make_node("Reshape", ["normalised", "output_shape"], ["reshaped"]),
        helper.make_node("Mul", ["reshaped", "group_norm.weight"], ["weighted"]),
        helper.make_node("Add", ["weighted", "group_norm.bias"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes, "block",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, y_shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()])
    # The IR version that came with this operator set: newer ones shut older runtimes out.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def prepare_onnxruntime(x: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any],
                        device: str, threads: int) -> PreparedPeer:
    import numpy as np
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    if device == "cuda":
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA and cuDNN as pip installs them
        provider = ("CUDAExecutionProvider",
                    {"use_tf32": "0", "cudnn_conv_algo_search": "EXHAUSTIVE"})
    else:
        provider = ("CPUExecutionProvider", {})
    if provider[0] not in onnxruntime.get_available_providers():
        raise Failure(f"expected an onnxruntime with {provider[0]}, found one with "
                      f"{', '.join(onnxruntime.get_available_providers())}")
    y_shape = [sizes["batch"], sizes["out_channels"]]
    for axis in range(2):
        span = sizes["dilation"][axis] * (sizes["kernel_size"][axis] - 1) + 1
        y_shape.append((x.shape[2 + axis] + 2 * sizes["padding"][axis] - span)
                       // sizes["stride"][axis] + 1)
    session = onnxruntime.InferenceSession(onnx_model(x.shape, y_shape, parameters, sizes), options,
                                           providers=[provider])
    if provider[0] not in session.get_providers():  # it falls back to the host without an error
        raise Failure(f"expected {provider[0]} to start, found a session with "
                      f"{', '.join(session.get_providers())}")
    y = onnxruntime.OrtValue.ortvalue_from_shape_and_type(y_shape, np.float32, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input("input",
                                onnxruntime.OrtValue.ortvalue_from_numpy(x, device, 0))
    binding.bind_ortvalue_output("output", y)

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def first_image() -> Any:
        run()
        return y.numpy()[0]

    return PreparedPeer(lambda: wall_clock_ms(run), first_image,
                        {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__})


def torch_peer(title: str, precision: str = "fp32", mode: str | None = None,
               backends: tuple[str, ...] = ()) -> Peer:
    """A Peer that prepare_torch() makes."""
    prepare = functools.partial(prepare_torch, precision=precision, mode=mode)
    return Peer(title, ("torch", "numpy"), prepare, precision, backends)


TENSOR_CORES = ("cuda",)

PEERS = {
    "eager": torch_peer("PyTorch eager"),
    "compile": torch_peer("torch.compile", mode="default"),
    "autotune": torch_peer("torch.compile, autotuned", mode="max-autotune"),
    "eager-tf32": torch_peer("PyTorch eager, TF32", "tf32", backends=TENSOR_CORES),
    "compile-tf32": torch_peer("torch.compile, TF32", "tf32", "default", TENSOR_CORES),
    "autotune-tf32": torch_peer("torch.compile, autotuned, TF32", "tf32", "max-autotune",
                                TENSOR_CORES),
    "compile-bf16": torch_peer("torch.compile, bfloat16", "bf16", "default"),
    "onnxruntime": Peer("ONNX Runtime", ("onnxruntime", "onnx", "numpy"), prepare_onnxruntime),
}


def default_peers(backend: str) -> tuple[str, ...]:
    """The peers that a backend of fusedconv is compared with unless others are asked for."""
    if backend == "cuda":
        return "eager", "compile", "eager-tf32", "compile-tf32"
    return "eager", "compile", "onnxruntime"
