"""`kind: sensors`: the settings of the embedded data, and the names of what they hold."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mtl.config.common import Fraction, PositiveFraction, PositiveInt, Section, Seed
from mtl.config.inputs import WINDOWS, InputKind, Known, SourceBase

MAX_OPTIMUM = 1 << 27
"""Numbers of the best possible forecast: 1 GiB as float64."""


@dataclass(frozen=True)
class Sensor:
    """A channel's name, unit in words, and how a standard value becomes a physical one."""

    name: str
    unit: str
    offset: float
    scale: float


MAIN = [
    Sensor("vibration", "mm/s", 4.5, 0.8),
    Sensor("temperature", "°C", 62.0, 6.0),
    Sensor("flow", "l/min", 120.0, 15.0),
    Sensor("current", "A", 40.0, 6.0),
    Sensor("pressure", "bar", 6.0, 0.7),
]
SIDE = [
    Sensor("air_pressure", "bar", 7.0, 0.4),
    Sensor("humidity", "%", 45.0, 5.0),
    Sensor("hall_temperature", "°C", 21.0, 2.0),
]
WEAR = Sensor("wear", "µm", 80.0, 20.0)
"""The numeric target: the middle of its levels, and half of the distance between the lowest and the highest."""


class PlantedGroups(Section):
    """More labels of `sensors`, in groups that share latent regimes: a known answer to which tasks belong together."""

    count: Annotated[int, Field(ge=2, le=8, strict=True)] = 3
    """Groups, each with a chain of regimes of its own."""
    tasks: Annotated[int, Field(ge=1, le=16, strict=True)] = 3
    """Labels in a group: `group1_1`, `group1_2`, ..., each yes or no."""
    channels: Annotated[int, Field(ge=1, le=16, strict=True)] = 1
    """Channels that a group's chain drives: group1_vibration, ..."""
    within: Fraction = 0.9
    """Share of a label's information that lies in its group's regime; the rest is a coin of the label's own."""
    between: Fraction = 0.0
    """Share of all labels' information that lies in the first chain's regime instead, which they have in common."""

    @property
    def labels(self) -> list[list[str]]:
        """Names of the labels of each group: `group1_1`, `group1_2`, …"""
        return [[f"group{g + 1}_{m + 1}" for m in range(self.tasks)] for g in range(self.count)]


class SensorsSource(SourceBase):
    """Embedded data with a known optimum: two Markov-switching vector autoregressions, one row an hour."""

    holds: ClassVar[InputKind | None] = WINDOWS
    series: ClassVar[bool] = True

    kind: Literal["sensors"]
    seed: Seed = 0
    rows: Annotated[int, Field(gt=0, le=1_000_000, strict=True)] = 4000
    """Hours of history, which `train` and `val` divide."""
    regimes: Annotated[int, Field(ge=2, le=8, strict=True)] = 4
    """Regimes of each chain, and so classes of `load_state`."""
    channels: Annotated[int, Field(ge=1, le=64, strict=True)] = 3
    """Channels that the first chain drives: vibration, temperature, flow, current, pressure, ..."""
    side_channels: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    """Channels that the second, independent chain drives: air_pressure, humidity, hall_temperature, ..."""
    stay: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.98
    """Probability that the regime stays as it is from one hour to the next."""
    noise: Annotated[float, Field(ge=1e-3, le=1e3, strict=True)] = 0.5
    """Spread of a channel around its regime's level; the levels lie within -contrast ... contrast."""
    contrast: Annotated[float, Field(ge=0, le=1e3, strict=True)] = 1.0
    """Distance between the levels of the regimes; with 0, the level tells nothing."""
    texture: Fraction = 0.6
    """Difference of the regimes in smoothness, swing and noise; with 0, only the level tells them apart."""
    coupling: Fraction = 0.4
    """Strength with which neighbouring channels of a chain drive each other."""
    relatedness: Fraction = 1.0
    """Share of the labels' information that lies in the regime that drives the forecasts."""
    fault_flip: Annotated[float, Field(ge=0, le=0.5, strict=True)] = 0.02
    """Probability that a `fault` label is wrong; nobody can be right more often than 1 - fault_flip."""
    fault_labels: PositiveInt = 200
    """Rows of the training part (and of validation, if it has as many) whose `fault` label is known."""
    groups: PlantedGroups | None = None
    """Labels in planted groups, besides the others; null plants none."""
    wear: bool = False
    """A numeric target `wear` (µm) besides the labels: a level of the regime, and noise; a tenth of it is missing."""
    max_horizon: PositiveInt = 24
    """Longest horizon for which the optimum is computed, in hours."""
    train: PositiveFraction = 0.6
    val: PositiveFraction = 0.2
    test_rows: Annotated[int, Field(gt=0, le=1_000_000, strict=True)] | None = None
    """Rows of the test part; null: what `train` and `val` leave of `rows`. More of them are simulated on from the last
    row, and leave every row before them as it is."""

    @property
    def borders(self) -> tuple[int, int, int]:
        """Rows [0, a) are the training part, [a, b) validation, [b, c) the test part."""
        a, b = round(self.rows * self.train), round(self.rows * (self.train + self.val))
        return a, b, self.rows if self.test_rows is None else b + self.test_rows

    @property
    def sensors(self) -> list[Sensor]:
        """The channels in the order of the columns: those of the first chain, of the second, of each group's."""
        sensors = _named(MAIN, self.channels) + _named(SIDE, self.side_channels)
        groups = self.groups
        if groups is not None:
            for g in range(groups.count):
                sensors += _named(MAIN, groups.channels, f"group{g + 1}_")
        return sensors

    @property
    def columns(self) -> list[str]:
        """Names of the channels."""
        return [sensor.name for sensor in self.sensors]

    @property
    def classes(self) -> dict[str, list[str]]:
        """Label → names of its classes."""
        planted = [] if self.groups is None else [name for names in self.groups.labels for name in names]
        return {
            "load_state": [f"load {k + 1}" for k in range(self.regimes)],
            "fault": ["sound", "fault"],
            "coin": ["heads", "tails"],
        } | {name: ["even regime", "odd regime"] for name in planted}

    @property
    def most_ahead(self) -> int:
        return self.max_horizon

    @property
    def known(self) -> Known:
        names = {label: tuple(classes) for label, classes in self.classes.items()}
        counts = {label: len(classes) for label, classes in names.items()}
        numbers = (WEAR.name,) if self.wear else ()
        return Known((len(self.columns), None), counts, names, columns=tuple(self.columns), numbers=numbers)

    @model_validator(mode="after")
    def _leave_room(self) -> "SensorsSource":
        if self.train + self.val >= 1:
            raise ValueError("train + val should leave a share for the test part, so be below 1")
        a, b, c = self.borders
        if min(a, b - a, c - b) < self.max_horizon:
            raise ValueError(f"rows should give each part at least max_horizon = {self.max_horizon} rows")
        if c < self.rows:
            left = f"{self.rows - b}, the rows that train and val leave"
            raise ValueError(f"test_rows should be at least {left}, found {self.test_rows}")
        planted = 0 if self.groups is None else self.groups.count * self.groups.channels
        optimum = c * self.max_horizon * (self.channels + self.side_channels + planted)
        if optimum > MAX_OPTIMUM:
            raise ValueError(f"rows × max_horizon × channels should be at most {MAX_OPTIMUM:,}, found {optimum:,}")
        if self.fault_labels > a:
            raise ValueError(f"fault_labels should be at most the {a} rows of the training part")
        return self


def _named(sensors: list[Sensor], count: int, prefix: str = "") -> list[Sensor]:
    """The first `count` sensors; past the end of the list they repeat with a number: `vibration_2`."""
    result = []
    for i in range(count):
        turn, sensor = i // len(sensors), sensors[i % len(sensors)]
        name = prefix + (sensor.name if turn == 0 else f"{sensor.name}_{turn + 1}")
        result.append(Sensor(name, sensor.unit, sensor.offset, sensor.scale))
    return result
