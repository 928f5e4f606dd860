"""Matrix operations give what NumPy gives, in stretches too."""

import numpy as np
import pytest

from exmc_dask.expressions import matrices

RNG = np.random.default_rng(3)
CASES = {
    "one column": (RNG.normal(size=(50, 1)),),
    "blocks": (RNG.normal(size=(300, 20)), RNG.normal(size=(300, 3)).astype(np.float32)),
    "whole numbers": (RNG.integers(-3, 4, size=(40, 5)),),
    "fewer rows than columns": (RNG.normal(size=(3, 7)),),
    "no rows": (np.zeros((0, 4)),),
    "a column twice": (np.repeat(RNG.normal(size=(200, 2)), 2, axis=1),),
    "badly scaled": (RNG.normal(size=(900, 6)) * 10.0 ** np.arange(-12, 12, 4),),
}


@pytest.mark.parametrize("small", [0, 2**17], ids=["stretches", "at_once"])
@pytest.mark.parametrize("blocks", CASES.values(), ids=CASES)
def test_a_triangle_keeps_every_norm(
    monkeypatch: pytest.MonkeyPatch, blocks: tuple[np.ndarray, ...], small: int
) -> None:
    monkeypatch.setattr(matrices, "_SMALL", small)
    found = matrices.triangle(*blocks)

    whole = np.concatenate(blocks, axis=1, dtype=np.float64)
    scale = np.linalg.norm(whole, axis=0) + np.finfo(float).tiny
    gram = (whole / scale).T @ (whole / scale)
    np.testing.assert_allclose((found / scale).T @ (found / scale), gram, atol=1e-13)
    np.testing.assert_array_equal(np.tril(found, -1), 0.0)
    assert (np.diagonal(found) >= 0.0).all()


def test_a_large_matrix_takes_little_memory() -> None:
    import tracemalloc

    matrices.triangle(RNG.normal(size=(4000, 40)))  # imports
    large = np.ones((100_000, 40), np.float32)
    tracemalloc.start()
    matrices.triangle(large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6
