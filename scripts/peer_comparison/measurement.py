# SPDX-License-Identifier: Apache-2.0
"""Measures layers: fusedconv_bench and the peers take turns."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from .errors import Failure, UsageError
from .peer_process import PeerProcess
from .peers import PEERS
from .programs import run_bench

# fusedconv's precisions, and the name of the program in each.
OURS = {"fp32": "fusedconv", "tf32": "fusedconv-tf32"}

# PyTorch's names of the devices that backends of fusedconv compute on; an AMD GPU's is cuda too.
DEVICES = {"cuda": "cuda", "hip": "cuda", "openmp": "cpu", "serial": "cpu"}

# A GPU's clocks rise while it works: fusedconv_bench measures the ceilings before it times.
WARM_UP_MS = {"cuda": 200, "cpu": 0}


def title(name: str) -> str:
    """How a program of this name is called."""
    return PEERS[name].title if name in PEERS else name.replace("-tf32", ", TF32")


@dataclass
class Program:
    """What takes part in the comparison, and its figures for one layer."""
    name: str  # of OURS or PEERS
    rounds: list[dict[str, float]] = field(default_factory=list)
    failure: str = ""
    relative_l2_error: float | None = None

    @property
    def is_ours(self) -> bool:
        return self.name not in PEERS

    @property
    def precision(self) -> str:
        if not self.is_ours:
            return PEERS[self.name].precision
        return next(precision for precision, name in OURS.items() if name == self.name)


@dataclass
class Result:
    """One layer: fusedconv is the first of the programs."""
    label: str
    report: dict[str, Any]  # fusedconv_bench's JSON, of the first program
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
    peers: tuple[str, ...] = ()  # asked for and installed
    # Asked for, with the packages that are not installed.
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    precisions: tuple[str, ...] = ("fp32",)  # of fusedconv

    def environment(self) -> dict[str, str]:
        """Of every program."""
        # Without a pool of compilers, which would stay beside torch.compile's process.
        return {"TORCHINDUCTOR_COMPILE_THREADS": "1", **os.environ,
                "OMP_NUM_THREADS": str(self.threads)}


def time_ours(settings: Settings, options: Sequence[str], precision: str, repeat: int,
              *more: str) -> dict[str, Any]:
    """fusedconv_bench's JSON for a layer."""
    return run_bench(settings.bench, [*options, "--backend", settings.backend, "--precision",
                                      precision, "--repeat", str(repeat), *more],
                     settings.environment())


def resolve_backend(bench: Path, backend: str) -> str:
    """The backend that fusedconv_bench chooses for this name."""
    if backend not in DEVICES:
        backend = run_bench(bench, ["--shape", "tiny", "--repeat", "1", "--backend",
                                    backend])["backend"]
    if backend not in DEVICES:
        raise UsageError(f"--backend: expected one of {', '.join(DEVICES)}, found {backend}")
    return backend


def check_threads(settings: Settings, report: Mapping[str, Any], threads_given: bool) -> None:
    """Throws UsageError where the backend computes with others than --threads asked for."""
    if threads_given and report["threads"] not in (0, settings.threads):
        raise UsageError(f"--threads: expected the {report['threads']} that the backend "
                         f"{report['backend']} computes with, found {settings.threads}")


def label(name: str, report: Mapping[str, Any]) -> str:
    """What a layer is called: by its name, if it has one, or its sizes."""
    return f"{name}, N={report['n']}" if name else report["shape"]


def probe(settings: Settings, name: str, options: Sequence[str], threads_given: bool) -> Result:
    """The layer that fusedconv_bench makes of the options, its errors known, not yet timed."""
    programs = [Program(OURS[precision]) for precision in settings.precisions]
    reports = []
    for program in programs:
        reports.append(time_ours(settings, options, program.precision, 1, "--error"))
        program.relative_l2_error = reports[-1].get("relative_l2_error")
    report = reports[0]
    check_threads(settings, report, threads_given)
    return Result(label(name, report), report, [*programs, *map(Program, settings.peers)])


def measure(settings: Settings, result: Result, options: Sequence[str],
            versions: dict[str, str]) -> None:
    """Times a layer; adds the versions of what the peers use."""
    def say(what: str) -> None:
        print(f"bench_peers.py: {result.label}: {what}", file=sys.stderr, flush=True)

    device = DEVICES[result.report["backend"]]
    layer = {"sizes": result.report["sizes"], "device": device,
             "threads": result.report["threads"] or settings.threads}
    turn = {"repeat": settings.repeat, "warm_up_ms": WARM_UP_MS[device]}
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        layer["reference"] = str(Path(directory) / "first_image.npy")
        processes = {}

        def fail(program: Program, error: Failure) -> None:
            program.failure = str(error)
            processes[program.name].end()  # others may need its memory

        for peer in result.programs:
            if peer.is_ours:
                continue
            say(f"preparing {title(peer.name)}")
            processes[peer.name] = stack.enter_context(PeerProcess(settings.environment()))
            try:
                answer = processes[peer.name].ask({"peer": peer.name, **layer})
            except Failure as error:
                fail(peer, error)
                continue
            peer.relative_l2_error = answer["relative_l2_error"]
            versions.update(answer["versions"])
        for number in range(1, settings.rounds + 1):
            say(f"round {number} of {settings.rounds}")
            for program in result.programs:
                if program.failure:
                    continue
                if program.is_ours:
                    report = time_ours(settings, options, program.precision, settings.repeat)
                    program.rounds.append({key: report[key]
                                           for key in ("median_ms", "min_ms", "max_ms")})
                    if program is result.programs[0]:
                        result.floors_ms.append(report["floor_ms"])
                    continue
                try:
                    program.rounds.append(processes[program.name].ask(turn))
                except Failure as error:
                    fail(program, error)
