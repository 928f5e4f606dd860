"""The board as Prometheus reads it: ``dask_exmc_*`` in the scheduler's ``/metrics``."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask

if TYPE_CHECKING:
    from .board import Board

COUNTERS = {
    "draws": "Draws of all runs, warmup included",
    "divergences": "Divergent transitions after warmup",
    "gradients": "Gradient evaluations",
    "blocks_run_again": "Blocks that were lost or failed and run again",
}


class Metrics:
    """A collector of one board."""

    def __init__(self, board: "Board") -> None:
        self.board = board

    def collect(self) -> Iterator[Any]:
        """Yield a family of samples for each metric."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        namespace = dask.config.get("distributed.dashboard.prometheus.namespace")
        start = f"{namespace}_exmc_" if namespace else "exmc_"
        runs = self.board.runs()
        for name, words in COUNTERS.items():
            yield CounterMetricFamily(start + name, words, value=self.board.totals[name])
        notes = CounterMetricFamily(start + "notes", "Notes of runs, by kind", labels=["kind"])
        for kind, count in sorted(self.board.notes.items()):
            notes.add_metric([kind], count)
        yield notes
        states = GaugeMetricFamily(start + "runs", "Runs on the board", labels=["state"])
        for state, count in sorted(Counter(state for _, state in runs).items()):
            states.add_metric([state], count)
        yield states
        labels = ["run", "owner"]
        done = GaugeMetricFamily(start + "run_done", "Share of a run's draws", labels=labels)
        rhat = GaugeMetricFamily(start + "run_rhat_max", "Largest R-hat of a run", labels=labels)
        ess = GaugeMetricFamily(start + "run_ess_min", "Smallest bulk ESS of a run", labels=labels)
        phases = GaugeMetricFamily(
            start + "run_chains", "Chains of a run that have begun", labels=[*labels, "phase"]
        )
        for entry, _ in runs:
            bulletin = entry.bulletin
            run = [bulletin.run, bulletin.owner]
            done.add_metric(run, bulletin.draws / max(1, bulletin.wanted))
            for phase, count in sorted(Counter(bulletin.phases).items()):
                phases.add_metric([*run, phase], count)
            if bulletin.rhat.size:
                rhat.add_metric(run, bulletin.worst[0])
                ess.add_metric(run, bulletin.worst[1])
        yield from (done, rhat, ess, phases)


_shown: list[Metrics] = []  # one at most: as in Dask, the last scheduler of a process is shown


def show(board: "Board") -> None:
    """Add a board to the process's metrics, where there is prometheus_client."""
    try:
        from prometheus_client import REGISTRY
    except ImportError:
        return
    if _shown:
        _shown[0].board = board
    else:
        _shown.append(Metrics(board))
        REGISTRY.register(_shown[0])


def hide(board: "Board") -> None:
    """Take a board out of the process's metrics, if it is there."""
    if _shown and _shown[0].board is board:
        from prometheus_client import REGISTRY

        REGISTRY.unregister(_shown.pop())
