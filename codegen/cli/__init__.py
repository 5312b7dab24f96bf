"""The command line ``python -m codegen``: one module per group of commands, stages imported only when they run."""
