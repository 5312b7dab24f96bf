"""`python -m bench.leaks`: what a leak that is no power of two loses when it is computed by shifts.

Trains snnTorch networks of fully connected Leaky layers on scikit-learn's digits, shown whole or a row at a step, and
classifies the test digits with the same weights and other leaks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

from bench.command import positive, run_command
from sca_train.command_line import Parser
from sca_train.data.digits import grey_digits

_HIDDEN = 64
_STATIC_STEPS = 10
_EPOCHS, _BATCH, _LEARNING_RATE = 25, 128, 5e-3
_TEST = 500
_LEAKS: dict[float, dict[str, float]] = {
    0.9: {"1/8": 1 / 8, "1/16": 1 / 16, "1/16 + 1/32": 3 / 32, "26/256": 26 / 256},
    0.95: {"1/16": 1 / 16, "1/32": 1 / 32, "1/32 + 1/64": 3 / 64, "13/256": 13 / 256},
}
"""By beta, what V loses in a step instead of 1 - beta."""


class _Digits(nn.Module):
    """Two hidden layers of Leaky neurons with the delayed subtraction, and a read-out that adds up over the steps."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        sizes = (inputs, _HIDDEN, _HIDDEN)
        self.layers = nn.ModuleList(nn.Linear(given, _HIDDEN) for given in sizes[:-1])
        self.readout = nn.Linear(_HIDDEN, 10)

    def forward(self, steps: Sequence[Tensor], beta: float) -> Tensor:
        """Logits [N, 10] of the inputs [N, inputs] of each step."""
        neurons = [snntorch.Leaky(beta=beta) for _ in self.layers]
        membranes = [torch.zeros(len(steps[0]), _HIDDEN) for _ in self.layers]
        logits = torch.zeros(len(steps[0]), 10)
        for x in steps:
            for index, (layer, neuron) in enumerate(zip(self.layers, neurons, strict=True)):
                x, membranes[index] = neuron(layer(x), membranes[index])
            logits = logits + self.readout(x)
        return logits / len(steps)


def main() -> None:
    """Train and print one line for each leak."""
    parser = Parser(prog="python -m bench.leaks", description=__doc__)
    parser.add_argument("--seeds", type=positive, default=3, help="networks that are trained for each line")
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)  # layers this small only wait for a second one
    for rows in (False, True):
        for beta in _LEAKS:
            print(f"digits {'a row at a step' if rows else f'whole, {_STATIC_STEPS} steps'}, beta {beta}", flush=True)
            results = np.array([_measured(rows, beta, seed) for seed in range(seeds)])
            for name, (accuracy, same) in zip(("exact", *_LEAKS[beta]), results.mean(axis=0), strict=True):
                print(
                    f"  {name:12} {accuracy:6.2f} % right, {same:6.2f} % classified as with the exact leak", flush=True
                )


def _measured(rows: bool, beta: float, seed: int) -> list[tuple[float, float]]:
    """Accuracy, and share of digits that are classified as with the exact leak, in percent, for each leak."""
    torch.manual_seed(seed)
    grey, labels = grey_digits()
    images, targets = torch.tensor(grey / grey.max(), dtype=torch.float32), torch.tensor(labels, dtype=torch.long)
    order = torch.randperm(len(images))
    test, training = order[:_TEST], order[_TEST:]
    network = _Digits(images.shape[2] if rows else images[0].numel())

    def steps(chosen: Tensor) -> list[Tensor]:
        return list(images[chosen].unbind(1)) if rows else [images[chosen].flatten(1)] * _STATIC_STEPS

    optimizer = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
    for _ in range(_EPOCHS):
        for batch in training[torch.randperm(len(training))].split(_BATCH):
            loss = nn.functional.cross_entropy(4 * network(steps(batch), beta), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        leaks = (1 - beta, *_LEAKS[beta].values())
        classes = [network(steps(test), 1 - leak).argmax(1) for leak in leaks]
    shares = [(found == wanted).double().mean().item() for found in classes for wanted in (targets[test], classes[0])]
    return list(zip(*[iter(100 * share for share in shares)] * 2, strict=True))


if __name__ == "__main__":
    sys.exit(run_command(main))
