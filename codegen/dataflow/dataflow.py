"""From model.onnx to a FINN dataflow graph: the list of passes, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.general import ApplyConfig
from finn.util.basic import getHWCustomOp
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from codegen.cores import find_core
from codegen.dataflow.folding.file import NodeFolding
from codegen.dataflow.passes.check_mappable import CheckMappable
from codegen.dataflow.passes.check_streams import CheckStreams
from codegen.dataflow.passes.convert_to_spike_trains import ConvertToSpikeTrains
from codegen.dataflow.passes.flatten_into_mat_mul import FlattenIntoMatMul
from codegen.dataflow.passes.graph import timesteps_of
from codegen.dataflow.passes.infer_neuron_bank import InferNeuronBank
from codegen.dataflow.passes.infer_padding import InferPadding
from codegen.dataflow.passes.infer_pools import InferPools
from codegen.dataflow.passes.infer_residual_add import InferResidualAdd
from codegen.dataflow.passes.infer_sliding_window import InferSlidingWindow
from codegen.dataflow.passes.infer_spiking_mvau import InferSpikingMVAU
from codegen.dataflow.passes.insert_forks import InsertForks
from codegen.dialect import DOMAIN
from codegen.export.onnx_reader import read_model

Implementation = Literal["hls", "rtl"]


def load_model(path: Path) -> ModelWrapper:
    """model.onnx with the shapes of one frame; raises ModelError for what ``codegen.export.onnx_reader`` refuses."""
    return ModelWrapper(read_model(path).frame)


def to_dataflow(model: ModelWrapper, implementation: Implementation, part: str) -> ModelWrapper:
    """The specialised, unfolded dataflow graph (SIMD = PE = 1) of a model from ``load_model``, which it consumes.

    Raises MappingError naming every node that cannot be mapped.
    """
    model = _apply(model, CheckMappable())
    timesteps = timesteps_of(model)
    model = _apply(
        model,
        ConvertToSpikeTrains(),
        InferPadding(),
        InferSlidingWindow(),
        FlattenIntoMatMul(),
        InferPools(),
        InferSpikingMVAU(),
        InferResidualAdd(),
        InferNeuronBank(),
        InsertForks(timesteps),
    )
    _drop_functions(model)
    for node in model.graph.node:
        core = find_core(node.op_type)
        if core is not None and core.attributes:
            getHWCustomOp(node).set_nodeattr("preferred_impl_style", implementation)
    return _apply(model, SpecializeLayers(part), GiveUniqueNodeNames(), InferShapes(), InferDataTypes())


def fold(model: ModelWrapper, folding: NodeFolding, part: str) -> ModelWrapper:
    """The graph with that folding, its width converters and FIFOs; consumes ``model``."""
    return _apply(
        model,
        ApplyConfig({"Defaults": {}, **folding}),
        CheckStreams(widths=False),
        InsertDWC(),
        SpecializeLayers(part),
        InsertFIFO(),
        SpecializeLayers(part),
        GiveUniqueNodeNames(),
        InferShapes(),
        InferDataTypes(),
        CheckStreams(widths=True),
    )


def _apply(model: ModelWrapper, *passes: Transformation) -> ModelWrapper:
    """Run passes in place: copies of a model with millions of weights would cost more than the passes do."""
    for transformation in passes:
        model = model.transform(transformation, make_deepcopy=False)
    return model


def _drop_functions(model: ModelWrapper) -> None:
    """The neurons' local functions are inside SpikingMVAU now."""
    del model.model.functions[:]
    for opset in [entry for entry in model.model.opset_import if entry.domain == DOMAIN]:
        model.model.opset_import.remove(opset)
