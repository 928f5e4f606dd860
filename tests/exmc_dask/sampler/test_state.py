"""A chain's state names every number it holds, and refuses arrays that are something else."""

import pickle

import numpy as np
import pytest

from exmc_dask.errors import FormatError
from exmc_dask.kernels.runtime import chain as slots
from exmc_dask.sampler.state import FLOAT_STATS, INT_STATS, ChainState, Draws, shapes

SHAPES = [(adapt, metric) for adapt in slots.ADAPTS for metric in slots.METRICS]


def numbered(adapt: str, metric: str, dim: int = 3) -> ChainState:
    state = ChainState.blank(dim, adapt, metric, chain=4)
    return ChainState(np.arange(float(state.f.size)), state.i)


@pytest.mark.parametrize(("adapt", "metric"), SHAPES)
def test_every_number_has_one_name(adapt: str, metric: str) -> None:
    state = numbered(adapt, metric)
    named = np.concatenate([np.ravel(state[name]) for name in state.shapes()])
    assert np.array_equal(named, state.f)


def test_slots_are_the_places_of_the_names() -> None:
    for names, numbers in (
        (slots.INTS, "VERSION_ DIM ADAPT METRIC CHAIN DRAW SEARCH_DUE UPDATES WINDOW N_FRONT"),
        (slots.SCALARS, "LOGP LOG_STEP LOG_STEP_BAR STEP_ANCHOR STEP_ERROR"),
        (slots.VECTORS, "Q GRAD MEAN_Q MEAN_GRAD BACK_MEAN_Q BACK_MEAN_GRAD"),
        (slots.SPREADS, "FACTOR M2_Q M2_GRAD BACK_M2_Q BACK_M2_GRAD"),
        (slots.LOW_RANK_SPREADS, "FACTOR STRETCH DIRECTIONS"),
    ):
        for place, (name, number) in enumerate(zip(names, numbers.split(), strict=False)):
            assert getattr(slots, number) == place
            assert number.lower().removesuffix("_").removesuffix("_due") == name


@pytest.mark.parametrize(("adapt", "metric"), SHAPES)
def test_replace_changes_what_is_named_and_nothing_else(adapt: str, metric: str) -> None:
    state = numbered(adapt, metric)
    changed = state.replace(q=np.zeros(3), logp=-1.0, draw=7)
    assert (changed.draw, changed["logp"], changed.q.tolist()) == (7, -1.0, [0.0, 0.0, 0.0])
    assert changed.replace(q=state.q, logp=0.0, draw=0).f.tobytes() == state.f.tobytes()
    assert state.draw == 0


def test_a_state_is_read_only() -> None:
    state = numbered("fisher", "diag")
    for array in (state.f, state.i, state.q, state["factor"]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_state_travels() -> None:
    state = numbered("stan", "dense")
    other = pickle.loads(pickle.dumps(state))
    assert (other.f.tobytes(), other.i.tobytes()) == (state.f.tobytes(), state.i.tobytes())


def test_the_inverse_mass_is_the_square_of_its_factor() -> None:
    factor = np.tril(np.arange(1.0, 10.0).reshape(3, 3))
    diag, dense = (ChainState.blank(3, "stan", metric, 0) for metric in ("diag", "dense"))
    assert diag.replace(factor=[1.0, 2.0, 3.0]).inv_mass.tolist() == [1.0, 4.0, 9.0]
    assert np.array_equal(dense.replace(factor=factor).inv_mass, factor @ factor.T)


def test_the_inverse_mass_of_low_rank_is_stretched_along_its_directions() -> None:
    u = np.array([0.6, 0.0, 0.8])
    fields = {
        "factor": [1.0, 2.0, 0.5],
        "stretch": [4.0, 0.0, 0.0],
        "directions": [u, 0 * u, 0 * u],
    }
    state = ChainState.blank(3, "fisher", "low_rank", 0, **fields)
    scales = np.diag([1.0, 2.0, 0.5])
    expected = scales @ (np.eye(3) + (5.0**2 - 1.0) * np.outer(u, u)) @ scales
    assert state.inv_mass == pytest.approx(expected)


def test_what_low_rank_keeps_grows_and_shrinks() -> None:
    state = numbered("fisher", "low_rank")
    history = np.arange(12.0).reshape(2, 2, 3)
    longer = state.replace(n_front=2, n_back=1, history=history)
    assert np.array_equal(longer["history"], history)
    assert longer.f.size == state.f.size + 12
    assert longer.replace(n_front=0, history=history[:0]).f.tobytes() == state.f.tobytes()
    with pytest.raises(ValueError, match="broadcast"):
        longer.replace(n_front=3)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="mean_q"):
        numbered("fisher", "low_rank").replace(mean_q=0.0)


def test_another_version_is_refused() -> None:
    state = numbered("fisher", "diag")
    ints = state.i.copy()
    ints[0] = slots.VERSION + 1
    with pytest.raises(FormatError, match="version"):
        ChainState(state.f, ints)


def test_a_wrong_length_is_refused() -> None:
    state = numbered("fisher", "diag")
    with pytest.raises(FormatError, match=f"holds {state.f.size} numbers"):
        ChainState(state.f[:-1], state.i)


def test_rows_know_their_draw_numbers() -> None:
    rows = 3
    draws = Draws(
        5,
        np.zeros((rows, 2)),
        np.zeros((0, 2)),
        np.arange(rows * len(FLOAT_STATS), dtype=float).reshape(rows, -1),
        np.arange(rows * len(INT_STATS)).reshape(rows, -1),
        thin=10,
    )
    assert len(draws) == rows
    assert draws.numbers.tolist() == [5, 15, 25]
    assert draws.stat("lp").tolist() == [0.0, 7.0, 14.0]
    assert draws.stat("n_steps").tolist() == [1, 6, 11]


def test_the_scheme_stan_holds_less() -> None:
    fisher, stan = shapes(3, "fisher", "dense"), shapes(3, "stan", "dense")
    assert list(stan) == [name for name in fisher if name in stan]
    assert set(fisher) - set(stan) >= {"mean_grad", "back_m2_q"}
