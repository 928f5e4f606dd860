"""How long does one gradient take, and how near is that to what the machine can do?

The floor of a model is the larger of two times: its operations at the peak rate of one core, with a
transcendental function counted as `TRANSCENDENTAL` operations, and its bytes at the rate at which
one core reads arrays of that size. Both rates are measured in turns with the gradient. Small models
cannot come near: their time is that of a chain of dependent operations.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit, types

import exmc_dask as ed
from exmc_dask.kernels import compile
from exmc_dask.lowering.density import lower
from models.seven import MODELS

DTYPES = ("float64", "float32")
TRANSCENDENTAL = 20  # operations of an exponential function

_f8s, _f4s, _i8s = types.float64[::1], types.float32[::1], types.int64[::1]
_ABI = types.FunctionType(types.float64(_f8s, _f8s, _f8s, _f4s, _i8s, _f8s))


@dataclass(frozen=True)
class Gradient:
    """Nanoseconds of one gradient, and its floors; seconds of folding and binding its data."""

    model: str
    dim: int
    rows: int
    gradient_ns: float
    flop_floor_ns: float
    byte_floor_ns: float
    bind_s: float

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
def multiply_add(n, x):
    """Do 64 operations with each element, `n` times."""
    total = 0.0
    for _ in range(n):
        for i in range(x.size):
            y = x[i]
            for _k in range(32):
                y = y * y + 0.25
            total += y
    return total


@njit(types.float64(types.int64, _f8s), fastmath=True)
def read(n, x):
    """Read an array `n` times."""
    total = 0.0
    for k in range(n):
        x[k % x.size] = 1.0
        for i in range(x.size):
            total += x[i]
    return total


def medians_s(calls: Sequence[Callable[[int], Any]], budget_s: float = 0.3) -> list[float]:
    """Return the median of seven timings of ``call(n) / n`` for each call, in seconds.

    Processor time of this thread, and the calls take turns, so that a machine that others use
    slows all of them alike and their ratios hold.
    """
    counts = []
    for call in calls:
        call(1)  # pages and caches
        n, began = 1, time.thread_time()
        call(n)
        while (taken := time.thread_time() - began) < budget_s / 20:
            n, began = 2 * n, time.thread_time()
            call(n)
        counts.append(max(1, int(n * budget_s / 7 / taken)))
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(7):
        for call, n, found in zip(calls, counts, times, strict=True):
            began = time.thread_time()
            call(n)
            found.append((time.thread_time() - began) / n)
    return list(map(statistics.median, times))


def regression(n: int, columns: int = 20, dtype: str = "float64") -> ed.Model:
    """Logistic regression of `n` rows."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, columns), dtype=np.dtype(dtype))
    with ed.Model() as model:
        x = ed.Data("X", X, dtype=dtype)
        alpha = ed.Normal("alpha", 0, 10)
        beta = ed.Normal("beta", 0, 10, shape=columns)
        ed.Bernoulli("y", logit_p=alpha + x @ beta, observed=rng.integers(0, 2, n))
    return model


def gaussian(n: int, columns: int = 20, dtype: str = "float64") -> ed.Model:
    """Gaussian regression of `n` rows, of which a gradient reads a triangle only."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, columns), dtype=np.dtype(dtype))
    with ed.Model() as model:
        x = ed.Data("X", X, dtype=dtype)
        alpha, sigma = ed.Normal("alpha", 0, 10), ed.HalfNormal("sigma", 1)
        beta = ed.Normal("beta", 0, 10, shape=columns)
        ed.Normal("y", alpha + x @ beta, sigma, observed=rng.standard_normal(n))
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


def measure(name: str, model: ed.Model, rows: int) -> Gradient:
    """Time one model in turns with the peak rates of the machine."""
    density = lower(model.spec, ncp=False)
    kernel = compile(density)
    began = time.process_time()
    data = density.fold(model.data)
    bound = kernel.bind(data)
    bind_s = time.process_time() - began
    cost = kernel.cost(data)
    q = np.random.default_rng(2).normal(size=kernel.dim) * 0.1
    grad, work = np.zeros(kernel.dim), np.zeros(bound.work_size)
    arguments = (q, grad, bound.data, bound.data32, bound.index, work)
    stretch, x = np.ones(max(64, cost.bytes // 8)), np.linspace(0.0, 0.4, 1024)
    taken, reading, multiplied = medians_s(
        [
            lambda n: repeat(kernel.logp_grad, n, *arguments),
            lambda n: read(n, stretch),
            lambda n: multiply_add(n, x),
        ]
    )
    operations = cost.flops + TRANSCENDENTAL * cost.transcendentals
    floors = operations * multiplied / (2 * 32 * x.size), cost.bytes * reading / (8 * stretch.size)
    gradient, flops, bytes_ = (1e9 * s for s in (taken, *floors))
    return Gradient(name, kernel.dim, rows, gradient, flops, bytes_, bind_s)


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest models")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(
        f"{'model':24} {'dim':>5} {'rows':>9} {'ns':>12} {'flop floor':>12} {'byte floor':>12}"
        f" {'of':>4} {'bind s':>7}"
    )
    found = []
    cases: list[tuple[str, Callable[[], ed.Model], int]] = [
        (name, build, 0) for name, build in MODELS.items()
    ]
    for n in (n for n in (10_000, 100_000, 1_000_000) if n <= options.rows):
        cases.append(("groups", partial(groups, n), n))
        for columns, build, dtype in product((20, 100), (regression, gaussian), DTYPES):
            name = f"{build.__name__} {columns} {dtype}"
            cases.append((name, partial(build, n, columns, dtype), n))
    for name, declare, n in cases:
        one = measure(name, declare(), n)
        found.append(one)
        print(
            f"{one.model:24} {one.dim:5} {one.rows or '':>9} {one.gradient_ns:12,.0f} "
            f"{one.flop_floor_ns:12,.0f} {one.byte_floor_ns:12,.0f} {one.fraction:4.0%} "
            f"{one.bind_s:7.3f}",
            flush=True,
        )
    if options.json:
        host = {"machine": platform.processor(), "python": platform.python_version()}
        rows_json = [asdict(one) | {"fraction": one.fraction} for one in found]
        options.json.write_text(json.dumps(host | {"gradients": rows_json}, indent=2))


if __name__ == "__main__":
    main()
