"""Which way a training goes on which device, and what it does with freed memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from sca_train.config import TrainConfig
from sca_train.device import use_bf16, use_fused, use_kernels
from sca_train.errors import TrainError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("kernels", "bf16", "device", "by_kernels", "in_bf16"),
    [
        ("auto", "auto", CPU, True, False),
        ("on", "auto", CPU, True, False),
        ("off", "auto", CPU, False, True),
        ("off", "off", CPU, False, False),
        ("auto", "on", CPU, False, True),
        ("auto", "auto", CUDA, False, True),
    ],
)
def test_cpus_train_by_the_kernels_and_others_in_bf16_where_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch, kernels: str, bf16: str, device: torch.device, by_kernels: bool, in_bf16: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    config = replace(TrainConfig(), kernels=kernels, bf16=bf16)
    assert use_kernels(config, device) == by_kernels
    assert use_bf16(config, device) == in_bf16


@pytest.mark.parametrize(
    ("chosen", "device", "triton", "fused"),
    [("auto", CPU, True, False), ("auto", CUDA, True, True), ("auto", CUDA, False, False), ("off", CUDA, True, False),
     ("on", CPU, False, True)],
)  # fmt: skip
def test_rates_are_fused_on_gpus_that_triton_makes_kernels_for(
    monkeypatch: pytest.MonkeyPatch, chosen: str, device: torch.device, triton: bool, fused: bool
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if triton and name == "triton" else None)
    assert use_fused(replace(TrainConfig(), compile=chosen), device) == fused


@pytest.mark.parametrize(("bf16", "device"), [("auto", CUDA), ("on", CPU)])
def test_kernels_that_cannot_run_are_rejected(bf16: str, device: torch.device) -> None:
    with pytest.raises(TrainError, match="kernels"):
        use_kernels(replace(TrainConfig(), kernels="on", bf16=bf16), device)


FAULTS = """
import resource, sys, torch
from sca_train.device import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(12):
    torch.ones(1 << 25)
before = faults()
for _ in range(4):
    torch.ones(1 << 25)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="freed memory is kept by glibc")
def test_large_tensors_are_taken_again_without_asking_the_system() -> None:
    program = [sys.executable, "-c", FAULTS]
    faults = {
        how: int(subprocess.run([*program, how], check=True, capture_output=True, text=True).stdout)
        for how in ("keep", "default")
    }
    assert faults["keep"] * 10 < faults["default"]
