"""Launcher: `python -m pipelines` is the command `mtl` for the sources in the current folder, whatever is installed."""

from mtl.cli.main import main

main()
