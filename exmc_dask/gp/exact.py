"""Processes by their whole covariance matrix: sums, and what some values say of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from exmc_dask import math
from exmc_dask.dist import MvNormal
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.expressions.axes import extents
from exmc_dask.expressions.ir import Node, as_float, const
from exmc_dask.gp.covariance import Covariance
from exmc_dask.gp.places import places
from exmc_dask.gp.process import Process, opened
from exmc_dask.language.context import Model

JITTER = 1e-6  # added to variances, so that rounding leaves a matrix positive definite

type Given = Mapping[str, Process] | None


@dataclass(frozen=True)
class Known:
    """Values of a process that were declared.

    Attributes
    ----------
    model : Model
    X : Node
        Places (n, d).
    values, mean : Node
        (n,): data or an expression of variables, and the prior mean.
    cov : Node
        Prior covariance (n, n), that of noise included.
    noise : Covariance
    """

    model: Model
    X: Node
    values: Node
    mean: Node
    cov: Node
    noise: Covariance


class Exact(Process):
    """Process of which some values are known, as data or as expressions.

    ``+`` of two processes of one kind is the process that is their sum.
    """

    declares: ClassVar[str]  # the method by which values become known
    known: Known | None = None

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            raise OptionError(
                f"{type(self).__name__} and {type(other).__name__} cannot be added: "
                "both processes have to be of one kind"
            )
        return type(self)(
            mean_func=self.mean_func + other.mean_func, cov_func=self.cov_func + other.cov_func
        )

    def source(self, given: Given = None) -> Known:
        """Values that are known of this process, or of the sum ``given["gp"]`` it is a part of."""
        for key in given or {}:
            if key != "gp":
                raise OptionError(f"given has no {key!r}; give the process that is known as 'gp'")
        whole = (given or {}).get("gp", self)
        if type(whole) is not type(self) or whole.known is None:
            raise ModelError(
                f"nothing is known of the process: call its {self.declares} first; for a part of a "
                "sum, call that of the sum and give it, given={'gp': whole}"
            )
        return whole.known

    def law(
        self, Xnew: Node, known: Known, *, diag: bool = False, noise: bool = False
    ) -> tuple[Node, Node]:
        """Mean (m,) and covariance (m, m) of the values at new places, given known ones.

        Rasmussen and Williams (2006), eq. 2.22 to 2.24 and algorithm 2.1.

        Parameters
        ----------
        Xnew : Node
            (m, d).
        known : Known
        diag : bool
            Variances (m,) instead of the covariance.
        noise : bool
            Of values as they would be observed.
        """
        factor = math.cholesky(known.cov)
        half = math.solve_triangular(factor, self.cov_func(known.X, Xnew))
        away = math.solve_triangular(factor, known.values - known.mean)
        told = math.sum(math.square(half), axis=0) if diag else half.T @ half
        cov = self.cov_func(Xnew, diag=diag) - told
        cov = cov + known.noise(Xnew, diag=diag) if noise else cov
        return self.mean_func(Xnew) + half.T @ away, cov

    def drawn(
        self,
        name: str,
        Xnew: Any,
        known: Known,
        *,
        jitter: float,
        noise: bool = False,
        **options: Any,
    ) -> Node:
        """Declare the values at new places, which are drawn in prediction and not sampled."""
        model = opened()
        at = places(model.claim(name, "Xnew", Xnew))
        mean, cov = self.law(at, known, noise=noise)
        dist = MvNormal.dist(mean, cov=on_diagonal(cov, jitter))
        n = extents(mean.shape, model.lengths)
        return model.rv(name, dist, shape=n, likelihood=False, **options)


def on_diagonal(matrix: Node, amount: Any) -> Node:
    """`matrix` with a number added to its diagonal."""
    added = as_float(amount)
    if added is const(0.0):
        return matrix
    return matrix + math.where(math.identity_like(matrix), added, 0.0)
