"""Values of a plan for many draws at once: every family, expressions, the user's own draws."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.dist import draw, is_movable
from exmc_dask.errors import ModelError, ShapeError
from exmc_dask.predictive.forward import Forward
from exmc_dask.predictive.plan import plan
from tests.exmc_dask.predictive.posteriors import far_from, network, p_value
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.table import CASES
from tests.exmc_dask.slopes import numbers


def forward(model: ed.Model, *wanted: str, **options: Any) -> Forward:
    todo = plan(model.spec, wanted, **options)
    return Forward(todo, model.data, model.sizes.lengths, model.draws)


def stream(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def test_values_are_those_of_the_expressions() -> None:
    z = np.array([-1.0, 0.0, 2.0])
    todo = forward(network(), "det", "mean", "z", held=("z",))
    found = todo.run({"z": z}, 3, stream)

    np.testing.assert_allclose(found["det"], np.exp(z) + 1.5, rtol=1e-15)
    np.testing.assert_array_equal(found["mean"], [1.5] * 3)
    np.testing.assert_array_equal(found["z"], z)


def test_expressions_are_stored_as_in_a_trace() -> None:
    with ed.Model() as model:
        ed.Deterministic("above", ed.Normal("z", 0, 1) > 0)
    found = forward(model, "above", held=("z",)).run({"z": np.array([-1.0, 2.0])}, 2, stream)

    assert found["above"].dtype == np.float64
    np.testing.assert_array_equal(found["above"], [0, 1])


def test_a_frozen_expression_stands_in_others() -> None:
    todo = forward(network(), "det", held=("z", "mean"), freeze=("mean",))
    found = todo.run({"z": np.zeros(2), "mean": np.array([7.0, 8.0])}, 2, stream)

    np.testing.assert_array_equal(found["det"], [8.0, 9.0])


def test_children_follow_what_is_drawn_above_them() -> None:
    found = forward(network(), "seen", "twice", "next", held=("z",)).run(
        {"z": np.full(4000, 1.0)}, 4000, stream
    )

    np.testing.assert_array_equal(found["twice"], 2 * found["seen"])
    assert np.std(found["next"] - found["seen"]) == pytest.approx(1.0, abs=0.05)
    assert np.std(found["next"]) == pytest.approx(np.sqrt(2), abs=0.07)


DRAWN = [name for name, case in CASES.items() if case.law is not None or case.element is not None]


@pytest.mark.parametrize("name", DRAWN)
def test_every_family_draws_for_many_parameters_at_once(name: str) -> None:
    case = CASES[name]
    event = case.values.shape[1:]
    dist, leaves = posed(case, np.zeros((400, *event)))
    many = {node: np.stack([value] * 3) for node, value in leaves.items()}
    place, law = case.element or ((), case.law)
    drawn = draw(dist, stream(name), (3, 400, *event), lambda node: numbers(node, many))

    assert drawn.shape == (3, 400, *event)
    for row in drawn[:, :, *np.ravel(place).astype(int)]:
        assert far_from(row, law) < 1 if not is_movable(dist) else p_value(row, law) > 1e-3


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: ed.Flat("x"), "'x' cannot be drawn: Flat"),
        (lambda: ed.Custom("x", logp=lambda v: -v * v), "'x' cannot be drawn: Custom needs draw="),
        (
            lambda: ed.Mixture("x", [0.5, 0.5], [ed.Flat.dist(), ed.Normal.dist(0, 1)]),
            "'x' cannot be drawn: Flat",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(declare: Any, words: str) -> None:
    with ed.Model() as model:
        ed.Normal("y", declare(), 1, observed=0.0)

    with pytest.raises(ModelError, match=words):
        forward(model, "y").check()
    forward(model, "y", held=("x",)).check()


def test_the_users_own_draws_are_taken() -> None:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Custom(
            "x", mu, logp=lambda v, mu: -ed.math.abs(v - mu),
            draw=lambda rng, shape, mu: rng.uniform(mu, mu + 1, shape), shape=3,
        )  # fmt: skip
        ed.Custom("bad", logp=lambda v: -v * v, draw=lambda rng, shape: rng.normal(size=2))
    given = np.array([0.0, 10.0])
    todo = forward(model, "x", held=("mu",))
    todo.check()
    found = todo.run({"mu": given}, 2, stream)

    assert found["x"].shape == (2, 3)
    np.testing.assert_array_equal(np.floor(found["x"]), np.tile(given[:, None], 3))
    with pytest.raises(ShapeError, match=r"'bad': its draw= gave shape \(2,\) where \(5,\)"):
        forward(model, "bad").run({}, 5, stream)


def test_parameters_without_a_distribution_are_named() -> None:
    with ed.Model() as model:
        ed.Poisson("y", ed.Normal("rate", 0, 1), observed=3)

    with pytest.raises(ModelError, match=r"'y' could not be drawn from Poisson.*priors"):
        forward(model, "y").run({}, 50, stream)
