"""From a bitstream to a classified image: the package for a board, its notebook, and how it gets there."""
