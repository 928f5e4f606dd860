"""Gaussian processes, with PyMC's names: exact, latent, and approximated by basis functions."""

from exmc_dask.gp import cov as cov
from exmc_dask.gp import mean as mean
from exmc_dask.gp.hsgp import HSGP, approx_hsgp_hyperparams
from exmc_dask.gp.latent import Latent
from exmc_dask.gp.marginal import Marginal

__all__ = ["HSGP", "Latent", "Marginal", "approx_hsgp_hyperparams", "cov", "mean"]
