"""What schedulers and workers do when they start with ``--preload exmc_dask.cluster.preload``."""

import contextlib
import signal
import threading
from importlib import import_module

from distributed import Scheduler, Worker


def dask_setup(server: Scheduler | Worker) -> None:
    """Let a scheduler show runs, and a worker of ours load what blocks need; Dask calls it."""
    if isinstance(server, Scheduler):
        from .dashboard.board import Board

        server.add_plugin(Board(), idempotent=True)
    else:
        _prepare_worker()


def _prepare_worker() -> None:
    """Leave a Ctrl-C to the coordinator, and load what blocks need while the cluster comes up.

    The terminal sends the interrupt to all processes of the program. A worker that took it would
    die with its block, instead of sending what it has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_load_engine, name="exmc-preload", daemon=True).start()


def _load_engine() -> None:
    """Import the engine and the sampler; what is wrong with them the first block will say."""
    from exmc_dask.errors import ExmcError

    with contextlib.suppress(ExmcError):
        import_module("exmc_dask.cluster.pools.dask_worker")
        import_module("exmc_dask.cluster.engines.nuts").build.runtime_module("run_cpu")
