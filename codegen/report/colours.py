"""The colours of the report's plots: legible on a light and on a dark page."""

ACCENT, SECOND, MUTED = "#2f7fb8", "#d98032", "#9aa5ad"
