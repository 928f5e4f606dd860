"""Likelihood options and transforms, written out, against scipy."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import exmc_dask as ed
from exmc_dask.errors import ShapeError
from exmc_dask.expressions.ir import make, param
from exmc_dask.expressions.ops import FLOAT, Op
from exmc_dask.lowering.density import lower
from exmc_dask.rewrite.draft import Draft, Free
from exmc_dask.rewrite.terms import resolve, write
from tests.exmc_dask.models import at, from_data, numbers

Y = np.array([0.5, -1.0, 2.0, 0.0])
MASK = np.array([True, False, True, True])
WEIGHT = np.array([1.0, 3.0, 0.5, 2.0])
L = stats.norm(0.3, 1.0).logpdf(Y)

OPTIONS: dict[str, tuple[dict[str, Any], float]] = {
    "sum": ({}, L.sum()),
    "mean": ({"reduce": "mean"}, L.mean()),
    "logsumexp": ({"reduce": "logsumexp"}, logsumexp(L)),
    "weight": ({"weight": WEIGHT}, (WEIGHT * L).sum()),
    "one weight": ({"weight": 0.25}, 0.25 * L.sum()),
    "mask": ({"mask": MASK}, L[MASK].sum()),
    "mask, mean": ({"mask": MASK, "reduce": "mean"}, L[MASK].mean()),
    "mask, logsumexp": ({"mask": MASK, "reduce": "logsumexp"}, logsumexp(L[MASK])),
    "all": (
        {"mask": MASK, "reduce": "mean", "weight": WEIGHT},
        (WEIGHT * L)[MASK].mean(),
    ),
    "nothing counts": ({"mask": np.zeros(4, bool), "reduce": "mean"}, 0.0),
    "left out": ({"likelihood": False}, 0.0),
}


def logp(model: ed.Model, q: list[float]) -> float:
    density = lower(model.spec)
    data = from_data(density.fold(model.data))
    (value,) = numbers([density.logp], at(density.layout, np.array(q)), data)
    return float(value)


@pytest.mark.parametrize("name", OPTIONS)
def test_elements_are_weighted_then_masked_then_reduced(name: str) -> None:
    options, expected = OPTIONS[name]
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 1)
        ed.Normal("y", mu, 1.0, observed=Y, **options)
    assert logp(model, [0.3]) - stats.norm.logpdf(0.3) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("transform", "z", "expected"),
    [
        ("default", -0.4, stats.expon.logpdf(np.exp(-0.4)) - 0.4),
        ("log", -0.4, stats.expon.logpdf(np.exp(-0.4)) - 0.4),
        ("softplus", -0.4, stats.expon.logpdf(np.logaddexp(0, -0.4)) - np.logaddexp(0, 0.4)),
        (None, 0.4, stats.expon.logpdf(0.4)),
        (None, -0.4, -np.inf),
    ],
)
def test_a_transform_adds_its_jacobian_and_none_leaves_the_support_to_the_density(
    transform: str | None, z: float, expected: float
) -> None:
    with ed.Model() as model:
        ed.Exponential("x", 1.0, transform=transform)
    assert logp(model, [z]) == pytest.approx(expected, rel=1e-12)


def test_meanings_are_put_inside_meanings() -> None:
    a, b = (make(Op.VAR, (), name, (), FLOAT) for name in "ab")
    z = param("z", ())
    assert resolve([b + a], {b: a * 2.0, a: z + 1.0}) == [(z + 1.0) * 2.0 + (z + 1.0)]


def test_a_deep_chain_of_meanings_is_no_recursion() -> None:
    chain = [make(Op.VAR, (), f"x{i}", (), FLOAT) for i in range(3000)]
    meanings = {x: before + 1.0 for before, x in pairwise(chain)}
    (found,) = resolve([chain[-1]], meanings | {chain[0]: param("z", ())})
    assert numbers([found], {(Op.PARAM, "z"): np.array(0.5)})[0] == 2999.5


def test_a_free_variable_as_long_as_data_is_refused() -> None:
    dist = ed.Normal.dist(0.0, 1.0)
    with pytest.raises(ShapeError, match=r"'x' is a free variable of shape \('n\.0',\)"):
        write(Draft((Free("x", dist, ("n.0",), (), None),), (), (), (), ()))
