"""One flat training configuration: defaults here, presets in configs/*.toml, overrides on the command line."""

from __future__ import annotations

import json
import tomllib
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from unicodedata import category

from sca_train.bounds import Bounds
from sca_train.errors import TrainError
from sca_train.files import read_text
from sca_train.pruning.memory import board_memory_bits
from sca_train.recipe import NEURONS, check_first_init, check_rates, check_recipe
from sca_train.shipped import preset_file, preset_names
from sca_train.stages import smallest_side

MODELS = (
    "mini", "mlp", "cnn", "vgg7", "vgg9", "vgg11", "vgg16", "resnet18", "resnet20", "preresnet18", "preresnet20", "dvs",
)  # fmt: skip
IMPORTED = "imported"
"""The model of a run that came from elsewhere: its layers are those of the option ``layers``."""
DATASETS = (
    "digits",
    "cifar10",
    "cifar100",
    "tiny-imagenet",
    "folder",
    "arrays",
    "cifar10-dvs",
    "events-digits",
    "event-arrays",
)
CONFIG_FILE = "config.toml"
EVENT_DATASETS = ("cifar10-dvs", "events-digits", "event-arrays")
"""Data sets whose samples are event frames, one per time step, instead of static images."""
STRUCTURES = ("prune-regrow", "prune-only", "random")
SCORES = ("membrane", "spikes", "gamma", "weight-l1")
AUGMENTATIONS = ("auto", "none", "shift", "flip", "roll")
GRADIENTS = ("bf16", "exact")
MAX_TIMESTEPS = 32
WEIGHT_BITS = (2, 4, 8)
MAX_TAU = 256
LARGEST_SIDE = 512
"""Of the images that data sets are brought to."""
V_INITS = (0.0, 0.5)
MOST_LAYERS = 64
"""Of mlp."""
_INT64_END = 2**63
_NO_TEXT = ("Cc", "Cs")
"""Unicode's categories of control characters and of what stands for bytes that are no UTF-8."""

# Upper bounds lie far beyond what any training uses: they keep typing errors from machines and from tensors.
_SHARE = Bounds(0, 1)
_BELOW_ONE = Bounds(0, 1, below=True)
_EPOCHS = Bounds(0, 10**6)
_IMAGES = Bounds(0, 10**9)
_FACTOR = Bounds(0, 1000, above=True)
_PENALTY = Bounds(0, 1000)
_SCALE = Bounds(1e-6, 1e6)
"""Of what float32 divides by, or multiplies with."""
_WIDTH = Bounds(1, 2**16)


def _option(default: Any, text: str, bounds: Bounds | None = None) -> Any:
    """An option; ``bounds`` are those of a number, or of each number of a list."""
    return field(default=default, metadata={"help": text, "bounds": bounds})


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training run computes; the field order is the order in config.toml."""

    name: str = _option("mini", "name of the run, used for runs/<name> when --run is not given")
    model: str = _option("mini", f"network: {', '.join(MODELS)}")
    width: float = _option(
        1.0, "multiplier of the channels of every layer (not of mini and mlp)", Bounds(0, 16, above=True)
    )
    dataset: str = _option("digits", f"data set: {', '.join(DATASETS)}; digits and events-digits need no files")
    data: str = _option(
        "",
        "folder of the data set; for folder: train/ and test/ class folders, or a .tar of them; for arrays and "
        "event-arrays: .npy files test_images, test_labels, train_images, train_labels",
    )
    cache: str = _option("build/cache", "where an unpacked archive of images is kept")
    download: bool = _option(False, "let the loader download the data set into the data folder")
    image_size: int = _option(16, "height and width the images are brought to", Bounds(1, LARGEST_SIDE))
    train_images: int = _option(0, "train on so many images only, the same number of each class (0: all)", _IMAGES)
    eval_images: int = _option(0, "test images for the accuracy after each epoch and for SynOps (0: all)", _IMAGES)
    hidden: tuple[int, ...] = _option((64,), "widths of the spiking layers of mlp", _WIDTH)
    stages: str = _option(
        "64 64 P 128 128 P 208 208 P", "3x3 convolutions of cnn: the channels of each, P where 2x2 max pooling follows"
    )
    layers: str = _option("", "layers of a network that was imported, as JSON: `codegen import` writes them")
    ratio: float = _option(
        0.5,
        "fraction of all hidden channels that pruning removes; those that are pruned together count once",
        _BELOW_ONE,
    )
    budget: str = _option(
        "", "board, such as Pynq-Z2: prune as little as lets the weights fit its memory, not by ratio"
    )
    first_init: str = _option(
        "random", "weights that read the image: random, or whitening (principal components of its patches, held fixed)"
    )
    init: str = _option(
        "", "finished run (runs/NAME) or folder of zoo/ with the same layers, whose weights are the first ones"
    )
    norm_init: float = _option(
        1.0,
        "initial gamma of batch norm, in thresholds: below 1 fewer currents lie beyond what spikes can tell",
        _SCALE,
    )
    timesteps: int = _option(4, "time steps T", Bounds(1, MAX_TIMESTEPS))
    weight_bits: int = _option(4, "bits of a weight: 2, 4 or 8 (the first layer always has 8)")
    float_fraction: float = _option(
        0.0,
        "fraction of the search (of all epochs where nothing is pruned) before which weights are not quantised",
        _BELOW_ONE,
    )
    scale_init: str = _option(
        "max", "scales of the weights at the start: by each channel's largest weight (max) or by their spread (std)"
    )
    scale_update: str = _option(
        "learned", "scales of the weights while training: learned, or set by the weights' spread after each step (std)"
    )
    neuron: str = _option(
        "IF", "spiking neuron: IF, LIF, or LateIF, which takes all steps in before it fires: what rates are, exactly"
    )
    tau: float = _option(2.0, "time constant of LIF, a power of two")
    reset: str = _option("hard", "what a spike does to the potential: hard (to zero) or soft (minus the threshold)")
    threshold: float = _option(1.0, "firing threshold", _SCALE)
    v_init: float = _option(0.0, "membrane potential before the first step, as a fraction of the threshold: 0 or 0.5")
    epochs: int = _option(
        40, "all epochs, search and fine-tuning; 0 prunes and calibrates the initial network", _EPOCHS
    )
    rate_epochs: int = _option(
        0,
        "the first so many epochs train the rate-equivalent network: one evaluation for all steps (soft-reset IF)",
        _EPOCHS,
    )
    finetune: int = _option(12, "the last so many epochs train the compacted network", _EPOCHS)
    update_every: int = _option(1, "epochs from one structure update to the next", Bounds(1, 10**6))
    regrow_fraction: float = _option(
        0.05, "q: fraction of all hidden channels pruned further and regrown per update", _BELOW_ONE
    )
    ratio_ramp: float = _option(
        0.0,
        "fraction of the search in which the pruned channels rise to ratio or budget (0: held from the first update)",
        _SHARE,
    )
    structure: str = _option(
        "prune-regrow", "how channels are chosen: prune-regrow, or an ablation: prune-only, random"
    )
    score: str = _option("membrane", f"channel score: {', '.join(SCORES)}")
    score_map: str = _option(
        "sum", "scores of a feature map: sum over it (Eq. 4), mean over it, or relative to the layer's mean"
    )
    min_channel_fraction: float = _option(
        0.0, "share of each layer's channels that stay whatever their scores; at least one always does", _SHARE
    )
    channel_multiple: int = _option(
        1,
        "channels that are left of each layer are a multiple of this, or all: what SIMD and PE then divide",
        Bounds(1, 1024),
    )
    rate_l1: float = _option(0.0, "weight of the mean firing rate in the loss: fewer spikes", _PENALTY)
    l1: float = _option(1e-4, "weight of the L1 norm of the batch norm gammas while searching", _PENALTY)
    optimizer: str = _option("adamw", "adamw or sgd")
    momentum: float = _option(0.9, "momentum of sgd", _BELOW_ONE)
    nesterov: bool = _option(True, "Nesterov's momentum for sgd")
    lr: float = _option(4e-3, "peak learning rate while searching, or of a network that is not pruned", _FACTOR)
    finetune_lr: float = _option(0.5, "peak learning rate of fine-tuning, as a fraction of lr", _FACTOR)
    spiking_lr: float = _option(
        0.05, "peak learning rate of the epochs after rate_epochs, as a fraction of the others'", _FACTOR
    )
    schedule: str = _option(
        "cosine",
        "learning rate of each phase: cosine or linear (to zero), or one-cycle (cosine both ways)",
    )
    warm_up: float = _option(
        0.05, "fraction of each phase in which the learning rate rises; usual for one-cycle: 0.3", _BELOW_ONE
    )
    weight_decay: float = _option(1e-4, "weight decay of the weights (not of batch norm and scales)", _PENALTY)
    label_smoothing: float = _option(
        0.0, "fraction of the label that training spreads evenly over all classes", _BELOW_ONE
    )
    teacher: str = _option(
        "",
        "finished run (runs/NAME) or folder of zoo/ whose logits are learned beside the labels; "
        "of several, separated by commas, their mean",
    )
    distill: float = _option(0.5, "with a teacher: its weight in the loss, 0 to 1; the labels have the rest", _SHARE)
    distill_temperature: float = _option(
        4.0, "with a teacher: what the logits of both are divided by before they are compared as probabilities", _SCALE
    )
    teacher_flip: bool = _option(
        False, "with a teacher: the mean of its logits of an image and of the image's mirror image"
    )
    ema: float = _option(
        0.0,
        "decay per step of the moving average of all weights, which is measured and kept, such as 0.999 (0: none)",
        _BELOW_ONE,
    )
    batch_size: int = _option(64, "images in one iteration", Bounds(2, 2**20))
    augment: str = _option(
        "auto", "auto (as usual for the data set), none, shift, flip (shift and mirror) or roll (events)"
    )
    alternating_flip: bool = _option(False, "mirror every image in every other epoch instead of by chance")
    border: str = _option("black", "what shift and flip uncover: black, or reflect (the image mirrored in its border)")
    cutout: int = _option(
        0, "side in pixels of a black square at a random place of each training image (0: none)", Bounds(0, 512)
    )
    cutmix: float = _option(
        0.0,
        "fraction of the training images in which a rectangle of another one lies, with its share of the label",
        _SHARE,
    )
    seed: int = _option(0, "seed of weights, order and augmentation", Bounds(0, _INT64_END - 1))
    bf16: str = _option(
        "auto", "bf16 autocast and channels_last: auto (in hardware, without the CPU kernels), on or off"
    )
    gradients: str = _option(
        "exact", "gradients of convolutions in the kernels: rounded once to bf16 (bf16), or in float32 (exact)"
    )
    kernels: str = _option("auto", "CPU training by the event-driven C++ kernels: auto (where they apply), on or off")
    compile: str = _option(
        "auto", "rate-equivalent layers in kernels that torch.compile fuses: auto (on CUDA, where Triton is), on or off"
    )
    device: str = _option("auto", "auto, cpu or cuda")
    threads: int = _option(0, "CPU threads (0: as torch chooses)", Bounds(0, 1024))


# Fields that say where and how, not what: a checkpoint continues under other values of these.
_PLACE_FIELDS = ("name", "data", "cache", "download", "teacher", "init", "compile", "device", "threads")


def config_fields() -> dict[str, Field[Any]]:
    """The options by name, in order."""
    return {entry.name: entry for entry in fields(TrainConfig)}


def _default(entry: Field[Any]) -> Any:
    assert entry.default is not MISSING
    return entry.default


def _coerce(key: str, value: Any, entry: Field[Any]) -> Any:
    """Value of one option as the type of its default; TrainError when it is something else."""
    default = _default(entry)
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
    if not -_INT64_END <= value < _INT64_END:
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


def prunes(config: TrainConfig) -> bool:
    """Whether channels are removed at all."""
    return config.ratio > 0.0 or config.budget != ""


def search_epochs(config: TrainConfig) -> int:
    """Epochs that search the structure; all others train the compact network."""
    return config.epochs - config.finetune if prunes(config) else 0


def changed_options(old: dict[str, Any], new: TrainConfig) -> list[str]:
    """Names of the options in which a checkpoint's configuration differs from a new one, places aside.

    An option that the old one does not name is younger than it, and its default is what was trained with.
    """
    before = {**config_to_dict(TrainConfig()), **old}
    return [key for key, value in config_to_dict(new).items() if key not in _PLACE_FIELDS and before[key] != value]


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Options as plain values that JSON, TOML and torch.save hold."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}


def config_to_toml(config: TrainConfig) -> str:
    """Text of a config.toml with every option, which ``load_config`` reads back unchanged."""
    # TOML's strings, booleans, numbers and integer lists are written as JSON writes them.
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in config_to_dict(config).items()
    )
