"""Random configurations of every core, and the two programs that run them: HLS = RTL = reference model."""
