"""Whether chains agree and what their draws are worth: R-hat, ESS, MCSE and BFMI in NumPy.

The formulas are those of Vehtari et al. (2021), "Rank-normalization, folding, and localization: an
improved R-hat for assessing convergence of MCMC", https://doi.org/10.1214/20-BA1221, and the values
those of arviz-stats to rounding. What differs is the form: all variables at once, in milliseconds,
so that they can be looked at while a run goes on. Draws are ``(n_chains, n_draws, k)`` throughout
and results ``(k,)``; a variable with a NaN, or fewer than 4 draws, has NaN.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_DRAWS = 4  # below, half a chain has no variance
TAILS = (0.05, 0.95)
MIN_LOOK = 50  # draws of each chain, below which a running value would only unsettle
N_LOOK = 200  # variables that a running value looks at, spread evenly over all
N_LEAST = 12  # that it looks at however many draws there are
N_KEPT = 2**22  # numbers kept for it, 32 MB, if that leaves so many variables
_CHUNK = 2**18  # numbers worked on at a time: ranks and spectra take some ten times their memory


def rhat(draws: Array) -> Array:
    """Rank-normalised split R-hat, the larger of bulk and folded (eq. 8 to 14); 2 chains or more.

    A variable that never changes has NaN, and so has every variable of a single chain.
    """
    if draws.shape[0] < 2:
        return np.full(draws.shape[2], np.nan)
    return _by_variable(draws, _rhat)


def rhat_nested(draws: Array, superchains: NDArray[np.int64]) -> Array:
    """Nested R-hat of chains that share starting points, rank-normalised and folded as `rhat`.

    Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari and Gelman (2024), "Nested R-hat: assessing
    the convergence of Markov chain Monte Carlo when running many short chains",
    https://doi.org/10.1214/24-BA1453: what counts is whether the means of *superchains* agree, so a
    chain may have few draws, even one. Superchains of M chains of n independent draws have about
    ``sqrt(1 + 1 / (M * (n + 2)))``, or ``sqrt(1 + 1 / M)`` where n is 1.

    Parameters
    ----------
    draws : (n_chains, n_draws, k) float64
    superchains : (n_chains,) int64
        To which each chain belongs; those that belong together started at one point. Superchains
        that have lost a chain count as much as others.

    Returns
    -------
    (k,) float64
        NaN for a variable that never changes or has a NaN, and for all where there is only one
        superchain, or nothing varies within one: a chain each, and fewer than 4 draws.
    """
    _, own, sizes = np.unique(superchains, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return np.full(draws.shape[2], np.nan)

    def statistic(x: Array) -> Array:
        halves = x.shape[2] >= MIN_DRAWS
        x = _halves(x) if halves else x
        folded = np.abs(x - np.median(x, axis=(1, 2), keepdims=True))
        ids = np.tile(own, 2) if halves else own
        return np.maximum(
            _plain_rhat_nested(_normal_scores(x), ids),
            _plain_rhat_nested(_normal_scores(folded), ids),
        )

    return _by_variable(draws, statistic, 1 if sizes.max() > 1 else MIN_DRAWS)


def ess_bulk(draws: Array) -> Array:
    """Effective sample size of the rank-normalised draws (section 4.1): for means and medians."""
    return _by_variable(draws, lambda x: _ess(_normal_scores(_halves(x))))


def ess_tail(draws: Array) -> Array:
    """Smaller effective sample size of the indicators of the 5 % and the 95 % quantile (4.3)."""
    return _by_variable(draws, _ess_tail)


def ess_mean(draws: Array) -> Array:
    """Effective sample size of the draws as they are (eq. 10)."""
    return _by_variable(draws, lambda x: _ess(_halves(x)))


def mcse_mean(draws: Array) -> Array:
    """Return the standard error of each variable's mean."""
    flat = draws.reshape(-1, draws.shape[2])
    if flat.shape[0] < 2:
        return np.full(draws.shape[2], np.nan)
    return np.asarray(flat.std(axis=0, ddof=1) / np.sqrt(ess_mean(draws)))


def bfmi(energy: Array) -> Array:
    """Bayesian fraction of missing information of each chain, ``(n_chains, n_draws)`` -> chains.

    Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte
    Carlo", https://arxiv.org/abs/1604.00695: mean squared step of the energy over its variance.
    """
    if energy.shape[1] < 2:
        return np.full(energy.shape[0], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.square(np.diff(energy, axis=1)).mean(axis=1)
        return np.asarray(steps / energy.var(axis=1, ddof=1))


@dataclass(frozen=True, eq=False)
class Look:
    """What the draws so far say of some variables.

    Attributes
    ----------
    columns : (k,) int64
        Which columns of the draws these are.
    n_draws : int
        Of each chain; those that all chains have.
    mean, sd, rhat, ess : (k,) float64
        ``ess`` is that of the bulk; NaN for what a variable does not have.
    """

    columns: NDArray[np.int64]
    n_draws: int
    mean: Array
    sd: Array
    rhat: Array
    ess: Array

    @property
    def worst(self) -> tuple[float, float]:
        """The largest R-hat and the smallest ESS."""
        return float(np.fmax.reduce(self.rhat)), float(np.fmin.reduce(self.ess))


class Running:
    """R-hat and ESS of a run while its draws come in.

    Kept are the numbers of few variables, so that the memory does not grow with the model.

    Parameters
    ----------
    n_chains : int
    n_draws : int
        Draws of each chain that there will be, about.
    """

    def __init__(self, n_chains: int, n_draws: int = 1000) -> None:
        self._n_chains = n_chains
        self._n_columns = max(N_LEAST, min(N_LOOK, N_KEPT // max(1, n_chains * n_draws)))
        self._kept: defaultdict[int, list[Array]] = defaultdict(list)
        self.columns: NDArray[np.int64] | None = None

    def add(self, chain: int, values: Array, columns: NDArray[np.int64] | None = None) -> None:
        """Take the next rows of a chain, warmup left out.

        Where not all of their columns are here, ``columns`` says which are, the same for all.
        """
        if not values.shape[1]:
            return
        if columns is not None:
            if self.columns is None or not np.array_equal(self.columns, columns):
                self._kept.clear()  # of rows before, if any, other columns were kept
                self.columns = columns
            if len(values):
                self._kept[chain].append(values)
            return
        if self.columns is None:
            last = values.shape[1] - 1
            self.columns = np.unique(np.linspace(0, last, self._n_columns).astype(np.int64))
        if len(values):
            self._kept[chain].append(values.take(self.columns, axis=1))

    @property
    def common(self) -> int:
        """Number of draws that all chains have."""
        if len(self._kept) < self._n_chains:
            return 0
        return min(sum(map(len, kept)) for kept in self._kept.values())

    @property
    def size(self) -> int:
        """How many numbers a look would look at."""
        return 0 if self.columns is None else self._n_chains * self.common * len(self.columns)

    def look(self) -> Look | None:
        """Look at the draws that all chains have; None when there are too few to say."""
        common = self.common
        if self.columns is None or common < MIN_LOOK:
            return None
        for kept in self._kept.values():
            kept[:] = [np.concatenate(kept)]
        draws = np.stack([kept[0][:common] for kept in self._kept.values()])
        flat = draws.reshape(-1, draws.shape[2])
        return Look(
            columns=self.columns,
            n_draws=common,
            mean=flat.mean(axis=0),
            sd=flat.std(axis=0, ddof=1),
            rhat=rhat(draws),
            ess=ess_bulk(draws),
        )


def _by_variable(
    draws: Array, statistic: Callable[[Array], Array], min_draws: int = MIN_DRAWS
) -> Array:
    """Apply a statistic of ``(variables, n_chains, n_draws)`` some variables at a time."""
    n_chains, n_draws, k = draws.shape
    result = np.full(k, np.nan)
    if n_draws < min_draws or n_chains < 1:
        return result
    width = max(1, _CHUNK // (n_chains * n_draws))
    for low in range(0, k, width):
        chunk = np.ascontiguousarray(draws[:, :, low : low + width].transpose(2, 0, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            values = statistic(chunk)
        values[np.isnan(chunk).any(axis=(1, 2))] = np.nan
        result[low : low + width] = values
    return result


def _halves(x: Array) -> Array:
    """Make two chains of each, without the middle draw of an odd number."""
    half = x.shape[2] // 2
    return np.concatenate((x[:, :, :half], x[:, :, -half:]), axis=1)


def _normal_scores(x: Array) -> Array:
    """Replace draws by normal quantiles of their ranks among all chains (eq. 14).

    Equal draws share the mean of their ranks.
    """
    from scipy.special import ndtri

    flat = x.reshape(len(x), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ascending = np.take_along_axis(flat, order, axis=1)
    is_new = np.ones(flat.shape, bool)
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=is_new[:, 1:])
    del ascending
    doubled = np.flatnonzero(is_new)  # where the draws of a rank start, soon twice that rank
    counts = np.diff(doubled, append=flat.size)
    doubled %= size
    doubled *= 2
    doubled += counts
    doubled -= 1
    scores = ndtri((np.arange(2 * size - 1) / 2 + 1 - 3 / 8) / (size + 1 / 4))
    result = np.empty_like(flat)
    np.put_along_axis(result, order, np.repeat(scores[doubled], counts).reshape(flat.shape), axis=1)
    return result.reshape(x.shape)


def _rhat(x: Array) -> Array:
    split = _halves(x)
    folded = np.abs(split - np.median(split, axis=(1, 2), keepdims=True))
    return np.maximum(_plain_rhat(_normal_scores(split)), _plain_rhat(_normal_scores(folded)))


def _plain_rhat(x: Array) -> Array:
    """Root of the pooled variance over the mean variance within chains (eq. 1 to 4)."""
    n_draws = x.shape[2]
    between = x.mean(axis=2).var(axis=1, ddof=1)
    within = x.var(axis=2, ddof=1).mean(axis=1)
    return np.asarray(np.sqrt(between / within + (n_draws - 1) / n_draws))


def _plain_rhat_nested(x: Array, own: NDArray[np.int64]) -> Array:
    variances = x.var(axis=2, ddof=1) if x.shape[2] > 1 else None
    return nested_ratio(x.mean(axis=2), variances, own)


def nested_ratio(means: Array, variances: Array | None, own: NDArray[np.int64]) -> Array:
    """Root of 1 plus the variance between superchains over the mean one within (eq. 4 to 8).

    Parameters
    ----------
    means, variances : (k, n_chains) float64
        Of chains, the latter with divisor n - 1; None where a chain has one draw.
    own : (n_chains,) int64
        Superchain of each chain, counted from 0.
    """
    sizes = np.bincount(own)
    share = (own == np.arange(len(sizes))[:, None]) / sizes[:, None]
    centres = means @ share.T
    off = np.square(means - centres[:, own])
    within = (off @ share.T) * (sizes / np.maximum(sizes - 1, 1))
    if variances is not None:
        within += variances @ share.T
    return np.asarray(np.sqrt(1.0 + centres.var(axis=1, ddof=1) / within.mean(axis=1)))


def _ess_tail(x: Array) -> Array:
    quantiles = np.quantile(x, TAILS, axis=(1, 2), keepdims=True)
    low, high = (_ess(_halves((x <= quantile).astype(np.float64))) for quantile in quantiles)
    return np.minimum(low, high)


def _ess(x: Array) -> Array:
    """Effective sample size by Geyer's initial monotone sequence (eq. 10, appendix A).

    Sums of autocorrelations at lags (0, 1), (2, 3), ... are taken up to the first that is not
    positive, each no larger than the one before it; of the pair that ended the sum its even lag
    still counts where it is positive. The result is at most S log10(S) for S draws. What never
    changes counts in full.
    """
    n_chains, n_draws = x.shape[1:]
    size = n_chains * n_draws
    covariance = _mean_autocovariance(x)
    within = covariance[:, :1] * (n_draws / (n_draws - 1))
    total = covariance[:, :1].copy()
    if n_chains > 1:
        total += x.mean(axis=2).var(axis=1, ddof=1)[:, None]
    rho = 1.0 - (within - covariance) / total
    rho[:, 0] = 1.0
    n_pairs = max(1, (n_draws - 3) // 2 + 1)
    even, odd = rho[:, 0 : 2 * n_pairs : 2], rho[:, 1 : 2 * n_pairs : 2]
    pairs = even + odd
    stop = np.where((pairs <= 0).any(axis=1), np.argmax(pairs <= 0, axis=1), n_pairs - 1)
    counted = np.arange(n_pairs) < stop[:, None]
    monotone = np.minimum.accumulate(pairs, axis=1)
    rest = np.take_along_axis(even, stop[:, None], axis=1)[:, 0]
    tau = -1.0 + 2.0 * np.where(counted, monotone, 0.0).sum(axis=1) + np.maximum(rest, 0.0)
    ess = size / np.maximum(tau, 1.0 / np.log10(size))
    still = x.max(axis=(1, 2)) - x.min(axis=(1, 2)) < np.finfo(np.float64).resolution
    return np.asarray(np.where(still, float(size), ess))


def _mean_autocovariance(x: Array) -> Array:
    """Autocovariance of each variable at every lag, mean over chains, divided by n_draws."""
    n_draws = x.shape[2]
    length = 1 << (2 * n_draws - 1).bit_length()
    spectrum = np.fft.rfft(x - x.mean(axis=2, keepdims=True), length, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    return np.asarray(np.fft.irfft(power, length, axis=1)[:, :n_draws] / n_draws)
