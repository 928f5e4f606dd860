"""Every model becomes PTX without a GPU, in good time, and takes no more registers than before.

``golden/registers.json`` says what ptxas said; ``--update-golden`` writes the rows anew that run.
"""

import importlib
import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks.models import seven
from benchmarks.models.examples import EXAMPLES
from exmc_dask.kernels.codegen.program import write
from exmc_dask.kernels.codegen.tiled import rows_that_fit
from exmc_dask.kernels.cuda import gpu
from exmc_dask.lowering.density import LogDensity, lower
from gradient import regression
from tests.kernels import ptx

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("numba_cuda") is None,
        reason="needs numba-cuda: pip install 'exmc-dask[cuda]'",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # numba-cuda's, of NumPy
    pytest.mark.filterwarnings("ignore::exmc_dask.warned.ImputationWarning"),
]
TABLE = Path(__file__).parents[1] / "golden" / "registers.json"
SEVEN = ["simple", "medium", "stress", "eight_schools", "funnel", "logistic", "sv"]
HOPPER, AMPERE = (9, 0), (8, 0)
COMPILE_S = 15.0
SLACK = 1.25
QUICK = [("eight_schools", 8, HOPPER, 0)]
SLOW = [
    *((name, lanes, HOPPER, 0) for name in SEVEN for lanes in (1, 8, 32)),
    *((name, 32, AMPERE, 0) for name in SEVEN),
    *((name, 32, cc, 0) for name in EXAMPLES for cc in (HOPPER, AMPERE)),
    *(("logistic", lanes, HOPPER, 288) for lanes in (1, 8, 32)),
    ("logistic", 32, AMPERE, 288),
    *(("large", lanes, cc, 96) for lanes in (8, 32) for cc in (HOPPER, AMPERE)),
]
CASES = [
    *QUICK,
    *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW if case not in QUICK),
]


def density(name: str) -> LogDensity:
    if name == "large":  # in columns; the rows are no part of the text
        return lower(regression(100, columns=50).spec)
    model = getattr(seven, name)() if name in SEVEN else EXAMPLES[name].model()
    return lower(model.spec)


@pytest.mark.parametrize(("name", "lanes", "cc", "tile"), CASES)
@pytest.mark.parametrize("entry", ["sample", "outputs"])
def test_a_model_becomes_ptx(
    name: str, lanes: int, cc: tuple[int, int], tile: int, entry: str, pytestconfig: pytest.Config
) -> None:
    program = write(density(name), "cuda", tile)
    text, seconds = ptx.compile_entry(program.source, lanes, entry, cc)

    assert tile <= rows_that_fit(program.matrices)
    assert f".target sm_{cc[0]}{cc[1]}" in text
    assert seconds < COMPILE_S
    if ptx.PTXAS is None:
        return
    found = ptx.assemble(text, cc)
    row = f"{name} {entry}, {lanes} lanes, sm_{cc[0]}{cc[1]}"
    row += f", tiles of {tile}" if tile else ""
    table = json.loads(TABLE.read_text())
    if pytestconfig.getoption("--update-golden"):
        table[row] = vars(found)
        TABLE.write_text(json.dumps(dict(sorted(table.items())), indent=0) + "\n")
    assert row in table, f"the table has no row '{row}'; --update-golden writes it"
    known = {"shared": 0} | table[row]
    assert found.registers <= SLACK * known["registers"] + 8
    assert found.shared == known["shared"]
    assert found.stack + found.spills <= SLACK * (known["stack"] + known["spills"]) + 64


def test_indices_are_taken_as_they_are() -> None:
    """A word for each time that an index is looked at, and what is added to it if negative."""
    program = write(density("logistic"), "cuda", 0)
    text, _ = ptx.compile_entry(program.source, 32, "sample", HOPPER)
    counted = importlib.import_module("numba.cuda.np.arrayobj").fix_integer_index

    assert text.count("shr.s64") < 250  # 1050 where each may count from the end
    assert counted.__module__ == "numba.cuda.np.arrayobj"


def test_numba_cuda_neither_waits_nor_warns_at_a_launch() -> None:
    gpu.numba_cuda()
    config = importlib.import_module("numba.cuda.core.config")

    assert not config.CUDA_ARRAY_INTERFACE_SYNC
    assert not config.CUDA_LOW_OCCUPANCY_WARNINGS
