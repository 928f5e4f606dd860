"""install_dashboard(): the page of runs on a scheduler that is already running."""

from collections.abc import Callable
from typing import Any

from distributed import Client

from exmc_dask import __version__
from exmc_dask.errors import ClientError, ClusterError, ClusterMismatch

from .clients import current_client
from .clusters.local import link

_PRELOAD = "--preload exmc_dask.cluster.preload"


def install_dashboard(client: Client | None = None) -> str:
    """Put the page ``/exmc`` on the dashboard of a running scheduler, for all who use it.

    Beside the page there are ``/exmc.json`` and, where prometheus_client is installed,
    ``dask_exmc_*`` in ``/metrics``. Runs that are under way appear within seconds. A scheduler that
    is started with ``--preload exmc_dask.cluster.preload`` has all of it from the beginning.

    Parameters
    ----------
    client : distributed.Client, optional
        The current one by default.

    Returns
    -------
    str
        The address of the page.

    Raises
    ------
    ClientError
        There is no client, or it is closed or asynchronous.
    ClusterMismatch
        The scheduler lacks the package, or has another version of it.
    ClusterError
        The scheduler serves no dashboard.
    """
    client = client or current_client()
    if client is None:
        raise ClientError("there is no Dask client; give one: install_dashboard(client)")
    if client.status != "running" or client.asynchronous:
        kind = "asynchronous" if client.asynchronous else client.status
        raise ClientError(f"the client is {kind}; use one that is open and Client(...)")
    at = client.scheduler.address if client.scheduler is not None else "?"
    theirs: str | None = client.run_on_scheduler(_version)  # type: ignore[no-untyped-call]
    if theirs != __version__:
        has = "lacks exmc_dask" if theirs is None else f"has exmc_dask {theirs}"
        raise ClusterMismatch(
            f"the scheduler at {at} {has} (here {__version__}), so it cannot show runs; install "
            f"the same version there and try again, or start it with {_PRELOAD}"
        )
    found: dict[str, Any] = client.run_on_scheduler(_install)  # type: ignore[no-untyped-call]
    if not found["dashboard"]:
        raise ClusterError(
            f"the scheduler at {at} serves no dashboard, so runs are shown as JSON only, at "
            f"{link(client, 'exmc.json')}; start it with a dashboard and with Bokeh installed"
        )
    return link(client)


def _by_value() -> tuple[Callable[..., Any], ...]:
    """Make what runs on the scheduler; local functions, so that they are pickled by value."""

    def exmc_version() -> str | None:
        try:
            from exmc_dask import __version__
        except ImportError:
            return None
        return __version__

    async def exmc_install(dask_scheduler: Any) -> dict[str, Any]:
        from exmc_dask.cluster.dashboard.board import install

        return await install(dask_scheduler)

    return exmc_version, exmc_install


_version, _install = _by_value()
