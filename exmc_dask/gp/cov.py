"""Covariance functions by PyMC's names."""

from typing import TYPE_CHECKING, Any

from exmc_dask.elsewhere import missing
from exmc_dask.gp.covariance import Constant, Covariance, WhiteNoise
from exmc_dask.gp.polynomial import Linear, Polynomial
from exmc_dask.gp.stationary import (
    Cosine,
    Exponential,
    ExpQuad,
    Matern12,
    Matern32,
    Matern52,
    Periodic,
    RatQuad,
)

__all__ = [
    "Constant",
    "Cosine",
    "Covariance",
    "ExpQuad",
    "Exponential",
    "Linear",
    "Matern12",
    "Matern32",
    "Matern52",
    "Periodic",
    "Polynomial",
    "RatQuad",
    "WhiteNoise",
]


if not TYPE_CHECKING:  # a checker is to find what does not exist

    def __getattr__(name: str) -> Any:
        """Say what to write instead of a name of PyMC's that is not here."""
        raise missing(__name__, name, __all__)
