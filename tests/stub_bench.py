# SPDX-License-Identifier: Apache-2.0
"""Runs scripts that take a fusedconv_bench, FUSEDCONV_BENCH or a stub in its place."""

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
BENCH = Path(os.environ["FUSEDCONV_BENCH"])


def run_script(script, arguments, bench, stubs=None):
    """Runs the script where no package is installed but the modules in the directory `stubs`."""
    environment = {**os.environ, "PYTHONPATH": str(stubs or "")}
    return subprocess.run(
        [sys.executable, "-B", "-S", str(SCRIPTS / script), "--bench", str(bench),
         *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=300)


def write(path, body):
    """A program in place of fusedconv_bench: it answers at once."""
    path.write_text(f"#!{sys.executable} -S\nimport json, sys\n" + textwrap.dedent(body))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def report(median_ms, floor_ms):
    """What fusedconv_bench writes, as far as scripts use it."""
    return {"version": "1.2.3", "commit": "abc", "shape": "tiny", "n": 2,
            "sizes": {"batch": 2, "in_channels": 3, "height": 16, "width": 16, "out_channels": 8,
                      "output_height": 14, "output_width": 14, "kernel_size": [3, 3],
                      "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1,
                      "num_groups": 4, "eps": 1e-5, "activation": "sigmoid"},
            "backend": "openmp", "processor": "Abacus", "threads": 2, "algorithm": "direct",
            "precision": "fp32", "median_ms": median_ms, "min_ms": 0.5 * median_ms,
            "max_ms": 2 * median_ms, "floor_ms": floor_ms}
