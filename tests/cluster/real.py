"""The real sampler for drills: engines that take their time with it, or kill with it."""

import os
import signal
import time
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import exmc_dask as ed
from exmc_dask.cluster.engines import nuts
from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.lowering.density import lower
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.state import ChainState, Draws

POISON = (1, 150)
"""Chain and draw at which `poisoned` kills its process."""

_PAUSE_S, _MAX_DRAWS = 0.1, 50


@cache
def model() -> ed.Model:
    rng = np.random.default_rng(1)
    x = rng.normal(size=60_000)
    y = (rng.random(x.size) < 0.4).astype(int)
    with ed.Model() as model:
        slope = ed.Normal("slope", 0.0, 1.0)
        base = ed.Normal("base", 0.0, 1.0)
        ed.Bernoulli("y", logit_p=base + slope * x, observed=y)
    return model


def spec(draws: int = 400, tune: int = 200, **more: Any) -> Spec:
    """A run of the model; of 600 draws a chain by default."""
    density = lower(model().spec)
    return Spec(
        model=model().spec.to_bytes(),
        options={},
        settings=Settings(seed=7, draws=draws, tune=tune).to_dict(),
        target="cpu",
        data=density.fold(model().data),
        support_point=density.support_point(model().data),
        **more,
    )


def slow_spec(draws: int = 400) -> Spec:
    """The same draws, but more than a second a chain, on any machine."""
    return spec(draws, engine="tests.cluster.real:dawdling")


class Dawdling(nuts.Prepared):
    """Makes half of a block of 50 draws, does nothing for a while, and makes the other half."""

    def run(
        self, state: ChainState, n: int, control: NDArray[np.int64]
    ) -> tuple[ChainState, Draws]:
        n = min(n, _MAX_DRAWS)
        state, one = super().run(state, n // 2, control)
        time.sleep(_PAUSE_S)
        state, two = super().run(state, n - n // 2, control)
        halves = [(half.values, half.q, half.stats_f, half.stats_i) for half in (one, two)]
        values, q, floats, ints = map(np.concatenate, zip(*halves, strict=True))
        return state, Draws(one.first, values, q, floats, ints)


def dawdling(of: Spec) -> Dawdling:
    """Build the engine that takes its time."""
    return Dawdling(**vars(nuts.prepare(of)))


class Poisoned(nuts.Prepared):
    """Draws as ever, until it comes to a draw that no process survives."""

    def run(
        self, state: ChainState, n: int, control: NDArray[np.int64]
    ) -> tuple[ChainState, Draws]:
        unit, draw = POISON
        if state.chain == unit:
            if state.draw == draw:
                os.kill(os.getpid(), signal.SIGSEGV)
            n = min(n, draw - state.draw) if state.draw < draw else n
        return super().run(state, n, control)


def poisoned(of: Spec) -> Poisoned:
    """Build the engine that kills; it has faults only where it is asked for."""
    return Poisoned(**vars(nuts.prepare(of)))
