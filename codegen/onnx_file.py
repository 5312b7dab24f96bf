"""ONNX files as data: bounded, read whole, and naming nothing outside themselves.

What reads one hands the model on only after this and its own list of operators: ONNX Runtime, qonnx and FINN then see
no operator, file or program that a stranger chose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from codegen.errors import ModelError, first_line
from codegen.onnx_nodes import describe
from sca_train.files import check_readable

MOST_BYTES = 2**30
"""Of a file: a network of 250 M weights."""
MOST_ELEMENTS = 2**28
"""Of one frame in a tensor, all its time steps: no board and no simulation here comes near it."""

_DATATYPE_KEY = "finn_datatype"
_DATATYPE = re.compile(r"(BINARY)|(U?)INT([1-9][0-9]{0,2})")


@dataclass(frozen=True)
class OnnxFile:
    """A file and the command that writes it anew, for sentences about it."""

    path: Path
    maker: str

    def error(self, reason: str) -> ModelError:
        """That the file is refused for that reason."""
        return ModelError(f"{self.path}: {reason}; {self.maker}")

    def damage(self, reason: str) -> ModelError:
        """That the file is damaged, as that reason shows."""
        return ModelError(f"{self.path} is damaged ({reason}); {self.maker}")

    def read(self) -> ModelProto:
        """The model in the file.

        Raises ModelError where it is too large or damaged, holds no nodes, or has tensors in other files, graphs inside
        its nodes, sparse tensors or a training graph; TrainError where it is no regular file.
        """
        check_readable(self.path)
        with self.path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise self.error(f"it is larger than {MOST_BYTES} bytes")
        try:
            model = ModelProto.FromString(content)
        except DecodeError as error:
            raise self.damage(first_line(error)) from error
        if not model.graph.node:
            raise self.damage("it holds no nodes")
        if model.graph.sparse_initializer or model.training_info:
            raise self.error("it holds sparse tensors or a training graph, which nothing here reads")
        for node in _nodes(model):
            if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
                raise self.error(
                    f"{describe(node)} holds a graph of its own (a loop or a branch), which no network has"
                )
        outside = next((tensor.name for tensor in _tensors(model) if _is_outside(tensor)), None)
        if outside is not None:
            raise self.error(f"the data of {outside!r} lies in another file; only a model in one file is read")
        return model

    def values(self, tensor: TensorProto) -> NDArray[np.generic]:
        """The values of a constant; raises ModelError where its data and its shape differ."""
        try:
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise self.damage(f"{tensor.name!r}: {first_line(error)}") from error

    def annotations(self, graph: GraphProto) -> dict[str, Annotation]:
        """The datatypes of tensors by QONNX annotations; raises ModelError for any but integers.

        Other keys than the datatype's are refused: of some qonnx evaluates the text as Python.
        """
        found = {}
        for entry in graph.quantization_annotation:
            for parameter in entry.quant_parameter_tensor_names:
                if parameter.key != _DATATYPE_KEY:
                    raise self.error(
                        f"tensor {entry.tensor_name!r} has an annotation {parameter.key!r} that none has here"
                    )
                found[entry.tensor_name] = self.datatype(parameter.value, f"tensor {entry.tensor_name!r}")
        return found

    def datatype(self, name: str, where: str) -> Annotation:
        """The integer datatype of that name (BINARY, UINT or INT with their bits); raises ModelError for any other."""
        match = _DATATYPE.fullmatch(name)
        if match is None:
            raise self.error(f"{where} is annotated {name!r}, which is no integer datatype such as INT4")
        return Annotation(signed=not match[1] and not match[2], bits=1 if match[1] else int(match[3]))


@dataclass(frozen=True)
class Annotation:
    """An integer datatype."""

    signed: bool
    bits: int


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    attributes: list[AttributeProto] = [entry for node in _nodes(model) for entry in node.attribute]
    attributes += [entry for function in model.functions for entry in function.attribute_proto]
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _is_outside(tensor: TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL or bool(tensor.external_data)
