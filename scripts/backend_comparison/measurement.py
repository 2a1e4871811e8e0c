# SPDX-License-Identifier: Apache-2.0
"""Runs every backend, and collects what the page shows in one JSON document."""

from __future__ import annotations

import datetime
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from peer_comparison.errors import Failure, UsageError
from peer_comparison.programs import reason_of_failure, run_bench, run_program

from .differences import compare_outputs
from .environment import describe
from .layer_file import LayerFile
from .names import TITLES, title

BAD_INPUT = 2  # fusedconv_app's exit code
VERIFICATION_FAILED = 3  # likewise: the output is whole, and far from the reference
STAGES = ("read", "transfer", "compute", "write", "total")  # of fusedconv_app's report, in seconds


def say(what: str) -> None:
    print(f"compare_backends: {what}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Programs:
    """fusedconv's programs of one build."""
    app: Path
    bench: Path
    version: tuple[str, ...]  # lines of fusedconv_app --version
    backends: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What is measured, and how."""
    input: Path
    programs: tuple[Programs, ...]
    backends: tuple[str, ...]
    precision: str
    tolerance: float
    threads: tuple[int, ...]  # of OpenMP; the last is what it is compared with
    rounds: int
    repeat: int
    float64_images: int
    reference: Path | None

    def programs_of(self, backend: str) -> Programs | None:
        return next((each for each in self.programs if backend in each.backends), None)

    def environment(self, threads: int) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": str(threads)}


@dataclass
class Backend:
    """A backend and what is known of it."""
    name: str
    reports: list[dict[str, Any]] = field(default_factory=list)  # fusedconv_app's, by round
    reason: str = ""  # why it failed
    bad_input: bool = False
    bench: dict[str, Any] | None = None

    def figures(self) -> dict[str, Any]:
        """Its entry in the JSON."""
        if self.reason:
            return {"backend": self.name, "status": "failed", "reason": self.reason}
        last = self.reports[-1]
        rank = last["ranks"][0]
        figures = {"backend": self.name, "status": "ran", "processor": rank["processor"],
                   "device": rank["device"], "threads": rank["threads"],
                   "version": last["version"], "commit": last["commit"],
                   "algorithm": last["algorithm"], "plan": last["plan"], "piece": last["piece"],
                   "seconds": {stage: statistics.median(report["seconds"][stage]
                                                        for report in self.reports)
                               for stage in STAGES},
                   "rounds": [{stage: report["seconds"][stage] for stage in STAGES}
                              for report in self.reports],
                   "bench": self.bench}
        if "verification" in last:
            figures["verification"] = last["verification"]
        return figures


def find_programs(directory: Path) -> Programs:
    """Throws UsageError where the directory has not both programs."""
    app, bench = ((directory / name).resolve() for name in ("fusedconv_app", "fusedconv_bench"))
    for program in (app, bench):
        if not os.access(program, os.X_OK) or program.is_dir():
            raise UsageError(f"--programs {directory}: expected the program {program.name} in it, "
                             "found none")
    result = run_program(app, ["--version"])
    lines = tuple(result.stdout.splitlines())
    backends = next((line.split()[1:] for line in lines if line.startswith("backends:")), None)
    if result.returncode != 0 or not backends:
        raise UsageError(f"{app}: expected --version to name backends, found: "
                         f"{result.stdout.strip() or reason_of_failure(app, result)}")
    return Programs(app, bench, lines, tuple(backends))


def run_app(settings: Settings, backend: Backend, output: Path) -> None:
    """One job; whatever comes of it is noted in the backend."""
    app = settings.programs_of(backend.name).app
    report = output.with_suffix(".json")
    options = [str(settings.input), "--output", str(output), "--backend", backend.name,
               "--precision", settings.precision, "--repeat", str(settings.repeat),
               "--report", str(report), "--quiet"]
    if settings.reference:
        options += ["--verify", str(settings.reference), "--tolerance", str(settings.tolerance)]
    result = run_program(app, options, settings.environment(settings.threads[-1]))
    if result.returncode not in (0, VERIFICATION_FAILED):
        backend.reason = reason_of_failure(app, result)
        backend.bad_input = result.returncode == BAD_INPUT
        return
    try:
        backend.reports.append(json.loads(report.read_text()))
    except (OSError, ValueError) as error:
        backend.reason = f"{app.name}: expected a report in JSON, found: {error}"
        return
    computed = backend.reports[-1].get("backend")
    if computed != backend.name:
        backend.reason = f"{app.name}: expected to compute with {backend.name}, found {computed}"


def bench_options(report: Mapping[str, Any]) -> list[str]:
    """fusedconv_bench's for the pieces that a job was computed in."""
    sizes, piece = report["shape"], report["piece"]
    options = ["--n", 1 if piece["by_rows"] else min(piece["images"], sizes["batch"])]
    for option, key in (("cin", "in_channels"), ("h", "height"), ("w", "width"),
                        ("cout", "out_channels"), ("num-groups", "num_groups"),
                        ("groups", "groups")):
        options += [f"--{option}", sizes[key]]
    for option, key in (("kernel", "kernel_size"), ("stride", "stride"), ("padding", "padding"),
                        ("dilation", "dilation")):
        options += [f"--{option}", *sizes[key]]
    if sizes.get("activation", "sigmoid") != "sigmoid":
        options += ["--activation", sizes["activation"]]
    return [str(option) for option in options]


def run_benchmark(settings: Settings, backend: Backend, threads: int, *more: str
                  ) -> dict[str, Any]:
    """fusedconv_bench's figures for one piece of the job. Throws Failure."""
    try:
        return run_bench(settings.programs_of(backend.name).bench,
                         [*bench_options(backend.reports[-1]), "--backend", backend.name,
                          "--precision", settings.precision, *more],
                         settings.environment(threads))
    except UsageError as error:
        raise Failure(str(error)) from error


def measure_jobs(settings: Settings, backends: Sequence[Backend], directory: Path
                 ) -> dict[str, Path]:
    """The outputs of the backends that ran in all rounds, which take turns."""
    outputs = {backend.name: directory / f"{backend.name}.h5" for backend in backends}
    for number in range(1, settings.rounds + 1):
        for backend in backends:
            if not backend.reason:
                say(f"{title(backend.name)}: job {number} of {settings.rounds}")
                run_app(settings, backend, outputs[backend.name])
    for backend in backends:
        if backend.reason:
            say(f"{title(backend.name)} failed: {backend.reason}")
            del outputs[backend.name]
    if backends and all(backend.bad_input for backend in backends):
        raise UsageError(backends[0].reason)
    return outputs


def measure_rooflines(settings: Settings, backends: Sequence[Backend], failures: list[str]) -> None:
    for backend in backends:
        say(f"{title(backend.name)}: computing alone, and the machine's ceilings")
        try:
            backend.bench = run_benchmark(settings, backend, settings.threads[-1], "--error")
        except Failure as error:
            failures.append(f"{title(backend.name)}: computing alone failed: {error}")


def measure_scaling(settings: Settings, openmp: Backend | None, failures: list[str]
                    ) -> list[dict[str, Any]]:
    """Times of one piece by threads; the last number of threads is that of the roofline."""
    if not openmp or not openmp.bench:
        return []
    keys = ("threads", "median_ms", "min_ms", "max_ms")
    points = []
    for threads in settings.threads[:-1]:
        say(f"OpenMP: {threads} thread{'s' if threads > 1 else ''}")
        try:
            report = run_benchmark(settings, openmp, threads)
        except Failure as error:
            failures.append(f"OpenMP with {threads} threads failed: {error}")
            continue
        points.append({key: report[key] for key in keys})
    return [*points, {key: openmp.bench[key] for key in keys}]


def measure(settings: Settings) -> dict[str, Any]:
    """The whole document. Throws UsageError where the input is bad."""
    date = datetime.datetime.now(datetime.timezone.utc)
    backends = [Backend(name) for name in settings.backends]
    failures: list[str] = []
    comparisons: list[dict[str, Any]] = []
    sizes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="compare_backends.") as directory:
        outputs = measure_jobs(settings, backends, Path(directory))
        ran = [backend for backend in backends if backend.name in outputs]
        if ran:
            sizes = ran[0].reports[-1]["shape"]
            try:
                layer = LayerFile(settings.input, sizes)
                comparisons = compare_outputs(outputs, sizes, layer.output_float64,
                                              settings.float64_images, say)
            except Failure as error:
                failures.append(f"comparing the outputs failed: {error}")
    measure_rooflines(settings, ran, failures)
    openmp = next((backend for backend in ran if backend.name == "openmp"), None)
    scaling = measure_scaling(settings, openmp, failures)
    figures = [backend.figures() for backend in backends]
    known = {backend.name for backend in backends}
    asked_for = {name for each in settings.programs for name in each.backends}
    figures += [{"backend": name, "status": "left out" if name in asked_for else "absent"}
                for name in TITLES if name not in known]
    return {"date": date.isoformat(timespec="seconds"), "input": settings.input.name,
            "input_bytes": settings.input.stat().st_size, "sizes": sizes,
            "precision": settings.precision, "tolerance": settings.tolerance,
            "rounds": settings.rounds, "repeat": settings.repeat,
            "reference": settings.reference.name if settings.reference else None,
            "environment": describe([each.version for each in settings.programs], figures),
            "backends": figures, "comparisons": comparisons, "scaling": scaling,
            "failures": failures}
