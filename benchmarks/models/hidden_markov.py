"""Examples of hidden Markov models, whose states are summed out by the forward algorithm.

Rabiner (1989), "A tutorial on hidden Markov models", section III.A, in logarithms.
"""

from typing import Any

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator


def log_normal(x: Any, mu: Any, sigma: Any) -> Any:
    """Log-density of a normal distribution, element by element."""
    return -0.5 * ed.math.square((x - mu) / sigma) - ed.math.log(sigma) - 0.5 * np.log(2 * np.pi)


def log_after(log_before: Any, log_move: Any, log_emitted: Any) -> Any:
    """Log-densities of the past and of each state (K,), one step later.

    Parameters
    ----------
    log_before : (K,)
    log_move : (K, K)
        Log-probabilities of the next state along the last axis.
    log_emitted : (K,)
        Log-density of the next value in each state.
    """
    return ed.math.logsumexp(ed.math.expand_dims(log_before, 1) + log_move, axis=0) + log_emitted


def walk(rng: Rng, start: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return states (T,) given the probabilities of the first and of every move (T - 1, K, K)."""
    states = [rng.choice(len(start), p=start)]
    for move in moves:
        states.append(rng.choice(len(start), p=move[states[-1]]))
    return np.array(states)


def _hmm_data(rng: Rng, truth: Values) -> Arrays:
    states = walk(rng, np.full(3, 1 / 3), np.broadcast_to(truth["move"], (299, 3, 3)))
    return {"y": rng.normal(truth["mu"][states], truth["sigma"])}


def _hmm(data: Arrays) -> ed.Model:
    def logp(y: Any, move: Any, mu: Any, sigma: Any) -> Any:
        log_move = ed.math.log(move)
        log_emitted = log_normal(ed.math.expand_dims(y, 1), mu, sigma)
        start = log_emitted[0] - np.log(3)
        last, _ = ed.math.scan(
            lambda before, emitted: (log_after(before, log_move, emitted), None),
            start,
            log_emitted[1:],
        )
        return ed.math.logsumexp(last)

    with ed.Model() as model:
        move = ed.Dirichlet("move", np.ones(3) + 2 * np.eye(3))
        mu = ed.Normal("mu", 0, 5, shape=3, transform="ordered")
        sigma = ed.HalfNormal("sigma", 2)
        ed.Custom("y", move, mu, sigma, logp=logp, observed=data["y"])
    return model


HMM = Example(
    "hmm",
    lambda rng: {
        "move": np.array([[0.9, 0.08, 0.02], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]]),
        "mu": np.array([-2.0, 0.0, 3.0]),
        "sigma": 0.8,
    },
    _hmm_data,
    _hmm,
)


def _covariates_data(rng: Rng, truth: Values) -> Arrays:
    x = np.sin(np.arange(399) / 12.0) + rng.normal(0, 0.5, 399)
    leave = 1 / (1 + np.exp(-(truth["a"] + np.multiply.outer(x, truth["b"]))))  # (T - 1, 2)
    moves = np.stack(
        [
            np.stack([1 - leave[:, 0], leave[:, 0]], -1),
            np.stack([leave[:, 1], 1 - leave[:, 1]], -1),
        ],
        axis=1,
    )
    states = walk(rng, np.full(2, 0.5), moves)
    return {"x": x, "y": rng.poisson(truth["rate"][states])}


def _covariates(data: Arrays) -> ed.Model:
    def logp(y: Any, log_move: Any, rate: Any) -> Any:
        counts = ed.math.expand_dims(y, 1)
        log_emitted = counts * ed.math.log(rate) - rate - ed.math.gammaln(counts + 1.0)
        start = log_emitted[0] - np.log(2)
        last, _ = ed.math.scan(
            lambda before, row: (log_after(before, *row), None), start, (log_move, log_emitted[1:])
        )
        return ed.math.logsumexp(last)

    with ed.Model() as model:
        a = ed.Normal("a", -2, 1, shape=2)
        b = ed.Normal("b", 0, 1, shape=2)
        rate = ed.Gamma("rate", 2, 0.5, shape=2, transform="positive_ordered")
        leave = a + ed.math.expand_dims(data["x"], 1) * b
        go, stay = -ed.math.softplus(-leave), -ed.math.softplus(leave)
        first = ed.math.stack([stay[:, 0], go[:, 0]], axis=1)
        second = ed.math.stack([go[:, 1], stay[:, 1]], axis=1)
        log_move = ed.math.stack([first, second], axis=1)
        ed.Custom("y", log_move, rate, logp=logp, support="count", observed=data["y"])
    return model


HMM_COVARIATES = Example(
    "hmm_covariates",
    lambda rng: {
        "a": np.array([-2.5, -1.5]),
        "b": np.array([1.5, -1.0]),
        "rate": np.array([1.5, 6.0]),
    },
    _covariates_data,
    _covariates,
)
