"""The C++ files here as a shared library: compiled once per source, compiler and machine, called by ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import torch

from sca_train.errors import TrainError
from sca_train.files import cache_folder, sealed, unsealed

FOLDER = Path(__file__).parent
SOURCES = tuple(
    FOLDER / f"{name}.cpp" for name in ("spike_kernels", "rate_kernels", "winograd", "winograd_integers", "amx")
)
HEADERS = tuple(FOLDER / f"{name}.h" for name in ("shared", "layer", "winograd"))
COMPILER_VARIABLE = "CXX"
FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC",
)  # fmt: skip


class LayerShape(ctypes.Structure):
    """``Layer`` of layer.h."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("timesteps", "images", "height", "width", "channels", "pool")),
        *((name, ctypes.c_int32) for name in ("static_input", "soft_reset")),
        *((name, ctypes.c_float) for name in ("keep", "gain", "threshold", "alpha", "initial")),
    ]


class ConvolutionShape(ctypes.Structure):
    """``Convolution`` of shared.h."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "timesteps", "images", "height", "width", "inputs", "outputs", "kernel", "stride",
            "out_height", "out_width",
        )
    ]  # fmt: skip


def convolution_shape(timesteps: int, maps: torch.Tensor, weight: torch.Tensor, stride: int) -> ConvolutionShape:
    """Of maps [N, in, H, W], each of ``timesteps``, by weights [out, in, k, k] with padding k // 2."""
    images, inputs, height, width = maps.shape
    outputs, _, kernel, _ = weight.shape
    size = [(length + 2 * (kernel // 2) - kernel) // stride + 1 for length in (height, width)]
    return ConvolutionShape(timesteps, images, height, width, inputs, outputs, kernel, stride, *size)


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled kernels; TrainError where they cannot be compiled here."""
    compiler = os.environ.get(COMPILER_VARIABLE, "g++")
    try:
        version = subprocess.run(
            [compiler, "-march=native", "-Q", "--help=target", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise TrainError(
            f"the training kernels need a C++ compiler, and {compiler!r} does not run ({error}); install g++, or train "
            "without them: --kernels off"
        ) from None
    texts = (path.read_text() for path in (*SOURCES, *HEADERS))
    key = hashlib.sha256("\0".join((*texts, version, _processor(), *FLAGS)).encode()).hexdigest()[:16]
    target = _cache_folder() / f"spike_kernels-{key}.so"
    if not _is_whole(target):
        _compile(compiler, target)
    return ctypes.CDLL(str(target))


def _is_whole(target: Path) -> bool:
    """Whether a compiled library is there and as it was written: the system ends a process that loads a cut one."""
    try:
        return unsealed(target.read_bytes()) is not None
    except (FileNotFoundError, ValueError):
        return False


def call(name: str, *arguments: object) -> None:
    """Call a kernel with torch's number of threads; tensors are passed by address, None as a null pointer."""
    loaded = library()
    loaded.omp_set_num_threads(torch.get_num_threads())
    getattr(loaded, name)(*(_argument(value) for value in arguments))


def vector_floats() -> int:
    """Floats of a vector of this processor: the kernels' weights are padded to a multiple of it."""
    count: int = library().vector_floats()
    return count


def weight_rows(weight: torch.Tensor, multiple: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Weights [out, in, k, k] as the kernels read them: [k, k, in, out], zeros up to a multiple of outputs."""
    padded = torch.nn.functional.pad(weight.to(kind).permute(2, 3, 1, 0), (0, -weight.shape[0] % multiple))
    return padded.contiguous()


def weights_of_rows(rows: torch.Tensor, outputs: int) -> torch.Tensor:
    """The way back: [out, in, k, k] of rows [k, k, in, padded out]."""
    return rows[..., :outputs].permute(3, 2, 0, 1)


def empty_maps(shape: ConvolutionShape, channels: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Memory for feature maps [T * N, channels, out_height, out_width], channels last."""
    size = (shape.timesteps * shape.images, channels, shape.out_height, shape.out_width)
    return torch.empty(size, dtype=kind, memory_format=torch.channels_last)


def _argument(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    if isinstance(value, float):
        return ctypes.c_float(value)
    return ctypes.c_int64(value) if isinstance(value, int) else value


def _processor() -> str:
    """What -march=native depends on: a cache on a shared disk may serve several machines."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


def _cache_folder() -> Path:
    folder = cache_folder() / "kernels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _compile(compiler: str, target: Path) -> None:
    # Written aside and renamed: several processes may come here at once.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        result = subprocess.run([compiler, *FLAGS, "-o", made, *SOURCES], capture_output=True, text=True, check=False)
        if result.returncode:
            reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise TrainError(f"{compiler} cannot compile the training kernels ({reason}); train with --kernels off")
        made.write_bytes(sealed(made.read_bytes()))
        made.replace(target)
