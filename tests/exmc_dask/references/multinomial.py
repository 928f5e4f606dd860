"""References of the distributions of counts that sum to a total."""

import numpy as np
from scipy import stats

from exmc_dask.dist import DirichletMultinomial, Multinomial
from tests.exmc_dask.references.case import Case

P = np.array([0.2, 0.5, 0.3])
A = np.array([0.7, 2.0, 40.0])
COUNTS = np.array([[2.0, 4.0, 3.0], [0.0, 0.0, 9.0], [9.0, 0.0, 0.0]])

CASES: dict[str, Case] = {
    "Multinomial": Case(
        Multinomial.dist, {"n": 9.0, "p": P}, COUNTS, stats.multinomial(9, P).logpmf,
        outside=np.array([2.0, 4.0, 2.0]), element=(1, stats.binom(9, 0.5)),
    ),
    "Multinomial, half a count": Case(
        Multinomial.dist, {"n": 9.0, "p": P}, COUNTS, stats.multinomial(9, P).logpmf,
        outside=np.array([2.5, 4.5, 2.0]),
    ),
    "DirichletMultinomial": Case(
        DirichletMultinomial.dist, {"n": 9.0, "a": A}, COUNTS,
        stats.dirichlet_multinomial(A, 9).logpmf,
        outside=np.array([-1.0, 8.0, 2.0]), element=(1, stats.betabinom(9, 2.0, 40.7)),
    ),
}  # fmt: skip
