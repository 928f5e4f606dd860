"""Whether two samplers draw from one law, by means and shares of draws over many chains."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

LIMIT = 5.0  # standard errors; there are some 1300 differences
_QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Apart:
    """The largest difference between two runs of a model, in standard errors, and of what."""

    model: str
    chains: int
    draws: int
    compared: int
    largest: float
    of: str

    @property
    def holds(self) -> bool:
        return abs(self.largest) <= LIMIT


def apart(model: str, one: Any, other: Any) -> Apart:
    """Compare two traces of a model.

    The standard error is that between chains, so that draws need not be independent; draws
    beyond a quantile are counted rather than squared, so that no moment has to exist.
    """
    worst, of, compared = 0.0, "", 0
    for name in one.posterior.data_vars:
        a, b = (_rows(trace.posterior[name].values) for trace in (one, other))
        both = np.concatenate([a.reshape(-1, a.shape[2]), b.reshape(-1, b.shape[2])])
        figures = {"mean": (a, b)}
        for share in _QUANTILES:
            limit = np.quantile(both, share, axis=0)
            figures[f"{share:.0%} quantile"] = (a < limit, b < limit)
        for what, (x, y) in figures.items():
            z = _z(x.mean(axis=1), y.mean(axis=1))
            at = int(np.abs(z).argmax())
            compared += z.size
            if not abs(z[at]) <= abs(worst):
                worst, of = float(z[at]), f"{what} of {name}[{at}]"
    sizes = one.posterior.sizes
    return Apart(model, sizes["chain"], sizes["draw"], compared, worst, of)


def _rows(values: np.ndarray) -> np.ndarray:
    """Return (chains, draws, elements)."""
    return values.reshape(*values.shape[:2], -1)


def _z(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the differences of means over chains, on the scale of a standard normal law.

    Few chains say little of their standard errors: Student's law knows how little.
    """
    error = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    difference: np.ndarray = a.mean(axis=0) - b.mean(axis=0)
    t = np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)
    tail = stats.t.sf(np.abs(t), len(a) + len(b) - 2)
    found: np.ndarray = np.sign(t) * stats.norm.isf(np.minimum(tail, 0.5))
    return found
