"""One file per hardware core: its parameters, its cycle count, a naive model, and how it is rendered."""
