"""Simple models of texts: logistic regression of a label, ridge regression of a number, on tf-idf of words and letters.

n training texts, P terms, O outputs.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from mtl.config.simple import SimpleConfig, SimpleName
from mtl.data.inputs.tokens import FittedTokens
from mtl.data.loading.pools import Pool
from mtl.data.loading.tasks import TaskSet
from mtl.models.simple.network import SimpleNetwork
from mtl.models.simple.ngrams import LETTERS, WORDS, NgramScores, packed, texts_of, tf_idf
from mtl.results.simple import NgramFit
from mtl.simple.candidates import Candidate, make_network, spread_errors
from mtl.simple.matrices import Matrices
from mtl.simple.parts import Value, judged, preferred, product
from mtl.tasks.base import TaskSpec
from mtl.tasks.forms import LabelForm, NumberForm
from mtl.types import Split

MODEL: SimpleName = "ngrams"
MOST_WORDS, MOST_LETTERS = 15_000, 25_000
"""Terms that are kept, those in most training texts."""
FEWEST_TEXTS = 2
"""Training texts that a term is in, at least."""
LOGISTIC, RIDGE = (10.0, 3.0, 1.0, 0.3, 0.1), (30.0, 10.0, 3.0, 1.0, 0.3)
"""Penalties that validation data choose among, the largest first: λ/2 · |W|² beside the sum of the losses, and λ · |W|²
beside the sum of squares."""
ITERATIONS = 100
BLOCK = 4096
"""Texts that are gathered together."""


class TextModels:
    """Simple models of the tasks of a run that read texts.

    Args:
        config: section `simple`.
        data: every task of the run.
        threads: that a fit may use.
    """

    def __init__(self, config: SimpleConfig, data: TaskSet, threads: int) -> None:
        self.config, self.data, self.threads = config, data, threads
        self.matrices = Matrices(data)
        self._terms: dict[str, tuple[list[str], list[str], np.ndarray]] = {}
        self._known: dict[tuple[str, str, Split], Any] = {}

    def candidates(self, spec: TaskSpec, form: LabelForm | NumberForm) -> Iterator[Candidate]:
        """The model of the penalty that validation data prefer, if it is tried."""
        if self.config.tries(MODEL):
            yield self._best(spec, form)

    def _best(self, spec: TaskSpec, form: LabelForm | NumberForm) -> Candidate:
        pool = self.matrices.pool(spec.name, "train")
        val, truth, _ = self._part(spec, "val", pool)

        def tried() -> Iterator[tuple[Value, tuple[NgramFit, SimpleNetwork, Tensor]]]:
            for fit, network in self._networks(spec, form, LOGISTIC if isinstance(form, LabelForm) else RIDGE):
                assert isinstance(network.body, NgramScores)
                numbers = network.body.scores(val)
                yield judged(spec, form, numbers, truth), (fit, network, numbers)

        fit, network, numbers = preferred(tried())
        if network.spread is not None:
            spread_errors(network, numbers, truth)
        about = f"on tf-idf of {fit.words:,} words and {fit.letters:,} runs of letters, λ {fit.penalty:g}"
        return Candidate(MODEL, about, fit, network, network.finished(numbers))

    def fitted(self, spec: TaskSpec, form: LabelForm | NumberForm, penalty: float) -> tuple[NgramFit, SimpleNetwork]:
        """The model of one penalty, without validation data; the spread of its errors is not known."""
        return next(self._networks(spec, form, (penalty,)))

    def _networks(
        self, spec: TaskSpec, form: LabelForm | NumberForm, penalties: Sequence[float]
    ) -> Iterator[tuple[NgramFit, SimpleNetwork]]:
        """A model for each penalty, fitted to the training texts."""
        pool = self.matrices.pool(spec.name, "train")
        words, letters, idf = self._terms_of(pool)
        train, target, weights = self._part(spec, "train", pool)
        fitted = self.data.fitted[spec.source]
        assert isinstance(fitted, FittedTokens)
        tokens, terms = packed(fitted.vocabulary.tokens), packed([*words, *letters])
        for penalty, weight, bias in _maps(form, (train, target, weights), penalties, self.threads):
            fit = NgramFit(
                penalty=penalty, words=len(words), letters=len(letters), token_bytes=len(tokens), term_bytes=len(terms)
            )
            arrays = {
                "tokens": tokens, "terms": terms, "idf": torch.from_numpy(idf), "weight": weight, "bias": bias
            }  # fmt: skip
            yield fit, make_network(fit, spec, arrays)

    def _terms_of(self, train: Pool) -> tuple[list[str], list[str], np.ndarray]:
        """Words and pairs of them, runs of letters, and the idf of each, of the training texts of a pool."""
        if train.name not in self._terms:
            texts = self._texts(train)
            words, of_words = _terms(texts, WORDS, MOST_WORDS)
            letters, of_letters = _terms(texts, LETTERS, MOST_LETTERS)
            idf = np.log((1 + len(texts)) / (1 + np.array([*of_words, *of_letters], dtype=np.float64))) + 1
            self._terms[train.name] = words, letters, idf
        return self._terms[train.name]

    def _part(self, spec: TaskSpec, split: Split, train: Pool) -> tuple[Any, Tensor, Float64[Tensor, " m"] | None]:
        """tf-idf of the texts of a task that have a target, the targets, and the weights of the texts."""
        pool = self.matrices.pool(spec.name, split)
        key = train.name, pool.name, split
        if key not in self._known:
            words, letters, idf = self._terms_of(train)
            self._known[key] = tf_idf(self._texts(pool), words, letters, idf)
        matrix = self._known[key]
        target, places = self.matrices.targets(spec.name, split, len(pool))
        weights = product(None, pool.weights)
        if places is None:
            return matrix, target, weights
        return matrix[places.numpy()], target[places], None if weights is None else weights[places]

    def _texts(self, pool: Pool) -> list[str]:
        fitted = self.data.fitted[pool.source]
        assert isinstance(fitted, FittedTokens)
        blocks = torch.split(torch.arange(len(pool)), BLOCK)
        tokens = fitted.vocabulary.tokens
        return [text for block in blocks for text in texts_of(pool.samples.gather(block, 0)[0], tokens)]


def _terms(texts: list[str], options: dict[str, Any], most: int) -> tuple[list[str], list[int]]:
    """The terms in most of the texts, in the order of letters, and the number of texts of each."""
    from sklearn.feature_extraction.text import CountVectorizer

    analyse = CountVectorizer(**options).build_analyzer()
    count: Counter[str] = Counter()
    for text in texts:
        count.update(set(analyse(text)))
    often = [term for term, there in count.items() if there >= FEWEST_TEXTS] or list(count) or ["?"]
    kept = sorted(sorted(often, key=lambda term: (-count[term], term))[:most])
    return kept, [count[term] for term in kept]


def _maps(
    form: LabelForm | NumberForm, part: tuple[Any, Tensor, Tensor | None], penalties: Sequence[float], threads: int
) -> Iterator[tuple[float, Float64[Tensor, "O P"], Float64[Tensor, " O"]]]:
    """(penalty, weight, bias) for each penalty; `part` holds features, targets and weights of texts."""
    from threadpoolctl import threadpool_limits

    features, target, weights = part
    if isinstance(form, LabelForm) and form.weights is not None:
        weights = product(torch.tensor(form.weights, dtype=torch.float64)[target], weights)
    given = None if weights is None else weights.numpy()
    for penalty in penalties:
        with threadpool_limits(threads):
            weight, bias = _fitted(form, penalty, features, target, given)
        yield penalty, weight, bias


def _fitted(
    form: LabelForm | NumberForm, penalty: float, features: Any, target: Tensor, weights: np.ndarray | None
) -> tuple[Float64[Tensor, "O P"], Float64[Tensor, " O"]]:
    """Weight and bias of one penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    with warnings.catch_warnings():
        # Validation data choose among the fits as they are, also where the last steps would have moved little.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if isinstance(form, LabelForm):
            logistic = LogisticRegression(C=1 / penalty, max_iter=ITERATIONS)
            return _of_classes(logistic.fit(features, target.numpy(), weights), form)
        ridge = Ridge(penalty, solver="sparse_cg", tol=1e-6).fit(features, target.double().numpy(), weights)
    bias = torch.tensor([float(ridge.intercept_)], dtype=torch.float64)
    return torch.from_numpy(ridge.coef_[None].copy()), bias


def _of_classes(model: Any, form: LabelForm) -> tuple[Float64[Tensor, "O P"], Float64[Tensor, " O"]]:
    """Weight and bias of the logits that the form has: one of class 1, or one of each class."""
    weight, bias = torch.from_numpy(model.coef_.copy()), torch.from_numpy(model.intercept_.copy())
    if form.single or len(weight) == form.classes:
        return weight, bias
    return torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
