"""Small models, traces with draws of our own, and the laws that draws are compared with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

import exmc_dask as ed


def gauss(y: Any = (0.0,), **options: Any) -> ed.Model:
    with ed.Model() as model:
        ed.Normal("y", ed.Normal("mu", 1, 2), 3, observed=np.asarray(y), **options)
    return model


def mixed(child: Callable[[Any], Any], root: Any, name: str = "p") -> ed.Model:
    with ed.Model() as model:
        child(model.rv(name, root))
    return model


def network() -> ed.Model:
    """Two roots, a child of both, expressions of each stage, and two observations in a chain."""
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1)
        y = ed.Normal("y", 0, 1)
        data = ed.Data("data", [1.0, 2.0])
        mean = ed.Deterministic("mean", data.sum() / 2.0)
        z = ed.Normal("z", x + y * y, 1)
        det = ed.Deterministic("det", ed.math.exp(z) + mean)
        seen = ed.Normal("seen", det, 1, observed=20.0)
        ed.Deterministic("twice", 2 * seen)
        ed.Normal("next", seen, 1, observed=19.0)
    return model


def posterior(coords: dict[str, Any] | None = None, **arrays: Any) -> xr.DataTree:
    """Tree with the group posterior; axes after chain and draw are called as `sample` calls them.

    An array may be given with the names of these axes, as ``(array, dims)``.
    """
    variables = {}
    for name, given in arrays.items():
        array, dims = given if isinstance(given, tuple) else (given, None)
        array = np.asarray(array, dtype=float)
        dims = dims or tuple(f"{name}_dim_{i}" for i in range(array.ndim - 2))
        variables[name] = (("chain", "draw", *dims), array)
    found = xr.Dataset(variables, coords)
    for dim in ("chain", "draw"):
        found = found.assign_coords({dim: np.arange(found.sizes[dim])})
    return xr.DataTree(children={"posterior": xr.DataTree(found)})


def p_value(drawn: Any, law: Any) -> float:
    """Kolmogorov-Smirnov against a frozen distribution of scipy."""
    return float(stats.kstest(np.ravel(drawn), law.cdf).pvalue)


def far_from(drawn: Any, law: Any) -> float:
    """Largest distance of the distribution functions of whole numbers, in units of its 99.9 %.

    The bound of Dvoretzky, Kiefer and Wolfowitz holds for discrete laws too.
    """
    values = np.ravel(drawn)
    at = np.arange(values.max() + 1)
    distance = np.abs((values[:, None] <= at).mean(axis=0) - law.cdf(at)).max()
    return float(distance / np.sqrt(np.log(2 / 1e-3) / (2 * len(values))))
