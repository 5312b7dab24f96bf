"""`python -m website tutorials | flow`: execute the tutorials, or draw docs/flow.svg again."""

from __future__ import annotations

import sys

from sca_train.command_line import Parser
from website import flow, notebooks


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    parser = Parser(prog="python -m website", description=__doc__)
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    tutorials = actions.add_parser("tutorials", help="execute the tutorials where something has changed since")
    tutorials.set_defaults(action=notebooks.executed)
    drawing = actions.add_parser("flow", help="draw docs/flow.svg")
    drawing.set_defaults(action=flow.draw)
    parser.parse_args(arguments).action()
    return 0


if __name__ == "__main__":
    sys.exit(main())
