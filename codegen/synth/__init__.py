"""Synthesis estimate: Yosys per core, out of context, summed and compared with the board's budget."""

from codegen.synth.stage import CoreResult, SynthResult, synthesise

__all__ = ["CoreResult", "SynthResult", "synthesise"]
