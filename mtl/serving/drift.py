"""Inputs of new data, held against those that a model was trained on.

The population stability index of an input over bins with the shares q in training and p in the new data is

    PSI = Σ (p − q) · ln(p / q),

the symmetric divergence of Kullback and Leibler (1951, Annals of Mathematical Statistics 22, 79–86). By convention
below 0.1 is no change to speak of, and from 0.25 a large one (Siddiqi 2006, Credit Risk Scorecards, Wiley). Bins are
deciles of the training values, the 50 most frequent names of categories, and one bin each for other names, unknown ones
and missing values. A share of no value is taken as that of half a value.

The convention knows no sample size: of 30 rows any ten bins differ. Without any drift the index is about (1/n + 1/N)
times a χ² of one degree less than there are bins, for n new and N training values (Yurdakul and Naranjo 2020, Journal
of Risk Model Validation 14). So an input is told only where its index is also above the quantile of that which chance
exceeds in one of 1,000 sets of inputs. Values of one window or image depend on each other, so that n and N count
windows or images: a single window is never told by its index, but by values outside of the training range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np
from jaxtyping import Int
from scipy import special

from mtl.data.inputs.seen import UNKNOWN, Column, Columns, Named
from mtl.results.trained import CategoryCounts, NumberCounts, TrainedInputs

BINS = 10
NAMES = 50
"""Names that have a bin of their own."""
SORTED = 1 << 22
"""Values that deciles are found by, at most: evenly spread ones where there are more."""
SOME, LARGE = 0.1, 0.25
"""Indices from which a change is told, and called large."""
CHANCE = 1e-3
"""Probability that some input is told by its index, or by values just outside, where nothing has changed."""
LEAST = 0.01
"""Share of values outside from which it is told."""
FAR, LEAST_FAR = 0.5, 1e-3
"""Part of the training range by which a value lies far outside, and the share of such values from which it is told."""
MOSTLY = 0.5
"""Share outside from which windows and images are told, however few they are."""


def psi(before: Sequence[int], now: Sequence[int]) -> float:
    """Population stability index of the counts of the same bins; bins that are empty twice have no part in it."""
    total, fresh = sum(before), sum(now)
    index = 0.0
    for old, new in zip(before, now, strict=True):
        if old or new:
            q, p = max(old, 0.5) / total, max(new, 0.5) / fresh
            index += (p - q) * log(p / q)
    return index


def trained_inputs(columns: Columns, seed: int) -> TrainedInputs:
    """Counts of the inputs of training samples."""
    numbers: dict[str, NumberCounts] = {}
    categories: dict[str, CategoryCounts] = {}
    values = 0
    for name, column in columns:
        match column:
            case Named():
                categories[name] = _category_counts(column)
                values = len(column.codes)
            case _:
                numbers[name] = _number_counts(column)
                values = len(column)
    return TrainedInputs(seed=seed, values=values, numbers=numbers, categories=categories)


def _number_counts(values: np.ndarray) -> NumberCounts:
    known = values[~np.isnan(values)]
    if not len(known):
        return NumberCounts(edges=[], counts=[0], missing=len(values), low=None, high=None)
    low, high = float(known.min()), float(known.max())
    spread = known[:: -(-len(known) // SORTED)]
    deciles = np.quantile(spread, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = [float(edge) for edge in np.unique(deciles) if edge < high]
    return NumberCounts(
        edges=edges, counts=_in_bins(known, edges).tolist(), missing=len(values) - len(known), low=low, high=high
    )


def _in_bins(known: np.ndarray, edges: Sequence[float]) -> Int[np.ndarray, " b"]:
    """Number of the values in each bin, which holds its upper end."""
    counts: np.ndarray = np.bincount(np.searchsorted(_like(edges, known), known, side="left"), minlength=len(edges) + 1)
    return counts


def _like(ends: Sequence[float], values: np.ndarray) -> np.ndarray:
    """Ends of bins, rounded as the values are: a float32 may lie above the float64 that it was made of."""
    return np.asarray(ends, dtype=values.dtype if values.dtype.kind == "f" else np.float64)


def _category_counts(column: Named) -> CategoryCounts:
    by_name = _by_name(column)
    unknown = by_name.pop(UNKNOWN, 0)
    often = sorted(by_name, key=lambda name: (-by_name[name], name))[:NAMES]
    counts = {name: by_name[name] for name in sorted(often)}
    rest = sum(by_name.values()) - sum(counts.values())
    return CategoryCounts(counts=counts, rest=rest, unknown=unknown, missing=int((column.codes < 0).sum()))


def _by_name(column: Named) -> dict[str, int]:
    counted = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
    names: dict[str, int] = {}
    for name, count in zip(column.names, counted.tolist(), strict=True):
        names[name] = names.get(name, 0) + count
    return names


@dataclass(frozen=True)
class Drifted:
    """An input that differs from training.

    Args:
        name: of the input.
        index: population stability index.
        moved: the index is beyond the convention and beyond chance.
        words: clauses on its values.
    """

    name: str
    index: float
    moved: bool
    words: list[str]


@dataclass(frozen=True)
class Drift:
    """The comparison of all inputs of some new data.

    Args:
        drifted: inputs that are told, the largest index first.
        inputs: number of inputs that were compared.
        samples: n.
        trained: values of an input in training.
        seed: whose training part it was.
    """

    drifted: list[Drifted]
    inputs: int
    samples: int
    trained: int
    seed: int


@dataclass
class _Now:
    """Counts of an input of new data."""

    bins: np.ndarray
    """Counts of numbers: bins, then missing; of categories: names, the rest, unknown, missing."""
    outside: int = 0
    far: int = 0
    low: float = np.inf
    high: float = -np.inf


@dataclass
class Watch:
    """Counts of the inputs of new data, piece after piece; counts nothing where it is not known what training had."""

    trained: TrainedInputs | None
    samples: int = 0
    now: dict[str, _Now] = field(default_factory=dict)

    def add(self, columns: Columns, samples: int) -> None:
        """Counts a piece of some samples; inputs that training does not tell of are passed over."""
        if self.trained is None:
            return
        self.samples += samples
        for name, column in columns:
            known = self.trained.categories.get(name) if isinstance(column, Named) else self.trained.numbers.get(name)
            if known is not None:
                self._count(name, known, column)

    def _count(self, name: str, known: NumberCounts | CategoryCounts, column: Column) -> None:
        if isinstance(known, CategoryCounts):
            assert isinstance(column, Named)
            by_name = _by_name(column)
            own = [by_name.pop(word, 0) for word in known.counts]
            unknown = by_name.pop(UNKNOWN, 0)
            bins = np.array([*own, sum(by_name.values()), unknown, int((column.codes < 0).sum())])
            self.now.setdefault(name, _Now(np.zeros_like(bins))).bins += bins
            return
        assert isinstance(column, np.ndarray)
        there = column[~np.isnan(column)]
        bins = np.array([*_in_bins(there, known.edges), len(column) - len(there)])
        now = self.now.setdefault(name, _Now(np.zeros_like(bins)))
        now.bins += bins
        if len(there):
            now.low, now.high = min(now.low, float(there.min())), max(now.high, float(there.max()))
        if len(there) and known.low is not None and known.high is not None:
            low, high = _like([known.low, known.high], there)
            beyond = FAR * (known.high - known.low)
            now.outside += int(((there < low) | (there > high)).sum())
            now.far += int(((there < known.low - beyond) | (there > known.high + beyond)).sum()) if low < high else 0
            now.far += int((there != low).sum()) if low == high else 0

    def drift(self) -> Drift | None:
        """The comparison of what was counted; None without anything to compare."""
        if self.trained is None or not self.samples or not self.now:
            return None
        drifted = [self._of_input(name, now) for name, now in self.now.items()]
        told = [of_input for of_input in drifted if of_input.moved or of_input.words]
        told.sort(key=lambda of_input: -of_input.index if of_input.moved else 0.0)
        return Drift(told, len(self.now), self.samples, self.trained.values, self.trained.seed)

    def _of_input(self, name: str, now: _Now) -> Drifted:
        assert self.trained is not None
        values = int(now.bins.sum())
        each = max(1, values // self.samples)  # values that depend on each other
        numbers, categories = self.trained.numbers.get(name), self.trained.categories.get(name)
        if numbers is not None:
            before = [*numbers.counts, numbers.missing]
            words = self._outside(numbers, now, each)
        else:
            assert categories is not None
            before = [*categories.counts.values(), categories.rest, categories.unknown, categories.missing]
            rare = categories.unknown / sum(before)
            words = _share_words("in categories that the model does not know", int(now.bins[-2]), values, rare)
        words += _share_words("missing", int(now.bins[-1]), values, before[-1] / sum(before))
        index = psi(before, now.bins.tolist())
        bins = sum(1 for old, new in zip(before, now.bins.tolist(), strict=True) if old or new)
        size = each / values + each / sum(before)
        by_chance = float(special.chdtri(max(1, bins - 1), CHANCE / len(self.now))) * size
        moved = index >= SOME and index > by_chance
        return Drifted(name, index, moved, words)

    def _outside(self, known: NumberCounts, now: _Now, each: int) -> list[str]:
        """A clause on values outside of the training range, where there are more than chance and a few tell."""
        there = int(now.bins[:-1].sum())
        if not now.outside or known.low is None or known.high is None:
            return []
        share, rarely = now.outside / there, 2 * there / (sum(known.counts) + 1) / each
        # Of N values and one more, that one is the least or the largest with the probability 2 / (N + 1).
        chance = float(special.pdtrc(now.outside // each - 1, rarely)) if now.outside >= each else 1.0
        many = share >= LEAST and chance < CHANCE / len(self.now)
        if not (many or now.far / there >= LEAST_FAR or (each > 1 and share >= MOSTLY)):
            return []
        return [
            f"{_percent(now.outside, there)} outside the training range {known.low:g} to {known.high:g} "
            f"(here {now.low:g} to {now.high:g})"
        ]


def _share_words(what: str, count: int, values: int, before: float) -> list[str]:
    """A clause on values that are there where training had none, or far more of them than training had."""
    if not count or (before and (count / values < 2 * before or count / values - before < LEAST)):
        return []
    return [f"{_percent(count, values)} {what}" + (f", {_shown(before)} in training" if before else "")]


def _percent(count: int, of: int) -> str:
    return f"{count:,} of {of:,} values ({_shown(count / of)})"


def _shown(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


MOST = 10
"""Inputs that are told."""


def told(drift: Drift) -> list[str]:
    """Lines of the warning, or the one line that nothing was found."""
    if not drift.drifted:
        return [f"drift   none beyond chance in {_inputs(drift.inputs)} of {_samples(drift.samples)}"]
    sizes = f"{_samples(drift.samples)} here, {drift.trained:,} values in the training part of seed {drift.seed}"
    lines = [f"drift   {len(drift.drifted)} of {_inputs(drift.inputs)} differ from training ({sizes}):"]
    wide = max(len(of_input.name) for of_input in drift.drifted[:MOST])
    for of_input in drift.drifted[:MOST]:
        size = "large" if of_input.index >= LARGE else "some"
        index = [f"PSI {of_input.index:.2f} ({size} change)"] if of_input.moved else []
        lines.append(f"        {of_input.name:{wide}}  {'; '.join([*index, *of_input.words])}")
    if len(drift.drifted) > MOST:
        lines.append(f"        and {len(drift.drifted) - MOST} inputs more")
    return [
        *lines,
        "        Test figures of the card hold for data like those of training: predictions may be worse here, and the",
        f"        inputs cannot tell by how much. PSI (population stability index): below {SOME:g} no change to speak",
        f"        of, from {LARGE:g} a large one.",
    ]


def _inputs(count: int) -> str:
    return f"{count:,} input{'' if count == 1 else 's'}"


def _samples(count: int) -> str:
    return f"{count:,} sample{'' if count == 1 else 's'}"
