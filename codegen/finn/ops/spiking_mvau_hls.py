"""SpikingMVAU in HLS C++."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spiking_mvau as core
from codegen.finn.ops.hls_sources import FrameCore
from codegen.finn.ops.spiking_mvau import SpikingMVAU


class SpikingMVAU_hls(SpikingMVAU, FrameCore):  # noqa: N801 - FINN finds the variant by this name
    """SpikingMVAU rendered through ``codegen.core.spiking_mvau.write_hls``."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        return {**HLSBackend.get_nodeattr_types(self), **SpikingMVAU.get_nodeattr_types(self)}

    def generate_params(self, model: ModelWrapper, path: str | Path, fpgapart: str | None = None) -> None:
        """Write the core's header with the weights, and the headers it includes."""
        folder = self.code_folder(path)
        self.copy_headers(core.HLS_SOURCES, folder)
        core.write_hls(replace(self.spec(), name=self.core_name()), *self.parameters(model), folder)

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """The core's naive model, except in FINN's rtlsim mode (Vivado's simulator)."""
        backend = HLSBackend if self.get_nodeattr("exec_mode") == "rtlsim" else SpikingMVAU
        backend.execute_node(self, context, graph)
