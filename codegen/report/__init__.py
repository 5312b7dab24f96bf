"""What was measured in a run, as report.json and as one self-contained page."""
