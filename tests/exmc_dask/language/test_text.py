"""Expressions as the user would write them."""

import numpy as np
import pytest

from exmc_dask import math
from exmc_dask.dist import Censored, Mixture, Normal
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import INT, Op
from exmc_dask.language.text import text, text_of_dist, text_of_transform
from exmc_dask.transforms import interval
from tests.exmc_dask.slopes import leaf

a, b, v = leaf("a", 0.0), leaf("b", 0.0), leaf("v", np.zeros(4))
stack = leaf("stack", np.zeros((2, 3)))

CASES: dict[str, Node] = {
    "a - (b - a)": a - (b - a),
    "a - b - a": a - b - a,
    "(a + b) * 2": (a + b) * 2,
    "a + b * 2": a + b * 2,
    "a / (b * 2)": a / (b * 2),
    "-(a + b)": -(a + b),
    "-a * b": -a * b,
    "(a < b) & (b < 1)": (a < b) & (b < 1),
    "a**(-0.5)": a**-0.5,
    "(a**b)**2": (a**b) ** 2,
    "(-a)**2": (-a) ** 2,
    "exp(a / 2)": math.exp(a / 2),
    "v[1]": v[1],
    "v[1:]": v[1:],
    "(v * 2)[::-1]": (v * 2)[::-1],
    "v + a": v + a,
    "exp(v - logsumexp(v))": math.softmax(v),
    "v @ v": v @ v,
    "where(a < b, a, b)": math.where(a < b, a, b),
    "v[:, None] - v": v[:, None] - v[None, :],
    "sum(v)": v.sum(),
    "logsumexp(stack, axis=0)": math.logsumexp(stack, axis=0),
    "concatenate(v, v)": math.concatenate([v, v]),
    "gammaln(a)": math.gammaln(a),
    "exp(expand_packed_triangular(2, v[1:]))": math.exp(math.expand_packed_triangular(2, v[1:])),
    "where(v < 1, v[places], 0)": math.where(v < 1, v[make(Op.DATA, (), "places", (4,), INT)], 0.0),
}


@pytest.mark.parametrize("expected", CASES)
def test_an_expression_reads_as_it_was_written(expected: str) -> None:
    assert text(CASES[expected]) == expected


def test_a_name_is_written_for_an_expression_that_has_one() -> None:
    eta = a + v

    assert text(math.exp(eta) * 2, {eta: "eta"}) == "exp(eta) * 2"
    assert text_of_dist(Normal.dist(eta, 1), {eta: "eta"}) == "Normal(eta, 1)"


def test_a_transform_reads_with_its_bounds() -> None:
    assert text_of_transform(interval(0, a + 1)) == "interval(0, a + 1)"
    assert text_of_transform(interval(lower=a)) == "lower(a)"


def test_a_long_expression_is_cut() -> None:
    node = a
    for _ in range(2000):
        node = node + b

    assert len(text(node)) <= 100


@pytest.mark.parametrize(
    ("dist", "expected"),
    [
        (Normal.dist(a, 2), "Normal(a, 2)"),
        (Normal.dist(a, tau=2), "Normal(a, tau=2)"),
        (Censored.dist(Normal.dist(), upper=3), "Censored(Normal(0, 1), upper=3)"),
        (
            Mixture.dist(v, [Normal.dist(a, 1), Normal.dist(b, 1)]),
            "Mixture(v, [Normal(a, 1), Normal(b, 1)])",
        ),
    ],
)
def test_a_distribution_reads_as_it_was_written(dist: object, expected: str) -> None:
    assert text_of_dist(dist) == expected  # type: ignore[arg-type]
