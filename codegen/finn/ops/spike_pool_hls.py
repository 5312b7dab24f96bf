"""SpikePool in HLS C++."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spike_pool as core
from codegen.finn.ops.hls_sources import FrameCore
from codegen.finn.ops.spike_pool import SpikePool


class SpikePool_hls(SpikePool, FrameCore):  # noqa: N801 - FINN finds the variant by this name
    """SpikePool rendered through ``codegen.core.spike_pool.write_hls``."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        return {**HLSBackend.get_nodeattr_types(self), **SpikePool.get_nodeattr_types(self)}

    def generate_params(self, model: ModelWrapper, path: str | Path, fpgapart: str | None = None) -> None:
        """Write the core's header, and the headers it includes."""
        folder = self.code_folder(path)
        self.copy_headers(core.HLS_SOURCES, folder)
        core.write_hls(replace(self.spec(), name=self.core_name()), folder)

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """The core's naive model, except in FINN's rtlsim mode (Vivado's simulator)."""
        backend = HLSBackend if self.get_nodeattr("exec_mode") == "rtlsim" else SpikePool
        backend.execute_node(self, context, graph)
