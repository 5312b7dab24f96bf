"""What the RTL variants tell FINN about their files."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend

from hls_templates import RTL_DIR


def source_files(node: RTLBackend, shared: tuple[str, ...], abspath: bool) -> list[str]:
    """The shared cores, then the node's own wrapper and memory contents, in compile order.

    Memory contents (.hex) are listed so that Vivado adds them to the project and finds them by their bare names.
    """
    module = cast(str, node.get_nodeattr("gen_top_module"))
    folder = Path(cast(str, node.get_nodeattr("code_gen_dir_ipgen")))
    own = [f"{module}.sv", *sorted(path.name for path in folder.glob(f"{module}_*.hex"))]
    if not abspath:
        return [*shared, *own]
    return [*(str(RTL_DIR / name) for name in shared), *(str(folder / name) for name in own)]


def cell_commands(node: RTLBackend) -> list[str]:
    """Tcl that adds the node's files and places it in Vivado's block design."""
    module = node.get_nodeattr("gen_top_module")
    commands = [f"add_files -norecurse {path}" for path in node.get_rtl_file_list(abspath=True)]
    return [*commands, f"create_bd_cell -type module -reference {module} {node.onnx_node.name}"]
