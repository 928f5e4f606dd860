"""Errors cross process borders, and the tree in the docstring is the tree in the code."""

import inspect
import pickle

import pytest

from exmc_dask import errors

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if cls.__module__ == errors.__name__
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_pickles(cls):
    copy = pickle.loads(pickle.dumps(cls("'mu': what, where, what to do")))

    assert type(copy) is cls
    assert str(copy) == "'mu': what, where, what to do"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_in_the_drawing_and_under_the_root(cls):
    assert issubclass(cls, errors.ExmcError)
    assert cls.__name__ in (errors.__doc__ or "")
