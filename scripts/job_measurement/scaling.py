# SPDX-License-Identifier: Apache-2.0
"""Speeds and efficiencies of what was measured on several numbers of ranks."""

import statistics

# What is measured, in the order in which it is shown: (key, in words, whether ranks share one amount
# of work).
SERIES = (
    ("compute", "computing alone", False),
    ("weak_independent", "job, one file, independent", False),
    ("weak_mapped", "job, one file, mapped", False),
    ("weak_own_files", "job, a file for each rank", False),
    ("raw_one_file", "dd, one file", False),
    ("raw_own_files", "dd, a file for each rank", False),
    ("strong_independent", "job, one file, independent", True),
    ("strong_mapped", "job, one file, mapped", True),
)


def medians(rounds):
    """{series: {ranks: median of the rounds' seconds}}"""
    seconds = {}
    for each in rounds:
        for series, by_ranks in each.items():
            for ranks, value in by_ranks.items():
                seconds.setdefault(series, {}).setdefault(int(ranks), []).append(value)
    return {series: {ranks: statistics.median(values) for ranks, values in by_ranks.items()}
            for series, by_ranks in seconds.items()}


def efficiencies(by_ranks, strong):
    """{ranks: efficiency}: of weak scaling t(1) / t(n), of strong scaling t(1) / (n t(n)), and where
    one rank was not measured the fewest in its place."""
    fewest = min(by_ranks)
    return {ranks: by_ranks[fewest] / seconds * (fewest / ranks if strong else 1)
            for ranks, seconds in by_ranks.items()}


def table(document):
    """Markdown: seconds and efficiencies of each series."""
    numbers = document["ranks"]
    lines = ["| scaling | what | " + " | ".join(f"{ranks} rank{'s' if ranks > 1 else ''}"
                                                for ranks in numbers) + " |",
             "| --- | --- |" + " --- |" * len(numbers)]
    for key, words, strong in SERIES:
        by_ranks = document["medians"].get(key)
        if not by_ranks:
            continue
        of = efficiencies(by_ranks, strong)
        cells = [f"{by_ranks[ranks]:.3g} s, {of[ranks]:.2f}" if ranks in by_ranks else ""
                 for ranks in numbers]
        lines.append(f"| {'strong' if strong else 'weak'} | {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(document, path):
    """Efficiencies over ranks, weak and strong, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, constrained_layout=True)
    for axis, strong in zip(axes, (False, True)):
        for key, words, of_strong in SERIES:
            if of_strong != strong or key not in document["medians"]:
                continue
            of = efficiencies(document["medians"][key], strong)
            axis.plot(list(of), list(of.values()), marker="o", label=words,
                      linestyle=":" if key.startswith("raw") else "-")
        axis.set_title("strong scaling" if strong else "weak scaling")
        axis.set_xlabel("ranks")
        axis.set_xticks(document["ranks"])
        axis.axhline(1, color="grey", linewidth=0.5)
        axis.set_ylim(0, 1.25)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize="small", loc="lower left")
    axes[0].set_ylabel("efficiency")
    figure.suptitle(f"{document['shape']}: {document['images']} images a rank (weak), "
                    f"{document['strong_images']} in all (strong); {document['processor']}",
                    fontsize="medium")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
