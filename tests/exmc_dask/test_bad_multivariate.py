"""What users get wrong with vectors, matrices and transforms: one row a mistake."""

import pytest

import exmc_dask as ed
from exmc_dask import errors
from tests.exmc_dask.mistakes import Mistake, caught, declared, var

MISTAKES: dict[str, Mistake] = {
    "transform of a vector for a scalar": (
        declared(lambda m: ed.Normal("y", 0, 1, transform="ordered")),
        errors.ShapeError, ("'y'", "'ordered'", "last axis"),
    ),
    "transform of matrices for a vector": (
        declared(lambda m: ed.Flat("y", shape=3, transform=ed.transforms.cholesky_corr)),
        errors.ShapeError, ("'y'", "'cholesky_corr'", "square matrices"),
    ),
    "triangle of no matrix": (
        declared(lambda m: ed.math.expand_packed_triangular(3, var(m, "tau"))),
        errors.ShapeError, ("3 rows has 6 elements", "(8,)"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str) -> None:
    caught(MISTAKES[mistake])
