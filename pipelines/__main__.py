"""`python -m pipelines` is the command `mtl` for the sources in the current folder, whatever is installed."""

from pipelines.cli import main

main()
