"""Settings: the options of one run that decide its draws, checked when they are made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exmc_dask.errors import OptionError
from exmc_dask.kernels.runtime import chain
from exmc_dask.sampler.checked import Checked
from exmc_dask.sampler.windows import SHORTEST, pooled_windows, stan_windows

ADAPTS = ("fisher", "stan", "step_size")
"""Schemes to choose from."""


@dataclass(frozen=True)
class Settings(Checked):
    """What a run fixes for all its chains; equal settings and data give equal draws.

    Parameters
    ----------
    seed : int
        Key of the random numbers, 0 <= seed < 2**63.
    draws : int
        Draws after warmup, per chain.
    tune : int
        Warmup draws per chain; 0 keeps the start's metric and only searches a step size.
    target_accept : float
        Mean acceptance statistic that the step size is tuned for, between 0 and 1.
    max_treedepth : int
        A trajectory has at most ``2**max_treedepth - 1`` leapfrog steps; 1 to 20.
    adapt : {"fisher", "stan", "step_size"}
        Warmup scheme: overlapping windows of draws and gradients, or Stan's windows of draws; or
        the metric stays as it was at the start, as after a warm start.
    metric : {"diag", "dense", "low_rank"}
        Shape of the inverse mass matrix. "low_rank" is a diagonal one that is stretched along at
        most 10 directions; it learns them from draws and gradients under either scheme.
    step_size_jitter : float, optional
        Each transition multiplies the step size by U(1 - jitter, 1 + jitter). By default 0 for
        "stan" and 0.1 otherwise.
    init_jitter : float
        Chains start at the support point plus U(-init_jitter, init_jitter), unconstrained.
    store_unconstrained : bool
        Keep the unconstrained position of every kept draw beside its values.
    thin : int
        Keep the draws whose number, counted from the end of warmup, is a multiple of it.
    superchain_size : int, optional
        So many neighbouring chains start at one point. By default each has a point of its own,
        and results know of no superchains.
    pool : int
        Chains of a group that share what their warmup teaches them of the metric, at least; 0 for
        chains that learn alone.

    Raises
    ------
    OptionError
        An option has a value that is not allowed; the message names all three. Or chains are to
        share what there is not.
    """

    seed: int
    draws: int = 1000
    tune: int = 400
    target_accept: float = 0.8
    max_treedepth: int = 10
    adapt: str = "fisher"
    metric: str = "diag"
    step_size_jitter: float | None = None
    init_jitter: float = 1.0
    store_unconstrained: bool = False
    thin: int = 1
    superchain_size: int | None = None
    pool: int = 0

    def __post_init__(self) -> None:
        self._need_int("seed", 0, 2**63 - 1)
        self._need_int("draws", 1, 2**31)
        self._need_int("tune", 0, 2**31)
        self._need_int("max_treedepth", 1, 20)
        self._need_int("thin", 1, 2**31)
        self._need("adapt", self.adapt in ADAPTS, f"one of {', '.join(ADAPTS)}")
        self._need("metric", self.metric in chain.METRICS, f"one of {', '.join(chain.METRICS)}")
        self._need_float("target_accept", "strictly between 0 and 1", lambda x: 0 < x < 1)
        if self.step_size_jitter is not None:
            self._need_float("step_size_jitter", "None or 0 <= x < 1", lambda x: 0 <= x < 1)
        self._need_float("init_jitter", "finite and >= 0", lambda x: 0 <= x < math.inf)
        if self.superchain_size is not None:
            self._need_int("superchain_size", 1, 2**31)
        flag = self.store_unconstrained
        self._need("store_unconstrained", isinstance(flag, bool), "True or False")
        grouped = isinstance(self.pool, int) and self.pool in range(2**31) and self.pool != 1
        words = "True, or how many chains a group has: 2 or more, as one alone shares nothing"
        self._need("pool", grouped, words)
        if self.pool and self.adapt == "step_size":
            raise OptionError(
                "pool= has nothing to share with adapt='step_size', which keeps the metric as it "
                "was and is the default after warm_start=; use adapt='fisher', or leave pool= out"
            )
        if self.pool and not self.marks:
            raise OptionError(
                f"tune={self.tune} is too short for pool=: below {SHORTEST} draws of warmup the "
                "metric stays as it is, and there is nothing to share; raise tune=, or leave pool= "
                "out"
            )

    @property
    def total(self) -> int:
        """Draws per chain, warmup included."""
        return self.tune + self.draws

    @property
    def scheme(self) -> str:
        """The scheme of ADAPTS that chains follow: "fisher" has another calendar in groups."""
        return "pooled" if self.pool and self.adapt == "fisher" else self.adapt

    @property
    def marks(self) -> tuple[int, ...]:
        """Draws, warmup included, before which the chains of a group share what they learnt."""
        if not self.pool:
            return ()
        windows = stan_windows if self.adapt == "stan" else pooled_windows
        return tuple(end for _, end in windows(self.tune))

    @property
    def jitter(self) -> float:
        """The step size's jitter that is in force."""
        if self.step_size_jitter is None:
            return 0.0 if self.adapt == "stan" else 0.1
        return self.step_size_jitter

    def superchains(self, chains: Sequence[int]) -> NDArray[np.int64] | None:
        """Return the superchain of each of some chains; None where there are none."""
        if self.superchain_size is None:
            return None
        return np.array(chains, np.int64) // self.superchain_size
