"""How fast each core may be clocked, by an analysis of the netlist that synthesis made (docs/timing.md)."""
