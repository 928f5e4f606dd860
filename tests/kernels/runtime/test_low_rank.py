"""The metric of low rank: what it finds in a window of draws, and how the window is kept."""

import numpy as np
import pytest

from exmc_dask.kernels.runtime import low_rank
from exmc_dask.kernels.runtime.chain import (
    DIM,
    DIRECTIONS,
    DRAW,
    HISTORY,
    MAX_RANK,
    N_BACK,
    N_FRONT,
    STRETCH,
    TUNE,
)
from exmc_dask.kernels.runtime.walk import DROPPED, N_INTS
from tests.kernels.targets import F8, I8, compiled

FIT, REMEMBER, STRIDE = (compiled(getattr(low_rank, n)) for n in ("fit", "remember", "stride"))
RNG = np.random.default_rng(8)


def fitted(draws: F8, scores: F8, dropped: int = 0) -> tuple[F8, F8, F8]:
    """Return scales, stretches and directions for draws and scores, (n, dim) each."""
    n, dim = draws.shape
    vector = np.zeros((HISTORY + 2 * (dropped + n), dim))
    vector[HISTORY + 2 * dropped :] = np.stack([draws, scores], axis=1).reshape(2 * n, dim)
    spread = np.zeros((DIRECTIONS + min(MAX_RANK, dim), 1, 1, dim))
    spread[0] = 1.0
    FIT(vector, spread, dropped, n)
    rows = spread[:, 0, 0]
    rank = int((rows[STRETCH] != 0.0).sum())
    return rows[0], rows[STRETCH, :rank], rows[DIRECTIONS : DIRECTIONS + rank]


def inv_mass(scale: F8, stretch: F8, directions: F8) -> F8:
    root = scale[:, None] * (np.eye(scale.size) + (directions.T * stretch) @ directions)
    return np.asarray(root @ root.T)


def slanted(dim: int, sds: list[float]) -> F8:
    """Return the covariance of a normal law that is long or short along no axis."""
    axes = np.linalg.qr(RNG.normal(size=(dim, len(sds))))[0]
    return np.asarray(np.eye(dim) + axes @ np.diag(np.square(sds) - 1.0) @ axes.T)


def normal(cov: F8, n: int) -> tuple[F8, F8]:
    """Return draws of a normal law, their spread wrong on purpose, and its scores at them."""
    draws = RNG.normal(size=(n, len(cov))) @ np.linalg.cholesky(cov).T
    draws[n // 4 :] *= 0.01
    return draws, -draws @ np.linalg.inv(cov)


def left_over(cov: F8, found: F8) -> float:
    """Return the ratio of the longest to the shortest sd that a metric leaves of a normal law."""
    root = np.linalg.cholesky(found)
    variances = np.linalg.eigvalsh(np.linalg.solve(root, np.linalg.solve(root, cov).T))
    return float(np.sqrt(variances[-1] / variances[0]))


@pytest.mark.parametrize("dim", [2, 5, 10])
def test_few_dimensions_give_the_covariance_but_for_what_is_not_worth_a_direction(dim: int) -> None:
    cov = slanted(dim, [30.0, 0.05])
    found = inv_mass(*fitted(*normal(cov, 400)))
    assert left_over(cov, found) < 2.0


SLANTS = [(60, 160, 6.0), (60, 1600, 2.5), (200, 600, 4.0)]  # a quarter of the draws counts


@pytest.mark.parametrize(("dim", "n", "most"), SLANTS)
def test_directions_that_lie_along_no_axis_are_found(dim: int, n: int, most: float) -> None:
    sds = np.exp(RNG.normal(size=dim))
    cov = sds[:, None] * slanted(dim, [40.0, 20.0, 0.03]) * sds
    scale, stretch, directions = fitted(*normal(cov, n))
    diagonal = np.sqrt(np.diag(cov) / np.diag(np.linalg.inv(cov)))
    assert left_over(cov, np.diag(diagonal)) > 20.0
    assert left_over(cov, inv_mass(scale, stretch, directions)) < most
    assert directions @ directions.T == pytest.approx(np.eye(len(directions)), abs=1e-12)
    assert len(directions) <= MAX_RANK


def test_a_law_that_scales_can_mend_gets_no_directions() -> None:
    sds = np.exp(RNG.normal(size=50))
    scale, stretch, _ = fitted(*normal(np.diag(sds**2), 30))
    assert scale == pytest.approx(sds)
    assert stretch.size == 0


def test_there_are_ten_directions_at_most() -> None:
    cov = slanted(40, [20.0] * 6 + [0.1] * 6 + [1.1])
    _, stretch, _ = fitted(*normal(cov, 500))
    assert stretch.size == MAX_RANK
    assert abs(np.log1p(stretch)).min() > 0.5 * np.log(2.0)


def test_coordinates_that_stand_still_do_no_harm() -> None:
    cov = slanted(30, [9.0])
    draws, scores = normal(cov, 1600)
    rest = np.delete(np.arange(30), [2, 4])
    expected = inv_mass(*fitted(draws, scores))[np.ix_(rest, rest)]
    draws[:, 2], scores[:, 4] = 7.0, 0.0
    found = inv_mass(*fitted(draws, scores))
    assert np.isfinite(found).all()
    assert left_over(expected, found[np.ix_(rest, rest)]) < 2.0


@pytest.mark.parametrize("dim", [6, 30])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_numbers_that_make_no_sense_make_no_directions(dim: int, bad: float) -> None:
    draws, scores = normal(slanted(dim, [9.0]), 100)
    scores[3, 5] = draws[3, 5] = bad
    scale, stretch, _ = fitted(draws, scores)
    assert scale[5] == 1.0
    assert (scale > 0.0).all()
    assert np.isfinite(scale).all()
    assert stretch.size == 0


def test_draws_that_left_the_window_do_not_count() -> None:
    draws, scores = normal(slanted(30, [9.0]), 50)
    for one, other in zip(fitted(draws, scores), fitted(draws, scores, dropped=7), strict=True):
        assert np.array_equal(one, other)


def window(dim: int, tune: int) -> tuple[I8, F8]:
    """Return slots and vectors of a chain that has kept nothing; draws have two elements."""
    ints = np.zeros(N_INTS, np.int64)
    ints[DIM], ints[TUNE] = dim, tune
    return ints, np.zeros((100, 2))


def take(ints: I8, vector: F8, draws: int, teaches: bool = True) -> None:
    for _ in range(draws):
        vector[0], vector[1] = ints[DRAW], -ints[DRAW]
        REMEMBER(ints, vector, teaches)
        ints[DRAW] += 1


def test_the_window_grows_by_what_teaches_and_closes_up_when_a_draw_is_over() -> None:
    ints, vector = window(2, 100)
    take(ints, vector, 6)
    take(ints, vector, 2, teaches=False)
    take(ints, vector, 1)
    kept = [0, 1, 2, 3, 4, 5, 8]
    assert (ints[N_FRONT], ints[N_BACK]) == (7, 7)
    assert vector[HISTORY : HISTORY + 14, 0].tolist() == [s * d for d in kept for s in (1, -1)]

    ints[DROPPED], ints[N_FRONT], ints[N_BACK] = 4, 3, 0
    take(ints, vector, 1)
    kept = [4, 5, 8, 9]
    assert (ints[N_FRONT], ints[N_BACK], ints[DROPPED]) == (4, 1, 0)
    assert vector[HISTORY : HISTORY + 8, 0].tolist() == [s * d for d in kept for s in (1, -1)]


@pytest.mark.parametrize(("dim", "tune"), [(100, 2000), (10_000, 500), (10**6, 1000)])
def test_the_window_of_a_whole_warmup_fits_into_64_mib(dim: int, tune: int) -> None:
    ints, vector = window(dim, tune)
    take(ints, vector, 40)
    every = int(STRIDE(ints))
    assert ints[N_FRONT] == len(range(0, 40, every))
    assert 16 * dim * (tune // every) <= 2**26
    assert every == 1 or 16 * dim * (tune // (every - 1)) > 2**26 - 16 * dim
