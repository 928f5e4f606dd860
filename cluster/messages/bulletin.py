"""A bulletin: all there is to show of a run at one moment, as its coordinator posts it.

Each is the whole and not a change, so whoever misses some misses nothing, and a scheduler that was
started again knows everything after the next. Its size is bounded whatever the run.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plan.nouns import Words

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RUNNING = "running"
"""The state of a run before its end; after it, the value of an `Ending`."""


@dataclass(frozen=True, eq=False)
class Bulletin:
    """A run at one moment.

    Attributes
    ----------
    run, client : str
        The run's name, and the id of the Dask client that it uses.
    owner, program : str
        ``user@host``, and what was started there.
    state : str
        RUNNING, or why it is over: the value of an `Ending`.
    began_at, seconds, left_s : float
        When it began, by the coordinator's clock since the epoch; how long it has gone on; how
        long it still will, nan when that is not known.
    words : Words
        What is called a chain and a draw here, and in a run of NUTS is one.
    n_chains, total, tune : int
        Chains of the run; draws of each, warmup included; how many of them are warmup.
    n_events : int
        Notes so far; ``events`` holds the last of them.
    units : (k,) int64
        The chains that have begun; the next arrays have a number for each of them.
    draw, divergences, gradients, attempt, retries : (k,) int64
        As in `Progress`.
    step_size, speed : (k,) float64
        Of the last transition; draws a second.
    phases, workers : list of str
    names : list of str
        Some of the variables; the next arrays have a number for each of them.
    mean, sd, rhat, ess : (m,) float64
        Of the draws so far; empty while there are too few.
    numbers : (p,) int64
        Draw numbers of the points of the traces.
    traced : list of str
        Some of the variables again, whose traces are shown.
    lines : (c,) int64
        Some of the chains, whose traces are shown.
    traces : (len(traced), c, p) float64
        Draws; nan where a chain is not that far.
    history : (h, 3) float64
        How it formed: draws of each chain after warmup, largest R-hat, smallest ESS.
    events : list of [float, str, str]
        Notes: when (as ``began_at``), of which kind, in words.
    kinds : dict of str to int
        How many notes there were of each kind.
    """

    run: str
    client: str
    owner: str
    program: str
    state: str
    began_at: float
    seconds: float
    left_s: float
    words: Words
    n_chains: int
    total: int
    tune: int
    n_events: int
    units: Ints
    draw: Ints
    divergences: Ints
    gradients: Ints
    attempt: Ints
    retries: Ints
    step_size: Floats
    speed: Floats
    phases: list[str]
    workers: list[str]
    names: list[str]
    mean: Floats
    sd: Floats
    rhat: Floats
    ess: Floats
    numbers: Ints
    traced: list[str]
    lines: Ints
    traces: Floats
    history: Floats
    events: list[list[Any]]
    kinds: dict[str, int]

    @property
    def draws(self) -> int:
        """Draws done by all chains."""
        return int(self.draw.sum())

    @property
    def wanted(self) -> int:
        """Draws wanted of all chains."""
        return self.n_chains * self.total

    @property
    def worst(self) -> tuple[float, float]:
        """The largest R-hat and the smallest ESS; nan while there are none."""
        if not self.rhat.size:
            return float("nan"), float("nan")
        return float(np.fmax.reduce(self.rhat)), float(np.fmin.reduce(self.ess))


def summary(of: Bulletin, state: str, heard_s: float) -> dict[str, Any]:
    """Return the totals of a run as plain values for JSON; None for what there is not.

    Keys are the same for all methods, and "called" says what a chain and a draw are in this run.

    Parameters
    ----------
    state : str
        Which may be another than the coordinator knows.
    heard_s : float
        Seconds since the bulletin came.
    """
    rhat, ess = of.worst
    totals: dict[str, Any] = plain(
        {
            "run": of.run,
            "owner": of.owner,
            "program": of.program,
            "state": state,
            "began_at": of.began_at,
            "seconds": of.seconds,
            "left_s": of.left_s,
            "heard_s": heard_s,
            "called": of.words.called,
            "chains": of.n_chains,
            "draws": of.draws,
            "draws_wanted": of.wanted,
            "tune": of.tune,
            "divergences": int(of.divergences.sum()),
            "gradients": int(of.gradients.sum()),
            "blocks_run_again": int(of.retries.sum()),
            "draws_per_s": of.draws / of.seconds if of.seconds > 0 else None,
            "rhat": rhat,
            "ess": ess,
            "notes": of.kinds,
        }
    )
    return totals


def detail(of: Bulletin) -> dict[str, Any]:
    """Return chains, variables and notes of a run as plain values for JSON."""
    chains = zip(
        *(getattr(of, name).tolist() for name in _NUMBERS), of.phases, of.workers, strict=True
    )
    names = of.names if of.rhat.size else []
    figures = (getattr(of, name).tolist() for name in _FIGURES)
    found: dict[str, Any] = plain(
        {
            "chain_list": [
                dict(zip(("chain", *_NUMBERS[1:], "phase", "worker"), chain, strict=True))
                for chain in chains
            ],
            "variables": {
                name: dict(zip(_FIGURES, values, strict=True))
                for name, values in zip(names, zip(*figures, strict=True), strict=True)
            },
            "events": [
                {"at": at, "kind": kind, "message": message} for at, kind, message in of.events
            ],
        }
    )
    return found


_NUMBERS = (
    "units",
    "draw",
    "divergences",
    "gradients",
    "attempt",
    "retries",
    "step_size",
    "speed",
)
_FIGURES = ("mean", "sd", "rhat", "ess")


def plain(value: Any) -> Any:
    """Replace what JSON has no word for, however deep."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
