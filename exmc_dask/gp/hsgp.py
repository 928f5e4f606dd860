"""Hilbert space approximation of a process: a linear model in basis functions of the places.

Riutort-Mayol, Bürkner, Andersen, Solin and Vehtari (2022), Practical Hilbert space approximate
Bayesian Gaussian processes for probabilistic programming, Statistics and Computing 33, 17.
"""

import math as numbers
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from exmc_dask import math
from exmc_dask.dist import Normal
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import topological
from exmc_dask.expressions.ir import Node
from exmc_dask.expressions.ops import Op
from exmc_dask.gp.basis import Box
from exmc_dask.gp.covariance import Covariance
from exmc_dask.gp.mean import Mean
from exmc_dask.gp.places import places
from exmc_dask.gp.process import Process, opened


class HSGP(Process):
    """Process with a stationary covariance, approximated by basis functions on a box.

    Its cost grows with the number of places times that of basis functions, instead of with the
    cube of the number of places. The box stays where the first places put it, whatever `set_data`
    brings later. Names are those of ``pymc.gp.HSGP``.

    Parameters
    ----------
    m : sequence of int
        Number of basis functions for each column of X; there are as many as their product.
    L : sequence of float, optional
        How far the box reaches from the middle of the places, for each column.
    c : float, optional
        Instead of L: how many times as far as the places. At least 1.2; see
        `approx_hsgp_hyperparams`.
    drop_first : bool
        Leave the first basis function out, where an intercept of the model does its work.
    parametrization : {"noncentered", "centered"}
        Whether coefficients are sampled as standard normal numbers or on their own scale.
    mean_func : Mean
    cov_func : Covariance
        ExpQuad or Matérn, their sums, and numbers times them.
    """

    _box: Box | None = None
    _weights: Node | None = None

    def __init__(
        self,
        m: Sequence[int],
        L: Sequence[float] | None = None,
        c: float | None = None,
        drop_first: bool = False,
        parametrization: Literal["noncentered", "centered"] = "noncentered",
        *,
        mean_func: Mean | None = None,
        cov_func: Covariance | Node | None = None,
    ) -> None:
        super().__init__(mean_func=mean_func, cov_func=cov_func)
        if not isinstance(m, Sequence) or not all(isinstance(n, int) and n > 0 for n in m):
            raise OptionError(f"m={m!r} has to be a list: a number above 0 for each column of X")
        if (L is None) == (c is None):
            raise OptionError("give either L or c, which say how large the box is")
        if L is not None and np.shape(L) != (len(m),):
            raise OptionError(f"L={L!r} has to be a list: a number for each of {len(m)} columns")
        if c is not None and not c > 1.0:
            raise OptionError(f"c={c!r} has to be above 1: the box reaches farther than the places")
        if parametrization not in ("noncentered", "centered"):
            raise OptionError(f"parametrization={parametrization!r}: noncentered or centered")
        self.m, self.L, self.c = tuple(m), L, c
        self.drop_first, self.parametrization = drop_first, parametrization

    @property
    def n_basis_vectors(self) -> int:
        """Number of basis functions, and of their coefficients."""
        return int(np.prod(self.m)) - int(self.drop_first)

    def prior_linearized(self, X: Any, *, name: str = "hsgp") -> tuple[Node, Node]:
        """Basis functions at places, and the prior scales of their coefficients.

        With standard normal ``beta`` the process at the places is ``phi @ (beta * sqrt_psd)``, to
        which its mean is added. The box is that of the first call.

        Parameters
        ----------
        X : array, data slot or expression of data
            Places (n, d), or (n,) for one column.
        name : str
            Data slots of the process are called ``name.X``, ``name.middle`` and ``name.reach``.

        Returns
        -------
        phi : Node
            (n, k) for k basis functions; calculated once, since it depends on data only.
        sqrt_psd : Node
            (k,), square root of the spectral density at the frequency of each.
        """
        at = places(opened().claim(name, "X", X))
        box = self._box_around(at, name)
        psd = self.cov_func.power_spectral_density(box.frequencies)
        first = int(self.drop_first)
        return box.basis(at)[:, first:], math.sqrt(psd)[first:]

    def prior(
        self,
        name: str,
        X: Any,
        *,
        dims: str | None = None,
        hsgp_coeffs_dims: str | None = None,
    ) -> Node:
        """Declare the values of the process at places.

        Parameters
        ----------
        name : str
        X : array, data slot or expression of data
            Places (n, d), or (n,) for one column.
        dims : str, optional
            Of the values.
        hsgp_coeffs_dims : str, optional
            Of the coefficients ``name_hsgp_coeffs``, which are sampled.

        Returns
        -------
        Node
            The values: (n,).
        """
        model = opened()
        at = model.claim(name, "X", X)
        phi, scale = self.prior_linearized(at, name=name)
        centred = self.parametrization == "centered"
        beta = model.rv(
            f"{name}_hsgp_coeffs",
            Normal.dist(0.0, scale if centred else 1.0),
            shape=numbers.prod(self.m) - int(self.drop_first),
            dims=hsgp_coeffs_dims,
        )
        self._weights = beta if centred else beta * scale
        return model.deterministic(name, self.mean_func(at) + phi @ self._weights, dims)

    def conditional(self, name: str, Xnew: Any, *, dims: str | None = None) -> Node:
        """Name the values at new places, which the coefficients determine.

        Parameters
        ----------
        name : str
        Xnew : array, data slot or expression of data
            Places (m, d), or (m,) for one column; inside the box.
        dims : str, optional
        """
        if self._box is None or self._weights is None:
            raise ModelError("the process has no values: call its prior first")
        model = opened()
        at = places(model.claim(name, "Xnew", Xnew))
        phi = self._box.basis(at)[:, int(self.drop_first) :]
        return model.deterministic(name, self.mean_func(at) + phi @ self._weights, dims)

    def _box_around(self, X: Node, name: str) -> Box:
        """Return the box, made around `X` by the first call."""
        if self._box is None:
            model = opened()
            lower, upper = _ends(X, model.data, len(self.m))
            middle, half = (lower + upper) / 2, (upper - lower) / 2
            reach = np.asarray(self.L, dtype=float) if self.c is None else self.c * half
            if not (reach > half).all():
                raise OptionError(f"the box reaches {reach} from its middle, the places {half}")
            self._box = Box(
                model.claim(name, "middle", middle), model.claim(name, "reach", reach), self.m
            )
        return self._box


def _ends(X: Node, data: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value in each of the `n` columns of places."""
    if any(leaf.op in (Op.VAR, Op.PARAM) for leaf in topological([X])):
        raise ModelError("HSGP takes places that depend on data only")
    (values,) = evaluate([X], {(Op.DATA, key): array for key, array in data.items()})
    if values.shape[1] != n:
        raise OptionError(f"m has {n} numbers, but X has {values.shape[1]} columns")
    return values.min(axis=0), values.max(axis=0)


# covariance -> (basis functions, size of the box) for each reach of the places in length scales
ENOUGH: Mapping[str, tuple[float, float]] = {
    "expquad": (1.75, 3.2),
    "matern52": (2.65, 4.1),
    "matern32": (3.42, 4.5),
}


def approx_hsgp_hyperparams(
    x_range: Sequence[float], lengthscale_range: Sequence[float], cov_func: str
) -> tuple[int, float]:
    """Return basis functions and box that approximate a process of one column well.

    The relations that the authors fitted between the two and the length scale, for the shortest
    and the longest that are expected. Differs from PyMC: `m` is rounded up.

    Parameters
    ----------
    x_range : (float, float)
        Smallest and largest place, those of predictions included.
    lengthscale_range : (float, float)
    cov_func : {"expquad", "matern52", "matern32"}

    Returns
    -------
    m : int
    c : float
    """
    if cov_func.lower() not in ENOUGH:
        raise OptionError(f"cov_func={cov_func!r} is none of {', '.join(ENOUGH)}")
    low, high = lengthscale_range
    reach = (max(x_range) - min(x_range)) / 2
    if not (0 < low <= high and reach > 0):
        raise OptionError(
            f"x_range={x_range!r} and lengthscale_range={lengthscale_range!r} have to rise, and "
            "length scales to be above 0"
        )
    functions, size = ENOUGH[cov_func.lower()]
    c = max(size * high / reach, 1.2)
    return numbers.ceil(functions * c * reach / low), c
