"""A Markov-switching vector autoregression without observation noise: simulation, Hamilton filter, exact forecasts.

Regime z_t follows a Markov chain with transition matrix P; row t is x_t = A_{z_t} x_{t-1} + c_{z_t} + ε_t with
ε_t ~ N(0, diag(s_{z_t}²)). Row 0 follows the known row `start`, and z_0 ~ `initial`, so that everything below is
exact from the first row on. Hamilton (1989), "A new approach to the economic analysis of nonstationary time series".

K regimes, C channels, R rows, n rows with a forecast, H horizon. All numpy, float64.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray


@dataclass(frozen=True)
class MarkovVar:
    """The model's parameters."""

    transition: Float[np.ndarray, "K K"]
    """P[i, j] = P(z_t = j | z_{t-1} = i)."""
    dynamics: Float[np.ndarray, "K C C"]
    """A of each regime."""
    intercept: Float[np.ndarray, "K C"]
    """c of each regime."""
    noise: Float[np.ndarray, "K C"]
    """Standard deviation s of the innovations."""
    initial: Float[np.ndarray, " K"]
    """Distribution of z_0."""
    start: Float[np.ndarray, " C"]
    """The row before row 0, known."""


def simulate(
    model: MarkovVar,
    rows: int,
    generator: np.random.Generator,
    after: tuple[Float[np.ndarray, " C"], int] | None = None,
) -> tuple[Float[np.ndarray, "R C"], Int[np.ndarray, " R"]]:
    """Draws one path: values [R, C] and regimes [R].

    Args:
        model: whose path it is.
        rows: R.
        generator: of its random numbers.
        after: values and regime of the row before the first, which the path goes on from; None: it begins.
    """
    cumulative = np.cumsum(model.transition, axis=1)
    uniform = generator.random(rows)
    shocks = generator.standard_normal((rows, model.start.size))
    regimes = np.empty(rows, dtype=np.int64)
    values = np.empty((rows, model.start.size))
    last, step = (model.start, np.cumsum(model.initial)) if after is None else (after[0], cumulative[after[1]])
    for t in range(rows):
        # A row of cumulated probabilities may end a rounding error below 1.
        z = min(int(np.searchsorted(step, uniform[t], side="right")), len(step) - 1)
        last = model.dynamics[z] @ last + model.intercept[z] + model.noise[z] * shocks[t]
        regimes[t], values[t], step = z, last, cumulative[z]
    return values, regimes


def log_likelihood(model: MarkovVar, values: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R K"]:
    """log p(x_t | x_{t-1}, z_t = k) for every row and regime."""
    before = np.concatenate([model.start[None], values[:-1]])
    mean = np.einsum("kcd,rd->rkc", model.dynamics, before) + model.intercept
    standard = (values[:, None] - mean) / model.noise
    normaliser = np.log(model.noise).sum(axis=-1) + 0.5 * model.start.size * np.log(2 * np.pi)
    likelihood: NDArray[np.float64] = -0.5 * (standard**2).sum(axis=-1) - normaliser
    return likelihood


def filter_regimes(model: MarkovVar, values: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "R K"]:
    """Hamilton filter: p(z_t = k | x_0 … x_t) for every row, exactly."""
    scores = log_likelihood(model, values)
    # Only ratios within a row matter; the largest becomes 1, so that no row underflows as a whole.
    likelihood = np.exp(scores - scores.max(axis=1, keepdims=True))
    filtered: NDArray[np.float64] = np.empty_like(likelihood)
    prior = model.initial
    for t, evidence in enumerate(likelihood):
        posterior = prior * evidence
        filtered[t] = posterior / posterior.sum()
        prior = filtered[t] @ model.transition
    return filtered


def forecast(
    model: MarkovVar, last: Float[np.ndarray, "n C"], regimes: Float[np.ndarray, "n K"], horizon: int
) -> Float[np.ndarray, "n H C"]:
    """E[x_{t+h} | x_≤t] for h = 1 … H, given x_t (`last`) and p(z_t | x_≤t) (`regimes`).

    m_j(t+h) = E[x_{t+h}·1(z_{t+h}=j)] = Σ_i P_ij (A_j m_i(t+h-1) + c_j p_i(t+h-1)); the mean is Σ_j m_j.
    """
    moment = regimes[:, :, None] * last[:, None, :]
    result = np.empty((len(last), horizon, last.shape[1]))
    for h in range(horizon):
        moment = np.einsum("ij,nid->njd", model.transition, moment)
        regimes = regimes @ model.transition
        moment = np.einsum("jcd,njd->njc", model.dynamics, moment) + regimes[:, :, None] * model.intercept
        result[:, h] = moment.sum(axis=1)
    return result
