"""SpikePool in SystemVerilog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spike_pool as core
from codegen.finn.ops.rtl_sources import RenderedCore
from codegen.finn.ops.spike_pool import SpikePool


class SpikePool_rtl(SpikePool, RenderedCore):  # noqa: N801 - FINN finds the variant by this name
    """SpikePool rendered through ``codegen.core.spike_pool.write_rtl``."""

    SHARED = core.RTL_SOURCES

    def get_nodeattr_types(self) -> dict[str, Any]:
        return {**RTLBackend.get_nodeattr_types(self), **SpikePool.get_nodeattr_types(self)}

    def write_core(self, model: ModelWrapper, folder: Path) -> None:
        core.write_rtl(self.spec(), folder)

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """The core's naive model, except in FINN's rtlsim mode (Vivado's simulator)."""
        backend = RTLBackend if self.get_nodeattr("exec_mode") == "rtlsim" else SpikePool
        backend.execute_node(self, context, graph)
