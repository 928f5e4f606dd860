"""What a fit returns: a law that is near the posterior, to draw from and to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from exmc_dask import kernels
from exmc_dask.axes import extents
from exmc_dask.errors import OptionError
from exmc_dask.fitting.running import Lowered
from exmc_dask.kernels import build
from exmc_dask.options import seed_of
from exmc_dask.output import dataset, provenance
from exmc_dask.predictive.groups import data_groups, tree

type Array = np.ndarray
type Stats = Mapping[str, tuple[Array, tuple[str, ...]]]  # name -> (array, dims)


@dataclass(frozen=True, eq=False)
class Approximation:
    """A law that is near the posterior.

    Attributes
    ----------
    method : str
        How it was found.
    stats : mapping of str to (ndarray, dims)
        What is known of the fit; the group ``fit`` of what `sample` returns.
    mean : (dim,) float64
        Of the unconstrained vector, whose coordinates `labels` names.
    root : (1, dim) or (dim, dim) float64
        Standard deviations, or a lower triangle L of the covariance L L'.
    labels : list of str
    """

    method: str
    mean: Array
    root: Array
    stats: Stats = field(repr=False)
    lowered: Lowered = field(repr=False)

    @property
    def labels(self) -> list[str]:
        """Names of the unconstrained coordinates."""
        return self.lowered.density.variables.labels

    @property
    def cov(self) -> Array:
        """Covariance of the unconstrained vector, (dim, dim)."""
        return np.diag(self.root[0] ** 2) if self._is_diagonal else self.root @ self.root.T

    @property
    def std(self) -> Array:
        """Standard deviations of the unconstrained coordinates, (dim,)."""
        return np.abs(self.root[0]) if self._is_diagonal else np.sqrt((self.root**2).sum(axis=1))

    @property
    def _is_diagonal(self) -> bool:
        return len(self.root) == 1

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
            sample_stats (``lp`` of the model, ``log_q`` of the approximation, and ``log_weight``,
            Pareto-smoothed and normalised), fit, observed_data, constant_data. ``fit`` has ``elbo``
            with its standard error ``elbo_se``, ``khat``, the shape of the importance weights'
            tail (above 0.7 the draws are not to be trusted), and what the method knows.
        """
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise OptionError(f"draws={draws!r} is not possible; it has to be above 0")
        seed = seed_of(random_seed)
        rng = build.runtime_module("rng")
        q, logp, logq = self.cloud(int(draws), seed, int(rng.APPROXIMATE))
        weights, khat = smoothed(logp - logq)
        gap = logp - logq
        found: Stats = {
            "elbo": (np.array(gap.mean()), ()),
            "elbo_se": (np.array(gap.std() / np.sqrt(gap.size)), ()),
            "khat": (np.array(khat), ()),
            **self.stats,
        }
        stats = {"lp": logp, "log_q": logq, "log_weight": weights}
        return result(self.lowered, q[None], _rows(stats), found, self._about(seed))

    def cloud(self, n: int, seed: int, purpose: int, unit: int = 0) -> tuple[Array, Array, Array]:
        """Return `n` draws, unconstrained, with the model's log-density and the law's own."""
        kernel, bound = bind(self.lowered)
        q, logp, logq = np.empty((n, kernel.dim)), np.empty(n), np.empty(n)
        with build.compiling("cloud"):
            scatter = build.runtime_module("cloud").scatter()
        scatter(
            *(kernel.logp_grad, bound.data, bound.data32, bound.index, np.empty(bound.work_size)),
            *(self.mean, self.root, seed, unit, purpose, q, logp, logq),
        )
        return q, logp, logq

    def _about(self, seed: int) -> dict[str, Any]:
        return {"method": self.method, "seed": seed, "model": self.lowered.model.spec.key}


def bind(lowered: Lowered) -> tuple[kernels.Kernel, kernels.Bound]:
    """Return the compiled model and its data, here."""
    kernel = kernels.compile(lowered.density)
    return kernel, kernel.bind(lowered.density.fold(lowered.model.data))


def smoothed(log_ratios: Array) -> tuple[Array, float]:
    """Return normalised log-weights with a smoothed tail, and the tail's shape k-hat.

    A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, Pareto smoothed importance sampling,
    JMLR 25 (2024). Equal weights have no tail and k-hat is then minus infinity.
    """
    from arviz_stats.base import array_stats

    finite = np.where(np.isfinite(log_ratios), log_ratios, -np.inf)
    if not np.ptp(finite) > 1e-9:
        return np.full(finite.size, -np.log(finite.size)), -np.inf
    weights, khat = array_stats.psislw(finite)
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
    q, values = np.array(q), np.empty((len(q), bound.n_out))
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


def _rows(stats: Mapping[str, Array]) -> dict[str, tuple[Array, tuple[str, ...]]]:
    return {name: (array[None], ("chain", "draw")) for name, array in stats.items()}
