"""How the tests spread over workers, and which random examples they draw."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A failing example is for whoever looks for one; continuous integration runs the same examples every time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

INDEPENDENT = {"test_core_random.py", "test_random_networks.py"}
"""Files of long tests that share nothing; tests of other files may share fixtures that take minutes to make."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file on one worker (``--dist loadgroup``); independent tests balance the rest."""
    for item in items:
        if item.path.name not in INDEPENDENT:
            item.add_marker(pytest.mark.xdist_group(item.path.name))
