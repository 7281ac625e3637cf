"""Child of benchmarks/pipeline.py: a training stage that ends as soon as its first optimiser step is done.

    python -m benchmarks.first_step mtl.stages.baseline

A stage that keeps runs finds none, and leaves those that are there alone. Nothing else of it is changed: torch calls
the hook after the first step of whichever process takes it (workers are forked and inherit it), which notes the time
and ends the whole process group. The stage must run in one of its own.
"""

import os
import runpy
import signal
import sys
import time
from argparse import REMAINDER, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NOTE = Path("first-step.txt")


class NothingKept:
    """Store and output of a stage that holds no run."""

    def __init__(self, out: Path) -> None:
        del out

    def __getattr__(self, name: str) -> Any:
        return lambda *_: False


def main(given: Sequence[str] | None = None) -> int:
    """Runs the stage as `python -m` does; a stage that takes no step is an error."""
    # Not `benchmarks.command`, which imports torch: what a stage imports, it should import itself.
    command = ArgumentParser("python -m benchmarks.first_step", description=__doc__,
                             formatter_class=RawDescriptionHelpFormatter)  # fmt: skip
    command.add_argument("module", help="of the stage")
    command.add_argument("arguments", nargs=REMAINDER, help="its own")
    options = command.parse_args(given)
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def stop(*_: Any) -> None:
        NOTE.write_text(repr(time.time()))
        os.killpg(os.getpgrp(), signal.SIGKILL)

    register_optimizer_step_post_hook(stop)
    if options.module.rpartition(".")[2] in ("baseline", "finetune"):
        from mtl.stages import fan_out

        vars(fan_out)["Kept"] = NothingKept
    sys.argv = [options.module, *options.arguments]
    runpy.run_module(options.module, run_name="__main__", alter_sys=True)
    print(f"{options.module} took no step.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
