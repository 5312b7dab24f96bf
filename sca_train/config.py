"""One flat training configuration: defaults here, presets in configs/*.toml, overrides on the command line."""

from __future__ import annotations

import json
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from sca_train.bounds import Bounds

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
INT64_END = 2**63

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
        "",
        "finished run (runs/NAME) or folder of zoo/ with the same layers, pruned or not, whose weights are the first "
        "ones; several, separated by commas: their mean",
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
        40,
        "all epochs, search and fine-tuning; 0 prunes and calibrates the first network (one of init stays)",
        _EPOCHS,
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
    seed: int = _option(0, "seed of weights, order and augmentation", Bounds(0, INT64_END - 1))
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
