"""`mtl repro`: check the configuration, run DVC, mirror the results, print the verdicts.

DVC turns every failing stage into exit code 255. To give the user's mistakes their own code (2), it runs through
`python -m mtl.cli.repro`, which looks at why DVC gave up; DVC keeps the terminal to itself either way.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from mtl.cli import preflight
from mtl.cli.estimate.estimate import estimate
from mtl.cli.quick import is_workspace, lay_out
from mtl.config import PARAMS, Config, load_config
from mtl.errors import EXIT_CODE, speak_plainly
from mtl.files import replace_text
from mtl.jobs.scheduler import SCHEDULER
from mtl.paths import VERDICTS
from mtl.project.pipeline import upgrade
from mtl.results.kept import AGAIN, ALONE, EVERYTHING, INCOMPLETE
from mtl.results.quick import QuickLook
from mtl.results.verdicts import Verdicts

REPORT = Path("report/report.html")
USER_ERROR = re.compile(rf"exited with {EXIT_CODE}\b|is busy, it is being blocked by|Unable to acquire lock")
"""Errors that the user can mend: a stage's own, or another DVC that is running a pipeline in this folder."""
OWN_STAGE = re.compile(rf"failed to run: python -m mtl\.stages\.\w+( [^,]*)?, exited with {EXIT_CODE}")
"""Error of one of our stages, whose own message stands above DVC's."""
OPEN_STAGE = re.compile(rf"failed to run: python -m mtl\.stages\.\w+, exited with {INCOMPLETE}")
"""End of a stage that has made what it was asked for, while other runs of it lack."""
HINTS = ("\nTo track the changes with git, run:", "\nTo enable auto staging, run:")
"""Beginnings of messages of DVC on git, which no setting of it turns off without staging files for the user."""
FAILED = "failed to reproduce "
ANOTHER = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
HOLDER = re.compile(r"\(PID (\d+)\)")
INTERRUPTED = re.compile(r"exited with (130|-2)\b")
INTERRUPTED_CODE = 130
INTERRUPTED_MESSAGE = "Interrupted; `{}` goes on from the last states."
ASK_AGAIN_SECONDS = 10.0


def repro(targets: list[str], force: bool, root: Path = Path(), quick: bool = False) -> int:
    """Brings the pipeline up to date and shows what came out.

    Args:
        targets: DVC targets, such as `evaluate`, or a method or task of a stage, such as `finetune@joint`; none is the
            whole pipeline.
        force: compute also what is up to date.
        root: folder of the project.
        quick: a first look with one seed and few epochs, in a workspace of its own.

    Returns:
        Exit code: 0, 2 for a mistake of the user's, or DVC's own.

    Raises:
        UserError: the configuration cannot be used, a target is no stage, or this is not the project's folder.
    """
    began = time.time()
    config = load_config(root / PARAMS)
    bring_code_up_to_date(root)
    preflight.check(config, targets, root)
    from mtl import tracking  # here, as below: DVC's process begins with this module, and loads as little as it can

    if config.tracking.enabled:
        tracking.resolve_uri(config, root)  # A wrong address is said now, not after hours.
    if quick:
        root = lay_out(config, root)
        config = load_config(root / PARAMS)
        look = QuickLook.of(config)
        assert look is not None, "the workspace's params.yaml is marked"
        print(f"Quick look in {root}: {look.budget}. The results of `mtl repro` stay as they are.", flush=True)
    allow_without_git(root)
    foreseen = estimate(config, targets, force, root)
    there = os.environ.get(SCHEDULER)  # The times are those of this machine.
    for sentence in foreseen.sentences if not there else ():
        print(f"{sentence[0].upper()}{sentence[1:]}.", flush=True)
    if foreseen.nothing:
        print("Data and pipelines are up to date.", flush=True)
    code = 0 if foreseen.nothing else run_targets(targets, force, root)
    if code == 0 and (not targets or "evaluate" in targets):
        publish(config, began, root)
    elif code == 0:
        tracking.settle(root)
    if code == 0 and targets and "evaluate" not in targets:
        shows = "" if quick else "; `mtl show` prints the verdicts of the last evaluation"
        print(f"`{command_in(root)}` without a stage evaluates{shows}.")
    elif code == 0 and (root / VERDICTS).exists():
        show(root)
    return code


def run_targets(targets: list[str], force: bool, root: Path = Path()) -> int:
    """Runs DVC for some targets; one for all, and one before for each stage of which some runs alone are asked for.

    DVC knows a stage as a whole: the stage is told in a variable what to make, and ends with a code of its own, by
    which DVC leaves it open, where other runs lack.

    Args:
        targets: stages, files, or a method or task of a stage, such as `finetune@joint`; none is the whole pipeline.
        force: compute also what is up to date; of a method or task its runs alone.
        root: folder of the project.

    Returns:
        DVC's exit code.
    """
    by_stage: dict[str, list[str]] = {}
    for target in targets:
        kind, _, name = target.partition("@")
        if name and kind in preflight.MEMBERS:
            by_stage.setdefault(kind, []).append(target)
    others = [target for target in targets if target not in {part for parts in by_stage.values() for part in parts}]
    for kind, parts in by_stage.items():
        changes = {ALONE: " ".join(parts)}
        if force:
            for part in parts:
                shutil.rmtree(root / "outputs" / kind / part.partition("@")[2], ignore_errors=True)
            changes[AGAIN] = changes[ALONE]
        if code := run_dvc(["repro", kind], root, changes):
            return code
    if targets and not others:
        return 0
    if force:
        return run_dvc(["repro", "--force", *others], root, {AGAIN: EVERYTHING})
    return run_dvc(["repro", *others], root)


def command_in(folder: Path) -> str:
    """The command that goes on with the pipeline of a folder."""
    return "mtl repro --quick" if is_workspace(folder) else "mtl repro"


def bring_code_up_to_date(root: Path = Path()) -> None:
    """Writes into code.json which code is installed, and says what an upgrade makes run again; nothing in a clone."""
    change = upgrade(root)
    if change is not None:
        change.write(root)
        for sentence in change.said:
            print(f"{sentence}.", flush=True)


def run_dvc(
    arguments: list[str], root: Path = Path(), changes: dict[str, str] | None = None, output: IO[bytes] | None = None
) -> int:
    """Runs DVC in a process that owns the terminal, and returns its exit code (2: a mistake of the user's).

    Args:
        arguments: of `dvc`.
        root: folder of the project.
        changes: variables of its environment that differ from this process's.
        output: what it prints goes to this file instead of the terminal.
    """
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"} | (changes or {})
    # Stages are started by name: `python` should be this one, whether or not the environment is activated.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # sys.path of the child begins with its folder, so the project's modules are found there as well.
    command = [sys.executable, "-m", "mtl.cli.repro", *arguments]
    child = subprocess.Popen(command, cwd=root, env=environment, stdout=output)

    asked: list[float] = []
    """Times at which DVC was asked to end (`time.monotonic`)."""

    def stop(number: int, frame: FrameType | None) -> None:
        # Where interrupts are ignored (a job in the background of a script), or one got lost in an import, end them.
        gently = not asked and signal.getsignal(signal.SIGINT) != signal.SIG_IGN
        asked.append(time.monotonic())
        _send(child.pid, signal.SIGINT if gently else signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            try:
                code = child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if asked and time.monotonic() - asked[-1] > ASK_AGAIN_SECONDS:
                    stop(signal.SIGTERM, None)
            except KeyboardInterrupt:  # The terminal told DVC and its stage as well.
                asked.append(time.monotonic())
            else:
                if code < 0 and asked:
                    print(INTERRUPTED_MESSAGE.format(command_in(root)), file=sys.stderr)
                    return INTERRUPTED_CODE
                return code
    finally:
        signal.signal(signal.SIGTERM, before)


def _send(process: int, number: signal.Signals) -> None:
    """Signals DVC and all that it started, as Ctrl-C does in a terminal: DVC assumes that its stage was told."""
    with suppress(psutil.NoSuchProcess):
        dvc = psutil.Process(process)
        for member in [*dvc.children(recursive=True), dvc]:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)


def publish(config: Config, began: float, root: Path = Path()) -> None:
    """Mirrors in MLflow what is not known to be there, and says so in a line; `evaluate` has done it if it ran.

    Args:
        config: the whole configuration.
        began: when the pipeline was started (seconds since 1970): it warns once.
        root: folder of the project.
    """
    from mtl import tracking

    if tracking.warned_since(began, root):
        return
    done = tracking.publish(config, root)
    if done.new:
        shown = "`mtl ui` shows them" + f" in the experiment {config.tracking.experiment}" * is_workspace(root)
        print(f"MLflow: {done.new} new runs, {done.present} were there; {shown}.")


def show(root: Path = Path()) -> None:
    """Prints the table of verdicts.

    Raises:
        UserError: nothing has been evaluated yet, or the file cannot be used.
    """
    from mtl import tracking
    from mtl.report.table import print_verdicts
    from mtl.report.timings import collect_timings, write_timings_js

    verdicts = Verdicts.read(root / VERDICTS)
    if (root / REPORT).exists():
        # The report is deterministic; this machine's times stand in a file beside it, which it reads when shown.
        write_timings_js(root, verdicts)
    tracking.tell_problem(root)
    print_verdicts(verdicts, collect_timings(root), root / REPORT)


def allow_without_git(root: Path) -> None:
    """A project unpacked from an archive is no git repository: tells DVC, in its git-ignored local settings."""
    if any((folder / ".git").exists() for folder in [root.resolve(), *root.resolve().parents]):
        return
    local = root / ".dvc" / "config.local"
    if not local.exists() or not local.stat().st_size:
        replace_text(local, "[core]\n    no_scm = true\n")


class _Reason(logging.Handler):
    """Remembers the reason why DVC gave up, where the user can mend it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.user_error = self.another = self.interrupted = False
        self.holders: set[str] = set()
        """Processes that hold the pipeline, as far as DVC names them."""
        self.stopped: str | None = None
        """The stage that ended with a message of its own."""
        self.open: str | None = None
        """The stage that made what it was asked for while other runs of it lack."""

    def emit(self, record: logging.LogRecord) -> None:
        for error in _causes(record):
            self.user_error |= bool(USER_ERROR.search(error))
            if ANOTHER.search(error):
                self.another = True
                self.holders |= set(HOLDER.findall(error))
            self.interrupted |= bool(INTERRUPTED.search(error))

    def lets_pass(self, record: logging.LogRecord) -> bool:
        """True when DVC should print a record; we report failures of our stages and another DVC at work ourselves, and
        its hints on git would stand between the last stage and the verdicts."""
        if record.levelno == logging.INFO and str(record.msg).startswith(HINTS):
            return False
        causes = _causes(record)
        if any(ANOTHER.search(cause) for cause in causes):
            return False  # its advice is to delete the other's lock
        match causes:
            case [failed, cause] if failed.startswith(FAILED) and OWN_STAGE.fullmatch(cause):
                self.stopped = failed.removeprefix(FAILED).strip("'")
                return False
            case [failed, cause] if failed.startswith(FAILED) and OPEN_STAGE.fullmatch(cause):
                self.open = failed.removeprefix(FAILED).strip("'")
                return False
        return True


def _causes(record: logging.LogRecord) -> list[str]:
    """Messages of a record's error and of what it came from."""
    messages = []
    error: BaseException | None = record.exc_info[1] if record.exc_info else None
    while error is not None:
        messages.append(str(error))
        error = error.__cause__ or error.__context__
    return messages


def _dvc(arguments: list[str]) -> int:
    from dvc.cli import main

    from mtl.cli.dvc_files import guard
    from mtl.cli.dvc_params import fill_in

    guard(Path())
    fill_in(Path())
    reason = _Reason()
    logger = logging.getLogger("dvc")
    for handler in logger.handlers:
        handler.addFilter(reason.lets_pass)
    logger.addHandler(reason)
    code = int(main(arguments))
    if code and reason.open is not None:
        print(f"Other runs of {reason.open} lack or are of other settings: `{command_in(Path())}` makes them.")
        return 0
    if reason.stopped is not None:
        again = command_in(Path())
        print(f"The stage {reason.stopped} stopped there; `{again}` goes on with it.", file=sys.stderr)
    if code and reason.another:
        who = f" (process {', '.join(sorted(reason.holders))})" if reason.holders else ""
        print(f"error: another `mtl repro` or `dvc` works in this folder{who}: wait until it is done.", file=sys.stderr)
    if code and reason.interrupted:
        print(INTERRUPTED_MESSAGE.format(command_in(Path())), file=sys.stderr)
        return INTERRUPTED_CODE
    return EXIT_CODE if code and reason.user_error else code


if __name__ == "__main__":
    speak_plainly()
    raise SystemExit(_dvc(sys.argv[1:]))
