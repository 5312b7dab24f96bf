"""Simulated boards: the Verilated shell and accelerator behind what a program on a real board sees.

``build_board`` compiles one. ``SimulatedAxiBoard`` has an AXI DMA, ``SimulatedUartBoard`` a serial port; the driver's
transport "simulation" takes either. ``stand_in/`` holds a package ``pynq`` for programs that are to run unchanged.
"""
