"""Patch steps: they know the installed files, and say so when an installed file is another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from accel_graphs import StreamChain
from finn.util.settings import get_settings

from codegen.cores import fifo, padding, width_converter
from codegen.cores.finn_rtl import PatchStep, Replacement, patch_library_file
from codegen.errors import RenderError
from codegen.render.render import render_sources

STEPS = [step for core in (padding, width_converter, fifo) for step in core.PATCH_STEPS]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A copy of FINN's RTL library that a test may change."""
    copy = tmp_path / "finn-rtllib"
    shutil.copytree(get_settings().finn_rtllib, copy)
    return copy


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_knows_the_installed_file(step: PatchStep) -> None:
    step.check_installed(Path(get_settings().finn_rtllib))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_refuses_a_changed_file(step: PatchStep, library: Path) -> None:
    changed = library / step.file
    changed.write_text(changed.read_text() + "\n")
    with pytest.raises(RenderError, match=rf"{step.name} does not know the installed {changed}"):
        step.check_installed(library)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_refuses_a_missing_file(step: PatchStep, library: Path) -> None:
    (library / step.file).unlink()
    with pytest.raises(RenderError, match=rf"{step.name} finds no {step.file}"):
        step.check_installed(library)


def test_a_text_that_occurs_another_number_of_times_is_refused() -> None:
    class Twice(PatchStep):
        file = "some.sv"
        sha256 = ""
        replacements = (Replacement("logic", "wire", 2),)

    assert Twice().apply("logic a; logic b;") == "wire a; wire b;"
    with pytest.raises(RenderError, match=r"Twice expects 2 times 'logic' in some\.sv, found 1"):
        Twice().apply("logic a;")


def test_patched_files_hold_what_neither_tool_refuses() -> None:
    library = Path(get_settings().finn_rtllib)
    for step in (step for step in STEPS if not step.template):
        text = patch_library_file(library, step.file, STEPS)
        assert "`default_nettype" not in text
        assert "INIT_ABITS" not in text


def test_rendering_with_a_changed_library_leaves_no_rtl_folder(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = StreamChain((4, 4, 2), 8, 2).fifo(4).convert(1).save(tmp_path / "run")
    (library / "dwc/hdl/vpc.sv").write_text("// another version\n")
    monkeypatch.setattr(get_settings(), "finn_rtllib", library)
    with pytest.raises(RenderError, match=r"MoveNettypeOutOfVpc .*vpc\.sv"):
        render_sources(run)
    assert not (run.path / "rtl").exists()
    assert not list(run.path.glob(".rtl*"))
