"""A Gaussian process is a mean function and a covariance function."""

from exmc_dask.dist.opened import current
from exmc_dask.errors import ModelError, OptionError
from exmc_dask.expressions.ir import Node
from exmc_dask.gp.covariance import Constant, Covariance
from exmc_dask.gp.mean import Mean, Zero
from exmc_dask.language.context import Model


class Process:
    """A Gaussian process by its mean and covariance functions.

    Parameters
    ----------
    mean_func : Mean
        Of ``ed.gp.mean``; 0 by default.
    cov_func : Covariance
        Of ``ed.gp.cov``; 0 by default.
    """

    def __init__(
        self, *, mean_func: Mean | None = None, cov_func: Covariance | Node | None = None
    ) -> None:
        # Node is what a type checker sees in ``eta**2 * cov``.
        mean = Zero() if mean_func is None else mean_func
        cov = Constant(0.0) if cov_func is None else cov_func
        if not isinstance(mean, Mean):
            raise OptionError(f"mean_func={mean_func!r} is none of ed.gp.mean")
        if not isinstance(cov, Covariance):
            raise OptionError(f"cov_func={cov_func!r} is none of ed.gp.cov")
        self.mean_func, self.cov_func = mean, cov


def opened() -> Model:
    """Return the model that is open."""
    model = current()
    if not isinstance(model, Model):
        raise ModelError(f"{model!r} is not an ed.Model")
    return model
