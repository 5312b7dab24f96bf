"""The run folder of the command line's tests."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import random_description
from trained_runs import TEST_IMAGES, Trained

import codegen.export.stage as stage
import codegen.verify.compare as compare
import sca_train.describe  # noqa: F401 - what its imports print must not be taken for an error message
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages


@pytest.fixture
def description():
    return random_description(3, fully_connected=True, input_shape=(8, 8, 1))


@pytest.fixture
def trained(tmp_path, monkeypatch, description):
    run = RunFolder(tmp_path / "small")
    run.path.mkdir()
    (run.path / "compact.safetensors").write_bytes(b"read through the description below")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (TEST_IMAGES, 8, 8, 1)).astype(np.uint8)
    labels = rng.integers(0, 10, TEST_IMAGES)
    monkeypatch.setattr(stage, "load_network_description", lambda run: description)
    for module in (stage, compare):
        monkeypatch.setattr(module, "load_test_set", lambda run, data=None: LabelledImages(images, labels))
    return Trained(run, images, labels)
