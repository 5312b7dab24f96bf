"""Mutated inputs of every kind, and what a command may not do with them."""
