"""ApplyFolding: write a plan's lanes, memory styles and FIFO depths into the nodes."""

from __future__ import annotations

from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from codegen.finn.folding.file import NodeFolding


class ApplyFolding(Transformation):
    """Set the node attributes that a folding names; nodes it does not name keep theirs."""

    def __init__(self, folding: NodeFolding) -> None:
        super().__init__()
        self._folding = folding

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            instance = getHWCustomOp(node)
            for name, value in self._folding.get(node.name, {}).items():
                instance.set_nodeattr(name, value)
        return model, False
