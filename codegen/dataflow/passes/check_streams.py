"""CheckStreams: what one node writes is what the next one reads."""

from __future__ import annotations

from finn.util.basic import getHWCustomOp
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.cores.core import port_name
from codegen.errors import MappingError


class CheckStreams(Transformation):
    """Raise MappingError where neighbours disagree about elements or (``widths``, once converted) stream width.

    FINN's InsertDWC compares lane counts only: elements of different widths at equal lanes would pass it unseen.
    """

    def __init__(self, widths: bool) -> None:
        super().__init__()
        self._widths = widths

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            for output, tensor in enumerate(node.output):
                for consumer in model.find_consumers(tensor) or ():
                    self._check(node, output, consumer, list(consumer.input).index(tensor))
        return model, False

    def _check(self, producer: NodeProto, output: int, consumer: NodeProto, port: int) -> None:
        writes, reads = getHWCustomOp(producer), getHWCustomOp(consumer)
        source = port_name(producer.name, "output", output, len(producer.output) > 1)
        streams = [index for index in range(len(consumer.input)) if reads.get_instream_width(index)]
        target = port_name(consumer.name, "input", port, len(streams) > 1)
        written, read = writes.get_output_datatype(output), reads.get_input_datatype(port)
        if written != read:
            raise MappingError(f"{source} writes {written}, {target} reads {read}")
        widths = writes.get_outstream_width(output), reads.get_instream_width(port)
        if self._widths and widths[0] != widths[1]:
            raise MappingError(f"{source} writes words of {widths[0]} bits, {target} reads {widths[1]}")
