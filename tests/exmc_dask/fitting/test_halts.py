"""A Ctrl-C ends a fit with what there is, where that is worth something."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import exmc_dask as ed
from exmc_dask.cluster.plan.moves import Phase, Progress
from exmc_dask.inference.settings import AdviSettings
from tests.exmc_dask.posteriors import regression

KNOWN = regression(3)


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt, also where a shell has switched it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(when: Callable[[Progress], bool]) -> Callable[[Any], None]:
    """Return a watcher that interrupts this process once, when it sees what it waits for."""
    once = iter([signal.SIGINT])

    def watch(event: Any) -> None:
        if isinstance(event, Progress) and when(event):
            for number in once:
                os.kill(os.getpid(), number)

    return watch


def done(event: Progress) -> bool:
    return event.phase is Phase.DONE


def hilly() -> ed.Model:
    """A valley in which a climb takes many steps."""
    with ed.Model() as model:
        x = ed.Flat("x", shape=100_000)
        ed.Potential("p", -(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())
    return model


def test_paths_that_came_to_their_end_are_kept() -> None:
    with pytest.warns(UserWarning, match=r"interrupted: of its 200 parts, \d+ are there"):
        found = ed.fit(
            KNOWN.model,
            method="pathfinder",
            paths=200,
            pool=10,
            elbo_draws=5000,
            random_seed=1,
            cluster="threads",
            progressbar=interrupting(done),
        )
    assert 1 <= len(found.stats["path_elbo"][0]) < 200
    np.testing.assert_allclose(found.mean, KNOWN.mean, atol=0.2)


def test_populations_that_arrived_are_kept() -> None:
    with pytest.warns(UserWarning, match="interrupted"):
        trace = ed.sample_smc(
            KNOWN.model,
            draws=100,
            chains=300,
            random_seed=1,
            cluster="threads",
            progressbar=interrupting(done),
        )
    assert 1 <= trace.posterior.sizes["chain"] < 300
    assert trace.fit["log_evidence"].shape == (trace.posterior.sizes["chain"],)


def test_a_law_is_returned_as_far_as_it_has_come() -> None:
    first = AdviSettings(seed=1).path.total
    options: dict[str, Any] = {"gradient_draws": 20_000, "random_seed": 1, "cluster": "threads"}
    watch = interrupting(lambda event: event.draw > first)
    with pytest.warns(UserWarning, match="1 as far as they had come"):
        found = ed.fit(KNOWN.model, method="advi", progressbar=watch, **options)

    np.testing.assert_allclose(found.mean, KNOWN.mean, atol=3.0)


def test_a_climb_is_returned_as_high_as_it_has_come() -> None:
    watch = interrupting(lambda event: 0 < event.draw < event.total)
    with pytest.warns(UserWarning, match="1 as far as they had come"):
        found = ed.find_map(hilly(), progressbar=watch, cluster="threads", random_seed=1)

    assert np.isfinite(found["x"]).all()


def test_where_there_is_nothing_yet_the_interrupt_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt):
        ed.sample_smc(
            KNOWN.model,
            draws=100_000,
            chains=1,
            random_seed=1,
            cluster="threads",
            progressbar=interrupting(lambda event: 0 < event.draw < event.total),
        )


@pytest.mark.parametrize("method", ["laplace", "pathfinder"])
def test_a_part_has_as_many_steps_as_it_was_allowed(method: Any) -> None:
    seen: list[Any] = []
    options: dict[str, Any] = {"max_iterations": 777, "random_seed": 1, "cluster": "threads"}
    ed.fit(KNOWN.model, method=method, progressbar=seen.append, **options)
    told = [event for event in seen if isinstance(event, Progress)]

    assert {event.total for event in told} == {777}
    assert {event.draw for event in told if done(event)} == {777}
