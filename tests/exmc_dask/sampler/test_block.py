"""A block is a pure function: where it begins, ends or is stopped leaves no trace in the draws."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys

from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.sampler.block import run
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import start
from exmc_dask.sampler.state import ChainState, Draws
from tests.kernels.targets import AR_90, F4, F8, I8, NORMAL, Bound, log_density, same

SCHEMES = [(adapt, metric) for adapt in slots.ADAPTS for metric in slots.METRICS]
HOW = {"pooled": {"adapt": "fisher", "pool": 2}}  # other schemes are options themselves
every_scheme = pytest.mark.parametrize(("adapt", "metric"), SCHEMES)


def begin(settings: Settings, chain: int = 0) -> ChainState:
    return start(AR_90, AR_90.bound, settings, chain, np.zeros(AR_90.dim))


def in_blocks(settings: Settings, size: int, state: ChainState | None = None) -> tuple[Any, ...]:
    """Return all bits of a run and of its last state."""
    state = state or begin(settings)
    blocks = []
    while state.draw < settings.total:
        n = min(size, settings.total - state.draw)
        state, draws = run(AR_90, AR_90.bound, settings, state, n)
        blocks.append(draws)
    return bits(state), *whole(blocks)


def bits(state: ChainState) -> tuple[bytes, bytes]:
    return state.f.tobytes(), state.i.tobytes()


def whole(blocks: list[Draws]) -> list[bytes]:
    columns = ("numbers", "values", "q", "stats_f", "stats_i")
    return [np.concatenate([getattr(b, c) for b in blocks]).tobytes() for c in columns]


@every_scheme
@pytest.mark.parametrize("thin", [1, 4])
def test_borders_of_blocks_leave_no_trace(adapt: str, metric: str, thin: int) -> None:
    how: Any = HOW.get(adapt, {"adapt": adapt})
    settings = Settings(7, 30, 110, metric=metric, thin=thin, store_unconstrained=True, **how)
    expected = in_blocks(settings, settings.total)
    for size in (1, 7, 100):
        assert in_blocks(settings, size) == expected


@log_density
def stopping_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    # the chain's target, which asks to be stopped at gradient data[0]: index is the control array
    if index[slots.GRADIENTS] == data[0]:
        index[slots.STOP] = data[1]
    total = 0.0
    for i in range(q.size):
        grad[i] = -(i + 1.0) * q[i]
        total += 0.5 * grad[i] * q[i]
    return total


STOPPING = dataclasses.replace(AR_90, logp_grad=stopping_logp, expand=same)


def run_stopping(
    settings: Settings, state: ChainState, n: int, gradient: float = -1.0, how: int = 0
) -> tuple[ChainState, Draws, I8]:
    control = np.zeros(8, np.int64)
    return *run(STOPPING, asking(control, gradient, how), settings, state, n, control), control


def asking(control: I8, gradient: float = -1.0, how: int = 0) -> Bound:
    data = np.array([gradient, how], float)
    return Bound(data, np.zeros(0, np.float32), control, 0, STOPPING.dim)


def begin_stopping(settings: Settings) -> ChainState:
    bound = asking(np.zeros(8, np.int64))
    return start(STOPPING, bound, settings, 0, np.zeros(STOPPING.dim))


@every_scheme
@pytest.mark.parametrize("how", [slots.STOP_AFTER, slots.STOP_NOW])
def test_a_stopped_chain_goes_on_as_if_nothing_had_been(adapt: str, metric: str, how: int) -> None:
    scheme: Any = HOW.get(adapt, {"adapt": adapt})
    settings = Settings(seed=8, draws=20, tune=60, metric=metric, **scheme)
    first = begin_stopping(settings)
    last, draws, control = run_stopping(settings, first, settings.total)
    assert control[slots.STATUS] == slots.FINISHED
    for gradient in np.linspace(0, control[slots.GRADIENTS], 30).astype(int):
        state, before, control = run_stopping(settings, first, settings.total, gradient, how)
        assert control[slots.STATUS] == slots.STOPPED or state.draw == settings.total
        alike, _, _ = run_stopping(settings, first, len(before))
        assert bits(state) == bits(alike)
        state, after, _ = run_stopping(settings, state, settings.total - state.draw)
        assert (bits(state), whole([before, after])) == (bits(last), whole([draws]))


def test_stopping_now_drops_the_transition_that_stopping_after_keeps() -> None:
    settings = Settings(seed=8, draws=20, tune=60)
    rows = [
        len(run_stopping(settings, begin_stopping(settings), 80, 200, how)[1])
        for how in (slots.STOP_NOW, slots.STOP_AFTER)
    ]
    assert rows[0] + 1 == rows[1]


def test_a_request_that_is_there_from_the_start_is_heard() -> None:
    control = np.array([slots.STOP_AFTER, *[0] * 7])
    settings = Settings(seed=1)
    state = begin(settings)
    after, draws = run(AR_90, AR_90.bound, settings, state, 10, control)
    assert (bits(after), len(draws)) == (bits(state), 0)


def test_the_control_array_reports() -> None:
    settings = Settings(seed=2, draws=10, tune=0)
    control = np.zeros(len(slots.CONTROL), np.int64)
    state, draws = run(AR_90, AR_90.bound, settings, begin(settings), 10, control)
    report = dict(zip(slots.CONTROL, control, strict=True))
    assert report["draws"] == report["next_draw"] == state.draw == 10
    assert report["gradients"] > draws.stat("n_steps").sum()  # the search has some, too
    assert report["tree_depth"] == draws.stat("tree_depth")[-1]
    assert control.view(np.float64)[slots.STEP_SIZE_BITS] == draws.stat("step_size")[-1]


@pytest.mark.parametrize(("tune", "thin", "numbers"), [(5, 3, [2, 5, 8, 11]), (0, 5, [0, 5, 10])])
def test_thinning_counts_from_the_end_of_warmup(tune: int, thin: int, numbers: list[int]) -> None:
    settings = Settings(seed=3, draws=12 - tune, tune=tune, thin=thin, store_unconstrained=True)
    _, draws = run(AR_90, AR_90.bound, settings, begin(settings), 12)
    _, every = run(
        *(AR_90, AR_90.bound, dataclasses.replace(settings, thin=1), begin(settings), 12)
    )
    assert draws.numbers.tolist() == numbers
    assert np.array_equal(draws.values, every.values[numbers])
    assert np.array_equal(draws.q, draws.values)


def test_a_block_may_go_past_the_draws_that_were_asked_for_first() -> None:
    settings = Settings(seed=3, draws=5, tune=4)
    more = Settings(seed=3, draws=96, tune=4)

    assert (
        in_blocks(more, 100)[2]
        == whole([run(AR_90, AR_90.bound, settings, begin(settings), 100)[1]])[1]
    )


def test_chains_and_seeds_differ() -> None:
    settings = Settings(seed=3, draws=5, tune=5)
    other = dataclasses.replace(settings, seed=4)
    runs = [in_blocks(settings, 10), in_blocks(settings, 10, begin(settings, 1))]
    assert len({bytes(r[2]) for r in (*runs, in_blocks(other, 10))}) == 3


def test_more_draws_leave_the_first_ones_as_they_were() -> None:
    few, many = (Settings(seed=3, draws=draws, tune=20) for draws in (5, 50))
    assert in_blocks(many, 100)[2].startswith(in_blocks(few, 100)[2])


def test_blocks_do_not_use_up_memory() -> None:
    settings = Settings(seed=5, draws=200, tune=0)
    state = start(NORMAL, NORMAL.bound, settings, 0, np.zeros(1))
    run(NORMAL, NORMAL.bound, settings, state, 1)
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    for _ in range(100):
        state, _ = run(NORMAL, NORMAL.bound, settings, state, 2)
    after = rtsys.get_allocation_stats()
    assert after.alloc - after.free == before.alloc - before.free
    assert after.mi_alloc - after.mi_free == before.mi_alloc - before.mi_free
