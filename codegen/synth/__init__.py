"""Synthesis estimate: Yosys per core, out of context, summed and compared with the board's budget."""

from codegen.synth.stage import synthesise

__all__ = ["synthesise"]
