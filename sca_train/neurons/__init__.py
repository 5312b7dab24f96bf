"""Spiking neurons and what they do at a constant current."""
