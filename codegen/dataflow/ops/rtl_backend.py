"""What the RTL variants tell FINN: their files, and how Vivado's block design takes them.

A block design references modules whose file is plain Verilog only, and finds clock and streams by attributes of their
ports: each core gets a wrapper for that, ``<module>_ports.v``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_class, core_of
from codegen.cores.core import Core, Stream
from hls_templates import RTL_DIR

_WRAPPER_SUFFIX = "_ports"
_MEMORY = re.compile(r'\bparameter\s+(\w+)\s*=\s*"([^"]+\.hex)"')
_SIGNALS = ("TDATA", "TVALID", "TREADY")


class CoreRTLBackend(RTLBackend):
    """RTLBackend for a core that is rendered as one wrapper around shared modules."""

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Write the core into the node's code generation folder."""
        folder = cast(str, self.get_nodeattr("code_gen_dir_ipgen"))
        core = core_of(self, model)
        core.render("rtl", Path(folder))
        module = self.get_verilog_top_module_name()
        memories = _MEMORY.findall((Path(folder) / f"{module}.sv").read_text(encoding="utf-8"))
        (Path(folder) / f"{module}{_WRAPPER_SUFFIX}.v").write_text(
            ports_wrapper(core, module, memories), encoding="utf-8"
        )
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
        module = cast(str, self.get_nodeattr("gen_top_module"))
        wrapper = Path(cast(str, self.get_nodeattr("code_gen_dir_ipgen"))) / f"{module}{_WRAPPER_SUFFIX}.v"
        files = [*self.get_rtl_file_list(abspath=True), str(wrapper)]
        return [
            *(f"add_files -norecurse {path}" for path in files),
            *(
                f"set_property file_type {{Memory Initialization Files}} [get_files {path}]"
                for path in files
                if path.endswith(".hex")
            ),
            f"create_bd_cell -type module -reference {module}{_WRAPPER_SUFFIX} {self.onnx_node.name}",
        ]


def ports_wrapper(core: Core, module: str, memories: Sequence[tuple[str, str]] = ()) -> str:
    """Verilog around a core's module: the same ports, with the attributes by which Vivado knows clock and reset.

    ``memories``: parameters of the module and the memory files they name, which lie beside it. FINN writes whole paths
    in the place of ``./``, so that synthesis finds the files wherever it runs.
    """
    streams = [(f"in{port}_V", stream, True) for port, stream in enumerate(core.inputs)]
    streams += [(f"out{port}_V", stream, False) for port, stream in enumerate(core.outputs)]
    names = ["ap_clk", "ap_rst_n", *(f"{name}_{signal}" for name, _, _ in streams for signal in _SIGNALS)]
    buses = ":".join(name for name, _, _ in streams)
    lines = [
        f"// {module}{_WRAPPER_SUFFIX}: {module} for a block design (rendered).",
        f"module {module}{_WRAPPER_SUFFIX} (",
        f'    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET ap_rst_n" *)',
        '    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 ap_clk CLK" *)',
        "    input  wire ap_clk,",
        '    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)',
        "    input  wire ap_rst_n,",
        ",\n".join(_stream_ports(name, stream, reads) for name, stream, reads in streams),
        ");",
        f"    {module}{_parameters(memories)} i_core (",
        ",\n".join(f"        .{name}({name})" for name in names),
        "    );",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _parameters(memories: Sequence[tuple[str, str]]) -> str:
    given = ", ".join(f'.{parameter}("./{file}")' for parameter, file in memories)
    return f" #({given})" if given else ""


def _stream_ports(name: str, stream: Stream, reads: bool) -> str:
    forward, back = ("input ", "output") if reads else ("output", "input ")
    return (
        f"    {forward} wire [{stream.padded_bits - 1}:0] {name}_TDATA,\n"
        f"    {forward} wire {name}_TVALID,\n"
        f"    {back} wire {name}_TREADY"
    )
