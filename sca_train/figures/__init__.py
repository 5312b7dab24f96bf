"""The paper's figures and its table, drawn from finished runs: ``python -m sca_train.figures runs/mini-sweep``."""
