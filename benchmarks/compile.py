"""How long until a model with many parts is compiled? Declared, lowered, written and built.

Processor time from the first declaration to the first call of a kernel, each model in a fresh
process that finds the sampler compiled and no kernel; `wall s` is the same by the clock on the
wall, declaring aside. `scalars`: a hierarchical model of n scalar variables, each with observations
of its own, as a loop over ``Builder.rv`` makes it; `walk`: n scalars each of which follows from the
one before it; `effects` and `off centre`: n group effects selected by 5000 rows; `terms`: n
likelihoods of ten families and ten curves, no two alike in both, each with data of another length.
"Lowering" makes one graph of the model with its gradient, "writing" the text of the kernel, whose
lines are counted, "building" machine code, imports of the compiler included.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import exmc_dask as ed


@dataclass(frozen=True)
class Row:
    """Seconds for one model, of processor time but for the last, and lines of its kernel."""

    model: str
    n: int
    declare_s: float
    lower_s: float
    write_s: float
    build_s: float
    wall_s: float
    lines: int

    @property
    def all_s(self) -> float:
        """Sum of the phases."""
        return self.declare_s + self.lower_s + self.write_s + self.build_s


def scalars(n: int) -> ed.Model:
    """Return a model of n scalars with three to five observations each."""
    rng = np.random.default_rng(0)
    builder = ed.Builder().rv("mu", ed.Normal, mu=0.0, sigma=5.0)
    builder.rv("tau", ed.HalfNormal, sigma=2.0).rv("sigma", ed.HalfNormal, sigma=1.0)
    for i in range(n):
        builder.rv(f"x{i}", ed.Normal, mu="mu", sigma="tau")
        builder.rv(f"y{i}", ed.Normal, mu=f"x{i}", sigma="sigma")
        builder.obs(f"y{i}_obs", f"y{i}", rng.normal(size=3 + i % 3))
    return builder.build()


def walk(n: int) -> ed.Model:
    """Return a walk of n scalars, the last of which is observed."""
    with ed.Model() as model:
        sigma, x = ed.HalfNormal("sigma", 1), ed.Normal("x0", 0, 1)
        for i in range(1, n):
            x = ed.Normal(f"x{i}", x, sigma)
        ed.Normal("y", x, 1.0, observed=[0.5, 1.5])
    return model


def effects(n: int) -> ed.Model:
    """Return a model of n group effects."""
    rng = np.random.default_rng(0)
    with ed.Model() as model:
        mu, tau = ed.Normal("mu", 0, 5), ed.HalfNormal("tau", 2)
        theta = ed.Normal("theta", mu, tau, shape=n)
        sigma = ed.HalfNormal("sigma", 1)
        ed.Normal("y", theta[rng.integers(0, n, 5000)], sigma, observed=rng.normal(size=5000))
    return model


FAMILIES: tuple[Callable[[str, Any, np.ndarray], Any], ...] = (
    lambda name, e, y: ed.Normal(name, e, 1.0, observed=y),
    lambda name, e, y: ed.StudentT(name, 4, e, 1.0, observed=y),
    lambda name, e, y: ed.Poisson(name, ed.math.exp(e), observed=abs(y).astype(int)),
    lambda name, e, y: ed.Bernoulli(name, logit_p=e, observed=(y > 0).astype(int)),
    lambda name, e, y: ed.Cauchy(name, e, 1.0, observed=y),
    lambda name, e, y: ed.Laplace(name, e, 1.0, observed=y),
    lambda name, e, y: ed.Gamma(name, 2.0, ed.math.exp(e), observed=abs(y) + 0.1),
    lambda name, e, y: ed.LogNormal(name, e, 1.0, observed=abs(y) + 0.1),
    lambda name, e, y: ed.Exponential(name, ed.math.exp(e), observed=abs(y) + 0.1),
    lambda name, e, y: ed.Logistic(name, e, 1.0, observed=y),
)
CURVES: tuple[Callable[[Any, Any, np.ndarray], Any], ...] = (
    lambda a, b, x: a + b * x,
    lambda a, b, x: a * x,
    lambda a, b, x: ed.math.tanh(a + b * x),
    lambda a, b, x: a * x + b * x * x,
    lambda a, b, x: ed.math.sin(b * x) + a,
    lambda a, b, x: ed.math.softplus(a + x) * b,
    lambda a, b, x: a / (1.0 + x * x),
    lambda a, b, x: ed.math.exp(-b * b * x * x) - a,
    lambda a, b, x: ed.math.sigmoid(a * x) + b,
    lambda a, b, x: (a + x) * (b - x),
)


def terms(n: int) -> ed.Model:
    """Return a model of up to 100 likelihoods that are not alike."""
    rng = np.random.default_rng(0)
    kinds = list(product(CURVES, FAMILIES))[:n]
    with ed.Model() as model:
        a, b = ed.Normal("a", 0, 1), ed.Normal("b", 0, 1)
        for i, (curve, family) in enumerate(kinds):
            x, y = rng.normal(size=(2, 20 + i))
            family(f"y{i}", curve(a, b, x), y)
    return model


type Case = tuple[Callable[[int], ed.Model], tuple[int, ...], bool | str]

MODELS: Mapping[str, Case] = {
    "scalars": (scalars, (50, 100, 200, 400, 1000), "auto"),
    "walk": (walk, (50, 1000), "auto"),
    "effects": (effects, (10, 1000), False),
    "off centre": (effects, (1000,), True),
    "terms": (terms, (10, 25, 50, 100), "auto"),
}
"""Name -> how it is declared, its sizes, and whether it is sampled off centre."""


def measure(name: str, n: int) -> Row:
    """Compile one model, and call it."""
    declare, _, ncp = MODELS[name]
    times = [time.process_time()]

    def passed() -> None:
        times.append(time.process_time())

    model = declare(n)
    passed()
    began = time.perf_counter()
    from exmc_dask.lowering.density import lower

    density = lower(model.spec, ncp=ncp)
    passed()
    from exmc_dask import kernels
    from exmc_dask.kernels.codegen.program import write

    lines = len(write(density).source.splitlines())
    passed()
    kernel = kernels.compile(density)
    bound = kernel.bind(density.fold(model.data))
    q, grad, work = np.zeros(kernel.dim), np.zeros(kernel.dim), np.zeros(bound.work_size)
    kernel.logp_grad(q, grad, bound.data, bound.data32, bound.index, work)
    kernel.expand(q, np.zeros(bound.n_out), bound.data, bound.data32, bound.index, work)
    passed()
    declared, lowered, written, built = np.diff(times).tolist()
    built -= written  # compiling writes the text once more
    return Row(name, n, declared, lowered, written, built, time.perf_counter() - began, lines)


def fresh(name: str, n: int, cache: str) -> Row:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--model", name, "--n", str(n)],
        check=True,
        env=os.environ | {"EXMC_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
    )
    return Row(**json.loads(done.stdout))


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", choices=MODELS, help="measure one model in this process")
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.model:
        print(json.dumps(asdict(measure(options.model, options.n))))
        return
    found = []
    print(
        f"{platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    columns = ("declare s", "lower s", "write s", "build s", "all s", "wall s", "lines")
    print(f"{'model':12} {'n':>5} " + " ".join(f"{column:>9}" for column in columns))
    with tempfile.TemporaryDirectory() as cache:
        fresh("scalars", 1, cache)  # compiles what every kernel stands on
        for name, (_, sizes, _) in MODELS.items():
            for n in sizes:
                row = fresh(name, n, cache)
                found.append(row)
                times = (row.declare_s, row.lower_s, row.write_s, row.build_s, row.all_s)
                seconds = " ".join(f"{x:9.2f}" for x in (*times, row.wall_s))
                print(f"{row.model:12} {row.n:5} {seconds} {row.lines:9,}", flush=True)
    if options.json:
        host = {"machine": platform.processor(), "python": platform.python_version()}
        rows = [asdict(row) | {"all_s": row.all_s} for row in found]
        options.json.write_text(json.dumps(host | {"models": rows}, indent=2))


if __name__ == "__main__":
    main()
