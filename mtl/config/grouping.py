"""`finetune.methods.<name>.datamap` and `cluster`: what is recorded of each task, and how tasks are grouped by it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl.config.common import Count, Name, PositiveInt, Section, Seed

Fuzzifier = Annotated[float, Field(gt=1, strict=True)]


class DataMapConfig(Section):
    """A data map for every task of the method (methods 5.1)."""

    record: Literal["training", "evaluation"] = "training"
    """Values of the training passes, which cost nothing, or of a clean pass after each epoch."""
    snapshots: list[PositiveInt] = []
    """Epochs after which the map so far is kept as well."""

    @model_validator(mode="after")
    def _ascending(self) -> "DataMapConfig":
        if sorted(set(self.snapshots)) != self.snapshots:
            raise ValueError(f"snapshots should ascend, found {self.snapshots}")
        return self


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


Relation = Annotated[MapFeatures | SummaryFeatures | CosineAffinity, Field(discriminator="kind")]


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


Algorithm = Annotated[FuzzyCMeans | KMeansMemberships | HardKMeans | GaussianMixture, Field(discriminator="kind")]


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
    """With five tasks or fewer: every grouping into as many models."""
    branched_stages: PositiveInt | None = None
    """Also one network whose first stages are shared by all and whose others by the tasks of a cluster."""
