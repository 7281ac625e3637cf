"""`mtl refit`: the settings that the verdicts recommend, trained again on more data, shown, and given to DVC."""

import signal
import sys
from pathlib import Path
from types import FrameType

from mtl.api.deployment.refit import Refit
from mtl.api.deployment.refit import refit as made
from mtl.cli.deploy import say, track
from mtl.cli.repro import INTERRUPTED_CODE, INTERRUPTED_MESSAGE
from mtl.jobs.local import run_jobs


def refit(asked: Refit, root: Path = Path()) -> Path:
    """Writes models/NAME, says what it holds, and gives it to DVC where the project has one.

    Raises:
        UserError: nothing was evaluated yet, a run is missing or cannot be made again, or there is no such method.
        SystemExit: it was interrupted; what was trained is kept.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        folder, deployment = made(asked, run_jobs, root)
    except KeyboardInterrupt:
        print(INTERRUPTED_MESSAGE.format(f"mtl refit {asked.wish.method}"), file=sys.stderr)
        raise SystemExit(INTERRUPTED_CODE) from None
    finally:
        signal.signal(signal.SIGTERM, before)
    say(deployment)
    track(folder, root)
    return root / folder


def _end(number: int, frame: FrameType | None) -> None:
    """Ends in order, as Ctrl-C does."""
    raise KeyboardInterrupt
