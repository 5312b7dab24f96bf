"""What the paper reports for SCA: Table 1 and the text of section 5.2 (Li et al., ICML 2024).

The text at hand lost its formulas, and with them most accuracy losses and connectivities: those are None.
"""

from __future__ import annotations

from dataclasses import dataclass

METHOD = "SCA (Li et al., 2024)"


@dataclass(frozen=True)
class PaperRow:
    """One compressed network of the paper; ``base_accuracy`` in %, ``params`` in parameters."""

    dataset: str
    architecture: str
    base_accuracy: float
    params: float | None


PAPER_ROWS = (
    PaperRow("CIFAR10", "VGG16", 91.14, 1.42e6),
    PaperRow("CIFAR10", "VGG16", 91.14, 0.93e6),
    PaperRow("CIFAR100", "VGG16", 64.89, 3.60e6),
    PaperRow("DVS-CIFAR10", "5Conv+1FC", 72.80, 0.25e6),
    PaperRow("DVS-CIFAR10", "5Conv+1FC", 72.80, 0.08e6),
    PaperRow("Tiny-ImageNet", "VGG16", 49.33, None),
)
