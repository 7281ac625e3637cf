"""A number for each pair of tasks, as a history holds it: in words for few tasks, packed for many.

K tasks. `a|b` names a pair, a before b in the order of the run.
"""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, cast

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MANY = 32
"""Number of tasks above which the pairs are packed: a thousand tasks have half a million pairs, whose names alone
would be six times as long as their numbers."""
TASKS, NUMBERS = "tasks", "float32"
"""Keys of the packed form: the tasks in order, and base64 of little-endian numbers of 32 bits, those of the first
task's pairs before those of the second's; NaN where there is none."""


class Pairs(Mapping[str, float]):
    """Pair → number; a pair that was never measured is absent."""

    def __init__(self, few: Mapping[str, float], tasks: Sequence[str] = (), upper: NDArray[np.float32] | None = None):
        self._few, self._tasks = dict(few), tuple(tasks)
        self._upper = np.zeros(0, np.float32) if upper is None else upper
        if len(self._upper) != math.comb(len(self._tasks), 2):
            raise ValueError(
                f"should hold a number for each pair of {len(self._tasks)} tasks, found {len(self._upper)}"
            )
        self._places = {task: place for place, task in enumerate(self._tasks)}

    @classmethod
    def of(cls, tasks: Sequence[str], matrix: Float64[np.ndarray, "K K"]) -> "Pairs":
        """The numbers above the diagonal, NaN where a pair has none; of many tasks with 32 bits."""
        above = matrix[np.triu_indices(len(tasks), 1)]
        if len(tasks) > MANY:
            return cls({}, tasks, above.astype(np.float32))
        named = zip(combinations(tasks, 2), above.tolist(), strict=True)
        return cls({f"{first}|{second}": value for (first, second), value in named if not math.isnan(value)})

    def matrix(self, tasks: Sequence[str]) -> Float64[np.ndarray, "K K"]:
        """Symmetric, NaN on the diagonal and for pairs without a number; tasks in the order that is asked for."""
        whole = np.full((len(tasks), len(tasks)), np.nan)
        place = {task: number for number, task in enumerate(tasks)}
        for pair, value in self._few.items():
            first, _, second = pair.partition("|")
            if first in place and second in place:
                whole[place[first], place[second]] = whole[place[second], place[first]] = value
        if self._tasks:
            known = [(place[task], number) for task, number in self._places.items() if task in place]
            here, there = np.array(known, np.int64).reshape(-1, 2).T
            full = np.full((len(self._tasks), len(self._tasks)), np.nan)
            full[np.triu_indices(len(self._tasks), 1)] = self._upper
            full = np.fmax(full, full.T)
            whole[here[:, None], here] = full[there[:, None], there]
        return whole

    @property
    def packed(self) -> bool:
        """True for many tasks."""
        return bool(self._tasks)

    def __getitem__(self, pair: str) -> float:
        if not self._tasks:
            return self._few[pair]
        first, _, second = pair.partition("|")
        i, j, k = self._places[first], self._places.get(second, -1), len(self._tasks)
        if j <= i or math.isnan(value := float(self._upper[i * k - i * (i + 1) // 2 + j - i - 1])):
            raise KeyError(pair)
        return value

    def __iter__(self) -> Iterator[str]:
        if not self._tasks:
            yield from self._few
        for (first, second), value in zip(combinations(self._tasks, 2), self._upper, strict=True):
            if not np.isnan(value):
                yield f"{first}|{second}"

    def __len__(self) -> int:
        return len(self._few) + int((~np.isnan(self._upper)).sum())

    def __repr__(self) -> str:
        return f"Pairs({self._few})" if not self._tasks else f"<{len(self)} pairs of {len(self._tasks)} tasks>"

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it."""
        if not self._tasks:
            return dict(self._few)
        numbers = self._upper.astype("<f4").tobytes()
        return {TASKS: list(self._tasks), NUMBERS: base64.b64encode(numbers).decode("ascii")}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.float_schema(strict=True)
        few = core_schema.dict_schema(core_schema.str_schema(strict=True), number, strict=True)
        names = core_schema.list_schema(core_schema.str_schema(strict=True), strict=True)
        many = core_schema.typed_dict_schema(
            {
                TASKS: core_schema.typed_dict_field(names),
                NUMBERS: core_schema.typed_dict_field(core_schema.str_schema(strict=True)),
            },
            strict=True, extra_behavior="forbid",
        )  # fmt: skip
        return core_schema.tagged_union_schema(
            {
                "few": core_schema.no_info_after_validator_function(cls, few),
                "many": core_schema.no_info_after_validator_function(_unpacked, many),
                "made": core_schema.is_instance_schema(cls),
            },
            _form,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda pairs: pairs.plain()),
        )


def _form(content: object) -> str:
    if isinstance(content, Pairs):
        return "made"
    return "many" if isinstance(content, dict) and NUMBERS in content else "few"


def _unpacked(content: dict[str, Any]) -> Pairs:
    numbers: Float32[np.ndarray, " n"] = np.frombuffer(base64.b64decode(content[NUMBERS], validate=True), "<f4")
    return Pairs({}, content[TASKS], cast("NDArray[np.float32]", numbers.astype(np.float32)))
