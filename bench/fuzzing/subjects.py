"""What is mutated, and which command then reads it: one function for each kind of input."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import codegen.cli.main
import fpga.__main__
import sca_train.__main__
import sca_train.figures.__main__
from bench.fuzzing.mutations import (
    ODD_VALUES,
    mutated_bytes,
    mutated_json,
    mutated_onnx,
    mutated_tar,
    mutated_toml,
)
from bench.network_cases import KINDS, random_network
from bench.networks import run_of
from codegen.digests import file_digest, sources_digest
from codegen.errors import CodegenError, PrecisionError
from codegen.export.onnx_reader import read_model
from codegen.render.manifest import read_hls_streams, read_manifest
from codegen.run_folder import RunFolder
from codegen.verify.golden import golden_logits
from sca_train.command_line import USER_ERROR, print_error
from sca_train.config import TrainConfig, config_fields
from sca_train.configured import configured
from sca_train.data import load_dataset
from sca_train.errors import TrainError
from sca_train.files import sealed, unsealed

TRAINED = "trained"
"""The base run that went through training and all stages without a compiler; the others are random networks."""
IMAGE_SIZE = 8
SMALL = (
    "--model", "mini", "--dataset", "digits", "--image-size", str(IMAGE_SIZE), "--width", "0.25", "--ratio", "0.5",
    "--train-images", "64", "--eval-images", "32", "--batch-size", "32", "--epochs", "2", "--finetune", "1",
    "--timesteps", "2", "--threads", "1", "--kernels", "off",
)  # fmt: skip
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
CLOSED_FORMATS = ("EPS", "TIFF", "ICO", "PCX", "TGA")


class WrongResultError(Exception):
    """A mutated input was accepted and what came of it is wrong."""


@dataclass(frozen=True)
class Case:
    """A folder for one input, the base runs to copy from, and the random choices."""

    folder: Path
    base: Path
    draw: random.Random

    def copy(self, name: str) -> Path:
        """A copy of a base run that may be damaged."""
        return Path(shutil.copytree(self.base / name, self.folder / "run"))

    def network(self) -> Path:
        """A copy of any base run: all have model.onnx and graph.onnx."""
        return self.copy(self.draw.choice([TRAINED, *KINDS]))

    def mutate(self, file: Path, mutated: Callable[[bytes, random.Random], bytes]) -> None:
        """Put the mutation of a file in its place."""
        file.write_bytes(mutated(file.read_bytes(), self.draw))


Command = Callable[[], int]


def make_base(folder: Path) -> None:
    """The base runs below ``folder``; raises RuntimeError where a stage fails."""
    trained = str(folder / TRAINED)
    _succeed(sca_train.__main__.main([*SMALL, "--run", trained]))
    _succeed(_codegen("export", trained, "--images", "40"))
    for kind, name in enumerate(KINDS):
        run_of(random_network(kind), folder / name)
    for name in (TRAINED, *KINDS):
        _succeed(_codegen("hls", str(folder / name), "--board", "none", "--fifo-depths", "planned"))
    _succeed(_codegen("report", trained))


def _succeed(code: int) -> None:
    if code:
        raise RuntimeError(f"a stage of an undamaged run ended with exit code {code}")


def _codegen(*arguments: object) -> int:
    return codegen.cli.main.main([str(argument) for argument in arguments])


def _called(function: Callable[[], object]) -> int:
    """The exit code that a command would give of what one of its functions does."""
    try:
        function()
    except (CodegenError, TrainError, OSError, MemoryError) as error:
        print_error(error)
        return USER_ERROR
    return 0


def _images(run: Path, folder: Path, count: int = 2) -> Path:
    """Images for a base run, whatever became of its model since."""
    file = folder / "x.npy"
    shape = json.loads((run / "shape.json").read_text()) if (run / "shape.json").exists() else [IMAGE_SIZE] * 2 + [1]
    np.save(file, np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8))
    return file


def shape_of(run: Path) -> list[int]:
    """Shape of an image of an undamaged run."""
    return list(read_model(run / "model.onnx").properties.input_shape)


def model_simulated(case: Case) -> Command:
    """model.onnx, read by ``simulate``."""
    run = case.network()
    images = _images(run, case.folder)
    case.mutate(run / "model.onnx", mutated_onnx)
    return lambda: _codegen("simulate", run, "--backend", "onnx", "--images", images, "--out", case.folder / "out.npy")


def model_folded(case: Case) -> Command:
    """model.onnx, read by ``hls``; what that accepts has to have the same logits in FINN as in ONNX Runtime."""
    run = case.network()
    images = _images(run, case.folder)
    case.mutate(run / "model.onnx", mutated_onnx)

    def command() -> int:
        code = _codegen("hls", run, "--board", "none", "--fifo-depths", "planned")
        if code == 0:
            _check_same_logits(RunFolder(run), images)
        return code

    return command


def _check_same_logits(run: RunFolder, images: Path) -> None:
    from codegen.dataflow.execute import run_finn
    from codegen.verify.onnx_runtime import run_onnx

    with suppress(PrecisionError):  # potentials that the float back end cannot hold
        given = np.load(images)
        if (run_finn(run, given) != run_onnx(run.path / "model.onnx", given)).any():
            raise WrongResultError("hls accepted a model whose logits differ")


def graph(case: Case) -> Command:
    """graph.onnx, read by FINN; half of the time with the digest that says it belongs to the run."""
    run = case.network()
    images = _images(run, case.folder)
    case.mutate(run / "graph.onnx", mutated_onnx)
    if case.draw.random() < 0.8:
        for file, key in (("folding.json", "graph_sha256"), ("sources.json", "graph_sha256")):
            _set(run / "results" / file, key, file_digest(run / "graph.onnx"))
    return lambda: _codegen("simulate", run, "--backend", "finn", "--images", images, "--out", case.folder / "out.npy")


def _set(file: Path, key: str, value: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))


def network(case: Case) -> Command:
    """compact.safetensors, read by ``export``."""
    run = case.copy(TRAINED)
    case.mutate(run / "compact.safetensors", mutated_bytes)
    return lambda: _codegen("export", run, "--images", 4)


def configuration(case: Case) -> Command:
    """config.toml, read by ``export`` or for figures."""
    run = case.copy(TRAINED)
    case.mutate(run / "config.toml", mutated_toml)
    if case.draw.random() < 0.5:
        return lambda: _codegen("export", run, "--images", 4)
    return lambda: sca_train.figures.__main__.main([str(run), "--out", str(case.folder / "figures")])


def metrics(case: Case) -> Command:
    """metrics.json, read by ``report`` or for figures."""
    run = case.copy(TRAINED)
    case.mutate(run / "metrics.json", mutated_json)
    if case.draw.random() < 0.5:
        return lambda: _codegen("report", run)
    return lambda: sca_train.figures.__main__.main([str(run), "--out", str(case.folder / "figures")])


def checkpoint(case: Case) -> Command:
    """checkpoint.pt, from which a training goes on; half of the time with the checksum of what became of it."""
    run = case.copy(TRAINED)
    file = run / "checkpoint.pt"
    if case.draw.random() < 0.5:
        content = unsealed(file.read_bytes())
        assert content is not None
        file.write_bytes(sealed(mutated_bytes(content, case.draw)))
    else:
        case.mutate(file, mutated_bytes)
    return lambda: sca_train.__main__.main([*SMALL, "--run", str(run)])


def results(case: Case) -> Command:
    """A file of results/, read by ``report``."""
    run = case.copy(TRAINED)
    case.mutate(case.draw.choice(sorted((run / "results").glob("*.json"))), mutated_json)
    return lambda: _codegen("report", run)


def kept_logits(case: Case) -> Command:
    """results/onnx_logits.npy, which simulations are compared with."""
    run = case.copy(TRAINED)
    images = np.load(_images(run, case.folder, 8))
    right = golden_logits(RunFolder(run), images)
    case.mutate(run / "results" / "onnx_logits.npy", mutated_bytes)

    def command() -> int:
        def check() -> None:
            if not np.array_equal(golden_logits(RunFolder(run), images), right):
                raise WrongResultError("other logits than ONNX Runtime's were compared with")

        return _called(check)

    return command


def manifest(case: Case) -> Command:
    """rtl/nodes.json or hls/streams.json, from which simulators and synthesis take their sources."""
    run = case.network()
    tree, file, read = case.draw.choice(
        [
            ("rtl", "nodes.json", lambda: _read_inside(run / "rtl")),
            ("hls", "streams.json", lambda: read_hls_streams(run / "hls" / "streams.json")),
        ]
    )
    case.mutate(run / tree / file, mutated_json)
    _set(run / "results" / "sources.json", f"{tree}_sha256", sources_digest(run / tree))
    return lambda: _called(read)


def _read_inside(folder: Path) -> None:
    found = read_manifest(folder)
    for name in (*found.files, *(name for node in found.nodes for name in (*node.files, *node.data_files))):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise WrongResultError(f"{name} lies outside")


def folding(case: Case) -> Command:
    """A folding file, read by ``hls``."""
    run = case.network()
    file = case.folder / "folding.json"
    shutil.copyfile(run / "folding.json", file)
    case.mutate(file, mutated_json)
    return lambda: _codegen("hls", run, "--board", "none", "--folding", file, "--fifo-depths", "planned")


def image_array(case: Case) -> Command:
    """An array of images, read by ``simulate``."""
    run = case.network()
    images = _images(run, case.folder)
    case.mutate(images, mutated_bytes)
    return lambda: _codegen("simulate", run, "--backend", "onnx", "--images", images, "--out", case.folder / "out.npy")


def picture(case: Case) -> Command:
    """A picture, read by ``classify``."""
    run = case.copy(TRAINED)
    file = case.folder / f"x.{case.draw.choice(['png', 'jpg', 'eps', 'gif', 'tif'])}"
    file.write_bytes(mutated_bytes(_encoded(case.draw, (*FORMATS, *CLOSED_FORMATS)), case.draw))
    return lambda: _codegen("classify", run, "--image", file)


def _encoded(draw: random.Random, formats: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    kind = draw.choice(formats)
    mode = draw.choice(["L", "RGB"])
    size = (draw.randrange(1, 40), draw.randrange(1, 40))
    pixels = draw.randbytes(size[0] * size[1] * len(mode))
    Image.frombytes(mode, size, pixels).save(stream, kind)
    return stream.getvalue()


def archive(case: Case) -> Command:
    """A tar archive of class folders, read as a training reads it."""
    members = {
        f"data/{split}/{label}/{index}.png": _encoded(case.draw, ("PNG",))
        for split in ("train", "test")
        for label in ("cat", "dog")
        for index in range(2)
    }
    file = case.folder / "data.tar"
    file.write_bytes(mutated_tar(members, case.draw))
    config = TrainConfig(dataset="folder", data=str(file), cache=str(case.folder / "cache"), image_size=IMAGE_SIZE)
    return lambda: _called(lambda: load_dataset(config))


def class_folders(case: Case) -> Command:
    """Class folders in which files or folders are odd, read as a training reads them."""
    draw = case.draw
    root = case.folder / "data"
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            (root / split / label).mkdir(parents=True)
            for index in range(2):
                (root / split / label / f"{index}.png").write_bytes(_encoded(draw, ("PNG",)))
    place = draw.choice(sorted(root.rglob("*")))
    kind = draw.randrange(5)
    if kind == 0 and place.is_file():
        case.mutate(place, mutated_bytes)
    elif kind == 1:
        place.rename(place.with_name(draw.choice([".hidden", "._0.png", "x" * 250, "ü", "x.eps", "a b", "'; touch F"])))
    elif kind == 2 and place.is_file():
        place.unlink()
        place.symlink_to(draw.choice(["/dev/zero", "nowhere", "../dog", "/etc/hostname"]))
    elif kind == 3:
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    else:
        (place.parent / draw.choice(["extra", "x.png", ".ipynb_checkpoints"])).mkdir()
    config = TrainConfig(dataset="folder", data=str(root), cache=str(case.folder / "cache"), image_size=IMAGE_SIZE)
    return lambda: _called(lambda: load_dataset(config))


def training_options(case: Case) -> Command:
    """Options of a training, checked as the command line and a preset are."""
    names = [case.draw.choice(list(config_fields())) for _ in range(case.draw.choice([1, 1, 2, 3]))]
    given = {name: case.draw.choice(ODD_VALUES) for name in names}
    return lambda: _called(lambda: configured(None, given))


def stage_options(case: Case) -> Command:
    """A command line with odd values, for a run whose sources are not there, so that nothing is compiled."""
    draw = case.draw
    run = case.copy(TRAINED)
    for tree in ("hls", "rtl"):
        shutil.rmtree(run / tree)
    odd = draw.choice(ODD_VALUES)
    text = draw.choice([str(odd), str(odd), "1", "none", str(case.folder / "file"), "/dev/full", "/proc/x", "x" * 300])
    text = text.replace("\x00", "\x01")  # no command line holds a zero byte
    lines = [
        ["export", run, "--frac-bits", text, "--images", "4"],
        ["export", run, "--images", text if len(text) < 3 else "4", "--data", text],
        ["hls", run, "--board", text],
        ["hls", run, "--target-cycles", text],
        ["hls", run, "--lut-share", text, "--board", draw.choice(["none", "Pynq-Z2"])],
        ["hls", run, "--folding", text],
        ["simulate", run, "--backend", "onnx", "--images", text, "--out", case.folder / "out.npy"],
        ["simulate", run, "--backend", draw.choice(["csim", "rtl", text]), "--images", "x.npy", "--out", text],
        ["simulate", run, "--backend", "onnx", "--images", _images(run, case.folder), "--out", text],
        ["classify", run, "--image", text, "--backend", draw.choice(["onnx", "csim", "rtl"])],
        ["csim", run, "--images", text],
        ["rtlsim", run, "--seed", text, "--waveform", text, "--images", "1"],
        ["rtlsim", run, "--stall-in", text, "--stall-out", "0.5"],
        ["synth", run, "--board", text],
        ["report", text],
        ["export", text],
        [text, run],
        [],
    ]
    chosen = [str(part) for part in draw.choice(lines)]
    if draw.random() < 0.1:
        board = ["bitstream", str(run), "--board", text] if draw.random() < 0.5 else ["deploy", text]
        return lambda: fpga.__main__.main(board)
    return lambda: codegen.cli.main.main(chosen)


SUBJECTS: dict[Callable[[Case], Command], int] = {
    model_simulated: 18,
    model_folded: 5,
    graph: 10,
    network: 8,
    configuration: 8,
    metrics: 5,
    checkpoint: 3,
    results: 5,
    kept_logits: 6,
    manifest: 8,
    folding: 3,
    image_array: 12,
    picture: 12,
    archive: 12,
    class_folders: 8,
    training_options: 12,
    stage_options: 8,
}
"""Each kind of input, and how often it is drawn."""
