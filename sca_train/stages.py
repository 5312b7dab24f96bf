"""A chain of convolutions in one line of text, such as ``64 64 P 128 128 P``."""

from __future__ import annotations

from sca_train.errors import TrainError

POOL = "P"
MOST_STAGES = 256
MOST_CHANNELS = 2**16


def parse_stages(text: str) -> tuple[tuple[int, int], ...]:
    """Channels of each convolution, and 2 where 2x2 max pooling follows it, else 1.

    Raises TrainError, one sentence, for anything else than channels with at most one P behind each.
    """
    found: list[tuple[int, int]] = []
    for word in text.split():
        if word == POOL and found and found[-1][1] == 1:
            found[-1] = (found[-1][0], 2)
        elif word.isdecimal() and len(word) < 10 and 0 < int(word) <= MOST_CHANNELS:
            found.append((int(word), 1))
        else:
            raise TrainError(
                f"stages is {text!r}, in which {word!r} has no meaning there; name the channels of each convolution, "
                f"1 to {MOST_CHANNELS}, and {POOL} behind those that 2x2 max pooling follows, such as '64 64 P 128 P'"
            )
    if not found:
        raise TrainError("stages is empty; name the channels of at least one convolution, such as '64 64 P 128 P'")
    if len(found) > MOST_STAGES:
        raise TrainError(f"stages names {len(found)} convolutions; it may name {MOST_STAGES}")
    return tuple(found)


def smallest_side(text: str) -> int:
    """Side of the smallest map that all pooling leaves a pixel of."""
    return 2 ** sum(pool == 2 for _, pool in parse_stages(text))
