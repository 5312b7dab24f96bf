"""What the HLS variants tell FINN: includes, top function and stream pragmas around a rendered core."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend

from hls_templates import HLS_DIR


class FrameCore(HLSBackend):
    """HLSBackend for a core that is one function ``<node>_core(in, out)`` processing one frame per call.

    ``ap_ctrl_none`` calls the top again for every frame. The rendered header stands beside the top's source file.
    """

    def core_name(self) -> str:
        """Name of the rendered function and header; the top function has the node's name."""
        return f"{self.onnx_node.name}_core"

    def copy_headers(self, headers: Sequence[str], folder: Path) -> None:
        """Put the cores' headers next to the generated source, where both g++ and Vitis HLS look first."""
        for name in headers:
            target = folder / Path(name).name
            shutil.copyfile(HLS_DIR / name, target)

    def global_includes(self) -> None:
        self.code_gen_dict["$GLOBALS$"] = [f'#include "{self.core_name()}.hpp"']

    def defines(self, var: str) -> None:
        self.code_gen_dict["$DEFINES$"] = []

    def docompute(self) -> None:
        self.code_gen_dict["$DOCOMPUTE$"] = [f"{self.core_name()}(in0_V, out0_V);"]

    def blackboxfunction(self) -> None:
        words = (f"ap_uint<{self.get_instream_width()}>", f"ap_uint<{self.get_outstream_width()}>")
        self.code_gen_dict["$BLACKBOXFUNCTION$"] = [
            f"void {self.onnx_node.name}(hls::stream<{words[0]}> &in0_V, hls::stream<{words[1]}> &out0_V)"
        ]

    def code_folder(self, path: str | Path) -> Path:
        """The folder FINN asks parameters to be written to."""
        return Path(cast(str, path))
