"""Write digits.onnx, a spiking network in the form that `spikefold import` reads: 64 -> 32 IF -> 10, random weights."""

# fmt: off
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

T, F, SIDE, HIDDEN, CLASSES = 4, 4, 8, 32, 10
draw, node = np.random.default_rng(0), helper.make_node
tensors = {
    "fc1_weights": draw.integers(-127, 128, (SIDE * SIDE, HIDDEN)).astype(np.float32),  # INT8, [inputs, outputs]
    "fc2_weights": draw.integers(-7, 8, (HIDDEN, CLASSES)).astype(np.float32),          # INT4
    "bias": np.zeros(HIDDEN, np.int32), "threshold": np.full(HIDDEN, 6000 << F, np.int32),  # both times 2^F
    "logits_bias": np.zeros(CLASSES, np.int32), "flat": np.array([-1, SIDE * SIDE]), "time": np.array([0]),
    "steps": np.array([T, 1, 1]), "fold": np.array([-1, HIDDEN]), "split": np.array([T, -1, CLASSES]),
}
nodes = [
    node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
    node("Transpose", ["pixels"], ["nchw"], perm=[0, 3, 1, 2]),
    node("Reshape", ["nchw", "flat"], ["vector"]),
    node("MatMul", ["vector", "fc1_weights"], ["fc1"]),
    node("Unsqueeze", ["fc1", "time"], ["once"]),
    node("Expand", ["once", "steps"], ["fc1_steps"]),  # an image is the same at every step
    node("IF", ["fc1_steps", "bias", "threshold"], ["train"], domain="spikefold",
         timesteps=T, frac_bits=F, soft_reset=1),
    node("Reshape", ["train", "fold"], ["spikes"]),
    node("MatMul", ["spikes", "fc2_weights"], ["fc2"]),
    node("Reshape", ["fc2", "split"], ["fc2_steps"]),
    node("ReadOut", ["fc2_steps", "logits_bias"], ["logits"], domain="spikefold", timesteps=T),
]
graph = helper.make_graph(
    nodes, "digits", [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE, SIDE, 1])],
    [helper.make_tensor_value_info("logits", TensorProto.INT32, ["batch", CLASSES])],
    [numpy_helper.from_array(values, name) for name, values in tensors.items()])
for weights, kind in (("fc1_weights", "INT8"), ("fc2_weights", "INT4")):
    entry = onnx.StringStringEntryProto(key="finn_datatype", value=kind)
    graph.quantization_annotation.add(tensor_name=weights, quant_parameter_tensor_names=[entry])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("spikefold", 1)])
onnx.save(model, "digits.onnx")
