"""Make this project's operators known to qonnx and FINN in this process."""

from __future__ import annotations

from finn.custom_op.fpgadataflow import hls, rtl
from qonnx.custom_op.registry import add_op_to_domain

from codegen.dialect import DATAFLOW_DOMAIN
from codegen.finn.ops.spike_pool import SpikePool
from codegen.finn.ops.spike_pool_hls import SpikePool_hls
from codegen.finn.ops.spike_pool_rtl import SpikePool_rtl
from codegen.finn.ops.spiking_mvau import SpikingMVAU
from codegen.finn.ops.spiking_mvau_hls import SpikingMVAU_hls
from codegen.finn.ops.spiking_mvau_rtl import SpikingMVAU_rtl


def register() -> None:
    """Register every operator; idempotent.

    They go into FINN's own domains because FINN's analyses, PrepareIP and stitching compare the domain string, and into
    its dictionaries of variants because SpecializeLayers looks there.
    """
    for generic in (SpikingMVAU, SpikePool):
        add_op_to_domain(DATAFLOW_DOMAIN, generic)
    for hls_variant in (SpikingMVAU_hls, SpikePool_hls):
        add_op_to_domain(f"{DATAFLOW_DOMAIN}.hls", hls_variant)
        hls.register_custom_op(hls_variant)
    for rtl_variant in (SpikingMVAU_rtl, SpikePool_rtl):
        add_op_to_domain(f"{DATAFLOW_DOMAIN}.rtl", rtl_variant)
        rtl.register_custom_op(rtl_variant)
