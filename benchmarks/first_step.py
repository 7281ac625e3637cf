"""Child of benchmarks/pipeline.py: a training stage that ends as soon as its first optimiser step is done.

    python -m benchmarks.first_step stages.baseline next_6h

Nothing of the stage is changed: torch calls the hook after the first step of whichever process takes it (workers are
forked and inherit it), which notes the time and ends the whole process group. The stage must run in one of its own.
"""

import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

NOTE = Path("first-step.txt")


def main(module: str, arguments: list[str]) -> None:
    """Runs the stage as `python -m` does."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def stop(*_: Any) -> None:
        NOTE.write_text(repr(time.time()))
        os.killpg(os.getpgrp(), signal.SIGKILL)

    register_optimizer_step_post_hook(stop)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
