"""New data: what has to fit, and which observed values may be left behind."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import ModelError, ShapeError
from exmc_dask.language.consistency import sizes

X, Y = np.arange(6.0).reshape(3, 2), np.array([2.1, 1.8, 2.5])
NEW = np.ones((5, 2))


def plain() -> None:
    beta = ed.Normal("beta", 0, 1, shape=2)
    mu = ed.Deterministic("mu", ed.Data("x", X) @ beta)
    ed.Normal("y", mu, 1, observed=Y, weight=[1.0, 2.0, 3.0], mask=[1, 0, 1])


def named() -> None:
    x = ed.Data("x", X, dims=("row", None))
    outcome = ed.Data("outcome", Y, dims="row")
    ed.Normal("y", x @ ed.Normal("beta", 0, 1, shape=2), 1, observed=outcome)


def labelled() -> None:
    ed.Normal("y", ed.Normal("mu", 0, 1), 1, observed=Y, dims="place")


def chained() -> None:
    first = ed.Poisson("first", ed.math.exp(ed.Data("x", X).sum(axis=1)), observed=[1, 1, 40])
    ed.Normal("y", ed.Normal("b", 0, 1) * first, 1, observed=Y)


def build(declare: Callable[[], None]) -> ed.Model:
    with ed.Model(coords={"place": ["a", "b", "c"]}) as model:
        declare()
    return model


FIVE = {"place": list("vwxyz")}


@pytest.mark.parametrize(
    ("declare", "values", "coords", "behind"),
    [
        (plain, {"x": NEW}, None, {"y"}),
        (named, {"x": NEW}, None, {"y"}),
        (labelled, {}, FIVE, {"y"}),
        (chained, {"x": NEW}, None, {"first", "y"}),
        (plain, {"x": NEW[:3]}, None, set()),
        (plain, {}, FIVE, set()),
    ],
)
def test_observed_values_may_be_left_behind(
    declare: Callable[[], None], values: dict[str, Any], coords: Any, behind: set[str]
) -> None:
    model = build(declare)
    model.set_data(values, coords)
    found = sizes(model.spec, model._slots)
    copy = pickle.loads(pickle.dumps(model))

    assert found.behind == {name: ((3,), (5,)) for name in behind}
    for one in (model, copy):
        if behind:
            with pytest.raises(ShapeError, match=r"observed values of shape \(3,\).*\(5,\)"):
                ed.sample(one)
            with pytest.raises(ShapeError, match="predictions=True"):
                one.logp({"beta": np.zeros(2)})
        else:
            one.check_observed()


def test_what_was_left_behind_may_follow_later() -> None:
    model = build(plain)
    model.set_data({"x": NEW})
    model.set_data({"y.observed": np.ones(5), "y.weight": np.ones(5), "y.mask": np.ones(5, bool)})

    assert np.isfinite(model.logp({"beta": np.zeros(2)}))


def shared() -> None:
    lag = ed.Data("outcome", Y)
    ed.Normal("y", ed.Data("x", X)[:, 0] + ed.Normal("b", 0, 1), 1, observed=lag)
    ed.Deterministic("double", 2 * lag)


def scaled() -> None:
    ed.Normal("y", ed.Data("x", X) @ ed.Normal("beta", 0, 1, shape=2), [1, 2, 3], observed=Y)


def fixed() -> None:
    ed.Normal("z", ed.Data("x", X).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("declare", "values", "coords"),
    [
        (plain, {"x": NEW, "y.observed": Y}, None),
        (plain, {"y.observed": np.ones(5)}, None),
        (named, {"outcome": np.ones(5)}, None),
        (labelled, {"y.observed": np.ones(5)}, None),
        (shared, {"x": NEW}, None),
        (scaled, {"x": NEW}, None),
        (fixed, {"x": NEW}, None),
    ],
)
def test_other_data_that_do_not_fit_are_refused(
    declare: Callable[[], None], values: dict[str, Any], coords: Any
) -> None:
    model = build(declare)
    before = model.data
    with pytest.raises(ModelError):
        model.set_data(values, coords)

    assert all(model.data[name] is array for name, array in before.items())
