"""Tasks that may get worse by a share and still count as kept (`evaluate.tolerance`), as a reader is told of them."""

from dataclasses import dataclass

from mtl.report.words import briefly, metric_title
from mtl.results.verdicts import JudgedTask, Row, Verdicts


@dataclass(frozen=True)
class ToleranceGroup:
    """Rows of one metric and one tolerance."""

    who: str
    """Tasks that it is about: `a forecast`, or their names where each was given its own tolerance."""
    what: str
    """Metric in a line that names its tasks: `forecast MSE`."""
    title: str
    """Name of the metric."""
    tolerance: float
    lower_is_better: bool
    rows: list[Row]

    @property
    def share(self) -> str:
        """Tolerance in percent: `5 %`."""
        return f"{100 * self.tolerance:g} %"

    @property
    def meaning(self) -> str:
        """Sentence that explains the answers."""
        ratio = f"joint {self.title} / STL {self.title}"
        sides = ("below", f"{1 + self.tolerance:g}", "above")
        if not self.lower_is_better:
            sides = ("above", f"{1 - self.tolerance:g}", "below")
        return (
            f"For {self.who}: whether the interval of {ratio} stays {sides[0]} {sides[1]} (yes), {sides[2]} it (no), "
            "or on both sides (not known)."
        )


def tolerances(verdicts: Verdicts) -> list[ToleranceGroup]:
    """Groups in the order of the tasks; none where no task has a tolerance."""
    answered = {row.task for row in verdicts.rows if row.within_tolerance is not None}
    groups: dict[tuple[str, float], list[JudgedTask]] = {}
    for task in verdicts.tasks:
        share = verdicts.tolerance_of(task.name)
        if share is not None and task.name in answered:
            groups.setdefault((task.metric, share), []).append(task)
    return [_group(verdicts, metric, share, tasks) for (metric, share), tasks in groups.items()]


def _group(verdicts: Verdicts, metric: str, share: float, tasks: list[JudgedTask]) -> ToleranceGroup:
    title, names = metric_title(metric), [task.name for task in tasks]
    rows = [row for row in verdicts.rows if row.task in names and row.within_tolerance is not None]
    who, what = briefly(names), title
    if not isinstance(verdicts.tolerance, dict):  # one for all tasks of these kinds
        kinds = list(dict.fromkeys(task.kind for task in tasks))
        who, what = " or ".join(f"a {kind}" for kind in kinds), f"{' and '.join(kinds)} {title}"
    return ToleranceGroup(who, what, title, share, tasks[0].lower_is_better, rows)


def column(groups: list[ToleranceGroup]) -> str:
    """Heading of the answers: `MSE within 5 %`; empty where there are none."""
    if not groups:
        return ""
    shares = {group.share for group in groups}
    titles = " or ".join(dict.fromkeys(group.title for group in groups))
    return f"{titles} within {shares.pop()}" if len(shares) == 1 else "within tolerance"
