"""Display of a study: progress and the best trials, live on a terminal, otherwise a line a trial."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mtl.cli.study.objective import MAXIMISED
from mtl.cli.study.plan import Plan
from mtl.cli.study.storage import Store
from mtl.cli.study.study import ERROR, is_finished, trials_of
from mtl.cli.study.trial import News
from mtl.results.study import State

BEST = 5
"""Trials that are shown of each arm."""


def state_of(trial: FrozenTrial) -> State:
    """In a word."""
    if trial.state == TrialState.FAIL:
        return "failed" if is_finished(trial) else "lost"
    if trial.state == TrialState.COMPLETE:
        return "complete" if is_feasible(trial) else "infeasible"
    if trial.state == TrialState.PRUNED:
        return "pruned"
    return "running" if trial.state == TrialState.RUNNING else "waiting"


def is_feasible(trial: FrozenTrial) -> bool:
    """True when a trial keeps every constraint."""
    return all(excess <= 0 for excess in trial.constraints.values())


def best_first(plan: Plan, arm: str, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The complete trials: feasible before infeasible, then by the first objective, then by number."""
    sign = -1 if plan.goals[arm].objectives[0] in MAXIMISED else 1
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (not is_feasible(trial), sign * trial.values[0], trial.number))


def shown(value: object) -> str:
    """A value as a table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def short(paths: Sequence[str]) -> dict[str, str]:
    """Path → its last part, or more of it where that is no name of its own."""
    names: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[-length:])
            if sum((f".{other}").endswith(f".{name}") for other in paths) == 1:
                break
        names[path] = name
    return names


def table_of(plan: Plan, arm: str, trials: Sequence[FrozenTrial]) -> Table:
    """The best trials of an arm."""
    names = short(list(plan.spaces[arm]))
    table = Table("trial", *plan.goals[arm].objectives, *names.values(), "state", box=None, header_style="bold",
                  pad_edge=False, collapse_padding=True)  # fmt: skip
    for trial in best_first(plan, arm, trials)[:BEST]:
        table.add_row(
            str(trial.number), *map(shown, trial.values), *(shown(trial.params[path]) for path in names),
            state_of(trial),
        )  # fmt: skip
    return table


@dataclass
class Display:
    """Shows a study while it runs."""

    plan: Plan
    store: Store
    console: Console = field(default_factory=Console)
    said: set[tuple[str, int]] = field(default_factory=set)

    def __enter__(self) -> "Display":
        # It is drawn when there is news, by no thread of its own: workers are forked from this process.
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        if self.console.is_terminal:
            self.live.start()
        for arm in self.plan.arms:
            self.said |= {(arm, trial.number) for trial in self._trials(arm) if is_finished(trial)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.live.stop()

    def _trials(self, arm: str) -> list[FrozenTrial]:
        return trials_of(self.plan, self.store, arm)

    def show(self, under_way: list[News], last: bool) -> None:
        """Draws the study as it stands in the storage, and the trials under way."""
        parts: list[Table | Text] = []
        for arm in self.plan.arms:
            trials = self._trials(arm)
            self._say(arm, trials)
            done = sum(map(is_finished, trials))
            running = [f"{n.number} ({n.done}/{n.total} epochs)" for n in under_way
                       if n.arm == arm and trials[n.number].state == TrialState.RUNNING]  # fmt: skip
            head = f"{arm}: {done} of {self.plan.trials} trials"
            parts.append(Text(head + (f"; under way: {', '.join(sorted(running))}" if running else ""), style="bold"))
            parts.append(table_of(self.plan, arm, trials))
        if self.console.is_terminal and not last:
            self.live.update(Group(*parts), refresh=True)

    def _say(self, arm: str, trials: Sequence[FrozenTrial]) -> None:
        """A line for each trial that has finished since, where there is no terminal."""
        for trial in trials:
            if is_finished(trial) and (arm, trial.number) not in self.said:
                self.said.add((arm, trial.number))
                if not self.console.is_terminal:
                    values = ", ".join(
                        f"{name} {shown(value)}"
                        for name, value in zip(self.plan.goals[arm].objectives, trial.values or [], strict=False)
                    )
                    reason = trial.user_attrs.get(ERROR, "")
                    print(f"{arm} trial {trial.number}: {state_of(trial)} {values}{reason}".rstrip(), flush=True)


def summary(plan: Plan, store: Store, console: Console) -> None:
    """Prints the best trials of every arm."""
    for arm in plan.arms:
        trials = trials_of(plan, store, arm)
        counts: dict[str, int] = {}
        for trial in trials:
            counts[state_of(trial)] = counts.get(state_of(trial), 0) + 1
        said = ", ".join(f"{number} {state}" for state, number in counts.items()) or "no trial yet"
        console.print(f"{arm}: {said}", style="bold")
        if best_first(plan, arm, trials):
            console.print(table_of(plan, arm, trials))
