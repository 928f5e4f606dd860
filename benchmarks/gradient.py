"""How long does one gradient take, and how near is that to what the machine can do?

The floor of a model is the larger of two times: its operations at the peak rate of one core, with a
transcendental function counted as `TRANSCENDENTAL` operations, and its bytes at the rate at which
one core reads arrays of that size. Both rates are measured first. Small models cannot come near:
their time is that of a chain of dependent operations.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types

import exmc_dask as ed
from exmc_dask.density import lower
from exmc_dask.kernels import compile
from models.seven import MODELS

TRANSCENDENTAL = 20  # operations of an exponential function

_f8s, _f4s, _i8s = types.float64[::1], types.float32[::1], types.int64[::1]
_ABI = types.FunctionType(types.float64(_f8s, _f8s, _f8s, _f4s, _i8s, _f8s))


@dataclass(frozen=True)
class Gradient:
    """Nanoseconds of one gradient, and its floors."""

    model: str
    dim: int
    rows: int
    gradient_ns: float
    flop_floor_ns: float
    byte_floor_ns: float

    @property
    def fraction(self) -> float:
        """Share of the floor in the time that was taken."""
        return max(self.flop_floor_ns, self.byte_floor_ns) / self.gradient_ns


@njit(types.float64(_ABI, types.int64, _f8s, _f8s, _f8s, _f4s, _i8s, _f8s))
def repeat(f, n, q, grad, data, data32, index, work):
    """Call a log density `n` times."""
    total = 0.0
    for _ in range(n):
        total += f(q, grad, data, data32, index, work)
    return total


@njit(types.float64(types.int64, _f8s), fastmath=True)
def _multiply_add(n, x):
    total = 0.0
    for _ in range(n):
        for i in range(x.size):
            y = x[i]
            for _k in range(32):
                y = y * y + 0.25
            total += y
    return total


@njit(types.float64(types.int64, _f8s), fastmath=True)
def _read(n, x):
    total = 0.0
    for k in range(n):
        x[k % x.size] = 1.0
        for i in range(x.size):
            total += x[i]
    return total


def best_s(call: Callable[[int], Any], budget_s: float = 0.3) -> float:
    """Return the fastest of seven timings of ``call(n) / n``, in seconds."""
    n, began = 1, time.perf_counter()
    call(n)
    while (taken := time.perf_counter() - began) < budget_s / 20:
        n, began = 2 * n, time.perf_counter()
        call(n)
    n = max(1, int(n * budget_s / 7 / max(taken, 1e-9)))
    times = []
    for _ in range(7):
        began = time.perf_counter()
        call(n)
        times.append((time.perf_counter() - began) / n)
    return min(times)


def regression(n: int, columns: int = 20) -> ed.Model:
    """Logistic regression of `n` rows."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, columns))
    with ed.Model() as model:
        alpha = ed.Normal("alpha", 0, 10)
        beta = ed.Normal("beta", 0, 10, shape=columns)
        ed.Bernoulli("y", logit_p=alpha + X @ beta, observed=rng.integers(0, 2, n))
    return model


def groups(n: int, many: int = 85) -> ed.Model:
    """Varying intercepts of `many` groups and a slope, robust noise."""
    rng = np.random.default_rng(1)
    with ed.Model() as model:
        mu, tau = ed.Normal("mu", 0, 2), ed.HalfNormal("tau", 1)
        a = ed.Normal("a", mu, tau, shape=many)
        b, sigma = ed.Normal("b", 0, 1), ed.HalfNormal("sigma", 1)
        location = a[rng.integers(0, many, n)] + b * rng.normal(size=n)
        ed.StudentT("y", 4, location, sigma, observed=rng.normal(size=n))
    return model


def measure(name: str, model: ed.Model, rows: int, peak: float) -> Gradient:
    """Time one model; `peak` in operations a second."""
    density = lower(model.spec, ncp=False)
    data = density.fold(model.data)
    kernel = compile(density)
    bound, cost = kernel.bind(data), kernel.cost(data)
    q = np.random.default_rng(2).normal(size=kernel.dim) * 0.1
    grad, work = np.zeros(kernel.dim), np.zeros(bound.work_size)
    arguments = (q, grad, bound.data, bound.data32, bound.index, work)
    taken = best_s(lambda n: repeat(kernel.logp_grad, n, *arguments))
    stretch = np.ones(max(64, cost.bytes // 8))
    bytes_per_s = 8 * stretch.size / best_s(lambda n: _read(n, stretch))
    operations = cost.flops + TRANSCENDENTAL * cost.transcendentals
    floors = operations / peak, cost.bytes / bytes_per_s
    return Gradient(name, kernel.dim, rows, *(1e9 * s for s in (taken, *floors)))


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest models")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    x = np.linspace(0.0, 0.4, 1024)
    peak = 2 * 32 * x.size / best_s(lambda n: _multiply_add(n, x))
    print(f"{platform.processor() or platform.machine()}, {peak / 1e9:.1f} Gflop/s on one core")
    print(
        f"{'model':22} {'dim':>5} {'rows':>9} {'ns':>12} {'flop floor':>12} {'byte floor':>12}  of"
    )
    found = []
    cases = [(name, build(), 0) for name, build in MODELS.items()]
    rows = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= options.rows]
    cases += [(build.__name__, build(n), n) for build in (regression, groups) for n in rows]
    for name, model, n in cases:
        one = measure(name, model, n, peak)
        found.append(one)
        print(
            f"{one.model:22} {one.dim:5} {one.rows or '':>9} {one.gradient_ns:12,.0f} "
            f"{one.flop_floor_ns:12,.0f} {one.byte_floor_ns:12,.0f} {one.fraction:4.0%}",
            flush=True,
        )
    if options.json:
        host = {"machine": platform.processor(), "python": platform.python_version()}
        rows_json = [asdict(one) | {"fraction": one.fraction} for one in found]
        options.json.write_text(json.dumps(host | {"peak": peak, "gradients": rows_json}, indent=2))


if __name__ == "__main__":
    main()
