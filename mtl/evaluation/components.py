"""How far a change of joint against single-task training is known for new data: its variance from seeds and test data.

A change measured with n seeds on one test part varies for two reasons: other seeds would have trained other networks,
and another test part would have held other samples. The test part falls into B blocks that count as independent
(`Input.blocks`), so that seeds and blocks are two crossed random factors, as readers and cases are in a study of
diagnoses (Dorfman, Berbaum and Metz 1992, Investigative Radiology 27, 723–731). Leaving out one block at a time
(jackknife) gives each seed B pseudo-values, whose two-way analysis of variance has three mean squares:

    between seeds    S = σ² + B·σ²_seeds
    between blocks   D = σ² + n·σ²_blocks
    residual         R = σ²

The mean over all of them has the variance σ²_seeds/n + σ²_blocks/B + σ²/(n·B), which (S + D − R)/(n·B) estimates. The
spread between seeds on one test part, S/(n·B), holds σ² already, and so does that of the seeds' mean between blocks,
D/(n·B): their plain sum counts σ² twice, and its intervals cover 99 % instead of 95 where σ² leads (`python -m
benchmarks.variance`).
The degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2, 110–114) for three mean squares.

Where each seed tests on a fold of its own (cross-validation), seeds and blocks are not crossed: the spread between
folds holds both already. Their training parts overlap, though, so that their changes are not independent, and that
spread alone is too small. The corrected variance of the mean of J folds is s²·(1/J + n₂/n₁) for n₂ test and n₁ training
samples (Nadeau and Bengio 2003, Machine Learning 52, 239–281, section 3).

n seeds, B blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl.results.samples import BlockErrors
from mtl.results.statistics import Interval
from mtl.tasks.undefined import Undefined

MIN_BLOCKS = 5
"""Blocks from which their spread says something, as for seeds."""


@dataclass(frozen=True)
class Components:
    """A mean change in percent, positive is better, with its variance by source.

    Args:
        mean: of the n paired changes.
        seeds: variance of the mean from the choice of seeds, S/(n·B); it falls as 1/n.
        data: variance of the mean from the choice of test data, (D − R)/(n·B), at least 0; no seed makes it smaller.
        freedom: Satterthwaite's degrees of freedom of their sum.
        count: n.
        blocks: B.
    """

    mean: float
    seeds: float
    data: float
    freedom: float
    count: int
    blocks: int

    @property
    def error(self) -> float:
        """Standard error of the mean for new data."""
        return float(np.sqrt(self.seeds + self.data))

    @property
    def data_share(self) -> float:
        """Share of the variance that the choice of test data has; 0 where there is no variance."""
        total = self.seeds + self.data
        return self.data / total if total > 0 else 0.0

    def interval(self, confidence: float) -> Interval:
        """The mean and its two-sided interval, never narrower than the t-interval over seeds alone: more degrees of
        freedom could outweigh a small variance of the test data.

        Args:
            confidence: in (0, 1).
        """
        upper = (1 - confidence) / 2
        wide = stats.t.isf(upper, self.freedom) * self.error
        over_seeds = stats.t.isf(upper, self.count - 1) * np.sqrt(self.seeds)
        half = float(max(wide, over_seeds))
        return Interval(mean=self.mean, low=self.mean - half, high=self.mean + half, n=self.count)

    def p_value(self) -> float:
        """Two-sided p of no change, by the wider of the same two intervals: below 1 − c exactly where the interval at
        confidence c excludes 0."""
        return max(
            _p_value(self.mean, self.error, self.freedom),
            _p_value(self.mean, float(np.sqrt(self.seeds)), float(self.count - 1)),
        )


def change_components(
    stl: Sequence[BlockErrors], joint: Sequence[BlockErrors], lower_is_better: bool
) -> Components | Undefined:
    """The mean change from `stl` to `joint`, paired by seed, with its variance components.

    Args:
        stl: errors of the single-task run of each seed, all on the same samples.
        joint: those of the joint run of each seed, on the same samples.
        lower_is_better: the metric is the mean error; else it is 1 less that.
    """
    n = len(stl)
    if n < 2:
        return Undefined("one seed has no spread")
    first = stl[0]
    if any(not same_blocks(first, other) for other in [*stl, *joint]):
        return Undefined("the runs were not measured on the same test samples")
    count = len(first.blocks)
    if count < MIN_BLOCKS:
        return Undefined(
            f"the test part has {count} independent block{'' if count == 1 else 's'}, and fewer than "
            f"{MIN_BLOCKS} tell no spread"
        )
    before, before_without = metrics_by_block(stl, lower_is_better)
    after, after_without = metrics_by_block(joint, lower_is_better)
    if not (before_without > 0).all():
        return Undefined("the single-task value is 0 on a part of the test samples")
    sign = -100 if lower_is_better else 100
    changes = sign * (after / before - 1)
    pseudo = count * changes[:, None] - (count - 1) * sign * (after_without / before_without - 1)
    return _crossed(changes, pseudo)


def fold_components(
    stl: Sequence[BlockErrors], joint: Sequence[BlockErrors], lower_is_better: bool, trained: Sequence[int]
) -> Components | Undefined:
    """The mean change from `stl` to `joint` of seeds that test on folds of their own; seeds that share a fold count as
    one.

    Args:
        stl: errors of the single-task run of each seed.
        joint: those of the joint run of each seed, on the same samples as its single-task run.
        lower_is_better: the metric is the mean error; else it is 1 less that.
        trained: number of training samples of each seed.
    """
    if any(not same_blocks(single, together) for single, together in zip(stl, joint, strict=True)):
        return Undefined("the runs were not measured on the same test samples")
    folds: dict[int, list[int]] = {}
    for seed, run in enumerate(stl):
        folds.setdefault(next(n for n in range(seed + 1) if same_blocks(stl[n], run)), []).append(seed)
    if len(folds) < 2:
        return Undefined("one fold has no spread")
    changes = []
    for seeds in folds.values():
        before, after = (metrics_by_block([side[seed] for seed in seeds], lower_is_better)[0] for side in (stl, joint))
        if not (before > 0).all():
            return Undefined("the single-task value is 0 on a fold")
        changes.append(float((100 * (after / before - 1)).mean()) * (-1 if lower_is_better else 1))
    tested = sum(int(stl[seeds[0]].samples.sum()) for seeds in folds.values())
    ratio = tested / sum(trained[seeds[0]] for seeds in folds.values())
    variance = 0.0 if min(changes) == max(changes) else float(np.var(changes, ddof=1))
    blocks = sum(len(stl[seeds[0]].blocks) for seeds in folds.values())
    count, mean = len(folds), float(np.mean(changes))
    return Components(mean, variance / count, variance * ratio, float(count - 1), len(stl), blocks)


def on_folds(stl: Sequence[BlockErrors]) -> bool:
    """True where the seeds were measured on samples of their own: no sample of one is there in another, unless all
    are."""
    return any(not np.isin(stl[0].blocks, other.blocks).any() for other in stl[1:])


def same_blocks(first: BlockErrors, other: BlockErrors) -> bool:
    return np.array_equal(first.blocks, other.blocks) and np.array_equal(first.samples, other.samples)


def metrics_by_block(
    runs: Sequence[BlockErrors], lower_is_better: bool
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n B"]]:
    """The metric of each run: of all samples, and of all but those of each block."""
    sums, sizes = np.stack([run.sums for run in runs]), runs[0].samples
    total, samples = sums.sum(axis=1), sizes.sum()
    whole, without = total / samples, (total[:, None] - sums) / (samples - sizes)
    return (whole, without) if lower_is_better else (1 - whole, 1 - without)


def _crossed(changes: Float[np.ndarray, " n"], pseudo: Float[np.ndarray, "n B"]) -> Components:
    """Variance components of the mean of crossed seeds and blocks.

    The spread between seeds is that of the changes themselves, so that it is the one of the interval over seeds.
    """
    n, blocks = pseudo.shape
    mean = float(changes[0]) if changes.min() == changes.max() else float(changes.mean())
    seeds = 0.0 if changes.min() == changes.max() else float(changes.var(ddof=1)) / n
    of_seed, of_block = pseudo.mean(axis=1, keepdims=True), pseudo.mean(axis=0, keepdims=True)
    residuals = pseudo - of_seed - of_block + pseudo.mean()
    between = float(of_block.var(ddof=1)) / blocks
    residual = float((residuals**2).sum()) / ((n - 1) * (blocks - 1) * n * blocks)
    data = between - residual
    if data <= 0:
        return Components(mean, seeds, 0.0, float(n - 1), n, blocks)
    spread = seeds**2 / (n - 1) + between**2 / (blocks - 1) + residual**2 / ((n - 1) * (blocks - 1))
    return Components(mean, seeds, data, (seeds + data) ** 2 / spread, n, blocks)


def _p_value(mean: float, error: float, freedom: float) -> float:
    """Two-sided p of the t-test that the mean is zero; without any spread 1 if it is, else 0."""
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / error, freedom))
