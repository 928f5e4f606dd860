"""The device's sources as numba-cuda itself takes them, on its simulator: one lane a chain."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[1] / "simulated.py"


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="needs numba-cuda: pip install 'exmc-dask[cuda]'",
)
@pytest.mark.parametrize(
    ("model", "tile"), [("simple", 0), ("eight_schools", 0), ("regression", 32)]
)
def test_the_simulator_draws_what_the_cpu_draws(model: str, tile: int) -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, str(PROGRAM), model, str(tile)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    np.testing.assert_allclose(found["drawn"], found["drawn_by_cpu"], rtol=1e-8)
    assert found["trees"] == found["trees_of_cpu"]
    assert found["launches"] > 0
