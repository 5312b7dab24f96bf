"""From a compact spiking network to an FPGA accelerator: ONNX, FINN graph, HLS C++, RTL, simulation, synthesis."""
