"""What those who watch a run know of it, and how much of the run's time they may take."""

import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from math import isfinite

from exmc_dask.results.convergence import MIN_LOOK, Look, Running
from exmc_dask.sampler.receipt import Glimpse

from ..plan.moves import BlockResult, Note, Phase, Progress, Trouble
from ..plan.nouns import NUTS, Words

QUIET_S = 0.5  # shorter runs show nothing
# Of a run's time, at most: for the terminal or notebook, for the dashboard, and for R-hat and ESS,
# which each of the two finds for itself. Together they are one percent.
DRAW_SHARE, POST_SHARE, LOOK_SHARE = 0.004, 0.002, 0.002
LOOK_S = 0.6e-6  # for each number that R-hat and ESS are found from, about

Clock = Callable[[], float]


class Meter:
    """Lets something be done now and then, and no more often than its cost allows.

    Parameters
    ----------
    share : float
        Of the time, at most, that may be spent.
    first_s : float
        Time until it is due at first.
    """

    def __init__(self, clock: Clock, share: float, first_s: float = 0.0) -> None:
        self._clock = clock
        self._share = share
        self._began = clock()
        self._due = self._began + first_s
        self._cost = 0.0

    @property
    def due(self) -> bool:
        """Whether the time has come."""
        return self._clock() >= self._due

    def allows(self, expected_s: float = 0.0, last: bool = False) -> bool:
        """Tell whether `when_due` would do it."""
        now = self._clock()
        if last:
            expected_s = max(expected_s, self._cost)
        return expected_s <= self._share * (now - self._began) and (last or now >= self._due)

    def when_due(
        self,
        every_s: float,
        act: Callable[[], None],
        *,
        expected_s: float = 0.0,
        last: bool = False,
    ) -> None:
        """Do it, when that is due, and measure what it costs.

        Nothing is done that is expected to cost more than the share of all the time so far. The
        last time need not be due otherwise.
        """
        if not self.allows(expected_s, last):
            return
        began = self._clock()
        act()
        now = self._clock()
        self._cost = now - began
        self._due = now + max(every_s, self._cost / self._share)


class Tally:
    """What is known of all chains of a run.

    Attributes
    ----------
    rows : dict of int to Progress
        The last word of each chain that has begun.
    dropped : set of int
        Chains that were given up.
    look : Look or None
        R-hat and ESS so far.
    words : Words
    """

    def __init__(
        self,
        n_chains: int,
        total: int,
        tune: int,
        clock: Clock = time.monotonic,
        quiet_s: float = QUIET_S,
        words: Words = NUTS,
        spent_s: float = 0.0,
    ) -> None:
        self.words = words
        self.n_chains, self.total, self.tune = n_chains, total, tune
        self.rows: dict[int, Progress] = {}
        self.dropped: set[int] = set()
        self.look: Look | None = None
        self.running = Running(words.chains(n_chains), total - tune)
        self._clock = clock
        self._began = clock() - spent_s  # of a run that has gone on for a while
        self._meter = Meter(clock, LOOK_SHARE, quiet_s)

    def see(self, event: Progress | Note) -> None:
        """Remember where a chain is, or that it was given up."""
        if isinstance(event, Progress):
            self.rows[event.unit] = event
            self.total = event.total  # which grows when a run is extended
        elif event.kind is Trouble.DROPPED and event.unit is not None:
            self.dropped.add(event.unit)

    def block(self, result: BlockResult) -> None:
        """Take published draws."""
        glimpse = glimpse_of(result)
        if glimpse is not None:
            after = glimpse.numbers >= self.tune
            self.running.add(result.unit, glimpse.values[after], glimpse.columns)
            return
        draws = result.draws
        kept = draws.between(self.tune, draws.first + draws.thin * len(draws))
        self.running.add(result.unit, draws.values[kept])

    def look_again(self, last: bool = False) -> None:
        """Bring R-hat and ESS up to date, when that is due and there is something new."""
        common = self.running.common
        if common < MIN_LOOK or (self.look is not None and self.look.n_draws == common):
            return
        expected_s = LOOK_S * self.running.size
        if not self._meter.allows(expected_s, last):
            return
        import_module("scipy.special")  # the result will need it anyway, so it does not count
        self._meter.when_due(0.0, self._look, expected_s=expected_s, last=last)

    def _look(self) -> None:
        self.look = self.running.look()

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return self._clock() - self._began

    @property
    def draws(self) -> int:
        """Draws done by all chains."""
        return sum(row.draw for row in self.rows.values())

    @property
    def left_s(self) -> float:
        """Estimated time to the end, from the pace so far; nan before the first draw."""
        if not self.draws:
            return float("nan")
        return self.seconds * (self.n_chains * self.total / self.draws - 1)

    @property
    def phases(self) -> Counter[str]:
        """How many chains are in which phase; "waiting" before their first word."""
        count = Counter(
            "dropped" if row.unit in self.dropped else row.phase.value for row in self.rows.values()
        )
        count["waiting"] = self.n_chains - count.total()
        order = ("waiting", *(phase.value for phase in Phase), "dropped")
        return Counter({name: count[name] for name in order if count[name]})

    @property
    def divergences(self) -> int:
        """Divergent transitions after warmup, of all chains."""
        return sum(row.divergences for row in self.rows.values())

    @property
    def retries(self) -> int:
        """Attempts that came to nothing, of all chains."""
        return sum(row.retries for row in self.rows.values())

    @property
    def behind(self) -> list[Progress]:
        """Chains that have begun, the furthest behind first."""
        return sorted(self.rows.values(), key=lambda row: (row.draw, row.unit))

    def parts(self) -> list[str]:
        """Say where the chains are, and how well they agree."""
        found = []
        if self.rows:
            found.append(
                self.words("chains: ") + ", ".join(f"{n} {name}" for name, n in self.phases.items())
            )
        if self.look is not None:
            rhat, ess = self.look.worst
            agree = (
                f"R-hat up to {rhat:.3f}, " if isfinite(rhat) else ""
            )  # of one chain there is none
            found.append(f"{agree}ESS from {ess:.0f}")
        return found

    def sentence(self) -> str:
        """Say where the run is, in one line."""
        parts = [f"{self.draws} of {self.n_chains * self.total} {self.words('draws')}"]
        parts += self.parts()
        for count, one, many in (
            (self.divergences, "divergence", "divergences"),
            (self.retries, "block run again", "blocks run again"),
        ):
            if count:
                parts.append(f"{count} {one if count == 1 else many}")
        if self.draws and self.seconds > 0:
            parts.append(f"{self.draws / self.seconds:.0f} {self.words('draws')}/s")
            parts.append(f"{span(self.seconds)} gone, {span(self.left_s)} left")
        return "; ".join(parts)


def glimpse_of(result: BlockResult) -> Glimpse | None:
    """Return what is to be seen of a block whose draws are not sent; None: they are here.

    Of a run whose workers write draws, blocks that one of them could not write, and those of an
    earlier life, are seen as sparsely as all others.
    """
    if result.receipt is not None:
        return result.receipt.glimpse
    sparse = result.draws.sparse or result.unwritten
    return Glimpse.at(result.draws) if sparse else None


def speed(row: Progress) -> float:
    """Return a chain's draws a second of drawing; 0 before there are any."""
    return row.draw / row.seconds if row.seconds > 0 else 0.0


def left(row: Progress) -> str:
    """Return how long a chain still draws, for reading."""
    return span((row.total - row.draw) / speed(row)) if speed(row) else ""


class View:
    """Something that shows now and then what a tally knows, until nobody looks any more.

    Parameters
    ----------
    tally : Tally
    every_s : float
        Between two showings, at least.
    """

    def __init__(self, tally: Tally, every_s: float, clock: Clock) -> None:
        self._tally = tally
        self._every_s = every_s
        self._meter = Meter(clock, DRAW_SHARE, QUIET_S)
        self._gone = False
        self._shown = False

    def __call__(self, event: Progress | Note) -> None:
        """Take a chain's progress or a note."""
        self._tally.see(event)
        if isinstance(event, Note):
            self._try(lambda: self.note(event))
        if self._meter.due:
            self.load()
            self._meter.when_due(self._every_s, lambda: self._try(self._show))

    def block(self, result: BlockResult) -> None:
        """Take published draws."""
        self._tally.block(result)

    def close(self) -> None:
        """Show how it ended, if anything was shown before."""
        if self._shown:
            self._tally.look_again(last=True)
            self._try(self.draw)
        self._try(self.end)

    def load(self) -> None:
        """Import what drawing needs; that happens once and does not count as drawing."""

    def note(self, note: Note) -> None:
        """Show a note, now or with the next drawing."""

    def draw(self) -> None:
        """Show where the run is."""

    def end(self) -> None:
        """Draw no more."""

    def _show(self) -> None:
        self._shown = True
        self._tally.look_again()
        self.draw()

    def _try(self, act: Callable[[], None]) -> None:
        """Do it; a terminal or pipe that is gone must not cost the run."""
        if self._gone:
            return
        try:
            act()
        except (OSError, ValueError):  # a ValueError is that of a closed file
            self._gone = True


def span(seconds: float) -> str:
    """Write a time for reading: 3 s, 2 min 5 s, 4 h 10 min."""
    if not isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
