#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times fusedconv_bench beside the same layer in PyTorch eager, torch.compile and ONNX Runtime.

All take turns in one run: in each round every program times the layer once, on data that is in
memory already, in float32, with the same number of threads and after runs to warm up. Each peer
is a process of its own, which is stopped while it is not its turn, so that no idle thread of it
takes time from the others. Compilation and graph optimisation are not timed. Peers whose Python
packages (scripts/requirements-peers.txt) are not installed are named and left out.

On a GPU a run lasts until the device is idle again; PyTorch and ONNX Runtime may choose cuDNN's
algorithms by trial (cudnn.benchmark, EXHAUSTIVE), and TF32 is off.

Exit codes: 0 done, 1 failed while running, also where a peer alone failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import importlib
import importlib.util
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

# Layers beside the named shapes of fusedconv_bench, as values of its options.
SHAPES = {
    "1x1": {"n": 8, "cin": 16, "h": 128, "w": 128, "cout": 32, "kernel": [1], "num-groups": 8},
    "5x5": {"n": 8, "cin": 16, "h": 128, "w": 128, "cout": 32, "kernel": [5], "num-groups": 8},
    "7x7": {"n": 8, "cin": 3, "h": 224, "w": 224, "cout": 64, "kernel": [7], "num-groups": 8,
            "stride": [2], "padding": [3]},
}
DEFAULT_SHAPES = ("headline:8", "headline:1", "mid:2", "wide:2", "1x1", "5x5", "7x7")

# fusedconv_bench's options for a single size, and those for one or two (height and width).
SIZE_OPTIONS = ("n", "cin", "h", "w", "cout", "num-groups", "groups")
PAIR_OPTIONS = ("kernel", "stride", "padding", "dilation")

# PyTorch's names of the devices that backends of fusedconv compute on; an AMD GPU's is cuda too.
DEVICES = {"cuda": "cuda", "hip": "cuda", "openmp": "cpu", "serial": "cpu"}

OURS = "fusedconv"
WARM_UP_RUNS = 2  # as many as fusedconv_bench has
SERVE_PEER = "--serve-peer"


class UsageError(Exception):
    """What was given cannot be used: the object, what was expected, what was found."""


class Failure(Exception):
    """Something went wrong while running."""


# The peers: each function below runs in the process of its peer alone.

@dataclass(frozen=True)
class PreparedPeer:
    """A peer that is ready to compute a layer."""
    run: Callable[[], None]  # returns when the output is whole
    first_image: Callable[[], Any]  # of the output of a run, (Cout, Hout, Wout) on the host
    versions: dict[str, str]


def random_layer(sizes: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An input and parameters of the distributions that fusedconv_bench has; the affine part of the
    normalisation is random too, so that a mistake in it shows in the error."""
    import numpy as np
    random = np.random.default_rng(0)
    cout = sizes["out_channels"]
    weight_shape = (cout, sizes["in_channels"] // sizes["groups"], *sizes["kernel_size"])
    bound = 1 / math.sqrt(math.prod(weight_shape[1:]))
    x = random.random((sizes["batch"], sizes["in_channels"], sizes["height"], sizes["width"]),
                      np.float32)
    parameters = {
        "conv.weight": random.uniform(-bound, bound, weight_shape),
        "conv.bias": random.uniform(-bound, bound, cout),
        "bias": random.standard_normal((cout, 1, 1)),
        "scale": random.standard_normal((cout, 1, 1)),
        "group_norm.weight": random.uniform(0.5, 1.5, cout),
        "group_norm.bias": random.uniform(-0.5, 0.5, cout),
    }
    return x, {name: array.astype(np.float32) for name, array in parameters.items()}


def block_float64(image: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any]) -> Any:
    """GroupNorm(sigmoid((conv2d(image) + bias) * scale)) of one image (Cin, H, W) in float64."""
    import numpy as np
    p = {name: array.astype(np.float64) for name, array in parameters.items()}
    (ph, pw), (sh, sw), (dh, dw) = sizes["padding"], sizes["stride"], sizes["dilation"]
    weight = p["conv.weight"]
    cout, cin_per_group, kh, kw = weight.shape
    groups = sizes["groups"]
    padded = np.pad(image.astype(np.float64), ((0, 0), (ph, ph), (pw, pw)))
    hout = (padded.shape[1] - dh * (kh - 1) - 1) // sh + 1
    wout = (padded.shape[2] - dw * (kw - 1) - 1) // sw + 1
    c = np.zeros((groups, cout // groups, hout * wout))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i * dh, i * dh + (hout - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (wout - 1) * sw + 1, sw)
            c += (weight[:, :, i, j].reshape(groups, -1, cin_per_group)
                  @ padded[:, rows, columns].reshape(groups, cin_per_group, -1))
    v = (c.reshape(cout, hout, wout) + p["conv.bias"].reshape(-1, 1, 1) + p["bias"]) * p["scale"]
    s = (1 / (1 + np.exp(-v))).reshape(sizes["num_groups"], -1)
    variance = s.var(axis=1, keepdims=True)
    normalised = (s - s.mean(axis=1, keepdims=True)) / np.sqrt(variance + sizes["eps"])
    return (normalised.reshape(cout, hout, wout) * p["group_norm.weight"].reshape(-1, 1, 1)
            + p["group_norm.bias"].reshape(-1, 1, 1))


def prepare_torch(x: Any, parameters: Mapping[str, Any], sizes: Mapping[str, Any], device: str,
                  threads: int, compiled: bool) -> PreparedPeer:
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
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    block = Block()
    block.load_state_dict({name: torch.from_numpy(array) for name, array in parameters.items()})
    block = block.eval().requires_grad_(False).to(device)
    x = torch.from_numpy(x).to(device)
    function = torch.compile(block, dynamic=False) if compiled else block

    @torch.inference_mode()
    def compute() -> torch.Tensor:
        y = function(x)
        if device == "cuda":
            torch.cuda.synchronize()
        return y

    def run() -> None:
        compute()

    return PreparedPeer(run, lambda: compute()[0].cpu().numpy(),
                        {"torch": torch.__version__})


def prepare_eager(*layer: Any) -> PreparedPeer:
    return prepare_torch(*layer, compiled=False)


def prepare_compile(*layer: Any) -> PreparedPeer:
    return prepare_torch(*layer, compiled=True)


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

    return PreparedPeer(run, first_image, {"onnxruntime": onnxruntime.__version__,
                                           "onnx": onnx.__version__})


def relative_l2_error(found: Any, expected: Any) -> float:
    import numpy as np
    if found.shape != expected.shape:
        raise Failure(f"output: expected the shape {expected.shape}, found {found.shape}")
    error = float(np.linalg.norm((found - expected).ravel()) / np.linalg.norm(expected.ravel()))
    # Far above float32's rounding: it does not compute this layer.
    if not error < 1e-3:
        raise Failure(f"output: expected the layer's to float32, found a relative L2 error of "
                      f"{error:.2g} to float64")
    return error


def prepare_peer(request: Mapping[str, Any]) -> tuple[PreparedPeer, dict[str, Any]]:
    """A peer with its layer, and what the peer answers to that request."""
    sizes = request["sizes"]
    x, parameters = random_layer(sizes)
    peer = PEERS[request["peer"]].prepare(x, parameters, sizes, request["device"],
                                          request["threads"])
    error = relative_l2_error(peer.first_image(), block_float64(x[0], parameters, sizes))
    return peer, {"versions": peer.versions, "relative_l2_error": error}


def time_runs(run: Callable[[], None], repeat: int) -> dict[str, float]:
    """Figures of `repeat` runs under the names that fusedconv_bench gives them."""
    for _ in range(WARM_UP_RUNS):
        run()
    milliseconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return {"median_ms": statistics.median(milliseconds), "min_ms": min(milliseconds),
            "max_ms": max(milliseconds)}


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def serve_peer() -> int:
    """Reads requests as lines of JSON, the first of them the layer, and answers each with one."""
    # However the run ends, no stopped process is left behind: Linux kills it with its parent.
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if peer is None:
                peer, answer = prepare_peer(request)
            else:
                answer = time_runs(peer.run, request["repeat"])
        except Failure as error:
            answer = {"failure": str(error)}
        except Exception as error:  # whatever a peer throws is the reason why it is left out
            answer = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


@dataclass(frozen=True)
class Peer:
    title: str
    packages: tuple[str, ...]
    prepare: Callable[..., PreparedPeer]


PEERS = {
    "eager": Peer("PyTorch eager", ("torch", "numpy"), prepare_eager),
    "compile": Peer("torch.compile", ("torch", "numpy"), prepare_compile),
    "onnxruntime": Peer("ONNX Runtime", ("onnxruntime", "onnx", "numpy"), prepare_onnxruntime),
}


# The measurement.

class PeerProcess:
    """The process of a peer, stopped except while it works on a request."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), SERVE_PEER], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment)

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request. Throws Failure with the peer's reason."""
        self._process.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):  # no answer will come then
            print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise Failure(self._reason_of_end())
        self._process.send_signal(signal.SIGSTOP)
        answer = json.loads(line)
        if "failure" in answer:
            raise Failure(answer["failure"])
        return answer

    def _reason_of_end(self) -> str:
        code = self._process.wait()
        end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        last_line = first_line("\n".join(reversed(self._errors.read().splitlines())))
        return f"its process ended ({end}){': ' + last_line if last_line else ''}"


@dataclass
class Program:
    """What takes part in the comparison, and its figures for one layer."""
    name: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    failure: str = ""
    relative_l2_error: float | None = None


@dataclass
class Result:
    """One layer: fusedconv is the first of the programs."""
    label: str
    report: dict[str, Any]  # fusedconv_bench's JSON
    programs: list[Program]
    floors_ms: list[float] = field(default_factory=list)  # by round


@dataclass(frozen=True)
class Settings:
    """How the layers are timed."""
    bench: Path
    backend: str
    threads: int
    rounds: int
    repeat: int
    peers: tuple[str, ...]  # asked for and installed
    missing: dict[str, tuple[str, ...]]  # asked for, with the packages that are not installed

    def environment(self) -> dict[str, str]:
        """Of every program."""
        # Without a pool of compilers, which would stay beside torch.compile's process.
        return {**os.environ, "OMP_NUM_THREADS": str(self.threads),
                "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def run_bench(settings: Settings, options: Sequence[str], repeat: int) -> dict[str, Any]:
    """fusedconv_bench's JSON."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.json"
        command = [str(settings.bench), *options, "--backend", settings.backend,
                   "--repeat", str(repeat), "--json", str(path)]
        try:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                    text=True, env=settings.environment())
        except OSError as error:
            raise UsageError(f"--bench {settings.bench}: expected the program fusedconv_bench, "
                             f"found: {error.strerror}") from error
        if result.returncode != 0:
            own = [line for line in result.stderr.splitlines()
                   if line.startswith(settings.bench.name + ":")]
            sentence = own[0] if own else f"{settings.bench.name}: {first_line(result.stderr)}"
            if result.returncode == 2:
                raise UsageError(sentence)
            raise Failure(f"{sentence} (return code {result.returncode})")
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"--bench {settings.bench}: expected the program fusedconv_bench, "
                             f"which writes JSON, found: {error}") from error


def probe(settings: Settings, name: str, options: Sequence[str], threads_given: bool) -> Result:
    """The layer that fusedconv_bench makes of the options, not yet timed."""
    report = run_bench(settings, options, repeat=1)
    if "sizes" not in report:
        raise UsageError(f"--bench {settings.bench}: expected JSON with the key sizes, found "
                         f"{', '.join(report)}")
    if report["backend"] not in DEVICES:
        raise UsageError(f"--backend: expected one of {', '.join(DEVICES)}, which the peers have "
                         f"too, found {report['backend']}")
    if threads_given and report["threads"] not in (0, settings.threads):
        raise UsageError(f"--threads: expected the {report['threads']} that the backend "
                         f"{report['backend']} computes with, found {settings.threads}")
    programs = [Program(OURS), *map(Program, settings.peers)]
    label = f"{name}, N={report['n']}" if name else report["shape"]
    return Result(label, report, programs)


def measure(settings: Settings, result: Result, options: Sequence[str],
            versions: dict[str, str]) -> None:
    """Times a layer; adds the versions of what the peers use."""
    def say(what: str) -> None:
        print(f"bench_peers.py: {result.label}: {what}", file=sys.stderr, flush=True)

    ours, *peers = result.programs
    layer = {"sizes": result.report["sizes"], "device": DEVICES[result.report["backend"]],
             "threads": result.report["threads"] or settings.threads}
    with contextlib.ExitStack() as stack:
        processes = {}
        for peer in peers:
            say(f"preparing {PEERS[peer.name].title}")
            process = stack.enter_context(PeerProcess(settings.environment()))
            try:
                answer = process.ask({"peer": peer.name, **layer})
            except Failure as error:
                peer.failure = str(error)
                continue
            peer.relative_l2_error = answer["relative_l2_error"]
            versions.update(answer["versions"])
            processes[peer.name] = process
        for number in range(1, settings.rounds + 1):
            say(f"round {number} of {settings.rounds}")
            report = run_bench(settings, options, settings.repeat)
            ours.rounds.append({key: report[key] for key in ("median_ms", "min_ms", "max_ms")})
            result.floors_ms.append(report["floor_ms"])
            for peer in peers:
                if peer.failure:
                    continue
                try:
                    peer.rounds.append(processes[peer.name].ask({"repeat": settings.repeat}))
                except Failure as error:
                    peer.failure = str(error)


# The figures.

def over_rounds(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of the rounds' medians, and the extremes of all runs."""
    return {"median_ms": statistics.median(each["median_ms"] for each in rounds),
            "min_ms": min(each["min_ms"] for each in rounds),
            "max_ms": max(each["max_ms"] for each in rounds)}


def program_figures(program: Program, result: Result) -> dict[str, Any]:
    """A program's entry in the JSON; without times if it failed."""
    if program.failure:
        return {"program": program.name, "failure": program.failure}
    figures = over_rounds(program.rounds)
    ours = over_rounds(result.programs[0].rounds)
    return {"program": program.name, **figures,
            "ratio": figures["median_ms"] / ours["median_ms"],
            "time_over_floor": figures["median_ms"] / statistics.median(result.floors_ms),
            "relative_l2_error": program.relative_l2_error, "rounds": program.rounds}


def document(settings: Settings, results: Sequence[Result], versions: Mapping[str, str],
             date: datetime.datetime) -> dict[str, Any]:
    """What --json writes."""
    report = results[0].report
    return {
        "date": date.isoformat(timespec="seconds"),
        "processor": report["processor"],
        "backend": report["backend"],
        "threads": report["threads"],
        "precision": report["precision"],
        "versions": {OURS: f"{report['version']} ({report['commit']})", **versions},
        "rounds": settings.rounds,
        "repeat": settings.repeat,
        "not_installed": {peer: list(packages) for peer, packages in settings.missing.items()},
        "shapes": [{"label": result.label, "sizes": result.report["sizes"],
                    "algorithm": result.report["algorithm"],
                    "floor_ms": statistics.median(result.floors_ms),
                    "floors_ms": result.floors_ms,
                    "programs": [program_figures(program, result) for program in result.programs]}
                   for result in results],
    }


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in rows]


def significant(value: float) -> str:
    """Three digits, and all before the point."""
    digits = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{max(digits, 0)}f}"


def place(figures: Mapping[str, Any]) -> str:
    """On what was computed, and in what precision."""
    threads = figures["threads"]  # 0 for a GPU
    words = "" if threads == 0 else " 1 thread," if threads == 1 else f" {threads} threads,"
    return f"{figures['processor']}, {figures['backend']},{words} {figures['precision']}"


def titles() -> dict[str, str]:
    """How programs are called, by name."""
    return {OURS: OURS, **{name: peer.title for name, peer in PEERS.items()}}


def table(figures: Mapping[str, Any]) -> str:
    """What is printed of document()."""
    rows = [["", "median ms", "min", "max", "ratio", "time/floor", "error"]]
    labels = {}  # by the number of the row that they stand above
    for shape in figures["shapes"]:
        labels[len(rows)] = shape["label"]
        for program in shape["programs"]:
            title = f"  {titles()[program['program']]}"
            if "failure" in program:
                rows.append([title, "failed", "", "", "", "", ""])
                continue
            error = program["relative_l2_error"]
            rows.append([title, *(significant(program[key]) for key in (
                "median_ms", "min_ms", "max_ms", "ratio", "time_over_floor")),
                "" if error is None else f"{error:.1e}"])
        rows.append(["  floor", significant(shape["floor_ms"]), "", "", "", "", ""])
    lines = []
    for number, line in enumerate(columns(rows)):
        lines += [labels[number], line] if number in labels else [line]
    heading = [place(figures),
               ", ".join(f"{name} {version}" for name, version in figures["versions"].items()),
               f"rounds: {figures['rounds']}, runs in each: {figures['repeat']}; the median of the "
               "rounds' medians, and the extremes of all runs"]
    legend = ["ratio: the median over fusedconv's; floor: as fusedconv_bench measures it; error: "
              "relative L2, to float64"]
    notes = [f"{titles()[peer]}: not installed (Python packages {', '.join(packages)})"
             for peer, packages in figures["not_installed"].items()]
    return "\n".join([*heading, "", *lines, "", *legend, *notes])


def write_json(figures: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(figures, indent=2) + "\n")


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """A bar a program and shape, with its ratio above and the floor as a line across."""
    from matplotlib.figure import Figure

    shapes = figures["shapes"]
    names = [program["program"] for program in shapes[0]["programs"]]
    width = 0.8 / len(names)
    canvas = Figure(figsize=(max(6.4, 2 + 1.4 * len(shapes)), 4.8), layout="constrained")
    axes = canvas.add_subplot()
    for number, name in enumerate(names):
        bars = [(at + (number - (len(names) - 1) / 2) * width, shape["programs"][number])
                for at, shape in enumerate(shapes)
                if "failure" not in shape["programs"][number]]
        medians = [program["median_ms"] for _, program in bars]
        spread = [[program["median_ms"] - program["min_ms"] for _, program in bars],
                  [program["max_ms"] - program["median_ms"] for _, program in bars]]
        axes.bar([x for x, _ in bars], medians, width, yerr=spread, label=titles()[name],
                 error_kw={"elinewidth": 0.8})
        for x, program in bars:
            if name != OURS:
                axes.annotate(f"{program['ratio']:.2g}×", (x, program["max_ms"]), (0, 2),
                              textcoords="offset points", ha="center", va="bottom", fontsize=7)
    axes.hlines([shape["floor_ms"] for shape in shapes], [at - 0.45 for at in range(len(shapes))],
                [at + 0.45 for at in range(len(shapes))], colors="black", label="floor")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.margins(y=0.1)
    axes.set_ylabel("milliseconds a run (median, minimum to maximum)")
    axes.set_xticks(range(len(shapes)),
                    [shape["label"].replace(", ", "\n").replace(" -> ", "\n-> ")
                     for shape in shapes], fontsize=8)
    axes.set_title(f"{place(figures)}; above the bars: time over fusedconv's", fontsize=9)
    axes.legend(fontsize=8)
    canvas.savefig(path, dpi=150)


# The command line.

def positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, found '{text}'")
    return value


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_peers.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, metavar="FILE",
                        help="the program fusedconv_bench")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME[:N]",
                        help=f"a shape of fusedconv_bench, or {', '.join(SHAPES)}, with its own "
                        "number of images or N of them; may be given several times "
                        f"({' '.join(DEFAULT_SHAPES)})")
    parser.add_argument("--backend", default="auto", metavar="NAME",
                        help=f"auto, {', '.join(DEVICES)} (auto)")
    parser.add_argument("--threads", type=positive, metavar="INT",
                        help="of every program (the processors that this process may use)")
    parser.add_argument("--rounds", type=positive, default=5, metavar="INT",
                        help="in which each program has its turn (5)")
    parser.add_argument("--repeat", type=positive, default=10, metavar="INT",
                        help="runs that are timed in a turn (10)")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="NAMES",
                        help="to compare with, separated by commas (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="file for a bar chart")
    sizes = parser.add_argument_group(
        "sizes", "fusedconv_bench's, in place of those of each shape; without --shape, of "
        "headline")
    for option in SIZE_OPTIONS:
        sizes.add_argument(f"--{option}", type=int, metavar="INT")
    for option in PAIR_OPTIONS:
        sizes.add_argument(f"--{option}", type=int, nargs="+", metavar="INT")
    return parser.parse_args(arguments)


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
    options = []
    for option, value in values.items():
        options += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    return ("" if set(sizes) - {"n"} else name), options


def layers(arguments: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """layer_options() of everything that the command line asks for."""
    sizes = {option: getattr(arguments, option.replace("-", "_"))
             for option in (*SIZE_OPTIONS, *PAIR_OPTIONS)}
    sizes = {option: value for option, value in sizes.items() if value is not None}
    shapes = arguments.shape or (["headline"] if sizes else DEFAULT_SHAPES)
    return [layer_options(shape, sizes) for shape in shapes]


def choose_peers(text: str) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The peers asked for that are installed, and the others with the packages they lack."""
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in PEERS:
            raise UsageError(f"--peers: expected names among {', '.join(PEERS)}, found '{name}'")
    missing = {name: tuple(package for package in PEERS[name].packages
                           if importlib.util.find_spec(package) is None) for name in names}
    return (tuple(name for name in names if not missing[name]),
            {name: packages for name, packages in missing.items() if packages})


def check_files(arguments: argparse.Namespace) -> None:
    """Throws UsageError where what takes long to measure could not be written."""
    for option, path in (("--json", arguments.json), ("--plot", arguments.plot)):
        if path and not os.access(path.parent, os.W_OK):
            raise UsageError(f"{option} {path}: expected a directory to write into, found "
                             f"{path.parent}")
    if arguments.plot:
        if arguments.plot.suffix != ".png":
            raise UsageError(f"--plot {arguments.plot}: expected a name ending in .png, found "
                             f"{arguments.plot.suffix or 'no ending'}")
        try:
            importlib.import_module("matplotlib.figure")
        except ImportError as error:
            raise UsageError(f"--plot {arguments.plot}: expected the Python package matplotlib, "
                             f"found: {error}") from error


def run(arguments: argparse.Namespace) -> int:
    check_files(arguments)
    installed, missing = choose_peers(arguments.peers)
    settings = Settings(arguments.bench.resolve(), arguments.backend,
                        arguments.threads or len(os.sched_getaffinity(0)), arguments.rounds,
                        arguments.repeat, installed, missing)
    date = datetime.datetime.now(datetime.timezone.utc)
    asked = layers(arguments)
    # Bad sizes are told before any time is spent.
    results = [probe(settings, name, options, arguments.threads is not None)
               for name, options in asked]
    versions: dict[str, str] = {}
    failures = []
    complete = []
    for result, (_, options) in zip(results, asked):
        try:
            measure(settings, result, options, versions)
        except (Failure, UsageError) as error:
            failures.append(f"{result.label}: {error}")
            continue
        complete.append(result)
        failures += [f"{result.label}: {titles()[program.name]} failed: {program.failure}"
                     for program in result.programs if program.failure]
    if complete:
        figures = document(settings, complete, versions, date)
        print(table(figures))
        for path, write in ((arguments.json, write_json), (arguments.plot, plot)):
            try:
                if path:
                    write(figures, path)
            except OSError as error:
                failures.append(f"{path}: expected a file that can be written, found: "
                                f"{error.strerror}")
    for failure in failures:
        print(f"bench_peers.py: error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == [SERVE_PEER]:
        return serve_peer()
    try:
        return run(parse_arguments(sys.argv[1:]))
    except UsageError as error:
        print(f"bench_peers.py: error: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"bench_peers.py: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
