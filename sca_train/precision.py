"""Weights in full precision for the first epochs, and the scales of the quantised ones from then on."""

from __future__ import annotations

from sca_train.config import TrainConfig, prunes, search_epochs
from sca_train.network import Network
from sca_train.quantizers import FixedScale, QuantModule, quantises, set_scale_from_spread


def float_epochs(config: TrainConfig) -> int:
    """Epochs with weights in full precision: the fraction of the search, or of all epochs where nothing is pruned.

    At least one epoch remains to train the quantised weights.
    """
    epochs = search_epochs(config) if prunes(config) else config.epochs
    return max(0, min(round(config.float_fraction * epochs), epochs - 1))


def quant_modules(network: Network) -> list[QuantModule]:
    """All weights of a network."""
    return [module for module in network.modules() if isinstance(module, QuantModule)]


def spread_scales(network: Network) -> None:
    """Set all scales but those of additions to what suits the spread of the weights."""
    for module in quant_modules(network):
        if not isinstance(module.weight_quant.tensor_quant.scaling_impl, FixedScale):
            set_scale_from_spread(module)


def set_precision(network: Network, config: TrainConfig, epoch: int) -> bool:
    """Prepare the weights for ``epoch``; whether the parameters with a gradient are others than before.

    In the first quantised epoch all scales are set anew by the weights as they are then.
    """
    enabled = epoch >= float_epochs(config)
    trained = [value.requires_grad for value in network.parameters()]
    for module in quant_modules(network):
        quantises(module, enabled, learned=config.scale_update == "learned")
    if 0 < epoch == float_epochs(config):
        spread_scales(network)
        network.share_scales()
    return trained != [value.requires_grad for value in network.parameters()]


def start_scales(network: Network, config: TrainConfig) -> None:
    """The scales of an untrained network, where they are not those of the largest weights."""
    if "std" in (config.scale_init, config.scale_update):
        spread_scales(network)


def follow_weights(network: Network, config: TrainConfig) -> None:
    """After a training step: keep the scales at the best step for the weights where they are not learned.

    Scales that additions share are powers of two and stay as they are.
    """
    if config.scale_update == "std":
        spread_scales(network)
