"""How the tests spread over workers."""

from __future__ import annotations

import pytest

INDEPENDENT = {"test_core_random.py"}
"""Files of long tests that share nothing; tests of other files may share fixtures that take minutes to make."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file on one worker (``--dist loadgroup``); independent tests balance the rest."""
    for item in items:
        if item.path.name not in INDEPENDENT:
            item.add_marker(pytest.mark.xdist_group(item.path.name))
