"""A process whose values are parameters, for observations that are not normal."""

from typing import Any

from exmc_dask.dist import MvNormal, Normal
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.ir import Node
from exmc_dask.gp.covariance import Constant
from exmc_dask.gp.exact import JITTER, Exact, Given, Known, on_diagonal
from exmc_dask.gp.places import places
from exmc_dask.gp.process import opened
from exmc_dask.math import cholesky


class Latent(Exact):
    """Process whose values at some places are parameters.

    Names are those of ``pymc.gp.Latent``.
    """

    declares = "prior"

    def prior(
        self,
        name: str,
        X: Any,
        *,
        reparameterize: bool = True,
        jitter: float = JITTER,
        dims: str | None = None,
    ) -> Node:
        """Declare the values of the process at places.

        Parameters
        ----------
        name : str
        X : array, data slot or expression
            Places (n, d), or (n,) for one column. Their number is part of the model.
        reparameterize : bool
            Whether standard normal numbers ``name_rotated_`` are sampled and the values are
            ``mean + L @ rotated`` with the Cholesky factor L of the covariance; otherwise the
            values themselves are, which suits data that say much about each of them.
        jitter : float
            Added to the variances.
        dims : str, optional

        Returns
        -------
        Node
            The values: (n,).
        """
        model = opened()
        at = places(model.claim(name, "X", X))
        mean, cov = self.mean_func(at), on_diagonal(self.cov_func(at), jitter)
        n = extents(at.shape[:1], model.lengths)
        if reparameterize:
            rotated = model.rv(f"{name}_rotated_", Normal.dist(0.0, 1.0), shape=n)
            f = model.deterministic(name, mean + cholesky(cov) @ rotated, dims)
        else:
            f = model.rv(name, MvNormal.dist(mean, cov=cov), shape=n, dims=dims)
        self.known = Known(model, at, f, mean, cov, Constant(0.0))
        return f

    def conditional(
        self,
        name: str,
        Xnew: Any,
        *,
        given: Given = None,
        jitter: float = JITTER,
        **options: Any,
    ) -> Node:
        """Declare the values at new places, which are drawn in prediction and not sampled.

        Parameters
        ----------
        name : str
        Xnew : array, data slot or expression
            Places (m, d), or (m,) for one column.
        given : mapping, optional
            For a part of a sum: ``{"gp": whole}``, the process that has a prior.
        jitter : float
            Added to the variances.
        **options
            Of the variable, such as ``dims``.
        """
        return self.drawn(name, Xnew, self.source(given), jitter=jitter, **options)
