"""One exception class per stage; each message is one readable sentence that the command line prints as it is."""

from sca_train.errors import SpikefoldError


class CodegenError(SpikefoldError):
    """Base of all errors that the command line turns into one sentence and exit code 2."""


class RunFolderError(CodegenError):
    """A run folder is missing, or an earlier stage has not been run in it."""


class ZooError(CodegenError):
    """A kept network is not there, or what lies at the place of its copy is something else."""


class ImportingError(CodegenError):
    """A network from elsewhere that is damaged, hostile, or not one that the integer network can follow."""


class ExportError(CodegenError):
    """The compact model cannot be turned into the integer network."""


class ModelError(ExportError):
    """A model.onnx or graph.onnx that is damaged, reaches outside itself, or is not what its stage writes."""


class MappingError(CodegenError):
    """The ONNX graph holds nodes that no hardware core implements."""


class FoldingError(CodegenError):
    """A folding does not divide the layer's shape, or no folding meets the target."""


class RenderError(CodegenError):
    """Sources cannot be rendered, or an installed file is not the one a patch step knows."""


class SimulationError(CodegenError):
    """A simulator did not build, did not finish, or was given images of the wrong shape or type."""


class DeadlockError(SimulationError):
    """A simulated accelerator stopped moving words."""


class PrecisionError(SimulationError):
    """FINN's float32 tensors do not hold the elements of a graph."""


class SynthesisError(CodegenError):
    """The synthesis tool failed, or the network does not fit the board."""


class UnknownBoardError(CodegenError):
    """A board name that fpga.boards does not know."""


def first_line(error: Exception) -> str:
    """What a library's error says, as a part of a sentence."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
