"""What numba-cuda makes of a kernel draws what the CPU draws, on the machine that runs PTX.

Not the sources are run here but the compiled code: what NVVM moved, fused and threw away, libdevice
and the calling convention included. Every access to memory is watched.
"""

import importlib.util
import re

import numpy as np
import pytest

from benchmarks.models.examples import EXAMPLES
from exmc_dask.sampler import block as block_of_draws
from exmc_dask.sampler.settings import Settings
from tests.kernels.cuda.test_ptx import SEVEN
from tests.kernels.cuda.test_run_cuda import model, run
from tests.kernels.machine.device import COMPILER, Machine, Trouble

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("numba_cuda") is None,
        reason="needs numba-cuda: pip install 'exmc-dask[cuda]'",
    ),
    pytest.mark.skipif(COMPILER is None, reason="needs a C compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # numba-cuda's, of NumPy
    pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning"),
]
SHORT = Settings(seed=5, tune=40, draws=40)
STAN = Settings(seed=6, tune=40, draws=40, adapt="stan", thin=2, store_unconstrained=True)
CHAINS, STEP = 3, 5
QUICK = [("eight_schools", 8, 32, 0)]  # lanes, threads of a block, rows of a tile
SLOW = [
    *((name, lanes, 64, 0) for name in SEVEN for lanes in (1, 4, 32)),
    *(("eight_schools", lanes, 128, 0) for lanes in (2, 16)),
    *((name, 32, 32, 0) for name in EXAMPLES),
    *(("logistic", lanes, 64, 288) for lanes in (1, 8, 32)),
]
CASES = [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]


@pytest.mark.parametrize("settings", [SHORT, STAN], ids=["fisher", "stan"])
@pytest.mark.parametrize(("name", "lanes", "block", "tile"), CASES)
def test_compiled_code_draws_what_the_cpu_draws(
    name: str, lanes: int, block: int, tile: int, settings: Settings
) -> None:
    """Some draws at a time from the CPU's state, as a difference in a last digit grows."""
    of = model(name, tile)
    machine = Machine.running(of.text, lanes, 1, block)
    states = of.starts(settings, CHAINS)

    for _ in range(0, 3 * STEP, STEP):
        ran = run(of, machine, settings, states, STEP, in_step=tile > 0)
        for chain, state in enumerate(states):
            after, draws = block_of_draws.run(of.kernel, of.bound, settings, state, STEP)
            np.testing.assert_allclose(ran.states[chain].f, after.f, rtol=1e-6, atol=1e-7)
            np.testing.assert_array_equal(ran.states[chain].i, after.i)
            np.testing.assert_allclose(
                ran.kept["values"][chain], draws.values, rtol=1e-6, atol=1e-7
            )
            states[chain] = after


def test_the_order_of_threads_changes_no_bit() -> None:
    of = model("eight_schools")
    states = of.starts(SHORT, 9)  # of four in a warp, one is alone in its own

    one, other = (run(of, Machine.running(of.text, 8, seed), SHORT, states, 80) for seed in (1, 2))

    for name, rows in one.kept.items():
        np.testing.assert_array_equal(other.kept[name], rows)


def test_barriers_that_are_left_out_are_missed() -> None:
    of = model("eight_schools")

    def hurry(entry: str, ptx: str) -> str:
        return re.sub(r"bar\.warp\.sync[^;]*;", "", ptx)

    with pytest.raises(Trouble, match=r"no barrier between|which nothing wrote"):
        run(of, Machine.running(of.text, 8, edit=hurry), SHORT, of.starts(SHORT, 4), 20)
