"""A look at a model before it is sampled: a finite start, a right gradient, the price of one."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exmc_dask import kernels
from exmc_dask.errors import BadStart
from exmc_dask.language.model import ModelSpec
from exmc_dask.lowering.density import lower
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start

N_POINTS = 3  # at which the gradient is compared
N_COORDINATES = 100  # of each point, at most, spread evenly
MAX_ERROR = 1e-5  # above: the gradient is wrong, or the density has a kink there
TIMED_S = 0.05


@dataclass(frozen=True)
class Preflight:
    """What was seen.

    Attributes
    ----------
    dim : int
        Unconstrained parameters.
    data_bytes : int
        Size of the data that the kernel reads.
    logp : float
        At the first start, or at the support point when there is no start.
    compile_s, gradient_s : float
        Time to make the kernel ready (short when cached) and of one gradient.
    worst : str
        Variable whose derivative is furthest from finite differences.
    worst_error : float
        By how much: |difference| / max(1, |derivative|).
    troubles : tuple of str
        What will keep the model from being sampled, and what to do; empty when nothing will.
    """

    dim: int
    data_bytes: int
    logp: float
    compile_s: float
    gradient_s: float
    worst: str
    worst_error: float
    troubles: tuple[str, ...]

    def __str__(self) -> str:
        rows = {
            "parameters": str(self.dim),
            "data": f"{self.data_bytes / 1e6:.3g} MB",
            "start": f"log-density {self.logp:.6g}",
            "gradient": f"{self.gradient_s * 1e6:.3g} us each",
            "compiled in": f"{self.compile_s:.2f} s",
        }
        if self.worst:
            rows["gradient error"] = f"{self.worst_error:.1e}, at {self.worst}"
        lines = [f"{name:16}{value}" for name, value in rows.items()]
        return "\n".join([*lines, *(f"trouble: {trouble}" for trouble in self.troubles)])


def preflight(spec: ModelSpec, data: Mapping[str, np.ndarray], target: str = "cpu") -> Preflight:
    """Compile a model and look at it where chains would start.

    Parameters
    ----------
    spec : ModelSpec
    data : slot name -> array
    target : {"cpu"}

    Returns
    -------
    Preflight
        Troubles are reported in it, not raised; whatever is wrong with the declaration itself
        raises as it does in ``sample``.
    """
    density = lower(spec)
    slots = density.fold(data)
    began = time.perf_counter()
    kernel = kernels.compile(density, target)
    bound = kernel.bind(slots)
    compile_s = time.perf_counter() - began
    settings = Settings(seed=1)
    support_point = density.support_point(data)
    troubles: list[str] = []
    points = []
    for chain in range(N_POINTS):
        try:
            state = start(kernel, bound, settings, chain, support_point)
        except BadStart as error:
            names = ", ".join(map(repr, density.broken_terms(error.q, slots)))
            troubles.append(f"{error}; not finite there: {names or 'the gradient'}")
            break
        points.append(state.q.copy())
    point = _Point(kernel, bound)
    labels = density.variables.labels
    worst, worst_error = "", 0.0
    for q in points:
        coordinates = np.unique(np.linspace(0, kernel.dim - 1, N_COORDINATES).astype(int))
        for i, off in zip(coordinates, point.errors(q, coordinates), strict=True):
            if not off <= worst_error:
                worst, worst_error = labels[i], float(off)
    if not worst_error <= MAX_ERROR:
        troubles.append(
            f"the gradient of {worst} differs from finite differences by {worst_error:.1e}: the "
            "log-density has a kink or a jump there; smooth it (softplus for maximum, sigmoid for "
            "a step) or split the model at it"
        )
    return Preflight(
        dim=kernel.dim,
        data_bytes=sum(array.nbytes for array in (bound.data, bound.data32, bound.index)),
        logp=point.logp(points[0] if points else support_point),
        compile_s=compile_s,
        gradient_s=point.seconds(points[0] if points else support_point),
        worst=worst,
        worst_error=worst_error,
        troubles=tuple(troubles),
    )


class _Point:
    """The log-density of one run's data as a plain function."""

    def __init__(self, kernel: Any, bound: Any) -> None:
        self._kernel = kernel
        self._rest = (bound.data, bound.data32, bound.index, np.empty(bound.work_size))
        self._grad = np.empty(kernel.dim)

    def logp(self, q: np.ndarray) -> float:
        return float(self._kernel.logp_grad(q, self._grad, *self._rest))

    def errors(self, q: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        """Compare derivatives with central differences of fourth order."""
        self.logp(q)
        grad = self._grad[coordinates]
        found = np.empty(len(coordinates))
        for k, i in enumerate(coordinates):
            step = 1e-3 * max(1.0, abs(q[i]))
            values = []
            for shift in (-2, -1, 1, 2):
                moved = q.copy()
                moved[i] += shift * step
                values.append(self.logp(moved))
            far_left, left, right, far_right = values
            found[k] = (8 * (right - left) - (far_right - far_left)) / (12 * step)
        return np.asarray(np.abs(found - grad) / np.maximum(1.0, np.abs(grad)))

    def seconds(self, q: np.ndarray) -> float:
        """Time one gradient, as the fastest of several batches."""
        began, n = time.perf_counter(), 0
        best = np.inf
        while time.perf_counter() - began < TIMED_S or n < 3:
            batch = time.perf_counter()
            for _ in range(10):
                self.logp(q)
            best = min(best, (time.perf_counter() - batch) / 10)
            n += 1
        return best
