"""The gates can fail: each known defect of tree samplers, put back, turns its gate red."""

import pytest

from exmc_dask.kernels import build
from exmc_dask.sampler.settings import Settings
from tests.conftest import Mutant
from tests.kernels.targets import AR_90, GAMMA, NORMAL, Target
from tests.statistics.moments import LIMIT, worst
from tests.statistics.sampling import sample_fixed
from tests.statistics.test_twin import compare

MERGE_INVALID_SUBTREE = (
    "nuts.py",
    "    elif grow(ints, walk):\n",
    "    elif not grow(ints, walk):\n        merge(reals, ints, walk)\n    else:\n",
)
TAKE_ENDPOINTS_IN_ORDER_OF_GROWTH = (
    "tree.py",
    "    far = LEFT + RIGHT - ints[SIDE] + END_V\n",
    "    far = LEFT + END_V\n",
)
KEEP_THE_LAST_LEAFS_GRADIENT = (
    "tree.py",
    "        copy(walk, SUB_GRAD, walk, NEW_GRAD)\n",
    "        copy(walk, NEXT_GRAD, walk, NEW_GRAD)\n",
)
DROP_NEAR_CHECK = (
    "tree.py",
    "        and group_sum(near_first) > 0.0\n        and group_sum(near_last) > 0.0\n",
    "",
)
DROP_FAR_CHECK = (
    "tree.py",
    "        and group_sum(far_first) > 0.0\n        and group_sum(far_last) > 0.0\n",
    "",
)
FORGET_DIRECTIONS_IN_FORCES = (
    "metric.py",
    "                walk[force, k] += along * spread[DIRECTIONS + r, 0, 0, k]\n",
    "                pass\n",
)
FIT_TO_DRAWS_THAT_WERE_DROPPED = (
    "low_rank.py",
    "    first = HISTORY + 2 * dropped\n",
    "    first = HISTORY\n",
)
KEEP_THE_WINDOW_AS_IT_LIES = (
    "low_rank.py",
    "            copy(vector, row + dropped, vector, row)\n",
    "            pass\n",
)


@pytest.mark.parametrize(
    ("defect", "target", "step_size"),
    [
        (MERGE_INVALID_SUBTREE, NORMAL, 0.5),
        (TAKE_ENDPOINTS_IN_ORDER_OF_GROWTH, AR_90, 0.3),
        (KEEP_THE_LAST_LEAFS_GRADIENT, GAMMA, 0.9),
    ],
    ids=["merge_invalid_subtree", "endpoints_in_order_of_growth", "stale_gradient"],
)
def test_moments_notice(
    mutant: Mutant,
    monkeypatch: pytest.MonkeyPatch,
    defect: tuple[str, str, str],
    target: Target,
    step_size: float,
) -> None:
    package = mutant(*defect)
    monkeypatch.setattr(build, "runtime", lambda: package)
    name, z = worst(sample_fixed(target, step_size, 50_000), target)
    assert abs(z) > 2 * LIMIT, (name, z)


@pytest.mark.parametrize(
    "defect",
    [
        pytest.param(DROP_NEAR_CHECK, id="near"),
        pytest.param(DROP_FAR_CHECK, id="far", marks=pytest.mark.slow),
    ],
)
def test_the_twin_notices_a_missing_cross_check(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch, defect: tuple[str, str, str]
) -> None:
    package = mutant(*defect)
    monkeypatch.setattr(build, "runtime", lambda: package)
    assert compare(AR_90, Settings(seed=4, tune=60, draws=140))[1]


@pytest.mark.parametrize(
    "defect",
    [FORGET_DIRECTIONS_IN_FORCES, FIT_TO_DRAWS_THAT_WERE_DROPPED, KEEP_THE_WINDOW_AS_IT_LIES],
    ids=["forget_directions_in_forces", "fit_to_dropped_draws", "keep_the_window_as_it_lies"],
)
def test_the_twin_notices_defects_of_low_rank(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch, defect: tuple[str, str, str]
) -> None:
    package = mutant(*defect)
    monkeypatch.setattr(build, "runtime", lambda: package)
    assert compare(AR_90, Settings(seed=4, tune=110, draws=1, metric="low_rank"))[1]
