"""The error of this package; its message is one readable sentence that a command line prints as it is."""


class BuildError(Exception):
    """A build for a board needs something that is not there."""
