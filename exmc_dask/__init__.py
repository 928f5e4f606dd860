"""Bayesian models on a Dask cluster: declare in Python, sample with NUTS in compiled kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exmc_dask.errors import ExmcError as ExmcError

# Public name -> the module that defines it, loaded when the name is first used, so that
# ``import exmc_dask`` costs no numba, no dask and no xarray.
_EXPORTS = {
    "ExmcError": "exmc_dask.errors",
}

__version__ = "0.1.0"
__all__ = ["ExmcError", "__version__"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
