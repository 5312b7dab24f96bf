"""FINN must be prepared before a test module imports it."""

import codegen.finn  # noqa: F401
