"""Distributions: rows of one table, and what every part of the program asks of them.

To add one, write a row in the module of its kind; its tests are a row of references in
``tests/exmc_dask/references/``.
"""

from exmc_dask.dist.base import FAMILIES, Dist, Family, Param
from exmc_dask.dist.bounded import Beta, TruncatedNormal, Uniform
from exmc_dask.dist.categories import (
    Categorical,
    DiscreteUniform,
    OrderedLogistic,
    OrderedProbit,
)
from exmc_dask.dist.counts import DiscreteWeibull, Geometric, NegativeBinomial, Poisson
from exmc_dask.dist.correlation import LKJCholeskyCov, LKJCorr
from exmc_dask.dist.law import (
    default_transform,
    draw,
    event_ndim,
    family_of,
    guarded,
    in_support,
    is_checked,
    is_discrete,
    is_given,
    logp,
    shape_of,
    standard,
    support,
    support_point,
)
from exmc_dask.dist.multinomial import DirichletMultinomial, Multinomial
from exmc_dask.dist.multivariate import MvNormal, MvStudentT
from exmc_dask.dist.positive import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    LogNormal,
    Weibull,
)
from exmc_dask.dist.real import Cauchy, Flat, Laplace, Normal, StudentT
from exmc_dask.dist.simplex import Dirichlet, StickBreakingWeights
from exmc_dask.dist.timeseries import GaussianRandomWalk
from exmc_dask.dist.trials import Bernoulli, BetaBinomial, Binomial, HyperGeometric
from exmc_dask.dist.wrappers import Censored, Custom, Mixture, NormalMixture
from exmc_dask.dist.zerosum import ICAR, ZeroSumNormal

__all__ = [
    "FAMILIES",
    "ICAR",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "Custom",
    "Dirichlet",
    "DiscreteUniform",
    "DiscreteWeibull",
    "DirichletMultinomial",
    "Dist",
    "Exponential",
    "Family",
    "Flat",
    "Gamma",
    "GaussianRandomWalk",
    "Geometric",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HyperGeometric",
    "LKJCholeskyCov",
    "LKJCorr",
    "Laplace",
    "LogNormal",
    "Mixture",
    "Multinomial",
    "MvNormal",
    "NegativeBinomial",
    "MvStudentT",
    "Normal",
    "NormalMixture",
    "OrderedLogistic",
    "OrderedProbit",
    "Param",
    "Poisson",
    "StickBreakingWeights",
    "StudentT",
    "TruncatedNormal",
    "Uniform",
    "Weibull",
    "ZeroSumNormal",
    "default_transform",
    "draw",
    "event_ndim",
    "family_of",
    "guarded",
    "in_support",
    "is_checked",
    "is_discrete",
    "is_given",
    "logp",
    "shape_of",
    "standard",
    "support",
    "support_point",
]
