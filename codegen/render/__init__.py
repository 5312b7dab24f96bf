"""Whole accelerators: HLS and RTL source trees, C simulation and RTL simulation."""
