"""Gaussian processes, with PyMC's names: exact, latent, and approximated by basis functions."""

from typing import TYPE_CHECKING, Any

from exmc_dask.elsewhere import missing
from exmc_dask.gp import cov as cov
from exmc_dask.gp import mean as mean
from exmc_dask.gp.hsgp import HSGP, approx_hsgp_hyperparams
from exmc_dask.gp.latent import Latent
from exmc_dask.gp.marginal import Marginal

__all__ = ["HSGP", "Latent", "Marginal", "approx_hsgp_hyperparams", "cov", "mean"]


if not TYPE_CHECKING:  # a checker is to find what does not exist

    def __getattr__(name: str) -> Any:
        """Say what to write instead of a name of PyMC's that is not here."""
        raise missing(__name__, name, __all__)
