"""Distributions of correlations and covariances, as their lower Cholesky factors.

Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and
extended onion method" (LKJ below): a correlation matrix R of n variables has a density in
proportion to ``|R|**(eta - 1)``. With the Cholesky factor L of R, ``|R|`` is the square of the
product of L's diagonal, and R has the Jacobian ``prod(L[i, i]**(n - 1 - i))`` over the elements of
L below the diagonal, counting from 0 (Stan Functions Reference, lkj_corr_cholesky).
"""

from dataclasses import dataclass
from math import log as log_of
from math import pi
from typing import Any

import numpy as np

from exmc_dask import math
from exmc_dask.expressions.axes import Shape
from exmc_dask.dist.base import Dist, Family, Param, row
from exmc_dask.dist.opened import current
from exmc_dask.dist.domain import CHOLESKY_CORR, CHOLESKY_COV_PACKED, Support
from exmc_dask.dist.law import event_ndim, logp, support, support_point
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node, as_float, const, make
from exmc_dask.math import gammaln, log
from exmc_dask.expressions.ops import Op

N = Param("n", domain="size", least=2)
ETA = Param("eta", domain="positive")


def _last(parameter: Node) -> Node:
    """Give a parameter of the batch an axis for the variables."""
    return math.expand_dims(parameter, -1) if parameter.ndim else parameter


def _lkj(n: Node, eta: Node, log_diagonal: Node) -> Node:
    """Log-density of the elements below the diagonal of a Cholesky factor of correlations.

    The constant is that of LKJ, eq. 16 and 17, as a product of gamma functions.
    """
    order = int(n.arg)
    constant = (order - 1.0) * gammaln(eta + 0.5 * (order - 1.0))
    for k in range(1, order):
        constant = constant - gammaln(eta + 0.5 * (order - 1.0 - k)) - 0.5 * k * log_of(pi)
    after = order - 1.0 - as_float(make(Op.RANGE, (), order))  # variables after each
    power = (after + 2.0 * (_last(eta) - 1.0)) * log_diagonal
    return constant + math.sum(power[..., 1:], axis=-1)  # the first of a diagonal is 1


def draw_correlations(
    rng: np.random.Generator, shape: tuple[int, ...], n: int, eta: Any
) -> np.ndarray:
    """Draw Cholesky factors, ``(*shape, n, n)``, by partial correlations along a C-vine.

    LKJ, section 2.4: those of variable j, given the ones before it, with the variables after it
    are Beta(b, b) on (-1, 1), with ``b = eta + (n - 2 - j) / 2``, counting from 0.
    """
    b = np.asarray(eta)[..., None, None] + 0.5 * (n - 2.0 - np.arange(n - 1))
    partial = 2.0 * rng.beta(b, b, (*shape, n, n - 1)) - 1.0
    taken = np.where(np.tri(n, n - 1, k=-1, dtype=bool), partial, 0.0)
    whole = np.ones((*shape, n, 1))
    left = np.concatenate([whole, np.cumprod(1.0 - taken**2, axis=-1)], axis=-1)
    share = np.concatenate([taken, np.zeros((*shape, n, 1))], axis=-1) + np.eye(n)
    return np.asarray(share * np.sqrt(left))


LKJCorr = row(
    Family(
        name="LKJCorr",
        doc="LKJCorr(n, eta): lower Cholesky factor L (n, n) of a correlation matrix, which is "
        "``L @ L.T`` and has a density in proportion to ``|L @ L.T|**(eta - 1)``. eta = 1 is "
        "uniform; the larger eta, the smaller the correlations. As in PyMC from version 6.",
        params=(N, ETA),
        logp=lambda x, n, eta: _lkj(n, eta, log(math.diagonal(x))),
        draw=lambda rng, shape, n, eta: draw_correlations(rng, shape[:-2], int(n), eta),
        support_point=None,
        support=CHOLESKY_CORR,
        event_ndim=2,
        shape_of=lambda dist: (*dist.get("eta").shape, *(int(dist.get("n").arg),) * 2),
    )
)


def _deviations(chol: Node) -> Node:
    """Standard deviations of a covariance with this Cholesky factor."""
    return math.sqrt(math.sum(math.square(chol), axis=-1))


def _all_positive(support: Support) -> bool:
    """Whether every positive number is in a support."""
    low = support.lower
    return support.upper is None and isinstance(low, float) and low == 0.0 and not support.whole


def _covariance(x: Node, eta: Node, n: Node, sd_dist: Dist) -> Node:
    """Density of the packed factor: correlations and deviations, and the Jacobian from x to them.

    Row i of the factor is its deviation s times a row of length 1, whose diagonal element u follows
    from the i before it: the volume of the row is ``s**i / u`` times theirs.
    """
    order = int(n.arg)
    chol = math.expand_packed_triangular(order, x)
    deviations = _deviations(chol)
    log_deviations = log(deviations)
    log_diagonal = log(math.diagonal(chol)) - log_deviations
    spread = logp(sd_dist, deviations, inside=_all_positive(support(sd_dist)))
    spread = spread if event_ndim(sd_dist) else math.sum(spread, axis=-1)
    before = as_float(make(Op.RANGE, (), order))
    jacobian = math.sum(log_diagonal - before * log_deviations, axis=-1)
    return _lkj(n, eta, log_diagonal) + spread + jacobian


def _no_correlation(eta: Node, n: Node, sd_dist: Dist) -> Node:
    """Packed factor with the support point of the deviations on its diagonal."""
    order = int(n.arg)
    deviations = support_point(sd_dist, (order,))
    pieces = [
        part
        for i in range(order)
        for part in (math.broadcast_to(const(0.0), (i,)), deviations[i : i + 1])
    ]
    return math.concatenate(pieces[1:])


def _draw_covariance(
    rng: np.random.Generator, shape: tuple[int, ...], eta: Any, n: Any, sd_dist: Any
) -> np.ndarray:
    order = int(n)
    deviations = sd_dist((*shape[:-1], order))
    chol = deviations[..., None] * draw_correlations(rng, shape[:-1], order, eta)
    return np.asarray(chol[(..., *np.tril_indices(order))])


def _packed_shape(dist: Dist) -> Shape:
    order = int(dist.get("n").arg)
    return (*dist.get("eta").shape, order * (order + 1) // 2)


@dataclass(frozen=True, repr=False)
class CovarianceFactor(Family):
    """The row of `LKJCholeskyCov`, which declares what users want of the factor beside it."""

    def __call__(
        self,
        name: str = "",
        *args: Any,
        compute_corr: bool = True,
        store_in_trace: bool = True,
        **options: Any,
    ) -> Any:
        """Declare the packed factor in the open model.

        Parameters
        ----------
        name : str
        compute_corr : bool
            Return the unpacked factor, the correlations and the standard deviations, instead of
            the packed factor.
        store_in_trace : bool
            Keep the last two beside the draws, as ``{name}_corr`` and ``{name}_stds``.
        *args, **options
            Parameters of the distribution, and options as in ``Model.rv``.

        Returns
        -------
        chol, corr, stds : Node
            (n, n), (n, n) and (n,)
        """
        for option, value in (("compute_corr", compute_corr), ("store_in_trace", store_in_trace)):
            if not isinstance(value, bool):
                raise OptionError(f"'{name}': {option}={value!r} is neither True nor False")
        if compute_corr and options.get("observed") is not None:
            raise OptionError(f"'{name}' is observed, so there is nothing to unpack; give "
                "compute_corr=False")
        packed: Node = super().__call__(name, *args, **options)
        if not compute_corr:
            return packed
        chol = math.expand_packed_triangular(order_of(packed), packed)
        stds = _deviations(chol)
        rows = chol / math.expand_dims(stds, -1)
        products = math.sum(math.expand_dims(rows, -2) * math.expand_dims(rows, -3), axis=-1)
        corr = math.where(math.identity_like(products), 1.0, products)
        if store_in_trace:
            corr = current().deterministic(f"{name}_corr", corr)
            stds = current().deterministic(f"{name}_stds", stds)
        return chol, corr, stds

    def bind(self, label: str, args: tuple[Any, ...], given: Any) -> Dist:
        """Bind, and refuse deviations that may be negative."""
        dist = super().bind(label, args, given)
        inside = support(dist.get("sd_dist"))
        low = inside.lower
        least = low.arg if isinstance(low, Node) and low.op is Op.CONST else low
        if least is None or (isinstance(least, float) and least < 0.0) or inside.whole:
            raise OptionError(
                f"{label}: sd_dist has support {inside}; give a distribution of positive numbers, "
                "such as ed.Exponential.dist(1)"
            )
        return dist


def order_of(packed: Node) -> int:
    """Rows of the matrix whose lower triangle lies along the last axis."""
    size = packed.shape[-1]
    assert isinstance(size, int)
    return int((2 * size) ** 0.5)


LKJCholeskyCov = row(
    CovarianceFactor(
        name="LKJCholeskyCov",
        doc="LKJCholeskyCov(eta, n, sd_dist): lower Cholesky factor of a covariance matrix, packed "
        "row by row, whose correlations are LKJCorr(n, eta) and whose n standard deviations each "
        "have distribution `sd_dist`. ``chol, corr, stds = ed.LKJCholeskyCov(name, ...)`` unpacks "
        "it, unless compute_corr=False, and keeps `name`_corr and `name`_stds with the draws, "
        "unless store_in_trace=False.",
        params=(ETA, N, Param("sd_dist", domain="dist")),
        logp=_covariance,
        draw=_draw_covariance,
        support_point=_no_correlation,
        support=CHOLESKY_COV_PACKED,
        event_ndim=1,
        shape_of=_packed_shape,
    )
)
