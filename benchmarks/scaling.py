"""What does a cluster cost, and what does a second worker bring?

Wall times of a shared machine tell little, so beside the speed-up there is the share of the time of
workers that was spent drawing: what is missing there is Dask's and ours, whoever else computes.
The scheduler of a local cluster lives in this process, so that the processor time of this process
a block is that of scheduler and coordinator together.
"""

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distributed import Client

import exmc_dask as ed
from exmc_dask.cluster.clusters.chaos import Strike, pids
from exmc_dask.cluster.clusters.local import local
from exmc_dask.cluster.plan.moves import Note, Progress, Trouble
from soak import model


@dataclass(frozen=True)
class Figure:
    """One figure, and how it was found."""

    what: str
    value: float
    unit: str


class Watch:
    """An ``on_event`` that remembers when what was said."""

    def __init__(self, also: Any = None) -> None:
        self.heard: list[tuple[float, Progress | Note]] = []
        self._also = also

    def __call__(self, event: Progress | Note) -> None:
        self.heard.append((time.perf_counter(), event))
        if self._also is not None:
            self._also(event)

    def progress(self) -> list[tuple[float, Progress]]:
        return [(at, event) for at, event in self.heard if isinstance(event, Progress)]

    @property
    def wall_s(self) -> float:
        """From the first news of a chain to the last."""
        return self.heard[-1][0] - self.heard[0][0]

    def filled(self, n_workers: int) -> float:
        """Return the share of the workers' time between the two that was spent drawing."""
        last = {event.unit: event.seconds for _, event in self.progress()}
        before = self.progress()[0][1].seconds  # of the block whose end was the first news
        return (sum(last.values()) - before) / (n_workers * self.wall_s)


def sample(what: ed.Model, chains: int, draws: int, watch: Watch, **more: Any) -> None:
    """Sample and tell the watch."""
    options: dict[str, Any] = {"random_seed": 1, "compute_convergence_checks": False, **more}
    ed.sample(what, draws, 100, chains, progressbar=watch, **options)


def speed_up(what: ed.Model, draws: int) -> Iterator[Figure]:
    """Compare two workers with one, turn about, twice."""
    walls: dict[int, list[float]] = {1: [], 2: []}
    filled: dict[int, list[float]] = {1: [], 2: []}
    with local(1) as one, local(2) as two, Client(one) as a, Client(two) as b:
        for client in (a, b):
            sample(what, 2, 50, Watch(), client=client)
        for _ in range(2):
            for n, client in ((1, a), (2, b)):
                watch = Watch()
                sample(what, 8, draws, watch, client=client)
                walls[n].append(watch.wall_s)
                filled[n].append(watch.filled(n))
    yield Figure("speed-up of 2 workers over 1, 8 chains", sum(walls[1]) / sum(walls[2]), "x")
    for n in (1, 2):
        share = 100 * sum(filled[n]) / 2
        yield Figure(f"time of {n} worker(s) spent drawing", share, "%")


def overhead(what: ed.Model, client: Client, draws: int) -> Iterator[Figure]:
    """Let one chain run on one worker: what it does not draw, Dask and we take."""
    watch = Watch()
    sample(what, 1, draws, watch, client=client)
    told = [(at, event) for at, event in watch.progress() if event.draw]
    (begun, first), (ended, last) = told[0], told[-1]
    drawn = last.seconds - first.seconds
    yield Figure("a chain's time on one worker", ended - begun, "s")
    yield Figure("of which not spent drawing", 100 * (1 - drawn / (ended - begun)), "%")


def death(what: ed.Model, client: Client, draws: int) -> Iterator[Figure]:
    """Kill a worker in the middle of a block."""
    strike = Strike(pids(client), unit=1, draw=draws // 2, after_s=0.0)
    watch = Watch(strike)
    sample(what, 2, draws, watch, client=client)
    assert strike.struck is not None
    hers = [(at, e) for at, e in watch.progress() if e.unit == 1]
    struck_at = next(at for at, e in hers if e.worker == strike.struck and e.draw >= draws // 2)
    losses = [at for at, e in watch.heard if getattr(e, "kind", None) is Trouble.WORKER_LOST]
    again_at = next(at for at, e in hers if at > losses[0] and e.worker != strike.struck)
    yield Figure("from a worker's death to our knowing", 1e3 * (losses[0] - struck_at), "ms")
    yield Figure("and until its chain was a block further elsewhere", again_at - struck_at, "s")


def blocks(client: Client) -> Iterator[Figure]:
    """Let blocks be of one draw, so that nothing is measured but their journeys."""
    with ed.Model() as tiny:
        ed.Normal("x", 0.0, 1.0)
    sample(tiny, 4, 10, Watch(), client=client, block_draws=1)
    watch, used, began = Watch(), time.process_time(), time.perf_counter()
    sample(tiny, 8, 100, watch, client=client, block_draws=1)
    n = 8 * 200
    yield Figure("blocks a second through 2 workers", n / (time.perf_counter() - began), "1/s")
    each_ms = 1e3 * (time.process_time() - used) / n
    yield Figure("processor time of scheduler and coordinator a block", each_ms, "ms")
    yield Figure("so one core carries, a second", 1e3 / each_ms, "blocks")


def main() -> None:
    """Print the table and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.rows} rows")
    what, found = model(options.rows), []

    def tell(figures: Iterator[Figure]) -> None:
        for figure in figures:
            found.append(figure)
            print(f"{figure.what:55} {figure.value:10.2f} {figure.unit}", flush=True)

    with local(2) as cluster, Client(cluster) as client:
        tell(blocks(client))
        tell(overhead(what, client, 4 * options.draws))
        tell(death(what, client, options.draws))
        time.sleep(0.3)
    tell(speed_up(what, options.draws))
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in found], indent=1))


if __name__ == "__main__":
    main()
