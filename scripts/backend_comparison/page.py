# SPDX-License-Identifier: Apache-2.0
"""The page: one HTML file that needs nothing else, figures included."""

from __future__ import annotations

import base64
from html import escape
from typing import Any, Iterable, Mapping, Sequence

from peer_comparison.figures import significant

from .names import title
from .plots import comparison_title
from .verdict import DISAGREE, DONE, agrees, duration, exit_code, paragraph, ran

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: #fff; color: #1a1a1a;
  font: 16px/1.5 system-ui, "DejaVu Sans", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 0.5rem; }
.verdict { border-left: 0.4rem solid; padding: 0.6rem 1rem; background: #f5f5f5; }
.verdict.good { border-color: #00795a; }
.verdict.bad { border-color: #b3261e; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid #ccc; text-align: left;
  vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
th, td.word { white-space: nowrap; }
td.text { min-width: 12rem; }
.environment td { overflow-wrap: anywhere; }
.bad-text { color: #b3261e; font-weight: bold; }
img { width: 100%; max-width: 48rem; height: auto; display: block;
  margin-bottom: 1rem; }
.note { color: #444; font-size: 0.9rem; }
"""

# Headings of the figures, and what they show.
SECTIONS = {
    "stages": ("Time of each stage",
               "Of one rank's job on the whole input: the medians of {rounds}. Reading, computing "
               "and writing overlap, so that a job takes less than their sum; what is more in it "
               "is opening files and starting."),
    "roofline": ("Roofline",
                 "The layer alone on data in memory, for as many images as the job computed at a "
                 "time, beneath what the machine reached in the same run: a copy, and "
                 "multiply-adds on registers. Operations are those of the direct sum; Winograd's "
                 "algorithm needs fewer, and tensor cores are not bound by the ceiling of "
                 "multiply-adds."),
    "scaling": ("Scaling with threads",
                "The same, on OpenMP with more and more threads."),
    "differences": ("Differences of the outputs",
                    "Against float64 on the images named below, between backends on all images."),
}


def table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Cells are HTML; the kinds of columns are number, word and text."""
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f'<{tag} class="{column}">{cell}</{tag}>'
                       for cell, (_, column) in zip(row, head))

    heading = f"<tr>{cells('th', [escape(name) for name, _ in head])}</tr>\n" if any(
        name for name, _ in head) else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f'<div class="scroll"><table class="{kind}">\n{heading}{body}</table></div>\n'


def backend_rows(document: Mapping[str, Any]) -> Iterable[list[str]]:
    fastest = ran(document)[0]["seconds"]["compute"] if ran(document) else 0
    for backend in document["backends"]:
        name = escape(title(backend["backend"]))
        if backend["status"] == "failed":
            yield [name, '<span class="bad-text">failed</span>', *[""] * 5,
                   escape(backend["reason"])]
            continue
        if backend["status"] != "ran":
            reasons = {"absent": "not in these programs", "left out": "not asked for"}
            yield [name, backend["status"], *[""] * 5, reasons[backend["status"]]]
            continue
        bench, seconds = backend["bench"], backend["seconds"]
        where = backend["processor"]
        if backend["threads"]:
            where += f", {backend['threads']} thread{'s' if backend['threads'] > 1 else ''}"
        rate = document["sizes"]["batch"] / seconds["compute"] if seconds["compute"] else 0
        yield [name, "ran", duration(seconds["compute"]),
               f"{significant(seconds['compute'] / fastest)} ×" if fastest else "",
               significant(rate), duration(seconds["total"]),
               f"{significant(bench['time_over_floor'])}" if bench else "not measured",
               escape(f"{backend['algorithm']} on {where}")]


BACKEND_HEAD = (("backend", "word"), ("status", "word"), ("compute", "number"),
                ("to the fastest", "number"), ("images/s", "number"), ("whole job", "number"),
                ("time/floor", "number"), ("how", "text"))


def stage_rows(document: Mapping[str, Any]) -> Iterable[list[str]]:
    for backend in ran(document):
        seconds = backend["seconds"]
        yield [escape(title(backend["backend"])),
               *(duration(seconds[stage]) if seconds[stage] > 0 else "none"
                 for stage in ("read", "transfer", "compute", "write", "total"))]


STAGE_HEAD = (("backend", "word"), ("read", "number"), ("transfer", "number"),
              ("compute", "number"), ("write", "number"), ("whole job", "number"))


def images_text(images: Sequence[int]) -> str:
    if len(images) > 3 and list(images) == list(range(images[0], images[-1] + 1)):
        return f"{images[0]} to {images[-1]}"
    return ", ".join(map(str, images))


def comparison_rows(document: Mapping[str, Any]) -> Iterable[list[str]]:
    for each in document["comparisons"]:
        passed = agrees(each, document["tolerance"])
        verdict = "agree" if passed else '<span class="bad-text">disagree</span>'
        if not each["different_elements"]:
            verdict = "same bits"
        yield [escape(comparison_title(each)), verdict, f"{each['relative_l2']:.2e}",
               f"{each['maximum']:.2e}",
               ", ".join(map(str, each["at"])) if each["maximum"] > 0 else "",
               str(each["unlike_nonfinite"]), images_text(each["images"])]
    for backend in document["backends"]:
        verification = backend.get("verification")
        if verification:
            verdict = ("agree" if verification["passed"]
                       else '<span class="bad-text">disagree</span>')
            yield [escape(f"{title(backend['backend'])} to {document['reference']}"), verdict,
                   f"{verification['relative_l2']:.2e}", f"{verification['maximum']:.2e}",
                   ", ".join(map(str, verification["at"])), str(verification["unlike_nonfinite"]),
                   "all"]


COMPARISON_HEAD = (("comparison", "word"), ("", "word"), ("relative L2", "number"),
                   ("largest difference", "number"), ("at (n, c, i, j)", "number"),
                   ("NaN or infinite in one", "number"), ("images", "word"))


def scaling_rows(document: Mapping[str, Any]) -> Iterable[list[str]]:
    points = document["scaling"]
    for point in points:
        speedup = points[0]["median_ms"] * points[0]["threads"] / point["median_ms"]
        yield [str(point["threads"]), duration(point["median_ms"] * 1e-3),
               f"{significant(speedup)} ×", f"{100 * speedup / point['threads']:.0f} %"]


SCALING_HEAD = (("threads", "number"), ("median", "number"), ("speed-up", "number"),
                ("efficiency", "number"))


def roofline_rows(document: Mapping[str, Any]) -> Iterable[list[str]]:
    for backend in ran(document):
        bench = backend["bench"]
        if bench:
            error = bench.get("relative_l2_error")
            yield [escape(title(backend["backend"])), str(bench["n"]),
                   duration(bench["median_ms"] * 1e-3), significant(bench["gflops"]),
                   significant(bench["fma_gflops"]), significant(bench["copy_gbs"]),
                   duration(bench["floor_ms"] * 1e-3), significant(bench["time_over_floor"]),
                   "" if error is None else f"{error:.1e}"]


ROOFLINE_HEAD = (("backend", "word"), ("images", "number"), ("median", "number"),
                 ("GFLOP/s", "number"),
                 ("ceiling GFLOP/s", "number"), ("ceiling GB/s", "number"), ("floor", "number"),
                 ("time/floor", "number"), ("error to float64", "number"))


TABLES = {"stages": (STAGE_HEAD, stage_rows), "roofline": (ROOFLINE_HEAD, roofline_rows),
          "scaling": (SCALING_HEAD, scaling_rows),
          "differences": (COMPARISON_HEAD, comparison_rows)}


def layer_text(document: Mapping[str, Any]) -> str:
    sizes = document["sizes"]
    if not sizes:
        return document["input"]
    kernel = "×".join(map(str, sizes["kernel_size"]))
    images = f"{sizes['batch']} image{'s' if sizes['batch'] > 1 else ''}"
    return (f"{document['input']}: {images} of {sizes['height']} × {sizes['width']}, "
            f"{sizes['in_channels']} → {sizes['out_channels']} channels, kernel {kernel}, "
            f"{sizes['num_groups']} groups, {sizes.get('activation', 'sigmoid')}, "
            f"{document['precision']}")


def page(document: Mapping[str, Any], pngs: Mapping[str, bytes]) -> str:
    """The page of the measurements."""
    code = exit_code(document)
    words = {DONE: "The backends agree", DISAGREE: "The backends disagree"}.get(
        code, "Not everything could be measured")
    rounds = f"{document['rounds']} job{'s' if document['rounds'] > 1 else ''}"
    parts = [f'<h1>{escape(words)}</h1>\n<p class="note">{escape(layer_text(document))}</p>\n'
             f'<p class="verdict {"good" if code == DONE else "bad"}">'
             f"{escape(paragraph(document))}</p>\n<h2>Backends</h2>\n",
             table(BACKEND_HEAD, backend_rows(document)),
             '<p class="note">Floor: the time that the layer takes at the rate of multiply-adds or '
             "of a copy, whichever is longer, both measured in the same run; on tensor cores the "
             "copy alone.</p>\n"]
    for name, (heading, explanation) in SECTIONS.items():
        if name not in pngs:
            continue
        image = base64.b64encode(pngs[name]).decode("ascii")
        head, rows = TABLES[name]
        text = explanation.format(rounds=rounds)
        parts += [f"<h2>{escape(heading)}</h2>\n<p>{escape(text)}</p>\n"
                  f'<img alt="{escape(heading)}: the values are in the table below" '
                  f'src="data:image/png;base64,{image}">\n', table(head, rows(document))]
    environment = [*document["environment"], ["date", document["date"]]]
    parts += ["<h2>Environment</h2>\n",
              table((("", "word"), ("", "text")),
                    ([escape(name), escape(value)] for name, value in environment),
                    "environment")]
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>fusedconv: backends on {escape(document['input'])}</title>\n"
            f"<style>{STYLE}</style>\n</head>\n<body>\n{''.join(parts)}</body>\n</html>\n")
