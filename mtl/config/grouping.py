"""`finetune.methods.<name>.datamap`, `.lookahead` and `cluster`: what is recorded of tasks, and their groups."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import Count, Name, PositiveFloat, PositiveInt, Section, Seed

Fuzzifier = Annotated[float, Field(gt=1, strict=True)]


class DataMapConfig(Section):
    """A data map for every task of the method (Swayamdipta et al. 2020, arXiv 2009.10795)."""

    record: Literal["training", "evaluation"] = "training"
    """Values of the training passes, which cost nothing, or of a clean pass after each epoch."""
    snapshots: list[PositiveInt] = []
    """Epochs after which the map so far is kept as well."""

    @model_validator(mode="after")
    def _ascending(self) -> "DataMapConfig":
        if sorted(set(self.snapshots)) != self.snapshots:
            raise ValueError(f"snapshots should ascend, found {self.snapshots}")
        return self


class LookaheadConfig(Section):
    """Lookahead affinities of the method's tasks (TAG, Fifty et al. 2021, arXiv 2109.04617).

    A probe costs one forward pass, and one backward pass of the shared part, for each task.
    """

    every: PositiveInt = 10
    """Steps from one probe to the next."""
    lr: PositiveFloat | None = None
    """Length of the step that is looked ahead; null takes `train.lr`."""


class MapFeatures(Section):
    """The data map itself, flattened: for tasks on the same samples."""

    kind: Literal["map"]
    epochs: Annotated[list[PositiveInt], Field(min_length=1)] | None = None
    """Snapshots that are laid end to end; null takes the map at the end of the training."""


class SummaryFeatures(Section):
    """Histogram over the plane of variability and confidence: also for tasks on different samples."""

    kind: Literal["summary"]
    bins: Annotated[int, Field(ge=2, le=100, strict=True)] = 10
    """Along each axis."""
    epochs: Annotated[list[PositiveInt], Field(min_length=1)] | None = None


class CosineAffinity(Section):
    """Mean cosine of the task gradients, as `train.gradient_probes` measures it."""

    kind: Literal["gradient_cosine"]


class LookaheadAffinity(Section):
    """Lookahead affinities, as the method's `lookahead` measures them."""

    kind: Literal["lookahead"]


Relation = Annotated[MapFeatures | SummaryFeatures | CosineAffinity | LookaheadAffinity, Field(discriminator="kind")]


class FuzzyCMeans(Section):
    """Bezdek 1981."""

    kind: Literal["fuzzy"]
    m: Fuzzifier = 1.5
    """The closer to 1, the harder the memberships."""


class KMeansMemberships(Section):
    """Memberships from the centroids of k-means, as STG-MTL has them (arXiv 2307.03374)."""

    kind: Literal["kmeans"]
    m: Fuzzifier = 1.07


class HardKMeans(Section):
    """Each task belongs to one cluster."""

    kind: Literal["hard"]


class GaussianMixture(Section):
    """Responsibilities of a mixture of spherical Gaussians."""

    kind: Literal["gaussian_mixture"]


MOST_SELECTED = 15
"""Tasks of a network selection, which looks at 3^K pairs of sets: seconds for 15."""
Clusterer = FuzzyCMeans | KMeansMemberships | HardKMeans | GaussianMixture


class NetworkSelection(Section):
    """The best groups for a number of models, `cluster.clusters`, by an affinity of the tasks (TAG).

    A group is scored by the mean affinity of its other members onto a task, and a task is served by its best group;
    groups may overlap, so that a task may help to train a model which does not serve it.
    """

    kind: Literal["network_selection"]


Algorithm = Annotated[Clusterer | NetworkSelection, Field(discriminator="kind")]


class ClusterConfig(Section):
    """`cluster`: which tasks belong together."""

    source: Name | None = None
    """Method whose runs are looked at; null groups nothing."""
    relation: Relation = MapFeatures(kind="map")
    algorithm: Algorithm = KMeansMemberships(kind="kmeans")
    clusters: Literal["auto"] | Annotated[int, Field(ge=1, strict=True)] = "auto"
    choose_by: Literal["silhouette", "partition_coefficient"] = "silhouette"
    """`auto` only."""
    seed: Seed = 0


class SpecialiseConfig(Section):
    """`specialise`: a model for each cluster, and the groupings that it has to beat."""

    weights: Literal["raw", "mean_one"] | None = None
    """Column c of the memberships weights the losses of model c: as it is, or scaled to a mean of 1 over the model's
    tasks, so that learning rates stay comparable. Null trains no model."""
    random_draws: Count = 5
    """Random groupings into as many models."""
    every_partition: bool = True
    """True to compare with every grouping into as many models, where there are five tasks or fewer."""
    branched_stages: PositiveInt | None = None
    """Also one network whose first stages are shared by all and whose others by the tasks of a cluster."""
