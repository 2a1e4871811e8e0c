# SPDX-License-Identifier: Apache-2.0
"""What was measured, as figures in JSON, a table and a chart."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from .measurement import Program, Result, Settings, title
from .peers import PEERS


def over_rounds(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of the rounds' medians, and the extremes of all runs."""
    return {"median_ms": statistics.median(each["median_ms"] for each in rounds),
            "min_ms": min(each["min_ms"] for each in rounds),
            "max_ms": max(each["max_ms"] for each in rounds)}


def own_time(result: Result, precision: str) -> float:
    """The median of fusedconv in a precision, or in the last one measured where not in that."""
    ours = {program.precision: program for program in result.programs if program.is_ours}
    return over_rounds(ours.get(precision, list(ours.values())[-1]).rounds)["median_ms"]


def program_figures(program: Program, result: Result) -> dict[str, Any]:
    """A program's entry in the JSON; without times if it failed."""
    if program.failure:
        return {"program": program.name, "precision": program.precision,
                "failure": program.failure}
    figures = over_rounds(program.rounds)
    return {"program": program.name, "precision": program.precision, **figures,
            "ratio": figures["median_ms"] / own_time(result, program.precision),
            "time_over_floor": figures["median_ms"] / statistics.median(result.floors_ms),
            "relative_l2_error": program.relative_l2_error, "rounds": program.rounds}


def circumstances(settings: Settings, report: Mapping[str, Any], versions: Mapping[str, str],
                  date: datetime.datetime) -> dict[str, Any]:
    """When, on what and how layers were timed, of one of which fusedconv_bench gave the report."""
    return {
        "date": date.isoformat(timespec="seconds"),
        "processor": report["processor"],
        "backend": report["backend"],
        "threads": report["threads"],
        "precisions": list(settings.precisions),
        "versions": {"fusedconv": f"{report['version']} ({report['commit']})", **versions},
        "rounds": settings.rounds,
        "repeat": settings.repeat,
    }


def document(settings: Settings, results: Sequence[Result], versions: Mapping[str, str],
             date: datetime.datetime) -> dict[str, Any]:
    """What --json writes."""
    return {
        **circumstances(settings, results[0].report, versions, date),
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
    """On what fusedconv computed, and in what precisions."""
    threads = figures["threads"]  # 0 for a GPU
    words = "" if threads == 0 else " 1 thread," if threads == 1 else f" {threads} threads,"
    precisions = ", ".join(figures["precisions"])
    return f"{figures['processor']}, {figures['backend']},{words} {precisions}"


def heading(figures: Mapping[str, Any], times: str) -> list[str]:
    """Lines above a table of circumstances(), whose times are so of all rounds."""
    return [place(figures),
            ", ".join(f"{name} {version}" for name, version in figures["versions"].items()),
            f"rounds: {figures['rounds']}, runs in each: {figures['repeat']}; {times}"]


def table(figures: Mapping[str, Any]) -> str:
    """What is printed of document()."""
    rows = [["", "median ms", "min", "max", "ratio", "time/floor", "error"]]
    labels = {}  # by the number of the row that they stand above
    for shape in figures["shapes"]:
        labels[len(rows)] = shape["label"]
        for program in shape["programs"]:
            name = f"  {title(program['program'])}"
            if "failure" in program:
                rows.append([name, "failed", "", "", "", "", ""])
                continue
            error = program["relative_l2_error"]
            rows.append([name, *(significant(program[key]) for key in (
                "median_ms", "min_ms", "max_ms", "ratio", "time_over_floor")),
                "" if error is None else f"{error:.1e}"])
        rows.append(["  floor", significant(shape["floor_ms"]), "", "", "", "", ""])
    lines = []
    for number, line in enumerate(columns(rows)):
        lines += [labels[number], line] if number in labels else [line]
    above = heading(figures, "the median of the rounds' medians, and the extremes of all runs")
    legend = ["ratio: the median over fusedconv's in the same precision, or the nearest that was "
              "measured; floor: as fusedconv_bench measures it; error: relative L2, of the first "
              "image to float64"]
    notes = [f"{title(peer)}: not installed (Python packages {', '.join(packages)})"
             for peer, packages in figures["not_installed"].items()]
    return "\n".join([*above, "", *lines, "", *legend, *notes])


def write_json(figures: Mapping[str, Any], path: Path) -> None:
    """Keeps the older file until the new one is whole."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(figures, indent=2) + "\n")
    try:
        unfinished.replace(path)
    except OSError:
        unfinished.unlink()
        raise


def write(writer: Callable[[Mapping[str, Any], Path], None], figures: Mapping[str, Any],
          path: Path | None) -> list[str]:
    """Writes a file if there is to be one; what failed."""
    try:
        if path:
            writer(figures, path)
    except OSError as error:
        return [f"{path}: expected a file that can be written, found: {error.strerror}"]
    return []


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
        axes.bar([x for x, _ in bars], medians, width, yerr=spread, label=title(name),
                 error_kw={"elinewidth": 0.8})
        for x, program in bars:
            if name in PEERS:
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
