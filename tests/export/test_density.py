"""Densities that export measures: against the reference model's spikes and the scans of whole windows."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.network_cases import random_network
from bench.networks import random_images
from codegen.cores.event_cycles import scan_lengths
from codegen.current import load_results, require_density
from codegen.digests import file_digest
from codegen.errors import ExportError, RunFolderError
from codegen.event_results import DensityResult
from codegen.export.onnx_writer import build_model
from codegen.network import IntegerConnection, IntegerNetwork
from codegen.run_folder import RunFolder
from codegen.run_inputs import LabelledImages
from codegen.verify.density import measure_density, spread_images, window_counts, window_elements, window_lengths
from codegen.verify.reference import _image_steps, _pool, run_layers
from codegen.verify.spike_maps import Window, load_spike_maps
from sca_train.specs import IMAGE

ROOT = Path(__file__).parents[2]
IMAGES = 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lengths_of_scans_are_those_of_the_windows(data: st.DataObject) -> None:
    """Counts per pixel and remainder of the channel, added up over the taps: the banks of every window."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    size = tuple(length + data.draw(st.integers(0, 4)) for length in kernel)
    channels = data.draw(st.sampled_from([1, 3, 4, 6, 8, 12]))
    active = rng.random((2, channels, *size)) < rng.choice([0.0, 0.1, 0.5, 1.0])
    pads = data.draw(st.tuples(*[st.integers(0, 2)] * 4))
    rotates = data.draw(st.booleans())
    window = Window(kernel, data.draw(st.tuples(*[st.integers(1, 3)] * 2)), pads, rotates)
    elements = window_elements(active, window)
    counts = elements.sum(axis=2)
    np.testing.assert_array_equal(window_counts(active, window), counts)
    for simd in (simd for simd in range(1, channels + 1) if elements.shape[2] % simd == 0):
        divides = channels % simd == 0
        rotate_words = channels // simd if divides and rotates and kernel != (1, 1) and simd > 1 else 0
        expected = scan_lengths(elements.reshape(-1, elements.shape[2]), simd, rotate_words)
        found = window_lengths(active, window, simd)
        np.testing.assert_array_equal(found, expected.reshape(2, -1))
        assert (found >= np.ceil(counts / simd)).all()


def test_elements_of_a_window_come_tap_by_tap_with_the_channels_inside() -> None:
    active = np.zeros((1, 2, 2, 3), bool)
    active[0, 1, 0, 2] = True  # channel 1 above right
    elements = window_elements(active, Window((2, 2), pads=(0, 0, 0, 0)))[0]
    assert np.argwhere(elements).tolist() == [[1, 3]]
    assert window_elements(active, Window((1, 1), (1, 2)))[0].tolist() == [[0, 0], [0, 1], [0, 0], [0, 0]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_what_products_read_is_what_the_reference_model_sends(tmp_path: Path, seed: int) -> None:
    """Chains and residual networks, images and event frames, sum pooling, uneven kernels and paddings."""
    network, path = random_network(seed), tmp_path / "model.onnx"
    images = random_images(network, IMAGES, seed)
    onnx.save(build_model(network), path)
    expected = _spiking_inputs(network, images)
    maps = load_spike_maps(path)
    assert {entry.layer for entry in maps.inputs} == set(expected)
    (batch,) = maps.batches(images)
    for entry, active in zip(maps.inputs, batch, strict=True):
        connection, spikes = expected[entry.layer]
        np.testing.assert_array_equal(active.reshape(spikes.shape), spikes)
        assert window_elements(active, entry.window).shape[2] == connection.weights[0].size
    density = measure_density(path, LabelledImages(images, np.zeros(IMAGES, np.int64)), "tests")
    assert (density.images, density.kind, density.model_sha256) == (IMAGES, "test images", file_digest(path))
    for entry, layer, active in zip(maps.inputs, density.layers, batch, strict=True):
        elements = window_elements(active, entry.window)
        assert layer.nonzero == pytest.approx(elements.mean(), abs=1e-6)
        shares = np.frombuffer(base64.b64decode(layer.channels), np.uint8) / 255
        np.testing.assert_allclose(shares, active.mean(axis=(0, 2, 3)), atol=0.5 / 255)
        for scan in layer.scans:
            lengths = window_lengths(active, entry.window, scan.simd)
            frames = lengths.sum(axis=1)
            assert np.mean(scan.lengths) == pytest.approx(lengths.mean(), abs=0.6, rel=0.03)
            assert all(a <= b for a, b in pairwise(scan.lengths))
            assert scan.worst == pytest.approx(frames.max() / frames.mean(), abs=1e-3)
            assert 1 <= scan.p99 <= scan.worst


def _spiking_inputs(network: IntegerNetwork, images: np.ndarray) -> dict[str, tuple[IntegerConnection, np.ndarray]]:
    """By the name that a product has in model.onnx: it, and which elements it reads, any step, [N, C(, H, W)]."""
    _, trains = run_layers(network, images)
    outputs = {} if network.static_input else {IMAGE: _image_steps(network, images.astype(np.int64))}
    found = {}
    spiking = iter(trains)
    for layer in network.layers:
        single = len(layer.inputs) == 1 and not layer.residual and layer.name not in network.added_to()
        for connection in layer.inputs:
            if connection.weights is not None and connection.source in outputs and layer.map_pixels == 1:
                name = layer.name if single else connection.name
                found[name] = connection, (outputs[connection.source] != 0).any(axis=0)
        if layer is not network.layers[-1]:
            outputs[layer.name] = np.stack([_pool(step, layer) for step in next(spiking)])
    return found


def test_images_are_evenly_spread() -> None:
    images = np.arange(100, dtype=np.uint8)
    assert spread_images(images, 4).tolist() == [0, 25, 50, 75]
    assert spread_images(images, 100) is images
    assert len(set(spread_images(images, 99).tolist())) == 99


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run folder with a model and its densities."""
    network, folder = random_network(0), tmp_path / "spikes"
    folder.mkdir()
    onnx.save(build_model(network), folder / "model.onnx")
    images = LabelledImages(random_images(network, IMAGES), np.zeros(IMAGES, np.int64), random=True)
    measure_density(folder / "model.onnx", images, "").save(RunFolder(folder))
    return RunFolder(folder)


def test_densities_are_those_of_the_model_that_is_there(run: RunFolder) -> None:
    assert require_density(run) == DensityResult.load(run)
    (run.path / "model.onnx").write_bytes(b"another one")
    with pytest.raises(
        RunFolderError, match=r"density.json of run folder .* belongs to another model.onnx .* `make exp"
    ):
        require_density(run)
    (run.path / "results" / "density.json").unlink()
    with pytest.raises(RunFolderError, match=r"has no results/density.json; run `make export RUN=spikes` first$"):
        require_density(run)


def test_densities_without_an_export_are_not_reported(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match=r"has no results/onnx.json"):
        load_results(run)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [("simd", 0, "simd"), ("lengths", [], "lengths"), ("lengths", [0], "lengths"), ("p99", -1.0, "p99")],
)
def test_damaged_densities_are_one_sentence(run: RunFolder, key: str, value: object, fault: str) -> None:
    file = run.path / "results" / "density.json"
    content = json.loads(file.read_text())
    content["layers"][0]["scans"][0][key] = value
    file.write_text(json.dumps(content))
    with pytest.raises(ExportError, match=rf"^[^\n]*density.json[^\n]*{fault}[^\n]*; run `make export [^\n]*$"):
        require_density(run)


def test_one_line_of_a_few_kilobytes(run: RunFolder) -> None:
    text = (run.path / "results" / "density.json").read_text()
    assert text.count("\n") == 1
    density = DensityResult.load(run)
    assert density is not None
    replace(density, kind="shipped images").save(run)
    assert (run.path / "results" / "density.json").read_text() != text


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "zoo").glob("*/config.toml")), ids=str)
def test_kept_networks_have_densities_of_their_test_set(folder: Path) -> None:
    density = require_density(RunFolder(folder))
    measured = json.loads((folder / "results" / "onnx.json").read_text())
    assert (density.kind, density.test_set_sha256) == ("test images", measured["test_set_sha256"])
    assert density.images == 1000
    assert [layer.layer for layer in density.layers] == [
        layer.layer for layer in load_spike_maps(folder / "model.onnx").inputs
    ]
    assert (folder / "results" / "density.json").stat().st_size < 12_000
