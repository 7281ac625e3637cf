"""Simple models of the tags of words: logistic regression on what a word and its neighbours look like, or on the
vectors that a pretrained network gives of words.

n training texts, w words that have a tag, P columns, D width of a vector, k classes.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtl.config.pretrained import FrozenNetwork
from mtl.config.simple import PROBE, SimpleConfig, SimpleName
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.frozen import FrozenVectors, frozen_features
from mtl.models.simple.network import SimpleNetwork
from mtl.models.simple.ngrams import packed
from mtl.models.simple.word_scores import features_of, words_of
from mtl.results.simple import LinearFit, WordFit
from mtl.simple.candidates import Candidate, make_network, part_of
from mtl.simple.linear import Question, logistic_maps
from mtl.simple.parts import Value, judged, preferred
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import TagForm
from mtl.training.measure import predict
from mtl.types import NO_LABEL

WORDS: SimpleName = "words"
PENALTIES = (3.0, 1.0, 0.3, 0.1)
"""Penalties λ that validation data choose among, the largest first: λ/2 · |W|² beside the sum of the losses."""
ITERATIONS = 60
BLOCK = 1024
"""Texts that are gathered together."""
MOST_NUMBERS = 1 << 28
"""Numbers of the vectors of words: of more words than that gives, so many are taken, evenly spread."""
Fitted = tuple[WordFit | LinearFit, SimpleNetwork]


@dataclass(frozen=True)
class Tags:
    """Tags of the words of some texts."""

    classes: Int[Tensor, " w"]
    there: Bool[Tensor, " _"]
    """Mask of those words of all texts that have one."""
    weights: Float[Tensor, " w"] | None
    """Weights of their texts; None: all weigh the same."""

    @classmethod
    def of(cls, pool: Pool, task: str, counts: Sequence[int]) -> "Tags":
        """Tags of a task.

        Args:
            pool: the texts.
            task: its name.
            counts: words of each text.
        """
        classes, valid = pool.positions[task].long(), pool.targets[task].valid
        if valid is not None:
            classes = classes.masked_fill(~valid[:, None], NO_LABEL)
        longest = classes.shape[1]
        own = zip(classes.tolist(), counts, strict=True)
        target = torch.tensor([tag for row, count in own for tag in [*row[:count], *[NO_LABEL] * (count - longest)]])
        there = target != NO_LABEL
        if pool.weights is None:
            return cls(target[there], there, None)
        weights = torch.repeat_interleave(pool.weights, torch.tensor(counts))
        return cls(target[there], there, weights[there].double())


class WordModels:
    """Simple models of the tasks of a run that tag words.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
    """

    def __init__(self, config: SimpleConfig, data: TaskSet, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads

    def candidates(self, spec: TaskSpec, form: TagForm, skipped: dict[str, str]) -> Iterator[Candidate]:
        """Each model that is tried, with the penalty that validation data prefer; that it was fitted to a part of the
        words is noted in `skipped`."""
        if self.config.tries(WORDS):
            about = "on the word, its begin and end, its shape and its neighbours"
            yield self._best(WORDS, about, spec, form, self._networks(spec, PENALTIES))
        if self.config.tries(PROBE):
            assert self.config.probe is not None, "it is tried"
            about = f"on the vectors of {self.config.probe.model}"
            yield self._best(PROBE, about, spec, form, self._probes(spec, form, (), skipped))

    def _best(
        self, model: SimpleName, about: str, spec: TaskSpec, form: TagForm, networks: Iterator[Fitted]
    ) -> Candidate:
        val = part_of(self.data, spec.name, "val")

        def tried() -> Iterator[tuple[Value, Candidate]]:
            for fit, network in networks:
                prediction, target = predict(network, [val])[spec.name]
                told = f"{about}, λ {fit.penalty:g}"
                yield judged(spec, form, prediction, target), Candidate(model, told, fit, network, prediction)

        return preferred(tried())

    def fitted(self, spec: TaskSpec, penalty: float) -> Fitted:
        """The model `words` of one penalty, without validation data."""
        return next(self._networks(spec, (penalty,)))

    def probed(self, spec: TaskSpec, form: TagForm, penalties: Sequence[float]) -> Fitted:
        """The model `probe` of the last of some penalties, without validation data."""
        *_, last = self._probes(spec, form, penalties, {})
        return last

    def _networks(self, spec: TaskSpec, penalties: Sequence[float]) -> Iterator[Fitted]:
        """A model for each penalty, fitted to what the training words look like."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        fitted = self.data.fitted[spec.source]
        assert isinstance(fitted, FittedTokens)
        tokens = fitted.vocabulary.tokens
        pool = part_of(self.data, spec.name, "train")
        texts = [words for x in _blocks(pool) for words in words_of(x, tokens)]
        tags = Tags.of(pool, spec.name, [len(words) for words in texts])
        features: Any = features_of(texts)[tags.there.numpy()]
        for penalty in penalties:
            with threadpool_limits(self.threads), warnings.catch_warnings():
                # Validation data choose among the fits as they are, also where the last steps would have moved little.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = LogisticRegression(C=1 / penalty, max_iter=ITERATIONS)
                model.fit(features, tags.classes.numpy(), None if tags.weights is None else tags.weights.numpy())
            weight, bias = torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float()
            if len(weight) == 1:  # of two classes the logit of the second alone
                weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
            names = packed(tokens)
            fit = WordFit(penalty=penalty, token_bytes=len(names))
            yield fit, make_network(fit, spec, {"tokens": names, "weight": weight, "bias": bias})

    def _probes(
        self, spec: TaskSpec, form: TagForm, penalties: Sequence[float], skipped: dict[str, str]
    ) -> Iterator[Fitted]:
        """A model for each penalty, without any for the affordable ones, fitted to the vectors of training words."""
        network = self.config.probe
        assert network is not None, "it is tried"
        features = frozen_features(network)
        vectors, tags = _vectors(part_of(self.data, spec.name, "train"), spec.name, network)
        most = MOST_NUMBERS // features.width
        weights, classes = tags.weights, tags.classes
        if len(vectors) > most:
            skipped[PROBE] = f"fitted on {most:,} of {len(vectors):,} training words, evenly spread"
            few = torch.linspace(0, len(vectors) - 1, most).long()
            vectors, classes, weights = vectors[few], classes[few], None if weights is None else weights[few]
        asked = Question(classes, None, form.classes, single=False, weights=None, of_samples=weights)
        for (map_,) in logistic_maps(vectors, [asked], penalties):
            fit = LinearFit(features=features, penalty=map_.penalty)
            yield fit, make_network(fit, spec, {"scores.weight": map_.weight, "scores.bias": map_.bias})


def _blocks(pool: Pool) -> Iterator[Float[Tensor, "B N"]]:
    """Codes of the texts of a pool, in order."""
    for block in torch.split(torch.arange(len(pool)), BLOCK):
        yield pool.samples.gather(block, 0)[0]


def _vectors(pool: Pool, task: str, network: FrozenNetwork) -> tuple[Float[Tensor, "w D"], Tags]:
    """Vectors of the words of a pool that have a tag of a task, and these tags."""
    frozen = FrozenVectors(network)
    counts: list[int] = []
    vectors: list[Tensor] = []
    for x in _blocks(pool):
        given = frozen.features(x)
        assert given.places is not None and given.firsts is not None
        counts += given.firsts.sum(dim=1).tolist()
        vectors.append(given.places[given.firsts])
    tags = Tags.of(pool, task, counts)
    return torch.cat(vectors)[tags.there], tags
