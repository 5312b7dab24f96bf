"""A configuration from presets and command lines: each option's type and bounds, and what goes together."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, Field, replace
from pathlib import Path
from typing import Any
from unicodedata import category

from sca_train.config import (
    AUGMENTATIONS,
    DATASETS,
    EVENT_DATASETS,
    GRADIENTS,
    IMPORTED,
    INT64_END,
    LARGEST_SIDE,
    MAX_TAU,
    MODELS,
    MOST_LAYERS,
    SCORES,
    STRUCTURES,
    V_INITS,
    WEIGHT_BITS,
    TrainConfig,
    config_fields,
    prunes,
    search_epochs,
)
from sca_train.errors import TrainError
from sca_train.files import read_text
from sca_train.pruning.memory import board_memory_bits
from sca_train.recipe import NEURONS, check_first_init, check_rates, check_recipe
from sca_train.shipped import preset_file, preset_names
from sca_train.stages import smallest_side

_NO_TEXT = ("Cc", "Cs")
"""Unicode's categories of control characters and of what stands for bytes that are no UTF-8."""


def _coerce(key: str, value: Any, entry: Field[Any]) -> Any:
    """Value of one option as the type of its default; TrainError when it is something else."""
    default = entry.default
    assert default is not MISSING
    if isinstance(default, tuple):
        if isinstance(value, list | tuple) and all(type(item) is int for item in value):
            for item in value:
                _check_int64(key, item)
            return tuple(value)
        raise TrainError(f"{key} must be a list of integers such as [64, 64], not {value!r}")
    if type(value) is int:
        _check_int64(key, value)
        if isinstance(default, float):
            return float(value)
    if type(value) is not type(default):
        raise TrainError(f"{key} must be of type {type(default).__name__}, not {value!r}")
    if isinstance(value, str) and any(category(char) in _NO_TEXT and not char.isspace() for char in value):
        raise TrainError(f"{key} is {value!r}, which holds control characters or bytes that are no UTF-8")
    return value


def _check_int64(key: str, value: int) -> None:
    if not -INT64_END <= value < INT64_END:
        raise TrainError(f"{key} is a whole number of more than 64 bits; no option takes one")


def load_config(path: Path) -> TrainConfig:
    """Read a TOML file of options; those it does not name keep their defaults. A preset's name stands for its file.

    Raises TrainError when the file is missing, is not TOML, or names an option that does not exist.
    """
    path = preset_file(path)
    try:
        table = tomllib.loads(read_text(path))
    except FileNotFoundError:
        beside = ", ".join(sorted(str(preset) for preset in path.parent.glob("*.toml"))) or "none"
        presets = f"; presets that come along: {', '.join(preset_names())}" if path.parent == Path() else ""
        raise TrainError(f"there is no configuration file {path}; files beside it: {beside}{presets}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TrainError(f"configuration file {path} cannot be read: {error}") from None
    return apply_overrides(TrainConfig(), table, str(path))


def apply_overrides(config: TrainConfig, table: dict[str, Any], source: str) -> TrainConfig:
    """The configuration with the named options replaced and the whole checked."""
    known = config_fields()
    for key in table:
        if key not in known:
            raise TrainError(f"{source} names the unknown option {key!r}; options are {', '.join(known)}")
    changed = replace(config, **{key: _coerce(key, value, known[key]) for key, value in table.items()})
    validate(changed)
    return changed


def configured(preset: Path | None, given: dict[str, Any], base: TrainConfig | None = None) -> TrainConfig:
    """The preset, else ``base``, with the options of a command line, of which ratio and budget replace each other."""
    if given.get("budget") and "ratio" in given:
        raise TrainError("--ratio and --budget are both given; a budget finds the ratio itself, so give one of them")
    if "ratio" in given:
        given = {"budget": "", **given}
    return apply_overrides(load_config(preset) if preset else base or TrainConfig(), given, "the command line")


def validate(config: TrainConfig) -> None:
    """Raise TrainError, one sentence, for the first option that no training could use."""
    _check_bounds(config)
    if config.model != IMPORTED:
        _choice("model", config.model, MODELS)
    _choice("dataset", config.dataset, DATASETS)
    _choice("neuron", config.neuron, NEURONS)
    _choice("reset", config.reset, ("hard", "soft"))
    _choice("structure", config.structure, STRUCTURES)
    _choice("score", config.score, SCORES)
    _choice("score_map", config.score_map, ("sum", "mean", "relative"))
    _choice("optimizer", config.optimizer, ("adamw", "sgd"))
    _choice("augment", config.augment, AUGMENTATIONS)
    _choice("gradients", config.gradients, GRADIENTS)
    _choice("kernels", config.kernels, ("auto", "on", "off"))
    _choice("bf16", config.bf16, ("auto", "on", "off"))
    _choice("compile", config.compile, ("auto", "on", "off"))
    _choice("device", config.device, ("auto", "cpu", "cuda"))
    if config.weight_bits not in WEIGHT_BITS:
        raise TrainError(f"weight_bits is {config.weight_bits}; the quantizers know 2, 4 and 8 bits")
    if config.tau not in [float(2**k) for k in range(1, MAX_TAU.bit_length())]:
        raise TrainError(f"tau is {config.tau}; it must be a power of two from 2 to {MAX_TAU}")
    if config.v_init not in V_INITS:
        raise TrainError(f"v_init is {config.v_init}; it must be 0 or 0.5, a fraction of the threshold")
    if config.finetune > config.epochs:
        raise TrainError(f"finetune is {config.finetune}; it must be from 0 to the {config.epochs} epochs of the run")
    if config.ratio_ramp > 0.0 and prunes(config) and search_epochs(config) == 0:
        raise TrainError(
            f"ratio_ramp is {config.ratio_ramp}, but there are no epochs of search in which the ratio could rise; "
            "use a finetune below epochs, or ratio_ramp 0"
        )
    if not 1 <= len(config.hidden) <= MOST_LAYERS:
        raise TrainError(f"hidden names {len(config.hidden)} widths; it must name 1 to {MOST_LAYERS}")
    if config.budget:
        board_memory_bits(config.budget)
    check_recipe(config)
    events = config.dataset in EVENT_DATASETS
    check_first_init(config, events)
    check_rates(config, events)
    smallest = {
        "cnn": smallest_side(config.stages),
        "mini": 8,
        "mlp": 1,
        "vgg7": 8,
        "vgg9": 8,
        "vgg11": 32,
        "vgg16": 32,
        "dvs": 32,
        IMPORTED: 1,
    }.get(config.model, 8)
    if config.image_size % smallest:
        raise TrainError(
            f"image_size is {config.image_size}; {config.model} takes multiples of {smallest} from {smallest} to "
            f"{LARGEST_SIDE}"
        )


def _check_bounds(config: TrainConfig) -> None:
    for key, entry in config_fields().items():
        bounds, value = entry.metadata["bounds"], getattr(config, key)
        if bounds is not None:
            for number in value if isinstance(value, tuple) else (value,):
                bounds.check(key, number)


def _choice(key: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise TrainError(f"unknown {key} {value!r}; valid are {', '.join(valid)}")
