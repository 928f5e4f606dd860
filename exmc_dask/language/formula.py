"""Densities and distribution functions as expressions, for models that are written term by term."""

from collections.abc import Callable
from typing import Any

from exmc_dask import dist as families
from exmc_dask.dist.base import Dist, Function, Name
from exmc_dask.errors import OptionError
from exmc_dask.expressions.ir import Node
from exmc_dask.language import verify


def logp(dist: Dist, value: Any) -> Node:
    """Log-density of a distribution at values, as an expression to calculate with.

    Parameters
    ----------
    dist : Dist
        A distribution without a variable, such as ``ed.Normal.dist(mu, sigma)``; its parameters may
        be expressions of variables.
    value : number, array or expression
        Broadcasts with the parameters.

    Returns
    -------
    Node
        float64, an element for each value, or for each vector of a multivariate distribution; -inf
        outside the support. For `Potential`, `Custom` and other expressions.

    Raises
    ------
    OptionError
        `dist` is no such distribution.
    SupportError, ShapeError
        Parameters that cannot be, or that do not go with `value`.

    Examples
    --------
    A change of rate in an unknown year, which is summed out:

    >>> import exmc_dask as ed
    >>> counts, years = [4, 5, 4, 1, 0, 1], [0, 1, 2, 3, 4, 5]
    >>> with ed.Model() as model:
    ...     early, late = ed.Exponential("early", 1), ed.Exponential("late", 1)
    ...     rates = [ed.math.where([y < year for y in years], early, late) for year in years]
    ...     terms = [ed.logp(ed.Poisson.dist(rate), counts).sum() for rate in rates]
    ...     change = ed.Potential("change", ed.math.logsumexp(ed.math.stack(terms)))
    """
    return _formula("logp", families.logp, dist, value)


def logcdf(dist: Dist, value: Any) -> Node:
    """Logarithm of the probability of a value up to `value`, itself included; see `logp`.

    Raises
    ------
    OptionError
        The distribution has no distribution function in closed form; names those that have.
    """
    return _formula("logcdf", families.logcdf, dist, value)


def logccdf(dist: Dist, value: Any) -> Node:
    """Logarithm of the probability of a value above `value`, exact far out too; see `logcdf`."""
    return _formula("logccdf", families.logsf, dist, value)


def _formula(name: str, formula: Callable[[Dist, Node], Node], dist: Dist, value: Any) -> Node:
    if not isinstance(dist, Dist):
        raise OptionError(
            f"ed.{name} takes a distribution without a variable first, such as "
            "ed.Normal.dist(0, 1); the density of a model's variables is model.logp(values)"
        )
    given: list[Any] = []
    dist.map(lambda _, argument: given.append(argument))
    for argument in given:
        if isinstance(argument, Function):
            raise OptionError(f"ed.{name} takes no Custom; call your function with the value")
        if isinstance(argument, Name):
            raise OptionError(f"ed.{name}: {argument.name!r} is text; give the variable itself")
    verify.check_params(f"ed.{name}", dist, {})
    return formula(dist, verify.expression(f"ed.{name}", value))
