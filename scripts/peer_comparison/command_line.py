# SPDX-License-Identifier: Apache-2.0
"""What the command lines of scripts that run fusedconv_bench share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Callable, Iterable, Sequence

from .errors import Failure, UsageError
from .measurement import DEVICES, OURS, Settings, resolve_backend
from .shapes import CUDA_SHAPES, HOST_SHAPES, SHAPES


def positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, found '{text}'")
    return value


def choose(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The names that an option gives, each once."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"{option}: expected names among {', '.join(known)}, found '{name}'")
    return names


def add_bench_options(parser: argparse.ArgumentParser, rounds: int, taking_turns: str) -> None:
    """What bench_settings() reads, with so many rounds by default; --shape and --json."""
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
    parser.add_argument("--rounds", type=positive, default=rounds, metavar="INT",
                        help=f"in which each {taking_turns} has its turn ({rounds})")
    parser.add_argument("--repeat", type=positive, default=10, metavar="INT",
                        help="runs that are timed in a turn (10)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="file for all figures, written anew after every shape")


def bench_settings(arguments: argparse.Namespace) -> Settings:
    """Without peers. Throws UsageError where something asked for is not there."""
    precisions = arguments.precision and choose("--precision", arguments.precision, OURS)
    bench = arguments.bench.resolve()
    backend = resolve_backend(bench, arguments.backend)
    return Settings(bench, backend, arguments.threads or len(os.sched_getaffinity(0)),
                    arguments.rounds, arguments.repeat,
                    precisions=precisions or (("fp32", "tf32") if backend == "cuda" else ("fp32",)))


def check_directory(option: str, path: Path | None) -> None:
    """Throws UsageError where what takes long to measure could not be written."""
    if path and not os.access(path.parent, os.W_OK):
        raise UsageError(f"{option} {path}: expected a directory to write into, found "
                         f"{path.parent}")


def exit_code(script: str, run: Callable[[], Sequence[str]]) -> int:
    """Of a script, whose run returns what failed in it; tells errors and failures."""
    try:
        failures, code = run(), 1
    except UsageError as error:
        failures, code = [str(error)], 2
    except Failure as error:
        failures, code = [str(error)], 1
    for failure in dict.fromkeys(failures):
        print(f"{script}: error: {failure}", file=sys.stderr)
    return code if failures else 0
