"""SpikingMVAU in SystemVerilog."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from numpy.typing import NDArray
from onnx import GraphProto
from qonnx.core.modelwrapper import ModelWrapper

from codegen.core import spiking_mvau as core
from codegen.finn.ops.rtl_sources import cell_commands, source_files
from codegen.finn.ops.spiking_mvau import SpikingMVAU


class SpikingMVAU_rtl(SpikingMVAU, RTLBackend):  # noqa: N801 - FINN finds the variant by this name
    """SpikingMVAU rendered through ``codegen.core.spiking_mvau.write_rtl``."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        return {**RTLBackend.get_nodeattr_types(self), **SpikingMVAU.get_nodeattr_types(self)}

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Write the wrapper with its memories into the node's code generation folder."""
        folder = cast(str, self.get_nodeattr("code_gen_dir_ipgen"))
        core.write_rtl(self.spec(), *self.parameters(model), Path(folder))
        # FINN renames nodes later on, the module keeps the name it was generated under.
        self.set_nodeattr("gen_top_module", self.get_verilog_top_module_name())
        self.set_nodeattr("ipgen_path", folder)
        self.set_nodeattr("ip_path", folder)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        return source_files(self, core.RTL_SOURCES, abspath)

    def code_generation_ipi(self) -> list[str]:
        return cell_commands(self)

    def execute_node(self, context: dict[str, NDArray[Any]], graph: GraphProto) -> None:
        """The core's naive model, except in FINN's rtlsim mode (Vivado's simulator)."""
        backend = RTLBackend if self.get_nodeattr("exec_mode") == "rtlsim" else SpikingMVAU
        backend.execute_node(self, context, graph)
