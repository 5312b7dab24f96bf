"""What codegen takes from a training run: its compact network and its test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegen.run_folder import RunFolder
from sca_train.description import NetworkDescription


def load_network_description(run: RunFolder) -> NetworkDescription:
    """The compact network of compact.safetensors; raises TrainError when the file is damaged."""
    from sca_train.compact import load_description

    return load_description(run.require("compact.safetensors"))


def load_test_set(run: RunFolder) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Test images uint8 [N, H, W, C] and labels int64 [N] of the data set that the run was trained on."""
    from sca_train.data import load_run_test_set

    return load_run_test_set(run.require("config.toml"))
