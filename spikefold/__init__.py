"""spikefold: from training a deep spiking neural network to an FPGA accelerator, as a library.

The calls mirror the stages of the command ``spikefold``. Each takes a run folder (or, after training, the name of a
kept network such as ``zoo/cnn-board``), works in it as the command does, and returns a frozen result:

    import spikefold

    trained = spikefold.train("mini", run="runs/mini", options={"ratio": 0.5})
    spikefold.export(trained.run)
    folding = spikefold.generate(trained.run, board="Pynq-Z2")
    assert spikefold.csim(trained.run).mismatches == 0
    print(spikefold.rtlsim(trained.run).interval, "cycles an image")
    print(spikefold.synthesise(trained.run).total.lut, "LUTs")
    print(spikefold.report(trained.run).page)

Nothing is printed. A long call tells its ``progress`` callback what runs, how many units of it are done, of how many
(0: not known) and what a unit is; ``say`` gets the sentences that the command would print.

What a user can do something about is raised as a subclass of ``spikefold.Error`` whose message is one sentence; the
system's own errors (``OSError``, ``MemoryError``) pass through.

``import spikefold`` loads none of the tools: each call imports its own at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codegen.importing.doors import from_snntorch, from_spikingjelly

    __version__: str

    from codegen.errors import (
        CodegenError,
        DeadlockError,
        ExportError,
        FoldingError,
        ImportingError,
        MappingError,
        ModelError,
        RenderError,
        RunFolderError,
        SimulationError,
        SynthesisError,
        UnknownBoardError,
        ZooError,
    )
    from codegen.hardware_results import SynthesisResult
    from codegen.results import FoldingResult, HlsSimulationResult, OnnxResult, RtlSimulationResult
    from sca_train.config import TrainConfig
    from sca_train.errors import SpikefoldError as Error
    from sca_train.errors import TrainError
    from sca_train.measure.metrics_file import Metrics
    from sca_train.telling import ProgressCallback, SayCallback
    from spikefold.api import (
        Logits,
        ReportFiles,
        TrainedRun,
        compare,
        csim,
        export,
        generate,
        report,
        rtlsim,
        simulate,
        synthesise,
        train,
    )
    from spikefold.diagnosis import Check, Diagnosis, doctor
    from spikefold.importing import (
        DataOptions,
        ImportSummary,
        import_network,
        import_nir,
        import_onnx,
        to_nir,
    )

_PLACES = {
    "spikefold.api": (
        "Logits", "ReportFiles", "TrainedRun",
        "compare", "csim", "export", "generate", "report", "rtlsim", "simulate", "synthesise", "train",
    ),
    "spikefold.diagnosis": ("Check", "Diagnosis", "doctor"),
    "spikefold.importing": (
        "DataOptions", "ImportSummary",
        "import_network", "import_nir", "import_onnx", "to_nir",
    ),
    "codegen.importing.doors": ("from_snntorch", "from_spikingjelly"),
    "codegen.errors": (
        "CodegenError", "DeadlockError", "ExportError", "FoldingError", "ImportingError", "MappingError", "ModelError",
        "RenderError", "RunFolderError", "SimulationError", "SynthesisError", "UnknownBoardError", "ZooError",
    ),
    "codegen.results": ("FoldingResult", "HlsSimulationResult", "OnnxResult", "RtlSimulationResult"),
    "codegen.hardware_results": ("SynthesisResult",),
    "sca_train.config": ("TrainConfig",),
    "sca_train.errors": ("TrainError",),
    "sca_train.measure.metrics_file": ("Metrics",),
    "sca_train.telling": ("ProgressCallback", "SayCallback"),
}  # fmt: skip
"""Where each public name is defined."""
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Check",
    "CodegenError",
    "DataOptions",
    "DeadlockError",
    "Diagnosis",
    "Error",
    "ExportError",
    "FoldingError",
    "FoldingResult",
    "HlsSimulationResult",
    "ImportSummary",
    "ImportingError",
    "Logits",
    "MappingError",
    "Metrics",
    "ModelError",
    "OnnxResult",
    "ProgressCallback",
    "RenderError",
    "ReportFiles",
    "RtlSimulationResult",
    "RunFolderError",
    "SayCallback",
    "SimulationError",
    "SynthesisError",
    "SynthesisResult",
    "TrainConfig",
    "TrainError",
    "TrainedRun",
    "UnknownBoardError",
    "ZooError",
    "__version__",
    "compare",
    "csim",
    "doctor",
    "export",
    "from_snntorch",
    "from_spikingjelly",
    "generate",
    "import_network",
    "import_nir",
    "import_onnx",
    "report",
    "rtlsim",
    "simulate",
    "synthesise",
    "to_nir",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("sca_train.shipped").project_version()
    if name == "Error":
        return import_module("sca_train.errors").SpikefoldError
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'spikefold' has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
