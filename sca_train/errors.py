"""What can go wrong in training, said in one sentence."""


class TrainError(Exception):
    """A request that training cannot carry out; the message is one readable sentence."""
