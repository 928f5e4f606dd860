"""Warmup of the twin: windows, metrics and step sizes as plain formulas, read from the state.

A chain is here a dict of the named fields of its `ChainState`, changed in place.

References
----------
.. [1] M. D. Hoffman, A. Gelman (2014). The No-U-Turn Sampler. JMLR 15: dual averaging (3.2),
   heuristic for a first step size (algorithm 4).
.. [2] A. Seyboldt, E. Carlson, B. Carpenter (2026), arXiv:2603.18845, and nuts-rs: inverse mass
   from draws and scores, overlapping windows, the symmetric acceptance statistic.
.. [3] Stan Reference Manual, "MCMC sampling", and its windowed_adaptation: windows, shrinkage.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from exmc_dask.sampler import reference_low_rank as low_rank
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.windows import pooled_windows, stan_windows

F8 = npt.NDArray[np.float64]
Chain = dict[str, Any]


def change_metric(chain: Chain, settings: Settings) -> None:
    """Do between two draws what the schedule asks for after the draw that was last."""
    last = chain["draw"] - 1
    if not 0 <= last < settings.tune - 1 or settings.scheme == "step_size":
        return
    if _TURNS[settings.scheme](chain, settings, last):
        chain["updates"] += 1
        first = chain["updates"] == 1
        chain["search"] = int(first or settings.scheme == "stan") or chain["search"]


def learn(
    chain: Chain, settings: Settings, errors: Sequence[float], diverging: bool, index: int
) -> None:
    """Take in what a transition taught: its end point, and its leaves' energy errors H - H0.

    Parameters
    ----------
    chain : dict
        At the end point; ``draw`` is still the number of this transition.
    settings : Settings
        Options of the run.
    errors : sequence of float
        Of all leaves; the last one is the divergent one if `diverging`.
    diverging : bool
        Whether a leaf diverged.
    index : int
        Place in time of the end point.
    """
    draw, tune = chain["draw"], settings.tune
    good = abs(index) > 4 if diverging else index != 0
    if settings.scheme == "step_size":
        average(chain, settings, acceptance(errors, diverging, symmetric=True))
        return
    symmetric = False
    if settings.scheme == "fisher":
        if draw < frozen_from(tune) and good:
            _remember(chain, settings, (("", "n_front"), ("back_", "n_back")))
        if draw >= frozen_from(tune) and settings.metric == "low_rank":
            _forget(chain)
        if draw >= early_until(tune) and chain["window"] == 0:
            chain["window"] = max(80, _held(chain, settings))
        symmetric = draw + _next_window(chain, draw, tune) > frozen_from(tune)
    elif settings.scheme == "pooled":
        if draw < pooled_windows(tune)[-1][1] and good:
            _remember(chain, settings, (("", "n_front"),))
        symmetric = draw >= pooled_windows(tune)[-1][0]
    elif any(a <= draw < b for a, b in stan_windows(tune)) and (good or not diverging):
        _remember(chain, settings, (("", "n_front"),))
    average(chain, settings, acceptance(errors, diverging, symmetric))


def _remember(chain: Chain, settings: Settings, windows: Sequence[tuple[str, str]]) -> None:
    """Take the present draw into the estimates of the metric."""
    if settings.metric == "low_rank":
        if chain["draw"] % low_rank.stride(len(chain["q"]), settings.tune) == 0:
            latest = np.array([[chain["q"], chain["grad"]]])
            chain["history"] = np.concatenate([chain["history"], latest])
            chain["n_front"], chain["n_back"] = chain["n_front"] + 1, chain["n_back"] + 1
        return
    for window, count in windows:
        chain[count] += 1
        for series in ("q",) if settings.scheme == "stan" else ("q", "grad"):
            mean, m2 = f"{window}mean_{series}", f"{window}m2_{series}"
            moments = welford(chain[series], chain[mean], chain[m2], chain[count])
            chain[mean], chain[m2] = moments


def _forget(chain: Chain) -> None:
    """Let go of all kept draws."""
    chain["history"], chain["n_front"], chain["n_back"] = chain["history"][:0], 0, 0


def _held(chain: Chain, settings: Settings) -> int:
    """Return how many draws the background estimate stands for."""
    if settings.metric == "low_rank":
        return int(chain["n_back"]) * low_rank.stride(len(chain["q"]), settings.tune)
    return int(chain["n_back"])


def acceptance(errors: Sequence[float], diverging: bool, symmetric: bool = False) -> float:
    """Return the mean over leaves of min(1, w), or of 2 min(1, w) / (1 + w), w = exp(H0 - H).

    A divergent leaf, which is the last one, counts 0.
    """
    total = 0.0
    for error in errors[:-1] if diverging else errors:
        ratio = math.exp(-abs(error))
        lower = ratio if error > 0.0 else 1.0
        total += 2.0 * ratio / (1.0 + ratio) if symmetric else lower
    return total / len(errors)


def average(chain: Chain, settings: Settings, acceptance: float) -> None:
    """Move the step size: equation 6 of [1]_ with gamma = 0.05, t0 = 10, kappa = 0.75."""
    t = chain["n_step"]
    weight = 1.0 / (t + 10.0)
    error = (1.0 - weight) * chain["step_error"] + weight * (settings.target_accept - acceptance)
    log_step = float(chain["step_anchor"] - math.sqrt(t) / 0.05 * error)
    if settings.scheme in ("fisher", "pooled"):
        log_step = min(log_step, math.log(math.pi))  # where the metric is right, pi is unstable
    weight = t**-0.75
    chain["step_error"], chain["log_step"] = error, log_step
    chain["log_step_bar"] = weight * log_step + (1.0 - weight) * chain["log_step_bar"]
    chain["n_step"] = t + 1


def search(accept: Callable[[float], float], target: float) -> float:
    """Return a step size near which one step's acceptance crosses the target.

    Algorithm 4 of [1]_ with nuts-rs's choices: from 0.1, all trials from one momentum, doubled
    forward and halved backward in time, at most 100 trials.

    Parameters
    ----------
    accept : callable
        Signed step size -> min(1, exp(H0 - H)), 0 where the step diverges.
    target : float
        Target acceptance.
    """
    step = 0.1
    up = accept(step) > target
    for _ in range(99):
        step *= 2.0 if up else 0.5
        crossed = (accept(step if up else -step) > target) != up
        if crossed or not 1e-10 < step < 1e5:
            break
    return step


def restart(chain: Chain, step: float) -> None:
    """Begin dual averaging anew at a step size."""
    chain["log_step"] = chain["log_step_bar"] = math.log(step)
    chain["step_anchor"] = math.log(10.0 * step)
    chain["step_error"], chain["n_step"], chain["search"] = 0.0, 1, 0


def welford(x: F8, mean: F8, m2: F8, n: int) -> tuple[F8, F8]:
    """Return mean and summed squared (outer) deviations with `x` as the `n`-th observation.

    Sums of outer products keep their lower triangle only.
    """
    new = mean + (x - mean) / n
    if m2.ndim == 1:
        return new, m2 + (x - mean) * (x - new)
    return new, m2 + np.tril(np.outer(x - mean, x - new))


def frozen_from(tune: int) -> int:
    """Return the first draw that no longer changes the metric of the scheme "fisher"."""
    return tune - math.floor(0.15 * tune)


def early_until(tune: int) -> int:
    """Return the first draw of the main phase of the scheme "fisher"."""
    return math.floor(0.3 * tune)


def _next_window(chain: Chain, draw: int, tune: int) -> int:
    if draw < early_until(tune):
        return 10
    window = int(chain["window"])
    return max(window + 1, math.floor(1.5 * window + 0.5))


def _fisher(chain: Chain, settings: Settings, last: int) -> bool:
    """Switch to the background window when it is full; set the metric from draws and scores."""
    tune = settings.tune
    if last >= frozen_from(tune):
        return False
    early = last < early_until(tune)
    following = _next_window(chain, last, tune)
    full = _held(chain, settings) >= (10 if early else chain["window"])
    switch = full and last + following <= frozen_from(tune)
    if switch:
        if settings.metric == "low_rank":
            chain["history"] = chain["history"][chain["n_front"] - chain["n_back"] :]
        else:
            for name in ("mean_q", "mean_grad", "m2_q", "m2_grad"):
                chain[name] = chain[f"back_{name}"]
                chain[f"back_{name}"] = np.zeros_like(chain[name])
        chain["n_front"], chain["n_back"] = chain["n_back"], 0
        if not early:
            chain["window"] = following
    n = chain["n_front"]
    young = not early and n < 100 and last % 20 == 0
    rare = settings.metric != "diag"
    if n < _enough(settings) or (rare and not (switch or young or last == frozen_from(tune) - 1)):
        return False
    _set_fisher(chain, settings, n)
    return True


def _enough(settings: Settings) -> int:
    """Return the draws before the first metric of draws and scores."""
    return 3 if settings.metric == "diag" else 10


def _set_fisher(chain: Chain, settings: Settings, n: int) -> None:
    """Set the metric from the `n` draws and scores of the estimate."""
    if settings.metric == "low_rank":
        chain.update(low_rank.fit(chain["history"], chain["factor"]))
    elif settings.metric == "dense":
        mean = _fisher_dense(chain["m2_q"] / n, chain["m2_grad"] / n, n)
        chain["factor"] = np.linalg.cholesky(mean)
    else:
        m2_q, m2_grad = chain["m2_q"], chain["m2_grad"]
        ratio = np.divide(m2_q, m2_grad, out=np.zeros_like(m2_q), where=m2_grad > 0.0)
        scale = np.clip(ratio, 1e-40, 1e40) ** 0.25
        chain["factor"] = np.where(ratio > 0.0, scale, chain["factor"])


def _pooled(chain: Chain, settings: Settings, last: int) -> bool:
    """At the end of a window, set the metric from its draws and scores and forget them."""
    n = chain["n_front"]
    ends = [end for _, end in pooled_windows(settings.tune)]
    if last + 1 not in ends or n < _enough(settings):
        return False
    _set_fisher(chain, settings, n)
    _empty(chain, settings)
    return True


def _empty(chain: Chain, settings: Settings) -> None:
    """Forget the only window."""
    if settings.metric == "low_rank":
        _forget(chain)
        return
    chain["n_front"] = 0
    for name in ("mean_q", "m2_q", "mean_grad", "m2_grad"):
        if name in chain:
            chain[name] = np.zeros_like(chain[name])


def _fisher_dense(cov_q: F8, cov_grad: F8, n: int) -> F8:
    """Return the geometric mean of the covariance and the inverse score covariance ([2]_).

    Both are shrunk towards their diagonals, in coordinates where the two diagonals are equal.
    """
    scale = (np.diag(cov_q) / np.diag(cov_grad)) ** 0.25
    a = _shrunk(_whole(cov_q) / np.outer(scale, scale), n)
    b = _shrunk(_whole(cov_grad) * np.outer(scale, scale), n)
    return np.asarray(low_rank.geometric_mean(a, b) * np.outer(scale, scale))


def _stan(chain: Chain, settings: Settings, last: int) -> bool:
    """At the end of a window, set the metric from its draws and forget them."""
    n = chain["n_front"]
    if last + 1 not in [end for _, end in stan_windows(settings.tune)] or n < 3:
        return False
    if settings.metric == "low_rank":
        chain.update(low_rank.fit(chain["history"], chain["factor"]))
        _empty(chain, settings)
        return True
    cov = chain["m2_q"] / (n - 1)
    if settings.metric == "diag":
        chain["factor"] = np.sqrt(n / (n + 5) * cov + 1e-3 * 5 / (n + 5))
    else:
        cov = n / (n + 5) * _whole(cov) + 1e-3 * 5 / (n + 5) * np.eye(len(cov))
        chain["factor"] = np.linalg.cholesky(cov)
    _empty(chain, settings)
    return True


_TURNS = {"fisher": _fisher, "stan": _stan, "pooled": _pooled}


def _whole(lower: F8) -> F8:
    return np.asarray(lower + np.tril(lower, -1).T)


def _shrunk(matrix: F8, n: int) -> F8:
    weight = n / (n + (len(matrix) / n) ** 2)
    return weight * matrix + (1 - weight) * np.diag(np.diag(matrix))
