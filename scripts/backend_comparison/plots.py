# SPDX-License-Identifier: Apache-2.0
"""The page's figures, by matplotlib. Each function takes the JSON document and returns a Figure, or
None where there is nothing to show."""

from __future__ import annotations

import io
import math
from typing import Any, Mapping

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from peer_comparison.figures import significant

from .names import title
from .verdict import agrees, duration

# Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS = {"cuda": "#009e73", "hip": "#d55e00", "openmp": "#0072b2", "serial": "#e69f00"}
OTHER_COLOUR = "#555555"
MARKERS = {"cuda": "o", "hip": "D", "openmp": "s", "serial": "^"}
WIDTH = 6.0  # inches; narrow, so that letters are large on a narrow screen, too
STAGE_TITLES = {"read": "read", "transfer": "transfer\nto and from GPU", "compute": "compute",
                "write": "write", "total": "whole job"}


def colour(backend: str) -> str:
    return COLOURS.get(backend, OTHER_COLOUR)


def in_order(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The backends that ran, in the document's order."""
    return [backend for backend in document["backends"] if backend["status"] == "ran"]


def short_duration(seconds: float) -> str:
    """Of round numbers, such as an axis has."""
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if round(seconds * factor, 3) >= 1 or unit == "µs":
            return f"{seconds * factor:g} {unit}"
    raise AssertionError


def stages(document: Mapping[str, Any]) -> Figure | None:
    """Bars of the time of each stage, by backend."""
    backends = in_order(document)
    if not backends:
        return None
    names = [stage for stage in STAGE_TITLES
             if any(backend["seconds"][stage] > 0 for backend in backends)]
    height = 0.8 / len(backends)
    figure = Figure(figsize=(WIDTH, 1.2 + 0.34 * len(names) * (len(backends) + 0.6)),
                    layout="constrained")
    axes = figure.add_subplot()
    shortest = min(backend["seconds"][stage] for backend in backends for stage in names
                   if backend["seconds"][stage] > 0)
    left = 10 ** math.floor(math.log10(shortest) - 0.3)
    for number, backend in enumerate(backends):
        at = [row + (number - (len(backends) - 1) / 2) * height for row in range(len(names))]
        values = [backend["seconds"][stage] for stage in names]
        axes.barh(at, [max(value - left, 0) for value in values], 0.9 * height, left=left,
                  color=colour(backend["backend"]), label=title(backend["backend"]))
        for y, value in zip(at, values):
            axes.annotate(duration(value) if value > 0 else "none", (max(value, left), y), (4, 0),
                          textcoords="offset points", va="center", fontsize=9)
    axes.set_xscale("log")
    longest = max(backend["seconds"][stage] for backend in backends for stage in names)
    axes.set_xlim(left, left * (longest / left) ** 1.18)  # room for the labels
    axes.xaxis.set_major_formatter(lambda value, _: short_duration(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(names)), [STAGE_TITLES[stage] for stage in names])
    axes.invert_yaxis()
    axes.set_xlabel("time (logarithmic)")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=len(backends), frameon=False)
    return figure


def roofline(document: Mapping[str, Any]) -> Figure | None:
    """Each backend's ceilings, and where the layer is under them."""
    backends = [backend for backend in in_order(document) if backend["bench"]]
    if not backends:
        return None
    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    axes = figure.add_subplot()
    points = {backend["backend"]: (intensity(backend["bench"]), backend["bench"]["gflops"])
              for backend in backends}
    ridges = [backend["bench"]["fma_gflops"] / backend["bench"]["copy_gbs"]
              for backend in backends]
    at = [x for x, _ in points.values()]
    left, right = min(*at, *ridges) / 6, max(*at, *ridges) * 6
    x = np.geomspace(left, right, 200)
    for backend in backends:
        name, bench = backend["backend"], backend["bench"]
        axes.plot(x, np.minimum(x * bench["copy_gbs"], bench["fma_gflops"]), color=colour(name),
                  linewidth=1.5,
                  label=f"{title(name)}: copy {significant(bench['copy_gbs'])} GB/s, "
                        f"multiply-adds {significant(bench['fma_gflops'])} GFLOP/s")
        axes.plot(*points[name], MARKERS.get(name, "o"), color=colour(name), markersize=10,
                  markeredgecolor="black",
                  label=f"{title(name)}: this layer, {significant(bench['gflops'])} GFLOP/s, "
                        f"{bench['algorithm']}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("FLOP/byte of input and output")
    axes.set_ylabel("GFLOP/s")
    axes.grid(color="#dddddd")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=9, frameon=False)
    return figure


def intensity(bench: Mapping[str, Any]) -> float:
    """FLOP/byte of a layer: its operations over its input and output in float32."""
    sizes = bench["sizes"]
    flops = bench["gflops"] * 1e9 * bench["median_ms"] * 1e-3
    elements = sizes["batch"] * (
        sizes["in_channels"] * sizes["height"] * sizes["width"]
        + sizes["out_channels"] * sizes["output_height"] * sizes["output_width"])
    return flops / (4 * elements)


def scaling(document: Mapping[str, Any]) -> Figure | None:
    """Speed-up of OpenMP by threads, beside the ideal."""
    points = document["scaling"]
    if len(points) < 2:
        return None
    threads = [point["threads"] for point in points]
    alone = points[0]["median_ms"] * points[0]["threads"]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(threads, threads, "--", color="#777777", label="ideal")
    speedups = [alone / point["median_ms"] for point in points]
    spread = [[speed - alone / point["max_ms"] for speed, point in zip(speedups, points)],
              [alone / point["min_ms"] - speed for speed, point in zip(speedups, points)]]
    axes.errorbar(threads, speedups, spread, fmt="s-", color=colour("openmp"), capsize=3,
                  label="OpenMP (median; bars: fastest and slowest run)")
    for count, speed, point in zip(threads, speedups, points):
        axes.annotate(duration(point["median_ms"] * 1e-3), (count, speed), (10, -12),
                      textcoords="offset points", fontsize=9)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(threads, [str(count) for count in threads])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.18, y=0.12)  # room for the labels
    axes.set_xlabel("threads")
    axes.set_ylabel("times as fast as one thread")
    axes.grid(color="#dddddd")
    axes.legend(loc="upper left", frameon=False)
    return figure


def comparison_title(each: Mapping[str, Any]) -> str:
    return f"{title(each['of'])} to {title(each['to'])}"


def differences(document: Mapping[str, Any]) -> Figure | None:
    """The largest absolute difference of each channel, a row a comparison."""
    comparisons = document["comparisons"]
    if not comparisons:
        return None
    values = np.array([each["channel_maximum"] for each in comparisons])
    rows, channels = values.shape
    figure = Figure(figsize=(WIDTH, 1.9 + 0.45 * rows), layout="constrained")
    axes = figure.add_subplot()
    shown = np.ma.masked_less_equal(values, 0)
    if shown.count():
        lowest = 10 ** math.floor(math.log10(shown.min()))
        highest = 10 ** math.ceil(math.log10(shown.max()))
        norm = LogNorm(lowest, max(highest, 10 * lowest))
        mesh = axes.pcolormesh(np.arange(channels + 1) - 0.5, np.arange(rows + 1) - 0.5, shown,
                               norm=norm, cmap="viridis_r")
        figure.colorbar(mesh, ax=axes, orientation="horizontal", aspect=50, pad=0.02,
                        label="largest absolute difference in the channel (white: none)")
    for row, each in enumerate(comparisons):
        if not values[row].any():
            axes.annotate("no difference", ((channels - 1) / 2, row), ha="center", va="center",
                          fontsize=9)
    axes.set_yticks(range(rows), [
        comparison_title(each) + ("" if agrees(each, document["tolerance"]) else "\ndisagree")
        for each in comparisons])
    axes.set_xlim(-0.5, channels - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.hlines(np.arange(rows - 1) + 0.5, -0.5, channels - 0.5, color="white", linewidth=3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("output channel")
    return figure


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # Without matplotlib's version in it, so that equal figures are equal files.
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


FIGURES = {"stages": stages, "roofline": roofline, "scaling": scaling, "differences": differences}


def render(document: Mapping[str, Any]) -> dict[str, bytes]:
    """PNGs by name, of the figures that there are."""
    figures = {name: make(document) for name, make in FIGURES.items()}
    return {name: png(figure) for name, figure in figures.items() if figure}
