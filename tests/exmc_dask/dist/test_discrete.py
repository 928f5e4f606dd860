"""What holds for distributions of whole numbers, beside the table of references."""

from typing import Any

import numpy as np
import pytest

from exmc_dask.dist import Bernoulli, Binomial, logp
from tests.exmc_dask.slopes import leaf, numbers, slopes


@pytest.mark.parametrize(("p", "x"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize("make", [Bernoulli.dist, lambda p: Binomial.dist(1, p)])
def test_certain_outcomes(make: Any, p: float, x: float) -> None:
    leaves = {leaf("p", p): p, leaf("x", x): x}
    node = logp(make(leaf("p", p)), leaf("x", x))

    assert numbers(node, leaves) == (pytest.approx(0.0, abs=1e-15) if p == x else -np.inf)
    assert all(np.isfinite(slope).all() for slope in slopes(node, {leaf("p", p): p}, leaves))
