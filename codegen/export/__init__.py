"""From the compact float description to the integer network, its exact widths and model.onnx."""
