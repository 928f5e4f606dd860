"""What is no error and should not go unseen; the kinds have the names that PyMC gives them."""

import warnings
from pathlib import Path

HERE = str(Path(__file__).parent)


class ImputationWarning(UserWarning):
    """Observed values are missing, and become variables of the model."""


class ImplicitFreezeWarning(UserWarning):
    """A prediction keeps draws of a variable although something above it changed."""


def warn(message: str, category: type[UserWarning] = UserWarning) -> None:
    """Warn at the line of the user that called into this package."""
    warnings.warn(message, category, skip_file_prefixes=(HERE,))
