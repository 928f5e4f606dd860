"""What does a leapfrog step cost beside its gradient? The seven models, one chain.

Nanoseconds of processor time of one thread: of a gradient, and of everything else that sampling
does for a step, momenta, trees and what is kept of draws included. The budget is 300 ns + 10 ns a
dimension. Each is the least of several timings, medians over seeds.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from exmc_dask.kernels import compile
from exmc_dask.kernels.runtime.chain import CONTROL, GRADIENTS
from exmc_dask.lowering.density import lower
from exmc_dask.sampler import block
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from gradient import repeat
from models.seven import MODELS


def least_s(call: Callable[[], Any], times: int) -> float:
    """Return the least processor time of several calls, in seconds."""
    taken = []
    for _ in range(times):
        began = time.thread_time()
        call()
        taken.append(time.thread_time() - began)
    return min(taken)


def measure(name: str, seeds: int) -> tuple[int, float, float, float]:
    """Return dimension, gradients a draw, ns of a gradient and of a step of sampling."""
    model = MODELS[name]()
    density = lower(model.spec, ncp=False)
    kernel = compile(density)
    bound = kernel.bind(density.fold(model.data))
    q = np.random.default_rng(2).normal(size=kernel.dim) * 0.1
    grad, work = np.zeros(kernel.dim), np.zeros(bound.work_size)
    arguments = (q, grad, bound.data, bound.data32, bound.index, work)
    n = 20_000
    gradient_s = least_s(partial(repeat, kernel.logp_grad, n, *arguments), 9) / n
    steps, seconds = [], []
    for seed in range(1, seeds + 1):
        settings = Settings(seed=seed, draws=1000, tune=1000)
        begin = start(kernel, bound, settings, 0, density.support_point(model.data))
        warm, _ = block.run(kernel, bound, settings, begin, settings.tune)
        control = np.zeros(len(CONTROL), np.int64)
        block.run(kernel, bound, settings, warm, settings.draws, control)
        steps.append(int(control[GRADIENTS]))
        run = partial(block.run, kernel, bound, settings, warm, settings.draws)
        seconds.append(least_s(run, 3) / steps[-1])
    return kernel.dim, median(steps) / 1000, 1e9 * gradient_s, 1e9 * median(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=7)
    options = parser.parse_args()
    print(
        f"{'model':14} {'dim':>4} {'steps/draw':>10} {'gradient':>9} {'rest':>6} {'budget':>7}  ns"
    )
    for name in options.models.split(","):
        dim, steps, gradient, step = measure(name, options.seeds)
        rest, budget = step - gradient, 300 + 10 * dim
        print(f"{name:14} {dim:4} {steps:10.1f} {gradient:9.0f} {rest:6.0f} {budget:7}", flush=True)


if __name__ == "__main__":
    main()
