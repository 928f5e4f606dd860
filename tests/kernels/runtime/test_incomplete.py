"""Incomplete gamma and beta functions of kernels against fifty digits, in both tails."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from numba import njit
from scipy import special

from exmc_dask.kernels import build
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


@cache
def compiled(name: str) -> Any:
    f = getattr(build.runtime_module("incomplete"), name)
    if name in GAMMAS:
        return njit(lambda a, x: f(a, x))
    return njit(lambda a, b, odds: f(a, b, odds))


def of(name: str, at: np.ndarray) -> np.ndarray:
    return np.array([compiled(name)(*map(float, row)) for row in at])


def errors(found: Any, expected: list[Any]) -> np.ndarray:
    """Errors relative to the larger of 1 and the value."""
    pairs = zip(found, expected, strict=True)
    return np.array([float(abs(f - e) / max(1, abs(e))) for f, e in pairs])


@pytest.mark.parametrize("name", GAMMAS[:2])
def test_logarithms_of_the_gamma_function_are_within_1e_14(name: str) -> None:
    expected = [gamma(*at)[GAMMAS.index(name)] for at in GAMMA]
    lost = 5e-16 / GAMMA[:, 0]  # where the other one is nearly 1

    assert (errors(of(name, GAMMA), expected) < 1e-14 + lost).all()


def test_logarithms_of_the_beta_function_are_within_1e_14() -> None:
    expected = [beta(*at)[0] for at in BETA]

    assert (errors(of("log_betainc_odds", BETA), expected) < 1e-14).all()


def test_slopes_in_the_shape_have_ten_digits() -> None:
    for name, at, expected in (
        ("gammainc_shape", GAMMA, [gamma(*at)[2] for at in GAMMA]),
        ("betainc_shape", BETA, [beta(*at)[1] for at in BETA]),
    ):
        np.testing.assert_allclose(of(name, at), np.array(expected, float), rtol=1e-10)


def test_thousands_of_terms_are_summed() -> None:
    for name, scipys in (("log_gammainc", special.gammainc), ("log_gammaincc", special.gammaincc)):
        np.testing.assert_allclose(of(name, LARGE), np.log(scipys(*LARGE.T)), rtol=1e-10)


def test_too_many_terms_are_no_number() -> None:
    assert np.isnan(of("log_gammaincc", np.array([[1e14, 1e14 + 1e5]]))).all()


def test_edges() -> None:
    found = [of(name, np.array(list(GAMMA_EDGES))) for name in GAMMAS[:2]]
    np.testing.assert_allclose(np.transpose(found), list(GAMMA_EDGES.values()), rtol=1e-14)

    found_beta = of("log_betainc_odds", np.array(list(BETA_EDGES)))
    np.testing.assert_allclose(found_beta, list(BETA_EDGES.values()), rtol=1e-14)
