"""Networks trained elsewhere: read, computed in float, quantised, and laid into a run folder like our own."""
