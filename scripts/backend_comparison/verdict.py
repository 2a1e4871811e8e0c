# SPDX-License-Identifier: Apache-2.0
"""What the measurements say: who is fastest, who agrees, and with what code the script exits."""

from __future__ import annotations

from typing import Any, Mapping

from peer_comparison.figures import significant

from .names import joined, title

DONE, FAILED, DISAGREE = 0, 1, 3


def agrees(comparison: Mapping[str, Any], tolerance: float) -> bool:
    return comparison["unlike_nonfinite"] == 0 and comparison["relative_l2"] <= tolerance


def disagreements(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each comparison that does not pass."""
    tolerance = document["tolerance"]
    sentences = []
    for each in document["comparisons"]:
        if agrees(each, tolerance):
            continue
        nonfinite = (f", and {each['unlike_nonfinite']} elements that are NaN or infinite in one "
                     "alone" if each["unlike_nonfinite"] else "")
        sentences.append(f"{title(each['of'])}: expected a relative L2 difference to "
                         f"{title(each['to'])} of at most {tolerance:g}, found "
                         f"{each['relative_l2']:.2g}{nonfinite}")
    for backend in document["backends"]:
        verification = backend.get("verification")
        if verification and not verification["passed"]:
            sentences.append(f"{title(backend['backend'])}: expected a relative L2 error to "
                             f"{verification['reference']} of at most {tolerance:g}, found "
                             f"{verification['relative_l2']:.2g}")
    return sentences


def failures(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that was to be measured and was not."""
    sentences = [f"{title(backend['backend'])} failed: {backend['reason']}"
                 for backend in document["backends"] if backend["status"] == "failed"]
    return sentences + document["failures"]


def exit_code(document: Mapping[str, Any]) -> int:
    """3 where outputs disagree, whatever else went wrong; 1 where anything failed."""
    if disagreements(document):
        return DISAGREE
    return FAILED if failures(document) else DONE


def ran(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The backends that computed, fastest first."""
    return sorted((backend for backend in document["backends"] if backend["status"] == "ran"),
                  key=lambda backend: backend["seconds"]["compute"])


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{significant(seconds * factor)} {unit}"
    raise AssertionError


def speed(document: Mapping[str, Any]) -> str:
    """Which backend is fastest, by how much."""
    def time(backend: Mapping[str, Any]) -> str:
        return duration(backend["seconds"]["compute"])

    if not ran(document):
        return "No backend has computed anything."
    fastest, *others = ran(document)
    images = document["sizes"]["batch"]
    what = f"{images} image{'s' if images > 1 else ''}"
    if not others:
        return (f"Only {title(fastest['backend'])} has run: it computes {what} in "
                f"{time(fastest)}.")
    ratios = joined([
        f"{significant(other['seconds']['compute'] / fastest['seconds']['compute'])} times as fast "
        f"as {title(other['backend'])} ({time(other)})" for other in others])
    job = min(ran(document), key=lambda backend: backend["seconds"]["total"])
    return (f"{title(fastest['backend'])} is the fastest: it computes {what} in "
            f"{time(fastest)}, {ratios}. The whole job, with reading and "
            f"writing, is shortest with {title(job['backend'])}: "
            f"{duration(job['seconds']['total'])}.")


def agreement(document: Mapping[str, Any]) -> str:
    """Whether they agree, and how well."""
    if not document["comparisons"]:
        return "No outputs were compared."
    if disagreements(document):
        return f"The outputs do not agree. {'; '.join(disagreements(document))}."
    to_float64 = [each for each in document["comparisons"] if each["to"] == "float64"]
    between = [each for each in document["comparisons"] if each["to"] != "float64"]
    worst = max(each["relative_l2"] for each in to_float64)
    images = len(to_float64[0]["images"])
    names = joined([title(backend["backend"]) for backend in ran(document)])
    sentence = (f"{names} agree{'s' if len(to_float64) == 1 else ''} with float64 to a relative L2 "
                f"error of {worst:.1e} (on {images} image{'s' if images > 1 else ''})")
    if between:
        largest = max(each["relative_l2"] for each in between)
        sentence += (", and with one another to the last bit"
                     if not any(each["different_elements"] for each in between)
                     else f", and with one another to {largest:.1e}")
    return f"{sentence}; {document['tolerance']:.1e} is allowed."


def paragraph(document: Mapping[str, Any]) -> str:
    failed = failures(document)
    absent = [title(backend["backend"]) for backend in document["backends"]
              if backend["status"] == "absent"]
    parts = [speed(document), agreement(document)]
    if failed:
        parts.append(f"Not measured: {'; '.join(failed)}.")
    if absent:
        parts.append(f"Not in these programs: {joined(absent)}.")
    return " ".join(parts)
