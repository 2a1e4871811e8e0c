# SPDX-License-Identifier: Apache-2.0
"""Tests of scripts/from_onnx.py: models with the parameters of golden files, whose outputs PyTorch
has computed. FUSEDCONV_PROGRAMS names the directory of the programs. ctest says that they were
skipped where numpy, h5py or onnx is not installed."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

missing = [name for name in ("numpy", "h5py", "onnx") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: the Python packages {', '.join(missing)} are not installed")
    sys.exit(0)

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import h5py
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import from_onnx
from layer_import.layer import InputError
from layer_import.onnx_graph import Reader

PROGRAMS = Path(os.environ["FUSEDCONV_PROGRAMS"])
DATA = ROOT / "tests" / "data"
CAN_RUN = importlib.util.find_spec("onnxruntime") is not None


def pair(value):
    return [int(each) for each in np.broadcast_to(value, 2)]


class Golden:
    """An input with its parameters and PyTorch's float64 output."""

    def __init__(self, name):
        with h5py.File(DATA / f"{name}.h5", "r") as file:
            self.parameters = {key: file[key][...] for key in file
                               if key not in ("input", "output", "output_float32")}
            self.x, self.output = file["input"][...], file["output"][...]
            attributes = dict(file.attrs)
        self.num_groups = int(attributes["group_norm.num_groups"])
        self.eps = float(attributes["group_norm.eps"])
        self.stride, self.padding, self.dilation = (
            pair(attributes[f"conv.{key}"]) for key in ("stride", "padding", "dilation"))
        self.groups = int(attributes["conv.groups"])


def group_norm_nodes(golden, source, kind):
    """Group normalisation as operator sets and exporters have it: nodes and constants."""
    weight, bias = (golden.parameters[f"group_norm.{key}"] for key in ("weight", "bias"))
    if kind.startswith("operator"):
        per_group = golden.num_groups if kind == "operator per group" else len(weight)
        constants = {"w": weight[::len(weight) // per_group], "b": bias[::len(bias) // per_group]}
        return [helper.make_node("GroupNormalization", [source, "w", "b"], ["y"],
                                 num_groups=golden.num_groups, epsilon=golden.eps)], constants
    constants = {"w": weight.reshape(-1, 1, 1), "b": bias.reshape(-1, 1, 1),
                 "ones": np.ones(golden.num_groups, np.float32),
                 "zeros": np.zeros(golden.num_groups, np.float32),
                 "grouped": np.array([0, golden.num_groups, -1]),
                 "whole": np.array(golden.output.shape)}
    nodes = [helper.make_node("Reshape", [source, "grouped"], ["r"]),
             helper.make_node("InstanceNormalization", ["r", "ones", "zeros"], ["i"],
                              epsilon=golden.eps),
             helper.make_node("Reshape", ["i", "whole"], ["j"]),
             helper.make_node("Mul", ["j", "w"], ["k"]), helper.make_node("Add", ["b", "k"], ["y"])]
    if kind == "instance with Shape":
        nodes.insert(0, helper.make_node("Shape", [source], ["whole"]))
        del constants["whole"]
    return nodes, constants


def model_of(golden, kind="instance", opset=18, conv=None, replace=None, shapes=None,
             activation=None, parameters=None):
    """The golden block as a model; `conv` are attributes of Conv, `replace` nodes by operator."""
    constants = {**golden.parameters, **(parameters or {})}
    del constants["group_norm.weight"], constants["group_norm.bias"]
    attributes = {"kernel_shape": golden.parameters["conv.weight"].shape[2:],
                  "strides": golden.stride, "pads": golden.padding * 2,
                  "dilations": golden.dilation, "group": golden.groups, **(conv or {})}
    nodes = [helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], name="conv",
                              **{key: value for key, value in attributes.items()
                                 if value is not None}),
             helper.make_node("Add", ["c", "bias"], ["a"], name="add"),
             helper.make_node("Mul", ["a", "scale"], ["m"], name="mul"),
             *(activation or [helper.make_node("Sigmoid", ["m"], ["s"], name="sigmoid")])]
    norm, more = group_norm_nodes(golden, "s", kind)
    nodes = [(replace or {}).get(node.op_type, node) for node in [*nodes, *norm]]
    constants.update(more)
    graph = helper.make_graph(
        nodes, "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes or golden.x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ascontiguousarray(array), name)
         for name, array in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


class WithDirectory(unittest.TestCase):
    def setUp(self):
        context = tempfile.TemporaryDirectory()
        self.addCleanup(context.cleanup)
        self.directory = Path(context.name)

    def run_script(self, model, *arguments):
        path = self.directory / "model.onnx"
        path.write_bytes(model.SerializeToString())
        result = subprocess.run(
            [sys.executable, "-B", str(ROOT / "scripts" / "from_onnx.py"), str(path),
             *map(str, arguments), "-o", str(self.directory / "layer.h5")],
            capture_output=True, text=True, timeout=300)
        self.assertNotIn("Traceback", result.stderr)
        return result

    def check_layer(self, golden):
        """The file that was written is the golden one."""
        with h5py.File(self.directory / "layer.h5", "r") as file:
            for name, array in golden.parameters.items():
                np.testing.assert_array_equal(file[name][...].reshape(array.shape), array, name)
            for name, value in (("num_groups", golden.num_groups), ("eps", golden.eps)):
                self.assertAlmostEqual(file.attrs[f"group_norm.{name}"], value, delta=1e-11)
            for name in ("stride", "padding", "dilation"):
                self.assertEqual(pair(file.attrs[f"conv.{name}"]), getattr(golden, name))
            self.assertEqual(file.attrs["conv.groups"], golden.groups)


class Models(WithDirectory):
    def test_every_form_of_group_normalisation_is_read(self):
        golden = Golden("basic")
        per_channel = len(golden.parameters["group_norm.weight"]) // golden.num_groups
        grouped = Golden("basic")
        for name in ("group_norm.weight", "group_norm.bias"):
            grouped.parameters[name] = np.repeat(grouped.parameters[name][::per_channel],
                                                 per_channel)
        for kind, opset, expected in (("instance", 18, golden), ("operator", 21, golden),
                                      ("instance with Shape", 17, golden),
                                      ("operator per group", 18, grouped)):
            with self.subTest(kind):
                result = self.run_script(model_of(expected, kind, opset))
                self.assertEqual(result.returncode, 0, result.stderr)
                self.check_layer(expected)

    def test_input_and_reference_are_written_as_pytorch_has_them(self):
        for name in ("rectangular", "channel_groups"):
            with self.subTest(name):
                golden = Golden(name)
                x, reference = self.directory / "x.npy", self.directory / "reference.h5"
                np.save(x, golden.x)
                result = self.run_script(model_of(golden), x, "--reference", reference)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.check_layer(golden)
                with h5py.File(self.directory / "layer.h5", "r") as file:
                    np.testing.assert_array_equal(file["input"][...], golden.x)
                with h5py.File(reference, "r") as file:
                    # In ONNX eps is a float32.
                    np.testing.assert_allclose(file["output"][...], golden.output, rtol=0,
                                               atol=1e-9)
                application = subprocess.run(
                    [PROGRAMS / "fusedconv_app", self.directory / "layer.h5", "--verify", reference,
                     "-o", self.directory / "output.h5"], capture_output=True, text=True)
                self.assertEqual(application.returncode, 0, application.stderr)

    def test_parameters_may_be_left_out_or_lie_in_constant_nodes(self):
        golden = Golden("basic")
        model = model_of(golden)
        conv, add, mul, sigmoid, *norm = model.graph.node
        del model.graph.node[:]
        del conv.input[2]
        mul.input[:] = ["scale", "c"]
        scale = next(each for each in model.graph.initializer if each.name == "scale")
        model.graph.initializer.remove(scale)
        constant = helper.make_node("Constant", [], ["scale"], value=scale)
        model.graph.node.extend([constant, conv, mul, sigmoid, *norm])
        result = self.run_script(model)
        self.assertEqual(result.returncode, 0, result.stderr)
        del golden.parameters["conv.bias"], golden.parameters["bias"]
        self.check_layer(golden)
        with h5py.File(self.directory / "layer.h5", "r") as file:
            self.assertEqual(set(file), set(golden.parameters))

    def test_same_padding_is_that_of_the_kernel(self):
        model = model_of(Golden("basic"), conv={"auto_pad": "SAME_UPPER", "pads": None},
                         kind="instance with Shape")
        result = self.run_script(model)
        self.assertEqual(result.returncode, 0, result.stderr)
        with h5py.File(self.directory / "layer.h5", "r") as file:
            self.assertEqual(file.attrs["conv.padding"], 1)

    def test_activations_have_their_names(self):
        golden = Golden("basic")
        silu = [helper.make_node("Sigmoid", ["m"], ["q"]),
                helper.make_node("Mul", ["m", "q"], ["s"])]
        for nodes, name in (([helper.make_node("Relu", ["m"], ["s"])], "relu"),
                            ([helper.make_node("Tanh", ["m"], ["s"])], "tanh"),
                            ([helper.make_node("Identity", ["m"], ["s"])], "identity"),
                            (silu, "silu")):
            with self.subTest(name):
                result = self.run_script(model_of(golden, activation=nodes))
                self.assertEqual(result.returncode, 0, result.stderr)
                with h5py.File(self.directory / "layer.h5", "r") as file:
                    self.assertEqual(file.attrs["activation"], name)

    def test_what_the_block_is_not_is_refused_in_a_sentence(self):
        golden = Golden("basic")
        c = golden.parameters["bias"].size
        node = helper.make_node
        cases = [
            (model_of(golden, conv={"pads": [0, 1, 1, 1]}), r"pads: expected as many .*\[0, 1, 1"),
            (model_of(golden, conv={"auto_pad": "SAME_LOWER", "strides": [2, 2], "pads": None}),
             "auto_pad: .* strides, found SAME_LOWER"),
            (model_of(golden, replace={"Sigmoid": node("HardSigmoid", ["m"], ["s"])}),
             "found HardSigmoid"),
            (model_of(golden, replace={"Sigmoid": node("Sigmoid", ["a"], ["s"])}),
             "operations one after another"),
            (model_of(golden, replace={"Add": node("Sub", ["c", "bias"], ["a"])}), "found Sub"),
            (model_of(golden, parameters={"bias": golden.parameters["bias"].reshape(1, 1, c)}),
             rf"add: expected one value .* found the shape \(1, 1, {c}\)"),
            (model_of(golden, "operator", 18), "8 values in operator set 18, found the shape"),
            (model_of(golden, "operator per group", 21), "values in operator set 21"),
            (model_of(golden, conv={"group": 3}), "conv.groups"),
            (helper.make_model(helper.make_graph([], "empty", [], [])), "without operations")]
        for model, named in cases:
            with self.subTest(named):
                result = self.run_script(model)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr, named)
                self.assertFalse((self.directory / "layer.h5").exists())

    def test_files_that_are_none_are_refused(self):
        path = self.directory / "text.onnx"
        path.write_text("text")
        for arguments, named in (([path], "text.onnx"), ([self.directory / "none.onnx"], "none"),
                                 ([path, "--reference", "r.h5"], "--reference: expected INPUT")):
            with self.subTest(named):
                result = subprocess.run(
                    [sys.executable, "-B", ROOT / "scripts" / "from_onnx.py", *arguments, "-o",
                     self.directory / "layer.h5"], capture_output=True, text=True)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(named, result.stderr)
                self.assertNotIn("Traceback", result.stderr)


@unittest.skipUnless(CAN_RUN, "onnxruntime is not installed")
class Runs(WithDirectory):
    def test_a_model_that_computes_something_else_is_refused(self):
        golden = Golden("basic")
        model = model_of(golden)
        path = self.directory / "model.onnx"
        path.write_bytes(model.SerializeToString())
        reader = Reader("model", model)
        image = golden.x[:1]
        from_onnx.check_model(path, model, "x", image, reader.parameters, reader.hyperparameters)
        reader.parameters["scale"] = 1.01 * reader.parameters["scale"]
        with self.assertRaisesRegex(InputError, "expected a model that computes"):
            from_onnx.check_model(path, model, "x", image, reader.parameters,
                                  reader.hyperparameters)

    def test_constants_are_folded(self):
        golden = Golden("basic")
        model = model_of(golden, parameters={"bias": golden.parameters["bias"].reshape(-1)})
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1, 1]), "column"))
        model.graph.node.insert(0, helper.make_node("Reshape", ["bias", "column"], ["b3"]))
        next(node for node in model.graph.node if node.name == "add").input[1] = "b3"
        result = self.run_script(model)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_layer(golden)


if __name__ == "__main__":
    unittest.main()
