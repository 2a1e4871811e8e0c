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
import dataclasses
import datetime
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Sequence

from peer_comparison.command_line import (add_bench_options, bench_settings, check_directory,
                                          choose, exit_code)
from peer_comparison.errors import Failure, UsageError
from peer_comparison.figures import document, plot, table, write, write_json
from peer_comparison.measurement import Settings, measure, probe, title
from peer_comparison.peers import PEERS, default_peers
from peer_comparison.shapes import default_shapes, layer_options

# fusedconv_bench's options for a single size, and those for one or two (height and width).
SIZE_OPTIONS = ("n", "cin", "h", "w", "cout", "num-groups", "groups")
PAIR_OPTIONS = ("kernel", "stride", "padding", "dilation")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_peers.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_options(parser, rounds=5, taking_turns="program")
    parser.add_argument("--peers", metavar="NAMES",
                        help=f"to compare with, separated by commas: {', '.join(PEERS)} "
                        f"({','.join(default_peers('openmp'))}; on cuda "
                        f"{','.join(default_peers('cuda'))})")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="file for a bar chart")
    sizes = parser.add_argument_group(
        "sizes", "fusedconv_bench's, in place of those of each shape; without --shape, of "
        "headline")
    for option in SIZE_OPTIONS:
        sizes.add_argument(f"--{option}", type=int, metavar="INT")
    for option in PAIR_OPTIONS:
        sizes.add_argument(f"--{option}", type=int, nargs="+", metavar="INT")
    return parser.parse_args(arguments)


def layers(arguments: argparse.Namespace, backend: str) -> list[tuple[str, list[str]]]:
    """layer_options() of everything that the command line asks for."""
    sizes = {option: getattr(arguments, option.replace("-", "_"))
             for option in (*SIZE_OPTIONS, *PAIR_OPTIONS)}
    sizes = {option: value for option, value in sizes.items() if value is not None}
    shapes = arguments.shape or (["headline"] if sizes else default_shapes(backend))
    return [layer_options(shape, sizes) for shape in shapes]


def installed_peers(names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The peers that are installed, and the others with the packages they lack."""
    missing = {name: tuple(package for package in PEERS[name].packages
                           if importlib.util.find_spec(package) is None) for name in names}
    return (tuple(name for name in names if not missing[name]),
            {name: packages for name, packages in missing.items() if packages})


def check_files(arguments: argparse.Namespace) -> None:
    """Throws UsageError where what takes long to measure could not be written."""
    check_directory("--json", arguments.json)
    check_directory("--plot", arguments.plot)
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
    settings = bench_settings(arguments)
    for name in peers or ():
        if PEERS[name].backends and settings.backend not in PEERS[name].backends:
            raise UsageError(f"--peers {name}: expected the backend "
                             f"{' or '.join(PEERS[name].backends)}, found {settings.backend}")
    installed, missing = installed_peers(peers or default_peers(settings.backend))
    return dataclasses.replace(settings, peers=installed, missing=missing)


def run(arguments: argparse.Namespace) -> list[str]:
    """What failed."""
    check_files(arguments)
    settings = choose_settings(arguments)
    date = datetime.datetime.now(datetime.timezone.utc)
    versions: dict[str, str] = {}
    failures = []
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
        if len(complete) < len(asked):  # lest a run that is cut off lose it
            failures += write(write_json, document(settings, complete, versions, date),
                              arguments.json)
    if complete:
        figures = document(settings, complete, versions, date)
        print(table(figures))
        failures += write(write_json, figures, arguments.json)
        failures += write(plot, figures, arguments.plot)
    return failures


def main() -> int:
    return exit_code("bench_peers.py", lambda: run(parse_arguments(sys.argv[1:])))


if __name__ == "__main__":
    sys.exit(main())
