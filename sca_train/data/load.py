"""The data set that a configuration names."""

from __future__ import annotations

from dataclasses import replace

from sca_train.config import TrainConfig
from sca_train.data.dataset import Dataset, balanced_subset
from sca_train.errors import TrainError


def load_dataset(config: TrainConfig) -> Dataset:
    """The configured data set at ``config.image_size``, training images limited to ``config.train_images``.

    Event data sets are integrated to ``config.timesteps`` frames. Raises TrainError when the files are missing or are
    not what the data set consists of.
    """
    dataset = _load(config)
    if config.train_images:
        chosen = balanced_subset(dataset.train_labels, config.train_images)
        dataset = replace(dataset, train_images=dataset.train_images[chosen], train_labels=dataset.train_labels[chosen])
    return dataset


def _load(config: TrainConfig) -> Dataset:
    # Imported where they are used: torchvision's and SpikingJelly's loaders take seconds.
    match config.dataset:
        case "digits" | "cifar10" | "cifar100":
            from sca_train.data import arrays

            loaders = {"digits": arrays.load_digits, "cifar10": arrays.load_cifar10, "cifar100": arrays.load_cifar100}
            return loaders[config.dataset](config)
        case "tiny-imagenet":
            from sca_train.data.tiny_imagenet import load_tiny_imagenet

            return load_tiny_imagenet(config)
        case "folder":
            from sca_train.data.folders import load_folder

            return load_folder(config)
        case "arrays" | "event-arrays":
            from sca_train.data.array_folder import load_array_folder

            return load_array_folder(config)
        case "cifar10-dvs":
            from sca_train.data.events import load_cifar10_dvs

            return load_cifar10_dvs(config)
        case "events-digits":
            from sca_train.data.events import load_events_digits

            return load_events_digits(config)
    raise TrainError(f"unknown dataset {config.dataset!r}")
