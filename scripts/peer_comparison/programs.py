# SPDX-License-Identifier: Apache-2.0
"""Runs fusedconv's programs, and says in a sentence why one failed."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

from .errors import Failure, UsageError


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def run_program(program: Path, options: Sequence[str],
                environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A program's run, whatever came of it. Throws UsageError where it cannot be started."""
    try:
        return subprocess.run([str(program), *options], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", env=environment)
    except OSError as error:
        raise UsageError(f"{program}: expected a program, found: {error.strerror}") from error


def reason_of_failure(program: Path, result: subprocess.CompletedProcess[str]) -> str:
    """The program's own sentence where it printed one, and how it ended."""
    own = [line for line in result.stderr.splitlines() if line.startswith(program.name + ":")]
    sentence = own[0] if own else f"{program.name}: {first_line(result.stderr)}"
    code = result.returncode
    end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"return code {code}"
    return f"{sentence} ({end})"


def run_bench(bench: Path, options: Sequence[str],
              environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """fusedconv_bench's JSON."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.json"
        result = run_program(bench, [*options, "--json", str(path)], environment)
        if result.returncode != 0:
            reason = reason_of_failure(bench, result)
            raise UsageError(reason) if result.returncode == 2 else Failure(reason)
        try:
            report = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{bench}: expected the program fusedconv_bench, which writes JSON, "
                             f"found: {error}") from error
    if not {"backend", "sizes"} <= report.keys():
        raise UsageError(f"{bench}: expected JSON with the keys backend and sizes, found "
                         f"{', '.join(report)}")
    return report
