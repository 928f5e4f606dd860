"""Bayesian models on a Dask cluster: declare in Python, sample with NUTS in compiled kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exmc_dask import gp as gp
    from exmc_dask import math as math
    from exmc_dask import transforms as transforms
    from exmc_dask.api import sample as sample
    from exmc_dask.api import sample_stream as sample_stream
    from exmc_dask.calibration import sbc as sbc
    from exmc_dask.cluster.clusters.local import local as local
    from exmc_dask.cluster.install import install_dashboard as install_dashboard
    from exmc_dask.dist import AR as AR
    from exmc_dask.dist import CAR as CAR
    from exmc_dask.dist import GARCH11 as GARCH11
    from exmc_dask.dist import ICAR as ICAR
    from exmc_dask.dist import AsymmetricLaplace as AsymmetricLaplace
    from exmc_dask.dist import Bernoulli as Bernoulli
    from exmc_dask.dist import Beta as Beta
    from exmc_dask.dist import BetaBinomial as BetaBinomial
    from exmc_dask.dist import Binomial as Binomial
    from exmc_dask.dist import Categorical as Categorical
    from exmc_dask.dist import Cauchy as Cauchy
    from exmc_dask.dist import Censored as Censored
    from exmc_dask.dist import ChiSquared as ChiSquared
    from exmc_dask.dist import Custom as Custom
    from exmc_dask.dist import Dirichlet as Dirichlet
    from exmc_dask.dist import DirichletMultinomial as DirichletMultinomial
    from exmc_dask.dist import DiscreteUniform as DiscreteUniform
    from exmc_dask.dist import DiscreteWeibull as DiscreteWeibull
    from exmc_dask.dist import EulerMaruyama as EulerMaruyama
    from exmc_dask.dist import ExGaussian as ExGaussian
    from exmc_dask.dist import Exponential as Exponential
    from exmc_dask.dist import Flat as Flat
    from exmc_dask.dist import Gamma as Gamma
    from exmc_dask.dist import GaussianRandomWalk as GaussianRandomWalk
    from exmc_dask.dist import Geometric as Geometric
    from exmc_dask.dist import Gumbel as Gumbel
    from exmc_dask.dist import HalfCauchy as HalfCauchy
    from exmc_dask.dist import HalfFlat as HalfFlat
    from exmc_dask.dist import HalfNormal as HalfNormal
    from exmc_dask.dist import HalfStudentT as HalfStudentT
    from exmc_dask.dist import Hurdle as Hurdle
    from exmc_dask.dist import HurdleGamma as HurdleGamma
    from exmc_dask.dist import HurdleLogNormal as HurdleLogNormal
    from exmc_dask.dist import HurdleNegativeBinomial as HurdleNegativeBinomial
    from exmc_dask.dist import HurdlePoisson as HurdlePoisson
    from exmc_dask.dist import HyperGeometric as HyperGeometric
    from exmc_dask.dist import Interpolated as Interpolated
    from exmc_dask.dist import InverseGamma as InverseGamma
    from exmc_dask.dist import InverseGaussian as InverseGaussian
    from exmc_dask.dist import Kumaraswamy as Kumaraswamy
    from exmc_dask.dist import Laplace as Laplace
    from exmc_dask.dist import LKJCholeskyCov as LKJCholeskyCov
    from exmc_dask.dist import LKJCorr as LKJCorr
    from exmc_dask.dist import Logistic as Logistic
    from exmc_dask.dist import LogitNormal as LogitNormal
    from exmc_dask.dist import LogNormal as LogNormal
    from exmc_dask.dist import Mixture as Mixture
    from exmc_dask.dist import Moyal as Moyal
    from exmc_dask.dist import Multinomial as Multinomial
    from exmc_dask.dist import MvGaussianRandomWalk as MvGaussianRandomWalk
    from exmc_dask.dist import MvNormal as MvNormal
    from exmc_dask.dist import MvStudentT as MvStudentT
    from exmc_dask.dist import NegativeBinomial as NegativeBinomial
    from exmc_dask.dist import Normal as Normal
    from exmc_dask.dist import NormalMixture as NormalMixture
    from exmc_dask.dist import OrderedLogistic as OrderedLogistic
    from exmc_dask.dist import OrderedProbit as OrderedProbit
    from exmc_dask.dist import Pareto as Pareto
    from exmc_dask.dist import Poisson as Poisson
    from exmc_dask.dist import Rice as Rice
    from exmc_dask.dist import SkewNormal as SkewNormal
    from exmc_dask.dist import StickBreakingWeights as StickBreakingWeights
    from exmc_dask.dist import StudentT as StudentT
    from exmc_dask.dist import Triangular as Triangular
    from exmc_dask.dist import Truncated as Truncated
    from exmc_dask.dist import TruncatedNormal as TruncatedNormal
    from exmc_dask.dist import Uniform as Uniform
    from exmc_dask.dist import VonMises as VonMises
    from exmc_dask.dist import Wald as Wald
    from exmc_dask.dist import Weibull as Weibull
    from exmc_dask.dist import ZeroInflated as ZeroInflated
    from exmc_dask.dist import ZeroInflatedBinomial as ZeroInflatedBinomial
    from exmc_dask.dist import ZeroInflatedNegativeBinomial as ZeroInflatedNegativeBinomial
    from exmc_dask.dist import ZeroInflatedPoisson as ZeroInflatedPoisson
    from exmc_dask.dist import ZeroSumNormal as ZeroSumNormal
    from exmc_dask.errors import ExmcError as ExmcError
    from exmc_dask.fitting.doors import find_map as find_map
    from exmc_dask.fitting.doors import fit as fit
    from exmc_dask.fitting.doors import sample_smc as sample_smc
    from exmc_dask.language.builder import Builder as Builder
    from exmc_dask.language.builder import Data as Data
    from exmc_dask.language.builder import Deterministic as Deterministic
    from exmc_dask.language.builder import Model as Model
    from exmc_dask.language.builder import Potential as Potential
    from exmc_dask.language.builder import set_data as set_data
    from exmc_dask.language.formula import logccdf as logccdf
    from exmc_dask.language.formula import logcdf as logcdf
    from exmc_dask.language.formula import logp as logp
    from exmc_dask.predictive.deterministics import compute_deterministics as compute_deterministics
    from exmc_dask.predictive.pointwise import compute_log_likelihood as compute_log_likelihood
    from exmc_dask.predictive.pointwise import compute_log_prior as compute_log_prior
    from exmc_dask.predictive.sampling import (
        sample_posterior_predictive as sample_posterior_predictive,
    )
    from exmc_dask.predictive.sampling import sample_prior_predictive as sample_prior_predictive
    from exmc_dask.results.comparison import compare as compare
    from exmc_dask.results.comparison import waic as waic
    from exmc_dask.results.diagnosis import diagnose as diagnose
    from exmc_dask.results.diagnosis import summary as summary
    from exmc_dask.runs.many import map as map
    from exmc_dask.runs.reopen import open_store as open_store
    from exmc_dask.runs.reopen import resume as resume
    from exmc_dask.runs.run import Run as Run
    from exmc_dask.runs.stream import Draw as Draw
    from exmc_dask.views import model_to_graphviz as model_to_graphviz
    from exmc_dask.views import model_to_mermaid as model_to_mermaid

# Module -> the public names that it defines, loaded when a name is first used, so that
# ``import exmc_dask`` costs no numba, no dask and no xarray. No name is that of its own module:
# importing the module would put it in the name's place.
_EXPORTS = {
    "api": ("sample", "sample_stream"),
    "language.builder": ("Builder", "Data", "Deterministic", "Model", "Potential", "set_data"),
    "cluster.clusters.local": ("local",),
    "cluster.install": ("install_dashboard",),
    "predictive.deterministics": ("compute_deterministics",),
    "calibration": ("sbc",),
    "language.formula": ("logccdf", "logcdf", "logp"),
    "results.comparison": ("compare", "waic"),
    "results.diagnosis": ("diagnose", "summary"),
    "runs.many": ("map",),
    "dist": (
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
        "ExGaussian",
        "Exponential",
        "Flat",
        "AR",
        "GARCH11",
        "MvGaussianRandomWalk",
        "EulerMaruyama",
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
        "MvNormal",
        "MvStudentT",
        "NegativeBinomial",
        "Normal",
        "NormalMixture",
        "OrderedLogistic",
        "OrderedProbit",
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
        "ZeroSumNormal",
        "ZeroInflated",
        "ZeroInflatedBinomial",
        "ZeroInflatedNegativeBinomial",
        "ZeroInflatedPoisson",
    ),
    "errors": ("ExmcError",),
    "fitting.doors": ("find_map", "fit", "sample_smc"),
    "predictive.pointwise": ("compute_log_likelihood", "compute_log_prior"),
    "predictive.sampling": ("sample_posterior_predictive", "sample_prior_predictive"),
    "runs.reopen": ("open_store", "resume"),
    "runs.run": ("Run",),
    "runs.stream": ("Draw",),
    "views": ("model_to_graphviz", "model_to_mermaid"),
}
_MODULES = ("gp", "math", "transforms")
_HOME = {name: module for module, names in _EXPORTS.items() for name in names}

__version__ = "0.1.0"
__all__ = [*sorted((*_HOME, *_MODULES)), "__version__"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name in _MODULES:
        return import_module(f"exmc_dask.{name}")
    if name not in _HOME:
        from exmc_dask.elsewhere import missing

        raise missing(__name__, name, __all__)
    value = getattr(import_module(f"exmc_dask.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
