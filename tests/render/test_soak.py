"""`python -m bench soak` on small networks: nothing is counted where all is right, every image where nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import soak as bench_soak
from bench.network_cases import random_network
from bench.networks import run_of
from bench.random_networks import save_folded
from bench.soak import soak, soak_images
from codegen.errors import RunFolderError
from codegen.render.render import render_sources
from codegen.run_folder import RunFolder
from codegen.verify.onnx_runtime import load_network

CHAIN, EVENTS = 192, 3
"""Seeds of a network on images and of one on event frames."""


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_soak, "CSIM_CHUNK", 20)
    monkeypatch.setattr(bench_soak, "RTL_CHUNK", 2)


@pytest.mark.parametrize("seed", [CHAIN, EVENTS])
def test_right_sources_and_others(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(random_network(seed), tmp_path / "run")
    save_folded(run, seed)
    render_sources(run)
    assert soak(run, first=5, minutes=0, rtl_images=3, quick=True) == 0
    assert capsys.readouterr().out.endswith("\nsoak 0 of 20 images in csim and 3 in Verilator\n")
    # The logits of a network whose biases are other ones: no image is right.
    network = random_network(seed)
    network.layers[-1].bias[:] += 1 << 10
    run_of(network, run.path)
    assert soak(run, first=5, minutes=0, rtl_images=3, quick=True) == 23
    told = capsys.readouterr().out
    assert told.endswith("\nsoak 23 of 20 images in csim and 3 in Verilator\n")
    assert "csim, seed 5: 20 of 20 images differ\n" in told
    assert told.count("of 2 images differ") == 1 and told.count("of 1 images differ") == 1


def test_the_images_of_a_seed_are_the_same_and_are_of_all_kinds(tmp_path: Path) -> None:
    network = load_network(run_of(random_network(EVENTS), tmp_path).path / "model.onnx")
    images = soak_images(network, 200, 7)
    np.testing.assert_array_equal(images, soak_images(network, 200, 7))
    assert images.dtype == np.uint8 and images.shape == (200, *network.properties.input_shape)
    means = images.reshape(200, -1).mean(axis=1)
    assert means.min() < 5 and means.max() > 90
    assert not np.array_equal(images, soak_images(network, 200, 8))


def test_a_run_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="hls"):
        soak(run_of(random_network(CHAIN), tmp_path), first=0, minutes=0, rtl_images=1)
    with pytest.raises(RunFolderError, match="does not exist"):
        soak(RunFolder(tmp_path / "none"), first=0, minutes=0, rtl_images=1)
