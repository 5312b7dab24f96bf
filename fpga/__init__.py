"""Boards: what each offers, and what a build for it needs."""
