"""An engine that needs no compiler: draws by counter, as slow, broken or deadly as a test wants."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc_dask.cluster.messages.wire import Spec
from exmc_dask.kernels.runtime import chain
from exmc_dask.kernels.runtime.chain import FLOAT_STATS, INT_STATS
from exmc_dask.sampler.state import ChainState, Draws

DIM = 3


def spec(*, tune: int = 20, draws: int = 180, data: Any = 1.0, **settings: Any) -> Spec:
    """A run of 200 draws a chain.

    Its troubles: pause_s; raise_at and die_at, [unit, draw]; once, a path; last_words.
    """
    return Spec(
        model=b"toy",
        options={},
        settings={"tune": tune, "draws": draws, **settings},
        target="cpu",
        data={"x": np.atleast_1d(np.asarray(data, np.float64))},
        support_point=np.zeros(DIM),
        engine="tests.cluster.toy:Toy",
    )


def total(of: Spec) -> int:
    return int(of.settings["tune"] + of.settings["draws"])


class Toy:
    """Draw d of a unit is (unit, d, x[0]) times the sum of a random walk: it needs every state."""

    fingerprint = '{"target": "toy"}'
    row_bytes = 8 * (DIM + len(FLOAT_STATS) + len(INT_STATS))

    def __init__(self, of: Spec) -> None:
        self.x = float(of.data["x"][0])
        self.settings = of.settings

    def start(self, unit: int, initial: NDArray[np.float64] | None) -> ChainState:
        q = np.zeros(DIM) if initial is None else initial
        return ChainState.blank(DIM, "fisher", "diag", unit, q=q)

    def run(
        self, state: ChainState, n: int, control: NDArray[np.int64]
    ) -> tuple[ChainState, Draws]:
        first, q, rows = state.draw, state.q.copy(), []
        for draw in range(first, first + n):
            time.sleep(self.settings.get("pause_s", 0.0))
            self.suffer(state.chain, draw)
            if control[chain.STOP] == chain.STOP_NOW:
                break
            q = 0.9 * q + np.random.Generator(
                np.random.Philox(key=state.chain, counter=draw)
            ).normal(size=DIM)
            rows.append(self.x * q)
            control[chain.GRADIENTS] += 3
            control[chain.DRAWS] += 1
            if control[chain.STOP]:
                break
        n = len(rows)
        draws = Draws(
            first,
            np.array(rows).reshape(n, DIM),
            np.empty((0, DIM)),
            np.zeros((n, len(FLOAT_STATS))),
            np.zeros((n, len(INT_STATS)), np.int64),
        )
        return state.replace(q=q, draw=first + n), draws

    def suffer(self, unit: int, draw: int) -> None:
        """Raise or die where the settings say so; only once if a path for the memory is given."""
        here = [unit, draw]
        if self.settings.get("raise_at") == here:
            raise ZeroDivisionError("of all things")
        if self.settings.get("die_at") == here:
            once = self.settings.get("once")
            if once is None or not Path(once).exists():
                if once is not None:
                    Path(once).touch()
                print(self.settings.get("last_words", ""), file=sys.stderr, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
