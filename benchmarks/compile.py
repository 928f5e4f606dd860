"""How long until a model with many parts is compiled? Declared, lowered, written and built.

Processor time from the first declaration to a kernel that can be called, in an empty cache, with
the sampler compiled already. `scalars`: a hierarchical model of n scalar variables, each with
observations of its own, as a loop over ``Builder.rv`` makes it; `effects`: n group effects selected
by 5000 rows; `terms`: n likelihoods of ten families and five curves, no two alike in both, each
with data of another length. The size of the text says what the compiler has to read.
"""

import argparse
import json
import os
import platform
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
    """Seconds of processor time for one model, and the size of what was compiled."""

    model: str
    n: int
    declare_s: float
    lower_s: float
    build_s: float
    characters: int


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
)


def terms(n: int) -> ed.Model:
    """Return a model of up to 50 likelihoods that are not alike."""
    rng = np.random.default_rng(0)
    kinds = list(product(CURVES, FAMILIES))[:n]
    with ed.Model() as model:
        a, b = ed.Normal("a", 0, 1), ed.Normal("b", 0, 1)
        for i, (curve, family) in enumerate(kinds):
            x, y = rng.normal(size=(2, 20 + i))
            family(f"y{i}", curve(a, b, x), y)
    return model


MODELS: Mapping[str, tuple[Callable[[int], ed.Model], tuple[int, ...]]] = {
    "scalars": (scalars, (50, 100, 200, 400, 1000)),
    "effects": (effects, (10, 1000)),
    "terms": (terms, (10, 25, 50)),
}


def measure(name: str, declare: Callable[[int], ed.Model], n: int) -> Row:
    """Compile one model."""
    from exmc_dask.density import lower
    from exmc_dask.kernels import compile

    begun = time.process_time()
    model = declare(n)
    declared = time.process_time()
    density = lower(model.spec)
    lowered = time.process_time()
    kernel = compile(density)
    built = time.process_time()
    return Row(name, n, declared - begun, lowered - declared, built - lowered, len(kernel.source))


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["EXMC_CACHE_DIR"] = cache  # read when the first kernel is compiled
        measure("warm", scalars, 1)
        print(f"{'model':8} {'n':>5} {'declare s':>10} {'lower s':>8} {'build s':>8} {'text':>8}")
        for name, (declare, sizes) in MODELS.items():
            for n in sizes:
                row = measure(name, declare, n)
                found.append(row)
                print(
                    f"{row.model:8} {row.n:5} {row.declare_s:10.2f} {row.lower_s:8.2f} "
                    f"{row.build_s:8.2f} {row.characters:8,}",
                    flush=True,
                )
    if options.json:
        host = {"machine": platform.processor(), "python": platform.python_version()}
        options.json.write_text(json.dumps(host | {"models": [asdict(r) for r in found]}, indent=2))


if __name__ == "__main__":
    main()
