"""The process of a study on a worker of a Dask cluster: reads its order from the input, and takes trials.

Before the first one it makes sure that this folder holds the code, the data and the weights that the study was made
with: trials of other ones would be another study's.
"""

import json
import os
import platform
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import optuna

from mtl.cli.study.cluster_task import pipeline_digest
from mtl.cli.study.plan import MEANS, Plan, plan_of
from mtl.cli.study.storage import GONE, Store, gone
from mtl.cli.study.trial import News, work
from mtl.config import parse_config
from mtl.errors import UserError
from mtl.experiment.identity import code_digest
from mtl.jobs.lifeline import end_with

NEWS_SECONDS = 0.5
LATE_SECONDS = 3.0
"""An epoch that goes on for longer than this is broken off when the process is asked to end."""
SHARE = (
    "share the project's folder with it, or bring both to the same commit and copy data/prepared and outputs there "
    "(`mtl repro` makes them)"
)


@dataclass(frozen=True)
class Order:
    """Facts of a study that its workers need; JSON can hold all of them."""

    study: str
    trials: int
    arms: list[str]
    parallel: bool
    config: dict[str, Any]
    specs: dict[str, Any]
    """Arm → what its trials' values depend on, where the study was made."""
    pipelines: str
    """Digest of the code that handles trials."""
    storage: str
    seconds: float | None
    """Seconds after which no trial is begun; None: no limit."""

    def dump(self) -> str:
        return json.dumps(asdict(self))


def order_for(plan: Plan, store: Store, seconds: float | None) -> Order:
    """An order to take part in a study."""
    config = plan.config.model_dump(mode="json", by_alias=True, exclude={"tracking"})
    specs = {arm: plan.spec(arm) for arm in plan.arms}
    address = store.url.render_as_string(hide_password=False)
    return Order(
        plan.name, plan.trials, plan.arms, plan.parallel, config, specs, pipeline_digest(), address, seconds
    )  # fmt: skip


def planned(order: Order, root: Path) -> Plan:
    """The study as this machine would make it.

    Raises:
        UserError: it would be another one.
    """
    where = f"{platform.node()}:{root.resolve()}"
    specs = order.specs
    if order.pipelines != pipeline_digest() or any(spec["code"] != code_digest(root) for spec in specs.values()):
        raise UserError(f"{where} has other code than the study {order.study!r}: {SHARE}.")
    try:
        plan = plan_of(parse_config(order.config), order.study, order.trials, order.arms, order.parallel, root)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    for arm in plan.arms:
        here = json.loads(json.dumps(plan.spec(arm)))
        for key, meaning in MEANS.items():
            if here[key] != specs[arm][key]:
                raise UserError(f"{where} has {meaning} than the study {order.study!r}: {SHARE}.")
    return plan


class Ending:
    """A request to end (SIGTERM), heeded between two epochs: an exception at any moment, as Ctrl-C raises it, is at
    times swallowed by the driver of the database, or taken for its failure."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGALRM, self._break_off)

    def check(self) -> None:
        """Raises a KeyboardInterrupt if it was asked for."""
        if self.asked:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
            signal.setitimer(signal.ITIMER_REAL, LATE_SECONDS)

    def _break_off(self, number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt


def take_part(order: Order, root: Path, send: "Send", ending: Ending) -> dict[str, str]:
    """Takes trials until all are finished or the time is up; how it ended."""
    until = None if order.seconds is None else time.monotonic() + order.seconds
    last = 0.0

    def tell(news: News) -> None:
        nonlocal last
        ending.check()
        if news.done in (0, news.total) or time.monotonic() - last > NEWS_SECONDS:
            last = time.monotonic()
            send(asdict(news))

    try:
        plan = planned(order, root)
        store = Store(order.storage, root)
    except UserError as error:
        return {"end": "unfit", "text": str(error)}
    try:
        work(plan, store, until, tell)
    except UserError as error:
        return {"end": "problem", "text": str(error)}
    except GONE as error:
        return {"end": "away", "text": str(gone(error))}
    return {"end": "done", "text": ""}


class Send:
    """Writes messages as lines of JSON to whoever started this process."""

    def __init__(self, channel: int) -> None:
        self.file = os.fdopen(channel, "w", encoding="utf-8")

    def __call__(self, message: dict[str, Any]) -> None:
        self.file.write(json.dumps(message) + "\n")
        self.file.flush()


def main(channel: int, parent: int) -> None:
    """Ctrl-C is its parent's matter; when that wants it to end, its trial is handed back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ending = Ending()
    end_with(parent)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    send = Send(channel)
    try:
        send(take_part(Order(**json.load(sys.stdin)), Path(), send, ending))
    except KeyboardInterrupt:
        raise SystemExit(1) from None
    except Exception as error:
        traceback.print_exc()
        send({"end": "failed", "text": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
