"""The error of a deployment; its message is one readable sentence that a command line prints as it is."""

from fpga.errors import BuildError


class DeployError(BuildError):
    """A board was not reached, or what was brought there does not work; says what was left on it."""
