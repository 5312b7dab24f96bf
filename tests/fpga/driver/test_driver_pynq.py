"""The stand-in for pynq has the interface of pynq 4.0.0, and pynq's own DMA channel works with the simulated DMA.

pynq itself cannot be installed here, as it needs an older numpy: its sources are fetched without what they need, and
read.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spikefold_driver import Accelerator
from trained_digits import ROOT, Digits

from fpga.simulation.axi_board import Fault, SimulatedAxiBoard

PYNQ = "pynq==4.0.0"
STAND_IN = ROOT / "fpga" / "simulation" / "stand_in" / "pynq"
DRIVER = ROOT / "fpga" / "driver" / "spikefold_driver"
KEPT = ROOT / "build" / PYNQ.replace("==", "-")
NAMED_OTHERWISE = {"write": "write_mm"}
"""pynq's MMIO takes its method ``write`` from one of several."""


@pytest.fixture(scope="session")
def pynq_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of pynq's sources; skips where the registry cannot be reached."""
    if not (KEPT / "pynq" / "overlay.py").is_file():
        fetched = tmp_path_factory.mktemp("pynq") / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(fetched)]
        done = subprocess.run([*pip, PYNQ], capture_output=True, text=True, check=False, timeout=180)
        if done.returncode:
            pytest.skip(f"pip did not fetch {PYNQ}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        KEPT.parent.mkdir(exist_ok=True)
        if not KEPT.exists():
            fetched.replace(KEPT) if fetched.stat().st_dev == KEPT.parent.stat().st_dev else _move(fetched)
    return KEPT / "pynq"


def _move(fetched: Path) -> None:
    import shutil

    aside = KEPT.with_name(f".{KEPT.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(fetched, aside)
    aside.replace(KEPT)


def _definitions(file: Path) -> dict[str, ast.FunctionDef]:
    """Functions and methods of a module by name, those of a class as Class.name."""
    found: dict[str, ast.FunctionDef] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found.update({f"{node.name}.{item.name}": item for item in node.body if isinstance(item, ast.FunctionDef)})
    return found


def _parameters(function: ast.FunctionDef) -> list[tuple[str, str | None]]:
    """Names and defaults in order; ** where there are keyword arguments of any name."""
    arguments = function.args
    names = [argument.arg for argument in arguments.args]
    defaults: list[str | None] = [ast.unparse(default) for default in arguments.defaults]
    padded = [None] * (len(names) - len(defaults)) + defaults
    return [*zip(names, padded, strict=True), *([("**", None)] if arguments.kwarg else [])]


def _is_property(function: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "property" for one in function.decorator_list)


@pytest.mark.parametrize("module", ["buffer", "mmio", "overlay", "pmbus"])
def test_names_parameters_and_defaults(module: str, pynq_source: Path) -> None:
    ours, theirs = (_definitions(folder / f"{module}.py") for folder in (STAND_IN, pynq_source))
    compared = 0
    for name, function in ours.items():
        owner, _, method = name.rpartition(".")
        if (method.startswith("_") and method != "__init__") or (not owner and method.startswith("_")):
            continue
        name = f"{owner}.{NAMED_OTHERWISE.get(method, method)}" if owner else name
        assert name in theirs, f"pynq/{module}.py has no {name}"
        assert _parameters(function) == _parameters(theirs[name]), name
        assert _is_property(function) == _is_property(theirs[name]), name
        compared += 1
    assert compared


def test_buffers_have_what_the_driver_uses(pynq_source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods that the stand-in's buffer inherits from the simulated board's."""
    monkeypatch.syspath_prepend(STAND_IN.parent)
    from pynq import PynqBuffer

    theirs = _definitions(pynq_source / "buffer.py")
    dma = (DRIVER / "transports" / "dma.py").read_text(encoding="utf-8")
    for name in ("flush", "invalidate", "freebuffer", "physical_address"):
        assert f".{name}" in dma
        assert _is_property(theirs[f"PynqBuffer.{name}"]) == isinstance(getattr(PynqBuffer, name), property)
        assert [parameter for parameter, _ in _parameters(theirs[f"PynqBuffer.{name}"])] == ["self"]


def test_the_driver_uses_nothing_that_either_lacks(pynq_source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STAND_IN.parent)
    import pynq

    used = set()
    for source in DRIVER.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pynq":
                used.add(node.attr)
    assert used == {"MMIO", "Overlay", "allocate", "get_rails"}
    exported = set()
    for node in ast.walk(ast.parse((pynq_source / "__init__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            exported |= {alias.asname or alias.name for alias in node.names}
    assert used <= exported
    assert used <= set(pynq.__all__)
    # Of an overlay's dictionary: pynq's own DMA driver reads the same parameters, in small letters.
    theirs = (pynq_source / "lib" / "dma.py").read_text(encoding="utf-8")
    ours = (DRIVER / "transports" / "overlay.py").read_text(encoding="utf-8")
    for name in ("c_include_sg", "c_sg_length_width"):
        assert f'"{name}"' in theirs and f'"{name}"' in ours
    assert "'phys_addr' : int, 'addr_range' : int" in (pynq_source / "overlay.py").read_text(encoding="utf-8")
    assert 'bindto = ["xilinx.com:ip:axi_dma:7.1"]' in theirs
    rail = _definitions(pynq_source / "pmbus.py")
    assert {f"{sensor}.value" for sensor in ("Sensor", "DerivedPowerSensor")} <= set(rail)


@pytest.mark.parametrize("data", [np.uint32(1), 1.0, "1", True])
def test_registers_take_plain_integers_only(data: Any, pynq_board: SimulatedAxiBoard, pynq_source: Path) -> None:
    """As pynq's: a numpy integer is an error there, and the stand-in must not hide it."""
    from pynq import MMIO
    from pynq.board import ACCELERATOR_BASE

    assert "if type(data) is int:" in (pynq_source / "mmio.py").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="Data type must be int or bytes"):
        MMIO(ACCELERATOR_BASE, 64).write(8, data)
    with pytest.raises(MemoryError, match="Unaligned"):
        MMIO(ACCELERATOR_BASE, 64).write(2, 1)
    with pytest.raises(IndexError):
        MMIO(ACCELERATOR_BASE, 64).read(64)


@pytest.fixture
def channels(pynq_source: Path, pynq_board: SimulatedAxiBoard) -> tuple[Any, Any]:
    """Send and receive channel: pynq's own class, on the simulated DMA's registers."""
    tree = ast.parse((pynq_source / "lib" / "dma.py").read_text(encoding="utf-8"))
    wanted = [node for node in tree.body if isinstance(node, ast.Assign)]
    wanted += [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "_SDMAChannel"]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(wanted, []), "pynq/lib/dma.py", "exec"), names)
    kind, limit = names["_SDMAChannel"], (1 << 26) - 1
    return (
        kind(pynq_board.dma, limit, 4, names["DMA_TYPE_TX"], False),
        kind(pynq_board.dma, limit, 4, names["DMA_TYPE_RX"], False),
    )


def test_pynqs_own_channels_move_images(
    channels: tuple[Any, Any], digits: Digits, package: Path, pynq_board: SimulatedAxiBoard
) -> None:
    """transfer, wait, running, idle, error and transferred behave as on hardware."""
    from pynq import allocate
    from spikefold_driver.packing import pack_images, unpack_logits
    from spikefold_driver.registers import CONTROL, CONTROL_START, FRAMES

    with Accelerator.open(package) as accelerator:
        description = accelerator.description
    send, receive = channels
    assert send.running and receive.running and not send.error
    source = allocate(shape=(4, 256, 1), dtype=np.uint8)
    target = allocate(shape=(4, description.output.words, description.output.stream_bytes), dtype=np.uint8)
    for first in (0, 4):
        source[:] = pack_images(digits.images[first : first + 4], description)
        pynq_board.core.write(FRAMES, 4)
        pynq_board.core.write(CONTROL, CONTROL_START)
        receive.transfer(target)
        send.transfer(source)
        with pytest.raises(RuntimeError, match="DMA channel not idle"):
            receive.transfer(target)
        send.wait()
        receive.wait()
        assert (send.transferred, receive.transferred) == (source.nbytes, target.nbytes)
        np.testing.assert_array_equal(unpack_logits(target, description.output), digits.logits[first : first + 4])
    receive.stop()
    assert not receive.running
    receive.start()


def test_pynqs_own_channels_see_errors(channels: tuple[Any, Any], pynq_board: SimulatedAxiBoard) -> None:
    from pynq import allocate

    send, receive = channels
    source = allocate(shape=(256,), dtype=np.uint8)
    pynq_board.inject(Fault.SEND_SLAVE_ERROR, 64)
    send.transfer(source)
    pynq_board.advance(500)
    assert send.error and not send.running
    with pytest.raises(RuntimeError, match="DMA channel not started"):
        send.wait()
    source.base_address = 0x100  # where there is no memory
    receive.transfer(source)
    assert not receive.idle and not receive.error


def test_real_driver_needs_no_channel(pynq_source: Path) -> None:
    """Why: pynq's channels wait without an end, in wait, start and stop alike."""
    theirs = _definitions(pynq_source / "lib" / "dma.py")
    for name in ("wait", "start", "stop"):
        loops = [node for node in ast.walk(theirs[f"_SDMAChannel.{name}"]) if isinstance(node, ast.While)]
        assert len(loops) == 1
        assert not any(isinstance(node, ast.Name) and node.id == "time" for node in ast.walk(loops[0]))
