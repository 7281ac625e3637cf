"""Labels in planted groups, for `sensors`: the tasks of a group share a latent chain of regimes.

Label m of group g in row t tells whether a regime is an odd one. Whose regime it is, is drawn anew for every row and
label: that of chain 1, which all groups share, with probability `between`; else that of the group's own chain with
probability `within`; else it is a fair coin of the label's own. The shares are thus shares of a label's information.

G groups, R rows, n rows with a known optimum.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from mtl.config.sensors import PlantedGroups


def draw_labels(
    groups: PlantedGroups,
    common: Bool[np.ndarray, " R"],
    own: Sequence[Bool[np.ndarray, " R"]],
    streams: Sequence[np.random.Generator],
) -> dict[str, Int[np.ndarray, " R"]]:
    """The labels of every row.

    Args:
        groups: what is planted.
        common: where the regime of chain 1 is odd.
        own: where that of each group's chain is.
        streams: one generator a label, in the order of their names.
    """
    labels: dict[str, Int[np.ndarray, " R"]] = {}
    dice = iter(streams)
    for odd, names in zip(own, groups.labels, strict=True):
        for name in names:
            die = next(dice)
            first, second = die.random(len(odd)), die.random(len(odd))
            alone = np.where(second < groups.within, odd, die.integers(0, 2, len(odd)).astype(bool))
            labels[name] = np.where(first < groups.between, common, alone).astype(np.int64)
    return labels


def label_optimum(
    groups: PlantedGroups, common: Float[np.ndarray, " n"], own: Sequence[Float[np.ndarray, " n"]]
) -> dict[str, Float[np.ndarray, "n 2"]]:
    """P(label | x_≤t) of each label, given P(regime is odd | x_≤t) of chain 1 and of each group's chain."""
    probabilities: dict[str, Float[np.ndarray, "n 2"]] = {}
    for odd, names in zip(own, groups.labels, strict=True):
        alone = groups.within * odd + (1 - groups.within) / 2
        p = groups.between * common + (1 - groups.between) * alone
        probabilities |= {name: np.stack([1 - p, p], axis=1) for name in names}
    return probabilities
