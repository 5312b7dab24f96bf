"""FINN must be prepared before a test module imports it."""

import codegen.dataflow  # noqa: F401
