"""What users get wrong with distributions around others and by formulas: one row a mistake."""

import math
from collections.abc import Callable

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors
from exmc_dask.dist import Dist
from tests.exmc_dask.mistakes import Mistake, caught, declared

NORMAL, COUNT = ed.Normal.dist(0, 1), ed.Poisson.dist(3)
VECTOR = ed.MvNormal.dist([0.0, 0.0], cov=np.eye(2))


class Table:
    """Something no expression can hold."""

    def __getitem__(self, key):
        return self


TABLE = Table()


def lost(value):
    raise KeyError("shape")


def looked_up(value):
    return -TABLE["x"] * value**2


def observed(made: Dist) -> Callable[[], None]:
    return declared(lambda m: m.rv("y", made, observed=[0.0, 1.0]))


MISTAKES: dict[str, Mistake] = {
    **{
        f"{made.family} of vectors": (
            observed(made),
            errors.OptionError, ("'y'", made.family, "single numbers, not MvNormal"),
        )
        for made in (
            ed.Truncated.dist(VECTOR, 0), ed.Censored.dist(VECTOR, 0),
            ed.ZeroInflated.dist(0.5, VECTOR), ed.Hurdle.dist(0.5, VECTOR),
        )
    },
    "truncated without closed form": (
        declared(lambda m: ed.Truncated("y", ed.Flat.dist(), upper=3, observed=[1.0])),
        errors.OptionError, ("'y'", "Flat has no distribution function in closed form", "Normal"),
    ),
    "truncated mixture without closed form": (
        declared(
            lambda m: ed.Truncated(
                "y", ed.Mixture.dist([0.5, 0.5], [NORMAL, ed.Flat.dist()]), upper=3, observed=[1.0]
            )
        ),
        errors.OptionError, ("'y'", "Flat has no distribution function"),
    ),
    "truncated continuous numbers with zeros": (
        declared(
            lambda m: ed.Truncated("y", ed.HurdleGamma.dist(0.5, 1, 1), lower=0.5, observed=[1.0])
        ),
        errors.OptionError, ("'y'", "Hurdle mixes single values with continuous ones"),
    ),
    "truncated bounds that fall": (
        declared(lambda m: ed.Truncated("y", NORMAL, 2, 1)),
        errors.SupportError, ("'y'", "lower of Truncated must be below upper"),
    ),
    "observed beyond the truncation": (
        declared(lambda m: ed.Truncated("y", NORMAL, lower=[0.0, 1.0], observed=[0.5, 0.5])),
        errors.SupportError, ("'y'", "[1] is 0.5", "Truncated"),
    ),
    "observed beyond the support that is truncated": (
        declared(lambda m: ed.Truncated("y", ed.Exponential.dist(1), -5, 1, observed=[-2.0])),
        errors.SupportError, ("'y'", "[0] is -2", "[0, 1]"),
    ),
    "half a count that is truncated": (
        declared(lambda m: ed.Truncated("y", ed.Geometric.dist(0.5), 2, observed=[2.5])),
        errors.SupportError, ("'y'", "whole numbers in [2, inf)"),
    ),
    "censored bounds that fall": (
        declared(lambda m: ed.Censored("y", NORMAL, 2, 1, observed=[1.0])),
        errors.SupportError, ("'y'", "lower of Censored must be below upper"),
    ),
    "two ends": (
        declared(lambda m: ed.Censored("y", NORMAL, upper=2, end=[3.0], observed=[1.0])),
        errors.OptionError, ("'y'", "upper= or end=", "end=inf"),
    ),
    "an interval that ends before it begins": (
        declared(lambda m: ed.Censored("y", NORMAL, end=[3.0, 1.0], observed=[1.0, 2.0])),
        errors.SupportError, ("'y'", "[1] is 2", "y.end"),
    ),
    "free censored": (
        declared(lambda m: ed.Censored("y", NORMAL, upper=2)),
        errors.DiscreteError, ("'y'", "positive probability", "observed="),
    ),
    "free truncated counts": (
        declared(lambda m: ed.Truncated("y", ed.Geometric.dist(0.5), upper=2)),
        errors.DiscreteError, ("'y'", "discrete", "observed="),
    ),
    "free hurdle over continuous numbers": (
        declared(lambda m: ed.HurdleGamma("y", 0.5, 1, 1)),
        errors.DiscreteError, ("'y'", "positive probability"),
    ),
    "free zero-inflated counts": (
        declared(lambda m: ed.ZeroInflatedPoisson("y", 0.5, 1)), errors.DiscreteError, ("'y'",),
    ),
    "free mixture of counts and continuous numbers": (
        declared(lambda m: ed.Mixture("y", [0.5, 0.5], [COUNT, NORMAL])),
        errors.DiscreteError, ("'y'", "positive probability"),
    ),
    "free path from a count": (
        declared(lambda m: ed.GaussianRandomWalk("y", init_dist=COUNT, shape=3)),
        errors.DiscreteError, ("'y'",),
    ),
    "components of numbers and of vectors": (
        declared(lambda m: ed.Mixture("y", [0.5, 0.5], [NORMAL, VECTOR], observed=[0.0, 1.0])),
        errors.ShapeError, ("'y'", "partly of numbers and partly of vectors"),
    ),
    "a hurdle over negative counts": (
        declared(
            lambda m: ed.Hurdle("y", 0.5, ed.DiscreteUniform.dist(-1, 3), observed=[0, 1])
        ),
        errors.OptionError, ("'y'", "DiscreteUniform may be negative"),
    ),
    "a share above 1": (
        declared(lambda m: ed.HurdlePoisson("y", 1.5, 3, observed=[1])),
        errors.SupportError, ("'y'", "psi of Hurdle", "between 0 and 1"),
    ),
    "a wrong parameter of a shorthand": (
        declared(lambda m: ed.ZeroInflatedPoisson("y", 0.5, lam=3, observed=[1])),
        errors.OptionError, ("'y'", "'lam'", "ZeroInflatedPoisson takes psi, mu, log_mu"),
    ),
    "a wrong parameter inside a shorthand": (
        declared(lambda m: ed.ZeroInflatedBinomial("y", 0.5, 2.5, 0.5, observed=[1])),
        errors.SupportError, ("'y'", "n of Binomial", "2.5"),
    ),
    "truncated formula without its distribution function": (
        declared(
            lambda m: ed.Truncated("y", ed.Custom.dist(logp=lambda x: -x * x), 0, observed=[1.0])
        ),
        errors.OptionError, ("'y'", "Custom with logcdf="),
    ),
    "upper tail alone": (
        declared(lambda m: ed.Custom("y", logp=lambda x: -x, logsf=lambda x: -x)),
        errors.OptionError, ("'y'", "logsf= only beside logcdf="),
    ),
    "a number for a formula": (
        declared(lambda m: ed.Custom("y", logp=lambda x: -x, logcdf=0.5)),
        errors.OptionError, ("'y'", "logcdf is 0.5, not a function"),
    ),
    "an option of a formula that does not exist": (
        declared(lambda m: ed.Custom("y", logp=lambda x: -x, cdf=lambda x: x)),
        errors.OptionError, ("'y'", "'cdf'", "logcdf="),
    ),
    "free counts by formula": (
        declared(lambda m: ed.Custom("y", logp=lambda x: -x, support="count")),
        errors.DiscreteError, ("'y'", "discrete"),
    ),
    "a formula with the math module": (
        declared(
            lambda m: ed.Custom("y", logp=lambda x: -x, logcdf=lambda x: math.log(x))
        ),
        errors.TraceError, ("'y'", "the logcdf of Custom", "ed.math"),
    ),
    "a formula over a foreign object": (
        declared(lambda m: ed.Custom("y", logp=looked_up)),
        errors.TraceError, ("'y'", "'TABLE' (a Table)", "looked_up"),
    ),
    "a formula that fails in its own way": (
        declared(lambda m: ed.Custom("y", logp=lost)),
        errors.TraceError, ("'y'", "'shape'", "lost"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])
