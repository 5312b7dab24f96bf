"""Synthesis estimate: Yosys per core, out of context, summed and compared with the board's budget."""

from codegen.synthesis.stage import synthesise

__all__ = ["synthesise"]
