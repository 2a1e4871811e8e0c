# SPDX-License-Identifier: Apache-2.0
"""Reads the block from an ONNX graph. Operations are found by what they do, whatever they are
called; group normalisation is the operator of that name, or the Reshape, InstanceNormalization,
Reshape, Mul, Add that PyTorch exports for it."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from .block import Block
from .layer import Pair

ACTIVATIONS = {"Sigmoid": "sigmoid", "Relu": "relu", "Tanh": "tanh", "Swish": "silu"}
UNCHANGED = ("Identity", "Dropout")
PER_GROUP_OPSET = 20  # GroupNormalization has a scale a group up to this one, then a channel


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    values = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value
            for name, value in values.items()}


def evaluate_constants(node: onnx.NodeProto, inputs: Sequence[np.ndarray],
                       opsets: Sequence[onnx.OperatorSetIdProto]) -> Sequence[np.ndarray] | None:
    """A node's outputs where all of its inputs are constants; None where they are not computed."""
    if node.op_type == "Identity":
        return inputs
    try:
        from onnx.reference import ReferenceEvaluator
    except ImportError:  # before onnx 1.13
        return None
    names = [name for name in node.input if name]
    graph = onnx.helper.make_graph(
        [node], "constants",
        [onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
         for name, array in zip(names, inputs)],
        [onnx.ValueInfoProto(name=name) for name in node.output])
    model = onnx.helper.make_model(graph, opset_imports=opsets)
    return ReferenceEvaluator(model).run(None, dict(zip(names, inputs)))


class Reader:
    """Follows the input of a graph through its operations."""

    def __init__(self, source: str, model: onnx.ModelProto) -> None:
        self._block = Block(source)
        self._opsets = list(model.opset_import)
        self._opset = next((each.version for each in self._opsets if not each.domain), 0)
        graph = model.graph
        self._constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        inputs = [each.name for each in graph.input if each.name not in self._constants]
        if len(inputs) != 1:
            raise self._block.refuse("inputs", "one tensor", ", ".join(inputs) or "none")
        self.input, = inputs
        self._current = self.input
        self._previous = ""  # what the current value was computed from
        self._whole: set[str] = set()  # tensors of the block's output shape
        self._shapes: set[str] = set()  # tensors that hold this shape
        self._instance: tuple[int, float, Any, Any] | None = None  # a normalisation in groups
        self._in_groups = 0  # groups that a Reshape has made; 0 outside of that pattern
        for node in graph.node:
            self._read_node(node)
        if [each.name for each in graph.output] != [self._current]:
            raise self._block.refuse("output", "one tensor, computed by the last operation",
                                     ", ".join(each.name for each in graph.output))
        self.parameters, self.hyperparameters = self._block.finish()

    def _name(self, node: onnx.NodeProto) -> str:
        return node.name or f"{node.op_type} of {node.output[0]}"

    def _read_node(self, node: onnx.NodeProto) -> None:
        name, attributes = self._name(node), attributes_of(node)
        if node.op_type == "Constant":
            self._constants[node.output[0]] = self._constant(name, attributes)
            return
        if node.op_type == "Shape" and node.input[0] in self._whole and not attributes:
            self._shapes.add(node.output[0])
            return
        given = [each for each in node.input if each]
        if all(each in self._constants for each in given):
            values = evaluate_constants(node, [self._constants[each] for each in given],
                                        self._opsets)
            if values is None:
                raise self._block.refuse(name, "constants that are folded, or onnx 1.13",
                                         f"{node.op_type} of constants and onnx {onnx.__version__}")
            self._constants.update(zip(node.output, values))
            return
        if node.domain:
            raise self._block.refuse(name, "ONNX's own operators", f"{node.domain}.{node.op_type}")
        if node.op_type in ("Add", "Mul"):
            self._read_arithmetic(node)
        else:
            if node.input[0] != self._current:
                raise self._block.refuse(name, "operations one after another",
                                         f"{node.op_type} of something else than what came last")
            self._read_unary(node, name, attributes)
        self._previous, self._current = self._current, node.output[0]
        if self._block.channels and not self._in_groups:
            self._whole.add(self._current)

    def _constant(self, name: str, attributes: Mapping[str, Any]) -> np.ndarray:
        for key, convert in (("value", numpy_helper.to_array), ("value_float", np.float32),
                             ("value_floats", np.float32), ("value_int", np.int64),
                             ("value_ints", np.int64)):
            if key in attributes:
                return np.asarray(convert(attributes[key]))
        raise self._block.refuse(name, "a dense constant of numbers", ", ".join(attributes))

    def _array(self, name: str, inputs: Sequence[str], at: int) -> np.ndarray | None:
        """An input that must be constant; None where it is left out."""
        if at >= len(inputs) or not inputs[at]:
            return None
        if inputs[at] not in self._constants:
            raise self._block.refuse(name, "constants as parameters", f"the tensor {inputs[at]}")
        return self._constants[inputs[at]]

    def _read_arithmetic(self, node: onnx.NodeProto) -> None:
        name, operands = self._name(node), list(node.input)
        if self._in_groups:
            raise self._block.refuse(name, "a Reshape back to (N, C, H, W)", node.op_type)
        if node.op_type == "Mul" and sorted(operands) == sorted([self._current, self._previous]):
            self._block.multiply_by_sigmoid(name)
            return
        if self._current not in operands:
            raise self._block.refuse(name, "operations one after another",
                                     f"{node.op_type} of something else than what came last")
        operands.remove(self._current)
        array = self._array(name, operands, 0)
        if node.op_type == "Mul":
            self._block.multiply(name, array)
        else:
            self._block.add(name, array)

    def _read_unary(self, node: onnx.NodeProto, name: str, attributes: Mapping[str, Any]) -> None:
        operation, block = node.op_type, self._block
        if operation == "Reshape":
            self._read_reshape(name, node, attributes)
        elif operation == "InstanceNormalization":
            self._read_instance_normalization(name, node, attributes)
        elif self._in_groups:
            raise block.refuse(name, "InstanceNormalization and a Reshape back to (N, C, H, W)",
                               operation)
        elif operation == "Conv":
            self._read_convolution(name, node, attributes)
        elif operation == "Gelu":
            block.activate(name, {"none": "gelu", "tanh": "gelu_tanh"}[
                attributes.get("approximate", "none")])
        elif operation == "Swish" and attributes.get("alpha", 1.0) != 1.0:
            raise block.refuse(f"{name}: alpha", 1, attributes["alpha"])
        elif operation in ACTIVATIONS:
            block.activate(name, ACTIVATIONS[operation])
        elif operation == "GroupNormalization":
            num_groups = attributes["num_groups"]
            scale, bias = (self._array(name, node.input, at) for at in (1, 2))
            expected = num_groups if self._opset <= PER_GROUP_OPSET else block.channels
            if scale.shape != (expected,):
                raise block.refuse(f"{name}: scale", f"{expected} values in operator set "
                                   f"{self._opset}", f"the shape {scale.shape}")
            block.normalise(name, num_groups, attributes.get("epsilon", 1e-5), scale, bias)
        elif operation not in UNCHANGED:
            raise block.refuse(name, "Conv, Add, Mul, an activation or a group normalisation",
                               operation)

    def _read_convolution(self, name: str, node: onnx.NodeProto, attributes: Mapping[str, Any]
                          ) -> None:
        weight = self._array(f"{name}: weight", node.input, 1)
        if weight.ndim != 4:
            raise self._block.refuse(name, "a convolution of two dimensions",
                                     f"weights of shape {weight.shape}")

        def pair(key: str) -> Pair:
            height, width = attributes.get(key, [1, 1])
            return height, width

        padding = self._padding(name, attributes, weight.shape[2:], pair("strides"),
                                pair("dilations"))
        self._block.convolve(name, weight, self._array(f"{name}: bias", node.input, 2),
                             pair("strides"), padding, pair("dilations"),
                             attributes.get("group", 1))

    def _padding(self, name: str, attributes: Mapping[str, Any], kernel: Sequence[int],
                 strides: Pair, dilations: Pair) -> Pair:
        automatic = attributes.get("auto_pad", "NOTSET")
        if automatic == "VALID":
            return 0, 0
        if automatic != "NOTSET":
            if strides != (1, 1):
                raise self._block.refuse(f"{name}: auto_pad", "pads that are written out where "
                                         "there are strides", automatic)
            return self._block.same_padding(f"{name}: auto_pad", kernel, dilations)
        pads = attributes.get("pads", [0, 0, 0, 0])
        if list(pads[:2]) != list(pads[2:]):
            raise self._block.refuse(f"{name}: pads", "as many at the top as at the bottom and at "
                                     "the left as at the right", list(pads))
        return pads[0], pads[1]

    def _read_reshape(self, name: str, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> None:
        block = self._block
        if self._instance:  # back from groups to channels
            shape = self._constants.get(node.input[1])
            if node.input[1] not in self._shapes and (
                    shape is None or len(shape) != 4 or shape[1] not in (-1, block.channels)):
                raise block.refuse(name, "a Reshape back to (N, C, H, W)",
                                   "another shape" if shape is None else shape.tolist())
            groups, eps, scale, bias = self._instance
            self._instance, self._in_groups = None, 0
            block.normalise(name, groups, eps, scale, bias)
            return
        shape = self._array(f"{name}: shape", node.input, 1)
        if self._in_groups or shape is None or len(shape) != 3 or attributes.get("allowzero"):
            raise block.refuse(name, "a Reshape to (N, groups, -1) before InstanceNormalization",
                               "another one")
        self._in_groups = int(shape[1])

    def _read_instance_normalization(self, name: str, node: onnx.NodeProto,
                                     attributes: Mapping[str, Any]) -> None:
        groups = self._in_groups or self._block.channels
        eps = attributes.get("epsilon", 1e-5)
        scale, bias = (self._array(name, node.input, at) for at in (1, 2))
        if scale.shape != (groups,) or bias.shape != (groups,):
            raise self._block.refuse(name, f"{groups} values of scale and B",
                                     f"the shapes {scale.shape} and {bias.shape}")
        if self._in_groups:
            self._instance = (groups, eps, scale, bias)
        else:
            self._block.normalise(name, groups, eps, scale, bias)
