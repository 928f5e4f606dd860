"""What a mistake is: something a user does, and the error that tells them."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask import errors

# what the user does, the error, words that the message must have
type Mistake = tuple[Callable[[], object], type[Exception], tuple[str, ...]]


def declared(declare: Callable[[Any], object]) -> Callable[[], None]:
    """Declare in an open model that has mu, tau (8,), data and coordinates."""

    def run() -> None:
        with ed.Model(coords={"school": range(8)}) as model:
            ed.Normal("mu", 0, 1)
            ed.HalfNormal("tau", np.ones(8))
            ed.Data("x", np.ones((3, 2)))
            declare(model)

    return run


def named(declare: Callable[[ed.Builder], Any]) -> Callable[[], None]:
    def run() -> None:
        declare(ed.Builder().rv("mu", ed.Normal, mu=0, sigma=1)).build()

    return run


def var(model: ed.Model, name: str) -> Any:
    return model.spec[name].node


def caught(mistake: Mistake) -> None:
    """Assert that a mistake raises its error, which keeps its words when it travels."""
    act, error, words = mistake
    with pytest.raises(errors.ExmcError) as raised:
        act()
    message = str(raised.value)

    assert type(raised.value) is error, message
    assert all(word in message for word in words), message
    assert str(pickle.loads(pickle.dumps(raised.value))) == message
