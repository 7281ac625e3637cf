"""`sensors`: an embedded machine hall with a known optimum for every task.

Two independent Markov-switching autoregressions (`markov_var`), one row an hour. Chain 1 drives `channels` channels,
the ones to forecast; chain 2 drives `side_channels` more, which are inputs too. Labels of every row:

- `load_state` (K classes): the number of the regime r_t;
- `fault` (binary): whether r_t is an odd regime, then flipped with probability `fault_flip`; most rows are unlabelled;
- `coin` (binary): a fair coin;
- with `groups`, labels in planted groups (`planted`), whose chains drive channels of their own.

With `wear` there is a numeric target as well: a level of r_t, evenly spaced over the regimes, and Gaussian noise that
nobody can know; a tenth of the rows, drawn at random, have none. Its best prediction is Σ_k P(r_t = k | x_≤t) level_k.

r_t is the current regime of chain 1 with probability ρ (`relatedness`), else that of chain 2, drawn independently for
every row and label (and for `wear`). Someone told which chain was drawn thus finds the share ρ of a label's information
in the chain that drives the forecasts and the rest in the other one. Since the chains are independent,
P(r_t = k | x_≤t) = ρ p₁(k) + (1-ρ) p₂(k), with p₁ and p₂ from a filter each.

A longer test part (`test_rows`) is drawn from streams of its own and goes on where the chains stand after `rows`: the
rows before it are the same with and without, bit for bit.

K regimes, C channels of one chain, R rows, n rows with a known optimum, H horizon.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mtl.config.sensors import WEAR, SensorsSource
from mtl.data.sources import planted
from mtl.data.sources.markov_var import MarkovVar, filter_regimes, forecast, simulate
from mtl.types import NO_LABEL, Prepared

SMOOTH, SMOOTH_SPAN = 0.65, 0.3
"""Autoregression on a channel's own last value: the middle of the regimes, and how far they differ at `texture` 1."""
NOISE_SPAN = 0.5
"""Span of the regimes' noise: at `texture` 1 it lies within a factor e^±NOISE_SPAN of `noise`."""
RADIUS = 0.97
"""Largest spectral norm of a regime's dynamics: below 1, no order of regimes can make the channels run away."""
FORWARD = 0.6
"""Share of the changes of regime that go to the next regime in the ring; the others go to any other regime."""
HISTORY = 128
"""Rows left before the first labelled fault of the training part, so that windows up to this length lose none."""
WEAR_NOISE = 0.5
"""Standard deviation of `wear` around its regime's level, in half distances between the extreme levels."""
WEAR_MISSING = 0.1
"""Share of the rows without a value of `wear`."""
WEAR_STREAM = 1000
"""Number of its stream of random numbers, beyond those of everything else: asking for it moves no other draw."""
LATER_STREAM = 1001
"""Number of the streams of the rows that `test_rows` adds."""


@dataclass(frozen=True)
class Chain:
    """One simulated chain and the model it comes from."""

    model: MarkovVar
    values: Float[np.ndarray, "R C"]
    """Values in standard units: the levels of the regimes lie within ±`contrast`."""
    regimes: Int[np.ndarray, " R"]


def transitions(regimes: int, stay: float) -> Float[np.ndarray, "K K"]:
    """P: stays with probability `stay`, else mostly moves one step on in the ring; all regimes are equally frequent."""
    ring = np.roll(np.eye(regimes), 1, axis=1)
    others = (1 - np.eye(regimes)) / (regimes - 1)
    return stay * np.eye(regimes) + (1 - stay) * (FORWARD * ring + (1 - FORWARD) * others)


def build_chain(config: SensorsSource, channels: int, shift: int) -> MarkovVar:
    """The parameters of one chain: a fixed design, so that seeds differ in what happens and not in how hard it is.

    Levels, autoregression and noise each take K evenly spaced values, dealt to the regimes in a different order in
    each channel (`shift` deals anew for another chain). The odd regimes lie between the even ones in each of them,
    so that no single threshold tells a fault.
    """
    k = np.arange(config.regimes)[:, None]
    c = np.arange(channels)[None] + shift
    spaced = np.linspace(-1.0, 1.0, config.regimes)
    level = config.contrast * spaced[(k + c) % config.regimes]
    smooth = SMOOTH + SMOOTH_SPAN * config.texture * spaced[(c - k) % config.regimes]
    spread = config.noise * np.exp(NOISE_SPAN * config.texture * spaced[(k + 2 * c + 1) % config.regimes])

    # Antisymmetric couplings of neighbouring channels make them swing, in each regime at a speed of its own.
    neighbours = np.eye(channels, k=1) - np.eye(channels, k=-1)
    swing = config.coupling * (1 + config.texture * spaced) / 2
    dynamics = np.stack([np.diag(own) for own in smooth]) + swing[:, None, None] * neighbours
    norms = np.linalg.norm(dynamics, ord=2, axis=(1, 2))
    dynamics *= np.minimum(1.0, RADIUS / norms)[:, None, None]
    return MarkovVar(
        transition=transitions(config.regimes, config.stay),
        dynamics=dynamics,
        intercept=level - np.einsum("kcd,kd->kc", dynamics, level),
        # `spread` is about that of x around its level; a smooth channel needs smaller innovations for it.
        noise=spread * np.sqrt(1 - smooth**2),
        initial=np.full(config.regimes, 1 / config.regimes),
        start=np.zeros(channels),
    )


def is_fault(regimes: int) -> Bool[np.ndarray, " K"]:
    """Mask of the faulty regimes: the odd ones, at least a third of all."""
    faulty: NDArray[np.bool_] = np.arange(regimes) % 2 == 1
    return faulty


def mix(relatedness: float, main: Float[np.ndarray, "n K"], side: Float[np.ndarray, "n K"]) -> Float[np.ndarray, "n K"]:
    """P(r_t | x_≤t) from the two chains' p(z_t | x_≤t)."""
    return relatedness * main + (1 - relatedness) * side


def label_optimum(config: SensorsSource, regimes: Float[np.ndarray, "n K"]) -> dict[str, Float[np.ndarray, "n k"]]:
    """P(label | x_≤t) of each label, given P(r_t | x_≤t)."""
    odd = regimes[:, is_fault(config.regimes)].sum(axis=1)
    fault = odd * (1 - config.fault_flip) + (1 - odd) * config.fault_flip
    return {
        "load_state": regimes,
        "fault": np.stack([1 - fault, fault], axis=1),
        "coin": np.full((len(regimes), 2), 0.5),
    }


def draw_labels(
    config: SensorsSource, main: Int[np.ndarray, " R"], side: Int[np.ndarray, " R"], streams: list[np.random.Generator]
) -> dict[str, Int[np.ndarray, " R"]]:
    """The labels of every row, none missing, from the two chains' regimes; one generator a label."""
    load, fault, coin = streams
    rows = len(main)
    load_state = np.where(load.random(rows) < config.relatedness, main, side)
    source = np.where(fault.random(rows) < config.relatedness, main, side)
    flipped = fault.random(rows) < config.fault_flip
    return {
        "load_state": load_state,
        "fault": (is_fault(config.regimes)[source] ^ flipped).astype(np.int64),
        "coin": coin.integers(0, 2, rows),
    }


def hide_labels(
    config: SensorsSource, labels: Int[np.ndarray, " R"], generator: np.random.Generator
) -> Int[np.ndarray, " R"]:
    """Keeps `fault_labels` random rows of the training part, as many of validation (or all), and the whole test part.

    A larger `fault_labels` keeps the rows of a smaller one, so that learning curves add labels and exchange none.
    """
    a, b, _ = config.borders
    known = labels.copy()
    first = min(HISTORY, a - config.fault_labels)
    for low, high in ((first, a), (a, b)):
        known[generator.permutation(np.arange(low, high))[config.fault_labels :]] = NO_LABEL
    known[:first] = NO_LABEL
    return known


def wear_levels(config: SensorsSource) -> Float[np.ndarray, " K"]:
    """E[wear | regime], original units."""
    return WEAR.offset + WEAR.scale * np.linspace(-1.0, 1.0, config.regimes)


def draw_wear(
    config: SensorsSource, main: Int[np.ndarray, " R"], side: Int[np.ndarray, " R"], dice: np.random.Generator
) -> Float[np.ndarray, " R"]:
    """`wear` of every row, original units, NaN where it is missing, from the two chains' regimes."""
    regime = np.where(dice.random(len(main)) < config.relatedness, main, side)
    wear = wear_levels(config)[regime] + WEAR.scale * WEAR_NOISE * dice.standard_normal(len(main))
    return np.where(dice.random(len(main)) < WEAR_MISSING, np.nan, wear)


@dataclass(frozen=True)
class Stretch:
    """Some rows on end, drawn from streams of their own."""

    chains: list[Chain]
    labels: dict[str, Int[np.ndarray, " R"]]
    wear: Float[np.ndarray, " R"] | None


def draw(
    config: SensorsSource, designs: list[MarkovVar], rows: int, key: tuple[int, ...], before: Stretch | None
) -> Stretch:
    """Draws some rows.

    Every random thing has a stream of its own: changing, say, `relatedness` leaves the channels as they are.

    Args:
        config: the settings.
        designs: parameters of the chains: the main one, the side one, that of each planted group.
        rows: R.
        key: of their streams of random numbers.
        before: the stretch that they follow; None: they are the first.
    """
    groups = config.groups
    own, labelled = (0, 0) if groups is None else (groups.count, groups.count * groups.tasks)
    spawned = np.random.SeedSequence(config.seed, spawn_key=key).spawn(6 + own + labelled)
    streams = [np.random.default_rng(seed) for seed in spawned]
    ends = [None] * len(designs) if before is None else [(c.values[-1], int(c.regimes[-1])) for c in before.chains]
    dice = [*streams[:2], *streams[6 : 6 + own]]
    chains = [Chain(d, *simulate(d, rows, s, end)) for d, s, end in zip(designs, dice, ends, strict=True)]
    main, side, *others = [chain.regimes for chain in chains]
    labels = draw_labels(config, main, side, streams[2:5])
    if before is None:
        labels["fault"] = hide_labels(config, labels["fault"], streams[5])
    if groups is not None:
        odd = is_fault(config.regimes)
        labels |= planted.draw_labels(groups, odd[main], [odd[regimes] for regimes in others], streams[6 + own :])
    wear = None
    if config.wear:
        worn = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(*key, WEAR_STREAM)))
        wear = draw_wear(config, main, side, worn)
    return Stretch(chains, labels, wear)


def join(first: Stretch, later: Stretch) -> Stretch:
    """Two stretches one after the other."""
    chains = [
        Chain(a.model, np.concatenate([a.values, b.values]), np.concatenate([a.regimes, b.regimes]))
        for a, b in zip(first.chains, later.chains, strict=True)
    ]
    labels = {name: np.concatenate([values, later.labels[name]]) for name, values in first.labels.items()}
    wear = None if first.wear is None or later.wear is None else np.concatenate([first.wear, later.wear])
    return Stretch(chains, labels, wear)


def read(config: SensorsSource, name: str, root: Path) -> Prepared:
    """Generates the source; the same config gives the same bytes. Nothing is read below `root`."""
    groups, sensors, odd = config.groups, config.sensors, is_fault(config.regimes)
    designs = [build_chain(config, config.channels, 0), build_chain(config, config.side_channels, 1)]
    if groups is not None:
        designs += [build_chain(config, groups.channels, 2 + g) for g in range(groups.count)]
    drawn = draw(config, designs, config.rows, (), None)
    if (more := config.borders[2] - config.rows) > 0:
        drawn = join(drawn, draw(config, designs, more, (LATER_STREAM,), drawn))
    chains, labels = drawn.chains, drawn.labels
    offset, scale = np.array([s.offset for s in sensors]), np.array([s.scale for s in sensors])

    a, b, c = config.borders
    # The test part's first target is row b, so that its first window ends with row b - 1.
    known = slice(b - 1, c)
    filtered = [filter_regimes(chain.model, chain.values)[known] for chain in chains]
    means = [
        forecast(chain.model, chain.values[known], p, config.max_horizon)
        for chain, p in zip(chains, filtered, strict=True)
    ]
    regime = mix(config.relatedness, *filtered[:2])
    optimum = label_optimum(config, regime)
    if groups is not None:
        p = [regime_probabilities[:, odd].sum(axis=1) for regime_probabilities in (filtered[0], *filtered[2:])]
        optimum |= planted.label_optimum(groups, p[0], p[1:])
    numbers, best, units = {}, {}, {s.name: s.unit for s in sensors}
    if drawn.wear is not None:
        numbers[WEAR.name] = torch.from_numpy(drawn.wear)
        best[WEAR.name] = torch.from_numpy(regime @ wear_levels(config))
        units[WEAR.name] = WEAR.unit
    return Prepared(
        name=name,
        values=torch.from_numpy(offset + scale * np.concatenate([chain.values for chain in chains], axis=1)),
        columns=config.columns,
        window=None,
        borders=(a, b, c),
        fold=None,
        folds=1,
        labels={key: torch.from_numpy(value) for key, value in labels.items()},
        classes=config.classes,
        units=units,
        oracle_forecast=torch.from_numpy(offset + scale * np.concatenate(means, axis=2)),
        oracle_from=b - 1,
        oracle_labels={key: torch.from_numpy(value) for key, value in optimum.items()},
        notes=[f"`fault` is known for {config.fault_labels} rows of the training part; the others are missing."],
        numbers=numbers,
        oracle_numbers=best,
    )
