"""Graph passes from model.onnx to a FINN dataflow graph: one class, one job each."""
