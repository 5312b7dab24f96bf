"""scikit-learn's 1,797 real handwritten digits, the data that needs no files: as images, and to be set in motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

DIGIT_LEVELS = 16
DIGITS_TEST_SHARE = 0.2


def grey_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [1797, 8, 8] in 17 levels of 0..255, and their labels."""
    digits = datasets.load_digits()
    return np.rint(digits.images * (255.0 / DIGIT_LEVELS)).astype(np.uint8), digits.target.astype(np.int64)
