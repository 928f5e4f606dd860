"""Examples of hidden Markov models, whose states are summed out by the forward algorithm.

Rabiner (1989), "A tutorial on hidden Markov models", section III.A, in logarithms.
"""

from typing import Any

import numpy as np

import exmc_dask as ed

from .example import Arrays, Example, Values

Rng = np.random.Generator


def log_forward(log_start: Any, log_move: Any, log_emitted: Any) -> Any:
    """Return the log-density of a sequence, summed over all paths of the states.

    Parameters
    ----------
    log_start : (K,)
        Log-probabilities of the first state.
    log_move : (K, K) or (T - 1, K, K)
        Of the next state, along the last axis; the same for every step, or one matrix a step.
    log_emitted : (T, K)
        Log-density of every value in every state.
    """
    fixed = log_move if log_move.ndim == 2 else None
    moves = None if fixed is not None else log_move

    def step(log_alpha: Any, row: tuple[Any, Any]) -> tuple[Any, None]:
        log_emitted, move = row
        paths = ed.math.expand_dims(log_alpha, 1) + (move if fixed is None else fixed)
        return ed.math.logsumexp(paths, axis=0) + log_emitted, None

    last, _ = ed.math.scan(step, log_start + log_emitted[0], (log_emitted[1:], moves))
    return ed.math.logsumexp(last)


def walk(rng: Rng, start: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return the states of a chain, given the matrix of every move (T - 1, K, K)."""
    states = [rng.choice(len(start), p=start)]
    for move in moves:
        states.append(rng.choice(len(start), p=move[states[-1]]))
    return np.array(states)


def _hmm_data(rng: Rng, truth: Values) -> Arrays:
    moves = np.broadcast_to(truth["move"], (299, 3, 3))
    states = walk(rng, np.full(3, 1 / 3), moves)
    return {"y": rng.normal(truth["mu"][states], truth["sigma"])}


def _hmm(data: Arrays) -> ed.Model:
    y = data["y"]
    with ed.Model() as model:
        move = ed.Dirichlet("move", np.ones(3) + 2 * np.eye(3))
        mu = ed.Normal("mu", 0, 5, shape=3, transform="ordered")
        sigma = ed.HalfNormal("sigma", 2)
        emitted = ed.logp(ed.Normal.dist(mu, sigma), y[:, None])
        ed.Potential("y", log_forward(np.full(3, -np.log(3)), ed.math.log(move), emitted))
    return model
