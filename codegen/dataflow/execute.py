"""Run images through graph.onnx with FINN's own executor."""

from __future__ import annotations

import numpy as np
from finn.core.onnx_exec import execute_onnx
from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper

from codegen.dataflow.environment import quiet
from codegen.dataflow.graph_file import load_graph
from codegen.dataflow.ops.operator import float_sentence
from codegen.dialect import EVENT_DIMENSIONS, FLOAT_BITS, PIXEL_BITS
from codegen.errors import CodegenError, PrecisionError, SimulationError, first_line
from codegen.render.graph import from_model
from codegen.run_folder import RunFolder
from codegen.verify.images import check_images, input_steps
from codegen.words import join_steps


def run_finn(run: RunFolder, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Logits [N, classes] of images [N, H, W, C] or event frames [N, T, H, W, C] uint8, one frame at a time.

    Raises RunFolderError without graph.onnx, ModelError and RenderError for a graph that would not be rendered,
    SimulationError for images of another shape or type, PrecisionError where FINN's float32 tensors cannot hold the
    elements of event frames.
    """
    model = load_graph(run.require("graph.onnx"))
    from_model(model)
    return execute_graph(model, images)


def execute_graph(model: ModelWrapper, images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The same for a graph in memory (left unchanged)."""
    graph_input, graph_output = model.graph.input[0].name, model.graph.output[0].name
    shape = tuple(model.get_tensor_shape(graph_input))
    element_bits = model.get_tensor_datatype(graph_input).bitwidth()
    steps = input_steps(element_bits)
    check_images(images, (steps, *shape[1:]) if steps > 1 or images.ndim == EVENT_DIMENSIONS else shape[1:])
    if element_bits > FLOAT_BITS:
        raise PrecisionError(float_sentence(f"the input has {element_bits}"))
    elements = join_steps(
        np.moveaxis(images.reshape(len(images), steps, *shape[1:]), 1, -1).astype(np.int64), PIXEL_BITS
    )
    classes = int(model.get_tensor_shape(graph_output)[-1])
    logits = np.empty((len(images), classes), np.int32)
    with quiet():
        # Without a mode, FINN's RTL padding and window return zeros; "cppsim" selects their Python models.
        model = model.transform(SetExecMode("cppsim"))
        for index, image in enumerate(elements):
            try:
                outputs = execute_onnx(model, {graph_input: image[np.newaxis].astype(np.float32)})
                logits[index] = outputs[graph_output].reshape(classes).astype(np.int32)
            except CodegenError:
                raise
            except Exception as error:  # FINN's and qonnx's share no base class of their own
                raise SimulationError(f"FINN's execution of the graph stopped: {first_line(error)}") from error
    return logits
