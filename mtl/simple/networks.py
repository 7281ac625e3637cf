"""Linear maps and trees on features as modules, with what model.json says of them and what readers are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mtl.config.inputs import PartLayout, RowLayout
from mtl.models.simple.network import SimpleNetwork
from mtl.models.simple.scores import TreeScores
from mtl.results.simple import (
    CellFeatures,
    FlatFeatures,
    FrozenFeatures,
    JoinedFeatures,
    LinearFit,
    OneHotFeatures,
    SummaryFeatures,
    TreesFit,
)
from mtl.simple.boosting import MOST_CODES
from mtl.simple.candidates import make_network
from mtl.simple.linear import Map, Setting
from mtl.simple.matrices import Described
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm


@dataclass(frozen=True)
class Solved:
    """A linear map of features."""

    fit: LinearFit
    network: SimpleNetwork
    """Without the spread of its errors, which is not known yet."""
    setting: Setting


def network_of_map(spec: TaskSpec, what: Described, map_: Map) -> tuple[LinearFit, SimpleNetwork]:
    """A linear map as a network."""
    fit = LinearFit(features=what.features, penalty=map_.penalty)
    arrays = {f"features.{name}": value for name, value in what.arrays.items()}
    arrays |= {"scores.weight": map_.weight, "scores.bias": map_.bias}
    return fit, make_network(fit, spec, arrays)


def network_of_trees(spec: TaskSpec, what: Described, scores: TreeScores) -> tuple[TreesFit, SimpleNetwork]:
    """Trees as a network."""
    rounds, sums = scores.roots.shape
    sets, codes = (0, 0) if scores.lefts is None else scores.lefts.shape
    assert not isinstance(what.features, FrozenFeatures), "trees read the numbers of samples"
    fit = TreesFit(features=what.features, sums=sums, rounds=rounds, nodes=len(scores.value), depth=scores.depth,
                   sets=sets, codes=codes)  # fmt: skip
    return fit, make_network(fit, spec, {f"scores.{name}": value for name, value in scores.state_dict().items()})


def sums_of_trees(spec: TaskSpec, form: LabelForm | NumberForm) -> int:
    """Numbers that trees add up to."""
    single = isinstance(form, NumberForm) or form.single
    return 1 if single or spec.outputs == 2 else spec.outputs


def plain_layout(layout: RowLayout) -> dict[str, Any]:
    """Meaning of the numbers of a row, as model.json says it."""
    return {"numbers": layout.numbers, "flags": list(layout.flags), "codes": list(layout.codes)}


def joined_features(parts: Sequence[PartLayout]) -> JoinedFeatures:
    """Features of mixed samples, part by part."""
    row, pixels, tokens = RowLayout(0), 0, 0
    for part in parts:
        if part.kind.texts:
            assert part.layout is not None
            (tokens,) = part.layout.codes
        elif part.kind.pictured:
            pixels = part.numbers
        else:
            row = part.layout or RowLayout(part.numbers)
    return JoinedFeatures(**plain_layout(row), pixels=pixels, tokens=tokens)


def categories_of(what: Described, skipped: dict[str, str]) -> tuple[list[int], int]:
    """Places of the features that trees ask for categories, and the most codes that one of them has."""
    if not isinstance(what.features, CellFeatures) or not what.features.codes:
        return [], 0
    first, codes = what.features.numbers, what.features.codes
    few = [place for place, count in enumerate(codes) if count <= MOST_CODES]
    if len(few) < len(codes):
        many = len(codes) - len(few)
        said = f"{many} column{'s' if many > 1 else ''} of more than {MOST_CODES} categories read as numbers"
        skipped["boosting"] = f"{skipped['boosting']}; {said}" if "boosting" in skipped else said
    return [first + place for place in few], max((codes[place] for place in few), default=0)


def on_features(what: Described) -> str:
    """Inputs of a model, in words."""
    match what.features:
        case SummaryFeatures():
            return "on last rows, means, spreads and differences"
        case FlatFeatures():
            return "on the numbers of a sample"
        case OneHotFeatures():
            return "on numbers and a column for each category"
        case CellFeatures():
            return "on numbers and categories, with what is missing"
        case FrozenFeatures() as vectors:
            return f"on the vectors of {vectors.network.model}"
        case JoinedFeatures():
            return "on the features of all parts: numbers, a column for each category, pixels, counts of tokens"
        case _:
            return "on shares of positive values and maxima"
