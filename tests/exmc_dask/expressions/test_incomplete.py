"""Incomplete gamma and beta functions of arrays against fifty digits, in both tails."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from exmc_dask.expressions import incomplete
from tests.exmc_dask.expressions.incomplete import (
    BETA,
    BETA_EDGES,
    GAMMA,
    GAMMA_EDGES,
    LARGE,
    beta,
    gamma,
)

GAMMAS = ["log_gammainc", "log_gammaincc", "gammainc_shape"]


def of(name: str, at: np.ndarray) -> Any:
    with np.errstate(all="ignore"):
        return getattr(incomplete, name)(*at.T)


def errors(found: Any, expected: list[Any]) -> np.ndarray:
    """Errors relative to the larger of 1 and the value."""
    pairs = zip(found, expected, strict=True)
    return np.array([float(abs(f - e) / max(1, abs(e))) for f, e in pairs])


@pytest.mark.parametrize("name", GAMMAS[:2])
def test_logarithms_of_the_gamma_function_have_their_digits(name: str) -> None:
    expected = [gamma(*at)[GAMMAS.index(name)] for at in GAMMA]
    lost = 5e-16 / GAMMA[:, 0]  # where the other one is nearly 1

    assert (errors(of(name, GAMMA), expected) < 1e-14 + lost).all()


def test_logarithms_of_the_beta_function_have_their_digits() -> None:
    expected = [beta(*at)[0] for at in BETA]

    assert (errors(of("log_betainc_odds", BETA), expected) < 1e-14).all()


def test_slopes_in_the_shape_have_their_digits() -> None:
    for name, at, expected in (
        ("gammainc_shape", GAMMA, [gamma(*at)[2] for at in GAMMA]),
        ("betainc_shape", BETA, [beta(*at)[1] for at in BETA]),
    ):
        np.testing.assert_allclose(of(name, at), np.array(expected, float), rtol=1e-10)


def test_thousands_of_terms_are_summed() -> None:
    at = LARGE.T

    np.testing.assert_allclose(of("log_gammainc", LARGE), np.log(special.gammainc(*at)), rtol=1e-10)
    np.testing.assert_allclose(
        of("log_gammaincc", LARGE), np.log(special.gammaincc(*at)), rtol=1e-10
    )


def test_edges() -> None:
    found = [of(name, np.array(list(GAMMA_EDGES))) for name in GAMMAS[:2]]
    np.testing.assert_allclose(np.transpose(found), list(GAMMA_EDGES.values()), rtol=1e-14)

    found = of("log_betainc_odds", np.array(list(BETA_EDGES)))
    np.testing.assert_allclose(found, list(BETA_EDGES.values()), rtol=1e-14)


def test_operands_broadcast() -> None:
    grid = incomplete.log_gammainc(np.array([[0.5], [2.0]]), np.array([1.0, 2.0, 3.0]))

    assert grid.shape == (2, 3)
    np.testing.assert_allclose(grid[1, 2], incomplete.log_gammainc(2.0, 3.0), rtol=1e-14)
