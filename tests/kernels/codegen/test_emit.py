"""The emitted text, reviewed as code: ``golden/*.py``, written anew by ``--update-golden``."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import exmc_dask as ed
from benchmarks.models import seven as models
from exmc_dask import math
from exmc_dask.expressions.ir import Node, make
from exmc_dask.expressions.ops import Op
from exmc_dask.kernels.codegen.program import write
from exmc_dask.lowering.density import lower
from tests.kernels.densities import density, slot

GOLDEN = Path(__file__).parents[1] / "golden"


def groups() -> ed.Model:
    """Varying intercepts and a slope: gathers and scatters."""
    rng = np.random.default_rng(0)
    county = rng.integers(0, 5, 40)
    floor, y = rng.integers(0, 2, 40).astype(float), rng.normal(size=40)
    with ed.Model() as model:
        mu = ed.Normal("mu", 0, 2)
        tau = ed.HalfNormal("tau", 1)
        a = ed.Normal("a", mu, tau, shape=5)
        b = ed.Normal("b", 0, 1)
        sigma = ed.HalfNormal("sigma", 1)
        ed.StudentT("y", 4, a[county] + b * floor, sigma, observed=y)
    return model


def mixture() -> ed.Model:
    """Three normals: a log-sum-exp a row, weights from a simplex."""
    y = np.random.default_rng(0).normal(size=30)
    with ed.Model() as model:
        w = ed.Dirichlet("w", np.ones(3))
        mu = ed.Normal("mu", 0, 3, shape=3)
        sigma = ed.HalfNormal("sigma", 1)
        ed.NormalMixture("y", w, mu, sigma, observed=y)
    return model


def process() -> ed.Model:
    """Gaussian process on six places: a factor, its solves and their derivatives."""
    x = np.linspace(0, 1, 6)
    with ed.Model() as model:
        scale = ed.HalfNormal("scale", 1)
        noise = ed.HalfNormal("noise", 1)
        near = math.exp((x[:, None] - x[None, :]) ** 2 * -0.5 / (scale * scale))
        ed.MvNormal("y", np.zeros(6), cov=near + np.eye(6) * (noise + 0.1), observed=np.sin(x))
    return model


def lanes() -> ed.Model:
    """Scalars declared one by one, with as many observations as each happens to have."""
    builder = ed.Builder().rv("mu", ed.Normal, 0.0, 5.0).rv("tau", ed.HalfNormal, 2.0)
    for i in range(12):
        builder.rv(f"x{i}", ed.Normal, "mu", "tau").rv(f"s{i}", ed.HalfNormal, 1.0)
        builder.rv(f"y{i}", ed.StudentT, 4.0, f"x{i}", f"s{i}")
        builder.obs(f"z{i}", f"y{i}", np.arange(1.0 + i % 3))
    return builder.build()


BUILT = (
    *(models.simple, models.eight_schools, models.logistic, models.sv),
    *(groups, lanes, mixture, process),
)
MODELS: dict[str, Callable[[], ed.Model]] = {build.__name__: build for build in BUILT}


def emitted(name: str) -> str:
    return write(lower(MODELS[name]().spec, ncp=False)).source


@pytest.mark.parametrize("name", MODELS)
def test_text_is_as_reviewed(name: str, pytestconfig: pytest.Config) -> None:
    path, text = GOLDEN / f"{name}.py", emitted(name)
    if pytestconfig.getoption("--update-golden"):
        path.write_text(text)

    assert text == path.read_text()


@pytest.mark.parametrize("name", MODELS)
def test_lines_are_short(name: str) -> None:
    assert max(map(len, emitted(name).splitlines())) <= 100


def test_text_does_not_depend_on_the_process() -> None:
    probe = "from tests.kernels.codegen.test_emit import *; print(*map(emitted, MODELS), sep='')"
    ran = subprocess.run(
        [sys.executable, "-c", probe],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.rstrip() == "".join(map(emitted, MODELS)).rstrip()


@pytest.mark.parametrize("name", ["exp", "for", "i", "data", "rows", "s p a c e", "1st", "n_y"])
def test_any_name_of_the_user_will_do(name: str) -> None:
    x = make(Op.PARAM, (), name, (3,), "float64")
    other = make(Op.PARAM, (), "p", (), "float64")
    y = slot("y")
    source = write(
        density((math.exp(x) * other).sum() * y.sum(), [x, other], [y], {name: x})
    ).source

    compile(source, name, "exec")


def test_constants_are_written_exactly() -> None:
    x: Node = make(Op.PARAM, (), "x", (), "float64")
    source = write(density(x * 0.1 + math.where(x < 1e300, x, float("-inf")), [x], [], {})).source

    assert "0.1" in source
    assert "1e+300" in source
    assert "-inf" in source


def scalars(n: int) -> ed.Model:
    """Scalars by a loop, as eXMC's models have them, each with observations of its own."""
    builder = ed.Builder().rv("mu", ed.Normal, mu=0.0, sigma=5.0)
    builder.rv("tau", ed.HalfNormal, sigma=2.0)
    for i in range(n):
        builder.rv(f"x{i}", ed.Normal, mu="mu", sigma="tau")
        builder.obs(f"y{i}", f"x{i}", np.arange(1.0 + i % 3))
    return builder.build()


def hierarchical(n: int) -> ed.Model:
    """The same with the scalars free."""
    with ed.Model() as model:
        mu, tau = ed.Normal("mu", 0, 5), ed.HalfNormal("tau", 2)
        for i in range(n):
            x = ed.Normal(f"x{i}", mu, tau)
            ed.Normal(f"y{i}", x, 1.0, observed=np.arange(1.0 + i % 3))
    return model


@pytest.mark.parametrize("build", [scalars, hierarchical])
def test_the_text_of_many_scalars_is_as_long_as_that_of_few(build) -> None:
    few, many = (write(lower(build(n).spec)).source for n in (50, 400))

    assert len(many) < 1.02 * len(few)
