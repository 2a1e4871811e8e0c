# SPDX-License-Identifier: Apache-2.0
"""Reads the block from a PyTorch program: an nn.Module, which torch.export takes apart, or what
torch.export.save has written. Operations are found by what they do, whatever they are called."""

from __future__ import annotations

import warnings
from typing import Any, Callable, Mapping

import numpy as np
import torch

from .block import Block
from .layer import InputError, Pair

# Operations that pass their first argument on unchanged where nothing is trained.
UNCHANGED = ("dropout", "dropout_", "feature_dropout", "contiguous", "clone", "alias", "detach",
             "detach_")
ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "relu", "silu": "silu", "tanh": "tanh"}


def export(source: str, module: torch.nn.Module, x: torch.Tensor) -> Any:
    """The module as a torch.export.ExportedProgram. Throws InputError."""
    for name, each in module.named_modules():
        mode = getattr(each, "padding_mode", "zeros")
        if mode != "zeros":
            raise InputError(f"{source}: {name or type(each).__name__}.padding_mode: expected "
                             f"zeros, found {mode}")
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operations that may be refused with a reason
            return torch.export.export(module.eval(), (x,))
    except Exception as error:  # whatever the module's code throws is the reason
        raise InputError(f"{source}: expected a module that torch.export takes with an input of "
                         f"shape {tuple(x.shape)}, found: {type(error).__name__}: "
                         f"{next(iter(str(error).strip().splitlines()), '')}") from error


def pair(value: Any) -> Pair:
    values = [value] if isinstance(value, int) else list(value)
    return int(values[0]), int(values[-1])


def arguments_of(node: Any) -> dict[str, Any]:
    """A call's arguments by name, with the defaults of those that are not given."""
    schema = node.target._schema.arguments
    arguments = {each.name: each.default_value for each in schema if each.has_default_value()}
    arguments.update(zip((each.name for each in schema), node.args))
    return {**arguments, **node.kwargs}


class Reader:
    """Follows the input of a program through its operations."""

    def __init__(self, source: str, program: Any, to_numpy: Callable[[str, Any], np.ndarray]
                 ) -> None:
        self._block = Block(source)
        self._to_numpy = to_numpy
        self._constants: dict[Any, Any] = {}  # nodes whose values do not depend on the input
        self._current: Any = None
        self._previous: Any = None  # what the current value was computed from
        self._read_inputs(program)
        for node in program.graph.nodes:
            if node.op == "call_function":
                self._read_call(node)
        output = next(node for node in program.graph.nodes if node.op == "output")
        if list(output.args[0]) != [self._current]:
            raise self._block.refuse("output", "one tensor, computed by the last operation",
                                     f"{len(output.args[0])} outputs, or one of another operation")
        self.parameters, self.hyperparameters = self._block.finish()

    def _read_inputs(self, program: Any) -> None:
        names = {**program.graph_signature.inputs_to_parameters,
                 **program.graph_signature.inputs_to_buffers,
                 **program.graph_signature.inputs_to_lifted_tensor_constants}
        inputs = []
        for node in program.graph.nodes:
            if node.op != "placeholder":
                continue
            name = names.get(node.name)
            if name is None:
                inputs.append(node)
            else:
                self._constants[node] = program.state_dict.get(name, program.constants.get(name))
        if len(inputs) != 1:
            raise self._block.refuse("inputs", "one tensor", len(inputs))
        self._current, = inputs

    def _value(self, argument: Any) -> Any:
        """Of an argument that does not depend on the input; throws KeyError for others."""
        if isinstance(argument, torch.fx.Node):
            return self._constants[argument]
        if isinstance(argument, (list, tuple)):
            return [self._value(each) for each in argument]
        return argument

    def _array(self, name: str, argument: Any) -> np.ndarray | None:
        if argument is None:
            return None
        if isinstance(argument, (int, float)):
            return np.array(argument, np.float64)
        if argument not in self._constants:
            raise self._block.refuse(name, "parameters that do not depend on the input",
                                     f"{argument.name}")
        return self._to_numpy(name, self._constants[argument])

    def _read_call(self, node: Any) -> None:
        try:
            values = [self._value(each) for each in node.args]
            named = {key: self._value(each) for key, each in node.kwargs.items()}
        except KeyError:
            self._read_operation(node)
            return
        with torch.no_grad():
            self._constants[node] = node.target(*values, **named)

    def _read_operation(self, node: Any) -> None:
        if not hasattr(node.target, "_schema"):
            raise self._block.refuse(node.name, "an operation of the block", f"{node.target}")
        operation = node.target._schema.name.removeprefix("aten::")
        arguments = arguments_of(node)
        if operation.startswith("_assert"):
            return
        if operation in ("add", "add_", "mul", "mul_"):
            self._read_arithmetic(node, operation.rstrip("_"), arguments)
        else:
            if node.args[0] is not self._current:
                raise self._block.refuse(node.name, "operations one after another",
                                         f"{operation} of something else than what came last")
            self._read_unary(node, operation, arguments)
        self._previous, self._current = self._current, node

    def _read_arithmetic(self, node: Any, operation: str, arguments: Mapping[str, Any]) -> None:
        operands = [arguments["self"], arguments["other"]]
        if operation == "mul" and set(operands) == {self._current, self._previous}:
            self._block.multiply_by_sigmoid(node.name)
            return
        if self._current not in operands:
            raise self._block.refuse(node.name, "operations one after another",
                                     f"{operation} of something else than what came last")
        operands.remove(self._current)
        array = self._array(node.name, operands[0])
        if operation == "mul":
            self._block.multiply(node.name, array)
            return
        if arguments.get("alpha", 1) != 1:
            raise self._block.refuse(f"{node.name}: alpha", 1, arguments["alpha"])
        self._block.add(node.name, array)

    def _read_unary(self, node: Any, operation: str, arguments: Mapping[str, Any]) -> None:
        name, block = node.name, self._block
        if operation in ("conv2d", "convolution"):
            weight = self._array(f"{name}: weight", arguments["weight"])
            if arguments.get("transposed"):
                raise block.refuse(name, "a convolution", "a transposed one")
            padding = arguments["padding"]
            if padding == "same":  # PyTorch has it without strides alone
                padding = block.same_padding(f"{name}: padding='same'", weight.shape[2:],
                                             pair(arguments["dilation"]))
            else:
                padding = (0, 0) if padding == "valid" else pair(padding)
            block.convolve(name, weight, self._array(f"{name}: bias", arguments["bias"]),
                           pair(arguments["stride"]), padding, pair(arguments["dilation"]),
                           int(arguments["groups"]))
        elif operation == "gelu":
            block.activate(name, {"none": "gelu", "tanh": "gelu_tanh"}[arguments["approximate"]])
        elif operation.rstrip("_") in ACTIVATIONS:
            block.activate(name, ACTIVATIONS[operation.rstrip("_")])
        elif operation == "group_norm":
            block.normalise(name, int(arguments["num_groups"]), float(arguments["eps"]),
                            self._array(f"{name}: weight", arguments["weight"]),
                            self._array(f"{name}: bias", arguments["bias"]))
        elif operation not in UNCHANGED or arguments.get("train"):
            raise block.refuse(name, "conv2d, add, mul, an activation or group_norm", operation)
