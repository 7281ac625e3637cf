"""Transfer in place of joint training: one task trained after those that it was trained with, as an arm of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from mtl.config import Method, SequentialMethod, Start
from mtl.evaluation.relation import related
from mtl.results.verdicts import JudgedMethod, Row, Verdicts

LONGEST_NAME = 60
"""Characters of the name of a method."""


@dataclass(frozen=True)
class Transfer:
    """An arm that trains a task after its partners instead of together with them: measured already, or to be added."""

    row: Row | None
    """Verdict of an arm that trains so; None where there is no such arm."""
    line: str | None
    """The line of `finetune.methods` that adds such an arm; None where there is one, or where a frozen encoder hands
    nothing on."""


def transfer(verdicts: Verdicts, methods: Mapping[str, Method], method: JudgedMethod, task: str) -> Transfer:
    """Transfer to a task of a joint method.

    Args:
        verdicts: what was measured.
        methods: section `finetune.methods`.
        method: the joint method.
        task: one of its tasks.
    """
    partners = [name for name in method.trained if name != task]
    for name, other in methods.items():
        if _measures(other, partners, task) and other.label == method.start:
            rows = [row for row in verdicts.rows if (row.method, row.task) == (name, task)]
            return Transfer(rows[0] if rows else None, None)
    frozen = methods[method.name].freeze == "encoder"
    return Transfer(None, None if frozen or not partners else _line(methods, methods[method.name], partners, task))


def calls_for_transfer(verdicts: Verdicts, methods: Mapping[str, Method], method: JudgedMethod, task: str) -> bool:
    """True when transfer should take the place of a joint method that helped a task: by the data maps the task has
    nothing in common with its partners, and no arm has shown that transfer does not help it."""
    if related(verdicts, method, task) is not False:
        return False
    row = transfer(verdicts, methods, method, task).row
    return row is None or row.verdict.helped or row.verdict.open == "too few seeds"


def _measures(method: Method, partners: list[str], task: str) -> bool:
    """True when a method trains a task by itself after some of its partners, and nothing else before."""
    if not isinstance(method, SequentialMethod) or method.order is None or method.order[-1] != [task]:
        return False
    return {name for phase in method.order[:-1] for name in phase} <= set(partners)


def _line(methods: Mapping[str, Method], method: Method, partners: list[str], task: str) -> str:
    """A method in the form of params.yaml, with the start of the joint one."""
    name, number = f"transfer_{task}"[:LONGEST_NAME], 1
    while name in methods:
        number += 1
        name = f"transfer_{task}"[: LONGEST_NAME - len(f"_{number}")] + f"_{number}"
    before = partners[0] if len(partners) == 1 else f"[{', '.join(partners)}]"
    start = method.model_dump(include=set(Start.model_fields), exclude_defaults=True)
    settings = {"kind": "sequential", "order": f"[{before}, {task}]"} | start
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}"
