#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times fusedconv_bench with each algorithm forced, and tells how good the choice of auto is.

Each layer is timed with every algorithm that the program has for it, on named shapes and on random
ones, which are the same for the same --seed. The algorithms take turns: in each round every one of
them times the layer once, on data that is in memory already and after runs to warm up.

What auto chooses is taken from a run of --algorithm auto before anything is timed. auto/best is the
time of that algorithm, forced, over that of the fastest one: the same kernels run either way, so
that timing auto as well would only add noise, and the time of choosing is not part of a run. An
algorithm that fusedconv_bench refuses for a layer is marked with a dash.

Exit codes: 0 done, 1 failed while running, also where an algorithm alone failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from typing import Sequence

from peer_comparison.algorithms import choose_algorithm, document, table, time_algorithms
from peer_comparison.command_line import (add_bench_options, bench_settings, check_directory,
                                          exit_code)
from peer_comparison.errors import Failure
from peer_comparison.figures import write, write_json
from peer_comparison.measurement import DEVICES
from peer_comparison.random_shapes import GPU_BOUNDS, HOST_BOUNDS, random_shapes
from peer_comparison.shapes import bench_options, default_shapes, layer_options


def not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected an integer that is not negative, found "
                                         f"'{text}'")
    return int(text)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_algorithms.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_bench_options(parser, rounds=3, taking_turns="algorithm")
    parser.add_argument("--random", type=not_negative, default=20, metavar="COUNT",
                        help="random shapes besides (20)")
    parser.add_argument("--seed", type=not_negative, default=1, metavar="INT",
                        help="of the random shapes (1)")
    return parser.parse_args(arguments)


def layers(arguments: argparse.Namespace, backend: str) -> list[tuple[str, list[str]]]:
    """Names of all layers, empty for random ones, and fusedconv_bench's options for them."""
    bounds = GPU_BOUNDS if DEVICES[backend] == "cuda" else HOST_BOUNDS
    return [*(layer_options(shape, {}) for shape in arguments.shape or default_shapes(backend)),
            *(("", bench_options(values))
              for values in random_shapes(arguments.random, arguments.seed, bounds))]


def run(arguments: argparse.Namespace) -> list[str]:
    """What failed."""
    check_directory("--json", arguments.json)
    settings = bench_settings(arguments)
    date = datetime.datetime.now(datetime.timezone.utc)
    failures = []
    choices = []
    for name, options in layers(arguments, settings.backend):
        for precision in settings.precisions:
            # Bad sizes are told before any time is spent.
            try:
                choices.append(choose_algorithm(settings, name, options, precision,
                                                arguments.threads is not None))
            except Failure as error:
                failures.append(f"{name or ' '.join(options)}, {precision}: {error}")
    for number, choice in enumerate(choices, 1):
        time_algorithms(settings, choice)
        failures += choice.failures()
        figures = document(settings, choices[:number], arguments.random, arguments.seed, date)
        failures += write(write_json, figures, arguments.json)
    if choices:
        print(table(figures))
    return failures


def main() -> int:
    return exit_code("bench_algorithms.py", lambda: run(parse_arguments(sys.argv[1:])))


if __name__ == "__main__":
    sys.exit(main())
