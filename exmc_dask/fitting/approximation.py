"""What a fit returns: a law that is near the posterior, to draw from and to look at."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from exmc_dask import kernels
from exmc_dask.errors import OptionError
from exmc_dask.expressions.axes import extents
from exmc_dask.fitting.running import Lowered
from exmc_dask.kernels import build
from exmc_dask.options import seed_of
from exmc_dask.predictive.groups import data_groups, tree
from exmc_dask.results.output import dataset, provenance

type Array = np.ndarray
type Stats = Mapping[str, tuple[Array, tuple[str, ...]]]  # name -> (array, dims)


MIN_SMOOTHED = 30  # draws, of which a fifth is the tail that is smoothed


@dataclass(frozen=True, eq=False)
class Approximation(ABC):
    """A law that is near the posterior.

    Attributes
    ----------
    method : str
        How it was found.
    stats : mapping of str to (ndarray, dims)
        What is known of the fit; the group ``fit`` of what `sample` returns.
    lowered : Lowered
    """

    method: str
    stats: Stats = field(repr=False)
    lowered: Lowered = field(repr=False)

    @property
    def labels(self) -> list[str]:
        """Names of the coordinates of the unconstrained vector, (dim,)."""
        return self.lowered.density.variables.labels

    @property
    @abstractmethod
    def mean(self) -> Array:
        """Mean of the unconstrained vector, (dim,)."""

    @property
    @abstractmethod
    def cov(self) -> Array:
        """Covariance of the unconstrained vector, (dim, dim)."""

    @property
    def n_effective(self) -> float:
        """How many draws `mean` and `cov` are as good as."""
        return np.inf

    @property
    def std(self) -> Array:
        """Standard deviations of the unconstrained coordinates, (dim,)."""
        return np.sqrt(np.diag(self.cov))

    @abstractmethod
    def points(self, n: int, seed: int) -> tuple[Array, dict[str, Array], Stats]:
        """Return draws: (n, dim), unconstrained; what is known of each; and of all of them."""

    def sample(self, draws: int = 1000, *, random_seed: int | None = None) -> xr.DataTree:
        """Draw from the approximation.

        Parameters
        ----------
        draws : int
        random_seed : int, optional
            One seed, one result; drawn by default.

        Returns
        -------
        xarray.DataTree
            Groups posterior (variables on their own scales and deterministics, one chain),
            sample_stats (``lp`` of the model and ``log_q`` of the approximation), fit,
            observed_data, constant_data. ``fit`` has ``elbo``, its standard error ``elbo_se``,
            ``khat``, the shape of the importance weights' tail (above 0.7 the draws are not to be
            trusted), and what the method knows.
        """
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise OptionError(f"draws={draws!r} is not possible; it has to be above 0")
        seed = seed_of(random_seed)
        q, stats, fit = self.points(int(draws), seed)
        about = {"method": self.method, "seed": seed, "model": self.lowered.model.spec.key}
        rows: Stats = {name: (array[None], ("chain", "draw")) for name, array in stats.items()}
        return result(self.lowered, q[None], rows, fit, about)


@dataclass(frozen=True, eq=False)
class Normal(Approximation):
    """A normal law of the unconstrained vector.

    Attributes
    ----------
    center : (dim,) float64
    root : (1, dim) or (dim, dim) float64
        Standard deviations, or a lower triangle L of the covariance L L'.
    """

    center: Array
    root: Array

    @property
    def mean(self) -> Array:
        """Mean of the unconstrained vector, (dim,)."""
        return self.center

    @property
    def cov(self) -> Array:
        """Covariance of the unconstrained vector, (dim, dim)."""
        return np.diag(self.root[0] ** 2) if len(self.root) == 1 else self.root @ self.root.T

    def points(self, n: int, seed: int) -> tuple[Array, dict[str, Array], Stats]:
        """Return draws; ``log_weight``, smoothed and normalised, weighs them for the posterior."""
        kernel, bound = bind(self.lowered)
        q, logp, logq = np.empty((n, kernel.dim)), np.empty(n), np.empty(n)
        with build.compiling("cloud"):
            scatter = build.runtime_module("cloud").scatter()
        purpose = int(build.runtime_module("rng").APPROXIMATE)
        scatter(
            *(kernel.logp_grad, bound.data, bound.data32, bound.index, np.empty(bound.work_size)),
            *(self.center, self.root, seed, 0, purpose, q, logp, logq),
        )
        weights, found = weighed(logp, logq)
        return q, {"lp": logp, "log_q": logq, "log_weight": weights}, {**found, **self.stats}


@dataclass(frozen=True, eq=False)
class Pool(Approximation):
    """Draws of several laws, weighed together for the posterior.

    Attributes
    ----------
    q : (n, dim) float64
    logp, logq : (n,) float64
        Log-densities of the model and of the law that each is from.
    weights : (n,) float64
        Pareto-smoothed importance weights; they sum to 1.
    """

    q: Array
    logp: Array
    logq: Array
    weights: Array

    @property
    def mean(self) -> Array:
        """Mean of the unconstrained vector, (dim,)."""
        return np.asarray(self.weights @ self.q)

    @property
    def cov(self) -> Array:
        """Covariance of the unconstrained vector, (dim, dim)."""
        off = self.q - self.mean
        return np.asarray((off.T * self.weights) @ off)

    @property
    def n_effective(self) -> float:
        """How many draws `mean` and `cov` are as good as."""
        return float(1.0 / (self.weights**2).sum())

    def points(self, n: int, seed: int) -> tuple[Array, dict[str, Array], Stats]:
        """Return draws from the pool, with replacement, by weight."""
        generator = np.random.Generator(np.random.Philox(key=seed))
        chosen = generator.choice(len(self.q), n, p=self.weights)
        return self.q[chosen], {"lp": self.logp[chosen], "log_q": self.logq[chosen]}, self.stats


def bind(lowered: Lowered) -> tuple[kernels.Kernel, kernels.Bound]:
    """Return the compiled model and its data, here."""
    kernel = kernels.compile(lowered.density)
    return kernel, kernel.bind(lowered.density.fold(lowered.model.data))


def weighed(logp: Array, logq: Array) -> tuple[Array, dict[str, tuple[Array, tuple[str, ...]]]]:
    """Return normalised log-weights of draws from q, and what they say of q: elbo and k-hat."""
    gap = logp - logq
    weights, khat = smoothed(gap)
    return weights, {
        "elbo": (np.array(gap.mean()), ()),
        "elbo_se": (np.array(gap.std() / np.sqrt(gap.size)), ()),
        "khat": (np.array(khat), ()),
    }


def smoothed(log_ratios: Array) -> tuple[Array, float]:
    """Return normalised log-weights with a smoothed tail, and the tail's shape k-hat.

    A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, Pareto smoothed importance sampling,
    JMLR 25 (2024). Equal weights have no tail and k-hat is then minus infinity; it is NaN where
    draws are too few for one.
    """
    from arviz_stats.base import array_stats

    finite = np.where(np.isfinite(log_ratios), log_ratios, -np.inf)
    if not np.ptp(finite) > 1e-9:
        return np.full(finite.size, -np.log(finite.size)), -np.inf
    if finite.size < MIN_SMOOTHED:
        return finite - logsumexp(finite), np.nan
    weights, khat = array_stats.psislw(-finite)  # it takes log-likelihoods, whose inverse weighs
    return np.asarray(weights), float(khat)


def result(
    lowered: Lowered,
    q: Array,
    stats: Mapping[str, tuple[Array, tuple[str, ...]]],
    fit: Stats,
    about: Mapping[str, Any],
) -> xr.DataTree:
    """Lay draws out as `exmc_dask.sample` does.

    Parameters
    ----------
    lowered : Lowered
    q : (chains, draws, dim) float64
        Unconstrained.
    stats : name -> (array, dims)
        Of the draws.
    fit : name -> (array, dims)
        Of the fit.
    about : mapping
        Attributes of both.
    """
    model, density = lowered.model, lowered.density
    chains, draws, dim = q.shape
    attrs = {**provenance(), **about}
    labels: dict[str, Any] = {**model.coords, "chain": np.arange(chains), "draw": np.arange(draws)}
    names = density.variables.labels
    groups = {
        "posterior": dataset(
            named(lowered, q.reshape(-1, dim), (chains, draws)), labels, attrs, ()
        ),
        "sample_stats": dataset(stats, labels, attrs, ()),
        "fit": dataset(fit, {"rows": names, "columns": names}, attrs, ()),
        **data_groups(model),
    }
    for name in ("posterior", "sample_stats"):
        groups[name].attrs["sample_dims"] = ["chain", "draw"]
    return tree(groups)


def named(
    lowered: Lowered, q: Array, front: tuple[int, ...]
) -> dict[str, tuple[Array, tuple[str, ...]]]:
    """Return the variables and deterministics at rows of `q`: name -> (array, dims).

    Parameters
    ----------
    lowered : Lowered
    q : (n, dim) float64
    front : tuple of int
        Shape that takes the place of n: () for a single row, or (chains, draws).
    """
    kernel, bound = bind(lowered)
    q, values = np.array(q, order="C"), np.empty((len(q), bound.n_out))
    with build.compiling("cloud"):
        unfold = build.runtime_module("cloud").unfold()
    work = np.empty(bound.work_size)
    unfold(kernel.expand, bound.data, bound.data32, bound.index, work, q, values)
    lengths = lowered.density.axis_lengths(lowered.density.fold(lowered.model.data))
    found: dict[str, tuple[Array, tuple[str, ...]]] = {}
    column = 0
    for output in lowered.density.outputs:
        shape = extents(output.shape, lengths)
        size = int(np.prod(shape, dtype=int))
        array = np.ascontiguousarray(values[:, column : column + size])
        dims = tuple(dim or f"{output.name}_dim_{i}" for i, dim in enumerate(output.dims))
        found[output.name] = (
            array.reshape((*front, *shape)),
            (*("chain", "draw")[: len(front)], *dims),
        )
        column += size
    return found
