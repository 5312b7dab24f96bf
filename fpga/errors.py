"""The error of this package; its message is one readable sentence that a command line prints as it is."""


class BoardError(Exception):
    """A board is not known, or a build for it needs something that is not there."""
