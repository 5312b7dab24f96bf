"""Networks trained in snnTorch and SpikingJelly here, within seconds: what the integers make of them, to the RTL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import snntorch
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from codegen import stages
from codegen.importing.doors import from_snntorch, from_spikingjelly
from codegen.importing.stage import ImportOptions, ImportSummary, Source, import_network
from codegen.importing.user_data import DataOptions
from codegen.run_folder import RunFolder
from sca_train.config import TrainConfig
from sca_train.data.arrays import load_digits

STEPS, SIDE, EPOCHS = 4, 8, 10
POINTS = {8: 0.01, 4: 0.02}
"""What the integers may lose, by the bits of a weight."""


class SnnTorch(nn.Module):
    """Two layers of Leaky neurons and a sum of the read-out's outputs over the steps."""

    def __init__(self, convolutional: bool, beta: float, **reset: object) -> None:
        super().__init__()
        first = nn.Conv2d(1, 8, 3, padding=1) if convolutional else nn.Linear(64, 64)
        second = nn.Conv2d(8, 16, 3, padding=1, bias=False) if convolutional else nn.Linear(64, 32)
        self.convolutional = convolutional
        self.first, self.second = first, second
        self.norm = nn.BatchNorm2d(16) if convolutional else nn.BatchNorm1d(32)
        self.max_pool, self.mean_pool = nn.MaxPool2d(2), nn.AvgPool2d(2)
        self.spikes1, self.spikes2 = (snntorch.Leaky(beta=beta, **reset) for _ in range(2))
        self.readout = nn.Linear(64 if convolutional else 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        v1, v2 = self.spikes1.init_leaky(), self.spikes2.init_leaky()
        total = 0
        for _ in range(STEPS):
            spikes, v1 = self.spikes1(self.first(x if self.convolutional else x.flatten(1)), v1)
            spikes = self.max_pool(spikes) if self.convolutional else spikes
            spikes, v2 = self.spikes2(self.norm(self.second(spikes)), v2)
            spikes = self.mean_pool(spikes) if self.convolutional else spikes
            total = total + self.readout(spikes.flatten(1))
        return total


def spikingjelly(convolutional: bool, node: type, v_reset: float | None) -> nn.Module:
    def spikes() -> nn.Module:
        return node(v_reset=v_reset, surrogate_function=surrogate.ATan())

    if convolutional:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), spikes(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), spikes(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), spikes(), nn.Linear(64, 32), spikes(), nn.Linear(32, 10)
    )  # fmt: skip


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "snntorch-mlp-lif-delayed": lambda: SnnTorch(False, 0.875, reset_mechanism="subtract"),
    "snntorch-conv-lif-delayed": lambda: SnnTorch(True, 0.9, reset_mechanism="subtract"),
    "snntorch-mlp-if": lambda: SnnTorch(False, 1.0, reset_mechanism="subtract"),
    "snntorch-conv-lif-zero": lambda: SnnTorch(True, 0.5, reset_mechanism="zero", reset_delay=False),
    "spikingjelly-mlp-if-soft": lambda: spikingjelly(False, neuron.IFNode, None),
    "spikingjelly-conv-if-hard": lambda: spikingjelly(True, neuron.IFNode, 0.0),
    "spikingjelly-conv-lif-soft": lambda: spikingjelly(True, neuron.LIFNode, None),
    "spikingjelly-mlp-lif-hard": lambda: spikingjelly(False, neuron.LIFNode, 0.0),
}


def logits(net: nn.Module, x: Tensor) -> Tensor:
    if isinstance(net, SnnTorch):
        return net(x)
    functional.reset_net(net)
    return sum(net(x) for _ in range(STEPS))  # type: ignore[return-value]


def trained(name: str) -> tuple[nn.Module, float]:
    """The network after some epochs on the digits, and its accuracy in its own framework."""
    digits = load_digits(TrainConfig(image_size=SIDE))
    x, tests = (
        torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255
        for images in (digits.train_images, digits.test_images)
    )
    labels, truth = torch.from_numpy(digits.train_labels), torch.from_numpy(digits.test_labels)
    torch.manual_seed(0)
    net = NETWORKS[name]()
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(net, x[batch]) / STEPS, labels[batch]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        accuracy = float((logits(net, tests).argmax(1) == truth).float().mean())
    functional.reset_net(net)
    return net, accuracy


def imported(name: str, net: nn.Module, bits: int, run: Path) -> ImportSummary:
    door = from_snntorch if isinstance(net, SnnTorch) else from_spikingjelly
    network = door(net, torch.rand(1, 1, SIDE, SIDE), timesteps=STEPS, input_scale=1 / 255)
    options = ImportOptions(bits, data=DataOptions(dataset="digits"))
    return import_network(network, run, options, Source(name.split("-")[0]))


@pytest.mark.parametrize("name", NETWORKS)
def test_integers_are_as_right_as_the_source(name: str, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        net, accuracy = trained(name)
        assert accuracy > 0.85, "else nothing was learned that could be lost"
        for bits, points in POINTS.items():
            summary = imported(name, net, bits, tmp_path / str(bits))
            assert summary.original is not None and summary.integer is not None
            assert abs(summary.original - accuracy) < 0.006, "the interpreter is the framework"
            assert accuracy - summary.integer <= points, (bits, accuracy, summary.outcome, summary.notes)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["snntorch-mlp-lif-delayed", "spikingjelly-conv-if-hard"])
def test_c_and_rtl_are_bit_exact(name: str, tmp_path: Path) -> None:
    net, _ = trained(name)
    imported(name, net, 4, tmp_path / "r")
    run = RunFolder(tmp_path / "r")
    stages.hls(run)
    csim = stages.csim(run)
    assert csim.mismatches == 0 and csim.images == 359 and csim.accuracy is not None and csim.accuracy > 0.85
    rtl = stages.rtlsim(run, 6)
    assert rtl.mismatches == 0 and rtl.images == 6
