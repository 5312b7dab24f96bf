"""The error of this package; its message is one readable sentence that a command line prints as it is."""

from sca_train.errors import SpikefoldError


class BuildError(SpikefoldError):
    """A build for a board needs something that is not there."""
