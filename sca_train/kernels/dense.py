"""Which dense way of convolving a processor and a shape take."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from sca_train.kernels import amx, winograd
from sca_train.kernels.counts import Counts
from sca_train.kernels.library import ConvolutionShape


class DenseWay(Protocol):
    """What the modules ``amx`` and ``winograd`` have in common, for shapes that suit them."""

    def beats_events(self, shape: ConvolutionShape, counts: Counts) -> bool: ...

    def gradient_beats_events(self, shape: ConvolutionShape, counts: Counts) -> bool: ...

    def convolution(self, shape: ConvolutionShape, trains: Tensor, weight: Tensor) -> Tensor: ...

    def input_gradient(self, shape: ConvolutionShape, gradient: Tensor, weight: Tensor) -> Tensor: ...

    def weight_gradient(self, shape: ConvolutionShape, trains: Tensor, gradient: Tensor) -> Tensor: ...


def dense_way(shape: ConvolutionShape) -> DenseWay | None:
    """AMX tiles where the processor has them, else Winograd's, of the shapes that suit them; None for others."""
    if amx.suits(shape):
        return amx
    return winograd if winograd.suits(shape) else None
