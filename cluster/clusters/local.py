"""Clusters of our own: where "local" comes from."""

import multiprocessing
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from distributed import LocalCluster

from exmc_dask.errors import ClusterStartError
from exmc_dask.processor import n_processors

from . import adaptive

GPU = "GPU"
"""The resource that a worker with a GPU offers: ``dask worker --resources GPU=1``."""

_PRELOAD = "exmc_dask.cluster.preload"
_PORT = 8787  # where Dask's users look for a dashboard
_MARK = "EXMC_UNGUARDED_MARK"  # the file in which a child tells its parent of the missing guard


def cuda(**options: Any) -> Any:
    """Start a cluster of one process for each GPU of this machine, seen from nowhere else.

    Parameters
    ----------
    **options
        Of `dask_cuda.LocalCUDACluster`, such as ``CUDA_VISIBLE_DEVICES``.

    Returns
    -------
    dask_cuda.LocalCUDACluster
        To be closed by the caller, as by ``with``.

    Raises
    ------
    ClusterStartError
        dask-cuda is not installed, or finds no GPU.
    """
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        raise ClusterStartError(
            f"cluster='cuda' needs dask-cuda ({error}): pip install 'exmc-dask[cuda]'"
        ) from error
    try:
        return LocalCUDACluster(
            **{
                "host": "127.0.0.1",
                "dashboard_address": "127.0.0.1:0",
                "resources": {GPU: 1},
                "preload": [_PRELOAD],
                **options,
            }
        )
    except Exception as error:
        raise ClusterStartError(f"the cluster of GPUs did not come up: {error}") from error


def local(
    n_workers: int | None = None,
    *,
    adapt: tuple[int, int] | None = None,
    dashboard: bool | str = False,
    **options: Any,
) -> LocalCluster:
    """Start a cluster of processes on this machine, one thread each, seen from nowhere else.

    Parameters
    ----------
    n_workers : int, optional
        As many as there are processors by default.
    dashboard : bool or str
        Serve Dask's dashboard with our page on it, at an address that is given, or at
        127.0.0.1:8787 or any free port, and print the link. It costs a second at the start.
    adapt : (int, int), optional
        The fewest and the most workers. The cluster then has as many as there are chains that
        could go on, and begins with ``n_workers`` or the fewest; busy ones are never closed.
    **options
        Of `distributed.LocalCluster`, such as ``memory_limit`` or ``security``.

    Returns
    -------
    distributed.LocalCluster
        To be closed by the caller, as by ``with``.

    Raises
    ------
    ClusterStartError
        It did not come up, as when the program lacks ``if __name__ == "__main__"``.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A worker imports the main program, which lacks the guard and so arrives here again.
        if mark := os.environ.get(_MARK):
            Path(mark).write_text("unguarded")
        os._exit(1)
    with tempfile.TemporaryDirectory() as folder:
        mark_file = Path(folder, "mark")
        os.environ[_MARK] = str(mark_file)
        try:
            cluster: LocalCluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=n_workers or (adapt[0] if adapt else n_processors()),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=_address(dashboard),
                scheduler_kwargs=_shown() if dashboard else {"dashboard": False},
                preload=[_PRELOAD],
                **options,
            )
        except Exception as error:
            if mark_file.exists():
                raise ClusterStartError(
                    "worker processes import the program that starts them, so start it under\n"
                    '    if __name__ == "__main__":\n'
                    "        main()"
                ) from None
            raise ClusterStartError(f"the local cluster did not come up: {error}") from error
        finally:
            del os.environ[_MARK]
    if adapt is not None:
        adaptive.adapt(cluster, *adapt)
    if dashboard:
        print(f"exmc_dask: dashboard at {link(cluster)}", file=sys.stderr)
    return cluster


def link(of: Any, page: str = "exmc") -> str:
    """Return the address of a page of a client's or a cluster's dashboard."""
    status: str = of.dashboard_link or ""
    return f"{status.removesuffix('/').removesuffix('/status')}/{page}"


def _shown() -> dict[str, Any]:
    """Return the options of a scheduler with a dashboard; Bokeh's import takes a second."""
    return {"dashboard": True, "preload": [_PRELOAD]}


def _address(dashboard: bool | str) -> str:
    """Return where to serve; without a dashboard it is a health page, where None would be 8787."""
    if isinstance(dashboard, str):
        return dashboard
    with socket.socket() as probe:  # Dask would warn where its port is taken
        free = dashboard and probe.connect_ex(("127.0.0.1", _PORT)) != 0
    return f"127.0.0.1:{_PORT if free else 0}"
