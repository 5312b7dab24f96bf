"""Command line: ``python -m sca_train --config configs/mini.toml --ratio 0.5 --run runs/mini``."""

from __future__ import annotations

import sys

from sca_train.cli import run_train, train_parser
from sca_train.configured import configured

__all__ = ["configured", "main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 2 for a wrong request, 130 for an interrupted run."""
    return run_train(vars(train_parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
