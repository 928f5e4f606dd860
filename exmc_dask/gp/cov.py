"""Covariance functions by PyMC's names."""

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
