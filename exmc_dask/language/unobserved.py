"""Variables that are declared without data: free ones, and those drawn in prediction only."""

from typing import Any

from exmc_dask.dist.base import Dist
from exmc_dask.errors import OptionError
from exmc_dask.language import verify
from exmc_dask.language.model import Variable
from exmc_dask.language.slots import Slots
from exmc_dask.language.tracing import with_formulas

type Names = tuple[str | None, ...]


def free(slots: Slots, name: str, dist: Dist, shape: Any, dims: Names, moved: Any) -> Variable:
    """Return a variable that is sampled; its size is a number from here on."""
    verify.check_free(name, dist)
    sizes = verify.free_shape(slots, name, dist, shape, dims)
    law = with_formulas(slots, name, dist, sizes)
    chosen = verify.transform_of(slots, name, law, sizes, moved)
    return Variable(name, law, sizes, dims or (None,) * len(sizes), chosen)


def predicted(slots: Slots, name: str, dist: Dist, shape: Any, dims: Names, moved: Any) -> Variable:
    """Return a variable that is drawn in prediction only; its size may follow the data."""
    if moved != "default":
        raise OptionError(f"'{name}' is not sampled, so it takes no transform=")
    sizes = verify.predicted_shape(slots, name, dist, shape, dims)
    law = with_formulas(slots, name, dist, sizes)
    return Variable(name, law, sizes, dims or (None,) * len(sizes), None, likelihood=False)
