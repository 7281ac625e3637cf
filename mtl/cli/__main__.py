"""`python -m mtl.cli` is the command `mtl`."""

from mtl.cli.main import main

main()
