# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/job_scaling: FUSEDCONV_PROGRAMS names a directory of the programs."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

from job_measurement import scaling


def run_script(*arguments):
    return subprocess.run([sys.executable, "-B", str(SCRIPTS / "job_scaling"),
                           *map(str, arguments)], capture_output=True, text=True, timeout=300)


class Scaling(unittest.TestCase):
    def test_takes_medians_over_rounds(self):
        rounds = [{"compute": {"1": 2.0, "2": 5.0}}, {"compute": {1: 4.0, 2: 3.0}},
                  {"compute": {1: 3.0}}]
        self.assertEqual(scaling.medians(rounds), {"compute": {1: 3.0, 2: 4.0}})

    def test_tells_efficiencies(self):
        self.assertEqual(scaling.efficiencies({1: 2.0, 2: 2.5, 4: 4.0}, False),
                         {1: 1.0, 2: 0.8, 4: 0.5})
        self.assertEqual(scaling.efficiencies({1: 2.0, 2: 1.0, 4: 1.0}, True),
                         {1: 1.0, 2: 1.0, 4: 0.5})
        self.assertEqual(scaling.efficiencies({2: 2.0, 4: 1.0}, True), {2: 1.0, 4: 1.0})

    def test_makes_a_row_of_each_series(self):
        document = {"ranks": [1, 2], "medians": {"weak_mapped": {1: 1.0, 2: 1.25},
                                                 "strong_mapped": {1: 1.0, 2: 0.625}}}
        self.assertEqual(scaling.table(document).splitlines(), [
            "| scaling | what | 1 rank | 2 ranks |", "| --- | --- | --- | --- |",
            "| weak | job, one file, mapped | 1 s, 1.00 | 1.25 s, 0.80 |",
            "| strong | job, one file, mapped | 1 s, 1.00 | 0.625 s, 0.80 |"])


class Script(unittest.TestCase):
    def test_measures_every_series_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory)
            figures, work = path / "figures.json", path / "work"
            work.mkdir()
            done = run_script("--programs", os.environ["FUSEDCONV_PROGRAMS"], "--directory", work,
                              "--ranks", 1, 2, "--shape", "tiny", "--images", 16, "--rounds", 1,
                              "--repeat", 2, "--threads", 1, "--launcher", "mpirun -n",
                              "--json", figures, "--table", path / "table.md", "--",
                              "--log-interval", 600)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(list(work.iterdir()), [])
            document = json.loads(figures.read_text())
            measured = document["rounds"][0]
            self.assertEqual(set(measured), {key for key, _, _ in scaling.SERIES})
            for series, by_ranks in measured.items():
                self.assertEqual(list(by_ranks), ["1", "2"], series)
                self.assertGreater(min(by_ranks.values()), 0, series)
            self.assertEqual(done.stdout, (path / "table.md").read_text())
            again = run_script("--programs", ".", "--directory", ".", "--from-json", figures)
            self.assertEqual(again.stdout, done.stdout, again.stderr)

            if importlib.util.find_spec("matplotlib"):
                drawn = run_script("--programs", ".", "--directory", ".", "--from-json", figures,
                                   "--plot", path / "plot.png")
                self.assertEqual(drawn.returncode, 0, drawn.stderr)
                self.assertEqual((path / "plot.png").read_bytes()[:4], b"\x89PNG")

    def test_says_what_failed(self):
        with tempfile.TemporaryDirectory() as directory:
            done = run_script("--programs", os.environ["FUSEDCONV_PROGRAMS"], "--directory",
                              directory, "--shape", "none_such")
            self.assertEqual(done.returncode, 1)
            self.assertIn("fusedconv_generate", done.stderr)
            self.assertEqual(list(Path(directory).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
