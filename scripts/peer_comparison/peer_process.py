# SPDX-License-Identifier: Apache-2.0
"""A peer in a process of its own, which computes a layer when it is asked to and is stopped
otherwise. Requests and answers are lines of JSON; run as a module, this file answers."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping

from .errors import Failure
from .layer import first_image_float64, random_layer, relative_l2_error
from .peers import PEERS, PreparedPeer
from .programs import first_line

PACKAGE = Path(__file__).resolve().parent
WARM_UP_RUNS = 2  # as many as fusedconv_bench has


class PeerProcess:
    """The process of a peer, stopped except while it works on a request."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, *(["-B"] if sys.dont_write_bytecode else []), "-m", __name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**environment, "PYTHONPATH": os.pathsep.join(
                [str(PACKAGE.parent), *filter(None, [environment.get("PYTHONPATH")])])})

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        with contextlib.suppress(BrokenPipeError):  # of a request that it never read
            self._process.stdin.close()
        self._process.stdout.close()
        self._errors.close()

    def end(self) -> None:
        """Frees what the process holds; it cannot be asked any more."""
        self._process.kill()
        self._process.wait()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request. Throws Failure with the peer's reason."""
        self._process.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):  # no answer will come then
            print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise Failure(self._reason_of_end())
        self._process.send_signal(signal.SIGSTOP)
        answer = json.loads(line)
        if "failure" in answer:
            raise Failure(answer["failure"])
        return answer

    def _reason_of_end(self) -> str:
        code = self._process.wait()
        end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        last_line = first_line("\n".join(reversed(self._errors.read().splitlines())))
        return f"its process ended ({end}){': ' + last_line if last_line else ''}"


def prepare_peer(request: Mapping[str, Any]) -> tuple[PreparedPeer, dict[str, Any]]:
    """A peer with its layer, and what the peer answers to that request."""
    peer = PEERS[request["peer"]]
    sizes = request["sizes"]
    x, parameters = random_layer(sizes)
    prepared = peer.prepare(x, parameters, sizes, request["device"], request["threads"])
    expected = first_image_float64(Path(request["reference"]), x, parameters, sizes)
    error = relative_l2_error(prepared.first_image(), expected, peer.precision)
    return prepared, {"versions": prepared.versions, "relative_l2_error": error}


def time_runs(run_ms: Callable[[], float], repeat: int, warm_up_ms: float) -> dict[str, float]:
    """Figures of `repeat` runs under the names that fusedconv_bench gives them.

    Before them come runs to warm up, which last warm_up_ms at least."""
    runs, elapsed = 0, 0.0
    while runs < WARM_UP_RUNS or elapsed < warm_up_ms:
        elapsed += run_ms()
        runs += 1
    milliseconds = [run_ms() for _ in range(repeat)]
    return {"median_ms": statistics.median(milliseconds), "min_ms": min(milliseconds),
            "max_ms": max(milliseconds)}


def serve_peer() -> int:
    """Reads requests as lines of JSON, the first of them the layer, and answers each with one."""
    # However the run ends, no stopped process is left behind: Linux kills it with its parent.
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if peer is None:
                peer, answer = prepare_peer(request)
            else:
                answer = time_runs(peer.run_ms, request["repeat"], request["warm_up_ms"])
            peer.release()
        except Failure as error:
            answer = {"failure": str(error)}
        except Exception as error:  # whatever a peer throws is the reason why it is left out
            answer = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(serve_peer())
