"""What the RTL variants tell FINN: their files, and how Vivado's block design takes them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_class, core_of
from hls_templates import RTL_DIR


class CoreRTLBackend(RTLBackend):
    """RTLBackend for a core that is rendered as one wrapper around shared modules."""

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Write the core into the node's code generation folder."""
        folder = cast(str, self.get_nodeattr("code_gen_dir_ipgen"))
        core_of(self, model).render("rtl", Path(folder))
        # FINN renames nodes later on, the module keeps the name it was generated under.
        self.set_nodeattr("gen_top_module", self.get_verilog_top_module_name())
        self.set_nodeattr("ipgen_path", folder)
        self.set_nodeattr("ip_path", folder)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """The shared modules, then the node's own wrapper and memory contents, in compile order.

        Memory contents (.hex) are listed so that Vivado adds them to the project and finds them by their bare names.
        """
        module = cast(str, self.get_nodeattr("gen_top_module"))
        folder = Path(cast(str, self.get_nodeattr("code_gen_dir_ipgen")))
        own = [f"{module}.sv", *sorted(path.name for path in folder.glob(f"{module}_*.hex"))]
        shared = core_class(self.onnx_node.op_type).sources["rtl"]
        if not abspath:
            return [*shared, *own]
        return [*(str(RTL_DIR / name) for name in shared), *(str(folder / name) for name in own)]

    def code_generation_ipi(self) -> list[str]:
        """Tcl that adds the node's files and places it in Vivado's block design."""
        module = self.get_nodeattr("gen_top_module")
        commands = [f"add_files -norecurse {path}" for path in self.get_rtl_file_list(abspath=True)]
        return [*commands, f"create_bd_cell -type module -reference {module} {self.onnx_node.name}"]
