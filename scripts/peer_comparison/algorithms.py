# SPDX-License-Identifier: Apache-2.0
"""Times the algorithms that fusedconv has for a layer, beside what auto chooses of them."""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .errors import Failure, UsageError
from .figures import circumstances, columns, heading, over_rounds, significant
from .measurement import Settings, check_threads, label, time_ours

ALGORITHMS = ("direct", "winograd", "tensor_core", "gemm")

NEAR = 1.1  # times the fastest algorithm's time, which still counts as a good choice


@dataclass
class Trial:
    """An algorithm that is forced, and its figures for one layer."""
    algorithm: str  # of ALGORITHMS
    rounds: list[dict[str, float]] = field(default_factory=list)
    refusal: str = ""  # why it cannot compute the layer
    failure: str = ""


@dataclass
class Choice:
    """What auto chooses for a layer in a precision."""
    label: str
    precision: str
    options: Sequence[str]  # of fusedconv_bench
    report: dict[str, Any]  # fusedconv_bench's JSON
    trials: list[Trial]

    @property
    def chosen(self) -> str:
        return self.report["algorithm"]

    def failures(self) -> list[str]:
        return [f"{self.label}, {self.precision}: {trial.algorithm} failed: {trial.failure}"
                for trial in self.trials if trial.failure]


def choose_algorithm(settings: Settings, name: str, options: Sequence[str], precision: str,
                     threads_given: bool) -> Choice:
    """The choice for the layer that fusedconv_bench makes of the options, not yet timed."""
    try:
        report = time_ours(settings, options, precision, 1, "--algorithm", "auto")
    except UsageError as error:
        raise UsageError(f"{name or ' '.join(options)}, {precision}: {error}") from error
    check_threads(settings, report, threads_given)
    if report["algorithm"] not in ALGORITHMS:
        raise UsageError(f"{settings.bench}: expected auto to choose one of "
                         f"{', '.join(ALGORITHMS)}, found {report['algorithm']}")
    return Choice(label(name, report), precision, options, report,
                  [Trial(algorithm) for algorithm in ALGORITHMS])


def time_algorithms(settings: Settings, choice: Choice) -> None:
    """Times every algorithm in each round, until it is refused or fails."""
    for number in range(1, settings.rounds + 1):
        print(f"bench_algorithms.py: {choice.label}, {choice.precision}: round {number} of "
              f"{settings.rounds}", file=sys.stderr, flush=True)
        for trial in choice.trials:
            if trial.refusal or trial.failure:
                continue
            try:
                report = time_ours(settings, choice.options, choice.precision, settings.repeat,
                                   "--algorithm", trial.algorithm)
            except Failure as error:
                trial.failure = str(error)
            except UsageError as error:
                # What auto chose, or ran before, can compute the layer.
                if trial.algorithm == choice.chosen or trial.rounds:
                    trial.failure = str(error)
                else:
                    trial.refusal = str(error)
            else:
                trial.rounds.append({key: report[key] for key in ("median_ms", "min_ms", "max_ms")})


def trial_figures(trial: Trial) -> dict[str, Any]:
    """An algorithm's entry in the JSON; without times if it was refused or failed."""
    if trial.failure:
        return {"failure": trial.failure}
    if trial.refusal:
        return {"refusal": trial.refusal}
    return {**over_rounds(trial.rounds), "rounds": trial.rounds}


def choice_figures(choice: Choice) -> dict[str, Any]:
    """A choice's entry in the JSON; its ratio is null where what auto chose failed."""
    algorithms = {trial.algorithm: trial_figures(trial) for trial in choice.trials}
    medians = {name: each["median_ms"] for name, each in algorithms.items() if "median_ms" in each}
    best = min(medians, key=lambda name: medians[name], default=None)
    return {"label": choice.label, "sizes": choice.report["sizes"], "precision": choice.precision,
            "chosen": choice.chosen, "best": best,
            "ratio": medians[choice.chosen] / medians[best] if choice.chosen in medians else None,
            "algorithms": algorithms}


def document(settings: Settings, choices: Sequence[Choice], random_shapes: int, seed: int,
             date: datetime.datetime) -> dict[str, Any]:
    """What --json writes."""
    return {**circumstances(settings, choices[0].report, {}, date),
            "random_shapes": random_shapes, "seed": seed,
            "choices": [choice_figures(choice) for choice in choices]}


def cell(figures: Mapping[str, Any]) -> str:
    """An algorithm's, in the table."""
    if "median_ms" in figures:
        return significant(figures["median_ms"])
    return "failed" if "failure" in figures else "-"


def conclusion(choices: Sequence[Mapping[str, Any]]) -> str:
    """How good the choices are where there is more than one algorithm to choose from."""
    judged = [choice for choice in choices if choice["ratio"] is not None and
              sum("median_ms" in each for each in choice["algorithms"].values()) > 1]
    if not judged:
        return "No choice between two algorithms or more was timed."
    near = sum(choice["ratio"] <= NEAR for choice in judged)
    worst = max(judged, key=lambda choice: choice["ratio"])
    return (f"{near} of {len(judged)} choices between two algorithms or more are within "
            f"{100 * (NEAR - 1):.0f} % of the best, and the worst takes "
            f"{significant(worst['ratio'])} times as long: {worst['label']}, {worst['precision']}, "
            f"{worst['chosen']} chosen, {worst['best']} best.")


def table(figures: Mapping[str, Any]) -> str:
    """What is printed of document()."""
    rows = [["", "precision", "chosen", *(f"{name} ms" for name in ALGORITHMS), "auto/best"]]
    for choice in figures["choices"]:
        rows.append([choice["label"], choice["precision"], choice["chosen"],
                     *(cell(choice["algorithms"][name]) for name in ALGORITHMS),
                     "" if choice["ratio"] is None else significant(choice["ratio"])])
    above = heading(figures, "the median of the rounds' medians")
    if figures["random_shapes"]:
        above.append(f"random shapes: {figures['random_shapes']}, seed {figures['seed']}")
    return "\n".join([*above, "", *columns(rows), "", conclusion(figures["choices"])])
