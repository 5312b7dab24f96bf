"""Make this project's operators known to qonnx and FINN in this process."""

from __future__ import annotations

from finn.custom_op.fpgadataflow import hls, rtl
from qonnx.custom_op.registry import add_domain_alias, add_op_to_domain

from codegen.cores import CORES
from codegen.cores.core import Core
from codegen.dataflow.ops.operator import operators
from codegen.dialect import DATAFLOW_DOMAIN, DOMAIN

_NO_MODULE = "spikefold.local_functions"
"""Where qonnx looks for operators in the domain of our local functions: nowhere, these have bodies of their own."""


def register(cores: tuple[type[Core], ...] = CORES) -> None:
    """Register the operators of every core that FINN has none for; idempotent.

    They go into FINN's own domains because FINN's analyses, PrepareIP and stitching compare the domain string, and into
    its dictionaries of variants because SpecializeLayers looks there.
    """
    # qonnx takes every domain for one of operators that has the name of a Python package, as ours has.
    add_domain_alias(DOMAIN, _NO_MODULE)
    for core in cores:
        if not core.attributes:
            continue
        made = operators(core)
        add_op_to_domain(DATAFLOW_DOMAIN, made.generic)
        add_op_to_domain(f"{DATAFLOW_DOMAIN}.hls", made.hls)
        hls.register_custom_op(made.hls)
        add_op_to_domain(f"{DATAFLOW_DOMAIN}.rtl", made.rtl)
        rtl.register_custom_op(made.rtl)
