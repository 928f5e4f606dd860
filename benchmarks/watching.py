"""What does watching a run cost? Processor time of all that shows it, over the run's time.

Every call of what shows a run, the terminal's table, log lines, JSON, the notebook's table and the
dashboard's bulletins, is timed in the processor time of its thread while a real model is sampled.
"all" is the terminal and the dashboard together.
"""

import argparse
import io
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import exmc_dask as ed
from exmc_dask.cluster.dashboard.herald import Herald
from exmc_dask.cluster.display import progress
from exmc_dask.cluster.display.notebook import Notebook
from exmc_dask.cluster.display.tally import Tally
from exmc_dask.cluster.pools import dask_pool

FORMS = ("rich", "log", "json", "notebook", "dashboard", "all")
SPENT: defaultdict[str, float] = defaultdict(float)
WATCH = progress.watch


class Terminal(io.StringIO):
    """Takes what would be written to a terminal."""

    def isatty(self) -> bool:
        return True


class Timed:
    """Something that is told of a run; the time it takes is counted."""

    def __init__(self, kind: str, told: Any) -> None:
        self._kind, self._told = kind, told

    def __call__(self, event: Any) -> None:
        self._count(self._told, event)

    def block(self, result: Any) -> None:
        self._count(self._told.block, result)

    def close(self, *ending: Any) -> None:
        self._count(self._told.close, *ending)

    def _count(self, call: Callable[..., None], *what: Any) -> None:
        began = time.thread_time()
        call(*what)
        SPENT[self._kind] += time.thread_time() - began


def model_of(n_rows: int) -> ed.Model:
    """A logistic regression."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n_rows, 6))
    y = rng.uniform(size=n_rows) < 1 / (1 + np.exp(-X @ [0.5, -1.0, 0.2, 0.0, 1.5, -0.7]))
    with ed.Model() as model:
        sigma = ed.HalfNormal("sigma", 1)
        beta = ed.Normal("beta", 0, sigma, shape=6)
        ed.Bernoulli("y", logit_p=ed.Data("X", X) @ beta, observed=y)
    return model


def sample(form: str, chains: int, draws: int, model: ed.Model) -> dict[str, Any]:
    """Sample once and return how long it took and how much of it went into showing."""
    SPENT.clear()

    def watch(show: Any, n_chains: int, total: int, tune: int = 0, **options: Any) -> Any:
        if form == "notebook":
            return Timed("shown", Notebook(Tally(n_chains, total, tune), time.monotonic))
        kind: Any = {"dashboard": False, "all": "rich"}.get(form, form)
        return Timed("shown", WATCH(kind, n_chains, total, tune, stream=Terminal()))

    def herald(*args: Any) -> Any:
        return Timed("dashboard", Herald(*args))

    with ExitStack() as patched:
        patched.enter_context(mock.patch("exmc_dask.runs.run.watch", watch))
        patched.enter_context(mock.patch.object(dask_pool, "Herald", herald))
        if form == "notebook":  # what the notebook does with it is its own affair
            patched.enter_context(mock.patch("IPython.display.display"))
        dashboard = "127.0.0.1:0" if form in ("dashboard", "all") else False
        cluster = patched.enter_context(ed.local(2, dashboard=dashboard))
        began = time.perf_counter()
        ed.sample(
            model, draws=draws, tune=200, chains=chains, random_seed=1, cluster=cluster,
            compute_convergence_checks=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    shown = sum(SPENT.values())
    return {
        "form": form,
        "chains": chains,
        "seconds": seconds,
        "shown_s": shown,
        "share": shown / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forms", nargs="+", default=FORMS, choices=FORMS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = []
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'form':10} {'chains':>6} {'run s':>7} {'shown s':>8} {'share':>7}")
    for chains, draws, n_rows in ((4, 4000, 4000), (1000, 100, 100)):
        model = model_of(n_rows)
        for form in asked.forms:
            row = sample(form, chains, draws, model)
            found.append(row)
            print(
                f"{form:10} {chains:6} {row['seconds']:7.1f} {row['shown_s']:8.3f} "
                f"{row['share']:7.2%}",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
