"""What the HLS variants tell FINN: includes, top function and stream pragmas around a rendered core."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend
from qonnx.core.modelwrapper import ModelWrapper

from codegen.cores import core_of
from hls_templates import HLS_DIR


class CoreHLSBackend(HLSBackend):
    """HLSBackend for a core that is one function ``<node>_core(in, out)`` processing one frame per call.

    ``ap_ctrl_none`` calls the top again for every frame. The rendered header stands beside the top's source file.
    """

    def core_name(self) -> str:
        """Name of the rendered function and header; the top function has the node's name."""
        return f"{self.onnx_node.name}_core"

    def generate_params(self, model: ModelWrapper, path: str | Path, fpgapart: str | None = None) -> None:
        """Write the core's header with its constants, and beside it what it includes."""
        core = core_of(self, model)
        for name in core.sources["hls"]:
            shutil.copyfile(HLS_DIR / name, Path(path) / name)
        replace(core, name=self.core_name()).render("hls", Path(path))

    def global_includes(self) -> None:
        self.code_gen_dict["$GLOBALS$"] = [f'#include "{self.core_name()}.hpp"']

    def defines(self, var: str) -> None:
        self.code_gen_dict["$DEFINES$"] = []

    def docompute(self) -> None:
        streams = ", ".join(name for name, _ in self._streams())
        self.code_gen_dict["$DOCOMPUTE$"] = [f"{self.core_name()}({streams});"]

    def blackboxfunction(self) -> None:
        streams = ", ".join(f"hls::stream<ap_uint<{bits}>> &{name}" for name, bits in self._streams())
        self.code_gen_dict["$BLACKBOXFUNCTION$"] = [f"void {self.onnx_node.name}({streams})"]

    def pragmas(self) -> None:
        ports = [f"#pragma HLS INTERFACE axis port={name}" for name, _ in self._streams()]
        self.code_gen_dict["$PRAGMAS$"] = [*ports, "#pragma HLS INTERFACE ap_ctrl_none port=return"]

    def get_ap_int_max_w(self) -> int:
        """Bits of the widest stream; FINN's own looks at the first input and output."""
        return max(super().get_ap_int_max_w(), *(bits for _, bits in self._streams()))

    def _streams(self) -> list[tuple[str, int]]:
        """FINN's names of the streams and the bits of their words, inputs first."""
        core = core_of(self)
        inputs = [(f"in{port}_V", stream.bits) for port, stream in enumerate(core.inputs)]
        return [*inputs, *((f"out{port}_V", stream.bits) for port, stream in enumerate(core.outputs))]
