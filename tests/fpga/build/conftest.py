"""One run folder for the tests of builds: a small network rendered once, with what `make hls` leaves beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from build_run import render_small_run

from codegen.run_folder import RunFolder


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A rendered run that no test writes in."""
    return render_small_run(tmp_path_factory.mktemp("rendered") / "small")


@pytest.fixture
def run(rendered: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of it."""
    return RunFolder(Path(shutil.copytree(rendered.path, tmp_path / "small")))
