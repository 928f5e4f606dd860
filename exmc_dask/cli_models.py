"""The models and arrays that commands are given as files."""

import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc_dask.errors import DataError, FormatError, OptionError

if TYPE_CHECKING:
    import exmc_dask as ed


def load(model: str, data: str | None = None) -> "ed.Model":
    """Load a model from ``FILE.py:NAME``, or from a file of what `Model.to_bytes` returned.

    Parameters
    ----------
    model : str
        The name defaults to ``model``; a function without arguments is called.
    data : str, optional
        A file of arrays by name that take the place of the model's own.

    Raises
    ------
    OptionError
        The file or the name does not exist, or the name is not a model.
    DataError
        The data file is neither .npz nor .json, or not one value a name.
    """
    path, _, name = model.partition(":")
    if not Path(path).is_file():
        raise OptionError(
            f"MODEL {model}: there is no file {path}; give FILE.py:NAME, or a file of what "
            "model.to_bytes() returned"
        )
    found = _defined(path, name or "model") if path.endswith(".py") else _read_model(Path(path))
    if data is not None:
        found.set_data(read_data(Path(data)))
    return found


def _read_model(path: Path) -> "ed.Model":
    import exmc_dask as ed

    try:
        return ed.Model.from_bytes(path.read_bytes())
    except FormatError as error:
        raise FormatError(
            f"MODEL {path}: it is neither a Python file, whose name ends in .py, nor what "
            f"model.to_bytes() returned: {error}"
        ) from error


def _defined(path: str, name: str) -> "ed.Model":
    """Return a model that a Python file defines."""
    import exmc_dask as ed

    defined = runpy.run_path(path, run_name="exmc_dask_model")
    found = defined.get(name)
    if callable(found):
        found = found()
    if not isinstance(found, ed.Model):
        raise OptionError(
            f"MODEL {path}:{name}: {path} defines no model called {name}{_models(defined)}"
        )
    return found


def _models(defined: dict[str, Any]) -> str:
    import exmc_dask as ed

    names = [name for name, value in defined.items() if isinstance(value, ed.Model)]
    return f"; there is {', '.join(names)}" if names else ""


def read_data(path: Path) -> dict[str, np.ndarray]:
    """Read arrays by name from an .npz or a .json file."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    if path.suffix == ".json":
        values = json.loads(path.read_text())
        if not isinstance(values, dict):
            raise DataError(f"--data {path}: it has to hold one object, name -> numbers")
        return {name: np.asarray(value) for name, value in values.items()}
    raise DataError(f"--data {path}: the name has to end in .npz or .json")
