"""The options that a finished run was trained with."""

from __future__ import annotations

from pathlib import Path

from sca_train.class_names import network_metadata
from sca_train.config import CONFIG_FILE, TrainConfig, changed_options
from sca_train.configured import load_config
from sca_train.errors import TrainError
from sca_train.files import COMPACT_FILE
from sca_train.made_again import make_again


def load_run_config(run: Path) -> TrainConfig:
    """config.toml of a run folder, which says the same as the network that was trained where there is one.

    Raises TrainError, one sentence with the file and the command that writes it anew, where it is missing, damaged or
    was edited.
    """
    path = run / CONFIG_FILE
    try:
        config = load_config(path)
    except TrainError as error:
        raise TrainError(f"{path} is damaged ({error}); {make_again(run)}") from None
    if (run / COMPACT_FILE).exists():
        trained = network_metadata(run).get("config")
        if not isinstance(trained, dict):
            raise TrainError(f"{run / COMPACT_FILE} does not say how it was trained; {make_again(run)}")
        # A network of an older version does not know the newest options.
        edited = [key for key in changed_options(trained, config) if key in trained]
        if edited:
            raise TrainError(
                f"{path} and {COMPACT_FILE} differ in {', '.join(edited)}: one of them is not of this training; "
                f"{make_again(run)}"
            )
    return config
