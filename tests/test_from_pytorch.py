# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/from_pytorch.py, and of scripts/from_onnx.py on what PyTorch exports. ctest says
that they were skipped where numpy, h5py or torch is not installed."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

missing = [name for name in ("numpy", "h5py", "torch") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: the Python packages {', '.join(missing)} are not installed")
    sys.exit(0)

import h5py
import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from peer_comparison.layer import activate
from pytorch_modules import Block, Residual, Scripted

CAN_EXPORT = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript"))


class WithDirectory(unittest.TestCase):
    def setUp(self):
        context = tempfile.TemporaryDirectory()
        self.addCleanup(context.cleanup)
        self.directory = Path(context.name)
        torch.manual_seed(7)
        self.x = torch.rand(3, 4, 9, 10)
        np.save(self.directory / "x.npy", self.x.numpy())

    def run_script(self, name, *arguments):
        # Where the source of pickled modules can be imported.
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent)}
        result = subprocess.run(
            [sys.executable, "-B", ROOT / "scripts" / name, *map(str, arguments)],
            capture_output=True, text=True, timeout=300, env=environment)
        self.assertNotIn("Traceback", result.stderr)
        return result

    def import_module(self, path, *more, x="x.npy"):
        return self.run_script("from_pytorch.py", "--module", path, "--input", self.directory / x,
                               "-o", self.directory / "layer.h5", "--reference",
                               self.directory / "reference.h5", *more)

    def check_reference(self, module, x=None):
        """The reference is what the module computes in float64."""
        x = self.x if x is None else x
        with torch.no_grad():
            expected = module.eval().double()(x.double()).numpy()
        with h5py.File(self.directory / "reference.h5", "r") as file:
            np.testing.assert_allclose(file["output"][...], expected, rtol=1e-9, atol=1e-9)

    def pickled(self, module):
        path = self.directory / "module.pt"
        torch.save(module, path)
        return path


class Modules(WithDirectory):
    def test_a_pickled_module_is_read_by_what_it_does(self):
        for conv in ({"padding": "same", "dilation": 2}, {"stride": (2, 1), "padding": (0, 1),
                                                          "groups": 2, "bias": False}):
            with self.subTest(conv):
                module = Block(**conv)
                result = self.import_module(self.pickled(module), "--allow-pickle")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.check_reference(module)
                with h5py.File(self.directory / "layer.h5", "r") as file:
                    self.assertEqual("conv.bias" in file, "bias" not in conv)
                    np.testing.assert_array_equal(file["scale"][...].ravel(),
                                                  module.factor.detach().float().numpy())
                    self.assertEqual(file.attrs["group_norm.eps"], 1e-3)

    def test_bias_scale_and_activation_may_be_absent(self):
        module = nn.Sequential(nn.Conv2d(4, 6, 1), nn.Dropout(), nn.GroupNorm(3, 6, affine=False))
        result = self.import_module(self.pickled(module), "--allow-pickle")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_reference(module)
        with h5py.File(self.directory / "layer.h5", "r") as file:
            self.assertEqual(set(file), {"input", "conv.weight", "conv.bias"})
            self.assertEqual(file.attrs["activation"], "identity")

    def test_an_exported_program_is_read_whatever_its_batch_is(self):
        module = Block(nn.SiLU(), padding=1).eval()
        path = self.directory / "module.pt2"
        torch.export.save(torch.export.export(module, (torch.rand(2, 4, 9, 10),)), path)
        result = self.import_module(path)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("expected --allow-pickle", result.stderr)
        result = self.import_module(path, "--allow-pickle")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_reference(module)

    def test_a_scripted_module_is_read_by_its_names(self):
        module = Scripted()
        path = self.directory / "module.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            torch.jit.script(module).save(path)
        result = self.import_module(path)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_reference(module)

    def test_a_pickle_is_not_loaded_unless_it_is_allowed(self):
        result = self.import_module(self.pickled(Block()))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("expected --allow-pickle", result.stderr)
        self.assertFalse((self.directory / "layer.h5").exists())

    def test_what_the_block_is_not_is_refused_in_a_sentence(self):
        def sequence(*layers, norm=None, **conv):
            return nn.Sequential(nn.Conv2d(4, 8, **{"kernel_size": 3, **conv}), *layers,
                                 norm or nn.GroupNorm(2, 8))

        np.save(self.directory / "x8.npy", torch.rand(1, 8, 9, 10).numpy())
        cases = [(sequence(padding=1, padding_mode="reflect"), "padding_mode: expected zeros"),
                 (sequence(padding="same", kernel_size=2), "as much padding on both sides"),
                 (sequence(nn.ReLU6()), "found hardtanh"),
                 (sequence(nn.LeakyReLU()), "found leaky_relu"),
                 (sequence(nn.BatchNorm2d(8)), "found batch_norm"),
                 (sequence(norm=nn.Identity()), "no group normalisation at its end"),
                 (nn.Sequential(*sequence(), nn.ReLU()), "it after the normalisation"),
                 (nn.Sequential(nn.Conv3d(4, 8, 3), nn.GroupNorm(2, 8)), "torch.export"),
                 (Residual(), "found x", "x8.npy"), (Block().state_dict(), "found OrderedDict")]
        for module, named, *x in cases:
            with self.subTest(named):
                result = self.import_module(self.pickled(module), "--allow-pickle",
                                            **({"x": x[0]} if x else {}))
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertFalse((self.directory / "layer.h5").exists())


class Demo(WithDirectory):
    def test_the_documented_command_writes_the_small_input(self):
        result = self.run_script(
            "from_pytorch.py", "--demo", *"--n 5 --cin 8 --h 20 --w 24 --cout 16 --kernel 3 "
            "--num-groups 4 --seed 2 -o".split(), self.directory / "tiny.h5")
        self.assertEqual(result.returncode, 0, result.stderr)
        with h5py.File(self.directory / "tiny.h5", "r") as found, \
                h5py.File(ROOT / "inputs" / "tiny.h5", "r") as expected:
            self.assertEqual(set(found), set(expected))
            self.assertEqual(set(found.attrs), set(expected.attrs))
            for name in expected:
                np.testing.assert_array_equal(found[name][...], expected[name][...])


class Activations(unittest.TestCase):
    def test_float64_of_numpy_is_that_of_pytorch(self):
        v = torch.linspace(-40, 40, 1001, dtype=torch.float64)
        functional = nn.functional
        for name, function in (("sigmoid", torch.sigmoid), ("relu", torch.relu),
                               ("silu", functional.silu), ("gelu", functional.gelu),
                               ("gelu_tanh", lambda v: functional.gelu(v, approximate="tanh")),
                               ("tanh", torch.tanh), ("identity", lambda v: v)):
            with self.subTest(name):
                np.testing.assert_allclose(activate(name, v.numpy()), function(v).numpy(),
                                           rtol=1e-14, atol=1e-15)


@unittest.skipUnless(CAN_EXPORT, "onnx, onnxruntime and onnxscript are not installed")
class Exports(WithDirectory):
    def test_what_pytorch_exports_to_onnx_is_read(self):
        for opset, dynamo in ((18, True), (21, True), (17, False)):
            with self.subTest(opset=opset, dynamo=dynamo), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporters warn of one another
                module = Block(padding="same").eval()
                path = self.directory / "module.onnx"
                torch.onnx.export(module, (self.x,), path, opset_version=opset, dynamo=dynamo,
                                  verbose=False)
                result = self.run_script("from_onnx.py", path, self.directory / "x.npy", "-o",
                                         self.directory / "layer.h5", "--reference",
                                         self.directory / "reference.h5")
                self.assertEqual(result.returncode, 0, result.stderr)
                with torch.no_grad():
                    expected = module.double()(self.x.double()).numpy()
                with h5py.File(self.directory / "reference.h5", "r") as file:
                    # In ONNX eps is a float32.
                    np.testing.assert_allclose(file["output"][...], expected, rtol=0, atol=1e-7)


if __name__ == "__main__":
    unittest.main()
