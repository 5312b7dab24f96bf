"""Image data sets that libraries read as whole arrays: scikit-learn's digits, torchvision's CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import numpy as np
from torchvision.datasets import CIFAR10, CIFAR100

from sca_train.config import TrainConfig
from sca_train.data.dataset import Dataset, fixed_split
from sca_train.data.digits import DIGITS_TEST_SHARE, grey_digits
from sca_train.data.images import resized
from sca_train.errors import TrainError


def load_digits(config: TrainConfig) -> Dataset:
    """scikit-learn's 1,797 handwritten digits (8x8, 17 grey levels), every class split 80/20 by a fixed shuffle."""
    grey, labels = grey_digits()
    images = resized(grey, config.image_size)[..., None]
    test = fixed_split(labels, DIGITS_TEST_SHARE)
    return Dataset(images[~test], labels[~test], images[test], labels[test], tuple(str(digit) for digit in range(10)))


def load_cifar10(config: TrainConfig) -> Dataset:
    """CIFAR-10 by torchvision: 50,000 training and 10,000 test images of 10 classes."""
    return _cifar(config, CIFAR10, "CIFAR-10")


def load_cifar100(config: TrainConfig) -> Dataset:
    """CIFAR-100 by torchvision, fine labels: 50,000 training and 10,000 test images of 100 classes."""
    return _cifar(config, CIFAR100, "CIFAR-100")


def _cifar(config: TrainConfig, kind: type[CIFAR10], title: str) -> Dataset:
    if not config.data:
        raise TrainError(
            f"data set {config.dataset} needs --data, the folder that holds or shall hold {kind.base_folder}"
        )
    try:
        train, test = (kind(config.data, train=split, download=config.download) for split in (True, False))
    except (RuntimeError, OSError) as error:
        if config.download:
            reason = str(error).splitlines()[0]
            raise TrainError(f"{title} could not be downloaded into {config.data}: {reason}") from None
        raise TrainError(
            f"there is no {title} in {config.data}: the folder {kind.base_folder} is absent, incomplete or damaged; "
            "--download fetches it there"
        ) from None
    sets = [(resized(split.data, config.image_size), np.asarray(split.targets, np.int64)) for split in (train, test)]
    return Dataset(*sets[0], *sets[1], tuple(train.classes))
