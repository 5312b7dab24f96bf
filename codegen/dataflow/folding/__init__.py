"""Folding: how many lanes each layer gets, from a target, a board's budget, or a file in FINN's format."""
