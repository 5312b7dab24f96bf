"""From the compact float description to the integer network, and the exact widths of everything in it."""
