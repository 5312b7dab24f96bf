"""The models: shapes, first-layer rule, and the first layer's shortcut for static images."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest
import torch

from sca_train.__main__ import main
from sca_train.connections import FIRST_LAYER_BITS
from sca_train.map_shapes import layer_shapes
from sca_train.network import to_input
from sca_train.pruning.compact import dense_parameter_count, parameter_count
from sca_train.quantizers import QuantModule
from sca_train.specs import IMAGE, ConnectionSpec, LayerSpec
from sca_train.spiking_layer import SpikingLayer
from tests.train.conftest import make_network, small


def weights(layer: SpikingLayer) -> QuantModule:
    """The weights of a layer's only connection."""
    (module,) = layer.connections.values()
    return module


def test_vgg16_is_the_cifar_form() -> None:
    config = small(model="vgg16", dataset="folder", image_size=32, weight_bits=2)
    network = make_network(config)
    convolutions = sum(weights(layer).weight.numel() for layer in network.spiking_layers())
    assert len(network.spiking_layers()) == 13
    assert convolutions == 14_710_464
    assert parameter_count(network) == convolutions + 2 * 4224 + 512 * 10 + 10
    assert dense_parameter_count(config, (32, 32, 3), 10) == parameter_count(network)
    with torch.no_grad():
        assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("bits", [2, 4])
def test_only_the_first_layer_has_eight_bits(bits: int) -> None:
    network = make_network(small(weight_bits=bits))
    widths = [int(weights(layer).quant_weight().bit_width) for layer in network.spiking_layers()]
    assert widths == [FIRST_LAYER_BITS, bits, bits]
    assert int(network.readout.weight.quant_weight().bit_width) == bits


def test_static_image_is_the_same_as_repeating_it() -> None:
    network = make_network(small(timesteps=5))
    layer = network.spiking_layers()[0]
    images = torch.rand(1, 3, 1, 8, 8)
    with torch.no_grad():
        once = layer.currents(layer.sums({IMAGE: images}))
        repeated = layer.currents(layer.sums({IMAGE: images.expand(5, 3, 1, 8, 8)}))
    assert once.shape == (5, 3, 16, 8, 8)
    assert torch.allclose(once, repeated, atol=1e-6)


def test_feature_maps_shrink_with_pooling() -> None:
    assert make_network(small(image_size=16)).map_sizes() == {"conv1": 256, "conv2": 64, "conv3": 16}
    assert make_network(small(model="mlp", hidden=(30, 20))).map_sizes() == {"fc1": 1, "fc2": 1}


def test_spikes_are_zero_or_one_and_pooling_is_or() -> None:
    network = make_network(small())
    layer = network.spiking_layers()[0]
    unpooled: list[torch.Tensor] = []
    layer.neuron.register_forward_hook(lambda _module, _inputs, spikes: unpooled.append(spikes))
    with torch.no_grad():
        pooled = layer(layer.sums({IMAGE: torch.rand(1, 3, 1, 8, 8)}))
    windows = unpooled[0].reshape(4, 3, 16, 4, 2, 4, 2).bool()
    assert torch.equal(pooled, windows.any(6).any(4).float())
    assert set(pooled.unique().tolist()) == {0.0, 1.0}


def test_average_pooling_averages_spikes() -> None:
    network = make_network(small(model="dvs", dataset="events-digits", image_size=32, width=0.1))
    layer = network.layer("conv1")
    unpooled: list[torch.Tensor] = []
    layer.neuron.register_forward_hook(lambda _module, _inputs, spikes: unpooled.append(spikes))
    with torch.no_grad():
        pooled = layer(layer.sums({IMAGE: torch.rand(4, 3, 2, 32, 32)}))
    windows = unpooled[0].reshape(4, 3, 6, 16, 2, 16, 2)
    assert torch.equal(pooled, windows.mean((4, 6)))
    assert set(pooled.unique().tolist()) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_input_is_pixels_of_255_or_counts_of_events() -> None:
    images = torch.randint(0, 256, (2, 8, 6, 3), dtype=torch.uint8)
    assert torch.allclose(to_input(images, torch.device("cpu"))[1, 2, 7, 5], images[1, 7, 5, 2] / 255)
    frames = torch.randint(0, 256, (2, 5, 8, 6, 2), dtype=torch.uint8)
    found = to_input(frames, torch.device("cpu"))
    assert found.shape == (5, 2, 2, 8, 6)
    assert found[4, 1, 0, 7, 5] == float(frames[1, 4, 7, 5, 0])


def test_each_step_sees_its_own_event_frame() -> None:
    """In the first layer the currents of a step are those of its frame as a static image would make them."""
    network = make_network(small(model="dvs", dataset="events-digits", image_size=32, width=0.1, timesteps=3))
    layer = network.layer("conv1")
    frames = torch.rand(3, 2, 2, 32, 32)
    with torch.no_grad():
        currents = layer.currents(layer.sums({IMAGE: frames}))
        for step in range(3):
            alone = layer.currents(layer.sums({IMAGE: frames[step : step + 1]}))
            assert torch.allclose(currents[step], alone[0], atol=1e-6)


@pytest.mark.parametrize("regrow", [False, True])
def test_rate_weight_is_the_mean_firing_rate_in_the_loss(regrow: bool) -> None:
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6)
    gradients: list[list[torch.Tensor]] = []
    for by_hook in (True, False):
        network = make_network(small()).train()
        firing: list[torch.Tensor] = []
        for layer in network.spiking_layers():
            layer.mask[::3] = 0.0
            layer.regrow = regrow
            layer.rate_weight = 0.5 if by_hook else 0.0
            mask = layer.mask.reshape(-1, 1, 1)
            layer.neuron.register_forward_hook(
                lambda _module, _inputs, spikes, mask=mask, firing=firing: firing.append((spikes * mask).mean())
            )
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        (loss if by_hook else loss + 0.5 * sum(firing)).backward()
        gradients.append([value.grad for value in network.parameters() if value.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 6
    for found, expected in zip(*gradients, strict=True):
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-7)
    # Measuring a network must not depend on it.
    with torch.no_grad():
        network(images)


def test_spikes_are_counted_before_the_mask() -> None:
    network = make_network(small(timesteps=5))
    layer = network.layer("conv1")
    layer.record = True
    layer.mask.zero_()
    unpooled: list[torch.Tensor] = []
    layer.neuron.register_forward_hook(lambda _module, _inputs, spikes: unpooled.append(spikes))
    with torch.no_grad():
        network(torch.rand(3, 1, 8, 8))
        network(torch.rand(2, 1, 8, 8))
    expected = sum(spikes.sum((0, 1, 3, 4)) for spikes in unpooled) / 5
    assert torch.allclose(layer.spike_count, expected.double())
    assert float(layer.samples) == 5


@pytest.mark.parametrize("model", ["vgg9", "resnet20", "preresnet20"])
def test_spikes_are_let_go_after_their_last_reader(model: str) -> None:
    network = make_network(small(model=model, width=0.25))
    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def note(_module: torch.nn.Module, _inputs: object, spikes: torch.Tensor) -> None:
        nonlocal most
        alive.append(weakref.ref(spikes))
        most = max(most, sum(reference() is not None for reference in alive))

    for layer in network.spiking_layers():
        layer.register_forward_hook(note)
    with torch.no_grad():
        network(torch.rand(2, 1, 8, 8))
    # The spikes a layer makes and those it read, and for a residual block those behind the block before.
    assert most == (3 if "resnet" in model else 2)
    assert not [reference for reference in alive if reference() is not None]


def test_specifications_that_do_not_fit_are_rejected() -> None:
    first = LayerSpec("first", 4, (ConnectionSpec("first", IMAGE),))
    narrower = LayerSpec("second", 3, (ConnectionSpec("second", "first"), ConnectionSpec("same", "first", "identity")))
    halved = LayerSpec("second", 4, (ConnectionSpec("second", "first", stride=2),), residual="first")
    for second in (narrower, halved):
        with pytest.raises(ValueError, match="layer second adds sums of different shapes"):
            layer_shapes((first, second), (8, 8, 1))


def test_command_line_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "--model mlp --image-size 8 --hidden 24,16 --train-images 100 --epochs 2 --finetune 1 --threads 1"
    run = tmp_path / "tiny"
    assert main([*arguments.split(), "--run", str(run), "--stop-after", "1"]) == 0
    assert "stopped; the same command without --stop-after continues" in capsys.readouterr().out
    assert main([*arguments.split(), "--run", str(run)]) == 0
    assert "accuracy" in capsys.readouterr().out
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint.pt", "compact.safetensors", "config.toml", "metrics.json", "tensorboard",
    ]  # fmt: skip
    assert 'name = "tiny"' in (run / "config.toml").read_text()


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mini", {}),
        ("mini", {"kernels": "off"}),
        ("mini", {"rate_epochs": 1, "reset": "soft", "v_init": 0.5}),
        ("mini", {"rate_epochs": 1, "reset": "soft", "v_init": 0.5, "gradients": "exact"}),
        ("mlp", {"hidden": (24, 16)}),
        ("resnet20", {"width": 0.5, "kernels": "off"}),
        ("preresnet20", {"width": 0.5, "rate_epochs": 1, "reset": "soft", "v_init": 0.5}),
    ],
)
def test_pruned_channels_that_may_come_back_leave_the_gradients_of_the_others_alone(
    model: str, options: dict[str, object]
) -> None:
    """They get gradients of their own, but kept channels train for what they send to kept channels."""
    config = small(model=model, **options)
    network = make_network(config)
    kernels = options.get("kernels") != "off"
    network.use_kernels(kernels)
    network.use_rates("rate_epochs" in options)
    generator = torch.Generator().manual_seed(3)
    masks: dict[str, torch.Tensor] = {}
    for layer in network.spiking_layers():
        drawn = (torch.rand(layer.spec.channels, generator=generator) < 0.5).float()
        layer.mask.copy_(masks.setdefault(layer.spec.pruning_group, drawn))
    images = torch.rand(4, *[config.image_size] * 2, 1, generator=generator).permute(0, 3, 1, 2)
    found: list[dict[str, torch.Tensor]] = []
    for regrow in (False, True):
        for layer in network.spiking_layers():
            layer.regrow = regrow
        network.zero_grad()
        network(images).square().sum().backward()
        found.append({key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None})
    for layer in network.spiking_layers():
        kept = layer.mask.bool()
        for key, value in layer.named_parameters():
            name = f"layers.{layer.spec.name}.{key}"
            if name not in found[1] or len(value) != len(kept):
                continue
            before, after = (gradients.get(name, torch.zeros_like(value)) for gradients in found)
            assert torch.allclose(before[kept], after[kept], rtol=1e-4, atol=1e-6)
            assert float(before[~kept].abs().sum()) == 0.0
        gamma = found[1][f"layers.{layer.spec.name}.norm.weight"]
        assert float(gamma[~kept].abs().sum()) > 0.0 or bool(kept.all())
