# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/bench_peers.py that need no peer: FUSEDCONV_BENCH names a fusedconv_bench."""

import contextlib
import datetime
import io
import json
import os
import statistics
import sys
import tempfile
import unittest
from pathlib import Path

import stub_bench
from stub_bench import BENCH, report

sys.path.insert(0, str(stub_bench.SCRIPTS))

import bench_peers
from peer_comparison import command_line, figures, layer, measurement, peer_process, peers
from peer_comparison.errors import Failure

DATE = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def run_script(arguments, bench=BENCH, stubs=None):
    return stub_bench.run_script("bench_peers.py", arguments, bench, stubs)


def figures_of_two_shapes():
    """document() of an eager peer that is measured and one that fails; ONNX Runtime is missing."""
    def rounds(*medians):
        return [{"median_ms": ms, "min_ms": 0.5 * ms, "max_ms": 2 * ms} for ms in medians]

    settings = measurement.Settings(BENCH, "openmp", 2, 3, 5, ("eager",),
                                    {"onnxruntime": ("onnx",)})
    measured = [measurement.Program("fusedconv", rounds(2, 4, 3)),
                measurement.Program("eager", rounds(30, 10, 24), relative_l2_error=2.5e-7)]
    failed = [measurement.Program("fusedconv", rounds(8, 8, 8)),
              measurement.Program("eager", rounds(30), failure="out of memory")]
    results = [measurement.Result("tiny, N=2", report(3, 1.5), measured, [1.5, 1, 2]),
               measurement.Result("huge, N=9", report(8, 4), failed, [4, 4, 4])]
    return figures.document(settings, results, {"torch": "9.8"}, DATE)


def figures_of_two_precisions():
    """document() of fusedconv in fp32 and tf32 beside peers in fp32, tf32 and bf16."""
    settings = measurement.Settings(BENCH, "cuda", 2, 1, 5, ("eager", "eager-tf32", "compile-bf16"),
                                    {}, ("fp32", "tf32"))
    medians = {"fusedconv": 4, "fusedconv-tf32": 2, "eager": 12, "eager-tf32": 8,
               "compile-bf16": 1}
    programs = [measurement.Program(name, [{"median_ms": ms, "min_ms": ms, "max_ms": ms}],
                                    relative_l2_error=1e-4) for name, ms in medians.items()]
    result = measurement.Result("tiny, N=2", report(4, 1), programs, [1])
    return figures.document(settings, [result], {}, DATE)


class Figures(unittest.TestCase):
    def test_rounds_become_the_median_of_medians_and_the_extremes_of_all(self):
        rounds = [{"median_ms": 5, "min_ms": 4, "max_ms": 9},
                  {"median_ms": 3, "min_ms": 1, "max_ms": 6},
                  {"median_ms": 4, "min_ms": 2, "max_ms": 30}]
        self.assertEqual(figures.over_rounds(rounds),
                         {"median_ms": 4, "min_ms": 1, "max_ms": 30})
        self.assertEqual(figures.over_rounds(rounds[:2])["median_ms"], 4)

    def test_document_holds_times_ratios_and_what_could_not_be_measured(self):
        document = json.loads(json.dumps(figures_of_two_shapes()))
        self.assertEqual(document["date"], "2026-01-02T03:04:05+00:00")
        self.assertEqual(document["versions"], {"fusedconv": "1.2.3 (abc)", "torch": "9.8"})
        self.assertEqual(document["precisions"], ["fp32"])
        self.assertEqual(document["not_installed"], {"onnxruntime": ["onnx"]})
        measured, failed = document["shapes"]
        self.assertEqual(measured["sizes"], report(1, 1)["sizes"])
        self.assertEqual(measured["floor_ms"], 1.5)
        ours, eager = measured["programs"]
        self.assertEqual((ours["median_ms"], ours["min_ms"], ours["max_ms"]), (3, 1, 8))
        self.assertEqual((ours["ratio"], ours["time_over_floor"]), (1, 2))
        self.assertEqual((eager["median_ms"], eager["min_ms"], eager["max_ms"]), (24, 5, 60))
        self.assertEqual((eager["ratio"], eager["time_over_floor"]), (8, 16))
        self.assertEqual(eager["relative_l2_error"], 2.5e-7)
        self.assertEqual([each["median_ms"] for each in eager["rounds"]], [30, 10, 24])
        self.assertEqual(failed["programs"][1], {"program": "eager", "precision": "fp32",
                                                 "failure": "out of memory"})

    def test_a_ratio_is_to_fusedconv_in_the_same_precision_or_the_nearest(self):
        programs = figures_of_two_precisions()["shapes"][0]["programs"]
        self.assertEqual({each["program"]: (each["precision"], each["ratio"])
                          for each in programs},
                         {"fusedconv": ("fp32", 1), "fusedconv-tf32": ("tf32", 1),
                          "eager": ("fp32", 3), "eager-tf32": ("tf32", 4),
                          "compile-bf16": ("bf16", 0.5)})
        lines = figures.table(figures_of_two_precisions()).splitlines()
        self.assertEqual(lines[0], "Abacus, openmp, 2 threads, fp32, tf32")
        for title in ("fusedconv, TF32", "PyTorch eager, TF32", "torch.compile, bfloat16"):
            self.assertTrue(any(line.startswith(f"  {title} ") for line in lines), title)

    def test_json_replaces_an_older_file_when_it_is_whole(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "figures.json"
            path.write_text("older")
            figures.write_json({"a": 1}, path)
            self.assertEqual(json.loads(path.read_text()), {"a": 1})
            self.assertEqual(os.listdir(directory), ["figures.json"])

    def test_table_shows_them_in_columns(self):
        lines = figures.table(figures_of_two_shapes()).splitlines()
        self.assertEqual(lines[0], "Abacus, openmp, 2 threads, fp32")
        self.assertIn("ONNX Runtime: not installed (Python packages onnx)", lines)
        header = next(line for line in lines if "time/floor" in line)
        rows = lines[lines.index(header) + 1:][:8]
        self.assertEqual([row.split() for row in rows], [
            ["tiny,", "N=2"],
            ["fusedconv", "3.00", "1.00", "8.00", "1.00", "2.00"],
            ["PyTorch", "eager", "24.0", "5.00", "60.0", "8.00", "16.0", "2.5e-07"],
            ["floor", "1.50"],
            ["huge,", "N=9"],
            ["fusedconv", "8.00", "4.00", "16.0", "1.00", "2.00"],
            ["PyTorch", "eager", "failed"],
            ["floor", "4.00"]])
        end = header.index("ratio") + len("ratio")
        self.assertEqual([row[:end].split()[-1] for row in rows[1:3]], ["1.00", "8.00"])

    def test_three_digits_are_significant_and_all_before_the_point(self):
        for value, text in ((0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"),
                            (12345.6, "12346"), (0, "0")):
            self.assertEqual(figures.significant(value), text)


class Options(unittest.TestCase):
    def layers(self, *arguments, backend="openmp"):
        return bench_peers.layers(
            bench_peers.parse_arguments(["--bench", "bench", *arguments]), backend)

    def test_named_shapes_are_left_to_fusedconv_bench(self):
        self.assertEqual(self.layers("--shape", "mid", "--shape", "wide:3"),
                         [("mid", ["--shape", "mid"]),
                          ("wide", ["--shape", "wide", "--n", "3"])])

    def test_sizes_take_the_place_of_those_of_every_shape(self):
        self.assertEqual(self.layers("--n", "2", "--shape", "mid:7"),
                         [("mid", ["--shape", "mid", "--n", "2"])])
        (name, options), = self.layers("--shape", "7x7", "--cin", "5", "--stride", "1", "2")
        self.assertEqual(name, "")
        given = " ".join(options)
        self.assertIn("--cin 5", given)
        self.assertIn("--stride 1 2", given)
        self.assertIn("--kernel 7", given)

    def test_sizes_alone_are_one_layer(self):
        self.assertEqual(self.layers("--h", "9"), [("", ["--shape", "headline", "--h", "9"])])

    def test_without_either_there_are_the_default_shapes(self):
        names = [name for name, _ in self.layers()]
        self.assertEqual(names, ["headline", "headline", "mid", "wide", "1x1", "5x5", "7x7"])
        names = [name for name, _ in self.layers(backend="cuda")]
        self.assertEqual(names, ["headline", "mid", "wide", "point", "k5", "big"])

    def settings(self, *arguments, backend):
        original = command_line.resolve_backend
        self.addCleanup(setattr, command_line, "resolve_backend", original)
        command_line.resolve_backend = lambda bench, name: backend
        original_find = bench_peers.importlib.util.find_spec
        self.addCleanup(setattr, bench_peers.importlib.util, "find_spec", original_find)
        bench_peers.importlib.util.find_spec = lambda package: package
        return bench_peers.choose_settings(
            bench_peers.parse_arguments(["--bench", "bench", *arguments]))

    def test_cuda_has_both_precisions_of_ours_and_of_pytorch(self):
        settings = self.settings(backend="cuda")
        self.assertEqual(settings.precisions, ("fp32", "tf32"))
        self.assertEqual(settings.peers, ("eager", "compile", "eager-tf32", "compile-tf32"))
        settings = self.settings(backend="openmp")
        self.assertEqual(settings.precisions, ("fp32",))
        self.assertEqual(settings.peers, ("eager", "compile", "onnxruntime"))

    def test_other_precisions_and_peers_may_be_asked_for(self):
        settings = self.settings("--precision", "tf32", "--peers", "autotune,compile-bf16,autotune",
                                 backend="cuda")
        self.assertEqual(settings.precisions, ("tf32",))
        self.assertEqual(settings.peers, ("autotune", "compile-bf16"))

    def test_tf32_is_refused_where_no_peer_has_it(self):
        with self.assertRaisesRegex(bench_peers.UsageError, "eager-tf32: expected the .* cuda"):
            self.settings("--peers", "eager-tf32", backend="openmp")


class PeerTable(unittest.TestCase):
    def test_every_peer_says_its_precision_and_has_a_bound_for_its_error(self):
        for name, peer in peers.PEERS.items():
            with self.subTest(name):
                self.assertEqual(peer.precision,
                                 next((p for p in ("tf32", "bf16") if name.endswith(p)), "fp32"))
                self.assertIn(peer.precision, layer.LARGEST_ERROR)

    def test_defaults_are_peers_of_their_backends(self):
        for backend in measurement.DEVICES:
            for name in peers.default_peers(backend):
                self.assertIn(backend, peers.PEERS[name].backends or (backend,))

    def test_programs_know_whose_they_are(self):
        programs = [measurement.Program(name) for name in
                    ("fusedconv", "fusedconv-tf32", "eager", "compile-bf16")]
        self.assertEqual([each.is_ours for each in programs], [True, True, False, False])
        self.assertEqual([each.precision for each in programs], ["fp32", "tf32", "fp32", "bf16"])

    def test_runs_warm_up_by_number_and_by_time(self):
        for warm_up_ms, runs in ((0, 2), (35, 4)):
            times = iter([10] * runs + [5, 1, 3])
            self.assertEqual(peer_process.time_runs(lambda: next(times), 3, warm_up_ms),
                             {"median_ms": 3, "min_ms": 1, "max_ms": 5})


class WithoutPeers(unittest.TestCase):
    def test_fusedconv_alone_is_measured_and_every_missing_peer_named(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "figures.json"
            result = run_script(["--shape", "tiny:2", "--threads", 1, "--rounds", 2, "--repeat", 3,
                                 "--json", path])
            self.assertEqual(result.returncode, 0, result.stderr)
            document = json.loads(path.read_text())
        for title in ("PyTorch eager", "torch.compile", "ONNX Runtime"):
            self.assertIn(f"{title}: not installed", result.stdout)
        self.assertEqual(list(document["not_installed"]), ["eager", "compile", "onnxruntime"])
        self.assertLessEqual(document["threads"], 1)
        self.assertEqual((document["rounds"], document["repeat"]), (2, 3))
        shape, = document["shapes"]
        self.assertEqual(shape["label"], "tiny, N=2")
        self.assertEqual(shape["sizes"], report(1, 1)["sizes"])
        ours, = shape["programs"]
        self.assertEqual(ours["program"], "fusedconv")
        self.assertEqual(len(ours["rounds"]), 2)
        self.assertGreater(ours["relative_l2_error"], 0)
        self.assertLess(ours["relative_l2_error"], 1e-6)
        self.assertEqual(ours["median_ms"],
                         statistics.median(each["median_ms"] for each in ours["rounds"]))
        self.assertGreater(ours["min_ms"], 0)
        self.assertEqual(shape["floor_ms"], statistics.median(shape["floors_ms"]))
        self.assertEqual(ours["time_over_floor"], ours["median_ms"] / shape["floor_ms"])
        self.assertIn(figures.significant(ours["median_ms"]), result.stdout)


class Errors(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def enterContext(self, context):
        """As unittest's own, from Python 3.11."""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def bench(self, body):
        return stub_bench.write(self.directory / "bench", body)

    def quick_bench(self):
        return self.bench(f"json.dump({report(3, 1)!r}, open(sys.argv[-1], 'w'))")

    def stubs(self, **modules):
        """A directory of modules that pass for installed packages."""
        directory = self.directory / "stubs"
        directory.mkdir()
        for name, source in modules.items():
            (directory / f"{name}.py").write_text(source)
        return directory

    def test_bad_usage_is_told_before_anything_is_timed(self):
        missing = self.directory / "missing"
        cases = [(["--peers", "eager,tensorflow"], "tensorflow"),
                 (["--precision", "fp32,fp8"], "fp8"),
                 (["--peers", "compile-tf32", "--backend", "openmp"], "compile-tf32"),
                 (["--rounds", "0"], "--rounds"),
                 (["--threads", "two"], "--threads"),
                 (["--shape", "headline:0"], "headline:0"),
                 (["--shape", "huge"], "huge"),
                 (["--shape", "tiny", "--kernel", "99"], "kernel"),
                 (["--backend", "abacus"], "abacus"),
                 (["--plot", self.directory / "bars.png"], "matplotlib"),
                 (["--json", missing / "figures.json"], str(missing))]
        for arguments, named in cases:
            with self.subTest(arguments):
                result = run_script(arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertNotIn("Traceback", result.stderr)
                self.assertEqual(result.stdout, "")

    def test_a_bench_that_is_none_is_bad_usage(self):
        cases = [(self.directory / "missing", "No such file"),
                 (self.bench("pass"), "JSON"),
                 (self.bench("json.dump({'shape': 'tiny'}, open(sys.argv[-1], 'w'))"), "sizes")]
        for bench, named in cases:
            with self.subTest(named):
                result = run_script([], bench)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_a_file_that_cannot_be_written_leaves_the_table(self):
        result = run_script(["--rounds", 1, "--shape", "tiny", "--json", self.directory],
                            self.quick_bench())
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(str(self.directory), result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertIn("time/floor", result.stdout)

    def test_threads_that_the_backend_does_not_have_are_refused(self):
        result = run_script(["--threads", 3], self.quick_bench())
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("--threads: expected the 2", result.stderr)

    def test_a_bench_that_fails_is_a_failure(self):
        bench = self.bench("sys.exit('bench: no memory left')")
        result = run_script(["--shape", "tiny"], bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("no memory left", result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_a_peer_that_fails_is_told_and_the_rest_goes_on(self):
        stubs = self.stubs(numpy="raise OSError('libnumbers.so is missing')", torch="")
        path = self.directory / "figures.json"
        result = run_script(["--shape", "tiny", "--rounds", 1, "--json", path],
                            self.quick_bench(), stubs)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("PyTorch eager failed: OSError: libnumbers.so is missing", result.stderr)
        self.assertIn("ONNX Runtime: not installed (Python packages onnxruntime, onnx)",
                      result.stdout)
        programs = json.loads(path.read_text())["shapes"][0]["programs"]
        self.assertEqual([("failure" in program) for program in programs], [False, True, True])
        self.assertEqual(programs[0]["median_ms"], 3)

    def test_a_peer_whose_process_ends_is_told(self):
        stubs = self.stubs(numpy="import os; os.kill(os.getpid(), 9)", torch="")
        result = run_script(["--shape", "tiny", "--rounds", 1, "--peers", "eager"],
                            self.quick_bench(), stubs)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("PyTorch eager failed: its process ended (killed by SIGKILL)",
                      result.stderr)

    def test_both_precisions_are_measured_in_turn_and_each_shape_written_when_it_is_done(self):
        path = self.directory / "figures.json"
        log = self.directory / "log"
        bench = self.bench(f"""
            asked = dict(zip(sys.argv[1::2], sys.argv[2::2])) if "--error" not in sys.argv else {{}}
            report = {report(3, 1)!r}
            report["precision"] = sys.argv[sys.argv.index("--precision") + 1]
            report["median_ms"] = {{"fp32": 3, "tf32": 2}}[report["precision"]]
            report["relative_l2_error"] = {{"fp32": 3e-7, "tf32": 2e-4}}[report["precision"]]
            if asked:
                import os
                with open({str(log)!r}, "a") as log:
                    print(asked["--shape"], report["precision"], os.path.exists({str(path)!r}),
                          file=log)
            json.dump(report, open(sys.argv[-1], "w"))""")
        result = run_script(["--shape", "tiny", "--shape", "mid", "--rounds", 2, "--json", path,
                             "--precision", "fp32,tf32", "--backend", "cuda"], bench)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(log.read_text().splitlines(),
                         ["tiny fp32 False", "tiny tf32 False"] * 2
                         + ["mid fp32 True", "mid tf32 True"] * 2)
        document = json.loads(path.read_text())
        self.assertEqual(document["precisions"], ["fp32", "tf32"])
        for shape in document["shapes"]:
            self.assertEqual([(each["program"], each["median_ms"], each["relative_l2_error"])
                              for each in shape["programs"]],
                             [("fusedconv", 3, 3e-7), ("fusedconv-tf32", 2, 2e-4)])

    def test_a_shape_that_fails_leaves_the_others(self):
        path = self.directory / "figures.json"
        bench = self.bench(f"""
            if "mid" in sys.argv:
                sys.exit("bench: no memory left")
            json.dump({report(3, 1)!r}, open(sys.argv[-1], "w"))""")
        result = run_script(["--shape", "mid", "--shape", "tiny", "--rounds", 1, "--json", path],
                            bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("mid: bench: no memory left", result.stderr)
        self.assertEqual(len(json.loads(path.read_text())["shapes"]), 1)

    def test_a_peer_that_fails_in_a_later_round_keeps_the_others(self):
        def ask(process, request):
            if "repeat" not in request:
                return {"relative_l2_error": 1e-7, "versions": {"torch": "9.8"}}
            asked.append(request)
            if len(asked) == 3:
                raise Failure("out of memory")
            return {"median_ms": 1, "min_ms": 1, "max_ms": 1}

        asked = []
        original = peer_process.PeerProcess.ask
        self.addCleanup(setattr, peer_process.PeerProcess, "ask", original)
        peer_process.PeerProcess.ask = ask
        settings = measurement.Settings(self.quick_bench(), "auto", 2, 3, 5, ("eager", "compile"),
                                        {})
        result = measurement.probe(settings, "tiny", [], threads_given=True)
        versions = {}
        with contextlib.redirect_stderr(io.StringIO()):
            measurement.measure(settings, result, [], versions)
        ours, eager, compiled = result.programs
        self.assertEqual(versions, {"torch": "9.8"})
        self.assertEqual((len(ours.rounds), len(compiled.rounds)), (3, 3))
        self.assertEqual((eager.failure, compiled.failure), ("out of memory", ""))
        self.assertEqual(eager.relative_l2_error, 1e-7)


if __name__ == "__main__":
    unittest.main()
