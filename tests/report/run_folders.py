"""Run folders as training, and as all stages, leave them, with made-up figures."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from codegen.cores.core import Stream
from codegen.digests import file_digest, sources_digest
from codegen.render.manifest import Manifest, RenderedNode, write_manifest
from codegen.run_folder import RunFolder
from codegen.verify.predictions import png_of_image
from sca_train.config import TrainConfig, config_to_dict, config_to_toml

PNG = base64.b64encode(png_of_image(np.arange(12, dtype=np.uint8).reshape(3, 4, 1))).decode()
METRICS: dict[str, Any] = {
    "history": [
        {
            "epoch": e,
            "loss": 2.0 / e,
            "train_accuracy": 0.5,
            "test_accuracy": 0.4,
            "sparsity": 0.5,
            "synops": 1.0,
            "channels": {"conv1": 16 - 2 * e, "conv2": 7},
        }
        for e in (1, 2, 3)
    ],
    "ratio": 0.5,
    "scores": {"conv1": [0.0] * 6 + [2.5] * 10, "conv2": [0.0] * 25 + [0.1, 0.2, 0.3, 1.0, 2.0, 3.0, 40.0]},
    "accuracy": 0.9638,
    "images": 359,
    "params": {"dense": 25978, "compact": 7498},
    "synops": {"dense": 740612.5, "compact": 437961.6},
    "channels": {"conv1": [16, 10], "conv2": [32, 7]},
    "seconds": 61.5,
    "first_layer_macs": 21160,
}
RESULTS: dict[str, dict[str, Any]] = {
    "onnx": {"accuracy": 0.96, "images": 359, "mismatches": None, "seconds": 1.0, "images_per_second": 359.0,
             "shipped_accuracy": None, "spike_sparsity": {"conv1": 0.75, "conv2": 0.8}, "spike_sparsity_images": 359,
             "test_set_sha256": "5"},
    "csim": {"accuracy": 0.96, "images": 359, "mismatches": 0, "seconds": 0.5, "images_per_second": 718.0,
             "shipped_accuracy": None, "trips": {"SpikingMVAU_rtl_0": 2304}},
    "rtl": {"accuracy": 0.97, "images": 32, "mismatches": 1, "seconds": 2.0, "images_per_second": 16.0,
            "latency": 5024, "interval": 2500, "interval_max": 2510, "cycles": 80000, "cycles_per_second": 40000.0,
            "shipped_accuracy": None, "stall_in": 0.0, "stall_out": 0.0, "seed": 0},
    "synth": {
        "tool": "yosys 0.70", "board": "Pynq-Z2", "part": "xc7z020clg400-1", "family": "xc7", "fits": True,
        "budget": {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220},
        "total": {"lut": 4200, "ff": 3900, "bram36": 1.5, "dsp": 0},
        "cores": [{"name": "SpikingMVAU_rtl_0", "op": "SpikingMVAU_rtl", "lut": 800, "ff": 1, "bram36": 0.5, "dsp": 0,
                   "pe": 10, "simd": 1, "tp": 4, "cycles": 2304, "memory_luts": 0, "seconds": 3.0, "cached": False,
                   "period_ns": 10.25, "critical_start": "a_q[1]", "critical_end": "b_q"}],
        "timing": {"core": "SpikingMVAU_rtl_0", "period_ns": 10.25, "start": "a_q[1]", "end": "b_q", "target_ns": 10.0,
                   "met": False, "speed_grade": "1", "part_speed_grade": "1"},
    },
    "bitstream": {
        "tool": "Vivado 2023.1", "board": "Pynq-Z2", "part": "xc7z020clg400-1", "shell": "dma", "impl": "rtl",
        "clock_mhz": 100.0, "fmax_mhz": 112.5, "slack_ns": 1.111, "timing_met": True,
        "critical_path": "SpikingMVAU_rtl_0 to shell",
        "lut": 7654, "ff": 9876, "bram": 5.5, "dsp": 3, "power_w": 1.625,
        "cores": [{"name": "SpikingMVAU_rtl_0", "lut": 745, "ff": 612, "bram": 0.5, "dsp": 0}],
    },
}  # fmt: skip
RESULTS["predictions"] = {
    "images": 359, "shipped": False, "classes": ["zero", "<one>", "two"],
    "confusion": [[110, 10, 0], [3, 116, 0], [0, 0, 120]],
    "samples": [
        {"number": 4, "label": 0, "decided": 0, "png": PNG, "logits": [[5, -2, 0], [11, -1, 3]]},
        {"number": 9, "label": 1, "decided": 0, "png": PNG, "logits": [[4, 3, 1], [9, 8, 1]]},
    ],
    "raster": {"layer": "conv2", "number": 4, "steps": 2, "channels": 2, "positions": 3, "all_channels": 7,
               "all_positions": 3,
               "bits": base64.b64encode(np.packbits([1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0])).decode()},
    "test_set_sha256": "5",
}  # fmt: skip
RESULTS["toggles"] = {
    "images": 4, "cycles": 10000, "seconds": 0.5,
    "cores": [{"name": "SpikingMVAU_rtl_0", "bits": 50, "toggles": 5002},
              {"name": "SpikingMVAU_rtl_1", "bits": 9, "toggles": 6}],
}  # fmt: skip
SPREAD = {"mean": 1800.5, "p99": 2000, "worst": 2100}
RESULTS["density"] = {
    "images": 359, "kind": "test images", "test_set_sha256": "5",
    "layers": [{"layer": "conv2", "nonzero": 0.25, "channels": base64.b64encode(bytes([64] * 10)).decode(),
                "scans": [{"simd": 1, "lengths": [10, 20], "p99": 1.1, "worst": 1.2}]}],
}  # fmt: skip
RESULTS["event_cycles"] = {
    "images": 359, "kind": "test images", "interval": {"mean": 2350.0, "p99": 2400, "worst": 2500}, "guaranteed": 4000,
    "cores": [{"name": "SpikingMVAU_rtl_1", "layer": "conv2", "nonzero": 0.25, "ideal": 1500.0, "cycles": SPREAD,
               "guaranteed": 4000}],
    "simulated": {"images": 30, "measured": 2360.0, "modelled": 2340.0},
}  # fmt: skip
BIT_FILE = "bitstream/Pynq-Z2-dma-rtl/spikefold.bit"
STREAM = Stream(lanes=1, element_bits=4, signed=False, words=16)
NODES: list[tuple[str, int, dict[str, int]]] = [
    ("ConvolutionInputGenerator_rtl_0", 2343, {"simd": 1}),
    ("SpikingMVAU_rtl_0", 2304, {"pe": 10, "simd": 1, "tp": 4, "mw": 9, "mh": 10, "vectors": 256, "timesteps": 4}),
    ("StreamingFIFO_rtl_0", 0, {}),
    ("SpikingMVAU_rtl_1", 2000, {"pe": 7, "simd": 1, "tp": 2, "event": True}),
    ("SpikingMVAU_rtl_2", 1560, {"pe": 1, "simd": 1, "tp": 4}),
]


def trained_run(folder: Path) -> RunFolder:
    """What training leaves."""
    run = folder / "<mini>"
    run.mkdir()
    (run / "metrics.json").write_text(json.dumps(METRICS))
    write_network(run, TrainConfig(seed=7))
    return RunFolder(run)


def write_network(run: Path, config: TrainConfig, weight: float = 0.0) -> None:
    """A configuration, and a network (of one weight) that says it was trained by it."""
    (run / "config.toml").write_text(config_to_toml(config))
    about = {"network": json.dumps({"config": config_to_dict(config)})}
    save_file({"weight": np.full(1, weight, np.float32)}, run / "compact.safetensors", about)


def complete_run(folder: Path) -> RunFolder:
    """What all stages leave, each result with the digests of what it was measured on."""
    run = trained_run(folder)
    (run.path / "results").mkdir()
    nodes = tuple(
        RenderedNode(name, name[: name.rindex("_")], name, (), (), (STREAM,), (STREAM,), cycles, parameters)
        for name, cycles, parameters in NODES
    )
    (run.path / "model.onnx").write_bytes(b"integer network")
    (run.path / "graph.onnx").write_bytes(b"folded graph")
    for tree, file in (("hls", "accelerator.cpp"), ("rtl", "accelerator.sv")):
        (run.path / tree).mkdir()
        (run.path / tree / file).write_text(f"// {tree}\n")
    write_manifest(Manifest("accelerator", 2343, STREAM, STREAM, (), nodes, ()), run.path / "rtl")
    model, graph = file_digest(run.path / "model.onnx"), file_digest(run.path / "graph.onnx")
    hls, rtl = sources_digest(run.path / "hls"), sources_digest(run.path / "rtl")
    weights = file_digest(run.path / "compact.safetensors")
    save(run, "onnx", **RESULTS["onnx"], compact_sha256=weights, model_sha256=model)
    save(run, "folding", **_folding(), model_sha256=model, graph_sha256=graph)
    save(run, "sources", graph_sha256=graph, hls_sha256=hls, rtl_sha256=rtl)
    save(run, "csim", **RESULTS["csim"], model_sha256=model, sources_sha256=hls)
    save(run, "rtl", **RESULTS["rtl"], model_sha256=model, sources_sha256=rtl)
    save(run, "synth", **RESULTS["synth"], sources_sha256=rtl)
    save(run, "predictions", **RESULTS["predictions"], model_sha256=model)
    save(run, "toggles", **RESULTS["toggles"], model_sha256=model, sources_sha256=rtl)
    save(run, "density", **RESULTS["density"], model_sha256=model)
    save(run, "event_cycles", **RESULTS["event_cycles"], model_sha256=model, sources_sha256=rtl)
    (run.path / BIT_FILE).parent.mkdir(parents=True)
    (run.path / BIT_FILE).write_bytes(b"configuration")
    built = {"bitstream": BIT_FILE, "bitstream_sha256": file_digest(run.path / BIT_FILE), "sources_sha256": rtl}
    save(run, "bitstream", **RESULTS["bitstream"], **built)
    return run


def _folding() -> dict[str, Any]:
    layers = iter(("conv1", "conv2", "readout"))
    estimates = {"cycles": 9, "lut": 9, "bram36": 0.5, "dsp": 0, "pe": 1, "simd": None, "tp": None}
    estimates |= {"event": False, "spread": None}
    nodes = [
        {"name": name, "op": name[: name.rindex("_")], "layer": next(layers) if "MVAU" in name else None, **estimates}
        for name, *_ in NODES
    ]
    return {
        "target_cycles": None,
        "estimate": {"lut": 9, "ff": 9, "bram36": 0.5, "dsp": 0},
        "bound": 2343,
        "nodes": nodes,
        "front": [],
        "weight_beats": 0,
        "statistic": None,
        "spread": None,
    }


def save(run: RunFolder, stage: str, **values: Any) -> None:
    """Write results/<stage>.json."""
    (run.path / "results" / f"{stage}.json").write_text(json.dumps(values))


def change(run: RunFolder, stage: str, **values: Any) -> None:
    """Replace some values of results/<stage>.json."""
    save(run, stage, **{**json.loads((run.path / "results" / f"{stage}.json").read_text()), **values})
