"""Messages to the user about the tracker."""

from mtl.tracking.address import vanishes, without_password
from mtl.tracking.job import Job
from mtl.tracking.spool import Answer

SLOW = "is slow"
"""The problem of a tracker that answers, but not in the time there is."""


def warning(job: Job, answer: Answer) -> str:
    """Warning text: where, what happened, what is there, and what to do about it."""
    where = without_password(job.uri)
    what = "cannot be reached" if where.startswith("http") else "cannot be used"
    why = f": {answer.problem}"
    if answer.problem == SLOW:
        what, why = SLOW, ""
    there = "" if answer.there is None else f" {answer.there} of {answer.total} runs are there."
    later = "`mtl sync` publishes them later."
    if vanishes(job.root):
        later = f"`dvc exp apply {job.execution}`, then `mtl sync`, publishes them later."
    return f"MLflow at {where} {what}{why}.{there} Results are safe; {later}"
