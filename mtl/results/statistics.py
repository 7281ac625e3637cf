"""Means over seeds with their intervals, as results/ holds them."""

from mtl.results.content import Part

LARGEST = 1e6
"""Largest change in percent whose digits are told."""


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, a true minus, and no sign on what rounds to zero; of one that is too large to mean
    anything, as the end of an interval may be, that it is beyond 1e6."""
    if abs(value) > LARGEST:
        return "> 1e6" if value > 0 else "< −1e6"
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


class Ends(Part):
    """Ends of an interval; None where there is none."""

    low: float | None
    high: float | None

    @property
    def sign(self) -> int:
        """+1 if the whole interval lies above zero, −1 if below, else 0."""
        if self.low is None or self.high is None:
            return 0
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    @property
    def ends(self) -> str:
        """` [+1.0, +5.0]`, behind a mean; empty where there is no interval."""
        return "" if self.low is None or self.high is None else f" [{signed(self.low)}, {signed(self.high)}]"

    def inside(self, least: float, most: float) -> "Ends":
        """The part of an interval that values can have, which covers as often as all of it."""
        if self.low is None or self.high is None:
            return Ends(low=None, high=None)
        return Ends(low=min(max(self.low, least), most), high=max(min(self.high, most), least))

    def within(self, bound: float) -> bool:
        """Says whether the whole interval lies within ±bound."""
        return self.low is not None and self.high is not None and -bound <= self.low and self.high <= bound


class Statistic(Ends):
    """A mean with its interval; the mean is None where there is nothing to take it of."""

    mean: float | None


class Estimate(Statistic):
    """A mean that is always there; without an interval for a single seed."""

    mean: float


class Summary(Estimate):
    """An estimate with the values that it was made of."""

    values: list[float]
    """In the order of the seeds."""


class NewDataInterval(Estimate):
    """Interval of a mean change that also covers the choice of test data, never narrower than that over seeds alone."""

    low: float
    high: float
    freedom: float
    """Satterthwaite's degrees of freedom of the variance from seeds and test data."""
    blocks: int
    """Parts of the test samples that count as independent: stretches of a series, groups, or single samples."""
    data_share: float
    """Share of the variance that the choice of test data has."""


class Interval(Statistic):
    """A mean over n seeds; `low` and `high` are None where no interval exists (n = 1), `mean` where n = 0."""

    n: int
