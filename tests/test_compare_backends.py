# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/compare_backends: FUSEDCONV_PROGRAMS names the directory of the programs. ctest
says that they were skipped where numpy, h5py or matplotlib is not installed."""

import base64
import html.parser
import importlib.util
import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

missing = [name for name in ("numpy", "h5py", "matplotlib")
           if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: the Python packages {', '.join(missing)} are not installed")
    sys.exit(0)

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import h5py
import numpy as np

from backend_comparison import verdict
from backend_comparison.differences import Difference, spread
from backend_comparison.layer_file import LayerFile
from backend_comparison.measurement import bench_options

PROGRAMS = Path(os.environ["FUSEDCONV_PROGRAMS"])
TINY = ROOT / "inputs" / "tiny.h5"
REFERENCE = ROOT / "inputs" / "tiny_reference.h5"
PNG = b"\x89PNG\r\n\x1a\n"

# A fusedconv_app that has one backend, which it leaves to the true program's first one, and then
# does as told; and a fusedconv_bench that answers at once.
FAKE_APP = """
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("fusedconv_app 9.8 (fake)", "backends: {name}", "Kokkos 1.2", sep="\\n")
        sys.exit()
    arguments[arguments.index("--backend") + 1] = "auto"
    {before}
    code = subprocess.run(["{app}", *arguments]).returncode
    path = arguments[arguments.index("--report") + 1]
    report = json.load(open(path))
    report["backend"] = "{name}"
    json.dump(report, open(path, "w"))
    import h5py
    with h5py.File(arguments[arguments.index("--output") + 1], "r+") as file:
        output = file["output"]
        {after}
    sys.exit(code)
"""
FAKE_BENCH = """
    threads = int(__import__("os").environ["OMP_NUM_THREADS"])
    {before}
    sizes = dict(batch=2, in_channels=8, height=20, width=24, out_channels=16, output_height=18,
                 output_width=22)
    json.dump(dict(backend="{name}", sizes=sizes, n=2, threads=threads, algorithm="direct",
                   median_ms=8 / threads, min_ms=7 / threads, max_ms=9 / threads, gflops=3.0,
                   fma_gflops=50.0, copy_gbs=20.0, floor_ms=0.5, time_over_floor=16.0,
                   relative_l2_error=1e-7), open(sys.argv[-1], "w"))
"""


def run_script(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-B", str(ROOT / "scripts" / "compare_backends"), *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, **(environment or {})}, timeout=300)


class Page(html.parser.HTMLParser):
    """The page's tables as lists of rows of texts, its images and its text."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.images, self.links, self.text = [], [], [], ""
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = ""
        elif tag == "img":
            self.images.append(dict(attributes)["src"])
        self.links += [value for name, value in attributes if name in ("href", "src")]

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.text += data
        if self._cell is not None:
            self._cell += data

    def table(self, *head):
        """The rows of the table whose heading begins so."""
        table, = (table for table in self.tables if tuple(table[0][:len(head)]) == head)
        return table[1:]


def seconds(text):
    value, unit = text.split()
    return float(value) * {"s": 1, "ms": 1e-3, "µs": 1e-6}[unit]


class WithDirectory(unittest.TestCase):
    def setUp(self):
        context = tempfile.TemporaryDirectory()
        self.addCleanup(context.cleanup)
        self.directory = Path(context.name)

    def program(self, path, body):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport json, subprocess, sys\n"
                        + textwrap.dedent(body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def fakes(self, name, before="pass", after="pass", bench="pass"):
        """The directory of programs that have the backend `name`."""
        self.program(self.directory / name / "fusedconv_app", FAKE_APP.format(
            name=name, app=PROGRAMS / "fusedconv_app", before=before, after=after))
        self.program(self.directory / name / "fusedconv_bench",
                     FAKE_BENCH.format(name=name, before=bench))
        return self.directory / name

    def compare(self, *programs, more=()):
        """The script's end, and the measurements; with a page beside them."""
        return self.measure(*programs, more=["--output", self.directory / "page", *more],
                            written=self.directory / "page" / "measurements.json")

    def measure(self, *programs, more=None, written=None):
        """Likewise without a page."""
        written = written or self.directory / "figures.json"
        options = [option for each in programs for option in ("--programs", each)]
        result = run_script(TINY, "--threads", "1,2", "--rounds", 1, "--repeat", 1, *options,
                            *(["--json", written] if more is None else more))
        self.assertNotIn("Traceback", result.stderr)
        return result, json.loads(written.read_text())

    def page(self):
        return Page((self.directory / "page" / "report.html").read_text(encoding="utf-8"))


class TrueBackends(WithDirectory):
    def test_page_shows_what_was_measured(self):
        result, document = self.compare(PROGRAMS, more=["--verify", REFERENCE, "--threads", 1,
                                                        "--float64-images", 5])
        self.assertEqual(result.returncode, 0, result.stderr)
        _, names, libraries, built = subprocess.run(
            [PROGRAMS / "fusedconv_app", "--version"], capture_output=True, text=True
        ).stdout.splitlines()
        there = names.split()[1:]
        backends = {each["backend"]: each for each in document["backends"]}
        self.assertEqual([name for name, each in backends.items() if each["status"] == "ran"],
                         there)
        self.assertEqual({name for name, each in backends.items() if each["status"] == "absent"},
                         {"cuda", "hip", "openmp", "serial"} - set(there))

        # float64 is computed by the script; PyTorch's of the same input is in the reference.
        for each in document["comparisons"]:
            self.assertLess(each["relative_l2"], 1e-6)
            self.assertEqual(len(each["channel_maximum"]), 16)
            self.assertEqual(max(each["channel_maximum"]), each["maximum"])
            self.assertEqual(each["images"], [0, 1, 2, 3, 4])
        for name in there:
            to_float64 = next(each for each in document["comparisons"] if each["of"] == name)
            verification = backends[name]["verification"]
            self.assertAlmostEqual(to_float64["relative_l2"], verification["relative_l2"],
                                   delta=1e-3 * verification["relative_l2"])
            self.assertEqual(to_float64["at"], verification["at"])

        shown = self.page()
        rows = {row[0]: row for row in shown.table("backend", "status")}
        for name, each in backends.items():
            row = rows[verdict.title(name)]
            if each["status"] != "ran":
                self.assertEqual((row[1], row[7]), ("absent", "not in these programs"))
                self.assertEqual(set(row[2:7]), {""})
                continue
            self.assertEqual(row[1], "ran")
            self.assertAlmostEqual(seconds(row[2]), each["seconds"]["compute"],
                                   delta=0.006 * each["seconds"]["compute"])
            self.assertAlmostEqual(seconds(row[5]), each["seconds"]["total"],
                                   delta=0.006 * each["seconds"]["total"])
        rows = shown.table("comparison", "", "relative L2")
        self.assertEqual([float(row[2]) for row in rows[:len(document["comparisons"])]],
                         [float(f"{each['relative_l2']:.2e}") for each in document["comparisons"]])
        for row in shown.table("backend", "images", "median"):
            bench = backends[row[0].lower()]["bench"]
            self.assertAlmostEqual(seconds(row[2]) * 1e3, bench["median_ms"],
                                   delta=0.006 * bench["median_ms"])
            self.assertAlmostEqual(float(row[4]), bench["fma_gflops"],
                                   delta=0.006 * bench["fma_gflops"])
        self.assertIn(libraries, shown.text)
        self.assertIn(built.removeprefix("built "), shown.text)
        self.assertIn("The backends agree", shown.text)

        # All of the page is in it, and the figures beside it are those that are shown.
        self.assertEqual([link for link in shown.links if not link.startswith("data:")], [])
        files = {path.read_bytes() for path in (self.directory / "page").glob("*.png")}
        images = [base64.b64decode(image.partition("base64,")[2]) for image in shown.images]
        self.assertEqual(set(images), files)
        self.assertTrue(all(image.startswith(PNG) for image in images))
        self.assertGreaterEqual(len(images), 3)

        # The page can be made elsewhere, from the measurements alone.
        again = run_script("--from-json", self.directory / "page" / "measurements.json", "-o",
                           self.directory / "again")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual((self.directory / "again" / "report.html").read_text(encoding="utf-8"),
                         (self.directory / "page" / "report.html").read_text(encoding="utf-8"))


class FakeBackends(WithDirectory):
    def test_backends_with_the_same_bits_agree(self):
        result, document = self.measure(self.fakes("openmp"), self.fakes("serial"))
        self.assertEqual(result.returncode, 0, result.stderr)
        between = document["comparisons"][-1]
        self.assertEqual((between["of"], between["to"]), ("openmp", "serial"))
        self.assertEqual((between["relative_l2"], between["maximum"]), (0, 0))
        self.assertIn("to the last bit", result.stdout)
        self.assertEqual([(each["threads"], each["median_ms"]) for each in document["scaling"]],
                         [(1, 8), (2, 4)])

    def test_a_backend_that_disagrees_is_named_with_the_channel(self):
        fake = self.fakes("serial", after="output[3, 5, 7, 11] += 0.25")
        result, document = self.compare(self.fakes("openmp"), fake)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("OpenMP: expected a relative L2 difference to Serial", result.stderr)
        between = document["comparisons"][-1]
        self.assertAlmostEqual(between["maximum"], 0.25, places=5)
        self.assertEqual(between["at"], [3, 5, 7, 11])
        self.assertEqual([channel for channel, each in enumerate(between["channel_maximum"])
                          if each > 0], [5])
        self.assertEqual(between["different_elements"], 1)
        shown = self.page()
        self.assertIn("The backends disagree", shown.text)
        row = next(row for row in shown.table("comparison") if row[0] == "OpenMP to Serial")
        self.assertEqual((row[1], row[4]), ("disagree", "3, 5, 7, 11"))
        self.assertEqual(shown.table("threads"), [["1", "8.00 ms", "1.00 ×", "100 %"],
                                                  ["2", "4.00 ms", "2.00 ×", "100 %"]])

    def test_an_error_that_all_backends_share_is_found_by_float64(self):
        wrong = "output[...] = output[...] * 1.001"
        result, document = self.measure(self.fakes("openmp", after=wrong),
                                        self.fakes("serial", after=wrong))
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual([each["relative_l2"] > 1e-5 for each in document["comparisons"]],
                         [True, True, False])
        self.assertIn("OpenMP: expected a relative L2 difference to float64", result.stderr)

    def test_a_reference_that_is_far_away_disagrees(self):
        far = self.directory / "far.h5"
        with h5py.File(REFERENCE, "r") as reference, h5py.File(far, "w") as file:
            file["output"] = 1.001 * reference["output"][...]
        written = self.directory / "figures.json"
        result, document = self.measure(self.fakes("openmp"), written=written,
                                        more=["--json", written, "--verify", far])
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("OpenMP: expected a relative L2 error to", result.stderr)
        self.assertEqual(document["reference"], "far.h5")

    def test_nan_in_one_alone_disagrees_whatever_the_norm_is(self):
        fake = self.fakes("serial", after="output[0, 1, 2, 3] = float('nan')")
        result, document = self.measure(self.fakes("openmp"), fake)
        self.assertEqual(result.returncode, 3, result.stderr)
        between = document["comparisons"][-1]
        self.assertEqual((between["unlike_nonfinite"], between["relative_l2"]), (1, 0))

    def test_a_backend_that_fails_is_told_and_the_others_go_on(self):
        fake = self.fakes("hip", before="sys.exit('fusedconv_app: HIP: no <device> was found')")
        result, document = self.compare(fake, self.fakes("openmp"), self.fakes("serial"))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("HIP failed: fusedconv_app: HIP: no <device> was found (return code 1)",
                      result.stderr)
        self.assertEqual([(each["of"], each["to"]) for each in document["comparisons"]],
                         [("openmp", "float64"), ("serial", "float64"), ("openmp", "serial")])
        shown = self.page()
        self.assertIn("Not everything could be measured", shown.text)
        row = next(row for row in shown.table("backend", "status") if row[0] == "HIP")
        self.assertEqual((row[1], set(row[2:7])), ("failed", {""}))
        self.assertIn("no <device> was found", row[7])

    def test_a_backend_that_computes_with_another_has_failed(self):
        fake = self.fakes("serial")
        app = fake / "fusedconv_app"
        app.write_text(app.read_text().replace('report["backend"] = "serial"',
                                               'report["backend"] = "openmp"'))
        result, _ = self.measure(fake)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("expected to compute with serial, found openmp", result.stderr)

    def test_a_benchmark_that_fails_leaves_the_rest(self):
        fake = self.fakes("openmp", bench="threads == 2 and sys.exit('no memory left')")
        result, document = self.measure(fake, self.fakes("serial"))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("OpenMP: computing alone failed: fusedconv_bench: no memory left",
                      result.stderr)
        self.assertEqual([each["backend"] for each in document["backends"] if each.get("bench")],
                         ["serial"])
        self.assertEqual([len(document[each]) for each in ("comparisons", "scaling")], [3, 0])

    def test_measuring_needs_no_matplotlib(self):
        blocked = self.directory / "blocked"
        blocked.mkdir()
        (blocked / "matplotlib.py").write_text("raise ImportError('blocked')")
        environment = {"PYTHONPATH": str(blocked)}
        options = [TINY, "--programs", self.fakes("serial"), "--rounds", 1, "--repeat", 1]
        result = run_script(*options, environment=environment)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("matplotlib (apt-get install python3-matplotlib", result.stderr)
        path = self.directory / "figures.json"
        result = run_script(*options, "--json", path, environment=environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        result = run_script("--from-json", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.directory / "figures_backends" / "report.html").exists())


class Usage(WithDirectory):
    def test_bad_usage_is_told_in_a_sentence(self):
        text = self.directory / "text.json"
        text.write_text("[1]")
        bad = self.directory / "bad.h5"
        with h5py.File(bad, "w") as file:
            file["input"] = np.zeros((1, 2, 3, 4))
        programs = ["--programs", PROGRAMS]
        cases = [([], "INPUT.h5"), ([TINY, "--from-json", text], "INPUT.h5"),
                 (["--from-json", text], "measurements"),
                 (["--from-json", text, "--rounds", 2], "--rounds"),
                 ([self.directory / "none.h5", *programs], "none.h5"),
                 ([TINY, "--programs", self.directory], "fusedconv_app"),
                 ([TINY, *programs, "--backends", "abacus"], "abacus"),
                 ([TINY, *programs, "--threads", "1,0"], "--threads"),
                 ([TINY, *programs, "--tolerance", "nan"], "--tolerance"),
                 ([TINY, *programs, "--json", self.directory], str(self.directory)),
                 ([bad, *programs, "--rounds", 1], "conv.weight")]
        for arguments, named in cases:
            with self.subTest(arguments):
                result = run_script(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertNotIn("Traceback", result.stderr)


class Parts(unittest.TestCase):
    def test_float64_is_pytorchs(self):
        def pair(value):
            return [int(each) for each in np.broadcast_to(value, 2)]

        for path in sorted((ROOT / "tests" / "data").glob("*.h5")):
            with self.subTest(path.name), h5py.File(path, "r") as file:
                attributes = file.attrs
                sizes = {"padding": pair(attributes.get("conv.padding", 0)),
                         "stride": pair(attributes.get("conv.stride", 1)),
                         "dilation": pair(attributes.get("conv.dilation", 1)),
                         "groups": int(attributes.get("conv.groups", 1)),
                         "num_groups": int(attributes["group_norm.num_groups"]),
                         "eps": float(attributes.get("group_norm.eps", 1e-5)),
                         "activation": attributes.get("activation", "sigmoid")}
                expected = file["output"][...]
                layer = LayerFile(path, sizes)
                found = np.stack([layer.output_float64(n) for n in range(len(expected))])
                # PyTorch takes the square root of tiny variances otherwise.
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)

    def test_a_difference_tells_where_and_how_much(self):
        expected = np.ones((3, 4, 5), np.float32)
        found = expected.copy()
        found[1, 2, 3] = 3
        found[2, 0, 0] = np.inf
        expected[2, 0, 1] = found[2, 0, 1] = np.nan
        difference = Difference("a", "b", [7], 8)
        difference.add(7, 4, found, expected)
        figures = difference.figures()
        self.assertEqual((figures["maximum"], figures["at"]), (2, [7, 5, 2, 3]))
        self.assertEqual(figures["channel_maximum"], [0, 0, 0, 0, 0, 2, 0, 0])
        self.assertEqual((figures["unlike_nonfinite"], figures["different_elements"]), (1, 2))
        self.assertAlmostEqual(figures["relative_l2"], 2 / np.sqrt(58))

    def test_the_benchmark_gets_one_piece_of_the_job(self):
        sizes = {"batch": 9, "in_channels": 2, "height": 5, "width": 6, "out_channels": 4,
                 "num_groups": 2, "groups": 1, "kernel_size": [3, 1], "stride": [1, 2],
                 "padding": [0, 1], "dilation": [1, 1]}
        report = {"shape": sizes, "piece": {"images": 3, "by_rows": False}}
        options = ("--n 3 --cin 2 --h 5 --w 6 --cout 4 --num-groups 2 --groups 1 --kernel 3 1 "
                   "--stride 1 2 --padding 0 1 --dilation 1 1").split()
        self.assertEqual(bench_options(report), options)
        report["piece"]["by_rows"] = True
        sizes["activation"] = "relu"
        self.assertEqual(bench_options(report),
                         ["--n", "1", *options[2:], "--activation", "relu"])

    def test_images_are_spread_from_the_first_to_the_last(self):
        self.assertEqual(spread(2, 9), [0, 8])
        self.assertEqual(spread(3, 9), [0, 4, 8])
        self.assertEqual(spread(1, 9), [0])
        self.assertEqual(spread(5, 3), [0, 1, 2])

    def test_durations_have_three_digits_and_a_unit(self):
        for value, text in ((2.5, "2.50 s"), (0.0123, "12.3 ms"), (4.56e-5, "45.6 µs"),
                            (1e-8, "0.0100 µs")):
            self.assertEqual(verdict.duration(value), text)


if __name__ == "__main__":
    unittest.main()
