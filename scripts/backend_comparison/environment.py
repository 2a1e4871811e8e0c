# SPDX-License-Identifier: Apache-2.0
"""Where and with what was measured, as rows of a table."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any, Mapping, Sequence

from .names import title


def system() -> str:
    try:
        release = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except (AttributeError, OSError):  # Python 3.9 has no such function
        release = ""
    kernel = f"{platform.system()} {platform.release()}"
    return f"{release}, {kernel}" if release else kernel


def processor() -> str:
    """The host's, as Linux names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 1e-9
    return f"{gigabytes:.0f} GB"


def describe(versions: Sequence[Sequence[str]], backends: Sequence[Mapping[str, Any]]
             ) -> list[list[str]]:
    """Rows of what and where; `versions` are lines of fusedconv_app --version, by program."""
    rows = [["host", platform.node()],
            ["system", system()],
            ["processor", f"{processor()}, {len(os.sched_getaffinity(0))} cores may be used"],
            ["memory", memory()]]
    rows += [[f"{title(backend['backend'])} device", backend["processor"]]
             for backend in backends if backend.get("device", -1) >= 0]
    for number, lines in enumerate(versions, 1):
        program, backend_line, *libraries = lines
        suffix = f" {number}" if len(versions) > 1 else ""
        names = ", ".join(title(name) for name in backend_line.split()[1:])
        rows.append([f"programs{suffix}", f"{program.replace('fusedconv_app', 'fusedconv')}, with "
                                          f"{names}"])
        rows += [[f"built{suffix}" if line.startswith("built") else f"libraries{suffix}",
                  line.removeprefix("built ")] for line in libraries]
    return rows
