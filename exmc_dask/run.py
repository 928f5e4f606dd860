"""Run: the handle of a run under way, from its first block to its result."""

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.moves import BlockResult, Note, Progress, Request
from exmc_dask.cluster.pool import open_pool
from exmc_dask.cluster.progress import watch
from exmc_dask.errors import ExmcError
from exmc_dask.recipe import Recipe
from exmc_dask.sampler.state import State

if TYPE_CHECKING:
    import xarray as xr

# What the first, second and further Ctrl-C while waiting ask for; where the list ends it is raised.
INTERRUPTS = (Request.AFTER, Request.CANCEL)

_EXIT_S = 10.0  # that runs which are not over may hold up the end of their process


@dataclass(frozen=True)
class Terms:
    """How a run is carried out; nothing here changes a draw.

    Attributes are the options of `exmc_dask.sample` of the same names.
    """

    client: Any = None
    cluster: Any = None
    progressbar: bool | str | Callable[[Progress | Note], None] = True
    on_failure: Literal["raise", "drop"] = "raise"
    block_draws: int | None = None
    compute_convergence_checks: bool = True


class Keeper(Protocol):
    """What keeps the blocks of a run beyond its process.

    Everything is called from the run's own thread, `block` in order per chain and before the
    block's draws are seen by anyone else.
    """

    def block(self, result: BlockResult) -> None:
        """Take an accepted block; what this raises ends the run."""

    def close(self) -> None:
        """Write what is still to be written: the run is over, or holds until it is extended."""


class Run:
    """A run of all chains, which goes on in threads of its own until it has its draws.

    What `exmc_dask.sample` returns with ``blocking=False``; without it, it waits for this.

    Parameters
    ----------
    recipe : Recipe
    terms : Terms
    keeper : Keeper, optional
    states : mapping of int to State
        Where chains go on that were begun earlier.
    blocks : sequence of BlockResult
        What they had drawn by then, in order per chain.
    """

    def __init__(
        self,
        recipe: Recipe,
        terms: Terms,
        *,
        keeper: Keeper | None = None,
        states: Mapping[int, State] | None = None,
        blocks: Sequence[BlockResult] = (),
    ) -> None:
        self._recipe = recipe
        self._terms = terms
        self._keeper = keeper
        self._states = dict(states or {})
        self._blocks = list(blocks)  # all that were accepted, in the order in which they came
        self._over = threading.Event()
        self._seconds = 0.0
        self._begin()

    def wait(self, timeout: float | None = None) -> "xr.DataTree":
        """Wait until the run is over and return its result.

        The first Ctrl-C meanwhile lets the blocks in flight come in and then ends the run, the
        second ends it without them; both give what there is. A third is raised.

        Parameters
        ----------
        timeout : float, optional
            Seconds; for ever by default.

        Returns
        -------
        xarray.DataTree
            The draws that all chains have.

        Raises
        ------
        TimeoutError
            The run is not over yet. It goes on.
        ExmcError
            What ended the run before its time. What was drawn before is in its ``partial``.
        """
        if not self._await(timeout):
            raise TimeoutError(f"the run is not over after {timeout:g} s; it goes on")
        error = self._driver.error
        if error is not None and not isinstance(error, ExmcError):
            raise error
        trace = self._tree(whole=error is None)
        if error is not None:
            error.partial = trace
            raise error
        self._recipe.add_densities(trace)
        if self._terms.compute_convergence_checks:
            _report(trace)
        return trace

    def inspect(self) -> "xr.DataTree":
        """Return the draws so far, as many as all chains have; the run goes on."""
        return self._tree(whole=True)

    def events(self) -> list[Progress | Note]:
        """Return what was shown so far, the last ten thousand at most."""
        return self._driver.events()

    def close(self, timeout: float | None = None) -> None:
        """End the run without the blocks in flight, if it is not over; wait for that."""
        self._driver.ask(Request.CANCEL)
        self._over.wait(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # From the first block to the last ------------------------------------------------------------

    def _begin(self) -> None:
        recipe, terms, settings = self._recipe, self._terms, self._recipe.settings
        self._show = watch(terms.progressbar, recipe.chains, settings.total, settings.tune)
        self._pool = open_pool(terms.client, terms.cluster, recipe.chains)
        self._began = time.perf_counter()
        self._driver = Driver(
            self._pool,
            recipe.spec,
            units=range(recipe.chains),
            total=settings.total,
            initials=recipe.initials,
            states=self._states,
            on_block=self._accept,
            on_event=self._show,
            on_over=self._ended,
            max_block=terms.block_draws,
            on_failure=terms.on_failure,
        )
        try:
            self._driver.start()
        except BaseException:
            self._pool.close()
            raise
        _alive.add(self)
        atexit.unregister(_end_with_process)  # to run before what Dask has registered since
        atexit.register(_end_with_process)
        if terms.cluster == "local":  # while its workers load, import what the result is made of
            threading.Thread(target=import_module, args=("exmc_dask.output",), daemon=True).start()

    def _accept(self, result: BlockResult) -> None:
        if self._keeper is not None:
            self._keeper.block(result)
        self._show.block(result)
        self._blocks.append(result)
        self._states[result.unit] = result.state

    def _ended(self) -> None:
        self._seconds += time.perf_counter() - self._began
        with contextlib.ExitStack() as last:
            last.callback(self._over.set)
            last.callback(self._pool.close)
            if self._keeper is not None:
                last.callback(self._keeper.close)
            self._show.close()

    def _await(self, timeout: float | None) -> bool:
        """Wait, and take every Ctrl-C meanwhile as a wish."""
        until = None if timeout is None else time.monotonic() + timeout
        wishes = list(INTERRUPTS)
        while True:
            try:
                return self._over.wait(until and max(until - time.monotonic(), 0.0))
            except KeyboardInterrupt:
                if not wishes:
                    raise
                self._driver.ask(wishes.pop(0))

    # The result ----------------------------------------------------------------------------------

    def _tree(self, *, whole: bool) -> "xr.DataTree":
        seconds = self._seconds
        if not self._over.is_set():
            seconds += time.perf_counter() - self._began
        return self._recipe.tree(self._kept(whole=whole), {"sampling_time": seconds})

    def _kept(self, *, whole: bool) -> dict[int, list[BlockResult]]:
        """Leave out chains that were dropped, and after an error those that came to nothing."""
        kept: dict[int, list[BlockResult]] = {chain: [] for chain in range(self._recipe.chains)}
        for block in list(self._blocks):
            kept[block.unit].append(block)
        dropped = self._driver.dropped()
        return {c: blocks for c, blocks in kept.items() if c not in dropped and (whole or blocks)}


_alive: "weakref.WeakSet[Run]" = weakref.WeakSet()


def _end_with_process() -> None:
    """Have runs that nobody waited for not hold up the end of their process."""
    for run in list(_alive):
        run.close(_EXIT_S)


def _report(trace: "xr.DataTree") -> None:
    """Print findings as PyMC does, one line each."""
    from exmc_dask.diagnosis import diagnose

    for finding in diagnose(trace):
        print(finding)
