"""What users bring along from elsewhere, and the error that tells them: one row a mistake."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors
from tests.exmc_dask.mistakes import Mistake, caught, declared, var

with ed.Model():
    STRANGER = ed.Normal("stranger", 0, 1)
    STRANGE_DATA = ed.Data("strange_data", [1.0, 2.0, 3.0])


def sampled(**options: Any) -> Callable[[], None]:
    def run() -> None:
        with ed.Model() as model:
            ed.Normal("mu", 0, 1)
        ed.sample(model, **options)

    return run


def huge() -> None:
    with ed.Model() as model:
        ed.Normal("field", 0, 1, shape=(10**7, 10**7))
    ed.sample(model)


MISTAKES: dict[str, Mistake] = {
    "more than fits into memory": (huge, errors.ModelError, ("'field'", "800,000 GB")),
    "initial value of nothing": (
        sampled(initvals={"m": 1.0}),
        errors.UnknownName,
        ("initvals: 'm' is not one of mu",),
    ),
    "initial value of another shape": (
        sampled(initvals={"mu": [1.0, 2.0]}),
        errors.ShapeError,
        ("initvals: 'mu' has shape ()",),
    ),
    "initial value without a name": (
        sampled(initvals=3.0),
        errors.OptionError,
        ("initvals=3.0", "{'mu': 0.0}"),
    ),
    "address as client": (
        sampled(client="tcp://127.0.0.1:8786"),
        errors.OptionError,
        ("client='tcp", "cluster="),
    ),
    "number as cluster": (sampled(cluster=4), errors.OptionError, ("cluster=4", "an address")),
    "no name": (
        declared(lambda m: ed.Normal(mu=0)),
        errors.OptionError,
        ("ed.Normal('x', ...)",),
    ),
    "a dimension twice": (
        declared(lambda m: ed.Normal("y", 0, 1, dims=("school", "school"))),
        errors.ModelError,
        ("'y'", "'school' twice", "school_2"),
    ),
    "coordinates that are no mapping": (
        lambda: ed.Model(coords=["A", "B"]),  # type: ignore[arg-type]
        errors.OptionError,
        ("coords=['A', 'B']",),
    ),
    "variable of another model": (
        declared(lambda m: ed.Normal("y", STRANGER, 1)),
        errors.ModelError,
        ("'y' uses 'stranger'", "another model"),
    ),
    "data of another model": (
        declared(lambda m: ed.Deterministic("y", STRANGE_DATA * var(m, "mu"))),
        errors.ModelError,
        ("'y' uses 'strange_data'", "another model"),
    ),
    "shapes that do not go together": (
        declared(lambda m: var(m, "tau") + np.exp(ed.Normal("z", 0, 1, shape=2))),
        errors.ShapeError,
        ("(8,) is of 'tau'", "an expression of", "'z'"),
    ),
    "changed in place": (
        declared(lambda m: var(m, "tau").__setitem__(0, 1)),
        errors.ModelError,
        ("'tau' cannot be changed in place", "ed.math.where"),
    ),
    "labels as data": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=["a", "b"])),
        errors.DataError,
        ("'y'", "pandas.factorize"),
    ),
    "numbers as objects": (
        declared(lambda m: ed.Normal("y", 0, 1, observed=np.array([1, 2], dtype=object))),
        errors.DataError,
        ("'y'", ".astype(float)"),
    ),
    "dates as data": (
        declared(lambda m: ed.Data("t", np.array(["2020-01-01"], dtype="M8[D]"))),
        errors.DataError,
        ("'t'", "timedelta64"),
    ),
    "size of a variable": (
        declared(lambda m: ed.Normal("y", 0, 1, size=3)),
        errors.OptionError,
        ("'y'", "'size' (it is called shape)"),
    ),
    "weights that do not sum to 1": (
        declared(lambda m: ed.Categorical("y", [0.5, 0.6], observed=[0])),
        errors.SupportError,
        ("'y'", "p of Categorical", "the sum is 1.1"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])
