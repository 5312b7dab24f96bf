"""The FINN side: custom operators, passes from model.onnx to a FINN dataflow graph, folding, execution.

Importing this package prepares FINN's environment and registers the operators, so that graphs holding them load.
"""

from codegen.dataflow.environment import prepare_environment

prepare_environment()

from codegen.dataflow.ops.register import register  # noqa: E402 - FINN reads its environment when it is imported

register()

__all__ = ["prepare_environment", "register"]
