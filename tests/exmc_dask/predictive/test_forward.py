"""Which values are kept and which are drawn: PyMC's rule, a row a situation; and the drawing."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.dist import draw, is_movable
from exmc_dask.errors import ModelError, ShapeError, UnknownName
from exmc_dask.predictive.forward import Forward, plan
from tests.exmc_dask.expressions import numbers
from tests.exmc_dask.predictive.posteriors import far_from, p_value
from tests.exmc_dask.references.case import posed
from tests.exmc_dask.references.table import CASES


def network() -> ed.Model:
    """Two roots, a child of both, expressions of each stage, and two observations in a chain."""
    with ed.Model() as model:
        x = ed.Normal("x", 0, 1)
        y = ed.Normal("y", 0, 1)
        data = ed.Data("data", [1.0, 2.0])
        mean = ed.Deterministic("mean", data.sum() / 2.0)
        z = ed.Normal("z", x + y * y, 1)
        det = ed.Deterministic("det", ed.math.exp(z) + mean)
        seen = ed.Normal("seen", det, 1, observed=20.0)
        ed.Deterministic("twice", 2 * seen)
        ed.Normal("next", seen, 1, observed=19.0)
    return model


ALL = ("x", "y", "z", "mean", "det", "twice")

# what is asked -> kept, drawn, made
RULES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "without a trace": ({"wanted": ("next", "det")}, "", "x y z seen next", "det"),
    "data given the posterior": ({"wanted": ("seen",), "held": ALL}, "z", "seen", ""),
    "a chain of observations": ({"wanted": ("next",), "held": ALL}, "z", "seen next", ""),
    "expressions that nothing changed": ({"wanted": ("z", "det"), "held": ALL}, "z det", "", ""),
    "expressions of observations": ({"wanted": ("twice",), "held": ALL}, "z", "seen", "twice"),
    "a new value": ({"wanted": ("det",), "held": ALL, "renew": ("z",)}, "x y", "z", "det"),
    "a new ancestor": ({"wanted": ("z", "y"), "held": ALL, "renew": ("y",)}, "z", "y", ""),
    "a free variable that is missing": (
        {"wanted": ("seen",), "held": ("x", "y", "det")}, "x y", "z seen", "",
    ),
    "other data": ({"wanted": ("det",), "held": ALL, "changed": ("data",)}, "z", "", "det"),
    "data of which nothing is known": (
        {"wanted": ("det", "z"), "held": ALL, "unknown": ("data",)}, "z", "", "det",
    ),
    "an expression of a variable that is kept": (
        {"wanted": ("y", "det"), "held": ALL, "renew": ("y",)}, "det", "y", "",
    ),
    "an expression frozen": (
        {"wanted": ("det",), "held": ALL, "changed": ("data",), "freeze": ("mean",)},
        "det", "", "",
    ),
    "an expression frozen, for data": (
        {"wanted": ("seen",), "held": ("mean", "z"), "changed": ("data",), "freeze": ("mean",)},
        "mean z", "seen", "",
    ),
    "an expression to calculate again": (
        {"wanted": ("det",), "held": ALL, "renew": ("det",)}, "z", "", "det",
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", RULES)
def test_the_rule(situation: str) -> None:
    asked, kept, drawn, made = RULES[situation]
    found = plan(network().spec, **asked)

    assert set(found.kept) == set(kept.split())
    assert list(found.drawn) == drawn.split()
    assert list(found.made) == made.split()


@pytest.mark.parametrize(
    ("asked", "outrun"),
    [
        ({"renew": ("y",)}, {"z": ("'y' is drawn",)}),
        ({"held": ("y", "z")}, {"z": ("'x' is drawn",)}),
        ({"renew": ("y",), "freeze": ("z",)}, {}),
        ({"unknown": ("data",)}, {}),
        ({}, {}),
    ],
)
def test_kept_variables_below_a_change_are_named(asked: Any, outrun: Any) -> None:
    assert plan(network().spec, ("seen",), **({"held": ALL} | asked)).outrun == outrun


def test_changed_data_outrun_the_variables_below_them() -> None:
    with ed.Model() as model:
        theta = ed.Normal("theta", ed.Data("place", [0.0, 1.0]), 1)
        ed.Normal("y", theta, 1, observed=[0.0, 0.0])
    found = plan(model.spec, ("y",), held=("theta",), changed=("place",))

    assert found.outrun == {"theta": ("'place' has other data",)}


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UnknownName, match="'nu' is neither"):
        plan(network().spec, ("nu",))


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
