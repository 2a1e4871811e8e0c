#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times fusedconv_bench beside the same layer in PyTorch eager, torch.compile and ONNX Runtime.

All take turns in one run: in each round every program times the layer once, on data that is in
memory already, with the same number of threads and after runs to warm up. Each peer is a process
of its own, which is stopped while it is not its turn, so that no idle thread of it takes time from
the others. Compilation, autotuning and graph optimisation are not timed. Peers whose Python
packages (scripts/requirements-peers.txt) are not installed are named and left out. Each output's
first image is compared with float64; fusedconv_bench and the peers have random values of their own,
of the same distributions.

Everything is float32, and TF32 is off, except in what is named after another precision. On cuda
fusedconv runs in fp32 and in tf32 beside PyTorch with TF32 forbidden and allowed; the peers
autotune, autotune-tf32 (torch.compile's max-autotune) and compile-bf16 are left out unless they are
asked for with --peers. There PyTorch is timed by CUDA events, fusedconv from a fence to a fence,
which includes the launch; PyTorch and ONNX Runtime choose cuDNN's algorithms by trial
(cudnn.benchmark, EXHAUSTIVE).

Exit codes: 0 done, 1 failed while running, also where a peer alone failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from peer_comparison.errors import Failure, UsageError
from peer_comparison.figures import document, plot, table, write_json
from peer_comparison.measurement import (DEVICES, OURS, Result, Settings, measure, probe,
                                         resolve_backend, title)
from peer_comparison.peers import PEERS, default_peers

# Layers beside the named shapes of fusedconv_bench, as values of its options.
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

# fusedconv_bench's options for a single size, and those for one or two (height and width).
SIZE_OPTIONS = ("n", "cin", "h", "w", "cout", "num-groups", "groups")
PAIR_OPTIONS = ("kernel", "stride", "padding", "dilation")


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
                        f"({' '.join(HOST_SHAPES)}; on cuda {' '.join(CUDA_SHAPES)})")
    parser.add_argument("--backend", default="auto", metavar="NAME",
                        help=f"auto, {', '.join(DEVICES)} (auto)")
    parser.add_argument("--precision", metavar="NAMES",
                        help=f"of fusedconv, separated by commas: {', '.join(OURS)} (fp32; on cuda "
                        "fp32,tf32)")
    parser.add_argument("--threads", type=positive, metavar="INT",
                        help="of every program (the processors that this process may use)")
    parser.add_argument("--rounds", type=positive, default=5, metavar="INT",
                        help="in which each program has its turn (5)")
    parser.add_argument("--repeat", type=positive, default=10, metavar="INT",
                        help="runs that are timed in a turn (10)")
    parser.add_argument("--peers", metavar="NAMES",
                        help=f"to compare with, separated by commas: {', '.join(PEERS)} "
                        f"({','.join(default_peers('openmp'))}; on cuda "
                        f"{','.join(default_peers('cuda'))})")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="file for all figures, written anew after every shape")
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


def layers(arguments: argparse.Namespace, backend: str) -> list[tuple[str, list[str]]]:
    """layer_options() of everything that the command line asks for."""
    sizes = {option: getattr(arguments, option.replace("-", "_"))
             for option in (*SIZE_OPTIONS, *PAIR_OPTIONS)}
    sizes = {option: value for option, value in sizes.items() if value is not None}
    default = CUDA_SHAPES if backend == "cuda" else HOST_SHAPES
    shapes = arguments.shape or (["headline"] if sizes else default)
    return [layer_options(shape, sizes) for shape in shapes]


def choose(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The names that an option gives, each once."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"{option}: expected names among {', '.join(known)}, found '{name}'")
    return names


def installed_peers(names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The peers that are installed, and the others with the packages they lack."""
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


def choose_settings(arguments: argparse.Namespace) -> Settings:
    """Throws UsageError where something asked for is not there."""
    peers = arguments.peers and choose("--peers", arguments.peers, PEERS)
    precisions = arguments.precision and choose("--precision", arguments.precision, OURS)
    bench = arguments.bench.resolve()
    backend = resolve_backend(bench, arguments.backend)
    for name in peers or ():
        if PEERS[name].backends and backend not in PEERS[name].backends:
            raise UsageError(f"--peers {name}: expected the backend "
                             f"{' or '.join(PEERS[name].backends)}, found {backend}")
    installed, missing = installed_peers(peers or default_peers(backend))
    return Settings(bench, backend, arguments.threads or len(os.sched_getaffinity(0)),
                    arguments.rounds, arguments.repeat, installed, missing,
                    precisions or (("fp32", "tf32") if backend == "cuda" else ("fp32",)))


def run(arguments: argparse.Namespace) -> int:
    check_files(arguments)
    settings = choose_settings(arguments)
    date = datetime.datetime.now(datetime.timezone.utc)
    versions: dict[str, str] = {}
    failures = []

    def write(writer: Callable[[dict[str, Any], Path], None], path: Path | None,
              results: Sequence[Result]) -> None:
        try:
            if path:
                writer(document(settings, results, versions, date), path)
        except OSError as error:
            failures.append(f"{path}: expected a file that can be written, found: "
                            f"{error.strerror}")

    asked = []
    for name, options in layers(arguments, settings.backend):
        # Bad sizes are told before any time is spent.
        try:
            asked.append((probe(settings, name, options, arguments.threads is not None), options))
        except Failure as error:
            failures.append(f"{name or ' '.join(options)}: {error}")
    complete = []
    for result, options in asked:
        try:
            measure(settings, result, options, versions)
        except (Failure, UsageError) as error:
            failures.append(f"{result.label}: {error}")
            continue
        complete.append(result)
        failures += [f"{result.label}: {title(program.name)} failed: {program.failure}"
                     for program in result.programs if program.failure]
        if len(complete) < len(asked):
            write(write_json, arguments.json, complete)  # lest a run that is cut off lose it
    if complete:
        print(table(document(settings, complete, versions, date)))
        write(write_json, arguments.json, complete)
        write(plot, arguments.plot, complete)
    for failure in dict.fromkeys(failures):
        print(f"bench_peers.py: error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
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
