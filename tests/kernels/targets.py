"""Analytic targets with the kernel ABI, so that the sampler is tested without the compiler.

Each log-density is written by hand; its constants travel in ``data`` and ``index`` as those of a
compiled model do. ``Target`` has what the sampler asks of a kernel, and the exact marginals.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from scipy import integrate, stats

F8 = npt.NDArray[np.float64]
F4 = npt.NDArray[np.float32]
I8 = npt.NDArray[np.int64]

_f8s, _f4s, _i8s = types.float64[::1], types.float32[::1], types.int64[::1]
_abi = (_f8s, _f8s, _f8s, _f4s, _i8s, _f8s)
LOGP_GRAD = types.float64(*_abi)
EXPAND = types.void(*_abi)


def log_density(function: Callable[..., float]) -> Any:
    """Compile a log-density that writes its gradient."""
    return njit(LOGP_GRAD, nogil=True, error_model="numpy", cache=True)(function)


def outputs(function: Callable[..., None]) -> Any:
    """Compile the map from a position to the values that are kept."""
    return njit(EXPAND, nogil=True, error_model="numpy", cache=True)(function)


@dataclass(frozen=True)
class Bound:
    """The data of one run as the kernel reads it."""

    data: F8
    data32: F4
    index: I8
    work_size: int
    n_out: int


@dataclass(frozen=True)
class Target:
    """A hand-written kernel with its data and the exact law of every output."""

    key: str
    dim: int
    logp_grad: Any
    expand: Any
    marginals: tuple[Any, ...]  # one frozen scipy.stats distribution per output
    data: F8
    index: I8 = field(default_factory=lambda: np.zeros(0, np.int64))
    covariance: F8 | None = None  # of the outputs, where a gate should look at it
    work_size: int = 0
    target: str = "cpu"
    source: str = ""

    def __str__(self) -> str:
        return self.key

    @property
    def n_out(self) -> int:
        return len(self.marginals)

    @property
    def bound(self) -> Bound:
        return self.bind({})

    def bind(self, data: Mapping[str, npt.NDArray[Any]]) -> Bound:
        assert not data
        return Bound(self.data, np.zeros(0, np.float32), self.index, self.work_size, self.n_out)

    def python(self) -> Callable[[F8], tuple[float, F8]]:
        """Return the same log-density as the interpreter runs it, for the twin."""
        bound, work = self.bound, np.zeros(self.work_size)

        def logp_grad(q: F8) -> tuple[float, F8]:
            grad = np.zeros(self.dim)
            rest = (bound.data, bound.data32, bound.index, work)
            with np.errstate(all="ignore"):
                logp = self.logp_grad.py_func(q, grad, *rest)
            return float(logp), grad

        return logp_grad


@outputs
def same(q: F8, out: F8, data: F8, data32: F4, index: I8, work: F8) -> None:
    for i in range(q.size):
        out[i] = q[i]


@outputs
def exponential(q: F8, out: F8, data: F8, data32: F4, index: I8, work: F8) -> None:
    for i in range(q.size):
        out[i] = np.exp(q[i])


@log_density
def gaussian_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # data: mean (d), precision (d, d)
    d = q.size
    total = 0.0
    for i in range(d):
        g = 0.0
        for j in range(d):
            g -= data[d + i * d + j] * (q[j] - data[j])
        grad[i] = g
        total += 0.5 * g * (q[i] - data[i])
    return total


def gaussian(key: str, mean: F8, cov: F8) -> Target:
    marginals = tuple(stats.norm(m, s) for m, s in zip(mean, np.sqrt(np.diag(cov)), strict=True))
    data = np.concatenate([mean, np.linalg.inv(cov).ravel()])
    return Target(key, mean.size, gaussian_logp, same, marginals, data, covariance=cov)


@log_density
def student_t_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # data: nu
    nu = data[0]
    total = 0.0
    for i in range(q.size):
        grad[i] = -(nu + 1.0) * q[i] / (nu + q[i] * q[i])
        total -= 0.5 * (nu + 1.0) * np.log1p(q[i] * q[i] / nu)
    return total


@log_density
def log_gamma_power_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # x = exp(q) with density x^(a-1) exp(-b x^c); data: a, b, c
    x = data[1] * np.exp(data[2] * q[0])
    grad[0] = data[0] - data[2] * x
    return float(data[0] * q[0] - x)


def positive(key: str, a: float, b: float, c: float, marginal: Any) -> Target:
    return Target(key, 1, log_gamma_power_logp, exponential, (marginal,), np.array([a, b, c]))


@log_density
def stick_breaking_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # data: alpha (K); the fractions of the stick are independent Beta variables
    later = 0.0
    for k in range(q.size + 1):
        later += data[k]
    total = 0.0
    for k in range(q.size):
        later -= data[k]
        z = 1.0 / (1.0 + np.exp(-q[k]))
        log_z = -np.log1p(np.exp(-q[k])) if q[k] > 0.0 else q[k] - np.log1p(np.exp(q[k]))
        total += data[k] * log_z + later * (log_z - q[k])
        grad[k] = data[k] * (1.0 - z) - later * z
    return total


@outputs
def stick_breaking(q: F8, out: F8, data: F8, data32: F4, index: I8, work: F8) -> None:
    rest = 1.0
    for k in range(q.size):
        out[k] = rest / (1.0 + np.exp(-q[k]))
        rest -= out[k]
    out[q.size] = rest


def dirichlet(key: str, alpha: F8) -> Target:
    marginals = tuple(stats.beta(a, alpha.sum() - a) for a in alpha)
    return Target(key, alpha.size - 1, stick_breaking_logp, stick_breaking, marginals, alpha)


@log_density
def funnel_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # non-centred: data holds the scale of q[0]; the others are standard normal
    grad[0] = -q[0] / (data[0] * data[0])
    total = 0.5 * q[0] * grad[0]
    for i in range(1, q.size):
        grad[i] = -q[i]
        total -= 0.5 * q[i] * q[i]
    return float(total)


@outputs
def funnel(q: F8, out: F8, data: F8, data32: F4, index: I8, work: F8) -> None:
    out[0] = q[0]
    for i in range(1, q.size):
        out[i] = np.exp(0.5 * q[0]) * q[i]


class ScaleMixture(stats.rv_continuous):  # type: ignore[misc]
    """The law of exp(v/2) z with v ~ N(0, scale) and z ~ N(0, 1)."""

    def __init__(self, scale: float) -> None:
        super().__init__(name="funnel_x")
        self.scale = scale

    def _cdf(self, x: Any) -> Any:
        v = np.linspace(-9.0 * self.scale, 9.0 * self.scale, 2001)
        density = stats.norm.pdf(v, 0.0, self.scale)
        inner = stats.norm.cdf(np.multiply.outer(np.asarray(x), np.exp(-0.5 * v)))
        return integrate.simpson(inner * density, x=v)

    def _stats(self) -> tuple[float, float, float, float]:
        return 0.0, math.exp(0.5 * self.scale**2), 0.0, math.nan


@log_density
def banana_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # x ~ N(0, 1), y | x ~ N(x^2 + x, data[0]): curved, skewed and correlated
    s2 = data[0] * data[0]
    r = q[1] - q[0] * q[0] - q[0]
    grad[0] = -q[0] + r * (2.0 * q[0] + 1.0) / s2
    grad[1] = -r / s2
    return float(-0.5 * (q[0] * q[0] + r * r / s2))


class Banana(stats.rv_continuous):  # type: ignore[misc]
    """The law of x^2 + x + scale e with independent standard normal x and e."""

    def __init__(self, scale: float) -> None:
        super().__init__(name="banana_y")
        self.scale = scale

    def _cdf(self, y: Any) -> Any:
        x = np.linspace(-9.0, 9.0, 4001)
        inner = stats.norm.cdf(np.subtract.outer(np.asarray(y), x * x + x) / self.scale)
        return integrate.simpson(inner * stats.norm.pdf(x), x=x)

    def _stats(self) -> tuple[float, float, float, float]:
        return 1.0, 3.0 + self.scale**2, math.nan, math.nan


@log_density
def wall_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # standard normal up to data[0]; beyond it what data[1] and data[2] say
    inside = q[0] < data[0]
    grad[0] = -q[0] if inside else data[2]
    return float(-0.5 * q[0] * q[0] if inside else data[1])


def wall(key: str, logp: float, grad: float) -> Target:
    marginal = stats.truncnorm(-np.inf, 0.8)
    return Target(key, 1, wall_logp, same, (marginal,), np.array([0.8, logp, grad]))


@log_density
def regression_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # y ~ N(X b, sigma), b ~ N(0, tau); index: n; data: sigma, tau, y (n), X (n, d)
    n, d = index[0], q.size
    tau2 = data[1] * data[1]
    total = 0.0
    for j in range(d):
        grad[j] = -q[j] / tau2
        total += 0.5 * q[j] * grad[j]
    for i in range(n):
        row = 2 + n + i * d
        r = data[2 + i]
        for j in range(d):
            r -= data[row + j] * q[j]
        r /= data[0]
        total -= 0.5 * r * r
        for j in range(d):
            grad[j] += r * data[row + j] / data[0]
    return total


def regression(n: int = 200, d: int = 4, sigma: float = 0.7, tau: float = 30.0) -> Target:
    rng = np.random.default_rng(20260807)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    y = X @ rng.normal(0.0, 3.0, d) + sigma * rng.normal(size=n)
    cov = np.linalg.inv(X.T @ X / sigma**2 + np.eye(d) / tau**2)
    mean = cov @ X.T @ y / sigma**2
    marginals = tuple(stats.norm(m, s) for m, s in zip(mean, np.sqrt(np.diag(cov)), strict=True))
    data = np.concatenate([[sigma, tau], y, X.ravel()])
    index = np.array([n], np.int64)
    return Target("regression", d, regression_logp, same, marginals, data, index, cov)


def _equicorrelated(d: int, rho: float) -> F8:
    return (1.0 - rho) * np.eye(d) + rho * np.ones((d, d))


def _random_covariance(d: int) -> F8:
    A = np.random.default_rng(11).normal(size=(d, d + 2))
    return A @ A.T / d


def _slanted_covariance(d: int, sds: tuple[float, ...]) -> F8:
    """Return a covariance of unit sd, but for a few directions that lie along no axis."""
    axes = np.linalg.qr(np.random.default_rng(12).normal(size=(d, len(sds))))[0]
    return np.eye(d) + axes @ np.diag(np.square(sds) - 1.0) @ axes.T


NORMAL = gaussian("normal", np.zeros(1), np.eye(1))
RHO_90 = gaussian("rho_90", np.zeros(3), _equicorrelated(3, 0.90))
RHO_99 = gaussian("rho_99", np.zeros(3), _equicorrelated(3, 0.99))
AR_90 = gaussian("ar_90", np.zeros(10), 0.9 ** np.abs(np.subtract.outer(range(10), range(10))))
SLANTED = gaussian("slanted", np.zeros(24), _slanted_covariance(24, (20.0, 8.0, 0.1)))
MV_NORMAL = gaussian("mv_normal", np.array([3.0, -1, 0, 10, 2]), _random_covariance(5))
STUDENT_T = Target("student_t", 1, student_t_logp, same, (stats.t(5),), np.array([5.0]))
HALF_NORMAL = positive("half_normal", 1.0, 0.5, 2.0, stats.halfnorm())
EXPONENTIAL = positive("exponential", 1.0, 2.0, 1.0, stats.expon(scale=0.5))
GAMMA = positive("gamma", 2.5, 1.5, 1.0, stats.gamma(2.5, scale=1 / 1.5))
BETA = dirichlet("beta", np.array([2.5, 1.2]))
DIRICHLET = dirichlet("dirichlet", np.array([0.8, 2.0, 5.0, 1.5]))
FUNNEL = Target(
    "funnel",
    3,
    funnel_logp,
    funnel,
    (stats.norm(0, 3), ScaleMixture(3.0), ScaleMixture(3.0)),
    np.array([3.0]),
)
BANANA = Target("banana", 2, banana_logp, same, (stats.norm(), Banana(1.0)), np.array([1.0]))
REGRESSION = regression()
NAN_WALL = wall("nan_wall", math.nan, 0.0)
WALLS = (
    NAN_WALL,
    wall("zero_density_wall", -math.inf, 0.0),
    wall("infinite_density_wall", math.inf, 0.0),
    wall("nan_gradient_wall", -0.3, math.nan),
    wall("infinite_gradient_wall", -0.3, math.inf),
    wall("cliff", -2000.0, 0.0),
)

SMOOTH = (
    *(NORMAL, RHO_90, RHO_99, AR_90, MV_NORMAL, STUDENT_T, HALF_NORMAL, EXPONENTIAL, GAMMA),
    *(BETA, DIRICHLET, FUNNEL, BANANA, REGRESSION),
)


def compiled(function: Any) -> Any:
    """Return a function that only compiled code can call as one that Python can."""
    return njit(lambda *args: function(*args))
