"""Data sets as arrays of uint8: static images, and event frames with one image per time step."""

from sca_train.data.dataset import Dataset, balanced_subset, summary
from sca_train.data.load import load_dataset

__all__ = ["Dataset", "balanced_subset", "load_dataset", "summary"]
