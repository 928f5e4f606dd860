"""A process that is observed with normal noise: its values are integrated out, exactly."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from exmc_dask.dist import MvNormal
from exmc_dask.errors import UnknownName
from exmc_dask.expressions.arrays import Inline
from exmc_dask.expressions.evaluate import evaluate
from exmc_dask.expressions.graph import substitute, topological
from exmc_dask.expressions.ir import Node, as_float
from exmc_dask.expressions.ops import Op
from exmc_dask.gp.covariance import Covariance, WhiteNoise
from exmc_dask.gp.exact import JITTER, Exact, Given, Known, on_diagonal
from exmc_dask.gp.places import lengths, places
from exmc_dask.gp.process import opened


class Marginal(Exact):
    """Process whose noisy values are observed: ``y = f(X) + noise``.

    Names are those of ``pymc.gp.Marginal``.

    Examples
    --------
    >>> import numpy as np
    >>> import exmc_dask as ed
    >>> x = np.linspace(0, 3, 7)
    >>> with ed.Model() as model:
    ...     ls = ed.Gamma("ls", 2, 1)
    ...     gp = ed.gp.Marginal(cov_func=ed.gp.cov.ExpQuad(1, ls=ls))
    ...     y = gp.marginal_likelihood("y", x, np.sin(x), sigma=0.1)
    ...     later = gp.conditional("later", [3.5, 4.0])
    >>> mean, variance = gp.predict([3.5, 4.0], {"ls": 1.0}, diag=True)
    >>> print(mean.round(2), variance.round(2))
    [-0.17 -0.27] [0.1  0.41]
    """

    declares = "marginal_likelihood"

    def marginal_likelihood(
        self, name: str, X: Any, y: Any, sigma: Any, *, jitter: float = 0.0, **options: Any
    ) -> Node:
        """Declare what was observed.

        Parameters
        ----------
        name : str
        X : array, data slot or expression
            Places (n, d), or (n,) for one column.
        y : array or data slot
            Values (n,).
        sigma : number, array, expression or Covariance
            Standard deviation of the noise, one or for each value; or the covariance of noise.
        jitter : float
            Added to the variances. PyMC adds 1e-6; where there is noise nothing need be.
        **options
            Of the observed variable, such as ``dims``.

        Returns
        -------
        Node
            The observed variable.
        """
        model = opened()
        at = places(model.claim(name, "X", X))
        noise = sigma
        if not isinstance(sigma, Covariance):
            noise = WhiteNoise(model.claim(name, "sigma", sigma))
        mean, cov = self.mean_func(at), on_diagonal(self.cov_func(at) + noise(at), jitter)
        node = model.rv(name, MvNormal.dist(mean, cov=cov), observed=y, **options)
        data = model.spec[name].observed
        assert data is not None
        self.known = Known(model, at, as_float(data), mean, cov, noise)
        return node

    def conditional(
        self,
        name: str,
        Xnew: Any,
        *,
        pred_noise: bool = False,
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
        pred_noise : bool
            Values with noise, as they would be observed, instead of those of the process.
        given : mapping, optional
            For a part of a sum: ``{"gp": whole}``, the process that was observed.
        jitter : float
            Added to the variances.
        **options
            Of the variable, such as ``dims``.
        """
        known = self.source(given)
        return self.drawn(name, Xnew, known, jitter=jitter, noise=pred_noise, **options)

    def predict(
        self,
        Xnew: Any,
        point: Mapping[str, Any],
        *,
        diag: bool = False,
        pred_noise: bool = False,
        given: Given = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance at new places in numbers, with the data as they are now.

        Parameters
        ----------
        Xnew : array
            Places (m, d), or (m,) for one column.
        point : mapping
            Variable -> value on its own scale. Values may have axes of draws in front, the same
            ones for all variables: ``trace.posterior`` is such a mapping.
        diag : bool
            Variances instead of the covariance matrix.
        pred_noise, given
            As for `conditional`.

        Returns
        -------
        mean : ndarray
            float64, (..., m).
        cov : ndarray
            float64, (..., m, m); with `diag` (..., m).
        """
        known = self.source(given)
        with known.model as model:
            at = places(Xnew)
            law, known_lengths = self.law(at, known, diag=diag, noise=pred_noise), lengths(at)
        roots = substitute(law, model.spec.known)
        leaves: dict[Any, Any] = {(Op.DATA, key): array for key, array in model.data.items()}
        for leaf in topological(roots):
            if leaf.op is Op.DATA and isinstance(leaf.arg, Inline):
                leaves[leaf] = leaf.arg.array
            if leaf.op is Op.VAR:
                if leaf.arg not in point:
                    raise UnknownName(f"predict: point has no value for '{leaf.arg}'")
                leaves[leaf] = np.asarray(point[leaf.arg])
        mean, cov = evaluate(roots, leaves, known_lengths)
        return mean, cov
