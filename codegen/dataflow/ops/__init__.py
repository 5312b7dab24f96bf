"""FINN operators of this project: one file for an operator, one for each of its backends."""
