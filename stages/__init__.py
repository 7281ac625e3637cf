"""Launcher: `python -m stages.NAME` in a clone is `python -m mtl.stages.NAME`, which dvc.yaml names."""

from mtl.stages import __path__  # noqa: F401, the place where the modules of this package are found
