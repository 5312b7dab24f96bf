"""CheckStreams: what one node writes is what the next one reads."""

from __future__ import annotations

from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

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
            consumer = model.find_consumer(node.output[0])
            if consumer is None:
                continue
            writes, reads = getHWCustomOp(node), getHWCustomOp(consumer)
            if writes.get_output_datatype() != reads.get_input_datatype():
                raise MappingError(
                    f"{node.name} writes {writes.get_output_datatype()}, {consumer.name} reads "
                    f"{reads.get_input_datatype()}"
                )
            if self._widths and writes.get_outstream_width() != reads.get_instream_width():
                raise MappingError(
                    f"{node.name} writes words of {writes.get_outstream_width()} bits, {consumer.name} reads "
                    f"{reads.get_instream_width()}"
                )
        return model, False
