"""What chains of a group learn together is what all their draws together teach."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from exmc_dask.errors import OptionError
from exmc_dask.sampler.block import run
from exmc_dask.sampler.pooling import Lesson, Pooling
from exmc_dask.sampler.reference import transition
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState
from tests.kernels.targets import AR_90
from tests.statistics.test_twin import unequal_fields, unequal_stats

SCHEMES = [(adapt, metric) for adapt in ("fisher", "stan") for metric in ("diag", "dense")]
CHAINS, TUNE = 4, 60


def settings_of(adapt: str, metric: str, **more: Any) -> Settings:
    fixed = {"tune": TUNE, "draws": 10, "pool": 2, "store_unconstrained": True}
    return Settings(seed=4, adapt=adapt, metric=metric, **fixed | more)


def began(settings: Settings) -> list[ChainState]:
    zero = np.zeros(AR_90.dim)
    return [start(AR_90, AR_90.bound, settings, chain, zero) for chain in range(CHAINS)]


def gone_on(settings: Settings, states: list[ChainState], draw: int) -> list[ChainState]:
    return [run(AR_90, AR_90.bound, settings, s, draw - s.draw)[0] for s in states]


def at_mark(settings: Settings, k: int = 0) -> tuple[list[ChainState], Lesson]:
    """Return the chains at a mark, and what they have learnt by then; lessons before are given."""
    pooling = Pooling(CHAINS, 1, settings.marks, 3)
    states = began(settings)
    for mark in settings.marks[: k + 1]:
        states = gone_on(settings, states, mark)
        lesson = pooling.learn(states)
        states = [lesson.give(state) for state in states] if mark < settings.marks[k] else states
    return states, lesson


@pytest.mark.parametrize(("adapt", "metric"), SCHEMES)
def test_a_lesson_holds_the_moments_of_all_draws_of_the_window(adapt: str, metric: str) -> None:
    settings = settings_of(adapt, metric)
    end = settings.marks[0]
    rows = []
    for state in began(settings):
        for _ in range(end):
            before = state
            state, draws = run(AR_90, AR_90.bound, settings, state, 1)
            if state["n_front"] > before["n_front"]:
                rows.append((draws.q[0], np.array(state["grad"])))
    q, grad = (np.array(column) for column in zip(*rows, strict=True))
    _, lesson = at_mark(settings)

    assert (lesson.draw, lesson.n) == (end, len(rows))
    for name, x in (("q", q), ("grad", grad)):
        if f"m2_{name}" in lesson.fields:
            square = len(x) * np.cov(x.T, ddof=0)
            expected = np.tril(square) if metric == "dense" else np.diag(square)
            np.testing.assert_allclose(lesson.fields[f"mean_{name}"], x.mean(axis=0), atol=1e-10)
            np.testing.assert_allclose(lesson.fields[f"m2_{name}"], expected, atol=1e-9)
    assert ("m2_grad" in lesson.fields) == (adapt == "fisher")


@pytest.mark.parametrize("adapt", ["fisher", "stan"])
@pytest.mark.parametrize("metric", ["diag", "dense", "low_rank"])
def test_all_chains_go_on_with_the_metric_of_the_lesson_and_their_own_steps(
    adapt: str, metric: str
) -> None:
    settings = settings_of(adapt, metric)
    states, lesson = at_mark(settings, len(settings.marks) - 1)
    given = [lesson.give(state) for state in states]
    after = gone_on(settings, given, lesson.draw + 1)

    assert [np.array_equal(s.q, g.q) for s, g in zip(states, given, strict=True)] == [True] * CHAINS
    assert {state.root.tobytes() for state in after} == {after[0].root.tobytes()}
    assert len({state.step_size for state in after}) > 1
    assert {state["updates"] - s["updates"] for state, s in zip(after, given, strict=True)} == {1}
    assert {state["n_front"] for state in after} <= {0, 1}


@pytest.mark.parametrize("adapt", ["fisher", "stan"])
@pytest.mark.parametrize("metric", ["diag", "dense", "low_rank"])
def test_the_twin_makes_of_a_lesson_what_the_kernel_does(adapt: str, metric: str) -> None:
    settings = settings_of(adapt, metric)
    states, lesson = at_mark(settings, len(settings.marks) - 1)
    for state in states:
        given = lesson.give(state)
        expected, reckoned = transition(given, settings, AR_90.python())
        after, drawn = run(AR_90, AR_90.bound, settings, given, 1)
        if expected.margin > 1e-9:
            differing = [
                *unequal_stats(drawn, expected, reckoned),
                *unequal_fields(after, reckoned),
            ]
            assert not differing


def test_a_lesson_depends_on_the_numbers_of_chains_and_on_nothing_else() -> None:
    states, lesson = at_mark(settings_of("fisher", "dense"), 1)
    again = Pooling(CHAINS, 1, (), 3).learn(states)

    assert (lesson.n, lesson.group) == (again.n, again.group)
    for name, field in lesson.fields.items():
        assert field.tobytes() == again.fields[name].tobytes()


def test_too_few_draws_teach_nothing_and_are_kept() -> None:
    states, _ = at_mark(settings_of("fisher", "diag"))
    lesson = Pooling(CHAINS, 1, (5,), 1000).learn(states)

    assert lesson.n == 0
    assert lesson.give(states[0]) is states[0]


def test_a_group_keeps_a_part_of_the_draws_of_many_chains_for_a_metric_of_low_rank() -> None:
    history = np.arange(300.0 * 2 * 3).reshape(300, 2, 3)
    blank = ChainState.blank(3, "pooled", "low_rank", 0)
    state = blank.replace(n_front=300, n_back=300, history=history)
    lesson = Pooling(5, 1, (5,), 10).learn([state] * 5)

    assert lesson.n == len(lesson.fields["history"]) == 500
    assert np.array_equal(lesson.fields["history"][:100], history[::3])
    assert lesson.give(state)["n_back"] == 500


@pytest.mark.parametrize(
    ("chains", "size", "groups"),
    [(4, 64, 1), (63, 64, 1), (127, 64, 1), (128, 64, 2), (1000, 64, 15)],
)
def test_groups_are_ranges_of_chains_of_at_least_the_size(
    chains: int, size: int, groups: int
) -> None:
    settings = Settings(seed=0, tune=50, pool=size)
    pooling = Pooling.of(settings, chains)
    assert pooling is not None
    found = [pooling.group(chain) for chain in range(chains)]

    assert found == sorted(found)
    assert len(set(found)) == groups
    assert [pooling.first(g) for g in range(groups)] == [found.index(g) for g in range(groups)]
    assert min(found.count(g) for g in range(groups)) >= min(size, chains)


@pytest.mark.parametrize(
    ("adapt", "tune", "marks"),
    [
        ("fisher", 20, (5, 17)),
        ("fisher", 50, (5, 10, 20, 43)),
        ("fisher", 100, (5, 10, 20, 40, 85)),
        ("fisher", 400, (5, 10, 20, 40, 80, 160, 340)),
        ("stan", 100, (90,)),
        ("stan", 1000, (100, 150, 250, 450, 950)),
    ],
)
def test_chains_share_what_they_learnt_where_windows_end(
    adapt: str, tune: int, marks: tuple[int, ...]
) -> None:
    assert Settings(seed=0, tune=tune, adapt=adapt, pool=4).marks == marks
    assert all(2 * a <= b for a, b in pairwise(marks) if adapt == "fisher")
    assert Settings(seed=0, tune=tune, adapt=adapt).marks == ()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pool": 1}, "pool=1 is not possible; .*one alone shares nothing"),
        ({"pool": -2}, "pool=-2"),
        ({"pool": 2.5}, "pool=2.5"),
        ({"pool": True}, "pool=True"),
        ({"pool": 4, "adapt": "step_size"}, "nothing to share with adapt='step_size'"),
        ({"pool": 4, "tune": 19}, "tune=19 is too short for pool="),
        ({"pool": 4, "tune": 19, "adapt": "stan"}, "tune=19 is too short for pool="),
    ],
    ids=str,
)
def test_what_cannot_be_shared_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Settings(seed=0, **options)
