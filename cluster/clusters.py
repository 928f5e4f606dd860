"""Clusters of our own: where "local" comes from."""

import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

from distributed import LocalCluster

from exmc_dask.errors import ClusterStartError

from .pool import n_processors

_MARK = "EXMC_UNGUARDED_MARK"  # the file in which a child tells its parent of the missing guard


def local(n_workers: int | None = None, **options: Any) -> LocalCluster:
    """Start a cluster of processes on this machine, one thread each, seen from nowhere else.

    Parameters
    ----------
    n_workers : int, optional
        As many as there are processors by default.
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
            return LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=n_workers or n_processors(),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # of the health page; None is 8787, taken or not
                scheduler_kwargs={"dashboard": False},  # Bokeh's import takes a second
                preload=["exmc_dask.cluster.preload"],
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
