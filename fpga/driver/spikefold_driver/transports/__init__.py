"""How images reach an accelerator: one file a transport, all below ``Transport``."""
