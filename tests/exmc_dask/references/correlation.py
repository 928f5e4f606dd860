"""References of the distributions of correlations and covariances, by way of the matrices."""

import numpy as np
from scipy import special, stats

from exmc_dask.dist import Exponential, LKJCholeskyCov, LKJCorr, LogNormal
from tests.exmc_dask.references.case import Case

ETA, N = 1.7, 3
CORRELATIONS = np.array([
    np.eye(3),
    [[1.0, 0.4, -0.3], [0.4, 1.0, 0.2], [-0.3, 0.2, 1.0]],
    [[1.0, 0.99, 0.5], [0.99, 1.0, 0.4], [0.5, 0.4, 1.0]],
])  # fmt: skip
FACTORS = np.linalg.cholesky(CORRELATIONS)
DEVIATIONS = np.array([[1.0, 1.0, 1.0], [0.3, 2.0, 5.0], [4.0, 0.01, 1.0]])
PACKED = (DEVIATIONS[..., None] * FACTORS)[:, *np.tril_indices(3)]


def lkj(correlations: np.ndarray, eta: float) -> np.ndarray:
    """Log-density of correlation matrices; LKJ (2009), eq. 16 and 17, as they stand."""
    n = correlations.shape[-1]
    k = np.arange(1, n)
    half = eta + (n - k - 1) / 2
    powers = ((2 * eta - 2 + n - k) * (n - k)).sum() * np.log(2)
    constant = powers + ((n - k) * special.betaln(half, half)).sum()
    return np.asarray((eta - 1) * np.linalg.slogdet(correlations).logabsdet - constant)


def factors(chol: np.ndarray) -> np.ndarray:
    """Log-density of Cholesky factors of correlations, from that of what they are factors of."""
    power = np.arange(chol.shape[-1])[::-1]
    diagonal = np.diagonal(chol, 0, -2, -1)
    return lkj(chol @ chol.swapaxes(-1, -2), ETA) + (power * np.log(diagonal)).sum(axis=-1)


def covariances(packed: np.ndarray, law: object) -> np.ndarray:
    """Log-density of packed factors, from that of deviations and correlations.

    ``dC = prod(2 L[i, i]**(n - i)) dL`` and ``dC = prod(2 s[i]**n) ds dR``.
    """
    chol = np.zeros((len(packed), N, N))
    chol[:, *np.tril_indices(N)] = packed
    deviations = np.linalg.norm(chol, axis=-1)
    rows = chol / deviations[..., None]
    power = np.arange(N, 0, -1)
    volume = power * np.log(np.diagonal(chol, 0, 1, 2)) - N * np.log(deviations)
    spread = law.logpdf(deviations)  # type: ignore[attr-defined]
    return lkj(rows @ rows.swapaxes(1, 2), ETA) + (spread + volume).sum(axis=-1)


CASES: dict[str, Case] = {
    "LKJCorr": Case(
        lambda eta: LKJCorr.dist(N, eta), {"eta": ETA}, FACTORS, factors,
        outside=2.0 * np.eye(3), element=((2, 0), stats.beta(ETA + 0.5, ETA + 0.5, -1, 2)),
    ),
    "LKJCorr of two": Case(
        lambda eta: LKJCorr.dist(2, eta), {"eta": ETA}, FACTORS[:, :2, :2], factors,
        outside=np.array([[1.0, 0.6], [0.0, 0.8]]),
        element=((1, 0), stats.beta(ETA, ETA, -1, 2)),
    ),
    "LKJCholeskyCov": Case(
        lambda eta, lam: LKJCholeskyCov.dist(eta, N, Exponential.dist(lam)),
        {"eta": ETA, "lam": 0.5}, PACKED, lambda x: covariances(x, stats.expon(0, 2)),
        outside=np.array([1.0, 0.2, -1.0, 0.3, 0.1, 2.0]), inner=PACKED[:2],
        element=(0, stats.expon(0, 2)),
    ),
    "LKJCholeskyCov, a deviation each": Case(
        lambda eta, mu: LKJCholeskyCov.dist(eta, N, LogNormal.dist(mu, 0.5)),
        {"eta": ETA, "mu": np.array([0.0, 1.0, -1.0])}, PACKED,
        lambda x: covariances(x, stats.lognorm(0.5, 0, np.exp([0.0, 1.0, -1.0]))),
        inner=PACKED[:2], element=(0, stats.lognorm(0.5)),
    ),
}  # fmt: skip
