"""How far a sample is from the exact law of its target, in standard errors.

Every check is the mean of a function of the draws against its exact expectation, so one estimate
of the Monte-Carlo error serves all: the mean itself, the square about the exact mean (hence the
standard deviation), products of pairs, and indicators of exact quantiles.
"""

import numpy as np
import numpy.typing as npt

from tests.kernels.targets import ScaleMixture, Target

F8 = npt.NDArray[np.float64]
LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)

#: Five standard errors: with a few hundred checks a suite of right samplers fails once in 10^4.
LIMIT = 5.0


def effective_size(x: F8) -> float:
    """Return Geyer's initial monotone estimate for draws of shape (chains, n).

    The chains are centred on their common mean, so chains in different places lower the size.
    """
    n = x.shape[1]
    y = x - x.mean()
    f = np.fft.rfft(y, 2 * n, axis=1)
    acov = np.fft.irfft(f * f.conj(), axis=1)[:, :n].mean(axis=0) / n
    if acov[0] == 0.0:
        return float(x.size)
    rho = acov / acov[0]
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(axis=1)  # rho_2k + rho_2k+1, positive in theory
    stop = int(np.argmax(pairs <= 0.0)) if (pairs <= 0.0).any() else pairs.size
    tau = 2.0 * np.minimum.accumulate(pairs[:stop]).sum() - 1.0
    return float(x.size / max(tau, 1.0 / np.log10(x.size)))


def z_score(x: F8, expected: float) -> float:
    """Return (mean - expected) in standard errors, for draws of shape (chains, n)."""
    difference = float(x.mean()) - expected
    scale = float(x.std())
    if scale == 0.0:
        return 0.0 if difference == 0.0 else float("inf")
    return difference / scale * float(np.sqrt(effective_size(x)))


def z_scores(values: F8, target: Target) -> dict[str, float]:
    """Return every check of draws (chains, n, n_out) against the target's exact law."""
    found: dict[str, float] = {}
    for i, law in enumerate(target.marginals):
        x, mean = values[:, :, i], float(law.mean())
        if not isinstance(law, ScaleMixture):  # whose square has no useful standard error
            found[f"mean[{i}]"] = z_score(x, mean)
            found[f"sd[{i}]"] = z_score((x - mean) ** 2, float(law.var()))
        for level in LEVELS:
            found[f"q{level}[{i}]"] = z_score((x <= law.ppf(level)).astype(float), level)
    if target.covariance is not None:
        centred = values - [float(law.mean()) for law in target.marginals]
        for i in range(1, target.n_out):
            product = centred[:, :, i - 1] * centred[:, :, i]
            found[f"cov[{i - 1},{i}]"] = z_score(product, float(target.covariance[i - 1, i]))
    return found


def worst(values: F8, target: Target) -> tuple[str, float]:
    """Return the check that is furthest out, and its z-score."""
    found = z_scores(values, target)
    name = max(found, key=lambda key: abs(found[key]))
    return name, found[name]
