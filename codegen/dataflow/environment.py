"""Where FINN puts its files and how loud it is: a temporary folder, and warnings only on request.

FINN reads its settings from the environment (``FINN_SETTINGS``, ``FINN_BUILD_DIR``) when they are first asked for.
Unless the user has set them, they point into a temporary folder that is removed when the process ends, so nothing is
written to the home folder or the working folder. Import this module before anything of FINN's.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codegen.scratch import lasting_scratch_folder


def prepare_environment() -> None:
    """Give FINN a build folder and silence its notices; idempotent, keeps what the user has set."""
    if "FINN_BUILD_DIR" not in os.environ:
        os.environ["FINN_BUILD_DIR"] = str(lasting_scratch_folder())
    if "FINN_SETTINGS" not in os.environ:
        # A file that does not exist: FINN then takes its defaults, and does not create ~/.finn to look for one.
        os.environ["FINN_SETTINGS"] = str(Path(os.environ["FINN_BUILD_DIR"]) / "settings.yaml")
    logging.getLogger("finn_logger").setLevel(logging.ERROR)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Python warnings raised inside FINN and qonnx; errors pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def build_folder(folder: Path) -> Iterator[None]:
    """Let FINN's code generation (PrepareIP and the like) write below ``folder`` while the block runs."""
    from finn.util.settings import get_settings

    settings = get_settings()
    before = settings.finn_build_dir
    folder.mkdir(parents=True, exist_ok=True)
    settings.finn_build_dir = folder.resolve()
    try:
        yield
    finally:
        settings.finn_build_dir = before
