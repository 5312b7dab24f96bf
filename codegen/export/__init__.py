"""The export stage: the integer network as model.onnx, and its accuracy."""
