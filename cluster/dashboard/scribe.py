"""The scribe of a run: keeps the little that bulletins are made of, and writes them."""

import getpass
import math
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display.tally import Clock, Tally, glimpse_of
from ..messages.bulletin import RUNNING, Bulletin
from ..plan.asks import Ending
from ..plan.batches import chain_by_chain
from ..plan.moves import BlockResult, Note, Progress
from ..plan.nouns import NUTS, Words

N_TRACED, N_LINES, N_POINTS = 12, 8, 200  # variables, chains and points of the traces
N_HISTORY = 200
N_EVENTS = 100  # notes that a bulletin holds
N_ROWS = 10_000  # chains that it lists
_TEXT = 500  # letters of a note at most


class Scribe:
    """Takes what a run says and writes it down when asked; what it keeps is bounded.

    Parameters
    ----------
    run, client : str
        The run's name, and the id of the Dask client that it uses.
    n_chains, total, tune : int
    columns : mapping of str to shape
        What a row of draws consists of, in order.
    words : Words
        What chains and draws are called.
    """

    def __init__(
        self,
        run: str,
        client: str,
        n_chains: int,
        total: int,
        tune: int,
        columns: Mapping[str, tuple[int, ...]],
        words: Words = NUTS,
        clock: Clock = time.monotonic,
    ) -> None:
        self._words = words
        self._about: dict[str, Any] = {
            "run": run,
            "client": client,
            "owner": owner(),
            "program": program(),
            "began_at": time.time(),
            "words": replace(words, sets=()),  # notes have the names; there may be thousands
            "n_chains": n_chains,
            "total": total,
            "tune": tune,
        }
        self._tally = Tally(n_chains, total, tune, clock, quiet_s=0.0, words=words)
        self._traces = Traces(words.chains(n_chains))
        self._columns = columns
        self._names: list[str] = []
        self._history: list[tuple[float, float, float]] = []
        self._events: deque[list[Any]] = deque(maxlen=N_EVENTS)
        self._kinds: Counter[str] = Counter()

    def hear(self, event: Progress | Note) -> None:
        """Take a chain's progress or a note."""
        self._tally.see(event)
        if isinstance(event, Note):
            self._kinds[event.kind.value] += 1
            self._events.append([time.time(), event.kind.value, event.message[:_TEXT]])

    def block(self, result: BlockResult) -> None:
        """Take published draws."""
        if not self._words.drawn:
            return
        bounds = self._words.bounds
        for own in chain_by_chain(result, bounds[result.unit]) if bounds else (result,):
            self._take(own)

    def _take(self, result: BlockResult) -> None:
        self._tally.block(result)
        columns = self._tally.running.columns
        if columns is None or result.unit not in self._traces:
            return
        glimpse = glimpse_of(result)
        if glimpse is None:
            draws = result.draws
            self._traces.add(result.unit, draws.numbers, draws.values[:, columns[:N_TRACED]])
        else:
            self._traces.add(result.unit, glimpse.numbers, glimpse.values[:, :N_TRACED])

    def write(self, ending: Ending | None = None) -> Bulletin:
        """Write down where the run is, or why it is over."""
        tally = self._tally
        self._look(last=ending is not None)
        if not self._names and tally.running.columns is not None:
            self._names = names_of(self._columns, tally.running.columns)
        rows = [tally.rows[unit] for unit in sorted(tally.rows)][:N_ROWS]
        look = tally.look
        none = np.empty(0)
        lines, numbers, traces = self._traces.points()
        return Bulletin(
            **self._about,
            state=RUNNING if ending is None else ending.value,
            seconds=tally.seconds,
            left_s=tally.left_s if ending is None else 0.0,
            n_events=self._kinds.total(),
            units=_integers(row.unit for row in rows),
            draw=_integers(row.draw for row in rows),
            divergences=_integers(row.divergences for row in rows),
            gradients=_integers(row.gradients for row in rows),
            attempt=_integers(row.attempt for row in rows),
            retries=_integers(row.retries for row in rows),
            step_size=np.array([row.step_size for row in rows], np.float64),
            speed=np.array([row.draw / row.seconds if row.seconds > 0 else 0.0 for row in rows]),
            phases=["dropped" if row.unit in tally.dropped else row.phase.value for row in rows],
            workers=[row.worker for row in rows],
            names=self._names,
            mean=none if look is None else look.mean,
            sd=none if look is None else look.sd,
            rhat=none if look is None else look.rhat,
            ess=none if look is None else look.ess,
            numbers=numbers,
            traced=self._names[:N_TRACED],
            lines=lines,
            traces=traces,
            history=np.array(self._history, np.float64).reshape(-1, 3),
            events=list(self._events),
            kinds=dict(self._kinds),
        )

    def _look(self, last: bool) -> None:
        """Bring R-hat and ESS up to date and remember them; of a long history every second."""
        before = self._tally.look
        self._tally.look_again(last)
        look = self._tally.look
        if look is None or (before is not None and look.n_draws == before.n_draws):
            return
        self._history.append((float(look.n_draws), *look.worst))
        if len(self._history) > N_HISTORY:
            del self._history[1:-1:2]


class Traces:
    """Every so many draws of some chains; the more there are, the fewer of them are kept."""

    def __init__(self, n_chains: int) -> None:
        self._lines = np.unique(np.linspace(0, n_chains - 1, N_LINES).astype(np.int64))
        self._kept: dict[int, list[tuple[int, NDArray[np.float64]]]] = {
            int(line): [] for line in self._lines
        }
        self._every = 1
        self._width = 0

    def __contains__(self, chain: int) -> bool:
        """Tell whether a chain is one of those that are kept."""
        return chain in self._kept

    def add(self, chain: int, numbers: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Take the next rows of one of these chains."""
        self._width = values.shape[1]
        kept = self._kept[chain]
        wanted = numbers % self._every == 0
        kept += zip(numbers[wanted].tolist(), values[wanted].copy(), strict=True)
        while len(kept) > N_POINTS:
            self._every *= 2
            for rows in self._kept.values():
                rows[:] = [row for row in rows if row[0] % self._every == 0]

    def points(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return chains (c,), draw numbers (p,), and draws (k, c, p), nan where there is none."""
        numbers = sorted({number for rows in self._kept.values() for number, _ in rows})
        place = {number: p for p, number in enumerate(numbers)}
        points = np.full((self._width, len(self._lines), len(numbers)), np.nan)
        for c, line in enumerate(self._lines):
            for number, row in self._kept[int(line)]:
                points[:, c, place[number]] = row
        return self._lines, np.array(numbers, np.int64), points


def names_of(
    columns: Mapping[str, tuple[int, ...]], places: Sequence[int] | NDArray[np.int64]
) -> list[str]:
    """Return what stands at some places of a row: ``mu``, ``theta[2]``, ``L[1, 0]``."""
    names, at = [], 0
    left = deque(int(place) for place in places)
    for name, shape in columns.items():
        end = at + math.prod(shape)
        while left and left[0] < end:
            index = np.unravel_index(left.popleft() - at, shape)
            names.append(f"{name}[{', '.join(map(str, index))}]" if shape else name)
        at = end
    return names + [f"[{place}]" for place in left]


def owner() -> str:
    """Return who runs this process, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        user = "?"
    return f"{user}@{socket.gethostname()}"


def program() -> str:
    """Return what was started here."""
    if "ipykernel" in sys.modules:
        return "notebook"
    return Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"


def _integers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)
