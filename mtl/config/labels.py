"""Labels that tasks learn: one that the source has, or one of two classes that a rule makes from it."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Discriminator, Field, Tag

from mtl.config.common import Number, Section, Seed
from mtl.errors import shown

EVEN = "even"


Border = Literal["at_least", "at_most", "above", "below"]
"""Rule that holds for the numbers on one side of a border."""
BORDERS: tuple[Border, ...] = get_args(Border)


def _class_name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"should be the name of a class, found {shown(value)}")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


ClassName = Annotated[str, BeforeValidator(_class_name)]
"""A class as the source names it; `3` and "3" are the same one."""


class LabelRule(Section):
    """Exactly one of the rules; `of`, or `column`, is the label or the column that it is made from."""

    even: Literal[True] | None = None
    """Classes that are even numbers, against the odd ones. Also as a text: `label: even`."""
    multiple_of: Annotated[int, Field(ge=2, strict=True)] | None = None
    """Classes that are multiples of this number, 0 not among them."""
    one_vs_rest: ClassName | None = None
    any_of: Annotated[tuple[ClassName, ...], Field(min_length=1)] | None = Field(
        default=None, validation_alias=AliasChoices("any_of", "one_of")
    )
    """Classes that are one of these; `one_of` is the same."""
    equals: ClassName | None = Field(default=None, exclude_if=lambda name: name is None)
    """One class, or one number of a column of numbers. Left out where it is null, as the rules below are, so that what
    is derived from the section stays as it was before there were any."""
    at_least: Number | None = Field(default=None, exclude_if=lambda border: border is None)
    """Numbers from this one on. The rule, as `at_most`, `above` and `below`, is for a column or target of numbers."""
    at_most: Number | None = Field(default=None, exclude_if=lambda border: border is None)
    above: Number | None = Field(default=None, exclude_if=lambda border: border is None)
    below: Number | None = Field(default=None, exclude_if=lambda border: border is None)
    coin: Seed | None = None
    """A fair coin for every sample, drawn by this seed: nothing can be learnt."""
    flipped: Seed | None = None
    """A fair coin for every image, drawn by this seed; where it says so, the image is turned upside down."""
    of: str | None = Field(default=None, validation_alias=AliasChoices("of", "column"))
    """Label, target or column that the rule is made from; `column` is the same. null takes `classes` where the source
    has such a label, else the only one that it has."""

    @property
    def rules(self) -> list[str]:
        """Names of the rules that are given."""
        return list(self.model_dump(exclude_none=True, exclude={"of"}))

    @property
    def border(self) -> tuple[Border, float] | None:
        """Rule on the side of a border and the border; None for the other rules."""
        borders = {"at_least": self.at_least, "at_most": self.at_most, "above": self.above, "below": self.below}
        given = ((rule, border) for rule in BORDERS if (border := borders[rule]) is not None)
        return next(given, None)


def _one_rule(label: str | LabelRule) -> str | LabelRule:
    if isinstance(label, LabelRule):
        known = [name for name in LabelRule.model_fields if name != "of"]
        if len(label.rules) != 1:
            given = " and ".join(label.rules) or "none"
            raise ValueError(f"a rule should have exactly one of {', '.join(known)}, found {given}")
        if label.of is not None and label.rules[0] in ("coin", "flipped"):
            raise ValueError(f"`of` should be left out of {label.rules[0]}, which is made from no label")
        twice = [name for name in label.any_of or () if (label.any_of or ()).count(name) > 1]
        if twice:
            raise ValueError(f"`any_of` should name each class once, found {twice[0]} more than once")
    return label


def _form(label: Any) -> str | None:
    return "name" if isinstance(label, str) else "rule" if isinstance(label, dict | LabelRule) else None


Label = Annotated[
    Annotated[str, Tag("name")] | Annotated[LabelRule, Tag("rule")],
    Discriminator(
        _form,
        custom_error_type="label",
        custom_error_message="should be the name of a label, even, or a rule such as {one_vs_rest: cat}",
    ),
    AfterValidator(_one_rule),
]
"""The name of a label of the source, `even`, or a rule."""
