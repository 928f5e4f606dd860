"""References of the distributions over a fixed set of whole numbers."""

from typing import Any

import numpy as np
from scipy import special, stats

from exmc_dask.dist import Categorical, DiscreteUniform, OrderedLogistic, OrderedProbit
from tests.exmc_dask.references.case import Case, scipy_case
from tests.exmc_dask.references.exact import Real, exact, exact_case, mp

SHARES = np.array([0.2, 0.05, 0.45, 0.3])
SCORES = np.array([-800.0, 0.3, 40.0, 2.0])
CUTS = np.array([-1.0, 0.4, 2.0])
EVERY = np.arange(4.0)


def _law(shares: Any) -> Any:
    return stats.rv_discrete(values=(np.arange(len(shares)), shares))


def _ordered(cdf: Any) -> Any:
    """Difference of the cdf at the ends of the interval of a category, at the nearer tail."""

    def logp(x: Real, eta: Real, cutpoints: list[Real], sigma: Real = 1) -> Real:
        ends = [-mp.inf, *cutpoints, mp.inf]
        a, b = ((ends[int(x) + i] - eta) / sigma for i in (0, 1))
        return mp.log(cdf(-a) - cdf(-b) if a > 0 else cdf(b) - cdf(a))

    return logp


def _logistic(x: Real) -> Real:
    return 1 / (1 + mp.exp(-x)) if mp.isfinite(x) else mp.mpf(x > 0)


_ordered_logistic, _ordered_probit = _ordered(_logistic), _ordered(mp.ncdf)


def _shares(cdf: Any, eta: float, sigma: float = 1.0) -> Any:
    return np.diff(cdf((np.array([-np.inf, *CUTS, np.inf]) - eta) / sigma))


CASES: dict[str, Case] = {
    "DiscreteUniform": scipy_case(
        DiscreteUniform, {"lower": -2.0, "upper": 5.0}, np.array([-2.0, 0.0, 5.0]),
        stats.randint(-2, 6), outside=6.0,
    ),
    "DiscreteUniform, of one": scipy_case(
        DiscreteUniform, {"lower": 3.0, "upper": 3.0}, np.array([3.0]), stats.randint(3, 4),
        outside=2.0,
    ),
    "Categorical": Case(
        Categorical.dist, {"p": SHARES}, EVERY, lambda x: np.log(SHARES)[x.astype(int)],
        _law(SHARES), outside=4.0,
    ),
    "Categorical, logit": Case(
        Categorical.dist, {"logit_p": SCORES}, EVERY,
        lambda x: special.log_softmax(SCORES)[x.astype(int)], _law(special.softmax(SCORES)),
        outside=1.5,
    ),
    "OrderedLogistic": exact_case(
        OrderedLogistic, {"eta": 0.7, "cutpoints": CUTS}, EVERY, _ordered_logistic,
        law=_law(_shares(special.expit, 0.7)), outside=4.0,
    ),
    "OrderedLogistic, far to the right": exact_case(
        OrderedLogistic, {"eta": 800.0, "cutpoints": CUTS}, EVERY, _ordered_logistic, outside=-1.0
    ),
    "OrderedLogistic, far to the left": exact_case(
        OrderedLogistic, {"eta": -800.0, "cutpoints": CUTS}, EVERY, _ordered_logistic, outside=0.5
    ),
    "OrderedLogistic, far and near cutpoints": exact_case(
        OrderedLogistic, {"eta": 0.7, "cutpoints": np.array([-900.0, 1.0, 1.0 + 1e-9, 700.0])},
        np.arange(5.0), _ordered_logistic, outside=5.0,
    ),
    "OrderedLogistic, of two": Case(
        lambda eta: OrderedLogistic.dist(eta, np.array([0.2])), {"eta": 0.7}, EVERY[:2],
        exact(lambda x: _ordered_logistic(x, mp.mpf(0.7), [mp.mpf(0.2)])), outside=2.0,
    ),
    "OrderedProbit": exact_case(
        OrderedProbit, {"eta": 0.7, "cutpoints": CUTS, "sigma": 1.5}, EVERY, _ordered_probit,
        law=_law(_shares(special.ndtr, 0.7, 1.5)), outside=4.0,
    ),
    "OrderedProbit, far cutpoints": exact_case(
        OrderedProbit, {"eta": 0.7, "cutpoints": np.array([-60.0, 1.0, 50.0]), "sigma": 1.0},
        EVERY, _ordered_probit, outside=4.0,
    ),
    "OrderedProbit, far to the right": exact_case(
        OrderedProbit, {"eta": 50.0, "cutpoints": CUTS, "sigma": 1.0}, EVERY, _ordered_probit,
        outside=-1.0,
    ),
    "OrderedProbit, far to the left": exact_case(
        OrderedProbit, {"eta": -50.0, "cutpoints": CUTS, "sigma": 1.0}, EVERY, _ordered_probit,
        outside=0.5,
    ),
}  # fmt: skip
