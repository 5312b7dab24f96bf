"""What runs a network (ONNX Runtime, the reference model, C simulation, RTL simulation) and compares the logits."""
