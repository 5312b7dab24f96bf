"""The calls that bring other people's networks in and ours out, from a module to the HLS C++."""

from __future__ import annotations

from pathlib import Path

import nir
import pytest
import torch
from torch import nn

import spikefold

snn = pytest.importorskip("snntorch")


class Network(nn.Module):
    """8x8 pixels to ten classes in four steps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.hidden = nn.Linear(64, 16), snn.Leaky(beta=0.5, reset_mechanism="subtract")
        self.second, self.last = nn.Linear(16, 10), snn.Leaky(beta=0.5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden, last, sums = self.hidden.init_leaky(), self.last.init_leaky(), torch.zeros(len(images), 10)
        for _ in range(4):
            spikes, hidden = self.hidden(self.first(images), hidden)
            spikes, last = self.last(self.second(spikes), last)
            sums = sums + spikes
        return sums


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> spikefold.ImportSummary:
    network = spikefold.from_snntorch(Network(), torch.rand(1, 64), input_scale=1 / 255, input_shape=(8, 8, 1))
    run = tmp_path_factory.mktemp("runs") / "theirs"
    return spikefold.import_network(network, run, source="snntorch")


def test_an_imported_module_is_a_run_like_any_other(imported: spikefold.ImportSummary) -> None:
    assert imported.agreement is not None and imported.agreement > 0.9
    assert spikefold.generate(imported.run, target_cycles=4096).bound <= 4096
    assert spikefold.csim(imported.run, images=4).mismatches == 0


@pytest.mark.filterwarnings("ignore")
def test_a_run_goes_out_as_nir_and_comes_back(
    imported: spikefold.ImportSummary, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nir.write(tmp_path / "ours.nir", spikefold.to_nir(imported.run))
    again = spikefold.import_nir(tmp_path / "ours.nir", tmp_path / "again", input_shape=(8, 8, 1))
    assert again.agreement is not None and again.agreement > 0.9
    model = spikefold.import_onnx(imported.run / "model.onnx", tmp_path / "integers")
    assert (model.run / "model.onnx").is_file() and model.original is None
    assert capfd.readouterr().out == ""


def test_what_is_wrong_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.nir").write_text("no")
    with pytest.raises(spikefold.ImportingError):
        spikefold.import_nir(tmp_path / "no.nir", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(spikefold.ImportingError, match="LSTM"):
        spikefold.from_snntorch(nn.LSTM(4, 4), torch.rand(1, 4, 4))
    for steps in (0, 33):
        with pytest.raises(spikefold.ImportingError, match=f"timesteps is {steps}, and must be 1 to 32"):
            spikefold.from_snntorch(Network(), torch.rand(1, 64), timesteps=steps)
