# SPDX-License-Identifier: Apache-2.0
"""Tests of the Spack recipe and environments that need no Spack."""

import ast
import re
import sys
import unittest
from pathlib import Path

try:
    import yaml
except ImportError:
    sys.exit("SKIPPED: this Python has no module yaml")

ROOT = Path(__file__).resolve().parent.parent
REPO = ROOT / "scripts" / "spack_repo" / "fusedconv"
RECIPE = REPO / "packages" / "fusedconv" / "package.py"
ENVIRONMENTS = [ROOT / "spack.yaml", ROOT / "scripts" / "spack" / "cuda" / "spack.yaml"]


def cmake_version():
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.search(r"project\(\s*fusedconv\s+VERSION (\S+)", text).group(1)


class Calls(ast.NodeVisitor):
    """Calls by the name of what is called, as lists of (arguments, keywords); those that are no
    constants are None, formatted strings have {} for what they are given."""

    def __init__(self, tree):
        self._calls = {}
        self.visit(tree)

    def of(self, name):
        return self._calls.get(name, [])

    def first_arguments(self, name):
        return [arguments[0] for arguments, _ in self.of(name)]

    def visit_Call(self, node):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        keywords = {keyword.arg: self._value(keyword.value) for keyword in node.keywords}
        self._calls.setdefault(name, []).append(([self._value(a) for a in node.args], keywords))
        self.generic_visit(node)

    @staticmethod
    def _value(node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            return "".join(parts)
        return None


class Recipe(unittest.TestCase):
    def setUp(self):
        tree = ast.parse(RECIPE.read_text(), str(RECIPE))
        self.calls = Calls(tree)
        (self.package,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]

    def test_class_is_named_after_its_directory_and_mixes_in_what_builds(self):
        self.assertEqual(self.package.name.lower(), RECIPE.parent.name)
        bases = [base.id for base in self.package.bases]
        self.assertEqual(bases, ["CMakePackage", "CudaPackage", "ROCmPackage"])

    def test_version_is_that_of_cmake(self):
        self.assertEqual(self.calls.first_arguments("version"), [cmake_version()])

    def test_cmake_knows_every_option_that_it_is_given(self):
        text = (ROOT / "CMakeLists.txt").read_text()
        options = set(re.findall(r"option\((FUSEDCONV_\w+)", text))
        given = [self.calls.first_arguments(name) for name in ("define", "define_from_variant")]
        ours = {name for name in sum(given, []) if name.startswith("FUSEDCONV_")}
        self.assertGreaterEqual(len(ours), 5)
        self.assertLessEqual(ours, options)

    def test_every_variant_that_is_used_is_declared(self):
        declared = set(self.calls.first_arguments("variant")) | {"cuda", "rocm"}
        used = {arguments[1] for arguments, _ in self.calls.of("define_from_variant")}
        for name in ("depends_on", "requires", "conflicts", "when"):
            for arguments, keywords in self.calls.of(name):
                conditions = [keywords.get("when")]
                if name in ("when", "conflicts"):
                    conditions.append(arguments[0])
                for condition in conditions:
                    used |= set(re.findall(r"[+~](\w+)", (condition or "").split("^")[0]))
        self.assertEqual(used - declared, set())
        self.assertEqual(declared - used, set(), "declared for nothing")

    def test_minimum_versions_are_those_of_cmake(self):
        dependencies = self.calls.first_arguments("depends_on")
        (kokkos,) = [d for d in dependencies if d.startswith("kokkos@")]
        text = (ROOT / "cmake" / "FusedconvKokkos.cmake").read_text()
        minimum = re.search(r"Kokkos_VERSION VERSION_LESS (\S+)\)", text).group(1)
        self.assertEqual(kokkos, f"kokkos@{minimum}:")
        (cmake,) = [d for d in dependencies if d.startswith("cmake@")]
        text = (ROOT / "CMakeLists.txt").read_text()
        minimum = re.search(r"cmake_minimum_required\(VERSION (\S+)\)", text).group(1)
        self.assertEqual(cmake, f"cmake@{minimum}:")

    def test_architectures_reach_kokkos_and_its_kernels_with_these_alone(self):
        calls = self.calls.of("depends_on")
        when = {arguments[0]: keywords.get("when") for arguments, keywords in calls}
        self.assertEqual(when["kokkos+cuda cuda_arch={}"], "+cuda cuda_arch={}")
        self.assertEqual(when["kokkos-kernels+cuda cuda_arch={}"], "+kernels+cuda cuda_arch={}")
        self.assertEqual(when["kokkos+rocm amdgpu_target={}"], "+rocm amdgpu_target={}")
        self.assertEqual(when["kokkos-kernels"], "+kernels")

    def test_smoke_tests_are_of_files_that_there_are(self):
        calls = [node for node in ast.walk(self.package) if isinstance(node, ast.Call)]
        (kept,) = [c for c in calls if getattr(c.func, "id", "") == "cache_extra_test_sources"]
        files = [element.value for element in kept.args[1].elts]
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            self.assertTrue((ROOT / file).exists(), file)


class Repository(unittest.TestCase):
    def test_is_laid_out_as_spack_looks_for_it(self):
        repo = yaml.safe_load((REPO / "repo.yaml").read_text())["repo"]
        self.assertEqual(repo, {"namespace": "fusedconv", "api": "v2.2"})
        self.assertEqual(REPO.name, repo["namespace"])
        self.assertEqual(REPO.parent.name, "spack_repo")


class Environments(unittest.TestCase):
    def test_develop_this_checkout_with_this_repository(self):
        for path in ENVIRONMENTS:
            with self.subTest(path=path):
                environment = yaml.safe_load(path.read_text())["spack"]
                self.assertIs(environment["concretizer"]["unify"], True)
                self.assertIs(environment["view"], True)
                develop = environment["develop"]["fusedconv"]
                self.assertEqual(develop["spec"], f"fusedconv@={cmake_version()}")
                self.assertEqual((path.parent / develop["path"]).resolve(), ROOT)
                repository = environment["repos"]["fusedconv"].replace("$env", str(path.parent))
                self.assertEqual(Path(repository).resolve(), REPO)
                self.assertEqual({spec.split()[0] for spec in environment["specs"]}, {"fusedconv"})

    def test_give_variants_that_the_recipe_has(self):
        declared = set(Calls(ast.parse(RECIPE.read_text())).first_arguments("variant"))
        for path in ENVIRONMENTS:
            with self.subTest(path=path):
                for spec in yaml.safe_load(path.read_text())["spack"]["specs"]:
                    used = set(re.findall(r"[+~](\w+)", spec.split("^")[0]))
                    self.assertLessEqual(used, declared | {"cuda", "rocm"})


if __name__ == "__main__":
    unittest.main()
