"""A number for each pair of tasks, as a history holds it: in words for few tasks, packed for many.

K tasks. `a|b` names a pair, a before b in the order of the run. Arrays of such numbers are made in `pair_arrays`, so
that whoever only reads a history loads no numpy.
"""

import base64
import math
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MANY = 32
"""Number of tasks above which the pairs are packed: a thousand tasks have half a million pairs, whose names alone
would be six times as long as their numbers."""
TASKS, NUMBERS = "tasks", "float32"
"""Keys of the packed form: the tasks in order, and base64 of little-endian numbers of 32 bits, those of the first
task's pairs before those of the second's; NaN where there is none."""


class Pairs(Mapping[str, float]):
    """Pair → number; a pair that was never measured is absent.

    Args:
        few: pair → number.
        tasks: of the packed pairs, in order; none unless they are packed.
        numbers: one for each pair of them, as they are packed.
    """

    def __init__(self, few: Mapping[str, float], tasks: Sequence[str] = (), numbers: bytes = b"") -> None:
        self.few, self.tasks = dict(few), tuple(tasks)
        self.numbers = array("f", numbers)
        if sys.byteorder == "big":
            self.numbers.byteswap()
        if len(self.numbers) != math.comb(len(self.tasks), 2):
            raise ValueError(f"should be a number for each pair of {len(self.tasks)} tasks, found {len(self.numbers)}")
        self._places = {task: place for place, task in enumerate(self.tasks)}

    @property
    def packed(self) -> bool:
        """True for many tasks."""
        return bool(self.tasks)

    def __getitem__(self, pair: str) -> float:
        if not self.tasks:
            return self.few[pair]
        first, _, second = pair.partition("|")
        i, j, k = self._places[first], self._places.get(second, -1), len(self.tasks)
        if j <= i or math.isnan(value := self.numbers[i * k - i * (i + 1) // 2 + j - i - 1]):
            raise KeyError(pair)
        return value

    def __iter__(self) -> Iterator[str]:
        yield from self.few
        for (first, second), value in zip(combinations(self.tasks, 2), self.numbers, strict=True):
            if not math.isnan(value):
                yield f"{first}|{second}"

    def __len__(self) -> int:
        return len(self.few) + sum(not math.isnan(value) for value in self.numbers)

    def __repr__(self) -> str:
        return f"<{len(self)} pairs of {len(self.tasks)} tasks>" if self.tasks else f"Pairs({self.few})"

    def plain(self) -> dict[str, Any]:
        """Content as JSON holds it."""
        if not self.tasks:
            return dict(self.few)
        numbers = self.numbers[:]
        if sys.byteorder == "big":
            numbers.byteswap()
        return {TASKS: list(self.tasks), NUMBERS: base64.b64encode(numbers.tobytes()).decode("ascii")}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        few = core_schema.dict_schema(text, core_schema.float_schema(strict=True), strict=True)
        fields = {
            TASKS: core_schema.typed_dict_field(core_schema.list_schema(text, strict=True)),
            NUMBERS: core_schema.typed_dict_field(text),
        }
        many = core_schema.typed_dict_schema(fields, strict=True, extra_behavior="forbid")
        forms: dict[Any, Mapping[str, Any]] = {
            "few": core_schema.no_info_after_validator_function(cls, few),
            "many": core_schema.no_info_after_validator_function(_unpacked, many),
            "made": core_schema.is_instance_schema(cls),
        }
        written = core_schema.plain_serializer_function_ser_schema(lambda pairs: pairs.plain())
        return core_schema.tagged_union_schema(forms, _form, serialization=written)


def _form(content: object) -> str:
    if isinstance(content, Pairs):
        return "made"
    return "many" if isinstance(content, dict) and NUMBERS in content else "few"


def _unpacked(content: dict[str, Any]) -> Pairs:
    numbers = base64.b64decode(content[NUMBERS], validate=True)
    if len(numbers) % 4:
        raise ValueError(f"should hold numbers of 4 bytes, found {len(numbers)} bytes")
    return Pairs({}, content[TASKS], numbers)
