"""``python -m spikefold``: what the installed command ``spikefold`` runs."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (a checkout is started by any Python)
    sys.exit("error: spikefold needs Python 3.11 or 3.12; make the virtual environment with python3.11")

from spikefold.command import main

if __name__ == "__main__":
    sys.exit(main())
