"""``python -m sca_train.sweep``."""

from __future__ import annotations

import sys

from sca_train.sweep.sweep import main

if __name__ == "__main__":
    sys.exit(main())
