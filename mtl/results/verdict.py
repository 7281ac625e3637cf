"""A verdict: what joint training did to a task, whether it matters, and what would decide it where that is open."""

from typing import Literal

from mtl.results.content import Part

Word = Literal["HELPED", "HURT", "LEVEL", "not known"]
"""`HELPED` and `HURT`: the widened interval of the change excludes zero. `LEVEL`: it holds zero and lies within the
margin, so that equivalence is shown (two one-sided tests, Schuirmann 1987). `not known`: neither."""

Open = Literal["too few seeds", "seeds", "test data", "margin", "undefined", "quick look"]
"""Reasons for `not known`: fewer seeds than any verdict needs; fewer than would decide; test data too few for any
number of seeds; a margin of 0, within which nothing can be shown to lie; a single-task value of 0, which leaves no
relative change; one seed and a part of the epochs, which decide nothing."""

Covers = Literal["training", "new data"]
"""Randomness that an interval covers: of training alone, or of the choice of test data as well."""


class Verdict(Part):
    """One method on one task."""

    word: Word
    margin: float
    """Relative change that is too little to matter, a share."""
    matters: bool | None
    """HELPED or HURT by more than the margin: the widened interval does not lie within it; None of other words."""
    open: Open | None
    """Reason for `not known`; None of other words."""
    covers: Covers
    """Randomness that the interval behind it covers."""
    seeds_needed: int | None
    """Seeds with which a change as large as the one seen, and at least as the margin, would be found with a probability
    of 80 %, or the number that gives any verdict; None where no number of seeds is known to decide."""

    @property
    def text(self) -> str:
        """The verdict in words: `HELPED, too little to matter`, `not known: 24 seeds`."""
        between = ", " if self.matters is False else ": "
        return f"{self.word}{between}{self.beside}" if self.beside else self.word

    @property
    def beside(self) -> str:
        """Addition to the word: `too little to matter`, or what would decide; empty where there is none."""
        if self.matters is False:
            return "too little to matter"
        reasons: dict[Open | None, str] = {
            "too few seeds": "too few seeds",
            "seeds": "more seeds" if self.seeds_needed is None else f"{self.seeds_needed:,} seeds",
            "test data": "more test data",
            "undefined": "STL is 0",
            "quick look": "quick look",
        }
        return reasons.get(self.open, "")

    @property
    def helped(self) -> bool:
        """HELPED by more than what is too little to matter."""
        return self.word == "HELPED" and bool(self.matters)

    @property
    def hurt(self) -> bool:
        """HURT by more than what is too little to matter."""
        return self.word == "HURT" and bool(self.matters)

    @property
    def level(self) -> bool:
        """Shown to lie within the margin: LEVEL, or a change that is too little to matter."""
        return self.word == "LEVEL" or self.matters is False
