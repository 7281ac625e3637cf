"""Simple model of the tags of words: logistic regression on what a word and its neighbours look like.

n training texts, w words that have a tag, P columns, k classes.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from mtl.config.metrics import METRICS
from mtl.config.simple import SimpleConfig, SimpleName
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.network import SimpleNetwork
from mtl.models.simple.ngrams import packed
from mtl.models.simple.word_scores import features_of, words_of
from mtl.results.simple import WordFit
from mtl.simple.candidates import Candidate, make_network, part_of
from mtl.tasks.base import TaskSpec
from mtl.training.measure import predict
from mtl.types import NO_LABEL

MODEL: SimpleName = "words"
PENALTIES = (3.0, 1.0, 0.3, 0.1)
"""Penalties λ that validation data choose among, the largest first: λ/2 · |W|² beside the sum of the losses."""
ITERATIONS = 60
BLOCK = 1024
"""Texts that are gathered together."""


class WordModels:
    """Simple models of the tasks of a run that tag words.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
    """

    def __init__(self, config: SimpleConfig, data: TaskSet, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads

    def candidates(self, spec: TaskSpec) -> Iterator[Candidate]:
        """The model of the penalty that validation data prefer, if it is tried."""
        if not self.config.tries(MODEL):
            return
        val = part_of(self.data, spec.name, "val")
        best: tuple[float, Candidate] | None = None
        for fit, network in self._networks(spec, PENALTIES):
            prediction, target = predict(network, [val])[spec.name]
            value = spec.score(prediction, target, detailed=False)[0][spec.metric]
            value = value if METRICS[spec.metric].lower_is_better else -value
            if best is None or value < best[0]:
                about = f"on the word, its begin and end, its shape and its neighbours, λ {fit.penalty:g}"
                best = value, Candidate(MODEL, about, fit, network, prediction)
        assert best is not None
        yield best[1]

    def fitted(self, spec: TaskSpec, penalty: float) -> tuple[WordFit, SimpleNetwork]:
        """The model of one penalty, without validation data."""
        return next(self._networks(spec, (penalty,)))

    def _networks(self, spec: TaskSpec, penalties: Sequence[float]) -> Iterator[tuple[WordFit, SimpleNetwork]]:
        """A model for each penalty, fitted to the training words."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        fitted = self.data.fitted[spec.source]
        assert isinstance(fitted, FittedTokens)
        tokens = fitted.vocabulary.tokens
        features, target, weights = _words(part_of(self.data, spec.name, "train"), spec.name, tokens)
        for penalty in penalties:
            with threadpool_limits(self.threads), warnings.catch_warnings():
                # Validation data choose among the fits as they are, also where the last steps would have moved little.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = LogisticRegression(C=1 / penalty, max_iter=ITERATIONS)
                model.fit(features, target.numpy(), None if weights is None else weights.numpy())
            weight, bias = torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float()
            if len(weight) == 1:  # of two classes the logit of the second alone
                weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
            names = packed(tokens)
            fit = WordFit(penalty=penalty, token_bytes=len(names))
            yield fit, make_network(fit, spec, {"tokens": names, "weight": weight, "bias": bias})


def _words(pool: Pool, task: str, tokens: Sequence[str]) -> tuple[Any, Int[Tensor, " w"], Tensor | None]:
    """Features, classes and weights of the words of a pool that have a tag."""
    texts: list[list[str]] = []
    for block in torch.split(torch.arange(len(pool)), BLOCK):
        texts += words_of(pool.samples.gather(block, 0)[0], tokens)
    classes = pool.positions[task].long()
    valid = pool.targets[task].valid
    if valid is not None:
        classes = classes.masked_fill(~valid[:, None], NO_LABEL)
    longest = classes.shape[1]
    own = [row[: len(words)] for row, words in zip(classes.tolist(), texts, strict=True)]
    target = torch.tensor([tag for row, words in zip(own, texts, strict=True)
                           for tag in [*row, *[NO_LABEL] * (len(words) - longest)]])  # fmt: skip
    of_text = torch.repeat_interleave(torch.arange(len(texts)), torch.tensor([len(words) for words in texts]))
    there = target != NO_LABEL
    weights = None if pool.weights is None else pool.weights[of_text[there]].double()
    return features_of(texts)[there.numpy()], target[there], weights
