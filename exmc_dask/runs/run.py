"""Run: the handle of a run under way, from its first block to its result."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from exmc_dask.cluster.display.progress import watch
from exmc_dask.cluster.driver import Driver
from exmc_dask.cluster.opening import open_pool
from exmc_dask.cluster.plan.asks import Ending, Request
from exmc_dask.cluster.plan.moves import BlockResult, Note, Progress
from exmc_dask.errors import ExmcError, OptionError
from exmc_dask.runs import trees
from exmc_dask.runs.farewell import close_at_end
from exmc_dask.runs.glance import Glance, Shown, state_of
from exmc_dask.runs.harvest import Harvest
from exmc_dask.runs.instead import instead
from exmc_dask.runs.leg import Leg, Legs
from exmc_dask.runs.recipe import Recipe
from exmc_dask.runs.stream import Draw
from exmc_dask.runs.terms import Keeper, Terms
from exmc_dask.runs.warmstart import Earlier
from exmc_dask.runs.wishes import heeding
from exmc_dask.sampler.pooling import Lesson
from exmc_dask.sampler.state import ChainState, State
from exmc_dask.warned import warn

if TYPE_CHECKING:
    import xarray as xr


class Run(contextlib.AbstractContextManager["Run"], Shown):
    """A run of all chains, which goes on in threads of its own until it has its draws.

    What `exmc_dask.sample` returns with ``blocking=False``; without it, it waits for this. As a
    context manager it ends the run with the context.

    Parameters
    ----------
    recipe : Recipe
    terms : Terms
    keeper : Keeper, optional
    states : mapping of int to State
        Where chains go on that were begun earlier.
    blocks, lessons : sequence of BlockResult, sequence of Lesson
        What they had drawn by then, in order per chain, and what groups of them had learnt.
    seconds : float
        Time that the run had taken by then.
    """

    def __init__(
        self,
        recipe: Recipe,
        terms: Terms,
        *,
        keeper: Keeper | None = None,
        states: Mapping[int, State] | None = None,
        blocks: Sequence[BlockResult] = (),
        lessons: Sequence[Lesson] = (),
        seconds: float = 0.0,
    ) -> None:
        self._recipe = recipe
        self._terms = terms
        self._keeper = keeper or Keeper()
        self._harvest = Harvest(recipe.chains, blocks, states or {}, lessons)
        self._legs = Legs()
        self._progress: dict[int, Progress] = {}
        self._seconds = seconds
        self._goes_on = False  # asked for while it was under way
        self._wish: Request | None = None  # what was asked for last and not taken back
        self._is_closing = False  # and will not go on before it is over
        self._wanting = ""  # what until= asks for and the last look did not find
        self._begin()

    # What the owner may ask ----------------------------------------------------------------------

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
            The draws that all chains have. The attribute ``ending`` says why there are no more.

        Raises
        ------
        TimeoutError
            The run is not over yet. It goes on.
        ExmcError
            What ended the run before its time. What was drawn before is in its ``partial``.
        """
        until, ends = None if timeout is None else time.monotonic() + timeout, self._harvest.wait
        if not heeding(self._ask, lambda: ends(until and max(until - time.monotonic(), 0.0))):
            raise TimeoutError(f"the run is not over after {timeout:g} s; it goes on")
        self._raise()
        trace = self._tree()
        self._recipe.add_densities(trace)
        if self._wanting and self._driver.ending is Ending.COMPLETE:
            warn(f"until= is not reached in {self._recipe.settings.draws} draws: {self._wanting}")
        if self._terms.compute_convergence_checks:
            from exmc_dask.results.diagnosis import report

            report(trace)
        return trace

    def pause(self) -> None:
        """Start no block until `resume`; those in flight come in."""
        self._ask(Request.PAUSE)

    def resume(self) -> None:
        """Go on: after `pause`, and as well after `abort`, Ctrl-C, ``max_time_s`` or an error."""
        with self._settled():
            if self._harvest.is_over and self._is_short():
                self._begin()
            elif not self._harvest.is_over:
                self._ask(Request.RESUME)

    def stop(self) -> None:
        """End the run when the blocks in flight are in, as the first Ctrl-C does."""
        self._ask(Request.AFTER)

    def abort(self) -> None:
        """End the run within 5 seconds, with the blocks in flight as far as they are."""
        self._ask(Request.NOW)

    def extend(self, draws: int) -> None:
        """Have so many more draws of each chain, and go on if the run is over.

        The result is that of a run that was asked for all of them at once, bit for bit.

        Raises
        ------
        OptionError
            Not a whole number above 0; or ``until=`` still decides how many draws there will be.
        """
        if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
            raise OptionError(f"draws={draws!r} is not possible; give a whole number above 0")
        with self._settled():
            under_way, until = not self._harvest.is_over, self._recipe.until
            if under_way and until is not None:
                raise OptionError("until= decides when this run ends; extend it after that")
            self._aim(self._recipe.to_draw(self._recipe.settings.draws + int(draws), until))
            if under_way:
                self._goes_on, self._wish = True, None
                self._driver.extend(self._recipe.settings.total)
            else:
                self._begin()

    def close(self, timeout: float | None = None) -> None:
        """End the run without the blocks in flight, if it is not over; wait for that."""
        self._ask(Request.CANCEL)
        self._harvest.wait(timeout)

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is so far ------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """No block is under way and none will be, unless it is asked for."""
        return self._harvest.is_over

    @property
    def earlier(self) -> Earlier:
        """What other runs may begin from."""
        begun = {c: s for c, s in list(self._harvest.states.items()) if isinstance(s, ChainState)}
        return Earlier(self._recipe.density, self._recipe.settings.tune, begun)

    @property
    def progress(self) -> list[Progress]:
        """Where each chain is, as far as it was heard of."""
        return [self._progress[chain] for chain in sorted(self._progress)]

    def events(self) -> list[Progress | Note]:
        """Return what was shown so far, the last ten thousand of each time it went on at most."""
        return self._legs.events()

    def inspect(self) -> "xr.DataTree":
        """Return the draws that all chains have so far; the run goes on."""
        return self._tree()

    def ragged(self) -> "dict[int, xr.DataTree]":
        """Return all draws so far, chain by chain, as some have more than others.

        Chains that could not go on are there as well, and draws that ``until=`` did not need.
        """
        return trees.ragged(self._recipe, self._harvest, self._attrs())

    def stream(self, first: int = 0) -> Iterator[Draw]:
        """Go over the kept draws of all chains while they come in, until the run is over.

        Every draw comes once, in order per chain, whatever fails meanwhile: it is handed on when
        its block is accepted. With ``until=`` that is when it is sure to be in the result.

        Parameters
        ----------
        first : int
            Number of the first draw that is wanted, counted from the end of warmup.

        Yields
        ------
        Draw
            Each stream has all draws, also those that were there before it began.

        Raises
        ------
        ExmcError
            What ended the run before its time, after the draws that it had by then.
        """
        yield from self._harvest.stream(self._recipe.to_stream(), self._recipe.settings.tune, first)
        self._raise()

    def glance(self) -> Glance:
        """Say where it is."""
        ending, error = self._driver.ending if self.is_over else None, self._driver.error
        state = state_of(self._wish, ending, error)
        found = (self._recipe, self._harvest, self._legs, self.progress)
        return Glance(*found, state=state, seconds=self._spent_s, place=self._keeper.place)

    # From the first block to the last ------------------------------------------------------------

    @property
    def _driver(self) -> Driver:
        return self._legs[-1].driver

    def _begin(self) -> None:
        """Carry the recipe out from where the chains are."""
        terms, settings = self._terms, self._recipe.settings
        self._wish, self._spent_before_s = None, self._seconds
        self._show = watch(terms.progressbar, self._recipe.chains, settings.total, settings.tune)
        for block in self._harvest.blocks:
            self._show.block(block)
        self._pool = open_pool(terms.client, terms.cluster, self._recipe.chains)
        try:
            self._drive()
        except BaseException:
            self._pool.close()
            raise
        close_at_end(self)
        if terms.cluster == "local":  # while its workers load, import what the result is made of
            trees.load_beside()

    def _drive(self, notes: Sequence[Note] = ()) -> None:
        recipe, harvest = self._recipe, self._harvest
        self._goes_on, self._wanting = False, ""
        leg = Leg.of(
            *(self._pool, recipe, self._terms, self._seconds - self._spent_before_s),
            *(self._legs.left(recipe.chains), harvest),
            notes=[*recipe.notes, *notes],
            on_block=self._accept,
            on_event=self._see,
            on_look=self._judge,
            on_lesson=self._learn,
            on_over=self._ended,
        )
        self._legs.append(leg)
        self._began = time.perf_counter()
        harvest.begin(recipe.looks[0] - recipe.settings.tune if recipe.looks else inf)
        try:
            leg.driver.start()
        except BaseException as error:
            leg.driver.error = error
            harvest.end()
            raise

    def _accept(self, result: BlockResult) -> None:
        for block in self._recipe.units.results(result):
            block = self._keeper.block(block)
            self._show.block(block)
            self._harvest.bring_in(block)
        self._pass_on()

    def _learn(self, lesson: Lesson) -> None:
        self._keeper.lesson(lesson)
        self._harvest.lessons.append(lesson)

    def _see(self, event: Progress | Note) -> None:
        if isinstance(event, Note):
            for note in self._recipe.units.notes(event):
                self._keeper.see(note)
                self._show(note)
            return
        for progress in self._recipe.units.progress(event):
            self._progress[progress.unit] = progress
            self._show(progress)

    def _pass_on(self) -> None:
        """Show what the keeper has to say, and let go of what it has."""
        for note in self._keeper.notes():
            self._driver.tell(note)
        self._harvest.put_away(self._keeper.stored(), self._keeper.away)

    def _judge(self, draw: int) -> str:
        """Say what the draws before one do not have yet of what until= asks for."""
        recipe = self._recipe
        assert recipe.until is not None
        self._wanting = self._harvest.wanting(recipe.until, draw, recipe.settings)
        sure = next((n for n in recipe.looks if n > draw), draw) if self._wanting else draw
        self._harvest.rely_on(sure - recipe.settings.tune)
        return self._wanting

    def _aim(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._keeper.aim(recipe)

    def _ended(self) -> None:
        """Go on if that was asked for meanwhile; else give back what the run had."""
        with self._harvest.news:
            self._seconds += time.perf_counter() - self._began
            if self._follows():
                return
            self._is_closing = True
        try:
            with contextlib.ExitStack() as last:
                last.callback(self._pool.close)
                last.callback(self._show.close)
                last.callback(self._pass_on)
                last.callback(self._keeper.close)
                if self._driver.ending is Ending.ENOUGH:
                    self._aim(self._recipe.to_draw(int(self._harvest.sure)))
                else:
                    self._harvest.rely_on(inf)
        except BaseException as error:
            self._driver.error = self._driver.error or error
        finally:
            self._is_closing = False
            self._harvest.end()

    def _follows(self) -> bool:
        """Go on with another driver if there is reason to."""
        notes: list[Note] = []
        if self._driver.error is not None or self._driver.ending is Ending.RELIEVED:
            other, notes = instead(self._recipe, self._driver.error, self._harvest.states)
            if other is None or self._wish not in (None, Request.PAUSE):
                for note in notes if other is None else ():
                    self._driver.tell(note)
                return False
            self._aim(other)
        elif not (self._goes_on and self._is_short()):
            return False
        with contextlib.suppress(Exception):  # kept by the leg, and raised by `wait`
            self._drive(notes)
            if self._wish is not None:  # the one before may have been over when it was asked
                self._driver.ask(self._wish)
            return True
        return False

    @contextlib.contextmanager
    def _settled(self) -> Iterator[None]:
        """Have the run stay either under way or over."""
        with self._harvest.news:
            self._harvest.news.wait_for(lambda: not self._is_closing)
            yield

    def _ask(self, request: Request) -> None:
        self._goes_on = request is Request.RESUME or (self._goes_on and request is Request.PAUSE)
        self._wish = None if request is Request.RESUME else request
        self._driver.ask(request)

    # The result ----------------------------------------------------------------------------------

    def _is_short(self) -> bool:
        """Tell whether there is anything to go on with."""
        recipe, left = self._recipe, self._legs.left(self._recipe.chains)
        return any(self._harvest.reached(c) < recipe.settings.total for c in left)

    def _tree(self, *, begun: bool = False) -> "xr.DataTree":
        return trees.common(
            self._recipe, self._harvest, self._legs.dropped(), self._attrs(), begun=begun
        )

    def _attrs(self) -> dict[str, Any]:
        ending = self._driver.ending
        return {"sampling_time": self._spent_s, "ending": ending.outcome if ending else ""}

    @property
    def _spent_s(self) -> float:
        going = 0.0 if self._harvest.is_over else time.perf_counter() - self._began
        return self._seconds + going

    def _raise(self) -> None:
        """Raise what ended the run before its time, with what it had by then."""
        error = self._driver.error
        if isinstance(error, ExmcError):
            error.partial = self._tree(begun=True)
        if error is not None:
            raise error
