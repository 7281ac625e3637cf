"""Messages to the user about the tracker."""

from mtl.tracking.address import database_file, vanishes, without_password
from mtl.tracking.job import Job
from mtl.tracking.spool import Answer

DAMAGED = ("malformed", "not a database")
"""Parts of what SQLite says of a file that something has overwritten or cut off."""
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
    there += remedy(job.uri, answer.problem)
    return f"MLflow at {where} {what}{why}.{there} Results are safe; {later}"


def remedy(uri: str, problem: str | None) -> str:
    """Sentence on what to do with a database file that was damaged, behind a blank; empty for any other problem."""
    database = database_file(uri)
    if database is None or not any(sign in (problem or "") for sign in DAMAGED):
        return ""
    return (
        f" Rename {database.name} to {database.name}.damaged, so that it is made anew, or put a copy of an earlier day "
        "in its place, which alone holds the runs of earlier settings."
    )
