"""Chains start at finite points, apart from each other, with a metric from the gradient."""

import dataclasses
import pickle

import numpy as np
import pytest

from exmc_dask.errors import BadStart
from exmc_dask.sampler.settings import Settings
from exmc_dask.sampler.start import MAX_TRIES, start
from exmc_dask.sampler.state import ChainState
from tests.kernels.targets import AR_90, F4, F8, I8, NAN_WALL, Target, log_density

SETTINGS = Settings(seed=6)


def begin(target: Target, chain: int = 0, at: float = 0.0, **options: object) -> ChainState:
    settings = dataclasses.replace(SETTINGS, **options)  # type: ignore[arg-type]
    return start(target, target.bound, settings, chain, np.full(target.dim, at))


def test_starts_are_spread_around_the_support_point() -> None:
    points = np.array([begin(AR_90, chain, at=5.0).q for chain in range(200)])
    assert points.min() > 4.0
    assert points.max() < 6.0
    assert abs(points.mean() - 5.0) < 4 / (3 * points.size) ** 0.5
    assert abs(points.std() - 3**-0.5) < 0.03


def test_the_jitter_can_be_turned_off() -> None:
    assert begin(AR_90, at=0.3, init_jitter=0.0).q.tolist() == [0.3] * 10


def test_an_initial_point_is_taken_as_it_is() -> None:
    q = np.arange(10.0)
    state = start(AR_90, AR_90.bound, SETTINGS, 0, np.zeros(10), q)
    logp, grad = AR_90.python()(q)
    assert np.array_equal(state.q, q)
    assert state["logp"] == pytest.approx(logp, rel=1e-12)
    assert state["grad"] == pytest.approx(grad, rel=1e-12)


def test_a_bad_point_is_tried_again() -> None:
    points = [begin(NAN_WALL, chain, at=0.8).q[0] for chain in range(20)]
    assert max(points) < 0.8


@log_density
def slopes_logp(q: F8, grad: F8, data: F8, data32: F4, index: I8, work: F8) -> float:
    for i in range(q.size):
        grad[i] = data[i]
    return 0.0


SLOPES = dataclasses.replace(
    AR_90, dim=5, logp_grad=slopes_logp, data=np.array([-4.0, 1e-7, 0.0, 1e-6, 1e12])
)
INV_MASS = [0.25, 1.0, 1.0, 1e6, 1e-10]


def test_the_first_metric_comes_from_the_gradient() -> None:
    assert begin(SLOPES).inv_mass == pytest.approx(INV_MASS)
    assert begin(SLOPES, metric="dense").inv_mass == pytest.approx(np.diag(INV_MASS))
    assert begin(SLOPES, metric="low_rank").inv_mass == pytest.approx(np.diag(INV_MASS))


def test_the_start_counts_as_a_draw_of_the_scheme_fisher() -> None:
    state = begin(AR_90)
    assert (state["n_front"], state["n_back"]) == (1, 1)
    for name in ("mean_q", "back_mean_q"):
        assert np.array_equal(state[name], state.q)
    for name in ("mean_grad", "back_mean_grad"):
        assert np.array_equal(state[name], state["grad"])
    assert begin(AR_90, adapt="stan")["n_front"] == 0
    state = begin(AR_90, metric="low_rank")
    assert np.array_equal(state["history"], [[state.q, state["grad"]]])
    assert begin(AR_90, adapt="stan", metric="low_rank")["history"].shape == (0, 2, AR_90.dim)


def test_without_a_finite_point_the_last_one_is_told() -> None:
    with pytest.raises(BadStart, match="chain 3 has no starting point") as caught:
        begin(NAN_WALL, 3, at=1000.0)
    error = pickle.loads(pickle.dumps(caught.value))
    assert abs(error.q[0] - 1000.0) < 1.0
    assert np.isnan(error.logp)
    assert str(error) == str(caught.value)


def test_a_hundred_points_are_tried() -> None:
    tried = []

    def logp_grad(q: F8, *rest: object) -> float:
        tried.append(q[0])
        return np.inf

    with pytest.raises(BadStart):
        begin(dataclasses.replace(AR_90, logp_grad=logp_grad))
    assert len(set(tried)) == MAX_TRIES
