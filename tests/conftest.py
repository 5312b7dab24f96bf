"""How the tests spread over workers, which random examples they draw, and what they do not take from outside."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A failing example is for whoever looks for one; continuous integration runs the same examples every time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# The words of an error are those of the command that the user typed; the tests are not whoever runs them (`make test`).
os.environ.pop("SPIKEFOLD_CALLER", None)

INDEPENDENT = {"test_core_random.py", "test_random_networks.py"}
"""Files of long tests that share nothing; tests of other files may share fixtures that take minutes to make.

They come last, so that no worker is left with a file of minutes when the others have ended; xdist's own order, by the
number of tests, is off (pyproject.toml).
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name in INDEPENDENT)


class FileScheduling(LoadScopeScheduling):
    """Each file stays on one worker, so that what its tests share is made once; independent tests balance the rest.

    Marks of groups would say the same, but xdist 3.8 adds them to names of tests that pytest 9.2 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return nodeid if PurePosixPath(file).name in INDEPENDENT else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    return FileScheduling(config, log)
