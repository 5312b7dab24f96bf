"""What pyproject.toml cannot say: configs/, zoo/ and the licence are copied into a wheel, as spikefold/shipped/."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("configs", "zoo", "LICENSE")
ROOT = Path(__file__).parent


class BuildWithShipped(build_py):
    """The usual build, and behind it the files that lie beside the packages in a checkout."""

    def run(self) -> None:
        """Copy them; an editable installation finds them where they are."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "spikefold" / "shipped"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target / name)


setup(cmdclass={"build_py": BuildWithShipped})
