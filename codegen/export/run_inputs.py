"""What codegen takes from a training run: its compact network and its test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.run_folder import RunFolder
from sca_train.description import NetworkDescription


def load_network_description(run: RunFolder) -> NetworkDescription:
    """The compact network of compact.safetensors; raises TrainError when the file is damaged."""
    run.require("compact.safetensors")
    from sca_train.describe import describe_run

    return describe_run(run.path)


def load_test_set(run: RunFolder) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Test images uint8 [N, H, W, C] and labels int64 [N] of the data set that the run was trained on.

    Event frames are uint8 [N, T, H, W, 2].
    Raises TrainError when the data is no longer where config.toml says.
    """
    config_file = run.require("config.toml")
    from sca_train.config import load_config
    from sca_train.data import load_dataset

    dataset = load_dataset(load_config(config_file))
    return dataset.test_images, dataset.test_labels
