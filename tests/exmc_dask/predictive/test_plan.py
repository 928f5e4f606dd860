"""Which values are kept and which are drawn: PyMC's rule, a row a situation."""

from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.errors import UnknownName
from exmc_dask.predictive.plan import Share, parts_of, plan
from exmc_dask.warned import ImputationWarning
from tests.exmc_dask.predictive.posteriors import network

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


@pytest.fixture(scope="module")
def imputed() -> ed.Model:
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        with pytest.warns(ImputationWarning):
            x = ed.Normal("x", mu, 1, observed=[1.0, np.nan])
        ed.Normal("y", x, 1, observed=[1.0, 2.0])
    return model


IMPUTED: dict[str, tuple[dict[str, Any], str, str, bool]] = {
    "without a trace": ({"wanted": ("x_unobserved", "y")}, "", "mu x x_unobserved y", False),
    "kept": ({"held": ("mu", "x_unobserved")}, "mu x_unobserved", "x y", True),
    "drawn": (
        {"held": ("mu", "x_unobserved"), "renew": ("x_unobserved",)}, "mu", "x y", False,
    ),
    "absent": ({"held": ("mu",)}, "mu", "x y", False),
    "of another shape": (
        {"held": ("mu", "x_unobserved"), "behind": ("x",)}, "mu", "x y", False,
    ),
    "a share": (
        {"wanted": ("x_observed",), "held": ("mu", "x_unobserved")},
        "mu x_unobserved", "x x_observed", True,
    ),
    "nothing but itself": (
        {"wanted": ("x_unobserved",), "held": ("mu", "x_unobserved")}, "x_unobserved", "", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("situation", IMPUTED)
def test_the_rule_for_imputed_values(imputed: ed.Model, situation: str) -> None:
    asked, kept, drawn, overlaid = IMPUTED[situation]
    found = plan(imputed.spec, **({"wanted": ("y",)} | asked))

    assert set(found.kept) == set(kept.split())
    assert list(found.drawn) == drawn.split()
    assert found.overlaid == ({"x"} if overlaid else set())


def test_a_variable_left_behind_has_no_shares(imputed: ed.Model) -> None:
    shares = [p.name for p in parts_of(imputed.spec).values() if isinstance(p, Share)]

    assert shares == ["x_unobserved", "x_observed"]
    assert set(parts_of(imputed.spec, {"x"})) == {"mu", "x", "y"}
