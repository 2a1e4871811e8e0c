# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/bench_algorithms.py: FUSEDCONV_BENCH names a fusedconv_bench."""

import datetime
import json
import statistics
import sys
import tempfile
import unittest
from pathlib import Path

import stub_bench
from stub_bench import BENCH, report

sys.path.insert(0, str(stub_bench.SCRIPTS))

import bench_algorithms
from peer_comparison import algorithms, figures, measurement, random_shapes
from peer_comparison.shapes import CUDA_SHAPES, HOST_SHAPES

DATE = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def choice(label, chosen, medians, refused=("tensor_core",), failed=()):
    """A Choice whose algorithms have the medians of each round."""
    trials = []
    for name in algorithms.ALGORITHMS:
        rounds = [{"median_ms": ms, "min_ms": 0.5 * ms, "max_ms": 2 * ms}
                  for ms in medians.get(name, ())]
        trials.append(algorithms.Trial(name, rounds, "not for it" if name in refused else "",
                                       "out of memory" if name in failed else ""))
    return algorithms.Choice(label, "fp32", [], {**report(1, 1), "algorithm": chosen}, trials)


def document(*choices):
    settings = measurement.Settings(BENCH, "openmp", 2, 3, 5)
    return algorithms.document(settings, choices, 4, 7, DATE)


BEST = choice("best, N=1", "winograd",
              {"direct": (9, 6, 3), "winograd": (2, 1, 4), "gemm": (5, 4, 6)})
NEAR = choice("near, N=2", "direct", {"direct": (1.1,), "gemm": (1,)}, ("winograd", "tensor_core"))
WORST = choice("worst, N=3", "direct", {"direct": (30,), "gemm": (20,)},
               ("winograd", "tensor_core"))
ONLY = choice("only, N=4", "direct", {"direct": (8,)}, ("winograd", "tensor_core", "gemm"))
CHOSEN_FAILED = choice("failed, N=5", "direct", {"direct": (8,), "winograd": (4,), "gemm": (2,)},
                       failed=("direct",))


class Figures(unittest.TestCase):
    def test_a_ratio_is_of_the_medians_over_rounds(self):
        best, near, worst, only, failed = document(BEST, NEAR, WORST, ONLY,
                                                   CHOSEN_FAILED)["choices"]
        self.assertEqual((best["chosen"], best["best"], best["ratio"]), ("winograd", "winograd", 1))
        self.assertEqual((near["best"], near["ratio"]), ("gemm", 1.1))
        self.assertEqual((worst["best"], worst["ratio"]), ("gemm", 1.5))
        self.assertEqual((only["best"], only["ratio"]), ("direct", 1))
        self.assertEqual((failed["best"], failed["ratio"]), ("gemm", None))

    def test_document_holds_circumstances_and_every_round(self):
        written = json.loads(json.dumps(document(BEST, CHOSEN_FAILED)))
        self.assertEqual(written["date"], "2026-01-02T03:04:05+00:00")
        self.assertEqual((written["processor"], written["backend"]), ("Abacus", "openmp"))
        self.assertEqual(written["versions"], {"fusedconv": "1.2.3 (abc)"})
        self.assertEqual((written["rounds"], written["repeat"]), (3, 5))
        self.assertEqual((written["random_shapes"], written["seed"]), (4, 7))
        best, failed = written["choices"]
        self.assertEqual((best["label"], best["precision"]), ("best, N=1", "fp32"))
        self.assertEqual(best["sizes"], report(1, 1)["sizes"])
        self.assertEqual(list(best["algorithms"]), ["direct", "winograd", "tensor_core", "gemm"])
        direct = best["algorithms"]["direct"]
        self.assertEqual((direct["median_ms"], direct["min_ms"], direct["max_ms"]), (6, 1.5, 18))
        self.assertEqual([each["median_ms"] for each in direct["rounds"]], [9, 6, 3])
        self.assertEqual(best["algorithms"]["tensor_core"], {"refusal": "not for it"})
        self.assertEqual(failed["algorithms"]["direct"], {"failure": "out of memory"})

    def test_table_has_a_row_for_every_choice_and_a_sentence_below(self):
        lines = algorithms.table(document(BEST, NEAR, WORST, ONLY, CHOSEN_FAILED)).splitlines()
        self.assertEqual(lines[0], "Abacus, openmp, 2 threads, fp32")
        self.assertIn("random shapes: 4, seed 7", lines)
        header = next(line for line in lines if "auto/best" in line)
        rows = lines[lines.index(header) + 1:][:5]
        self.assertEqual([row.split() for row in rows], [
            ["best,", "N=1", "fp32", "winograd", "6.00", "2.00", "-", "5.00", "1.00"],
            ["near,", "N=2", "fp32", "direct", "1.10", "-", "-", "1.00", "1.10"],
            ["worst,", "N=3", "fp32", "direct", "30.0", "-", "-", "20.0", "1.50"],
            ["only,", "N=4", "fp32", "direct", "8.00", "-", "-", "-", "1.00"],
            ["failed,", "N=5", "fp32", "direct", "failed", "4.00", "-", "2.00"]])
        self.assertEqual(
            lines[-1], "2 of 3 choices between two algorithms or more are within 10 % of the best, "
            "and the worst takes 1.50 times as long: worst, N=3, fp32, direct chosen, gemm best.")

    def test_without_a_choice_between_algorithms_there_is_nothing_to_judge(self):
        self.assertEqual(algorithms.conclusion(document(ONLY, CHOSEN_FAILED)["choices"]),
                         "No choice between two algorithms or more was timed.")


class RandomShapes(unittest.TestCase):
    BOUNDS = (random_shapes.GPU_BOUNDS, random_shapes.HOST_BOUNDS)

    def test_the_same_seed_draws_the_same_shapes(self):
        for bounds in self.BOUNDS:
            shapes = random_shapes.random_shapes(20, 1, bounds)
            self.assertEqual(len(shapes), 20)
            self.assertEqual(random_shapes.random_shapes(20, 1, bounds), shapes)
            self.assertEqual(random_shapes.random_shapes(5, 1, bounds), shapes[:5])
            self.assertNotEqual(random_shapes.random_shapes(20, 2, bounds), shapes)

    def test_every_shape_is_valid_and_within_bounds(self):
        for bounds in self.BOUNDS:
            for values in random_shapes.random_shapes(500, 3, bounds):
                self.assertIn(values["n"], range(1, 129))
                self.assertIn(values["cin"], range(1, 257))
                self.assertIn(values["cout"], range(2, 257))
                self.assertIn(values["h"], range(16, 1025))
                self.assertIn(values["w"], range(16, 1025))
                for channels, divisor in (("cin", "groups"), ("cout", "groups"),
                                          ("cout", "num-groups")):
                    self.assertEqual(values[channels] % values[divisor], 0, values)
                kernel = values["kernel"]
                self.assertLessEqual(set(kernel), {1, 3, 5, 7})
                self.assertIn(values["padding"], ([0], [extent // 2 for extent in kernel]))
                height, width = random_shapes.output_extents(values)
                self.assertGreaterEqual(min(height, width), 1)
                inputs = values["n"] * values["cin"] * values["h"] * values["w"]
                outputs = values["n"] * values["cout"] * height * width
                self.assertLessEqual(max(inputs, outputs), bounds.most_elements)
                self.assertGreaterEqual(outputs, bounds.fewest_outputs)
                self.assertLessEqual(2 * outputs * values["cin"] // values["groups"]
                                     * kernel[0] * kernel[-1], bounds.most_operations)

    def test_all_kinds_of_layers_are_drawn(self):
        shapes = random_shapes.random_shapes(500, 1, random_shapes.GPU_BOUNDS)
        for option, kinds in (("stride", ([1], [2])), ("dilation", ([1], [2])),
                              ("groups", (1, 2, 4)), ("num-groups", (1, 2, 4, 8, 16, 32)),
                              ("kernel", ([1], [3], [5], [7], [1, 3], [5, 3])),
                              ("padding", ([0], [1], [3], [0, 1]))):
            for kind in kinds:
                self.assertTrue(any(values[option] == kind for values in shapes), (option, kind))
        for option, usual in (("stride", [1]), ("dilation", [1]), ("groups", 1)):
            self.assertGreater(sum(values[option] == usual for values in shapes), 250)
        self.assertGreater(sum(values["kernel"] == [3] for values in shapes), 200)

    def test_output_extents_are_those_of_fusedconv(self):
        values = {"h": 17, "w": 20, "kernel": [3, 5], "stride": [2], "padding": [1, 2],
                  "dilation": [2]}
        self.assertEqual(random_shapes.output_extents(values), [8, 8])
        values["dilation"] = [20]
        self.assertLess(min(random_shapes.output_extents(values)), 1)


class Options(unittest.TestCase):
    def layers(self, *arguments, backend="openmp"):
        return bench_algorithms.layers(
            bench_algorithms.parse_arguments(["--bench", "bench", *arguments]), backend)

    def test_named_shapes_come_before_the_random_ones(self):
        layers = self.layers("--shape", "mid:2", "--shape", "1x1", "--random", "3")
        self.assertEqual([name for name, _ in layers], ["mid", "1x1", "", "", ""])
        self.assertEqual(layers[0][1], ["--shape", "mid", "--n", "2"])
        expected = random_shapes.random_shapes(3, 1, random_shapes.HOST_BOUNDS)
        self.assertEqual([options[options.index("--cout") + 1] for _, options in layers[2:]],
                         [str(values["cout"]) for values in expected])

    def test_defaults_are_those_of_bench_peers_and_20_random_shapes(self):
        for backend, shapes in (("openmp", HOST_SHAPES), ("cuda", CUDA_SHAPES)):
            layers = self.layers(backend=backend)
            self.assertEqual([name for name, _ in layers],
                             [shape.partition(":")[0] for shape in shapes] + [""] * 20)
        self.assertEqual(len(self.layers("--random", "0")), len(HOST_SHAPES))

    def test_gpus_have_larger_random_shapes(self):
        expected = random_shapes.random_shapes(1, 1, random_shapes.GPU_BOUNDS)
        for backend in ("cuda", "hip"):
            _, options = self.layers("--random", "1", backend=backend)[-1]
            self.assertIn(f"--n {expected[0]['n']} --cin {expected[0]['cin']} ", " ".join(options))


class Tiny(unittest.TestCase):
    def test_fusedconv_bench_is_timed_with_every_algorithm_it_has(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "figures.json"
            result = stub_bench.run_script(
                "bench_algorithms.py", ["--shape", "tiny:2", "--precision", "fp32", "--random", 0,
                                        "--rounds", 2, "--repeat", 3, "--json", path], BENCH)
            self.assertEqual(result.returncode, 0, result.stderr)
            document = json.loads(path.read_text())
        self.assertEqual((document["rounds"], document["repeat"], document["random_shapes"]),
                         (2, 3, 0))
        tiny, = document["choices"]
        self.assertEqual((tiny["label"], tiny["precision"]), ("tiny, N=2", "fp32"))
        self.assertEqual(tiny["sizes"], report(1, 1)["sizes"])
        all_timed = {name: each for name, each in tiny["algorithms"].items()
                     if "refusal" not in each}
        # Which others there are is up to the backend; none has all.
        self.assertLessEqual({"direct", tiny["chosen"]}, all_timed.keys())
        self.assertNotEqual(all_timed.keys(), set(algorithms.ALGORITHMS))
        for timed in all_timed.values():
            self.assertEqual(len(timed["rounds"]), 2)
            self.assertEqual(timed["median_ms"],
                             statistics.median(each["median_ms"] for each in timed["rounds"]))
            self.assertIn(figures.significant(timed["median_ms"]), result.stdout)
        self.assertEqual(tiny["ratio"], tiny["algorithms"][tiny["chosen"]]["median_ms"]
                         / tiny["algorithms"][tiny["best"]]["median_ms"])
        self.assertNotIn("random shapes", result.stdout)


class Runs(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.json = self.directory / "figures.json"

    def bench(self, then="", chosen="direct"):
        """A stub whose auto chooses that algorithm, and which has neither winograd nor tensor_core;
        `then` is what it does before it writes its report."""
        return stub_bench.write(self.directory / "bench", f"""
report = {report(6, 1)!r}
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
algorithm = option.get("--algorithm", "auto")
if algorithm in ("winograd", "tensor_core"):
    print("bench: algorithm: expected one that runs here, found", algorithm, file=sys.stderr)
    sys.exit(2)
report["shape"] = option["--shape"] if "--shape" in option else "random"
report["algorithm"] = {chosen!r} if algorithm == "auto" else algorithm
report["median_ms"] = 4 if algorithm == "gemm" else 6
{then}
json.dump(report, open(sys.argv[-1], "w"))
""")

    def run_script(self, *arguments, bench=None, random=0):
        result = stub_bench.run_script(
            "bench_algorithms.py", ["--rounds", 2, "--random", random, "--json", self.json,
                                    *arguments], bench or self.bench())
        self.assertNotIn("Traceback", result.stderr)
        return result

    def choices(self):
        return json.loads(self.json.read_text())["choices"]

    def test_what_auto_chose_is_compared_with_the_fastest(self):
        result = self.run_script("--shape", "tiny")
        self.assertEqual(result.returncode, 0, result.stderr)
        tiny, = self.choices()
        self.assertEqual((tiny["chosen"], tiny["best"], tiny["ratio"]), ("direct", "gemm", 1.5))
        self.assertIn("expected one that runs here", tiny["algorithms"]["winograd"]["refusal"])
        self.assertTrue(result.stdout.endswith(
            "0 of 1 choices between two algorithms or more are within 10 % of the best, and the "
            "worst takes 1.50 times as long: tiny, N=2, fp32, direct chosen, gemm best.\n"),
            result.stdout)

    def test_algorithms_take_turns_in_every_precision_and_each_choice_is_written(self):
        log = self.directory / "log"
        bench = self.bench(f"""
if algorithm != "auto" and "--shape" in option:
    try:
        written = len(json.load(open({str(self.json)!r}))["choices"])
    except OSError:
        written = 0
    print(option["--shape"], option["--precision"], algorithm, option["--repeat"], written,
          file=open({str(log)!r}, "a"))""")
        result = self.run_script("--shape", "tiny", "--shape", "mid", "--backend", "cuda",
                                 "--repeat", 7, bench=bench, random=2)
        self.assertEqual(result.returncode, 0, result.stderr)
        expected = []
        for number, layer in enumerate(("tiny fp32", "tiny tf32", "mid fp32", "mid tf32")):
            expected += [f"{layer} direct 7 {number}", f"{layer} gemm 7 {number}"] * 2
        self.assertEqual(log.read_text().splitlines(), expected)
        self.assertEqual([(each["label"], each["precision"]) for each in self.choices()],
                         [("tiny, N=2", "fp32"), ("tiny, N=2", "tf32"), ("mid, N=2", "fp32"),
                          ("mid, N=2", "tf32")] + [("random", "fp32"), ("random", "tf32")] * 2)

    def test_an_algorithm_that_fails_is_told_and_the_rest_goes_on(self):
        bench = self.bench('if algorithm == "gemm": sys.exit("bench: no memory left")')
        result = self.run_script("--shape", "tiny", "--shape", "mid", bench=bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        for layer in ("tiny", "mid"):
            self.assertIn(f"{layer}, N=2, fp32: gemm failed: bench: no memory left", result.stderr)
        for each in self.choices():
            self.assertIn("no memory left", each["algorithms"]["gemm"]["failure"])
            self.assertEqual((each["best"], each["ratio"]), ("direct", 1))
        self.assertIn("No choice between two algorithms", result.stdout)

    def test_a_layer_that_fails_leaves_the_others(self):
        bench = self.bench('if option.get("--shape") == "mid": sys.exit("bench: no memory left")')
        result = self.run_script("--shape", "mid", "--shape", "tiny", bench=bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("mid, fp32: bench: no memory left", result.stderr)
        self.assertEqual([each["label"] for each in self.choices()], ["tiny, N=2"])

    def test_where_every_layer_fails_there_is_no_table(self):
        bench = self.bench('if algorithm == "auto": sys.exit("bench: no memory left")')
        result = self.run_script("--shape", "tiny", "--backend", "openmp", bench=bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertFalse(self.json.exists())

    def test_what_auto_chose_must_run_when_it_is_forced(self):
        result = self.run_script("--shape", "tiny", bench=self.bench(chosen="winograd"))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("tiny, N=2, fp32: winograd failed: bench: algorithm: expected one that runs "
                      "here", result.stderr)
        self.assertIsNone(self.choices()[0]["ratio"])

    def test_what_ran_in_a_round_must_run_in_the_next(self):
        mark = self.directory / "mark"
        bench = self.bench(f"""
if algorithm == "gemm":
    import os
    if os.path.exists({str(mark)!r}):
        print("bench: no device", file=sys.stderr)
        sys.exit(2)
    open({str(mark)!r}, "w").close()""")
        result = self.run_script("--shape", "tiny", bench=bench)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("gemm failed: bench: no device", result.stderr)

    def test_an_algorithm_that_is_not_known_is_told(self):
        result = self.run_script("--shape", "tiny", bench=self.bench(chosen="abacus"))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("expected auto to choose one of direct, winograd, tensor_core, gemm, found "
                      "abacus", result.stderr)

    def test_bad_usage_is_told_before_anything_is_timed(self):
        missing = self.directory / "missing"
        cases = [(["--precision", "fp32,fp8"], "fp8"),
                 (["--rounds", "0"], "--rounds"),
                 (["--random", "-1"], "--random"),
                 (["--seed", "one"], "--seed"),
                 (["--threads", "two"], "--threads"),
                 (["--shape", "headline:0"], "headline:0"),
                 (["--shape", "huge"], "huge, fp32: fusedconv_bench: --shape"),
                 (["--backend", "abacus"], "abacus"),
                 (["--json", missing / "figures.json"], str(missing))]
        for arguments, named in cases:
            with self.subTest(arguments):
                result = self.run_script(*arguments, bench=BENCH)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_a_layer_that_every_algorithm_refuses_is_bad_usage(self):
        bench = self.bench("""
if option.get("--shape") == "mid":
    print("bench: conv.padding: expected less, found more", file=sys.stderr)
    sys.exit(2)""")
        result = self.run_script("--shape", "tiny", "--shape", "mid", bench=bench)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("error: mid, fp32: bench: conv.padding: expected less, found more",
                      result.stderr)
        self.assertEqual(result.stdout, "")

    def test_threads_that_the_backend_does_not_have_are_refused(self):
        result = self.run_script("--shape", "tiny", "--threads", 3)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("--threads: expected the 2", result.stderr)

    def test_a_bench_that_is_none_is_bad_usage(self):
        cases = [(self.directory / "missing", "No such file"),
                 (stub_bench.write(self.directory / "none", "pass"), "JSON")]
        for bench, named in cases:
            with self.subTest(named):
                result = self.run_script(bench=bench)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)

    def test_a_file_that_cannot_be_written_leaves_the_table(self):
        result = self.run_script("--shape", "tiny", "--shape", "mid", "--json", self.directory)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(result.stderr.count(f"error: {self.directory}: expected a file"), 1)
        self.assertIn("auto/best", result.stdout)


if __name__ == "__main__":
    unittest.main()
