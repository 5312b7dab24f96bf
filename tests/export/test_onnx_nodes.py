"""Small views on nodes."""

from __future__ import annotations

import pytest

from codegen.onnx_nodes import reshape_kind


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ((4, 8, 5, 5), (4, 1, 8, 5, 5), "split"),
        ([4, 8], [4, 1, 8], "split"),
        ((1, 8), (1, 1, 8), "split"),
        ((4, 1, 8, 5, 5), (4, 8, 5, 5), "join"),
        ((4, 8, 5, 5), (4, 200), "flatten"),
        ((4, 8, 5, 5), (1, 800), None),
        ((4, 8, 5, 5), (8, 4, 5, 5), None),
        ((4, 8), (4, 2, 4), None),
        ((), (4,), None),
    ],
)
def test_what_a_reshape_does(before, after, kind) -> None:
    assert reshape_kind(before, after) == kind
