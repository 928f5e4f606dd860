"""Densities of vectors and matrices integrate to 1 over the unconstrained space.

This holds constants and the Jacobians of their default transforms at once, against nothing but the
definition of a density. The trapezoidal rule is exact to all digits for analytic functions that
die out (Trefethen and Weideman 2014), and the product of few axes is still small.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from exmc_dask.expressions.axes import extents
from exmc_dask.dist import (
    ICAR,
    Dirichlet,
    Dist,
    Gamma,
    LKJCholeskyCov,
    LKJCorr,
    LogNormal,
    MvNormal,
    StickBreakingWeights,
    ZeroSumNormal,
    default_transform,
    logp,
)
from exmc_dask.transforms import TRANSFORMS
from tests.exmc_dask.slopes import Array, leaf, numbers


@dataclass(frozen=True)
class Integral:
    """A distribution, the shape of its value, and where its unconstrained density has died out."""

    dist: Dist
    shape: tuple[int, ...]
    reach: float | tuple[float, ...]
    n_points: int = 61


INTEGRALS: dict[str, Integral] = {
    "Dirichlet": Integral(Dirichlet.dist([2.0, 3.0, 1.5]), (3,), 25.0, 201),
    "StickBreakingWeights": Integral(StickBreakingWeights.dist(2.0, 2), (3,), 40.0, 301),
    "LKJCorr of two": Integral(LKJCorr.dist(2, 0.7), (2, 2), 25.0, 301),
    "LKJCorr of three": Integral(LKJCorr.dist(3, 2.5), (3, 3), 8.0, 81),
    "LKJCholeskyCov": Integral(
        LKJCholeskyCov.dist(2.5, 2, LogNormal.dist(0.0, 0.3)), (3,), (2.2, 6.0, 7.0), 121
    ),
    "LKJCholeskyCov, other deviations": Integral(
        LKJCholeskyCov.dist(3.0, 2, Gamma.dist([20.0, 10.0], 10.0)), (3,), (2.5, 6.0, 8.0), 141
    ),
    "ZeroSumNormal": Integral(ZeroSumNormal.dist(0.7), (3,), 8.0),
    "ZeroSumNormal, two axes": Integral(ZeroSumNormal.dist(0.7, 2), (2, 3), 8.0),
    "MvNormal": Integral(MvNormal.dist(0.0, cov=[[1.0, 0.5], [0.5, 2.0]]), (2,), 15.0),
}


def density(dist: Dist, grid: Array) -> Array:
    """Density of z, at every point of a grid."""
    moved, z = default_transform(dist), leaf("z", grid)
    x = z if moved is None else moved.backward(z)
    found = numbers(logp(dist, x, inside=True), {z: grid})
    if moved is None:
        return np.exp(found)
    volume = numbers(TRANSFORMS[moved.kind].log_det(z, *moved.args), {z: grid})
    each = np.broadcast_to(volume, (len(grid), *volume.shape[1:]))
    return np.exp(found + each.reshape(len(grid), -1).sum(axis=1))


def total(case: Integral) -> float:
    """Integral over a grid around 0."""
    moved = default_transform(case.dist)
    shape = case.shape if moved is None else extents(moved.unconstrained_shape(case.shape), {})
    reach = np.broadcast_to(case.reach, int(np.prod(shape)))
    axes = [np.linspace(-far, far, case.n_points) for far in reach]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, *shape)
    step = np.prod([axis[1] - axis[0] for axis in axes])
    return float(density(case.dist, grid).sum() * step)


@pytest.mark.parametrize("name", INTEGRALS)
def test_a_density_integrates_to_one(name: str) -> None:
    assert total(INTEGRALS[name]) == pytest.approx(1.0, abs=1e-9)


def test_a_field_has_the_normal_density_of_its_shape() -> None:
    """What ICAR leaves out of the constant is the determinant of the Laplacian alone."""
    case = Integral(ICAR.dist([[0, 1, 0], [1, 0, 1], [0, 1, 0]], 0.7, 0.4), (3,), 8.0)
    nonzero = np.array([1.0, 3.0])  # eigenvalues of the path of three
    expected = 2 * np.pi * 0.7**2 / 0.7**2 / np.sqrt(nonzero.prod()) / np.sqrt(3)

    assert total(case) == pytest.approx(expected, rel=1e-9)
