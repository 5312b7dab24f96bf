"""What can go wrong, said in one sentence."""


class SpikefoldError(Exception):
    """Base of every error of this project whose message is one readable sentence for a user."""


class TrainError(SpikefoldError):
    """A request that training cannot carry out."""
