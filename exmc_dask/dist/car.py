"""The conditional autoregression: a normal law over a map, in which regions lean on neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.forms import HALF_LOG_TWO_PI
from exmc_dask.dist.zerosum import neighbours_of
from exmc_dask.errors import OptionError
from exmc_dask.expressions.axes import broadcast
from exmc_dask.expressions.ir import Node
from exmc_dask.math import log


def _along_edges(
    x: Node,
    mu: Node,
    edges: Node,
    alpha: Node,
    tau: Node,
    degrees: Node,
    spectrum: Node,
    n: Node,
) -> Node:
    """Besag (1974), "Spatial interaction", with precision ``tau * (D - alpha * W)``.

    Its determinant is that of D times the product of ``1 - alpha * v`` over the eigenvalues v of
    ``D**-0.5 W D**-0.5`` (Jin, Carlin and Banerjee 2005), which no parameter changes; the square
    is a sum along the edges. PyMC leaves out the determinant of D, a constant.
    """
    off = x - mu
    left, right = (math.take(off, edges[:, i], axis=-1) for i in range(2))
    each = math.square(left) + math.square(right) - 2.0 * math.expand_dims(alpha, -1) * left * right
    distance = tau * math.sum(each, axis=-1)
    spread = math.sum(math.log1p(-math.expand_dims(alpha, -1) * spectrum), axis=-1)
    log_det = n * log(tau) + math.sum(log(degrees)) + spread
    return 0.5 * (log_det - distance) - n * HALF_LOG_TWO_PI


def _draw(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    mu: Any,
    edges: Any,
    alpha: Any,
    tau: Any,
    degrees: Any,
    spectrum: Any,
    n: Any,
) -> np.ndarray:
    neighbours = _matrix(edges, int(n))
    along, scale = (np.asarray(value)[..., None, None] for value in (alpha, tau))
    factor = np.linalg.cholesky(scale * (np.diag(degrees) - along * neighbours))
    z = rng.normal(size=(*shape, 1))
    return np.asarray(mu + np.linalg.solve(factor.swapaxes(-1, -2), z)[..., 0])


def _matrix(edges: np.ndarray, n: int) -> np.ndarray:
    """1 where two of `n` regions are neighbours, 0 elsewhere."""
    found = np.zeros((n, n))
    found[edges[:, 0], edges[:, 1]] = found[edges[:, 1], edges[:, 0]] = 1.0
    return found


def _degrees(edges: np.ndarray) -> np.ndarray:
    """How many neighbours each region has."""
    return np.bincount(edges.ravel()).astype(np.float64)


def _spectrum(edges: np.ndarray) -> np.ndarray:
    """Eigenvalues of the matrix of neighbours, scaled by the roots of their numbers."""
    root = 1.0 / np.sqrt(_degrees(edges))
    scaled = _matrix(edges, len(root)) * np.outer(root, root)
    return np.asarray(np.clip(np.linalg.eigvalsh(scaled), -1.0, 1.0))


@dataclass(frozen=True, repr=False)
class Proper(Family):
    """The row of `CAR`, which calculates from the graph what the density needs of it."""

    def bind(self, label: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Dist:
        """Turn the matrix of neighbours into edges, their numbers and eigenvalues."""
        named = dict(zip(("mu", "W", "alpha", "tau"), args, strict=False))
        options = {**named, **given}
        if "W" not in options or len(args) > len(named) or named.keys() & given.keys():
            raise OptionError(f"{label}: CAR takes mu, W, alpha, tau, each once")
        edges = neighbours_of(label, options.pop("W"))
        own = {"edges", "degrees", "spectrum", "n"} & options.keys()
        if own:
            raise OptionError(f"{label}: '{own.pop()}' follows from W; CAR takes mu, W, alpha, tau")
        known = {
            "edges": edges,
            "degrees": _degrees(edges),
            "spectrum": _spectrum(edges),
            "n": int(edges.max(initial=0)) + 1,
        }
        return super().bind(label, (), {**options, **known})


def _clash(edges: Any, degrees: Any, spectrum: Any, n: Any, **others: Any) -> str:
    if edges is None or degrees is None or spectrum is None:
        return ""
    if edges.max() + 1 != n:
        return f"edges connect {edges.max() + 1} regions, but the model was declared with {int(n)}"
    if np.array_equal(degrees, _degrees(edges)) and np.allclose(spectrum, _spectrum(edges)):
        return ""
    return "degrees and spectrum are not those of the edges; declare the model anew for a new map"


CAR = row(
    Proper(
        name="CAR",
        doc="CAR(mu=0, W, alpha, tau): conditional autoregression, a normal field of precision "
        "``tau * (D - alpha * W)``. `W` is a symmetric matrix with 1 for neighbours, which connect "
        "all regions, D the diagonal matrix of how many each has. `alpha`, above -1 and below 1, "
        "says how much a region leans on its neighbours; see ICAR for 1.",
        params=(
            Param("mu", 0.0, core=1),
            Param("edges", domain="edges", core=2),
            Param("alpha", domain="correlation"),
            Param("tau", domain="positive"),
            Param("degrees", domain="positive", core=1),
            Param("spectrum", domain="real", core=1),
            Param("n", domain="size", least=2),
        ),
        logp=_along_edges,
        draw=_draw,
        support_point=lambda mu, **others: mu,
        clash=_clash,
        event_ndim=1,
        shape_of=lambda dist: (
            *broadcast(dist.get("mu").shape[:-1], dist.get("alpha").shape, dist.get("tau").shape),
            int(dist.get("n").arg),
        ),
    )
)
