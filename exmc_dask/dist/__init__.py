"""Distributions: rows of one table, and what every part of the program asks of them.

To add one, write a row in the module of its kind; its tests are a row of references in
``tests/exmc_dask/references/``.
"""

from exmc_dask.dist.bounded import (
    Beta,
    Kumaraswamy,
    LogitNormal,
    Triangular,
    TruncatedNormal,
    Uniform,
    VonMises,
)
from exmc_dask.dist.interpolated import (
    Interpolated,
)
from exmc_dask.dist.positive import (
    ChiSquared,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfFlat,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    InverseGaussian,
    LogNormal,
    Pareto,
    Rice,
    Wald,
    Weibull,
)
from exmc_dask.dist.real import (
    AsymmetricLaplace,
    Cauchy,
    ExGaussian,
    Flat,
    Gumbel,
    Laplace,
    Logistic,
    Moyal,
    Normal,
    SkewNormal,
    StudentT,
)
from exmc_dask.dist.base import FAMILIES, Dist, Family, Param
from exmc_dask.dist.car import CAR
from exmc_dask.dist.categories import (
    Categorical,
    DiscreteUniform,
    OrderedLogistic,
    OrderedProbit,
)
from exmc_dask.dist.counts import DiscreteWeibull, Geometric, NegativeBinomial, Poisson
from exmc_dask.dist.correlation import LKJCholeskyCov, LKJCorr
from exmc_dask.dist.custom import Custom
from exmc_dask.dist.diffusion import EulerMaruyama
from exmc_dask.dist.cut import Censored, Truncated
from exmc_dask.dist.drawing import Functions, draw, without_draw
from exmc_dask.dist.inflated import (
    Hurdle,
    HurdleGamma,
    HurdleLogNormal,
    HurdleNegativeBinomial,
    HurdlePoisson,
    ZeroInflated,
    ZeroInflatedBinomial,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from exmc_dask.dist.mixture import Mixture, NormalMixture
from exmc_dask.dist.tails import logcdf, logsf
from exmc_dask.dist.law import (
    default_transform,
    event_ndim,
    family_of,
    guarded,
    in_support,
    is_checked,
    is_discrete,
    is_given,
    is_movable,
    logp,
    shape_of,
    standard,
    support,
    support_point,
)
from exmc_dask.dist.multinomial import DirichletMultinomial, Multinomial
from exmc_dask.dist.multivariate import MvNormal, MvStudentT
from exmc_dask.dist.simplex import Dirichlet, StickBreakingWeights
from exmc_dask.dist.timeseries import AR, GARCH11, GaussianRandomWalk, MvGaussianRandomWalk
from exmc_dask.dist.trials import Bernoulli, BetaBinomial, Binomial, HyperGeometric
from exmc_dask.dist.zerosum import ICAR, ZeroSumNormal

__all__ = [
    "AR",
    "CAR",
    "AsymmetricLaplace",
    "Bernoulli",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Censored",
    "ChiSquared",
    "Custom",
    "Dirichlet",
    "DirichletMultinomial",
    "DiscreteUniform",
    "DiscreteWeibull",
    "Dist",
    "EulerMaruyama",
    "ExGaussian",
    "Exponential",
    "FAMILIES",
    "Family",
    "Flat",
    "Functions",
    "GARCH11",
    "Gamma",
    "GaussianRandomWalk",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfFlat",
    "HalfNormal",
    "HalfStudentT",
    "Hurdle",
    "HurdleGamma",
    "HurdleLogNormal",
    "HurdleNegativeBinomial",
    "HurdlePoisson",
    "HyperGeometric",
    "ICAR",
    "Interpolated",
    "InverseGamma",
    "InverseGaussian",
    "Kumaraswamy",
    "LKJCholeskyCov",
    "LKJCorr",
    "Laplace",
    "LogNormal",
    "Logistic",
    "LogitNormal",
    "Mixture",
    "Moyal",
    "Multinomial",
    "MvGaussianRandomWalk",
    "MvNormal",
    "MvStudentT",
    "NegativeBinomial",
    "Normal",
    "NormalMixture",
    "OrderedLogistic",
    "OrderedProbit",
    "Param",
    "Pareto",
    "Poisson",
    "Rice",
    "SkewNormal",
    "StickBreakingWeights",
    "StudentT",
    "Triangular",
    "Truncated",
    "TruncatedNormal",
    "Uniform",
    "VonMises",
    "Wald",
    "Weibull",
    "ZeroInflated",
    "ZeroInflatedBinomial",
    "ZeroInflatedNegativeBinomial",
    "ZeroInflatedPoisson",
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
    "is_movable",
    "logcdf",
    "logp",
    "logsf",
    "shape_of",
    "standard",
    "support",
    "support_point",
    "without_draw",
]
