"""Physically smaller networks: masked channels are cut out, and the result travels as safetensors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from sca_train.class_names import network_metadata
from sca_train.config import TrainConfig, config_to_dict
from sca_train.configured import apply_overrides
from sca_train.errors import TrainError
from sca_train.files import COMPACT_FILE, write_whole
from sca_train.made_again import make_again, make_first
from sca_train.models import model_layers
from sca_train.network import Network
from sca_train.specs import IMAGE, with_channels
from sca_train.weights import weight_count

FORMAT = "spikefold compact network 2"
# What a network records while it searches; a compact network starts with nothing recorded.
_SEARCH_BUFFERS = ("mask", "potential", "spike_count", "samples", "gamma_gradient")


def compact(network: Network) -> Network:
    """A network without the masked channels, which computes the logits of the masked one.

    Weights, scales and batch norm values are copied, none is computed again. Only the order in which float sums are
    taken can differ: in float32 that may move a potential by a rounding error, in float64 the spikes are the same.
    Layers whose channels meet in additions must have equal masks.
    """
    device = next(network.parameters()).device
    keeps = {layer.spec.name: layer.mask.bool() for layer in network.spiking_layers()}
    specs = with_channels(network.specs, [int(keep.sum()) for keep in keeps.values()])
    small = Network(specs, network.config, network.input_shape, network.classes)
    state = {key: value for key, value in network.state_dict().items() if not _is_search_buffer(key)}
    for spec in network.specs:
        prefix = f"layers.{spec.name}."
        for key in [key for key in state if key.startswith(prefix) and state[key].dim() > 0]:
            state[key] = state[key][keeps[spec.name]]
        for entry in spec.inputs:
            if entry.kind != "identity" and entry.source != IMAGE:
                _keep_inputs(state, f"{prefix}connections.{entry.name}.weight", keeps[entry.source])
    _keep_inputs(state, "readout.weight.weight", keeps[network.specs[-1].name])
    load_state(small, state)
    return small.to(device)


def _keep_inputs(state: dict[str, Tensor], key: str, keep: Tensor) -> None:
    """Cut the input columns of a weight; a matrix behind a feature map has several columns per channel (c, h, w)."""
    weight = state[key]
    state[key] = weight[:, keep.repeat_interleave(weight.shape[1] // len(keep))].contiguous()


def _is_search_buffer(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in _SEARCH_BUFFERS


def load_state(network: Network, state: dict[str, Tensor]) -> None:
    """Give a network the weights and batch norm of another; what it recorded in a search stays its own."""
    own = {key: value for key, value in network.state_dict().items() if _is_search_buffer(key)}
    network.load_state_dict({**state, **own})


def save_compact(network: Network, classes: tuple[str, ...], path: Path) -> None:
    """Write a compact network with all that is needed to build it again."""
    state = {key: value.cpu().contiguous() for key, value in network.state_dict().items() if not _is_search_buffer(key)}
    about = {
        "format": FORMAT,
        # Where this machine keeps its data and runs is nobody else's business; config.toml knows it.
        "config": config_to_dict(replace(network.config, data="", cache=TrainConfig().cache, teacher="", init="")),
        "channels": [spec.channels for spec in network.specs],
        "input_shape": network.input_shape,
        "classes": classes,
    }
    # One entry only: safetensors writes several in random order, and equal networks shall make equal files.
    write_whole(path, lambda aside: save_file(state, aside, {"network": json.dumps(about)}))


def load_compact(run_dir: Path) -> tuple[TrainConfig, Network]:
    """Configuration and compact network of a finished run, on the CPU in evaluation mode.

    Raises TrainError when the run has no compact.safetensors or the file is not a whole one of this format.
    """
    path = run_dir / COMPACT_FILE
    if not path.exists():
        raise TrainError(f"{run_dir} has no {COMPACT_FILE}; {make_first(run_dir)}")
    about = network_metadata(run_dir)
    if about.get("format") != FORMAT:
        raise TrainError(
            f"{path} holds {about.get('format', 'no named format')!r}, not {FORMAT!r}; {make_again(run_dir)}"
        )
    try:
        with safetensors.safe_open(path, "pt") as stream:
            state = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118 - not a dictionary
        return _built(about, state, path)
    except Exception as error:  # whatever a description leads to that is not of its network
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainError(f"{path} does not describe the network it holds ({reason}); {make_again(run_dir)}") from None


def _built(about: dict[str, Any], state: dict[str, Tensor], path: Path) -> tuple[TrainConfig, Network]:
    """Configuration and network of what a file says and holds; any error where these do not belong together."""
    config = apply_overrides(TrainConfig(), about["config"], str(path))
    height, width, channels = about["input_shape"]
    specs, classes = with_channels(model_layers(config), about["channels"]), len(about["classes"])
    if not all(type(number) is int and number > 0 for number in (height, width, channels, classes, *about["channels"])):
        raise ValueError("a shape, or the number of channels or classes, is no positive number")
    # Compared before a network of any size takes memory.
    if weight_count(specs, (height, width, channels), classes) > sum(value.numel() for value in state.values()):
        raise ValueError("the layers have more weights than it holds")
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{key} holds NaN or infinity")
    network = Network(specs, config, (height, width, channels), classes)
    load_state(network, state)
    return config, network.eval()


def parameter_count(network: Network) -> int:
    """Weights, batch norm gammas and betas, and read-out biases; quantizer scales are not counted."""
    return sum(value.numel() for key, value in network.named_parameters() if not is_quantizer_scale(key))


def is_quantizer_scale(key: str) -> bool:
    """Whether a parameter's name is that of a quantizer's learned scale."""
    return key.endswith("scaling_impl.value")


def dense_parameter_count(config: TrainConfig, input_shape: tuple[int, int, int], classes: int) -> int:
    """``parameter_count`` of the configured network before pruning."""
    with torch.random.fork_rng(devices=[]):
        return parameter_count(Network(model_layers(config), config, input_shape, classes))
